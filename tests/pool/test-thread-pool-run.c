/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* gaio_thread_pool_run_async(), which is what scripts use: closures run in a worker and are freed
 * at home, and a GCancellable stops what has not begun. */

#include "probe.h"

typedef struct
{
  GThread *home;
  Gate *gate;
  int n_run;
  int n_freed;
  int n_ended;
  gboolean result;
  GError *error;
} Script;

static void
script_run (gpointer data)
{
  Script *script = data;

  g_assert_true (g_thread_self () != script->home);
  script->n_run++;
  if (script->gate != NULL)
    gate_wait (script->gate);
}

static void
script_freed (gpointer data, GClosure *closure)
{
  Script *script = data;

  g_assert_true (g_thread_self () == script->home);
  script->n_freed++;
}

static void
script_ended (GObject *source, GAsyncResult *result, gpointer data)
{
  Script *script = data;

  g_assert_true (g_thread_self () == script->home);
  script->result =
      gaio_thread_pool_run_finish (GAIO_THREAD_POOL (source), result, &script->error);
  script->n_ended++;
}

static void
script_start (Script *script, GaioThreadPool *pool, GCancellable *cancellable)
{
  script->home = g_thread_self ();
  gaio_thread_pool_run_async (pool,
                              g_cclosure_new (G_CALLBACK (script_run), script, script_freed),
                              G_PRIORITY_DEFAULT, cancellable, script_ended, script);
  g_assert_cmpint (script->n_ended, ==, 0);
}

static void
script_end (Script *script, GaioTestLoop *loop, gboolean cancelled)
{
  gaio_test_turn_until (loop, &script->n_ended, 1);
  gaio_test_settle (loop);
  g_assert_cmpint (script->n_ended, ==, 1);
  g_assert_cmpint (script->n_freed, ==, 1);
  g_assert_cmpint (script->result, ==, !cancelled);
  g_assert_cmpint (script->n_run, ==, !cancelled);
  if (cancelled)
    g_assert_error (script->error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  else
    g_assert_no_error (script->error);
  g_clear_error (&script->error);
}

static void
test_run (void)
{
  g_autoptr (GaioThreadPool) pool = gaio_thread_pool_new ();
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  GaioTestLoop loop = { gaio_context_ref_thread_default (), g_main_context_default (),
                        GAIO_TEST_BY_SOURCE };
  Script script = { 0 };

  script_start (&script, pool, NULL);
  script_end (&script, &loop, FALSE);

  script = (Script){ 0 };
  script_start (&script, pool, cancellable);
  script_end (&script, &loop, FALSE);
  g_object_unref (loop.context);
}

static void
test_run_cancelled (void)
{
  g_autoptr (GaioThreadPool) pool = gaio_thread_pool_new ();
  g_autoptr (GCancellable) before = g_cancellable_new ();
  g_autoptr (GCancellable) while_queued = g_cancellable_new ();
  g_autoptr (GCancellable) while_running = g_cancellable_new ();
  GaioTestLoop loop = { gaio_context_ref_thread_default (), g_main_context_default (),
                        GAIO_TEST_BY_SOURCE };
  Script running = { 0 }, queued = { 0 }, late = { 0 };
  Gate gate = GATE_INIT;

  gaio_thread_pool_set_max_threads (pool, 1);
  running.gate = &gate;
  script_start (&running, pool, while_running);
  gate_fill (&gate, 1);
  script_start (&queued, pool, while_queued);
  g_cancellable_cancel (before);
  script_start (&late, pool, before);

  /* The queued one ends while the pool is busy; the running one goes on. */
  g_cancellable_cancel (while_running);
  g_cancellable_cancel (while_queued);
  g_assert_cmpint (queued.n_ended, ==, 0);
  script_end (&queued, &loop, TRUE);
  script_end (&late, &loop, TRUE);
  g_assert_cmpint (running.n_ended, ==, 0);
  gate_open (&gate);
  script_end (&running, &loop, FALSE);
  g_object_unref (loop.context);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  /* The first task makes what GLib's worker thread waits on, for good. */
  g_type_ensure (G_TYPE_TASK);

  gaio_test_add ("/thread-pool-run/simple", test_run);
  gaio_test_add ("/thread-pool-run/cancelled", test_run_cancelled);

  return g_test_run ();
}
