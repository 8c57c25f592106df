/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What one does with an open file, each as an *_async function with its _finish, and as a twin that
 * blocks. Both are a few lines around a request, see gaio-request.c: the first as a task in the
 * file's context, see gaio-file-task.c, the second in the calling thread. */

#include "config.h"

#include <gaio/file/gaio-file-info-private.h>
#include <gaio/file/gaio-file-task-private.h>

/* The task of an *_async function. A macro, since g_task_set_source_tag() takes the name from its
 * argument. */
#define new_task(source, tag) \
  ({ \
    GTask *task_ = g_task_new (source, cancellable, callback, user_data); \
    g_task_set_source_tag (task_, tag); \
    g_task_set_priority (task_, io_priority); \
    task_; \
  })

static void
return_boolean (GTask *task, GaioRequest *request)
{
  GError *error = NULL;

  if (gaio_request_get_result (request, NULL, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

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
  g_autoptr (GaioRequest) request = NULL;

  g_return_val_if_fail (GAIO_IS_FILE (self), NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  request = gaio_request_new_blocking (self, cancellable);
  gaio_request_read (request, offset, length);
  if (!gaio_request_get_result (request, NULL, error))
    return NULL;
  return gaio_request_steal_bytes (request);
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
  GaioRequest *request;

  g_return_if_fail (GAIO_IS_FILE (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  request = gaio_file_task_begin (new_task (self, gaio_file_read_bytes_async), self, return_bytes);
  if (request == NULL)
    return;
  gaio_request_read (request, offset, length);
  gaio_file_task_submitted (request);
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
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, gaio_file_read_bytes_async), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
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
  g_autoptr (GaioRequest) request = NULL;
  gsize written;

  g_return_val_if_fail (GAIO_IS_FILE (self), -1);
  g_return_val_if_fail (bytes != NULL, -1);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), -1);
  g_return_val_if_fail (error == NULL || *error == NULL, -1);

  request = gaio_request_new_blocking (self, cancellable);
  gaio_request_write (request, offset, bytes);
  return gaio_request_get_result (request, &written, error) ? (gssize) written : -1;
}

static void
return_count (GTask *task, GaioRequest *request)
{
  GError *error = NULL;
  gsize count;

  if (gaio_request_get_result (request, &count, &error))
    g_task_return_int (task, count);
  else
    g_task_return_error (task, error);
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
  GaioRequest *request;

  g_return_if_fail (GAIO_IS_FILE (self));
  g_return_if_fail (bytes != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  request = gaio_file_task_begin (new_task (self, gaio_file_write_bytes_async), self, return_count);
  if (request == NULL)
    return;
  gaio_request_write (request, offset, bytes);
  gaio_file_task_submitted (request);
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
  g_return_val_if_fail (g_task_is_valid (result, self), -1);
  g_return_val_if_fail (g_async_result_is_tagged (result, gaio_file_write_bytes_async), -1);

  return g_task_propagate_int (G_TASK (result), error);
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
  g_autoptr (GaioRequest) request = NULL;

  g_return_val_if_fail (GAIO_IS_FILE (self), FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  request = gaio_request_new_blocking (self, cancellable);
  gaio_request_sync (request, data_only);
  return gaio_request_get_result (request, NULL, error);
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
  GaioRequest *request;

  g_return_if_fail (GAIO_IS_FILE (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  request = gaio_file_task_begin (new_task (self, gaio_file_sync_async), self, return_boolean);
  if (request == NULL)
    return;
  gaio_request_sync (request, data_only);
  gaio_file_task_submitted (request);
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
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  g_return_val_if_fail (g_async_result_is_tagged (result, gaio_file_sync_async), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}

/* Changing the length. */

/**
 * gaio_file_truncate:
 * @self: a file
 * @length: the new length in bytes
 * @cancellable: (nullable): a cancellable; it does not end a wait for a disk
 * @error: return location for an error
 *
 * Changes the file's length, and blocks until that is done. See
 * [method@Gaio.File.truncate_async].
 *
 * Thread: any.
 *
 * Returns: %TRUE when the file has the length
 */
gboolean
gaio_file_truncate (GaioFile *self, goffset length, GCancellable *cancellable, GError **error)
{
  g_autoptr (GaioRequest) request = NULL;

  g_return_val_if_fail (GAIO_IS_FILE (self), FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  request = gaio_request_new_blocking (self, cancellable);
  gaio_request_truncate (request, length);
  return gaio_request_get_result (request, NULL, error);
}

/**
 * gaio_file_truncate_async:
 * @self: a file
 * @length: the new length in bytes
 * @io_priority: the priority of the callback
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async): called when the file has the length
 * @user_data: data for @callback
 *
 * Changes the file's length. What is cut is gone; what is added reads as zeros.
 *
 * Thread: any.
 */
void
gaio_file_truncate_async (GaioFile *self,
                          goffset length,
                          int io_priority,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer user_data)
{
  GaioRequest *request;

  g_return_if_fail (GAIO_IS_FILE (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  request = gaio_file_task_begin (new_task (self, gaio_file_truncate_async), self, return_boolean);
  if (request == NULL)
    return;
  gaio_request_truncate (request, length);
  gaio_file_task_submitted (request);
}

/**
 * gaio_file_truncate_finish:
 * @self: a file
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Gaio.File.truncate_async].
 *
 * Thread: the callback's.
 *
 * Returns: %TRUE when the file has the length
 */
gboolean
gaio_file_truncate_finish (GaioFile *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  g_return_val_if_fail (g_async_result_is_tagged (result, gaio_file_truncate_async), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}

/* Asking about it. */

/**
 * gaio_file_query_info:
 * @self: a file
 * @attributes: (nullable): which attributes, see [method@Gaio.File.query_info_async]
 * @cancellable: (nullable): a cancellable; it does not end a wait for a disk
 * @error: return location for an error
 *
 * Asks for what is known about the file, and blocks until that is done.
 *
 * Thread: any.
 *
 * Returns: (transfer full): the attributes, or %NULL with an error of `G_IO_ERROR` or %GAIO_ERROR
 */
GFileInfo *
gaio_file_query_info (GaioFile *self,
                      const char *attributes,
                      GCancellable *cancellable,
                      GError **error)
{
  g_autoptr (GaioRequest) request = NULL;

  g_return_val_if_fail (GAIO_IS_FILE (self), NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  request = gaio_request_new_blocking (self, cancellable);
  gaio_request_statx (request, GAIO_FILE_INFO_MASK_ALL);
  if (!gaio_request_get_result (request, NULL, error))
    return NULL;
  return gaio_file_info_new (request->statx, self->path, attributes);
}

static void
return_info (GTask *task, GaioRequest *request)
{
  GError *error = NULL;

  if (gaio_request_get_result (request, NULL, &error))
    g_task_return_pointer (task,
                           gaio_file_info_new (request->statx,
                                               request->file->path,
                                               g_task_get_task_data (task)),
                           g_object_unref);
  else
    g_task_return_error (task, error);
}

/**
 * gaio_file_query_info_async:
 * @self: a file
 * @attributes: (nullable): which attributes, as in [method@Gio.File.query_info]; %NULL for all
 * @io_priority: the priority of the callback
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async): called when the answer is there
 * @user_data: data for @callback
 *
 * Asks for what is known about the file.
 *
 * The answer has `standard::name`, `standard::display-name`, `standard::type`, `standard::size`
 * and `standard::allocated-size`, the `time::` attributes as far as the file system keeps them, and
 * those of `unix::` that statx(2) gives.
 *
 * Thread: any.
 */
void
gaio_file_query_info_async (GaioFile *self,
                            const char *attributes,
                            int io_priority,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
  GaioRequest *request;
  GTask *task;

  g_return_if_fail (GAIO_IS_FILE (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = new_task (self, gaio_file_query_info_async);
  g_task_set_task_data (task, g_strdup (attributes), g_free);
  request = gaio_file_task_begin (task, self, return_info);
  if (request == NULL)
    return;
  gaio_request_statx (request, GAIO_FILE_INFO_MASK_ALL);
  gaio_file_task_submitted (request);
}

/**
 * gaio_file_query_info_finish:
 * @self: a file
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Gaio.File.query_info_async].
 *
 * Thread: the callback's.
 *
 * Returns: (transfer full): the attributes, or %NULL with an error of `G_IO_ERROR` or %GAIO_ERROR
 */
GFileInfo *
gaio_file_query_info_finish (GaioFile *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, gaio_file_query_info_async), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}
