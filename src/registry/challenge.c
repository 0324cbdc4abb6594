/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/challenge.h"

#include <string.h>

/* RFC 9110, 5.6.2: token; “/” and “=” are taken too, because token68 has them. */
#define TOKEN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~/:"
#define BLANK " \t"
#define SCOPE_MAX_BYTES 1024

static char *
take_token (const char **text)
{
  gsize length = strspn (*text, TOKEN);
  char *token = g_strndup (*text, length);

  *text += length;
  return token;
}

/* A quoted string or a token. */
static char *
take_value (const char **text)
{
  GString *value = NULL;

  if (**text != '"')
    return take_token (text);
  value = g_string_new (NULL);
  for ((*text)++; **text != '\0' && **text != '"'; (*text)++)
    {
      if (**text == '\\' && (*text)[1] != '\0')
        (*text)++;
      g_string_append_c (value, **text);
    }
  if (**text == '"')
    (*text)++;
  return g_string_free (value, FALSE);
}

static void
skip (const char **text, const char *set)
{
  *text += strspn (*text, set);
}

static gboolean
same_word (const char *a, const char *b)
{
  return g_ascii_strcasecmp (a, b) == 0;
}

/* The members of a Bearer challenge by the name of their parameter. */
static char **
find_member (AtmChallenge *challenge, const char *name)
{
  if (same_word (name, "realm"))
    return &challenge->realm;
  if (same_word (name, "service"))
    return &challenge->service;
  if (same_word (name, "scope"))
    return &challenge->scope;
  return same_word (name, "error") ? &challenge->error : NULL;
}

static void
clear_members (AtmChallenge *challenge)
{
  g_clear_pointer (&challenge->realm, g_free);
  g_clear_pointer (&challenge->service, g_free);
  g_clear_pointer (&challenge->scope, g_free);
  g_clear_pointer (&challenge->error, g_free);
}

/* Scheme SP name=value, name=value, Scheme …: a word with no “=” behind it begins a challenge. */
AtmChallenge *
atm_challenge_parse (const char *header)
{
  AtmChallenge *challenge = g_new0 (AtmChallenge, 1);
  g_autofree char *cut = g_strndup (header != NULL ? header : "", ATM_CHALLENGE_MAX_BYTES);
  GString *schemes = g_string_new (NULL);
  const char *p = cut;
  gboolean bearer = FALSE, done = FALSE;

  while (skip (&p, BLANK ","), *p != '\0')
    {
      g_autofree char *word = take_token (&p);
      const char *after = p;

      if (*word == '\0')
        {
          p++;
          continue;
        }
      skip (&after, BLANK);
      if (*after == '=')
        {
          g_autofree char *value = NULL;
          char **member = bearer ? find_member (challenge, word) : NULL;

          p = after + 1;
          skip (&p, BLANK "=");
          value = take_value (&p);
          if (member != NULL && *member == NULL && *value != '\0')
            *member = g_steal_pointer (&value);
          continue;
        }
      done = done || challenge->realm != NULL;
      if (!done)
        clear_members (challenge);
      bearer = !done && same_word (word, "Bearer");
      challenge->basic = challenge->basic || same_word (word, "Basic");
      g_string_append_printf (schemes, "%s%s", schemes->len > 0 ? ", " : "", word);
    }
  challenge->schemes = g_string_free (schemes, FALSE);
  return challenge;
}

/* repository:PATH:ACTION[,ACTION…] */
char *
atm_challenge_dup_wider_scope (const AtmChallenge *challenge, const char *path)
{
  g_autofree char *prefix = g_strconcat ("repository:", path, ":", NULL);
  g_auto (GStrv) actions = NULL;

  if (g_strcmp0 (challenge->error, "insufficient_scope") != 0 || challenge->scope == NULL
      || !g_str_has_prefix (challenge->scope, prefix) || strlen (challenge->scope) > SCOPE_MAX_BYTES
      || strspn (challenge->scope + strlen (prefix), "abcdefghijklmnopqrstuvwxyz,*")
             != strlen (challenge->scope + strlen (prefix)))
    return NULL;
  actions = g_strsplit (challenge->scope + strlen (prefix), ",", -1);
  return g_strv_contains ((const char *const *) actions, "pull") ? g_strdup (challenge->scope)
                                                                 : NULL;
}

void
atm_challenge_free (AtmChallenge *challenge)
{
  if (challenge == NULL)
    return;
  clear_members (challenge);
  g_free (challenge->schemes);
  g_free (challenge);
}
