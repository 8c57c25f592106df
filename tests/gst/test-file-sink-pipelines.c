/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* gaiofilesink in whole pipelines, beside filesink: one muxer, a tee behind it, and both sinks get
 * the same buffers, segments that go back and syncs; so the two files must be the same, whatever
 * time or random number the muxer writes into them. And: many sinks, splitmuxsink, and state
 * changes in any order. */

#include <glib/gstdio.h>
#include <string.h>

#include "gst-test.h"

/* Runs a pipeline to its end; its error fails the test. */
static void
run_to_eos (GstElement *pipeline)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GstMessage) message = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (gst_element_set_state (pipeline, GST_STATE_PLAYING),
                   !=,
                   GST_STATE_CHANGE_FAILURE);
  message = gst_test_wait_message (bus, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
    gst_message_parse_error (message, &error, NULL);
  g_assert_no_error (error);
  g_assert_cmpint (gst_element_set_state (pipeline, GST_STATE_NULL),
                   ==,
                   GST_STATE_CHANGE_SUCCESS);
}

static GstElement *parse (const char *format, ...) G_GNUC_PRINTF (1, 2);

static GstElement *
parse (const char *format, ...)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  GstElement *pipeline;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  pipeline = gst_parse_launch (text, &error);
  g_assert_no_error (error);
  return gst_object_ref_sink (pipeline);
}

static guint64
stat_of (GstElement *sink, const char *name)
{
  g_autoptr (GstStructure) stats = NULL;
  guint64 value = 0;

  g_object_get (sink, "io-stats", &stats, NULL);
  g_assert_true (gst_structure_get_uint64 (stats, name, &value));
  return value;
}

/* What ends in a muxer, and the plugins it needs. */
static void
same_as_filesink (const char *muxed, const char *const *plugins, guint64 min_syncs)
{
  g_autofree char *dir = NULL;
  g_autofree char *one = NULL;
  g_autofree char *other = NULL;
  g_autoptr (GstElement) pipeline = NULL;
  g_autoptr (GstElement) sink = NULL;

  for (guint i = 0; plugins[i] != NULL; i++)
    if (!gst_test_need_plugin (plugins[i]))
      return;
  dir = gst_test_make_dir ();
  one = g_build_filename (dir, "filesink", NULL);
  other = g_build_filename (dir, "gaiofilesink", NULL);
  pipeline = parse ("%s ! tee name=t ! filesink async=false location=%s "
                    "t. ! gaiofilesink async=false name=sink location=%s",
                    muxed,
                    one,
                    other);
  sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  run_to_eos (pipeline);
  gst_test_assert_same_file (one, other);
  g_assert_cmpuint (stat_of (sink, "syncs"), >=, min_syncs);
  g_assert_cmpuint (stat_of (sink, "level-bytes"), ==, 0);
  gst_test_remove_dir (dir);
}

#define VIDEO \
  "videotestsrc num-buffers=90 pattern=ball ! video/x-raw,width=320,height=240,framerate=30/1 " \
  "! jpegenc ! queue ! m. "
#define AUDIO "audiotestsrc num-buffers=200 samplesperbuffer=735 ! audio/x-raw,rate=44100 "

static void
test_wav (void)
{
  same_as_filesink (AUDIO "! wavenc",
                    (const char *[]){ "audiotestsrc", "wavenc", NULL },
                    0);
}

static void
test_matroska (void)
{
  same_as_filesink (VIDEO AUDIO "! queue ! m. matroskamux name=m",
                    (const char *[]){ "videotestsrc",
                                      "audiotestsrc",
                                      "jpeg",
                                      "matroska",
                                      NULL },
                    0);
}

static void
test_mp4 (void)
{
  same_as_filesink (VIDEO AUDIO "! queue ! m. qtmux name=m",
                    (const char *[]){ "videotestsrc",
                                      "audiotestsrc",
                                      "jpeg",
                                      "isomp4",
                                      NULL },
                    0);
}

/* It rewrites its index every now and then, and wants that synced. */
static void
test_mp4_robust (void)
{
  same_as_filesink (VIDEO "qtmux name=m reserved-max-duration=20000000000 "
                          "reserved-moov-update-period=500000000",
                    (const char *[]){ "videotestsrc", "jpeg", "isomp4", NULL },
                    3);
}

static void
test_avi (void)
{
  same_as_filesink (VIDEO AUDIO "! queue ! m. avimux name=m",
                    (const char *[]){ "videotestsrc",
                                      "audiotestsrc",
                                      "jpeg",
                                      "avi",
                                      NULL },
                    0);
}

static void
test_flv (void)
{
  same_as_filesink ("audiotestsrc num-buffers=200 ! audio/x-raw,rate=8000,channels=1 ! mulawenc "
                    "! flvmux",
                    (const char *[]){ "audiotestsrc", "mulaw", "flv", NULL },
                    0);
}

static void
test_ogg (void)
{
  same_as_filesink ("audiotestsrc num-buffers=200 ! audio/x-raw,rate=48000 ! opusenc ! oggmux",
                    (const char *[]){ "audiotestsrc", "opus", "ogg", NULL },
                    0);
}

/* In a pool of its source's making, and large: held by reference, not copied. */
static void
test_raw_video (void)
{
  same_as_filesink ("videotestsrc num-buffers=30 pattern=snow ! "
                    "video/x-raw,format=I420,width=640,height=480",
                    (const char *[]){ "videotestsrc", NULL },
                    0);
}

/* Sinks that work side by side, each with its thread. */
static void
test_many_sinks (void)
{
  enum { N = 20 };
  g_autofree char *dir = gst_test_make_dir ();
  g_autofree char *first = g_build_filename (dir, "out-0", NULL);
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (GstElement) pipeline = NULL;

  g_string_append (text,
                   "fakesrc num-buffers=300 sizetype=random sizemin=1 sizemax=40000 "
                   "filltype=pattern-span ! tee name=t");
  for (guint i = 0; i < N; i++)
    g_string_append_printf (text, " t. ! queue ! gaiofilesink location=%s/out-%u", dir, i);
  pipeline = parse ("%s", text->str);
  run_to_eos (pipeline);
  for (guint i = 1; i < N; i++)
    {
      g_autofree char *other = g_strdup_printf ("%s/out-%u", dir, i);

      gst_test_assert_same_file (first, other);
    }
  gst_test_remove_dir (dir);
}

static void
split (const char *dir, const char *sink_factory, gboolean async_finalize)
{
  g_autoptr (GstElement) pipeline = NULL;

  /* A transport stream is the same every time. */
  pipeline = parse ("audiotestsrc num-buffers=150 ! audio/x-raw,rate=48000 ! opusenc ! s.audio_0 "
                    "splitmuxsink name=s muxer-factory=mpegtsmux sink-factory=%s "
                    "async-finalize=%s max-size-time=1000000000 location=%s/%s-%%02d",
                    sink_factory,
                    async_finalize ? "true" : "false",
                    dir,
                    sink_factory);
  run_to_eos (pipeline);
}

static void
splitmux (gboolean async_finalize)
{
  g_autofree char *dir = NULL;
  guint n = 0;

  if (!gst_test_need_plugin ("audiotestsrc") || !gst_test_need_plugin ("opus") ||
      !gst_test_need_plugin ("mpegtsmux") || !gst_test_need_plugin ("multifile"))
    return;
  dir = gst_test_make_dir ();
  split (dir, "filesink", async_finalize);
  split (dir, "gaiofilesink", async_finalize);
  for (;; n++)
    {
      g_autofree char *one = g_strdup_printf ("%s/filesink-%02u", dir, n);
      g_autofree char *other = g_strdup_printf ("%s/gaiofilesink-%02u", dir, n);

      if (!g_file_test (one, G_FILE_TEST_EXISTS))
        {
          g_assert_false (g_file_test (other, G_FILE_TEST_EXISTS));
          break;
        }
      gst_test_assert_same_file (one, other);
    }
  g_assert_cmpuint (n, >=, 3);
  gst_test_remove_dir (dir);
}

static void
test_splitmux (void)
{
  splitmux (FALSE);
}

static void
test_splitmux_async_finalize (void)
{
  splitmux (TRUE);
}

/* From any state to any other, at any time. What was accepted in the last run is in the file. */
static void
test_random_states (void)
{
  const GstState states[] = { GST_STATE_NULL, GST_STATE_READY, GST_STATE_PAUSED,
                              GST_STATE_PLAYING };
  g_autofree char *dir = gst_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "out", NULL);
  g_autoptr (GstElement) pipeline = NULL;
  g_autoptr (GstElement) sink = NULL;
  g_autoptr (GRand) rand = g_rand_new_with_seed (22);

  pipeline = parse ("fakesrc sizetype=random sizemin=1 sizemax=100000 filltype=pattern-span "
                    "! gaiofilesink name=sink max-bytes=300000 location=%s",
                    path);
  sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  for (guint i = 0; i < 50; i++)
    {
      GstState state = states[g_rand_int_range (rand, 0, G_N_ELEMENTS (states))];
      GStatBuf st;

      g_assert_cmpint (gst_element_set_state (pipeline, state), !=, GST_STATE_CHANGE_FAILURE);
      /* Half of the changes are overtaken by the next one. */
      if (g_rand_boolean (rand))
        g_assert_cmpint (gst_element_get_state (pipeline, NULL, NULL, GST_CLOCK_TIME_NONE),
                         !=,
                         GST_STATE_CHANGE_FAILURE);
      if (state == GST_STATE_PLAYING && g_rand_boolean (rand))
        while (stat_of (sink, "bytes-written") < 1000 * 1000)
          g_usleep (100);
      if (state == GST_STATE_NULL && i > 0 && g_stat (path, &st) == 0)
        {
          g_autoptr (GstStructure) stats = NULL;
          guint64 accepted;

          g_object_get (sink, "io-stats", &stats, NULL);
          if (gst_structure_get_uint64 (stats, "bytes-accepted", &accepted))
            {
              g_assert_cmpuint (stat_of (sink, "bytes-written"), ==, accepted);
              /* After READY the source begins again at 0, in the same file. */
              g_assert_cmpuint (st.st_size, <=, accepted);
            }
        }
    }
  g_assert_cmpint (gst_element_set_state (pipeline, GST_STATE_NULL),
                   ==,
                   GST_STATE_CHANGE_SUCCESS);
  gst_test_remove_dir (dir);
}

/* The report of a run, for programs that look at messages. */
static void
test_stats_message (void)
{
  g_autofree char *dir = gst_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "out", NULL);
  g_autoptr (GstElement) pipeline = NULL;
  g_autoptr (GstBus) bus = NULL;
  g_autoptr (GstMessage) message = NULL;
  const GstStructure *stats;
  const char *engine;
  guint64 written = 0, peak = 0;

  pipeline = parse ("fakesrc num-buffers=100 sizetype=fixed sizemax=10000 "
                    "! gaiofilesink location=%s",
                    path);
  bus = gst_element_get_bus (pipeline);
  g_assert_cmpint (gst_element_set_state (pipeline, GST_STATE_PLAYING),
                   !=,
                   GST_STATE_CHANGE_FAILURE);
  /* It comes before EOS. */
  message = gst_test_wait_message (bus, GST_MESSAGE_EOS | GST_MESSAGE_ELEMENT | GST_MESSAGE_ERROR);
  stats = gst_message_get_structure (message);
  g_assert_nonnull (stats);
  g_assert_true (gst_structure_has_name (stats, "gaiofilesink-stats"));
  engine = gst_structure_get_string (stats, "engine");
  g_assert_true (g_str_equal (engine, "io-uring") || g_str_equal (engine, "threads"));
  if (g_strcmp0 (g_getenv ("GAIO_ENGINE"), "threads") == 0)
    g_assert_cmpstr (engine, ==, "threads");
  g_assert_nonnull (gst_structure_get_string (stats, "engine-reason"));
  g_assert_true (gst_structure_get (stats,
                                    "bytes-written", G_TYPE_UINT64, &written,
                                    "level-peak", G_TYPE_UINT64, &peak,
                                    NULL));
  g_assert_cmpuint (written, ==, 1000 * 1000);
  g_assert_cmpuint (peak, >, 0);
  g_assert_cmpuint (peak, <=, 1000 * 1000);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_test_remove_dir (dir);
}

int
main (int argc, char **argv)
{
  gst_test_init (&argc, &argv);
  gaio_test_add ("/file-sink/pipelines/wav", test_wav);
  gaio_test_add ("/file-sink/pipelines/matroska", test_matroska);
  gaio_test_add ("/file-sink/pipelines/mp4", test_mp4);
  gaio_test_add ("/file-sink/pipelines/mp4-robust", test_mp4_robust);
  gaio_test_add ("/file-sink/pipelines/avi", test_avi);
  gaio_test_add ("/file-sink/pipelines/flv", test_flv);
  gaio_test_add ("/file-sink/pipelines/ogg", test_ogg);
  gaio_test_add ("/file-sink/pipelines/raw-video", test_raw_video);
  gaio_test_add ("/file-sink/pipelines/many-sinks", test_many_sinks);
  gaio_test_add ("/file-sink/pipelines/splitmux", test_splitmux);
  gaio_test_add ("/file-sink/pipelines/splitmux-async-finalize", test_splitmux_async_finalize);
  gaio_test_add ("/file-sink/pipelines/random-states", test_random_states);
  gaio_test_add ("/file-sink/pipelines/stats-message", test_stats_message);
  return g_test_run ();
}
