/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Loading a whole file into memory.
 *
 * Most files are small: they are opened, read into one buffer of FIRST_BYTES, and closed, and each
 * of these is over inside its system call when the file is in the page cache. Only a file that
 * fills the first buffer is asked for its size. Then one buffer of that size is made, and several
 * large reads run at once in threads of the kernel, or of the pool.
 *
 * The size is a guess: the file may grow or shrink meanwhile, and what is in /proc says 0. The end
 * is where a read comes short, and there is always a bit more room than the size, so that a read
 * does. A file that is larger than it said, or that has no positions, is read on in one piece after
 * the other, with the buffer doubled as needed. What is returned is that buffer, without a copy.
 *
 * All but the start runs in the home thread, in the callbacks of requests. The cancellable only
 * sends a message there. */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <gaio/base/gaio-error-private.h>
#include <gaio/file/gaio-file-call-private.h>
#include <gaio/file/gaio-file-open.h>
#include <gaio/file/gaio-load.h>
#include <gaio/file/gaio-memory-private.h>

/* A read of this size is copied in the time that it takes to have a thread do it. */
#define FIRST_BYTES ((gsize) 64 * 1024)

/* Large enough that a hop between threads does not count, small enough that several processors
 * share the work, and the memory is touched while it is in the cache. */
#define CHUNK_BYTES ((gsize) 2 * 1024 * 1024)
#define N_CHUNKS 4

/* Room behind the file's size, so that the last read comes short. */
#define SLACK_BYTES ((gsize) 4096)

/* A buffer is cut when more than this part of it is unused. */
#define WASTE_DIVISOR 8

typedef enum
{
  STAGE_OPEN,
  STAGE_FIRST,
  STAGE_SIZE,
  STAGE_CHUNKS, /* several reads at once */
  STAGE_ON,     /* one read after the other */
  STAGE_CLOSE,
} Stage;

typedef struct
{
  /* immutable */
  gulong cancel_handler;

  /* atomic */
  atomic_int refs; /* the load's own, and the cancel handler's */

  /* home thread, once it is begun; the task's thread from load_return() on */
  GTask *task; /* a reference */

  /* home thread, once it is begun */
  GaioRequest *request; /* for all but the chunks; immutable */
  GaioRequest *chunks[N_CHUNKS];
  Stage stage;
  guint8 *buffer;
  gsize capacity;
  gsize filled; /* good from the beginning to here */
  gsize next;   /* where the next chunk begins */
  gsize end;    /* of the file, as far as it is known; G_MAXSIZE: it is not */
  guint in_flight;
  GError *error; /* the first */
  GBytes *bytes; /* the result */
} Load;

static void on_end (GaioRequest *request, gpointer user_data);
static void on_chunk_end (GaioRequest *request, gpointer user_data);

/* Memory */

/* Doubles a buffer that is full; the first one for a file of unknown size holds what has been read
 * and as much again. */
static bool
grow (guint8 **buffer, gsize *capacity)
{
  guint8 *larger = *capacity > G_MAXSSIZE / 2 ? NULL : realloc (*buffer, *capacity * 2);

  if (larger == NULL)
    return false;
  *buffer = larger;
  *capacity *= 2;
  return true;
}

static GBytes *
to_bytes (guint8 *buffer, gsize capacity, gsize size)
{
  guint8 *smaller;

  if (capacity - size > capacity / WASTE_DIVISOR && (smaller = realloc (buffer, MAX (size, 1))))
    buffer = smaller;
  return g_bytes_new_with_free_func (buffer, size, free, buffer);
}

/* How large the file says it is; 0 when that means nothing. */
static gsize
get_size (const struct statx *statx)
{
  if (!S_ISREG (statx->stx_mode) || statx->stx_size > G_MAXSSIZE - SLACK_BYTES)
    return 0;
  return statx->stx_size;
}

/* The asynchronous one */

static void
load_unref (gpointer data)
{
  Load *self = data;

  if (atomic_fetch_sub_explicit (&self->refs, 1, memory_order_acq_rel) != 1)
    return;
  gaio_request_unref (self->request);
  for (guint i = 0; i < N_CHUNKS; i++)
    g_clear_pointer (&self->chunks[i], gaio_request_unref);
  free (self->buffer);
  g_clear_error (&self->error);
  g_clear_pointer (&self->bytes, g_bytes_unref);
  g_free (self);
}

/* The task goes in its own thread, whoever has the last reference to the rest. */
static void
load_release (gpointer data)
{
  Load *self = data;

  g_clear_object (&self->task);
  load_unref (self);
}

static gpointer
load_ref (Load *self)
{
  atomic_fetch_add_explicit (&self->refs, 1, memory_order_relaxed);
  return self;
}

static gboolean
load_return (gpointer data)
{
  Load *self = data;

  if (self->error != NULL)
    g_task_return_error (self->task, g_steal_pointer (&self->error));
  else
    g_task_return_pointer (self->task,
                           g_steal_pointer (&self->bytes),
                           (GDestroyNotify) g_bytes_unref);
  return G_SOURCE_REMOVE;
}

static void
finish (Load *self)
{
  if (self->cancel_handler != 0)
    g_signal_handler_disconnect (g_task_get_cancellable (self->task), self->cancel_handler);
  gaio_file_task_deliver (self->task, load_return, self, load_release);
}

static void
close_file (Load *self)
{
  self->stage = STAGE_CLOSE;
  gaio_request_close (self->request);
}

static void
succeed (Load *self)
{
  self->bytes = to_bytes (g_steal_pointer (&self->buffer), self->capacity, self->filled);
  close_file (self);
}

/* Keeps the first error, which is the cause of the others. */
static void
note_error (Load *self, GError *error)
{
  if (self->error == NULL)
    self->error = error;
  else
    g_error_free (error);
}

static void
note_errno (Load *self, int errnum)
{
  note_error (self, gaio_error_new_errno (errnum, "load", self->request->file->path));
}

/* Whether the load shall go on. */
static bool
check_cancelled (Load *self)
{
  GCancellable *cancellable = g_task_get_cancellable (self->task);

  if (self->error == NULL && cancellable != NULL && g_cancellable_is_cancelled (cancellable))
    note_errno (self, ECANCELED);
  return self->error != NULL;
}

static void
read_on (Load *self)
{
  self->stage = STAGE_ON;
  if (self->filled == self->capacity && !grow (&self->buffer, &self->capacity))
    {
      note_errno (self, ENOMEM);
      close_file (self);
      return;
    }
  gaio_request_read_into (self->request,
                          self->filled,
                          MIN (self->capacity - self->filled, CHUNK_BYTES),
                          self->buffer + self->filled);
}

static void
read_chunk (Load *self, GaioRequest *request)
{
  gsize offset = self->next;
  gsize length = MIN (self->capacity - offset, CHUNK_BYTES);

  self->next += length;
  self->in_flight++;
  gaio_request_read_into (request, offset, length, self->buffer + offset);
}

/* The first buffer is full: `size` is 0 when the file does not tell. */
static void
read_rest (Load *self, gsize size)
{
  gsize capacity = MAX (size + SLACK_BYTES, FIRST_BYTES * 2);
  gsize filled = self->filled;
  guint8 *buffer = gaio_memory_allocate (capacity);

  if (buffer == NULL)
    {
      note_errno (self, ENOMEM);
      close_file (self);
      return;
    }
  memcpy (buffer, gaio_request_get_data (self->request, NULL), filled);
  self->buffer = buffer;
  self->capacity = capacity;
  if (size <= filled || !self->request->file->seekable)
    {
      read_on (self);
      return;
    }
  self->stage = STAGE_CHUNKS;
  self->next = filled;
  for (guint i = 0; i < N_CHUNKS && self->next < capacity; i++)
    {
      self->chunks[i] = gaio_request_new (self->request->file, on_chunk_end, self, NULL);
      read_chunk (self, self->chunks[i]);
    }
}

static void
cancel_chunks (Load *self)
{
  for (guint i = 0; i < N_CHUNKS; i++)
    if (self->chunks[i] != NULL)
      gaio_request_cancel (self->chunks[i]);
}

static void
on_chunk_end (GaioRequest *request, gpointer user_data)
{
  Load *self = user_data;
  GError *error = NULL;
  gsize n;

  self->in_flight--;
  if (!gaio_request_get_result (request, &n, &error))
    {
      note_error (self, error);
      cancel_chunks (self);
    }
  else if (n < request->length)
    self->end = MIN (self->end, request->offset + n);

  if (!check_cancelled (self) && self->end == G_MAXSIZE && self->next < self->capacity)
    read_chunk (self, request);
  if (self->in_flight > 0)
    return;

  self->filled = MIN (self->end, self->capacity);
  if (self->error != NULL)
    close_file (self);
  else if (self->end != G_MAXSIZE)
    succeed (self);
  else
    read_on (self); /* it has grown */
}

static void
on_first_end (Load *self, gsize n)
{
  self->filled = n;
  if (n == 0 || (self->request->file->seekable && n < FIRST_BYTES))
    {
      self->bytes = gaio_request_steal_bytes (self->request);
      close_file (self);
      return;
    }
  if (!self->request->file->seekable)
    {
      read_rest (self, 0);
      return;
    }
  /* A query leaves the request's buffer, but not its result; so it has one of its own. */
  self->stage = STAGE_SIZE;
  self->chunks[0] = gaio_request_new (self->request->file, on_end, self, NULL);
  gaio_request_statx (self->chunks[0], STATX_SIZE | STATX_TYPE);
}

static void
on_size_end (Load *self)
{
  gsize size = get_size (self->chunks[0]->statx);

  g_clear_pointer (&self->chunks[0], gaio_request_unref);
  read_rest (self, size);
}

static void
on_end (GaioRequest *request, gpointer user_data)
{
  Load *self = user_data;
  GError *error = NULL;
  gsize n = 0;

  if (self->stage == STAGE_CLOSE)
    {
      finish (self);
      return;
    }
  if (!gaio_request_get_result (request, &n, &error))
    note_error (self, error);
  if (self->stage == STAGE_OPEN && self->error != NULL)
    {
      finish (self);
      return;
    }
  if (check_cancelled (self))
    {
      close_file (self);
      return;
    }
  switch (self->stage)
    {
    case STAGE_OPEN:
      self->stage = STAGE_FIRST;
      gaio_request_read (request, 0, FIRST_BYTES);
      break;
    case STAGE_FIRST:
      on_first_end (self, n);
      break;
    case STAGE_SIZE:
      on_size_end (self);
      break;
    case STAGE_ON:
      self->filled += n;
      if (n == 0 || (request->file->seekable && n < request->length))
        succeed (self);
      else
        read_on (self);
      break;
    default:
      g_assert_not_reached ();
    }
}

static void
cancel_at_home (gpointer data)
{
  Load *self = data;

  gaio_request_cancel (self->request);
  cancel_chunks (self);
}

static void
on_cancelled (GCancellable *cancellable, gpointer data)
{
  Load *self = data;

  gaio_bh_queue_invoke (self->request->file->queue, cancel_at_home, load_ref (self), load_unref);
}

/**
 * gaio_load_bytes_async:
 * @path: (type filename): which file
 * @io_priority: the priority of the callback
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async): called when all is read
 * @user_data: data for @callback
 *
 * Reads a whole file into memory.
 *
 * It works for any file that comes to an end: also for one that says it is empty, as those in
 * `/proc` do, for one that grows meanwhile, and for a pipe.
 *
 * Thread: any. The work is done in the thread's default [class@Gaio.Context].
 */
void
gaio_load_bytes_async (const char *path,
                       int io_priority,
                       GCancellable *cancellable,
                       GAsyncReadyCallback callback,
                       gpointer user_data)
{
  g_autoptr (GaioContext) context = NULL;
  g_autoptr (GaioFile) file = NULL;
  g_autoptr (GaioRequest) request = NULL;
  GError *error = NULL;
  GTask *task;
  Load *self;

  g_return_if_fail (path != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = GAIO_FILE_NEW_TASK (NULL, gaio_load_bytes_async);
  g_task_set_check_cancellable (task, FALSE);
  context = gaio_context_ref_thread_default ();
  if (context == NULL)
    error = gaio_error_new_errno (EMFILE, "load", path);
  else if (cancellable != NULL && g_cancellable_is_cancelled (cancellable))
    error = gaio_error_new_errno (ECANCELED, "load", path);
  if (error != NULL)
    {
      gaio_file_task_fail (task, context, error);
      return;
    }

  file = gaio_file_new (context, path);
  self = g_new0 (Load, 1);
  atomic_init (&self->refs, 1);
  self->task = task;
  self->end = G_MAXSIZE;
  self->request = gaio_request_new (file, on_end, self, NULL);
  request = gaio_request_ref (self->request);
  if (cancellable != NULL)
    self->cancel_handler = g_cancellable_connect (cancellable,
                                                  G_CALLBACK (on_cancelled),
                                                  load_ref (self),
                                                  load_unref);
  gaio_request_open (request, O_RDONLY, 0);
  /* A cancel before the submission found nothing; from here on the load may be gone. */
  if (cancellable != NULL && g_cancellable_is_cancelled (cancellable))
    gaio_request_cancel (request);
}

/**
 * gaio_load_bytes_finish:
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [func@Gaio.load_bytes_async].
 *
 * Thread: the callback's.
 *
 * Returns: (transfer full): the file's contents, or %NULL with an error of `G_IO_ERROR` or
 *   %GAIO_ERROR
 */
GBytes *
gaio_load_bytes_finish (GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, NULL), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, gaio_load_bytes_async), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

/* The blocking one */

/**
 * gaio_load_bytes:
 * @path: (type filename): which file
 * @cancellable: (nullable): a cancellable
 * @error: return location for an error
 *
 * Reads a whole file into memory, and blocks until that is done. See
 * [func@Gaio.load_bytes_async].
 *
 * Thread: any.
 *
 * Returns: (transfer full): the file's contents, or %NULL with an error of `G_IO_ERROR` or
 *   %GAIO_ERROR
 */
GBytes *
gaio_load_bytes (const char *path, GCancellable *cancellable, GError **error)
{
  g_autoptr (GaioFile) file = NULL;
  g_autoptr (GaioRequest) request = NULL;
  guint8 *buffer;
  gsize capacity;
  gsize filled = 0;
  gsize n = 0;

  g_return_val_if_fail (path != NULL, NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  file = gaio_open (path, "r", cancellable, error);
  if (file == NULL)
    return NULL;
  request = gaio_request_new_blocking (file, cancellable);
  gaio_request_statx (request, STATX_SIZE | STATX_TYPE);
  if (!gaio_request_get_result (request, NULL, error))
    return NULL;
  capacity = MAX (get_size (request->statx) + SLACK_BYTES, FIRST_BYTES);
  buffer = gaio_memory_allocate (capacity);

  while (buffer != NULL)
    {
      if (filled == capacity && !grow (&buffer, &capacity))
        break;
      /* In pieces, so that a cancel is seen between them. */
      gaio_request_read_into (request,
                              filled,
                              MIN (capacity - filled, CHUNK_BYTES),
                              buffer + filled);
      if (!gaio_request_get_result (request, &n, error))
        {
          free (buffer);
          return NULL;
        }
      filled += n;
      if (n == 0 || (file->seekable && n < request->length))
        return to_bytes (buffer, capacity, filled);
    }
  free (buffer);
  gaio_set_error_errno (error, ENOMEM, "load", path);
  return NULL;
}
