/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* A file system that fails as it is told, in a process of its own: fault-fs DIRECTORY.
 *
 * The name of a file says how: OPERATION-FAULT, such as write-5. The operations are open, read,
 * write, fsync, flush and truncate; a fault is an errno, or the number of one of those below. With
 * `at-N-` in front the first N of these operations after each open go well; with `once-` before
 * that it happens once for each open, and with `direct-` before that the kernel keeps nothing of
 * the file in its cache. With `@OFFSET` at the end it happens to those reads only that want the
 * byte there. Any other name is that of a file that works. Files are there as soon as they are
 * named, and what is in them goes with the process. */

#define FUSE_USE_VERSION 31

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>
#include <fuse.h>

#include <glib.h>

#define MAX_BYTES ((size_t) 1024 * 1024)
#define SLOW_US 200000

#define SHORT (-1) /* half of it */
#define ZERO (-2)  /* nothing of it */
#define SLOW (-3)

typedef struct
{
  char *data;
  size_t size;
  int n_seen; /* of the operations that are to fail, since it was opened */
} File;

static GMutex lock;
static GHashTable *files;

static File *
find (const char *path)
{
  File *file;

  g_mutex_lock (&lock);
  file = g_hash_table_lookup (files, path);
  if (file == NULL)
    {
      file = g_new0 (File, 1);
      file->data = g_malloc0 (MAX_BYTES);
      g_hash_table_insert (files, g_strdup (path), file);
    }
  g_mutex_unlock (&lock);
  return file;
}

static bool
is_direct (const char *path)
{
  return g_str_has_prefix (path, "/direct-");
}

/* Whether it is the turn of an operation on this file to fail. */
static bool
is_due (File *file, bool once, int first)
{
  int n;

  g_mutex_lock (&lock);
  n = file->n_seen++;
  g_mutex_unlock (&lock);
  return once ? n == first : n >= first;
}

/* What is to happen to the operation: an errno, 0, or in `size` how much of it there is to be. */
static int
fault_at (const char *path, const char *operation, size_t *size)
{
  const char *name = path + (is_direct (path) ? strlen ("/direct-") : 1);
  bool once = g_str_has_prefix (name, "once-");
  char *end = NULL;
  int first = 0;
  int fault;

  name += once ? strlen ("once-") : 0;
  if (g_str_has_prefix (name, "at-"))
    {
      first = (int) strtol (name + strlen ("at-"), &end, 10);
      name = *end == '-' ? end + 1 : end;
    }
  if (!g_str_has_prefix (name, operation) || name[strlen (operation)] != '-' ||
      !is_due (find (path), once, first))
    return 0;
  fault = atoi (name + strlen (operation) + 1);
  if (fault == SLOW)
    g_usleep (SLOW_US);
  else if (fault == ZERO)
    *size = 0;
  else if (fault == SHORT)
    *size = (*size + 1) / 2;
  return MAX (fault, 0);
}

static int
fs_getattr (const char *path, struct stat *info, struct fuse_file_info *fi)
{
  bool is_root = strcmp (path, "/") == 0;

  memset (info, 0, sizeof *info);
  info->st_mode = is_root ? S_IFDIR | 0755 : S_IFREG | 0666;
  info->st_nlink = 1;
  info->st_size = is_root ? 0 : (off_t) find (path)->size;
  return 0;
}

static int
fs_truncate (const char *path, off_t length, struct fuse_file_info *fi)
{
  File *file = find (path);
  size_t size = 0;
  int err = fault_at (path, "truncate", &size);

  if (err != 0)
    return -err;
  if ((size_t) length < file->size)
    memset (file->data + length, 0, file->size - length);
  file->size = length;
  return 0;
}

static int
fs_open (const char *path, struct fuse_file_info *fi)
{
  size_t size = 0;
  int err = fault_at (path, "open", &size);

  if (err == 0)
    {
      File *file = find (path);

      g_mutex_lock (&lock);
      file->n_seen = 0;
      g_mutex_unlock (&lock);
    }
  fi->direct_io = is_direct (path);
  return err == 0 && (fi->flags & O_TRUNC) != 0 ? fs_truncate (path, 0, fi) : -err;
}

static bool
is_read_at (const char *path, off_t offset, size_t size)
{
  const char *at = strchr (path, '@');
  off_t place = at != NULL ? atoll (at + 1) : 0;

  return at == NULL || (offset <= place && place < offset + (off_t) size);
}

static int
fs_read (const char *path, char *buffer, size_t size, off_t offset, struct fuse_file_info *fi)
{
  File *file = find (path);
  int err;

  size = (size_t) offset >= file->size ? 0 : MIN (size, file->size - offset);
  err = is_read_at (path, offset, size) ? fault_at (path, "read", &size) : 0;
  if (err != 0)
    return -err;
  memcpy (buffer, file->data + offset, size);
  return (int) size;
}

static int
fs_write (
    const char *path, const char *buffer, size_t size, off_t offset, struct fuse_file_info *fi)
{
  File *file = find (path);
  int err = fault_at (path, "write", &size);

  if (err != 0)
    return -err;
  if ((size_t) offset + size > MAX_BYTES)
    return -ENOSPC;
  memcpy (file->data + offset, buffer, size);
  file->size = MAX (file->size, (size_t) offset + size);
  return (int) size;
}

static int
fs_fsync (const char *path, int data_only, struct fuse_file_info *fi)
{
  size_t size = 0;

  return -fault_at (path, "fsync", &size);
}

static int
fs_flush (const char *path, struct fuse_file_info *fi)
{
  size_t size = 0;

  return -fault_at (path, "flush", &size);
}

static const struct fuse_operations operations = {
  .getattr = fs_getattr,
  .open = fs_open,
  .read = fs_read,
  .write = fs_write,
  .truncate = fs_truncate,
  .fsync = fs_fsync,
  .flush = fs_flush,
};

int
main (int argc, char **argv)
{
  char foreground[] = "-f";
  char *args[] = { argv[0], foreground, argv[1], NULL };

  /* What it serves would wait for it when the test that started it is gone. */
  prctl (PR_SET_PDEATHSIG, SIGKILL);
  files = g_hash_table_new (g_str_hash, g_str_equal);
  return fuse_main (3, args, &operations, NULL);
}
