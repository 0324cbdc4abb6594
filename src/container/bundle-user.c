/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "container/bundle-user.h"

#include <fcntl.h>
#include <string.h>

#include "container/bundle.h"
#include "util/error.h"
#include "util/fd.h"

#define ID_MAX G_MAXINT32 /* runc takes no larger ones */

void
atm_bundle_user_clear (AtmBundleUser *user)
{
  g_clear_pointer (&user->groups, g_array_unref);
  g_clear_pointer (&user->home, g_free);
}

/* The lines of a file of the image; none if it has no such file. */
static gboolean
read_lines (int rootfs_fd, const char *path, char ***lines_out, GError **error)
{
  atm_autofd int fd = -1;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) local = NULL;
  g_autofree char *text = NULL;

  if (!atm_open_in_root (rootfs_fd, path, O_RDONLY | O_NONBLOCK | O_NOCTTY, &fd, &local))
    {
      if (!g_error_matches (local, G_IO_ERROR, G_IO_ERROR_NOT_FOUND))
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
      *lines_out = g_new0 (char *, 1);
      return TRUE;
    }
  if (!atm_read_all (fd, ATM_ACCOUNTS_MAX_BYTES, &bytes, error))
    return atm_prefix_error (error, "Reading /%s of the image", path);
  text = g_strndup (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
  *lines_out = g_strsplit (text, "\n", -1);
  return TRUE;
}

static gboolean
parse_id (const char *text, guint32 *id_out)
{
  guint64 id = 0;

  if (!g_ascii_string_to_unsigned (text, 10, 0, ID_MAX, &id, NULL))
    return FALSE;
  *id_out = (guint32) id;
  return TRUE;
}

/* The first line NAME:x:ID:… whose name, or whose number, is @wanted (passwd(5), group(5)). */
static char **
find_line (char **lines, const char *wanted)
{
  guint32 number = 0;
  gboolean by_number = parse_id (wanted, &number);

  for (guint i = 0; lines[i] != NULL; i++)
    {
      g_auto (GStrv) fields = g_strsplit (lines[i], ":", -1);
      guint32 id = 0;

      if (g_strv_length (fields) < 4 || !parse_id (fields[2], &id))
        continue;
      if (by_number ? id == number : g_str_equal (fields[0], wanted))
        return g_steal_pointer (&fields);
    }
  return NULL;
}

static gboolean
add_memberships (char **lines, const char *name, GArray *groups, GError **error)
{
  for (guint i = 0; lines[i] != NULL; i++)
    {
      g_auto (GStrv) fields = g_strsplit (lines[i], ":", -1);
      g_auto (GStrv) members = NULL;
      guint32 gid = 0;

      if (g_strv_length (fields) < 4 || !parse_id (fields[2], &gid))
        continue;
      members = g_strsplit (fields[3], ",", -1);
      if (!g_strv_contains ((const char *const *) members, name))
        continue;
      if (groups->len == ATM_GROUPS_MAX)
        return atm_throw (error, ATM_BUNDLE_ERROR, ATM_BUNDLE_ERROR_INVALID,
                          "User “%s” of the image is in more than %u groups", name, ATM_GROUPS_MAX);
      g_array_append_val (groups, gid);
    }
  return TRUE;
}

/* The sixth field (passwd(5)), which goes into a JSON text. */
static char *
dup_home (char **account)
{
  const char *home = account != NULL && g_strv_length (account) > 5 ? account[5] : "/";

  return g_strdup (g_path_is_absolute (home) && g_utf8_validate (home, -1, NULL) ? home : "/");
}

gboolean
atm_bundle_user_find (const char *text, int rootfs_fd, AtmBundleUser *user, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (text != NULL ? text : "", ":", 2);
  const char *user_part = parts[0] != NULL && *parts[0] != '\0' ? parts[0] : "0";
  const char *group_part
      = parts[0] != NULL && parts[1] != NULL && *parts[1] != '\0' ? parts[1] : NULL;
  g_auto (GStrv) passwd = NULL, group = NULL, account = NULL, group_line = NULL;
  g_autoptr (GArray) groups = g_array_new (FALSE, FALSE, sizeof (guint32));
  guint32 uid = 0, gid = 0;

  if (!read_lines (rootfs_fd, "etc/passwd", &passwd, error)
      || !read_lines (rootfs_fd, "etc/group", &group, error))
    return FALSE;

  /* A number needs no line in passwd; a name does. */
  account = find_line (passwd, user_part);
  if (!parse_id (account != NULL ? account[2] : user_part, &uid))
    return atm_throw (error, ATM_BUNDLE_ERROR, ATM_BUNDLE_ERROR_INVALID,
                      "The image wants to run as user “%s”, which its /etc/passwd does not have",
                      user_part);

  if (group_part != NULL)
    {
      group_line = find_line (group, group_part);
      if (!parse_id (group_line != NULL ? group_line[2] : group_part, &gid))
        return atm_throw (
            error, ATM_BUNDLE_ERROR, ATM_BUNDLE_ERROR_INVALID,
            "The image wants to run as group “%s”, which its /etc/group does not have", group_part);
    }
  else if (account != NULL)
    {
      (void) parse_id (account[3], &gid);
      if (!add_memberships (group, account[0], groups, error))
        return FALSE;
    }

  user->uid = uid;
  user->gid = gid;
  user->groups = g_steal_pointer (&groups);
  user->home = dup_home (account);
  return TRUE;
}
