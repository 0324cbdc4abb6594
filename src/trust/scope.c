/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/scope.h"

#include <stdlib.h>
#include <string.h>

#include "image/digest.h"
#include "image/name.h"
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

char **
atm_scope_dup_broader (const char *text)
{
  g_autoptr (GStrvBuilder) scopes = g_strv_builder_new ();
  g_autofree char *scope = atm_scope_fold (text);
  char *slash = NULL;
  const char *label = NULL;

  g_strv_builder_add (scopes, scope);
  while ((slash = strrchr (scope, '/')) != NULL)
    {
      char *end = slash + strcspn (slash, ":@");

      *(*end != '\0' ? end : slash) = '\0';
      g_strv_builder_add (scopes, scope);
    }
  if (*scope != '[')
    scope[strcspn (scope, ":")] = '\0';
  for (label = strchr (scope, '.'); label != NULL; label = strchr (label + 1, '.'))
    {
      g_autofree char *wildcard = g_strconcat ("*", label, NULL);

      g_strv_builder_add (scopes, wildcard);
    }
  return g_strv_builder_end (scopes);
}

/* ---- scopes that mean nothing ---- */

static char *
find_fault_of_wildcard (const char *rest)
{
  g_autofree char *location = atm_name_parse_location (rest);

  if (location != NULL && strpbrk (rest, "/:@*") == NULL)
    return NULL;
  return g_strdup ("is no wildcard: one is “*.” and the end of a host name, without port and path");
}

/* A host has something that the first part of a path has not (trust.md 2). */
static gboolean
is_host (const char *text)
{
  if (strpbrk (text, ".:[") != NULL || g_str_equal (text, "localhost"))
    return TRUE;
  for (const char *p = text; *p != '\0'; p++)
    if (g_ascii_isupper (*p))
      return TRUE;
  return FALSE;
}

static char *
find_fault_of_name (const char *text)
{
  g_autofree char *scope = atm_scope_fold (text), *host = g_strndup (text, strcspn (text, "/"));
  g_autofree char *location = atm_name_parse_location (text), *full = NULL;
  g_autoptr (AtmImageName) name = NULL;

  if (g_str_has_prefix (text, "*."))
    return find_fault_of_wildcard (text + 2);
  if (location == NULL || strchr (text, '*') != NULL)
    return g_strdup ("is not HOST[:PORT][/PATH[:TAG|@DIGEST]]");
  if (!is_host (host))
    return g_strdup_printf ("begins with no host; for the registry that is meant write "
                            "docker.io/%s%s",
                            strchr (text, '/') == NULL ? "library/" : "", text);
  if (g_ascii_strcasecmp (host, "index.docker.io") == 0)
    return g_strdup ("is never asked for: that registry is docker.io");
  if (strchr (text, '/') == NULL)
    return NULL;
  if (!atm_name_parse (scope, FALSE, &name, NULL))
    return g_strdup ("is not HOST[:PORT][/PATH[:TAG|@DIGEST]]");
  if (name->tag != NULL && name->has_digest)
    return g_strdup ("has a tag and a digest, and images are looked for by one of them; leave "
                     "the tag out");
  full = atm_name_to_string (name);
  /* Without a tag it may be a name space, to which nothing is added. */
  if ((name->tag != NULL || name->has_digest) && !g_str_equal (full, scope))
    return g_strdup_printf ("is never asked for: the full name is %s", full);
  return NULL;
}

static char *
find_fault_of_path (const char *text)
{
  char *resolved = realpath (text, NULL);
  g_autofree char *target = g_strdup (resolved);

  free (resolved);
  if (target == NULL || g_str_equal (target, text))
    return NULL;
  return g_strdup_printf ("leads through a link, and images are looked for by the folder that is "
                          "meant: write %s",
                          target);
}

char *
atm_scope_find_fault (const char *transport, const char *text)
{
  const char *const named[] = { "docker", "atomic", NULL };
  const char *const placed[] = { "dir", "oci", "oci-archive", NULL };

  if (*text == '\0')
    return NULL;
  if (g_strv_contains (named, transport))
    return find_fault_of_name (text);
  if (g_strv_contains (placed, transport))
    return find_fault_of_path (text);
  for (guint i = 0; i < G_N_ELEMENTS (rules); i++)
    if (g_str_equal (transport, rules[i].transport))
      return NULL;
  return g_strdup_printf ("is of the transport “%s”, which nobody here knows", transport);
}
