/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* One element of a window's queue, and how buffers become such elements. */

#pragma once

#include <gst/gst.h>

#include "gstgaiochunk.h"

G_BEGIN_DECLS

typedef enum
{
  GST_GAIO_OPERATION_WRITE,
  GST_GAIO_OPERATION_TRUNCATE,
  GST_GAIO_OPERATION_SYNC,
} GstGaioOperationKind;

/* Memory for one place in the file, a truncation, or a sync. */
typedef struct
{
  GList link;
  GstGaioOperationKind kind;
  guint64 offset; /* the new length, of a truncation */
  gsize size;
  gsize cost; /* what it holds of the window */
  const guint8 *data;

  /* What `data` is part of: a chunk, or a mapped memory of a buffer. */
  GstGaioChunk *chunk;
  GstBuffer *buffer;
  GstMemory *memory;
  GstMapInfo map;
} GstGaioOperation;

/* Where copies go: the unused part of a chunk. */
typedef struct
{
  GstGaioChunkPool *pool;
  GstGaioChunk *chunk; /* NULL before the first copy */
  gsize used;
} GstGaioTail;

/* From this size on a buffer is held rather than copied. A reference is cheaper than a copy there:
 * a copy of 64 KiB costs about what the mapping, the queue element and the malloc'ed pages of a
 * held one do. */
#define GST_GAIO_HOLD_MIN_BYTES (64 * 1024)

/* Thread: any. Those that take a GQueue take one of GstGaioOperation, by their links. */
GstGaioOperation *gst_gaio_operation_new (GstGaioOperationKind kind, guint64 offset);
void gst_gaio_operation_free (GstGaioOperation *self);
void gst_gaio_operations_free (GQueue *operations);

/* Whether `next` is the copy that follows `self` in the file and in the chunk; then it is added to
 * `self` and freed. */
gboolean gst_gaio_operation_join (GstGaioOperation *self, GstGaioOperation *next);

/* Whether to hold the buffer and not copy it, and what it then costs. */
gboolean gst_gaio_should_hold (GstBuffer *buffer, gsize size, gsize *cost);

/* Fill an empty queue with what holds the buffer, or with copies of it. FALSE when it cannot be
 * read: then the queue is empty again. */
gboolean gst_gaio_operations_hold (GQueue *operations,
                                   GstBuffer *buffer,
                                   guint64 offset,
                                   gsize cost);
gboolean gst_gaio_operations_copy (GQueue *operations,
                                   GstGaioTail *tail,
                                   GstBuffer *buffer,
                                   guint64 offset);

G_END_DECLS
