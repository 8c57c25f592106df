/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/**
 * GaioFile:
 *
 * An open file: reads and writes at any position, any number of them at once.
 *
 * A file belongs to a [class@Gaio.Context], and its operations end there: by io_uring where the
 * system allows it, else by blocking calls in threads, with the same results. There are three ways
 * to call them. The functions that end in `_async` give their result to a callback in the
 * thread-default [struct@GLib.MainContext] of the caller, as in GIO; their I/O priority is the
 * priority of that callback. Their twins without a suffix block the calling thread. And
 * [struct@Gaio.Request] is for C programs with many operations.
 *
 * Every operation has its own offset; there is no current position. Operations that are in flight
 * together may end in any order. A file that has no positions, such as a pipe or a terminal,
 * ignores offsets; a read then gives what is there, as read(2) does.
 *
 * [method@Gaio.File.close_async] waits for the operations that were begun before it, and what is
 * begun after it fails with %G_IO_ERROR_CLOSED. A file that is dropped without being closed closes
 * its descriptor when the last of its operations has ended; only an error of the close is lost
 * then.
 */

/* The object: a descriptor made a file, its closing, and what is known about it while it is open.
 * gaio-file-open.c opens by name; what runs on an open file is in gaio-file-io.c, gaio-file-space.c
 * and gaio-file-query.c. */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <gaio/base/gaio-debug-private.h>
#include <gaio/base/gaio-error-private.h>
#include <gaio/file/gaio-engine-private.h>
#include <gaio/file/gaio-file-call-private.h>
#include <gaio/file/gaio-file-direct-private.h>
#include <gaio/file/gaio-signal-guard-private.h>
#include <gaio/loop/gaio-coroutine-private.h>

enum
{
  PROP_CONTEXT = 1,
  PROP_PATH,
  PROP_SEEKABLE,
  PROP_CLOSED,
  PROP_TIMEOUT_MS,
  PROP_BUFFER_POOL,
  PROP_DIRECT,
  PROP_DIRECT_REASON,
  PROP_DIRECT_ALIGNMENT,
  PROP_DIRECT_MEMORY_ALIGNMENT,
  N_PROPS,
};

static GParamSpec *props[N_PROPS];

G_DEFINE_FINAL_TYPE (GaioFile, gaio_file, G_TYPE_OBJECT)

static void
gaio_file_constructed (GObject *object)
{
  GaioFile *self = GAIO_FILE (object);

  G_OBJECT_CLASS (gaio_file_parent_class)->constructed (object);
  if (self->context == NULL)
    self->context = gaio_context_ref_thread_default ();
  if (self->context == NULL)
    return; /* out of descriptors; gaio_request_new() then refuses */
  self->queue = gaio_bh_queue_ref (gaio_context_get_bh_queue (self->context));
  self->fork_count = gaio_fork_get_count ();
}

static void
gaio_file_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GaioFile *self = GAIO_FILE (object);

  switch (id)
    {
    case PROP_CONTEXT:
      self->context = g_value_dup_object (value);
      break;
    case PROP_PATH:
      self->path = g_value_dup_string (value);
      break;
    case PROP_TIMEOUT_MS:
      gaio_file_set_timeout_ms (self, g_value_get_uint (value));
      break;
    case PROP_BUFFER_POOL:
      gaio_file_set_buffer_pool (self, g_value_get_object (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
gaio_file_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GaioFile *self = GAIO_FILE (object);

  switch (id)
    {
    case PROP_CONTEXT:
      g_value_set_object (value, self->context);
      break;
    case PROP_PATH:
      g_value_set_string (value, self->path);
      break;
    case PROP_SEEKABLE:
      g_value_set_boolean (value, self->seekable);
      break;
    case PROP_CLOSED:
      g_value_set_boolean (value, gaio_file_is_closed (self));
      break;
    case PROP_TIMEOUT_MS:
      g_value_set_uint (value, gaio_file_get_timeout_ms (self));
      break;
    case PROP_BUFFER_POOL:
      g_value_set_object (value, self->buffer_pool);
      break;
    case PROP_DIRECT:
      g_value_set_boolean (value, gaio_file_is_direct (self));
      break;
    case PROP_DIRECT_REASON:
      g_value_set_static_string (value, atomic_load (&self->direct_reason));
      break;
    case PROP_DIRECT_ALIGNMENT:
      g_value_set_uint (value, self->direct != NULL ? atomic_load (&self->direct->alignment) : 1);
      break;
    case PROP_DIRECT_MEMORY_ALIGNMENT:
      g_value_set_uint (value,
                        self->direct != NULL ? gaio_direct_get_memory_alignment (self) : 1);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
gaio_file_finalize (GObject *object)
{
  GaioFile *self = GAIO_FILE (object);
  int fd = atomic_load (&self->fd);

  /* No operation is in flight: each holds the file. */
  if (fd >= 0 && close (fd) < 0)
    gaio_debug (FILE, "%s: close: %s", self->label, g_strerror (errno));
  gaio_direct_free (self->direct);
  g_clear_object (&self->buffer_pool);
  g_clear_pointer (&self->queue, gaio_bh_queue_unref);
  g_clear_object (&self->context);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->close_ended);
  g_free (self->path);
  g_free (self->label);
  g_free (self->blocking_stats);
  G_OBJECT_CLASS (gaio_file_parent_class)->finalize (object);
}

static void
gaio_file_class_init (GaioFileClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->constructed = gaio_file_constructed;
  object_class->set_property = gaio_file_set_property;
  object_class->get_property = gaio_file_get_property;
  object_class->finalize = gaio_file_finalize;

  /**
   * GaioFile:context:
   *
   * The context that the file's operations run and end in.
   */
  props[PROP_CONTEXT] =
      g_param_spec_object ("context",
                           NULL,
                           NULL,
                           GAIO_TYPE_CONTEXT,
                           G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS);

  /**
   * GaioFile:path: (type filename)
   *
   * The path that the file was opened with; %NULL when it was made from a descriptor alone.
   */
  props[PROP_PATH] =
      g_param_spec_string ("path",
                           NULL,
                           NULL,
                           NULL,
                           G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS);

  /**
   * GaioFile:seekable:
   *
   * Whether the file has positions. A pipe, a terminal and a socket have none.
   */
  props[PROP_SEEKABLE] = g_param_spec_boolean ("seekable",
                                               NULL,
                                               NULL,
                                               FALSE,
                                               G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  /**
   * GaioFile:closed:
   *
   * Whether the file is closed. No notification is sent, since the change may come in another
   * thread than the one that a handler belongs to.
   */
  props[PROP_CLOSED] = g_param_spec_boolean ("closed",
                                             NULL,
                                             NULL,
                                             TRUE,
                                             G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  /**
   * GaioFile:timeout-ms:
   *
   * How long an operation of the functions that end in `_async` may take, in milliseconds; 0 for
   * ever. It then fails with %G_IO_ERROR_TIMED_OUT, as soon as the system lets go of it. A close
   * may take as long as it takes.
   */
  props[PROP_TIMEOUT_MS] =
      g_param_spec_uint ("timeout-ms",
                         NULL,
                         NULL,
                         0,
                         G_MAXUINT,
                         0,
                         G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

  /**
   * GaioFile:buffer-pool:
   *
   * Where reads have their memory from, as long as there is some. It may be changed at any time, in
   * the home thread of the file's context.
   */
  props[PROP_BUFFER_POOL] =
      g_param_spec_object ("buffer-pool",
                           NULL,
                           NULL,
                           GAIO_TYPE_BUFFER_POOL,
                           G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

  /**
   * GaioFile:direct:
   *
   * Whether the file's data goes between memory and disk without a copy in the system's cache: it
   * was opened with `O_DIRECT`, and the file system does it.
   *
   * Reads and writes may be of any offset, length and memory all the same. Those that are not
   * aligned as #GaioFile:direct-alignment says take a copy; writes of a part of a block also read
   * it. Such a write is atomic with regard to the others of the same #GaioFile, but not to those
   * of another one or of another program in the same block.
   *
   * No notification is sent, since the change may come in another thread than the one that a
   * handler belongs to.
   */
  props[PROP_DIRECT] = g_param_spec_boolean ("direct",
                                             NULL,
                                             NULL,
                                             FALSE,
                                             G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  /**
   * GaioFile:direct-reason:
   *
   * Why direct I/O is not in effect though it was asked for; %NULL when it is, or was not asked
   * for.
   */
  props[PROP_DIRECT_REASON] = g_param_spec_string ("direct-reason",
                                                   NULL,
                                                   NULL,
                                                   NULL,
                                                   G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  /**
   * GaioFile:direct-alignment:
   *
   * What offsets and lengths should be multiples of, in bytes: 1 when any will do, 0 when it will
   * be known only after the first read or write.
   */
  props[PROP_DIRECT_ALIGNMENT] = g_param_spec_uint ("direct-alignment",
                                                    NULL,
                                                    NULL,
                                                    0,
                                                    G_MAXUINT,
                                                    1,
                                                    G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  /**
   * GaioFile:direct-memory-alignment:
   *
   * What memory should be aligned to, in bytes; like #GaioFile:direct-alignment. The memory that a
   * file's reads give is.
   */
  props[PROP_DIRECT_MEMORY_ALIGNMENT] =
      g_param_spec_uint ("direct-memory-alignment",
                         NULL,
                         NULL,
                         0,
                         G_MAXUINT,
                         1,
                         G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  g_object_class_install_properties (object_class, N_PROPS, props);
}

static void
gaio_file_init (GaioFile *self)
{
  atomic_init (&self->fd, -1);
  /* Not open yet is like closed: nothing runs on it. */
  atomic_init (&self->uses, GAIO_FILE_CLOSING);
  atomic_init (&self->closed, true);
  g_mutex_init (&self->lock);
  g_cond_init (&self->close_ended);
}

GaioFile *
gaio_file_new (GaioContext *context, const char *path)
{
  return g_object_new (GAIO_TYPE_FILE, "context", context, "path", path, NULL);
}

/* Whether an open descriptor is a directory's. stat(2) would ask a server, and block; to look up
 * a name in what is no directory fails at once, before the file system is asked. */
static bool
is_directory (int fd)
{
  return faccessat (fd, ".", F_OK, 0) == 0 || errno == EACCES;
}

int
gaio_file_adopt_fd (GaioFile *self, int fd)
{
  int flags = fcntl (fd, F_GETFL);

  if (flags < 0)
    return -errno;
  if ((flags & O_PATH) != 0)
    return -EBADF;
  if ((flags & O_ACCMODE) == O_RDONLY && is_directory (fd))
    return -EISDIR;

  self->label = self->path != NULL ? g_strdup (self->path) : g_strdup_printf ("fd %d", fd);
  self->seekable = lseek (fd, 0, SEEK_CUR) >= 0;
  /* Once for each file: programs set it before they open what it is meant for. */
  self->size_limited = (flags & O_ACCMODE) != O_RDONLY && gaio_signal_guard_is_needed ();
  atomic_store (&self->fd, fd);
  /* Of a pipe the flag means something else. */
  if ((flags & O_DIRECT) != 0 && self->seekable)
    gaio_direct_adopt (self, fd, flags);
  atomic_store (&self->closed, false);
  atomic_fetch_and (&self->uses, ~GAIO_FILE_CLOSING);
  return 0;
}

/**
 * gaio_file_new_for_fd:
 * @context: the context for the file's operations
 * @fd: an open file descriptor; the file closes it
 * @path: (type filename) (nullable): what errors call the file
 * @error: return location for an error
 *
 * Makes a file of a descriptor that is open already. On failure the descriptor stays the caller's.
 *
 * A descriptor in non-blocking mode is waited for. For one that was opened with `O_DIRECT` see
 * #GaioFile:direct; the flag is taken off it when the file system turns out not to do direct I/O.
 *
 * Thread: any.
 *
 * Returns: (transfer full): the file, or %NULL when the descriptor is not open, or a directory's
 */
GaioFile *
gaio_file_new_for_fd (GaioContext *context, int fd, const char *path, GError **error)
{
  g_autoptr (GaioFile) self = NULL;
  int err;

  g_return_val_if_fail (GAIO_IS_CONTEXT (context), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  self = gaio_file_new (context, path);
  err = gaio_file_adopt_fd (self, fd);
  if (err < 0)
    {
      gaio_set_error_errno (error, -err, "open", path);
      return NULL;
    }
  return g_steal_pointer (&self);
}

/**
 * gaio_file_get_context:
 * @self: a file
 *
 * Gets the context that the file's operations run and end in.
 *
 * Thread: any.
 *
 * Returns: (transfer none): the context
 */
GaioContext *
gaio_file_get_context (GaioFile *self)
{
  g_return_val_if_fail (GAIO_IS_FILE (self), NULL);

  return self->context;
}

/**
 * gaio_file_get_path:
 * @self: a file
 *
 * Gets the path that the file was opened with.
 *
 * Thread: any.
 *
 * Returns: (type filename) (transfer none) (nullable): the path, or %NULL when the file was made
 *   from a descriptor alone
 */
const char *
gaio_file_get_path (GaioFile *self)
{
  g_return_val_if_fail (GAIO_IS_FILE (self), NULL);

  return self->path;
}

/**
 * gaio_file_get_fd:
 * @self: a file
 *
 * Gets the file's descriptor. It stays the file's.
 *
 * Thread: any.
 *
 * Returns: the descriptor, or -1 when the file is closed
 */
int
gaio_file_get_fd (GaioFile *self)
{
  g_return_val_if_fail (GAIO_IS_FILE (self), -1);

  return atomic_load (&self->fd);
}

/**
 * gaio_file_is_seekable:
 * @self: a file
 *
 * Tells whether the file has positions. A pipe, a terminal and a socket have none.
 *
 * Thread: any.
 *
 * Returns: %TRUE when offsets mean something
 */
gboolean
gaio_file_is_seekable (GaioFile *self)
{
  g_return_val_if_fail (GAIO_IS_FILE (self), FALSE);

  return self->seekable;
}

/**
 * gaio_file_get_buffer_pool:
 * @self: a file
 *
 * Gets the pool that reads have their memory from.
 *
 * Thread: home.
 *
 * Returns: (transfer none) (nullable): the pool
 */
GaioBufferPool *
gaio_file_get_buffer_pool (GaioFile *self)
{
  g_return_val_if_fail (GAIO_IS_FILE (self), NULL);

  return self->buffer_pool;
}

/**
 * gaio_file_set_buffer_pool:
 * @self: a file
 * @buffer_pool: (nullable): a pool
 *
 * Sets the pool that reads that are submitted from now on have their memory from.
 *
 * Where the context has an io_uring, the pool's memory is made known to it, and so are writes from
 * [method@Gaio.BufferPool.copy_bytes] cheaper too.
 *
 * Thread: home. Elsewhere it is refused with a critical warning.
 */
void
gaio_file_set_buffer_pool (GaioFile *self, GaioBufferPool *buffer_pool)
{
  GaioBufferPool *before;

  g_return_if_fail (GAIO_IS_FILE (self));
  g_return_if_fail (buffer_pool == NULL || GAIO_IS_BUFFER_POOL (buffer_pool));
  g_return_if_fail (gaio_context_adopt (self->context));

  if (self->buffer_pool == buffer_pool)
    return;
  gaio_engine_refresh (self);
  self->buffer_use = NULL;
  g_mutex_lock (&self->lock);
  before = self->buffer_pool;
  self->buffer_pool = buffer_pool != NULL ? g_object_ref (buffer_pool) : NULL;
  atomic_store (&self->has_buffer_pool, buffer_pool != NULL);
  g_mutex_unlock (&self->lock);
  if (before != NULL)
    g_object_unref (before);
  if (buffer_pool != NULL)
    self->buffer_use = gaio_buffer_pool_use (buffer_pool, self->context, self->engine->ring);
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_BUFFER_POOL]);
}

/**
 * gaio_file_is_direct:
 * @self: a file
 *
 * Tells whether the file's data goes between memory and disk without a copy in the system's cache.
 * See #GaioFile:direct and #GaioFile:direct-reason.
 *
 * Thread: any.
 *
 * Returns: %TRUE when it does
 */
gboolean
gaio_file_is_direct (GaioFile *self)
{
  g_return_val_if_fail (GAIO_IS_FILE (self), FALSE);

  return self->direct != NULL && atomic_load (&self->direct_reason) == NULL;
}

/**
 * gaio_file_is_closed:
 * @self: a file
 *
 * Tells whether the file is closed, or about to be: whether new operations fail with
 * %G_IO_ERROR_CLOSED.
 *
 * Thread: any.
 *
 * Returns: %TRUE when the file takes no more operations
 */
gboolean
gaio_file_is_closed (GaioFile *self)
{
  g_return_val_if_fail (GAIO_IS_FILE (self), TRUE);

  return (atomic_load (&self->uses) & GAIO_FILE_CLOSING) != 0;
}

typedef struct
{
  GaioCoroutine *coroutine; /* that waits, or NULL when a thread does */
  bool ended;               /* under the file's lock */
  GError *error;
} CloseWait;

static void
on_close_end (GaioRequest *request, gpointer user_data)
{
  CloseWait *wait = user_data;
  GaioFile *self = request->file;

  gaio_request_get_result (request, NULL, &wait->error);
  if (wait->coroutine != NULL)
    {
      gaio_coroutine_kick_now (wait->coroutine);
      return;
    }
  g_mutex_lock (&self->lock);
  wait->ended = true;
  g_cond_broadcast (&self->close_ended);
  g_mutex_unlock (&self->lock);
}

/**
 * gaio_file_close:
 * @self: a file
 * @cancellable: (nullable): a cancellable; it does not stop the closing
 * @error: return location for an error
 *
 * Closes the file, and blocks until that is done.
 *
 * It waits for the operations that are in flight. In the home thread of the file's context it runs
 * the context meanwhile, so other callbacks may be called; from another thread it relies on the
 * context's being run. A coroutine that calls it waits as coroutines do. See
 * [method@Gaio.File.close_async].
 *
 * Thread: any.
 *
 * Returns: %TRUE when the file is closed without an error
 */
gboolean
gaio_file_close (GaioFile *self, GCancellable *cancellable, GError **error)
{
  g_autoptr (GaioRequest) request = NULL;
  CloseWait wait = { .coroutine = gaio_coroutine_self () };
  g_autoptr (GaioContext) held = NULL;

  g_return_val_if_fail (GAIO_IS_FILE (self), FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  request = gaio_request_new (self, on_close_end, &wait, NULL);
  request->blocking = true;
  /* The end of its context would take the stack away that `wait` is on. */
  if (wait.coroutine != NULL)
    held = gaio_coroutine_ref_context (wait.coroutine);
  gaio_request_close (request);

  /* Earlier operations have to end first, and so somebody has to run the context. */
  if (wait.coroutine != NULL)
    gaio_coroutine_wait (wait.coroutine, GAIO_COROUTINE_KICKED);
  else
    {
      if (gaio_context_adopt (self->context))
        while (!wait.ended)
          gaio_context_poll (self->context, TRUE);
      g_mutex_lock (&self->lock);
      while (!wait.ended)
        g_cond_wait (&self->close_ended, &self->lock);
      g_mutex_unlock (&self->lock);
    }

  if (wait.error != NULL)
    {
      g_propagate_error (error, wait.error);
      return FALSE;
    }
  return !g_cancellable_set_error_if_cancelled (cancellable, error);
}

static void
return_close (GTask *task, GaioRequest *request)
{
  GError *error = NULL;

  if (!gaio_request_get_result (request, NULL, &error))
    g_task_return_error (task, error);
  else if (!g_task_return_error_if_cancelled (task))
    g_task_return_boolean (task, TRUE);
}

/**
 * gaio_file_close_async:
 * @self: a file
 * @io_priority: the priority of the callback
 * @cancellable: (nullable): a cancellable. The file is closed nevertheless; the result is then
 *   %G_IO_ERROR_CANCELLED
 * @callback: (scope async): called when the file is closed
 * @user_data: data for @callback
 *
 * Closes the file when all operations that were begun before have ended. Those begun later fail
 * with %G_IO_ERROR_CLOSED.
 *
 * To close a file that is closed already succeeds. An error is reported by the first close, also
 * that of an earlier [method@Gaio.File.sync_async]; the descriptor is gone all the same.
 *
 * Thread: any.
 */
void
gaio_file_close_async (GaioFile *self,
                       int io_priority,
                       GCancellable *cancellable,
                       GAsyncReadyCallback callback,
                       gpointer user_data)
{
  GaioRequest *request;

  g_return_if_fail (GAIO_IS_FILE (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  request = gaio_file_task_begin_anyway (GAIO_FILE_NEW_TASK (self, gaio_file_close_async),
                                         self,
                                         return_close);
  gaio_request_close (request);
  gaio_file_task_submitted (request);
}

/**
 * gaio_file_close_finish:
 * @self: a file
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Gaio.File.close_async].
 *
 * Thread: the callback's.
 *
 * Returns: %TRUE when the file is closed without an error
 */
gboolean
gaio_file_close_finish (GaioFile *self, GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, self), FALSE);
  g_return_val_if_fail (g_async_result_is_tagged (result, gaio_file_close_async), FALSE);

  return g_task_propagate_boolean (G_TASK (result), error);
}

/**
 * gaio_file_get_timeout_ms:
 * @self: a file
 *
 * Gets [property@Gaio.File:timeout-ms].
 *
 * Thread: any.
 *
 * Returns: the limit in milliseconds, 0 for none
 */
guint
gaio_file_get_timeout_ms (GaioFile *self)
{
  g_return_val_if_fail (GAIO_IS_FILE (self), 0);

  return atomic_load_explicit (&self->timeout_ms, memory_order_relaxed);
}

/**
 * gaio_file_set_timeout_ms:
 * @self: a file
 * @timeout_ms: in milliseconds, 0 for none
 *
 * Sets [property@Gaio.File:timeout-ms], for operations that begin from now on.
 *
 * Thread: any; who sets it gets the notification.
 */
void
gaio_file_set_timeout_ms (GaioFile *self, guint timeout_ms)
{
  g_return_if_fail (GAIO_IS_FILE (self));

  if (atomic_exchange (&self->timeout_ms, timeout_ms) != timeout_ms)
    g_object_notify_by_pspec (G_OBJECT (self), props[PROP_TIMEOUT_MS]);
}

/**
 * gaio_file_get_stats:
 * @self: a file
 *
 * Gets counters of the file's operations, blocking ones too, as a dictionary. The numbers are of
 * type `t`:
 *
 *  - `submitted`: operations that the system was asked for
 *  - `in-flight`: of them, those that have not ended
 *  - `completed`, `failed`, `cancelled`: of them, those that have, by how
 *  - `merged`: operations of batches that went along with a neighbour's
 *  - `short`: times that a transfer moved less than was asked for, and was continued
 *  - `retried`: times that one was interrupted, or to be tried again
 *  - `bytes-read`, `bytes-written`
 *  - `latency-p50-ns`, `latency-p99-ns`, `latency-p99.9-ns`: how long so many of a hundred took at
 *    most, in nanoseconds, to within a factor of two; 0 when there is none yet
 *
 * And `latencies`, of type `at`: how many took from 2^i ns to twice that, by i. Of asynchronous
 * operations the first 64 are timed, and then one of sixteen; blocking ones are not. More may
 * come.
 *
 * Thread: any.
 *
 * Returns: (transfer full): a variant of type `a{sv}`, not floating
 */
GVariant *
gaio_file_get_stats (GaioFile *self)
{
  GaioIoStats sum = { 0 };

  g_return_val_if_fail (GAIO_IS_FILE (self), NULL);

  gaio_io_stats_add (&sum, &self->stats);
  g_mutex_lock (&self->lock);
  if (self->blocking_stats != NULL)
    gaio_io_stats_add (&sum, self->blocking_stats);
  g_mutex_unlock (&self->lock);
  return g_variant_ref_sink (gaio_io_stats_to_variant (&sum));
}
