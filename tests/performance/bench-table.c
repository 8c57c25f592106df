/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Benchmarks compare, on one machine and in one run. The first contestant of a table is the
 * reference: it does the same with nothing but the kernel's interface, or with a list or a heap
 * written for the purpose. All of them take turns, some rounds of each, and the medians are shown;
 * so a machine that is busy for a while slows them all.
 *
 * Some contestants have an aim, which the table tells to be reached or not. That is no test: what
 * one run says of a ratio of 1.00 is worth some hundredths. */

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "bench-table.h"

static int n_rounds = 5;
static const char *only;
static const char *only_peer;
static FILE *data_file;

/* The medians so far, by title and name. */
static GHashTable *medians;

gint64
bench_now_ns (void)
{
  return gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC);
}

/* What runs in one thread, or on one processor, and leaves it no time to rest is measured in
 * processor time, which other processes do not add to. */
static gint64
read_clock (clockid_t id)
{
  struct timespec now;

  clock_gettime (id, &now);
  return now.tv_sec * G_GINT64_CONSTANT (1000000000) + now.tv_nsec;
}

gint64
bench_cpu_ns (void)
{
  return read_clock (CLOCK_THREAD_CPUTIME_ID);
}

gint64
bench_process_ns (void)
{
  return read_clock (CLOCK_PROCESS_CPUTIME_ID);
}

void
bench_pin (gboolean pinned)
{
  static cpu_set_t all;
  cpu_set_t set;

  if (CPU_COUNT (&all) == 0)
    sched_getaffinity (0, sizeof all, &all);
  set = all;
  if (pinned)
    {
      int cpu = 0;

      while (!CPU_ISSET (cpu, &all))
        cpu++;
      CPU_ZERO (&set);
      CPU_SET (cpu, &set);
    }
  sched_setaffinity (0, sizeof set, &set);
}

guint64
bench_random (guint64 *state)
{
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return *state;
}

static int
compare_doubles (const void *a, const void *b)
{
  double x = *(const double *) a;
  double y = *(const double *) b;

  return (x > y) - (x < y);
}

static double *
find_median (const char *title, const char *name)
{
  g_autofree char *key = g_strconcat (title, "\t", name, NULL);

  return g_hash_table_lookup (medians, key);
}

static void
note_median (const char *title, const char *name, double median)
{
  double *value = g_new (double, 1);

  *value = median;
  g_hash_table_insert (medians, g_strconcat (title, "\t", name, NULL), value);
}

static const char *
answer (gboolean reached)
{
  return reached ? "yes" : "no";
}

gboolean
bench_wants (const char *title)
{
  return only == NULL || strstr (title, only) != NULL;
}

/* With --peer only the reference runs beside it. */
static gboolean
takes_part (const Contestant *contestants, guint i)
{
  return contestants[i].peer != NULL &&
         (only_peer == NULL || i == 0 || strcmp (contestants[i].name, only_peer) == 0);
}

static void
print_missing (const Contestant *self)
{
  if (self->peer == NULL)
    printf ("  %-34s not built in (%s)\n", self->name, self->needs);
  else if (only_peer == NULL)
    printf ("  %-34s not available here\n", self->name);
}

static void
print_row (const char *title, const Contestant *self, double median, double reference)
{
  if (median < 0)
    {
      print_missing (self);
      return;
    }
  printf ("  %-34s %12.1f ns  %10.3f M/s  %7.2f", self->name, median, 1000 / median,
          median / reference);
  if (self->at_most > 0)
    printf ("  aim: <= %.2f, reached: %s", self->at_most,
            answer (median <= reference * self->at_most));
  if (self->at_least_m > 0)
    printf ("  aim: >= %.1f M/s, reached: %s", self->at_least_m,
            answer (1000 / median >= self->at_least_m));
  printf ("\n");
  fflush (stdout);
  note_median (title, self->name, median);
  if (data_file != NULL)
    {
      fprintf (data_file, "%s\t%s\t%.2f\n", title, self->name, median);
      fflush (data_file);
    }
}

void
bench_table (const char *title, BenchFunc run, const Contestant *contestants, guint n, int size)
{
  g_autofree double *results = g_new (double, n *n_rounds);
  double reference = 0;

  if (!bench_wants (title))
    return;
  printf ("\n%s\n", title);
  for (int round = 0; round < n_rounds; round++)
    for (guint i = 0; i < n; i++)
      results[i * n_rounds + round] =
          takes_part (contestants, i) ? run (&contestants[i], size) : BENCH_MISSING;

  for (guint i = 0; i < n; i++)
    {
      double *own = results + i * n_rounds;

      qsort (own, n_rounds, sizeof *own, compare_doubles);
      if (i == 0)
        reference = own[n_rounds / 2];
      print_row (title, &contestants[i], own[n_rounds / 2], reference);
    }
}

void
bench_compare (const char *title, const char *other_title, const char *name, double at_most)
{
  double *first = find_median (title, name);
  double *second = find_median (other_title, name);

  if (first != NULL && second != NULL)
    printf ("  %s: %.2f times \"%s\"; aim: <= %.2f, reached: %s\n", name, *second / *first, title,
            at_most, answer (*second <= *first * at_most));
}

void
bench_distribution (const char *title,
                    BenchSampleFunc sample,
                    const Contestant *contestants,
                    guint n_contestants,
                    int n)
{
  static const double shares[] = { 0.01, 0.25, 0.5, 0.75, 0.99, 1 };
  int n_values = n * n_rounds;
  g_autofree double *values = g_new (double, n_contestants *n_values);
  g_autofree gboolean *missing = g_new0 (gboolean, n_contestants);

  if (!bench_wants (title))
    return;
  printf ("\n%s\n  %-34s", title, "");
  for (guint i = 0; i < G_N_ELEMENTS (shares); i++)
    printf ("  %7.0f %%", shares[i] * 100);
  printf ("\n");
  for (int round = 0; round < n_rounds; round++)
    for (guint i = 0; i < n_contestants; i++)
      if (!takes_part (contestants, i) ||
          sample (&contestants[i], values + i * n_values + round * n, n) == BENCH_MISSING)
        missing[i] = TRUE;

  for (guint i = 0; i < n_contestants; i++)
    {
      double *own = values + i * n_values;

      if (missing[i])
        {
          print_missing (&contestants[i]);
          continue;
        }
      qsort (own, n_values, sizeof *own, compare_doubles);
      printf ("  %-34s", contestants[i].name);
      for (guint j = 0; j < G_N_ELEMENTS (shares); j++)
        printf ("  %9.1f", own[(int) ((n_values - 1) * shares[j])]);
      printf ("\n");
      if (data_file != NULL)
        for (int percent = 0; percent <= 100; percent++)
          fprintf (data_file, "%s\t%s\t%.2f\t%d\n", title, contestants[i].name,
                   own[(n_values - 1) * percent / 100], percent);
    }
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
      else if (strcmp (argv[i], "--peer") == 0)
        only_peer = argv[i + 1];
      else if (strcmp (argv[i], "--data") == 0)
        data_file = fopen (argv[i + 1], "we");
    }
  medians = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  printf ("median of %d rounds; the last column is against the first row\n", n_rounds);
}
