/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* How a file request runs: one table of operations for each way. What a request is, when it is
 * done, and what to do about a short transfer is the request's own business. */

#pragma once

#include <gaio/file/gaio-request-private.h>

struct _GaioEngineOps
{
  GaioEngine type;

  /* Takes the request and begins, or continues, what is left of it. The end comes as
   * gaio_request_finish(), never from within. -errno when this engine cannot do this one: the
   * caller then gives it to the threads, which can do all. Thread: home. */
  int (*submit) (GaioRequest *self);

  /* The request shall end soon. It does so through the engine, when the kernel has let go of its
   * memory. Called once or more for a request that this engine has. Thread: home. */
  void (*cancel) (GaioRequest *self);
};

extern const GaioEngineOps gaio_engine_uring; /* refuses all where there is no liburing */
extern const GaioEngineOps gaio_engine_threads;

/* What the requests of one context share; one for each context, made at its first request and
 * freed with it. Thread: home. */
struct _GaioEngineState
{
  GaioRing *ring;    /* NULL: all go to the threads, also when there was one before */
  guint ring_kinds;  /* 1 << GaioRequestKind: what it can do */
  GaioContextCounters *counters;
  GaioThreadPool *pool; /* whose threads they are */
  guint fork_count; /* forks before the queues began */

  /* As many requests are in flight as the completion queue has room for, or the pool workers; the
   * others wait. While any waits, some are in flight, and their ends let it in. */
  GaioRequestQueue ring_queue;
  GaioRequestQueue threads_queue;
};

/* Thread: any. How many requests its threads take at once. */
guint gaio_engine_get_threads_depth (GaioThreadPool *pool);

/* Thread: home. */
GaioEngineState *gaio_engine_state_get (GaioContext *context);

/* Thread: home. To be called when a request comes from outside: makes sure that the file knows the
 * state, and that the state's ring is still the context's, which an I/O thread gives back when it
 * ends. Not needed within a completion: a ring is never given back with requests in flight. */
void gaio_engine_refresh (GaioFile *file);

/* Whether a request counts as in flight. One for a pipe, a terminal or a socket may wait for ever
 * and would keep the others from the disk. */
static inline bool
gaio_engine_counts (GaioRequest *self)
{
  return self->file->seekable || self->kind == GAIO_REQUEST_OPEN;
}

/* Thread: home. The kinds of requests that the ring can do, as bits. */
guint gaio_engine_uring_get_kinds (GaioRing *ring);

/* Runs the request to its end in this thread, by blocking system calls, and leaves the result in
 * it. `cancel_fd`, where it is not -1, ends a wait for a pipe by being readable. Thread: any. */
void gaio_engine_run_blocking (GaioRequest *self, int cancel_fd);
