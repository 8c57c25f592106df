/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The process that serves the files of fault-fs.c: started, mounted, stopped, killed.
 *
 * It is mounted by the process that wants it or by the setuid helper of FUSE; both need /dev/fuse,
 * and where that is missing there is nothing to test with. When the tests die the mount stays only
 * as long as their mount namespace. */

#include <glib/gstdio.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fault-server.h"

static gboolean
is_mounted (FaultServer *self)
{
  struct stat info;

  return stat (self->dir, &info) == 0 && info.st_dev != self->device;
}

FaultServer *
fault_server_new (void)
{
  g_autofree char *program = g_build_filename (FAULT_FS_DIR, "fault-fs", NULL);
  const char *argv[] = { program, NULL, NULL };
  FaultServer *self = g_new0 (FaultServer, 1);
  g_autoptr (GError) error = NULL;
  struct stat info;

  self->dir = g_dir_make_tmp ("gaio-fault-XXXXXX", &error);
  g_assert_no_error (error);
  g_assert_cmpint (stat (self->dir, &info), ==, 0);
  self->device = info.st_dev;
  argv[1] = self->dir;
  if (!g_spawn_async (NULL, (char **) argv, NULL,
                      G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL |
                          G_SPAWN_STDERR_TO_DEV_NULL,
                      NULL, NULL, &self->pid, &error))
    g_error ("%s", error->message);
  while (!is_mounted (self))
    {
      if (waitpid (self->pid, NULL, WNOHANG) == self->pid)
        {
          g_test_skip ("FUSE cannot be mounted");
          rmdir (self->dir);
          g_free (self->dir);
          g_free (self);
          return NULL;
        }
      g_usleep (1000);
    }
  return self;
}

void
fault_server_kill (FaultServer *self)
{
  kill (self->pid, SIGKILL);
}

void
fault_server_halt (FaultServer *self)
{
  int status;

  kill (self->pid, SIGSTOP);
  g_assert_cmpint (waitpid (self->pid, &status, WUNTRACED), ==, self->pid);
  g_assert_true (WIFSTOPPED (status));
}

void
fault_server_go_on (FaultServer *self)
{
  kill (self->pid, SIGCONT);
}

void
fault_server_free (FaultServer *self)
{
  g_assert_cmpint (umount2 (self->dir, MNT_DETACH), ==, 0);
  kill (self->pid, SIGKILL);
  g_assert_cmpint (waitpid (self->pid, NULL, 0), ==, self->pid);
  g_assert_cmpint (rmdir (self->dir), ==, 0);
  g_free (self->dir);
  g_free (self);
}
