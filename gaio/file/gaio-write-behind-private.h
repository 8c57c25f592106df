/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a stream has taken and not yet written. See gaio-write-behind.c. */

#pragma once

#include <gaio/file/gaio-stream-private.h>

typedef struct _GaioWriteBehind GaioWriteBehind;

typedef enum
{
  GAIO_WRITE_BEHIND_PUT,
  GAIO_WRITE_BEHIND_FULL,
  GAIO_WRITE_BEHIND_FAILED, /* it, or something before it */
} GaioWriteBehindResult;

/* Thread: any. A window of `bytes` bytes, half of which may be put at once. */
GaioWriteBehind *gaio_write_behind_new (GaioFile *file, gsize bytes);
void gaio_write_behind_unref (GaioWriteBehind *self);

/* Thread: any. Copies the vectors, `total` bytes, all or none. They belong at `offset`, which is
 * where the last ones ended, or anywhere when the window is empty. */
GaioWriteBehindResult gaio_write_behind_put (GaioWriteBehind *self,
                                             goffset offset,
                                             const GOutputVector *vectors,
                                             gsize n_vectors,
                                             gsize total,
                                             GError **error);

/* Thread: any. Wakes the waiter, which it takes over, when there is room for so much, or after an
 * error; with 0, when all is written. */
void gaio_write_behind_wait (GaioWriteBehind *self, gsize room, GaioStreamWaiter *waiter);

/* Thread: any. Whether all is written, or given up. */
bool gaio_write_behind_is_empty (GaioWriteBehind *self);

/* Thread: any. Gets the first error of all writes; it stays. False when there is one. */
bool gaio_write_behind_check (GaioWriteBehind *self, GError **error);

/* Thread: any; it blocks until all is written. As above. */
bool gaio_write_behind_drain (GaioWriteBehind *self, GError **error);
