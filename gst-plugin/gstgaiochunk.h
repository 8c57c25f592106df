/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Memory that small buffers are joined in. A pool keeps a few chunks for reuse, so that a steady
 * stream allocates nothing and writes from memory that the processor's cache still holds. */

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

/* Thread: any. The chunks of a pool have `capacity` bytes or more; no more than `max_idle_bytes` of
 * unused ones are kept. A chunk keeps its pool alive. The loop, whose workers make chunks, must
 * live as long as chunks are taken. */
GstGaioChunkPool *gst_gaio_chunk_pool_new (gsize capacity, gsize max_idle_bytes, GstGaioLoop *loop);
void gst_gaio_chunk_pool_unref (GstGaioChunkPool *self);

GstGaioChunk *gst_gaio_chunk_new (GstGaioChunkPool *pool);
GstGaioChunk *gst_gaio_chunk_ref (GstGaioChunk *self);
void gst_gaio_chunk_unref (GstGaioChunk *self);

G_END_DECLS
