/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "registry/client.h"

#include <string.h>

#include "registry/blob.h"
#include "registry/endpoint.h"
#include "util/error.h"
#include "util/text.h"

#define LOCAL_NAMESPACE "library/"

/* How a blob comes on. */
typedef struct
{
  guint64 start_bytes; /* where it was last asked for */
  guint fruitless;     /* how often it was asked for again without having come further */
} Progress;

/* One image, for all threads. */
typedef struct
{
  gatomicrefcount references;
  AtmRegistryContext *context; /* (owned) */
  char *what;                  /* (owned): the canonical logical name, for messages */
  AtmImageName *logical;       /* (owned) */
  GPtrArray *endpoints;        /* (owned) (element-type AtmEndpoint): the primary is the last */

  GMutex lock;          /* of all below */
  guint chosen;         /* which endpoint has delivered the manifest */
  GHashTable *progress; /* (owned) (element-type utf8 Progress): by digest */
} Image;

#define ATM_TYPE_REGISTRY (atm_registry_get_type ())
G_DECLARE_FINAL_TYPE (AtmRegistry, atm_registry, ATM, REGISTRY, GObject)

/* One image, for one thread. */
struct _AtmRegistry
{
  GObject parent;

  Image *image;      /* (owned) */
  GPtrArray *https;  /* (owned) (element-type AtmHttp) (nullable elements): as the endpoints */
  AtmHttp *anywhere; /* (owned) (nullable): for addresses that images name */
};

static void registry_source_init (AtmSourceInterface *iface);

G_DEFINE_TYPE_WITH_CODE (AtmRegistry, atm_registry, G_TYPE_OBJECT,
                         G_IMPLEMENT_INTERFACE (ATM_TYPE_SOURCE, registry_source_init))

/* OCI first; schema 1 is not offered: a registry might convert to it, and the digest would be
   another one than the one that was signed (registry.md 4.2). */
static const char *const manifest_types[]
    = { ATM_TYPE_OCI_MANIFEST, ATM_TYPE_OCI_INDEX, ATM_TYPE_DOCKER_MANIFEST, ATM_TYPE_DOCKER_LIST,
        NULL };

static Image *
image_ref (Image *image)
{
  g_atomic_ref_count_inc (&image->references);
  return image;
}

static void
image_unref (Image *image)
{
  if (image == NULL || !g_atomic_ref_count_dec (&image->references))
    return;
  g_clear_pointer (&image->endpoints, g_ptr_array_unref);
  g_clear_pointer (&image->context, atm_registry_context_unref);
  g_free (image->what);
  atm_name_free (image->logical);
  g_hash_table_unref (image->progress);
  g_mutex_clear (&image->lock);
  g_free (image);
}

/* ---- one endpoint after the other ---- */

static gboolean
get_http (AtmRegistry *self, guint index, AtmHttp **http_out, GError **error)
{
  AtmEndpoint *endpoint = self->image->endpoints->pdata[index];

  if (self->https->pdata[index] == NULL)
    {
      AtmHttp *http = NULL;

      if (!atm_endpoint_new_http (endpoint, &http, error))
        return FALSE;
      self->https->pdata[index] = http;
    }
  *http_out = self->https->pdata[index];
  return TRUE;
}

static guint
get_chosen (Image *image)
{
  guint chosen = 0;

  g_mutex_lock (&image->lock);
  chosen = image->chosen;
  g_mutex_unlock (&image->lock);
  return chosen;
}

static void
choose (Image *image, guint index)
{
  g_mutex_lock (&image->lock);
  image->chosen = index;
  g_mutex_unlock (&image->lock);
}

/* The @n-th endpoint to be asked, when @first is the first one: the others follow in the order of
   the configuration. */
static guint
get_nth (guint first, guint n)
{
  if (n == 0)
    return first;
  return n <= first ? n - 1 : n;
}

/* What became of the endpoints so far: the last error is of the primary, whose word counts. */
typedef struct
{
  GPtrArray *errors; /* (owned) (element-type GError) */
  GError *primary;   /* (borrowed) (nullable) */
} Failures;

static void
failures_clear (Failures *failures)
{
  g_clear_pointer (&failures->errors, g_ptr_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Failures, failures_clear)

static void
add_failure (Image *image, Failures *failures, guint index, GError *error)
{
  if (failures->errors == NULL)
    failures->errors = g_ptr_array_new_with_free_func ((GDestroyNotify) g_error_free);
  g_ptr_array_add (failures->errors, error);
  if (!atm_endpoint_is_mirror (image->endpoints->pdata[index]))
    failures->primary = error;
}

/* Says what each endpoint has said, the primary last. */
static gboolean
throw_failures (Image *image, const Failures *failures, GError **error)
{
  g_autoptr (GString) text = g_string_new (NULL);
  const GError *last = failures->primary != NULL
                           ? failures->primary
                           : failures->errors->pdata[failures->errors->len - 1];

  for (guint i = 0; i < failures->errors->len; i++)
    {
      const GError *each = failures->errors->pdata[i];

      if (each != last)
        g_string_append_printf (text, "%s; ", each->message);
    }
  g_string_append (text, last->message);
  return atm_throw (error, last->domain, last->code, "%s: %s", image->what, text->str);
}

/* A mirror need not have everything, but one that is broken is worth a word. */
static void
warn_of_mirrors (Image *image, const Failures *failures)
{
  for (guint i = 0; failures->errors != NULL && i < failures->errors->len; i++)
    {
      const GError *each = failures->errors->pdata[i];

      if (each != failures->primary
          && !g_error_matches (each, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_NOT_FOUND))
        atm_registry_context_warn (image->context, "%s: a mirror failed (%s), going on without it",
                                   image->what, each->message);
    }
}

/* ---- manifests ---- */

static gboolean
get_manifest_once (AtmRegistry *self, guint index, const AtmDigest *digest, gboolean no_cache,
                   GBytes **bytes_out, char **content_type_out, gboolean *again_out,
                   GCancellable *cancellable, GError **error)
{
  AtmEndpoint *endpoint = self->image->endpoints->pdata[index];
  g_autofree char *reference = digest != NULL ? atm_digest_to_string (digest)
                                              : g_strdup (atm_endpoint_get_name (endpoint)->tag);
  g_autofree char *rest = g_strconcat ("manifests/", reference, NULL);
  const AtmHttpRequest request = { .accept = manifest_types, .no_cache = no_cache };
  AtmHttp *http = NULL;
  g_auto (AtmHttpAnswer) answer = { 0 };
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) local = NULL;
  AtmDigest actual;

  *again_out = FALSE;
  if (!get_http (self, index, &http, error)
      || !atm_endpoint_get (endpoint, http, rest, &request, "image", &answer, cancellable, error))
    return FALSE;
  if (!atm_http_read_document (http, &answer, ATM_MANIFEST_MAX_BYTES, &bytes, cancellable, &local))
    {
      *again_out = !g_error_matches (local, G_IO_ERROR, G_IO_ERROR_CANCELLED)
                   && !g_error_matches (local, G_IO_ERROR, G_IO_ERROR_MESSAGE_TOO_LARGE);
      return atm_blob_throw_document (error, local, "manifest", ATM_MANIFEST_MAX_BYTES);
    }
  *again_out = TRUE;
  atm_digest_of (digest != NULL ? digest->algorithm : ATM_HASH_SHA256, bytes, &actual);
  if (digest != NULL && !atm_digest_check (digest, bytes, "the manifest", error))
    return atm_prefix_error (error, "%s", answer.host);
  if (!atm_blob_check_digest_header (&answer, &actual, error))
    return FALSE;

  *bytes_out = g_steal_pointer (&bytes);
  *content_type_out = g_strdup (soup_message_headers_get_one (answer.headers, "Content-Type"));
  return TRUE;
}

/* What is whole and wrong was damaged by somebody on the way, perhaps: once more, past caches. */
static gboolean
get_manifest_from (AtmRegistry *self, guint index, const AtmDigest *digest, GBytes **bytes_out,
                   char **content_type_out, GCancellable *cancellable, GError **error)
{
  const AtmImageName *name = atm_endpoint_get_name (self->image->endpoints->pdata[index]);
  g_autoptr (GError) first = NULL;
  gboolean again = FALSE;

  if (digest == NULL && name->has_digest)
    digest = &name->digest;
  if (get_manifest_once (self, index, digest, FALSE, bytes_out, content_type_out, &again,
                         cancellable, &first))
    return TRUE;
  if (again)
    return get_manifest_once (self, index, digest, TRUE, bytes_out, content_type_out, &again,
                              cancellable, error);
  g_propagate_error (error, g_steal_pointer (&first));
  return FALSE;
}

/* A user who forgot the repository gets an image of Docker Hub with the name of a host. */
static gboolean
hint_at_host (Image *image, GError **error)
{
  const char *path = image->logical->path;

  if (error == NULL || !g_error_matches (*error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_NOT_FOUND)
      || image->logical->domain_typed || !g_str_has_prefix (path, LOCAL_NAMESPACE))
    return FALSE;
  path += strlen (LOCAL_NAMESPACE);
  if (g_str_equal (path, "localhost") || strchr (path, '.') != NULL)
    {
      g_autofree char *message
          = g_strdup_printf ("%s; if “%s” is a registry, name an image in it: %s/IMAGE",
                             (*error)->message, path, image->logical->familiar);

      g_free ((*error)->message);
      (*error)->message = g_steal_pointer (&message);
    }
  return FALSE;
}

static gboolean
registry_get_manifest (AtmSource *source, const AtmDigest *digest, GBytes **bytes_out,
                       char **content_type_out, GCancellable *cancellable, GError **error)
{
  AtmRegistry *self = ATM_REGISTRY (source);
  Image *image = self->image;
  const guint first = get_chosen (image);
  g_auto (Failures) failures = { 0 };

  for (guint n = 0; n < image->endpoints->len; n++)
    {
      const guint index = get_nth (first, n);
      GError *local = NULL;

      if (get_manifest_from (self, index, digest, bytes_out, content_type_out, cancellable, &local))
        {
          warn_of_mirrors (image, &failures);
          choose (image, index);
          return TRUE;
        }
      add_failure (image, &failures, index, local);
      if (g_cancellable_is_cancelled (cancellable))
        break;
    }
  (void) throw_failures (image, &failures, error);
  return hint_at_host (image, error);
}

/* ---- signatures ---- */

/* Of whoever has served the manifest: another one may keep other signatures, under another name. */
static gboolean
registry_get_signatures (AtmSource *source, const AtmDigest *digest,
                         AtmSourceSignatures *signatures_out, GCancellable *cancellable,
                         GError **error)
{
  AtmRegistry *self = ATM_REGISTRY (source);
  const guint index = get_chosen (self->image);
  AtmEndpoint *endpoint = self->image->endpoints->pdata[index];
  g_auto (AtmSourceSignatures) signatures = { 0 };
  AtmHttp *http = NULL;

  signatures.name = atm_name_copy (atm_endpoint_get_name (endpoint));
  if (atm_endpoint_keeps_signatures (endpoint)
      && (!get_http (self, index, &http, error)
          || !atm_endpoint_get_signatures (endpoint, http, digest, &signatures.url,
                                           &signatures.document, cancellable, error)))
    return FALSE;
  *signatures_out = signatures;
  signatures = (AtmSourceSignatures){ 0 };
  return TRUE;
}

/* ---- blobs ---- */

/* How often the blob has come to nothing, this time not counted. */
static guint
note_progress (Image *image, const char *digest, guint64 start_bytes)
{
  Progress *progress = NULL;
  guint fruitless = 0;

  g_mutex_lock (&image->lock);
  progress = g_hash_table_lookup (image->progress, digest);
  if (progress == NULL)
    {
      progress = g_new0 (Progress, 1);
      g_hash_table_insert (image->progress, g_strdup (digest), progress);
    }
  else
    progress->fruitless = start_bytes > progress->start_bytes ? 0 : progress->fruitless + 1;
  progress->start_bytes = start_bytes;
  fruitless = progress->fruitless;
  g_mutex_unlock (&image->lock);
  return fruitless;
}

/* The stream needs the session, and may live longer than the caller's reference to us. */
static void
keep_alive (AtmRegistry *self, GInputStream *stream)
{
  g_object_set_data_full (G_OBJECT (stream), "atm-registry", g_object_ref (self), g_object_unref);
}

/* A layer that its publisher may not put into registries (registry.md 4.5). */
static gboolean
request_urls (AtmRegistry *self, const AtmDescriptor *descriptor, AtmBlobPart *part,
              Failures *failures, GInputStream **stream_out, GCancellable *cancellable)
{
  if (self->anywhere == NULL)
    self->anywhere = atm_http_new (self->image->context, FALSE, NULL);
  for (guint i = 0; descriptor->urls[i] != NULL; i++)
    {
      GError *local = NULL;

      if (atm_blob_request_url (self->anywhere, descriptor->urls[i], descriptor, part, stream_out,
                                cancellable, &local))
        return TRUE;
      g_ptr_array_add (failures->errors, local);
    }
  return FALSE;
}

static gboolean
registry_resume_blob (AtmSource *source, const AtmDescriptor *descriptor, AtmBlobPart *part,
                      GInputStream **stream_out, GCancellable *cancellable, GError **error)
{
  AtmRegistry *self = ATM_REGISTRY (source);
  Image *image = self->image;
  g_autofree char *digest = atm_digest_to_string (&descriptor->digest);
  const guint n_endpoints = image->endpoints->len;
  const guint first = get_chosen (image);
  g_auto (Failures) failures = { 0 };
  guint fruitless = 0, skipped = 0;

  /* There is nothing left to ask for. */
  if (part->start_bytes > 0 && part->start_bytes == descriptor->size_bytes)
    {
      *stream_out = g_memory_input_stream_new ();
      return TRUE;
    }
  fruitless = note_progress (image, digest, part->start_bytes);
  /* Whoever has cut it off or sent the wrong bytes may do so again: the next one, and past caches.
   */
  skipped = fruitless % n_endpoints;
  for (guint n = 0; n < n_endpoints; n++)
    {
      const guint index = get_nth (first, (skipped + n) % n_endpoints);
      AtmHttp *http = NULL;
      GError *local = NULL;

      if (get_http (self, index, &http, &local)
          && atm_blob_request (image->endpoints->pdata[index], http, descriptor, fruitless > 0,
                               part, stream_out, cancellable, &local))
        {
          keep_alive (self, *stream_out);
          return TRUE;
        }
      add_failure (image, &failures, index, local);
      if (g_cancellable_is_cancelled (cancellable))
        return throw_failures (image, &failures, error);
    }
  if (descriptor->urls != NULL
      && request_urls (self, descriptor, part, &failures, stream_out, cancellable))
    {
      keep_alive (self, *stream_out);
      return TRUE;
    }
  return throw_failures (image, &failures, error);
}

/* A small blob, as the configuration is: whole or not at all, from whoever has it right. */
static gboolean
registry_open_blob (AtmSource *source, const AtmDescriptor *descriptor, GInputStream **stream_out,
                    GCancellable *cancellable, GError **error)
{
  AtmRegistry *self = ATM_REGISTRY (source);
  Image *image = self->image;
  const guint first = get_chosen (image);
  g_auto (Failures) failures = { 0 };
  g_auto (AtmBlobPart) part = { 0 };

  if (descriptor->size_bytes > ATM_CONFIG_MAX_BYTES || descriptor->urls != NULL)
    return registry_resume_blob (source, descriptor, &part, stream_out, cancellable, error);
  for (guint n = 0; n < image->endpoints->len; n++)
    {
      const guint index = get_nth (first, n);
      AtmHttp *http = NULL;
      GError *local = NULL;
      g_autoptr (GBytes) bytes = NULL;

      if (get_http (self, index, &http, &local)
          && atm_blob_fetch_small (image->endpoints->pdata[index], http, descriptor, &bytes,
                                   cancellable, &local))
        {
          *stream_out = g_memory_input_stream_new_from_bytes (bytes);
          return TRUE;
        }
      add_failure (image, &failures, index, local);
      if (g_cancellable_is_cancelled (cancellable))
        break;
    }
  return throw_failures (image, &failures, error);
}

/* ---- the object ---- */

/* (transfer full) */
static AtmRegistry *
registry_new (Image *image)
{
  AtmRegistry *self = g_object_new (ATM_TYPE_REGISTRY, NULL);

  self->image = image_ref (image);
  self->https = g_ptr_array_new_full (image->endpoints->len, (GDestroyNotify) atm_http_free);
  g_ptr_array_set_size (self->https, (int) image->endpoints->len);
  return self;
}

static AtmSource *
registry_new_sibling (AtmSource *source)
{
  return ATM_SOURCE (registry_new (ATM_REGISTRY (source)->image));
}

static void
registry_source_init (AtmSourceInterface *iface)
{
  iface->get_manifest = registry_get_manifest;
  iface->open_blob = registry_open_blob;
  iface->resume_blob = registry_resume_blob;
  iface->new_sibling = registry_new_sibling;
  iface->get_signatures = registry_get_signatures;
}

static void
registry_finalize (GObject *object)
{
  AtmRegistry *self = ATM_REGISTRY (object);

  g_clear_pointer (&self->https, g_ptr_array_unref);
  atm_http_free (self->anywhere);
  image_unref (self->image);
  G_OBJECT_CLASS (atm_registry_parent_class)->finalize (object);
}

static void
atm_registry_class_init (AtmRegistryClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = registry_finalize;
}

static void
atm_registry_init (AtmRegistry *self)
{
  (void) self;
}

gboolean
atm_registry_open (const AtmOrigin *origin, const AtmRegistriesConf *conf, GProxyResolver *proxies,
                   const AtmRegistryOptions *options, AtmSource **source_out, GError **error)
{
  const AtmRegistryOptions no_options = { 0 };
  const AtmRegistryOptions *given = options != NULL ? options : &no_options;
  g_autofree char *what = atm_origin_to_string (origin);
  g_autoptr (GPtrArray) places = NULL;
  Image *image = NULL;

  g_return_val_if_fail (origin->transport == ATM_TRANSPORT_DOCKER, FALSE);
  if (!atm_registries_conf_look_up (conf, origin->name, &places, error))
    return atm_prefix_error (error, "%s", what);
  if (origin->scheme == ATM_SCHEME_HTTP && given->tls_verify == ATM_TLS_VERIFY)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                      "%s: “http:” and “--tls-verify” contradict each other; leave one out", what);

  image = g_new0 (Image, 1);
  g_atomic_ref_count_init (&image->references);
  image->context = atm_registry_context_new (proxies, given);
  image->what = g_steal_pointer (&what);
  image->logical = atm_name_copy (origin->name);
  image->endpoints = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_endpoint_free);
  image->progress = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  g_mutex_init (&image->lock);
  for (guint i = 0; i < places->len; i++)
    {
      const AtmRegistryEndpoint *place = places->pdata[i];

      /* “http:” and “https:” are said of the place that the user named. */
      g_ptr_array_add (image->endpoints,
                       atm_endpoint_new (image->context, image->logical, place,
                                         place->is_mirror ? ATM_SCHEME_CONFIGURED : origin->scheme,
                                         given->tls_verify));
    }
  *source_out = ATM_SOURCE (registry_new (image));
  image_unref (image);
  return TRUE;
}
