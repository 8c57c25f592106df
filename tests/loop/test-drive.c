/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* A GMainContext whose waiting a context does: its sources, nested loops and wake-ups are what they
 * are with GLib's own poll. What the context does meanwhile is what all tests of the loop show,
 * which run over this driver too. */

#include <fcntl.h>
#include <glib-unix.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gaio-test.h"

/* A pipe and a source that reads a byte from it. */
typedef struct
{
  int fds[2];
  GSource *source;
  int n;
  GIOCondition condition;
} Pipe;

static gboolean
on_pipe (int fd, GIOCondition condition, gpointer data)
{
  Pipe *pipe = data;
  char byte;

  pipe->condition = condition;
  if (condition & G_IO_IN)
    g_assert_cmpint (read (fd, &byte, 1), ==, 1);
  pipe->n++;
  return G_SOURCE_CONTINUE;
}

static void
watch (GaioTestLoop *loop, Pipe *pipe, GIOCondition condition, int priority)
{
  pipe->source = g_unix_fd_source_new (pipe->fds[0], condition);
  g_source_set_callback (pipe->source, G_SOURCE_FUNC (on_pipe), pipe, NULL);
  g_source_set_priority (pipe->source, priority);
  /* Or GLib wakes itself twice in each dispatch, which would hide that nobody else does. */
  g_source_set_can_recurse (pipe->source, TRUE);
  g_source_attach (pipe->source, loop->main_context);
}

static void
unwatch (Pipe *pipe)
{
  g_source_destroy (pipe->source);
  g_clear_pointer (&pipe->source, g_source_unref);
}

static void
open_pipe (Pipe *pipe)
{
  g_assert_true (g_unix_open_pipe (pipe->fds, FD_CLOEXEC, NULL));
}

static void
close_pipe (Pipe *pipe)
{
  if (pipe->source != NULL)
    unwatch (pipe);
  close (pipe->fds[0]);
  close (pipe->fds[1]);
}

static void
write_byte (Pipe *pipe)
{
  g_assert_cmpint (write (pipe->fds[1], "x", 1), ==, 1);
}

static void
count (gpointer data)
{
  g_atomic_int_inc ((int *) data);
}

static gboolean
count_source (gpointer data)
{
  g_atomic_int_inc ((int *) data);
  return G_SOURCE_CONTINUE;
}

/* GLib waits for nothing of the context: what it passes is its own wake-up, and the marker. */
static void
test_descriptors (GaioTestLoop *loop)
{
  GPollFD fds[8];
  int timeout_ms = 0;

  gaio_test_settle (loop);
  g_assert_true (g_main_context_acquire (loop->main_context));
  g_assert_cmpint (g_main_context_query (loop->main_context,
                                         G_MAXINT,
                                         &timeout_ms,
                                         fds,
                                         G_N_ELEMENTS (fds)),
                   ==,
                   2);
  g_main_context_release (loop->main_context);
}

/* In each turn other descriptors are watched, in no order, with the events of one and both. */
static void
test_come_and_go (GaioTestLoop *loop)
{
  Pipe pipes[24] = { 0 };
  int n_written = 0;
  int n_read = 0;

  for (guint i = 0; i < G_N_ELEMENTS (pipes); i++)
    open_pipe (&pipes[i]);
  for (int turn = 0; turn < 400; turn++)
    {
      for (int change = g_test_rand_int_range (0, 5); change > 0; change--)
        {
          Pipe *pipe = &pipes[g_test_rand_int_range (0, G_N_ELEMENTS (pipes))];

          if (pipe->source != NULL)
            unwatch (pipe);
          else
            watch (loop, pipe, G_IO_IN | (g_test_rand_bit () ? G_IO_PRI : 0), 0);
        }
      for (guint i = 0; i < G_N_ELEMENTS (pipes); i++)
        if (pipes[i].source != NULL && g_test_rand_bit ())
          {
            write_byte (&pipes[i]);
            n_written++;
          }
      do
        {
          n_read = 0;
          for (guint i = 0; i < G_N_ELEMENTS (pipes); i++)
            n_read += pipes[i].n;
          if (n_read < n_written)
            gaio_test_turn (loop, TRUE);
        }
      while (n_read < n_written);
    }
  g_assert_cmpint (n_read, ==, n_written);
  for (guint i = 0; i < G_N_ELEMENTS (pipes); i++)
    close_pipe (&pipes[i]);
}

static gpointer
write_soon (gpointer data)
{
  g_usleep (20 * 1000);
  write_byte (data);
  return NULL;
}

/* Another pipe with the number of the first, which is closed by that. */
static void
replace (GaioTestLoop *loop, Pipe *first, Pipe *second, GIOCondition condition)
{
  int number = first->fds[0];

  unwatch (first);
  open_pipe (second);
  g_assert_cmpint (dup2 (second->fds[0], number), ==, number);
  close (second->fds[0]);
  second->fds[0] = number;
  watch (loop, second, condition, 0);
}

/* A descriptor is closed and another opened with its number, which the array that GLib passes does
 * not show; the loop then sleeps, and is woken by that one. */
static void
test_same_number (GaioTestLoop *loop)
{
  for (int round = 0; round < 3; round++)
    {
      Pipe first = { 0 };
      Pipe second = { 0 };
      GThread *thread;

      open_pipe (&first);
      watch (loop, &first, G_IO_IN, 0);
      gaio_test_settle (loop);
      write_byte (&first);
      gaio_test_turn_until (loop, &first.n, 1);

      replace (loop, &first, &second, G_IO_IN);
      thread = g_thread_new ("writer", write_soon, &second);
      gaio_test_turn_until (loop, &second.n, 1);
      g_thread_join (thread);
      g_assert_cmpint (second.n, ==, 1);
      g_assert_cmpint (first.n, ==, 1);
      close (first.fds[1]);
      close_pipe (&second);
    }
}

/* The same while the loop is never idle, so that it never waits. */
static void
test_same_number_in_a_storm (GaioTestLoop *loop)
{
  g_autoptr (GSource) idle = g_idle_source_new ();
  Pipe first = { 0 };
  Pipe second = { 0 };
  int n_idle = 0;

  g_source_set_callback (idle, count_source, &n_idle, NULL);
  g_source_attach (idle, loop->main_context);
  open_pipe (&first);
  watch (loop, &first, G_IO_IN, 0);
  for (int i = 0; i < 5; i++)
    gaio_test_turn (loop, TRUE);
  replace (loop, &first, &second, G_IO_IN);
  write_byte (&second);
  for (int i = 0; i < 100 && second.n == 0; i++)
    gaio_test_turn (loop, TRUE);
  g_assert_cmpint (second.n, ==, 1);
  g_source_destroy (idle);
  close (first.fds[1]);
  close_pipe (&second);
}

/* A number whose file has a duplicate elsewhere goes on to be reported by the kernel after it was
 * closed; nobody else must be called for that. */
static void
test_duplicate (GaioTestLoop *loop)
{
  Pipe first = { 0 };
  Pipe second = { 0 };
  int duplicate;

  open_pipe (&first);
  watch (loop, &first, G_IO_IN, 0);
  gaio_test_settle (loop);
  duplicate = dup (first.fds[0]);
  write_byte (&first);
  replace (loop, &first, &second, G_IO_IN | G_IO_PRI);
  gaio_test_settle (loop);
  g_assert_cmpint (second.n, ==, 0);
  write_byte (&second);
  gaio_test_turn_until (loop, &second.n, 1);
  g_assert_cmpint (first.n, ==, 0);
  close (duplicate);
  close (first.fds[1]);
  close_pipe (&second);
}

/* Sources of any priority: what is ready all the time keeps those before it from nothing, and the
 * waiting itself does not count as a source that is ready. */
static void
test_priorities (GaioTestLoop *loop)
{
  Pipe low = { 0 };
  Pipe high = { 0 };

  open_pipe (&low);
  open_pipe (&high);
  watch (loop, &low, G_IO_IN, 300);
  watch (loop, &high, G_IO_IN, -100);
  for (int i = 1; i <= 20; i++)
    {
      write_byte (&low);
      for (int turn = 0; turn < 10 && low.n < i; turn++)
        gaio_test_turn (loop, FALSE);
      g_assert_cmpint (low.n, ==, i);
      write_byte (&low);
      write_byte (&high);
      gaio_test_turn_until (loop, &high.n, i);
      g_assert_cmpint (low.n, ==, i);
      close (dup (0)); /* a number that comes and goes */
      unwatch (&low);
      watch (loop, &low, G_IO_IN, 300);
      gaio_test_turn_until (loop, &low.n, i + 1);
      low.n = i;
    }
  close_pipe (&low);
  close_pipe (&high);
}

typedef struct
{
  GaioTestLoop *loop;
  GaioBottomHalf *bh;
  int n_bh;
  int n_source;
} Senders;

static gboolean
count_once (gpointer data)
{
  (*(int *) data)++;
  return G_SOURCE_REMOVE;
}

static gpointer
send_many (gpointer data)
{
  Senders *senders = data;

  for (int i = 0; i < 2000; i++)
    {
      g_autoptr (GSource) source = g_idle_source_new ();

      g_source_set_callback (source, count_once, &senders->n_source, NULL);
      g_source_attach (source, senders->loop->main_context);
      gaio_bottom_half_schedule (senders->bh);
      if (i % 100 == 0)
        g_usleep (100);
    }
  return NULL;
}

/* Wake-ups of GLib and of the context, from several threads: none is lost, or this hangs. */
static void
test_wakeups (GaioTestLoop *loop)
{
  Senders senders = { .loop = loop };
  GThread *threads[3];

#ifdef __SANITIZE_THREAD__
  g_test_skip ("ThreadSanitizer does not see the lock of a GMainContext's sources");
  return;
#endif
  senders.bh = gaio_bottom_half_new (loop->context, count, &senders.n_bh, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("sender", send_many, &senders);
  while (senders.n_source < 3 * 2000)
    gaio_test_turn (loop, TRUE);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  gaio_test_settle (loop);
  g_assert_cmpint (senders.n_bh, >, 0);
  g_clear_object (&senders.bh);
  gaio_test_settle (loop);
}

typedef struct
{
  GaioTestLoop *loop;
  GMainLoop *main_loop;
  int depth;
  int n;
} Nest;

static gboolean
quit (gpointer data)
{
  g_main_loop_quit (data);
  return G_SOURCE_REMOVE;
}

static void
run_nested (gpointer data)
{
  Nest *nest = data;
  g_autoptr (GMainLoop) main_loop = g_main_loop_new (nest->loop->main_context, FALSE);
  g_autoptr (GSource) timeout = g_timeout_source_new (2);

  nest->n++;
  if (--nest->depth > 0)
    gaio_context_invoke (nest->loop->context, run_nested, nest, NULL);
  g_source_set_callback (timeout, quit, main_loop, NULL);
  g_source_attach (timeout, nest->loop->main_context);
  g_main_loop_run (main_loop);
}

/* Main loops within callbacks of the context and of each other. */
static void
test_nested_main_loops (GaioTestLoop *loop)
{
  Nest nest = { .loop = loop, .depth = 4 };
  Pipe pipe = { 0 };

  open_pipe (&pipe);
  watch (loop, &pipe, G_IO_IN, 0);
  write_byte (&pipe);
  gaio_context_invoke (loop->context, run_nested, &nest, NULL);
  gaio_test_turn_until (loop, &nest.n, 4);
  gaio_test_settle (loop);
  g_assert_cmpint (pipe.n, ==, 1);
  close_pipe (&pipe);
}

static void
poll_nested (gpointer data)
{
  Nest *nest = data;
  gint64 end_ns = gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC) + 20 * 1000 * 1000;
  gint64 left_ns;

  do
    {
      left_ns = end_ns - gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC);
      gaio_context_poll_ns (nest->loop->context, MAX (left_ns, 0));
      nest->n++;
    }
  while (left_ns > 0);
}

/* A turn by hand in the midst of an iteration cannot serve what other sources wait for. It must not
 * be woken by it again and again either; and afterwards it is served. */
static void
test_guests_wait_for_nested_turns (GaioTestLoop *loop)
{
  Nest nest = { .loop = loop };
  Pipe pipe = { 0 };

  open_pipe (&pipe);
  watch (loop, &pipe, G_IO_IN, 0);
  gaio_test_settle (loop);
  write_byte (&pipe);
  gaio_context_invoke (loop->context, poll_nested, &nest, NULL);
  gaio_test_turn_until (loop, &nest.n, 1);
  g_assert_cmpint (nest.n, <, 10);
  gaio_test_turn_until (loop, &pipe.n, 1);
  close_pipe (&pipe);
}

typedef struct
{
  gint64 deadline_ns;
  int n;
} Deadline;

static void
on_deadline (gpointer data)
{
  Deadline *deadline = data;

  g_assert_cmpint (gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC), >=, deadline->deadline_ns);
  deadline->n++;
}

/* Timers of the context and timeouts of GLib, none early. */
static void
test_deadlines (GaioTestLoop *loop)
{
  Deadline deadline = { 0 };
  g_autoptr (GaioTimer) timer =
      gaio_timer_new (loop->context, GAIO_CLOCK_MONOTONIC, on_deadline, &deadline, NULL);
  /* Before the source is made, since its first time counts from there. */
  gint64 begin_us = g_get_monotonic_time ();
  g_autoptr (GSource) timeout = g_timeout_source_new (3);
  int n = 0;

  g_source_set_callback (timeout, count_source, &n, NULL);
  g_source_attach (timeout, loop->main_context);
  for (int i = 0; i < 5; i++)
    {
      deadline.deadline_ns = gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC) + 1234567;
      gaio_timer_arm_ns (timer, deadline.deadline_ns);
      gaio_test_turn_until (loop, &deadline.n, i + 1);
    }
  gaio_test_turn_until (loop, &n, 4);
  g_assert_cmpint (g_get_monotonic_time () - begin_us, >=, 4 * 3000);
  g_source_destroy (timeout);
}

/* A regular file is always ready, and a number that nothing is open on is an error, as for
 * poll(2). */
static void
test_odd_descriptors (GaioTestLoop *loop)
{
  g_autofree char *path = NULL;
  Pipe file = { 0 };
  Pipe closed = { 0 };

  file.fds[0] = g_file_open_tmp ("gaio-XXXXXX", &path, NULL);
  file.fds[1] = -1;
  watch (loop, &file, G_IO_OUT, 0);
  gaio_test_turn_until (loop, &file.n, 5);
  g_assert_cmpint (file.condition, ==, G_IO_OUT);
  unwatch (&file);
  unlink (path);

  open_pipe (&closed);
  watch (loop, &closed, G_IO_PRI, 0);
  gaio_test_settle (loop);
  close (closed.fds[0]);
  gaio_test_turn_until (loop, &closed.n, 1);
  g_assert_cmpint (closed.condition, ==, G_IO_NVAL);
  unwatch (&closed);
  close (closed.fds[1]);
  close (file.fds[0]);
}

static void
on_same (int fd, GIOCondition condition, gpointer data)
{
  (*(int *) data)++;
}

/* A descriptor with a handler of the context and a source of GLib. */
static void
test_both (GaioTestLoop *loop)
{
  Pipe pipe = { 0 };
  int n = 0;

  open_pipe (&pipe);
  watch (loop, &pipe, G_IO_IN, 0);
  gaio_context_set_fd_handler (loop->context, pipe.fds[0], G_IO_IN, on_same, &n, NULL, NULL);
  write_byte (&pipe);
  gaio_test_turn_until (loop, &pipe.n, 1);
  write_byte (&pipe);
  unwatch (&pipe);
  gaio_test_turn_until (loop, &n, 1);
  watch (loop, &pipe, G_IO_IN, 0);
  gaio_context_remove_fd_handler (loop->context, pipe.fds[0]);
  gaio_test_turn_until (loop, &pipe.n, 2);
  close_pipe (&pipe);
}

/* The GMainContext outlives the context, and waits by itself again. */
static void
test_given_back (GaioTestLoop *loop)
{
  Pipe pipe = { 0 };

  open_pipe (&pipe);
  watch (loop, &pipe, G_IO_IN, 0);
  gaio_test_settle (loop);
  g_assert_true (g_main_context_get_poll_func (loop->main_context) != g_poll);
  g_clear_object (&loop->context);
  g_assert_true (g_main_context_get_poll_func (loop->main_context) == g_poll);
  write_byte (&pipe);
  while (pipe.n == 0)
    g_main_context_iteration (loop->main_context, TRUE);
  close_pipe (&pipe);
}

static gpointer
drop_context (gpointer data)
{
  g_object_unref (data);
  return NULL;
}

/* The last reference goes in another thread, while the home sleeps. */
static void
test_given_back_by_another_thread (GaioTestLoop *loop)
{
  GThread *thread;
  int n = 0;
  g_autoptr (GSource) timeout = g_timeout_source_new (5);

  g_source_set_callback (timeout, count_source, &n, NULL);
  g_source_attach (timeout, loop->main_context);
  gaio_test_turn (loop, FALSE);
  thread = g_thread_new ("last", drop_context, g_steal_pointer (&loop->context));
  while (n < 3 || g_main_context_get_poll_func (loop->main_context) != g_poll)
    g_main_context_iteration (loop->main_context, TRUE);
  g_thread_join (thread);
  g_source_destroy (timeout);
}

/* The foreign loop's one descriptor stands for the sources' descriptors too. */
static void
test_foreign (GaioTestLoop *loop)
{
  Pipe pipe = { 0 };
  GPollFD pollfd = { .events = G_IO_IN };

  open_pipe (&pipe);
  watch (loop, &pipe, G_IO_IN, 0);
  pollfd.fd = gaio_context_get_fd (loop->context);
  for (int i = 1; i <= 3; i++)
    {
      while (gaio_context_iterate (loop->context))
        ;
      write_byte (&pipe);
      while (pipe.n < i)
        {
          g_assert_cmpint (g_poll (&pollfd, 1, -1), ==, 1);
          gaio_context_iterate (loop->context);
        }
    }
  close_pipe (&pipe);
}

static gpointer
schedule_soon (gpointer data)
{
  g_usleep (10 * 1000);
  gaio_bottom_half_schedule (data);
  return NULL;
}

/* In a foreign loop's callback somebody iterates the GMainContext, and then the foreign loop waits
 * again. */
static void
test_foreign_and_nested (GaioTestLoop *loop)
{
  GPollFD pollfd = { .fd = gaio_context_get_fd (loop->context), .events = G_IO_IN };
  int n = 0;
  GaioBottomHalf *bh = gaio_bottom_half_new (loop->context, count, &n, NULL);

  while (gaio_context_iterate (loop->context))
    ;
  for (int i = 1; i <= 3; i++)
    {
      g_autoptr (GSource) timeout = g_timeout_source_new (1);
      GThread *thread;
      int n_timeouts = 0;

      g_source_set_callback (timeout, count_source, &n_timeouts, NULL);
      g_source_attach (timeout, loop->main_context);
      while (n_timeouts == 0)
        g_main_context_iteration (loop->main_context, TRUE);
      g_source_destroy (timeout);
      while (g_main_context_iteration (loop->main_context, FALSE))
        ;
      thread = g_thread_new ("scheduler", schedule_soon, bh);
      while (n < i)
        {
          g_assert_cmpint (g_poll (&pollfd, 1, -1), ==, 1);
          gaio_context_iterate (loop->context);
        }
      g_thread_join (thread);
    }
  g_object_unref (bh);
  gaio_test_settle (loop);
}

/* A forked child has the same sources, and the parent's are not disturbed. */
static void
test_fork (GaioTestLoop *loop)
{
  Pipe pipe = { 0 };
  int status = -1;
  pid_t pid;

  open_pipe (&pipe);
  watch (loop, &pipe, G_IO_IN, 0);
  gaio_test_settle (loop);
  pid = fork ();
  g_assert_cmpint (pid, >=, 0);
  if (pid == 0)
    {
      Pipe own = { 0 };
      int n = 0;

      unwatch (&pipe);
      open_pipe (&own);
      watch (loop, &own, G_IO_IN, 0);
      write_byte (&own);
      gaio_context_invoke (loop->context, count, &n, NULL);
      while (own.n == 0 || n == 0)
        g_main_context_iteration (loop->main_context, TRUE);
      _exit (pipe.n == 0 ? 42 : 1);
    }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (WEXITSTATUS (status), ==, 42);
  write_byte (&pipe);
  gaio_test_turn_until (loop, &pipe.n, 1);
  close_pipe (&pipe);
}

static gssize
drop_last (gpointer data)
{
  GaioTestLoop *loop = data;

  g_clear_object (&loop->context);
  return 1;
}

/* The last reference goes in the midst of the wait. */
static void
test_dropped_by_can_read (GaioTestLoop *loop)
{
  g_autoptr (GaioEventNotifier) notifier = gaio_event_notifier_new (NULL);
  const GaioFdHandlers handlers = { .read = count, .can_read = drop_last };

  g_assert_true (gaio_context_set_fd_handlers (loop->context,
                                               gaio_event_notifier_get_fd (notifier),
                                               &handlers,
                                               loop,
                                               NULL,
                                               NULL));
  while (loop->context != NULL)
    g_main_context_iteration (loop->main_context, FALSE);
  g_assert_true (g_main_context_get_poll_func (loop->main_context) == g_poll);
}

static gssize
iterate_in_wait (gpointer data)
{
  GaioTestLoop *loop = data;

  g_main_context_iteration (loop->main_context, FALSE);
  return 1;
}

/* What is called in the midst of a wait must not run the main context: it is refused. */
static void
test_iterated_by_can_read (GaioTestLoop *loop)
{
  g_autoptr (GaioEventNotifier) notifier = gaio_event_notifier_new (NULL);
  const GaioFdHandlers handlers = { .read = count, .can_read = iterate_in_wait };
  int fd = gaio_event_notifier_get_fd (notifier);

  gaio_context_set_fd_handlers (loop->context, fd, &handlers, loop, NULL, NULL);
  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*in the midst of a wait*");
  g_main_context_iteration (loop->main_context, FALSE);
  g_test_assert_expected_messages ();
  gaio_context_remove_fd_handler (loop->context, fd);
  gaio_test_settle (loop);
}

/* A context outlives the GMainContext that it has driven; another may stand at its address. */
static void
test_main_context_ends (void)
{
  g_autoptr (GaioContext) context = gaio_context_new (NULL);
  GMainContext *main_context = g_main_context_new ();
  g_autoptr (GError) error = NULL;

  g_assert_true (gaio_context_drive (context, main_context, NULL));
  g_main_context_iteration (main_context, FALSE);
  g_main_context_unref (main_context);
  for (int i = 0; i < 20; i++)
    {
      g_autoptr (GMainContext) other = g_main_context_new ();
      g_autoptr (GaioContext) own = gaio_context_new (NULL);

      g_assert_true (gaio_context_drive (own, other, &error));
      g_assert_no_error (error);
    }
  main_context = g_main_context_new ();
  g_assert_false (gaio_context_drive (context, main_context, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_main_context_unref (main_context);
}

/* Without a descriptor for it nothing has changed. */
static void
no_fds_subprocess (void)
{
  g_autoptr (GMainContext) main_context = g_main_context_new ();
  g_autoptr (GaioContext) context = gaio_context_new (NULL);
  g_autoptr (GError) error = NULL;
  struct rlimit limit;
  rlim_t before;

  if (!g_test_subprocess ())
    return;
  getrlimit (RLIMIT_NOFILE, &limit);
  before = limit.rlim_cur;
  limit.rlim_cur = 3; /* not less: poll(2) takes no more than that, and GLib's own thread polls */
  setrlimit (RLIMIT_NOFILE, &limit);
  g_assert_false (gaio_context_drive (context, main_context, &error));
  limit.rlim_cur = before;
  setrlimit (RLIMIT_NOFILE, &limit);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TOO_MANY_OPEN_FILES);
  g_assert_true (g_main_context_get_poll_func (main_context) == g_poll);
  g_assert_true (gaio_test_main_context_is_empty (main_context));
}

static void
test_no_fds (void)
{
  g_test_trap_subprocess ("/drive/no-fds/subprocess", 0, 0);
  g_test_trap_assert_passed ();
}

static void
test_errors (void)
{
  g_autoptr (GMainContext) first = g_main_context_new ();
  g_autoptr (GMainContext) second = g_main_context_new ();
  g_autoptr (GaioContext) a = gaio_context_new (NULL);
  g_autoptr (GaioContext) b = gaio_context_new (NULL);
  g_autoptr (GError) error = NULL;

  g_assert_true (gaio_context_drive (a, first, &error));
  g_assert_no_error (error);
  g_assert_true (gaio_context_drive (a, first, &error));
  g_assert_false (gaio_context_drive (b, first, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_EXISTS);
  g_clear_error (&error);
  g_assert_false (gaio_context_drive (a, second, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_clear_error (&error);
  g_assert_true (gaio_context_drive (b, second, &error));
  g_assert_no_error (error);
  for (int i = 0; i < 10; i++)
    {
      g_main_context_iteration (first, FALSE);
      g_main_context_iteration (second, FALSE);
    }
  /* Now the main contexts go first. */
  g_clear_pointer (&first, g_main_context_unref);
  g_clear_object (&b);
}

typedef struct
{
  GMainContext *main_context;
  GaioContext *context;
  GMainLoop *main_loop;
  GaioBottomHalf *bh;
  struct _Player *other;
  int n;
  int limit;
} Side;

typedef struct _Player
{
  Side side;
} Player;

static gboolean
on_source_turn (gpointer data)
{
  Player *player = data;

  if (player->side.n >= player->side.limit)
    g_main_loop_quit (player->side.main_loop);
  gaio_bottom_half_schedule (player->side.other->side.bh);
  return G_SOURCE_REMOVE;
}

static void
on_bh_turn (gpointer data)
{
  Player *player = data;

  player->side.n++;
  /* By GLib's own wake-up to oneself, then by the context's to the other. */
  g_main_context_invoke_full (player->side.main_context, 0, on_source_turn, player, NULL);
}

static gpointer
play (gpointer data)
{
  Player *player = data;

  g_main_context_push_thread_default (player->side.main_context);
  g_main_loop_run (player->side.main_loop);
  g_main_context_pop_thread_default (player->side.main_context);
  return NULL;
}

/* Two threads, each with a GMainContext of its own that is driven, wake each other in turn. */
static void
test_two_threads (void)
{
  Player players[2] = { 0 };
  GThread *threads[2];

  for (int i = 0; i < 2; i++)
    {
      Side *side = &players[i].side;

      side->main_context = g_main_context_new ();
      side->context = gaio_context_new (NULL);
      side->main_loop = g_main_loop_new (side->main_context, FALSE);
      side->bh = gaio_bottom_half_new (side->context, on_bh_turn, &players[i], NULL);
      side->other = &players[1 - i];
      side->limit = 1000;
      g_assert_true (gaio_context_drive (side->context, side->main_context, NULL));
    }
  for (int i = 0; i < 2; i++)
    threads[i] = g_thread_new ("player", play, &players[i]);
  gaio_bottom_half_schedule (players[0].side.bh);
  for (int i = 0; i < 2; i++)
    g_thread_join (threads[i]);
  for (int i = 0; i < 2; i++)
    {
      g_assert_cmpint (players[i].side.n, >=, 1000);
      g_object_unref (players[i].side.bh);
      g_object_unref (players[i].side.context);
      g_main_loop_unref (players[i].side.main_loop);
      g_main_context_unref (players[i].side.main_context);
    }
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  gaio_test_add_drive_matrix ("/drive/descriptors", test_descriptors);
  gaio_test_add_drive_matrix ("/drive/come-and-go", test_come_and_go);
  gaio_test_add_drive_matrix ("/drive/same-number", test_same_number);
  gaio_test_add_drive_matrix ("/drive/same-number-in-a-storm", test_same_number_in_a_storm);
  gaio_test_add_drive_matrix ("/drive/duplicate", test_duplicate);
  gaio_test_add_drive_matrix ("/drive/priorities", test_priorities);
  gaio_test_add_drive_matrix ("/drive/wakeups", test_wakeups);
  gaio_test_add_drive_matrix ("/drive/nested-main-loops", test_nested_main_loops);
  gaio_test_add_drive_matrix ("/drive/guests-wait-for-nested-turns",
                              test_guests_wait_for_nested_turns);
  gaio_test_add_drive_matrix ("/drive/deadlines", test_deadlines);
  gaio_test_add_drive_matrix ("/drive/odd-descriptors", test_odd_descriptors);
  gaio_test_add_drive_matrix ("/drive/both", test_both);
  gaio_test_add_drive_matrix ("/drive/given-back", test_given_back);
  gaio_test_add_drive_matrix ("/drive/given-back-by-another-thread",
                              test_given_back_by_another_thread);
  gaio_test_add_drive_matrix ("/drive/foreign", test_foreign);
  gaio_test_add_drive_matrix ("/drive/foreign-and-nested", test_foreign_and_nested);
  gaio_test_add_drive_matrix ("/drive/fork", test_fork);
  gaio_test_add_drive_matrix ("/drive/dropped-by-can-read", test_dropped_by_can_read);
  gaio_test_add_drive_matrix ("/drive/iterated-by-can-read", test_iterated_by_can_read);
  gaio_test_add ("/drive/main-context-ends", test_main_context_ends);
  gaio_test_add ("/drive/no-fds", test_no_fds);
  gaio_test_add ("/drive/no-fds/subprocess", no_fds_subprocess);
  gaio_test_add ("/drive/errors", test_errors);
  gaio_test_add ("/drive/two-threads", test_two_threads);
  return g_test_run ();
}
