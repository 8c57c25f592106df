/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a writer takes from its window's queue, and when. All of it with the lock held.
 *
 * The queue is in push order, and only its head may begin. A write begins when a slot is free and
 * nothing in flight overlaps it, so overlapping ones land as they were pushed. With one slot, as
 * buffered files have it unless somebody asks for more, that is plain FIFO, and a growing file has
 * no holes if the process is killed. What piled up during a write goes out in the next one, so a
 * slow disk gets large writes without anybody tuning them. Everything else begins when nothing is
 * in flight and lets nothing begin beside it, which makes it a barrier.
 *
 * Direct I/O wants whole blocks. What goes beyond the last whole one stays in the queue for the
 * bytes that will fill the block up, unless there is no time for that; then the file does it in
 * its slow way, as it does for a block that is written for the second time. */

#include <limits.h>

#include "gstgaiowriter-private.h"

/* A fast stream gathers what comes in so much time, though that is more than it was told to: at
 * 1 GiB/s a write for every 64 KiB costs more than the copy it makes. */
#define GATHER_NS (10 * G_GINT64_CONSTANT (1000000))

/* What may begin */

static bool
overlaps_locked (GstGaioWindow *self, guint64 offset, gsize size)
{
  for (guint i = 0; i < self->config.max_in_flight; i++)
    {
      const GstGaioSlot *slot = &self->slots[i];

      if (slot->busy && offset < slot->offset + slot->size && slot->offset < offset + size)
        return true;
    }
  return false;
}

bool
gst_gaio_writer_may_start_locked (GstGaioWindow *self)
{
  const GstGaioOperation *head = g_queue_peek_head (&self->queue);

  if (head == NULL || self->failing || self->failed || self->alone)
    return false;
  if (head->kind == GST_GAIO_OPERATION_WRITE)
    return self->n_busy == 0 || (self->n_busy < self->config.max_in_flight &&
                                 !overlaps_locked (self, head->offset, head->size));
  return self->n_busy == 0 && self->n_jobs == 0;
}

bool
gst_gaio_writer_wants_write_locked (GstGaioWindow *self)
{
  /* Not more than half of the window, or it is full before the writer begins. */
  return self->queue.length > 0 &&
         (self->hurry || self->queued >= MIN (self->gather, self->max_bytes / 2));
}

void
gst_gaio_writer_kick_locked (GstGaioWindow *self)
{
  if (self->kicked || !gst_gaio_writer_may_start_locked (self))
    return;
  self->kicked = true;
  gaio_bottom_half_schedule (self->pump_bh);
}

void
gst_gaio_writer_arrange_locked (GstGaioWindow *self)
{
  if (gst_gaio_writer_wants_write_locked (self))
    {
      gst_gaio_writer_kick_locked (self);
    }
  else if (self->queue.length > 0 && !self->kicked && !self->timed && !self->failed &&
           self->config.flush_interval_ns < G_MAXINT64 / 2)
    {
      const GstGaioOperation *head = g_queue_peek_head (&self->queue);

      self->timed = true;
      gaio_timer_arm_ns (self->age_timer, head->since_ns + (gint64) self->config.flush_interval_ns);
    }
}

gint64
gst_gaio_writer_get_oldest_locked (GstGaioWindow *self)
{
  const GstGaioOperation *head = g_queue_peek_head (&self->queue);
  gint64 oldest = head != NULL ? head->since_ns : G_MAXINT64;

  for (guint i = 0; self->n_busy > 0 && i < self->config.max_in_flight; i++)
    if (self->slots[i].busy)
      oldest = MIN (oldest, self->slots[i].since_ns);
  return oldest;
}

/* Sets `gather` by the speed of the stream since the last time. */
static void
measure_locked (GstGaioWindow *self, gint64 now_ns)
{
  double n_bytes = self->stats.accepted - self->taken_at;
  double gathered = n_bytes * GATHER_NS / MAX (now_ns - self->taken_ns, 1);

  self->gather = MAX (self->config.gather_bytes, (gsize) MIN (gathered, self->config.chunk_bytes));
  self->taken_ns = now_ns;
  self->taken_at = self->stats.accepted;
}

/* Taking from the queue */

static bool
may_join_locked (GstGaioWindow *self, const GstGaioSlot *slot, const GstGaioOperation *next)
{
  return next != NULL && next->kind == GST_GAIO_OPERATION_WRITE &&
         next->offset == slot->offset + slot->size &&
         slot->size + next->size <= self->config.chunk_bytes &&
         (self->n_busy == 0 || !overlaps_locked (self, next->offset, next->size));
}

/* Gives back to the queue what goes beyond the last whole block, if there is one. */
static void
trim_locked (GstGaioWindow *self, GstGaioSlot *slot, GQueue *batch, gint64 now_ns)
{
  gsize excess = (gsize) ((slot->offset + slot->size) & (self->alignment - 1));

  while (excess > 0 && excess < slot->size)
    {
      GstGaioOperation *last = g_queue_peek_tail (batch);
      GstGaioOperation *rest = last;

      if (last->size <= excess)
        g_queue_unlink (batch, &last->link);
      else if ((rest = gst_gaio_operation_split (last, last->size - excess)) == NULL)
        return;
      rest->since_ns = now_ns;
      g_queue_push_head_link (&self->queue, &rest->link);
      self->queued += rest->size;
      slot->size -= rest->size;
      slot->cost -= rest->cost;
      excess -= rest->size;
    }
}

/* The head of the queue is one write at most. */
static void
limit_head_locked (GstGaioWindow *self)
{
  GstGaioOperation *head = g_queue_peek_head (&self->queue);
  GstGaioOperation *rest;

  if (head->size <= self->config.chunk_bytes)
    return;
  rest = gst_gaio_operation_split (head, self->config.chunk_bytes);
  if (rest != NULL)
    g_queue_insert_after_link (&self->queue, &head->link, &rest->link);
}

void
gst_gaio_writer_take_locked (GstGaioWindow *self, GstGaioSlot *slot, GQueue *batch)
{
  GstGaioOperation *operation = g_queue_peek_head (&self->queue);
  gint64 now_ns = gst_gaio_writer_get_now ();

  limit_head_locked (self);
  measure_locked (self, now_ns);
  slot->kind = operation->kind;
  slot->offset = operation->offset;
  slot->size = 0;
  slot->cost = 0;
  slot->n_held = 0;
  slot->since_ns = operation->since_ns;
  slot->started_ns = now_ns;
  slot->retry_since_ns = 0;
  do
    {
      g_queue_unlink (&self->queue, &operation->link);
      g_queue_push_tail_link (batch, &operation->link);
      self->queued -= operation->size;
      slot->size += operation->size;
      slot->cost += operation->cost;
      operation = g_queue_peek_head (&self->queue);
    }
  while (slot->kind == GST_GAIO_OPERATION_WRITE && batch->length < IOV_MAX &&
         may_join_locked (self, slot, operation));
  if (self->alignment > 1 && slot->kind == GST_GAIO_OPERATION_WRITE)
    trim_locked (self, slot, batch, now_ns);

  if (self->queue.length == 0)
    self->hurry = false;
  slot->busy = true;
  self->n_busy++;
  self->alone = slot->kind != GST_GAIO_OPERATION_WRITE;
  if (!self->alone)
    self->stats.in_flight++;
}
