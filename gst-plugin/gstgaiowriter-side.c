/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a writer does beside writing, all in the loop's thread: jobs, of which one of each kind may
 * run, and watching how long things take.
 *
 * Blocks are allocated ahead where that was asked for and works. What has been written can be
 * brought to the disk and out of the page cache behind the writes, or synced every so often. The
 * jobs that finish and close a file stand in the queue as writes do, and hold a slot. */

#include "gstgaiowriter-private.h"

/* What one job brings to the disk and out of the page cache. */
#define DROP_BYTES (8 * 1024 * 1024)

static void job_done (GstGaioJob *job, gpointer user_data);

/* Jobs */

static const char *const job_names[] = { "allocate", "drop from the cache", "sync", "finish",
                                         "close" };

static void
start_job (GstGaioWindow *self, GstGaioJobKind kind)
{
  GstGaioJob *job = &self->jobs[kind];

  GST_DEBUG ("%s: %s", gaio_file_get_path (self->file), job_names[kind]);
  job->kind = kind;
  g_mutex_lock (&self->lock);
  self->n_jobs++;
  g_mutex_unlock (&self->lock);
  gst_gaio_job_start (job, gst_gaio_loop_get_pool (self->loop), self->file, job_done, self);
}

/* So far there is all that was pushed, if it was pushed in order. */
static guint64
get_settled (GstGaioWindow *self)
{
  guint64 settled = self->top;

  for (guint i = 0; i < self->config.max_in_flight; i++)
    if (self->slots[i].busy && self->slots[i].kind == GST_GAIO_OPERATION_WRITE)
      settled = MIN (settled, self->slots[i].offset);
  return settled;
}

void
gst_gaio_writer_allocate_ahead (GstGaioWindow *self, const GstGaioSlot *slot)
{
  GstGaioJob *job = &self->jobs[GST_GAIO_JOB_ALLOCATE];
  guint64 end = slot->offset + slot->size;

  if (!self->may_allocate || job->busy ||
      self->allocated >= end + self->config.preallocate_bytes / 2)
    return;
  job->from = MAX (self->allocated, slot->offset);
  job->to = MAX (end, job->from) + self->config.preallocate_bytes;
  if (job->to > G_MAXINT64)
    return;
  /* Direct writes run beside each other only where the file is long enough already. */
  job->grow = self->alignment > 1;
  self->has_allocated = true;
  start_job (self, GST_GAIO_JOB_ALLOCATE);
}

void
gst_gaio_writer_drop_behind (GstGaioWindow *self)
{
  GstGaioJob *job = &self->jobs[GST_GAIO_JOB_DROP];
  guint64 settled;

  if (!self->config.drop_cache || job->busy || gst_gaio_writer_has_failed (self))
    return;
  settled = get_settled (self);
  if (settled < self->dropped + DROP_BYTES)
    return;
  job->from = self->dropped;
  job->to = settled;
  self->dropped = settled;
  start_job (self, GST_GAIO_JOB_DROP);
}

void
gst_gaio_writer_finish (GstGaioWindow *self)
{
  GstGaioJob *job = &self->jobs[GST_GAIO_JOB_FINISH];

  job->cut = self->has_allocated;
  job->to = MAX (self->length, self->top);
  job->sync = self->config.sync_mode != GST_GAIO_SYNC_NONE;
  job->drop = self->config.drop_cache;
  self->has_allocated = false;
  self->allocated = job->to;
  self->syncing = self->top;
  self->unsynced = self->unsynced && !job->sync;
  start_job (self, GST_GAIO_JOB_FINISH);
}

void
gst_gaio_writer_close (GstGaioWindow *self)
{
  /* Nothing else runs beside it, and nothing comes after it. */
  gst_gaio_stray_remove (&self->stray);
  start_job (self, GST_GAIO_JOB_CLOSE);
}

void
gst_gaio_writer_sync_now (gpointer user_data)
{
  GstGaioWindow *self = user_data;
  bool is_end;

  g_mutex_lock (&self->lock);
  is_end = self->failing || self->failed || self->alone;
  g_mutex_unlock (&self->lock);
  if (!is_end && self->unsynced && !self->jobs[GST_GAIO_JOB_SYNC].busy)
    {
      self->unsynced = false;
      self->syncing = get_settled (self);
      start_job (self, GST_GAIO_JOB_SYNC);
    }
  gaio_timer_arm_ns (self->sync_timer,
                     gst_gaio_writer_get_now () + (gint64) self->config.sync_interval_ns);
}

static void
job_done (GstGaioJob *job, gpointer user_data)
{
  GstGaioWindow *self = user_data;
  GstGaioSlot *slot = &self->slots[0]; /* that of what runs alone */

  GST_DEBUG ("%s: %s has ended after %" G_GINT64_FORMAT " us: %s", gaio_file_get_path (self->file),
             job_names[job->kind], (gst_gaio_writer_get_now () - job->started_ns) / 1000,
             job->error == NULL ? "done" : job->error->message);
  switch (job->kind)
    {
    case GST_GAIO_JOB_ALLOCATE:
      /* It is a help where it can be had. */
      if (job->error != NULL)
        self->may_allocate = false;
      else
        self->allocated = job->to;
      break;

    case GST_GAIO_JOB_DROP:
    case GST_GAIO_JOB_SYNC:
      if (job->error != NULL)
        gst_gaio_writer_fail (self, GST_GAIO_OPERATION_SYNC, self->durable, 0, job->error);
      else if (job->kind == GST_GAIO_JOB_SYNC)
        self->durable = self->syncing;
      break;

    case GST_GAIO_JOB_FINISH:
    case GST_GAIO_JOB_CLOSE:
      if (job->error != NULL)
        gst_gaio_writer_fail (self, slot->kind, self->durable, 0, job->error);
      if (job->error != NULL)
        gst_gaio_writer_leave_slot (self, slot);
      else
        gst_gaio_writer_succeed (self, slot);
      break;
    }

  g_mutex_lock (&self->lock);
  self->n_jobs--;
  self->closed = self->closed || job->kind == GST_GAIO_JOB_CLOSE;
  if (job->kind == GST_GAIO_JOB_SYNC || (job->kind == GST_GAIO_JOB_FINISH && job->sync))
    {
      self->stats.syncs += job->error == NULL;
      self->stats.sync_ns += (guint64) (gst_gaio_writer_get_now () - job->started_ns);
    }
  g_mutex_unlock (&self->lock);
  gst_gaio_writer_see_end_of_stall (self, job->started_ns);
  gst_gaio_writer_go_on (self);
}

/* Slow writes */

/* When the oldest one in flight began; 0: there is none. */
static gint64
get_oldest_start (GstGaioWindow *self)
{
  gint64 oldest = 0;

  for (guint i = 0; i < self->config.max_in_flight; i++)
    if (self->slots[i].busy && (oldest == 0 || self->slots[i].started_ns < oldest))
      oldest = self->slots[i].started_ns;
  for (guint i = 0; i < GST_GAIO_N_JOBS; i++)
    if (self->jobs[i].busy && i >= GST_GAIO_JOB_SYNC &&
        (oldest == 0 || self->jobs[i].started_ns < oldest))
      oldest = self->jobs[i].started_ns;
  return oldest;
}

void
gst_gaio_writer_look_for_stall (gpointer user_data)
{
  GstGaioWindow *self = user_data;
  gint64 oldest = get_oldest_start (self);
  gint64 age_ns = gst_gaio_writer_get_now () - oldest;

  if (oldest == 0)
    return;
  if (age_ns < (gint64) self->config.stall_warning_ns)
    {
      gaio_timer_arm_ns (self->stall_timer, oldest + (gint64) self->config.stall_warning_ns);
      return;
    }
  gst_gaio_writer_tell_stall (self, true, age_ns);
  gst_gaio_writer_go_on (self);
}

/* The timer is not armed for every write: it looks, when it fires, what there is to wait for. */
void
gst_gaio_writer_watch_for_stall (GstGaioWindow *self, gint64 started_ns)
{
  if (self->config.stall_warning_ns != 0 && !self->stalled &&
      !gaio_timer_is_pending (self->stall_timer))
    gaio_timer_arm_ns (self->stall_timer, started_ns + (gint64) self->config.stall_warning_ns);
}

void
gst_gaio_writer_see_end_of_stall (GstGaioWindow *self, gint64 started_ns)
{
  gint64 oldest;

  if (!self->stalled)
    return;
  oldest = get_oldest_start (self);
  if (oldest == 0 || gst_gaio_writer_get_now () - oldest < (gint64) self->config.stall_warning_ns)
    gst_gaio_writer_tell_stall (self, false, gst_gaio_writer_get_now () - started_ns);
  if (oldest != 0)
    gst_gaio_writer_watch_for_stall (self, oldest);
}
