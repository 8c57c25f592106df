/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reads and writes of one file by whoever can do them: what a contestant is told, and the table in
 * which it ends up. See bench-io.c. */

#pragma once

#include <gaio/gaio.h>

#define BENCH_MAX_DEPTH 128
#define BENCH_FILE_BYTES (64 * 1024 * 1024)

/* What is to be done. */
typedef struct
{
  const char *path;
  gboolean writes;
  gboolean sequential;
  gboolean direct; /* O_DIRECT */
  int block_bytes;
  int depth;
} BenchIo;

extern BenchIo bench_io;

/* How much of it is left, for contestants that start an operation when one has ended. They may
 * count as they like as long as these are at 0 at the end. */
extern int bench_to_begin;
extern int bench_to_end;

/* What one round of a contestant has taken. */
typedef struct
{
  double rate; /* operations a second */
  double cpu;  /* microseconds of all processors for each; 0: not known */
} BenchIoSample;

/* Does all that is left. FALSE: it cannot be had here, or has failed. Who does not know better
 * leaves the sample as it is, and is measured from outside. */
typedef gboolean (*BenchIoRun) (BenchIoSample *sample);

typedef struct
{
  const char *name;
  BenchIoRun run;    /* NULL where it was not built in */
  const char *needs; /* the package that it was not built for want of */
  int max_depth;     /* 0: any */
} BenchIoContestant;

/* At least so much of another's rate; at most so much of its processor time; or at least so many
 * operations for the same processor time: that says of those who have no time to rest, and no other
 * threads, what the rate would be on a machine that does nothing else. */
typedef enum
{
  BENCH_IO_RATE,
  BENCH_IO_CPU,
  BENCH_IO_RATE_OF_CPU,
} BenchIoMeasure;

typedef struct
{
  const char *name;
  const char *of;
  BenchIoMeasure measure;
  double bound;
  int min_depth, max_depth; /* where it holds */
  gboolean when_direct;
} BenchIoAim;

/* One table, unless the options leave it out. The first contestant is the reference. */
void bench_io_table (const BenchIo *io,
                     const BenchIoContestant *contestants,
                     guint n_contestants,
                     const BenchIoAim *aims,
                     guint n_aims);

#define BENCH_IO_TABLE(io, contestants, aims)                                                      \
  bench_io_table (io, contestants, G_N_ELEMENTS (contestants), aims, G_N_ELEMENTS (aims))

/* Looks at the options and makes the file; the end takes it away. */
void bench_io_begin (int argc, char **argv);
void bench_io_end (void);

/* For contestants. Opens the file as `bench_io` says, with O_DIRECT where that is wanted; -1 when
 * the file system has none. */
int bench_io_open (void);

/* Where the next operation goes, which from then on is begun. */
goffset bench_io_next (void);

/* Memory of an operation: one piece for each of those in flight, at a page. */
guint8 *bench_io_buffer (int slot);

/* An operation has ended, with a count or an error below 0. */
void bench_io_ended (gssize n_bytes);

/* The contestants; those that are not built in are at NULL. */
gboolean bench_run_raw_same (BenchIoSample *sample);    /* the flags of gaio's ring */
gboolean bench_run_raw_plain (BenchIoSample *sample);   /* no flags */
gboolean bench_run_blocking (BenchIoSample *sample);    /* pread(2), pwrite(2) */
gboolean bench_run_source (BenchIoSample *sample);      /* the smallest GSource over a ring */
gboolean bench_run_source_task (BenchIoSample *sample); /* with a GTask for each operation */
gboolean bench_run_gaio_poll (BenchIoSample *sample);
gboolean bench_run_gaio_source (BenchIoSample *sample);
gboolean bench_run_gaio_driven (BenchIoSample *sample);
gboolean bench_run_gaio_task (BenchIoSample *sample);
gboolean bench_run_gaio_threads (BenchIoSample *sample);
gboolean bench_run_gio (BenchIoSample *sample);
gboolean bench_run_thread_pool (BenchIoSample *sample); /* GThreadPool and pread(2) */
gboolean bench_run_libuv (BenchIoSample *sample) __attribute__ ((weak));
gboolean bench_run_fio (BenchIoSample *sample); /* another process */
