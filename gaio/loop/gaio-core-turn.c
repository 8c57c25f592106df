/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The turn of a core. Between enter_turn() and leave_turn() it is flush(), get_timeout_ns(), a
 * wait, and dispatch(). The drivers only call these; what differs is who waits:
 *  - by hand, below: the monitor, inside gaio_core_poll();
 *  - a GMainContext: its poll, between prepare and check of the source;
 *  - a foreign loop, on the monitor's descriptor; it comes back with gaio_core_iterate().
 *
 * How each driver falls asleep is in tests/loop/sleep.pml, for the model checker.
 *
 * Thread: home. */

#include "config.h"

#include <gaio/base/gaio-poll.h>
#include <gaio/loop/gaio-core-parts-private.h>

typedef GaioCore Core;

/* The parts of a turn */

guint
gaio_core_get_groups (Core *core, guint outermost_depth)
{
  guint groups = GAIO_FD_GROUP_BIT (GAIO_FD_GROUP_DEFAULT);

  if (atomic_load_explicit (&core->depth, memory_order_relaxed) <= outermost_depth)
    groups |= GAIO_FD_GROUP_BIT (GAIO_FD_GROUP_IO);
  return groups;
}

void
gaio_core_flush_groups (Core *core, guint groups)
{
  GaioMonitor wanted, monitor;

  gaio_core_check_process (core);
  wanted = gaio_fd_table_get_wanted_monitor (core->fds);
  if (G_UNLIKELY (!core->ring_tried) &&
      (wanted == GAIO_MONITOR_IO_URING ||
       (wanted == GAIO_MONITOR_AUTO && core->wanted_engine != GAIO_ENGINE_THREADS)))
    gaio_core_ensure_ring (core);

  if (G_UNLIKELY (core->ring_watched) && gaio_ring_is_usable (core->ring) &&
      (wanted == GAIO_MONITOR_IO_URING || wanted == GAIO_MONITOR_AUTO))
    gaio_core_watch_ring (core, false);
  if (core->ring != NULL)
    gaio_ring_set_max_batch (core->ring,
                             atomic_load_explicit (&core->max_batch, memory_order_relaxed));
  gaio_fd_table_flush (core->fds, core->ring, groups);
  monitor = gaio_fd_table_get_monitor (core->fds);
  if (G_UNLIKELY (core->ring != NULL && !core->ring_watched && monitor != GAIO_MONITOR_IO_URING))
    {
      gaio_core_watch_ring (core, true);
      gaio_fd_table_flush (core->fds, core->ring, groups);
    }
  if (G_UNLIKELY (monitor != core->monitor))
    {
      core->monitor = monitor;
      gaio_bh_node_schedule (&core->monitor_changed, core->bottom_halves);
    }
}

/* The ring is submitted to now, since nobody does it later, and nobody looks at poll functions. */
void
gaio_core_flush_for_others (Core *core, guint groups)
{
  gaio_core_flush_groups (core, groups);
  if (core->ring != NULL)
    gaio_ring_submit (core->ring);
  gaio_adaptive_stop_polling (&core->adaptive, groups);
}

/* `now_ns` is the time of the monotonic clock if the caller knows it, or 0. */
static gint64
get_timeout_from_ns (Core *core, gint64 now_ns)
{
  if (gaio_fd_table_is_ready (core->fds) || (core->ring != NULL && gaio_ring_is_ready (core->ring)))
    return 0;
  return gaio_timeout_soonest_ns (gaio_bh_queue_get_timeout_ns (core->bottom_halves),
                                  gaio_timer_heap_get_timeout_from_ns (core->timers, now_ns));
}

gint64
gaio_core_get_timeout_ns (Core *core)
{
  return get_timeout_from_ns (core, 0);
}

bool
gaio_core_ensure_deadline (Core *core)
{
  if (core->deadline == NULL)
    core->deadline = gaio_deadline_new (core->fds);
  core->deadline_failed = core->deadline == NULL;
  return !core->deadline_failed;
}

gint64
gaio_core_set_deadline (Core *core)
{
  gint64 now_ns = gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC);
  gint64 timeout_ns = get_timeout_from_ns (core, now_ns);

  if (timeout_ns != 0)
    gaio_deadline_set_ns (core->deadline,
                          timeout_ns < 0 ? 0 : now_ns + MIN (timeout_ns, G_MAXINT64 - now_ns),
                          now_ns);
  return timeout_ns;
}

static void
note_dispatch_time (Core *core, gint64 begin_ns)
{
  guint64 duration_ns = (guint64) (gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC) - begin_ns);

  core->longest_dispatch_ns = MAX (core->longest_dispatch_ns, duration_ns);
}

static guint64
count_ended (Core *core)
{
  return atomic_load (&core->work_ended) +
         atomic_load_explicit (&core->counters.io.ended, memory_order_relaxed);
}

bool
gaio_core_dispatch (Core *core, guint groups, GaioSlice *slice)
{
  guint64 ended = count_ended (core);
  gint64 begin_ns =
      G_UNLIKELY (core->times_dispatch) ? gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC) : 0;
  bool progress = false;

  core->n_turns++;
  gaio_waker_accept (core->waker);
  if (core->ring != NULL)
    core->n_reaped += gaio_ring_reap (core->ring, slice);
  gaio_slice_go_on (slice);
  progress |= gaio_bh_queue_run (core->bottom_halves, slice);
  gaio_slice_go_on (slice);
  progress |= gaio_fd_table_dispatch (core->fds, groups, slice);
  gaio_slice_go_on (slice);
  if (atomic_load_explicit (&core->depth, memory_order_relaxed) == 1)
    gaio_fd_table_bury (core->fds);
  progress |= gaio_timer_heap_run (core->timers, slice);
  if (G_UNLIKELY (begin_ns != 0))
    note_dispatch_time (core, begin_ns);
  return progress || ended != count_ended (core);
}

void
gaio_core_enter_turn (Core *core)
{
  if (atomic_fetch_add_explicit (&core->depth, 1, memory_order_relaxed) == 0)
    gaio_waker_begin_turn (core->waker);
  gaio_core_foreign_end_sleep (core);
}

/* After a turn between prepare and check of the source, which another source's prepare has run. It
 * may have used up polls of the ring, and taken a write without looking at what it was for; and
 * nobody else comes by before GLib waits. */
static void
prepare_again (Core *core)
{
  gaio_core_flush_for_others (core, gaio_core_get_groups (core, 1));
  if (gaio_waker_is_notified (core->waker) || gaio_core_get_timeout_ns (core) == 0)
    gaio_event_notifier_set (gaio_waker_get_notifier (core->waker));
}

void
gaio_core_leave_turn (Core *core)
{
  if (G_UNLIKELY (core->source_sleeps))
    prepare_again (core);
  if (atomic_load_explicit (&core->depth, memory_order_relaxed) == 1)
    gaio_waker_end_turn (core->waker);
  if (atomic_fetch_sub_explicit (&core->depth, 1, memory_order_relaxed) == 1 &&
      core->foreign != NULL && !core->iterating)
    gaio_core_foreign_begin_sleep (core);
}

/* The driver by hand */

static void
ask_monitor (Core *core, gint64 timeout_ns)
{
  bool sleeps = timeout_ns != 0;

  if (sleeps)
    {
      if (gaio_waker_begin_sleep (core->waker))
        core->n_sleeps++;
      else
        timeout_ns = 0;
    }
  gaio_fd_table_wait (core->fds, timeout_ns);
  if (sleeps)
    gaio_waker_end_sleep (core->waker);
}

/* Waits until something is ready, for `limit_ns` at most; -1 is for ever. What is ready is for a
 * turn that may call `groups`. */
static void
wait_for (Core *core, gint64 limit_ns, guint groups)
{
  gint64 timeout_ns = 0;

  if (limit_ns != 0)
    timeout_ns = gaio_timeout_soonest_ns (limit_ns, gaio_core_get_timeout_ns (core));
  /* Monitors add it to the time. */
  if (timeout_ns > G_MAXINT64 / 2)
    timeout_ns = -1;
  if (gaio_adaptive_is_in_use (&core->adaptive))
    {
      GaioAdaptiveWait adaptive_wait = {
        .timeout_ns = timeout_ns,
        .groups = groups,
      };

      gaio_adaptive_begin_wait (&core->adaptive, core->ring, &adaptive_wait);
      if (!adaptive_wait.found)
        ask_monitor (core, adaptive_wait.timeout_ns);
      gaio_adaptive_end_wait (&core->adaptive, core->ring, &adaptive_wait);
    }
  else
    ask_monitor (core, timeout_ns);
}

void
gaio_core_wait (Core *core, gint64 limit_ns)
{
  wait_for (core, limit_ns, gaio_core_get_groups (core, 0));
}

bool
gaio_core_may_sleep (Core *core)
{
  return !gaio_waker_is_notified (core->waker) && gaio_core_get_timeout_ns (core) != 0;
}

void
gaio_core_submit (Core *core)
{
  /* The io_uring monitor submits in the same system call that waits. */
  if (core->ring != NULL && gaio_fd_table_get_monitor (core->fds) != GAIO_MONITOR_IO_URING)
    gaio_ring_submit (core->ring);
}

bool
gaio_core_poll (Core *core, gint64 limit_ns)
{
  bool progress;

  gaio_core_enter_turn (core);
  gaio_core_flush_groups (core, gaio_core_get_groups (core, 1));
  gaio_core_submit (core);
  wait_for (core, limit_ns, gaio_core_get_groups (core, 1));
  progress = gaio_core_dispatch (core, gaio_core_get_groups (core, 1), NULL);
  gaio_core_leave_turn (core);
  return progress;
}
