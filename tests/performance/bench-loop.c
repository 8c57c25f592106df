/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the loop costs: an event of one descriptor beside many that are idle, and a trip from one
 * loop to another in another thread and back. */

#include <fcntl.h>
#include <stdio.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench-table.h"

/* ---- one event beside idle descriptors ---- */

#define EVENTS 50000

static int pipe_fds[2];
static int n_received;

static void
send_byte (void)
{
  g_assert_cmpint (write (pipe_fds[1], "x", 1), ==, 1);
}

static void
receive_byte (gpointer data)
{
  char byte;

  if (read (pipe_fds[0], &byte, 1) == 1)
    n_received++;
}

static void
do_nothing (gpointer data)
{
}

static double
beside_idle (const Contestant *self, int n)
{
  const int events = self->peer->scans ? MAX (20, 1000000 / (n + 50)) : EVENTS;
  gpointer loop = self->peer->open (self->arg);
  g_autofree int *idle_fds = g_new (int, n);
  gint64 begin_ns = 0;

  if (loop == NULL)
    return BENCH_MISSING;
  for (int i = 0; i < n; i++)
    {
      idle_fds[i] = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
      g_assert_cmpint (idle_fds[i], >=, 0);
      self->peer->watch (loop, idle_fds[i], do_nothing, NULL);
    }
  /* The last: a poll(2) is cheap once it has come upon one that is ready. */
  g_assert_cmpint (pipe2 (pipe_fds, O_CLOEXEC | O_NONBLOCK), ==, 0);
  self->peer->watch (loop, pipe_fds[0], receive_byte, NULL);
  for (int i = -events / 50; i < events; i++)
    {
      int before = n_received;

      if (i == 0)
        begin_ns = bench_cpu_ns ();
      send_byte ();
      while (n_received == before)
        self->peer->turn (loop);
    }
  begin_ns = bench_cpu_ns () - begin_ns;
  self->peer->close (loop);
  for (int i = 0; i < n; i++)
    close (idle_fds[i]);
  close (pipe_fds[0]);
  close (pipe_fds[1]);
  return (double) begin_ns / events;
}

/* ---- from one loop to another and back ---- */

#define TRIPS 20000

/* Two threads, an eventfd each. */
typedef struct
{
  const Contestant *contestant;
  int own_fd, other_fd;
  int n;
  gboolean serves; /* begins */
} Player;

static void
hit (Player *self)
{
  static const guint64 one = 1;

  g_assert_cmpint (write (self->other_fd, &one, sizeof one), ==, sizeof one);
}

static void
on_ball (gpointer data)
{
  Player *self = data;
  guint64 count;

  if (read (self->own_fd, &count, sizeof count) != sizeof count)
    return;
  self->n++;
  if (self->n < TRIPS || !self->serves)
    hit (self);
}

static gpointer
play (gpointer data)
{
  Player *self = data;
  const BenchPeer *peer = self->contestant->peer;
  gpointer loop = peer->open (self->contestant->arg);

  peer->watch (loop, self->own_fd, on_ball, self);
  if (self->serves)
    hit (self);
  while (self->n < TRIPS)
    peer->turn (loop);
  peer->close (loop);
  return NULL;
}

static double
ping_pong (const Contestant *contestant, int pinned)
{
  int fds[2] = { eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK), eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK) };
  Player left = { contestant, fds[0], fds[1], .serves = TRUE };
  Player right = { contestant, fds[1], fds[0] };
  gpointer loop = contestant->peer->open (contestant->arg);
  GThread *threads[2];
  gint64 begin_ns;

  if (loop == NULL)
    return BENCH_MISSING;
  contestant->peer->close (loop);
  bench_pin (pinned);
  begin_ns = pinned ? bench_process_ns () : bench_now_ns ();
  threads[0] = g_thread_new ("left", play, &left);
  threads[1] = g_thread_new ("right", play, &right);
  g_thread_join (threads[0]);
  g_thread_join (threads[1]);
  begin_ns = (pinned ? bench_process_ns () : bench_now_ns ()) - begin_ns;
  bench_pin (FALSE);
  close (fds[0]);
  close (fds[1]);
  return (double) begin_ns / TRIPS;
}

int
main (int argc, char **argv)
{
  static const Contestant idle[] = {
    { "epoll", &bench_peer_raw },
    { "io_uring, one-shot polls", &bench_peer_uring, .needs = "liburing-dev" },
    { "gaio poll", &bench_peer_gaio_poll, GAIO_MONITOR_POLL },
    { "gaio epoll", &bench_peer_gaio, GAIO_MONITOR_EPOLL, .at_most = 1.1 },
    { "gaio io_uring", &bench_peer_gaio, GAIO_MONITOR_IO_URING, .at_most = 1 },
    { "gaio epoll, GMainContext", &bench_peer_gaio, GAIO_MONITOR_EPOLL | BENCH_SOURCE },
    { "gaio io_uring, GMainContext", &bench_peer_gaio, GAIO_MONITOR_IO_URING | BENCH_SOURCE },
    { "gaio epoll, driven", &bench_peer_gaio, GAIO_MONITOR_EPOLL | BENCH_DRIVEN },
    { "gaio io_uring, driven", &bench_peer_gaio, GAIO_MONITOR_IO_URING | BENCH_DRIVEN },
    { "GLib", &bench_peer_glib },
    { "libuv", &bench_peer_libuv, .needs = "libuv1-dev" },
    { "libevent", &bench_peer_libevent, .needs = "libevent-dev" },
  };
  static const Contestant trips[] = {
    { "epoll", &bench_peer_raw },
    { "io_uring, one-shot polls", &bench_peer_uring, .needs = "liburing-dev" },
    { "gaio poll", &bench_peer_gaio_poll, GAIO_MONITOR_POLL },
    { "gaio epoll", &bench_peer_gaio, GAIO_MONITOR_EPOLL, .at_most = 1 },
    { "gaio io_uring", &bench_peer_gaio, GAIO_MONITOR_IO_URING, .at_most = 1 },
    { "gaio epoll, GMainContext", &bench_peer_gaio, GAIO_MONITOR_EPOLL | BENCH_SOURCE },
    { "gaio io_uring, GMainContext", &bench_peer_gaio, GAIO_MONITOR_IO_URING | BENCH_SOURCE },
    { "gaio epoll, driven", &bench_peer_gaio, GAIO_MONITOR_EPOLL | BENCH_DRIVEN },
    { "gaio io_uring, driven", &bench_peer_gaio, GAIO_MONITOR_IO_URING | BENCH_DRIVEN },
    { "GLib", &bench_peer_glib },
    { "libuv", &bench_peer_libuv, .needs = "libuv1-dev" },
    { "libevent", &bench_peer_libevent, .needs = "libevent-dev" },
  };
  static const int sizes[] = { 10, 100, 1000, 10000 };
  static const char *const flat[] = { "gaio epoll", "gaio io_uring" };
  static const char *const flat_in_glib[] = { "gaio epoll, GMainContext",
                                              "gaio io_uring, GMainContext", "gaio epoll, driven",
                                              "gaio io_uring, driven" };
  struct rlimit limit;

  bench_init (argc, argv);
  getrlimit (RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit (RLIMIT_NOFILE, &limit);
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autofree char *title = g_strdup_printf ("an event beside %d idle descriptors", sizes[i]);

      if (limit.rlim_cur > (rlim_t) sizes[i] + 100)
        BENCH_TABLE (title, beside_idle, idle, sizes[i]);
      else
        printf ("\n%s: not available here, only %d may be open\n", title, (int) limit.rlim_cur);
    }
  for (guint i = 0; i < G_N_ELEMENTS (flat); i++)
    bench_compare ("an event beside 10 idle descriptors", "an event beside 10000 idle descriptors",
                   flat[i], 1.05);
  for (guint i = 0; i < G_N_ELEMENTS (flat_in_glib); i++)
    bench_compare ("an event beside 10 idle descriptors", "an event beside 10000 idle descriptors",
                   flat_in_glib[i], 1.1);
  BENCH_TABLE ("a trip to another loop and back", ping_pong, trips, FALSE);
  BENCH_TABLE ("a trip to another loop and back, one processor", ping_pong, trips, TRUE);
  return 0;
}
