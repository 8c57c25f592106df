/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The ends of child processes as events of a context: a pidfd among its descriptors for each.
 *
 * Only children that somebody watches are waited for, each by its pidfd, so nothing is taken away
 * from others in the process that wait for children of their own, and no SIGCHLD is needed. A child
 * that has ended already makes its pidfd ready at once.
 *
 * A watch is its handler's data. Who takes it out of the set of watches, under the lock, is the one
 * who removes the handler: its end, or a removal from any thread. The only file that includes
 * <sys/pidfd.h>. */

#include "config.h"

#include <errno.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gaio/base/gaio-error-private.h>
#include <gaio/base/gaio-fork-private.h>
#include <gaio/loop/gaio-child-watch.h>
#include <gaio/loop/gaio-core-private.h>

typedef struct
{
  /* immutable */
  int pid;
  int fd;
  guint fork_count;   /* of the process whose child it is */
  GaioFdTable *table; /* borrowed: it owns the watch */
  GaioChildFunc func;
  gpointer user_data;
  GDestroyNotify notify;
} ChildWatch;

static GMutex lock;
static GHashTable *watches; /* pid -> ChildWatch; under the lock; NULL when it is empty */

static ChildWatch *
lookup_locked (int pid)
{
  ChildWatch *watch = watches != NULL ? g_hash_table_lookup (watches, GINT_TO_POINTER (pid)) : NULL;

  return watch != NULL && watch->fork_count == gaio_fork_get_count () ? watch : NULL;
}

static void on_ended (gpointer user_data);
static void free_watch (gpointer data);

/* The handler is set under the lock, so that nobody removes what is not there yet. */
static bool
add (ChildWatch *watch)
{
  GaioFdRegistration registration = {
    .fd = watch->fd,
    .events = G_IO_IN,
    .handlers = { .read = on_ended },
    .user_data = watch,
    .notify = free_watch,
  };
  bool added = false;

  g_mutex_lock (&lock);
  if (lookup_locked (watch->pid) == NULL)
    {
      if (watches == NULL)
        watches = g_hash_table_new (NULL, NULL);
      added = true;
      g_hash_table_insert (watches, GINT_TO_POINTER (watch->pid), watch);
      gaio_fd_table_set (watch->table, &registration);
    }
  g_mutex_unlock (&lock);
  return added;
}

/* Whether the caller is the one that ends the watch. */
static bool
take (ChildWatch *watch)
{
  bool found;

  g_mutex_lock (&lock);
  found = watches != NULL && g_hash_table_lookup (watches, GINT_TO_POINTER (watch->pid)) == watch;
  if (found)
    g_hash_table_remove (watches, GINT_TO_POINTER (watch->pid));
  if (found && g_hash_table_size (watches) == 0)
    g_clear_pointer (&watches, g_hash_table_unref);
  g_mutex_unlock (&lock);
  return found;
}

static void
free_watch (gpointer data)
{
  ChildWatch *watch = data;

  take (watch);
  close (watch->fd);
  if (watch->notify != NULL)
    watch->notify (watch->user_data);
  g_free (watch);
}

/* waitpid()'s form of what waitid() tells. */
static int
to_wait_status (const siginfo_t *info)
{
  switch (info->si_code)
    {
    case CLD_EXITED:
      return W_EXITCODE (info->si_status, 0);
    case CLD_DUMPED:
      return W_EXITCODE (0, info->si_status) | WCOREFLAG;
    default:
      return W_EXITCODE (0, info->si_status);
    }
}

static int
wait_for (int fd, siginfo_t *info, int options)
{
  int result;

  info->si_pid = 0;
  do
    result = waitid (P_PIDFD, (id_t) fd, info, WEXITED | WNOHANG | options);
  while (result < 0 && errno == EINTR);
  return result < 0 ? -errno : 0;
}

static void
on_ended (gpointer user_data)
{
  ChildWatch *watch = user_data;
  siginfo_t info;
  int result;

  /* In a forked child it is no child of this process. */
  if (watch->fork_count != gaio_fork_get_count ())
    {
      gaio_fd_table_remove (watch->table, watch->fd);
      return;
    }
  result = wait_for (watch->fd, &info, WNOWAIT);
  if ((result == 0 && info.si_pid == 0) || !take (watch))
    return;
  /* Waited for after it was taken: a watch that is removed leaves the child to others. */
  if (result == 0)
    result = wait_for (watch->fd, &info, 0);
  gaio_fd_table_remove (watch->table, watch->fd);
  watch->func (watch->pid, result == 0 ? to_wait_status (&info) : -1, watch->user_data);
}

/**
 * gaio_context_add_child_watch:
 * @self: a context
 * @pid: a child process of this one
 * @func: (scope notified) (closure user_data) (destroy notify): what to call when it has ended
 * @user_data: data for @func
 * @notify: (nullable): frees @user_data, in the home thread, when @func has been called or the
 *   watch been removed
 * @error: return location for an error
 *
 * Waits for the end of a child process and calls a function once. It does not matter whether the
 * child has ended already. Nobody else may wait for it: it is to be started with
 * %G_SPAWN_DO_NOT_REAP_CHILD, and is not for [class@Gio.Subprocess] or Python's `subprocess`, which
 * wait themselves. Other children are left alone.
 *
 * Thread: any.
 *
 * Returns: %TRUE, or %FALSE when @pid is not a child of this process, is watched already, in
 *   whichever context, or the system cannot tell (pidfd_open(2) is missing, or the process is out
 *   of file descriptors); @user_data is then not freed
 */
gboolean
gaio_context_add_child_watch (GaioContext *self,
                              int pid,
                              GaioChildFunc func,
                              gpointer user_data,
                              GDestroyNotify notify,
                              GError **error)
{
  g_autofree char *object = g_strdup_printf ("pid %d", pid);
  const char *detail = NULL;
  ChildWatch *watch;
  siginfo_t info;
  int result = 0;
  int fd;

  g_return_val_if_fail (GAIO_IS_CONTEXT (self), FALSE);
  g_return_val_if_fail (func != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  /* Always close-on-exec. */
  fd = pidfd_open (pid, 0);
  if (fd < 0)
    {
      result = -errno;
      detail = result == -ENOSYS || result == -EPERM ? "pidfd_open()" : NULL;
    }
  else
    {
      result = wait_for (fd, &info, WNOWAIT);
      detail = result == -ECHILD ? "which is no child of this process" : NULL;
    }
  if (result < 0)
    {
      g_propagate_error (error,
                         gaio_error_new_errno_with_detail (-result, "watch child", object, detail));
      if (fd >= 0)
        close (fd);
      return FALSE;
    }

  watch = g_new0 (ChildWatch, 1);
  watch->pid = pid;
  watch->fd = fd;
  watch->fork_count = gaio_fork_get_count ();
  watch->table = gaio_context_get_core (self)->fds;
  watch->func = func;
  watch->user_data = user_data;
  watch->notify = notify;
  if (!add (watch))
    {
      g_propagate_error (error, gaio_error_new_errno_with_detail (EEXIST, "watch child", object,
                                                                  "which is watched already"));
      close (fd);
      g_free (watch);
      return FALSE;
    }
  return TRUE;
}

/**
 * gaio_context_remove_child_watch:
 * @self: a context
 * @pid: a child process
 *
 * Waits for the end of a child no more, and leaves it to others; nothing happens when this context
 * does not watch it. From the home thread it is certain that the function is not called any more;
 * from another thread it may be running at the moment.
 *
 * Thread: any.
 */
void
gaio_context_remove_child_watch (GaioContext *self, int pid)
{
  GaioFdTable *table;
  ChildWatch *watch;
  int fd = -1;

  g_return_if_fail (GAIO_IS_CONTEXT (self));

  table = gaio_context_get_core (self)->fds;
  g_mutex_lock (&lock);
  watch = lookup_locked (pid);
  if (watch != NULL && watch->table == table)
    {
      fd = watch->fd;
      g_hash_table_remove (watches, GINT_TO_POINTER (pid));
      if (g_hash_table_size (watches) == 0)
        g_clear_pointer (&watches, g_hash_table_unref);
    }
  g_mutex_unlock (&lock);
  if (fd >= 0)
    gaio_fd_table_remove (table, fd);
}
