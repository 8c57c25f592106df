/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Timers: once for each arming, never early, in the order of deadlines. No test says how late a
 * timer may be: that depends on the machine. */

#include <stdlib.h>

#include "alarm.h"

#define MANY 100000

static GString *record;

/* Time alone does not fire it, a turn does; a blocking turn waits for it. */
static void
test_schedule (GaioTestLoop *loop)
{
  Alarm a = { .max = 2, .again_ns = 15 * MS };

  set_up (loop, &a);
  g_assert_false (gaio_timer_is_pending (a.timer));
  g_assert_cmpint (gaio_timer_get_deadline_ns (a.timer), ==, -1);
  gaio_test_settle (loop);
  arm (&a, 20 * MS);
  g_assert_true (gaio_timer_is_pending (a.timer));
  g_assert_cmpint (gaio_timer_get_deadline_ns (a.timer), ==, a.deadline_ns);
  g_usleep (25000);
  g_assert_cmpint (a.n, ==, 0);
  g_assert_true (gaio_test_turn (loop, FALSE));
  g_assert_cmpint (a.n, ==, 1);
  g_assert_true (gaio_timer_is_pending (a.timer));

  gaio_test_turn_until (loop, &a.n, 2);
  g_assert_cmpint (now_ns (), >=, a.deadline_ns);
  g_assert_false (gaio_timer_is_pending (a.timer));
  gaio_test_settle (loop);
  g_assert_cmpint (a.n, ==, 2);
  tear_down (&a);
}

/* Waits of all sizes, also below a millisecond. on_time() checks each. The loop sleeps for them: it
 * does not spin until it is time. */
static void
test_never_early (GaioTestLoop *loop)
{
  static const gint64 delays_ns[] = { 0,      1,      999,     1000,    49999,
                                      100001, 999999, 1 * MS, 1500001, 2 * MS + 1 };
  Alarm a = { 0 };

  set_up (loop, &a);
  for (guint i = 0; i < G_N_ELEMENTS (delays_ns); i++)
    {
      int turns = 0;

      arm (&a, delays_ns[i]);
      for (; a.n <= (int) i; turns++)
        gaio_test_turn (loop, TRUE);
      g_assert_cmpint (a.n, ==, (int) i + 1);
      g_assert_cmpint (turns, <, 10);
    }
  tear_down (&a);
}

static void
test_wall_clock (GaioTestLoop *loop)
{
  Alarm a = { .clock = GAIO_CLOCK_WALL };

  /* Since 1970, so somewhere after this was written. */
  g_assert_cmpint (gaio_clock_get_ns (GAIO_CLOCK_WALL) / (1000 * MS), >, 1700000000);
  set_up (loop, &a);
  arm (&a, 3 * MS);
  gaio_test_turn_until (loop, &a.n, 1);
  tear_down (&a);
}

static void
test_cancel (GaioTestLoop *loop)
{
  Alarm a = { 0 };

  set_up (loop, &a);
  gaio_timer_cancel (a.timer);
  arm (&a, 0);
  gaio_timer_cancel (a.timer);
  g_assert_false (gaio_timer_is_pending (a.timer));
  gaio_timer_cancel (a.timer);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n, ==, 0);
  arm (&a, 0);
  gaio_test_turn_until (loop, &a.n, 1);
  tear_down (&a);
}

/* Arming again replaces the deadline, in both directions. */
static void
test_rearm (GaioTestLoop *loop)
{
  Alarm a = { 0 };

  set_up (loop, &a);
  arm (&a, 3600 * 1000 * MS);
  arm (&a, 2 * MS);
  gaio_test_turn_until (loop, &a.n, 1);
  arm (&a, 0);
  arm (&a, 3600 * 1000 * MS);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n, ==, 1);
  tear_down (&a);
}

static void
test_arm_earlier (GaioTestLoop *loop)
{
  Alarm a = { 0 };
  gint64 now = now_ns ();

  set_up (loop, &a);
  gaio_timer_arm_earlier_ns (a.timer, now + 3000 * MS);
  g_assert_cmpint (gaio_timer_get_deadline_ns (a.timer), ==, now + 3000 * MS);
  gaio_timer_arm_earlier_ns (a.timer, now + 4000 * MS);
  g_assert_cmpint (gaio_timer_get_deadline_ns (a.timer), ==, now + 3000 * MS);
  gaio_timer_arm_earlier_ns (a.timer, now + 1000 * MS);
  g_assert_cmpint (gaio_timer_get_deadline_ns (a.timer), ==, now + 1000 * MS);
  gaio_timer_cancel (a.timer);
  gaio_timer_arm_earlier_ns (a.timer, now + 5000 * MS);
  g_assert_cmpint (gaio_timer_get_deadline_ns (a.timer), ==, now + 5000 * MS);
  tear_down (&a);
}

/* Past is past; the end of time never comes, and does not overflow into the past. */
static void
test_extreme_deadlines (GaioTestLoop *loop)
{
  Alarm a = { 0 };
  Alarm never = { 0 };
  gint64 deadline_ns;

  set_up (loop, &a);
  set_up (loop, &never);
  gaio_timer_arm_ns (never.timer, G_MAXINT64);
  g_assert_true (gaio_timer_is_pending (never.timer));

  gaio_timer_arm_ns (a.timer, 0);
  gaio_test_turn_until (loop, &a.n, 1);
  gaio_timer_arm_ns (a.timer, -1);
  g_assert_true (gaio_timer_is_pending (a.timer));
  gaio_test_turn_until (loop, &a.n, 2);
  gaio_timer_arm_ns (a.timer, G_MININT64);
  gaio_test_turn_until (loop, &a.n, 3);

  /* A far deadline must not keep a near one from being waited for. */
  for (int shift = 30; shift < 63; shift++)
    {
      deadline_ns = now_ns () + (G_GINT64_CONSTANT (1) << shift) / 2 + 100000 * MS;
      gaio_timer_arm_ns (never.timer, deadline_ns);
      arm (&a, 1000);
      deadline_ns = a.deadline_ns;
      gaio_test_turn_until (loop, &a.n, a.n + 1);
      g_assert_cmpint (now_ns (), >=, deadline_ns);
    }
  gaio_timer_arm_ns (never.timer, G_MAXINT64 - 1);
  arm (&a, 1000);
  gaio_test_turn_until (loop, &a.n, a.n + 1);
  gaio_test_settle (loop);
  g_assert_cmpint (never.n, ==, 0);
  tear_down (&a);
  tear_down (&never);
}

static void
on_time_record (gpointer data)
{
  g_string_append_c (record, (char) GPOINTER_TO_INT (data));
}

static void
test_fifo (GaioTestLoop *loop)
{
  gint64 deadline_ns = now_ns () + 2 * MS;
  GaioTimer *timers[26];

  record = g_string_new (NULL);
  for (int i = 0; i < 26; i++)
    timers[i] = gaio_timer_new (loop->context,
                                GAIO_CLOCK_MONOTONIC,
                                on_time_record,
                                GINT_TO_POINTER ('a' + i),
                                NULL);
  for (int i = 0; i < 26; i++)
    gaio_timer_arm_ns (timers[i], deadline_ns);
  /* Armed again: it goes to the end. */
  gaio_timer_arm_ns (timers[3], deadline_ns);
  gaio_timer_cancel (timers[7]);
  /* An earlier one goes first, whenever it was armed. */
  gaio_timer_arm_ns (timers[25], deadline_ns - 1);
  while (record->len < 25)
    gaio_test_turn (loop, TRUE);
  gaio_test_settle (loop);
  g_assert_cmpstr (record->str, ==, "zabcefgijklmnopqrstuvwxyd");
  for (int i = 0; i < 26; i++)
    g_object_unref (timers[i]);
  g_string_free (record, TRUE);
}

static void
on_time_cancel_other (gpointer data)
{
  Alarm *alarm = data;

  alarm->n++;
  gaio_timer_cancel (alarm->other);
}

/* Of two that are due in the same turn the first cancels the second. */
static void
test_cancel_other (GaioTestLoop *loop)
{
  Alarm a = { 0 };
  Alarm b = { 0 };

  set_up_for (loop, &a, on_time_cancel_other);
  set_up (loop, &b);
  a.other = b.timer;
  gaio_timer_arm_ns (a.timer, now_ns ());
  arm (&b, 0);
  gaio_test_turn_until (loop, &a.n, 1);
  gaio_test_settle (loop);
  g_assert_cmpint (b.n, ==, 0);
  tear_down (&a);
  tear_down (&b);
}

static void
on_time_past (gpointer data)
{
  Alarm *alarm = data;

  alarm->n++;
  if (alarm->n < alarm->max)
    gaio_timer_arm_ns (alarm->timer, 0);
}

/* For a time that has passed, from its own callback: it does fire, but each firing is one. */
static void
test_rearm_in_the_past (GaioTestLoop *loop)
{
  Alarm a = { .max = 20 };

  set_up_for (loop, &a, on_time_past);
  gaio_timer_arm_ns (a.timer, 0);
  /* One in each turn: else a timer that never stops would keep the turn from ending. */
  for (int i = 1; i <= 20; i++)
    {
      while (!gaio_test_turn (loop, FALSE))
        ;
      g_assert_cmpint (a.n, ==, i);
    }
  tear_down (&a);
}

static void
on_time_drop (gpointer data)
{
  Alarm *alarm = data;

  g_clear_object (&alarm->timer);
  g_assert_cmpint (alarm->n_notified, ==, 0);
  alarm->n++;
}

/* The last reference goes in the callback. */
static void
test_drop_itself (GaioTestLoop *loop)
{
  Alarm a = { 0 };

  set_up_for (loop, &a, on_time_drop);
  arm (&a, 0);
  gaio_test_turn_until (loop, &a.n, 1);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n, ==, 1);
  g_assert_cmpint (a.n_notified, ==, 1);
}

/* A pending one is kept alive. */
static void
test_drop_pending (GaioTestLoop *loop)
{
  Alarm *a = g_new0 (Alarm, 1);

  set_up_for (loop, a, on_time_past);
  arm (a, 2 * MS);
  g_object_unref (a->timer);
  g_assert_cmpint (a->n_notified, ==, 0);
  gaio_test_turn_until (loop, &a->n, 1);
  gaio_test_settle (loop);
  g_assert_cmpint (a->n_notified, ==, 1);
  g_free (a);
}

static void
on_time_nested (gpointer data)
{
  Alarm *alarm = data;

  on_time (alarm);
  /* The other one is due too: the inner turn fires it. */
  if (alarm->other != NULL)
    while (gaio_timer_is_pending (alarm->other))
      gaio_context_poll (alarm->loop->context, TRUE);
}

static void
test_nested (GaioTestLoop *loop)
{
  Alarm a = { 0 };
  Alarm b = { 0 };

  set_up_for (loop, &a, on_time_nested);
  set_up (loop, &b);
  a.other = b.timer;
  arm (&a, 0);
  arm (&b, 2 * MS);
  gaio_test_turn_until (loop, &a.n, 1);
  g_assert_cmpint (b.n, ==, 1);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n, ==, 1);
  g_assert_cmpint (b.n, ==, 1);
  tear_down (&a);
  tear_down (&b);
}

static gpointer
arm_elsewhere (gpointer data)
{
  g_usleep (3000); /* the loop is asleep by now, most likely */
  arm (data, 1 * MS);
  return NULL;
}

/* The loop sleeps for another, later timer meanwhile. */
static void
test_other_thread (GaioTestLoop *loop)
{
  Alarm a = { 0 };
  Alarm later = { 0 };
  GThread *thread;

  set_up (loop, &a);
  set_up (loop, &later);
  arm (&later, 3600 * 1000 * MS);
  thread = g_thread_new ("armer", arm_elsewhere, &a);
  gaio_test_turn_until (loop, &a.n, 1);
  g_thread_join (thread);
  g_assert_cmpint (later.n, ==, 0);
  tear_down (&a);
  tear_down (&later);
}

static GThread *home;

static void
on_notify_home (gpointer data)
{
  g_assert_true (g_thread_self () == home);
  g_atomic_int_inc ((int *) data);
}

static gpointer
unref_elsewhere (gpointer data)
{
  g_object_unref (data);
  return NULL;
}

static void
do_nothing (gpointer data)
{
}

/* The data is freed at home, also when the last reference goes elsewhere. */
static void
test_notify_at_home (GaioTestLoop *loop)
{
  GaioTimer *timer;
  int n_notified = 0;

  home = g_thread_self ();
  timer = gaio_timer_new (loop->context,
                          GAIO_CLOCK_MONOTONIC,
                          do_nothing,
                          &n_notified,
                          on_notify_home);
  g_thread_join (g_thread_new ("dropper", unref_elsewhere, timer));
  gaio_test_turn_until (loop, &n_notified, 1);
  gaio_test_settle (loop);
  g_assert_cmpint (n_notified, ==, 1);
}

/* ---- many ---- */

typedef struct
{
  GaioTimer *timer;
  gint64 deadline_ns;
  int index; /* in the order of arming */
} Many;

static Many *last;
static int n_fired;

static void
on_time_in_order (gpointer data)
{
  Many *self = data;

  g_assert_cmpint (gaio_clock_get_ns (GAIO_CLOCK_VIRTUAL), >=, self->deadline_ns);
  if (last != NULL)
    {
      g_assert_cmpint (self->deadline_ns, >=, last->deadline_ns);
      if (self->deadline_ns == last->deadline_ns)
        g_assert_cmpint (self->index, >, last->index);
    }
  last = self;
  n_fired++;
}

/* 100,000 in random order, a third of them armed twice, a third cancelled: the rest fires in the
 * order of deadlines, and of arming where these are equal. */
static void
test_many (GaioTestLoop *loop)
{
  g_autofree Many *many = g_new0 (Many, MANY);
  gint64 start_ns = gaio_clock_get_ns (GAIO_CLOCK_VIRTUAL);
  g_autoptr (GRand) rand = g_rand_new_with_seed (20260411);
  int n_left = 0;

  last = NULL;
  n_fired = 0;
  for (int i = 0; i < MANY; i++)
    {
      many[i].index = i;
      many[i].deadline_ns = start_ns + g_rand_int_range (rand, 1, MANY / 4);
      many[i].timer = gaio_timer_new (loop->context,
                                      GAIO_CLOCK_VIRTUAL,
                                      on_time_in_order,
                                      &many[i],
                                      NULL);
      gaio_timer_arm_ns (many[i].timer, many[i].deadline_ns);
    }
  for (int i = 0; i < MANY; i += 3)
    {
      many[i].index = MANY + i;
      many[i].deadline_ns = start_ns + g_rand_int_range (rand, 1, MANY / 4);
      gaio_timer_arm_ns (many[i].timer, many[i].deadline_ns);
    }
  for (int i = 1; i < MANY; i += 3)
    gaio_timer_cancel (many[i].timer);
  for (int i = 0; i < MANY; i++)
    n_left += gaio_timer_is_pending (many[i].timer);
  g_assert_cmpint (n_left, ==, MANY - (MANY + 1) / 3);

  for (int step = 0; step < 10; step++)
    {
      gaio_clock_advance (GAIO_CLOCK_VIRTUAL, MANY / 40);
      gaio_test_settle (loop);
      for (int i = 0; i < MANY; i++)
        if (many[i].deadline_ns <= gaio_clock_get_ns (GAIO_CLOCK_VIRTUAL))
          g_assert_false (gaio_timer_is_pending (many[i].timer));
    }
  g_assert_cmpint (n_fired, ==, n_left);
  for (int i = 0; i < MANY; i++)
    g_object_unref (many[i].timer);
}

/* ---- ends ---- */

/* A timer outlives its context, and does nothing any more. */
static void
test_context_ends (GaioTestLoop *loop)
{
  Alarm a = { 0 };
  Alarm b = { 0 };

  set_up (loop, &a);
  set_up (loop, &b);
  arm (&a, 0);
  g_clear_object (&loop->context);
  g_assert_cmpint (a.n, ==, 0);
  g_assert_false (gaio_timer_is_pending (a.timer));
  arm (&b, 0);
  g_assert_false (gaio_timer_is_pending (b.timer));
  tear_down (&a);
  tear_down (&b);
  g_assert_cmpint (a.n + b.n, ==, 0);
}

static void
test_property (GaioTestLoop *loop)
{
  Alarm a = { 0 };
  gint64 deadline_ns = 0;

  set_up (loop, &a);
  g_object_get (a.timer, "deadline-ns", &deadline_ns, NULL);
  g_assert_cmpint (deadline_ns, ==, -1);
  gaio_timer_arm_ns (a.timer, G_MAXINT64);
  g_object_get (a.timer, "deadline-ns", &deadline_ns, NULL);
  g_assert_cmpint (deadline_ns, ==, G_MAXINT64);
  tear_down (&a);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);

  gaio_test_add_loop_matrix ("/timer/schedule", test_schedule);
  gaio_test_add_loop_matrix ("/timer/never-early", test_never_early);
  gaio_test_add_loop_matrix ("/timer/wall-clock", test_wall_clock);
  gaio_test_add_loop_matrix ("/timer/cancel", test_cancel);
  gaio_test_add_loop_matrix ("/timer/rearm", test_rearm);
  gaio_test_add_loop_matrix ("/timer/arm-earlier", test_arm_earlier);
  gaio_test_add_loop_matrix ("/timer/extreme-deadlines", test_extreme_deadlines);
  gaio_test_add_loop_matrix ("/timer/fifo", test_fifo);
  gaio_test_add_loop_matrix ("/timer/cancel-other", test_cancel_other);
  gaio_test_add_loop_matrix ("/timer/rearm-in-the-past", test_rearm_in_the_past);
  gaio_test_add_loop_matrix ("/timer/drop-itself", test_drop_itself);
  gaio_test_add_loop_matrix ("/timer/drop-pending", test_drop_pending);
  gaio_test_add_loop_matrix ("/timer/nested", test_nested);
  gaio_test_add_loop_matrix ("/timer/other-thread", test_other_thread);
  gaio_test_add_loop_matrix ("/timer/notify-at-home", test_notify_at_home);
  gaio_test_add_driver_matrix ("/timer/many", test_many);
  gaio_test_add_loop_matrix ("/timer/context-ends", test_context_ends);
  gaio_test_add_loop_matrix ("/timer/property", test_property);

  return g_test_run ();
}
