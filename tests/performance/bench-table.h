/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the benchmarks have in common: contestants that take turns, and a table of their medians.
 * See bench-table.c. */

#pragma once

#include <gaio/gaio.h>

typedef struct
{
  const char *name;
  /* Nanoseconds for each unit of work; negative when it cannot run here. */
  double (*run) (int arg, int size);
  int arg;
} Contestant;

/* --rounds N, --only WORD: of the name of a table. */
void bench_init (int argc, char **argv);

void bench_table (const char *title, const Contestant *contestants, guint n, int size);

#define BENCH_TABLE(title, contestants, size) \
  bench_table (title, contestants, G_N_ELEMENTS (contestants), size)

/* A context with that monitor that has had its first turn, or NULL. `arg` may have BY_SOURCE in
 * it. */
GaioContext *bench_make_context (int arg);

enum
{
  BY_POLL = 0,
  BY_SOURCE = 16, /* or'ed to the monitor */
};

/* What has passed on the clock, and what this thread has computed. */
gint64 bench_now_ns (void);
gint64 bench_cpu_ns (void);
