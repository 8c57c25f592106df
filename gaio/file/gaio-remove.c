/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Removing a file, or a directory with all that is in it.
 *
 * The directory above is opened once, and from there on everything is done by names in directories
 * that are open, so that nobody who renames things meanwhile, or puts a symbolic link in their
 * place, has something else removed (gaio-tree.c). A place where something is mounted is refused
 * before anything in it is touched: it could not be removed in the end. */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <gaio/file/gaio-file-call-private.h>
#include <gaio/file/gaio-remove.h>
#include <gaio/file/gaio-tree-private.h>
#include <gaio/file/gaio-work-private.h>

G_DEFINE_FLAGS_TYPE (GaioRemoveFlags,
                     gaio_remove_flags,
                     G_DEFINE_ENUM_VALUE (GAIO_REMOVE_NONE, "none"),
                     G_DEFINE_ENUM_VALUE (GAIO_REMOVE_RECURSIVE, "recursive"))

/* Of the same directory. A file system that does not list all lists a good part of it. */
#define MAX_TRIES 100

typedef struct
{
  char *path; /* without slashes at its end */
  GaioRemoveFlags flags;

  guint64 n_removed;
  guint64 n_removed_before; /* when a directory was last found not to be empty */
  guint n_tries;            /* how often that was since one was removed */
} Remove;

static Remove *
remove_new (const char *path, GaioRemoveFlags flags)
{
  Remove *self = g_new0 (Remove, 1);
  gsize length = strlen (path);

  while (length > 1 && path[length - 1] == '/')
    length--;
  self->path = g_strndup (path, length);
  self->flags = flags;
  return self;
}

static void
remove_free (gpointer data)
{
  Remove *self = data;

  g_free (self->path);
  g_free (self);
}

/* 0 or an errno. */
static int
unlink_one (Remove *self, GaioWork *work, int fd, const char *name, int flags)
{
  if (unlinkat (fd, name, flags) < 0 && errno != ENOENT)
    return errno;
  gaio_work_report (work, ++self->n_removed, 0);
  return 0;
}

static int
leave (Remove *self, GaioWork *work, GaioTree *tree)
{
  int errnum =
      unlink_one (self, work, gaio_tree_get_fd (tree), gaio_tree_get_name (tree), AT_REMOVEDIR);

  /* Somebody puts things in, or the file system does not list all when some are removed meanwhile.
   * It may be that the former never ends. */
  if ((errnum == ENOTEMPTY || errnum == EEXIST) && self->n_removed > self->n_removed_before &&
      ++self->n_tries < MAX_TRIES)
    {
      self->n_removed_before = self->n_removed;
      gaio_tree_again (tree);
      return 0;
    }
  self->n_tries = 0;
  return errnum;
}

static gpointer
remove_tree (Remove *self, GaioWork *work, int fd, const char *name, GError **error)
{
  GaioTree *tree = gaio_tree_new (fd, name, self->path);
  GaioTreeStep step = GAIO_TREE_ENTER;
  gpointer result = NULL;

  while (step != GAIO_TREE_END)
    {
      int errnum = 0;

      if (!gaio_work_check (work, error))
        break;
      step = gaio_tree_next (tree);
      if (step == GAIO_TREE_FAILED)
        errnum = gaio_tree_get_errno (tree);
      else if (step == GAIO_TREE_ENTER)
        errnum = gaio_tree_is_mount (tree) ? EBUSY : 0;
      else if (step == GAIO_TREE_FILE)
        errnum = unlink_one (self, work, gaio_tree_get_fd (tree), gaio_tree_get_name (tree), 0);
      else if (step == GAIO_TREE_LEAVE)
        errnum = leave (self, work, tree);
      if (errnum != 0)
        {
          gaio_work_fail (work, errnum, gaio_tree_get_path (tree), error);
          break;
        }
    }
  if (step == GAIO_TREE_END)
    result = GAIO_WORK_DONE;
  gaio_tree_free (tree);
  return result;
}

static gpointer
run (GaioWork *work, gpointer data, GError **error)
{
  Remove *self = data;
  g_autofree char *name = g_path_get_basename (self->path);
  g_autofree char *above = g_path_get_dirname (self->path);
  gpointer result = NULL;
  int fd;

  if ((self->flags & ~GAIO_REMOVE_RECURSIVE) != 0)
    return gaio_work_fail_argument (work, "flags", self->flags, error);
  if (self->path[0] == '\0')
    return gaio_work_fail (work, ENOENT, NULL, error);
  /* These cannot be removed, and it would come out only when all that is in them is. */
  if (strcmp (name, "/") == 0)
    return gaio_work_fail (work, EBUSY, NULL, error);
  if (strcmp (name, ".") == 0 || strcmp (name, "..") == 0)
    return gaio_work_fail (work, EINVAL, NULL, error);

  fd = open (above, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0)
    return gaio_work_fail (work, errno, NULL, error);
  if (unlinkat (fd, name, 0) == 0)
    result = GAIO_WORK_DONE;
  else if (errno != EISDIR)
    gaio_work_fail (work, errno, NULL, error);
  else if (unlinkat (fd, name, AT_REMOVEDIR) == 0)
    result = GAIO_WORK_DONE;
  else if ((self->flags & GAIO_REMOVE_RECURSIVE) == 0 || (errno != ENOTEMPTY && errno != EEXIST))
    gaio_work_fail (work, errno, NULL, error);
  else
    result = remove_tree (self, work, fd, name, error);
  if (result != NULL)
    gaio_work_report (work, MAX (self->n_removed, 1), MAX (self->n_removed, 1));
  close (fd);
  return result;
}

static const GaioWorkKind kind = { .name = "remove", .run = run, .data_free = remove_free };

/**
 * gaio_remove:
 * @path: (type filename): what to remove
 * @flags: flags
 * @progress: (nullable): see [func@Gaio.remove_async]; called in the thread of the caller
 * @cancellable: (nullable): a cancellable
 * @error: return location for an error
 *
 * Does what [func@Gaio.remove_async] does, and blocks until it is done.
 *
 * Thread: any.
 *
 * Returns: %TRUE, or %FALSE with an error of `G_IO_ERROR` or %GAIO_ERROR
 */
gboolean
gaio_remove (const char *path,
             GaioRemoveFlags flags,
             GClosure *progress,
             GCancellable *cancellable,
             GError **error)
{
  Remove *self;
  gpointer result;

  g_return_val_if_fail (path != NULL, FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  self = remove_new (path, flags);
  result = gaio_work_run (&kind, self, self->path, progress, cancellable, error);
  remove_free (self);
  return result != NULL;
}

/**
 * gaio_remove_async:
 * @path: (type filename): what to remove
 * @flags: flags
 * @progress: (nullable): called with two 64-bit integers now and then: how many entries have been
 *   removed, and how many there are in all, which is 0 until the end
 * @io_priority: the priority of @callback among the sources of its main context
 * @cancellable: (nullable): a cancellable; what is removed by then is gone
 * @callback: (nullable) (scope async): called at the end
 * @user_data: data for @callback
 *
 * Removes a file, a symbolic link or an empty directory; with %GAIO_REMOVE_RECURSIVE also a
 * directory with all that is in it.
 *
 * Symbolic links are removed and never followed, also when they appear meanwhile. It ends at the
 * first entry that cannot be removed, and the error names it; what has been removed by then is
 * gone. A place where something is mounted is refused with `EBUSY`, and what is in it is left
 * alone. What somebody else removes meanwhile is no error.
 *
 * Thread: any; @progress and @callback are called in the thread-default main context of the caller.
 */
void
gaio_remove_async (const char *path,
                   GaioRemoveFlags flags,
                   GClosure *progress,
                   int io_priority,
                   GCancellable *cancellable,
                   GAsyncReadyCallback callback,
                   gpointer user_data)
{
  Remove *self;

  g_return_if_fail (path != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  self = remove_new (path, flags);
  gaio_work_start (GAIO_FILE_NEW_TASK (NULL, gaio_remove_async), &kind, self, self->path, progress);
}

/**
 * gaio_remove_finish:
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [func@Gaio.remove_async].
 *
 * Thread: the callback's.
 *
 * Returns: %TRUE, or %FALSE with an error of `G_IO_ERROR` or %GAIO_ERROR
 */
gboolean
gaio_remove_finish (GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, NULL), FALSE);
  g_return_val_if_fail (g_async_result_is_tagged (result, gaio_remove_async), FALSE);

  return g_task_propagate_pointer (G_TASK (result), error) != NULL;
}
