/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include "trust/trace.h"

/* Lookaside storage of web servers (trust.md 12). They are told nothing but the name of the image:
   no credentials, and what a registry may do (“insecure”, certs.d) is not for them. */

/* Only tests have others than the default ones. */
typedef struct
{
  guint request_msec; /* for one signature, with redirects and further attempts */
  guint total_msec;   /* for all signatures of an image */
  guint second_msec;  /* how long a second of delay between two attempts is */
} AtmLookasideLimits;

#define ATM_LOOKASIDE_LIMITS_DEFAULT                                                               \
  {                                                                                                \
    .request_msec = 30 * 1000, .total_msec = 120 * 1000, .second_msec = 1000                       \
  }

/* How web servers are asked; all zero is without proxies. */
typedef struct
{
  GProxyResolver *proxies;          /* (borrowed) (nullable): from atm_proxy_resolver_new() */
  const AtmLookasideLimits *limits; /* (borrowed) (nullable): %NULL: the default ones */
} AtmLookasideWeb;

/**
 * atm_lookaside_web_read:
 * @folder: the http: or https: URL of the folder of an image, without a final slash
 * @web: (borrowed) (nullable): how to ask; %NULL: as all zero
 * @trace: (borrowed) (nullable): gets a place for each URL
 * @blobs: (inout) (element-type GBytes): signature-1, signature-2 … are added, up to the first for
 *   which the server answers 404
 * @error: %ATM_TRUST_ERROR_LOOKASIDE_ERROR, %ATM_TRUST_ERROR_LIMIT_EXCEEDED, both naming the URL;
 *   %G_IO_ERROR_CANCELLED
 */
G_GNUC_WARN_UNUSED_RESULT
gboolean atm_lookaside_web_read (const char *folder, const AtmLookasideWeb *web, AtmTrace *trace,
                                 GPtrArray *blobs, GCancellable *cancellable, GError **error);
