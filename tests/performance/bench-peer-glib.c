/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* A GMainContext with GLib's own sources. */

#include <glib-unix.h>

#include "bench-peer.h"
#include "bench-table.h"

typedef struct
{
  GMainContext *main_context;
  GPtrArray *sources;
  int *counter;
  GSource **timers;
} Loop;

static gpointer
glib_open (int arg)
{
  Loop *self = g_new0 (Loop, 1);

  self->main_context = g_main_context_new ();
  self->sources = g_ptr_array_new_with_free_func ((GDestroyNotify) g_source_unref);
  return self;
}

static void
glib_close (gpointer loop)
{
  Loop *self = loop;

  for (guint i = 0; i < self->sources->len; i++)
    g_source_destroy (self->sources->pdata[i]);
  g_ptr_array_unref (self->sources);
  g_main_context_unref (self->main_context);
  g_free (self->timers);
  g_free (self);
}

static void
glib_turn (gpointer loop)
{
  g_main_context_iteration (((Loop *) loop)->main_context, TRUE);
}

typedef struct
{
  GaioFunc func;
  gpointer data;
} Call;

static Call *
call_new (GaioFunc func, gpointer data)
{
  Call *call = g_new (Call, 1);

  call->func = func;
  call->data = data;
  return call;
}

static gboolean
on_fd (int fd, GIOCondition condition, gpointer data)
{
  Call *call = data;

  call->func (call->data);
  return G_SOURCE_CONTINUE;
}

static void
glib_watch (gpointer loop, int fd, GaioFunc func, gpointer data)
{
  Loop *self = loop;
  GSource *source = g_unix_fd_source_new (fd, G_IO_IN);

  g_source_set_callback (source, G_SOURCE_FUNC (on_fd), call_new (func, data), g_free);
  g_source_attach (source, self->main_context);
  g_ptr_array_add (self->sources, source);
}

static gboolean
on_posted (gpointer data)
{
  Call *call = data;

  call->func (call->data);
  return G_SOURCE_REMOVE;
}

static void
glib_post (gpointer loop, GaioFunc func, gpointer data)
{
  g_autoptr (GSource) source = g_idle_source_new ();

  g_source_set_callback (source, on_posted, call_new (func, data), g_free);
  g_source_attach (source, ((Loop *) loop)->main_context);
}

static gboolean
count_and_continue (gpointer data)
{
  ++*(int *) data;
  return G_SOURCE_CONTINUE;
}

static void
glib_repeat (gpointer loop, int n, int *counter)
{
  Loop *self = loop;

  for (int i = 0; i < n; i++)
    {
      GSource *source = g_idle_source_new ();

      g_source_set_callback (source, count_and_continue, counter, NULL);
      g_source_attach (source, self->main_context);
      g_ptr_array_add (self->sources, source);
    }
}

static gboolean
count_and_remove (gpointer data)
{
  ++*(int *) data;
  return G_SOURCE_REMOVE;
}

static void
glib_make_timers (gpointer loop, int n, int *counter)
{
  Loop *self = loop;

  self->timers = g_new0 (GSource *, n);
  self->counter = counter;
}

static void
glib_arm_timers (gpointer loop, const gint64 *deadlines_ns, int n)
{
  Loop *self = loop;
  gint64 now_ns = bench_now_ns ();

  for (int i = 0; i < n; i++)
    {
      gint64 delay_ms = (deadlines_ns[i] - now_ns + 999999) / 1000000;

      self->timers[i] = g_timeout_source_new ((guint) CLAMP (delay_ms, 0, G_MAXINT));
      g_source_set_callback (self->timers[i], count_and_remove, self->counter, NULL);
      g_source_attach (self->timers[i], self->main_context);
    }
}

static void
glib_cancel_timers (gpointer loop, int n)
{
  Loop *self = loop;

  for (int i = 0; i < n; i++)
    {
      g_source_destroy (self->timers[i]);
      g_source_unref (self->timers[i]);
    }
}

const BenchPeer bench_peer_glib = {
  .scans = TRUE,
  .open = glib_open,
  .close = glib_close,
  .turn = glib_turn,
  .watch = glib_watch,
  .post = glib_post,
  .repeat = glib_repeat,
  .make_timers = glib_make_timers,
  .arm_timers = glib_arm_timers,
  .cancel_timers = glib_cancel_timers,
};
