/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* gaio, with each of its monitors, polled by hand, run by a GMainContext, or driving one. */

#include "bench-peer.h"

typedef struct
{
  GaioContext *context;
  GMainContext *main_context; /* that runs it, or NULL */
  GArray *fds;
  GPtrArray *bottom_halves;
  GPtrArray *timers;
} Loop;

static gpointer
own_open (int arg)
{
  GaioMonitor monitor = arg % BENCH_SOURCE;
  GaioContext *context = g_initable_new (GAIO_TYPE_CONTEXT, NULL, NULL, "monitor", monitor, NULL);
  Loop *self;

  if (context == NULL)
    return NULL;
  gaio_context_poll (context, FALSE);
  if (gaio_context_get_monitor (context) != monitor)
    {
      g_object_unref (context);
      return NULL;
    }
  self = g_new0 (Loop, 1);
  self->context = context;
  self->fds = g_array_new (FALSE, FALSE, sizeof (int));
  self->bottom_halves = g_ptr_array_new_with_free_func (g_object_unref);
  self->timers = g_ptr_array_new_with_free_func (g_object_unref);
  if (arg >= BENCH_SOURCE)
    {
      self->main_context = g_main_context_new ();
      gaio_context_attach (context, self->main_context);
    }
  if (arg & BENCH_DRIVEN && !gaio_context_drive (context, self->main_context, NULL))
    g_assert_not_reached ();
  return self;
}

static void
own_close (gpointer loop)
{
  Loop *self = loop;

  g_ptr_array_unref (self->bottom_halves);
  g_ptr_array_unref (self->timers);
  for (guint i = 0; i < self->fds->len; i++)
    gaio_context_remove_fd_handler (self->context, g_array_index (self->fds, int, i));
  g_array_unref (self->fds);
  g_object_unref (self->context);
  g_clear_pointer (&self->main_context, g_main_context_unref);
  g_free (self);
}

static void
own_turn (gpointer loop)
{
  Loop *self = loop;

  if (self->main_context != NULL)
    g_main_context_iteration (self->main_context, TRUE);
  else
    gaio_context_poll (self->context, TRUE);
}

static void
own_watch (gpointer loop, int fd, GaioFunc func, gpointer data)
{
  Loop *self = loop;

  g_array_append_val (self->fds, fd);
  gaio_context_set_fd_handlers (self->context, fd, &(GaioFdHandlers){ .read = func }, data, NULL,
                                NULL);
}

static void
own_post (gpointer loop, GaioFunc func, gpointer data)
{
  Loop *self = loop;

  gaio_context_invoke (self->context, func, data, NULL);
}

/* One callback, and what it needs to ask for the next. */
typedef struct
{
  GaioBottomHalf *bottom_half;
  int *counter;
} Again;

static void
on_again (gpointer data)
{
  Again *again = data;

  ++*again->counter;
  gaio_bottom_half_schedule (again->bottom_half);
}

static void
own_repeat (gpointer loop, int n, int *counter)
{
  Loop *self = loop;

  for (int i = 0; i < n; i++)
    {
      Again *again = g_new (Again, 1);

      again->counter = counter;
      again->bottom_half = gaio_bottom_half_new (self->context, on_again, again, g_free);
      g_ptr_array_add (self->bottom_halves, again->bottom_half);
      gaio_bottom_half_schedule (again->bottom_half);
    }
}

static void
count (gpointer data)
{
  ++*(int *) data;
}

static void
own_make_timers (gpointer loop, int n, int *counter)
{
  Loop *self = loop;

  g_ptr_array_set_size (self->timers, n);
  for (int i = 0; i < n; i++)
    self->timers->pdata[i] =
        gaio_timer_new (self->context, GAIO_CLOCK_MONOTONIC, count, counter, NULL);
}

static void
own_arm_timers (gpointer loop, const gint64 *deadlines_ns, int n)
{
  Loop *self = loop;

  for (int i = 0; i < n; i++)
    gaio_timer_arm_ns (self->timers->pdata[i], deadlines_ns[i]);
}

static void
own_cancel_timers (gpointer loop, int n)
{
  Loop *self = loop;

  for (int i = 0; i < n; i++)
    gaio_timer_cancel (self->timers->pdata[i]);
}

#define OPERATIONS                                                                                 \
  .open = own_open, .close = own_close, .turn = own_turn, .watch = own_watch, .post = own_post,    \
  .repeat = own_repeat, .make_timers = own_make_timers, .arm_timers = own_arm_timers,              \
  .cancel_timers = own_cancel_timers

const BenchPeer bench_peer_gaio = { OPERATIONS };
const BenchPeer bench_peer_gaio_poll = { .scans = TRUE, OPERATIONS };
