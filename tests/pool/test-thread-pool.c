/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Jobs: where they run, in which order, how often they end, and what may be done to them and to
 * their pool on the way. How many threads there are is in test-thread-pool-limits.c, exit and fork
 * in test-thread-pool-process.c, the function for scripts in test-thread-pool-run.c. */

#include <stdatomic.h>

#include "probe.h"

static void
test_submit (GaioTestLoop *loop)
{
  g_autoptr (GaioThreadPool) pool = gaio_thread_pool_new ();
  Probe probe = { 0 };
  int n_ended = 0;

  g_assert_cmpuint (gaio_thread_pool_get_n_threads (pool), ==, 0);
  probe_submit (&probe, pool, loop, &n_ended);
  gaio_test_turn_until (loop, &n_ended, 1);
  probe_assert_ended_once (&probe, FALSE);
  g_assert_true (probe.worker != g_thread_self ());
  gaio_test_settle (loop);
  probe_assert_ended_once (&probe, FALSE);
}

static void
test_no_done (GaioTestLoop *loop)
{
  g_autoptr (GaioThreadPool) pool = gaio_thread_pool_new ();
  Probe probe = { .home = g_thread_self () };
  int n_ended = 0;

  probe.n_ended = &n_ended;
  gaio_thread_pool_submit (pool, loop->context, probe_run, NULL, &probe, probe_free);
  gaio_test_turn_until (loop, &n_ended, 1);
  g_assert_cmpint (probe.n_run, ==, 1);
  g_assert_cmpint (probe.n_freed, ==, 1);
}

static void
add_one (gpointer data)
{
  g_atomic_int_inc ((int *) data);
}

static void
test_nothing_but_func (GaioTestLoop *loop)
{
  g_autoptr (GaioThreadPool) pool = gaio_thread_pool_new ();
  int n_run = 0;

  gaio_thread_pool_submit (pool, loop->context, add_one, NULL, &n_run, NULL);
  while (gaio_thread_pool_get_n_idle (pool) != 1)
    g_thread_yield ();
  gaio_test_settle (loop);
  g_assert_cmpint (n_run, ==, 1);
}

static void
test_submit_many (GaioTestLoop *loop)
{
  g_autoptr (GaioThreadPool) pool = gaio_thread_pool_new ();
  Probe probes[100] = { { 0 } };
  int n_ended = 0;

  for (guint i = 0; i < G_N_ELEMENTS (probes); i++)
    probe_submit (&probes[i], pool, loop, &n_ended);
  gaio_test_turn_until (loop, &n_ended, G_N_ELEMENTS (probes));
  for (guint i = 0; i < G_N_ELEMENTS (probes); i++)
    probe_assert_ended_once (&probes[i], FALSE);
  g_assert_cmpuint (gaio_thread_pool_get_n_queued (pool), ==, 0);
  g_assert_cmpuint (gaio_thread_pool_get_n_threads (pool), <=, 64);
}

static void
test_fifo (GaioTestLoop *loop)
{
  g_autoptr (GaioThreadPool) pool = gaio_thread_pool_new ();
  Probe probes[50] = { { 0 } };
  int n_begun = 0;
  int n_ended = 0;

  gaio_thread_pool_set_max_threads (pool, 1);
  for (guint i = 0; i < G_N_ELEMENTS (probes); i++)
    {
      probes[i].n_begun = &n_begun;
      probe_submit (&probes[i], pool, loop, &n_ended);
    }
  for (guint i = 0; i < G_N_ELEMENTS (probes); i++)
    {
      gaio_test_turn_until (loop, &n_ended, i + 1);
      /* Those that have ended are the first. */
      for (int j = 0; j < n_ended; j++)
        probe_assert_ended_once (&probes[j], FALSE);
    }
  for (guint i = 0; i < G_N_ELEMENTS (probes); i++)
    g_assert_cmpint (probes[i].begun, ==, i + 1);
}

static void
test_cancel (GaioTestLoop *loop)
{
  g_autoptr (GaioThreadPool) pool = gaio_thread_pool_new ();
  Probe probes[100] = { { 0 } };
  Gate gate = GATE_INIT;
  int n_ended = 0;

  gaio_thread_pool_set_max_threads (pool, 4);
  for (guint i = 0; i < G_N_ELEMENTS (probes); i++)
    {
      probes[i].gate = &gate;
      probe_submit (&probes[i], pool, loop, &n_ended);
    }
  gate_fill (&gate, 4);
  g_assert_cmpuint (gaio_thread_pool_get_n_queued (pool), ==, 96);

  /* From the middle, the front and the back; the first four run. */
  for (guint i = 50; i < 60; i++)
    g_assert_true (gaio_thread_pool_cancel (pool, probes[i].id));
  for (guint i = 0; i < 10; i++)
    g_assert_cmpint (gaio_thread_pool_cancel (pool, probes[i].id), ==, i >= 4);
  for (guint i = 90; i < 100; i++)
    g_assert_true (gaio_thread_pool_cancel (pool, probes[i].id));
  g_assert_false (gaio_thread_pool_cancel (pool, probes[50].id));
  g_assert_cmpuint (gaio_thread_pool_get_n_queued (pool), ==, 70);

  /* Their ends are told while the pool is full, and not before the loop turns. */
  g_assert_cmpint (n_ended, ==, 0);
  gaio_test_turn_until (loop, &n_ended, 26);
  for (guint i = 50; i < 60; i++)
    probe_assert_ended_once (&probes[i], TRUE);

  gate_open (&gate);
  gaio_test_turn_until (loop, &n_ended, G_N_ELEMENTS (probes));
  for (guint i = 0; i < G_N_ELEMENTS (probes); i++)
    probe_assert_ended_once (&probes[i], (i >= 4 && i < 10) || (i >= 50 && i < 60) || i >= 90);
}

/* Ids of jobs that are over, of none, and of a job in the place of an earlier one. */
static void
test_cancel_ended (GaioTestLoop *loop)
{
  g_autoptr (GaioThreadPool) pool = gaio_thread_pool_new ();
  guint64 ids[10];
  int n_ended = 0;

  gaio_thread_pool_set_max_threads (pool, 1);
  g_assert_false (gaio_thread_pool_cancel (pool, 0));
  g_assert_false (gaio_thread_pool_cancel (pool, G_MAXUINT64));
  for (guint i = 0; i < G_N_ELEMENTS (ids); i++)
    {
      Probe probe = { 0 };

      probe_submit (&probe, pool, loop, &n_ended);
      ids[i] = probe.id;
      gaio_test_turn_until (loop, &n_ended, i + 1);
      for (guint j = 0; j <= i; j++)
        g_assert_false (gaio_thread_pool_cancel (pool, ids[j]));
      for (guint j = 0; j < i; j++)
        g_assert_cmpuint (ids[j], !=, ids[i]);
    }
  {
    Probe busy = { 0 }, queued = { 0 };
    Gate gate = GATE_INIT;

    busy.gate = &gate;
    probe_submit (&busy, pool, loop, &n_ended);
    gate_fill (&gate, 1);
    probe_submit (&queued, pool, loop, &n_ended);
    for (guint j = 0; j < G_N_ELEMENTS (ids); j++)
      g_assert_false (gaio_thread_pool_cancel (pool, ids[j]));
    g_assert_true (gaio_thread_pool_cancel (pool, queued.id));
    gate_open (&gate);
    gaio_test_turn_until (loop, &n_ended, 12);
    probe_assert_ended_once (&queued, TRUE);
  }
}

typedef struct
{
  GaioThreadPool *pool;
  guint64 id;
  atomic_int cancelled; /* relaxed on purpose: it orders nothing */
} Canceller;

static gpointer
cancel_from_thread (gpointer data)
{
  Canceller *canceller = data;

  g_assert_true (gaio_thread_pool_cancel (canceller->pool, canceller->id));
  atomic_store_explicit (&canceller->cancelled, 1, memory_order_relaxed);
  return NULL;
}

/* One that is on its way home, since there are no threads: it ends there, and is freed, while the
 * thread that has cancelled it may still be in the call. */
static void
test_cancel_at_home (GaioTestLoop *loop)
{
  g_autoptr (GaioThreadPool) pool = gaio_thread_pool_new ();

  gaio_thread_pool_set_max_threads (pool, 0);
  for (int i = 0; i < 20; i++)
    {
      Canceller canceller = { .pool = pool };
      Probe probe = { 0 };
      int n_ended = 0;
      GThread *thread;

      probe_submit (&probe, pool, loop, &n_ended);
      canceller.id = probe.id;
      thread = g_thread_new ("canceller", cancel_from_thread, &canceller);
      while (atomic_load_explicit (&canceller.cancelled, memory_order_relaxed) == 0)
        g_thread_yield ();
      gaio_test_turn_until (loop, &n_ended, 1);
      probe_assert_ended_once (&probe, TRUE);
      g_thread_join (thread);
    }
}

typedef struct
{
  GaioTestLoop *loop;
  int n_others;
  int n_outer;
} Nest;

static void
nest_other_done (gboolean cancelled, gpointer data)
{
  Nest *nest = data;

  nest->n_others++;
}

static void
nest_outer_done (gboolean cancelled, gpointer data)
{
  Nest *nest = data;

  while (nest->n_others < 10)
    gaio_context_poll (nest->loop->context, TRUE);
  nest->n_outer++;
}

static void
nothing (gpointer data)
{
}

/* A callback that turns the loop sees the others end. */
static void
test_nested (GaioTestLoop *loop)
{
  g_autoptr (GaioThreadPool) pool = gaio_thread_pool_new ();
  Nest nest = { .loop = loop };

  for (int i = 0; i < 5; i++)
    gaio_thread_pool_submit (pool, loop->context, nothing, nest_other_done, &nest, NULL);
  gaio_thread_pool_submit (pool, loop->context, nothing, nest_outer_done, &nest, NULL);
  for (int i = 0; i < 5; i++)
    gaio_thread_pool_submit (pool, loop->context, nothing, nest_other_done, &nest, NULL);
  gaio_test_turn_until (loop, &nest.n_outer, 1);
  g_assert_cmpint (nest.n_outer, ==, 1);
  g_assert_cmpint (nest.n_others, ==, 10);
}

/* The jobs keep the pool. */
static void
test_dropped (GaioTestLoop *loop)
{
  GaioThreadPool *pool = gaio_thread_pool_new ();
  Probe probes[20] = { { 0 } };
  Gate gate = GATE_INIT;
  int n_ended = 0;

  gaio_thread_pool_set_max_threads (pool, 2);
  for (guint i = 0; i < G_N_ELEMENTS (probes); i++)
    {
      probes[i].gate = &gate;
      probe_submit (&probes[i], pool, loop, &n_ended);
    }
  g_object_add_weak_pointer (G_OBJECT (pool), (gpointer *) &pool);
  g_object_unref (pool);
  g_assert_nonnull (pool);
  gate_open (&gate);
  gaio_test_turn_until (loop, &n_ended, G_N_ELEMENTS (probes));
  for (guint i = 0; i < G_N_ELEMENTS (probes); i++)
    probe_assert_ended_once (&probes[i], FALSE);
  g_assert_null (pool);
}

typedef struct
{
  GaioThreadPool *pool;
  GaioContext *context;
  int n_done;
} Owner;

static void
owner_done (gboolean cancelled, gpointer data)
{
  Owner *owner = data;

  g_clear_object (&owner->pool);
  g_clear_object (&owner->context);
  owner->n_done++;
}

static void
test_last_unref_in_done (GaioTestLoop *loop)
{
  Owner owner = { .pool = gaio_thread_pool_new () };

  gaio_thread_pool_submit (owner.pool, loop->context, nothing, owner_done, &owner, NULL);
  gaio_test_turn_until (loop, &owner.n_done, 1);
  g_assert_null (owner.pool);
}

/* The pool and the context at once; the turn that runs the callback keeps the latter. */
static void
test_everything_unref_in_done (GaioTestLoop *loop)
{
  Owner owner = { .pool = gaio_thread_pool_new (), .context = g_steal_pointer (&loop->context) };
  GaioTestLoop alone = *loop;

  alone.context = owner.context;
  gaio_thread_pool_submit (owner.pool, owner.context, nothing, owner_done, &owner, NULL);
  gaio_test_turn_until (&alone, &owner.n_done, 1);
  g_assert_null (owner.pool);
}

static void
owner_drop (gpointer data)
{
  Owner *owner = data;

  g_clear_object (&owner->pool);
}

/* A pool whose last reference goes in the worker of another one. */
static void
test_last_unref_in_other_worker (GaioTestLoop *loop)
{
  g_autoptr (GaioThreadPool) pool = gaio_thread_pool_new ();
  Owner owner = { .pool = gaio_thread_pool_new () };
  GaioThreadPool *other = owner.pool;
  Probe probe = { 0 };
  int n_ended = 0;

  probe_submit (&probe, other, loop, &n_ended);
  gaio_test_turn_until (loop, &n_ended, 1);
  g_object_add_weak_pointer (G_OBJECT (other), (gpointer *) &other);
  gaio_thread_pool_submit (pool, loop->context, owner_drop, owner_done, &owner, NULL);
  gaio_test_turn_until (loop, &owner.n_done, 1);
  g_assert_null (other);
}

typedef struct
{
  GaioThreadPool *pool;
  GaioContext *context;
  Probe *probes;
  int n_probes;
} Foreigner;

static gpointer
submit_from_thread (gpointer data)
{
  Foreigner *foreigner = data;

  for (int i = 0; i < foreigner->n_probes; i++)
    foreigner->probes[i].id = gaio_thread_pool_submit (foreigner->pool, foreigner->context,
                                                       probe_run, probe_done,
                                                       &foreigner->probes[i], probe_free);
  return NULL;
}

/* A job ends in the thread of its context, whichever thread submitted it. */
static void
test_foreign_submit (GaioTestLoop *loop)
{
  g_autoptr (GaioThreadPool) pool = gaio_thread_pool_new ();
  Probe probes[100] = { { 0 } };
  Foreigner foreigner = { pool, loop->context, probes, G_N_ELEMENTS (probes) };
  int n_ended = 0;
  GThread *thread;

  gaio_test_settle (loop);
  for (guint i = 0; i < G_N_ELEMENTS (probes); i++)
    {
      probes[i].home = g_thread_self ();
      probes[i].n_ended = &n_ended;
    }
  thread = g_thread_new ("foreigner", submit_from_thread, &foreigner);
  gaio_test_turn_until (loop, &n_ended, G_N_ELEMENTS (probes));
  g_thread_join (thread);
  for (guint i = 0; i < G_N_ELEMENTS (probes); i++)
    probe_assert_ended_once (&probes[i], FALSE);
}

static void
test_default (void)
{
  GaioThreadPool *pool = gaio_thread_pool_get_default ();

  g_assert_true (GAIO_IS_THREAD_POOL (pool));
  g_assert_true (pool == gaio_thread_pool_get_default ());
}

/* Embedded jobs */

typedef struct
{
  GaioJob job;
  GaioThreadPool *pool;
  GaioContext *context;
  int n_run;
  int n_done;
} Repeater;

#define N_REPEATS 1000

static void
repeater_work (GaioJob *job)
{
  ((Repeater *) job)->n_run++;
}

static void
repeater_done (GaioJob *job, bool cancelled)
{
  Repeater *repeater = (Repeater *) job;

  g_assert_false (cancelled);
  if (++repeater->n_done < N_REPEATS)
    gaio_job_submit (job, repeater->pool, repeater->context);
}

/* A job is free for the next submission in its own end. */
static void
test_resubmit (GaioTestLoop *loop)
{
  g_autoptr (GaioThreadPool) pool = gaio_thread_pool_new ();
  Repeater repeaters[16] = { { { 0 } } };

  for (guint i = 0; i < G_N_ELEMENTS (repeaters); i++)
    {
      repeaters[i].job.work = repeater_work;
      repeaters[i].job.done = repeater_done;
      repeaters[i].pool = pool;
      repeaters[i].context = loop->context;
      gaio_job_submit (&repeaters[i].job, pool, loop->context);
    }
  for (guint i = 0; i < G_N_ELEMENTS (repeaters); i++)
    gaio_test_turn_until (loop, &repeaters[i].n_done, N_REPEATS);
  for (guint i = 0; i < G_N_ELEMENTS (repeaters); i++)
    g_assert_cmpint (repeaters[i].n_run, ==, N_REPEATS);
}

/* Contexts that end */

static void
in_io_thread_done (gboolean cancelled, gpointer data)
{
  Probe *probe = data;

  g_assert_true (g_thread_self () != probe->home);
  probe->n_done++;
  probe->n_cancelled += cancelled;
}

/* The jobs of an I/O thread end in it, and before it does. */
static void
test_io_thread (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GaioThreadPool) pool = gaio_thread_pool_new ();
  g_autoptr (GaioIOThread) thread = gaio_io_thread_new ("io", &error);
  Probe probes[20] = { { 0 } };

  g_assert_no_error (error);
  gaio_thread_pool_set_max_threads (pool, 2);
  for (guint i = 0; i < G_N_ELEMENTS (probes); i++)
    {
      probes[i].home = g_thread_self ();
      gaio_thread_pool_submit (pool, gaio_io_thread_get_context (thread), probe_run,
                               in_io_thread_done, &probes[i], NULL);
    }
  gaio_io_thread_stop (thread);
  for (guint i = 0; i < G_N_ELEMENTS (probes); i++)
    {
      g_assert_cmpint (probes[i].n_run, ==, 1);
      g_assert_cmpint (probes[i].n_done, ==, 1);
      g_assert_cmpint (probes[i].n_cancelled, ==, 0);
    }
}

static void
closing_done (gboolean cancelled, gpointer data)
{
  Probe *probe = data;

  probe->n_done++;
  probe->n_cancelled += cancelled;
  g_atomic_int_inc (probe->n_ended);
}

/* The context takes no more while a job runs and others wait: the ends are told where they are
 * noticed, once, and the last of them takes the pool with it, in one of its own threads. */
static void
test_closed (GaioTestLoop *loop)
{
  GaioThreadPool *pool = gaio_thread_pool_new ();
  GaioThreadPool *no_threads = gaio_thread_pool_new ();
  Probe probes[20] = { { 0 } };
  Probe at_home = { 0 };
  Gate gate = GATE_INIT;
  int n_ended = 0;
  int n_home = 0;

  gaio_test_settle (loop);
  gaio_thread_pool_set_max_threads (pool, 4);
  gaio_thread_pool_set_max_threads (no_threads, 0);
  for (guint i = 0; i < G_N_ELEMENTS (probes); i++)
    {
      probes[i].gate = &gate;
      probes[i].n_ended = &n_ended;
      gaio_thread_pool_submit (pool, loop->context, probe_run, closing_done, &probes[i], NULL);
    }
  at_home.n_ended = &n_home;
  gaio_thread_pool_submit (no_threads, loop->context, probe_run, closing_done, &at_home, NULL);
  gate_fill (&gate, 4);
  g_object_add_weak_pointer (G_OBJECT (pool), (gpointer *) &pool);
  g_object_unref (pool);
  g_object_unref (no_threads);

  gaio_bh_queue_close (gaio_context_get_bh_queue (loop->context));
  g_assert_cmpint (n_home, ==, 1);
  g_assert_cmpint (at_home.n_run, ==, 0);
  g_assert_cmpint (at_home.n_cancelled, ==, 1);
  g_assert_cmpint (n_ended, ==, 0);
  gate_open (&gate);
  while (g_atomic_int_get (&n_ended) < (int) G_N_ELEMENTS (probes) ||
         g_atomic_pointer_get (&pool) != NULL)
    g_usleep (100);
  for (guint i = 0; i < G_N_ELEMENTS (probes); i++)
    {
      g_assert_cmpint (probes[i].n_run, ==, 1);
      g_assert_cmpint (probes[i].n_done, ==, 1);
      g_assert_cmpint (probes[i].n_cancelled, ==, 0);
    }
}

/* Stress */

#define N_SUBMITTERS 4
#define N_EACH 3000

typedef struct
{
  GaioThreadPool *pool;
  GaioContext *context;
  int n_run;       /* atomic */
  int n_cancels;   /* atomic: that cancel() said yes to */
  int n_done;      /* home */
  int n_cancelled; /* home */
  int n_freed;     /* atomic, for the waiting */
} Storm;

static void
storm_run (gpointer data)
{
  Storm *storm = data;

  g_atomic_int_inc (&storm->n_run);
}

static void
storm_done (gboolean cancelled, gpointer data)
{
  Storm *storm = data;

  storm->n_done++;
  storm->n_cancelled += cancelled;
}

static void
storm_freed (gpointer data)
{
  Storm *storm = data;

  g_atomic_int_inc (&storm->n_freed);
}

static gpointer
storm_submit (gpointer data)
{
  Storm *storm = data;
  GRand *random = g_rand_new_with_seed (GPOINTER_TO_UINT (g_thread_self ()));
  guint64 ids[16] = { 0 };

  for (int i = 0; i < N_EACH; i++)
    {
      guint place = g_rand_int_range (random, 0, G_N_ELEMENTS (ids));

      if (g_rand_boolean (random) && gaio_thread_pool_cancel (storm->pool, ids[place]))
        g_atomic_int_inc (&storm->n_cancels);
      ids[place] = gaio_thread_pool_submit (storm->pool, storm->context, storm_run, storm_done,
                                            storm, storm_freed);
      if (i % 500 == 0)
        gaio_thread_pool_set_max_threads (storm->pool, g_rand_int_range (random, 0, 9));
    }
  g_rand_free (random);
  return NULL;
}

/* Submissions, cancellations and changes of the limits by several threads at once: the counts of
 * the two sides agree. */
static void
test_storm (GaioTestLoop *loop)
{
  g_autoptr (GaioThreadPool) pool = gaio_thread_pool_new ();
  Storm storm = { .pool = pool, .context = loop->context };
  GThread *threads[N_SUBMITTERS];

  gaio_test_settle (loop);
  gaio_thread_pool_set_idle_timeout_ms (pool, 1);
  for (int i = 0; i < N_SUBMITTERS; i++)
    threads[i] = g_thread_new ("submitter", storm_submit, &storm);
  gaio_test_turn_until (loop, &storm.n_freed, N_SUBMITTERS * N_EACH);
  for (int i = 0; i < N_SUBMITTERS; i++)
    g_thread_join (threads[i]);
  gaio_test_settle (loop);
  g_assert_cmpint (storm.n_freed, ==, N_SUBMITTERS * N_EACH);
  g_assert_cmpint (storm.n_done, ==, N_SUBMITTERS * N_EACH);
  g_assert_cmpint (storm.n_cancelled, ==, storm.n_cancels);
  g_assert_cmpint (storm.n_run, ==, N_SUBMITTERS * N_EACH - storm.n_cancels);
  g_assert_cmpuint (gaio_thread_pool_get_n_queued (pool), ==, 0);
  gaio_thread_pool_set_max_threads (pool, 0);
  wait_for_threads (pool, 0);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);

  gaio_test_add_driver_matrix ("/thread-pool/submit", test_submit);
  gaio_test_add_driver_matrix ("/thread-pool/no-done", test_no_done);
  gaio_test_add_driver_matrix ("/thread-pool/nothing-but-func", test_nothing_but_func);
  gaio_test_add_driver_matrix ("/thread-pool/submit-many", test_submit_many);
  gaio_test_add_driver_matrix ("/thread-pool/fifo", test_fifo);
  gaio_test_add_driver_matrix ("/thread-pool/cancel", test_cancel);
  gaio_test_add_driver_matrix ("/thread-pool/cancel-ended", test_cancel_ended);
  gaio_test_add_driver_matrix ("/thread-pool/cancel-at-home", test_cancel_at_home);
  gaio_test_add_driver_matrix ("/thread-pool/nested", test_nested);
  gaio_test_add_driver_matrix ("/thread-pool/dropped", test_dropped);
  gaio_test_add_driver_matrix ("/thread-pool/last-unref/in-done", test_last_unref_in_done);
  gaio_test_add_driver_matrix ("/thread-pool/last-unref/everything-in-done",
                               test_everything_unref_in_done);
  gaio_test_add_driver_matrix ("/thread-pool/last-unref/in-other-worker",
                               test_last_unref_in_other_worker);
  gaio_test_add_driver_matrix ("/thread-pool/foreign-submit", test_foreign_submit);
  gaio_test_add ("/thread-pool/default", test_default);
  gaio_test_add_driver_matrix ("/thread-pool/job/resubmit", test_resubmit);
  gaio_test_add ("/thread-pool/io-thread", test_io_thread);
  gaio_test_add_driver_matrix ("/thread-pool/closed", test_closed);
  gaio_test_add_driver_matrix ("/thread-pool/storm", test_storm);

  return g_test_run ();
}
