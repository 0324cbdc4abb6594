/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/verify.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "host/systemd.h"
#include "ops/repair.h"
#include "ops/repository.h"
#include "ops/verify-container.h"
#include "store/usage.h"
#include "util/error.h"
#include "util/fd.h"

void
atm_verify_result_clear (AtmVerifyResult *result)
{
  atm_verification_clear (&result->store);
  g_clear_pointer (&result->images, g_ptr_array_unref);
  g_clear_pointer (&result->containers, g_ptr_array_unref);
  g_clear_pointer (&result->notices, g_ptr_array_unref);
}

typedef struct
{
  const AtmSystem *system;         /* (borrowed) */
  const AtmVerifyOptions *options; /* (borrowed) */
  const AtmReport *report;         /* (borrowed) */
  GCancellable *cancellable;       /* (borrowed) (nullable) */
  AtmVerifyResult *result;         /* (borrowed) */
  AtmStore *store;                 /* (owned) */
  AtmStoreLock lock;
  GPtrArray *images;    /* (owned) (element-type AtmStoredImage): all */
  GPtrArray *installed; /* (owned) (element-type AtmInstalled): all */
  GPtrArray *chosen;    /* (owned) (element-type AtmStoredImage): (borrowed) */
  GHashTable *schemes;  /* (owned) (element-type utf8 AtmScheme): as typed, by reference */
  GHashTable *wanted;   /* (owned) (element-type utf8): containers that were asked for */
} Verify;

static void
verify_clear (Verify *verify)
{
  atm_store_lock_clear (&verify->lock);
  g_clear_pointer (&verify->store, atm_store_free);
  g_clear_pointer (&verify->images, g_ptr_array_unref);
  g_clear_pointer (&verify->installed, g_ptr_array_unref);
  g_clear_pointer (&verify->chosen, g_ptr_array_unref);
  g_clear_pointer (&verify->schemes, g_hash_table_unref);
  g_clear_pointer (&verify->wanted, g_hash_table_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Verify, verify_clear)

static void add_notice (Verify *verify, const char *format, ...) G_GNUC_PRINTF (2, 3);

static void
add_notice (Verify *verify, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_ptr_array_add (verify->result->notices, g_strdup_vprintf (format, args));
  va_end (args);
}

/* ---- what was asked for ---- */

static gboolean
is_container (Verify *verify, const char *name)
{
  for (guint i = 0; i < verify->installed->len; i++)
    if (g_str_equal (((AtmInstalled *) verify->installed->pdata[i])->container, name))
      return TRUE;
  return FALSE;
}

static gboolean
choose_name (Verify *verify, const char *name, GError **error)
{
  g_autoptr (GPtrArray) found = NULL;
  g_autoptr (AtmOrigin) origin = NULL;
  gboolean is_name = FALSE;

  if (is_container (verify, name))
    {
      g_hash_table_add (verify->wanted, g_strdup (name));
      return TRUE;
    }
  if (!atm_repository_find_image (verify->images, name, &found, error))
    return FALSE;
  is_name = atm_origin_parse (name, &origin, NULL);
  for (guint i = 0; i < found->len; i++)
    {
      AtmStoredImage *image = found->pdata[i];

      g_ptr_array_add (verify->chosen, image);
      if (is_name)
        g_hash_table_insert (verify->schemes, g_strdup (image->reference),
                             GINT_TO_POINTER (origin->scheme));
    }
  return TRUE;
}

static gboolean
choose (Verify *verify, GError **error)
{
  for (guint i = 0; verify->options->all && i < verify->images->len; i++)
    g_ptr_array_add (verify->chosen, verify->images->pdata[i]);
  for (guint i = 0; verify->options->all && i < verify->installed->len; i++)
    g_hash_table_add (verify->wanted,
                      g_strdup (((AtmInstalled *) verify->installed->pdata[i])->container));
  for (guint i = 0; !verify->options->all && verify->options->names[i] != NULL; i++)
    if (!choose_name (verify, verify->options->names[i], error))
      return FALSE;
  for (guint i = 0; i < verify->chosen->len; i++)
    {
      const AtmStoredImage *image = verify->chosen->pdata[i];

      g_ptr_array_add (verify->result->images, g_strdup (image->reference));
      if (image->problem != NULL)
        add_notice (verify, "the record of %s is damaged (%s); delete the image and pull it again",
                    image->reference, image->problem);
    }
  return TRUE;
}

/* The image that a deployment was checked out from; %NULL if no name leads to it any more. */
static const AtmStoredImage *
find_by_commit (Verify *verify, const char *commit)
{
  for (guint i = 0; i < verify->images->len; i++)
    if (g_strcmp0 (((AtmStoredImage *) verify->images->pdata[i])->commit, commit) == 0)
      return verify->images->pdata[i];
  return NULL;
}

static void
add_commits (GHashTable *set, char **commits)
{
  for (guint i = 0; commits[i] != NULL; i++)
    g_hash_table_add (set, commits[i]);
  g_free (commits);
}

static gboolean
verify_store (Verify *verify, GError **error)
{
  g_autoptr (GHashTable) set = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autofree const char **commits = NULL;

  for (guint i = 0; i < verify->chosen->len; i++)
    add_commits (set, atm_usage_dup_commits (verify->store, verify->chosen->pdata[i]));
  for (guint i = 0; i < verify->installed->len; i++)
    {
      const AtmInstalled *installed = verify->installed->pdata[i];
      const AtmStoredImage *image = NULL;

      if (installed->info == NULL || installed->info->commit == NULL
          || !g_hash_table_contains (verify->wanted, installed->container))
        continue;
      image = find_by_commit (verify, installed->info->commit);
      if (image != NULL)
        add_commits (set, atm_usage_dup_commits (verify->store, image));
      else if (atm_store_has_commit (verify->store, installed->info->commit))
        g_hash_table_add (set, g_strdup (installed->info->commit));
    }
  commits = (const char **) g_hash_table_get_keys_as_array (set, NULL);
  return atm_store_verify (verify->store, commits, &verify->result->store, verify->cancellable,
                           error)
         && atm_verify_find_uses (verify->store, verify->result->store.damages, verify->images,
                                  verify->cancellable, error);
}

/* ---- repair ---- */

/* Whether @image has @damage: in its tree, or in a layer, by the digests in its manifest. */
static gboolean
has_damage (const AtmStoredImage *image, GHashTable *blobs, const AtmDamage *damage)
{
  for (guint i = 0; i < damage->uses->len; i++)
    {
      const AtmDamageUse *use = damage->uses->pdata[i];

      if (g_strcmp0 (use->image, image->reference) == 0
          || (use->layer != NULL && g_hash_table_contains (blobs, use->layer)))
        return TRUE;
    }
  return FALSE;
}

/* What is left for an import of @image to bring; its own record cannot be brought. */
static gboolean
must_import (Verify *verify, AtmRepair *repair, const AtmStoredImage *image)
{
  g_autoptr (GHashTable) blobs = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autofree char *record = g_strconcat (image->commit, ".commit", NULL);
  GPtrArray *damages = verify->result->store.damages;
  gboolean needed = FALSE;

  if (image->manifest == NULL)
    return FALSE;
  atm_usage_add_blobs (image->manifest, blobs);
  for (guint i = 0; i < damages->len; i++)
    {
      const AtmDamage *damage = damages->pdata[i];

      if (g_str_equal (damage->object, record))
        {
          add_notice (verify,
                      "the record of %s is damaged, so nothing it says can be relied on; delete "
                      "the image with --force and pull it again",
                      image->reference);
          return FALSE;
        }
      needed |= !atm_repair_has (repair, damage) && has_damage (image, blobs, damage);
    }
  return needed;
}

static gboolean
import (Verify *verify, AtmRepair *repair, GError **error)
{
  g_autoptr (GHashTable) done = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < verify->images->len; i++)
    {
      const AtmStoredImage *image = verify->images->pdata[i];
      const AtmScheme scheme
          = (AtmScheme) GPOINTER_TO_INT (g_hash_table_lookup (verify->schemes, image->reference));
      g_autoptr (GError) local = NULL;

      if (!g_hash_table_add (done, image->commit) || !must_import (verify, repair, image)
          || atm_repair_image (verify->system, repair, image, scheme, verify->report,
                               verify->cancellable, &local))
        continue;
      if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
      add_notice (verify, "%s cannot be repaired: %s", image->reference, local->message);
    }
  return TRUE;
}

/* The shared lock while layers are fetched, for that may take long and others may pull meanwhile;
   alone while objects and files are replaced, so that nobody links an old one in between. */
static gboolean
repair_store (Verify *verify, GError **error)
{
  GPtrArray *damages = verify->result->store.damages;
  g_autoptr (AtmRepair) repair = NULL;

  if (damages->len > 0
      && (!atm_repair_begin (verify->store, damages, &repair, verify->cancellable, error)
          || !import (verify, repair, error)))
    return FALSE;
  atm_store_lock_clear (&verify->lock);
  if (!atm_repository_lock (verify->system, verify->store, TRUE, verify->report, &verify->lock,
                            verify->cancellable, error))
    return FALSE;
  return repair == NULL || atm_repair_apply (repair, verify->cancellable, error);
}

/* ---- containers ---- */

static gboolean
is_running (GHashTable *states, const char *container)
{
  g_autofree char *unit = g_strconcat (container, ".service", NULL);
  const char *state = states != NULL ? g_hash_table_lookup (states, unit) : NULL;

  return state != NULL && !g_str_equal (state, "inactive") && !g_str_equal (state, "failed")
         && !g_str_equal (state, "not-found");
}

/* %NULL, with a notice, where systemd does not answer. */
static GHashTable *
ask_states (Verify *verify)
{
  g_autoptr (GPtrArray) units = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (AtmSystemd) systemd = NULL;
  g_autoptr (GError) local = NULL;
  GHashTable *states = NULL;

  for (guint i = 0; i < verify->result->containers->len; i++)
    {
      const AtmVerifiedContainer *container = verify->result->containers->pdata[i];

      if (container->findings->len > 0)
        g_ptr_array_add (units, g_strconcat (container->container, ".service", NULL));
    }
  if (units->len == 0)
    return NULL;
  g_ptr_array_add (units, NULL);
  if (!atm_systemd_connect (&systemd, &local)
      || !atm_systemd_list_states (systemd, (const char *const *) units->pdata,
                                   verify->system->unit_dir, &states, &local))
    add_notice (verify, "it is not known which services run: %s", local->message);
  return states;
}

/* Containers that were asked for; the others only where they share damaged objects. */
static gboolean
verify_containers (Verify *verify, GHashTable *before, GError **error)
{
  g_autoptr (GHashTable) damages = atm_verify_dup_table (verify->result->store.damages);
  g_autoptr (GHashTable) states = NULL;

  for (guint i = 0; i < verify->installed->len; i++)
    {
      const AtmInstalled *installed = verify->installed->pdata[i];
      const gboolean wanted = g_hash_table_contains (verify->wanted, installed->container);
      AtmVerifiedContainer *container = NULL;

      if (!wanted && g_hash_table_size (before) == 0)
        continue;
      if (!atm_verify_container (verify->system, verify->store, installed, damages, before, wanted,
                                 verify->options->repair, &container, verify->cancellable, error))
        return FALSE;
      if (container != NULL)
        g_ptr_array_add (verify->result->containers, container);
    }
  states = ask_states (verify);
  for (guint i = 0; i < verify->result->containers->len; i++)
    {
      AtmVerifiedContainer *container = verify->result->containers->pdata[i];

      container->running = container->current && is_running (states, container->container);
    }
  return TRUE;
}

static gboolean
is_healthy (const AtmVerifyResult *result, const Verify *verify)
{
  for (guint i = 0; i < verify->chosen->len; i++)
    if (((AtmStoredImage *) verify->chosen->pdata[i])->problem != NULL)
      return FALSE;
  for (guint i = 0; i < result->store.damages->len; i++)
    if (!((AtmDamage *) result->store.damages->pdata[i])->repaired)
      return FALSE;
  for (guint i = 0; i < result->containers->len; i++)
    {
      const AtmVerifiedContainer *container = result->containers->pdata[i];

      if (container->problem != NULL)
        return FALSE;
      for (guint f = 0; f < container->findings->len; f++)
        if (!((AtmFinding *) container->findings->pdata[f])->repaired)
          return FALSE;
    }
  return TRUE;
}

static gboolean
run (Verify *verify, GError **error)
{
  g_autoptr (GHashTable) before = NULL;

  if (!atm_repository_open (verify->system, &verify->store, verify->cancellable, error)
      || !atm_repository_lock (verify->system, verify->store, FALSE, verify->report, &verify->lock,
                               verify->cancellable, error)
      || !atm_store_list_images (verify->store, &verify->images, verify->cancellable, error)
      || !atm_repository_list_installed (verify->system, &verify->installed, error)
      || !choose (verify, error) || !verify_store (verify, error))
    return FALSE;
  before = atm_verify_dup_table (verify->result->store.damages);
  if ((verify->options->repair && !repair_store (verify, error))
      || !verify_containers (verify, before, error))
    return FALSE;
  verify->result->healthy = is_healthy (verify->result, verify);
  return TRUE;
}

gboolean
atm_verify (const AtmSystem *system, const AtmVerifyOptions *options, const AtmReport *report,
            AtmVerifyResult *result_out, GCancellable *cancellable, GError **error)
{
  g_auto (AtmVerifyResult) result = {
    .images = g_ptr_array_new_with_free_func (g_free),
    .containers = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_verified_container_free),
    .notices = g_ptr_array_new_with_free_func (g_free),
  };
  g_auto (Verify) verify = {
    .system = system,
    .options = options,
    .report = report,
    .cancellable = cancellable,
    .result = &result,
    .chosen = g_ptr_array_new (),
    .schemes = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL),
    .wanted = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL),
  };

  if (!run (&verify, error))
    return FALSE;
  *result_out = result;
  memset (&result, 0, sizeof result);
  return TRUE;
}
