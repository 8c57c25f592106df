/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/**
 * GaioTimer:
 *
 * A callback that a [class@Gaio.Context] runs in its home thread once a clock has passed a
 * deadline.
 *
 * A timer fires once for each arming, never before its deadline, in the order of deadlines and for
 * equal ones in the order of arming. Its callback may arm it again. While it is pending it is kept
 * alive.
 *
 * ```c
 * gaio_timer_arm_ns (timer, gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC) + 5 * 1000 * 1000);
 * ```
 *
 * How late a timer is depends on who waits. [method@Gaio.Context.poll] waits for nanoseconds. The
 * poll of a [struct@GLib.MainContext] knows whole milliseconds only; there, and in a foreign loop,
 * the context adds a timerfd to what is waited for, which is set when the first deadline of all
 * becomes sooner or has passed, and not in each turn. Only where a process is out of file
 * descriptors are deadlines rounded up to milliseconds.
 *
 * These are microseconds from the deadline to the callback in a loop that has nothing else to do,
 * for 500 deadlines 0.1 to 5 ms away, on a virtual machine with two processors. Most of it is the
 * kernel: waking a processor that sleeps, and the slack of 50 us that it adds to the timeouts of
 * poll(2) and epoll_wait(2) but not to a timerfd or to io_uring.
 *
 * | who waits | median | 99 of 100 |
 * |---|---|---|
 * | GLib's own timeouts, for whole milliseconds | 105 to 120 | 180 to 270 |
 * | a context in a GMainContext | 60 to 70 | 150 to 250 |
 * | the same, were it rounded up | 640 to 660 | 1100 to 1550 |
 * | gaio_context_poll() with the monitor poll or epoll | 100 to 145 | 140 to 670 |
 * | gaio_context_poll() with the monitor io_uring | 50 to 60 | 210 to 320 |
 *
 * This is QEMU's QEMUTimer.
 */

/* The timers of a context: for each clock a heap with four children to a node, which is shallower
 * than a binary one and keeps siblings in one or two cache lines. The place of each timer is known,
 * so that cancelling is O(log n) as arming is. Deadlines stand in the heap itself, and places in an
 * array of their own, where a timer has a slot for life: neither a comparison nor a move touches a
 * timer, of which a million are not in the cache. Equal deadlines are told apart by a sequence
 * number.
 *
 * One lock guards the heaps and the fields of all their timers. No callback is called with it
 * held. The first deadline of each clock is also kept in an atomic, so a turn with nothing due
 * takes no lock. Lock order: this one, then that of the virtual clock. */

#include "config.h"

#include <gaio/base/gaio-poll.h>
#include <gaio/loop/gaio-clock-private.h>
#include <gaio/loop/gaio-timer-private.h>

#define ARITY 4
#define NOT_PENDING G_MAXUINT
#define NO_SLOT G_MAXUINT
#define NEVER G_MAXINT64

/* The wall clock may be set while a loop waits for it; the wait looks again after so long. */
#define WALL_CLOCK_WAIT_NS (G_GINT64_CONSTANT (1000000000))

typedef struct
{
  gint64 deadline_ns;
  guint64 sequence;
  guint slot;
} Entry;


typedef struct
{
  /* under the lock */
  Entry *entries;
  guint n_entries;
  guint n_allocated;
  guint *indexes; /* the same for all clocks: of each slot, where its entry is, or NOT_PENDING */

  _Atomic gint64 first_ns; /* written under the lock */
} Heap;

struct _GaioTimerHeap
{
  /* immutable */
  GaioBhQueue *queue;
  GaioWaker *waker;

  atomic_int refs;

  GMutex lock;
  Heap heaps[GAIO_N_CLOCKS];
  guint64 next_sequence;
  guint *indexes;     /* by slot; of a free one, the next that is free */
  GaioTimer **timers; /* by slot; borrowed */
  guint n_slots;
  guint free_slot; /* or NO_SLOT */
  bool watches_virtual_clock;
  bool closed;

  guint64 n_called; /* home thread */
};

struct _GaioTimer
{
  GObject parent_instance;

  /* immutable */
  GaioTimerHeap *heaps;
  GaioClock clock;
  GaioFunc func;
  gpointer user_data;
  GDestroyNotify notify;

  guint slot;
};

enum
{
  PROP_DEADLINE_NS = 1,
  N_PROPS,
};

static GParamSpec *properties[N_PROPS];

G_DEFINE_FINAL_TYPE (GaioTimer, gaio_timer, G_TYPE_OBJECT)

/* The heap */

static bool
is_before (const Entry *a, const Entry *b)
{
  return a->deadline_ns < b->deadline_ns ||
         (a->deadline_ns == b->deadline_ns && a->sequence < b->sequence);
}

static void
place (Heap *heap, guint index, Entry entry)
{
  heap->entries[index] = entry;
  heap->indexes[entry.slot] = index;
}

static void
move_up (Heap *heap, guint index, Entry entry)
{
  while (index > 0)
    {
      guint parent = (index - 1) / ARITY;

      if (!is_before (&entry, &heap->entries[parent]))
        break;
      place (heap, index, heap->entries[parent]);
      index = parent;
    }
  place (heap, index, entry);
}

static void
move_down (Heap *heap, guint index, Entry entry)
{
  for (;;)
    {
      guint first = index * ARITY + 1;
      guint end = MIN (first + ARITY, heap->n_entries);
      guint best = first;

      if (first >= heap->n_entries)
        break;
      for (guint child = first + 1; child < end; child++)
        if (is_before (&heap->entries[child], &heap->entries[best]))
          best = child;
      if (!is_before (&heap->entries[best], &entry))
        break;
      place (heap, index, heap->entries[best]);
      index = best;
    }
  place (heap, index, entry);
}

static void
note_first (Heap *heap)
{
  gint64 first_ns = heap->n_entries > 0 ? heap->entries[0].deadline_ns : NEVER;

  atomic_store_explicit (&heap->first_ns, first_ns, memory_order_relaxed);
}

static void
insert (Heap *heap, Entry entry)
{
  if (heap->n_entries == heap->n_allocated)
    {
      heap->n_allocated = MAX (16, heap->n_allocated * 2);
      heap->entries = g_renew (Entry, heap->entries, heap->n_allocated);
    }
  heap->n_entries++;
  move_up (heap, heap->n_entries - 1, entry);
  note_first (heap);
}

static void
take_out (Heap *heap, guint slot)
{
  guint index = heap->indexes[slot];
  Entry last = heap->entries[--heap->n_entries];

  heap->indexes[slot] = NOT_PENDING;
  if (last.slot != slot)
    {
      if (index > 0 && is_before (&last, &heap->entries[(index - 1) / ARITY]))
        move_up (heap, index, last);
      else
        move_down (heap, index, last);
    }
  note_first (heap);
}

/* Slots */

static guint
take_slot_locked (GaioTimerHeap *self, GaioTimer *timer)
{
  guint slot = self->free_slot;

  if (slot == NO_SLOT)
    {
      guint n_slots = MAX (16, self->n_slots * 2);

      self->indexes = g_renew (guint, self->indexes, n_slots);
      self->timers = g_renew (GaioTimer *, self->timers, n_slots);
      for (slot = self->n_slots; slot < n_slots; slot++)
        self->indexes[slot] = slot + 1 < n_slots ? slot + 1 : NO_SLOT;
      for (int i = 0; i < GAIO_N_CLOCKS; i++)
        self->heaps[i].indexes = self->indexes;
      slot = self->n_slots;
      self->n_slots = n_slots;
    }
  self->free_slot = self->indexes[slot];
  self->indexes[slot] = NOT_PENDING;
  self->timers[slot] = timer;
  return slot;
}

static void
free_slot (GaioTimerHeap *self, guint slot)
{
  g_mutex_lock (&self->lock);
  self->indexes[slot] = self->free_slot;
  self->free_slot = slot;
  g_mutex_unlock (&self->lock);
}

GaioTimerHeap *
gaio_timer_heap_new (GaioBhQueue *queue)
{
  GaioTimerHeap *self = g_new0 (GaioTimerHeap, 1);

  atomic_init (&self->refs, 1);
  self->queue = gaio_bh_queue_ref (queue);
  self->waker = gaio_bh_queue_get_waker (queue);
  g_mutex_init (&self->lock);
  self->free_slot = NO_SLOT;
  for (int i = 0; i < GAIO_N_CLOCKS; i++)
    atomic_init (&self->heaps[i].first_ns, NEVER);
  return self;
}

GaioTimerHeap *
gaio_timer_heap_ref (GaioTimerHeap *self)
{
  atomic_fetch_add_explicit (&self->refs, 1, memory_order_relaxed);
  return self;
}

void
gaio_timer_heap_unref (GaioTimerHeap *self)
{
  if (atomic_fetch_sub_explicit (&self->refs, 1, memory_order_acq_rel) != 1)
    return;
  if (self->watches_virtual_clock)
    gaio_clock_remove_waker (self->waker);
  for (int i = 0; i < GAIO_N_CLOCKS; i++)
    g_free (self->heaps[i].entries);
  g_free (self->indexes);
  g_free (self->timers);
  g_mutex_clear (&self->lock);
  gaio_bh_queue_unref (self->queue);
  g_free (self);
}

static gint64
get_now_ns (int clock, gint64 now_ns)
{
  return clock == GAIO_CLOCK_MONOTONIC && now_ns != 0 ? now_ns : gaio_clock_get_ns (clock);
}

gint64
gaio_timer_heap_get_timeout_from_ns (GaioTimerHeap *self, gint64 now_ns)
{
  gint64 timeout_ns = -1;

  for (int clock = 0; clock < GAIO_N_CLOCKS; clock++)
    {
      gint64 first_ns =
          atomic_load_explicit (&self->heaps[clock].first_ns, memory_order_relaxed);
      gint64 left_ns;

      if (first_ns == NEVER)
        continue;
      left_ns = first_ns - get_now_ns (clock, now_ns);
      if (left_ns <= 0)
        return 0;
      if (clock == GAIO_CLOCK_WALL)
        left_ns = MIN (left_ns, WALL_CLOCK_WAIT_NS);
      if (gaio_clock_is_running (clock))
        timeout_ns = gaio_timeout_soonest_ns (timeout_ns, left_ns);
    }
  return timeout_ns;
}

gint64
gaio_timer_heap_get_timeout_ns (GaioTimerHeap *self)
{
  return gaio_timer_heap_get_timeout_from_ns (self, 0);
}

/* The next timer that is due and was armed before the `limit`, not pending now; with the reference
 * that it had as pending. */
static GaioTimer *
take_due (GaioTimerHeap *self, Heap *heap, gint64 now_ns, guint64 limit)
{
  GaioTimer *timer = NULL;

  g_mutex_lock (&self->lock);
  if (heap->n_entries > 0 && heap->entries[0].deadline_ns <= now_ns &&
      heap->entries[0].sequence < limit)
    {
      timer = self->timers[heap->entries[0].slot];
      take_out (heap, timer->slot);
      /* Those that come next are not in the cache; by the time they are due they are. */
      for (guint i = 0; i < MIN (heap->n_entries, ARITY + 1); i++)
        __builtin_prefetch (self->timers[heap->entries[i].slot]);
    }
  g_mutex_unlock (&self->lock);
  return timer;
}

static guint64
get_next_sequence (GaioTimerHeap *self)
{
  guint64 sequence;

  g_mutex_lock (&self->lock);
  sequence = self->next_sequence;
  g_mutex_unlock (&self->lock);
  return sequence;
}

bool
gaio_timer_heap_run (GaioTimerHeap *self, GaioSlice *slice)
{
  bool progress = false;

  for (int clock = 0; clock < GAIO_N_CLOCKS; clock++)
    {
      Heap *heap = &self->heaps[clock];
      gint64 now_ns;
      guint64 limit;
      GaioTimer *timer;

      if (atomic_load_explicit (&heap->first_ns, memory_order_relaxed) == NEVER)
        continue;
      /* Read once: what a callback arms waits for the next turn, be it due already. So a timer that
       * arms itself for the past does not keep this turn from ending. */
      now_ns = gaio_clock_get_ns (clock);
      if (atomic_load_explicit (&heap->first_ns, memory_order_relaxed) > now_ns)
        continue;
      limit = get_next_sequence (self);
      while ((timer = take_due (self, heap, now_ns, limit)) != NULL)
        {
          self->n_called++;
          timer->func (timer->user_data);
          g_object_unref (timer);
          progress = true;
          if (gaio_slice_is_over (slice))
            return true;
        }
    }
  return progress;
}

guint
gaio_timer_heap_get_n_pending (GaioTimerHeap *self)
{
  guint n_pending = 0;

  g_mutex_lock (&self->lock);
  for (int clock = 0; clock < GAIO_N_CLOCKS; clock++)
    n_pending += self->heaps[clock].n_entries;
  g_mutex_unlock (&self->lock);
  return n_pending;
}

guint64
gaio_timer_heap_get_n_called (GaioTimerHeap *self)
{
  return self->n_called;
}

void
gaio_timer_heap_close (GaioTimerHeap *self)
{
  g_mutex_lock (&self->lock);
  self->closed = true;
  for (int clock = 0; clock < GAIO_N_CLOCKS; clock++)
    while (self->heaps[clock].n_entries > 0)
      {
        GaioTimer *timer = self->timers[self->heaps[clock].entries[0].slot];

        take_out (&self->heaps[clock], timer->slot);
        g_mutex_unlock (&self->lock);
        g_object_unref (timer);
        g_mutex_lock (&self->lock);
      }
  g_mutex_unlock (&self->lock);
}

/* The object */

static void
gaio_timer_finalize (GObject *object)
{
  GaioTimer *self = GAIO_TIMER (object);

  if (self->heaps != NULL)
    {
      free_slot (self->heaps, self->slot);
      gaio_bh_queue_release (self->heaps->queue, self->notify, self->user_data);
      gaio_timer_heap_unref (self->heaps);
    }
  G_OBJECT_CLASS (gaio_timer_parent_class)->finalize (object);
}

static void
gaio_timer_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GaioTimer *self = GAIO_TIMER (object);

  switch (id)
    {
    case PROP_DEADLINE_NS:
      g_value_set_int64 (value, gaio_timer_get_deadline_ns (self));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
gaio_timer_class_init (GaioTimerClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->finalize = gaio_timer_finalize;
  object_class->get_property = gaio_timer_get_property;

  /**
   * GaioTimer:deadline-ns: (getter get_deadline_ns)
   *
   * When the timer fires, on its clock in nanoseconds; -1 while it is not pending. No
   * notifications are emitted, since timers change from any thread.
   */
  properties[PROP_DEADLINE_NS] = g_param_spec_int64 ("deadline-ns",
                                                     NULL,
                                                     NULL,
                                                     -1,
                                                     G_MAXINT64,
                                                     -1,
                                                     G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
gaio_timer_init (GaioTimer *self)
{
}

/**
 * gaio_timer_new:
 * @context: the context to run it in
 * @clock: what its deadlines are measured with
 * @func: (scope notified) (closure user_data) (destroy notify): what to run
 * @user_data: data for @func
 * @notify: (nullable): frees @user_data, in the home thread of @context
 *
 * Makes a timer that is not pending. It does not keep @context alive; when that ends, the timer is
 * cancelled.
 *
 * Thread: any.
 *
 * Returns: (transfer full): the timer
 */
GaioTimer *
gaio_timer_new (GaioContext *context,
                GaioClock clock,
                GaioFunc func,
                gpointer user_data,
                GDestroyNotify notify)
{
  GaioTimerHeap *heaps;
  GaioTimer *self;

  g_return_val_if_fail (context != NULL, NULL);
  g_return_val_if_fail ((guint) clock < GAIO_N_CLOCKS, NULL);
  g_return_val_if_fail (func != NULL, NULL);

  heaps = gaio_context_get_timer_heap (context);
  self = g_object_new (GAIO_TYPE_TIMER, NULL);
  self->heaps = gaio_timer_heap_ref (heaps);
  g_mutex_lock (&heaps->lock);
  if (clock == GAIO_CLOCK_VIRTUAL && !heaps->watches_virtual_clock)
    {
      gaio_clock_add_waker (heaps->waker);
      heaps->watches_virtual_clock = true;
    }
  self->slot = take_slot_locked (heaps, self);
  g_mutex_unlock (&heaps->lock);
  self->clock = clock;
  self->func = func;
  self->user_data = user_data;
  self->notify = notify;
  return self;
}

static void
arm (GaioTimer *self, gint64 deadline_ns, bool only_earlier)
{
  GaioTimerHeap *heaps = self->heaps;
  Heap *heap = &heaps->heaps[self->clock];
  Entry entry = { .deadline_ns = MAX (deadline_ns, 0), .slot = self->slot };
  bool is_first = false;
  guint index;

  g_mutex_lock (&heaps->lock);
  index = heaps->indexes[self->slot];
  if (index != NOT_PENDING && only_earlier &&
      heap->entries[index].deadline_ns <= entry.deadline_ns)
    ; /* it stays as it is */
  else if (!heaps->closed)
    {
      if (index != NOT_PENDING)
        take_out (heap, self->slot);
      else
        g_object_ref (self);
      entry.sequence = heaps->next_sequence++;
      insert (heap, entry);
      is_first = heaps->indexes[self->slot] == 0;
    }
  g_mutex_unlock (&heaps->lock);

  /* The wait is too long now; for any other timer it is right as it is. */
  if (is_first)
    gaio_waker_notify (heaps->waker);
}

/**
 * gaio_timer_arm_ns:
 * @self: a timer
 * @deadline_ns: when to fire, as a time of its clock in nanoseconds; one that has passed, also a
 *   negative one, fires in the next turn
 *
 * Arms the timer, in place of what it may be armed for already.
 *
 * Thread: any.
 */
void
gaio_timer_arm_ns (GaioTimer *self, gint64 deadline_ns)
{
  g_return_if_fail (GAIO_IS_TIMER (self));

  arm (self, deadline_ns, false);
}

/**
 * gaio_timer_arm_earlier_ns:
 * @self: a timer
 * @deadline_ns: when to fire at the latest, as a time of its clock in nanoseconds
 *
 * Arms the timer, unless it is pending for an earlier time.
 *
 * Thread: any.
 */
void
gaio_timer_arm_earlier_ns (GaioTimer *self, gint64 deadline_ns)
{
  g_return_if_fail (GAIO_IS_TIMER (self));

  arm (self, deadline_ns, true);
}

/**
 * gaio_timer_cancel:
 * @self: a timer
 *
 * Makes the timer not pending. From the home thread it is certain that it does not fire until it
 * is armed again; from another thread its callback may be running at the moment.
 *
 * Thread: any.
 */
void
gaio_timer_cancel (GaioTimer *self)
{
  GaioTimerHeap *heaps;
  bool was_pending;

  g_return_if_fail (GAIO_IS_TIMER (self));

  heaps = self->heaps;
  g_mutex_lock (&heaps->lock);
  was_pending = heaps->indexes[self->slot] != NOT_PENDING;
  if (was_pending)
    take_out (&heaps->heaps[self->clock], self->slot);
  g_mutex_unlock (&heaps->lock);

  if (was_pending)
    g_object_unref (self);
}

/**
 * gaio_timer_is_pending:
 * @self: a timer
 *
 * Tells whether the timer is armed and has not fired.
 *
 * Thread: any.
 *
 * Returns: %TRUE when it is pending
 */
gboolean
gaio_timer_is_pending (GaioTimer *self)
{
  return gaio_timer_get_deadline_ns (self) >= 0;
}

/**
 * gaio_timer_get_deadline_ns: (get-property deadline-ns)
 * @self: a timer
 *
 * Gets when the timer fires.
 *
 * Thread: any.
 *
 * Returns: a time of its clock in nanoseconds, or -1 when it is not pending
 */
gint64
gaio_timer_get_deadline_ns (GaioTimer *self)
{
  gint64 deadline_ns = -1;
  guint index;

  g_return_val_if_fail (GAIO_IS_TIMER (self), -1);

  g_mutex_lock (&self->heaps->lock);
  index = self->heaps->indexes[self->slot];
  if (index != NOT_PENDING)
    deadline_ns = self->heaps->heaps[self->clock].entries[index].deadline_ns;
  g_mutex_unlock (&self->heaps->lock);
  return deadline_ns;
}
