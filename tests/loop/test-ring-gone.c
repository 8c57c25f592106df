/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* A context that had a ring and has none any more, because it is in a forked child or its thread
 * has ended, goes on without, whatever its monitor is; and what was removed is freed. */

#include <sys/wait.h>
#include <unistd.h>

#include <gaio/loop/gaio-context-private.h>

#include "gaio-test.h"

static const GaioMonitor monitors[] = {
  GAIO_MONITOR_POLL,
  GAIO_MONITOR_EPOLL,
  GAIO_MONITOR_IO_URING,
};

/* A ring is there, and the monitor is this one. */
static gboolean
make_ring (GaioContext *context, GaioMonitor monitor)
{
  gaio_context_set_monitor (context, GAIO_MONITOR_IO_URING);
  gaio_context_poll (context, FALSE);
  if (gaio_context_get_monitor (context) != GAIO_MONITOR_IO_URING)
    return FALSE;
  gaio_context_set_monitor (context, monitor);
  for (int i = 0; i < 5; i++)
    gaio_context_poll (context, FALSE);
  return TRUE;
}

static void
count (gpointer data)
{
  (*(int *) data)++;
}

/* Its handler is called, and its data freed once it is removed. */
static gboolean
works (GaioContext *context, GaioEventNotifier *notifier)
{
  g_autoptr (GaioEventNotifier) other = gaio_event_notifier_new (NULL);
  int n = 0;
  int n_freed = 0;

  gaio_context_set_event_notifier (context, other, count, &n, NULL, NULL);
  gaio_event_notifier_set (other);
  for (int i = 0; i < 10 && n == 0; i++)
    gaio_context_poll (context, FALSE);
  gaio_context_remove_fd_handler (context, gaio_event_notifier_get_fd (other));
  gaio_context_invoke (context, count, &n_freed, NULL);
  for (int i = 0; i < 10; i++)
    gaio_context_poll (context, FALSE);
  return n == 1 && n_freed == 1;
}

static void
test_fork (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (monitors); i++)
    {
      g_autoptr (GaioContext) context = gaio_context_new (NULL);
      g_autoptr (GaioEventNotifier) notifier = gaio_event_notifier_new (NULL);
      int n_freed = 0;
      int status = -1;
      pid_t pid;

      if (!make_ring (context, monitors[i]))
        {
          g_test_skip ("there is no ring");
          return;
        }
      gaio_context_set_event_notifier (context, notifier, count, &status, NULL, NULL);
      gaio_context_poll (context, FALSE);
      gaio_context_remove_fd_handler (context, gaio_event_notifier_get_fd (notifier));
      gaio_context_set_event_notifier (context, notifier, count, &n_freed, count, NULL);
      gaio_context_poll (context, FALSE);
      pid = fork ();
      g_assert_cmpint (pid, >=, 0);
      if (pid == 0)
        {
          gaio_context_remove_fd_handler (context, gaio_event_notifier_get_fd (notifier));
          for (int turn = 0; turn < 10; turn++)
            gaio_context_poll (context, FALSE);
          if (n_freed != 1)
            _exit (2);
          _exit (works (context, notifier) ? 42 : 1);
        }
      g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
      g_assert_cmpint (WEXITSTATUS (status), ==, 42);
      g_assert_true (works (context, notifier));
    }
}

typedef struct
{
  GaioContext *context;
  GaioEventNotifier *notifier;
  GaioMonitor monitor;
  gboolean has_ring;
  int n_freed;
} Leaver;

static gpointer
run_and_leave (gpointer data)
{
  Leaver *self = data;

  gaio_context_set_thread_default (self->context);
  self->has_ring = make_ring (self->context, self->monitor);
  gaio_context_set_event_notifier (self->context,
                                   self->notifier,
                                   count,
                                   &self->n_freed,
                                   count,
                                   NULL);
  gaio_context_poll (self->context, FALSE);
  gaio_context_leave (self->context);
  gaio_context_set_thread_default (NULL);
  return NULL;
}

static void
test_leave (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (monitors); i++)
    {
      Leaver self = { .monitor = monitors[i] };

      self.context = gaio_context_new (NULL);
      self.notifier = gaio_event_notifier_new (NULL);
      g_thread_join (g_thread_new ("leaver", run_and_leave, &self));
      gaio_context_remove_fd_handler (self.context, gaio_event_notifier_get_fd (self.notifier));
      for (int turn = 0; turn < 10; turn++)
        gaio_context_poll (self.context, FALSE);
      g_assert_cmpint (self.n_freed, ==, 1);
      g_assert_true (works (self.context, self.notifier));
      g_object_unref (self.context);
      g_object_unref (self.notifier);
      if (!self.has_ring)
        {
          g_test_skip ("there is no ring");
          return;
        }
    }
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  gaio_test_add ("/ring-gone/fork", test_fork);
  gaio_test_add ("/ring-gone/leave", test_leave);
  return g_test_run ();
}
