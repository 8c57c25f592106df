/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* gaiofilesink on a disk that does not move: what the window is for. The disk is a FIFO that
 * nobody reads, which anybody can have and which stalls for exactly as long as one likes; and, for
 * root, a real file system that is frozen.
 *
 * No test here looks at a clock. A push that must not block is made by the test's own thread while
 * nothing can move, so if it blocks the test never ends; a push that must block is made by a
 * thread of its own, and the sink's statistics say when it waits. */

#include <errno.h>

#include "gst-disk.h"
#include "gst-stall.h"

/* With room in the window a push returns, though nothing at all gets written. */
static void
test_never_blocks_with_room (void)
{
  Fifo *fifo = fifo_new ();

  gst_test_sink_play (fifo->sink, GST_FORMAT_BYTES);
  for (guint i = 0; i < 2000; i++)
    g_assert_cmpint (gst_test_sink_push (fifo->sink, 4096), ==, GST_FLOW_OK);
  for (guint i = 0; i < 40; i++)
    g_assert_cmpint (gst_test_sink_push (fifo->sink, 256 * 1024), ==, GST_FLOW_OK);
  g_assert_cmpuint (gst_test_sink_stat (fifo->sink, "bytes-accepted"),
                    ==,
                    2000 * 4096 + 40 * 256 * 1024);
  g_assert_cmpuint (gst_test_sink_stat (fifo->sink, "copied-bytes"), ==, 2000 * 4096);
  g_assert_cmpuint (gst_test_sink_stat (fifo->sink, "level-bytes"), >, 16 * 1024 * 1024);
  g_assert_cmpuint (gst_test_sink_stat (fifo->sink, "blocked-count"), ==, 0);
  fifo_thaw (fifo);
  fifo_finish (fifo, 2000 * 4096 + 40 * 256 * 1024);
}

/* A camera with eight buffers gets all of them back while nothing moves: the ninth acquire would
 * wait for ever otherwise. */
static void
test_pool_of_eight (void)
{
  Fifo *fifo = fifo_new ();
  g_autoptr (GstBufferPool) pool = gst_buffer_pool_new ();
  GstStructure *config = gst_buffer_pool_get_config (pool);
  const gsize size = 200 * 1000;

  gst_buffer_pool_config_set_params (config, NULL, size, 8, 8);
  g_assert_true (gst_buffer_pool_set_config (pool, config));
  g_assert_true (gst_buffer_pool_set_active (pool, TRUE));
  gst_test_sink_play (fifo->sink, GST_FORMAT_BYTES);
  for (guint i = 0; i < 100; i++)
    {
      GstBuffer *buffer;
      GstMapInfo map;

      g_assert_cmpint (gst_buffer_pool_acquire_buffer (pool, &buffer, NULL), ==, GST_FLOW_OK);
      g_assert_true (gst_buffer_map (buffer, &map, GST_MAP_WRITE));
      for (gsize j = 0; j < size; j++)
        map.data[j] = i * size + j;
      gst_buffer_unmap (buffer, &map);
      g_assert_cmpint (gst_pad_push (fifo->sink->src, buffer), ==, GST_FLOW_OK);
    }
  /* It can stop too, and go. */
  g_assert_true (gst_buffer_pool_set_active (pool, FALSE));
  g_assert_cmpint (GST_OBJECT_REFCOUNT_VALUE (pool), ==, 1);
  fifo_thaw (fifo);
  fifo_finish (fifo, 100 * size);
}

/* Without a limit there is no reason to copy; and the buffers go back when they are written. */
static void
test_pool_without_limit (void)
{
  GstTestSink *t = gst_test_sink_new (NULL);
  g_autoptr (GstBufferPool) pool = gst_buffer_pool_new ();
  GstStructure *config = gst_buffer_pool_get_config (pool);
  const gsize size = 200 * 1000;

  gst_buffer_pool_config_set_params (config, NULL, size, 0, 0);
  g_assert_true (gst_buffer_pool_set_config (pool, config));
  g_assert_true (gst_buffer_pool_set_active (pool, TRUE));
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  for (guint i = 0; i < 50; i++)
    {
      GstBuffer *buffer;

      g_assert_cmpint (gst_buffer_pool_acquire_buffer (pool, &buffer, NULL), ==, GST_FLOW_OK);
      gst_buffer_memset (buffer, 0, i, size);
      g_assert_cmpint (gst_pad_push (t->src, buffer), ==, GST_FLOW_OK);
    }
  g_assert_true (gst_pad_push_event (t->src, gst_event_new_eos ()));
  g_assert_cmpuint (gst_test_sink_stat (t, "copied-bytes"), ==, 0);
  g_assert_cmpuint (gst_test_sink_stat (t, "memory-bytes"), ==, 0);
  gst_test_sink_stop (t);
  g_assert_true (gst_buffer_pool_set_active (pool, FALSE));
  g_assert_cmpint (GST_OBJECT_REFCOUNT_VALUE (pool), ==, 1);
  gst_test_sink_free (t);
}

/* A full window makes the push wait, within its bound; a pause in between loses nothing. */
static void
test_full (void)
{
  Fifo *fifo = fifo_new ();
  Pusher pusher = { .sink = fifo->sink, .size = 10000, .n_buffers = 1000 };
  const guint64 max_bytes = 1000 * 1000;

  g_object_set (fifo->sink->sink, "max-bytes", max_bytes, NULL);
  gst_test_sink_play (fifo->sink, GST_FORMAT_BYTES);
  pusher_start (&pusher);
  wait_until_blocked (fifo->sink, 1);
  g_assert_cmpint (g_atomic_int_get (&pusher.n_pushed), <, 1000);
  g_assert_cmpuint (gst_test_sink_stat (fifo->sink, "level-peak"), <=, max_bytes);
  g_assert_cmpuint (gst_test_sink_stat (fifo->sink, "memory-peak"), <=, max_bytes);
  g_assert_cmpuint (gst_test_sink_stat (fifo->sink, "level-bytes"), >, max_bytes - 10000);

  /* The waiting push has let go of what the state change needs, or this would not return. */
  for (guint i = 0; i < 3; i++)
    {
      g_assert_cmpint (gst_element_set_state (fifo->sink->sink, GST_STATE_PAUSED),
                       ==,
                       GST_STATE_CHANGE_SUCCESS);
      g_assert_cmpint (gst_element_set_state (fifo->sink->sink, GST_STATE_PLAYING),
                       ==,
                       GST_STATE_CHANGE_SUCCESS);
      wait_until_blocked (fifo->sink, 2 + i);
    }

  fifo_thaw (fifo);
  g_thread_join (pusher.thread);
  g_assert_cmpint (pusher.ret, ==, GST_FLOW_OK);
  g_assert_cmpuint (gst_test_sink_stat (fifo->sink, "blocked-time"), >, 0);
  g_assert_cmpuint (gst_test_sink_stat (fifo->sink, "memory-peak"), <=, max_bytes);
  fifo_finish (fifo, 1000 * 10000);
}

/* In PAUSED, too, a push may come to wait for room: the base class lets data through there, once
 * the sink has gone to PLAYING in one step. Then the way back to PLAYING must be open. */
static void
test_full_in_paused (void)
{
  Fifo *fifo = fifo_new ();
  Pusher pusher = { .sink = fifo->sink, .size = 10000, .n_buffers = 99 };

  g_object_set (fifo->sink->sink, "max-bytes", (guint64) 500 * 1000, NULL);
  gst_test_sink_play (fifo->sink, GST_FORMAT_BYTES);
  g_assert_cmpint (gst_test_sink_push (fifo->sink, 10000), ==, GST_FLOW_OK);
  g_assert_cmpint (gst_element_set_state (fifo->sink->sink, GST_STATE_PAUSED),
                   !=,
                   GST_STATE_CHANGE_FAILURE);
  pusher_start (&pusher);
  /* A base class that does not let data through never gets there. */
  for (guint i = 0; i < 300 && gst_test_sink_stat (fifo->sink, "blocked-count") == 0; i++)
    g_usleep (1000);
  g_assert_cmpint (gst_element_set_state (fifo->sink->sink, GST_STATE_PLAYING),
                   !=,
                   GST_STATE_CHANGE_FAILURE);
  wait_until_blocked (fifo->sink, 1);
  fifo_thaw (fifo);
  g_thread_join (pusher.thread);
  g_assert_cmpint (pusher.ret, ==, GST_FLOW_OK);
  fifo_finish (fifo, 100 * 10000);
}

/* More room is used at once. */
static void
test_grow (void)
{
  Fifo *fifo = fifo_new ();
  Pusher pusher = { .sink = fifo->sink, .size = 10000, .n_buffers = 1000 };

  g_object_set (fifo->sink->sink, "max-bytes", (guint64) 1000 * 1000, NULL);
  gst_test_sink_play (fifo->sink, GST_FORMAT_BYTES);
  pusher_start (&pusher);
  wait_until_blocked (fifo->sink, 1);
  g_object_set (fifo->sink->sink, "max-bytes", (guint64) 100 * 1000 * 1000, NULL);
  g_thread_join (pusher.thread);
  g_assert_cmpint (pusher.ret, ==, GST_FLOW_OK);
  fifo_thaw (fifo);
  fifo_finish (fifo, 1000 * 10000);
}

static void
test_larger_than_window (void)
{
  GstTestSink *t = gst_test_sink_new (NULL);
  const gsize size = 3 * 1000 * 1000;
  g_autofree guint8 *image = g_malloc (2 * size + 1);

  for (gsize i = 0; i < 2 * size + 1; i++)
    image[i] = i;
  g_object_set (t->sink, "max-bytes", (guint64) 1000, NULL);
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  g_assert_cmpint (gst_test_sink_push (t, 1), ==, GST_FLOW_OK);
  g_assert_cmpint (gst_test_sink_push (t, size), ==, GST_FLOW_OK);
  g_assert_cmpint (gst_test_sink_push (t, size), ==, GST_FLOW_OK);
  g_assert_true (gst_pad_push_event (t->src, gst_event_new_eos ()));
  /* Alone: never two of them. */
  g_assert_cmpuint (gst_test_sink_stat (t, "level-peak"), ==, size);
  gst_test_assert_file (t->path, image, 2 * size + 1);
  gst_test_sink_free (t);
}

/* A small view of a large memory costs the window what it keeps alive, or is copied. */
static void
test_small_view_of_large_memory (void)
{
  Fifo *fifo = fifo_new ();
  g_autoptr (GstBuffer) whole = gst_test_sink_buffer (fifo->sink, 1024 * 1024, 1);

  gst_test_sink_play (fifo->sink, GST_FORMAT_BYTES);
  for (guint i = 0; i < 8; i++)
    {
      GstBuffer *part = gst_buffer_copy_region (whole,
                                                GST_BUFFER_COPY_MEMORY,
                                                i * 128 * 1024,
                                                128 * 1024);

      g_assert_cmpint (gst_pad_push (fifo->sink->src, part), ==, GST_FLOW_OK);
    }
  g_assert_cmpuint (gst_test_sink_stat (fifo->sink, "copied-bytes"), ==, 1024 * 1024);
  g_assert_true (gst_mini_object_is_writable (GST_MINI_OBJECT (gst_buffer_peek_memory (whole, 0))));
  fifo_thaw (fifo);
  fifo_finish (fifo, 1024 * 1024);
}

/* A flush gets a waiting push out while nothing moves, and the sink goes on afterwards. */
static void
test_flush_while_full (void)
{
  Fifo *fifo = fifo_new ();
  Pusher pusher = { .sink = fifo->sink, .size = 10000, .n_buffers = 1000 };
  gsize pushed;

  g_object_set (fifo->sink->sink, "max-bytes", (guint64) 500 * 1000, NULL);
  gst_test_sink_play (fifo->sink, GST_FORMAT_BYTES);
  pusher_start (&pusher);
  wait_until_blocked (fifo->sink, 1);
  g_assert_true (gst_pad_push_event (fifo->sink->src, gst_event_new_flush_start ()));
  g_thread_join (pusher.thread);
  g_assert_cmpint (pusher.ret, ==, GST_FLOW_FLUSHING);
  g_assert_true (gst_pad_push_event (fifo->sink->src, gst_event_new_flush_stop (TRUE)));

  /* A FIFO takes nothing back: what was accepted gets there, and position stays. */
  pushed = pusher.n_pushed * pusher.size;
  g_assert_cmpint (gst_test_sink_position (fifo->sink), ==, pushed);
  gst_test_sink_segment (fifo->sink, GST_FORMAT_BYTES, pushed);
  fifo_thaw (fifo);
  gst_element_set_state (fifo->sink->sink, GST_STATE_PLAYING);
  fifo->sink->next = (guint8) pushed;
  g_assert_cmpint (gst_test_sink_push (fifo->sink, 1000), ==, GST_FLOW_OK);
  fifo_finish (fifo, pushed + 1000);
}

/* So does going to READY. */
static void
test_ready_while_full (void)
{
  Fifo *fifo = fifo_new ();
  Pusher pusher = { .sink = fifo->sink, .size = 100000, .n_buffers = 1000 };

  g_object_set (fifo->sink->sink, "max-bytes", (guint64) 500 * 1000, NULL);
  gst_test_sink_play (fifo->sink, GST_FORMAT_BYTES);
  pusher_start (&pusher);
  wait_until_blocked (fifo->sink, 1);
  g_assert_cmpint (gst_element_set_state (fifo->sink->sink, GST_STATE_READY),
                   ==,
                   GST_STATE_CHANGE_SUCCESS);
  g_thread_join (pusher.thread);
  g_assert_cmpint (pusher.ret, ==, GST_FLOW_FLUSHING);
  fifo_thaw (fifo);
  fifo_finish (fifo, pusher.n_pushed * pusher.size);
}

/* EOS is posted when all is in the file and not before; a pause interrupts the wait for it, but
 * does not end it. */
static void
test_eos_waits (void)
{
  Fifo *fifo = fifo_new ();
  Pusher pusher = { .sink = fifo->sink, .event = gst_event_new_eos () };
  g_autoptr (GstMessage) eos = NULL;
  g_autoptr (GstMessage) early = NULL;

  gst_test_sink_play (fifo->sink, GST_FORMAT_BYTES);
  g_assert_cmpint (gst_test_sink_push (fifo->sink, 1024 * 1024), ==, GST_FLOW_OK);
  pusher_start (&pusher);
  g_assert_cmpint (gst_element_set_state (fifo->sink->sink, GST_STATE_PAUSED),
                   !=,
                   GST_STATE_CHANGE_FAILURE);
  g_assert_cmpint (gst_element_set_state (fifo->sink->sink, GST_STATE_PLAYING),
                   !=,
                   GST_STATE_CHANGE_FAILURE);
  early = gst_bus_pop_filtered (fifo->sink->bus, GST_MESSAGE_EOS);
  g_assert_null (early);
  g_assert_cmpuint (gst_test_sink_stat (fifo->sink, "level-bytes"), >, 0);

  fifo_thaw (fifo);
  eos = gst_test_wait_message (fifo->sink->bus, GST_MESSAGE_EOS);
  g_assert_cmpuint (gst_test_sink_stat (fifo->sink, "level-bytes"), ==, 0);
  g_assert_cmpuint (gst_test_sink_stat (fifo->sink, "bytes-written"), ==, 1024 * 1024);
  g_clear_pointer (&eos, gst_message_unref); /* it holds the sink */
  g_thread_join (pusher.thread);
  g_assert_true (pusher.event_ret);
  fifo_finish (fifo, 1024 * 1024);
}

/* A flush ends it. */
static void
test_flush_during_eos (void)
{
  Fifo *fifo = fifo_new ();
  Pusher pusher = { .sink = fifo->sink, .event = gst_event_new_eos () };
  g_autoptr (GstMessage) eos = NULL;

  gst_test_sink_play (fifo->sink, GST_FORMAT_BYTES);
  g_assert_cmpint (gst_test_sink_push (fifo->sink, 1024 * 1024), ==, GST_FLOW_OK);
  pusher_start (&pusher);
  g_assert_true (gst_pad_push_event (fifo->sink->src, gst_event_new_flush_start ()));
  g_thread_join (pusher.thread);
  g_assert_false (pusher.event_ret);
  g_assert_true (gst_pad_push_event (fifo->sink->src, gst_event_new_flush_stop (TRUE)));
  eos = gst_bus_pop_filtered (fifo->sink->bus, GST_MESSAGE_EOS);
  g_assert_null (eos);
  fifo_thaw (fifo);
  fifo_finish (fifo, 1024 * 1024);
}

/* Bytes that are too few for a write of their own do not wait for the end of the stream. */
static void
test_few_bytes_get_written (void)
{
  GstTestSink *t = gst_test_sink_new (NULL);

  gst_test_sink_play (t, GST_FORMAT_BYTES);
  for (guint64 i = 1; i <= 3; i++)
    {
      g_assert_cmpint (gst_test_sink_push (t, 10), ==, GST_FLOW_OK);
      while (gst_test_sink_stat (t, "bytes-written") < 10 * i)
        g_usleep (1000);
    }
  gst_test_sink_free (t);
}

/* In one write when they come soon enough after each other. */
static void
test_small_buffers_are_joined (void)
{
  Fifo *fifo = fifo_new ();

  gst_test_sink_play (fifo->sink, GST_FORMAT_BYTES);
  for (guint i = 0; i < 20000; i++)
    g_assert_cmpint (gst_test_sink_push (fifo->sink, 100), ==, GST_FLOW_OK);
  fifo_thaw (fifo);
  g_assert_true (gst_pad_push_event (fifo->sink->src, gst_event_new_eos ()));
  /* What was pushed before the FIFO was full went out in writes of buffer-size at least; all the
   * rest, two thousand times thousand bytes less the FIFO's, in writes of up to 1 MiB. */
  g_assert_cmpuint (gst_test_sink_stat (fifo->sink, "writes"), <, 100);
  fifo_finish (fifo, 20000 * 100);
}

/* A reader that goes away, with a write in flight. */
static void
test_broken_pipe (void)
{
  Fifo *fifo = fifo_new ();

  /* As programs that write to pipes do. */
  signal (SIGPIPE, SIG_IGN);
  gst_test_sink_play (fifo->sink, GST_FORMAT_BYTES);
  g_assert_cmpint (gst_test_sink_push (fifo->sink, 1024 * 1024), ==, GST_FLOW_OK);
  fifo_break (fifo);
  g_assert_cmpint (gst_test_sink_assert_error (fifo->sink, GST_RESOURCE_ERROR_WRITE, "EPIPE"),
                   ==,
                   EPIPE);
  /* The message may come a little earlier than the refusal, but never later. */
  while (gst_test_sink_push (fifo->sink, 100) == GST_FLOW_OK)
    ;
  g_assert_cmpint (gst_test_sink_push (fifo->sink, 100), ==, GST_FLOW_ERROR);
  gst_test_sink_assert_no_error (fifo->sink);
  gst_test_sink_stop (fifo->sink);
  fifo_free (fifo);
}

static void
test_fifo_has_no_positions (void)
{
  Fifo *fifo = fifo_new ();
  g_autoptr (GstQuery) query = gst_query_new_seeking (GST_FORMAT_BYTES);
  gboolean seekable = TRUE;

  gst_test_sink_play (fifo->sink, GST_FORMAT_BYTES);
  g_assert_true (gst_pad_peer_query (fifo->sink->src, query));
  gst_query_parse_seeking (query, NULL, &seekable, NULL, NULL);
  g_assert_false (seekable);
  g_assert_cmpint (gst_test_sink_push (fifo->sink, 100), ==, GST_FLOW_OK);
  gst_test_sink_segment (fifo->sink, GST_FORMAT_BYTES, 10);
  g_assert_cmpint (gst_test_sink_assert_error (fifo->sink, GST_RESOURCE_ERROR_SEEK, NULL),
                   ==,
                   ESPIPE);
  fifo_thaw (fifo);
  fifo_finish (fifo, 100);
}

/* A real disk. */

static void
frozen_disk (GstTestDisk *disk)
{
  g_autofree char *path = g_build_filename (disk->mount_point, "out", NULL);
  GstTestSink *t = gst_test_sink_new (path);
  g_autoptr (GstBufferPool) pool = gst_buffer_pool_new ();
  GstStructure *config = gst_buffer_pool_get_config (pool);
  const gsize size = 256 * 1024;
  const guint n_buffers = 100;
  g_autofree guint8 *image = g_malloc (n_buffers * size);

  for (gsize i = 0; i < n_buffers * size; i++)
    image[i] = i / 256 + i;
  gst_buffer_pool_config_set_params (config, NULL, size, 8, 8);
  g_assert_true (gst_buffer_pool_set_config (pool, config));
  g_assert_true (gst_buffer_pool_set_active (pool, TRUE));
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  for (guint i = 0; i < n_buffers; i++)
    {
      GstBuffer *buffer;

      if (i == 10)
        gst_test_disk_freeze (disk);
      g_assert_cmpint (gst_buffer_pool_acquire_buffer (pool, &buffer, NULL), ==, GST_FLOW_OK);
      gst_buffer_fill (buffer, 0, image + i * size, size);
      g_assert_cmpint (gst_pad_push (t->src, buffer), ==, GST_FLOW_OK);
    }
  /* One write may have slipped in before the disk stood still. */
  g_assert_cmpuint (gst_test_sink_stat (t, "level-bytes"), >, (n_buffers - 20) * size);
  g_assert_cmpuint (gst_test_sink_stat (t, "blocked-count"), ==, 0);

  gst_test_disk_thaw (disk);
  g_assert_true (gst_pad_push_event (t->src, gst_event_new_eos ()));
  g_assert_true (gst_buffer_pool_set_active (pool, FALSE));
  gst_test_assert_file (path, image, n_buffers * size);
  gst_test_sink_assert_no_error (t);
  gst_test_sink_free (t);
}

static void
test_frozen_disk (void)
{
  GstTestDisk *disk = gst_test_disk_new ();

  if (disk == NULL)
    return;
  frozen_disk (disk);
  gst_test_disk_free (disk);
}

int
main (int argc, char **argv)
{
  gst_test_init (&argc, &argv);
  gaio_test_add ("/file-sink/stall/never-blocks-with-room", test_never_blocks_with_room);
  gaio_test_add ("/file-sink/stall/pool-of-eight", test_pool_of_eight);
  gaio_test_add ("/file-sink/stall/pool-without-limit", test_pool_without_limit);
  gaio_test_add ("/file-sink/stall/full", test_full);
  gaio_test_add ("/file-sink/stall/full-in-paused", test_full_in_paused);
  gaio_test_add ("/file-sink/stall/grow", test_grow);
  gaio_test_add ("/file-sink/stall/larger-than-window", test_larger_than_window);
  gaio_test_add ("/file-sink/stall/small-view", test_small_view_of_large_memory);
  gaio_test_add ("/file-sink/stall/flush-while-full", test_flush_while_full);
  gaio_test_add ("/file-sink/stall/ready-while-full", test_ready_while_full);
  gaio_test_add ("/file-sink/stall/eos-waits", test_eos_waits);
  gaio_test_add ("/file-sink/stall/flush-during-eos", test_flush_during_eos);
  gaio_test_add ("/file-sink/stall/few-bytes", test_few_bytes_get_written);
  gaio_test_add ("/file-sink/stall/small-buffers", test_small_buffers_are_joined);
  gaio_test_add ("/file-sink/stall/broken-pipe", test_broken_pipe);
  gaio_test_add ("/file-sink/stall/no-positions", test_fifo_has_no_positions);
  gaio_test_add ("/file-sink/stall/frozen-disk", test_frozen_disk);
  return g_test_run ();
}
