/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/context.h"

#include <string.h>

#include "registry/credentials.h"
#include "util/text.h"

/* RFC 7234, 5.5: “299 - "TEXT"”: miscellaneous, from nobody in particular. */
#define WARNING_PREFIX "299 - \""

AtmRegistryContext *
atm_registry_context_new (GProxyResolver *proxies, const AtmRegistryOptions *options)
{
  const AtmRegistryLimits limits = ATM_REGISTRY_LIMITS_DEFAULT;
  AtmRegistryContext *self = g_new0 (AtmRegistryContext, 1);

  g_atomic_ref_count_init (&self->references);
  self->limits = options->limits != NULL ? *options->limits : limits;
  self->proxies = g_object_ref (proxies);
  self->credentials
      = options->credentials != NULL ? atm_credentials_ref (options->credentials) : NULL;
  self->cert_dir = g_strdup (options->cert_dir);
  self->watchdog = atm_watchdog_new ();
  self->warn_func = options->warn;
  self->warn_data = options->warn_data;
  g_mutex_init (&self->lock);
  self->said = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  return self;
}

AtmRegistryContext *
atm_registry_context_ref (AtmRegistryContext *self)
{
  g_atomic_ref_count_inc (&self->references);
  return self;
}

void
atm_registry_context_unref (AtmRegistryContext *self)
{
  if (self == NULL || !g_atomic_ref_count_dec (&self->references))
    return;
  atm_watchdog_free (self->watchdog);
  g_object_unref (self->proxies);
  g_clear_pointer (&self->credentials, atm_credentials_unref);
  g_free (self->cert_dir);
  g_mutex_clear (&self->lock);
  g_hash_table_unref (self->said);
  g_free (self);
}

/* With the lock held: “one at a time” is the promise to the receiver. */
static void
say (AtmRegistryContext *self, const char *text)
{
  if (g_hash_table_add (self->said, g_strdup (text)) && self->warn_func != NULL)
    self->warn_func (text, self->warn_data);
}

void
atm_registry_context_warn (AtmRegistryContext *self, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  g_mutex_lock (&self->lock);
  say (self, text);
  g_mutex_unlock (&self->lock);
}

/* The quoted text of one warning; NULL for a form that is not for people. */
static char *
read_warning (const char *value)
{
  g_autoptr (GString) text = g_string_new (NULL);
  const char *p = value;

  if (!g_str_has_prefix (value, WARNING_PREFIX))
    return NULL;
  for (p += strlen (WARNING_PREFIX); *p != '\0' && *p != '"'; p++)
    {
      if (*p == '\\' && p[1] != '\0')
        p++;
      g_string_append_c (text, *p);
    }
  return *p == '"' && text->len > 0 ? atm_text_escape (text->str) : NULL;
}

typedef struct
{
  AtmRegistryContext *context; /* (borrowed) */
  const char *host;            /* (borrowed) */
} Relay;

static void
relay_header (const char *name, const char *value, gpointer user_data)
{
  const Relay *relay = user_data;
  AtmRegistryContext *self = relay->context;
  g_autofree char *text = NULL, *line = NULL;

  if (g_ascii_strcasecmp (name, "Warning") != 0)
    return;
  text = read_warning (value);
  if (text == NULL)
    return;
  line = g_strdup_printf ("%s says: %s", relay->host, text);
  g_mutex_lock (&self->lock);
  if (!g_hash_table_contains (self->said, line)
      && strlen (text) <= ATM_SERVER_WARNINGS_MAX_BYTES - self->server_bytes)
    {
      self->server_bytes += strlen (text);
      say (self, line);
    }
  g_mutex_unlock (&self->lock);
}

void
atm_registry_context_relay (AtmRegistryContext *self, const char *host, SoupMessageHeaders *headers)
{
  Relay relay = { self, host };

  soup_message_headers_foreach (headers, relay_header, &relay);
}

gboolean
atm_registry_context_count_failure (AtmRegistryContext *self)
{
  gboolean is_left = FALSE;

  g_mutex_lock (&self->lock);
  self->failures++;
  is_left = self->failures < self->limits.failures_max;
  g_mutex_unlock (&self->lock);
  return is_left;
}
