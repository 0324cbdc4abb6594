/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/side.h"

#include "container/deployment.h"
#include "container/exports.h"
#include "container/plan.h"
#include "util/error.h"
#include "util/fd.h"

/* NULL if there is no such file. */
static gboolean
read_optional (int fd, const char *file, GBytes **bytes_out, GError **error)
{
  g_autoptr (GError) local = NULL;

  if (atm_read_file_at (fd, file, FALSE, ATM_EXPORTS_FILE_MAX_BYTES, bytes_out, &local)
      || g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&local));
  return FALSE;
}

static void
read_info (AtmSide *side)
{
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) local = NULL;

  if (!atm_read_file_at (side->fd, "info", FALSE, ATM_INFO_MAX_BYTES, &bytes, &local)
      || !atm_info_parse (bytes, &side->info, &local))
    side->problem = g_strdup (local->message);
}

gboolean
atm_side_load (int checkout_fd, const char *name, int number, AtmSide *side_out, GError **error)
{
  g_auto (AtmSide) side = ATM_SIDE_INIT;
  g_autofree char *unit = g_strconcat (name, ".service", NULL);
  g_autofree char *tmpfiles = g_strdup_printf ("tmpfiles-%s.conf", name);
  g_autoptr (GError) local = NULL;

  side.container = g_strdup (name);
  if (number != ATM_PLAN_NONE)
    side.entry = g_strdup_printf ("%s.%d", name, number);
  if (side.entry != NULL && !atm_open_dir_at (checkout_fd, side.entry, &side.fd, &local))
    {
      if (!g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
      side.problem = g_strdup (local->message);
    }
  if (side.fd >= 0)
    {
      read_info (&side);
      /* A container without a service has copies that nothing is made of. */
      if ((side.info == NULL || side.info->has_service)
          && (!read_optional (side.fd, unit, &side.unit, error)
              || !read_optional (side.fd, tmpfiles, &side.tmpfiles, error)))
        return FALSE;
    }
  *side_out = side;
  side = (AtmSide) ATM_SIDE_INIT;
  return TRUE;
}

void
atm_side_clear (AtmSide *side)
{
  g_free (side->container);
  g_free (side->entry);
  atm_fd_clear (&side->fd);
  atm_info_free (side->info);
  g_free (side->problem);
  g_clear_pointer (&side->unit, g_bytes_unref);
  g_clear_pointer (&side->tmpfiles, g_bytes_unref);
}

gboolean
atm_side_check (const AtmSide *side, GError **error)
{
  if (side->entry == NULL)
    return TRUE;
  if (side->info == NULL)
    return atm_throw (error, ATM_CONTAINER_ERROR, ATM_CONTAINER_ERROR_DAMAGED,
                      "Deployment %s cannot be used: %s", side->entry, side->problem);
  if (side->info->has_service && side->unit == NULL)
    return atm_throw (error, ATM_CONTAINER_ERROR, ATM_CONTAINER_ERROR_DAMAGED,
                      "Deployment %s cannot be used: it has no %s.service", side->entry,
                      side->container);
  return TRUE;
}

const AtmHostSet *
atm_side_get_host_set (const AtmSide *side, AtmHostSet *set_out)
{
  if (side->fd < 0 || side->info == NULL)
    return NULL;
  *set_out = (AtmHostSet){ .deployment_fd = side->fd, .checksums = side->info->installed_files };
  return set_out;
}
