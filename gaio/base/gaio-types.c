/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The GTypes of the enumerations in gaio-types.h. Nothing else belongs here. */

#include "config.h"

#include <gaio/base/gaio-types.h>

G_DEFINE_ENUM_TYPE (GaioMonitor,
                    gaio_monitor,
                    G_DEFINE_ENUM_VALUE (GAIO_MONITOR_AUTO, "auto"),
                    G_DEFINE_ENUM_VALUE (GAIO_MONITOR_POLL, "poll"),
                    G_DEFINE_ENUM_VALUE (GAIO_MONITOR_EPOLL, "epoll"),
                    G_DEFINE_ENUM_VALUE (GAIO_MONITOR_IO_URING, "io-uring"))

G_DEFINE_ENUM_TYPE (GaioEngine,
                    gaio_engine,
                    G_DEFINE_ENUM_VALUE (GAIO_ENGINE_AUTO, "auto"),
                    G_DEFINE_ENUM_VALUE (GAIO_ENGINE_IO_URING, "io-uring"),
                    G_DEFINE_ENUM_VALUE (GAIO_ENGINE_THREADS, "threads"))
