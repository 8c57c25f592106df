/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Submitting a request: what is common, and one function for each kind.
 *
 * Arguments are looked at here, before an engine sees them, so that both refuse the same. A request
 * that is submitted in the home thread goes right into its engine; it is the way of a read that is
 * submitted anew from its own callback that is laid out to be short: no lock, no allocation, no
 * reference counted.
 *
 * A close is a request too. It waits in its file until the file's last user is gone (see
 * gaio_file_begin_use()), so the descriptor is never closed under an operation, and a new user
 * never gets one that is about to go.
 *
 * Any thread may submit; how a request ends is in gaio-request.c. */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <gaio/base/gaio-block-private.h>
#include <gaio/file/gaio-engine-private.h>
#include <gaio/file/gaio-file-direct-private.h>
#include <gaio/loop/gaio-clock.h>

/* A buffer begins at a cache line, which makes the kernel's copy of 4 KiB faster by a sixth. It is
 * cut out of a larger piece, since posix_memalign() costs more than that gains. Large ones, and
 * those for O_DIRECT, begin at a page. */
#define ALIGNMENT ((gsize) 64)
#define PAGE_MIN_BYTES ((gsize) 64 * 1024)

/* What is a little less than a page takes the memory of one. */
#define BLOCK_MIN_BYTES ((gsize) 3584)
G_STATIC_ASSERT (GAIO_BLOCK_BYTES == 4096 + 64 - 1);
#define PAGE_BYTES ((gsize) 4096)

static inline void
count_begin (GaioRequest *self)
{
  GaioIoStats *stats = &self->file->stats;
  guint64 nth = atomic_load_explicit (&stats->submitted, memory_order_relaxed);

  self->counted = true;
  self->begun_ns =
      G_UNLIKELY (gaio_io_stats_is_sampled (nth)) ? gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC) : 0;
  gaio_io_stats_count (&stats->submitted, 1);
  gaio_io_stats_count (&self->file->engine->counters->io.submitted, 1);
}

static G_ALWAYS_INLINE inline void
begin (GaioRequest *self)
{
  GaioFile *file = self->file;

  if (gaio_request_completing != file->context || G_UNLIKELY (file->engine == NULL))
    gaio_engine_refresh (file);
  if (G_UNLIKELY (self->after != NULL) && gaio_request_follow (self))
    return;
  if (G_UNLIKELY (self->timeout_ns > 0))
    gaio_request_start_timeout (self);
  /* Before it waits for anything, so that the context knows of it. */
  if (G_LIKELY (!self->counted))
    count_begin (self);
  if (G_UNLIKELY (self->claim != NULL) && !gaio_direct_enter (self))
    return;
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

/* The same for when it arrives in the home thread later. */
void
gaio_request_begin (GaioRequest *self)
{
  begin (self);
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
      if (G_UNLIKELY (self->claim != NULL))
        gaio_direct_run_blocking (self, cancel_fd);
      else
        gaio_engine_run_blocking (self, cancel_fd);
      if (cancel_fd >= 0)
        g_cancellable_release_fd (self->cancellable);
    }
  gaio_request_finish (self);
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
      if (state == GAIO_REQUEST_ENDED && gaio_request_completing == self->file->context)
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
  self->n_retried = 0;
  self->n_partial = 0;
  self->moved = 0;
  self->settled = false;
  self->counted = false;
  self->holds_work = false;
  self->timed_out = false;
  if (G_UNLIKELY (self->file->direct != NULL))
    gaio_direct_arm (self, self->file->direct);
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
  return G_UNLIKELY (file->fork_count != gaio_fork_get_count ());
}

static G_ALWAYS_INLINE inline void
launch_inline (GaioRequest *self)
{
  GaioFile *file = self->file;

  bool open;

  self->by_home = !self->blocking && gaio_request_is_home (self);
  open = self->by_home ? gaio_file_begin_home_use (file) : gaio_file_begin_use (file);
  if (G_UNLIKELY (!open && self->kind != GAIO_REQUEST_OPEN && !self->within_use))
    {
      if (self->result == 0)
        self->settled = false; /* there was nothing to do, and not even that can be done */
      fail (self, -EBADF, GAIO_REQUEST_FAILED_CLOSED);
    }
  if (G_UNLIKELY (self->blocking))
    {
      run_here (self);
      return;
    }
  /* The ring and the pool's threads are the parent's. */
  if (is_after_fork (file))
    fail (self, -EIO, GAIO_REQUEST_FAILED_FORKED);
  if (G_LIKELY (self->by_home && !self->settled))
    begin (self);
  else
    {
      gaio_request_hold_work (self);
      gaio_bh_node_schedule (&self->node, file->queue);
    }
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
  else if (gaio_request_is_home (self))
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
  gaio_request_hold_work (self);
  self->by_home = false; /* it is no user of the file */
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

static bool
take_pooled (GaioRequest *self, gsize length)
{
  GaioFile *file = self->file;

  g_mutex_lock (&file->lock);
  if (file->buffer_pool != NULL)
    self->pooled = gaio_buffer_pool_take (file->buffer_pool, length);
  g_mutex_unlock (&file->lock);
  if (self->pooled == NULL)
    return false;
  self->buffer = self->pooled->memory;
  self->capacity = gaio_buffer_get_capacity (self->pooled);
  return true;
}

static void
reserve_buffer (GaioRequest *self, gsize length)
{
  gaio_request_free_buffer (self);
  if (G_UNLIKELY (atomic_load_explicit (&self->file->has_buffer_pool, memory_order_relaxed)) &&
      take_pooled (self, length))
    return;
  self->is_block = false;
  if (length > G_MAXSSIZE - PAGE_BYTES)
    ;
  else if (length >= PAGE_MIN_BYTES || self->file->direct)
    {
      gsize alignment = self->file->direct != NULL
                            ? MAX (PAGE_BYTES, gaio_direct_get_memory_alignment (self->file))
                            : PAGE_BYTES;

      length = (length + PAGE_BYTES - 1) & ~(PAGE_BYTES - 1);
      if (posix_memalign (&self->memory, alignment, length) != 0)
        self->memory = NULL;
      self->buffer = self->memory;
    }
  else
    {
      self->is_block = length > BLOCK_MIN_BYTES && length <= PAGE_BYTES;
      if (self->is_block)
        length = PAGE_BYTES;
      self->memory = self->is_block ? gaio_block_new () : malloc (length + ALIGNMENT - 1);
      self->buffer = (guint8 *) (((guintptr) self->memory + ALIGNMENT - 1) & ~(ALIGNMENT - 1));
    }

  if (self->memory != NULL)
    self->capacity = length;
  else
    {
      self->buffer = NULL;
      fail (self, -ENOMEM, GAIO_REQUEST_FAILED_BY_ERRNO);
    }
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

/* Takes what is to be moved, but for the empty ones: they would look like a transfer that moves
 * nothing. */
static gsize
add_iov (GaioRequest *self, gsize total, gpointer data, gsize size)
{
  if (size > 0)
    self->iov[self->n_iov++] = (struct iovec){ .iov_base = data, .iov_len = size };
  if (!g_size_checked_add (&total, total, size))
    fail (self, -EINVAL, GAIO_REQUEST_FAILED_BY_ERRNO);
  return total;
}

static void
reserve_iov (GaioRequest *self, gsize n)
{
  self->iov = n > 1 ? g_new (struct iovec, n) : &self->one_iov;
  self->n_iov = 0;
  self->first_iov = 0;
}

/* A transfer of memory that stays the caller's. */
static void
submit_iov (GaioRequest *self, goffset offset, const struct iovec *iov, gsize n_iov)
{
  gsize total = 0;

  reserve_iov (self, n_iov);
  for (gsize i = 0; i < n_iov; i++)
    total = add_iov (self, total, iov[i].iov_base, iov[i].iov_len);
  check_range (self, offset, total);
  launch (self);
}

void
gaio_request_readv_into (GaioRequest *self, goffset offset, const struct iovec *iov, gsize n_iov)
{
  if (!arm (self, GAIO_REQUEST_READV, G_STRFUNC))
    return;
  submit_iov (self, offset, iov, n_iov);
}

void
gaio_request_writev_from (GaioRequest *self, goffset offset, const struct iovec *iov, gsize n_iov)
{
  if (!arm (self, GAIO_REQUEST_WRITE, G_STRFUNC))
    return;
  self->flags = 0;
  submit_iov (self, offset, iov, n_iov);
}

void
gaio_request_allocate (GaioRequest *self, int mode, goffset offset, goffset length)
{
  if (!arm (self, GAIO_REQUEST_ALLOCATE, G_STRFUNC))
    return;
  self->flags = mode;
  check_range (self, offset, length);
  launch (self);
}

void
gaio_request_advise (GaioRequest *self, int advice, goffset offset, goffset length)
{
  if (!arm (self, GAIO_REQUEST_ADVISE, G_STRFUNC))
    return;
  self->flags = advice;
  check_range (self, offset, length);
  self->settled = self->result < 0;
  if (advice < 0)
    fail (self, -EINVAL, GAIO_REQUEST_FAILED_BY_ERRNO);
  launch (self);
}

void
gaio_request_lock (GaioRequest *self, int type, goffset offset, goffset length)
{
  if (!arm (self, GAIO_REQUEST_LOCK, G_STRFUNC))
    return;
  self->flags = type;
  check_range (self, offset, length);
  self->settled = self->result < 0;
  if (type < 0)
    fail (self, -EINVAL, GAIO_REQUEST_FAILED_BY_ERRNO);
  launch (self);
}

void
gaio_request_copy_range (GaioRequest *self,
                         goffset offset,
                         GaioFile *destination,
                         goffset destination_offset,
                         gsize length)
{
  if (!arm (self, GAIO_REQUEST_COPY_RANGE, G_STRFUNC))
    return;
  self->other = g_object_ref (destination);
  self->other_offset = destination_offset;
  /* Of two direct files the one that is written to claims. */
  if (destination->direct != NULL)
    gaio_direct_arm (self, destination->direct);
  check_range (self, destination_offset, length);
  check_range (self, offset, length);
  if (!gaio_file_begin_use (destination))
    fail (self, -EBADF, GAIO_REQUEST_FAILED_OTHER_CLOSED);
  launch (self);
}

/**
 * gaio_request_rename:
 * @self: an idle request
 * @new_path: (type filename): what the file shall be called
 *
 * Submits a change of the file's name, from the path that it was opened with; what has the new name
 * is replaced, as by rename(2). With [method@Gaio.Request.set_after] it comes after the writes and
 * the sync of a new version of a file.
 *
 * The [class@Gaio.File] does not learn of its new name. One that was made without a path fails with
 * %G_IO_ERROR_INVALID_ARGUMENT.
 *
 * Thread: any.
 */
void
gaio_request_rename (GaioRequest *self, const char *new_path)
{
  g_return_if_fail (self != NULL);
  g_return_if_fail (new_path != NULL);

  if (!arm (self, GAIO_REQUEST_RENAME, G_STRFUNC))
    return;
  g_free (self->new_path);
  self->new_path = g_strdup (new_path);
  if (self->file->path == NULL)
    fail (self, -EINVAL, GAIO_REQUEST_FAILED_BY_ERRNO);
  launch (self);
}

void
gaio_request_statx (GaioRequest *self, guint mask)
{
  if (!arm (self, GAIO_REQUEST_STATX, G_STRFUNC))
    return;
  self->statx_mask = mask;
  if (self->statx == NULL)
    self->statx = g_new0 (struct statx, 1);
  launch (self);
}

void
gaio_request_open (GaioRequest *self, int flags, guint permissions)
{
  if (!arm (self, GAIO_REQUEST_OPEN, G_STRFUNC))
    return;
  self->flags = flags | O_CLOEXEC | O_NOCTTY | O_LARGEFILE;
  self->permissions = permissions;
  launch (self);
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
  if (G_UNLIKELY (self->claim != NULL))
    gaio_direct_widen_read (self);
  if (G_UNLIKELY (self->capacity < self->length && !self->settled))
    reserve_buffer (self, self->length);
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

static void
writev_with_flags (GaioRequest *self,
                   goffset offset,
                   GBytes *const *chunks,
                   gsize n_chunks,
                   int flags)
{
  gsize total = 0;

  if (!arm (self, GAIO_REQUEST_WRITE, "gaio_request_writev"))
    return;
  self->flags = flags;
  reserve_iov (self, n_chunks);
  if (n_chunks > 1)
    {
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
      total = add_iov (self, total, (gpointer) data, size);
    }
  check_range (self, offset, total);
  launch (self);
}

void
gaio_request_append (GaioRequest *self, GBytes *const *chunks, gsize n_chunks)
{
  writev_with_flags (self, 0, chunks, n_chunks, RWF_APPEND);
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
  g_return_if_fail (self != NULL);
  g_return_if_fail (chunks != NULL || n_chunks == 0);

  writev_with_flags (self, offset, chunks, n_chunks, 0);
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
