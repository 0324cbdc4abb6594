/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/layout.h"

#include <fcntl.h>
#include <string.h>

#include "image/folder.h"
#include "image/layout-index.h"
#include "util/error.h"
#include "util/fd.h"

#define LAYOUT_FILE "oci-layout"
#define LAYOUT_FILE_MAX_BYTES 4096
#define INDEX_FILE "index.json"

#define ATM_TYPE_LAYOUT (atm_layout_get_type ())
G_DECLARE_FINAL_TYPE (AtmLayout, atm_layout, ATM, LAYOUT, GObject)

struct _AtmLayout
{
  GObject parent;

  char *what;              /* (owned): the canonical name of the image */
  int dir_fd;              /* (owned): -1 with @archive */
  AtmArchiveFile *archive; /* (owned) (nullable) */
  AtmDescriptor *image;    /* (owned): the entry of index.json that was asked for */
};

static void layout_source_init (AtmSourceInterface *iface);

G_DEFINE_TYPE_WITH_CODE (AtmLayout, atm_layout, G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (ATM_TYPE_SOURCE, layout_source_init))

static gboolean
open_file (AtmLayout *self, const char *path, GInputStream **stream_out, guint64 *size_bytes_out,
           GError **error)
{
  AtmArchiveRange range;

  if (self->archive == NULL)
    return atm_folder_open_file (self->dir_fd, path, stream_out, size_bytes_out, error);
  if (!atm_archive_file_find (self->archive, path, &range, error))
    return FALSE;
  *stream_out = atm_archive_file_open_range (self->archive, &range);
  *size_bytes_out = range.size_bytes;
  return TRUE;
}

static gboolean
read_file (AtmLayout *self, const char *path, gsize max_bytes, GBytes **bytes_out, GError **error)
{
  g_autoptr (GInputStream) stream = NULL;
  guint64 size_bytes = 0;

  if (!open_file (self, path, &stream, &size_bytes, error))
    return FALSE;
  if (!atm_read_stream (stream, max_bytes, bytes_out, NULL, error))
    return atm_prefix_error (error, "%s", path);
  return TRUE;
}

static gboolean
open_blob_file (AtmLayout *self, const AtmDigest *digest, GInputStream **stream_out,
                guint64 *size_bytes_out, GError **error)
{
  g_autofree char *name = atm_digest_to_string (digest);
  g_autofree char *algorithm = g_strndup (name, strcspn (name, ":"));
  g_autofree char *path = g_strconcat ("blobs/", algorithm, "/", digest->hex, NULL);
  g_autoptr (GError) local = NULL;

  if (open_file (self, path, stream_out, size_bytes_out, &local))
    return TRUE;
  if (g_error_matches (local, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_NOT_FOUND))
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_NOT_FOUND,
                      "%s: the layout has no blob %s; copy the whole image into it", self->what,
                      name);
  g_propagate_error (error, g_steal_pointer (&local));
  return atm_prefix_error (error, "%s: the blob %s", self->what, name);
}

static gboolean
layout_get_manifest (AtmSource *source, const AtmDigest *digest, GBytes **bytes_out,
                     char **content_type_out, GCancellable *cancellable, GError **error)
{
  AtmLayout *self = ATM_LAYOUT (source);
  const AtmDigest *which = digest != NULL ? digest : &self->image->digest;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GInputStream) stream = NULL;
  guint64 size = 0;

  if (!open_blob_file (self, which, &stream, &size, error))
    return FALSE;
  if (!atm_read_stream (stream, ATM_MANIFEST_MAX_BYTES, &bytes, cancellable, error))
    return atm_prefix_error (error, "%s: the manifest", self->what);
  if (digest == NULL && g_bytes_get_size (bytes) != self->image->size_bytes)
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE,
                      "%s: the manifest has %" G_GSIZE_FORMAT
                      " bytes, but index.json says %" G_GUINT64_FORMAT,
                      self->what, g_bytes_get_size (bytes), self->image->size_bytes);
  if (!atm_digest_check (which, bytes, "the manifest", error))
    return atm_prefix_error (error, "%s", self->what);

  *bytes_out = g_steal_pointer (&bytes);
  *content_type_out = digest == NULL ? g_strdup (self->image->media_type) : NULL;
  return TRUE;
}

static gboolean
layout_open_blob (AtmSource *source, const AtmDescriptor *descriptor, GInputStream **stream_out,
                  GCancellable *cancellable, GError **error)
{
  AtmLayout *self = ATM_LAYOUT (source);
  g_autoptr (GInputStream) stream = NULL;
  guint64 size = 0;

  if (g_cancellable_set_error_if_cancelled (cancellable, error)
      || !open_blob_file (self, &descriptor->digest, &stream, &size, error))
    return FALSE;
  if (size != descriptor->size_bytes)
    {
      g_autofree char *name = atm_digest_to_string (&descriptor->digest);

      return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE,
                        "%s: the blob %s has %" G_GUINT64_FORMAT
                        " bytes, but the manifest says %" G_GUINT64_FORMAT,
                        self->what, name, size, descriptor->size_bytes);
    }
  *stream_out = g_steal_pointer (&stream);
  return TRUE;
}

static void
layout_source_init (AtmSourceInterface *iface)
{
  iface->get_manifest = layout_get_manifest;
  iface->open_blob = layout_open_blob;
}

static void
layout_finalize (GObject *object)
{
  AtmLayout *self = ATM_LAYOUT (object);

  g_free (self->what);
  atm_fd_clear (&self->dir_fd);
  atm_archive_file_unref (self->archive);
  atm_descriptor_free (self->image);
  G_OBJECT_CLASS (atm_layout_parent_class)->finalize (object);
}

static void
atm_layout_class_init (AtmLayoutClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = layout_finalize;
}

static void
atm_layout_init (AtmLayout *self)
{
  self->dir_fd = -1;
}

static gboolean
check_version (AtmLayout *self, GError **error)
{
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) local = NULL;

  if (!read_file (self, LAYOUT_FILE, LAYOUT_FILE_MAX_BYTES, &bytes, &local))
    {
      if (g_error_matches (local, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_NOT_FOUND))
        return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_NOT_FOUND,
                          "It is no OCI layout: it has no file “" LAYOUT_FILE "”");
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  if (!atm_layout_check_version (bytes, error))
    return atm_prefix_error (error, LAYOUT_FILE);
  return TRUE;
}

static gboolean
choose_image (AtmLayout *self, const char *which, GError **error)
{
  g_autoptr (GBytes) index = NULL;

  if (!check_version (self, error)
      || !read_file (self, INDEX_FILE, ATM_LAYOUT_INDEX_MAX_BYTES, &index, error)
      || !atm_layout_index_choose (index, which, &self->image, error))
    return atm_prefix_error (error, "%s", self->what);
  return TRUE;
}

gboolean
atm_layout_open (const AtmOrigin *origin, AtmSource **source_out, GError **error)
{
  g_autoptr (AtmLayout) self = g_object_new (ATM_TYPE_LAYOUT, NULL);

  g_return_val_if_fail (origin->transport == ATM_TRANSPORT_OCI, FALSE);
  self->what = atm_origin_to_string (origin);
  if (!atm_open_dir_at (AT_FDCWD, origin->path, &self->dir_fd, error))
    return atm_prefix_error (error, "%s", self->what);
  if (!choose_image (self, origin->which, error))
    return FALSE;
  *source_out = ATM_SOURCE (g_steal_pointer (&self));
  return TRUE;
}

gboolean
atm_layout_new_in_archive (const char *what, AtmArchiveFile *archive, const char *which,
                           AtmSource **source_out, GError **error)
{
  g_autoptr (AtmLayout) self = g_object_new (ATM_TYPE_LAYOUT, NULL);

  self->what = g_strdup (what);
  self->archive = atm_archive_file_ref (archive);
  if (!choose_image (self, which, error))
    return FALSE;
  *source_out = ATM_SOURCE (g_steal_pointer (&self));
  return TRUE;
}

gboolean
atm_layout_open_archive (const AtmOrigin *origin, const char *temporary_dir, AtmSource **source_out,
                         GCancellable *cancellable, GError **error)
{
  g_autofree char *what = atm_origin_to_string (origin);
  g_autoptr (AtmArchiveFile) archive = NULL;

  g_return_val_if_fail (origin->transport == ATM_TRANSPORT_OCI_ARCHIVE, FALSE);
  if (!atm_archive_file_open (origin->path, temporary_dir, &archive, cancellable, error))
    return atm_prefix_error (error, "%s", what);
  return atm_layout_new_in_archive (what, archive, origin->which, source_out, error);
}
