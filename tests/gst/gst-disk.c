/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* A disk that stands still when it is told to: a file system in a file, which is frozen as
 * gst-test-freeze.c does it. Needs root and a loop device. */

#include <glib/gstdio.h>
#include <unistd.h>

#include "gst-disk.h"
#include "gst-test.h"

#define SIZE "128M"

static gboolean run (const char *format, ...) G_GNUC_PRINTF (1, 2);

static gboolean
run (const char *format, ...)
{
  g_autofree char *command = NULL;
  g_autofree char *quoted = NULL;
  g_autofree char *line = NULL;
  g_autofree char *err = NULL;
  g_autoptr (GError) error = NULL;
  va_list args;
  int status;

  va_start (args, format);
  command = g_strdup_vprintf (format, args);
  va_end (args);
  quoted = g_shell_quote (command);
  line = g_strconcat ("/bin/sh -c 'PATH=$PATH:/usr/sbin:/sbin; eval \"$0\" >&2' ", quoted, NULL);
  if (g_spawn_command_line_sync (line, NULL, &err, &status, &error) &&
      g_spawn_check_wait_status (status, &error))
    return TRUE;
  g_test_message ("%s: %s %s", command, error->message, err != NULL ? err : "");
  return FALSE;
}

GstTestDisk *
gst_test_disk_new (void)
{
  GstTestDisk *self;
  g_autofree char *image = NULL;

  if (geteuid () != 0)
    {
      g_test_skip ("only root can freeze a file system");
      return NULL;
    }
  self = g_new0 (GstTestDisk, 1);
  self->dir = gst_test_make_dir ();
  self->mount_point = g_build_filename (self->dir, "mnt", NULL);
  image = g_build_filename (self->dir, "image", NULL);
  g_assert_cmpint (g_mkdir (self->mount_point, 0700), ==, 0);
  if (run ("truncate -s " SIZE " %s && mkfs.ext4 -q -F %s && mount -o loop %s %s", image, image,
           image, self->mount_point))
    return self;

  g_test_skip ("no loop device, or no mkfs.ext4, or mounting is not allowed here");
  gst_test_remove_dir (self->dir);
  g_free (self->mount_point);
  g_free (self->dir);
  g_free (self);
  return NULL;
}

void
gst_test_disk_freeze (GstTestDisk *self)
{
  self->freeze = gst_test_freeze (self->mount_point);
  g_assert_nonnull (self->freeze);
}

void
gst_test_disk_thaw (GstTestDisk *self)
{
  gst_test_thaw (g_steal_pointer (&self->freeze));
}

void
gst_test_disk_free (GstTestDisk *self)
{
  if (self->freeze != NULL)
    gst_test_disk_thaw (self);
  g_assert_true (run ("umount %s", self->mount_point));
  gst_test_remove_dir (self->dir);
  g_free (self->mount_point);
  g_free (self->dir);
  g_free (self);
}
