/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The io_uring engine: a request becomes one operation at a time on the ring of its context.
 *
 * Two limits shape it. The completion queue has room for so many: that many requests are in flight,
 * the others wait (see gaio-request-queue.c), and each end lets one in. Requests for a pipe, a
 * terminal or a socket are not counted: they may wait for ever, and would keep the others from the
 * disk.
 *
 * And the kernel copies what is in the page cache inside the submission, in the thread that runs
 * the loop: 64 MiB would stop a user interface for ten milliseconds. So what is large goes to the
 * kernel's own workers (IOSQE_ASYNC), what is small does not, since a worker costs 10 us; unless it
 * is a direct transfer on a file system that would make the submission wait for its server.
 *
 * What it does not do: ftruncate(2), which liburing 2.3 has no operation for; copy_file_range(2)
 * and locks, for which the kernel has none; and writes while RLIMIT_FSIZE is in force, because XFS
 * and btrfs run them in the submitting thread and the signal SIGXFSZ would end the program. All
 * these are refused here, and the threads do them. A write to a pipe asks for no SIGPIPE, which a
 * kernel before 6.18 does not know of and refuses, so that the threads do it there.
 *
 * Only the home thread calls anything here. */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <liburing.h>

#include <gaio/file/gaio-engine-private.h>
#include <gaio/file/gaio-file-direct-private.h>

/* A memory copy of this size takes as long as handing the work to a worker does. */
#define INLINE_MAX_BYTES ((gsize) 256 * 1024)

#ifndef RWF_NOSIGNAL
#define RWF_NOSIGNAL 0x100 /* of <linux/fs.h> since 6.18 */
#endif

static void uring_complete (GaioRingOp *op, int res);

static bool
is_of_many (GaioRequest *self)
{
  return self->n_iov - self->first_iov > 1;
}

guint
gaio_engine_uring_get_kinds (GaioRing *ring)
{
  static const int opcodes[][2] = {
    { GAIO_REQUEST_READ, IORING_OP_READ },
    { GAIO_REQUEST_READV, IORING_OP_READV },
    { GAIO_REQUEST_WRITE, IORING_OP_WRITE },
    { GAIO_REQUEST_SYNC, IORING_OP_FSYNC },
    { GAIO_REQUEST_ALLOCATE, IORING_OP_FALLOCATE },
    { GAIO_REQUEST_ADVISE, IORING_OP_FADVISE },
    { GAIO_REQUEST_RENAME, IORING_OP_RENAMEAT },
    { GAIO_REQUEST_STATX, IORING_OP_STATX },
    { GAIO_REQUEST_OPEN, IORING_OP_OPENAT },
    { GAIO_REQUEST_CLOSE, IORING_OP_CLOSE },
  };
  guint kinds = 0;

  /* IORING_OP_READV and WRITEV are older than READ and WRITE. */
  for (guint i = 0; i < G_N_ELEMENTS (opcodes); i++)
    if (gaio_ring_supports (ring, opcodes[i][1]))
      kinds |= 1u << opcodes[i][0];
  return kinds;
}

/* An offset of -1 is the file's own position, which is what a file without positions has. */
static inline guint64
next_offset (GaioRequest *self)
{
  return G_LIKELY (self->file->seekable) ? (guint64) (self->offset + self->moved) : (guint64) -1;
}

/* Has the operation name memory of a pool that the ring knows by its index. */
static void
name_memory (GaioRequest *self, struct io_uring_sqe *sqe)
{
  GaioFile *file = self->file;
  int index = gaio_buffer_use_find (file->buffer_use,
                                    file->engine->ring,
                                    (gconstpointer) (guintptr) sqe->addr,
                                    sqe->len);

  self->is_fixed = index >= 0;
  if (index < 0)
    return;
  sqe->opcode = sqe->opcode == IORING_OP_READ ? IORING_OP_READ_FIXED : IORING_OP_WRITE_FIXED;
  sqe->buf_index = (__u16) index;
}

/* Whether the kernel is to have a worker do it. */
static inline bool
is_for_worker (GaioRequest *self)
{
  const GaioFileDirect *direct = self->file->direct;

  return self->length - self->moved > INLINE_MAX_BYTES ||
         (G_UNLIKELY (direct != NULL) && direct->may_wait);
}

static inline void
prepare_read (GaioRequest *self, struct io_uring_sqe *sqe)
{
  gsize left = self->length - self->moved;

  io_uring_prep_read (sqe,
                      atomic_load_explicit (&self->file->fd, memory_order_relaxed),
                      self->target + self->moved,
                      MIN (left, GAIO_REQUEST_MAX_TRANSFER),
                      next_offset (self));
  sqe->ioprio = self->ioprio;
  if (is_for_worker (self))
    sqe->flags |= IOSQE_ASYNC;
  if (G_UNLIKELY (self->file->buffer_use != NULL))
    name_memory (self, sqe);
}

static void
prepare_other (GaioRequest *self, struct io_uring_sqe *sqe)
{
  int fd = atomic_load_explicit (&self->file->fd, memory_order_relaxed);
  guint64 offset = next_offset (self);

  switch (self->kind)
    {
    case GAIO_REQUEST_WRITE:
      if (is_of_many (self))
        io_uring_prep_writev (sqe,
                              fd,
                              self->iov + self->first_iov,
                              MIN (self->n_iov - self->first_iov, IOV_MAX),
                              offset);
      else
        io_uring_prep_write (sqe,
                             fd,
                             self->iov[self->first_iov].iov_base,
                             MIN (self->iov[self->first_iov].iov_len, GAIO_REQUEST_MAX_TRANSFER),
                             offset);
      if (G_UNLIKELY (self->file->buffer_use != NULL && !is_of_many (self)))
        name_memory (self, sqe);
      sqe->rw_flags = self->flags | (self->file->seekable ? 0 : RWF_NOSIGNAL);
      sqe->ioprio = self->ioprio;
      if (is_for_worker (self))
        sqe->flags |= IOSQE_ASYNC;
      break;
    case GAIO_REQUEST_READV:
      io_uring_prep_readv (sqe,
                           fd,
                           self->iov + self->first_iov,
                           MIN (self->n_iov - self->first_iov, IOV_MAX),
                           offset);
      sqe->ioprio = self->ioprio;
      if (is_for_worker (self))
        sqe->flags |= IOSQE_ASYNC;
      break;
    case GAIO_REQUEST_ALLOCATE:
      io_uring_prep_fallocate (sqe, fd, self->flags, self->offset, self->length);
      break;
    case GAIO_REQUEST_ADVISE:
      io_uring_prep_fadvise (sqe, fd, self->offset, self->length, self->flags);
      break;
    case GAIO_REQUEST_RENAME:
      io_uring_prep_renameat (sqe, AT_FDCWD, self->file->path, AT_FDCWD, self->new_path, 0);
      break;
    case GAIO_REQUEST_SYNC:
      io_uring_prep_fsync (sqe, fd, self->data_only ? IORING_FSYNC_DATASYNC : 0);
      break;
    case GAIO_REQUEST_STATX:
      io_uring_prep_statx (sqe, fd, "", AT_EMPTY_PATH, self->statx_mask, self->statx);
      break;
    case GAIO_REQUEST_OPEN:
      io_uring_prep_openat (sqe, AT_FDCWD, self->file->path, self->flags, self->permissions);
      break;
    case GAIO_REQUEST_CLOSE:
      io_uring_prep_close (sqe, fd);
      break;
    case GAIO_REQUEST_READ:
    case GAIO_REQUEST_TRUNCATE:
    case GAIO_REQUEST_COPY_RANGE:
    case GAIO_REQUEST_LOCK:
      g_assert_not_reached ();
    }
}

/* Gets it into the ring now; -errno when that cannot be. */
static inline int
start (GaioRequest *self, GaioEngineState *state)
{
  struct io_uring_sqe *sqe;

  /* It may have broken since the request came. */
  if (G_UNLIKELY (state->ring == NULL))
    return -ENOSYS;
  sqe = gaio_ring_get_sqe (state->ring, &self->ring_op);
  if (G_UNLIKELY (sqe == NULL))
    return -EAGAIN;
  if (G_LIKELY (self->kind == GAIO_REQUEST_READ))
    prepare_read (self, sqe);
  else
    prepare_other (self, sqe);
  self->ring_op.complete = uring_complete;
  return 0;
}

/* A signal that ends the program, a length that liburing cuts to 32 bits, and what direct I/O
 * takes. */
static inline bool
is_for_threads (GaioRequest *self)
{
  return (self->file->size_limited &&
          (self->kind == GAIO_REQUEST_WRITE || self->kind == GAIO_REQUEST_ALLOCATE)) ||
         (self->kind == GAIO_REQUEST_ADVISE && self->length > G_MAXUINT32) ||
         (self->kind == GAIO_REQUEST_OPEN && (self->flags & O_DIRECT) != 0) ||
         (self->file->direct != NULL && gaio_direct_is_for_threads (self));
}

static int
uring_submit (GaioRequest *self)
{
  GaioFile *file = self->file;
  GaioEngineState *state = file->engine;
  int err;

  if (G_UNLIKELY ((state->ring_kinds >> self->kind & 1) == 0 || is_for_threads (self)))
    return -EOPNOTSUPP;
  self->cancel_sent = false;
  self->uses_slot = gaio_engine_counts (self);
  if (G_LIKELY (self->uses_slot) && !gaio_request_queue_enter (&state->ring_queue, self))
    return 0;
  err = start (self, state);
  if (G_UNLIKELY (err < 0 && self->uses_slot))
    gaio_request_queue_leave (&state->ring_queue);
  return err;
}

static void
let_in (GaioEngineState *state)
{
  GaioRequest *next;

  while ((next = gaio_request_queue_next (&state->ring_queue)) != NULL)
    if (start (next, state) < 0)
      {
        gaio_request_queue_leave (&state->ring_queue);
        gaio_request_move_to_threads (next);
      }
}

static void
uring_complete (GaioRingOp *op, int res)
{
  GaioRequest *self = (GaioRequest *) op;
  GaioEngineState *state = self->file->engine;

  if (self->uses_slot)
    {
      gaio_request_queue_leave (&state->ring_queue);
      /* Before the callback, whose own submissions come after those that wait. */
      if (G_UNLIKELY (state->ring_queue.n_waiting > 0))
        let_in (state);
    }
  /* By far the most: no call for these. */
  if (G_LIKELY (self->kind == GAIO_REQUEST_READ && res > 0 &&
                (gsize) res == self->length - self->moved))
    {
      self->moved += res;
      gaio_request_finish (self);
      return;
    }
  /* The pool has gone from the ring, and its memory is there still. */
  if (G_UNLIKELY (res == -EFAULT && self->is_fixed))
    {
      gaio_request_move_to_threads (self);
      return;
    }
  switch (gaio_request_take_result (self, res, true))
    {
    case GAIO_STEP_DONE:
      gaio_request_finish (self);
      break;
    case GAIO_STEP_MORE:
      if (uring_submit (self) == 0)
        break;
      G_GNUC_FALLTHROUGH;
    case GAIO_STEP_MOVE:
      gaio_request_move_to_threads (self);
      break;
    }
}

static void
uring_cancel (GaioRequest *self)
{
  GaioEngineState *state = self->file->engine;
  struct io_uring_sqe *sqe;

  if (self->waits_for_slot)
    {
      gaio_request_queue_remove (&state->ring_queue, self);
      gaio_request_finish_later (self, -ECANCELED);
      return;
    }
  if (self->cancel_sent || state->ring == NULL)
    return;
  /* Operations are taken in order, so a cancel that comes too late finds nothing, and never the
   * next submission of the same request. It may come too late, or while the operation cannot be
   * stopped; what the operation itself then says is what counts. */
  sqe = gaio_ring_get_sqe (state->ring, NULL);
  if (sqe == NULL)
    {
      if (gaio_ring_is_usable (state->ring))
        gaio_request_cancel_later (self);
      return;
    }
  io_uring_prep_cancel (sqe, &self->ring_op, 0);
  self->cancel_sent = true;
}

const GaioEngineOps gaio_engine_uring = {
  .type = GAIO_ENGINE_IO_URING,
  .submit = uring_submit,
  .cancel = uring_cancel,
};
