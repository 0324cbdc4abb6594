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

/* %NULL in @blob_out is the end. */
static gboolean
read_signature (int dir_fd, const char *name, const char *what, guint number, GBytes **blob_out,
                GError **error)
{
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
    {
      g_autofree char *folder = g_path_get_dirname (what);

      return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_LIMIT_EXCEEDED,
                        "%s holds more than %d signatures; keep those that are needed", folder,
                        ATM_SIGNATURES_MAX);
    }
  *blob_out = g_steal_pointer (&blob);
  return TRUE;
}

/* A folder of signatures. */
typedef struct
{
  int fd;           /* (borrowed): -1: there is none */
  const char *path; /* (borrowed) */
  const char *url;  /* (borrowed): how a trace names it */
  AtmTrace *trace;  /* (borrowed) (nullable) */
} Folder;

static gboolean
read_signatures (const Folder *folder, const char *prefix, GPtrArray *blobs,
                 GCancellable *cancellable, GError **error)
{
  for (guint number = 1;; number++)
    {
      g_autofree char *name = g_strdup_printf ("%ssignature-%u", prefix, number);
      g_autofree char *what = g_strconcat (folder->path, "/", name, NULL);
      g_autofree char *url = g_strconcat (folder->url, "/", name, NULL);
      g_autoptr (GError) local = NULL;
      GBytes *blob = NULL;

      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return FALSE;
      if (folder->fd >= 0)
        (void) read_signature (folder->fd, name, what, number, &blob, &local);
      atm_trace_add_place (folder->trace, url, blob != NULL, local);
      if (local != NULL)
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
      if (blob == NULL)
        return TRUE;
      g_ptr_array_add (blobs, blob);
    }
}

static gboolean
read_folder (const char *base, const char *relative, const char *url, AtmTrace *trace,
             GPtrArray *blobs, GCancellable *cancellable, GError **error)
{
  g_autofree char *path = g_strconcat (base, "/", relative, NULL);
  g_autoptr (GError) local = NULL;
  atm_autofd int dir_fd = -1;
  Folder folder = { -1, path, url, trace };

  if (!open_folder (base, relative, &dir_fd, &local))
    {
      atm_trace_add_place (trace, url, 0, local);
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  folder.fd = dir_fd;
  return read_signatures (&folder, "", blobs, cancellable, error);
}

gboolean
atm_lookaside_read (const char *base_url, const char *path, const AtmDigest *digest,
                    const AtmLookasideWeb *web, AtmTrace *trace, GPtrArray **blobs_out,
                    GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) blobs = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  g_autofree char *digest_text = atm_digest_to_string (digest);
  g_autofree char *relative = NULL, *folder = NULL;
  g_autoptr (GUri) uri = g_uri_parse (base_url, G_URI_FLAGS_NONE, error);

  if (uri == NULL)
    return atm_refusal_convert (error, ATM_TRUST_ERROR_LOOKASIDE_ERROR);
  *strchr (digest_text, ':') = '=';
  relative = g_strdup_printf ("%s@%s", path, digest_text);
  folder = g_strconcat (base_url, "/", relative, NULL);
  if (g_str_equal (g_uri_get_scheme (uri), "file")
          ? !read_folder (g_uri_get_path (uri), relative, folder, trace, blobs, cancellable, error)
          : !atm_lookaside_web_read (folder, web, trace, blobs, cancellable, error))
    return FALSE;
  *blobs_out = g_steal_pointer (&blobs);
  return TRUE;
}

gboolean
atm_lookaside_read_dir (const char *folder, const AtmDigest *digest, AtmTrace *trace,
                        GPtrArray **blobs_out, GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) blobs = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  g_autofree char *prefix = g_strconcat (digest->hex, ".", NULL);
  atm_autofd int dir_fd = open (folder, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  const Folder signatures = { dir_fd, folder, folder, trace };

  if (dir_fd < 0)
    return throw_lookaside (error, folder, g_strerror (errno));
  if (!read_signatures (&signatures, prefix, blobs, cancellable, error)
      || (blobs->len == 0 && !read_signatures (&signatures, "", blobs, cancellable, error)))
    return FALSE;
  *blobs_out = g_steal_pointer (&blobs);
  return TRUE;
}
