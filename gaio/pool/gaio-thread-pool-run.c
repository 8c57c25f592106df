/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* A closure run in a worker, with a GTask for its end: the pool for scripts.
 *
 * The closure is the task's, so it goes where the task goes: in the main context of the caller.
 * The worker only calls it. A GCancellable takes the job out of the queue; its handler may run in
 * any thread, at any time, also while the job ends, which is what the two holders below are for. */

#include "config.h"

#include <errno.h>

#include <gaio/base/gaio-error-private.h>
#include <gaio/pool/gaio-workers-private.h>

/* It has two holders: the job until its end, and the handler of the cancellable, which may be
 * running in another thread while the job ends. So this keeps the pool, which the handler needs,
 * but not the task, whose closure must not be freed there. */
typedef struct
{
  GaioJob job;

  /* immutable */
  GaioThreadPool *pool;
  GClosure *func; /* the task's */
  gulong handler;

  GTask *task; /* the job's */

  atomic_int refs;
} Run;

static void
run_unref (gpointer data)
{
  Run *self = data;

  if (atomic_fetch_sub_explicit (&self->refs, 1, memory_order_acq_rel) != 1)
    return;
  g_object_unref (self->pool);
  g_free (self);
}

/* Thread: any. Nothing but the queue is touched here: GCancellable holds a lock. */
static void
run_cancelled (GCancellable *cancellable, gpointer data)
{
  Run *self = data;

  gaio_workers_cancel (gaio_thread_pool_get_workers (self->pool), &self->job);
}

/* For a closure in C: func (user_data). GLib's own marshallers want an instance to begin with. */
static void
marshal_nothing (GClosure *closure,
                 GValue *result,
                 guint n_values,
                 const GValue *values,
                 gpointer hint,
                 gpointer marshal_data)
{
  GCallback callback = ((GCClosure *) closure)->callback;

  ((GaioJobFunc) callback) (closure->data);
}

static void
run_work (GaioJob *job)
{
  Run *self = (Run *) job;

  g_closure_invoke (self->func, NULL, 0, NULL, NULL);
}

static void
run_done (GaioJob *job, bool cancelled)
{
  Run *self = (Run *) job;
  GTask *task = g_steal_pointer (&self->task);

  /* g_cancellable_disconnect() would wait for a handler that runs, and for ever when this turn is
   * nested in a handler of the program. */
  if (self->handler != 0)
    g_signal_handler_disconnect (g_task_get_cancellable (task), self->handler);
  run_unref (self);

  if (cancelled)
    g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_CANCELLED, "Operation was cancelled");
  else
    g_task_return_boolean (task, TRUE);
  g_object_unref (task);
}

/**
 * gaio_thread_pool_run_async:
 * @self: a pool
 * @func: what to run in a thread of the pool: a closure without arguments and without a result; in
 *   C it gets its data, as a [callback@Gaio.JobFunc] does
 * @io_priority: the priority of @callback among the sources of its main context; jobs begin in the
 *   order of submission whatever it is
 * @cancellable: (nullable): cancels @func as long as it has not begun
 * @callback: (nullable): called when @func has returned
 * @user_data: data for @callback
 *
 * Runs a function in a thread of the pool.
 *
 * The closure is called there but freed in the caller's thread, with what is in it. It is for
 * languages that can run in any thread, such as C and Python. It is not for JavaScript, which
 * cannot: from there it is refused.
 *
 * Thread: any; @callback is called in the thread-default main context of the caller.
 */
void
gaio_thread_pool_run_async (GaioThreadPool *self,
                            GClosure *func,
                            int io_priority,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
  g_autoptr (GaioContext) context = NULL;
  g_autoptr (GTask) task = NULL;
  Run *run;

  g_return_if_fail (GAIO_IS_THREAD_POOL (self));
  g_return_if_fail (func != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  g_closure_ref (func);
  g_closure_sink (func);
  if (G_CLOSURE_NEEDS_MARSHAL (func))
    g_closure_set_marshal (func, marshal_nothing);

  task = g_task_new (self, cancellable, callback, user_data);
  g_task_set_source_tag (task, gaio_thread_pool_run_async);
  g_task_set_priority (task, io_priority);
  g_task_set_task_data (task, func, (GDestroyNotify) g_closure_unref);
  /* What has run has run, so its end is not to become a cancellation later. */
  g_task_set_check_cancellable (task, FALSE);
  if (g_cancellable_is_cancelled (cancellable))
    {
      g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_CANCELLED, "Operation was cancelled");
      gaio_context_wake_main_context (g_task_get_context (task));
      return;
    }
  context = gaio_context_ref_thread_default ();
  if (context == NULL)
    {
      g_task_return_error (task, gaio_error_new_errno (EMFILE, "run in a thread", NULL));
      gaio_context_wake_main_context (g_task_get_context (task));
      return;
    }

  run = g_new0 (Run, 1);
  run->job.work = run_work;
  run->job.done = run_done;
  run->pool = g_object_ref (self);
  run->func = func;
  run->task = g_object_ref (task);
  /* The job's, the handler's, and one for here. */
  atomic_init (&run->refs, cancellable != NULL ? 3 : 2);
  /* Before the submission, since the end of the job disconnects it. */
  if (cancellable != NULL)
    run->handler = g_cancellable_connect (cancellable, G_CALLBACK (run_cancelled), run, run_unref);

  gaio_job_submit (&run->job, self, context);
  /* A cancellation before the submission found nothing to cancel. */
  if (g_cancellable_is_cancelled (cancellable))
    gaio_workers_cancel (gaio_thread_pool_get_workers (self), &run->job);
  run_unref (run);
}

/**
 * gaio_thread_pool_run_finish:
 * @self: a pool
 * @result: what the callback got
 * @error: return location for an error
 *
 * Ends [method@Gaio.ThreadPool.run_async].
 *
 * Thread: any.
 *
 * Returns: %TRUE when the function has run; %FALSE with `G_IO_ERROR_CANCELLED` when it was
 *   cancelled before it began
 */
gboolean
gaio_thread_pool_run_finish (GaioThreadPool *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (GAIO_IS_THREAD_POOL (self), FALSE);
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  g_return_val_if_fail (g_async_result_is_tagged (result, gaio_thread_pool_run_async), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}
