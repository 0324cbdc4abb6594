/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gunixinputstream.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "image/layout-index.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/json.h"
#include "util/text.h"

#define LAYOUT_FILE "oci-layout"
#define LAYOUT_FILE_MAX_BYTES 4096
#define INDEX_FILE "index.json"

#define ATM_TYPE_LAYOUT (atm_layout_get_type ())
G_DECLARE_FINAL_TYPE (AtmLayout, atm_layout, ATM, LAYOUT, GObject)

struct _AtmLayout
{
  GObject parent;

  char *what;           /* (owned): the canonical name of the image */
  int dir_fd;           /* (owned) */
  AtmDescriptor *image; /* (owned): the entry of index.json that was asked for */
};

static void layout_source_init (AtmSourceInterface *iface);

G_DEFINE_TYPE_WITH_CODE (AtmLayout, atm_layout, G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (ATM_TYPE_SOURCE, layout_source_init))

/* blobs/ALGORITHM/HEX, one component at a time: whoever wrote the layout may have put links into
   it that lead elsewhere. */
static gboolean
open_blob_file (AtmLayout *self, const AtmDigest *digest, int *fd_out, guint64 *size_out,
                GError **error)
{
  g_autofree char *name = atm_digest_to_string (digest);
  g_autofree char *algorithm = g_strndup (name, strcspn (name, ":"));
  const char *const folders[] = { "blobs", algorithm };
  atm_autofd int folder_fd = dup (self->dir_fd);
  atm_autofd int fd = -1;
  struct stat st;

  for (guint i = 0; folder_fd >= 0 && i < G_N_ELEMENTS (folders); i++)
    {
      int next = openat (folder_fd, folders[i], O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

      atm_fd_clear (&folder_fd);
      folder_fd = next;
    }
  if (folder_fd >= 0)
    fd = openat (folder_fd, digest->hex, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0 && errno == ENOENT)
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_NOT_FOUND,
                      "%s: the layout has no blob %s; copy the whole image into it", self->what,
                      name);
  if (fd < 0)
    return atm_throw_errno (error, "%s: opening the blob %s", self->what, name);
  if (fstat (fd, &st) < 0)
    return atm_throw_errno (error, "%s: looking at the blob %s", self->what, name);
  if (!S_ISREG (st.st_mode))
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL,
                      "%s: the blob %s is not a regular file", self->what, name);

  *fd_out = g_steal_fd (&fd);
  *size_out = (guint64) st.st_size;
  return TRUE;
}

static gboolean
layout_get_manifest (AtmSource *source, const AtmDigest *digest, GBytes **bytes_out,
                     char **content_type_out, GCancellable *cancellable, GError **error)
{
  AtmLayout *self = ATM_LAYOUT (source);
  const AtmDigest *which = digest != NULL ? digest : &self->image->digest;
  g_autoptr (GBytes) bytes = NULL;
  atm_autofd int fd = -1;
  guint64 size = 0;

  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  if (!open_blob_file (self, which, &fd, &size, error))
    return FALSE;
  if (!atm_read_all (fd, ATM_MANIFEST_MAX_BYTES, &bytes, error))
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
  atm_autofd int fd = -1;
  guint64 size = 0;

  if (g_cancellable_set_error_if_cancelled (cancellable, error)
      || !open_blob_file (self, &descriptor->digest, &fd, &size, error))
    return FALSE;
  if (size != descriptor->size_bytes)
    {
      g_autofree char *name = atm_digest_to_string (&descriptor->digest);

      return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE,
                        "%s: the blob %s has %" G_GUINT64_FORMAT
                        " bytes, but the manifest says %" G_GUINT64_FORMAT,
                        self->what, name, size, descriptor->size_bytes);
    }
  *stream_out = g_unix_input_stream_new (g_steal_fd (&fd), TRUE);
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

  if (!atm_read_file_at (self->dir_fd, LAYOUT_FILE, FALSE, LAYOUT_FILE_MAX_BYTES, &bytes, &local))
    {
      if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
        return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_NOT_FOUND,
                          "%s: the folder is no OCI layout: it has no file “" LAYOUT_FILE "”",
                          self->what);
      g_propagate_error (error, g_steal_pointer (&local));
      return atm_prefix_error (error, "%s", self->what);
    }
  if (!atm_layout_check_version (bytes, error))
    return atm_prefix_error (error, "%s: " LAYOUT_FILE, self->what);
  return TRUE;
}

gboolean
atm_layout_open (const AtmOrigin *origin, AtmSource **source_out, GError **error)
{
  g_autoptr (AtmLayout) self = g_object_new (ATM_TYPE_LAYOUT, NULL);
  g_autoptr (GBytes) index = NULL;

  g_return_val_if_fail (origin->transport == ATM_TRANSPORT_OCI, FALSE);
  self->what = atm_origin_to_string (origin);
  if (!atm_open_dir_at (AT_FDCWD, origin->path, &self->dir_fd, error))
    return atm_prefix_error (error, "%s", self->what);
  if (!check_version (self, error))
    return FALSE;
  if (!atm_read_file_at (self->dir_fd, INDEX_FILE, FALSE, ATM_LAYOUT_INDEX_MAX_BYTES, &index, error)
      || !atm_layout_index_choose (index, origin->layout_tag, &self->image, error))
    return atm_prefix_error (error, "%s", self->what);

  *source_out = ATM_SOURCE (g_steal_pointer (&self));
  return TRUE;
}
