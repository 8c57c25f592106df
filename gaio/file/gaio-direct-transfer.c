/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Direct I/O for those who do not want to know what it takes: any offset, any length, any memory.
 *
 * What is aligned goes to the engine as it is. What is not:
 *
 *   read   into the request's own memory: made one of whole blocks, of which the request then hands
 *          out a part; so it is as fast as the other. Into the caller's: by way of a buffer.
 *   write  in pieces, by way of a buffer, but for the part in the middle whose memory is aligned.
 *          A block that is not all written is read before and written as a whole. Where the last
 *          one goes past the end of the file, the file is cut to its right length after it.
 *   append the same, at the end that the file has when nobody else can write.
 *
 * All these run in a worker, or in the thread of a blocking call; gaio-direct-claim.c sees to it
 * that nobody else writes what is being changed, or sees a length that is wrong. That holds for
 * those who use the same GaioFile. What another one, or another program, writes in the same block
 * meanwhile may be lost, and it may see the file longer than it is for a moment.
 *
 * A cancel is looked at between the pieces, so a block is written as a whole or not at all. */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gaio/file/gaio-file-direct-private.h>

/* What goes by way of a buffer, at once. */
#define BOUNCE_BYTES ((goffset) 1024 * 1024)

#define PAGE_BYTES 4096u

static gsize
round_down (gsize number, gsize alignment)
{
  return number & ~(alignment - 1);
}

static gsize
round_up (gsize number, gsize alignment)
{
  return (number + alignment - 1) & ~(alignment - 1);
}

/* Whether the ring can */

static bool
is_aligned (guint64 number, guint alignment)
{
  return (number & (alignment - 1)) == 0;
}

static bool
are_aligned (const struct iovec *iov, gsize n_iov, guint alignment, guint memory)
{
  for (gsize i = 0; i < n_iov; i++)
    if (!is_aligned ((guintptr) iov[i].iov_base, memory) || !is_aligned (iov[i].iov_len, alignment))
      return false;
  return true;
}

bool
gaio_direct_is_for_threads (GaioRequest *self)
{
  GaioFileDirect *direct = self->file->direct;
  guint alignment = atomic_load (&direct->alignment);
  guint memory = atomic_load (&direct->memory_alignment);

  if (self->kind == GAIO_REQUEST_CLOSE)
    return direct->second_fd >= 0;
  if (self->kind != GAIO_REQUEST_READ && self->kind != GAIO_REQUEST_READV &&
      self->kind != GAIO_REQUEST_WRITE)
    return false;
  if (alignment <= 1)
    return alignment == 0;
  if (self->kind == GAIO_REQUEST_WRITE && (direct->appends || (self->flags & RWF_APPEND) != 0))
    return true;
  if (!is_aligned (self->offset + self->moved, alignment))
    return true;
  if (self->kind == GAIO_REQUEST_READ)
    return !is_aligned (self->length - self->moved, alignment) ||
           !is_aligned ((guintptr) self->target + self->moved, memory);
  return !are_aligned (self->iov + self->first_iov, self->n_iov - self->first_iov, alignment,
                       memory);
}

/* Reads into the request's own memory */

void
gaio_direct_widen_read (GaioRequest *self)
{
  GaioDirectClaim *claim = self->claim;
  guint alignment = claim->direct != NULL ? atomic_load (&claim->direct->alignment) : 0;
  gsize shift;

  if (alignment <= 1 || self->settled || self->length > G_MAXSSIZE - GAIO_DIRECT_MAX_ALIGNMENT ||
      self->offset + self->length > (guint64) G_MAXOFFSET - GAIO_DIRECT_MAX_ALIGNMENT)
    return;
  shift = self->offset & (alignment - 1);
  if (shift == 0 && is_aligned (self->length, alignment))
    return;
  claim->shift = shift;
  claim->wanted = self->length;
  self->offset -= shift;
  self->length = round_up (shift + self->length, alignment);
}

void
gaio_direct_narrow_read (GaioRequest *self)
{
  GaioDirectClaim *claim = self->claim;

  self->offset += claim->shift;
  self->length = claim->wanted;
  self->moved = self->moved < claim->shift ? 0 : MIN (self->moved - claim->shift, claim->wanted);
  self->target += claim->shift;
  claim->wanted = G_MAXSIZE;
}

bool
gaio_direct_is_read_out (GaioRequest *self, bool from_ring)
{
  GaioDirectClaim *claim = self->claim;

  if (claim->wanted != G_MAXSIZE && self->moved >= claim->shift + claim->wanted)
    return true;
  /* What the ring began was aligned. */
  return from_ring && claim->direct != NULL &&
         !is_aligned (self->moved, atomic_load (&claim->direct->alignment));
}

/* Transfers. One of them is some of the caller's memory, from where the request has got to. */

typedef struct
{
  GaioFile *file;
  const struct iovec *iov; /* the first is not empty */
  gsize n_iov;
  goffset offset;
  gsize length; /* of all of it */
  guint alignment;
  guint memory;
} Transfer;

static guint8 *
new_bounce (const Transfer *self, gsize size)
{
  void *buffer;

  return posix_memalign (&buffer, MAX (MAX (self->alignment, self->memory), PAGE_BYTES), size) == 0
             ? buffer
             : NULL;
}

/* How much from the beginning is whole blocks in aligned memory, and in how many pieces; when the
 * first piece is not all of it, then a part of that alone. */
static gsize
count_aligned (const Transfer *self, gsize *n_iov)
{
  gsize most = round_down (GAIO_REQUEST_MAX_TRANSFER, GAIO_DIRECT_MAX_ALIGNMENT);
  gsize total = 0;

  *n_iov = 0;
  if (!is_aligned (self->offset, self->alignment))
    return 0;
  for (gsize i = 0; i < MIN (self->n_iov, IOV_MAX); i++)
    {
      if (!are_aligned (&self->iov[i], 1, self->alignment, self->memory) ||
          self->iov[i].iov_len > most - total)
        break;
      total += self->iov[i].iov_len;
      *n_iov = i + 1;
    }
  if (total == 0 && is_aligned ((guintptr) self->iov[0].iov_base, self->memory))
    total = round_down (MIN (self->iov[0].iov_len, most), self->alignment);
  return total;
}

static void
scatter (const Transfer *self, const guint8 *from, gsize size)
{
  for (gsize i = 0; size > 0; i++)
    {
      gsize part = MIN (size, self->iov[i].iov_len);

      memcpy (self->iov[i].iov_base, from, part);
      from += part;
      size -= part;
    }
}

static void
gather (const Transfer *self, guint8 *to, gsize size)
{
  for (gsize i = 0; size > 0; i++)
    {
      gsize part = MIN (size, self->iov[i].iov_len);

      memcpy (to, self->iov[i].iov_base, part);
      to += part;
      size -= part;
    }
}

static gssize
read_direct (const Transfer *self, int fd, gsize size, gsize n_iov)
{
  gssize res = n_iov > 1 ? preadv (fd, self->iov, n_iov, self->offset)
                         : pread (fd, self->iov[0].iov_base, size, self->offset);

  return res < 0 ? -errno : res;
}

static gssize
read_bounced (const Transfer *self, int fd)
{
  goffset start = round_down (self->offset, self->alignment);
  gsize wanted = MIN (self->length, (gsize) BOUNCE_BYTES);
  gsize skip = self->offset - start;
  gsize size = round_up (skip + wanted, self->alignment);
  guint8 *bounce = new_bounce (self, size);
  gssize res;

  if (bounce == NULL)
    return -ENOMEM;
  res = pread (fd, bounce, size, start);
  if (res < 0)
    res = -errno;
  else
    {
      res = (gsize) res > skip ? MIN ((gsize) res - skip, wanted) : 0;
      scatter (self, bounce + skip, res);
    }
  free (bounce);
  return res;
}

/* One piece of a read; -EINVAL when the kernel refuses it. */
static gssize
read_piece (const Transfer *self)
{
  int fd = atomic_load (&self->file->fd);
  gsize n_iov;
  gsize size = count_aligned (self, &n_iov);

  if (self->offset > G_MAXOFFSET - 2 * BOUNCE_BYTES)
    return 0;
  return size > 0 ? read_direct (self, fd, size, n_iov) : read_bounced (self, fd);
}

/* The descriptor for what is not of whole blocks; -1 when there is none, and the file has given up
 * direct I/O for that. */
static int
get_second_fd (GaioFile *file)
{
  GaioFileDirect *self = file->direct;
  char name[64];
  int fd;

  if (!self->write_only && !self->appends)
    return atomic_load (&file->fd);
  g_mutex_lock (&self->lock);
  if (self->second_fd < 0)
    {
      snprintf (name, sizeof name, "/proc/self/fd/%d", atomic_load (&file->fd));
      self->second_fd = open (name, O_RDWR | O_DIRECT | O_CLOEXEC | O_NOCTTY | O_LARGEFILE);
      if (self->second_fd < 0)
        gaio_direct_give_up (
            file, "it cannot be opened for reading, which writes of a part of a block take");
    }
  fd = self->second_fd;
  g_mutex_unlock (&self->lock);
  return fd;
}

/* The file's length; a device has no end that could be wrong. -errno. */
static goffset
get_size (GaioFile *file, int fd)
{
  struct stat stat;

  if (fstat (fd, &stat) < 0)
    return -errno;
  if (!S_ISREG (stat.st_mode))
    return G_MAXOFFSET;
  atomic_store (&file->direct->size, stat.st_size);
  return stat.st_size;
}

/* A block that is only partly written; what is behind the end of the file is zeros. */
static int
read_block (const Transfer *self, int fd, guint8 *block, goffset offset)
{
  gssize res;

  while ((res = pread (fd, block, self->alignment, offset)) < 0 && errno == EINTR)
    ;
  if (res < 0)
    return -errno;
  memset (block + res, 0, self->alignment - res);
  return 0;
}

static gssize
modify (const Transfer *self, int fd, guint8 *bounce, gsize skip, gsize wanted, gsize size)
{
  goffset start = self->offset - skip;
  gsize last = size - self->alignment;
  gssize res = 0;

  if (skip > 0)
    res = read_block (self, fd, bounce, start);
  if (res == 0 && skip + wanted < size && (last > 0 || skip == 0))
    res = read_block (self, fd, bounce + last, start + last);
  if (res < 0)
    return res;
  gather (self, bounce + skip, wanted);
  res = pwrite (fd, bounce, size, start);
  return res < 0 ? -errno : res;
}

/* A piece by way of a buffer. `has_rest`: the claim reaches to the end of the file; else -ERANGE
 * when it would have to, and nothing is done. */
static gssize
write_bounced (const Transfer *self, bool has_rest)
{
  goffset start = round_down (self->offset, self->alignment);
  gsize skip = self->offset - start;
  gsize wanted = MIN (self->length, (gsize) BOUNCE_BYTES - skip);
  gsize size = round_up (skip + wanted, self->alignment);
  goffset end = self->offset + wanted;
  goffset file_size = G_MAXOFFSET;
  int fd = get_second_fd (self->file);
  guint8 *bounce;
  gssize res;

  if (fd < 0)
    return -EINVAL;
  if (start + (goffset) size > end && (file_size = get_size (self->file, fd)) < 0)
    return file_size;
  if (start + (goffset) size > MAX (file_size, end) && !has_rest)
    return -ERANGE;
  bounce = new_bounce (self, size);
  if (bounce == NULL)
    return -ENOMEM;
  res = modify (self, fd, bounce, skip, wanted, size);
  free (bounce);
  if (res < 0)
    return res;

  end = MIN (end, start + res);
  if (start + res > MAX (file_size, end) && ftruncate (fd, MAX (file_size, end)) < 0)
    return -errno;
  return end > self->offset ? end - self->offset : -EIO;
}

static gssize
write_direct (const Transfer *self, gsize size, gsize n_iov, int flags)
{
  int fd = atomic_load (&self->file->fd);
  struct iovec first = { self->iov[0].iov_base, size };
  gssize res;

  /* O_APPEND would have it somewhere else. */
  if (self->file->direct->appends && self->alignment > 1 && (fd = get_second_fd (self->file)) < 0)
    return -EINVAL;
  res = n_iov > 1 ? pwritev2 (fd, self->iov, n_iov, self->offset, flags)
                  : pwritev2 (fd, &first, 1, self->offset, flags);
  return res < 0 ? -errno : res;
}

/* One piece of a write. -EINVAL when the kernel refuses it, -ERANGE when the claim is too small;
 * nothing has been done then. */
static gssize
write_piece (const Transfer *self, bool has_rest, int flags)
{
  gsize n_iov;
  gsize size = count_aligned (self, &n_iov);

  if (self->offset > G_MAXOFFSET - 2 * BOUNCE_BYTES)
    return -EFBIG;
  return size > 0 ? write_direct (self, size, n_iov, flags) : write_bounced (self, has_rest);
}

static void
find_alignment (Transfer *self)
{
  self->alignment = gaio_direct_find_alignment (self->file);
  self->memory = atomic_load (&self->file->direct->memory_alignment);
}

static gssize
read_any (Transfer *self)
{
  gssize res;

  for (;;)
    {
      find_alignment (self);
      res = read_piece (self);
      if (res != -EINVAL || self->alignment == 1)
        return res;
      gaio_direct_raise_alignment (self->file, self->alignment);
    }
}

static gssize
write_any (Transfer *self, GaioRequest *request, int flags)
{
  GaioDirectClaim *claim = request->claim;
  bool has_rest = claim->level == GAIO_CLAIM_SIZE || !claim->held;

  find_alignment (self);
  if (!claim->held || self->alignment <= claim->alignment)
    {
      gssize res = write_piece (self, has_rest, flags);

      if (res == -ERANGE && !has_rest)
        claim->whole = true;
      else if (res == -EINVAL && self->alignment > 1)
        gaio_direct_raise_alignment (self->file, self->alignment);
      else
        return res;
    }
  claim->again = true;
  return 0;
}

/* An append goes to the end, which nobody moves while its claim is held. */
static int
find_end (GaioRequest *self)
{
  goffset size = get_size (self->file, atomic_load (&self->file->fd));

  if (size < 0)
    return size;
  self->offset = size;
  return 0;
}

gssize
gaio_direct_transfer (GaioRequest *self)
{
  GaioFileDirect *direct = self->file->direct;
  struct iovec target;
  Transfer transfer = {
    .file = self->file,
    .length = self->length - self->moved,
  };

  if (self->kind == GAIO_REQUEST_READ)
    {
      target = (struct iovec){ self->target + self->moved, transfer.length };
      transfer.iov = &target;
      transfer.n_iov = 1;
    }
  else
    {
      transfer.iov = self->iov + self->first_iov;
      transfer.n_iov = self->n_iov - self->first_iov;
    }
  if (self->kind == GAIO_REQUEST_WRITE && self->moved == 0 &&
      (direct->appends || (self->flags & RWF_APPEND) != 0))
    {
      int err = find_end (self);

      if (err < 0)
        return err;
    }
  transfer.offset = self->offset + self->moved;
  return self->kind == GAIO_REQUEST_WRITE ? write_any (&transfer, self, self->flags & ~RWF_APPEND)
                                          : read_any (&transfer);
}

gssize
gaio_direct_pread (GaioFile *file, guint8 *buffer, gsize length, goffset offset)
{
  Transfer transfer = {
    .file = file,
    .iov = &(struct iovec){ buffer, length },
    .n_iov = 1,
    .offset = offset,
    .length = length,
  };

  return read_any (&transfer);
}

gssize
gaio_direct_pwrite (
    GaioRequest *self, GaioFile *file, const guint8 *data, gsize length, goffset offset)
{
  Transfer transfer = {
    .file = file,
    .iov = &(struct iovec){ (gpointer) data, length },
    .n_iov = 1,
    .offset = offset,
    .length = length,
  };

  return write_any (&transfer, self, 0);
}
