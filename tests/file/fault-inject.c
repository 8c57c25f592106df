/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The system calls that the library does for a file, as the linker has them come by here (--wrap),
 * and the count that says which of them fails. The ring's are in fault-uring.c.
 *
 * A call that fails does nothing, but for close(2), which closes: as file systems have it. The
 * calls come from the pool's threads, one at a time. */

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#include "fault-inject.h"

static struct
{
  atomic_bool armed;
  const char *_Atomic path; /* a worker of the run before may still be closing something */
  atomic_int fd;
  atomic_int at;
  atomic_bool persistent;
  atomic_int fault;
  atomic_int seen;
  atomic_int hits;
  atomic_bool in_ring;
} plan = { .fd = -1 };

void
fault_arm (const char *path, int at, bool persistent, int fault)
{
  plan.path = path;
  plan.at = at;
  plan.persistent = persistent;
  plan.fault = fault;
  atomic_store (&plan.fd, -1);
  atomic_store (&plan.seen, 0);
  atomic_store (&plan.hits, 0);
  atomic_store (&plan.armed, true);
}

void
fault_watch_fd (int fd)
{
  atomic_store (&plan.fd, fd);
}

int
fault_disarm (void)
{
  atomic_store (&plan.armed, false);
  return atomic_load (&plan.seen);
}

int
fault_get_hits (void)
{
  return atomic_load (&plan.hits);
}

bool
fault_was_in_ring (void)
{
  return atomic_load (&plan.in_ring);
}

/* Half of one transfer has been done. */
static int
decide_second_half (int number)
{
  if (plan.persistent)
    return ENOSPC;
  return number == plan.at + 1 ? EAGAIN : 0;
}

int
fault_decide (int fd, const char *path, FaultPlace place, bool in_ring)
{
  bool moves = place == FAULT_AT_READ || place == FAULT_AT_WRITE;
  int fault = plan.fault;
  int number;

  if (!atomic_load (&plan.armed))
    return 0;
  if (path != NULL ? strcmp (path, plan.path) != 0 : fd < 0 || fd != atomic_load (&plan.fd))
    return 0;
  number = atomic_fetch_add (&plan.seen, 1);
  if (plan.at < 0 || number < plan.at)
    return 0;
  if (fault == FAULT_HALF_WAY && atomic_load (&plan.hits) > 0)
    fault = decide_second_half (number);
  else if ((number > plan.at && !plan.persistent) || (fault < 0 && !moves))
    return 0;
  if (fault == 0)
    return 0;
  atomic_store (&plan.in_ring, in_ring);
  atomic_fetch_add (&plan.hits, 1);
  return fault == FAULT_HALF_WAY ? FAULT_SHORT : fault;
}

/* The rest are the calls. */

#define FAIL_WITH(fault)                                                                           \
  G_STMT_START                                                                                     \
  {                                                                                                \
    errno = (fault);                                                                               \
    return -1;                                                                                     \
  }                                                                                                \
  G_STMT_END

ssize_t __real_pread64 (int fd, void *buffer, size_t size, off_t offset);
ssize_t __wrap_pread64 (int fd, void *buffer, size_t size, off_t offset);

ssize_t
__wrap_pread64 (int fd, void *buffer, size_t size, off_t offset)
{
  int fault = fault_decide (fd, NULL, FAULT_AT_READ, false);

  if (fault > 0)
    FAIL_WITH (fault);
  if (fault == FAULT_ZERO)
    return 0;
  return __real_pread64 (fd, buffer, fault == FAULT_SHORT ? (size + 1) / 2 : size, offset);
}

/* The first piece, and of that one half. */
static struct iovec
half_of_first (const struct iovec *iov)
{
  return (struct iovec){ .iov_base = iov->iov_base, .iov_len = (iov->iov_len + 1) / 2 };
}

ssize_t __real_preadv64 (int fd, const struct iovec *iov, int n_iov, off_t offset);
ssize_t __wrap_preadv64 (int fd, const struct iovec *iov, int n_iov, off_t offset);

ssize_t
__wrap_preadv64 (int fd, const struct iovec *iov, int n_iov, off_t offset)
{
  int fault = fault_decide (fd, NULL, FAULT_AT_READ, false);
  struct iovec half = half_of_first (iov);

  if (fault > 0)
    FAIL_WITH (fault);
  if (fault == FAULT_ZERO)
    return 0;
  if (fault == FAULT_SHORT)
    return __real_preadv64 (fd, &half, 1, offset);
  return __real_preadv64 (fd, iov, n_iov, offset);
}

ssize_t __real_pwritev64v2 (int fd, const struct iovec *iov, int n_iov, off_t offset, int flags);
ssize_t __wrap_pwritev64v2 (int fd, const struct iovec *iov, int n_iov, off_t offset, int flags);

ssize_t
__wrap_pwritev64v2 (int fd, const struct iovec *iov, int n_iov, off_t offset, int flags)
{
  int fault = fault_decide (fd, NULL, FAULT_AT_WRITE, false);
  struct iovec half = half_of_first (iov);

  if (fault > 0)
    FAIL_WITH (fault);
  if (fault == FAULT_ZERO)
    return 0;
  if (fault == FAULT_SHORT)
    return __real_pwritev64v2 (fd, &half, 1, offset, flags);
  return __real_pwritev64v2 (fd, iov, n_iov, offset, flags);
}

/* Those that move nothing. */
#define WRAP(name, parameters, arguments)                                                          \
  int __real_##name parameters;                                                                    \
  int __wrap_##name parameters;                                                                    \
  int __wrap_##name parameters                                                                     \
  {                                                                                                \
    int fault = fault_decide (fd, NULL, FAULT_AT_OTHER, false);                                    \
    if (fault != 0)                                                                                \
      FAIL_WITH (fault);                                                                           \
    return __real_##name arguments;                                                                \
  }

WRAP (fsync, (int fd), (fd))
WRAP (fdatasync, (int fd), (fd))
WRAP (ftruncate64, (int fd, off_t length), (fd, length))
WRAP (fallocate64, (int fd, int mode, off_t offset, off_t length), (fd, mode, offset, length))
WRAP (statx,
      (int fd, const char *path, int flags, unsigned mask, struct statx *info),
      (fd, path, flags, mask, info))

int __real_open64 (const char *path, int flags, mode_t mode);
int __wrap_open64 (const char *path, int flags, ...);

int
__wrap_open64 (const char *path, int flags, ...)
{
  int fault = fault_decide (-1, path, FAULT_AT_OTHER, false);
  va_list args;
  mode_t mode;

  va_start (args, flags);
  mode = va_arg (args, mode_t);
  va_end (args);
  if (fault != 0)
    FAIL_WITH (fault);
  return __real_open64 (path, flags, mode);
}

int __real_close (int fd);
int __wrap_close (int fd);

int
__wrap_close (int fd)
{
  int fault = fault_decide (fd, NULL, FAULT_AT_CLOSE, false);
  int res = __real_close (fd);

  if (fault != 0)
    FAIL_WITH (fault);
  return res;
}

/* The pause before a retry: nothing here gets better with time. */
void __wrap_g_usleep (unsigned long us);

void
__wrap_g_usleep (unsigned long us)
{
}
