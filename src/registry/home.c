/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/home.h"

#include <sys/stat.h>
#include <unistd.h>

const char *
atm_home_get_own (void)
{
  const char *home = g_get_home_dir ();
  struct stat st;

  if (stat (home, &st) == 0 && st.st_uid == getuid ())
    return home;
  g_debug ("%s does not belong to this user, so its configuration is left out", home);
  return NULL;
}
