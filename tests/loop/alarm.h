/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the tests of timers and clocks have in common: a timer that counts, and looks whether it is
 * early. */

#pragma once

#include "gaio-test.h"

#define MS G_GINT64_CONSTANT (1000000)

typedef struct
{
  GaioTestLoop *loop;
  GaioTimer *timer;
  GaioTimer *other;
  GaioClock clock;
  gint64 deadline_ns;
  gint64 again_ns; /* arms itself for so much later, while n < max */
  int n;
  int max;
  int n_notified;
} Alarm;

G_GNUC_UNUSED static gint64
now_ns (void)
{
  return gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC);
}

G_GNUC_UNUSED static void
arm (Alarm *alarm, gint64 delay_ns)
{
  alarm->deadline_ns = gaio_clock_get_ns (alarm->clock) + delay_ns;
  gaio_timer_arm_ns (alarm->timer, alarm->deadline_ns);
}

G_GNUC_UNUSED static void
on_time (gpointer data)
{
  Alarm *alarm = data;

  g_assert_cmpint (gaio_clock_get_ns (alarm->clock), >=, alarm->deadline_ns);
  g_assert_false (gaio_timer_is_pending (alarm->timer));
  alarm->n++;
  if (alarm->n < alarm->max)
    arm (alarm, alarm->again_ns);
}

G_GNUC_UNUSED static void
on_notify (gpointer data)
{
  ((Alarm *) data)->n_notified++;
}

G_GNUC_UNUSED static void
set_up_for (GaioTestLoop *loop, Alarm *alarm, GaioFunc func)
{
  alarm->loop = loop;
  alarm->timer = gaio_timer_new (loop->context, alarm->clock, func, alarm, on_notify);
}

G_GNUC_UNUSED static void
set_up (GaioTestLoop *loop, Alarm *alarm)
{
  set_up_for (loop, alarm, on_time);
}

G_GNUC_UNUSED static void
tear_down (Alarm *alarm)
{
  gaio_timer_cancel (alarm->timer);
  g_clear_object (&alarm->timer);
  g_assert_cmpint (alarm->n_notified, ==, 1);
}
