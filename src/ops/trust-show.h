/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "host/system.h"

/* What this host trusts, for people to read (trust.md 15, “show”). */

typedef enum
{
  ATM_TRUST_SHOWN_ACCEPT, /* without looking at signatures */
  ATM_TRUST_SHOWN_SIGNED,
  ATM_TRUST_SHOWN_REJECT /* also what can never be met */
} AtmTrustShown;

/* One scope. All (owned), all untrusted. */
typedef struct
{
  char *name; /* “* (default)”, the scope, or TRANSPORT:SCOPE where another transport has it too */
  gboolean is_default;
  AtmTrustShown shown;
  char *type;  /* the word of policy.json that decides */
  char **keys; /* paths, or base64 of the keys themselves */
  char *users; /* who the keys say they are, separated by commas */
  char *url;   /* where signatures are; "": as for all registries */
} AtmTrustEntry;

typedef struct
{
  char *path;          /* (owned): the policy that is in force */
  GPtrArray *entries;  /* (owned) (element-type AtmTrustEntry): by name, the default first */
  GPtrArray *warnings; /* (owned) (element-type utf8): sentences */
} AtmTrustView;

void atm_trust_view_free (AtmTrustView *view);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmTrustView, atm_trust_view_free)

/**
 * atm_trust_show:
 * @view_out: (out) (transfer full): the policy that atm_trust_open() would use, in words
 * @error: %ATM_TRUST_ERROR
 *
 * Makes no file.
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_trust_show (const AtmSystem *system, AtmTrustView **view_out, GError **error);

/**
 * atm_trust_show_raw:
 * @bytes_out: (out) (transfer full): the policy file, valid or not
 * @error: %ATM_TRUST_ERROR
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_trust_show_raw (const AtmSystem *system, GBytes **bytes_out, GError **error);
