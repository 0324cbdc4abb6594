/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "registry/auth-file.h"
#include "registry/credential-helper.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/secret.h"
#include "util/text.h"

#define FILES_HELPER "containers-auth.json"
#define BOOT_FILE "/etc/atomic/auth.json"
#define AUTHFILE_VARIABLE "REGISTRY_AUTH_FILE"
#define DEFAULT_PATH "/usr/local/bin:/usr/bin:/bin"
#define CREDS_FILE_MAX_BYTES (64 * 1024)
/* User names by which a helper says that the secret is an identity token. */
#define TOKEN_USER "<token>"

typedef struct
{
  char *path; /* (owned) */
  AtmAuthFileKind kind;
  gboolean must_exist;
  gboolean is_boot_file; /* of root alone: 0600 at most, and not for other users */
} Place;

static void
place_free (Place *place)
{
  g_free (place->path);
  g_free (place);
}

/* What a helper answered, for one server. */
typedef struct
{
  char *user;   /* (owned) (nullable) */
  char *secret; /* (owned) (nullable) */
} Answer;

static void
answer_free (Answer *answer)
{
  g_free (answer->user);
  atm_secret_free (answer->secret);
  g_free (answer);
}

struct _AtmCredentials
{
  gatomicrefcount references;

  char *user;               /* (owned) (nullable): of --creds or --creds-file */
  char *password;           /* (owned) (nullable) */
  const char *creds_option; /* which of the two */
  GPtrArray *places;        /* (owned) (element-type Place): in the order of the search */
  char **helpers;           /* (owned): named helpers, and FILES_HELPER for the places */
  char *path;               /* (owned): where helpers are */
  char **environment;       /* (owned): of helpers */
  AtmCredentialHelperSetting setting;

  GMutex lock;         /* for what follows, and for running one helper at a time */
  GHashTable *answers; /* (owned): “HELPER SERVER” to Answer */
  GHashTable *told;    /* (owned): warnings so far */
  GPtrArray *warnings; /* (owned) (element-type utf8): those nobody has taken */
};

void
atm_credential_free (AtmCredential *credential)
{
  if (credential == NULL)
    return;
  g_free (credential->user);
  atm_secret_free (credential->password);
  atm_secret_free (credential->identity_token);
  atm_secret_free (credential->registry_token);
  g_free (credential->source);
  g_free (credential);
}

AtmCredentials *
atm_credentials_ref (AtmCredentials *self)
{
  g_atomic_ref_count_inc (&self->references);
  return self;
}

void
atm_credentials_unref (AtmCredentials *self)
{
  if (self == NULL || !g_atomic_ref_count_dec (&self->references))
    return;
  g_free (self->user);
  atm_secret_free (self->password);
  g_ptr_array_unref (self->places);
  g_strfreev (self->helpers);
  g_free (self->path);
  g_strfreev (self->environment);
  g_mutex_clear (&self->lock);
  g_hash_table_unref (self->answers);
  g_hash_table_unref (self->told);
  g_ptr_array_unref (self->warnings);
  g_free (self);
}

/* ---- --creds and --creds-file ---- */

static gboolean
read_creds_file (const char *path, char **creds_out, GError **error)
{
  g_autoptr (AtmSecretBytes) bytes = NULL;
  atm_autofd int fd = open (path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  gsize length = 0;
  const char *text = NULL;
  struct stat st;

  if (fd < 0 || fstat (fd, &st) < 0)
    return atm_throw_errno (error, "Opening %s", path);
  if ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
                      "%s holds a password, and other users have access to it; take that away "
                      "(chmod 600)",
                      path);
  if (!atm_read_all (fd, CREDS_FILE_MAX_BYTES, &bytes, error))
    return atm_prefix_error (error, "%s", path);
  text = g_bytes_get_data (bytes, &length);
  if (length > 0 && text[length - 1] == '\n')
    length--;
  if (length == 0 || memchr (text, '\n', length) != NULL || memchr (text, '\0', length) != NULL)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                      "%s must hold one line, USER:PASSWORD", path);
  *creds_out = g_strndup (text, length);
  return TRUE;
}

static gboolean
take_creds (AtmCredentials *self, const AtmCredentialOptions *options, GError **error)
{
  g_autoptr (AtmSecret) creds = NULL;
  g_autofree char *question = NULL;
  const char *option = options->creds_file != NULL ? "--creds-file" : "--creds";
  const char *colon = NULL;

  if (options->creds_file != NULL && options->creds != NULL)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                      "give “--creds” or “--creds-file”, not both");
  if (options->creds_file != NULL && !read_creds_file (options->creds_file, &creds, error))
    return FALSE;
  if (options->creds_file == NULL)
    creds = g_strdup (options->creds);
  if (creds == NULL || *creds == '\0')
    return TRUE;

  colon = strchr (creds, ':');
  if (colon == creds)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                      "“%s” wants USER[:PASSWORD], and there is no user", option);
  if (colon == NULL && options->prompt == NULL)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                      "“%s” names a user without a password, and there is no terminal to ask for "
                      "it; use “--creds-file” or “--authfile”",
                      option);
  self->creds_option = option;
  self->user = colon != NULL ? g_strndup (creds, (gsize) (colon - creds)) : g_strdup (creds);
  if (colon != NULL)
    {
      self->password = g_strdup (colon + 1);
      return TRUE;
    }
  question = g_strdup_printf ("Password of %s:", self->user);
  return options->prompt (question, &self->password, options->prompt_data, error);
}

/* ---- where to look ---- */

static void
add_place (AtmCredentials *self, AtmAuthFileKind kind, const char *folder, const char *name)
{
  Place *place = g_new0 (Place, 1);

  place->kind = kind;
  place->path = g_build_filename (folder, name, NULL);
  g_ptr_array_add (self->places, place);
}

static const char *
get_variable (char **environment, const char *name)
{
  const char *value = g_environ_getenv (environment, name);

  return value != NULL && *value != '\0' ? value : NULL;
}

static void
find_places (AtmCredentials *self, const AtmCredentialOptions *options, char **environment)
{
  const char *authfile = options->authfile != NULL ? options->authfile
                                                   : get_variable (environment, AUTHFILE_VARIABLE);
  const char *home = get_variable (environment, "HOME");
  const char *runtime = get_variable (environment, "XDG_RUNTIME_DIR");
  const char *config = get_variable (environment, "XDG_CONFIG_HOME");
  const char *docker = get_variable (environment, "DOCKER_CONFIG");
  g_autofree char *uid_folder = g_strdup_printf ("/run/containers/%u", (guint) getuid ());
  g_autofree char *home_config = NULL, *home_docker = NULL;
  Place *place = NULL;

  if (authfile != NULL)
    {
      place = g_new0 (Place, 1);
      place->path = g_strdup (authfile);
      /* It may be of either format; this one has no objection to any key. */
      place->kind = ATM_AUTH_FILE_DOCKER;
      place->must_exist = TRUE;
      g_ptr_array_add (self->places, place);
      return;
    }

  if (home == NULL)
    home = g_get_home_dir ();
  home_config = g_build_filename (home, ".config", NULL);
  home_docker = g_build_filename (home, ".docker", NULL);
  if (runtime != NULL)
    add_place (self, ATM_AUTH_FILE_CONTAINERS, runtime, "containers/auth.json");
  else
    add_place (self, ATM_AUTH_FILE_CONTAINERS, uid_folder, "auth.json");
  add_place (self, ATM_AUTH_FILE_CONTAINERS, config != NULL ? config : home_config,
             "containers/auth.json");
  add_place (self, ATM_AUTH_FILE_DOCKER, docker != NULL ? docker : home_docker, "config.json");
  add_place (self, ATM_AUTH_FILE_OLD, home, ".dockercfg");
  add_place (self, ATM_AUTH_FILE_CONTAINERS, "/",
             options->boot_file != NULL ? options->boot_file : BOOT_FILE);
  place = g_ptr_array_index (self->places, self->places->len - 1);
  place->is_boot_file = TRUE;
}

static void
find_helpers (AtmCredentials *self, const AtmCredentialOptions *options, char **environment)
{
  const char *const files_only[] = { FILES_HELPER, NULL };
  const Place *first = g_ptr_array_index (self->places, 0);
  gboolean as_root = geteuid () == 0;
  const char *path = options->helper_path;

  /* A file that was named is all that is asked. */
  if (options->helpers != NULL && !first->must_exist)
    self->helpers = g_strdupv ((char **) options->helpers);
  else
    self->helpers = g_strdupv ((char **) files_only);
  if (path == NULL)
    path = as_root ? ATM_CREDENTIAL_HELPER_ROOT_PATH : get_variable (environment, "PATH");
  self->path = g_strdup (path != NULL ? path : DEFAULT_PATH);
  self->environment
      = atm_credential_helper_dup_environment ((const char *const *) environment, as_root);
  self->setting.path = self->path;
  self->setting.environment = (const char *const *) self->environment;
  self->setting.limit_msec = options->helper_limit_msec > 0
                                 ? options->helper_limit_msec
                                 : ATM_CREDENTIAL_HELPER_LIMIT_SEC * 1000;
}

gboolean
atm_credentials_new (const AtmCredentialOptions *options, AtmCredentials **credentials_out,
                     GError **error)
{
  g_autoptr (AtmCredentials) self = g_new0 (AtmCredentials, 1);
  g_auto (GStrv) environment = options->environment != NULL
                                   ? g_strdupv ((char **) options->environment)
                                   : g_get_environ ();

  g_atomic_ref_count_init (&self->references);
  g_mutex_init (&self->lock);
  self->places = g_ptr_array_new_with_free_func ((GDestroyNotify) place_free);
  self->answers
      = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, (GDestroyNotify) answer_free);
  self->told = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  self->warnings = g_ptr_array_new_with_free_func (g_free);
  find_places (self, options, environment);
  find_helpers (self, options, environment);
  if (!take_creds (self, options, error))
    return FALSE;
  *credentials_out = g_steal_pointer (&self);
  return TRUE;
}

static void
tell (AtmCredentials *self, const char *warning)
{
  if (g_hash_table_add (self->told, g_strdup (warning)))
    g_ptr_array_add (self->warnings, g_strdup (warning));
}

/* ---- helpers ---- */

static gboolean
ask_helper (AtmCredentials *self, const char *helper, const char *server,
            AtmCredential **credential_out, GCancellable *cancellable, GError **error)
{
  g_autofree char *key = g_strconcat (helper, " ", server, NULL);
  g_autofree char *shown = atm_text_escape (server);
  const Answer *answer = g_hash_table_lookup (self->answers, key);
  AtmCredential *credential = NULL;

  if (answer == NULL)
    {
      g_autofree char *user = NULL;
      g_autoptr (AtmSecret) secret = NULL;
      Answer *fresh = NULL;

      if (!atm_credential_helper_get (&self->setting, helper, server, &user, &secret, cancellable,
                                      error))
        return FALSE;
      fresh = g_new0 (Answer, 1);
      fresh->user = g_steal_pointer (&user);
      fresh->secret = g_steal_pointer (&secret);
      g_hash_table_insert (self->answers, g_steal_pointer (&key), fresh);
      answer = fresh;
    }

  /* Some helpers say “nothing” with an empty answer. */
  if (answer->secret == NULL || (*answer->secret == '\0' && *answer->user == '\0'))
    return TRUE;
  credential = g_new0 (AtmCredential, 1);
  if (g_str_equal (answer->user, TOKEN_USER))
    credential->identity_token = g_strdup (answer->secret);
  else
    {
      credential->user = g_strdup (answer->user);
      credential->password = g_strdup (answer->secret);
    }
  credential->source = g_strdup_printf ("docker-credential-%s, for %s", helper, shown);
  *credential_out = credential;
  return TRUE;
}

/* ---- files ---- */

/* @file_out is left alone if there is no file. */
static gboolean
read_place (AtmCredentials *self, const Place *place, AtmAuthFile **file_out, GError **error)
{
  g_autoptr (AtmSecretBytes) bytes = NULL;
  g_autoptr (AtmAuthFile) file = NULL;
  const GPtrArray *warnings = NULL;
  atm_autofd int fd = open (place->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
  struct stat st;

  if (fd < 0 && (errno == ENOENT || errno == ENOTDIR) && !place->must_exist)
    return TRUE;
  if (fd < 0 && errno == EACCES && place->is_boot_file && geteuid () != 0)
    return TRUE;
  if (fd < 0 || fstat (fd, &st) < 0)
    return atm_throw_errno (error, "Opening the file of credentials %s", place->path);
  if (place->is_boot_file
      && ((st.st_mode & (S_IRWXG | S_IRWXO)) != 0 || (st.st_uid != 0 && st.st_uid != geteuid ())))
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_PERMISSION_DENIED,
                      "%s holds credentials and must be root's alone (chown root, chmod 600)",
                      place->path);
  if (!atm_read_all (fd, ATM_CREDENTIAL_FILE_MAX_BYTES, &bytes, error))
    return atm_prefix_error (error, "%s", place->path);
  if (!atm_auth_file_parse (bytes, place->path, place->kind, &file, error))
    return FALSE;

  warnings = atm_auth_file_get_warnings (file);
  for (guint i = 0; i < warnings->len; i++)
    tell (self, g_ptr_array_index (warnings, i));
  if ((st.st_mode & S_IROTH) != 0 && atm_auth_file_has_secrets (file))
    {
      g_autofree char *warning
          = g_strdup_printf ("%s holds credentials, and every user may read it; take that away "
                             "(chmod 600)",
                             place->path);

      tell (self, warning);
    }
  *file_out = g_steal_pointer (&file);
  return TRUE;
}

static gboolean
ask_helper_of (AtmCredentials *self, const Place *place, const char *helper, const char *server,
               AtmCredential **credential_out, GCancellable *cancellable, GError **error)
{
  return ask_helper (self, helper, server, credential_out, cancellable, error)
         || atm_prefix_error (error, "%s", place->path);
}

static gboolean
look_in_place (AtmCredentials *self, const Place *place, const AtmImageName *name,
               AtmCredential **credential_out, GCancellable *cancellable, GError **error)
{
  g_autoptr (AtmAuthFile) file = NULL;
  const char *helper = NULL, *server = NULL;

  if (!read_place (self, place, &file, error))
    return FALSE;
  if (file == NULL)
    return TRUE;
  helper = atm_auth_file_find_helper (file, name, &server);
  if (helper != NULL)
    return ask_helper_of (self, place, helper, server, credential_out, cancellable, error);
  *credential_out = atm_auth_file_find (file, name);
  if (*credential_out != NULL)
    return TRUE;
  helper = atm_auth_file_find_store (file, name, &server);
  return helper == NULL
         || ask_helper_of (self, place, helper, server, credential_out, cancellable, error);
}

static gboolean
look_in_places (AtmCredentials *self, const AtmImageName *name, AtmCredential **credential_out,
                GCancellable *cancellable, GError **error)
{
  for (guint i = 0; i < self->places->len && *credential_out == NULL; i++)
    if (!look_in_place (self, g_ptr_array_index (self->places, i), name, credential_out,
                        cancellable, error))
      return FALSE;
  return TRUE;
}

/* ---- the look-up ---- */

static AtmCredential *
dup_creds (const AtmCredentials *self)
{
  AtmCredential *credential = g_new0 (AtmCredential, 1);

  credential->user = g_strdup (self->user);
  credential->password = g_strdup (self->password);
  credential->source = g_strdup (self->creds_option);
  credential->is_explicit = TRUE;
  return credential;
}

gboolean
atm_credentials_look_up (AtmCredentials *self, const AtmImageName *logical,
                         const AtmImageName *physical, AtmCredential **credential_out,
                         GCancellable *cancellable, GError **error)
{
  g_autoptr (AtmCredential) credential = NULL;
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);

  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return FALSE;
  if (self->user != NULL && g_str_equal (logical->domain, physical->domain))
    {
      *credential_out = dup_creds (self);
      return TRUE;
    }
  for (guint i = 0; self->helpers[i] != NULL && credential == NULL; i++)
    if (g_str_equal (self->helpers[i], FILES_HELPER))
      {
        if (!look_in_places (self, physical, &credential, cancellable, error))
          return FALSE;
      }
    else if (!ask_helper (self, self->helpers[i], physical->domain, &credential, cancellable,
                          error))
      return atm_prefix_error (error, "“credential-helpers” of registries.conf");
  *credential_out = g_steal_pointer (&credential);
  return TRUE;
}

GPtrArray *
atm_credentials_steal_warnings (AtmCredentials *self)
{
  g_autoptr (GMutexLocker) locker G_GNUC_UNUSED = g_mutex_locker_new (&self->lock);
  GPtrArray *warnings = self->warnings;

  self->warnings = g_ptr_array_new_with_free_func (g_free);
  return warnings;
}

char *
atm_credentials_dup_places (AtmCredentials *self)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);

  for (guint i = 0; self->helpers[i] != NULL; i++)
    if (!g_str_equal (self->helpers[i], FILES_HELPER))
      g_ptr_array_add (names, g_strconcat ("docker-credential-", self->helpers[i], NULL));
    else
      for (guint j = 0; j < self->places->len; j++)
        {
          const Place *place = g_ptr_array_index (self->places, j);

          g_ptr_array_add (names, g_strdup (place->path));
        }
  g_ptr_array_add (names, NULL);
  return g_strjoinv (", ", (char **) names->pdata);
}
