/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Locks on ranges of a file, which belong to the open file description.
 *
 * The kernel is never asked to wait: a thread that does cannot be got out of it, and io_uring has
 * no operation for locks. A request asks once. Who wants to wait asks again after a pause, which is
 * a timer of the context. All of that is in the home thread, and the result goes from there to the
 * caller's like every other. A pause counts as work of the context, as a request in flight does. A
 * call that blocks sleeps. Either way a cancel is seen at the end of the pause. */

#include "config.h"

#include <errno.h>
#include <fcntl.h>

#include <gaio/file/gaio-file-call-private.h>
#include <gaio/file/gaio-file-lock.h>
#include <gaio/loop/gaio-clock.h>
#include <gaio/loop/gaio-timer.h>

/* Short, since most locks are held for short; then each is twice the one before. */
#define FIRST_PAUSE_NS ((gint64) 1000 * 1000)
#define LONGEST_PAUSE_NS ((gint64) 50 * 1000 * 1000)

G_DEFINE_ENUM_TYPE (GaioLockType,
                    gaio_lock_type,
                    G_DEFINE_ENUM_VALUE (GAIO_LOCK_SHARED, "shared"),
                    G_DEFINE_ENUM_VALUE (GAIO_LOCK_EXCLUSIVE, "exclusive"))

/* A lock that is waited for. */
typedef struct
{
  GTask *task; /* to be dropped in the thread that it belongs to */
  GaioRequest *request;
  GaioTimer *timer; /* of the pauses */
  int type;
  goffset offset;
  goffset length;
  gint64 pause_ns;
} Wait;

static void on_answer (GaioRequest *request, gpointer user_data);

/* -1 is none, and is refused. */
static int
to_posix_type (GaioLockType type)
{
  return type == GAIO_LOCK_SHARED ? F_RDLCK : type == GAIO_LOCK_EXCLUSIVE ? F_WRLCK : -1;
}

static gint64
next_pause_ns (gint64 pause_ns)
{
  return CLAMP (pause_ns * 2, FIRST_PAUSE_NS, LONGEST_PAUSE_NS);
}

static gboolean
return_lock (gpointer data)
{
  Wait *self = data;

  gaio_file_return_boolean (self->task, self->request);
  return G_SOURCE_REMOVE;
}

static void
end_call (gpointer data)
{
  Wait *self = data;

  g_clear_object (&self->task);
  g_clear_object (&self->timer);
  gaio_request_unref (self->request);
  g_free (self);
}

static void
wait_end (Wait *self)
{
  gaio_file_task_deliver (self->task, return_lock, self, end_call);
}

static void
on_pause_over (gpointer data)
{
  Wait *self = data;

  gaio_context_end_work (self->request->file->context);
  if (g_cancellable_is_cancelled (g_task_get_cancellable (self->task)))
    {
      self->request->result = -ECANCELED;
      wait_end (self);
    }
  else
    gaio_request_lock (self->request, self->type, self->offset, self->length);
}

static void
wait_pause (Wait *self)
{
  GaioContext *context = self->request->file->context;

  if (self->timer == NULL)
    self->timer = gaio_timer_new (context, GAIO_CLOCK_MONOTONIC, on_pause_over, self, NULL);
  self->pause_ns = next_pause_ns (self->pause_ns);
  gaio_timer_arm_ns (self->timer, gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC) + self->pause_ns);
  gaio_context_begin_work (context);
}

static void
on_answer (GaioRequest *request, gpointer user_data)
{
  Wait *self = user_data;

  if (request->result != -EAGAIN)
    wait_end (self);
  else
    wait_pause (self);
}

/**
 * gaio_file_lock:
 * @self: a file
 * @type: shared or exclusive
 * @offset: where the range begins, in bytes
 * @length: how long it is; 0 for all that follows, however long the file becomes
 * @cancellable: (nullable): a cancellable; it ends the wait
 * @error: return location for an error
 *
 * Locks a range, and blocks until that is done. See [method@Gaio.File.lock_async].
 *
 * Thread: any.
 *
 * Returns: %TRUE when the range is locked
 */
gboolean
gaio_file_lock (GaioFile *self,
                GaioLockType type,
                goffset offset,
                goffset length,
                GCancellable *cancellable,
                GError **error)
{
  g_autoptr (GaioRequest) request = NULL;
  gint64 pause_ns = 0;

  g_return_val_if_fail (GAIO_IS_FILE (self), FALSE);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  request = gaio_request_new_blocking (self, cancellable);
  for (;;)
    {
      gaio_request_lock (request, to_posix_type (type), offset, length);
      if (request->result != -EAGAIN)
        return gaio_request_get_result (request, NULL, error);
      pause_ns = next_pause_ns (pause_ns);
      g_usleep (pause_ns / 1000);
    }
}

/**
 * gaio_file_lock_async:
 * @self: a file
 * @type: shared or exclusive
 * @offset: where the range begins, in bytes
 * @length: how long it is; 0 for all that follows, however long the file becomes
 * @io_priority: the priority of the callback
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async): called when the range is locked
 * @user_data: data for @callback
 *
 * Locks a range of the file, and waits while somebody else has a lock that is in the way. A shared
 * lock goes together with other shared locks, an exclusive one with none. The file must be open for
 * reading for the one and for writing for the other.
 *
 * The locks are advisory, and belong to the open file (see open file description locks in
 * fcntl(2)): they keep others out that ask for a lock, in this program and in others; this file
 * itself can change a lock it has by locking again. They go when the file is closed.
 *
 * The wait takes no thread. The lock is asked for again and again, after pauses that grow to 50 ms,
 * so nobody is first in turn. Where a lock is free, [method@Gaio.File.try_lock_async] and this are
 * the same.
 *
 * Thread: any.
 */
void
gaio_file_lock_async (GaioFile *self,
                      GaioLockType type,
                      goffset offset,
                      goffset length,
                      int io_priority,
                      GCancellable *cancellable,
                      GAsyncReadyCallback callback,
                      gpointer user_data)
{
  Wait *wait;
  GTask *task;
  GError *cancelled = NULL;

  g_return_if_fail (GAIO_IS_FILE (self));
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  task = GAIO_FILE_NEW_TASK (self, gaio_file_lock_async);
  if (g_cancellable_set_error_if_cancelled (cancellable, &cancelled))
    {
      gaio_file_task_fail (task, self->context, cancelled);
      return;
    }
  /* What was done is reported, also when a cancel came after it. */
  g_task_set_check_cancellable (task, FALSE);
  wait = g_new0 (Wait, 1);
  wait->task = task;
  wait->request = gaio_request_new (self, on_answer, wait, NULL);
  wait->type = to_posix_type (type);
  wait->offset = offset;
  wait->length = length;
  gaio_request_lock (wait->request, wait->type, offset, length);
}

/**
 * gaio_file_lock_finish:
 * @self: a file
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Gaio.File.lock_async].
 *
 * Thread: the callback's.
 *
 * Returns: %TRUE when the range is locked
 */
gboolean
gaio_file_lock_finish (GaioFile *self, GAsyncResult *result, GError **error)
{
  GAIO_FILE_FINISH (gaio_file_lock_async, boolean, FALSE);
}

/**
 * gaio_file_try_lock:
 * @self: a file
 * @type: shared or exclusive
 * @offset: where the range begins, in bytes
 * @length: how long it is; 0 for all that follows, however long the file becomes
 * @cancellable: (nullable): a cancellable; it does not end a wait for a disk
 * @error: return location for an error
 *
 * Locks a range unless somebody else has it locked. See [method@Gaio.File.try_lock_async].
 *
 * Thread: any.
 *
 * Returns: %TRUE when the range is locked
 */
gboolean
gaio_file_try_lock (GaioFile *self,
                    GaioLockType type,
                    goffset offset,
                    goffset length,
                    GCancellable *cancellable,
                    GError **error)
{
  GAIO_FILE_BLOCK (gaio_request_lock (request, to_posix_type (type), offset, length), TRUE, FALSE);
}

/**
 * gaio_file_try_lock_async:
 * @self: a file
 * @type: shared or exclusive
 * @offset: where the range begins, in bytes
 * @length: how long it is; 0 for all that follows, however long the file becomes
 * @io_priority: the priority of the callback
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async): called when the range is locked, or is not to be had
 * @user_data: data for @callback
 *
 * Locks a range like [method@Gaio.File.lock_async], but does not wait: when somebody else has a
 * lock that is in the way, it fails with %G_IO_ERROR_WOULD_BLOCK.
 *
 * Thread: any.
 */
void
gaio_file_try_lock_async (GaioFile *self,
                          GaioLockType type,
                          goffset offset,
                          goffset length,
                          int io_priority,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer user_data)
{
  GAIO_FILE_START (gaio_file_try_lock_async, gaio_file_return_boolean,
                   gaio_request_lock (request, to_posix_type (type), offset, length));
}

/**
 * gaio_file_try_lock_finish:
 * @self: a file
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Gaio.File.try_lock_async].
 *
 * Thread: the callback's.
 *
 * Returns: %TRUE when the range is locked
 */
gboolean
gaio_file_try_lock_finish (GaioFile *self, GAsyncResult *result, GError **error)
{
  GAIO_FILE_FINISH (gaio_file_try_lock_async, boolean, FALSE);
}

/**
 * gaio_file_unlock:
 * @self: a file
 * @offset: where the range begins, in bytes
 * @length: how long it is; 0 for all that follows, however long the file becomes
 * @cancellable: (nullable): a cancellable; it does not end a wait for a disk
 * @error: return location for an error
 *
 * Unlocks a range, and blocks until that is done. See [method@Gaio.File.unlock_async].
 *
 * Thread: any.
 *
 * Returns: %TRUE when the range is not locked any more
 */
gboolean
gaio_file_unlock (
    GaioFile *self, goffset offset, goffset length, GCancellable *cancellable, GError **error)
{
  GAIO_FILE_BLOCK (gaio_request_lock (request, F_UNLCK, offset, length), TRUE, FALSE);
}

/**
 * gaio_file_unlock_async:
 * @self: a file
 * @offset: where the range begins, in bytes
 * @length: how long it is; 0 for all that follows, however long the file becomes
 * @io_priority: the priority of the callback
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async): called when the range is not locked any more
 * @user_data: data for @callback
 *
 * Gives up what this file has locked in a range. It need not be a range that was locked as such:
 * what is cut off of a lock stays locked. To unlock what is not locked succeeds.
 *
 * Thread: any.
 */
void
gaio_file_unlock_async (GaioFile *self,
                        goffset offset,
                        goffset length,
                        int io_priority,
                        GCancellable *cancellable,
                        GAsyncReadyCallback callback,
                        gpointer user_data)
{
  GAIO_FILE_START (gaio_file_unlock_async, gaio_file_return_boolean,
                   gaio_request_lock (request, F_UNLCK, offset, length));
}

/**
 * gaio_file_unlock_finish:
 * @self: a file
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Gaio.File.unlock_async].
 *
 * Thread: the callback's.
 *
 * Returns: %TRUE when the range is not locked any more
 */
gboolean
gaio_file_unlock_finish (GaioFile *self, GAsyncResult *result, GError **error)
{
  GAIO_FILE_FINISH (gaio_file_unlock_async, boolean, FALSE);
}
