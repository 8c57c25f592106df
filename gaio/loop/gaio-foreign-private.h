/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/loop/gaio-fd-monitor-private.h>

/* The one descriptor by which a foreign event loop knows a context, for good. Thread: home. */
typedef struct _GaioForeign GaioForeign;

/* NULL and errno set when the system gives no descriptor. */
GaioForeign *gaio_foreign_new (void);
void gaio_foreign_free (GaioForeign *self);

int gaio_foreign_get_fd (GaioForeign *self);

/* `fd` is what the monitor of the context can be waited for by; `generation` is another one each
 * time that the number stands for another file. */
void gaio_foreign_set_monitor_fd (GaioForeign *self, int fd, guint generation);
