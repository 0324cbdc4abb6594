/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/trust-edit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "ops/lock.h"
#include "trust/lookaside.h"
#include "trust/policy-edit.h"
#include "trust/policy.h"
#include "trust/registriesd-edit.h"
#include "trust/registriesd.h"
#include "trust/scope.h"
#include "trust/trust.h"
#include "trust/trusted-file.h"
#include "util/change.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/text.h"
#include "util/yaml.h"

#define DEFAULT_FILE "default.yaml"

struct _AtmTrustEdit
{
  AtmLock lock;
  char *policy_path;  /* (owned): links resolved */
  char *registries_d; /* (owned) */
  GBytes *policy;     /* (owned): as it is now, or as it would be made */
  AtmChange *change;  /* (owned) */
};

void
atm_trust_edit_free (AtmTrustEdit *edit)
{
  if (edit == NULL)
    return;
  atm_change_free (edit->change);
  atm_lock_clear (&edit->lock);
  g_free (edit->policy_path);
  g_free (edit->registries_d);
  g_clear_pointer (&edit->policy, g_bytes_unref);
  g_free (edit);
}

/* ---- beginning ---- */

static char *
dup_policy_path (const AtmSystem *system)
{
  const char *environment = secure_getenv ("TRUST_POLICY");
  const char *named = system->policy != NULL ? system->policy
                      : environment != NULL  ? environment
                                             : ATM_SYSCONFDIR "/containers/policy.json";
  char *resolved = realpath (named, NULL);
  char *path = resolved != NULL ? g_strdup (resolved) : g_canonicalize_filename (named, NULL);

  free (resolved);
  return path;
}

static gboolean
read_policy (AtmTrustEdit *edit, GError **error)
{
  g_autoptr (GError) local = NULL;
  g_autoptr (AtmPolicy) policy = NULL;

  if (!atm_trusted_file_read (edit->policy_path, ATM_POLICY_MAX_BYTES, &edit->policy, &local))
    {
      if (!g_error_matches (local, ATM_TRUSTED_FILE_ERROR, ATM_TRUSTED_FILE_ERROR_MISSING))
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
      edit->policy = atm_policy_edit_new ();
    }
  return atm_policy_parse (edit->policy, edit->policy_path, &policy, error);
}

gboolean
atm_trust_edit_begin (const AtmSystem *system, const AtmReport *report, AtmTrustEdit **edit_out,
                      GCancellable *cancellable, GError **error)
{
  g_autoptr (AtmTrustEdit) edit = g_new0 (AtmTrustEdit, 1);
  g_autofree char *folder = NULL, *lock = NULL;

  edit->lock.fd = -1;
  edit->change = atm_change_new ();
  edit->policy_path = dup_policy_path (system);
  edit->registries_d
      = g_strdup (system->registries_d != NULL ? system->registries_d
                                               : ATM_SYSCONFDIR "/containers/registries.d");
  folder = g_path_get_dirname (edit->policy_path);
  lock = g_strconcat (edit->policy_path, ".lock", NULL);
  if (!atm_make_dirs (folder, 0755, NULL, error)
      || !atm_lock_take (&edit->lock, lock, edit->policy_path, ATM_LOCK_WAIT, report, cancellable,
                         error)
      || !read_policy (edit, error))
    return FALSE;
  *edit_out = g_steal_pointer (&edit);
  return TRUE;
}

const char *
atm_trust_edit_get_policy (const AtmTrustEdit *edit)
{
  return edit->policy_path;
}

gboolean
atm_trust_edit_check_scope (const char *transport, const char *scope, GError **error)
{
  g_autofree char *folded = NULL, *fault = NULL;
  g_autofree char *safe = atm_text_escape (scope);

  if (*scope == '\0')
    return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_POLICY_SYNTAX,
                      "The scope is empty; `atomic trust default` is for all images");
  if (!atm_scope_read (transport, scope, &folded, error))
    return FALSE;
  fault = atm_scope_find_fault (transport, scope);
  if (fault != NULL)
    return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_POLICY_SYNTAX, "The scope “%s” %s",
                      safe, fault);
  return TRUE;
}

gboolean
atm_trust_edit_has (AtmTrustEdit *edit, const char *transport, const char *scope, gboolean *has_out,
                    GError **error)
{
  return atm_policy_edit_has (edit->policy, edit->policy_path, transport, scope, has_out, error);
}

/* ---- registries.d ---- */

static gboolean
read_file (const char *path, GBytes **bytes_out, GError **error)
{
  g_autoptr (GError) local = NULL;

  if (atm_read_file_at (AT_FDCWD, path, TRUE, ATM_YAML_MAX_BYTES, bytes_out, &local)
      || g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

/* The file that has the entry for @scope, else the one that is to have it. */
static char *
dup_file (const AtmTrustEdit *edit, const AtmRegistriesd *conf, const char *scope)
{
  g_autofree char *folded = atm_scope_fold (scope), *name = NULL;

  if (atm_registriesd_get_file (conf, scope) != NULL)
    return g_strdup (atm_registriesd_get_file (conf, scope));
  name = g_strconcat (g_strdelimit (folded, "/", '-'), ".yaml", NULL);
  return g_build_filename (edit->registries_d, name, NULL);
}

static gboolean
set_url (AtmTrustEdit *edit, const char *scope, const char *url, GError **error)
{
  g_autoptr (AtmRegistriesd) conf = NULL;
  g_autofree char *path = NULL, *checked = NULL;
  g_autoptr (GBytes) old = NULL, next = NULL;

  if (!atm_lookaside_check_url (url, &checked, error)
      || !atm_registriesd_load_folder (edit->registries_d, &conf, error))
    return FALSE;
  path = dup_file (edit, conf, scope);
  return read_file (path, &old, error)
         && atm_registriesd_edit_set (old, path, scope, checked, &next, error)
         && atm_change_add (edit->change, path, next, error);
}

static gboolean
remove_url (AtmTrustEdit *edit, const char *scope, GError **error)
{
  g_autoptr (AtmRegistriesd) conf = NULL;
  g_autoptr (GBytes) old = NULL, next = NULL;
  const char *path = NULL;

  if (!atm_registriesd_load_folder (edit->registries_d, &conf, error))
    return FALSE;
  path = atm_registriesd_get_file (conf, scope);
  if (path == NULL)
    return TRUE;
  return read_file (path, &old, error)
         && atm_registriesd_edit_remove (old, path, scope, &next, error)
         && atm_change_add (edit->change, path, next, error);
}

/* ---- the edits ---- */

/* Files are replaced in the order in which they are added. A storage that no policy asks about does
   no harm; a policy without its storage refuses what it should allow. So the storage comes first
   when both come, and last when both go. */

static gboolean
put_policy (AtmTrustEdit *edit, GBytes *next, GError **error)
{
  return atm_change_add (edit->change, edit->policy_path, next, error);
}

gboolean
atm_trust_edit_add (AtmTrustEdit *edit, const char *transport, const char *scope, JsonArray *list,
                    const char *url, GError **error)
{
  g_autoptr (GBytes) next = NULL;

  return atm_policy_edit_set (edit->policy, edit->policy_path, transport, scope, list, &next, error)
         && (url == NULL || set_url (edit, scope, url, error)) && put_policy (edit, next, error);
}

gboolean
atm_trust_edit_remove (AtmTrustEdit *edit, const char *transport, const char *scope,
                       gboolean keep_url, GError **error)
{
  g_autoptr (GBytes) next = NULL;

  return atm_policy_edit_remove (edit->policy, edit->policy_path, transport, scope, &next, error)
         && put_policy (edit, next, error)
         && (keep_url || !g_str_equal (transport, "docker") || remove_url (edit, scope, error));
}

gboolean
atm_trust_edit_set_default (AtmTrustEdit *edit, const char *type, GError **error)
{
  g_autoptr (GBytes) next = NULL;

  return atm_policy_edit_set_default (edit->policy, edit->policy_path, type, &next, error)
         && put_policy (edit, next, error);
}

gboolean
atm_trust_edit_reset (AtmTrustEdit *edit, GError **error)
{
  g_autoptr (GBytes) next = atm_policy_edit_new ();
  g_autoptr (GError) local = NULL;
  g_autoptr (GDir) dir = g_dir_open (edit->registries_d, 0, &local);
  const char *name = NULL;

  if (!put_policy (edit, next, error))
    return FALSE;
  if (dir == NULL)
    {
      if (g_error_matches (local, G_FILE_ERROR, G_FILE_ERROR_NOENT))
        return TRUE;
      g_propagate_error (error, g_steal_pointer (&local));
      return FALSE;
    }
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_build_filename (edit->registries_d, name, NULL);

      if (g_str_has_suffix (name, ".yaml") && !g_str_equal (name, DEFAULT_FILE)
          && !atm_change_add (edit->change, path, NULL, error))
        return FALSE;
    }
  return TRUE;
}

gboolean
atm_trust_edit_commit (AtmTrustEdit *edit, GError **error)
{
  return atm_change_apply (edit->change, error);
}
