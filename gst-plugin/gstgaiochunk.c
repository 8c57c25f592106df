/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Chunks and the pool they return to.
 *
 * The streaming thread takes chunks and the I/O thread gives them back, so both may meet at the
 * pool; its lock is held for a push or a pop only. The idle chunk used last is used again first,
 * since it is the one most likely to be in the cache. What does not fit in the pool is freed, so a
 * burst does not pin its memory for the rest of the stream.
 *
 * Memory that nobody has touched yet comes page by page, each with a fault of its own: ten times
 * the price of the copy that goes there. A stream that needs more than a few chunks at once copies
 * much in little time, so it gets them as large pages, where the system has those. */

#include <sys/mman.h>

#include "gstgaiochunk.h"

#define LARGE_BYTES (2 * 1024 * 1024)
#define MAX_SMALL_CHUNKS 2

struct _GstGaioChunkPool
{
  /* immutable */
  gsize capacity;
  gsize max_idle_bytes;

  gint refs; /* (atomic) one for the owner, one for each chunk in use */

  GMutex lock;

  /* under lock */
  GPtrArray *idle;
  gsize idle_bytes;
  guint n_chunks; /* idle or in use */
};

GstGaioChunkPool *
gst_gaio_chunk_pool_new (gsize capacity, gsize max_idle_bytes)
{
  GstGaioChunkPool *self = g_new0 (GstGaioChunkPool, 1);

  self->capacity = capacity;
  self->max_idle_bytes = max_idle_bytes;
  self->refs = 1;
  self->idle = g_ptr_array_new ();
  g_mutex_init (&self->lock);
  return self;
}

static void
chunk_free (GstGaioChunk *chunk)
{
  g_aligned_free (chunk->data);
  g_free (chunk);
}

void
gst_gaio_chunk_pool_unref (GstGaioChunkPool *self)
{
  if (!g_atomic_int_dec_and_test (&self->refs))
    return;
  for (guint i = 0; i < self->idle->len; i++)
    chunk_free (self->idle->pdata[i]);
  g_ptr_array_unref (self->idle);
  g_mutex_clear (&self->lock);
  g_free (self);
}

static GstGaioChunk *
chunk_alloc (gsize capacity, gsize alignment)
{
  GstGaioChunk *chunk = g_new0 (GstGaioChunk, 1);

  chunk->capacity = capacity;
  chunk->data = g_aligned_alloc (1, capacity, alignment);
  return chunk;
}

GstGaioChunk *
gst_gaio_chunk_new (GstGaioChunkPool *pool)
{
  GstGaioChunk *chunk = NULL;
  gboolean large = FALSE;

  g_mutex_lock (&pool->lock);
  if (pool->idle->len > 0)
    {
      chunk = g_ptr_array_steal_index (pool->idle, pool->idle->len - 1);
      pool->idle_bytes -= chunk->capacity;
    }
  else
    {
      large = pool->n_chunks >= MAX_SMALL_CHUNKS && pool->capacity >= LARGE_BYTES / 2;
      pool->n_chunks++;
    }
  g_mutex_unlock (&pool->lock);

  if (large)
    {
      chunk = chunk_alloc (LARGE_BYTES, LARGE_BYTES);
      madvise (chunk->data, LARGE_BYTES, MADV_HUGEPAGE);
    }
  else if (chunk == NULL)
    {
      chunk = chunk_alloc (pool->capacity, GST_GAIO_CHUNK_ALIGNMENT);
    }
  g_atomic_int_inc (&pool->refs);
  chunk->pool = pool;
  g_atomic_int_set (&chunk->refs, 1);
  return chunk;
}

GstGaioChunk *
gst_gaio_chunk_ref (GstGaioChunk *self)
{
  g_atomic_int_inc (&self->refs);
  return self;
}

void
gst_gaio_chunk_unref (GstGaioChunk *self)
{
  GstGaioChunkPool *pool = self->pool;

  if (!g_atomic_int_dec_and_test (&self->refs))
    return;
  self->pool = NULL;

  g_mutex_lock (&pool->lock);
  if (pool->idle_bytes + self->capacity <= pool->max_idle_bytes)
    {
      pool->idle_bytes += self->capacity;
      g_ptr_array_add (pool->idle, g_steal_pointer (&self));
    }
  else
    {
      pool->n_chunks--;
    }
  g_mutex_unlock (&pool->lock);

  g_clear_pointer (&self, chunk_free);
  gst_gaio_chunk_pool_unref (pool);
}
