/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What it costs to have a loop call a function: from another thread, and from its own. */

#include "bench-table.h"

/* ---- callbacks from another thread ---- */

#define POSTED 400000

typedef struct
{
  const Contestant *contestant;
  gpointer loop;
  int n;
} Poster;

static int n_posted;

static void
on_posted (gpointer data)
{
  n_posted++;
}

static gpointer
post (gpointer data)
{
  Poster *self = data;

  for (int i = 0; i < self->n; i++)
    self->contestant->peer->post (self->loop, on_posted, NULL);
  return NULL;
}

static double
posted (const Contestant *contestant, int pinned)
{
  Poster poster = {
    .contestant = contestant,
    .n = contestant->peer->scans ? POSTED / 4 : POSTED,
  };
  GThread *thread;
  gint64 begin_ns = 0;

  bench_pin (pinned);
  poster.loop = contestant->peer->open (contestant->arg);
  if (poster.loop != NULL)
    {
      n_posted = 0;
      begin_ns = pinned ? bench_process_ns () : bench_now_ns ();
      thread = g_thread_new ("poster", post, &poster);
      while (n_posted < poster.n)
        contestant->peer->turn (poster.loop);
      g_thread_join (thread);
      begin_ns = (pinned ? bench_process_ns () : bench_now_ns ()) - begin_ns;
      contestant->peer->close (poster.loop);
    }
  bench_pin (FALSE);
  return poster.loop != NULL ? (double) begin_ns / poster.n : BENCH_MISSING;
}

/* ---- callbacks that ask to be called again, in one thread ---- */

#define OUTSTANDING 64
#define RUNS 2000000

static double
same_thread (const Contestant *contestant, int n)
{
  const int runs = contestant->peer->scans ? RUNS / 4 : RUNS;
  gpointer loop = contestant->peer->open (contestant->arg);
  int n_runs = 0;
  gint64 begin_ns;

  if (loop == NULL)
    return BENCH_MISSING;
  contestant->peer->repeat (loop, n, &n_runs);
  begin_ns = bench_cpu_ns ();
  while (n_runs < runs)
    contestant->peer->turn (loop);
  begin_ns = bench_cpu_ns () - begin_ns;
  contestant->peer->close (loop);
  return (double) begin_ns / n_runs;
}

int
main (int argc, char **argv)
{
  static const Contestant posts[] = {
    { "a list and an eventfd", &bench_peer_raw },
    { "gaio poll", &bench_peer_gaio, GAIO_MONITOR_POLL, .at_least_m = 4.8 },
    { "gaio epoll", &bench_peer_gaio, GAIO_MONITOR_EPOLL, .at_least_m = 4.8 },
    { "gaio io_uring", &bench_peer_gaio, GAIO_MONITOR_IO_URING, .at_least_m = 4.8 },
    { "gaio io_uring, GMainContext", &bench_peer_gaio, GAIO_MONITOR_IO_URING | BENCH_SOURCE },
    { "gaio io_uring, driven", &bench_peer_gaio, GAIO_MONITOR_IO_URING | BENCH_DRIVEN },
    { "GLib", &bench_peer_glib },
    { "libuv", &bench_peer_libuv, .needs = "libuv1-dev" },
    { "libevent", &bench_peer_libevent, .needs = "libevent-dev" },
  };
  static const Contestant repeats[] = {
    { "a list", &bench_peer_raw },
    { "gaio poll", &bench_peer_gaio, GAIO_MONITOR_POLL, .at_least_m = 50 },
    { "gaio epoll", &bench_peer_gaio, GAIO_MONITOR_EPOLL, .at_least_m = 50 },
    { "gaio io_uring", &bench_peer_gaio, GAIO_MONITOR_IO_URING, .at_least_m = 50 },
    { "gaio io_uring, GMainContext", &bench_peer_gaio, GAIO_MONITOR_IO_URING | BENCH_SOURCE },
    { "gaio io_uring, driven", &bench_peer_gaio, GAIO_MONITOR_IO_URING | BENCH_DRIVEN },
    { "GLib", &bench_peer_glib },
    { "libuv", &bench_peer_libuv, .needs = "libuv1-dev" },
    { "libevent", &bench_peer_libevent, .needs = "libevent-dev" },
  };

  bench_init (argc, argv);
  BENCH_TABLE ("a callback from another thread", posted, posts, FALSE);
  BENCH_TABLE ("a callback from another thread, one processor", posted, posts, TRUE);
  BENCH_TABLE ("a callback from the same thread", same_thread, repeats, OUTSTANDING);
  return 0;
}
