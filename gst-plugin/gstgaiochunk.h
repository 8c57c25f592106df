/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Memory that small buffers are joined in. A pool keeps chunks for reuse, so that a steady stream
 * allocates nothing and writes from memory that the processor's cache still holds, and so that one
 * which comes in bursts has their memory already when the next one comes. */

#pragma once

#include "gstgaioloop.h"

G_BEGIN_DECLS

typedef struct _GstGaioChunkPool GstGaioChunkPool;
typedef struct _GstGaioChunk GstGaioChunk;

struct _GstGaioChunk
{
  /* immutable */
  GstGaioChunkPool *pool; /* a reference */
  gsize capacity;
  guint8 *data;

  /*< private >*/
  gint refs; /* (atomic) */
};

/* Chunks begin at such an address, which direct I/O wants, and their capacities should be a
 * multiple of it. */
#define GST_GAIO_CHUNK_ALIGNMENT 4096

/* Thread: any. The chunks of a pool have `capacity` bytes or more. Of unused ones up to
 * `min_idle_bytes` are kept, and what is beyond that until none of it was needed for `keep_ns`. A
 * chunk keeps its pool alive. The loop, whose workers make chunks, must live as long as chunks are
 * taken. */
GstGaioChunkPool *gst_gaio_chunk_pool_new (gsize capacity,
                                           gsize min_idle_bytes,
                                           gint64 keep_ns,
                                           GstGaioLoop *loop);
void gst_gaio_chunk_pool_unref (GstGaioChunkPool *self);

/* Thread: any. Keeps no more unused ones than that, or `min_idle_bytes` if those are more. */
void gst_gaio_chunk_pool_trim (GstGaioChunkPool *self, guint64 max_idle_bytes);

GstGaioChunk *gst_gaio_chunk_new (GstGaioChunkPool *pool);
GstGaioChunk *gst_gaio_chunk_ref (GstGaioChunk *self);
void gst_gaio_chunk_unref (GstGaioChunk *self);

G_END_DECLS
