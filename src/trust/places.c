/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/places.h"

#include <pwd.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define ROOT_LOOKASIDE "/var/lib/containers/sigstore"

char *
atm_places_dup_home (void)
{
  const char *home = secure_getenv ("HOME");
  struct passwd entry, *found = NULL;
  char buffer[4096];
  struct stat st;

  if (home != NULL && *home == '/' && stat (home, &st) == 0 && S_ISDIR (st.st_mode)
      && st.st_uid == geteuid ())
    return g_strdup (home);
  if (getpwuid_r (geteuid (), &entry, buffer, sizeof buffer, &found) != 0 || found == NULL)
    return NULL;
  return g_strdup (found->pw_dir);
}

char *
atm_places_dup_lookaside (void)
{
  g_autofree char *home = geteuid () != 0 ? atm_places_dup_home () : NULL;

  return home != NULL ? g_build_filename (home, ".local/share/containers/sigstore", NULL)
                      : g_strdup (ROOT_LOOKASIDE);
}
