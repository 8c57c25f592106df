/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Work in a worker, with a GTask for its end; and the closure of a script as such work.
 *
 * What the work needs is the task's data, so it goes where the task goes: in the main context of
 * the caller. The worker only uses it. A GCancellable takes the job out of the queue; its handler
 * may run in any thread, at any time, also while the job ends, which is what the two holders below
 * are for. */

#include "config.h"

#include <errno.h>

#include <gaio/base/gaio-error-private.h>
#include <gaio/pool/gaio-thread-pool-run-private.h>
#include <gaio/pool/gaio-workers-private.h>

/* It has two holders: the job until its end, and the handler of the cancellable, which may be
 * running in another thread while the job ends. So this keeps the pool, which the handler needs,
 * but not the task, whose data must not be freed there. */
typedef struct
{
  GaioJob job;

  /* immutable */
  GaioThreadPool *pool;
  const GaioRunOps *ops;
  gpointer data;             /* the task's */
  GCancellable *cancellable; /* the task's */
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

static void
run_work (GaioJob *job)
{
  Run *self = (Run *) job;

  self->ops->work (self->data, self->cancellable);
}

static void
run_done (GaioJob *job, bool cancelled)
{
  Run *self = (Run *) job;
  GTask *task = g_steal_pointer (&self->task);
  const GaioRunOps *ops = self->ops;

  /* g_cancellable_disconnect() would wait for a handler that runs, and for ever when this turn is
   * nested in a handler of the program. */
  if (self->handler != 0)
    g_signal_handler_disconnect (self->cancellable, self->handler);
  if (ops->settle != NULL)
    ops->settle (self->data);
  run_unref (self);

  if (cancelled)
    g_task_return_new_error (task, G_IO_ERROR, G_IO_ERROR_CANCELLED, "Operation was cancelled");
  else if (ops->end != NULL)
    ops->end (task);
  else
    g_task_return_boolean (task, TRUE);
  g_object_unref (task);
}

void
gaio_thread_pool_fail_task (GTask *task, GError *error)
{
  g_task_return_error (task, error);
  gaio_context_wake_main_context (g_task_get_context (task));
  g_object_unref (task);
}

void
gaio_thread_pool_run_task (GaioThreadPool *self,
                           GTask *task,
                           const GaioRunOps *ops,
                           const char *operation)
{
  g_autoptr (GCancellable) cancellable = NULL;
  g_autoptr (GaioContext) context = NULL;
  GError *error = NULL;
  Run *run;

  /* The task may be gone when it is looked at for the last time. */
  if (g_task_get_cancellable (task) != NULL)
    cancellable = g_object_ref (g_task_get_cancellable (task));
  /* What has run has run, so its end is not to become a cancellation later. */
  g_task_set_check_cancellable (task, FALSE);
  if (!g_cancellable_set_error_if_cancelled (cancellable, &error))
    {
      context = gaio_context_ref_thread_default ();
      if (context == NULL)
        error = gaio_error_new_errno (EMFILE, operation, NULL);
    }
  if (error != NULL)
    {
      if (ops->settle != NULL)
        ops->settle (g_task_get_task_data (task));
      gaio_thread_pool_fail_task (task, error);
      return;
    }

  run = g_new0 (Run, 1);
  run->job.work = run_work;
  run->job.done = run_done;
  run->pool = g_object_ref (self);
  run->ops = ops;
  run->data = g_task_get_task_data (task);
  run->cancellable = cancellable;
  run->task = task;
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

/* Closures */

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
call_closure (gpointer data, GCancellable *cancellable)
{
  g_closure_invoke (data, NULL, 0, NULL, NULL);
}

static const GaioRunOps closure_ops = { .work = call_closure };

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
  GTask *task;

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
  gaio_thread_pool_run_task (self, task, &closure_ops, "run in a thread");
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
