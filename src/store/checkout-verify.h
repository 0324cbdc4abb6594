/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "store/store.h"

/* Checkouts: the root file systems that were linked from the store, compared with the commit they
   came from, and put right from it. */

typedef enum
{
  ATM_FINDING_MISSING, /* the image has it, the checkout has not */
  ATM_FINDING_CHANGED, /* it is not what the image has */
  ATM_FINDING_FOREIGN, /* the image has no such file */
  ATM_FINDING_UNKNOWN  /* the object that would tell is damaged itself */
} AtmFindingKind;

typedef struct
{
  AtmFindingKind kind;
  char *path;      /* (owned): as “/usr/bin/x” */
  char *note;      /* (owned) (nullable): more about it, as why it could not be repaired */
  gboolean shared; /* its object was damaged in the store, and with it all checkouts that link it */
  gboolean repaired;
} AtmFinding;

void atm_finding_free (AtmFinding *finding);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmFinding, atm_finding_free)

typedef struct
{
  const char *commit;   /* (borrowed): what was checked out */
  int rootfs_fd;        /* (borrowed): the checkout */
  GHashTable *damages;  /* (borrowed) (element-type utf8 AtmDamage): from atm_verify_dup_table() */
  GHashTable *extra;    /* (borrowed) (element-type utf8): paths that are ours and not the image's,
                           such as mount points, as “/run/x”; empty files and folders only */
  GHashTable *before;   /* (borrowed) (element-type utf8 AtmDamage): as @damages, before a repair of
                           the store: files that differ from these objects are “shared” */
  gboolean only_before; /* compare only files that should be one of @before */
  gboolean repair;
} AtmCheckoutOptions;

/**
 * atm_checkout_verify:
 * @findings_out: (out) (transfer full) (element-type AtmFinding): what differs, in no order
 * @error: %G_IO_ERROR; %ATM_STORE_ERROR_NOT_FOUND: the store has not the commit any more;
 *   %ATM_STORE_ERROR_UNSUPPORTED: a user's repository, or an image of the Python tool
 *
 * A file that is a hard link to a healthy object is right without being read; others are hashed.
 * Repairing links the object under another name and renames that over the file, so that whoever
 * opens it has the old one or the right one. Foreign files are never removed: nobody knows what
 * they are for. The caller holds a lock of the repository, and syncs.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_checkout_verify (AtmStore *store, const AtmCheckoutOptions *options,
                              GPtrArray **findings_out, GCancellable *cancellable, GError **error);
