/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/origin.h"

#include <stdlib.h>
#include <string.h>

#include "image/digest.h"
#include "util/error.h"
#include "util/text.h"

#define LAYOUT_PREFIX "oci:"
#define ID_SHOWN_LENGTH 12
/* What libostree takes as the name of a remote, and no path. */
#define REMOTE_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
#define REMOTE_MAX_BYTES 200

#define NOTICE_OWN_DIGEST                                                                          \
  "the source keeps no manifest of a registry, so the digest is that of a manifest made from it; " \
  "no registry knows it"

G_DEFINE_QUARK (atm_origin_error, atm_origin_error)

/* By AtmTransport: what policy.json and canonical names call it. */
static const char *const transport_names[]
    = { "docker", "oci", "oci-archive", "docker-archive", "docker-daemon", "dir", "ostree" };

/* Longer prefixes stand before those that they begin with. */
static const struct
{
  const char *prefix;
  AtmTransport transport;
  AtmScheme scheme;
  const char *notice; /* (nullable) */
} prefixes[] = {
  { "http://", ATM_TRANSPORT_DOCKER, ATM_SCHEME_HTTP, "“http:NAME” says the same" },
  { "https://", ATM_TRANSPORT_DOCKER, ATM_SCHEME_HTTPS, "“https:NAME” says the same" },
  { "http:", ATM_TRANSPORT_DOCKER, ATM_SCHEME_HTTP, NULL },
  { "https:", ATM_TRANSPORT_DOCKER, ATM_SCHEME_HTTPS, NULL },
  { "docker://", ATM_TRANSPORT_DOCKER, ATM_SCHEME_CONFIGURED,
    "“docker://” means a registry; the name alone says the same" },
  { "docker:", ATM_TRANSPORT_DOCKER_DAEMON, ATM_SCHEME_CONFIGURED, NOTICE_OWN_DIGEST },
  { "docker-daemon:", ATM_TRANSPORT_DOCKER_DAEMON, ATM_SCHEME_CONFIGURED, NOTICE_OWN_DIGEST },
  { "dockertar:", ATM_TRANSPORT_DOCKER_ARCHIVE, ATM_SCHEME_CONFIGURED, NOTICE_OWN_DIGEST },
  { "docker-archive:", ATM_TRANSPORT_DOCKER_ARCHIVE, ATM_SCHEME_CONFIGURED, NOTICE_OWN_DIGEST },
  { "oci-archive:", ATM_TRANSPORT_OCI_ARCHIVE, ATM_SCHEME_CONFIGURED, NULL },
  { "dir:", ATM_TRANSPORT_DIR, ATM_SCHEME_CONFIGURED, NULL },
  { "ostree:", ATM_TRANSPORT_OSTREE, ATM_SCHEME_CONFIGURED, NULL },
  /* Not a layout: scripts of the Python tool mean a registry. */
  { LAYOUT_PREFIX, ATM_TRANSPORT_DOCKER, ATM_SCHEME_CONFIGURED, NULL },
};

static gboolean
is_path (const char *text)
{
  return text[0] == '/' || g_str_has_prefix (text, "./") || g_str_has_prefix (text, "../");
}

static gboolean
is_layout (const char *text)
{
  return g_str_has_prefix (text, LAYOUT_PREFIX) && is_path (text + strlen (LAYOUT_PREFIX));
}

/* ---- folders and files ---- */

static gboolean
is_archive (AtmTransport transport)
{
  return transport == ATM_TRANSPORT_OCI_ARCHIVE || transport == ATM_TRANSPORT_DOCKER_ARCHIVE;
}

/* “x.tar” and “x.tar.gz” are called x (registry.md 6.2). */
static void
strip_tar (char *base)
{
  static const char *const endings[]
      = { ".gz", ".zst", ".xz", ".bz2", ".tgz", ".tzst", ".txz", ".tbz2", ".tar" };

  for (guint i = 0; i < G_N_ELEMENTS (endings); i++)
    if (g_str_has_suffix (base, endings[i]) && strlen (base) > strlen (endings[i]))
      base[strlen (base) - strlen (endings[i])] = '\0';
}

/* The last component of the path as the component of an image name. */
static char *
name_of_path (const AtmOrigin *origin)
{
  g_autofree char *base = g_path_get_basename (origin->path);
  g_autofree char *lower = g_ascii_strdown (base, -1);
  GString *name = g_string_new (NULL);

  if (is_archive (origin->transport))
    strip_tar (lower);
  for (const char *p = lower; *p != '\0'; p++)
    if (g_ascii_isalnum (*p))
      g_string_append_c (name, *p);
    else if (name->len > 0 && g_ascii_isalnum (p[1]))
      g_string_append_c (name, *p == '.' || *p == '_' ? *p : '-');
  return g_string_free (name, FALSE);
}

static gboolean
name_place (AtmOrigin *origin, GError **error)
{
  const char *which = origin->which != NULL && origin->which[0] != '@' ? origin->which : NULL;
  g_autofree char *base = name_of_path (origin);
  g_autofree char *text = NULL;

  if (which != NULL
      && (origin->transport == ATM_TRANSPORT_DOCKER_ARCHIVE || strpbrk (which, "/:@") != NULL))
    text = g_strdup (which);
  else if (which != NULL)
    text = g_strconcat (base, ":", which, NULL);
  else
    text = g_strdup (base);
  if (!atm_name_parse (text, TRUE, &origin->name, error))
    return atm_prefix_error (error, "%s gives the image no name", origin->path);
  if (origin->transport == ATM_TRANSPORT_DOCKER_ARCHIVE && origin->name->has_digest)
    return atm_throw (error, ATM_ORIGIN_ERROR, ATM_ORIGIN_ERROR_SYNTAX,
                      "%s: a Docker archive keeps no digests; name the image by its tag, or as "
                      "“@INDEX”",
                      origin->path);
  return TRUE;
}

/* PATH[:WHICH]; @resolve: it must exist, and links are followed now, once. */
static gboolean
parse_place (AtmOrigin *origin, const char *text, gboolean resolve, GError **error)
{
  /* A “dir:” holds one image. */
  const char *colon = origin->transport != ATM_TRANSPORT_DIR ? strchr (text, ':') : NULL;
  const char *prefix = transport_names[origin->transport];
  g_autofree char *path
      = colon != NULL ? g_strndup (text, (gsize) (colon - text)) : g_strdup (text);
  g_autofree char *shown = atm_text_escape (text);

  if (*path == '\0')
    return atm_throw (error, ATM_ORIGIN_ERROR, ATM_ORIGIN_ERROR_SYNTAX,
                      "%s:%s: no path stands after “%s:”", prefix, shown, prefix);
  if (colon != NULL && colon[1] == '\0')
    return atm_throw (error, ATM_ORIGIN_ERROR, ATM_ORIGIN_ERROR_SYNTAX,
                      "%s:%s: nothing stands after the last “:”; leave it out, or say which image "
                      "is meant",
                      prefix, shown);
  origin->which = colon != NULL ? g_strdup (colon + 1) : NULL;

  if (resolve)
    {
      char *resolved = realpath (path, NULL);

      if (resolved == NULL)
        return atm_throw_errno (error, "Opening %s:%s", prefix, shown);
      origin->path = g_strdup (resolved);
      free (resolved);
    }
  else
    origin->path = g_steal_pointer (&path);

  /* The path becomes text: a scope of a policy, metadata of the image, part of its name. */
  if ((origin->transport != ATM_TRANSPORT_DIR && strchr (origin->path, ':') != NULL)
      || !g_utf8_validate (origin->path, -1, NULL) || !g_utf8_validate (text, -1, NULL))
    {
      g_autofree char *shown_path = atm_text_escape (origin->path);

      return atm_throw (error, ATM_ORIGIN_ERROR, ATM_ORIGIN_ERROR_SYNTAX,
                        "%s:%s: the path, %s, holds “:”, or not all is UTF-8; move it", prefix,
                        shown, shown_path);
    }
  if (origin->path[0] != '/' || g_str_equal (origin->path, "/"))
    return atm_throw (error, ATM_ORIGIN_ERROR, ATM_ORIGIN_ERROR_SYNTAX,
                      "%s:%s: the image lies below “/”", prefix, shown);
  return TRUE;
}

/* ---- daemons ---- */

static gboolean
is_image_id (const char *text)
{
  AtmDigest digest;

  return g_str_has_prefix (text, "sha256:") && atm_digest_parse (text, &digest, NULL);
}

static gboolean
parse_daemon (AtmOrigin *origin, const char *text, GError **error)
{
  g_autofree char *stand_in = NULL;

  if (!is_image_id (text))
    {
      if (!atm_name_parse (text, TRUE, &origin->name, error))
        return FALSE;
      if (origin->name->has_digest)
        return atm_throw (error, ATM_ORIGIN_ERROR, ATM_ORIGIN_ERROR_SYNTAX,
                          "docker-daemon:%s: what a daemon gives out cannot be checked against the "
                          "digest of a registry; name the image by its tag, or by its id as "
                          "docker:sha256:HEX",
                          text);
      return TRUE;
    }
  origin->image_id = g_strdup (text);
  stand_in = g_strdup_printf ("sha256-%.*s", ID_SHOWN_LENGTH, text + strlen ("sha256:"));
  return atm_name_parse (stand_in, TRUE, &origin->name, error);
}

/* ---- repositories of a site ---- */

/* @where: of a remote or a path. */
static gboolean
parse_where (AtmOrigin *origin, const char *where, const char *shown, gboolean resolve,
             GError **error)
{
  if (!is_path (where))
    {
      if (!g_ascii_isalnum (where[0]) || strlen (where) > REMOTE_MAX_BYTES
          || where[strspn (where, REMOTE_CHARACTERS)] != '\0')
        return atm_throw (error, ATM_ORIGIN_ERROR, ATM_ORIGIN_ERROR_SYNTAX,
                          "ostree:%s: neither the name of a remote nor the path of a repository "
                          "stands before the first “:”",
                          shown);
      origin->site = g_strdup (where);
      return TRUE;
    }
  if (resolve)
    {
      char *resolved = realpath (where, NULL);

      if (resolved == NULL)
        return atm_throw_errno (error, "Opening the repository of ostree:%s", shown);
      origin->site = g_strdup (resolved);
      free (resolved);
    }
  else
    origin->site = g_strdup (where);
  /* The path becomes a scope of a policy, up to the “:”. */
  if (strchr (origin->site, ':') != NULL || !g_utf8_validate (origin->site, -1, NULL)
      || origin->site[0] != '/')
    {
      g_autofree char *shown_path = atm_text_escape (origin->site);

      return atm_throw (
          error, ATM_ORIGIN_ERROR, ATM_ORIGIN_ERROR_SYNTAX,
          "ostree:%s: the path of the repository, %s, holds “:”, or not all is UTF-8; move it",
          shown, shown_path);
    }
  return TRUE;
}

/* SITE:IMAGE; @image_out points into @text. */
static gboolean
parse_site (AtmOrigin *origin, const char *text, gboolean resolve, const char **image_out,
            GError **error)
{
  const char *colon = strchr (text, ':');
  g_autofree char *where = colon != NULL ? g_strndup (text, (gsize) (colon - text)) : NULL;
  g_autofree char *shown = atm_text_escape (text);

  if (colon == NULL)
    return atm_throw (error, ATM_ORIGIN_ERROR, ATM_ORIGIN_ERROR_SYNTAX,
                      "ostree:%s: no image is named; write ostree:REMOTE:IMAGE or "
                      "ostree:/REPOSITORY:IMAGE",
                      shown);
  if (!parse_where (origin, where, shown, resolve, error))
    return FALSE;
  *image_out = colon + 1;
  return TRUE;
}

/* ---- what is typed ---- */

gboolean
atm_origin_parse (const char *text, AtmOrigin **origin_out, GError **error)
{
  g_autoptr (AtmOrigin) origin = g_new0 (AtmOrigin, 1);
  const char *rest = text;

  for (guint i = 0; i < G_N_ELEMENTS (prefixes); i++)
    if (g_str_has_prefix (text, prefixes[i].prefix))
      {
        origin->transport = prefixes[i].transport;
        origin->scheme = prefixes[i].scheme;
        origin->notice = prefixes[i].notice;
        rest = text + strlen (prefixes[i].prefix);
        break;
      }
  if (is_layout (text))
    origin->transport = ATM_TRANSPORT_OCI;

  switch (origin->transport)
    {
    case ATM_TRANSPORT_DOCKER:
      if (!atm_name_parse (rest, TRUE, &origin->name, error))
        return FALSE;
      break;
    case ATM_TRANSPORT_DOCKER_DAEMON:
      if (!parse_daemon (origin, rest, error))
        return FALSE;
      break;
    case ATM_TRANSPORT_OSTREE:
      if (!parse_site (origin, rest, TRUE, &rest, error)
          || !atm_name_parse (rest, TRUE, &origin->name, error))
        return FALSE;
      break;
    case ATM_TRANSPORT_OCI:
    case ATM_TRANSPORT_OCI_ARCHIVE:
    case ATM_TRANSPORT_DOCKER_ARCHIVE:
    case ATM_TRANSPORT_DIR:
      if (!parse_place (origin, rest, TRUE, error) || !name_place (origin, error))
        return FALSE;
      break;
    }
  *origin_out = g_steal_pointer (&origin);
  return TRUE;
}

/* ---- what is stored ---- */

/* @canonical is the canonical name of what was @typed, or that of another name. */
static gboolean
take_stored_name (AtmOrigin *origin, const char *canonical, AtmImageName *typed, GError **error)
{
  g_autofree char *typed_canonical = atm_name_to_string (typed);

  /* The host of “Myhost/etcd” was recognised by its upper case, which the canonical name has
     lost; so what was typed is asked first. */
  if (g_str_equal (typed_canonical, canonical))
    {
      origin->name = atm_name_copy (typed);
      return TRUE;
    }
  if (!atm_name_parse (canonical, FALSE, &origin->name, error))
    return FALSE;
  g_free (origin->name->familiar);
  origin->name->familiar = g_strdup (typed->familiar);
  origin->name->domain_typed = typed->domain_typed;
  return TRUE;
}

/* A registry image has a canonical name that could begin so as well, “dir:5000/x:1” from a host
   called dir. But no path begins with digits, and no canonical name with a port. */
static AtmTransport
get_stored_transport (const char *canonical, const char **rest_out)
{
  for (guint i = ATM_TRANSPORT_OCI; i < G_N_ELEMENTS (transport_names); i++)
    {
      gsize length = strlen (transport_names[i]);

      if (g_str_has_prefix (canonical, transport_names[i]) && canonical[length] == ':'
          && !(g_ascii_isdigit (canonical[length + 1])
               && strspn (canonical + length + 1, "0123456789")
                      == strcspn (canonical + length + 1, "/")))
        {
          *rest_out = canonical + length + 1;
          return (AtmTransport) i;
        }
    }
  *rest_out = canonical;
  return ATM_TRANSPORT_DOCKER;
}

gboolean
atm_origin_parse_stored (const char *canonical, const char *familiar, AtmOrigin **origin_out,
                         GError **error)
{
  g_autoptr (AtmOrigin) origin = g_new0 (AtmOrigin, 1);
  g_autoptr (AtmImageName) typed = NULL;
  const char *rest = NULL;

  if (!atm_name_parse (familiar, TRUE, &typed, error))
    return FALSE;
  origin->transport = get_stored_transport (canonical, &rest);
  if (origin->transport == ATM_TRANSPORT_DOCKER_DAEMON && is_image_id (rest))
    {
      origin->image_id = g_strdup (rest);
      origin->name = g_steal_pointer (&typed);
    }
  else if (origin->transport == ATM_TRANSPORT_DOCKER
           || origin->transport == ATM_TRANSPORT_DOCKER_DAEMON
           || origin->transport == ATM_TRANSPORT_OSTREE)
    {
      if ((origin->transport == ATM_TRANSPORT_OSTREE
           && !parse_site (origin, rest, FALSE, &rest, error))
          || !take_stored_name (origin, rest, typed, error))
        return FALSE;
    }
  else
    {
      if (!parse_place (origin, rest, FALSE, error))
        return FALSE;
      origin->name = g_steal_pointer (&typed);
    }
  if (origin->transport == ATM_TRANSPORT_DOCKER_DAEMON
      || origin->transport == ATM_TRANSPORT_DOCKER_ARCHIVE)
    origin->notice = NOTICE_OWN_DIGEST;
  *origin_out = g_steal_pointer (&origin);
  return TRUE;
}

void
atm_origin_free (AtmOrigin *origin)
{
  if (origin == NULL)
    return;
  atm_name_free (origin->name);
  g_free (origin->path);
  g_free (origin->which);
  g_free (origin->image_id);
  g_free (origin->site);
  atm_archive_file_unref (origin->archive);
  g_free (origin);
}

char *
atm_origin_to_string (const AtmOrigin *origin)
{
  const char *prefix = transport_names[origin->transport];
  g_autofree char *name = NULL;

  if (origin->path != NULL)
    return g_strconcat (prefix, ":", origin->path, origin->which != NULL ? ":" : NULL,
                        origin->which, NULL);
  name = origin->image_id != NULL ? g_strdup (origin->image_id) : atm_name_to_string (origin->name);
  if (origin->site != NULL)
    return g_strconcat (prefix, ":", origin->site, ":", name, NULL);
  return origin->transport == ATM_TRANSPORT_DOCKER ? g_steal_pointer (&name)
                                                   : g_strconcat (prefix, ":", name, NULL);
}

const char *
atm_origin_get_transport_name (const AtmOrigin *origin)
{
  return transport_names[origin->transport];
}

static char **
dup_site_scopes (const AtmOrigin *origin)
{
  g_auto (GStrv) names = atm_name_dup_scopes (origin->name, TRUE);
  g_autoptr (GStrvBuilder) scopes = g_strv_builder_new ();

  for (char **name = names; *name != NULL; name++)
    {
      g_autofree char *scope = g_strconcat (origin->site, ":", *name, NULL);

      g_strv_builder_add (scopes, scope);
    }
  g_strv_builder_add (scopes, origin->site);
  return g_strv_builder_end (scopes);
}

char **
atm_origin_dup_scopes (const AtmOrigin *origin)
{
  g_autoptr (GStrvBuilder) scopes = NULL;
  g_autofree char *path = NULL;

  if (origin->site != NULL)
    return dup_site_scopes (origin);
  if (origin->path == NULL && origin->image_id == NULL)
    return atm_name_dup_scopes (origin->name, TRUE);

  scopes = g_strv_builder_new ();
  /* An archive of Docker's has no scope but “”, and neither has an id. */
  path = g_strdup (origin->transport == ATM_TRANSPORT_DOCKER_ARCHIVE || origin->path == NULL
                       ? ""
                       : origin->path);
  while (*path != '\0')
    {
      g_strv_builder_add (scopes, path);
      *strrchr (path, '/') = '\0';
    }
  return g_strv_builder_end (scopes);
}
