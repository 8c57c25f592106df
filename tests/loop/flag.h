/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the tests of fd handlers have in common: an event notifier with a handler that counts. */

#pragma once

#include "gaio-test.h"

/* An event notifier and its handler. */
typedef struct _Flag Flag;
struct _Flag
{
  GaioTestLoop *loop;
  GaioEventNotifier *notifier;
  int n;          /* calls */
  int active;     /* sets itself again so often */
  gboolean keep;  /* does not clear the notifier */
  Flag *other;    /* removed, or replaced, by the first call */
  int n_notified; /* destroy notifies */
  GIOCondition condition;
};

G_GNUC_UNUSED static int
fd_of (Flag *flag)
{
  return gaio_event_notifier_get_fd (flag->notifier);
}

G_GNUC_UNUSED static void
init (GaioTestLoop *loop, Flag *flag)
{
  g_autoptr (GError) error = NULL;

  flag->loop = loop;
  flag->notifier = gaio_event_notifier_new (&error);
  g_assert_no_error (error);
}

G_GNUC_UNUSED static void
on_ready (int fd, GIOCondition condition, gpointer data)
{
  Flag *flag = data;

  g_assert_cmpint (fd, ==, fd_of (flag));
  flag->condition = condition;
  if (!flag->keep)
    gaio_event_notifier_test_and_clear (flag->notifier);
  flag->n++;
  if (flag->active > 0)
    {
      flag->active--;
      gaio_event_notifier_set (flag->notifier);
    }
}

G_GNUC_UNUSED static void
on_notify (gpointer data)
{
  g_atomic_int_inc (&((Flag *) data)->n_notified);
}

G_GNUC_UNUSED static void
watch_by (Flag *flag, GaioFdFunc func, GIOCondition condition)
{
  g_autoptr (GError) error = NULL;

  gaio_context_set_fd_handler (flag->loop->context,
                               fd_of (flag),
                               condition,
                               func,
                               flag,
                               on_notify,
                               &error);
  g_assert_no_error (error);
}

G_GNUC_UNUSED static void
watch (Flag *flag)
{
  watch_by (flag, on_ready, G_IO_IN);
}

G_GNUC_UNUSED static void
unwatch (Flag *flag)
{
  gaio_context_remove_fd_handler (flag->loop->context, fd_of (flag));
}

G_GNUC_UNUSED static void
finish (Flag *flag)
{
  unwatch (flag);
  gaio_test_settle (flag->loop);
  g_clear_object (&flag->notifier);
}

/* Nothing more happens. A GSource may come by once more for nothing. */
G_GNUC_UNUSED static void
assert_quiet (GaioTestLoop *loop)
{
  if (loop->driver == GAIO_TEST_BY_POLL)
    g_assert_false (gaio_test_turn (loop, FALSE));
  gaio_test_settle (loop);
}
