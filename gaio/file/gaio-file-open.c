/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Opening files. */

#include "config.h"

#include <errno.h>
#include <fcntl.h>

#include <gaio/base/gaio-error-private.h>
#include <gaio/file/gaio-file-call-private.h>
#include <gaio/file/gaio-file-open.h>

bool
gaio_file_parse_mode (const char *mode, int *flags)
{
  int found;
  bool plus = false;
  bool exclusive = false;
  bool binary = false;

  switch (mode[0])
    {
    case 'r':
      found = O_RDONLY;
      break;
    case 'w':
      found = O_WRONLY | O_CREAT | O_TRUNC;
      break;
    case 'a':
      found = O_WRONLY | O_CREAT | O_APPEND;
      break;
    default:
      return false;
    }
  for (const char *c = mode + 1; *c != '\0'; c++)
    {
      bool *seen = *c == '+' ? &plus : *c == 'x' ? &exclusive : *c == 'b' ? &binary : NULL;

      if (seen == NULL || *seen)
        return false;
      *seen = true;
    }
  if (exclusive && mode[0] == 'r')
    return false;
  if (plus)
    found = (found & ~O_ACCMODE) | O_RDWR;
  if (exclusive)
    found |= O_EXCL;
  *flags = found;
  return true;
}

static GError *
new_mode_error (const char *path, const char *mode)
{
  g_autofree char *detail = g_strdup_printf ("mode “%s”", mode);

  return gaio_error_new_errno_with_detail (EINVAL, "open", path, detail);
}

static GaioFile *
open_blocking (GaioContext *context,
               const char *path,
               const char *mode,
               GCancellable *cancellable,
               GError **error)
{
  g_autoptr (GaioFile) self = NULL;
  g_autoptr (GaioRequest) request = NULL;
  int flags;

  if (!gaio_file_parse_mode (mode, &flags))
    {
      g_propagate_error (error, new_mode_error (path, mode));
      return NULL;
    }
  self = gaio_file_new (context, path);
  request = gaio_request_new_blocking (self, cancellable);
  gaio_request_open (request, flags, 0666);
  if (!gaio_request_get_result (request, NULL, error))
    return NULL;
  return g_steal_pointer (&self);
}

/**
 * gaio_open:
 * @path: (type filename): which file
 * @mode: how to open it, see [func@Gaio.open_async]
 * @cancellable: (nullable): a cancellable
 * @error: return location for an error
 *
 * Opens a file, and blocks until that is done.
 *
 * Thread: any. The file belongs to the thread's default [class@Gaio.Context], see
 * [func@Gaio.Context.ref_thread_default].
 *
 * Returns: (transfer full): the file, or %NULL with an error of `G_IO_ERROR` or %GAIO_ERROR
 */
GaioFile *
gaio_open (const char *path, const char *mode, GCancellable *cancellable, GError **error)
{
  g_autoptr (GaioContext) context = NULL;

  g_return_val_if_fail (path != NULL, NULL);
  g_return_val_if_fail (mode != NULL, NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  context = gaio_context_ref_thread_default ();
  if (context == NULL)
    {
      gaio_set_error_errno (error, EMFILE, "open", path);
      return NULL;
    }
  return open_blocking (context, path, mode, cancellable, error);
}

static void
return_open (GTask *task, GaioRequest *request)
{
  GError *error = NULL;

  if (gaio_request_get_result (request, NULL, &error))
    g_task_return_pointer (task, g_object_ref (request->file), g_object_unref);
  else
    g_task_return_error (task, error);
}

/**
 * gaio_open_async:
 * @path: (type filename): which file
 * @mode: how to open it: `r` to read, `w` to write a new or emptied file, `a` to append; each may
 *   be followed by `+` to read and write, and `w` and `a` by `x` to fail if the file exists. A `b`
 *   is accepted and means nothing
 * @io_priority: the priority of the callback, for example %G_PRIORITY_DEFAULT
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async): called when the file is open
 * @user_data: data for @callback
 *
 * Opens a file.
 *
 * The descriptor is close-on-exec; a new file has the permissions 0666 less the umask. To open a
 * directory fails with %G_IO_ERROR_IS_DIRECTORY, a mode that is none with
 * %G_IO_ERROR_INVALID_ARGUMENT.
 *
 * The opening of a named pipe for writing waits for a reader. Whether the one for reading waits for
 * a writer is the engine's choice: where it does not, the first [method@Gaio.File.read_bytes_async]
 * does, and only [method@Gaio.File.read_bytes] takes a writer that has not come for the end.
 *
 * Thread: any. The file belongs to the thread's default [class@Gaio.Context].
 */
void
gaio_open_async (const char *path,
                 const char *mode,
                 int io_priority,
                 GCancellable *cancellable,
                 GAsyncReadyCallback callback,
                 gpointer user_data)
{
  g_autoptr (GaioContext) context = NULL;
  g_autoptr (GaioFile) self = NULL;
  GaioRequest *request;
  GError *error = NULL;
  GTask *task;
  int flags = 0;

  g_return_if_fail (path != NULL);
  g_return_if_fail (mode != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = GAIO_FILE_NEW_TASK (NULL, gaio_open_async);
  context = gaio_context_ref_thread_default ();
  if (!gaio_file_parse_mode (mode, &flags))
    error = new_mode_error (path, mode);
  else if (context == NULL)
    error = gaio_error_new_errno (EMFILE, "open", path);
  if (error != NULL)
    {
      g_task_return_error (task, error);
      gaio_context_wake_main_context (g_task_get_context (task));
      g_object_unref (task);
      return;
    }
  self = gaio_file_new (context, path);
  request = gaio_file_task_begin (task, self, return_open);
  if (request == NULL)
    return;
  gaio_request_open (request, flags, 0666);
  gaio_file_task_submitted (request);
}

/**
 * gaio_open_finish:
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [func@Gaio.open_async].
 *
 * Thread: the callback's.
 *
 * Returns: (transfer full): the file, or %NULL with an error of `G_IO_ERROR` or %GAIO_ERROR
 */
GaioFile *
gaio_open_finish (GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, NULL), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, gaio_open_async), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

/**
 * gaio_file_new_for_path:
 * @context: the context for the file's operations
 * @path: (type filename): which file
 * @mode: how to open it, see [func@Gaio.open_async]
 * @error: return location for an error
 *
 * Opens a file for a given context, and blocks until that is done.
 *
 * Thread: any.
 *
 * Returns: (transfer full): the file, or %NULL with an error of `G_IO_ERROR` or %GAIO_ERROR
 */
GaioFile *
gaio_file_new_for_path (GaioContext *context, const char *path, const char *mode, GError **error)
{
  g_return_val_if_fail (GAIO_IS_CONTEXT (context), NULL);
  g_return_val_if_fail (path != NULL, NULL);
  g_return_val_if_fail (mode != NULL, NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return open_blocking (context, path, mode, NULL, error);
}
