/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* File systems for tests, in a mount namespace of the process. An image is a file without a name
 * behind a loop device that detaches itself, so nothing is left of them when the process dies, in
 * whichever way, but empty directories.
 *
 * An image in a small tmpfs is a disk that promises more than it has: writes to the page cache
 * succeed, and what is brought to the disk later fails.
 *
 * It takes root, or rather CAP_SYS_ADMIN, and the mkfs programs. */

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include "file-mount.h"

/* What each mkfs is content with; XFS wants 300 MB. Nothing of it is used before it is written. */
#define IMAGE_BYTES ((off_t) 400 * 1024 * 1024)
#define MAX_LOOP_TRIES 20

static int namespace_errno = EPERM;

void
file_mount_init (void)
{
  if (unshare (CLONE_NEWNS) == 0 && mount ("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
    namespace_errno = 0;
  else
    namespace_errno = errno;
}

/* -1 with errno. */
static int
attach_to_loop_device (int image, guint sector_bytes)
{
  int control = open ("/dev/loop-control", O_RDWR | O_CLOEXEC);
  struct loop_config config = {
    .fd = image,
    .block_size = sector_bytes,
    .info.lo_flags = LO_FLAGS_AUTOCLEAR,
  };
  int device = -1;

  if (control < 0)
    return -1;
  /* Somebody else may take the number that is free. */
  for (int i = 0; i < MAX_LOOP_TRIES && device < 0; i++)
    {
      int number = ioctl (control, LOOP_CTL_GET_FREE);
      g_autofree char *path = g_strdup_printf ("/dev/loop%d", number);
      int fd = number < 0 ? -1 : open (path, O_RDWR | O_CLOEXEC);

      if (fd >= 0 && ioctl (fd, LOOP_CONFIGURE, &config) == 0)
        device = fd;
      else if (fd >= 0)
        close (fd);
    }
  close (control);
  return device;
}

static gboolean
make_file_system (const char *type, const char *image, char **why)
{
  g_autofree char *name = g_strconcat ("mkfs.", type, NULL);
  g_autofree char *in_sbin = g_build_filename ("/sbin", name, NULL);
  g_autofree char *program = g_find_program_in_path (name);
  const char *force = strcmp (type, "ext4") == 0 ? "-F" : "-f";
  g_autoptr (GError) error = NULL;
  int status = 0;

  if (program == NULL && g_file_test (in_sbin, G_FILE_TEST_IS_EXECUTABLE))
    program = g_steal_pointer (&in_sbin);
  if (program == NULL)
    {
      *why = g_strdup_printf ("there is no %s", name);
      return FALSE;
    }
  {
    const char *argv[] = { program, "-q", force, image, NULL };

    if (g_spawn_sync (NULL, (char **) argv, NULL,
                      G_SPAWN_STDOUT_TO_DEV_NULL | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, NULL,
                      NULL, &status, &error) &&
        g_spawn_check_wait_status (status, &error))
      return TRUE;
  }
  *why = g_strdup_printf ("%s: %s", name, error->message);
  return FALSE;
}

static gboolean
mount_image (const char *type,
             const char *directory,
             guint sector_bytes,
             const char *dir,
             char **why)
{
  g_autofree char *path = g_build_filename (directory, "gaio-image-XXXXXX", NULL);
  int image = mkostemp (path, O_CLOEXEC);
  gboolean ok = FALSE;
  int device = -1;

  if (image >= 0 && ftruncate (image, IMAGE_BYTES) == 0)
    device = attach_to_loop_device (image, sector_bytes);
  if (device >= 0)
    {
      g_autofree char *link = g_strdup_printf ("/proc/self/fd/%d", device);
      g_autofree char *name = g_file_read_link (link, NULL);

      ok = name != NULL && make_file_system (type, name, why) &&
           mount (name, dir, type, 0, NULL) == 0;
    }
  if (!ok && *why == NULL)
    *why = g_strdup_printf ("no %s can be mounted: %s", type, g_strerror (errno));
  if (device >= 0)
    close (device);
  if (image >= 0)
    {
      unlink (path);
      close (image);
    }
  return ok;
}

static gboolean
mount_tmpfs (const char *dir, guint64 room, char **why)
{
  g_autofree char *options = g_strdup_printf ("size=%" G_GUINT64_FORMAT, room);

  if (mount ("none", dir, "tmpfs", 0, options) == 0)
    return TRUE;
  *why = g_strdup_printf ("no tmpfs can be mounted: %s", g_strerror (errno));
  return FALSE;
}

static FileMount *
new_mount (const char *type, guint64 room, guint sector_bytes, char **why)
{
  g_autoptr (FileMount) self = g_new0 (FileMount, 1);
  gboolean ok;

  *why = NULL;
  if (namespace_errno != 0)
    {
      *why = g_strdup_printf ("may not mount: %s", g_strerror (namespace_errno));
      return NULL;
    }
  self->dir = g_dir_make_tmp ("gaio-mount-XXXXXX", NULL);
  if (strcmp (type, "tmpfs") == 0)
    ok = mount_tmpfs (self->dir, room, why);
  else if (room == 0)
    ok = mount_image (type, g_get_tmp_dir (), sector_bytes, self->dir, why);
  else
    {
      self->store = g_dir_make_tmp ("gaio-store-XXXXXX", NULL);
      ok = mount_tmpfs (self->store, room, why) &&
           mount_image (type, self->store, sector_bytes, self->dir, why);
    }
  return ok ? g_steal_pointer (&self) : NULL;
}

FileMount *
file_mount_new (const char *type, guint64 room, char **why)
{
  return new_mount (type, room, 512, why);
}

FileMount *
file_mount_new_on_sectors (const char *type, guint sector_bytes, char **why)
{
  return new_mount (type, 0, sector_bytes, why);
}

static void
remove_mount_point (char *dir)
{
  if (dir == NULL)
    return;
  umount2 (dir, MNT_DETACH);
  rmdir (dir);
  g_free (dir);
}

void
file_mount_free (FileMount *self)
{
  remove_mount_point (self->dir);
  remove_mount_point (self->store);
  g_free (self);
}
