/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a context gives to the other rooms: its parts, the work that it is to wait for, and whether
 * the caller is at home. */

#include "config.h"

#include <gaio/loop/gaio-core-private.h>
#include <gaio/loop/gaio-waiter-private.h>

GaioBhQueue *
gaio_context_get_bh_queue (GaioContext *self)
{
  return gaio_context_get_core (self)->bottom_halves;
}

GaioTimerHeap *
gaio_context_get_timer_heap (GaioContext *self)
{
  return gaio_context_get_core (self)->timers;
}

GaioCoroutineGroup *
gaio_context_get_coroutine_group (GaioContext *self)
{
  GaioCore *core = gaio_context_get_core (self);
  GaioCoroutineGroup *known = atomic_load (&core->coroutines);
  GaioCoroutineGroup *group;

  if (G_LIKELY (known != NULL))
    return known;
  group = gaio_coroutine_group_new (self);
  if (atomic_compare_exchange_strong (&core->coroutines, &known, group))
    return group;
  gaio_coroutine_group_unref (group);
  return known;
}

bool
gaio_context_is_home (GaioContext *self)
{
  return gaio_waker_is_home (gaio_context_get_core (self)->waker);
}

bool
gaio_context_adopt (GaioContext *self)
{
  GaioWaker *waker = gaio_context_get_core (self)->waker;
  GMainContext *main_context;
  bool adopted;

  if (gaio_waker_has_home (waker))
    return gaio_waker_is_home (waker);
  main_context = gaio_core_get_main_context (gaio_context_get_core (self));
  if (main_context != NULL && !g_main_context_acquire (main_context))
    return false;
  adopted = gaio_waker_claim_home (waker);
  if (main_context != NULL)
    g_main_context_release (main_context);
  return adopted;
}

GaioRing *
gaio_context_get_ring (GaioContext *self)
{
  GaioCore *core = gaio_context_get_core (self);

  if (core->wanted_engine == GAIO_ENGINE_THREADS || gaio_core_ensure_ring (core) == NULL)
    return NULL;
  if (G_UNLIKELY (!gaio_ring_is_usable (core->ring)))
    {
      atomic_store (&core->engine, GAIO_ENGINE_THREADS);
      return NULL;
    }
  return core->ring;
}

void
gaio_context_begin_work (GaioContext *self)
{
  atomic_fetch_add_explicit (&gaio_context_get_core (self)->work, 1, memory_order_relaxed);
}

void
gaio_context_end_work (GaioContext *self)
{
  atomic_fetch_add_explicit (&gaio_context_get_core (self)->work_ended, 1, memory_order_relaxed);
  atomic_fetch_sub_explicit (&gaio_context_get_core (self)->work, 1, memory_order_relaxed);
}

bool
gaio_context_has_work (GaioContext *self)
{
  GaioCore *core = gaio_context_get_core (self);
  GaioIoStats *io = &core->counters.io;

  return atomic_load (&core->work) > 0 ||
         atomic_load_explicit (&io->submitted, memory_order_relaxed) !=
             atomic_load_explicit (&io->ended, memory_order_relaxed);
}

void
gaio_context_leave (GaioContext *self)
{
  GaioCore *core = gaio_context_get_core (self);

  gaio_core_close_ring (core);
  atomic_store (&core->left, true);
  gaio_waker_release_home (core->waker);
  gaio_waiter_kick (gaio_waiter_get_for_left_contexts ());
}

void
gaio_context_drain (GaioContext *self)
{
  while (gaio_context_has_work (self))
    gaio_context_poll (self, TRUE);
}

GaioContextCounters *
gaio_context_get_counters (GaioContext *self)
{
  return &gaio_context_get_core (self)->counters;
}
