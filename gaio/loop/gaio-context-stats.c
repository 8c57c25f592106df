/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The counters of a context, gathered from its parts. Each part counts in its home thread's own
 * memory, so a counter costs an addition; what other threads do is counted where they make a
 * system call anyhow, or when the home comes to see it. */

#include "config.h"

#include <gaio/loop/gaio-core-private.h>

static void
add_number (GVariantBuilder *builder, const char *name, guint64 value)
{
  g_variant_builder_add (builder, "{sv}", name, g_variant_new_uint64 (value));
}

static void
add_nick (GVariantBuilder *builder, const char *name, GType type, int value)
{
  g_autoptr (GEnumClass) values = g_type_class_ref (type);

  g_variant_builder_add (builder, "{sv}", name,
                         g_variant_new_string (g_enum_get_value (values, value)->value_nick));
}

/**
 * gaio_context_get_stats:
 * @self: a context
 *
 * Gets counters of what the context has done since it was made, as a dictionary. The numbers are of
 * type `t`:
 *
 *  - `turns`: turns, nested ones too
 *  - `waits`: sleeps that turns began, whoever does the waiting
 *  - `polls`: spins of adaptive polling before a sleep
 *  - `poll-hits`: of them, those that found something, so there was no sleep
 *  - `poll-ns`: the time that the spins took, in nanoseconds
 *  - `poll-window-ns`: for how long the next spin may go on, in nanoseconds; 0: it sleeps at once
 *  - `wake-ups-sent`: notifications that had to wake the loop, which is a system call
 *  - `wake-ups-saved`: notifications that found the loop awake; those that it had not looked at
 *    when the next one came count once
 *  - `handlers`: fd handlers that are set now
 *  - `timers`: timers that are pending now
 *  - `bottom-halves`: bottom halves run, and what else goes their way: invocations, results of
 *    jobs
 *  - `fd-callbacks`: times that an fd handler was called
 *  - `timer-callbacks`: times that a timer was called
 *  - `completions`: what was taken from the io_uring: completions of requests, and of
 *    descriptors with the monitor that uses it
 *  - `longest-dispatch-ns`: the longest time from a wait to the end of its turn, in nanoseconds;
 *    measured from the first call of this function on, since it takes two looks at the clock in
 *    each turn
 *  - `requests`: file requests that were given to an engine
 *  - `ring-requests`: of them, those that went to the io_uring
 *  - `moved-requests`: of those, the ones that went on to threads
 *
 * And `monitor` and `engine`, of type `s`: those in use; and `io`, of type `a{sv}`: what the file
 * requests did, as [method@Gaio.File.get_stats] tells it of one file, but without the blocking
 * calls. More may come.
 *
 * Thread: home.
 *
 * Returns: (transfer full): a variant of type `a{sv}`, not floating
 */
GVariant *
gaio_context_get_stats (GaioContext *self)
{
  GVariantBuilder builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);
  GaioCore *core;

  g_return_val_if_fail (GAIO_IS_CONTEXT (self), NULL);

  core = gaio_context_get_core (self);
  core->times_dispatch = true;
  add_number (&builder, "turns", core->n_turns);
  add_number (&builder, "waits", core->n_sleeps);
  add_number (&builder, "polls", core->adaptive.n_polls);
  add_number (&builder, "poll-hits", core->adaptive.n_hits);
  add_number (&builder, "poll-ns", core->adaptive.spent_ns);
  add_number (&builder, "poll-window-ns", (guint64) core->adaptive.window_ns);
  add_number (&builder, "wake-ups-sent", gaio_waker_get_n_sent (core->waker));
  add_number (&builder, "wake-ups-saved", gaio_waker_get_n_saved (core->waker));
  add_number (&builder, "handlers", gaio_fd_table_get_n_handlers (core->fds));
  add_number (&builder, "timers", gaio_timer_heap_get_n_pending (core->timers));
  add_number (&builder, "bottom-halves", gaio_bh_queue_get_n_run (core->bottom_halves));
  add_number (&builder, "fd-callbacks", gaio_fd_table_get_n_called (core->fds));
  add_number (&builder, "timer-callbacks", gaio_timer_heap_get_n_called (core->timers));
  add_number (&builder, "completions", core->n_reaped);
  add_number (&builder, "longest-dispatch-ns", core->longest_dispatch_ns);
  add_number (&builder, "requests", core->counters.io.submitted);
  add_number (&builder, "ring-requests", core->counters.ring_requests);
  add_number (&builder, "moved-requests", core->counters.moved);
  g_variant_builder_add (&builder, "{sv}", "io", gaio_io_stats_to_variant (&core->counters.io));
  add_nick (&builder, "monitor", GAIO_TYPE_MONITOR, (int) gaio_context_get_monitor (self));
  add_nick (&builder, "engine", GAIO_TYPE_ENGINE, (int) gaio_context_get_engine (self));
  return g_variant_ref_sink (g_variant_builder_end (&builder));
}
