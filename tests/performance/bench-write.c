/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Writes over a file that is there: 1 MiB after 1 MiB, and 4 KiB at random places; into the page
 * cache and past it. The disk is that of GAIO_BENCH_DIR, or of the directory for temporary files.
 *
 * What is written to the cache goes to the disk in the background, which makes rounds differ more
 * than those of reads.
 *
 *   bench-write [--depth N] [--direct | --cached] [--only NAME] [--rounds N] [--pin]; see --help */

#include "bench-io.h"

#define RAW "raw io_uring, same flags"
#define POLL "gaio request, poll"
#define TASK "gaio task, GMainContext"

int
main (int argc, char **argv)
{
  const BenchIoContestant contestants[] = {
    { RAW, bench_run_raw_same },
    { "raw io_uring, no flags", bench_run_raw_plain },
    { "a GSource with a GTask each", bench_run_source_task },
    { POLL, bench_run_gaio_poll },
    { "gaio request, GMainContext", bench_run_gaio_source },
    { "gaio request, driven", bench_run_gaio_driven },
    { TASK, bench_run_gaio_task },
    { "gaio request, threads", bench_run_gaio_threads },
    { "GThreadPool and pwrite", bench_run_thread_pool },
    { "GIO", bench_run_gio },
    { "libuv", bench_run_libuv, .needs = "libuv1-dev" },
    { "fio", bench_run_fio },
    { "pwrite", bench_run_blocking, .max_depth = 1 },
  };
  static const BenchIoAim aims[] = {
    { POLL, RAW, BENCH_IO_RATE, 0.9, 1, BENCH_MAX_DEPTH, FALSE },
    { POLL, RAW, BENCH_IO_CPU, 1.1, 1, BENCH_MAX_DEPTH, FALSE },
    { POLL, RAW, BENCH_IO_RATE, 0.97, 1, BENCH_MAX_DEPTH, TRUE },
    { POLL, RAW, BENCH_IO_CPU, 1.1, 1, BENCH_MAX_DEPTH, TRUE },
    { POLL, "GIO", BENCH_IO_CPU, 0.7, 1, BENCH_MAX_DEPTH, TRUE },
  };
  static const struct
  {
    gboolean sequential;
    int block_bytes;
    int depth;
  } works[] = {
    { TRUE, 1024 * 1024, 1 },
    { TRUE, 1024 * 1024, 8 },
    { FALSE, 4096, 1 },
    { FALSE, 4096, 32 },
  };

  bench_io_begin (argc, argv);
  for (int direct = FALSE; direct <= TRUE; direct++)
    for (guint i = 0; i < G_N_ELEMENTS (works); i++)
      {
        const BenchIo io = { .writes = TRUE,
                             .sequential = works[i].sequential,
                             .direct = direct,
                             .block_bytes = works[i].block_bytes,
                             .depth = works[i].depth };

        BENCH_IO_TABLE (&io, contestants, aims);
      }
  bench_io_end ();
  return 0;
}
