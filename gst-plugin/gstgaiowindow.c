/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The window between a streaming thread and a file.
 *
 *   streaming thread                       the loop's thread (home of the file's context)
 *   ----------------                       ----------------------------------------------
 *   push: wait for room, take credit
 *         hold or copy, queue            > pump: take from the head what is contiguous, submit
 *         wake the pump if it sleeps       done: release the memory, give the credit back,
 *                                                pump again
 *
 * This file is the left side; the right one is in gstgaiowriter.c, and what both counted is told in
 * gstgaiowindow-stats.c.
 *
 * A big buffer is held by reference; a small one is copied, which is cheaper than a reference, a
 * mapping and an element of an I/O vector. So is one that comes from a pool of limited size: a
 * camera has eight buffers, and a window that kept them would stop the camera as surely as a
 * blocking write would. The window's size bounds the memory of both: copies count with their size,
 * held memory with all that the reference keeps alive, and an element of the queue with no less
 * than what it takes itself. On top of it come the unused parts of the chunks. Chunks that are idle
 * are kept for the next burst where the window has room for them: together with what is held they
 * are no more than its size, or else they are no more than MIN_IDLE_BYTES.
 *
 * The streaming thread makes no system call on a file. It waits in two places, for room and for
 * the end of everything, and gst_gaio_window_interrupt() gets it out of both; and for less than a
 * millisecond in a third, for what it makes to be still in the cache when it is written.
 *
 * A window that cannot be drained in time is abandoned: the sink goes its way, and what the kernel
 * still reads from, the file and the loop stay until it has let go. Nothing of the sink is kept.
 *
 * The window does not know of GStreamer's states, events and messages; the sink does.
 *
 * Lock order: the window's lock is the innermost. */

#include <string.h>

#include "gstgaiowindow-private.h"

GST_DEBUG_CATEGORY (gst_gaio_window_debug);

/* As much as one write joins: more pieces in a write cost more than a longer copy saves. */
#define MAX_CHUNK_BYTES (1024 * 1024)
#define MIN_CHUNK_BYTES GST_GAIO_CHUNK_ALIGNMENT

/* Memory that is used again is there already. So much stays; and what a burst took stays for longer
 * than the five seconds after which file systems and write-back go to work again. */
#define MIN_IDLE_BYTES (16 * 1024 * 1024)
#define KEEP_NS (15 * G_GINT64_CONSTANT (1000000000))

/* A source that makes data faster than any disk would fill the window with memory that no cache
 * holds any more when it is written, which costs half as much again as the write. So from this
 * level on one that comes so fast is held up for a moment in so many bytes; not one that has a
 * clock to follow. While a write takes long it is the window's turn, so then it is a moment in more
 * bytes. */
#define PACE_BYTES (4 * 1024 * 1024)
#define PACE_BYTES_PER_SECOND (256 * G_GINT64_CONSTANT (1024 * 1024))
#define PACE_STEP_BYTES (64 * 1024)
#define PACE_SLOW_STEP_BYTES (256 * 1024)
#define PACE_WAIT_NS (500 * G_GINT64_CONSTANT (1000))
#define PACE_WRITE_NS (5 * G_GINT64_CONSTANT (1000000))

static gint64
get_now (void)
{
  return gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC);
}

static bool
is_late_locked (GstGaioWindow *self)
{
  gint64 oldest;

  if (self->max_time_ns == 0)
    return false;
  oldest = gst_gaio_writer_get_oldest_locked (self);
  return oldest != G_MAXINT64 && (guint64) MAX (get_now () - oldest, 0) > self->max_time_ns;
}

static bool
has_room_locked (GstGaioWindow *self, gsize cost)
{
  /* A buffer larger than the window goes through alone. */
  return self->stats.held == 0 ||
         (self->stats.held < self->max_bytes && cost <= self->max_bytes - self->stats.held &&
          !is_late_locked (self));
}

static guint64
get_room_locked (GstGaioWindow *self)
{
  return self->max_bytes - MIN (self->stats.held, self->max_bytes);
}

static void
add_credit_locked (GstGaioWindow *self, guint64 offset, gsize size, gsize cost)
{
  self->sequential = self->sequential && offset == self->end;
  self->end = offset + size;
  self->unfinished = true;
  self->stats.accepted += size;
  self->stats.level += size;
  self->stats.level_peak = MAX (self->stats.level_peak, self->stats.level);
  self->stats.held += cost;
  self->stats.held_peak = MAX (self->stats.held_peak, self->stats.held);
}

static gint64
get_write_start_locked (GstGaioWindow *self)
{
  gint64 started_ns = G_MAXINT64;

  for (guint i = 0; i < self->config.max_in_flight; i++)
    if (self->slots[i].busy)
      started_ns = MIN (started_ns, self->slots[i].started_ns);
  return started_ns;
}

/* Holds up a source that is faster than the disk. */
static void
pace_locked (GstGaioWindow *self)
{
  gint64 step = (gint64) (self->stats.accepted - self->paced_at);
  gint64 now_ns;
  bool is_fast;

  if (self->stats.held <= PACE_BYTES || step < PACE_STEP_BYTES || self->failed ||
      self->interrupts != 0)
    return;
  now_ns = get_now ();
  if (step < PACE_SLOW_STEP_BYTES && self->n_busy > 0 &&
      now_ns - get_write_start_locked (self) > PACE_WRITE_NS)
    return;
  is_fast = (now_ns - self->paced_ns) / 1000 < step * (1000 * 1000) / PACE_BYTES_PER_SECOND;
  if (is_fast)
    {
      self->wake_level = PACE_BYTES - PACE_BYTES / 4;
      self->waiting = true;
      g_cond_wait_until (&self->cond, &self->lock, (now_ns + PACE_WAIT_NS) / 1000);
      self->waiting = false;
      now_ns = get_now ();
    }
  self->paced_at = self->stats.accepted;
  self->paced_ns = now_ns;
}

static void
hurry_locked (GstGaioWindow *self)
{
  if (self->queue.length == 0)
    return;
  self->hurry = true;
  gst_gaio_writer_kick_locked (self);
}

/* Waits until the window has room, and takes it. */
static GstGaioWindowResult
take_credit_locked (GstGaioWindow *self, guint64 offset, gsize size, gsize cost, gboolean may_wait)
{
  GstGaioWindowResult result = GST_GAIO_WINDOW_OK;
  gint64 since_ns = 0;

  if (may_wait)
    pace_locked (self);
  while (!self->failed && !has_room_locked (self, cost))
    {
      if (!may_wait || self->interrupts != 0)
        {
          hurry_locked (self);
          result = may_wait ? GST_GAIO_WINDOW_INTERRUPTED : GST_GAIO_WINDOW_FULL;
          break;
        }
      if (since_ns == 0)
        {
          since_ns = get_now ();
          self->stats.waits++;
        }
      /* Not at the first byte of room: when the source is the faster side this thread would wake
       * up for every write, to push a buffer or two. */
      self->wake_level = self->max_bytes - self->max_bytes / 8;
      self->wake_level =
          MIN (self->wake_level, cost < self->max_bytes ? self->max_bytes - cost : 0);
      if (self->max_time_ns != 0)
        self->wake_level = G_MAXUINT64;
      self->waiting = true;
      self->hurry = true;
      gst_gaio_writer_kick_locked (self);
      g_cond_wait (&self->cond, &self->lock);
      self->waiting = false;
    }

  if (since_ns != 0)
    self->stats.waited_ns += (guint64) (get_now () - since_ns);
  if (self->failed)
    return GST_GAIO_WINDOW_FAILED;
  if (result == GST_GAIO_WINDOW_OK)
    add_credit_locked (self, offset, size, cost);
  return result;
}

static void
queue_locked (GstGaioWindow *self, GstGaioOperation *operation)
{
  operation->since_ns = get_now ();
  g_queue_push_tail_link (&self->queue, &operation->link);
  self->queued += operation->size;
}

/* A copy that is no element of its own costs its bytes and no more. */
static bool
join_locked (GstGaioWindow *self, GstGaioOperation *operation)
{
  GstGaioOperation *last = g_queue_peek_tail (&self->queue);
  gsize size = operation->size;
  gsize surplus = operation->cost - size;

  if (operation->chunk == NULL || last == NULL || !gst_gaio_operation_join (last, operation))
    return false;
  last->cost -= surplus;
  self->stats.held -= surplus;
  self->queued += size;
  return true;
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
          if (!join_locked (self, link->data))
            queue_locked (self, link->data);
        }
      gst_gaio_writer_arrange_locked (self);
      result = GST_GAIO_WINDOW_OK;
    }
  g_mutex_unlock (&self->lock);

  gst_gaio_operations_free (operations);
  return result;
}

static GstGaioWindowResult
push_held (GstGaioWindow *self,
           GstBuffer *buffer,
           guint64 offset,
           gsize size,
           gsize cost,
           gboolean may_wait)
{
  GQueue operations = G_QUEUE_INIT;
  GstGaioWindowResult result;
  guint64 room;

  if (!gst_gaio_operations_hold (&operations, buffer, offset, cost))
    return GST_GAIO_WINDOW_UNREADABLE;
  g_mutex_lock (&self->lock);
  result = take_credit_locked (self, offset, size, cost, may_wait);
  if (result == GST_GAIO_WINDOW_OK)
    self->stats.held_buffers++;
  room = get_room_locked (self);
  g_mutex_unlock (&self->lock);
  /* Copies use idle chunks, but this comes beside them. */
  if (self->tail.chunk != NULL)
    gst_gaio_chunk_pool_trim (self->tail.pool, room);
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
      last->offset + last->size == offset && self->stats.held <= PACE_BYTES &&
      has_room_locked (self, size))
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
          self->stats.copies++;
          self->stats.copied += size;
          add_credit_locked (self, offset, size, size);
          gst_gaio_writer_arrange_locked (self);
          joined = true;
        }
    }
  g_mutex_unlock (&self->lock);
  return joined;
}

static GstGaioWindowResult
push_copied (GstGaioWindow *self, GstBuffer *buffer, guint64 offset, gsize size, gboolean may_wait)
{
  GQueue operations = G_QUEUE_INIT;
  gsize cost = MAX (size, GST_GAIO_OPERATION_MIN_COST);
  GstGaioWindowResult result;

  /* The credit goes first here: a copy takes memory. */
  g_mutex_lock (&self->lock);
  result = take_credit_locked (self, offset, size, cost, may_wait);
  g_mutex_unlock (&self->lock);
  if (result != GST_GAIO_WINDOW_OK)
    return result;

  if (gst_gaio_operations_copy (&operations, &self->tail, buffer, offset))
    {
      ((GstGaioOperation *) operations.tail->data)->cost += cost - size;
      g_mutex_lock (&self->lock);
      self->stats.copies++;
      self->stats.copied += size;
      g_mutex_unlock (&self->lock);
      return publish (self, &operations);
    }

  g_mutex_lock (&self->lock);
  if (!self->failed)
    {
      self->end = offset;
      self->stats.accepted -= size;
      self->stats.level -= size;
      self->stats.held -= cost;
    }
  g_mutex_unlock (&self->lock);
  return GST_GAIO_WINDOW_UNREADABLE;
}

GstGaioWindowResult
gst_gaio_window_push (GstGaioWindow *self, GstBuffer *buffer, guint64 offset, gboolean may_wait)
{
  gsize size = gst_buffer_get_size (buffer);
  GstGaioWindowResult result;
  gint64 begun_ns;
  guint64 waited_ns; /* only this thread changes what it is taken from */
  gsize cost;

  if (size == 0)
    return GST_GAIO_WINDOW_OK;
  if (self->config.hold != GST_GAIO_HOLD_REF && size < GST_GAIO_HOLD_MIN_BYTES &&
      push_joined (self, buffer, offset, size))
    return GST_GAIO_WINDOW_OK;

  begun_ns = get_now ();
  waited_ns = self->stats.waited_ns;
  if (gst_gaio_should_hold (buffer, size, offset, self->config.hold, self->alignment, &cost))
    result = push_held (self, buffer, offset, size, cost, may_wait);
  else
    result = push_copied (self, buffer, offset, size, may_wait);

  g_mutex_lock (&self->lock);
  waited_ns = self->stats.waited_ns - waited_ns;
  self->stats.render_ns_max =
      MAX (self->stats.render_ns_max, (guint64) (get_now () - begun_ns) - waited_ns);
  g_mutex_unlock (&self->lock);
  return result;
}

gboolean
gst_gaio_window_has_room (GstGaioWindow *self, gsize size)
{
  gboolean has_room;

  g_mutex_lock (&self->lock);
  has_room = has_room_locked (self, size);
  if (!has_room)
    hurry_locked (self);
  g_mutex_unlock (&self->lock);
  return has_room;
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
          self->stats.held_buffers -= operation->buffer != NULL && operation->cost > 0;
        }
      self->end = length;
      self->sequential = self->sequential || length == self->config.base;
      self->unfinished = true;
      queue_locked (self, gst_gaio_operation_new (GST_GAIO_OPERATION_TRUNCATE, length));
      self->hurry = true;
      gst_gaio_writer_arrange_locked (self);
    }
  g_mutex_unlock (&self->lock);

  gst_gaio_operations_free (&dropped);
}

static void
demand_locked (GstGaioWindow *self, GstGaioOperationKind kind)
{
  const GstGaioOperation *last = g_queue_peek_tail (&self->queue);

  if (self->failed)
    return;
  /* One that has not begun is a sync of all that is before it. */
  if (kind == GST_GAIO_OPERATION_SYNC && last != NULL && last->kind == kind)
    return;
  queue_locked (self, gst_gaio_operation_new (kind, 0));
  self->hurry = true;
  gst_gaio_writer_arrange_locked (self);
}

void
gst_gaio_window_sync (GstGaioWindow *self)
{
  g_mutex_lock (&self->lock);
  demand_locked (self, GST_GAIO_OPERATION_SYNC);
  g_mutex_unlock (&self->lock);
}

/* What has no length has nothing to finish. */
static void
finish_locked (GstGaioWindow *self)
{
  if (!self->unfinished || !self->config.is_regular)
    return;
  self->unfinished = false;
  demand_locked (self, GST_GAIO_OPERATION_FINISH);
}

void
gst_gaio_window_finish (GstGaioWindow *self)
{
  g_mutex_lock (&self->lock);
  finish_locked (self);
  g_mutex_unlock (&self->lock);
}

void
gst_gaio_window_close (GstGaioWindow *self)
{
  g_mutex_lock (&self->lock);
  finish_locked (self);
  demand_locked (self, GST_GAIO_OPERATION_CLOSE);
  g_mutex_unlock (&self->lock);
}

void
gst_gaio_window_flush (GstGaioWindow *self)
{
  g_mutex_lock (&self->lock);
  hurry_locked (self);
  g_mutex_unlock (&self->lock);
}

/* A failure ends a wait that can be interrupted; the other one is for the kernel to let go, and
 * for what is done to the file afterwards. */
static bool
is_to_be_waited_for_locked (GstGaioWindow *self, gboolean interruptible)
{
  if (self->failed)
    return !interruptible && (!self->closed || self->n_tales > 0);
  return self->failing || self->n_busy > 0 || self->n_jobs > 0 || self->n_tales > 0 ||
         self->queue.length > 0;
}

GstGaioWindowResult
gst_gaio_window_drain (GstGaioWindow *self, gboolean interruptible, gint64 deadline_us)
{
  GstGaioWindowResult result = GST_GAIO_WINDOW_OK;

  g_mutex_lock (&self->lock);
  hurry_locked (self);
  self->n_draining++;
  while (is_to_be_waited_for_locked (self, interruptible))
    {
      if (interruptible && self->interrupts != 0)
        {
          result = GST_GAIO_WINDOW_INTERRUPTED;
          break;
        }
      if (deadline_us == G_MAXINT64)
        {
          g_cond_wait (&self->cond, &self->lock);
        }
      else if (!g_cond_wait_until (&self->cond, &self->lock, deadline_us) &&
               is_to_be_waited_for_locked (self, interruptible))
        {
          result = GST_GAIO_WINDOW_TIMED_OUT;
          break;
        }
    }
  self->n_draining--;
  if (self->failed && result == GST_GAIO_WINDOW_OK)
    result = GST_GAIO_WINDOW_FAILED;
  g_mutex_unlock (&self->lock);
  /* It may be the end of the stream. */
  gst_gaio_chunk_pool_trim (self->tail.pool, 0);
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
gst_gaio_window_set_limits (GstGaioWindow *self, guint64 max_bytes, guint64 max_time_ns)
{
  guint64 room;

  g_mutex_lock (&self->lock);
  self->max_bytes = max_bytes;
  self->max_time_ns = max_time_ns;
  room = get_room_locked (self);
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
  gst_gaio_chunk_pool_trim (self->tail.pool, room);
}

/* Beginning and end */

/* A chunk is what the bound can be exceeded by, so a small window has small ones; and a copy is one
 * write at most. */
static gsize
get_chunk_capacity (const GstGaioWindowConfig *config)
{
  guint64 capacity = MIN (config->max_bytes / 4, config->chunk_bytes);

  return CLAMP (capacity & ~(guint64) (GST_GAIO_CHUNK_ALIGNMENT - 1), MIN_CHUNK_BYTES,
                MAX_CHUNK_BYTES);
}

GstGaioWindow *
gst_gaio_window_new (GstGaioLoop *loop,
                     GaioFile *file,
                     const GstGaioWindowConfig *config,
                     const GstGaioWindowEvents *events,
                     GstObject *sink)
{
  static gsize has_category;
  GstGaioWindow *self = g_new0 (GstGaioWindow, 1);

  if (g_once_init_enter (&has_category))
    {
      GST_DEBUG_CATEGORY_INIT (gst_gaio_window_debug, "gaiofilesink-io", 0, "gaio file sink I/O");
      g_once_init_leave (&has_category, 1);
    }
  self->refs = 1;
  self->config = *config;
  self->events = *events;
  self->loop = loop;
  self->file = g_object_ref (file);
  self->context = gst_gaio_loop_get_context (loop);
  self->alignment = config->direct ? GST_GAIO_CHUNK_ALIGNMENT : 1;
  self->stray.device = config->device;
  self->stray.inode = config->inode;
  self->sink = sink;
  self->max_bytes = config->max_bytes;
  self->max_time_ns = config->max_time_ns;
  self->end = config->base;
  self->length = config->length;
  self->sequential = true;
  /* Also a file that stays empty has a name. */
  self->unfinished = config->sync_mode != GST_GAIO_SYNC_NONE;
  self->tail.alignment = self->alignment;
  self->tail.pool = gst_gaio_chunk_pool_new (get_chunk_capacity (config), MIN_IDLE_BYTES,
                                             KEEP_NS, loop);
  g_queue_init (&self->queue);
  g_mutex_init (&self->lock);
  g_cond_init (&self->cond);
  gst_gaio_writer_init (self);
  return self;
}

void
gst_gaio_window_unref (GstGaioWindow *self)
{
  if (!g_atomic_int_dec_and_test (&self->refs))
    return;

  gst_gaio_operations_free (&self->queue);
  g_clear_pointer (&self->tail.chunk, gst_gaio_chunk_unref);
  gst_gaio_chunk_pool_unref (self->tail.pool);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->cond);
  g_object_unref (self->file);
  g_clear_pointer (&self->loop, gst_gaio_loop_unref);
  g_free (self);
}

static void
leave (gpointer user_data)
{
  gst_gaio_writer_leave (user_data, FALSE);
}

void
gst_gaio_window_free (GstGaioWindow *self)
{
  GstGaioLoop *loop;

  g_atomic_int_inc (&self->refs);
  g_mutex_lock (&self->lock);
  self->sink = NULL;
  self->failed = true;
  g_mutex_unlock (&self->lock);
  gaio_context_invoke (self->context, leave, self, NULL);

  g_mutex_lock (&self->lock);
  while (!self->torn_down)
    g_cond_wait (&self->cond, &self->lock);
  g_mutex_unlock (&self->lock);
  /* Not by the loop's thread, which may have the last reference: it cannot wait for its end. */
  loop = g_steal_pointer (&self->loop);
  gst_gaio_window_unref (self);
  gst_gaio_loop_unref (loop);
}

static void
abandon (gpointer user_data)
{
  gst_gaio_writer_leave (user_data, TRUE);
}

/* What is in flight may change the file, until it is closed: that is the last thing a slot does. */
static void
leave_stray_locked (GstGaioWindow *self)
{
  if (self->slots[0].kind == GST_GAIO_OPERATION_CLOSE)
    return;
  for (guint i = 0; i < self->config.max_in_flight; i++)
    if (self->slots[i].busy && self->slots[i].kind == GST_GAIO_OPERATION_WRITE)
      self->stray.n_bytes += self->slots[i].size;
  gst_gaio_stray_add (&self->stray);
}

void
gst_gaio_window_abandon (GstGaioWindow *self)
{
  /* The loop may end with the window, in its own thread, before this call has returned. */
  g_autoptr (GaioContext) context = g_object_ref (self->context);
  GQueue dropped = G_QUEUE_INIT;

  g_mutex_lock (&self->lock);
  self->sink = NULL;
  self->failed = true;
  dropped = self->queue;
  g_queue_init (&self->queue);
  self->queued = 0;
  self->stats.lost += self->stats.level;
  self->stats.level = 0;
  self->stats.held = 0;
  leave_stray_locked (self);
  g_mutex_unlock (&self->lock);

  gst_gaio_operations_free (&dropped);
  gaio_context_invoke (context, abandon, self, NULL);
}
