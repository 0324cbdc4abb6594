/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/pull.h"

#include "ops/fetch.h"
#include "ops/judge.h"
#include "ops/pull-remote.h"
#include "ops/repository.h"
#include "ops/served.h"
#include "registry/short-names.h"
#include "registry/watchdog.h"
#include "trust/refusal.h"
#include "util/error.h"
#include "util/fd.h"

/* An image that a source serves. */
typedef struct
{
  const AtmOrigin *origin; /* (borrowed) */
  char *what;              /* (owned): its canonical name */
  AtmTrust *trust;         /* (owned) */
  AtmTrace *trace;         /* (borrowed): of the trust */
  AtmSource *source;       /* (owned) */
  GBytes *manifest;        /* (owned): as served */
  AtmPlatform *platform;   /* (owned) (nullable): chosen from an index */
} Found;

static void
found_clear (Found *found)
{
  g_free (found->what);
  atm_trust_free (found->trust);
  g_clear_object (&found->source);
  g_clear_pointer (&found->manifest, g_bytes_unref);
  atm_platform_free (found->platform);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Found, found_clear)

/* Everything after the verdict: configuration, layers, commits. */
static gboolean
import (const AtmSystem *system, AtmStore *store, const Found *found, AtmVerdict *verdict,
        const AtmPullOptions *options, const AtmReport *report, GCancellable *cancellable,
        GError **error)
{
  g_autoptr (AtmManifest) manifest = NULL;
  g_autoptr (AtmImageConfig) config = NULL;
  g_autoptr (GBytes) config_bytes = NULL;
  g_autoptr (AtmPartials) partials = NULL;
  g_autoptr (AtmStoreTxn) txn = NULL;
  g_autofree char *commit = NULL;

  if (!atm_manifest_parse (found->manifest, &manifest, error)
      || !atm_source_fetch_blob (found->source, &manifest->config, ATM_CONFIG_MAX_BYTES,
                                 &config_bytes, cancellable, error)
      || !atm_config_parse (config_bytes, manifest, found->platform, &config, error))
    return FALSE;
  for (guint i = 0; config->notices[i] != NULL; i++)
    atm_report (report, ATM_REPORT_NOTICE, "%s: %s", found->what, config->notices[i]);
  if (!atm_repository_check_wait (system, store, FALSE, report, error)
      || !atm_store_txn_begin (store, verdict, &txn, cancellable, error))
    return FALSE;

  /* The locks of the blobs last until the layers have refs: who waits for them finds those. */
  return atm_fetch_layers (system, found->source, txn, manifest, config, options, report, &partials,
                           cancellable, error)
         && atm_store_txn_commit (txn, found->origin->name->familiar, found->what, found->manifest,
                                  config_bytes, &commit, cancellable, error);
}

/* The image is stored as the source serves it now, signatures included. */
static gboolean
is_unchanged (const AtmStoredImage *stored, const AtmVerdict *verdict, const char *what)
{
  GPtrArray *accepted = atm_verdict_get_signatures (verdict);

  if (stored == NULL || !atm_digest_equal (&stored->digest, atm_verdict_get_digest (verdict))
      || g_strcmp0 (stored->canonical, what) != 0 || stored->signatures->len != accepted->len)
    return FALSE;
  for (guint i = 0; i < accepted->len; i++)
    if (!g_bytes_equal (stored->signatures->pdata[i], accepted->pdata[i]))
      return FALSE;
  return TRUE;
}

gboolean
atm_pull_find_stored (AtmStore *store, const char *reference, AtmStoredImage **image_out,
                      GCancellable *cancellable, GError **error)
{
  g_autoptr (GError) local = NULL;

  if (atm_store_load_image (store, reference, image_out, cancellable, &local))
    return TRUE;
  if (g_error_matches (local, ATM_STORE_ERROR, ATM_STORE_ERROR_NOT_FOUND))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

gboolean
atm_pull_open_store (const AtmSystem *system, AtmStore **store_out, GCancellable *cancellable,
                     GError **error)
{
  /* An image may bring set-uid programs; nobody but root gets at them from outside a container. */
  return atm_make_dirs (system->checkout, 0700, NULL, error)
         && atm_store_open (system->repository, TRUE, store_out, cancellable, error);
}

gboolean
atm_pull_open_trust (const AtmSystem *system, const AtmOrigin *origin, AtmTrace *trace,
                     AtmTrust **trust_out, GError **error)
{
  g_autoptr (GProxyResolver) proxies = atm_open_proxies (system);
  const AtmTrustOptions options = {
    .policy_path = system->policy,
    .registries_d = system->registries_d,
    .gpg_home_parent = system->run_dir,
    .proxies = proxies,
    .trace = trace,
  };

  if (trace != NULL)
    atm_trace_clear (trace);

  return atm_trust_open (&options, origin, trust_out, error);
}

char *
atm_pull_dup_partials_path (const AtmSystem *system)
{
  return g_build_filename (system->checkout, ".storage", "blobs", NULL);
}

/* Refusals of trust.md 20 that the rooms below see before trust/ is asked, and do not call so. */
static gboolean
refuse (GError **error, AtmTrustError kind, const char *what)
{
  if (error != NULL && g_str_has_prefix ((*error)->message, what))
    {
      /* A registry's client has named the image already. */
      (void) atm_refusal_convert (error, kind);
      return atm_prefix_error (error, "trust: %s", atm_trust_error_get_kind (kind));
    }
  (void) atm_refusal_convert (error, kind);
  return atm_refusal_name (error, what);
}

static gboolean
matches (GError **error, GQuark domain, int code)
{
  return error != NULL && g_error_matches (*error, domain, code);
}

/* The order is that of trust.md 1: nobody is asked for a blob, and nothing is made here, before the
   policy has allowed the manifest. */
static gboolean
find_one (const AtmSystem *system, const AtmOrigin *origin, const AtmPullOptions *options,
          const AtmReport *report, Found *found, GCancellable *cancellable, GError **error)
{
  found->origin = origin;
  found->what = atm_origin_to_string (origin);
  if (!atm_pull_open_trust (system, origin, found->trace, &found->trust, error)
      || !atm_open_source (system, origin, &options->open, report, &found->source, cancellable,
                           error))
    return FALSE;
  atm_trust_set_source (found->trust, found->source);
  if (atm_served_fetch_manifest (found->source, origin, found->what, &found->manifest,
                                 &found->platform, cancellable, error))
    return TRUE;
  if (matches (error, ATM_DIGEST_ERROR, ATM_DIGEST_ERROR_MISMATCH))
    return refuse (error, ATM_TRUST_ERROR_MANIFEST_DIGEST, found->what);
  return FALSE;
}

/* The first of several that can be had (registry.md 2.3). */
static gboolean
find_any (const AtmSystem *system, GPtrArray *origins, const AtmPullOptions *options,
          const AtmReport *report, Found *found_out, GCancellable *cancellable, GError **error)
{
  for (guint i = 0;; i++)
    {
      g_auto (Found) found = { .trace = found_out->trace };
      g_autoptr (GError) local = NULL;

      if (find_one (system, origins->pdata[i], options, report, &found, cancellable, &local))
        {
          if (origins->len > 1)
            atm_report (report, ATM_REPORT_NOTICE, "going on with %s", found.what);
          *found_out = found;
          found = (Found){ 0 };
          return TRUE;
        }
      if (i + 1 == origins->len || !atm_candidates_may_go_on (local))
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
      atm_report (report, ATM_REPORT_NOTICE, "%s", local->message);
    }
}

static gboolean
find (const AtmSystem *system, const AtmOrigin *origin, const AtmPullOptions *options,
      const AtmReport *report, GPtrArray **origins_out, Found *found_out, GCancellable *cancellable,
      GError **error)
{
  if (origin->transport != ATM_TRANSPORT_DOCKER || origin->name->domain_typed)
    return find_one (system, origin, options, report, found_out, cancellable, error);
  return atm_resolve_short_name (system, origin, options->choose, options->choose_data, report,
                                 origins_out, cancellable, error)
         && find_any (system, *origins_out, options, report, found_out, cancellable, error);
}

gboolean
atm_pull_is_meant (const AtmStoredImage *image, const AtmOrigin *origin)
{
  g_autofree char *what = atm_origin_to_string (origin);

  if (image->canonical == NULL)
    return FALSE;
  return g_str_equal (image->canonical, what)
         || (origin->transport == ATM_TRANSPORT_DOCKER && !origin->name->domain_typed);
}

gboolean
atm_pull_judge (const AtmSystem *system, const AtmOrigin *origin, const AtmPullOptions *options,
                const AtmReport *report, AtmTrace *trace, AtmVerdict **verdict_out,
                GCancellable *cancellable, GError **error)
{
  g_autoptr (GPtrArray) origins = NULL; /* outlives what was found among them */
  g_auto (Found) found = { .trace = trace };
  g_autoptr (AtmVerdict) verdict = NULL;

  if (origin->transport == ATM_TRANSPORT_OSTREE
          ? !atm_pull_remote_judge (system, origin, trace, &verdict, cancellable, error)
          : !find (system, origin, options, report, &origins, &found, cancellable, error)
                || !atm_trust_judge (found.trust, found.manifest, NULL, cancellable, &verdict,
                                     error))
    return FALSE;
  if (verdict_out != NULL)
    *verdict_out = g_steal_pointer (&verdict);
  return TRUE;
}

/* What the policy says of what was found, and whether that may take the place of what is stored. */
static gboolean
decide (const AtmSystem *system, const Found *found, const AtmPullOptions *options,
        AtmStore **store_out, AtmStoredImage **image_out, AtmVerdict **verdict_out,
        GCancellable *cancellable, GError **error)
{
  return atm_trust_judge (found->trust, found->manifest, NULL, cancellable, verdict_out, error)
         && atm_pull_open_store (system, store_out, cancellable, error)
         && atm_pull_find_stored (*store_out, found->origin->name->familiar, image_out, cancellable,
                                  error)
         && (options->allow_downgrade
             || atm_judge_check_downgrade (*verdict_out, *image_out, found->trace, error));
}

static gboolean
pull (const AtmSystem *system, const AtmOrigin *origin, const AtmPullOptions *options,
      const AtmReport *report, AtmStoredImage **image_out, GCancellable *cancellable,
      GError **error)
{
  const char *reference = origin->name->familiar;
  g_autoptr (GPtrArray) origins = NULL; /* outlives what was found among them */
  g_autoptr (AtmTrace) trace = atm_trace_new ();
  g_auto (Found) found = { .trace = trace };
  g_autoptr (AtmVerdict) verdict = NULL;
  g_autoptr (AtmStore) store = NULL;
  g_autoptr (AtmStoredImage) image = NULL;
  gboolean allowed = FALSE;

  if (origin->transport == ATM_TRANSPORT_OSTREE)
    return atm_pull_remote (system, origin, options, report, image_out, cancellable, error);

  allowed = find (system, origin, options, report, &origins, &found, cancellable, error)
            && decide (system, &found, options, &store, &image, &verdict, cancellable, error);
  atm_judge_record (trace);
  if (!allowed)
    return FALSE;

  if (!is_unchanged (image, verdict, found.what))
    {
      g_clear_pointer (&image, atm_stored_image_free);
      atm_store_set_layer_limits (store, options->layer_max_bytes, options->skip_invalid_names);
      if (!import (system, store, &found, verdict, options, report, cancellable, error))
        return matches (error, ATM_CONFIG_ERROR, ATM_CONFIG_ERROR_PLATFORM)
                   ? refuse (error, ATM_TRUST_ERROR_PLATFORM_MISMATCH, found.what)
                   : atm_prefix_error (error, "%s", found.what);
      if (!atm_store_load_image (store, reference, &image, cancellable, error))
        return FALSE;
      if (image->notice != NULL)
        atm_report (report, ATM_REPORT_NOTICE, "%s: %s", found.what, image->notice);
      if (origin->notice != NULL)
        atm_report (report, ATM_REPORT_NOTICE, "%s: %s", found.what, origin->notice);
    }
  if (image_out != NULL)
    *image_out = g_steal_pointer (&image);
  return TRUE;
}

gboolean
atm_pull (const AtmSystem *system, const AtmOrigin *origin, const AtmPullOptions *options,
          const AtmReport *report, AtmStoredImage **image_out, GCancellable *cancellable,
          GError **error)
{
  g_autoptr (AtmWatchdog) watchdog = NULL;
  g_autoptr (AtmTimeLimit) limit = NULL;
  g_autoptr (GError) local = NULL;
  g_autofree char *what = NULL;

  if (options->timeout_sec == 0)
    return pull (system, origin, options, report, image_out, cancellable, error);

  g_return_val_if_fail (options->timeout_sec <= ATM_PULL_TIMEOUT_MAX_SEC, FALSE);
  watchdog = atm_watchdog_new ();
  limit = atm_time_limit_new (watchdog, cancellable);
  atm_time_limit_start (limit, options->timeout_sec * 1000);
  if (pull (system, origin, options, report, image_out, atm_time_limit_get_cancellable (limit),
            &local))
    return TRUE;
  if (!atm_time_limit_is_over (limit) || !g_error_matches (local, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  what = atm_origin_to_string (origin);
  return atm_throw (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT,
                    "%s: the pull was not done after %u seconds (--timeout); what was fetched of "
                    "its layers is kept, pull again to go on",
                    what, options->timeout_sec);
}
