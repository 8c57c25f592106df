/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/**
 * SECTION:element-gaiofilesink
 * @title: gaiofilesink
 * @see_also: #GstFileSink
 *
 * Writes incoming data to a file, as filesink does, but never on the streaming thread: buffers are
 * accepted into a window of #GstGaioFileSink:max-bytes bytes, and an I/O thread brings them to the
 * file through io_uring, or a thread pool where io_uring is not to be had. A disk that stalls does
 * not stall the source as long as the window has room; what happens when it has none is
 * #GstGaioFileSink:overflow. The sinks on a disk share an I/O thread.
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 -e v4l2src ! image/jpeg ! avimux ! gaiofilesink location=camera.avi
 * ]| A camera, whose frames a busy disk does not delay.
 * |[
 * gst-launch-1.0 -e v4l2src ! x264enc tune=zerolatency ! mpegtsmux \
 *     ! gaiofilesink location=out.ts overflow=drop max-time=2000000000
 * ]| A disk that is too slow, or full: what it cannot take within two seconds is dropped, and the
 * camera goes on.
 * |[
 * gst-launch-1.0 videotestsrc num-buffers=600 ! video/x-raw,width=1920,height=1080 \
 *     ! gaiofilesink location=raw.yuv direct=auto preallocate=268435456
 * ]| Raw video past the page cache, with the disk's blocks allocated ahead.
 * |[
 * gst-launch-1.0 -e videotestsrc ! x264enc ! h264parse \
 *     ! splitmuxsink sink-factory=gaiofilesink location=part%03d.mp4 max-size-time=10000000000 \
 *     sink-properties="properties,max-bytes=(guint64)16777216,sync-mode=1"
 * ]| A recording in many files. Here enumerations are numbers, as gst-inspect-1.0 lists them: a
 * structure does not convert their names.
 * |[
 * gst-launch-1.0 -e videotestsrc num-buffers=300 ! x264enc ! mp4mux \
 *     ! gaiofilesink location=out.mp4 sync-mode=eos
 * ]| A file that is there after a power failure as soon as EOS is posted; `sync-mode=periodic` also
 * saves most of one that was not finished.
 *
 * The file is byte for byte what filesink writes. What differs can be seen from outside the
 * file only:
 *
 * - fewer than #GstGaioFileSink:buffer-size bytes are written after
 *   #GstGaioFileSink:flush-interval too, and not only when the stream ends;
 * - when appending the sink says that it cannot seek, which is the truth, so a muxer writes a
 *   streamable file and not its headers to the wrong place; and a flush takes back what this stream
 *   wrote, not what was in the file before;
 * - a buffer with %GST_BUFFER_FLAG_SYNC_AFTER is durable before anything later is written, but the
 *   push returns before that, unless #GstGaioFileSink:sync-after says otherwise;
 * - EOS is posted only when the file system had no failure of write-back to report;
 * - the file is closed in child processes (`O_CLOEXEC`);
 * - a write error is posted when it happens, once, with `errno` (an int) and `offset` (a guint64,
 *   that of the first byte that is not in the file) in the details of the message. Of several
 *   writes in flight those that come before it in the file are waited for, until one has taken
 *   longer than #GstGaioFileSink:stall-warning;
 * - a write that hangs when #GstGaioFileSink:drain-timeout is over may still be made when the disk
 *   goes on. A sink that opens that file again in the same process waits for it, as long as its
 *   own #GstGaioFileSink:drain-timeout or #GstGaioFileSink:stall-warning says, whichever is longer,
 *   and then fails with %GST_RESOURCE_ERROR_BUSY: old bytes never get into a new recording. Under
 *   another name it can begin at once.
 *
 * Two sinks on one file are not kept apart, as two of filesink are not: each writes its bytes to
 * its own positions, and where both do that it is not said whose are there in the end.
 *
 * ## Messages
 *
 * Beside errors the sink posts these element messages, whose numbers are of type guint64:
 *
 * - `gaiofilesink-stats`, at the end of the stream, and when the sink stops without one: the
 *   structure of #GstGaioFileSink:io-stats;
 * - `gaiofilesink-stall`, when a write takes longer than #GstGaioFileSink:stall-warning, and when
 *   it has ended: `active` (a boolean), `age` (in nanoseconds, what it has taken) and
 *   `level-bytes`;
 * - `gaiofilesink-overflow`, when data is dropped because there is no room, and when there is room
 *   again: `active` (a boolean), `policy` (a string), and since the first one `dropped`, in bytes,
 *   and `buffers`. Each drop is a QoS message as well.
 *
 * `GST_DEBUG=gaiofilesink:6` shows what the sink accepts, and `gaiofilesink-io:5` what is done to
 * the file.
 *
 * Since: 1.0
 */

/* What the element is: its type and URIs. gstgaiofilesink-private.h says what is where. */

#include "gstgaiofilesink-private.h"
#include "gstgaiouri.h"

GST_DEBUG_CATEGORY (gst_gaio_file_sink_debug);

static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE ("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

static void gst_gaio_file_sink_uri_handler_init (gpointer iface, gpointer data);

G_DEFINE_FINAL_TYPE_WITH_CODE (GstGaioFileSink,
                               gst_gaio_file_sink,
                               GST_TYPE_BASE_SINK,
                               G_IMPLEMENT_INTERFACE (GST_TYPE_URI_HANDLER,
                                                      gst_gaio_file_sink_uri_handler_init))

/* Rank NONE: it must not take file:// away from filesink unless somebody says so. */
GST_ELEMENT_REGISTER_DEFINE (gaiofilesink,
                             "gaiofilesink",
                             GST_RANK_NONE,
                             GST_TYPE_GAIO_FILE_SINK)

static void
gst_gaio_file_sink_finalize (GObject *object)
{
  GstGaioFileSink *self = GST_GAIO_FILE_SINK (object);

  g_free (self->location);
  g_free (self->uri);
  g_free (self->settings.context);
  g_clear_pointer (&self->last_stats, gst_structure_free);

  G_OBJECT_CLASS (gst_gaio_file_sink_parent_class)->finalize (object);
}

/* GstURIHandler */

static GstURIType
gst_gaio_file_sink_uri_get_type (GType type)
{
  return GST_URI_SINK;
}

static const char *const *
gst_gaio_file_sink_uri_get_protocols (GType type)
{
  static const char *const protocols[] = { "file", NULL };

  return protocols;
}

static char *
gst_gaio_file_sink_uri_get_uri (GstURIHandler *handler)
{
  GstGaioFileSink *self = GST_GAIO_FILE_SINK (handler);
  char *uri;

  GST_OBJECT_LOCK (self);
  uri = g_strdup (self->uri);
  GST_OBJECT_UNLOCK (self);
  return uri;
}

static gboolean
gst_gaio_file_sink_uri_set_uri (GstURIHandler *handler, const char *uri, GError **error)
{
  GstGaioFileSink *self = GST_GAIO_FILE_SINK (handler);
  g_autofree char *location = NULL;

  if (!gst_gaio_uri_get_location (uri, &location, error))
    return FALSE;
  if (!gst_gaio_file_sink_set_location (self, location))
    {
      g_set_error (error,
                   GST_URI_ERROR,
                   GST_URI_ERROR_BAD_STATE,
                   "The location of %s cannot change while its file is open",
                   GST_OBJECT_NAME (self));
      return FALSE;
    }
  g_object_notify (G_OBJECT (self), "location");
  return TRUE;
}

static void
gst_gaio_file_sink_uri_handler_init (gpointer iface, gpointer data)
{
  GstURIHandlerInterface *handler = iface;

  handler->get_type = gst_gaio_file_sink_uri_get_type;
  handler->get_protocols = gst_gaio_file_sink_uri_get_protocols;
  handler->get_uri = gst_gaio_file_sink_uri_get_uri;
  handler->set_uri = gst_gaio_file_sink_uri_set_uri;
}

static void
gst_gaio_file_sink_init (GstGaioFileSink *self)
{
  gst_gaio_file_sink_properties_init (self);
  gst_base_sink_set_sync (GST_BASE_SINK (self), FALSE);
  /* The last sample would be one buffer more that upstream cannot have back. */
  gst_base_sink_set_last_sample_enabled (GST_BASE_SINK (self), FALSE);
}

static void
gst_gaio_file_sink_class_init (GstGaioFileSinkClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (gst_gaio_file_sink_debug, "gaiofilesink", 0, "gaio file sink");

  object_class->finalize = gst_gaio_file_sink_finalize;
  gst_gaio_file_sink_properties_class_init (klass);

  gst_element_class_add_static_pad_template (element_class, &sink_template);
  gst_element_class_set_static_metadata (element_class,
                                         "Asynchronous File Sink",
                                         "Sink/File",
                                         "Write stream to a file without blocking the stream",
                                         "the gaio authors");

  gst_gaio_file_sink_run_class_init (klass);
  gst_gaio_file_sink_data_class_init (klass);
}
