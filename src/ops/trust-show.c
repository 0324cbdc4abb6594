/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/trust-show.h"

#include <string.h>

#include "trust/key-list.h"
#include "trust/keyring.h"
#include "trust/policy.h"
#include "trust/registriesd.h"
#include "trust/scope.h"
#include "trust/trust.h"
#include "util/error.h"

#define CONFIG_DIR ATM_SYSCONFDIR "/containers"
#define DEFAULT_NAME "* (default)"

static void
entry_free (AtmTrustEntry *entry)
{
  if (entry == NULL)
    return;
  g_free (entry->name);
  g_free (entry->type);
  g_strfreev (entry->keys);
  g_free (entry->users);
  g_free (entry->url);
  g_free (entry);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (AtmTrustEntry, entry_free)

void
atm_trust_view_free (AtmTrustView *view)
{
  if (view == NULL)
    return;
  g_free (view->path);
  g_clear_pointer (&view->entries, g_ptr_array_unref);
  g_clear_pointer (&view->warnings, g_ptr_array_unref);
  g_free (view);
}

static void G_GNUC_PRINTF (2, 3) warn (AtmTrustView *view, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_ptr_array_add (view->warnings, g_strdup_vprintf (format, args));
  va_end (args);
}

/* ---- keys ---- */

static void
add_keys (const AtmRequirement *requirement, GStrvBuilder *keys)
{
  for (char **path = requirement->key_paths; path != NULL && *path != NULL; path++)
    g_strv_builder_add (keys, *path);
  if (requirement->key_data != NULL)
    {
      gsize length = 0;
      const guchar *data = g_bytes_get_data (requirement->key_data, &length);
      g_autofree char *base64 = g_base64_encode (data, length);

      g_strv_builder_add (keys, base64);
    }
}

static gboolean
read_keys (const AtmSystem *system, const AtmRequirement *requirement, GPtrArray **keys_out,
           GError **error)
{
  g_autoptr (AtmOpenpgp) engine = NULL;

  return atm_openpgp_new (system->run_dir, &engine, error)
         && atm_keyring_import (requirement, engine, error)
         && atm_key_list_read (engine, keys_out, error);
}

static void
describe_keys (const AtmSystem *system, const AtmRequirement *requirement, const char *name,
               AtmTrustView *view, GPtrArray *users)
{
  g_autoptr (GPtrArray) keys = NULL;
  g_autoptr (GError) local = NULL;

  if (!read_keys (system, requirement, &keys, &local))
    {
      warn (view, "%s: no image is allowed, as its keys cannot be read: %s", name, local->message);
      return;
    }
  for (guint i = 0; i < keys->len; i++)
    {
      const AtmKey *key = g_ptr_array_index (keys, i);
      const char *user = key->address != NULL ? key->address : key->user_id;

      if (!g_ptr_array_find_with_equal_func (users, user, g_str_equal, NULL))
        g_ptr_array_add (users, g_strdup (user));
      if (key->revoked || key->expired)
        warn (view, "%s: the key %s (%s) %s, so nothing that it has signed is accepted", name,
              key->fingerprint, key->user_id, key->revoked ? "was revoked" : "has expired");
    }
}

/* ---- requirements ---- */

static void
describe_identity (const AtmRequirement *requirement, const char *name, AtmTrustView *view)
{
  if (requirement->identity->type == ATM_IDENTITY_MATCH_REPOSITORY)
    warn (view,
          "%s: “matchRepository” accepts a signature for any tag, so a registry can serve an older "
          "image of the repository instead",
          name);
  if (requirement->identity->type == ATM_IDENTITY_EXACT_REPOSITORY)
    warn (view,
          "%s: “exactRepository” accepts any image of one repository, whatever name is asked for",
          name);
}

static void
describe_list (const AtmSystem *system, GPtrArray *list, AtmTrustEntry *entry, AtmTrustView *view)
{
  g_autoptr (GStrvBuilder) keys = g_strv_builder_new ();
  g_autoptr (GPtrArray) users = g_ptr_array_new_with_free_func (g_free);

  entry->shown = ATM_TRUST_SHOWN_ACCEPT;
  for (guint i = 0; i < list->len; i++)
    {
      const AtmRequirement *requirement = g_ptr_array_index (list, i);
      AtmTrustShown shown = ATM_TRUST_SHOWN_ACCEPT;

      if (requirement->unsupported != NULL)
        warn (view, "%s: no image is allowed, as it asks for %s, which this version cannot check",
              entry->name, requirement->unsupported);
      if (requirement->unsupported != NULL || requirement->type == ATM_REQUIREMENT_REJECT)
        shown = ATM_TRUST_SHOWN_REJECT;
      else if (requirement->type == ATM_REQUIREMENT_SIGNED_BY)
        {
          shown = ATM_TRUST_SHOWN_SIGNED;
          add_keys (requirement, keys);
          describe_keys (system, requirement, entry->name, view, users);
          describe_identity (requirement, entry->name, view);
        }
      if (entry->type == NULL || shown > entry->shown)
        {
          g_free (entry->type);
          entry->type = g_strdup (atm_requirement_get_type_name (requirement));
          entry->shown = shown;
        }
    }
  g_ptr_array_add (users, NULL);
  entry->users = g_strjoinv (",", (char **) users->pdata);
  entry->keys = g_strv_builder_end (keys);
}

/* ---- the whole ---- */

static gboolean
is_elsewhere (GPtrArray *entries, const AtmPolicyEntry *entry)
{
  for (guint i = 0; i < entries->len; i++)
    {
      const AtmPolicyEntry *other = g_ptr_array_index (entries, i);

      if (other != entry && g_strcmp0 (other->scope, entry->scope) == 0)
        return TRUE;
    }
  return FALSE;
}

static char *
dup_name (GPtrArray *entries, const AtmPolicyEntry *entry)
{
  if (entry->transport == NULL)
    return g_strdup (DEFAULT_NAME);
  if (*entry->scope == '\0'
      || (!g_str_equal (entry->transport, "docker") && is_elsewhere (entries, entry)))
    return g_strconcat (entry->transport, ":", entry->scope, NULL);
  return g_strdup (entry->scope);
}

static int
compare_entries (gconstpointer a, gconstpointer b)
{
  const AtmTrustEntry *first = *(const AtmTrustEntry *const *) a;
  const AtmTrustEntry *second = *(const AtmTrustEntry *const *) b;

  if (first->is_default != second->is_default)
    return first->is_default ? -1 : 1;
  return strcmp (first->name, second->name);
}

static void
add_entry (const AtmSystem *system, const AtmRegistriesd *conf, GPtrArray *all,
           const AtmPolicyEntry *from, AtmTrustView *view)
{
  g_autoptr (AtmTrustEntry) entry = g_new0 (AtmTrustEntry, 1);
  g_autofree char *fault = NULL;
  const char *url = NULL;

  entry->name = dup_name (all, from);
  entry->is_default = from->transport == NULL;
  if (!entry->is_default)
    fault = atm_scope_find_fault (from->transport, from->scope);
  if (fault != NULL)
    warn (view, "%s: never applies: the scope %s", entry->name, fault);
  if (g_strcmp0 (from->transport, "docker") == 0 && *from->scope != '\0')
    url = atm_registriesd_look_up_scope (conf, from->scope);
  entry->url = g_strdup (url != NULL ? url : "");
  describe_list (system, from->list, entry, view);
  g_ptr_array_add (view->entries, g_steal_pointer (&entry));
}

gboolean
atm_trust_show (const AtmSystem *system, AtmTrustView **view_out, GError **error)
{
  g_autoptr (AtmTrustView) view = g_new0 (AtmTrustView, 1);
  g_autoptr (AtmPolicy) policy = NULL;
  g_autoptr (AtmRegistriesd) conf = NULL;
  g_autoptr (GPtrArray) all = NULL;

  view->entries = g_ptr_array_new_with_free_func ((GDestroyNotify) entry_free);
  view->warnings = g_ptr_array_new_with_free_func (g_free);
  if (!atm_policy_load (system->policy, CONFIG_DIR, ATM_POLICY_VENDOR_DIR, &policy, error)
      || !atm_registriesd_load (system->registries_d, CONFIG_DIR, &conf, error))
    return FALSE;
  view->path = g_strdup (atm_policy_get_path (policy));
  all = atm_policy_dup_entries (policy);
  for (guint i = 0; i < all->len; i++)
    add_entry (system, conf, all, g_ptr_array_index (all, i), view);
  g_ptr_array_sort (view->entries, compare_entries);
  *view_out = g_steal_pointer (&view);
  return TRUE;
}

gboolean
atm_trust_show_raw (const AtmSystem *system, GBytes **bytes_out, GError **error)
{
  g_autofree char *path = NULL;

  return atm_policy_read (system->policy, CONFIG_DIR, ATM_POLICY_VENDOR_DIR, bytes_out, &path,
                          error);
}
