/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/scope.h"

#include <string.h>

#include "image/digest.h"
#include "trust/trust.h"
#include "util/error.h"
#include "util/text.h"

/* No scope of the Kubernetes-style names HOST/NAMESPACE/STREAM:TAG has more slashes. */
#define ATOMIC_SLASHES_MAX 2

static gboolean
is_clean_path (const char *path)
{
  g_autofree char *clean = NULL;

  if (*path != '/')
    return FALSE;
  clean = g_canonicalize_filename (path, "/");
  return g_str_equal (clean, path);
}

static const char *
check_any (G_GNUC_UNUSED const char *text)
{
  return NULL;
}

static const char *
check_atomic (const char *text)
{
  guint slashes = 0;

  for (const char *p = text; *p != '\0'; p++)
    slashes += *p == '/';
  return slashes <= ATOMIC_SLASHES_MAX ? NULL : "is not HOST[:PORT][/NAMESPACE[/STREAM[:TAG]]]";
}

static const char *
check_daemon (const char *text)
{
  AtmDigest digest;

  return atm_digest_parse (text, &digest, NULL) ? "is an image ID, which has no scope" : NULL;
}

static const char *
check_path (const char *text)
{
  if (g_str_equal (text, "/"))
    return "is the root, for which \"\" is the scope";
  return is_clean_path (text) ? NULL
                              : "is no absolute path without “//”, “.”, “..” and a final “/”";
}

static const char *
check_none (G_GNUC_UNUSED const char *text)
{
  return "cannot be: this transport has only the scope \"\"";
}

/* A remote or a repository, alone or with “:” and an image. (Other tools know only
   REPOSITORY:IMAGE, and do without remotes.) */
static const char *
check_ostree (const char *text)
{
  g_autofree char *site = g_strndup (text, strcspn (text, ":"));

  if (*site == '\0')
    return "names neither a remote nor a repository before the “:”";
  return strchr (site, '/') == NULL || is_clean_path (site)
             ? NULL
             : "begins neither with a remote nor with the absolute path of a repository";
}

static const struct
{
  const char *transport;
  gboolean hosts;
  const char *(*check) (const char *text); /* what is wrong; NULL: nothing */
} rules[] = {
  { "docker", TRUE, check_any },
  { "atomic", TRUE, check_atomic },
  { "docker-daemon", TRUE, check_daemon },
  { "containers-storage", FALSE, check_any },
  { "dir", FALSE, check_path },
  { "oci", FALSE, check_path },
  { "oci-archive", FALSE, check_path },
  { "docker-archive", FALSE, check_none },
  { "tarball", FALSE, check_none },
  { "ostree", FALSE, check_ostree },
};

char *
atm_scope_fold (const char *text)
{
  gsize host = strcspn (text, "/");
  char *scope = g_strdup (text);

  for (gsize i = 0; i < host; i++)
    scope[i] = g_ascii_tolower (scope[i]);
  return scope;
}

gboolean
atm_scope_read (const char *transport, const char *text, char **scope_out, GError **error)
{
  for (guint i = 0; i < G_N_ELEMENTS (rules); i++)
    {
      const char *wrong = NULL;

      if (!g_str_equal (transport, rules[i].transport))
        continue;
      wrong = *text != '\0' ? rules[i].check (text) : NULL;
      if (wrong != NULL)
        {
          g_autofree char *safe = atm_text_escape (text);

          return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_POLICY_SYNTAX,
                            "the scope “%s” of transport “%s” %s", safe, transport, wrong);
        }
      *scope_out = rules[i].hosts ? atm_scope_fold (text) : g_strdup (text);
      return TRUE;
    }
  *scope_out = g_strdup (text);
  return TRUE;
}
