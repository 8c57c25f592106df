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

/* The request: from its submission to its one ending. The engines only run it.
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
 * A close is a request too. It waits in its file until the file's last user is gone (see
 * gaio_file_begin_use()), so the descriptor is never closed under an operation, and a new user
 * never gets one that is about to go.
 *
 * What a result means, and how it is told, is in gaio-request-result.c. */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gaio/base/gaio-debug-private.h>
#include <gaio/file/gaio-engine-private.h>

/* A buffer begins at a cache line, which makes the kernel's copy of 4 KiB faster by a sixth. It is
 * cut out of a larger piece, since posix_memalign() costs more than that gains. Large ones, and
 * those for O_DIRECT, begin at a page. */
#define ALIGNMENT ((gsize) 64)
#define PAGE_MIN_BYTES ((gsize) 64 * 1024)
#define PAGE_BYTES ((gsize) 4096)

/* The context whose completion this thread is in, and so knows itself to be the home of, without
 * asking. Initial-exec: one instruction instead of a call. */
static _Thread_local GaioContext *completing __attribute__ ((tls_model ("initial-exec")));

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
  if (self->kind == GAIO_REQUEST_WRITE)
    release_chunks (self);
  else if (self->kind == GAIO_REQUEST_SYNC && !self->settled)
    settle_sync (self);
  else if (self->kind == GAIO_REQUEST_CLOSE)
    settle_close (self);
}

/* The close is the only one of them that others may wait for. */
static void
finish_blocking (GaioRequest *self)
{
  if (self->kind == GAIO_REQUEST_CLOSE)
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
  GaioContext *outer = completing;
  guint ended = GAIO_REQUEST_ENDED;
  bool taken_over = false;

  if (self->kind != GAIO_REQUEST_READ)
    settle (self);
  if (self->kind != GAIO_REQUEST_CLOSE)
    gaio_file_end_use (self->file);
  if (G_UNLIKELY (self->blocking))
    {
      finish_blocking (self);
      return;
    }
  gaio_context_end_work (context);

  self->taken_over = &taken_over;
  atomic_store_explicit (&self->state, GAIO_REQUEST_ENDED, memory_order_release);
  if (self->func != NULL)
    {
      completing = context;
      self->func (self, self->user_data);
      completing = outer;
    }
  if (G_LIKELY (taken_over))
    return;
  atomic_compare_exchange_strong (&self->state, &ended, GAIO_REQUEST_IDLE);
  gaio_request_unref (self);
}

void
gaio_request_finish_later (GaioRequest *self, int result)
{
  self->result = result;
  self->settled = true;
  atomic_store_explicit (&self->state, GAIO_REQUEST_TRAVELLING, memory_order_relaxed);
  gaio_bh_node_schedule (&self->node, self->file->queue);
}

/* The beginnings. */

static G_ALWAYS_INLINE inline void
begin (GaioRequest *self)
{
  GaioFile *file = self->file;

  if (G_UNLIKELY (file->engine == NULL))
    file->engine = gaio_engine_state_get (file->context);
  file->engine->counters->requests++;
  atomic_store_explicit (&self->state, GAIO_REQUEST_RUNNING, memory_order_relaxed);
  self->engine = &gaio_engine_uring;
  if (G_LIKELY (file->engine->ring != NULL && gaio_engine_uring.submit (self) == 0))
    {
      file->engine->counters->ring_requests++;
      return;
    }
  self->engine = &gaio_engine_threads;
  gaio_engine_threads.submit (self);
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

  if (!self->settled && self->kind == GAIO_REQUEST_CLOSE && closing)
    gaio_engine_run_blocking (self, -1); /* the descriptor goes, with the context or without */
  else if (!self->settled && self->kind != GAIO_REQUEST_CLOSE &&
           (closing || gaio_request_is_cancelled (self)))
    self->result = -ECANCELED;
  else if (!self->settled)
    {
      begin (self);
      return false;
    }
  gaio_request_finish (self);
  return true;
}

static void
run_here (GaioRequest *self)
{
  int cancel_fd = -1;

  if (!self->settled && self->cancellable != NULL &&
      g_cancellable_is_cancelled (self->cancellable))
    self->result = -ECANCELED;
  else if (!self->settled)
    {
      if (self->cancellable != NULL && !self->file->seekable)
        cancel_fd = g_cancellable_get_fd (self->cancellable);
      gaio_engine_run_blocking (self, cancel_fd);
      if (cancel_fd >= 0)
        g_cancellable_release_fd (self->cancellable);
    }
  gaio_request_finish (self);
}

/* Whether the caller is in the home thread of the file's context. */
static inline bool
is_home (GaioFile *file)
{
  return completing == file->context || gaio_context_is_home (file->context);
}

/* Takes a request that is idle. In its own callback it is too, and the reference that it has from
 * the submission that has just ended is then good for the next one. */
static bool
take_idle (GaioRequest *self)
{
  guint state = atomic_load_explicit (&self->state, memory_order_acquire);

  while (state == GAIO_REQUEST_IDLE || state == GAIO_REQUEST_ENDED)
    {
      if (!atomic_compare_exchange_weak_explicit (&self->state,
                                                  &state,
                                                  GAIO_REQUEST_TRAVELLING,
                                                  memory_order_acq_rel,
                                                  memory_order_acquire))
        continue;
      if (state == GAIO_REQUEST_ENDED && completing == self->file->context)
        *self->taken_over = true;
      else
        atomic_fetch_add_explicit (&self->refs, 1, memory_order_relaxed);
      return true;
    }
  return false;
}

/* Begins a new submission. Not so an assertion, since it does something. */
static inline bool
arm (GaioRequest *self, GaioRequestKind kind, const char *caller)
{
  if (G_UNLIKELY (!take_idle (self)))
    {
      g_critical ("%s: the request is in flight", caller);
      return false;
    }
  /* Only the submitter writes it. */
  atomic_store_explicit (&self->serial,
                         atomic_load_explicit (&self->serial, memory_order_relaxed) + 1,
                         memory_order_relaxed);
  self->kind = kind;
  self->failure = GAIO_REQUEST_FAILED_BY_ERRNO;
  self->result = 0;
  self->retries = 0;
  self->moved = 0;
  self->settled = false;
  return true;
}

static void
fail (GaioRequest *self, int result, GaioRequestFailure failure)
{
  if (self->settled)
    return;
  self->result = result;
  self->failure = failure;
  self->settled = true;
}

static bool
is_after_fork (GaioFile *file)
{
  return G_UNLIKELY (file->fork_count !=
                     atomic_load_explicit (&gaio_file_fork_count, memory_order_relaxed));
}

static G_ALWAYS_INLINE inline void
launch_inline (GaioRequest *self)
{
  GaioFile *file = self->file;

  if (G_UNLIKELY (!gaio_file_begin_use (file) && self->kind != GAIO_REQUEST_OPEN))
    fail (self, -EBADF, GAIO_REQUEST_FAILED_CLOSED);
  if (self->blocking)
    {
      run_here (self);
      return;
    }
  gaio_context_begin_work (file->context);
  /* The ring and the pool's threads are the parent's. */
  if (is_after_fork (file))
    fail (self, -EIO, GAIO_REQUEST_FAILED_FORKED);
  if (G_LIKELY (!self->settled && is_home (file)))
    begin (self);
  else
    gaio_bh_node_schedule (&self->node, file->queue);
}

static void
launch (GaioRequest *self)
{
  launch_inline (self);
}

/* Closes the file when somebody wants that and nobody has begun. `by` may be NULL: a blocking
 * request does its work itself when it can. */
static void
start_close (GaioFile *file, GaioRequest *by)
{
  GaioRequest *self = NULL;
  GList *link;

  g_mutex_lock (&file->lock);
  if (!file->close_begun && (link = g_queue_pop_head_link (&file->closers)) != NULL)
    {
      file->close_begun = true;
      self = link->data;
    }
  g_mutex_unlock (&file->lock);
  if (self == NULL)
    return;
  atomic_store_explicit (&self->state, GAIO_REQUEST_TRAVELLING, memory_order_relaxed);
  if (self->blocking && self == by)
    run_here (self);
  else if (gaio_context_is_home (file->context))
    begin (self);
  else
    gaio_bh_node_schedule (&self->node, file->queue);
}

void
gaio_file_end_last_use (GaioFile *file)
{
  start_close (file, NULL);
}

void
gaio_request_close (GaioRequest *self)
{
  GaioFile *file = self->file;
  bool waits;
  guint before;

  if (!arm (self, GAIO_REQUEST_CLOSE, G_STRFUNC))
    return;
  gaio_context_begin_work (file->context);
  /* In a child a blocking one can do it, unless the parent's operations are counted. */
  if (is_after_fork (file) &&
      (!self->blocking || (atomic_load (&file->uses) & ~GAIO_FILE_CLOSING) != 0))
    fail (self, -EIO, GAIO_REQUEST_FAILED_FORKED);
  g_mutex_lock (&file->lock);
  waits = !self->settled && !atomic_load (&file->closed);
  if (waits)
    {
      atomic_store_explicit (&self->state, GAIO_REQUEST_WAITING, memory_order_relaxed);
      self->link.data = self;
      g_queue_push_tail_link (&file->closers, &self->link);
    }
  g_mutex_unlock (&file->lock);
  if (!waits)
    {
      self->settled = true;
      if (self->blocking)
        run_here (self);
      else
        gaio_bh_node_schedule (&self->node, file->queue);
      return;
    }
  /* From here on it may end any time. */
  before = atomic_fetch_or (&file->uses, GAIO_FILE_CLOSING);
  if ((before & ~GAIO_FILE_CLOSING) == 0)
    start_close (file, self);
}

/* A file offset and a length that the kernel would refuse, or worse, take for something else: an
 * offset of -1 means the file's own position to a ring. */
static inline void
check_range (GaioRequest *self, goffset offset, gsize length)
{
  self->offset = offset;
  self->length = length;
  if (offset < 0 || length > (guint64) (G_MAXOFFSET - offset))
    fail (self, -EINVAL, GAIO_REQUEST_FAILED_BY_ERRNO);
  else if (length == 0)
    self->settled = true;
}

static void
reserve_buffer (GaioRequest *self, gsize length)
{
  free (self->memory);
  self->memory = NULL;
  self->buffer = NULL;
  self->capacity = 0;
  if (length > G_MAXSSIZE - PAGE_BYTES)
    ;
  else if (length >= PAGE_MIN_BYTES || self->file->direct)
    {
      length = (length + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
      if (posix_memalign (&self->memory, PAGE_BYTES, length) != 0)
        self->memory = NULL;
      self->buffer = self->memory;
    }
  else if ((self->memory = malloc (length + ALIGNMENT - 1)) != NULL)
    self->buffer = (guint8 *) (((guintptr) self->memory + ALIGNMENT - 1) & ~(ALIGNMENT - 1));

  if (self->memory != NULL)
    self->capacity = length;
  else
    fail (self, -ENOMEM, GAIO_REQUEST_FAILED_BY_ERRNO);
}

void
gaio_request_read_into (GaioRequest *self, goffset offset, gsize length, guint8 *buffer)
{
  if (!arm (self, GAIO_REQUEST_READ, G_STRFUNC))
    return;
  self->target = buffer;
  check_range (self, offset, length);
  launch (self);
}

void
gaio_request_statx (GaioRequest *self)
{
  if (!arm (self, GAIO_REQUEST_STATX, G_STRFUNC))
    return;
  if (self->statx == NULL)
    self->statx = g_new0 (struct statx, 1);
  launch (self);
}

void
gaio_request_open (GaioRequest *self, int flags)
{
  if (!arm (self, GAIO_REQUEST_OPEN, G_STRFUNC))
    return;
  self->open_flags = flags | O_CLOEXEC | O_NOCTTY | O_LARGEFILE;
  launch (self);
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

  self = g_new0 (GaioRequest, 1);
  atomic_init (&self->refs, 1);
  self->file = g_object_ref (file);
  self->func = func;
  self->user_data = user_data;
  self->notify = notify;
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
  free (self->memory);
  g_free (self->statx);
  g_clear_object (&self->interrupt);
  g_clear_object (&self->cancellable);
  g_object_unref (self->file);
  g_free (self);
}

/**
 * gaio_request_read:
 * @self: an idle request
 * @offset: where in the file to begin, in bytes; without meaning for a file that is not seekable
 * @length: how many bytes to read
 *
 * Submits a read into the request's own buffer, which later reads use again.
 *
 * It reads less than @length only at the end of the file; but from a file that is not seekable
 * what a single read(2) gives. A negative @offset, or one that overflows with @length, fails with
 * %G_IO_ERROR_INVALID_ARGUMENT, through the request's function like every error.
 *
 * Thread: any.
 */
void
gaio_request_read (GaioRequest *self, goffset offset, gsize length)
{
  g_return_if_fail (self != NULL);

  if (!arm (self, GAIO_REQUEST_READ, G_STRFUNC))
    return;
  check_range (self, offset, length);
  if (G_UNLIKELY (self->capacity < length && !self->settled))
    reserve_buffer (self, length);
  self->target = self->buffer;
  launch_inline (self);
}

/**
 * gaio_request_write:
 * @self: an idle request
 * @offset: where in the file to begin, in bytes; without meaning for a file that is not seekable
 *   or was opened for appending
 * @bytes: (transfer none): what to write; a reference is held until the end
 *
 * Submits a write of all of @bytes.
 *
 * Writes that are in flight together on overlapping parts of the file end in any order.
 *
 * Thread: any.
 */
void
gaio_request_write (GaioRequest *self, goffset offset, GBytes *bytes)
{
  g_return_if_fail (bytes != NULL);

  gaio_request_writev (self, offset, &bytes, 1);
}

/**
 * gaio_request_writev:
 * @self: an idle request
 * @offset: where in the file to begin, in bytes; without meaning for a file that is not seekable
 *   or was opened for appending
 * @chunks: (array length=n_chunks) (transfer none): what to write, one after the other; references
 *   are held until the end, the array itself is not
 * @n_chunks: how many there are; any number
 *
 * Submits a write of several pieces of memory to one piece of the file.
 *
 * Thread: any.
 */
void
gaio_request_writev (GaioRequest *self, goffset offset, GBytes *const *chunks, gsize n_chunks)
{
  gsize total = 0;

  g_return_if_fail (self != NULL);
  g_return_if_fail (chunks != NULL || n_chunks == 0);

  if (!arm (self, GAIO_REQUEST_WRITE, G_STRFUNC))
    return;
  self->iov = &self->one_iov;
  self->n_iov = 0;
  self->first_iov = 0;
  if (n_chunks > 1)
    {
      self->iov = g_new (struct iovec, n_chunks);
      self->chunks = g_new (GBytes *, n_chunks);
      self->n_chunks = n_chunks;
    }
  for (gsize i = 0; i < n_chunks; i++)
    {
      gsize size;
      gconstpointer data = g_bytes_get_data (chunks[i], &size);

      if (n_chunks > 1)
        self->chunks[i] = g_bytes_ref (chunks[i]);
      else
        self->one_chunk = g_bytes_ref (chunks[i]);
      /* An empty one would look like a write that moves nothing. */
      if (size > 0)
        self->iov[self->n_iov++] = (struct iovec){ .iov_base = (gpointer) data, .iov_len = size };
      if (!g_size_checked_add (&total, total, size))
        fail (self, -EINVAL, GAIO_REQUEST_FAILED_BY_ERRNO);
    }
  check_range (self, offset, total);
  launch (self);
}

/**
 * gaio_request_sync:
 * @self: an idle request
 * @data_only: whether the file's times and the like may be left out, as with fdatasync(2)
 *
 * Submits the wish that what has been written to the file is on the disk.
 *
 * The first error is the file's for ever: the system reports a lost write only once, so later
 * syncs, and the close, fail with the same.
 *
 * Thread: any.
 */
void
gaio_request_sync (GaioRequest *self, gboolean data_only)
{
  g_return_if_fail (self != NULL);

  if (!arm (self, GAIO_REQUEST_SYNC, G_STRFUNC))
    return;
  self->data_only = data_only;
  launch (self);
}

/**
 * gaio_request_truncate:
 * @self: an idle request
 * @length: the file's new length in bytes
 *
 * Submits a change of the file's length. What is cut is gone; what is added reads as zeros.
 *
 * Thread: any.
 */
void
gaio_request_truncate (GaioRequest *self, goffset length)
{
  g_return_if_fail (self != NULL);

  if (!arm (self, GAIO_REQUEST_TRUNCATE, G_STRFUNC))
    return;
  self->offset = length;
  self->length = 0;
  if (length < 0)
    fail (self, -EINVAL, GAIO_REQUEST_FAILED_BY_ERRNO);
  launch (self);
}

static void
cancel_here (GaioRequest *self)
{
  if (!gaio_request_is_cancelled (self) || self->kind == GAIO_REQUEST_CLOSE ||
      atomic_load_explicit (&self->state, memory_order_relaxed) != GAIO_REQUEST_RUNNING)
    return;
  self->engine->cancel (self);
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
  if (is_home (self->file))
    cancel_here (self);
  else
    gaio_request_cancel_later (self);
}
