/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Running a batch: the plan's runs become requests, a bounded number of them at once.
 *
 * A request and the run that it is at are a lane. There are N_LANES at most, and each takes the
 * next run when its own has ended, by submitting the same request anew from its callback; so a
 * batch of any size costs a few requests. In the home thread all lanes begin at once. From any
 * other only the first is submitted, and its end begins the others: nothing here is locked, since
 * after the first submission only the home thread works on it.
 *
 * To be merged must not change what an operation says. A run that fails tells only of its own
 * beginning: how far it came, and one error. So what it has not done is done once more, each part
 * alone, and the error becomes that of those that fail then.
 *
 * A file without positions, and one that was opened for appending, has only an order. One lane does
 * it all, and after a failure nothing is written that belongs behind what is missing: the rest
 * fails with the same error. A read is then one system call, and not merged with others.
 *
 * The whole batch is one use of the file, so a close that is wanted meanwhile waits for the last of
 * its requests, also those that are not submitted yet.
 *
 * A cancel is a message to the home thread. It ends what is in flight and takes what is not begun;
 * the batch as a whole then fails. The task and what the caller gave are let go of in the caller's
 * thread, as in gaio-file-task.c. */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>

#include <gaio/base/gaio-error-private.h>
#include <gaio/file/gaio-batch-private.h>
#include <gaio/file/gaio-file-task-private.h>
#include <gaio/file/gaio-memory-private.h>

#define N_LANES 64

/* A run has no more of either. So large that a system call does not count; so small that the
 * processors share the work, and a loop that copies it itself is not long away. */
#define RUN_MAX_BYTES ((gsize) 1024 * 1024)
#define RUN_MAX_PARTS ((gsize) IOV_MAX)

typedef GaioBatchWork Work;

typedef struct
{
  Work *work;
  GaioRequest *request;
  gsize first; /* the run: the parts from here */
  gsize end;   /* to before this one */
  gsize retry; /* of a run that failed, what is to be looked at next; `retry_end`: nothing */
  gsize retry_end;
} Lane;

struct _GaioBatchWork
{
  /* immutable */
  GaioFile *file;
  GBytes **chunks; /* of writes; a reference to each */
  gsize n_chunks;
  bool in_order;   /* a file that has no positions, or appends */
  bool within_use; /* the file was not closed when it began */
  gulong cancel_handler;

  /* atomic */
  atomic_int refs; /* the work's own, and the cancel handler's */

  /* home thread, once it is begun; the task's thread from work_return() on */
  GTask *task; /* a reference; NULL when it blocks */
  GaioBatch *batch;
  GError *error; /* of the whole */

  /* home thread, once it is begun; that of the caller when it blocks */
  GaioBatchPlan plan;
  gsize next;        /* the first part that no run has been made of */
  bool cancelled;    /* do no more */
  bool stopped;      /* and there was more */
  struct iovec *iov; /* room for those of one run */
  guint active;      /* lanes that have a run */
  guint n_lanes;     /* how many have been begun */
  guint max_lanes;
  Lane lanes[];
};

static void on_end (GaioRequest *request, gpointer user_data);

/* Making and freeing */

static void
release_chunks (Work *self)
{
  for (gsize i = 0; i < self->n_chunks; i++)
    g_bytes_unref (self->chunks[i]);
  self->n_chunks = 0;
  g_clear_pointer (&self->chunks, g_free);
}

static void
work_unref (gpointer data)
{
  Work *self = data;

  if (atomic_fetch_sub_explicit (&self->refs, 1, memory_order_acq_rel) != 1)
    return;
  for (guint i = 0; i < self->n_lanes; i++)
    gaio_request_unref (self->lanes[i].request);
  release_chunks (self);
  g_clear_object (&self->batch);
  g_clear_error (&self->error);
  g_free (self->plan.parts);
  g_free (self->iov);
  g_object_unref (self->file);
  g_free (self);
}

static gpointer
work_ref (Work *self)
{
  atomic_fetch_add_explicit (&self->refs, 1, memory_order_relaxed);
  return self;
}

/* What came from the caller goes in its thread, whoever has the last reference to the rest. */
static void
work_release (gpointer data)
{
  Work *self = data;

  release_chunks (self);
  g_clear_object (&self->task);
  work_unref (self);
}

static const char *
get_label (GaioFile *file)
{
  return file->label != NULL ? file->label : file->path;
}

static bool
is_in_order (GaioFile *file, bool writes)
{
  int flags;

  if (!file->seekable)
    return true;
  flags = writes ? fcntl (atomic_load (&file->fd), F_GETFL) : -1;
  return flags >= 0 && (flags & O_APPEND) != 0;
}

static Work *
work_new (GaioFile *file, GaioBatch *batch)
{
  bool in_order = is_in_order (file, batch->writes);
  GaioBatchPlan plan;
  guint max_lanes;
  Work *self;

  if (in_order)
    gaio_batch_plan_stream (&plan, &batch->ops);
  else if (batch->writes)
    gaio_batch_plan_writes (&plan, &batch->ops);
  else
    gaio_batch_plan_reads (&plan, &batch->ops);

  max_lanes = in_order ? 1 : MIN (plan.n, N_LANES);
  self = g_malloc0 (sizeof (Work) + MAX (max_lanes, 1) * sizeof (Lane));
  atomic_init (&self->refs, 1);
  self->file = g_object_ref (file);
  self->batch = batch;
  self->in_order = in_order;
  self->plan = plan;
  self->max_lanes = max_lanes;
  self->iov = g_new (struct iovec, MIN (plan.n, RUN_MAX_PARTS));
  return self;
}

/* Adds up the lengths, whose places they give; false when that is more than there is memory. */
static bool
add_start (GaioBatch *batch, gsize index, gsize length)
{
  return g_size_checked_add (&batch->starts[index + 1], batch->starts[index], length);
}

static Work *
fail_new (GaioFile *file, const char *operation, int errnum, const char *detail, GError **error)
{
  g_propagate_error (
      error, gaio_error_new_errno_with_detail (errnum, operation, get_label (file), detail));
  return NULL;
}

static Work *
fail_count (GaioFile *file,
            const char *operation,
            gsize n_offsets,
            gsize n,
            const char *what,
            GError **error)
{
  g_autofree char *detail = g_strdup_printf (
      "%" G_GSIZE_FORMAT " offsets and %" G_GSIZE_FORMAT " %s", n_offsets, n, what);

  return fail_new (file, operation, EINVAL, detail, error);
}

Work *
gaio_batch_work_new_reads (GaioFile *file,
                           const goffset *offsets,
                           gsize n_offsets,
                           const gsize *lengths,
                           gsize n_lengths,
                           GError **error)
{
  GaioBatch *batch;
  gsize total;

  if ((n_lengths != n_offsets && n_lengths != 1) || n_offsets > G_MAXUINT)
    return fail_count (file, "read", n_offsets, n_lengths, "lengths", error);

  batch = gaio_batch_new (get_label (file), false, offsets, n_offsets);
  for (gsize i = 0; i < n_offsets; i++)
    if (!add_start (batch, i, lengths[n_lengths == 1 ? 0 : i]))
      {
        g_object_unref (batch);
        return fail_new (file, "read", ENOMEM, NULL, error);
      }
  total = batch->starts[n_offsets];
  if (total > 0 && (batch->memory = gaio_memory_allocate_again (total, &batch->block)) == NULL)
    {
      g_object_unref (batch);
      return fail_new (file, "read", ENOMEM, NULL, error);
    }
  return work_new (file, batch);
}

Work *
gaio_batch_work_new_writes (GaioFile *file,
                            const goffset *offsets,
                            gsize n_offsets,
                            GBytes *const *chunks,
                            gsize n_chunks,
                            GError **error)
{
  GaioBatch *batch;
  Work *self;

  if (n_chunks != n_offsets || n_offsets > G_MAXUINT)
    return fail_count (file, "write", n_offsets, n_chunks, "chunks", error);

  batch = gaio_batch_new (get_label (file), true, offsets, n_offsets);
  for (gsize i = 0; i < n_offsets; i++)
    if (!add_start (batch, i, g_bytes_get_size (chunks[i])))
      {
        g_object_unref (batch);
        return fail_new (file, "write", EINVAL, NULL, error);
      }
  self = work_new (file, batch);
  self->chunks = g_new (GBytes *, n_offsets);
  for (gsize i = 0; i < n_offsets; i++)
    self->chunks[i] = g_bytes_ref (chunks[i]);
  self->n_chunks = n_offsets;
  return self;
}

/* The lanes */

static bool
is_unfinished (const GaioBatchPart *part)
{
  return part->done < part->length;
}

/* The next run of a lane, false when there is none any more. */
static bool
take_run (Work *self, Lane *lane)
{
  if (self->cancelled && (lane->retry < lane->retry_end || self->next < self->plan.n))
    self->stopped = true;
  if (self->cancelled || self->error != NULL)
    return false;
  while (lane->retry < lane->retry_end)
    {
      lane->first = lane->retry++;
      lane->end = lane->retry;
      if (is_unfinished (&self->plan.parts[lane->first]))
        return true;
    }
  if (self->next == self->plan.n)
    return false;
  lane->first = self->next;
  if (!self->in_order)
    lane->end = gaio_batch_plan_get_run (&self->plan, self->next, RUN_MAX_BYTES, RUN_MAX_PARTS);
  else if (self->batch->writes)
    lane->end =
        gaio_batch_plan_get_stream_run (&self->plan, self->next, RUN_MAX_BYTES, RUN_MAX_PARTS);
  else
    lane->end = self->next + 1;
  self->next = lane->end;
  return true;
}

/* Submits the next run; false when there is none. After that nothing here may be touched, unless
 * it is in the home thread. */
static bool
begin_run (Lane *lane)
{
  Work *self = lane->work;
  GaioBatch *batch = self->batch;
  goffset offset;
  gsize n;

  if (!take_run (self, lane))
    return false;
  lane->request->n_merged = lane->end - lane->first - 1;
  offset = self->in_order ? 0 : self->plan.parts[lane->first].offset;
  if (batch->writes)
    {
      n = gaio_batch_plan_gather (&self->plan, &batch->ops, lane->first, lane->end, self->chunks,
                                  self->iov);
      gaio_request_writev_from (lane->request, offset, self->iov, n);
      return true;
    }
  n = gaio_batch_plan_scatter (&self->plan, &batch->ops, lane->first, lane->end, batch->memory,
                               self->iov);
  if (n == 1)
    gaio_request_read_into (lane->request, offset, self->iov->iov_len, self->iov->iov_base);
  else
    gaio_request_readv_into (lane->request, offset, self->iov, n);
  return true;
}

/* After a failure in a file that has only an order. */
static void
give_up (Work *self, gsize first, int result)
{
  for (gsize i = first; i < self->plan.n; i++)
    if (is_unfinished (&self->plan.parts[i]))
      self->plan.parts[i].result = result;
  self->next = self->plan.n;
}

/* Takes the result of a lane's run. */
static void
end_run (Lane *lane)
{
  Work *self = lane->work;
  GaioBatch *batch = self->batch;
  GaioRequest *request = lane->request;
  int result = request->result;

  if (batch->writes)
    gaio_batch_plan_take_write (&self->plan, lane->first, lane->end, request->moved);
  else
    gaio_batch_plan_take_read (&self->plan, &batch->ops, lane->first, lane->end, request->moved,
                               batch->memory);
  if (G_LIKELY (result >= 0))
    return;
  if (request->failure != GAIO_REQUEST_FAILED_BY_ERRNO)
    {
      if (self->error == NULL)
        gaio_request_get_result (request, NULL, &self->error);
    }
  else if (result == -ECANCELED)
    self->cancelled = self->stopped = true;
  else if (self->in_order)
    give_up (self, lane->first, result);
  else if (lane->end - lane->first > 1)
    {
      lane->retry = lane->first;
      lane->retry_end = lane->end;
    }
  else
    self->plan.parts[lane->first].result = result;
}

static Lane *
add_lane (Work *self, GaioRequest *request)
{
  Lane *lane = &self->lanes[self->n_lanes++];

  lane->work = self;
  lane->request = request;
  request->within_use = self->within_use;
  return lane;
}

/* Makes the result of what has ended. */
static void
complete (Work *self)
{
  if (self->stopped && self->error == NULL)
    self->error = gaio_error_new_errno (ECANCELED, self->batch->writes ? "write" : "read",
                                        self->batch->label);
  if (self->error == NULL)
    gaio_batch_complete (self->batch, &self->plan);
}

/* The asynchronous one */

static gboolean
work_return (gpointer data)
{
  Work *self = data;

  if (self->error != NULL)
    g_task_return_error (self->task, g_steal_pointer (&self->error));
  else
    g_task_return_pointer (self->task, g_steal_pointer (&self->batch), g_object_unref);
  return G_SOURCE_REMOVE;
}

static void
finish (Work *self)
{
  if (self->cancel_handler != 0)
    g_signal_handler_disconnect (g_task_get_cancellable (self->task), self->cancel_handler);
  complete (self);
  gaio_file_end_use (self->file);
  gaio_file_task_deliver (self->task, work_return, self, work_release);
}

/* Begins as many lanes as there are runs for, or may be. */
static void
feed (Work *self)
{
  while (self->n_lanes < self->max_lanes && self->next < self->plan.n && !self->cancelled &&
         self->error == NULL)
    {
      GaioRequest *request = gaio_request_new (self->file, on_end, NULL, NULL);
      Lane *lane = add_lane (self, request);

      request->user_data = lane;
      self->active += begin_run (lane);
    }
}

static void
on_end (GaioRequest *request, gpointer user_data)
{
  Lane *lane = user_data;
  Work *self = lane->work;

  end_run (lane);
  if (!begin_run (lane))
    self->active--;
  feed (self);
  if (self->active == 0)
    finish (self);
}

static void
cancel_at_home (gpointer data)
{
  Work *self = data;

  self->cancelled = true;
  for (guint i = 0; i < self->n_lanes; i++)
    gaio_request_cancel (self->lanes[i].request);
}

static void
on_cancelled (GCancellable *cancellable, gpointer data)
{
  Work *self = data;

  gaio_bh_queue_invoke (self->file->queue, cancel_at_home, work_ref (self), work_unref);
}

void
gaio_batch_work_start (GTask *task, GaioFile *file, Work *self, GError *error)
{
  GCancellable *cancellable = g_task_get_cancellable (task);
  GaioRequest *request;

  /* What was done is reported, also when a cancel came after it. */
  g_task_set_check_cancellable (task, FALSE);
  if (self != NULL && g_cancellable_set_error_if_cancelled (cancellable, &error))
    g_clear_pointer (&self, work_unref);
  if (self == NULL)
    {
      gaio_file_task_fail (task, file->context, error);
      return;
    }
  if (self->plan.n == 0)
    {
      /* All are empty, or not valid. */
      complete (self);
      g_task_return_pointer (task, g_steal_pointer (&self->batch), g_object_unref);
      g_object_unref (task);
      work_unref (self);
      /* As gaio_file_task_fail() does. */
      gaio_context_notify (file->context);
      return;
    }

  self->task = task;
  self->within_use = gaio_file_begin_use (file);
  self->active = 1;
  request = gaio_request_new (file, on_end, NULL, NULL);
  request->user_data = add_lane (self, request);
  if (cancellable != NULL)
    self->cancel_handler =
        g_cancellable_connect (cancellable, G_CALLBACK (on_cancelled), work_ref (self), work_unref);
  if (gaio_context_is_home (file->context))
    {
      begin_run (&self->lanes[0]);
      feed (self);
    }
  else
    begin_run (&self->lanes[0]);
}

/* The blocking one */

GaioBatch *
gaio_batch_work_run (Work *self, GCancellable *cancellable, GError **error)
{
  GaioBatch *batch = NULL;
  Lane *lane;

  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    {
      work_unref (self);
      return NULL;
    }
  self->within_use = gaio_file_begin_use (self->file);
  lane = add_lane (self, gaio_request_new_blocking (self->file, cancellable));
  while (begin_run (lane))
    end_run (lane);
  complete (self);
  gaio_file_end_use (self->file);
  if (self->error != NULL)
    g_propagate_error (error, g_steal_pointer (&self->error));
  else
    batch = g_steal_pointer (&self->batch);
  work_unref (self);
  return batch;
}
