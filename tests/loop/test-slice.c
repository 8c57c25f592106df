/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* A context that always has something to do lets the other sources of its GMainContext live, and
 * none of its own kinds of callbacks starves another. What is busy here is busy by the clock, so it
 * does not matter how fast the machine is. */

#include <unistd.h>

#include "alarm.h"

#define BUDGET_US 500
#define WORK_US 50
#define N_WORKERS 50

static int n_work;
static int last_number;
static gboolean is_over;

static void
work (void)
{
  gint64 end_us = g_get_monotonic_time () + WORK_US;

  while (g_get_monotonic_time () < end_us)
    ;
  n_work++;
}

static void
count (gpointer data)
{
  (*(int *) data)++;
}

static void
begin (GaioTestLoop *loop, guint budget_us)
{
  gaio_context_set_dispatch_budget_us (loop->context, budget_us);
  gaio_test_settle (loop);
  n_work = 0;
  last_number = -1;
  is_over = FALSE;
}

/* One that never ends before it is told to. */
static void
on_worker (gpointer data)
{
  work ();
  if (!is_over)
    gaio_bottom_half_schedule (*(GaioBottomHalf **) data);
}

static void
begin_workers (GaioTestLoop *loop, GaioBottomHalf **workers)
{
  for (int i = 0; i < N_WORKERS; i++)
    {
      workers[i] = gaio_bottom_half_new (loop->context, on_worker, &workers[i], NULL);
      gaio_bottom_half_schedule (workers[i]);
    }
}

static void
end_workers (GaioTestLoop *loop, GaioBottomHalf **workers)
{
  is_over = TRUE;
  gaio_test_settle (loop);
  for (int i = 0; i < N_WORKERS; i++)
    g_object_unref (workers[i]);
  gaio_test_settle (loop);
}

static gboolean
count_call (gpointer data)
{
  (*(int *) data)++;
  return G_SOURCE_CONTINUE;
}

static gboolean
count_one_call (gpointer data)
{
  (*(int *) data)++;
  return G_SOURCE_REMOVE;
}

static GSource *
add_source (GaioTestLoop *loop, int priority, GSourceFunc func, gpointer data)
{
  GSource *source = g_idle_source_new ();

  g_source_set_priority (source, priority);
  g_source_set_callback (source, func, data, NULL);
  g_source_attach (source, loop->main_context);
  return source;
}

static void
drop_source (GSource *source)
{
  g_source_destroy (source);
  g_source_unref (source);
}

/* A frame of GTK takes two rounds, each with a priority of its own. */
typedef struct
{
  GaioTestLoop *loop;
  GSource *paint;
  int n_painted;
} Window;

static gboolean
on_flush (gpointer data)
{
  Window *self = data;

  self->paint =
      add_source (self->loop, G_PRIORITY_HIGH_IDLE + 20, count_one_call, &self->n_painted);
  return G_SOURCE_REMOVE;
}

static void
draw_frames (GaioTestLoop *loop, int n_frames)
{
  for (int i = 0; i < n_frames; i++)
    {
      Window self = { .loop = loop };
      GSource *flush = add_source (loop, G_PRIORITY_DEFAULT + 1, on_flush, &self);

      gaio_test_turn_until (loop, &self.n_painted, 1);
      drop_source (flush);
      drop_source (self.paint);
    }
}

/* Turns that are longer than the budget, and descriptors that are always readable, which is when
 * GLib would dispatch a source that says it is not ready. */
static void
test_redraws (GaioTestLoop *loop)
{
  const GaioFdHandlers handlers = { .read = count };
  GaioBottomHalf *workers[N_WORKERS];
  int n_read = 0;
  int fds[2];

  begin (loop, BUDGET_US);
  g_assert_cmpint (pipe (fds), ==, 0);
  g_assert_cmpint (write (fds[1], "x", 1), ==, 1);
  gaio_context_set_fd_handlers (loop->context, fds[0], &handlers, &n_read, NULL, NULL);
  draw_frames (loop, 5);
  begin_workers (loop, workers);
  draw_frames (loop, 5);
  g_assert_cmpint (n_read, >, 0);
  gaio_context_remove_fd_handler (loop->context, fds[0]);
  draw_frames (loop, 5);
  end_workers (loop, workers);
  close (fds[0]);
  close (fds[1]);
}

/* That is the doing of the budget. */
static void
test_no_budget (GaioTestLoop *loop)
{
  GaioBottomHalf *workers[N_WORKERS];
  GSource *source;
  int n = 0;

  begin (loop, 0);
  source = add_source (loop, G_PRIORITY_HIGH_IDLE, count_call, &n);
  begin_workers (loop, workers);
  while (n_work < 20 * N_WORKERS)
    gaio_test_turn (loop, TRUE);
  if (loop->driver != GAIO_TEST_BY_POLL)
    g_assert_cmpint (n, ==, 0);
  is_over = TRUE;
  drop_source (source);
  end_workers (loop, workers);
}

/* Others that are always ready, of the same priority or a lower one, do not take all for it. */
static void
test_busy_others (GaioTestLoop *loop)
{
  static const int priorities[] = { G_PRIORITY_DEFAULT, G_PRIORITY_DEFAULT_IDLE, G_PRIORITY_LOW };

  for (guint i = 0; i < G_N_ELEMENTS (priorities); i++)
    {
      GaioBottomHalf *workers[N_WORKERS];
      GSource *source;
      int n = 0;

      begin (loop, BUDGET_US);
      source = add_source (loop, priorities[i], count_call, &n);
      begin_workers (loop, workers);
      for (int round = 1; round <= 5; round++)
        {
          gaio_test_turn_until (loop, &n, round * 10);
          gaio_test_turn_until (loop, &n_work, n_work + N_WORKERS);
        }
      drop_source (source);
      end_workers (loop, workers);
    }
}

static void
on_number (gpointer data)
{
  g_assert_cmpint (GPOINTER_TO_INT (data), ==, last_number + 1);
  last_number++;
  work ();
}

static gboolean
note_work (gpointer data)
{
  *(int *) data = n_work;
  return G_SOURCE_REMOVE;
}

/* A turn ends with the slice, between two callbacks, and the next one goes on in the same order. */
static void
test_bottom_halves (GaioTestLoop *loop)
{
  int n_at_idle = 0;
  GSource *source;

  begin (loop, BUDGET_US);
  source = add_source (loop, G_PRIORITY_HIGH_IDLE, note_work, &n_at_idle);
  for (int i = 0; i < N_WORKERS; i++)
    gaio_context_invoke (loop->context, on_number, GINT_TO_POINTER (i), NULL);
  gaio_test_turn_until (loop, &n_work, N_WORKERS);
  if (loop->driver != GAIO_TEST_BY_POLL)
    {
      g_assert_cmpint (n_at_idle, >, 0);
      g_assert_cmpint (n_at_idle, <, N_WORKERS);
    }
  gaio_test_settle (loop);
  drop_source (source);
}

static void
test_timers (GaioTestLoop *loop)
{
  GaioTimer *timers[N_WORKERS];
  int n_at_idle = 0;
  GSource *source;

  begin (loop, BUDGET_US);
  source = add_source (loop, G_PRIORITY_HIGH_IDLE, note_work, &n_at_idle);
  for (int i = 0; i < N_WORKERS; i++)
    {
      timers[i] = gaio_timer_new (loop->context, GAIO_CLOCK_MONOTONIC, on_number,
                                  GINT_TO_POINTER (i), NULL);
      gaio_timer_arm_ns (timers[i], i);
    }
  gaio_test_turn_until (loop, &n_work, N_WORKERS);
  if (loop->driver != GAIO_TEST_BY_POLL)
    {
      g_assert_cmpint (n_at_idle, >, 0);
      g_assert_cmpint (n_at_idle, <, N_WORKERS);
    }
  gaio_test_settle (loop);
  for (int i = 0; i < N_WORKERS; i++)
    g_object_unref (timers[i]);
  drop_source (source);
}

static void
on_notifier (gpointer data)
{
  gaio_event_notifier_test_and_clear (data);
  work ();
}

static void
test_handlers (GaioTestLoop *loop)
{
  GaioEventNotifier *notifiers[N_WORKERS];
  int n_at_idle = 0;
  GSource *source;

  begin (loop, BUDGET_US);
  source = add_source (loop, G_PRIORITY_HIGH_IDLE, note_work, &n_at_idle);
  for (int i = 0; i < N_WORKERS; i++)
    {
      notifiers[i] = gaio_event_notifier_new (NULL);
      gaio_event_notifier_set (notifiers[i]);
      gaio_context_set_event_notifier (loop->context, notifiers[i], on_notifier, notifiers[i], NULL,
                                       NULL);
    }
  gaio_test_turn_until (loop, &n_work, N_WORKERS);
  gaio_test_settle (loop);
  g_assert_cmpint (n_work, ==, N_WORKERS);
  if (loop->driver != GAIO_TEST_BY_POLL)
    {
      g_assert_cmpint (n_at_idle, >, 0);
      g_assert_cmpint (n_at_idle, <, N_WORKERS);
    }
  for (int i = 0; i < N_WORKERS; i++)
    {
      gaio_context_remove_fd_handler (loop->context, gaio_event_notifier_get_fd (notifiers[i]));
      g_object_unref (notifiers[i]);
    }
  gaio_test_settle (loop);
  drop_source (source);
}

/* Bottom halves that use up each slice leave something to the descriptors and the timers. */
static void
test_kinds (GaioTestLoop *loop)
{
  GaioBottomHalf *workers[N_WORKERS];
  g_autoptr (GaioEventNotifier) notifier = gaio_event_notifier_new (NULL);
  Alarm a = { 0 };
  int n = 0;

  begin (loop, BUDGET_US);
  set_up (loop, &a);
  gaio_context_set_event_notifier (loop->context, notifier, count, &n, NULL, NULL);
  begin_workers (loop, workers);
  for (int i = 1; i <= 5; i++)
    {
      gaio_event_notifier_set (notifier);
      arm (&a, 0);
      gaio_test_turn_until (loop, &a.n, i);
      gaio_test_turn_until (loop, &n, i);
    }
  end_workers (loop, workers);
  gaio_context_remove_fd_handler (loop->context, gaio_event_notifier_get_fd (notifier));
  tear_down (&a);
}

static gboolean
on_drop (gpointer data)
{
  GaioTestLoop *loop = data;

  is_over = TRUE;
  g_clear_object (&loop->context);
  return G_SOURCE_REMOVE;
}

/* The context goes while others have their turn. */
static void
test_drop (GaioTestLoop *loop)
{
  GaioBottomHalf *workers[N_WORKERS];
  GSource *source;

  begin (loop, BUDGET_US);
  begin_workers (loop, workers);
  source = add_source (loop, G_PRIORITY_HIGH_IDLE, on_drop, loop);
  while (loop->context != NULL)
    gaio_test_turn (loop, TRUE);
  drop_source (source);
  for (int i = 0; i < N_WORKERS; i++)
    g_object_unref (workers[i]);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);

  gaio_test_add_loop_matrix ("/slice/redraws", test_redraws);
  gaio_test_add_loop_matrix ("/slice/no-budget", test_no_budget);
  gaio_test_add_loop_matrix ("/slice/busy-others", test_busy_others);
  gaio_test_add_loop_matrix ("/slice/bottom-halves", test_bottom_halves);
  gaio_test_add_loop_matrix ("/slice/timers", test_timers);
  gaio_test_add_loop_matrix ("/slice/handlers", test_handlers);
  gaio_test_add_loop_matrix ("/slice/kinds", test_kinds);
  gaio_test_add_loop_matrix ("/slice/drop", test_drop);
  return g_test_run ();
}
