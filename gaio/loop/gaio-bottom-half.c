/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/**
 * GaioBottomHalf:
 *
 * A callback that a [class@Gaio.Context] runs soon, in its home thread.
 *
 * Scheduling is what other threads and signal handlers do to get something done in the loop. It
 * never blocks and never allocates, and costs no system call while the loop is awake. Scheduling a
 * bottom half that is scheduled already changes nothing: it runs once. What one thread schedules
 * runs in the order of scheduling.
 *
 * A bottom half that schedules itself from its own callback runs once in each turn of the loop.
 *
 * This is QEMU's bottom half (QEMUBH).
 */

/* The queue of bottom halves: many producers, one consumer.
 *
 * A push is one exchange and one store, so it is wait-free and a signal handler may do it (the
 * queue is D. Vyukov's intrusive multi-producer queue). Between the two the chain has a gap: the
 * consumer then takes the queue to end there, which is right because the producer's notification
 * of the waker comes after its second store.
 *
 * A node is in the queue at most once, which its `state` says; the rest of that word is for whoever
 * the node belongs to, so that one atomic operation changes both. Each run of the queue ends at the
 * node that was last when it began, so a node that schedules itself does not keep the turn from
 * going on; or when its slice is over, and the next run takes what is left first. Runs nest: an
 * inner run first consumes what the outer one has left, and marks the outer one as done when it
 * passes that one's last node.
 *
 * tests/loop/bottom-half.pml is this queue for the model checker, with the mistakes one can make.
 *
 * Three things stand on a node: GaioBottomHalf (the object), the one-shot of
 * gaio_bh_queue_invoke(), and whatever other rooms embed it in. */

#include "config.h"

#include <gaio/loop/gaio-bottom-half-private.h>
#include <gaio/loop/gaio-context-parts-private.h>

/* The state of a node. */
enum
{
  QUEUED = 1 << 0,
  IDLE = 1 << 1,
  /* of those of GaioBottomHalf */
  WANTED = 1 << 2,    /* scheduled and not cancelled */
  DESTROYED = 1 << 3, /* never called again */
  ORPHANED = 1 << 4,  /* the object is gone */
};

typedef struct _Run Run;
struct _Run
{
  GaioBhNode *last;
  bool done;
  Run *outer;
};

struct _GaioBhQueue
{
  /* immutable */
  GaioWaker *waker;

  /* atomic */
  atomic_int refs;
  atomic_bool closed;
  atomic_int n_idle;
  GaioBhNode *_Atomic newest;

  /* home thread; once closed, under close_lock */
  GaioBhNode *oldest;
  GaioBhNode stub; /* always in the queue, so that it is never empty */
  Run *runs;
  bool interrupted; /* the last run has left something */
  guint taken;      /* the state of the node that is being run, as it was taken out */
  guint64 n_run;

  GRecMutex close_lock;
};

static void
push (GaioBhQueue *self, GaioBhNode *node)
{
  GaioBhNode *previous;

  atomic_store_explicit (&node->next, NULL, memory_order_relaxed);
  previous = atomic_exchange (&self->newest, node);
  /* Pairs with the acquire in pop(). */
  atomic_store_explicit (&previous->next, node, memory_order_release);
}

static void
pass (GaioBhQueue *self, GaioBhNode *node)
{
  for (Run *run = self->runs; run != NULL; run = run->outer)
    if (run->last == node)
      run->done = true;
}

static GaioBhNode *
next_of (GaioBhNode *node)
{
  return atomic_load_explicit (&node->next, memory_order_acquire);
}

/* The oldest node, taken out; NULL when there is none, or a gap, or `run` has just become done. */
static GaioBhNode *
pop (GaioBhQueue *self, Run *run)
{
  GaioBhNode *node = self->oldest;
  GaioBhNode *next = next_of (node);

  if (node == &self->stub)
    {
      if (next == NULL)
        return NULL;
      self->oldest = next;
      pass (self, &self->stub);
      if (run->done)
        return NULL;
      node = next;
      next = next_of (node);
    }
  if (next == NULL)
    {
      if (node != atomic_load (&self->newest))
        return NULL;
      push (self, &self->stub);
      next = next_of (node);
      if (next == NULL)
        return NULL;
    }
  self->oldest = next;
  pass (self, node);
  return node;
}

static bool
run_queue (GaioBhQueue *self, GaioSlice *slice, bool closing)
{
  Run run = { .last = atomic_load (&self->newest), .outer = self->runs };
  GaioBhNode *node;
  bool progress = false;

  if (self->oldest == &self->stub && run.last == &self->stub)
    return false;

  self->runs = &run;
  self->interrupted = false;
  while (!run.done && (node = pop (self, &run)) != NULL)
    {
      guint state = atomic_fetch_and (&node->state, ~(guint) (QUEUED | IDLE | WANTED));

      /* Not in the node: that may be in the queue of another home by now, and run there. */
      self->taken = state;
      if (state & IDLE)
        atomic_fetch_sub (&self->n_idle, 1);
      self->n_run++;
      if (node->run (node, closing) && !(state & IDLE))
        progress = true;
      if (gaio_slice_is_over (slice))
        {
          self->interrupted = !run.done;
          break;
        }
    }
  self->runs = run.outer;
  return progress;
}

GaioBhQueue *
gaio_bh_queue_new (GaioWaker *waker)
{
  GaioBhQueue *self = g_new0 (GaioBhQueue, 1);

  atomic_init (&self->refs, 1);
  self->waker = gaio_waker_ref (waker);
  atomic_init (&self->newest, &self->stub);
  self->oldest = &self->stub;
  g_rec_mutex_init (&self->close_lock);
  return self;
}

GaioBhQueue *
gaio_bh_queue_ref (GaioBhQueue *self)
{
  atomic_fetch_add_explicit (&self->refs, 1, memory_order_relaxed);
  return self;
}

void
gaio_bh_queue_unref (GaioBhQueue *self)
{
  if (atomic_fetch_sub_explicit (&self->refs, 1, memory_order_acq_rel) != 1)
    return;
  g_rec_mutex_clear (&self->close_lock);
  gaio_waker_unref (self->waker);
  g_free (self);
}

guint64
gaio_bh_queue_get_n_run (GaioBhQueue *self)
{
  return self->n_run;
}

GaioWaker *
gaio_bh_queue_get_waker (GaioBhQueue *self)
{
  return self->waker;
}

static void
run_as_closing (GaioBhQueue *self)
{
  /* A node may hold the last reference to the queue. */
  gaio_bh_queue_ref (self);
  g_rec_mutex_lock (&self->close_lock);
  while (self->oldest != &self->stub || atomic_load (&self->newest) != &self->stub)
    run_queue (self, NULL, true);
  g_rec_mutex_unlock (&self->close_lock);
  gaio_bh_queue_unref (self);
}

void
gaio_bh_queue_close (GaioBhQueue *self)
{
  /* Pairs with the load in added(): a node is either seen by the run here, or its scheduler sees
   * that the queue is closed. */
  atomic_store (&self->closed, true);
  run_as_closing (self);
}

static bool
added (GaioBhQueue *self)
{
  if (G_UNLIKELY (atomic_load (&self->closed)))
    run_as_closing (self);
  return true;
}

/* Queues the node, with `bits` set in its state. */
static bool
schedule (GaioBhNode *self, GaioBhQueue *queue, guint bits)
{
  guint state = atomic_fetch_or (&self->state, QUEUED | bits);

  if (!(state & QUEUED))
    {
      push (queue, self);
      gaio_waker_notify (queue->waker);
      return added (queue);
    }
  /* Queued as idle: now it is urgent. */
  if (state & IDLE && atomic_fetch_and (&self->state, ~(guint) IDLE) & IDLE)
    {
      atomic_fetch_sub (&queue->n_idle, 1);
      gaio_waker_notify (queue->waker);
    }
  return false;
}

bool
gaio_bh_node_schedule (GaioBhNode *self, GaioBhQueue *queue)
{
  return schedule (self, queue, 0);
}

bool
gaio_bh_node_schedule_idle (GaioBhNode *self, GaioBhQueue *queue)
{
  guint state = atomic_load (&self->state);

  atomic_fetch_add (&queue->n_idle, 1);
  do
    if (state & QUEUED)
      {
        atomic_fetch_sub (&queue->n_idle, 1);
        return false;
      }
  while (!atomic_compare_exchange_weak (&self->state, &state, state | QUEUED | IDLE));
  push (queue, self);
  /* A foreign loop has computed its wait already, and nobody does it again before that ends. */
  if (gaio_waker_is_home (queue->waker) && gaio_waker_is_asleep (queue->waker))
    gaio_waker_notify (queue->waker);
  return added (queue);
}

bool
gaio_bh_queue_run (GaioBhQueue *self, GaioSlice *slice)
{
  return run_queue (self, slice, false);
}

gint64
gaio_bh_queue_get_timeout_ns (GaioBhQueue *self)
{
  /* Left by a slice that was over, or by the outer turn, which has not come to its last node. */
  if ((self->interrupted || (self->runs != NULL && !self->runs->done)) &&
      (self->oldest != &self->stub || next_of (&self->stub) != NULL))
    return 0;
  return atomic_load (&self->n_idle) > 0 ? GAIO_BH_IDLE_NS : -1;
}

/* One-shots */

typedef struct
{
  GaioBhNode node;
  GaioFunc func;
  gpointer user_data;
  GDestroyNotify notify;
} OneShot;

static bool
one_shot_run (GaioBhNode *node, bool closing)
{
  OneShot *self = (OneShot *) node;

  if (self->func != NULL && !closing)
    self->func (self->user_data);
  if (self->notify != NULL)
    self->notify (self->user_data);
  g_free (self);
  return true;
}

void
gaio_bh_queue_invoke (GaioBhQueue *self,
                      GaioFunc func,
                      gpointer user_data,
                      GDestroyNotify notify)
{
  OneShot *shot = g_new0 (OneShot, 1);

  shot->node.run = one_shot_run;
  shot->func = func;
  shot->user_data = user_data;
  shot->notify = notify;
  gaio_bh_node_schedule (&shot->node, self);
}

void
gaio_bh_queue_release (GaioBhQueue *self, GDestroyNotify notify, gpointer user_data)
{
  if (notify == NULL)
    return;
  if (gaio_waker_is_home (self->waker))
    notify (user_data);
  else
    gaio_bh_queue_invoke (self, NULL, user_data, notify);
}

/* The object */

/* What the queue holds while the object may already be gone. It is freed by the run of the queue
 * that finds it orphaned; the last thing that the object does is to have it run. No GObject
 * reference is taken for scheduling, since that is not safe in a signal handler (toggle references
 * of the language bindings). */
typedef struct
{
  GaioBhNode node;

  /* immutable */
  GaioBhQueue *queue;
  GaioFunc func;
  gpointer user_data;
  GDestroyNotify notify;

  /* home thread */
  guint running; /* calls of func that have not returned; nested turns make it more than one */
  bool released;
} Core;

struct _GaioBottomHalf
{
  GObject parent_instance;

  Core *core; /* immutable */
};

G_DEFINE_FINAL_TYPE (GaioBottomHalf, gaio_bottom_half, G_TYPE_OBJECT)

/* Of a destroyed one that is in none of its calls. */
static void
core_end (Core *core, guint state)
{
  /* Nobody schedules an orphan, and where it is in the queue all the same it ends when it comes
   * out. One that is not orphaned may become that, and be freed, while its data is. */
  bool is_last = state & ORPHANED && !(state & QUEUED);
  bool released = core->released;

  core->released = true;
  if (!released && core->notify != NULL)
    core->notify (core->user_data);
  if (is_last)
    {
      gaio_bh_queue_unref (core->queue);
      g_free (core);
    }
}

static bool
core_run (GaioBhNode *node, bool closing)
{
  Core *core = (Core *) node;
  bool ran = false;
  guint state;

  if (core->queue->taken & WANTED && !(atomic_load (&node->state) & DESTROYED) && !closing)
    {
      core->running++;
      core->func (core->user_data);
      core->running--;
      ran = true;
    }
  /* Destroyed by its own callback: the data goes when the callback has returned, also when a
   * nested turn comes by here earlier. */
  state = atomic_load (&node->state);
  if (state & DESTROYED && core->running == 0)
    core_end (core, state);
  return ran;
}

static void
gaio_bottom_half_finalize (GObject *object)
{
  GaioBottomHalf *self = GAIO_BOTTOM_HALF (object);

  if (self->core != NULL)
    {
      /* The core may be freed as soon as it is in the queue. */
      GaioBhQueue *queue = gaio_bh_queue_ref (self->core->queue);

      schedule (&self->core->node, queue, DESTROYED | ORPHANED);
      gaio_bh_queue_unref (queue);
    }
  G_OBJECT_CLASS (gaio_bottom_half_parent_class)->finalize (object);
}

static void
gaio_bottom_half_class_init (GaioBottomHalfClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = gaio_bottom_half_finalize;
}

static void
gaio_bottom_half_init (GaioBottomHalf *self)
{
}

/**
 * gaio_bottom_half_new:
 * @context: the context to run it in
 * @func: (scope notified) (closure user_data) (destroy notify): what to run
 * @user_data: data for @func
 * @notify: (nullable): frees @user_data, in the home thread of @context
 *
 * Makes a bottom half that is not scheduled. It does not keep @context alive.
 *
 * Thread: any.
 *
 * Returns: (transfer full): the bottom half
 */
GaioBottomHalf *
gaio_bottom_half_new (GaioContext *context,
                      GaioFunc func,
                      gpointer user_data,
                      GDestroyNotify notify)
{
  GaioBottomHalf *self;
  Core *core;

  g_return_val_if_fail (context != NULL, NULL);
  g_return_val_if_fail (func != NULL, NULL);

  core = g_new0 (Core, 1);
  core->node.run = core_run;
  core->queue = gaio_bh_queue_ref (gaio_context_get_bh_queue (context));
  core->func = func;
  core->user_data = user_data;
  core->notify = notify;

  self = g_object_new (GAIO_TYPE_BOTTOM_HALF, NULL);
  self->core = core;
  return self;
}

/**
 * gaio_bottom_half_schedule:
 * @self: a bottom half
 *
 * Has the callback run soon. Nothing happens when it is scheduled already, when it is destroyed,
 * or when its context has ended.
 *
 * Thread: any; safe in a signal handler.
 */
void
gaio_bottom_half_schedule (GaioBottomHalf *self)
{
  Core *core = self->core;

  if (!(atomic_load (&core->node.state) & DESTROYED))
    schedule (&core->node, core->queue, WANTED);
}

/**
 * gaio_bottom_half_schedule_idle:
 * @self: a bottom half
 *
 * Has the callback run when the loop next comes by, after 10 ms at the latest. It does not wake
 * the loop and does not count as progress: for work that may wait, such as a retry.
 *
 * Thread: home; from another thread it runs only when something else wakes the loop.
 */
void
gaio_bottom_half_schedule_idle (GaioBottomHalf *self)
{
  Core *core;

  g_return_if_fail (GAIO_IS_BOTTOM_HALF (self));

  core = self->core;
  if (atomic_fetch_or (&core->node.state, WANTED) & DESTROYED)
    return;
  gaio_bh_node_schedule_idle (&core->node, core->queue);
}

/**
 * gaio_bottom_half_is_scheduled:
 * @self: a bottom half
 *
 * Tells whether the callback is going to run, be it soon or idly. While it runs, that is so only
 * when it was scheduled again.
 *
 * Thread: any; from another than the home it may have changed by the time that this returns.
 *
 * Returns: %TRUE when it is scheduled
 */
gboolean
gaio_bottom_half_is_scheduled (GaioBottomHalf *self)
{
  g_return_val_if_fail (GAIO_IS_BOTTOM_HALF (self), FALSE);

  return (atomic_load (&self->core->node.state) & (WANTED | DESTROYED)) == WANTED;
}

/**
 * gaio_bottom_half_cancel:
 * @self: a bottom half
 *
 * Takes a schedule back. From the home thread it is certain that the callback does not run until
 * it is scheduled again; from another thread it may be running at the moment.
 *
 * Thread: any.
 */
void
gaio_bottom_half_cancel (GaioBottomHalf *self)
{
  g_return_if_fail (GAIO_IS_BOTTOM_HALF (self));

  atomic_fetch_and (&self->core->node.state, ~(guint) WANTED);
}

/**
 * gaio_bottom_half_destroy:
 * @self: a bottom half
 *
 * Ends it: the callback is not called again, and its data is freed in the home thread soon. The
 * last reference does the same. Destroying twice is allowed, also from the callback itself.
 *
 * Thread: any; the callback may be running at the moment when that is not the home thread.
 */
void
gaio_bottom_half_destroy (GaioBottomHalf *self)
{
  Core *core;

  g_return_if_fail (GAIO_IS_BOTTOM_HALF (self));

  core = self->core;
  if (!(atomic_load (&core->node.state) & DESTROYED))
    schedule (&core->node, core->queue, DESTROYED);
}
