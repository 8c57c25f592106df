/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Run a command in a world without io_uring, as containers make it.
 *
 *   deny-io-uring [--errno=EPERM|ENOSYS|ENOMEM] [--call=setup|enter|register]... COMMAND...
 *   deny-io-uring --self-test
 *
 * A seccomp filter makes the named system calls (all three when none is named) fail with the errno
 * (EPERM when none is named, as Docker and Flatpak do; ENOSYS is a kernel without io_uring), then
 * the command is executed in this process's place and inherits the filter with all its children.
 * Filters stack and are never taken off: of two that deny the same call the inner one's errno
 * counts.
 *
 * --self-test proves, in TAP, that each filter does what it says and nothing beside it: a run
 * "without io_uring" that quietly had it would test nothing. */

#include <errno.h>
#include <seccomp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define N_CALLS 3

static const struct
{
  const char *name;
  int number;
} calls[N_CALLS] = {
  { "setup", SCMP_SYS (io_uring_setup) },
  { "enter", SCMP_SYS (io_uring_enter) },
  { "register", SCMP_SYS (io_uring_register) },
};

static const struct
{
  const char *name;
  int number;
} errors[] = {
  { "EPERM", EPERM },
  { "ENOSYS", ENOSYS },
  { "ENOMEM", ENOMEM },
};

/* The exit codes of env(1) and of shells: the caller can tell our failure from the command's. */
enum
{
  EXIT_OURS = 125,
  EXIT_CANNOT_RUN = 126,
  EXIT_NOT_FOUND = 127,
};

/* Returns 0 or -errno. */
static int
deny (const bool chosen[N_CALLS], int error)
{
  scmp_filter_ctx filter = seccomp_init (SCMP_ACT_ALLOW);
  int r = filter != NULL ? 0 : -ENOMEM;

  for (int i = 0; r == 0 && i < N_CALLS; i++)
    if (chosen[i])
      r = seccomp_rule_add (filter, SCMP_ACT_ERRNO (error), calls[i].number, 0);
  if (r == 0)
    r = seccomp_load (filter);
  if (filter != NULL)
    seccomp_release (filter);
  return r;
}

/* What a call with arguments that no kernel accepts fails with: the filter's errno under a filter,
 * EINVAL, EFAULT or EBADF where the kernel looked at the arguments. */
static int
probe (int call)
{
  long r = -1;

  errno = 0;
  if (call == 0)
    r = syscall (SYS_io_uring_setup, 0, NULL);
  else if (call == 1)
    r = syscall (SYS_io_uring_enter, -1, 0, 0, 0, NULL, 0);
  else
    r = syscall (SYS_io_uring_register, -1, 0, NULL, 0);
  return r < 0 ? errno : 0;
}

/* In a child, since a filter stays. Returns true when exactly the chosen calls failed with `error`
 * and the others as they did before. */
static bool
filter_is_exact (const bool chosen[N_CALLS], int error)
{
  pid_t pid = fork ();
  int status = 0;

  if (pid == 0)
    {
      int before[N_CALLS];
      bool exact = true;

      for (int i = 0; i < N_CALLS; i++)
        before[i] = probe (i);
      if (deny (chosen, error) != 0)
        _exit (2);
      for (int i = 0; i < N_CALLS; i++)
        exact = exact && probe (i) == (chosen[i] ? error : before[i]);
      _exit (exact ? 0 : 1);
    }
  return pid > 0 && waitpid (pid, &status, 0) == pid && WIFEXITED (status) &&
         WEXITSTATUS (status) == 0;
}

static int
self_test (void)
{
  int number = 0;
  bool all_good = true;

  printf ("1..%zu\n", sizeof errors / sizeof errors[0] * (N_CALLS + 1));
  for (size_t e = 0; e < sizeof errors / sizeof errors[0]; e++)
    for (int only = 0; only <= N_CALLS; only++)
      {
        bool chosen[N_CALLS];
        bool good;

        for (int i = 0; i < N_CALLS; i++)
          chosen[i] = only == N_CALLS || only == i;
        fflush (stdout);
        good = filter_is_exact (chosen, errors[e].number);
        all_good = all_good && good;
        printf ("%s %d %s denied with %s\n", good ? "ok" : "not ok", ++number,
                only == N_CALLS ? "every call" : calls[only].name, errors[e].name);
      }
  return all_good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int
usage (const char *problem)
{
  fprintf (stderr,
           "deny-io-uring: %s\n"
           "usage: deny-io-uring [--errno=EPERM|ENOSYS|ENOMEM] [--call=setup|enter|register]... "
           "COMMAND...\n",
           problem);
  return EXIT_OURS;
}

int
main (int argc, char **argv)
{
  bool chosen[N_CALLS] = { false };
  bool any = false;
  int error = EPERM;
  int arg = 1;
  int r;

  if (argc == 2 && strcmp (argv[1], "--self-test") == 0)
    return self_test ();

  for (; arg < argc && strncmp (argv[arg], "--", 2) == 0; arg++)
    {
      bool known = false;

      for (size_t i = 0; i < sizeof errors / sizeof errors[0]; i++)
        if (strncmp (argv[arg], "--errno=", 8) == 0 && strcmp (argv[arg] + 8, errors[i].name) == 0)
          {
            error = errors[i].number;
            known = true;
          }
      for (int i = 0; i < N_CALLS; i++)
        if (strncmp (argv[arg], "--call=", 7) == 0 && strcmp (argv[arg] + 7, calls[i].name) == 0)
          known = any = chosen[i] = true;
      if (!known)
        return usage (argv[arg]);
    }
  if (arg >= argc)
    return usage ("no command");
  for (int i = 0; i < N_CALLS && !any; i++)
    chosen[i] = true;

  r = deny (chosen, error);
  if (r != 0)
    {
      fprintf (stderr, "deny-io-uring: seccomp: %s\n", strerror (-r));
      return EXIT_OURS;
    }
  execvp (argv[arg], argv + arg);
  r = errno;
  fprintf (stderr, "deny-io-uring: %s: %s\n", argv[arg], strerror (r));
  return r == ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}
