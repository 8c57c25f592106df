/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Saving a whole file, at one moment: see gaio-replace.c for how, and gaio-work.c for in which
 * thread.
 *
 * What is no regular file cannot be replaced by one: a pipe, a terminal or a device is written to.
 * The wait for a pipe is one that a cancel ends. */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include <gaio/file/gaio-file-call-private.h>
#include <gaio/file/gaio-replace-private.h>
#include <gaio/file/gaio-save.h>
#include <gaio/file/gaio-signal-guard-private.h>

/* How often a pipe that has no reader yet is looked at, in milliseconds. */
#define READER_POLL_MS 20

/* A pipe that is ready takes so many bytes at once, and may take more. */
#define SPECIAL_BYTES ((gsize) 64 * 1024)

G_DEFINE_ENUM_TYPE (GaioDurability,
                    gaio_durability,
                    G_DEFINE_ENUM_VALUE (GAIO_DURABILITY_NONE, "none"),
                    G_DEFINE_ENUM_VALUE (GAIO_DURABILITY_DATA, "data"),
                    G_DEFINE_ENUM_VALUE (GAIO_DURABILITY_FULL, "full"))

typedef struct
{
  char *path;
  GBytes *bytes;
  GaioDurability durability;
} Save;

static void
save_free (gpointer data)
{
  Save *self = data;

  g_free (self->path);
  g_bytes_unref (self->bytes);
  g_free (self);
}

/* What is to be replaced. */
typedef struct
{
  char *path; /* without a symbolic link as its last part */
  struct stat stat;
  int fd;       /* O_PATH; -1: there is nothing */
  bool created; /* empty, because a link said so */
} Target;

/* A link is followed by the kernel, which knows which ones are not to be followed. */
static bool
follow (Target *self, GaioWork *work, const char *path, GError **error)
{
  g_autofree char *link = NULL;
  g_autofree char *found = NULL;
  struct stat again;

  self->fd = open (path, O_PATH | O_CLOEXEC);
  if (self->fd < 0 && errno == ENOENT)
    {
      /* It leads to nothing yet. */
      self->fd = open (path, O_WRONLY | O_CREAT | O_NONBLOCK | O_CLOEXEC, 0666);
      self->created = self->fd >= 0;
    }
  if (self->fd < 0 || fstat (self->fd, &self->stat) != 0)
    {
      gaio_work_fail (work, errno, NULL, error);
      return false;
    }
  if (!S_ISREG (self->stat.st_mode))
    return true;

  link = g_strdup_printf ("/proc/self/fd/%d", self->fd);
  found = g_file_read_link (link, NULL);
  if (found == NULL || lstat (found, &again) != 0 || again.st_ino != self->stat.st_ino ||
      again.st_dev != self->stat.st_dev)
    {
      gaio_work_fail (work, ESTALE, NULL, error);
      return false;
    }
  g_free (self->path);
  self->path = g_steal_pointer (&found);
  return true;
}

static bool
find (Target *self, GaioWork *work, const char *path, GError **error)
{
  self->path = g_strdup (path);
  self->fd = open (path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  if (self->fd < 0 && errno == ENOENT)
    return true;
  if (self->fd < 0 || fstat (self->fd, &self->stat) != 0)
    {
      gaio_work_fail (work, errno, NULL, error);
      return false;
    }
  if (S_ISLNK (self->stat.st_mode))
    {
      close (self->fd);
      return follow (self, work, path, error);
    }
  return true;
}

static int
open_special (GaioWork *work, const char *path, GPollFD *cancel, bool cancellable)
{
  for (;;)
    {
      int flags = O_WRONLY | O_NOCTTY | O_CLOEXEC | (cancellable ? O_NONBLOCK : 0);
      int fd = open (path, flags);

      if (fd >= 0)
        return fd;
      if (errno == EINTR)
        continue;
      /* A pipe without a reader. */
      if (errno != ENXIO || !cancellable)
        return -errno;
      if (g_poll (cancel, 1, READER_POLL_MS) > 0)
        return -ECANCELED;
    }
}

/* Writes to what has no positions. */
static int
write_special (int fd, const char *data, gsize length, GPollFD *cancel, bool cancellable)
{
  while (length > 0)
    {
      gssize res = write (fd, data, MIN (length, SPECIAL_BYTES));

      if (res > 0)
        {
          data += res;
          length -= res;
        }
      else if (res == 0)
        return -EIO;
      else if (errno == EAGAIN)
        {
          GPollFD fds[2] = { { .fd = fd, .events = G_IO_OUT }, *cancel };

          if (g_poll (fds, cancellable ? 2 : 1, -1) > 0 && cancellable && fds[1].revents != 0)
            return -ECANCELED;
        }
      else if (errno != EINTR)
        return -errno;
    }
  return 0;
}

static gpointer
save_special (GaioWork *work, const Save *save, GError **error)
{
  GCancellable *cancellable = gaio_work_get_cancellable (work);
  GPollFD cancel = { .fd = -1 };
  bool can_wait = g_cancellable_make_pollfd (cancellable, &cancel);
  gsize length;
  const char *data = g_bytes_get_data (save->bytes, &length);
  int fd = open_special (work, save->path, &cancel, can_wait);
  int res = fd;
  GaioSignalGuard guard;

  if (fd >= 0)
    {
      gaio_signal_guard_begin (&guard, SIGPIPE);
      res = write_special (fd, data, length, &cancel, can_wait);
      gaio_signal_guard_end (&guard);
      /* A pipe has nothing to sync. */
      if (res == 0 && save->durability != GAIO_DURABILITY_NONE && fsync (fd) != 0 &&
          errno != EINVAL && errno != EROFS)
        res = -errno;
      if (close (fd) != 0 && res == 0 && errno != EINTR)
        res = -errno;
    }
  if (can_wait)
    g_cancellable_release_fd (cancellable);
  return res < 0 ? gaio_work_fail (work, -res, NULL, error) : GAIO_WORK_DONE;
}

static bool
replace (GaioWork *work, const Save *save, const Target *target, GError **error)
{
  GaioReplace new = GAIO_REPLACE_INIT;
  gsize length;
  gconstpointer data = g_bytes_get_data (save->bytes, &length);
  bool exists = target->fd >= 0;
  bool ok;

  new.path = save->path;
  ok = gaio_replace_begin (&new, work, target->path, save->durability == GAIO_DURABILITY_FULL,
                           error);
  /* Until it has the permissions of the old one it is nobody else's. A new one gets what the umask
   * leaves, from the kernel. */
  ok = ok && gaio_replace_create (&new, exists ? 0600 : 0666, error) &&
       gaio_work_pwrite (work, new.fd, NULL, data, length, 0, error);
  if (ok && exists)
    {
      gaio_replace_copy_xattrs (&new, target->fd);
      ok = gaio_replace_set_owner_and_mode (&new, &target->stat, error);
    }
  if (ok && save->durability == GAIO_DURABILITY_DATA && fdatasync (new.fd) != 0)
    {
      gaio_work_fail (work, errno, NULL, error);
      ok = false;
    }
  ok = ok && gaio_work_check (work, error) && gaio_replace_commit (&new, true, error);
  gaio_replace_clear (&new);
  return ok;
}

static gpointer
save_run (GaioWork *work, gpointer data, GError **error)
{
  const Save *self = data;
  Target target = { .fd = -1 };
  gpointer result = NULL;

  if (self->durability > GAIO_DURABILITY_FULL)
    return gaio_work_fail_argument (work, "durability", self->durability, error);
  if (!find (&target, work, self->path, error))
    ;
  else if (target.fd >= 0 && S_ISDIR (target.stat.st_mode))
    gaio_work_fail (work, EISDIR, NULL, error);
  else if (target.fd >= 0 && !S_ISREG (target.stat.st_mode))
    result = save_special (work, self, error);
  /* Who may not write the file may be allowed to replace it, but hardly means to. */
  else if (target.fd >= 0 && faccessat (AT_FDCWD, target.path, W_OK, AT_EACCESS) != 0)
    gaio_work_fail (work, errno, NULL, error);
  else if (replace (work, self, &target, error))
    result = GAIO_WORK_DONE;

  /* Unless somebody else has made it, and filled it, at the same time. */
  if (result == NULL && target.created && fstat (target.fd, &target.stat) == 0 &&
      target.stat.st_size == 0)
    unlink (target.path);
  if (target.fd >= 0)
    close (target.fd);
  g_free (target.path);
  return result;
}

static const GaioWorkKind save_kind = {
  .name = "save",
  .run = save_run,
  .data_free = save_free,
};

/**
 * gaio_save_bytes:
 * @path: (type filename): which file
 * @bytes: its new contents
 * @durability: what a crash of the system may undo
 * @cancellable: (nullable): a cancellable
 * @error: return location for an error
 *
 * Writes a whole file, and blocks until that is done. See [func@Gaio.save_bytes_async].
 *
 * Thread: any.
 *
 * Returns: %TRUE when the file has the new contents; %FALSE with an error of `G_IO_ERROR` or
 *   %GAIO_ERROR
 */
gboolean
gaio_save_bytes (const char *path,
                 GBytes *bytes,
                 GaioDurability durability,
                 GCancellable *cancellable,
                 GError **error)
{
  Save save = { .path = (char *) path, .bytes = bytes, .durability = durability };

  g_return_val_if_fail (path != NULL, FALSE);
  g_return_val_if_fail (bytes != NULL, FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return gaio_work_run (&save_kind, &save, path, NULL, cancellable, error) != NULL;
}

/**
 * gaio_save_bytes_async:
 * @path: (type filename): which file
 * @bytes: its new contents
 * @durability: what a crash of the system may undo
 * @io_priority: the priority of the callback
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async): called when it is done
 * @user_data: data for @callback
 *
 * Writes a whole file, at one moment: whoever opens it meanwhile gets all of what it was or all of
 * what it is to be. When it fails or is cancelled the file is as before, and nothing is left
 * beside it; but when the very last step fails, the sync of the directory with
 * %GAIO_DURABILITY_FULL, the new contents are there, and only a crash may still undo that.
 *
 * A file that exists is replaced by a new one with its permissions and extended attributes, and
 * its owner and group as far as the system allows; other hard links to it keep the old contents.
 * The directory must be writable, and so must the file. A file that does not exist gets the
 * permissions 0666 less the umask. A symbolic link stays, and what it leads to is written.
 *
 * A file that is not regular, such as a named pipe or a device, cannot be replaced: it is written
 * to, and what has been written before an error or a cancel is gone there.
 *
 * Thread: any. @callback is called in the thread-default main context of the caller.
 */
void
gaio_save_bytes_async (const char *path,
                       GBytes *bytes,
                       GaioDurability durability,
                       int io_priority,
                       GCancellable *cancellable,
                       GAsyncReadyCallback callback,
                       gpointer user_data)
{
  Save *self;

  g_return_if_fail (path != NULL);
  g_return_if_fail (bytes != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  self = g_new (Save, 1);
  self->path = g_strdup (path);
  self->bytes = g_bytes_ref (bytes);
  self->durability = durability;
  gaio_work_start (GAIO_FILE_NEW_TASK (NULL, gaio_save_bytes_async), &save_kind, self, self->path,
                   NULL);
}

/**
 * gaio_save_bytes_finish:
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [func@Gaio.save_bytes_async].
 *
 * Thread: the callback's.
 *
 * Returns: %TRUE when the file has the new contents; %FALSE with an error of `G_IO_ERROR` or
 *   %GAIO_ERROR
 */
gboolean
gaio_save_bytes_finish (GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, NULL), FALSE);
  g_return_val_if_fail (g_async_result_is_tagged (result, gaio_save_bytes_async), FALSE);

  return g_task_propagate_pointer (G_TASK (result), error) != NULL;
}
