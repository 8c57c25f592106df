/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The limits: a loop over a bare ring, the smallest GSource over one, that with a GTask for each
 * operation, as any API of GIO's kind needs, and the blocking calls. */

#include <liburing.h>
#include <unistd.h>

#include "bench-io.h"

/* What gaio's ring is made with. */
#define SAME_FLAGS (IORING_SETUP_CLAMP | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG)

static void
begin (struct io_uring *ring, int fd, int slot, guint64 user_data)
{
  struct io_uring_sqe *sqe = io_uring_get_sqe (ring);
  goffset offset = bench_io_next ();

  if (bench_io.writes)
    io_uring_prep_write (sqe, fd, bench_io_buffer (slot), bench_io.block_bytes, offset);
  else
    io_uring_prep_read (sqe, fd, bench_io_buffer (slot), bench_io.block_bytes, offset);
  io_uring_sqe_set_data64 (sqe, user_data);
}

static gboolean
open_ring (struct io_uring *ring, unsigned flags)
{
  struct io_uring_params params = { .flags = flags | IORING_SETUP_CQSIZE, .cq_entries = 512 };

  return io_uring_queue_init_params (BENCH_MAX_DEPTH, ring, &params) == 0;
}

static gboolean
run_raw (unsigned flags)
{
  struct io_uring ring;
  int fd = bench_io_open ();
  int slots[BENCH_MAX_DEPTH];
  int n_free = bench_io.depth;

  if (fd < 0)
    return FALSE;
  if (!open_ring (&ring, flags))
    {
      close (fd);
      return FALSE;
    }
  for (int i = 0; i < n_free; i++)
    slots[i] = i;
  while (bench_to_end > 0)
    {
      struct io_uring_cqe *cqe;
      unsigned head;
      unsigned n = 0;

      while (n_free > 0 && bench_to_begin > 0)
        {
          int slot = slots[--n_free];

          begin (&ring, fd, slot, slot);
        }
      io_uring_submit_and_wait (&ring, 1);
      io_uring_for_each_cqe (&ring, head, cqe)
      {
        bench_io_ended (cqe->res);
        slots[n_free++] = (int) cqe->user_data;
        n++;
      }
      io_uring_cq_advance (&ring, n);
    }
  io_uring_queue_exit (&ring);
  close (fd);
  return TRUE;
}

gboolean
bench_run_raw_plain (BenchIoSample *sample)
{
  return run_raw (0);
}

gboolean
bench_run_raw_same (BenchIoSample *sample)
{
  return run_raw (SAME_FLAGS);
}

gboolean
bench_run_blocking (BenchIoSample *sample)
{
  int fd = bench_io_open ();

  if (fd < 0)
    return FALSE;
  while (bench_to_begin > 0)
    {
      goffset offset = bench_io_next ();

      bench_io_ended (bench_io.writes
                          ? pwrite (fd, bench_io_buffer (0), bench_io.block_bytes, offset)
                          : pread (fd, bench_io_buffer (0), bench_io.block_bytes, offset));
    }
  close (fd);
  return TRUE;
}

/* The smallest GSource over a ring. With tasks, an operation's user_data is its task, whose data is
 * the slot. */

typedef struct
{
  GSource parent;
  struct io_uring ring;
  int fd;
  gboolean with_tasks;
} RingSource;

static void begin_with_task (RingSource *self, int slot);

static void
on_task_end (GObject *source, GAsyncResult *result, gpointer user_data)
{
  RingSource *self = user_data;
  int slot = GPOINTER_TO_INT (g_task_get_task_data (G_TASK (result)));

  bench_io_ended (g_task_propagate_int (G_TASK (result), NULL));
  if (bench_to_begin > 0)
    begin_with_task (self, slot);
}

static void
begin_with_task (RingSource *self, int slot)
{
  GTask *task = g_task_new (NULL, NULL, on_task_end, self);

  g_task_set_task_data (task, GINT_TO_POINTER (slot), NULL);
  begin (&self->ring, self->fd, slot, (guintptr) task);
}

static gboolean
ring_source_prepare (GSource *source, int *timeout_ms)
{
  RingSource *self = (RingSource *) source;

  *timeout_ms = -1;
  if (io_uring_sq_ready (&self->ring) > 0)
    io_uring_submit (&self->ring);
  return io_uring_cq_ready (&self->ring) > 0;
}

static gboolean
ring_source_check (GSource *source)
{
  return io_uring_cq_ready (&((RingSource *) source)->ring) > 0;
}

static void
end_task (GTask *task, int res)
{
  g_task_return_int (task, res);
  g_object_unref (task);
}

static gboolean
ring_source_dispatch (GSource *source, GSourceFunc func, gpointer data)
{
  RingSource *self = (RingSource *) source;
  struct io_uring_cqe *cqe;
  unsigned head;
  unsigned n = 0;

  io_uring_for_each_cqe (&self->ring, head, cqe)
  {
    n++;
    if (self->with_tasks)
      end_task (io_uring_cqe_get_data (cqe), cqe->res);
    else
      {
        bench_io_ended (cqe->res);
        if (bench_to_begin > 0)
          begin (&self->ring, self->fd, (int) cqe->user_data, cqe->user_data);
      }
  }
  io_uring_cq_advance (&self->ring, n);
  return G_SOURCE_CONTINUE;
}

static gboolean
run_source (gboolean with_tasks)
{
  static GSourceFuncs funcs = {
    .prepare = ring_source_prepare,
    .check = ring_source_check,
    .dispatch = ring_source_dispatch,
  };
  g_autoptr (GMainContext) main_context = g_main_context_new ();
  g_autoptr (GSource) source = g_source_new (&funcs, sizeof (RingSource));
  RingSource *self = (RingSource *) source;

  self->with_tasks = with_tasks;
  self->fd = bench_io_open ();
  if (self->fd < 0)
    return FALSE;
  if (!open_ring (&self->ring, SAME_FLAGS))
    {
      close (self->fd);
      return FALSE;
    }
  g_main_context_push_thread_default (main_context);
  g_source_set_can_recurse (source, TRUE);
  g_source_add_unix_fd (source, self->ring.ring_fd, G_IO_IN);
  g_source_attach (source, main_context);
  for (int i = 0; i < bench_io.depth; i++)
    if (with_tasks)
      begin_with_task (self, i);
    else
      begin (&self->ring, self->fd, i, i);
  while (bench_to_end > 0)
    g_main_context_iteration (main_context, TRUE);
  g_main_context_pop_thread_default (main_context);
  io_uring_queue_exit (&self->ring);
  close (self->fd);
  g_source_destroy (source);
  return TRUE;
}

gboolean
bench_run_source (BenchIoSample *sample)
{
  return run_source (FALSE);
}

gboolean
bench_run_source_task (BenchIoSample *sample)
{
  return run_source (TRUE);
}
