/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* A walk through a directory and all below it, with what it takes that nobody can lead it astray:
 * each directory is opened by its name in the one above, and never through a symbolic link, so a
 * tree that is being changed may end the walk but cannot send it elsewhere.
 *
 * Memory grows with the depth of the tree, not with its size, and the number of descriptors with
 * neither: only the last MAX_OPEN directories on the way down are open. One further up is closed,
 * with its position kept, and opened again on the way back as ".." of the one below, which is the
 * same directory or, when the tree was moved meanwhile, an error. */

#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gaio/file/gaio-tree-private.h>

/* Deeper trees than this are rare, and to open a directory again costs three system calls. */
#define MAX_OPEN 32

#define OPEN_FLAGS (O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC)

/* A directory on the way down. */
typedef struct
{
  DIR *dir;    /* NULL: closed for now */
  long offset; /* where to go on then */
  gsize path_length;
  guint64 inode;
  guint32 device_major;
  guint32 device_minor;
} Level;

struct _GaioTree
{
  int top_fd;
  char *top_name;
  GArray *levels;
  GString *path; /* of the place */
  gsize name_at; /* in that; 0: it is the top */
  int fd;        /* the directory of the place */
  int errnum;
  bool again; /* into the directory at the place */
  bool is_mount;
};

static Level *
get_level (GaioTree *self, guint from_last)
{
  return &g_array_index (self->levels, Level, self->levels->len - 1 - from_last);
}

static GaioTreeStep
fail (GaioTree *self, int errnum)
{
  self->errnum = errnum;
  return GAIO_TREE_FAILED;
}

/* Closes the directory of a level, but remembers where it was. */
static void
doze (Level *level)
{
  level->offset = telldir (level->dir);
  closedir (g_steal_pointer (&level->dir));
}

/* Opens the last but one directory, which is the one above the last. */
static int
wake (GaioTree *self)
{
  Level *level = get_level (self, 1);
  struct statx statx_;
  int fd = openat (dirfd (get_level (self, 0)->dir), "..", OPEN_FLAGS);
  int errnum = 0;

  if (fd < 0)
    return errno;
  if (statx (fd, "", AT_EMPTY_PATH, STATX_INO, &statx_) < 0)
    errnum = errno;
  else if (statx_.stx_ino != level->inode || statx_.stx_dev_major != level->device_major ||
           statx_.stx_dev_minor != level->device_minor)
    errnum = ESTALE;
  else if ((level->dir = fdopendir (fd)) == NULL)
    errnum = errno;
  if (errnum != 0)
    close (fd);
  else
    seekdir (level->dir, level->offset);
  return errnum;
}

/* Into the directory at the place; 0 or an errno. */
static int
descend (GaioTree *self, int fd, const char *name)
{
  Level level = { .path_length = self->path->len };
  int own_fd = openat (fd, name, OPEN_FLAGS);
  struct statx statx_;
  int errnum;

  if (own_fd < 0)
    return errno;
  if (statx (own_fd, "", AT_EMPTY_PATH, STATX_INO, &statx_) < 0 ||
      (level.dir = fdopendir (own_fd)) == NULL)
    {
      errnum = errno;
      close (own_fd);
      return errnum;
    }
  level.inode = statx_.stx_ino;
  level.device_major = statx_.stx_dev_major;
  level.device_minor = statx_.stx_dev_minor;
  self->is_mount =
      (statx_.stx_attributes & statx_.stx_attributes_mask & STATX_ATTR_MOUNT_ROOT) != 0;
  g_array_append_val (self->levels, level);
  if (self->levels->len > MAX_OPEN && get_level (self, MAX_OPEN)->dir != NULL)
    doze (get_level (self, MAX_OPEN));
  return 0;
}

static GaioTreeStep
leave (GaioTree *self)
{
  Level *level = get_level (self, 0);
  int errnum = 0;

  g_string_truncate (self->path, level->path_length);
  if (self->levels->len > 1 && get_level (self, 1)->dir == NULL)
    errnum = wake (self);
  closedir (level->dir);
  g_array_set_size (self->levels, self->levels->len - 1);
  if (errnum != 0)
    return fail (self, errnum);
  if (self->levels->len > 0)
    {
      self->fd = dirfd (get_level (self, 0)->dir);
      self->name_at = get_level (self, 0)->path_length + 1;
    }
  else
    {
      self->fd = self->top_fd;
      self->name_at = 0;
    }
  return GAIO_TREE_LEAVE;
}

/* Whether the entry is a directory: 1 or 0, or -errno. */
static int
is_directory (int fd, const struct dirent *entry)
{
  struct stat stat_;

  if (entry->d_type != DT_UNKNOWN)
    return entry->d_type == DT_DIR;
  if (fstatat (fd, entry->d_name, &stat_, AT_SYMLINK_NOFOLLOW) < 0)
    return -errno;
  return S_ISDIR (stat_.st_mode);
}

GaioTreeStep
gaio_tree_next (GaioTree *self)
{
  if (self->again)
    {
      int errnum = descend (self, self->fd, gaio_tree_get_name (self));

      self->again = false;
      return errnum == 0 ? GAIO_TREE_ENTER : fail (self, errnum);
    }

  while (self->levels->len > 0)
    {
      Level *level = get_level (self, 0);
      struct dirent *entry;
      int result;

      errno = 0;
      entry = readdir (level->dir);
      if (entry == NULL)
        {
          g_string_truncate (self->path, level->path_length);
          return errno != 0 ? fail (self, errno) : leave (self);
        }
      if (strcmp (entry->d_name, ".") == 0 || strcmp (entry->d_name, "..") == 0)
        continue;

      g_string_truncate (self->path, level->path_length);
      g_string_append_c (self->path, '/');
      g_string_append (self->path, entry->d_name);
      self->name_at = level->path_length + 1;
      self->fd = dirfd (level->dir);
      result = is_directory (self->fd, entry);
      if (result == 0)
        return GAIO_TREE_FILE;
      if (result > 0)
        result = -descend (self, self->fd, entry->d_name);
      if (result == 0)
        return GAIO_TREE_ENTER;
      if (result != -ENOENT)
        return fail (self, -result);
    }
  return GAIO_TREE_END;
}

GaioTree *
gaio_tree_new (int fd, const char *name, const char *path)
{
  GaioTree *self = g_new0 (GaioTree, 1);

  self->top_fd = fd;
  self->top_name = g_strdup (name);
  self->levels = g_array_new (FALSE, FALSE, sizeof (Level));
  self->path = g_string_new (path);
  self->fd = fd;
  self->again = true;
  return self;
}

void
gaio_tree_free (GaioTree *self)
{
  for (guint i = 0; i < self->levels->len; i++)
    if (get_level (self, i)->dir != NULL)
      closedir (get_level (self, i)->dir);
  g_array_unref (self->levels);
  g_string_free (self->path, TRUE);
  g_free (self->top_name);
  g_free (self);
}

void
gaio_tree_again (GaioTree *self)
{
  self->again = true;
}

int
gaio_tree_get_errno (GaioTree *self)
{
  return self->errnum;
}

bool
gaio_tree_is_mount (GaioTree *self)
{
  return self->is_mount;
}

int
gaio_tree_get_fd (GaioTree *self)
{
  return self->fd;
}

const char *
gaio_tree_get_name (GaioTree *self)
{
  return self->name_at == 0 ? self->top_name : self->path->str + self->name_at;
}

const char *
gaio_tree_get_path (GaioTree *self)
{
  return self->path->str;
}
