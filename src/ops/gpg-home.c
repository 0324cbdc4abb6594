/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "ops/gpg-home.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "util/fd.h"

#define ENTRY_MAX_BYTES 4096
/* What loginuid is where nobody has logged in (audit(8)). */
#define NOBODY G_MAXUINT32

static gboolean
parse_uid (const char *text, uid_t *uid_out)
{
  guint64 number = 0;

  if (!g_ascii_string_to_unsigned (text, 10, 0, NOBODY - 1, &number, NULL))
    return FALSE;
  *uid_out = (uid_t) number;
  return TRUE;
}

static uid_t
find_user (void)
{
  const char *sudo = secure_getenv ("SUDO_UID");
  g_autofree char *login = NULL;
  uid_t uid = geteuid ();

  if (g_file_get_contents ("/proc/self/loginuid", &login, NULL, NULL)
      && parse_uid (g_strstrip (login), &uid))
    return uid;
  if (sudo != NULL)
    (void) parse_uid (sudo, &uid);
  return uid;
}

char *
atm_gpg_home_dup (const AtmSystem *system, const char *named)
{
  const char *environment = secure_getenv ("GNUPGHOME");
  struct passwd entry, *found = NULL;
  char buffer[ENTRY_MAX_BYTES];

  if (named == NULL && environment != NULL && *environment != '\0')
    named = environment;
  if (named == NULL)
    named = system->gnupg_homedir;
  if (named != NULL)
    return g_canonicalize_filename (named, NULL);
  if (getpwuid_r (find_user (), &entry, buffer, sizeof buffer, &found) != 0 || found == NULL)
    return g_build_filename (g_get_home_dir (), ".gnupg", NULL);
  return g_build_filename (found->pw_dir, ".gnupg", NULL);
}
