/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/challenge.h"

#include <string.h>

/* RFC 9110, 5.6.2: token; “/” and “=” are taken too, because token68 has them. */
#define TOKEN "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789!#$%&'*+-.^_`|~/:"
#define BLANK " \t"

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

          p = after + 1;
          skip (&p, BLANK "=");
          value = take_value (&p);
          if (bearer && challenge->realm == NULL && same_word (word, "realm") && *value != '\0')
            challenge->realm = g_steal_pointer (&value);
          else if (bearer && challenge->service == NULL && same_word (word, "service"))
            challenge->service = g_steal_pointer (&value);
          continue;
        }
      done = done || challenge->realm != NULL;
      if (!done)
        g_clear_pointer (&challenge->service, g_free);
      bearer = !done && same_word (word, "Bearer");
      g_string_append_printf (schemes, "%s%s", schemes->len > 0 ? ", " : "", word);
    }
  challenge->schemes = g_string_free (schemes, FALSE);
  return challenge;
}

void
atm_challenge_free (AtmChallenge *challenge)
{
  if (challenge == NULL)
    return;
  g_free (challenge->realm);
  g_free (challenge->service);
  g_free (challenge->schemes);
  g_free (challenge);
}
