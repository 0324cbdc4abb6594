/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/origin.h"

#include <stdlib.h>
#include <string.h>

#include "util/error.h"
#include "util/text.h"

#define LAYOUT_PREFIX "oci:"
#define SITE_PREFIX "ostree:"

/* What libostree takes as the name of a remote, and no path. */
#define REMOTE_CHARACTERS "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
#define REMOTE_MAX_BYTES 200

G_DEFINE_QUARK (atm_origin_error, atm_origin_error)

/* Longer prefixes stand before those that they begin with. */
static const struct
{
  const char *prefix;
  AtmScheme scheme;
  const char *unsupported; /* NULL: a registry */
} prefixes[] = {
  { "http://", ATM_SCHEME_HTTP, NULL },
  { "https://", ATM_SCHEME_HTTPS, NULL },
  { "http:", ATM_SCHEME_HTTP, NULL },
  { "https:", ATM_SCHEME_HTTPS, NULL },
  { "docker://", ATM_SCHEME_CONFIGURED, NULL },
  { "docker:", ATM_SCHEME_CONFIGURED,
    "the storage of a Docker daemon; push the image to a registry, or, if an image called “docker” "
    "is meant, write docker.io/library/docker:TAG" },
  { "docker-daemon:", ATM_SCHEME_CONFIGURED,
    "the storage of a Docker daemon; push the image to a registry" },
  { "dockertar:", ATM_SCHEME_CONFIGURED,
    "Docker archives; copy the image into an OCI layout folder and give oci:/FOLDER" },
  { "docker-archive:", ATM_SCHEME_CONFIGURED,
    "Docker archives; copy the image into an OCI layout folder and give oci:/FOLDER" },
  { "oci-archive:", ATM_SCHEME_CONFIGURED,
    "OCI archives; unpack the archive and give oci:/FOLDER" },
  { "dir:", ATM_SCHEME_CONFIGURED,
    "“dir:” folders; copy the image into an OCI layout folder and give oci:/FOLDER" },
  /* Not a layout: scripts of the Python tool mean a registry. */
  { LAYOUT_PREFIX, ATM_SCHEME_CONFIGURED, NULL },
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

/* The last component of @path as the component of an image name. */
static char *
name_of_folder (const char *path)
{
  g_autofree char *base = g_path_get_basename (path);
  g_autofree char *lower = g_ascii_strdown (base, -1);
  GString *name = g_string_new (NULL);

  for (const char *p = lower; *p != '\0'; p++)
    if (g_ascii_isalnum (*p))
      g_string_append_c (name, *p);
    else if (name->len > 0 && g_ascii_isalnum (p[1]))
      g_string_append_c (name, *p == '.' || *p == '_' ? *p : '-');
  return g_string_free (name, FALSE);
}

static gboolean
name_layout (AtmOrigin *origin, GError **error)
{
  const char *tag = origin->layout_tag;
  g_autofree char *folder = name_of_folder (origin->path);
  g_autofree char *text = NULL;

  if (tag != NULL && strpbrk (tag, "/:@") != NULL && tag[0] != '@')
    text = g_strdup (tag);
  else if (tag != NULL && tag[0] != '@')
    text = g_strconcat (folder, ":", tag, NULL);
  else
    text = g_strdup (folder);
  if (!atm_name_parse (text, TRUE, &origin->name, error))
    return atm_prefix_error (error, "The layout %s gives the image no name", origin->path);
  return TRUE;
}

/* DIR[:TAG]; @resolve: the folder must exist, and links are followed now, once. */
static gboolean
parse_layout (AtmOrigin *origin, const char *text, gboolean resolve, GError **error)
{
  const char *colon = strchr (text, ':');
  g_autofree char *path
      = colon != NULL ? g_strndup (text, (gsize) (colon - text)) : g_strdup (text);
  g_autofree char *shown = atm_text_escape (text);

  origin->transport = ATM_TRANSPORT_OCI;
  if (colon != NULL && colon[1] == '\0')
    return atm_throw (error, ATM_ORIGIN_ERROR, ATM_ORIGIN_ERROR_SYNTAX,
                      "oci:%s: no tag stands after the last “:”; leave it out, or name an entry of "
                      "index.json",
                      shown);
  origin->layout_tag = colon != NULL ? g_strdup (colon + 1) : NULL;

  if (resolve)
    {
      char *resolved = realpath (path, NULL);

      if (resolved == NULL)
        return atm_throw_errno (error, "Opening the layout oci:%s", shown);
      origin->path = g_strdup (resolved);
      free (resolved);
    }
  else
    origin->path = g_steal_pointer (&path);

  /* The path becomes text: a scope of a policy, metadata of the image, part of its name. */
  if (strchr (origin->path, ':') != NULL || !g_utf8_validate (origin->path, -1, NULL)
      || !g_utf8_validate (text, -1, NULL))
    {
      g_autofree char *shown_path = atm_text_escape (origin->path);

      return atm_throw (
          error, ATM_ORIGIN_ERROR, ATM_ORIGIN_ERROR_SYNTAX,
          "oci:%s: the path of the folder, %s, holds “:”, or not all is UTF-8; move it", shown,
          shown_path);
    }
  if (origin->path[0] != '/' || g_str_equal (origin->path, "/"))
    return atm_throw (error, ATM_ORIGIN_ERROR, ATM_ORIGIN_ERROR_SYNTAX,
                      "oci:%s: a layout is a folder below “/”", shown);
  return TRUE;
}

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

  origin->transport = ATM_TRANSPORT_OSTREE;
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

gboolean
atm_origin_parse (const char *text, AtmOrigin **origin_out, GError **error)
{
  g_autoptr (AtmOrigin) origin = g_new0 (AtmOrigin, 1);
  const char *rest = text;

  if (is_layout (text))
    {
      if (!parse_layout (origin, text + strlen (LAYOUT_PREFIX), TRUE, error)
          || !name_layout (origin, error))
        return FALSE;
      *origin_out = g_steal_pointer (&origin);
      return TRUE;
    }
  if (g_str_has_prefix (text, SITE_PREFIX))
    {
      if (!parse_site (origin, text + strlen (SITE_PREFIX), TRUE, &rest, error)
          || !atm_name_parse (rest, TRUE, &origin->name, error))
        return FALSE;
      *origin_out = g_steal_pointer (&origin);
      return TRUE;
    }

  for (guint i = 0; i < G_N_ELEMENTS (prefixes); i++)
    if (g_str_has_prefix (text, prefixes[i].prefix))
      {
        if (prefixes[i].unsupported != NULL)
          {
            g_autofree char *shown = atm_text_escape (text);

            return atm_throw (error, ATM_ORIGIN_ERROR, ATM_ORIGIN_ERROR_UNSUPPORTED,
                              "%s: this version cannot read %s", shown, prefixes[i].unsupported);
          }
        origin->scheme = prefixes[i].scheme;
        rest = text + strlen (prefixes[i].prefix);
        break;
      }
  if (!atm_name_parse (rest, TRUE, &origin->name, error))
    return FALSE;
  *origin_out = g_steal_pointer (&origin);
  return TRUE;
}

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

gboolean
atm_origin_parse_stored (const char *canonical, const char *familiar, AtmOrigin **origin_out,
                         GError **error)
{
  g_autoptr (AtmOrigin) origin = g_new0 (AtmOrigin, 1);
  g_autoptr (AtmImageName) typed = NULL;

  if (!atm_name_parse (familiar, TRUE, &typed, error))
    return FALSE;
  if (is_layout (canonical))
    {
      if (!parse_layout (origin, canonical + strlen (LAYOUT_PREFIX), FALSE, error))
        return FALSE;
      origin->name = g_steal_pointer (&typed);
    }
  else if (g_str_has_prefix (canonical, SITE_PREFIX))
    {
      const char *name = NULL;

      if (!parse_site (origin, canonical + strlen (SITE_PREFIX), FALSE, &name, error)
          || !take_stored_name (origin, name, typed, error))
        return FALSE;
    }
  else if (!take_stored_name (origin, canonical, typed, error))
    return FALSE;
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
  g_free (origin->layout_tag);
  g_free (origin->site);
  g_free (origin);
}

char *
atm_origin_to_string (const AtmOrigin *origin)
{
  g_autofree char *name = NULL;

  if (origin->transport == ATM_TRANSPORT_OCI)
    return origin->layout_tag == NULL
               ? g_strconcat (LAYOUT_PREFIX, origin->path, NULL)
               : g_strconcat (LAYOUT_PREFIX, origin->path, ":", origin->layout_tag, NULL);
  name = atm_name_to_string (origin->name);
  return origin->transport == ATM_TRANSPORT_OSTREE
             ? g_strconcat (SITE_PREFIX, origin->site, ":", name, NULL)
             : g_steal_pointer (&name);
}

const char *
atm_origin_get_transport_name (const AtmOrigin *origin)
{
  switch (origin->transport)
    {
    case ATM_TRANSPORT_OCI:
      return "oci";
    case ATM_TRANSPORT_OSTREE:
      return "ostree";
    case ATM_TRANSPORT_DOCKER:
    default:
      return "docker";
    }
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

  if (origin->transport == ATM_TRANSPORT_DOCKER)
    return atm_name_dup_scopes (origin->name, TRUE);
  if (origin->transport == ATM_TRANSPORT_OSTREE)
    return dup_site_scopes (origin);

  scopes = g_strv_builder_new ();
  path = g_strdup (origin->path);
  while (*path != '\0')
    {
      g_strv_builder_add (scopes, path);
      *strrchr (path, '/') = '\0';
    }
  return g_strv_builder_end (scopes);
}
