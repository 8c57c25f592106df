/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/loop/gaio-context.h>

G_BEGIN_DECLS

/**
 * GaioChildFunc:
 * @pid: the child that has ended
 * @wait_status: how, as waitpid(2) has it: see `g_spawn_check_wait_status()`, or Python's
 *   `os.waitstatus_to_exitcode()`; -1 when somebody else has waited for the child, so that nobody
 *   can tell any more
 * @user_data: the data given with the function
 *
 * A function that a [class@Gaio.Context] calls in its home thread, once, when a child process has
 * ended.
 */
typedef void (*GaioChildFunc) (int pid, int wait_status, gpointer user_data);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_context_add_child_watch (GaioContext *self,
                                       int pid,
                                       GaioChildFunc func,
                                       gpointer user_data,
                                       GDestroyNotify notify,
                                       GError **error);

GAIO_AVAILABLE_IN_1_0
void gaio_context_remove_child_watch (GaioContext *self, int pid);

G_END_DECLS
