/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the streams over a file share: a position that seeks, the closing, and a way for a task to
 * wait for what another thread does.
 *
 * GIO lets one operation at a time run on a stream, in whichever thread, blocking or not. So the
 * fields of a stream need no lock: an operation that has ended comes before the next one. Only
 * g_seekable_tell() asks at any time.
 *
 * Nothing here, and nothing in a blocking call of a stream, waits for the home thread of the file's
 * context: a program may block in one thread while another one, the home or not, uses the stream.
 */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gaio/base/gaio-error-private.h>
#include <gaio/file/gaio-file-info-private.h>
#include <gaio/file/gaio-stream-private.h>

/* The cursor */

GaioStreamCursor *
gaio_stream_cursor_new (GaioFile *file)
{
  GaioStreamCursor *self = g_new0 (GaioStreamCursor, 1);
  int flags = fcntl (gaio_file_get_fd (file), F_GETFL);

  atomic_init (&self->refs, 1);
  self->file = g_object_ref (file);
  self->append = file->seekable && flags >= 0 && (flags & O_APPEND) != 0;
  if (self->append)
    {
      struct stat info;

      if (fstat (gaio_file_get_fd (file), &info) == 0)
        atomic_init (&self->end, info.st_size);
      if ((flags & O_ACCMODE) == O_WRONLY)
        atomic_init (&self->position, atomic_load (&self->end));
    }
  return self;
}

GaioStreamCursor *
gaio_stream_cursor_ref (GaioStreamCursor *self)
{
  atomic_fetch_add_explicit (&self->refs, 1, memory_order_relaxed);
  return self;
}

void
gaio_stream_cursor_unref (GaioStreamCursor *self)
{
  if (atomic_fetch_sub_explicit (&self->refs, 1, memory_order_acq_rel) != 1)
    return;
  g_object_unref (self->file);
  g_free (self);
}

void
gaio_stream_cursor_add_read (GaioStreamCursor *self, gsize n)
{
  if (self->file->seekable)
    atomic_fetch_add_explicit (&self->position, n, memory_order_relaxed);
}

void
gaio_stream_cursor_add_written (GaioStreamCursor *self, gsize n)
{
  if (self->append)
    atomic_store (&self->position, atomic_fetch_add (&self->end, n) + (goffset) n);
  else if (self->file->seekable)
    atomic_fetch_add_explicit (&self->position, n, memory_order_relaxed);
}

/* How large the file is. A disk has its size elsewhere. */
static goffset
get_size (GaioStreamCursor *self, const struct statx *statx)
{
  goffset size = statx->stx_size;

  if (S_ISBLK (statx->stx_mode))
    {
      if (gaio_file_begin_use (self->file))
        size = lseek (gaio_file_get_fd (self->file), 0, SEEK_END);
      gaio_file_end_use (self->file);
    }
  return MAX (size, 0);
}

static bool
refuse_pipe (GaioStreamCursor *self, const char *what, GError **error)
{
  g_autofree char *label = NULL;

  if (self->file->seekable)
    return false;
  label = g_filename_display_name (self->file->label != NULL ? self->file->label : "");
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
               "%s “%s”: The file has no positions (ESPIPE)", what, label);
  return true;
}

static bool
refuse_offset (GaioStreamCursor *self, goffset offset, const char *what, GError **error)
{
  g_autofree char *detail = g_strdup_printf ("offset %" G_GOFFSET_FORMAT, offset);

  g_propagate_error (error,
                     gaio_error_new_errno_with_detail (EINVAL, what, self->file->label, detail));
  return false;
}

bool
gaio_stream_cursor_seek (GaioStreamCursor *self,
                         goffset offset,
                         GSeekType type,
                         GCancellable *cancellable,
                         GError **error)
{
  goffset target = 0;

  if (g_cancellable_set_error_if_cancelled (cancellable, error) ||
      refuse_pipe (self, "seek", error))
    return false;
  if (type == G_SEEK_CUR)
    target = gaio_stream_cursor_get (self);
  else if (type == G_SEEK_END)
    {
      g_autoptr (GaioRequest) request = gaio_request_new_blocking (self->file, NULL);

      gaio_request_statx (request, STATX_BASIC_STATS);
      if (!gaio_request_get_result (request, NULL, error))
        return false;
      target = get_size (self, request->statx);
    }
  if (__builtin_add_overflow (target, offset, &target) || target < 0)
    return refuse_offset (self, offset, "seek", error);
  atomic_store (&self->position, target);
  return true;
}

bool
gaio_stream_cursor_truncate (GaioStreamCursor *self,
                             goffset size,
                             GCancellable *cancellable,
                             GError **error)
{
  if (refuse_pipe (self, "truncate", error) ||
      !gaio_file_truncate (self->file, size, cancellable, error))
    return false;
  atomic_store (&self->end, size);
  return true;
}

gssize
gaio_stream_cursor_clip (GaioStreamCursor *self, GaioRequest *statx, gsize count, GError **error)
{
  goffset left;

  if (!gaio_request_get_result (statx, NULL, error))
    return -1;
  left = get_size (self, statx->statx) - gaio_stream_cursor_get (self);
  return MIN ((gsize) MAX (left, 0), count);
}

/* Closing */

bool
gaio_stream_close_file (GaioFile *file, GCancellable *cancellable, GError **error)
{
  g_autoptr (GaioRequest) request = gaio_request_new_blocking (file, NULL);

  gaio_request_close (request);
  if (gaio_request_is_idle (request) && !gaio_request_get_result (request, NULL, error))
    return false;
  return !g_cancellable_set_error_if_cancelled (cancellable, error);
}

char *
gaio_stream_make_etag (GaioRequest *statx)
{
  if (!gaio_request_get_result (statx, NULL, NULL))
    return NULL;
  return gaio_file_info_make_etag (statx->statx);
}

char *
gaio_stream_query_etag (GaioFile *file)
{
  g_autoptr (GaioRequest) request = gaio_request_new_blocking (file, NULL);

  gaio_request_statx (request, STATX_MTIME);
  return gaio_stream_make_etag (request);
}

/* Tasks */

static void
on_info (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GTask) task = user_data;
  GError *error = NULL;
  GFileInfo *info = gaio_file_query_info_finish (GAIO_FILE (source), result, &error);

  if (info != NULL)
    g_task_return_pointer (task, info, g_object_unref);
  else
    g_task_return_error (task, error);
}

void
gaio_stream_query_info (GTask *task, GaioFile *file, const char *attributes)
{
  gaio_file_query_info_async (file, attributes, g_task_get_priority (task),
                              g_task_get_cancellable (task), on_info, task);
}

/* A task that returns at once does so from an idle source, which a foreign loop may not know of. */
void
gaio_stream_return_int (GTask *task, gssize value)
{
  g_task_return_int (task, value);
  gaio_context_wake_main_context (g_task_get_context (task));
  g_object_unref (task);
}

void
gaio_stream_return_true (GTask *task)
{
  g_task_return_boolean (task, TRUE);
  gaio_context_wake_main_context (g_task_get_context (task));
  g_object_unref (task);
}

void
gaio_stream_return_error (GTask *task, GError *error)
{
  g_task_return_error (task, error);
  gaio_context_wake_main_context (g_task_get_context (task));
  g_object_unref (task);
}

/* Waiting */

struct _GaioStreamWaiter
{
  atomic_uint refs;    /* the window's, the cancellable's, and that of the way to the task */
  atomic_bool claimed; /* by the window, or by the cancellable */
  GTask *task;         /* a reference, until it is resumed */
  GaioStreamResume resume;
  GCancellable *cancellable;
};

void
gaio_stream_waiter_unref (GaioStreamWaiter *self)
{
  if (atomic_fetch_sub_explicit (&self->refs, 1, memory_order_acq_rel) != 1)
    return;
  g_clear_object (&self->task); /* there still, when its GMainContext has gone */
  g_clear_object (&self->cancellable);
  g_free (self);
}

static void
unref_waiter (gpointer waiter)
{
  gaio_stream_waiter_unref (waiter);
}

static void
unref_waiter_of_closure (gpointer waiter, GClosure *closure)
{
  gaio_stream_waiter_unref (waiter);
}

static gboolean
run_waiter (gpointer data)
{
  GaioStreamWaiter *self = data;

  if (self->cancellable != NULL)
    g_signal_handlers_disconnect_by_data (self->cancellable, self);
  self->resume (g_steal_pointer (&self->task));
  return G_SOURCE_REMOVE;
}

/* Whoever cancels may be in a callback of his own: the task is not resumed inside of it. */
static void
on_cancelled (GCancellable *cancellable, gpointer data)
{
  GaioStreamWaiter *self = data;

  if (atomic_exchange (&self->claimed, true))
    return;
  atomic_fetch_add (&self->refs, 1);
  gaio_file_task_deliver_later (self->task, run_waiter, self, unref_waiter);
}

GaioStreamWaiter *
gaio_stream_waiter_new (GTask *task, GaioStreamResume resume, GCancellable *cancellable)
{
  GaioStreamWaiter *self = g_new0 (GaioStreamWaiter, 1);

  atomic_init (&self->refs, 1);
  self->task = task;
  self->resume = resume;
  if (cancellable != NULL)
    {
      self->cancellable = g_object_ref (cancellable);
      atomic_fetch_add (&self->refs, 1);
      /* Not g_cancellable_connect(): the handler has a reference, so nobody has to wait for it. */
      g_signal_connect_data (cancellable, "cancelled", G_CALLBACK (on_cancelled), self,
                             unref_waiter_of_closure, 0);
      if (g_cancellable_is_cancelled (cancellable))
        on_cancelled (cancellable, self);
    }
  return self;
}

void
gaio_stream_waiter_wake (GaioStreamWaiter *self)
{
  if (atomic_exchange (&self->claimed, true))
    gaio_stream_waiter_unref (self);
  else
    gaio_file_task_deliver (self->task, run_waiter, self, unref_waiter);
}
