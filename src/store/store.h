/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "image/config.h"
#include "image/manifest.h"
#include "trust/verdict.h"

/* The store: layers and images in an OSTree repository (store.md; system-image.md 9). */

#define ATM_STORE_ERROR (atm_store_error_quark ())
GQuark atm_store_error_quark (void);

typedef enum
{
  ATM_STORE_ERROR_NOT_FOUND,   /* no such image */
  ATM_STORE_ERROR_LAYER,       /* a layer that is damaged, hostile or not what the config says */
  ATM_STORE_ERROR_UNSUPPORTED, /* a layer that cannot be stored (compression, name) */
  ATM_STORE_ERROR_SITE /* what another repository serves is not the image that was asked for */
} AtmStoreError;

/* An open repository. Not for several threads at once. */
typedef struct _AtmStore AtmStore;

/**
 * atm_store_open:
 * @path: absolute path of the repository
 * @create: make it (mode bare, keys of store.md 7) if it is not there; else that is
 *   %G_IO_ERROR_NOT_FOUND
 * @store_out: (out) (transfer full): the repository
 * @error: %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_store_open (const char *path, gboolean create, AtmStore **store_out,
                         GCancellable *cancellable, GError **error);
void atm_store_free (AtmStore *store);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmStore, atm_store_free)

/**
 * atm_store_set_layer_limits:
 * @layer_max_bytes: of one layer, uncompressed; 0: 64 GiB
 * @skip_invalid_names: entries whose names are not UTF-8 are left out, and noted; else they are
 *   %ATM_STORE_ERROR_UNSUPPORTED
 *
 * For the transactions that begin after it.
 */
void atm_store_set_layer_limits (AtmStore *store, guint64 layer_max_bytes,
                                 gboolean skip_invalid_names);

/* ---- images that are there ---- */

/* An image in the store, as its commit tells it. */
typedef struct
{
  char *reference;            /* (owned): as typed, from the ref or, where hashed, the metadata */
  char *canonical;            /* (owned) (nullable): atm_origin_to_string() at the pull; %NULL in
                                 repositories of the Python tool */
  char *commit;               /* (owned): checksum of the image commit */
  AtmDigest digest;           /* of the manifest: the image id (system-image.md 9.4) */
  GBytes *manifest;           /* (owned): as served */
  GBytes *config;             /* (owned) (nullable): the config blob; in repositories of the Python
                                 tool it may be lost */
  GPtrArray *signatures;      /* (owned) (element-type GBytes): accepted at the pull */
  GBytes *site_commit;        /* (owned) (nullable): of an image of a site, the commit it served */
  GPtrArray *site_signatures; /* (owned) (nullable) (element-type GBytes): of that commit, accepted
                                 at the pull */
  char *verdict;              /* (owned) (nullable): atm_verdict_to_json() of the pull */
  guint64 created_unix;       /* when it was pulled: the commit's time */
  guint64 size_bytes;         /* compressed layers summed; 0 if unknown */
  char *notice;               /* (owned) (nullable): devices that were skipped, and the like */
  char *problem;              /* (owned) (nullable): in lists: why the metadata cannot be read; only
                                 reference, commit and signatures are set then */
} AtmStoredImage;

void atm_stored_image_free (AtmStoredImage *image);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmStoredImage, atm_stored_image_free)

/**
 * atm_store_load_image:
 * @reference: as typed, with tag or digest
 * @image_out: (out) (transfer full): the image
 * @error: %ATM_STORE_ERROR_NOT_FOUND, %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_store_load_image (AtmStore *store, const char *reference, AtmStoredImage **image_out,
                               GCancellable *cancellable, GError **error);

/**
 * atm_store_load_image_commit:
 * @commit: checksum of an image commit, which needs no name any more
 * @reference: what it was stored under
 * @image_out: (out) (transfer full): the image
 * @error: %ATM_STORE_ERROR_NOT_FOUND: there is no such image; %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_store_load_image_commit (AtmStore *store, const char *commit, const char *reference,
                                      AtmStoredImage **image_out, GCancellable *cancellable,
                                      GError **error);

/**
 * atm_store_list_images:
 * @images_out: (out) (transfer full) (element-type AtmStoredImage): by reference. One that is
 *   damaged is in the list and spoils it for nobody
 * @error: %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_store_list_images (AtmStore *store, GPtrArray **images_out, GCancellable *cancellable,
                                GError **error);

/* A layer in the store. */
typedef struct
{
  char *hex;            /* (owned): its ref: the hex of the digest in the manifest */
  guint64 created_unix; /* the commit's time */
  guint64 size_bytes;   /* as transferred; 0 if unknown */
} AtmStoredLayer;

void atm_stored_layer_free (AtmStoredLayer *layer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmStoredLayer, atm_stored_layer_free)

/**
 * atm_store_list_layers:
 * @layers_out: (out) (transfer full) (element-type AtmStoredLayer): by digest; in repositories of
 *   the Python tool configuration blobs are among them (system-image.md 9.2)
 * @error: %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_store_list_layers (AtmStore *store, GPtrArray **layers_out, GCancellable *cancellable,
                                GError **error);

/**
 * atm_store_check_out:
 * @commit: checksum of an image commit whose tree is the merged one
 * @dir_fd: (borrowed): a folder on the file system of the repository
 * @name: one component; made, must not exist. What a failure leaves there is the caller's to remove
 * @error: %G_IO_ERROR; %ATM_STORE_ERROR_UNSUPPORTED: the image is of the Python tool, whose commits
 *   have no merged tree
 *
 * Files are hard links to objects: never write below @name. What is written is synced by the
 * caller (store.md 5, step 6).
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_store_check_out (AtmStore *store, const char *commit, int dir_fd, const char *name,
                              GCancellable *cancellable, GError **error);

/**
 * atm_store_copy_out:
 * @commit: as for atm_store_check_out()
 * @path: absolute path of a folder of the image, without links, “.” and “..”
 * @dir_fd: (borrowed): a folder on any file system
 * @name: one component; made with the owner and mode of @path, must not exist. What a failure
 *   leaves there is the caller's to remove
 * @found_out: (out): whether the image has such a folder; nothing is made if it has not
 * @error: %G_IO_ERROR, %ATM_STORE_ERROR_UNSUPPORTED
 *
 * Unlike those of atm_store_check_out() the files are copies and may be written.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_store_copy_out (AtmStore *store, const char *commit, const char *path, int dir_fd,
                             const char *name, gboolean *found_out, GCancellable *cancellable,
                             GError **error);

/* ---- importing an image ---- */

/* A transaction; its cleanup aborts what was not committed. Objects have no name that anybody looks
   up before atm_store_txn_commit(). */
typedef struct _AtmStoreTxn AtmStoreTxn;

/**
 * atm_store_txn_begin:
 * @store: (borrowed): must outlive the transaction; one at a time
 * @verdict: (borrowed): the proof that this image is allowed
 * @txn_out: (out) (transfer full): holds the repository's shared lock until it is freed, also after
 *   atm_store_txn_commit(): who checks out does so before, or a prune may come between
 * @error: %G_IO_ERROR (%G_IO_ERROR_BUSY: @store has a transaction already)
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_store_txn_begin (AtmStore *store, AtmVerdict *verdict, AtmStoreTxn **txn_out,
                              GCancellable *cancellable, GError **error);
void atm_store_txn_free (AtmStoreTxn *txn);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmStoreTxn, atm_store_txn_free)

/**
 * atm_store_txn_has_layer:
 * @descriptor: (borrowed): a layer of the manifest
 * @diff_id: (borrowed): what the config says of it
 * @found_out: (out): whether atm_store_txn_add_stored_layer() would find it
 * @error: %G_IO_ERROR
 *
 * Asks for any layer of the image, in any order, and changes nothing.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_store_txn_has_layer (AtmStoreTxn *txn, const AtmDescriptor *descriptor,
                                  const AtmDigest *diff_id, gboolean *found_out,
                                  GCancellable *cancellable, GError **error);

/**
 * atm_store_txn_add_stored_layer:
 * @descriptor: (borrowed): a layer of the manifest
 * @diff_id: (borrowed): what the config says of it
 * @found_out: (out): whether the store had it; if so it was merged onto the layers before
 * @error: %G_IO_ERROR, %ATM_STORE_ERROR
 *
 * Also finds what is stored under another digest but unpacks to @diff_id: a layer that was only
 * compressed again. It gets the ref of @descriptor, too.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_store_txn_add_stored_layer (AtmStoreTxn *txn, const AtmDescriptor *descriptor,
                                         const AtmDigest *diff_id, gboolean *found_out,
                                         GCancellable *cancellable, GError **error);

/* A layer that is unpacked, and waits for those before it. */
typedef struct _AtmImportedLayer AtmImportedLayer;

void atm_imported_layer_free (AtmImportedLayer *layer);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmImportedLayer, atm_imported_layer_free)

/**
 * atm_store_txn_import_layer:
 * @number: for messages: which layer of the image it is, from 1 on
 * @descriptor: (borrowed): a layer of the manifest
 * @diff_id: (borrowed): what the config says of it
 * @blob: (borrowed): from atm_source_open_blob(), which checks size and digest; read to its end
 * @layer_out: (out) (transfer full): for atm_store_txn_add_imported_layer()
 * @error: %ATM_STORE_ERROR (LAYER also when the whole uncompressed stream does not hash to
 *   @diff_id), or what @blob throws
 *
 * Streams a layer (gzip, zstd or plain tar, by its first bytes) into objects (registry.md 5), in
 * bounded memory, which each import needs. LC_CTYPE must be a UTF-8 locale. After a failure while
 * @blob is read the same layer may be imported again; after one of writing to the repository the
 * transaction can only be freed.
 *
 * Several threads may import layers, in any order, while another one asks for stored layers and
 * adds them and imported ones.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_store_txn_import_layer (AtmStoreTxn *txn, guint number,
                                     const AtmDescriptor *descriptor, const AtmDigest *diff_id,
                                     GInputStream *blob, AtmImportedLayer **layer_out,
                                     GCancellable *cancellable, GError **error);

/**
 * atm_store_txn_add_imported_layer:
 * @layer: (transfer full): of this transaction
 * @error: %ATM_STORE_ERROR, %G_IO_ERROR; the transaction can only be freed then
 *
 * Merges the layer onto those before (store.md 6.2).
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_store_txn_add_imported_layer (AtmStoreTxn *txn, AtmImportedLayer *layer,
                                           GCancellable *cancellable, GError **error);

/**
 * atm_store_txn_add_layer:
 *
 * Both in one, for the next layer of the image.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_store_txn_add_layer (AtmStoreTxn *txn, const AtmDescriptor *descriptor,
                                  const AtmDigest *diff_id, GInputStream *blob,
                                  GCancellable *cancellable, GError **error);

/**
 * atm_store_txn_add_python_layer:
 * @descriptor: (borrowed): a layer of the manifest
 * @diff_id: (borrowed): what the config says of it
 * @found_out: (out): whether the store had it from the Python tool, with what is needed to write
 *   its archive again; if so it was merged onto the layers before
 * @error: as atm_store_txn_add_layer(); %ATM_STORE_ERROR_LAYER: the archive does not hash to
 *   @diff_id
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_store_txn_add_python_layer (AtmStoreTxn *txn, const AtmDescriptor *descriptor,
                                         const AtmDigest *diff_id, gboolean *found_out,
                                         GCancellable *cancellable, GError **error);

/**
 * atm_store_txn_commit:
 * @reference: as typed: the name of the image ref
 * @canonical: atm_origin_to_string()
 * @manifest: (borrowed): must be what the verdict judged, and all its layers must have been added
 * @config: (borrowed): the config blob
 * @commit_out: (out) (transfer full): checksum of the image commit
 * @error: %ATM_STORE_ERROR, %G_IO_ERROR
 *
 * Writes a commit for each new layer and one with the merged tree, layer refs first, the image ref
 * last (store.md 5). After a power cut at any time an image ref has all that it leads to; when this
 * returns it is on the disk. The metadata of the commits is documented in man/atomic-store.5.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_store_txn_commit (AtmStoreTxn *txn, const char *reference, const char *canonical,
                               GBytes *manifest, GBytes *config, char **commit_out,
                               GCancellable *cancellable, GError **error);
