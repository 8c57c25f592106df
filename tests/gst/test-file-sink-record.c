/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* A recording through a disk that stands still: a live source, an encoder and a muxer before a file
 * on a file system of the test's own, which is frozen in the middle. Afterwards the recording is
 * decoded, and has each frame that the source made; and it is the one that filesink wrote at the
 * same time to a disk that never stopped.
 *
 * No clock is looked at. The file system is thawed when the source has made enough frames
 * meanwhile, so a sink that stops the source makes a test that does not end. */

#include <fcntl.h>
#include <glib/gstdio.h>
#include <linux/fs.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "file-mount.h"
#include "gst-test.h"
#include "gst-whole-stack.h"

#define FRAMES_PER_SECOND 30
#define N_FRAMES 105
#define FREEZE_AT 30
#define THAW_AT 75 /* 1.5 s later */
#define MAX_SECONDS 200

/* Without latency: a frame is in the muxer when the next one is made. Noise makes large ones, so
 * that filesink too would have to write within a few frames. One thread feeds both sinks, so
 * neither may wait for the other to have something. */
#define RECORDING                                                                                  \
  "videotestsrc name=source is-live=true pattern=snow num-buffers=%u ! "                           \
  "video/x-raw,width=320,height=240,framerate=%u/1 ! "                                             \
  "x264enc tune=zerolatency speed-preset=ultrafast bitrate=8000 threads=1 ! "                      \
  "mp4mux %s ! tee name=t "                                                                        \
  "t. ! gaiofilesink name=ours async=false location=%s "                                           \
  "t. ! queue max-size-bytes=0 max-size-buffers=0 max-size-time=0 ! filesink async=false "         \
  "location=%s"

typedef struct
{
  int fd;         /* of the file system */
  guint n_frames; /* by the source's thread */
  GstClockTime last;
} Source;

/* A process that thaws the file system when `*end` is closed: a frozen one would stay for ever. If
 * this process is killed its threads that wait for the disk cannot go, and keep `*end` open; so
 * after a time in which the test should have ended it is made to fail, and the disk thaws. */
static pid_t
guard_new (int fd, int *end)
{
  int ends[2];
  pid_t child;

  g_assert_cmpint (pipe2 (ends, O_CLOEXEC), ==, 0);
  child = fork ();
  g_assert_cmpint (child, >=, 0);
  if (child == 0)
    {
      struct pollfd closed = { .fd = ends[0] };

      close (ends[1]);
      setsid ();
      if (poll (&closed, 1, MAX_SECONDS * 1000) == 0)
        kill (getppid (), SIGKILL);
      ioctl (fd, FITHAW, 0);
      _exit (0);
    }
  close (ends[0]);
  *end = ends[1];
  return child;
}

/* In the source's thread. */
static GstPadProbeReturn
frame_made (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  Source *self = user_data;
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (info);

  /* No frame of the source's own is missing either. */
  if (self->n_frames > 0)
    g_assert_cmpuint (GST_BUFFER_PTS (buffer) - self->last, <,
                      GST_SECOND * 3 / 2 / FRAMES_PER_SECOND);
  self->last = GST_BUFFER_PTS (buffer);
  self->n_frames++;
  if (self->n_frames == FREEZE_AT)
    g_assert_cmpint (ioctl (self->fd, FIFREEZE, 0), ==, 0);
  if (self->n_frames == THAW_AT)
    g_assert_cmpint (ioctl (self->fd, FITHAW, 0), ==, 0);
  return GST_PAD_PROBE_OK;
}

static void
run_to_eos (GstElement *pipeline)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GstMessage) message = NULL;

  g_assert_cmpint (gst_element_set_state (pipeline, GST_STATE_PLAYING), !=,
                   GST_STATE_CHANGE_FAILURE);
  message =
      gst_bus_timed_pop_filtered (bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
    {
      g_autoptr (GError) error = NULL;

      gst_message_parse_error (message, &error, NULL);
      g_error ("%s: %s", GST_MESSAGE_SRC_NAME (message), error->message);
    }
  g_assert_cmpint (gst_element_set_state (pipeline, GST_STATE_NULL), ==, GST_STATE_CHANGE_SUCCESS);
}

static GstElement *
parse (const char *description)
{
  g_autoptr (GError) error = NULL;
  GstElement *pipeline = gst_parse_launch (description, &error);

  g_assert_no_error (error);
  return gst_object_ref_sink (pipeline);
}

static void
probe (GstElement *pipeline,
       const char *element,
       const char *pad,
       GstPadProbeCallback callback,
       gpointer data)
{
  g_autoptr (GstElement) of = gst_bin_get_by_name (GST_BIN (pipeline), element);
  g_autoptr (GstPad) at = gst_element_get_static_pad (of, pad);

  gst_pad_add_probe (at, GST_PAD_PROBE_TYPE_BUFFER, callback, data, NULL);
}

static GstPadProbeReturn
frame_decoded (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  guint *n = user_data;

  ++*n;
  return GST_PAD_PROBE_OK;
}

static guint
count_decoded (const char *path)
{
  g_autofree char *description =
      g_strdup_printf ("filesrc location=%s ! qtdemux ! h264parse ! avdec_h264 ! "
                       "fakesink name=end sync=false",
                       path);
  g_autoptr (GstElement) pipeline = parse (description);
  guint n = 0;

  probe (pipeline, "end", "sink", frame_decoded, &n);
  run_to_eos (pipeline);
  return n;
}

static gboolean
need_plugins (void)
{
  const char *plugins[] = { "videotestsrc", "x264", "isomp4", "videoparsersbad", "libav" };

  for (guint i = 0; i < G_N_ELEMENTS (plugins); i++)
    if (!gst_test_need_plugin (plugins[i]))
      return FALSE;
  return TRUE;
}

static void
test_record (gconstpointer data)
{
  const char *mux_options = data;
  g_autoptr (FileMount) mount = NULL;
  g_autoptr (GstElement) pipeline = NULL;
  g_autofree char *why = NULL;
  g_autofree char *description = NULL;
  g_autofree char *dir = NULL;
  g_autofree char *ours = NULL;
  g_autofree char *theirs = NULL;
  Source source = { 0 };
  pid_t guard;
  int guard_end;

  if (!need_plugins ())
    return;
  mount = file_mount_new ("ext4", 0, &why);
  if (mount == NULL)
    {
      g_test_skip (why);
      return;
    }
  source.fd = g_open (mount->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
  g_assert_cmpint (source.fd, >=, 0);
  guard = guard_new (source.fd, &guard_end);
  dir = gst_test_make_dir ();
  ours = g_build_filename (mount->dir, "ours.mp4", NULL);
  theirs = g_build_filename (dir, "theirs.mp4", NULL);

  description = g_strdup_printf (RECORDING, N_FRAMES, FRAMES_PER_SECOND, mux_options, ours, theirs);
  pipeline = parse (description);
  probe (pipeline, "source", "src", frame_made, &source);
  run_to_eos (pipeline);

  g_assert_cmpuint (source.n_frames, ==, N_FRAMES);
  g_assert_cmpuint (count_decoded (ours), ==, N_FRAMES);
  gst_test_assert_same_file (ours, theirs);
  close (guard_end);
  g_assert_cmpint (waitpid (guard, NULL, 0), ==, guard);
  close (source.fd);
  gst_test_remove_dir (dir);
}

int
main (int argc, char **argv)
{
  file_mount_init ();
  gst_test_init (&argc, &argv);
  g_test_add_data_func ("/file-sink/record/plain", "", test_record);
  g_test_add_data_func ("/file-sink/record/fragmented", "fragment-duration=200 streamable=true",
                        test_record);
  return g_test_run ();
}
