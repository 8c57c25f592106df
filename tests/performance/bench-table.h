/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the benchmarks have in common: contestants that take turns, and a table of their medians,
 * with the aims. See bench-table.c. */

#pragma once

#include "bench-peer.h"

typedef struct _Contestant Contestant;
struct _Contestant
{
  const char *name;
  const BenchPeer *peer; /* NULL where it was not built in */
  int arg;               /* of peer->open () */
  const char *needs;     /* the package that it was not built for want of */

  /* The aims, 0 for none: */
  double at_most;    /* of the first row's time */
  double at_least_m; /* million a second */
};

/* Nanoseconds for each unit of work; BENCH_MISSING when the peer cannot do it here. */
typedef double (*BenchFunc) (const Contestant *self, int size);
#define BENCH_MISSING (-1)

/* --rounds N; --only WORD: of the title of a table; --peer NAME: a row, beside the first one;
 * --data FILE: the medians, for plot.py. */
void bench_init (int argc, char **argv);

/* Whether a table with this title is wanted. */
gboolean bench_wants (const char *title);

void
bench_table (const char *title, BenchFunc run, const Contestant *contestants, guint n, int size);

#define BENCH_TABLE(title, run, contestants, size)                                                 \
  bench_table (title, run, contestants, G_N_ELEMENTS (contestants), size)

/* After two tables: the aim that this contestant costs in the second at most so many times what it
 * does in the first. */
void bench_compare (const char *title, const char *other_title, const char *name, double at_most);

/* How the values of each contestant are distributed: some of `n` values for each round, which
 * sample() puts into `values`, or returns BENCH_MISSING. */
typedef double (*BenchSampleFunc) (const Contestant *self, double *values, int n);

void bench_distribution (const char *title,
                         BenchSampleFunc sample,
                         const Contestant *contestants,
                         guint n_contestants,
                         int n);

#define BENCH_DISTRIBUTION(title, sample, contestants, n)                                          \
  bench_distribution (title, sample, contestants, G_N_ELEMENTS (contestants), n)

/* What has passed on the clock, and what this thread, or all of them, have computed. */
gint64 bench_now_ns (void);
gint64 bench_cpu_ns (void);
gint64 bench_process_ns (void);

/* Keeps this thread, and those that it makes from now on, on one processor, or lets them go. */
void bench_pin (gboolean pinned);

/* A number that looks random; `state` is not 0. */
guint64 bench_random (guint64 *state);
