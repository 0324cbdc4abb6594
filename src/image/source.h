/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "image/manifest.h"
#include "image/name.h"

/* Sources: where manifests and blobs come from. Nothing that a source returns is trusted or even
   checked; atm_source_fetch_manifest() and atm_source_open_blob() add the checks. */

#define ATM_TYPE_SOURCE (atm_source_get_type ())
G_DECLARE_INTERFACE (AtmSource, atm_source, ATM, SOURCE, GObject)

#define ATM_SOURCE_ERROR (atm_source_error_quark ())
GQuark atm_source_error_quark (void);

typedef enum
{
  ATM_SOURCE_ERROR_NOT_FOUND,   /* the source answers, and does not have it */
  ATM_SOURCE_ERROR_DENIED,      /* it has it, perhaps, but not for us */
  ATM_SOURCE_ERROR_UNREACHABLE, /* no answer, or one that says to come back later */
  ATM_SOURCE_ERROR_PROTOCOL,    /* an answer that makes no sense */
  ATM_SOURCE_ERROR_SIZE         /* more or fewer bytes than the descriptor says */
} AtmSourceError;

/* A blob that was fetched in part, perhaps by an earlier process (registry.md 3.8). */
typedef struct
{
  guint64 start_bytes; /* in: where to go on; out: where the stream begins, that or 0 */
  char *etag;          /* (owned) (nullable): strong, of the answer that the part came with */
  char *endpoint;      /* (owned) (nullable): HOST[:PORT] that gave @etag */
} AtmBlobPart;

void atm_blob_part_clear (AtmBlobPart *part);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AtmBlobPart, atm_blob_part_clear)

/* A larger document of signatures is not read. */
#define ATM_SOURCE_SIGNATURES_MAX_BYTES (4 * 1024 * 1024)

/* Where the signatures of an image are that a source has served: with the source itself, or in the
   lookaside storage (trust.md 12, 13). */
typedef struct
{
  AtmImageName *name; /* (owned): under which the image was served: that of a mirror, perhaps; the
                         lookaside storage is asked for it */
  char *url;          /* (owned) (nullable): of @document, harmless to print */
  GBytes *document;   /* (owned) (nullable): untrusted: what the source itself keeps, instead of
                         the lookaside storage; %NULL if that is not its business */
} AtmSourceSignatures;

void atm_source_signatures_clear (AtmSourceSignatures *signatures);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AtmSourceSignatures, atm_source_signatures_clear)

struct _AtmSourceInterface
{
  GTypeInterface parent;

  /* @digest %NULL: what the name of the source means now (tag or digest) */
  gboolean (*get_manifest) (AtmSource *self, const AtmDigest *digest, GBytes **bytes_out,
                            char **content_type_out, GCancellable *cancellable, GError **error);
  gboolean (*open_blob) (AtmSource *self, const AtmDescriptor *descriptor,
                         GInputStream **stream_out, GCancellable *cancellable, GError **error);

  /* (nullable): as open_blob, from part->start_bytes on where the source can; @part is (inout).
     A source that has it is remote: its blobs are worth keeping in part. */
  gboolean (*resume_blob) (AtmSource *self, const AtmDescriptor *descriptor, AtmBlobPart *part,
                           GInputStream **stream_out, GCancellable *cancellable, GError **error);

  /* (nullable): (transfer full): the same image for another thread, with what @self has learnt so
     far (endpoint, leave to read); to be called from the thread that uses @self */
  AtmSource *(*new_sibling) (AtmSource *self);

  /* (nullable): @signatures_out is (out caller-allocates) (transfer full); to be called when a
     manifest was served, with the digest of the one that is meant. @error: a document that is too
     large is %ATM_SOURCE_ERROR_SIZE; names the URL */
  gboolean (*get_signatures) (AtmSource *self, const AtmDigest *digest,
                              AtmSourceSignatures *signatures_out, GCancellable *cancellable,
                              GError **error);
};

/**
 * atm_source_fetch_manifest:
 * @descriptor: (nullable): which manifest, from an index: size and digest are checked; %NULL: what
 *   the name of the source means
 * @wanted: (nullable): a digest that the user asked for, checked too
 * @bytes_out: (out) (transfer full): the bytes as served, at most %ATM_MANIFEST_MAX_BYTES
 * @content_type_out: (out) (transfer full) (nullable): what the source calls them
 * @error: %ATM_SOURCE_ERROR, %ATM_DIGEST_ERROR, %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_source_fetch_manifest (AtmSource *self, const AtmDescriptor *descriptor,
                                    const AtmDigest *wanted, GBytes **bytes_out,
                                    char **content_type_out, GCancellable *cancellable,
                                    GError **error);

/**
 * atm_source_open_blob:
 * @stream_out: (out) (transfer full): the blob; a read that finds more or fewer bytes than
 *   @descriptor says fails with %ATM_SOURCE_ERROR_SIZE, and the read that would have returned the
 *   end of the stream fails with %ATM_DIGEST_ERROR_MISMATCH if the bytes do not hash to the digest.
 *   So whoever has seen the end has seen the blob.
 * @error: %ATM_SOURCE_ERROR, %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_source_open_blob (AtmSource *self, const AtmDescriptor *descriptor,
                               GInputStream **stream_out, GCancellable *cancellable,
                               GError **error);

/**
 * atm_source_fetch_blob:
 * @max_bytes: a descriptor that promises more is %ATM_SOURCE_ERROR_SIZE
 *
 * As atm_source_open_blob(), for a blob that fits into memory.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_source_fetch_blob (AtmSource *self, const AtmDescriptor *descriptor, gsize max_bytes,
                                GBytes **bytes_out, GCancellable *cancellable, GError **error);
