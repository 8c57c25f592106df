/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Bottom halves: once for each schedule, in order, in the home thread, from any thread. */

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "gaio-test.h"

#define N_SIGNALS 200

/* A bottom half that counts, and does what its fields say. */
typedef struct
{
  GaioBottomHalf *bh;
  int n;            /* runs */
  int max;          /* schedules itself until there were so many */
  gboolean destroy; /* itself, at the max-th */
  int n_notified;
} Counter;

static GString *record;

static void
on_run (gpointer data)
{
  Counter *counter = data;

  counter->n++;
  if (counter->n < counter->max)
    gaio_bottom_half_schedule (counter->bh);
  else if (counter->destroy)
    gaio_bottom_half_destroy (counter->bh);
}

static void
on_notify (gpointer data)
{
  ((Counter *) data)->n_notified++;
}

static void
set_up (GaioTestLoop *loop, Counter *counter)
{
  counter->bh = gaio_bottom_half_new (loop->context, on_run, counter, on_notify);
}

static void
tear_down (GaioTestLoop *loop, Counter *counter)
{
  g_clear_object (&counter->bh);
  gaio_test_settle (loop);
  g_assert_cmpint (counter->n_notified, ==, 1);
}

/* Nothing more happens. A GSource may come by once more for nothing. */
static void
assert_quiet (GaioTestLoop *loop)
{
  if (loop->driver == GAIO_TEST_BY_POLL)
    g_assert_false (gaio_test_turn (loop, FALSE));
  gaio_test_settle (loop);
}

static void
test_schedule (GaioTestLoop *loop)
{
  Counter a = { 0 };

  set_up (loop, &a);
  gaio_bottom_half_schedule (a.bh);
  g_assert_cmpint (a.n, ==, 0);
  g_assert_true (gaio_test_turn (loop, TRUE));
  g_assert_cmpint (a.n, ==, 1);
  assert_quiet (loop);
  g_assert_cmpint (a.n, ==, 1);
  g_assert_cmpint (a.n_notified, ==, 0);

  gaio_bottom_half_schedule (a.bh);
  g_assert_true (gaio_test_turn (loop, FALSE));
  g_assert_cmpint (a.n, ==, 2);
  assert_quiet (loop);
  tear_down (loop, &a);
  g_assert_cmpint (a.n, ==, 2);
}

/* However often it is scheduled before it runs. */
static void
test_coalesce (GaioTestLoop *loop)
{
  Counter a = { 0 };

  set_up (loop, &a);
  for (int i = 0; i < 5; i++)
    gaio_bottom_half_schedule (a.bh);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n, ==, 1);
  tear_down (loop, &a);
}

/* One that schedules itself runs once in each turn. */
static void
test_reschedule (GaioTestLoop *loop)
{
  Counter a = { .max = 10 };

  set_up (loop, &a);
  gaio_bottom_half_schedule (a.bh);
  g_assert_cmpint (a.n, ==, 0);
  g_assert_true (gaio_test_turn (loop, FALSE));
  g_assert_cmpint (a.n, ==, 1);
  g_assert_true (gaio_test_turn (loop, TRUE));
  g_assert_cmpint (a.n, ==, 2);
  for (int i = 3; i <= 10; i++)
    {
      g_assert_true (gaio_test_turn (loop, TRUE));
      g_assert_cmpint (a.n, ==, i);
    }
  assert_quiet (loop);
  g_assert_cmpint (a.n, ==, 10);
  tear_down (loop, &a);
}

static void
test_cancel (GaioTestLoop *loop)
{
  Counter a = { 0 };

  set_up (loop, &a);
  gaio_bottom_half_cancel (a.bh); /* nothing to cancel */
  gaio_bottom_half_schedule (a.bh);
  gaio_bottom_half_cancel (a.bh);
  assert_quiet (loop);
  g_assert_cmpint (a.n, ==, 0);

  gaio_bottom_half_schedule (a.bh);
  gaio_bottom_half_cancel (a.bh);
  gaio_bottom_half_schedule (a.bh);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n, ==, 1);

  gaio_bottom_half_schedule_idle (a.bh);
  gaio_bottom_half_cancel (a.bh);
  g_usleep (12000);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n, ==, 1);
  tear_down (loop, &a);
}

/* A destroyed one is never called, also when it was scheduled before. */
static void
test_destroy (GaioTestLoop *loop)
{
  Counter a = { 0 };

  set_up (loop, &a);
  gaio_bottom_half_schedule (a.bh);
  gaio_bottom_half_destroy (a.bh);
  gaio_bottom_half_destroy (a.bh);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n, ==, 0);
  g_assert_cmpint (a.n_notified, ==, 1);
  gaio_bottom_half_schedule (a.bh);
  gaio_bottom_half_schedule_idle (a.bh);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n, ==, 0);
  tear_down (loop, &a);
}

static void
test_drop_scheduled (GaioTestLoop *loop)
{
  Counter a = { 0 };

  set_up (loop, &a);
  gaio_bottom_half_schedule (a.bh);
  tear_down (loop, &a);
  g_assert_cmpint (a.n, ==, 0);
}

static void
test_destroy_itself_one (GaioTestLoop *loop)
{
  Counter a = { .max = 3, .destroy = TRUE };

  set_up (loop, &a);
  gaio_bottom_half_schedule (a.bh);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n, ==, a.max);
  g_assert_cmpint (a.n_notified, ==, 1);
  tear_down (loop, &a);
}

static void
test_destroy_itself_many (GaioTestLoop *loop)
{
  Counter counters[] = {
    { .max = 1, .destroy = TRUE },
    { .max = 3, .destroy = TRUE },
    { .max = 2, .destroy = TRUE },
    { .max = 4, .destroy = TRUE },
  };

  for (guint i = 0; i < G_N_ELEMENTS (counters); i++)
    {
      set_up (loop, &counters[i]);
      gaio_bottom_half_schedule (counters[i].bh);
    }
  g_assert_true (gaio_test_turn (loop, FALSE));
  for (guint i = 0; i < G_N_ELEMENTS (counters); i++)
    g_assert_cmpint (counters[i].n, ==, 1);
  gaio_test_settle (loop);
  for (guint i = 0; i < G_N_ELEMENTS (counters); i++)
    {
      g_assert_cmpint (counters[i].n, ==, counters[i].max);
      g_assert_cmpint (counters[i].n_notified, ==, 1);
      tear_down (loop, &counters[i]);
    }
}

static void
on_run_drop (gpointer data)
{
  Counter *counter = data;

  counter->n++;
  gaio_bottom_half_schedule (counter->bh);
  g_clear_object (&counter->bh);
  /* Its data is still there. */
  g_assert_cmpint (counter->n_notified, ==, 0);
}

/* The last reference goes in the callback. */
static void
test_drop_itself (GaioTestLoop *loop)
{
  Counter *a = g_new0 (Counter, 1);

  a->bh = gaio_bottom_half_new (loop->context, on_run_drop, a, on_notify);
  gaio_bottom_half_schedule (a->bh);
  gaio_test_settle (loop);
  g_assert_cmpint (a->n, ==, 1);
  g_assert_cmpint (a->n_notified, ==, 1);
  g_free (a);
}

typedef struct
{
  GaioTestLoop *loop;
  GaioBottomHalf *other;
  int n_notified;
} Pair;

static void
on_run_destroy_and_poll (gpointer data)
{
  Pair *pair = data;

  gaio_bottom_half_destroy (pair->other);
  for (int i = 0; i < 5; i++)
    gaio_context_poll (pair->loop->context, FALSE);
  g_assert_cmpint (pair->n_notified, ==, 0);
}

static void
on_pair_notify (gpointer data)
{
  ((Pair *) data)->n_notified++;
}

/* Turns within its callback do not free the data under it. */
static void
test_destroy_and_poll (GaioTestLoop *loop)
{
  Pair pair = { .loop = loop };

  pair.other =
      gaio_bottom_half_new (loop->context, on_run_destroy_and_poll, &pair, on_pair_notify);
  gaio_bottom_half_schedule (pair.other);
  gaio_test_settle (loop);
  g_assert_cmpint (pair.n_notified, ==, 1);
  g_object_unref (pair.other);
  gaio_test_settle (loop);
  g_assert_cmpint (pair.n_notified, ==, 1);
}

static void
on_run_destroy_other (gpointer data)
{
  gaio_bottom_half_destroy (((Pair *) data)->other);
}

static void
on_run_cancel_other (gpointer data)
{
  gaio_bottom_half_cancel (((Pair *) data)->other);
}

/* One that is scheduled in the same turn. */
static void
test_other (GaioTestLoop *loop)
{
  Counter victim = { 0 };
  Pair pair = { .loop = loop };
  GaioBottomHalf *canceller, *killer;

  set_up (loop, &victim);
  pair.other = victim.bh;
  canceller = gaio_bottom_half_new (loop->context, on_run_cancel_other, &pair, NULL);
  killer = gaio_bottom_half_new (loop->context, on_run_destroy_other, &pair, NULL);

  gaio_bottom_half_schedule (canceller);
  gaio_bottom_half_schedule (victim.bh);
  gaio_test_settle (loop);
  g_assert_cmpint (victim.n, ==, 0);

  gaio_bottom_half_schedule (killer);
  gaio_bottom_half_schedule (victim.bh);
  gaio_test_settle (loop);
  g_assert_cmpint (victim.n, ==, 0);
  g_assert_cmpint (victim.n_notified, ==, 1);

  g_object_unref (canceller);
  g_object_unref (killer);
  tear_down (loop, &victim);
}

static void
on_run_record (gpointer data)
{
  g_string_append_c (record, (char) GPOINTER_TO_INT (data));
}

/* First scheduled, first run; one-shots stand in the same queue. */
static void
test_fifo (GaioTestLoop *loop)
{
  GaioBottomHalf *bhs[10];

  record = g_string_new (NULL);
  for (int i = 0; i < 10; i++)
    bhs[i] = gaio_bottom_half_new (loop->context, on_run_record, GINT_TO_POINTER ('0' + i), NULL);
  for (int i = 0; i < 10; i++)
    {
      gaio_bottom_half_schedule (bhs[(i * 7) % 10]);
      if (i % 3 == 0)
        gaio_context_invoke (loop->context, on_run_record, GINT_TO_POINTER ('a' + i), NULL);
    }
  gaio_test_settle (loop);
  g_assert_cmpstr (record->str, ==, "0a741d852g963j");
  for (int i = 0; i < 10; i++)
    g_object_unref (bhs[i]);
  gaio_test_settle (loop);
  g_string_free (record, TRUE);
}

/* No progress, and nothing is woken for it; but it runs. */
static void
test_idle (GaioTestLoop *loop)
{
  Counter a = { 0 };
  gboolean progress = FALSE;

  set_up (loop, &a);
  gaio_bottom_half_schedule_idle (a.bh);
  while (a.n == 0)
    progress |= gaio_test_turn (loop, TRUE);
  g_assert_cmpint (a.n, ==, 1);
  if (loop->driver == GAIO_TEST_BY_POLL)
    g_assert_false (progress);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n, ==, 1);
  tear_down (loop, &a);
}

/* An idle schedule and then a real one: one run, and that is progress. */
static void
test_idle_then_urgent (GaioTestLoop *loop)
{
  Counter a = { 0 };

  set_up (loop, &a);
  gaio_bottom_half_schedule_idle (a.bh);
  gaio_bottom_half_schedule (a.bh);
  g_assert_true (gaio_test_turn (loop, TRUE));
  g_assert_cmpint (a.n, ==, 1);
  g_usleep (12000);
  assert_quiet (loop);
  g_assert_cmpint (a.n, ==, 1);

  gaio_bottom_half_schedule (a.bh);
  gaio_bottom_half_schedule_idle (a.bh);
  g_assert_true (gaio_test_turn (loop, TRUE));
  g_assert_cmpint (a.n, ==, 2);
  g_usleep (12000);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n, ==, 2);
  tear_down (loop, &a);
}

/* ---- other threads ---- */

static GThread *home;

typedef struct
{
  int n_run, n_notified;
} InvokeCounts;

static void
on_invoke (gpointer data)
{
  g_assert_true (g_thread_self () == home);
  ((InvokeCounts *) data)->n_run++;
}

static void
on_invoke_notify (gpointer data)
{
  InvokeCounts *counts = data;

  g_assert_true (g_thread_self () == home);
  counts->n_notified++;
  g_assert_cmpint (counts->n_notified, ==, counts->n_run);
}

static void
test_invoke (GaioTestLoop *loop)
{
  InvokeCounts counts = { 0 };

  home = g_thread_self ();
  gaio_context_invoke (loop->context, on_invoke, &counts, on_invoke_notify);
  gaio_context_invoke (loop->context, on_invoke, &counts, on_invoke_notify);
  g_assert_cmpint (counts.n_run, ==, 0);
  g_assert_true (gaio_test_turn (loop, TRUE));
  g_assert_cmpint (counts.n_run, ==, 2);
  g_assert_cmpint (counts.n_notified, ==, 2);
  assert_quiet (loop);
}

static gpointer
schedule_later (gpointer data)
{
  g_usleep (5000); /* the loop is asleep by now, most likely */
  gaio_bottom_half_schedule (data);
  return NULL;
}

static void
test_wake (GaioTestLoop *loop)
{
  Counter a = { 0 };

  set_up (loop, &a);
  for (int i = 1; i <= 3; i++)
    {
      GThread *thread = g_thread_new ("scheduler", schedule_later, a.bh);

      gaio_test_turn_until (loop, &a.n, i);
      g_thread_join (thread);
      g_assert_cmpint (a.n, ==, i);
    }
  tear_down (loop, &a);
}

static void
on_notify_home (gpointer data)
{
  g_assert_true (g_thread_self () == home);
  g_atomic_int_inc ((int *) data);
}

static gpointer
unref_elsewhere (gpointer data)
{
  g_object_unref (data);
  return NULL;
}

static void
do_nothing (gpointer data)
{
}

/* The data is freed at home, also when the last reference goes elsewhere. */
static void
test_notify_at_home (GaioTestLoop *loop)
{
  int n_notified = 0;
  GaioBottomHalf *bh;

  home = g_thread_self ();
  bh = gaio_bottom_half_new (loop->context, do_nothing, &n_notified, on_notify_home);
  g_thread_join (g_thread_new ("dropper", unref_elsewhere, bh));
  gaio_test_turn_until (loop, &n_notified, 1);
  gaio_test_settle (loop);
  g_assert_cmpint (n_notified, ==, 1);
}

static GaioBottomHalf *for_handler;
static atomic_int n_signals;

static void
on_signal (int number)
{
  gaio_bottom_half_schedule (for_handler);
  atomic_fetch_add (&n_signals, 1);
}

static gpointer
send_signals (gpointer data)
{
  pthread_t *target = data;

  /* One at a time: pending signals of one number are one. */
  for (int i = 0; i < N_SIGNALS; i++)
    {
      pthread_kill (*target, SIGUSR1);
      while (atomic_load (&n_signals) <= i)
        g_usleep (1);
      g_usleep (i % 4 * 100);
    }
  return NULL;
}

static void
on_run_after_signals (gpointer data)
{
  *(int *) data = atomic_load (&n_signals);
}

/* From a signal handler, whatever the loop is doing at that moment: asleep, or pushing. */
static void
test_signal_handler (GaioTestLoop *loop)
{
  struct sigaction action = { .sa_handler = on_signal };
  struct sigaction before;
  pthread_t self = pthread_self ();
  Counter busy = { .max = 50 };
  int seen = 0;
  GThread *thread;

#ifdef __SANITIZE_THREAD__
  if (loop->monitor == GAIO_MONITOR_IO_URING)
    {
      /* It holds signals back until the program makes a call that it knows. */
      g_test_skip ("ThreadSanitizer does not know io_uring_enter");
      return;
    }
#endif
  atomic_store (&n_signals, 0);
  set_up (loop, &busy);
  for_handler = gaio_bottom_half_new (loop->context, on_run_after_signals, &seen, NULL);
  sigaction (SIGUSR1, &action, &before);
  gaio_bottom_half_schedule (busy.bh);
  thread = g_thread_new ("signaller", send_signals, &self);
  gaio_test_turn_until (loop, &seen, N_SIGNALS);
  g_thread_join (thread);
  sigaction (SIGUSR1, &before, NULL);
  g_clear_object (&for_handler);
  tear_down (loop, &busy);
}

/* ---- the end of the context ---- */

static void
test_context_ends (GaioTestLoop *loop)
{
  Counter a = { 0 };
  InvokeCounts counts = { 0 };

  home = g_thread_self ();
  set_up (loop, &a);
  gaio_bottom_half_schedule (a.bh);
  counts.n_run = 1; /* what on_invoke_notify() compares with: the function is not called */
  gaio_context_invoke (loop->context, on_invoke, &counts, on_invoke_notify);
  g_clear_object (&loop->context);
  g_assert_cmpint (a.n, ==, 0);
  g_assert_cmpint (counts.n_run, ==, 1);
  g_assert_cmpint (counts.n_notified, ==, 1);

  /* What comes too late is refused, but its data is freed. */
  gaio_bottom_half_schedule (a.bh);
  gaio_bottom_half_schedule_idle (a.bh);
  g_assert_cmpint (a.n, ==, 0);
  g_assert_cmpint (a.n_notified, ==, 0);
  g_object_unref (a.bh);
  g_assert_cmpint (a.n_notified, ==, 1);
  g_assert_cmpint (a.n, ==, 0);
}

static GaioBottomHalf *asked;

static void
on_asked (gpointer data)
{
  g_assert_false (gaio_bottom_half_is_scheduled (asked));
  if (++*(int *) data == 1)
    {
      gaio_bottom_half_schedule (asked);
      g_assert_true (gaio_bottom_half_is_scheduled (asked));
    }
}

static void
test_is_scheduled (GaioTestLoop *loop)
{
  int n = 0;

  asked = gaio_bottom_half_new (loop->context, on_asked, &n, NULL);
  g_assert_false (gaio_bottom_half_is_scheduled (asked));
  gaio_bottom_half_schedule_idle (asked);
  g_assert_true (gaio_bottom_half_is_scheduled (asked));
  gaio_bottom_half_cancel (asked);
  g_assert_false (gaio_bottom_half_is_scheduled (asked));
  gaio_bottom_half_schedule (asked);
  g_assert_true (gaio_bottom_half_is_scheduled (asked));
  gaio_test_settle (loop);
  g_assert_cmpint (n, ==, 2);
  g_assert_false (gaio_bottom_half_is_scheduled (asked));
  gaio_bottom_half_schedule (asked);
  gaio_bottom_half_destroy (asked);
  g_assert_false (gaio_bottom_half_is_scheduled (asked));
  g_clear_object (&asked);
  gaio_test_settle (loop);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);

  gaio_test_add_loop_matrix ("/bottom-half/schedule", test_schedule);
  gaio_test_add_loop_matrix ("/bottom-half/coalesce", test_coalesce);
  gaio_test_add_loop_matrix ("/bottom-half/reschedule", test_reschedule);
  gaio_test_add_loop_matrix ("/bottom-half/cancel", test_cancel);
  gaio_test_add_loop_matrix ("/bottom-half/destroy", test_destroy);
  gaio_test_add_loop_matrix ("/bottom-half/drop-scheduled", test_drop_scheduled);
  gaio_test_add_loop_matrix ("/bottom-half/destroy-itself/one", test_destroy_itself_one);
  gaio_test_add_loop_matrix ("/bottom-half/destroy-itself/many", test_destroy_itself_many);
  gaio_test_add_loop_matrix ("/bottom-half/drop-itself", test_drop_itself);
  gaio_test_add_loop_matrix ("/bottom-half/destroy-and-poll", test_destroy_and_poll);
  gaio_test_add_loop_matrix ("/bottom-half/other", test_other);
  gaio_test_add_loop_matrix ("/bottom-half/fifo", test_fifo);
  gaio_test_add_loop_matrix ("/bottom-half/idle", test_idle);
  gaio_test_add_loop_matrix ("/bottom-half/idle-then-urgent", test_idle_then_urgent);
  gaio_test_add_loop_matrix ("/bottom-half/invoke", test_invoke);
  gaio_test_add_loop_matrix ("/bottom-half/wake", test_wake);
  gaio_test_add_loop_matrix ("/bottom-half/notify-at-home", test_notify_at_home);
  gaio_test_add_loop_matrix ("/bottom-half/signal-handler", test_signal_handler);
  gaio_test_add_loop_matrix ("/bottom-half/context-ends", test_context_ends);

  gaio_test_add_loop_matrix ("/bottom-half/is-scheduled", test_is_scheduled);
  return g_test_run ();
}
