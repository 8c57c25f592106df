/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* gaiofilesrc in whole pipelines, beside filesrc: demuxers that push and pull, seeks and changes of
 * state at any moment, and many sources at once. */

#include <glib/gstdio.h>

#include "src-test.h"

/* Demuxers */

static void
note_buffer (GstElement *sink, GstBuffer *buffer, GstPad *pad, gpointer user_data)
{
  GString *log = user_data;
  GstMapInfo map;
  g_autofree char *sum = NULL;

  g_assert_true (gst_buffer_map (buffer, &map, GST_MAP_READ));
  sum = g_compute_checksum_for_data (G_CHECKSUM_SHA1, map.data, map.size);
  gst_buffer_unmap (buffer, &map);
  g_string_append_printf (log, "%" GST_TIME_FORMAT " %" G_GSIZE_FORMAT " %s\n",
                          GST_TIME_ARGS (GST_BUFFER_PTS (buffer)), map.size, sum);
}

static GstElement *
parse_launch (const char *text)
{
  g_autoptr (GError) error = NULL;
  GstElement *pipeline = gst_parse_launch (text, &error);

  g_assert_no_error (error);
  return gst_object_ref_sink (pipeline);
}

static void
run_to_eos (GstElement *pipeline)
{
  g_assert_cmpint (gst_element_set_state (pipeline, GST_STATE_PLAYING), !=,
                   GST_STATE_CHANGE_FAILURE);
  wait_for_eos (pipeline);
  assert_state (pipeline, GST_STATE_NULL, GST_STATE_CHANGE_SUCCESS);
}

/* What comes out of `tail` behind a source, with a seek into the middle when it is at its end. */
static char *
log_of (const char *factory, const char *path, const char *tail, gboolean seeks)
{
  g_autofree char *text = g_strdup_printf ("%s name=src location=%s ! %s "
                                           "! fakesink name=sink signal-handoffs=true",
                                           factory, path, tail);
  g_autoptr (GstElement) pipeline = parse_launch (text);
  g_autoptr (GstElement) sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  GString *log = g_string_new (NULL);

  g_signal_connect (sink, "handoff", G_CALLBACK (note_buffer), log);
  gst_element_set_state (pipeline, GST_STATE_PAUSED);
  g_assert_cmpint (gst_element_get_state (pipeline, NULL, NULL, GST_CLOCK_TIME_NONE), ==,
                   GST_STATE_CHANGE_SUCCESS);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  wait_for_eos (pipeline);
  if (seeks)
    {
      g_string_append (log, "seek\n");
      gst_element_set_state (pipeline, GST_STATE_PAUSED);
      g_assert_true (gst_element_seek_simple (
          pipeline, GST_FORMAT_TIME, GST_SEEK_FLAG_FLUSH | GST_SEEK_FLAG_KEY_UNIT, GST_SECOND));
      g_assert_cmpint (gst_element_get_state (pipeline, NULL, NULL, GST_CLOCK_TIME_NONE), ==,
                       GST_STATE_CHANGE_SUCCESS);
      gst_element_set_state (pipeline, GST_STATE_PLAYING);
      wait_for_eos (pipeline);
    }
  assert_state (pipeline, GST_STATE_NULL, GST_STATE_CHANGE_SUCCESS);
  return g_string_free (log, FALSE);
}

/* A file made by `make_it`, read through `tail`: by pull, and by push behind a tee. (A queue
 * there stops for ever now and then, with either source, when a demuxer seeks.) */
static void
same_demuxed (const char *const *plugins, const char *make_it, const char *tail, gboolean seeks)
{
  g_autofree char *dir = NULL;
  g_autofree char *path = NULL;
  g_autofree char *text = NULL;
  g_autofree char *pushed = g_strconcat ("tee ! ", tail, NULL);
  const char *const tails[] = { tail, pushed };

  for (guint i = 0; plugins[i] != NULL; i++)
    if (!gst_test_need_plugin (plugins[i]))
      return;
  dir = gst_test_make_dir ();
  path = g_build_filename (dir, "in", NULL);
  text = g_strdup_printf ("%s ! filesink location=%s", make_it, path);
  {
    g_autoptr (GstElement) maker = parse_launch (text);

    run_to_eos (maker);
  }
  for (guint i = 0; i < G_N_ELEMENTS (tails); i++)
    {
      g_autofree char *theirs = log_of ("filesrc", path, tails[i], seeks);
      g_autofree char *ours = log_of ("gaiofilesrc", path, tails[i], seeks);
      g_autofree char *small =
          log_of ("gaiofilesrc read-ahead=20000 read-size=7000", path, tails[i], seeks);

      g_assert_cmpuint (strlen (theirs), >, 1000);
      g_assert_cmpstr (ours, ==, theirs);
      g_assert_cmpstr (small, ==, theirs);
    }
  gst_test_remove_dir (dir);
}

#define VIDEO                                                                                      \
  "videotestsrc num-buffers=90 pattern=ball ! video/x-raw,width=320,height=240,framerate=30/1 "    \
  "! jpegenc "
#define AUDIO "audiotestsrc num-buffers=130 samplesperbuffer=1024 ! audio/x-raw,rate=44100 "

static void
test_wav (void)
{
  same_demuxed ((const char *[]){ "audiotestsrc", "wavenc", "wavparse", NULL }, AUDIO "! wavenc",
                "wavparse", TRUE);
}

static void
test_matroska (void)
{
  same_demuxed ((const char *[]){ "videotestsrc", "jpeg", "matroska", NULL }, VIDEO "! matroskamux",
                "matroskademux", TRUE);
}

static void
test_mp4 (void)
{
  same_demuxed ((const char *[]){ "videotestsrc", "jpeg", "isomp4", NULL }, VIDEO "! qtmux",
                "qtdemux", TRUE);
}

static void
test_mp4_decoded (void)
{
  same_demuxed ((const char *[]){ "videotestsrc", "jpeg", "isomp4", NULL },
                VIDEO "! qtmux faststart=true", "qtdemux ! jpegdec", TRUE);
}

/* Its index is at the end, and its two streams are interleaved. There is no seek after the end: the
 * demuxer does not always take one there. */
static void
test_avi (void)
{
  same_demuxed ((const char *[]){ "videotestsrc", "jpeg", "avi", "audiotestsrc", NULL },
                VIDEO "! queue ! m. " AUDIO "! queue ! m. avimux name=m",
                "avidemux name=d d.audio_0 ! queue max-size-buffers=0 max-size-bytes=0 "
                "max-size-time=0 ! fakesink async=false d.video_0",
                FALSE);
}

static void
test_typefind (void)
{
  same_demuxed ((const char *[]){ "audiotestsrc", "wavenc", "wavparse", "typefindfunctions", NULL },
                AUDIO "! wavenc", "typefind minimum=50 ! audio/x-wav ! wavparse", TRUE);
}

/* Storms */

static void
check_place (GstElement *sink, GstBuffer *buffer, GstPad *pad, gpointer user_data)
{
  Source *source = user_data;

  g_assert_cmpuint (GST_BUFFER_OFFSET (buffer) + gst_buffer_get_size (buffer), <=, SIZE);
  g_assert_cmpint (gst_buffer_memcmp (buffer, 0, source->data + GST_BUFFER_OFFSET (buffer),
                                      gst_buffer_get_size (buffer)),
                   ==, 0);
}

static GstElement *
place_checker (Source *source, const char *sets)
{
  g_autofree char *text = g_strdup_printf ("gaiofilesrc name=src location=%s %s ! fakesink "
                                           "name=sink signal-handoffs=true",
                                           source->path, sets);
  GstElement *pipeline = parse_launch (text);
  g_autoptr (GstElement) sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");

  g_signal_connect (sink, "handoff", G_CALLBACK (check_place), source);
  return pipeline;
}

/* A bin forgets to go on to PLAYING now and then, when one seek overtakes another: the sink waits
 * in PAUSED. So it is told again. */
static void
insist_on_eos (GstElement *pipeline)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GstMessage) message = NULL;

  while (message == NULL)
    {
      gst_element_set_state (pipeline, GST_STATE_PLAYING);
      message = gst_bus_timed_pop_filtered (bus, 20 * GST_MSECOND,
                                            GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    }
  g_assert_cmpint (GST_MESSAGE_TYPE (message), ==, GST_MESSAGE_EOS);
}

/* Flushing seeks while reads are under way. */
static void
test_seek_storm (void)
{
  static const char *const sets[] = {
    "blocksize=4096",
    "blocksize=70000 read-size=100000",
    "blocksize=5000 read-ahead=0",
  };
  Source *source = source_new (SIZE);

  for (guint i = 0; i < G_N_ELEMENTS (sets); i++)
    {
      g_autoptr (GstElement) pipeline = place_checker (source, sets[i]);
      g_autoptr (GstElement) src = gst_bin_get_by_name (GST_BIN (pipeline), "src");

      gst_element_set_state (pipeline, GST_STATE_PLAYING);
      gst_element_get_state (pipeline, NULL, NULL, GST_CLOCK_TIME_NONE);
      for (guint j = 0; j < 300; j++)
        {
          g_assert_true (gst_element_seek_simple (src, GST_FORMAT_BYTES, GST_SEEK_FLAG_FLUSH,
                                                  g_test_rand_int_range (0, SIZE)));
          if (j % 16 == 0)
            g_usleep (g_test_rand_int_range (0, 2000));
        }
      g_assert_true (
          gst_element_seek_simple (src, GST_FORMAT_BYTES, GST_SEEK_FLAG_FLUSH, SIZE - 10));
      insist_on_eos (pipeline);
      assert_state (pipeline, GST_STATE_NULL, GST_STATE_CHANGE_SUCCESS);
    }
  source_free (source);
}

static void
test_random_states (void)
{
  static const GstState states[] = { GST_STATE_NULL, GST_STATE_READY, GST_STATE_PAUSED,
                                     GST_STATE_PLAYING };
  Source *source = source_new (SIZE);
  g_autoptr (GstElement) pipeline = place_checker (source, "");

  for (guint i = 0; i < 300; i++)
    {
      g_assert_cmpint (gst_element_set_state (pipeline, states[g_test_rand_int_range (0, 4)]), !=,
                       GST_STATE_CHANGE_FAILURE);
      /* Not until it is reached: a bin forgets to say so now and then, with filesrc too. */
      if (i % 4 == 0)
        gst_element_get_state (pipeline, NULL, NULL, 10 * GST_MSECOND);
      else
        g_usleep (g_test_rand_int_range (0, 1000));
    }
  assert_state (pipeline, GST_STATE_NULL, GST_STATE_CHANGE_SUCCESS);
  source_free (source);
}

/* The same by pull, with a demuxer's thread. */
static void
test_random_states_pull (void)
{
  static const GstState states[] = { GST_STATE_NULL, GST_STATE_READY, GST_STATE_PAUSED,
                                     GST_STATE_PLAYING };
  g_autofree char *dir = NULL;
  g_autofree char *text = NULL;
  g_autoptr (GstElement) maker = NULL;
  g_autoptr (GstElement) pipeline = NULL;

  if (!gst_test_need_plugin ("audiotestsrc") || !gst_test_need_plugin ("wavenc") ||
      !gst_test_need_plugin ("wavparse"))
    return;
  dir = gst_test_make_dir ();
  text = g_strdup_printf (AUDIO "! wavenc ! filesink location=%s/in", dir);
  maker = parse_launch (text);
  run_to_eos (maker);
  g_free (text);
  text = g_strdup_printf ("gaiofilesrc name=src location=%s/in ! wavparse ! fakesink", dir);
  pipeline = parse_launch (text);
  for (guint i = 0; i < 200; i++)
    {
      g_assert_cmpint (gst_element_set_state (pipeline, states[g_test_rand_int_range (0, 4)]), !=,
                       GST_STATE_CHANGE_FAILURE);
      g_usleep (g_test_rand_int_range (0, 2000));
    }
  assert_state (pipeline, GST_STATE_NULL, GST_STATE_CHANGE_SUCCESS);
  gst_test_remove_dir (dir);
}

/* Many */

/* The threads that are called as the shared I/O threads are: gaio-MAJOR:MINOR. */
static guint
count_io_threads (void)
{
  g_autoptr (GDir) tasks = g_dir_open ("/proc/self/task", 0, NULL);
  const char *name;
  guint n = 0;

  while ((name = g_dir_read_name (tasks)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc/self/task", name, "comm", NULL);
      g_autofree char *comm = NULL;

      if (g_file_get_contents (path, &comm, NULL, NULL))
        n += g_str_has_prefix (comm, "gaio-") && strchr (comm, ':') != NULL;
    }
  return n;
}

static void
test_many (void)
{
  Source *source = source_new (SIZE);
  GstElement *sources[64];
  GstPad *pads[64];

  for (guint i = 0; i < G_N_ELEMENTS (sources); i++)
    {
      sources[i] = make ("gaiofilesrc", source->path);
      pads[i] = start_pull (sources[i]);
    }
  for (guint64 offset = 0; offset + 70000 < SIZE; offset += 70000)
    for (guint i = 0; i < G_N_ELEMENTS (sources); i++)
      assert_range (pads[i], source->data, offset, 70000, 70000);
  g_assert_cmpuint (count_io_threads (), ==, 1);
  for (guint i = 0; i < G_N_ELEMENTS (sources); i++)
    {
      stop_pull (sources[i], pads[i]);
      gst_object_unref (sources[i]);
    }
  source_free (source);
}

static void
test_many_pipelines (void)
{
  Source *source = source_new (SIZE);
  GstElement *pipelines[64];

  for (guint i = 0; i < G_N_ELEMENTS (pipelines); i++)
    {
      pipelines[i] = place_checker (source, i % 2 == 0 ? "" : "blocksize=65536");
      gst_element_set_state (pipelines[i], GST_STATE_PLAYING);
    }
  for (guint i = 0; i < G_N_ELEMENTS (pipelines); i++)
    {
      wait_for_eos (pipelines[i]);
      assert_state (pipelines[i], GST_STATE_NULL, GST_STATE_CHANGE_SUCCESS);
      gst_object_unref (pipelines[i]);
    }
  source_free (source);
}

int
main (int argc, char **argv)
{
  gst_test_init (&argc, &argv);
  gaio_test_add ("/file-src-pipelines/wav", test_wav);
  gaio_test_add ("/file-src-pipelines/matroska", test_matroska);
  gaio_test_add ("/file-src-pipelines/mp4", test_mp4);
  gaio_test_add ("/file-src-pipelines/mp4-decoded", test_mp4_decoded);
  gaio_test_add ("/file-src-pipelines/avi", test_avi);
  gaio_test_add ("/file-src-pipelines/typefind", test_typefind);
  gaio_test_add ("/file-src-pipelines/seek-storm", test_seek_storm);
  gaio_test_add ("/file-src-pipelines/random-states", test_random_states);
  gaio_test_add ("/file-src-pipelines/random-states-pull", test_random_states_pull);
  gaio_test_add ("/file-src-pipelines/many", test_many);
  gaio_test_add ("/file-src-pipelines/many-pipelines", test_many_pipelines);
  return g_test_run ();
}
