/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Main loops: what is done around each wait, in which order, whoever runs the main context. Each
 * body begins with a context that is driven by hand, attached, or drives already. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "gaio-test.h"

#define MS G_GINT64_CONSTANT (1000000)

static GaioMainLoop *
make_loop (GaioTestLoop *loop)
{
  g_autoptr (GError) error = NULL;
  GaioMainLoop *self = g_initable_new (GAIO_TYPE_MAIN_LOOP, NULL, &error, "context", loop->context,
                                       "main-context", loop->main_context, NULL);

  g_assert_no_error (error);
  g_assert_true (gaio_main_loop_get_context (self) == loop->context);
  g_assert_true (gaio_main_loop_get_main_context (self) == loop->main_context);
  /* From here on the main context is what is run. */
  loop->driver = GAIO_TEST_BY_DRIVE;
  gaio_test_settle (loop);
  return self;
}

static void
count (gpointer data)
{
  (*(int *) data)++;
}

/* ---- run and quit ---- */

typedef struct
{
  GaioMainLoop *loop;
  GThread *thread;
  int n;
} Run;

static void
quit (gpointer data)
{
  Run *run = data;

  g_assert_true (gaio_main_loop_is_running (run->loop));
  run->n++;
  gaio_main_loop_quit (run->loop);
  g_assert_false (gaio_main_loop_is_running (run->loop));
}

static gpointer
quit_from_outside (gpointer data)
{
  Run *run = data;

  while (!gaio_main_loop_is_running (run->loop))
    g_usleep (100);
  g_usleep (2000); /* it sleeps by now */
  gaio_main_loop_quit (run->loop);
  return NULL;
}

static void
run_again (gpointer data)
{
  Run *run = data;

  if (run->n++ == 0)
    gaio_context_invoke (gaio_main_loop_get_context (run->loop), quit, run, NULL);
  gaio_main_loop_run (run->loop);
}

static void
test_run (GaioTestLoop *loop)
{
  Run run = { .loop = make_loop (loop) };
  GThread *thread;

  g_assert_false (gaio_main_loop_is_running (run.loop));
  for (int i = 1; i <= 3; i++)
    {
      gaio_context_invoke (loop->context, quit, &run, NULL);
      gaio_main_loop_run (run.loop);
      g_assert_cmpint (run.n, ==, i);
    }
  thread = g_thread_new ("quitter", quit_from_outside, &run);
  gaio_main_loop_run (run.loop);
  g_thread_join (thread);

  /* One in a callback of itself ends with it. */
  run.n = 0;
  gaio_context_invoke (loop->context, run_again, &run, NULL);
  gaio_main_loop_run (run.loop);
  g_assert_cmpint (run.n, ==, 2);
  g_object_unref (run.loop);
}

static gpointer
run_elsewhere (gpointer data)
{
  gaio_main_loop_run (data);
  return NULL;
}

static void
test_run_elsewhere (GaioTestLoop *loop)
{
  GaioMainLoop *self = make_loop (loop);

  g_assert_true (g_main_context_acquire (loop->main_context));
  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*gaio_main_loop_run*");
  g_thread_join (g_thread_new ("other", run_elsewhere, self));
  g_test_assert_expected_messages ();
  g_main_context_release (loop->main_context);
  g_object_unref (self);
}

static gboolean
on_idle (gpointer data)
{
  count (data);
  return G_SOURCE_REMOVE;
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
test_iterate (GaioTestLoop *loop)
{
  GaioMainLoop *self = make_loop (loop);
  g_autoptr (GSource) source = g_idle_source_new ();
  Alarm alarm = { 0 };
  int n = 0;

  g_assert_false (gaio_main_loop_iterate (self, FALSE));
  g_source_set_callback (source, on_idle, &n, NULL);
  g_source_attach (source, loop->main_context);
  while (n < 1)
    gaio_main_loop_iterate (self, TRUE);
  gaio_context_invoke (loop->context, count, &n, NULL);
  while (n < 2)
    gaio_main_loop_iterate (self, TRUE);

  alarm.timer = gaio_timer_new (loop->context, GAIO_CLOCK_MONOTONIC, on_time, &alarm, NULL);
  alarm.deadline_ns = gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC) + 3 * MS / 2;
  gaio_timer_arm_ns (alarm.timer, alarm.deadline_ns);
  while (alarm.n < 1)
    gaio_main_loop_iterate (self, TRUE);
  g_object_unref (alarm.timer);
  g_object_unref (self);
}

static GaioMainLoop *notified_loop;

static void
notify_in_handler (int signo)
{
  gaio_main_loop_notify (notified_loop);
}

/* It ends a wait, even from a signal handler. */
static void
test_notify (GaioTestLoop *loop)
{
  struct sigaction action = { .sa_handler = notify_in_handler }, before;
  GaioMainLoop *self = make_loop (loop);

  gaio_main_loop_notify (self);
  gaio_main_loop_iterate (self, TRUE);
  notified_loop = self;
  sigaction (SIGALRM, &action, &before);
  ualarm (2000, 0);
  gaio_main_loop_iterate (self, TRUE);
  sigaction (SIGALRM, &before, NULL);
  g_object_unref (self);
}

/* ---- lock hooks and poll notifiers ---- */

/* A hook of either kind, which writes down what it sees. */
typedef struct
{
  GString *log;
  char name;
  guint id;
  gboolean locked;
  int n_notified;
  GThread *freed_in;

  /* of notifiers */
  int fd;
  GIOCondition condition;
  GIOCondition ready;
  gint64 limit_ns;
  int n_done;
} Hook;

static void
on_lock (gboolean lock, gpointer data)
{
  Hook *hook = data;

  g_assert_true (hook->locked != lock);
  hook->locked = lock;
  if (hook->log != NULL)
    g_string_append_c (hook->log, lock ? g_ascii_toupper (hook->name) : hook->name);
}

static void
on_poll (GaioPollPhase phase, GaioPollSet *set, gpointer data)
{
  Hook *hook = data;

  if (hook->log != NULL)
    g_string_append_printf (hook->log, "%c%c", phase == GAIO_POLL_PHASE_FILL ? '(' : ')',
                            hook->name);
  switch (phase)
    {
    case GAIO_POLL_PHASE_FILL:
      if (hook->condition != 0)
        {
          gaio_poll_set_add (set, hook->fd, hook->condition);
          /* Nothing is known yet. */
          g_assert_cmpint (gaio_poll_set_get_ready (set, hook->fd), ==, 0);
        }
      if (hook->limit_ns != 0)
        {
          gaio_poll_set_limit_timeout_ns (set, hook->limit_ns);
          g_assert_cmpint (gaio_poll_set_get_timeout_ns (set), <=, hook->limit_ns);
          g_assert_cmpint (gaio_poll_set_get_timeout_ns (set), >=, 0);
        }
      gaio_poll_set_limit_timeout_ns (set, -1);
      gaio_poll_set_limit_timeout_ns (set, G_MAXINT64);
      break;
    case GAIO_POLL_PHASE_OK:
      hook->ready = hook->condition != 0 ? gaio_poll_set_get_ready (set, hook->fd) : 0;
      hook->n_done++;
      break;
    case GAIO_POLL_PHASE_ERROR:
    default:
      g_assert_not_reached ();
    }
}

static void
on_hook_notify (gpointer data)
{
  Hook *hook = data;

  hook->n_notified++;
  hook->freed_in = g_thread_self ();
}

static void
add_lock (GaioMainLoop *loop, Hook *hook)
{
  hook->locked = TRUE;
  hook->id = gaio_main_loop_add_lock_hook (loop, on_lock, hook, on_hook_notify);
}

static void
add_notifier (GaioMainLoop *loop, Hook *hook)
{
  hook->id = gaio_main_loop_add_poll_notifier (loop, on_poll, hook, on_hook_notify);
}

static void
log_callback (gpointer data)
{
  g_string_append_c (data, '!');
}

static void
test_order (GaioTestLoop *loop)
{
  g_autoptr (GString) log = g_string_new (NULL);
  GaioMainLoop *self = make_loop (loop);
  Hook a = { .log = log, .name = 'a' };
  Hook b = { .log = log, .name = 'b' };
  Hook c = { .log = log, .name = 'c' };
  Hook x = { .log = log, .name = 'x' };
  Hook y = { .log = log, .name = 'y' };

  add_lock (self, &a);
  add_lock (self, &b);
  add_lock (self, &c);
  add_notifier (self, &x);
  add_notifier (self, &y);
  gaio_test_settle (loop);

  /* One that does not block has it all, too. */
  g_string_truncate (log, 0);
  gaio_main_loop_iterate (self, FALSE);
  g_assert_cmpstr (log->str, ==, "(x(yabcCBA)x)y");

  /* Callbacks come after it, with the locks held. */
  g_string_truncate (log, 0);
  gaio_context_invoke (loop->context, log_callback, log, NULL);
  gaio_main_loop_iterate (self, TRUE);
  g_assert_cmpstr (log->str, ==, "(x(yabcCBA)x)y!");

  /* By whomever. */
  g_string_truncate (log, 0);
  gaio_context_invoke (loop->context, log_callback, log, NULL);
  g_main_context_iteration (loop->main_context, TRUE);
  g_assert_cmpstr (log->str, ==, "(x(yabcCBA)x)y!");

  gaio_main_loop_remove_lock_hook (self, b.id);
  gaio_main_loop_remove_lock_hook (self, b.id);
  gaio_main_loop_remove_poll_notifier (self, b.id); /* is none */
  gaio_main_loop_remove_poll_notifier (self, x.id);
  g_assert_cmpint (b.n_notified, ==, 1);
  g_assert_cmpint (x.n_notified, ==, 1);
  g_string_truncate (log, 0);
  gaio_main_loop_iterate (self, FALSE);
  g_assert_cmpstr (log->str, ==, "(yacCA)y");

  /* The rest goes with the loop. */
  g_object_unref (self);
  g_assert_cmpint (a.n_notified + c.n_notified + y.n_notified, ==, 3);
  g_string_truncate (log, 0);
  gaio_test_settle (loop);
  g_assert_cmpstr (log->str, ==, "");
  g_assert_true (a.locked && b.locked && c.locked);
}

/* Hooks of two loops of one main context; one loop goes. */
static void
test_two_loops (GaioTestLoop *loop)
{
  g_autoptr (GString) log = g_string_new (NULL);
  GaioMainLoop *first = make_loop (loop);
  GaioMainLoop *second = make_loop (loop);
  Hook a = { .log = log, .name = 'a' };
  Hook b = { .log = log, .name = 'b' };

  add_lock (first, &a);
  add_lock (second, &b);
  gaio_main_loop_remove_lock_hook (second, a.id); /* not its */
  gaio_test_settle (loop);
  g_string_truncate (log, 0);
  gaio_main_loop_iterate (second, FALSE);
  g_assert_cmpstr (log->str, ==, "abBA");
  g_object_unref (first);
  g_assert_cmpint (a.n_notified, ==, 1);
  g_string_truncate (log, 0);
  gaio_main_loop_iterate (second, FALSE);
  g_assert_cmpstr (log->str, ==, "bB");
  g_object_unref (second);
}

typedef struct
{
  GaioTestLoop *loop;
  GaioMainLoop *self;
  Hook *hook;
  int n;
} Nest;

static gboolean
leave (gpointer data)
{
  g_main_loop_quit (data);
  return G_SOURCE_REMOVE;
}

static void
run_nested (gpointer data)
{
  Nest *nest = data;
  g_autoptr (GMainLoop) inner = g_main_loop_new (nest->loop->main_context, FALSE);
  g_autoptr (GSource) source = g_timeout_source_new (2);

  g_assert_true (nest->hook->locked);
  if (++nest->n < 4)
    gaio_context_invoke (nest->loop->context, run_nested, nest, NULL);
  g_source_set_callback (source, leave, inner, NULL);
  g_source_attach (source, nest->loop->main_context);
  g_string_append_c (nest->hook->log, '<');
  g_main_loop_run (inner);
  g_string_append_c (nest->hook->log, '>');
  g_assert_true (nest->hook->locked);
}

/* A nested main loop waits with the locks away as well. */
static void
test_nested (GaioTestLoop *loop)
{
  g_autoptr (GString) log = g_string_new (NULL);
  GaioMainLoop *self = make_loop (loop);
  Hook a = { .log = log, .name = 'a' };
  Nest nest = { .loop = loop, .self = self, .hook = &a };

  add_lock (self, &a);
  gaio_context_invoke (loop->context, run_nested, &nest, NULL);
  gaio_test_turn_until (loop, &nest.n, 4);
  gaio_test_settle (loop);
  g_assert_nonnull (strstr (log->str, "<aA"));
  g_assert_cmpint (strchr (log->str, '>') - strchr (log->str, '<'), >, 3);
  g_object_unref (self);
}

/* ---- poll notifiers ---- */

static void
test_pipe (GaioTestLoop *loop)
{
  GaioMainLoop *self = make_loop (loop);
  Hook a = { .condition = G_IO_IN };
  Hook b = { .condition = G_IO_OUT };
  int fds[2];
  char byte;

  g_assert_cmpint (pipe2 (fds, O_CLOEXEC | O_NONBLOCK), ==, 0);
  a.fd = fds[0];
  b.fd = fds[1];
  add_notifier (self, &a);
  gaio_main_loop_iterate (self, FALSE);
  g_assert_cmpint (a.ready, ==, 0);

  for (int i = 0; i < 3; i++)
    {
      g_assert_cmpint (write (fds[1], "x", 1), ==, 1);
      /* It is level-triggered. */
      for (int j = 0; j < 3; j++)
        {
          a.ready = 0;
          while (a.ready == 0)
            gaio_main_loop_iterate (self, TRUE);
          g_assert_cmpint (a.ready, ==, G_IO_IN);
        }
      g_assert_cmpint (read (fds[0], &byte, 1), ==, 1);
      gaio_main_loop_iterate (self, FALSE);
      g_assert_cmpint (a.ready, ==, 0);
    }

  /* The two ends by two; then one is not waited for any more. */
  add_notifier (self, &b);
  while (b.ready == 0)
    gaio_main_loop_iterate (self, TRUE);
  g_assert_cmpint (b.ready, ==, G_IO_OUT);
  g_assert_cmpint (a.ready, ==, 0);
  b.condition = 0;
  gaio_main_loop_iterate (self, FALSE);
  g_assert_cmpint (b.ready, ==, 0);

  close (fds[1]);
  while (a.ready == 0)
    gaio_main_loop_iterate (self, TRUE);
  g_assert_cmpint (a.ready & G_IO_HUP, ==, G_IO_HUP);
  gaio_main_loop_remove_poll_notifier (self, a.id);
  close (fds[0]);
  gaio_test_settle (loop);
  g_object_unref (self);
}

/* Two that want the same descriptor, which has a handler in the context, too. */
static void
test_same_fd (GaioTestLoop *loop)
{
  GaioMainLoop *self = make_loop (loop);
  g_autoptr (GaioEventNotifier) notifier = gaio_event_notifier_new (NULL);
  int fd = gaio_event_notifier_get_fd (notifier);
  Hook a = { .condition = G_IO_IN, .fd = fd };
  Hook b = { .condition = G_IO_OUT, .fd = fd };
  int n = 0;

  add_notifier (self, &a);
  add_notifier (self, &b);
  gaio_main_loop_iterate (self, TRUE);
  g_assert_cmpint (a.ready, ==, G_IO_OUT);
  g_assert_cmpint (b.ready, ==, G_IO_OUT);
  gaio_event_notifier_set (notifier);
  a.ready = 0;
  while ((a.ready & G_IO_IN) == 0)
    gaio_main_loop_iterate (self, TRUE);
  g_assert_cmpint (b.ready, ==, G_IO_IN | G_IO_OUT);

  gaio_context_set_event_notifier (loop->context, notifier, count, &n, NULL, NULL);
  while (n < 1)
    gaio_main_loop_iterate (self, TRUE);
  gaio_main_loop_iterate (self, FALSE);
  gaio_main_loop_iterate (self, FALSE);
  g_assert_cmpint (a.ready, ==, G_IO_OUT);
  gaio_context_remove_fd_handler (loop->context, fd);
  gaio_main_loop_remove_poll_notifier (self, a.id);
  gaio_main_loop_remove_poll_notifier (self, b.id);
  gaio_test_settle (loop);
  g_object_unref (self);
}

static void
test_timeout (GaioTestLoop *loop)
{
  GaioMainLoop *self = make_loop (loop);
  Hook a = { 0 };
  Hook b = { 0 };

  add_notifier (self, &a);
  add_notifier (self, &b);
  gaio_test_settle (loop);
  a.limit_ns = 3 * MS;
  b.limit_ns = 60 * G_GINT64_CONSTANT (1000) * MS;
  for (int i = 0; i < 3; i++)
    {
      gint64 begin_ns = gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC);

      gaio_main_loop_iterate (self, TRUE);
      g_assert_cmpint (gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC) - begin_ns, >=, a.limit_ns);
    }
  /* Less than GLib's millisecond. */
  a.limit_ns = 20000;
  for (int i = 0; i < 100; i++)
    gaio_main_loop_iterate (self, TRUE);
  g_assert_cmpint (a.n_done, ==, b.n_done);
  g_object_unref (self);
}

/* Out of its time it is refused. */
static GaioPollSet *kept_set;

static void
keep_set (GaioPollPhase phase, GaioPollSet *set, gpointer data)
{
  if (kept_set == NULL)
    kept_set = gaio_poll_set_ref (set);
  if (phase != GAIO_POLL_PHASE_FILL)
    {
      g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*gaio_poll_set_add*");
      gaio_poll_set_add (set, 0, G_IO_IN);
      g_test_assert_expected_messages ();
    }
}

static void
test_kept_set (GaioTestLoop *loop)
{
  GaioMainLoop *self = make_loop (loop);

  kept_set = NULL;
  gaio_main_loop_add_poll_notifier (self, keep_set, NULL, NULL);
  gaio_main_loop_iterate (self, FALSE);
  g_assert_nonnull (kept_set);
  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*gaio_poll_set_add*");
  gaio_poll_set_add (kept_set, 0, G_IO_IN);
  g_test_assert_expected_messages ();
  g_object_unref (self);
  gaio_poll_set_unref (g_steal_pointer (&kept_set));
}

/* ---- from other threads ---- */

typedef struct
{
  GaioMainLoop *loop;
  Hook hooks[20];
  atomic_int done;
} Outsider;

static gpointer
change_from_outside (gpointer data)
{
  Outsider *self = data;

  for (int i = 0; i < 20; i++)
    {
      self->hooks[i].locked = TRUE;
      if (i % 2)
        add_notifier (self->loop, &self->hooks[i]);
      else
        self->hooks[i].id =
            gaio_main_loop_add_lock_hook (self->loop, on_lock, &self->hooks[i], on_hook_notify);
      g_usleep (50);
    }
  for (int i = 0; i < 20; i++)
    {
      if (i % 2)
        gaio_main_loop_remove_poll_notifier (self->loop, self->hooks[i].id);
      else
        gaio_main_loop_remove_lock_hook (self->loop, self->hooks[i].id);
    }
  atomic_store (&self->done, 1);
  gaio_main_loop_notify (self->loop);
  return NULL;
}

/* Their data is freed in the thread of the loop. */
static void
test_from_outside (GaioTestLoop *loop)
{
  Outsider outsider = { .loop = make_loop (loop) };
  GThread *thread = g_thread_new ("outsider", change_from_outside, &outsider);

  while (!atomic_load (&outsider.done))
    gaio_main_loop_iterate (outsider.loop, TRUE);
  g_thread_join (thread);
  gaio_test_settle (loop);
  for (int i = 0; i < 20; i++)
    {
      g_assert_cmpint (outsider.hooks[i].n_notified, ==, 1);
      g_assert_true (outsider.hooks[i].freed_in == g_thread_self ());
      g_assert_true (outsider.hooks[i].locked);
    }
  g_object_unref (outsider.loop);
}

/* ---- the guard against starvation ---- */

typedef struct
{
  GMutex lock;
  GaioBottomHalf *bh;
  gint64 unlocked_ns;
  gint64 longest_ns;
  int n_waits;
  int n;
  gboolean stop;
} Busy;

static void
on_busy (gpointer data)
{
  Busy *self = data;

  self->n++;
  if (!self->stop)
    gaio_bottom_half_schedule (self->bh);
}

static void
on_busy_lock (gboolean lock, gpointer data)
{
  Busy *self = data;
  gint64 now_ns = gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC);

  if (lock)
    {
      g_mutex_lock (&self->lock);
      self->longest_ns = MAX (self->longest_ns, now_ns - self->unlocked_ns);
      self->n_waits++;
    }
  else
    {
      g_mutex_unlock (&self->lock);
      self->unlocked_ns = now_ns;
    }
}

/* A loop that is never idle gives its lock away for a millisecond now and then. */
static void
test_starvation (GaioTestLoop *loop)
{
  GaioMainLoop *self = make_loop (loop);
  Busy busy = { 0 };
  guint id;

  g_mutex_init (&busy.lock);
  g_mutex_lock (&busy.lock);
  busy.bh = gaio_bottom_half_new (loop->context, on_busy, &busy, NULL);
  gaio_bottom_half_schedule (busy.bh);
  id = gaio_main_loop_add_lock_hook (self, on_busy_lock, &busy, NULL);
  while (busy.n_waits <= 1001)
    gaio_main_loop_iterate (self, TRUE);
  g_assert_cmpint (busy.longest_ns, >=, 1 * MS);
  /* And again, not in each from then on. */
  busy.longest_ns = 0;
  busy.n_waits = 0;
  while (busy.n_waits <= 1001)
    gaio_main_loop_iterate (self, TRUE);
  g_assert_cmpint (busy.longest_ns, >=, 1 * MS);
  g_assert_cmpint (busy.n, >, 1500);

  busy.stop = TRUE;
  gaio_main_loop_remove_lock_hook (self, id);
  g_mutex_unlock (&busy.lock);
  gaio_test_settle (loop);
  g_object_unref (busy.bh);
  g_object_unref (self);
}

/* ---- errors and defaults ---- */

static void
test_other_drives (GaioTestLoop *loop)
{
  GaioMainLoop *self = make_loop (loop);
  g_autoptr (GaioContext) other = gaio_context_new (NULL);
  g_autoptr (GError) error = NULL;
  GaioMainLoop *refused = g_initable_new (GAIO_TYPE_MAIN_LOOP, NULL, &error, "context", other,
                                          "main-context", loop->main_context, NULL);

  g_assert_null (refused);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_EXISTS);
  g_object_unref (self);
}

/* Without a context: the one that is attached, or a new one. */
static void
test_own_context (void)
{
  g_autoptr (GMainContext) main_context = g_main_context_new ();
  g_autoptr (GError) error = NULL;
  GaioMainLoop *self = gaio_main_loop_new (main_context, &error);
  g_autoptr (GaioMainLoop) second = NULL;
  int n = 0;

  g_assert_no_error (error);
  gaio_context_invoke (gaio_main_loop_get_context (self), count, &n, NULL);
  while (n < 1)
    gaio_main_loop_iterate (self, TRUE);
  second = gaio_main_loop_new (main_context, &error);
  g_assert_true (gaio_main_loop_get_context (self) == gaio_main_loop_get_context (second));
  g_object_unref (self);
}

static void
test_default (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GaioMainLoop) self = gaio_main_loop_new (NULL, &error);
  Run run = { .loop = self };

  g_assert_no_error (error);
  g_assert_true (gaio_main_loop_get_context (self) == gaio_context_get_default ());
  g_assert_true (gaio_main_loop_get_main_context (self) == g_main_context_default ());
  gaio_context_invoke (gaio_context_get_default (), quit, &run, NULL);
  gaio_main_loop_run (self);
  g_assert_cmpint (run.n, ==, 1);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  /* The default context has the means to drive from then on. */
  g_object_unref (gaio_main_loop_new (NULL, NULL));

  gaio_test_add_loop_matrix ("/main-loop/run", test_run);
  gaio_test_add_driver_matrix ("/main-loop/run-elsewhere", test_run_elsewhere);
  gaio_test_add_loop_matrix ("/main-loop/iterate", test_iterate);
  gaio_test_add_loop_matrix ("/main-loop/notify", test_notify);
  gaio_test_add_loop_matrix ("/main-loop/order", test_order);
  gaio_test_add_driver_matrix ("/main-loop/two-loops", test_two_loops);
  gaio_test_add_loop_matrix ("/main-loop/nested", test_nested);
  gaio_test_add_loop_matrix ("/main-loop/pipe", test_pipe);
  gaio_test_add_loop_matrix ("/main-loop/same-fd", test_same_fd);
  gaio_test_add_loop_matrix ("/main-loop/timeout", test_timeout);
  gaio_test_add_driver_matrix ("/main-loop/kept-set", test_kept_set);
  gaio_test_add_loop_matrix ("/main-loop/from-outside", test_from_outside);
  gaio_test_add_loop_matrix ("/main-loop/starvation", test_starvation);
  gaio_test_add_driver_matrix ("/main-loop/other-drives", test_other_drives);
  gaio_test_add ("/main-loop/own-context", test_own_context);
  gaio_test_add ("/main-loop/default", test_default);
  return g_test_run ();
}
