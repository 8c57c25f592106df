/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Threads that run a context: what is sent there runs there, and the end comes when it is asked
 * for, with nothing lost and nobody left waiting. */

#include <stdatomic.h>
#include <unistd.h>

#include "stats.h"

#define N_QUEUED 1000
#define N_THREADS 5

static GaioIOThread *
make_thread (const char *name)
{
  g_autoptr (GError) error = NULL;
  GaioIOThread *thread = gaio_io_thread_new (name, &error);

  g_assert_no_error (error);
  return thread;
}

/* Something to wait for. */
typedef struct
{
  GMutex lock;
  GCond cond;
  int n;
  GThread *thread; /* of the last one */
} Mailbox;

static void
deliver (gpointer data)
{
  Mailbox *box = data;

  g_mutex_lock (&box->lock);
  box->n++;
  box->thread = g_thread_self ();
  g_cond_signal (&box->cond);
  g_mutex_unlock (&box->lock);
}

static void
wait_for (Mailbox *box, int n)
{
  g_mutex_lock (&box->lock);
  while (box->n < n)
    g_cond_wait (&box->cond, &box->lock);
  g_mutex_unlock (&box->lock);
}

static int
get_n (Mailbox *box)
{
  int n;

  g_mutex_lock (&box->lock);
  n = box->n;
  g_mutex_unlock (&box->lock);
  return n;
}

static GThread *
get_thread (Mailbox *box)
{
  GThread *thread;

  g_mutex_lock (&box->lock);
  thread = box->thread;
  g_mutex_unlock (&box->lock);
  return thread;
}

static void
test_run (void)
{
  GaioIOThread *thread = make_thread ("gaio-test");
  GaioContext *context = gaio_io_thread_get_context (thread);
  Mailbox box = { 0 };
  GThread *first;

  g_assert_true (context == gaio_io_thread_get_context (thread));
  gaio_context_invoke (context, deliver, &box, NULL);
  wait_for (&box, 1);
  first = box.thread;
  g_assert_true (first != g_thread_self ());
  gaio_context_invoke (context, deliver, &box, deliver);
  wait_for (&box, 3);
  g_assert_true (box.thread == first);
  g_object_unref (thread);
}

static void
check_thread_default (gpointer data)
{
  g_autoptr (GaioContext) context = gaio_context_ref_thread_default ();

  g_assert_true (context == gaio_io_thread_get_context (data));
}

static void
test_thread_default (void)
{
  GaioIOThread *thread = make_thread (NULL);

  gaio_context_invoke (gaio_io_thread_get_context (thread), check_thread_default, thread, NULL);
  gaio_io_thread_stop (thread);
  g_object_unref (thread);
}

static void
count (gpointer data)
{
  (*(int *) data)++;
}

/* What was scheduled before the stop runs before the thread ends. */
static void
test_stop (void)
{
  for (int i = 0; i < 20; i++)
    {
      GaioIOThread *thread = make_thread ("gaio-test");
      int n = 0;

      for (int j = 0; j < N_QUEUED; j++)
        gaio_context_invoke (gaio_io_thread_get_context (thread), count, &n, NULL);
      gaio_io_thread_stop (thread);
      g_assert_cmpint (n, ==, N_QUEUED);
      gaio_io_thread_stop (thread); /* nothing */
      g_object_unref (thread);
    }
}

static void
test_drop (void)
{
  for (int i = 0; i < 20; i++)
    {
      GaioIOThread *thread = make_thread ("gaio-test");
      int n = 0;

      for (int j = 0; j < N_QUEUED; j++)
        gaio_context_invoke (gaio_io_thread_get_context (thread), count, &n, NULL);
      if (i % 2)
        gaio_io_thread_get_main_context (thread);
      g_object_unref (thread);
      g_assert_cmpint (n, ==, N_QUEUED);
    }
}

/* The context may outlive the thread. What comes too late is not run, but its data is freed. */
static void
test_after_stop (void)
{
  GaioIOThread *thread = make_thread ("gaio-test");
  g_autoptr (GaioContext) context = g_object_ref (gaio_io_thread_get_context (thread));
  int n = 0;
  int n_notified = 0;

  gaio_io_thread_stop (thread);
  g_object_unref (thread);
  gaio_context_invoke (context, count, &n, NULL);
  gaio_context_invoke (context, (GaioFunc) g_free, NULL, NULL);
  g_assert_cmpint (n, ==, 0);
  gaio_context_invoke (context, count, &n_notified, count);
  g_clear_object (&context);
  g_assert_cmpint (n, ==, 0);
  g_assert_cmpint (n_notified, ==, 1);
}

static void
stop_self (gpointer data)
{
  gaio_io_thread_stop (data);
}

/* A thread cannot wait for its own end; it is told so and goes on. */
static void
test_stop_within (void)
{
  GaioIOThread *thread = make_thread ("gaio-test");
  GaioContext *context = gaio_io_thread_get_context (thread);
  Mailbox box = { 0 };

  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*gaio_io_thread_stop*");
  gaio_context_invoke (context, stop_self, thread, NULL);
  gaio_context_invoke (context, deliver, &box, NULL);
  wait_for (&box, 1);
  g_test_assert_expected_messages ();
  gaio_context_invoke (context, deliver, &box, NULL);
  wait_for (&box, 2);
  g_object_unref (thread);
}

typedef struct
{
  GaioIOThread *thread;
  Mailbox box;
} SelfDrop;

static void
drop_self (gpointer data)
{
  SelfDrop *self = data;
  GaioContext *context = gaio_io_thread_get_context (self->thread);

  g_clear_object (&self->thread);
  /* The thread has not ended yet, so this is not too late. */
  gaio_context_invoke (context, deliver, &self->box, deliver);
}

/* The last reference goes in the thread itself, which then ends by itself. The harness sees whether
 * it does. */
static void
test_drop_within (void)
{
  /* Static, since nobody joins the threads. */
  static SelfDrop drops[10];

  for (guint i = 0; i < G_N_ELEMENTS (drops); i++)
    {
      SelfDrop *self = &drops[i];
      g_autoptr (GaioContext) context = NULL;

      self->thread = make_thread ("gaio-test");
      context = g_object_ref (gaio_io_thread_get_context (self->thread));
      if (i % 2)
        gaio_io_thread_get_main_context (self->thread);
      gaio_context_invoke (context, drop_self, self, NULL);
      wait_for (&self->box, 2);
    }
}

typedef struct
{
  GaioBottomHalf *bh;
  atomic_int n;
} Endless;

static void
on_endless (gpointer data)
{
  Endless *self = data;

  atomic_fetch_add (&self->n, 1);
  gaio_bottom_half_schedule (self->bh);
}

static void
on_ready (gpointer data)
{
  atomic_fetch_add (&((Endless *) data)->n, 1);
}

/* Work that never ends does not keep the thread from ending. */
static void
test_stop_endless (void)
{
  for (int i = 0; i < 2; i++)
    {
      GaioIOThread *thread = make_thread ("gaio-test");
      GaioContext *context = gaio_io_thread_get_context (thread);
      g_autoptr (GaioEventNotifier) notifier = gaio_event_notifier_new (NULL);
      GaioFdHandlers handlers = { .read = on_ready };
      Endless bh = { 0 };
      Endless fd = { 0 };

      if (i == 1)
        gaio_io_thread_get_main_context (thread);
      gaio_event_notifier_set (notifier);
      gaio_context_set_fd_handlers (context, gaio_event_notifier_get_fd (notifier), &handlers, &fd,
                                    NULL, NULL);
      bh.bh = gaio_bottom_half_new (context, on_endless, &bh, NULL);
      gaio_bottom_half_schedule (bh.bh);
      while (atomic_load (&bh.n) < 10 || atomic_load (&fd.n) < 10)
        g_usleep (100);
      gaio_io_thread_stop (thread);
      g_object_unref (bh.bh);
      g_object_unref (thread);
    }
}

typedef struct
{
  Mailbox in;
  Mailbox out;
} Gate;

static void
pass_gate (gpointer data)
{
  Gate *gate = data;

  deliver (&gate->in);
  wait_for (&gate->out, 1);
}

/* What only the home thread may do is refused to others while that one is at work, and does no
 * harm. */
static void
test_foreign (void)
{
  GaioIOThread *thread = make_thread ("gaio-test");
  GaioContext *context = gaio_io_thread_get_context (thread);
  Gate gate = { 0 };
  int n = 0;

  gaio_context_invoke (context, pass_gate, &gate, NULL);
  gaio_context_invoke (context, count, &n, NULL);
  wait_for (&gate.in, 1);
  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*gaio_context_poll*");
  g_assert_false (gaio_context_poll (context, TRUE));
  g_test_assert_expected_messages ();
  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*gaio_context_iterate*");
  g_assert_false (gaio_context_iterate (context));
  g_test_assert_expected_messages ();
  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*gaio_context_get_fd*");
  g_assert_cmpint (gaio_context_get_fd (context), ==, -1);
  g_test_assert_expected_messages ();
  g_assert_cmpint (n, ==, 0);
  deliver (&gate.out);
  gaio_io_thread_stop (thread);
  g_assert_cmpint (n, ==, 1);
  g_object_unref (thread);
}

/* ---- the GMainContext beside it ---- */

static gboolean
on_source (gpointer data)
{
  deliver (data);
  return G_SOURCE_REMOVE;
}

static void
attach_source (GMainContext *main_context, Mailbox *box)
{
  g_autoptr (GSource) source = g_idle_source_new ();

  g_source_set_callback (source, on_source, box, NULL);
  g_source_attach (source, main_context);
}

static void
on_task (GObject *object, GAsyncResult *result, gpointer data)
{
  deliver (data);
}

static void
start_task (gpointer data)
{
  g_autoptr (GTask) task = g_task_new (NULL, NULL, on_task, data);

  g_task_return_boolean (task, TRUE);
}

/* Asked for before or after the thread has had work: both loops run, in the same thread. */
static void
test_main_context (void)
{
  for (int i = 0; i < 2; i++)
    {
      GaioIOThread *thread = make_thread ("gaio-test");
      GaioContext *context = gaio_io_thread_get_context (thread);
      GMainContext *main_context;
      Mailbox box = { 0 };
      GThread *first;

      if (i == 1)
        {
          gaio_context_invoke (context, deliver, &box, NULL);
          wait_for (&box, 1);
          g_usleep (1000); /* it sleeps in its own poll by now */
        }
      main_context = gaio_io_thread_get_main_context (thread);
      g_assert_nonnull (main_context);
      g_assert_true (main_context == gaio_io_thread_get_main_context (thread));
      attach_source (main_context, &box);
      wait_for (&box, i + 1);
      first = box.thread;
      g_assert_true (first != g_thread_self ());

      for (int j = 0; j < 50; j++)
        {
          int before = box.n;

          gaio_context_invoke (context, deliver, &box, NULL);
          attach_source (main_context, &box);
          gaio_context_invoke (context, start_task, &box, NULL);
          wait_for (&box, before + 3);
          g_assert_true (box.thread == first);
        }
      gaio_io_thread_stop (thread);
      g_object_unref (thread);
    }
}

static gpointer
ask_for_main_context (gpointer data)
{
  return gaio_io_thread_get_main_context (data);
}

/* Asked for by several threads at once. */
static void
test_main_context_race (void)
{
  for (int i = 0; i < 20; i++)
    {
      GaioIOThread *thread = make_thread ("gaio-test");
      GThread *threads[3];
      gpointer results[3];
      Mailbox box = { 0 };

      for (int j = 0; j < 3; j++)
        threads[j] = g_thread_new ("asker", ask_for_main_context, thread);
      for (int j = 0; j < 3; j++)
        results[j] = g_thread_join (threads[j]);
      g_assert_true (results[0] == results[1] && results[1] == results[2]);
      attach_source (results[0], &box);
      wait_for (&box, 1);
      g_object_unref (thread);
    }
}

static gboolean
on_timeout (gpointer data)
{
  deliver (data);
  return G_SOURCE_CONTINUE;
}

static gboolean
on_invoked (gpointer data)
{
  deliver (data);
  return G_SOURCE_REMOVE;
}

/* What GLib's own sources and functions do there. */
static void
test_glib (void)
{
  GaioIOThread *thread = make_thread ("gaio-test");
  GMainContext *main_context = gaio_io_thread_get_main_context (thread);
  GSource *timeout = g_timeout_source_new (1);
  Mailbox ticks = { 0 };
  Mailbox box = { 0 };
  GThread *home;

  g_source_set_callback (timeout, on_timeout, &ticks, NULL);
  g_source_attach (timeout, main_context);
  wait_for (&ticks, 3);
  home = get_thread (&ticks);
  g_assert_true (home != g_thread_self ());
  for (int i = 1; i <= 200; i++)
    {
      g_main_context_invoke (main_context, on_invoked, &box);
      if (i % 3 == 0)
        wait_for (&box, i);
      g_assert_true (get_n (&box) == 0 || get_thread (&box) == home);
    }
  wait_for (&box, 200);
  wait_for (&ticks, get_n (&ticks) + 3);
  g_source_destroy (timeout);
  g_source_unref (timeout);
  gaio_io_thread_stop (thread);
  g_object_unref (thread);
}

/* Which were there before the stop, of both kinds. */
static void
test_stop_main_context (void)
{
  for (int i = 0; i < 20; i++)
    {
      GaioIOThread *thread = make_thread ("gaio-test");
      GMainContext *main_context = gaio_io_thread_get_main_context (thread);
      Mailbox box = { 0 };
      int n = 0;

      for (int j = 0; j < N_QUEUED; j++)
        gaio_context_invoke (gaio_io_thread_get_context (thread), count, &n, NULL);
      gaio_context_invoke (gaio_io_thread_get_context (thread), start_task, &box, NULL);
      attach_source (main_context, &box);
      gaio_io_thread_stop (thread);
      g_assert_cmpint (n, ==, N_QUEUED);
      g_assert_cmpint (box.n, ==, 2);
      g_object_unref (thread);
    }
}

/* Nobody runs it any more; the caller may. */
static void
test_main_context_after_stop (void)
{
  GaioIOThread *thread = make_thread ("gaio-test");
  GMainContext *main_context;
  Mailbox box = { 0 };

  gaio_io_thread_stop (thread);
  main_context = g_main_context_ref (gaio_io_thread_get_main_context (thread));
  attach_source (main_context, &box);
  while (box.n == 0)
    g_main_context_iteration (main_context, TRUE);
  g_object_unref (thread);
  g_main_context_unref (main_context);
}

typedef struct
{
  GaioContext *context;
  Mailbox box;
  guint64 n_polls;
} Stats;

static void
look_at_stats (gpointer data)
{
  Stats *self = data;

  self->n_polls = get_stat (self->context, "polls");
  deliver (&self->box);
}

static void
get_stats (Stats *self)
{
  int n = get_n (&self->box);

  gaio_context_invoke (self->context, look_at_stats, self, NULL);
  wait_for (&self->box, n + 1);
}

/* It polls before it sleeps, and goes on doing so once it has a main context. */
static void
test_adaptive (void)
{
  for (int i = 0; i < 2; i++)
    {
      GaioIOThread *thread = make_thread ("gaio-test");
      GaioContext *context = gaio_io_thread_get_context (thread);
      g_autoptr (GaioEventNotifier) notifier = gaio_event_notifier_new (NULL);
      Stats before = { .context = context };
      Stats after = { .context = context };
      Mailbox box = { 0 };
      int n = 0;

      g_assert_cmpint (gaio_context_get_poll_max_ns (context), ==, 32768);
      /* So long that even a slow machine makes it. */
      gaio_context_set_poll_max_ns (context, 20 * 1000 * 1000);
      gaio_context_set_event_notifier (context, notifier, deliver, &box, NULL, NULL);
      if (i == 1)
        {
          Mailbox ready = { 0 };

          attach_source (gaio_io_thread_get_main_context (thread), &ready);
          wait_for (&ready, 1);
        }
      get_stats (&before);
      do
        {
          for (int j = 0; j < 20; j++)
            {
              g_usleep (50);
              gaio_event_notifier_set (notifier);
              wait_for (&box, ++n);
            }
          get_stats (&after);
        }
      while (after.n_polls <= before.n_polls);
      gaio_context_remove_fd_handler (context, gaio_event_notifier_get_fd (notifier));
      gaio_io_thread_stop (thread);
      g_object_unref (thread);
    }
}

static void
test_properties (void)
{
  GaioIOThread *thread = make_thread ("gaio-test");
  g_autoptr (GaioContext) context = NULL;
  g_autofree char *name = NULL;

  g_object_get (thread, "name", &name, "context", &context, NULL);
  g_assert_cmpstr (name, ==, "gaio-test");
  g_assert_cmpstr (gaio_io_thread_get_name (thread), ==, "gaio-test");
  g_assert_true (context == gaio_io_thread_get_context (thread));
  g_object_unref (thread);
}

static void
test_engine (void)
{
  g_autoptr (GError) error = NULL;
  GaioIOThread *thread =
      g_initable_new (GAIO_TYPE_IO_THREAD, NULL, &error, "engine", GAIO_ENGINE_THREADS, NULL);
  g_autofree char *reason = NULL;

  g_assert_no_error (error);
  reason = gaio_context_get_engine_reason (gaio_io_thread_get_context (thread));
  g_assert_cmpstr (reason, ==, "threads were asked for");
  g_object_unref (thread);
}

/* ---- several ---- */

typedef struct
{
  GaioContext *contexts[N_THREADS];
  Mailbox box;
  atomic_int hops;
  int per_traveller;
} World;

typedef struct
{
  World *world;
  guint state;
  int left;
} Traveller;

/* Hops from thread to thread, to a random one each time. */
static void
hop (gpointer data)
{
  Traveller *self = data;

  atomic_fetch_add (&self->world->hops, 1);
  if (--self->left == 0)
    {
      deliver (&self->world->box);
      return;
    }
  self->state = self->state * 1103515245 + 12345;
  gaio_context_invoke (self->world->contexts[(self->state >> 16) % N_THREADS], hop, self, NULL);
}

static void
test_travellers (void)
{
  GaioIOThread *threads[N_THREADS];
  Traveller travellers[20];
  World world = { .per_traveller = g_test_thorough () ? 100000 : 2000 };

  for (int i = 0; i < N_THREADS; i++)
    {
      threads[i] = make_thread ("gaio-test");
      world.contexts[i] = gaio_io_thread_get_context (threads[i]);
      /* Some with a main loop. */
      if (i % 2)
        gaio_io_thread_get_main_context (threads[i]);
    }
  for (guint i = 0; i < G_N_ELEMENTS (travellers); i++)
    {
      travellers[i] = (Traveller){ .world = &world, .state = i, .left = world.per_traveller };
      gaio_context_invoke (world.contexts[i % N_THREADS], hop, &travellers[i], NULL);
    }
  wait_for (&world.box, G_N_ELEMENTS (travellers));
  g_assert_cmpint (atomic_load (&world.hops), ==,
                   (int) G_N_ELEMENTS (travellers) * world.per_traveller);
  /* All of them, before any context goes: the last hop may not have returned from its call. */
  for (int i = 0; i < N_THREADS; i++)
    gaio_io_thread_stop (threads[i]);
  for (int i = 0; i < N_THREADS; i++)
    g_object_unref (threads[i]);
}

static void
test_lifecycle (void)
{
  for (int i = 0; i < 100; i++)
    {
      GaioIOThread *threads[N_THREADS];

      for (int j = 0; j < N_THREADS; j++)
        threads[j] = make_thread ("gaio-test");
      if (i % 2)
        for (int j = 0; j < N_THREADS; j++)
          gaio_io_thread_stop (threads[j]);
      for (int j = 0; j < N_THREADS; j++)
        g_object_unref (threads[j]);
    }
}

typedef struct
{
  GaioTimer *timer;
  gint64 deadline_ns;
  Mailbox box;
} Alarm;

static void
on_time (gpointer data)
{
  Alarm *alarm = data;

  g_assert_cmpint (gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC), >=, alarm->deadline_ns);
  deliver (&alarm->box);
}

/* Timers and handlers that are set from outside, with and without the GMainContext. */
static void
test_from_outside (void)
{
  for (int i = 0; i < 2; i++)
    {
      GaioIOThread *thread = make_thread ("gaio-test");
      GaioContext *context = gaio_io_thread_get_context (thread);
      g_autoptr (GaioEventNotifier) notifier = gaio_event_notifier_new (NULL);
      Alarm alarm = { 0 };
      Mailbox box = { 0 };

      if (i == 1)
        gaio_io_thread_get_main_context (thread);
      alarm.timer = gaio_timer_new (context, GAIO_CLOCK_MONOTONIC, on_time, &alarm, NULL);
      gaio_context_set_event_notifier (context, notifier, deliver, &box, NULL, NULL);
      for (int j = 1; j <= 20; j++)
        {
          alarm.deadline_ns = gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC) + j * 100000;
          gaio_timer_arm_ns (alarm.timer, alarm.deadline_ns);
          gaio_event_notifier_set (notifier);
          wait_for (&alarm.box, j);
          wait_for (&box, j);
        }
      gaio_context_remove_fd_handler (context, gaio_event_notifier_get_fd (notifier));
      gaio_io_thread_stop (thread);
      g_object_unref (alarm.timer);
      g_object_unref (thread);
    }
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);

  gaio_test_add ("/io-thread/run", test_run);
  gaio_test_add ("/io-thread/thread-default", test_thread_default);
  gaio_test_add ("/io-thread/stop", test_stop);
  gaio_test_add ("/io-thread/drop", test_drop);
  gaio_test_add ("/io-thread/after-stop", test_after_stop);
  gaio_test_add ("/io-thread/stop-within", test_stop_within);
  gaio_test_add ("/io-thread/drop-within", test_drop_within);
  gaio_test_add ("/io-thread/stop-endless", test_stop_endless);
  gaio_test_add ("/io-thread/foreign", test_foreign);
  gaio_test_add ("/io-thread/main-context", test_main_context);
  gaio_test_add ("/io-thread/glib", test_glib);
  gaio_test_add ("/io-thread/stop-main-context", test_stop_main_context);
  gaio_test_add ("/io-thread/main-context-after-stop", test_main_context_after_stop);
  gaio_test_add ("/io-thread/adaptive", test_adaptive);
  gaio_test_add ("/io-thread/properties", test_properties);
  gaio_test_add ("/io-thread/engine", test_engine);
  gaio_test_add ("/io-thread/main-context-race", test_main_context_race);
  gaio_test_add ("/io-thread/travellers", test_travellers);
  gaio_test_add ("/io-thread/lifecycle", test_lifecycle);
  gaio_test_add ("/io-thread/from-outside", test_from_outside);

  return g_test_run ();
}
