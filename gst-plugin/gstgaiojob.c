/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Each job is a few blocking calls on the descriptor, made in a worker of a thread pool,
 * because most have no form in a ring that would not be a thread of the kernel's as well.
 *
 * Write-back fails after the write that it is for has long succeeded, and says so once, to
 * whoever asks next about this open file: fsync(2), fdatasync(2), sync_file_range(2) and, on some
 * file systems, close(2). So each of these counts here. At the end of a stream that need not be
 * durable the first byte alone is asked about, which waits for nothing else and yet tells of all
 * failures so far. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "gstgaiojob.h"

static void
fail (GstGaioJob *self, const char *operation)
{
  int errnum = errno;
  const char *path = gaio_file_get_path (self->file);
  const char *name = strerrorname_np (errnum);
  g_autofree char *shown = path != NULL ? g_filename_display_name (path) : g_strdup ("file");

  if (self->error == NULL)
    self->error = g_error_new (GAIO_ERROR, errnum, "%s: %s: %s (%s)", operation, shown,
                               g_strerror (errnum), name != NULL ? name : "?");
}

static void
allocate (GstGaioJob *self, int fd)
{
  int result;

  do
    result = fallocate (fd, self->grow ? 0 : FALLOC_FL_KEEP_SIZE, (off_t) self->from,
                        (off_t) (self->to - self->from));
  while (result < 0 && errno == EINTR);
  if (result < 0)
    fail (self, "allocate");
}

/* Whether it went well, or cannot be done to this file at all. */
static gboolean
sync_range (int fd, guint64 from, guint64 length, unsigned flags)
{
  return sync_file_range (fd, (off_t) from, (off_t) length, flags) == 0 || errno == EINVAL ||
         errno == ENOSYS || errno == EOPNOTSUPP || errno == ESPIPE || errno == EINTR;
}

static void
drop (GstGaioJob *self, int fd, guint64 from, guint64 length)
{
  if (!sync_range (fd, from, length,
                   SYNC_FILE_RANGE_WAIT_BEFORE | SYNC_FILE_RANGE_WRITE |
                       SYNC_FILE_RANGE_WAIT_AFTER))
    fail (self, "write back");
  else
    posix_fadvise (fd, (off_t) from, (off_t) length, POSIX_FADV_DONTNEED);
}

static void
sync_data (GstGaioJob *self, int fd)
{
  int result;

  do
    result = fdatasync (fd);
  while (result < 0 && errno == EINTR);
  /* A file that cannot be synced has nothing to lose. */
  if (result < 0 && errno != EINVAL && errno != EROFS)
    fail (self, "sync");
}

/* The name of a new file is in its directory, and durable when that is. Where that is now the
 * kernel knows best: the path may have been relative to a directory that the program has left. */
static void
sync_directory (GstGaioJob *self, int file_fd)
{
  g_autofree char *link = g_strdup_printf ("/proc/self/fd/%d", file_fd);
  g_autofree char *path = g_file_read_link (link, NULL);
  g_autofree char *dir = path != NULL ? g_path_get_dirname (path) : NULL;
  int fd = dir != NULL ? open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;

  /* Who may not read it cannot sync it. */
  if (fd < 0)
    return;
  if (fsync (fd) < 0 && errno != EINVAL && errno != EROFS)
    fail (self, "sync the directory");
  close (fd);
}

static void
finish (GstGaioJob *self, int fd)
{
  if (self->cut && ftruncate (fd, (off_t) self->to) < 0)
    {
      fail (self, "truncate");
      return;
    }
  if (self->sync)
    {
      sync_data (self, fd);
      if (self->error == NULL)
        sync_directory (self, fd);
    }
  if (self->drop && self->error == NULL)
    drop (self, fd, 0, 0);
  else if (!self->sync && !sync_range (fd, 0, 1, SYNC_FILE_RANGE_WAIT_BEFORE))
    fail (self, "write back");
}

/* In a worker. */
static void
run (gpointer user_data)
{
  GstGaioJob *self = user_data;
  int fd = gaio_file_get_fd (self->file);

  switch (self->kind)
    {
    case GST_GAIO_JOB_ALLOCATE:
      allocate (self, fd);
      break;
    case GST_GAIO_JOB_DROP:
      drop (self, fd, self->from, self->to - self->from);
      break;
    case GST_GAIO_JOB_SYNC:
      sync_data (self, fd);
      break;
    case GST_GAIO_JOB_FINISH:
      finish (self, fd);
      break;
    case GST_GAIO_JOB_CLOSE:
      gaio_file_close (self->file, NULL, &self->error);
      break;
    }
}

static void
done (gboolean cancelled, gpointer user_data)
{
  GstGaioJob *self = user_data;

  self->busy = FALSE;
  g_clear_object (&self->file);
  self->done (self, self->user_data);
}

void
gst_gaio_job_start (GstGaioJob *self,
                    GaioThreadPool *pool,
                    GaioFile *file,
                    GstGaioJobFunc done_func,
                    gpointer user_data)
{
  self->busy = TRUE;
  self->file = g_object_ref (file);
  self->done = done_func;
  self->user_data = user_data;
  self->started_ns = gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC);
  g_clear_error (&self->error);
  gaio_thread_pool_submit (pool, gaio_file_get_context (file), run, done, self, NULL);
}
