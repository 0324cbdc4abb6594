/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/blob.h"

#include <string.h>

#include "registry/content-range.h"
#include "registry/refusal.h"
#include "util/error.h"
#include "util/text.h"

gboolean
atm_blob_check_digest_header (const AtmHttpAnswer *answer, const AtmDigest *actual, GError **error)
{
  const char *header = soup_message_headers_get_one (answer->headers, "Docker-Content-Digest");
  AtmDigest said;
  g_autofree char *said_text = NULL, *actual_text = NULL;

  if (header == NULL || answer->elsewhere || !atm_digest_parse (header, &said, NULL)
      || said.algorithm != actual->algorithm || atm_digest_equal (&said, actual))
    return TRUE;
  said_text = atm_digest_to_string (&said);
  actual_text = atm_digest_to_string (actual);
  return atm_throw (error, ATM_DIGEST_ERROR, ATM_DIGEST_ERROR_MISMATCH,
                    "%s calls it %s (Docker-Content-Digest), but it is %s", answer->host, said_text,
                    actual_text);
}

gboolean
atm_blob_throw_document (GError **error, const GError *cause, const char *thing, guint64 max_bytes)
{
  if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    {
      g_propagate_error (error, g_error_copy (cause));
      return FALSE;
    }
  if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE))
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE,
                      "the %s is larger than %" G_GUINT64_FORMAT " bytes", thing, max_bytes);
  if (g_error_matches (cause, G_IO_ERROR, G_IO_ERROR_PARTIAL_INPUT))
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE,
                      "the connection ended in the middle of the %s", thing);
  return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_UNREACHABLE, "reading the %s: %s",
                    thing, cause->message);
}

/* ---- what an answer announces ---- */

/* Strong, and harmless in a header and in a file (RFC 9110, 8.8.3). */
static char *
dup_etag (const AtmHttpAnswer *answer)
{
  const char *etag = soup_message_headers_get_one (answer->headers, "ETag");
  gsize length = etag != NULL ? strlen (etag) : 0;

  if (length < 2 || length > ATM_ETAG_MAX_BYTES || etag[0] != '"' || etag[length - 1] != '"')
    return NULL;
  for (gsize i = 1; i < length - 1; i++)
    if (etag[i] <= ' ' || etag[i] == '"' || etag[i] > '~')
      return NULL;
  return g_strdup (etag);
}

static gboolean
is_right_length (const AtmHttpAnswer *answer, guint64 length)
{
  return soup_message_headers_get_encoding (answer->headers) != SOUP_ENCODING_CONTENT_LENGTH
         || (guint64) soup_message_headers_get_content_length (answer->headers) == length;
}

/* Whether a part is the one that was asked for. */
static gboolean
is_right_part (const AtmHttpAnswer *answer, guint64 start_bytes, guint64 size_bytes)
{
  return answer->status == 206
         && atm_content_range_is_rest (
             soup_message_headers_get_list (answer->headers, "Content-Range"), start_bytes,
             size_bytes)
         && is_right_length (answer, size_bytes - start_bytes);
}

static gboolean
check_whole (const AtmHttpAnswer *answer, const AtmDescriptor *descriptor, GError **error)
{
  g_autofree char *digest = NULL;

  if (is_right_length (answer, descriptor->size_bytes))
    return atm_blob_check_digest_header (answer, &descriptor->digest, error);
  digest = atm_digest_to_string (&descriptor->digest);
  return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE,
                    "%s announces %" G_GOFFSET_FORMAT
                    " bytes for the blob %s, but the manifest says %" G_GUINT64_FORMAT,
                    answer->host, soup_message_headers_get_content_length (answer->headers), digest,
                    descriptor->size_bytes);
}

/* ---- asking ---- */

/* Who is asked for a blob: an endpoint, or an address in an image. */
typedef struct
{
  AtmEndpoint *endpoint; /* (borrowed) (nullable): NULL: @uri */
  AtmHttp *http;         /* (borrowed) */
  GUri *uri;             /* (borrowed) (nullable) */
  const char *rest;      /* (borrowed) (nullable): of the path at @endpoint */
} Whom;

static gboolean
ask (const Whom *whom, const AtmHttpRequest *request, const char *thing, AtmHttpAnswer *answer_out,
     GCancellable *cancellable, GError **error)
{
  g_auto (AtmHttpAnswer) answer = { 0 };
  g_autoptr (GError) local = NULL;
  g_autoptr (GBytes) body = NULL;

  if (whom->endpoint != NULL)
    return atm_endpoint_get (whom->endpoint, whom->http, whom->rest, request, thing, answer_out,
                             cancellable, error);
  if (!atm_http_send (whom->http, whom->uri, request, &answer, cancellable, &local))
    {
      if (local->domain != ATM_HTTP_ERROR)
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
      return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_UNREACHABLE, "%s",
                        local->message);
    }
  if (answer.status != 200
      && !(request->start_bytes > 0 && (answer.status == 206 || answer.status == 416)))
    {
      body = atm_http_read_refusal (whom->http, &answer, cancellable);
      return atm_refusal_throw (error, answer.status, body, answer.host, NULL, thing);
    }
  *answer_out = answer;
  answer = (AtmHttpAnswer){ 0 };
  return TRUE;
}

static gboolean
request_from (const Whom *whom, const AtmDescriptor *descriptor, gboolean no_cache,
              AtmBlobPart *part, AtmHttpAnswer *answer_out, GCancellable *cancellable,
              GError **error)
{
  g_autofree char *digest = atm_digest_to_string (&descriptor->digest);
  g_autofree char *thing = g_strconcat ("blob ", digest, NULL);
  guint64 start_bytes = part->start_bytes < descriptor->size_bytes ? part->start_bytes : 0;

  for (;;)
    {
      const AtmHttpRequest request = { .elsewhere = whom->endpoint == NULL,
                                       .no_cache = no_cache,
                                       .start_bytes = start_bytes,
                                       .etag = part->etag,
                                       .etag_host = part->endpoint };
      g_auto (AtmHttpAnswer) answer = { 0 };

      if (!ask (whom, &request, thing, &answer, cancellable, error))
        return FALSE;
      if (answer.status == 200)
        {
          if (!check_whole (&answer, descriptor, error))
            return FALSE;
          start_bytes = 0;
        }
      else if (!is_right_part (&answer, start_bytes, descriptor->size_bytes))
        {
          /* Another part, or none: from the beginning, then, where 200 is the only answer. */
          start_bytes = 0;
          continue;
        }
      atm_blob_part_clear (part);
      part->start_bytes = start_bytes;
      part->etag = dup_etag (&answer);
      part->endpoint = part->etag != NULL ? g_strdup (answer.host) : NULL;
      *answer_out = answer;
      answer = (AtmHttpAnswer){ 0 };
      return TRUE;
    }
}

gboolean
atm_blob_request (AtmEndpoint *endpoint, AtmHttp *http, const AtmDescriptor *descriptor,
                  gboolean no_cache, AtmBlobPart *part, GInputStream **stream_out,
                  GCancellable *cancellable, GError **error)
{
  g_autofree char *digest = atm_digest_to_string (&descriptor->digest);
  g_autofree char *rest = g_strconcat ("blobs/", digest, NULL);
  const Whom whom = { endpoint, http, NULL, rest };
  g_auto (AtmHttpAnswer) answer = { 0 };

  if (!request_from (&whom, descriptor, no_cache, part, &answer, cancellable, error))
    return FALSE;
  *stream_out = g_steal_pointer (&answer.body);
  return TRUE;
}

gboolean
atm_blob_request_url (AtmHttp *http, const char *url, const AtmDescriptor *descriptor,
                      AtmBlobPart *part, GInputStream **stream_out, GCancellable *cancellable,
                      GError **error)
{
  g_autoptr (GUri) uri = g_uri_parse (url, SOUP_HTTP_URI_FLAGS, NULL);
  const Whom whom = { NULL, http, uri, NULL };
  g_auto (AtmHttpAnswer) answer = { 0 };
  g_autofree char *shown = NULL;

  if (uri == NULL || g_uri_get_host (uri) == NULL || *g_uri_get_host (uri) == '\0'
      || g_uri_get_userinfo (uri) != NULL)
    {
      shown = atm_text_escape (url);
      return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL,
                        "“%s” is no address that may be asked for a layer", shown);
    }
  if (!request_from (&whom, descriptor, FALSE, part, &answer, cancellable, error))
    return FALSE;
  *stream_out = g_steal_pointer (&answer.body);
  return TRUE;
}

gboolean
atm_blob_fetch_small (AtmEndpoint *endpoint, AtmHttp *http, const AtmDescriptor *descriptor,
                      GBytes **bytes_out, GCancellable *cancellable, GError **error)
{
  g_autofree char *digest = atm_digest_to_string (&descriptor->digest);
  g_autofree char *rest = g_strconcat ("blobs/", digest, NULL);
  g_autofree char *thing = g_strconcat ("blob ", digest, NULL);
  g_autofree char *what = g_strconcat ("The ", thing, NULL);
  const Whom whom = { endpoint, http, NULL, rest };

  /* What is whole and wrong was damaged by somebody on the way, perhaps: once more, past caches. */
  for (guint tries = 0;; tries++)
    {
      g_auto (AtmBlobPart) part = { 0 };
      g_auto (AtmHttpAnswer) answer = { 0 };
      g_autoptr (GBytes) bytes = NULL;
      g_autoptr (GError) local = NULL;

      if (!request_from (&whom, descriptor, tries > 0, &part, &answer, cancellable, error))
        return FALSE;
      if (!atm_http_read_document (http, &answer, descriptor->size_bytes, &bytes, cancellable,
                                   &local))
        {
          if (tries > 0 || g_error_matches (local, G_IO_ERROR, G_IO_ERROR_CANCELLED))
            return atm_blob_throw_document (error, local, thing, descriptor->size_bytes);
          continue;
        }
      if (g_bytes_get_size (bytes) != descriptor->size_bytes)
        (void) atm_throw (&local, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_SIZE,
                          "%s ended after %" G_GSIZE_FORMAT " of %" G_GUINT64_FORMAT " bytes", what,
                          g_bytes_get_size (bytes), descriptor->size_bytes);
      else if (atm_digest_check (&descriptor->digest, bytes, what, &local))
        {
          *bytes_out = g_steal_pointer (&bytes);
          return TRUE;
        }
      if (tries > 0)
        {
          g_propagate_error (error, g_steal_pointer (&local));
          return FALSE;
        }
    }
}
