/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a timer costs, armed and cancelled, and what an event costs beside many that are pending. */

#include <fcntl.h>
#include <unistd.h>

#include "bench-table.h"

static int pipe_fds[2];
static int n_received;

static void
do_nothing (gpointer data)
{
}

static void
receive_byte (gpointer data)
{
  char byte;

  if (read (pipe_fds[0], &byte, 1) == 1)
    n_received++;
}

/* The reference: a binary heap of pointers to timers that know their place. */
typedef struct
{
  gint64 deadline_ns;
  int index;
} RawTimer;

static RawTimer **heap;
static int heap_size;

static void
heap_place (int index, RawTimer *timer)
{
  heap[index] = timer;
  timer->index = index;
}

static void
heap_up (int index, RawTimer *timer)
{
  while (index > 0 && heap[(index - 1) / 2]->deadline_ns > timer->deadline_ns)
    {
      heap_place (index, heap[(index - 1) / 2]);
      index = (index - 1) / 2;
    }
  heap_place (index, timer);
}

static void
heap_down (int index, RawTimer *timer)
{
  for (int child; (child = 2 * index + 1) < heap_size; index = child)
    {
      if (child + 1 < heap_size && heap[child + 1]->deadline_ns < heap[child]->deadline_ns)
        child++;
      if (heap[child]->deadline_ns >= timer->deadline_ns)
        break;
      heap_place (index, heap[child]);
    }
  heap_place (index, timer);
}

enum
{
  ARM,
  CANCEL,
};

static gint64
random_deadline (guint64 *state)
{
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return G_GINT64_CONSTANT (1) << 60 | (gint64) (*state % 200000000);
}

static double
timers_raw (int phase, int n)
{
  g_autofree RawTimer *timers = g_new0 (RawTimer, n);
  guint64 state = 88172645463325252u;
  gint64 times_ns[3];

  heap = g_new (RawTimer *, n);
  heap_size = 0;
  times_ns[0] = bench_cpu_ns ();
  for (int i = 0; i < n; i++)
    {
      timers[i].deadline_ns = random_deadline (&state);
      heap_size++;
      heap_up (heap_size - 1, &timers[i]);
    }
  times_ns[1] = bench_cpu_ns ();
  for (int i = 0; i < n; i++)
    {
      RawTimer *last = heap[--heap_size];
      int index = timers[i].index;

      if (last == &timers[i])
        continue;
      if (index > 0 && heap[(index - 1) / 2]->deadline_ns > last->deadline_ns)
        heap_up (index, last);
      else
        heap_down (index, last);
    }
  times_ns[2] = bench_cpu_ns ();
  g_clear_pointer (&heap, g_free);
  return (double) (times_ns[phase + 1] - times_ns[phase]) / n;
}

static double
timers_gaio (int phase, int n)
{
  g_autoptr (GaioContext) context = gaio_context_new (NULL);
  g_autofree GaioTimer **timers = g_new (GaioTimer *, n);
  guint64 state = 88172645463325252u;
  gint64 times_ns[3];

  for (int i = 0; i < n; i++)
    timers[i] = gaio_timer_new (context, GAIO_CLOCK_MONOTONIC, do_nothing, NULL, NULL);
  times_ns[0] = bench_cpu_ns ();
  for (int i = 0; i < n; i++)
    gaio_timer_arm_ns (timers[i], random_deadline (&state));
  times_ns[1] = bench_cpu_ns ();
  for (int i = 0; i < n; i++)
    gaio_timer_cancel (timers[i]);
  times_ns[2] = bench_cpu_ns ();
  for (int i = 0; i < n; i++)
    g_object_unref (timers[i]);
  return (double) (times_ns[phase + 1] - times_ns[phase]) / n;
}

static double
timers_glib (int phase, int n)
{
  g_autoptr (GMainContext) main_context = g_main_context_new ();
  g_autofree GSource **timers = g_new (GSource *, n);
  guint64 state = 88172645463325252u;
  gint64 times_ns[3];

  times_ns[0] = bench_cpu_ns ();
  for (int i = 0; i < n; i++)
    {
      timers[i] = g_timeout_source_new ((guint) (random_deadline (&state) % G_MAXINT));
      g_source_attach (timers[i], main_context);
    }
  times_ns[1] = bench_cpu_ns ();
  for (int i = 0; i < n; i++)
    {
      g_source_destroy (timers[i]);
      g_source_unref (timers[i]);
    }
  times_ns[2] = bench_cpu_ns ();
  return (double) (times_ns[phase + 1] - times_ns[phase]) / n;
}

/* An event with so many timers pending. */
static double
event_beside_timers (int kind, int n)
{
  const int events = 50000;
  const GaioFdHandlers active = { .read = receive_byte };
  g_autoptr (GaioContext) context = gaio_context_new (NULL);
  g_autoptr (GMainContext) main_context = g_main_context_new ();
  g_autofree GaioTimer **timers = NULL;
  guint64 state = 88172645463325252u;
  gint64 begin_ns;

  n = kind % BY_SOURCE ? n : 100;
  timers = g_new (GaioTimer *, n);
  if (kind & BY_SOURCE)
    gaio_context_attach (context, main_context);
  g_assert_cmpint (pipe2 (pipe_fds, O_CLOEXEC | O_NONBLOCK), ==, 0);
  gaio_context_set_fd_handlers (context, pipe_fds[0], &active, NULL, NULL, NULL);
  for (int i = 0; i < n; i++)
    {
      timers[i] = gaio_timer_new (context, GAIO_CLOCK_MONOTONIC, do_nothing, NULL, NULL);
      gaio_timer_arm_ns (timers[i], random_deadline (&state));
    }
  begin_ns = bench_cpu_ns ();
  for (int i = 0; i < events; i++)
    {
      int before = n_received;

      g_assert_cmpint (write (pipe_fds[1], "x", 1), ==, 1);
      while (n_received == before)
        if (kind & BY_SOURCE)
          g_main_context_iteration (main_context, TRUE);
        else
          gaio_context_poll (context, TRUE);
    }
  begin_ns = bench_cpu_ns () - begin_ns;
  for (int i = 0; i < n; i++)
    {
      gaio_timer_cancel (timers[i]);
      g_object_unref (timers[i]);
    }
  gaio_context_remove_fd_handler (context, pipe_fds[0]);
  g_clear_object (&context);
  close (pipe_fds[0]);
  close (pipe_fds[1]);
  return (double) begin_ns / events;
}

int
main (int argc, char **argv)
{
  static const Contestant arm[] = {
    { "a binary heap", timers_raw, ARM },
    { "gaio", timers_gaio, ARM },
    { "GLib", timers_glib, ARM },
  };
  static const Contestant cancel[] = {
    { "a binary heap", timers_raw, CANCEL },
    { "gaio", timers_gaio, CANCEL },
    { "GLib", timers_glib, CANCEL },
  };
  static const Contestant beside_timers[] = {
    { "gaio, 100", event_beside_timers, 0 },
    { "gaio, 100,000", event_beside_timers, 1 },
    { "gaio, GMainContext, 100", event_beside_timers, BY_SOURCE },
    { "gaio, GMainContext, 100,000", event_beside_timers, BY_SOURCE | 1 },
  };

  bench_init (argc, argv);
  BENCH_TABLE ("arming one of 100000 timers", arm, 100000);
  BENCH_TABLE ("cancelling one of 100000 timers", cancel, 100000);
  BENCH_TABLE ("arming one of 1000000 timers", arm, 1000000);
  BENCH_TABLE ("cancelling one of 1000000 timers", cancel, 1000000);
  BENCH_TABLE ("an event beside pending timers", beside_timers, 100000);
  return 0;
}
