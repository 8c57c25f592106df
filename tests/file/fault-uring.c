/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Faults in a ring: what is to be submitted is looked at when the kernel is about to be entered,
 * and rewritten, into a shorter transfer, or into an operation that does nothing and has the result
 * that is wanted (since Linux 6.11). So all of the way there and back is the real one. */

#include <errno.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <liburing.h>

#include "fault-inject.h"

#ifndef IORING_NOP_INJECT_RESULT
#define IORING_NOP_INJECT_RESULT (1U << 0)
#endif

#define MAX_RINGS 8

typedef struct
{
  struct io_uring *ring;
  unsigned looked_at; /* the tail, as it was */
} Known;

static Known known[MAX_RINGS];

static struct
{
  int at;
  int times; /* 0: not armed */
  int errnum;
  int seen;
} enter_plan;

int __real_io_uring_queue_init_params (unsigned entries,
                                       struct io_uring *ring,
                                       struct io_uring_params *params);
int __wrap_io_uring_queue_init_params (unsigned entries,
                                       struct io_uring *ring,
                                       struct io_uring_params *params);

int
__wrap_io_uring_queue_init_params (unsigned entries,
                                   struct io_uring *ring,
                                   struct io_uring_params *params)
{
  int res = __real_io_uring_queue_init_params (entries, ring, params);

  for (int i = 0; res == 0 && i < MAX_RINGS; i++)
    if (known[i].ring == NULL)
      {
        known[i] = (Known){ .ring = ring };
        break;
      }
  return res;
}

void __real_io_uring_queue_exit (struct io_uring *ring);
void __wrap_io_uring_queue_exit (struct io_uring *ring);

void
__wrap_io_uring_queue_exit (struct io_uring *ring)
{
  for (int i = 0; i < MAX_RINGS; i++)
    if (known[i].ring == ring)
      known[i].ring = NULL;
  __real_io_uring_queue_exit (ring);
}

static void
give_result (struct io_uring_sqe *sqe, int res)
{
  __u64 data = sqe->user_data;

  io_uring_prep_nop (sqe);
  sqe->rw_flags = IORING_NOP_INJECT_RESULT;
  sqe->len = (__u32) res;
  sqe->user_data = data;
}

static void
look_at (struct io_uring_sqe *sqe)
{
  FaultPlace place = FAULT_AT_OTHER;
  const char *path = NULL;
  int fault;

  switch (sqe->opcode)
    {
    case IORING_OP_READ:
    case IORING_OP_READV:
      place = FAULT_AT_READ;
      break;
    case IORING_OP_WRITE:
    case IORING_OP_WRITEV:
      place = FAULT_AT_WRITE;
      break;
    case IORING_OP_CLOSE:
      place = FAULT_AT_CLOSE;
      break;
    case IORING_OP_OPENAT:
      path = (const char *) (uintptr_t) sqe->addr;
      break;
    case IORING_OP_FSYNC:
    case IORING_OP_FALLOCATE:
    case IORING_OP_STATX:
      break;
    default:
      return;
    }
  fault = fault_decide (sqe->fd, path, place, true);
  if (fault == FAULT_ZERO)
    give_result (sqe, 0);
  else if (fault == FAULT_SHORT)
    sqe->len = (sqe->len + 1) / 2;
  else if (fault > 0)
    {
      /* A close that was not cancelled has closed. */
      if (place == FAULT_AT_CLOSE && fault != ECANCELED)
        syscall (SYS_close, sqe->fd);
      give_result (sqe, -fault);
    }
}

/* What has been queued since the last time. */
static void
look_at_all (struct io_uring *ring)
{
  for (int i = 0; i < MAX_RINGS; i++)
    if (known[i].ring == ring)
      for (; known[i].looked_at != ring->sq.sqe_tail; known[i].looked_at++)
        look_at (&ring->sq.sqes[known[i].looked_at & *ring->sq.kring_mask]);
}

static int
decide_enter (void)
{
  int number = enter_plan.seen++;

  if (number < enter_plan.at || number >= enter_plan.at + enter_plan.times)
    return 0;
  return -enter_plan.errnum;
}

int __real_io_uring_submit (struct io_uring *ring);
int __wrap_io_uring_submit (struct io_uring *ring);

int
__wrap_io_uring_submit (struct io_uring *ring)
{
  int err = decide_enter ();

  look_at_all (ring);
  return err < 0 ? err : __real_io_uring_submit (ring);
}

int __real_io_uring_enter2 (unsigned fd,
                            unsigned to_submit,
                            unsigned min_complete,
                            unsigned flags,
                            sigset_t *arg,
                            size_t size);
int __wrap_io_uring_enter2 (unsigned fd,
                            unsigned to_submit,
                            unsigned min_complete,
                            unsigned flags,
                            sigset_t *arg,
                            size_t size);

int
__wrap_io_uring_enter2 (unsigned fd,
                        unsigned to_submit,
                        unsigned min_complete,
                        unsigned flags,
                        sigset_t *arg,
                        size_t size)
{
  int err = decide_enter ();

  for (int i = 0; i < MAX_RINGS; i++)
    if (known[i].ring != NULL && known[i].ring->ring_fd == (int) fd)
      look_at_all (known[i].ring);
  return err < 0 ? err : __real_io_uring_enter2 (fd, to_submit, min_complete, flags, arg, size);
}

void
fault_arm_enter (int at, int times, int errnum)
{
  enter_plan.at = at;
  enter_plan.times = times;
  enter_plan.errnum = errnum;
  enter_plan.seen = 0;
}

int
fault_disarm_enter (void)
{
  enter_plan.times = 0;
  return enter_plan.seen;
}

bool
fault_ring_can (void)
{
  struct io_uring_sqe *sqe;
  struct io_uring_cqe *cqe;
  struct io_uring ring;
  bool can;

  if (io_uring_queue_init (2, &ring, 0) < 0)
    return false;
  sqe = io_uring_get_sqe (&ring);
  give_result (sqe, -EXDEV);
  can = io_uring_submit_and_wait (&ring, 1) == 1 && io_uring_peek_cqe (&ring, &cqe) == 0 &&
        cqe->res == -EXDEV;
  io_uring_queue_exit (&ring);
  return can;
}
