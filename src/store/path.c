/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/path.h"

#include <string.h>

#include "store/limits.h"
#include "store/store.h"
#include "util/error.h"
#include "util/text.h"

#define WHITEOUT_PREFIX ".wh."
#define OPAQUE_NAME ".wh..wh..opq"
#define AUFS_PREFIX ".wh..wh."
#define PLINK_FOLDER ".wh..wh.plnk/"

static gboolean
throw_path (GError **error, AtmStoreError code, const char *path, const char *why)
{
  g_autofree char *shown = atm_text_escape (path);

  return atm_throw (error, ATM_STORE_ERROR, (int) code, "The path “%s” %s", shown, why);
}

gboolean
atm_path_clean (const char *raw, char **path_out, GError **error)
{
  g_autoptr (GString) path = g_string_new (NULL);
  const char *p = raw;

  if (strlen (raw) > ATM_PATH_MAX_BYTES)
    return throw_path (error, ATM_STORE_ERROR_LAYER, raw, "is longer than 4095 bytes");

  while (*p != '\0')
    {
      const gsize length = strcspn (p, "/");

      if (length == 2 && p[0] == '.' && p[1] == '.')
        return throw_path (error, ATM_STORE_ERROR_LAYER, raw, "has a component “..”");
      if (length > ATM_COMPONENT_MAX_BYTES)
        return throw_path (error, ATM_STORE_ERROR_LAYER, raw,
                           "has a component of more than 255 bytes");
      if (length > 0 && !(length == 1 && p[0] == '.'))
        {
          if (path->len > 0)
            g_string_append_c (path, '/');
          g_string_append_len (path, p, (gssize) length);
        }
      p += length;
      p += strspn (p, "/");
    }

  if (!g_utf8_validate (path->str, (gssize) path->len, NULL))
    return throw_path (error, ATM_STORE_ERROR_UNSUPPORTED, raw,
                       "is not valid UTF-8, so OSTree cannot store it; rename it in the image");

  *path_out = g_string_free (g_steal_pointer (&path), FALSE);
  return TRUE;
}

gboolean
atm_path_classify (const char *path, AtmPathKind *kind_out, char **subject_out, GError **error)
{
  AtmPathKind kind = ATM_PATH_PLAIN;
  g_autofree char *subject = NULL;
  const char *p = path;
  const char *slash;

  /* What is below a folder whose name begins with “.wh.” */
  for (; (slash = strchr (p, '/')) != NULL; p = slash + 1)
    {
      if (!g_str_has_prefix (p, WHITEOUT_PREFIX))
        continue;
      if (!g_str_has_prefix (p, AUFS_PREFIX) || g_str_has_prefix (p, OPAQUE_NAME "/"))
        return throw_path (error, ATM_STORE_ERROR_LAYER, path, "is below a whiteout");
      *kind_out = g_str_has_prefix (path, PLINK_FOLDER) ? ATM_PATH_PLINK : ATM_PATH_AUFS;
      *subject_out = g_strdup (path);
      return TRUE;
    }

  if (g_str_equal (p, OPAQUE_NAME))
    {
      kind = ATM_PATH_OPAQUE;
      subject = g_strndup (path, (gsize) (p > path ? p - path - 1 : 0));
    }
  else if (g_str_has_prefix (p, AUFS_PREFIX))
    kind = ATM_PATH_AUFS;
  else if (g_str_has_prefix (p, WHITEOUT_PREFIX))
    {
      const char *name = p + strlen (WHITEOUT_PREFIX);

      if (*name == '\0' || g_str_equal (name, ".") || g_str_equal (name, ".."))
        return throw_path (error, ATM_STORE_ERROR_LAYER, path, "is a whiteout of nothing");
      kind = ATM_PATH_WHITEOUT;
      subject = g_strdup_printf ("%.*s%s", (int) (p - path), path, name);
    }

  *kind_out = kind;
  *subject_out = subject != NULL ? g_steal_pointer (&subject) : g_strdup (path);
  return TRUE;
}
