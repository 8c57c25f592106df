/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* A file system that takes its time: slow-fs STORE MILLISECONDS MOUNTPOINT. The files are those of
 * the directory STORE, and each write takes so much longer. It runs in the foreground. */

#define FUSE_USE_VERSION 31

#include <errno.h>
#include <fcntl.h>
#include <fuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <glib.h>

static int store = -1;
static gulong delay_us;

/* Relative to the store: the root is "." there. */
static const char *
name_of (const char *path)
{
  return path[1] != '\0' ? path + 1 : ".";
}

static int
fs_getattr (const char *path, struct stat *st, struct fuse_file_info *info)
{
  return fstatat (store, name_of (path), st, AT_SYMLINK_NOFOLLOW) == 0 ? 0 : -errno;
}

static int
open_file (const char *path, int flags, mode_t mode, struct fuse_file_info *info)
{
  int fd = openat (store, name_of (path), (flags & ~O_DIRECT) | O_CLOEXEC, mode);

  if (fd < 0)
    return -errno;
  info->fh = (uint64_t) fd;
  return 0;
}

static int
fs_open (const char *path, struct fuse_file_info *info)
{
  return open_file (path, info->flags, 0, info);
}

static int
fs_create (const char *path, mode_t mode, struct fuse_file_info *info)
{
  return open_file (path, info->flags | O_CREAT, mode, info);
}

static int
fs_release (const char *path, struct fuse_file_info *info)
{
  close ((int) info->fh);
  return 0;
}

static int
fs_read (const char *path, char *data, size_t size, off_t offset, struct fuse_file_info *info)
{
  ssize_t n = pread ((int) info->fh, data, size, offset);

  return n >= 0 ? (int) n : -errno;
}

static int
fs_write (
    const char *path, const char *data, size_t size, off_t offset, struct fuse_file_info *info)
{
  ssize_t n;

  g_usleep (delay_us);
  n = pwrite ((int) info->fh, data, size, offset);
  return n >= 0 ? (int) n : -errno;
}

static int
fs_truncate (const char *path, off_t size, struct fuse_file_info *info)
{
  int fd = openat (store, name_of (path), O_WRONLY | O_CLOEXEC);
  int error = fd >= 0 && ftruncate (fd, size) == 0 ? 0 : -errno;

  if (fd >= 0)
    close (fd);
  return error;
}

static int
fs_unlink (const char *path)
{
  return unlinkat (store, name_of (path), 0) == 0 ? 0 : -errno;
}

static int
fs_fsync (const char *path, int data_only, struct fuse_file_info *info)
{
  return fdatasync ((int) info->fh) == 0 ? 0 : -errno;
}

static const struct fuse_operations operations = {
  .getattr = fs_getattr,
  .open = fs_open,
  .create = fs_create,
  .release = fs_release,
  .read = fs_read,
  .write = fs_write,
  .truncate = fs_truncate,
  .unlink = fs_unlink,
  .fsync = fs_fsync,
};

int
main (int argc, char **argv)
{
  char foreground[] = "-f";
  char *fuse_argv[] = { argv[0], foreground, NULL, NULL };

  if (argc != 4)
    {
      fprintf (stderr, "usage: %s STORE MILLISECONDS MOUNTPOINT\n", argv[0]);
      return 2;
    }
  store = open (argv[1], O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (store < 0)
    {
      perror (argv[1]);
      return 1;
    }
  delay_us = strtoul (argv[2], NULL, 10) * 1000;
  fuse_argv[2] = argv[3];
  return fuse_main (3, fuse_argv, &operations, NULL);
}
