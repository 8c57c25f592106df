/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The ends of child processes: each watched one is told once, with its status, and no other child
 * is waited for. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gaio-test.h"

#define N_CHILDREN 200

/* What the library calls: this program's definition is found first. */
static int pidfd_open_errno;

int pidfd_open (pid_t pid, unsigned int flags);

int
pidfd_open (pid_t pid, unsigned int flags)
{
  if (pidfd_open_errno != 0)
    {
      errno = pidfd_open_errno;
      return -1;
    }
  return (int) syscall (SYS_pidfd_open, pid, flags);
}

typedef struct _Child Child;
struct _Child
{
  GaioTestLoop *loop;
  int pid;
  int gate; /* the child ends when something is written here */
  int n;
  int n_notified;
  int status;
  Child *next; /* watched by the callback of this one */
};

/* A child that waits, then ends with this status, or by this signal when it is negative. */
static void
start (GaioTestLoop *loop, Child *child, int status)
{
  int fds[2];
  char byte;

  g_assert_cmpint (pipe2 (fds, O_CLOEXEC), ==, 0);
  child->loop = loop;
  child->gate = fds[1];
  child->pid = fork ();
  g_assert_cmpint (child->pid, >=, 0);
  if (child->pid == 0)
    {
      close (fds[1]);
      while (read (fds[0], &byte, 1) < 0)
        ;
      if (status < 0)
        kill (getpid (), -status);
      _exit (status);
    }
  close (fds[0]);
}

static void
let_go (Child *child)
{
  g_assert_cmpint (write (child->gate, "", 1), ==, 1);
  close (child->gate);
}

static void
wait_until_ended (Child *child)
{
  siginfo_t info;

  while (waitid (P_PID, (id_t) child->pid, &info, WEXITED | WNOWAIT) < 0)
    g_assert_cmpint (errno, ==, EINTR);
}

static void
reap (Child *child)
{
  while (waitpid (child->pid, &child->status, 0) < 0)
    g_assert_cmpint (errno, ==, EINTR);
}

static void watch (Child *child);

static void
on_ended (int pid, int wait_status, gpointer data)
{
  Child *child = data;

  g_assert_cmpint (pid, ==, child->pid);
  child->status = wait_status;
  child->n++;
  /* It is gone: the number may be another's. */
  g_assert_cmpint (waitpid (pid, NULL, WNOHANG), ==, -1);
  if (child->next != NULL)
    watch (child->next);
}

static void
on_notify (gpointer data)
{
  ((Child *) data)->n_notified++;
}

static gboolean
try_watch (Child *child, GError **error)
{
  return gaio_context_add_child_watch (child->loop->context, child->pid, on_ended, child, on_notify,
                                       error);
}

static void
watch (Child *child)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (try_watch (child, &error));
  g_assert_no_error (error);
}

static void
test_status (GaioTestLoop *loop)
{
  Child child = { 0 };

  start (loop, &child, 42);
  watch (&child);
  gaio_test_settle (loop);
  g_assert_cmpint (child.n, ==, 0);
  let_go (&child);
  gaio_test_turn_until (loop, &child.n, 1);
  gaio_test_settle (loop);
  g_assert_cmpint (child.n, ==, 1);
  g_assert_cmpint (child.n_notified, ==, 1);
  g_assert_true (WIFEXITED (child.status));
  g_assert_cmpint (WEXITSTATUS (child.status), ==, 42);
}

static void
test_killed (GaioTestLoop *loop)
{
  Child child = { 0 };

  start (loop, &child, -SIGKILL);
  watch (&child);
  /* Neither a stop nor a continuation is an end. */
  kill (child.pid, SIGSTOP);
  gaio_test_settle (loop);
  kill (child.pid, SIGCONT);
  gaio_test_settle (loop);
  g_assert_cmpint (child.n, ==, 0);
  let_go (&child);
  gaio_test_turn_until (loop, &child.n, 1);
  g_assert_true (WIFSIGNALED (child.status));
  g_assert_cmpint (WTERMSIG (child.status), ==, SIGKILL);
  gaio_test_settle (loop);
}

static void
test_ended_already (GaioTestLoop *loop)
{
  Child child = { 0 };

  start (loop, &child, 0);
  let_go (&child);
  wait_until_ended (&child);
  watch (&child);
  g_assert_cmpint (child.n, ==, 0);
  gaio_test_turn_until (loop, &child.n, 1);
  g_assert_cmpint (child.status, ==, 0);
  gaio_test_settle (loop);
}

static void
test_many (GaioTestLoop *loop)
{
  static Child children[N_CHILDREN];

  memset (children, 0, sizeof children);
  for (int i = 0; i < N_CHILDREN; i++)
    {
      start (loop, &children[i], i % 128);
      if (i % 2)
        let_go (&children[i]);
      watch (&children[i]);
    }
  for (int i = 0; i < N_CHILDREN; i += 2)
    let_go (&children[i]);
  for (int i = 0; i < N_CHILDREN; i++)
    gaio_test_turn_until (loop, &children[i].n, 1);
  gaio_test_settle (loop);
  for (int i = 0; i < N_CHILDREN; i++)
    {
      g_assert_cmpint (children[i].n, ==, 1);
      g_assert_cmpint (children[i].n_notified, ==, 1);
      g_assert_cmpint (WEXITSTATUS (children[i].status), ==, i % 128);
    }
}

/* Those that nobody watches are left to whoever started them. */
static void
test_others_are_left (GaioTestLoop *loop)
{
  Child watched = { 0 };
  Child other = { 0 };

  start (loop, &other, 5);
  start (loop, &watched, 6);
  watch (&watched);
  let_go (&other);
  wait_until_ended (&other);
  gaio_test_settle (loop);
  let_go (&watched);
  gaio_test_turn_until (loop, &watched.n, 1);
  g_assert_cmpint (WEXITSTATUS (watched.status), ==, 6);
  reap (&other);
  g_assert_cmpint (WEXITSTATUS (other.status), ==, 5);
  gaio_test_settle (loop);
}

static void
test_twice (GaioTestLoop *loop)
{
  g_autoptr (GaioContext) context = gaio_context_new (NULL);
  g_autoptr (GError) error = NULL;
  Child child = { 0 };

  start (loop, &child, 1);
  watch (&child);
  g_assert_false (try_watch (&child, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_EXISTS);
  g_clear_error (&error);
  g_assert_false (
      gaio_context_add_child_watch (context, child.pid, on_ended, &child, on_notify, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_EXISTS);
  g_assert_cmpint (child.n_notified, ==, 0);

  /* One that watches another child does not remove it. */
  gaio_context_remove_child_watch (context, child.pid);
  let_go (&child);
  gaio_test_turn_until (loop, &child.n, 1);
  gaio_test_settle (loop);
  g_assert_cmpint (child.n_notified, ==, 1);
}

static void
test_remove (GaioTestLoop *loop)
{
  Child child = { 0 };

  start (loop, &child, 3);
  gaio_context_remove_child_watch (loop->context, child.pid); /* nothing */
  watch (&child);
  gaio_test_settle (loop);
  let_go (&child);
  wait_until_ended (&child);
  gaio_context_remove_child_watch (loop->context, child.pid);
  gaio_test_settle (loop);
  g_assert_cmpint (child.n, ==, 0);
  g_assert_cmpint (child.n_notified, ==, 1);

  /* It is still there to be waited for; and to be watched again. */
  watch (&child);
  gaio_test_turn_until (loop, &child.n, 1);
  g_assert_cmpint (WEXITSTATUS (child.status), ==, 3);
  gaio_test_settle (loop);
  g_assert_cmpint (child.n_notified, ==, 2);
}

static void
test_next (GaioTestLoop *loop)
{
  Child second = { 0 };
  Child first = { .next = &second };

  start (loop, &first, 1);
  start (loop, &second, 2);
  watch (&first);
  let_go (&first);
  let_go (&second);
  gaio_test_turn_until (loop, &second.n, 1);
  g_assert_cmpint (WEXITSTATUS (second.status), ==, 2);
  gaio_test_settle (loop);
}

static void
test_refused (GaioTestLoop *loop)
{
  static const int pids[] = { 1, 0, -1, G_MAXINT };
  Child child = { .loop = loop };

  for (guint i = 0; i < G_N_ELEMENTS (pids); i++)
    {
      g_autoptr (GError) error = NULL;

      child.pid = pids[i] == 1 ? getppid () : pids[i];
      g_assert_false (try_watch (&child, &error));
      g_assert_nonnull (error);
      g_test_message ("%s", error->message);
      if (pids[i] == 1)
        g_assert_nonnull (strstr (error->message, "no child"));
    }
  g_assert_cmpint (child.n_notified, ==, 0);
}

static void
test_no_pidfd (GaioTestLoop *loop)
{
  g_autoptr (GError) error = NULL;
  Child child = { 0 };

  start (loop, &child, 1);
  pidfd_open_errno = ENOSYS;
  g_assert_false (try_watch (&child, &error));
  pidfd_open_errno = 0;
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED);
  g_assert_nonnull (strstr (error->message, "pidfd_open"));
  g_assert_cmpint (child.n_notified, ==, 0);
  let_go (&child);
  reap (&child);
}

/* Somebody else was faster. */
static void
test_stolen (GaioTestLoop *loop)
{
  Child child = { 0 };

  start (loop, &child, 1);
  watch (&child);
  let_go (&child);
  reap (&child);
  gaio_test_turn_until (loop, &child.n, 1);
  g_assert_cmpint (child.status, ==, -1);
  gaio_test_settle (loop);
  g_assert_cmpint (child.n_notified, ==, 1);
}

static void
test_context_ends (GaioTestLoop *loop)
{
  Child child = { 0 };

  start (loop, &child, 1);
  watch (&child);
  if (loop->driver == GAIO_TEST_BY_SOURCE)
    g_main_context_iteration (loop->main_context, FALSE);
  g_clear_object (&loop->context);
  g_assert_cmpint (child.n_notified, ==, 1);
  g_assert_cmpint (child.n, ==, 0);
  let_go (&child);
  reap (&child);
}

static gboolean
is_zombie (int pid)
{
  g_autofree char *path = g_strdup_printf ("/proc/%d/stat", pid);
  g_autofree char *text = NULL;

  return !g_file_get_contents (path, &text, NULL, NULL) || strstr (text, ") Z") != NULL;
}

/* A forked child has no part in the watches of its parent. */
static void
test_fork (GaioTestLoop *loop)
{
  Child child = { 0 };
  pid_t forked;
  int status;

  start (loop, &child, 9);
  watch (&child);
  gaio_test_settle (loop);
  forked = fork ();
  g_assert_cmpint (forked, >=, 0);
  if (forked == 0)
    {
      Child own = { 0 };

      start (loop, &own, 7);
      watch (&own);
      let_go (&own);
      let_go (&child);
      gaio_test_turn_until (loop, &own.n, 1);
      /* Until the other one has ended, too. */
      while (kill (child.pid, 0) == 0 && !is_zombie (child.pid))
        g_usleep (100);
      gaio_test_settle (loop);
      _exit (own.n == 1 && WEXITSTATUS (own.status) == 7 && child.n == 0 ? 0 : 1);
    }
  close (child.gate);
  gaio_test_turn_until (loop, &child.n, 1);
  g_assert_cmpint (WEXITSTATUS (child.status), ==, 9);
  while (waitpid (forked, &status, 0) < 0)
    g_assert_cmpint (errno, ==, EINTR);
  g_assert_cmpint (status, ==, 0);
  gaio_test_settle (loop);
}

typedef struct
{
  GaioTestLoop loop;
  Child children[50];
  atomic_int n;
} Remote;

static void
on_remote_ended (int pid, int wait_status, gpointer data)
{
  /* One that was removed too late may be told of all the same, and then not find its child. */
  if (wait_status != -1)
    atomic_fetch_add (&((Remote *) data)->n, 1);
}

/* Added and removed from another thread than that of the context. */
static void
test_from_outside (void)
{
  g_autoptr (GaioIOThread) thread = gaio_io_thread_new ("gaio-test", NULL);
  static Remote remote;
  int n_removed = 0;

  memset (&remote, 0, sizeof remote);
  remote.loop.context = gaio_io_thread_get_context (thread);
  for (int i = 0; i < 50; i++)
    {
      g_autoptr (GError) error = NULL;

      start (&remote.loop, &remote.children[i], 0);
      gaio_context_add_child_watch (remote.loop.context, remote.children[i].pid, on_remote_ended,
                                    &remote, NULL, &error);
      g_assert_no_error (error);
      let_go (&remote.children[i]);
      if (i % 2)
        gaio_context_remove_child_watch (remote.loop.context, remote.children[i].pid);
    }
  /* Each is waited for once, here or there. */
  for (int i = 1; i < 50; i += 2)
    {
      siginfo_t info;

      if (waitid (P_PID, (id_t) remote.children[i].pid, &info, WEXITED) == 0)
        n_removed++;
    }
  while (atomic_load (&remote.n) < 50 - n_removed)
    g_usleep (100);
  gaio_io_thread_stop (thread);
  g_assert_cmpint (atomic_load (&remote.n), ==, 50 - n_removed);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);

  gaio_test_add_loop_matrix ("/child-watch/status", test_status);
  gaio_test_add_driver_matrix ("/child-watch/killed", test_killed);
  gaio_test_add_loop_matrix ("/child-watch/ended-already", test_ended_already);
  gaio_test_add_loop_matrix ("/child-watch/many", test_many);
  gaio_test_add_driver_matrix ("/child-watch/others-are-left", test_others_are_left);
  gaio_test_add_driver_matrix ("/child-watch/twice", test_twice);
  gaio_test_add_loop_matrix ("/child-watch/remove", test_remove);
  gaio_test_add_driver_matrix ("/child-watch/next", test_next);
  gaio_test_add_driver_matrix ("/child-watch/refused", test_refused);
  gaio_test_add_driver_matrix ("/child-watch/no-pidfd", test_no_pidfd);
  gaio_test_add_loop_matrix ("/child-watch/stolen", test_stolen);
  gaio_test_add_loop_matrix ("/child-watch/context-ends", test_context_ends);
  gaio_test_add_loop_matrix ("/child-watch/fork", test_fork);
  gaio_test_add ("/child-watch/from-outside", test_from_outside);
  return g_test_run ();
}
