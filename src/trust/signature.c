/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "trust/signature.h"

#include <string.h>

#include "trust/refusal.h"
#include "util/error.h"

/* The longest name of a tagged container that we look for the end of. */
#define TAG_MAX_BYTES 64

#define ADVICE "; ask whoever publishes the signatures to store the output of “gpg --sign”"

/* The first octet of a packet that begins a signed message (RFC 4880, 4.2 and 4.3): tag 8, 4 or 2,
   in the old format with each length type, or in the new one. */
static gboolean
begins_message (guint8 first)
{
  switch (first)
    {
    case 0xA0 ... 0xA3: /* compressed data */
    case 0xC8:
    case 0x90 ... 0x93: /* one-pass signature */
    case 0xC4:
    case 0x88 ... 0x8B: /* signature */
    case 0xC2:
      return TRUE;
    default:
      return FALSE;
    }
}

static const char *
describe (guint8 first)
{
  switch (first)
    {
    case '-':
      return "is armored or cleartext-signed text";
    case '{':
    case '<':
      return "is a text document";
    case 0x84 ... 0x87:
    case 0xC1:
      return "is an encrypted message";
    case 0xAC ... 0xAF:
    case 0xCB:
      return "is a message without a signature";
    default:
      return "is no OpenPGP message";
    }
}

static gboolean
check_message (guint number, GBytes *message, GError **error)
{
  gsize length = 0;
  const guint8 *data = g_bytes_get_data (message, &length);

  if (length > 0 && begins_message (data[0]))
    return TRUE;
  return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_SIGNATURE_FORMAT,
                    "signature-%u %s, where a binary signed message is needed" ADVICE, number,
                    length == 0 ? "is empty" : describe (data[0]));
}

/* A zero byte, an ASCII name, a line feed; then what the name says. */
static gboolean
unwrap (guint number, GBytes *blob, GBytes **message_out, GError **error)
{
  gsize length = 0;
  const char *data = g_bytes_get_data (blob, &length);
  const char *end = memchr (data + 1, '\n', MIN (length - 1, TAG_MAX_BYTES));
  g_autofree char *tag = NULL;

  if (end == NULL)
    return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_SIGNATURE_FORMAT,
                      "signature-%u begins like a tagged container and has no name" ADVICE, number);
  for (const char *p = data + 1; p < end; p++)
    if (!g_ascii_isprint (*p))
      return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_SIGNATURE_FORMAT,
                        "signature-%u is a tagged container with a name that is not ASCII" ADVICE,
                        number);

  tag = g_strndup (data + 1, (gsize) (end - data - 1));
  if (g_str_equal (tag, "simple-signing"))
    *message_out = g_bytes_new_from_bytes (blob, (gsize) (end + 1 - data),
                                           length - (gsize) (end + 1 - data));
  else if (!g_str_equal (tag, "sigstore-json"))
    return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_SIGNATURE_FORMAT,
                      "signature-%u is of the unknown format “%s”" ADVICE, number, tag);
  return TRUE;
}

gboolean
atm_signature_new (guint number, GBytes *blob, AtmSignature **signature_out, GError **error)
{
  gsize length = 0;
  const guint8 *data = g_bytes_get_data (blob, &length);
  g_autoptr (AtmSignature) signature = g_new0 (AtmSignature, 1);

  if (length > ATM_SIGNATURE_MAX_BYTES)
    return atm_throw (error, ATM_TRUST_ERROR, ATM_TRUST_ERROR_LIMIT_EXCEEDED,
                      "signature-%u has more than %d bytes, so it is none" ADVICE, number,
                      ATM_SIGNATURE_MAX_BYTES);
  signature->number = number;
  signature->blob = g_bytes_ref (blob);
  if (length == 0 || data[0] != 0)
    signature->message = g_bytes_ref (blob);
  else if (!unwrap (number, blob, &signature->message, error))
    return FALSE;
  if (signature->message != NULL && !check_message (number, signature->message, error))
    return FALSE;
  *signature_out = g_steal_pointer (&signature);
  return TRUE;
}

void
atm_signature_free (AtmSignature *signature)
{
  if (signature == NULL)
    return;
  g_clear_pointer (&signature->blob, g_bytes_unref);
  g_clear_pointer (&signature->message, g_bytes_unref);
  g_free (signature);
}
