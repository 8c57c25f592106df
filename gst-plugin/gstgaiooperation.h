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
  GST_GAIO_OPERATION_FINISH, /* what is done at the end of the stream */
  GST_GAIO_OPERATION_CLOSE,
} GstGaioOperationKind;

/* Whether buffers are held by reference until they are written, or copied. */
typedef enum
{
  GST_GAIO_HOLD_AUTO, /* as is cheaper, and so that upstream has its buffers back in time */
  GST_GAIO_HOLD_REF,
  GST_GAIO_HOLD_COPY,
} GstGaioHold;

/* Memory for one place in the file, or one of the others. */
typedef struct
{
  GList link;
  GstGaioOperationKind kind;
  guint64 offset; /* the new length, of a truncation */
  gsize size;
  gsize cost;      /* what it holds of the window */
  gint64 since_ns; /* when it, or what it was joined to, came into the queue */
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
  gsize alignment; /* what has an offset of so many bytes has such an address; a power of two */
} GstGaioTail;

/* From this size on a buffer is held rather than copied. A reference is cheaper than a copy there:
 * a copy of 64 KiB costs about what the mapping, the queue element and the malloc'ed pages of a
 * held one do. */
#define GST_GAIO_HOLD_MIN_BYTES (64 * 1024)

/* What an element of the queue costs at least: about what it takes itself, with the buffer and the
 * memory that it keeps. */
#define GST_GAIO_OPERATION_MIN_COST 512

/* Thread: any. Those that take a GQueue take one of GstGaioOperation, by their links. */
GstGaioOperation *gst_gaio_operation_new (GstGaioOperationKind kind, guint64 offset);
void gst_gaio_operation_free (GstGaioOperation *self);
void gst_gaio_operations_free (GQueue *operations);

/* Whether `next` is the copy that follows `self` in the file and in the chunk; then it is added to
 * `self` and freed. */
gboolean gst_gaio_operation_join (GstGaioOperation *self, GstGaioOperation *next);

/* Cuts it in two; the second part, which is returned, begins `size` bytes later, and a held one
 * takes the cost with it. NULL when its memory cannot be mapped once more. */
GstGaioOperation *gst_gaio_operation_split (GstGaioOperation *self, gsize size);

/* Whether to hold the buffer and not copy it, and what it then costs. With an `alignment` above 1
 * only what can go to the disk as it is. */
gboolean gst_gaio_should_hold (
    GstBuffer *buffer, gsize size, guint64 offset, GstGaioHold hold, gsize alignment, gsize *cost);

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
