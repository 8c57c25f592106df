/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* A bare io_uring with one-shot polls that are made anew when they have completed: the limit of a
 * monitor on a ring, for handlers that need not drain their descriptors. */

#include <liburing.h>

#include "bench-peer.h"

typedef struct _Watch Watch;
struct _Watch
{
  int fd;
  GaioFunc func;
  gpointer data;
};

typedef struct
{
  struct io_uring ring;
  GPtrArray *watches;
} Loop;

static gpointer
uring_open (int arg)
{
  struct io_uring_params params = {
    .flags = IORING_SETUP_CQSIZE | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG,
    .cq_entries = 512,
  };
  Loop *self = g_new0 (Loop, 1);

  if (io_uring_queue_init_params (128, &self->ring, &params) < 0)
    {
      g_free (self);
      return NULL;
    }
  self->watches = g_ptr_array_new_with_free_func (g_free);
  return self;
}

static void
uring_close (gpointer loop)
{
  Loop *self = loop;

  io_uring_queue_exit (&self->ring);
  g_ptr_array_unref (self->watches);
  g_free (self);
}

static void
start_poll (Loop *self, Watch *watch)
{
  struct io_uring_sqe *sqe = io_uring_get_sqe (&self->ring);

  if (sqe == NULL)
    {
      io_uring_submit (&self->ring);
      sqe = io_uring_get_sqe (&self->ring);
    }
  io_uring_prep_poll_add (sqe, watch->fd, G_IO_IN | G_IO_HUP | G_IO_ERR);
  io_uring_sqe_set_data (sqe, watch);
}

static void
uring_watch (gpointer loop, int fd, GaioFunc func, gpointer data)
{
  Loop *self = loop;
  Watch *watch = g_new (Watch, 1);

  watch->fd = fd;
  watch->func = func;
  watch->data = data;
  g_ptr_array_add (self->watches, watch);
  start_poll (self, watch);
}

static void
uring_turn (gpointer loop)
{
  Loop *self = loop;
  struct io_uring_cqe *cqe;

  io_uring_submit_and_wait_timeout (&self->ring, &cqe, 1, NULL, NULL);
  while (io_uring_cq_ready (&self->ring) > 0 && io_uring_peek_cqe (&self->ring, &cqe) == 0)
    {
      Watch *watch = io_uring_cqe_get_data (cqe);

      io_uring_cqe_seen (&self->ring, cqe);
      watch->func (watch->data);
      start_poll (self, watch);
    }
}

const BenchPeer bench_peer_uring = {
  .open = uring_open,
  .close = uring_close,
  .turn = uring_turn,
  .watch = uring_watch,
};
