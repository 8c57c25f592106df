/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Whole files: to load, save and copy one, and to load many small ones. gaio beside the blocking
 * calls, GIO, and cp(1). All of them take turns, some rounds of each, and the medians are compared;
 * the largest size has one round, and is saved in one way.
 *
 * In a virtual machine the first use of memory may cost ten times what later ones do, as the host
 * takes free pages back. So before each round of large sizes as much memory is used and freed.
 *
 * What is saved replaces a file that is there. GIO has no levels of durability: when it replaces a
 * file it brings the contents to the disk, which is what "data" is.
 *
 * The files are in GAIO_BENCH_DIR, or in the directory for temporary files. Sizes that find no room
 * there are skipped, and say so.
 *
 *   bench-whole [--rounds N] [--only WORD] [--big-mib N] [--files N]; see --help */

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "bench-table.h"

#define KIB G_GINT64_CONSTANT (1024)
#define MIB (1024 * KIB)
#define MAX_ROUNDS 64
#define IN_FLIGHT 32

/* The kernel moves no more at once. */
#define MAX_TRANSFER ((gsize) 0x7ffff000)

/* A round is long enough to be measured: so much is moved in it, by at most so many runs. */
#define ROUND_BYTES (16 * MIB)
#define ROUND_RUNS 50

/* Of the run. */
static char *directory;
static char *source;
static char *target;
static gsize n_bytes;
static GBytes *contents;
static GaioDurability durability;
static int n_files = 10000;
static gboolean failed;
static int n_pending;

/* The options. */
static int n_rounds = 3;
static int big_mib;
static char *only;

/* One way to do it; at most so much of the first one's time is the aim for large files, if it is
 * not 0. */
typedef struct
{
  const char *name;
  void (*run) (void);
  double at_most;
} Way;

static void
wait_for_all (void)
{
  while (n_pending > 0)
    g_main_context_iteration (NULL, TRUE);
}

/* ---- loading ---- */

static gsize
load_blocking (const char *path)
{
  struct stat info;
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  gsize done = 0;
  ssize_t n = 1;
  void *buffer;

  if (fd < 0 || fstat (fd, &info) < 0)
    {
      failed = TRUE;
      return 0;
    }
  buffer = malloc (info.st_size);
  while (done < (gsize) info.st_size && n > 0)
    {
      n = read (fd, (char *) buffer + done, info.st_size - done);
      done += MAX (n, 0);
    }
  free (buffer);
  close (fd);
  return done;
}

static void
read_blocking (void)
{
  failed |= load_blocking (source) != n_bytes;
}

static void
check_bytes (GBytes *bytes)
{
  failed |= bytes == NULL || g_bytes_get_size (bytes) != n_bytes;
  g_clear_pointer (&bytes, g_bytes_unref);
}

static void
gaio_load (void)
{
  check_bytes (gaio_load_bytes (source, NULL, NULL));
}

static void
on_gaio_loaded (GObject *object, GAsyncResult *result, gpointer user_data)
{
  check_bytes (gaio_load_bytes_finish (result, NULL));
  n_pending--;
}

static void
gaio_load_in_loop (void)
{
  n_pending++;
  gaio_load_bytes_async (source, G_PRIORITY_DEFAULT, NULL, on_gaio_loaded, NULL);
  wait_for_all ();
}

static void
end_gio_load (GObject *file, GAsyncResult *result)
{
  char *data = NULL;
  gsize size = 0;

  failed |= !g_file_load_contents_finish (G_FILE (file), result, &data, &size, NULL, NULL) ||
            size != n_bytes;
  g_free (data);
}

static void
on_gio_loaded (GObject *file, GAsyncResult *result, gpointer user_data)
{
  end_gio_load (file, result);
  n_pending--;
}

static void
gio_load_in_loop (void)
{
  g_autoptr (GFile) file = g_file_new_for_path (source);

  n_pending++;
  g_file_load_contents_async (file, NULL, on_gio_loaded, NULL);
  wait_for_all ();
}

/* ---- saving ---- */

static gboolean
write_all (int fd, const char *data, gsize size)
{
  while (size > 0)
    {
      ssize_t n = write (fd, data, MIN (size, MAX_TRANSFER));

      if (n <= 0)
        return FALSE;
      data += n;
      size -= n;
    }
  return TRUE;
}

static void
sync_directory (void)
{
  int fd = open (directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  failed |= fsync (fd) < 0;
  close (fd);
}

static void
save_blocking (void)
{
  g_autofree char *temporary = g_strconcat (target, ".XXXXXX", NULL);
  int fd = g_mkstemp_full (temporary, O_WRONLY | O_CLOEXEC, 0600);

  failed |= fd < 0 || !write_all (fd, g_bytes_get_data (contents, NULL), n_bytes);
  if (durability != GAIO_DURABILITY_NONE)
    failed |= fdatasync (fd) < 0;
  close (fd);
  failed |= rename (temporary, target) < 0;
  if (durability == GAIO_DURABILITY_FULL)
    sync_directory ();
}

static void
gaio_save (void)
{
  failed |= !gaio_save_bytes (target, contents, durability, NULL, NULL);
}

static void
on_gaio_saved (GObject *object, GAsyncResult *result, gpointer user_data)
{
  failed |= !gaio_save_bytes_finish (result, NULL);
  n_pending--;
}

static void
gaio_save_in_loop (void)
{
  n_pending++;
  gaio_save_bytes_async (target, contents, durability, G_PRIORITY_DEFAULT, NULL, on_gaio_saved,
                         NULL);
  wait_for_all ();
}

static void
on_gio_saved (GObject *file, GAsyncResult *result, gpointer user_data)
{
  failed |= !g_file_replace_contents_finish (G_FILE (file), result, NULL, NULL);
  n_pending--;
}

static void
gio_save_in_loop (void)
{
  g_autoptr (GFile) file = g_file_new_for_path (target);

  n_pending++;
  g_file_replace_contents_bytes_async (file, contents, NULL, FALSE, G_FILE_CREATE_NONE, NULL,
                                       on_gio_saved, NULL);
  wait_for_all ();
}

/* ---- copying ---- */

static void
copy_blocking (void)
{
  static char buffer[256 * 1024];
  int from = open (source, O_RDONLY | O_CLOEXEC);
  int to = open (target, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  ssize_t n;

  while ((n = read (from, buffer, sizeof buffer)) > 0)
    failed |= !write_all (to, buffer, n);
  failed |= n < 0;
  close (from);
  close (to);
}

static void
copy_by_gaio (void)
{
  failed |= !gaio_copy (source, target, GAIO_COPY_OVERWRITE, NULL, NULL, NULL);
}

static void
on_gaio_copied (GObject *object, GAsyncResult *result, gpointer user_data)
{
  failed |= !gaio_copy_finish (result, NULL);
  n_pending--;
}

static void
gaio_copy_in_loop (void)
{
  n_pending++;
  gaio_copy_async (source, target, GAIO_COPY_OVERWRITE, NULL, G_PRIORITY_DEFAULT, NULL,
                   on_gaio_copied, NULL);
  wait_for_all ();
}

static void
on_gio_copied (GObject *file, GAsyncResult *result, gpointer user_data)
{
  failed |= !g_file_copy_finish (G_FILE (file), result, NULL);
  n_pending--;
}

static void
gio_copy_in_loop (void)
{
  g_autoptr (GFile) from = g_file_new_for_path (source);
  g_autoptr (GFile) to = g_file_new_for_path (target);

  n_pending++;
  g_file_copy_async (from, to, G_FILE_COPY_OVERWRITE, G_PRIORITY_DEFAULT, NULL, NULL, NULL,
                     on_gio_copied, NULL);
  wait_for_all ();
}

static void
copy_by_cp (void)
{
  const char *argv[] = { "cp", source, target, NULL };
  int status = 1;

  failed |= !g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, NULL, NULL,
                           &status, NULL) ||
            !g_spawn_check_wait_status (status, NULL);
}

/* ---- many ---- */

static int next_file;

static char *
get_file_name (int i)
{
  return g_strdup_printf ("%s/%d", directory, i);
}

static void
many_blocking (void)
{
  for (int i = 0; i < n_files; i++)
    {
      g_autofree char *path = get_file_name (i);

      failed |= load_blocking (path) != n_bytes;
    }
}

static void
many_gaio_blocking (void)
{
  for (int i = 0; i < n_files; i++)
    {
      g_autofree char *path = get_file_name (i);

      check_bytes (gaio_load_bytes (path, NULL, NULL));
    }
}

static void begin_gaio_load (void);

static void
on_one_gaio_loaded (GObject *object, GAsyncResult *result, gpointer user_data)
{
  check_bytes (gaio_load_bytes_finish (result, NULL));
  n_pending--;
  begin_gaio_load ();
}

static void
begin_gaio_load (void)
{
  g_autofree char *path = get_file_name (next_file);

  if (next_file == n_files)
    return;
  next_file++;
  n_pending++;
  gaio_load_bytes_async (path, G_PRIORITY_DEFAULT, NULL, on_one_gaio_loaded, NULL);
}

static void begin_gio_load (void);

static void
on_one_gio_loaded (GObject *file, GAsyncResult *result, gpointer user_data)
{
  end_gio_load (file, result);
  n_pending--;
  begin_gio_load ();
}

static void
begin_gio_load (void)
{
  g_autofree char *path = get_file_name (next_file);
  g_autoptr (GFile) file = g_file_new_for_path (path);

  if (next_file == n_files)
    return;
  next_file++;
  n_pending++;
  g_file_load_contents_async (file, NULL, on_one_gio_loaded, NULL);
}

static void
run_many (void (*begin) (void))
{
  next_file = 0;
  for (int i = 0; i < IN_FLIGHT; i++)
    begin ();
  wait_for_all ();
}

static void
many_gaio_in_loop (void)
{
  run_many (begin_gaio_load);
}

static void
many_gio_in_loop (void)
{
  run_many (begin_gio_load);
}

/* ---- the table ---- */

static double
get_cpu_ms (void)
{
  static const int who[] = { RUSAGE_SELF, RUSAGE_CHILDREN };
  double sum = 0;

  for (guint i = 0; i < G_N_ELEMENTS (who); i++)
    {
      struct rusage usage;

      getrusage (who[i], &usage);
      sum += (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e3 +
             (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e3;
    }
  return sum;
}

/* The kernel takes large pages from other memory than small ones, so both are wanted. */
static void
warm_memory_up (void)
{
  gsize size = n_bytes >= 64 * MIB ? 2 * n_bytes : 0;

  if (size == 0)
    return;
  for (int large = 0; large < 2; large++)
    {
      void *memory = NULL;

      if (posix_memalign (&memory, 2 * MIB, size) != 0)
        return;
      if (large)
        madvise (memory, size, MADV_HUGEPAGE);
      for (gsize i = 0; i < size; i += 4 * KIB)
        ((volatile char *) memory)[i] = 1;
      free (memory);
    }
}

static int
compare_doubles (const void *a, const void *b)
{
  double x = *(const double *) a;
  double y = *(const double *) b;

  return (x > y) - (x < y);
}

/* `n_runs` in a round, each of which is `n_units` of what is told. */
static void
print_table (const char *title, const Way *ways, guint n_ways, int n_runs, int n_units, int rounds)
{
  static double ms[16][MAX_ROUNDS];
  static double cpu_ms[16][MAX_ROUNDS];
  const double divisor = (double) n_runs * n_units;

  if (only != NULL && strstr (title, only) == NULL)
    return;
  printf ("\n%s\n", title);
  for (int round = 0; round < rounds; round++)
    for (guint i = 0; i < n_ways; i++)
      {
        double begin_cpu_ms;
        gint64 begin_ns;

        warm_memory_up ();
        failed = FALSE;
        begin_cpu_ms = get_cpu_ms ();
        begin_ns = bench_now_ns ();
        for (int run = 0; run < n_runs; run++)
          ways[i].run ();
        ms[i][round] = (double) (bench_now_ns () - begin_ns) / 1e6 / divisor;
        cpu_ms[i][round] = (get_cpu_ms () - begin_cpu_ms) / divisor;
        if (failed)
          g_error ("%s has failed", ways[i].name);
      }
  for (guint i = 0; i < n_ways; i++)
    {
      double median, cpu_median;

      qsort (ms[i], rounds, sizeof (double), compare_doubles);
      qsort (cpu_ms[i], rounds, sizeof (double), compare_doubles);
      median = ms[i][rounds / 2];
      cpu_median = cpu_ms[i][rounds / 2];
      printf ("  %-30s %10.4f ms  (%.4f to %.4f)  %10.4f ms cpu  %6.2f  %6.2f", ways[i].name,
              median, ms[i][0], ms[i][rounds - 1], cpu_median, median / ms[0][rounds / 2],
              cpu_median / cpu_ms[0][rounds / 2]);
      if (ways[i].at_most > 0 && n_bytes >= 64 * MIB)
        printf ("  aim: <= %.2f, reached: %s", ways[i].at_most,
                median <= ways[i].at_most * ms[0][rounds / 2] ? "yes" : "no");
      printf ("\n");
    }
  fflush (stdout);
}

#define PRINT_TABLE(title, ways, n_runs, rounds)                                                   \
  print_table (title, ways, G_N_ELEMENTS (ways), n_runs, 1, rounds)

static char *
describe (const char *what, const char *how)
{
  g_autofree char *size = g_format_size_full (n_bytes, G_FORMAT_SIZE_IEC_UNITS);

  return g_strdup_printf ("%s %s%s", what, size, how);
}

static gboolean
has_room_for (gint64 bytes)
{
  struct statvfs info;

  return statvfs (directory, &info) == 0 && (gint64) (info.f_bavail * info.f_frsize) > bytes;
}

static void
make_source (void)
{
  g_autofree guint8 *data = g_malloc (n_bytes);
  int fd = open (source, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

  memset (data, 7, n_bytes);
  if (!write_all (fd, (const char *) data, n_bytes))
    g_error ("%s: %s", source, g_strerror (errno));
  /* Or the first to run has the disk busy. */
  fsync (fd);
  close (fd);
  g_clear_pointer (&contents, g_bytes_unref);
  contents = g_bytes_new_take (g_steal_pointer (&data), n_bytes);
}

static void
compare_size (gint64 size)
{
  static const Way loads[] = {
    { "read", read_blocking },
    { "gaio, blocking", gaio_load },
    { "gaio, in a loop", gaio_load_in_loop, .at_most = 1.2 },
    { "GIO, in a loop", gio_load_in_loop },
  };
  static const Way saves[] = {
    { "write and rename", save_blocking },
    { "gaio, blocking", gaio_save },
    { "gaio, in a loop", gaio_save_in_loop },
    { "GIO, in a loop", gio_save_in_loop },
  };
  static const Way copies[] = {
    { "read and write", copy_blocking },
    { "gaio, blocking", copy_by_gaio },
    { "gaio, in a loop", gaio_copy_in_loop },
    { "GIO, in a loop", gio_copy_in_loop },
    { "cp", copy_by_cp },
  };
  static const char *const levels[] = { ", durability none", ", durability data",
                                        ", durability full" };
  gboolean is_largest = size > 256 * MIB;
  int rounds = is_largest ? 1 : n_rounds;
  int n_runs = (int) CLAMP (ROUND_BYTES / size, 1, ROUND_RUNS);
  g_autofree char *load_title = NULL;
  g_autofree char *copy_title = NULL;

  n_bytes = size;
  load_title = describe ("load", "");
  copy_title = describe ("copy", "");
  if (!has_room_for (size * 4))
    {
      printf ("\nskipped: %" G_GINT64_FORMAT " MiB, there is no room for it in %s\n", size / MIB,
              directory);
      return;
    }
  make_source ();
  PRINT_TABLE (load_title, loads, n_runs, rounds);
  for (int level = GAIO_DURABILITY_NONE; level <= GAIO_DURABILITY_FULL; level++)
    {
      g_autofree char *title = describe ("save", levels[level]);

      if (is_largest && level != GAIO_DURABILITY_DATA)
        continue;
      durability = level;
      PRINT_TABLE (title, saves, level == GAIO_DURABILITY_NONE ? n_runs : 1, rounds);
    }
  PRINT_TABLE (copy_title, copies, MIN (n_runs, 10), rounds);
  unlink (target);
}

static void
compare_many (void)
{
  static const Way ways[] = {
    { "open, read, close", many_blocking },
    { "gaio, blocking", many_gaio_blocking },
    { "gaio, 32 in flight", many_gaio_in_loop },
    { "GIO, 32 in flight", many_gio_in_loop },
  };
  g_autofree char *title =
      g_strdup_printf ("load each of %d files of 4 KiB, the time of one", n_files);

  if (only != NULL && strstr (title, only) == NULL)
    return;
  n_bytes = 4 * KIB;
  make_source ();
  for (int i = 0; i < n_files; i++)
    {
      g_autofree char *path = get_file_name (i);

      if (!g_file_set_contents_full (path, g_bytes_get_data (contents, NULL), n_bytes,
                                     G_FILE_SET_CONTENTS_NONE, 0600, NULL))
        g_error ("%s: %s", path, g_strerror (errno));
    }
  print_table (title, ways, G_N_ELEMENTS (ways), 1, n_files, n_rounds);
  for (int i = 0; i < n_files; i++)
    {
      g_autofree char *path = get_file_name (i);

      unlink (path);
    }
}

static void
read_options (int argc, char **argv)
{
  const GOptionEntry options[] = {
    { "rounds", 0, 0, G_OPTION_ARG_INT, &n_rounds, "Rounds", "N" },
    { "only", 0, 0, G_OPTION_ARG_STRING, &only, "Only tables with this in the title", "WORD" },
    { "big-mib", 0, 0, G_OPTION_ARG_INT, &big_mib,
      "The largest size, or GAIO_BENCH_BIG_MIB; 1024 if neither is given", "N" },
    { "files", 0, 0, G_OPTION_ARG_INT, &n_files, "How many small files", "N" },
    { NULL }
  };
  const char *big = g_getenv ("GAIO_BENCH_BIG_MIB");
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;

  big_mib = big != NULL ? atoi (big) : 1024;
  g_option_context_add_main_entries (context, options, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    g_error ("%s", error->message);
  n_rounds = CLAMP (n_rounds, 1, MAX_ROUNDS);
}

int
main (int argc, char **argv)
{
  const char *parent = g_getenv ("GAIO_BENCH_DIR");

  read_options (argc, argv);
  directory =
      g_build_filename (parent != NULL ? parent : g_get_tmp_dir (), "gaio-bench-XXXXXX", NULL);
  if (g_mkdtemp (directory) == NULL)
    g_error ("%s: %s", directory, g_strerror (errno));
  source = g_build_filename (directory, "source", NULL);
  target = g_build_filename (directory, "target", NULL);
  printf (
      "median of %d rounds, the least and the most, processor time of all threads and children; "
      "both against the first row\n",
      n_rounds);
  compare_size (4 * KIB);
  compare_size (MIB);
  compare_size (64 * MIB);
  if (big_mib > 0)
    compare_size (big_mib * MIB);
  compare_many ();
  unlink (source);
  unlink (target);
  rmdir (directory);
  g_bytes_unref (contents);
  g_free (source);
  g_free (target);
  g_free (directory);
  return 0;
}
