/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/system.h"
#include "image/origin.h"
#include "ops/report.h"

/* Signing: vouching for images with one's own keys (trust.md 14). */

typedef struct
{
  const char *const *keys;     /* (nullable): one signature by each; none: default_signer of
                                  atomic.conf */
  const char *dir;             /* (nullable): where signatures go, instead of what registries.d
                                  says; it must exist */
  const char *gpg_home;        /* (nullable) */
  const char *passphrase_file; /* (nullable): its first line is the passphrase of all keys */
  const char *identity;        /* (nullable): the name to sign for, instead of the image's own */
} AtmSignOptions;

/* One signature. All (owned). */
typedef struct
{
  char *reference;   /* the name that was signed for */
  char *digest;      /* of the manifest */
  char *fingerprint; /* of the primary key */
  char *path;        /* (nullable): the file; NULL: this key had signed this already */
} AtmSigned;

void atm_signed_free (AtmSigned *made);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmSigned, atm_signed_free)

/**
 * atm_sign:
 * @origin: (borrowed): the image; of an index the index and all that is listed in it are signed
 * @made: (borrowed) (element-type AtmSigned): gets what is signed, also what was before a failure
 * @error: of image/ and registry/; %ATM_SIGNER_ERROR, %ATM_TRUST_ERROR, %G_IO_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_sign (const AtmSystem *system, const AtmOrigin *origin, const AtmSignOptions *options,
                   const AtmReport *report, GPtrArray *made, GCancellable *cancellable,
                   GError **error);
