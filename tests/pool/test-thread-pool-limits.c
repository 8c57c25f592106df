/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* How many threads there are: one for one job at a time, one each for long jobs up to the maximum,
 * the minimum when there is nothing to do; and what becomes of the jobs when that changes. */

#include "probe.h"

/* Long jobs get a thread each, as many as allowed. */
static void
test_all_at_once (GaioTestLoop *loop)
{
  g_autoptr (GaioThreadPool) pool = gaio_thread_pool_new ();
  Probe probes[70] = { { 0 } };
  Gate gate = GATE_INIT;
  int n_ended = 0;

  for (guint i = 0; i < G_N_ELEMENTS (probes); i++)
    {
      probes[i].gate = &gate;
      probe_submit (&probes[i], pool, loop, &n_ended);
    }
  gate_fill (&gate, 64);
  g_assert_cmpuint (gaio_thread_pool_get_n_threads (pool), ==, 64);
  g_assert_cmpuint (gaio_thread_pool_get_n_idle (pool), ==, 0);
  g_assert_cmpuint (gaio_thread_pool_get_n_queued (pool), ==, 6);
  gate_open (&gate);
  gaio_test_turn_until (loop, &n_ended, G_N_ELEMENTS (probes));
}

/* One job at a time is done by one thread. */
static void
test_one_at_a_time (GaioTestLoop *loop)
{
  g_autoptr (GaioThreadPool) pool = gaio_thread_pool_new ();
  GThread *worker = NULL;

  for (int i = 0; i < 200; i++)
    {
      Probe probe = { 0 };
      int n_ended = 0;

      probe_submit (&probe, pool, loop, &n_ended);
      gaio_test_turn_until (loop, &n_ended, 1);
      if (worker == NULL)
        worker = probe.worker;
      g_assert_true (probe.worker == worker);
      g_assert_cmpuint (gaio_thread_pool_get_n_threads (pool), ==, 1);
      /* The job has ended a moment before the worker is idle again. */
      while (gaio_thread_pool_get_n_idle (pool) != 1)
        g_thread_yield ();
    }
}

/* Without threads a job still runs later, at home, and can be cancelled until then. */
static void
test_no_threads_allowed (GaioTestLoop *loop)
{
  g_autoptr (GaioThreadPool) pool = gaio_thread_pool_new ();
  Probe probes[10] = { { 0 } };
  int n_begun = 0;
  int n_ended = 0;

  gaio_thread_pool_set_max_threads (pool, 0);
  for (guint i = 0; i < G_N_ELEMENTS (probes); i++)
    {
      probes[i].n_begun = &n_begun;
      probe_submit (&probes[i], pool, loop, &n_ended);
      g_assert_cmpint (probes[i].n_run, ==, 0);
    }
  g_assert_true (gaio_thread_pool_cancel (pool, probes[3].id));
  g_assert_false (gaio_thread_pool_cancel (pool, probes[3].id));
  g_assert_cmpuint (gaio_thread_pool_get_n_queued (pool), ==, 0);
  gaio_test_turn_until (loop, &n_ended, G_N_ELEMENTS (probes));
  for (guint i = 0; i < G_N_ELEMENTS (probes); i++)
    {
      probe_assert_ended_once (&probes[i], i == 3);
      g_assert_false (gaio_thread_pool_cancel (pool, probes[i].id));
      if (i != 3)
        g_assert_true (probes[i].worker == g_thread_self ());
    }
  g_assert_cmpint (n_begun, ==, 9);
  g_assert_cmpuint (gaio_thread_pool_get_n_threads (pool), ==, 0);
}

static void
test_max_lowered (GaioTestLoop *loop)
{
  g_autoptr (GaioThreadPool) pool = gaio_thread_pool_new ();
  Probe probes[40] = { { 0 } };
  Gate gate = GATE_INIT;
  int n_ended = 0;

  gaio_thread_pool_set_max_threads (pool, 8);
  for (guint i = 0; i < G_N_ELEMENTS (probes); i++)
    {
      probes[i].gate = &gate;
      probe_submit (&probes[i], pool, loop, &n_ended);
    }
  gate_fill (&gate, 8);
  gaio_thread_pool_set_max_threads (pool, 2);
  g_assert_cmpuint (gaio_thread_pool_get_n_threads (pool), ==, 8);
  gate_open (&gate);
  gaio_test_turn_until (loop, &n_ended, G_N_ELEMENTS (probes));
  wait_for_threads (pool, 2);

  /* Idle ones leave too, and raising it brings them back. */
  gaio_thread_pool_set_max_threads (pool, 1);
  wait_for_threads (pool, 1);
  gaio_thread_pool_set_max_threads (pool, 3);
  gate.open = FALSE;
  n_ended = 0;
  for (guint i = 0; i < 3; i++)
    {
      probes[i] = (Probe){ .gate = &gate };
      probe_submit (&probes[i], pool, loop, &n_ended);
    }
  gate_fill (&gate, 3);
  gate_open (&gate);
  gaio_test_turn_until (loop, &n_ended, 3);
}

/* What waits for a thread does not wait for ever when no thread is to come. */
static void
test_max_lowered_to_none (GaioTestLoop *loop)
{
  g_autoptr (GaioThreadPool) pool = gaio_thread_pool_new ();
  Probe busy = { 0 };
  Probe probes[10] = { { 0 } };
  Gate gate = GATE_INIT;
  int n_busy = 0;
  int n_ended = 0;

  gaio_thread_pool_set_max_threads (pool, 1);
  busy.gate = &gate;
  probe_submit (&busy, pool, loop, &n_busy);
  gate_fill (&gate, 1);
  for (guint i = 0; i < G_N_ELEMENTS (probes); i++)
    probe_submit (&probes[i], pool, loop, &n_ended);
  gaio_thread_pool_set_max_threads (pool, 0);
  gaio_test_turn_until (loop, &n_ended, G_N_ELEMENTS (probes));
  for (guint i = 0; i < G_N_ELEMENTS (probes); i++)
    g_assert_true (probes[i].worker == g_thread_self ());
  g_assert_cmpint (n_busy, ==, 0);
  gate_open (&gate);
  gaio_test_turn_until (loop, &n_busy, 1);
  wait_for_threads (pool, 0);
}

/* Raised while jobs wait: they get their threads at once. */
static void
test_max_raised (GaioTestLoop *loop)
{
  g_autoptr (GaioThreadPool) pool = gaio_thread_pool_new ();
  Probe probes[5] = { { 0 } };
  Gate gate = GATE_INIT;
  int n_ended = 0;

  gaio_thread_pool_set_max_threads (pool, 1);
  for (guint i = 0; i < G_N_ELEMENTS (probes); i++)
    {
      probes[i].gate = &gate;
      probe_submit (&probes[i], pool, loop, &n_ended);
    }
  gate_fill (&gate, 1);
  gaio_thread_pool_set_max_threads (pool, 5);
  gate_fill (&gate, 5);
  gate_open (&gate);
  gaio_test_turn_until (loop, &n_ended, 5);
}

static void
test_min (GaioTestLoop *loop)
{
  g_autoptr (GaioThreadPool) pool = gaio_thread_pool_new ();
  Probe probes[8] = { { 0 } };
  Gate gate = GATE_INIT;
  int n_ended = 0;

  gaio_thread_pool_set_idle_timeout_ms (pool, 1);
  gaio_thread_pool_set_min_threads (pool, 3);
  g_assert_cmpuint (gaio_thread_pool_get_n_threads (pool), ==, 3);
  for (guint i = 0; i < G_N_ELEMENTS (probes); i++)
    {
      probes[i].gate = &gate;
      probe_submit (&probes[i], pool, loop, &n_ended);
    }
  gate_fill (&gate, 8);
  gate_open (&gate);
  gaio_test_turn_until (loop, &n_ended, 8);
  wait_for_threads (pool, 3);
  /* Many times the idle time. A machine that is too slow to lose a thread in it sees no failure,
   * but a pool that is right never fails here. */
  g_usleep (50 * 1000);
  g_assert_cmpuint (gaio_thread_pool_get_n_threads (pool), ==, 3);
  gaio_thread_pool_set_min_threads (pool, 1);
  wait_for_threads (pool, 1);
  gaio_thread_pool_set_min_threads (pool, 0);
  wait_for_threads (pool, 0);
}

/* A pool comes back from having no threads. */
static void
test_idle_exit (GaioTestLoop *loop)
{
  g_autoptr (GaioThreadPool) pool = gaio_thread_pool_new ();

  gaio_thread_pool_set_idle_timeout_ms (pool, 0);
  for (int i = 0; i < 20; i++)
    {
      Probe probe = { 0 };
      int n_ended = 0;

      probe_submit (&probe, pool, loop, &n_ended);
      gaio_test_turn_until (loop, &n_ended, 1);
      if (i % 2 == 0)
        wait_for_threads (pool, 0);
    }

  /* Set while a thread is idle. */
  wait_for_threads (pool, 0);
  gaio_thread_pool_set_idle_timeout_ms (pool, G_MAXUINT);
  {
    Probe probe = { 0 };
    int n_ended = 0;

    probe_submit (&probe, pool, loop, &n_ended);
    gaio_test_turn_until (loop, &n_ended, 1);
    while (gaio_thread_pool_get_n_idle (pool) != 1)
      g_thread_yield ();
    gaio_thread_pool_set_idle_timeout_ms (pool, 1);
    wait_for_threads (pool, 0);
  }
}

static void
add_one (gpointer data)
{
  g_atomic_int_inc ((int *) data);
}

static void
test_properties (void)
{
  g_autoptr (GaioThreadPool) pool =
      g_object_new (GAIO_TYPE_THREAD_POOL, "min-threads", 0, "max-threads", 5, NULL);
  guint min, max, timeout_ms, n_threads, n_idle, n_queued;
  int n_notified = 0;

  g_object_get (pool, "min-threads", &min, "max-threads", &max, "idle-timeout-ms", &timeout_ms,
                "n-threads", &n_threads, "n-idle", &n_idle, "n-queued", &n_queued, NULL);
  g_assert_cmpuint (min, ==, 0);
  g_assert_cmpuint (max, ==, 5);
  g_assert_cmpuint (timeout_ms, ==, 10000);
  g_assert_cmpuint (n_threads + n_idle + n_queued, ==, 0);

  g_signal_connect_swapped (pool, "notify::max-threads", G_CALLBACK (add_one), &n_notified);
  gaio_thread_pool_set_max_threads (pool, 1000);
  g_assert_cmpuint (gaio_thread_pool_get_max_threads (pool), ==, 256);
  g_assert_cmpint (n_notified, ==, 1);

  /* A minimum above the maximum waits for it. */
  gaio_thread_pool_set_max_threads (pool, 2);
  gaio_thread_pool_set_min_threads (pool, 4);
  g_assert_cmpuint (gaio_thread_pool_get_min_threads (pool), ==, 2);
  g_assert_cmpuint (gaio_thread_pool_get_n_threads (pool), ==, 2);
  gaio_thread_pool_set_max_threads (pool, 64);
  g_assert_cmpuint (gaio_thread_pool_get_min_threads (pool), ==, 4);
  g_assert_cmpuint (gaio_thread_pool_get_n_threads (pool), ==, 4);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);

  gaio_test_add_driver_matrix ("/thread-pool-limits/all-at-once", test_all_at_once);
  gaio_test_add_driver_matrix ("/thread-pool-limits/one-at-a-time", test_one_at_a_time);
  gaio_test_add_driver_matrix ("/thread-pool-limits/no-threads-allowed", test_no_threads_allowed);
  gaio_test_add_driver_matrix ("/thread-pool-limits/max/lowered", test_max_lowered);
  gaio_test_add_driver_matrix ("/thread-pool-limits/max/lowered-to-none", test_max_lowered_to_none);
  gaio_test_add_driver_matrix ("/thread-pool-limits/max/raised", test_max_raised);
  gaio_test_add_driver_matrix ("/thread-pool-limits/min", test_min);
  gaio_test_add_driver_matrix ("/thread-pool-limits/idle-exit", test_idle_exit);
  gaio_test_add ("/thread-pool-limits/properties", test_properties);

  return g_test_run ();
}
