/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* How timers end a wait that others do: a GMainContext, or a foreign loop. Its milliseconds are too
 * coarse, so there is a timerfd, and what is counted here is how often that is set. How late timers
 * are is for tests/performance/bench-lateness. */

#include <errno.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "alarm.h"

#define HOUR (3600 * 1000 * MS)

static int n_created;
static int n_set;
static int n_denied;
static gboolean is_denied;

/* The library's calls come here, as the program's symbols go first. */
int
timerfd_create (int clock_id, int flags)
{
  if (is_denied)
    {
      n_denied++;
      errno = EMFILE;
      return -1;
    }
  n_created++;
  return (int) syscall (SYS_timerfd_create, clock_id, flags);
}

int
timerfd_settime (int fd, int flags, const struct itimerspec *value, struct itimerspec *old)
{
  n_set++;
  return (int) syscall (SYS_timerfd_settime, fd, flags, value, old);
}

static void
begin (GaioTestLoop *loop, Alarm *alarm)
{
  set_up (loop, alarm);
  gaio_test_settle (loop);
  n_created = 0;
  n_set = 0;
  n_denied = 0;
  is_denied = FALSE;
}

/* How long a GMainContext would wait. */
static int
get_timeout_ms (GMainContext *main_context)
{
  GPollFD fds[16];
  int priority = 0;
  int timeout_ms = 0;

  g_assert_true (g_main_context_acquire (main_context));
  g_main_context_prepare (main_context, &priority);
  g_main_context_query (main_context, G_MAXINT, &timeout_ms, fds, G_N_ELEMENTS (fds));
  g_main_context_release (main_context);
  return timeout_ms;
}

static void
count (gpointer data)
{
  (*(int *) data)++;
}

static void
do_turns (GaioTestLoop *loop, int n_turns)
{
  int n = 0;

  for (int i = 1; i <= n_turns; i++)
    {
      gaio_context_invoke (loop->context, count, &n, NULL);
      gaio_test_turn_until (loop, &n, i);
      gaio_test_settle (loop);
    }
}

/* Set once for each first deadline, however many turns there are, and by a loop that waits itself
 * not at all. */
static void
test_set_once (GaioTestLoop *loop)
{
  int expected = loop->driver == GAIO_TEST_BY_SOURCE ? 1 : 0;
  Alarm a = { 0 };

  begin (loop, &a);
  do_turns (loop, 3);
  g_assert_cmpint (n_created, ==, 0);
  arm (&a, HOUR);
  do_turns (loop, 20);
  g_assert_cmpint (n_created, ==, expected);
  g_assert_cmpint (n_set, ==, expected);
  if (loop->driver == GAIO_TEST_BY_SOURCE)
    g_assert_cmpint (get_timeout_ms (loop->main_context), ==, -1);
  tear_down (&a);
}

/* Again for one that is sooner; not for one that is later, nor when the first is cancelled. */
static void
test_sooner (GaioTestLoop *loop)
{
  int factor = loop->driver == GAIO_TEST_BY_SOURCE ? 1 : 0;
  Alarm a = { 0 };
  Alarm b = { 0 };

  begin (loop, &a);
  set_up (loop, &b);
  arm (&a, 2 * HOUR);
  do_turns (loop, 3);
  g_assert_cmpint (n_set, ==, factor);
  arm (&b, HOUR);
  do_turns (loop, 3);
  g_assert_cmpint (n_set, ==, 2 * factor);
  gaio_timer_cancel (b.timer);
  do_turns (loop, 3);
  arm (&a, 3 * HOUR);
  do_turns (loop, 3);
  g_assert_cmpint (n_set, ==, 2 * factor);
  arm (&b, 0);
  gaio_test_turn_until (loop, &b.n, 1);
  g_assert_cmpint (n_set, ==, 2 * factor);
  tear_down (&a);
  tear_down (&b);
}

/* A wait ends for each deadline, also where the first was cancelled. */
static void
test_waits (GaioTestLoop *loop)
{
  Alarm a = { 0 };
  Alarm b = { 0 };

  begin (loop, &a);
  set_up (loop, &b);
  for (int i = 1; i <= 20; i++)
    {
      arm (&a, i * 100001);
      arm (&b, i * 50001);
      if (i % 2 == 0)
        gaio_test_settle (loop);
      if (i % 4 == 0)
        gaio_timer_cancel (b.timer);
      gaio_test_turn_until (loop, &a.n, i);
      /* The later one, when the thread stood still between the two. */
      while (gaio_timer_is_pending (b.timer))
        gaio_test_turn (loop, TRUE);
      gaio_test_settle (loop);
    }
  g_assert_cmpint (b.n, >=, 15);
  tear_down (&a);
  tear_down (&b);
}

static gboolean
prepare_not_to_wait (GSource *source, int *timeout_ms)
{
  *timeout_ms = 0;
  return FALSE;
}

static gboolean
check_slowly (GSource *source)
{
  g_usleep (25000);
  return FALSE;
}

/* A deadline that passes after the wait and before its source is asked: nobody reads the timerfd,
 * and it must not stay readable. */
static void
test_passed_unread (GaioTestLoop *loop)
{
  static GSourceFuncs funcs = { .prepare = prepare_not_to_wait, .check = check_slowly };
  GSource *source = g_source_new (&funcs, sizeof (GSource));
  Alarm a = { 0 };

  begin (loop, &a);
  arm (&a, 20 * MS);
  gaio_test_settle (loop);
  g_source_set_priority (source, G_PRIORITY_HIGH);
  g_source_attach (source, loop->main_context);
  gaio_test_turn_until (loop, &a.n, 1);
  g_source_destroy (source);
  g_source_unref (source);
  /* With io_uring the kernel was asked for it before. */
  if (loop->driver == GAIO_TEST_BY_SOURCE && loop->monitor != GAIO_MONITOR_IO_URING)
    g_assert_false (g_main_context_iteration (loop->main_context, FALSE));
  gaio_test_settle (loop);
  g_assert_cmpint (a.n, ==, 1);
  tear_down (&a);
}

/* A process out of descriptors has to do with milliseconds. */
static void
test_denied (GaioTestLoop *loop)
{
  Alarm a = { 0 };

  begin (loop, &a);
  is_denied = TRUE;
  arm (&a, HOUR);
  do_turns (loop, 5);
  if (loop->driver == GAIO_TEST_BY_SOURCE)
    {
      int timeout_ms = get_timeout_ms (loop->main_context);

      g_assert_cmpint (timeout_ms, >, 0);
      g_assert_cmpint (timeout_ms, <=, HOUR / MS);
    }
  for (int i = 1; i <= 5; i++)
    {
      int turns = 0;

      arm (&a, i * 700000);
      for (; a.n < i; turns++)
        gaio_test_turn (loop, TRUE);
      g_assert_cmpint (turns, <, 10);
    }
  /* It is not asked for again and again. */
  g_assert_cmpint (n_denied, ==, loop->driver == GAIO_TEST_BY_SOURCE ? 1 : 0);
  g_assert_cmpint (gaio_context_get_fd (loop->context), ==, -1);
  arm (&a, 100000);
  gaio_test_turn_until (loop, &a.n, 6);
  g_assert_cmpint (n_created, ==, 0);

  is_denied = FALSE;
  g_assert_cmpint (gaio_context_get_fd (loop->context), >=, 0);
  arm (&a, HOUR);
  gaio_context_iterate (loop->context);
  if (loop->driver == GAIO_TEST_BY_SOURCE)
    g_assert_cmpint (get_timeout_ms (loop->main_context), ==, -1);
  tear_down (&a);
}

/* A foreign loop that iterates an attached context: both have the same deadline. */
static void
test_shared (GaioTestLoop *loop)
{
  Alarm a = { 0 };

  begin (loop, &a);
  g_assert_cmpint (gaio_context_get_fd (loop->context), >=, 0);
  arm (&a, HOUR);
  for (int i = 0; i < 20; i++)
    gaio_context_iterate (loop->context);
  g_assert_cmpint (n_created, ==, 1);
  g_assert_cmpint (n_set, ==, 1);
  tear_down (&a);
}

/* A forked child sets a timerfd of its own, or the parent would wait for ever. */
static void
test_fork (GaioTestLoop *loop)
{
  Alarm a = { 0 };
  Alarm in_child = { 0 };
  int status;
  pid_t pid;

  begin (loop, &a);
  set_up (loop, &in_child);
  arm (&a, 200 * MS);
  gaio_test_settle (loop);
  pid = fork ();
  g_assert_cmpint (pid, >=, 0);
  if (pid == 0)
    {
      gaio_timer_cancel (a.timer);
      arm (&in_child, 1 * MS);
      gaio_test_turn_until (loop, &in_child.n, 1);
      _exit (in_child.n == 1 ? 0 : 1);
    }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (status, ==, 0);
  gaio_test_turn_until (loop, &a.n, 1);
  tear_down (&a);
  tear_down (&in_child);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);

  gaio_test_add_loop_matrix ("/deadline/set-once", test_set_once);
  gaio_test_add_loop_matrix ("/deadline/sooner", test_sooner);
  gaio_test_add_loop_matrix ("/deadline/waits", test_waits);
  gaio_test_add_loop_matrix ("/deadline/passed-unread", test_passed_unread);
  gaio_test_add_loop_matrix ("/deadline/denied", test_denied);
  gaio_test_add_loop_matrix ("/deadline/shared", test_shared);
  gaio_test_add_loop_matrix ("/deadline/fork", test_fork);
  return g_test_run ();
}
