/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Gzip members, one after the other, inflated by igzip (ISA-L) where it was there at build time and
   by zlib elsewhere (store.md 2.1). Internal to store/. */

typedef enum
{
  ATM_GUNZIP_BEST, /* the faster one that was built in */
  ATM_GUNZIP_ZLIB,
  ATM_GUNZIP_IGZIP
} AtmGunzipKind;

/**
 * atm_gunzip_has_igzip:
 *
 * Returns: whether %ATM_GUNZIP_IGZIP was built in; without it it must not be asked for
 */
gboolean atm_gunzip_has_igzip (void);

typedef struct _AtmGunzip AtmGunzip;

/**
 * atm_gunzip_new:
 * @kind: which one; the product asks for %ATM_GUNZIP_BEST, tests for each
 *
 * Returns: (transfer full) (nullable): an inflater, before the first member; %NULL if there is no
 *   memory for it
 */
AtmGunzip *atm_gunzip_new (AtmGunzipKind kind);
void atm_gunzip_free (AtmGunzip *gunzip);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmGunzip, atm_gunzip_free)

/* What a step reads from and writes to; it moves on what it has used up. */
typedef struct
{
  const guint8 *in; /* untrusted */
  gsize in_bytes;
  guint8 *out;
  gsize out_bytes;
} AtmGunzipStep;

/**
 * atm_gunzip_step:
 * @step: (inout): uses up as much of both as it can
 * @ended_out: (out): whether a member has ended, with the right checksum and length; the next step
 *   begins another one
 *
 * Returns: (nullable): %NULL; or what is wrong with the member, which is the end of it
 */
G_GNUC_WARN_UNUSED_RESULT
const char *atm_gunzip_step (AtmGunzip *gunzip, AtmGunzipStep *step, gboolean *ended_out);
