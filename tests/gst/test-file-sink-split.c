/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* gaiofilesink inside splitmuxsink, which makes it, names its files, and takes it through the
 * states for each of them; with async-finalize a new one for each, while the last one still writes.
 * The fragments must be what filesink makes of them, the same number with the same names, and what
 * comes out of a decoder must be all that went into the encoder.
 *
 * As in test-file-sink-muxers.c the time stands still and random numbers repeat. But with
 * async-finalize it is chance which of two muxers draws first, so the identifiers in Matroska files
 * are wiped out before the comparison, at the places where the one of filesink has them. They are
 * shorter there when they begin with a byte of 0, which none can with the seed that is used. */

#include <string.h>

#include "gst-shape.h"
#include "gst-test.h"

#define N_FRAMES 90
#define SEED 2250 /* its first 1500 numbers have 25 bits or more */

#ifdef __SANITIZE_ADDRESS__
/* What a muxer loses is told from what we lose by the whole stack only. */
const char *__asan_default_options (void);

const char *
__asan_default_options (void)
{
  return "fast_unwind_on_malloc=0";
}
#endif

/* Takes the place of GLib's for the plugins in this process. */
gint64
g_get_real_time (void)
{
  return G_GINT64_CONSTANT (1700000000) * G_USEC_PER_SEC;
}

typedef struct
{
  const char *muxer;
  const char *plugin;
  const char *demuxer;
  const char *options; /* of splitmuxsink */
} Splitting;

static void
shape_sink (GstElement *split, GstElement *sink, gpointer data)
{
  /* Sinks that finalize push beside the next one: each needs counts of its own. */
  static GstTestShape shapes[100];
  static gint n_shapes;

  gst_test_shape (sink, *(const guint32 *) data, &shapes[g_atomic_int_add (&n_shapes, 1)]);
}

static void
run (const Splitting *splitting,
     const char *sink_name,
     const char *sink_properties,
     guint32 seed,
     const char *dir)
{
  g_autoptr (GstElement) pipeline = NULL;
  g_autoptr (GstElement) split = NULL;

  g_random_set_seed (SEED);
  pipeline = gst_test_parse (
      "videotestsrc num-buffers=%d pattern=ball ! "
      "video/x-raw,format=I420,width=160,height=120,framerate=30/1 ! "
      "x264enc speed-preset=ultrafast threads=1 key-int-max=10 ! h264parse ! s.video "
      "audiotestsrc num-buffers=150 samplesperbuffer=960 ! audio/x-raw,rate=48000,channels=1 ! "
      "opusenc ! s.audio_0 "
      "splitmuxsink name=s muxer-factory=%s sink-factory=%s sink-properties=\"%s\" %s "
      "max-size-time=500000000 location=%s/%s-%%02d",
      N_FRAMES, splitting->muxer, sink_name, sink_properties, splitting->options, dir, sink_name);
  split = gst_bin_get_by_name (GST_BIN (pipeline), "s");
  if (seed != 0)
    g_signal_connect (split, "sink-added", G_CALLBACK (shape_sink), &seed);
  gst_test_run_to_eos (pipeline);
}

static guint
count_frames (const Splitting *splitting, const char *path)
{
  g_autoptr (GstElement) pipeline = gst_test_parse ("filesrc location=%s ! %s ! h264parse ! "
                                                    "avdec_h264 ! fakesink name=s sync=false",
                                                    path, splitting->demuxer);
  g_autoptr (GstElement) sink = gst_bin_get_by_name (GST_BIN (pipeline), "s");
  g_autoptr (GstStructure) stats = NULL;
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GstMessage) message = NULL;
  guint64 rendered = 0;

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  message = gst_test_wait_message (bus, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  g_assert_cmpint (GST_MESSAGE_TYPE (message), ==, GST_MESSAGE_EOS);
  g_object_get (sink, "stats", &stats, NULL);
  g_assert_true (gst_structure_get_uint64 (stats, "rendered", &rendered));
  gst_element_set_state (pipeline, GST_STATE_NULL);
  return rendered;
}

/* The names of what is random in a Matroska file, with the length of the value that follows. */
static void
wipe_identifiers (char *one, char *other, gsize length)
{
  static const struct
  {
    guint8 name[3];
    gsize size;
  } elements[] = {
    { { 0x73, 0xa4, 0x90 }, 16 }, /* SegmentUID */
    { { 0x73, 0xc5, 0x88 }, 8 },  /* TrackUID */
    { { 0x63, 0xc5, 0x88 }, 8 },  /* TagTrackUID */
  };

  for (gsize i = 0; i < length; i++)
    for (guint j = 0; j < G_N_ELEMENTS (elements); j++)
      if (i + 3 + elements[j].size <= length && memcmp (one + i, elements[j].name, 3) == 0)
        {
          memset (one + i + 3, 0, elements[j].size);
          memset (other + i + 3, 0, elements[j].size);
        }
}

static void
assert_same_matroska (const char *one, const char *other)
{
  g_autofree char *a = NULL;
  g_autofree char *b = NULL;
  gsize length_a, length_b;

  g_assert_true (g_file_get_contents (one, &a, &length_a, NULL));
  g_assert_true (g_file_get_contents (other, &b, &length_b, NULL));
  g_assert_cmpuint (length_a, ==, length_b);
  wipe_identifiers (a, b, length_a);
  g_assert_cmpmem (a, length_a, b, length_b);
}

/* Returns how many fragments there are. */
static guint
compare (const char *dir, guint *n_frames, const Splitting *splitting)
{
  for (guint n = 0;; n++)
    {
      g_autofree char *one = g_strdup_printf ("%s/filesink-%02u", dir, n);
      g_autofree char *other = g_strdup_printf ("%s/gaiofilesink-%02u", dir, n);

      if (!g_file_test (one, G_FILE_TEST_EXISTS))
        {
          g_assert_false (g_file_test (other, G_FILE_TEST_EXISTS));
          return n;
        }
      if (g_str_equal (splitting->muxer, "matroskamux"))
        assert_same_matroska (one, other);
      else
        gst_test_assert_same_file (one, other);
      if (n_frames != NULL)
        *n_frames += count_frames (splitting, other);
    }
}

static void
split (const Splitting *splitting)
{
  const char *const plugins[] = {
    "videotestsrc", "audiotestsrc",    "x264", "videoparsersbad", "opus",
    "multifile",    splitting->plugin,
  };
  g_autofree char *dir = NULL;
  guint n_frames = 0;

  for (guint i = 0; i < G_N_ELEMENTS (plugins); i++)
    if (!gst_test_need_plugin (plugins[i]))
      return;
  dir = gst_test_make_dir ();
  run (splitting, "filesink", "properties", 0, dir);
  run (splitting, "gaiofilesink", "properties", 0, dir);
  g_assert_cmpuint (compare (dir, NULL, splitting), >=, 4);
  run (splitting, "gaiofilesink", "properties,max-bytes=(guint64)1000,buffer-size=(uint)1", 7, dir);
  if (splitting->demuxer == NULL)
    compare (dir, NULL, splitting);
  else if (gst_test_need_plugin ("libav"))
    {
      compare (dir, &n_frames, splitting);
      g_assert_cmpuint (n_frames, ==, N_FRAMES);
    }
  gst_test_remove_dir (dir);
}

#define SPLITTING(name, ...)                                                                       \
  static void test_##name (void)                                                                   \
  {                                                                                                \
    split (&(Splitting){ __VA_ARGS__ });                                                           \
  }

SPLITTING (mp4, "mp4mux", "isomp4", "qtdemux", "")
SPLITTING (mp4_async, "mp4mux", "isomp4", "qtdemux", "async-finalize=true")
SPLITTING (mp4_robust,
           "mp4mux",
           "isomp4",
           "qtdemux",
           "muxer-properties=\"properties,reserved-max-duration=(guint64)2000000000,"
           "reserved-moov-update-period=(guint64)100000000\"")
SPLITTING (matroska, "matroskamux", "matroska", "matroskademux", "")
SPLITTING (matroska_async, "matroskamux", "matroska", "matroskademux", "async-finalize=true")
SPLITTING (transport_stream, "mpegtsmux", "mpegtsmux", NULL, "")
SPLITTING (transport_stream_async, "mpegtsmux", "mpegtsmux", NULL, "async-finalize=true")

int
main (int argc, char **argv)
{
  gst_test_init (&argc, &argv);
  gaio_test_add ("/file-sink/split/mp4", test_mp4);
  gaio_test_add ("/file-sink/split/mp4/async-finalize", test_mp4_async);
  gaio_test_add ("/file-sink/split/mp4/robust", test_mp4_robust);
  gaio_test_add ("/file-sink/split/matroska", test_matroska);
  gaio_test_add ("/file-sink/split/matroska/async-finalize", test_matroska_async);
  gaio_test_add ("/file-sink/split/transport-stream", test_transport_stream);
  gaio_test_add ("/file-sink/split/transport-stream/async-finalize", test_transport_stream_async);
  return g_test_run ();
}
