/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The core of a context: it owns the waker, the queue of bottom halves, the timers, the table of
 * descriptors and the ring. They live in a GSource, as the AioContext is one in QEMU: GLib keeps a
 * source alive while it is in its hands, so a last reference to the context may be dropped in
 * another thread in the middle of a dispatch.
 *
 * Here are its life, its ring, and whose it is: the process's and the home thread's. The turn that
 * serves the parts is in gaio-core-turn.c, with the driver by hand; the drivers by a GMainContext
 * and by a foreign loop are in gaio-core-source.c and gaio-core-foreign.c.
 *
 * What the home thread alone may touch, and what is atomic, stands in the private header. */

#include "config.h"

#include <gaio/base/gaio-fork-private.h>
#include <gaio/loop/gaio-core-parts-private.h>

typedef GaioCore Core;

/* The ring */

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

void
gaio_core_watch_ring (Core *core, bool should_watch)
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
    gaio_core_watch_ring (core, false);
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

/* Tells those who listen to the properties, in a turn and not in the midst of a wait. */
static bool
on_monitor_changed (GaioBhNode *node, bool closing)
{
  Core *core = (Core *) (void *) ((char *) node - G_STRUCT_OFFSET (Core, monitor_changed));
  g_autoptr (GObject) object = closing ? NULL : g_weak_ref_get (&core->object);

  if (object != NULL)
    {
      g_object_notify (object, "monitor");
      g_object_notify (object, "monitor-reason");
    }
  return false;
}

/* Whose it is */

/* The first turn in a forked child. What the loop waits with is shared with the parent, which would
 * miss what we take; so the child gets its own. The ring cannot be had anew: its requests are the
 * parent's. */
static void
begin_child (Core *core)
{
  GaioCoreDriver *driver = atomic_load (&core->driver);

  core->fork_count = gaio_fork_get_count ();
  gaio_core_foreign_end_sleep (core);
  gaio_core_foreign_forget (core);
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

/* Its life */

void
gaio_core_end_driver (Core *core)
{
  GaioCoreDriver *driver = atomic_exchange (&core->driver, NULL);

  if (driver != NULL)
    driver->free (driver);
}

void
gaio_core_end (Core *core)
{
  GaioCoroutineGroup *coroutines = atomic_load (&core->coroutines);

  gaio_core_end_driver (core);
  gaio_core_foreign_forget (core);
  gaio_core_end_break (core);
  /* Before what they wait for. */
  if (coroutines != NULL)
    gaio_coroutine_group_close (coroutines);
  gaio_timer_heap_close (core->timers);
  gaio_bh_queue_close (core->bottom_halves);
  g_clear_pointer (&core->deadline, gaio_deadline_free);
  gaio_core_close_ring (core);
  gaio_fd_table_clear (core->fds);
}

void
gaio_core_finalize (GSource *source)
{
  Core *core = (Core *) source;

  if (core->waker == NULL)
    return;
  gaio_core_end (core);
  gaio_fd_table_free (core->fds);
  gaio_timer_heap_unref (core->timers);
  gaio_bh_queue_unref (core->bottom_halves);
  gaio_waker_unref (core->waker);
  g_weak_ref_clear (&core->object);
  if (atomic_load (&core->coroutines) != NULL)
    gaio_coroutine_group_unref (atomic_load (&core->coroutines));
  g_free (core->reason);
}

GaioCore *
gaio_core_new (gpointer object, const GaioCoreConfig *config, GError **error)
{
  GaioWaker *waker = gaio_waker_new (error);
  Core *core;

  if (waker == NULL)
    return NULL;

  core = (Core *) g_source_new (&gaio_core_source_funcs, sizeof (Core));
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
