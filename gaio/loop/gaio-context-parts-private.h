/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What bottom halves, timers and coroutines take from a context when they are made, so that they
 * need not know the context itself. Each returns what the context keeps; take a reference.
 * Thread: any. */

#pragma once

#include <gaio/loop/gaio-bottom-half-private.h>

typedef struct _GaioTimerHeap GaioTimerHeap;
typedef struct _GaioCoroutineGroup GaioCoroutineGroup;

GaioBhQueue *gaio_context_get_bh_queue (GaioContext *self);
GaioTimerHeap *gaio_context_get_timer_heap (GaioContext *self);
GaioCoroutineGroup *gaio_context_get_coroutine_group (GaioContext *self);
