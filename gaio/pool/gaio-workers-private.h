/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The threads of a pool and the queue they serve; what the pool is made of. */

#pragma once

#include <gaio/pool/gaio-thread-pool-private.h>

/* Where a job is on its way. Only the changes from QUEUED and HOME are contended. */
typedef enum
{
  GAIO_JOB_IDLE,      /* not submitted */
  GAIO_JOB_QUEUED,    /* for a worker */
  GAIO_JOB_HOME,      /* to run in its context's home thread */
  GAIO_JOB_RUNNING,   /* or has run */
  GAIO_JOB_CANCELLED, /* before it began */
} GaioJobState;

typedef struct _GaioWorkers GaioWorkers;

/* The most threads that a pool can be allowed. */
#define GAIO_WORKERS_MAX 256

GaioWorkers *gaio_workers_new (void);

/* Thread: any; no job is queued or runs. Has all workers leave and waits until they are gone; not
 * so with `wait` false: then the last to leave frees it. A worker must not wait for itself. */
void gaio_workers_free (GaioWorkers *self, bool wait);

/* Thread: any. Whether the caller is one of these workers. */
bool gaio_workers_is_worker (GaioWorkers *self);

/* Thread: any. Takes a job that is idle. It comes back by its node `ended`: in state RUNNING or
 * CANCELLED it is at its end, in state HOME it is to be begun by whom the node runs. Returns an id
 * for gaio_workers_cancel_id() when `with_id`, else 0. */
guint64 gaio_workers_push (GaioWorkers *self, GaioJob *job, bool with_id);

/* Thread: home of the job's context. Turns HOME into RUNNING, unless it was cancelled. */
bool gaio_workers_begin_home (GaioWorkers *self, GaioJob *job);

/* Thread: any. Turns QUEUED and HOME into CANCELLED; false when the job is in another state. */
bool gaio_workers_cancel (GaioWorkers *self, GaioJob *job);

/* Thread: any. The same for the job with this id, if there is one. */
bool gaio_workers_cancel_id (GaioWorkers *self, guint64 id);

/* Thread: any, as for all below. min counts up to max only. */
void gaio_workers_set_min (GaioWorkers *self, guint n_threads);
void gaio_workers_set_max (GaioWorkers *self, guint n_threads);
void gaio_workers_set_idle_timeout_ms (GaioWorkers *self, guint timeout_ms);

typedef struct
{
  guint min;
  guint max;
  guint idle_timeout_ms;
  guint n_threads;
  guint n_idle;
  guint n_queued;
} GaioWorkersInfo;

GaioWorkersInfo gaio_workers_get_info (GaioWorkers *self);

/* Thread: any. What a pool is made of; it lives as long as the pool. */
GaioWorkers *gaio_thread_pool_get_workers (GaioThreadPool *self);
