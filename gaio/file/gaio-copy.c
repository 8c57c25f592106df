/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Copying a file: see gaio-copy-data.c for its contents, gaio-replace.c for how the copy gets its
 * name at one moment, and gaio-work.c for in which thread.
 *
 * A copy that is to be resumed is made under a name that tells what it is a copy of: of which
 * destination, and of which state of which source. So a later call finds it, and one after the
 * source has changed does not; that begins anew, and what the first one left stays. The name is
 * locked while somebody is at it. */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <gaio/base/gaio-error.h>
#include <gaio/file/gaio-copy-private.h>
#include <gaio/file/gaio-file-call-private.h>

G_DEFINE_FLAGS_TYPE (GaioCopyFlags,
                     gaio_copy_flags,
                     G_DEFINE_ENUM_VALUE (GAIO_COPY_NONE, "none"),
                     G_DEFINE_ENUM_VALUE (GAIO_COPY_OVERWRITE, "overwrite"),
                     G_DEFINE_ENUM_VALUE (GAIO_COPY_NOFOLLOW_SYMLINKS, "nofollow-symlinks"),
                     G_DEFINE_ENUM_VALUE (GAIO_COPY_ALL_METADATA, "all-metadata"),
                     G_DEFINE_ENUM_VALUE (GAIO_COPY_RESUMABLE, "resumable"),
                     G_DEFINE_ENUM_VALUE (GAIO_COPY_DURABLE, "durable"),
                     G_DEFINE_ENUM_VALUE (GAIO_COPY_NO_FALLBACK, "no-fallback"))

GaioCopy *
gaio_copy_new (const char *source, const char *destination, GaioCopyFlags flags)
{
  GaioCopy *self = g_new (GaioCopy, 1);

  self->source = g_strdup (source);
  self->destination = g_strdup (destination);
  self->flags = flags;
  return self;
}

void
gaio_copy_free (gpointer data)
{
  GaioCopy *self = data;

  g_free (self->source);
  g_free (self->destination);
  g_free (self);
}

gpointer
gaio_copy_fail (GaioWork *work, int errnum, GIOErrorEnum code, const char *path, GError **error)
{
  GError *own = NULL;

  gaio_work_fail (work, errnum, path, &own);
  own->domain = G_IO_ERROR;
  own->code = code;
  g_propagate_error (error, own);
  return NULL;
}

/* Opens what can be copied. */
static int
open_source (GaioWork *work, const GaioCopy *self, struct stat *stat, GError **error)
{
  bool follow = (self->flags & GAIO_COPY_NOFOLLOW_SYMLINKS) == 0;
  int fd;

  if (fstatat (AT_FDCWD, self->source, stat, follow ? 0 : AT_SYMLINK_NOFOLLOW) != 0)
    {
      gaio_work_fail (work, errno, NULL, error);
      return -1;
    }
  /* Only the path, which is enough for a link; and to open a device may do something. */
  if (S_ISREG (stat->st_mode))
    fd = open (self->source, O_RDONLY | O_NONBLOCK | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
  else
    fd = open (self->source, O_PATH | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW));
  if (fd >= 0 && fstat (fd, stat) == 0)
    {
      if (S_ISREG (stat->st_mode) || S_ISLNK (stat->st_mode))
        return fd;
      if (S_ISDIR (stat->st_mode))
        gaio_copy_fail (work, EISDIR, G_IO_ERROR_WOULD_RECURSE, NULL, error);
      else
        gaio_work_fail (work, EOPNOTSUPP, NULL, error);
    }
  else
    gaio_work_fail (work, errno, NULL, error);
  if (fd >= 0)
    close (fd);
  return -1;
}

/* Whether there may be a copy, as far as is known before there is one. */
static bool
check_destination (GaioWork *work, const GaioCopy *self, const struct stat *source, GError **error)
{
  struct stat stat;

  if (lstat (self->destination, &stat) != 0)
    {
      if (errno == ENOENT)
        return true;
      gaio_work_fail (work, errno, self->destination, error);
    }
  else if ((self->flags & GAIO_COPY_OVERWRITE) == 0)
    gaio_work_fail (work, EEXIST, self->destination, error);
  else if (S_ISDIR (stat.st_mode))
    gaio_work_fail (work, EISDIR, self->destination, error);
  else if (stat.st_dev == source->st_dev && stat.st_ino == source->st_ino)
    gaio_work_fail (work, EINVAL, self->destination, error);
  else if (!S_ISREG (stat.st_mode) && !S_ISLNK (stat.st_mode))
    gaio_copy_fail (work, EOPNOTSUPP, G_IO_ERROR_NOT_REGULAR_FILE, self->destination, error);
  else
    return true;
  return false;
}

static char *
resumable_name (const GaioReplace *new, const struct stat *source)
{
  g_autofree char *what =
      g_strdup_printf ("%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT " %" G_GINT64_FORMAT
                       " %" G_GINT64_FORMAT ".%09ld %s",
                       (guint64) source->st_dev, (guint64) source->st_ino, (gint64) source->st_size,
                       (gint64) source->st_mtim.tv_sec, (long) source->st_mtim.tv_nsec, new->name);
  g_autofree char *sum = g_compute_checksum_for_string (G_CHECKSUM_SHA256, what, -1);

  return g_strdup_printf (".gaio-copy-%.32s", sum);
}

/* Forgives when the system has no such thing for the file, or lets only another change it, as on a
 * disk without permissions that somebody else has mounted. The contents are worth more. */
static void
forgive (GError **error)
{
  int errnum = *error != NULL ? gaio_error_get_errno (*error) : 0;

  if (errnum == EPERM || errnum == EOPNOTSUPP || errnum == ENOSYS)
    g_clear_error (error);
}

static bool
copy_metadata (GaioReplace *new, int fd, const struct stat *stat, bool all, GError **error)
{
  struct timespec times[2] = { stat->st_atim, stat->st_mtim };
  GError *own = NULL;

  if (all)
    {
      gaio_replace_copy_xattrs (new, fd);
      gaio_replace_set_owner_and_mode (new, stat, &own);
      forgive (&own);
      if (own == NULL && futimens (new->fd, times) != 0)
        gaio_work_fail (new->work, errno, new->path, &own);
    }
  /* The rights of the owner are not given to another. */
  else if (fchmod (new->fd, stat->st_mode & 0777) != 0)
    gaio_work_fail (new->work, errno, new->path, &own);
  forgive (&own);
  if (own == NULL)
    return true;
  g_propagate_error (error, own);
  return false;
}

static bool
copy_regular (
    GaioReplace *new, const GaioCopy *self, int fd, const struct stat *stat, GError **error)
{
  bool resumable = (self->flags & GAIO_COPY_RESUMABLE) != 0;
  struct stat begun = { 0 };

  if (resumable)
    {
      g_autofree char *name = resumable_name (new, stat);

      if (!gaio_replace_create_or_resume (new, name, error))
        return false;
      if (fstat (new->fd, &begun) != 0 || begun.st_size > stat->st_size)
        {
          gaio_work_fail (new->work, ESTALE, new->path, error);
          return false;
        }
    }
  else if (!gaio_replace_create (new, 0600, error))
    return false;

  if (!gaio_copy_data (new->work, fd, self->source, new->fd, self->destination, begun.st_size,
                       stat->st_size, error) ||
      !gaio_work_check (new->work, error))
    {
      /* An empty one is worth nothing. */
      if (resumable && stat->st_size > 0 && fstat (new->fd, &begun) == 0 && begun.st_size > 0)
        gaio_replace_keep (new);
      return false;
    }
  return copy_metadata (new, fd, stat, (self->flags & GAIO_COPY_ALL_METADATA) != 0, error);
}

static bool
copy_link (
    GaioReplace *new, const GaioCopy *self, int fd, const struct stat *stat, GError **error)
{
  struct timespec times[2] = { stat->st_atim, stat->st_mtim };
  g_autofree char *contents = g_malloc (PATH_MAX + 1);
  gssize length = readlinkat (fd, "", contents, PATH_MAX);

  if (length < 0)
    {
      gaio_work_fail (new->work, errno, NULL, error);
      return false;
    }
  contents[length] = '\0';
  if (!gaio_replace_create_link (new, contents, error))
    return false;
  if ((self->flags & GAIO_COPY_ALL_METADATA) == 0)
    return true;
  /* As far as that is allowed. */
  if (fchownat (new->dir_fd, new->temp, stat->st_uid, stat->st_gid, AT_SYMLINK_NOFOLLOW) != 0)
    errno = 0;
  if (utimensat (new->dir_fd, new->temp, times, AT_SYMLINK_NOFOLLOW) != 0)
    errno = 0;
  return true;
}

gpointer
gaio_copy_run (GaioWork *work, const GaioCopy *self, struct stat *stat, GError **error)
{
  GaioReplace new = GAIO_REPLACE_INIT;
  int fd = open_source (work, self, stat, error);
  bool ok;

  if (fd < 0)
    return NULL;
  ok = check_destination (work, self, stat, error) &&
       gaio_replace_begin (&new, work, self->destination, (self->flags & GAIO_COPY_DURABLE) != 0,
                           error) &&
       (S_ISREG (stat->st_mode) ? copy_regular (&new, self, fd, stat, error)
                                : copy_link (&new, self, fd, stat, error)) &&
       gaio_replace_commit (&new, (self->flags & GAIO_COPY_OVERWRITE) != 0, error);
  gaio_replace_clear (&new);
  close (fd);
  return ok ? GAIO_WORK_DONE : NULL;
}

bool
gaio_copy_check_flags (const GaioCopy *self, GaioWork *work, GError **error)
{
  const guint known = GAIO_COPY_OVERWRITE | GAIO_COPY_NOFOLLOW_SYMLINKS | GAIO_COPY_ALL_METADATA |
                      GAIO_COPY_NO_FALLBACK | GAIO_COPY_RESUMABLE | GAIO_COPY_DURABLE;

  if ((self->flags & ~known) == 0)
    return true;
  gaio_work_fail_argument (work, "flags", self->flags, error);
  return false;
}

static gpointer
copy_run (GaioWork *work, gpointer data, GError **error)
{
  const GaioCopy *self = data;
  struct stat stat;

  if (!gaio_copy_check_flags (self, work, error))
    return NULL;
  return gaio_copy_run (work, data, &stat, error);
}

static const GaioWorkKind copy_kind = {
  .name = "copy",
  .run = copy_run,
  .data_free = gaio_copy_free,
};

/**
 * gaio_copy:
 * @source: (type filename): which file
 * @destination: (type filename): the name of the copy
 * @flags: how to do it
 * @progress: (nullable): called with how many bytes are done and how many there are, see
 *   [func@Gaio.copy_async]
 * @cancellable: (nullable): a cancellable
 * @error: return location for an error
 *
 * Copies a file, and blocks until that is done. See [func@Gaio.copy_async].
 *
 * Thread: any; @progress is called in the same.
 *
 * Returns: %TRUE when there is a copy; %FALSE with an error of `G_IO_ERROR` or %GAIO_ERROR
 */
gboolean
gaio_copy (const char *source,
           const char *destination,
           GaioCopyFlags flags,
           GClosure *progress,
           GCancellable *cancellable,
           GError **error)
{
  GaioCopy copy = {
    .source = (char *) source,
    .destination = (char *) destination,
    .flags = flags,
  };

  g_return_val_if_fail (source != NULL, FALSE);
  g_return_val_if_fail (destination != NULL, FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return gaio_work_run (&copy_kind, &copy, source, progress, cancellable, error) != NULL;
}

/**
 * gaio_copy_async:
 * @source: (type filename): which file
 * @destination: (type filename): the name of the copy, not of a directory to put it in
 * @flags: how to do it
 * @progress: (nullable): called with how many bytes are done and how many there are, two
 *   `gint64`; in C it is a [callback@Gio.FileProgressCallback]
 * @io_priority: the priority of @callback and @progress
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async): called when there is a copy
 * @user_data: data for @callback
 *
 * Copies a file, as fast as the file systems can: they share its blocks where they are able to, and
 * holes stay holes.
 *
 * The copy gets its name when it is complete. Until then, and when the copying fails or is
 * cancelled, what had that name has it still, and nothing is left beside it, but for
 * %GAIO_COPY_RESUMABLE. That leaves a hidden file `.gaio-copy-…`, which nobody removes if the copy
 * is never asked for again.
 *
 * The copy has the permissions of the source, but not its set-user-ID and set-group-ID bits. What
 * %GAIO_COPY_OVERWRITE replaces may be a symbolic link, but not what that leads to.
 *
 * It fails with %G_IO_ERROR_EXISTS when there is something and it is not to be replaced, with
 * %G_IO_ERROR_WOULD_RECURSE for a directory as @source and %G_IO_ERROR_IS_DIRECTORY for one as
 * @destination, with %G_IO_ERROR_INVALID_ARGUMENT when both are the same file, and with
 * %G_IO_ERROR_NOT_SUPPORTED for a pipe or a device.
 *
 * @progress is called some sixty times a second at most, and at the end.
 *
 * Thread: any. @callback and @progress are called, and freed, in the thread-default main context of
 * the caller.
 */
void
gaio_copy_async (const char *source,
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
  gaio_work_start (GAIO_FILE_NEW_TASK (NULL, gaio_copy_async), &copy_kind, self, self->source,
                   progress);
}

/**
 * gaio_copy_finish:
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [func@Gaio.copy_async].
 *
 * Thread: the callback's.
 *
 * Returns: %TRUE when there is a copy; %FALSE with an error of `G_IO_ERROR` or %GAIO_ERROR
 */
gboolean
gaio_copy_finish (GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, NULL), FALSE);
  g_return_val_if_fail (g_async_result_is_tagged (result, gaio_copy_async), FALSE);

  return g_task_propagate_pointer (G_TASK (result), error) != NULL;
}
