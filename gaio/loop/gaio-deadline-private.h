/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/loop/gaio-fd-table-private.h>

/* A time at which one of a context's descriptors becomes readable: a timerfd. */
typedef struct _GaioDeadline GaioDeadline;

/* Registers the timerfd in `table`. NULL and errno set when the system gives none. */
GaioDeadline *gaio_deadline_new (GaioFdTable *table);
void gaio_deadline_free (GaioDeadline *self);

/* Has the descriptor become readable at `deadline_ns` of the monotonic clock, or before; 0 for no
 * matter when. `now_ns` is what that clock says. */
void gaio_deadline_set_ns (GaioDeadline *self, gint64 deadline_ns, gint64 now_ns);
