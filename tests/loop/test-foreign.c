/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The descriptor that a foreign loop knows a context by is the same for good, whatever the context
 * does behind it: that loop has put it into a set of its own and does not ask again. */

#include <errno.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "gaio-test.h"

typedef struct
{
  GaioTestLoop *loop;
  int epoll_fd;
  GaioTimer *timer;
  int n;
} World;

static void
on_timer (gpointer data)
{
  ((World *) data)->n++;
}

static void
set_up (World *world, GaioTestLoop *loop)
{
  struct epoll_event event = { .events = EPOLLIN };

  *world = (World){ .loop = loop };
  world->epoll_fd = epoll_create1 (EPOLL_CLOEXEC);
  world->timer = gaio_timer_new (loop->context, GAIO_CLOCK_MONOTONIC, on_timer, world, NULL);
  g_assert_cmpint (epoll_ctl (world->epoll_fd,
                              EPOLL_CTL_ADD,
                              gaio_context_get_fd (loop->context),
                              &event),
                   ==,
                   0);
}

static void
tear_down (World *world)
{
  close (world->epoll_fd);
  g_object_unref (world->timer);
}

/* The foreign loop, until so many timers have fired. It sleeps for ever if it has to. */
static void
run_until (World *world, int n)
{
  while (world->n < n)
    {
      struct epoll_event event;
      int n_ready;

      do
        n_ready = epoll_wait (world->epoll_fd, &event, 1, -1);
      while (n_ready < 0 && errno == EINTR);
      g_assert_cmpint (n_ready, ==, 1);
      gaio_context_iterate (world->loop->context);
    }
}

static void
fire (World *world)
{
  int n = world->n;

  gaio_timer_arm_ns (world->timer, gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC) + 1000 * 1000);
  run_until (world, n + 1);
}

static void
test_change (GaioTestLoop *loop)
{
  static const GaioMonitor monitors[] = { GAIO_MONITOR_EPOLL, GAIO_MONITOR_IO_URING,
                                          GAIO_MONITOR_POLL,  GAIO_MONITOR_EPOLL,
                                          GAIO_MONITOR_AUTO,  GAIO_MONITOR_POLL,
                                          GAIO_MONITOR_IO_URING };
  World world;
  int fd;

  set_up (&world, loop);
  fd = gaio_context_get_fd (loop->context);
  fire (&world);
  for (guint i = 0; i < G_N_ELEMENTS (monitors); i++)
    {
      gaio_context_set_monitor (loop->context, monitors[i]);
      fire (&world);
      fire (&world);
      g_assert_cmpint (gaio_context_get_fd (loop->context), ==, fd);
    }
  tear_down (&world);
}

static gpointer
change_from_elsewhere (gpointer data)
{
  World *world = data;

  for (int i = 0; i < 20; i++)
    {
      gaio_context_set_monitor (world->loop->context,
                                i % 2 == 0 ? GAIO_MONITOR_EPOLL : GAIO_MONITOR_IO_URING);
      g_usleep (500);
    }
  return NULL;
}

static void
test_change_elsewhere (GaioTestLoop *loop)
{
  World world;
  GThread *thread;

  set_up (&world, loop);
  thread = g_thread_new ("changer", change_from_elsewhere, &world);
  for (int i = 0; i < 20; i++)
    fire (&world);
  g_thread_join (thread);
  fire (&world);
  tear_down (&world);
}

typedef struct
{
  GaioTestLoop *loop;
  GaioEventNotifier *notifier;
  atomic_bool stop;
} Churn;

static void
on_ready (gpointer data)
{
}

static gpointer
churn (gpointer data)
{
  Churn *self = data;
  const GaioFdHandlers handlers = { .read = on_ready };

  while (!atomic_load (&self->stop))
    {
      int fd = gaio_event_notifier_get_fd (self->notifier);

      gaio_context_set_fd_handlers (self->loop->context, fd, &handlers, NULL, NULL, NULL);
      g_thread_yield ();
      gaio_context_remove_fd_handler (self->loop->context, fd);
    }
  return NULL;
}

/* A handler that is removed between its event and the look at it. */
static void
test_removals (GaioTestLoop *loop)
{
  Churn self = { .loop = loop, .notifier = gaio_event_notifier_new (NULL) };
  World world;
  GThread *thread;

  gaio_event_notifier_set (self.notifier);
  set_up (&world, loop);
  thread = g_thread_new ("churn", churn, &self);
  for (int i = 0; i < 100; i++)
    fire (&world);
  atomic_store (&self.stop, TRUE);
  g_thread_join (thread);
  fire (&world);
  tear_down (&world);
  g_object_unref (self.notifier);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  gaio_test_add_loop_matrix ("/foreign/change", test_change);
  gaio_test_add_loop_matrix ("/foreign/change-elsewhere", test_change_elsewhere);
  gaio_test_add_loop_matrix ("/foreign/removals", test_removals);
  return g_test_run ();
}
