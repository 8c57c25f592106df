/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/**
 * GaioEnumerator:
 *
 * The files in a directory, in batches.
 *
 * [func@Gaio.enumerate] opens the directory, [method@Gaio.Enumerator.next_files] gives as many
 * files as one likes, until there are none, and [method@Gaio.Enumerator.close] closes it; so does
 * its end. It gives one batch at a time.
 */

/* A batch is one job for a worker, which reads the directory and asks statx(2) for what the
 * attributes need: nothing at all for names, and for types where the directory tells them. What is
 * kept between two batches is the stream of the directory, which has a buffer of fixed size.
 *
 * Nothing is lost: a batch that is cancelled leaves what it has read to the next one, and an error
 * in the midst of a batch is that of the next one.
 *
 * An operation has a serial number. It is over when its result is fetched, so that a callback may
 * start the next one, or when nobody has done so after its callback. Only the closing may begin
 * before that; its worker waits for the one that reads. */

#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include <gaio/base/gaio-error-private.h>
#include <gaio/file/gaio-enumerator.h>
#include <gaio/file/gaio-file-call-private.h>
#include <gaio/file/gaio-file-info-private.h>
#include <gaio/file/gaio-work-private.h>

struct _GaioEnumerator
{
  GObject parent_instance;

  /* immutable */
  char *path;
  GaioFileInfoWish wish;
  bool follows; /* symbolic links */

  GMutex use; /* of a worker, while it does what an operation is there to do */
  DIR *dir;   /* under it, as all up to the other lock; NULL when closed */
  bool is_at_end;
  GQueue ahead;    /* of GFileInfo: what a cancelled batch has left */
  int late_errnum; /* for the next batch; 0: none */
  char *late_name; /* the file that it is about; NULL: the directory */

  GMutex lock;
  guint serial;   /* under the lock; of the last operation */
  bool is_busy;   /* likewise; with that */
  bool is_closed; /* likewise */
};

G_DEFINE_FINAL_TYPE (GaioEnumerator, gaio_enumerator, G_TYPE_OBJECT)

/* Reading */

static int
open_directory (GaioEnumerator *self)
{
  self->dir = opendir (self->path);
  return self->dir == NULL ? errno : 0;
}

/* What is to be known of an entry, with as few system calls as can be. */
static int
examine (GaioEnumerator *self, const struct dirent *entry, GFileInfo **info)
{
  struct statx answer = { .stx_mode = DTTOIF (entry->d_type), .stx_mask = STATX_TYPE };
  bool is_link = entry->d_type == DT_LNK;
  bool is_type_known = entry->d_type != DT_UNKNOWN && !(is_link && self->follows);

  if (!gaio_file_info_wish_is_of_name (&self->wish) &&
      !(is_type_known && gaio_file_info_wish_is_of_type (&self->wish)))
    return gaio_file_info_look_up (&self->wish, dirfd (self->dir), entry->d_name, entry->d_name,
                                   self->follows, info);
  *info = gaio_file_info_new (&self->wish, &answer, entry->d_name, is_link);
  return 0;
}

static bool
is_dots (const char *name)
{
  return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

/* The next file, or NULL at the end and with an error, which is kept as `late`. */
static GFileInfo *
next_file (GaioEnumerator *self)
{
  while (!self->is_at_end)
    {
      GFileInfo *info = NULL;
      struct dirent *entry;

      errno = 0;
      entry = readdir (self->dir);
      if (entry == NULL)
        {
          self->is_at_end = true;
          self->late_errnum = errno;
          return NULL;
        }
      if (is_dots (entry->d_name))
        continue;
      self->late_errnum = examine (self, entry, &info);
      if (self->late_errnum == 0)
        return info;
      if (self->late_errnum != ENOENT)
        {
          self->late_name = g_strdup (entry->d_name);
          return NULL;
        }
      /* It has been removed meanwhile. */
      self->late_errnum = 0;
    }
  return NULL;
}

static gpointer
fail_late (GaioEnumerator *self, GaioWork *work, GError **error)
{
  g_autofree char *name = g_steal_pointer (&self->late_name);
  g_autofree char *path = name != NULL ? g_build_filename (self->path, name, NULL) : NULL;
  int errnum = self->late_errnum;

  self->late_errnum = 0;
  return gaio_work_fail (work, errnum, path, error);
}

/* Operations */

typedef struct
{
  GaioEnumerator *enumerator; /* a reference */
  guint serial;
  guint n_files;
} Operation;

static void
set_closed_error (GaioEnumerator *self, GError **error)
{
  g_set_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED, "enumerate “%s”: it is closed", self->path);
}

/* NULL with an error when it cannot be. */
static Operation *
operation_begin (GaioEnumerator *self, bool closes, GError **error)
{
  Operation *operation = NULL;

  g_mutex_lock (&self->lock);
  if (self->is_closed && !closes)
    set_closed_error (self, error);
  else if (self->is_busy && !closes)
    g_set_error (error, G_IO_ERROR, G_IO_ERROR_PENDING,
                 "enumerate “%s”: it has an operation in flight (EBUSY)", self->path);
  else
    {
      operation = g_new0 (Operation, 1);
      operation->enumerator = g_object_ref (self);
      operation->serial = ++self->serial;
      self->is_busy = true;
      self->is_closed |= closes;
    }
  g_mutex_unlock (&self->lock);
  return operation;
}

static void
set_over (GaioEnumerator *self, guint serial)
{
  g_mutex_lock (&self->lock);
  if (self->serial == serial)
    self->is_busy = false;
  g_mutex_unlock (&self->lock);
}

static void
operation_free (gpointer data)
{
  Operation *self = data;

  set_over (self->enumerator, self->serial);
  g_object_unref (self->enumerator);
  g_free (self);
}

static void
batch_free (gpointer data)
{
  g_queue_free_full (data, g_object_unref);
}

static GQueue *
read_batch (Operation *operation, GaioWork *work, GError **error)
{
  GaioEnumerator *self = operation->enumerator;
  GQueue *batch;

  if (self->dir == NULL)
    {
      /* The closing was faster. */
      set_closed_error (self, error);
      return NULL;
    }
  if (operation->n_files == 0)
    return gaio_work_fail (work, EINVAL, NULL, error);
  if (self->late_errnum != 0)
    return fail_late (self, work, error);

  batch = g_queue_new ();
  while (batch->length < operation->n_files)
    {
      GFileInfo *info;

      if (!gaio_work_check (work, error))
        {
          while ((info = g_queue_pop_tail (batch)) != NULL)
            g_queue_push_head (&self->ahead, info);
          batch_free (batch);
          return NULL;
        }
      info = g_queue_pop_head (&self->ahead);
      if (info == NULL)
        info = next_file (self);
      if (info == NULL)
        break;
      g_queue_push_tail (batch, info);
    }
  if (batch->length == 0 && self->late_errnum != 0)
    {
      batch_free (batch);
      return fail_late (self, work, error);
    }
  return batch;
}

static gpointer
run_next (GaioWork *work, gpointer data, GError **error)
{
  Operation *operation = data;
  GQueue *batch;

  g_mutex_lock (&operation->enumerator->use);
  batch = read_batch (operation, work, error);
  g_mutex_unlock (&operation->enumerator->use);
  return batch;
}

static gpointer
run_close (GaioWork *work, gpointer data, GError **error)
{
  GaioEnumerator *self = ((Operation *) data)->enumerator;
  DIR *dir;

  g_mutex_lock (&self->use);
  dir = g_steal_pointer (&self->dir);
  g_mutex_unlock (&self->use);
  if (dir != NULL && closedir (dir) < 0)
    return gaio_work_fail (work, errno, NULL, error);
  return GAIO_WORK_DONE;
}

/* The data is the enumerator, to be opened. */
static gpointer
run_open (GaioWork *work, gpointer data, GError **error)
{
  GaioEnumerator *self = data;
  int errnum = open_directory (self);

  return errnum == 0 ? g_object_ref (self) : gaio_work_fail (work, errnum, NULL, error);
}

static const GaioWorkKind open_kind = {
  .name = "enumerate",
  .run = run_open,
  .data_free = g_object_unref,
  .result_free = g_object_unref,
};

static const GaioWorkKind next_kind = {
  .name = "enumerate",
  .run = run_next,
  .data_free = operation_free,
  .result_free = batch_free,
};

static const GaioWorkKind close_kind = {
  .name = "close directory",
  .run = run_close,
  .data_free = operation_free,
};

/* A list without its head. */
static GList *
to_list (GQueue *batch)
{
  GList *list;

  if (batch == NULL)
    return NULL;
  list = batch->head;
  g_queue_init (batch);
  g_queue_free (batch);
  return list;
}

/* The object */

static void
gaio_enumerator_finalize (GObject *object)
{
  GaioEnumerator *self = GAIO_ENUMERATOR (object);

  if (self->dir != NULL)
    closedir (self->dir);
  g_queue_clear_full (&self->ahead, g_object_unref);
  gaio_file_info_wish_clear (&self->wish);
  g_mutex_clear (&self->lock);
  g_mutex_clear (&self->use);
  g_free (self->late_name);
  g_free (self->path);
  G_OBJECT_CLASS (gaio_enumerator_parent_class)->finalize (object);
}

static void
gaio_enumerator_class_init (GaioEnumeratorClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = gaio_enumerator_finalize;
}

static void
gaio_enumerator_init (GaioEnumerator *self)
{
  g_mutex_init (&self->lock);
  g_mutex_init (&self->use);
  g_queue_init (&self->ahead);
  self->is_closed = true;
}

static GaioEnumerator *
enumerator_new (const char *path, const char *attributes, GFileQueryInfoFlags flags)
{
  GaioEnumerator *self = g_object_new (GAIO_TYPE_ENUMERATOR, NULL);

  self->path = g_strdup (path);
  gaio_file_info_wish_init (&self->wish, attributes);
  self->follows = (flags & G_FILE_QUERY_INFO_NOFOLLOW_SYMLINKS) == 0;
  self->is_closed = false;
  return self;
}

/**
 * gaio_enumerate:
 * @path: (type filename): a directory
 * @attributes: (nullable): which attributes, see [func@Gaio.enumerate_async]
 * @flags: flags
 * @cancellable: (nullable): a cancellable
 * @error: return location for an error
 *
 * Does what [func@Gaio.enumerate_async] does, and blocks until it is done.
 *
 * Thread: any.
 *
 * Returns: (transfer full): the enumerator, or %NULL with an error of `G_IO_ERROR` or %GAIO_ERROR
 */
GaioEnumerator *
gaio_enumerate (const char *path,
                const char *attributes,
                GFileQueryInfoFlags flags,
                GCancellable *cancellable,
                GError **error)
{
  g_autoptr (GaioEnumerator) self = NULL;

  g_return_val_if_fail (path != NULL, NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  self = enumerator_new (path, attributes, flags);
  return gaio_work_run (&open_kind, self, self->path, NULL, cancellable, error);
}

/**
 * gaio_enumerate_async:
 * @path: (type filename): a directory
 * @attributes: (nullable): which attributes, as in [method@Gio.File.enumerate_children]; %NULL for
 *   all
 * @flags: flags
 * @io_priority: the priority of @callback among the sources of its main context
 * @cancellable: (nullable): a cancellable
 * @callback: (nullable) (scope async): called when the directory is open
 * @user_data: data for @callback
 *
 * Opens a directory, to learn which files are in it and something about them.
 *
 * The attributes of a file are those of [func@Gaio.query_info_async]. The fewer are asked for, the
 * less it costs: `standard::name` and `standard::type` are in the directory, and the file itself
 * need not be looked at.
 *
 * Symbolic links are followed unless @flags has `G_FILE_QUERY_INFO_NOFOLLOW_SYMLINKS`; of one that
 * leads nowhere the attributes are its own.
 *
 * Thread: any; @callback is called in the thread-default main context of the caller.
 */
void
gaio_enumerate_async (const char *path,
                      const char *attributes,
                      GFileQueryInfoFlags flags,
                      int io_priority,
                      GCancellable *cancellable,
                      GAsyncReadyCallback callback,
                      gpointer user_data)
{
  GaioEnumerator *self;

  g_return_if_fail (path != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  self = enumerator_new (path, attributes, flags);
  gaio_work_start (GAIO_FILE_NEW_TASK (NULL, gaio_enumerate_async), &open_kind, self, self->path,
                   NULL);
}

/**
 * gaio_enumerate_finish:
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [func@Gaio.enumerate_async].
 *
 * Thread: the callback's.
 *
 * Returns: (transfer full): the enumerator, or %NULL with an error of `G_IO_ERROR` or %GAIO_ERROR
 */
GaioEnumerator *
gaio_enumerate_finish (GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, NULL), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, gaio_enumerate_async), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}

/* Starts an operation, or fails its task. */
static void
start (GaioEnumerator *self, GTask *task, const GaioWorkKind *kind, guint n_files)
{
  GError *error = NULL;
  Operation *operation = operation_begin (self, kind == &close_kind, &error);

  if (operation == NULL)
    {
      g_autoptr (GaioContext) context = gaio_context_ref_thread_default ();

      gaio_file_task_fail (task, context, error);
      return;
    }
  operation->n_files = n_files;
  g_task_set_task_data (task, GUINT_TO_POINTER (operation->serial), NULL);
  gaio_work_start (task, kind, operation, self->path, NULL);
}

static gpointer
fetch (GaioEnumerator *self, GAsyncResult *result, GError **error)
{
  set_over (self, GPOINTER_TO_UINT (g_task_get_task_data (G_TASK (result))));
  return g_task_propagate_pointer (G_TASK (result), error);
}

/**
 * gaio_enumerator_next_files:
 * @self: an enumerator
 * @n_files: how many files at most
 * @cancellable: (nullable): a cancellable
 * @error: return location for an error
 *
 * Does what [method@Gaio.Enumerator.next_files_async] does, and blocks until it is done.
 *
 * Thread: any.
 *
 * Returns: (transfer full) (element-type Gio.FileInfo): the next files; empty at the end, and with
 *   an error of `G_IO_ERROR` or %GAIO_ERROR
 */
GList *
gaio_enumerator_next_files (GaioEnumerator *self,
                            guint n_files,
                            GCancellable *cancellable,
                            GError **error)
{
  Operation *operation;
  GQueue *batch;

  g_return_val_if_fail (GAIO_IS_ENUMERATOR (self), NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  operation = operation_begin (self, false, error);
  if (operation == NULL)
    return NULL;
  operation->n_files = n_files;
  batch = gaio_work_run (&next_kind, operation, self->path, NULL, cancellable, error);
  operation_free (operation);
  return to_list (batch);
}

/**
 * gaio_enumerator_next_files_async:
 * @self: an enumerator
 * @n_files: how many files at most; some hundred are a good number
 * @io_priority: the priority of @callback among the sources of its main context
 * @cancellable: (nullable): a cancellable; the files that it keeps from being returned are in the
 *   next batch
 * @callback: (nullable) (scope async): called when they are there
 * @user_data: data for @callback
 *
 * Gets the next files of the directory. There are fewer than @n_files only before the end, and
 * before an error; then there are none.
 *
 * Their order is that of the directory. Files that are removed meanwhile are left out. When nothing
 * can be learned about a file, that is an error, and the batch after it begins with the next file.
 * A name that is not UTF-8 is in `standard::name` as it is, and readable in
 * `standard::display-name`.
 *
 * A second one in flight is the error `G_IO_ERROR_PENDING`, one after the closing
 * `G_IO_ERROR_CLOSED`.
 *
 * Thread: any; @callback is called in the thread-default main context of the caller.
 */
void
gaio_enumerator_next_files_async (GaioEnumerator *self,
                                  guint n_files,
                                  int io_priority,
                                  GCancellable *cancellable,
                                  GAsyncReadyCallback callback,
                                  gpointer user_data)
{
  g_return_if_fail (GAIO_IS_ENUMERATOR (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  start (self, GAIO_FILE_NEW_TASK (self, gaio_enumerator_next_files_async), &next_kind, n_files);
}

/**
 * gaio_enumerator_next_files_finish:
 * @self: an enumerator
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Gaio.Enumerator.next_files_async].
 *
 * Thread: the callback's.
 *
 * Returns: (transfer full) (element-type Gio.FileInfo): the next files; empty at the end, and with
 *   an error of `G_IO_ERROR` or %GAIO_ERROR
 */
GList *
gaio_enumerator_next_files_finish (GaioEnumerator *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, gaio_enumerator_next_files_async), NULL);

  return to_list (fetch (self, result, error));
}

/**
 * gaio_enumerator_close:
 * @self: an enumerator
 * @cancellable: (nullable): not used; a directory is closed in any case
 * @error: return location for an error
 *
 * Does what [method@Gaio.Enumerator.close_async] does, and blocks until it is done.
 *
 * Thread: any.
 *
 * Returns: %TRUE, or %FALSE with an error of `G_IO_ERROR` or %GAIO_ERROR
 */
gboolean
gaio_enumerator_close (GaioEnumerator *self, GCancellable *cancellable, GError **error)
{
  Operation *operation;
  gpointer result;

  g_return_val_if_fail (GAIO_IS_ENUMERATOR (self), FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  operation = operation_begin (self, true, error);
  if (operation == NULL)
    return FALSE;
  result = gaio_work_run (&close_kind, operation, self->path, NULL, NULL, error);
  operation_free (operation);
  return result != NULL;
}

/**
 * gaio_enumerator_close_async:
 * @self: an enumerator
 * @io_priority: the priority of @callback among the sources of its main context
 * @cancellable: (nullable): not used; a directory is closed in any case
 * @callback: (nullable) (scope async): called at the end
 * @user_data: data for @callback
 *
 * Closes the directory. A batch that is in flight is waited for; to close it again is no error.
 *
 * Thread: any; @callback is called in the thread-default main context of the caller.
 */
void
gaio_enumerator_close_async (GaioEnumerator *self,
                             int io_priority,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data)
{
  g_return_if_fail (GAIO_IS_ENUMERATOR (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  cancellable = NULL;
  start (self, GAIO_FILE_NEW_TASK (self, gaio_enumerator_close_async), &close_kind, 0);
}

/**
 * gaio_enumerator_close_finish:
 * @self: an enumerator
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Gaio.Enumerator.close_async].
 *
 * Thread: the callback's.
 *
 * Returns: %TRUE, or %FALSE with an error of `G_IO_ERROR` or %GAIO_ERROR
 */
gboolean
gaio_enumerator_close_finish (GaioEnumerator *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  g_return_val_if_fail (g_async_result_is_tagged (result, gaio_enumerator_close_async), FALSE);

  return fetch (self, result, error) != NULL;
}

/**
 * gaio_enumerator_get_path:
 * @self: an enumerator
 *
 * Gets the path of the directory, as it was given.
 *
 * Thread: any.
 *
 * Returns: (type filename) (nullable): the path
 */
const char *
gaio_enumerator_get_path (GaioEnumerator *self)
{
  g_return_val_if_fail (GAIO_IS_ENUMERATOR (self), NULL);

  return self->path;
}
