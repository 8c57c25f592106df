/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Benchmarks compare, on one machine and in one run. The first contestant of a table is the
 * reference: it does the same with nothing but the kernel's interface, or with a list or a heap
 * written for the purpose. All of them take turns, some rounds of each, and the medians are shown;
 * so a machine that is busy for a while slows them all. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench-table.h"

static int n_rounds = 5;
static const char *only;

gint64
bench_now_ns (void)
{
  return gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC);
}

/* What runs in one thread and never sleeps is measured in processor time, which other processes do
 * not add to. */
gint64
bench_cpu_ns (void)
{
  struct timespec now;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * G_GINT64_CONSTANT (1000000000) + now.tv_nsec;
}

static int
compare_doubles (const void *a, const void *b)
{
  double x = *(const double *) a;
  double y = *(const double *) b;

  return (x > y) - (x < y);
}

void
bench_table (const char *title, const Contestant *contestants, guint n, int size)
{
  g_autofree double *results = g_new (double, n * n_rounds);
  double reference = 0;

  if (only != NULL && strstr (title, only) == NULL)
    return;
  printf ("\n%s\n", title);
  for (int round = 0; round < n_rounds; round++)
    for (guint i = 0; i < n; i++)
      results[i * n_rounds + round] = contestants[i].run (contestants[i].arg, size);

  for (guint i = 0; i < n; i++)
    {
      double *own = results + i * n_rounds;
      double median;

      qsort (own, n_rounds, sizeof *own, compare_doubles);
      median = own[n_rounds / 2];
      if (i == 0)
        reference = median;
      if (median < 0)
        printf ("  %-34s not available here\n", contestants[i].name);
      else
        printf ("  %-34s %12.1f ns  %10.3f M/s  %7.2f\n",
                contestants[i].name,
                median,
                1000 / median,
                median / reference);
      fflush (stdout);
    }
}

GaioContext *
bench_make_context (int arg)
{
  GaioMonitor monitor = arg % BY_SOURCE;
  GaioContext *context = g_initable_new (GAIO_TYPE_CONTEXT, NULL, NULL, "monitor", monitor, NULL);

  if (context == NULL)
    return NULL;
  gaio_context_poll (context, FALSE);
  if (gaio_context_get_monitor (context) != monitor)
    g_clear_object (&context);
  return context;
}

void
bench_init (int argc, char **argv)
{
  for (int i = 1; i + 1 < argc; i += 2)
    {
      if (strcmp (argv[i], "--rounds") == 0)
        n_rounds = MAX (atoi (argv[i + 1]), 1);
      else if (strcmp (argv[i], "--only") == 0)
        only = argv[i + 1];
    }
  printf ("median of %d rounds; the last column is against the first row\n", n_rounds);
}
