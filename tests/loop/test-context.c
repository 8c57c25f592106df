/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The context as a whole: its turns, its home, its ends, and what it tells about itself. */

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gaio-test.h"

static void
count (gpointer data)
{
  (*(int *) data)++;
}

static void
must_not_run (gpointer data)
{
  g_assert_not_reached ();
}

static GaioContext *
make_context (void)
{
  g_autoptr (GError) error = NULL;
  GaioContext *context = gaio_context_new (&error);

  g_assert_no_error (error);
  return context;
}

/* ---- turns ---- */

typedef struct
{
  GaioContext *context;
  atomic_bool notified;
} Notifier;

static gpointer
notify_later (gpointer data)
{
  Notifier *notifier = data;

  g_usleep (5000);
  atomic_store (&notifier->notified, TRUE);
  gaio_context_notify (notifier->context);
  return NULL;
}

/* A turn waits though nothing is registered, ends when it is woken, and being woken is not
 * progress. */
static void
test_notify (GaioTestLoop *loop)
{
  for (int i = 0; i < 3; i++)
    {
      Notifier notifier = { .context = loop->context };
      GThread *thread = g_thread_new ("notifier", notify_later, &notifier);
      gboolean progress = FALSE;

      while (!atomic_load (&notifier.notified))
        progress |= gaio_test_turn (loop, TRUE);
      if (loop->driver == GAIO_TEST_BY_POLL)
        g_assert_false (progress);
      g_thread_join (thread);
      gaio_test_settle (loop);
    }
}

/* A notification that comes while nobody waits ends the next wait. */
static void
test_notify_before (GaioTestLoop *loop)
{
  gaio_test_settle (loop);
  gaio_context_notify (loop->context);
  gaio_context_notify (loop->context);
  gaio_test_turn (loop, TRUE);
  gaio_test_settle (loop);
}

static void
test_no_progress (GaioTestLoop *loop)
{
  for (int i = 0; i < 10; i++)
    g_assert_false (gaio_test_turn (loop, FALSE));
}

/* Attached to a GMainContext, and polled by hand as well. */
static void
test_both_drivers (GaioTestLoop *loop)
{
  g_autoptr (GaioBottomHalf) bh = NULL;
  g_autoptr (GaioTimer) timer = NULL;
  g_autoptr (GaioEventNotifier) notifier = gaio_event_notifier_new (NULL);
  int n_bh = 0;
  int n_timer = 0;
  int n_fd = 0;

  if (loop->driver == GAIO_TEST_BY_POLL)
    gaio_context_attach (loop->context, loop->main_context);
  bh = gaio_bottom_half_new (loop->context, count, &n_bh, NULL);
  timer = gaio_timer_new (loop->context, GAIO_CLOCK_MONOTONIC, count, &n_timer, NULL);
  g_assert_true (gaio_context_set_event_notifier (loop->context,
                                                  notifier,
                                                  count,
                                                  &n_fd,
                                                  NULL,
                                                  NULL));
  for (int i = 1; i <= 50; i++)
    {
      gaio_bottom_half_schedule (bh);
      gaio_timer_arm_ns (timer, gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC) + i * 1000);
      gaio_event_notifier_set (notifier);
      while (n_bh < i || n_timer < i || n_fd < i)
        {
          if ((i + n_bh + n_timer + n_fd) % 2)
            gaio_context_poll (loop->context, TRUE);
          else
            g_main_context_iteration (loop->main_context, TRUE);
        }
    }
  gaio_context_remove_fd_handler (loop->context, gaio_event_notifier_get_fd (notifier));
  gaio_test_settle (loop);
  g_assert_cmpint (n_bh, ==, 50);
  g_assert_cmpint (n_timer, ==, 50);
  g_assert_cmpint (n_fd, ==, 50);
}

/* ---- home ---- */

static gpointer
poll_elsewhere (gpointer data)
{
  return GINT_TO_POINTER (gaio_context_poll (data, FALSE) ? 1 : 2);
}

/* Only the home thread polls; another one is told so and does no harm. */
static void
test_foreign_poll (GaioTestLoop *loop)
{
  int n = 0;
  gpointer result;

  gaio_test_turn (loop, FALSE);
  gaio_context_invoke (loop->context, count, &n, NULL);
  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*gaio_context_poll*home*");
  result = g_thread_join (g_thread_new ("stranger", poll_elsewhere, loop->context));
  g_test_assert_expected_messages ();
  g_assert_cmpint (GPOINTER_TO_INT (result), ==, 2);
  g_assert_cmpint (n, ==, 0);
  gaio_test_settle (loop);
  g_assert_cmpint (n, ==, 1);
}

static gpointer
run_elsewhere (gpointer data)
{
  GaioTestLoop *loop = data;

  while (g_main_context_iteration (loop->main_context, FALSE))
    ;
  return NULL;
}

/* A GMainContext that is run by one thread after another takes its context along. */
static void
test_home_moves (void)
{
  GaioTestLoop loop = { .driver = GAIO_TEST_BY_SOURCE };
  int n = 0;

  loop.main_context = g_main_context_new ();
  loop.context = make_context ();
  gaio_context_attach (loop.context, loop.main_context);
  for (int i = 1; i <= 3; i++)
    {
      gaio_context_invoke (loop.context, count, &n, NULL);
      g_thread_join (g_thread_new ("runner", run_elsewhere, &loop));
      g_assert_cmpint (n, ==, i * 2 - 1);
      gaio_context_invoke (loop.context, count, &n, NULL);
      run_elsewhere (&loop);
      g_assert_cmpint (n, ==, i * 2);
    }
  g_object_unref (loop.context);
  g_main_context_unref (loop.main_context);
}

static void
test_attach_twice (GaioTestLoop *loop)
{
  if (loop->driver == GAIO_TEST_BY_POLL)
    gaio_context_attach (loop->context, loop->main_context);
  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*gaio_context_attach*");
  gaio_context_attach (loop->context, NULL);
  g_test_assert_expected_messages ();
}

/* ---- ends ---- */

static void
drop (gpointer data)
{
  GaioTestLoop *loop = data;

  g_clear_object (&loop->context);
}

static void
drop_by_fd (int fd, GIOCondition condition, gpointer data)
{
  drop (data);
}

/* The last reference goes in a callback of the context itself. */
static void
test_drop_in_invoke (GaioTestLoop *loop)
{
  int n = 0;

  gaio_context_invoke (loop->context, drop, loop, NULL);
  gaio_context_invoke (loop->context, count, &n, NULL);
  while (loop->context != NULL)
    gaio_test_turn (loop, TRUE);
  g_assert_cmpint (n, <=, 1);
}

static void
test_drop_in_handler (GaioTestLoop *loop)
{
  g_autoptr (GaioEventNotifier) notifier = gaio_event_notifier_new (NULL);
  g_autoptr (GaioEventNotifier) other = gaio_event_notifier_new (NULL);
  int n_notified = 0;

  gaio_event_notifier_set (notifier);
  gaio_event_notifier_set (other);
  gaio_context_set_fd_handler (loop->context,
                               gaio_event_notifier_get_fd (notifier),
                               G_IO_IN,
                               drop_by_fd,
                               loop,
                               NULL,
                               NULL);
  gaio_context_set_event_notifier (loop->context, other, count, &n_notified, count, NULL);
  while (loop->context != NULL)
    gaio_test_turn (loop, TRUE);
  while (g_main_context_iteration (loop->main_context, FALSE))
    ;
  g_assert_cmpint (n_notified, >=, 1);
  g_assert_cmpint (n_notified, <=, 2);
}

static void
test_drop_in_timer (GaioTestLoop *loop)
{
  g_autoptr (GaioTimer) timer =
      gaio_timer_new (loop->context, GAIO_CLOCK_MONOTONIC, drop, loop, NULL);

  gaio_timer_arm_ns (timer, 0);
  while (loop->context != NULL)
    gaio_test_turn (loop, TRUE);
}

/* The GMainContext goes first. */
static void
test_main_context_ends (void)
{
  g_autoptr (GaioContext) context = make_context ();
  GMainContext *main_context = g_main_context_new ();
  int n = 0;

  gaio_context_attach (context, main_context);
  gaio_context_invoke (context, count, &n, NULL);
  while (g_main_context_iteration (main_context, FALSE))
    ;
  g_assert_cmpint (n, ==, 1);
  g_main_context_unref (main_context);
  gaio_context_invoke (context, count, &n, count);
  g_clear_object (&context);
  g_assert_cmpint (n, ==, 2);
}

static gpointer
drop_elsewhere (gpointer data)
{
  g_object_unref (data);
  return NULL;
}

typedef struct
{
  GThread *thread;
  int n;
} Freed;

static void
note_freed (gpointer data)
{
  Freed *freed = data;

  freed->thread = g_thread_self ();
  freed->n++;
}

/* The last reference goes in another thread, with descriptors, timers and bottom halves there. The
 * data of callbacks is still freed in the home thread, if anything runs the context there. */
static void
test_drop_elsewhere (GaioTestLoop *loop)
{
  g_autoptr (GaioEventNotifier) notifier = gaio_event_notifier_new (NULL);
  g_autoptr (GaioTimer) timer = NULL;
  gboolean has_home = loop->driver != GAIO_TEST_BY_POLL;
  Freed freed = { NULL, 0 };
  int n_invoked = 0;
  int n = 0;

  timer = gaio_timer_new (loop->context, GAIO_CLOCK_MONOTONIC, must_not_run, &n, NULL);
  gaio_timer_arm_ns (timer, G_MAXINT64 / 2);
  gaio_context_set_event_notifier (loop->context,
                                   notifier,
                                   must_not_run,
                                   &freed,
                                   note_freed,
                                   NULL);
  gaio_test_settle (loop);
  gaio_context_invoke (loop->context, count, &n_invoked, count);
  g_thread_join (g_thread_new ("dropper", drop_elsewhere, g_steal_pointer (&loop->context)));
  if (has_home)
    {
      g_assert_cmpint (freed.n, ==, 0);
      while (g_main_context_iteration (loop->main_context, FALSE))
        ;
      g_assert_true (freed.thread == g_thread_self ());
    }
  g_assert_cmpint (freed.n, ==, 1);
  g_assert_cmpint (n_invoked, ==, 1); /* only its notify */
  g_assert_false (gaio_timer_is_pending (timer));
}

/* Made and dropped again and again, in all states. */
static void
test_many (void)
{
  int n = 0;
  int n_expected = 0;

  for (int i = 0; i < 1000; i++)
    {
      g_autoptr (GaioEventNotifier) notifier = gaio_event_notifier_new (NULL);
      GaioContext *context = make_context ();

      if (i % 2)
        gaio_context_poll (context, FALSE);
      gaio_context_invoke (context, count, &n, count);
      n_expected++;
      if (i % 4 < 2)
        {
          gaio_context_set_event_notifier (context, notifier, count, &n, count, NULL);
          n_expected++;
        }
      if (i % 8 < 4)
        {
          gaio_context_poll (context, FALSE);
          n_expected++;
        }
      g_object_unref (context);
      g_assert_cmpint (n, ==, n_expected);
    }
}

/* ---- what it says about itself ---- */

static void
test_properties (GaioTestLoop *loop)
{
  g_autofree char *reason = NULL;
  g_autoptr (GVariant) stats = NULL;
  GaioMonitor monitor;
  GaioEngine engine;
  guint threshold;
  guint64 turns, turns_after;
  const char *text;

  g_object_get (loop->context,
                "monitor",
                &monitor,
                "engine",
                &engine,
                "engine-reason",
                &reason,
                "epoll-threshold",
                &threshold,
                NULL);
  g_assert_cmpint (monitor, ==, loop->monitor);
  g_assert_cmpint (engine, ==, gaio_context_get_engine (loop->context));
  g_assert_cmpuint (threshold, ==, 64);
  if (monitor == GAIO_MONITOR_IO_URING)
    g_assert_cmpint (engine, ==, GAIO_ENGINE_IO_URING);
  if (engine != GAIO_ENGINE_AUTO)
    g_assert_nonnull (reason);
  g_object_set (loop->context, "epoll-threshold", 1000, NULL);
  g_assert_cmpuint (gaio_context_get_epoll_threshold (loop->context), ==, 1000);

  stats = gaio_context_get_stats (loop->context);
  g_assert_false (g_variant_is_floating (stats));
  g_assert_true (g_variant_is_of_type (stats, G_VARIANT_TYPE_VARDICT));
  g_assert_true (g_variant_lookup (stats, "turns", "t", &turns));
  g_assert_true (g_variant_lookup (stats, "monitor", "&s", &text));
  g_assert_cmpstr (text,
                   ==,
                   loop->monitor == GAIO_MONITOR_POLL    ? "poll"
                   : loop->monitor == GAIO_MONITOR_EPOLL ? "epoll"
                                                         : "io-uring");
  g_assert_true (g_variant_lookup (stats, "engine", "&s", &text));
  g_assert_true (g_variant_lookup (stats, "requests", "t", &turns_after));
  g_assert_cmpuint (turns_after, ==, 0);

  for (int i = 0; i < 5; i++)
    {
      gaio_context_notify (loop->context);
      gaio_test_turn (loop, TRUE);
    }
  g_clear_pointer (&stats, g_variant_unref);
  stats = gaio_context_get_stats (loop->context);
  g_assert_true (g_variant_lookup (stats, "turns", "t", &turns_after));
  g_assert_cmpuint (turns_after, >=, turns + 5);
}

static void
count_for_others (gpointer data)
{
  g_atomic_int_inc ((int *) data);
}

static gpointer
run_main_loop (gpointer data)
{
  g_main_loop_run (data);
  return NULL;
}

/* The home sleeps in its GMainContext; another thread must not become the home meanwhile. */
static void
test_iterate_elsewhere (void)
{
  for (int is_driven = 0; is_driven < 2; is_driven++)
    {
      g_autoptr (GMainContext) main_context = g_main_context_new ();
      g_autoptr (GMainLoop) main_loop = g_main_loop_new (main_context, FALSE);
      GaioContext *context = gaio_context_new (NULL);
      GThread *thread;
      int n = 0;

      if (is_driven)
        g_assert_true (gaio_context_drive (context, main_context, NULL));
      else
        gaio_context_attach (context, main_context);
      gaio_context_invoke (context, count_for_others, &n, NULL);
      thread = g_thread_new ("home", run_main_loop, main_loop);
      while (g_atomic_int_get (&n) == 0)
        g_usleep (100);
      g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*take_home*");
      g_assert_false (gaio_context_iterate (context));
      g_test_assert_expected_messages ();
      g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*take_home*");
      g_assert_cmpint (gaio_context_get_fd (context), ==, -1);
      g_test_assert_expected_messages ();
      g_main_loop_quit (main_loop);
      g_thread_join (thread);
      g_object_unref (context);
      while (g_main_context_iteration (main_context, FALSE))
        ;
    }
}

static gpointer
get_fd_elsewhere (gpointer data)
{
  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*take_home*");
  g_assert_cmpint (gaio_context_get_fd (data), ==, -1);
  g_test_assert_expected_messages ();
  g_assert_true (gaio_context_is_run_elsewhere (data));
  return NULL;
}

/* A context that is polled by hand stays with its thread between two turns too. */
static void
test_home_stays (void)
{
  g_autoptr (GaioContext) context = gaio_context_new (NULL);
  int n = 0;

  g_assert_false (gaio_context_is_run_elsewhere (context));
  gaio_context_poll (context, FALSE);
  g_assert_false (gaio_context_is_run_elsewhere (context));
  g_thread_join (g_thread_new ("thief", get_fd_elsewhere, context));
  gaio_context_invoke (context, count, &n, NULL);
  while (n == 0)
    gaio_context_poll (context, TRUE);
}

/* What is in use, and why, for people to read. */
static void
test_reasons (GaioTestLoop *loop)
{
  g_autofree char *reason = gaio_context_get_monitor_reason (loop->context);
  g_autofree char *property = NULL;
  guint n_entries = 0;
  guint max_batch = 1;

  g_assert_nonnull (reason);
  g_object_get (loop->context,
                "monitor-reason",
                &property,
                "io-uring-entries",
                &n_entries,
                "max-batch",
                &max_batch,
                NULL);
  g_assert_cmpstr (property, ==, reason);
  g_assert_cmpuint (n_entries, ==, 128);
  g_assert_cmpuint (max_batch, ==, 0);
  g_object_set (loop->context, "max-batch", 3, NULL);
  g_assert_cmpuint (gaio_context_get_max_batch (loop->context), ==, 3);
  gaio_test_settle (loop);
  if (loop->monitor == GAIO_MONITOR_EPOLL)
    g_assert_cmpstr (reason, ==, "epoll was asked for");
  gaio_context_set_monitor (loop->context, GAIO_MONITOR_POLL);
  gaio_test_settle (loop);
  g_free (reason);
  reason = gaio_context_get_monitor_reason (loop->context);
  g_assert_true (g_str_has_suffix (reason, "poll was asked for"));
}

/* The two engines that can be asked for, and the environment's word. */
static void
test_engine (void)
{
  g_autofree char *before = g_strdup (g_getenv ("GAIO_ENGINE"));
  g_autofree char *reason = NULL;
  GaioContext *context;

  context = g_initable_new (GAIO_TYPE_CONTEXT, NULL, NULL, "engine", GAIO_ENGINE_THREADS, NULL);
  gaio_context_poll (context, FALSE);
  g_assert_cmpint (gaio_context_get_engine (context), ==, GAIO_ENGINE_THREADS);
  reason = gaio_context_get_engine_reason (context);
  g_assert_nonnull (reason);
  g_clear_pointer (&reason, g_free);
  g_object_unref (context);

  context = make_context ();
  g_assert_cmpint (gaio_context_get_monitor (context), ==, GAIO_MONITOR_AUTO);
  g_object_unref (context);

  g_setenv ("GAIO_ENGINE", "threads", TRUE);
  context = g_initable_new (GAIO_TYPE_CONTEXT,
                            NULL,
                            NULL,
                            "engine",
                            GAIO_ENGINE_IO_URING,
                            "monitor",
                            GAIO_MONITOR_IO_URING,
                            NULL);
  g_assert_nonnull (context);
  gaio_context_poll (context, FALSE);
  g_assert_cmpint (gaio_context_get_engine (context), ==, GAIO_ENGINE_THREADS);
  g_assert_cmpint (gaio_context_get_monitor (context), ==, GAIO_MONITOR_POLL);
  reason = gaio_context_get_engine_reason (context);
  g_assert_cmpstr (reason, ==, "GAIO_ENGINE=threads");
  g_object_unref (context);
  if (before != NULL)
    g_setenv ("GAIO_ENGINE", before, TRUE);
  else
    g_unsetenv ("GAIO_ENGINE");
}

static gpointer
get_default_elsewhere (gpointer data)
{
  return gaio_context_get_default ();
}

static void
test_default (void)
{
  GaioContext *context = gaio_context_get_default ();
  g_autoptr (GaioContext) thread_default = gaio_context_ref_thread_default ();
  int n = 0;

  g_assert_nonnull (context);
  g_assert_true (context == gaio_context_get_default ());
  g_assert_true (context == thread_default);
  g_assert_true (
      context == g_thread_join (g_thread_new ("getter", get_default_elsewhere, NULL)));
  gaio_context_invoke (context, count, &n, NULL);
  while (n == 0)
    g_main_context_iteration (NULL, TRUE);
}

static void
test_thread_default (GaioTestLoop *loop)
{
  g_autoptr (GaioContext) first = gaio_context_ref_thread_default ();
  g_autoptr (GaioContext) second = gaio_context_ref_thread_default ();
  GaioContext *weak;
  int n = 0;

  g_assert_nonnull (first);
  g_assert_true (first == second);
  g_assert_true (first != gaio_context_get_default ());
  if (loop->driver != GAIO_TEST_BY_POLL)
    g_assert_true (first == loop->context);
  else
    g_assert_true (first != loop->context);
  gaio_context_invoke (first, count, &n, NULL);
  while (n == 0)
    g_main_context_iteration (loop->main_context, TRUE);

  if (loop->driver != GAIO_TEST_BY_POLL)
    return;
  /* Dropped, and there is a new one. */
  weak = first;
  g_object_add_weak_pointer (G_OBJECT (first), (gpointer *) &weak);
  g_clear_object (&first);
  g_clear_object (&second);
  g_assert_null (weak);
  first = gaio_context_ref_thread_default ();
  g_assert_nonnull (first);
}

/* ---- the process ---- */

/* All descriptors of a context are close-on-exec. */
static void
test_cloexec (GaioTestLoop *loop)
{
  g_autoptr (GDir) dir = NULL;
  const char *name;
  int n = 0;

  gaio_context_get_fd (loop->context); /* makes the ones for foreign loops too */
  gaio_test_settle (loop);
  dir = g_dir_open ("/proc/self/fd", 0, NULL);
  while ((name = g_dir_read_name (dir)) != NULL)
    {
      g_autofree char *path = g_strdup_printf ("/proc/self/fd/%s", name);
      g_autofree char *target = g_file_read_link (path, NULL);
      int flags = fcntl (atoi (name), F_GETFD);

      if (target == NULL || !g_str_has_prefix (target, "anon_inode:"))
        continue;
      g_test_message ("%s: %s", name, target);
      g_assert_cmpint (flags & FD_CLOEXEC, !=, 0);
      n++;
    }
  g_assert_cmpint (n, >=, 3);
}

/* A forked child does not use its parent's ring, and does its parent no harm. */
static void
test_fork (GaioTestLoop *loop)
{
  g_autoptr (GaioEventNotifier) notifier = gaio_event_notifier_new (NULL);
  int n = 0;
  int n_fd = 0;
  int status;
  pid_t pid;

  gaio_context_set_event_notifier (loop->context, notifier, count, &n_fd, NULL, NULL);
  gaio_test_settle (loop);
  pid = fork ();
  g_assert_cmpint (pid, >=, 0);
  if (pid == 0)
    {
      /* The parent's waits, if it took part in them, would be disturbed by this. */
      gaio_context_invoke (loop->context, count, &n, NULL);
      for (int i = 0; i < 10; i++)
        gaio_test_turn (loop, FALSE);
      _exit (n == 1 ? 0 : 1);
    }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_true (WIFEXITED (status));
  g_assert_cmpint (WEXITSTATUS (status), ==, 0);

  gaio_test_settle (loop);
  g_assert_cmpint (n, ==, 0);
  g_assert_cmpint (n_fd, ==, 0);
  gaio_event_notifier_set (notifier);
  gaio_test_turn_until (loop, &n_fd, 1);
  gaio_context_invoke (loop->context, count, &n, NULL);
  gaio_test_turn_until (loop, &n, 1);
  gaio_context_remove_fd_handler (loop->context, gaio_event_notifier_get_fd (notifier));
  gaio_test_settle (loop);
}

static void
no_fds_subprocess (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GError) thread_error = NULL;
  struct rlimit limit;
  rlim_t before;

  getrlimit (RLIMIT_NOFILE, &limit);
  before = limit.rlim_cur;
  limit.rlim_cur = 3; /* not less: poll(2) takes no more than that, and GLib's own thread polls */
  setrlimit (RLIMIT_NOFILE, &limit);
  g_assert_null (gaio_context_new (&error));
  g_assert_null (gaio_io_thread_new ("none", &thread_error));
  limit.rlim_cur = before;
  setrlimit (RLIMIT_NOFILE, &limit);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES);
  g_assert_error (thread_error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES);
}

/* With descriptors for the context itself and none for a ring or an epoll set: poll it is. */
static void
few_fds_subprocess (void)
{
  struct rlimit limit;
  GaioContext *context = make_context ();
  int n = 0;
  rlim_t before;

  getrlimit (RLIMIT_NOFILE, &limit);
  before = limit.rlim_cur;
  limit.rlim_cur = 3; /* not less: poll(2) takes no more than that, and GLib's own thread polls */
  setrlimit (RLIMIT_NOFILE, &limit);
  gaio_context_set_epoll_threshold (context, 1);
  gaio_context_invoke (context, count, &n, NULL);
  g_assert_true (gaio_context_poll (context, TRUE));
  g_assert_cmpint (n, ==, 1);
  g_assert_cmpint (gaio_context_get_fd (context), ==, -1);
  gaio_context_invoke (context, count, &n, NULL);
  g_assert_true (gaio_context_poll (context, TRUE));
  g_assert_cmpint (n, ==, 2);
  g_assert_cmpint (gaio_context_get_engine (context), ==, GAIO_ENGINE_THREADS);
  limit.rlim_cur = before;
  setrlimit (RLIMIT_NOFILE, &limit);
  g_assert_cmpint (gaio_context_get_monitor (context), ==, GAIO_MONITOR_POLL);
  g_object_unref (context);
}

static void
test_no_fds (void)
{
  g_test_trap_subprocess ("/context/no-fds/subprocess", 0, 0);
  g_test_trap_assert_passed ();
  g_test_trap_subprocess ("/context/few-fds/subprocess", 0, 0);
  g_test_trap_assert_passed ();
}

/* A context whose home thread has ended, dropped by another thread, goes with its GMainContext. */

static gpointer
run_for_a_while (gpointer main_context)
{
  for (int i = 0; i < 3; i++)
    g_main_context_iteration (main_context, FALSE);
  return NULL;
}

static void
test_home_has_ended (void)
{
  g_autoptr (GaioEventNotifier) notifier = gaio_event_notifier_new (NULL);
  GMainContext *main_context = g_main_context_new ();
  GaioContext *context = make_context ();
  int n_freed = 0;

  gaio_context_attach (context, main_context);
  gaio_context_set_event_notifier (context, notifier, must_not_run, &n_freed, count, NULL);
  g_thread_join (g_thread_new ("home", run_for_a_while, main_context));
  g_object_unref (context);
  g_main_context_unref (main_context);
  g_assert_cmpint (n_freed, ==, 1);
}

/* A forked child that drops its copy of a context, or runs it, takes nothing from the parent. */
static void
test_fork_drop (GaioTestLoop *loop)
{
  g_autoptr (GaioEventNotifier) notifier = gaio_event_notifier_new (NULL);
  int n_fd = 0;
  int status;
  pid_t pid;

  gaio_context_set_event_notifier (loop->context, notifier, count, &n_fd, NULL, NULL);
  gaio_test_settle (loop);
  pid = fork ();
  g_assert_cmpint (pid, >=, 0);
  if (pid == 0)
    {
      gaio_context_remove_fd_handler (loop->context, gaio_event_notifier_get_fd (notifier));
      g_clear_object (&loop->context);
      _exit (0);
    }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (status, ==, 0);
  gaio_event_notifier_set (notifier);
  gaio_test_turn_until (loop, &n_fd, 1);
  gaio_context_remove_fd_handler (loop->context, gaio_event_notifier_get_fd (notifier));
  gaio_test_settle (loop);
}

/* Work that never ends leaves room for sources of lower priority. */

typedef struct
{
  GaioBottomHalf *bottom_half;
  gboolean stop;
} Busy;

static void
again (gpointer data)
{
  Busy *busy = data;

  if (!busy->stop)
    gaio_bottom_half_schedule (busy->bottom_half);
}

static gboolean
count_redraw (gpointer data)
{
  (*(int *) data)++;
  return G_SOURCE_CONTINUE;
}

static void
test_budget (void)
{
  g_autoptr (GMainContext) main_context = g_main_context_new ();
  g_autoptr (GaioContext) context = make_context ();
  g_autoptr (GSource) redraw = g_idle_source_new ();
  Busy busy = { NULL, FALSE };
  guint budget_us;
  int n = 0;

  gaio_context_attach (context, main_context);
  g_object_get (context, "dispatch-budget-us", &budget_us, NULL);
  g_assert_cmpuint (budget_us, ==, 4000);
  g_object_set (context, "dispatch-budget-us", 1000, NULL);
  busy.bottom_half = gaio_bottom_half_new (context, again, &busy, NULL);
  g_source_set_callback (redraw, count_redraw, &n, NULL);
  g_source_set_priority (redraw, G_PRIORITY_HIGH_IDLE + 20);
  g_source_attach (redraw, main_context);

  gaio_bottom_half_schedule (busy.bottom_half);
  while (n < 3)
    g_main_context_iteration (main_context, TRUE);
  g_source_destroy (redraw);
  busy.stop = TRUE;
  g_clear_object (&busy.bottom_half);
  while (g_main_context_iteration (main_context, FALSE))
    ;
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);

  gaio_test_add_loop_matrix ("/context/notify", test_notify);
  gaio_test_add_loop_matrix ("/context/notify-before", test_notify_before);
  gaio_test_add_loop_matrix ("/context/no-progress", test_no_progress);
  gaio_test_add_loop_matrix ("/context/both-drivers", test_both_drivers);
  gaio_test_add_loop_matrix ("/context/foreign-poll", test_foreign_poll);
  gaio_test_add ("/context/home-moves", test_home_moves);
  gaio_test_add_driver_matrix ("/context/attach-twice", test_attach_twice);
  gaio_test_add_loop_matrix ("/context/drop-in-invoke", test_drop_in_invoke);
  gaio_test_add_loop_matrix ("/context/drop-in-handler", test_drop_in_handler);
  gaio_test_add_loop_matrix ("/context/drop-in-timer", test_drop_in_timer);
  gaio_test_add ("/context/main-context-ends", test_main_context_ends);
  gaio_test_add_loop_matrix ("/context/drop-elsewhere", test_drop_elsewhere);
  gaio_test_add ("/context/many", test_many);
  gaio_test_add_loop_matrix ("/context/properties", test_properties);
  gaio_test_add ("/context/iterate-elsewhere", test_iterate_elsewhere);
  gaio_test_add ("/context/home-stays", test_home_stays);
  gaio_test_add_loop_matrix ("/context/reasons", test_reasons);
  gaio_test_add ("/context/engine", test_engine);
  gaio_test_add ("/context/default", test_default);
  gaio_test_add_driver_matrix ("/context/thread-default", test_thread_default);
  gaio_test_add_loop_matrix ("/context/cloexec", test_cloexec);
  gaio_test_add_loop_matrix ("/context/fork", test_fork);
  gaio_test_add_loop_matrix ("/context/fork-drop", test_fork_drop);
  gaio_test_add ("/context/home-has-ended", test_home_has_ended);
  gaio_test_add ("/context/budget", test_budget);
  gaio_test_add ("/context/no-fds", test_no_fds);
  gaio_test_add ("/context/no-fds/subprocess", no_fds_subprocess);
  gaio_test_add ("/context/few-fds/subprocess", few_fds_subprocess);

  return g_test_run ();
}
