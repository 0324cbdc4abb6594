/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/source.h"

#include "image/blob-stream.h"
#include "util/error.h"
#include "util/fd.h"

G_DEFINE_QUARK (atm_source_error, atm_source_error)
G_DEFINE_INTERFACE (AtmSource, atm_source, G_TYPE_OBJECT)

static void
atm_source_default_init (AtmSourceInterface *iface)
{
  (void) iface;
}

gboolean
atm_source_fetch_manifest (AtmSource *self, const AtmDescriptor *descriptor,
                           const AtmDigest *wanted, GBytes **bytes_out, char **content_type_out,
                           GCancellable *cancellable, GError **error)
{
  g_autoptr (GBytes) bytes = NULL;
  g_autofree char *content_type = NULL;

  if (descriptor != NULL && descriptor->size_bytes > ATM_MANIFEST_MAX_BYTES)
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE,
                      "The index announces a manifest of %" G_GUINT64_FORMAT " bytes, more than %d",
                      descriptor->size_bytes, ATM_MANIFEST_MAX_BYTES);
  if (!ATM_SOURCE_GET_IFACE (self)->get_manifest (self,
                                                  descriptor != NULL ? &descriptor->digest : NULL,
                                                  &bytes, &content_type, cancellable, error))
    return FALSE;

  if (g_bytes_get_size (bytes) > ATM_MANIFEST_MAX_BYTES)
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE,
                      "The manifest has %" G_GSIZE_FORMAT " bytes, more than %d",
                      g_bytes_get_size (bytes), ATM_MANIFEST_MAX_BYTES);
  if (descriptor != NULL && g_bytes_get_size (bytes) != descriptor->size_bytes)
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE,
                      "The manifest has %" G_GSIZE_FORMAT
                      " bytes, but the index says %" G_GUINT64_FORMAT,
                      g_bytes_get_size (bytes), descriptor->size_bytes);
  if (descriptor != NULL
      && !atm_digest_check (&descriptor->digest, bytes, "The manifest from the index", error))
    return FALSE;
  if (wanted != NULL && !atm_digest_check (wanted, bytes, "The manifest", error))
    return FALSE;

  *bytes_out = g_steal_pointer (&bytes);
  *content_type_out = g_steal_pointer (&content_type);
  return TRUE;
}

gboolean
atm_source_open_blob (AtmSource *self, const AtmDescriptor *descriptor, GInputStream **stream_out,
                      GCancellable *cancellable, GError **error)
{
  g_autoptr (GInputStream) raw = NULL;

  if (!ATM_SOURCE_GET_IFACE (self)->open_blob (self, descriptor, &raw, cancellable, error))
    return FALSE;
  *stream_out = atm_blob_stream_new (raw, descriptor);
  return TRUE;
}

gboolean
atm_source_fetch_blob (AtmSource *self, const AtmDescriptor *descriptor, gsize max_bytes,
                       GBytes **bytes_out, GCancellable *cancellable, GError **error)
{
  g_autoptr (GInputStream) stream = NULL;

  if (descriptor->size_bytes > max_bytes)
    {
      g_autofree char *digest = atm_digest_to_string (&descriptor->digest);

      return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE,
                        "The blob %s has %" G_GUINT64_FORMAT " bytes, more than %" G_GSIZE_FORMAT,
                        digest, descriptor->size_bytes, max_bytes);
    }
  if (descriptor->data != NULL)
    {
      *bytes_out = g_bytes_ref (descriptor->data);
      return TRUE;
    }
  return atm_source_open_blob (self, descriptor, &stream, cancellable, error)
         && atm_read_stream (stream, max_bytes, bytes_out, cancellable, error);
}

void
atm_blob_part_clear (AtmBlobPart *part)
{
  g_clear_pointer (&part->etag, g_free);
  g_clear_pointer (&part->endpoint, g_free);
  part->start_bytes = 0;
}

void
atm_source_signatures_clear (AtmSourceSignatures *signatures)
{
  g_clear_pointer (&signatures->name, atm_name_free);
  g_clear_pointer (&signatures->url, g_free);
  g_clear_pointer (&signatures->document, g_bytes_unref);
}
