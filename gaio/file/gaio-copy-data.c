/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The contents of a copy, by the best way that there is.
 *
 * A file system that can shares the blocks (FICLONE), and nothing is copied at all. Else what is
 * data in the source is copied, and what is a hole stays one: lseek() tells them apart. For the
 * data there is copy_file_range(), which does not go through this process, and what it refuses, or
 * ends early as for the files of /proc, is read and written.
 *
 * The new file grows from its beginning to its end, so its length tells how far a copy came that
 * was broken off. */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <gaio/file/gaio-copy-private.h>

/* Between two looks at the cancellable; some milliseconds each. */
#define RANGE_BYTES ((gsize) 16 * 1024 * 1024)

/* Fits the cache of a processor. */
#define BUFFER_BYTES ((gsize) 256 * 1024)

typedef struct
{
  GaioWork *work;
  int from;
  int to;
  const char *from_path;
  const char *to_path;
  goffset size;
  bool by_hand; /* copy_file_range() is of no use */
  guint8 *buffer;
} Transfer;

/* One piece of at most `length` bytes within the kernel: how many were copied, 0 when it does not
 * do it, -1 with an error. */
static gssize
copy_range (Transfer *self, goffset offset, gsize length, GError **error)
{
  loff_t from = offset;
  loff_t to = offset;
  gssize res;

  do
    res = copy_file_range (self->from, &from, self->to, &to, MIN (length, RANGE_BYTES), 0);
  while (res < 0 && errno == EINTR);
  if (res >= 0)
    return res;
  switch (errno)
    {
    case EFBIG:
    case ENOSPC:
    case EDQUOT:
      gaio_work_fail (self->work, errno, self->to_path, error);
      return -1;
    default:
      /* Between file systems, for a special one, in a sandbox. If it is more than that, read() or
       * write() will say so. */
      return 0;
    }
}

/* The same through this process; 0 is the end of the file. */
static gssize
copy_by_hand (Transfer *self, goffset offset, gsize length, GError **error)
{
  gssize res;

  if (self->buffer == NULL)
    self->buffer = g_malloc (BUFFER_BYTES);
  do
    res = pread (self->from, self->buffer, MIN (length, BUFFER_BYTES), offset);
  while (res < 0 && errno == EINTR);
  if (res < 0)
    gaio_work_fail (self->work, errno, self->from_path, error);
  else if (!gaio_work_pwrite (self->work, self->to, self->to_path, self->buffer, res, offset,
                              error))
    return -1;
  return res;
}

/* Copies up to `end`; where it came to is less when the source ends before, -1 with an error. */
static goffset
copy_extent (Transfer *self, goffset offset, goffset end, GError **error)
{
  while (offset < end)
    {
      gsize length = (gsize) MIN (end - offset, (goffset) RANGE_BYTES);
      gssize res = 0;

      if (!gaio_work_check (self->work, error))
        return -1;
      if (!self->by_hand)
        {
          res = copy_range (self, offset, length, error);
          self->by_hand = res == 0;
        }
      if (res == 0)
        res = copy_by_hand (self, offset, length, error);
      if (res < 0)
        return -1;
      if (res == 0)
        break;
      offset += res;
      gaio_work_report (self->work, offset, MAX (offset, self->size));
    }
  return offset;
}

/* Extent by extent; returns where the source ends, or -1. */
static goffset
copy_extents (Transfer *self, goffset offset, GError **error)
{
  /* What says it is empty may not be. */
  if (self->size == 0)
    return copy_extent (self, offset, G_MAXOFFSET, error);

  while (offset < self->size)
    {
      goffset data = lseek (self->from, offset, SEEK_DATA);
      goffset hole = -1;
      goffset reached;

      if (!gaio_work_check (self->work, error))
        return -1;
      if (data < 0 && errno == ENXIO)
        break; /* a hole to the end */
      if (data >= 0)
        hole = lseek (self->from, data, SEEK_HOLE);
      if (hole < 0)
        {
          /* The file system has no idea of holes. */
          data = offset;
          hole = self->size;
        }
      if (data >= self->size)
        break;
      hole = MIN (hole, self->size);
      gaio_work_report (self->work, data, self->size);
      reached = copy_extent (self, data, hole, error);
      if (reached < hole)
        return reached; /* an error, or it has been cut meanwhile */
      offset = hole;
    }
  return self->size;
}

bool
gaio_copy_data (GaioWork *work,
                int from,
                const char *from_path,
                int to,
                const char *to_path,
                goffset done,
                goffset size,
                GError **error)
{
  Transfer transfer = {
    .work = work,
    .from = from,
    .to = to,
    .from_path = from_path,
    .to_path = to_path,
    .size = size,
  };
  goffset end = size;

  if (done > 0 || size == 0 || ioctl (to, FICLONE, from) != 0)
    {
      end = copy_extents (&transfer, done, error);
      g_free (transfer.buffer);
      if (end < 0)
        return false;
      /* A hole at the end. */
      if (ftruncate (to, end) != 0)
        {
          gaio_work_fail (work, errno, to_path, error);
          return false;
        }
    }
  gaio_work_report (work, end, end);
  return true;
}
