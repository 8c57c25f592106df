/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The window between a streaming thread and a file.
 *
 *   streaming thread                       I/O thread (home of the file's context)
 *   ----------------                       ---------------------------------------
 *   push: wait for room, take credit
 *         hold or copy, queue            > pump: take from the head what is contiguous, submit
 *         wake the pump if it sleeps       done: release the memory, give the credit back,
 *                                                pump again
 *
 * The queue is in push order and one request is in flight, so writes take effect in push order:
 * overlapping ones land as they were pushed, and a growing file has no holes if the process is
 * killed. What piled up during a write goes out in the next one, so a slow disk gets large writes
 * without anybody tuning them. Truncations and syncs stand in the same queue, which makes them
 * barriers.
 *
 * A big buffer is held by reference; a small one is copied, which is cheaper than a reference, a
 * mapping and an element of an I/O vector. So is one that comes from a pool of limited size: a
 * camera has eight buffers, and a window that kept them would stop the camera as surely as a
 * blocking write would. The window's size bounds the memory of both: copies count with
 * their size, held memory with all that the reference keeps alive. On top of it come the
 * unused parts of at most two chunks, and the few idle ones of the chunk pool.
 *
 * The streaming thread makes no system call on a file. It waits in two places, for room and for
 * the end of everything, and gst_gaio_window_interrupt() gets it out of both.
 *
 * The window does not know of GStreamer's states, events and messages; the sink does. */

#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "gstgaiowindow.h"

/* What one write joins. Long enough that the way through two threads disappears beside the copy
 * in the kernel, short enough that memory comes back soon. */
#define MAX_WRITE_BYTES (1024 * 1024)

/* A fast stream gathers what comes in so much time, though that is more than it was told to: at
 * 1 GiB/s a write for every 64 KiB costs more than the copy it makes. */
#define GATHER_NS (10 * G_GINT64_CONSTANT (1000000))

#define MAX_CHUNK_BYTES (256 * 1024)
#define MIN_CHUNK_BYTES (4 * 1024)
#define MAX_IDLE_CHUNKS 16

/* Bytes that are too few to be worth a write wait no longer than this for more to come. */
#define MAX_AGE_NS (500 * G_GINT64_CONSTANT (1000000))

struct _GstGaioWindow
{
  /* immutable */
  gsize threshold;
  GstGaioWindowFailedFunc failed_func;
  gpointer user_data;
  GaioBottomHalf *pump_bh;
  GaioTimer *timer;
  GaioRequest *request;

  /* streaming thread */
  GstGaioTail tail; /* where small buffers go */

  /* I/O thread: the request in flight */
  GstGaioOperationKind kind;
  guint64 offset;
  gsize size;
  gsize cost;
  GPtrArray *batch; /* (element-type GBytes) */

  GMutex lock;
  GCond cond;

  /* under lock */
  guint64 max_bytes;
  GQueue queue;         /* of GstGaioOperation */
  gsize queued;         /* bytes in it */
  gint64 oldest_ns;     /* when its head came there */
  gsize gather;         /* an idle writer begins at so many bytes; threshold at least */
  gint64 taken_ns;      /* the last time that something was taken from the queue, and */
  guint64 taken_at;     /* what had been accepted by then */
  bool busy;            /* a request is in flight: its end pumps */
  bool kicked;          /* the bottom half is scheduled: it pumps */
  bool timed;           /* the timer is armed: it pumps */
  bool hurry;           /* write even little, until the queue is empty */
  guint interrupts;     /* of GstGaioInterrupt */
  bool failed;
  guint n_draining;
  bool waiting;         /* somebody waits for room, and */
  guint64 wake_level;   /* is to be woken when no more than this is held */
  GstGaioWindowStats stats;
};

/* The writer: all in the I/O thread, but for kick_locked(). */

static void
kick_locked (GstGaioWindow *self)
{
  if (self->busy || self->kicked || self->failed)
    return;
  self->kicked = true;
  gaio_bottom_half_schedule (self->pump_bh);
}

static bool
wants_write_locked (GstGaioWindow *self)
{
  return self->queue.length > 0 && (self->hurry || self->queued >= self->gather);
}

/* Sees to it that what is queued will be written. */
static void
arrange_locked (GstGaioWindow *self)
{
  if (wants_write_locked (self))
    {
      kick_locked (self);
    }
  else if (self->queue.length > 0 && !self->busy && !self->kicked && !self->timed)
    {
      self->timed = true;
      gaio_timer_arm_ns (self->timer, self->oldest_ns + MAX_AGE_NS);
    }
}

/* Sets `gather` by the speed of the stream since the last time. */
static void
measure_locked (GstGaioWindow *self, gint64 now_ns)
{
  double n_bytes = self->stats.accepted - self->taken_at;
  double gathered = n_bytes * GATHER_NS / MAX (now_ns - self->taken_ns, 1);

  self->gather = MAX (self->threshold, (gsize) MIN (gathered, MAX_WRITE_BYTES));
  self->taken_ns = now_ns;
  self->taken_at = self->stats.accepted;
}

/* Moves the head of the queue, and what continues it in the file, to `batch`. */
static void
take_locked (GstGaioWindow *self, GQueue *batch)
{
  GstGaioOperation *operation = g_queue_peek_head (&self->queue);
  gint64 now_ns = gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC);

  measure_locked (self, now_ns);
  self->kind = operation->kind;
  self->offset = operation->offset;
  self->size = 0;
  self->cost = 0;
  do
    {
      g_queue_unlink (&self->queue, &operation->link);
      g_queue_push_tail_link (batch, &operation->link);
      self->queued -= operation->size;
      self->size += operation->size;
      self->cost += operation->cost;
      operation = g_queue_peek_head (&self->queue);
    }
  while (operation != NULL && self->kind == GST_GAIO_OPERATION_WRITE &&
         operation->kind == GST_GAIO_OPERATION_WRITE &&
         operation->offset == self->offset + self->size &&
         self->size + operation->size <= MAX_WRITE_BYTES && batch->length < IOV_MAX);

  if (self->queue.length == 0)
    self->hurry = false;
  else
    self->oldest_ns = now_ns;
}

static void
submit (GstGaioWindow *self, GQueue *batch)
{
  switch (self->kind)
    {
    case GST_GAIO_OPERATION_WRITE:
      for (GList *link = g_queue_pop_head_link (batch); link != NULL;
           link = g_queue_pop_head_link (batch))
        {
          GstGaioOperation *operation = link->data;

          g_ptr_array_add (self->batch,
                           g_bytes_new_with_free_func (operation->data,
                                                       operation->size,
                                                       (GDestroyNotify) gst_gaio_operation_free,
                                                       operation));
        }
      gaio_request_writev (self->request,
                           (goffset) self->offset,
                           (GBytes *const *) self->batch->pdata,
                           self->batch->len);
      break;

    case GST_GAIO_OPERATION_TRUNCATE:
      gaio_request_truncate (self->request, (goffset) self->offset);
      break;

    case GST_GAIO_OPERATION_SYNC:
      gaio_request_sync (self->request, TRUE);
      break;
    }
  gst_gaio_operations_free (batch);
}

static void
pump (gpointer user_data)
{
  GstGaioWindow *self = user_data;
  GQueue batch = G_QUEUE_INIT;

  g_mutex_lock (&self->lock);
  self->kicked = false;
  if (self->busy || self->failed || !wants_write_locked (self))
    {
      arrange_locked (self);
      g_mutex_unlock (&self->lock);
      return;
    }
  take_locked (self, &batch);
  self->busy = true;
  g_mutex_unlock (&self->lock);

  submit (self, &batch);
}

static void
timer_fired (gpointer user_data)
{
  GstGaioWindow *self = user_data;

  g_mutex_lock (&self->lock);
  self->timed = false;
  /* The timer was armed for bytes that may be gone meanwhile: those here now may be younger. */
  if (self->queue.length > 0 &&
      gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC) - self->oldest_ns >= MAX_AGE_NS)
    self->hurry = true;
  g_mutex_unlock (&self->lock);

  pump (self);
}

static void
fail (GstGaioWindow *self, gsize n_written, const GError *error)
{
  GQueue dropped = G_QUEUE_INIT;

  /* First the report and then the flag: who learns of a failure from a return value must not be
   * able to report it as one of its own before we do. */
  self->failed_func (self->kind, self->offset + n_written, error, self->user_data);

  g_mutex_lock (&self->lock);
  dropped = self->queue;
  g_queue_init (&self->queue);
  self->queued = 0;
  self->busy = false;
  self->failed = true;
  self->stats.written += n_written;
  self->stats.lost += self->stats.level - n_written;
  self->stats.level = 0;
  self->stats.held = 0;
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);

  gst_gaio_operations_free (&dropped);
}

static void
request_done (GaioRequest *request, gpointer user_data)
{
  GstGaioWindow *self = user_data;
  g_autoptr (GError) error = NULL;
  gsize n_written = 0;
  gboolean ok = gaio_request_get_result (request, &n_written, &error);

  /* The memory goes back before its credit does: the bound is on memory. */
  g_ptr_array_set_size (self->batch, 0);
  if (!ok)
    {
      fail (self, self->kind == GST_GAIO_OPERATION_WRITE ? n_written : 0, error);
      return;
    }

  g_mutex_lock (&self->lock);
  self->busy = false;
  self->stats.written += self->size;
  self->stats.level -= self->size;
  self->stats.held -= self->cost;
  self->stats.writes += self->kind == GST_GAIO_OPERATION_WRITE;
  self->stats.syncs += self->kind == GST_GAIO_OPERATION_SYNC;
  if ((self->waiting && self->stats.held <= self->wake_level) ||
      (self->n_draining > 0 && self->queue.length == 0))
    g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);

  pump (self);
}

/* The streaming thread. */

static bool
has_room_locked (GstGaioWindow *self, gsize cost)
{
  /* A buffer larger than the window goes through alone. */
  return self->stats.held == 0 ||
         (self->stats.held < self->max_bytes && cost <= self->max_bytes - self->stats.held);
}

static void
add_credit_locked (GstGaioWindow *self, gsize size, gsize cost)
{
  self->stats.accepted += size;
  self->stats.level += size;
  self->stats.level_peak = MAX (self->stats.level_peak, self->stats.level);
  self->stats.held += cost;
  self->stats.held_peak = MAX (self->stats.held_peak, self->stats.held);
}

/* Waits until the window has room, and takes it. */
static GstGaioWindowResult
take_credit_locked (GstGaioWindow *self, gsize size, gsize cost)
{
  GstGaioWindowResult result = GST_GAIO_WINDOW_OK;
  gint64 since_us = 0;

  while (!self->failed && !has_room_locked (self, cost))
    {
      if (self->interrupts != 0)
        {
          result = GST_GAIO_WINDOW_INTERRUPTED;
          break;
        }
      if (since_us == 0)
        {
          since_us = g_get_monotonic_time ();
          self->stats.waits++;
        }
      /* Not at the first byte of room: when the source is the faster side this thread would wake
       * up for every write, to push a buffer or two. */
      self->wake_level = self->max_bytes - self->max_bytes / 8;
      self->wake_level = MIN (self->wake_level,
                              cost < self->max_bytes ? self->max_bytes - cost : 0);
      self->waiting = true;
      self->hurry = true;
      kick_locked (self);
      g_cond_wait (&self->cond, &self->lock);
      self->waiting = false;
    }

  if (since_us != 0)
    self->stats.waited_ns += (guint64) (g_get_monotonic_time () - since_us) * 1000;
  if (self->failed)
    return GST_GAIO_WINDOW_FAILED;
  if (result == GST_GAIO_WINDOW_OK)
    add_credit_locked (self, size, cost);
  return result;
}

static void
queue_locked (GstGaioWindow *self, GstGaioOperation *operation)
{
  if (self->queue.length == 0)
    self->oldest_ns = gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC);
  g_queue_push_tail_link (&self->queue, &operation->link);
  self->queued += operation->size;
}

/* Queues, in one step, what was made of a buffer. A failure while it was made has dropped its
 * credit with everything else. */
static GstGaioWindowResult
publish (GstGaioWindow *self, GQueue *operations)
{
  GstGaioWindowResult result = GST_GAIO_WINDOW_FAILED;

  g_mutex_lock (&self->lock);
  if (!self->failed)
    {
      for (GList *link = g_queue_pop_head_link (operations); link != NULL;
           link = g_queue_pop_head_link (operations))
        {
          GstGaioOperation *operation = link->data;
          GstGaioOperation *last = g_queue_peek_tail (&self->queue);
          gsize size = operation->size;

          if (last != NULL && gst_gaio_operation_join (last, operation))
            self->queued += size;
          else
            queue_locked (self, operation);
        }
      arrange_locked (self);
      result = GST_GAIO_WINDOW_OK;
    }
  g_mutex_unlock (&self->lock);

  gst_gaio_operations_free (operations);
  return result;
}

static GstGaioWindowResult
push_held (GstGaioWindow *self, GstBuffer *buffer, guint64 offset, gsize size, gsize cost)
{
  GQueue operations = G_QUEUE_INIT;
  GstGaioWindowResult result;

  if (!gst_gaio_operations_hold (&operations, buffer, offset, cost))
    return GST_GAIO_WINDOW_UNREADABLE;
  g_mutex_lock (&self->lock);
  result = take_credit_locked (self, size, cost);
  g_mutex_unlock (&self->lock);
  if (result == GST_GAIO_WINDOW_OK)
    return publish (self, &operations);
  gst_gaio_operations_free (&operations);
  return result;
}

/* Adds a small buffer to the copy at the end of the queue, when it continues that in the file and
 * there is room for it: the way of nearly all buffers of a stream of small ones, without an
 * allocation. */
static bool
push_joined (GstGaioWindow *self, GstBuffer *buffer, guint64 offset, gsize size)
{
  GstGaioOperation *last;
  bool joined = false;

  if (self->tail.chunk == NULL || size > self->tail.chunk->capacity - self->tail.used ||
      gst_buffer_n_memory (buffer) != 1)
    return false;

  g_mutex_lock (&self->lock);
  last = g_queue_peek_tail (&self->queue);
  if (last != NULL && last->chunk == self->tail.chunk &&
      last->data + last->size == self->tail.chunk->data + self->tail.used &&
      last->offset + last->size == offset && has_room_locked (self, size))
    {
      GstMemory *memory = gst_buffer_peek_memory (buffer, 0);
      GstMapInfo map;

      if (gst_memory_map (memory, &map, GST_MAP_READ))
        {
          memcpy (self->tail.chunk->data + self->tail.used, map.data, size);
          gst_memory_unmap (memory, &map);
          self->tail.used += size;
          last->size += size;
          last->cost += size;
          self->queued += size;
          self->stats.copied += size;
          add_credit_locked (self, size, size);
          arrange_locked (self);
          joined = true;
        }
    }
  g_mutex_unlock (&self->lock);
  return joined;
}

static GstGaioWindowResult
push_copied (GstGaioWindow *self, GstBuffer *buffer, guint64 offset, gsize size)
{
  GQueue operations = G_QUEUE_INIT;
  GstGaioWindowResult result;

  /* The credit goes first here: a copy takes memory. */
  g_mutex_lock (&self->lock);
  result = take_credit_locked (self, size, size);
  g_mutex_unlock (&self->lock);
  if (result != GST_GAIO_WINDOW_OK)
    return result;

  if (gst_gaio_operations_copy (&operations, &self->tail, buffer, offset))
    {
      g_mutex_lock (&self->lock);
      self->stats.copied += size;
      g_mutex_unlock (&self->lock);
      return publish (self, &operations);
    }

  g_mutex_lock (&self->lock);
  if (!self->failed)
    {
      self->stats.accepted -= size;
      self->stats.level -= size;
      self->stats.held -= size;
    }
  g_mutex_unlock (&self->lock);
  return GST_GAIO_WINDOW_UNREADABLE;
}

GstGaioWindowResult
gst_gaio_window_push (GstGaioWindow *self, GstBuffer *buffer, guint64 offset)
{
  gsize size = gst_buffer_get_size (buffer);
  gsize cost;

  if (size == 0)
    return GST_GAIO_WINDOW_OK;
  if (gst_gaio_should_hold (buffer, size, &cost))
    return push_held (self, buffer, offset, size, cost);
  if (size < GST_GAIO_HOLD_MIN_BYTES && push_joined (self, buffer, offset, size))
    return GST_GAIO_WINDOW_OK;
  return push_copied (self, buffer, offset, size);
}

void
gst_gaio_window_truncate (GstGaioWindow *self, guint64 length)
{
  GQueue dropped = G_QUEUE_INIT;

  g_mutex_lock (&self->lock);
  if (!self->failed)
    {
      dropped = self->queue;
      g_queue_init (&self->queue);
      self->queued = 0;
      for (GList *link = dropped.head; link != NULL; link = link->next)
        {
          GstGaioOperation *operation = link->data;

          self->stats.lost += operation->size;
          self->stats.level -= operation->size;
          self->stats.held -= operation->cost;
        }
      queue_locked (self, gst_gaio_operation_new (GST_GAIO_OPERATION_TRUNCATE, length));
      self->hurry = true;
      arrange_locked (self);
    }
  g_mutex_unlock (&self->lock);

  gst_gaio_operations_free (&dropped);
}

void
gst_gaio_window_sync (GstGaioWindow *self)
{
  g_mutex_lock (&self->lock);
  if (!self->failed)
    {
      queue_locked (self, gst_gaio_operation_new (GST_GAIO_OPERATION_SYNC, 0));
      self->hurry = true;
      arrange_locked (self);
    }
  g_mutex_unlock (&self->lock);
}

static void
hurry_locked (GstGaioWindow *self)
{
  if (self->queue.length == 0)
    return;
  self->hurry = true;
  kick_locked (self);
}

void
gst_gaio_window_flush (GstGaioWindow *self)
{
  g_mutex_lock (&self->lock);
  hurry_locked (self);
  g_mutex_unlock (&self->lock);
}

GstGaioWindowResult
gst_gaio_window_drain (GstGaioWindow *self, gboolean interruptible)
{
  GstGaioWindowResult result = GST_GAIO_WINDOW_OK;

  g_mutex_lock (&self->lock);
  hurry_locked (self);
  self->n_draining++;
  while (!self->failed && (self->busy || self->queue.length > 0))
    {
      if (interruptible && self->interrupts != 0)
        {
          result = GST_GAIO_WINDOW_INTERRUPTED;
          break;
        }
      g_cond_wait (&self->cond, &self->lock);
    }
  self->n_draining--;
  if (self->failed)
    result = GST_GAIO_WINDOW_FAILED;
  g_mutex_unlock (&self->lock);
  return result;
}

void
gst_gaio_window_interrupt (GstGaioWindow *self, GstGaioInterrupt reason)
{
  g_mutex_lock (&self->lock);
  self->interrupts |= reason;
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
}

void
gst_gaio_window_resume (GstGaioWindow *self, GstGaioInterrupt reason)
{
  g_mutex_lock (&self->lock);
  self->interrupts &= ~reason;
  g_mutex_unlock (&self->lock);
}

void
gst_gaio_window_set_max_bytes (GstGaioWindow *self, guint64 max_bytes)
{
  g_mutex_lock (&self->lock);
  self->max_bytes = max_bytes;
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
}

void
gst_gaio_window_get_stats (GstGaioWindow *self, GstGaioWindowStats *stats)
{
  g_mutex_lock (&self->lock);
  *stats = self->stats;
  g_mutex_unlock (&self->lock);
}

GstGaioWindow *
gst_gaio_window_new (GaioFile *file,
                     guint64 max_bytes,
                     gsize threshold_bytes,
                     GstGaioWindowFailedFunc failed,
                     gpointer user_data)
{
  GstGaioWindow *self = g_new0 (GstGaioWindow, 1);
  GaioContext *context = gaio_file_get_context (file);

  self->max_bytes = max_bytes;
  self->threshold = threshold_bytes;
  self->gather = threshold_bytes;
  self->taken_ns = gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC);
  self->failed_func = failed;
  self->user_data = user_data;
  self->batch = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
  /* A chunk is what the bound can be exceeded by, so a small window has small ones. */
  self->tail.pool =
      gst_gaio_chunk_pool_new (CLAMP (max_bytes / 4, MIN_CHUNK_BYTES, MAX_CHUNK_BYTES),
                               MAX_IDLE_CHUNKS);
  g_queue_init (&self->queue);
  g_mutex_init (&self->lock);
  g_cond_init (&self->cond);
  self->pump_bh = gaio_bottom_half_new (context, pump, self, NULL);
  self->timer = gaio_timer_new (context, GAIO_CLOCK_MONOTONIC, timer_fired, self, NULL);
  self->request = gaio_request_new (file, request_done, self, NULL);
  return self;
}

void
gst_gaio_window_free (GstGaioWindow *self)
{
  gaio_timer_cancel (self->timer);
  g_object_unref (self->timer);
  gaio_bottom_half_destroy (self->pump_bh);
  g_object_unref (self->pump_bh);
  gaio_request_unref (self->request);

  gst_gaio_operations_free (&self->queue);
  g_ptr_array_unref (self->batch);
  g_clear_pointer (&self->tail.chunk, gst_gaio_chunk_unref);
  gst_gaio_chunk_pool_unref (self->tail.pool);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->cond);
  g_free (self);
}
