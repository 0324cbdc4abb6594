/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include "cli/json.h"
#include "ops/sign.h"
#include "util/error.h"

static void
print_made (GPtrArray *made)
{
  for (guint i = 0; i < made->len; i++)
    {
      const AtmSigned *entry = g_ptr_array_index (made, i);

      if (entry->path != NULL)
        atm_cli_print ("Created: %s", entry->path);
      else
        atm_cli_print ("Already signed by %s: %s, %s", entry->fingerprint, entry->reference,
                       entry->digest);
    }
}

static void
print_made_json (GPtrArray *made)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_array (builder);
  for (guint i = 0; i < made->len; i++)
    {
      const AtmSigned *entry = g_ptr_array_index (made, i);

      json_builder_begin_object (builder);
      atm_cli_add_string (builder, "reference", entry->reference);
      atm_cli_add_string (builder, "digest", entry->digest);
      atm_cli_add_string (builder, "key", entry->fingerprint);
      atm_cli_add_string (builder, "path", entry->path);
      atm_json_add_boolean (builder, "created", entry->path != NULL);
      json_builder_end_object (builder);
    }
  json_builder_end_array (builder);
  atm_cli_print_json (builder);
}

/* atomic sign [OPTION…] IMAGE…; keep man/atomic-sign.1 in step */
gboolean
atm_cmd_sign (AtmCli *cli, int argc, char **argv, GError **error)
{
  g_auto (GStrv) keys = NULL;
  g_autofree char *dir = NULL, *home = NULL, *passphrase_file = NULL, *identity = NULL;
  gboolean json = FALSE;
  const GOptionEntry options[] = {
    { "sign-by", 0, 0, G_OPTION_ARG_STRING_ARRAY, &keys,
      "Sign with this key; may be given more than once", "KEY" },
    { "directory", 'd', 0, G_OPTION_ARG_FILENAME, &dir, "Where the signatures go", "DIR" },
    { "gnupghome", 'g', 0, G_OPTION_ARG_FILENAME, &home, "GnuPG home of the signer", "DIR" },
    { "passphrase-file", 0, 0, G_OPTION_ARG_FILENAME, &passphrase_file,
      "File with the passphrase of the key", "FILE" },
    { "identity", 0, 0, G_OPTION_ARG_STRING, &identity, "Sign for this name", "NAME" },
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print what was signed as JSON", NULL },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GPtrArray) made = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_signed_free);
  AtmSignOptions sign = { 0 };
  gboolean ok = TRUE;

  if (!atm_cli_parse (options, "IMAGE…",
                      "Signs images as they are in their registries now, so that hosts that trust\n"
                      "the key accept them.",
                      1, G_MAXINT, &argc, &argv, error))
    return FALSE;
  if (identity != NULL && argc > 2)
    return atm_throw (error, ATM_CLI_ERROR, ATM_CLI_ERROR_USAGE,
                      "--identity is for one image, and %d were named", argc - 1);
  sign = (AtmSignOptions){ .keys = (const char *const *) keys,
                           .dir = dir,
                           .gpg_home = home,
                           .passphrase_file = passphrase_file,
                           .identity = identity };
  for (int i = 1; i < argc && ok; i++)
    {
      g_autoptr (AtmOrigin) origin = NULL;

      ok = atm_origin_parse (argv[i], &origin, error)
           && atm_sign (cli->system, origin, &sign, &cli->report, made, cli->cancellable, error);
    }
  /* Also what was made before something failed is there. */
  if (json)
    print_made_json (made);
  else
    print_made (made);
  return ok;
}
