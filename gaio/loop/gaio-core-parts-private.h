/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the files of the core do for each other.
 *
 * Thread: home, all of it, but for the end of a core that has no home. */

#pragma once

#include <gaio/loop/gaio-core-private.h>

/* gaio-core.c */

/* A monitor that is not on the ring has to watch it; one that is would wait for itself. */
void gaio_core_watch_ring (GaioCore *self, bool should_watch);

/* What is pending ends as cancelled, and what comes later does so at once. */
void gaio_core_end (GaioCore *self);
void gaio_core_finalize (GSource *source);

/* gaio-core-turn.c, in the order of a turn */

void gaio_core_enter_turn (GaioCore *self);
void gaio_core_leave_turn (GaioCore *self);

/* The groups whose handlers a turn may call that begins now (`outermost_depth` 0), or is running
 * (1). */
guint gaio_core_get_groups (GaioCore *self, guint outermost_depth);

/* Before a wait: everything that was asked for is made known to the kernel; with submit(), also
 * what is in the ring, unless the monitor does that while it waits. */
void gaio_core_flush_groups (GaioCore *self, guint groups);
void gaio_core_submit (GaioCore *self);

/* Both, before a wait that others do. */
void gaio_core_flush_for_others (GaioCore *self, guint groups);

/* How long the wait may be, -1 for ever, for all that is known here; a notification is not. */
gint64 gaio_core_get_timeout_ns (GaioCore *self);

/* For waits that others do, who know no nanoseconds: makes the timerfd, if it can be had; the
 * timeout as above, with the timerfd set to it. */
bool gaio_core_ensure_deadline (GaioCore *self);
gint64 gaio_core_set_deadline (GaioCore *self);

/* After the wait. Returns whether anything happened that is not the loop's own affair. What is left
 * when the slice is over is ready in the next turn; NULL is a slice without end. */
bool gaio_core_dispatch (GaioCore *self, guint groups, GaioSlice *slice);

/* gaio-core-source.c */

extern GSourceFuncs gaio_core_source_funcs;

void gaio_core_end_break (GaioCore *self);

/* gaio-core-foreign.c */

void gaio_core_foreign_begin_sleep (GaioCore *self);
void gaio_core_foreign_end_sleep (GaioCore *self);

/* No foreign loop drives it any more. */
void gaio_core_foreign_forget (GaioCore *self);
