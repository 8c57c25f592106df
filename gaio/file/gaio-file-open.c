/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Opening files by name. There are three ways to say which file and how: a mode as fopen() has it,
 * flags, and flags with a GFile. All become flags here, are looked at here, and are opened by one
 * request; what cannot be opened fails before there is one. Any thread may call anything. */

#include "config.h"

#include <errno.h>
#include <fcntl.h>

#include <gaio/base/gaio-error-private.h>
#include <gaio/file/gaio-file-call-private.h>
#include <gaio/file/gaio-file-open.h>

#define DEFAULT_PERMISSIONS 0666
#define ALL_PERMISSIONS 07777u

G_DEFINE_FLAGS_TYPE (GaioOpenFlags,
                     gaio_open_flags,
                     G_DEFINE_ENUM_VALUE (GAIO_OPEN_NONE, "none"),
                     G_DEFINE_ENUM_VALUE (GAIO_OPEN_READ, "read"),
                     G_DEFINE_ENUM_VALUE (GAIO_OPEN_WRITE, "write"),
                     G_DEFINE_ENUM_VALUE (GAIO_OPEN_CREATE, "create"),
                     G_DEFINE_ENUM_VALUE (GAIO_OPEN_EXCLUSIVE, "exclusive"),
                     G_DEFINE_ENUM_VALUE (GAIO_OPEN_APPEND, "append"),
                     G_DEFINE_ENUM_VALUE (GAIO_OPEN_TRUNCATE, "truncate"),
                     G_DEFINE_ENUM_VALUE (GAIO_OPEN_NOFOLLOW, "nofollow"),
                     G_DEFINE_ENUM_VALUE (GAIO_OPEN_DIRECT, "direct"),
                     G_DEFINE_ENUM_VALUE (GAIO_OPEN_SYNC, "sync"),
                     G_DEFINE_ENUM_VALUE (GAIO_OPEN_DSYNC, "dsync"))

/* An fopen()-like mode; false when it is none. */
static bool
parse_mode (const char *mode, GaioOpenFlags *flags)
{
  GaioOpenFlags found;
  bool plus = false;
  bool exclusive = false;
  bool binary = false;

  switch (mode[0])
    {
    case 'r':
      found = GAIO_OPEN_READ;
      break;
    case 'w':
      found = GAIO_OPEN_WRITE | GAIO_OPEN_CREATE | GAIO_OPEN_TRUNCATE;
      break;
    case 'a':
      found = GAIO_OPEN_WRITE | GAIO_OPEN_CREATE | GAIO_OPEN_APPEND;
      break;
    default:
      return false;
    }
  for (const char *c = mode + 1; *c != '\0'; c++)
    {
      bool *seen = *c == '+' ? &plus : *c == 'x' ? &exclusive : *c == 'b' ? &binary : NULL;

      if (seen == NULL || *seen)
        return false;
      *seen = true;
    }
  if (exclusive && mode[0] == 'r')
    return false;
  if (plus)
    found |= GAIO_OPEN_READ | GAIO_OPEN_WRITE;
  if (exclusive)
    found |= GAIO_OPEN_EXCLUSIVE;
  *flags = found;
  return true;
}

/* What is asked for, as open(2) wants it. What that would take without a word though it can mean
 * nothing is an error, and `*why` says which. */
static bool
to_open_flags (GaioOpenFlags flags, int *found, const char **why)
{
  static const struct
  {
    GaioOpenFlags flag;
    int bit;
  } bits[] = {
    { GAIO_OPEN_CREATE, O_CREAT },      { GAIO_OPEN_EXCLUSIVE, O_EXCL },
    { GAIO_OPEN_APPEND, O_APPEND },     { GAIO_OPEN_TRUNCATE, O_TRUNC },
    { GAIO_OPEN_NOFOLLOW, O_NOFOLLOW }, { GAIO_OPEN_DIRECT, O_DIRECT },
    { GAIO_OPEN_SYNC, O_SYNC },         { GAIO_OPEN_DSYNC, O_DSYNC },
  };
  bool reads = (flags & GAIO_OPEN_READ) != 0;
  bool writes = (flags & GAIO_OPEN_WRITE) != 0;
  guint unknown = flags & ~(GAIO_OPEN_READ | GAIO_OPEN_WRITE);
  int result = reads && writes ? O_RDWR : writes ? O_WRONLY : O_RDONLY;

  for (guint i = 0; i < G_N_ELEMENTS (bits); i++)
    {
      if ((flags & bits[i].flag) != 0)
        result |= bits[i].bit;
      unknown &= ~bits[i].flag;
    }
  if (unknown != 0)
    *why = "unknown flags";
  else if (!reads && !writes)
    *why = "neither READ nor WRITE";
  else if ((flags & GAIO_OPEN_EXCLUSIVE) != 0 && (flags & GAIO_OPEN_CREATE) == 0)
    *why = "EXCLUSIVE without CREATE";
  else if ((flags & GAIO_OPEN_APPEND) != 0 && !writes)
    *why = "APPEND without WRITE";
  else if ((flags & GAIO_OPEN_TRUNCATE) != 0 && !writes)
    *why = "TRUNCATE without WRITE";
  else
    {
      *found = result;
      return true;
    }
  return false;
}

/* What is to be opened, looked at; `error` says why it cannot be. */
typedef struct
{
  const char *path;
  int flags;
  guint32 permissions;
  GError *error;
} Wish;

static Wish
wish_for_flags (const char *path, GaioOpenFlags flags, guint32 permissions)
{
  Wish self = { .path = path, .permissions = permissions };
  const char *why = NULL;

  if (to_open_flags (flags, &self.flags, &why) && (permissions & ~ALL_PERMISSIONS) != 0)
    why = "permissions that are none";
  if (why != NULL)
    self.error = gaio_error_new_errno_with_detail (EINVAL, "open", path, why);
  return self;
}

static Wish
wish_for_mode (const char *path, const char *mode)
{
  g_autofree char *why = NULL;
  GaioOpenFlags flags;

  if (parse_mode (mode, &flags))
    return wish_for_flags (path, flags, DEFAULT_PERMISSIONS);
  why = g_strdup_printf ("mode “%s”", mode);
  return (Wish){ .error = gaio_error_new_errno_with_detail (EINVAL, "open", path, why) };
}

/* The path is the GFile's. */
static Wish
wish_for_gfile (GFile *file, GaioOpenFlags flags, guint32 permissions)
{
  const char *path = g_file_peek_path (file);
  g_autofree char *uri = NULL;

  if (path != NULL)
    return wish_for_flags (path, flags, permissions);
  uri = g_file_get_uri (file);
  return (Wish){
    .error = gaio_error_new_errno_with_detail (ENOTSUP, "open", uri, "not a local file"),
  };
}

static GaioFile *
open_blocking (GaioContext *context, Wish wish, GCancellable *cancellable, GError **error)
{
  g_autoptr (GaioContext) owned = context;
  g_autoptr (GaioFile) self = NULL;
  g_autoptr (GaioRequest) request = NULL;

  if (wish.error == NULL && owned == NULL)
    wish.error = gaio_error_new_errno (EMFILE, "open", wish.path);
  if (wish.error != NULL)
    {
      g_propagate_error (error, wish.error);
      return NULL;
    }
  self = gaio_file_new (owned, wish.path);
  request = gaio_request_new_blocking (self, cancellable);
  gaio_request_open (request, wish.flags, wish.permissions);
  if (!gaio_request_get_result (request, NULL, error))
    return NULL;
  return g_steal_pointer (&self);
}

static void
return_open (GTask *task, GaioRequest *request)
{
  GError *error = NULL;

  if (gaio_request_get_result (request, NULL, &error))
    g_task_return_pointer (task, g_object_ref (request->file), g_object_unref);
  else
    g_task_return_error (task, error);
}

static void
open_start (GTask *task, Wish wish)
{
  g_autoptr (GaioContext) context = gaio_context_ref_thread_default ();
  g_autoptr (GaioFile) self = NULL;
  GaioRequest *request;

  if (wish.error == NULL && context == NULL)
    wish.error = gaio_error_new_errno (EMFILE, "open", wish.path);
  if (wish.error != NULL)
    {
      gaio_file_task_fail (task, context, wish.error);
      return;
    }
  self = gaio_file_new (context, wish.path);
  request = gaio_file_task_begin (task, self, return_open);
  if (request == NULL)
    return;
  gaio_request_open (request, wish.flags, wish.permissions);
  gaio_file_task_submitted (request);
}

/* By a mode. */

/**
 * gaio_open:
 * @path: (type filename): which file
 * @mode: how to open it, see [func@Gaio.open_async]
 * @cancellable: (nullable): a cancellable
 * @error: return location for an error
 *
 * Opens a file, and blocks until that is done.
 *
 * Thread: any. The file belongs to the thread's default [class@Gaio.Context], see
 * [func@Gaio.Context.ref_thread_default].
 *
 * Returns: (transfer full): the file, or %NULL with an error of `G_IO_ERROR` or %GAIO_ERROR
 */
GaioFile *
gaio_open (const char *path, const char *mode, GCancellable *cancellable, GError **error)
{
  g_return_val_if_fail (path != NULL, NULL);
  g_return_val_if_fail (mode != NULL, NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return open_blocking (gaio_context_ref_thread_default (), wish_for_mode (path, mode), cancellable,
                        error);
}

/**
 * gaio_open_async:
 * @path: (type filename): which file
 * @mode: how to open it: `r` to read, `w` to write a new or emptied file, `a` to append; each may
 *   be followed by `+` to read and write, and `w` and `a` by `x` to fail if the file exists. A `b`
 *   is accepted and means nothing
 * @io_priority: the priority of the callback, for example %G_PRIORITY_DEFAULT
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async): called when the file is open
 * @user_data: data for @callback
 *
 * Opens a file.
 *
 * The descriptor is close-on-exec; a new file has the permissions 0666 less the umask. To open a
 * directory fails with %G_IO_ERROR_IS_DIRECTORY, a mode that is none with
 * %G_IO_ERROR_INVALID_ARGUMENT.
 *
 * The opening of a named pipe for writing waits for a reader. Whether the one for reading waits for
 * a writer is the engine's choice: where it does not, the first [method@Gaio.File.read_bytes_async]
 * does, and only [method@Gaio.File.read_bytes] takes a writer that has not come for the end.
 *
 * [func@Gaio.open_full_async] knows more ways to open a file.
 *
 * Thread: any. The file belongs to the thread's default [class@Gaio.Context].
 */
void
gaio_open_async (const char *path,
                 const char *mode,
                 int io_priority,
                 GCancellable *cancellable,
                 GAsyncReadyCallback callback,
                 gpointer user_data)
{
  g_return_if_fail (path != NULL);
  g_return_if_fail (mode != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  open_start (GAIO_FILE_NEW_TASK (NULL, gaio_open_async), wish_for_mode (path, mode));
}

/**
 * gaio_open_finish:
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [func@Gaio.open_async].
 *
 * Thread: the callback's.
 *
 * Returns: (transfer full): the file, or %NULL with an error of `G_IO_ERROR` or %GAIO_ERROR
 */
GaioFile *
gaio_open_finish (GAsyncResult *result, GError **error)
{
  GAIO_FILE_FINISH_FUNCTION (gaio_open_async, pointer, NULL);
}

/**
 * gaio_file_new_for_path:
 * @context: the context for the file's operations
 * @path: (type filename): which file
 * @mode: how to open it, see [func@Gaio.open_async]
 * @error: return location for an error
 *
 * Opens a file for a given context, and blocks until that is done.
 *
 * Thread: any.
 *
 * Returns: (transfer full): the file, or %NULL with an error of `G_IO_ERROR` or %GAIO_ERROR
 */
GaioFile *
gaio_file_new_for_path (GaioContext *context, const char *path, const char *mode, GError **error)
{
  g_return_val_if_fail (GAIO_IS_CONTEXT (context), NULL);
  g_return_val_if_fail (path != NULL, NULL);
  g_return_val_if_fail (mode != NULL, NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return open_blocking (g_object_ref (context), wish_for_mode (path, mode), NULL, error);
}

/* By flags. */

/**
 * gaio_open_full:
 * @path: (type filename): which file
 * @flags: how to open it
 * @permissions: those of a file that is made, see [func@Gaio.open_full_async]
 * @cancellable: (nullable): a cancellable
 * @error: return location for an error
 *
 * Opens a file as the flags say, and blocks until that is done.
 *
 * Thread: any. The file belongs to the thread's default [class@Gaio.Context].
 *
 * Returns: (transfer full): the file, or %NULL with an error of `G_IO_ERROR` or %GAIO_ERROR
 */
GaioFile *
gaio_open_full (const char *path,
                GaioOpenFlags flags,
                guint32 permissions,
                GCancellable *cancellable,
                GError **error)
{
  g_return_val_if_fail (path != NULL, NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return open_blocking (gaio_context_ref_thread_default (),
                        wish_for_flags (path, flags, permissions), cancellable, error);
}

/**
 * gaio_open_full_async:
 * @path: (type filename): which file
 * @flags: how to open it
 * @permissions: those of a file that is made, as open(2) takes them: 0666 for all that the umask
 *   leaves. Without meaning unless %GAIO_OPEN_CREATE is among @flags
 * @io_priority: the priority of the callback
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async): called when the file is open
 * @user_data: data for @callback
 *
 * Opens a file as the flags say. Otherwise it is like [func@Gaio.open_async].
 *
 * Flags that contradict each other, and permissions that are none, fail with
 * %G_IO_ERROR_INVALID_ARGUMENT. With %GAIO_OPEN_NOFOLLOW a symbolic link fails with
 * %G_IO_ERROR_TOO_MANY_LINKS.
 *
 * Thread: any. The file belongs to the thread's default [class@Gaio.Context].
 */
void
gaio_open_full_async (const char *path,
                      GaioOpenFlags flags,
                      guint32 permissions,
                      int io_priority,
                      GCancellable *cancellable,
                      GAsyncReadyCallback callback,
                      gpointer user_data)
{
  g_return_if_fail (path != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  open_start (GAIO_FILE_NEW_TASK (NULL, gaio_open_full_async),
              wish_for_flags (path, flags, permissions));
}

/**
 * gaio_open_full_finish:
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [func@Gaio.open_full_async].
 *
 * Thread: the callback's.
 *
 * Returns: (transfer full): the file, or %NULL with an error of `G_IO_ERROR` or %GAIO_ERROR
 */
GaioFile *
gaio_open_full_finish (GAsyncResult *result, GError **error)
{
  GAIO_FILE_FINISH_FUNCTION (gaio_open_full_async, pointer, NULL);
}

/* By a GFile. */

/**
 * gaio_open_gfile:
 * @file: which file
 * @flags: how to open it
 * @permissions: those of a file that is made, see [func@Gaio.open_full_async]
 * @cancellable: (nullable): a cancellable
 * @error: return location for an error
 *
 * Opens what a [iface@Gio.File] stands for, and blocks until that is done. See
 * [func@Gaio.open_gfile_async].
 *
 * Thread: any. The file belongs to the thread's default [class@Gaio.Context].
 *
 * Returns: (transfer full): the file, or %NULL with an error of `G_IO_ERROR` or %GAIO_ERROR
 */
GaioFile *
gaio_open_gfile (GFile *file,
                 GaioOpenFlags flags,
                 guint32 permissions,
                 GCancellable *cancellable,
                 GError **error)
{
  g_return_val_if_fail (G_IS_FILE (file), NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  return open_blocking (gaio_context_ref_thread_default (),
                        wish_for_gfile (file, flags, permissions), cancellable, error);
}

/**
 * gaio_open_gfile_async:
 * @file: which file
 * @flags: how to open it
 * @permissions: those of a file that is made, see [func@Gaio.open_full_async]
 * @io_priority: the priority of the callback
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async): called when the file is open
 * @user_data: data for @callback
 *
 * Opens what a [iface@Gio.File] stands for, by its path. One that has no path, since it is not on
 * this system, fails with %G_IO_ERROR_NOT_SUPPORTED.
 *
 * Thread: any. The file belongs to the thread's default [class@Gaio.Context].
 */
void
gaio_open_gfile_async (GFile *file,
                       GaioOpenFlags flags,
                       guint32 permissions,
                       int io_priority,
                       GCancellable *cancellable,
                       GAsyncReadyCallback callback,
                       gpointer user_data)
{
  g_return_if_fail (G_IS_FILE (file));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  open_start (GAIO_FILE_NEW_TASK (NULL, gaio_open_gfile_async),
              wish_for_gfile (file, flags, permissions));
}

/**
 * gaio_open_gfile_finish:
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [func@Gaio.open_gfile_async].
 *
 * Thread: the callback's.
 *
 * Returns: (transfer full): the file, or %NULL with an error of `G_IO_ERROR` or %GAIO_ERROR
 */
GaioFile *
gaio_open_gfile_finish (GAsyncResult *result, GError **error)
{
  GAIO_FILE_FINISH_FUNCTION (gaio_open_gfile_async, pointer, NULL);
}
