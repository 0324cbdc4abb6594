/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/xattrs.h"

#include <archive.h>

#include <linux/capability.h>
#include <string.h>

#include "store/limits.h"
#include "store/store.h"
#include "util/error.h"
#include "util/text.h"

typedef struct
{
  char *name;    /* (owned) */
  GBytes *value; /* (owned) */
} Xattr;

static void
clear_xattr (gpointer data)
{
  Xattr *xattr = data;

  g_free (xattr->name);
  g_bytes_unref (xattr->value);
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (((const Xattr *) a)->name, ((const Xattr *) b)->name);
}

/* struct vfs_cap_data of linux/capability.h: size and revision must agree (cap_convert_nscap). */
static gboolean
is_capability (const guint8 *value, gsize length)
{
  guint32 magic = 0;

  if (length < sizeof magic)
    return FALSE;
  memcpy (&magic, value, sizeof magic);
  switch (GUINT32_FROM_LE (magic) & VFS_CAP_REVISION_MASK)
    {
    case VFS_CAP_REVISION_1:
      return length == XATTR_CAPS_SZ_1;
    case VFS_CAP_REVISION_2:
      return length == XATTR_CAPS_SZ_2;
    case VFS_CAP_REVISION_3:
      return length == XATTR_CAPS_SZ_3;
    default:
      return FALSE;
    }
}

static gboolean
is_kept (const char *name, const guint8 *value, gsize length, gboolean user_mode,
         AtmXattrsDropped *dropped)
{
  if (g_str_has_prefix (name, "user.overlay.") || g_str_has_prefix (name, "trusted.overlay."))
    {
      dropped->overlay++;
      return FALSE;
    }
  if (g_str_equal (name, "security.capability"))
    {
      if (!user_mode && is_capability (value, length))
        return TRUE;
      dropped->capability++;
      return FALSE;
    }
  return (g_str_has_prefix (name, "user.") && name[strlen ("user.")] != '\0')
         || g_str_equal (name, "system.posix_acl_access")
         || g_str_equal (name, "system.posix_acl_default");
}

static GVariant *
to_variant (GArray *xattrs)
{
  g_auto (GVariantBuilder) builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a(ayay)"));

  for (guint i = 0; i < xattrs->len; i++)
    {
      const Xattr *xattr = &g_array_index (xattrs, Xattr, i);

      g_variant_builder_add (
          &builder, "(@ay@ay)", g_variant_new_bytestring (xattr->name),
          g_variant_new_from_bytes (G_VARIANT_TYPE_BYTESTRING, xattr->value, TRUE));
    }
  return g_variant_ref_sink (g_variant_builder_end (&builder));
}

gboolean
atm_xattrs_read (struct archive_entry *entry, gboolean user_mode, AtmXattrsDropped *dropped,
                 GVariant **xattrs_out, GError **error)
{
  g_autoptr (GArray) xattrs = g_array_new (FALSE, FALSE, sizeof (Xattr));
  g_autoptr (GHashTable) names = NULL;
  const char *name = NULL;
  const void *value = NULL;
  size_t length = 0;
  gsize total = 0;

  *xattrs_out = NULL;
  if (archive_entry_xattr_reset (entry) == 0)
    return TRUE;
  names = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_array_set_clear_func (xattrs, clear_xattr);

  while (archive_entry_xattr_next (entry, &name, &value, &length) == ARCHIVE_OK)
    {
      Xattr *xattr = NULL;
      gsize name_length = 0;

      if (name == NULL)
        continue;
      name_length = strlen (name);
      if (length > ATM_XATTR_VALUE_MAX_BYTES || name_length + length > ATM_XATTRS_MAX_BYTES - total)
        {
          g_autofree char *shown = atm_text_escape (name);

          return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                            "The attribute “%s” makes the attributes larger than is allowed",
                            shown);
        }
      total += name_length + length;

      /* The last record of a header comes first here and wins. */
      if (!is_kept (name, value, length, user_mode, dropped)
          || !g_hash_table_add (names, g_strdup (name)))
        continue;
      g_array_set_size (xattrs, xattrs->len + 1);
      xattr = &g_array_index (xattrs, Xattr, xattrs->len - 1);
      xattr->name = g_strdup (name);
      xattr->value = g_bytes_new (value, length);
    }

  if (xattrs->len > 0)
    {
      g_array_sort (xattrs, compare_names);
      *xattrs_out = to_variant (xattrs);
    }
  return TRUE;
}
