/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Moving a file: a rename, and from one file system to another a copy with all that belongs to it,
 * after which the source is removed. The latter is done only when the copy has its name, so that at
 * no moment there is neither; with GAIO_COPY_DURABLE that holds for a crash too. And only when the
 * source is what has been copied: what somebody wrote meanwhile would be nowhere. */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <gaio/file/gaio-copy-private.h>
#include <gaio/file/gaio-file-call-private.h>
#include <gaio/file/gaio-move.h>

/* The directory that a name is in, for fsync(); -1 with errno. */
static int
open_directory_of (const char *path)
{
  g_autofree char *dir = g_path_get_dirname (path);

  return open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* What a file contains, before it gets another name. 0 or -errno. */
static int
sync_contents (const char *path)
{
  struct stat stat;
  int res;
  int fd;

  if (lstat (path, &stat) != 0)
    return -errno;
  if (!S_ISREG (stat.st_mode))
    return 0;
  fd = open (path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0)
    return -errno;
  res = fsync (fd) == 0 || errno == EINVAL || errno == EROFS ? 0 : -errno;
  close (fd);
  return res;
}

static int
rename_it (const GaioCopy *self)
{
  struct stat from;
  struct stat to;

  if ((self->flags & GAIO_COPY_OVERWRITE) == 0)
    return gaio_rename_noreplace (AT_FDCWD, self->source, AT_FDCWD, self->destination);
  /* rename() leaves two names of one file as they are, and says that all is well. */
  if (lstat (self->source, &from) == 0 && lstat (self->destination, &to) == 0 &&
      from.st_dev == to.st_dev && from.st_ino == to.st_ino && from.st_nlink > 1 &&
      !S_ISDIR (from.st_mode))
    return -EINVAL;
  return rename (self->source, self->destination) == 0 ? 0 : -errno;
}

/* Which of the two it is about. */
static const char *
blame (const GaioCopy *self, int errnum)
{
  switch (errnum)
    {
    case EEXIST:
    case EISDIR:
    case ENOTEMPTY:
    case ENOSPC:
    case EDQUOT:
      return self->destination;
    default:
      return self->source;
    }
}

/* Whether a file is the same, and as it was. */
static bool
is_same (const struct stat *before, const struct stat *now)
{
  return before->st_dev == now->st_dev && before->st_ino == now->st_ino &&
         before->st_size == now->st_size && before->st_mtim.tv_sec == now->st_mtim.tv_sec &&
         before->st_mtim.tv_nsec == now->st_mtim.tv_nsec;
}

static gpointer
copy_and_remove (GaioWork *work, const GaioCopy *self, GError **error)
{
  GaioCopy copy = *self;
  struct stat copied;
  struct stat now;

  if (lstat (self->source, &now) != 0)
    return gaio_work_fail (work, errno, NULL, error);
  if ((self->flags & GAIO_COPY_NO_FALLBACK) != 0)
    return gaio_copy_fail (work, EXDEV, G_IO_ERROR_NOT_SUPPORTED, NULL, error);
  copy.flags |= GAIO_COPY_NOFOLLOW_SYMLINKS | GAIO_COPY_ALL_METADATA;
  if (gaio_copy_run (work, &copy, &copied, error) == NULL)
    return NULL;
  if (lstat (self->source, &now) != 0)
    return gaio_work_fail (work, errno, NULL, error);
  if (!is_same (&copied, &now))
    return gaio_work_fail (work, EBUSY, NULL, error);
  if (unlink (self->source) != 0)
    return gaio_work_fail (work, errno, NULL, error);
  return GAIO_WORK_DONE;
}

static gpointer
move_run (GaioWork *work, gpointer data, GError **error)
{
  const GaioCopy *self = data;
  bool durable = (self->flags & GAIO_COPY_DURABLE) != 0;
  int dirs[2] = { -1, -1 };
  gpointer result = NULL;
  int res = 0;

  if (!gaio_copy_check_flags (self, work, error))
    return NULL;
  /* Before anything is changed, since it may not be allowed. */
  if (durable && ((dirs[0] = open_directory_of (self->destination)) < 0 ||
                  (dirs[1] = open_directory_of (self->source)) < 0))
    res = -errno;
  else if (durable)
    res = sync_contents (self->source);
  if (res == 0)
    res = rename_it (self);
  if (res == 0)
    result = GAIO_WORK_DONE;
  else if (res == -EXDEV)
    result = copy_and_remove (work, self, error);
  else
    gaio_work_fail (work, -res, blame (self, -res), error);

  for (guint i = 0; i < G_N_ELEMENTS (dirs); i++)
    {
      if (result != NULL && dirs[i] >= 0 && (res = gaio_sync_directory (dirs[i])) < 0)
        result = gaio_work_fail (work, -res, NULL, error);
      if (dirs[i] >= 0)
        close (dirs[i]);
    }
  return result;
}

static const GaioWorkKind move_kind = {
  .name = "move",
  .run = move_run,
  .data_free = gaio_copy_free,
};

/**
 * gaio_move:
 * @source: (type filename): which file or directory
 * @destination: (type filename): its new name
 * @flags: how to do it
 * @progress: (nullable): called with how many bytes are done and how many there are, when they are
 *   copied; see [func@Gaio.copy_async]
 * @cancellable: (nullable): a cancellable
 * @error: return location for an error
 *
 * Moves a file, and blocks until that is done. See [func@Gaio.move_async].
 *
 * Thread: any; @progress is called in the same.
 *
 * Returns: %TRUE when it is moved; %FALSE with an error of `G_IO_ERROR` or %GAIO_ERROR
 */
gboolean
gaio_move (const char *source,
           const char *destination,
           GaioCopyFlags flags,
           GClosure *progress,
           GCancellable *cancellable,
           GError **error)
{
  GaioCopy move = {
    .source = (char *) source,
    .destination = (char *) destination,
    .flags = flags,
  };

  g_return_val_if_fail (source != NULL, FALSE);
  g_return_val_if_fail (destination != NULL, FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return gaio_work_run (&move_kind, &move, source, progress, cancellable, error) != NULL;
}

/**
 * gaio_move_async:
 * @source: (type filename): which file or directory
 * @destination: (type filename): its new name, not that of a directory to put it in
 * @flags: how to do it
 * @progress: (nullable): called with how many bytes are done and how many there are, when they are
 *   copied; see [func@Gaio.copy_async]
 * @io_priority: the priority of @callback and @progress
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async): called when it is moved
 * @user_data: data for @callback
 *
 * Moves a file. Within a file system it gets another name, at one moment. From one to another a
 * regular file or a symbolic link is copied with all its metadata, as [func@Gaio.copy_async] does
 * it, and then removed; when it cannot be removed there are two of it. So are there when somebody
 * has changed it meanwhile, which is the error `EBUSY`.
 *
 * It fails with %G_IO_ERROR_EXISTS when there is something and it is not to be replaced. From one
 * file system to another it fails with %G_IO_ERROR_NOT_SUPPORTED for %GAIO_COPY_NO_FALLBACK, and
 * with %G_IO_ERROR_WOULD_RECURSE for a directory.
 *
 * Thread: any. @callback and @progress are called, and freed, in the thread-default main context of
 * the caller.
 */
void
gaio_move_async (const char *source,
                 const char *destination,
                 GaioCopyFlags flags,
                 GClosure *progress,
                 int io_priority,
                 GCancellable *cancellable,
                 GAsyncReadyCallback callback,
                 gpointer user_data)
{
  GaioCopy *self;

  g_return_if_fail (source != NULL);
  g_return_if_fail (destination != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  self = gaio_copy_new (source, destination, flags);
  gaio_work_start (GAIO_FILE_NEW_TASK (NULL, gaio_move_async), &move_kind, self, self->source,
                   progress);
}

/**
 * gaio_move_finish:
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [func@Gaio.move_async].
 *
 * Thread: the callback's.
 *
 * Returns: %TRUE when it is moved; %FALSE with an error of `G_IO_ERROR` or %GAIO_ERROR
 */
gboolean
gaio_move_finish (GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, NULL), FALSE);
  g_return_val_if_fail (g_async_result_is_tagged (result, gaio_move_async), FALSE);

  return g_task_propagate_pointer (G_TASK (result), error) != NULL;
}
