/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/bundle.h"

#include <string.h>
#include <sys/stat.h>

#include "container/bundle-default.h"
#include "container/bundle-fit.h"
#include "container/template.h"
#include "container/volume.h"
#include "util/error.h"
#include "util/json.h"

G_DEFINE_QUARK (atm_bundle_error, atm_bundle_error)

static gboolean
throw_invalid (GError **error, const char *why)
{
  return atm_throw (error, ATM_BUNDLE_ERROR, ATM_BUNDLE_ERROR_INVALID,
                    "Invalid configuration file.  %s", why);
}

/* The strict reader says whether it is JSON; what it builds is sealed, so it is read once more. */
static gboolean
parse (GBytes *text, GHashTable *values, JsonNode **node_out, GError **error)
{
  g_autoptr (JsonObject) object = NULL;
  g_autoptr (JsonParser) parser = json_parser_new ();
  g_autoptr (GError) local = NULL;

  if (!atm_json_parse_object (text, &object, &local)
      || !json_parser_load_from_data (parser, g_bytes_get_data (text, NULL),
                                      (gssize) g_bytes_get_size (text), &local))
    return atm_throw (error, ATM_BUNDLE_ERROR, ATM_BUNDLE_ERROR_INVALID,
                      "Invalid json in configuration file: %s/config.json.  %s",
                      (char *) g_hash_table_lookup (values, "DESTDIR"), local->message);
  *node_out = json_parser_steal_root (parser);
  return TRUE;
}

/* A member that is not there is no error, and is NULL. */
static gboolean
get_member (JsonObject *object, const char *name, JsonNodeType type, JsonNode **node_out,
            GError **error)
{
  JsonNode *node = json_object_get_member (object, name);

  if (node != NULL && json_node_get_node_type (node) != type)
    return atm_throw (error, ATM_BUNDLE_ERROR, ATM_BUNDLE_ERROR_INVALID,
                      "Invalid configuration file.  “%s” has the wrong type", name);
  *node_out = node;
  return TRUE;
}

static gboolean
is_string (JsonNode *node)
{
  return node != NULL && json_node_get_value_type (node) == G_TYPE_STRING;
}

static gboolean
check_mounts (JsonArray *mounts, GError **error)
{
  if (json_array_get_length (mounts) > ATM_MOUNTS_MAX)
    return throw_invalid (error, "There are too many mounts");
  for (guint i = 0; i < json_array_get_length (mounts); i++)
    {
      JsonNode *node = json_array_get_element (mounts, i);
      JsonObject *mount = NULL;

      if (!JSON_NODE_HOLDS_OBJECT (node))
        return throw_invalid (error, "A mount is not an object");
      mount = json_node_get_object (node);
      if (!is_string (json_object_get_member (mount, "destination")))
        return throw_invalid (error, "A mount has no “destination”");
      if ((json_object_has_member (mount, "source")
           && !is_string (json_object_get_member (mount, "source")))
          || (json_object_has_member (mount, "type")
              && !is_string (json_object_get_member (mount, "type"))))
        return throw_invalid (error, "A mount has a “source” or “type” that is not a string");
    }
  return TRUE;
}

/* system-image.md 4.4. The root must be read-only because its files are the store's. */
static gboolean
check (JsonObject *object, GError **error)
{
  JsonNode *root = NULL, *mounts = NULL, *process = NULL, *linux_part = NULL, *readonly, *path;

  if (!get_member (object, "root", JSON_NODE_OBJECT, &root, error)
      || !get_member (object, "mounts", JSON_NODE_ARRAY, &mounts, error)
      || !get_member (object, "process", JSON_NODE_OBJECT, &process, error)
      || !get_member (object, "linux", JSON_NODE_OBJECT, &linux_part, error))
    return FALSE;

  readonly = root != NULL ? json_object_get_member (json_node_get_object (root), "readonly") : NULL;
  if (readonly == NULL || json_node_get_value_type (readonly) != G_TYPE_BOOLEAN
      || !json_node_get_boolean (readonly))
    return throw_invalid (error, "Only readonly images are supported");
  path = json_object_get_member (json_node_get_object (root), "path");
  if (!is_string (path) || !g_str_equal (json_node_get_string (path), "rootfs"))
    return throw_invalid (error, "Path must be 'rootfs'");
  return mounts == NULL || check_mounts (json_node_get_array (mounts), error);
}

static void
set_text (AtmBundle *bundle, JsonObject *object)
{
  g_autoptr (JsonNode) node = json_node_init_object (json_node_alloc (), object);
  char *text = atm_json_to_text (node, TRUE);

  g_clear_pointer (&bundle->text, g_bytes_unref);
  bundle->text = g_bytes_new_take (text, strlen (text));
}

/* Without a template of the image's nobody makes a missing file; a folder in its place would only
   hide that. */
static void
add_file_notices (AtmBundle *bundle)
{
  g_auto (GStrv) sources = atm_bundle_dup_bind_sources (bundle);

  for (guint i = 0; sources[i] != NULL; i++)
    if (!g_file_test (sources[i], G_FILE_TEST_EXISTS) && atm_bundle_looks_like_file (sources[i]))
      g_ptr_array_add (bundle->notices,
                       g_strdup_printf ("%s is bound into the container and is not on this host; "
                                        "it looks like a file, so it is not made as a folder",
                                        sources[i]));
}

static gboolean
get_text (const AtmExports *exports, GHashTable *values, GBytes **text_out, GError **error)
{
  if (exports->config != NULL)
    *text_out = g_bytes_ref (exports->config);
  else if (exports->config_template != NULL)
    return atm_template_substitute (exports->config_template, values, "config.json.template",
                                    text_out, error);
  return TRUE;
}

gboolean
atm_bundle_render (const AtmExports *exports, GHashTable *values, const AtmImageConfig *config,
                   int rootfs_fd, AtmBundle **bundle_out, GError **error)
{
  g_autoptr (AtmBundle) bundle = g_new0 (AtmBundle, 1);
  g_autoptr (JsonNode) node = NULL;
  gboolean changed = FALSE;

  bundle->volumes = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_volume_free);
  bundle->notices = g_ptr_array_new_with_free_func (g_free);
  if (!get_text (exports, values, &bundle->text, error))
    return FALSE;
  if (bundle->text != NULL && !parse (bundle->text, values, &node, error))
    return FALSE;
  if (bundle->text == NULL
      && !atm_bundle_default (values, config, rootfs_fd, bundle->volumes, bundle->notices, &node,
                              error))
    return FALSE;
  bundle->object = json_node_dup_object (node);

  if (json_object_get_size (bundle->object) > 0)
    {
      if (!check (bundle->object, error)
          || !atm_bundle_fit (bundle->object, g_hash_table_lookup (values, "NAME"), bundle->notices,
                              &changed, error))
        return FALSE;
      if (changed || bundle->text == NULL)
        set_text (bundle, bundle->object);
      if (exports->tmpfiles_template == NULL)
        add_file_notices (bundle);
    }

  *bundle_out = g_steal_pointer (&bundle);
  return TRUE;
}

void
atm_bundle_free (AtmBundle *bundle)
{
  if (bundle == NULL)
    return;
  g_clear_pointer (&bundle->text, g_bytes_unref);
  g_clear_pointer (&bundle->object, json_object_unref);
  g_clear_pointer (&bundle->volumes, g_ptr_array_unref);
  g_clear_pointer (&bundle->notices, g_ptr_array_unref);
  g_free (bundle);
}

void
atm_bundle_set_root_path (AtmBundle *bundle, const char *path)
{
  if (json_object_get_size (bundle->object) == 0)
    return;
  json_object_set_string_member (json_object_get_object_member (bundle->object, "root"), "path",
                                 path);
  set_text (bundle, bundle->object);
}

static JsonArray *
get_mounts (const AtmBundle *bundle)
{
  return json_object_has_member (bundle->object, "mounts")
             ? json_object_get_array_member (bundle->object, "mounts")
             : NULL;
}

/* NULL unless it is a bind mount: one whose type says so and that has a source (4.3), or one that
   only its options call a bind, which the runtimes take too. */
static const char *
get_bind_source (JsonObject *mount)
{
  const char *type = json_object_get_string_member_with_default (mount, "type", "");
  JsonNode *options = json_object_get_member (mount, "options");
  gboolean bind = strstr (type, "bind") != NULL;

  for (guint i = 0; !bind && options != NULL && JSON_NODE_HOLDS_ARRAY (options)
                    && i < json_array_get_length (json_node_get_array (options));
       i++)
    {
      JsonNode *option = json_array_get_element (json_node_get_array (options), i);

      bind = is_string (option)
             && (g_str_equal (json_node_get_string (option), "bind")
                 || g_str_equal (json_node_get_string (option), "rbind"));
    }
  return bind ? json_object_get_string_member_with_default (mount, "source", NULL) : NULL;
}

char **
atm_bundle_dup_bind_sources (const AtmBundle *bundle)
{
  g_autoptr (GPtrArray) sources = g_ptr_array_new ();
  JsonArray *mounts = get_mounts (bundle);

  for (guint i = 0; mounts != NULL && i < json_array_get_length (mounts); i++)
    {
      const char *source = get_bind_source (json_array_get_object_element (mounts, i));

      if (source != NULL && !g_ptr_array_find_with_equal_func (sources, source, g_str_equal, NULL))
        g_ptr_array_add (sources, g_strdup (source));
    }
  g_ptr_array_add (sources, NULL);
  return (char **) g_ptr_array_free (g_steal_pointer (&sources), FALSE);
}

char **
atm_bundle_dup_mount_points (const AtmBundle *bundle, char ***sources_out)
{
  g_autoptr (GPtrArray) points = g_ptr_array_new (), sources = g_ptr_array_new ();
  JsonArray *mounts = get_mounts (bundle);
  JsonNode *process = json_object_get_member (bundle->object, "process");
  JsonNode *cwd
      = process != NULL ? json_object_get_member (json_node_get_object (process), "cwd") : NULL;

  for (guint i = 0; mounts != NULL && i < json_array_get_length (mounts); i++)
    {
      JsonObject *mount = json_array_get_object_element (mounts, i);
      const char *source = get_bind_source (mount);

      g_ptr_array_add (points, g_strdup (json_object_get_string_member (mount, "destination")));
      g_ptr_array_add (sources, g_strdup (source != NULL ? source : ""));
    }
  /* Docker makes the working directory where the image has none; a read-only root cannot. */
  if (is_string (cwd))
    {
      g_ptr_array_add (points, json_node_dup_string (cwd));
      g_ptr_array_add (sources, g_strdup (""));
    }
  g_ptr_array_add (points, NULL);
  g_ptr_array_add (sources, NULL);
  *sources_out = (char **) g_ptr_array_free (g_steal_pointer (&sources), FALSE);
  return (char **) g_ptr_array_free (g_steal_pointer (&points), FALSE);
}

gboolean
atm_bundle_looks_like_file (const char *path)
{
  const char *const endings[]
      = { ".conf", ".cfg", ".crt", ".env",  ".ini",    ".json", ".key", ".log",  ".pem",
          ".pid",  ".sh",  ".so",  ".sock", ".socket", ".toml", ".txt", ".yaml", ".yml" };
  struct stat st;

  if (stat (path, &st) == 0)
    return !S_ISDIR (st.st_mode);
  for (guint i = 0; i < G_N_ELEMENTS (endings); i++)
    if (g_str_has_suffix (path, endings[i]))
      return TRUE;
  return FALSE;
}
