/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a coroutine costs: a life, a change of stacks and back, a wake; beside a function call, an
 * idle source of GLib, and the same work done in a thread. */

#include <ucontext.h>

#include "bench-table.h"

#define LIVES 100000
#define CHANGES 1000000
#define CALLBACKS 100000
#define HOPS 2000

static int n_calls;

static void
call (gpointer data)
{
  n_calls++;
}

/* Not known to the compiler where it is called. */
static GaioFunc volatile called = call;

typedef struct
{
  GaioContext *context;
  GaioCoroutine *other;
  int n;
} Bench;

static GaioCoroutine *
make (Bench *self, GaioFunc func)
{
  g_autoptr (GError) error = NULL;
  GaioCoroutine *coroutine = gaio_coroutine_new (self->context, func, self, NULL, &error);

  if (coroutine == NULL)
    g_error ("%s", error->message);
  return coroutine;
}

static int
do_calls (Bench *self)
{
  for (int i = 0; i < CHANGES; i++)
    called (NULL);
  return CHANGES;
}

static int
do_lives (Bench *self)
{
  for (int i = 0; i < LIVES; i++)
    {
      g_autoptr (GaioCoroutine) coroutine = make (self, call);

      gaio_coroutine_enter (coroutine);
    }
  return LIVES;
}

static void
yield_often (gpointer data)
{
  for (int i = 0; i < CHANGES; i++)
    gaio_coroutine_yield ();
}

static int
do_yields (Bench *self)
{
  g_autoptr (GaioCoroutine) coroutine = make (self, yield_often);

  while (!gaio_coroutine_is_ended (coroutine))
    gaio_coroutine_enter (coroutine);
  return CHANGES;
}

static ucontext_t outside, inside;

static void
swap_often (void)
{
  for (;;)
    swapcontext (&inside, &outside);
}

static int
do_swapcontext (Bench *self)
{
  g_autofree char *stack = g_malloc (65536);

  getcontext (&inside);
  inside.uc_stack.ss_sp = stack;
  inside.uc_stack.ss_size = 65536;
  makecontext (&inside, swap_often, 0);
  for (int i = 0; i < LIVES; i++)
    swapcontext (&outside, &inside);
  return LIVES;
}

static void
wake_the_other (gpointer data)
{
  Bench *self = data;

  while (self->n-- > 0)
    {
      gaio_coroutine_wake (self->other);
      gaio_coroutine_yield ();
    }
  gaio_coroutine_wake (self->other);
}

static int
do_wakes (Bench *self)
{
  Bench second = { .context = self->context, .n = CHANGES / 2 };
  g_autoptr (GaioCoroutine) a = make (self, wake_the_other);
  g_autoptr (GaioCoroutine) b = make (&second, wake_the_other);

  self->n = CHANGES / 2;
  self->other = b;
  second.other = a;
  gaio_coroutine_enter (a);
  while (!gaio_coroutine_is_ended (a) || !gaio_coroutine_is_ended (b))
    gaio_context_poll (self->context, FALSE);
  return CHANGES;
}

static int
do_wakes_by_loop (Bench *self)
{
  g_autoptr (GaioCoroutine) coroutine = make (self, yield_often);

  for (int i = 0; i < CALLBACKS; i++)
    {
      gaio_coroutine_wake (coroutine);
      gaio_context_poll (self->context, FALSE);
    }
  /* Without an end: the rest of it goes with the context. */
  return CALLBACKS;
}

static int
do_invokes (Bench *self)
{
  for (int i = 0; i < CALLBACKS; i++)
    {
      gaio_context_invoke (self->context, call, NULL, NULL);
      gaio_context_poll (self->context, FALSE);
    }
  return CALLBACKS;
}

static gboolean
on_idle (gpointer data)
{
  n_calls++;
  return G_SOURCE_REMOVE;
}

static int
do_idles (Bench *self)
{
  for (int i = 0; i < CALLBACKS; i++)
    {
      g_idle_add (on_idle, NULL);
      g_main_context_iteration (NULL, FALSE);
    }
  return CALLBACKS;
}

static gpointer
do_nothing (gpointer data)
{
  return NULL;
}

static void
run_in_pool (gpointer data)
{
  Bench *self = data;

  for (; self->n > 0; self->n--)
    gaio_thread_pool_co_run (gaio_thread_pool_get_default (), do_nothing, NULL);
}

static int
do_pool (Bench *self)
{
  g_autoptr (GaioCoroutine) coroutine = make (self, run_in_pool);

  self->n = HOPS;
  gaio_coroutine_enter (coroutine);
  while (!gaio_coroutine_is_ended (coroutine))
    gaio_context_poll (self->context, TRUE);
  return HOPS;
}

static void
return_at_once (GTask *task, gpointer object, gpointer data, GCancellable *cancellable)
{
  g_task_return_boolean (task, TRUE);
}

static void
on_task (GObject *object, GAsyncResult *result, gpointer data)
{
  ++*(int *) data;
}

static int
do_tasks (Bench *self)
{
  int n = 0;

  for (int i = 0; i < HOPS; i++)
    {
      g_autoptr (GTask) task = g_task_new (NULL, NULL, on_task, &n);

      g_task_run_in_thread (task, return_at_once);
      while (n <= i)
        g_main_context_iteration (NULL, TRUE);
    }
  return HOPS;
}

static int (*const works[]) (Bench *) = {
  do_calls,         do_yields,  do_swapcontext, do_wakes, do_lives,
  do_wakes_by_loop, do_invokes, do_idles,       do_pool,  do_tasks,
};

static double
measure (const Contestant *contestant, int size)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GaioContext) context = gaio_context_new (&error);
  Bench bench = { .context = context };
  gint64 begin_ns;
  int n;

  if (context == NULL)
    return BENCH_MISSING;
  gaio_context_poll (context, FALSE);
  begin_ns = bench_now_ns ();
  n = works[contestant->arg](&bench);
  return (double) (bench_now_ns () - begin_ns) / n;
}

int
main (int argc, char **argv)
{
  static const Contestant in_a_thread[] = {
    { "a function call", &bench_peer_raw, 0 },
    { "enter and yield", &bench_peer_raw, 1 },
    { "swapcontext(3), there and back", &bench_peer_raw, 2 },
    { "wake another coroutine and yield to it", &bench_peer_raw, 3 },
    { "make, enter, end", &bench_peer_raw, 4 },
    { "wake, by a turn of the loop", &bench_peer_raw, 5 },
    { "gaio_context_invoke() and a turn", &bench_peer_raw, 6 },
    { "g_idle_add() and an iteration", &bench_peer_raw, 7 },
  };
  static const Contestant by_a_thread[] = {
    { "gaio_thread_pool_co_run()", &bench_peer_raw, 8 },
    { "g_task_run_in_thread()", &bench_peer_raw, 9 },
  };

  bench_init (argc, argv);
  BENCH_TABLE ("coroutines", measure, in_a_thread, 0);
  BENCH_TABLE ("work done in another thread", measure, by_a_thread, 0);
  return 0;
}
