/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Handlers that are changed while they are in use: removed, replaced, or their descriptors closed
 * and opened again, in the turn in which they were found ready or from another thread. */

#include <fcntl.h>
#include <unistd.h>

#include "flag.h"

static void
on_ready_replacement (int fd, GIOCondition condition, gpointer data)
{
  Flag *flag = data;

  gaio_event_notifier_test_and_clear (flag->notifier);
  flag->n += 100;
}

static void
on_ready_replace_itself (int fd, GIOCondition condition, gpointer data)
{
  Flag *flag = data;

  flag->n++;
  watch_by (flag, on_ready_replacement, G_IO_IN);
  /* Its data is not freed under its callback. */
  g_assert_cmpint (flag->n_notified, ==, 0);
}

static void
test_replace (GaioTestLoop *loop)
{
  Flag a = { 0 };

  init (loop, &a);
  watch (&a);
  gaio_event_notifier_set (a.notifier);
  watch_by (&a, on_ready_replacement, G_IO_IN);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n, ==, 100);
  g_assert_cmpint (a.n_notified, ==, 1);

  /* In its own callback. */
  a.n = 0;
  a.n_notified = -1;
  watch_by (&a, on_ready_replace_itself, G_IO_IN);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n_notified, ==, 0);
  gaio_event_notifier_set (a.notifier);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n, ==, 101);
  g_assert_cmpint (a.n_notified, ==, 1);
  finish (&a);
  g_assert_cmpint (a.n_notified, ==, 2);
}

static void
on_ready_remove_other (int fd, GIOCondition condition, gpointer data)
{
  Flag *flag = data;

  on_ready (fd, condition, data);
  if (flag->other != NULL)
    unwatch (flag->other);
}

/* Two are ready in one turn; whichever is called first removes the other, which is then not
 * called. */
static void
test_remove_other (GaioTestLoop *loop)
{
  Flag a = { 0 };
  Flag b = { 0 };

  init (loop, &a);
  init (loop, &b);
  a.other = &b;
  b.other = &a;
  for (int i = 1; i <= 10; i++)
    {
      a.n_notified = b.n_notified = 0;
      watch_by (&a, on_ready_remove_other, G_IO_IN);
      watch_by (&b, on_ready_remove_other, G_IO_IN);
      gaio_test_settle (loop);
      gaio_event_notifier_set (i % 2 ? a.notifier : b.notifier);
      gaio_event_notifier_set (i % 2 ? b.notifier : a.notifier);
      gaio_test_settle (loop);
      g_assert_cmpint (a.n + b.n, ==, i);
      g_assert_cmpint (a.n_notified + b.n_notified, ==, 1);
      gaio_event_notifier_test_and_clear (a.notifier);
      gaio_event_notifier_test_and_clear (b.notifier);
      unwatch (&a);
      unwatch (&b);
      gaio_test_settle (loop);
      g_assert_cmpint (a.n_notified + b.n_notified, ==, 2);
    }
  finish (&a);
  finish (&b);
}

static void
on_ready_replace_other (int fd, GIOCondition condition, gpointer data)
{
  Flag *flag = data;

  on_ready (fd, condition, data);
  watch_by (flag->other, on_ready_replacement, G_IO_IN);
}

/* The same with another handler in its place: what the old one was found ready for is void, the
 * new one is called for what it is ready for itself. */
static void
test_replace_other (GaioTestLoop *loop)
{
  Flag a = { 0 };
  Flag b = { 0 };

  init (loop, &a);
  init (loop, &b);
  a.other = &b;
  b.other = &a;
  watch_by (&a, on_ready_replace_other, G_IO_IN);
  watch_by (&b, on_ready_replace_other, G_IO_IN);
  gaio_test_settle (loop);
  gaio_event_notifier_set (a.notifier);
  gaio_event_notifier_set (b.notifier);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n + b.n, ==, 101);
  finish (&a);
  finish (&b);
}

static void
on_ready_reopen (int fd, GIOCondition condition, gpointer data)
{
  Flag *flag = data;
  Flag *other = flag->other;

  on_ready (fd, condition, data);
  if (other != NULL)
    {
      int number = fd_of (other);

      /* The number gets another open file, which is not ready. */
      flag->other = NULL;
      other->other = NULL;
      unwatch (other);
      g_clear_object (&other->notifier);
      init (flag->loop, other);
      g_assert_cmpint (fd_of (other), ==, number);
      watch_by (other, on_ready_replacement, G_IO_IN);
    }
}

/* Closed and opened again under the same number, in the turn in which it was ready. */
static void
test_reopen (GaioTestLoop *loop)
{
  for (int i = 0; i < 4; i++)
    {
      Flag a = { 0 };
      Flag b = { 0 };

      init (loop, &a);
      init (loop, &b);
      a.other = &b;
      b.other = &a;
      watch_by (&a, on_ready_reopen, G_IO_IN);
      watch_by (&b, on_ready_reopen, G_IO_IN);
      gaio_test_settle (loop);
      gaio_event_notifier_set (i % 2 ? a.notifier : b.notifier);
      gaio_event_notifier_set (i % 2 ? b.notifier : a.notifier);
      gaio_test_settle (loop);
      g_assert_cmpint (a.n + b.n, ==, 1);

      gaio_event_notifier_set (a.notifier);
      gaio_event_notifier_set (b.notifier);
      gaio_test_settle (loop);
      g_assert_cmpint (a.n + b.n, ==, 102);
      finish (&a);
      finish (&b);
    }
}

/* The same outside of a turn, and without removing first. */
static void
test_reopen_outside (GaioTestLoop *loop)
{
  Flag a = { 0 };
  int number;

  init (loop, &a);
  watch (&a);
  gaio_test_settle (loop);
  number = fd_of (&a);
  gaio_event_notifier_set (a.notifier);
  g_clear_object (&a.notifier);
  init (loop, &a);
  g_assert_cmpint (fd_of (&a), ==, number);
  watch (&a);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n, ==, 0);
  gaio_event_notifier_set (a.notifier);
  gaio_test_turn_until (loop, &a.n, 1);
  g_assert_cmpint (a.n_notified, ==, 1);
  finish (&a);
}

/* Removed after it was closed. */
static void
test_close_first (GaioTestLoop *loop)
{
  Flag a = { 0 };
  Flag b = { 0 };
  int number;

  init (loop, &a);
  init (loop, &b);
  watch (&a);
  watch (&b);
  gaio_test_settle (loop);
  number = fd_of (&a);
  g_clear_object (&a.notifier);
  gaio_context_remove_fd_handler (loop->context, number);
  gaio_event_notifier_set (b.notifier);
  gaio_test_turn_until (loop, &b.n, 1);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n, ==, 0);
  g_assert_cmpint (a.n_notified, ==, 1);
  finish (&b);
}

/* ---- other threads ---- */

static GThread *home;

static void
on_notify_home (gpointer data)
{
  g_assert_true (g_thread_self () == home);
  on_notify (data);
}

static gpointer
watch_elsewhere (gpointer data)
{
  Flag *flag = data;

  g_usleep (3000); /* the loop is asleep by now, most likely */
  gaio_context_set_fd_handler (flag->loop->context,
                               fd_of (flag),
                               G_IO_IN,
                               on_ready,
                               flag,
                               on_notify_home,
                               NULL);
  return NULL;
}

static gpointer
unwatch_elsewhere (gpointer data)
{
  g_usleep (3000);
  unwatch (data);
  return NULL;
}

/* Set while the loop sleeps, removed while it sleeps: it hears of both. */
static void
test_other_thread (GaioTestLoop *loop)
{
  Flag a = { 0 };
  GThread *thread;

  home = g_thread_self ();
  init (loop, &a);
  gaio_event_notifier_set (a.notifier);
  thread = g_thread_new ("watcher", watch_elsewhere, &a);
  gaio_test_turn_until (loop, &a.n, 1);
  g_thread_join (thread);
  gaio_test_settle (loop);

  thread = g_thread_new ("unwatcher", unwatch_elsewhere, &a);
  gaio_test_turn_until (loop, &a.n_notified, 1);
  g_thread_join (thread);
  gaio_event_notifier_set (a.notifier);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n, ==, 1);
  g_assert_cmpint (a.n_notified, ==, 1);
  finish (&a);
}

static void
must_not_be_called (int fd, GIOCondition condition, gpointer data)
{
  Flag *flag = data;

  g_assert_cmpint (flag->n_notified, ==, 0);
}

/* A descriptor is closed before its handler is removed, and a duplicate lives on, which is ready.
 * That is a mistake, but it must not touch what was freed, nor keep the loop from others. */
static void
test_close_first_with_duplicate (GaioTestLoop *loop)
{
  Flag gone = { 0 };
  Flag other = { 0 };
  int pair[2];
  int duplicate;

  g_assert_cmpint (pipe2 (pair, O_CLOEXEC), ==, 0);
  duplicate = fcntl (pair[0], F_DUPFD_CLOEXEC, 0);
  g_assert_cmpint (write (pair[1], "x", 1), ==, 1);
  gaio_context_set_fd_handler (loop->context,
                               pair[0],
                               G_IO_IN,
                               must_not_be_called,
                               &gone,
                               on_notify,
                               NULL);
  gaio_test_turn (loop, FALSE);
  close (pair[0]);
  gaio_context_remove_fd_handler (loop->context, pair[0]);
  gaio_test_settle (loop);
  g_assert_cmpint (gone.n_notified, ==, 1);

  init (loop, &other);
  watch (&other);
  gaio_event_notifier_set (other.notifier);
  gaio_test_turn_until (loop, &other.n, 1);
  finish (&other);
  close (pair[1]);
  close (duplicate);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);

  gaio_test_add_loop_matrix ("/fd-change/replace", test_replace);
  gaio_test_add_loop_matrix ("/fd-change/remove-other", test_remove_other);
  gaio_test_add_loop_matrix ("/fd-change/replace-other", test_replace_other);
  gaio_test_add_loop_matrix ("/fd-change/reopen", test_reopen);
  gaio_test_add_loop_matrix ("/fd-change/reopen-outside", test_reopen_outside);
  gaio_test_add_loop_matrix ("/fd-change/close-first", test_close_first);
  gaio_test_add_loop_matrix ("/fd-change/close-first-with-duplicate",
                             test_close_first_with_duplicate);
  gaio_test_add_loop_matrix ("/fd-change/other-thread", test_other_thread);

  return g_test_run ();
}
