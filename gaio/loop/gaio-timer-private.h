/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/base/gaio-slice-private.h>
#include <gaio/loop/gaio-context-parts-private.h>
#include <gaio/loop/gaio-timer.h>

#define GAIO_N_CLOCKS 3

/* What a context has one of: its pending timers, a heap for each clock. Reference-counted, since
 * timers may outlive the context. */
GaioTimerHeap *gaio_timer_heap_new (GaioBhQueue *queue);
GaioTimerHeap *gaio_timer_heap_ref (GaioTimerHeap *self);
void gaio_timer_heap_unref (GaioTimerHeap *self);

/* Thread: home. How long until the first deadline of any clock: 0 when it has passed, -1 when
 * nothing is pending. */
gint64 gaio_timer_heap_get_timeout_ns (GaioTimerHeap *self);

/* Thread: home. The same from `now_ns` on, which the caller has just read from the monotonic clock;
 * 0 when it has not. */
gint64 gaio_timer_heap_get_timeout_from_ns (GaioTimerHeap *self, gint64 now_ns);

/* Thread: home. Calls what is due, until the slice is over; returns whether anything was. */
bool gaio_timer_heap_run (GaioTimerHeap *self, GaioSlice *slice);

/* Thread: home. How many timers are pending, and how many have been called. */
guint gaio_timer_heap_get_n_pending (GaioTimerHeap *self);
guint64 gaio_timer_heap_get_n_called (GaioTimerHeap *self);

/* Thread: home, or any when the loop has ended. Cancels all timers and arms no more. */
void gaio_timer_heap_close (GaioTimerHeap *self);
