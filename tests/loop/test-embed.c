/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* A context in somebody else's loop, which knows nothing of it but one descriptor: asyncio, libuv,
 * a bare epoll. Whatever happens must make the descriptor readable, and nothing must leave it
 * readable for ever. */

#include <errno.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gaio-test.h"

/* Long enough that only a lost wake-up comes to it. */
#define NEVER_MS 10000

#define N_THREADS 3

/* The foreign loop: an epoll set that the descriptor was put in once, as asyncio does. */
typedef struct
{
  GaioContext *context;
  int epoll_fd;
} Foreign;

static void
foreign_begin (Foreign *self, GaioTestLoop *loop)
{
  struct epoll_event event = { .events = EPOLLIN };
  int fd = gaio_context_get_fd (loop->context);

  g_assert_cmpint (fd, >=, 0);
  self->context = loop->context;
  self->epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  g_assert_cmpint (self->epoll_fd, >=, 0);
  g_assert_cmpint (epoll_ctl (self->epoll_fd, EPOLL_CTL_ADD, fd, &event), ==, 0);
}

/* EINTR comes without a signal too, when a ring has work for its thread; so every loop has to try
 * again. */
static gboolean
is_readable_within (Foreign *self, int timeout_ms)
{
  struct epoll_event event;
  int n_ready;

  do
    n_ready = epoll_wait (self->epoll_fd, &event, 1, timeout_ms);
  while (n_ready < 0 && errno == EINTR);
  return n_ready == 1;
}

static gboolean
is_readable (Foreign *self)
{
  return is_readable_within (self, 0);
}

/* One round: waits, then lets the context work. The context's descriptor must become readable. */
static void
foreign_round (Foreign *self)
{
  g_assert_true (is_readable_within (self, NEVER_MS));
  gaio_context_iterate (self->context);
}

/* Until there is nothing more to do. It must come to that: a descriptor that stays readable makes
 * the foreign loop spin. */
static void
foreign_settle (Foreign *self)
{
  for (int i = 0; is_readable (self); i++)
    {
      g_assert_cmpint (i, <, 1000);
      gaio_context_iterate (self->context);
    }
}

static void
foreign_end (Foreign *self)
{
  foreign_settle (self);
  close (self->epoll_fd);
}

static void
count (gpointer data)
{
  g_atomic_int_inc ((int *) data);
}

static void
test_fd (GaioTestLoop *loop)
{
  Foreign foreign;

  foreign_begin (&foreign, loop);
  g_assert_cmpint (gaio_context_get_fd (loop->context), ==, gaio_context_get_fd (loop->context));
  foreign_settle (&foreign);
  g_assert_false (gaio_context_iterate (loop->context));
  g_assert_false (is_readable (&foreign));
  foreign_end (&foreign);
}

/* poll(2) has no descriptor to offer, so such a context takes epoll. */
static void
test_monitor (GaioTestLoop *loop)
{
  Foreign foreign;

  foreign_begin (&foreign, loop);
  foreign_settle (&foreign);
  g_assert_cmpint (gaio_context_get_monitor (loop->context), ==,
                   loop->monitor == GAIO_MONITOR_IO_URING ? GAIO_MONITOR_IO_URING
                                                          : GAIO_MONITOR_EPOLL);
  foreign_end (&foreign);
}

/* What was there before anybody asked for the descriptor. */
static void
test_before (GaioTestLoop *loop)
{
  Foreign foreign;
  g_autoptr (GaioTimer) timer = NULL;
  int n = 0;
  int n_timer = 0;

  timer = gaio_timer_new (loop->context, GAIO_CLOCK_MONOTONIC, count, &n_timer, NULL);
  gaio_timer_arm_ns (timer, 0);
  gaio_context_invoke (loop->context, count, &n, NULL);
  foreign_begin (&foreign, loop);
  while (n == 0 || n_timer == 0)
    foreign_round (&foreign);
  foreign_end (&foreign);
}

static void
test_bottom_half (GaioTestLoop *loop)
{
  Foreign foreign;
  int n = 0;

  foreign_begin (&foreign, loop);
  foreign_settle (&foreign);
  for (int i = 1; i <= 20; i++)
    {
      gaio_context_invoke (loop->context, count, &n, NULL);
      while (n < i)
        foreign_round (&foreign);
      g_assert_cmpint (n, ==, i);
      foreign_settle (&foreign);
    }
  foreign_end (&foreign);
}

typedef struct
{
  GaioBottomHalf *bh;
  int n;
} Again;

static void
on_again (gpointer data)
{
  Again *self = data;

  if (++self->n < 20)
    gaio_bottom_half_schedule (self->bh);
}

/* Scheduled in a callback: the next round comes by itself. */
static void
test_reschedule (GaioTestLoop *loop)
{
  Foreign foreign;
  Again self = { 0 };

  foreign_begin (&foreign, loop);
  self.bh = gaio_bottom_half_new (loop->context, on_again, &self, NULL);
  gaio_bottom_half_schedule (self.bh);
  while (self.n < 20)
    foreign_round (&foreign);
  foreign_settle (&foreign);
  g_assert_cmpint (self.n, ==, 20);
  gaio_bottom_half_schedule_idle (self.bh);
  while (self.n < 21)
    foreign_round (&foreign);
  g_clear_object (&self.bh);
  foreign_end (&foreign);
}

typedef struct
{
  GaioTimer *timer;
  gint64 deadline_ns;
  int n;
} Alarm;

static void
on_time (gpointer data)
{
  Alarm *alarm = data;

  g_assert_cmpint (gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC), >=, alarm->deadline_ns);
  alarm->n++;
}

static void
arm (Alarm *alarm, gint64 delay_ns)
{
  alarm->deadline_ns = gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC) + delay_ns;
  gaio_timer_arm_ns (alarm->timer, alarm->deadline_ns);
}

/* Deadlines make it readable: also when they are moved, in either direction, and when the first
 * of several was cancelled. */
static void
test_timer (GaioTestLoop *loop)
{
  Foreign foreign;
  Alarm a = { 0 };
  Alarm b = { 0 };

  foreign_begin (&foreign, loop);
  a.timer = gaio_timer_new (loop->context, GAIO_CLOCK_MONOTONIC, on_time, &a, NULL);
  b.timer = gaio_timer_new (loop->context, GAIO_CLOCK_MONOTONIC, on_time, &b, NULL);
  foreign_settle (&foreign);
  for (int i = 1; i <= 10; i++)
    {
      arm (&a, i * 200000);
      while (a.n < i)
        foreign_round (&foreign);
      g_assert_cmpint (a.n, ==, i);
      foreign_settle (&foreign);
    }

  arm (&b, G_GINT64_CONSTANT (3600000000000));
  foreign_settle (&foreign);
  arm (&a, 1000000);
  arm (&b, 2000000);
  gaio_timer_cancel (a.timer);
  while (b.n < 1)
    foreign_round (&foreign);
  g_assert_cmpint (a.n, ==, 10);
  arm (&b, 1000000);
  foreign_settle (&foreign);
  arm (&b, 5000000);
  while (b.n < 2)
    foreign_round (&foreign);
  g_object_unref (a.timer);
  g_object_unref (b.timer);
  foreign_end (&foreign);
}

static void
test_handler (GaioTestLoop *loop)
{
  g_autoptr (GaioEventNotifier) notifier = gaio_event_notifier_new (NULL);
  Foreign foreign;
  int n = 0;

  foreign_begin (&foreign, loop);
  gaio_context_set_event_notifier (loop->context, notifier, count, &n, NULL, NULL);
  for (int i = 1; i <= 20; i++)
    {
      gaio_event_notifier_set (notifier);
      while (n < i)
        foreign_round (&foreign);
      g_assert_cmpint (n, ==, i);
      if (i % 2)
        foreign_settle (&foreign);
    }
  gaio_context_remove_fd_handler (loop->context, gaio_event_notifier_get_fd (notifier));
  gaio_event_notifier_set (notifier);
  foreign_settle (&foreign);
  g_assert_cmpint (n, ==, 20);
  foreign_end (&foreign);
}

/* Not drained: it stays readable, and is served in each round. */
static void
test_level_triggered (GaioTestLoop *loop)
{
  Foreign foreign;
  int fds[2];
  int n = 0;

  g_assert_cmpint (pipe (fds), ==, 0);
  g_assert_cmpint (write (fds[1], "x", 1), ==, 1);
  foreign_begin (&foreign, loop);
  gaio_context_set_fd_handlers (loop->context, fds[0], &(GaioFdHandlers){ .read = count }, &n, NULL,
                                NULL);
  while (n < 20)
    foreign_round (&foreign);
  gaio_context_remove_fd_handler (loop->context, fds[0]);
  foreign_end (&foreign);
  close (fds[0]);
  close (fds[1]);
}

/* ---- nested ---- */

typedef struct
{
  GaioTestLoop *loop;
  Foreign foreign;
  GaioEventNotifier *notifier;
  GaioTimer *timer;
  GaioBottomHalf *other;
  int n;
  int n_other;
  int n_after;
  int n_notified;
} Nest;

static void
nest_begin (GaioTestLoop *loop, Nest *self)
{
  self->loop = loop;
  self->notifier = gaio_event_notifier_new (NULL);
  foreign_begin (&self->foreign, loop);
  foreign_settle (&self->foreign);
}

static void
nest_end (Nest *self)
{
  foreign_settle (&self->foreign);
  g_clear_object (&self->notifier);
  g_clear_object (&self->timer);
  g_clear_object (&self->other);
  foreign_end (&self->foreign);
}

/* All of it goes while the callbacks run that it belongs to. */
static void
on_iterate (gpointer data)
{
  Nest *self = data;

  self->n++;
  gaio_context_remove_fd_handler (self->loop->context, gaio_event_notifier_get_fd (self->notifier));
  gaio_bottom_half_destroy (self->other);
  gaio_timer_cancel (self->timer);
  for (int i = 0; i < 3; i++)
    gaio_context_iterate (self->loop->context);
  g_assert_cmpint (self->n_after, ==, 1);
}

/* A callback iterates: what it removes first is not called, nor called again, and what comes after
 * it in the same turn is served in there. */
static void
test_iterate_in_callback (GaioTestLoop *loop)
{
  Nest self = { 0 };

  nest_begin (loop, &self);
  self.other = gaio_bottom_half_new (loop->context, count, &self.n_other, NULL);
  self.timer = gaio_timer_new (loop->context, GAIO_CLOCK_MONOTONIC, count, &self.n_other, NULL);
  gaio_context_set_event_notifier (loop->context, self.notifier, count, &self.n_other, NULL, NULL);
  gaio_event_notifier_set (self.notifier);
  gaio_timer_arm_ns (self.timer, 0);
  gaio_context_invoke (loop->context, on_iterate, &self, NULL);
  gaio_bottom_half_schedule (self.other);
  gaio_context_invoke (loop->context, count, &self.n_after, NULL);
  while (self.n < 1)
    foreign_round (&self.foreign);
  foreign_settle (&self.foreign);
  g_assert_cmpint (self.n, ==, 1);
  g_assert_cmpint (self.n_other, ==, 0);
  nest_end (&self);
}

static void
on_own_event (gpointer data)
{
  Nest *self = data;

  /* Not cleared: it would be called in each turn. */
  self->n++;
  gaio_context_remove_fd_handler (self->loop->context, gaio_event_notifier_get_fd (self->notifier));
  for (int i = 0; i < 3; i++)
    gaio_context_iterate (self->loop->context);
  g_assert_cmpint (self->n_notified, ==, 0);
}

static void
note_end (gpointer data)
{
  ((Nest *) data)->n_notified++;
}

/* The handler that is running goes, and its data when it has returned. */
static void
test_remove_in_callback (GaioTestLoop *loop)
{
  Nest self = { 0 };

  nest_begin (loop, &self);
  gaio_context_set_event_notifier (loop->context, self.notifier, on_own_event, &self, note_end,
                                   NULL);
  gaio_event_notifier_set (self.notifier);
  while (self.n < 1)
    foreign_round (&self.foreign);
  foreign_settle (&self.foreign);
  g_assert_cmpint (self.n, ==, 1);
  g_assert_cmpint (self.n_notified, ==, 1);
  nest_end (&self);
}

static gpointer
invoke_later (gpointer data)
{
  Nest *self = data;

  g_usleep (3000);
  gaio_context_invoke (self->loop->context, count, &self->n_other, NULL);
  return NULL;
}

/* The callback waits as its foreign loop does. */
static void
on_foreign_loop (gpointer data)
{
  Nest *self = data;
  GThread *thread = g_thread_new ("invoker", invoke_later, self);

  g_assert_cmpint (gaio_context_get_fd (self->loop->context), >=, 0);
  /* What was scheduled before it, in the turn that is running. */
  while (self->n_after < 1)
    foreign_round (&self->foreign);
  while (self->n_other < 1)
    foreign_round (&self->foreign);
  gaio_timer_arm_ns (self->timer, gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC) + 2000000);
  while (self->n_other < 2)
    foreign_round (&self->foreign);
  gaio_event_notifier_set (self->notifier);
  while (self->n_other < 3)
    foreign_round (&self->foreign);
  g_thread_join (thread);
  self->n++;
}

static void
test_loop_in_callback (GaioTestLoop *loop)
{
  Nest self = { 0 };

  nest_begin (loop, &self);
  self.timer = gaio_timer_new (loop->context, GAIO_CLOCK_MONOTONIC, count, &self.n_other, NULL);
  gaio_context_set_event_notifier (loop->context, self.notifier, count, &self.n_other, NULL, NULL);
  gaio_context_invoke (loop->context, on_foreign_loop, &self, NULL);
  gaio_context_invoke (loop->context, count, &self.n_after, NULL);
  while (self.n < 1)
    foreign_round (&self.foreign);
  gaio_context_remove_fd_handler (loop->context, gaio_event_notifier_get_fd (self.notifier));
  nest_end (&self);
}

/* ---- GIO ---- */

static void
on_task (GObject *source, GAsyncResult *result, gpointer data)
{
  g_assert_true (g_task_propagate_boolean (G_TASK (result), NULL));
  g_atomic_int_inc ((int *) data);
}

static void
return_task (gpointer data)
{
  g_task_return_boolean (data, TRUE);
}

/* The results of GTasks are delivered in a GMainContext that nobody else may be running. */
static void
test_task (GaioTestLoop *loop)
{
  Foreign foreign;
  int n = 0;

  foreign_begin (&foreign, loop);
  for (int i = 1; i <= 5; i++)
    {
      GTask *task = g_task_new (NULL, NULL, on_task, &n);

      gaio_context_invoke (loop->context, return_task, task, g_object_unref);
      while (n < i)
        foreign_round (&foreign);
      foreign_settle (&foreign);
    }
  foreign_end (&foreign);
}

static gboolean
on_idle (gpointer data)
{
  (*(int *) data)++;
  return G_SOURCE_CONTINUE;
}

/* And so are sources that are there already when the round begins. */
static void
test_source (GaioTestLoop *loop)
{
  Foreign foreign;
  g_autoptr (GSource) source = g_idle_source_new ();
  int n = 0;

  foreign_begin (&foreign, loop);
  foreign_settle (&foreign);
  g_source_set_callback (source, on_idle, &n, NULL);
  g_source_attach (source, loop->main_context);
  while (n < 30)
    gaio_context_iterate (loop->context);
  g_source_destroy (source);
  foreign_end (&foreign);
}

static void
on_open (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GaioFile) file = gaio_open_finish (result, &error);

  g_assert_true ((file != NULL) == (error == NULL));
  g_atomic_int_inc ((int *) data);
}

/* Asynchronous functions that are called between two rounds, from the foreign loop's own code:
 * their requests reach the kernel, and those that fail at once or are cancelled are heard of. */
static void
test_open (GaioTestLoop *loop)
{
  static const char *const paths[] = { "/dev/null", "/nonexistent/file", "/dev/null" };
  static const char *const modes[] = { "r", "r", "no such mode" };
  g_autoptr (GCancellable) cancelled = g_cancellable_new ();
  Foreign foreign;
  int n = 0;

  if (loop->driver == GAIO_TEST_BY_POLL)
    gaio_context_attach (loop->context, loop->main_context);
  g_cancellable_cancel (cancelled);
  foreign_begin (&foreign, loop);
  for (int i = 1; i <= 12; i++)
    {
      foreign_settle (&foreign);
      gaio_open_async (paths[i % 3], modes[i % 3], 0, i < 4 ? cancelled : NULL, on_open, &n);
      g_assert_cmpint (n, ==, i - 1);
      while (n < i)
        foreign_round (&foreign);
    }
  foreign_end (&foreign);
}

/* ---- other threads ---- */

typedef struct
{
  GaioContext *context;
  int *n;
  int count;
} Sender;

static gpointer
send_many (gpointer data)
{
  Sender *self = data;

  for (int i = 0; i < self->count; i++)
    {
      gaio_context_invoke (self->context, count, self->n, NULL);
      if (i % 64 == 0)
        g_usleep (20);
    }
  return NULL;
}

/* No wake-up is lost between two rounds either. */
static void
test_storm (GaioTestLoop *loop)
{
  GThread *threads[N_THREADS];
  Foreign foreign;
  int n = 0;
  Sender sender = { .context = loop->context, .n = &n };

  sender.count = g_test_thorough () ? 1000000 : 20000;
  foreign_begin (&foreign, loop);
  for (int i = 0; i < N_THREADS; i++)
    threads[i] = g_thread_new ("sender", send_many, &sender);
  while (n < N_THREADS * sender.count)
    foreign_round (&foreign);
  for (int i = 0; i < N_THREADS; i++)
    g_thread_join (threads[i]);
  g_assert_cmpint (n, ==, N_THREADS * sender.count);
  foreign_end (&foreign);
}

static gpointer
send_slowly (gpointer data)
{
  Sender *self = data;

  for (int i = 0; i < self->count; i++)
    {
      /* The next one only when this one has arrived: none can stand in for another. */
      gaio_context_invoke (self->context, count, self->n, NULL);
      while (g_atomic_int_get (self->n) <= i)
        g_usleep (1);
    }
  return NULL;
}

static void
test_single (GaioTestLoop *loop)
{
  Foreign foreign;
  int n = 0;
  Sender sender = { .context = loop->context, .n = &n, .count = 2000 };
  GThread *thread;

  foreign_begin (&foreign, loop);
  thread = g_thread_new ("sender", send_slowly, &sender);
  while (n < sender.count)
    foreign_round (&foreign);
  g_thread_join (thread);
  foreign_end (&foreign);
}

static gpointer
arm_later (gpointer data)
{
  g_usleep (2000);
  arm (data, 500000);
  return NULL;
}

/* A deadline that is set while the foreign loop waits for a later one. */
static void
test_timer_elsewhere (GaioTestLoop *loop)
{
  Foreign foreign;
  Alarm a = { 0 };
  Alarm later = { 0 };
  GThread *thread;

  foreign_begin (&foreign, loop);
  a.timer = gaio_timer_new (loop->context, GAIO_CLOCK_MONOTONIC, on_time, &a, NULL);
  later.timer = gaio_timer_new (loop->context, GAIO_CLOCK_MONOTONIC, on_time, &later, NULL);
  arm (&later, G_GINT64_CONSTANT (3600000000000));
  foreign_settle (&foreign);
  thread = g_thread_new ("armer", arm_later, &a);
  while (a.n == 0)
    foreign_round (&foreign);
  g_thread_join (thread);
  g_assert_cmpint (later.n, ==, 0);
  gaio_timer_cancel (later.timer);
  g_object_unref (a.timer);
  g_object_unref (later.timer);
  foreign_end (&foreign);
}

static void
count_run (gpointer data)
{
  (*(int *) data)++;
}

/* A forked child gets a descriptor of its own, and the parent's goes on to work. */
static void
test_fork (GaioTestLoop *loop)
{
  int n = 0;
  int status;
  pid_t pid;

  g_assert_cmpint (gaio_context_get_fd (loop->context), >=, 0);
  while (gaio_context_iterate (loop->context))
    ;
  pid = fork ();
  g_assert_cmpint (pid, >=, 0);
  if (pid == 0)
    {
      struct pollfd pollfd = { .fd = gaio_context_get_fd (loop->context), .events = POLLIN };

      gaio_context_invoke (loop->context, count_run, &n, NULL);
      while (n == 0 && pollfd.fd >= 0)
        if (poll (&pollfd, 1, -1) == 1)
          gaio_context_iterate (loop->context);
      _exit (n == 1 ? 0 : 1);
    }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_cmpint (status, ==, 0);
  gaio_context_invoke (loop->context, count_run, &n, NULL);
  while (n == 0)
    gaio_context_iterate (loop->context);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);

  gaio_test_add_loop_matrix ("/embed/fd", test_fd);
  gaio_test_add_loop_matrix ("/embed/monitor", test_monitor);
  gaio_test_add_loop_matrix ("/embed/before", test_before);
  gaio_test_add_loop_matrix ("/embed/bottom-half", test_bottom_half);
  gaio_test_add_loop_matrix ("/embed/reschedule", test_reschedule);
  gaio_test_add_loop_matrix ("/embed/timer", test_timer);
  gaio_test_add_loop_matrix ("/embed/handler", test_handler);
  gaio_test_add_loop_matrix ("/embed/level-triggered", test_level_triggered);
  gaio_test_add_loop_matrix ("/embed/iterate-in-callback", test_iterate_in_callback);
  gaio_test_add_loop_matrix ("/embed/remove-in-callback", test_remove_in_callback);
  gaio_test_add_loop_matrix ("/embed/loop-in-callback", test_loop_in_callback);
  gaio_test_add_loop_matrix ("/embed/task", test_task);
  gaio_test_add_loop_matrix ("/embed/source", test_source);
  gaio_test_add_loop_matrix ("/embed/open", test_open);
  gaio_test_add_loop_matrix ("/embed/storm", test_storm);
  gaio_test_add_loop_matrix ("/embed/single", test_single);
  gaio_test_add_loop_matrix ("/embed/timer-elsewhere", test_timer_elsewhere);
  gaio_test_add_loop_matrix ("/embed/fork", test_fork);
  return g_test_run ();
}
