/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reads and writes of one file, by contestants that take turns: some rounds of each, and the
 * medians are compared; so a machine that is busy for a while slows them all. How far the rounds
 * of one contestant were apart stands in the table too, as half of the distance between the
 * quartiles.
 *
 * Each first does a few operations, which warms it up and tells how many fill its round; so who is
 * slow does fewer. Processor time is that of all threads of the process, the kernel's workers
 * included. Other processes add to the time that passes, and much less to that one.
 *
 * Aims are printed where they are reached and where they are missed. That is no test: what one run
 * says of a ratio is worth some hundredths, and on a busy machine less. */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench-io.h"
#include "bench-table.h"

#define MAX_ROUNDS 64
#define MAX_CONTESTANTS 32

/* How many are tried to see how long they take, and how many fill a round at most. */
#define TRIAL_OPS 200
#define MAX_OPS 2000000

BenchIo bench_io;
int bench_to_begin;
int bench_to_end;

static gboolean failed;
static guint8 *buffers;
static guint64 seed;
static goffset next_offset;

/* The options. */
static int n_rounds = 5;
static int round_ms = 50;
static int n_ops; /* 0: what fills a round */
static int only_depth;
static gboolean only_direct;
static gboolean only_cached;
static gboolean pinned;
static char *only;

goffset
bench_io_next (void)
{
  goffset offset;

  bench_to_begin--;
  if (!bench_io.sequential)
    return bench_random (&seed) % (BENCH_FILE_BYTES / bench_io.block_bytes) * bench_io.block_bytes;
  offset = next_offset;
  next_offset = (next_offset + bench_io.block_bytes) % BENCH_FILE_BYTES;
  return offset;
}

guint8 *
bench_io_buffer (int slot)
{
  return buffers + (gsize) slot * bench_io.block_bytes;
}

void
bench_io_ended (gssize n_bytes)
{
  failed |= n_bytes != bench_io.block_bytes;
  bench_to_end--;
}

int
bench_io_open (void)
{
  return open (bench_io.path, (bench_io.writes ? O_RDWR : O_RDONLY) |
                                  (bench_io.direct ? O_DIRECT : 0) | O_CLOEXEC);
}

static double
get_cpu_us (void)
{
  struct rusage usage;

  getrusage (RUSAGE_SELF, &usage);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e6 + usage.ru_utime.tv_usec +
         usage.ru_stime.tv_usec;
}

static gboolean
run_once (const BenchIoContestant *self, int ops, BenchIoSample *sample)
{
  gint64 begin_ns;
  double begin_cpu_us;

  ops = MAX (ops, bench_io.depth);
  bench_to_begin = bench_to_end = ops;
  failed = FALSE;
  *sample = (BenchIoSample){ 0 };
  begin_cpu_us = get_cpu_us ();
  begin_ns = bench_now_ns ();
  if (!self->run (sample) || failed || bench_to_end > 0)
    return FALSE;
  if (sample->rate > 0)
    return TRUE;
  sample->rate = ops * 1e9 / (double) (bench_now_ns () - begin_ns);
  sample->cpu = (get_cpu_us () - begin_cpu_us) / ops;
  return TRUE;
}

static int
compare_doubles (const void *a, const void *b)
{
  double x = *(const double *) a;
  double y = *(const double *) b;

  return (x > y) - (x < y);
}

/* One row: the rounds of a contestant. */
typedef struct
{
  const BenchIoContestant *contestant;
  gboolean available;
  int ops;
  int n;
  double rates[MAX_ROUNDS];
  double cpus[MAX_ROUNDS];

  /* the medians */
  double rate;
  double cpu;
  double spread; /* of the rate, a part of it */
} Row;

static void
sum_up (Row *row)
{
  if (row->n == 0)
    return;
  qsort (row->rates, row->n, sizeof (double), compare_doubles);
  qsort (row->cpus, row->n, sizeof (double), compare_doubles);
  row->rate = row->rates[row->n / 2];
  row->cpu = row->cpus[row->n / 2];
  row->spread = (row->rates[row->n * 3 / 4] - row->rates[row->n / 4]) / 2 / row->rate;
}

static void
begin_row (Row *row, const BenchIoContestant *contestant)
{
  BenchIoSample sample;

  row->contestant = contestant;
  row->available = contestant->run != NULL &&
                   (contestant->max_depth == 0 || bench_io.depth <= contestant->max_depth) &&
                   (only == NULL || strstr (contestant->name, only) != NULL);
  if (!row->available || n_ops > 0)
    row->ops = n_ops;
  else if (run_once (contestant, TRIAL_OPS, &sample))
    row->ops = (int) CLAMP (sample.rate * round_ms / 1000, bench_io.depth, MAX_OPS);
  else
    row->available = FALSE;
}

static void
add_round (Row *row)
{
  BenchIoSample sample;

  if (!row->available)
    return;
  row->available = run_once (row->contestant, row->ops, &sample);
  row->rates[row->n] = sample.rate;
  row->cpus[row->n] = sample.cpu;
  row->n++;
}

static const Row *
find_row (const Row *rows, guint n, const char *name)
{
  for (guint i = 0; i < n; i++)
    if (strcmp (rows[i].contestant->name, name) == 0)
      return rows[i].available ? &rows[i] : NULL;
  return NULL;
}

static void
print_aim (const Row *row, const Row *of, const BenchIoAim *aim)
{
  static const char *const words[] = { "", "processor time ", "for the same processor time " };
  gboolean at_most = aim->measure == BENCH_IO_CPU;
  double ratio;

  if (of == NULL || bench_io.depth < aim->min_depth || bench_io.depth > aim->max_depth ||
      bench_io.direct != aim->when_direct)
    return;
  if (aim->measure == BENCH_IO_RATE)
    ratio = row->rate / of->rate;
  else
    ratio = at_most ? row->cpu / of->cpu : of->cpu / row->cpu;
  printf ("      aim: %s%s %.2f of %s, reached: %s (%.2f)\n", words[aim->measure],
          at_most ? "<=" : ">=", aim->bound, aim->of,
          (at_most ? ratio <= aim->bound : ratio >= aim->bound) ? "yes" : "no", ratio);
}

static void
print_row (const Row *row, const Row *reference)
{
  const BenchIoContestant *self = row->contestant;

  if (only != NULL && strstr (self->name, only) == NULL)
    return;
  if (self->max_depth != 0 && bench_io.depth > self->max_depth)
    return;
  if (self->run == NULL)
    printf ("  %-30s not built in (%s)\n", self->name, self->needs);
  else if (!row->available)
    printf ("  %-30s not available here\n", self->name);
  else
    {
      g_autofree char *cpu = row->cpu > 0 ? g_strdup_printf ("%.2f", row->cpu) : g_strdup ("?");

      printf ("  %-30s %9.0f /s  +-%3.0f %%  %8s us cpu", self->name, row->rate, row->spread * 100,
              cpu);
      if (reference->available)
        printf ("  %7.3f", row->rate / reference->rate);
      if (reference->available && row->cpu > 0)
        printf ("  %7.2f", row->cpu / reference->cpu);
      printf ("\n");
    }
}

static char *
make_title (void)
{
  g_autofree char *size = bench_io.block_bytes < 1024 * 1024
                              ? g_strdup_printf ("%d KiB", bench_io.block_bytes / 1024)
                              : g_strdup_printf ("%d MiB", bench_io.block_bytes / 1024 / 1024);

  return g_strdup_printf ("%s %s of %s, %s, %d in flight",
                          bench_io.sequential ? "sequential" : "random",
                          bench_io.writes ? "writes" : "reads", size,
                          bench_io.direct ? "O_DIRECT" : "cached", bench_io.depth);
}

void
bench_io_table (const BenchIo *io,
                const BenchIoContestant *contestants,
                guint n_contestants,
                const BenchIoAim *aims,
                guint n_aims)
{
  const char *path = bench_io.path;
  g_autofree char *title = NULL;
  static Row rows[MAX_CONTESTANTS];

  if ((only_depth != 0 && only_depth != io->depth) || (only_direct && !io->direct) ||
      (only_cached && io->direct))
    return;
  bench_io = *io;
  bench_io.path = path;
  title = make_title ();
  printf ("\n%s\n", title);
  free (buffers);
  if (posix_memalign ((void **) &buffers, 4096, (gsize) BENCH_MAX_DEPTH * io->block_bytes) != 0)
    g_error ("out of memory");
  memset (buffers, 7, (gsize) BENCH_MAX_DEPTH * io->block_bytes);
  memset (rows, 0, sizeof rows);
  for (guint i = 0; i < n_contestants; i++)
    begin_row (&rows[i], &contestants[i]);
  for (int round = 0; round < n_rounds; round++)
    for (guint i = 0; i < n_contestants; i++)
      add_round (&rows[i]);
  for (guint i = 0; i < n_contestants; i++)
    sum_up (&rows[i]);
  for (guint i = 0; i < n_contestants; i++)
    {
      print_row (&rows[i], &rows[0]);
      for (guint j = 0; j < n_aims; j++)
        if (rows[i].available && strcmp (aims[j].name, contestants[i].name) == 0)
          print_aim (&rows[i], find_row (rows, n_contestants, aims[j].of), &aims[j]);
    }
  fflush (stdout);
}

static char *
make_file (void)
{
  const char *dir = g_getenv ("GAIO_BENCH_DIR");
  char *path = g_build_filename (dir != NULL ? dir : g_get_tmp_dir (), "gaio-bench-XXXXXX", NULL);
  g_autofree guint8 *block = g_malloc (1024 * 1024);
  int fd = g_mkstemp_full (path, O_RDWR | O_CLOEXEC, 0600);

  memset (block, 7, 1024 * 1024);
  for (int i = 0; i < BENCH_FILE_BYTES / (1024 * 1024); i++)
    if (write (fd, block, 1024 * 1024) != 1024 * 1024)
      g_error ("no room for %s", path);
  /* Or the first to run has the disk busy. */
  fsync (fd);
  close (fd);
  return path;
}

void
bench_io_begin (int argc, char **argv)
{
  const GOptionEntry options[] = {
    { "rounds", 0, 0, G_OPTION_ARG_INT, &n_rounds, "Rounds", "N" },
    { "round-ms", 0, 0, G_OPTION_ARG_INT, &round_ms, "How long each is", "MS" },
    { "ops", 0, 0, G_OPTION_ARG_INT, &n_ops, "So many operations in each instead", "N" },
    { "depth", 0, 0, G_OPTION_ARG_INT, &only_depth, "Only with so many in flight", "N" },
    { "direct", 0, 0, G_OPTION_ARG_NONE, &only_direct, "Only with O_DIRECT", NULL },
    { "cached", 0, 0, G_OPTION_ARG_NONE, &only_cached, "Only without", NULL },
    { "pin", 0, 0, G_OPTION_ARG_NONE, &pinned, "On one processor", NULL },
    { "only", 0, 0, G_OPTION_ARG_STRING, &only, "Only contestants with this in the name", "NAME" },
    { NULL }
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;

  g_option_context_add_main_entries (context, options, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    g_error ("%s", error->message);
  n_rounds = CLAMP (n_rounds, 1, MAX_ROUNDS);
  seed = 88172645463325252u;
  bench_pin (pinned);
  bench_io.path = make_file ();
  printf ("median of %d rounds; operations a second, how far the rounds were apart, processor time "
          "of each, and both against the first row\n",
          n_rounds);
}

void
bench_io_end (void)
{
  unlink (bench_io.path);
}
