/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Coroutines that have the thread pool work for them. */

#include "gaio-test.h"

typedef struct
{
  GaioThreadPool *pool;
  GThread *home;
  GThread *worker;
  int value;
  int result;
  int *n_ended;
} Work;

static gpointer
square (gpointer data)
{
  Work *self = data;

  self->worker = g_thread_self ();
  return GINT_TO_POINTER (self->value * self->value);
}

static void
have_it_squared (gpointer data)
{
  Work *self = data;

  self->result = GPOINTER_TO_INT (gaio_thread_pool_co_run (self->pool, square, self));
  g_assert_true (g_thread_self () == self->home);
  ++*self->n_ended;
}

static GaioCoroutine *
enter (GaioContext *context, GaioFunc func, gpointer data)
{
  g_autoptr (GError) error = NULL;
  GaioCoroutine *self = gaio_coroutine_new (context, func, data, NULL, &error);

  g_assert_no_error (error);
  gaio_coroutine_enter (self);
  return self;
}

#define MANY 100

static void
run (GaioTestLoop *loop)
{
  g_autoptr (GaioThreadPool) pool = gaio_thread_pool_new ();
  Work works[MANY];
  int n_ended = 0;

  for (int i = 0; i < MANY; i++)
    {
      works[i] = (Work){
        .pool = pool, .home = g_thread_self (), .value = i, .n_ended = &n_ended, .result = -1
      };
      gaio_coroutine_unref (enter (loop->context, have_it_squared, &works[i]));
    }
  /* None of them ends before the loop has had its turn. */
  g_assert_cmpint (n_ended, ==, 0);
  gaio_test_turn_until (loop, &n_ended, MANY);
  for (int i = 0; i < MANY; i++)
    {
      g_assert_cmpint (works[i].result, ==, i * i);
      g_assert_true (works[i].worker != NULL && works[i].worker != g_thread_self ());
    }
  gaio_test_settle (loop);
}

typedef struct
{
  GaioThreadPool *pool;
  GMutex mutex; /* held by the test while the job shall not end */
  int n_ended;
} Blocked;

static gpointer
wait_for_mutex (gpointer data)
{
  Blocked *self = data;

  g_mutex_lock (&self->mutex);
  g_mutex_unlock (&self->mutex);
  return self;
}

static void
run_blocked (gpointer data)
{
  Blocked *self = data;

  g_assert_true (gaio_thread_pool_co_run (self->pool, wait_for_mutex, self) == self);
  self->n_ended++;
}

/* Nothing but the job's end makes it go on: neither a wake, nor the program's dropping the context,
 * which lasts as long as the job. */
static void
kept (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GaioThreadPool) pool = gaio_thread_pool_new ();
  GaioContext *context = gaio_context_new (&error);
  Blocked self = { .pool = pool };
  GaioCoroutine *coroutine;
  GWeakRef weak;

  g_weak_ref_init (&weak, context);
  g_mutex_lock (&self.mutex);
  coroutine = enter (context, run_blocked, &self);
  gaio_coroutine_wake (coroutine);
  for (int i = 0; i < 10; i++)
    gaio_context_poll (context, FALSE);
  g_assert_cmpint (self.n_ended, ==, 0);
  g_object_unref (context);
  context = g_weak_ref_get (&weak);
  g_assert_nonnull (context);
  g_mutex_unlock (&self.mutex);
  while (self.n_ended == 0)
    gaio_context_poll (context, TRUE);
  g_object_unref (context);
  g_assert_null (g_weak_ref_get (&weak));
  g_weak_ref_clear (&weak);
  gaio_coroutine_unref (coroutine);
}

static void
outside (void)
{
  g_autoptr (GaioThreadPool) pool = gaio_thread_pool_new ();

  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*coroutine*");
  g_assert_null (gaio_thread_pool_co_run (pool, square, NULL));
  g_test_assert_expected_messages ();
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  gaio_test_add_loop_matrix ("/thread-pool-co/run", run);
  gaio_test_add ("/thread-pool-co/kept", kept);
  gaio_test_add ("/thread-pool-co/outside", outside);
  return g_test_run ();
}
