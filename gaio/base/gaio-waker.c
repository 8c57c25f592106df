/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The waker: how any thread tells a loop that there is work, without a system call while the loop
 * is awake.
 *
 * Two words decide. `notified` says that work was published and not yet looked at; `sleepers` that
 * the loop is about to wait, or waits. Each side writes its own word and then reads the other's:
 *
 *   notify()                              the loop
 *   --------                              --------
 *   (work is published)                   begin_sleep():
 *   N1: was = exchange (notified, true)     S1: sleepers += 1
 *   N2: if (!was && sleepers > 0)           S2: if (notified) do not wait
 *         write the eventfd               (waits)
 *                                         end_sleep():
 *                                           S3: sleepers -= 1
 *                                         accept():
 *                                           S4: exchange (notified, false)
 *                                         (looks for work)
 *
 * All five are sequentially consistent, so there is one order of them that everybody sees.
 *
 * No wake-up is lost (N1/N2 pair with S1/S2, as in Dekker's algorithm): if S2 reads false then S2
 * comes before N1, so S1 comes before N2, and N2 reads a sleeper and writes the eventfd.
 *
 * No work is missed (N1 pairs with S4): an N1 that precedes S4 has its work visible to what
 * follows S4, since S4 reads from it or from a later exchange; an N1 after S4 leaves `notified`
 * true, and the next S2 sees it.
 *
 * Skipping N2 when `notified` was true already is right, because the notifier that made it true
 * goes on to its own N2, or the loop is on its way to S2 or S4; so one sleep costs one write, not
 * one for each of a storm of notifiers.
 *
 * H: the thread that is in a turn needs no N1 for what it publishes while `notified` is true. It
 * does the next S4 itself, or hands the loop over to who does, and whoever made `notified` true
 * does the N2. (Another thread must not: without an N1 to order it, its work may become visible
 * only after the loop has looked.)
 *
 * tests/base/waker.pml is this protocol for the model checker, with the mistakes one can make.
 *
 * Variables are used and not fences, because the thread sanitizer does not know fences. */

#include "config.h"

#include <pthread.h>
#include <stdatomic.h>

#include <gaio/base/gaio-waker-private.h>

struct _GaioWaker
{
  GaioEventNotifier *notifier; /* immutable, but for the first turn of a forked child */

  /* atomic */
  atomic_int refs;
  atomic_bool notified;
  atomic_int sleepers; /* written by the home thread only */
  GThread *_Atomic home;
  _Atomic gulong turning; /* the thread that is in a turn, as pthread_self() has it, or 0 */
  _Atomic guint64 n_sent; /* wake-ups, each of which is a system call beside */

  /* home thread */
  guint64 n_accepted; /* a notifier that is quick counts nothing: the home does that here */
};

GaioWaker *
gaio_waker_new (GError **error)
{
  g_autoptr (GaioEventNotifier) notifier = gaio_event_notifier_new (error);
  GaioWaker *self;

  if (notifier == NULL)
    return NULL;
  self = g_new0 (GaioWaker, 1);
  self->notifier = g_steal_pointer (&notifier);
  atomic_init (&self->refs, 1);
  return self;
}

GaioWaker *
gaio_waker_ref (GaioWaker *self)
{
  atomic_fetch_add_explicit (&self->refs, 1, memory_order_relaxed);
  return self;
}

void
gaio_waker_unref (GaioWaker *self)
{
  /* Release pairs with the acquire of the thread that takes the last one. */
  if (atomic_fetch_sub_explicit (&self->refs, 1, memory_order_acq_rel) != 1)
    return;
  g_object_unref (self->notifier);
  g_free (self);
}

void
gaio_waker_notify (GaioWaker *self)
{
  /* H */
  if (atomic_load_explicit (&self->notified, memory_order_relaxed) &&
      atomic_load_explicit (&self->turning, memory_order_relaxed) == pthread_self ())
    return;
  /* N1, N2 */
  if (!atomic_exchange (&self->notified, true) && atomic_load (&self->sleepers) > 0)
    {
      atomic_fetch_add_explicit (&self->n_sent, 1, memory_order_relaxed);
      gaio_event_notifier_set (self->notifier);
    }
}

void
gaio_waker_begin_turn (GaioWaker *self)
{
  atomic_store_explicit (&self->turning, pthread_self (), memory_order_relaxed);
}

void
gaio_waker_end_turn (GaioWaker *self)
{
  atomic_store_explicit (&self->turning, 0, memory_order_relaxed);
}

bool
gaio_waker_begin_sleep (GaioWaker *self)
{
  /* S1, S2 */
  atomic_fetch_add (&self->sleepers, 1);
  return !atomic_load (&self->notified);
}

void
gaio_waker_end_sleep (GaioWaker *self)
{
  /* S3 */
  atomic_fetch_sub (&self->sleepers, 1);
}

bool
gaio_waker_is_asleep (GaioWaker *self)
{
  return atomic_load_explicit (&self->sleepers, memory_order_relaxed) > 0;
}

void
gaio_waker_accept (GaioWaker *self)
{
  /* S4; the load spares a locked instruction in a turn that nobody notified. A notification that
   * the load just misses is in `notified` for the next S2. */
  if (atomic_load_explicit (&self->notified, memory_order_relaxed) &&
      atomic_exchange (&self->notified, false))
    self->n_accepted++;
}

bool
gaio_waker_is_notified (GaioWaker *self)
{
  return atomic_load (&self->notified);
}

guint64
gaio_waker_get_n_sent (GaioWaker *self)
{
  return atomic_load_explicit (&self->n_sent, memory_order_relaxed);
}

guint64
gaio_waker_get_n_saved (GaioWaker *self)
{
  guint64 n_sent = gaio_waker_get_n_sent (self);

  /* One that was sent may not be accepted yet. */
  return self->n_accepted - MIN (self->n_accepted, n_sent);
}

GaioEventNotifier *
gaio_waker_get_notifier (GaioWaker *self)
{
  return self->notifier;
}

bool
gaio_waker_begin_child (GaioWaker *self)
{
  GaioEventNotifier *notifier = gaio_event_notifier_new (NULL);

  if (notifier == NULL)
    return false;
  g_object_unref (self->notifier);
  self->notifier = notifier;
  return true;
}

bool
gaio_waker_claim_home (GaioWaker *self)
{
  GThread *nobody = NULL;

  return gaio_waker_is_home (self) ||
         atomic_compare_exchange_strong (&self->home, &nobody, g_thread_self ());
}

void
gaio_waker_release_home (GaioWaker *self)
{
  atomic_store_explicit (&self->home, NULL, memory_order_release);
}

bool
gaio_waker_is_home (GaioWaker *self)
{
  return atomic_load_explicit (&self->home, memory_order_acquire) == g_thread_self ();
}

bool
gaio_waker_has_home (GaioWaker *self)
{
  return atomic_load_explicit (&self->home, memory_order_acquire) != NULL;
}
