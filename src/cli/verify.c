/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include "cli/json.h"
#include "cli/progress.h"
#include "ops/verify.h"
#include "util/error.h"
#include "util/text.h"

static const char *const kinds[] = {
  [ATM_FINDING_MISSING] = "missing",
  [ATM_FINDING_CHANGED] = "changed",
  [ATM_FINDING_FOREIGN] = "foreign",
  [ATM_FINDING_UNKNOWN] = "unknown",
};

/* ---- text ---- */

static void
print_damage (const AtmDamage *damage)
{
  atm_cli_print ("%s: object %s %s", damage->repaired ? "repaired" : "damaged", damage->object,
                 damage->problem);
  for (guint i = 0; i < damage->uses->len; i++)
    {
      const AtmDamageUse *use = damage->uses->pdata[i];
      const char *path = *use->path != '\0' ? use->path : "its record";

      if (use->image != NULL)
        atm_cli_print ("  %s: %s", use->image, path);
      else
        atm_cli_print ("  layer %s: %s", use->layer, path);
    }
}

/* Whether there is something that an administrator should restart the service for. */
static gboolean
print_container (const AtmVerifiedContainer *container)
{
  gboolean stale = FALSE;

  if (container->problem != NULL)
    atm_cli_print ("%s: cannot be compared: %s", container->folder, container->problem);
  for (guint i = 0; i < container->findings->len; i++)
    {
      const AtmFinding *finding = container->findings->pdata[i];

      atm_cli_print ("%s%s: %s%s %s%s%s", container->folder, container->running ? " (running)" : "",
                     finding->repaired ? "repaired: was " : "", kinds[finding->kind], finding->path,
                     finding->note != NULL ? ": " : "", finding->note != NULL ? finding->note : "");
      stale |= finding->kind != ATM_FINDING_FOREIGN;
    }
  return stale && container->running;
}

static void
print_result (const AtmVerifyResult *result)
{
  g_autofree char *size = atm_text_size (result->store.bytes);

  for (guint i = 0; i < result->store.damages->len; i++)
    print_damage (result->store.damages->pdata[i]);
  for (guint i = 0; i < result->containers->len; i++)
    {
      const AtmVerifiedContainer *container = result->containers->pdata[i];

      if (print_container (container))
        atm_cli_print ("%s.service has read damaged files; restart it once they are repaired: "
                       "systemctl restart %s",
                       container->container, container->container);
    }
  for (guint i = 0; i < result->notices->len; i++)
    atm_cli_print ("%s", (const char *) result->notices->pdata[i]);
  g_print ("%u objects of %u images, %s; %u deployments: %s\n", result->store.n_objects,
           result->images->len, size, result->containers->len,
           result->healthy ? "healthy" : "damaged");
}

/* ---- JSON; man/atomic-verify.1 describes the members ---- */

static void
add_damage (JsonBuilder *builder, const AtmDamage *damage)
{
  json_builder_begin_object (builder);
  atm_cli_add_string (builder, "object", damage->object);
  atm_cli_add_string (builder, "problem", damage->problem);
  atm_json_add_boolean (builder, "missing", damage->missing);
  atm_json_add_boolean (builder, "repaired", damage->repaired);
  json_builder_set_member_name (builder, "uses");
  json_builder_begin_array (builder);
  for (guint i = 0; i < damage->uses->len; i++)
    {
      const AtmDamageUse *use = damage->uses->pdata[i];

      json_builder_begin_object (builder);
      atm_cli_add_string (builder, use->image != NULL ? "image" : "layer",
                          use->image != NULL ? use->image : use->layer);
      atm_cli_add_string (builder, "path", use->path);
      json_builder_end_object (builder);
    }
  json_builder_end_array (builder);
  json_builder_end_object (builder);
}

static void
add_container (JsonBuilder *builder, const AtmVerifiedContainer *container)
{
  json_builder_begin_object (builder);
  atm_cli_add_string (builder, "container", container->container);
  atm_cli_add_string (builder, "deployment", container->folder);
  atm_json_add_boolean (builder, "current", container->current);
  atm_json_add_boolean (builder, "running", container->running);
  atm_cli_add_string (builder, "problem", container->problem);
  json_builder_set_member_name (builder, "findings");
  json_builder_begin_array (builder);
  for (guint i = 0; i < container->findings->len; i++)
    {
      const AtmFinding *finding = container->findings->pdata[i];

      json_builder_begin_object (builder);
      atm_cli_add_string (builder, "kind", kinds[finding->kind]);
      atm_cli_add_string (builder, "path", finding->path);
      atm_cli_add_string (builder, "note", finding->note);
      atm_json_add_boolean (builder, "shared", finding->shared);
      atm_json_add_boolean (builder, "repaired", finding->repaired);
      json_builder_end_object (builder);
    }
  json_builder_end_array (builder);
  json_builder_end_object (builder);
}

static void
print_result_json (AtmVerifyResult *result)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  g_ptr_array_add (result->images, NULL);
  g_ptr_array_add (result->notices, NULL);
  json_builder_begin_object (builder);
  atm_json_add_boolean (builder, "healthy", result->healthy);
  atm_cli_add_strings (builder, "images", (char **) result->images->pdata);
  atm_cli_add_number (builder, "objects", result->store.n_objects);
  atm_cli_add_number (builder, "bytes", result->store.bytes);
  json_builder_set_member_name (builder, "damage");
  json_builder_begin_array (builder);
  for (guint i = 0; i < result->store.damages->len; i++)
    add_damage (builder, result->store.damages->pdata[i]);
  json_builder_end_array (builder);
  json_builder_set_member_name (builder, "containers");
  json_builder_begin_array (builder);
  for (guint i = 0; i < result->containers->len; i++)
    add_container (builder, result->containers->pdata[i]);
  json_builder_end_array (builder);
  atm_cli_add_strings (builder, "notices", (char **) result->notices->pdata);
  json_builder_end_object (builder);
  atm_cli_print_json (builder);
}

/* atomic verify [OPTION…] IMAGE|CONTAINER…; keep man/atomic-verify.1 in step */
gboolean
atm_cmd_verify (AtmCli *cli, int argc, char **argv, GError **error)
{
  AtmVerifyOptions options = { 0 };
  gboolean json = FALSE;
  g_autofree char *storage = NULL;
  char *policy = NULL;
  const GOptionEntry entries[] = {
    { "all", 'a', 0, G_OPTION_ARG_NONE, &options.all, "All images and containers", NULL },
    { "repair", 0, 0, G_OPTION_ARG_NONE, &options.repair, "Fetch damaged files again", NULL },
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON", NULL },
    { "policy", 0, 0, G_OPTION_ARG_STRING, &policy, "Trust policy instead of policy.json", "FILE" },
    { "storage", 0, 0, G_OPTION_ARG_STRING, &storage, "Only “ostree”", "STORAGE" },
    ATM_CLI_NO_WAIT (cli),
    G_OPTION_ENTRY_NULL,
  };
  g_auto (AtmVerifyResult) result = { 0 };

  if (!atm_cli_parse (entries, "IMAGE|CONTAINER…",
                      "Hashes all that is stored of images and linked into containers, and tells\n"
                      "which files are damaged.",
                      0, G_MAXINT, &argc, &argv, error)
      || !atm_cli_check_storage (storage, error))
    return FALSE;
  atm_cli_use_policy (cli, policy);
  if (options.all != (argc == 1))
    return atm_throw (error, ATM_CLI_ERROR, ATM_CLI_ERROR_USAGE,
                      "say either IMAGE|CONTAINER… or --all");
  options.names = argv + 1;
  if (json)
    atm_cli_report_to_stderr (&cli->report);
  if (!atm_verify (cli->system, &options, &cli->report, &result, cli->cancellable, error))
    return FALSE;
  if (json)
    print_result_json (&result);
  else
    print_result (&result);
  return result.healthy
         || atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "damage is left%s",
                       options.repair ? "; what could not be repaired and why is listed above"
                                      : "; `atomic verify --repair` fetches damaged files again");
}
