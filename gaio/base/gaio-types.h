/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The names that every header may use without including the header that defines them, the
 * export macro, and the enumerations shared by several rooms. */

#pragma once

#if !defined(GAIO_INSIDE) && !defined(GAIO_COMPILATION)
#error "Only <gaio/gaio.h> can be included directly."
#endif

#include <gio/gio.h>

#ifdef GAIO_COMPILATION
#define GAIO_AVAILABLE_IN_1_0 __attribute__ ((visibility ("default"))) extern
#else
#define GAIO_AVAILABLE_IN_1_0 extern
#endif

G_BEGIN_DECLS

typedef struct _GaioBottomHalf GaioBottomHalf;
typedef struct _GaioContext GaioContext;
typedef struct _GaioEventNotifier GaioEventNotifier;
typedef struct _GaioFile GaioFile;
typedef struct _GaioIOThread GaioIOThread;
typedef struct _GaioRequest GaioRequest;
typedef struct _GaioThreadPool GaioThreadPool;
typedef struct _GaioTimer GaioTimer;

/**
 * GaioMonitor:
 * @GAIO_MONITOR_AUTO: the best that the system allows: io_uring, else poll, and epoll in its
 *   stead once a context watches many file descriptors
 * @GAIO_MONITOR_POLL: ppoll(2)
 * @GAIO_MONITOR_EPOLL: epoll(7)
 * @GAIO_MONITOR_IO_URING: one-shot polls on the context's io_uring
 *
 * How a [class@Gaio.Context] waits for file descriptors.
 */
typedef enum
{
  GAIO_MONITOR_AUTO,
  GAIO_MONITOR_POLL,
  GAIO_MONITOR_EPOLL,
  GAIO_MONITOR_IO_URING,
} GaioMonitor;

/**
 * GaioEngine:
 * @GAIO_ENGINE_AUTO: io_uring where the system allows it, else threads
 * @GAIO_ENGINE_IO_URING: the io_uring of the context
 * @GAIO_ENGINE_THREADS: blocking calls in the threads of a [class@Gaio.ThreadPool]
 *
 * How a [class@Gaio.Context] runs file requests. What they do and return is the same.
 */
typedef enum
{
  GAIO_ENGINE_AUTO,
  GAIO_ENGINE_IO_URING,
  GAIO_ENGINE_THREADS,
} GaioEngine;

GAIO_AVAILABLE_IN_1_0
GType gaio_monitor_get_type (void);
#define GAIO_TYPE_MONITOR (gaio_monitor_get_type ())

GAIO_AVAILABLE_IN_1_0
GType gaio_engine_get_type (void);
#define GAIO_TYPE_ENGINE (gaio_engine_get_type ())

G_END_DECLS
