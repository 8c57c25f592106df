/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Chunks and the pool they return to.
 *
 * The streaming thread takes chunks and the I/O thread gives them back, so both may meet at the
 * pool; its lock is held for a push or a pop only. The idle chunk used last is used again first,
 * since it is the one most likely to be in the cache.
 *
 * A disk that makes a stream wait once does so again, so what a burst took is kept for a while. The
 * pool remembers the least that was idle in a period: so much of it nobody has needed, and it goes
 * back to the system with the first chunk that comes back after that. So what is idle and what is
 * in use are together no more than what was in use at once, and the few that a worker makes.
 *
 * Memory that nobody has touched yet comes page by page, each with a fault of its own: ten times
 * the price of the copy that goes there, and a hundred times where a virtual machine has to get it
 * from its host. A stream that copies much in little time should not pay for that with its own
 * thread. So when one has more than a few chunks in use, a worker makes some ready, as large pages
 * where the system has those; what is not ready in time is made on the spot, and small.
 */

#include <errno.h>
#include <sys/mman.h>

#include "gstgaiochunk.h"

#define PAGE_BYTES 4096
#define MAPPED_BYTES (1024 * 1024) /* from this size on chunks are mappings of their own */

#define LARGE_BYTES (2 * 1024 * 1024)
#define MIN_READY_CHUNKS 2 /* for streams that have as many in use */

struct _GstGaioChunkPool
{
  /* immutable */
  gsize capacity;
  gsize min_idle_bytes; /* so many stay in any case */
  gint64 keep_ns;
  GstGaioLoop *loop; /* whose workers make chunks; the owner's */

  gint refs; /* (atomic) one for the owner, one for each chunk in use, one for a worker */

  GMutex lock;

  /* under lock */
  GPtrArray *idle;
  gsize idle_bytes;
  gsize least_idle_bytes; /* since then: */
  gint64 since_ns;
  guint n_used;
  gboolean is_making; /* a worker makes some ready */
};

GstGaioChunkPool *
gst_gaio_chunk_pool_new (gsize capacity, gsize min_idle_bytes, gint64 keep_ns, GstGaioLoop *loop)
{
  GstGaioChunkPool *self = g_new0 (GstGaioChunkPool, 1);

  self->capacity = capacity;
  self->min_idle_bytes = min_idle_bytes;
  self->keep_ns = keep_ns;
  self->since_ns = gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC);
  self->loop = loop;
  self->refs = 1;
  self->idle = g_ptr_array_new ();
  g_mutex_init (&self->lock);
  return self;
}

static void
chunk_free (gpointer data)
{
  GstGaioChunk *chunk = data;

  if (chunk->capacity >= MAPPED_BYTES)
    munmap (chunk->data, chunk->capacity);
  else
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

/* Memory of malloc() is not given back while something lives behind it: what bursts took, in the
 * arenas of two threads, would never be. */
static guint8 *
map (gsize size, gsize alignment)
{
  gsize surplus = alignment > PAGE_BYTES ? alignment : 0;
  guint8 *begin = mmap (NULL, size + surplus, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                        -1, 0);
  gsize gap;

  if (begin == MAP_FAILED)
    g_error ("cannot map %" G_GSIZE_FORMAT " bytes: %s", size, g_strerror (errno));
  gap = -(guintptr) begin & (alignment - 1);
  if (gap > 0)
    munmap (begin, gap);
  if (surplus > gap)
    munmap (begin + gap + size, surplus - gap);
  return begin + gap;
}

static GstGaioChunk *
chunk_alloc (gsize capacity, gsize alignment)
{
  GstGaioChunk *chunk = g_new0 (GstGaioChunk, 1);

  chunk->capacity = capacity;
  chunk->data = capacity >= MAPPED_BYTES ? map (capacity, alignment)
                                         : g_aligned_alloc (1, capacity, alignment);
  return chunk;
}

/* Takes out the oldest idle chunks as long as more than so many bytes remain; NULL: that is none.
 * They are to be freed without the lock. */
static GPtrArray *
shrink_locked (GstGaioChunkPool *pool, guint64 max_idle_bytes)
{
  GPtrArray *surplus = NULL;

  max_idle_bytes = MAX (max_idle_bytes, pool->min_idle_bytes);
  while (pool->idle_bytes > max_idle_bytes)
    {
      GstGaioChunk *chunk = g_ptr_array_steal_index (pool->idle, 0);

      pool->idle_bytes -= chunk->capacity;
      if (surplus == NULL)
        surplus = g_ptr_array_new_with_free_func (chunk_free);
      g_ptr_array_add (surplus, chunk);
    }
  pool->least_idle_bytes = MIN (pool->least_idle_bytes, pool->idle_bytes);
  return surplus;
}

void
gst_gaio_chunk_pool_trim (GstGaioChunkPool *self, guint64 max_idle_bytes)
{
  GPtrArray *surplus;

  g_mutex_lock (&self->lock);
  surplus = shrink_locked (self, max_idle_bytes);
  g_mutex_unlock (&self->lock);

  g_clear_pointer (&surplus, g_ptr_array_unref);
}

static gboolean
is_short_locked (GstGaioChunkPool *pool)
{
  return pool->capacity >= MAPPED_BYTES && pool->n_used >= MIN_READY_CHUNKS &&
         pool->idle->len < MIN_READY_CHUNKS &&
         pool->idle_bytes + LARGE_BYTES <= pool->min_idle_bytes;
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
  pool->least_idle_bytes = MIN (pool->least_idle_bytes, pool->idle_bytes);
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
  GPtrArray *surplus = NULL;
  gint64 now_ns;

  if (!g_atomic_int_dec_and_test (&self->refs))
    return;
  self->pool = NULL;

  now_ns = gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC);
  g_mutex_lock (&pool->lock);
  pool->n_used--;
  pool->idle_bytes += self->capacity;
  g_ptr_array_add (pool->idle, self);
  if (now_ns - pool->since_ns >= pool->keep_ns)
    {
      surplus = shrink_locked (pool, pool->idle_bytes - pool->least_idle_bytes);
      pool->least_idle_bytes = pool->idle_bytes;
      pool->since_ns = now_ns;
    }
  g_mutex_unlock (&pool->lock);

  g_clear_pointer (&surplus, g_ptr_array_unref);
  gst_gaio_chunk_pool_unref (pool);
}
