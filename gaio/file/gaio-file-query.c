/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Asking what is known about a file. What the attributes that are asked for need of statx(2), and
 * how they are made, is in gaio-file-info.c.
 *
 * Of an open file it is one request. Of a path it is a chain: whether it is a symbolic link, then
 * what that leads to, and its text, which the ring has no operation for. So a worker does it; the
 * kernel would run statx(2) of the ring in one of its own threads anyway. Any thread may call
 * anything. */

#include "config.h"

#include <errno.h>
#include <fcntl.h>

#include <gaio/file/gaio-file-call-private.h>
#include <gaio/file/gaio-file-info-private.h>
#include <gaio/file/gaio-file-query.h>
#include <gaio/file/gaio-work-private.h>

/* An open file */

static GFileInfo *
make_info (GaioRequest *request, const GaioFileInfoWish *wish)
{
  const char *path = request->file->path;
  g_autofree char *name = path != NULL ? g_path_get_basename (path) : NULL;

  return gaio_file_info_new (wish, request->statx, name, S_ISLNK (request->statx->stx_mode));
}

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
  g_auto (GaioFileInfoWish) wish = { 0 };

  gaio_file_info_wish_init (&wish, attributes);
  GAIO_FILE_BLOCK (gaio_request_statx (request, wish.mask), make_info (request, &wish), NULL);
}

static void
free_wish (gpointer data)
{
  gaio_file_info_wish_clear (data);
  g_free (data);
}

static void
return_info (GTask *task, GaioRequest *request)
{
  GError *error = NULL;

  if (gaio_request_get_result (request, NULL, &error))
    g_task_return_pointer (task, make_info (request, g_task_get_task_data (task)), g_object_unref);
  else
    g_task_return_error (task, error);
}

static void
submit_query (GaioRequest *request, const char *attributes)
{
  GaioFileInfoWish *wish = g_new (GaioFileInfoWish, 1);

  gaio_file_info_wish_init (wish, attributes);
  g_task_set_task_data (request->task, wish, free_wish);
  gaio_request_statx (request, wish->mask);
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
 * What is asked for decides what the system has to find out. There are, with the values that
 * [method@Gio.File.query_info] gives them:
 *
 * - of `standard::` the type, `size` and `allocated-size`, `is-symlink`; and what the path that the
 *   file was opened by tells: `name`, `display-name`, `edit-name`, `copy-name`, `is-hidden` and
 *   `is-backup`, for which no file `.hidden` is read;
 * - all of `time::`, as far as the file system keeps them, and `etag::value`;
 * - all of `unix::`, where `is-mountpoint` also knows of a directory that is mounted within its
 *   file system;
 * - `id::file` and `id::filesystem`.
 *
 * Others, such as `standard::content-type` and `access::can-read`, are left out.
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

/* A path */

typedef struct
{
  char *path;
  GaioFileInfoWish wish;
  bool follows;
} Query;

static Query *
query_new (const char *path, const char *attributes, GFileQueryInfoFlags flags)
{
  Query *self = g_new (Query, 1);

  self->path = g_strdup (path);
  gaio_file_info_wish_init (&self->wish, attributes);
  self->follows = (flags & G_FILE_QUERY_INFO_NOFOLLOW_SYMLINKS) == 0;
  return self;
}

static void
query_free (gpointer data)
{
  Query *self = data;

  gaio_file_info_wish_clear (&self->wish);
  g_free (self->path);
  g_free (self);
}

static gpointer
run_query (GaioWork *work, gpointer data, GError **error)
{
  Query *self = data;
  g_autofree char *full = g_canonicalize_filename (self->path, NULL); /* of `.` too */
  g_autofree char *name = g_path_get_basename (full);
  GFileInfo *info = NULL;
  int errnum;

  errnum = gaio_file_info_look_up (&self->wish, AT_FDCWD, self->path, name, self->follows, &info);
  return errnum == 0 ? info : gaio_work_fail (work, errnum, NULL, error);
}

static const GaioWorkKind query_kind = {
  .name = "query",
  .run = run_query,
  .data_free = query_free,
  .result_free = g_object_unref,
};

/**
 * gaio_query_info:
 * @path: (type filename): which file
 * @attributes: (nullable): which attributes, see [func@Gaio.query_info_async]
 * @flags: flags
 * @cancellable: (nullable): a cancellable; it does not end a wait for a disk
 * @error: return location for an error
 *
 * Does what [func@Gaio.query_info_async] does, and blocks until it is done.
 *
 * Thread: any.
 *
 * Returns: (transfer full): the attributes, or %NULL with an error of `G_IO_ERROR` or %GAIO_ERROR
 */
GFileInfo *
gaio_query_info (const char *path,
                 const char *attributes,
                 GFileQueryInfoFlags flags,
                 GCancellable *cancellable,
                 GError **error)
{
  Query *self;
  GFileInfo *info;

  g_return_val_if_fail (path != NULL, NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  self = query_new (path, attributes, flags);
  info = gaio_work_run (&query_kind, self, self->path, NULL, cancellable, error);
  query_free (self);
  return info;
}

/**
 * gaio_query_info_async:
 * @path: (type filename): which file
 * @attributes: (nullable): which attributes, as in [method@Gio.File.query_info]; %NULL for all
 * @flags: flags
 * @io_priority: the priority of @callback among the sources of its main context
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async): called when the answer is there
 * @user_data: data for @callback
 *
 * Asks for what is known about a file of any kind, which need not be opened for it.
 *
 * The attributes are those of [method@Gaio.File.query_info_async], and of a symbolic link
 * `standard::symlink-target`. When there is no such file the error is %G_IO_ERROR_NOT_FOUND.
 *
 * A symbolic link is followed unless @flags has %G_FILE_QUERY_INFO_NOFOLLOW_SYMLINKS; of one that
 * leads nowhere the attributes are its own. `standard::is-symlink` and `standard::symlink-target`
 * tell of it in either case.
 *
 * Thread: any; @callback is called in the thread-default main context of the caller.
 */
void
gaio_query_info_async (const char *path,
                       const char *attributes,
                       GFileQueryInfoFlags flags,
                       int io_priority,
                       GCancellable *cancellable,
                       GAsyncReadyCallback callback,
                       gpointer user_data)
{
  Query *self;

  g_return_if_fail (path != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  self = query_new (path, attributes, flags);
  gaio_work_start (GAIO_FILE_NEW_TASK (NULL, gaio_query_info_async), &query_kind, self, self->path,
                   NULL);
}

/**
 * gaio_query_info_finish:
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [func@Gaio.query_info_async].
 *
 * Thread: the callback's.
 *
 * Returns: (transfer full): the attributes, or %NULL with an error of `G_IO_ERROR` or %GAIO_ERROR
 */
GFileInfo *
gaio_query_info_finish (GAsyncResult *result, GError **error)
{
  GAIO_FILE_FINISH_FUNCTION (gaio_query_info_async, pointer, NULL);
}
