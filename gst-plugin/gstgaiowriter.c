/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The side of a window that brings bytes to the file: all in the loop's thread, but for what the
 * header says. What it takes from the queue, and when, is in gstgaiowriter-take.c, and what it
 * tells the sink in gstgaiowriter-tell.c; each slot has one request in flight.
 *
 * Jobs (gstgaiojob.c) allocate blocks ahead, sync, or empty the page cache beside the writes.
 *
 * After a failure nothing begins any more. It is reported when nothing is in flight before it in
 * the file, so that it is the first place where something is missing that is told; or as soon as
 * something hangs, since a full disk should not be kept secret for a dead one. When the rest has
 * ended too, a file that only grew is cut there, so that it is a prefix of the stream: with
 * several slots there may be bytes behind. Then it is closed, in a worker: a disk that hangs keeps
 * close(2), too. */

#include <errno.h>

#include "gstgaiowriter-private.h"

#define RETRY_NS (50 * G_GINT64_CONSTANT (1000000))

static void pump (gpointer user_data);

/* A flag that another thread may set. */
bool
gst_gaio_writer_has_failed (GstGaioWindow *self)
{
  bool failed;

  g_mutex_lock (&self->lock);
  failed = self->failing || self->failed;
  g_mutex_unlock (&self->lock);
  return failed;
}

/* Submitting */

static void
write_batch (GstGaioSlot *slot)
{
  gaio_request_writev (slot->request, (goffset) slot->offset, (GBytes *const *) slot->batch->pdata,
                       slot->batch->len);
}

static const char *const kind_names[] = { "write", "truncate", "sync", "finish", "close" };

static void
submit (GstGaioWindow *self, GstGaioSlot *slot, GQueue *batch)
{
  GST_DEBUG ("%s: %s %" G_GSIZE_FORMAT " bytes at %" G_GUINT64_FORMAT,
             gaio_file_get_path (self->file), kind_names[slot->kind], slot->size, slot->offset);
  gst_gaio_writer_watch_for_stall (self, slot->started_ns);
  switch (slot->kind)
    {
    case GST_GAIO_OPERATION_WRITE:
      for (GList *link = g_queue_pop_head_link (batch); link != NULL;
           link = g_queue_pop_head_link (batch))
        {
          GstGaioOperation *operation = link->data;

          slot->n_held += operation->buffer != NULL && operation->cost > 0;
          g_ptr_array_add (slot->batch, g_bytes_new_with_free_func (
                                            operation->data, operation->size,
                                            (GDestroyNotify) gst_gaio_operation_free, operation));
        }
      gst_gaio_writer_allocate_ahead (self, slot);
      write_batch (slot);
      break;

    case GST_GAIO_OPERATION_TRUNCATE:
      self->has_allocated = false;
      gaio_request_truncate (slot->request, (goffset) slot->offset);
      break;

    case GST_GAIO_OPERATION_SYNC:
      self->syncing = self->top;
      self->unsynced = false;
      gaio_request_sync (slot->request, TRUE);
      break;

    case GST_GAIO_OPERATION_FINISH:
      gst_gaio_writer_finish (self);
      break;

    case GST_GAIO_OPERATION_CLOSE:
      gst_gaio_writer_close (self);
      break;
    }
  gst_gaio_operations_free (batch);
}

static GstGaioSlot *
find_idle_locked (GstGaioWindow *self)
{
  GstGaioSlot *slot = self->slots;

  while (slot->busy)
    slot++;
  return slot;
}

static void
pump (gpointer user_data)
{
  GstGaioWindow *self = user_data;

  g_mutex_lock (&self->lock);
  self->kicked = false;
  while (gst_gaio_writer_wants_write_locked (self) && gst_gaio_writer_may_start_locked (self))
    {
      GstGaioSlot *slot = find_idle_locked (self);
      GQueue batch = G_QUEUE_INIT;

      gst_gaio_writer_take_locked (self, slot, &batch);
      g_mutex_unlock (&self->lock);
      submit (self, slot, &batch);
      g_mutex_lock (&self->lock);
    }
  gst_gaio_writer_arrange_locked (self);
  g_mutex_unlock (&self->lock);
}

static void
age_timer_fired (gpointer user_data)
{
  GstGaioWindow *self = user_data;
  const GstGaioOperation *head;

  g_mutex_lock (&self->lock);
  self->timed = false;
  head = g_queue_peek_head (&self->queue);
  /* The timer was armed for bytes that may be gone meanwhile: those here now may be younger. */
  if (head != NULL &&
      gst_gaio_writer_get_now () - head->since_ns >= (gint64) self->config.flush_interval_ns)
    self->hurry = true;
  g_mutex_unlock (&self->lock);

  pump (self);
}

/* Ends */

static bool
is_idle_locked (GstGaioWindow *self)
{
  return self->n_busy == 0 && self->n_jobs == 0;
}

/* And nothing is left that would touch the window. */
static bool
is_over_locked (GstGaioWindow *self)
{
  return is_idle_locked (self) && self->n_tales == 0;
}

/* The end of what runs alone, of jobs, and of what was told. */
static void
end_locked (GstGaioWindow *self)
{
  if (self->n_draining > 0 && (is_over_locked (self) || self->failed))
    g_cond_broadcast (&self->cond);
}

/* With several writes in flight there may be something behind the one that failed; what was
 * allocated ahead is there in any case. */
static bool
is_to_be_cut_locked (GstGaioWindow *self)
{
  return self->config.is_regular && self->sequential &&
         (self->top > self->valid || self->has_allocated);
}

/* Of a file that only grew it is known what is in it; what came behind a hole is not. */
static void
correct_stats_locked (GstGaioWindow *self)
{
  if (!self->sequential || !self->config.is_regular)
    return;
  self->stats.written = self->begun + MIN (self->top, self->valid) - self->begin;
  self->stats.lost = self->stats.accepted - self->stats.written;
}

/* What is still to be done after a failure, one thing after the other. */
static void
wind_up (GstGaioWindow *self)
{
  GstGaioSlot *slot = &self->slots[0];
  bool is_due;

  g_mutex_lock (&self->lock);
  is_due = self->failed && is_idle_locked (self) && !self->closed;
  if (is_due)
    {
      correct_stats_locked (self);
      slot->kind =
          is_to_be_cut_locked (self) ? GST_GAIO_OPERATION_TRUNCATE : GST_GAIO_OPERATION_CLOSE;
      self->top = MIN (self->top, self->valid);
      self->has_allocated = false;
      slot->offset = MAX (self->top, self->length);
      slot->size = 0;
      slot->started_ns = gst_gaio_writer_get_now ();
      slot->busy = true;
      self->n_busy++;
      self->alone = true;
    }
  g_mutex_unlock (&self->lock);
  if (is_due && slot->kind == GST_GAIO_OPERATION_TRUNCATE)
    gaio_request_truncate (slot->request, (goffset) slot->offset);
  else if (is_due)
    gst_gaio_writer_close (self);
}

static void
let_go (gpointer user_data)
{
  gst_gaio_writer_leave (user_data, false);
}

/* Where what is in flight begins that comes before this place in the file, or this place. */
static guint64
get_busy_before (GstGaioWindow *self, guint64 offset)
{
  for (guint i = 0; i < self->config.max_in_flight; i++)
    if (self->slots[i].busy)
      offset = MIN (offset, self->slots[i].offset);
  return offset;
}

/* Reports the writes that have failed, as one, when it is known which of them is the first, or when
 * that may never be known. */
static void
settle_failure (GstGaioWindow *self)
{
  g_autoptr (GError) error = NULL;
  guint64 known;

  if (self->pending_error == NULL)
    return;
  known = get_busy_before (self, self->pending_offset);
  if (known < self->pending_offset && !self->stalled)
    return;
  error = g_steal_pointer (&self->pending_error);
  gst_gaio_writer_fail (self, GST_GAIO_OPERATION_WRITE, known, self->pending_written, error);
}

/* After something has ended, or hangs: nothing may touch `self` behind this. */
void
gst_gaio_writer_go_on (GstGaioWindow *self)
{
  bool is_over;

  settle_failure (self);
  wind_up (self);
  g_mutex_lock (&self->lock);
  end_locked (self);
  is_over = self->leaving && is_over_locked (self);
  g_mutex_unlock (&self->lock);
  /* A request is not to be freed by its own callback. */
  if (is_over)
    gaio_context_invoke (self->context, let_go, self, NULL);
  else
    pump (self);
}

/* The slot's credit goes back. */
static void
account_locked (GstGaioWindow *self, GstGaioSlot *slot, gint64 now_ns)
{
  guint64 took_ns = (guint64) (now_ns - slot->started_ns);

  if (slot->kind == GST_GAIO_OPERATION_SYNC)
    {
      self->stats.syncs++;
      self->stats.sync_ns += took_ns;
    }
  if (slot->kind != GST_GAIO_OPERATION_WRITE)
    return;
  self->stats.writes++;
  self->stats.write_bytes_min = MIN (self->stats.write_bytes_min, slot->size);
  self->stats.write_bytes_max = MAX (self->stats.write_bytes_max, slot->size);
  self->stats.write_ns_max = MAX (self->stats.write_ns_max, took_ns);
  self->latencies[MIN (g_bit_storage (took_ns), GST_GAIO_N_LATENCIES - 1)]++;
  if (self->failed)
    return;
  self->stats.written += slot->size;
  self->stats.level -= slot->size;
  self->stats.held -= slot->cost;
  self->stats.held_buffers -= slot->n_held;
}

static void
leave_slot_locked (GstGaioWindow *self, GstGaioSlot *slot)
{
  slot->busy = false;
  self->n_busy--;
  self->alone = false;
  if (slot->kind == GST_GAIO_OPERATION_WRITE)
    self->stats.in_flight--;
}

void
gst_gaio_writer_leave_slot (GstGaioWindow *self, GstGaioSlot *slot)
{
  g_mutex_lock (&self->lock);
  leave_slot_locked (self, slot);
  g_mutex_unlock (&self->lock);
}

void
gst_gaio_writer_succeed (GstGaioWindow *self, GstGaioSlot *slot)
{
  switch (slot->kind)
    {
    case GST_GAIO_OPERATION_WRITE:
      self->top = MAX (self->top, slot->offset + slot->size);
      self->unsynced = true;
      break;
    case GST_GAIO_OPERATION_TRUNCATE:
      if (gst_gaio_writer_has_failed (self))
        break;
      self->top = self->length = self->allocated = self->begin = slot->offset;
      self->begun = self->stats.written;
      self->dropped = MIN (self->dropped, slot->offset);
      self->durable = MIN (self->durable, slot->offset);
      break;
    case GST_GAIO_OPERATION_SYNC:
    case GST_GAIO_OPERATION_FINISH:
      self->durable = self->syncing;
      break;
    case GST_GAIO_OPERATION_CLOSE:
      break;
    }

  g_mutex_lock (&self->lock);
  leave_slot_locked (self, slot);
  account_locked (self, slot, gst_gaio_writer_get_now ());
  if (self->waiting && self->stats.held <= self->wake_level)
    g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
}

/* Whether an error may go away, and there is time left to wait for that. */
static bool
is_to_be_retried (GstGaioWindow *self, GstGaioSlot *slot, int errnum)
{
  gint64 now_ns = gst_gaio_writer_get_now ();

  if (self->config.transient_ns == 0 || slot->kind != GST_GAIO_OPERATION_WRITE ||
      !self->config.can_position || gst_gaio_writer_has_failed (self) ||
      (errnum != EACCES && errnum != ENOSPC && errnum != EDQUOT))
    return false;
  if (slot->retry_since_ns == 0)
    slot->retry_since_ns = now_ns;
  return now_ns - slot->retry_since_ns < (gint64) self->config.transient_ns;
}

static void
retry_timer_fired (gpointer user_data)
{
  GstGaioWindow *self = user_data;

  for (guint i = 0; i < self->config.max_in_flight; i++)
    if (self->slots[i].to_retry)
      {
        self->slots[i].to_retry = false;
        write_batch (&self->slots[i]);
      }
}

static void
retry_later (GstGaioWindow *self, GstGaioSlot *slot)
{
  slot->to_retry = true;
  g_mutex_lock (&self->lock);
  self->stats.retries++;
  g_mutex_unlock (&self->lock);
  if (!gaio_timer_is_pending (self->retry_timer))
    gaio_timer_arm_ns (self->retry_timer, gst_gaio_writer_get_now () + RETRY_NS);
}

static void
write_failed (GstGaioWindow *self, guint64 offset, gsize n_written, const GError *error)
{
  self->top = MAX (self->top, offset);
  self->valid = MIN (self->valid, offset);
  self->pending_written += n_written;
  if (self->pending_error == NULL || offset < self->pending_offset)
    {
      g_clear_error (&self->pending_error);
      self->pending_error = g_error_copy (error);
      self->pending_offset = offset;
    }
  g_mutex_lock (&self->lock);
  self->failing = true;
  g_mutex_unlock (&self->lock);
}

/* A write, a truncation or a sync has failed. */
static void
slot_failed (GstGaioWindow *self, GstGaioSlot *slot, gsize n_written, const GError *error)
{
  if (slot->kind == GST_GAIO_OPERATION_WRITE)
    write_failed (self, slot->offset + n_written, n_written, error);
  else
    gst_gaio_writer_fail (self, slot->kind,
                          slot->kind == GST_GAIO_OPERATION_SYNC ? self->durable : slot->offset, 0,
                          error);
  gst_gaio_writer_leave_slot (self, slot);
}

static void
request_done (GaioRequest *request, gpointer user_data)
{
  GstGaioSlot *slot = user_data;
  GstGaioWindow *self = slot->window;
  gint64 started_ns = slot->started_ns;
  g_autoptr (GError) error = NULL;
  gsize n_written = 0;
  gboolean ok = gaio_request_get_result (request, &n_written, &error);

  GST_DEBUG ("%s: %s at %" G_GUINT64_FORMAT " has ended after %" G_GINT64_FORMAT " us: %s",
             gaio_file_get_path (self->file), kind_names[slot->kind], slot->offset,
             (gst_gaio_writer_get_now () - started_ns) / 1000, ok ? "done" : error->message);
  if (!ok && is_to_be_retried (self, slot, gaio_error_get_errno (error)))
    {
      retry_later (self, slot);
      return;
    }
  /* The memory goes back before its credit does: the bound is on memory. */
  g_ptr_array_set_size (slot->batch, 0);
  if (ok)
    gst_gaio_writer_succeed (self, slot);
  else
    slot_failed (self, slot, n_written, error);
  gst_gaio_writer_see_end_of_stall (self, started_ns);
  gst_gaio_writer_drop_behind (self);
  gst_gaio_writer_go_on (self);
}

/* Beginning and end */

void
gst_gaio_writer_init (GstGaioWindow *self)
{
  const GaioClock clock = GAIO_CLOCK_MONOTONIC;

  self->pump_bh = gaio_bottom_half_new (self->context, pump, self, NULL);
  self->age_timer = gaio_timer_new (self->context, clock, age_timer_fired, self, NULL);
  self->stall_timer =
      gaio_timer_new (self->context, clock, gst_gaio_writer_look_for_stall, self, NULL);
  self->retry_timer = gaio_timer_new (self->context, clock, retry_timer_fired, self, NULL);
  self->sync_timer = gaio_timer_new (self->context, clock, gst_gaio_writer_sync_now, self, NULL);
  self->slots = g_new0 (GstGaioSlot, self->config.max_in_flight);
  for (guint i = 0; i < self->config.max_in_flight; i++)
    {
      GstGaioSlot *slot = &self->slots[i];

      slot->window = self;
      slot->batch = g_ptr_array_new_with_free_func ((GDestroyNotify) g_bytes_unref);
      slot->request = gaio_request_new (self->file, request_done, slot, NULL);
    }
  self->valid = G_MAXUINT64;
  self->begin = self->config.base;
  self->top = self->durable = self->dropped = self->config.base;
  self->allocated = self->length;
  self->may_allocate = self->config.preallocate_bytes > 0 && self->config.is_regular;
  self->taken_ns = gst_gaio_writer_get_now ();
  self->gather = self->config.gather_bytes;
  self->stats.write_bytes_min = G_MAXUINT64;
  if (self->config.sync_mode == GST_GAIO_SYNC_PERIODIC && self->config.is_regular)
    gaio_timer_arm_ns (self->sync_timer,
                       gst_gaio_writer_get_now () + (gint64) self->config.sync_interval_ns);
}

static void
free_timer (GaioTimer *timer)
{
  gaio_timer_cancel (timer);
  g_object_unref (timer);
}

/* Gives up what only this thread may touch. */
static void
tear_down (GstGaioWindow *self)
{
  g_clear_pointer (&self->age_timer, free_timer);
  g_clear_pointer (&self->stall_timer, free_timer);
  g_clear_pointer (&self->retry_timer, free_timer);
  g_clear_pointer (&self->sync_timer, free_timer);
  gaio_bottom_half_destroy (self->pump_bh);
  g_clear_object (&self->pump_bh);
  for (guint i = 0; i < self->config.max_in_flight; i++)
    {
      gaio_request_unref (self->slots[i].request);
      g_ptr_array_unref (self->slots[i].batch);
    }
  g_clear_pointer (&self->slots, g_free);
  for (guint i = 0; i < GST_GAIO_N_JOBS; i++)
    g_clear_error (&self->jobs[i].error);
  g_clear_error (&self->pending_error);

  g_mutex_lock (&self->lock);
  self->torn_down = true;
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
  gst_gaio_window_unref (self);
}

/* Has the kernel let go of what it has, if it can. */
static void
cancel_all (GstGaioWindow *self)
{
  gaio_timer_cancel (self->retry_timer);
  for (guint i = 0; i < self->config.max_in_flight; i++)
    {
      GstGaioSlot *slot = &self->slots[i];

      if (slot->to_retry)
        {
          slot->to_retry = false;
          self->valid = MIN (self->valid, slot->offset);
          g_ptr_array_set_size (slot->batch, 0);
          gst_gaio_writer_leave_slot (self, slot);
        }
      else if (slot->busy)
        {
          gaio_request_cancel (slot->request);
        }
    }
}

void
gst_gaio_writer_leave (GstGaioWindow *self, gboolean cancel)
{
  bool is_over;

  if (cancel)
    cancel_all (self);
  wind_up (self);
  g_mutex_lock (&self->lock);
  is_over = is_over_locked (self);
  g_mutex_unlock (&self->lock);
  if (is_over)
    tear_down (self);
  else
    self->leaving = true;
}
