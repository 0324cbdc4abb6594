/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "image/origin.h"
#include "image/source.h"
#include "trust/trace.h"
#include "trust/verdict.h"

/* The face of trust/: is this image allowed here? (trust.md 1 and 5) */

#define ATM_TRUST_ERROR (atm_trust_error_quark ())
GQuark atm_trust_error_quark (void);

/* The kinds of trust.md 20, in its order. The message of each error begins with
   “trust: KIND: REFERENCE: ”, KIND as in atm_trust_error_get_kind(). */
typedef enum
{
  ATM_TRUST_ERROR_REFERENCE_INVALID,
  ATM_TRUST_ERROR_POLICY_MISSING,
  ATM_TRUST_ERROR_POLICY_INSECURE_FILE,
  ATM_TRUST_ERROR_POLICY_SYNTAX,
  ATM_TRUST_ERROR_POLICY_UNSUPPORTED,
  ATM_TRUST_ERROR_REJECTED,
  ATM_TRUST_ERROR_UNSIGNED,
  ATM_TRUST_ERROR_SIGNATURE_FORMAT,
  ATM_TRUST_ERROR_BAD_SIGNATURE,
  ATM_TRUST_ERROR_UNKNOWN_KEY,
  ATM_TRUST_ERROR_EXPIRED_SIGNATURE,
  ATM_TRUST_ERROR_EXPIRED_KEY,
  ATM_TRUST_ERROR_REVOKED_KEY,
  ATM_TRUST_ERROR_WEAK_DIGEST,
  ATM_TRUST_ERROR_PAYLOAD_INVALID,
  ATM_TRUST_ERROR_DIGEST_MISMATCH,
  ATM_TRUST_ERROR_IDENTITY_MISMATCH,
  ATM_TRUST_ERROR_KEYRING_ERROR,
  ATM_TRUST_ERROR_REGISTRIES_CONFIG,
  ATM_TRUST_ERROR_LOOKASIDE_ERROR,
  ATM_TRUST_ERROR_LIMIT_EXCEEDED,
  ATM_TRUST_ERROR_MANIFEST_DIGEST,
  ATM_TRUST_ERROR_PLATFORM_MISMATCH,
  ATM_TRUST_ERROR_DOWNGRADE
} AtmTrustError;

const char *atm_trust_error_get_kind (AtmTrustError code);

/* Where policy and signatures are; a missing one means the places of trust.md 3.1 and 11. */
typedef struct
{
  const char *policy_path;     /* (borrowed) (nullable): --policy */
  const char *registries_d;    /* (borrowed) (nullable): --registries-d or the configuration */
  const char *gpg_home_parent; /* (borrowed): a folder for the throw-away GnuPG homes; made if it
                                  is missing */
  const char *config_dir;      /* (borrowed) (nullable): instead of /etc/containers, where the
                                  policy.json and registries.d of the system are */
  const char *lookaside_dir;   /* (borrowed) (nullable): instead of the built-in folder of
                                  signatures that no registries.d names */
  GProxyResolver *proxies;     /* (borrowed) (nullable): on the way to web servers with signatures;
                                  %NULL: none */
  AtmTrace *trace; /* (borrowed) (nullable): new or cleared; gets what is looked at and the
                      decision, and must outlive the AtmTrust */
} AtmTrustOptions;

typedef struct _AtmTrust AtmTrust;

/**
 * atm_trust_open:
 * @options: (borrowed): paths
 * @origin: (borrowed): the image in question
 * @trust_out: (out) (transfer full): the requirements that apply to @origin
 * @error: %ATM_TRUST_ERROR
 *
 * Steps 2 and 3 of trust.md 1: reads the whole policy and selects one requirement list. A list that
 * can never be satisfied fails here, before anybody has asked the network for anything.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_trust_open (const AtmTrustOptions *options, const AtmOrigin *origin,
                         AtmTrust **trust_out, GError **error);
void atm_trust_free (AtmTrust *trust);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmTrust, atm_trust_free)

/**
 * atm_trust_set_source:
 * @source: (borrowed): of the image in question; a reference is kept, and atm_trust_judge() asks it
 *
 * Where the image comes from, once it has served the manifest: a registry may keep signatures
 * itself, and those of an image from a mirror are looked up under the name that it has there
 * (trust.md 12, 13).
 */
void atm_trust_set_source (AtmTrust *trust, AtmSource *source);

/**
 * atm_trust_judge:
 * @manifest: (borrowed): the manifest bytes as served
 * @stored: (nullable) (element-type GBytes): signatures that were stored with the image (trust.md
 *   17); %NULL: look them up in the lookaside storage, or where the source has them, if any
 *   requirement needs them
 * @verdict_out: (out) (transfer full): the proof
 * @error: %ATM_TRUST_ERROR, %G_IO_ERROR_CANCELLED
 *
 * Steps 5 and 6 of trust.md 1.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_trust_judge (AtmTrust *trust, GBytes *manifest, GPtrArray *stored,
                          GCancellable *cancellable, AtmVerdict **verdict_out, GError **error);

/* What a site says for an image that it has unpacked. */
typedef struct
{
  GBytes *commit;        /* (borrowed): the commit object that holds the image, byte for byte */
  GPtrArray *signatures; /* (borrowed) (element-type GBytes): untrusted: detached OpenPGP signatures
                            of it */
} AtmSiteProof;

/**
 * atm_trust_judge_site:
 * @trust: of an origin of %ATM_TRANSPORT_OSTREE; for those atm_trust_judge() refuses
 * @proof: (borrowed): the commit that the site serves; that it holds @manifest is the caller's to
 *   see to
 * @manifest: (borrowed): the manifest bytes in the commit
 * @stored: (element-type GBytes): the signatures of the manifest in the commit
 * @verdict_out: (out) (transfer full): the proof, for the tree of this commit alone
 * @error: %ATM_TRUST_ERROR, %G_IO_ERROR_CANCELLED
 *
 * An image of a site needs two permissions: that of transport “ostree” for the commit, whose
 * signature vouches for the files in it, and that of transport “docker” for the manifest, as if it
 * came from the registry of its name.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_trust_judge_site (AtmTrust *trust, const AtmSiteProof *proof, GBytes *manifest,
                               GPtrArray *stored, GCancellable *cancellable,
                               AtmVerdict **verdict_out, GError **error);

/**
 * atm_trust_check_downgrade:
 * @verdict: (borrowed): of the image that is to replace the installed one
 * @installed: (nullable): atm_verdict_to_json() of the installed one; %NULL if none was kept
 * @error: %ATM_TRUST_ERROR_DOWNGRADE if a key that signed both, for the same reference, signed the
 *   new one earlier, or if @installed cannot be read; so with two commits of one site
 *
 * The rollback guard of trust.md 17: an old signature stays valid, so only time tells.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_trust_check_downgrade (const AtmVerdict *verdict, const char *installed,
                                    GError **error);
