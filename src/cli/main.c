/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/run.h"

#include <string.h>

static const AtmCommand commands[] = {
  { "install", atm_cmd_install, TRUE, "Install an image as a system container" },
  { "uninstall", atm_cmd_uninstall, TRUE, "Remove a container from this host" },
  { "pull", atm_cmd_pull, TRUE, "Pull an image into the store" },
  { "containers check", atm_cmd_containers_check, TRUE, "Tell whether boot would start them" },
  { "containers list", atm_cmd_containers_list, TRUE, "List containers" },
  { "containers update", atm_cmd_containers_update, TRUE, "Switch to another version" },
  { "containers info", atm_cmd_containers_info, TRUE, "Tell all about a container" },
  { "containers history", atm_cmd_containers_history, TRUE, "Tell what was done with a container" },
  { "containers configure", atm_cmd_containers_configure, TRUE, "Change settings of a container" },
  { "containers rollback", atm_cmd_containers_rollback, TRUE,
    "Switch a container to the version before" },
  { "containers delete", atm_cmd_containers_delete, TRUE, "Remove containers from this host" },
  { "containers recover", atm_cmd_containers_recover, TRUE, "Finish or undo what was interrupted" },
  { "images list", atm_cmd_images_list, TRUE, "List images" },
  { "images info", atm_cmd_images_info, TRUE, "Tell all about an image" },
  { "images version", atm_cmd_images_version, TRUE, "Show versions of images" },
  { "images tag", atm_cmd_images_tag, TRUE, "Give an image a second name" },
  { "images pin", atm_cmd_images_pin, TRUE, "Protect an image against deletion" },
  { "images unpin", atm_cmd_images_unpin, TRUE, "Take this protection away" },
  { "images delete", atm_cmd_images_delete, TRUE, "Delete images" },
  { "images prune", atm_cmd_images_prune, TRUE, "Remove what no image needs" },
  { "images update", atm_cmd_images_update, TRUE, "Pull images again" },
  { "images verify", atm_cmd_images_verify, TRUE, "Compare images with the registry" },
  { "audit", atm_cmd_audit, TRUE, "Ask today's policy about all that is here" },
  { "sign", atm_cmd_sign, FALSE, "Sign images" },
  { "trust add", atm_cmd_trust_add, TRUE, "Trust images, if they are signed" },
  { "trust default", atm_cmd_trust_default, TRUE, "Say what becomes of all other images" },
  { "trust delete", atm_cmd_trust_delete, TRUE, "Do not trust images any more" },
  { "trust explain", atm_cmd_trust_explain, TRUE, "Tell why an image is allowed or not" },
  { "trust reset", atm_cmd_trust_reset, TRUE, "Trust nothing" },
  { "trust show", atm_cmd_trust_show, FALSE, "Show what is trusted" },
  { "verify", atm_cmd_verify, TRUE, "Look for damaged files, and repair them" },
};

/* Commands that the Python tool had at the top, too (command.md 2.7). */
static const struct
{
  const char *name;
  const char *command;
} aliases[] = {
  { "info", "images info" },
  { "update", "images update" },
  { "version", "images version" },
};

/* --assumeyes, which stands before the command. */
static gboolean assume_yes;

/* ---- help ---- */

static void
print_help (const char *group)
{
  g_print ("Usage: atomic [OPTION…] COMMAND [ARGUMENT…]\n\n"
           "Installs OCI images as services that systemd runs.\n\nCommands:\n");
  for (guint i = 0; i < G_N_ELEMENTS (commands); i++)
    if (group == NULL || g_str_has_prefix (commands[i].name, group))
      g_print ("  %-19s %s\n", commands[i].name, commands[i].summary);
  g_print ("\nOptions:\n"
           "  -h, --help         Show this help; `atomic COMMAND --help` shows that of a command\n"
           "  -v, --version      Show the version\n"
           "  -y, --assumeyes    Answer yes to all questions\n"
           "  --debug            Tell on stderr what is done\n\n"
           "See atomic(1).\n");
}

/* ---- commands ---- */

/* Finds the command that argv begins with; *n_words_out is 2 for a group and its verb. */
static const AtmCommand *
find_command (int argc, char **argv, int *n_words_out)
{
  g_autofree char *pair = argc > 1 ? g_strconcat (argv[0], " ", argv[1], NULL) : NULL;
  const char *word = argv[0];

  for (guint i = 0; i < G_N_ELEMENTS (aliases); i++)
    if (g_str_equal (aliases[i].name, argv[0]))
      word = aliases[i].command;
  for (guint i = 0; i < G_N_ELEMENTS (commands); i++)
    if (g_str_equal (commands[i].name, word) || g_strcmp0 (commands[i].name, pair) == 0)
      {
        *n_words_out = g_str_equal (commands[i].name, word) ? 1 : 2;
        return &commands[i];
      }
  return NULL;
}

static gboolean
is_group (const char *word)
{
  g_autofree char *prefix = g_strconcat (word, " ", NULL);

  for (guint i = 0; i < G_N_ELEMENTS (commands); i++)
    if (g_str_has_prefix (commands[i].name, prefix))
      return TRUE;
  return FALSE;
}

static int
dispatch (int argc, char **argv)
{
  const AtmCommand *command = NULL;
  int n_words = 0;
  g_autofree char *unknown = NULL;

  if (argc == 0)
    return atm_cli_report_usage ("", "a command is missing");
  if (g_str_equal (argv[0], "help"))
    {
      print_help (NULL);
      return ATM_CLI_STATUS_OK;
    }
  command = find_command (argc, argv, &n_words);
  if (command != NULL)
    return atm_cli_run (command, assume_yes, argc - n_words + 1, argv + n_words - 1);
  if (is_group (argv[0])
      && (argc == 1 || g_str_equal (argv[1], "-h") || g_str_equal (argv[1], "--help")))
    {
      print_help (argv[0]);
      return argc == 1 ? ATM_CLI_STATUS_USAGE : ATM_CLI_STATUS_OK;
    }
  unknown = g_strdup_printf ("unknown command “%s%s%s”", argv[0], is_group (argv[0]) ? " " : "",
                             is_group (argv[0]) ? argv[1] : "");
  return atm_cli_report_usage ("", unknown);
}

int
main (int argc, char *argv[])
{
  gboolean version = FALSE, help = FALSE, debug = FALSE, ignore = FALSE;
  const GOptionEntry options[] = {
    { "help", 'h', 0, G_OPTION_ARG_NONE, &help, NULL, NULL },
    { "version", 'v', 0, G_OPTION_ARG_NONE, &version, NULL, NULL },
    { "assumeyes", 'y', 0, G_OPTION_ARG_NONE, &assume_yes, NULL, NULL },
    { "debug", 0, 0, G_OPTION_ARG_NONE, &debug, NULL, NULL },
    { "ignore", 'i', 0, G_OPTION_ARG_NONE, &ignore, NULL, NULL },
    G_OPTION_ENTRY_NULL,
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;

  atm_cli_begin ();
  g_option_context_set_strict_posix (context, TRUE);
  g_option_context_set_help_enabled (context, FALSE);
  g_option_context_add_main_entries (context, options, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    return atm_cli_report_usage ("", error->message);
  if (debug)
    g_setenv ("G_MESSAGES_DEBUG", "all", TRUE);
  if (help)
    print_help (NULL);
  else if (version)
    g_print ("%s\n", PACKAGE_VERSION);
  else
    return atm_cli_end (dispatch (argc - 1, argv + 1));
  return atm_cli_end (ATM_CLI_STATUS_OK);
}
