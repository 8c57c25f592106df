/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/**
 * GaioFileIOStream:
 *
 * A [class@Gio.FileIOStream] over a [class@Gaio.File] that is open for reading and writing: an
 * input stream and an output stream with one position, which either moves.
 *
 * The two are as [class@Gaio.FileInputStream] and [class@Gaio.FileOutputStream] are, but nothing is
 * read ahead and nothing written behind, so that each sees what the other has done. To close one
 * of them leaves the file open; to close this stream closes both and the file.
 *
 * A read and a write may be in flight together. Which of them moves the position first is then
 * open, as it is with the streams of GIO.
 */

#include "config.h"

#include <gaio/file/gaio-file-io-stream.h>
#include <gaio/file/gaio-stream-halves-private.h>

enum
{
  PROP_FILE = 1,
  PROP_CLOSE_FILE,
  N_PROPS,
};

static GParamSpec *props[N_PROPS];

struct _GaioFileIOStream
{
  GFileIOStream parent_instance;

  /* immutable */
  GaioFile *file;
  bool close_file;
  GInputStream *input;
  GOutputStream *output;
};

G_DEFINE_FINAL_TYPE (GaioFileIOStream, gaio_file_io_stream, G_TYPE_FILE_IO_STREAM)

static GInputStream *
gaio_file_io_stream_get_input_stream (GIOStream *stream)
{
  return GAIO_FILE_IO_STREAM (stream)->input;
}

static GOutputStream *
gaio_file_io_stream_get_output_stream (GIOStream *stream)
{
  return GAIO_FILE_IO_STREAM (stream)->output;
}

/* The halves have nothing to write or to wait for, so this does not block. It fails when an
 * operation of theirs is pending; that ends, and the file is closed after it. */
static bool
close_halves (GaioFileIOStream *self, GError **error)
{
  bool good = g_output_stream_close (self->output, NULL, error);

  return g_input_stream_close (self->input, NULL, good ? error : NULL) && good;
}

static gboolean
gaio_file_io_stream_close (GIOStream *stream, GCancellable *cancellable, GError **error)
{
  GaioFileIOStream *self = GAIO_FILE_IO_STREAM (stream);
  bool good = close_halves (self, error);

  if (!self->close_file)
    return good;
  return gaio_stream_close_file (self->file, cancellable, good ? error : NULL) && good;
}

static void
return_close (GTask *task, GaioRequest *request)
{
  GError *of_halves = g_task_get_task_data (task);
  GError *error = NULL;

  if (of_halves != NULL)
    g_task_return_error (task, g_error_copy (of_halves));
  else if (!gaio_request_get_result (request, NULL, &error))
    g_task_return_error (task, error);
  else if (!g_task_return_error_if_cancelled (task))
    g_task_return_boolean (task, TRUE);
}

static void
gaio_file_io_stream_close_async (GIOStream *stream,
                                 int io_priority,
                                 GCancellable *cancellable,
                                 GAsyncReadyCallback callback,
                                 gpointer user_data)
{
  GaioFileIOStream *self = GAIO_FILE_IO_STREAM (stream);
  GTask *task = gaio_stream_new_task (self, gaio_file_io_stream_close_async);
  GError *error = NULL;
  GaioRequest *request;

  close_halves (self, &error);
  if (!self->close_file)
    {
      if (error != NULL)
        gaio_stream_return_error (task, error);
      else
        gaio_stream_return_true (task);
      return;
    }
  if (error != NULL)
    g_task_set_task_data (task, error, (GDestroyNotify) g_error_free);
  request = gaio_file_task_begin_anyway (task, self->file, return_close);
  gaio_request_close (request);
  gaio_file_task_submitted (request);
}

static gboolean
gaio_file_io_stream_close_finish (GIOStream *stream, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, stream), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}

/* GSeekable and the file's attributes: as the output stream has them, whose position it is. */

static GFileOutputStream *
get_output (GFileIOStream *stream)
{
  return G_FILE_OUTPUT_STREAM (GAIO_FILE_IO_STREAM (stream)->output);
}

static goffset
gaio_file_io_stream_tell (GFileIOStream *stream)
{
  GFileOutputStream *output = get_output (stream);

  return G_FILE_OUTPUT_STREAM_GET_CLASS (output)->tell (output);
}

static gboolean
gaio_file_io_stream_can_seek (GFileIOStream *stream)
{
  return GAIO_FILE_IO_STREAM (stream)->file->seekable;
}

static gboolean
gaio_file_io_stream_seek (GFileIOStream *stream,
                          goffset offset,
                          GSeekType type,
                          GCancellable *cancellable,
                          GError **error)
{
  GFileOutputStream *output = get_output (stream);

  return G_FILE_OUTPUT_STREAM_GET_CLASS (output)->seek (output, offset, type, cancellable, error);
}

static gboolean
gaio_file_io_stream_truncate (GFileIOStream *stream,
                              goffset size,
                              GCancellable *cancellable,
                              GError **error)
{
  GFileOutputStream *output = get_output (stream);

  return G_FILE_OUTPUT_STREAM_GET_CLASS (output)->truncate_fn (output, size, cancellable, error);
}

/* Known when the output stream is closed, which is before the file is. */
static char *
gaio_file_io_stream_get_etag (GFileIOStream *stream)
{
  return g_file_output_stream_get_etag (get_output (stream));
}

static GFileInfo *
gaio_file_io_stream_query_info (GFileIOStream *stream,
                                const char *attributes,
                                GCancellable *cancellable,
                                GError **error)
{
  return gaio_file_query_info (GAIO_FILE_IO_STREAM (stream)->file, attributes, cancellable, error);
}

static void
gaio_file_io_stream_query_info_async (GFileIOStream *stream,
                                      const char *attributes,
                                      int io_priority,
                                      GCancellable *cancellable,
                                      GAsyncReadyCallback callback,
                                      gpointer user_data)
{
  GaioFileIOStream *self = GAIO_FILE_IO_STREAM (stream);
  GTask *task = gaio_stream_new_task (self, gaio_file_io_stream_query_info_async);

  gaio_stream_query_info (task, self->file, attributes);
}

static GFileInfo *
gaio_file_io_stream_query_info_finish (GFileIOStream *stream, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, stream), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

/* The object */

static void
gaio_file_io_stream_constructed (GObject *object)
{
  GaioFileIOStream *self = GAIO_FILE_IO_STREAM (object);
  GaioStreamCursor *cursor;

  G_OBJECT_CLASS (gaio_file_io_stream_parent_class)->constructed (object);
  if (self->file == NULL)
    self->file = gaio_file_new (NULL, NULL); /* which is closed */
  cursor = gaio_stream_cursor_new (self->file);
  self->input = G_INPUT_STREAM (gaio_file_input_stream_new_half (cursor));
  self->output = G_OUTPUT_STREAM (gaio_file_output_stream_new_half (cursor));
  gaio_stream_cursor_unref (cursor);
}

static void
gaio_file_io_stream_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GaioFileIOStream *self = GAIO_FILE_IO_STREAM (object);

  switch (id)
    {
    case PROP_FILE:
      self->file = g_value_dup_object (value);
      break;
    case PROP_CLOSE_FILE:
      self->close_file = g_value_get_boolean (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
gaio_file_io_stream_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GaioFileIOStream *self = GAIO_FILE_IO_STREAM (object);

  switch (id)
    {
    case PROP_FILE:
      g_value_set_object (value, self->file);
      break;
    case PROP_CLOSE_FILE:
      g_value_set_boolean (value, self->close_file);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
gaio_file_io_stream_finalize (GObject *object)
{
  GaioFileIOStream *self = GAIO_FILE_IO_STREAM (object);

  g_clear_object (&self->input);
  g_clear_object (&self->output);
  g_clear_object (&self->file);
  G_OBJECT_CLASS (gaio_file_io_stream_parent_class)->finalize (object);
}

static void
gaio_file_io_stream_class_init (GaioFileIOStreamClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GIOStreamClass *stream_class = G_IO_STREAM_CLASS (klass);
  GFileIOStreamClass *file_class = G_FILE_IO_STREAM_CLASS (klass);
  const GParamFlags construct = G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS;

  object_class->constructed = gaio_file_io_stream_constructed;
  object_class->set_property = gaio_file_io_stream_set_property;
  object_class->get_property = gaio_file_io_stream_get_property;
  object_class->finalize = gaio_file_io_stream_finalize;

  stream_class->get_input_stream = gaio_file_io_stream_get_input_stream;
  stream_class->get_output_stream = gaio_file_io_stream_get_output_stream;
  stream_class->close_fn = gaio_file_io_stream_close;
  stream_class->close_async = gaio_file_io_stream_close_async;
  stream_class->close_finish = gaio_file_io_stream_close_finish;

  file_class->tell = gaio_file_io_stream_tell;
  file_class->can_seek = gaio_file_io_stream_can_seek;
  file_class->seek = gaio_file_io_stream_seek;
  file_class->can_truncate = gaio_file_io_stream_can_seek;
  file_class->truncate_fn = gaio_file_io_stream_truncate;
  file_class->query_info = gaio_file_io_stream_query_info;
  file_class->query_info_async = gaio_file_io_stream_query_info_async;
  file_class->query_info_finish = gaio_file_io_stream_query_info_finish;
  file_class->get_etag = gaio_file_io_stream_get_etag;

  /**
   * GaioFileIOStream:file:
   *
   * The file that is read and written.
   */
  props[PROP_FILE] = g_param_spec_object ("file", NULL, NULL, GAIO_TYPE_FILE, construct);

  /**
   * GaioFileIOStream:close-file:
   *
   * Whether the file is closed with the stream.
   */
  props[PROP_CLOSE_FILE] = g_param_spec_boolean ("close-file", NULL, NULL, TRUE, construct);

  g_object_class_install_properties (object_class, N_PROPS, props);
}

static void
gaio_file_io_stream_init (GaioFileIOStream *self)
{
}

/**
 * gaio_file_io_stream_new:
 * @file: a file that is open for reading and writing
 *
 * Makes a stream that reads and writes a file from its start, and closes it in the end.
 *
 * Thread: any.
 *
 * Returns: (transfer full): the stream
 */
GaioFileIOStream *
gaio_file_io_stream_new (GaioFile *file)
{
  g_return_val_if_fail (GAIO_IS_FILE (file), NULL);

  return g_object_new (GAIO_TYPE_FILE_IO_STREAM, "file", file, NULL);
}

/**
 * gaio_file_io_stream_get_file:
 * @self: a stream
 *
 * Gets the file that is read and written.
 *
 * Thread: any.
 *
 * Returns: (transfer none): the file
 */
GaioFile *
gaio_file_io_stream_get_file (GaioFileIOStream *self)
{
  g_return_val_if_fail (GAIO_IS_FILE_IO_STREAM (self), NULL);

  return self->file;
}
