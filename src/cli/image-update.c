/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include "cli/progress.h"
#include "cli/table.h"
#include "ops/image-info.h"
#include "ops/verify.h"
#include "util/error.h"

static gboolean
check_names (gboolean all, int argc, GError **error)
{
  if (all != (argc == 1))
    return atm_throw (error, ATM_CLI_ERROR, ATM_CLI_ERROR_USAGE, "say either IMAGE… or --all");
  return TRUE;
}

/* atomic images update [OPTION…] IMAGE…; keep man/atomic-images.1 in step */
gboolean
atm_cmd_images_update (AtmCli *cli, int argc, char **argv, GError **error)
{
  gboolean all = FALSE, force = FALSE;
  g_autofree char *storage = NULL;
  const GOptionEntry options[] = {
    { "all", 'a', 0, G_OPTION_ARG_NONE, &all, "All images with a full name", NULL },
    { "force", 'f', 0, G_OPTION_ARG_NONE, &force, "Accepted without effect", NULL },
    { "storage", 0, 0, G_OPTION_ARG_STRING, &storage, "Only “ostree”", "STORAGE" },
    ATM_CLI_NO_WAIT (cli),
    G_OPTION_ENTRY_NULL,
  };

  if (!atm_cli_parse (options, "IMAGE…", "Pulls images again from where they came from.", 0,
                      G_MAXINT, &argc, &argv, error)
      || !atm_cli_check_storage (storage, error) || !check_names (all, argc, error))
    return FALSE;
  if (force)
    g_printerr ("--force is not supported by ostree images\n");
  return atm_image_update (cli->system, argv + 1, all, &cli->report, cli->cancellable, error);
}

static const AtmColumn columns[] = {
  { "NAME", "name", NULL, ATM_COLUMN_STRING, 0, 0 },
  { "LOCAL VERSION", "local_version", NULL, ATM_COLUMN_STRING, 0, 0 },
  { "REMOTE VERSION", "remote_version", NULL, ATM_COLUMN_STRING, 0, 0 },
  { "DIFFERS", NULL, NULL, ATM_COLUMN_STRING, 0, 0 },
  { NULL, "differs", NULL, ATM_COLUMN_BOOLEAN, 0, 0 },
  { NULL, "local_id", NULL, ATM_COLUMN_STRING, 0, 0 },
  { NULL, "remote_id", NULL, ATM_COLUMN_STRING, 0, 0 },
};

/* Most images have no version; then the id tells them apart. */
static char *
dup_shown (const char *version, const char *id)
{
  if (version != NULL && *version != '\0')
    return g_strdup (version);
  return id != NULL ? g_strndup (id, 12) : g_strdup ("unknown");
}

static void
add_row (AtmTable *table, const AtmImageVersion *version, gboolean differs)
{
  char *cells[] = {
    g_strdup (version->reference),
    dup_shown (version->version, version->id),
    dup_shown (version->remote_version, version->remote_id),
    g_strdup (differs ? "YES" : "NO"),
    g_strdup (differs ? "true" : "false"),
    g_strdup (version->id),
    g_strdup (version->remote_id),
  };

  G_STATIC_ASSERT (G_N_ELEMENTS (cells) == G_N_ELEMENTS (columns));
  atm_table_add (table, cells);
}

static gboolean
check_content (AtmCli *cli, char **names, gboolean all, GError **error)
{
  const AtmVerifyOptions options = { .names = names, .all = all };
  g_auto (AtmVerifyResult) result = { 0 };

  if (!atm_verify (cli->system, &options, &cli->report, &result, cli->cancellable, error))
    return FALSE;
  return result.healthy
         || atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                       "What is stored is damaged; `atomic verify` tells which files, and "
                       "`atomic verify --repair` fetches them again");
}

/* atomic images verify [OPTION…] IMAGE…; keep man/atomic-images.1 in step */
gboolean
atm_cmd_images_verify (AtmCli *cli, int argc, char **argv, GError **error)
{
  gboolean all = FALSE, verbose = FALSE, no_validate = FALSE, json = FALSE;
  g_autofree char *storage = NULL;
  const GOptionEntry options[] = {
    { "all", 'a', 0, G_OPTION_ARG_NONE, &all, "All images", NULL },
    { "verbose", 'v', 0, G_OPTION_ARG_NONE, &verbose, "Also images that do not differ", NULL },
    { "no-validate", 0, 0, G_OPTION_ARG_NONE, &no_validate, "Do not hash what is stored", NULL },
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON", NULL },
    { "storage", 0, 0, G_OPTION_ARG_STRING, &storage, "Only “ostree”", "STORAGE" },
    ATM_CLI_NO_WAIT (cli),
    G_OPTION_ENTRY_NULL,
  };
  g_auto (AtmTable) table = { 0 };
  AtmTableOptions table_options = { 0 };
  g_autoptr (GPtrArray) versions = NULL;

  atm_table_init (&table, columns, G_N_ELEMENTS (columns), 0);
  if (!atm_cli_parse (options, "IMAGE…",
                      "Hashes what is stored of images, and compares them with their registry.", 0,
                      G_MAXINT, &argc, &argv, error)
      || !atm_cli_check_storage (storage, error) || !check_names (all, argc, error))
    return FALSE;
  if (json)
    atm_cli_report_to_stderr (&cli->report);
  if ((!no_validate && !check_content (cli, argv + 1, all, error))
      || !atm_image_versions (cli->system, argv + 1, all, TRUE, &cli->report, &versions,
                              cli->cancellable, error))
    return FALSE;
  for (guint i = 0; i < versions->len; i++)
    {
      const AtmImageVersion *version = versions->pdata[i];
      const gboolean differs = g_strcmp0 (version->id, version->remote_id) != 0;

      if (differs || verbose || json)
        add_row (&table, version, differs);
    }
  table_options.json = json;
  return atm_table_print (&table, &table_options, error);
}
