/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/conf.h"

#include <string.h>

#include "image/source.h"
#include "registry/conf-private.h"
#include "util/error.h"

#define FILES_HELPER "containers-auth.json"

void
atm_conf_alias_free (AtmConfAlias *alias)
{
  g_free (alias->name);
  g_free (alias->file);
  g_free (alias);
}

AtmRegistriesConf *
atm_registries_conf_new (void)
{
  AtmRegistriesConf *conf = g_new0 (AtmRegistriesConf, 1);
  const char *const helpers[] = { FILES_HELPER, NULL };

  conf->tables = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_conf_table_free);
  conf->aliases = g_hash_table_new_full (g_str_hash, g_str_equal, g_free,
                                         (GDestroyNotify) atm_conf_alias_free);
  conf->helpers = g_strdupv ((char **) helpers);
  conf->mode = ATM_SHORT_NAMES_PERMISSIVE;
  conf->files = g_ptr_array_new_with_free_func (g_free);
  conf->absent = g_ptr_array_new_with_free_func (g_free);
  conf->warnings = g_ptr_array_new_with_free_func (g_free);
  return conf;
}

void
atm_registries_conf_free (AtmRegistriesConf *conf)
{
  if (conf == NULL)
    return;
  g_ptr_array_unref (conf->tables);
  g_hash_table_unref (conf->aliases);
  g_strfreev (conf->search);
  g_free (conf->search_file);
  g_strfreev (conf->helpers);
  g_ptr_array_unref (conf->files);
  g_ptr_array_unref (conf->absent);
  g_ptr_array_unref (conf->warnings);
  g_free (conf);
}

const GPtrArray *
atm_registries_conf_get_warnings (const AtmRegistriesConf *conf)
{
  return conf->warnings;
}

const char *const *
atm_registries_conf_get_helpers (const AtmRegistriesConf *conf)
{
  return (const char *const *) conf->helpers;
}

/* ---- several files ---- */

void
atm_registries_conf_merge_aliases (AtmRegistriesConf *conf, const AtmConfFile *part)
{
  GHashTableIter iter;
  gpointer key, value;

  g_hash_table_iter_init (&iter, part->aliases);
  while (g_hash_table_iter_next (&iter, &key, &value))
    {
      AtmConfAlias *alias = NULL;

      if (*(const char *) value == '\0')
        {
          g_hash_table_remove (conf->aliases, key);
          continue;
        }
      alias = g_new0 (AtmConfAlias, 1);
      alias->name = g_strdup (value);
      alias->file = g_strdup (part->file);
      g_hash_table_replace (conf->aliases, g_strdup (key), alias);
    }
}

/* Tables are replaced whole, aliases one by one, anything else if the file has it at all. */
void
atm_registries_conf_merge (AtmRegistriesConf *conf, AtmConfFile *part)
{
  for (guint i = 0; i < conf->tables->len; i++)
    {
      AtmConfTable *earlier = g_ptr_array_index (conf->tables, i);

      if (atm_conf_find_table (part->tables, earlier->prefix) != NULL)
        g_ptr_array_remove_index (conf->tables, i--);
    }
  g_ptr_array_extend_and_steal (conf->tables, g_steal_pointer (&part->tables));
  g_ptr_array_extend_and_steal (conf->warnings, g_steal_pointer (&part->warnings));
  part->tables = g_ptr_array_new ();
  part->warnings = g_ptr_array_new ();
  if (part->aliases != NULL)
    atm_registries_conf_merge_aliases (conf, part);
  if (part->search != NULL)
    {
      g_strfreev (conf->search);
      conf->search = g_steal_pointer (&part->search);
      g_free (conf->search_file);
      conf->search_file = g_strdup (part->file);
    }
  if (part->helpers != NULL)
    {
      g_strfreev (conf->helpers);
      conf->helpers = g_steal_pointer (&part->helpers);
    }
  if (part->mode != ATM_SHORT_NAMES_UNSET)
    conf->mode = part->mode;
  g_ptr_array_add (conf->files, g_strdup (part->file));
  atm_conf_file_free (part);
}

/* Two tables that lead to one place must agree on how it is reached. */
gboolean
atm_registries_conf_check (const AtmRegistriesConf *conf, GError **error)
{
  g_autoptr (GHashTable) places = g_hash_table_new (g_str_hash, g_str_equal);

  for (guint i = 0; i < conf->tables->len; i++)
    {
      AtmConfTable *table = g_ptr_array_index (conf->tables, i), *other = NULL;

      if (table->location == NULL)
        continue;
      other = g_hash_table_lookup (places, table->location);
      if (other != NULL && (other->insecure != table->insecure || other->blocked != table->blocked))
        return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                          "%s: the location “%s” is “insecure” or “blocked” in one [[registry]] "
                          "and not in another (%s)",
                          table->file, table->location, other->file);
      g_hash_table_insert (places, table->location, table);
    }
  return TRUE;
}

/* ---- which table ---- */

/* How many bytes of @reference, whose host is @host_length long, @prefix covers; 0 for none. */
static gsize
match (const char *prefix, const char *reference, gsize host_length)
{
  gsize length = strlen (prefix);

  if (prefix[0] == '*')
    {
      /* “*.example.com” is for what stands before “.example.com”, never for that itself. */
      const char *suffix = prefix + 1;

      length--;
      return host_length > length && strncmp (reference + host_length - length, suffix, length) == 0
                 ? host_length
                 : 0;
    }
  if (!g_str_has_prefix (reference, prefix))
    return 0;
  /* A host alone is not the same host with a port, so “:” counts only after a path. */
  if (reference[length] == '/' || reference[length] == '\0')
    return length;
  return strchr (prefix, '/') != NULL && strchr (":@", reference[length]) != NULL ? length : 0;
}

static gsize
get_host_length (const AtmImageName *name)
{
  if (name->domain[0] == '[')
    return strcspn (name->domain, "]") + 1;
  return strcspn (name->domain, ":");
}

/* The one table that applies to @name, and how much of @reference its prefix covers. */
static const AtmConfTable *
find_best (const AtmRegistriesConf *conf, const AtmImageName *name, const char *reference,
           gsize *length_out)
{
  const AtmConfTable *best = NULL;

  for (guint i = 0; i < conf->tables->len; i++)
    {
      const AtmConfTable *table = g_ptr_array_index (conf->tables, i);
      gsize length = match (table->prefix, reference, get_host_length (name));

      if (length > 0 && (best == NULL || strlen (table->prefix) > strlen (best->prefix)))
        {
          best = table;
          *length_out = length;
        }
    }
  return best;
}

/* ---- endpoints ---- */

void
atm_registry_endpoint_free (AtmRegistryEndpoint *endpoint)
{
  if (endpoint == NULL)
    return;
  atm_name_free (endpoint->physical);
  g_free (endpoint);
}

static gboolean
rewrite (const AtmConfTable *table, const char *location, const char *reference, gsize length,
         AtmImageName **physical_out, GError **error)
{
  g_autofree char *rewritten = g_strconcat (location, reference + length, NULL);
  g_autoptr (AtmImageName) physical = NULL;

  if (!atm_name_parse (rewritten, FALSE, &physical, NULL)
      || (physical->tag == NULL && !physical->has_digest))
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                      "%s: the location “%s” turns %s into “%s”, which is no name of an image",
                      table->file, location, reference, rewritten);
  /* A location such as “mirror” would be taken for a path on docker.io. */
  if (!physical->domain_typed)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                      "%s: the location “%s” begins with no host name; write HOST:PORT, or a "
                      "host with a “.”",
                      table->file, location);
  *physical_out = g_steal_pointer (&physical);
  return TRUE;
}

/* The table that blocks @physical, if there is one. */
static const AtmConfTable *
find_block (const AtmRegistriesConf *conf, const AtmImageName *physical)
{
  g_autofree char *reference = atm_name_to_string (physical);
  gsize length = 0;
  const AtmConfTable *table = find_best (conf, physical, reference, &length);

  return table != NULL && table->blocked ? table : NULL;
}

static gboolean
throw_blocked (const AtmConfTable *table, const AtmImageName *name, GError **error)
{
  g_autofree char *text = atm_name_to_string (name);

  return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_DENIED,
                    "%s is blocked: %s says “blocked = true” for the prefix “%s”", text,
                    table->file, table->prefix);
}

static gboolean
add_mirrors (const AtmRegistriesConf *conf, const AtmConfTable *table, const AtmImageName *name,
             const char *reference, gsize length, GPtrArray *endpoints, GError **error)
{
  for (guint i = 0; i < table->mirrors->len; i++)
    {
      const AtmConfMirror *mirror = g_ptr_array_index (table->mirrors, i);
      g_autoptr (AtmImageName) physical = NULL;
      AtmRegistryEndpoint *endpoint = NULL;

      if (mirror->kind == (name->has_digest ? ATM_MIRROR_TAG_ONLY : ATM_MIRROR_DIGEST_ONLY))
        continue;
      if (!rewrite (table, mirror->location, reference, length, &physical, error))
        return FALSE;
      if (find_block (conf, physical) != NULL)
        {
          g_debug ("the mirror %s is blocked, so it is left out", mirror->location);
          continue;
        }
      endpoint = g_new0 (AtmRegistryEndpoint, 1);
      endpoint->physical = g_steal_pointer (&physical);
      endpoint->insecure = mirror->insecure;
      endpoint->is_mirror = TRUE;
      g_ptr_array_add (endpoints, endpoint);
    }
  return TRUE;
}

gboolean
atm_registries_conf_look_up (const AtmRegistriesConf *conf, const AtmImageName *name,
                             GPtrArray **endpoints_out, GError **error)
{
  g_autofree char *reference = atm_name_to_string (name);
  g_autoptr (GPtrArray) endpoints
      = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_registry_endpoint_free);
  g_autoptr (AtmImageName) physical = NULL;
  AtmRegistryEndpoint *primary = NULL;
  gsize length = 0;
  const AtmConfTable *table = find_best (conf, name, reference, &length), *block = NULL;

  if (table != NULL && table->blocked)
    return throw_blocked (table, name, error);
  if (table == NULL || table->location == NULL)
    physical = atm_name_copy (name);
  else if (!rewrite (table, table->location, reference, length, &physical, error))
    return FALSE;
  block = find_block (conf, physical);
  if (block != NULL)
    return throw_blocked (block, physical, error);
  if (table != NULL && !add_mirrors (conf, table, name, reference, length, endpoints, error))
    return FALSE;

  primary = g_new0 (AtmRegistryEndpoint, 1);
  primary->physical = g_steal_pointer (&physical);
  primary->insecure = table != NULL && table->insecure;
  g_ptr_array_add (endpoints, primary);
  *endpoints_out = g_steal_pointer (&endpoints);
  return TRUE;
}
