/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The ring: one io_uring, shared by the fd monitor and the file requests of one context.
 *
 * What this file adds to liburing is what all users of a ring need alike:
 *  - a ring is made only where it works: the environment is asked before the first system call
 *    (GAIO_ENGINE=threads, for sandboxes that kill at io_uring_setup), and one no-op goes through
 *    it, because some sandboxes allow io_uring_setup and refuse io_uring_enter;
 *  - completions are handed out one by one, with the queue advanced first, so that a callback may
 *    reap again;
 *  - submission never loses an operation: if the kernel refuses io_uring_enter for good, what it
 *    has not taken completes as -ECANCELED, which sends file requests to the threads;
 *  - it ends only when the kernel holds no operation any more, and not at all in a forked child,
 *    where it is the parent's.
 *
 * The flags. COOP_TASKRUN: no inter-processor interrupt to the owner for each completion; together
 * with a poll(2) on the ring's descriptor it loses no wake-ups, unlike DEFER_TASKRUN.
 * TASKRUN_FLAG: tells when completions wait for the owner to enter the kernel, which saves the
 * system call when none do. Not SQPOLL: it costs a processor, and its thread kept the credentials
 * of root after setuid (CVE-2024-22017).
 *
 * A wait does not count as waiting for I/O where the kernel (6.15) lets one say so: a loop that
 * sleeps for its next event is idle, and would else look like a processor that waits for a disk.
 *
 * Only the owner's thread may use a ring. Completions of buffered writes are posted by the thread
 * that submitted them, so that thread must outlive its operations.
 *
 * This file, and the files named *-uring.c, are the only ones that include <liburing.h>. */

#include "config.h"

#include <errno.h>
#include <liburing.h>

#include <gaio/base/gaio-debug-private.h>
#include <gaio/base/gaio-fork-private.h>
#include <gaio/base/gaio-ring-private.h>

/* By default 128 submissions in one system call: at 4 KiB, more do not make a batch cheaper. The
 * completion queue has room for four times that; 20 KiB of locked memory in all, well below the
 * 8 MiB that all rings of a user share by default. */
#define CQ_ENTRIES_PER_SQ_ENTRY 4

/* Workers for operations on what is not a regular file (a pipe, a FUSE device), which block for as
 * long as they like; the kernel's own limit is the user's RLIMIT_NPROC. */
#define MAX_UNBOUNDED_WORKERS 64

/* How long the end of a ring waits for cancelled polls. They take microseconds; past this the
 * memory is left to the kernel rather than taken from under it. */
#define DRAIN_TIMEOUT_S 5

/* Since Linux 6.15; liburing 2.3 does not know them. */
#ifndef IORING_ENTER_NO_IOWAIT
#define IORING_ENTER_NO_IOWAIT (1U << 7)
#endif
#ifndef IORING_FEAT_NO_IOWAIT
#define IORING_FEAT_NO_IOWAIT (1U << 17)
#endif

/* More are not worth a table. */
#define MAX_MEMORIES 16

typedef struct
{
  GDestroyNotify gone; /* NULL: nothing is registered here */
  gpointer data;
} RingMemory;

struct _GaioRing
{
  struct io_uring uring;
  unsigned wait_flags;  /* for io_uring_enter(2), immutable */
  guint64 supported[4]; /* a bit for each opcode, immutable */
  guint max_batch;      /* submissions to gather at most; 0: as many as there is room for */
  guint fork_count;     /* immutable: forks before the ring was made */
  guint in_flight;      /* operations whose completion has an owner */
  bool broken;          /* the kernel refuses io_uring_enter */
  GaioWaker *waker;     /* to be told of what is got and not submitted, or NULL; borrowed */
  GPtrArray *refused;   /* operations that it then had not taken, for the next reap */
  RingMemory *memory;   /* what is registered; NULL: there never was any */
};

static bool
is_foreign (GaioRing *self)
{
  return G_UNLIKELY (self->fork_count != gaio_fork_get_count ());
}

static bool
probe (GaioRing *self)
{
  struct io_uring_probe *found = io_uring_get_probe_ring (&self->uring);

  if (found == NULL)
    return false;
  for (int op = 0; op <= found->last_op && op < 256; op++)
    if (io_uring_opcode_supported (found, op))
      self->supported[op / 64] |= G_GUINT64_CONSTANT (1) << (op % 64);
  io_uring_free_probe (found);
  return true;
}

/* Sends one no-op through; -errno when the kernel does not play. */
static int
try_out (GaioRing *self)
{
  struct io_uring_sqe *sqe = io_uring_get_sqe (&self->uring);
  struct io_uring_cqe *cqe;
  int err;

  io_uring_prep_nop (sqe);
  io_uring_sqe_set_data (sqe, NULL);
  do
    err = io_uring_submit_and_wait (&self->uring, 1);
  while (err == -EINTR);
  if (err < 0)
    return err;
  err = io_uring_peek_cqe (&self->uring, &cqe);
  if (err == 0)
    io_uring_cqe_seen (&self->uring, cqe);
  return err;
}

static int
set_up (GaioRing *self, guint n_entries)
{
  struct io_uring_params params = {
    .flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP | IORING_SETUP_COOP_TASKRUN |
             IORING_SETUP_TASKRUN_FLAG,
    .cq_entries = n_entries * CQ_ENTRIES_PER_SQ_ENTRY,
  };
  int err = io_uring_queue_init_params (n_entries, &self->uring, &params);

  if (err == -EINVAL)
    {
      /* A kernel before 5.19 does not know the two task run flags. */
      params = (struct io_uring_params){
        .flags = IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP,
        .cq_entries = n_entries * CQ_ENTRIES_PER_SQ_ENTRY,
      };
      err = io_uring_queue_init_params (n_entries, &self->uring, &params);
    }
  if (err < 0)
    return err;
  /* Without NODROP (5.5) completions can be lost, without EXT_ARG (5.11) a wait needs a timeout
   * operation of its own; such kernels get the threads. */
  self->wait_flags = IORING_ENTER_GETEVENTS;
  if (params.features & IORING_FEAT_NO_IOWAIT)
    self->wait_flags |= IORING_ENTER_NO_IOWAIT;
  if (!(params.features & IORING_FEAT_NODROP) || !(params.features & IORING_FEAT_EXT_ARG))
    err = -ENOSYS;
  else
    err = try_out (self);
  /* A sandbox may allow the calls above and not io_uring_register(2); what the ring can do is then
   * not known, and the loop needs polls at least. */
  if (err == 0 && !probe (self))
    err = -EPERM;
  if (err == 0 && !gaio_ring_supports (self, IORING_OP_POLL_ADD))
    err = -ENOSYS;
  if (err < 0)
    io_uring_queue_exit (&self->uring);
  return err;
}

GaioRing *
gaio_ring_new (guint n_entries, char **reason)
{
  GaioRing *self;
  guint workers[2] = { 0, MAX_UNBOUNDED_WORKERS };
  int err;

  if (g_strcmp0 (g_getenv ("GAIO_ENGINE"), "threads") == 0)
    {
      *reason = g_strdup ("GAIO_ENGINE=threads");
      return NULL;
    }

  self = g_new0 (GaioRing, 1);
  self->fork_count = gaio_fork_get_count ();
  self->refused = g_ptr_array_new ();
  err = set_up (self, n_entries);
  if (err < 0)
    {
      *reason = g_strdup_printf ("io_uring is not available: %s (%s)",
                                 g_strerror (-err),
                                 strerrorname_np (-err) != NULL ? strerrorname_np (-err) : "?");
      gaio_debug (RING, "%s", *reason);
      g_ptr_array_unref (self->refused);
      g_free (self);
      return NULL;
    }
  /* Best effort: without it only the worst case is worse. */
  io_uring_register_iowq_max_workers (&self->uring, workers);
  gaio_debug (RING,
              "fd %d: %u submission, %u completion entries",
              self->uring.ring_fd,
              self->uring.sq.ring_entries,
              self->uring.cq.ring_entries);
  return self;
}

/* The kernel refuses to be entered: the next reap ends what it has not taken. What it has taken
 * completes as ever, since the completion queue is memory that both see. */
static void
give_up (GaioRing *self, int err)
{
  struct io_uring_sq *sq = &self->uring.sq;

  gaio_debug (RING, "io_uring_enter: %s; giving the ring up", g_strerror (-err));
  self->broken = true;
  for (unsigned i = io_uring_smp_load_acquire (sq->khead); i != sq->sqe_tail; i++)
    {
      unsigned index = sq->array[i & *sq->kring_mask];
      GaioRingOp *op = (GaioRingOp *) (uintptr_t) sq->sqes[index].user_data;

      if (op != NULL)
        g_ptr_array_add (self->refused, op);
    }
}

/* What a result of io_uring_enter(2) means. EINTR, EAGAIN and EBUSY pass: the next turn submits
 * again, after having reaped. */
static void
judge (GaioRing *self, int result)
{
  if (result >= 0 || result == -EINTR || result == -EAGAIN || result == -EBUSY ||
      result == -ETIME || result == -EBADR)
    return;
  give_up (self, result);
}

static void
drain (GaioRing *self)
{
  gint64 deadline = g_get_monotonic_time () + DRAIN_TIMEOUT_S * G_USEC_PER_SEC;
  struct io_uring_sync_cancel_reg everything = {
    .flags = IORING_ASYNC_CANCEL_ANY | IORING_ASYNC_CANCEL_ALL,
    .timeout = { .tv_sec = -1, .tv_nsec = -1 },
  };

  gaio_ring_submit (self);
  self->in_flight -= self->refused->len;
  while (self->in_flight > 0 && g_get_monotonic_time () < deadline)
    {
      struct __kernel_timespec pause = { .tv_nsec = 1000 * 1000 };
      struct io_uring_cqe *cqe;

      /* Each time, since an operation on its way to a worker of the kernel is found by no cancel
       * until it is there. */
      int err = io_uring_register_sync_cancel (&self->uring, &everything);

      /* In short waits, since what a thread that is gone had in flight completes from a kernel
       * worker, which wakes nobody. A ring that may not be entered may still be told to cancel. */
      if (!self->broken)
        judge (self, io_uring_submit_and_wait_timeout (&self->uring, &cqe, 1, &pause, NULL));
      else if (err < 0 && err != -ENOENT && err != -EALREADY && err != -EINTR && err != -ETIME)
        break;
      else
        g_usleep (1000);
      while (io_uring_peek_cqe (&self->uring, &cqe) == 0)
        {
          if (io_uring_cqe_get_data (cqe) != NULL)
            self->in_flight--;
          io_uring_cqe_seen (&self->uring, cqe);
        }
    }
}

void
gaio_ring_free (GaioRing *self)
{
  if (is_foreign (self))
    return;
  drain (self);
  if (self->in_flight > 0)
    {
      /* UNTESTED: only with a kernel that does not cancel a poll, or is not let to. */
      gaio_debug (RING, "left %u operations to the kernel", self->in_flight);
      return;
    }
  io_uring_queue_exit (&self->uring);
  for (int i = 0; self->memory != NULL && i < MAX_MEMORIES; i++)
    if (self->memory[i].gone != NULL)
      self->memory[i].gone (self->memory[i].data);
  g_free (self->memory);
  g_ptr_array_unref (self->refused);
  g_free (self);
}

static int
set_memory (GaioRing *self, int index, gpointer memory, gsize size)
{
  struct iovec iov = { memory, size };
  __u64 tag = 0;
  int res = io_uring_register_buffers_update_tag (&self->uring, index, &iov, &tag, 1);

  return MIN (res, 0);
}

int
gaio_ring_register_memory (
    GaioRing *self, gpointer memory, gsize size, GDestroyNotify gone, gpointer data)
{
  int res;
  int index = 0;

  if (is_foreign (self))
    return -EIO;
  if (self->memory == NULL)
    {
      res = io_uring_register_buffers_sparse (&self->uring, MAX_MEMORIES);
      if (res < 0)
        return res;
      self->memory = g_new0 (RingMemory, MAX_MEMORIES);
    }
  while (index < MAX_MEMORIES && self->memory[index].gone != NULL)
    index++;
  if (index == MAX_MEMORIES)
    return -ENOSPC;
  res = set_memory (self, index, memory, size);
  if (res < 0)
    return res;
  self->memory[index] = (RingMemory){ gone, data };
  return index;
}

bool
gaio_ring_unregister_memory (GaioRing *self, int index)
{
  if (is_foreign (self))
    return false;
  /* What has been got and not handed over still names it. */
  gaio_ring_submit (self);
  if (set_memory (self, index, NULL, 0) < 0)
    return false;
  self->memory[index].gone = NULL;
  return true;
}

bool
gaio_ring_supports (GaioRing *self, int opcode)
{
  return opcode >= 0 && opcode < 256 && (self->supported[opcode / 64] >> (opcode % 64) & 1) != 0;
}

int
gaio_ring_get_fd (GaioRing *self)
{
  return self->uring.ring_fd;
}

bool
gaio_ring_is_usable (GaioRing *self)
{
  return !self->broken && !is_foreign (self);
}

guint
gaio_ring_get_depth (GaioRing *self)
{
  return self->uring.cq.ring_entries - self->uring.sq.ring_entries;
}

void
gaio_ring_set_waker (GaioRing *self, GaioWaker *waker)
{
  self->waker = waker;
}

void
gaio_ring_set_max_batch (GaioRing *self, guint n_operations)
{
  self->max_batch = n_operations;
}

struct io_uring_sqe *
gaio_ring_get_sqe (GaioRing *self, GaioRingOp *op)
{
  struct io_uring_sqe *sqe;

  if (!gaio_ring_is_usable (self))
    return NULL;
  if (self->waker != NULL && !gaio_ring_has_unsubmitted (self))
    gaio_waker_notify (self->waker);
  if (G_UNLIKELY (self->max_batch != 0 && io_uring_sq_ready (&self->uring) >= self->max_batch))
    gaio_ring_submit (self);
  sqe = io_uring_get_sqe (&self->uring);
  if (sqe == NULL)
    {
      gaio_ring_submit (self);
      sqe = io_uring_get_sqe (&self->uring);
      if (sqe == NULL)
        return NULL;
    }
  /* The prep functions of liburing leave user_data alone from 2.2 on. */
  io_uring_sqe_set_data (sqe, op);
  if (op != NULL)
    self->in_flight++;
  return sqe;
}

bool
gaio_ring_has_unsubmitted (GaioRing *self)
{
  return io_uring_sq_ready (&self->uring) > 0;
}

void
gaio_ring_submit (GaioRing *self)
{
  if (!gaio_ring_is_usable (self) || !gaio_ring_has_unsubmitted (self))
    return;
  judge (self, io_uring_submit (&self->uring));
}

/* What liburing does in io_uring_submit_and_wait_timeout(), with flags of our own. `timeout` may be
 * NULL, and then there is no argument for the kernel to copy. */
static int
submit_and_wait (GaioRing *self, const struct __kernel_timespec *timeout)
{
  struct io_uring_sq *sq = &self->uring.sq;
  struct io_uring_getevents_arg arg = { .ts = (guint64) (uintptr_t) timeout };
  unsigned flags = self->wait_flags | (timeout != NULL ? IORING_ENTER_EXT_ARG : 0);

  sq->sqe_head = sq->sqe_tail;
  io_uring_smp_store_release (sq->ktail, sq->sqe_tail);
  return io_uring_enter2 (self->uring.ring_fd,
                          sq->sqe_tail - io_uring_smp_load_acquire (sq->khead),
                          1,
                          flags,
                          timeout != NULL ? (sigset_t *) (void *) &arg : NULL,
                          timeout != NULL ? sizeof arg : _NSIG / 8);
}

void
gaio_ring_submit_and_wait (GaioRing *self, gint64 timeout_ns)
{
  gint64 end_us = timeout_ns > 0 ? g_get_monotonic_time () + timeout_ns / 1000 : 0;
  int result;

  if (timeout_ns == 0 || gaio_ring_is_ready (self))
    {
      gaio_ring_submit (self);
      return;
    }
  if (!gaio_ring_is_usable (self))
    return;
  do
    {
      struct __kernel_timespec timeout = {
        .tv_sec = timeout_ns / G_GINT64_CONSTANT (1000000000),
        .tv_nsec = timeout_ns % G_GINT64_CONSTANT (1000000000),
      };

      result = submit_and_wait (self, timeout_ns > 0 ? &timeout : NULL);
      if (timeout_ns > 0)
        timeout_ns = MAX ((end_us - g_get_monotonic_time ()) * 1000, 1);
    }
  while (result == -EINTR && !gaio_ring_is_ready (self));
  judge (self, result);
}

static bool
kernel_has_more (GaioRing *self)
{
  /* A kernel that refuses to be entered does not hand it out either. */
  return !self->broken && (IO_URING_READ_ONCE (*self->uring.sq.kflags) &
                           (IORING_SQ_CQ_OVERFLOW | IORING_SQ_TASKRUN)) != 0;
}

bool
gaio_ring_is_ready (GaioRing *self)
{
  return !is_foreign (self) && (io_uring_cq_ready (&self->uring) > 0 || kernel_has_more (self) ||
                                self->refused->len > 0);
}

static guint
reap_refused (GaioRing *self)
{
  guint done = 0;

  while (self->refused->len > 0)
    {
      GaioRingOp *op = g_ptr_array_steal_index (self->refused, 0);

      self->in_flight--;
      op->complete (op, -ECANCELED);
      done++;
    }
  return done;
}

/* The i-th entry that is there. */
static struct io_uring_cqe *
peek (GaioRing *self, guint i)
{
  struct io_uring_cq *cq = &self->uring.cq;

  return &cq->cqes[(*cq->khead + i) & *cq->kring_mask];
}

static void
complete_first (GaioRing *self)
{
  struct io_uring_cqe *cqe = peek (self, 0);
  GaioRingOp *op = io_uring_cqe_get_data (cqe);
  int res = cqe->res;

  /* The entry is given back first: `complete` may reap again. */
  io_uring_cq_advance (&self->uring, 1);
  if (op == NULL)
    return;
  self->in_flight--;
  op->complete (op, res);
}

guint
gaio_ring_reap (GaioRing *self, GaioSlice *slice)
{
  struct io_uring *uring = &self->uring;
  guint done = 0;
  guint limit;

  if (is_foreign (self))
    return 0;
  if (G_UNLIKELY (self->refused->len > 0))
    return reap_refused (self);
  if (kernel_has_more (self))
    io_uring_get_events (uring);

  /* Only what is there now: a callback that submits, and so completes more, does not keep the
   * turn from going on. */
  limit = io_uring_cq_ready (uring);
  while (done < limit && io_uring_cq_ready (uring) > 0)
    {
      complete_first (self);
      done++;
      if (gaio_slice_is_over (slice))
        break;
    }
  return done;
}

bool
gaio_ring_has_completed (GaioRing *self, GaioRingOp *op)
{
  guint n_ready = is_foreign (self) ? 0 : io_uring_cq_ready (&self->uring);

  for (guint i = 0; i < n_ready; i++)
    if (io_uring_cqe_get_data (peek (self, i)) == op)
      {
        if (i == 0)
          complete_first (self);
        return true;
      }
  return false;
}
