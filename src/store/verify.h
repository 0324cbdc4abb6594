/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "store/store.h"

/* Verification: objects whose bytes do not hash to their names any more, found by hashing all of
   them again, and the files of images that they are. */

/* How many files are told for one object; an empty file may be thousands. */
#define ATM_DAMAGE_USES_MAX 100

typedef struct
{
  char *image; /* (owned) (nullable): a reference; %NULL: the file is in the layer only */
  char *layer; /* (owned) (nullable): its digest in hex */
  char *path; /* (owned): “/usr/bin/x”; a folder; “” for the record of the image or layer itself */
} AtmDamageUse;

typedef struct
{
  char *object;      /* (owned): “HEX.TYPE” as in OSTree: file, dirtree, dirmeta, commit */
  char *problem;     /* (owned): what is wrong, for people */
  gboolean missing;  /* the object is not there at all */
  GPtrArray *uses;   /* (owned) (element-type AtmDamageUse): images first */
  gboolean repaired; /* set by atm_repair_apply() */
} AtmDamage;

void atm_damage_free (AtmDamage *damage);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmDamage, atm_damage_free)

typedef struct
{
  GPtrArray *damages; /* (owned) (element-type AtmDamage): by name of the object */
  guint n_objects;    /* that were hashed */
  guint64 bytes;      /* of content that was hashed */
} AtmVerification;

void atm_verification_clear (AtmVerification *verification);
G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (AtmVerification, atm_verification_clear)

/**
 * atm_store_verify:
 * @commits: (array zero-terminated=1): what is verified with all that it needs, each object once
 * @verification_out: (out caller-allocates): damage is a result, not an error
 * @error: %G_IO_ERROR
 *
 * Files are hashed by as many threads as there are processors. The caller holds a lock of the
 * repository. @damages have no uses yet.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_store_verify (AtmStore *store, const char *const *commits,
                           AtmVerification *verification_out, GCancellable *cancellable,
                           GError **error);

/**
 * atm_verify_find_uses:
 * @images: (element-type AtmStoredImage): all that are in the store
 *
 * Fills in the uses: in every image, whether it was verified or not, and in the layers of images.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_verify_find_uses (AtmStore *store, GPtrArray *damages, GPtrArray *images,
                               GCancellable *cancellable, GError **error);

/**
 * atm_verify_dup_table:
 *
 * Returns: (transfer container) (element-type utf8 AtmDamage): @damages that are not repaired, by
 *   object
 */
GHashTable *atm_verify_dup_table (GPtrArray *damages);
