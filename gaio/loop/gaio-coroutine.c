/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/**
 * GaioCoroutine: (skip)
 *
 * A function with a stack of its own, which can wait in its midst while the loop goes on.
 *
 * It reads as if it blocked: [func@Gaio.coroutine_sleep_ns], [func@Gaio.coroutine_wait_fd],
 * [method@Gaio.File.co_read], [method@Gaio.ThreadPool.co_run] and the locks of coroutines return
 * when what they wait for has come, and meanwhile the home thread of the coroutine's
 * [class@Gaio.Context] does other things. [func@Gaio.coroutine_yield] waits for whoever calls
 * [method@Gaio.Coroutine.wake].
 *
 * ```c
 * static void
 * tick (gpointer user_data)
 * {
 *   for (int i = 0; i < 3; i++)
 *     {
 *       g_print ("%d\n", i);
 *       gaio_coroutine_sleep_ns (G_GINT64_CONSTANT (1000000000));
 *     }
 * }
 *
 * g_autoptr (GaioCoroutine) coroutine = gaio_coroutine_new (context, tick, NULL, NULL, &error);
 *
 * gaio_coroutine_enter (coroutine);
 * ```
 *
 * A coroutine that has begun keeps itself alive until its function returns. It does not keep its
 * context alive. When that ends, the function does not go on: its stack is given back as it is, so
 * what only its local variables knew is lost, and a lock that it holds stays locked; then its
 * data is freed. So let coroutines return before their context goes, and keep in the data what must
 * be freed in any case. While a file request or a job of the coroutine is in flight, the context
 * does not end.
 *
 * The stack has 256 KiB, of which only what is used takes memory; below it is a guard page. Of the
 * function's thread everything is as in any function, but for `errno` and variables of a thread: a
 * function that moves to another context finds the other thread's.
 *
 * Coroutines are for C. Nothing of another language may run on such a stack, so in a coroutine do
 * not run a main loop, or call functions that call back a program. To poll a context there is
 * refused.
 */

/* Coroutines on top of bottom halves and stacks.
 *
 * Each has two things that it can wait for. WOKEN is what the program says, any time, and is kept
 * until the coroutine next waits for it, so it cannot come too early. KICKED is what a lock, a
 * timer, a request says to the one that waits for just that. Both are bits of `state`; who sets one
 * that was not set sees to it that the home thread comes by:
 *
 *   gaio_coroutine_wake(), any thread:  set the bit
 *     in a coroutine of the home thread --> the thread's list of woken ones
 *     elsewhere                         --> the node, and so the loop
 *   come by, home thread: when the coroutine waits for that bit, run it; when it runs, or is on the
 *     way to another home, it looks itself before it next waits
 *
 * The list of woken ones is emptied by the outermost run() of the thread, when its coroutine has
 * left. So coroutines that wake each other go on without a turn of the loop and without growing
 * any stack, up to MAX_IN_A_ROW of them; then the loop gets its turn. It is a stack that signal
 * handlers may push on too.
 *
 * What belongs to the home thread has no lock. A coroutine that moves is nobody's from the end of
 * depart() to arrive(). Its old group must last as long as it, since another thread may be about to
 * schedule its node there, which finds that it is not at home any more and follows it.
 *
 * A function on a coroutine's stack may wake up in another thread, and compilers believe that the
 * address of a thread's variable stays the same in a function. So get_thread() is never inlined,
 * and its result is not kept over a leave. */

#include "config.h"

#include <errno.h>
#include <string.h>

#include <gaio/base/gaio-error-private.h>
#include <gaio/loop/gaio-context-private.h>
#include <gaio/loop/gaio-coroutine-private.h>

/* Coroutines that wake each other before the loop gets its turn: some hundred microseconds. */
#define MAX_IN_A_ROW 4096

/* In `state`, above what can be waited for. */
enum
{
  LISTED = 1 << 2, /* in a thread's list of woken ones; holds a reference */
  ENDED = 1 << 3,
};

struct _GaioCoroutineGroup
{
  /* immutable */
  GaioBhQueue *queue;
  GWeakRef context;

  /* atomic */
  atomic_int refs;
  atomic_bool closed;

  /* home thread */
  GQueue begun; /* `link`s */
};

/* What a thread knows of its coroutines. */
typedef struct
{
  GaioCoroutine *current;
  GaioCoroutine *_Atomic woken; /* newest first */
} Thread;

/* Initial-exec: signal handlers read it, and nothing is allocated for it then. */
static _Thread_local Thread this_thread __attribute__ ((tls_model ("initial-exec")));

static Thread *__attribute__ ((noinline)) get_thread (void)
{
  Thread *thread = &this_thread;

  /* Hides from the compiler that it is the same for each call in a thread. */
  __asm__ volatile("" : "+r"(thread) : : "memory");
  return thread;
}

static GaioCoroutine *
coroutine_of_arrival (GaioBhNode *node)
{
  return (GaioCoroutine *) ((char *) node - offsetof (GaioCoroutine, arrival));
}

/* Groups */

GaioCoroutineGroup *
gaio_coroutine_group_new (GaioContext *context)
{
  GaioCoroutineGroup *self = g_new0 (GaioCoroutineGroup, 1);

  atomic_init (&self->refs, 1);
  self->queue = gaio_bh_queue_ref (gaio_context_get_bh_queue (context));
  g_weak_ref_init (&self->context, context);
  g_queue_init (&self->begun);
  gaio_stack_pool_hold ();
  return self;
}

static GaioCoroutineGroup *
group_ref (GaioCoroutineGroup *self)
{
  atomic_fetch_add_explicit (&self->refs, 1, memory_order_relaxed);
  return self;
}

void
gaio_coroutine_group_unref (GaioCoroutineGroup *self)
{
  if (atomic_fetch_sub_explicit (&self->refs, 1, memory_order_acq_rel) != 1)
    return;
  gaio_stack_pool_release ();
  g_weak_ref_clear (&self->context);
  gaio_bh_queue_unref (self->queue);
  g_free (self);
}

static bool
group_is_home (GaioCoroutineGroup *self)
{
  return gaio_waker_is_home (gaio_bh_queue_get_waker (self->queue));
}

/* Whether the caller may run coroutines of it; it becomes the home where nobody is. */
static bool
group_adopt (GaioCoroutineGroup *self)
{
  g_autoptr (GaioContext) context = NULL;

  if (G_LIKELY (group_is_home (self)))
    return true;
  context = g_weak_ref_get (&self->context);
  return context != NULL && gaio_context_adopt (context);
}

/* Life */

static void
end (GaioCoroutine *self)
{
  GaioCoroutineGroup *group = atomic_load (&self->group);

  atomic_fetch_or (&self->state, ENDED);
  if (self->link.data != NULL)
    g_queue_unlink (&group->begun, &self->link);
  self->link.data = NULL;
  self->entered = false;
  if (self->timer != NULL)
    gaio_timer_cancel (self->timer);
  g_clear_object (&self->timer);
  g_clear_pointer (&self->stack, gaio_stack_free);
  if (self->returned && self->n_locks > 0)
    g_critical ("A coroutine has ended and holds %u locks", self->n_locks);
  if (self->notify != NULL)
    self->notify (self->user_data);
  gaio_coroutine_unref (self);
}

void
gaio_coroutine_group_close (GaioCoroutineGroup *self)
{
  GList *link;

  atomic_store (&self->closed, true);
  /* One that runs just now ends when it next waits. */
  for (link = self->begun.head; link != NULL && ((GaioCoroutine *) link->data)->entered;)
    link = link->next;
  while (link != NULL)
    {
      end (link->data);
      for (link = self->begun.head; link != NULL && ((GaioCoroutine *) link->data)->entered;)
        link = link->next;
    }
}

static void
coroutine_main (gpointer data)
{
  GaioCoroutine *self = data;

  self->func (self->user_data);
  self->returned = true;
  gaio_stack_leave (self->stack, true);
}

/* Puts it where its group's end finds it. */
static void
link_to_group (GaioCoroutine *self, GaioCoroutineGroup *group)
{
  self->link.data = self;
  g_queue_push_tail_link (&group->begun, &self->link);
}

static void
depart (GaioCoroutine *self)
{
  GaioCoroutineGroup *group = atomic_load (&self->group);
  GaioCoroutineGroup *destination = g_steal_pointer (&self->destination);

  g_queue_unlink (&group->begun, &self->link);
  self->link.data = NULL;
  group_ref (destination);
  atomic_store (&self->group, destination);
  /* With that it is the other thread's, and may have ended, and its context too, before the
   * scheduling has. */
  gaio_bh_node_schedule (&self->arrival, destination->queue);
  gaio_coroutine_group_unref (destination);
}

/* Thread: home. Runs a coroutine that does not run, until it waits or ends. */
static void
run (Thread *thread, GaioCoroutine *self, GaioCoroutineGroup *group)
{
  GaioCoroutine *outer = thread->current;

  if (!self->begun)
    {
      self->begun = true;
      gaio_coroutine_ref (self);
      link_to_group (self, group);
      atomic_fetch_and (&self->state, ~(guint) GAIO_COROUTINE_WOKEN);
    }
  self->entered = true;
  thread->current = self;
  gaio_stack_enter (self->stack);
  thread->current = outer;

  if (self->destination != NULL)
    depart (self);
  else if (self->returned || atomic_load (&group->closed))
    end (self);
  else
    self->entered = false;
}

/* Thread: any, with a reference of its own. */
static void
schedule (GaioCoroutine *self)
{
  /* The reference of the queue is taken before the push, since the node may run at once. */
  gaio_coroutine_ref (self);
  if (!gaio_bh_node_schedule (&self->node, atomic_load (&self->group)->queue))
    gaio_coroutine_unref (self);
}

/* Comes by at a coroutine of which a bit was set. */
static void
come_by (Thread *thread, GaioCoroutine *self)
{
  GaioCoroutineGroup *group = atomic_load (&self->group);

  if (!group_is_home (group))
    {
      schedule (self);
      return;
    }
  if (!self->entered && (atomic_load (&self->state) & self->waits_for) != 0 &&
      (atomic_load (&self->state) & ENDED) == 0 && !atomic_load (&group->closed))
    run (thread, self, group);
}

/* The list of woken ones */

static void
push_woken (Thread *thread, GaioCoroutine *self)
{
  GaioCoroutine *newest = atomic_load_explicit (&thread->woken, memory_order_relaxed);

  if (atomic_fetch_or (&self->state, LISTED) & LISTED)
    return;
  gaio_coroutine_ref (self);
  do
    self->next_woken = newest;
  while (!atomic_compare_exchange_weak (&thread->woken, &newest, self));
}

static GaioCoroutine *
take_woken (Thread *thread)
{
  GaioCoroutine *newest = atomic_exchange (&thread->woken, NULL);
  GaioCoroutine *oldest = NULL;

  while (newest != NULL)
    {
      GaioCoroutine *self = newest;

      newest = self->next_woken;
      self->next_woken = oldest;
      oldest = self;
    }
  return oldest;
}

static void
run_woken (Thread *thread)
{
  guint n = 0;

  while (atomic_load_explicit (&thread->woken, memory_order_relaxed) != NULL)
    {
      GaioCoroutine *list = take_woken (thread);

      while (list != NULL)
        {
          GaioCoroutine *self = list;

          list = self->next_woken;
          atomic_fetch_and (&self->state, ~(guint) LISTED);
          if (n++ < MAX_IN_A_ROW)
            come_by (thread, self);
          else
            schedule (self);
          gaio_coroutine_unref (self);
        }
    }
}

static void
come_by_and_run_woken (GaioCoroutine *self)
{
  Thread *thread = get_thread ();

  come_by (thread, self);
  if (thread->current == NULL)
    run_woken (thread);
}

static bool
on_node (GaioBhNode *node, bool closing)
{
  GaioCoroutine *self = (GaioCoroutine *) node;

  if (!closing)
    come_by_and_run_woken (self);
  gaio_coroutine_unref (self);
  return true;
}

static bool
arrive (GaioBhNode *node, bool closing)
{
  GaioCoroutine *self = coroutine_of_arrival (node);
  GaioCoroutineGroup *group = atomic_load (&self->group);
  Thread *thread = get_thread ();

  if (closing || atomic_load (&group->closed))
    {
      end (self);
      return true;
    }
  link_to_group (self, group);
  run (thread, self, group);
  if (thread->current == NULL)
    run_woken (thread);
  return true;
}

/* Sets a bit, and sees to it that the home comes by. */
static bool
set_bit (GaioCoroutine *self, guint bit)
{
  return (atomic_fetch_or (&self->state, bit) & bit) == 0;
}

static void
send_for (GaioCoroutine *self)
{
  Thread *thread = get_thread ();

  if (thread->current != NULL && group_is_home (atomic_load (&self->group)))
    push_woken (thread, self);
  else
    schedule (self);
}

void
gaio_coroutine_kick (GaioCoroutine *self)
{
  if (set_bit (self, GAIO_COROUTINE_KICKED))
    send_for (self);
}

void
gaio_coroutine_kick_now (GaioCoroutine *self)
{
  /* It may end before this does. */
  gaio_coroutine_ref (self);
  if (set_bit (self, GAIO_COROUTINE_KICKED))
    {
      if (get_thread ()->current != NULL)
        send_for (self);
      else
        come_by_and_run_woken (self);
    }
  gaio_coroutine_unref (self);
}

guint
gaio_coroutine_wait (GaioCoroutine *self, guint mask)
{
  for (;;)
    {
      guint got = atomic_load (&self->state) & mask;

      if (got != 0)
        got = atomic_fetch_and (&self->state, ~mask) & mask;
      if (got != 0)
        return got;
      self->waits_for = mask;
      gaio_stack_leave (self->stack, false);
    }
}

GaioContext *
gaio_coroutine_ref_context (GaioCoroutine *self)
{
  return g_weak_ref_get (&atomic_load (&self->group)->context);
}

/**
 * gaio_coroutine_new: (skip)
 * @context: the context to run it in
 * @func: (scope notified) (closure user_data) (destroy notify): what to run
 * @user_data: data for @func
 * @notify: (nullable): frees @user_data, in the home thread, when @func has returned or will never
 *   go on
 * @error: return location for an error
 *
 * Makes a coroutine, which begins when it is first entered or woken.
 *
 * Each takes two maps of the address space, see vm.max_map_count in proc(5); half of what the
 * system allows, less 2,500, is how many there can be, about 30,000 by default.
 *
 * Thread: any.
 *
 * Returns: (transfer full): the coroutine, or %NULL when there is no memory for its stack, or too
 *   many maps
 */
GaioCoroutine *
gaio_coroutine_new (
    GaioContext *context, GaioFunc func, gpointer user_data, GDestroyNotify notify, GError **error)
{
  GaioCoroutine *self;

  g_return_val_if_fail (GAIO_IS_CONTEXT (context), NULL);
  g_return_val_if_fail (func != NULL, NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  /* Not g_new0(): the C library's calloc() does not use its cache of small pieces. */
  self = g_malloc (sizeof (GaioCoroutine));
  memset (self, 0, sizeof (GaioCoroutine));
  self->stack = gaio_stack_new (coroutine_main, self);
  if (self->stack == NULL)
    {
      gaio_set_error_errno (error, errno, "make coroutine", NULL);
      g_free (self);
      return NULL;
    }
  self->node.run = on_node;
  self->arrival.run = arrive;
  self->func = func;
  self->user_data = user_data;
  self->notify = notify;
  atomic_init (&self->refs, 1);
  atomic_init (&self->group, group_ref (gaio_context_get_coroutine_group (context)));
  self->waits_for = GAIO_COROUTINE_WOKEN;
  return self;
}

/**
 * gaio_coroutine_ref: (skip)
 * @self: a coroutine
 *
 * Takes a reference.
 *
 * Thread: any.
 *
 * Returns: (transfer full): @self
 */
GaioCoroutine *
gaio_coroutine_ref (GaioCoroutine *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  atomic_fetch_add_explicit (&self->refs, 1, memory_order_relaxed);
  return self;
}

/**
 * gaio_coroutine_unref: (skip)
 * @self: (transfer full): a coroutine
 *
 * Drops a reference. A coroutine that has begun has one of its own until it ends.
 *
 * Thread: any.
 */
void
gaio_coroutine_unref (GaioCoroutine *self)
{
  GaioCoroutineGroup *group;

  g_return_if_fail (self != NULL);

  /* Release pairs with the acquire of the thread that takes the last one. */
  if (atomic_fetch_sub_explicit (&self->refs, 1, memory_order_acq_rel) != 1)
    return;
  group = atomic_load (&self->group);
  if (!self->begun)
    {
      g_clear_pointer (&self->stack, gaio_stack_free);
      gaio_bh_queue_release (group->queue, self->notify, self->user_data);
    }
  g_clear_pointer (&self->past_groups, g_ptr_array_unref);
  gaio_coroutine_group_unref (group);
  g_free (self);
}

/**
 * gaio_coroutine_enter: (skip)
 * @self: a coroutine that is not entered
 *
 * Runs it now, from its beginning or from where it yielded, until it waits or returns; then this
 * returns. In the function of another coroutine too: that one goes on when this one waits.
 *
 * One that waits for a lock, or reads a file, does not go on for that; it does later, when it next
 * yields or sleeps. When the context has ended nothing happens.
 *
 * Thread: home; refused with a critical warning in others, and for a coroutine that runs, or has
 * entered the one that does, or has ended.
 */
void
gaio_coroutine_enter (GaioCoroutine *self)
{
  GaioCoroutineGroup *group;

  g_return_if_fail (self != NULL);
  group = atomic_load (&self->group);
  if (atomic_load (&group->closed))
    return;
  g_return_if_fail (group_adopt (group));
  g_return_if_fail (!self->entered);
  g_return_if_fail (!gaio_coroutine_is_ended (self));

  atomic_fetch_or (&self->state, GAIO_COROUTINE_WOKEN);
  gaio_coroutine_ref (self);
  come_by_and_run_woken (self);
  gaio_coroutine_unref (self);
}

/**
 * gaio_coroutine_wake: (skip)
 * @self: a coroutine
 *
 * Has it begin, or go on where it yielded, soon and in its home thread. From a coroutine of that
 * thread it costs no turn of the loop: then it is as soon as that one waits.
 *
 * A coroutine that has not come to yield yet does not wait when it does. So a wake is never lost,
 * and several before it goes on count as one. One that has ended, or whose context has, is not
 * touched.
 *
 * Thread: any; safe in a signal handler.
 */
void
gaio_coroutine_wake (GaioCoroutine *self)
{
  if (set_bit (self, GAIO_COROUTINE_WOKEN))
    send_for (self);
}

/**
 * gaio_coroutine_is_entered: (skip)
 * @self: a coroutine
 *
 * Tells whether its function runs, or has entered the coroutine that does.
 *
 * Thread: home.
 *
 * Returns: %TRUE when it does not wait
 */
gboolean
gaio_coroutine_is_entered (GaioCoroutine *self)
{
  g_return_val_if_fail (self != NULL, FALSE);

  return self->entered;
}

/**
 * gaio_coroutine_is_ended: (skip)
 * @self: a coroutine
 *
 * Tells whether its function has returned, or its context has ended with it in its midst.
 *
 * Thread: any.
 *
 * Returns: %TRUE when it has begun and will not run again
 */
gboolean
gaio_coroutine_is_ended (GaioCoroutine *self)
{
  g_return_val_if_fail (self != NULL, FALSE);

  return (atomic_load (&self->state) & ENDED) != 0;
}

/**
 * gaio_coroutine_self: (skip)
 *
 * Gets the coroutine whose function the caller is in.
 *
 * Thread: any.
 *
 * Returns: (transfer none) (nullable): the coroutine; %NULL when it is none
 */
GaioCoroutine *
gaio_coroutine_self (void)
{
  return get_thread ()->current;
}

/**
 * gaio_coroutine_yield: (skip)
 *
 * Waits until [method@Gaio.Coroutine.wake] or [method@Gaio.Coroutine.enter] is called for this
 * coroutine. It returns at once when it was woken since it last waited so.
 *
 * Thread: home, in a coroutine; elsewhere it is refused with a critical warning.
 */
void
gaio_coroutine_yield (void)
{
  GaioCoroutine *self = gaio_coroutine_self ();

  g_return_if_fail (self != NULL);

  gaio_coroutine_wait (self, GAIO_COROUTINE_WOKEN);
}

/**
 * gaio_coroutine_move: (skip)
 * @context: a context
 *
 * Goes on in another context, and so in its home thread. It returns there. Until the coroutine
 * ends it holds what it takes to be woken in the contexts that it was in, a descriptor each, though
 * not the contexts.
 *
 * Thread: home, in a coroutine; elsewhere it is refused with a critical warning.
 */
void
gaio_coroutine_move (GaioContext *context)
{
  GaioCoroutine *self = gaio_coroutine_self ();
  GaioCoroutineGroup *group, *destination;

  g_return_if_fail (self != NULL);
  g_return_if_fail (GAIO_IS_CONTEXT (context));

  group = atomic_load (&self->group);
  destination = gaio_context_get_coroutine_group (context);
  if (destination == group)
    return;

  /* One reference for each group: the present one's is the coroutine's, the others' are here. */
  if (self->past_groups == NULL)
    self->past_groups =
        g_ptr_array_new_with_free_func ((GDestroyNotify) gaio_coroutine_group_unref);
  if (!g_ptr_array_find (self->past_groups, destination, NULL))
    g_ptr_array_add (self->past_groups, group_ref (destination));
  if (!g_ptr_array_find (self->past_groups, group, NULL))
    g_ptr_array_add (self->past_groups, group_ref (group));
  group_ref (destination);
  gaio_coroutine_group_unref (group);

  g_clear_object (&self->timer);
  self->destination = destination;
  gaio_stack_leave (self->stack, false);
}
