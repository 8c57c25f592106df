/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* How late timers are: one at a time, for a random while of 0.1 to 5 ms, in a loop that has nothing
 * else to do. GLib's own are asked for whole milliseconds, so that what they are asked is what they
 * can do. */

#include <stdio.h>
#include <stdlib.h>

#include "bench-table.h"

#define DEFAULT_DEADLINES 500

typedef struct
{
  GMainContext *main_context;
  GaioContext *context;
  GaioTimer *timer;
  gint64 deadline_ns;
  gint64 late_ns; /* -1: it has not come yet */
} Alarm;

static void
on_time (gpointer data)
{
  Alarm *self = data;

  self->late_ns = bench_now_ns () - self->deadline_ns;
}

static gboolean
on_timeout (gpointer data)
{
  on_time (data);
  return G_SOURCE_REMOVE;
}

static void
await_glib (Alarm *self, gint64 delay_ns)
{
  guint delay_ms = (guint) (delay_ns / 1000000 + 1);
  g_autoptr (GSource) source = g_timeout_source_new (delay_ms);

  g_source_set_callback (source, on_timeout, self, NULL);
  self->deadline_ns = bench_now_ns () + delay_ms * G_GINT64_CONSTANT (1000000);
  g_source_attach (source, self->main_context);
  while (self->late_ns < 0)
    g_main_context_iteration (self->main_context, TRUE);
}

static void
await_gaio (Alarm *self, gint64 delay_ns)
{
  self->deadline_ns = bench_now_ns () + delay_ns;
  gaio_timer_arm_ns (self->timer, self->deadline_ns);
  while (self->late_ns < 0)
    if (self->main_context != NULL)
      g_main_context_iteration (self->main_context, TRUE);
    else
      gaio_context_poll (self->context, TRUE);
}

static int
compare_lateness (const void *a, const void *b)
{
  gint64 x = *(const gint64 *) a;
  gint64 y = *(const gint64 *) b;

  return (x > y) - (x < y);
}

static void
measure (const char *name, int kind, int n)
{
  g_autofree gint64 *late_ns = g_new (gint64, n);
  g_autoptr (GMainContext) main_context = kind < 0 || kind & BY_SOURCE ? g_main_context_new ()
                                                                       : NULL;
  g_autoptr (GaioContext) context = kind < 0 ? NULL : bench_make_context (kind);
  Alarm alarm = { .main_context = main_context, .context = context };
  guint32 state = 2463534242u;

  if (kind >= 0 && context == NULL)
    {
      printf ("  %-34s not available here\n", name);
      return;
    }
  if (context != NULL)
    {
      if (main_context != NULL)
        gaio_context_attach (context, main_context);
      alarm.timer = gaio_timer_new (context, GAIO_CLOCK_MONOTONIC, on_time, &alarm, NULL);
    }
  for (int i = 0; i < n; i++)
    {
      state ^= state << 13;
      state ^= state >> 17;
      state ^= state << 5;
      alarm.late_ns = -1;
      (kind < 0 ? await_glib : await_gaio) (&alarm, 100000 + state % 4900000);
      late_ns[i] = alarm.late_ns;
    }
  g_clear_object (&alarm.timer);
  qsort (late_ns, n, sizeof *late_ns, compare_lateness);
  printf ("  %-34s %9.1f %9.1f %9.1f %9.1f\n",
          name,
          late_ns[0] / 1e3,
          late_ns[n / 2] / 1e3,
          late_ns[n * 99 / 100] / 1e3,
          late_ns[n - 1] / 1e3);
  fflush (stdout);
}

int
main (int argc, char **argv)
{
  int n = argc > 2 ? MAX (atoi (argv[2]), 1) : DEFAULT_DEADLINES; /* --deadlines N */

  printf ("how late, in microseconds; %d deadlines each\n", n);
  printf ("  %-34s %9s %9s %9s %9s\n", "", "min", "median", "p99", "max");
  measure ("GLib", -1, n);
  measure ("gaio, GMainContext, poll", GAIO_MONITOR_POLL | BY_SOURCE, n);
  measure ("gaio, GMainContext, epoll", GAIO_MONITOR_EPOLL | BY_SOURCE, n);
  measure ("gaio, GMainContext, io_uring", GAIO_MONITOR_IO_URING | BY_SOURCE, n);
  measure ("gaio, poll", GAIO_MONITOR_POLL, n);
  measure ("gaio, epoll", GAIO_MONITOR_EPOLL, n);
  measure ("gaio, io_uring", GAIO_MONITOR_IO_URING, n);
  return 0;
}
