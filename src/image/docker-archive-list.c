/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* “manifest.json” of Docker archives: which images there are. */
#include "image/docker-archive.h"

#include <stddef.h>

#include "util/error.h"
#include "util/json.h"
#include "util/text.h"

#define NAMES_SHOWN_MAX 32

void
atm_docker_archive_image_free (AtmDockerArchiveImage *image)
{
  if (image == NULL)
    return;
  g_free (image->config);
  g_strfreev (image->tags);
  g_strfreev (image->layers);
  g_free (image);
}

static gboolean
read_image (JsonNode *node, guint index, AtmDockerArchiveImage **image_out, GError **error)
{
  static const AtmJsonField table[] = {
    { "Config", ATM_JSON_STRING, offsetof (AtmDockerArchiveImage, config), ATM_JSON_MANDATORY },
    { "RepoTags", ATM_JSON_STRING_ARRAY, offsetof (AtmDockerArchiveImage, tags),
      ATM_JSON_NULLABLE },
    { "Layers", ATM_JSON_STRING_ARRAY, offsetof (AtmDockerArchiveImage, layers),
      ATM_JSON_NULLABLE },
  };
  g_autoptr (AtmDockerArchiveImage) image = g_new0 (AtmDockerArchiveImage, 1);
  g_autofree char *where = g_strdup_printf ("[%u]", index);

  if (!JSON_NODE_HOLDS_OBJECT (node))
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL, "“%s” is no object",
                      where);
  if (!atm_descriptor_check_members (json_node_get_object (node), where, error)
      || !atm_json_read (json_node_get_object (node), table, G_N_ELEMENTS (table),
                         ATM_JSON_ALLOW_UNKNOWN, where, image, error))
    return FALSE;
  *image_out = g_steal_pointer (&image);
  return TRUE;
}

static gboolean
read_list (GBytes *bytes, GPtrArray **images_out, GError **error)
{
  g_autoptr (JsonNode) node = NULL;
  g_autoptr (GPtrArray) images
      = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_docker_archive_image_free);
  JsonArray *list = NULL;

  if (!atm_json_parse (bytes, &node, error))
    return FALSE;
  if (!JSON_NODE_HOLDS_ARRAY (node))
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL, "it is no list");
  list = json_node_get_array (node);
  if (json_array_get_length (list) > ATM_DOCKER_ARCHIVE_IMAGES_MAX)
    return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_PROTOCOL,
                      "it lists more than %d images", ATM_DOCKER_ARCHIVE_IMAGES_MAX);
  for (guint i = 0; i < json_array_get_length (list); i++)
    {
      AtmDockerArchiveImage *image = NULL;

      if (!read_image (json_array_get_element (list, i), i, &image, error))
        return FALSE;
      g_ptr_array_add (images, image);
    }
  *images_out = g_steal_pointer (&images);
  return TRUE;
}

static gboolean
throw_choice (GError **error, GPtrArray *images, const char *why)
{
  g_autoptr (GString) names = g_string_new (NULL);

  for (guint i = 0; i < MIN (images->len, NAMES_SHOWN_MAX); i++)
    {
      const AtmDockerArchiveImage *image = images->pdata[i];
      g_autofree char *shown = atm_text_escape (image->tags != NULL ? image->tags[0] : NULL);

      g_string_append_printf (names, "%s@%u", i > 0 ? ", " : "", i);
      if (*shown != '\0')
        g_string_append_printf (names, " (%s)", shown);
    }
  if (images->len > NAMES_SHOWN_MAX)
    g_string_append (names, ", …");
  return atm_throw (error, ATM_SOURCE_ERROR, ATM_SOURCE_ERROR_NOT_FOUND,
                    "%s; the archive holds: %s", why, images->len > 0 ? names->str : "nothing");
}

static gboolean
has_tag (const AtmDockerArchiveImage *image, const char *canonical)
{
  for (guint i = 0; image->tags != NULL && image->tags[i] != NULL; i++)
    {
      g_autoptr (AtmImageName) name = NULL;
      g_autofree char *text = NULL;

      if (!atm_name_parse (image->tags[i], TRUE, &name, NULL))
        continue;
      text = atm_name_to_string (name);
      if (g_str_equal (text, canonical))
        return TRUE;
    }
  return FALSE;
}

static gboolean
find_image (GPtrArray *images, const char *which, guint *index_out, GError **error)
{
  g_autofree char *shown = atm_text_escape (which), *canonical = NULL, *why = NULL;
  g_autoptr (AtmImageName) name = NULL;
  guint64 number = 0;
  guint found = 0;

  if (which == NULL)
    {
      if (images->len == 1)
        {
          *index_out = 0;
          return TRUE;
        }
      why = g_strdup_printf ("There are %u images; say which one by “:REFERENCE” or “:@INDEX”",
                             images->len);
      return throw_choice (error, images, why);
    }
  if (which[0] == '@')
    {
      if (g_ascii_string_to_unsigned (which + 1, 10, 0, G_MAXUINT, &number, NULL)
          && number < images->len)
        {
          *index_out = (guint) number;
          return TRUE;
        }
      why = g_strdup_printf ("There is no image number “%s”", shown + 1);
      return throw_choice (error, images, why);
    }

  if (!atm_name_parse (which, TRUE, &name, error))
    return FALSE;
  canonical = atm_name_to_string (name);
  for (guint i = 0; i < images->len; i++)
    if (has_tag (images->pdata[i], canonical))
      {
        *index_out = i;
        found++;
      }
  if (found == 1)
    return TRUE;
  why = g_strdup_printf (found == 0 ? "There is no image “%s”"
                                    : "There is more than one image “%s”; choose by “:@INDEX”",
                         shown);
  return throw_choice (error, images, why);
}

gboolean
atm_docker_archive_choose (GBytes *bytes, const char *which, AtmDockerArchiveImage **image_out,
                           GError **error)
{
  g_autoptr (GPtrArray) images = NULL;
  guint index = 0;

  if (!read_list (bytes, &images, error))
    return atm_prefix_error (error, "manifest.json");
  if (!find_image (images, which, &index, error))
    return FALSE;
  *image_out = g_ptr_array_steal_index (images, index);
  return TRUE;
}
