/* SPDX-License-Identifier: LGPL-2.1-or-later */
#pragma once

#include <archive.h>
#include <archive_entry.h>

#include "store/tar.h"

/* The stream of an archive on its way into libarchive, with a view of the headers that it has just
   read and does not show. For one thread. Internal to store/. */

typedef struct
{
  const AtmTarEnds *ends; /* (borrowed) */
  GError *error;          /* (owned) (nullable): what made the stream give up */
  gboolean in_header;     /* libarchive looks for an entry … */
  gsize header_bytes;     /* … and has read this much for it */
  AtmBlock *block;        /* (owned) (nullable): the last one of the stream … */
  GPtrArray *before;    /* (owned) (element-type AtmBlock): … and those before it, from the one on
                           in which the headers begin */
  GByteArray *headers;  /* (owned): of one entry, where they go across blocks */
  guint64 stream_bytes; /* up to the end of @block */
} AtmTarStream;

void atm_tar_stream_init (AtmTarStream *stream, const AtmTarEnds *ends);
void atm_tar_stream_clear (AtmTarStream *stream);

/**
 * atm_tar_stream_open:
 * @stream: (borrowed): must not move, and outlive @archive
 *
 * Returns: what libarchive says to it
 */
int atm_tar_stream_open (AtmTarStream *stream, struct archive *archive);

/**
 * atm_tar_stream_next_header:
 *
 * As archive_read_next_header(); an entry whose headers are larger than %ATM_TAR_HEADER_MAX_BYTES
 * is an error.
 */
int atm_tar_stream_next_header (AtmTarStream *stream, struct archive *archive,
                                struct archive_entry **entry_out);

/**
 * atm_tar_stream_find_headers:
 * @headers_out: (out) (transfer none): untrusted: what libarchive has read for the entry that it
 *   gave last: its headers, and for some sparse files the map; valid until more is read
 * @length_out: (out): how many bytes that are
 */
void atm_tar_stream_find_headers (AtmTarStream *stream, struct archive *archive,
                                  const guint8 **headers_out, gsize *length_out);

/**
 * atm_tar_stream_get_blob_bytes:
 *
 * Returns: how many bytes of the blob the stream up to here was made of
 */
guint64 atm_tar_stream_get_blob_bytes (AtmTarStream *stream);
