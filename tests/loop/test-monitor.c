/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Another monitor while the loop runs: from each to each other, with handlers that are idle, ready
 * or always ready, by a callback or by another thread. No handler and no event is lost, and none is
 * reported twice. */

#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "flag.h"

#define N_FLAGS 8

static const GaioMonitor monitors[] = {
  GAIO_MONITOR_POLL,
  GAIO_MONITOR_EPOLL,
  GAIO_MONITOR_IO_URING,
};

typedef struct
{
  GaioTestLoop *loop;
  Flag flags[N_FLAGS];
  GaioMonitor to;
  int n_pairs;
} World;

typedef void (*PairFunc) (World *world);

/* Whether the system has this one. */
static gboolean
change_to (World *world, GaioMonitor monitor)
{
  gaio_context_set_monitor (world->loop->context, monitor);
  gaio_test_settle (world->loop);
  return gaio_context_get_monitor (world->loop->context) == monitor;
}

static int
sum_of (World *world)
{
  int sum = 0;

  for (int i = 0; i < N_FLAGS; i++)
    sum += world->flags[i].n;
  return sum;
}

static void
set_all (World *world)
{
  for (int i = 0; i < N_FLAGS; i++)
    gaio_event_notifier_set (world->flags[i].notifier);
}

static void
turn_until_each (World *world, int n)
{
  while (sum_of (world) < n * N_FLAGS)
    gaio_test_turn (world->loop, TRUE);
  gaio_test_settle (world->loop);
  for (int i = 0; i < N_FLAGS; i++)
    g_assert_cmpint (world->flags[i].n, ==, n);
  g_assert_cmpint (gaio_context_get_monitor (world->loop->context), ==, world->to);
}

/* Runs it for each pair of monitors that are there, with handlers that are set and idle. */
static void
for_each_pair (GaioTestLoop *loop, PairFunc func)
{
  World world = { .loop = loop };

  for (guint from = 0; from < G_N_ELEMENTS (monitors); from++)
    for (guint to = 0; to < G_N_ELEMENTS (monitors); to++)
      {
        if (from == to || !change_to (&world, monitors[to]) || !change_to (&world, monitors[from]))
          continue;
        for (int i = 0; i < N_FLAGS; i++)
          {
            world.flags[i] = (Flag){ 0 };
            init (loop, &world.flags[i]);
            watch (&world.flags[i]);
          }
        gaio_test_settle (loop);
        g_assert_cmpint (gaio_context_get_monitor (loop->context), ==, monitors[from]);
        world.to = monitors[to];
        func (&world);
        world.n_pairs++;
        for (int i = 0; i < N_FLAGS; i++)
          {
            finish (&world.flags[i]);
            g_assert_cmpint (world.flags[i].n_notified, ==, 1);
          }
      }
  g_assert_cmpint (world.n_pairs, >=, 2);
}

static void
pair_idle (World *world)
{
  g_assert_true (change_to (world, world->to));
  set_all (world);
  turn_until_each (world, 1);
  set_all (world);
  turn_until_each (world, 2);
}

static void
test_idle (GaioTestLoop *loop)
{
  for_each_pair (loop, pair_idle);
}

/* Some are ready before the change, some after it and before the turn. */
static void
pair_ready (World *world)
{
  for (int i = 0; i < N_FLAGS / 2; i++)
    gaio_event_notifier_set (world->flags[i].notifier);
  gaio_context_set_monitor (world->loop->context, world->to);
  for (int i = N_FLAGS / 2; i < N_FLAGS; i++)
    gaio_event_notifier_set (world->flags[i].notifier);
  turn_until_each (world, 1);
}

static void
test_ready (GaioTestLoop *loop)
{
  for_each_pair (loop, pair_ready);
}

static World *world_of_callback;

static void
on_ready_change (int fd, GIOCondition condition, gpointer data)
{
  Flag *flag = data;

  on_ready (fd, condition, flag);
  gaio_context_set_monitor (flag->loop->context, world_of_callback->to);
  /* What this turn has found and not come to is served in here, by the new monitor's turn. */
  if (flag == &world_of_callback->flags[N_FLAGS / 2])
    gaio_context_poll (flag->loop->context, FALSE);
}

/* In the midst of a dispatch, with others that were found ready; with and without a nested turn. */
static void
pair_callback (World *world)
{
  world_of_callback = world;
  watch_by (&world->flags[1], on_ready_change, G_IO_IN);
  watch_by (&world->flags[N_FLAGS / 2], on_ready_change, G_IO_IN);
  gaio_test_settle (world->loop);
  set_all (world);
  turn_until_each (world, 1);
  world->flags[1].n_notified = world->flags[N_FLAGS / 2].n_notified = 0;
}

static void
test_callback (GaioTestLoop *loop)
{
  for_each_pair (loop, pair_callback);
}

static gpointer
change_later (gpointer data)
{
  World *world = data;

  g_usleep (1000); /* the loop sleeps by now */
  gaio_context_set_monitor (world->loop->context, world->to);
  return NULL;
}

static void
pair_other_thread (World *world)
{
  GThread *thread = g_thread_new ("changer", change_later, world);

  /* The change itself ends the sleep. */
  while (gaio_context_get_monitor (world->loop->context) != world->to)
    gaio_test_turn (world->loop, TRUE);
  g_thread_join (thread);
  set_all (world);
  turn_until_each (world, 1);
}

static void
test_other_thread (GaioTestLoop *loop)
{
  for_each_pair (loop, pair_other_thread);
}

typedef struct
{
  int n;
} Always;

static void
on_always (int fd, GIOCondition condition, gpointer data)
{
  ((Always *) data)->n++;
}

/* What is ready in each turn, a writer and a regular file, goes on being so; what was removed
 * before the change, or between the change and the turn, stays away. */
static void
pair_always_ready (World *world)
{
  GaioContext *context = world->loop->context;
  g_autofree char *path = NULL;
  g_autoptr (GError) error = NULL;
  Always writer = { 0 };
  Always file = { 0 };
  int pair[2];
  int fd = g_file_open_tmp ("gaio-test-XXXXXX", &path, &error);

  g_assert_no_error (error);
  unlink (path);
  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
  gaio_context_set_fd_handler (context, pair[0], G_IO_OUT, on_always, &writer, NULL, &error);
  g_assert_no_error (error);
  gaio_context_set_fd_handler (context, fd, G_IO_IN, on_always, &file, NULL, &error);
  g_assert_no_error (error);
  gaio_test_turn_until (world->loop, &writer.n, 3);
  gaio_test_turn_until (world->loop, &file.n, 3);

  unwatch (&world->flags[0]);
  set_all (world);
  gaio_context_set_monitor (context, world->to);
  unwatch (&world->flags[1]);
  while (sum_of (world) < N_FLAGS - 2)
    gaio_test_turn (world->loop, TRUE);
  writer.n = file.n = 0;
  gaio_test_turn_until (world->loop, &writer.n, 3);
  gaio_test_turn_until (world->loop, &file.n, 3);
  g_assert_cmpint (gaio_context_get_monitor (context), ==, world->to);
  gaio_context_remove_fd_handler (context, pair[0]);
  gaio_context_remove_fd_handler (context, fd);
  writer.n = file.n = 0;
  gaio_test_settle (world->loop);
  g_assert_cmpint (writer.n + file.n, ==, 0);
  g_assert_cmpint (world->flags[0].n + world->flags[1].n, ==, 0);
  for (int i = 2; i < N_FLAGS; i++)
    g_assert_cmpint (world->flags[i].n, ==, 1);
  close (pair[0]);
  close (pair[1]);
  close (fd);
}

static void
test_always_ready (GaioTestLoop *loop)
{
  for_each_pair (loop, pair_always_ready);
}

/* ---- under load ---- */

#define ROUNDS 200

typedef struct
{
  GaioTestLoop *loop;
  Flag flag;
  atomic_int n_done;
  int n_sent;
} Echo;

static void
on_echo (int fd, GIOCondition condition, gpointer data)
{
  Echo *echo = data;

  gaio_event_notifier_test_and_clear (echo->flag.notifier);
  atomic_fetch_add (&echo->n_done, 1);
}

static gpointer
send_many (gpointer data)
{
  Echo *echo = data;

  /* In step: each is an event of its own, so that a lost one is a hang. */
  for (int i = 1; i <= ROUNDS; i++)
    {
      gaio_event_notifier_set (echo->flag.notifier);
      while (atomic_load (&echo->n_done) < i)
        g_thread_yield ();
    }
  g_atomic_int_inc (&echo->n_sent);
  return NULL;
}

static gpointer
change_many (gpointer data)
{
  Echo *echo = data;

  for (guint i = 0; !g_atomic_int_get (&echo->n_sent); i++)
    {
      gaio_context_set_monitor (echo->loop->context, monitors[i % G_N_ELEMENTS (monitors)]);
      g_usleep (i * 7 % 100);
    }
  gaio_context_notify (echo->loop->context);
  return NULL;
}

/* Events come one by one from one thread while another changes the monitor without end. */
static void
test_storm (GaioTestLoop *loop)
{
  Echo echo = { .loop = loop };
  GThread *threads[2];

  init (loop, &echo.flag);
  gaio_context_set_fd_handler (loop->context, fd_of (&echo.flag), G_IO_IN, on_echo, &echo, NULL,
                               NULL);
  threads[0] = g_thread_new ("sender", send_many, &echo);
  threads[1] = g_thread_new ("changer", change_many, &echo);
  gaio_test_turn_until (loop, &echo.n_sent, 1);
  for (int i = 0; i < 2; i++)
    g_thread_join (threads[i]);
  g_assert_cmpint (atomic_load (&echo.n_done), ==, ROUNDS);
  finish (&echo.flag);
}

typedef struct
{
  GThread *thread;
  int n;
} Listener;

static void
on_notify_monitor (GObject *object, GParamSpec *pspec, gpointer data)
{
  Listener *listener = data;

  g_assert_true (g_thread_self () == listener->thread);
  listener->n++;
}

/* Who wants to know hears of a change, in the home thread, and of none when nothing changes. */
static void
test_notify_property (GaioTestLoop *loop)
{
  Listener listener = { .thread = g_thread_self () };
  Listener reason_listener = listener;
  World world = { .loop = loop };

  g_assert_true (change_to (&world, GAIO_MONITOR_POLL));
  g_signal_connect (loop->context, "notify::monitor", G_CALLBACK (on_notify_monitor), &listener);
  g_signal_connect (loop->context, "notify::monitor-reason", G_CALLBACK (on_notify_monitor),
                    &reason_listener);
  g_assert_true (change_to (&world, GAIO_MONITOR_EPOLL));
  g_assert_cmpint (listener.n, >=, 1);
  g_assert_cmpint (reason_listener.n, >=, 1);
  listener.n = reason_listener.n = 0;
  gaio_test_settle (loop);
  g_assert_cmpint (listener.n, ==, 0);
  g_assert_cmpint (reason_listener.n, ==, 0);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);

  gaio_test_add_driver_matrix ("/monitor/idle", test_idle);
  gaio_test_add_driver_matrix ("/monitor/ready", test_ready);
  gaio_test_add_driver_matrix ("/monitor/callback", test_callback);
  gaio_test_add_driver_matrix ("/monitor/other-thread", test_other_thread);
  gaio_test_add_driver_matrix ("/monitor/always-ready", test_always_ready);
  gaio_test_add_driver_matrix ("/monitor/storm", test_storm);
  gaio_test_add_driver_matrix ("/monitor/notify-property", test_notify_property);

  return g_test_run ();
}
