/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What who has threads owes the process: to end them at exit, and not to count on them in a forked
 * child. */

#pragma once

#include <stdbool.h>

#include <gaio/base/gaio-fork-private.h>

/* To be embedded in what has threads. */
typedef struct _GaioProcessHook GaioProcessHook;
struct _GaioProcessHook
{
  /* Ends the threads and joins them, without waiting for what may take for ever. Called by exit(3),
   * at most once, in whatever thread called that. */
  void (*at_exit) (GaioProcessHook *self);

  /*< private >*/
  GList link;
  guint fork_count;
};

/* Thread: any, for all of these. Between add and remove it may be called. */
void gaio_process_hook_add (GaioProcessHook *self);
void gaio_process_hook_remove (GaioProcessHook *self);

/* Whether it was added in the parent of this process: then its threads are not here, its locks are
 * in any state, and it must be left alone. */
static inline bool
gaio_process_hook_is_of_parent (GaioProcessHook *self)
{
  return G_UNLIKELY (self->fork_count != gaio_fork_get_count ());
}

/* Takes a thread that ends soon and that nobody can join just now; the next one who can does, or
 * exit(3). */
void gaio_process_bury (GThread *thread);
void gaio_process_join_buried (void);
