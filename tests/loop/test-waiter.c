/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Waiting for a condition in nested turns, and for a function to have run in another context. A
 * kick that is lost is a hang. */

#include <stdatomic.h>
#include <stdbool.h>

#include "gaio-test.h"

#define MS G_GINT64_CONSTANT (1000000)

#define N_THREADS 4

/* What the tests wait for: a number, which is relaxed on purpose, so that the order comes from the
 * waiter alone. */
typedef struct
{
  GaioContext *context;
  GaioWaiter *waiter;
  atomic_int n;
  atomic_int at_least;
  int n_looked;
} Goal;

static gboolean
is_not_reached (gpointer data)
{
  Goal *goal = data;

  goal->n_looked++;
  return atomic_load_explicit (&goal->n, memory_order_relaxed) <
         atomic_load_explicit (&goal->at_least, memory_order_relaxed);
}

static void
advance (gpointer data)
{
  atomic_fetch_add_explicit (&((Goal *) data)->n, 1, memory_order_relaxed);
}

static void
advance_and_kick (gpointer data)
{
  advance (data);
  gaio_waiter_kick (((Goal *) data)->waiter);
}

static gint64
now_ns (void)
{
  return gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC);
}

static guint64
get_turns (GaioContext *context)
{
  g_autoptr (GVariant) stats = gaio_context_get_stats (context);
  guint64 turns = 0;

  g_assert_true (g_variant_lookup (stats, "turns", "t", &turns));
  return turns;
}

static GaioIOThread *
make_thread (void)
{
  g_autoptr (GError) error = NULL;
  GaioIOThread *thread = gaio_io_thread_new ("gaio-test", &error);

  g_assert_no_error (error);
  return thread;
}

static void
wait_for (Goal *goal, int n)
{
  g_autoptr (GError) error = NULL;

  atomic_store_explicit (&goal->at_least, n, memory_order_relaxed);
  g_assert_true (gaio_context_wait_while (goal->context, goal->waiter, -1, NULL, is_not_reached,
                                          goal, &error));
  g_assert_no_error (error);
  g_assert_cmpint (atomic_load (&goal->n), >=, n);
}

/* Nothing runs when there is nothing to wait for, whatever else there is. */
static void
test_already (GaioTestLoop *loop)
{
  Goal goal = { .context = loop->context };
  g_autoptr (GCancellable) cancelled = g_cancellable_new ();
  g_autoptr (GError) error = NULL;
  guint64 turns = get_turns (loop->context);

  g_cancellable_cancel (cancelled);
  gaio_context_invoke (loop->context, advance, &goal, NULL);
  goal.waiter = gaio_waiter_new ();
  for (int i = 0; i < 2; i++)
    {
      goal.n_looked = 0;
      g_assert_true (gaio_context_wait_while (loop->context, i == 0 ? NULL : goal.waiter,
                                              i == 0 ? -1 : 0, i == 0 ? NULL : cancelled,
                                              is_not_reached, &goal, &error));
      g_assert_no_error (error);
      g_assert_cmpint (goal.n_looked, ==, 1);
      g_assert_cmpint (atomic_load (&goal.n), ==, 0);
      g_assert_cmpuint (get_turns (loop->context), ==, turns);
    }
  gaio_test_settle (loop);
  g_assert_cmpint (atomic_load (&goal.n), ==, 1);
  g_object_unref (goal.waiter);
}

/* The context's own callbacks need no kick: bottom halves, timers, handlers. */
static void
test_own_callbacks (GaioTestLoop *loop)
{
  g_autoptr (GaioEventNotifier) notifier = gaio_event_notifier_new (NULL);
  Goal goal = { .context = loop->context };
  g_autoptr (GaioTimer) timer =
      gaio_timer_new (loop->context, GAIO_CLOCK_MONOTONIC, advance, &goal, NULL);

  gaio_context_invoke (loop->context, advance, &goal, NULL);
  wait_for (&goal, 1);
  gaio_timer_arm_ns (timer, now_ns () + 2 * MS);
  wait_for (&goal, 2);
  gaio_context_set_event_notifier (loop->context, notifier, advance, &goal, NULL, NULL);
  gaio_event_notifier_set (notifier);
  wait_for (&goal, 3);
  gaio_context_remove_fd_handler (loop->context, gaio_event_notifier_get_fd (notifier));
  gaio_test_settle (loop);
}

static gpointer
advance_many (gpointer data)
{
  Goal *goal = data;

  for (int i = 0; i < 1000; i++)
    {
      int n = atomic_load (&goal->n);

      advance_and_kick (goal);
      /* In step, so that each kick is the only one that can end a wait. */
      while (i % 4 != 0 && atomic_load (&goal->at_least) < n + 2)
        g_thread_yield ();
      if (i % 64 == 0)
        g_usleep (200);
    }
  return NULL;
}

/* By another thread, whether the loop sleeps already, is about to, or has not begun. */
static void
test_kick (GaioTestLoop *loop)
{
  Goal goal = { .context = loop->context, .waiter = gaio_waiter_new () };
  GThread *thread = g_thread_new ("kicker", advance_many, &goal);

  for (int n = 1; n <= 1000; n++)
    wait_for (&goal, n);
  atomic_store (&goal.at_least, G_MAXINT);
  g_thread_join (thread);
  g_object_unref (goal.waiter);
}

static gpointer
kick_many (gpointer data)
{
  for (int i = 0; i < 500; i++)
    {
      advance_and_kick (data);
      if (i % 32 == 0)
        g_usleep (100);
    }
  return NULL;
}

static void
test_kick_from_many (GaioTestLoop *loop)
{
  Goal goal = { .context = loop->context, .waiter = gaio_waiter_new () };
  GThread *threads[N_THREADS];

  for (int i = 0; i < N_THREADS; i++)
    threads[i] = g_thread_new ("kicker", kick_many, &goal);
  for (int n = 100; n <= N_THREADS * 500; n += 100)
    wait_for (&goal, n);
  for (int i = 0; i < N_THREADS; i++)
    g_thread_join (threads[i]);
  g_object_unref (goal.waiter);
}

/* In a callback: the turns are nested in the one that runs it. */
static void
on_wait_within (gpointer data)
{
  Goal *goal = data;

  gaio_context_invoke (goal->context, advance, goal, NULL);
  wait_for (goal, 1);
}

static void
test_nested (GaioTestLoop *loop)
{
  Goal inner = { .context = loop->context };
  Goal outer = { .context = loop->context, .waiter = gaio_waiter_new () };

  gaio_context_invoke (loop->context, on_wait_within, &inner, NULL);
  gaio_context_invoke (loop->context, advance, &outer, NULL);
  gaio_test_settle (loop);
  g_assert_cmpint (atomic_load (&inner.n), ==, 1);

  /* Of two waits in one thread the inner one takes the notification that is for the outer one. */
  atomic_store (&outer.n, 0);
  atomic_store (&inner.n, 0);
  gaio_context_invoke (loop->context, on_wait_within, &inner, NULL);
  gaio_context_invoke (loop->context, advance_and_kick, &outer, NULL);
  wait_for (&outer, 1);
  g_assert_cmpint (atomic_load (&inner.n), ==, 1);
  g_object_unref (outer.waiter);
}

static void
test_timeout (GaioTestLoop *loop)
{
  Goal goal = { .context = loop->context, .at_least = 2 };
  gint64 begin_ns = now_ns ();
  g_autoptr (GError) error = NULL;

  g_assert_false (
      gaio_context_wait_while (loop->context, NULL, 20 * MS, NULL, is_not_reached, &goal, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_assert_cmpint (gaio_error_get_errno (error), ==, ETIMEDOUT);
  g_assert_cmpint (now_ns () - begin_ns, >=, 20 * MS);
  g_clear_error (&error);

  /* Without waiting there is one turn, and it counts what that brings about. */
  gaio_context_invoke (loop->context, advance, &goal, NULL);
  g_assert_false (
      gaio_context_wait_while (loop->context, NULL, 0, NULL, is_not_reached, &goal, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  g_assert_cmpint (atomic_load (&goal.n), ==, 1);
  g_clear_error (&error);
  gaio_context_invoke (loop->context, advance, &goal, NULL);
  g_assert_true (
      gaio_context_wait_while (loop->context, NULL, 0, NULL, is_not_reached, &goal, &error));
  g_assert_no_error (error);

  /* The longest there is is not in the past. */
  goal.at_least = 3;
  gaio_context_invoke (loop->context, advance, &goal, NULL);
  g_assert_true (gaio_context_wait_while (loop->context, NULL, G_MAXINT64, NULL, is_not_reached,
                                          &goal, &error));
  g_assert_no_error (error);
}

/* Being woken for nothing neither ends the wait early nor makes it longer without end. */
static void
test_timeout_awake (GaioTestLoop *loop)
{
  Goal goal = { .context = loop->context, .at_least = 1, .waiter = gaio_waiter_new () };
  Goal ticks = { 0 };
  g_autoptr (GaioEventNotifier) notifier = gaio_event_notifier_new (NULL);
  GaioFdHandlers handlers = { .read = advance };

  /* Ready in each turn. */
  gaio_event_notifier_set (notifier);
  gaio_context_set_fd_handlers (loop->context, gaio_event_notifier_get_fd (notifier), &handlers,
                                &ticks, NULL, NULL);
  do
    {
      gint64 begin_ns = now_ns ();
      g_autoptr (GError) error = NULL;

      atomic_store (&ticks.n, 0);
      g_assert_false (gaio_context_wait_while (loop->context, goal.waiter, 10 * MS, NULL,
                                               is_not_reached, &goal, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
      g_assert_cmpint (now_ns () - begin_ns, >=, 10 * MS);
    }
  while (atomic_load (&ticks.n) <= 1); /* the time went by before it had begun */
  gaio_context_remove_fd_handler (loop->context, gaio_event_notifier_get_fd (notifier));
  gaio_test_settle (loop);
  g_object_unref (goal.waiter);
}

static void
cancel (gpointer data)
{
  g_cancellable_cancel (data);
}

static gpointer
cancel_later (gpointer data)
{
  g_usleep (3000);
  cancel (data);
  return NULL;
}

/* By another thread while it sleeps, by a callback, and before it begins; the cancellable is not
 * held on to. */
static void
test_cancel (GaioTestLoop *loop)
{
  Goal goal = { .context = loop->context, .at_least = 1 };

  for (int i = 0; i < 3; i++)
    {
      GCancellable *cancellable = g_cancellable_new ();
      g_autoptr (GError) error = NULL;
      GThread *thread = NULL;

      if (i == 0)
        thread = g_thread_new ("canceller", cancel_later, cancellable);
      else if (i == 1)
        gaio_context_invoke (loop->context, cancel, cancellable, NULL);
      else
        cancel (cancellable);
      g_assert_false (gaio_context_wait_while (loop->context, NULL, -1, cancellable, is_not_reached,
                                               &goal, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      if (thread != NULL)
        g_thread_join (thread);
      g_assert_finalize_object (cancellable);
    }
  gaio_test_settle (loop);
}

/* Nothing of a wait is left that a later cancel or kick would wake the context by. */
static void
test_afterwards (GaioTestLoop *loop)
{
  Goal goal = { .context = loop->context, .waiter = gaio_waiter_new () };
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  gint64 begin_ns;

  gaio_context_invoke (loop->context, advance, &goal, NULL);
  goal.at_least = 1;
  g_assert_true (gaio_context_wait_while (loop->context, goal.waiter, -1, cancellable,
                                          is_not_reached, &goal, NULL));
  gaio_test_settle (loop);
  gaio_waiter_kick (goal.waiter);
  g_cancellable_cancel (cancellable);
  begin_ns = now_ns ();
  gaio_context_poll_ns (loop->context, 10 * MS);
  g_assert_cmpint (now_ns () - begin_ns, >=, 10 * MS);
  g_object_unref (goal.waiter);
}

static void
drop_all (gpointer data)
{
  Goal *goal = data;

  advance (goal);
  g_clear_object (&goal->context);
  g_clear_object (&goal->waiter);
}

/* A callback drops the context and the waiter from under the wait. */
static void
test_drop_within (GaioTestLoop *loop)
{
  Goal goal = { .context = g_object_ref (loop->context), .waiter = gaio_waiter_new () };

  gaio_context_invoke (loop->context, drop_all, &goal, NULL);
  g_object_unref (loop->context);
  loop->context = NULL;
  wait_for (&goal, 1);
  g_assert_null (goal.context);
}

/* ---- in several threads ---- */

typedef struct _Peer Peer;
struct _Peer
{
  GaioIOThread *thread;
  Goal goal; /* advanced by the other peers */
  Peer *peers;
  int n_peers;
  GaioWaiter *done;
  atomic_int *n_done;
};

static void
on_peer (gpointer data)
{
  Peer *self = data;

  /* All others at once, then wait for as many as ask for this one. */
  for (int i = 0; i < self->n_peers; i++)
    if (&self->peers[i] != self)
      gaio_context_invoke (self->peers[i].goal.context, advance, &self->peers[i].goal, NULL);
  wait_for (&self->goal, self->n_peers - 1);
  atomic_fetch_add_explicit (self->n_done, 1, memory_order_release);
  gaio_waiter_kick (self->done);
}

/* Unlike a goal this may be seen before its kick and then lets contexts go that the peers have just
 * used, so it brings the order itself. */
typedef struct
{
  atomic_int n;
  int at_least;
} Count;

static gboolean
is_less (gpointer data)
{
  Count *count = data;

  return atomic_load_explicit (&count->n, memory_order_acquire) < count->at_least;
}

static void
wait_for_peers (GaioTestLoop *loop, Peer *peers, int n)
{
  g_autoptr (GaioWaiter) waiter = gaio_waiter_new ();
  Count done = { 0 };

  for (int i = 0; i < n; i++)
    {
      peers[i].done = waiter;
      peers[i].n_done = &done.n;
      peers[i].thread = make_thread ();
      peers[i].goal.context = gaio_io_thread_get_context (peers[i].thread);
      peers[i].peers = peers;
      peers[i].n_peers = n;
      /* Some with a main loop. */
      if (i % 2)
        gaio_io_thread_get_main_context (peers[i].thread);
    }
  for (int round = 0; round < 100; round++)
    {
      for (int i = 0; i < n; i++)
        atomic_store (&peers[i].goal.n, 0);
      done.at_least += n;
      for (int i = 0; i < n; i++)
        gaio_context_invoke (peers[i].goal.context, on_peer, &peers[i], NULL);
      g_assert_true (
          gaio_context_wait_while (loop->context, waiter, -1, NULL, is_less, &done, NULL));
      for (int i = 0; i < n; i++)
        g_assert_cmpint (atomic_load (&peers[i].goal.n), ==, n - 1);
    }
  for (int i = 0; i < n; i++)
    g_object_unref (peers[i].thread);
}

/* I/O threads wait for each other's work at the same time, and this one for all of them. */
static void
test_mutual (GaioTestLoop *loop)
{
  Peer peers[5] = { 0 };

  wait_for_peers (loop, peers, 2);
  wait_for_peers (loop, peers, 5);
}

static void
on_wait_then_tell (gpointer data)
{
  Peer *self = data;

  wait_for (&self->goal, 1);
  atomic_fetch_add_explicit (self->n_done, 1, memory_order_release);
  gaio_waiter_kick (self->done);
}

/* Several wait by one waiter, and one kick is for all of them. */
static void
test_shared (GaioTestLoop *loop)
{
  g_autoptr (GaioWaiter) waiter = gaio_waiter_new ();
  g_autoptr (GaioWaiter) shared = gaio_waiter_new ();
  Peer peers[3] = { 0 };
  Count done = { .at_least = 3 };

  for (int i = 0; i < 3; i++)
    {
      peers[i] = (Peer){ .thread = make_thread (), .done = waiter, .n_done = &done.n };
      peers[i].goal.context = gaio_io_thread_get_context (peers[i].thread);
      peers[i].goal.waiter = shared;
      gaio_context_invoke (peers[i].goal.context, on_wait_then_tell, &peers[i], NULL);
    }
  g_usleep (2000); /* they sleep by now */
  for (int i = 0; i < 3; i++)
    advance (&peers[i].goal);
  gaio_waiter_kick (shared);
  g_assert_true (gaio_context_wait_while (loop->context, waiter, -1, NULL, is_less, &done, NULL));
  for (int i = 0; i < 3; i++)
    g_object_unref (peers[i].thread);
}

/* ---- a function in another context ---- */

static void
note_thread (gpointer data)
{
  *(GThread **) data = g_thread_self ();
}

static void
test_invoke (GaioTestLoop *loop)
{
  GaioIOThread *thread = make_thread ();
  GaioContext *context = gaio_io_thread_get_context (thread);
  GThread *first = NULL;
  g_autoptr (GError) error = NULL;

  for (int i = 0; i < 100; i++)
    {
      GThread *there = NULL;

      g_assert_true (
          gaio_context_invoke_and_wait (context, loop->context, note_thread, &there, &error));
      g_assert_no_error (error);
      g_assert_true (there != NULL && there != g_thread_self ());
      g_assert_true (first == NULL || first == there);
      first = there;
      if (i == 50)
        gaio_io_thread_get_main_context (thread);
    }

  /* In one's own context at once, before what is scheduled. */
  {
    Goal goal = { 0 };
    GThread *here = NULL;

    gaio_context_invoke (loop->context, advance, &goal, NULL);
    g_assert_true (
        gaio_context_invoke_and_wait (loop->context, loop->context, note_thread, &here, &error));
    g_assert_true (here == g_thread_self ());
    g_assert_cmpint (atomic_load (&goal.n), ==, 0);
    gaio_test_settle (loop);
  }
  g_object_unref (thread);
}

typedef struct
{
  GaioContext *own;
  GaioContext *other;
  int depth;
  int n;
} Bounce;

/* Each call waits for one in the other thread, which waits for one in this, and so on. */
static void
on_bounce (gpointer data)
{
  Bounce *self = data;
  Bounce back = { .own = self->other, .other = self->own, .depth = self->depth - 1 };

  if (self->depth > 0)
    g_assert_true (gaio_context_invoke_and_wait (self->other, self->own, on_bounce, &back, NULL));
  self->n = back.n + 1;
}

static void
test_invoke_to_and_fro (GaioTestLoop *loop)
{
  GaioIOThread *thread = make_thread ();
  Bounce bounce = { .own = loop->context, .depth = 50 };

  bounce.other = gaio_io_thread_get_context (thread);
  on_bounce (&bounce);
  g_assert_cmpint (bounce.n, ==, 51);
  g_object_unref (thread);
}

typedef struct
{
  GaioContext *context;
  GCancellable *cancellable;
  GThread *thread;
  GaioContext *own;
  int n;
} Canceller;

static void
count (gpointer data)
{
  (*(int *) data)++;
}

static void
on_cancelled (GCancellable *cancellable, gpointer data)
{
  Canceller *self = data;

  /* Long enough that the other one has seen the cancel, and is on its way out. */
  g_usleep (3000);
  g_assert_true (gaio_context_invoke_and_wait (self->context, self->own, count, &self->n, NULL));
}

static gpointer
cancel_and_wait (gpointer data)
{
  Canceller *self = data;

  self->own = gaio_context_new (NULL);
  g_assert_nonnull (self->own);
  g_cancellable_cancel (self->cancellable);
  g_object_unref (self->own);
  return NULL;
}

static void
begin_to_cancel (gpointer data)
{
  Canceller *self = data;

  g_signal_connect (self->cancellable, "cancelled", G_CALLBACK (on_cancelled), self);
  self->thread = g_thread_new ("canceller", cancel_and_wait, self);
}

/* The thread that cancels goes on to wait for the one that was cancelled. */
static void
test_cancel_by_waiter (GaioTestLoop *loop)
{
  Goal goal = { .context = loop->context, .at_least = 1 };
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Canceller canceller = { .context = loop->context, .cancellable = cancellable };
  g_autoptr (GError) error = NULL;

  /* Within the wait, so that its own handler comes first and ends it. */
  gaio_context_invoke (loop->context, begin_to_cancel, &canceller, NULL);
  g_assert_false (gaio_context_wait_while (loop->context, NULL, -1, cancellable, is_not_reached,
                                           &goal, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  while (canceller.n == 0)
    gaio_test_turn (loop, TRUE);
  g_thread_join (canceller.thread);
}

/* The thread of the other context ends, before or meanwhile: the function has run or there is an
 * error, one of the two. */
static void
test_invoke_ended (GaioTestLoop *loop)
{
  for (int i = 0; i < 20; i++)
    {
      GaioIOThread *thread = make_thread ();
      g_autoptr (GaioContext) context = g_object_ref (gaio_io_thread_get_context (thread));
      g_autoptr (GError) error = NULL;
      int n = 0;

      if (i % 2)
        gaio_io_thread_get_main_context (thread);
      g_assert_true (gaio_context_invoke_and_wait (context, loop->context, count, &n, &error));
      gaio_io_thread_stop (thread);
      g_object_unref (thread);
      g_assert_false (gaio_context_invoke_and_wait (context, loop->context, count, &n, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      g_assert_cmpint (gaio_error_get_errno (error), ==, ECANCELED);
      g_assert_cmpint (n, ==, 1);

      /* Whoever runs it next does not find what was given up. */
      while (gaio_context_poll (context, FALSE))
        ;
      g_assert_cmpint (n, ==, 1);
      g_assert_true (gaio_context_invoke_and_wait (context, loop->context, count, &n, NULL));
      g_assert_cmpint (n, ==, 2);
    }
}

typedef struct
{
  GaioContext *context;
  atomic_bool runs;
  atomic_bool stop;
} Runner;

static gpointer
run_later (gpointer data)
{
  Runner *self = data;

  g_usleep (2000);
  gaio_context_poll (self->context, FALSE);
  atomic_store (&self->runs, true);
  while (!atomic_load (&self->stop))
    gaio_context_poll (self->context, TRUE);
  return NULL;
}

/* The other context has no thread yet; or one that has taken it over from an I/O thread. */
static void
test_invoke_later (GaioTestLoop *loop)
{
  for (int i = 0; i < 2; i++)
    {
      Runner runner = { 0 };
      GThread *thread;
      int n = 0;

      if (i == 0)
        runner.context = gaio_context_new (NULL);
      else
        {
          GaioIOThread *before = make_thread ();

          runner.context = g_object_ref (gaio_io_thread_get_context (before));
          g_object_unref (before);
        }
      thread = g_thread_new ("runner", run_later, &runner);
      while (i == 1 && !atomic_load (&runner.runs))
        g_usleep (100);
      for (int j = 1; j <= 10; j++)
        {
          g_assert_true (
              gaio_context_invoke_and_wait (runner.context, loop->context, count, &n, NULL));
          g_assert_cmpint (n, ==, j);
        }
      atomic_store (&runner.stop, true);
      gaio_context_notify (runner.context);
      g_thread_join (thread);
      g_object_unref (runner.context);
    }
}

static gpointer
stop_soon (gpointer data)
{
  g_usleep (g_random_int_range (0, 300));
  gaio_io_thread_stop (data);
  return NULL;
}

static void
test_invoke_while_it_ends (GaioTestLoop *loop)
{
  for (int i = 0; i < 50; i++)
    {
      GaioIOThread *thread = make_thread ();
      GaioContext *context = gaio_io_thread_get_context (thread);
      GThread *stopper = g_thread_new ("stopper", stop_soon, thread);
      int n = 0;
      int n_run = 0;

      while (gaio_context_invoke_and_wait (context, loop->context, count, &n, NULL))
        n_run++;
      g_thread_join (stopper);
      g_assert_cmpint (n, ==, n_run);
      g_object_unref (thread);
    }
}

/* ---- misuse ---- */

static void
use_from_elsewhere (gpointer data)
{
  Goal *goal = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (GaioContext) here = gaio_context_ref_thread_default ();

  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*gaio_context_wait_while*");
  g_assert_false (
      gaio_context_wait_while (goal->context, NULL, -1, NULL, is_not_reached, goal, &error));
  g_test_assert_expected_messages ();
  g_assert_no_error (error);
  g_assert_cmpint (goal->n_looked, ==, 0);
  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*gaio_context_invoke_and_wait*");
  g_assert_false (gaio_context_invoke_and_wait (here, goal->context, advance, goal, &error));
  g_test_assert_expected_messages ();
  g_assert_no_error (error);
}

/* Only the home thread waits in a context. */
static void
test_foreign (GaioTestLoop *loop)
{
  GaioIOThread *thread = make_thread ();
  Goal goal = { .context = loop->context, .at_least = 1 };

  g_assert_true (gaio_context_invoke_and_wait (gaio_io_thread_get_context (thread), loop->context,
                                               use_from_elsewhere, &goal, NULL));
  g_assert_cmpint (atomic_load (&goal.n), ==, 0);
  g_object_unref (thread);
}

typedef struct
{
  GMainContext *main_context;
  GThread *thread;
  GThread *waiter;
  GaioBottomHalf *bh;
  atomic_bool done;
  atomic_int n_stolen; /* turns that the thief ran */
} Thief;

static gpointer
steal (gpointer data)
{
  Thief *self = data;

  for (int i = 0; i < 200; i++)
    {
      g_main_context_iteration (self->main_context, FALSE);
      g_thread_yield ();
    }
  atomic_store (&self->done, true);
  return NULL;
}

static void
on_turn (gpointer data)
{
  Thief *self = data;

  if (self->thread == NULL)
    self->thread = g_thread_new ("thief", steal, self);
  atomic_fetch_add (&self->n_stolen, self->waiter != g_thread_self ());
  gaio_bottom_half_schedule (self->bh);
}

static gboolean
is_stealing (gpointer data)
{
  /* Most of the time there is no turn. */
  g_usleep (50);
  return !atomic_load (&((Thief *) data)->done);
}

/* Another thread would run the GMainContext, if it were not this one's while it waits. */
static void
test_home_stays (void)
{
  Thief thief = { .main_context = g_main_context_new (), .waiter = g_thread_self () };
  GaioContext *context = gaio_context_new (NULL);

  g_assert_nonnull (context);
  gaio_context_attach (context, thief.main_context);
  thief.bh = gaio_bottom_half_new (context, on_turn, &thief, NULL);
  gaio_bottom_half_schedule (thief.bh);
  g_assert_true (gaio_context_wait_while (context, NULL, -1, NULL, is_stealing, &thief, NULL));
  g_assert_cmpint (atomic_load (&thief.n_stolen), ==, 0);
  g_thread_join (thief.thread);

  /* Afterwards it is free again. */
  g_thread_join (g_thread_new ("thief", steal, &thief));
  g_assert_cmpint (atomic_load (&thief.n_stolen), >, 0);
  g_object_unref (thief.bh);
  g_object_unref (context);
  g_main_context_unref (thief.main_context);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);

  gaio_test_add_loop_matrix ("/waiter/already", test_already);
  gaio_test_add_loop_matrix ("/waiter/own-callbacks", test_own_callbacks);
  gaio_test_add_loop_matrix ("/waiter/kick", test_kick);
  gaio_test_add_loop_matrix ("/waiter/kick-from-many", test_kick_from_many);
  gaio_test_add_loop_matrix ("/waiter/nested", test_nested);
  gaio_test_add_loop_matrix ("/waiter/timeout", test_timeout);
  gaio_test_add_loop_matrix ("/waiter/timeout-awake", test_timeout_awake);
  gaio_test_add_loop_matrix ("/waiter/cancel", test_cancel);
  gaio_test_add_loop_matrix ("/waiter/cancel-by-waiter", test_cancel_by_waiter);
  gaio_test_add_loop_matrix ("/waiter/afterwards", test_afterwards);
  gaio_test_add_loop_matrix ("/waiter/drop-within", test_drop_within);
  gaio_test_add_loop_matrix ("/waiter/mutual", test_mutual);
  gaio_test_add_loop_matrix ("/waiter/shared", test_shared);
  gaio_test_add_loop_matrix ("/waiter/invoke", test_invoke);
  gaio_test_add_loop_matrix ("/waiter/invoke-to-and-fro", test_invoke_to_and_fro);
  gaio_test_add_loop_matrix ("/waiter/invoke-ended", test_invoke_ended);
  gaio_test_add_loop_matrix ("/waiter/invoke-later", test_invoke_later);
  gaio_test_add_loop_matrix ("/waiter/invoke-while-it-ends", test_invoke_while_it_ends);
  gaio_test_add_loop_matrix ("/waiter/foreign", test_foreign);
  gaio_test_add ("/waiter/home-stays", test_home_stays);

  return g_test_run ();
}
