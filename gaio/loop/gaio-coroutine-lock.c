/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Locks of coroutines. Each is a small lock of threads, held for a few instructions, a state, and a
 * line of coroutines that wait. Who gives a lock back gives it to the first in the line and kicks
 * that one, wherever it runs; so one is woken, and nobody gets in between. A kick is for one wait
 * only, so nothing else can end it.
 *
 * The line goes through the coroutines themselves, with a reference to each, since one whose
 * context has ended stays in it; who takes the first one passes over those. */

#include "config.h"

#include <gaio/loop/gaio-coroutine-lock.h>
#include <gaio/loop/gaio-coroutine-private.h>

/* What one waits for at a GaioCoRwLock. */
enum
{
  READ,
  WRITE,
};

/* Under the lock of the line, all three. */
static void
line_push (gpointer *first, gpointer *last, GaioCoroutine *coroutine)
{
  coroutine->next_waiter = NULL;
  if (*last != NULL)
    ((GaioCoroutine *) *last)->next_waiter = coroutine;
  else
    *first = coroutine;
  *last = gaio_coroutine_ref (coroutine);
}

static GaioCoroutine *
line_take_first (gpointer *first, gpointer *last)
{
  GaioCoroutine *coroutine = *first;

  *first = coroutine->next_waiter;
  if (*first == NULL)
    *last = NULL;
  return coroutine;
}

/* The first that can still run, left where it is; NULL when there is none. */
static GaioCoroutine *
line_look (gpointer *first, gpointer *last)
{
  while (*first != NULL && gaio_coroutine_is_ended (*first))
    gaio_coroutine_unref (line_take_first (first, last));
  return *first;
}

static GaioCoroutine *
line_pop (gpointer *first, gpointer *last)
{
  return line_look (first, last) != NULL ? line_take_first (first, last) : NULL;
}

/* Takes over the reference. */
static void
kick (GaioCoroutine *coroutine)
{
  gaio_coroutine_kick (coroutine);
  gaio_coroutine_unref (coroutine);
}

static void
wait_for_kick (GaioCoroutine *self)
{
  gaio_coroutine_wait (self, GAIO_COROUTINE_KICKED);
}

/**
 * gaio_co_mutex_clear: (skip)
 * @self: a lock that nobody holds or waits for
 *
 * Ends the lock, so that its memory can be freed.
 *
 * Thread: any.
 */
void
gaio_co_mutex_clear (GaioCoMutex *self)
{
  g_return_if_fail (self != NULL);
  g_return_if_fail (line_look (&self->first, &self->last) == NULL);

  g_mutex_clear (&self->lock);
}

static bool
is_owner_of (GaioCoMutex *self)
{
  bool is_owner;

  g_mutex_lock (&self->lock);
  is_owner = self->owner != NULL && self->owner == gaio_coroutine_self ();
  g_mutex_unlock (&self->lock);
  return is_owner;
}

static bool
take (GaioCoMutex *self, GaioCoroutine *me, bool may_wait)
{
  bool taken, waits;
  gpointer owner;

  g_mutex_lock (&self->lock);
  owner = self->owner;
  taken = owner == NULL;
  waits = !taken && owner != me && may_wait;
  if (taken)
    self->owner = me;
  else if (waits)
    line_push (&self->first, &self->last, me);
  g_mutex_unlock (&self->lock);

  if (waits)
    wait_for_kick (me);
  else if (owner == me && may_wait)
    g_critical ("A coroutine waits for a lock that it holds itself");
  if (taken || waits)
    me->n_locks++;
  return taken || waits;
}

/**
 * gaio_co_mutex_lock: (skip)
 * @self: a lock
 *
 * Takes the lock, and waits as long as another coroutine holds it.
 *
 * Thread: any, in a coroutine; elsewhere it is refused with a critical warning, and for a coroutine
 * that holds the lock.
 */
void
gaio_co_mutex_lock (GaioCoMutex *self)
{
  GaioCoroutine *me = gaio_coroutine_self ();

  g_return_if_fail (self != NULL);
  g_return_if_fail (me != NULL);

  take (self, me, true);
}

/**
 * gaio_co_mutex_trylock: (skip)
 * @self: a lock
 *
 * Takes the lock if nobody holds it.
 *
 * Thread: any, in a coroutine; elsewhere it is refused with a critical warning.
 *
 * Returns: %TRUE when the caller holds it now
 */
gboolean
gaio_co_mutex_trylock (GaioCoMutex *self)
{
  GaioCoroutine *me = gaio_coroutine_self ();

  g_return_val_if_fail (self != NULL, FALSE);
  g_return_val_if_fail (me != NULL, FALSE);

  return take (self, me, false);
}

/**
 * gaio_co_mutex_unlock: (skip)
 * @self: a lock that the calling coroutine holds
 *
 * Gives the lock to the coroutine that has waited longest for it, if any does.
 *
 * Thread: any, in the coroutine that holds it; elsewhere it is refused with a critical warning.
 */
void
gaio_co_mutex_unlock (GaioCoMutex *self)
{
  GaioCoroutine *me = gaio_coroutine_self ();
  GaioCoroutine *next = NULL;
  bool is_owner;

  g_return_if_fail (self != NULL);
  g_return_if_fail (me != NULL);

  g_mutex_lock (&self->lock);
  is_owner = self->owner == me;
  if (is_owner)
    {
      next = line_pop (&self->first, &self->last);
      self->owner = next;
    }
  g_mutex_unlock (&self->lock);

  g_return_if_fail (is_owner);
  me->n_locks--;
  if (next != NULL)
    kick (next);
}

/**
 * gaio_co_queue_clear: (skip)
 * @self: a queue in which nobody waits
 *
 * Ends the queue, so that its memory can be freed.
 *
 * Thread: any.
 */
void
gaio_co_queue_clear (GaioCoQueue *self)
{
  g_return_if_fail (self != NULL);
  g_return_if_fail (line_look (&self->first, &self->last) == NULL);

  g_mutex_clear (&self->lock);
}

/**
 * gaio_co_queue_wait_full: (skip)
 * @self: a queue
 * @lock: (nullable): a lock of any kind
 * @lock_func: (nullable): takes @lock
 * @unlock_func: (nullable): gives @lock back
 *
 * Waits as [method@Gaio.CoQueue.wait], with a lock of another kind: a [struct@Gaio.CoRwLock], or a
 * [struct@GLib.Mutex] with `(GaioFunc) g_mutex_lock`. With %NULL for the functions it is none.
 *
 * Thread: any, in a coroutine; elsewhere it is refused with a critical warning.
 */
void
gaio_co_queue_wait_full (GaioCoQueue *self, gpointer lock, GaioFunc lock_func, GaioFunc unlock_func)
{
  GaioCoroutine *me = gaio_coroutine_self ();

  g_return_if_fail (self != NULL);
  g_return_if_fail (me != NULL);

  g_mutex_lock (&self->lock);
  line_push (&self->first, &self->last, me);
  g_mutex_unlock (&self->lock);
  /* Its owner may go on and kick us before we wait: that is kept. */
  if (unlock_func != NULL)
    unlock_func (lock);
  wait_for_kick (me);
  if (lock_func != NULL)
    lock_func (lock);
}

/**
 * gaio_co_queue_wait: (skip)
 * @self: a queue
 * @mutex: (nullable): a lock that the calling coroutine holds
 *
 * Waits until somebody wakes it from the queue. Meanwhile it does not hold @mutex, and it takes it
 * again before this returns. Who changes what it waits for with @mutex held, and then wakes it,
 * cannot come too early.
 *
 * Thread: any, in a coroutine; elsewhere it is refused with a critical warning.
 */
void
gaio_co_queue_wait (GaioCoQueue *self, GaioCoMutex *mutex)
{
  g_return_if_fail (mutex == NULL || is_owner_of (mutex));

  if (mutex != NULL)
    gaio_co_queue_wait_full (self, mutex, (GaioFunc) gaio_co_mutex_lock,
                             (GaioFunc) gaio_co_mutex_unlock);
  else
    gaio_co_queue_wait_full (self, NULL, NULL, NULL);
}

/**
 * gaio_co_queue_wake_one: (skip)
 * @self: a queue
 *
 * Has the coroutine that has waited longest go on.
 *
 * Thread: any, in a coroutine or not.
 *
 * Returns: %TRUE when there was one
 */
gboolean
gaio_co_queue_wake_one (GaioCoQueue *self)
{
  GaioCoroutine *next;

  g_return_val_if_fail (self != NULL, FALSE);

  g_mutex_lock (&self->lock);
  next = line_pop (&self->first, &self->last);
  g_mutex_unlock (&self->lock);
  if (next == NULL)
    return FALSE;
  kick (next);
  return TRUE;
}

/**
 * gaio_co_queue_wake_all: (skip)
 * @self: a queue
 *
 * Has all coroutines go on that wait now.
 *
 * Thread: any, in a coroutine or not.
 */
void
gaio_co_queue_wake_all (GaioCoQueue *self)
{
  gpointer first, last;

  g_return_if_fail (self != NULL);

  g_mutex_lock (&self->lock);
  first = g_steal_pointer (&self->first);
  last = g_steal_pointer (&self->last);
  g_mutex_unlock (&self->lock);
  /* A coroutine is in one line at a time, so this one is ours until it is kicked. */
  while (first != NULL)
    kick (line_take_first (&first, &last));
}

/**
 * gaio_co_rw_lock_clear: (skip)
 * @self: a lock that nobody holds or waits for
 *
 * Ends the lock, so that its memory can be freed.
 *
 * Thread: any.
 */
void
gaio_co_rw_lock_clear (GaioCoRwLock *self)
{
  g_return_if_fail (self != NULL);
  g_return_if_fail (line_look (&self->first, &self->last) == NULL);

  g_mutex_clear (&self->lock);
}

/* Under the lock. Gives it to as many as can have it, and returns them, in a line of their own. */
static GaioCoroutine *
admit (GaioCoRwLock *self)
{
  gpointer first = NULL, last = NULL;
  GaioCoroutine *next;

  while ((next = line_look (&self->first, &self->last)) != NULL &&
         (next->wish == READ ? self->holders >= 0 : self->holders == 0))
    {
      self->holders = next->wish == READ ? self->holders + 1 : -1;
      next = line_take_first (&self->first, &self->last);
      next->next_waiter = NULL;
      if (last != NULL)
        ((GaioCoroutine *) last)->next_waiter = next;
      else
        first = next;
      last = next;
    }
  return first;
}

static void
kick_all (GaioCoroutine *admitted)
{
  while (admitted != NULL)
    {
      GaioCoroutine *coroutine = admitted;

      admitted = coroutine->next_waiter;
      kick (coroutine);
    }
}

/* Under the lock, which it gives back. Waits behind those who wait already. */
static void
wait_in_line (GaioCoRwLock *self, GaioCoroutine *me, int wish)
{
  GaioCoroutine *admitted;

  me->wish = wish;
  line_push (&self->first, &self->last, me);
  admitted = admit (self);
  g_mutex_unlock (&self->lock);
  kick_all (admitted);
  wait_for_kick (me);
}

static void
take_rw_lock (GaioCoRwLock *self, GaioCoroutine *me, int wish)
{
  bool is_free;

  g_mutex_lock (&self->lock);
  is_free = line_look (&self->first, &self->last) == NULL &&
            (wish == READ ? self->holders >= 0 : self->holders == 0);
  if (is_free)
    {
      self->holders = wish == READ ? self->holders + 1 : -1;
      g_mutex_unlock (&self->lock);
    }
  else
    wait_in_line (self, me, wish);
  me->n_locks++;
}

/**
 * gaio_co_rw_lock_reader_lock: (skip)
 * @self: a lock
 *
 * Takes the lock for reading. It waits as long as a coroutine holds it for writing, or came before
 * and waits to do so. A coroutine that holds it already must not take it again.
 *
 * Thread: any, in a coroutine; elsewhere it is refused with a critical warning.
 */
void
gaio_co_rw_lock_reader_lock (GaioCoRwLock *self)
{
  GaioCoroutine *me = gaio_coroutine_self ();

  g_return_if_fail (self != NULL);
  g_return_if_fail (me != NULL);

  take_rw_lock (self, me, READ);
}

/**
 * gaio_co_rw_lock_writer_lock: (skip)
 * @self: a lock
 *
 * Takes the lock for writing, and waits as long as others hold it, or came before.
 *
 * Thread: any, in a coroutine; elsewhere it is refused with a critical warning.
 */
void
gaio_co_rw_lock_writer_lock (GaioCoRwLock *self)
{
  GaioCoroutine *me = gaio_coroutine_self ();

  g_return_if_fail (self != NULL);
  g_return_if_fail (me != NULL);

  take_rw_lock (self, me, WRITE);
}

/**
 * gaio_co_rw_lock_unlock: (skip)
 * @self: a lock that the calling coroutine holds
 *
 * Gives the lock back, whichever way it was taken.
 *
 * Thread: any, in a coroutine; elsewhere it is refused with a critical warning, and when nobody
 * holds the lock.
 */
void
gaio_co_rw_lock_unlock (GaioCoRwLock *self)
{
  GaioCoroutine *me = gaio_coroutine_self ();
  GaioCoroutine *admitted = NULL;
  gssize holders;

  g_return_if_fail (self != NULL);
  g_return_if_fail (me != NULL);

  g_mutex_lock (&self->lock);
  holders = self->holders;
  if (holders != 0)
    {
      self->holders = holders > 0 ? holders - 1 : 0;
      admitted = admit (self);
    }
  g_mutex_unlock (&self->lock);

  g_return_if_fail (holders != 0);
  me->n_locks--;
  kick_all (admitted);
}

/**
 * gaio_co_rw_lock_upgrade: (skip)
 * @self: a lock that the calling coroutine holds for reading
 *
 * Holds the lock for writing instead. It waits for the other readers, and behind those who wait
 * already: so another may write in between, and what was read must be read again.
 *
 * Thread: any, in a coroutine; elsewhere it is refused with a critical warning, and when nobody
 * reads.
 */
void
gaio_co_rw_lock_upgrade (GaioCoRwLock *self)
{
  GaioCoroutine *me = gaio_coroutine_self ();
  gssize holders;

  g_return_if_fail (self != NULL);
  g_return_if_fail (me != NULL);

  g_mutex_lock (&self->lock);
  holders = self->holders;
  if (holders == 1 && line_look (&self->first, &self->last) == NULL)
    {
      self->holders = -1;
      g_mutex_unlock (&self->lock);
    }
  else if (holders > 0)
    {
      self->holders--;
      wait_in_line (self, me, WRITE);
    }
  else
    {
      g_mutex_unlock (&self->lock);
      g_return_if_fail (holders > 0);
    }
}

/**
 * gaio_co_rw_lock_downgrade: (skip)
 * @self: a lock that the calling coroutine holds for writing
 *
 * Holds the lock for reading instead, at once. Readers that wait, up to the next writer, get it
 * too.
 *
 * Thread: any, in a coroutine; elsewhere it is refused with a critical warning, and when nobody
 * writes.
 */
void
gaio_co_rw_lock_downgrade (GaioCoRwLock *self)
{
  GaioCoroutine *admitted = NULL;
  gssize holders;

  g_return_if_fail (self != NULL);
  g_return_if_fail (gaio_coroutine_self () != NULL);

  g_mutex_lock (&self->lock);
  holders = self->holders;
  if (holders < 0)
    {
      self->holders = 1;
      admitted = admit (self);
    }
  g_mutex_unlock (&self->lock);

  g_return_if_fail (holders < 0);
  kick_all (admitted);
}
