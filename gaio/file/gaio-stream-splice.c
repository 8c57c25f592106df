/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Copying an input stream to the end into an output stream, in pieces that are worth their while.
 *
 * GIO's own moves 8 KiB at a time. Pieces of PIECE_BYTES go past the read-ahead of our input
 * stream, straight into the buffer, and into the write-behind of the output stream, so that the
 * next is read while the last is being written.
 *
 * When these are called the output stream has an operation pending, and its other functions would
 * refuse: writes go to the class, and for the close the mark is taken away. */

#include "config.h"

#include <gaio/file/gaio-stream-private.h>
#include <gaio/file/gaio-stream-splice-private.h>

#define PIECE_BYTES ((gsize) 256 * 1024)

/* A count that does not fit is told as the most that does, as GIO does. */
static gssize
clamp (guint64 n)
{
  return MIN (n, (guint64) G_MAXSSIZE);
}

static bool
write_all (GOutputStream *stream,
           const guint8 *data,
           gsize size,
           GCancellable *cancellable,
           GError **error)
{
  while (size > 0)
    {
      gssize n =
          G_OUTPUT_STREAM_GET_CLASS (stream)->write_fn (stream, data, size, cancellable, error);

      if (n < 0)
        return false;
      data += n;
      size -= n;
    }
  return true;
}

static bool
copy_all (GOutputStream *stream,
          GInputStream *source,
          guint64 *n_copied,
          GCancellable *cancellable,
          GError **error)
{
  g_autofree guint8 *buffer = g_malloc (PIECE_BYTES);

  for (;;)
    {
      gssize n = g_input_stream_read (source, buffer, PIECE_BYTES, cancellable, error);

      if (n <= 0)
        return n == 0;
      if (!write_all (stream, buffer, n, cancellable, error))
        return false;
      *n_copied += n;
    }
}

gssize
gaio_stream_splice (GOutputStream *stream,
                    GInputStream *source,
                    GOutputStreamSpliceFlags flags,
                    GCancellable *cancellable,
                    GError **error)
{
  guint64 n_copied = 0;
  bool good = copy_all (stream, source, &n_copied, cancellable, error);

  /* What the source says to its close does not matter any more; what the target says does. */
  if ((flags & G_OUTPUT_STREAM_SPLICE_CLOSE_SOURCE) != 0)
    g_input_stream_close (source, cancellable, NULL);
  if ((flags & G_OUTPUT_STREAM_SPLICE_CLOSE_TARGET) != 0)
    {
      g_output_stream_clear_pending (stream);
      good = g_output_stream_close (stream, cancellable, good ? error : NULL) && good;
    }
  return good ? clamp (n_copied) : -1;
}

/* The asynchronous one: read, write, read, write..., close the one, close the other. */

typedef struct
{
  GInputStream *source; /* a reference */
  GOutputStreamSpliceFlags flags;
  guint8 *buffer;
  gsize size; /* of what was read, */
  gsize done; /* and of it written */
  guint64 n_copied;
  GError *error; /* the first */
} Splice;

static void read_piece (GTask *task);
static void write_piece (GTask *task);

static void
splice_free (gpointer data)
{
  Splice *self = data;

  g_object_unref (self->source);
  g_free (self->buffer);
  g_clear_error (&self->error);
  g_free (self);
}

static void
return_splice (GTask *task)
{
  Splice *self = g_task_get_task_data (task);

  if (self->error != NULL)
    gaio_stream_return_error (task, g_steal_pointer (&self->error));
  else
    gaio_stream_return_int (task, clamp (self->n_copied));
}

static void
on_target_closed (GObject *stream, GAsyncResult *result, gpointer user_data)
{
  Splice *self = g_task_get_task_data (user_data);

  g_output_stream_close_finish (G_OUTPUT_STREAM (stream), result,
                                self->error == NULL ? &self->error : NULL);
  return_splice (user_data);
}

static void
close_target (GTask *task)
{
  GOutputStream *stream = g_task_get_source_object (task);
  Splice *self = g_task_get_task_data (task);

  if ((self->flags & G_OUTPUT_STREAM_SPLICE_CLOSE_TARGET) == 0)
    {
      return_splice (task);
      return;
    }
  g_output_stream_clear_pending (stream);
  g_output_stream_close_async (stream, g_task_get_priority (task), g_task_get_cancellable (task),
                               on_target_closed, task);
}

static void
on_source_closed (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_input_stream_close_finish (G_INPUT_STREAM (source), result, NULL);
  close_target (user_data);
}

static void
close_both (GTask *task)
{
  Splice *self = g_task_get_task_data (task);

  if ((self->flags & G_OUTPUT_STREAM_SPLICE_CLOSE_SOURCE) != 0)
    g_input_stream_close_async (self->source, g_task_get_priority (task),
                                g_task_get_cancellable (task), on_source_closed, task);
  else
    close_target (task);
}

static void
on_written (GObject *object, GAsyncResult *result, gpointer user_data)
{
  GOutputStream *stream = G_OUTPUT_STREAM (object);
  GTask *task = user_data;
  Splice *self = g_task_get_task_data (task);
  gssize n = G_OUTPUT_STREAM_GET_CLASS (stream)->write_finish (stream, result, &self->error);

  if (n < 0)
    {
      close_both (task);
      return;
    }
  self->done += n;
  self->n_copied += n;
  if (self->done < self->size)
    write_piece (task);
  else
    read_piece (task);
}

static void
write_piece (GTask *task)
{
  GOutputStream *stream = g_task_get_source_object (task);
  Splice *self = g_task_get_task_data (task);

  G_OUTPUT_STREAM_GET_CLASS (stream)->write_async (
      stream, self->buffer + self->done, self->size - self->done, g_task_get_priority (task),
      g_task_get_cancellable (task), on_written, task);
}

static void
on_read (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GTask *task = user_data;
  Splice *self = g_task_get_task_data (task);
  gssize n = g_input_stream_read_finish (G_INPUT_STREAM (source), result, &self->error);

  if (n <= 0)
    {
      close_both (task);
      return;
    }
  self->size = n;
  self->done = 0;
  write_piece (task);
}

static void
read_piece (GTask *task)
{
  Splice *self = g_task_get_task_data (task);

  g_input_stream_read_async (self->source, self->buffer, PIECE_BYTES, g_task_get_priority (task),
                             g_task_get_cancellable (task), on_read, task);
}

void
gaio_stream_splice_async (GOutputStream *stream,
                          GInputStream *source,
                          GOutputStreamSpliceFlags flags,
                          int io_priority,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer user_data)
{
  GTask *task = gaio_stream_new_task (stream, gaio_stream_splice_async);
  Splice *self = g_new0 (Splice, 1);

  self->source = g_object_ref (source);
  self->flags = flags;
  self->buffer = g_malloc (PIECE_BYTES);
  g_task_set_task_data (task, self, splice_free);
  read_piece (task);
}

gssize
gaio_stream_splice_finish (GOutputStream *stream, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, stream), -1);

  return g_task_propagate_int (G_TASK (result), error);
}
