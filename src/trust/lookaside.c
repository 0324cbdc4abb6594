/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/lookaside.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "trust/refusal.h"
#include "trust/signature.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/text.h"

/* ---- URLs ---- */

static const char *
check_uri (GUri *uri)
{
  const char *scheme = g_uri_get_scheme (uri);
  const char *host = g_uri_get_host (uri);
  gboolean has_host = host != NULL && *host != '\0';

  if (g_uri_get_userinfo (uri) != NULL || g_uri_get_query (uri) != NULL
      || g_uri_get_fragment (uri) != NULL)
    return "has a user, a query or a fragment";
  if (g_str_equal (scheme, "file"))
    {
      if (has_host && !g_str_equal (host, "localhost"))
        return "names a host, which a file: URL cannot reach";
      return *g_uri_get_path (uri) == '/' ? NULL : "is not absolute";
    }
  if (!g_str_equal (scheme, "http") && !g_str_equal (scheme, "https"))
    return "is neither file:, http: nor https:";
  return has_host ? NULL : "names no host";
}

gboolean
atm_lookaside_check_url (const char *url, char **url_out, GError **error)
{
  g_autoptr (GUri) uri = g_uri_parse (url, G_URI_FLAGS_NONE, NULL);
  const char *wrong
      = uri != NULL ? check_uri (uri) : "is no URL; for a folder write file:///FOLDER";
  gsize length = strlen (url);

  if (wrong != NULL)
    {
      g_autofree char *safe = atm_text_escape (url);

      return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_REGISTRIES_CONFIG, "“%s” %s", safe,
                        wrong);
    }
  while (length > 0 && url[length - 1] == '/')
    length--;
  *url_out = g_strndup (url, length);
  return TRUE;
}

/* ---- folders ---- */

static gboolean
throw_lookaside (GError **error, const char *what, const char *why)
{
  return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_LOOKASIDE_ERROR,
                    "The signatures in %s cannot be read: %s; nothing is decided without them",
                    what, why);
}

/* The folder of the image's signatures; -1 in @fd_out if there is none. */
static gboolean
open_folder (const char *base, const char *relative, int *fd_out, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (relative, "/", -1);
  atm_autofd int fd = open (base, O_PATH | O_DIRECTORY | O_CLOEXEC);

  for (char **part = parts; fd >= 0 && *part != NULL; part++)
    {
      int next = openat (fd, *part, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

      atm_fd_clear (&fd);
      fd = next;
    }
  if (fd < 0 && errno != ENOENT)
    {
      const char *why = g_strerror (errno);
      g_autofree char *what = g_strconcat (base, "/", relative, NULL);

      return throw_lookaside (error, what, why);
    }
  *fd_out = g_steal_fd (&fd);
  return TRUE;
}

static gboolean
read_signature (int dir_fd, const char *prefix, guint number, const char *folder, GBytes **blob_out,
                GError **error)
{
  g_autofree char *name = g_strdup_printf ("%ssignature-%u", prefix, number);
  g_autofree char *what = g_strconcat (folder, "/", name, NULL);
  g_autoptr (GError) local = NULL;
  g_autoptr (GBytes) blob = NULL;

  if (!atm_read_file_at (dir_fd, name, FALSE, ATM_SIGNATURE_MAX_BYTES, &blob, &local))
    {
      if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
        return TRUE;
      if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE))
        return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_LIMIT_EXCEEDED,
                          "%s has more than %d bytes, so it is no signature; remove it", what,
                          ATM_SIGNATURE_MAX_BYTES);
      return throw_lookaside (error, what, local->message);
    }
  if (number > ATM_SIGNATURES_MAX)
    return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_LIMIT_EXCEEDED,
                      "%s holds more than %d signatures; keep those that are needed", folder,
                      ATM_SIGNATURES_MAX);
  *blob_out = g_steal_pointer (&blob);
  return TRUE;
}

static gboolean
read_signatures (int dir_fd, const char *prefix, const char *folder, GPtrArray *blobs,
                 GCancellable *cancellable, GError **error)
{
  for (guint number = 1;; number++)
    {
      GBytes *blob = NULL;

      if (g_cancellable_set_error_if_cancelled (cancellable, error)
          || !read_signature (dir_fd, prefix, number, folder, &blob, error))
        return FALSE;
      if (blob == NULL)
        return TRUE;
      g_ptr_array_add (blobs, blob);
    }
}

static gboolean
read_folder (const char *base, const char *relative, GPtrArray *blobs, GCancellable *cancellable,
             GError **error)
{
  g_autofree char *folder = g_strconcat (base, "/", relative, NULL);
  atm_autofd int dir_fd = -1;

  if (!open_folder (base, relative, &dir_fd, error))
    return FALSE;
  return dir_fd < 0 || read_signatures (dir_fd, "", folder, blobs, cancellable, error);
}

gboolean
atm_lookaside_read (const char *base_url, const char *path, const AtmDigest *digest,
                    const AtmLookasideWeb *web, GPtrArray **blobs_out, GCancellable *cancellable,
                    GError **error)
{
  g_autoptr (GPtrArray) blobs = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  g_autofree char *digest_text = atm_digest_to_string (digest);
  g_autofree char *relative = NULL;
  g_autoptr (GUri) uri = g_uri_parse (base_url, G_URI_FLAGS_NONE, error);

  if (uri == NULL)
    return atm_refusal_convert (error, ATM_TRUST_ERROR_LOOKASIDE_ERROR);
  *strchr (digest_text, ':') = '=';
  relative = g_strdup_printf ("%s@%s", path, digest_text);
  if (g_str_equal (g_uri_get_scheme (uri), "file"))
    {
      if (!read_folder (g_uri_get_path (uri), relative, blobs, cancellable, error))
        return FALSE;
    }
  else
    {
      g_autofree char *folder = g_strconcat (base_url, "/", relative, NULL);

      if (!atm_lookaside_web_read (folder, web, blobs, cancellable, error))
        return FALSE;
    }
  *blobs_out = g_steal_pointer (&blobs);
  return TRUE;
}

gboolean
atm_lookaside_read_dir (const char *folder, const AtmDigest *digest, GPtrArray **blobs_out,
                        GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) blobs = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  g_autofree char *prefix = g_strconcat (digest->hex, ".", NULL);
  atm_autofd int dir_fd = open (folder, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

  if (dir_fd < 0)
    return throw_lookaside (error, folder, g_strerror (errno));
  if (!read_signatures (dir_fd, prefix, folder, blobs, cancellable, error)
      || (blobs->len == 0 && !read_signatures (dir_fd, "", folder, blobs, cancellable, error)))
    return FALSE;
  *blobs_out = g_steal_pointer (&blobs);
  return TRUE;
}
