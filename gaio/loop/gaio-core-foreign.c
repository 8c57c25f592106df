/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The driver of a core by a foreign loop, such as libuv's or asyncio's: it waits on one descriptor,
 * which is readable when there is something to do, and then calls gaio_core_iterate(). Between the
 * calls the core sleeps: notifiers write the eventfd, and deadlines are in the timerfd.
 *
 * Thread: home, but for gaio_context_wake_main_context(), which is for any. */

#include "config.h"

#include <gaio/loop/gaio-core-parts-private.h>

/* How many rounds of a GMainContext one gaio_core_iterate() does at most, so that the foreign loop
 * gets its turn. */
#define MAX_ITERATIONS 16

typedef GaioCore Core;

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

void
gaio_core_foreign_forget (Core *core)
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
void
gaio_core_foreign_begin_sleep (Core *core)
{
  gint64 timeout_ns;

  gaio_core_flush_for_others (core, gaio_core_get_groups (core, 0));
  if (!core->foreign_sleeps)
    {
      core->foreign_sleeps = true;
      gaio_waker_begin_sleep (core->waker);
    }
  /* The home thread is awake in that loop, and may ask for operations; nobody else submits them. */
  if (core->ring != NULL)
    gaio_ring_set_waker (core->ring, core->waker);
  gaio_foreign_set_monitor_fd (core->foreign, gaio_fd_table_get_fd (core->fds),
                               gaio_fd_table_get_fd_generation (core->fds));
  timeout_ns = gaio_core_set_deadline (core);
  /* What was notified before the sleep began made the descriptor readable for nobody. */
  if (timeout_ns != 0 && !gaio_waker_is_notified (core->waker))
    core->n_sleeps++;
  else
    gaio_event_notifier_set (gaio_waker_get_notifier (core->waker));
}

void
gaio_core_foreign_end_sleep (Core *core)
{
  if (!core->foreign_sleeps)
    return;
  core->foreign_sleeps = false;
  gaio_waker_end_sleep (core->waker);
  if (core->ring != NULL)
    gaio_ring_set_waker (core->ring, NULL);
}

int
gaio_core_get_fd (Core *core)
{
  gaio_core_check_process (core);
  if (core->foreign == NULL)
    {
      gaio_fd_table_need_fd (core->fds);
      gaio_core_flush_groups (core, gaio_core_get_groups (core, 0));
      if (gaio_fd_table_get_fd (core->fds) < 0 || !gaio_core_ensure_deadline (core))
        return -1;
      core->foreign = gaio_foreign_new ();
      if (core->foreign == NULL)
        return -1;
      foreign_remember (core);
    }
  /* In a callback too: who asks there is about to run a loop of their own in it. */
  gaio_core_foreign_begin_sleep (core);
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
  gaio_core_foreign_end_sleep (core);
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
      gaio_core_foreign_begin_sleep (core);
      if (more)
        gaio_event_notifier_set (gaio_waker_get_notifier (core->waker));
    }
  return progress;
}
