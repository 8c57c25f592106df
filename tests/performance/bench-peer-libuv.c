/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* libuv. Its uv_async_send() coalesces, so callbacks from other threads are a list under a lock and
 * one uv_async_t, as its users do it. */

#include <uv.h>

#include "bench-peer.h"
#include "bench-table.h"

typedef struct
{
  uv_loop_t uv;
  uv_async_t async;

  uv_mutex_t lock;
  GQueue posted; /* under the lock */

  uv_timer_t *timers;
  int n_timers;
  uv_idle_t *idles;
} Loop;

typedef struct
{
  uv_poll_t poll;
  GaioFunc func;
  gpointer data;
} Call;

static void
on_async (uv_async_t *async)
{
  Loop *self = async->data;
  GQueue posted;
  Call *call;

  uv_mutex_lock (&self->lock);
  posted = self->posted;
  g_queue_init (&self->posted);
  uv_mutex_unlock (&self->lock);
  while ((call = g_queue_pop_head (&posted)) != NULL)
    {
      call->func (call->data);
      g_free (call);
    }
}

static gpointer
uv_open (int arg)
{
  Loop *self = g_new0 (Loop, 1);

  uv_loop_init (&self->uv);
  uv_async_init (&self->uv, &self->async, on_async);
  self->async.data = self;
  uv_mutex_init (&self->lock);
  return self;
}

static void
free_call (uv_handle_t *handle)
{
  g_free (handle->data);
}

static void
close_handle (uv_handle_t *handle, gpointer data)
{
  uv_close (handle, handle->type == UV_POLL ? free_call : NULL);
}

static void
uv_close_loop (gpointer loop)
{
  Loop *self = loop;

  uv_walk (&self->uv, close_handle, NULL);
  uv_run (&self->uv, UV_RUN_DEFAULT);
  uv_loop_close (&self->uv);
  uv_mutex_destroy (&self->lock);
  g_free (self->timers);
  g_free (self->idles);
  g_free (self);
}

static void
uv_turn (gpointer loop)
{
  uv_run (&((Loop *) loop)->uv, UV_RUN_ONCE);
}

static void
on_poll (uv_poll_t *poll, int status, int events)
{
  Call *call = poll->data;

  call->func (call->data);
}

static void
uv_watch (gpointer loop, int fd, GaioFunc func, gpointer data)
{
  Call *call = g_new0 (Call, 1);

  call->func = func;
  call->data = data;
  uv_poll_init (&((Loop *) loop)->uv, &call->poll, fd);
  call->poll.data = call;
  uv_poll_start (&call->poll, UV_READABLE, on_poll);
}

static void
uv_post (gpointer loop, GaioFunc func, gpointer data)
{
  Loop *self = loop;
  Call *call = g_new (Call, 1);

  call->func = func;
  call->data = data;
  uv_mutex_lock (&self->lock);
  g_queue_push_tail (&self->posted, call);
  uv_mutex_unlock (&self->lock);
  uv_async_send (&self->async);
}

static void
on_idle (uv_idle_t *idle)
{
  ++*(int *) idle->data;
}

static void
uv_repeat (gpointer loop, int n, int *counter)
{
  Loop *self = loop;

  self->idles = g_new0 (uv_idle_t, n);
  for (int i = 0; i < n; i++)
    {
      uv_idle_init (&self->uv, &self->idles[i]);
      self->idles[i].data = counter;
      uv_idle_start (&self->idles[i], on_idle);
    }
}

static void
on_timer (uv_timer_t *timer)
{
  ++*(int *) timer->data;
  /* Or the run goes on to wait, with no timer left that would end it. */
  uv_stop (timer->loop);
}

static void
uv_make_timers (gpointer loop, int n, int *counter)
{
  Loop *self = loop;

  self->timers = g_new0 (uv_timer_t, n);
  for (int i = 0; i < n; i++)
    {
      uv_timer_init (&self->uv, &self->timers[i]);
      self->timers[i].data = counter;
    }
}

static void
uv_arm_timers (gpointer loop, const gint64 *deadlines_ns, int n)
{
  Loop *self = loop;
  gint64 now_ns = bench_now_ns ();

  uv_update_time (&self->uv);
  for (int i = 0; i < n; i++)
    uv_timer_start (&self->timers[i], on_timer,
                    (guint64) MAX ((deadlines_ns[i] - now_ns + 999999) / 1000000, 0), 0);
}

static void
uv_cancel_timers (gpointer loop, int n)
{
  Loop *self = loop;

  for (int i = 0; i < n; i++)
    uv_timer_stop (&self->timers[i]);
}

const BenchPeer bench_peer_libuv = {
  .open = uv_open,
  .close = uv_close_loop,
  .turn = uv_turn,
  .watch = uv_watch,
  .post = uv_post,
  .repeat = uv_repeat,
  .make_timers = uv_make_timers,
  .arm_timers = uv_arm_timers,
  .cancel_timers = uv_cancel_timers,
};
