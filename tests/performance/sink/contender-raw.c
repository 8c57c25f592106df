/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The limit for a sink that copies: each frame is copied into one of sixteen aligned buffers, which
 * goes to the disk past the page cache. No GStreamer, no thread, no order; every frame begins at a
 * page, which a file that anybody can play does not. */

#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "contender.h"

#define N_BUFFERS 16
#define ALIGN 4096

typedef struct
{
  Contender contender;
  gsize frame_bytes;
  guint8 *frame;
  guint8 *buffers[N_BUFFERS];
  guint free[N_BUFFERS];
  guint n_free;
  struct io_uring ring;
  int fd;
  guint64 offset;
} Raw;

static guint8 *
acquire (gpointer data, guint number)
{
  Raw *self = data;

  return self->frame;
}

static void
reap (Raw *self, guint n_wanted_free)
{
  struct io_uring_cqe *cqe;

  while (self->n_free < N_BUFFERS)
    {
      int error = self->n_free < n_wanted_free ? io_uring_wait_cqe (&self->ring, &cqe)
                                               : io_uring_peek_cqe (&self->ring, &cqe);

      if (error == -EINTR)
        continue;
      if (error != 0)
        return;
      if (cqe->res != (int) self->contender.stride && self->contender.error == NULL)
        self->contender.error = g_strdup_printf ("a write gave %d", cqe->res);
      self->free[self->n_free++] = (guint) io_uring_cqe_get_data64 (cqe);
      io_uring_cqe_seen (&self->ring, cqe);
    }
}

static gboolean
push (gpointer data)
{
  Raw *self = data;
  struct io_uring_sqe *sqe;
  guint slot;

  reap (self, 1);
  slot = self->free[--self->n_free];
  memcpy (self->buffers[slot], self->frame, self->frame_bytes);
  sqe = io_uring_get_sqe (&self->ring);
  io_uring_prep_write (sqe, self->fd, self->buffers[slot], (unsigned) self->contender.stride,
                       self->offset);
  io_uring_sqe_set_data64 (sqe, slot);
  io_uring_submit (&self->ring);
  self->offset += self->contender.stride;
  return self->contender.error == NULL;
}

static void
finish (gpointer data)
{
  Raw *self = data;
  gint64 begin_ns = camera_now_ns ();

  reap (self, N_BUFFERS);
  self->contender.eos_ms = (camera_now_ns () - begin_ns) / 1e6;
}

static const CameraTarget raw_target = { acquire, push, finish };

Contender *
contender_raw_new (const ContenderSettings *settings)
{
  Raw *self = g_new0 (Raw, 1);

  self->fd = open (settings->path, O_WRONLY | O_CREAT | O_TRUNC | O_DIRECT | O_CLOEXEC, 0666);
  if (self->fd < 0 || io_uring_queue_init (2 * N_BUFFERS, &self->ring, 0) != 0)
    {
      g_printerr ("raw: %s\n", g_strerror (errno));
      g_free (self);
      return NULL;
    }
  self->contender.target = &raw_target;
  self->contender.data = self;
  self->contender.eos_ms = -1;
  self->contender.stride = (settings->frame_bytes + ALIGN - 1) / ALIGN * ALIGN;
  self->frame_bytes = settings->frame_bytes;
  self->frame = g_malloc0 (settings->frame_bytes);
  for (guint i = 0; i < N_BUFFERS; i++)
    {
      self->buffers[i] = aligned_alloc (ALIGN, self->contender.stride);
      memset (self->buffers[i], 0, self->contender.stride);
      self->free[self->n_free++] = i;
    }
  return &self->contender;
}

void
contender_raw_stop (Contender *contender)
{
  Raw *self = contender->data;
  gint64 begin_ns = camera_now_ns ();

  reap (self, N_BUFFERS);
  close (self->fd);
  contender->null_ms = (camera_now_ns () - begin_ns) / 1e6;
}

void
contender_raw_free (Contender *contender)
{
  Raw *self = contender->data;

  io_uring_queue_exit (&self->ring);
  for (guint i = 0; i < N_BUFFERS; i++)
    free (self->buffers[i]);
  g_free (self->frame);
  g_free (contender->error);
  g_free (self);
}
