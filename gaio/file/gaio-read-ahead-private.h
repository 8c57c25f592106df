/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a stream reads before it is asked to. See gaio-read-ahead.c. */

#pragma once

#include <gaio/file/gaio-stream-private.h>

/* How a window of so many bytes is read. What is asked for in larger pieces goes past it, without a
 * copy; so two parts always have what is asked for. */
#define GAIO_READ_AHEAD_MAX_CHUNK_BYTES ((gsize) 128 * 1024)

static inline gsize
gaio_read_ahead_get_chunk_bytes (gsize bytes)
{
  return CLAMP (bytes / 2, 1, GAIO_READ_AHEAD_MAX_CHUNK_BYTES);
}

typedef struct _GaioReadAhead GaioReadAhead;

typedef enum
{
  GAIO_READ_AHEAD_TAKEN,
  GAIO_READ_AHEAD_WAIT, /* some of it is still being read */
  GAIO_READ_AHEAD_MISS, /* not in the window: elsewhere, too much, past the end, or unreadable */
} GaioReadAheadResult;

/* Thread: any. Begins to read `bytes` bytes from `offset` on. */
GaioReadAhead *gaio_read_ahead_new (GaioFile *file, goffset offset, gsize bytes);

/* Thread: any. Takes what is at `offset` out of the window, all or nothing. `buffer` may be NULL.
 * Room that becomes free is read into again. */
GaioReadAheadResult
gaio_read_ahead_take (GaioReadAhead *self, goffset offset, guint8 *buffer, gsize count);

/* Thread: any. Wakes the waiter, which it takes over, when a take of so much need not wait. */
void gaio_read_ahead_wait (GaioReadAhead *self, gsize count, GaioStreamWaiter *waiter);

/* Thread: any. Gives the window up; its reads end soon, and keep the memory until then. */
void gaio_read_ahead_drop (GaioReadAhead *self);
