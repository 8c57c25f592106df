/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/loop/gaio-drive.h>

/* What else is to be done around the wait of a GMainContext that a context drives. Any of them may
 * be NULL. They are called in the midst of an iteration and must not run the GMainContext. */
typedef struct
{
  /* Before each wait, in this order. fill appends GPollFDs to `pollfds`, each descriptor once, and
   * lowers `timeout_ns`, where -1 is for ever. */
  void (*fill) (GArray *pollfds, gint64 *timeout_ns, gpointer user_data);

  /* Right before and right after the blocking point, also when that does not block. */
  void (*release) (gpointer user_data);
  void (*acquire) (gpointer user_data);

  /* After the wait: the same array with revents; `err` is 0 or a positive errno. */
  void (*done) (GArray *pollfds, int err, gpointer user_data);
} GaioDriveHooks;

/* The context has to drive a GMainContext already. `hooks` NULL: none. Thread: home. */
void gaio_context_set_drive_hooks (GaioContext *self,
                                   const GaioDriveHooks *hooks,
                                   gpointer user_data);
