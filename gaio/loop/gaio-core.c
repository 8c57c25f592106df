/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The core of a context: it owns the waker, the queue of bottom halves, the timers, the table of
 * descriptors and the ring, and is the only file that knows them all. They live in a GSource, as
 * the AioContext is one in QEMU: GLib keeps a source alive while it is in its hands, so a last
 * reference to the context may be dropped in another thread in the middle of a dispatch.
 *
 * The turn is flush(), get_timeout_ns(), a wait, and dispatch(). The drivers below only call
 * these; what differs is who waits:
 *  - by hand: the monitor, inside gaio_core_poll();
 *  - a GMainContext: its poll, between prepare and check of the source;
 *  - a foreign loop, on the monitor's descriptor; it comes back with gaio_core_iterate().
 *
 * What the home thread alone may touch, and what is atomic, stands in the private header. */

#include "config.h"

#include <gaio/base/gaio-debug-private.h>
#include <gaio/base/gaio-fork-private.h>
#include <gaio/base/gaio-poll.h>
#include <gaio/loop/gaio-core-private.h>

/* How many rounds of a GMainContext one gaio_core_iterate() does at most, so that the foreign loop
 * gets its turn. */
#define MAX_ITERATIONS 16

typedef GaioCore Core;

/* The parts of a turn. How each driver falls asleep is in tests/loop/sleep.pml, for the model
 * checker. */

static void
use_engine (Core *core, GaioEngine engine, char *reason)
{
  char *none = NULL;

  if (!atomic_compare_exchange_strong (&core->reason, &none, reason))
    g_free (reason);
  atomic_store (&core->engine, engine);
}

/* Made on the first need, in the home thread, since the kernel ties a ring to the thread. */
GaioRing *
gaio_core_ensure_ring (Core *core)
{
  g_autofree char *reason = NULL;

  if (core->ring_tried)
    return core->ring;
  core->ring_tried = true;
  core->ring = gaio_ring_new (core->n_ring_entries, &reason);
  if (core->ring == NULL)
    use_engine (core, GAIO_ENGINE_THREADS, g_steal_pointer (&reason));
  else if (core->wanted_engine != GAIO_ENGINE_THREADS)
    use_engine (core, GAIO_ENGINE_IO_URING, g_strdup ("io_uring is available"));
  if (core->ring != NULL && core->foreign_sleeps)
    gaio_ring_set_waker (core->ring, core->waker);
  return core->ring;
}

static void
on_ring_readable (gpointer user_data)
{
  Core *core = user_data;

  /* Nothing: the turn that this has brought about reaps in any case. But a ring that the kernel no
   * longer serves may be readable for ever for what it will never hand out. */
  if (G_UNLIKELY (!gaio_ring_is_usable (core->ring)) && core->n_reaped == core->n_reaped_before)
    gaio_fd_table_remove (core->fds, gaio_ring_get_fd (core->ring));
  core->n_reaped_before = core->n_reaped;
}

/* A monitor that is not on the ring has to watch it; one that is would wait for itself. */
static void
watch_ring (Core *core, bool should_watch)
{
  if (!should_watch)
    {
      core->ring_watched = false;
      gaio_fd_table_remove (core->fds, gaio_ring_get_fd (core->ring));
      return;
    }
  core->ring_watched = true;
  gaio_fd_table_set (core->fds, &(GaioFdRegistration){
                                    .fd = gaio_ring_get_fd (core->ring),
                                    .events = G_IO_IN,
                                    .handlers = { .read = on_ring_readable },
                                    .user_data = core,
                                    .internal = true,
                                });
}

/* The ring is somebody else's, or is about to be freed, by who is returned it. */
static GaioRing *
give_up_ring (Core *core)
{
  GaioRing *ring = core->ring;

  if (core->ring_watched)
    watch_ring (core, false);
  core->ring = NULL;
  return ring;
}

static void
on_notified (gpointer user_data)
{
  gaio_event_notifier_test_and_clear (user_data);
}

static void
watch_notifier (Core *core)
{
  GaioEventNotifier *notifier = gaio_waker_get_notifier (core->waker);

  gaio_fd_table_set (core->fds, &(GaioFdRegistration){
                                    .fd = gaio_event_notifier_get_fd (notifier),
                                    .events = G_IO_IN,
                                    .handlers = { .read = on_notified },
                                    .user_data = notifier,
                                    .internal = true,
                                });
}

/* Tells those who listen to the property, in a turn and not in the midst of a wait. */
static bool
on_monitor_changed (GaioBhNode *node, bool closing)
{
  Core *core = (Core *) (void *) ((char *) node - G_STRUCT_OFFSET (Core, monitor_changed));
  g_autoptr (GObject) object = closing ? NULL : g_weak_ref_get (&core->object);

  if (object != NULL)
    g_object_notify (object, "monitor");
  return false;
}

static void foreign_forget (Core *core);
static void foreign_end_sleep (Core *core);

/* The first turn in a forked child. What the loop waits with is shared with the parent, which would
 * miss what we take; so the child gets its own. The ring cannot be had anew: its requests are the
 * parent's. */
static void
begin_child (Core *core)
{
  GaioCoreDriver *driver = atomic_load (&core->driver);

  core->fork_count = gaio_fork_get_count ();
  foreign_end_sleep (core);
  foreign_forget (core);
  g_clear_pointer (&core->deadline, gaio_deadline_free);
  core->deadline_failed = false;
  if (give_up_ring (core) != NULL)
    gaio_fd_table_forget_polls (core->fds);
  core->ring_tried = true;
  atomic_store (&core->engine, GAIO_ENGINE_THREADS);
  gaio_fd_table_remove (core->fds,
                        gaio_event_notifier_get_fd (gaio_waker_get_notifier (core->waker)));
  gaio_fd_table_begin_child (core->fds);
  gaio_waker_begin_child (core->waker);
  watch_notifier (core);
  if (driver != NULL)
    driver->begin_child (driver);
}

void
gaio_core_check_process (Core *core)
{
  if (G_UNLIKELY (core->fork_count != gaio_fork_get_count ()))
    begin_child (core);
}

/* The groups whose handlers a turn may call that begins now, or is running. */
static guint
get_groups (Core *core, guint outermost_depth)
{
  guint groups = GAIO_FD_GROUP_BIT (GAIO_FD_GROUP_DEFAULT);

  if (atomic_load_explicit (&core->depth, memory_order_relaxed) <= outermost_depth)
    groups |= GAIO_FD_GROUP_BIT (GAIO_FD_GROUP_IO);
  return groups;
}

/* Before a wait: everything that was asked for is made known to the kernel. */
static void
flush (Core *core, guint groups)
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
    watch_ring (core, false);
  if (core->ring != NULL)
    gaio_ring_set_max_batch (core->ring,
                             atomic_load_explicit (&core->max_batch, memory_order_relaxed));
  gaio_fd_table_flush (core->fds, core->ring, groups);
  monitor = gaio_fd_table_get_monitor (core->fds);
  if (G_UNLIKELY (core->ring != NULL && !core->ring_watched && monitor != GAIO_MONITOR_IO_URING))
    {
      watch_ring (core, true);
      gaio_fd_table_flush (core->fds, core->ring, groups);
    }
  if (G_UNLIKELY (monitor != core->monitor))
    {
      core->monitor = monitor;
      gaio_bh_node_schedule (&core->monitor_changed, core->bottom_halves);
    }
}

/* Before a wait that others do: the ring is submitted to now, since nobody does it later, and
 * nobody looks at poll functions. */
static void
flush_for_others (Core *core, guint groups)
{
  flush (core, groups);
  if (core->ring != NULL)
    gaio_ring_submit (core->ring);
  gaio_adaptive_stop_polling (&core->adaptive, groups);
}

/* How long the wait may be for all that is known here; a notification is not. `now_ns` is the time
 * of the monotonic clock if the caller knows it, or 0. */
static gint64
get_timeout_from_ns (Core *core, gint64 now_ns)
{
  if (gaio_fd_table_is_ready (core->fds) || (core->ring != NULL && gaio_ring_is_ready (core->ring)))
    return 0;
  return gaio_timeout_soonest_ns (gaio_bh_queue_get_timeout_ns (core->bottom_halves),
                                  gaio_timer_heap_get_timeout_from_ns (core->timers, now_ns));
}

static gint64
get_timeout_ns (Core *core)
{
  return get_timeout_from_ns (core, 0);
}

/* For waits that others do, who know no nanoseconds. */
static bool
ensure_deadline (Core *core)
{
  if (core->deadline == NULL)
    core->deadline = gaio_deadline_new (core->fds);
  core->deadline_failed = core->deadline == NULL;
  return !core->deadline_failed;
}

/* The timeout as above, with the timerfd set to it. */
static gint64
set_deadline (Core *core)
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

/* After a wait. Returns whether anything happened that is not the loop's own affair. What is left
 * when the slice is over is ready in the next turn; NULL is a slice without end. */
static bool
dispatch (Core *core, guint groups, GaioSlice *slice)
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

/* The driver by a foreign loop */

/* The cores that foreign loops drive, borrowed. Under the lock, which is the last. */
static GMutex foreign_lock;
static GSList *foreign_cores;
static atomic_uint n_foreign_cores;

static void
foreign_remember (Core *core)
{
  g_mutex_lock (&foreign_lock);
  foreign_cores = g_slist_prepend (foreign_cores, core);
  atomic_fetch_add (&n_foreign_cores, 1);
  g_mutex_unlock (&foreign_lock);
}

static void
foreign_forget (Core *core)
{
  if (core->foreign == NULL)
    return;
  g_clear_pointer (&core->foreign, gaio_foreign_free);
  g_mutex_lock (&foreign_lock);
  foreign_cores = g_slist_remove (foreign_cores, core);
  atomic_fetch_sub (&n_foreign_cores, 1);
  g_mutex_unlock (&foreign_lock);
}

void
gaio_context_wake_main_context (GMainContext *main_context)
{
  if (atomic_load (&n_foreign_cores) == 0)
    return;
  g_mutex_lock (&foreign_lock);
  for (GSList *l = foreign_cores; l != NULL; l = l->next)
    {
      Core *core = l->data;
      GMainContext *own = gaio_core_get_main_context (core);

      /* One that is not attached iterates whatever is its thread's default. */
      if (own == NULL || own == main_context)
        gaio_waker_notify (core->waker);
    }
  g_mutex_unlock (&foreign_lock);
}

/* While a foreign loop waits, notifiers write the eventfd, and deadlines are in the timerfd. */
static void
foreign_begin_sleep (Core *core)
{
  gint64 timeout_ns;

  flush_for_others (core, get_groups (core, 0));
  if (!core->foreign_sleeps)
    {
      core->foreign_sleeps = true;
      gaio_waker_begin_sleep (core->waker);
    }
  /* The home thread is awake in that loop, and may ask for operations; nobody else submits them. */
  if (core->ring != NULL)
    gaio_ring_set_waker (core->ring, core->waker);
  gaio_foreign_set_monitor_fd (core->foreign,
                               gaio_fd_table_get_fd (core->fds),
                               gaio_fd_table_get_fd_generation (core->fds));
  timeout_ns = set_deadline (core);
  /* What was notified before the sleep began made the descriptor readable for nobody. */
  if (timeout_ns != 0 && !gaio_waker_is_notified (core->waker))
    core->n_sleeps++;
  else
    gaio_event_notifier_set (gaio_waker_get_notifier (core->waker));
}

static void
foreign_end_sleep (Core *core)
{
  if (!core->foreign_sleeps)
    return;
  core->foreign_sleeps = false;
  gaio_waker_end_sleep (core->waker);
  if (core->ring != NULL)
    gaio_ring_set_waker (core->ring, NULL);
}

static void
enter_turn (Core *core)
{
  if (atomic_fetch_add_explicit (&core->depth, 1, memory_order_relaxed) == 0)
    gaio_waker_begin_turn (core->waker);
  foreign_end_sleep (core);
}

/* After a turn between prepare and check of the source, which another source's prepare has run. It
 * may have used up polls of the ring, and taken a write without looking at what it was for; and
 * nobody else comes by before GLib waits. */
static void
prepare_again (Core *core)
{
  flush_for_others (core, get_groups (core, 1));
  if (gaio_waker_is_notified (core->waker) || get_timeout_ns (core) == 0)
    gaio_event_notifier_set (gaio_waker_get_notifier (core->waker));
}

static void
leave_turn (Core *core)
{
  if (G_UNLIKELY (core->source_sleeps))
    prepare_again (core);
  if (atomic_load_explicit (&core->depth, memory_order_relaxed) == 1)
    gaio_waker_end_turn (core->waker);
  if (atomic_fetch_sub_explicit (&core->depth, 1, memory_order_relaxed) == 1 &&
      core->foreign != NULL && !core->iterating)
    foreign_begin_sleep (core);
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
    timeout_ns = gaio_timeout_soonest_ns (limit_ns, get_timeout_ns (core));
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
  wait_for (core, limit_ns, get_groups (core, 0));
}

bool
gaio_core_may_sleep (Core *core)
{
  return !gaio_waker_is_notified (core->waker) && get_timeout_ns (core) != 0;
}

static void
submit (Core *core)
{
  /* The io_uring monitor submits in the same system call that waits. */
  if (core->ring != NULL && gaio_fd_table_get_monitor (core->fds) != GAIO_MONITOR_IO_URING)
    gaio_ring_submit (core->ring);
}

bool
gaio_core_poll (Core *core, gint64 limit_ns)
{
  bool progress;

  enter_turn (core);
  flush (core, get_groups (core, 1));
  submit (core);
  wait_for (core, limit_ns, get_groups (core, 1));
  progress = dispatch (core, get_groups (core, 1), NULL);
  leave_turn (core);
  return progress;
}

/* The driver by a GMainContext: in its poll function, or as one of its sources. In either case the
 * source says when there is something to do, and does it. */

static guint
get_source_groups (Core *core, guint outermost_depth)
{
  return get_groups (core, outermost_depth) | GAIO_FD_GROUP_BIT (GAIO_FD_GROUP_GUESTS);
}

void
gaio_core_flush (Core *core)
{
  flush (core, get_source_groups (core, 0));
  submit (core);
}

void
gaio_core_end_driver (Core *core)
{
  GaioCoreDriver *driver = atomic_exchange (&core->driver, NULL);

  if (driver != NULL)
    driver->free (driver);
}

static void
source_end_sleep (Core *core)
{
  if (core->source_sleeps)
    gaio_waker_end_sleep (core->waker);
  core->source_sleeps = false;
}

/* A GMainContext may be run by one thread after another, and the context goes along; but not while
 * the home sleeps in it. */
bool
gaio_core_take_home (Core *core)
{
  GMainContext *main_context;
  bool taken;

  if (gaio_waker_claim_home (core->waker))
    return true;
  if (atomic_load (&core->depth) > 0)
    return false;
  main_context = gaio_core_get_main_context (core);
  if (main_context == NULL || !g_main_context_acquire (main_context))
    return false;
  gaio_waker_release_home (core->waker);
  taken = gaio_waker_claim_home (core->waker);
  g_main_context_release (main_context);
  return taken;
}

GMainContext *
gaio_core_get_main_context (Core *core)
{
  GSource *source = &core->parent;

  return g_source_is_destroyed (source) ? NULL : g_source_get_context (source);
}

void
gaio_core_close_ring (Core *core)
{
  GaioRing *ring;

  gaio_fd_table_close_monitor (core->fds);
  ring = give_up_ring (core);
  if (ring == NULL)
    return;
  gaio_ring_free (ring);
  gaio_fd_table_forget_polls (core->fds);
}

/* How many milliseconds the GMainContext may wait, -1 for ever. Its poll knows nothing finer, so
 * the deadline is the timerfd's where there is one. */
static int
source_get_timeout_ms (Core *core)
{
  gint64 timeout_ns = core->deadline != NULL ? set_deadline (core) : get_timeout_ns (core);
  gint64 timeout_ms;

  if (timeout_ns <= 0)
    return (int) timeout_ns;
  if (core->deadline != NULL)
    return -1;
  /* What has just been made is watched from the next round on. */
  if (!core->deadline_failed && ensure_deadline (core))
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

static void
end_break (Core *core)
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
  end_break (((Break *) source)->core);
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
    end_break (core);
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

  flush_for_others (core, get_source_groups (core, 0));
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
      gaio_bh_queue_get_timeout_ns (core->bottom_halves) >= 0 || get_timeout_ns (core) == 0)
    return TRUE;
  core->busy_since_us = 0;
  return FALSE;
}

static void
end (Core *core)
{
  GaioCoroutineGroup *coroutines = atomic_load (&core->coroutines);

  gaio_core_end_driver (core);
  foreign_forget (core);
  end_break (core);
  /* Before what they wait for. */
  if (coroutines != NULL)
    gaio_coroutine_group_close (coroutines);
  /* What is pending ends as cancelled, and what comes later does so at once. */
  gaio_timer_heap_close (core->timers);
  gaio_bh_queue_close (core->bottom_halves);
  g_clear_pointer (&core->deadline, gaio_deadline_free);
  gaio_core_close_ring (core);
  gaio_fd_table_clear (core->fds);
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
      end (core);
      return G_SOURCE_REMOVE;
    }
  if (!begin_slice (core, &slice))
    return G_SOURCE_CONTINUE;
  enter_turn (core);
  if (atomic_load_explicit (&core->driver, memory_order_relaxed) == NULL)
    gaio_fd_table_collect (core->fds);
  dispatch (core, get_source_groups (core, 1), slice);
  leave_turn (core);
  return G_SOURCE_CONTINUE;
}

static void
source_finalize (GSource *source)
{
  Core *core = (Core *) source;

  if (core->waker == NULL)
    return;
  end (core);
  gaio_fd_table_free (core->fds);
  gaio_timer_heap_unref (core->timers);
  gaio_bh_queue_unref (core->bottom_halves);
  gaio_waker_unref (core->waker);
  g_weak_ref_clear (&core->object);
  if (atomic_load (&core->coroutines) != NULL)
    gaio_coroutine_group_unref (atomic_load (&core->coroutines));
  g_free (core->reason);
}

static GSourceFuncs source_funcs = {
  .prepare = source_prepare,
  .check = source_check,
  .dispatch = source_dispatch,
  .finalize = source_finalize,
};

GaioCore *
gaio_core_new (gpointer object, const GaioCoreConfig *config, GError **error)
{
  GaioWaker *waker = gaio_waker_new (error);
  Core *core;

  if (waker == NULL)
    return NULL;

  core = (Core *) g_source_new (&source_funcs, sizeof (Core));
  g_source_set_static_name (&core->parent, "GaioContext");
  /* Callbacks may run nested main loops, which serve the context too. Without this GLib also takes
   * the descriptor out of its poll around each dispatch, which costs two system calls. */
  g_source_set_can_recurse (&core->parent, TRUE);

  core->waker = waker;
  g_weak_ref_init (&core->object, object);
  core->monitor = config->monitor;
  core->monitor_changed.run = on_monitor_changed;
  core->bottom_halves = gaio_bh_queue_new (waker);
  core->timers = gaio_timer_heap_new (core->bottom_halves);
  core->wanted_engine = config->engine;
  core->n_ring_entries = config->n_ring_entries;
  core->fork_count = gaio_fork_get_count ();
  atomic_init (&core->budget_us, GAIO_CORE_BUDGET_US);
  core->fds = gaio_fd_table_new (core->bottom_halves, &core->parent, config->monitor);
  gaio_adaptive_init (&core->adaptive, waker, core->fds);
  if (core->wanted_engine == GAIO_ENGINE_THREADS)
    use_engine (core, GAIO_ENGINE_THREADS, g_strdup ("threads were asked for"));

  watch_notifier (core);
  return core;
}

int
gaio_core_get_fd (Core *core)
{
  gaio_core_check_process (core);
  if (core->foreign == NULL)
    {
      gaio_fd_table_need_fd (core->fds);
      flush (core, get_groups (core, 0));
      if (gaio_fd_table_get_fd (core->fds) < 0 || !ensure_deadline (core))
        return -1;
      core->foreign = gaio_foreign_new ();
      if (core->foreign == NULL)
        return -1;
      foreign_remember (core);
    }
  /* In a callback too: who asks there is about to run a loop of their own in it. */
  foreign_begin_sleep (core);
  return gaio_foreign_get_fd (core->foreign);
}

bool
gaio_core_iterate (Core *core)
{
  g_autoptr (GMainContext) main_context = NULL;
  bool iterating = core->iterating;
  bool progress = false;
  bool more = false;

  gaio_core_check_process (core);
  /* Awake for all the turns below, and for what other sources ask for between them. */
  core->iterating = true;
  foreign_end_sleep (core);
  main_context = gaio_core_get_main_context (core);
  if (main_context != NULL)
    g_main_context_ref (main_context);
  else
    {
      progress = gaio_core_poll (core, 0);
      main_context = g_main_context_ref_thread_default ();
    }

  for (int i = 0; i < MAX_ITERATIONS; i++)
    {
      more = g_main_context_iteration (main_context, FALSE);
      progress |= more;
      if (!more)
        break;
    }
  core->iterating = iterating;
  if (core->foreign != NULL && gaio_waker_is_home (core->waker))
    {
      foreign_begin_sleep (core);
      if (more)
        gaio_event_notifier_set (gaio_waker_get_notifier (core->waker));
    }
  return progress;
}
