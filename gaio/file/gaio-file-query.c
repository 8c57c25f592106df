/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Asking what is known about a file: one statx(2), made a GFileInfo in gaio-file-info.c. */

#include "config.h"

#include <gaio/file/gaio-file-call-private.h>
#include <gaio/file/gaio-file-info-private.h>
#include <gaio/file/gaio-file-query.h>

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
  GAIO_FILE_BLOCK (gaio_request_statx (request, GAIO_FILE_INFO_MASK_ALL),
                   gaio_file_info_new (request->statx, self->path, attributes),
                   NULL);
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

static void
submit_query (GaioRequest *request, const char *attributes)
{
  g_task_set_task_data (request->task, g_strdup (attributes), g_free);
  gaio_request_statx (request, GAIO_FILE_INFO_MASK_ALL);
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
  GAIO_FILE_START (gaio_file_query_info_async, return_info, submit_query (request, attributes));
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
  GAIO_FILE_FINISH (gaio_file_query_info_async, pointer, NULL);
}
