/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The thread pool for coroutines. The job lies on the coroutine's stack, which stays as long as the
 * job is in flight, because the job holds the context; so nothing is allocated. */

#include "config.h"

#include <gaio/loop/gaio-coroutine-private.h>
#include <gaio/pool/gaio-thread-pool-co.h>
#include <gaio/pool/gaio-thread-pool-private.h>

typedef struct
{
  GaioJob job; /* first: cast back */
  GaioCoroutine *coroutine;
  GThreadFunc func;
  gpointer user_data;
  gpointer result;
} Run;

static void
work (GaioJob *job)
{
  Run *self = (Run *) job;

  self->result = self->func (self->user_data);
}

static void
done (GaioJob *job, bool cancelled)
{
  Run *self = (Run *) job;

  gaio_coroutine_kick_now (self->coroutine);
}

/**
 * gaio_thread_pool_co_run: (skip)
 * @self: a pool
 * @func: what to run in a thread of the pool
 * @user_data: data for @func
 *
 * Runs a function in a thread of the pool, and waits for it as coroutines wait: the thread of the
 * caller does other things meanwhile.
 *
 * Thread: home, in a coroutine; elsewhere it is refused with a critical warning.
 *
 * Returns: (transfer none): what @func has returned
 */
gpointer
gaio_thread_pool_co_run (GaioThreadPool *self, GThreadFunc func, gpointer user_data)
{
  Run run = {
    .job = { .work = work, .done = done },
    .coroutine = gaio_coroutine_self (),
    .func = func,
    .user_data = user_data,
  };
  GaioContext *context;

  g_return_val_if_fail (GAIO_IS_THREAD_POOL (self), NULL);
  g_return_val_if_fail (func != NULL, NULL);
  g_return_val_if_fail (run.coroutine != NULL, NULL);

  context = gaio_coroutine_ref_context (run.coroutine);
  if (context != NULL)
    gaio_job_submit (&run.job, self, context);
  /* The job holds it now. */
  g_clear_object (&context);
  gaio_coroutine_wait (run.coroutine, GAIO_COROUTINE_KICKED);
  return run.result;
}
