/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/config.h"

#include <string.h>

#include "util/error.h"
#include "util/json.h"
#include "util/text.h"

G_DEFINE_QUARK (atm_config_error, atm_config_error)

typedef struct
{
  JsonObject *config; /* (owned) (nullable) */
  JsonObject *rootfs; /* (owned) (nullable) */
  JsonArray *history; /* (owned) (nullable) */
} Document;

static void
document_clear (Document *document)
{
  g_clear_pointer (&document->config, json_object_unref);
  g_clear_pointer (&document->rootfs, json_object_unref);
  g_clear_pointer (&document->history, json_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Document, document_clear)

typedef struct
{
  char *type;      /* (owned) (nullable) */
  char **diff_ids; /* (owned) (nullable) */
} Rootfs;

static void
rootfs_clear (Rootfs *rootfs)
{
  g_free (rootfs->type);
  g_strfreev (rootfs->diff_ids);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Rootfs, rootfs_clear)

static gboolean
read_rootfs (JsonObject *object, const AtmManifest *manifest, GArray *diff_ids, GError **error)
{
  static const AtmJsonField table[] = {
    { "type", ATM_JSON_STRING, G_STRUCT_OFFSET (Rootfs, type), ATM_JSON_MANDATORY },
    { "diff_ids", ATM_JSON_STRING_ARRAY, G_STRUCT_OFFSET (Rootfs, diff_ids), ATM_JSON_MANDATORY },
  };
  g_auto (Rootfs) rootfs = { 0 };
  guint count = 0;

  if (!atm_descriptor_check_members (object, "rootfs", error)
      || !atm_json_read (object, table, G_N_ELEMENTS (table), ATM_JSON_ALLOW_UNKNOWN, "rootfs",
                         &rootfs, error))
    return FALSE;
  if (!g_str_equal (rootfs.type, "layers"))
    {
      g_autofree char *shown = atm_text_escape (rootfs.type);

      return atm_throw (error, ATM_CONFIG_ERROR, ATM_CONFIG_ERROR_INVALID,
                        "“rootfs.type” is “%s” and not “layers”", shown);
    }
  count = g_strv_length (rootfs.diff_ids);
  if (count != manifest->layers->len)
    return atm_throw (error, ATM_CONFIG_ERROR, ATM_CONFIG_ERROR_INVALID,
                      "It has %u diff IDs, but the manifest has %u layers", count,
                      manifest->layers->len);
  for (guint i = 0; i < count; i++)
    {
      AtmDigest diff_id;

      if (!atm_digest_parse (rootfs.diff_ids[i], &diff_id, error))
        return atm_prefix_error (error, "“rootfs.diff_ids[%u]”", i);
      g_array_append_val (diff_ids, diff_id);
    }
  return TRUE;
}

/* The names of the members, sorted; what the members hold is always empty. */
static char **
dup_member_names (JsonObject *object)
{
  g_autoptr (GStrvBuilder) names = g_strv_builder_new ();
  g_autoptr (GList) members = object != NULL ? json_object_get_members (object) : NULL;

  members = g_list_sort (members, (GCompareFunc) strcmp);
  for (GList *l = members; l != NULL; l = l->next)
    g_strv_builder_add (names, l->data);
  return g_strv_builder_end (names);
}

static void add_notice (GStrvBuilder *notices, const char *format, ...) G_GNUC_PRINTF (2, 3);

static void
add_notice (GStrvBuilder *notices, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  g_strv_builder_add (notices, text);
}

/* A wrong type in here is taken as absent: some builders write null or a string for a list. */
static gboolean
read_run (JsonObject *object, AtmImageConfig *config, GStrvBuilder *notices, GError **error)
{
  static const AtmJsonField table[] = {
    { "Entrypoint", ATM_JSON_STRING_ARRAY, G_STRUCT_OFFSET (AtmImageConfig, entrypoint),
      ATM_JSON_LENIENT },
    { "Cmd", ATM_JSON_STRING_ARRAY, G_STRUCT_OFFSET (AtmImageConfig, cmd), ATM_JSON_LENIENT },
    { "Env", ATM_JSON_STRING_ARRAY, G_STRUCT_OFFSET (AtmImageConfig, env), ATM_JSON_LENIENT },
    { "User", ATM_JSON_STRING, G_STRUCT_OFFSET (AtmImageConfig, user), ATM_JSON_LENIENT },
    { "WorkingDir", ATM_JSON_STRING, G_STRUCT_OFFSET (AtmImageConfig, working_dir),
      ATM_JSON_LENIENT },
    { "StopSignal", ATM_JSON_STRING, G_STRUCT_OFFSET (AtmImageConfig, stop_signal),
      ATM_JSON_LENIENT },
    { "Labels", ATM_JSON_STRING_MAP, G_STRUCT_OFFSET (AtmImageConfig, labels), ATM_JSON_LENIENT },
  };
  JsonNode *volumes = json_object_get_member (object, "Volumes");
  JsonNode *ports = json_object_get_member (object, "ExposedPorts");

  if (!atm_descriptor_check_members (object, "config", error)
      || !atm_json_read (object, table, G_N_ELEMENTS (table), ATM_JSON_ALLOW_UNKNOWN, "config",
                         config, error))
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (table); i++)
    {
      JsonNode *node = json_object_get_member (object, table[i].name);

      if (node != NULL && !JSON_NODE_HOLDS_NULL (node)
          && G_STRUCT_MEMBER (gpointer, config, table[i].offset) == NULL)
        add_notice (notices, "“config.%s” of the image has a wrong type and is left out",
                    table[i].name);
    }
  if (volumes != NULL && JSON_NODE_HOLDS_OBJECT (volumes))
    config->volumes = dup_member_names (json_node_get_object (volumes));
  if (ports != NULL && JSON_NODE_HOLDS_OBJECT (ports))
    config->exposed_ports = dup_member_names (json_node_get_object (ports));
  return TRUE;
}

static gboolean
check_platform (const AtmImageConfig *config, const AtmPlatform *platform, GError **error)
{
  const char *os = config->os != NULL ? config->os : "";
  const char *architecture = config->architecture != NULL ? config->architecture : "";
  g_autofree char *shown_os = atm_text_escape (os);
  g_autofree char *shown_architecture = atm_text_escape (architecture);

  if (platform != NULL
      && (!g_str_equal (os, platform->os) || !g_str_equal (architecture, platform->architecture)))
    return atm_throw (error, ATM_CONFIG_ERROR, ATM_CONFIG_ERROR_PLATFORM,
                      "The index offers it for %s/%s, but the image says that it is for %s/%s",
                      platform->os, platform->architecture, shown_os, shown_architecture);
  /* Without an index the architecture is no more than a hint: many images carry a wrong one. */
  if (*os != '\0' && !g_str_equal (os, "linux"))
    return atm_throw (error, ATM_CONFIG_ERROR, ATM_CONFIG_ERROR_PLATFORM,
                      "The image is for %s and not for linux", shown_os);
  return TRUE;
}

/* Some tools look for a layer by its place in the history; a wrong one misleads nobody here. */
static void
check_history (JsonArray *history, guint n_layers, GStrvBuilder *notices)
{
  guint length = history != NULL ? json_array_get_length (history) : 0, count = 0;

  for (guint i = 0; i < length; i++)
    {
      JsonNode *entry = json_array_get_element (history, i);
      JsonNode *empty = JSON_NODE_HOLDS_OBJECT (entry)
                            ? json_object_get_member (json_node_get_object (entry), "empty_layer")
                            : NULL;

      if (empty == NULL || json_node_get_value_type (empty) != G_TYPE_BOOLEAN
          || !json_node_get_boolean (empty))
        count++;
    }
  if (length > 0 && count != n_layers)
    add_notice (notices, "the history of the image tells of %u layers, but it has %u", count,
                n_layers);
}

/* What an image says that came from no index (registry.md 4.4, 4.6). */
static void
check_unchosen (const AtmImageConfig *config, GStrvBuilder *notices)
{
  g_autoptr (AtmPlatform) host = atm_platform_new_host ();
  g_autofree char *shown = atm_text_escape (config->architecture);

  if (config->os == NULL || *config->os == '\0')
    add_notice (notices, "the image does not say for which system it is; it is taken for linux");
  if (config->architecture != NULL && *config->architecture != '\0'
      && !g_str_equal (config->architecture, host->architecture))
    add_notice (notices, "the image says that it is for %s, and this host is %s", shown,
                host->architecture);
}

gboolean
atm_config_parse (GBytes *bytes, const AtmManifest *manifest, const AtmPlatform *platform,
                  AtmImageConfig **config_out, GError **error)
{
  static const AtmJsonField table[] = {
    { "config", ATM_JSON_OBJECT, G_STRUCT_OFFSET (Document, config), ATM_JSON_LENIENT },
    { "rootfs", ATM_JSON_OBJECT, G_STRUCT_OFFSET (Document, rootfs), ATM_JSON_MANDATORY },
    { "history", ATM_JSON_ARRAY, G_STRUCT_OFFSET (Document, history), ATM_JSON_LENIENT },
  };
  static const AtmJsonField names[] = {
    { "os", ATM_JSON_STRING, G_STRUCT_OFFSET (AtmImageConfig, os), ATM_JSON_OPTIONAL },
    { "architecture", ATM_JSON_STRING, G_STRUCT_OFFSET (AtmImageConfig, architecture),
      ATM_JSON_OPTIONAL },
    { "created", ATM_JSON_STRING, G_STRUCT_OFFSET (AtmImageConfig, created), ATM_JSON_LENIENT },
  };
  g_autoptr (AtmImageConfig) config = g_new0 (AtmImageConfig, 1);
  g_autoptr (GStrvBuilder) notices = g_strv_builder_new ();
  g_autoptr (JsonObject) object = NULL;
  g_auto (Document) document = { 0 };

  config->diff_ids = g_array_new (FALSE, FALSE, sizeof (AtmDigest));
  if (g_bytes_get_size (bytes) > ATM_CONFIG_MAX_BYTES)
    return atm_throw (error, ATM_CONFIG_ERROR, ATM_CONFIG_ERROR_INVALID,
                      "The image configuration is larger than %d bytes", ATM_CONFIG_MAX_BYTES);
  if (!atm_json_parse_object (bytes, &object, error)
      || !atm_descriptor_check_members (object, "", error)
      || !atm_json_read (object, table, G_N_ELEMENTS (table), ATM_JSON_ALLOW_UNKNOWN, "", &document,
                         error)
      || !atm_json_read (object, names, G_N_ELEMENTS (names), ATM_JSON_ALLOW_UNKNOWN, "", config,
                         error)
      || !read_rootfs (document.rootfs, manifest, config->diff_ids, error)
      || !check_platform (config, platform, error)
      || (document.config != NULL && !read_run (document.config, config, notices, error)))
    return atm_prefix_error (error, "Invalid image configuration");

  if (config->labels == NULL)
    config->labels = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  if (config->volumes == NULL)
    config->volumes = dup_member_names (NULL);
  if (config->exposed_ports == NULL)
    config->exposed_ports = dup_member_names (NULL);
  check_history (document.history, manifest->layers->len, notices);
  if (platform == NULL)
    check_unchosen (config, notices);
  config->notices = g_strv_builder_end (notices);
  *config_out = g_steal_pointer (&config);
  return TRUE;
}

void
atm_config_free (AtmImageConfig *config)
{
  if (config == NULL)
    return;
  g_free (config->os);
  g_free (config->architecture);
  g_free (config->created);
  g_clear_pointer (&config->diff_ids, g_array_unref);
  g_strfreev (config->entrypoint);
  g_strfreev (config->cmd);
  g_strfreev (config->env);
  g_free (config->user);
  g_free (config->working_dir);
  g_free (config->stop_signal);
  g_clear_pointer (&config->labels, g_hash_table_unref);
  g_strfreev (config->volumes);
  g_strfreev (config->exposed_ports);
  g_strfreev (config->notices);
  g_free (config);
}
