/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* 4 KiB reads at random places of a file, out of the page cache and past it, one at a time and many
 * in flight: what a request costs beside the limit, which is a loop over a bare io_uring with the
 * same flags, and beside its peers.
 *
 *   bench-read [--depth N] [--direct | --cached] [--only NAME] [--rounds N] [--pin]; see --help */

#include "bench-io.h"

#define RAW "raw io_uring, same flags"
#define SOURCE "the smallest GSource"
#define SOURCE_TASK "a GSource with a GTask each"
#define POLL "gaio request, poll"
#define MAIN_CONTEXT "gaio request, GMainContext"
#define DRIVEN "gaio request, driven"
#define TASK "gaio task, GMainContext"

int
main (int argc, char **argv)
{
  const BenchIoContestant contestants[] = {
    { RAW, bench_run_raw_same },
    { "raw io_uring, no flags", bench_run_raw_plain },
    { SOURCE, bench_run_source },
    { SOURCE_TASK, bench_run_source_task },
    { POLL, bench_run_gaio_poll },
    { MAIN_CONTEXT, bench_run_gaio_source },
    { DRIVEN, bench_run_gaio_driven },
    { TASK, bench_run_gaio_task },
    { "gaio request, threads", bench_run_gaio_threads },
    { "GThreadPool and pread", bench_run_thread_pool },
    { "GIO", bench_run_gio },
    { "libuv", bench_run_libuv, .needs = "libuv1-dev" },
    { "fio", bench_run_fio },
    { "pread", bench_run_blocking, .max_depth = 1 },
  };
  static const BenchIoAim aims[] = {
    /* from the page cache */
    { POLL, RAW, BENCH_IO_RATE_OF_CPU, 0.95, 1, 1, FALSE },
    { POLL, RAW, BENCH_IO_RATE_OF_CPU, 0.97, 2, BENCH_MAX_DEPTH, FALSE },
    { MAIN_CONTEXT, SOURCE, BENCH_IO_RATE_OF_CPU, 0.95, 1, 1, FALSE },
    { MAIN_CONTEXT, RAW, BENCH_IO_RATE_OF_CPU, 0.95, 2, BENCH_MAX_DEPTH, FALSE },
    { DRIVEN, SOURCE, BENCH_IO_RATE_OF_CPU, 1.15, 1, 1, FALSE },
    { TASK, SOURCE_TASK, BENCH_IO_RATE_OF_CPU, 0.95, 1, BENCH_MAX_DEPTH, FALSE },
    /* from the disk */
    { POLL, RAW, BENCH_IO_RATE, 0.97, 1, BENCH_MAX_DEPTH, TRUE },
    { POLL, "fio", BENCH_IO_RATE, 0.97, 1, BENCH_MAX_DEPTH, TRUE },
    { POLL, RAW, BENCH_IO_CPU, 1.1, 1, BENCH_MAX_DEPTH, TRUE },
    { POLL, "GIO", BENCH_IO_RATE, 2, 2, BENCH_MAX_DEPTH, TRUE },
  };
  static const int depths[] = { 1, 32, 128 };

  bench_io_begin (argc, argv);
  for (int direct = FALSE; direct <= TRUE; direct++)
    for (guint i = 0; i < G_N_ELEMENTS (depths); i++)
      {
        const BenchIo io = { .block_bytes = 4096, .depth = depths[i], .direct = direct };

        BENCH_IO_TABLE (&io, contestants, aims);
      }
  bench_io_end ();
  return 0;
}
