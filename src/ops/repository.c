/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/repository.h"

#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "container/deployment.h"
#include "host/holder.h"
#include "image/origin.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/text.h"

#define ID_DIGITS_MIN 12
#define ID_DIGITS 64

gboolean
atm_repository_open (const AtmSystem *system, AtmStore **store_out, GCancellable *cancellable,
                     GError **error)
{
  g_autoptr (GError) local = NULL;

  if (atm_store_open (system->repository, FALSE, store_out, cancellable, &local))
    return TRUE;
  if (g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_NOT_FOUND,
                      "There are no images yet: the repository %s does not exist",
                      system->repository);
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

gboolean
atm_repository_check_wait (const AtmSystem *system, AtmStore *store, gboolean exclusive,
                           const AtmReport *report, GError **error)
{
  g_autofree char *path = NULL, *holder = NULL;

  if (!atm_store_would_wait (store, exclusive))
    return TRUE;
  path = atm_store_dup_lock_path (store);
  holder = atm_holder_describe (path);
  if (system->no_wait)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_BUSY,
                      "%s uses the repository of images; try again later, or without --no-wait to "
                      "wait for it",
                      holder);
  atm_report (report, ATM_REPORT_NOTICE, "waiting for %s, which uses the repository of images",
              holder);
  return TRUE;
}

gboolean
atm_repository_lock (const AtmSystem *system, AtmStore *store, gboolean exclusive,
                     const AtmReport *report, AtmStoreLock *lock, GCancellable *cancellable,
                     GError **error)
{
  return atm_repository_check_wait (system, store, exclusive, report, error)
         && atm_store_lock_take (lock, store, exclusive, cancellable, error);
}

/* ---- deployments ---- */

void
atm_installed_free (AtmInstalled *installed)
{
  if (installed == NULL)
    return;
  g_free (installed->container);
  g_free (installed->folder);
  atm_info_free (installed->info);
  g_free (installed->problem);
  g_free (installed);
}

static void
read_info (int checkout_fd, AtmInstalled *installed)
{
  g_autofree char *path = g_build_filename (installed->folder, "info", NULL);
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) local = NULL;

  if (!atm_read_file_at (checkout_fd, path, FALSE, ATM_INFO_MAX_BYTES, &bytes, &local)
      || !atm_info_parse (bytes, &installed->info, &local))
    installed->problem = g_strdup (local->message);
}

static void
add_installed (int checkout_fd, const AtmContainer *container, char *folder, GPtrArray *all)
{
  AtmInstalled *installed = NULL;
  struct stat st;

  if (fstatat (checkout_fd, folder, &st, AT_SYMLINK_NOFOLLOW) < 0 || !S_ISDIR (st.st_mode))
    {
      g_free (folder);
      return;
    }
  installed = g_new0 (AtmInstalled, 1);
  installed->container = g_strdup (container->name);
  installed->folder = folder;
  installed->current = g_strcmp0 (folder, container->deployment) == 0;
  read_info (checkout_fd, installed);
  g_ptr_array_add (all, installed);
}

gboolean
atm_repository_list_installed (const AtmSystem *system, GPtrArray **installed_out, GError **error)
{
  g_autoptr (GPtrArray) all = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_installed_free);
  g_autoptr (GPtrArray) containers = NULL;
  atm_autofd int checkout_fd = open (system->checkout, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  if (checkout_fd < 0 && errno != ENOENT)
    return atm_throw_errno (error, "Opening the folder %s", system->checkout);
  if (!atm_container_list (checkout_fd, &containers, error))
    return FALSE;
  for (guint i = 0; i < containers->len; i++)
    {
      const AtmContainer *container = containers->pdata[i];

      /* A folder without a link is its own deployment. */
      if (g_strcmp0 (container->deployment, container->name) == 0)
        {
          add_installed (checkout_fd, container, g_strdup (container->name), all);
          continue;
        }
      add_installed (checkout_fd, container, g_strconcat (container->name, ".0", NULL), all);
      add_installed (checkout_fd, container, g_strconcat (container->name, ".1", NULL), all);
    }
  *installed_out = g_steal_pointer (&all);
  return TRUE;
}

/* ---- names and ids ---- */

/* “12+ hex digits” and “sha256:HEX”; %NULL if @text is neither. */
static const char *
get_id (const char *text)
{
  const char *hex = g_str_has_prefix (text, "sha256:") ? text + strlen ("sha256:") : text;
  const gsize length = strlen (hex);

  if (length < ID_DIGITS_MIN || length > ID_DIGITS || strspn (hex, "0123456789abcdef") != length
      || (hex != text && length != ID_DIGITS))
    return NULL;
  return hex;
}

static gboolean
find_id (GPtrArray *images, const char *hex, GPtrArray *found, GError **error)
{
  g_autoptr (GString) list = g_string_new (NULL);
  gboolean several = FALSE;

  for (guint i = 0; i < images->len; i++)
    {
      AtmStoredImage *image = images->pdata[i];

      if (!g_str_has_prefix (image->digest.hex, hex))
        continue;
      several
          |= found->len > 0
             && !atm_digest_equal (&((AtmStoredImage *) found->pdata[0])->digest, &image->digest);
      g_string_append_printf (list, "%s%s (%s)", list->len > 0 ? ", " : "", image->digest.hex,
                              image->reference);
      g_ptr_array_add (found, image);
    }
  return !several
         || atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                       "more images matching prefix `%s`: %s", hex, list->str);
}

gboolean
atm_repository_find_image (GPtrArray *images, const char *text, GPtrArray **found_out,
                           GError **error)
{
  g_autoptr (GPtrArray) found = g_ptr_array_new ();
  g_autoptr (AtmOrigin) origin = NULL;
  g_autofree char *shown = atm_text_escape (text);
  const char *hex = get_id (text);

  if (hex != NULL && !find_id (images, hex, found, error))
    return FALSE;
  if (found->len == 0 && (hex == NULL || (hex == text && strlen (hex) < ID_DIGITS)))
    {
      if (!atm_origin_parse (text, &origin, error))
        return FALSE;
      for (guint i = 0; i < images->len; i++)
        if (g_str_equal (((AtmStoredImage *) images->pdata[i])->reference, origin->name->familiar))
          g_ptr_array_add (found, images->pdata[i]);
    }
  if (found->len == 0)
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_NOT_FOUND,
                      "Unable to find image '%s' in the store; `atomic images list` shows what is "
                      "there",
                      shown);
  *found_out = g_steal_pointer (&found);
  return TRUE;
}
