/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Adaptive polling. To sleep and be woken costs some microseconds, and tens of them when another
 * processor has to do it; where the next event is likely to come sooner, it is better to look for
 * it in a circle.
 *
 * What is looked at costs no system call: whether anybody has notified the waker, which is awake
 * all the time and so costs its notifiers none either; whether the ring has completed anything; and
 * the poll functions of the handlers. Handlers without one are not forgotten: every now and then
 * the monitor is asked, without waiting, also when the other ones find something in each turn. The
 * clock is read only after so many rounds, about once a microsecond, since that costs as much as a
 * round does.
 *
 * How long is decided after each wait. Every source of events (a handler that can be polled, the
 * notifications, the ring) has a moving average of how long the waits were that it has ended. The
 * window, which is how long the next spin takes at most, grows up to the longest average that is
 * not above the limit, and shrinks when all are much shorter. What has not happened for as long as
 * the limit is no longer counted, so that a handler that has gone quiet does not have the loop spin
 * for the others.
 *
 * An average cannot see all: when the one who is waited for needs this very processor, a spin never
 * finds anything although the sleep that follows is short. And a round through very many poll
 * functions may take longer than a sleep. So after some misses, or when a round is that dear, the
 * loop gives up for a number of waits, which doubles each time until a spin is a success again.
 *
 * Polling mode begins with a spin (poll_begin of each handler) and lasts as long as spins find
 * something. It ends before a sleep: poll_end, and then one last look, for what came before
 * notifications were on again.
 *
 * All of it is for the home thread, but for the tunables. The GSource and the foreign driver never
 * spin: the loop around them has other things to do. */

#include "config.h"

#include <gaio/loop/gaio-adaptive-private.h>
#include <gaio/loop/gaio-clock.h>

/* A reading of the clock is 20 to 50 ns: in a microsecond that is no matter. */
#define CLOCK_INTERVAL_NS 1000
#define MAX_ROUNDS_PER_CLOCK 64

/* The monitor is asked after so many rounds, which is about every microsecond or two, as the
 * system call takes some hundred ns. A turn that does without the monitor counts as so many rounds,
 * for what it runs takes time. */
#define MONITOR_ROUNDS 64
#define ROUNDS_OF_TURN 8

/* About what a sleep and the wake-up cost when they are cheap. A round that takes longer cannot
 * pay. A few in a row, since the thread may have lost its processor in the middle of one. */
#define DEAR_ROUND_NS 10000
#define MAX_DEAR_SPINS 4

/* A spin that is shorter than what a sleep costs at least has nothing to lose. */
#define MIN_WINDOW_NS 4000

/* A hit halves the number of misses, so this is one hit in about five spins. */
#define MAX_MISSES 8
#define MIN_PAUSE 16
#define MAX_PAUSE 1024

typedef GaioAdaptive Adaptive;
typedef GaioAdaptiveWait Wait;
typedef GaioWaitEstimate Estimate;

static gint64
get_now_ns (void)
{
  return gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC);
}

/* Leaves the core to its other thread, and saves power. */
static inline void
relax_cpu (void)
{
#if defined(__x86_64__) || defined(__i386__)
  __builtin_ia32_pause ();
#elif defined(__aarch64__)
  __asm__ __volatile__("yield");
#endif
}

void
gaio_adaptive_init (Adaptive *self, GaioWaker *waker, GaioFdTable *fds)
{
  self->waker = waker;
  self->fds = fds;
  self->rounds_per_clock = 1;
  atomic_init (&self->grow, GAIO_ADAPTIVE_GROW);
  atomic_init (&self->shrink, GAIO_ADAPTIVE_SHRINK);
  atomic_init (&self->weight, GAIO_ADAPTIVE_WEIGHT);
}

/* Polling mode */

/* Not while it handles what was found before, or does not want to read, nor when the turn is not to
 * call it. */
static bool
may_poll (GaioFdNode *node, guint groups)
{
  return !node->data->is_busy && !node->cannot_read &&
         (groups & GAIO_FD_GROUP_BIT (node->group)) != 0;
}

static bool
poll_handlers (Adaptive *self, guint groups)
{
  GPtrArray *nodes = gaio_fd_table_get_pollable (self->fds);
  bool found = false;

  self->owes_look = false;
  for (guint i = 0; i < nodes->len; i++)
    {
      GaioFdNode *node = nodes->pdata[i];

      if (!gaio_fd_node_is_live (node))
        continue;
      if (!may_poll (node, groups))
        {
          self->owes_look = true;
          continue;
        }
      /* A poll function should only look. One that runs a turn all the same must find its node
       * here when it returns, and not find itself in there. */
      node->walkers++;
      node->data->is_busy = true;
      if (node->poll (node->poll_data->user_data) && gaio_fd_node_is_live (node))
        {
          gaio_fd_node_set_poll_hit (node);
          found = true;
        }
      node->data->is_busy = false;
      node->walkers--;
    }
  return found;
}

static void
call_hook (GaioFdNode *node, void (*hook) (gpointer))
{
  if (hook == NULL || !gaio_fd_node_is_live (node))
    return;
  node->walkers++;
  hook (node->data->user_data);
  node->walkers--;
}

/* Also for handlers that were set since the mode began. */
static void
start_polling (Adaptive *self)
{
  GPtrArray *nodes = gaio_fd_table_get_pollable (self->fds);

  self->is_polling = true;
  for (guint i = 0; i < nodes->len; i++)
    {
      GaioFdNode *node = nodes->pdata[i];

      if (node->data->is_polled)
        continue;
      node->data->is_polled = true;
      call_hook (node, node->handlers.poll_begin);
    }
}

/* Returns whether the last look has found anything. A handler that it has to leave out is looked at
 * before the next sleep that may do so. */
static bool
stop_polling (Adaptive *self, guint groups)
{
  GPtrArray *nodes = gaio_fd_table_get_pollable (self->fds);

  if (!self->is_polling)
    return self->owes_look && poll_handlers (self, groups);
  self->is_polling = false;
  for (guint i = 0; i < nodes->len; i++)
    {
      GaioFdNode *node = nodes->pdata[i];

      if (!node->data->is_polled)
        continue;
      node->data->is_polled = false;
      call_hook (node, node->handlers.poll_end);
    }
  return poll_handlers (self, groups);
}

void
gaio_adaptive_stop_polling (Adaptive *self, guint groups)
{
  stop_polling (self, groups);
}

/* The spin */

static bool
ask_monitor (Adaptive *self)
{
  self->unseen = 0;
  /* What that one finds is in the ring. */
  if (gaio_fd_table_get_monitor (self->fds) == GAIO_MONITOR_IO_URING)
    return false;
  gaio_fd_table_wait (self->fds, 0);
  return gaio_fd_table_is_ready (self->fds);
}

static bool
look (Adaptive *self, GaioRing *ring, guint groups)
{
  bool found = poll_handlers (self, groups);

  found |= gaio_waker_is_notified (self->waker);
  found |= ring != NULL && gaio_ring_is_ready (ring);
  self->unseen += found ? ROUNDS_OF_TURN : 1;
  if (self->unseen >= MONITOR_ROUNDS)
    found |= ask_monitor (self);
  return found;
}

static void
adapt_rounds (Adaptive *self, gint64 elapsed_ns)
{
  if (elapsed_ns > 2 * CLOCK_INTERVAL_NS)
    self->rounds_per_clock = MAX (self->rounds_per_clock / 2, 1);
  else if (elapsed_ns < CLOCK_INTERVAL_NS / 2)
    self->rounds_per_clock = MIN (self->rounds_per_clock * 2, MAX_ROUNDS_PER_CLOCK);
}

static void
spin (Adaptive *self, GaioRing *ring, Wait *wait, gint64 limit_ns)
{
  gint64 now_ns = wait->begin_ns;
  guint until_clock = 0;

  wait->spun = true;
  do
    {
      if (until_clock == 0)
        until_clock = self->rounds_per_clock;
      wait->n_rounds++;
      wait->found = look (self, ring, wait->groups);
      if (!wait->found)
        relax_cpu ();
      if (wait->found || --until_clock == 0)
        {
          gint64 last_ns = now_ns;

          now_ns = get_now_ns ();
          if (!wait->found)
            adapt_rounds (self, now_ns - last_ns);
        }
    }
  while (!wait->found && now_ns - wait->begin_ns < limit_ns);

  wait->spin_end_ns = now_ns;
  if (wait->timeout_ns > 0)
    wait->timeout_ns = MAX (wait->timeout_ns - (now_ns - wait->begin_ns), 0);
  self->n_polls++;
  self->n_hits += wait->found;
  self->spent_ns += (guint64) (now_ns - wait->begin_ns);
}

void
gaio_adaptive_begin_wait (Adaptive *self, GaioRing *ring, Wait *wait)
{
  gint64 max_ns = atomic_load_explicit (&self->max_ns, memory_order_relaxed);

  if (wait->timeout_ns == 0)
    {
      /* Notifications are off: without this look a loop that is busy would not see them. */
      if (max_ns == 0)
        stop_polling (self, wait->groups);
      else if (self->is_polling)
        poll_handlers (self, wait->groups);
      return;
    }
  if (max_ns > 0 && self->pause > 0)
    self->pause--;
  else if (max_ns > 0)
    {
      wait->begin_ns = get_now_ns ();
      if (self->window_ns > 0)
        {
          gint64 limit_ns = MIN (self->window_ns, max_ns);

          if (ring != NULL)
            gaio_ring_submit (ring);
          start_polling (self);
          spin (self, ring, wait,
                wait->timeout_ns > 0 ? MIN (limit_ns, wait->timeout_ns) : limit_ns);
        }
    }
  if (!wait->found && wait->timeout_ns != 0 && stop_polling (self, wait->groups))
    wait->timeout_ns = 0;
}

/* What has been learnt from a wait */

/* Returns the time that a spin should take to find the next event, 0 when it should not try. */
static gint64
learn (Estimate *estimate, bool happened, gint64 waited_ns, gint64 max_ns, guint weight)
{
  if (happened)
    {
      /* A long sleep counts as twice the limit, so that it does not take long to make up for. */
      guint64 value_ns = (guint64) (waited_ns / 2 > max_ns ? max_ns * 2 : waited_ns);

      if (estimate->average_ns == 0)
        estimate->average_ns = value_ns;
      else
        estimate->average_ns += (value_ns >> weight) - (estimate->average_ns >> weight);
      estimate->idle_ns = 0;
    }
  else if (estimate->average_ns != 0)
    {
      estimate->idle_ns += (guint64) waited_ns;
      if (estimate->idle_ns >= (guint64) max_ns)
        *estimate = (Estimate){ 0 };
    }
  return estimate->average_ns <= (guint64) max_ns ? (gint64) estimate->average_ns : 0;
}

static void
set_window (Adaptive *self, gint64 target_ns, gint64 max_ns)
{
  guint grow = atomic_load_explicit (&self->grow, memory_order_relaxed);
  guint shrink = atomic_load_explicit (&self->shrink, memory_order_relaxed);

  /* The limit may have been lowered. */
  self->window_ns = MIN (self->window_ns, max_ns);
  if (target_ns > 0)
    target_ns = MIN (MAX (target_ns, MIN_WINDOW_NS), max_ns);
  if (target_ns > self->window_ns)
    {
      self->window_ns = self->window_ns > max_ns / grow ? max_ns : self->window_ns * grow;
      self->window_ns = MIN (MAX (self->window_ns, target_ns), max_ns);
    }
  else if (shrink == 0 && target_ns == 0)
    self->window_ns = 0;
  else if (shrink > 0 && target_ns < self->window_ns / shrink)
    self->window_ns /= shrink;
  if (target_ns == 0 && self->window_ns < MIN_WINDOW_NS / 2)
    self->window_ns = 0;
}

static void
give_up (Adaptive *self)
{
  GPtrArray *nodes = gaio_fd_table_get_pollable (self->fds);

  self->n_misses = 0;
  self->n_dear = 0;
  self->last_pause = CLAMP (self->last_pause * 2, MIN_PAUSE, MAX_PAUSE);
  self->pause = self->last_pause;
  self->window_ns = 0;
  self->notification = self->ring = (Estimate){ 0 };
  for (guint i = 0; i < nodes->len; i++)
    ((GaioFdNode *) nodes->pdata[i])->data->estimate = (Estimate){ 0 };
}

/* What the first look finds was there before, and would have ended a sleep at once: it says nothing
 * about spins. */
static bool
is_waited_for (Wait *wait)
{
  return wait->found && wait->n_rounds > 1;
}

/* Whether spins are worth while. */
static bool
judge (Adaptive *self, Wait *wait)
{
  gint64 spin_ns = wait->spin_end_ns - wait->begin_ns;

  if (spin_ns / (gint64) wait->n_rounds > DEAR_ROUND_NS)
    self->n_dear++;
  else
    self->n_dear = 0;
  if (!wait->found && wait->timeout_ns != 0)
    self->n_misses++;
  else if (is_waited_for (wait) && self->n_dear == 0)
    {
      self->n_misses /= 2;
      self->last_pause = 0;
    }
  return self->n_misses < MAX_MISSES && self->n_dear < MAX_DEAR_SPINS;
}

void
gaio_adaptive_end_wait (Adaptive *self, GaioRing *ring, Wait *wait)
{
  gint64 max_ns = atomic_load_explicit (&self->max_ns, memory_order_relaxed);
  guint weight = atomic_load_explicit (&self->weight, memory_order_relaxed);
  GPtrArray *nodes = gaio_fd_table_get_pollable (self->fds);
  gint64 waited_ns;
  gint64 target_ns;

  if (wait->begin_ns == 0 || max_ns == 0)
    return;
  if (wait->spun && !judge (self, wait))
    {
      give_up (self);
      return;
    }

  if (wait->found && !is_waited_for (wait))
    return;

  waited_ns = (wait->spun && wait->found ? wait->spin_end_ns : get_now_ns ()) - wait->begin_ns;
  target_ns =
      learn (&self->notification, gaio_waker_is_notified (self->waker), waited_ns, max_ns, weight);
  target_ns = MAX (target_ns, learn (&self->ring, ring != NULL && gaio_ring_is_ready (ring),
                                     waited_ns, max_ns, weight));
  for (guint i = 0; i < nodes->len; i++)
    {
      GaioFdNode *node = nodes->pdata[i];
      bool happened = node->poll_hit || node->ready != 0;

      target_ns =
          MAX (target_ns, learn (&node->data->estimate, happened, waited_ns, max_ns, weight));
    }
  set_window (self, target_ns, max_ns);
}
