/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/inflate.h"

#include <string.h>
#include <zstd.h>

#include "store/store.h"
#include "util/error.h"

typedef enum
{
  FORMAT_UNKNOWN,
  FORMAT_PLAIN,
  FORMAT_GZIP,
  FORMAT_ZSTD
} Format;

typedef enum
{
  STATE_INSIDE,  /* a member or frame has begun */
  STATE_BETWEEN, /* another one may begin */
  STATE_PADDING  /* gzip: zero bytes after the last member */
} State;

struct _AtmInflate
{
  AtmBlockSource source;
  gpointer source_data; /* (borrowed) */
  AtmStoreLimits limits;
  Format format;
  State state;
  AtmGunzipKind gunzip_kind;
  AtmGunzip *gunzip;    /* (owned) (nullable) */
  ZSTD_DStream *zstd;   /* (owned) (nullable) */
  AtmBlock *input;      /* (owned) (nullable) */
  gsize input_at;       /* in @input */
  gboolean input_ended; /* the source has no more */
  gboolean has_more;    /* the decoder may have more to give without more input */
  guint64 bytes_in;
  guint64 bytes_out;
};

AtmInflate *
atm_inflate_new (AtmBlockSource source, gpointer source_data, const AtmStoreLimits *limits,
                 AtmGunzipKind gunzip)
{
  AtmInflate *self = g_new0 (AtmInflate, 1);

  self->source = source;
  self->source_data = source_data;
  self->limits = *limits;
  self->gunzip_kind = gunzip;
  self->state = STATE_BETWEEN;
  return self;
}

void
atm_inflate_free (AtmInflate *self)
{
  if (self == NULL)
    return;
  atm_gunzip_free (self->gunzip);
  ZSTD_freeDStream (self->zstd);
  g_clear_pointer (&self->input, atm_block_unref);
  g_free (self);
}

static gsize
input_left (AtmInflate *self)
{
  return self->input != NULL ? self->input->length_bytes - self->input_at : 0;
}

/* Makes sure that there is input, unless there is no more. */
static gboolean
fill (AtmInflate *self, GError **error)
{
  if (self->input_ended || input_left (self) > 0)
    return TRUE;
  g_clear_pointer (&self->input, atm_block_unref);
  self->input_at = 0;
  if (!self->source (self->source_data, &self->input, error))
    return FALSE;
  self->input_ended = self->input == NULL;
  self->bytes_in += input_left (self);
  return TRUE;
}

static gboolean
starts_with (AtmInflate *self, gsize offset, gconstpointer magic, gsize length)
{
  return input_left (self) >= offset + length
         && memcmp (self->input->data + offset, magic, length) == 0;
}

static gboolean
is_zstd (AtmInflate *self)
{
  /* A frame, or a skippable one before it: 0x184D2A50 to 0x184D2A5F, little-endian (RFC 8878). */
  return starts_with (self, 0, "\x28\xb5\x2f\xfd", 4)
         || (starts_with (self, 1, "\x2a\x4d\x18", 3) && (self->input->data[0] & 0xf0) == 0x50);
}

/* Media types lie; the bytes do not (registry.md 4.5). */
static gboolean
detect (AtmInflate *self, GError **error)
{
  const struct
  {
    gsize offset;
    const char *magic;
    gsize length;
    const char *name;
  } unsupported[] = {
    { 4, "1AY&SY", 6, "bzip2" }, /* after “BZh” and the level */
    { 0, "\xfd\x37zXZ\0", 6, "xz" },
    { 0, "\x04\x22\x4d\x18", 4, "lz4" },
  };

  if (starts_with (self, 257, "ustar", 5))
    self->format = FORMAT_PLAIN;
  else if (starts_with (self, 0, "\x1f\x8b", 2))
    self->format = FORMAT_GZIP;
  else if (is_zstd (self))
    self->format = FORMAT_ZSTD;
  else
    {
      for (guint i = 0; i < G_N_ELEMENTS (unsupported); i++)
        if (starts_with (self, unsupported[i].offset, unsupported[i].magic, unsupported[i].length))
          return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_UNSUPPORTED,
                            "The layer is compressed with %s, which is not supported; push the "
                            "image again with gzip or zstd layers",
                            unsupported[i].name);
      self->format = FORMAT_PLAIN;
    }

  if (self->format == FORMAT_GZIP)
    {
      self->gunzip = atm_gunzip_new (self->gunzip_kind);
      if (self->gunzip == NULL)
        return atm_throw (error, G_IO_ERROR, G_IO_ERROR_FAILED, "zlib cannot be set up");
    }
  if (self->format == FORMAT_ZSTD)
    {
      self->zstd = ZSTD_createDStream ();
      if (self->zstd == NULL
          || ZSTD_isError (
              ZSTD_DCtx_setParameter (self->zstd, ZSTD_d_windowLogMax, ATM_ZSTD_WINDOW_LOG_MAX)))
        return atm_throw (error, G_IO_ERROR, G_IO_ERROR_FAILED, "libzstd cannot be set up");
    }
  return TRUE;
}

static gboolean
throw_damaged (AtmInflate *self, const char *format, const char *reason, GError **error)
{
  return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                    "The %s layer is damaged after %" G_GUINT64_FORMAT " uncompressed bytes: %s",
                    format, self->bytes_out, reason);
}

/* Consumes zero bytes; anything else after them is refused, as the Go tools do. */
static gboolean
skip_padding (AtmInflate *self, GError **error)
{
  while (input_left (self) > 0)
    if (self->input->data[self->input_at++] != 0)
      return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                        "The gzip layer is followed by bytes that are neither gzip nor zero");
  return TRUE;
}

static gboolean
step_gzip (AtmInflate *self, AtmBlock *block, gsize room, GError **error)
{
  AtmGunzipStep step = { .in_bytes = input_left (self),
                         .out = block->data + block->length_bytes,
                         .out_bytes = room };
  const char *reason;
  gboolean ended = FALSE;

  /* No member begins with a zero byte. */
  if (self->state == STATE_BETWEEN && self->input->data[self->input_at] == 0)
    self->state = STATE_PADDING;
  if (self->state == STATE_PADDING)
    return skip_padding (self, error);

  if (step.in_bytes > 0)
    step.in = self->input->data + self->input_at;
  reason = atm_gunzip_step (self->gunzip, &step, &ended);
  if (reason != NULL)
    return throw_damaged (self, "gzip", reason, error);
  self->state = ended ? STATE_BETWEEN : STATE_INSIDE;
  self->input_at += input_left (self) - step.in_bytes;
  self->has_more = step.out_bytes == 0 && !ended;
  block->length_bytes += room - step.out_bytes;
  return TRUE;
}

static gboolean
step_zstd (AtmInflate *self, AtmBlock *block, gsize room, GError **error)
{
  ZSTD_inBuffer in = { self->input != NULL ? self->input->data : NULL,
                       self->input != NULL ? self->input->length_bytes : 0, self->input_at };
  ZSTD_outBuffer out = { block->data + block->length_bytes, room, 0 };
  size_t result = ZSTD_decompressStream (self->zstd, &out, &in);

  if (ZSTD_isError (result))
    return throw_damaged (self, "zstd", ZSTD_getErrorName (result), error);
  /* 0: a frame, skippable ones too, has ended and all of it was given out. */
  self->state = result == 0 ? STATE_BETWEEN : STATE_INSIDE;
  self->input_at = in.pos;
  self->has_more = out.pos == out.size && result != 0;
  block->length_bytes += out.pos;
  return TRUE;
}

static gboolean
step (AtmInflate *self, AtmBlock *block, gsize room, GError **error)
{
  const gsize n = MIN (input_left (self), room);

  switch (self->format)
    {
    case FORMAT_GZIP:
      return step_gzip (self, block, room, error);
    case FORMAT_ZSTD:
      return step_zstd (self, block, room, error);
    case FORMAT_PLAIN:
    case FORMAT_UNKNOWN:
    default:
      memcpy (block->data + block->length_bytes, self->input->data + self->input_at, n);
      block->length_bytes += n;
      self->input_at += n;
      return TRUE;
    }
}

gboolean
atm_inflate_check_ratio (const AtmStoreLimits *limits, guint64 expanded_bytes, guint64 blob_bytes,
                         GError **error)
{
  if (expanded_bytes > limits->layer_max_bytes)
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                      "The layer unpacks to more than %" G_GUINT64_FORMAT " bytes",
                      limits->layer_max_bytes);
  if (expanded_bytes > limits->ratio_from_bytes && expanded_bytes / limits->ratio_max > blob_bytes)
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                      "The layer unpacks to more than %" G_GUINT64_FORMAT
                      " times its size, which no honest layer does",
                      limits->ratio_max);
  return TRUE;
}

gboolean
atm_inflate_read (AtmInflate *self, AtmBlock *block, GError **error)
{
  const gsize block_bytes = atm_block_pool_get_block_bytes (block->pool);

  while (block->length_bytes < block_bytes)
    {
      const gsize filled = block->length_bytes;
      const gboolean had_more = self->has_more;
      gsize left = 0;

      if (!had_more && !fill (self, error))
        return FALSE;
      if (self->format == FORMAT_UNKNOWN && !detect (self, error))
        return FALSE;
      left = input_left (self);
      if (!had_more && left == 0)
        {
          if (self->state == STATE_INSIDE)
            return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                              "The compressed layer ends in the middle, after %" G_GUINT64_FORMAT
                              " uncompressed bytes",
                              self->bytes_out);
          break;
        }

      self->has_more = FALSE;
      if (!step (self, block, block_bytes - filled, error))
        return FALSE;
      self->bytes_out += block->length_bytes - filled;
      /* No library is known to do this; without an end it would be forever. */
      if (!had_more && left == input_left (self) && filled == block->length_bytes)
        return throw_damaged (self, "compressed", "it cannot be read on", error);
    }

  block->blob_bytes = self->bytes_in;
  return atm_inflate_check_ratio (&self->limits, self->bytes_out, self->bytes_in, error);
}
