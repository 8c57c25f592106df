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
gaio_file_read_bytes (GaioFile *self,
                      goffset offset,
                      gsize length,
                      GCancellable *cancellable,
                      GError **error)
{
  GAIO_FILE_BLOCK (gaio_request_read (request, offset, length),
                   gaio_request_steal_bytes (request),
                   NULL);
}

static void
return_bytes (GTask *task, GaioRequest *request)
{
  GError *error = NULL;

  if (gaio_request_get_result (request, NULL, &error))
    g_task_return_pointer (task,
                           gaio_request_steal_bytes (request),
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
  GAIO_FILE_START (gaio_file_read_bytes_async,
                   return_bytes,
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
gaio_file_write_bytes (GaioFile *self,
                       goffset offset,
                       GBytes *bytes,
                       GCancellable *cancellable,
                       GError **error)
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

  GAIO_FILE_START (gaio_file_write_bytes_async,
                   gaio_file_return_count,
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
  GAIO_FILE_START (gaio_file_sync_async,
                   gaio_file_return_boolean,
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
