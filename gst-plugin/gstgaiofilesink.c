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
 * not stall the source as long as the window has room. When it is full the sink waits, as filesink
 * would.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 videotestsrc num-buffers=300 ! x264enc ! mp4mux ! gaiofilesink location=out.mp4
 * ]|
 *
 * The file is byte for byte what filesink writes. What differs can be seen from outside the
 * file only:
 *
 * - fewer than #GstGaioFileSink:buffer-size bytes are written after half a second too, and not
 *   only when the stream ends;
 * - with #GstGaioFileSink:append the sink says that it cannot seek, which is the truth, so a muxer
 *   writes a streamable file and not its headers to the wrong place; and a flush takes back what
 *   this stream wrote, not what was in the file before;
 * - the file is closed in child processes (`O_CLOEXEC`);
 * - a write error is posted when it happens, once, with `errno` (an int) and `offset` (a guint64,
 *   that of the first byte that is not in the file) in the details of the message.
 *
 * A buffer with %GST_BUFFER_FLAG_SYNC_AFTER is in the file, and durable, when the push returns.
 *
 * At the end of the stream, and when the sink stops without one, it posts an element message
 * `gaiofilesink-stats` with the structure of #GstGaioFileSink:io-stats.
 */

/* What the element looks like: its type, properties and URIs. What it does is in
 * gstgaiofilesink-run.c, and what happens to the bytes in gstgaiowindow.c. */

#include "gstgaiofilesink-private.h"

#define DEFAULT_MAX_BYTES (64 * 1024 * 1024)

GST_DEBUG_CATEGORY (gst_gaio_file_sink_debug);

enum
{
  PROP_0,
  PROP_LOCATION,
  PROP_APPEND,
  PROP_BUFFER_SIZE,
  PROP_MAX_BYTES,
  PROP_IO_STATS,
  N_PROPS
};

static GParamSpec *props[N_PROPS];

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

/* False when a file is open: it keeps its name. */
static gboolean
set_location (GstGaioFileSink *self, const char *location)
{
  g_autofree char *uri = location != NULL ? gst_filename_to_uri (location, NULL) : NULL;
  gboolean is_open;

  GST_OBJECT_LOCK (self);
  is_open = self->window != NULL;
  if (!is_open)
    {
      g_free (self->location);
      self->location = g_strdup (location);
      g_free (self->uri);
      self->uri = g_steal_pointer (&uri);
    }
  GST_OBJECT_UNLOCK (self);
  return !is_open;
}

static void
gst_gaio_file_sink_set_property (GObject *object,
                                 guint prop_id,
                                 const GValue *value,
                                 GParamSpec *pspec)
{
  GstGaioFileSink *self = GST_GAIO_FILE_SINK (object);

  switch (prop_id)
    {
    case PROP_LOCATION:
      if (!set_location (self, g_value_get_string (value)))
        g_warning ("Changing the location of %s while its file is open is not supported",
                   GST_OBJECT_NAME (self));
      break;

    case PROP_APPEND:
      GST_OBJECT_LOCK (self);
      self->append = g_value_get_boolean (value);
      GST_OBJECT_UNLOCK (self);
      break;

    case PROP_BUFFER_SIZE:
      GST_OBJECT_LOCK (self);
      self->buffer_size = g_value_get_uint (value);
      GST_OBJECT_UNLOCK (self);
      break;

    case PROP_MAX_BYTES:
      GST_OBJECT_LOCK (self);
      self->max_bytes = g_value_get_uint64 (value);
      if (self->window != NULL)
        gst_gaio_window_set_max_bytes (self->window, self->max_bytes);
      GST_OBJECT_UNLOCK (self);
      break;

    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
      break;
    }
}

static void
gst_gaio_file_sink_get_property (GObject *object, guint prop_id, GValue *value, GParamSpec *pspec)
{
  GstGaioFileSink *self = GST_GAIO_FILE_SINK (object);

  if (prop_id == PROP_IO_STATS)
    {
      g_value_take_boxed (value, gst_gaio_file_sink_get_stats (self));
      return;
    }

  GST_OBJECT_LOCK (self);
  switch (prop_id)
    {
    case PROP_LOCATION:
      g_value_set_string (value, self->location);
      break;

    case PROP_APPEND:
      g_value_set_boolean (value, self->append);
      break;

    case PROP_BUFFER_SIZE:
      g_value_set_uint (value, self->buffer_size);
      break;

    case PROP_MAX_BYTES:
      g_value_set_uint64 (value, self->max_bytes);
      break;

    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
      break;
    }
  GST_OBJECT_UNLOCK (self);
}

static void
gst_gaio_file_sink_finalize (GObject *object)
{
  GstGaioFileSink *self = GST_GAIO_FILE_SINK (object);

  g_free (self->location);
  g_free (self->uri);
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

  /* Nothing behind the slashes takes the name away, as a location of NULL does. */
  if (g_strcmp0 (uri, "file://") != 0)
    {
      g_autofree char *host = NULL;
      g_autoptr (GError) reason = NULL;

      location = g_filename_from_uri (uri, &host, &reason);
      if (location == NULL || (host != NULL && g_ascii_strcasecmp (host, "localhost") != 0))
        {
          g_set_error (error,
                       GST_URI_ERROR,
                       GST_URI_ERROR_BAD_URI,
                       "Cannot write to '%s': %s",
                       uri,
                       reason != NULL ? reason->message : "the file is on another host");
          return FALSE;
        }
    }

  if (!set_location (self, location))
    {
      g_set_error (error,
                   GST_URI_ERROR,
                   GST_URI_ERROR_BAD_STATE,
                   "The location of %s cannot change while its file is open",
                   GST_OBJECT_NAME (self));
      return FALSE;
    }
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_LOCATION]);
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
  self->buffer_size = GST_GAIO_FILE_SINK_BUFFER_SIZE;
  self->max_bytes = DEFAULT_MAX_BYTES;
  gst_base_sink_set_sync (GST_BASE_SINK (self), FALSE);
  /* The last sample would be one buffer more that upstream cannot have back. */
  gst_base_sink_set_last_sample_enabled (GST_BASE_SINK (self), FALSE);
}

static void
gst_gaio_file_sink_class_init (GstGaioFileSinkClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS;

  GST_DEBUG_CATEGORY_INIT (gst_gaio_file_sink_debug, "gaiofilesink", 0, "gaio file sink");

  object_class->set_property = gst_gaio_file_sink_set_property;
  object_class->get_property = gst_gaio_file_sink_get_property;
  object_class->finalize = gst_gaio_file_sink_finalize;

  /**
   * GstGaioFileSink:location:
   *
   * The name of the file to write, which cannot change while the file is open.
   *
   * Since: 1.0
   */
  props[PROP_LOCATION] = g_param_spec_string ("location",
                                              "File Location",
                                              "Location of the file to write",
                                              NULL,
                                              flags | GST_PARAM_MUTABLE_READY);

  /**
   * GstGaioFileSink:append:
   *
   * Add to the end of the file that is there, and do not empty it.
   *
   * Since: 1.0
   */
  props[PROP_APPEND] = g_param_spec_boolean ("append",
                                             "Append",
                                             "Append to an already existing file",
                                             FALSE,
                                             flags | GST_PARAM_MUTABLE_READY);

  /**
   * GstGaioFileSink:buffer-size:
   *
   * How many bytes to gather before an idle writer begins to write them. The end of the stream, a
   * full window, %GST_BUFFER_FLAG_SYNC_AFTER and half a second let fewer through. 0 stands for the
   * default.
   *
   * Since: 1.0
   */
  props[PROP_BUFFER_SIZE] = g_param_spec_uint ("buffer-size",
                                               "Buffering size",
                                               "Number of bytes to gather for a write",
                                               0,
                                               G_MAXUINT,
                                               GST_GAIO_FILE_SINK_BUFFER_SIZE,
                                               flags | GST_PARAM_MUTABLE_READY);

  /**
   * GstGaioFileSink:max-bytes:
   *
   * How much memory may be accepted and not yet written, in bytes. Copies count with their
   * size, buffers held by reference with all the memory they keep alive. When it is used up the
   * streaming thread waits for the disk. A single buffer that is larger is let through alone.
   *
   * Since: 1.0
   */
  props[PROP_MAX_BYTES] =
      g_param_spec_uint64 ("max-bytes",
                           "Max. bytes",
                           "Max. number of bytes accepted and not yet written",
                           1,
                           G_MAXUINT64,
                           DEFAULT_MAX_BYTES,
                           flags | GST_PARAM_MUTABLE_PLAYING);

  /**
   * GstGaioFileSink:io-stats:
   *
   * What became of the bytes so far; of the last run, while no file is open:
   *
   * - `engine` (string): how the file is written: `auto` before the first write, then `io-uring` or
   *   `threads`; `engine-reason` (string): why;
   * - `bytes-accepted`, `bytes-written` (uint64), and `bytes-lost`: taken back by a flush or
   *   dropped after an error;
   * - `bytes-copied` (uint64): of the accepted ones, those copied and not held by reference;
   * - `level-bytes`, `level-peak` (uint64): bytes in the window now, and the most there were;
   * - `memory-bytes`, `memory-peak` (uint64): the memory they hold, which max-bytes bounds;
   * - `writes`, `syncs` (uint64): requests that ended well;
   * - `blocked-count`, `blocked-ns` (uint64): how often and how long the streaming thread waited
   *   for room.
   *
   * Since: 1.0
   */
  props[PROP_IO_STATS] = g_param_spec_boxed ("io-stats",
                                             "I/O statistics",
                                             "Statistics of the window and of the writes",
                                             GST_TYPE_STRUCTURE,
                                             G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  g_object_class_install_properties (object_class, N_PROPS, props);

  gst_element_class_add_static_pad_template (element_class, &sink_template);
  gst_element_class_set_static_metadata (element_class,
                                         "Asynchronous File Sink",
                                         "Sink/File",
                                         "Write stream to a file without blocking the stream",
                                         "the gaio authors");

  gst_gaio_file_sink_run_class_init (klass);
}
