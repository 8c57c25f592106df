/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* How the file comes to be open.
 *
 * The thread that changes the state calls open(2) itself, and waits as long as that takes: a FIFO
 * waits for its reader, as with filesink, and the state change must be able to fail. Which I/O
 * thread the file belongs to is known only then, since it depends on the disk. Before that it waits
 * for what a run that was given up still has to bring to this file, but not for ever when it does
 * not do so for the end of a run of its own. */

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gstgaiofilesink-private.h"
#include "gstgaiostray.h"

/* In nanoseconds. */
#define MS G_GUINT64_CONSTANT (1000000)

#define DIRECT_MAX_IN_FLIGHT 4

/* More is added to the time without an overflow. */
#define MAX_NS (G_MAXINT64 / 2)

static gboolean
is_appending (GstGaioFileSink *self)
{
  return self->run.append || self->run.file_mode == GST_GAIO_FILE_SINK_FILE_MODE_APPEND;
}

static int
get_flags (GstGaioFileSink *self)
{
  int flags = O_CREAT | O_CLOEXEC;

  if (!is_appending (self))
    {
      if (self->run.file_mode != GST_GAIO_FILE_SINK_FILE_MODE_OVERWRITE)
        flags |= O_TRUNC;
    }
  /* O_APPEND puts every write at the end of the file, wherever that is by then. Direct I/O moves
   * the end for a while; then the writes go to where it was at the start. */
  else if (self->run.direct == GST_GAIO_FILE_SINK_DIRECT_NO)
    {
      flags |= O_APPEND;
    }
  if (self->run.o_sync)
    flags |= O_SYNC;
  return flags;
}

static int
open_retrying (const char *location, int flags)
{
  int fd;

  do
    fd = open (location, flags, 0666);
  while (fd < 0 && errno == EINTR);
  return fd;
}

/* A FIFO refuses it, but is open for a moment before it does: who waits for a writer there must not
 * see one come and go. */
static gboolean
can_be_direct (const char *location)
{
  struct stat st;

  return stat (location, &st) < 0 || S_ISREG (st.st_mode) || S_ISBLK (st.st_mode);
}

/* Whoever may, opens for reading too: it takes to write a part of a block. */
static int
open_direct (const char *location, int flags)
{
  int fd;

  if (!can_be_direct (location))
    {
      errno = EINVAL;
      return -1;
    }
  fd = open_retrying (location, flags | O_RDWR | O_DIRECT);
  if (fd < 0 && (errno == EACCES || errno == EPERM))
    fd = open_retrying (location, flags | O_WRONLY | O_DIRECT);
  return fd;
}

/* The descriptor, or -1 with errno. */
static int
open_fd (GstGaioFileSink *self, const char *location)
{
  int flags = get_flags (self);

  if (self->run.direct != GST_GAIO_FILE_SINK_DIRECT_NO)
    {
      int fd = open_direct (location, flags);

      if (fd >= 0 || self->run.direct == GST_GAIO_FILE_SINK_DIRECT_YES ||
          (errno != EINVAL && errno != ENOTSUP))
        return fd;
      GST_INFO_OBJECT (self, "%s cannot be opened for direct I/O", location);
    }
  return open_retrying (location, flags | O_WRONLY);
}

static void
post_open_error (GstGaioFileSink *self, const char *location, int errnum, const char *reason)
{
  g_autofree char *shown = g_filename_display_name (location);

  gst_gaio_file_sink_post_error (
      self,
      GST_RESOURCE_ERROR_OPEN_WRITE,
      g_strdup_printf ("Could not open file \"%s\" for writing.", shown),
      g_strdup_printf ("system error: %s%s%s",
                       g_strerror (errnum),
                       reason != NULL ? "; " : "",
                       reason != NULL ? reason : ""),
      errnum,
      0);
}

static gsize
get_gather_bytes (GstGaioFileSink *self)
{
  return self->run.buffer_mode == GST_GAIO_FILE_SINK_BUFFER_MODE_UNBUFFERED
             ? 1
             : self->run.buffer_size;
}

/* What waits for more to come must not be too late before it is written. */
static guint64
get_flush_interval_ns (GstGaioFileSink *self)
{
  guint64 interval_ns = self->run.flush_interval_ms * MS;

  return self->run.max_time_ns != 0 ? MIN (interval_ns, self->run.max_time_ns / 2) : interval_ns;
}

static guint
get_max_in_flight (GstGaioFileSink *self, int flags)
{
  /* Here the order in which they take effect is all there is. */
  if (!self->can_position || (flags & O_APPEND) != 0)
    return 1;
  if (self->run.max_in_flight != 0)
    return self->run.max_in_flight;
  return gaio_file_is_direct (self->file) ? DIRECT_MAX_IN_FLIGHT : 1;
}

static GstGaioWindowConfig
get_config (GstGaioFileSink *self, const struct stat *st)
{
  return (GstGaioWindowConfig){
    .max_bytes = self->run.max_bytes,
    .max_time_ns = self->run.max_time_ns,
    .gather_bytes = get_gather_bytes (self),
    .chunk_bytes = self->run.chunk_size,
    .flush_interval_ns = get_flush_interval_ns (self),
    .max_in_flight = get_max_in_flight (self, get_flags (self)),
    .hold = self->run.hold,
    .is_regular = self->is_regular,
    .can_position = self->can_position,
    .direct = gaio_file_is_direct (self->file),
    .base = self->base,
    .length = self->is_regular ? (guint64) st->st_size : 0,
    .preallocate_bytes = self->is_regular ? self->run.preallocate : 0,
    .sync_mode = self->run.sync_mode,
    .sync_interval_ns = self->run.sync_interval_ms * MS,
    .drop_cache = self->run.drop_cache,
    .stall_warning_ns = MIN (self->run.stall_warning_ns, MAX_NS),
    .transient_ns = (guint64) self->run.max_transient_error_timeout_ms * MS,
    .device = st->st_dev,
    .inode = st->st_ino,
  };
}

/* Makes the file of the descriptor, and takes that; on failure too. */
static GstGaioLoop *
adopt (GstGaioFileSink *self, int fd, const char *location, const char *context_name)
{
  g_autoptr (GError) error = NULL;
  GstGaioLoop *loop = gst_gaio_loop_acquire (context_name, (GaioEngine) self->run.backend, fd,
                                             &error);

  if (loop != NULL)
    {
      GaioContext *context = gst_gaio_loop_get_context (loop);

      self->file = gaio_file_new_for_fd (context, fd, location, &error);
      if (self->file != NULL)
        return loop;
      gst_gaio_loop_unref (loop);
    }
  close (fd);
  post_open_error (self, location, gaio_error_get_errno (error), error->message);
  return NULL;
}

/* With direct=yes it is an error that the file system takes the flag and does nothing with it. */
static gboolean
check_direct (GstGaioFileSink *self, const char *location)
{
  g_autofree char *reason = NULL;

  if (self->run.direct != GST_GAIO_FILE_SINK_DIRECT_YES || gaio_file_is_direct (self->file))
    return TRUE;
  g_object_get (self->file, "direct-reason", &reason, NULL);
  post_open_error (self, location, EINVAL, reason != NULL ? reason : "no direct I/O");
  return FALSE;
}

/* Not before the last of an earlier run has reached the file; see gstgaiostray.c. A disk that does
 * not hang is waited for, however short the end of a run may be. */
static gboolean
wait_for_strays (GstGaioFileSink *self, const char *location)
{
  guint64 timeout_ns = MAX (self->run.drain_timeout_ns, self->run.stall_warning_ns);
  gint64 deadline_us = gst_gaio_file_sink_get_deadline_us (timeout_ns);
  g_autofree char *shown = NULL;
  guint64 n_bytes = 0;

  if (gst_gaio_stray_wait (location, deadline_us, &n_bytes))
    return TRUE;
  shown = g_filename_display_name (location);
  gst_gaio_file_sink_post_error (
      self,
      GST_RESOURCE_ERROR_BUSY,
      g_strdup_printf ("File \"%s\" is still being written by an earlier recording.", shown),
      g_strdup_printf ("the disk may still write %" G_GUINT64_FORMAT
                       " bytes that it had begun when that was given up",
                       n_bytes),
      EBUSY,
      0);
  return FALSE;
}

gboolean
gst_gaio_file_sink_open (GstGaioFileSink *self, const char *location, const char *context_name)
{
  struct stat st = { 0 };
  GstGaioWindowConfig config;
  GstGaioLoop *loop;
  int fd;

  if (!wait_for_strays (self, location))
    return FALSE;
  fd = open_fd (self, location);
  if (fd < 0)
    {
      int errnum = errno;

      post_open_error (self,
                       location,
                       errnum,
                       self->run.direct == GST_GAIO_FILE_SINK_DIRECT_YES && errnum == EINVAL
                           ? "there is no direct I/O here"
                           : NULL);
      return FALSE;
    }

  /* It does not fail for a descriptor that is open. */
  self->is_regular = fstat (fd, &st) == 0 && S_ISREG (st.st_mode);
  self->base = self->is_regular && is_appending (self) ? (guint64) st.st_size : 0;
  loop = adopt (self, fd, location, context_name);
  if (loop == NULL)
    return FALSE;
  if (!check_direct (self, location))
    {
      g_clear_object (&self->file);
      gst_gaio_loop_unref (loop);
      return FALSE;
    }

  self->can_position = gaio_file_is_seekable (self->file);
  atomic_store (&self->seekable, self->can_position && !is_appending (self));
  config = get_config (self, &st);
  GST_OBJECT_LOCK (self);
  self->window = gst_gaio_window_new (loop,
                                      self->file,
                                      &config,
                                      &gst_gaio_file_sink_window_events,
                                      GST_OBJECT (self));
  GST_OBJECT_UNLOCK (self);
  GST_INFO_OBJECT (self,
                   "opened %s, can seek: %d, direct: %d, writes at once: %u",
                   location,
                   atomic_load (&self->seekable),
                   config.direct,
                   config.max_in_flight);
  return TRUE;
}
