/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The threads engine: blocking system calls, in a worker of the default thread pool, or in the
 * thread that calls one of the functions without _async.
 *
 * It can do everything, so it takes what the ring cannot. As many requests as the pool has workers
 * are given to it, the others wait (see gaio-request-queue.c), for the pool itself knows only one
 * order. Those for a pipe are not counted, as with the ring.
 *
 * A wait for a pipe, a terminal or a socket can be cancelled: the descriptor is polled together
 * with another one that the cancel makes readable. A wait for a disk cannot; the request then ends
 * with what really happened. When two read from the same pipe at once, the slower one may wait in
 * read(2) past a cancel.
 *
 * Where not even one thread can be had the pool has the home thread do the work, which must not
 * wait for a pipe: what is to come may be for this thread to bring about. There a transfer that
 * would wait is given back, the loop watches a duplicate of the descriptor (the program may have a
 * handler for the other), and when that is ready the request begins anew. The open(2) of a FIFO
 * still waits, and so does what finds a pipe empty that another process has just read out.
 *
 * submit and cancel are for the home thread; gaio_engine_run_blocking() is for any. */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/ioprio.h>

#include <gaio/file/gaio-engine-private.h>
#include <gaio/file/gaio-file-direct-private.h>
#include <gaio/file/gaio-signal-guard-private.h>
#include <gaio/loop/gaio-fd-handler.h>

/* In milliseconds, for the first retry of what a file system says to do again later; it doubles
 * each time. */
#define RETRY_DELAY_MS 1

/* What a transfer returns instead of waiting; no errno. */
#define NOT_READY G_MININT

/* The pieces of a copy, within the kernel and by hand. */
#define COPY_RANGE_BYTES ((gsize) 64 * 1024 * 1024)
#define COPY_BYTES ((gsize) 256 * 1024)

/* The signal that it may raise in its own thread; 0: none. */
static int
get_signal (GaioRequest *self)
{
  switch (self->kind)
    {
    case GAIO_REQUEST_WRITE:
      if (!self->file->seekable)
        return SIGPIPE;
      G_GNUC_FALLTHROUGH;
    case GAIO_REQUEST_TRUNCATE:
    case GAIO_REQUEST_ALLOCATE:
      return self->file->size_limited ? SIGXFSZ : 0;
    case GAIO_REQUEST_COPY_RANGE:
      return self->other->size_limited ? SIGXFSZ : 0;
    default:
      return 0;
    }
}

static GIOCondition
get_events (GaioRequest *self)
{
  return self->kind == GAIO_REQUEST_WRITE ? G_IO_OUT : G_IO_IN;
}

static int
wait_for (GaioRequest *self, int fd, int cancel_fd, int timeout_ms)
{
  GPollFD fds[2] = {
    { .fd = fd, .events = get_events (self) },
    { .fd = cancel_fd, .events = G_IO_IN },
  };
  int n_ready = g_poll (fds, cancel_fd >= 0 ? 2 : 1, timeout_ms);

  if (n_ready <= 0)
    return n_ready == 0 ? NOT_READY : -errno;
  if (fds[1].revents != 0)
    {
      /* What distinguishes this from an errno that a file system made up. */
      atomic_store (&self->cancelled, atomic_load (&self->serial));
      return -ECANCELED;
    }
  return 0;
}

/* One transfer of a file that has no positions. A writer that can be cancelled, or must not wait,
 * writes no more at once than a pipe that is ready has room for, so that write(2) does not wait. */
static gssize
transfer_unseekable (GaioRequest *self, int fd, int cancel_fd)
{
  bool writes = self->kind == GAIO_REQUEST_WRITE;
  bool at_home = !self->blocking && gaio_request_is_home (self);
  bool asks_first = cancel_fd >= 0 || at_home;
  bool must_wait = asks_first;

  for (;;)
    {
      int err = must_wait ? wait_for (self, fd, cancel_fd, at_home ? 0 : -1) : 0;
      gsize n_iov = MIN (self->n_iov - self->first_iov, IOV_MAX);
      struct iovec *iov = &self->iov[self->first_iov];
      gssize res;

      if (err < 0)
        return err;
      if (writes)
        res = write (fd,
                     iov->iov_base,
                     MIN (iov->iov_len, asks_first ? PIPE_BUF : GAIO_REQUEST_MAX_TRANSFER));
      else if (self->kind == GAIO_REQUEST_READV)
        res = readv (fd, iov, n_iov);
      else
        res = read (fd,
                    self->target + self->moved,
                    MIN (self->length - self->moved, GAIO_REQUEST_MAX_TRANSFER));
      if (res >= 0)
        return res;
      if (errno != EAGAIN)
        return -errno;
      /* A descriptor in non-blocking mode. */
      must_wait = true;
    }
}

static gssize
transfer (GaioRequest *self, int fd)
{
  gsize n_iov = MIN (self->n_iov - self->first_iov, IOV_MAX);
  goffset offset = self->offset + self->moved;

  if (self->kind == GAIO_REQUEST_READ)
    return pread (fd,
                  self->target + self->moved,
                  MIN (self->length - self->moved, GAIO_REQUEST_MAX_TRANSFER),
                  offset);
  if (self->kind == GAIO_REQUEST_READV)
    return preadv (fd, self->iov + self->first_iov, n_iov, offset);
  return pwritev2 (fd, self->iov + self->first_iov, n_iov, offset, self->flags);
}

/* What copy_file_range(2) says when it cannot be done so, which is not to say not at all. */
static bool
cannot_copy_range (int errnum)
{
  return errnum == EXDEV || errnum == EINVAL || errnum == EOPNOTSUPP || errnum == ENOSYS;
}

static gssize
read_some (GaioFile *file, guint8 *buffer, gsize length, goffset offset)
{
  gssize res;

  if (gaio_direct_is_in_effect (file))
    return gaio_direct_pread (file, buffer, length, offset);
  res = pread (atomic_load_explicit (&file->fd, memory_order_relaxed), buffer, length, offset);
  return res < 0 ? -errno : res;
}

static gssize
write_some (GaioRequest *self, GaioFile *file, const guint8 *data, gsize length, goffset offset)
{
  gssize res;

  if (gaio_direct_is_in_effect (file))
    return gaio_direct_pwrite (self, file, data, length, offset);
  res = pwrite (atomic_load_explicit (&file->fd, memory_order_relaxed), data, length, offset);
  return res < 0 ? -errno : res;
}

static gssize
copy_by_hand (GaioRequest *self)
{
  gsize length = MIN (self->length - self->moved, COPY_BYTES);
  goffset to = self->other_offset + self->moved;
  g_autofree guint8 *buffer = g_try_malloc (length);
  gssize res;

  if (buffer == NULL)
    return -ENOMEM;
  res = read_some (self->file, buffer, length, self->offset + self->moved);
  if (res <= 0)
    return res;
  /* What is not written now is read again. */
  res = write_some (self, self->other, buffer, res, to);
  return res == 0 ? -EIO : res;
}

/* Whether it would read what it has written: a copy in pieces, or by hand, would not see it. */
static bool
overlaps (GaioRequest *self, int fd, int other_fd)
{
  gsize distance = ABS (self->offset - self->other_offset);
  struct stat from;
  struct stat to;

  return distance < self->length && fstat (fd, &from) == 0 && fstat (other_fd, &to) == 0 &&
         from.st_dev == to.st_dev && from.st_ino == to.st_ino;
}

/* One piece; so large that the call does not count, and a cancel need not wait for long. */
static gssize
copy_range (GaioRequest *self, int fd)
{
  int other_fd = atomic_load_explicit (&self->other->fd, memory_order_relaxed);
  off_t from = self->offset + self->moved;
  off_t to = self->other_offset + self->moved;
  gsize left = self->length - self->moved;
  gssize res;

  if (self->moved == 0 && overlaps (self, fd, other_fd))
    {
      self->failure = GAIO_REQUEST_FAILED_OVERLAP;
      return -EINVAL;
    }
  res = copy_file_range (fd, &from, other_fd, &to, MIN (left, COPY_RANGE_BYTES), 0);
  if (res > 0)
    return res;
  if (res < 0 && !cannot_copy_range (errno))
    return -errno;
  /* It also says 0 for files that only read(2) knows the length of. */
  return copy_by_hand (self);
}

static gssize
write_zeros (GaioRequest *self, int fd, goffset offset, gsize length)
{
  g_autofree guint8 *zeros = NULL;
  int flags = fcntl (fd, F_GETFL);

  /* They would go behind the end, whatever the offset. */
  if (flags < 0 || (flags & O_APPEND) != 0)
    return -EOPNOTSUPP;
  length = MIN (length, COPY_BYTES);
  zeros = g_try_malloc0 (length);
  if (zeros == NULL)
    return -ENOMEM;
  return write_some (self, self->file, zeros, length, offset);
}

/* Zeros also where the file system has no operation for them: a hole reads as zeros, and what is
 * then allocated in it makes the file as long as it should be. Without holes they are written, one
 * piece at a time; the count says how much. */
static gssize
allocate (GaioRequest *self, int fd)
{
  goffset offset = self->offset + self->moved;
  goffset length = self->length - self->moved;

  if (fallocate (fd, self->flags, offset, length) == 0)
    return 0;
  if (errno != EOPNOTSUPP || self->flags != FALLOC_FL_ZERO_RANGE)
    return -errno;
  if (fallocate (fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length) == 0 &&
      fallocate (fd, 0, offset, length) == 0)
    return 0;
  return errno == EOPNOTSUPP ? write_zeros (self, fd, offset, length) : -errno;
}

static int
lock (GaioRequest *self, int fd)
{
  struct flock wanted = {
    .l_type = self->flags,
    .l_whence = SEEK_SET,
    .l_start = self->offset,
    .l_len = self->length,
  };

  return fcntl (fd, F_OFD_SETLK, &wanted);
}

/* One system call; what it returned, or -errno. */
static gssize
call (GaioRequest *self, int cancel_fd)
{
  int fd = atomic_load_explicit (&self->file->fd, memory_order_relaxed);
  gssize res = -1;

  switch (self->kind)
    {
    case GAIO_REQUEST_READ:
    case GAIO_REQUEST_READV:
    case GAIO_REQUEST_WRITE:
      if (!self->file->seekable)
        return transfer_unseekable (self, fd, cancel_fd);
      if (gaio_direct_is_in_effect (self->file))
        return gaio_direct_transfer (self);
      res = transfer (self, fd);
      break;
    case GAIO_REQUEST_SYNC:
      res = self->data_only ? fdatasync (fd) : fsync (fd);
      break;
    case GAIO_REQUEST_TRUNCATE:
      res = ftruncate (fd, self->offset);
      break;
    case GAIO_REQUEST_ALLOCATE:
      return allocate (self, fd);
    case GAIO_REQUEST_ADVISE:
      return -posix_fadvise (fd, self->offset, self->length, self->flags);
    case GAIO_REQUEST_COPY_RANGE:
      return copy_range (self, fd);
    case GAIO_REQUEST_LOCK:
      /* Asked once: whoever wants to wait does it elsewhere. */
      return lock (self, fd) == 0 ? 0 : errno == EAGAIN || errno == EACCES ? -EAGAIN : -errno;
    case GAIO_REQUEST_RENAME:
      res = rename (self->file->path, self->new_path);
      break;
    case GAIO_REQUEST_STATX:
      res = statx (fd, "", AT_EMPTY_PATH, self->statx_mask, self->statx);
      break;
    case GAIO_REQUEST_OPEN:
      if ((self->flags & O_DIRECT) != 0)
        return gaio_direct_open (self);
      res = open (self->file->path, self->flags, self->permissions);
      break;
    case GAIO_REQUEST_CLOSE:
      if (self->file->direct != NULL)
        gaio_direct_close (self->file);
      res = close (fd);
      break;
    }
  return res < 0 ? -errno : res;
}

void
gaio_engine_run_blocking (GaioRequest *self, int cancel_fd)
{
  GaioSignalGuard guard;
  gssize res;

  if (self->kind != GAIO_REQUEST_CLOSE && gaio_request_is_cancelled (self))
    {
      self->result = -ECANCELED;
      return;
    }
  gaio_signal_guard_begin (&guard, get_signal (self));
  for (;;)
    {
      res = call (self, cancel_fd);
      if (G_UNLIKELY (self->claim != NULL && self->claim->again))
        break;
      self->must_watch = res == NOT_READY;
      if (self->must_watch)
        break;
      if (gaio_request_take_result (self, res, false) == GAIO_STEP_DONE)
        break;
      if (res == -EAGAIN)
        g_usleep ((RETRY_DELAY_MS * 1000) << self->retries);
    }
  gaio_signal_guard_end (&guard);
}

static void let_in (GaioEngineState *state);
static void start (GaioRequest *self);

static GaioRequest *
request_of (GaioJob *job)
{
  return (GaioRequest *) ((char *) job - offsetof (GaioRequest, job));
}

static void
set_ioprio (guint ioprio)
{
  /* For a thread that did not set it, it follows the nice value. */
  syscall (SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, ioprio);
}

static void
work (GaioJob *job)
{
  GaioRequest *self = request_of (job);
  guint ioprio = self->ioprio;

  if (G_UNLIKELY (ioprio != 0))
    set_ioprio (ioprio);
  gaio_engine_run_blocking (self,
                            self->interrupt != NULL
                                ? gaio_event_notifier_get_fd (self->interrupt)
                                : -1);
  if (G_UNLIKELY (ioprio != 0))
    set_ioprio (0);
}

/* Waiting in the loop. */

static void
end_watch (GaioRequest *self)
{
  gaio_context_remove_fd_handler (self->file->context, self->watched_fd);
  close (self->watched_fd);
  self->is_watched = false;
}

static void
on_ready (int fd, GIOCondition condition, gpointer user_data)
{
  GaioRequest *self = user_data;

  end_watch (self);
  start (self);
}

/* Begins anew when it can be done without waiting; else it has ended, with the result. */
static bool
begin_watch (GaioRequest *self)
{
  int fd = fcntl (atomic_load_explicit (&self->file->fd, memory_order_relaxed), F_DUPFD_CLOEXEC, 0);

  if (fd < 0)
    {
      self->result = -errno;
      return false;
    }
  self->watched_fd = fd;
  self->is_watched = true;
  gaio_context_set_fd_handler (self->file->context, fd, get_events (self), on_ready, self, NULL,
                               NULL);
  return true;
}

static void
done (GaioJob *job, bool cancelled)
{
  GaioRequest *self = request_of (job);

  gaio_request_leave_home (self);
  if (self->uses_slot)
    {
      gaio_request_queue_leave (&self->file->engine->threads_queue);
      if (self->file->engine->threads_queue.n_waiting > 0)
        let_in (self->file->engine);
    }
  if (cancelled && self->kind == GAIO_REQUEST_CLOSE)
    gaio_engine_run_blocking (self, -1); /* the context ends; the descriptor must not stay */
  else if (cancelled)
    self->result = -ECANCELED;
  else if (G_UNLIKELY (self->claim != NULL && self->claim->again))
    {
      if (!gaio_request_is_cancelled (self))
        {
          gaio_direct_enter_again (self);
          return;
        }
      self->result = -ECANCELED;
    }
  else if (G_UNLIKELY (self->must_watch))
    {
      self->must_watch = false;
      if (gaio_request_is_cancelled (self))
        self->result = -ECANCELED;
      else if (begin_watch (self))
        return;
    }
  gaio_request_finish (self);
}

static void
start (GaioRequest *self)
{
  self->job.work = work;
  self->job.done = done;
  gaio_job_submit (&self->job, self->file->engine->pool, self->file->context);
}

static void
let_in (GaioEngineState *state)
{
  GaioRequest *next;

  while ((next = gaio_request_queue_next (&state->threads_queue)) != NULL)
    start (next);
}

static bool
enter (GaioEngineState *state, GaioRequest *self)
{
  GaioRequestQueue *queue = &state->threads_queue;

  /* The pool's limit may be another by now. */
  if (G_UNLIKELY (queue->in_flight >= queue->depth))
    queue->depth = gaio_engine_get_threads_depth (state->pool);
  if (gaio_request_queue_enter (queue, self))
    return true;
  let_in (state);
  return false;
}

static int
threads_submit (GaioRequest *self)
{
  if (!self->file->seekable &&
      (self->kind == GAIO_REQUEST_READ || self->kind == GAIO_REQUEST_READV ||
       self->kind == GAIO_REQUEST_WRITE))
    {
      /* Without a descriptor for it the wait cannot be cut short; all else works. */
      if (self->interrupt == NULL)
        self->interrupt = gaio_event_notifier_new (NULL);
      else
        gaio_event_notifier_test_and_clear (self->interrupt);
    }
  self->uses_slot = gaio_engine_counts (self);
  if (!self->uses_slot || enter (self->file->engine, self))
    start (self);
  return 0;
}

static void
threads_cancel (GaioRequest *self)
{
  if (self->waits_for_slot)
    {
      gaio_request_queue_remove (&self->file->engine->threads_queue, self);
      gaio_request_finish_later (self, -ECANCELED);
    }
  else if (self->is_watched)
    {
      end_watch (self);
      gaio_request_finish_later (self, -ECANCELED);
    }
  else if (!gaio_job_cancel (&self->job) && self->interrupt != NULL)
    gaio_event_notifier_set (self->interrupt);
}

const GaioEngineOps gaio_engine_threads = {
  .type = GAIO_ENGINE_THREADS,
  .submit = threads_submit,
  .cancel = threads_cancel,
};
