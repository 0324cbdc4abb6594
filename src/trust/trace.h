/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

/* Traces: what was looked at while an image was judged, and what came of each thing. They are for
   people, logs and scripts to read; no permission follows from one. */

/* A signature, as one requirement saw it. */
typedef struct
{
  guint number;      /* N of “signature-N” */
  char *source;      /* (owned): the URL or folder it is from; “the store”, “the site” */
  gboolean counted;  /* it met the requirement */
  char *fingerprint; /* (owned) (nullable): of the primary key if it counted, else the key that the
                        signature names itself, perhaps only by an ID */
  gint64 created_unix; /* as it says itself; 0: unknown */
  char *digest;        /* (owned) (nullable): this and the next of what was signed; %NULL where that
                          may not be looked at (trust.md 8.3) */
  char *identity;      /* (owned) (nullable) */
  char *reason;        /* (owned) (nullable): why it did not count */
  const char *kind;    /* (nullable): of trust.md 20; static */
} AtmTraceSignature;

typedef enum
{
  ATM_TRACE_NOT_REACHED, /* another one failed before */
  ATM_TRACE_MET,
  ATM_TRACE_NOT_MET
} AtmTraceState;

typedef struct
{
  char *type;  /* (owned): as policy.json has it */
  char **keys; /* (owned) (nullable): key files; “keyData” for keys in the policy itself */
  const char *identity; /* (nullable): type of “signedIdentity”; static */
  AtmTraceState state;
  GPtrArray *signatures; /* (owned) (element-type AtmTraceSignature) */
} AtmTraceRequirement;

/* The list of requirements that applies, and how it was found. */
typedef struct
{
  const char *transport;   /* static */
  char **passed_scopes;    /* (owned): those looked for before, which the policy has not */
  char *scope;             /* (owned) (nullable): the one that applies; “” is the default of
                              the transport, %NULL that of the policy */
  GPtrArray *requirements; /* (owned) (element-type AtmTraceRequirement) */
} AtmTraceList;

/* A place where a signature was looked for, or, where a registry keeps them itself, several. */
typedef struct
{
  char *url;    /* (owned): or the path of a file of a “dir:” image */
  char *result; /* (owned): “1 signature”, “no signature”, or why it could not be read */
} AtmTracePlace;

typedef struct
{
  char *reference;     /* (owned) (nullable): the canonical name, with its source */
  char *policy_path;   /* (owned) (nullable): %NULL if there is none that is valid */
  char *digest;        /* (owned) (nullable): of the manifest; %NULL if it was not needed */
  AtmTraceList *image; /* (owned) (nullable) */
  AtmTraceList *site;  /* (owned) (nullable): what is asked of the site that unpacked the image */
  GPtrArray *places;   /* (owned) (element-type AtmTracePlace) */
  gboolean accepted;
  GError *refusal; /* (owned) (nullable): an %ATM_TRUST_ERROR; neither accepted nor refused is an
                      image that could not be judged */
} AtmTrace;

AtmTrace *atm_trace_new (void);
void atm_trace_free (AtmTrace *trace);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmTrace, atm_trace_free)

/**
 * atm_trace_clear:
 *
 * Makes it as new, for another image.
 */
void atm_trace_clear (AtmTrace *trace);

/**
 * atm_trace_list_new:
 * @scopes: (array zero-terminated=1): in the order in which they are looked for, without “”
 * @scope: (nullable): the one that applies; “”: the default of the transport; %NULL: the default of
 *   the policy
 *
 * Returns: (transfer full): a list without requirements
 */
AtmTraceList *atm_trace_list_new (const char *transport, const char *const *scopes,
                                  const char *scope);

/**
 * atm_trace_list_add:
 * @keys: (nullable): of the requirement
 * @identity: (nullable): static
 */
void atm_trace_list_add (AtmTraceList *list, const char *type, const char *const *keys,
                         const char *identity);

/**
 * atm_trace_add_place:
 * @trace: (nullable): %NULL: nobody asks
 * @n_signatures: how many there are
 * @failure: (nullable): why nobody knows how many
 */
void atm_trace_add_place (AtmTrace *trace, const char *url, guint n_signatures,
                          const GError *failure);

/**
 * atm_trace_requirement_add:
 *
 * Returns: (transfer none): a new signature of which nothing more is known
 */
AtmTraceSignature *atm_trace_requirement_add (AtmTraceRequirement *requirement, guint number,
                                              const char *source);

/**
 * atm_trace_signature_refuse:
 * @reason: (nullable): an %ATM_TRUST_ERROR; others have no kind
 */
void atm_trace_signature_refuse (AtmTraceSignature *signature, const GError *reason);

/**
 * atm_trace_finish:
 * @refusal: (nullable): %NULL: it was accepted; an %ATM_TRUST_ERROR: it was refused; any other
 * error: nobody knows
 */
void atm_trace_finish (AtmTrace *trace, const GError *refusal);

/**
 * atm_trace_get_kind:
 *
 * Returns: (nullable): the kind of the refusal (trust.md 20); %NULL if it is none
 */
const char *atm_trace_get_kind (const AtmTrace *trace);

/**
 * atm_trace_dup_keys:
 *
 * Returns: (transfer full): the keys of the signatures that counted; in the trace of a refusal all
 *   keys that signatures name; each once
 */
char **atm_trace_dup_keys (const AtmTrace *trace);
