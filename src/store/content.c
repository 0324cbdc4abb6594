/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/content.h"

#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "util/error.h"
#include "util/fd.h"
#include "util/sha256.h"

#define READ_BYTES (128 * 1024)

void
atm_object_path (OstreeObjectType type, const char *checksum, char path_out[ATM_OBJECT_PATH_BYTES])
{
  g_snprintf (path_out, ATM_OBJECT_PATH_BYTES, "objects/%.2s/%s.%s", checksum, checksum + 2,
              ostree_object_type_to_string (type));
}

/* ---- attributes ---- */

/* Set by the kernel, not by an import (store.md 6.3). */
static gboolean
is_label (const char *name)
{
  return g_str_equal (name, "security.selinux") || g_str_equal (name, "security.ima")
         || g_str_equal (name, "security.evm") || g_str_has_prefix (name, "trusted.");
}

static int
compare_texts (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* @path ends in what is looked at and need not be a file that can be opened. */
static gboolean
list_names (const char *path, GPtrArray *names, GError **error)
{
  g_autofree char *list = NULL;
  ssize_t length = llistxattr (path, NULL, 0);

  if (length < 0 && (errno == ENOTSUP || errno == ENODATA))
    return TRUE;
  if (length > 0)
    {
      list = g_malloc ((gsize) length);
      length = llistxattr (path, list, (size_t) length);
    }
  if (length < 0)
    return atm_throw_errno (error, "Reading the attributes");
  for (const char *p = list; p != NULL && p < list + length; p += strlen (p) + 1)
    g_ptr_array_add (names, g_strdup (p));
  g_ptr_array_sort (names, compare_texts);
  return TRUE;
}

typedef struct
{
  GVariant *all;  /* (owned): a(ayay) */
  GVariant *kept; /* (owned) (nullable): without labels; %NULL if there are none */
} Attributes;

static void
attributes_clear (Attributes *attributes)
{
  g_clear_pointer (&attributes->all, g_variant_unref);
  g_clear_pointer (&attributes->kept, g_variant_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Attributes, attributes_clear)

static gboolean
read_attributes (int dir_fd, const char *path, Attributes *attributes, GError **error)
{
  g_autofree char *proc_path = g_strdup_printf ("/proc/self/fd/%d/%s", dir_fd, path);
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_auto (GVariantBuilder) all = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a(ayay)"));
  g_auto (GVariantBuilder) kept = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE ("a(ayay)"));
  gboolean labelled = FALSE;

  if (!list_names (proc_path, names, error))
    return FALSE;
  for (guint i = 0; i < names->len; i++)
    {
      const char *name = names->pdata[i];
      g_autofree char *value = g_malloc (XATTR_SIZE_MAX);
      ssize_t length = lgetxattr (proc_path, name, value, XATTR_SIZE_MAX);
      GVariant *pair = NULL;

      if (length < 0)
        return atm_throw_errno (error, "Reading the attribute %s", name);
      pair = g_variant_new (
          "(@ay@ay)", g_variant_new_bytestring (name),
          g_variant_new_fixed_array (G_VARIANT_TYPE_BYTE, value, (gsize) length, 1));
      g_variant_builder_add_value (&all, pair);
      if (is_label (name))
        labelled = TRUE;
      else
        g_variant_builder_add_value (&kept, pair);
    }
  attributes->all = g_variant_ref_sink (g_variant_builder_end (&all));
  if (labelled)
    attributes->kept = g_variant_ref_sink (g_variant_builder_end (&kept));
  return TRUE;
}

/* ---- files and links ---- */

static AtmHash *
begin_hash (const struct stat *st, const char *target, GVariant *xattrs)
{
  g_autoptr (GVariant) header = g_variant_ref_sink (
      g_variant_new ("(uuuus@a(ayay))", GUINT32_TO_BE (st->st_uid), GUINT32_TO_BE (st->st_gid),
                     GUINT32_TO_BE (st->st_mode), 0, target, xattrs));
  const gsize size = g_variant_get_size (header);
  const guint32 prefix[2] = { GUINT32_TO_BE ((guint32) size), 0 };
  AtmHash *hash = atm_hash_new (ATM_HASH_SHA256);

  atm_hash_update (hash, prefix, sizeof prefix);
  atm_hash_update (hash, g_variant_get_data (header), size);
  return hash;
}

static gboolean
hash_content (int fd, AtmHash *first, AtmHash *second, GCancellable *cancellable, GError **error)
{
  g_autofree char *buffer = g_malloc (READ_BYTES);
  ssize_t n = 0;

  for (;;)
    {
      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return FALSE;
      do
        n = read (fd, buffer, READ_BYTES);
      while (n < 0 && errno == EINTR);
      if (n < 0)
        return atm_throw_errno (error, "Reading");
      if (n == 0)
        return TRUE;
      atm_hash_update (first, buffer, (gsize) n);
      if (second != NULL)
        atm_hash_update (second, buffer, (gsize) n);
    }
}

static gboolean
finish_matches (AtmHash *hash, const char *checksum)
{
  g_autofree char *actual = hash != NULL ? atm_hash_finish (hash) : NULL;

  return g_strcmp0 (actual, checksum) == 0;
}

gboolean
atm_content_matches (int dir_fd, const char *path, const char *checksum, gboolean *matches_out,
                     GCancellable *cancellable, GError **error)
{
  g_auto (Attributes) attributes = { 0 };
  g_autoptr (AtmHash) all = NULL, kept = NULL;
  char target[PATH_MAX] = "";
  atm_autofd int fd = -1;
  struct stat st;

  if (fstatat (dir_fd, path, &st, AT_SYMLINK_NOFOLLOW) < 0)
    return atm_throw_errno (error, "Looking at %s", path);
  if (!S_ISREG (st.st_mode) && !S_ISLNK (st.st_mode))
    {
      *matches_out = FALSE;
      return TRUE;
    }
  if (S_ISLNK (st.st_mode))
    {
      ssize_t length = readlinkat (dir_fd, path, target, sizeof target - 1);

      if (length < 0)
        return atm_throw_errno (error, "Reading the link %s", path);
      target[length] = '\0';
      /* No object has it: OSTree's texts are UTF-8. */
      if (!g_utf8_validate (target, length, NULL))
        {
          *matches_out = FALSE;
          return TRUE;
        }
    }
  else if ((fd = openat (dir_fd, path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)) < 0)
    return atm_throw_errno (error, "Opening %s", path);

  if (!read_attributes (dir_fd, path, &attributes, error))
    return atm_prefix_error (error, "%s", path);
  all = begin_hash (&st, target, attributes.all);
  kept = attributes.kept != NULL ? begin_hash (&st, target, attributes.kept) : NULL;
  if (fd >= 0 && !hash_content (fd, all, kept, cancellable, error))
    return atm_prefix_error (error, "%s", path);
  *matches_out = finish_matches (all, checksum) || finish_matches (kept, checksum);
  return TRUE;
}

/* ---- folders ---- */

static gboolean
dirmeta_matches (const struct stat *st, GVariant *xattrs, const char *checksum)
{
  g_autoptr (GVariant) meta = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autofree char *actual = NULL;

  if (xattrs == NULL)
    return FALSE;
  meta = g_variant_ref_sink (g_variant_new ("(uuu@a(ayay))", GUINT32_TO_BE (st->st_uid),
                                            GUINT32_TO_BE (st->st_gid), GUINT32_TO_BE (st->st_mode),
                                            xattrs));
  bytes = g_variant_get_data_as_bytes (meta);
  actual = atm_sha256_hex (bytes);
  return g_str_equal (actual, checksum);
}

gboolean
atm_content_folder_matches (int fd, const char *checksum, gboolean *matches_out, GError **error)
{
  g_auto (Attributes) attributes = { 0 };
  struct stat st;

  if (fstat (fd, &st) < 0)
    return atm_throw_errno (error, "Looking at a folder");
  if (!read_attributes (fd, ".", &attributes, error))
    return FALSE;
  *matches_out = dirmeta_matches (&st, attributes.all, checksum)
                 || dirmeta_matches (&st, attributes.kept, checksum);
  return TRUE;
}

static gboolean
is_wanted (GVariant *xattrs, const char *name)
{
  for (gsize i = 0; i < g_variant_n_children (xattrs); i++)
    {
      const char *wanted = NULL;

      g_variant_get_child (xattrs, i, "(^&ay@ay)", &wanted, NULL);
      if (g_str_equal (wanted, name))
        return TRUE;
    }
  return FALSE;
}

gboolean
atm_content_set_folder (int fd, GVariant *dirmeta, GError **error)
{
  g_autofree char *proc_path = g_strdup_printf ("/proc/self/fd/%d/.", fd);
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GVariant) xattrs = NULL;
  guint32 uid, gid, mode;

  g_variant_get (dirmeta, "(uuu@a(ayay))", &uid, &gid, &mode, &xattrs);
  if (!list_names (proc_path, names, error))
    return FALSE;
  for (guint i = 0; i < names->len; i++)
    if (!is_label (names->pdata[i]) && !is_wanted (xattrs, names->pdata[i])
        && fremovexattr (fd, names->pdata[i]) < 0)
      return atm_throw_errno (error, "Removing the attribute %s", (char *) names->pdata[i]);

  /* Set-id bits go with a change of the owner, so the mode comes after it. */
  if (fchown (fd, GUINT32_FROM_BE (uid), GUINT32_FROM_BE (gid)) < 0
      || fchmod (fd, GUINT32_FROM_BE (mode) & 07777) < 0)
    return atm_throw_errno (error, "Setting owner and mode of a folder");
  for (gsize i = 0; i < g_variant_n_children (xattrs); i++)
    {
      g_autoptr (GVariant) value = NULL;
      const char *name = NULL;

      g_variant_get_child (xattrs, i, "(^&ay@ay)", &name, &value);
      if (fsetxattr (fd, name, g_variant_get_data (value), g_variant_get_size (value), 0) < 0)
        return atm_throw_errno (error, "Setting the attribute %s", name);
    }
  return TRUE;
}
