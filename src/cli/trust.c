/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include "ops/trust-edit.h"
#include "ops/trust-key.h"
#include "util/error.h"

#define SIGNED_BY "signedBy"
#define ACCEPT "insecureAcceptAnything"
#define REJECT "reject"

static gboolean
throw_usage (GError **error, const char *message)
{
  return atm_throw (error, ATM_CLI_ERROR, ATM_CLI_ERROR_USAGE, "%s", message);
}

/* --sigstoretype of the Python tool, and the layouts that it did not know. */
static gboolean
find_transport (const char *word, const char **transport_out, GError **error)
{
  const struct
  {
    const char *word;
    const char *transport;
  } table[] = { { "web", "docker" }, { "atomic", "atomic" }, { "local", "dir" }, { "oci", "oci" } };

  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    if (word == NULL || g_str_equal (word, table[i].word))
      {
        *transport_out = table[i].transport;
        return TRUE;
      }
  return throw_usage (error, "--sigstoretype is one of web, atomic, local and oci");
}

static gboolean
finish (AtmCli *cli, AtmTrustEdit *edit, GError **error)
{
  if (!atm_trust_edit_commit (edit, error))
    return FALSE;
  atm_report (&cli->report, ATM_REPORT_NOTICE, "Changed: %s", atm_trust_edit_get_policy (edit));
  return TRUE;
}

/* ---- add ---- */

typedef struct
{
  char **keys;         /* (owned) (nullable) */
  char **key_files;    /* (owned) (nullable) */
  char *type;          /* (owned) (nullable) */
  char *key_type;      /* (owned) (nullable) */
  gboolean any;        /* one of the keys is enough */
  char *url;           /* (owned) (nullable) */
  char *sigstore_type; /* (owned) (nullable) */
  char *policy;        /* (owned) (nullable) */
} Addition;

static void
addition_clear (Addition *addition)
{
  g_clear_pointer (&addition->keys, g_strfreev);
  g_clear_pointer (&addition->key_files, g_strfreev);
  g_clear_pointer (&addition->type, g_free);
  g_clear_pointer (&addition->key_type, g_free);
  g_clear_pointer (&addition->url, g_free);
  g_clear_pointer (&addition->sigstore_type, g_free);
  g_clear_pointer (&addition->policy, g_free);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Addition, addition_clear)

static gboolean
check_addition (const Addition *addition, const char *transport, GError **error)
{
  const char *const types[] = { SIGNED_BY, ACCEPT, REJECT, NULL };
  const char *type = addition->type != NULL ? addition->type : SIGNED_BY;
  gboolean has_keys = addition->keys != NULL || addition->key_files != NULL;

  if (!g_strv_contains (types, type))
    return throw_usage (error, "--type is one of " SIGNED_BY ", " ACCEPT " and " REJECT);
  if (addition->key_type != NULL && !g_str_equal (addition->key_type, "GPGKeys"))
    return throw_usage (error, "--keytype: only GPGKeys can be checked");
  if (g_str_equal (type, SIGNED_BY) != has_keys)
    return throw_usage (error, has_keys ? "--pubkeys and --pubkeysfile are for --type " SIGNED_BY
                                        : "name the key of the publisher with --pubkeys or "
                                          "--pubkeysfile");
  if (addition->any && addition->keys != NULL && addition->key_files != NULL)
    return throw_usage (error, "--any needs keys of one kind: all by --pubkeys or all by "
                               "--pubkeysfile");
  if (addition->url != NULL && !g_str_equal (transport, "docker"))
    return throw_usage (error, "--sigstore is for images of registries (--sigstoretype web)");
  return TRUE;
}

static gboolean
confirm_plain_keys (const AtmCli *cli, const Addition *addition, GError **error)
{
  for (char **key = addition->keys; key != NULL && *key != NULL; key++)
    if (g_str_has_prefix (*key, "http:"))
      {
        atm_report (&cli->report, ATM_REPORT_NOTICE,
                    "%s: everybody on the way can put another key there; compare the fingerprint",
                    *key);
        if (!atm_cli_confirm (cli, "use of a key from an http: address", error))
          return FALSE;
      }
  return TRUE;
}

static gboolean
load_keys (AtmCli *cli, const Addition *addition, GPtrArray *keys, GError **error)
{
  AtmPolicyKey *key = NULL;

  for (char **word = addition->keys; word != NULL && *word != NULL; word++)
    {
      if (!atm_trust_key_load (cli->system, *word, &cli->report, &key, cli->cancellable, error))
        return FALSE;
      g_ptr_array_add (keys, key);
    }
  for (char **path = addition->key_files; path != NULL && *path != NULL; path++)
    {
      if (!atm_trust_key_load_file (cli->system, *path, &cli->report, &key, error))
        return FALSE;
      g_ptr_array_add (keys, key);
    }
  if (!addition->any || addition->keys == NULL)
    return TRUE;
  if (!atm_trust_key_join (cli->system, keys, &key, error))
    return FALSE;
  g_ptr_array_set_size (keys, 0);
  g_ptr_array_add (keys, key);
  return TRUE;
}

static gboolean
confirm_replacement (AtmCli *cli, AtmTrustEdit *edit, const char *transport, const char *scope,
                     GError **error)
{
  gboolean has = FALSE;

  if (!atm_trust_edit_has (edit, transport, scope, &has, error))
    return FALSE;
  if (!has)
    return TRUE;
  atm_report (&cli->report, ATM_REPORT_NOTICE, "There is an entry for %s already; it is replaced",
              scope);
  return atm_cli_confirm (cli, "replacement of a trust entry", error);
}

static gboolean
add (AtmCli *cli, const Addition *addition, const char *scope, GError **error)
{
  const char *transport = NULL;
  g_autoptr (GPtrArray) keys
      = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_policy_key_free);
  g_autoptr (AtmTrustEdit) edit = NULL;
  JsonArray *list = NULL;

  /* The lock comes last of what may wait for somebody else, so that nobody waits for us. */
  if (!find_transport (addition->sigstore_type, &transport, error)
      || !check_addition (addition, transport, error)
      || !atm_trust_edit_check_scope (transport, scope, error)
      || !confirm_plain_keys (cli, addition, error) || !load_keys (cli, addition, keys, error)
      || !atm_trust_edit_begin (cli->system, &cli->report, &edit, cli->cancellable, error)
      || !confirm_replacement (cli, edit, transport, scope, error))
    return FALSE;
  list = atm_policy_edit_new_list (addition->type != NULL ? addition->type : SIGNED_BY, keys,
                                   addition->any);
  return atm_trust_edit_add (edit, transport, scope, list, addition->url, error)
         && finish (cli, edit, error);
}

/* atomic trust add [OPTION…] SCOPE; keep man/atomic-trust.1 in step */
gboolean
atm_cmd_trust_add (AtmCli *cli, int argc, char **argv, GError **error)
{
  g_auto (Addition) addition = { 0 };
  const GOptionEntry options[] = {
    { "pubkeys", 'k', 0, G_OPTION_ARG_STRING_ARRAY, &addition.keys,
      "Key of the publisher, stored in the policy: a file, an https: URL, or a key in your ring",
      "KEY" },
    { "pubkeysfile", 'f', 0, G_OPTION_ARG_FILENAME_ARRAY, &addition.key_files,
      "File with the key, named in the policy", "FILE" },
    { "type", 't', 0, G_OPTION_ARG_STRING, &addition.type,
      "signedBy (default), insecureAcceptAnything or reject", "TYPE" },
    { "keytype", 0, 0, G_OPTION_ARG_STRING, &addition.key_type, "Only GPGKeys", "TYPE" },
    { "any", 0, 0, G_OPTION_ARG_NONE, &addition.any,
      "A signature by one of the keys is enough; else all must have signed", NULL },
    { "sigstore", 's', 0, G_OPTION_ARG_STRING, &addition.url, "Where the signatures are", "URL" },
    { "sigstoretype", 0, 0, G_OPTION_ARG_STRING, &addition.sigstore_type,
      "web (default), atomic, local or oci", "TYPE" },
    { "policy", 0, 0, G_OPTION_ARG_FILENAME, &addition.policy,
      "Trust policy instead of policy.json", "FILE" },
    G_OPTION_ENTRY_NULL,
  };

  if (!atm_cli_parse (options, "SCOPE",
                      "Says what images of SCOPE must be to be allowed here. SCOPE is\n"
                      "HOST[:PORT][/PATH[:TAG]], or *.DOMAIN, or a folder for local images.",
                      1, 1, &argc, &argv, error))
    return FALSE;
  atm_cli_use_policy (cli, g_steal_pointer (&addition.policy));
  return add (cli, &addition, argv[1], error);
}

/* ---- delete ---- */

/* atomic trust delete [OPTION…] SCOPE; keep man/atomic-trust.1 in step */
gboolean
atm_cmd_trust_delete (AtmCli *cli, int argc, char **argv, GError **error)
{
  gboolean keep = FALSE;
  g_autofree char *sigstore_type = NULL, *policy = NULL;
  const GOptionEntry options[] = {
    { "sigstoretype", 0, 0, G_OPTION_ARG_STRING, &sigstore_type,
      "web (default), atomic, local or oci", "TYPE" },
    { "save-sigstore", 0, 0, G_OPTION_ARG_NONE, &keep, "Leave registries.d as it is", NULL },
    { "policy", 0, 0, G_OPTION_ARG_FILENAME, &policy, "Trust policy instead of policy.json",
      "FILE" },
    G_OPTION_ENTRY_NULL,
  };
  const char *transport = NULL;
  g_autoptr (AtmTrustEdit) edit = NULL;

  if (!atm_cli_parse (options, "SCOPE",
                      "Removes the entry for SCOPE; its images are judged by a broader entry or\n"
                      "the default then.",
                      1, 1, &argc, &argv, error))
    return FALSE;
  atm_cli_use_policy (cli, g_steal_pointer (&policy));
  return find_transport (sigstore_type, &transport, error)
         && atm_trust_edit_begin (cli->system, &cli->report, &edit, cli->cancellable, error)
         && atm_trust_edit_remove (edit, transport, argv[1], keep, error)
         && finish (cli, edit, error);
}

/* ---- default and reset ---- */

static const char *
find_default (const char *word)
{
  return g_str_equal (word, "accept") ? ACCEPT : g_str_equal (word, "reject") ? REJECT : NULL;
}

/* atomic trust default [OPTION…] accept|reject; keep man/atomic-trust.1 in step */
gboolean
atm_cmd_trust_default (AtmCli *cli, int argc, char **argv, GError **error)
{
  g_autofree char *policy = NULL;
  const GOptionEntry options[] = {
    { "policy", 0, 0, G_OPTION_ARG_FILENAME, &policy, "Trust policy instead of policy.json",
      "FILE" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (AtmTrustEdit) edit = NULL;

  if (!atm_cli_parse (options, "accept|reject", "Says what becomes of images that no entry is for.",
                      1, 1, &argc, &argv, error))
    return FALSE;
  if (find_default (argv[1]) == NULL)
    return throw_usage (error, "the default is accept or reject");
  atm_cli_use_policy (cli, g_steal_pointer (&policy));
  return atm_trust_edit_begin (cli->system, &cli->report, &edit, cli->cancellable, error)
         && atm_trust_edit_set_default (edit, find_default (argv[1]), error)
         && finish (cli, edit, error);
}

/* atomic trust reset [OPTION…]; keep man/atomic-trust.1 in step */
gboolean
atm_cmd_trust_reset (AtmCli *cli, int argc, char **argv, GError **error)
{
  g_autofree char *policy = NULL;
  const GOptionEntry options[] = {
    { "policy", 0, 0, G_OPTION_ARG_FILENAME, &policy, "Trust policy instead of policy.json",
      "FILE" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (AtmTrustEdit) edit = NULL;

  if (!atm_cli_parse (options, "",
                      "Removes all entries and where their signatures are; nothing is allowed\n"
                      "after that.",
                      0, 0, &argc, &argv, error))
    return FALSE;
  atm_cli_use_policy (cli, g_steal_pointer (&policy));
  return atm_trust_edit_begin (cli->system, &cli->report, &edit, cli->cancellable, error)
         && atm_cli_confirm (cli, "removal of all trust entries", error)
         && atm_trust_edit_reset (edit, error) && finish (cli, edit, error);
}
