/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* How an operation on a whole file runs: to save, copy, move or remove one, to read a directory.
 *
 * Such an operation is a chain of system calls, each of which needs the one before. It is written
 * once, as a function that blocks. The blocking twin calls it; the asynchronous one has a worker of
 * the default thread pool call it. That is one hop between threads for the whole chain. The ring
 * would need one for each link: the kernel runs statx, rename, mkdir, fsync and fallocate in
 * threads of its own, always. What gains from the ring is many operations at once (GaioRequest),
 * not one after the other.
 *
 * The worker sees the body, its data and the cancellable. The task, its callback and the progress
 * closure belong to the caller's GMainContext: they are called there and freed there, since a
 * language binding bears nothing else, and so are data and result.
 *
 * The cancellable takes out of the queue what has not begun; a body that runs looks at it between
 * its system calls. Its handler may run in any thread, also while the operation ends, so the
 * operation is freed by the last of its holders: its end, the handler, each report on its way.
 *
 * A report stores its values and has a source of the caller's GMainContext attached, unless one is
 * on its way already or the last was delivered just now. What has not been told at the end is told
 * right before the result; a source that comes later than that finds nothing to tell. */

#include "config.h"

#include <errno.h>

#include <gaio/base/gaio-error-private.h>
#include <gaio/file/gaio-file-task-private.h>
#include <gaio/file/gaio-signal-guard-private.h>
#include <gaio/file/gaio-work-private.h>
#include <gaio/pool/gaio-workers-private.h>

/* From one call of the progress closure to the next: a frame of a display. */
#define REPORT_INTERVAL_US (G_USEC_PER_SEC / 60)

struct _GaioWork
{
  GaioJob job; /* the first member; of the asynchronous twin, as is what stands below it */
  gulong handler;
  GTask *task;     /* until the end, in the caller's thread; NULL in the blocking twin */
  gpointer result; /* of the body, until the task has it */
  GError *error;   /* likewise */
  atomic_int refs;

  /* immutable */
  const GaioWorkKind *kind;
  gpointer data;
  const char *path;
  GCancellable *cancellable;
  GClosure *progress;

  /* The last report. */
  GMutex lock;
  goffset done; /* under the lock, as all below */
  goffset total;
  gint64 next_us;     /* no delivery before */
  bool is_new;        /* not told yet */
  bool is_on_its_way; /* there is a source that will tell it */
};

/* Progress */

static void
tell (GaioWork *self)
{
  GValue values[2] = { G_VALUE_INIT, G_VALUE_INIT };
  bool is_new;

  g_mutex_lock (&self->lock);
  is_new = self->is_new;
  self->is_new = false;
  g_value_init (&values[0], G_TYPE_INT64);
  g_value_set_int64 (&values[0], self->done);
  g_value_init (&values[1], G_TYPE_INT64);
  g_value_set_int64 (&values[1], self->total);
  g_mutex_unlock (&self->lock);

  if (is_new)
    g_closure_invoke (self->progress, NULL, 2, values, NULL);
}

static GClosure *
take_closure (GClosure *closure)
{
  if (closure == NULL)
    return NULL;
  g_closure_ref (closure);
  g_closure_sink (closure);
  if (G_CLOSURE_NEEDS_MARSHAL (closure))
    g_closure_set_marshal (closure, g_cclosure_marshal_generic);
  return closure;
}

/* The life of an asynchronous one */

static gpointer
work_ref (GaioWork *self)
{
  atomic_fetch_add_explicit (&self->refs, 1, memory_order_relaxed);
  return self;
}

static void
work_unref (gpointer data)
{
  GaioWork *self = data;

  if (atomic_fetch_sub_explicit (&self->refs, 1, memory_order_acq_rel) != 1)
    return;
  g_mutex_clear (&self->lock);
  g_free (self);
}

/* In the caller's thread. What belongs to that goes now, whoever holds the rest. */
static void
work_release (gpointer data)
{
  GaioWork *self = data;

  g_mutex_lock (&self->lock);
  self->is_new = false;
  g_mutex_unlock (&self->lock);
  if (self->result != NULL && self->kind->result_free != NULL)
    self->kind->result_free (self->result);
  if (self->kind->data_free != NULL)
    self->kind->data_free (self->data);
  g_clear_error (&self->error);
  g_clear_pointer (&self->progress, g_closure_unref);
  g_clear_object (&self->task);
  work_unref (self);
}

/* In the caller's thread. */
static gboolean
work_return (gpointer data)
{
  GaioWork *self = data;

  tell (self);
  if (self->error != NULL)
    g_task_return_error (self->task, g_steal_pointer (&self->error));
  else
    g_task_return_pointer (self->task, g_steal_pointer (&self->result), self->kind->result_free);
  return G_SOURCE_REMOVE;
}

/* In the caller's thread. */
static gboolean
deliver_report (gpointer data)
{
  GaioWork *self = data;

  g_mutex_lock (&self->lock);
  self->is_on_its_way = false;
  self->next_us = g_get_monotonic_time () + REPORT_INTERVAL_US;
  g_mutex_unlock (&self->lock);
  tell (self);
  return G_SOURCE_REMOVE;
}

/* Thread: any. Nothing but the queue is touched here: GCancellable holds a lock. */
static void
on_cancelled (GCancellable *cancellable, gpointer data)
{
  GaioWork *self = data;

  gaio_workers_cancel (gaio_thread_pool_get_workers (gaio_thread_pool_get_default ()), &self->job);
}

/* The body, in a worker, or in the home thread when there is no worker to be had. */
static void
run_body (GaioWork *self)
{
  GaioSignalGuard guard;

  gaio_signal_guard_begin (&guard, gaio_signal_guard_is_needed () ? SIGXFSZ : 0);
  if (gaio_work_check (self, &self->error))
    self->result = self->kind->run (self, self->data, &self->error);
  gaio_signal_guard_end (&guard);
}

static void
work (GaioJob *job)
{
  run_body ((GaioWork *) job);
}

static void
done (GaioJob *job, bool cancelled)
{
  GaioWork *self = (GaioWork *) job;

  /* g_cancellable_disconnect() would wait for a handler that runs, and for ever when this turn is
   * nested in a handler of the program. */
  if (self->handler != 0)
    g_signal_handler_disconnect (self->cancellable, self->handler);
  if (cancelled)
    gaio_work_fail (self, ECANCELED, NULL, &self->error);
  gaio_file_task_deliver (self->task, work_return, self, work_release);
}

void
gaio_work_start (
    GTask *task, const GaioWorkKind *kind, gpointer data, const char *path, GClosure *progress)
{
  GCancellable *cancellable = g_task_get_cancellable (task);
  g_autoptr (GaioContext) context = gaio_context_ref_thread_default ();
  GaioWork *self;
  int errnum = 0;

  progress = take_closure (progress);
  /* What was done is reported, also when a cancel came after it. */
  g_task_set_check_cancellable (task, FALSE);
  if (context == NULL)
    errnum = EMFILE;
  else if (g_cancellable_is_cancelled (cancellable))
    errnum = ECANCELED;
  if (errnum != 0)
    {
      gaio_file_task_fail (task, context, gaio_error_new_errno (errnum, kind->name, path));
      if (kind->data_free != NULL)
        kind->data_free (data);
      g_clear_pointer (&progress, g_closure_unref);
      return;
    }

  self = g_new0 (GaioWork, 1);
  self->job.work = work;
  self->job.done = done;
  self->task = task;
  self->kind = kind;
  self->data = data;
  self->path = path;
  self->cancellable = cancellable;
  self->progress = progress;
  g_mutex_init (&self->lock);
  /* The end's, the handler's, and one for here. */
  atomic_init (&self->refs, cancellable != NULL ? 3 : 2);
  /* Before the submission, since the end of the job disconnects it. */
  if (cancellable != NULL)
    self->handler =
        g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled), self, work_unref);

  gaio_job_submit (&self->job, gaio_thread_pool_get_default (), context);
  /* A cancel before the submission found nothing to cancel. */
  if (g_cancellable_is_cancelled (cancellable))
    on_cancelled (cancellable, self);
  work_unref (self);
}

/* The blocking twin */

gpointer
gaio_work_run (const GaioWorkKind *kind,
               gpointer data,
               const char *path,
               GClosure *progress,
               GCancellable *cancellable,
               GError **error)
{
  GaioWork self = {
    .kind = kind,
    .data = data,
    .path = path,
    .cancellable = cancellable,
    .progress = take_closure (progress),
  };

  g_mutex_init (&self.lock);
  run_body (&self);
  tell (&self);
  g_mutex_clear (&self.lock);
  g_clear_pointer (&self.progress, g_closure_unref);
  if (self.error != NULL)
    g_propagate_error (error, self.error);
  return self.result;
}

/* For the body */

bool
gaio_work_check (GaioWork *self, GError **error)
{
  if (!g_cancellable_is_cancelled (self->cancellable))
    return true;
  gaio_work_fail (self, ECANCELED, NULL, error);
  return false;
}

gpointer
gaio_work_fail (GaioWork *self, int errnum, const char *path, GError **error)
{
  gaio_set_error_errno (error, errnum, self->kind->name, path != NULL ? path : self->path);
  return NULL;
}

gpointer
gaio_work_fail_argument (GaioWork *self, const char *name, guint value, GError **error)
{
  g_autofree char *detail = g_strdup_printf ("%s 0x%x", name, value);

  g_propagate_error (
      error, gaio_error_new_errno_with_detail (EINVAL, self->kind->name, self->path, detail));
  return NULL;
}

void
gaio_work_report (GaioWork *self, goffset done, goffset total)
{
  gint64 now_us;
  bool due;

  if (self->progress == NULL)
    return;
  now_us = g_get_monotonic_time ();
  g_mutex_lock (&self->lock);
  self->done = done;
  self->total = total;
  self->is_new = true;
  due = !self->is_on_its_way && now_us >= self->next_us;
  self->is_on_its_way |= due;
  g_mutex_unlock (&self->lock);
  if (!due)
    return;

  if (self->task == NULL)
    deliver_report (self);
  else
    gaio_file_task_deliver (self->task, deliver_report, work_ref (self), work_unref);
}

GCancellable *
gaio_work_get_cancellable (GaioWork *self)
{
  return self->cancellable;
}
