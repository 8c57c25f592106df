/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reads and writes with what GLib has: GIO's streams, each of which does one operation at a time
 * so there is one for each in flight; and a GThreadPool in which the blocking calls are made. */

#include <fcntl.h>
#include <unistd.h>

#include <gio/gfiledescriptorbased.h>

#include "bench-io.h"

/* As many threads as are in flight help, up to where they only wait for each other. */
#define MAX_THREADS 64

typedef struct
{
  GObject *owner; /* a GFileInputStream, or a GFileIOStream */
  GInputStream *input;
  GOutputStream *output;
  int slot;
} Stream;

static void begin_stream (Stream *stream);

static void
on_stream_end (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Stream *stream = user_data;

  bench_io_ended (bench_io.writes ? g_output_stream_write_finish (stream->output, result, NULL)
                                  : g_input_stream_read_finish (stream->input, result, NULL));
  if (bench_to_begin > 0)
    begin_stream (stream);
}

static void
begin_stream (Stream *stream)
{
  guint8 *buffer = bench_io_buffer (stream->slot);

  g_seekable_seek (G_SEEKABLE (stream->owner), bench_io_next (), G_SEEK_SET, NULL, NULL);
  if (bench_io.writes)
    g_output_stream_write_async (stream->output, buffer, bench_io.block_bytes, G_PRIORITY_DEFAULT,
                                 NULL, on_stream_end, stream);
  else
    g_input_stream_read_async (stream->input, buffer, bench_io.block_bytes, G_PRIORITY_DEFAULT,
                               NULL, on_stream_end, stream);
}

/* GIO cannot be asked for O_DIRECT. */
static gboolean
make_direct (gpointer stream)
{
  int fd = g_file_descriptor_based_get_fd (G_FILE_DESCRIPTOR_BASED (stream));

  return fcntl (fd, F_SETFL, fcntl (fd, F_GETFL) | O_DIRECT) == 0;
}

static gboolean
open_stream (Stream *self, GFile *file, int slot)
{
  self->slot = slot;
  if (bench_io.writes)
    {
      GFileIOStream *stream = g_file_open_readwrite (file, NULL, NULL);

      self->owner = G_OBJECT (stream);
      self->output = g_io_stream_get_output_stream (G_IO_STREAM (stream));
      return !bench_io.direct || make_direct (self->output);
    }
  self->input = G_INPUT_STREAM (g_file_read (file, NULL, NULL));
  self->owner = G_OBJECT (self->input);
  return !bench_io.direct || make_direct (self->input);
}

gboolean
bench_run_gio (BenchIoSample *sample)
{
  g_autoptr (GFile) file = g_file_new_for_path (bench_io.path);
  g_autofree Stream *streams = g_new0 (Stream, bench_io.depth);
  gboolean opened = TRUE;

  for (int i = 0; i < bench_io.depth; i++)
    opened &= open_stream (&streams[i], file, i);
  if (opened)
    {
      for (int i = 0; i < bench_io.depth; i++)
        begin_stream (&streams[i]);
      while (bench_to_end > 0)
        g_main_context_iteration (NULL, TRUE);
    }
  for (int i = 0; i < bench_io.depth; i++)
    g_clear_object (&streams[i].owner);
  return opened;
}

/* The thread pool. The results come back by a queue, which costs less than a GMainContext. */

typedef struct
{
  int slot;
  int fd;
  goffset offset;
  gssize result;
} Job;

static void
work (gpointer data, gpointer user_data)
{
  Job *job = data;
  guint8 *buffer = bench_io_buffer (job->slot);

  if (bench_io.writes)
    job->result = pwrite (job->fd, buffer, bench_io.block_bytes, job->offset);
  else
    job->result = pread (job->fd, buffer, bench_io.block_bytes, job->offset);
  g_async_queue_push (user_data, job);
}

gboolean
bench_run_thread_pool (BenchIoSample *sample)
{
  g_autoptr (GAsyncQueue) done = g_async_queue_new ();
  g_autofree Job *jobs = g_new0 (Job, bench_io.depth);
  int fd = bench_io_open ();
  GThreadPool *pool;

  if (fd < 0)
    return FALSE;
  pool = g_thread_pool_new (work, done, MIN (bench_io.depth, MAX_THREADS), FALSE, NULL);
  for (int i = 0; i < bench_io.depth; i++)
    {
      jobs[i] = (Job){ .slot = i, .fd = fd, .offset = bench_io_next () };
      g_thread_pool_push (pool, &jobs[i], NULL);
    }
  while (bench_to_end > 0)
    {
      Job *job = g_async_queue_pop (done);

      bench_io_ended (job->result);
      if (bench_to_begin > 0)
        {
          job->offset = bench_io_next ();
          g_thread_pool_push (pool, job, NULL);
        }
    }
  g_thread_pool_free (pool, FALSE, TRUE);
  close (fd);
  return TRUE;
}
