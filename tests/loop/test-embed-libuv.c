/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* A context in a loop of libuv, which watches its descriptor and calls gaio_context_iterate(). What
 * each kind of event needs is in test-embed.c; here it is that a real loop of somebody else gets
 * them all, beside its own, and sleeps when there are none. */

#include <uv.h>

#include "gaio-test.h"

typedef struct
{
  GaioTestLoop *loop;
  uv_loop_t uv;
  uv_poll_t poll;
  uv_timer_t own_timer;
  int n_rounds; /* times that libuv found the context ready */
  int n_own;
  int n; /* of the context's events */
} Foreign;

static void
on_readable (uv_poll_t *handle, int status, int events)
{
  Foreign *self = handle->data;

  g_assert_cmpint (status, ==, 0);
  self->n_rounds++;
  gaio_context_iterate (self->loop->context);
}

static void
begin (GaioTestLoop *loop, Foreign *self)
{
  *self = (Foreign){ .loop = loop };
  g_assert_cmpint (uv_loop_init (&self->uv), ==, 0);
  g_assert_cmpint (uv_poll_init (&self->uv, &self->poll, gaio_context_get_fd (loop->context)), ==,
                   0);
  self->poll.data = self;
  g_assert_cmpint (uv_poll_start (&self->poll, UV_READABLE, on_readable), ==, 0);
  g_assert_cmpint (uv_timer_init (&self->uv, &self->own_timer), ==, 0);
  self->own_timer.data = self;
}

static void
run_until (Foreign *self, int value)
{
  while (g_atomic_int_get (&self->n) < value)
    uv_run (&self->uv, UV_RUN_ONCE);
}

/* It must come to that: a descriptor that stays readable makes libuv spin. */
static void
settle (Foreign *self)
{
  int rounds = 0;
  int before;

  do
    {
      g_assert_cmpint (rounds++, <, 1000);
      before = self->n_rounds;
      uv_run (&self->uv, UV_RUN_NOWAIT);
    }
  while (self->n_rounds != before);
}

static void
end (Foreign *self)
{
  settle (self);
  uv_close ((uv_handle_t *) &self->poll, NULL);
  uv_close ((uv_handle_t *) &self->own_timer, NULL);
  uv_run (&self->uv, UV_RUN_DEFAULT);
  g_assert_cmpint (uv_loop_close (&self->uv), ==, 0);
}

static void
count (gpointer data)
{
  g_atomic_int_inc (&((Foreign *) data)->n);
}

static void
on_open (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GaioFile) file = gaio_open_finish (result, NULL);

  g_assert_nonnull (file);
  count (data);
}

static gpointer
invoke_later (gpointer data)
{
  Foreign *self = data;

  g_usleep (2000);
  gaio_context_invoke (self->loop->context, count, self, NULL);
  return NULL;
}

/* One of each kind at a time, in a loop that has nothing else to wake it. */
static void
test_kinds (GaioTestLoop *loop)
{
  g_autoptr (GaioEventNotifier) notifier = gaio_event_notifier_new (NULL);
  g_autoptr (GaioTimer) timer = NULL;
  Foreign self;

  if (loop->driver == GAIO_TEST_BY_POLL)
    gaio_context_attach (loop->context, loop->main_context);
  begin (loop, &self);
  timer = gaio_timer_new (loop->context, GAIO_CLOCK_MONOTONIC, count, &self, NULL);
  gaio_context_set_event_notifier (loop->context, notifier, count, &self, NULL, NULL);
  for (int i = 0; i < 5; i++)
    {
      GThread *thread;

      settle (&self);
      gaio_context_invoke (loop->context, count, &self, NULL);
      run_until (&self, 5 * i + 1);
      gaio_timer_arm_ns (timer, gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC) + 1500000);
      run_until (&self, 5 * i + 2);
      gaio_event_notifier_set (notifier);
      run_until (&self, 5 * i + 3);
      gaio_open_async ("/dev/null", "r", 0, NULL, on_open, &self);
      run_until (&self, 5 * i + 4);
      thread = g_thread_new ("invoker", invoke_later, &self);
      run_until (&self, 5 * i + 5);
      g_thread_join (thread);
    }
  gaio_context_remove_fd_handler (loop->context, gaio_event_notifier_get_fd (notifier));
  end (&self);
  g_assert_cmpint (self.n, ==, 25);
}

static void
on_own_timer (uv_timer_t *handle)
{
  Foreign *self = handle->data;

  self->n_own++;
  /* As good a place as any other. */
  gaio_context_invoke (self->loop->context, count, self, NULL);
  gaio_context_iterate (self->loop->context);
}

static void
stop_watching (gpointer data)
{
  Foreign *self = data;

  uv_poll_stop (&self->poll);
  count (self);
}

/* Libuv's own events iterate, too, and a callback of the context has libuv forget it. */
static void
test_own (GaioTestLoop *loop)
{
  Foreign self;

  begin (loop, &self);
  g_assert_cmpint (uv_timer_start (&self.own_timer, on_own_timer, 1, 1), ==, 0);
  while (self.n_own < 5)
    uv_run (&self.uv, UV_RUN_ONCE);
  g_assert_cmpint (uv_timer_stop (&self.own_timer), ==, 0);
  /* It may be due more than once in a round. */
  g_assert_cmpint (self.n, ==, self.n_own);
  gaio_context_invoke (loop->context, stop_watching, &self, NULL);
  /* It returns since nothing is left to watch. */
  uv_run (&self.uv, UV_RUN_DEFAULT);
  g_assert_cmpint (self.n, ==, self.n_own + 1);
  end (&self);
}

/* Libuv has a pipe for signals, which the first loop makes and none closes. */
static void
make_global_pipe (void)
{
  uv_loop_t uv;

  g_assert_cmpint (uv_loop_init (&uv), ==, 0);
  g_assert_cmpint (uv_loop_close (&uv), ==, 0);
}

int
main (int argc, char **argv)
{
  make_global_pipe ();
  gaio_test_init (&argc, &argv);
  gaio_test_add_loop_matrix ("/embed-libuv/kinds", test_kinds);
  gaio_test_add_loop_matrix ("/embed-libuv/own", test_own);
  return g_test_run ();
}
