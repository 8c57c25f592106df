/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The window of a stream that is read from its beginning to its end.
 *
 *            offset
 *              v
 *     [ head  #####][  ready   ][ in flight ][ in flight ]
 *                                                         ^ next
 *
 * A ring of chunks, each with a request of its own that is submitted anew, for the place behind the
 * last one, as soon as its chunk has been taken. A chunk that comes short is the end of the file as
 * it was then; one that fails is the end too: whoever gets there asks the file himself, and gets
 * the error if it is one for him. After either nothing more is submitted.
 *
 * The reads end in the home thread, the takes come from any; a lock is between them. It is not held
 * while a request is submitted, since that may end it when the context is ending. What is in flight
 * when the window is dropped keeps it alive.
 *
 * It does not know when a window is worth while; its stream does. */

#include "config.h"

#include <string.h>

#include <gaio/file/gaio-read-ahead-private.h>

typedef struct
{
  GaioReadAhead *window;
  GaioRequest *request; /* immutable */
  goffset offset;       /* of the read that is in flight, or was */
  bool in_flight;
  gsize size; /* what there is; 0 when it has been taken */
} Chunk;

struct _GaioReadAhead
{
  atomic_uint refs; /* the stream's, and one for each chunk in flight */

  /* immutable */
  guint fork_count; /* forks before it was made */
  gsize chunk_bytes;
  guint n_chunks;

  /* under lock */
  GMutex lock;
  guint head;
  gsize used;     /* of the head */
  goffset offset; /* of the next byte to be taken */
  goffset next;   /* of the next chunk to be read */
  bool ended;     /* nothing more is read */
  gsize wanted;   /* by the waiter */
  GaioStreamWaiter *waiter;

  Chunk chunks[];
};

static void
unref (GaioReadAhead *self)
{
  if (atomic_fetch_sub_explicit (&self->refs, 1, memory_order_acq_rel) != 1)
    return;
  for (guint i = 0; i < self->n_chunks; i++)
    gaio_request_unref (self->chunks[i].request);
  g_clear_pointer (&self->waiter, gaio_stream_waiter_unref);
  g_mutex_clear (&self->lock);
  g_free (self);
}

/* In a child process it is the parent's, and the lock may be held for ever. */
static bool
is_after_fork (GaioReadAhead *self)
{
  return G_UNLIKELY (self->fork_count != gaio_fork_get_count ());
}

static Chunk *
get_chunk (GaioReadAhead *self, guint i)
{
  return &self->chunks[(self->head + i) % self->n_chunks];
}

/* Whether `count` bytes are there. */
static GaioReadAheadResult
look_locked (GaioReadAhead *self, gsize count)
{
  gsize total = 0;

  for (guint i = 0; total < count; i++)
    {
      Chunk *chunk = get_chunk (self, i);

      if (chunk->in_flight)
        return GAIO_READ_AHEAD_WAIT;
      total += chunk->size - (i == 0 ? self->used : 0);
      if (total < count && chunk->size < self->chunk_bytes)
        return GAIO_READ_AHEAD_MISS;
    }
  return GAIO_READ_AHEAD_TAKEN;
}

static void
begin_locked (GaioReadAhead *self, Chunk *chunk)
{
  chunk->offset = self->next;
  chunk->in_flight = true;
  chunk->size = 0;
  self->next += self->chunk_bytes;
  atomic_fetch_add_explicit (&self->refs, 1, memory_order_relaxed);
}

static void
on_end (GaioRequest *request, gpointer user_data)
{
  Chunk *chunk = user_data;
  GaioReadAhead *self = chunk->window;
  GaioStreamWaiter *waiter = NULL;

  g_mutex_lock (&self->lock);
  chunk->in_flight = false;
  if (!gaio_request_get_result (request, &chunk->size, NULL))
    chunk->size = 0;
  if (chunk->size < self->chunk_bytes)
    self->ended = true;
  if (self->waiter != NULL && look_locked (self, self->wanted) != GAIO_READ_AHEAD_WAIT)
    waiter = g_steal_pointer (&self->waiter);
  g_mutex_unlock (&self->lock);
  if (waiter != NULL)
    gaio_stream_waiter_wake (waiter);
  unref (self);
}

GaioReadAhead *
gaio_read_ahead_new (GaioFile *file, goffset offset, gsize bytes)
{
  gsize chunk_bytes = gaio_read_ahead_get_chunk_bytes (bytes);
  guint n_chunks = MAX (bytes / chunk_bytes, 2);
  gint64 timeout_ns = gaio_file_get_timeout_ms (file) * G_GINT64_CONSTANT (1000000);
  GaioReadAhead *self = g_malloc0 (sizeof (GaioReadAhead) + n_chunks * sizeof (Chunk));

  atomic_init (&self->refs, 1);
  g_mutex_init (&self->lock);
  self->fork_count = gaio_fork_get_count ();
  self->chunk_bytes = chunk_bytes;
  self->n_chunks = n_chunks;
  self->offset = self->next = offset;
  for (guint i = 0; i < n_chunks; i++)
    {
      self->chunks[i].window = self;
      self->chunks[i].request = gaio_request_new (file, on_end, &self->chunks[i], NULL);
      /* Who waits for it then asks the file. */
      gaio_request_set_timeout_ns (self->chunks[i].request, timeout_ns);
      begin_locked (self, &self->chunks[i]);
    }
  for (guint i = 0; i < n_chunks; i++)
    gaio_request_read (self->chunks[i].request, self->chunks[i].offset, chunk_bytes);
  return self;
}

GaioReadAheadResult
gaio_read_ahead_take (GaioReadAhead *self, goffset offset, guint8 *buffer, gsize count)
{
  GaioReadAheadResult result = GAIO_READ_AHEAD_MISS;
  guint first;
  guint n_again = 0;

  if (is_after_fork (self))
    return GAIO_READ_AHEAD_MISS;
  g_mutex_lock (&self->lock);
  if (offset == self->offset && count <= self->chunk_bytes)
    result = look_locked (self, count);
  first = self->head;
  for (gsize done = 0; result == GAIO_READ_AHEAD_TAKEN && done < count;)
    {
      Chunk *chunk = get_chunk (self, 0);
      gsize part = MIN (count - done, chunk->size - self->used);

      if (buffer != NULL)
        {
          const guint8 *data = gaio_request_get_data (chunk->request, NULL);

          memcpy (buffer + done, data + self->used, part);
        }
      self->used += part;
      self->offset += part;
      done += part;
      if (self->used < self->chunk_bytes)
        continue;
      self->used = 0;
      self->head = (self->head + 1) % self->n_chunks;
      chunk->size = 0;
      if (!self->ended)
        {
          begin_locked (self, chunk);
          n_again++;
        }
    }
  g_mutex_unlock (&self->lock);

  for (guint i = 0; i < n_again; i++)
    {
      Chunk *chunk = &self->chunks[(first + i) % self->n_chunks];

      gaio_request_read (chunk->request, chunk->offset, self->chunk_bytes);
    }
  return result;
}

void
gaio_read_ahead_wait (GaioReadAhead *self, gsize count, GaioStreamWaiter *waiter)
{
  GaioStreamWaiter *stale;

  g_mutex_lock (&self->lock);
  stale = g_steal_pointer (&self->waiter); /* of a read that was cancelled */
  if (look_locked (self, count) == GAIO_READ_AHEAD_WAIT)
    {
      self->wanted = count;
      self->waiter = g_steal_pointer (&waiter);
    }
  g_mutex_unlock (&self->lock);
  g_clear_pointer (&stale, gaio_stream_waiter_unref);
  if (waiter != NULL)
    gaio_stream_waiter_wake (waiter);
}

void
gaio_read_ahead_drop (GaioReadAhead *self)
{
  if (is_after_fork (self))
    return;
  g_mutex_lock (&self->lock);
  self->ended = true;
  g_mutex_unlock (&self->lock);
  /* Those that have ended take no notice. */
  for (guint i = 0; i < self->n_chunks; i++)
    gaio_request_cancel (self->chunks[i].request);
  unref (self);
}
