/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/**
 * GaioWaiter:
 *
 * What a thread waits for in [method@Gaio.Context.wait_while] when another one brings it about.
 *
 * Whoever changes what a condition looks at kicks the waiter afterwards, and every context that
 * waits by it looks again. A change may also be seen before its kick; so where other data goes with
 * it, it is made and looked at with a lock, or with an atomic that releases and acquires. One
 * waiter may stand for many conditions and many waiting threads; the more conditions share one, the
 * more often they are looked at for nothing.
 *
 * ```c
 * // the thread that waits
 * gaio_context_wait_while (own, waiter, -1, NULL, is_busy, job, &error);
 *
 * // another thread
 * atomic_store (&job->busy, false);
 * gaio_waiter_kick (waiter);
 * ```
 *
 * This is QEMU's AIO_WAIT_WHILE() and AioWait.
 */

/* Waiting for a condition without leaving the callback that needs it: nested turns of the caller's
 * own context, for as long as the condition holds. Nobody's work stands still meanwhile, so any two
 * threads can wait for each other's at the same time.
 *
 * What the condition looks at is the program's: it may be guarded by a lock, be atomic and relaxed,
 * or belong to the home thread. So the order must come from here. One word decides, the number of
 * those who wait:
 *
 *   kick()                                   wait_while()
 *   ------                                   ------------
 *   (what the condition looks at changes)    W1: n_waiting += 1
 *   K1: n = n_waiting += 0                   loop:
 *   K2: if n > 0 notify the wakers             W2: look at the condition
 *                                              W3: a turn, which may wait
 *                                            W4: n_waiting -= 1
 *
 * K1 and W1 both read and write the one word, so one of them comes first (where two words would
 * need Dekker's algorithm, as in gaio-waker.c). If K1 does, W1 reads from it, or from what followed
 * it without a gap, and so W2 sees the change. If W1 does, K1 reads a number that is not 0, unless
 * W4 has come too, and K2 notifies: then either a W2 comes late enough to see the change, or the
 * next W3 finds its context notified and does not wait; which is the waker's promise, pairing its
 * N1 with the S2 of that turn. K1 cannot be a load: one that reads 0 could be from before the
 * change was seen by anybody.
 *
 * A notification may be taken by a turn nested in W3. That is no loss, as W2 comes again after it.
 *
 * tests/loop/waiter.pml is this protocol for the model checker, with the mistakes one can make.
 *
 * What it does not do: it does not run other sources of a GMainContext that drives the context, and
 * it has no list of conditions; each kick makes all who wait by this waiter look again. */

#include "config.h"

#include <stdatomic.h>

#include <gaio/loop/gaio-clock.h>
#include <gaio/loop/gaio-core-private.h>
#include <gaio/loop/gaio-waiter-private.h>

struct _GaioWaiter
{
  GObject parent_instance;

  atomic_uint n_waiting;

  GMutex lock;
  GQueue wakers; /* GaioWaker of each wait; under the lock */
};

G_DEFINE_FINAL_TYPE (GaioWaiter, gaio_waiter, G_TYPE_OBJECT)

static void
gaio_waiter_finalize (GObject *object)
{
  g_mutex_clear (&GAIO_WAITER (object)->lock);
  G_OBJECT_CLASS (gaio_waiter_parent_class)->finalize (object);
}

static void
gaio_waiter_class_init (GaioWaiterClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = gaio_waiter_finalize;
}

static void
gaio_waiter_init (GaioWaiter *self)
{
  g_mutex_init (&self->lock);
  g_queue_init (&self->wakers);
}

/**
 * gaio_waiter_new:
 *
 * Makes a waiter, by which nobody waits.
 *
 * Thread: any.
 *
 * Returns: (transfer full): the waiter
 */
GaioWaiter *
gaio_waiter_new (void)
{
  return g_object_new (GAIO_TYPE_WAITER, NULL);
}

/**
 * gaio_waiter_kick:
 * @self: a waiter
 *
 * Has all contexts that wait by @self look at their conditions again. Call it after what they look
 * at has changed. While nobody waits it is one atomic operation.
 *
 * As the one that waits may go on as soon as it sees the change, which may be before this call, the
 * caller needs a reference to @self of its own.
 *
 * Thread: any.
 */
void
gaio_waiter_kick (GaioWaiter *self)
{
  g_return_if_fail (GAIO_IS_WAITER (self));

  /* K1 */
  if (atomic_fetch_add (&self->n_waiting, 0) == 0)
    return;
  /* K2 */
  g_mutex_lock (&self->lock);
  for (GList *l = self->wakers.head; l != NULL; l = l->next)
    gaio_waker_notify (l->data);
  g_mutex_unlock (&self->lock);
}

static void
begin_wait (GaioWaiter *self, GList *link)
{
  g_mutex_lock (&self->lock);
  g_queue_push_tail_link (&self->wakers, link);
  g_mutex_unlock (&self->lock);
  /* W1 */
  atomic_fetch_add (&self->n_waiting, 1);
}

static void
end_wait (GaioWaiter *self, GList *link)
{
  /* W4 */
  atomic_fetch_sub (&self->n_waiting, 1);
  g_mutex_lock (&self->lock);
  g_queue_unlink (&self->wakers, link);
  g_mutex_unlock (&self->lock);
}

static GaioWaker *
get_waker (GaioContext *context)
{
  return gaio_context_get_core (context)->waker;
}

/* Whether the calling thread may run the context; false is another thread's. A GMainContext that
 * drives it is the thread's own until release_home(), so that the home does not move meanwhile. */
static bool
acquire_home (GaioContext *context, GMainContext **main_context)
{
  GaioCore *core = gaio_context_get_core (context);

  *main_context = gaio_core_get_main_context (core);
  if (*main_context == NULL)
    return gaio_waker_claim_home (core->waker);
  if (!g_main_context_acquire (*main_context))
    return false;
  if (gaio_core_take_home (core))
    {
      g_main_context_ref (*main_context);
      return true;
    }
  g_main_context_release (*main_context);
  return false;
}

static void
release_home (GMainContext *main_context)
{
  if (main_context == NULL)
    return;
  g_main_context_release (main_context);
  g_main_context_unref (main_context);
}

static void
on_cancelled (GCancellable *cancellable, gpointer waker)
{
  gaio_waker_notify (waker);
}

static void
unref_waker (gpointer waker, GClosure *closure)
{
  gaio_waker_unref (waker);
}

static gboolean
turn_while (GaioContext *self,
            gint64 timeout_ns,
            GCancellable *cancellable,
            GaioConditionFunc condition,
            gpointer user_data,
            GError **error)
{
  gint64 begin_ns = timeout_ns > 0 ? gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC) : 0;
  gint64 left_ns = MAX (timeout_ns, -1);

  for (bool looked = false;; looked = true)
    {
      /* W2 */
      if (!condition (user_data))
        return TRUE;
      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return FALSE;
      if (looked && timeout_ns > 0)
        left_ns = MAX (begin_ns - gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC) + timeout_ns, 0);
      if (looked && left_ns == 0)
        {
          g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT,
                               "wait: the time has passed (ETIMEDOUT)");
          return FALSE;
        }
      /* UNTESTED: somebody has attached the context meanwhile, and runs it in another thread. */
      g_return_val_if_fail (gaio_context_is_home (self), FALSE);
      /* W3 */
      gaio_core_poll (gaio_context_get_core (self), left_ns);
    }
}

/**
 * gaio_context_wait_while:
 * @self: the calling thread's own context
 * @waiter: (nullable): what is kicked when the condition may have changed; %NULL when only
 * callbacks of @self change it
 * @timeout_ns: how long to wait at most, in nanoseconds; 0 for one turn that does not wait,
 *   negative for ever
 * @cancellable: (nullable): a cancellable that ends the wait
 * @condition: (scope call) (closure user_data): tells whether to go on waiting
 * @user_data: data for @condition
 * @error: return location for an error
 *
 * Waits until a condition holds no more, while the context goes on with its work: turns run, nested
 * in the caller's if it is in a callback. When the condition does not hold to begin with nothing
 * runs.
 *
 * What the condition looks at is changed by callbacks of this context, or by other threads, which
 * then call [method@Gaio.Waiter.kick]. Those may be in a wait themselves, also for this thread.
 *
 * ```c
 * static gboolean
 * is_busy (gpointer user_data)
 * {
 *   return atomic_load (&((Job *) user_data)->n_left) > 0;
 * }
 *
 * if (!gaio_context_wait_while (context, waiter, 5 * G_GINT64_CONSTANT (1000000000), NULL,
 *                               is_busy, job, &error))
 *   g_warning ("%s", error->message);
 * ```
 *
 * Thread: home; when the context has none, the caller becomes it. A call from another thread is
 * refused with a critical warning, and so is one from a coroutine.
 *
 * Returns: %TRUE when the condition holds no more; %FALSE with %G_IO_ERROR_TIMED_OUT or
 *   %G_IO_ERROR_CANCELLED while it does
 */
gboolean
gaio_context_wait_while (GaioContext *self,
                         GaioWaiter *waiter,
                         gint64 timeout_ns,
                         GCancellable *cancellable,
                         GaioConditionFunc condition,
                         gpointer user_data,
                         GError **error)
{
  GMainContext *main_context;
  GList link = { 0 };
  gulong handler = 0;
  gboolean ended;

  g_return_val_if_fail (GAIO_IS_CONTEXT (self), FALSE);
  g_return_val_if_fail (waiter == NULL || GAIO_IS_WAITER (waiter), FALSE);
  g_return_val_if_fail (condition != NULL, FALSE);
  g_return_val_if_fail (gaio_coroutine_self () == NULL, FALSE);
  g_return_val_if_fail (acquire_home (self, &main_context), FALSE);

  /* A callback may drop the last references. */
  g_object_ref (self);
  link.data = get_waker (self);
  if (waiter != NULL)
    begin_wait (g_object_ref (waiter), &link);
  /* Not by g_cancellable_connect(): its counterpart waits for the thread that cancels, and that
   * one may be waiting for this. */
  if (cancellable != NULL)
    handler =
        g_signal_connect_data (g_object_ref (cancellable), "cancelled", G_CALLBACK (on_cancelled),
                               gaio_waker_ref (link.data), unref_waker, 0);

  ended = turn_while (self, timeout_ns, cancellable, condition, user_data, error);

  if (cancellable != NULL)
    {
      g_signal_handler_disconnect (cancellable, handler);
      g_object_unref (cancellable);
    }
  if (waiter != NULL)
    {
      end_wait (waiter, &link);
      g_object_unref (waiter);
    }
  g_object_unref (self);
  release_home (main_context);
  return ended;
}

GaioWaiter *
gaio_waiter_get_for_left_contexts (void)
{
  static gsize waiter;

  if (g_once_init_enter (&waiter))
    g_once_init_leave (&waiter, (gsize) gaio_waiter_new ());
  return (GaioWaiter *) waiter;
}

/* A call of a function in another context. It is shared with the queue there, where it stays when
 * nobody takes it. */
typedef struct
{
  GaioBhNode node;

  /* immutable */
  GaioCore *core; /* of the other context; for the one who waits */
  GaioFunc func;
  gpointer user_data;
  GaioWaker *waker; /* of the one who waits */

  /* atomic */
  atomic_int refs;
  atomic_int state;
} Call;

enum
{
  PENDING,
  RUNNING,
  RETURNED,
  NOT_CALLED,
};

static void
call_unref (Call *self)
{
  if (atomic_fetch_sub_explicit (&self->refs, 1, memory_order_acq_rel) != 1)
    return;
  gaio_waker_unref (self->waker);
  g_free (self);
}

/* Each call is either run or given up. */
static bool
decide (Call *self, int state)
{
  int pending = PENDING;

  return atomic_compare_exchange_strong (&self->state, &pending, state);
}

static bool
run_call (GaioBhNode *node, bool closing)
{
  Call *self = (Call *) node;

  if (decide (self, closing ? NOT_CALLED : RUNNING))
    {
      if (!closing)
        {
          self->func (self->user_data);
          atomic_store (&self->state, RETURNED);
        }
      gaio_waker_notify (self->waker);
    }
  call_unref (self);
  return true;
}

static gboolean
is_to_wait_for (gpointer user_data)
{
  Call *self = user_data;

  if (atomic_load (&self->core->left) && !gaio_waker_has_home (self->core->waker))
    decide (self, NOT_CALLED);
  return atomic_load (&self->state) < RETURNED;
}

/**
 * gaio_context_invoke_and_wait:
 * @self: a context
 * @own: the calling thread's own context
 * @func: (scope call) (closure user_data): what to run
 * @user_data: data for @func
 * @error: return location for an error
 *
 * Runs a function in the home thread of @self and returns when it has run. Meanwhile @own goes on
 * with its work, as in [method@Gaio.Context.wait_while], so two threads may do this to each other
 * at the same time.
 *
 * In the home thread of @self the function is called right away, so the two may be the same. When
 * no thread runs @self yet it is called once one does.
 *
 * Thread: home of @own; when that has none, the caller becomes it. A call from another thread is
 * refused with a critical warning, and so is one from a coroutine.
 *
 * Returns: %TRUE when the function has run; %FALSE with %G_IO_ERROR_CANCELLED when it has not and
 *   will not, since @self is the context of an I/O thread that has ended and nobody else runs it
 */
gboolean
gaio_context_invoke_and_wait (
    GaioContext *self, GaioContext *own, GaioFunc func, gpointer user_data, GError **error)
{
  GMainContext *main_context;
  gboolean returned;
  Call *call;

  g_return_val_if_fail (GAIO_IS_CONTEXT (self), FALSE);
  g_return_val_if_fail (GAIO_IS_CONTEXT (own), FALSE);
  g_return_val_if_fail (func != NULL, FALSE);
  g_return_val_if_fail (gaio_coroutine_self () == NULL, FALSE);
  g_return_val_if_fail (acquire_home (own, &main_context), FALSE);

  if (gaio_context_is_home (self))
    {
      func (user_data);
      release_home (main_context);
      return TRUE;
    }

  call = g_new0 (Call, 1);
  call->node.run = run_call;
  call->core = gaio_context_get_core (self);
  call->func = func;
  call->user_data = user_data;
  call->waker = gaio_waker_ref (get_waker (own));
  atomic_init (&call->refs, 2);

  /* A callback may drop the last reference. */
  g_object_ref (self);
  gaio_bh_node_schedule (&call->node, gaio_context_get_bh_queue (self));
  while (!gaio_context_wait_while (own, gaio_waiter_get_for_left_contexts (), -1, NULL,
                                   is_to_wait_for, call, NULL))
    g_usleep (1000); /* UNTESTED: refused, as above; but the function may still use its data */
  g_object_unref (self);
  release_home (main_context);

  returned = atomic_load (&call->state) == RETURNED;
  call_unref (call);
  if (!returned)
    g_set_error_literal (error, G_IO_ERROR, G_IO_ERROR_CANCELLED,
                         "invoke: the context was left by its thread (ECANCELED)");
  return returned;
}
