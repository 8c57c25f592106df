/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Freezing a file system, which takes root: the worst disk there is, for exactly as long as one
 * likes.
 *
 * It is frozen and thawed by a small process that reads from a pipe, and so thaws it when this one
 * has died. But a process with a thread that waits for the disk does not quite die, and keeps the
 * pipe; so it is thawed after a while in any case, and a test that took so long has failed: it has
 * waited for the disk. A signal for the whole group of processes does not end the small one. */

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gst-test-freeze.h"

struct _GstTestFreeze
{
  GPid pid;
  int in; /* of the process */
};

static int
end (GstTestFreeze *self)
{
  int status = 0;

  close (self->in);
  g_assert_cmpint (waitpid (self->pid, &status, 0), ==, self->pid);
  g_spawn_close_pid (self->pid);
  g_free (self);
  return status;
}

GstTestFreeze *
gst_test_freeze (const char *dir)
{
  const char *argv[] = {
    "/bin/sh",
    "-c",
    "PATH=$PATH:/usr/sbin:/sbin; trap '' HUP INT TERM; fsfreeze -f \"$0\" || exit 1; echo frozen; "
    "timeout -s KILL 100 cat >/dev/null; late=$?; fsfreeze -u \"$0\"; exit $late",
    dir,
    NULL,
  };
  GstTestFreeze *self = g_new0 (GstTestFreeze, 1);
  g_autoptr (GError) error = NULL;
  gssize n;
  char c;
  int out;

  g_spawn_async_with_pipes (NULL, (char **) argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL,
                            &self->pid, &self->in, &out, NULL, &error);
  g_assert_no_error (error);
  n = read (out, &c, 1);
  close (out);
  if (n == 1)
    return self;
  end (self);
  g_test_skip ("no file system can be frozen");
  return NULL;
}

void
gst_test_thaw (GstTestFreeze *self)
{
  g_assert_cmpint (end (self), ==, 0);
}
