/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a file takes up: its length. */

#include "config.h"

#include <gaio/file/gaio-file-call-private.h>
#include <gaio/file/gaio-file-space.h>

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
  GAIO_FILE_BLOCK (gaio_request_truncate (request, length), TRUE, FALSE);
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
  GAIO_FILE_START (gaio_file_truncate_async,
                   gaio_file_return_boolean,
                   gaio_request_truncate (request, length));
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
  GAIO_FILE_FINISH (gaio_file_truncate_async, boolean, FALSE);
}
