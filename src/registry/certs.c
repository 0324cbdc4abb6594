/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/certs.h"

#include <dirent.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "registry/home.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/secret.h"

#define USER_FOLDER ".config/containers/certs.d"
#define SYSTEM_FOLDER "/etc/containers/certs.d"
#define DOCKER_FOLDER "/etc/docker/certs.d"

#define AUTHORITY ".crt"
#define CLIENT ".cert"
#define CLIENT_KEY ".key"
#define PEM_BEGIN "-----BEGIN "

void
atm_certs_free (AtmCerts *certs)
{
  if (certs == NULL)
    return;
  g_free (certs->folder);
  g_clear_object (&certs->extra);
  g_ptr_array_unref (certs->pairs);
  g_free (certs);
}

static gboolean
read_pem (int dir_fd, const char *folder, const char *name, GBytes **bytes_out, GError **error)
{
  g_autoptr (AtmSecretBytes) bytes = NULL;
  gsize length = 0;
  const char *text = NULL;

  if (!atm_read_file_at (dir_fd, name, TRUE, ATM_CERT_MAX_BYTES, &bytes, error))
    return atm_prefix_error (error, "%s", folder);
  text = g_bytes_get_data (bytes, &length);
  if (length == 0 || g_strstr_len (text, (gssize) length, PEM_BEGIN) == NULL)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                      "%s/%s is no PEM file; convert it (openssl x509 -inform DER)", folder, name);
  *bytes_out = g_steal_pointer (&bytes);
  return TRUE;
}

/* A name for @bytes: GIO takes lists of certificates only by file name. */
static gboolean
open_memory (GBytes *bytes, int *fd_out, char **path_out, GError **error)
{
  atm_autofd int fd = memfd_create ("certificates", MFD_CLOEXEC);

  if (fd < 0)
    return atm_throw_errno (error, "Making a file in memory");
  if (!atm_write_all (fd, bytes, error))
    return FALSE;
  *path_out = g_strdup_printf ("/proc/self/fd/%d", fd);
  *fd_out = g_steal_fd (&fd);
  return TRUE;
}

static void
free_list (GList *list)
{
  g_list_free_full (list, g_object_unref);
}

static gboolean
take_authority (int dir_fd, const char *folder, const char *name, GByteArray *authorities,
                GError **error)
{
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) local = NULL;
  g_autofree char *path = NULL;
  atm_autofd int fd = -1;
  GList *list = NULL;

  if (!read_pem (dir_fd, folder, name, &bytes, error) || !open_memory (bytes, &fd, &path, error))
    return FALSE;
  list = g_tls_certificate_list_new_from_file (path, &local);
  if (list == NULL)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                      "%s/%s holds no certificate that can be read%s%s", folder, name,
                      local != NULL ? ": " : "", local != NULL ? local->message : "");
  free_list (list);
  g_byte_array_append (authorities, g_bytes_get_data (bytes, NULL),
                       (guint) g_bytes_get_size (bytes));
  /* The last line of a file need not have ended. */
  g_byte_array_append (authorities, (const guint8 *) "\n", 1);
  return TRUE;
}

static gboolean
take_pair (int dir_fd, const char *folder, const char *name, GPtrArray *pairs, GError **error)
{
  g_autofree char *stem = g_strndup (name, strlen (name) - strlen (CLIENT));
  g_autofree char *key_name = g_strconcat (stem, CLIENT_KEY, NULL);
  g_autoptr (GBytes) cert = NULL;
  g_autoptr (AtmSecretBytes) key = NULL, both = NULL;
  g_autoptr (AtmSecret) found_key = NULL;
  g_autoptr (GTlsCertificate) pair = NULL;
  g_autoptr (GError) local = NULL;
  GByteArray *text = NULL;

  if (!read_pem (dir_fd, folder, name, &cert, error)
      || !read_pem (dir_fd, folder, key_name, &key, error))
    return FALSE;
  text = g_byte_array_sized_new ((guint) (g_bytes_get_size (cert) + g_bytes_get_size (key) + 1));
  g_byte_array_append (text, g_bytes_get_data (cert, NULL), (guint) g_bytes_get_size (cert));
  g_byte_array_append (text, (const guint8 *) "\n", 1);
  g_byte_array_append (text, g_bytes_get_data (key, NULL), (guint) g_bytes_get_size (key));
  both = g_byte_array_free_to_bytes (text);
  pair = g_tls_certificate_new_from_pem (g_bytes_get_data (both, NULL),
                                         (gssize) g_bytes_get_size (both), &local);
  /* GIO is content without a key. */
  if (pair != NULL)
    g_object_get (pair, "private-key-pem", &found_key, NULL);
  if (found_key == NULL)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                      "%s/%s and %s are no certificate with its key: %s", folder, name, key_name,
                      local != NULL ? local->message : "there is no key, or it has a passphrase");
  g_ptr_array_add (pairs, g_steal_pointer (&pair));
  return TRUE;
}

static gboolean
throw_half (GError **error, const char *folder, const char *there, const char *missing)
{
  return atm_throw (error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND,
                    "%s/%s is missing: a client certificate is two files, and %s is there", folder,
                    missing, there);
}

/* Every X.cert has its X.key, and the other way round. */
static gboolean
check_halves (const char *folder, GPtrArray *names, GError **error)
{
  for (guint i = 0; i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);
      gboolean is_cert = g_str_has_suffix (name, CLIENT);
      g_autofree char *stem = NULL, *other = NULL;

      if (!is_cert && !g_str_has_suffix (name, CLIENT_KEY))
        continue;
      stem = g_strndup (name, strlen (name) - strlen (is_cert ? CLIENT : CLIENT_KEY));
      other = g_strconcat (stem, is_cert ? CLIENT_KEY : CLIENT, NULL);
      if (!g_ptr_array_find_with_equal_func (names, other, g_str_equal, NULL))
        return throw_half (error, folder, name, other);
    }
  return TRUE;
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* What of @dir_fd is of use, by name; @dir_fd stays open. */
static gboolean
list_names (int dir_fd, const char *folder, GPtrArray **names_out, GError **error)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  /* One of its own, because closedir() closes it. */
  atm_autofd int list_fd = openat (dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = list_fd >= 0 ? fdopendir (list_fd) : NULL;
  struct dirent *entry = NULL;

  if (dir == NULL)
    return atm_throw_errno (error, "Reading the folder %s", folder);
  list_fd = -1;
  while ((entry = readdir (dir)) != NULL && names->len <= ATM_CERT_FILES_MAX)
    if (g_str_has_suffix (entry->d_name, AUTHORITY) || g_str_has_suffix (entry->d_name, CLIENT)
        || g_str_has_suffix (entry->d_name, CLIENT_KEY))
      g_ptr_array_add (names, g_strdup (entry->d_name));
  closedir (dir);
  if (names->len > ATM_CERT_FILES_MAX)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_DATA,
                      "The folder %s has more than %d certificates and keys", folder,
                      ATM_CERT_FILES_MAX);
  g_ptr_array_sort (names, compare_names);
  *names_out = g_steal_pointer (&names);
  return TRUE;
}

static gboolean
read_folder (int dir_fd, const char *folder, AtmCerts *certs, GError **error)
{
  g_autoptr (GPtrArray) names = NULL;
  g_autoptr (GByteArray) authorities = g_byte_array_new ();
  g_autoptr (GBytes) bytes = NULL;
  g_autofree char *path = NULL;
  atm_autofd int fd = -1;

  if (!list_names (dir_fd, folder, &names, error) || !check_halves (folder, names, error))
    return FALSE;
  certs->folder = g_strdup (folder);
  for (guint i = 0; i < names->len; i++)
    {
      const char *name = g_ptr_array_index (names, i);

      if (g_str_has_suffix (name, AUTHORITY)
          && !take_authority (dir_fd, folder, name, authorities, error))
        return FALSE;
      if (g_str_has_suffix (name, CLIENT) && !take_pair (dir_fd, folder, name, certs->pairs, error))
        return FALSE;
    }
  if (authorities->len == 0)
    return TRUE;
  bytes = g_byte_array_free_to_bytes (g_steal_pointer (&authorities));
  if (!open_memory (bytes, &fd, &path, error))
    return FALSE;
  certs->extra = g_tls_file_database_new (path, error);
  return certs->extra != NULL || atm_prefix_error (error, "%s", folder);
}

static AtmCerts *
certs_new (void)
{
  AtmCerts *certs = g_new0 (AtmCerts, 1);

  certs->pairs = g_ptr_array_new_with_free_func (g_object_unref);
  return certs;
}

gboolean
atm_certs_load_below (const char *const *folders, const char *host, AtmCerts **certs_out,
                      GPtrArray *warnings, GError **error)
{
  g_autoptr (AtmCerts) certs = certs_new ();

  for (guint i = 0; folders[i] != NULL; i++)
    {
      g_autofree char *folder = g_build_filename (folders[i], host, NULL);
      atm_autofd int fd = open (folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

      if (fd < 0 && (errno == ENOENT || errno == ENOTDIR))
        continue;
      if (fd < 0 && errno == EACCES)
        {
          g_ptr_array_add (warnings,
                           g_strdup_printf ("%s may not be read by this user; going on without "
                                            "the certificates in it",
                                            folder));
          continue;
        }
      if (fd < 0)
        return atm_throw_errno (error, "Opening %s", folder);
      if (!read_folder (fd, folder, certs, error))
        return FALSE;
      break;
    }
  *certs_out = g_steal_pointer (&certs);
  return TRUE;
}

gboolean
atm_certs_load (const char *host, const char *cert_dir, AtmCerts **certs_out, GPtrArray *warnings,
                GError **error)
{
  const char *home = atm_home_get_own ();
  g_autofree char *user_folder = NULL;
  g_autoptr (GStrvBuilder) builder = g_strv_builder_new ();
  g_auto (GStrv) folders = NULL;

  if (cert_dir != NULL)
    {
      g_autoptr (AtmCerts) certs = certs_new ();
      atm_autofd int fd = open (cert_dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

      if (fd < 0)
        return atm_throw_errno (error, "Opening the folder of certificates %s", cert_dir);
      if (!read_folder (fd, cert_dir, certs, error))
        return FALSE;
      *certs_out = g_steal_pointer (&certs);
      return TRUE;
    }

  if (home != NULL)
    {
      user_folder = g_build_filename (home, USER_FOLDER, NULL);
      g_strv_builder_add (builder, user_folder);
    }
  g_strv_builder_add (builder, SYSTEM_FOLDER);
  g_strv_builder_add (builder, DOCKER_FOLDER);
  folders = g_strv_builder_end (builder);
  return atm_certs_load_below ((const char *const *) folders, host, certs_out, warnings, error);
}
