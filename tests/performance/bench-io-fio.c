/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reads and writes by fio, a process of its own, with its io_uring engine. It runs for a time and
 * not for a number of operations, and says itself how many those were. */

#include <stdlib.h>
#include <string.h>

#include "bench-io.h"

#define RUNTIME_MS "300"

/* The number after `"key" :`, in what follows `"section" : {` of fio's JSON. */
static double
find_number (const char *json, const char *section, const char *key)
{
  g_autofree char *quoted_section = g_strdup_printf ("\"%s\" : {", section);
  g_autofree char *quoted_key = g_strdup_printf ("\"%s\"", key);
  const char *found = strstr (json, quoted_section);

  found = found != NULL ? strstr (found, quoted_key) : NULL;
  found = found != NULL ? strchr (found, ':') : NULL;
  return found != NULL ? g_ascii_strtod (found + 1, NULL) : 0;
}

gboolean
bench_run_fio (BenchIoSample *sample)
{
  const char *section = bench_io.writes ? "write" : "read";
  g_autofree char *filename = g_strconcat ("--filename=", bench_io.path, NULL);
  g_autofree char *kind = g_strconcat ("--rw=", bench_io.sequential ? "" : "rand", section, NULL);
  g_autofree char *block = g_strdup_printf ("--bs=%d", bench_io.block_bytes);
  g_autofree char *depth = g_strdup_printf ("--iodepth=%d", bench_io.depth);
  g_autofree char *direct = g_strdup_printf ("--direct=%d", bench_io.direct);
  g_autofree char *size = g_strdup_printf ("--size=%d", BENCH_FILE_BYTES);
  const char *argv[] = { "fio",
                         "--name=bench",
                         "--ioengine=io_uring",
                         "--output-format=json",
                         "--time_based",
                         "--runtime=" RUNTIME_MS "ms",
                         "--gtod_reduce=1",
                         "--norandommap",
                         "--invalidate=0",
                         "--overwrite=1",
                         filename,
                         kind,
                         block,
                         depth,
                         direct,
                         size,
                         NULL };
  g_autofree char *program = g_find_program_in_path ("fio");
  g_autofree char *json = NULL;
  int status;
  double cpu_share;

  if (program == NULL)
    return FALSE;
  if (!g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_SEARCH_PATH | G_SPAWN_STDERR_TO_DEV_NULL,
                     NULL, NULL, &json, NULL, &status, NULL) ||
      !g_spawn_check_wait_status (status, NULL))
    return FALSE;
  sample->rate = find_number (json, section, "iops");
  /* In percent, of one processor. */
  cpu_share = find_number (json, section, "usr_cpu") + find_number (json, section, "sys_cpu");
  if (sample->rate <= 0)
    return FALSE;
  /* It counts its own thread's, and of cached writes the most is done by the kernel's. */
  if (!bench_io.writes || bench_io.direct)
    sample->cpu = cpu_share / 100 * 1e6 / sample->rate;
  bench_to_begin = bench_to_end = 0;
  return TRUE;
}
