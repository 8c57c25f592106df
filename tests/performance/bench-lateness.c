/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* How late timers are: one at a time, in a loop that has nothing else to do. The deadlines are 0.1
 * to 5 ms away, at any nanosecond. Loops that count in milliseconds are late for that alone, so
 * GLib is there a second time, asked for what it can do. */

#include "bench-table.h"

#define DEADLINES 100 /* a round */

/* The arg of GLib, which has no use for it. */
#define WHOLE_MS 1

static double
lateness (const Contestant *contestant, double *values, int n)
{
  static guint64 state = 88172645463325252u;
  const BenchPeer *peer = contestant->peer;
  gboolean whole_ms = peer == &bench_peer_glib && contestant->arg == WHOLE_MS;
  gpointer loop = peer->open (contestant->arg);
  int n_fired = 0;

  if (loop == NULL)
    return BENCH_MISSING;
  peer->make_timers (loop, 1, &n_fired);
  for (int i = 0; i < n; i++)
    {
      gint64 delay_ns = 100000 + (gint64) (bench_random (&state) % 4900000);
      gint64 deadline_ns =
          bench_now_ns () + (whole_ms ? (delay_ns / 1000000 + 1) * 1000000 : delay_ns);

      peer->arm_timers (loop, &deadline_ns, 1);
      while (n_fired == i)
        peer->turn (loop);
      values[i] = (bench_now_ns () - deadline_ns) / 1e3;
    }
  peer->close (loop);
  return 0;
}

int
main (int argc, char **argv)
{
  static const Contestant contestants[] = {
    { "epoll", &bench_peer_raw },
    { "gaio poll", &bench_peer_gaio, GAIO_MONITOR_POLL },
    { "gaio epoll", &bench_peer_gaio, GAIO_MONITOR_EPOLL },
    { "gaio io_uring", &bench_peer_gaio, GAIO_MONITOR_IO_URING },
    { "gaio poll, GMainContext", &bench_peer_gaio, GAIO_MONITOR_POLL | BENCH_SOURCE },
    { "gaio epoll, GMainContext", &bench_peer_gaio, GAIO_MONITOR_EPOLL | BENCH_SOURCE },
    { "gaio io_uring, GMainContext", &bench_peer_gaio, GAIO_MONITOR_IO_URING | BENCH_SOURCE },
    { "gaio epoll, driven", &bench_peer_gaio, GAIO_MONITOR_EPOLL | BENCH_DRIVEN },
    { "gaio io_uring, driven", &bench_peer_gaio, GAIO_MONITOR_IO_URING | BENCH_DRIVEN },
    { "GLib", &bench_peer_glib },
    { "GLib, whole milliseconds", &bench_peer_glib, WHOLE_MS },
    { "libuv", &bench_peer_libuv, .needs = "libuv1-dev" },
    { "libevent", &bench_peer_libevent, .needs = "libevent-dev" },
  };

  bench_init (argc, argv);
  BENCH_DISTRIBUTION ("how late a timer fires, in microseconds", lateness, contestants, DEADLINES);
  return 0;
}
