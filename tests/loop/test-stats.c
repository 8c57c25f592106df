/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a context counts. */

#include "flag.h"
#include "stats.h"

static void
count (gpointer data)
{
  ++*(int *) data;
}

/* Each kind is counted where it runs, and only there. */
static void
test_kinds (GaioTestLoop *loop)
{
  GaioContext *context = loop->context;
  g_autoptr (GaioBottomHalf) bh = NULL;
  g_autoptr (GaioTimer) timer = NULL;
  g_autoptr (GaioTimer) pending = NULL;
  Flag flag = { 0 };
  guint64 halves;
  int n = 0;
  int n_timers = 0;

  bh = gaio_bottom_half_new (context, count, &n, NULL);
  timer = gaio_timer_new (context, GAIO_CLOCK_MONOTONIC, count, &n_timers, NULL);
  pending = gaio_timer_new (context, GAIO_CLOCK_WALL, count, &n_timers, NULL);
  init (loop, &flag);
  gaio_test_settle (loop);
  g_assert_cmpuint (get_stat (context, "handlers"), ==, 0);
  g_assert_cmpuint (get_stat (context, "timers"), ==, 0);
  halves = get_stat (context, "bottom-halves");

  watch (&flag);
  gaio_test_settle (loop);
  g_assert_cmpuint (get_stat (context, "handlers"), ==, 1);
  g_assert_cmpuint (get_stat (context, "fd-callbacks"), ==, 0);
  for (int i = 1; i <= 3; i++)
    {
      gaio_event_notifier_set (flag.notifier);
      gaio_test_turn_until (loop, &flag.n, i);
    }
  g_assert_cmpuint (get_stat (context, "fd-callbacks"), ==, 3);
  g_assert_cmpuint (get_stat (context, "bottom-halves"), ==, halves);
  g_assert_cmpuint (get_stat (context, "timer-callbacks"), ==, 0);

  for (int i = 1; i <= 2; i++)
    {
      gaio_bottom_half_schedule (bh);
      gaio_bottom_half_schedule (bh);
      gaio_test_turn_until (loop, &n, i);
    }
  g_assert_cmpuint (get_stat (context, "bottom-halves"), ==, halves + 2);

  gaio_timer_arm_ns (timer, 0);
  gaio_timer_arm_ns (pending, G_MAXINT64 / 2);
  g_assert_cmpuint (get_stat (context, "timers"), ==, 2);
  gaio_test_turn_until (loop, &n_timers, 1);
  g_assert_cmpuint (get_stat (context, "timers"), ==, 1);
  g_assert_cmpuint (get_stat (context, "timer-callbacks"), ==, 1);
  gaio_timer_cancel (pending);
  g_assert_cmpuint (get_stat (context, "timers"), ==, 0);
  g_assert_cmpuint (get_stat (context, "fd-callbacks"), ==, 3);

  finish (&flag);
  g_assert_cmpuint (get_stat (context, "handlers"), ==, 0);
}

/* Turns, sleeps, and notifications that found the loop awake. */
static void
test_turns (GaioTestLoop *loop)
{
  GaioContext *context = loop->context;
  guint64 turns, waits, saved, sent;

  while (gaio_context_poll (context, FALSE))
    ;
  turns = get_stat (context, "turns");
  waits = get_stat (context, "waits");
  saved = get_stat (context, "wake-ups-saved");
  sent = get_stat (context, "wake-ups-sent");
  for (int i = 0; i < 5; i++)
    gaio_context_poll (context, FALSE);
  g_assert_cmpuint (get_stat (context, "turns"), ==, turns + 5);
  g_assert_cmpuint (get_stat (context, "waits"), ==, waits);

  for (int i = 0; i < 3; i++)
    {
      /* The second is nothing new. */
      gaio_context_notify (context);
      gaio_context_notify (context);
      gaio_context_poll (context, TRUE);
    }
  g_assert_cmpuint (get_stat (context, "waits"), ==, waits);
  g_assert_cmpuint (get_stat (context, "wake-ups-saved"), ==, saved + 3);
  g_assert_cmpuint (get_stat (context, "wake-ups-sent"), ==, sent);

  gaio_context_poll_ns (context, 1000);
  g_assert_cmpuint (get_stat (context, "waits"), ==, waits + 1);
}

/* Between two iterations of a foreign loop the context sleeps. */
static void
test_sent (GaioTestLoop *loop)
{
  GaioContext *context = loop->context;
  guint64 sent, saved, waits;

  while (gaio_context_poll (context, FALSE))
    ;
  g_assert_cmpint (gaio_context_get_fd (context), >=, 0);
  while (gaio_context_iterate (context))
    ;
  waits = get_stat (context, "waits");
  g_assert_cmpuint (waits, >, 0);
  sent = get_stat (context, "wake-ups-sent");
  saved = get_stat (context, "wake-ups-saved");
  gaio_context_notify (context);
  gaio_context_notify (context);
  g_assert_cmpuint (get_stat (context, "wake-ups-sent"), ==, sent + 1);
  gaio_context_iterate (context);
  g_assert_cmpuint (get_stat (context, "wake-ups-sent"), ==, sent + 1);
  g_assert_cmpuint (get_stat (context, "wake-ups-saved"), ==, saved);
  g_assert_cmpuint (get_stat (context, "waits"), ==, waits + 1);
}

static void
dawdle (gpointer data)
{
  g_usleep (3000);
  count (data);
}

/* From the first time that somebody asks. */
static void
test_longest_dispatch (GaioTestLoop *loop)
{
  GaioContext *context = loop->context;
  guint64 longest;
  int n = 0;

  gaio_context_invoke (context, dawdle, &n, NULL);
  gaio_test_turn_until (loop, &n, 1);
  g_assert_cmpuint (get_stat (context, "longest-dispatch-ns"), ==, 0);
  gaio_context_invoke (context, dawdle, &n, NULL);
  gaio_test_turn_until (loop, &n, 2);
  longest = get_stat (context, "longest-dispatch-ns");
  g_assert_cmpuint (longest, >=, 3 * 1000 * 1000);
  gaio_test_settle (loop);
  g_assert_cmpuint (get_stat (context, "longest-dispatch-ns"), >=, longest);
}

static void
test_names (GaioTestLoop *loop)
{
  g_autoptr (GVariant) stats = NULL;
  const char *name;
  Flag flag = { 0 };

  init (loop, &flag);
  watch (&flag);
  gaio_event_notifier_set (flag.notifier);
  gaio_test_turn_until (loop, &flag.n, 1);
  finish (&flag);
  stats = gaio_context_get_stats (loop->context);
  g_assert_false (g_variant_is_floating (stats));
  g_assert_true (g_variant_lookup (stats, "monitor", "&s", &name));
  g_assert_cmpstr (name, ==,
                   loop->monitor == GAIO_MONITOR_POLL    ? "poll"
                   : loop->monitor == GAIO_MONITOR_EPOLL ? "epoll"
                                                         : "io-uring");
  g_assert_true (g_variant_lookup (stats, "engine", "&s", &name));
  if (loop->monitor == GAIO_MONITOR_IO_URING)
    {
      g_assert_cmpstr (name, ==, "io-uring");
      g_assert_cmpuint (get_stat (loop->context, "completions"), >, 0);
    }
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  gaio_test_add_loop_matrix ("/stats/kinds", test_kinds);
  gaio_test_add_monitor_matrix ("/stats/turns", test_turns);
  gaio_test_add_monitor_matrix ("/stats/sent", test_sent);
  gaio_test_add_loop_matrix ("/stats/longest-dispatch", test_longest_dispatch);
  gaio_test_add_loop_matrix ("/stats/names", test_names);
  return g_test_run ();
}
