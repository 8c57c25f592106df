/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/**
 * GaioFileInputStream:
 *
 * A [class@Gio.FileInputStream] that reads a [class@Gaio.File], for whatever wants a
 * [class@Gio.InputStream].
 *
 * Its `_async` functions run as the file's operations do, by io_uring where the system allows it,
 * and not as blocking calls in threads. Give their results time: they end in the file's
 * [class@Gaio.Context], so that must run, as it does when it is attached to the main loop.
 *
 * A file that is read from one place on in small pieces, asynchronously, is read ahead of them; see
 * [property@Gaio.FileInputStream:read-ahead]. Bytes that were read ahead are as they were then: if
 * somebody else writes the file meanwhile, seek, which forgets them.
 *
 * Differences from the stream that [method@Gio.File.read] gives:
 *
 * - It begins at the start of the file, and leaves the descriptor's own position alone.
 * - A read returns less than asked for only at the end of the file; of a pipe, what is there.
 * - A blocking close does not wait for what is being read ahead: the descriptor is closed when that
 *   has ended. An asynchronous close waits.
 * - To skip beyond the end of the file, when the position is there already, skips nothing.
 *
 * Like every stream it lets one operation run at a time, and fails others with
 * %G_IO_ERROR_PENDING. Operations may be called from different threads, one after the other.
 */

#include "config.h"

#include <sys/stat.h>

#include <gaio/file/gaio-read-ahead-private.h>
#include <gaio/file/gaio-stream-halves-private.h>

/* So much must have been read in one go before anything is read ahead. A file that is smaller does
 * not pay for it. */
#define START_BYTES ((goffset) 64 * 1024)

#define DEFAULT_READ_AHEAD (4 * GAIO_READ_AHEAD_MAX_CHUNK_BYTES)
#define MAX_READ_AHEAD (1 << 30)

enum
{
  PROP_FILE = 1,
  PROP_CLOSE_FILE,
  PROP_READ_AHEAD,
  N_PROPS,
};

static GParamSpec *props[N_PROPS];

struct _GaioFileInputStream
{
  GFileInputStream parent_instance;

  /* immutable */
  GaioFile *file;
  bool close_file;

  /* of the operation that is running */
  GaioStreamCursor *cursor;
  guint read_ahead;
  GaioReadAhead *window; /* or NULL */
  goffset run_start;     /* where it has been read from, */
  goffset run_end;       /* and to, without a gap */
};

G_DEFINE_FINAL_TYPE (GaioFileInputStream, gaio_file_input_stream, G_TYPE_FILE_INPUT_STREAM)

/* What a read_async wants, when it cannot have it at once. */
typedef struct
{
  guint8 *buffer;
  gsize count;
} Read;

static void go_on_reading (GTask *task);

static void
drop_window (GaioFileInputStream *self)
{
  g_clear_pointer (&self->window, gaio_read_ahead_drop);
}

static void
note_read (GaioFileInputStream *self, gsize n, gsize count)
{
  goffset position = gaio_stream_cursor_get (self->cursor);

  gaio_stream_cursor_add_read (self->cursor, n);
  if (position != self->run_end)
    self->run_start = position;
  self->run_end = position + n;
  /* The end of the file, or pieces that are large themselves. */
  if (n < count || count > GAIO_READ_AHEAD_MAX_CHUNK_BYTES)
    self->run_start = self->run_end;
}

/* What was read before an error is reported as what it is; to read the rest then fails. */
static gssize
take_result (GaioFileInputStream *self, GaioRequest *request, gsize count, GError **error)
{
  g_autoptr (GError) own = NULL;
  gsize n;

  if (!gaio_request_get_result (request, &n, &own) && n == 0)
    {
      g_propagate_error (error, g_steal_pointer (&own));
      return -1;
    }
  note_read (self, n, count);
  return n;
}

static gssize
gaio_file_input_stream_read (GInputStream *stream,
                             void *buffer,
                             gsize count,
                             GCancellable *cancellable,
                             GError **error)
{
  GaioFileInputStream *self = GAIO_FILE_INPUT_STREAM (stream);
  g_autoptr (GaioRequest) request = NULL;

  if (self->window != NULL)
    {
      if (g_cancellable_set_error_if_cancelled (cancellable, error))
        return -1;
      if (gaio_read_ahead_take (self->window, gaio_stream_cursor_get (self->cursor), buffer,
                                count) == GAIO_READ_AHEAD_TAKEN)
        {
          note_read (self, count, count);
          return count;
        }
      /* To wait for it might be to wait for ever. */
      drop_window (self);
    }
  request = gaio_request_new_blocking (self->file, cancellable);
  gaio_request_read_into (request, gaio_stream_cursor_get (self->cursor), count, buffer);
  return take_result (self, request, count, error);
}

static bool
starts_window (GaioFileInputStream *self, gsize count)
{
  return self->read_ahead > 0 && self->file->seekable &&
         count <= gaio_read_ahead_get_chunk_bytes (self->read_ahead) &&
         self->run_end == gaio_stream_cursor_get (self->cursor) &&
         self->run_end - self->run_start >= START_BYTES;
}

static void
return_read (GTask *task, GaioRequest *request)
{
  Read *read = g_task_get_task_data (task);
  GError *error = NULL;
  gssize n = take_result (g_task_get_source_object (task), request, read->count, &error);

  if (n >= 0)
    g_task_return_int (task, n);
  else
    g_task_return_error (task, error);
}

static void
read_file (GTask *task)
{
  GaioFileInputStream *self = g_task_get_source_object (task);
  Read *read = g_task_get_task_data (task);
  GaioRequest *request = gaio_file_task_begin (task, self->file, return_read);

  if (request == NULL)
    return;
  gaio_request_read_into (request, gaio_stream_cursor_get (self->cursor), read->count,
                          read->buffer);
  gaio_file_task_submitted (request);
}

/* Takes the task over when it returns true: it is returned, or waits. */
static bool
read_window (GTask *task)
{
  GaioFileInputStream *self = g_task_get_source_object (task);
  GCancellable *cancellable = g_task_get_cancellable (task);
  Read *read = g_task_get_task_data (task);
  GError *error = NULL;

  if (g_cancellable_set_error_if_cancelled (cancellable, &error))
    {
      gaio_stream_return_error (task, error);
      return true;
    }
  switch (gaio_read_ahead_take (self->window, gaio_stream_cursor_get (self->cursor), read->buffer,
                                read->count))
    {
    case GAIO_READ_AHEAD_TAKEN:
      note_read (self, read->count, read->count);
      gaio_stream_return_int (task, read->count);
      return true;
    case GAIO_READ_AHEAD_WAIT:
      gaio_read_ahead_wait (self->window, read->count,
                            gaio_stream_waiter_new (task, go_on_reading, cancellable));
      return true;
    case GAIO_READ_AHEAD_MISS:
    default:
      drop_window (self);
      self->run_start = self->run_end; /* no new one at once */
      return false;
    }
}

static void
go_on_reading (GTask *task)
{
  GaioFileInputStream *self = g_task_get_source_object (task);

  if (self->window == NULL || !read_window (task))
    read_file (task);
}

static void
gaio_file_input_stream_read_async (GInputStream *stream,
                                   void *buffer,
                                   gsize count,
                                   int io_priority,
                                   GCancellable *cancellable,
                                   GAsyncReadyCallback callback,
                                   gpointer user_data)
{
  GaioFileInputStream *self = GAIO_FILE_INPUT_STREAM (stream);
  GTask *task = gaio_stream_new_task (self, gaio_file_input_stream_read_async);
  Read *read = g_new (Read, 1);

  read->buffer = buffer;
  read->count = count;
  g_task_set_task_data (task, read, g_free);
  if (self->window == NULL && starts_window (self, count))
    self->window = gaio_read_ahead_new (self->file, self->run_end, self->read_ahead);
  go_on_reading (task);
}

static gssize
gaio_file_input_stream_read_finish (GInputStream *stream, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, stream), -1);

  return g_task_propagate_int (G_TASK (result), error);
}

/* Skipping: a position that is moved, but not past the end of the file. */

static bool
skip_in_window (GaioFileInputStream *self, gsize count)
{
  if (self->window == NULL)
    return false;
  if (gaio_read_ahead_take (self->window, gaio_stream_cursor_get (self->cursor), NULL, count) ==
      GAIO_READ_AHEAD_TAKEN)
    {
      note_read (self, count, count);
      return true;
    }
  drop_window (self);
  return false;
}

static gssize
gaio_file_input_stream_skip (GInputStream *stream,
                             gsize count,
                             GCancellable *cancellable,
                             GError **error)
{
  GaioFileInputStream *self = GAIO_FILE_INPUT_STREAM (stream);
  g_autoptr (GaioRequest) request = NULL;
  gssize n;

  if (!self->file->seekable)
    return G_INPUT_STREAM_CLASS (gaio_file_input_stream_parent_class)
        ->skip (stream, count, cancellable, error);
  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return -1;
  if (skip_in_window (self, count))
    return count;
  request = gaio_request_new_blocking (self->file, cancellable);
  gaio_request_statx (request, STATX_BASIC_STATS);
  n = gaio_stream_cursor_clip (self->cursor, request, count, error);
  gaio_stream_cursor_add_read (self->cursor, MAX (n, 0));
  return n;
}

static void
return_skip (GTask *task, GaioRequest *request)
{
  GaioFileInputStream *self = g_task_get_source_object (task);
  GError *error = NULL;
  gssize n = gaio_stream_cursor_clip (self->cursor, request,
                                      GPOINTER_TO_SIZE (g_task_get_task_data (task)), &error);

  if (n < 0)
    {
      g_task_return_error (task, error);
      return;
    }
  gaio_stream_cursor_add_read (self->cursor, n);
  g_task_return_int (task, n);
}

static void
gaio_file_input_stream_skip_async (GInputStream *stream,
                                   gsize count,
                                   int io_priority,
                                   GCancellable *cancellable,
                                   GAsyncReadyCallback callback,
                                   gpointer user_data)
{
  GaioFileInputStream *self = GAIO_FILE_INPUT_STREAM (stream);
  GaioRequest *request;
  GTask *task;

  if (!self->file->seekable)
    {
      G_INPUT_STREAM_CLASS (gaio_file_input_stream_parent_class)
          ->skip_async (stream, count, io_priority, cancellable, callback, user_data);
      return;
    }
  task = gaio_stream_new_task (self, gaio_file_input_stream_skip_async);
  if (!g_cancellable_is_cancelled (cancellable) && skip_in_window (self, count))
    {
      gaio_stream_return_int (task, count);
      return;
    }
  g_task_set_task_data (task, GSIZE_TO_POINTER (count), NULL);
  request = gaio_file_task_begin (task, self->file, return_skip);
  if (request == NULL)
    return;
  gaio_request_statx (request, STATX_BASIC_STATS);
  gaio_file_task_submitted (request);
}

static gssize
gaio_file_input_stream_skip_finish (GInputStream *stream, GAsyncResult *result, GError **error)
{
  GaioFileInputStream *self = GAIO_FILE_INPUT_STREAM (stream);

  if (!self->file->seekable)
    return G_INPUT_STREAM_CLASS (gaio_file_input_stream_parent_class)
        ->skip_finish (stream, result, error);
  return g_task_propagate_int (G_TASK (result), error);
}

/* Closing */

static gboolean
gaio_file_input_stream_close (GInputStream *stream, GCancellable *cancellable, GError **error)
{
  GaioFileInputStream *self = GAIO_FILE_INPUT_STREAM (stream);

  drop_window (self);
  return !self->close_file || gaio_stream_close_file (self->file, cancellable, error);
}

static void
return_close (GTask *task, GaioRequest *request)
{
  GError *error = NULL;

  if (!gaio_request_get_result (request, NULL, &error))
    g_task_return_error (task, error);
  else if (!g_task_return_error_if_cancelled (task))
    g_task_return_boolean (task, TRUE);
}

static void
gaio_file_input_stream_close_async (GInputStream *stream,
                                    int io_priority,
                                    GCancellable *cancellable,
                                    GAsyncReadyCallback callback,
                                    gpointer user_data)
{
  GaioFileInputStream *self = GAIO_FILE_INPUT_STREAM (stream);
  GTask *task = gaio_stream_new_task (self, gaio_file_input_stream_close_async);
  GaioRequest *request;

  drop_window (self);
  if (!self->close_file)
    {
      gaio_stream_return_true (task);
      return;
    }
  request = gaio_file_task_begin_anyway (task, self->file, return_close);
  gaio_request_close (request);
  gaio_file_task_submitted (request);
}

static gboolean
gaio_file_input_stream_close_finish (GInputStream *stream, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, stream), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}

/* GSeekable and the file's attributes */

static goffset
gaio_file_input_stream_tell (GFileInputStream *stream)
{
  return gaio_stream_cursor_get (GAIO_FILE_INPUT_STREAM (stream)->cursor);
}

static gboolean
gaio_file_input_stream_can_seek (GFileInputStream *stream)
{
  return GAIO_FILE_INPUT_STREAM (stream)->file->seekable;
}

static gboolean
gaio_file_input_stream_seek (GFileInputStream *stream,
                             goffset offset,
                             GSeekType type,
                             GCancellable *cancellable,
                             GError **error)
{
  GaioFileInputStream *self = GAIO_FILE_INPUT_STREAM (stream);

  drop_window (self);
  self->run_start = self->run_end = -1;
  return gaio_stream_cursor_seek (self->cursor, offset, type, cancellable, error);
}

static GFileInfo *
gaio_file_input_stream_query_info (GFileInputStream *stream,
                                   const char *attributes,
                                   GCancellable *cancellable,
                                   GError **error)
{
  GaioFileInputStream *self = GAIO_FILE_INPUT_STREAM (stream);

  return gaio_file_query_info (self->file, attributes, cancellable, error);
}

static void
gaio_file_input_stream_query_info_async (GFileInputStream *stream,
                                         const char *attributes,
                                         int io_priority,
                                         GCancellable *cancellable,
                                         GAsyncReadyCallback callback,
                                         gpointer user_data)
{
  GaioFileInputStream *self = GAIO_FILE_INPUT_STREAM (stream);
  GTask *task = gaio_stream_new_task (self, gaio_file_input_stream_query_info_async);

  gaio_stream_query_info (task, self->file, attributes);
}

static GFileInfo *
gaio_file_input_stream_query_info_finish (GFileInputStream *stream,
                                          GAsyncResult *result,
                                          GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, stream), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

/* The object */

static void
gaio_file_input_stream_constructed (GObject *object)
{
  GaioFileInputStream *self = GAIO_FILE_INPUT_STREAM (object);

  G_OBJECT_CLASS (gaio_file_input_stream_parent_class)->constructed (object);
  if (self->file == NULL)
    self->file = gaio_file_new (NULL, NULL); /* which is closed */
  self->cursor = gaio_stream_cursor_new (self->file);
}

static void
gaio_file_input_stream_set_property (GObject *object,
                                     guint id,
                                     const GValue *value,
                                     GParamSpec *pspec)
{
  GaioFileInputStream *self = GAIO_FILE_INPUT_STREAM (object);

  switch (id)
    {
    case PROP_FILE:
      self->file = g_value_dup_object (value);
      break;
    case PROP_CLOSE_FILE:
      self->close_file = g_value_get_boolean (value);
      break;
    case PROP_READ_AHEAD:
      self->read_ahead = g_value_get_uint (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
gaio_file_input_stream_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GaioFileInputStream *self = GAIO_FILE_INPUT_STREAM (object);

  switch (id)
    {
    case PROP_FILE:
      g_value_set_object (value, self->file);
      break;
    case PROP_CLOSE_FILE:
      g_value_set_boolean (value, self->close_file);
      break;
    case PROP_READ_AHEAD:
      g_value_set_uint (value, self->read_ahead);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
gaio_file_input_stream_finalize (GObject *object)
{
  GaioFileInputStream *self = GAIO_FILE_INPUT_STREAM (object);

  drop_window (self);
  g_clear_pointer (&self->cursor, gaio_stream_cursor_unref);
  g_clear_object (&self->file);
  G_OBJECT_CLASS (gaio_file_input_stream_parent_class)->finalize (object);
}

static void
gaio_file_input_stream_class_init (GaioFileInputStreamClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GInputStreamClass *stream_class = G_INPUT_STREAM_CLASS (klass);
  GFileInputStreamClass *file_class = G_FILE_INPUT_STREAM_CLASS (klass);
  const GParamFlags construct = G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS;

  object_class->constructed = gaio_file_input_stream_constructed;
  object_class->set_property = gaio_file_input_stream_set_property;
  object_class->get_property = gaio_file_input_stream_get_property;
  object_class->finalize = gaio_file_input_stream_finalize;

  stream_class->read_fn = gaio_file_input_stream_read;
  stream_class->read_async = gaio_file_input_stream_read_async;
  stream_class->read_finish = gaio_file_input_stream_read_finish;
  stream_class->skip = gaio_file_input_stream_skip;
  stream_class->skip_async = gaio_file_input_stream_skip_async;
  stream_class->skip_finish = gaio_file_input_stream_skip_finish;
  stream_class->close_fn = gaio_file_input_stream_close;
  stream_class->close_async = gaio_file_input_stream_close_async;
  stream_class->close_finish = gaio_file_input_stream_close_finish;

  file_class->tell = gaio_file_input_stream_tell;
  file_class->can_seek = gaio_file_input_stream_can_seek;
  file_class->seek = gaio_file_input_stream_seek;
  file_class->query_info = gaio_file_input_stream_query_info;
  file_class->query_info_async = gaio_file_input_stream_query_info_async;
  file_class->query_info_finish = gaio_file_input_stream_query_info_finish;

  /**
   * GaioFileInputStream:file:
   *
   * The file that is read.
   */
  props[PROP_FILE] = g_param_spec_object ("file", NULL, NULL, GAIO_TYPE_FILE, construct);

  /**
   * GaioFileInputStream:close-file:
   *
   * Whether the file is closed with the stream.
   */
  props[PROP_CLOSE_FILE] = g_param_spec_boolean ("close-file", NULL, NULL, TRUE, construct);

  /**
   * GaioFileInputStream:read-ahead:
   *
   * How many bytes are read before they are asked for; 0 for none.
   *
   * It begins after 64 KiB that were read asynchronously without a gap, in pieces of up to 128
   * KiB or half of this, whichever is less, and is itself done in pieces of that size. A seek and a
   * blocking read that finds its data still on the way give up what was read. A change applies from
   * the next beginning.
   */
  props[PROP_READ_AHEAD] =
      g_param_spec_uint ("read-ahead", NULL, NULL, 0, MAX_READ_AHEAD, DEFAULT_READ_AHEAD,
                         G_PARAM_READWRITE | G_PARAM_CONSTRUCT | G_PARAM_STATIC_STRINGS);

  g_object_class_install_properties (object_class, N_PROPS, props);
}

static void
gaio_file_input_stream_init (GaioFileInputStream *self)
{
}

GaioFileInputStream *
gaio_file_input_stream_new_half (GaioStreamCursor *cursor)
{
  GaioFileInputStream *self = g_object_new (GAIO_TYPE_FILE_INPUT_STREAM, "file", cursor->file,
                                            "close-file", FALSE, "read-ahead", 0, NULL);

  gaio_stream_cursor_unref (self->cursor);
  self->cursor = gaio_stream_cursor_ref (cursor);
  return self;
}

/**
 * gaio_file_input_stream_new:
 * @file: an open file
 *
 * Makes a stream that reads a file from its start, and closes it in the end.
 *
 * Thread: any.
 *
 * Returns: (transfer full): the stream
 */
GaioFileInputStream *
gaio_file_input_stream_new (GaioFile *file)
{
  g_return_val_if_fail (GAIO_IS_FILE (file), NULL);

  return g_object_new (GAIO_TYPE_FILE_INPUT_STREAM, "file", file, NULL);
}

/**
 * gaio_file_input_stream_get_file:
 * @self: a stream
 *
 * Gets the file that is read.
 *
 * Thread: any.
 *
 * Returns: (transfer none): the file
 */
GaioFile *
gaio_file_input_stream_get_file (GaioFileInputStream *self)
{
  g_return_val_if_fail (GAIO_IS_FILE_INPUT_STREAM (self), NULL);

  return self->file;
}
