/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/blob-stream.h"

#include <string.h>

#include "image/source.h"
#include "util/error.h"

/* Never is less asked of the base: libsoup 3.2 reads the end of a chunked body through the buffer
   of the caller, and a buffer of one byte makes it complain and fail without an error. */
#define READ_MIN_BYTES 512

/* No GFilterInputStream: that one hands a skip to its base, and skipped bytes would not be hashed.
 */
struct _AtmBlobStream
{
  GInputStream parent;

  GInputStream *base;        /* (owned) */
  AtmDescriptor *descriptor; /* (owned) */
  AtmHash *hash;             /* (owned) (nullable): NULL once the end was verified */
  guint64 seen_bytes;        /* and hashed */
  guint8 held[READ_MIN_BYTES];
  gsize held_start, held_end; /* what of @held is still to be given to the reader */
  GError *failure;            /* (owned) (nullable): what every further read says again */
};

G_DEFINE_TYPE (AtmBlobStream, atm_blob_stream, G_TYPE_INPUT_STREAM)

static gboolean
throw_size (AtmBlobStream *self, const char *verb, GError **error)
{
  g_autofree char *digest = atm_digest_to_string (&self->descriptor->digest);

  return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE,
                    "The blob %s %s %" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " bytes", digest,
                    verb, self->seen_bytes, self->descriptor->size_bytes);
}

static gboolean
verify (AtmBlobStream *self, GError **error)
{
  AtmDigest actual;
  g_autofree char *wanted_text = NULL, *actual_text = NULL;

  if (self->seen_bytes != self->descriptor->size_bytes)
    return throw_size (self, "ended after", error);
  atm_digest_take_hash (self->descriptor->digest.algorithm, g_steal_pointer (&self->hash), &actual);
  if (atm_digest_equal (&actual, &self->descriptor->digest))
    return TRUE;
  wanted_text = atm_digest_to_string (&self->descriptor->digest);
  actual_text = atm_digest_to_string (&actual);
  return atm_throw (error, ATM_DIGEST_ERROR, ATM_DIGEST_ERROR_MISMATCH,
                    "The blob %s does not match its digest: its bytes hash to %s", wanted_text,
                    actual_text);
}

/* Reads into a buffer of at least READ_MIN_BYTES, and checks. */
static gssize
read_base (AtmBlobStream *self, void *buffer, gsize count, GCancellable *cancellable,
           GError **error)
{
  guint64 left = self->descriptor->size_bytes - self->seen_bytes;
  /* More than is left, so that a longer blob is noticed, but not much more. */
  gsize wanted = (gsize) MIN ((guint64) count, left + READ_MIN_BYTES);
  gssize n = g_input_stream_read (self->base, buffer, wanted, cancellable, error);

  if (n < 0)
    {
      g_autofree char *digest = atm_digest_to_string (&self->descriptor->digest);

      if (g_error_matches (*error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return -1;
      /* libsoup says so when a connection ends before Content-Length. */
      if (!g_error_matches (*error, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT))
        return atm_prefix_error (error, "Reading the blob %s", digest) ? n : -1;
      g_clear_error (error);
      return throw_size (self, "was cut off after", error) ? n : -1;
    }
  if (n == 0)
    return verify (self, error) ? 0 : -1;
  if ((guint64) n > left)
    {
      self->seen_bytes = self->descriptor->size_bytes;
      return throw_size (self, "goes on after", error) ? n : -1;
    }
  self->seen_bytes += (guint64) n;
  atm_hash_update (self->hash, buffer, (gsize) n);
  return n;
}

static gssize
read_checked (AtmBlobStream *self, void *buffer, gsize count, GCancellable *cancellable,
              GError **error)
{
  gsize given = 0;

  if (self->held_start == self->held_end)
    {
      gssize n = 0;

      if (self->hash == NULL)
        return 0;
      if (count >= READ_MIN_BYTES)
        return read_base (self, buffer, count, cancellable, error);
      n = read_base (self, self->held, sizeof self->held, cancellable, error);
      if (n <= 0)
        return n;
      self->held_start = 0;
      self->held_end = (gsize) n;
    }
  given = MIN (count, self->held_end - self->held_start);
  memcpy (buffer, self->held + self->held_start, given);
  self->held_start += given;
  return (gssize) given;
}

static gssize
blob_stream_read (GInputStream *stream, void *buffer, gsize count, GCancellable *cancellable,
                  GError **error)
{
  AtmBlobStream *self = ATM_BLOB_STREAM (stream);
  g_autoptr (GError) local = NULL;
  gssize n = -1;

  if (self->failure == NULL)
    {
      n = read_checked (self, buffer, count, cancellable, &local);
      if (n >= 0)
        return n;
      self->failure = g_steal_pointer (&local);
    }
  g_propagate_error (error, g_error_copy (self->failure));
  return -1;
}

static gboolean
blob_stream_close (GInputStream *stream, GCancellable *cancellable, GError **error)
{
  return g_input_stream_close (ATM_BLOB_STREAM (stream)->base, cancellable, error);
}

static void
blob_stream_finalize (GObject *object)
{
  AtmBlobStream *self = ATM_BLOB_STREAM (object);

  g_clear_object (&self->base);
  atm_descriptor_free (self->descriptor);
  atm_hash_free (self->hash);
  g_clear_error (&self->failure);
  G_OBJECT_CLASS (atm_blob_stream_parent_class)->finalize (object);
}

static void
atm_blob_stream_class_init (AtmBlobStreamClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = blob_stream_finalize;
  G_INPUT_STREAM_CLASS (klass)->read_fn = blob_stream_read;
  G_INPUT_STREAM_CLASS (klass)->close_fn = blob_stream_close;
}

static void
atm_blob_stream_init (AtmBlobStream *self)
{
  (void) self;
}

GInputStream *
atm_blob_stream_new (GInputStream *base, const AtmDescriptor *descriptor)
{
  AtmBlobStream *self = g_object_new (ATM_TYPE_BLOB_STREAM, NULL);

  self->base = g_object_ref (base);
  self->descriptor = atm_descriptor_copy (descriptor);
  self->hash = atm_hash_new (descriptor->digest.algorithm);
  return G_INPUT_STREAM (self);
}
