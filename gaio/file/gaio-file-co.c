/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Files for coroutines: a request whose end goes on with the coroutine. The data is read into the
 * caller's buffer and written from it, without a copy. That may lie on the coroutine's stack, so
 * the coroutine's context, whose end would take the stack away, is held until the kernel is done;
 * it need not be the file's. */

#include "config.h"

#include <gaio/file/gaio-file-co.h>
#include <gaio/file/gaio-file-task-private.h>
#include <gaio/loop/gaio-coroutine-private.h>

static void
on_end (GaioRequest *request, gpointer user_data)
{
  gaio_file_task_untie (request);
  gaio_coroutine_kick_now (user_data);
}

static gssize
transfer (GaioFile *self,
          GaioRequestKind kind,
          goffset offset,
          gpointer buffer,
          gsize length,
          GCancellable *cancellable,
          GError **error)
{
  GaioCoroutine *coroutine = gaio_coroutine_self ();
  g_autoptr (GaioContext) context = gaio_coroutine_ref_context (coroutine);
  g_autoptr (GaioRequest) request = NULL;
  g_autoptr (GBytes) bytes = NULL;
  gsize n_bytes;

  if (g_cancellable_set_error_if_cancelled (cancellable, error))
    return -1;
  /* It is about to end, and this coroutine with it. */
  if (context == NULL)
    gaio_coroutine_wait (coroutine, GAIO_COROUTINE_KICKED);

  request = gaio_request_new (self, on_end, coroutine, NULL);
  if (cancellable != NULL)
    gaio_file_task_tie (request, cancellable);
  if (kind == GAIO_REQUEST_READ)
    gaio_request_read_into (request, offset, length, buffer);
  else
    {
      bytes = g_bytes_new_static (buffer, length);
      gaio_request_write (request, offset, bytes);
    }
  if (cancellable != NULL && g_cancellable_is_cancelled (cancellable))
    gaio_request_cancel (request);
  gaio_coroutine_wait (coroutine, GAIO_COROUTINE_KICKED);
  return gaio_request_get_result (request, &n_bytes, error) ? (gssize) n_bytes : -1;
}

/**
 * gaio_file_co_read: (skip)
 * @self: a file
 * @offset: where to begin, in bytes; without meaning for a file that is not seekable
 * @buffer: (out caller-allocates) (array length=length): where to put the data; for a file that was
 *   opened for direct access it must be aligned as that wants
 * @length: how many bytes to read
 * @cancellable: (nullable): a cancellable
 * @error: return location for an error
 *
 * Reads, and waits for that as coroutines wait: the thread of the caller does other things
 * meanwhile. There are fewer bytes than @length only when the file ends before, see
 * [method@Gaio.File.read_bytes_async].
 *
 * The file may be of another context than the coroutine.
 *
 * Thread: home of the coroutine, in one; elsewhere it is refused with a critical warning.
 *
 * Returns: how many bytes were read, or -1 with an error of `G_IO_ERROR` or %GAIO_ERROR
 */
gssize
gaio_file_co_read (GaioFile *self,
                   goffset offset,
                   gpointer buffer,
                   gsize length,
                   GCancellable *cancellable,
                   GError **error)
{
  g_return_val_if_fail (GAIO_IS_FILE (self), -1);
  g_return_val_if_fail (buffer != NULL || length == 0, -1);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), -1);
  g_return_val_if_fail (error == NULL || *error == NULL, -1);
  g_return_val_if_fail (gaio_coroutine_self () != NULL, -1);

  return transfer (self, GAIO_REQUEST_READ, offset, buffer, length, cancellable, error);
}

/**
 * gaio_file_co_write: (skip)
 * @self: a file
 * @offset: where to begin, in bytes; without meaning for a file that is not seekable or was opened
 *   for appending
 * @buffer: (array length=length): what to write; for a file that was opened for direct access it
 *   must be aligned as that wants
 * @length: how many bytes to write
 * @cancellable: (nullable): a cancellable
 * @error: return location for an error
 *
 * Writes all of it, and waits for that as coroutines wait: the thread of the caller does other
 * things meanwhile. When it fails, some may have been written, see
 * [method@Gaio.File.write_bytes_async].
 *
 * Thread: home of the coroutine, in one; elsewhere it is refused with a critical warning.
 *
 * Returns: how many bytes were written, which is all of them, or -1 with an error of `G_IO_ERROR`
 *   or %GAIO_ERROR
 */
gssize
gaio_file_co_write (GaioFile *self,
                    goffset offset,
                    gconstpointer buffer,
                    gsize length,
                    GCancellable *cancellable,
                    GError **error)
{
  g_return_val_if_fail (GAIO_IS_FILE (self), -1);
  g_return_val_if_fail (buffer != NULL || length == 0, -1);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), -1);
  g_return_val_if_fail (error == NULL || *error == NULL, -1);
  g_return_val_if_fail (gaio_coroutine_self () != NULL, -1);

  return transfer (self, GAIO_REQUEST_WRITE, offset, (gpointer) buffer, length, cancellable, error);
}
