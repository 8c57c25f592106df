/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Waiting for descriptors in nanoseconds. */

#include <errno.h>
#include <glib-unix.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <unistd.h>

#include "gaio-test.h"

static void
test_ready (void)
{
  GPollFD fds[3] = { { .fd = -1, .events = G_IO_IN } };
  int first[2], second[2];

  g_assert_true (g_unix_open_pipe (first, FD_CLOEXEC, NULL));
  g_assert_true (g_unix_open_pipe (second, FD_CLOEXEC, NULL));
  fds[1] = (GPollFD){ .fd = first[0], .events = G_IO_IN };
  fds[2] = (GPollFD){ .fd = second[1], .events = G_IO_OUT, .revents = G_IO_IN };
  g_assert_cmpint (gaio_poll_ns (fds, 2, 0), ==, 0);
  g_assert_cmpint (gaio_poll_ns (fds, 3, -1), ==, 1);
  g_assert_cmpint (fds[0].revents, ==, 0);
  g_assert_cmpint (fds[1].revents, ==, 0);
  g_assert_cmpint (fds[2].revents, ==, G_IO_OUT);
  close (first[1]);
  g_assert_cmpint (gaio_poll_ns (fds, 3, G_MAXINT64), ==, 2);
  g_assert_cmpint (fds[1].revents, ==, G_IO_HUP);
  close (first[0]);
  g_assert_cmpint (gaio_poll_ns (fds, 2, -1), ==, 1);
  g_assert_cmpint (gaio_poll_ns (fds, 2, -5), ==, 1);
  g_assert_cmpint (gaio_poll_ns (fds, 2, G_MININT64), ==, 1);
  g_assert_cmpint (fds[1].revents, ==, G_IO_NVAL);
  close (second[0]);
  close (second[1]);
}

static void
test_errors (void)
{
  GPollFD fds[9];
  struct rlimit limit, few;

  for (guint i = 0; i < G_N_ELEMENTS (fds); i++)
    fds[i] = (GPollFD){ .fd = -1 };
  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  few = limit;
  few.rlim_cur = 8;
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &few), ==, 0);
  g_assert_cmpint (gaio_poll_ns (fds, 8, 0), ==, 0);
  /* More than the process can have. */
  g_assert_cmpint (gaio_poll_ns (fds, 9, 0), ==, -EINVAL);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
}

static int n_signals;

static void
on_signal (int number)
{
  g_atomic_int_inc (&n_signals);
}

/* Signals come and the wait goes on, to its end and no longer than that by much. */
static void
test_signals (void)
{
  struct sigaction action = { .sa_handler = on_signal };
  struct sigaction old;
  struct itimerval every_ms = { { 0, 1000 }, { 0, 1000 } };
  struct itimerval never = { 0 };
  gint64 begin_ns = gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC);

  sigaction (SIGALRM, &action, &old);
  setitimer (ITIMER_REAL, &every_ms, NULL);
  g_assert_cmpint (gaio_poll_ns (NULL, 0, 20 * 1000 * 1000), ==, 0);
  g_assert_cmpint (gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC) - begin_ns, >=, 20 * 1000 * 1000);
  while (g_atomic_int_get (&n_signals) < 3)
    g_assert_cmpint (gaio_poll_ns (NULL, 0, 1000 * 1000), ==, 0);
  setitimer (ITIMER_REAL, &never, NULL);
  sigaction (SIGALRM, &old, NULL);
}

static void
test_soonest (void)
{
  g_assert_cmpint (gaio_timeout_soonest_ns (3, 5), ==, 3);
  g_assert_cmpint (gaio_timeout_soonest_ns (5, 3), ==, 3);
  g_assert_cmpint (gaio_timeout_soonest_ns (0, -1), ==, 0);
  g_assert_cmpint (gaio_timeout_soonest_ns (-1, 7), ==, 7);
  g_assert_cmpint (gaio_timeout_soonest_ns (G_MAXINT64, -1), ==, G_MAXINT64);
  g_assert_cmpint (gaio_timeout_soonest_ns (-1, -1), <, 0);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  gaio_test_add ("/poll/ready", test_ready);
  gaio_test_add ("/poll/errors", test_errors);
  gaio_test_add ("/poll/signals", test_signals);
  gaio_test_add ("/timeout/soonest", test_soonest);
  return g_test_run ();
}
