/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the floors above take from a context. */

#pragma once

#include <gaio/base/gaio-io-stats-private.h>
#include <gaio/base/gaio-ring-private.h>
#include <gaio/loop/gaio-context-parts-private.h>
#include <gaio/loop/gaio-context.h>

/* Thread: any. Whether the caller is in the thread that runs the context. False before any thread
 * has run it. */
bool gaio_context_is_home (GaioContext *self);

/* Thread: any. As above, but the caller becomes the home where nobody is, if it has the right to
 * run the context: for what waits for it. */
bool gaio_context_adopt (GaioContext *self);

/* Thread: home. The ring of the context, made by the first call; NULL when there is none. What is
 * got from it is submitted at the latest before the context next waits. */
GaioRing *gaio_context_get_ring (GaioContext *self);

/* Thread: any. Work that will end in this context: while any is begun the context can be drained,
 * and gaio_context_drain() turns it until all is ended. Each begin needs one end. */
void gaio_context_begin_work (GaioContext *self);
void gaio_context_end_work (GaioContext *self);

/* Thread: home. Whether any is begun. File requests that are counted as submitted are work, too,
 * without these calls: they are so many that the cost would show. */
bool gaio_context_has_work (GaioContext *self);

/* Thread: home. */
void gaio_context_drain (GaioContext *self);

/* Thread: home, which then runs the context no more; another one may. Gives the ring back, which is
 * quick only in the thread that made it, and tells those who wait for a function to run here. */
void gaio_context_leave (GaioContext *self);

/* Thread: the one that will run the context. Makes it the thread's default, and the thread its
 * home; NULL undoes it. */
void gaio_context_set_thread_default (GaioContext *self);

/* Thread: any. Has the foreign loop that runs this GMainContext, if there is one, do so soon. GLib
 * wakes only loops of its own, so this is for whoever attaches a source outside of a turn, as a
 * task does that returns at once. */
void gaio_context_wake_main_context (GMainContext *main_context);

/* The counters that other rooms add to gaio_context_get_stats(). Thread: home. */
typedef struct
{
  GaioIoStats io;        /* file requests */
  guint64 ring_requests; /* of them begun by io_uring */
  guint64 moved;         /* of them moved to the threads after the ring refused them */
} GaioContextCounters;

GaioContextCounters *gaio_context_get_counters (GaioContext *self);
