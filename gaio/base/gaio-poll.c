/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Waiting for descriptors with a timeout in nanoseconds: ppoll(2) on GLib's arrays, which have the
 * layout of the system's. The only file that includes <poll.h>. */

#include "config.h"

#include <errno.h>
#include <poll.h>
#include <time.h>

#include <gaio/base/gaio-poll.h>

G_STATIC_ASSERT (sizeof (GPollFD) == sizeof (struct pollfd));
G_STATIC_ASSERT (G_STRUCT_OFFSET (GPollFD, fd) == G_STRUCT_OFFSET (struct pollfd, fd));
G_STATIC_ASSERT (G_STRUCT_OFFSET (GPollFD, events) == G_STRUCT_OFFSET (struct pollfd, events));
G_STATIC_ASSERT (G_STRUCT_OFFSET (GPollFD, revents) == G_STRUCT_OFFSET (struct pollfd, revents));
G_STATIC_ASSERT (G_IO_IN == POLLIN && G_IO_OUT == POLLOUT && G_IO_PRI == POLLPRI);
G_STATIC_ASSERT (G_IO_ERR == POLLERR && G_IO_HUP == POLLHUP && G_IO_NVAL == POLLNVAL);

static gint64
now_ns (void)
{
  struct timespec now;

  clock_gettime (CLOCK_MONOTONIC, &now);
  return now.tv_sec * G_GINT64_CONSTANT (1000000000) + now.tv_nsec;
}

/**
 * gaio_poll_ns: (skip)
 * @fds: (array length=n_fds) (nullable): what to wait for; the `revents` are set
 * @n_fds: how many
 * @timeout_ns: how long to wait at most, in nanoseconds; 0 not at all, negative for ever
 *
 * Waits for file descriptors as g_poll() does, in nanoseconds. Signals do not end the wait.
 *
 * Thread: any.
 *
 * Returns: how many are ready; 0 when the time has passed; or a negative errno, and the `revents`
 *   mean nothing
 */
int
gaio_poll_ns (GPollFD *fds, guint n_fds, gint64 timeout_ns)
{
  gint64 end_ns = timeout_ns > 0 ? now_ns () + MIN (timeout_ns, G_MAXINT64 / 2) : 0;
  int n_ready;

  g_return_val_if_fail (fds != NULL || n_fds == 0, -EINVAL);

  for (;;)
    {
      struct timespec timeout = {
        .tv_sec = timeout_ns / G_GINT64_CONSTANT (1000000000),
        .tv_nsec = timeout_ns % G_GINT64_CONSTANT (1000000000),
      };

      n_ready =
          ppoll ((struct pollfd *) (void *) fds, n_fds, timeout_ns >= 0 ? &timeout : NULL, NULL);
      if (n_ready >= 0)
        return n_ready;
      if (errno != EINTR)
        return -errno;
      if (timeout_ns > 0)
        timeout_ns = MAX (end_ns - now_ns (), 0);
    }
}

/**
 * gaio_timeout_soonest_ns:
 * @a_ns: a timeout in nanoseconds, where a negative one is for ever
 * @b_ns: another
 *
 * Tells which of two timeouts ends first.
 *
 * Thread: any.
 *
 * Returns: the shorter; negative when both are for ever
 */
gint64
gaio_timeout_soonest_ns (gint64 a_ns, gint64 b_ns)
{
  return (guint64) a_ns < (guint64) b_ns ? a_ns : b_ns;
}
