/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The clocks: two of the system, and the virtual one, which stands, goes and is set forward as the
 * program says, and takes its timers along. */

#include "alarm.h"

static void
test_virtual (GaioTestLoop *loop)
{
  Alarm a = { .clock = GAIO_CLOCK_VIRTUAL };
  gint64 start_ns = gaio_clock_get_ns (GAIO_CLOCK_VIRTUAL);

  set_up (loop, &a);
  arm (&a, 1000 * MS);
  g_usleep (1000);
  gaio_test_settle (loop);
  g_assert_cmpint (gaio_clock_get_ns (GAIO_CLOCK_VIRTUAL), ==, start_ns);
  g_assert_cmpint (a.n, ==, 0);

  gaio_clock_advance (GAIO_CLOCK_VIRTUAL, 1000 * MS - 1);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n, ==, 0);
  gaio_clock_advance (GAIO_CLOCK_VIRTUAL, 1);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n, ==, 1);
  g_assert_cmpint (gaio_clock_get_ns (GAIO_CLOCK_VIRTUAL), ==, start_ns + 1000 * MS);

  /* Enabled, it passes as the monotonic one does. */
  gaio_clock_set_enabled (GAIO_CLOCK_VIRTUAL, TRUE);
  arm (&a, 2 * MS);
  gaio_test_turn_until (loop, &a.n, 2);
  gaio_clock_set_enabled (GAIO_CLOCK_VIRTUAL, FALSE);
  start_ns = gaio_clock_get_ns (GAIO_CLOCK_VIRTUAL);
  arm (&a, 1);
  g_usleep (1000);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n, ==, 2);
  g_assert_cmpint (gaio_clock_get_ns (GAIO_CLOCK_VIRTUAL), ==, start_ns);
  tear_down (&a);
}

static gpointer
advance_elsewhere (gpointer data)
{
  g_usleep (3000);
  gaio_clock_advance (GAIO_CLOCK_VIRTUAL, 1000 * MS);
  return NULL;
}

static gpointer
enable_elsewhere (gpointer data)
{
  g_usleep (3000);
  gaio_clock_set_enabled (GAIO_CLOCK_VIRTUAL, TRUE);
  return NULL;
}

/* A loop that sleeps has to hear of it. */
static void
test_virtual_wakes (GaioTestLoop *loop)
{
  Alarm a = { .clock = GAIO_CLOCK_VIRTUAL };
  GThread *thread;

  set_up (loop, &a);
  arm (&a, 1000 * MS);
  thread = g_thread_new ("advancer", advance_elsewhere, NULL);
  gaio_test_turn_until (loop, &a.n, 1);
  g_thread_join (thread);

  arm (&a, 2 * MS);
  thread = g_thread_new ("enabler", enable_elsewhere, NULL);
  gaio_test_turn_until (loop, &a.n, 2);
  g_thread_join (thread);
  gaio_clock_set_enabled (GAIO_CLOCK_VIRTUAL, FALSE);
  tear_down (&a);
}

static int n_woken;

static gpointer
notify_elsewhere (gpointer data)
{
  g_usleep (20000);
  g_atomic_int_inc (&n_woken);
  gaio_context_notify (data);
  return NULL;
}

/* While the clock stands still nobody waits for its timers: the loop sleeps, it does not spin. */
static void
test_virtual_stands (GaioTestLoop *loop)
{
  Alarm a = { .clock = GAIO_CLOCK_VIRTUAL };
  GThread *thread;
  int turns = 0;

  set_up (loop, &a);
  arm (&a, 1);
  gaio_test_settle (loop);
  n_woken = 0;
  thread = g_thread_new ("notifier", notify_elsewhere, loop->context);
  for (; g_atomic_int_get (&n_woken) == 0; turns++)
    gaio_test_turn (loop, TRUE);
  g_thread_join (thread);
  g_assert_cmpint (turns, <, 10);
  g_assert_cmpint (a.n, ==, 0);
  tear_down (&a);
}

static void
test_misuse (void)
{
  gint64 before_ns = gaio_clock_get_ns (GAIO_CLOCK_VIRTUAL);

  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*GAIO_CLOCK_VIRTUAL*");
  gaio_clock_set_enabled (GAIO_CLOCK_MONOTONIC, TRUE);
  g_test_assert_expected_messages ();
  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*GAIO_CLOCK_VIRTUAL*");
  gaio_clock_advance (GAIO_CLOCK_WALL, 1);
  g_test_assert_expected_messages ();
  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*duration_ns >= 0*");
  gaio_clock_advance (GAIO_CLOCK_VIRTUAL, -1);
  g_test_assert_expected_messages ();
  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*GAIO_CLOCK_VIRTUAL*");
  g_assert_cmpint (gaio_clock_get_ns (17), ==, 0);
  g_test_assert_expected_messages ();
  g_assert_cmpint (gaio_clock_get_ns (GAIO_CLOCK_VIRTUAL), ==, before_ns);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);

  gaio_test_add_loop_matrix ("/clock/virtual", test_virtual);
  gaio_test_add_loop_matrix ("/clock/virtual-wakes", test_virtual_wakes);
  gaio_test_add_loop_matrix ("/clock/virtual-stands", test_virtual_stands);
  gaio_test_add ("/clock/misuse", test_misuse);

  return g_test_run ();
}
