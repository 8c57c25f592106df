/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* gaiofilesink behind every muxer, and filesink behind the same one: two pipelines that differ in
 * this word alone must make the same file to the byte. Then again with the muxer's buffers cut,
 * joined and listed at random (gst-shape.c), into windows that are nearly always full.
 *
 * What a muxer writes must not depend on when it runs: this program has a g_get_real_time() of its
 * own, which stands still, since MP4, Matroska and FLV files say when they were made; and the
 * random numbers of track and stream identifiers begin with the same seed in every run. */

#include <string.h>

#include "gst-shape.h"
#include "gst-test.h"
#include "gst-whole-stack.h"

/* Takes the place of GLib's for the plugins in this process. */
gint64
g_get_real_time (void)
{
  return G_GINT64_CONSTANT (1700000000) * G_USEC_PER_SEC;
}

/* A way to run gaiofilesink. */
typedef struct
{
  guint32 seed;
  guint64 max_bytes;
} Way;

static const Way ways[] = {
  { 1, 64 * 1024 * 1024 },
  { 2, 3000 },
#ifndef __SANITIZE_ADDRESS__
  { 0, 64 * 1024 * 1024 },
  { 3, 100 * 1000 },
  { 4, 1 },
#endif
};

typedef struct
{
  const char *muxed;   /* a pipeline that ends in the muxer */
  const char *plugins; /* that it needs, separated by spaces */
  guint min_seeks;     /* so many times it goes back, or it is not what the test is about */
  guint min_syncs;
} Muxing;

/* A muxer that needs a temporary file would choose its name at random, which here is the same name
 * in every process that runs these tests. */
static void
name_temporary_file (GstElement *pipeline, const char *path)
{
  g_autoptr (GstElement) muxer = gst_bin_get_by_name (GST_BIN (pipeline), "m");
  g_autofree char *file = g_strconcat (path, ".tmp", NULL);

  if (muxer != NULL &&
      g_object_class_find_property (G_OBJECT_GET_CLASS (muxer), "faststart-file") != NULL)
    g_object_set (muxer, "faststart-file", file, NULL);
}

static void
run (const Muxing *muxing, const char *sink_name, const char *path, const Way *way)
{
  g_autofree char *text =
      g_strdup_printf ("%s ! %s name=sink location=%s", muxing->muxed, sink_name, path);
  g_autoptr (GError) error = NULL;
  g_autoptr (GstElement) pipeline = NULL;
  g_autoptr (GstElement) sink = NULL;
  GstTestShape shape = { 0 };

  g_random_set_seed (1);
  pipeline = gst_object_ref_sink (gst_parse_launch (text, &error));
  g_assert_no_error (error);
  name_temporary_file (pipeline, path);
  sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  if (way != NULL)
    g_object_set (sink, "max-bytes", way->max_bytes, NULL);
  gst_test_shape (sink, way != NULL ? way->seed : 0, &shape);
  gst_test_run_to_eos (pipeline);

  g_assert_cmpuint (shape.n_seeks, >=, muxing->min_seeks);
  g_assert_cmpuint (shape.n_syncs, >=, muxing->min_syncs);
}

static void
compare (const Muxing *muxing)
{
  g_auto (GStrv) plugins = g_strsplit (muxing->plugins, " ", -1);
  g_autofree char *dir = NULL;
  g_autofree char *one = NULL;
  g_autofree char *other = NULL;

  for (guint i = 0; plugins[i] != NULL; i++)
    if (!gst_test_need_plugin (plugins[i]))
      return;
  dir = gst_test_make_dir ();
  one = g_build_filename (dir, "filesink", NULL);
  other = g_build_filename (dir, "gaiofilesink", NULL);
  run (muxing, "filesink", one, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (ways); i++)
    {
      g_test_message ("seed %u, max-bytes %" G_GUINT64_FORMAT, ways[i].seed, ways[i].max_bytes);
      run (muxing, "gaiofilesink", other, &ways[i]);
      gst_test_assert_same_file (one, other);
    }
  gst_test_remove_dir (dir);
}

#define FRAMES                                                                                     \
  "videotestsrc num-buffers=30 pattern=ball ! "                                                    \
  "video/x-raw,format=I420,width=320,height=240,framerate=30/1 "
#define SOUND                                                                                      \
  "audiotestsrc num-buffers=50 samplesperbuffer=960 ! "                                            \
  "audio/x-raw,format=S16LE,layout=interleaved,rate=48000,channels=2 "
/* With one thread, as an encoder with several may decide differently. */
#define H264 FRAMES "! x264enc speed-preset=ultrafast threads=1 key-int-max=10 ! h264parse "
/* With time enough, or it would leave out more on a busier machine. */
#define VP8 "! vp8enc deadline=1000000 cpu-used=5 threads=1 "
#define OPUS SOUND "! opusenc "
#define H264_AND_OPUS H264 "! queue ! m. " OPUS "! queue ! m. "
#define H264_AND_OPUS_PLUGINS "videotestsrc audiotestsrc x264 videoparsersbad opus "

#define MUXING(name, ...)                                                                          \
  static void test_##name (void)                                                                   \
  {                                                                                                \
    compare (&(Muxing){ __VA_ARGS__ });                                                            \
  }

/* It writes where its index is when it ends. */
MUXING (mp4,
        .muxed = H264_AND_OPUS "mp4mux name=m",
        .plugins = H264_AND_OPUS_PLUGINS "isomp4",
        .min_seeks = 1)

/* From a file of its own, all at the end. */
MUXING (mp4_faststart,
        .muxed = H264_AND_OPUS "mp4mux name=m faststart=true",
        .plugins = H264_AND_OPUS_PLUGINS "isomp4")

MUXING (mp4_fragmented,
        .muxed = H264_AND_OPUS "mp4mux name=m fragment-duration=200",
        .plugins = H264_AND_OPUS_PLUGINS "isomp4",
        .min_seeks = 1)

MUXING (mp4_fragmented_finalised,
        .muxed = H264_AND_OPUS
        "mp4mux name=m fragment-duration=200 fragment-mode=first-moov-then-finalise",
        .plugins = H264_AND_OPUS_PLUGINS "isomp4",
        .min_seeks = 1)

MUXING (mp4_streamable,
        .muxed = H264_AND_OPUS "mp4mux name=m fragment-duration=200 streamable=true",
        .plugins = H264_AND_OPUS_PLUGINS "isomp4")

/* It writes an index every now and then, in turn into one of two places before the data, and wants
 * each step synced. */
MUXING (mp4_robust,
        .muxed = H264_AND_OPUS "mp4mux name=m reserved-max-duration=4000000000 "
                               "reserved-moov-update-period=100000000",
        .plugins = H264_AND_OPUS_PLUGINS "isomp4",
        .min_seeks = 12,
        .min_syncs = 6)

/* It reserves the place of every frame too, for which it must know their size before: that of
 * ProRes, so it says. */
MUXING (mov_robust_prefilled,
        .muxed = "fakesrc num-buffers=30 sizetype=fixed sizemax=4000 filltype=pattern-span "
                 "format=time datarate=120000 ! "
                 "video/x-prores,variant=standard,width=64,height=48,framerate=30/1 ! "
                 "qtmux reserved-max-duration=3000000000 reserved-prefill=true "
                 "reserved-moov-update-period=100000000",
        .plugins = "isomp4",
        .min_seeks = 1)

/* It goes back for the size of each cluster. */
MUXING (matroska,
        .muxed = H264_AND_OPUS "matroskamux name=m max-cluster-duration=100000000",
        .plugins = H264_AND_OPUS_PLUGINS "matroska",
        .min_seeks = 15)

MUXING (matroska_streamable,
        .muxed = H264_AND_OPUS "matroskamux name=m streamable=true",
        .plugins = H264_AND_OPUS_PLUGINS "matroska")

MUXING (webm,
        .muxed = FRAMES VP8 "! queue ! m. " OPUS "! queue ! m. "
                            "webmmux name=m max-cluster-duration=100000000",
        .plugins = "videotestsrc audiotestsrc vpx opus matroska",
        .min_seeks = 15)

MUXING (avi,
        .muxed = FRAMES "! jpegenc ! queue ! m. " SOUND "! queue ! m. avimux name=m",
        .plugins = "videotestsrc audiotestsrc jpeg avi",
        .min_seeks = 1)

MUXING (flv,
        .muxed = H264 "! queue ! m. " SOUND "! voaacenc ! aacparse ! queue ! m. flvmux name=m",
        .plugins = "videotestsrc audiotestsrc x264 videoparsersbad voaacenc audioparsers flv",
        .min_seeks = 1)

MUXING (ogg,
        .muxed = FRAMES "! theoraenc ! queue ! m. " OPUS "! queue ! m. oggmux name=m",
        .plugins = "videotestsrc audiotestsrc theora opus ogg")

MUXING (transport_stream,
        .muxed = H264_AND_OPUS "mpegtsmux name=m",
        .plugins = H264_AND_OPUS_PLUGINS "mpegtsmux")

/* A buffer for each packet of 188 bytes. */
MUXING (transport_stream_packets,
        .muxed = H264_AND_OPUS "mpegtsmux name=m alignment=1",
        .plugins = H264_AND_OPUS_PLUGINS "mpegtsmux")

MUXING (wav, .muxed = SOUND "! wavenc", .plugins = "audiotestsrc wavenc", .min_seeks = 1)
MUXING (flac, .muxed = SOUND "! flacenc", .plugins = "audiotestsrc flac", .min_seeks = 1)
MUXING (mp3,
        .muxed = SOUND "! lamemp3enc ! xingmux",
        .plugins = "audiotestsrc lame xingmux",
        .min_seeks = 1)
MUXING (y4m, .muxed = FRAMES "! y4menc", .plugins = "videotestsrc y4menc")
MUXING (raw_video,
        .muxed = "videotestsrc num-buffers=20 pattern=ball ! "
                 "video/x-raw,format=I420,width=640,height=480",
        .plugins = "videotestsrc")
MUXING (raw_audio, .muxed = SOUND, .plugins = "audiotestsrc")

int
main (int argc, char **argv)
{
  gst_test_init (&argc, &argv);
  gaio_test_add ("/file-sink/muxers/mp4", test_mp4);
  gaio_test_add ("/file-sink/muxers/mp4/faststart", test_mp4_faststart);
  gaio_test_add ("/file-sink/muxers/mp4/fragmented", test_mp4_fragmented);
  gaio_test_add ("/file-sink/muxers/mp4/fragmented-finalised", test_mp4_fragmented_finalised);
  gaio_test_add ("/file-sink/muxers/mp4/streamable", test_mp4_streamable);
  gaio_test_add ("/file-sink/muxers/mp4/robust", test_mp4_robust);
  gaio_test_add ("/file-sink/muxers/mov/robust-prefilled", test_mov_robust_prefilled);
  gaio_test_add ("/file-sink/muxers/matroska", test_matroska);
  gaio_test_add ("/file-sink/muxers/matroska/streamable", test_matroska_streamable);
  gaio_test_add ("/file-sink/muxers/webm", test_webm);
  gaio_test_add ("/file-sink/muxers/avi", test_avi);
  gaio_test_add ("/file-sink/muxers/flv", test_flv);
  gaio_test_add ("/file-sink/muxers/ogg", test_ogg);
  gaio_test_add ("/file-sink/muxers/transport-stream", test_transport_stream);
  gaio_test_add ("/file-sink/muxers/transport-stream/packets", test_transport_stream_packets);
  gaio_test_add ("/file-sink/muxers/wav", test_wav);
  gaio_test_add ("/file-sink/muxers/flac", test_flac);
  gaio_test_add ("/file-sink/muxers/mp3", test_mp3);
  gaio_test_add ("/file-sink/muxers/y4m", test_y4m);
  gaio_test_add ("/file-sink/muxers/raw-video", test_raw_video);
  gaio_test_add ("/file-sink/muxers/raw-audio", test_raw_audio);
  return g_test_run ();
}
