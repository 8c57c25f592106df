/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Turns within turns. A callback that waits for something polls its own context; what the outer
 * turn has found and not yet come to is served in there, once, and what is removed in there is
 * gone for the outer turn too, but not from under a callback that is still running. */

#include <unistd.h>

#include "gaio-test.h"

static GString *record;

typedef struct _Step Step;
struct _Step
{
  GaioTestLoop *loop;
  GaioEventNotifier *notifier; /* for a handler */
  GaioBottomHalf *bh;          /* or for a bottom half */
  char letter;                 /* for the record: upper case when it returns */
  Step *wait_for;              /* polls until that one has run */
  Step *remove;                /* in the nested turn */
  int n;
  int n_notified;
  gboolean running;
};

static void
on_step (gpointer data)
{
  Step *step = data;

  g_assert_false (step->running);
  step->running = TRUE;
  step->n++;
  g_string_append_c (record, step->letter);
  if (step->remove != NULL)
    {
      gaio_context_remove_fd_handler (step->loop->context,
                                      gaio_event_notifier_get_fd (step->remove->notifier));
      /* Turns come and go, but its data stays while its callback runs. */
      for (int i = 0; i < 5; i++)
        gaio_context_poll (step->loop->context, FALSE);
      g_assert_cmpint (step->remove->n_notified, ==, !step->remove->running);
    }
  if (step->wait_for != NULL)
    while (step->wait_for->n == 0)
      gaio_context_poll (step->loop->context, TRUE);
  g_assert_cmpint (step->n_notified, ==, 0);
  g_string_append_c (record, g_ascii_toupper (step->letter));
  step->running = FALSE;
}

static void
on_step_notify (gpointer data)
{
  ((Step *) data)->n_notified++;
}

static void
init_bh (GaioTestLoop *loop, Step *step, char letter)
{
  step->loop = loop;
  step->letter = letter;
  step->bh = gaio_bottom_half_new (loop->context, on_step, step, on_step_notify);
}

static void
init_handler (GaioTestLoop *loop, Step *step, char letter)
{
  step->loop = loop;
  step->letter = letter;
  step->notifier = gaio_event_notifier_new (NULL);
  g_assert_nonnull (step->notifier);
  gaio_context_set_event_notifier (loop->context,
                                   step->notifier,
                                   on_step,
                                   step,
                                   on_step_notify,
                                   NULL);
}

static void
set_up (void)
{
  record = g_string_new (NULL);
}

static void
tear_down (Step *steps, int n)
{
  for (int i = 0; i < n; i++)
    {
      GaioTestLoop *loop = steps[i].loop;

      if (steps[i].notifier != NULL)
        gaio_context_remove_fd_handler (loop->context,
                                        gaio_event_notifier_get_fd (steps[i].notifier));
      g_clear_object (&steps[i].bh);
      gaio_test_settle (loop);
      g_assert_cmpint (steps[i].n_notified, ==, 1);
      g_clear_object (&steps[i].notifier);
    }
  g_string_free (record, TRUE);
}

/* The inner turn runs the rest of the slice, and the outer one does not run it again. */
static void
test_rest_of_slice (GaioTestLoop *loop)
{
  Step steps[4] = { 0 };

  set_up ();
  for (int i = 0; i < 4; i++)
    {
      init_bh (loop, &steps[i], (char) ('a' + i));
      gaio_bottom_half_schedule (steps[i].bh);
    }
  steps[1].wait_for = &steps[3];
  gaio_test_settle (loop);
  g_assert_cmpstr (record->str, ==, "aAbcCdDB");
  tear_down (steps, 4);
}

/* Waiting within waiting: the innermost ends first. */
static void
test_stack (GaioTestLoop *loop)
{
  Step steps[3] = { 0 };

  set_up ();
  for (int i = 0; i < 3; i++)
    {
      init_bh (loop, &steps[i], (char) ('a' + i));
      if (i > 0)
        steps[i - 1].wait_for = &steps[i];
    }
  gaio_bottom_half_schedule (steps[0].bh);
  gaio_bottom_half_schedule (steps[1].bh);
  gaio_bottom_half_schedule (steps[2].bh);
  gaio_test_settle (loop);
  g_assert_cmpstr (record->str, ==, "abcCBA");
  tear_down (steps, 3);
}

/* A handler waits for another handler that was found ready in the same turn; or that is set by
 * another thread while the inner turn sleeps. */
static void
test_handlers (GaioTestLoop *loop)
{
  Step steps[2] = { 0 };

  set_up ();
  init_handler (loop, &steps[0], 'a');
  init_handler (loop, &steps[1], 'b');
  gaio_test_settle (loop);
  for (int i = 0; i < 2; i++)
    {
      g_string_truncate (record, 0);
      steps[0].n = steps[1].n = 0;
      steps[i].wait_for = &steps[!i];
      steps[!i].wait_for = NULL;
      gaio_event_notifier_set (steps[0].notifier);
      gaio_event_notifier_set (steps[1].notifier);
      gaio_test_settle (loop);
      g_assert_cmpint (steps[0].n, ==, 1);
      g_assert_cmpint (steps[1].n, ==, 1);
      g_assert_cmpuint (record->len, ==, 4);
    }
  tear_down (steps, 2);
}

static gpointer
set_later (gpointer data)
{
  g_usleep (3000);
  gaio_event_notifier_set (data);
  return NULL;
}

static void
test_blocking (GaioTestLoop *loop)
{
  Step steps[2] = { 0 };
  GThread *thread;

  set_up ();
  init_handler (loop, &steps[0], 'a');
  init_handler (loop, &steps[1], 'b');
  steps[0].wait_for = &steps[1];
  gaio_test_settle (loop);
  gaio_event_notifier_set (steps[0].notifier);
  thread = g_thread_new ("setter", set_later, steps[1].notifier);
  gaio_test_turn_until (loop, &steps[1].n, 1);
  g_thread_join (thread);
  gaio_test_settle (loop);
  g_assert_cmpstr (record->str, ==, "abBA");
  tear_down (steps, 2);
}

static void
on_step_then_schedule (gpointer data)
{
  Step *step = data;

  gaio_bottom_half_schedule (step->wait_for->bh);
  on_step (step);
}

/* A handler is removed by an inner turn while its callback is running further out. */
static void
test_remove_running (GaioTestLoop *loop)
{
  Step steps[2] = { 0 };

  set_up ();
  init_handler (loop, &steps[0], 'a');
  gaio_context_set_event_notifier (loop->context,
                                   steps[0].notifier,
                                   on_step_then_schedule,
                                   &steps[0],
                                   on_step_notify,
                                   NULL);
  gaio_test_turn_until (loop, &steps[0].n_notified, 1);
  steps[0].n_notified = 0;
  init_bh (loop, &steps[1], 'b');
  steps[0].wait_for = &steps[1];
  steps[1].remove = &steps[0];
  gaio_event_notifier_set (steps[0].notifier);
  gaio_test_turn_until (loop, &steps[1].n, 1);
  gaio_test_turn_until (loop, &steps[0].n_notified, 1);
  g_assert_cmpstr (record->str, ==, "abBA");
  tear_down (steps, 2);
}

#define DEPTH 100

typedef struct
{
  GaioTestLoop *loop;
  GaioBottomHalf *bh;
  int depth, max_depth;
  int n;
} Recursion;

static void
on_recurse (gpointer data)
{
  Recursion *self = data;

  self->n++;
  self->depth++;
  self->max_depth = MAX (self->max_depth, self->depth);
  if (self->n < DEPTH)
    {
      gaio_bottom_half_schedule (self->bh);
      gaio_context_poll (self->loop->context, TRUE);
    }
  self->depth--;
}

/* It schedules itself and polls, so each run is within the one before; none is lost or doubled. */
static void
test_depth (GaioTestLoop *loop)
{
  Recursion self = { .loop = loop };

  self.bh = gaio_bottom_half_new (loop->context, on_recurse, &self, NULL);
  gaio_bottom_half_schedule (self.bh);
  gaio_test_settle (loop);
  g_assert_cmpint (self.n, ==, DEPTH);
  g_assert_cmpint (self.max_depth, ==, DEPTH);
  g_assert_cmpint (self.depth, ==, 0);
  g_object_unref (self.bh);
}

static void
on_recurse_main_context (gpointer data)
{
  Recursion *self = data;

  self->n++;
  self->depth++;
  self->max_depth = MAX (self->max_depth, self->depth);
  if (self->n < 10)
    {
      gaio_bottom_half_schedule (self->bh);
      g_main_context_iteration (self->loop->main_context, TRUE);
    }
  self->depth--;
}

/* A nested main loop, as a modal dialog is one, serves the context too. */
static void
test_nested_main_loop (GaioTestLoop *loop)
{
  Recursion self = { .loop = loop };

  if (loop->driver == GAIO_TEST_BY_POLL)
    gaio_context_attach (loop->context, loop->main_context);
  self.bh = gaio_bottom_half_new (loop->context, on_recurse_main_context, &self, NULL);
  gaio_bottom_half_schedule (self.bh);
  gaio_test_settle (loop);
  g_assert_cmpint (self.n, ==, 10);
  g_assert_cmpint (self.max_depth, ==, 10);
  g_object_unref (self.bh);
}

typedef struct
{
  GaioTestLoop *loop;
  GaioTimer *outer, *inner;
  int n_outer, n_inner, n_bh;
} Timers;

static void
on_inner (gpointer data)
{
  ((Timers *) data)->n_inner++;
}

static void
on_bh (gpointer data)
{
  ((Timers *) data)->n_bh++;
}

static void
on_outer (gpointer data)
{
  Timers *self = data;

  self->n_outer++;
  gaio_timer_arm_ns (self->inner, gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC) + 1000000);
  gaio_context_invoke (self->loop->context, on_bh, self, NULL);
  while (self->n_inner == 0)
    gaio_context_poll (self->loop->context, TRUE);
  g_assert_cmpint (self->n_bh, ==, 1);
}

/* From a timer's callback the inner turn waits for a timer, and does everything else. */
static void
test_timers (GaioTestLoop *loop)
{
  Timers self = { .loop = loop };

  self.outer = gaio_timer_new (loop->context, GAIO_CLOCK_MONOTONIC, on_outer, &self, NULL);
  self.inner = gaio_timer_new (loop->context, GAIO_CLOCK_MONOTONIC, on_inner, &self, NULL);
  gaio_timer_arm_ns (self.outer, 0);
  gaio_test_turn_until (loop, &self.n_outer, 1);
  gaio_test_settle (loop);
  g_assert_cmpint (self.n_outer, ==, 1);
  g_assert_cmpint (self.n_inner, ==, 1);
  g_assert_cmpint (self.n_bh, ==, 1);
  g_object_unref (self.outer);
  g_object_unref (self.inner);
}

static void
on_drop_within (gpointer data)
{
  g_clear_object (&((GaioTestLoop *) data)->context);
}

static void
on_poll_then_drop (gpointer data)
{
  GaioTestLoop *loop = data;

  gaio_context_invoke (loop->context, on_drop_within, loop, NULL);
  while (loop->context != NULL)
    gaio_context_poll (loop->context, TRUE);
}

/* The last reference goes two turns deep. */
static void
test_drop_within (GaioTestLoop *loop)
{
  gaio_context_invoke (loop->context, on_poll_then_drop, loop, NULL);
  while (loop->context != NULL)
    gaio_test_turn (loop, TRUE);
}

#define N_NOTIFIERS 40

typedef struct
{
  GaioTestLoop *loop;
  GaioEventNotifier *notifiers[N_NOTIFIERS];
  int n[N_NOTIFIERS];
  int n_total;
} Crowd;

static void
on_crowd (int fd, GIOCondition condition, gpointer data)
{
  Crowd *self = data;

  for (int i = 0; i < N_NOTIFIERS; i++)
    if (fd == gaio_event_notifier_get_fd (self->notifiers[i]))
      {
        gaio_event_notifier_test_and_clear (self->notifiers[i]);
        self->n[i]++;
        self->n_total++;
        /* Each third polls, so the one list of what is ready is walked on many levels. */
        if (i % 3 == 0)
          gaio_context_poll (self->loop->context, FALSE);
        else if (i % 3 == 1)
          gaio_context_remove_fd_handler (self->loop->context, fd);
      }
}

static void
test_crowd (GaioTestLoop *loop)
{
  Crowd self = { .loop = loop };

  for (int i = 0; i < N_NOTIFIERS; i++)
    {
      self.notifiers[i] = gaio_event_notifier_new (NULL);
      gaio_context_set_fd_handler (loop->context,
                                   gaio_event_notifier_get_fd (self.notifiers[i]),
                                   G_IO_IN,
                                   on_crowd,
                                   &self,
                                   NULL,
                                   NULL);
    }
  gaio_test_settle (loop);
  for (int i = 0; i < N_NOTIFIERS; i++)
    gaio_event_notifier_set (self.notifiers[i]);
  gaio_test_turn_until (loop, &self.n_total, N_NOTIFIERS);
  gaio_test_settle (loop);
  for (int i = 0; i < N_NOTIFIERS; i++)
    {
      g_assert_cmpint (self.n[i], ==, 1);
      gaio_context_remove_fd_handler (loop->context,
                                      gaio_event_notifier_get_fd (self.notifiers[i]));
    }
  gaio_test_settle (loop);
  for (int i = 0; i < N_NOTIFIERS; i++)
    g_object_unref (self.notifiers[i]);
}

/* A source that is prepared after the context's, and runs a turn of it once. */
typedef struct
{
  GSource parent;
  GaioContext *context;
  GaioBottomHalf *bh;
  int n_left; /* runs that the bottom half asks for itself */
  int n_run;
} Intruder;

static void
on_intruder_run (gpointer data)
{
  Intruder *self = data;

  self->n_run++;
  if (self->n_left-- > 0)
    gaio_bottom_half_schedule (self->bh);
}

static gboolean
intruder_prepare (GSource *source, int *timeout_ms)
{
  Intruder *self = (Intruder *) source;

  *timeout_ms = -1;
  if (self->n_run == 0)
    {
      gaio_bottom_half_schedule (self->bh);
      gaio_context_poll (self->context, FALSE);
      g_assert_cmpint (self->n_run, ==, 1);
    }
  return FALSE;
}

static gboolean
intruder_dispatch (GSource *source, GSourceFunc callback, gpointer data)
{
  return G_SOURCE_CONTINUE;
}

/* Between prepare and check a turn takes what was written, and so the end of a wait that is still
 * to come; what that turn leaves behind is not forgotten. */
static void
test_turn_in_prepare (GaioTestLoop *loop)
{
  static GSourceFuncs funcs = { .prepare = intruder_prepare, .dispatch = intruder_dispatch };
  Intruder *intruder;

  if (loop->driver == GAIO_TEST_BY_POLL)
    {
      g_test_skip ("no source is prepared before these turns");
      return;
    }
  gaio_test_settle (loop);
  intruder = (Intruder *) g_source_new (&funcs, sizeof (Intruder));
  intruder->context = loop->context;
  intruder->n_left = 1;
  intruder->bh = gaio_bottom_half_new (loop->context, on_intruder_run, intruder, NULL);
  g_source_attach (&intruder->parent, loop->main_context);
  gaio_test_turn_until (loop, &intruder->n_run, 2);
  g_source_destroy (&intruder->parent);
  g_object_unref (intruder->bh);
  gaio_test_settle (loop);
  g_source_unref (&intruder->parent);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);

  gaio_test_add_loop_matrix ("/nested/rest-of-slice", test_rest_of_slice);
  gaio_test_add_loop_matrix ("/nested/stack", test_stack);
  gaio_test_add_loop_matrix ("/nested/handlers", test_handlers);
  gaio_test_add_loop_matrix ("/nested/blocking", test_blocking);
  gaio_test_add_loop_matrix ("/nested/remove-running", test_remove_running);
  gaio_test_add_loop_matrix ("/nested/depth", test_depth);
  gaio_test_add_loop_matrix ("/nested/main-loop", test_nested_main_loop);
  gaio_test_add_loop_matrix ("/nested/timers", test_timers);
  gaio_test_add_loop_matrix ("/nested/drop-within", test_drop_within);
  gaio_test_add_loop_matrix ("/nested/crowd", test_crowd);

  gaio_test_add_loop_matrix ("/nested/turn-in-prepare", test_turn_in_prepare);
  return g_test_run ();
}
