/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/**
 * GaioFileOutputStream:
 *
 * A [class@Gio.FileOutputStream] that writes a [class@Gaio.File], for whatever wants a
 * [class@Gio.OutputStream].
 *
 * Its `_async` functions end in the file's [class@Gaio.Context], so that must run, as it does when
 * it is attached to the main loop.
 *
 * An asynchronous write of up to half of [property@Gaio.FileOutputStream:write-behind] is done as
 * soon as its bytes are in the stream's memory, and they are written to the file right behind it. A
 * larger one, and every blocking one, ends when it is in the file. If what was taken cannot be
 * written, each later write, flush and seek, and the close, fail with the same error. So does a
 * program that does not close its streams itself, or ignores the result, not learn of it.
 *
 * Differences from the streams that [method@Gio.File.replace] and its like give:
 *
 * - It begins at the start of the file, or at its end when the file was opened for appending, and
 *   leaves the descriptor's own position alone.
 * - A flush waits for what the stream has taken. Neither it nor the close brings it to the disk;
 * see [method@Gaio.File.sync_async].
 * - While others append to the same file, [method@Gio.Seekable.tell] does not count their bytes.
 * - The close does not make a backup or rename a file.
 * - To seek in a pipe or to truncate one fails with %G_IO_ERROR_NOT_SUPPORTED.
 * - A blocking close does not wait for operations that others have in flight on the file: the
 *   descriptor is closed when they have ended.
 *
 * Like every stream it lets one operation run at a time, and fails others with
 * %G_IO_ERROR_PENDING. Operations may be called from different threads, one after the other.
 */

#include "config.h"

#include <sys/stat.h>

#include <gaio/file/gaio-stream-halves-private.h>
#include <gaio/file/gaio-stream-splice-private.h>
#include <gaio/file/gaio-write-behind-private.h>

#define DEFAULT_WRITE_BEHIND (1 << 20)
#define MAX_WRITE_BEHIND (1 << 30)

enum
{
  PROP_FILE = 1,
  PROP_CLOSE_FILE,
  PROP_WRITE_BEHIND,
  N_PROPS,
};

static GParamSpec *props[N_PROPS];

struct _GaioFileOutputStream
{
  GFileOutputStream parent_instance;

  /* immutable */
  GaioFile *file;
  bool close_file;
  guint write_behind;

  /* of the operation that is running */
  GaioStreamCursor *cursor;
  GaioWriteBehind *window; /* NULL: nothing has been put into it */
  char *etag;              /* known when it is closed */
};

G_DEFINE_FINAL_TYPE (GaioFileOutputStream, gaio_file_output_stream, G_TYPE_FILE_OUTPUT_STREAM)

/* What a write_async or writev_async wants, when it has to wait. */
typedef struct
{
  GOutputVector one; /* of the first */
  const GOutputVector *vectors;
  gsize n_vectors;
  gsize total;
} Write;

static void go_on_writing (GTask *task);

static bool
drain (GaioFileOutputStream *self, GError **error)
{
  return self->window == NULL || gaio_write_behind_drain (self->window, error);
}

/* Has the task, which it takes over, go on when all is written. */
static void
wait_for_drain (GaioFileOutputStream *self,
                GTask *task,
                GaioStreamResume resume,
                GCancellable *cancellable)
{
  if (self->window == NULL || gaio_write_behind_is_empty (self->window))
    resume (task);
  else
    gaio_write_behind_wait (self->window, 0, gaio_stream_waiter_new (task, resume, cancellable));
}

/* Writing */

static void
submit_write (GaioFileOutputStream *self, GaioRequest *request, const Write *write)
{
  g_autofree GBytes **chunks = g_new (GBytes *, write->n_vectors);

  for (gsize i = 0; i < write->n_vectors; i++)
    chunks[i] = g_bytes_new_static (write->vectors[i].buffer, write->vectors[i].size);
  gaio_request_writev (request, gaio_stream_cursor_get (self->cursor), chunks, write->n_vectors);
  for (gsize i = 0; i < write->n_vectors; i++)
    g_bytes_unref (chunks[i]);
}

/* What was written before an error is reported as what it is; to write the rest then fails. */
static gssize
take_result (GaioFileOutputStream *self, GaioRequest *request, GError **error)
{
  g_autoptr (GError) own = NULL;
  gsize n;

  if (!gaio_request_get_result (request, &n, &own) && n == 0)
    {
      g_propagate_error (error, g_steal_pointer (&own));
      return -1;
    }
  gaio_stream_cursor_add_written (self->cursor, n);
  return n;
}

static gssize
write_blocking (GaioFileOutputStream *self,
                const Write *write,
                GCancellable *cancellable,
                GError **error)
{
  g_autoptr (GaioRequest) request = NULL;

  if (g_cancellable_set_error_if_cancelled (cancellable, error) || !drain (self, error))
    return -1;
  request = gaio_request_new_blocking (self->file, cancellable);
  submit_write (self, request, write);
  return take_result (self, request, error);
}

static gssize
gaio_file_output_stream_write (GOutputStream *stream,
                               const void *buffer,
                               gsize count,
                               GCancellable *cancellable,
                               GError **error)
{
  GOutputVector one = { buffer, count };
  Write write = { .vectors = &one, .n_vectors = 1 };

  return write_blocking (GAIO_FILE_OUTPUT_STREAM (stream), &write, cancellable, error);
}

static gboolean
gaio_file_output_stream_writev (GOutputStream *stream,
                                const GOutputVector *vectors,
                                gsize n_vectors,
                                gsize *n_written,
                                GCancellable *cancellable,
                                GError **error)
{
  Write write = { .vectors = vectors, .n_vectors = n_vectors };
  gssize n = write_blocking (GAIO_FILE_OUTPUT_STREAM (stream), &write, cancellable, error);

  if (n >= 0 && n_written != NULL)
    *n_written = n;
  return n >= 0;
}

static void
return_write (GTask *task, GaioRequest *request)
{
  GError *error = NULL;
  gssize n = take_result (g_task_get_source_object (task), request, &error);

  if (n >= 0)
    g_task_return_int (task, n);
  else
    g_task_return_error (task, error);
}

/* The caller's memory may not outlive the call: what must wait keeps where it is. */
static void
keep (GTask *task, const Write *write)
{
  Write *kept;

  if (g_task_get_task_data (task) != NULL)
    return;
  kept = g_memdup2 (write, sizeof (Write));
  if (write->vectors == &write->one)
    kept->vectors = &kept->one;
  g_task_set_task_data (task, kept, g_free);
}

static void
write_file (GaioFileOutputStream *self, GTask *task, const Write *write)
{
  GaioRequest *request = gaio_file_task_begin (task, self->file, return_write);

  if (request == NULL)
    return;
  submit_write (self, request, write);
  gaio_file_task_submitted (request);
}

/* Not in a direct file: a write of one may have to wait for another request to it, and must not do
 * that in a worker, for which that request waits. */
static bool
goes_behind (GaioFileOutputStream *self, gsize total)
{
  return self->file->seekable && self->file->direct == NULL && total <= self->write_behind / 2 &&
         self->file->fork_count == gaio_fork_get_count ();
}

/* Takes the task over. */
static void
write_somehow (GaioFileOutputStream *self, GTask *task, const Write *write)
{
  GCancellable *cancellable = g_task_get_cancellable (task);
  GError *error = NULL;

  if (g_cancellable_set_error_if_cancelled (cancellable, &error))
    gaio_stream_return_error (task, error);
  else if (goes_behind (self, write->total))
    {
      if (self->window == NULL)
        self->window = gaio_write_behind_new (self->file, self->write_behind);
      switch (gaio_write_behind_put (self->window, gaio_stream_cursor_get (self->cursor),
                                     write->vectors, write->n_vectors, write->total, &error))
        {
        case GAIO_WRITE_BEHIND_PUT:
          gaio_stream_cursor_add_written (self->cursor, write->total);
          gaio_stream_return_int (task, write->total);
          break;
        case GAIO_WRITE_BEHIND_FULL:
          keep (task, write);
          gaio_write_behind_wait (self->window, write->total,
                                  gaio_stream_waiter_new (task, go_on_writing, cancellable));
          break;
        case GAIO_WRITE_BEHIND_FAILED:
        default:
          gaio_stream_return_error (task, error);
        }
    }
  else if (self->window != NULL && !gaio_write_behind_is_empty (self->window))
    {
      keep (task, write);
      wait_for_drain (self, task, go_on_writing, cancellable);
    }
  else if (self->window != NULL && !gaio_write_behind_check (self->window, &error))
    gaio_stream_return_error (task, error);
  else
    write_file (self, task, write);
}

static void
go_on_writing (GTask *task)
{
  write_somehow (g_task_get_source_object (task), task, g_task_get_task_data (task));
}

static void
gaio_file_output_stream_write_async (GOutputStream *stream,
                                     const void *buffer,
                                     gsize count,
                                     int io_priority,
                                     GCancellable *cancellable,
                                     GAsyncReadyCallback callback,
                                     gpointer user_data)
{
  GaioFileOutputStream *self = GAIO_FILE_OUTPUT_STREAM (stream);
  Write write = { .one = { buffer, count }, .n_vectors = 1, .total = count };

  write.vectors = &write.one;
  write_somehow (self, gaio_stream_new_task (self, gaio_file_output_stream_write_async), &write);
}

static gssize
gaio_file_output_stream_write_finish (GOutputStream *stream, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, stream), -1);

  return g_task_propagate_int (G_TASK (result), error);
}

static void
gaio_file_output_stream_writev_async (GOutputStream *stream,
                                      const GOutputVector *vectors,
                                      gsize n_vectors,
                                      int io_priority,
                                      GCancellable *cancellable,
                                      GAsyncReadyCallback callback,
                                      gpointer user_data)
{
  GaioFileOutputStream *self = GAIO_FILE_OUTPUT_STREAM (stream);
  Write write = { .vectors = vectors, .n_vectors = n_vectors };

  /* GIO has seen that this does not overflow. */
  for (gsize i = 0; i < n_vectors; i++)
    write.total += vectors[i].size;
  write_somehow (self, gaio_stream_new_task (self, gaio_file_output_stream_writev_async), &write);
}

static gboolean
gaio_file_output_stream_writev_finish (GOutputStream *stream,
                                       GAsyncResult *result,
                                       gsize *n_written,
                                       GError **error)
{
  gssize n = gaio_file_output_stream_write_finish (stream, result, error);

  if (n >= 0 && n_written != NULL)
    *n_written = n;
  return n >= 0;
}

/* Flushing */

static gboolean
gaio_file_output_stream_flush (GOutputStream *stream, GCancellable *cancellable, GError **error)
{
  return !g_cancellable_set_error_if_cancelled (cancellable, error) &&
         drain (GAIO_FILE_OUTPUT_STREAM (stream), error);
}

static void
return_flush (GTask *task)
{
  GaioFileOutputStream *self = g_task_get_source_object (task);
  GError *error = NULL;

  if (g_cancellable_set_error_if_cancelled (g_task_get_cancellable (task), &error) ||
      (self->window != NULL && !gaio_write_behind_check (self->window, &error)))
    gaio_stream_return_error (task, error);
  else
    gaio_stream_return_true (task);
}

static void
gaio_file_output_stream_flush_async (GOutputStream *stream,
                                     int io_priority,
                                     GCancellable *cancellable,
                                     GAsyncReadyCallback callback,
                                     gpointer user_data)
{
  GaioFileOutputStream *self = GAIO_FILE_OUTPUT_STREAM (stream);

  wait_for_drain (self, gaio_stream_new_task (self, gaio_file_output_stream_flush_async),
                  return_flush, cancellable);
}

/* Of the flush and of the close. */
static gboolean
gaio_file_output_stream_boolean_finish (GOutputStream *stream, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, stream), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}

/* Closing: what was taken is written, whatever is cancelled; the etag is asked for; the file is
 * closed. The first error of these is the result. */

static gboolean
gaio_file_output_stream_close (GOutputStream *stream, GCancellable *cancellable, GError **error)
{
  GaioFileOutputStream *self = GAIO_FILE_OUTPUT_STREAM (stream);
  bool drained = drain (self, error);

  self->etag = gaio_stream_query_etag (self->file);
  if (!self->close_file)
    return drained;
  return gaio_stream_close_file (self->file, cancellable, drained ? error : NULL) && drained;
}

static void
return_close (GTask *task, GaioRequest *request)
{
  GaioFileOutputStream *self = g_task_get_source_object (task);
  GError *error = NULL;

  if (self->window != NULL && !gaio_write_behind_check (self->window, &error))
    g_task_return_error (task, error);
  else if (self->close_file && !gaio_request_get_result (request, NULL, &error))
    g_task_return_error (task, error);
  else if (!g_task_return_error_if_cancelled (task))
    g_task_return_boolean (task, TRUE);
}

static void
close_with_etag (GTask *task, GaioRequest *statx)
{
  GaioFileOutputStream *self = g_task_get_source_object (task);
  GaioRequest *request;

  self->etag = gaio_stream_make_etag (statx);
  if (!self->close_file)
    {
      return_close (task, statx);
      return;
    }
  request = gaio_file_task_begin_anyway (g_object_ref (task), self->file, return_close);
  gaio_request_close (request);
  gaio_file_task_submitted (request);
}

static void
close_drained (GTask *task)
{
  GaioFileOutputStream *self = g_task_get_source_object (task);
  GaioRequest *request = gaio_file_task_begin_anyway (task, self->file, close_with_etag);

  gaio_request_statx (request, STATX_MTIME);
  gaio_file_task_submitted (request);
}

static void
gaio_file_output_stream_close_async (GOutputStream *stream,
                                     int io_priority,
                                     GCancellable *cancellable,
                                     GAsyncReadyCallback callback,
                                     gpointer user_data)
{
  GaioFileOutputStream *self = GAIO_FILE_OUTPUT_STREAM (stream);

  wait_for_drain (self, gaio_stream_new_task (self, gaio_file_output_stream_close_async),
                  close_drained, NULL);
}

/* GSeekable and the file's attributes. What was taken is written before. */

static goffset
gaio_file_output_stream_tell (GFileOutputStream *stream)
{
  return gaio_stream_cursor_get (GAIO_FILE_OUTPUT_STREAM (stream)->cursor);
}

static gboolean
gaio_file_output_stream_can_seek (GFileOutputStream *stream)
{
  return GAIO_FILE_OUTPUT_STREAM (stream)->file->seekable;
}

static gboolean
gaio_file_output_stream_seek (GFileOutputStream *stream,
                              goffset offset,
                              GSeekType type,
                              GCancellable *cancellable,
                              GError **error)
{
  GaioFileOutputStream *self = GAIO_FILE_OUTPUT_STREAM (stream);

  return drain (self, error) &&
         gaio_stream_cursor_seek (self->cursor, offset, type, cancellable, error);
}

static gboolean
gaio_file_output_stream_truncate (GFileOutputStream *stream,
                                  goffset size,
                                  GCancellable *cancellable,
                                  GError **error)
{
  GaioFileOutputStream *self = GAIO_FILE_OUTPUT_STREAM (stream);

  return drain (self, error) &&
         gaio_stream_cursor_truncate (self->cursor, size, cancellable, error);
}

static char *
gaio_file_output_stream_get_etag (GFileOutputStream *stream)
{
  return g_strdup (GAIO_FILE_OUTPUT_STREAM (stream)->etag);
}

static GFileInfo *
gaio_file_output_stream_query_info (GFileOutputStream *stream,
                                    const char *attributes,
                                    GCancellable *cancellable,
                                    GError **error)
{
  GaioFileOutputStream *self = GAIO_FILE_OUTPUT_STREAM (stream);

  if (!drain (self, error))
    return NULL;
  return gaio_file_query_info (self->file, attributes, cancellable, error);
}

static void
query_drained (GTask *task)
{
  GaioFileOutputStream *self = g_task_get_source_object (task);
  GError *error = NULL;

  if (self->window != NULL && !gaio_write_behind_check (self->window, &error))
    gaio_stream_return_error (task, error);
  else
    gaio_stream_query_info (task, self->file, g_task_get_task_data (task));
}

static void
gaio_file_output_stream_query_info_async (GFileOutputStream *stream,
                                          const char *attributes,
                                          int io_priority,
                                          GCancellable *cancellable,
                                          GAsyncReadyCallback callback,
                                          gpointer user_data)
{
  GaioFileOutputStream *self = GAIO_FILE_OUTPUT_STREAM (stream);
  GTask *task = gaio_stream_new_task (self, gaio_file_output_stream_query_info_async);

  g_task_set_task_data (task, g_strdup (attributes), g_free);
  wait_for_drain (self, task, query_drained, cancellable);
}

static GFileInfo *
gaio_file_output_stream_query_info_finish (GFileOutputStream *stream,
                                           GAsyncResult *result,
                                           GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, stream), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

/* The object */

static void
gaio_file_output_stream_constructed (GObject *object)
{
  GaioFileOutputStream *self = GAIO_FILE_OUTPUT_STREAM (object);

  G_OBJECT_CLASS (gaio_file_output_stream_parent_class)->constructed (object);
  if (self->file == NULL)
    self->file = gaio_file_new (NULL, NULL); /* which is closed */
  self->cursor = gaio_stream_cursor_new (self->file);
}

static void
gaio_file_output_stream_set_property (GObject *object,
                                      guint id,
                                      const GValue *value,
                                      GParamSpec *pspec)
{
  GaioFileOutputStream *self = GAIO_FILE_OUTPUT_STREAM (object);

  switch (id)
    {
    case PROP_FILE:
      self->file = g_value_dup_object (value);
      break;
    case PROP_CLOSE_FILE:
      self->close_file = g_value_get_boolean (value);
      break;
    case PROP_WRITE_BEHIND:
      self->write_behind = g_value_get_uint (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
gaio_file_output_stream_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GaioFileOutputStream *self = GAIO_FILE_OUTPUT_STREAM (object);

  switch (id)
    {
    case PROP_FILE:
      g_value_set_object (value, self->file);
      break;
    case PROP_CLOSE_FILE:
      g_value_set_boolean (value, self->close_file);
      break;
    case PROP_WRITE_BEHIND:
      g_value_set_uint (value, self->write_behind);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
gaio_file_output_stream_finalize (GObject *object)
{
  GaioFileOutputStream *self = GAIO_FILE_OUTPUT_STREAM (object);

  g_clear_pointer (&self->window, gaio_write_behind_unref);
  g_clear_pointer (&self->cursor, gaio_stream_cursor_unref);
  g_clear_object (&self->file);
  g_free (self->etag);
  G_OBJECT_CLASS (gaio_file_output_stream_parent_class)->finalize (object);
}

static void
gaio_file_output_stream_class_init (GaioFileOutputStreamClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GOutputStreamClass *stream_class = G_OUTPUT_STREAM_CLASS (klass);
  GFileOutputStreamClass *file_class = G_FILE_OUTPUT_STREAM_CLASS (klass);
  const GParamFlags construct = G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS;

  object_class->constructed = gaio_file_output_stream_constructed;
  object_class->set_property = gaio_file_output_stream_set_property;
  object_class->get_property = gaio_file_output_stream_get_property;
  object_class->finalize = gaio_file_output_stream_finalize;

  stream_class->write_fn = gaio_file_output_stream_write;
  stream_class->write_async = gaio_file_output_stream_write_async;
  stream_class->write_finish = gaio_file_output_stream_write_finish;
  stream_class->writev_fn = gaio_file_output_stream_writev;
  stream_class->writev_async = gaio_file_output_stream_writev_async;
  stream_class->writev_finish = gaio_file_output_stream_writev_finish;
  stream_class->splice = gaio_stream_splice;
  stream_class->splice_async = gaio_stream_splice_async;
  stream_class->splice_finish = gaio_stream_splice_finish;
  stream_class->flush = gaio_file_output_stream_flush;
  stream_class->flush_async = gaio_file_output_stream_flush_async;
  stream_class->flush_finish = gaio_file_output_stream_boolean_finish;
  stream_class->close_fn = gaio_file_output_stream_close;
  stream_class->close_async = gaio_file_output_stream_close_async;
  stream_class->close_finish = gaio_file_output_stream_boolean_finish;

  file_class->tell = gaio_file_output_stream_tell;
  file_class->can_seek = gaio_file_output_stream_can_seek;
  file_class->seek = gaio_file_output_stream_seek;
  file_class->can_truncate = gaio_file_output_stream_can_seek;
  file_class->truncate_fn = gaio_file_output_stream_truncate;
  file_class->query_info = gaio_file_output_stream_query_info;
  file_class->query_info_async = gaio_file_output_stream_query_info_async;
  file_class->query_info_finish = gaio_file_output_stream_query_info_finish;
  file_class->get_etag = gaio_file_output_stream_get_etag;

  /**
   * GaioFileOutputStream:file:
   *
   * The file that is written.
   */
  props[PROP_FILE] = g_param_spec_object ("file", NULL, NULL, GAIO_TYPE_FILE, construct);

  /**
   * GaioFileOutputStream:close-file:
   *
   * Whether the file is closed with the stream.
   */
  props[PROP_CLOSE_FILE] = g_param_spec_boolean ("close-file", NULL, NULL, TRUE, construct);

  /**
   * GaioFileOutputStream:write-behind:
   *
   * How many bytes the stream takes before they are in the file; 0 for none, so that each write
   * waits for the file.
   *
   * One half is filled by asynchronous writes while the other is being written, in one piece. Files
   * without positions, and those that are open for direct access, are written without it.
   */
  props[PROP_WRITE_BEHIND] = g_param_spec_uint ("write-behind", NULL, NULL, 0, MAX_WRITE_BEHIND,
                                                DEFAULT_WRITE_BEHIND, construct);

  g_object_class_install_properties (object_class, N_PROPS, props);
}

static void
gaio_file_output_stream_init (GaioFileOutputStream *self)
{
}

GaioFileOutputStream *
gaio_file_output_stream_new_half (GaioStreamCursor *cursor)
{
  GaioFileOutputStream *self = g_object_new (GAIO_TYPE_FILE_OUTPUT_STREAM, "file", cursor->file,
                                             "close-file", FALSE, "write-behind", 0, NULL);

  gaio_stream_cursor_unref (self->cursor);
  self->cursor = gaio_stream_cursor_ref (cursor);
  return self;
}

/**
 * gaio_file_output_stream_new:
 * @file: a file that is open for writing
 *
 * Makes a stream that writes a file from its start, and closes it in the end. What the file has is
 * overwritten, and not truncated. A file that was opened for appending is appended to.
 *
 * Thread: any.
 *
 * Returns: (transfer full): the stream
 */
GaioFileOutputStream *
gaio_file_output_stream_new (GaioFile *file)
{
  g_return_val_if_fail (GAIO_IS_FILE (file), NULL);

  return g_object_new (GAIO_TYPE_FILE_OUTPUT_STREAM, "file", file, NULL);
}

/**
 * gaio_file_output_stream_get_file:
 * @self: a stream
 *
 * Gets the file that is written.
 *
 * Thread: any.
 *
 * Returns: (transfer none): the file
 */
GaioFile *
gaio_file_output_stream_get_file (GaioFileOutputStream *self)
{
  g_return_val_if_fail (GAIO_IS_FILE_OUTPUT_STREAM (self), NULL);

  return self->file;
}
