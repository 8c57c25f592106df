/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The public calls for fd handlers: they check arguments and make errors of the table's results.
 * What a handler does and when stands in gaio-fd-table.c. */

#include "config.h"

#include <gaio/base/gaio-error-private.h>
#include <gaio/loop/gaio-core-private.h>
#include <gaio/loop/gaio-fd-handler.h>

G_DEFINE_ENUM_TYPE (GaioFdGroup,
                    gaio_fd_group,
                    G_DEFINE_ENUM_VALUE (GAIO_FD_GROUP_DEFAULT, "default"),
                    G_DEFINE_ENUM_VALUE (GAIO_FD_GROUP_IO, "io"))

static gboolean
report (int err, int fd, const char *operation, GError **error)
{
  g_autofree char *object = NULL;

  if (err == 0)
    return TRUE;
  object = g_strdup_printf ("fd %d", fd);
  gaio_set_error_errno (error, -err, operation, object);
  return FALSE;
}

static gboolean
set_handler (GaioContext *self, const GaioFdRegistration *registration, GError **error)
{
  return report (gaio_fd_table_set (gaio_context_get_core (self)->fds, registration),
                 registration->fd,
                 "set handler",
                 error);
}

static gboolean
amend_handler (GaioContext *self,
               int fd,
               const GaioFdAmendment *amendment,
               const char *operation,
               GError **error)
{
  return report (gaio_fd_table_amend (gaio_context_get_core (self)->fds, fd, amendment),
                 fd,
                 operation,
                 error);
}

/**
 * gaio_context_set_fd_handler:
 * @self: a context
 * @fd: a file descriptor, which must stay open until its handler is removed
 * @condition: what to wait for
 * @func: (scope notified) (closure user_data) (destroy notify): what to call when it is ready
 * @user_data: data for @func
 * @notify: (nullable): frees @user_data, in the home thread, when the handler has been removed
 * @error: return location for an error
 *
 * Calls a function whenever a descriptor is ready, in place of the handler that the descriptor may
 * have. A regular file is always ready, as for poll(2).
 *
 * Thread: any.
 *
 * Returns: %TRUE, or %FALSE when @fd is not open; @user_data is then not freed
 */
gboolean
gaio_context_set_fd_handler (GaioContext *self,
                             int fd,
                             GIOCondition condition,
                             GaioFdFunc func,
                             gpointer user_data,
                             GDestroyNotify notify,
                             GError **error)
{
  GaioFdRegistration registration = {
    .fd = fd,
    .events = condition,
    .func = func,
    .user_data = user_data,
    .notify = notify,
  };

  g_return_val_if_fail (GAIO_IS_CONTEXT (self), FALSE);
  g_return_val_if_fail (func != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return set_handler (self, &registration, error);
}

/**
 * gaio_context_set_fd_handlers: (skip)
 * @self: a context
 * @fd: a file descriptor, which must stay open until its handler is removed
 * @handlers: the callbacks, copied; without `read`, `write` and `poll` the handler is removed
 * @user_data: data for the callbacks
 * @notify: (nullable): frees @user_data, in the home thread, when the handler has been removed
 * @error: return location for an error
 *
 * As [method@Gaio.Context.set_fd_handler] with one callback for each direction.
 *
 * Thread: any.
 *
 * Returns: %TRUE, or %FALSE when @fd is not open; @user_data is then not freed
 */
gboolean
gaio_context_set_fd_handlers (GaioContext *self,
                              int fd,
                              const GaioFdHandlers *handlers,
                              gpointer user_data,
                              GDestroyNotify notify,
                              GError **error)
{
  GaioFdRegistration registration = {
    .fd = fd,
    .user_data = user_data,
    .notify = notify,
  };

  g_return_val_if_fail (GAIO_IS_CONTEXT (self), FALSE);
  g_return_val_if_fail (handlers != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  g_return_val_if_fail ((handlers->poll == NULL) == (handlers->poll_ready == NULL), FALSE);

  registration.handlers = *handlers;
  if (handlers->read != NULL)
    registration.events |= G_IO_IN | G_IO_HUP | G_IO_ERR;
  if (handlers->write != NULL)
    registration.events |= G_IO_OUT | G_IO_ERR;
  if (registration.events == 0 && handlers->poll == NULL)
    {
      gaio_context_remove_fd_handler (self, fd);
      if (notify != NULL)
        gaio_bh_queue_release (gaio_context_get_core (self)->bottom_halves, notify, user_data);
      return TRUE;
    }
  return set_handler (self, &registration, error);
}

typedef struct
{
  GaioEventNotifier *notifier;
  GaioFunc func;
  gpointer user_data;
  GDestroyNotify notify;
} NotifierHandler;

static void
on_notifier (gpointer user_data)
{
  NotifierHandler *self = user_data;

  if (gaio_event_notifier_test_and_clear (self->notifier))
    self->func (self->user_data);
}

static void
free_notifier_handler (gpointer data)
{
  NotifierHandler *self = data;

  if (self->notify != NULL)
    self->notify (self->user_data);
  g_object_unref (self->notifier);
  g_free (self);
}

/**
 * gaio_context_set_event_notifier:
 * @self: a context
 * @notifier: an event notifier, kept alive by its handler
 * @func: (scope notified) (closure user_data) (destroy notify): what to call
 * @user_data: data for @func
 * @notify: (nullable): frees @user_data, in the home thread, when the handler has been removed
 * @error: return location for an error
 *
 * Calls a function whenever a notifier was set, and clears it before. The handler is removed by
 * [method@Gaio.Context.remove_fd_handler] with the notifier's descriptor.
 *
 * Thread: any.
 *
 * Returns: %TRUE, or %FALSE when the descriptor of @notifier is not open; @user_data is then not
 *   freed
 */
gboolean
gaio_context_set_event_notifier (GaioContext *self,
                                 GaioEventNotifier *notifier,
                                 GaioFunc func,
                                 gpointer user_data,
                                 GDestroyNotify notify,
                                 GError **error)
{
  NotifierHandler *handler;
  GaioFdRegistration registration;

  g_return_val_if_fail (GAIO_IS_CONTEXT (self), FALSE);
  g_return_val_if_fail (GAIO_IS_EVENT_NOTIFIER (notifier), FALSE);
  g_return_val_if_fail (func != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  handler = g_new0 (NotifierHandler, 1);
  handler->notifier = g_object_ref (notifier);
  handler->func = func;
  handler->user_data = user_data;
  handler->notify = notify;
  registration = (GaioFdRegistration){
    .fd = gaio_event_notifier_get_fd (notifier),
    .events = G_IO_IN,
    .handlers = { .read = on_notifier },
    .user_data = handler,
    .notify = free_notifier_handler,
  };
  if (set_handler (self, &registration, error))
    return TRUE;
  handler->notify = NULL;
  free_notifier_handler (handler);
  return FALSE;
}

/**
 * gaio_context_set_fd_can_read:
 * @self: a context
 * @fd: a file descriptor that has a handler
 * @func: (scope notified) (closure user_data) (destroy notify): what to ask before each wait
 * @user_data: data for @func
 * @notify: (nullable): frees @user_data, in the home thread
 * @error: return location for an error
 *
 * Has the loop ask before each wait whether the handler wants to read; while it does not, data
 * stays where it is and nothing is called. The function goes with the handler, and belongs to that
 * one only: a handler set in its place has none.
 *
 * This is what QEMU calls the can-read callback of an I/O handler.
 *
 * Thread: any.
 *
 * Returns: %TRUE, or %FALSE when @fd has no handler; @user_data is then not freed
 */
gboolean
gaio_context_set_fd_can_read (GaioContext *self,
                              int fd,
                              GaioCanReadFunc func,
                              gpointer user_data,
                              GDestroyNotify notify,
                              GError **error)
{
  GaioFdAmendment amendment = {
    .can_read = func,
    .user_data = user_data,
    .notify = notify,
  };

  g_return_val_if_fail (GAIO_IS_CONTEXT (self), FALSE);
  g_return_val_if_fail (func != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return amend_handler (self, fd, &amendment, "set can-read function", error);
}

/**
 * gaio_context_set_fd_poll:
 * @self: a context
 * @fd: a file descriptor that has a handler
 * @func: (scope notified) (closure user_data) (destroy notify): what to look at
 * @user_data: data for @func
 * @notify: (nullable): frees @user_data, in the home thread
 * @error: return location for an error
 *
 * Has adaptive polling look at a function. When it returns %TRUE the handler is called as if @fd
 * were ready for reading. The function goes with the handler, and belongs to that one only.
 *
 * Thread: any.
 *
 * Returns: %TRUE, or %FALSE when @fd has no handler; @user_data is then not freed
 */
gboolean
gaio_context_set_fd_poll (GaioContext *self,
                          int fd,
                          GaioFdPollFunc func,
                          gpointer user_data,
                          GDestroyNotify notify,
                          GError **error)
{
  GaioFdAmendment amendment = {
    .poll = func,
    .user_data = user_data,
    .notify = notify,
  };

  g_return_val_if_fail (GAIO_IS_CONTEXT (self), FALSE);
  g_return_val_if_fail (func != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return amend_handler (self, fd, &amendment, "set poll function", error);
}

/**
 * gaio_context_set_fd_group:
 * @self: a context
 * @fd: a file descriptor that has a handler
 * @group: which turns call it
 * @error: return location for an error
 *
 * Says whether nested turns call the handler too. A handler set in its place is in the default
 * group again.
 *
 * This is what QEMU needs a second context for, that of the I/O handlers.
 *
 * Thread: any.
 *
 * Returns: %TRUE, or %FALSE when @fd has no handler
 */
gboolean
gaio_context_set_fd_group (GaioContext *self, int fd, GaioFdGroup group, GError **error)
{
  GaioFdAmendment amendment = { .changes_group = true, .group = group };

  g_return_val_if_fail (GAIO_IS_CONTEXT (self), FALSE);
  g_return_val_if_fail (group == GAIO_FD_GROUP_DEFAULT || group == GAIO_FD_GROUP_IO, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return amend_handler (self, fd, &amendment, "set handler group", error);
}

/**
 * gaio_context_remove_fd_handler:
 * @self: a context
 * @fd: a file descriptor
 *
 * Removes the handler of a descriptor; nothing happens when there is none. From the home thread it
 * is certain that the handler is not called any more, also when its descriptor was found ready
 * already; from another thread it may be running at the moment.
 *
 * Thread: any.
 */
void
gaio_context_remove_fd_handler (GaioContext *self, int fd)
{
  g_return_if_fail (GAIO_IS_CONTEXT (self));

  gaio_fd_table_remove (gaio_context_get_core (self)->fds, fd);
}
