/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Coroutines of five contexts in five threads: they move from one to another, wake each other, and
 * share locks. What is counted without atomics shows whether a lock locks; what is lost hangs. With
 * `-m slow` there is thirty times as much of it, and the rates mean something. */

#include "gaio-test.h"

#define N_THREADS 5

static int
scaled (int n)
{
  return g_test_slow () ? n * 30 : n;
}

/* ---- the threads ---- */

static GaioIOThread *threads[N_THREADS];
static GaioContext *contexts[N_THREADS];
static GMutex ended_lock;
static GCond ended_cond;
static int n_ended;

static void
start_threads (void)
{
  for (int i = 0; i < N_THREADS; i++)
    {
      g_autoptr (GError) error = NULL;

      threads[i] = gaio_io_thread_new ("coroutines", &error);
      g_assert_no_error (error);
      contexts[i] = gaio_io_thread_get_context (threads[i]);
    }
  n_ended = 0;
}

static void
stop_threads (void)
{
  for (int i = 0; i < N_THREADS; i++)
    {
      gaio_io_thread_stop (threads[i]);
      g_object_unref (threads[i]);
    }
}

/* The destroy notify of all coroutines here. */
static void
on_ended (gpointer data)
{
  g_mutex_lock (&ended_lock);
  n_ended++;
  g_cond_signal (&ended_cond);
  g_mutex_unlock (&ended_lock);
}

static void
wait_for_ends (int n)
{
  g_mutex_lock (&ended_lock);
  while (n_ended < n)
    g_cond_wait (&ended_cond, &ended_lock);
  g_assert_cmpint (n_ended, ==, n);
  g_mutex_unlock (&ended_lock);
}

static GaioCoroutine *
begin (GaioContext *context, GaioFunc func, gpointer data)
{
  g_autoptr (GError) error = NULL;
  GaioCoroutine *self = gaio_coroutine_new (context, func, data, on_ended, &error);

  g_assert_no_error (error);
  gaio_coroutine_wake (self);
  return self;
}

static void
report (const char *what, int n, gint64 begin_us)
{
  gint64 duration_us = MAX (g_get_monotonic_time () - begin_us, 1);

  g_test_message ("%d %s, %.0f a second", n, what, n * 1e6 / duration_us);
}

static void
lifecycle (void)
{
  start_threads ();
  for (int i = 0; i < N_THREADS; i++)
    g_assert_true (contexts[i] != contexts[(i + 1) % N_THREADS]);
  stop_threads ();
}

/* ---- moving ---- */

#define MOVERS 20

typedef struct
{
  GaioCoroutine *coroutine;
  GaioCoroutine *to_wake;
  guint random;
  int n_left;
  int n_moves;
} Mover;

static void
move_about (gpointer data)
{
  Mover *self = data;

  g_assert_true (gaio_coroutine_self () == self->coroutine);
  while (self->n_left > 0)
    {
      GaioContext *context;
      g_autoptr (GaioContext) here = NULL;

      self->n_left--;
      self->random = self->random * 1103515245 + 12345;
      context = contexts[(self->random >> 16) % N_THREADS];
      gaio_coroutine_move (context);
      /* It is where it wanted to go, and still who it is. */
      here = gaio_context_ref_thread_default ();
      g_assert_true (here == context);
      g_assert_true (gaio_coroutine_self () == self->coroutine);
      self->n_moves++;
      /* It may be on its way at the moment, or wait, or have ended. */
      gaio_coroutine_wake (self->to_wake);
      if (self->n_left % 4 == 0)
        gaio_coroutine_sleep_ns (1000);
    }
}

static void
schedule (void)
{
  Mover movers[MOVERS];
  int n = scaled (100);
  gint64 begin_us;

  start_threads ();
  begin_us = g_get_monotonic_time ();
  for (int i = 0; i < MOVERS; i++)
    {
      g_autoptr (GError) error = NULL;

      movers[i] = (Mover){ .random = (guint) i * 7919, .n_left = n };
      movers[i].coroutine =
          gaio_coroutine_new (contexts[i % N_THREADS], move_about, &movers[i], on_ended, &error);
      g_assert_no_error (error);
    }
  for (int i = 0; i < MOVERS; i++)
    movers[i].to_wake = movers[(i + 1) % MOVERS].coroutine;
  for (int i = 0; i < MOVERS; i++)
    gaio_coroutine_wake (movers[i].coroutine);
  wait_for_ends (MOVERS);
  report ("moves", n * MOVERS, begin_us);
  for (int i = 0; i < MOVERS; i++)
    {
      g_assert_cmpint (movers[i].n_moves, ==, n);
      gaio_coroutine_unref (movers[i].coroutine);
    }
  stop_threads ();
}

/* One that yields in one thread and is woken from another, each time. */
typedef struct
{
  GaioCoroutine *coroutine;
  GaioCoroutine *other;
  int n;
} Player;

static void
play (gpointer data)
{
  Player *self = data;

  while (self->n-- > 0)
    {
      gaio_coroutine_wake (self->other);
      gaio_coroutine_yield ();
    }
  gaio_coroutine_wake (self->other);
}

static void
ping_pong (void)
{
  int n = scaled (1000);
  Player a = { .n = n }, b = { .n = n };
  g_autoptr (GError) error = NULL;
  gint64 begin_us;

  start_threads ();
  begin_us = g_get_monotonic_time ();
  b.other = a.coroutine = gaio_coroutine_new (contexts[0], play, &a, on_ended, &error);
  a.other = b.coroutine = gaio_coroutine_new (contexts[1], play, &b, on_ended, &error);
  gaio_coroutine_wake (a.coroutine);
  wait_for_ends (2);
  report ("wakes from another thread", 2 * n, begin_us);
  gaio_coroutine_unref (a.coroutine);
  gaio_coroutine_unref (b.coroutine);
  stop_threads ();
}

/* A wake that is still in the queue of a home that the coroutine has left follows it. */
typedef struct
{
  GaioCoroutine *coroutine;
  GThread *thread;
  int step;
  int waits; /* the coroutine */
} Follow;

static void
move_and_yield (gpointer data)
{
  Follow *self = data;

  gaio_coroutine_move (contexts[0]);
  g_atomic_int_set (&self->step, 1);
  gaio_coroutine_yield ();
  self->thread = g_thread_self ();
  g_atomic_int_set (&self->step, 2);
}

static void
wait_for_step (Follow *self, int step)
{
  while (g_atomic_int_get (&self->step) < step)
    g_usleep (100);
}

/* In the thread of a coroutine: when this is called it does not run. */
static void
note_wait (gpointer data)
{
  g_atomic_int_set (&((Follow *) data)->waits, TRUE);
}

static void
follow (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GaioContext) context = gaio_context_new (&error);
  Follow self = { 0 };

  start_threads ();
  self.coroutine = gaio_coroutine_new (context, move_and_yield, &self, on_ended, &error);
  g_assert_no_error (error);
  gaio_coroutine_wake (self.coroutine);
  gaio_coroutine_enter (self.coroutine);
  wait_for_step (&self, 1);
  /* One that has not come to yield yet would not wait after a wake. */
  gaio_context_invoke (contexts[0], note_wait, &self, NULL);
  while (!g_atomic_int_get (&self.waits))
    g_usleep (100);
  gaio_coroutine_wake (self.coroutine);
  g_usleep (1000);
  g_assert_cmpint (g_atomic_int_get (&self.step), ==, 1);
  gaio_context_poll (context, FALSE);
  wait_for_step (&self, 2);
  g_assert_true (self.thread != g_thread_self ());
  wait_for_ends (1);
  gaio_coroutine_unref (self.coroutine);
  stop_threads ();
}

/* What it has of the context that it leaves is not needed when that ends. */
static void
sleep_move_sleep (gpointer data)
{
  Follow *self = data;

  g_assert_true (gaio_coroutine_sleep_ns (1000));
  gaio_coroutine_move (contexts[0]);
  g_atomic_int_set (&self->step, 1);
  gaio_coroutine_yield ();
  g_assert_true (gaio_coroutine_sleep_ns (1000));
  g_atomic_int_set (&self->step, 2);
}

static void
left_behind (void)
{
  g_autoptr (GError) error = NULL;
  GaioContext *context = gaio_context_new (&error);
  Follow self = { 0 };

  start_threads ();
  self.coroutine = gaio_coroutine_new (context, sleep_move_sleep, &self, on_ended, &error);
  g_assert_no_error (error);
  gaio_coroutine_enter (self.coroutine);
  while (g_atomic_int_get (&self.step) == 0)
    gaio_context_poll (context, FALSE);
  g_object_unref (context);
  gaio_coroutine_wake (self.coroutine);
  wait_for_step (&self, 2);
  wait_for_ends (1);
  gaio_coroutine_unref (self.coroutine);
  stop_threads ();
}

/* One that blocks its own thread does not hold up those of others that it has woken. */
static void
set_step (gpointer data)
{
  g_atomic_int_set (&((Follow *) data)->step, 1);
}

static void
wake_and_block (gpointer data)
{
  Follow *self = data;

  gaio_coroutine_wake (self->coroutine);
  wait_for_step (self, 1);
}

static void
woken_at_once (void)
{
  g_autoptr (GError) error = NULL;
  Follow self = { 0 };

  start_threads ();
  self.coroutine = gaio_coroutine_new (contexts[1], set_step, &self, on_ended, &error);
  g_assert_no_error (error);
  gaio_coroutine_unref (begin (contexts[0], wake_and_block, &self));
  wait_for_ends (2);
  gaio_coroutine_unref (self.coroutine);
  stop_threads ();
}

/* ---- locks ---- */

typedef struct
{
  GaioCoMutex mutex;
  GaioCoRwLock rw_lock;
  GaioCoQueue queue;
  GMutex g_mutex;
  int n;       /* of each */
  int counter; /* under the lock */
  int second;  /* the same, between a wait */
  int atomic;
  int n_items;
  int n_coming; /* that have not begun */
} Shared;

/* Nobody begins before all are there; one alone has no contention. */
static void
wait_for_all (Shared *self)
{
  g_atomic_int_add (&self->n_coming, -1);
  while (g_atomic_int_get (&self->n_coming) > 0)
    gaio_coroutine_sleep_ns (0);
}

static void
count_with_mutex (gpointer data)
{
  Shared *self = data;

  wait_for_all (self);
  for (int i = 0; i < self->n; i++)
    {
      int before;

      gaio_co_mutex_lock (&self->mutex);
      before = self->counter;
      /* Others get their turn in the midst of it. */
      if (i % 8 == 0)
        gaio_coroutine_sleep_ns (0);
      self->counter = before + 1;
      gaio_co_mutex_unlock (&self->mutex);
      g_atomic_int_inc (&self->atomic);
    }
}

static void
run_everywhere (Shared *self, GaioFunc func, int n_threads, const char *what)
{
  gint64 begin_us;

  start_threads ();
  self->n_coming = n_threads;
  begin_us = g_get_monotonic_time ();
  for (int i = 0; i < n_threads; i++)
    gaio_coroutine_unref (begin (contexts[i], func, self));
  wait_for_ends (n_threads);
  report (what, self->n * n_threads, begin_us);
  stop_threads ();
}

static void
contended (void)
{
  Shared self = { .n = scaled (200) };

  run_everywhere (&self, count_with_mutex, N_THREADS, "locks of a contended mutex");
  g_assert_cmpint (self.counter, ==, self.n * N_THREADS);
  g_assert_cmpint (self.counter, ==, g_atomic_int_get (&self.atomic));
  gaio_co_mutex_clear (&self.mutex);
}

static void
hand_over (gpointer data)
{
  Shared *self = data;

  wait_for_all (self);
  for (int i = 0; i < self->n; i++)
    {
      gaio_co_mutex_lock (&self->mutex);
      self->counter++;
      /* Long enough for the other one to come and wait. */
      gaio_coroutine_sleep_ns (0);
      gaio_co_mutex_unlock (&self->mutex);
      g_atomic_int_inc (&self->atomic);
    }
}

static void
handoff (void)
{
  Shared self = { .n = scaled (500) };

  run_everywhere (&self, hand_over, 2, "locks handed over");
  g_assert_cmpint (self.counter, ==, self.n * 2);
  g_assert_cmpint (self.counter, ==, g_atomic_int_get (&self.atomic));
  gaio_co_mutex_clear (&self.mutex);
}

/* What a lock of threads does in that place. */
static void
count_with_g_mutex (gpointer data)
{
  Shared *self = data;

  wait_for_all (self);
  for (int i = 0; i < self->n; i++)
    {
      g_mutex_lock (&self->g_mutex);
      self->counter++;
      g_mutex_unlock (&self->g_mutex);
      g_atomic_int_inc (&self->atomic);
    }
}

static void
baseline (void)
{
  Shared self = { .n = scaled (10000) };

  run_everywhere (&self, count_with_g_mutex, N_THREADS, "locks of a GMutex");
  g_assert_cmpint (self.counter, ==, self.n * N_THREADS);
  g_assert_cmpint (self.counter, ==, g_atomic_int_get (&self.atomic));
}

static void
read_and_write (gpointer data)
{
  Shared *self = data;

  wait_for_all (self);
  for (int i = 0; i < self->n; i++)
    {
      if (i % 4 == 0)
        {
          gaio_co_rw_lock_writer_lock (&self->rw_lock);
          self->counter++;
          gaio_coroutine_sleep_ns (0);
          self->second++;
          gaio_co_rw_lock_downgrade (&self->rw_lock);
        }
      else
        gaio_co_rw_lock_reader_lock (&self->rw_lock);
      g_assert_cmpint (self->counter, ==, self->second);
      if (i % 4 == 1)
        {
          gaio_co_rw_lock_upgrade (&self->rw_lock);
          self->counter++;
          self->second++;
        }
      gaio_co_rw_lock_unlock (&self->rw_lock);
    }
}

static void
rw_lock (void)
{
  Shared self = { .n = scaled (80) };

  run_everywhere (&self, read_and_write, N_THREADS, "locks of a contended rw lock");
  g_assert_cmpint (self.counter, ==, self.n / 2 * N_THREADS);
  g_assert_cmpint (self.second, ==, self.counter);
  gaio_co_rw_lock_clear (&self.rw_lock);
}

static void
produce (gpointer data)
{
  Shared *self = data;

  for (int i = 0; i < self->n * (N_THREADS - 1); i++)
    {
      gaio_co_mutex_lock (&self->mutex);
      self->n_items++;
      gaio_co_queue_wake_one (&self->queue);
      gaio_co_mutex_unlock (&self->mutex);
      if (i % 16 == 0)
        gaio_coroutine_sleep_ns (0);
    }
}

static void
consume (gpointer data)
{
  Shared *self = data;

  for (int i = 0; i < self->n; i++)
    {
      gaio_co_mutex_lock (&self->mutex);
      while (self->n_items == 0)
        gaio_co_queue_wait (&self->queue, &self->mutex);
      self->n_items--;
      self->counter++;
      gaio_co_mutex_unlock (&self->mutex);
    }
}

static void
queue (void)
{
  Shared self = { .n = scaled (100) };
  gint64 begin_us;

  start_threads ();
  begin_us = g_get_monotonic_time ();
  for (int i = 1; i < N_THREADS; i++)
    gaio_coroutine_unref (begin (contexts[i], consume, &self));
  gaio_coroutine_unref (begin (contexts[0], produce, &self));
  wait_for_ends (N_THREADS);
  report ("items through a queue", self.counter, begin_us);
  stop_threads ();
  g_assert_cmpint (self.counter, ==, self.n * (N_THREADS - 1));
  g_assert_cmpint (self.n_items, ==, 0);
  gaio_co_mutex_clear (&self.mutex);
  gaio_co_queue_clear (&self.queue);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  gaio_test_add ("/coroutine-threads/lifecycle", lifecycle);
  gaio_test_add ("/coroutine-threads/schedule", schedule);
  gaio_test_add ("/coroutine-threads/ping-pong", ping_pong);
  gaio_test_add ("/coroutine-threads/follow", follow);
  gaio_test_add ("/coroutine-threads/left-behind", left_behind);
  gaio_test_add ("/coroutine-threads/woken-at-once", woken_at_once);
  gaio_test_add ("/coroutine-threads/mutex/contended", contended);
  gaio_test_add ("/coroutine-threads/mutex/handoff", handoff);
  gaio_test_add ("/coroutine-threads/mutex/baseline", baseline);
  gaio_test_add ("/coroutine-threads/rw-lock", rw_lock);
  gaio_test_add ("/coroutine-threads/queue", queue);
  return g_test_run ();
}
