/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "cli/pull-options.h"

#include <string.h>
#include <sys/prctl.h>

#include "cli/terminal.h"
#include "registry/downloads.h"
#include "util/error.h"
#include "util/secret.h"

/* As they were typed. All (owned) (nullable). */
typedef struct
{
  gboolean downgrade;
  char *policy, *storage, *registries_conf;
  char *creds, *creds_file, *authfile, *cert_dir, *tls_verify;
  char *jobs, *max_rate, *timeout, *max_layer_size, *non_utf8;
} Typed;

static void
typed_clear (Typed *typed)
{
  g_free (typed->policy);
  g_free (typed->storage);
  g_free (typed->registries_conf);
  atm_secret_free (typed->creds);
  g_free (typed->creds_file);
  g_free (typed->authfile);
  g_free (typed->cert_dir);
  g_free (typed->tls_verify);
  g_free (typed->jobs);
  g_free (typed->max_rate);
  g_free (typed->timeout);
  g_free (typed->max_layer_size);
  g_free (typed->non_utf8);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Typed, typed_clear)

void
atm_cli_pull_clear (AtmCliPull *options)
{
  g_free (options->storage);
  atm_secret_free (options->creds);
  g_free (options->creds_file);
  g_free (options->authfile);
  g_free (options->cert_dir);
}

/* ---- secrets among the arguments ---- */

/* Behind the user, who is no secret. */
static void
wipe_password (char *creds)
{
  char *colon = strchr (creds, ':');

  if (colon != NULL)
    explicit_bzero (colon + 1, strlen (colon + 1));
}

static void
wipe_arguments (char **arguments)
{
  for (guint i = 0; arguments[i] != NULL; i++)
    {
      char *argument = arguments[i];

      if (g_str_has_prefix (argument, "--creds=") || g_str_has_prefix (argument, "--src-creds="))
        wipe_password (strchr (argument, '='));
      else if ((g_str_equal (argument, "--creds") || g_str_equal (argument, "--src-creds"))
               && arguments[i + 1] != NULL)
        wipe_password (arguments[++i]);
    }
}

/* USER alone: the password is asked for. */
static gboolean
complete_creds (AtmCli *cli, Typed *typed, GError **error)
{
  g_autofree char *question = NULL;
  g_autoptr (AtmSecret) password = NULL;
  char *creds = NULL;

  if (typed->creds == NULL || *typed->creds == '\0' || strchr (typed->creds, ':') != NULL)
    return TRUE;
  if (!atm_terminal_is_there ())
    return atm_throw (error, ATM_CLI_ERROR, ATM_CLI_ERROR_USAGE,
                      "--creds=%s: the password is missing, and there is no terminal to ask for "
                      "it; use --creds-file or --authfile",
                      typed->creds);
  question = g_strdup_printf ("Password of %s:", typed->creds);
  if (!atm_terminal_ask_secret (question, &password, cli->cancellable, error))
    return FALSE;
  creds = g_strconcat (typed->creds, ":", password, NULL);
  atm_secret_free (typed->creds);
  typed->creds = creds;
  return TRUE;
}

/* ---- values ---- */

static gboolean
throw_value (const char *option, const char *value, const char *wanted, GError **error)
{
  return atm_throw (error, ATM_CLI_ERROR, ATM_CLI_ERROR_USAGE, "--%s=%s: %s", option, value,
                    wanted);
}

gboolean
atm_cli_parse_size (const char *text, guint64 *size_out)
{
  static const char suffixes[] = "KMGT";
  g_autofree char *digits = g_ascii_strup (text, -1);
  gsize length = strlen (digits);
  const char *suffix = length > 0 ? strchr (suffixes, digits[length - 1]) : NULL;
  guint shift = suffix != NULL ? (guint) (suffix - suffixes + 1) * 10 : 0;
  guint64 number = 0;

  if (suffix != NULL)
    digits[length - 1] = '\0';
  if (!g_ascii_string_to_unsigned (digits, 10, 1, G_MAXINT64 >> shift, &number, NULL))
    return FALSE;
  *size_out = number << shift;
  return TRUE;
}

static gboolean
parse_size (const char *option, const char *value, guint64 *size_out, GError **error)
{
  return value == NULL || atm_cli_parse_size (value, size_out)
         || throw_value (option, value, "not a number of bytes, as in 500K, 10M, 2G", error);
}

static gboolean
parse_number (const char *option, const char *value, guint max, guint *number_out, GError **error)
{
  g_autofree char *wanted = g_strdup_printf ("not a number from 1 to %u", max);
  guint64 number = 0;

  if (value == NULL)
    return TRUE;
  if (!g_ascii_string_to_unsigned (value, 10, 1, max, &number, NULL))
    return throw_value (option, value, wanted, error);
  *number_out = (guint) number;
  return TRUE;
}

static gboolean
parse_bool (const char *value, AtmTlsVerify *verify_out, GError **error)
{
  const char *const yes[] = { "true", "yes", "1", NULL };
  const char *const no[] = { "false", "no", "0", NULL };
  g_autofree char *lower = value != NULL ? g_ascii_strdown (value, -1) : NULL;

  if (value == NULL)
    return TRUE;
  if (g_strv_contains (yes, lower))
    *verify_out = ATM_TLS_VERIFY;
  else if (g_strv_contains (no, lower))
    *verify_out = ATM_TLS_NO_VERIFY;
  else
    return throw_value ("tls-verify", value, "neither true nor false", error);
  return TRUE;
}

static gboolean
parse_values (const Typed *typed, AtmPullOptions *pull, GError **error)
{
  if (typed->creds != NULL && typed->creds_file != NULL)
    return atm_throw (error, ATM_CLI_ERROR, ATM_CLI_ERROR_USAGE,
                      "--creds and --creds-file exclude each other");
  if (typed->non_utf8 != NULL && !g_str_equal (typed->non_utf8, "skip"))
    return throw_value ("allow-non-utf8", typed->non_utf8, "only “skip” is possible", error);
  pull->skip_invalid_names = typed->non_utf8 != NULL;
  pull->allow_downgrade = typed->downgrade;
  return atm_cli_check_storage (typed->storage, error)
         && parse_number ("jobs", typed->jobs, ATM_DOWNLOADS_JOBS_MAX, &pull->jobs, error)
         && parse_number ("timeout", typed->timeout, ATM_PULL_TIMEOUT_MAX_SEC, &pull->timeout_sec,
                          error)
         && parse_size ("max-rate", typed->max_rate, &pull->bytes_per_sec, error)
         && parse_size ("max-layer-size", typed->max_layer_size, &pull->layer_max_bytes, error)
         && parse_bool (typed->tls_verify, &pull->open.tls_verify, error);
}

/* ---- all of it ---- */

static void
use_registries_conf (AtmCli *cli, char *path)
{
  if (path == NULL)
    return;
  g_free (cli->system->registries_conf);
  cli->system->registries_conf = path;
}

static void
fill (AtmCli *cli, Typed *typed, AtmCliPull *pull)
{
  AtmOpenOptions *open = &pull->pull.open;

  atm_cli_use_policy (cli, g_steal_pointer (&typed->policy));
  use_registries_conf (cli, g_steal_pointer (&typed->registries_conf));
  pull->storage = g_steal_pointer (&typed->storage);
  open->credentials.creds = pull->creds = g_steal_pointer (&typed->creds);
  open->credentials.creds_file = pull->creds_file = g_steal_pointer (&typed->creds_file);
  open->credentials.authfile = pull->authfile = g_steal_pointer (&typed->authfile);
  open->cert_dir = pull->cert_dir = g_steal_pointer (&typed->cert_dir);
  /* --assumeyes is no answer to this question */
  pull->pull.choose = atm_terminal_is_there () ? atm_terminal_choose : NULL;
}

gboolean
atm_cli_parse_pull (AtmCli *cli, const GOptionEntry *options, const char *parameters,
                    const char *summary, int n_min, int n_max, int *argc, char ***argv,
                    AtmCliPull *pull_out, GError **error)
{
  g_auto (Typed) typed = { 0 };
  g_auto (AtmCliPull) pull = { 0 };
  const GOptionEntry common[] = {
    { "allow-downgrade", 0, 0, G_OPTION_ARG_NONE, &typed.downgrade,
      "Accept an image signed before the stored one", NULL },
    { "allow-non-utf8", 0, 0, G_OPTION_ARG_STRING, &typed.non_utf8,
      "Leave out files whose names are not UTF-8", "skip" },
    { "authfile", 0, 0, G_OPTION_ARG_FILENAME, &typed.authfile,
      "Where credentials for registries are", "FILE" },
    { "cert-dir", 0, 0, G_OPTION_ARG_FILENAME, &typed.cert_dir,
      "Certificates for the registry, instead of certs.d", "DIR" },
    { "creds", 0, 0, G_OPTION_ARG_STRING, &typed.creds, "Log in to the registry",
      "USER[:PASSWORD]" },
    { "creds-file", 0, 0, G_OPTION_ARG_FILENAME, &typed.creds_file,
      "The same, out of a file of mode 0600", "FILE" },
    { "jobs", 0, 0, G_OPTION_ARG_STRING, &typed.jobs, "Layers to fetch at once (3)", "N" },
    { "max-layer-size", 0, 0, G_OPTION_ARG_STRING, &typed.max_layer_size,
      "Refuse layers that unpack to more (64G)", "SIZE" },
    { "max-rate", 0, 0, G_OPTION_ARG_STRING, &typed.max_rate,
      "Fetch no more than that in a second, as in 500K or 10M", "SIZE" },
    ATM_CLI_NO_WAIT (cli),
    { "policy", 0, 0, G_OPTION_ARG_FILENAME, &typed.policy, "Trust policy instead of policy.json",
      "FILE" },
    { "registries-conf", 0, 0, G_OPTION_ARG_FILENAME, &typed.registries_conf,
      "Registries instead of registries.conf", "FILE" },
    { "src-creds", 0, 0, G_OPTION_ARG_STRING, &typed.creds, "The same as --creds",
      "USER[:PASSWORD]" },
    { "storage", 0, 0, G_OPTION_ARG_STRING, &typed.storage, "Only “ostree”", "STORAGE" },
    { "timeout", 0, 0, G_OPTION_ARG_STRING, &typed.timeout, "Give the pull up after that long",
      "SECONDS" },
    { "tls-verify", 0, 0, G_OPTION_ARG_STRING, &typed.tls_verify,
      "Whether certificates must be valid, whatever is configured", "BOOL" },
  };
  g_autoptr (GArray) all = g_array_new (TRUE, TRUE, sizeof (GOptionEntry));
  g_autofree char **arguments = g_memdup2 (*argv, sizeof (char *) * ((gsize) *argc + 1));
  gboolean parsed = FALSE;

  /* Before the first secret is here. */
  (void) prctl (PR_SET_DUMPABLE, 0);
  for (guint i = 0; options[i].long_name != NULL; i++)
    g_array_append_val (all, options[i]);
  g_array_append_vals (all, common, G_N_ELEMENTS (common));
  parsed = atm_cli_parse ((const GOptionEntry *) (gpointer) all->data, parameters, summary, n_min,
                          n_max, argc, argv, error);
  wipe_arguments (arguments);
  if (!parsed || !parse_values (&typed, &pull.pull, error) || !complete_creds (cli, &typed, error))
    return FALSE;

  fill (cli, &typed, &pull);
  *pull_out = pull;
  pull = (AtmCliPull){ 0 };
  return TRUE;
}
