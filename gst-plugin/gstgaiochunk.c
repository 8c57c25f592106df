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
 * the price of the copy that goes there, and a hundred times where a virtual machine has to get it
 * from its host. A stream that copies much in little time should not pay for that with its own
 * thread. So when one has more than a few chunks in use, a worker makes some ready, as large pages
 * where the system has those; what is not ready in time is made on the spot, and small.
 */

#include <sys/mman.h>

#include "gstgaiochunk.h"

#define PAGE_BYTES 4096

#define LARGE_BYTES (2 * 1024 * 1024)
#define MIN_READY_CHUNKS 2 /* for streams that have as many in use */

struct _GstGaioChunkPool
{
  /* immutable */
  gsize capacity;
  gsize max_idle_bytes;
  GstGaioLoop *loop; /* whose workers make chunks; the owner's */

  gint refs; /* (atomic) one for the owner, one for each chunk in use, one for a worker */

  GMutex lock;

  /* under lock */
  GPtrArray *idle;
  gsize idle_bytes;
  guint n_used;
  gboolean is_making; /* a worker makes some ready */
};

GstGaioChunkPool *
gst_gaio_chunk_pool_new (gsize capacity, gsize max_idle_bytes, GstGaioLoop *loop)
{
  GstGaioChunkPool *self = g_new0 (GstGaioChunkPool, 1);

  self->capacity = capacity;
  self->max_idle_bytes = max_idle_bytes;
  self->loop = loop;
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

static gboolean
is_short_locked (GstGaioChunkPool *pool)
{
  return pool->capacity >= LARGE_BYTES / 2 && pool->n_used >= MIN_READY_CHUNKS &&
         pool->idle->len < MIN_READY_CHUNKS &&
         pool->idle_bytes + LARGE_BYTES <= pool->max_idle_bytes;
}

/* In a worker. */
static void
make_ready (gpointer user_data)
{
  GstGaioChunkPool *pool = user_data;

  g_mutex_lock (&pool->lock);
  while (is_short_locked (pool))
    {
      GstGaioChunk *chunk;

      g_mutex_unlock (&pool->lock);
      chunk = chunk_alloc (LARGE_BYTES, LARGE_BYTES);
      madvise (chunk->data, LARGE_BYTES, MADV_HUGEPAGE);
      for (gsize i = 0; i < LARGE_BYTES; i += PAGE_BYTES)
        chunk->data[i] = 0;
      g_mutex_lock (&pool->lock);
      pool->idle_bytes += LARGE_BYTES;
      g_ptr_array_add (pool->idle, chunk);
    }
  pool->is_making = FALSE;
  g_mutex_unlock (&pool->lock);
}

static void
unref_pool (gpointer user_data)
{
  gst_gaio_chunk_pool_unref (user_data);
}

/* In the loop's thread: there may have to be a new worker, which takes its time. */
static void
start_making (gpointer user_data)
{
  GstGaioChunkPool *pool = user_data;

  gaio_thread_pool_submit (gst_gaio_loop_get_pool (pool->loop),
                           gst_gaio_loop_get_context (pool->loop), make_ready, NULL, pool,
                           unref_pool);
}

GstGaioChunk *
gst_gaio_chunk_new (GstGaioChunkPool *pool)
{
  GstGaioChunk *chunk = NULL;
  gboolean is_short;

  g_mutex_lock (&pool->lock);
  if (pool->idle->len > 0)
    {
      chunk = g_ptr_array_steal_index (pool->idle, pool->idle->len - 1);
      pool->idle_bytes -= chunk->capacity;
    }
  pool->n_used++;
  is_short = !pool->is_making && is_short_locked (pool);
  pool->is_making |= is_short;
  g_mutex_unlock (&pool->lock);

  if (is_short)
    {
      g_atomic_int_inc (&pool->refs);
      gaio_context_invoke (gst_gaio_loop_get_context (pool->loop), start_making, pool, NULL);
    }
  if (chunk == NULL)
    chunk = chunk_alloc (pool->capacity, GST_GAIO_CHUNK_ALIGNMENT);
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
  pool->n_used--;
  if (pool->idle_bytes + self->capacity <= pool->max_idle_bytes)
    {
      pool->idle_bytes += self->capacity;
      g_ptr_array_add (pool->idle, g_steal_pointer (&self));
    }
  g_mutex_unlock (&pool->lock);

  g_clear_pointer (&self, chunk_free);
  gst_gaio_chunk_pool_unref (pool);
}
