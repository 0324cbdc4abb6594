/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/docker-archive.h"

#include <string.h>

#include "image/layout.h"
#include "util/error.h"
#include "util/json.h"
#include "util/text.h"

#define LIST_FILE "manifest.json"
#define LAYER_TYPE "application/vnd.docker.image.rootfs.diff.tar"

#define ATM_TYPE_DOCKER_ARCHIVE (atm_docker_archive_get_type ())
G_DECLARE_FINAL_TYPE (AtmDockerArchive, atm_docker_archive, ATM, DOCKER_ARCHIVE, GObject)

/* Immutable once made. */
struct _AtmDockerArchive
{
  GObject parent;

  char *what;              /* (owned): the canonical name of the image */
  AtmArchiveFile *archive; /* (owned) */
  GBytes *manifest;        /* (owned): the one that we made */
  AtmDigest manifest_digest;
  GBytes *config; /* (owned) */
  AtmDigest config_digest;
  GArray *diff_ids; /* (owned) (element-type AtmDigest): base first … */
  GArray *layers;   /* (owned) (element-type AtmArchiveRange): … and where they are */
};

static void docker_archive_source_init (AtmSourceInterface *iface);

G_DEFINE_TYPE_WITH_CODE (AtmDockerArchive, atm_docker_archive, G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (ATM_TYPE_SOURCE, docker_archive_source_init))

static gboolean
docker_archive_get_manifest (AtmSource *source, const AtmDigest *digest, GBytes **bytes_out,
                             char **content_type_out, GCancellable *cancellable, GError **error)
{
  AtmDockerArchive *self = ATM_DOCKER_ARCHIVE (source);

  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  if (digest != NULL && !atm_digest_equal (digest, &self->manifest_digest))
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_NOT_FOUND,
                      "%s: the archive has no other manifest", self->what);
  *bytes_out = g_bytes_ref (self->manifest);
  *content_type_out = g_strdup (ATM_TYPE_DOCKER_MANIFEST);
  return TRUE;
}

static gboolean
docker_archive_open_blob (AtmSource *source, const AtmDescriptor *descriptor,
                          GInputStream **stream_out, GCancellable *cancellable, GError **error)
{
  AtmDockerArchive *self = ATM_DOCKER_ARCHIVE (source);
  g_autofree char *name = NULL;

  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  if (atm_digest_equal (&descriptor->digest, &self->config_digest))
    {
      *stream_out = g_memory_input_stream_new_from_bytes (self->config);
      return TRUE;
    }
  for (guint i = 0; i < self->diff_ids->len; i++)
    if (atm_digest_equal (&descriptor->digest, &g_array_index (self->diff_ids, AtmDigest, i)))
      {
        *stream_out = atm_archive_file_open_range (
            self->archive, &g_array_index (self->layers, AtmArchiveRange, i));
        return TRUE;
      }
  name = atm_digest_to_string (&descriptor->digest);
  return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_NOT_FOUND,
                    "%s: the archive has no layer %s", self->what, name);
}

static void
docker_archive_source_init (AtmSourceInterface *iface)
{
  iface->get_manifest = docker_archive_get_manifest;
  iface->open_blob = docker_archive_open_blob;
}

static void
docker_archive_finalize (GObject *object)
{
  AtmDockerArchive *self = ATM_DOCKER_ARCHIVE (object);

  g_free (self->what);
  atm_archive_file_unref (self->archive);
  g_clear_pointer (&self->manifest, g_bytes_unref);
  g_clear_pointer (&self->config, g_bytes_unref);
  g_clear_pointer (&self->diff_ids, g_array_unref);
  g_clear_pointer (&self->layers, g_array_unref);
  G_OBJECT_CLASS (atm_docker_archive_parent_class)->finalize (object);
}

static void
atm_docker_archive_class_init (AtmDockerArchiveClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = docker_archive_finalize;
}

static void
atm_docker_archive_init (AtmDockerArchive *self)
{
  self->diff_ids = g_array_new (FALSE, FALSE, sizeof (AtmDigest));
  self->layers = g_array_new (FALSE, FALSE, sizeof (AtmArchiveRange));
}

/* ---- reading ---- */

/* Of the configuration only what the manifest is made from; the rest is read once trust has been
   asked, as with every source. */
static gboolean
read_diff_ids (AtmDockerArchive *self, GError **error)
{
  static const AtmJsonField outer[] = { { "rootfs", ATM_JSON_OBJECT, 0, ATM_JSON_MANDATORY } };
  static const AtmJsonField inner[]
      = { { "diff_ids", ATM_JSON_STRING_ARRAY, 0, ATM_JSON_NULLABLE } };
  g_autoptr (JsonObject) object = NULL, rootfs = NULL;
  g_auto (GStrv) texts = NULL;

  if (!atm_json_parse_object (self->config, &object, error)
      || !atm_json_read (object, outer, G_N_ELEMENTS (outer), ATM_JSON_ALLOW_UNKNOWN, "", &rootfs,
                         error)
      || !atm_json_read (rootfs, inner, G_N_ELEMENTS (inner), ATM_JSON_ALLOW_UNKNOWN, "rootfs",
                         &texts, error))
    return FALSE;
  for (guint i = 0; texts != NULL && texts[i] != NULL; i++)
    {
      AtmDigest digest;

      if (!atm_digest_parse (texts[i], &digest, error))
        return atm_prefix_error (error, "rootfs.diff_ids[%u]", i);
      g_array_append_val (self->diff_ids, digest);
    }
  return TRUE;
}

static gboolean
find_layers (AtmDockerArchive *self, const AtmDockerArchiveImage *image, GCancellable *cancellable,
             GError **error)
{
  guint count = image->layers != NULL ? g_strv_length (image->layers) : 0;

  if (count > ATM_LAYERS_MAX)
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL,
                      LIST_FILE ": %u layers, more than %d", count, ATM_LAYERS_MAX);
  if (count != self->diff_ids->len)
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL,
                      LIST_FILE " lists %u layers, but the configuration has %u diff IDs", count,
                      self->diff_ids->len);
  for (guint i = 0; i < count; i++)
    {
      AtmArchiveRange range;

      if (!atm_archive_file_find (self->archive, image->layers[i], &range, error)
          || !atm_archive_file_expand (self->archive, &range, cancellable, error))
        return atm_prefix_error (error, "layer %u", i + 1);
      g_array_append_val (self->layers, range);
    }
  return TRUE;
}

static void
add_descriptor (JsonBuilder *builder, const char *type, const AtmDigest *digest, guint64 size_bytes)
{
  g_autofree char *text = atm_digest_to_string (digest);

  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "mediaType");
  json_builder_add_string_value (builder, type);
  json_builder_set_member_name (builder, "size");
  json_builder_add_int_value (builder, (gint64) size_bytes);
  json_builder_set_member_name (builder, "digest");
  json_builder_add_string_value (builder, text);
  json_builder_end_object (builder);
}

static void
make_manifest (AtmDockerArchive *self)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  g_autoptr (JsonNode) root = NULL;
  char *text = NULL;

  atm_digest_of (ATM_HASH_SHA256, self->config, &self->config_digest);
  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "schemaVersion");
  json_builder_add_int_value (builder, 2);
  json_builder_set_member_name (builder, "mediaType");
  json_builder_add_string_value (builder, ATM_TYPE_DOCKER_MANIFEST);
  json_builder_set_member_name (builder, "config");
  add_descriptor (builder, ATM_TYPE_DOCKER_CONFIG, &self->config_digest,
                  g_bytes_get_size (self->config));
  json_builder_set_member_name (builder, "layers");
  json_builder_begin_array (builder);
  for (guint i = 0; i < self->layers->len; i++)
    add_descriptor (builder, LAYER_TYPE, &g_array_index (self->diff_ids, AtmDigest, i),
                    g_array_index (self->layers, AtmArchiveRange, i).size_bytes);
  json_builder_end_array (builder);
  json_builder_end_object (builder);
  root = json_builder_get_root (builder);
  text = atm_json_to_text (root, FALSE);
  self->manifest = g_bytes_new_take (text, strlen (text));
  atm_digest_of (ATM_HASH_SHA256, self->manifest, &self->manifest_digest);
}

static gboolean
has_file (AtmArchiveFile *archive, const char *name)
{
  AtmArchiveRange range;

  return atm_archive_file_find (archive, name, &range, NULL);
}

/* @list_out: %NULL: the archive has only an OCI layout. */
static gboolean
read_list (AtmArchiveFile *archive, GBytes **list_out, GError **error)
{
  g_autoptr (GError) local = NULL;

  if (atm_archive_file_read (archive, LIST_FILE, ATM_DOCKER_ARCHIVE_LIST_MAX_BYTES, list_out,
                             &local))
    return TRUE;
  if (!g_error_matches (local, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_NOT_FOUND))
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  if (has_file (archive, "oci-layout") && has_file (archive, "index.json"))
    return TRUE;
  if (has_file (archive, "repositories"))
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL,
                      "The archive is of a Docker before 1.10, which is too old; load the image "
                      "into a newer one and save it again");
  return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_NOT_FOUND,
                    "It is no Docker archive: it has no file “" LIST_FILE "”");
}

static gboolean
load (AtmDockerArchive *self, GBytes *list, const char *which, GCancellable *cancellable,
      GError **error)
{
  g_autoptr (AtmDockerArchiveImage) image = NULL;

  if (!atm_docker_archive_choose (list, which, &image, error)
      || !atm_archive_file_read (self->archive, image->config, ATM_CONFIG_MAX_BYTES, &self->config,
                                 error))
    return FALSE;
  if (!read_diff_ids (self, error))
    {
      g_autofree char *shown = atm_text_escape (image->config);

      return atm_prefix_error (error, "the configuration %s", shown);
    }
  if (!find_layers (self, image, cancellable, error))
    return FALSE;
  make_manifest (self);
  return TRUE;
}

gboolean
atm_docker_archive_new (const char *what, AtmArchiveFile *archive, const char *which,
                        AtmSource **source_out, GCancellable *cancellable, GError **error)
{
  g_autoptr (AtmDockerArchive) self = g_object_new (ATM_TYPE_DOCKER_ARCHIVE, NULL);
  g_autoptr (GBytes) list = NULL;

  self->what = g_strdup (what);
  self->archive = atm_archive_file_ref (archive);
  if (!read_list (archive, &list, error))
    return atm_prefix_error (error, "%s", what);
  if (list == NULL)
    return atm_layout_new_in_archive (what, archive, which, source_out, error);
  if (!load (self, list, which, cancellable, error))
    return atm_prefix_error (error, "%s", what);
  *source_out = ATM_SOURCE (g_steal_pointer (&self));
  return TRUE;
}

static gboolean
open_archive (const AtmOrigin *origin, const char *what, const char *temporary_dir,
              AtmArchiveFile **archive_out, GCancellable *cancellable, GError **error)
{
  if (origin->archive != NULL)
    *archive_out = atm_archive_file_ref (origin->archive);
  else if (!atm_archive_file_open (origin->path, temporary_dir, archive_out, cancellable, error))
    return atm_prefix_error (error, "%s", what);
  return TRUE;
}

gboolean
atm_docker_archive_open (const AtmOrigin *origin, const char *temporary_dir, AtmSource **source_out,
                         GCancellable *cancellable, GError **error)
{
  g_autofree char *what = atm_origin_to_string (origin);
  g_autoptr (AtmArchiveFile) archive = NULL;

  g_return_val_if_fail (origin->transport == ATM_TRANSPORT_DOCKER_ARCHIVE, FALSE);
  return open_archive (origin, what, temporary_dir, &archive, cancellable, error)
         && atm_docker_archive_new (what, archive, origin->which, source_out, cancellable, error);
}

gboolean
atm_docker_archive_learn_name (AtmOrigin *origin, const char *temporary_dir,
                               GCancellable *cancellable, GError **error)
{
  g_autofree char *what = atm_origin_to_string (origin);
  g_autoptr (AtmArchiveFile) archive = NULL;
  g_autoptr (AtmDockerArchiveImage) image = NULL;
  g_autoptr (AtmImageName) name = NULL;
  g_autoptr (GBytes) list = NULL;

  g_return_val_if_fail (origin->transport == ATM_TRANSPORT_DOCKER_ARCHIVE, FALSE);
  if (!open_archive (origin, what, temporary_dir, &archive, cancellable, error))
    return FALSE;
  if (!read_list (archive, &list, error)
      || (list != NULL && !atm_docker_archive_choose (list, origin->which, &image, error)))
    return atm_prefix_error (error, "%s", what);
  if (list == NULL)
    origin->notice = NULL; /* a layout has a manifest of its own */
  if (image != NULL && image->tags != NULL && image->tags[0] != NULL
      && (origin->which == NULL || origin->which[0] == '@'))
    {
      if (!atm_name_parse (image->tags[0], TRUE, &name, error))
        return atm_prefix_error (error, "%s: the archive names the image", what);
      atm_name_free (origin->name);
      origin->name = g_steal_pointer (&name);
    }
  if (origin->archive == NULL)
    origin->archive = g_steal_pointer (&archive);
  return TRUE;
}
