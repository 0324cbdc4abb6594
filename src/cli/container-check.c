/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include "cli/json.h"
#include "ops/check.h"
#include "util/error.h"

static void
print_text (GPtrArray *all)
{
  for (guint i = 0; i < all->len; i++)
    {
      const AtmCheckedContainer *checked = all->pdata[i];

      for (guint k = 0; k < checked->problems->len; k++)
        atm_cli_print ("%s: %s", checked->container, (const char *) checked->problems->pdata[k]);
    }
}

/* man/atomic-containers.1 describes the members */
static void
print_json (GPtrArray *all)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_array (builder);
  for (guint i = 0; i < all->len; i++)
    {
      const AtmCheckedContainer *checked = all->pdata[i];

      json_builder_begin_object (builder);
      atm_cli_add_string (builder, "container", checked->container);
      atm_cli_add_string (builder, "deployment", checked->deployment);
      atm_json_add_boolean (builder, "starts", checked->problems->len == 0);
      g_ptr_array_add (checked->problems, NULL);
      atm_cli_add_strings (builder, "problems", (char **) checked->problems->pdata);
      g_ptr_array_set_size (checked->problems, (int) checked->problems->len - 1);
      json_builder_end_object (builder);
    }
  json_builder_end_array (builder);
  atm_cli_print_json (builder);
}

static guint
count_bad (GPtrArray *all)
{
  guint bad = 0;

  for (guint i = 0; i < all->len; i++)
    if (((const AtmCheckedContainer *) all->pdata[i])->problems->len > 0)
      bad++;
  return bad;
}

/* atomic containers check [OPTION…] [NAME…]; keep man/atomic-containers.1 in step */
gboolean
atm_cmd_containers_check (AtmCli *cli, int argc, char **argv, GError **error)
{
  gboolean all = FALSE, json = FALSE;
  const GOptionEntry options[] = {
    { "all", 'a', 0, G_OPTION_ARG_NONE, &all, "All containers, as without names", NULL },
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON", NULL },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GPtrArray) checked = NULL;
  guint bad = 0;

  if (!atm_cli_parse (options, "[NAME…]",
                      "Tells whether the next boot would start the containers, and why not.", 0,
                      G_MAXINT, &argc, &argv, error))
    return FALSE;
  if (all && argc > 1)
    return atm_throw (error, ATM_CLI_ERROR, ATM_CLI_ERROR_USAGE, "say either NAME… or --all");
  if (!atm_check (cli->system, argc > 1 ? (const char *const *) argv + 1 : NULL, &checked,
                  cli->cancellable, error))
    return FALSE;

  if (json)
    print_json (checked);
  else
    print_text (checked);
  bad = count_bad (checked);
  return bad == 0
         || atm_throw (error, G_IO_ERROR, G_IO_ERROR_FAILED,
                       "%u of %u containers would not be started by the next boot, or not as "
                       "installed",
                       bad, checked->len);
}
