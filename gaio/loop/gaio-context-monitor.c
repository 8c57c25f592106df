/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* How a context waits and submits, as its properties say: the monitor, and the sizes that decide
 * when something else is done. Any thread may change them at any time; the loop looks before its
 * next wait. */

#include "config.h"

#include <gaio/loop/gaio-core-private.h>

/**
 * gaio_context_get_monitor: (get-property monitor)
 * @self: a context
 *
 * Gets how the context waits for descriptors.
 *
 * Thread: any.
 *
 * Returns: the monitor in use, or what is wanted before the first turn
 */
GaioMonitor
gaio_context_get_monitor (GaioContext *self)
{
  g_return_val_if_fail (GAIO_IS_CONTEXT (self), GAIO_MONITOR_AUTO);

  return gaio_fd_table_get_monitor (gaio_context_get_core (self)->fds);
}

/**
 * gaio_context_set_monitor: (set-property monitor)
 * @self: a context
 * @monitor: what is wanted
 *
 * Asks for another way to wait for descriptors. The change is made before the next wait; all
 * handlers stay. What the system does not have is not taken: see
 * [method@Gaio.Context.get_monitor].
 *
 * Thread: any.
 */
void
gaio_context_set_monitor (GaioContext *self, GaioMonitor monitor)
{
  g_return_if_fail (GAIO_IS_CONTEXT (self));
  g_return_if_fail ((guint) monitor <= GAIO_MONITOR_IO_URING);

  gaio_fd_table_set_monitor (gaio_context_get_core (self)->fds, monitor);
}

/**
 * gaio_context_get_epoll_threshold: (get-property epoll-threshold)
 * @self: a context
 *
 * Gets from how many descriptors on epoll takes the place of poll.
 *
 * Thread: any.
 *
 * Returns: a number of descriptors; those of the context itself, one or two, count
 */
guint
gaio_context_get_epoll_threshold (GaioContext *self)
{
  g_return_val_if_fail (GAIO_IS_CONTEXT (self), 0);

  return gaio_fd_table_get_epoll_threshold (gaio_context_get_core (self)->fds);
}

/**
 * gaio_context_set_epoll_threshold: (set-property epoll-threshold)
 * @self: a context
 * @n_fds: a number of descriptors
 *
 * Sets from how many descriptors on epoll takes the place of poll.
 *
 * Thread: any.
 */
void
gaio_context_set_epoll_threshold (GaioContext *self, guint n_fds)
{
  g_return_if_fail (GAIO_IS_CONTEXT (self));

  if (gaio_fd_table_get_epoll_threshold (gaio_context_get_core (self)->fds) == n_fds)
    return;
  gaio_fd_table_set_epoll_threshold (gaio_context_get_core (self)->fds, n_fds);
  g_object_notify (G_OBJECT (self), "epoll-threshold");
}

/**
 * gaio_context_get_monitor_reason: (get-property monitor-reason)
 * @self: a context
 *
 * Gets why the monitor is what it is, for people to read.
 *
 * Thread: any.
 *
 * Returns: (transfer full) (nullable): a text, or %NULL before it is decided
 */
char *
gaio_context_get_monitor_reason (GaioContext *self)
{
  g_autofree char *ring_reason = NULL;
  const char *reason;

  g_return_val_if_fail (GAIO_IS_CONTEXT (self), NULL);

  reason = gaio_fd_table_get_monitor_reason (gaio_context_get_core (self)->fds);
  ring_reason = gaio_context_get_engine_reason (self);
  if (reason != NULL && ring_reason != NULL &&
      gaio_context_get_engine (self) == GAIO_ENGINE_THREADS)
    return g_strdup_printf ("%s; %s", ring_reason, reason);
  return g_strdup (reason);
}

/**
 * gaio_context_get_max_batch: (get-property max-batch)
 * @self: a context
 *
 * Gets how many operations the context gathers before it submits them.
 *
 * Thread: any.
 *
 * Returns: a number of operations, 0 for as many as there is room for
 */
guint
gaio_context_get_max_batch (GaioContext *self)
{
  g_return_val_if_fail (GAIO_IS_CONTEXT (self), 0);

  return atomic_load (&gaio_context_get_core (self)->max_batch);
}

/**
 * gaio_context_set_max_batch: (set-property max-batch)
 * @self: a context
 * @n_operations: a number of operations, 0 for as many as there is room for
 *
 * Sets how many operations the context gathers before it submits them.
 *
 * Thread: any.
 */
void
gaio_context_set_max_batch (GaioContext *self, guint n_operations)
{
  g_return_if_fail (GAIO_IS_CONTEXT (self));

  if (atomic_exchange (&gaio_context_get_core (self)->max_batch, n_operations) != n_operations)
    g_object_notify (G_OBJECT (self), "max-batch");
}
