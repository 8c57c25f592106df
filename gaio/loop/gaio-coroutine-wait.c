/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a coroutine can wait for in the loop: time, and a file descriptor. A timer and an fd handler
 * do it, whose callbacks go on with the coroutine. What they are given is the coroutine, nothing on
 * its stack, which may go before them when the context ends. */

#include "config.h"

#include <gaio/base/gaio-error-private.h>
#include <gaio/loop/gaio-core-private.h>
#include <gaio/loop/gaio-coroutine-private.h>
#include <gaio/loop/gaio-fd-handler.h>

static void
on_time (gpointer user_data)
{
  gaio_coroutine_kick_now (user_data);
}

/**
 * gaio_coroutine_sleep_ns: (skip)
 * @duration_ns: for how long, in nanoseconds
 *
 * Waits for a time to pass on the monotonic clock, or to be woken.
 *
 * Thread: home, in a coroutine; elsewhere it is refused with a critical warning.
 *
 * Returns: %TRUE when the time has passed, %FALSE when [method@Gaio.Coroutine.wake] or
 *   [method@Gaio.Coroutine.enter] came first
 */
gboolean
gaio_coroutine_sleep_ns (gint64 duration_ns)
{
  GaioCoroutine *self = gaio_coroutine_self ();
  gint64 now_ns = gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC);
  guint got;

  g_return_val_if_fail (self != NULL, FALSE);

  if (self->timer == NULL)
    {
      g_autoptr (GaioContext) context = gaio_coroutine_ref_context (self);

      if (context != NULL)
        self->timer = gaio_timer_new (context, GAIO_CLOCK_MONOTONIC, on_time, self, NULL);
    }
  if (self->timer != NULL)
    gaio_timer_arm_ns (self->timer,
                       duration_ns > G_MAXINT64 - now_ns ? G_MAXINT64 - 1 : now_ns + duration_ns);
  got = gaio_coroutine_wait (self, GAIO_COROUTINE_WOKEN | GAIO_COROUTINE_KICKED);
  gaio_timer_cancel (self->timer);
  return (got & GAIO_COROUTINE_KICKED) != 0;
}

static void
on_fd (int fd, GIOCondition condition, gpointer user_data)
{
  GaioCoroutine *self = user_data;

  self->fd_condition = condition;
  gaio_coroutine_kick_now (self);
}

static void
unref_coroutine (gpointer data)
{
  gaio_coroutine_unref (data);
}

/**
 * gaio_coroutine_wait_fd: (skip)
 * @fd: a file descriptor, without a handler in the coroutine's context
 * @condition: what to wait for
 * @error: return location for an error
 *
 * Waits for a descriptor to be ready, or to be woken.
 *
 * Thread: home, in a coroutine; elsewhere it is refused with a critical warning.
 *
 * Returns: what it is ready for, of what was asked for, and errors and hang-ups; 0 without @error
 *   when [method@Gaio.Coroutine.wake] or [method@Gaio.Coroutine.enter] came first, and with
 *   it when @fd is not open, or has a handler or another coroutine that waits (%G_IO_ERROR_EXISTS)
 */
GIOCondition
gaio_coroutine_wait_fd (int fd, GIOCondition condition, GError **error)
{
  GaioCoroutine *self = gaio_coroutine_self ();
  GaioContext *context;
  int err = 0;

  g_return_val_if_fail (self != NULL, 0);
  g_return_val_if_fail (error == NULL || *error == NULL, 0);

  self->fd_condition = 0;
  context = gaio_coroutine_ref_context (self);
  if (context != NULL)
    err = gaio_fd_table_set (gaio_context_get_core (context)->fds,
                             &(GaioFdRegistration){
                                 .fd = fd,
                                 .events = condition,
                                 .func = on_fd,
                                 .user_data = gaio_coroutine_ref (self),
                                 .notify = unref_coroutine,
                                 .is_exclusive = true,
                             });
  if (err != 0)
    {
      g_autofree char *object = g_strdup_printf ("fd %d", fd);

      gaio_set_error_errno (error, -err, "wait for", object);
      gaio_coroutine_unref (self);
      g_object_unref (context);
      return 0;
    }
  /* The context must not last for this wait. */
  g_clear_object (&context);
  gaio_coroutine_wait (self, GAIO_COROUTINE_WOKEN | GAIO_COROUTINE_KICKED);
  context = gaio_coroutine_ref_context (self);
  if (context != NULL)
    gaio_context_remove_fd_handler (context, fd);
  g_clear_object (&context);
  return self->fd_condition;
}
