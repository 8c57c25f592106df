/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The elements of a window's queue.
 *
 * A big buffer is held by reference, one element for each of its memories, which stay mapped until
 * the element is freed. A small one is copied to the tail, one element for each chunk it touches;
 * so is one that upstream will want back before long. gst_gaio_should_hold() decides.
 *
 * An element belongs to one thread at a time, from the streaming thread to the I/O thread; the
 * window's lock is where it changes hands. The tail belongs to the streaming thread: what an
 * element in flight covers of a chunk is not touched any more. */

#include <stdbool.h>
#include <string.h>

#include "gstgaiooperation.h"

GstGaioOperation *
gst_gaio_operation_new (GstGaioOperationKind kind, guint64 offset)
{
  GstGaioOperation *self = g_new0 (GstGaioOperation, 1);

  self->link.data = self;
  self->kind = kind;
  self->offset = offset;
  return self;
}

void
gst_gaio_operation_free (GstGaioOperation *self)
{
  g_clear_pointer (&self->chunk, gst_gaio_chunk_unref);
  if (self->memory != NULL)
    gst_memory_unmap (self->memory, &self->map);
  gst_clear_buffer (&self->buffer);
  g_free (self);
}

void
gst_gaio_operations_free (GQueue *operations)
{
  for (GList *link = g_queue_pop_head_link (operations); link != NULL;
       link = g_queue_pop_head_link (operations))
    gst_gaio_operation_free (link->data);
}

gboolean
gst_gaio_operation_join (GstGaioOperation *self, GstGaioOperation *next)
{
  if (next->chunk == NULL || self->chunk != next->chunk || self->data + self->size != next->data ||
      self->offset + self->size != next->offset)
    return FALSE;
  self->size += next->size;
  self->cost += next->cost;
  gst_gaio_operation_free (next);
  return TRUE;
}

GstGaioOperation *
gst_gaio_operation_split (GstGaioOperation *self, gsize size)
{
  GstGaioOperation *rest = gst_gaio_operation_new (self->kind, self->offset + size);

  if (self->chunk != NULL)
    {
      rest->chunk = gst_gaio_chunk_ref (self->chunk);
      rest->cost = self->cost - size;
      self->cost = size;
    }
  else
    {
      if (!gst_memory_map (self->memory, &rest->map, GST_MAP_READ))
        {
          gst_gaio_operation_free (rest);
          return NULL;
        }
      rest->memory = self->memory;
      rest->buffer = gst_buffer_ref (self->buffer);
      rest->cost = self->cost;
      self->cost = 0;
    }
  rest->data = self->data + size;
  rest->size = self->size - size;
  rest->since_ns = self->since_ns;
  self->size = size;
  return rest;
}

/* clang-format off */
static G_DEFINE_QUARK (gaio-pool-is-limited, pool_is_limited)
/* clang-format on */

/* The configuration can be had as a copy only, which is too much for every buffer. So the pool
 * remembers what it was found to be; we do not keep the pool. */
static bool
pool_is_limited (GstBufferPool *pool)
{
  enum
  {
    UNKNOWN,
    LIMITED,
    UNLIMITED
  } known;

  if (pool == NULL)
    return false;
  known = GPOINTER_TO_INT (g_object_get_qdata (G_OBJECT (pool), pool_is_limited_quark ()));
  if (known == UNKNOWN)
    {
      GstStructure *config = gst_buffer_pool_get_config (pool);
      guint max_buffers = 0;

      gst_buffer_pool_config_get_params (config, NULL, NULL, NULL, &max_buffers);
      gst_structure_free (config);
      known = max_buffers != 0 ? LIMITED : UNLIMITED;
      g_object_set_qdata (G_OBJECT (pool), pool_is_limited_quark (), GINT_TO_POINTER (known));
    }
  return known == LIMITED;
}

/* Whether the disk can take the memory as it is, at that place. */
static bool
is_aligned (GstBuffer *buffer, gsize size, guint64 offset, gsize alignment)
{
  GstMemory *memory = gst_buffer_peek_memory (buffer, 0);
  GstMapInfo map;
  bool aligned;

  if (gst_buffer_n_memory (buffer) != 1 || ((offset | size) & (alignment - 1)) != 0 ||
      !gst_memory_map (memory, &map, GST_MAP_READ))
    return false;
  aligned = ((guintptr) map.data & (alignment - 1)) == 0;
  gst_memory_unmap (memory, &map);
  return aligned;
}

gboolean
gst_gaio_should_hold (
    GstBuffer *buffer, gsize size, guint64 offset, GstGaioHold hold, gsize alignment, gsize *cost)
{
  guint n = gst_buffer_n_memory (buffer);
  gsize max_total = 0;
  bool is_system = true;

  if (hold == GST_GAIO_HOLD_COPY ||
      (hold == GST_GAIO_HOLD_AUTO &&
       (size < GST_GAIO_HOLD_MIN_BYTES || pool_is_limited (buffer->pool))))
    return FALSE;
  for (guint i = 0; i < n; i++)
    {
      GstMemory *memory = gst_buffer_peek_memory (buffer, i);

      is_system = is_system && gst_memory_is_type (memory, GST_ALLOCATOR_SYSMEM);
      max_total += memory->maxsize;
    }
  *cost = MAX (max_total, (gsize) n * GST_GAIO_OPERATION_MIN_COST);
  if (hold == GST_GAIO_HOLD_REF)
    return TRUE;
  /* Other memory belongs to a device, which has little of it, and may be slow to read. And of a
   * small view of a large memory the copy takes less of the window than the reference. */
  return is_system && max_total / 2 <= size &&
         (alignment <= 1 || is_aligned (buffer, size, offset, alignment));
}

gboolean
gst_gaio_operations_hold (GQueue *operations, GstBuffer *buffer, guint64 offset, gsize cost)
{
  guint n = gst_buffer_n_memory (buffer);

  for (guint i = 0; i < n; i++)
    {
      GstMemory *memory = gst_buffer_peek_memory (buffer, i);
      GstGaioOperation *operation;

      if (memory->size == 0)
        continue;
      operation = gst_gaio_operation_new (GST_GAIO_OPERATION_WRITE, offset);
      if (!gst_memory_map (memory, &operation->map, GST_MAP_READ))
        {
          gst_gaio_operation_free (operation);
          gst_gaio_operations_free (operations);
          return FALSE;
        }
      operation->memory = memory;
      operation->buffer = gst_buffer_ref (buffer);
      operation->data = operation->map.data;
      operation->size = operation->map.size;
      offset += operation->size;
      g_queue_push_tail_link (operations, &operation->link);
    }
  /* The cost is that of the whole buffer, and is due until the last of its memories is written. */
  ((GstGaioOperation *) operations->tail->data)->cost = cost;
  return TRUE;
}

/* Copies bytes to the tail, and appends one operation for each chunk they touch. */
static void
copy_bytes (GQueue *operations, GstGaioTail *tail, const guint8 *data, gsize size, guint64 offset)
{
  while (size > 0)
    {
      GstGaioOperation *operation;
      gsize n;
      gsize gap = ((gsize) offset - tail->used) & (tail->alignment - 1);

      if (tail->chunk != NULL && tail->used + gap >= tail->chunk->capacity)
        g_clear_pointer (&tail->chunk, gst_gaio_chunk_unref);
      if (tail->chunk == NULL)
        {
          tail->chunk = gst_gaio_chunk_new (tail->pool);
          tail->used = 0;
          gap = (gsize) offset & (tail->alignment - 1);
        }
      tail->used += gap;

      n = MIN (size, tail->chunk->capacity - tail->used);
      memcpy (tail->chunk->data + tail->used, data, n);
      operation = gst_gaio_operation_new (GST_GAIO_OPERATION_WRITE, offset);
      operation->chunk = gst_gaio_chunk_ref (tail->chunk);
      operation->data = tail->chunk->data + tail->used;
      operation->size = n;
      operation->cost = n;
      g_queue_push_tail_link (operations, &operation->link);

      tail->used += n;
      offset += n;
      data += n;
      size -= n;
    }
}

gboolean
gst_gaio_operations_copy (GQueue *operations, GstGaioTail *tail, GstBuffer *buffer, guint64 offset)
{
  guint n = gst_buffer_n_memory (buffer);

  for (guint i = 0; i < n; i++)
    {
      GstMemory *memory = gst_buffer_peek_memory (buffer, i);
      GstMapInfo map;

      if (memory->size == 0)
        continue;
      if (!gst_memory_map (memory, &map, GST_MAP_READ))
        {
          gst_gaio_operations_free (operations);
          return FALSE;
        }
      copy_bytes (operations, tail, map.data, map.size, offset);
      offset += map.size;
      gst_memory_unmap (memory, &map);
    }
  return TRUE;
}
