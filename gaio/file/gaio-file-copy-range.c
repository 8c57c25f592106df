/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Copying a part of a file to another. The work is in gaio-engine-threads.c, since io_uring has no
 * operation for it. */

#include "config.h"

#include <gaio/file/gaio-file-call-private.h>
#include <gaio/file/gaio-file-copy-range.h>

/**
 * gaio_file_copy_range:
 * @self: a file
 * @offset: where in the file to begin, in bytes
 * @target: what to write to; it may be the same file, and of any context
 * @target_offset: where in that to begin, in bytes
 * @length: how many bytes
 * @cancellable: (nullable): a cancellable; between two pieces it ends the copy
 * @error: return location for an error
 *
 * Copies a range of one file to another, and blocks until that is done. See
 * [method@Gaio.File.copy_range_async].
 *
 * Thread: any.
 *
 * Returns: how many bytes were copied, or -1 with an error of `G_IO_ERROR` or %GAIO_ERROR
 */
gssize
gaio_file_copy_range (GaioFile *self,
                      goffset offset,
                      GaioFile *target,
                      goffset target_offset,
                      gsize length,
                      GCancellable *cancellable,
                      GError **error)
{
  g_return_val_if_fail (GAIO_IS_FILE (target), -1);

  GAIO_FILE_BLOCK (gaio_request_copy_range (request, offset, target, target_offset, length),
                   (gssize) request->moved, -1);
}

/**
 * gaio_file_copy_range_async:
 * @self: a file
 * @offset: where in the file to begin, in bytes
 * @target: what to write to; it may be the same file, and of any context
 * @target_offset: where in that to begin, in bytes
 * @length: how many bytes
 * @io_priority: the priority of the callback
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async): called when the range is copied
 * @user_data: data for @callback
 *
 * Copies a range of one file to another, or to another place in it. The data does not pass through
 * the program where the system can do without, and on some file systems the two then share it.
 *
 * Fewer than @length bytes are copied only when the file ends before. The copy is made in pieces;
 * @cancellable ends it between two of them, and what has been copied by then stays.
 *
 * Ranges of one file that overlap fail with %G_IO_ERROR_INVALID_ARGUMENT, and so does an offset
 * that is negative or overflows; a target that is closed with %G_IO_ERROR_CLOSED. A
 * target that was opened for appending is refused by the system.
 *
 * Thread: any.
 */
void
gaio_file_copy_range_async (GaioFile *self,
                            goffset offset,
                            GaioFile *target,
                            goffset target_offset,
                            gsize length,
                            int io_priority,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
  g_return_if_fail (GAIO_IS_FILE (target));

  GAIO_FILE_START (gaio_file_copy_range_async, gaio_file_return_count,
                   gaio_request_copy_range (request, offset, target, target_offset, length));
}

/**
 * gaio_file_copy_range_finish:
 * @self: a file
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Gaio.File.copy_range_async].
 *
 * Thread: the callback's.
 *
 * Returns: how many bytes were copied, or -1 with an error of `G_IO_ERROR` or %GAIO_ERROR
 */
gssize
gaio_file_copy_range_finish (GaioFile *self, GAsyncResult *result, GError **error)
{
  GAIO_FILE_FINISH (gaio_file_copy_range_async, int, -1);
}
