/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The window of a stream that is written.
 *
 *     put ----> filling ----> writing ----> file
 *               (memory)      (memory)   pwritev() in a worker, or in a thread that drains
 *
 * One buffer is filled while the other is being written. The first put sends a worker off at once;
 * what comes meanwhile is gathered, and written in one piece when the worker is back. So a file
 * grows without holes, in writes that are the larger the slower the disk is, and a program's bytes
 * are in the file soon without a flush.
 *
 * The writes are jobs of the thread pool and not of the ring. For a write into the page cache that
 * is no loss, since the kernel gives those to threads of its own, or does them inside the
 * submission where the loop would have to wait. And it lets a blocking call, in whichever thread,
 * wait for what is being written, and write the rest itself, without anybody turning the file's
 * context.
 *
 * A write that fails is the end of the window: what it has is given up, and the error stays for
 * every later call.
 *
 * Only the thread that has set `running` touches the buffer that is being written. */

#include "config.h"

#include <string.h>

#include <gaio/file/gaio-write-behind-private.h>

/* Buffers grow to what is needed, by doubling. */
#define MIN_BYTES ((gsize) 16 * 1024)

typedef struct
{
  goffset offset;
  guint8 *data;
  gsize size;
  gsize allocated;
} Buffer;

struct _GaioWriteBehind
{
  GaioJob job; /* first: the pool casts back */

  atomic_uint refs; /* the stream's, and the job's while it is out */

  /* immutable */
  GaioFile *file;
  GaioRequest *request; /* blocking; of whoever is running */
  gsize capacity;       /* of a buffer */

  /* under lock */
  GMutex lock;
  GCond written; /* `running` is false again */
  Buffer filling;
  Buffer writing;  /* `size` is 0 when it is written, or given up */
  bool running;    /* somebody writes it */
  bool job_is_out; /* submitted, and its end has not been seen at home */
  GError *error;   /* the first */
  gsize room;      /* that the waiter waits for; 0: for all to be written */
  GaioStreamWaiter *waiter;
};

static void work (GaioJob *job);
static void done (GaioJob *job, bool cancelled);

GaioWriteBehind *
gaio_write_behind_new (GaioFile *file, gsize bytes)
{
  GaioWriteBehind *self = g_new0 (GaioWriteBehind, 1);

  atomic_init (&self->refs, 1);
  self->file = g_object_ref (file);
  self->request = gaio_request_new_blocking (file, NULL);
  self->capacity = MAX (bytes / 2, 1);
  g_mutex_init (&self->lock);
  g_cond_init (&self->written);
  self->job.work = work;
  self->job.done = done;
  return self;
}

void
gaio_write_behind_unref (GaioWriteBehind *self)
{
  if (atomic_fetch_sub_explicit (&self->refs, 1, memory_order_acq_rel) != 1)
    return;
  gaio_request_unref (self->request);
  g_object_unref (self->file);
  g_free (self->filling.data);
  g_free (self->writing.data);
  g_clear_error (&self->error);
  g_clear_pointer (&self->waiter, gaio_stream_waiter_unref);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->written);
  g_free (self);
}

/* Makes what has been filled the next to be written; false when there is nothing to write. */
static bool
swap_locked (GaioWriteBehind *self)
{
  Buffer filled = self->filling;

  if (self->error != NULL)
    self->filling.size = 0;
  if (self->writing.size > 0 || self->filling.size == 0)
    return self->writing.size > 0;
  self->filling = self->writing;
  self->writing = filled;
  return true;
}

static void
write_locked (GaioWriteBehind *self)
{
  g_autoptr (GBytes) bytes = g_bytes_new_static (self->writing.data, self->writing.size);
  GError *error = NULL;

  self->running = true;
  g_mutex_unlock (&self->lock);
  gaio_request_write (self->request, self->writing.offset, bytes);
  gaio_request_get_result (self->request, NULL, &error);
  g_mutex_lock (&self->lock);
  self->running = false;
  self->writing.size = 0;
  if (self->error == NULL)
    self->error = error;
  else
    g_clear_error (&error);
  g_cond_broadcast (&self->written);
}

/* In a child process what is here is the parent's, and so is the worker that has it; the lock may
 * be held for ever. */
static bool
is_after_fork (GaioWriteBehind *self)
{
  return G_UNLIKELY (self->file->fork_count != gaio_fork_get_count ());
}

static bool
is_empty_locked (GaioWriteBehind *self)
{
  return !self->running && self->writing.size == 0 && self->filling.size == 0;
}

static bool
is_satisfied_locked (GaioWriteBehind *self)
{
  if (self->room == 0)
    return is_empty_locked (self);
  return self->error != NULL || self->filling.size + self->room <= self->capacity;
}

/* Whether the job is to be submitted, which must be done without the lock. */
static bool
begin_job_locked (GaioWriteBehind *self)
{
  if (self->job_is_out || self->running || !swap_locked (self))
    return false;
  self->job_is_out = true;
  atomic_fetch_add_explicit (&self->refs, 1, memory_order_relaxed);
  return true;
}

static void
submit_job (GaioWriteBehind *self)
{
  gaio_job_submit (&self->job, gaio_thread_pool_get_default (), self->file->context);
}

/* In a worker. A thread that drains may have done it by now, or be at it. */
static void
work (GaioJob *job)
{
  GaioWriteBehind *self = (GaioWriteBehind *) job;

  g_mutex_lock (&self->lock);
  if (!self->running && self->writing.size > 0)
    write_locked (self);
  g_mutex_unlock (&self->lock);
}

/* At home. */
static void
done (GaioJob *job, bool cancelled)
{
  GaioWriteBehind *self = (GaioWriteBehind *) job;
  GaioStreamWaiter *waiter = NULL;
  bool again;

  /* The context ends; what was taken has still to be written. */
  if (cancelled)
    work (job);
  g_mutex_lock (&self->lock);
  self->job_is_out = false;
  again = begin_job_locked (self);
  if (self->waiter != NULL && is_satisfied_locked (self))
    waiter = g_steal_pointer (&self->waiter);
  g_mutex_unlock (&self->lock);
  if (again)
    submit_job (self);
  if (waiter != NULL)
    gaio_stream_waiter_wake (waiter);
  gaio_write_behind_unref (self);
}

static void
append_locked (GaioWriteBehind *self, const GOutputVector *vectors, gsize n_vectors, gsize total)
{
  Buffer *buffer = &self->filling;

  if (buffer->size + total > buffer->allocated)
    {
      gsize larger = MAX (MAX (buffer->allocated * 2, buffer->size + total), MIN_BYTES);

      buffer->allocated = MIN (larger, MAX (self->capacity, MIN_BYTES));
      buffer->data = g_realloc (buffer->data, buffer->allocated);
    }
  for (gsize i = 0; i < n_vectors; i++)
    if (vectors[i].size > 0)
      {
        memcpy (buffer->data + buffer->size, vectors[i].buffer, vectors[i].size);
        buffer->size += vectors[i].size;
      }
}

GaioWriteBehindResult
gaio_write_behind_put (GaioWriteBehind *self,
                       goffset offset,
                       const GOutputVector *vectors,
                       gsize n_vectors,
                       gsize total,
                       GError **error)
{
  GaioWriteBehindResult result = GAIO_WRITE_BEHIND_PUT;
  bool begin = false;

  g_mutex_lock (&self->lock);
  if (self->error != NULL)
    {
      g_propagate_error (error, g_error_copy (self->error));
      result = GAIO_WRITE_BEHIND_FAILED;
    }
  else if (self->filling.size + total > self->capacity)
    result = GAIO_WRITE_BEHIND_FULL;
  else
    {
      if (self->filling.size == 0)
        self->filling.offset = offset;
      append_locked (self, vectors, n_vectors, total);
      begin = begin_job_locked (self);
    }
  g_mutex_unlock (&self->lock);
  if (begin)
    submit_job (self);
  return result;
}

void
gaio_write_behind_wait (GaioWriteBehind *self, gsize room, GaioStreamWaiter *waiter)
{
  GaioStreamWaiter *stale;

  g_mutex_lock (&self->lock);
  stale = g_steal_pointer (&self->waiter); /* of an operation that was cancelled */
  self->room = room;
  if (!is_satisfied_locked (self))
    self->waiter = g_steal_pointer (&waiter);
  g_mutex_unlock (&self->lock);
  g_clear_pointer (&stale, gaio_stream_waiter_unref);
  if (waiter != NULL)
    gaio_stream_waiter_wake (waiter);
}

bool
gaio_write_behind_is_empty (GaioWriteBehind *self)
{
  bool result;

  if (is_after_fork (self))
    return true;
  g_mutex_lock (&self->lock);
  result = is_empty_locked (self);
  g_mutex_unlock (&self->lock);
  return result;
}

static bool
check_locked (GaioWriteBehind *self, GError **error)
{
  if (self->error != NULL)
    g_propagate_error (error, g_error_copy (self->error));
  return self->error == NULL;
}

bool
gaio_write_behind_check (GaioWriteBehind *self, GError **error)
{
  bool result;

  if (is_after_fork (self))
    return true;
  g_mutex_lock (&self->lock);
  result = check_locked (self, error);
  g_mutex_unlock (&self->lock);
  return result;
}

bool
gaio_write_behind_drain (GaioWriteBehind *self, GError **error)
{
  bool result;

  if (is_after_fork (self))
    return true;
  g_mutex_lock (&self->lock);
  while (self->running || swap_locked (self))
    if (self->running)
      g_cond_wait (&self->written, &self->lock);
    else
      write_locked (self);
  result = check_locked (self, error);
  g_mutex_unlock (&self->lock);
  return result;
}
