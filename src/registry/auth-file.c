/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/auth-file.h"

#include <string.h>

#include "util/base64.h"
#include "util/error.h"
#include "util/json.h"
#include "util/secret.h"
#include "util/text.h"

#define DOCKER_DOMAIN "docker.io"
/* What docker calls it, in its files and for its helpers. */
#define DOCKER_SERVER "https://index.docker.io/v1/"
#define WARNINGS_MAX 20

/* One member of “auths”. */
typedef struct
{
  char *key;            /* (owned) */
  char *server;         /* (owned) (nullable): the domain that the key is for; NULL: for a path */
  char *user;           /* (owned) (nullable) */
  char *password;       /* (owned) (nullable) */
  char *identity_token; /* (owned) (nullable) */
  char *registry_token; /* (owned) (nullable) */
} Entry;

struct _AtmAuthFile
{
  char *path; /* (owned) */
  AtmAuthFileKind kind;
  GPtrArray *entries;  /* (owned) (element-type Entry) */
  GHashTable *helpers; /* (owned) (nullable): “credHelpers” */
  char *store;         /* (owned) (nullable): “credsStore” */
  GPtrArray *warnings; /* (owned) (element-type utf8) */
};

static void
entry_free (Entry *entry)
{
  g_free (entry->key);
  g_free (entry->server);
  g_free (entry->user);
  atm_secret_free (entry->password);
  atm_secret_free (entry->identity_token);
  atm_secret_free (entry->registry_token);
  g_free (entry);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC (Entry, entry_free)

void
atm_auth_file_free (AtmAuthFile *file)
{
  if (file == NULL)
    return;
  g_free (file->path);
  g_ptr_array_unref (file->entries);
  g_clear_pointer (&file->helpers, g_hash_table_unref);
  g_free (file->store);
  g_ptr_array_unref (file->warnings);
  g_free (file);
}

/* @key for messages; a URL may have a password before its host. */
static char *
dup_shown (const char *key)
{
  const char *at = strrchr (key, '@');
  const char *scheme = strstr (key, "://");
  g_autofree char *stripped = NULL;

  if (at == NULL || scheme == NULL || scheme > at)
    return atm_text_escape (key);
  stripped = g_strdup_printf ("%.*s://…%s", (int) (scheme - key), key, at);
  return atm_text_escape (stripped);
}

static void
warn (AtmAuthFile *file, const char *key, const char *why)
{
  g_autofree char *shown = dup_shown (key);

  if (file->warnings->len < WARNINGS_MAX)
    g_ptr_array_add (file->warnings, g_strdup_printf ("%s, key “%s”: %s", file->path, shown, why));
}

/* ---- keys ---- */

/* The names of Docker Hub, as one. */
static const char *
unify (const char *domain)
{
  static const char *const hub[] = { "index.docker.io", "registry-1.docker.io", NULL };

  return g_strv_contains (hub, domain) ? DOCKER_DOMAIN : domain;
}

/* The domain that @key is for: URLs as docker writes them lose scheme and path. NULL for a path. */
static char *
dup_server (const char *key, AtmAuthFileKind kind)
{
  const char *scheme = strstr (key, "://");
  const char *rest = key;
  g_autofree char *domain = NULL;

  if (g_str_has_prefix (key, "http://") || g_str_has_prefix (key, "https://"))
    rest = scheme + strlen ("://");
  if (rest == key && kind != ATM_AUTH_FILE_OLD && strchr (key, '/') != NULL)
    return NULL;
  domain = g_ascii_strdown (rest, (gssize) strcspn (rest, "/"));
  return g_strdup (unify (domain));
}

static void
check_key (AtmAuthFile *file, const char *key)
{
  const char *slash = strrchr (key, '/');

  if (strstr (key, "://") != NULL)
    {
      if (file->kind == ATM_AUTH_FILE_CONTAINERS)
        warn (file, key, "write it as HOST[:PORT], without “http://” or “https://”");
      return;
    }
  if (strchr (key, '@') != NULL || (slash != NULL && strchr (slash, ':') != NULL))
    warn (file, key, "a key has neither a tag nor a digest, so this one is never found");
}

/* ---- entries ---- */

typedef struct
{
  char *auth;           /* (owned) (nullable) */
  char *identity_token; /* (owned) (nullable) */
  char *registry_token; /* (owned) (nullable) */
} EntryFields;

static void
entry_fields_clear (EntryFields *fields)
{
  atm_secret_free (fields->auth);
  atm_secret_free (fields->identity_token);
  atm_secret_free (fields->registry_token);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (EntryFields, entry_fields_clear)

/* USER:PASSWORD; old versions of docker padded it with NULs. */
static gboolean
split_auth (const char *auth, Entry *entry)
{
  g_autoptr (AtmSecretBytes) bytes = atm_base64_decode (auth);
  gsize length = 0;
  const char *text = NULL, *colon = NULL;

  if (bytes == NULL)
    return FALSE;
  text = g_bytes_get_data (bytes, &length);
  while (length > 0 && text[length - 1] == '\0')
    length--;
  colon = length > 0 ? memchr (text, ':', length) : NULL;
  if (colon == NULL || memchr (text, '\0', length) != NULL)
    return FALSE;
  entry->user = g_strndup (text, (gsize) (colon - text));
  entry->password = g_strndup (colon + 1, length - (gsize) (colon - text) - 1);
  return TRUE;
}

/* A token goes into a header as it is, so it must be one word of ASCII. */
static char *
take_token (AtmAuthFile *file, const char *key, const char *name, char **token)
{
  if (*token == NULL || **token == '\0')
    return NULL;
  for (const char *p = *token; *p != '\0'; p++)
    if (!g_ascii_isgraph (*p))
      {
        g_autofree char *why = g_strdup_printf ("“%s” is no token, and is left out", name);

        warn (file, key, why);
        return NULL;
      }
  return g_steal_pointer (token);
}

static gboolean
read_entry (AtmAuthFile *file, const char *key, JsonNode *node, GError **error)
{
  static const AtmJsonField known[] = {
    { "auth", ATM_JSON_STRING, G_STRUCT_OFFSET (EntryFields, auth), ATM_JSON_NULLABLE },
    { "identitytoken", ATM_JSON_STRING, G_STRUCT_OFFSET (EntryFields, identity_token),
      ATM_JSON_NULLABLE },
    { "registrytoken", ATM_JSON_STRING, G_STRUCT_OFFSET (EntryFields, registry_token),
      ATM_JSON_NULLABLE },
  };
  g_autoptr (Entry) entry = g_new0 (Entry, 1);
  g_auto (EntryFields) fields = { 0 };
  g_autofree char *shown = dup_shown (key);

  if (!JSON_NODE_HOLDS_OBJECT (node))
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA, "“%s” is no object", shown);
  if (!atm_json_read (json_node_get_object (node), known, G_N_ELEMENTS (known),
                      ATM_JSON_ALLOW_UNKNOWN, shown, &fields, error))
    return FALSE;
  entry->key = g_strdup (key);
  entry->server = dup_server (key, file->kind);
  if (fields.auth != NULL && *fields.auth != '\0' && !split_auth (fields.auth, entry))
    warn (file, key, "“auth” is not the base64 of USER:PASSWORD, and is left out");
  entry->identity_token = take_token (file, key, "identitytoken", &fields.identity_token);
  entry->registry_token = take_token (file, key, "registrytoken", &fields.registry_token);
  check_key (file, key);
  g_ptr_array_add (file->entries, g_steal_pointer (&entry));
  return TRUE;
}

static gboolean
read_entries (AtmAuthFile *file, JsonObject *object, GError **error)
{
  JsonObjectIter iter;
  const char *key = NULL;
  JsonNode *node = NULL;

  if (object == NULL)
    return TRUE;
  json_object_iter_init_ordered (&iter, object);
  while (json_object_iter_next_ordered (&iter, &key, &node))
    if (!read_entry (file, key, node, error))
      return FALSE;
  return TRUE;
}

/* ---- the file ---- */

typedef struct
{
  JsonObject *auths;   /* (owned) (nullable) */
  GHashTable *helpers; /* (owned) (nullable) */
  char *store;         /* (owned) (nullable) */
} FileFields;

static void
file_fields_clear (FileFields *fields)
{
  g_clear_pointer (&fields->auths, json_object_unref);
  g_clear_pointer (&fields->helpers, g_hash_table_unref);
  g_free (fields->store);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (FileFields, file_fields_clear)

static gboolean
read_file (AtmAuthFile *file, GBytes *bytes, GError **error)
{
  static const AtmJsonField known[] = {
    { "auths", ATM_JSON_OBJECT, G_STRUCT_OFFSET (FileFields, auths), ATM_JSON_NULLABLE },
    { "credHelpers", ATM_JSON_STRING_MAP, G_STRUCT_OFFSET (FileFields, helpers),
      ATM_JSON_NULLABLE },
    { "credsStore", ATM_JSON_STRING, G_STRUCT_OFFSET (FileFields, store), ATM_JSON_NULLABLE },
  };
  g_autoptr (JsonObject) object = NULL;
  g_auto (FileFields) fields = { 0 };

  if (g_bytes_get_size (bytes) == 0)
    return TRUE;
  if (!atm_json_parse_object (bytes, &object, error))
    return FALSE;
  if (file->kind == ATM_AUTH_FILE_OLD)
    return read_entries (file, object, error);
  if (!atm_json_read (object, known, G_N_ELEMENTS (known), ATM_JSON_ALLOW_UNKNOWN, "", &fields,
                      error)
      || !read_entries (file, fields.auths, error))
    return FALSE;
  file->helpers = g_steal_pointer (&fields.helpers);
  if (fields.store != NULL && *fields.store != '\0')
    file->store = g_steal_pointer (&fields.store);
  return TRUE;
}

gboolean
atm_auth_file_parse (GBytes *bytes, const char *path, AtmAuthFileKind kind, AtmAuthFile **file_out,
                     GError **error)
{
  g_autoptr (AtmAuthFile) file = g_new0 (AtmAuthFile, 1);
  g_autoptr (GError) local = NULL;

  file->path = g_strdup (path);
  file->kind = kind;
  file->entries = g_ptr_array_new_with_free_func ((GDestroyNotify) entry_free);
  file->warnings = g_ptr_array_new_with_free_func (g_free);
  if (!read_file (file, bytes, &local))
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                      "%s is no file of credentials: %s", path, local->message);
  *file_out = g_steal_pointer (&file);
  return TRUE;
}

static gboolean
is_empty (const Entry *entry)
{
  return entry->user == NULL && entry->identity_token == NULL && entry->registry_token == NULL;
}

gboolean
atm_auth_file_has_secrets (const AtmAuthFile *file)
{
  for (guint i = 0; i < file->entries->len; i++)
    if (!is_empty (g_ptr_array_index (file->entries, i)))
      return TRUE;
  return FALSE;
}

const GPtrArray *
atm_auth_file_get_warnings (const AtmAuthFile *file)
{
  return file->warnings;
}

/* ---- looking up ---- */

const char *
atm_auth_file_find_helper (const AtmAuthFile *file, const AtmImageName *name,
                           const char **server_out)
{
  const char *helper = NULL, *domain = unify (name->domain);
  GHashTableIter iter;
  gpointer key, value;

  if (file->helpers == NULL)
    return NULL;
  helper = g_hash_table_lookup (file->helpers, name->domain);
  if (helper != NULL)
    {
      *server_out = name->domain;
      return helper;
    }
  g_hash_table_iter_init (&iter, file->helpers);
  while (g_hash_table_iter_next (&iter, &key, &value))
    {
      g_autofree char *server = dup_server (key, file->kind);

      /* Of several spellings the first one by name, whatever the order of the table. */
      if (g_strcmp0 (server, domain) == 0 && (helper == NULL || strcmp (key, *server_out) < 0))
        {
          *server_out = key;
          helper = value;
        }
    }
  return helper;
}

const char *
atm_auth_file_find_store (const AtmAuthFile *file, const AtmImageName *name,
                          const char **server_out)
{
  if (file->store == NULL)
    return NULL;
  *server_out = g_str_equal (unify (name->domain), DOCKER_DOMAIN) ? DOCKER_SERVER : name->domain;
  return file->store;
}

static const Entry *
find_key (const AtmAuthFile *file, const char *key)
{
  for (guint i = 0; i < file->entries->len; i++)
    {
      const Entry *entry = g_ptr_array_index (file->entries, i);

      if (g_str_equal (entry->key, key) && !is_empty (entry))
        return entry;
    }
  return NULL;
}

static const Entry *
find_server (const AtmAuthFile *file, const char *domain)
{
  for (guint i = 0; i < file->entries->len; i++)
    {
      const Entry *entry = g_ptr_array_index (file->entries, i);

      if (g_strcmp0 (entry->server, domain) == 0 && !is_empty (entry))
        return entry;
    }
  return NULL;
}

AtmCredential *
atm_auth_file_find (const AtmAuthFile *file, const AtmImageName *name)
{
  g_autofree char *key = atm_name_get_repository (name), *shown = NULL;
  const Entry *entry = find_key (file, key);
  AtmCredential *credential = NULL;

  while (entry == NULL && strlen (key) > strlen (name->domain))
    {
      *strrchr (key, '/') = '\0';
      entry = find_key (file, key);
    }
  if (entry == NULL)
    entry = find_server (file, unify (name->domain));
  if (entry == NULL)
    return NULL;

  shown = dup_shown (entry->key);
  credential = g_new0 (AtmCredential, 1);
  credential->user = g_strdup (entry->user);
  credential->password = g_strdup (entry->password);
  credential->identity_token = g_strdup (entry->identity_token);
  credential->registry_token = g_strdup (entry->registry_token);
  credential->source = g_strdup_printf ("%s, key “%s”", file->path, shown);
  return credential;
}
