/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a timer costs: made, armed, cancelled, fired; and what an event costs beside many that are
 * pending. */

#include <fcntl.h>
#include <unistd.h>

#include "bench-table.h"

/* In the far future, so that none fires. */
#define NEVER_NS (G_GINT64_CONSTANT (1) << 60)
#define SPREAD_NS 200000000

static gint64 *
make_deadlines (int n)
{
  guint64 state = 88172645463325252u;
  gint64 *deadlines_ns = g_new (gint64, n);

  for (int i = 0; i < n; i++)
    deadlines_ns[i] = NEVER_NS + (gint64) (bench_random (&state) % SPREAD_NS);
  return deadlines_ns;
}

enum
{
  MAKE,
  ARM,
  CANCEL,
  N_PHASES,
};

/* What the phase takes for each of n timers. */
static double
phase_ns (const Contestant *contestant, int n, int first_phase, int last_phase)
{
  const BenchPeer *peer = contestant->peer;
  gpointer loop = peer->open (contestant->arg);
  g_autofree gint64 *deadlines_ns = make_deadlines (n);
  gint64 times_ns[N_PHASES + 1];
  int n_fired = 0;

  if (loop == NULL)
    return BENCH_MISSING;
  times_ns[MAKE] = bench_cpu_ns ();
  peer->make_timers (loop, n, &n_fired);
  times_ns[ARM] = bench_cpu_ns ();
  peer->arm_timers (loop, deadlines_ns, n);
  times_ns[CANCEL] = bench_cpu_ns ();
  peer->cancel_timers (loop, n);
  times_ns[N_PHASES] = bench_cpu_ns ();
  peer->close (loop);
  return (double) (times_ns[last_phase + 1] - times_ns[first_phase]) / n;
}

static double
make_and_arm (const Contestant *contestant, int n)
{
  return phase_ns (contestant, n, MAKE, ARM);
}

static double
arm (const Contestant *contestant, int n)
{
  return phase_ns (contestant, n, ARM, ARM);
}

static double
cancel (const Contestant *contestant, int n)
{
  return phase_ns (contestant, n, CANCEL, CANCEL);
}

/* All are due before the first turn, in an order that has nothing to do with that of arming. */
static double
fire (const Contestant *contestant, int n)
{
  const BenchPeer *peer = contestant->peer;
  gpointer loop = peer->open (contestant->arg);
  g_autofree gint64 *deadlines_ns = make_deadlines (n);
  gint64 begin_ns = bench_now_ns ();
  int n_fired = 0;

  if (loop == NULL)
    return BENCH_MISSING;
  for (int i = 0; i < n; i++)
    deadlines_ns[i] += begin_ns + 10000000 - NEVER_NS;
  peer->make_timers (loop, n, &n_fired);
  peer->arm_timers (loop, deadlines_ns, n);
  while (bench_now_ns () < begin_ns + 12000000 + SPREAD_NS)
    g_usleep (1000);
  begin_ns = bench_cpu_ns ();
  while (n_fired < n)
    peer->turn (loop);
  begin_ns = bench_cpu_ns () - begin_ns;
  peer->close (loop);
  return (double) begin_ns / n;
}

/* ---- an event with so many timers pending ---- */

static int pipe_fds[2];
static int n_received;

static void
receive_byte (gpointer data)
{
  char byte;

  if (read (pipe_fds[0], &byte, 1) == 1)
    n_received++;
}

static double
beside_timers (const Contestant *contestant, int n)
{
  const int events = contestant->peer->scans ? MAX (20, 1000000 / (n + 50)) : 50000;
  const BenchPeer *peer = contestant->peer;
  gpointer loop = peer->open (contestant->arg);
  g_autofree gint64 *deadlines_ns = make_deadlines (n);
  gint64 begin_ns;
  int n_fired = 0;

  if (loop == NULL)
    return BENCH_MISSING;
  g_assert_cmpint (pipe2 (pipe_fds, O_CLOEXEC | O_NONBLOCK), ==, 0);
  peer->watch (loop, pipe_fds[0], receive_byte, NULL);
  peer->make_timers (loop, n, &n_fired);
  peer->arm_timers (loop, deadlines_ns, n);
  begin_ns = bench_cpu_ns ();
  for (int i = 0; i < events; i++)
    {
      int before = n_received;

      g_assert_cmpint (write (pipe_fds[1], "x", 1), ==, 1);
      while (n_received == before)
        peer->turn (loop);
    }
  begin_ns = bench_cpu_ns () - begin_ns;
  peer->cancel_timers (loop, n);
  peer->close (loop);
  close (pipe_fds[0]);
  close (pipe_fds[1]);
  return (double) begin_ns / events;
}

int
main (int argc, char **argv)
{
  static const Contestant timers[] = {
    { "a heap", &bench_peer_raw },
    { "gaio", &bench_peer_gaio, GAIO_MONITOR_EPOLL, .at_most = 1.2 },
    { "GLib", &bench_peer_glib },
    { "libuv", &bench_peer_libuv, .needs = "libuv1-dev" },
    { "libevent", &bench_peer_libevent, .needs = "libevent-dev" },
  };
  static const Contestant fired[] = {
    { "a heap", &bench_peer_raw },
    { "gaio", &bench_peer_gaio, GAIO_MONITOR_EPOLL, .at_most = 1.1 },
    { "gaio, GMainContext", &bench_peer_gaio, GAIO_MONITOR_EPOLL | BENCH_SOURCE },
    { "GLib", &bench_peer_glib },
    { "libuv", &bench_peer_libuv, .needs = "libuv1-dev" },
    { "libevent", &bench_peer_libevent, .needs = "libevent-dev" },
  };
  static const Contestant loops[] = {
    { "epoll", &bench_peer_raw },
    { "gaio poll", &bench_peer_gaio, GAIO_MONITOR_POLL },
    { "gaio epoll", &bench_peer_gaio, GAIO_MONITOR_EPOLL },
    { "gaio io_uring", &bench_peer_gaio, GAIO_MONITOR_IO_URING },
    { "gaio io_uring, GMainContext", &bench_peer_gaio, GAIO_MONITOR_IO_URING | BENCH_SOURCE },
    { "gaio io_uring, driven", &bench_peer_gaio, GAIO_MONITOR_IO_URING | BENCH_DRIVEN },
    { "GLib", &bench_peer_glib },
    { "libuv", &bench_peer_libuv, .needs = "libuv1-dev" },
    { "libevent", &bench_peer_libevent, .needs = "libevent-dev" },
  };
  static const int sizes[] = { 100000, 1000000 };
  static const char *const flat[] = { "gaio epoll", "gaio io_uring", "gaio io_uring, GMainContext",
                                      "gaio io_uring, driven" };

  bench_init (argc, argv);
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      static const struct
      {
        const char *what;
        BenchFunc run;
      } phases[] = {
        { "making and arming", make_and_arm },
        { "arming", arm },
        { "cancelling", cancel },
      };

      for (guint j = 0; j < G_N_ELEMENTS (phases); j++)
        {
          g_autofree char *title =
              g_strdup_printf ("%s one of %d timers", phases[j].what, sizes[i]);

          BENCH_TABLE (title, phases[j].run, timers, sizes[i]);
        }
    }
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autofree char *title = g_strdup_printf ("firing one of %d timers", sizes[i]);

      BENCH_TABLE (title, fire, fired, sizes[i]);
    }
  BENCH_TABLE ("an event beside 100 pending timers", beside_timers, loops, 100);
  BENCH_TABLE ("an event beside 100000 pending timers", beside_timers, loops, 100000);
  for (guint i = 0; i < G_N_ELEMENTS (flat); i++)
    bench_compare ("an event beside 100 pending timers", "an event beside 100000 pending timers",
                   flat[i], 1.05);
  return 0;
}
