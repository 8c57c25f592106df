/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Adaptive polling: to look for work in memory for a while before the loop sleeps. See
 * gaio-adaptive.c. */

#pragma once

#include <gaio/loop/gaio-fd-table-private.h>

#define GAIO_ADAPTIVE_GROW 2
#define GAIO_ADAPTIVE_SHRINK 2
#define GAIO_ADAPTIVE_WEIGHT 3
#define GAIO_ADAPTIVE_MAX_WEIGHT 63

typedef struct
{
  /* immutable, borrowed from the core */
  GaioWaker *waker;
  GaioFdTable *fds;

  /* atomic: the tunables */
  _Atomic gint64 max_ns; /* 0: off */
  atomic_uint grow;
  atomic_uint shrink;
  atomic_uint weight;

  /* home thread */
  gint64 window_ns; /* how long it spins at most */
  GaioWaitEstimate notification;
  GaioWaitEstimate ring;
  bool is_polling;        /* poll_begin of the handlers was called, and poll_end not yet */
  bool owes_look;         /* the last look left out some handler that was set */
  guint rounds_per_clock; /* how many rounds go by between two looks at the clock */
  guint unseen;           /* what has gone by since the monitor was last asked */
  guint n_misses;         /* lately */
  guint n_dear;           /* spins of dear rounds, in a row */
  guint pause;            /* for so many waits it does not spin, */
  guint last_pause;       /* of so many */
  guint64 n_polls;        /* spins, */
  guint64 n_hits;         /* of them with success, */
  guint64 spent_ns;       /* and their time */
} GaioAdaptive;

/* One wait, on the stack of the turn that does it. */
typedef struct
{
  gint64 timeout_ns; /* how long it may still last */
  guint groups;      /* of handlers that the turn may call, as GAIO_FD_GROUP_BIT()s */
  bool spun;
  bool found; /* there is something to do: do not ask the monitor */
  gint64 begin_ns;
  gint64 spin_end_ns;
  guint64 n_rounds;
} GaioAdaptiveWait;

/* Both are borrowed. */
void gaio_adaptive_init (GaioAdaptive *self, GaioWaker *waker, GaioFdTable *fds);

/* Thread: home, all that follow. Whether a wait needs the two calls below. */
static inline bool
gaio_adaptive_is_in_use (GaioAdaptive *self)
{
  return self->is_polling || self->owes_look ||
         atomic_load_explicit (&self->max_ns, memory_order_relaxed) > 0;
}

/* Before and after a wait; what is ready must be known and not dispatched yet in between. `ring` is
 * the context's, or NULL. */
void gaio_adaptive_begin_wait (GaioAdaptive *self, GaioRing *ring, GaioAdaptiveWait *wait);
void gaio_adaptive_end_wait (GaioAdaptive *self, GaioRing *ring, GaioAdaptiveWait *wait);

/* Before somebody else waits in the loop's stead. What is found is ready then. */
void gaio_adaptive_stop_polling (GaioAdaptive *self, guint groups);
