/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/inflate.h"

#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "store/store.h"
#include "util/error.h"

#define INPUT_BYTES (256 * 1024)
#define OUTPUT_BYTES (256 * 1024)

/* Enough for all magic bytes below, “ustar” at 257 included. */
#define MAGIC_BYTES 512

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
  GInputStream *blob; /* (borrowed) */
  AtmStoreLimits limits;
  AtmHashType algorithm;
  AtmHash *hash; /* (owned) (nullable): given away by finish */
  Format format;
  State state;
  z_stream zlib;
  gboolean zlib_ready;
  ZSTD_DStream *zstd; /* (owned) (nullable) */
  guint8 *input;      /* (owned) */
  guint8 *output;     /* (owned) */
  gsize input_at;
  gsize input_end;
  gboolean input_ended;
  gboolean output_full; /* the decoder may have more to give without more input */
  guint64 bytes_in;
  guint64 bytes_out;
};

AtmInflate *
atm_inflate_new (GInputStream *blob, AtmHashType algorithm, const AtmStoreLimits *limits)
{
  AtmInflate *self = g_new0 (AtmInflate, 1);

  self->blob = blob;
  self->limits = *limits;
  self->algorithm = algorithm;
  self->hash = atm_hash_new (algorithm);
  self->state = STATE_BETWEEN;
  self->input = g_malloc (INPUT_BYTES);
  self->output = g_malloc (OUTPUT_BYTES);
  return self;
}

void
atm_inflate_free (AtmInflate *self)
{
  if (self == NULL)
    return;
  if (self->zlib_ready)
    inflateEnd (&self->zlib);
  ZSTD_freeDStream (self->zstd);
  atm_hash_free (self->hash);
  g_free (self->input);
  g_free (self->output);
  g_free (self);
}

static gboolean
fill (AtmInflate *self, gsize minimum, GCancellable *cancellable, GError **error)
{
  if (self->input_at == self->input_end)
    self->input_at = self->input_end = 0;
  while (!self->input_ended && self->input_end - self->input_at < minimum)
    {
      gssize n = g_input_stream_read (self->blob, self->input + self->input_end,
                                      INPUT_BYTES - self->input_end, cancellable, error);

      if (n < 0)
        return FALSE;
      self->input_ended = n == 0;
      self->input_end += (gsize) n;
      self->bytes_in += (guint64) n;
    }
  return TRUE;
}

static gboolean
starts_with (AtmInflate *self, gsize offset, gconstpointer magic, gsize length)
{
  return self->input_end - self->input_at >= offset + length
         && memcmp (self->input + self->input_at + offset, magic, length) == 0;
}

static gboolean
is_zstd (AtmInflate *self)
{
  /* A frame, or a skippable one before it: 0x184D2A50 to 0x184D2A5F, little-endian (RFC 8878). */
  return starts_with (self, 0, "\x28\xb5\x2f\xfd", 4)
         || (starts_with (self, 1, "\x2a\x4d\x18", 3)
             && (self->input[self->input_at] & 0xf0) == 0x50);
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
      /* 15: the largest window; 16: gzip only, so that zlib checks CRC and length. */
      if (inflateInit2 (&self->zlib, 15 + 16) != Z_OK)
        return atm_throw (error, G_IO_ERROR, G_IO_ERROR_FAILED, "zlib cannot be set up");
      self->zlib_ready = TRUE;
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
throw_truncated (AtmInflate *self, GError **error)
{
  return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                    "The compressed layer ends in the middle, after %" G_GUINT64_FORMAT
                    " uncompressed bytes",
                    self->bytes_out);
}

/* Consumes zero bytes; anything else after them is refused, as the Go tools do. */
static gboolean
skip_padding (AtmInflate *self, GError **error)
{
  while (self->input_at < self->input_end)
    if (self->input[self->input_at++] != 0)
      return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                        "The gzip layer is followed by bytes that are neither gzip nor zero");
  return TRUE;
}

static gboolean
step_gzip (AtmInflate *self, gsize *length_out, GError **error)
{
  int result;

  /* No member begins with a zero byte. */
  if (self->state == STATE_BETWEEN && self->input[self->input_at] == 0)
    self->state = STATE_PADDING;
  if (self->state == STATE_PADDING)
    {
      *length_out = 0;
      return skip_padding (self, error);
    }
  if (self->state == STATE_BETWEEN && inflateReset (&self->zlib) != Z_OK)
    return atm_throw (error, G_IO_ERROR, G_IO_ERROR_FAILED, "zlib cannot be reset");

  self->state = STATE_INSIDE;
  self->zlib.next_in = self->input + self->input_at;
  self->zlib.avail_in = (uInt) (self->input_end - self->input_at);
  self->zlib.next_out = self->output;
  self->zlib.avail_out = OUTPUT_BYTES;
  result = inflate (&self->zlib, Z_NO_FLUSH);
  /* Z_BUF_ERROR: nothing to do without more input, which is no error here. */
  if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                      "The gzip layer is damaged after %" G_GUINT64_FORMAT
                      " uncompressed bytes: %s",
                      self->bytes_out, self->zlib.msg != NULL ? self->zlib.msg : "no reason given");
  if (result == Z_STREAM_END)
    self->state = STATE_BETWEEN;
  self->input_at = self->input_end - self->zlib.avail_in;
  self->output_full = self->zlib.avail_out == 0 && result != Z_STREAM_END;
  *length_out = OUTPUT_BYTES - self->zlib.avail_out;
  return TRUE;
}

static gboolean
step_zstd (AtmInflate *self, gsize *length_out, GError **error)
{
  ZSTD_inBuffer in = { self->input, self->input_end, self->input_at };
  ZSTD_outBuffer out = { self->output, OUTPUT_BYTES, 0 };
  size_t result = ZSTD_decompressStream (self->zstd, &out, &in);

  if (ZSTD_isError (result))
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                      "The zstd layer is damaged after %" G_GUINT64_FORMAT
                      " uncompressed bytes: %s",
                      self->bytes_out, ZSTD_getErrorName (result));
  /* 0: a frame, skippable ones too, has ended and all of it was given out. */
  self->state = result == 0 ? STATE_BETWEEN : STATE_INSIDE;
  self->input_at = in.pos;
  self->output_full = out.pos == out.size && result != 0;
  *length_out = out.pos;
  return TRUE;
}

static void
step_plain (AtmInflate *self, gsize *length_out)
{
  *length_out = MIN (self->input_end - self->input_at, OUTPUT_BYTES);
  memcpy (self->output, self->input + self->input_at, *length_out);
  self->input_at += *length_out;
}

gboolean
atm_inflate_check_ratio (AtmInflate *self, guint64 expanded_bytes, GError **error)
{
  if (expanded_bytes > self->limits.layer_max_bytes)
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                      "The layer unpacks to more than %" G_GUINT64_FORMAT " bytes",
                      self->limits.layer_max_bytes);
  if (expanded_bytes > self->limits.ratio_from_bytes
      && expanded_bytes / self->limits.ratio_max > self->bytes_in)
    return atm_throw (error, ATM_STORE_ERROR, ATM_STORE_ERROR_LAYER,
                      "The layer unpacks to more than %" G_GUINT64_FORMAT
                      " times its size, which no honest layer does",
                      self->limits.ratio_max);
  return TRUE;
}

gboolean
atm_inflate_read (AtmInflate *self, const guint8 **data_out, gsize *length_out,
                  GCancellable *cancellable, GError **error)
{
  gsize length = 0;

  if (self->format == FORMAT_UNKNOWN
      && (!fill (self, MAGIC_BYTES, cancellable, error) || !detect (self, error)))
    return FALSE;

  while (length == 0)
    {
      if (!self->output_full && !fill (self, 1, cancellable, error))
        return FALSE;
      if (!self->output_full && self->input_at == self->input_end)
        {
          if (self->state == STATE_INSIDE)
            return throw_truncated (self, error);
          break;
        }
      self->output_full = FALSE;
      if (self->format == FORMAT_PLAIN)
        step_plain (self, &length);
      else if (!(self->format == FORMAT_GZIP ? step_gzip (self, &length, error)
                                             : step_zstd (self, &length, error)))
        return FALSE;
    }

  atm_hash_update (self->hash, self->output, length);
  self->bytes_out += length;
  if (!atm_inflate_check_ratio (self, self->bytes_out, error))
    return FALSE;
  *data_out = self->output;
  *length_out = length;
  return TRUE;
}

guint64
atm_inflate_get_size (AtmInflate *self)
{
  return self->bytes_out;
}

void
atm_inflate_finish (AtmInflate *self, AtmDigest *digest_out)
{
  atm_digest_take_hash (self->algorithm, g_steal_pointer (&self->hash), digest_out);
}
