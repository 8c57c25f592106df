/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "gaio-test.h"

static gboolean
is_readable (GaioEventNotifier *notifier)
{
  struct pollfd pfd = { .fd = gaio_event_notifier_get_fd (notifier), .events = POLLIN };

  return poll (&pfd, 1, 0) == 1;
}

static void
test_set_and_clear (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GaioEventNotifier) notifier = gaio_event_notifier_new (&error);

  g_assert_no_error (error);
  g_assert_false (is_readable (notifier));
  g_assert_false (gaio_event_notifier_test_and_clear (notifier));

  for (int i = 0; i < 1000; i++)
    gaio_event_notifier_set (notifier);
  g_assert_true (is_readable (notifier));
  g_assert_true (gaio_event_notifier_test_and_clear (notifier));
  g_assert_false (is_readable (notifier));
  g_assert_false (gaio_event_notifier_test_and_clear (notifier));
}

static void
test_descriptor (void)
{
  g_autoptr (GaioEventNotifier) notifier = gaio_event_notifier_new (NULL);
  int fd = gaio_event_notifier_get_fd (notifier);

  g_assert_cmpint (fcntl (fd, F_GETFD) & FD_CLOEXEC, !=, 0);
  g_assert_cmpint (fcntl (fd, F_GETFL) & O_NONBLOCK, !=, 0);
}

/* A full counter is a flag that is set: no waiting, and errno is the caller's. */
static void
test_overflow (void)
{
  int fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  g_autoptr (GaioEventNotifier) notifier = gaio_event_notifier_new_for_fd (fd);
  guint64 all = G_MAXUINT64 - 1;

  g_assert_cmpint (gaio_event_notifier_get_fd (notifier), ==, fd);
  g_assert_cmpint (write (fd, &all, sizeof all), ==, sizeof all);
  errno = ENOTTY;
  gaio_event_notifier_set (notifier);
  g_assert_cmpint (errno, ==, ENOTTY);
  g_assert_true (gaio_event_notifier_test_and_clear (notifier));
  g_assert_false (gaio_event_notifier_test_and_clear (notifier));
}

static void
test_closes (void)
{
  int fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  GaioEventNotifier *notifier = gaio_event_notifier_new_for_fd (fd);

  g_object_unref (notifier);
  g_assert_cmpint (fcntl (fd, F_GETFD), ==, -1);
}

static GaioEventNotifier *for_handler;

static void
on_signal (int number)
{
  gaio_event_notifier_set (for_handler);
}

static void
test_signal_handler (void)
{
  struct sigaction action = { .sa_handler = on_signal };
  struct sigaction before;

  for_handler = gaio_event_notifier_new (NULL);
  sigaction (SIGUSR1, &action, &before);
  raise (SIGUSR1);
  sigaction (SIGUSR1, &before, NULL);
  g_assert_true (gaio_event_notifier_test_and_clear (for_handler));
  g_clear_object (&for_handler);
}

/* In a subprocess, since the limit is the whole process's. */
static void
no_fds_subprocess (void)
{
  struct rlimit limit;
  g_autoptr (GError) error = NULL;

  getrlimit (RLIMIT_NOFILE, &limit);
  limit.rlim_cur = 3; /* not less: poll(2) takes no more than that, and GLib's own thread polls */
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  g_assert_null (gaio_event_notifier_new (&error));
  limit.rlim_cur = limit.rlim_max;
  setrlimit (RLIMIT_NOFILE, &limit);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES);
  g_assert_cmpint (gaio_error_get_errno (error), ==, EMFILE);
}

static void
test_no_fds (void)
{
  g_test_trap_subprocess ("/event-notifier/no-fds/subprocess", 0, 0);
  g_test_trap_assert_passed ();
}

static void
misuse_subprocess (void)
{
  G_GNUC_UNUSED GaioEventNotifier *notifier = gaio_event_notifier_new_for_fd (-1);
}

static void
test_misuse (void)
{
  g_test_trap_subprocess ("/event-notifier/misuse/subprocess", 0, 0);
  g_test_trap_assert_failed ();
  g_test_trap_assert_stderr ("*CRITICAL*fd >= 0*");
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);

  gaio_test_add ("/event-notifier/set-and-clear", test_set_and_clear);
  gaio_test_add ("/event-notifier/descriptor", test_descriptor);
  gaio_test_add ("/event-notifier/overflow", test_overflow);
  gaio_test_add ("/event-notifier/closes", test_closes);
  gaio_test_add ("/event-notifier/signal-handler", test_signal_handler);
  gaio_test_add ("/event-notifier/no-fds", test_no_fds);
  gaio_test_add ("/event-notifier/no-fds/subprocess", no_fds_subprocess);
  gaio_test_add ("/event-notifier/misuse", test_misuse);
  gaio_test_add ("/event-notifier/misuse/subprocess", misuse_subprocess);

  return g_test_run ();
}
