/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/run.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* The front: `atomic` as it is in the path. The libraries that read images and repositories come
   with some sixty others, and to load them takes longer than to list containers. So a few commands
   that need none of them are answered here, and everything else is left to the whole program, which
   has these commands too. */

static const AtmCommand commands[] = {
  { "containers list", atm_cmd_containers_list, TRUE, NULL },
  { "containers info", atm_cmd_containers_info, TRUE, NULL },
  { "containers history", atm_cmd_containers_history, TRUE, NULL },
};

/* Where it was installed, also below a root folder of its own; or where it was built. */
static char *
find_whole_program (void)
{
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  g_autofree char *folder = self != NULL ? g_path_get_dirname (self) : g_strdup (ATM_BINDIR);

  if (!g_str_has_suffix (folder, ATM_BINDIR))
    return g_build_filename (folder, "whole", "atomic", NULL);
  folder[strlen (folder) - strlen (ATM_BINDIR)] = '\0';
  return g_strconcat (folder, ATM_PKGLIBEXECDIR "/atomic", NULL);
}

static int
run_whole_program (char **argv)
{
  g_autofree char *program = find_whole_program ();

  execv (program, argv);
  g_printerr ("atomic: Running %s: %s; install atomic again\n", program, g_strerror (errno));
  return ATM_CLI_STATUS_ERROR;
}

int
main (int argc, char *argv[])
{
  g_autofree char *name = NULL;

  if (argc == 2 && (g_str_equal (argv[1], "--version") || g_str_equal (argv[1], "-v")))
    {
      g_print ("%s\n", PACKAGE_VERSION);
      return atm_cli_end (ATM_CLI_STATUS_OK);
    }
  name = argc > 2 ? g_strconcat (argv[1], " ", argv[2], NULL) : NULL;
  for (guint i = 0; name != NULL && i < G_N_ELEMENTS (commands); i++)
    if (g_str_equal (commands[i].name, name))
      {
        atm_cli_begin ();
        return atm_cli_end (atm_cli_run (&commands[i], FALSE, argc - 2, argv + 2));
      }
  return run_whole_program (argv);
}
