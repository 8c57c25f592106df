/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The driver of a core by a GMainContext: in its poll function, or as one of its sources. In either
 * case the source says when there is something to do, and does it.
 *
 * Thread: that which runs the GMainContext, which is the home. */

#include "config.h"

#include <gaio/loop/gaio-core-parts-private.h>

typedef GaioCore Core;

static guint
get_source_groups (Core *core, guint outermost_depth)
{
  return gaio_core_get_groups (core, outermost_depth) | GAIO_FD_GROUP_BIT (GAIO_FD_GROUP_GUESTS);
}

void
gaio_core_flush (Core *core)
{
  gaio_core_flush_groups (core, get_source_groups (core, 0));
  gaio_core_submit (core);
}

static void
source_end_sleep (Core *core)
{
  if (core->source_sleeps)
    gaio_waker_end_sleep (core->waker);
  core->source_sleeps = false;
}

/* How many milliseconds the GMainContext may wait, -1 for ever. Its poll knows nothing finer, so
 * the deadline is the timerfd's where there is one. */
static int
source_get_timeout_ms (Core *core)
{
  gint64 timeout_ns =
      core->deadline != NULL ? gaio_core_set_deadline (core) : gaio_core_get_timeout_ns (core);
  gint64 timeout_ms;

  if (timeout_ns <= 0)
    return (int) timeout_ns;
  if (core->deadline != NULL)
    return -1;
  /* What has just been made is watched from the next round on. */
  if (!core->deadline_failed && gaio_core_ensure_deadline (core))
    return 0;
  /* Rounded up: a timer is never early. */
  timeout_ms = timeout_ns / 1000000 + (timeout_ns % 1000000 != 0);
  return (int) MIN (timeout_ms, G_MAXINT);
}

/* Breaks: a GMainContext dispatches what is ready with the highest priority, and asks nothing of
 * the rest; so the redraws of a window would wait until the GSource is not ready for once.
 * Therefore when it has been for as long as its budget allows, it says that it is not: until a
 * source of the lowest priority, which is there for that only, is dispatched, as everybody else has
 * had their turn then and has nothing more to do; or until they have been busy for as long as the
 * budget. One round would not do, as others of the same priority may have that, and the frame clock
 * of GTK needs two for a frame. */
typedef struct
{
  GSource parent;
  Core *core; /* borrowed: it ends the break before it is gone */
} Break;

void
gaio_core_end_break (Core *core)
{
  if (core->source_break == NULL)
    return;
  g_source_destroy (core->source_break);
  g_clear_pointer (&core->source_break, g_source_unref);
  core->busy_since_us = 0;
}

static gboolean
break_prepare (GSource *source, int *timeout_ms)
{
  *timeout_ms = 0;
  return TRUE;
}

static gboolean
break_dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  gaio_core_end_break (((Break *) source)->core);
  return G_SOURCE_REMOVE;
}

static void
begin_break (Core *core, gint64 end_us)
{
  static GSourceFuncs funcs = { .prepare = break_prepare, .dispatch = break_dispatch };

  core->source_break = g_source_new (&funcs, sizeof (Break));
  ((Break *) core->source_break)->core = core;
  g_source_set_static_name (core->source_break, "GaioContext's break");
  g_source_set_priority (core->source_break, G_MAXINT);
  g_source_attach (core->source_break, g_source_get_context (&core->parent));
  core->break_end_us = end_us;
}

static bool
is_in_break (Core *core)
{
  if (G_LIKELY (core->source_break == NULL))
    return false;
  if (g_source_get_time (&core->parent) >= core->break_end_us)
    gaio_core_end_break (core);
  return core->source_break != NULL;
}

static gboolean
source_prepare (GSource *source, int *timeout_ms)
{
  Core *core = (Core *) source;
  bool is_driven = atomic_load_explicit (&core->driver, memory_order_acquire) != NULL;
  bool may_sleep;

  *timeout_ms = -1;
  if (!gaio_core_take_home (core))
    return FALSE;
  if (atomic_load_explicit (&core->orphaned, memory_order_acquire))
    {
      *timeout_ms = 0;
      return TRUE;
    }
  if (is_in_break (core))
    return FALSE;

  /* The driver looks for what there is to do when it waits, and knows the deadline itself. */
  if (is_driven)
    return FALSE;

  gaio_core_flush_for_others (core, get_source_groups (core, 0));
  if (!core->source_sleeps)
    {
      core->source_sleeps = true;
      may_sleep = gaio_waker_begin_sleep (core->waker);
    }
  else
    may_sleep = !gaio_waker_is_notified (core->waker);
  *timeout_ms = may_sleep ? source_get_timeout_ms (core) : 0;
  if (*timeout_ms != 0)
    {
      core->n_sleeps++;
      return FALSE;
    }
  source_end_sleep (core);
  return TRUE;
}

static gboolean
source_check (GSource *source)
{
  Core *core = (Core *) source;

  if (!gaio_waker_is_home (core->waker))
    return FALSE;
  source_end_sleep (core);
  if (core->source_break != NULL)
    return FALSE;
  if (gaio_waker_is_notified (core->waker) || gaio_fd_table_source_is_ready (core->fds) ||
      gaio_bh_queue_get_timeout_ns (core->bottom_halves) >= 0 ||
      gaio_core_get_timeout_ns (core) == 0)
    return TRUE;
  core->busy_since_us = 0;
  return FALSE;
}

/* The slice for a turn, or NULL when it may take as long as it does; false when it is time for a
 * break. */
static bool
begin_slice (Core *core, GaioSlice **slice)
{
  gint64 budget_us = atomic_load_explicit (&core->budget_us, memory_order_relaxed);
  gint64 now_us = g_source_get_time (&core->parent);

  if (core->busy_since_us == 0)
    core->busy_since_us = now_us;
  if (budget_us == 0)
    {
      *slice = NULL;
      return true;
    }
  if (now_us - core->busy_since_us >= budget_us)
    {
      begin_break (core, now_us + budget_us);
      return false;
    }
  gaio_slice_begin (*slice, now_us, core->busy_since_us + budget_us - now_us);
  return true;
}

static gboolean
source_dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  Core *core = (Core *) source;
  GaioSlice storage;
  GaioSlice *slice = &storage;

  source_end_sleep (core);
  if (G_UNLIKELY (atomic_load_explicit (&core->orphaned, memory_order_acquire)) &&
      atomic_load_explicit (&core->depth, memory_order_relaxed) == 0)
    {
      gaio_core_end (core);
      return G_SOURCE_REMOVE;
    }
  if (!begin_slice (core, &slice))
    return G_SOURCE_CONTINUE;
  gaio_core_enter_turn (core);
  if (atomic_load_explicit (&core->driver, memory_order_relaxed) == NULL)
    gaio_fd_table_collect (core->fds);
  gaio_core_dispatch (core, get_source_groups (core, 1), slice);
  gaio_core_leave_turn (core);
  return G_SOURCE_CONTINUE;
}

GSourceFuncs gaio_core_source_funcs = {
  .prepare = source_prepare,
  .check = source_check,
  .dispatch = source_dispatch,
  .finalize = gaio_core_finalize,
};
