/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/cli.h"

#include <json-glib/json-glib.h>
#include <string.h>

#include "cli/json.h"
#include "cli/table.h"
#include "cli/time.h"
#include "ops/image-info.h"
#include "util/error.h"
#include "util/json.h"
#include "util/text.h"

/* What an image, and only it, is told to have. */
#define PLACE_FOR_VALUE "{DEF_VALUE}"
#define PLACE_FOR_TOOL "{SET_BY_OS}"

static int
compare_texts (gconstpointer a, gconstpointer b)
{
  return strcmp (a, b);
}

/* ---- text (command.md 2.7 has the literals) ---- */

static void
print_map (GHashTable *map, const char *indent)
{
  g_autoptr (GList) keys = g_list_sort (g_hash_table_get_keys (map), compare_texts);

  for (GList *key = keys; key != NULL; key = key->next)
    atm_cli_print ("%s%s: %s", indent, (const char *) key->data,
                   (const char *) g_hash_table_lookup (map, key->data));
}

static void
print_variables (const AtmImageInfo *info)
{
  if (g_hash_table_size (info->defaults) > 0 || info->supplied[0] != NULL)
    {
      g_print ("\nTemplate variables with default value, but overridable with --set:\n");
      print_map (info->defaults, "");
      for (guint i = 0; info->supplied[i] != NULL; i++)
        atm_cli_print ("%s: " PLACE_FOR_TOOL, info->supplied[i]);
    }
  if (info->required[0] != NULL)
    {
      g_print ("\nTemplate variables that has no default value, and must be set with --set:\n");
      for (guint i = 0; info->required[i] != NULL; i++)
        atm_cli_print ("%s: " PLACE_FOR_VALUE, info->required[i]);
    }
}

static void
print_words (const char *title, char **words)
{
  g_autofree char *line = words != NULL && words[0] != NULL ? g_strjoinv (" ", words) : NULL;

  if (line != NULL)
    atm_cli_print ("%s: %s", title, line);
}

static void
print_text (const char *title, const char *text)
{
  if (text != NULL && *text != '\0')
    atm_cli_print ("%s: %s", title, text);
}

static void
print_config (const AtmImageInfo *info)
{
  const AtmImageConfig *config = info->config;

  if (config == NULL)
    return;
  print_text ("Created", config->created);
  print_text ("Platform", config->os);
  print_text ("Architecture", config->architecture);
  if (info->has_exports)
    {
      g_print ("Runs as: a service that the image describes in /exports\n");
      return;
    }
  print_words ("Entrypoint", config->entrypoint);
  print_words ("Command", config->cmd);
  print_text ("User", config->user);
  print_text ("Working directory", config->working_dir);
  print_text ("Stop signal", config->stop_signal);
  print_words ("Volumes", config->volumes);
  print_words ("Exposed ports", config->exposed_ports);
  for (guint i = 0; config->env != NULL && config->env[i] != NULL; i++)
    print_text ("Environment", config->env[i]);
}

static void
print_layers (const AtmImageInfo *info)
{
  for (guint i = 0; i < info->layers->len; i++)
    {
      const AtmImageLayer *layer = info->layers->pdata[i];
      g_autofree char *size = atm_text_size (layer->size_bytes);

      atm_cli_print ("Layer %u: digest %s", i + 1, layer->digest);
      if (layer->diff_id != NULL)
        atm_cli_print ("         diff ID %s", layer->diff_id);
      atm_cli_print ("         size %s%s", size,
                     info->remote || layer->stored ? "" : ", not in the store by itself");
    }
}

static const char *
get_member (JsonObject *object, const char *name)
{
  JsonNode *node = json_object_get_member (object, name);

  return node != NULL && json_node_get_value_type (node) == G_TYPE_STRING
             ? json_node_get_string (node)
             : "";
}

static JsonObject *
parse_verdict (const AtmImageInfo *info)
{
  g_autoptr (GBytes) bytes = NULL;
  JsonObject *object = NULL;

  if (info->verdict == NULL)
    return NULL;
  bytes = g_bytes_new (info->verdict, strlen (info->verdict));
  return atm_json_parse_object (bytes, &object, NULL) ? object : NULL;
}

static void
print_trust (const AtmImageInfo *info)
{
  g_autoptr (JsonObject) verdict = parse_verdict (info);
  JsonNode *node = NULL;
  JsonArray *signatures = NULL;

  if (verdict == NULL)
    {
      g_print ("Signatures: %u, of which no record was kept\n", info->n_signatures);
      return;
    }
  atm_cli_print ("Allowed by: scope “%s” of the policy, %s", get_member (verdict, "scope"),
                 get_member (verdict, "time"));
  node = json_object_get_member (verdict, "signatures");
  signatures = node != NULL && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
  if (signatures == NULL || json_array_get_length (signatures) == 0)
    g_print ("Signatures: none\n");
  for (guint i = 0; signatures != NULL && i < json_array_get_length (signatures); i++)
    {
      JsonNode *element = json_array_get_element (signatures, i);
      JsonObject *signature
          = JSON_NODE_HOLDS_OBJECT (element) ? json_node_get_object (element) : NULL;

      if (signature != NULL)
        atm_cli_print ("Signature: by key %s, %s, for %s", get_member (signature, "fingerprint"),
                       get_member (signature, "created"), get_member (signature, "identity"));
    }
}

static void
print_stored (const AtmImageInfo *info)
{
  g_autofree char *pulled = atm_cli_format_time ((gint64) info->pulled_unix);
  g_autofree char *unique = atm_text_size (info->unique_bytes);

  print_trust (info);
  print_text ("Pulled", pulled);
  atm_cli_print ("Unique size: %s", unique);
  print_words ("Other names", info->other_names);
  print_words ("Used by", info->used_by);
  g_print ("Pinned: %s\n", info->pinned ? "yes" : "no");
  print_text ("Notice", info->notice);
}

static void
print_info (const AtmImageInfo *info)
{
  g_autofree char *size = atm_text_size (info->size_bytes);

  atm_cli_print ("Image Name: %s", info->reference);
  if (info->config != NULL)
    print_map (info->config->labels, "");
  print_variables (info);
  g_print ("\n");
  print_text ("Source", info->canonical);
  if (info->remote)
    g_print ("Verified: no, this is what the source says\n");
  atm_cli_print ("Image ID (manifest digest): %s", info->digest);
  print_text ("Config digest", info->config_digest);
  if (info->size_bytes > 0)
    atm_cli_print ("Virtual size: %s", size);
  print_layers (info);
  print_config (info);
  if (!info->remote)
    print_stored (info);
}

/* ---- JSON; man/atomic-images.1 describes the members ---- */

static void
add_layers (JsonBuilder *builder, const AtmImageInfo *info)
{
  json_builder_set_member_name (builder, "layers");
  json_builder_begin_array (builder);
  for (guint i = 0; i < info->layers->len; i++)
    {
      const AtmImageLayer *layer = info->layers->pdata[i];

      json_builder_begin_object (builder);
      atm_cli_add_string (builder, "digest", layer->digest);
      atm_cli_add_string (builder, "diff_id", layer->diff_id);
      atm_cli_add_number (builder, "size", layer->size_bytes);
      atm_json_add_boolean (builder, "stored", layer->stored);
      json_builder_end_object (builder);
    }
  json_builder_end_array (builder);
}

static void
add_config (JsonBuilder *builder, const AtmImageConfig *config)
{
  json_builder_set_member_name (builder, "config");
  json_builder_begin_object (builder);
  if (config != NULL)
    {
      atm_cli_add_string (builder, "created", config->created);
      atm_cli_add_string (builder, "os", config->os);
      atm_cli_add_string (builder, "architecture", config->architecture);
      atm_cli_add_strings (builder, "entrypoint", config->entrypoint);
      atm_cli_add_strings (builder, "cmd", config->cmd);
      atm_cli_add_strings (builder, "env", config->env);
      atm_cli_add_string (builder, "user", config->user);
      atm_cli_add_string (builder, "working_dir", config->working_dir);
      atm_cli_add_string (builder, "stop_signal", config->stop_signal);
      atm_cli_add_strings (builder, "volumes", config->volumes);
      atm_cli_add_strings (builder, "exposed_ports", config->exposed_ports);
    }
  json_builder_end_object (builder);
}

static void
add_trust (JsonBuilder *builder, const AtmImageInfo *info)
{
  g_autoptr (JsonObject) verdict = parse_verdict (info);

  json_builder_set_member_name (builder, "verdict");
  if (verdict == NULL)
    json_builder_add_null_value (builder);
  else
    {
      JsonNode *node = json_node_new (JSON_NODE_OBJECT);

      json_node_set_object (node, verdict);
      json_builder_add_value (builder, node);
    }
  atm_cli_add_number (builder, "signatures", info->n_signatures);
}

static void
add_info (JsonBuilder *builder, const AtmImageInfo *info)
{
  g_autofree char *pulled = atm_cli_format_time ((gint64) info->pulled_unix);
  const char *hex = strchr (info->digest, ':');

  json_builder_begin_object (builder);
  atm_cli_add_string (builder, "name", info->reference);
  atm_cli_add_string (builder, "source", info->canonical);
  atm_json_add_boolean (builder, "remote", info->remote);
  atm_cli_add_string (builder, "id", hex != NULL ? hex + 1 : info->digest);
  atm_cli_add_string (builder, "manifest_digest", info->digest);
  atm_cli_add_string (builder, "config_digest", info->config_digest);
  atm_cli_add_number (builder, "size", info->size_bytes);
  add_layers (builder, info);
  atm_cli_add_map (builder, "labels", info->config != NULL ? info->config->labels : NULL);
  add_config (builder, info->config);
  if (!info->remote)
    {
      atm_json_add_boolean (builder, "has_exports", info->has_exports);
      atm_cli_add_map (builder, "variables", info->defaults);
      atm_cli_add_strings (builder, "variables_set_by_os", info->supplied);
      atm_cli_add_strings (builder, "variables_required", info->required);
      add_trust (builder, info);
      atm_cli_add_string (builder, "pulled", pulled);
      atm_cli_add_number (builder, "unique_size", info->unique_bytes);
      atm_cli_add_strings (builder, "other_names", info->other_names);
      atm_cli_add_strings (builder, "used_by", info->used_by);
      atm_json_add_boolean (builder, "pinned", info->pinned);
      atm_cli_add_string (builder, "notice", info->notice);
    }
  json_builder_end_object (builder);
}

/* atomic images info [OPTION…] IMAGE; keep man/atomic-images.1 in step */
gboolean
atm_cmd_images_info (AtmCli *cli, int argc, char **argv, GError **error)
{
  gboolean json = FALSE, remote = FALSE;
  g_autofree char *storage = NULL;
  const GOptionEntry options[] = {
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON", NULL },
    { "remote", 0, 0, G_OPTION_ARG_NONE, &remote, "Ask the registry instead of the store", NULL },
    { "storage", 0, 0, G_OPTION_ARG_STRING, &storage, "Only “ostree”", "STORAGE" },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (AtmImageInfo) info = NULL;

  if (!atm_cli_parse (options, "IMAGE", "Tells all about IMAGE, a name or an id.", 1, 1, &argc,
                      &argv, error)
      || !atm_cli_check_storage (storage, error)
      || !atm_image_info (cli->system, argv[1], remote, &cli->report, &info, cli->cancellable,
                          error))
    return FALSE;
  if (json)
    {
      g_autoptr (JsonBuilder) builder = json_builder_new ();

      add_info (builder, info);
      atm_cli_print_json (builder);
    }
  else
    print_info (info);
  return TRUE;
}

static const AtmColumn version_columns[] = {
  { "IMAGE NAME", "name", NULL, ATM_COLUMN_STRING, 0, 0 },
  { "VERSION", "version", NULL, ATM_COLUMN_STRING, 0, 0 },
  { "IMAGE ID", "id", NULL, ATM_COLUMN_STRING, 12, 0 },
};

/* atomic images version [OPTION…] IMAGE…; keep man/atomic-images.1 in step */
gboolean
atm_cmd_images_version (AtmCli *cli, int argc, char **argv, GError **error)
{
  gboolean json = FALSE, remote = FALSE;
  g_autofree char *storage = NULL;
  const GOptionEntry options[] = {
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON", NULL },
    { "remote", 'r', 0, G_OPTION_ARG_NONE, &remote, "Ask where the image came from", NULL },
    { "storage", 0, 0, G_OPTION_ARG_STRING, &storage, "Only “ostree”", "STORAGE" },
    G_OPTION_ENTRY_NULL,
  };
  g_auto (AtmTable) table = { 0 };
  AtmTableOptions table_options = { 0 };
  g_autoptr (GPtrArray) versions = NULL;

  atm_table_init (&table, version_columns, G_N_ELEMENTS (version_columns), 2);
  if (!atm_cli_parse (options, "IMAGE…", "Shows the version that images say they have.", 1,
                      G_MAXINT, &argc, &argv, error)
      || !atm_cli_check_storage (storage, error)
      || !atm_image_versions (cli->system, argv + 1, FALSE, remote, &cli->report, &versions,
                              cli->cancellable, error))
    return FALSE;
  for (guint i = 0; i < versions->len; i++)
    {
      const AtmImageVersion *version = versions->pdata[i];
      char *cells[] = {
        g_strdup (version->reference),
        g_strdup (remote ? version->remote_version : version->version),
        g_strdup (remote ? version->remote_id : version->id),
      };

      atm_table_add (&table, cells);
    }
  table_options.json = json;
  return atm_table_print (&table, &table_options, error);
}
