/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a writer tells its sink, which makes messages of it.
 *
 * Who gets a message may take long over it, in the thread that posts it: a handler of the bus asks
 * somebody else, or writes a log. The loop's thread serves all sinks on the disk, so it does not
 * post. A worker does, one thing after the other for each window, in the order in which they
 * happened.
 *
 * A failure is known to others only when it has been told: who learns of it from a return value
 * must not be able to report it as one of its own before we do. Meanwhile nothing begins. */

#include "gstgaiowriter-private.h"

/* Something to tell. */
typedef struct
{
  GList link;
  GstGaioWindow *window;
  GError *error; /* NULL: a stall */
  GstGaioOperationKind kind;
  guint64 offset;
  gsize n_written;
  bool active;
  guint64 age_ns;
  guint64 level;
} Tale;

static void tell_next (GstGaioWindow *self);

/* In a worker. */
static void
run (gpointer user_data)
{
  Tale *tale = user_data;
  GstGaioWindow *self = tale->window;
  GstObject *sink;

  g_mutex_lock (&self->lock);
  sink = self->sink != NULL ? gst_object_ref (self->sink) : NULL;
  g_mutex_unlock (&self->lock);
  if (sink != NULL && tale->error != NULL)
    {
      GstGaioFailure failure = { .kind = tale->kind, .offset = tale->offset, .error = tale->error };

      self->events.failed (sink, &failure);
    }
  else if (sink != NULL)
    {
      self->events.stalled (sink, tale->active, tale->age_ns, tale->level);
    }
  gst_clear_object (&sink);
}

/* What is not written is lost, unless the window was given up meanwhile and has counted that. */
static void
set_failed (GstGaioWindow *self, gsize n_written)
{
  GQueue dropped = G_QUEUE_INIT;

  g_mutex_lock (&self->lock);
  if (!self->failed)
    {
      dropped = self->queue;
      g_queue_init (&self->queue);
      self->queued = 0;
      self->failed = true;
      n_written = MIN (n_written, self->stats.level);
      self->stats.written += n_written;
      self->stats.lost += self->stats.level - n_written;
      self->stats.level = 0;
      self->stats.held = 0;
      self->stats.held_buffers = 0;
      g_cond_broadcast (&self->cond);
    }
  g_mutex_unlock (&self->lock);

  gst_gaio_operations_free (&dropped);
}

static void
done (gboolean cancelled, gpointer user_data)
{
  Tale *tale = user_data;
  GstGaioWindow *self = tale->window;

  if (tale->error != NULL)
    set_failed (self, tale->n_written);
  g_clear_error (&tale->error);
  g_free (tale);

  g_mutex_lock (&self->lock);
  self->n_tales--;
  g_mutex_unlock (&self->lock);
  tell_next (self);
  gst_gaio_writer_go_on (self);
}

static void
tell_next (GstGaioWindow *self)
{
  GList *link = g_queue_pop_head_link (&self->tales);

  if (link != NULL)
    gaio_thread_pool_submit (gst_gaio_loop_get_tellers (self->loop), self->context, run, done,
                             link->data, NULL);
}

static void
tell (GstGaioWindow *self, Tale *tale)
{
  bool is_first;

  tale->window = self;
  tale->link.data = tale;
  g_queue_push_tail_link (&self->tales, &tale->link);
  g_mutex_lock (&self->lock);
  is_first = self->n_tales++ == 0;
  g_mutex_unlock (&self->lock);
  if (is_first)
    tell_next (self);
}

void
gst_gaio_writer_tell_stall (GstGaioWindow *self, bool active, gint64 age_ns)
{
  Tale *tale = g_new0 (Tale, 1);

  tale->active = active;
  tale->age_ns = (guint64) age_ns;
  self->stalled = active;
  g_mutex_lock (&self->lock);
  self->stats.stalls += active;
  self->stats.longest_stall_ns = MAX (self->stats.longest_stall_ns, tale->age_ns);
  tale->level = self->stats.level;
  g_mutex_unlock (&self->lock);
  tell (self, tale);
}

void
gst_gaio_writer_fail (GstGaioWindow *self,
                      GstGaioOperationKind kind,
                      guint64 offset,
                      gsize n_written,
                      const GError *error)
{
  Tale *tale;
  bool is_first;

  g_mutex_lock (&self->lock);
  is_first = !self->failed && !self->telling_failure;
  self->failing = true;
  g_mutex_unlock (&self->lock);
  if (!is_first)
    return;
  self->telling_failure = true;
  tale = g_new0 (Tale, 1);
  tale->error = g_error_copy (error);
  tale->kind = kind;
  tale->offset = offset;
  tale->n_written = n_written;
  tell (self, tale);
}
