/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/**
 * GaioRequest:
 *
 * One operation on a [class@Gaio.File], with a plain callback: the layer below the functions that
 * end in `_async`, for those who do many operations and cannot afford a [class@Gio.Task] for each.
 *
 * A request is made once and submitted as often as one likes. Each submission ends exactly once,
 * with a call of the request's function in the home thread of the file's [class@Gaio.Context],
 * never from inside the submitting call. By then the request is idle again, so the function may
 * submit it anew. While it is in flight it keeps itself and its file alive.
 *
 * A read returns fewer bytes than asked for only at the end of the file, and what is read from a
 * pipe, a terminal or a socket is what is there. A write ends when all is written, or with an
 * error and the count that did get written. Interrupted and short transfers are continued.
 */

/* The request: its life, its one ending, its cancel. The engines only run it.
 *
 *   submit, any thread          home thread
 *   ------------------          -----------
 *   arm: idle -> travelling
 *   launch: count as a user
 *     at home ----------------> begin: -> running, engine->submit ()
 *     elsewhere: the node ----> arrive: what is settled or cancelled is finished, else begin
 *                               the engine gives each result to gaio_request_take_result (),
 *                                 which says: done, more, or move to the threads
 *                               finish: -> idle, the callback
 *
 * What is known to fail, or to be nothing, when it is submitted goes the same way by the node, so
 * that no callback runs inside a submit.
 *
 * A cancel names the submission that it means by its serial number. From another thread it
 * travels by a node of its own, and when it arrives the request may have ended, and even have been
 * submitted again: then the numbers differ and nothing happens.
 *
 * One that comes after another waits in that one's list before it begins, see gaio-request-terms.c.
 *
 * The left column is in gaio-request-submit.c; what a result means, and how it is told, in
 * gaio-request-result.c. */

#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <gaio/base/gaio-debug-private.h>
#include <gaio/file/gaio-engine-private.h>
#include <gaio/file/gaio-file-direct-private.h>
#include <gaio/loop/gaio-clock.h>

_Thread_local GaioContext *gaio_request_completing
    __attribute__ ((tls_model ("initial-exec")));

static bool arrive (GaioBhNode *node, bool closing);
static bool arrive_with_cancel (GaioBhNode *node, bool closing);

G_DEFINE_BOXED_TYPE (GaioRequest, gaio_request, gaio_request_ref, gaio_request_unref)

static GaioRequest *
request_of_node (GaioBhNode *node)
{
  return (GaioRequest *) ((char *) node - offsetof (GaioRequest, node));
}

static GaioRequest *
request_of_cancel_node (GaioBhNode *node)
{
  return (GaioRequest *) ((char *) node - offsetof (GaioRequest, cancel_node));
}

/* The ends. */

static void
release_chunks (GaioRequest *self)
{
  g_clear_pointer (&self->one_chunk, g_bytes_unref);
  for (gsize i = 0; i < self->n_chunks; i++)
    g_bytes_unref (self->chunks[i]);
  g_clear_pointer (&self->chunks, g_free);
  self->n_chunks = 0;
  if (self->iov != &self->one_iov)
    g_free (self->iov);
  self->iov = NULL;
}

static void
release_other (GaioRequest *self)
{
  gaio_file_end_use (self->other);
  g_clear_object (&self->other);
  /* It was the other one's; the next submission has nothing to do with that. */
  if (self->file->direct == NULL)
    g_clear_pointer (&self->claim, g_free);
}

/* What a failed sync(2) of a file that cannot be synced says, or one that did not run: nothing is
 * lost then. */
static bool
is_harmless_for_sync (int errnum)
{
  return errnum == EINVAL || errnum == EROFS || errnum == EBADF || errnum == ECANCELED ||
         errnum == EINTR || errnum == EOPNOTSUPP || errnum == ENOSYS;
}

/* The kernel tells of a lost write once; the next fsync(2) succeeds, though the data is gone. So
 * the file remembers. */
static void
settle_sync (GaioRequest *self)
{
  int known = 0;

  if (self->kind == GAIO_REQUEST_SYNC && self->result < 0 && !is_harmless_for_sync (-self->result))
    atomic_compare_exchange_strong (&self->file->sync_errno, &known, -self->result);
  known = atomic_load (&self->file->sync_errno);
  if (self->result >= 0 && known != 0)
    self->result = -known;
}

/* Lets the others know that wanted the same file closed. */
static void
settle_close (GaioRequest *self)
{
  GaioFile *file = self->file;
  GQueue others;

  if (self->settled)
    return;
  settle_sync (self);
  g_mutex_lock (&file->lock);
  atomic_store (&file->closed, true);
  others = file->closers;
  g_queue_init (&file->closers);
  g_mutex_unlock (&file->lock);
  for (GList *l = others.head; l != NULL;)
    {
      GaioRequest *other = l->data;

      l = l->next;
      other->link.next = other->link.prev = NULL;
      gaio_request_finish_later (other, 0);
    }
}

static void
settle (GaioRequest *self)
{
  if (self->kind == GAIO_REQUEST_WRITE || self->kind == GAIO_REQUEST_READV)
    release_chunks (self);
  else if (self->kind == GAIO_REQUEST_COPY_RANGE)
    release_other (self);
  else if (self->kind == GAIO_REQUEST_SYNC && !self->settled)
    settle_sync (self);
  else if (self->kind == GAIO_REQUEST_CLOSE)
    settle_close (self);
}

static inline void
add_end (GaioRequest *self, GaioIoStats *stats)
{
  gaio_io_stats_count (&stats->ended, 1);
  if (G_LIKELY (self->kind == GAIO_REQUEST_READ) || self->kind == GAIO_REQUEST_READV)
    gaio_io_stats_count (&stats->bytes_read, self->moved);
  else if (self->kind == GAIO_REQUEST_WRITE)
    gaio_io_stats_count (&stats->bytes_written, self->moved);
  if (G_UNLIKELY (self->result < 0))
    gaio_io_stats_count (self->result == -ECANCELED ? &stats->cancelled : &stats->failed, 1);
  if (G_UNLIKELY ((self->n_partial | self->n_retried | self->n_merged) != 0))
    {
      gaio_io_stats_count (&stats->merged, self->n_merged);
      gaio_io_stats_count (&stats->partial, self->n_partial);
      gaio_io_stats_count (&stats->retried, self->n_retried);
    }
}

/* What an engine has had is counted for the file and for the context. */
static inline void
count_end (GaioRequest *self)
{
  GaioIoStats *of_file = &self->file->stats;
  GaioIoStats *of_context = &self->file->engine->counters->io;

  add_end (self, of_file);
  add_end (self, of_context);
  if (G_UNLIKELY (self->begun_ns != 0))
    {
      gint64 latency_ns = gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC) - self->begun_ns;

      gaio_io_stats_add_latency (of_file, latency_ns);
      gaio_io_stats_add_latency (of_context, latency_ns);
    }
}

/* Many threads may do such calls, and each is a system call, so a lock is not what costs. */
static void
count_blocking (GaioRequest *self)
{
  GaioFile *file = self->file;
  GaioIoStats *stats;

  if (self->settled)
    return;
  g_mutex_lock (&file->lock);
  if (file->blocking_stats == NULL)
    file->blocking_stats = g_new0 (GaioIoStats, 1);
  stats = file->blocking_stats;
  gaio_io_stats_count (&stats->submitted, 1);
  add_end (self, stats);
  g_mutex_unlock (&file->lock);
}

/* The close is the only one of them that others may wait for, and that the home thread may have
 * begun, where it was counted. */
static void
finish_blocking (GaioRequest *self)
{
  if (self->counted)
    count_end (self);
  else
    count_blocking (self);
  if (self->kind != GAIO_REQUEST_CLOSE)
    gaio_file_end_use (self->file);
  else
    {
      gaio_context_end_work (self->file->context);
      gaio_context_notify (self->file->context);
    }
  atomic_store_explicit (&self->state, GAIO_REQUEST_IDLE, memory_order_release);
  if (self->func != NULL)
    self->func (self, self->user_data);
  gaio_request_unref (self);
}

void
gaio_request_finish (GaioRequest *self)
{
  GaioContext *context = self->file->context;
  GaioContext *outer = gaio_request_completing;
  guint ended = GAIO_REQUEST_ENDED;
  bool taken_over = false;

  if (G_UNLIKELY (self->claim != NULL))
    gaio_direct_leave (self);
  if (self->kind != GAIO_REQUEST_READ)
    settle (self);
  if (G_UNLIKELY (self->blocking))
    {
      finish_blocking (self);
      return;
    }
  if (G_UNLIKELY (self->timer != NULL))
    gaio_request_stop_timeout (self);
  if (G_LIKELY (self->counted))
    count_end (self);
  if (G_LIKELY (self->by_home))
    gaio_file_end_home_use (self->file);
  else if (self->kind != GAIO_REQUEST_CLOSE)
    gaio_file_end_use (self->file);
  if (G_UNLIKELY (self->holds_work))
    gaio_context_end_work (context);

  if (G_UNLIKELY (self->followers != NULL))
    gaio_request_release_followers (self);
  self->taken_over = &taken_over;
  atomic_store_explicit (&self->state, GAIO_REQUEST_ENDED, memory_order_release);
  if (self->func != NULL)
    {
      gaio_request_completing = context;
      self->func (self, self->user_data);
      gaio_request_completing = outer;
    }
  if (G_LIKELY (taken_over))
    return;
  atomic_compare_exchange_strong (&self->state, &ended, GAIO_REQUEST_IDLE);
  gaio_request_unref (self);
}

void
gaio_request_leave_home (GaioRequest *self)
{
  GaioFile *file = self->file;

  if (gaio_request_is_home (self))
    return;
  /* Several threads may find out at once. */
  g_mutex_lock (&file->lock);
  if (self->by_home && --file->home_uses > 0)
    gaio_file_begin_use (file);
  self->by_home = false;
  g_mutex_unlock (&file->lock);
}

void
gaio_request_finish_later (GaioRequest *self, int result)
{
  self->result = result;
  self->settled = true;
  atomic_store_explicit (&self->state, GAIO_REQUEST_TRAVELLING, memory_order_relaxed);
  gaio_bh_node_schedule (&self->node, self->file->queue);
}

void
gaio_request_move_to_threads (GaioRequest *self)
{
  gaio_debug (FILE, "%s: request %p moves to the threads", self->file->label, (void *) self);
  self->file->engine->counters->moved++;
  self->retries = 0;
  self->engine = &gaio_engine_threads;
  gaio_engine_threads.submit (self);
}

static bool
arrive (GaioBhNode *node, bool closing)
{
  GaioRequest *self = request_of_node (node);

  /* Also for what the callback of one that is settled will submit. */
  if (!closing)
    gaio_engine_refresh (self->file);
  else
    gaio_request_leave_home (self);
  if (self->after != NULL && !closing && gaio_request_follow (self))
    return false;
  if (!self->settled && self->kind == GAIO_REQUEST_CLOSE && closing)
    gaio_engine_run_blocking (self, -1); /* the descriptor goes, with the context or without */
  else if (!self->settled && self->kind != GAIO_REQUEST_CLOSE &&
           (closing || gaio_request_is_cancelled (self)))
    self->result = -ECANCELED;
  else if (!self->settled)
    {
      gaio_request_begin (self);
      return false;
    }
  gaio_request_finish (self);
  return true;
}

GaioRequest *
gaio_request_new_blocking (GaioFile *file, GCancellable *cancellable)
{
  GaioRequest *self = gaio_request_new (file, NULL, NULL, NULL);

  self->blocking = true;
  if (cancellable != NULL)
    self->cancellable = g_object_ref (cancellable);
  return self;
}

/**
 * gaio_request_new: (skip)
 * @file: a file, which the request keeps alive and open
 * @func: (scope notified) (nullable): called at the end of each submission
 * @user_data: data for @func
 * @notify: (nullable): frees @user_data; called in the home thread of the file's context
 *
 * Makes a request that is idle.
 *
 * Thread: any.
 *
 * Returns: (transfer full): the request
 */
GaioRequest *
gaio_request_new (GaioFile *file, GaioRequestFunc func, gpointer user_data, GDestroyNotify notify)
{
  GaioRequest *self;

  g_return_val_if_fail (GAIO_IS_FILE (file), NULL);
  g_return_val_if_fail (file->context != NULL, NULL);

  /* Not g_new0(): the C library's calloc() does not use its cache of small pieces, which makes it
   * several times dearer. */
  self = g_malloc (sizeof (GaioRequest));
  memset (self, 0, sizeof (GaioRequest));
  atomic_init (&self->refs, 1);
  self->file = g_object_ref (file);
  self->func = func;
  self->user_data = user_data;
  self->notify = notify;
  self->level = GAIO_REQUEST_LEVEL_USUAL;
  self->node.run = arrive;
  self->cancel_node.run = arrive_with_cancel;
  return self;
}

/**
 * gaio_request_ref:
 * @self: a request
 *
 * Takes a reference.
 *
 * Thread: any.
 *
 * Returns: (transfer full): @self
 */
GaioRequest *
gaio_request_ref (GaioRequest *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  atomic_fetch_add_explicit (&self->refs, 1, memory_order_relaxed);
  return self;
}

/**
 * gaio_request_unref:
 * @self: (transfer full): a request
 *
 * Drops a reference. A request in flight has one of its own, so it ends as it would have, and its
 * function is still called.
 *
 * Thread: any.
 */
void
gaio_request_unref (GaioRequest *self)
{
  g_return_if_fail (self != NULL);

  /* Release pairs with the acquire of the thread that takes the last one. */
  if (atomic_fetch_sub_explicit (&self->refs, 1, memory_order_acq_rel) != 1)
    return;
  if (self->notify != NULL)
    gaio_bh_queue_release (self->file->queue, self->notify, self->user_data);
  release_chunks (self);
  gaio_request_free_buffer (self);
  g_free (self->statx);
  g_free (self->new_path);
  g_clear_pointer (&self->after, gaio_request_unref);
  g_free (self->claim);
  g_clear_object (&self->interrupt);
  g_clear_object (&self->cancellable);
  g_object_unref (self->file);
  g_free (self);
}

static void
cancel_here (GaioRequest *self)
{
  guint state = atomic_load_explicit (&self->state, memory_order_acquire);

  /* First of all: only a request that is running is ours to look at. One that has ended may be
   * being submitted by another thread just now. */
  if (state != GAIO_REQUEST_RUNNING && state != GAIO_REQUEST_CHAINED)
    return;
  if (!gaio_request_is_cancelled (self) || self->kind == GAIO_REQUEST_CLOSE)
    return;
  /* In a child it is the parent's, and so is the queue that it may be in. */
  if (G_UNLIKELY (self->file->fork_count != gaio_fork_get_count ()))
    return;
  if (state == GAIO_REQUEST_RUNNING)
    self->engine->cancel (self);
  else
    {
      gaio_request_unfollow (self);
      gaio_request_finish_later (self, -ECANCELED);
    }
}

static bool
arrive_with_cancel (GaioBhNode *node, bool closing)
{
  GaioRequest *self = request_of_cancel_node (node);

  if (!closing)
    cancel_here (self);
  gaio_request_unref (self);
  return false;
}

void
gaio_request_cancel_later (GaioRequest *self)
{
  gaio_request_ref (self);
  if (!gaio_bh_node_schedule (&self->cancel_node, self->file->queue))
    gaio_request_unref (self);
}

/**
 * gaio_request_cancel:
 * @self: a request
 *
 * Asks for the request to end soon. Does nothing when it is idle.
 *
 * The request still ends by a call of its function: with %G_IO_ERROR_CANCELLED when the operation
 * was stopped, or with its true result when it was too late. The first may be after some of it was
 * done, see [method@Gaio.Request.get_result].
 *
 * Thread: any.
 */
void
gaio_request_cancel (GaioRequest *self)
{
  g_return_if_fail (self != NULL);

  if (gaio_request_is_idle (self))
    return;
  atomic_store (&self->cancelled, atomic_load (&self->serial));
  if (gaio_request_is_home (self))
    cancel_here (self);
  else
    gaio_request_cancel_later (self);
}
