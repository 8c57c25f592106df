/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Moving data between a file and memory, and bringing it to the disk. Every function is a few lines
 * around a request, see gaio-request.c: as a task in the file's context, or as a blocking call in
 * the calling thread (gaio-file-call-private.h). They check only what the request does not. */

#include "config.h"

#include <gaio/file/gaio-file-call-private.h>
#include <gaio/file/gaio-file-io.h>

/* Reading. */

/**
 * gaio_file_read_bytes:
 * @self: a file
 * @offset: where to begin, in bytes
 * @length: how many bytes to read
 * @cancellable: (nullable): a cancellable; it ends a wait for a pipe, not one for a disk
 * @error: return location for an error
 *
 * Reads, and blocks until that is done. See [method@Gaio.File.read_bytes_async].
 *
 * Thread: any.
 *
 * Returns: (transfer full): the data, or %NULL with an error of `G_IO_ERROR` or %GAIO_ERROR
 */
GBytes *
gaio_file_read_bytes (
    GaioFile *self, goffset offset, gsize length, GCancellable *cancellable, GError **error)
{
  GAIO_FILE_BLOCK (gaio_request_read (request, offset, length), gaio_request_steal_bytes (request),
                   NULL);
}

static void
return_bytes (GTask *task, GaioRequest *request)
{
  GError *error = NULL;

  if (gaio_request_get_result (request, NULL, &error))
    g_task_return_pointer (task, gaio_request_steal_bytes (request),
                           (GDestroyNotify) g_bytes_unref);
  else
    g_task_return_error (task, error);
}

/**
 * gaio_file_read_bytes_async:
 * @self: a file
 * @offset: where to begin, in bytes; without meaning for a file that is not seekable
 * @length: how many bytes to read
 * @io_priority: the priority of the callback
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async): called when the data is there
 * @user_data: data for @callback
 *
 * Reads @length bytes. There are fewer only when the file ends before; none at its end.
 *
 * From a file that is not seekable it reads what is there, @length bytes at most, and waits only
 * for the first of them.
 *
 * A negative @offset, or one that overflows with @length, fails with
 * %G_IO_ERROR_INVALID_ARGUMENT; a closed file with %G_IO_ERROR_CLOSED.
 *
 * Thread: any.
 */
void
gaio_file_read_bytes_async (GaioFile *self,
                            goffset offset,
                            gsize length,
                            int io_priority,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
  GAIO_FILE_START (gaio_file_read_bytes_async, return_bytes,
                   gaio_request_read (request, offset, length));
}

/**
 * gaio_file_read_bytes_finish:
 * @self: a file
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Gaio.File.read_bytes_async].
 *
 * Thread: the callback's.
 *
 * Returns: (transfer full): the data, or %NULL with an error of `G_IO_ERROR` or %GAIO_ERROR
 */
GBytes *
gaio_file_read_bytes_finish (GaioFile *self, GAsyncResult *result, GError **error)
{
  GAIO_FILE_FINISH (gaio_file_read_bytes_async, pointer, NULL);
}

/* What a read of several pieces is: one read, and where to cut it. */
typedef struct
{
  gsize n;
  gsize lengths[];
} Cuts;

static gsize
sum_lengths (const gsize *lengths, gsize n_lengths)
{
  gsize total = 0;

  for (gsize i = 0; i < n_lengths; i++)
    if (!g_size_checked_add (&total, total, lengths[i]))
      return G_MAXSIZE; /* which the request refuses */
  return total;
}

/* All share the memory of the one read. */
static GPtrArray *
cut_bytes (GaioRequest *request, const gsize *lengths, gsize n_lengths)
{
  g_autoptr (GBytes) whole = gaio_request_steal_bytes (request);
  GPtrArray *chunks = g_ptr_array_new_full (MAX (n_lengths, 1), (GDestroyNotify) g_bytes_unref);
  gsize position = 0;

  for (gsize i = 0; i < n_lengths; i++)
    {
      gsize length = MIN (lengths[i], g_bytes_get_size (whole) - position);

      g_ptr_array_add (chunks, g_bytes_new_from_bytes (whole, position, length));
      position += length;
    }
  return chunks;
}

static GBytes **
take_chunks (GPtrArray *chunks, gsize *n_chunks)
{
  GBytes **result = (GBytes **) g_ptr_array_steal (chunks, n_chunks);

  g_ptr_array_unref (chunks);
  return result;
}

static void
unref_chunks (gpointer chunks)
{
  g_ptr_array_unref (chunks);
}

static void
return_chunks (GTask *task, GaioRequest *request)
{
  const Cuts *cuts = g_task_get_task_data (task);
  GError *error = NULL;

  if (gaio_request_get_result (request, NULL, &error))
    g_task_return_pointer (task, cut_bytes (request, cuts->lengths, cuts->n), unref_chunks);
  else
    g_task_return_error (task, error);
}

static void
submit_readv (GaioRequest *request, goffset offset, const gsize *lengths, gsize n_lengths)
{
  Cuts *cuts = g_malloc (sizeof (Cuts) + n_lengths * sizeof (gsize));

  cuts->n = n_lengths;
  for (gsize i = 0; i < n_lengths; i++)
    cuts->lengths[i] = lengths[i];
  g_task_set_task_data (request->task, cuts, g_free);
  gaio_request_read (request, offset, sum_lengths (lengths, n_lengths));
}

/**
 * gaio_file_readv_bytes:
 * @self: a file
 * @offset: where to begin, in bytes; without meaning for a file that is not seekable
 * @lengths: (array length=n_lengths): how many bytes to read into each piece
 * @n_lengths: how many pieces; any number
 * @n_chunks: (out): how many pieces there are
 * @cancellable: (nullable): a cancellable; it ends a wait for a pipe, not one for a disk
 * @error: return location for an error
 *
 * Reads several pieces that follow each other in the file, and blocks until that is done. See
 * [method@Gaio.File.readv_bytes_async].
 *
 * Thread: any.
 *
 * Returns: (transfer full) (array length=n_chunks): the pieces, as many as were asked for, or %NULL
 *   with an error of `G_IO_ERROR` or %GAIO_ERROR
 */
GBytes **
gaio_file_readv_bytes (GaioFile *self,
                       goffset offset,
                       const gsize *lengths,
                       gsize n_lengths,
                       gsize *n_chunks,
                       GCancellable *cancellable,
                       GError **error)
{
  g_return_val_if_fail (lengths != NULL || n_lengths == 0, NULL);
  g_return_val_if_fail (n_chunks != NULL, NULL);

  GAIO_FILE_BLOCK (gaio_request_read (request, offset, sum_lengths (lengths, n_lengths)),
                   take_chunks (cut_bytes (request, lengths, n_lengths), n_chunks), NULL);
}

/**
 * gaio_file_readv_bytes_async:
 * @self: a file
 * @offset: where to begin, in bytes; without meaning for a file that is not seekable
 * @lengths: (array length=n_lengths): how many bytes to read into each piece
 * @n_lengths: how many pieces; any number
 * @io_priority: the priority of the callback
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async): called when the data is there
 * @user_data: data for @callback
 *
 * Reads several pieces that follow each other in the file, as one read does: a header and what it
 * heads, for example. Pieces are shorter, or empty, only where the file ends.
 *
 * All pieces are parts of one piece of memory, which stays until the last of them is dropped.
 *
 * Otherwise it is like [method@Gaio.File.read_bytes_async].
 *
 * Thread: any.
 */
void
gaio_file_readv_bytes_async (GaioFile *self,
                             goffset offset,
                             const gsize *lengths,
                             gsize n_lengths,
                             int io_priority,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data)
{
  g_return_if_fail (lengths != NULL || n_lengths == 0);

  GAIO_FILE_START (gaio_file_readv_bytes_async, return_chunks,
                   submit_readv (request, offset, lengths, n_lengths));
}

/**
 * gaio_file_readv_bytes_finish:
 * @self: a file
 * @result: what the callback was given
 * @n_chunks: (out): how many pieces there are
 * @error: return location for an error
 *
 * Ends [method@Gaio.File.readv_bytes_async].
 *
 * Thread: the callback's.
 *
 * Returns: (transfer full) (array length=n_chunks): the pieces, as many as were asked for, or %NULL
 *   with an error of `G_IO_ERROR` or %GAIO_ERROR
 */
GBytes **
gaio_file_readv_bytes_finish (GaioFile *self, GAsyncResult *result, gsize *n_chunks, GError **error)
{
  GPtrArray *chunks;

  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, gaio_file_readv_bytes_async), NULL);
  g_return_val_if_fail (n_chunks != NULL, NULL);

  chunks = g_task_propagate_pointer (G_TASK (result), error);
  return chunks != NULL ? take_chunks (chunks, n_chunks) : NULL;
}

/* Writing. */

/**
 * gaio_file_write_bytes:
 * @self: a file
 * @offset: where to begin, in bytes
 * @bytes: what to write
 * @cancellable: (nullable): a cancellable; it ends a wait for a pipe, not one for a disk
 * @error: return location for an error
 *
 * Writes, and blocks until that is done. See [method@Gaio.File.write_bytes_async].
 *
 * Thread: any.
 *
 * Returns: how many bytes were written, which is all of them, or -1 with an error of `G_IO_ERROR`
 *   or %GAIO_ERROR
 */
gssize
gaio_file_write_bytes (
    GaioFile *self, goffset offset, GBytes *bytes, GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (bytes != NULL, -1);

  GAIO_FILE_BLOCK (gaio_request_write (request, offset, bytes), (gssize) request->moved, -1);
}

/**
 * gaio_file_write_bytes_async:
 * @self: a file
 * @offset: where to begin, in bytes; without meaning for a file that is not seekable or was opened
 *   for appending
 * @bytes: what to write
 * @io_priority: the priority of the callback
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async): called when all is written
 * @user_data: data for @callback
 *
 * Writes all of @bytes. When that fails, some of them may have been written: the message of the
 * error says how many, and what follows them in the file is as before.
 *
 * Writes that are in flight together on overlapping parts of the file end in any order.
 *
 * A negative @offset, or one that overflows with the length, fails with
 * %G_IO_ERROR_INVALID_ARGUMENT; a closed file with %G_IO_ERROR_CLOSED.
 *
 * Thread: any.
 */
void
gaio_file_write_bytes_async (GaioFile *self,
                             goffset offset,
                             GBytes *bytes,
                             int io_priority,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data)
{
  g_return_if_fail (bytes != NULL);

  GAIO_FILE_START (gaio_file_write_bytes_async, gaio_file_return_count,
                   gaio_request_write (request, offset, bytes));
}

/**
 * gaio_file_write_bytes_finish:
 * @self: a file
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Gaio.File.write_bytes_async].
 *
 * Thread: the callback's.
 *
 * Returns: how many bytes were written, which is all of them, or -1 with an error of `G_IO_ERROR`
 *   or %GAIO_ERROR
 */
gssize
gaio_file_write_bytes_finish (GaioFile *self, GAsyncResult *result, GError **error)
{
  GAIO_FILE_FINISH (gaio_file_write_bytes_async, int, -1);
}

static void
write_copy (GaioRequest *request, goffset offset, const guint8 *data, gsize length)
{
  g_autoptr (GBytes) bytes = g_bytes_new (data, length);

  gaio_request_write (request, offset, bytes);
}

/* For one that is over when the caller goes on. */
static void
write_here (GaioRequest *request, goffset offset, const guint8 *data, gsize length)
{
  g_autoptr (GBytes) bytes = g_bytes_new_static (data, length);

  gaio_request_write (request, offset, bytes);
}

static bool
are_chunks (GBytes *const *chunks, gsize n_chunks)
{
  for (gsize i = 0; i < n_chunks; i++)
    if (chunks == NULL || chunks[i] == NULL)
      return false;
  return true;
}

/**
 * gaio_file_write:
 * @self: a file
 * @offset: where to begin, in bytes; without meaning for a file that is not seekable or was
 *   opened for appending
 * @data: (array length=length): what to write; it is copied, so it may change as soon as the
 *   function has returned
 * @length: how many bytes
 * @cancellable: (nullable): a cancellable; it ends a wait for a pipe, not one for a disk
 * @error: return location for an error
 *
 * Writes, and blocks until that is done. See [method@Gaio.File.write_async].
 *
 * Thread: any.
 *
 * Returns: how many bytes were written, which is all of them, or -1 with an error of `G_IO_ERROR`
 *   or %GAIO_ERROR
 */
gssize
gaio_file_write (GaioFile *self,
                 goffset offset,
                 const guint8 *data,
                 gsize length,
                 GCancellable *cancellable,
                 GError **error)
{
  g_return_val_if_fail (data != NULL || length == 0, -1);

  GAIO_FILE_BLOCK (write_here (request, offset, data, length), (gssize) request->moved, -1);
}

/**
 * gaio_file_write_async:
 * @self: a file
 * @offset: where to begin, in bytes; without meaning for a file that is not seekable or was
 *   opened for appending
 * @data: (array length=length): what to write; it is copied, so it may change as soon as the
 *   function has returned
 * @length: how many bytes
 * @io_priority: the priority of the callback
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async): called when all is written
 * @user_data: data for @callback
 *
 * Writes all of @data. It is [method@Gaio.File.write_bytes_async] for data that is no
 * [struct@GLib.Bytes], at the cost of a copy.
 *
 * Thread: any.
 */
void
gaio_file_write_async (GaioFile *self,
                       goffset offset,
                       const guint8 *data,
                       gsize length,
                       int io_priority,
                       GCancellable *cancellable,
                       GAsyncReadyCallback callback,
                       gpointer user_data)
{
  g_return_if_fail (data != NULL || length == 0);

  GAIO_FILE_START (gaio_file_write_async, gaio_file_return_count,
                   write_copy (request, offset, data, length));
}

/**
 * gaio_file_write_finish:
 * @self: a file
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Gaio.File.write_async].
 *
 * Thread: the callback's.
 *
 * Returns: how many bytes were written, which is all of them, or -1 with an error of `G_IO_ERROR`
 *   or %GAIO_ERROR
 */
gssize
gaio_file_write_finish (GaioFile *self, GAsyncResult *result, GError **error)
{
  GAIO_FILE_FINISH (gaio_file_write_async, int, -1);
}

/**
 * gaio_file_writev_bytes:
 * @self: a file
 * @offset: where to begin, in bytes; without meaning for a file that is not seekable or was
 *   opened for appending
 * @chunks: (array length=n_chunks) (transfer none): what to write, one after the other
 * @n_chunks: how many there are; any number
 * @cancellable: (nullable): a cancellable; it ends a wait for a pipe, not one for a disk
 * @error: return location for an error
 *
 * Writes several pieces of memory to one piece of the file, and blocks until that is done. See
 * [method@Gaio.File.writev_bytes_async].
 *
 * Thread: any.
 *
 * Returns: how many bytes were written, which is all of them, or -1 with an error of `G_IO_ERROR`
 *   or %GAIO_ERROR
 */
gssize
gaio_file_writev_bytes (GaioFile *self,
                        goffset offset,
                        GBytes *const *chunks,
                        gsize n_chunks,
                        GCancellable *cancellable,
                        GError **error)
{
  g_return_val_if_fail (are_chunks (chunks, n_chunks), -1);

  GAIO_FILE_BLOCK (gaio_request_writev (request, offset, chunks, n_chunks), (gssize) request->moved,
                   -1);
}

/**
 * gaio_file_writev_bytes_async:
 * @self: a file
 * @offset: where to begin, in bytes; without meaning for a file that is not seekable or was
 *   opened for appending
 * @chunks: (array length=n_chunks) (transfer none): what to write, one after the other
 * @n_chunks: how many there are; any number
 * @io_priority: the priority of the callback
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async): called when all is written
 * @user_data: data for @callback
 *
 * Writes several pieces of memory to one piece of the file, without joining them before. The array
 * is not needed any more when the function has returned.
 *
 * Otherwise it is like [method@Gaio.File.write_bytes_async].
 *
 * Thread: any.
 */
void
gaio_file_writev_bytes_async (GaioFile *self,
                              goffset offset,
                              GBytes *const *chunks,
                              gsize n_chunks,
                              int io_priority,
                              GCancellable *cancellable,
                              GAsyncReadyCallback callback,
                              gpointer user_data)
{
  g_return_if_fail (are_chunks (chunks, n_chunks));

  GAIO_FILE_START (gaio_file_writev_bytes_async, gaio_file_return_count,
                   gaio_request_writev (request, offset, chunks, n_chunks));
}

/**
 * gaio_file_writev_bytes_finish:
 * @self: a file
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Gaio.File.writev_bytes_async].
 *
 * Thread: the callback's.
 *
 * Returns: how many bytes were written, which is all of them, or -1 with an error of `G_IO_ERROR`
 *   or %GAIO_ERROR
 */
gssize
gaio_file_writev_bytes_finish (GaioFile *self, GAsyncResult *result, GError **error)
{
  GAIO_FILE_FINISH (gaio_file_writev_bytes_async, int, -1);
}

/**
 * gaio_file_append_bytes:
 * @self: a file
 * @bytes: what to write
 * @cancellable: (nullable): a cancellable; it ends a wait for a pipe, not one for a disk
 * @error: return location for an error
 *
 * Writes behind the end of the file, and blocks until that is done. See
 * [method@Gaio.File.append_bytes_async].
 *
 * Thread: any.
 *
 * Returns: how many bytes were written, which is all of them, or -1 with an error of `G_IO_ERROR`
 *   or %GAIO_ERROR
 */
gssize
gaio_file_append_bytes (GaioFile *self, GBytes *bytes, GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (bytes != NULL, -1);

  GAIO_FILE_BLOCK (gaio_request_append (request, &bytes, 1), (gssize) request->moved, -1);
}

/**
 * gaio_file_append_bytes_async:
 * @self: a file
 * @bytes: what to write
 * @io_priority: the priority of the callback
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async): called when all is written
 * @user_data: data for @callback
 *
 * Writes all of @bytes behind the end of the file, wherever that is by then. So several may write
 * to one file, also through different files and from different programs, and nobody's data is
 * overwritten.
 *
 * It is not in one piece only when the system wrote less than it was given, as it does when the
 * disk is full; then the rest follows what others have appended meanwhile.
 *
 * Appends that are in flight together come in any order.
 *
 * Thread: any.
 */
void
gaio_file_append_bytes_async (GaioFile *self,
                              GBytes *bytes,
                              int io_priority,
                              GCancellable *cancellable,
                              GAsyncReadyCallback callback,
                              gpointer user_data)
{
  g_return_if_fail (bytes != NULL);

  GAIO_FILE_START (gaio_file_append_bytes_async, gaio_file_return_count,
                   gaio_request_append (request, &bytes, 1));
}

/**
 * gaio_file_append_bytes_finish:
 * @self: a file
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Gaio.File.append_bytes_async].
 *
 * Thread: the callback's.
 *
 * Returns: how many bytes were written, which is all of them, or -1 with an error of `G_IO_ERROR`
 *   or %GAIO_ERROR
 */
gssize
gaio_file_append_bytes_finish (GaioFile *self, GAsyncResult *result, GError **error)
{
  GAIO_FILE_FINISH (gaio_file_append_bytes_async, int, -1);
}

/* Syncing. */

/**
 * gaio_file_sync:
 * @self: a file
 * @data_only: whether the file's times and the like may be left out
 * @cancellable: (nullable): a cancellable; it does not end a wait for a disk
 * @error: return location for an error
 *
 * Syncs, and blocks until that is done. See [method@Gaio.File.sync_async].
 *
 * Thread: any.
 *
 * Returns: %TRUE when the data is on the disk
 */
gboolean
gaio_file_sync (GaioFile *self, gboolean data_only, GCancellable *cancellable, GError **error)
{
  GAIO_FILE_BLOCK (gaio_request_sync (request, data_only), TRUE, FALSE);
}

/**
 * gaio_file_sync_async:
 * @self: a file
 * @data_only: whether the file's times and the like may be left out, as with fdatasync(2)
 * @io_priority: the priority of the callback
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async): called when the data is on the disk
 * @user_data: data for @callback
 *
 * Brings to the disk what writes that have ended have written.
 *
 * The first error is the file's for ever: the system reports a lost write only once, so later
 * syncs, and the close, fail with the same.
 *
 * Thread: any.
 */
void
gaio_file_sync_async (GaioFile *self,
                      gboolean data_only,
                      int io_priority,
                      GCancellable *cancellable,
                      GAsyncReadyCallback callback,
                      gpointer user_data)
{
  GAIO_FILE_START (gaio_file_sync_async, gaio_file_return_boolean,
                   gaio_request_sync (request, data_only));
}

/**
 * gaio_file_sync_finish:
 * @self: a file
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Gaio.File.sync_async].
 *
 * Thread: the callback's.
 *
 * Returns: %TRUE when the data is on the disk
 */
gboolean
gaio_file_sync_finish (GaioFile *self, GAsyncResult *result, GError **error)
{
  GAIO_FILE_FINISH (gaio_file_sync_async, boolean, FALSE);
}
