/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include <stdio.h>

#include "cli/json.h"
#include "ops/trust-show.h"
#include "util/error.h"
#include "util/text.h"

#define SCOPE_WIDTH 35
#define KIND_WIDTH 6
#define USERS_WIDTH 29

static const char *const kinds[] = {
  [ATM_TRUST_SHOWN_ACCEPT] = "accept",
  [ATM_TRUST_SHOWN_SIGNED] = "signed",
  [ATM_TRUST_SHOWN_REJECT] = "reject",
};

static void
append_cell (GString *line, const char *text, guint width)
{
  g_autofree char *safe = atm_text_escape (text);
  glong length = g_utf8_strlen (safe, -1);

  g_string_append_printf (line, "%s%*s ", safe, (int) MAX ((glong) width - length, 0), "");
}

static void
print_entry (const AtmTrustEntry *entry)
{
  g_autoptr (GString) line = g_string_new (NULL);

  append_cell (line, entry->name, SCOPE_WIDTH);
  append_cell (line, kinds[entry->shown], KIND_WIDTH);
  append_cell (line, entry->users, USERS_WIDTH);
  append_cell (line, entry->url, 0);
  g_print ("%s\n", g_strchomp (line->str));
}

static void
add_entry (JsonBuilder *builder, const AtmTrustEntry *entry)
{
  g_autofree char *name = g_utf8_make_valid (entry->name, -1);

  json_builder_set_member_name (builder, name);
  json_builder_begin_object (builder);
  atm_cli_add_string (builder, "type", entry->type);
  if (entry->is_default && entry->keys[0] == NULL)
    {
      json_builder_set_member_name (builder, "keys");
      json_builder_add_null_value (builder);
    }
  else
    atm_cli_add_strings (builder, "keys", entry->keys);
  atm_cli_add_string (builder, "sigstore", entry->url);
  json_builder_end_object (builder);
}

static void
print_view (const AtmTrustView *view, gboolean json)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();

  json_builder_begin_object (builder);
  for (guint i = 0; i < view->entries->len; i++)
    if (json)
      add_entry (builder, g_ptr_array_index (view->entries, i));
    else
      print_entry (g_ptr_array_index (view->entries, i));
  json_builder_end_object (builder);
  if (json)
    atm_cli_print_json (builder);
}

static gboolean
print_raw (const AtmSystem *system, GError **error)
{
  g_autoptr (GBytes) bytes = NULL;
  gsize length = 0;
  const char *data = NULL;

  if (!atm_trust_show_raw (system, &bytes, error))
    return FALSE;
  data = g_bytes_get_data (bytes, &length);
  return fwrite (data, 1, length, stdout) == length || atm_throw_errno (error, "Printing");
}

/* atomic trust show [OPTION…]; keep man/atomic-trust.1 in step */
gboolean
atm_cmd_trust_show (AtmCli *cli, int argc, char **argv, GError **error)
{
  gboolean json = FALSE, raw = FALSE;
  g_autofree char *policy = NULL;
  const GOptionEntry options[] = {
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print the policy as JSON, by scope", NULL },
    { "raw", 0, 0, G_OPTION_ARG_NONE, &raw, "Print the policy file as it is", NULL },
    { "policy", 0, 0, G_OPTION_ARG_FILENAME, &policy, "Trust policy instead of policy.json",
      "FILE" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (AtmTrustView) view = NULL;

  if (!atm_cli_parse (options, "",
                      "Shows which images this host trusts, and warns of what does not work.", 0, 0,
                      &argc, &argv, error))
    return FALSE;
  if (json && raw)
    return atm_throw (error, ATM_CLI_ERROR, ATM_CLI_ERROR_USAGE,
                      "--json and --raw exclude each other");
  atm_cli_use_policy (cli, g_steal_pointer (&policy));
  if (raw)
    return print_raw (cli->system, error);
  if (!atm_trust_show (cli->system, &view, error))
    return FALSE;
  print_view (view, json);
  for (guint i = 0; i < view->warnings->len; i++)
    atm_report (&cli->report, ATM_REPORT_NOTICE, "warning: %s",
                (const char *) g_ptr_array_index (view->warnings, i));
  return TRUE;
}
