/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The io_uring monitor where liburing was not there at build time: it cannot be opened. */

#include "config.h"

#include <gaio/loop/gaio-fd-monitor-private.h>

static GaioFdMonitor *
none_open (GaioRing *ring, GSource *source)
{
  return NULL;
}

const GaioFdMonitorOps gaio_fd_monitor_uring = {
  .type = GAIO_MONITOR_IO_URING,
  .open = none_open,
};
