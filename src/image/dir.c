/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/dir.h"

#include <fcntl.h>
#include <string.h>

#include "image/folder.h"
#include "util/error.h"
#include "util/fd.h"

#define VERSION_FILE "version"
#define VERSION_MAX_BYTES 4096
#define VERSION_START "Directory Transport Version: 1."
#define MANIFEST_FILE "manifest.json"

#define ATM_TYPE_DIR (atm_dir_get_type ())
G_DECLARE_FINAL_TYPE (AtmDir, atm_dir, ATM, DIR, GObject)

struct _AtmDir
{
  GObject parent;

  char *what; /* (owned): the canonical name of the image */
  int dir_fd; /* (owned) */
};

static void dir_source_init (AtmSourceInterface *iface);

G_DEFINE_TYPE_WITH_CODE (AtmDir, atm_dir, G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (ATM_TYPE_SOURCE, dir_source_init))

static gboolean
read_file (AtmDir *self, const char *name, gsize max_bytes, GBytes **bytes_out,
           GCancellable *cancellable, GError **error)
{
  g_autoptr (GInputStream) stream = NULL;
  guint64 size_bytes = 0;

  if (!atm_folder_open_file (self->dir_fd, name, &stream, &size_bytes, error))
    return atm_prefix_error (error, "%s", self->what);
  if (!atm_read_stream (stream, max_bytes, bytes_out, cancellable, error))
    return atm_prefix_error (error, "%s: %s", self->what, name);
  return TRUE;
}

static gboolean
dir_get_manifest (AtmSource *source, const AtmDigest *digest, GBytes **bytes_out,
                  char **content_type_out, GCancellable *cancellable, GError **error)
{
  g_autofree char *name = digest != NULL ? g_strconcat (digest->hex, "." MANIFEST_FILE, NULL)
                                         : g_strdup (MANIFEST_FILE);

  if (!read_file (ATM_DIR (source), name, ATM_MANIFEST_MAX_BYTES, bytes_out, cancellable, error))
    return FALSE;
  *content_type_out = NULL;
  return TRUE;
}

static gboolean
dir_open_blob (AtmSource *source, const AtmDescriptor *descriptor, GInputStream **stream_out,
               GCancellable *cancellable, GError **error)
{
  AtmDir *self = ATM_DIR (source);
  guint64 size_bytes = 0;

  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  if (!atm_folder_open_file (self->dir_fd, descriptor->digest.hex, stream_out, &size_bytes, error))
    return atm_prefix_error (error, "%s", self->what);
  return TRUE;
}

static void
dir_source_init (AtmSourceInterface *iface)
{
  iface->get_manifest = dir_get_manifest;
  iface->open_blob = dir_open_blob;
}

static void
dir_finalize (GObject *object)
{
  AtmDir *self = ATM_DIR (object);

  g_free (self->what);
  atm_fd_clear (&self->dir_fd);
  G_OBJECT_CLASS (atm_dir_parent_class)->finalize (object);
}

static void
atm_dir_class_init (AtmDirClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = dir_finalize;
}

static void
atm_dir_init (AtmDir *self)
{
  self->dir_fd = -1;
}

gboolean
atm_dir_open (const AtmOrigin *origin, AtmSource **source_out, GError **error)
{
  g_autoptr (AtmDir) self = g_object_new (ATM_TYPE_DIR, NULL);
  g_autoptr (GBytes) bytes = NULL;
  const gsize length = strlen (VERSION_START);

  g_return_val_if_fail (origin->transport == ATM_TRANSPORT_DIR, FALSE);
  self->what = atm_origin_to_string (origin);
  if (!atm_open_dir_at (AT_FDCWD, origin->path, &self->dir_fd, error))
    return atm_prefix_error (error, "%s", self->what);
  if (!read_file (self, VERSION_FILE, VERSION_MAX_BYTES, &bytes, NULL, error))
    return FALSE;
  if (g_bytes_get_size (bytes) < length
      || memcmp (g_bytes_get_data (bytes, NULL), VERSION_START, length) != 0)
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL,
                      "%s: the file “" VERSION_FILE "” does not begin with “" VERSION_START
                      "”; it is no folder that skopeo wrote, or a newer one",
                      self->what);
  *source_out = ATM_SOURCE (g_steal_pointer (&self));
  return TRUE;
}
