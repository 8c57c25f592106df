/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/loop/gaio-context.h>

G_BEGIN_DECLS

/**
 * GaioFdFunc:
 * @fd: the file descriptor
 * @condition: what it is ready for, of what was asked for; and %G_IO_HUP and %G_IO_ERR, which
 *   are always reported
 * @user_data: the data given with the function
 *
 * A function that a [class@Gaio.Context] calls in its home thread when a file descriptor is
 * ready, again and again for as long as it is.
 */
typedef void (*GaioFdFunc) (int fd, GIOCondition condition, gpointer user_data);

/**
 * GaioCanReadFunc:
 * @user_data: the data given with the function
 *
 * A function that a [class@Gaio.Context] asks, in its home thread before each wait, how much a
 * handler can take now. Whoever makes the answer rise from another place than the loop's own
 * callbacks calls [method@Gaio.Context.notify], so that it is asked again.
 *
 * Returns: how much, for instance a number of bytes; 0 or less for nothing: then the handler does
 *   not wait for reading this time
 */
typedef gssize (*GaioCanReadFunc) (gpointer user_data);

/**
 * GaioFdPollFunc:
 * @user_data: the data given with the function
 *
 * A function that a [class@Gaio.Context] calls many times in a row while it does adaptive polling
 * (see [property@Gaio.Context:poll-max-ns]), in its home thread. It only looks, for instance into
 * memory that a device writes, and is quick; what it finds is handled by another function.
 *
 * Returns: %TRUE when there is something to handle
 */
typedef gboolean (*GaioFdPollFunc) (gpointer user_data);

/**
 * GaioFdGroup:
 * @GAIO_FD_GROUP_DEFAULT: called in all turns
 * @GAIO_FD_GROUP_IO: called in outermost turns only, never in one that a callback of the context
 *   does while it waits for something: for what must not happen in the midst of another callback,
 *   such as commands from outside
 *
 * Which turns of a [class@Gaio.Context] call a handler.
 */
typedef enum
{
  GAIO_FD_GROUP_DEFAULT,
  GAIO_FD_GROUP_IO,
} GaioFdGroup;

GAIO_AVAILABLE_IN_1_0
GType gaio_fd_group_get_type (void);
#define GAIO_TYPE_FD_GROUP (gaio_fd_group_get_type ())

/**
 * GaioFdHandlers: (skip)
 * @read: (nullable): called when there is something to read, or on an error or hang-up; %NULL for
 *   no interest
 * @write: (nullable): called when there is room to write, or on an error; %NULL for no interest
 * @can_read: (nullable): asked before each wait whether @read is wanted
 * @poll: (nullable): tells without a system call whether there is something to handle; needs
 *   @poll_ready
 * @poll_ready: (nullable): handles what @poll has found
 * @poll_begin: (nullable): called when the loop begins to poll, and from then on looks at @poll
 *   only: notifications that @read or @write would see can be switched off
 * @poll_end: (nullable): called when the loop no longer polls, before it sleeps: switch
 *   notifications on. @poll is called once more after it
 *
 * The callbacks of a file descriptor, in QEMU's manner: @read goes before @write, and when one of
 * them removes the handler no other is called any more, @poll_end included.
 *
 * While @poll_ready runs, a turn within it does not call @poll; when that turn sleeps it calls
 * @poll_end first, so that @read hears of what comes then.
 */
typedef struct
{
  void (*read) (gpointer user_data);
  void (*write) (gpointer user_data);
  GaioCanReadFunc can_read;
  GaioFdPollFunc poll;
  void (*poll_ready) (gpointer user_data);
  void (*poll_begin) (gpointer user_data);
  void (*poll_end) (gpointer user_data);

  /*< private >*/
  gpointer padding[5];
} GaioFdHandlers;

GAIO_AVAILABLE_IN_1_0
gboolean gaio_context_set_fd_handler (GaioContext *self,
                                      int fd,
                                      GIOCondition condition,
                                      GaioFdFunc func,
                                      gpointer user_data,
                                      GDestroyNotify notify,
                                      GError **error);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_context_set_fd_handlers (GaioContext *self,
                                       int fd,
                                       const GaioFdHandlers *handlers,
                                       gpointer user_data,
                                       GDestroyNotify notify,
                                       GError **error);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_context_set_event_notifier (GaioContext *self,
                                          GaioEventNotifier *notifier,
                                          GaioFunc func,
                                          gpointer user_data,
                                          GDestroyNotify notify,
                                          GError **error);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_context_set_fd_can_read (GaioContext *self,
                                       int fd,
                                       GaioCanReadFunc func,
                                       gpointer user_data,
                                       GDestroyNotify notify,
                                       GError **error);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_context_set_fd_poll (GaioContext *self,
                                   int fd,
                                   GaioFdPollFunc func,
                                   gpointer user_data,
                                   GDestroyNotify notify,
                                   GError **error);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_context_set_fd_group (GaioContext *self,
                                    int fd,
                                    GaioFdGroup group,
                                    GError **error);

GAIO_AVAILABLE_IN_1_0
void gaio_context_remove_fd_handler (GaioContext *self, int fd);

G_END_DECLS
