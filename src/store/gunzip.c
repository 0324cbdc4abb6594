/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "store/gunzip.h"

#include <zlib.h>

#ifdef HAVE_ISAL
#include <isa-l/igzip_lib.h>
#endif

struct _AtmGunzip
{
  gboolean inside; /* a member has begun */
  z_stream zlib;
  gboolean zlib_ready;
#ifdef HAVE_ISAL
  struct inflate_state *igzip; /* (owned) (nullable): tens of KiB */
#endif
};

gboolean
atm_gunzip_has_igzip (void)
{
#ifdef HAVE_ISAL
  return TRUE;
#else
  return FALSE;
#endif
}

#ifdef HAVE_ISAL

static const char *
igzip_reason (int result)
{
  switch (result)
    {
    case ISAL_INVALID_BLOCK:
      return "invalid block";
    case ISAL_INVALID_SYMBOL:
      return "invalid symbol";
    case ISAL_INVALID_LOOKBACK:
      return "invalid distance";
    case ISAL_INVALID_WRAPPER:
      return "incorrect header";
    case ISAL_UNSUPPORTED_METHOD:
      return "unknown compression method";
    case ISAL_INCORRECT_CHECKSUM:
      return "incorrect checksum or length";
    default:
      return "no reason given";
    }
}

static const char *
step_igzip (AtmGunzip *gunzip, AtmGunzipStep *step, gboolean *ended_out)
{
  struct inflate_state *igzip = gunzip->igzip;
  int result;

  if (!gunzip->inside)
    {
      isal_inflate_reset (igzip);
      /* Header and trailer are read and checked, too; a reset forgets it. */
      igzip->crc_flag = ISAL_GZIP;
    }
  igzip->next_in = (uint8_t *) step->in;
  igzip->avail_in = (uint32_t) MIN (step->in_bytes, G_MAXUINT32);
  igzip->next_out = step->out;
  igzip->avail_out = (uint32_t) MIN (step->out_bytes, G_MAXUINT32);
  result = isal_inflate (igzip);
  if (result != ISAL_DECOMP_OK && result != ISAL_END_INPUT)
    return igzip_reason (result);

  step->in_bytes -= (gsize) (igzip->next_in - step->in);
  step->in = igzip->next_in;
  step->out_bytes -= (gsize) (igzip->next_out - step->out);
  step->out = igzip->next_out;
  *ended_out = igzip->block_state == ISAL_BLOCK_FINISH;
  return NULL;
}

#endif

static const char *
step_zlib (AtmGunzip *gunzip, AtmGunzipStep *step, gboolean *ended_out)
{
  z_stream *zlib = &gunzip->zlib;
  int result;

  if (!gunzip->inside && inflateReset (zlib) != Z_OK)
    return "zlib cannot be reset";
  zlib->next_in = (Bytef *) step->in;
  zlib->avail_in = (uInt) MIN (step->in_bytes, G_MAXUINT);
  zlib->next_out = step->out;
  zlib->avail_out = (uInt) MIN (step->out_bytes, G_MAXUINT);
  result = inflate (zlib, Z_NO_FLUSH);
  /* Z_BUF_ERROR: nothing to do without more input, which is no error here. */
  if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR)
    return zlib->msg != NULL ? zlib->msg : "no reason given";

  step->in_bytes -= (gsize) (zlib->next_in - step->in);
  step->in = zlib->next_in;
  step->out_bytes -= (gsize) (zlib->next_out - step->out);
  step->out = zlib->next_out;
  *ended_out = result == Z_STREAM_END;
  return NULL;
}

AtmGunzip *
atm_gunzip_new (AtmGunzipKind kind)
{
  g_autoptr (AtmGunzip) gunzip = g_new0 (AtmGunzip, 1);

  g_return_val_if_fail (kind != ATM_GUNZIP_IGZIP || atm_gunzip_has_igzip (), NULL);
#ifdef HAVE_ISAL
  if (kind != ATM_GUNZIP_ZLIB)
    {
      gunzip->igzip = g_new (struct inflate_state, 1);
      isal_inflate_init (gunzip->igzip);
      return g_steal_pointer (&gunzip);
    }
#endif
  /* 15: the largest window; 16: gzip only, so that zlib checks CRC and length. */
  if (inflateInit2 (&gunzip->zlib, 15 + 16) != Z_OK)
    return NULL;
  gunzip->zlib_ready = TRUE;
  return g_steal_pointer (&gunzip);
}

void
atm_gunzip_free (AtmGunzip *gunzip)
{
  if (gunzip == NULL)
    return;
  if (gunzip->zlib_ready)
    inflateEnd (&gunzip->zlib);
#ifdef HAVE_ISAL
  g_free (gunzip->igzip);
#endif
  g_free (gunzip);
}

const char *
atm_gunzip_step (AtmGunzip *gunzip, AtmGunzipStep *step, gboolean *ended_out)
{
  const char *reason;
  gboolean ended = FALSE;

#ifdef HAVE_ISAL
  if (gunzip->igzip != NULL)
    reason = step_igzip (gunzip, step, &ended);
  else
#endif
    reason = step_zlib (gunzip, step, &ended);
  if (reason != NULL)
    return reason;
  gunzip->inside = !ended;
  *ended_out = ended;
  return NULL;
}
