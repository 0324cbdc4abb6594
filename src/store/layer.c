/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/layer.h"

#include <string.h>

#include "store/path.h"
#include "store/store.h"
#include "util/error.h"
#include "util/fd.h"
#include "util/sha256.h"

/* The stored form: this line, then for each entry its kind (a letter), path and NUL; for links
   target and NUL; for folders, files and symlinks the 32 bytes of the checksum. */
#define HEADER "atomic layer entries 1\n"
#define KINDS "dflhwos"

AtmLayer *
atm_layer_new (void)
{
  AtmLayer *layer = g_new0 (AtmLayer, 1);

  layer->entries = g_array_new (FALSE, TRUE, sizeof (AtmEntry));
  layer->strings = g_string_chunk_new (64 * 1024);
  g_mutex_init (&layer->lock);
  return layer;
}

void
atm_layer_free (AtmLayer *layer)
{
  if (layer == NULL)
    return;
  g_array_unref (layer->entries);
  g_string_chunk_free (layer->strings);
  g_mutex_clear (&layer->lock);
  g_free (layer);
}

static gboolean
has_target (AtmEntryKind kind)
{
  return kind == ATM_ENTRY_SYMLINK || kind == ATM_ENTRY_HARDLINK;
}

static gboolean
has_checksum (AtmEntryKind kind)
{
  return kind == ATM_ENTRY_FOLDER || kind == ATM_ENTRY_FILE || kind == ATM_ENTRY_SYMLINK;
}

gboolean
atm_layer_add (AtmLayer *layer, const AtmStoreLimits *limits, AtmEntryKind kind, const char *path,
               const char *target, const guint8 *checksum, GError **error)
{
  AtmEntry entry = { .kind = kind };
  const gsize bytes = strlen (path) + 1 + (target != NULL ? strlen (target) + 1 : 0);

  if (layer->entries->len >= limits->entries_max)
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                      "The layer has more than %" G_GUINT64_FORMAT " entries", limits->entries_max);
  if (bytes > limits->names_max_bytes - layer->strings_bytes)
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                      "The paths of the layer together are longer than %" G_GSIZE_FORMAT " bytes",
                      limits->names_max_bytes);

  layer->strings_bytes += bytes;
  entry.path = g_string_chunk_insert (layer->strings, path);
  if (target != NULL)
    entry.target = g_string_chunk_insert (layer->strings, target);
  if (checksum != NULL)
    memcpy (entry.checksum, checksum, ATM_CHECKSUM_BYTES);
  g_mutex_lock (&layer->lock);
  g_array_append_val (layer->entries, entry);
  g_mutex_unlock (&layer->lock);
  return TRUE;
}

void
atm_layer_set_checksum (AtmLayer *layer, guint index, const guint8 *checksum)
{
  g_mutex_lock (&layer->lock);
  memcpy (g_array_index (layer->entries, AtmEntry, index).checksum, checksum, ATM_CHECKSUM_BYTES);
  g_mutex_unlock (&layer->lock);
}

gboolean
atm_layer_write (const AtmLayer *layer, AtmObjects *objects, guint8 *checksum_out,
                 char **digest_out, GCancellable *cancellable, GError **error)
{
  const AtmInode inode = { .mode = 0644 };
  g_autoptr (AtmHash) hash = atm_hash_new (ATM_HASH_SHA256);
  g_autoptr (GString) text = g_string_new (HEADER);
  g_autoptr (AtmObjectFile) file = atm_object_file_new (objects, &inode);

  for (guint i = 0; i < layer->entries->len; i++)
    {
      const AtmEntry *entry = &g_array_index (layer->entries, AtmEntry, i);

      g_string_append_c (text, (char) entry->kind);
      g_string_append_len (text, entry->path, (gssize) strlen (entry->path) + 1);
      if (has_target (entry->kind))
        g_string_append_len (text, entry->target, (gssize) strlen (entry->target) + 1);
      if (has_checksum (entry->kind))
        g_string_append_len (text, (const char *) entry->checksum, ATM_CHECKSUM_BYTES);
      if (text->len < 64 * 1024)
        continue;
      atm_hash_update (hash, text->str, text->len);
      if (!atm_object_file_append (file, text->str, text->len, error))
        return FALSE;
      g_string_truncate (text, 0);
    }
  atm_hash_update (hash, text->str, text->len);
  if (!atm_object_file_append (file, text->str, text->len, error)
      || !atm_object_file_finish (file, checksum_out, cancellable, error))
    return FALSE;

  *digest_out = atm_hash_finish (hash);
  return TRUE;
}

static gboolean
throw_damaged (GError **error)
{
  return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                    "The list of entries of a stored layer is damaged");
}

/* Takes a string with its NUL from the front of what is left. */
static gboolean
take_string (const char **at, const char *end, const char **text_out)
{
  const char *nul = memchr (*at, '\0', (gsize) (end - *at));

  if (nul == NULL)
    return FALSE;
  *text_out = *at;
  *at = nul + 1;
  return TRUE;
}

static gboolean
parse (const char *at, const char *end, AtmLayer *layer, const AtmStoreLimits *limits,
       GError **error)
{
  if ((gsize) (end - at) < strlen (HEADER) || memcmp (at, HEADER, strlen (HEADER)) != 0)
    return throw_damaged (error);
  at += strlen (HEADER);

  while (at < end)
    {
      const AtmEntryKind kind = (AtmEntryKind) *at++;
      const char *path = NULL, *target = NULL;
      const guint8 *checksum = NULL;
      g_autofree char *clean = NULL;

      if (memchr (KINDS, (int) kind, strlen (KINDS)) == NULL || !take_string (&at, end, &path)
          || (has_target (kind) && !take_string (&at, end, &target)))
        return throw_damaged (error);
      if (has_checksum (kind))
        {
          if (end - at < ATM_CHECKSUM_BYTES)
            return throw_damaged (error);
          checksum = (const guint8 *) at;
          at += ATM_CHECKSUM_BYTES;
        }
      if (!atm_path_clean (path, &clean, error)
          || !atm_layer_add (layer, limits, kind, clean, target, checksum, error))
        return FALSE;
    }
  return TRUE;
}

gboolean
atm_layer_read (GInputStream *stream, const char *digest, const AtmStoreLimits *limits,
                AtmLayer **layer_out, GCancellable *cancellable, GError **error)
{
  /* A kind and a checksum for each entry, beside its names. */
  const guint64 max_bytes
      = strlen (HEADER) + limits->names_max_bytes + limits->entries_max * (1 + ATM_CHECKSUM_BYTES);
  g_autoptr (AtmLayer) layer = atm_layer_new ();
  g_autoptr (GBytes) bytes = NULL;
  g_autofree char *actual = NULL;
  gsize length = 0;
  const char *data = NULL;

  if (!atm_read_stream (stream, max_bytes, &bytes, cancellable, error))
    return FALSE;
  actual = atm_sha256_hex (bytes);
  if (!g_str_equal (actual, digest))
    return throw_damaged (error);
  data = g_bytes_get_data (bytes, &length);
  if (!parse (data, data + length, layer, limits, error))
    return FALSE;

  *layer_out = g_steal_pointer (&layer);
  return TRUE;
}
