/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The pool and its process: no threads to be had, exit(3) with workers idle, blocked or calling it
 * themselves, fork(2), signals and the file size limit.
 *
 * All of it happens in subprocesses. Those that end by exit(3) count the workers that are left
 * then, in a function that is registered before the first pool and so runs after the pools' own. */

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "probe.h"

#define NOBODY 65534

#if defined(__has_feature)
#define HAS_SANITIZER(name) __has_feature (name)
#else
#define HAS_SANITIZER(name) 0
#endif

#if HAS_SANITIZER(thread_sanitizer) || defined(__SANITIZE_THREAD__)
#define THREAD_SANITIZER 1
#endif

#if HAS_SANITIZER(address_sanitizer) || defined(__SANITIZE_ADDRESS__)
#define ADDRESS_SANITIZER 1
#endif

static GaioTestLoop
loop_new (void)
{
  g_autoptr (GError) error = NULL;
  GaioTestLoop loop = { gaio_context_new (&error), g_main_context_default (), GAIO_TEST_BY_POLL };

  g_assert_no_error (error);
  return loop;
}

static void
run_subprocess (const char *name)
{
  g_autofree char *path = g_strconcat ("/thread-pool-process/", name, "/subprocess", NULL);

  g_test_trap_subprocess (path, 0, 0);
  g_test_trap_assert_passed ();
}

/* No threads */

/* Only the soft limit, so that it can be undone; and a user whom it counts for. */
static void
forbid_threads (void)
{
  struct rlimit limit;

  if (geteuid () == 0)
    {
      g_assert_cmpint (setresgid (NOBODY, NOBODY, NOBODY), ==, 0);
      g_assert_cmpint (setresuid (NOBODY, NOBODY, NOBODY), ==, 0);
      /* For the leak sanitizer, which reads the process from outside. */
      prctl (PR_SET_DUMPABLE, 1, 0, 0, 0);
    }
  g_assert_cmpint (getrlimit (RLIMIT_NPROC, &limit), ==, 0);
  limit.rlim_cur = 0;
  g_assert_cmpint (setrlimit (RLIMIT_NPROC, &limit), ==, 0);
}

static void
allow_threads (void)
{
  struct rlimit limit;

  g_assert_cmpint (getrlimit (RLIMIT_NPROC, &limit), ==, 0);
  limit.rlim_cur = limit.rlim_max;
  g_assert_cmpint (setrlimit (RLIMIT_NPROC, &limit), ==, 0);
}

static gpointer
nothing_in_thread (gpointer data)
{
  return NULL;
}

static gboolean
can_make_thread (void)
{
  GThread *thread = g_thread_try_new ("try", nothing_in_thread, NULL, NULL);

  if (thread != NULL)
    g_thread_join (thread);
  return thread != NULL;
}

/* In a child, since there is no way back from being nobody. */
static gboolean
can_forbid_threads (void)
{
  pid_t pid;
  int status = 0;

  fflush (stdout);
  pid = fork ();
  g_assert_cmpint (pid, >=, 0);
  if (pid == 0)
    {
      /* A user namespace may have no such user. */
      if (geteuid () == 0 && (setresgid (NOBODY, NOBODY, NOBODY) != 0 ||
                              setresuid (NOBODY, NOBODY, NOBODY) != 0))
        _exit (1);
      forbid_threads ();
      _exit (can_make_thread () ? 1 : 0);
    }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  return WIFEXITED (status) && WEXITSTATUS (status) == 0;
}

static void
run_without_threads (const char *name)
{
#ifdef THREAD_SANITIZER
  g_test_skip ("the thread sanitizer cannot make threads after a fork");
  return;
#endif
  if (can_forbid_threads ())
    run_subprocess (name);
  else
    g_test_skip ("this system does not limit the threads of this user");
}

static void
in_no_threads (void)
{
  GaioTestLoop loop = loop_new ();
  g_autoptr (GaioThreadPool) pool = gaio_thread_pool_new ();
  Probe probes[20] = { { 0 } };
  Probe alone = { 0 };
  int n_ended = 0;

  gaio_test_settle (&loop);
  forbid_threads ();
  g_assert_false (can_make_thread ());
  probe_submit (&alone, pool, &loop, &n_ended);
  gaio_test_turn_until (&loop, &n_ended, 1);
  g_assert_true (alone.worker == g_thread_self ());

  n_ended = 0;
  for (guint i = 0; i < G_N_ELEMENTS (probes); i++)
    {
      probe_submit (&probes[i], pool, &loop, &n_ended);
      g_assert_cmpint (probes[i].n_run, ==, 0);
    }
  g_assert_cmpuint (gaio_thread_pool_get_n_threads (pool), ==, 0);
  g_assert_true (gaio_thread_pool_cancel (pool, probes[7].id));
  gaio_test_turn_until (&loop, &n_ended, G_N_ELEMENTS (probes));
  for (guint i = 0; i < G_N_ELEMENTS (probes); i++)
    {
      probe_assert_ended_once (&probes[i], i == 7);
      if (i != 7)
        g_assert_true (probes[i].worker == g_thread_self ());
    }
  gaio_thread_pool_set_min_threads (pool, 2);
  g_assert_cmpuint (gaio_thread_pool_get_n_threads (pool), ==, 0);

  /* When there are threads again, the pool finds out. */
  allow_threads ();
  for (;;)
    {
      Probe probe = { 0 };

      n_ended = 0;
      probe_submit (&probe, pool, &loop, &n_ended);
      gaio_test_turn_until (&loop, &n_ended, 1);
      if (probe.worker != g_thread_self ())
        break;
      g_usleep (1000);
    }
  g_object_unref (loop.context);
}

static void
test_no_threads (void)
{
  run_without_threads ("no-threads");
}

static void
in_no_more_threads (void)
{
  GaioTestLoop loop = loop_new ();
  g_autoptr (GaioThreadPool) pool = gaio_thread_pool_new ();
  Probe probes[20] = { { 0 } };
  Probe first = { 0 };
  int n_ended = 0;

  probe_submit (&first, pool, &loop, &n_ended);
  gaio_test_turn_until (&loop, &n_ended, 1);
  forbid_threads ();
  for (guint i = 0; i < G_N_ELEMENTS (probes); i++)
    probe_submit (&probes[i], pool, &loop, &n_ended);
  gaio_test_turn_until (&loop, &n_ended, 1 + G_N_ELEMENTS (probes));
  for (guint i = 0; i < G_N_ELEMENTS (probes); i++)
    g_assert_true (probes[i].worker == first.worker);
  allow_threads ();
  g_object_unref (loop.context);
}

/* The one that there is does it all. */
static void
test_no_more_threads (void)
{
  run_without_threads ("no-more-threads");
}

/* exit(3) */

static gboolean count_at_exit;

/* A thread that was joined may be there a moment longer. */
static gboolean
is_leaving (const char *task)
{
  const unsigned leaving = 0x4; /* PF_EXITING of the kernel, set before those who join are woken */
  g_autofree char *path = g_strdup_printf ("/proc/self/task/%s/stat", task);
  g_autofree char *text = NULL;
  const char *end;
  unsigned flags = 0;

  if (!g_file_get_contents (path, &text, NULL, NULL))
    return TRUE;
  /* Behind the name, which may hold anything: the state, five numbers, the flags. */
  end = strrchr (text, ')');
  g_assert_nonnull (end);
  g_assert_cmpint (sscanf (end, ") %*c %*d %*d %*d %*d %*d %u", &flags), ==, 1);
  return (flags & leaving) != 0;
}

static void
count_workers (void)
{
  DIR *dir = count_at_exit ? opendir ("/proc/self/task") : NULL;
  struct dirent *entry;
  int n_workers = 0;
  char text[64];

  while (dir != NULL && (entry = readdir (dir)) != NULL)
    {
      g_autofree char *path = g_strdup_printf ("/proc/self/task/%s/comm", entry->d_name);
      g_autofree char *name = NULL;

      if (g_file_get_contents (path, &name, NULL, NULL) &&
          g_str_has_prefix (name, "gaio-worker") && !is_leaving (entry->d_name))
        n_workers++;
    }
  if (dir == NULL)
    return;
  closedir (dir);
  g_snprintf (text, sizeof text, "%d workers at the end\n", n_workers);
  if (write (STDOUT_FILENO, text, strlen (text)) < 0)
    _exit (1);
}

/* Leaves `n_idle` workers without work in the pool, for which it makes as many jobs at once. */
static void
make_idle_workers (GaioThreadPool *pool, GaioTestLoop *loop, guint n_idle)
{
  Probe *probes = g_new0 (Probe, n_idle);
  Gate gate = GATE_INIT;
  int n_ended = 0;

  gaio_thread_pool_set_idle_timeout_ms (pool, G_MAXUINT);
  for (guint i = 0; i < n_idle; i++)
    {
      probes[i].gate = &gate;
      probe_submit (&probes[i], pool, loop, &n_ended);
    }
  gate_fill (&gate, n_idle);
  gate_open (&gate);
  gaio_test_turn_until (loop, &n_ended, n_idle);
  /* The last job has ended a moment before its worker is idle again. */
  while (gaio_thread_pool_get_n_idle (pool) != n_idle)
    g_thread_yield ();
  g_free (probes);
}

static void
in_exit_idle (void)
{
  /* One that the program has forgotten; the leak sanitizer is not to find that out. */
  static GaioThreadPool *volatile forgotten;
  GaioTestLoop loop = loop_new ();
  GaioThreadPool *pool = gaio_thread_pool_get_default ();

  count_at_exit = TRUE;
  make_idle_workers (pool, &loop, 60);
  forgotten = gaio_thread_pool_new ();
  make_idle_workers (forgotten, &loop, 30);
  exit (0);
}

static void
test_exit_idle (void)
{
  run_subprocess ("exit-idle");
  g_test_trap_assert_stdout ("*0 workers at the end*");
}

typedef struct
{
  int fd;
  Gate begun;
} Blocked;

static void
read_for_ever (gpointer data)
{
  Blocked *blocked = data;
  char byte;

  gate_open (&blocked->begun);
  /* Nobody ever writes to it. */
  if (read (blocked->fd, &byte, 1) != 0)
    abort ();
}

static void
in_exit_blocked (void)
{
  static Blocked blocked = { .begun = GATE_INIT };
  GaioTestLoop loop = loop_new ();
  GaioThreadPool *pool = gaio_thread_pool_get_default ();
  int fds[2];

  count_at_exit = TRUE;
  g_assert_cmpint (pipe2 (fds, O_CLOEXEC), ==, 0);
  blocked.fd = fds[0];
  make_idle_workers (pool, &loop, 2);
  gaio_thread_pool_submit (pool, loop.context, read_for_ever, NULL, &blocked, NULL);
  gate_wait (&blocked.begun);
  exit (0);
}

/* The one that is blocked goes down with the process, the other is joined. */
static void
test_exit_blocked (void)
{
  run_subprocess ("exit-blocked");
  g_test_trap_assert_stdout ("*1 workers at the end*");
}

static void
call_exit (gpointer data)
{
  exit (0);
}

static void
in_exit_by_worker (void)
{
  GaioTestLoop loop = loop_new ();
  GaioThreadPool *pool = gaio_thread_pool_get_default ();

  count_at_exit = TRUE;
  make_idle_workers (pool, &loop, 4);
  gaio_thread_pool_submit (pool, loop.context, call_exit, NULL, NULL, NULL);
  for (;;)
    pause ();
}

static void
test_exit_by_worker (void)
{
  run_subprocess ("exit-by-worker");
  g_test_trap_assert_stdout ("*1 workers at the end*");
}

/* fork(2) */

/* In the child of a process with a busy pool. */
static void
use_pools_in_child (GaioThreadPool *of_parent)
{
  GaioTestLoop loop = loop_new ();
  GaioThreadPool *pool = gaio_thread_pool_new ();
  Probe probe = { 0 };
  Probe at_home = { 0 };
  int n_ended = 0;

  probe_submit (&at_home, of_parent, &loop, &n_ended);
  g_assert_false (gaio_thread_pool_cancel (of_parent, at_home.id));
  gaio_test_turn_until (&loop, &n_ended, 1);
  probe_assert_ended_once (&at_home, FALSE);
  g_assert_true (at_home.worker == g_thread_self ());
  gaio_thread_pool_set_max_threads (of_parent, 3);
  gaio_thread_pool_set_min_threads (of_parent, 3);
  gaio_thread_pool_set_idle_timeout_ms (of_parent, 3);
  g_assert_cmpuint (gaio_thread_pool_get_n_threads (of_parent), ==, 0);
  g_object_unref (of_parent);

  probe_submit (&probe, pool, &loop, &n_ended);
  gaio_test_turn_until (&loop, &n_ended, 2);
  probe_assert_ended_once (&probe, FALSE);
  g_assert_true (probe.worker != g_thread_self ());
  g_object_unref (pool);
  g_object_unref (loop.context);
}

static void
in_fork (void)
{
  GaioTestLoop loop = loop_new ();
  GaioThreadPool *pool = gaio_thread_pool_new ();
  Probe probe = { 0 };
  Gate gate = GATE_INIT;
  int n_ended = 0;
  int status = 0;
  pid_t pid;

  make_idle_workers (pool, &loop, 2);
  probe.gate = &gate;
  probe_submit (&probe, pool, &loop, &n_ended);
  gate_fill (&gate, 1);
  fflush (stdout);
  pid = fork ();
  g_assert_cmpint (pid, >=, 0);
  if (pid == 0)
    {
      use_pools_in_child (pool);
#ifdef ADDRESS_SANITIZER
      /* It would miss what GLib keeps for the threads that are not here. */
      _exit (0);
#endif
      /* With all that runs at exit. */
      exit (0);
    }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_true (WIFEXITED (status) && WEXITSTATUS (status) == 0);

  /* The parent has not noticed. */
  gate_open (&gate);
  gaio_test_turn_until (&loop, &n_ended, 1);
  probe_assert_ended_once (&probe, FALSE);
  g_object_unref (pool);
  g_object_unref (loop.context);
}

static void
test_fork (void)
{
#ifdef THREAD_SANITIZER
  g_test_skip ("the thread sanitizer cannot make threads after a fork");
#else
  run_subprocess ("fork");
#endif
}

/* Signals */

static void
get_mask (gpointer data)
{
  pthread_sigmask (SIG_SETMASK, NULL, data);
}

static void
test_signals (void)
{
  static const int blocked[] = { SIGINT, SIGTERM, SIGHUP, SIGCHLD, SIGALRM, SIGPIPE, SIGXFSZ,
                                 SIGUSR1 };
  static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL };
  GaioTestLoop loop = loop_new ();
  g_autoptr (GaioThreadPool) pool = gaio_thread_pool_new ();
  sigset_t before, after, worker;

  sigemptyset (&worker);
  pthread_sigmask (SIG_SETMASK, NULL, &before);
  gaio_thread_pool_submit (pool, loop.context, get_mask, NULL, &worker, NULL);
  pthread_sigmask (SIG_SETMASK, NULL, &after);
  while (gaio_thread_pool_get_n_idle (pool) != 1)
    g_thread_yield ();
  gaio_test_settle (&loop);

  for (guint i = 0; i < G_N_ELEMENTS (blocked); i++)
    {
      g_assert_true (sigismember (&worker, blocked[i]));
      g_assert_cmpint (sigismember (&after, blocked[i]), ==, sigismember (&before, blocked[i]));
    }
  for (guint i = 0; i < G_N_ELEMENTS (own); i++)
    g_assert_false (sigismember (&worker, own[i]));
  g_object_unref (loop.context);
}

typedef struct
{
  int fd;
  ssize_t first;
  ssize_t second;
  int second_errno;
} Write;

static void
write_beyond (gpointer data)
{
  Write *self = data;
  char block[8192] = { 0 };

  self->first = pwrite (self->fd, block, sizeof block, 0);
  self->second = pwrite (self->fd, block, sizeof block, 4096);
  self->second_errno = errno;
}

static void
in_file_size_limit (void)
{
  GaioTestLoop loop = loop_new ();
  g_autoptr (GaioThreadPool) pool = gaio_thread_pool_new ();
  g_autofree char *path = NULL;
  Write result = { g_file_open_tmp ("gaio-XXXXXX", &path, NULL) };
  struct rlimit limit = { 4096, RLIM_INFINITY };

  g_assert_cmpint (result.fd, >=, 0);
  unlink (path);
  getrlimit (RLIMIT_FSIZE, &limit);
  limit.rlim_cur = 4096;
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &limit), ==, 0);
  signal (SIGXFSZ, SIG_DFL);
  gaio_thread_pool_submit (pool, loop.context, write_beyond, NULL, &result, NULL);
  while (gaio_thread_pool_get_n_idle (pool) != 1)
    g_thread_yield ();
  gaio_test_settle (&loop);
  g_assert_cmpint (result.first, ==, 4096);
  g_assert_cmpint (result.second, ==, -1);
  g_assert_cmpint (result.second_errno, ==, EFBIG);
  close (result.fd);
  g_object_unref (loop.context);
}

/* The signal would end the process. */
static void
test_file_size_limit (void)
{
  run_subprocess ("file-size-limit");
}

int
main (int argc, char **argv)
{
  atexit (count_workers);
  gaio_test_init (&argc, &argv);

  gaio_test_add ("/thread-pool-process/no-threads", test_no_threads);
  gaio_test_add ("/thread-pool-process/no-more-threads", test_no_more_threads);
  gaio_test_add ("/thread-pool-process/exit-idle", test_exit_idle);
  gaio_test_add ("/thread-pool-process/exit-blocked", test_exit_blocked);
  gaio_test_add ("/thread-pool-process/exit-by-worker", test_exit_by_worker);
  gaio_test_add ("/thread-pool-process/fork", test_fork);
  gaio_test_add ("/thread-pool-process/signals", test_signals);
  gaio_test_add ("/thread-pool-process/file-size-limit", test_file_size_limit);

  /* Run by the tests above only. */
  gaio_test_add ("/thread-pool-process/no-threads/subprocess", in_no_threads);
  gaio_test_add ("/thread-pool-process/no-more-threads/subprocess", in_no_more_threads);
  gaio_test_add ("/thread-pool-process/exit-idle/subprocess", in_exit_idle);
  gaio_test_add ("/thread-pool-process/exit-blocked/subprocess", in_exit_blocked);
  gaio_test_add ("/thread-pool-process/exit-by-worker/subprocess", in_exit_by_worker);
  gaio_test_add ("/thread-pool-process/fork/subprocess", in_fork);
  gaio_test_add ("/thread-pool-process/file-size-limit/subprocess", in_file_size_limit);

  return g_test_run ();
}
