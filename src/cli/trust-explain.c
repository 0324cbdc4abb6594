/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include "cli/json.h"
#include "cli/progress.h"
#include "cli/terminal.h"
#include "cli/time.h"
#include "ops/explain.h"
#include "ops/open.h"

static const char *const states[] = {
  [ATM_TRACE_NOT_REACHED] = "not reached",
  [ATM_TRACE_MET] = "met",
  [ATM_TRACE_NOT_MET] = "not met",
};

/* ---- text ---- */

static void
print_signature (const AtmTraceSignature *signature)
{
  g_autofree char *time = atm_cli_format_time (signature->created_unix);

  atm_cli_print ("    signature-%u from %s: %s%s%s", signature->number, signature->source,
                 signature->counted ? "counts" : "does not count",
                 signature->kind != NULL ? ": " : "",
                 signature->kind != NULL ? signature->kind : "");
  if (signature->fingerprint != NULL)
    atm_cli_print ("      key      %s", signature->fingerprint);
  if (signature->created_unix != 0)
    atm_cli_print ("      made     %s", time);
  if (signature->digest != NULL)
    atm_cli_print ("      digest   %s", signature->digest);
  if (signature->identity != NULL)
    atm_cli_print ("      identity %s", signature->identity);
  if (signature->reason != NULL)
    atm_cli_print ("      reason   %s", signature->reason);
}

static void
print_requirement (const AtmTraceRequirement *requirement, guint number)
{
  g_autofree char *keys = requirement->keys != NULL ? g_strjoinv (", ", requirement->keys) : NULL;

  atm_cli_print (
      "  requirement %u: %s%s%s%s%s: %s", number, requirement->type, keys != NULL ? ", keys " : "",
      keys != NULL ? keys : "", requirement->identity != NULL ? ", identity " : "",
      requirement->identity != NULL ? requirement->identity : "", states[requirement->state]);
  for (guint i = 0; i < requirement->signatures->len; i++)
    print_signature (requirement->signatures->pdata[i]);
}

static void
print_list (const AtmTraceList *list, const char *what)
{
  if (list == NULL)
    return;
  atm_cli_print ("%s: transport %s", what, list->transport);
  for (char **scope = list->passed_scopes; *scope != NULL; scope++)
    atm_cli_print ("  scope %s: no entry", *scope);
  if (list->scope == NULL)
    atm_cli_print ("  scope \"\": no entry; the default of the policy applies");
  else if (*list->scope == '\0')
    atm_cli_print ("  scope \"\": applies");
  else
    atm_cli_print ("  scope %s: applies", list->scope);
  for (guint i = 0; i < list->requirements->len; i++)
    print_requirement (list->requirements->pdata[i], i + 1);
}

static void
print_trace (const AtmTrace *trace)
{
  atm_cli_print ("Image:  %s", trace->reference);
  if (trace->digest != NULL)
    atm_cli_print ("Digest: %s", trace->digest);
  if (trace->policy_path != NULL)
    atm_cli_print ("Policy: %s", trace->policy_path);
  for (guint i = 0; i < trace->places->len; i++)
    {
      const AtmTracePlace *place = trace->places->pdata[i];

      atm_cli_print ("Signatures at %s: %s", place->url, place->result);
    }
  print_list (trace->site, "Asked of the site");
  print_list (trace->image, "Asked of the image");
  atm_cli_print ("Verdict: %s%s", trace->accepted ? "accepted" : "refused: ",
                 trace->accepted ? "" : atm_trace_get_kind (trace));
}

/* ---- JSON; man/atomic-trust.1 describes the members ---- */

static void
add_signature (JsonBuilder *builder, const AtmTraceSignature *signature)
{
  g_autoptr (GDateTime) time = signature->created_unix != 0
                                   ? g_date_time_new_from_unix_utc (signature->created_unix)
                                   : NULL;
  g_autofree char *created = time != NULL ? g_date_time_format_iso8601 (time) : NULL;

  json_builder_begin_object (builder);
  atm_cli_add_number (builder, "number", signature->number);
  atm_cli_add_string (builder, "source", signature->source);
  atm_json_add_boolean (builder, "counted", signature->counted);
  atm_cli_add_string (builder, "fingerprint", signature->fingerprint);
  atm_cli_add_string (builder, "created", created);
  atm_cli_add_string (builder, "digest", signature->digest);
  atm_cli_add_string (builder, "identity", signature->identity);
  atm_cli_add_string (builder, "kind", signature->kind);
  atm_cli_add_string (builder, "reason", signature->reason);
  json_builder_end_object (builder);
}

static void
add_requirement (JsonBuilder *builder, const AtmTraceRequirement *requirement)
{
  json_builder_begin_object (builder);
  atm_cli_add_string (builder, "type", requirement->type);
  atm_cli_add_strings (builder, "keys", requirement->keys);
  atm_cli_add_string (builder, "identity", requirement->identity);
  atm_cli_add_string (builder, "state", states[requirement->state]);
  json_builder_set_member_name (builder, "signatures");
  json_builder_begin_array (builder);
  for (guint i = 0; i < requirement->signatures->len; i++)
    add_signature (builder, requirement->signatures->pdata[i]);
  json_builder_end_array (builder);
  json_builder_end_object (builder);
}

static void
add_list (JsonBuilder *builder, const char *name, const AtmTraceList *list)
{
  json_builder_set_member_name (builder, name);
  if (list == NULL)
    {
      json_builder_add_null_value (builder);
      return;
    }
  json_builder_begin_object (builder);
  atm_cli_add_string (builder, "transport", list->transport);
  atm_cli_add_strings (builder, "passed_scopes", list->passed_scopes);
  atm_cli_add_string (builder, "scope", list->scope != NULL ? list->scope : "default");
  atm_json_add_boolean (builder, "default", list->scope == NULL);
  json_builder_set_member_name (builder, "requirements");
  json_builder_begin_array (builder);
  for (guint i = 0; i < list->requirements->len; i++)
    add_requirement (builder, list->requirements->pdata[i]);
  json_builder_end_array (builder);
  json_builder_end_object (builder);
}

static void
print_trace_json (const AtmTrace *trace)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_object (builder);
  atm_cli_add_string (builder, "verdict", trace->accepted ? "accepted" : "refused");
  atm_cli_add_string (builder, "kind", atm_trace_get_kind (trace));
  atm_cli_add_string (builder, "reason", trace->refusal != NULL ? trace->refusal->message : NULL);
  atm_cli_add_string (builder, "image", trace->reference);
  atm_cli_add_string (builder, "digest", trace->digest);
  atm_cli_add_string (builder, "policy", trace->policy_path);
  json_builder_set_member_name (builder, "places");
  json_builder_begin_array (builder);
  for (guint i = 0; i < trace->places->len; i++)
    {
      const AtmTracePlace *place = trace->places->pdata[i];

      json_builder_begin_object (builder);
      atm_cli_add_string (builder, "url", place->url);
      atm_cli_add_string (builder, "result", place->result);
      json_builder_end_object (builder);
    }
  json_builder_end_array (builder);
  add_list (builder, "asked_of_image", trace->image);
  add_list (builder, "asked_of_site", trace->site);
  json_builder_end_object (builder);
  atm_cli_print_json (builder);
}

static gboolean
explain (AtmCli *cli, const char *text, gboolean stored, AtmTrace *trace, GError **error)
{
  const AtmPullOptions options = {
    .choose = atm_terminal_is_there () ? atm_terminal_choose : NULL,
  };
  g_autoptr (AtmOrigin) origin = NULL;

  if (stored)
    return atm_explain_stored (cli->system, text, &cli->report, trace, cli->cancellable, error);
  return atm_open_origin (text, &origin, cli->cancellable, error)
         && atm_explain_served (cli->system, origin, &options, &cli->report, trace,
                                cli->cancellable, error);
}

/* atomic trust explain [OPTION…] IMAGE; keep man/atomic-trust.1 in step */
gboolean
atm_cmd_trust_explain (AtmCli *cli, int argc, char **argv, GError **error)
{
  gboolean json = FALSE, stored = FALSE;
  char *policy = NULL;
  const GOptionEntry options[] = {
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON", NULL },
    { "policy", 0, 0, G_OPTION_ARG_FILENAME, &policy, "Trust policy instead of policy.json",
      "FILE" },
    { "stored", 0, 0, G_OPTION_ARG_NONE, &stored, "Judge what is in the store, without a network",
      NULL },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (AtmTrace) trace = atm_trace_new ();

  if (!atm_cli_parse (
          options, "IMAGE",
          "Tells whether the trust policy allows IMAGE, as `atomic pull` would ask for\n"
          "it, and why. Nothing but the manifest and signatures is fetched.",
          1, 1, &argc, &argv, error))
    return FALSE;
  atm_cli_use_policy (cli, policy);
  atm_cli_report_to_stderr (&cli->report);
  if (!explain (cli, argv[1], stored, trace, error))
    return FALSE;
  if (json)
    print_trace_json (trace);
  else
    print_trace (trace);
  if (trace->refusal != NULL)
    g_propagate_error (error, g_error_copy (trace->refusal));
  return trace->accepted;
}
