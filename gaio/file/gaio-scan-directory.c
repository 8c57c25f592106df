/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The names in a directory, and in those below it, all in one call. It is for scripts, to which
 * each call costs more than the system needs for a hundred names; who wants to know more than the
 * names, or does not want them all in memory, has GaioEnumerator. */

#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include <gaio/file/gaio-file-call-private.h>
#include <gaio/file/gaio-scan-directory.h>
#include <gaio/file/gaio-tree-private.h>
#include <gaio/file/gaio-work-private.h>

G_DEFINE_FLAGS_TYPE (GaioScanFlags,
                     gaio_scan_flags,
                     G_DEFINE_ENUM_VALUE (GAIO_SCAN_NONE, "none"),
                     G_DEFINE_ENUM_VALUE (GAIO_SCAN_RECURSIVE, "recursive"))

typedef struct
{
  char *path;
  GaioScanFlags flags;
} Scan;

static void
scan_free (gpointer data)
{
  Scan *self = data;

  g_free (self->path);
  g_free (self);
}

static Scan *
scan_new (const char *path, GaioScanFlags flags)
{
  Scan *self = g_new0 (Scan, 1);

  self->path = g_strdup (path);
  self->flags = flags;
  return self;
}

static bool
scan_one (Scan *self, GaioWork *work, GPtrArray *names, GError **error)
{
  DIR *dir = opendir (self->path);
  int errnum = dir == NULL ? errno : 0;

  while (dir != NULL && gaio_work_check (work, error))
    {
      struct dirent *entry;

      errno = 0;
      entry = readdir (dir);
      if (entry == NULL)
        {
          errnum = errno;
          closedir (g_steal_pointer (&dir));
          if (errnum == 0)
            return true;
        }
      else if (strcmp (entry->d_name, ".") != 0 && strcmp (entry->d_name, "..") != 0)
        g_ptr_array_add (names, g_strdup (entry->d_name));
    }
  if (dir != NULL)
    closedir (dir);
  else
    gaio_work_fail (work, errnum, NULL, error);
  return false;
}

static bool
scan_all (Scan *self, GaioWork *work, GPtrArray *names, GError **error)
{
  /* The directory itself may be a symbolic link; "." in it is not. */
  int fd = open (self->path, O_PATH | O_DIRECTORY | O_CLOEXEC);
  GaioTreeStep step = GAIO_TREE_LEAVE;
  gsize length = strlen (self->path) + 1;
  GaioTree *tree;

  if (fd < 0)
    {
      gaio_work_fail (work, errno, NULL, error);
      return false;
    }
  tree = gaio_tree_new (fd, ".", self->path);
  while (step != GAIO_TREE_END && step != GAIO_TREE_FAILED && gaio_work_check (work, error))
    {
      step = gaio_tree_next (tree);
      if (step == GAIO_TREE_FAILED)
        gaio_work_fail (work, gaio_tree_get_errno (tree), gaio_tree_get_path (tree), error);
      else if ((step == GAIO_TREE_FILE || step == GAIO_TREE_ENTER) &&
               strlen (gaio_tree_get_path (tree)) > length)
        g_ptr_array_add (names, g_strdup (gaio_tree_get_path (tree) + length));
    }
  gaio_tree_free (tree);
  close (fd);
  return step == GAIO_TREE_END;
}

static gpointer
run (GaioWork *work, gpointer data, GError **error)
{
  GPtrArray *names;
  Scan *self = data;
  bool done;

  if ((self->flags & ~GAIO_SCAN_RECURSIVE) != 0)
    return gaio_work_fail_argument (work, "flags", self->flags, error);
  names = g_ptr_array_new_with_free_func (g_free);
  done = (self->flags & GAIO_SCAN_RECURSIVE) != 0 ? scan_all (self, work, names, error)
                                                  : scan_one (self, work, names, error);
  if (!done)
    {
      g_ptr_array_unref (names);
      return NULL;
    }
  g_ptr_array_add (names, NULL);
  return g_ptr_array_free (names, FALSE);
}

static void
result_free (gpointer result)
{
  g_strfreev (result);
}

static const GaioWorkKind kind = {
  .name = "scan directory",
  .run = run,
  .data_free = scan_free,
  .result_free = result_free,
};

/**
 * gaio_scan_directory:
 * @path: (type filename): a directory
 * @flags: flags
 * @cancellable: (nullable): a cancellable
 * @error: return location for an error
 *
 * Does what [func@Gaio.scan_directory_async] does, and blocks until it is done.
 *
 * Thread: any.
 *
 * Returns: (transfer full) (array zero-terminated=1) (element-type filename): the names, or %NULL
 *   with an error of `G_IO_ERROR` or %GAIO_ERROR
 */
char **
gaio_scan_directory (const char *path,
                     GaioScanFlags flags,
                     GCancellable *cancellable,
                     GError **error)
{
  Scan *self;
  char **names;

  g_return_val_if_fail (path != NULL, NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  self = scan_new (path, flags);
  names = gaio_work_run (&kind, self, self->path, NULL, cancellable, error);
  scan_free (self);
  return names;
}

/**
 * gaio_scan_directory_async:
 * @path: (type filename): a directory
 * @flags: flags
 * @io_priority: the priority of @callback among the sources of its main context
 * @cancellable: (nullable): a cancellable
 * @callback: (nullable) (scope async): called at the end
 * @user_data: data for @callback
 *
 * Lists the names of all that is in a directory, in no particular order.
 *
 * With %GAIO_SCAN_RECURSIVE that includes what is in the directories below it, as paths that begin
 * in the directory, such as `a`, `a/b` and `a/b/c`. Symbolic links below the directory are listed
 * and not followed. A directory that cannot be read is an error.
 *
 * For more than the names see [func@Gaio.enumerate].
 *
 * Thread: any; @callback is called in the thread-default main context of the caller.
 */
void
gaio_scan_directory_async (const char *path,
                           GaioScanFlags flags,
                           int io_priority,
                           GCancellable *cancellable,
                           GAsyncReadyCallback callback,
                           gpointer user_data)
{
  Scan *self;

  g_return_if_fail (path != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  self = scan_new (path, flags);
  gaio_work_start (GAIO_FILE_NEW_TASK (NULL, gaio_scan_directory_async), &kind, self, self->path,
                   NULL);
}

/**
 * gaio_scan_directory_finish:
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [func@Gaio.scan_directory_async].
 *
 * Thread: the callback's.
 *
 * Returns: (transfer full) (array zero-terminated=1) (element-type filename): the names, or %NULL
 *   with an error of `G_IO_ERROR` or %GAIO_ERROR
 */
char **
gaio_scan_directory_finish (GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, NULL), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, gaio_scan_directory_async), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}
