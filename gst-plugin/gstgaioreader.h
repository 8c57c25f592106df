/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The reader: bytes of a file for a thread that must not read it itself, some of them before it
 * asks. */

#pragma once

#include <gaio/gaio.h>
#include <gst/gst.h>

#include "gstgaioloop.h"

G_BEGIN_DECLS

typedef struct _GstGaioReader GstGaioReader;

/* How a call that may wait came back. */
typedef enum
{
  GST_GAIO_READER_OK,
  GST_GAIO_READER_INTERRUPTED, /* to be called again, or not */
  GST_GAIO_READER_FAILED,
} GstGaioReaderResult;

/* What sort of file it is. */
typedef enum
{
  GST_GAIO_READER_STREAM, /* each byte comes once, as with a pipe: nothing is read ahead */
  GST_GAIO_READER_DEVICE, /* it has positions, and nobody knows its length */
  GST_GAIO_READER_FILE,
} GstGaioReaderKind;

typedef struct
{
  guint64 reads;     /* requests that were begun */
  guint64 read;      /* bytes that came */
  guint64 used;      /* of them, those that somebody was given */
  guint64 thrown;    /* of them, those that nobody was given before they were dropped */
  guint64 hits;      /* calls of wait() that found all they wanted */
  guint64 misses;    /* those that had to begin a read for it */
  guint64 waits;     /* those that waited: for a read of their own, or one that was under way */
  guint64 waited_ns; /* time spent so */
  guint64 level;     /* bytes in memory, or on their way there */
} GstGaioReaderStats;

/* Takes a reference on `file`, and the caller's on `loop`, which is the file's. `length` is that of
 * the file now.
 *
 * Thread: any. */
GstGaioReader *
gst_gaio_reader_new (GaioFile *file, GstGaioReaderKind kind, guint64 length, GstGaioLoop *loop);

/* Thread: any. */
GstGaioReader *gst_gaio_reader_ref (GstGaioReader *self);
void gst_gaio_reader_unref (GstGaioReader *self);

/* Drops everything, and closes the file when the last read has ended. Waits for that, but no longer
 * than this; the rest then goes on without the caller. To be called once, at the end.
 *
 * Thread: any but the context's. */
void gst_gaio_reader_close (GstGaioReader *self, gint64 timeout_us);

/* Waits until `size` bytes from `offset` are there, and can be had by the two functions below until
 * the next call. Gives fewer only at the end of the file, where none are no error. On failure `n`
 * is where it happened, from `offset` on. `in_order` says that what comes next is likely to be
 * wanted next.
 *
 * Thread: one at a time (the streaming thread). */
GstGaioReaderResult gst_gaio_reader_wait (
    GstGaioReader *self, guint64 offset, gsize size, gboolean in_order, gsize *n, GError **error);

/* Gives `size` bytes that have been waited for; the memory cannot be written. NULL when they are
 * not in one piece, or so few that they should not keep the rest of it alive.
 *
 * Thread: that of wait. */
GstMemory *gst_gaio_reader_share (GstGaioReader *self, guint64 offset, gsize size);

/* The same by copying.
 *
 * Thread: that of wait. */
void gst_gaio_reader_copy (GstGaioReader *self, guint64 offset, gsize size, guint8 *data);

/* Asks for the file's length, and waits for the answer no longer than this; -1: as long as it
 * takes. Gives the last length known when the time is up, somebody interrupts, or it fails.
 *
 * Thread: any but the context's. */
guint64 gst_gaio_reader_get_length (GstGaioReader *self, gint64 timeout_us);

/* From interrupt to resume nobody waits.
 *
 * Thread: any. */
void gst_gaio_reader_interrupt (GstGaioReader *self);
void gst_gaio_reader_resume (GstGaioReader *self);

/* Thread: any. */
void gst_gaio_reader_set_sizes (GstGaioReader *self, guint64 read_ahead, gsize read_size);
void gst_gaio_reader_get_stats (GstGaioReader *self, GstGaioReaderStats *stats);

G_END_DECLS
