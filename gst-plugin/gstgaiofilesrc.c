/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/**
 * SECTION:element-gaiofilesrc
 * @title: gaiofilesrc
 * @see_also: #GstFileSrc, #GstGaioFileSink
 *
 * Reads a file, as filesrc does, but never on the streaming thread: an I/O thread reads it through
 * io_uring, or a thread pool where io_uring is not to be had, and the next
 * #GstGaioFileSrc:read-ahead bytes before somebody asks for them. So a disk or a server that takes
 * its time is asked for many things at once, and one that does not answer at all holds up nobody
 * who wants the element to stop: a seek, a change of state and a flush go on at once.
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 gaiofilesrc location=in.mp4 ! decodebin ! autovideosink
 * gst-launch-1.0 gaiofilesrc location=/mnt/server/in.ts read-ahead=33554432 ! tsdemux ! fakesink
 * ]|
 *
 * What comes out is byte for byte what filesrc gives, by push and by pull. What differs can be seen
 * from the outside only:
 *
 * - bytes that are changed in place or cut off, while they are in the window already, come as they
 *   were;
 * - large buffers share the memory that was read, and cannot be written without a copy;
 * - a read error has `errno` (an int) and `offset` (a guint64, where in the file) in the details of
 *   its message;
 * - a FIFO to which nobody writes yet is waited for in the stream, and not in the change of state,
 *   so that the element can be stopped;
 * - the file is closed in child processes (`O_CLOEXEC`).
 *
 * Each place that is read in order has a window, which begins small and grows as it is used up. Who
 * jumps about gets what was asked for, and no more is read. What is not a regular file or a block
 * device, as a pipe, is read as it is wanted.
 *
 * A file that grows is read to the end that it has by then. One on a file system that hangs is left
 * behind when the element stops: it is closed when its reads come back.
 *
 * At the end of the stream, and when the source stops without one, it posts an element message
 * `gaiofilesrc-stats` with the structure of #GstGaioFileSrc:io-stats.
 *
 * Since: 1.0
 */

/* What the element looks like: its type, properties and URIs. What it does is in
 * gstgaiofilesrc-run.c, and where the bytes come from in gstgaioreader.c. */

#include "gstgaiofilesrc-private.h"
#include "gstgaiouri.h"

#define DEFAULT_BLOCKSIZE 4096
#define DEFAULT_READ_AHEAD (8 * 1024 * 1024)
#define DEFAULT_READ_SIZE (1024 * 1024)
#define MAX_READ_SIZE (1024 * 1024 * 1024)

GST_DEBUG_CATEGORY (gst_gaio_file_src_debug);

enum
{
  PROP_0,
  PROP_LOCATION,
  PROP_READ_AHEAD,
  PROP_READ_SIZE,
  PROP_IO_STATS,
  N_PROPS
};

static GParamSpec *props[N_PROPS];

static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE ("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

static void gst_gaio_file_src_uri_handler_init (gpointer iface, gpointer data);

G_DEFINE_FINAL_TYPE_WITH_CODE (GstGaioFileSrc,
                               gst_gaio_file_src,
                               GST_TYPE_BASE_SRC,
                               G_IMPLEMENT_INTERFACE (GST_TYPE_URI_HANDLER,
                                                      gst_gaio_file_src_uri_handler_init))

/* Rank NONE: it must not take file:// away from filesrc unless somebody says so. */
GST_ELEMENT_REGISTER_DEFINE (gaiofilesrc, "gaiofilesrc", GST_RANK_NONE, GST_TYPE_GAIO_FILE_SRC)

/* False when a file is open, or about to be: it keeps its name. */
static gboolean
set_location (GstGaioFileSrc *self, const char *location)
{
  g_autofree char *uri = location != NULL ? gst_filename_to_uri (location, NULL) : NULL;
  gboolean is_open;

  GST_OBJECT_LOCK (self);
  is_open = GST_STATE (self) != GST_STATE_NULL && GST_STATE (self) != GST_STATE_READY;
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
set_sizes_locked (GstGaioFileSrc *self)
{
  if (self->reader != NULL)
    gst_gaio_reader_set_sizes (self->reader, self->read_ahead, self->read_size);
}

static void
gst_gaio_file_src_set_property (GObject *object,
                                guint prop_id,
                                const GValue *value,
                                GParamSpec *pspec)
{
  GstGaioFileSrc *self = GST_GAIO_FILE_SRC (object);

  switch (prop_id)
    {
    case PROP_LOCATION:
      if (!set_location (self, g_value_get_string (value)))
        g_warning ("Changing the location of %s while its file is open is not supported",
                   GST_OBJECT_NAME (self));
      break;

    case PROP_READ_AHEAD:
      GST_OBJECT_LOCK (self);
      self->read_ahead = g_value_get_uint64 (value);
      set_sizes_locked (self);
      GST_OBJECT_UNLOCK (self);
      break;

    case PROP_READ_SIZE:
      GST_OBJECT_LOCK (self);
      self->read_size = g_value_get_uint (value);
      set_sizes_locked (self);
      GST_OBJECT_UNLOCK (self);
      break;

    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
      break;
    }
}

static void
gst_gaio_file_src_get_property (GObject *object, guint prop_id, GValue *value, GParamSpec *pspec)
{
  GstGaioFileSrc *self = GST_GAIO_FILE_SRC (object);

  if (prop_id == PROP_IO_STATS)
    {
      g_value_take_boxed (value, gst_gaio_file_src_get_stats (self));
      return;
    }

  GST_OBJECT_LOCK (self);
  switch (prop_id)
    {
    case PROP_LOCATION:
      g_value_set_string (value, self->location);
      break;

    case PROP_READ_AHEAD:
      g_value_set_uint64 (value, self->read_ahead);
      break;

    case PROP_READ_SIZE:
      g_value_set_uint (value, self->read_size);
      break;

    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
      break;
    }
  GST_OBJECT_UNLOCK (self);
}

static void
gst_gaio_file_src_finalize (GObject *object)
{
  GstGaioFileSrc *self = GST_GAIO_FILE_SRC (object);

  g_free (self->location);
  g_free (self->uri);
  g_clear_pointer (&self->last_stats, gst_structure_free);

  G_OBJECT_CLASS (gst_gaio_file_src_parent_class)->finalize (object);
}

/* GstURIHandler */

static GstURIType
gst_gaio_file_src_uri_get_type (GType type)
{
  return GST_URI_SRC;
}

static const char *const *
gst_gaio_file_src_uri_get_protocols (GType type)
{
  static const char *const protocols[] = { "file", NULL };

  return protocols;
}

static char *
gst_gaio_file_src_uri_get_uri (GstURIHandler *handler)
{
  GstGaioFileSrc *self = GST_GAIO_FILE_SRC (handler);
  char *uri;

  GST_OBJECT_LOCK (self);
  uri = g_strdup (self->uri);
  GST_OBJECT_UNLOCK (self);
  return uri;
}

static gboolean
gst_gaio_file_src_uri_set_uri (GstURIHandler *handler, const char *uri, GError **error)
{
  GstGaioFileSrc *self = GST_GAIO_FILE_SRC (handler);
  g_autofree char *location = NULL;

  if (!gst_gaio_uri_get_location (uri, &location, error))
    return FALSE;
  if (!set_location (self, location))
    {
      g_set_error (error, GST_URI_ERROR, GST_URI_ERROR_BAD_STATE,
                   "The location of %s cannot change while its file is open",
                   GST_OBJECT_NAME (self));
      return FALSE;
    }
  g_object_notify_by_pspec (G_OBJECT (self), props[PROP_LOCATION]);
  return TRUE;
}

static void
gst_gaio_file_src_uri_handler_init (gpointer iface, gpointer data)
{
  GstURIHandlerInterface *handler = iface;

  handler->get_type = gst_gaio_file_src_uri_get_type;
  handler->get_protocols = gst_gaio_file_src_uri_get_protocols;
  handler->get_uri = gst_gaio_file_src_uri_get_uri;
  handler->set_uri = gst_gaio_file_src_uri_set_uri;
}

static void
gst_gaio_file_src_init (GstGaioFileSrc *self)
{
  self->read_ahead = DEFAULT_READ_AHEAD;
  self->read_size = DEFAULT_READ_SIZE;
  gst_base_src_set_blocksize (GST_BASE_SRC (self), DEFAULT_BLOCKSIZE);
  gst_gaio_file_src_watch_end (self);
}

static void
gst_gaio_file_src_class_init (GstGaioFileSrcClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS;

  GST_DEBUG_CATEGORY_INIT (gst_gaio_file_src_debug, "gaiofilesrc", 0, "gaio file source");

  object_class->set_property = gst_gaio_file_src_set_property;
  object_class->get_property = gst_gaio_file_src_get_property;
  object_class->finalize = gst_gaio_file_src_finalize;

  /**
   * GstGaioFileSrc:location:
   *
   * The name of the file to read, which cannot change while the file is open.
   *
   * Since: 1.0
   */
  props[PROP_LOCATION] =
      g_param_spec_string ("location", "File Location", "Location of the file to read", NULL,
                           flags | GST_PARAM_MUTABLE_READY);

  /**
   * GstGaioFileSrc:read-ahead:
   *
   * How many bytes at most to read before somebody asks for them; 0: none. They are kept in
   * memory, beside what is being used and, when it is pulled, a quarter as much that was used
   * lately.
   *
   * Since: 1.0
   */
  props[PROP_READ_AHEAD] =
      g_param_spec_uint64 ("read-ahead", "Read ahead",
                           "Max. number of bytes to read before they are asked for (0 = none)", 0,
                           G_MAXINT64, DEFAULT_READ_AHEAD, flags | GST_PARAM_MUTABLE_PLAYING);

  /**
   * GstGaioFileSrc:read-size:
   *
   * How many bytes to read ahead by one read. Several are under way at once, as
   * #GstGaioFileSrc:read-ahead has room.
   *
   * Since: 1.0
   */
  props[PROP_READ_SIZE] =
      g_param_spec_uint ("read-size", "Read size", "Number of bytes to read ahead at a time", 4096,
                         MAX_READ_SIZE, DEFAULT_READ_SIZE, flags | GST_PARAM_MUTABLE_PLAYING);

  /**
   * GstGaioFileSrc:io-stats:
   *
   * What became of the bytes so far; of the last run, while no file is open:
   *
   * - `engine` (string): how the file is read: `auto` before the first read, then `io-uring` or
   *   `threads`; `engine-reason` (string): why;
   * - `bytes-read` (uint64): read from the file;
   * - `bytes-used` (uint64): sent or given to who pulled, more than once perhaps;
   * - `bytes-thrown-away` (uint64): read, dropped, and never used;
   * - `level-bytes` (uint64): in memory now, or on their way there;
   * - `reads` (uint64): how many reads were begun;
   * - `hits` (uint64): how many buffers were there when they were wanted; `misses` (uint64): for
   *   how many a read had to be begun then;
   * - `waits`, `waited-ns` (uint64): how often and how long the streaming thread waited for a read.
   *
   * Since: 1.0
   */
  props[PROP_IO_STATS] =
      g_param_spec_boxed ("io-stats", "I/O statistics", "Statistics of the window and of the reads",
                          GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  g_object_class_install_properties (object_class, N_PROPS, props);

  gst_element_class_add_static_pad_template (element_class, &src_template);
  gst_element_class_set_static_metadata (element_class, "Asynchronous File Source", "Source/File",
                                         "Read a file ahead without blocking the stream",
                                         "the gaio authors");

  gst_gaio_file_src_run_class_init (klass);
}
