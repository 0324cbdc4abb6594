/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/name.h"

#include <string.h>

#include "util/error.h"
#include "util/text.h"

#define LOWER_ALNUM "abcdefghijklmnopqrstuvwxyz0123456789"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define ALNUM LOWER_ALNUM UPPER
#define HEX "0123456789abcdefABCDEF"

#define DEFAULT_DOMAIN "docker.io"
#define LEGACY_DOMAIN "index.docker.io"
#define DEFAULT_NAMESPACE "library/"
#define DEFAULT_TAG "latest"
#define PATH_MAX_BYTES 255
#define TAG_MAX_BYTES 128
#define PORT_MAX 65535
/* The longest of what is valid: a host name, a path, a tag and a digest of SHA-512. */
#define NAME_MAX_BYTES 1024

#define REF_PREFIX "ociimage/"
#define REF_MAX_BYTES 200
/* “_XX” writes any byte but these; no encoded reference begins with two underscores. */
#define REF_PLAIN ALNUM ".-"
#define REF_HASHED "__"

G_DEFINE_QUARK (atm_name_error, atm_name_error)

static gboolean
is_made_of (const char *text, const char *set)
{
  return *text != '\0' && text[strspn (text, set)] == '\0';
}

static gboolean
is_label (const char *label)
{
  return is_made_of (label, ALNUM "-") && label[0] != '-' && label[strlen (label) - 1] != '-';
}

static gboolean
is_port (const char *port)
{
  guint64 number = 0;

  /* A number with leading zeros would be a second spelling of the same port for policies. */
  return port[0] != '0' && is_made_of (port, "0123456789")
         && g_ascii_string_to_unsigned (port, 10, 1, PORT_MAX, &number, NULL);
}

static gboolean
is_domain (const char *domain)
{
  g_autofree char *host = g_strdup (domain);
  g_auto (GStrv) labels = NULL;
  char *port = NULL;

  if (host[0] == '[')
    {
      char *end = strchr (host, ']');

      if (end == NULL || (end[1] != '\0' && (end[1] != ':' || !is_port (end + 2))))
        return FALSE;
      *end = '\0';
      return is_made_of (host + 1, HEX ":");
    }

  port = strchr (host, ':');
  if (port != NULL)
    {
      *port++ = '\0';
      if (!is_port (port))
        return FALSE;
    }
  labels = g_strsplit (host, ".", -1);
  for (guint i = 0; labels[i] != NULL; i++)
    if (!is_label (labels[i]))
      return FALSE;
  return labels[0] != NULL;
}

/* 1*lc *( sep 1*lc ), where sep is “.”, “_”, “__” or any number of “-” */
static gboolean
is_component (const char *component)
{
  const char *p = component;

  for (;;)
    {
      gsize run = strspn (p, LOWER_ALNUM);

      if (run == 0)
        return FALSE;
      p += run;
      if (*p == '\0')
        return TRUE;
      if (*p == '-')
        p += strspn (p, "-");
      else if (g_str_has_prefix (p, "__"))
        p += 2;
      else if (*p == '_' || *p == '.')
        p++;
      else
        return FALSE;
    }
}

static gboolean
is_path (const char *path)
{
  g_auto (GStrv) components = g_strsplit (path, "/", -1);

  for (guint i = 0; components[i] != NULL; i++)
    if (!is_component (components[i]))
      return FALSE;
  return components[0] != NULL;
}

static gboolean
is_tag (const char *tag)
{
  return strlen (tag) <= TAG_MAX_BYTES && is_made_of (tag, ALNUM "_.-") && tag[0] != '.'
         && tag[0] != '-';
}

static gboolean
throw_syntax (GError **error, const char *text, const char *why)
{
  g_autofree char *cut = g_strndup (text, NAME_MAX_BYTES);
  g_autofree char *shown = atm_text_escape (cut);

  return atm_throw (error, ATM_NAME_ERROR, ATM_NAME_ERROR_SYNTAX, "“%s” is no image name: %s",
                    shown, why);
}

/* Image ids (registry.md 1.4): hex digits alone, with a tag behind, or behind an algorithm. */
static gboolean
is_id (const char *path, const char *tag)
{
  if (strlen (path) == 64 && is_made_of (path, HEX))
    return TRUE;
  if (tag == NULL || !is_made_of (tag, HEX))
    return FALSE;
  return (g_str_equal (path, "sha256") && strlen (tag) == 64)
         || (g_str_equal (path, "sha512") && strlen (tag) == 128);
}

static gboolean
is_domain_by_look (const char *first)
{
  return g_str_equal (first, "localhost") || strpbrk (first, ".:" UPPER) != NULL;
}

/* Splits @rest, which holds neither a digest nor a domain. */
static gboolean
take_path_and_tag (AtmImageName *name, const char *rest, const char *text, GError **error)
{
  const char *colon = strchr (rest, ':');
  g_autofree char *path
      = colon != NULL ? g_strndup (rest, (gsize) (colon - rest)) : g_strdup (rest);

  if (strpbrk (path, UPPER) != NULL)
    return throw_syntax (error, text, "the repository must be written in lower case");
  if (!is_path (path))
    return throw_syntax (error, text,
                         "the repository is made of a-z and 0-9, between which “.”, “_”, “__” or "
                         "“-” may stand, in parts separated by “/”");
  if (colon != NULL && !is_tag (colon + 1))
    return throw_syntax (error, text,
                         "a tag is made of up to 128 letters, digits, “_”, “.” and “-”, and "
                         "begins with none of the last two");

  if (g_str_equal (name->domain, DEFAULT_DOMAIN) && strchr (path, '/') == NULL)
    name->path = g_strconcat (DEFAULT_NAMESPACE, path, NULL);
  else
    name->path = g_steal_pointer (&path);
  name->tag = colon != NULL ? g_strdup (colon + 1) : NULL;
  if (strlen (name->path) > PATH_MAX_BYTES)
    return throw_syntax (error, text, "the repository is longer than 255 bytes");
  return TRUE;
}

gboolean
atm_name_parse (const char *text, gboolean add_latest, AtmImageName **name_out, GError **error)
{
  g_autoptr (AtmImageName) name = g_new0 (AtmImageName, 1);
  g_autofree char *before = NULL, *first = NULL;
  const char *at = NULL, *slash = NULL, *rest = NULL;
  gboolean latest = FALSE;

  if (strnlen (text, NAME_MAX_BYTES + 1) > NAME_MAX_BYTES)
    return throw_syntax (error, text, "it is too long");
  if (*text == '\0')
    return throw_syntax (error, text, "it is empty");

  at = strchr (text, '@');
  before = at != NULL ? g_strndup (text, (gsize) (at - text)) : g_strdup (text);
  if (at != NULL)
    {
      g_autoptr (GError) local = NULL;

      if (!atm_digest_parse (at + 1, &name->digest, &local))
        return throw_syntax (error, text, local->message);
      name->has_digest = TRUE;
    }

  rest = before;
  slash = strchr (before, '/');
  if (slash != NULL)
    first = g_strndup (before, (gsize) (slash - before));
  if (first != NULL && is_domain_by_look (first))
    {
      if (!is_domain (first))
        return throw_syntax (error, text, "what stands before the first “/” is no HOST[:PORT]");
      name->domain_typed = TRUE;
      name->domain = g_ascii_strdown (first, -1);
      rest = slash + 1;
    }
  if (name->domain == NULL || g_str_equal (name->domain, LEGACY_DOMAIN))
    {
      g_free (name->domain);
      name->domain = g_strdup (DEFAULT_DOMAIN);
    }
  if (slash == NULL)
    {
      const char *colon = strchr (rest, ':');
      g_autofree char *path
          = colon != NULL ? g_strndup (rest, (gsize) (colon - rest)) : g_strdup (rest);

      if (is_id (path, colon != NULL ? colon + 1 : NULL))
        return atm_throw (error, ATM_NAME_ERROR, ATM_NAME_ERROR_ID,
                          "“%s” is an image id, not a name; give REPOSITORY@sha256:… to name an "
                          "image by its digest",
                          text);
    }
  if (!take_path_and_tag (name, rest, text, error))
    return FALSE;

  latest = add_latest && name->tag == NULL && !name->has_digest;
  if (latest)
    name->tag = g_strdup (DEFAULT_TAG);
  name->familiar = g_strconcat (text, latest ? ":" DEFAULT_TAG : NULL, NULL);
  *name_out = g_steal_pointer (&name);
  return TRUE;
}

AtmImageName *
atm_name_copy (const AtmImageName *name)
{
  AtmImageName *copy = g_new0 (AtmImageName, 1);

  *copy = *name;
  copy->domain = g_strdup (name->domain);
  copy->path = g_strdup (name->path);
  copy->tag = g_strdup (name->tag);
  copy->familiar = g_strdup (name->familiar);
  return copy;
}

void
atm_name_free (AtmImageName *name)
{
  if (name == NULL)
    return;
  g_free (name->domain);
  g_free (name->path);
  g_free (name->tag);
  g_free (name->familiar);
  g_free (name);
}

char *
atm_name_parse_location (const char *text)
{
  gsize domain_length = strcspn (text, "/");
  gboolean wildcard = g_str_has_prefix (text, "*.");
  g_autofree char *domain = g_ascii_strdown (text, (gssize) domain_length);
  g_autofree char *path = NULL;
  const char *rest = text + domain_length, *tail = NULL;

  if (strnlen (text, NAME_MAX_BYTES + 1) > NAME_MAX_BYTES)
    return NULL;
  if (wildcard)
    return *rest == '\0' && strchr (text, ':') == NULL && is_domain (domain + 2)
               ? g_steal_pointer (&domain)
               : NULL;
  if (!is_domain (domain))
    return NULL;
  if (*rest == '\0')
    return g_steal_pointer (&domain);

  rest++;
  tail = rest + strcspn (rest, ":@");
  path = g_strndup (rest, (gsize) (tail - rest));
  if (!is_path (path) || strlen (path) > PATH_MAX_BYTES)
    return NULL;
  if (*tail == ':' && !is_tag (tail + 1))
    return NULL;
  if (*tail == '@')
    {
      AtmDigest digest;

      if (!atm_digest_parse (tail + 1, &digest, NULL))
        return NULL;
    }
  return g_strconcat (domain, "/", rest, NULL);
}

char *
atm_name_get_repository (const AtmImageName *name)
{
  return g_strconcat (name->domain, "/", name->path, NULL);
}

char *
atm_name_to_string (const AtmImageName *name)
{
  g_autofree char *digest = name->has_digest ? atm_digest_to_string (&name->digest) : NULL;
  GString *text = g_string_new (name->domain);

  g_string_append_printf (text, "/%s", name->path);
  if (name->tag != NULL)
    g_string_append_printf (text, ":%s", name->tag);
  if (digest != NULL)
    g_string_append_printf (text, "@%s", digest);
  return g_string_free (text, FALSE);
}

char *
atm_name_to_identity (const AtmImageName *name)
{
  g_autofree char *repository = atm_name_get_repository (name);
  g_autofree char *digest = name->has_digest ? atm_digest_to_string (&name->digest) : NULL;

  if (digest != NULL)
    return g_strconcat (repository, "@", digest, NULL);
  if (name->tag != NULL)
    return g_strconcat (repository, ":", name->tag, NULL);
  return g_steal_pointer (&repository);
}

char **
atm_name_dup_scopes (const AtmImageName *name, gboolean with_identity)
{
  g_autoptr (GStrvBuilder) scopes = g_strv_builder_new ();
  g_autofree char *repository = atm_name_get_repository (name);
  g_autofree char *identity = atm_name_to_identity (name);
  gsize domain_length = strlen (name->domain);

  if (with_identity && !g_str_equal (identity, repository))
    g_strv_builder_add (scopes, identity);
  while (strlen (repository) > domain_length)
    {
      g_strv_builder_add (scopes, repository);
      *strrchr (repository, '/') = '\0';
    }
  g_strv_builder_add (scopes, repository);

  /* An IPv6 address has no “.”, so its “:” do no harm here. */
  repository[strcspn (repository, ":")] = '\0';
  for (const char *dot = strchr (repository, '.'); dot != NULL; dot = strchr (dot + 1, '.'))
    {
      g_autofree char *wildcard = g_strconcat ("*", dot, NULL);

      g_strv_builder_add (scopes, wildcard);
    }
  return g_strv_builder_end (scopes);
}

static char *
encode (const char *reference)
{
  GString *ref = g_string_new (REF_PREFIX);

  for (const char *p = reference; *p != '\0'; p++)
    if (strchr (REF_PLAIN, *p) != NULL)
      g_string_append_c (ref, *p);
    else
      g_string_append_printf (ref, "_%02X", (guchar) *p);
  return g_string_free (ref, FALSE);
}

char *
atm_ref_encode (const char *reference)
{
  g_autofree char *ref = encode (reference);
  g_autofree char *hash = NULL;
  g_autoptr (GBytes) bytes = NULL;

  if (strlen (ref) <= REF_MAX_BYTES)
    return g_steal_pointer (&ref);
  bytes = g_bytes_new (reference, strlen (reference));
  hash = atm_sha256_hex (bytes);
  return g_strconcat (REF_PREFIX REF_HASHED, hash, NULL);
}

char *
atm_ref_decode (const char *ref)
{
  const char *start = g_str_has_prefix (ref, REF_PREFIX) ? ref + strlen (REF_PREFIX) : ref;
  GString *reference = g_string_new (NULL);
  g_autofree char *decoded = NULL, *again = NULL;

  for (const char *p = start; *p != '\0'; p++)
    if (p[0] == '_' && g_ascii_isxdigit (p[1]) && g_ascii_isxdigit (p[2]))
      {
        g_string_append_c (reference,
                           (char) (g_ascii_xdigit_value (p[1]) * 16 + g_ascii_xdigit_value (p[2])));
        p += 2;
      }
    else
      g_string_append_c (reference, *p);
  decoded = g_string_free (reference, FALSE);

  /* Whatever atm_ref_encode() did not write is shown as it is, also an embedded NUL. */
  again = encode (decoded);
  return g_str_equal (again + strlen (REF_PREFIX), start) ? g_steal_pointer (&decoded)
                                                          : g_strdup (ref);
}

char *
atm_name_suggest_container (const AtmImageName *name)
{
  const char *slash = strrchr (name->path, '/');
  const char *last = slash != NULL ? slash + 1 : name->path;

  if (name->tag == NULL || g_str_equal (name->tag, DEFAULT_TAG))
    return g_strdup (last);
  return g_strconcat (last, "-", name->tag, NULL);
}
