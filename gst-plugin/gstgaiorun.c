/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Runs of blocks.
 *
 *     blocks:  [ done ][ done ][ done ][ on its way ][ on its way ]
 *                   ^ head: wanted up to here                     ^ end
 *                     <----------------- window ---------------->
 *
 * A run begins where somebody wants something that no other run has. While that is all, nothing is
 * read ahead: a program that jumps about gets what it asks for and no more. When somebody goes on
 * where a run ended the window opens, and doubles each time that a part of it is used up.
 *
 * This is bookkeeping only. It knows no locks, and begins no reads: the reader does. */

#include "gstgaiorun.h"

/* The window of a run that has just become one. The whole of a large one would be thrown away by
 * those who look at a few headers here and there. */
#define FIRST_WINDOW ((gsize) 128 * 1024)

/* The window is filled up when this part of it is empty. */
#define REFILL_DIVISOR 4

GstGaioRun *
gst_gaio_run_new (guint64 offset)
{
  GstGaioRun *self = g_new0 (GstGaioRun, 1);

  self->end = offset;
  self->head = offset;
  return self;
}

void
gst_gaio_run_free (GstGaioRun *self)
{
  g_clear_error (&self->cut_error);
  g_free (self);
}

bool
gst_gaio_run_has (GstGaioRun *self, guint64 offset)
{
  GstGaioBlock *first = g_queue_peek_head (&self->blocks);

  return offset <= self->end && offset >= (first != NULL ? first->offset : self->end);
}

guint64
gst_gaio_run_find (GstGaioRun *self, guint64 offset, guint64 end, GstGaioBlock **coming)
{
  *coming = NULL;
  for (GList *link = self->blocks.head; link != NULL && offset < end; link = link->next)
    {
      GstGaioBlock *block = link->data;

      if (offset >= block->offset + block->length)
        continue;
      if (block->memory == NULL)
        {
          *coming = block;
          return offset;
        }
      offset = block->offset + block->length;
    }
  return MIN (offset, end);
}

GstGaioBlock *
gst_gaio_run_get (GstGaioRun *self, guint64 offset)
{
  GList *link = self->blocks.head;

  while (offset >= ((GstGaioBlock *) link->data)->offset + ((GstGaioBlock *) link->data)->length)
    link = link->next;
  return link->data;
}

void
gst_gaio_run_append (GstGaioRun *self, GstGaioBlock *block)
{
  block->run = self;
  block->link.data = block;
  g_queue_push_tail_link (&self->blocks, &block->link);
  self->end = block->offset + block->length;
}

static GstGaioBlock *
take (GstGaioRun *self, GstGaioBlock *block)
{
  g_queue_unlink (&self->blocks, &block->link);
  block->run = NULL;
  return block;
}

GstGaioBlock *
gst_gaio_run_pop_before (GstGaioRun *self, guint64 limit)
{
  GstGaioBlock *first = g_queue_peek_head (&self->blocks);

  return first != NULL && first->offset + first->length <= limit ? take (self, first) : NULL;
}

GstGaioBlock *
gst_gaio_run_pop_from (GstGaioRun *self, guint64 offset)
{
  GstGaioBlock *last = g_queue_peek_tail (&self->blocks);

  if (last == NULL || last->offset < offset)
    return NULL;
  self->end = last->offset;
  return take (self, last);
}

void
gst_gaio_run_cut (GstGaioRun *self, guint64 offset, guint64 hold_until, guint64 call, GError *error)
{
  self->end = offset;
  self->cut_at = offset;
  self->cut_call = call;
  self->hold_until = hold_until;
  g_clear_error (&self->cut_error);
  self->cut_error = error;
}

gsize
gst_gaio_run_get_ahead (GstGaioRun *self, guint64 limit)
{
  gsize ahead = self->end > self->head ? self->end - self->head : 0;

  if (limit == 0 || self->head < self->hold_until)
    return 0;
  if (self->window == 0)
    self->window = MIN (FIRST_WINDOW, limit);
  else if (ahead <= self->window - self->window / REFILL_DIVISOR)
    self->window = MIN (self->window * 2, limit);
  else
    self->window = MIN (self->window, limit);
  return ahead <= self->window - self->window / REFILL_DIVISOR ? self->window - ahead : 0;
}

void
gst_gaio_block_use (GstGaioBlock *self, guint64 offset, gsize n)
{
  guint64 fresh = MAX (offset, self->used_end);

  if (offset + n <= fresh)
    return;
  self->used += offset + n - fresh;
  self->used_end = offset + n;
}

void
gst_gaio_block_free (GstGaioBlock *self)
{
  g_clear_pointer (&self->request, gaio_request_unref);
  g_clear_pointer (&self->memory, gst_memory_unref);
  g_free (self);
}
