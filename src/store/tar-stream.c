/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/tar-stream.h"

#include "store/store.h"
#include "util/error.h"

void
atm_tar_stream_init (AtmTarStream *stream, const AtmTarEnds *ends)
{
  stream->ends = ends;
  stream->before = g_ptr_array_new_with_free_func ((GDestroyNotify) atm_block_unref);
  stream->headers = g_byte_array_new ();
}

void
atm_tar_stream_clear (AtmTarStream *stream)
{
  g_clear_error (&stream->error);
  g_clear_pointer (&stream->block, atm_block_unref);
  g_clear_pointer (&stream->before, g_ptr_array_unref);
  g_clear_pointer (&stream->headers, g_byte_array_unref);
}

static la_ssize_t
read_callback (struct archive *archive, void *user_data, const void **buffer_out)
{
  AtmTarStream *stream = user_data;
  AtmBlock *block = NULL;

  if (stream->in_header && stream->header_bytes > ATM_TAR_HEADER_MAX_BYTES)
    (void) atm_throw (&stream->error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                      "The archive has an entry whose headers are larger than %d bytes",
                      ATM_TAR_HEADER_MAX_BYTES);
  else if (stream->ends->next (stream->ends->user_data, &block, &stream->error))
    {
      if (block == NULL)
        return 0;
      if (stream->in_header && stream->block != NULL)
        g_ptr_array_add (stream->before, g_steal_pointer (&stream->block));
      g_clear_pointer (&stream->block, atm_block_unref);
      stream->block = block;
      stream->header_bytes += block->length_bytes;
      stream->stream_bytes += block->length_bytes;
      *buffer_out = block->data;
      return (la_ssize_t) block->length_bytes;
    }
  archive_set_error (archive, EIO, "%s", stream->error->message);
  return -1;
}

int
atm_tar_stream_open (AtmTarStream *stream, struct archive *archive)
{
  return archive_read_open (archive, stream, NULL, read_callback, NULL);
}

int
atm_tar_stream_next_header (AtmTarStream *stream, struct archive *archive,
                            struct archive_entry **entry_out)
{
  int result;

  stream->in_header = TRUE;
  stream->header_bytes = 0;
  g_ptr_array_set_size (stream->before, 0);
  result = archive_read_next_header (archive, entry_out);
  stream->in_header = FALSE;
  return result;
}

void
atm_tar_stream_find_headers (AtmTarStream *stream, struct archive *archive,
                             const guint8 **headers_out, gsize *length_out)
{
  const guint64 from = (guint64) archive_read_header_position (archive);
  const guint64 to = (guint64) archive_filter_bytes (archive, 0);
  guint64 at = stream->stream_bytes;

  *length_out = 0;
  if (stream->block == NULL || from > to || to > at)
    return;
  at -= stream->block->length_bytes;
  *length_out = (gsize) (to - from);
  if (from >= at)
    {
      *headers_out = stream->block->data + (from - at);
      return;
    }

  for (guint i = 0; i < stream->before->len; i++)
    at -= ((AtmBlock *) stream->before->pdata[i])->length_bytes;
  g_byte_array_set_size (stream->headers, 0);
  for (guint i = 0; i <= stream->before->len; i++)
    {
      const AtmBlock *block = i < stream->before->len ? stream->before->pdata[i] : stream->block;
      const guint64 begin = MAX (from, at), end = MIN (to, at + block->length_bytes);

      if (begin < end)
        g_byte_array_append (stream->headers, block->data + (begin - at), (guint) (end - begin));
      at += block->length_bytes;
    }
  *headers_out = stream->headers->data;
  *length_out = stream->headers->len;
}

guint64
atm_tar_stream_get_blob_bytes (AtmTarStream *stream)
{
  return stream->block != NULL ? stream->block->blob_bytes : 0;
}
