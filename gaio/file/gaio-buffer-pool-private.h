/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/base/gaio-ring-private.h>
#include <gaio/file/gaio-buffer-pool.h>
#include <gaio/loop/gaio-context-private.h>

/* The buffers of a pool, which outlive it while any is in use. See gaio-buffer-pool.c. */
typedef struct _GaioBuffers GaioBuffers;

/* A buffer in use. */
typedef struct
{
  GaioBuffers *buffers; /* a reference while it is in use */
  guint8 *memory;
} GaioBuffer;

/* Thread: any. A buffer of at least `size` bytes, or NULL. */
GaioBuffer *gaio_buffer_pool_take (GaioBufferPool *self, gsize size);

/* The size of each. */
gsize gaio_buffer_get_capacity (GaioBuffer *self);

/* Thread: any. Takes a GaioBuffer; the type is that of a GDestroyNotify. */
void gaio_buffer_give_back (gpointer self);

/* That a ring knows a pool's memory, so operations of the ring on it cost the kernel less. It lasts
 * as long as both. Thread: home, for these. */
typedef struct _GaioBufferUse GaioBufferUse;

/* Has the context's ring know the pool's memory if it can; NULL when it cannot. It lives as long as
 * the pool. */
GaioBufferUse *gaio_buffer_pool_use (GaioBufferPool *self, GaioContext *context, GaioRing *ring);

/* What the ring calls this memory, or -1. */
int gaio_buffer_use_find (GaioBufferUse *self, GaioRing *ring, gconstpointer memory, gsize size);
