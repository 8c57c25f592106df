/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reads and writes by libuv, which has four threads for them. */

#include <unistd.h>
#include <uv.h>

#include "bench-io.h"

static int fd;

static void begin (uv_fs_t *fs, int slot);

static void
on_end (uv_fs_t *fs)
{
  int slot = GPOINTER_TO_INT (fs->data);

  bench_io_ended (fs->result);
  uv_fs_req_cleanup (fs);
  if (bench_to_begin > 0)
    begin (fs, slot);
}

static void
begin (uv_fs_t *fs, int slot)
{
  uv_buf_t buffer = uv_buf_init ((char *) bench_io_buffer (slot), bench_io.block_bytes);

  fs->data = GINT_TO_POINTER (slot);
  if (bench_io.writes)
    uv_fs_write (uv_default_loop (), fs, fd, &buffer, 1, bench_io_next (), on_end);
  else
    uv_fs_read (uv_default_loop (), fs, fd, &buffer, 1, bench_io_next (), on_end);
}

gboolean
bench_run_libuv (BenchIoSample *sample)
{
  static uv_fs_t requests[BENCH_MAX_DEPTH];

  fd = bench_io_open ();
  if (fd < 0)
    return FALSE;
  for (int i = 0; i < bench_io.depth; i++)
    begin (&requests[i], i);
  uv_run (uv_default_loop (), UV_RUN_DEFAULT);
  close (fd);
  return TRUE;
}
