/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/tar-split.h"

#include <string.h>

#include "store/path.h"
#include "store/store.h"
#include "util/base64.h"
#include "util/error.h"
#include "util/json.h"

#define READ_BYTES (64 * 1024)

/* What a line is about. */
#define TYPE_FILE 1
#define TYPE_SEGMENT 2

struct _AtmTarSplit
{
  GInputStream parent;

  GInputStream *list;   /* (owned) */
  AtmTarSplitOpen open; /* with: */
  gpointer data;        /* (owned) */
  GDestroyNotify destroy;
  GByteArray *lines;     /* (owned): read from @list … */
  gsize taken;           /* … and taken from there so far */
  GInputStream *content; /* (owned) (nullable): the piece that is being read … */
  guint64 left;          /* … and how much of it is still to come */
};

G_DEFINE_TYPE (AtmTarSplit, atm_tar_split, G_TYPE_INPUT_STREAM)

/* One line; its check sum is left alone: the whole archive has a better one. */
typedef struct
{
  gint64 type;
  gint64 size_bytes;
  char *name;     /* (owned) (nullable) */
  char *name_raw; /* (owned) (nullable): instead, of names that are not UTF-8 */
  char *payload;  /* (owned) (nullable) */
} Line;

static void
line_clear (Line *line)
{
  g_free (line->name);
  g_free (line->name_raw);
  g_free (line->payload);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Line, line_clear)

static gboolean
throw_damaged (GError **error)
{
  return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                    "The list of headers that another program stored with the layer is damaged");
}

/* *@line_out is NULL at the end. */
static gboolean
take_line (AtmTarSplit *self, GBytes **line_out, GCancellable *cancellable, GError **error)
{
  gsize searched = self->taken;

  for (;;)
    {
      const guint8 *end = self->lines->len > searched ? memchr (self->lines->data + searched, '\n',
                                                                self->lines->len - searched)
                                                      : NULL;
      gssize n = 0;

      if (end != NULL)
        {
          const gsize length = (gsize) (end - self->lines->data) - self->taken;

          *line_out = g_bytes_new (self->lines->data + self->taken, length);
          self->taken += length + 1;
          return TRUE;
        }
      if (self->lines->len - self->taken > ATM_TAR_SPLIT_LINE_MAX_BYTES)
        return throw_damaged (error);
      g_byte_array_remove_range (self->lines, 0, (guint) self->taken);
      self->taken = 0;
      searched = self->lines->len;
      g_byte_array_set_size (self->lines, (guint) (searched + READ_BYTES));
      n = g_input_stream_read (self->list, self->lines->data + searched, READ_BYTES, cancellable,
                               error);
      g_byte_array_set_size (self->lines, (guint) (searched + (gsize) MAX (n, 0)));
      if (n < 0)
        return FALSE;
      if (n == 0)
        {
          *line_out = NULL;
          return searched == 0 || throw_damaged (error);
        }
    }
}

static gboolean
begin_segment (AtmTarSplit *self, const Line *line, GError **error)
{
  g_autoptr (GBytes) bytes = line->payload != NULL ? atm_base64_decode (line->payload) : NULL;

  if (bytes == NULL)
    return throw_damaged (error);
  self->left = g_bytes_get_size (bytes);
  self->content = g_memory_input_stream_new_from_bytes (bytes);
  return TRUE;
}

static gboolean
begin_file (AtmTarSplit *self, const Line *line, GCancellable *cancellable, GError **error)
{
  g_autofree char *path = NULL;

  if (line->size_bytes < 0 || (line->name == NULL && line->name_raw == NULL))
    return throw_damaged (error);
  if (line->size_bytes == 0)
    return TRUE;
  if (line->name == NULL)
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_UNSUPPORTED,
                      "A file of the layer has a name that is not valid UTF-8");
  self->left = (guint64) line->size_bytes;
  return atm_path_clean (line->name, &path, error)
         && self->open (self->data, path, &self->content, cancellable, error);
}

/* *@found_out is FALSE at the end of the list. */
static gboolean
begin_next (AtmTarSplit *self, gboolean *found_out, GCancellable *cancellable, GError **error)
{
  static const AtmJsonField fields[] = {
    { "type", ATM_JSON_INT, G_STRUCT_OFFSET (Line, type), ATM_JSON_MANDATORY },
    { "size", ATM_JSON_INT, G_STRUCT_OFFSET (Line, size_bytes), ATM_JSON_NULLABLE },
    { "name", ATM_JSON_STRING, G_STRUCT_OFFSET (Line, name), ATM_JSON_NULLABLE },
    { "name_raw", ATM_JSON_STRING, G_STRUCT_OFFSET (Line, name_raw), ATM_JSON_NULLABLE },
    { "payload", ATM_JSON_STRING, G_STRUCT_OFFSET (Line, payload), ATM_JSON_NULLABLE },
  };
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (JsonObject) object = NULL;
  g_auto (Line) line = { 0 };

  if (!take_line (self, &bytes, cancellable, error))
    return FALSE;
  *found_out = bytes != NULL;
  if (bytes == NULL)
    return TRUE;
  if (!atm_json_parse_object (bytes, &object, NULL)
      || !atm_json_read (object, fields, G_N_ELEMENTS (fields), ATM_JSON_ALLOW_UNKNOWN, "", &line,
                         NULL))
    return throw_damaged (error);
  if (line.type == TYPE_SEGMENT)
    return begin_segment (self, &line, error);
  return line.type == TYPE_FILE ? begin_file (self, &line, cancellable, error)
                                : throw_damaged (error);
}

static gssize
read_content (AtmTarSplit *self, void *buffer, gsize count, GCancellable *cancellable,
              GError **error)
{
  const gssize n
      = g_input_stream_read (self->content, buffer, MIN (count, self->left), cancellable, error);

  if (n == 0)
    (void) atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                      "A file of the stored layer is shorter than it was");
  self->left -= (guint64) MAX (n, 0);
  if (n > 0 && self->left == 0)
    g_clear_object (&self->content);
  return n > 0 ? n : -1;
}

static gssize
tar_split_read (GInputStream *stream, void *buffer, gsize count, GCancellable *cancellable,
                GError **error)
{
  AtmTarSplit *self = ATM_TAR_SPLIT (stream);
  gboolean found = TRUE;

  while (self->left == 0 && found)
    {
      g_clear_object (&self->content);
      if (!begin_next (self, &found, cancellable, error))
        return -1;
    }
  return found ? read_content (self, buffer, count, cancellable, error) : 0;
}

static void
tar_split_finalize (GObject *object)
{
  AtmTarSplit *self = ATM_TAR_SPLIT (object);

  g_clear_object (&self->list);
  g_clear_object (&self->content);
  g_byte_array_unref (self->lines);
  if (self->destroy != NULL)
    self->destroy (self->data);
  G_OBJECT_CLASS (atm_tar_split_parent_class)->finalize (object);
}

static void
atm_tar_split_class_init (AtmTarSplitClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = tar_split_finalize;
  G_INPUT_STREAM_CLASS (klass)->read_fn = tar_split_read;
}

static void
atm_tar_split_init (AtmTarSplit *self)
{
  self->lines = g_byte_array_new ();
}

GInputStream *
atm_tar_split_new (GInputStream *list, AtmTarSplitOpen open, gpointer data, GDestroyNotify destroy)
{
  AtmTarSplit *self = g_object_new (ATM_TYPE_TAR_SPLIT, NULL);

  self->list = g_object_ref (list);
  self->open = open;
  self->data = data;
  self->destroy = destroy;
  return G_INPUT_STREAM (self);
}
