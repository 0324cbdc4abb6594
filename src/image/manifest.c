/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "image/manifest.h"

#include <string.h>

#include "util/error.h"
#include "util/json.h"
#include "util/text.h"

#define TYPE_DOCKER_SCHEMA1 "application/vnd.docker.distribution.manifest.v1+json"
#define TYPE_DOCKER_SIGNED_SCHEMA1 "application/vnd.docker.distribution.manifest.v1+prettyjws"
#define TYPE_OCI_ARTIFACT "application/vnd.oci.artifact.manifest.v1+json"
#define OCI_LAYER "application/vnd.oci.image.layer."
#define DOCKER_LAYER "application/vnd.docker.image.rootfs."
#define ENCRYPTED_SUFFIX "+encrypted"

G_DEFINE_QUARK (atm_manifest_error, atm_manifest_error)

typedef enum
{
  FORM_IMAGE,
  FORM_INDEX,
  FORM_SCHEMA1,
  FORM_ARTIFACT,
  FORM_UNKNOWN
} Form;

static const struct
{
  const char *type;
  Form form;
} known_types[] = {
  { ATM_TYPE_OCI_MANIFEST, FORM_IMAGE },    { ATM_TYPE_OCI_INDEX, FORM_INDEX },
  { ATM_TYPE_DOCKER_MANIFEST, FORM_IMAGE }, { ATM_TYPE_DOCKER_LIST, FORM_INDEX },
  { TYPE_DOCKER_SCHEMA1, FORM_SCHEMA1 },    { TYPE_DOCKER_SIGNED_SCHEMA1, FORM_SCHEMA1 },
  { TYPE_OCI_ARTIFACT, FORM_ARTIFACT },
};

static const char *const layer_types[] = {
  OCI_LAYER "v1.tar",
  OCI_LAYER "v1.tar+gzip",
  OCI_LAYER "v1.tar+zstd",
  OCI_LAYER "nondistributable.v1.tar",
  OCI_LAYER "nondistributable.v1.tar+gzip",
  OCI_LAYER "nondistributable.v1.tar+zstd",
  DOCKER_LAYER "diff.tar",
  DOCKER_LAYER "diff.tar.gzip",
  DOCKER_LAYER "diff.tar.zstd",
  DOCKER_LAYER "foreign.diff.tar",
  DOCKER_LAYER "foreign.diff.tar.gzip",
  NULL,
};

/* Members that the other kind of document has, in lower case (registry.md 4.3, rule 4). */
static const char *const foreign_to_image[] = { "manifests", "fslayers", "history", NULL };
static const char *const foreign_to_index[] = { "config", "layers", "fslayers", "history", NULL };

/* @type is in lower case and without parameters. */
static Form
form_of_type (const char *type)
{
  for (guint i = 0; i < G_N_ELEMENTS (known_types); i++)
    if (g_str_equal (known_types[i].type, type))
      return known_types[i].form;
  return FORM_UNKNOWN;
}

static char *
clean_type (const char *content_type)
{
  g_autofree char *type = content_type != NULL
                              ? g_strndup (content_type, strcspn (content_type, ";"))
                              : g_strdup ("");

  return g_ascii_strdown (g_strstrip (type), -1);
}

const char *
atm_manifest_type_of (const char *content_type)
{
  g_autofree char *type = clean_type (content_type);

  for (guint i = 0; i < G_N_ELEMENTS (known_types); i++)
    if (known_types[i].form <= FORM_INDEX && g_str_equal (known_types[i].type, type))
      return known_types[i].type;
  return NULL;
}

static gboolean
is_web_page (GBytes *bytes, const char *type)
{
  gsize length = 0;
  const char *text = g_bytes_get_data (bytes, &length);
  gsize i = 0;

  if (g_str_equal (type, "text/html") || g_str_equal (type, "application/xhtml+xml"))
    return TRUE;
  while (i < length && g_ascii_isspace (text[i]))
    i++;
  return i < length && text[i] == '<';
}

static Form
form_of_content (JsonObject *object)
{
  JsonNode *version = json_object_get_member (object, "schemaVersion");
  gboolean has_config = json_object_has_member (object, "config");
  gboolean has_layers = json_object_has_member (object, "layers");

  if (version == NULL || json_node_get_value_type (version) != G_TYPE_INT64)
    return FORM_UNKNOWN;
  if (json_node_get_int (version) == 1)
    return FORM_SCHEMA1;
  if (json_object_has_member (object, "manifests") && !has_config && !has_layers)
    return FORM_INDEX;
  return has_config && has_layers ? FORM_IMAGE : FORM_UNKNOWN;
}

typedef struct
{
  gint64 schema_version;
  char *media_type;     /* (owned) (nullable) */
  char *artifact_type;  /* (owned) (nullable) */
  JsonObject *config;   /* (owned) (nullable) */
  JsonArray *layers;    /* (owned) (nullable) */
  JsonArray *manifests; /* (owned) (nullable) */
} Document;

static void
document_clear (Document *document)
{
  g_free (document->media_type);
  g_free (document->artifact_type);
  g_clear_pointer (&document->config, json_object_unref);
  g_clear_pointer (&document->layers, json_array_unref);
  g_clear_pointer (&document->manifests, json_array_unref);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Document, document_clear)

static const AtmJsonField image_fields[] = {
  { "schemaVersion", ATM_JSON_INT, G_STRUCT_OFFSET (Document, schema_version), ATM_JSON_MANDATORY },
  { "mediaType", ATM_JSON_STRING, G_STRUCT_OFFSET (Document, media_type), ATM_JSON_OPTIONAL },
  { "artifactType", ATM_JSON_STRING, G_STRUCT_OFFSET (Document, artifact_type), ATM_JSON_OPTIONAL },
  { "config", ATM_JSON_OBJECT, G_STRUCT_OFFSET (Document, config), ATM_JSON_MANDATORY },
  { "layers", ATM_JSON_ARRAY, G_STRUCT_OFFSET (Document, layers), ATM_JSON_MANDATORY },
};

static const AtmJsonField index_fields[] = {
  { "schemaVersion", ATM_JSON_INT, G_STRUCT_OFFSET (Document, schema_version), ATM_JSON_MANDATORY },
  { "mediaType", ATM_JSON_STRING, G_STRUCT_OFFSET (Document, media_type), ATM_JSON_OPTIONAL },
  { "manifests", ATM_JSON_ARRAY, G_STRUCT_OFFSET (Document, manifests), ATM_JSON_MANDATORY },
};

/* Reads the top of a manifest or an index; one that could be read as the other is refused. */
static gboolean
read_document (JsonObject *object, Form form, Document *document, GError **error)
{
  const char *const *foreign = form == FORM_IMAGE ? foreign_to_image : foreign_to_index;
  JsonObjectIter iter;
  const char *name;

  json_object_iter_init (&iter, object);
  while (json_object_iter_next (&iter, &name, NULL))
    {
      g_autofree char *lower = g_ascii_strdown (name, -1);

      if (g_strv_contains (foreign, lower))
        return atm_throw (error, ATM_MANIFEST_ERROR, ATM_MANIFEST_ERROR_INVALID,
                          "It is ambiguous: %s with the member “%s”",
                          form == FORM_IMAGE ? "a manifest" : "an index", name);
    }
  if (!atm_descriptor_check_members (object, "", error))
    return FALSE;

  if (form == FORM_IMAGE ? !atm_json_read (object, image_fields, G_N_ELEMENTS (image_fields),
                                           ATM_JSON_ALLOW_UNKNOWN, "", document, error)
                         : !atm_json_read (object, index_fields, G_N_ELEMENTS (index_fields),
                                           ATM_JSON_ALLOW_UNKNOWN, "", document, error))
    return FALSE;
  if (document->schema_version != 2)
    return atm_throw (error, ATM_MANIFEST_ERROR, ATM_MANIFEST_ERROR_INVALID,
                      "“schemaVersion” is %" G_GINT64_FORMAT " and not 2",
                      document->schema_version);
  return TRUE;
}

/* The type of the config must be that of an image; else there is something else in the manifest. */
static gboolean
check_config_type (const Document *document, const char *what, GError **error)
{
  JsonNode *node = json_object_get_member (document->config, "mediaType");
  const char *type = NULL;
  g_autofree char *shown = NULL;

  if (node == NULL || json_node_get_value_type (node) != G_TYPE_STRING)
    return atm_throw (error, ATM_MANIFEST_ERROR, ATM_MANIFEST_ERROR_INVALID,
                      "%s: “config.mediaType” is missing or no string", what);
  type = json_node_get_string (node);
  if (g_str_equal (type, ATM_TYPE_OCI_CONFIG) || g_str_equal (type, ATM_TYPE_DOCKER_CONFIG))
    return TRUE;
  shown = atm_text_escape (document->artifact_type != NULL ? document->artifact_type : type);
  return atm_throw (error, ATM_MANIFEST_ERROR, ATM_MANIFEST_ERROR_UNSUPPORTED,
                    "%s is an OCI artifact of type %s, not a container image", what, shown);
}

static gboolean
check_size (GBytes *bytes, GError **error)
{
  if (g_bytes_get_size (bytes) > ATM_MANIFEST_MAX_BYTES)
    return atm_throw (error, ATM_MANIFEST_ERROR, ATM_MANIFEST_ERROR_INVALID,
                      "The manifest is larger than %d bytes", ATM_MANIFEST_MAX_BYTES);
  return TRUE;
}

/* What the server says and what the document says must not contradict each other; where neither
   says anything that is known, the content decides (registry.md 4.3). */
static gboolean
decide_form (JsonObject *object, const char *content_type, const char *what, Form *form_out,
             GError **error)
{
  JsonNode *node = json_object_get_member (object, "mediaType");
  const char *body_type = NULL;
  Form form = form_of_type (content_type);

  if (node != NULL && json_node_get_value_type (node) != G_TYPE_STRING)
    return atm_throw (error, ATM_MANIFEST_ERROR, ATM_MANIFEST_ERROR_INVALID,
                      "%s: “mediaType” is no string", what);
  body_type = node != NULL ? json_node_get_string (node) : NULL;
  if (form != FORM_UNKNOWN && body_type != NULL && !g_str_equal (content_type, body_type))
    {
      g_autofree char *shown = atm_text_escape (body_type);

      return atm_throw (error, ATM_MANIFEST_ERROR, ATM_MANIFEST_ERROR_INVALID,
                        "%s is served as %s but says that it is %s", what, content_type, shown);
    }
  if (form == FORM_UNKNOWN && body_type != NULL)
    form = form_of_type (body_type);
  *form_out = form != FORM_UNKNOWN ? form : form_of_content (object);
  return TRUE;
}

gboolean
atm_manifest_get_kind (GBytes *bytes, const char *content_type, const char *what,
                       AtmManifestKind *kind_out, GError **error)
{
  g_autofree char *type = clean_type (content_type);
  g_autoptr (JsonObject) object = NULL;
  g_auto (Document) document = { 0 };
  Form form = FORM_UNKNOWN;

  if (!check_size (bytes, error))
    return atm_prefix_error (error, "%s", what);
  if (is_web_page (bytes, type))
    return atm_throw (error, ATM_MANIFEST_ERROR, ATM_MANIFEST_ERROR_INVALID,
                      "%s: the server answered with a web page, not a manifest", what);
  if (!atm_json_parse_object (bytes, &object, error))
    return atm_prefix_error (error, "The manifest of %s", what);
  if (!decide_form (object, type, what, &form, error))
    return FALSE;

  switch (form)
    {
    case FORM_IMAGE:
    case FORM_INDEX:
      if (!read_document (object, form, &document, error))
        return atm_prefix_error (error, "The manifest of %s", what);
      if (form == FORM_IMAGE && !check_config_type (&document, what, error))
        return FALSE;
      *kind_out = form == FORM_IMAGE ? ATM_MANIFEST_KIND_IMAGE : ATM_MANIFEST_KIND_INDEX;
      return TRUE;
    case FORM_SCHEMA1:
      return atm_throw (error, ATM_MANIFEST_ERROR, ATM_MANIFEST_ERROR_UNSUPPORTED,
                        "%s uses the obsolete image format \"schema 1\", which is not supported; "
                        "push it again with a current tool",
                        what);
    case FORM_ARTIFACT:
      return atm_throw (error, ATM_MANIFEST_ERROR, ATM_MANIFEST_ERROR_UNSUPPORTED,
                        "%s is an OCI artifact of type %s, not a container image", what,
                        TYPE_OCI_ARTIFACT);
    case FORM_UNKNOWN:
      break;
    }
  return atm_throw (error, ATM_MANIFEST_ERROR, ATM_MANIFEST_ERROR_INVALID,
                    "%s: the answer is neither the manifest of an image nor an index", what);
}

static gboolean
check_layer_type (const AtmDescriptor *layer, guint number, GError **error)
{
  g_autofree char *shown = atm_text_escape (layer->media_type);

  if (layer->media_type != NULL && g_strv_contains (layer_types, layer->media_type))
    return TRUE;
  if (layer->media_type != NULL && g_str_has_suffix (layer->media_type, ENCRYPTED_SUFFIX))
    return atm_throw (error, ATM_MANIFEST_ERROR, ATM_MANIFEST_ERROR_UNSUPPORTED,
                      "Layer %u is encrypted (%s); encrypted layers are not supported", number,
                      shown);
  return atm_throw (error, ATM_MANIFEST_ERROR, ATM_MANIFEST_ERROR_UNSUPPORTED,
                    "Layer %u is of type “%s”, which is no layer of a container image", number,
                    shown);
}

gboolean
atm_manifest_parse (GBytes *bytes, AtmManifest **manifest_out, GError **error)
{
  g_autoptr (AtmManifest) manifest = g_new0 (AtmManifest, 1);
  g_autoptr (JsonObject) object = NULL;
  g_auto (Document) document = { 0 };
  g_autoptr (AtmDescriptor) config = NULL;
  guint n_layers = 0;

  manifest->layers = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_descriptor_free);
  if (!check_size (bytes, error) || !atm_json_parse_object (bytes, &object, error)
      || !read_document (object, FORM_IMAGE, &document, error)
      || !check_config_type (&document, "the image", error)
      || !atm_descriptor_read (document.config, "config", &config, error))
    return atm_prefix_error (error, "Invalid manifest");
  atm_descriptor_take_data (config, document.config);
  manifest->config = *config;
  g_clear_pointer (&config, g_free);

  n_layers = json_array_get_length (document.layers);
  if (n_layers > ATM_LAYERS_MAX)
    return atm_throw (error, ATM_MANIFEST_ERROR, ATM_MANIFEST_ERROR_INVALID,
                      "The manifest has %u layers, more than %d", n_layers, ATM_LAYERS_MAX);
  for (guint i = 0; i < n_layers; i++)
    {
      JsonNode *node = json_array_get_element (document.layers, i);
      g_autofree char *where = g_strdup_printf ("layers[%u]", i);
      g_autoptr (AtmDescriptor) layer = NULL;

      if (!JSON_NODE_HOLDS_OBJECT (node))
        return atm_throw (error, ATM_MANIFEST_ERROR, ATM_MANIFEST_ERROR_INVALID,
                          "Invalid manifest: “%s” is no object", where);
      if (!atm_descriptor_read (json_node_get_object (node), where, &layer, error)
          || !check_layer_type (layer, i, error))
        return atm_prefix_error (error, "Invalid manifest");
      g_ptr_array_add (manifest->layers, g_steal_pointer (&layer));
    }
  *manifest_out = g_steal_pointer (&manifest);
  return TRUE;
}

void
atm_manifest_free (AtmManifest *manifest)
{
  if (manifest == NULL)
    return;
  atm_descriptor_clear (&manifest->config);
  g_clear_pointer (&manifest->layers, g_ptr_array_unref);
  g_free (manifest);
}
