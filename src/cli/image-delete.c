/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include "cli/json.h"
#include "cli/progress.h"
#include "cli/table.h"
#include "ops/image-delete.h"
#include "util/error.h"
#include "util/text.h"

static const AtmColumn doomed_columns[] = {
  { "ID", NULL, NULL, ATM_COLUMN_STRING, 12, 0 },
  { "IMAGE_NAME", NULL, NULL, ATM_COLUMN_STRING, 0, 0 },
  { "STORAGE", NULL, NULL, ATM_COLUMN_STRING, 0, 0 },
};

static gboolean
confirm (const AtmCli *cli, GPtrArray *doomed, GError **error)
{
  g_auto (AtmTable) table = { 0 };
  AtmTableOptions options = { 0 };
  g_autoptr (GPtrArray) names = g_ptr_array_new ();

  atm_table_init (&table, doomed_columns, G_N_ELEMENTS (doomed_columns), 0);
  for (guint i = 0; i < doomed->len; i++)
    {
      const AtmDoomedImage *image = doomed->pdata[i];
      char *cells[] = { g_strdup (image->id), g_strdup (image->reference), g_strdup ("ostree") };

      atm_table_add (&table, cells);
      g_ptr_array_add (names, image->reference);
    }
  g_print ("The following images will be deleted.\n");
  return atm_table_print (&table, &options, error) && atm_cli_confirm_delete (cli, names, error);
}

/* atomic images delete [OPTION…] IMAGE…; keep man/atomic-images.1 in step */
gboolean
atm_cmd_images_delete (AtmCli *cli, int argc, char **argv, GError **error)
{
  gboolean all = FALSE, force = FALSE, remote = FALSE;
  g_autofree char *storage = NULL;
  const GOptionEntry options[] = {
    { "all", 'a', 0, G_OPTION_ARG_NONE, &all, "All that are not in use", NULL },
    { "force", 'f', 0, G_OPTION_ARG_NONE, &force, "Also those that containers use", NULL },
    { "remote", 0, G_OPTION_FLAG_HIDDEN, G_OPTION_ARG_NONE, &remote, NULL, NULL },
    { "storage", 0, 0, G_OPTION_ARG_STRING, &storage, "Only “ostree”", "STORAGE" },
    ATM_CLI_NO_WAIT (cli),
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GPtrArray) doomed = NULL;

  if (!atm_cli_parse (
          options, "IMAGE…",
          "Deletes images, named or by their ids; an id deletes all names of an image.\n"
          "`atomic images prune` frees the space.",
          0, G_MAXINT, &argc, &argv, error)
      || !atm_cli_check_storage (storage, error))
    return FALSE;
  if (remote)
    return atm_throw (error, ATM_CLI_ERROR, ATM_CLI_ERROR_USAGE,
                      "images in a registry are not deleted; use the registry's own means");
  if (all != (argc == 1))
    return atm_throw (error, ATM_CLI_ERROR, ATM_CLI_ERROR_USAGE, "say either IMAGE… or --all");
  if (!atm_image_delete_plan (cli->system, argv + 1, all, force, &cli->report, &doomed,
                              cli->cancellable, error))
    return FALSE;
  return doomed->len == 0
         || (confirm (cli, doomed, error)
             && atm_image_delete (cli->system, doomed, force, &cli->report, cli->cancellable,
                                  error));
}

/* atomic images prune [OPTION…]; keep man/atomic-images.1 in step */
gboolean
atm_cmd_images_prune (AtmCli *cli, int argc, char **argv, GError **error)
{
  gboolean dry_run = FALSE, json = FALSE;
  const GOptionEntry options[] = {
    { "dry-run", 0, 0, G_OPTION_ARG_NONE, &dry_run, "Only say what would go", NULL },
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON", NULL },
    ATM_CLI_NO_WAIT (cli),
    G_OPTION_ENTRY_NULL,
  };
  g_auto (AtmImagePruned) pruned = { 0 };
  g_autofree char *freed = NULL;

  if (!atm_cli_parse (
          options, NULL,
          "Removes layers that no image needs, and what commands left that were killed.", 0, 0,
          &argc, &argv, error))
    return FALSE;
  if (json)
    atm_cli_report_to_stderr (&cli->report);
  if (!atm_image_prune (cli->system, dry_run, &cli->report, &pruned, cli->cancellable, error))
    return FALSE;
  freed = atm_text_size (pruned.freed_bytes);
  if (json)
    {
      g_autoptr (JsonBuilder) builder = json_builder_new ();

      json_builder_begin_object (builder);
      atm_json_add_boolean (builder, "dry_run", dry_run);
      atm_cli_add_strings (builder, "refs", pruned.refs);
      atm_cli_add_strings (builder, "deployments", pruned.deployments);
      atm_cli_add_number (builder, "objects", pruned.n_objects);
      atm_cli_add_number (builder, "bytes", pruned.freed_bytes);
      atm_cli_add_number (builder, "partials", pruned.n_partials);
      atm_cli_add_number (builder, "partials_bytes", pruned.partials_bytes);
      json_builder_end_object (builder);
      atm_cli_print_json (builder);
    }
  else
    g_print ("%u objects that nobody needs, %s%s\n", pruned.n_objects, freed,
             dry_run ? " (nothing was removed)" : "");
  return TRUE;
}

/* atomic images tag [OPTION…] IMAGE TARGET; keep man/atomic-images.1 in step */
gboolean
atm_cmd_images_tag (AtmCli *cli, int argc, char **argv, GError **error)
{
  g_autofree char *storage = NULL;
  const GOptionEntry options[] = {
    { "storage", 0, 0, G_OPTION_ARG_STRING, &storage, "Only “ostree”", "STORAGE" },
    ATM_CLI_NO_WAIT (cli),
    G_OPTION_ENTRY_NULL,
  };

  return atm_cli_parse (options, "IMAGE TARGET", "Gives IMAGE a second name, TARGET.", 2, 2, &argc,
                        &argv, error)
         && atm_cli_check_storage (storage, error)
         && atm_image_tag (cli->system, argv[1], argv[2], &cli->report, cli->cancellable, error);
}

static gboolean
pin (AtmCli *cli, const char *summary, gboolean pinned, int argc, char **argv, GError **error)
{
  const GOptionEntry options[] = { ATM_CLI_NO_WAIT (cli), G_OPTION_ENTRY_NULL };

  if (!atm_cli_parse (options, "IMAGE…", summary, 1, G_MAXINT, &argc, &argv, error))
    return FALSE;
  for (int i = 1; i < argc; i++)
    if (!atm_image_pin (cli->system, argv[i], pinned, &cli->report, cli->cancellable, error))
      return FALSE;
  return TRUE;
}

/* atomic images pin IMAGE…; keep man/atomic-images.1 in step */
gboolean
atm_cmd_images_pin (AtmCli *cli, int argc, char **argv, GError **error)
{
  return pin (cli, "Protects images against `atomic images delete`.", TRUE, argc, argv, error);
}

/* atomic images unpin IMAGE…; keep man/atomic-images.1 in step */
gboolean
atm_cmd_images_unpin (AtmCli *cli, int argc, char **argv, GError **error)
{
  return pin (cli, "Takes the protection of `atomic images pin` away.", FALSE, argc, argv, error);
}
