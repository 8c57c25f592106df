/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/loop/gaio-context-private.h>
#include <gaio/pool/gaio-thread-pool.h>

/* One unit of work for a pool, to be embedded in what it is about. It costs no allocation; zeroed
 * memory with `work` and `done` set is a job that is not submitted.
 *
 * `work` runs in a worker, `done` in the home thread of the context given at submission, exactly
 * once for each submission and never inside it; `cancelled` says that `work` never ran. When no
 * worker can be had `work` runs in the home thread too, right before `done`; when the context has
 * ended meanwhile `done` runs in whatever thread noticed. The job belongs to nobody while `done`
 * runs, so `done` may submit it again or free it. */
typedef struct _GaioJob GaioJob;
struct _GaioJob
{
  void (*work) (GaioJob *self);
  void (*done) (GaioJob *self, bool cancelled);

  /*< private >*/
  GaioBhNode ended;      /* brings `done` to the context */
  GaioThreadPool *pool;  /* kept alive while submitted */
  GaioContext *context;  /* kept alive while submitted */
  GList link;            /* in the queue; under the workers' lock */
  atomic_uint state;     /* GaioJobState; written under the workers' lock */
  guint64 id;            /* 0: it is not to be found by an id */
};

/* Thread: any. The pool that serves the context, or the default one; a new reference. */
GaioThreadPool *gaio_thread_pool_ref_for (GaioContext *context);

/* Thread: any. */
void gaio_job_submit (GaioJob *self, GaioThreadPool *pool, GaioContext *context);

/* Thread: any, between submission and `done`. True when the job had not begun: then `done` follows
 * with `cancelled`. Otherwise it goes on to its end. */
bool gaio_job_cancel (GaioJob *self);
