/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Many descriptors: more than the queues of a ring have room for, that come and go from several
 * threads, over the change from poll to epoll, and beside a regular file, which epoll refuses. */

#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "flag.h"

static GThread *home;

/* ---- other threads ---- */

typedef struct
{
  GaioTestLoop *loop;
  int n_registered;
  atomic_int done;
} Churn;

static int n_churn_notified;

static void
on_churn (int fd, GIOCondition condition, gpointer data)
{
}

static void
on_churn_notify (gpointer data)
{
  g_assert_true (g_thread_self () == home);
  n_churn_notified++;
}

static gpointer
churn (gpointer data)
{
  Churn *self = data;

  for (int i = 0; i < 500; i++)
    {
      g_autoptr (GaioEventNotifier) notifier = gaio_event_notifier_new (NULL);

      gaio_event_notifier_set (notifier);
      for (int j = 0; j < 2; j++)
        if (gaio_context_set_fd_handler (self->loop->context,
                                         gaio_event_notifier_get_fd (notifier),
                                         j ? G_IO_IN : G_IO_OUT,
                                         on_churn,
                                         NULL,
                                         on_churn_notify,
                                         NULL))
          self->n_registered++;
      gaio_context_remove_fd_handler (self->loop->context, gaio_event_notifier_get_fd (notifier));
    }
  atomic_store (&self->done, 1);
  gaio_context_notify (self->loop->context);
  return NULL;
}

/* Two threads come and go with descriptors while the loop runs; each registration's data is freed
 * once. */
static void
test_churn (GaioTestLoop *loop)
{
  Churn churns[2] = { { .loop = loop }, { .loop = loop } };
  GThread *threads[2];

  home = g_thread_self ();
  n_churn_notified = 0;
  for (int i = 0; i < 2; i++)
    threads[i] = g_thread_new ("churner", churn, &churns[i]);
  while (!atomic_load (&churns[0].done) || !atomic_load (&churns[1].done))
    gaio_test_turn (loop, TRUE);
  for (int i = 0; i < 2; i++)
    g_thread_join (threads[i]);
  gaio_test_settle (loop);
  g_assert_cmpint (churns[0].n_registered, ==, 1000);
  g_assert_cmpint (churns[1].n_registered, ==, 1000);
  g_assert_cmpint (n_churn_notified, ==, 2000);
}

/* ---- many ---- */

#define N_MANY 300

static void
watch_many (GaioTestLoop *loop, Flag *flags, int n)
{
  for (int i = 0; i < n; i++)
    {
      flags[i] = (Flag){ 0 };
      init (loop, &flags[i]);
      watch (&flags[i]);
    }
}

/* Sets each third, and each but those once more, and looks who was called. */
static void
exercise_many (GaioTestLoop *loop, Flag *flags, int n)
{
  for (int phase = 0; phase < 3; phase++)
    {
      for (int i = phase; i < n; i += 3)
        gaio_event_notifier_set (flags[i].notifier);
      gaio_test_settle (loop);
      for (int i = 0; i < n; i++)
        g_assert_cmpint (flags[i].n, ==, i % 3 <= phase);
    }
  for (int i = 0; i < n; i++)
    gaio_event_notifier_set (flags[i].notifier);
  gaio_test_settle (loop);
  for (int i = 0; i < n; i++)
    {
      g_assert_cmpint (flags[i].n, ==, 2);
      flags[i].n = 0;
    }
}

static void
unwatch_many (GaioTestLoop *loop, Flag *flags, int n)
{
  for (int i = 0; i < n; i++)
    unwatch (&flags[i]);
  for (int i = 0; i < n; i++)
    gaio_test_turn_until (loop, &flags[i].n_notified, 1);
  gaio_test_settle (loop);
  for (int i = 0; i < n; i++)
    {
      g_assert_cmpint (flags[i].n_notified, ==, 1);
      g_clear_object (&flags[i].notifier);
    }
}

static void
test_many (GaioTestLoop *loop)
{
  g_autofree Flag *flags = g_new0 (Flag, N_MANY);

  watch_many (loop, flags, N_MANY);
  exercise_many (loop, flags, N_MANY);
  unwatch_many (loop, flags, N_MANY);
}

/* More than the ring has entries, when the process may open so many. */
static void
test_very_many (GaioTestLoop *loop)
{
  struct rlimit before, limit;
  g_autofree Flag *flags = NULL;
  int n;

  getrlimit (RLIMIT_NOFILE, &before);
  limit = before;
  limit.rlim_cur = MIN (limit.rlim_max, 4096);
  setrlimit (RLIMIT_NOFILE, &limit);
  n = (int) limit.rlim_cur - 100;
  flags = g_new0 (Flag, n);
  watch_many (loop, flags, n);
  exercise_many (loop, flags, n);
  unwatch_many (loop, flags, n);
  setrlimit (RLIMIT_NOFILE, &before);
}

/* ---- the change from poll to epoll ---- */

/* Without a ring the context begins with poll, and changes at the 64th descriptor by default. What
 * happens over the change is not lost. */
static void
run_upgrade (GaioTestDriver driver, guint threshold)
{
  g_autofree Flag *flags = g_new0 (Flag, threshold + 30);
  GaioTestLoop loop = { .driver = driver };
  g_autoptr (GMainContext) main_context = g_main_context_new ();
  int own; /* descriptors of the context itself */
  int n = 0;

  loop.main_context = main_context;
  loop.context = gaio_context_new (NULL);
  if (driver == GAIO_TEST_BY_SOURCE)
    gaio_context_attach (loop.context, main_context);
  g_assert_cmpuint (gaio_context_get_epoll_threshold (loop.context), ==, 64);
  gaio_context_set_epoll_threshold (loop.context, threshold);
  gaio_test_settle (&loop);
  g_assert_cmpint (gaio_context_get_monitor (loop.context), ==, GAIO_MONITOR_POLL);

  while (gaio_context_get_monitor (loop.context) == GAIO_MONITOR_POLL)
    {
      g_assert_cmpint (n, <=, (int) threshold);
      init (&loop, &flags[n]);
      /* Set before, at and after the change. */
      gaio_event_notifier_set (flags[n].notifier);
      watch (&flags[n]);
      n++;
      if (n % 7 == 0 || n > (int) threshold - 5)
        gaio_test_settle (&loop);
    }
  g_assert_cmpint (gaio_context_get_monitor (loop.context), ==, GAIO_MONITOR_EPOLL);
  own = (int) threshold - n;
  g_assert_cmpint (own, >=, 0);
  g_assert_cmpint (own, <=, 2);
  gaio_test_settle (&loop);
  for (int i = 0; i < n; i++)
    {
      g_assert_cmpint (flags[i].n, ==, 1);
      flags[i].n = 0;
    }
  watch_many (&loop, flags + n, 30);
  exercise_many (&loop, flags, n + 30);

  /* Back below the threshold. */
  unwatch_many (&loop, flags + 3, n + 27);
  exercise_many (&loop, flags, 3);
  unwatch_many (&loop, flags, 3);
  g_object_unref (loop.context);
}

static void
without_ring (void (*func) (GaioTestDriver driver))
{
  g_autofree char *before = g_strdup (g_getenv ("GAIO_ENGINE"));

  g_setenv ("GAIO_ENGINE", "threads", TRUE);
  func (GAIO_TEST_BY_POLL);
  func (GAIO_TEST_BY_SOURCE);
  if (before != NULL)
    g_setenv ("GAIO_ENGINE", before, TRUE);
  else
    g_unsetenv ("GAIO_ENGINE");
}

static void
upgrade (GaioTestDriver driver)
{
  run_upgrade (driver, 64);
  run_upgrade (driver, 5);
}

static void
test_upgrade (void)
{
  without_ring (upgrade);
}

/* ---- what epoll refuses ---- */

static void
on_regular (int fd, GIOCondition condition, gpointer data)
{
  g_assert_true (condition & (G_IO_IN | G_IO_OUT));
  (*(int *) data)++;
}

/* A regular file is always ready, and does not keep others from being served. */
static void
test_regular_file (GaioTestLoop *loop)
{
  g_autofree char *path = NULL;
  g_autoptr (GError) error = NULL;
  int fd = g_file_open_tmp ("gaio-test-XXXXXX", &path, &error);
  Flag a = { 0 };
  int n = 0;

  g_assert_no_error (error);
  unlink (path);
  init (loop, &a);
  watch (&a);
  gaio_context_set_fd_handler (loop->context, fd, G_IO_IN, on_regular, &n, NULL, &error);
  g_assert_no_error (error);
  gaio_test_turn_until (loop, &n, 5);
  g_assert_cmpint (gaio_context_get_monitor (loop->context), ==, loop->monitor);
  gaio_event_notifier_set (a.notifier);
  gaio_test_turn_until (loop, &a.n, 1);
  gaio_context_set_fd_handler (loop->context, fd, G_IO_OUT, on_regular, &n, NULL, &error);
  g_assert_no_error (error);
  n = 0;
  gaio_test_turn_until (loop, &n, 5);
  gaio_context_remove_fd_handler (loop->context, fd);
  n = 0;
  gaio_test_settle (loop);
  g_assert_cmpint (n, ==, 0);
  finish (&a);
  close (fd);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);

  gaio_test_add_loop_matrix ("/fd-many/churn", test_churn);
  gaio_test_add_loop_matrix ("/fd-many/many", test_many);
  gaio_test_add_loop_matrix ("/fd-many/very-many", test_very_many);
  gaio_test_add ("/fd-many/upgrade", test_upgrade);
  gaio_test_add_loop_matrix ("/fd-many/regular-file", test_regular_file);

  return g_test_run ();
}
