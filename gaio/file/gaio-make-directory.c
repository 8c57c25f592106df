/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Making a directory, with those above it when they are missing.
 *
 * Most often there is only one to be made, so that is tried first. When the one above is missing,
 * the path is shortened until something can be made or is there, and then made from there on down.
 * Others may do the same at the same time: what is there already is as good as made. When one is
 * removed meanwhile it begins anew, and gives up after MAX_TRIES. */

#include "config.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include <gaio/file/gaio-file-call-private.h>
#include <gaio/file/gaio-make-directory.h>
#include <gaio/file/gaio-work-private.h>

#define MAX_TRIES 16

#define PARENT_PERMISSIONS 0777
#define ALL_PERMISSIONS 07777u

typedef struct
{
  char *path; /* cut while it is worked on */
  gboolean with_parents;
  guint32 permissions;
} Make;

static void
make_free (gpointer data)
{
  Make *self = data;

  g_free (self->path);
  g_free (self);
}

static Make *
make_new (const char *path, gboolean with_parents, guint32 permissions)
{
  Make *self = g_new0 (Make, 1);

  self->path = g_strdup (path);
  self->with_parents = with_parents;
  self->permissions = permissions;
  return self;
}

/* Where the last name of the path up to `end` begins to be cut off; NULL when it has but one. */
static char *
cut_of (char *path, char *end)
{
  while (end > path && end[-1] == '/')
    end--;
  while (end > path && end[-1] != '/')
    end--;
  while (end > path && end[-1] == '/')
    end--;
  return end > path ? end : NULL;
}

/* 0 or an errno; something that is there already is fine. */
static int
make_parent (char *path, char *end)
{
  int errnum;
  char kept = *end;

  *end = '\0';
  errnum = mkdir (path, PARENT_PERMISSIONS) == 0 || errno == EEXIST ? 0 : errno;
  *end = kept;
  return errnum;
}

/* All that is above; 0 or an errno, with the end of the path that it is about. */
static int
make_parents (char *path, char **failed)
{
  char *last = cut_of (path, path + strlen (path));
  char *end = last;
  int errnum = ENOENT;

  while (end != NULL && (errnum = make_parent (path, end)) == ENOENT)
    {
      char *next = cut_of (path, end);

      if (next == NULL)
        break;
      end = next;
    }
  /* Down again: each end but the last is followed by slashes and a name. */
  while (errnum == 0 && end != last)
    {
      end += strspn (end, "/");
      end += strcspn (end, "/");
      errnum = make_parent (path, end);
    }
  *failed = end;
  return errnum;
}

static bool
is_directory (const char *path)
{
  struct stat stat_;

  return stat (path, &stat_) == 0 && S_ISDIR (stat_.st_mode);
}

static gpointer
run (GaioWork *work, gpointer data, GError **error)
{
  Make *self = data;

  if ((self->permissions & ~ALL_PERMISSIONS) != 0)
    return gaio_work_fail (work, EINVAL, NULL, error); /* mkdir() would cut them off */
  for (int n_tries = 1; gaio_work_check (work, error); n_tries++)
    {
      char *failed = NULL;
      int errnum;

      if (mkdir (self->path, self->permissions) == 0)
        return GAIO_WORK_DONE;
      errnum = errno;
      if (errnum == EEXIST && self->with_parents && is_directory (self->path))
        return GAIO_WORK_DONE;
      if (errnum == ENOENT && self->with_parents && self->path[0] != '\0' && n_tries < MAX_TRIES)
        {
          errnum = make_parents (self->path, &failed);
          if (errnum == 0 || errnum == ENOENT)
            continue;
          if (failed != NULL)
            *failed = '\0';
        }
      return gaio_work_fail (work, errnum, self->path, error);
    }
  return NULL;
}

static const GaioWorkKind kind = { .name = "make directory", .run = run, .data_free = make_free };

/**
 * gaio_make_directory:
 * @path: (type filename): the directory to make
 * @with_parents: see [func@Gaio.make_directory_async]
 * @permissions: its permissions
 * @cancellable: (nullable): a cancellable
 * @error: return location for an error
 *
 * Does what [func@Gaio.make_directory_async] does, and blocks until it is done.
 *
 * Thread: any.
 *
 * Returns: %TRUE, or %FALSE with an error of `G_IO_ERROR` or %GAIO_ERROR
 */
gboolean
gaio_make_directory (const char *path,
                     gboolean with_parents,
                     guint32 permissions,
                     GCancellable *cancellable,
                     GError **error)
{
  Make *self;
  gpointer result;

  g_return_val_if_fail (path != NULL, FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  self = make_new (path, with_parents, permissions);
  result = gaio_work_run (&kind, self, path, NULL, cancellable, error);
  make_free (self);
  return result != NULL;
}

/**
 * gaio_make_directory_async:
 * @path: (type filename): the directory to make
 * @with_parents: whether to make those above it too when they are missing
 * @permissions: its permissions, such as `0777`, from which the process's umask takes some; those
 *   above it get `0777` likewise
 * @io_priority: the priority of @callback among the sources of its main context
 * @cancellable: (nullable): a cancellable
 * @callback: (nullable) (scope async): called at the end
 * @user_data: data for @callback
 *
 * Makes a directory.
 *
 * When there is something of that name already the error is `G_IO_ERROR_EXISTS`, except that a
 * directory is fine when @with_parents is %TRUE. Any number of threads and processes may make
 * directories in common at the same time.
 *
 * Thread: any; @callback is called in the thread-default main context of the caller.
 */
void
gaio_make_directory_async (const char *path,
                           gboolean with_parents,
                           guint32 permissions,
                           int io_priority,
                           GCancellable *cancellable,
                           GAsyncReadyCallback callback,
                           gpointer user_data)
{
  Make *self;

  g_return_if_fail (path != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  self = make_new (path, with_parents, permissions);
  gaio_work_start (GAIO_FILE_NEW_TASK (NULL, gaio_make_directory_async), &kind, self, self->path,
                   NULL);
}

/**
 * gaio_make_directory_finish:
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [func@Gaio.make_directory_async].
 *
 * Thread: the callback's.
 *
 * Returns: %TRUE, or %FALSE with an error of `G_IO_ERROR` or %GAIO_ERROR
 */
gboolean
gaio_make_directory_finish (GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, NULL), FALSE);
  g_return_val_if_fail (g_async_result_is_tagged (result, gaio_make_directory_async), FALSE);

  return g_task_propagate_pointer (G_TASK (result), error) != NULL;
}
