/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Several threads at once schedule for one loop, which falls asleep now and then: nothing is lost,
 * nothing is done twice, and what one thread sends stays in order. A lost wake-up is a hang. With
 * `-m thorough` it is some millions of times. */

#include <stdatomic.h>

#include "gaio-test.h"

#define N_THREADS 4

typedef struct
{
  GaioTestLoop *loop;
  GaioBottomHalf *bh;
  int index;
  int count;
} Storm;

static atomic_int published;

static void
on_run_look (gpointer data)
{
  *(int *) data = atomic_load_explicit (&published, memory_order_relaxed);
}

static gpointer
schedule_many (gpointer data)
{
  Storm *storm = data;
  guint state = storm->index + 1;

  for (int i = 0; i < storm->count; i++)
    {
      atomic_fetch_add_explicit (&published, 1, memory_order_relaxed);
      gaio_bottom_half_schedule (storm->bh);
      state = state * 1103515245 + 12345;
      if (state >> 24 == 0)
        g_usleep (20);
    }
  return NULL;
}

/* All threads schedule the same one: the last run sees all that was published before it. */
static void
test_storm_one (GaioTestLoop *loop)
{
  int count = g_test_thorough () ? 1000000 : 20000;
  int seen = 0;
  GaioBottomHalf *bh = gaio_bottom_half_new (loop->context, on_run_look, &seen, NULL);
  Storm storms[N_THREADS];
  GThread *threads[N_THREADS];

  atomic_store (&published, 0);
  for (int i = 0; i < N_THREADS; i++)
    {
      storms[i] = (Storm){ .bh = bh, .index = i, .count = count };
      threads[i] = g_thread_new ("scheduler", schedule_many, &storms[i]);
    }
  gaio_test_turn_until (loop, &seen, N_THREADS * count);
  for (int i = 0; i < N_THREADS; i++)
    g_thread_join (threads[i]);
  g_object_unref (bh);
}

static int n_invoked[N_THREADS];
static int n_total;

static void
on_invoke_in_order (gpointer data)
{
  int packed = GPOINTER_TO_INT (data);

  g_assert_cmpint (n_invoked[packed % N_THREADS], ==, packed / N_THREADS);
  n_invoked[packed % N_THREADS]++;
  n_total++;
}

static gpointer
invoke_many (gpointer data)
{
  Storm *storm = data;

  for (int i = 0; i < storm->count; i++)
    gaio_context_invoke (storm->loop->context,
                         on_invoke_in_order,
                         GINT_TO_POINTER (i * N_THREADS + storm->index),
                         NULL);
  return NULL;
}

/* Each once, and those of one thread in the order in which it made them. */
static void
test_storm_invoke (GaioTestLoop *loop)
{
  int count = g_test_thorough () ? 1000000 : 10000;
  Storm storms[N_THREADS];
  GThread *threads[N_THREADS];

  n_total = 0;
  for (int i = 0; i < N_THREADS; i++)
    {
      n_invoked[i] = 0;
      storms[i] = (Storm){ .loop = loop, .index = i, .count = count };
    }
  for (int i = 0; i < N_THREADS; i++)
    threads[i] = g_thread_new ("invoker", invoke_many, &storms[i]);
  gaio_test_turn_until (loop, &n_total, N_THREADS * count);
  for (int i = 0; i < N_THREADS; i++)
    g_thread_join (threads[i]);
  gaio_test_settle (loop);
  g_assert_cmpint (n_total, ==, N_THREADS * count);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);

  gaio_test_add_loop_matrix ("/storm/one", test_storm_one);
  gaio_test_add_loop_matrix ("/storm/invoke", test_storm_invoke);

  return g_test_run ();
}
