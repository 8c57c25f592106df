/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is done around the waits of a context that drives a GMainContext, whoever runs that: poll
 * notifiers before and after, locks given away in between.
 *
 * The order of one wait: notifiers fill, locks are unlocked in the order in which they were added,
 * the wait, locks are locked in the reverse order, notifiers see what has come. A hook that is
 * added or removed in the course of a wait counts from the next one on: what was unlocked is
 * locked again. For that the lists of hooks are never changed, only replaced.
 *
 * A thread that never waits would keep its locks almost all the time: the moment between unlock and
 * lock is too short for one who sleeps on a lock to get it. So after MAX_SPINS waits in a row that
 * were not to last, one lasts for a while, with the locks away.
 *
 * Any thread adds and removes, under the lock; the rest is for the thread that waits. */

#include "config.h"

#include <gaio/base/gaio-debug-private.h>
#include <gaio/loop/gaio-core-private.h>
#include <gaio/loop/gaio-drive-private.h>
#include <gaio/loop/gaio-poll-set-private.h>
#include <gaio/loop/gaio-wait-hooks-private.h>

/* QEMU's figures. */
#define MAX_SPINS 1000
#define FORCED_WAIT_US 1000

typedef struct
{
  /* immutable */
  guint id;
  gconstpointer owner;
  GaioWaitHook hook;
  GaioBhQueue *queue;

  atomic_int refs;
} Entry;

/* A set of hooks, never changed once it is in use. */
typedef struct
{
  atomic_int refs;
  guint n;
  Entry *entries[];
} HookList;

struct _GaioWaitHooks
{
  /* immutable */
  GaioCore *core; /* borrowed: it makes the calls */
  GaioBhQueue *queue;
  GaioPollSet *set;

  GMutex lock;

  /* under the lock: the pointers */
  HookList *locks;
  HookList *notifiers;
  guint last_id;

  /* the thread that waits */
  HookList *waiting_locks; /* as they were when the wait began */
  HookList *waiting_notifiers;
  guint n_spins; /* waits in a row that were not to last */
};

static void
entry_unref (gpointer data)
{
  Entry *entry = data;

  if (atomic_fetch_sub_explicit (&entry->refs, 1, memory_order_acq_rel) != 1)
    return;
  if (entry->hook.notify != NULL)
    gaio_bh_queue_release (entry->queue, entry->hook.notify, entry->hook.user_data);
  gaio_bh_queue_unref (entry->queue);
  g_free (entry);
}

static HookList *
list_new (guint n_max)
{
  HookList *list = g_malloc0 (sizeof *list + n_max * sizeof (Entry *));

  atomic_init (&list->refs, 1);
  return list;
}

static void
list_unref (HookList *list)
{
  if (atomic_fetch_sub_explicit (&list->refs, 1, memory_order_acq_rel) != 1)
    return;
  for (guint i = 0; i < list->n; i++)
    entry_unref (list->entries[i]);
  g_free (list);
}

/* The entries of a list but for those of an owner, id 0 for all of these; with room for one more.
 */
static HookList *
list_copy (HookList *list, gconstpointer without_owner, guint without_id)
{
  HookList *copy = list_new (list->n + 1);

  for (guint i = 0; i < list->n; i++)
    {
      Entry *entry = list->entries[i];

      if (entry->owner == without_owner && (without_id == 0 || entry->id == without_id))
        continue;
      atomic_fetch_add_explicit (&entry->refs, 1, memory_order_relaxed);
      copy->entries[copy->n++] = entry;
    }
  return copy;
}

/* The wait */

static HookList *
get_list (GaioWaitHooks *self, HookList **list)
{
  HookList *result;

  g_mutex_lock (&self->lock);
  result = *list;
  atomic_fetch_add_explicit (&result->refs, 1, memory_order_relaxed);
  g_mutex_unlock (&self->lock);
  return result;
}

static void
call_notifiers (GaioWaitHooks *self, GaioPollPhase phase)
{
  for (guint i = 0; i < self->waiting_notifiers->n; i++)
    {
      Entry *entry = self->waiting_notifiers->entries[i];

      entry->hook.poll (phase, self->set, entry->hook.user_data);
    }
}

static void
fill (GArray *pollfds, gint64 *timeout_ns, gpointer user_data)
{
  GaioWaitHooks *self = user_data;

  self->waiting_locks = get_list (self, &self->locks);
  self->waiting_notifiers = get_list (self, &self->notifiers);
  gaio_poll_set_begin (self->set, pollfds, *timeout_ns);
  call_notifiers (self, GAIO_POLL_PHASE_FILL);
  gaio_poll_set_end_fill (self->set);
  *timeout_ns = gaio_poll_set_get_timeout_ns (self->set);
}

/* Whether it is time to let others have the locks. */
static bool
is_starving (GaioWaitHooks *self)
{
  if (self->waiting_locks->n == 0 ||
      (gaio_poll_set_get_timeout_ns (self->set) != 0 && gaio_core_may_sleep (self->core)))
    self->n_spins = 0;
  else
    self->n_spins++;
  return self->n_spins > MAX_SPINS;
}

static void
release (gpointer user_data)
{
  GaioWaitHooks *self = user_data;

  for (guint i = 0; i < self->waiting_locks->n; i++)
    {
      Entry *entry = self->waiting_locks->entries[i];

      entry->hook.lock (FALSE, entry->hook.user_data);
    }
  if (is_starving (self))
    {
      gaio_debug (LOOP, "%u iterations without a wait: a forced one", self->n_spins);
      self->n_spins = 0;
      g_usleep (FORCED_WAIT_US);
    }
}

static void
acquire (gpointer user_data)
{
  GaioWaitHooks *self = user_data;

  for (guint i = self->waiting_locks->n; i > 0; i--)
    {
      Entry *entry = self->waiting_locks->entries[i - 1];

      entry->hook.lock (TRUE, entry->hook.user_data);
    }
}

static void
done (GArray *pollfds, int err, gpointer user_data)
{
  GaioWaitHooks *self = user_data;

  call_notifiers (self, err == 0 ? GAIO_POLL_PHASE_OK : GAIO_POLL_PHASE_ERROR);
  gaio_poll_set_end (self->set);
  g_clear_pointer (&self->waiting_locks, list_unref);
  g_clear_pointer (&self->waiting_notifiers, list_unref);
}

static const GaioDriveHooks drive_hooks = {
  .fill = fill,
  .release = release,
  .acquire = acquire,
  .done = done,
};

/* Beginning and end */

static void
free_hooks (gpointer data)
{
  GaioWaitHooks *self = data;

  list_unref (self->locks);
  list_unref (self->notifiers);
  gaio_poll_set_unref (self->set);
  gaio_bh_queue_unref (self->queue);
  g_mutex_clear (&self->lock);
  g_free (self);
}

/* The context is gone, but its GSource may have one more turn in another thread. */
static void
release_hooks (gpointer data)
{
  GaioWaitHooks *self = data;
  GaioBhQueue *queue = gaio_bh_queue_ref (self->queue);

  gaio_bh_queue_release (queue, free_hooks, self);
  gaio_bh_queue_unref (queue);
}

GaioWaitHooks *
gaio_wait_hooks_get (GaioContext *context)
{
  static const char *const key = "gaio-wait-hooks";
  GaioWaitHooks *self = g_object_get_data (G_OBJECT (context), key);

  if (self != NULL)
    return self;
  self = g_new0 (GaioWaitHooks, 1);
  self->core = gaio_context_get_core (context);
  self->queue = gaio_bh_queue_ref (gaio_context_get_bh_queue (context));
  self->set = gaio_poll_set_new ();
  g_mutex_init (&self->lock);
  self->locks = list_new (0);
  self->notifiers = list_new (0);
  gaio_context_set_drive_hooks (context, &drive_hooks, self);
  g_object_set_data_full (G_OBJECT (context), key, self, release_hooks);
  return self;
}

guint
gaio_wait_hooks_add (GaioWaitHooks *self, gconstpointer owner, const GaioWaitHook *hook)
{
  HookList **list = hook->lock != NULL ? &self->locks : &self->notifiers;
  Entry *entry = g_new0 (Entry, 1);
  HookList *old;
  guint id;

  entry->owner = owner;
  entry->hook = *hook;
  entry->queue = gaio_bh_queue_ref (self->queue);
  atomic_init (&entry->refs, 1);

  g_mutex_lock (&self->lock);
  id = ++self->last_id;
  entry->id = id;
  old = *list;
  *list = list_copy (old, NULL, 0);
  (*list)->entries[(*list)->n++] = entry;
  g_mutex_unlock (&self->lock);
  list_unref (old);
  /* A wait that is under way is one without it. */
  gaio_waker_notify (gaio_bh_queue_get_waker (self->queue));
  return id;
}

static void
remove_from (GaioWaitHooks *self, HookList **list, gconstpointer owner, guint id)
{
  HookList *old;

  g_mutex_lock (&self->lock);
  old = *list;
  *list = list_copy (old, owner, id);
  g_mutex_unlock (&self->lock);
  list_unref (old);
}

void
gaio_wait_hooks_remove_lock (GaioWaitHooks *self, gconstpointer owner, guint id)
{
  remove_from (self, &self->locks, owner, id);
}

void
gaio_wait_hooks_remove_poll (GaioWaitHooks *self, gconstpointer owner, guint id)
{
  remove_from (self, &self->notifiers, owner, id);
}
