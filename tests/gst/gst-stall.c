/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* A disk that does not move, and a source that runs into it. The disk is a FIFO that nobody reads,
 * which anybody can have and which stalls for exactly as long as one likes. */

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gst-stall.h"

Fifo *
fifo_new (void)
{
  Fifo *self = g_new0 (Fifo, 1);
  g_autofree char *dir = gst_test_make_dir ();

  self->path = g_build_filename (dir, "fifo", NULL);
  g_assert_cmpint (mkfifo (self->path, 0600), ==, 0);
  /* With a reader there, opening it for writing does not wait for one. */
  self->fd = open (self->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  g_assert_cmpint (self->fd, >=, 0);
  g_assert_cmpint (fcntl (self->fd, F_SETFL, 0), ==, 0);
  self->sink = gst_test_sink_new (self->path);
  /* However slow the machine, what is written goes by the number of bytes alone: so it is more at
   * once than a FIFO takes, and stays in flight. And nobody says so who is not asked to. */
  gst_test_sink_set (self->sink, "flush-interval", "4294967295");
  gst_test_sink_set (self->sink, "stall-warning", "0");
  return self;
}

static gpointer
read_all (gpointer data)
{
  Fifo *self = data;
  guint8 chunk[65536];
  gssize n;

  while ((n = read (self->fd, chunk, sizeof chunk)) > 0)
    g_byte_array_append (self->read, chunk, n);
  g_assert_cmpint (n, ==, 0);
  return NULL;
}

void
fifo_thaw (Fifo *self)
{
  self->read = g_byte_array_new ();
  self->reader = g_thread_new ("reader", read_all, self);
}

void
fifo_finish (Fifo *self, gsize expected)
{
  gst_test_sink_stop (self->sink);
  g_thread_join (self->reader);
  g_assert_cmpuint (self->read->len, ==, expected);
  for (gsize i = 0; i < expected; i++)
    if (self->read->data[i] != (guint8) i)
      g_error ("byte %" G_GSIZE_FORMAT " is %02x", i, self->read->data[i]);
  gst_test_sink_assert_no_error (self->sink);
  fifo_free (self);
}

void
fifo_break (Fifo *self)
{
  close (self->fd);
  self->fd = -1;
}

void
fifo_free (Fifo *self)
{
  g_autofree char *dir = g_path_get_dirname (self->path);

  g_clear_pointer (&self->read, g_byte_array_unref);
  gst_test_sink_free (self->sink);
  if (self->fd >= 0)
    close (self->fd);
  gst_test_remove_dir (dir);
  g_free (self->path);
  g_free (self);
}

static gpointer
push_all (gpointer data)
{
  Pusher *self = data;

  if (self->event != NULL)
    self->event_ret = gst_pad_push_event (self->sink->src, self->event);
  for (guint i = 0; i < self->n_buffers && self->ret == GST_FLOW_OK; i++)
    {
      GstBuffer *buffer = gst_test_sink_buffer (self->sink, self->size, 1);

      GST_BUFFER_FLAG_SET (buffer, self->flags);
      self->ret = gst_pad_push (self->sink->src, buffer);
      g_atomic_int_add (&self->n_pushed, self->ret == GST_FLOW_OK);
    }
  return NULL;
}

void
pusher_start (Pusher *self)
{
  self->thread = g_thread_new ("pusher", push_all, self);
}

void
wait_until_blocked (GstTestSink *sink, guint64 times)
{
  while (gst_test_sink_stat (sink, "blocked-count") < times)
    g_usleep (1000);
}
