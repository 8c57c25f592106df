/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The results of a request: what each answer of the kernel means for it, and how its end is told.
 *
 * Both engines give every answer to gaio_request_take_result(), so that a short transfer goes on,
 * an interrupted call is repeated, and an end is the same in both. It runs in the thread that runs
 * the request; the public functions are for whoever has the request while it is idle.
 *
 * Which errors of the ring mean "not me": EAGAIN, EINVAL, ENOSYS and EOPNOTSUPP, because the ring
 * refuses operations of files that the system call would do; and ECANCELED when nobody has
 * cancelled, which is what the kernel says when it has no thread for the work or is refused the
 * entry. Nothing has been moved then, so the threads go on where the ring was.
 *
 * What a ring does not tell is EAGAIN or EOPNOTSUPP of a file system that answers later, as FUSE
 * does past the page cache: the kernel (6.18) begins the transfer anew by itself, and where the
 * answer is always that, the request ends with the server only, or with a cancel that has luck.
 *
 * It does not submit or end anything: gaio-request.c and the engines do. */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/uio.h>
#include <unistd.h>

#include <gaio/base/gaio-block-private.h>
#include <gaio/base/gaio-error-private.h>
#include <gaio/file/gaio-file-direct-private.h>

/* A buffer that is handed out is cut when more than this part of it is unused. */
#define WASTE_DIVISOR 8

/* How often in a row a file system may say EINTR or EAGAIN for a file on a disk before we believe
 * it. EINTR also comes from the program's own signals, so that takes more. */
#define MAX_EINTR 1000
#define MAX_EAGAIN 5

static void
advance_iov (GaioRequest *self, gsize n)
{
  while (n > 0)
    {
      struct iovec *iov = &self->iov[self->first_iov];
      gsize part = MIN (n, iov->iov_len);

      iov->iov_base = (char *) iov->iov_base + part;
      iov->iov_len -= part;
      n -= part;
      if (iov->iov_len == 0)
        self->first_iov++;
    }
}

static GaioStep
end_with (GaioRequest *self, int result)
{
  self->result = result;
  return GAIO_STEP_DONE;
}

/* After a short transfer, or when it was not to be just now. */
static GaioStep
again (GaioRequest *self)
{
  self->n_retried += self->retries > 0;
  self->n_partial += self->retries == 0;
  return gaio_request_is_cancelled (self) ? end_with (self, -ECANCELED) : GAIO_STEP_MORE;
}

static GaioStep
take_error (GaioRequest *self, int res, bool from_ring)
{
  bool on_disk = self->file->seekable || self->kind == GAIO_REQUEST_OPEN;

  switch (res)
    {
    case -EINTR:
      if (++self->retries > MAX_EINTR && on_disk)
        return end_with (self, res);
      return again (self);
    case -EAGAIN:
      if (from_ring)
        return GAIO_STEP_MOVE;
      if (self->kind == GAIO_REQUEST_LOCK)
        return end_with (self, res);
      if (++self->retries > MAX_EAGAIN)
        return end_with (self, res);
      return again (self);
    case -ECANCELED:
      if (gaio_request_is_cancelled (self))
        return end_with (self, res);
      /* From a file system it is no cancel; and it must not look like one. */
      return from_ring ? GAIO_STEP_MOVE : end_with (self, -EIO);
    case -ENXIO:
      /* A named pipe that nobody reads yet: for a name that the kernel knows the ring tries an
       * open with O_NONBLOCK first, and takes the answer. The system call waits for the reader. */
      return from_ring && self->kind == GAIO_REQUEST_OPEN ? GAIO_STEP_MOVE : end_with (self, res);
    case -EINVAL:
    case -ENOSYS:
    case -EOPNOTSUPP:
      return from_ring ? GAIO_STEP_MOVE : end_with (self, res);
    default:
      return end_with (self, res);
    }
}

/* After close(2) the descriptor is gone, whatever it says, and must not be closed again: the
 * number may be another file's by now. Only what the ring never began is done by the threads. */
static GaioStep
take_close (GaioRequest *self, int res, bool from_ring)
{
  if (from_ring && res == -ECANCELED)
    return GAIO_STEP_MOVE;
  atomic_store (&self->file->fd, -1);
  if (res == -ECANCELED)
    res = -EIO; /* from a file system it is no cancel */
  return end_with (self, res == -EINTR ? 0 : MIN (res, 0));
}

/* Whether a read that moved something has no more to do. */
static bool
is_read_out (GaioRequest *self, bool from_ring)
{
  return self->moved == self->length || !self->file->seekable ||
         (self->claim != NULL && gaio_direct_is_read_out (self, from_ring));
}

GaioStep
gaio_request_take_result (GaioRequest *self, int res, bool from_ring)
{
  if (G_LIKELY (res > 0 && self->kind == GAIO_REQUEST_READ))
    {
      self->moved += res;
      self->retries = 0;
      return is_read_out (self, from_ring) ? GAIO_STEP_DONE : again (self);
    }
  if (self->kind == GAIO_REQUEST_CLOSE)
    return take_close (self, res, from_ring);
  if (res < 0)
    return take_error (self, res, from_ring);

  switch (self->kind)
    {
    case GAIO_REQUEST_READV:
      if (res == 0)
        return GAIO_STEP_DONE;
      G_GNUC_FALLTHROUGH;
    case GAIO_REQUEST_WRITE:
      if (res == 0)
        return end_with (self, -EIO);
      self->moved += res;
      self->retries = 0;
      advance_iov (self, res);
      if (self->kind == GAIO_REQUEST_READV && is_read_out (self, from_ring))
        return GAIO_STEP_DONE;
      return self->moved == self->length ? GAIO_STEP_DONE : again (self);
    case GAIO_REQUEST_ALLOCATE: /* zeros that had to be written */
    case GAIO_REQUEST_COPY_RANGE:
      self->moved += res;
      self->retries = 0;
      return res == 0 || self->moved == self->length ? GAIO_STEP_DONE : again (self);
    case GAIO_REQUEST_OPEN:
      self->result = gaio_file_adopt_fd (self->file, res);
      if (self->result < 0)
        close (res);
      return GAIO_STEP_DONE;
    default:
      /* A read at the end of the file, and what has no count. */
      return GAIO_STEP_DONE;
    }
}

static const char *
operation_name (GaioRequest *self)
{
  static const char *const names[] = {
    [GAIO_REQUEST_READ] = "read",
    [GAIO_REQUEST_READV] = "read",
    [GAIO_REQUEST_WRITE] = "write",
    [GAIO_REQUEST_SYNC] = "sync",
    [GAIO_REQUEST_TRUNCATE] = "truncate",
    [GAIO_REQUEST_ALLOCATE] = "allocate",
    [GAIO_REQUEST_ADVISE] = "advise",
    [GAIO_REQUEST_COPY_RANGE] = "copy range",
    [GAIO_REQUEST_LOCK] = "lock",
    [GAIO_REQUEST_RENAME] = "rename",
    [GAIO_REQUEST_STATX] = "query",
    [GAIO_REQUEST_OPEN] = "open",
    [GAIO_REQUEST_CLOSE] = "close",
  };

  if (self->kind == GAIO_REQUEST_WRITE && (self->flags & RWF_APPEND) != 0)
    return "append";
  if (self->kind == GAIO_REQUEST_ALLOCATE && (self->flags & FALLOC_FL_PUNCH_HOLE) != 0)
    return "punch hole";
  if (self->kind == GAIO_REQUEST_ALLOCATE && (self->flags & FALLOC_FL_ZERO_RANGE) != 0)
    return "zero range";
  if (self->kind == GAIO_REQUEST_LOCK && self->flags == F_UNLCK)
    return "unlock";
  return names[self->kind];
}

/* What was wrong with what was asked for, where it has been refused before the kernel saw it. */
static char *
describe_refusal (GaioRequest *self)
{
  bool is_range = self->offset >= 0 && self->length <= (guint64) (G_MAXOFFSET - self->offset);

  if (self->kind == GAIO_REQUEST_TRUNCATE)
    return g_strdup_printf ("length %" G_GOFFSET_FORMAT, self->offset);
  if (self->kind == GAIO_REQUEST_ADVISE && is_range)
    return g_strdup ("an unknown advice");
  if (self->kind == GAIO_REQUEST_LOCK && is_range)
    return g_strdup ("an unknown type");
  if (self->kind == GAIO_REQUEST_COPY_RANGE && is_range)
    return g_strdup_printf ("destination offset %" G_GOFFSET_FORMAT ", length %" G_GSIZE_FORMAT,
                            self->other_offset,
                            self->length);
  if (self->offset < 0)
    return g_strdup_printf ("offset %" G_GOFFSET_FORMAT, self->offset);
  if (self->kind == GAIO_REQUEST_ALLOCATE || self->kind == GAIO_REQUEST_ADVISE ||
      self->kind == GAIO_REQUEST_LOCK)
    return g_strdup_printf ("offset %" G_GOFFSET_FORMAT ", length %" G_GOFFSET_FORMAT,
                            self->offset,
                            (goffset) self->length);
  return g_strdup_printf ("offset %" G_GOFFSET_FORMAT ", length %" G_GSIZE_FORMAT,
                          self->offset,
                          self->length);
}

/* For a request that failed for a reason that no errno stands for alone; NULL for the others. */
static const char *
describe_failure (GaioRequest *self)
{
  switch (self->failure)
    {
    case GAIO_REQUEST_FAILED_CLOSED:
      return "The file is closed (EBADF)";
    case GAIO_REQUEST_FAILED_OTHER_CLOSED:
      return "The destination is closed (EBADF)";
    case GAIO_REQUEST_FAILED_FORKED:
      return "The file was opened before fork() and is the parent's (EIO)";
    default:
      return NULL;
    }
}

static GError *
make_error (GaioRequest *self)
{
  const char *label = self->file->label != NULL ? self->file->label : self->file->path;
  const char *failure = describe_failure (self);
  g_autofree char *shown = NULL;
  g_autofree char *detail = NULL;

  if (failure != NULL)
    {
      shown = label != NULL ? g_filename_display_name (label) : g_strdup ("");
      return g_error_new (G_IO_ERROR,
                          self->failure == GAIO_REQUEST_FAILED_FORKED ? G_IO_ERROR_FAILED
                                                                      : G_IO_ERROR_CLOSED,
                          "%s “%s”: %s",
                          operation_name (self),
                          shown,
                          failure);
    }
  if (self->result == -EINVAL && self->settled)
    detail = describe_refusal (self);
  else if (self->failure == GAIO_REQUEST_FAILED_OVERLAP)
    detail = g_strdup ("the ranges overlap");
  else if (self->kind == GAIO_REQUEST_WRITE)
    detail = g_strdup_printf ("%" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT " bytes written",
                              self->moved,
                              self->length);
  else if (self->kind == GAIO_REQUEST_OPEN && self->result == -ELOOP &&
           (self->flags & O_NOFOLLOW) != 0)
    detail = g_strdup ("a symbolic link is not followed");
  return gaio_error_new_errno_with_detail (-self->result, operation_name (self), label, detail);
}

/**
 * gaio_request_get_result:
 * @self: an idle request that has been submitted
 * @n_bytes: (out) (optional): how many bytes were read or written. It is set also on failure: a
 *   write may have failed, or have been cancelled, with some of it done
 * @error: return location for an error
 *
 * Tells how the last submission ended. Meant for the request's function; later it says the same.
 *
 * Thread: any, while nobody submits it.
 *
 * Returns: %TRUE when the operation succeeded
 */
gboolean
gaio_request_get_result (GaioRequest *self, gsize *n_bytes, GError **error)
{
  g_return_val_if_fail (self != NULL, FALSE);
  g_return_val_if_fail (gaio_request_is_idle (self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (n_bytes != NULL)
    *n_bytes = self->moved;
  if (G_LIKELY (self->result >= 0))
    return TRUE;
  if (error != NULL)
    *error = make_error (self);
  return FALSE;
}

/**
 * gaio_request_get_data: (skip)
 * @self: an idle request that has been submitted
 * @size: (out) (optional): how many bytes were read
 *
 * Gets what the last read has read. It stays the request's, and is valid until the request is next
 * submitted.
 *
 * Thread: any, while nobody submits it.
 *
 * Returns: (transfer none) (nullable): the data, or %NULL when there is none
 */
gconstpointer
gaio_request_get_data (GaioRequest *self, gsize *size)
{
  bool has_data;

  g_return_val_if_fail (self != NULL, NULL);
  g_return_val_if_fail (gaio_request_is_idle (self), NULL);

  has_data = self->kind == GAIO_REQUEST_READ && self->result >= 0 && self->target != NULL;
  if (size != NULL)
    *size = has_data ? self->moved : 0;
  return has_data ? self->target : NULL;
}

void
gaio_request_free_buffer (GaioRequest *self)
{
  g_clear_pointer (&self->pooled, gaio_buffer_give_back);
  g_clear_pointer (&self->memory, self->is_block ? gaio_block_free : free);
  self->buffer = NULL;
  self->capacity = 0;
}

/* Not the caller's. What was read may begin behind the beginning of the buffer. */
static bool
is_own_memory (GaioRequest *self)
{
  return self->buffer != NULL &&
         (guintptr) self->target - (guintptr) self->buffer < self->capacity;
}

/**
 * gaio_request_steal_bytes:
 * @self: an idle request that has been submitted
 *
 * Takes what the last read has read out of the request, without a copy. The next read then needs a
 * new buffer.
 *
 * Thread: any, while nobody submits it.
 *
 * Returns: (transfer full): the data; empty when there is none
 */
GBytes *
gaio_request_steal_bytes (GaioRequest *self)
{
  guint8 *data;
  guint8 *memory;
  gsize size = 0;

  g_return_val_if_fail (self != NULL, NULL);
  g_return_val_if_fail (gaio_request_is_idle (self), NULL);

  if (gaio_request_get_data (self, &size) == NULL || size == 0 || !is_own_memory (self))
    return g_bytes_new (NULL, 0);
  data = self->target;
  self->buffer = NULL;
  self->target = NULL;
  if (self->pooled != NULL)
    {
      self->capacity = 0;
      return g_bytes_new_with_free_func (data,
                                         size,
                                         gaio_buffer_give_back,
                                         g_steal_pointer (&self->pooled));
    }
  memory = g_steal_pointer (&self->memory);
  if (self->capacity - size > self->capacity / WASTE_DIVISOR)
    {
      gsize skip = data - memory;
      /* What is cut off may be most of it: a read of a whole file whose size was guessed. */
      guint8 *smaller = realloc (memory, skip + size);

      if (smaller != NULL)
        {
          memory = smaller;
          data = smaller + skip;
          self->is_block = false;
        }
    }
  self->capacity = 0;
  return g_bytes_new_with_free_func (data, size, self->is_block ? gaio_block_free : free, memory);
}
