/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Direct I/O: opening for it, and finding out what it takes.
 *
 * How a direct file must be aligned is asked of statx(2), else of the block device or of XFS, and
 * none of these waits for a disk. Where nobody knows, a worker tries it out by reading, before the
 * first request.
 *
 * Where direct I/O is refused, the file goes on without: when it is opened; when the file system
 * says that it does not do it for this file; when it refuses even transfers that are aligned to
 * 64 KiB; and when a write of a part of a block comes to a file that must not be read. Then
 * O_DIRECT is taken off the descriptor, once and for all, and `direct-reason` tells why. To open a
 * second descriptor without it would leave the file with two, whose caches would have to agree, and
 * may not be allowed any more.
 *
 * What is done about transfers that are not aligned is in gaio-direct-transfer.c. */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gaio/base/gaio-debug-private.h>
#include <gaio/file/gaio-file-direct-private.h>

#define PAGE_BYTES 4096u

/* What the kernel tells since 6.1, at its place in struct statx. */
#define DIOALIGN_MASK 0x2000u
typedef struct
{
  guint32 mask;
  guint8 before[148];
  guint32 memory;
  guint32 offset;
  guint8 after[96];
} StatxDirect;

G_STATIC_ASSERT (sizeof (StatxDirect) == sizeof (struct statx));
G_STATIC_ASSERT (offsetof (struct statx, stx_dev_minor) == offsetof (StatxDirect, memory) - 12);

/* XFS_IOC_DIOINFO, of a header that is not everywhere. */
typedef struct
{
  guint32 memory;
  guint32 smallest;
  guint32 largest;
} XfsDirect;
#define XFS_DIRECT _IOR ('X', 30, XfsDirect)

static bool
is_alignment (guint number)
{
  return number > 0 && number <= GAIO_DIRECT_MAX_ALIGNMENT && (number & (number - 1)) == 0;
}

/* Finding out */

static void
set_alignment (GaioFileDirect *self, guint alignment, guint memory)
{
  atomic_store (&self->memory_alignment, memory);
  /* Second: who sees this one takes the other for known. */
  atomic_store (&self->alignment, alignment);
}

void
gaio_direct_give_up (GaioFile *file, const char *reason)
{
  int fd = atomic_load (&file->fd);
  int flags = fcntl (fd, F_GETFL);

  if (flags >= 0)
    fcntl (fd, F_SETFL, flags & ~O_DIRECT);
  atomic_store (&file->direct_reason, reason);
  gaio_debug (FILE, "%s: no direct I/O: %s", file->label, reason);
  set_alignment (file->direct, 1, 1);
}

/* Takes an answer if it is one. */
static bool
take_answer (
    GaioFileDirect *self, const char *label, const char *who, guint alignment, guint memory)
{
  if (!is_alignment (alignment) || !is_alignment (memory))
    return false;
  gaio_debug (FILE, "%s: direct I/O in units of %u, memory %u (%s)", label, alignment, memory, who);
  set_alignment (self, alignment, memory);
  return true;
}

/* What can be had without waiting. */
static void
ask (GaioFile *file, int fd)
{
  StatxDirect statx_answer = { 0 };
  XfsDirect xfs_answer = { 0 };
  int sector = 0;

  if (statx (fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, DIOALIGN_MASK,
             (struct statx *) &statx_answer) == 0 &&
      (statx_answer.mask & DIOALIGN_MASK) != 0)
    {
      if (statx_answer.offset == 0)
        gaio_direct_give_up (file, "the file system does not do it for this file");
      else
        take_answer (file->direct, file->label, "statx", statx_answer.offset, statx_answer.memory);
    }
  else if (ioctl (fd, BLKSSZGET, &sector) == 0)
    take_answer (file->direct, file->label, "BLKSSZGET", sector, sector);
  else if (ioctl (fd, XFS_DIRECT, &xfs_answer) == 0)
    take_answer (file->direct, file->label, "XFS_IOC_DIOINFO", xfs_answer.smallest,
                 xfs_answer.memory);
}

void
gaio_direct_adopt (GaioFile *file, int fd, int flags)
{
  GaioFileDirect *self = g_new0 (GaioFileDirect, 1);

  self->appends = (flags & O_APPEND) != 0;
  self->write_only = (flags & O_ACCMODE) == O_WRONLY;
  self->second_fd = -1;
  g_mutex_init (&self->lock);
  g_cond_init (&self->granted);
  file->direct = self;
  ask (file, fd);
  /* Those that tell begin a transfer and let it go on by itself. FUSE and other file systems of the
   * kind do not tell, and stay in the call that begins it until their server has answered. */
  self->may_wait = atomic_load (&self->alignment) == 0;
}

void
gaio_direct_free (GaioFileDirect *self)
{
  if (self == NULL)
    return;
  if (self->second_fd >= 0)
    close (self->second_fd);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->granted);
  g_free (self);
}

void
gaio_direct_close (GaioFile *file)
{
  int fd = file->direct->second_fd;

  file->direct->second_fd = -1;
  if (fd >= 0)
    close (fd);
}

/* Reads a little, in units that grow until the kernel takes them. A file that is empty, or that
 * cannot be read, tells nothing. */
static guint
try_out (int fd)
{
  guint found = PAGE_BYTES;
  void *buffer;

  if (posix_memalign (&buffer, GAIO_DIRECT_MAX_ALIGNMENT, GAIO_DIRECT_MAX_ALIGNMENT) != 0)
    return found;
  for (guint unit = 1; unit <= GAIO_DIRECT_MAX_ALIGNMENT; unit = unit == 1 ? 512 : unit * 2)
    {
      gssize res = pread (fd, buffer, unit, 0);

      if (res < 0 && errno == EINVAL)
        continue;
      if (res > 0)
        found = unit;
      break;
    }
  free (buffer);
  return found;
}

guint
gaio_direct_find_alignment (GaioFile *file)
{
  GaioFileDirect *self = file->direct;
  guint found = atomic_load (&self->alignment);

  if (G_LIKELY (found != 0))
    return found;
  found = try_out (atomic_load (&file->fd));
  g_mutex_lock (&self->lock);
  if (atomic_load (&self->alignment) == 0)
    take_answer (self, file->label, "tried out", found, found);
  found = atomic_load (&self->alignment);
  g_mutex_unlock (&self->lock);
  return found;
}

void
gaio_direct_raise_alignment (GaioFile *file, guint refused)
{
  GaioFileDirect *self = file->direct;

  g_mutex_lock (&self->lock);
  if (atomic_load (&self->alignment) != refused)
    ; /* somebody else has met with the same */
  else if (refused < PAGE_BYTES)
    take_answer (self, file->label, "smaller was refused", PAGE_BYTES, PAGE_BYTES);
  else if (refused < GAIO_DIRECT_MAX_ALIGNMENT)
    take_answer (self, file->label, "smaller was refused", GAIO_DIRECT_MAX_ALIGNMENT,
                 GAIO_DIRECT_MAX_ALIGNMENT);
  else
    gaio_direct_give_up (file, "the file system refuses aligned transfers (EINVAL)");
  g_mutex_unlock (&self->lock);
}

int
gaio_direct_open (GaioRequest *self)
{
  GaioFile *file = self->file;
  int flags = self->flags & ~O_DIRECT;
  int fd = -1;

  /* A file that is made by an open that then fails stays, and could not be made once more. */
  if ((flags & O_EXCL) == 0)
    fd = open (file->path, self->flags, self->permissions);
  if (fd >= 0 || ((flags & O_EXCL) == 0 && errno != EINVAL))
    return fd >= 0 ? fd : -errno;

  fd = open (file->path, flags, self->permissions);
  if (fd < 0)
    return -errno;
  if ((flags & O_EXCL) != 0 &&
      fcntl (fd, F_SETFL, (flags & (O_APPEND | O_NONBLOCK)) | O_DIRECT) == 0)
    return fd;
  atomic_store (&file->direct_reason, "the file system refuses O_DIRECT (EINVAL)");
  gaio_debug (FILE, "%s: opened without O_DIRECT, which is refused", file->path);
  return fd;
}
