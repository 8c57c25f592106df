/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Signals as events of a context: each comes once, with what the kernel knows of it, to whichever
 * thread it was sent; and the process is afterwards what it was before. */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gaio-test.h"

#define MAX_VALUES 64

/* A callback of a signal. */
typedef struct _Watch Watch;
struct _Watch
{
  GaioTestLoop *loop;
  guint id;
  char name;
  int n;
  int n_notified;
  GaioSignalInfo info; /* of the last one */
  int values[MAX_VALUES];
  GString *order; /* names of the watches that were called */
  Watch *removes;
  Watch *adds;
  int sends;  /* so many more of its own */
  int nested; /* turns the loop until n is so much */
};

static void watch (GaioTestLoop *loop, Watch *self, int signo);

static void
unwatch (Watch *self)
{
  gaio_context_remove_signal (self->loop->context, self->id);
}

static void
on_signal (const GaioSignalInfo *info, gpointer data)
{
  Watch *self = data;

  self->info = *info;
  if (self->n < MAX_VALUES)
    self->values[self->n] = info->value_int;
  self->n++;
  if (self->order != NULL)
    g_string_append_c (self->order, self->name);
  if (self->removes != NULL)
    unwatch (self->removes);
  if (self->adds != NULL)
    watch (self->loop, g_steal_pointer (&self->adds), info->signo);
  if (self->sends > 0)
    {
      self->sends--;
      kill (getpid (), info->signo);
    }
  if (self->nested > 0)
    {
      int until = self->nested;

      self->nested = 0;
      gaio_test_turn_until (self->loop, &self->n, until);
    }
}

static void
on_notify (gpointer data)
{
  ((Watch *) data)->n_notified++;
}

static void
watch (GaioTestLoop *loop, Watch *self, int signo)
{
  g_autoptr (GError) error = NULL;

  self->loop = loop;
  self->id = gaio_context_add_signal (loop->context, signo, on_signal, self, on_notify, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (self->id, !=, 0);
}

static gboolean
is_blocked (int signo)
{
  sigset_t set;

  pthread_sigmask (SIG_BLOCK, NULL, &set);
  return sigismember (&set, signo);
}

static void
test_info (GaioTestLoop *loop)
{
  Watch a = { 0 };

  watch (loop, &a, SIGUSR1);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n, ==, 0);
  for (int i = 1; i <= 3; i++)
    {
      kill (getpid (), SIGUSR1);
      gaio_test_turn_until (loop, &a.n, i);
      gaio_test_settle (loop);
      g_assert_cmpint (a.n, ==, i);
    }
  g_assert_cmpint (a.info.signo, ==, SIGUSR1);
  g_assert_cmpint (a.info.code, ==, SI_USER);
  g_assert_cmpint (a.info.pid, ==, getpid ());
  g_assert_cmpuint (a.info.uid, ==, getuid ());
  /* To this thread only. */
  raise (SIGUSR1);
  gaio_test_turn_until (loop, &a.n, 4);
  g_assert_cmpint (a.info.code, ==, SI_TKILL);
  unwatch (&a);
  unwatch (&a); /* nothing */
  gaio_test_settle (loop);
  g_assert_cmpint (a.n_notified, ==, 1);
}

/* Real-time signals are not merged; what was sent with them comes along. */
static void
test_values (GaioTestLoop *loop)
{
  Watch a = { 0 };

  watch (loop, &a, SIGRTMIN + 1);
  for (int i = 0; i < 40; i++)
    g_assert_cmpint (sigqueue (getpid (), SIGRTMIN + 1, (union sigval){ .sival_int = 7 * i }), ==,
                     0);
  gaio_test_turn_until (loop, &a.n, 40);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n, ==, 40);
  for (int i = 0; i < 40; i++)
    g_assert_cmpint (a.values[i], ==, 7 * i);
  g_assert_cmpint (a.info.code, ==, SI_QUEUE);
  g_assert_cmpint (a.info.pid, ==, getpid ());

  sigqueue (getpid (), SIGRTMIN + 1, (union sigval){ .sival_ptr = &a });
  gaio_test_turn_until (loop, &a.n, 41);
  g_assert_true (a.info.value_pointer == &a);
  unwatch (&a);
}

static void
test_child (GaioTestLoop *loop)
{
  Watch a = { 0 };
  pid_t pid;

  watch (loop, &a, SIGCHLD);
  pid = fork ();
  if (pid == 0)
    _exit (42);
  gaio_test_turn_until (loop, &a.n, 1);
  g_assert_cmpint (a.info.pid, ==, pid);
  g_assert_cmpint (a.info.code, ==, CLD_EXITED);
  g_assert_cmpint (a.info.status, ==, 42);
  g_assert_cmpint (waitpid (pid, NULL, 0), ==, pid);
  unwatch (&a);
}

/* In the order of adding; a removed one is not called, one that was added meanwhile not yet. */
static void
test_several (GaioTestLoop *loop)
{
  g_autoptr (GString) order = g_string_new (NULL);
  Watch a = { .name = 'a', .order = order };
  Watch b = { .name = 'b', .order = order };
  Watch c = { .name = 'c', .order = order };
  Watch d = { .name = 'd', .order = order };
  Watch other = { .name = 'o', .order = order };

  watch (loop, &a, SIGUSR1);
  watch (loop, &other, SIGUSR2);
  watch (loop, &b, SIGUSR1);
  watch (loop, &c, SIGUSR1);
  kill (getpid (), SIGUSR1);
  gaio_test_turn_until (loop, &c.n, 1);
  g_assert_cmpstr (order->str, ==, "abc");

  g_string_truncate (order, 0);
  a.removes = &b;
  a.adds = &d;
  kill (getpid (), SIGUSR1);
  gaio_test_turn_until (loop, &c.n, 2);
  gaio_test_settle (loop);
  g_assert_cmpstr (order->str, ==, "ac");
  g_assert_cmpint (b.n_notified, ==, 1);

  g_string_truncate (order, 0);
  a.removes = &a;
  kill (getpid (), SIGUSR2);
  kill (getpid (), SIGUSR1);
  gaio_test_turn_until (loop, &d.n, 1);
  gaio_test_turn_until (loop, &other.n, 1);
  g_assert_cmpint (a.n_notified, ==, 1);
  g_assert_cmpint (order->len, ==, 4);
  g_assert_nonnull (strstr (order->str, "acd"));

  g_string_truncate (order, 0);
  unwatch (&other);
  kill (getpid (), SIGUSR1);
  gaio_test_turn_until (loop, &d.n, 2);
  g_assert_cmpstr (order->str, ==, "cd");
  unwatch (&c);
  unwatch (&d);
  gaio_test_settle (loop);
  g_assert_cmpint (c.n_notified, ==, 1);
  g_assert_cmpint (other.n_notified, ==, 1);
}

/* Whose last callback goes while it runs. */
static void
test_last_goes (GaioTestLoop *loop)
{
  Watch a = { .sends = 1 };
  Watch b = { 0 };
  struct sigaction ignore = { .sa_handler = SIG_IGN }, before;

  sigaction (SIGUSR1, &ignore, &before);
  watch (loop, &a, SIGUSR1);
  a.removes = &a;
  kill (getpid (), SIGUSR1);
  gaio_test_turn_until (loop, &a.n, 1);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n, ==, 1);
  g_assert_cmpint (a.n_notified, ==, 1);
  g_assert_false (is_blocked (SIGUSR1));

  watch (loop, &b, SIGUSR1);
  kill (getpid (), SIGUSR1);
  gaio_test_turn_until (loop, &b.n, 1);
  g_assert_cmpint (a.n, ==, 1);
  unwatch (&b);
  sigaction (SIGUSR1, &before, NULL);
}

static void
test_refused (GaioTestLoop *loop)
{
  const int refused[] = { SIGKILL, SIGSTOP, SIGSEGV, SIGBUS,       SIGFPE, SIGILL,
                          SIGTRAP, SIGSYS,  0,       SIGRTMAX + 1, -1,     32 };
  Watch a = { 0 };

  for (guint i = 0; i < G_N_ELEMENTS (refused); i++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_cmpuint (
          gaio_context_add_signal (loop->context, refused[i], on_signal, &a, on_notify, &error), ==,
          0);
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
      g_test_message ("%s", error->message);
    }
  g_assert_cmpint (a.n_notified, ==, 0);
}

/* All that can be had, at once. */
static void
test_all (GaioTestLoop *loop)
{
  Watch watches[65] = { 0 };
  int n = 0;

  for (int signo = 1; signo <= SIGRTMAX; signo++)
    {
      Watch *self = &watches[signo];

      self->loop = loop;
      self->id = gaio_context_add_signal (loop->context, signo, on_signal, self, on_notify, NULL);
      n += self->id != 0;
    }
  g_assert_cmpint (n, ==, SIGRTMAX - 8 - (SIGRTMIN - 32));
  /* SIGCONT takes those that stop a process away, as the kernel has it. */
  kill (getpid (), SIGCONT);
  gaio_test_turn_until (loop, &watches[SIGCONT].n, 1);
  for (int signo = SIGRTMAX; signo > 0; signo--)
    if (watches[signo].id != 0 && signo != SIGCONT)
      kill (getpid (), signo);
  for (int signo = SIGRTMAX; signo > 0; signo--)
    if (watches[signo].id != 0)
      gaio_test_turn_until (loop, &watches[signo].n, 1);
  gaio_test_settle (loop);
  for (int signo = SIGRTMAX; signo > 0; signo--)
    if (watches[signo].id != 0)
      {
        g_assert_cmpint (watches[signo].info.signo, ==, signo);
        g_assert_cmpint (watches[signo].n, ==, 1);
        unwatch (&watches[signo]);
      }
}

/* A signal belongs to one context at a time. */
static void
test_two_contexts (GaioTestLoop *loop)
{
  g_autoptr (GaioContext) other = gaio_context_new (NULL);
  g_autoptr (GError) error = NULL;
  Watch a = { 0 };
  Watch b = { 0 };

  watch (loop, &a, SIGUSR1);
  g_assert_cmpuint (gaio_context_add_signal (other, SIGUSR1, on_signal, &b, on_notify, &error), ==,
                    0);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_BUSY);
  g_assert_cmpint (b.n_notified, ==, 0);
  kill (getpid (), SIGUSR1);
  gaio_test_turn_until (loop, &a.n, 1);
  g_assert_cmpint (a.n, ==, 1);
  unwatch (&a);
  g_clear_error (&error);

  b.id = gaio_context_add_signal (other, SIGUSR1, on_signal, &b, on_notify, &error);
  g_assert_no_error (error);
  kill (getpid (), SIGUSR1);
  while (b.n == 0)
    gaio_context_poll (other, TRUE);
  g_assert_cmpint (a.n, ==, 1);
  /* It goes with its context. */
  g_clear_object (&other);
  g_assert_cmpint (b.n_notified, ==, 1);
  g_assert_false (is_blocked (SIGUSR1));
  watch (loop, &a, SIGUSR1);
  unwatch (&a);
}

static volatile sig_atomic_t n_handled;

static void
on_handled (int signo)
{
  n_handled++;
}

/* Mask and handler become what they were; what was not seen yet goes there. */
static void
test_given_back (GaioTestLoop *loop)
{
  struct sigaction action = { .sa_handler = on_handled }, before, now;
  Watch a = { 0 };
  Watch b = { 0 };
  sigset_t set;

  n_handled = 0;
  sigaction (SIGUSR1, &action, &before);
  watch (loop, &a, SIGUSR1);
  watch (loop, &b, SIGUSR1);
  g_assert_true (is_blocked (SIGUSR1));
  kill (getpid (), SIGUSR1);
  unwatch (&a);
  g_assert_true (is_blocked (SIGUSR1));
  g_assert_cmpint (n_handled, ==, 0);
  unwatch (&b);
  g_assert_false (is_blocked (SIGUSR1));
  sigaction (SIGUSR1, NULL, &now);
  g_assert_true (now.sa_handler == on_handled);
  g_assert_cmpint (n_handled, ==, 1);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n + b.n, ==, 0);

  /* What was blocked stays so. */
  sigemptyset (&set);
  sigaddset (&set, SIGUSR1);
  pthread_sigmask (SIG_BLOCK, &set, NULL);
  watch (loop, &a, SIGUSR1);
  kill (getpid (), SIGUSR1);
  gaio_test_turn_until (loop, &a.n, 1);
  unwatch (&a);
  g_assert_true (is_blocked (SIGUSR1));
  pthread_sigmask (SIG_UNBLOCK, &set, NULL);
  g_assert_cmpint (n_handled, ==, 1);

  /* A handler that was set meanwhile stays, too. */
  watch (loop, &a, SIGUSR1);
  sigaction (SIGUSR1, &before, NULL);
  unwatch (&a);
  sigaction (SIGUSR1, NULL, &now);
  g_assert_true (now.sa_handler == before.sa_handler);
}

/* One that sends itself another each time leaves the loop to others. */
static void
test_no_starvation (GaioTestLoop *loop)
{
  Watch a = { .sends = G_MAXINT };
  Watch b = { 0 };

  watch (loop, &a, SIGUSR1);
  kill (getpid (), SIGUSR1);
  gaio_test_turn_until (loop, &a.n, 1000);
  a.sends = 0;
  gaio_test_settle (loop);
  unwatch (&a);
  watch (loop, &b, SIGUSR2);
  unwatch (&b);
}

/* A nested turn sees what the outer one has not come to. */
static void
test_nested (GaioTestLoop *loop)
{
  Watch a = { .nested = 20 };

  watch (loop, &a, SIGRTMIN);
  for (int i = 0; i < 20; i++)
    sigqueue (getpid (), SIGRTMIN, (union sigval){ .sival_int = i });
  gaio_test_turn_until (loop, &a.n, 20);
  g_assert_cmpint (a.nested, ==, 0);
  for (int i = 0; i < 20; i++)
    g_assert_cmpint (a.values[i], ==, i);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n, ==, 20);
  unwatch (&a);
}

/* ---- other threads ---- */

static atomic_bool stop_bystander, bystander_started;
static pthread_t bystander;

static gpointer
stand_by (gpointer data)
{
  bystander = pthread_self ();
  do
    {
      /* Before it is said to be there: ThreadSanitizer, as it comes with GCC 12, loses a signal
       * that a thread gets in the midst of its first call that waits. */
      g_usleep (1000);
      atomic_store (&bystander_started, true);
    }
  while (!atomic_load (&stop_bystander));
  return is_blocked (SIGUSR1) ? data : NULL;
}

/* What a descriptor is ready for, by signal. */
static void
test_sigio (GaioTestLoop *loop)
{
  Watch a = { 0 };
  int fds[2];

  watch (loop, &a, SIGIO);
  g_assert_cmpint (pipe2 (fds, O_CLOEXEC), ==, 0);
  fcntl (fds[0], F_SETOWN, getpid ());
  fcntl (fds[0], F_SETSIG, SIGIO);
  fcntl (fds[0], F_SETFL, O_ASYNC);
  g_assert_cmpint (write (fds[1], "", 1), ==, 1);
  gaio_test_turn_until (loop, &a.n, 1);
  g_assert_cmpint (a.info.code, ==, POLL_IN);
  g_assert_cmpint (a.info.fd, ==, fds[0]);
  g_assert_cmpint (a.info.band & G_IO_IN, ==, G_IO_IN);
  g_assert_cmpint (a.info.pid, ==, 0);
  close (fds[0]);
  close (fds[1]);
  unwatch (&a);
}

/* A thread that knows nothing of it and does not block the signal: it would end the process. */
static void
test_bystander (GaioTestLoop *loop)
{
  GThread *thread;
  Watch a = { 0 };
  Watch b = { 0 };
  Watch c = { 0 };
  guint seen = 0;
  pid_t pid;

  atomic_store (&stop_bystander, false);
  atomic_store (&bystander_started, false);
  thread = g_thread_new ("bystander", stand_by, loop);
  while (!atomic_load (&bystander_started))
    g_usleep (100);
  watch (loop, &a, SIGUSR1);
  for (int i = 1; i <= 5; i++)
    {
      kill (getpid (), SIGUSR1);
      gaio_test_turn_until (loop, &a.n, i);
      g_assert_cmpint (a.info.code, ==, SI_USER);
      g_assert_cmpint (a.info.pid, ==, getpid ());
    }
  /* Just to that thread, and while the loop sleeps. */
  pthread_kill (bystander, SIGUSR1);
  gaio_test_turn_until (loop, &a.n, 6);
  g_assert_cmpint (a.info.code, ==, SI_TKILL);
  g_assert_cmpint (a.info.pid, ==, getpid ());
  unwatch (&a);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n, ==, 6);

  watch (loop, &b, SIGRTMIN);
  for (int i = 0; i < 20; i++)
    {
      sigqueue (getpid (), SIGRTMIN, (union sigval){ .sival_int = i });
#ifdef __SANITIZE_THREAD__
      /* Of what a thread gets while it does not wait it keeps one of each signal. */
      gaio_test_turn_until (loop, &b.n, i + 1);
#endif
    }
  gaio_test_turn_until (loop, &b.n, 20);
  /* All of them; one may overtake another that is being sent on. */
  for (int i = 0; i < 20; i++)
    seen |= 1u << b.values[i];
  g_assert_cmphex (seen, ==, (1u << 20) - 1);
  g_assert_cmpint (b.info.code, ==, SI_QUEUE);
  unwatch (&b);

  watch (loop, &c, SIGCHLD);
  pid = fork ();
  if (pid == 0)
    _exit (17);
  gaio_test_turn_until (loop, &c.n, 1);
  g_assert_cmpint (c.info.code, ==, CLD_EXITED);
  g_assert_cmpint (c.info.pid, ==, pid);
  g_assert_cmpint (c.info.status, ==, 17);
  g_assert_cmpint (c.info.value_int, ==, 0);
  g_assert_cmpint (waitpid (pid, NULL, 0), ==, pid);
  unwatch (&c);

  test_sigio (loop);

  atomic_store (&stop_bystander, true);
  /* Its mask is its own. */
  g_assert_null (g_thread_join (thread));
}

typedef struct
{
  GaioTestLoop loop;
  Watch watch;
  int signo;
  atomic_int n;
  atomic_int done;
} Remote;

static void
on_remote_signal (const GaioSignalInfo *info, gpointer data)
{
  Remote *self = data;

  g_assert_cmpint (info->signo, ==, self->signo);
  atomic_fetch_add (&self->n, 1);
}

static void
add_remotely (gpointer data)
{
  Remote *self = data;
  g_autoptr (GError) error = NULL;

  self->watch.id = gaio_context_add_signal (self->loop.context, self->signo, on_remote_signal, self,
                                            NULL, &error);
  g_assert_no_error (error);
  atomic_store (&self->done, 1);
}

static void
remove_remotely (gpointer data)
{
  Remote *self = data;

  gaio_context_remove_signal (self->loop.context, self->watch.id);
  g_assert_false (is_blocked (self->signo));
  atomic_store (&self->done, 2);
}

/* In a context of another thread, while this one does not block it: also one that the kernel
 * otherwise drops. */
static void
test_io_thread (void)
{
  g_autoptr (GaioIOThread) thread = gaio_io_thread_new ("gaio-test", NULL);
  GaioContext *context = gaio_io_thread_get_context (thread);
  Remote remotes[2] = { { .signo = SIGUSR1 }, { .signo = SIGWINCH } };
  g_autoptr (GError) error = NULL;

  for (int i = 0; i < 2; i++)
    {
      Remote *self = &remotes[i];

      self->loop.context = context;
      gaio_context_invoke (context, add_remotely, self, NULL);
      while (atomic_load (&self->done) < 1)
        g_usleep (100);
      for (int j = 1; j <= 5; j++)
        {
          kill (getpid (), self->signo);
          while (atomic_load (&self->n) < j)
            g_usleep (100);
        }
      gaio_context_invoke (context, remove_remotely, self, NULL);
      while (atomic_load (&self->done) < 2)
        g_usleep (100);
    }
  g_assert_false (is_blocked (SIGUSR1));
  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*gaio_context_add_signal*");
  g_assert_cmpuint (gaio_context_add_signal (context, SIGUSR1, on_signal, NULL, NULL, &error), ==,
                    0);
  g_test_assert_expected_messages ();
}

/* ---- other processes ---- */

/* Runs a function in a forked child; it returns 0 when all is well, else a line number. */
static void
check_in_child (int (*func) (GaioTestLoop *loop), GaioTestLoop *loop)
{
  int status;
  pid_t pid = fork ();

  g_assert_cmpint (pid, >=, 0);
  if (pid == 0)
    _exit (func (loop));
  while (waitpid (pid, &status, 0) < 0)
    g_assert_cmpint (errno, ==, EINTR);
  g_assert_true (WIFEXITED (status));
  g_assert_cmpint (WEXITSTATUS (status), ==, 0);
}

static Watch child_watch;

static int
in_child (GaioTestLoop *loop)
{
  struct sigaction now;
  Watch own = { 0 };

  if (is_blocked (SIGUSR1))
    return 1;
  sigaction (SIGUSR1, NULL, &now);
  if (now.sa_handler != on_handled)
    return 2;
#ifndef __SANITIZE_THREAD__
  /* That sanitizer calls no handler in the child of a process with threads. */
  kill (getpid (), SIGUSR1);
  if (n_handled != 1)
    return 3;
#endif
  gaio_context_remove_signal (loop->context, child_watch.id + 100);

  /* Its own, in the same context. */
  watch (loop, &own, SIGUSR1);
  kill (getpid (), SIGUSR1);
  gaio_test_turn_until (loop, &own.n, 1);
  if (own.info.pid != getpid () || child_watch.n != 0 || n_handled > 1)
    return 4;
  unwatch (&own);
  return is_blocked (SIGUSR1) ? 5 : 0;
}

static void
test_fork (GaioTestLoop *loop)
{
  struct sigaction action = { .sa_handler = on_handled }, before;

  n_handled = 0;
  sigaction (SIGUSR1, &action, &before);
  memset (&child_watch, 0, sizeof child_watch);
  watch (loop, &child_watch, SIGUSR1);
  gaio_test_settle (loop);
  check_in_child (in_child, loop);
  /* The parent has its own still. */
  g_assert_true (is_blocked (SIGUSR1));
  g_assert_cmpint (child_watch.n, ==, 0);
  kill (getpid (), SIGUSR1);
  gaio_test_turn_until (loop, &child_watch.n, 1);
  unwatch (&child_watch);
  gaio_test_settle (loop);
  sigaction (SIGUSR1, &before, NULL);
}

/* What is executed does not block the signal. */
static void
test_spawn (GaioTestLoop *loop)
{
  char *argv[] = { (char *) "grep", (char *) "SigBlk", (char *) "/proc/self/status", NULL };
  g_autofree char *output = NULL;
  g_autoptr (GError) error = NULL;
  guint64 mask;
  Watch a = { 0 };

  watch (loop, &a, SIGTERM);
  g_spawn_sync (NULL, argv, NULL, G_SPAWN_SEARCH_PATH, NULL, NULL, &output, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (g_str_has_prefix (output, "SigBlk:"));
  mask = g_ascii_strtoull (output + strlen ("SigBlk:\t"), NULL, 16);
  g_assert_cmphex (mask & (G_GUINT64_CONSTANT (1) << (SIGTERM - 1)), ==, 0);
  unwatch (&a);
}

static void
test_copy (void)
{
  GaioSignalInfo info = { .signo = SIGUSR1, .pid = 17 };
  g_autoptr (GaioSignalInfo) copy = gaio_signal_info_copy (&info);

  g_assert_cmpint (copy->signo, ==, SIGUSR1);
  g_assert_cmpint (copy->pid, ==, 17);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);

  gaio_test_add_loop_matrix ("/signal/info", test_info);
  gaio_test_add_loop_matrix ("/signal/values", test_values);
  gaio_test_add_driver_matrix ("/signal/child", test_child);
  gaio_test_add_driver_matrix ("/signal/several", test_several);
  gaio_test_add_loop_matrix ("/signal/last-goes", test_last_goes);
  gaio_test_add_driver_matrix ("/signal/refused", test_refused);
  gaio_test_add_driver_matrix ("/signal/all", test_all);
  gaio_test_add_driver_matrix ("/signal/two-contexts", test_two_contexts);
  gaio_test_add_driver_matrix ("/signal/given-back", test_given_back);
  gaio_test_add_driver_matrix ("/signal/no-starvation", test_no_starvation);
  gaio_test_add_loop_matrix ("/signal/nested", test_nested);
  gaio_test_add_driver_matrix ("/signal/sigio", test_sigio);
  gaio_test_add_loop_matrix ("/signal/bystander", test_bystander);
  gaio_test_add ("/signal/io-thread", test_io_thread);
  gaio_test_add_loop_matrix ("/signal/fork", test_fork);
  gaio_test_add_driver_matrix ("/signal/spawn", test_spawn);
  gaio_test_add ("/signal/copy", test_copy);
  return g_test_run ();
}
