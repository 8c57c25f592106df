/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The checksum of a file, in constant memory.
 *
 * One thread reads and computes in turn: the kernel reads ahead meanwhile, and to compute takes
 * longer than to copy. Holes are not read, only their zeros are added. What is not a regular file
 * is opened and read without blocking, so that a cancel is seen while nothing comes. */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <gaio/base/gaio-poll.h>
#include <gaio/file/gaio-checksum.h>
#include <gaio/file/gaio-file-call-private.h>
#include <gaio/file/gaio-work-private.h>

/* Between two looks at the cancellable; small enough to stay in the cache of a processor. */
#define PIECE_BYTES ((gsize) 256 * 1024)

typedef struct
{
  char *path;
  GChecksumType type;

  int fd;
  bool waits;     /* it is no regular file */
  bool has_holes; /* maybe */
  goffset size;   /* 0 when it has none */
  goffset done;
  GChecksum *checksum;
  guint8 *piece;
} Sum;

static void
sum_free (gpointer data)
{
  Sum *self = data;

  g_free (self->path);
  g_free (self);
}

static Sum *
sum_new (const char *path, GChecksumType type)
{
  Sum *self = g_new0 (Sum, 1);

  self->path = g_strdup (path);
  self->type = type;
  self->fd = -1;
  return self;
}

/* 0 or an errno. */
static int
sum_open (Sum *self)
{
  struct stat stat_;

  self->fd = open (self->path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
  if (self->fd < 0 || fstat (self->fd, &stat_) < 0)
    return errno;
  self->waits = !S_ISREG (stat_.st_mode) && !S_ISBLK (stat_.st_mode);
  if (S_ISREG (stat_.st_mode))
    {
      self->size = stat_.st_size;
      self->has_holes = stat_.st_blocks < stat_.st_size / 512;
      posix_fadvise (self->fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    }
  return 0;
}

/* Adds the hole at the position, if there is one, up to a piece of it. If there is none, the
 * position stays what it is. */
static bool
add_hole (Sum *self)
{
  static const guint8 zeros[64 * 1024];
  /* Before it is asked for data, since the file may grow. */
  goffset end = lseek (self->fd, 0, SEEK_END);
  goffset data = lseek (self->fd, self->done, SEEK_DATA);
  goffset left;

  /* After the last data there may be a hole up to the end. */
  if (data < 0 && errno == ENXIO)
    data = lseek (self->fd, MAX (end, self->done), SEEK_SET);
  if (data < 0)
    {
      self->has_holes = false; /* none that the file system tells of */
      return false;
    }
  left = MIN (data - self->done, (goffset) PIECE_BYTES);
  if (left <= 0)
    return false;
  self->done += left;
  for (; left > 0; left -= MIN (left, (goffset) sizeof zeros))
    g_checksum_update (self->checksum, zeros, MIN (left, (goffset) sizeof zeros));
  return true;
}

/* Until there is something to read, or a cancel. */
static void
wait_for_data (Sum *self, GCancellable *cancellable)
{
  GPollFD fds[2] = { { .fd = self->fd, .events = G_IO_IN } };
  guint n_fds = 1;

  if (cancellable != NULL && g_cancellable_make_pollfd (cancellable, &fds[1]))
    n_fds = 2;
  gaio_poll_ns (fds, n_fds, -1);
  if (n_fds == 2)
    g_cancellable_release_fd (cancellable);
}

static gpointer
sum_all (Sum *self, GaioWork *work, GError **error)
{
  for (;;)
    {
      gssize n;

      if (!gaio_work_check (work, error))
        return NULL;
      if (!self->has_holes || !add_hole (self))
        {
          n = read (self->fd, self->piece, PIECE_BYTES);
          if (n == 0)
            return g_strdup (g_checksum_get_string (self->checksum));
          if (n < 0 && errno == EAGAIN)
            wait_for_data (self, gaio_work_get_cancellable (work));
          else if (n < 0 && errno != EINTR)
            return gaio_work_fail (work, errno, NULL, error);
          if (n < 0)
            continue;
          g_checksum_update (self->checksum, self->piece, n);
          self->done += n;
        }
      gaio_work_report (work, self->done, self->size);
    }
}

static gpointer
run (GaioWork *work, gpointer data, GError **error)
{
  Sum *self = data;
  gpointer result = NULL;
  int errnum;

  if (g_checksum_type_get_length (self->type) < 0)
    return gaio_work_fail (work, EINVAL, NULL, error);
  errnum = sum_open (self);
  if (errnum != 0)
    gaio_work_fail (work, errnum, NULL, error);
  else
    {
      self->checksum = g_checksum_new (self->type);
      self->piece = g_malloc (PIECE_BYTES);
      /* A pipe that nobody has opened for writing yet is not at its end. */
      if (self->waits)
        wait_for_data (self, gaio_work_get_cancellable (work));
      result = sum_all (self, work, error);
      g_checksum_free (self->checksum);
      g_free (self->piece);
    }
  if (self->fd >= 0)
    close (self->fd);
  return result;
}

static const GaioWorkKind kind = {
  .name = "checksum",
  .run = run,
  .data_free = sum_free,
  .result_free = g_free,
};

/**
 * gaio_checksum:
 * @path: (type filename): a file
 * @type: which checksum
 * @progress: (nullable): see [func@Gaio.checksum_async]; called in the thread of the caller
 * @cancellable: (nullable): a cancellable
 * @error: return location for an error
 *
 * Does what [func@Gaio.checksum_async] does, and blocks until it is done.
 *
 * Thread: any.
 *
 * Returns: (transfer full): the checksum as a hexadecimal string, or %NULL with an error of
 *   `G_IO_ERROR` or %GAIO_ERROR
 */
char *
gaio_checksum (const char *path,
               GChecksumType type,
               GClosure *progress,
               GCancellable *cancellable,
               GError **error)
{
  Sum *self;
  char *result;

  g_return_val_if_fail (path != NULL, NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  self = sum_new (path, type);
  result = gaio_work_run (&kind, self, self->path, progress, cancellable, error);
  sum_free (self);
  return result;
}

/**
 * gaio_checksum_async:
 * @path: (type filename): a file
 * @type: which checksum
 * @progress: (nullable): called with two 64-bit integers now and then: how many bytes are done, and
 *   the size of the file, 0 when it has none
 * @io_priority: the priority of @callback among the sources of its main context
 * @cancellable: (nullable): a cancellable
 * @callback: (nullable) (scope async): called at the end
 * @user_data: data for @callback
 *
 * Computes the checksum of a file, a pipe or a device, from its beginning to its end. It takes the
 * same memory for any size. Holes in a sparse file are not read.
 *
 * The checksum of bytes in memory is [method@Gaio.ThreadPool.checksum].
 *
 * Thread: any; @progress and @callback are called in the thread-default main context of the caller.
 */
void
gaio_checksum_async (const char *path,
                     GChecksumType type,
                     GClosure *progress,
                     int io_priority,
                     GCancellable *cancellable,
                     GAsyncReadyCallback callback,
                     gpointer user_data)
{
  Sum *self;

  g_return_if_fail (path != NULL);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  self = sum_new (path, type);
  gaio_work_start (GAIO_FILE_NEW_TASK (NULL, gaio_checksum_async), &kind, self, self->path,
                   progress);
}

/**
 * gaio_checksum_finish:
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [func@Gaio.checksum_async].
 *
 * Thread: the callback's.
 *
 * Returns: (transfer full): the checksum as a hexadecimal string, or %NULL with an error of
 *   `G_IO_ERROR` or %GAIO_ERROR
 */
char *
gaio_checksum_finish (GAsyncResult *result, GError **error)
{
  g_return_val_if_fail (g_task_is_valid (result, NULL), NULL);
  g_return_val_if_fail (g_async_result_is_tagged (result, gaio_checksum_async), NULL);

  return g_task_propagate_pointer (G_TASK (result), error);
}
