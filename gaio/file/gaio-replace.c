/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Replacing a file at one moment.
 *
 * The new file is made in the directory of the old one, under a name that nobody uses, and renamed
 * when it is complete. Whoever opens the name finds all of the old file or all of the new one, also
 * after a crash. A file without a name (O_TMPFILE) would leave nothing behind when the process is
 * killed, but linkat() cannot replace.
 *
 * The directory is opened once and all names are in it, so that nobody who renames it meanwhile
 * leads the second step to another place than the first. */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <gaio/file/gaio-replace-private.h>

/* Large enough that system calls do not count, small enough that a cancel is seen soon. */
#define WRITE_BYTES ((gsize) 8 * 1024 * 1024)

#define MAX_ATTEMPTS 100

#define ACL_NAME "system.posix_acl_access"

static bool
fail (GaioReplace *self, int errnum, GError **error)
{
  gaio_work_fail (self->work, errnum, self->path, error);
  return false;
}

bool
gaio_replace_begin (
    GaioReplace *self, GaioWork *work, const char *target, bool sync, GError **error)
{
  const char *slash = strrchr (target, '/');
  const char *name = slash != NULL ? slash + 1 : target;
  g_autofree char *dir = slash == NULL     ? g_strdup (".")
                         : slash == target ? g_strdup ("/")
                                           : g_strndup (target, slash - target);

  self->work = work;
  if (self->path == NULL)
    self->path = target;
  if (*target == '\0')
    return fail (self, ENOENT, error);
  if (*name == '\0' || strcmp (name, ".") == 0 || strcmp (name, "..") == 0)
    return fail (self, EISDIR, error);
  self->dir_fd = open (dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (self->dir_fd < 0)
    return fail (self, errno, error);
  /* Now, since it may not be allowed, and later the old file would be gone. */
  if (sync && (self->sync_fd = openat (self->dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)) < 0)
    return fail (self, errno, error);
  self->name = g_strdup (name);
  return true;
}

static char *
random_name (void)
{
  return g_strdup_printf (".gaio-%08x%08x", g_random_int (), g_random_int ());
}

bool
gaio_replace_create (GaioReplace *self, mode_t mode, GError **error)
{
  for (int i = 0; i < MAX_ATTEMPTS; i++)
    {
      g_autofree char *temp = random_name ();

      self->fd =
          openat (self->dir_fd, temp, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
      if (self->fd >= 0)
        {
          self->temp = g_steal_pointer (&temp);
          return true;
        }
      if (errno != EEXIST)
        return fail (self, errno, error);
    }
  return fail (self, EEXIST, error);
}

bool
gaio_replace_create_or_resume (GaioReplace *self, const char *temp, GError **error)
{
  for (int i = 0; i < MAX_ATTEMPTS; i++)
    {
      struct stat named;
      struct stat opened;
      int fd = openat (self->dir_fd, temp, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC,
                       0600);

      if (fd < 0)
        return fail (self, errno, error);
      if (flock (fd, LOCK_EX | LOCK_NB) != 0)
        {
          /* Somebody is making the same copy. */
          int errnum = errno == EWOULDBLOCK ? EBUSY : errno;

          close (fd);
          return fail (self, errnum, error);
        }
      /* It is not to be another's, who could have put anything in it. */
      if (fstat (fd, &opened) != 0 || !S_ISREG (opened.st_mode) || opened.st_uid != geteuid () ||
          opened.st_nlink > 1 || (opened.st_mode & 077) != 0)
        {
          close (fd);
          return fail (self, EEXIST, error);
        }
      /* The one who had it locked may have renamed or removed it since it was opened here. */
      if (fstatat (self->dir_fd, temp, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
          named.st_ino == opened.st_ino && named.st_dev == opened.st_dev)
        {
          self->fd = fd;
          self->temp = g_strdup (temp);
          return true;
        }
      close (fd);
    }
  return fail (self, EBUSY, error);
}

bool
gaio_replace_create_link (GaioReplace *self, const char *contents, GError **error)
{
  for (int i = 0; i < MAX_ATTEMPTS; i++)
    {
      g_autofree char *temp = random_name ();

      if (symlinkat (contents, self->dir_fd, temp) == 0)
        {
          self->temp = g_steal_pointer (&temp);
          return true;
        }
      if (errno != EEXIST)
        return fail (self, errno, error);
    }
  return fail (self, EEXIST, error);
}

bool
gaio_replace_set_owner_and_mode (GaioReplace *self, const struct stat *from, GError **error)
{
  mode_t mode = from->st_mode & 07777;
  struct stat now;

  if (fstat (self->fd, &now) != 0)
    return fail (self, errno, error);
  /* The group alone may be allowed when both are not. */
  if (now.st_uid != from->st_uid || now.st_gid != from->st_gid)
    {
      if (fchown (self->fd, from->st_uid, from->st_gid) != 0 &&
          fchown (self->fd, (uid_t) -1, from->st_gid) != 0)
        errno = 0; /* it stays the caller's */
      if (fstat (self->fd, &now) != 0)
        return fail (self, errno, error);
    }
  /* With another owner these would give away the rights of that one. */
  if (now.st_uid != from->st_uid)
    mode &= ~S_ISUID;
  /* And another group gets what everybody has. */
  if (now.st_gid != from->st_gid)
    mode &= ~(mode_t) (S_ISGID | S_IRWXG) | (mode & S_IRWXO) << 3;
  if ((now.st_mode & 07777) != mode && fchmod (self->fd, mode) != 0)
    return fail (self, errno, error);
  return true;
}

void
gaio_replace_copy_xattrs (GaioReplace *self, int from_fd)
{
  char path[32];
  gssize length;
  g_autofree char *names = NULL;

  /* Those who may write a file may not be allowed to read it. */
  snprintf (path, sizeof path, "/proc/self/fd/%d", from_fd);
  /* The directory may have given an ACL to the new one, with more rights than the old one gave. */
  if (getxattr (path, ACL_NAME, NULL, 0) < 0 && errno == ENODATA)
    fremovexattr (self->fd, ACL_NAME);
  length = listxattr (path, NULL, 0);
  if (length <= 0)
    return;
  names = g_malloc (length);
  length = listxattr (path, names, length);
  for (const char *name = names; length > 0 && name < names + length; name += strlen (name) + 1)
    {
      g_autofree char *value = NULL;
      gssize size;

      /* What vouches for the old contents. */
      if (strcmp (name, "security.capability") == 0 || strcmp (name, "security.ima") == 0 ||
          strcmp (name, "security.evm") == 0)
        continue;
      size = getxattr (path, name, NULL, 0);
      if (size < 0)
        continue;
      value = g_malloc (MAX (size, 1));
      size = getxattr (path, name, value, size);
      if (size >= 0 && fsetxattr (self->fd, name, value, size, 0) != 0)
        continue; /* not every file system has room for every attribute */
    }
}

static void
close_new (GaioReplace *self)
{
  if (self->fd >= 0)
    close (self->fd);
  self->fd = -1;
}

bool
gaio_replace_commit (GaioReplace *self, bool overwrite, GError **error)
{
  int fd = self->fd;
  int res;

  if (fd >= 0 && self->sync_fd >= 0 && fsync (fd) != 0)
    return fail (self, errno, error);
  self->fd = -1;
  /* A file system over the network may tell only now that it could not write. After EINTR the
   * descriptor is closed all the same. */
  if (fd >= 0 && close (fd) != 0 && errno != EINTR)
    return fail (self, errno, error);

  if (overwrite)
    res = renameat (self->dir_fd, self->temp, self->dir_fd, self->name) == 0 ? 0 : -errno;
  else
    res = gaio_rename_noreplace (self->dir_fd, self->temp, self->dir_fd, self->name);
  if (res < 0)
    return fail (self, -res, error);
  g_clear_pointer (&self->temp, g_free);
  if (self->sync_fd >= 0 && (res = gaio_sync_directory (self->sync_fd)) < 0)
    return fail (self, -res, error);
  return true;
}

void
gaio_replace_keep (GaioReplace *self)
{
  g_clear_pointer (&self->temp, g_free);
  close_new (self);
}

void
gaio_replace_clear (GaioReplace *self)
{
  if (self->temp != NULL)
    unlinkat (self->dir_fd, self->temp, 0);
  close_new (self);
  if (self->dir_fd >= 0)
    close (self->dir_fd);
  if (self->sync_fd >= 0)
    close (self->sync_fd);
  g_free (self->temp);
  g_free (self->name);
  *self = (GaioReplace) GAIO_REPLACE_INIT;
}

bool
gaio_work_pwrite (GaioWork *self,
                  int fd,
                  const char *path,
                  gconstpointer data,
                  gsize length,
                  goffset offset,
                  GError **error)
{
  const char *bytes = data;

  while (length > 0)
    {
      gssize res;

      if (!gaio_work_check (self, error))
        return false;
      res = pwrite (fd, bytes, MIN (length, WRITE_BYTES), offset);
      if (res < 0 && errno == EINTR)
        continue;
      if (res <= 0)
        {
          gaio_work_fail (self, res < 0 ? errno : EIO, path, error);
          return false;
        }
      bytes += res;
      length -= res;
      offset += res;
    }
  return true;
}

int
gaio_rename_noreplace (int from_dir, const char *from, int to_dir, const char *to)
{
  struct stat stat;

  if (renameat2 (from_dir, from, to_dir, to, RENAME_NOREPLACE) == 0)
    return 0;
  if (errno != EINVAL && errno != ENOSYS)
    return -errno;
  /* A link does not replace either. A directory has no second name; there it may be that somebody
   * makes one in between, and then an empty one is lost. */
  if (linkat (from_dir, from, to_dir, to, 0) == 0)
    return unlinkat (from_dir, from, 0) == 0 ? 0 : -errno;
  if (errno == EEXIST || errno == EXDEV || errno == ENOENT)
    return -errno;
  if (fstatat (to_dir, to, &stat, AT_SYMLINK_NOFOLLOW) == 0)
    return -EEXIST;
  return renameat (from_dir, from, to_dir, to) == 0 ? 0 : -errno;
}

int
gaio_sync_directory (int fd)
{
  return fsync (fd) == 0 || errno == EINVAL || errno == EROFS ? 0 : -errno;
}
