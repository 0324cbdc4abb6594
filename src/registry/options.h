/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <gio/gio.h>

#include "registry/credentials.h"

/* Options: what a user and a program may say about how registries are spoken to. */

typedef enum
{
  ATM_TLS_CONFIGURED, /* as registries.conf says (“insecure”), and the prefix of the image */
  ATM_TLS_VERIFY,     /* --tls-verify: certificates are verified, whatever is configured */
  ATM_TLS_NO_VERIFY   /* --tls-verify=false: as if every endpoint were “insecure” */
} AtmTlsVerify;

/* Time and number limits (registry.md 3.7). Only tests have others than the default ones. */
typedef struct
{
  guint connect_msec;    /* until the connection stands, TLS included */
  guint first_byte_msec; /* from there to the head of the answer */
  guint inactivity_sec;  /* of a body: how long nothing at all may come */
  guint document_msec;   /* for the body of a manifest, a configuration or a token, as a whole */
  guint second_msec;     /* how long a second of delay between two attempts is */
  guint failures_max;    /* failed requests of one pull, after which nothing is tried again */
} AtmRegistryLimits;

#define ATM_REGISTRY_LIMITS_DEFAULT                                                                \
  {                                                                                                \
    .connect_msec = 30 * 1000, .first_byte_msec = 60 * 1000, .inactivity_sec = 60,                 \
    .document_msec = 300 * 1000, .second_msec = 1000, .failures_max = 20                           \
  }

/**
 * AtmRegistryWarn:
 * @text: one line, harmless to print, without secrets: something that was survived, or that the
 *   registry wants its users to know
 *
 * May be called by any thread that uses the source or a sibling of it, by one at a time.
 */
typedef void (*AtmRegistryWarn) (const char *text, gpointer user_data);

/* All zero are the defaults. What is borrowed must outlive the source and its siblings. */
typedef struct
{
  AtmCredentials *credentials;     /* (borrowed) (nullable): NULL: anonymous; a reference is kept */
  const char *cert_dir;            /* (borrowed) (nullable): --cert-dir, instead of certs.d/HOST */
  AtmTlsVerify tls_verify;         /* --tls-verify */
  const AtmRegistryLimits *limits; /* (borrowed) (nullable): copied; NULL: the default ones */
  AtmRegistryWarn warn;            /* (nullable): where warnings go */
  gpointer warn_data;              /* (borrowed) */
} AtmRegistryOptions;
