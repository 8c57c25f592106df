/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/loop/gaio-fd-table-private.h>

/* What lets a foreign event loop wait for a context by one descriptor: its timers as a timerfd. */
typedef struct _GaioForeign GaioForeign;

/* Registers the timerfd in `table`. NULL and errno set when the system gives none. */
GaioForeign *gaio_foreign_new (GaioFdTable *table);
void gaio_foreign_free (GaioForeign *self);

/* Makes the timerfd fire after `timeout_ns`; -1 never. */
void gaio_foreign_set_timeout_ns (GaioForeign *self, gint64 timeout_ns);
