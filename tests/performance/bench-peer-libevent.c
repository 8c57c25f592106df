/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* libevent, with its locks on, as its users with threads have it. */

#include <event2/event.h>
#include <event2/thread.h>

#include "bench-peer.h"
#include "bench-table.h"

typedef struct
{
  struct event_base *base;
  GPtrArray *events;
  GPtrArray *calls; /* of events that watch */
  GPtrArray *timers;
  int *counter;
  int n_repeated;
} Loop;

static gpointer
event_open (int arg)
{
  Loop *self;

  evthread_use_pthreads ();
  self = g_new0 (Loop, 1);
  self->base = event_base_new ();
  self->events = g_ptr_array_new_with_free_func ((GDestroyNotify) event_free);
  self->calls = g_ptr_array_new_with_free_func (g_free);
  self->timers = g_ptr_array_new_with_free_func ((GDestroyNotify) event_free);
  return self;
}

static void
event_close (gpointer loop)
{
  Loop *self = loop;

  g_ptr_array_unref (self->events);
  g_ptr_array_unref (self->calls);
  g_ptr_array_unref (self->timers);
  event_base_free (self->base);
  g_free (self);
}

static void
event_turn (gpointer loop)
{
  event_base_loop (((Loop *) loop)->base, EVLOOP_ONCE);
}

typedef struct
{
  GaioFunc func;
  gpointer data;
} Call;

static void
on_event (evutil_socket_t fd, short what, void *data)
{
  Call *call = data;

  call->func (call->data);
}

static void
event_watch (gpointer loop, int fd, GaioFunc func, gpointer data)
{
  Loop *self = loop;
  Call *call = g_new (Call, 1);
  struct event *event = event_new (self->base, fd, EV_READ | EV_PERSIST, on_event, call);

  call->func = func;
  call->data = data;
  event_add (event, NULL);
  g_ptr_array_add (self->events, event);
  g_ptr_array_add (self->calls, call);
}

static void
on_posted (evutil_socket_t fd, short what, void *data)
{
  Call *call = data;

  call->func (call->data);
  g_free (call);
}

static void
event_post (gpointer loop, GaioFunc func, gpointer data)
{
  Call *call = g_new (Call, 1);

  call->func = func;
  call->data = data;
  event_base_once (((Loop *) loop)->base, -1, EV_TIMEOUT, on_posted, call, NULL);
}

static void
on_again (evutil_socket_t fd, short what, void *data)
{
  Loop *self = data;

  event_active (event_base_get_running_event (self->base), EV_READ, 1);
  /* Or it goes on and on with what becomes active, and the turn does not end. */
  if (++*self->counter % self->n_repeated == 0)
    event_base_loopbreak (self->base);
}

static void
event_repeat (gpointer loop, int n, int *counter)
{
  Loop *self = loop;

  self->counter = counter;
  self->n_repeated = n;
  for (int i = 0; i < n; i++)
    {
      struct event *event = event_new (self->base, -1, EV_PERSIST, on_again, self);

      g_ptr_array_add (self->events, event);
      event_active (event, EV_READ, 1);
    }
}

static void
on_timer (evutil_socket_t fd, short what, void *data)
{
  ++*(int *) data;
}

static void
event_make_timers (gpointer loop, int n, int *counter)
{
  Loop *self = loop;

  for (int i = 0; i < n; i++)
    g_ptr_array_add (self->timers, evtimer_new (self->base, on_timer, counter));
}

static void
event_arm_timers (gpointer loop, const gint64 *deadlines_ns, int n)
{
  Loop *self = loop;
  gint64 now_ns = bench_now_ns ();

  for (int i = 0; i < n; i++)
    {
      gint64 delay_us = MAX ((deadlines_ns[i] - now_ns + 999) / 1000, 0);
      struct timeval delay = { .tv_sec = delay_us / 1000000, .tv_usec = delay_us % 1000000 };

      event_add (self->timers->pdata[i], &delay);
    }
}

static void
event_cancel_timers (gpointer loop, int n)
{
  Loop *self = loop;

  for (int i = 0; i < n; i++)
    event_del (self->timers->pdata[i]);
}

const BenchPeer bench_peer_libevent = {
  .open = event_open,
  .close = event_close,
  .turn = event_turn,
  .watch = event_watch,
  .post = event_post,
  .repeat = event_repeat,
  .make_timers = event_make_timers,
  .arm_timers = event_arm_timers,
  .cancel_timers = event_cancel_timers,
};
