/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* gaiofilesink while everything around it changes at the worst time: states from two threads while
 * a third pushes, flushes while the disk stands still. What there is to see is that it ends, that
 * the file is right where it can be known, that all buffers come back to their pool, and that no
 * descriptor and no thread is left, which the harness looks at. */

#include <glib/gstdio.h>

#include "gst-disk.h"
#include "gst-stall.h"

#if defined __SANITIZE_THREAD__ || defined __SANITIZE_ADDRESS__
#define N_CHANGES 60
#else
#define N_CHANGES 200
#endif

/* Pushes until it is told to stop, through flushes. */
typedef struct
{
  GstTestSink *sink;
  GstBufferPool *pool;
  gsize size;
  GThread *thread;
  GMutex lock; /* held while it pushes */
  gint stop;   /* (atomic) */
} Source;

static GstBufferPool *
pool_new (gsize size, guint max)
{
  GstBufferPool *pool = gst_buffer_pool_new ();
  GstStructure *config = gst_buffer_pool_get_config (pool);

  gst_buffer_pool_config_set_params (config, NULL, size, 0, max);
  g_assert_true (gst_buffer_pool_set_config (pool, config));
  g_assert_true (gst_buffer_pool_set_active (pool, TRUE));
  return pool;
}

/* All of its buffers are back, each of them once: the pool, which each would hold, is free. */
static void
pool_free (GstBufferPool *pool)
{
  g_assert_true (gst_buffer_pool_set_active (pool, FALSE));
  g_assert_cmpint (GST_OBJECT_REFCOUNT_VALUE (pool), ==, 1);
  gst_object_unref (pool);
}

static gpointer
source_run (gpointer data)
{
  Source *self = data;

  while (!g_atomic_int_get (&self->stop))
    {
      GstBuffer *buffer = NULL;
      GstFlowReturn ret;

      g_assert_cmpint (gst_buffer_pool_acquire_buffer (self->pool, &buffer, NULL), ==, GST_FLOW_OK);
      gst_buffer_memset (buffer, 0, 'x', self->size);
      g_mutex_lock (&self->lock);
      ret = gst_pad_push (self->sink->src, buffer);
      g_mutex_unlock (&self->lock);
      if (ret != GST_FLOW_OK)
        g_assert_cmpint (ret, ==, GST_FLOW_FLUSHING);
    }
  return NULL;
}

static void
source_start (Source *self)
{
  self->thread = g_thread_new ("source", source_run, self);
}

static void
source_stop (Source *self)
{
  g_atomic_int_set (&self->stop, TRUE);
  g_thread_join (self->thread);
}

/* States */

static gpointer
change_states (gpointer data)
{
  static const GstState states[] = {
    GST_STATE_NULL, GST_STATE_READY, GST_STATE_PAUSED, GST_STATE_PLAYING, GST_STATE_PLAYING,
  };
  GstElement *element = data;

  for (guint i = 0; i < N_CHANGES; i++)
    {
      GstState state = states[g_random_int_range (0, G_N_ELEMENTS (states))];

      g_assert_cmpint (gst_element_set_state (element, state), !=, GST_STATE_CHANGE_FAILURE);
      g_usleep (1 << g_random_int_range (0, 12));
    }
  return NULL;
}

/* Whatever the source made comes from the pool. */
static GstPadProbeReturn
take_from_pool (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  GstBuffer *made = GST_PAD_PROBE_INFO_BUFFER (info);
  GstBuffer *buffer = NULL;
  GstMapInfo map;

  g_assert_cmpint (gst_buffer_pool_acquire_buffer (data, &buffer, NULL), ==, GST_FLOW_OK);
  g_assert_true (gst_buffer_map (made, &map, GST_MAP_READ));
  g_assert_cmpuint (gst_buffer_fill (buffer, 0, map.data, map.size), ==, map.size);
  gst_buffer_unmap (made, &map);
  gst_buffer_unref (made);
  GST_PAD_PROBE_INFO_DATA (info) = buffer;
  return GST_PAD_PROBE_OK;
}

/* What a run has left behind is waited for by the next, on however slow a disk. */
#define A_LONG_TIME_NS ((guint64) 100 * GST_SECOND)

static void
state_storm (guint max_buffers, gsize size, guint64 max_bytes, gint64 drain_timeout)
{
  g_autofree char *dir = gst_test_make_dir ();
  g_autoptr (GstElement) pipeline = NULL;
  g_autoptr (GstElement) sink = NULL;
  g_autoptr (GstPad) pad = NULL;
  GstBufferPool *pool = pool_new (size, max_buffers);
  GThread *threads[2];

  pipeline = gst_test_parse ("fakesrc sizetype=fixed sizemax=%" G_GSIZE_FORMAT " "
                             "filltype=pattern-span ! gaiofilesink name=sink location=%s/out "
                             "max-bytes=%" G_GUINT64_FORMAT " drain-timeout=%" G_GINT64_FORMAT
                             " stall-warning=%" G_GUINT64_FORMAT,
                             size, dir, max_bytes, drain_timeout, A_LONG_TIME_NS);
  sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  pad = gst_element_get_static_pad (sink, "sink");
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, take_from_pool, pool, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("changer", change_states, pipeline);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  g_assert_cmpint (gst_element_set_state (pipeline, GST_STATE_NULL), ==, GST_STATE_CHANGE_SUCCESS);
  /* What was left behind gives its buffers back when it has been written. */
  while (drain_timeout >= 0 && GST_OBJECT_REFCOUNT_VALUE (pool) > 1)
    {
      gst_buffer_pool_set_active (pool, FALSE);
      g_usleep (1000);
    }
  pool_free (pool);
  gst_test_remove_dir (dir);
}

static void
test_states (void)
{
  state_storm (3, 50 * 1000, 64 * 1024 * 1024, -1);
  state_storm (0, 200 * 1000, 500 * 1000, -1);
  state_storm (8, 100, 1000, -1);
}

/* The same when the way to NULL does not wait, or not long, so that what is in flight is left to
 * the I/O thread, beside the next run. */
static void
test_states_in_a_hurry (void)
{
  state_storm (3, 50 * 1000, 64 * 1024 * 1024, 0);
  state_storm (0, 200 * 1000, 500 * 1000, 0);
  state_storm (0, 200 * 1000, 64 * 1024 * 1024, 200 * 1000);
}

/* A whole pipeline, from any state to any other; of a run that ended all is in the file. */
static void
test_pipeline_states (void)
{
  const GstState states[] = { GST_STATE_NULL, GST_STATE_READY, GST_STATE_PAUSED,
                              GST_STATE_PLAYING };
  g_autofree char *dir = gst_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "out", NULL);
  g_autoptr (GstElement) pipeline = NULL;
  g_autoptr (GstElement) sink = NULL;

  pipeline = gst_test_parse ("fakesrc sizetype=random sizemin=1 sizemax=100000 "
                             "filltype=pattern-span "
                             "! gaiofilesink name=sink max-bytes=300000 location=%s",
                             path);
  sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  for (guint i = 0; i < N_CHANGES; i++)
    {
      GstState state = states[g_random_int_range (0, G_N_ELEMENTS (states))];
      g_autoptr (GstStructure) stats = NULL;
      guint64 accepted = 0, written = 0;
      GStatBuf st;

      g_assert_cmpint (gst_element_set_state (pipeline, state), !=, GST_STATE_CHANGE_FAILURE);
      /* Half of the changes are overtaken by the next one. A change that had overtaken another may
       * never end, with filesink too, so this does not wait for ever. */
      if (g_random_boolean ())
        g_assert_cmpint (gst_element_get_state (pipeline, NULL, NULL, 20 * GST_MSECOND), !=,
                         GST_STATE_CHANGE_FAILURE);
      if (state == GST_STATE_PLAYING)
        g_usleep (1 << g_random_int_range (0, 14));
      if (state != GST_STATE_NULL)
        continue;
      g_object_get (sink, "io-stats", &stats, NULL);
      if (!gst_structure_get (stats, "bytes-accepted", G_TYPE_UINT64, &accepted, "bytes-written",
                              G_TYPE_UINT64, &written, NULL))
        continue;
      g_assert_cmpuint (written, ==, accepted);
      /* After READY the source begins again at 0, in the same file. */
      g_assert_cmpint (g_stat (path, &st), ==, 0);
      g_assert_cmpuint (st.st_size, <=, accepted);
    }
  g_assert_cmpint (gst_element_set_state (pipeline, GST_STATE_NULL), ==, GST_STATE_CHANGE_SUCCESS);
  gst_test_remove_dir (dir);
}

/* Flushes */

/* A segment must be there before the next push; `lock` keeps the source from it. */
static void
flush (GstTestSink *sink, GMutex *lock)
{
  g_assert_true (gst_pad_push_event (sink->src, gst_event_new_flush_start ()));
  g_usleep (g_random_int_range (0, 100));
  if (lock != NULL)
    g_mutex_lock (lock);
  g_assert_true (gst_pad_push_event (sink->src, gst_event_new_flush_stop (TRUE)));
  gst_test_sink_segment (sink, GST_FORMAT_TIME, 0);
  if (lock != NULL)
    g_mutex_unlock (lock);
  gst_element_set_state (sink->sink, GST_STATE_PLAYING);
}

/* On a disk that moves the last flush decides what is in the file. */
static void
test_flushes (void)
{
  GstTestSink *sink = gst_test_sink_new (NULL);
  Source source = { .sink = sink, .size = 100 * 1000 };
  GStatBuf st;

  source.pool = pool_new (source.size, 5);
  g_object_set (sink->sink, "max-bytes", (guint64) 1000 * 1000, NULL);
  gst_test_sink_play (sink, GST_FORMAT_BYTES);
  source_start (&source);
  for (guint i = 0; i < N_CHANGES; i++)
    flush (sink, &source.lock);
  source_stop (&source);
  flush (sink, NULL);
  g_assert_cmpint (gst_test_sink_position (sink), ==, 0);
  sink->next = 0;
  g_assert_cmpint (gst_test_sink_push (sink, 256), ==, GST_FLOW_OK);
  g_assert_true (gst_pad_push_event (sink->src, gst_event_new_eos ()));
  g_assert_cmpint (g_stat (sink->path, &st), ==, 0);
  g_assert_cmpint (st.st_size, ==, 256);
  gst_test_sink_assert_no_error (sink);
  gst_test_sink_stop (sink);
  pool_free (source.pool);
  gst_test_sink_free (sink);
}

/* Sixty-four buffers wait for a disk that stands still. Flushes return all the same, what had not
 * begun to be written is given back, and in the end the file has what came after the last one. */
static void
test_flushes_on_frozen_disk (void)
{
  GstTestDisk *disk = gst_test_disk_new ();
  const gsize size = 128 * 1024;
  g_autofree char *path = NULL;
  g_autofree guint8 *image = NULL;
  GstTestSink *sink;
  GstBufferPool *pool;

  if (disk == NULL)
    return;
  path = g_build_filename (disk->mount_point, "out", NULL);
  sink = gst_test_sink_new (path);
  pool = pool_new (size, 0);
  gst_test_sink_play (sink, GST_FORMAT_BYTES);
  g_assert_cmpint (gst_test_sink_push (sink, size), ==, GST_FLOW_OK);
  gst_test_disk_freeze (disk);
  for (guint i = 0; i < 20; i++)
    {
      guint64 level;

      for (guint j = 0; j < 64; j++)
        {
          GstBuffer *buffer = NULL;

          gst_buffer_pool_acquire_buffer (pool, &buffer, NULL);
          gst_buffer_memset (buffer, 0, 'x', size);
          g_assert_cmpint (gst_pad_push (sink->src, buffer), ==, GST_FLOW_OK);
        }
      level = gst_test_sink_stat (sink, "level-bytes");
      g_assert_cmpuint (level, >=, 64 * size);
      flush (sink, NULL);
      /* Less than went in for one more: only what is in flight stays. */
      g_assert_cmpuint (gst_test_sink_stat (sink, "level-bytes"), <, 64 * size);
    }
  sink->next = 0;
  g_assert_cmpint (gst_test_sink_push (sink, 2 * size), ==, GST_FLOW_OK);
  gst_test_disk_thaw (disk);
  g_assert_true (gst_pad_push_event (sink->src, gst_event_new_eos ()));
  gst_test_sink_stop (sink);
  image = g_malloc (2 * size);
  for (gsize i = 0; i < 2 * size; i++)
    image[i] = i;
  gst_test_assert_file (path, image, 2 * size);
  gst_test_sink_assert_no_error (sink);
  pool_free (pool);
  gst_test_sink_free (sink);
  gst_test_disk_free (disk);
}

/* While a push waits for room, from another thread than the one that pushes. */
static void
test_flushes_while_full (void)
{
  Fifo *fifo = fifo_new ();
  Source source = { .sink = fifo->sink, .size = 100 * 1000 };

  source.pool = pool_new (source.size, 4);
  g_object_set (fifo->sink->sink, "max-bytes", (guint64) 500 * 1000, NULL);
  gst_test_sink_play (fifo->sink, GST_FORMAT_TIME);
  source_start (&source);
  wait_until_blocked (fifo->sink, 1);
  for (guint i = 0; i < N_CHANGES; i++)
    flush (fifo->sink, &source.lock);
  g_assert_true (gst_pad_push_event (fifo->sink->src, gst_event_new_flush_start ()));
  source_stop (&source);

  fifo_thaw (fifo);
  gst_test_sink_stop (fifo->sink);
  g_thread_join (fifo->reader);
  pool_free (source.pool);
  gst_test_sink_assert_no_error (fifo->sink);
  fifo_free (fifo);
}

int
main (int argc, char **argv)
{
  gst_test_init (&argc, &argv);
  gaio_test_add ("/file-sink/storms/states", test_states);
  gaio_test_add ("/file-sink/storms/states-in-a-hurry", test_states_in_a_hurry);
  gaio_test_add ("/file-sink/storms/pipeline-states", test_pipeline_states);
  gaio_test_add ("/file-sink/storms/flushes", test_flushes);
  gaio_test_add ("/file-sink/storms/flushes-while-full", test_flushes_while_full);
  gaio_test_add ("/file-sink/storms/flushes-on-frozen-disk", test_flushes_on_frozen_disk);
  return g_test_run ();
}
