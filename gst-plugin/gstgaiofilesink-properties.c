/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What can be set and read. All settings are fields of one structure, guarded by the object lock,
 * which is copied when the file is opened; only max-bytes and max-time work at once. Their
 * defaults are in the property specifications and nowhere else. */

#include <stddef.h>

#include "gstgaiofilesink-private.h"

#define DEFAULT_MAX_BYTES (64 * 1024 * 1024)

enum
{
  PROP_0,
  PROP_LOCATION,
  PROP_APPEND,
  PROP_FILE_MODE,
  PROP_O_SYNC,
  PROP_MAX_TRANSIENT_ERROR_TIMEOUT,
  PROP_BUFFER_MODE,
  PROP_BUFFER_SIZE,
  PROP_MAX_BYTES,
  PROP_MAX_TIME,
  PROP_OVERFLOW,
  PROP_HOLD,
  PROP_CHUNK_SIZE,
  PROP_FLUSH_INTERVAL,
  PROP_MAX_IN_FLIGHT,
  PROP_DIRECT,
  PROP_PREALLOCATE,
  PROP_SYNC_AFTER,
  PROP_SYNC_MODE,
  PROP_SYNC_INTERVAL,
  PROP_DROP_CACHE,
  PROP_DRAIN_TIMEOUT,
  PROP_STALL_WARNING,
  PROP_CONTEXT,
  PROP_BACKEND,
  PROP_LEVEL_BYTES,
  PROP_IO_STATS,
  N_PROPS
};

static GParamSpec *props[N_PROPS];

/* Where in the settings, of those that are there. */
#define FIELD(name) offsetof (GstGaioFileSinkSettings, name)

static const gsize offsets[N_PROPS] = {
  [PROP_APPEND] = FIELD (append),
  [PROP_FILE_MODE] = FIELD (file_mode),
  [PROP_O_SYNC] = FIELD (o_sync),
  [PROP_MAX_TRANSIENT_ERROR_TIMEOUT] = FIELD (max_transient_error_timeout_ms),
  [PROP_BUFFER_MODE] = FIELD (buffer_mode),
  [PROP_BUFFER_SIZE] = FIELD (buffer_size),
  [PROP_MAX_BYTES] = FIELD (max_bytes),
  [PROP_MAX_TIME] = FIELD (max_time_ns),
  [PROP_OVERFLOW] = FIELD (overflow),
  [PROP_HOLD] = FIELD (hold),
  [PROP_CHUNK_SIZE] = FIELD (chunk_size),
  [PROP_FLUSH_INTERVAL] = FIELD (flush_interval_ms),
  [PROP_MAX_IN_FLIGHT] = FIELD (max_in_flight),
  [PROP_DIRECT] = FIELD (direct),
  [PROP_PREALLOCATE] = FIELD (preallocate),
  [PROP_SYNC_AFTER] = FIELD (sync_after),
  [PROP_SYNC_MODE] = FIELD (sync_mode),
  [PROP_SYNC_INTERVAL] = FIELD (sync_interval_ms),
  [PROP_DROP_CACHE] = FIELD (drop_cache),
  [PROP_DRAIN_TIMEOUT] = FIELD (drain_timeout_ns),
  [PROP_STALL_WARNING] = FIELD (stall_warning_ns),
  [PROP_CONTEXT] = FIELD (context),
  [PROP_BACKEND] = FIELD (backend),
};

static gboolean
is_setting (guint prop_id)
{
  return prop_id > PROP_LOCATION && prop_id < PROP_LEVEL_BYTES;
}

static gpointer
get_field (GstGaioFileSink *self, guint prop_id)
{
  return (guint8 *) &self->settings + offsets[prop_id];
}

static void
set_field (gpointer field, const GValue *value)
{
  switch (G_TYPE_FUNDAMENTAL (G_VALUE_TYPE (value)))
    {
    case G_TYPE_BOOLEAN:
      *(gboolean *) field = g_value_get_boolean (value);
      break;
    case G_TYPE_INT:
      *(int *) field = g_value_get_int (value);
      break;
    case G_TYPE_UINT:
      *(guint *) field = g_value_get_uint (value);
      break;
    case G_TYPE_UINT64:
      *(guint64 *) field = g_value_get_uint64 (value);
      break;
    case G_TYPE_ENUM:
      *(int *) field = g_value_get_enum (value);
      break;
    case G_TYPE_STRING:
      g_free (*(char **) field);
      *(char **) field = g_value_dup_string (value);
      break;
    default:
      g_assert_not_reached ();
    }
}

static void
get_field_value (gconstpointer field, GValue *value)
{
  switch (G_TYPE_FUNDAMENTAL (G_VALUE_TYPE (value)))
    {
    case G_TYPE_BOOLEAN:
      g_value_set_boolean (value, *(const gboolean *) field);
      break;
    case G_TYPE_INT:
      g_value_set_int (value, *(const int *) field);
      break;
    case G_TYPE_UINT:
      g_value_set_uint (value, *(const guint *) field);
      break;
    case G_TYPE_UINT64:
      g_value_set_uint64 (value, *(const guint64 *) field);
      break;
    case G_TYPE_ENUM:
      g_value_set_enum (value, *(const int *) field);
      break;
    case G_TYPE_STRING:
      g_value_set_string (value, *(char *const *) field);
      break;
    default:
      g_assert_not_reached ();
    }
}

gboolean
gst_gaio_file_sink_set_location (GstGaioFileSink *self, const char *location)
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

  if (prop_id == PROP_LOCATION)
    {
      if (!gst_gaio_file_sink_set_location (self, g_value_get_string (value)))
        g_warning ("Changing the location of %s while its file is open is not supported",
                   GST_OBJECT_NAME (self));
      return;
    }
  if (!is_setting (prop_id))
    {
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
      return;
    }

  GST_OBJECT_LOCK (self);
  set_field (get_field (self, prop_id), value);
  if (self->window != NULL && (prop_id == PROP_MAX_BYTES || prop_id == PROP_MAX_TIME))
    gst_gaio_window_set_limits (self->window, self->settings.max_bytes, self->settings.max_time_ns);
  GST_OBJECT_UNLOCK (self);
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
  if (prop_id == PROP_LOCATION)
    g_value_set_string (value, self->location);
  else if (prop_id == PROP_LEVEL_BYTES)
    g_value_set_uint64 (value, self->window != NULL ? gst_gaio_window_get_level (self->window) : 0);
  else if (is_setting (prop_id))
    get_field_value (get_field (self, prop_id), value);
  else
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
  GST_OBJECT_UNLOCK (self);
}

void
gst_gaio_file_sink_properties_init (GstGaioFileSink *self)
{
  for (guint i = 0; i < N_PROPS; i++)
    if (is_setting (i))
      set_field (get_field (self, i), g_param_spec_get_default_value (props[i]));
}

static void
mark_enums (void)
{
  gst_type_mark_as_plugin_api (gst_gaio_file_sink_file_mode_get_type (), 0);
  gst_type_mark_as_plugin_api (gst_gaio_file_sink_buffer_mode_get_type (), 0);
  gst_type_mark_as_plugin_api (gst_gaio_file_sink_overflow_get_type (), 0);
  gst_type_mark_as_plugin_api (gst_gaio_file_sink_direct_get_type (), 0);
  gst_type_mark_as_plugin_api (gst_gaio_file_sink_sync_after_get_type (), 0);
  gst_type_mark_as_plugin_api (gst_gaio_file_sink_backend_get_type (), 0);
  gst_type_mark_as_plugin_api (gst_gaio_hold_get_type (), 0);
  gst_type_mark_as_plugin_api (gst_gaio_sync_mode_get_type (), 0);
}

void
gst_gaio_file_sink_properties_class_init (GstGaioFileSinkClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags read_only = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;
  const GParamFlags ready = G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY;
  const GParamFlags playing =
      G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING;

  object_class->set_property = gst_gaio_file_sink_set_property;
  object_class->get_property = gst_gaio_file_sink_get_property;

  /**
   * GstGaioFileSink:location:
   *
   * The name of the file to write, which cannot change while the file is open.
   *
   * Since: 1.0
   */
  props[PROP_LOCATION] = g_param_spec_string ("location", "File Location",
                                              "Location of the file to write", NULL, ready);

  /**
   * GstGaioFileSink:append:
   *
   * Add to the end of the file that is there, whatever #GstGaioFileSink:file-mode says, which has
   * a value for this as well.
   *
   * Since: 1.0
   */
  props[PROP_APPEND] =
      g_param_spec_boolean ("append", "Append", "Append to an already existing file", FALSE, ready);

  /**
   * GstGaioFileSink:file-mode:
   *
   * What becomes of a file that is there already. `overwrite` is for files whose blocks were
   * allocated before; what lies behind the end of the stream stays.
   *
   * Since: 1.0
   */
  props[PROP_FILE_MODE] = g_param_spec_enum (
      "file-mode", "File mode", "What to do with a file that exists",
      gst_gaio_file_sink_file_mode_get_type (), GST_GAIO_FILE_SINK_FILE_MODE_TRUNCATE, ready);

  /**
   * GstGaioFileSink:o-sync:
   *
   * Open the file with `O_SYNC`: a write ends when its data is durable. #GstGaioFileSink:sync-mode
   * costs less.
   *
   * Since: 1.0
   */
  props[PROP_O_SYNC] =
      g_param_spec_boolean ("o-sync", "Synchronous IO", "Open the file with O_SYNC", FALSE, ready);

  /**
   * GstGaioFileSink:max-transient-error-timeout:
   *
   * For how many milliseconds a write is tried again that failed with an error that may go away:
   * no permission (`EACCES`, which network file systems report while they reconnect), no space
   * (`ENOSPC`) and no quota (`EDQUOT`). The stream goes on meanwhile, as long as the window has
   * room.
   *
   * Since: 1.0
   */
  props[PROP_MAX_TRANSIENT_ERROR_TIMEOUT] = g_param_spec_int (
      "max-transient-error-timeout", "Max transient error timeout",
      "Retry a write that failed with an error that may pass for so long (ms, 0 = not at all)", 0,
      G_MAXINT, 0, ready);

  /**
   * GstGaioFileSink:buffer-mode:
   *
   * With `unbuffered` each buffer or buffer list goes to the file at once. With the others, which
   * are filesink's and mean the same here, small ones are gathered; see
   * #GstGaioFileSink:buffer-size.
   *
   * Since: 1.0
   */
  props[PROP_BUFFER_MODE] = g_param_spec_enum (
      "buffer-mode", "Buffering mode", "Whether small buffers are gathered",
      gst_gaio_file_sink_buffer_mode_get_type (), GST_GAIO_FILE_SINK_BUFFER_MODE_DEFAULT, ready);

  /**
   * GstGaioFileSink:buffer-size:
   *
   * How many bytes to gather before an idle writer begins to write them. The end of the stream, a
   * full window, %GST_BUFFER_FLAG_SYNC_AFTER and #GstGaioFileSink:flush-interval let fewer
   * through. 0 stands for the default.
   *
   * Since: 1.0
   */
  props[PROP_BUFFER_SIZE] = g_param_spec_uint (
      "buffer-size", "Buffering size", "Number of bytes to gather for a write (0 = default)", 0,
      G_MAXUINT, GST_GAIO_FILE_SINK_BUFFER_SIZE, ready);

  /**
   * GstGaioFileSink:max-bytes:
   *
   * How much memory may be accepted and not yet written, in bytes. Copies count with their size,
   * buffers held by reference with all the memory they keep alive, and what cannot be joined to its
   * neighbours with 512 bytes at least. What happens when it is used up is
   * #GstGaioFileSink:overflow. A single buffer that is larger is let through alone.
   *
   * Since: 1.0
   */
  props[PROP_MAX_BYTES] = g_param_spec_uint64 ("max-bytes", "Max. bytes",
                                               "Max. number of bytes accepted and not yet written",
                                               1, G_MAXUINT64, DEFAULT_MAX_BYTES, playing);

  /**
   * GstGaioFileSink:max-time:
   *
   * The same bound as a time: there is no room either when the oldest byte that is not written was
   * accepted so many nanoseconds ago. 0 stands for any time.
   *
   * Since: 1.0
   */
  props[PROP_MAX_TIME] =
      g_param_spec_uint64 ("max-time", "Max. time",
                           "Max. age of the oldest byte accepted and not yet written (ns, 0 = any)",
                           0, G_MAXUINT64, 0, playing);

  /**
   * GstGaioFileSink:overflow:
   *
   * What happens to data that comes when the window is full.
   *
   * `drop` makes sense for streams that survive it, such as raw video, MPEG-TS and H.264 in byte
   * stream format. It takes the newest buffer, or buffer list, as a whole; the position does not
   * advance. Never dropped, but waited for, are buffers with %GST_BUFFER_FLAG_HEADER or
   * %GST_BUFFER_FLAG_SYNC_AFTER, what comes first after a seek, and what is written elsewhere than
   * at the end.
   *
   * Since: 1.0
   */
  props[PROP_OVERFLOW] = g_param_spec_enum (
      "overflow", "Overflow", "What to do when there is no room",
      gst_gaio_file_sink_overflow_get_type (), GST_GAIO_FILE_SINK_OVERFLOW_BLOCK, ready);

  /**
   * GstGaioFileSink:hold:
   *
   * Whether buffers are held by reference until they are written, or copied. `auto` copies small
   * ones, those of pools of limited size, which the source could run out of, and those that are no
   * system memory; and holds the others.
   *
   * Since: 1.0
   */
  props[PROP_HOLD] =
      g_param_spec_enum ("hold", "Hold", "Whether buffers are held by reference or copied",
                         gst_gaio_hold_get_type (), GST_GAIO_HOLD_AUTO, ready);

  /**
   * GstGaioFileSink:chunk-size:
   *
   * How many bytes of small buffers are joined to one write, at most.
   *
   * Since: 1.0
   */
  props[PROP_CHUNK_SIZE] =
      g_param_spec_uint ("chunk-size", "Chunk size", "Number of bytes that a write joins at most",
                         4096, 1024 * 1024 * 1024, 1024 * 1024, ready);

  /**
   * GstGaioFileSink:flush-interval:
   *
   * After how many milliseconds bytes are written though they are fewer than
   * #GstGaioFileSink:buffer-size.
   *
   * Since: 1.0
   */
  props[PROP_FLUSH_INTERVAL] = g_param_spec_uint (
      "flush-interval", "Flush interval", "Max. time that bytes wait for more to join them (ms)", 0,
      G_MAXUINT, 500, ready);

  /**
   * GstGaioFileSink:max-in-flight:
   *
   * How many writes are in flight at once. 0 stands for 1, or 4 with #GstGaioFileSink:direct. More
   * than one gains nothing through the page cache, and a file that was cut short by a crash may
   * then have holes. What has no positions, and a file that is appended to, is written by one at a
   * time whatever this says.
   *
   * Since: 1.0
   */
  props[PROP_MAX_IN_FLIGHT] = g_param_spec_uint (
      "max-in-flight", "Max. in flight", "Number of writes at once (0 = auto)", 0, 64, 0, ready);

  /**
   * GstGaioFileSink:direct:
   *
   * Whether the file is written past the page cache (`O_DIRECT`): at half the processor time, and
   * without pushing other files out of the cache. Upstream is asked for aligned memory then; what
   * is not aligned is copied. `auto` does without where the file system cannot, `yes` fails to
   * open there.
   *
   * Since: 1.0
   */
  props[PROP_DIRECT] = g_param_spec_enum (
      "direct", "Direct I/O", "Whether to write past the page cache (O_DIRECT)",
      gst_gaio_file_sink_direct_get_type (), GST_GAIO_FILE_SINK_DIRECT_NO, ready);

  /**
   * GstGaioFileSink:preallocate:
   *
   * In steps of how many bytes blocks of the disk are allocated ahead of the writer, so that a
   * file that grows for a long time lies in one piece. At the end of the stream the file has its
   * true length. File systems that cannot do it do without.
   *
   * Since: 1.0
   */
  props[PROP_PREALLOCATE] = g_param_spec_uint64 (
      "preallocate", "Preallocate",
      "Allocate so many bytes of the disk ahead of the writer (0 = none)", 0, G_MAXINT64, 0, ready);

  /**
   * GstGaioFileSink:sync-after:
   *
   * What %GST_BUFFER_FLAG_SYNC_AFTER does, which mp4mux sets in its robust mode. filesink's way is
   * `wait`, which makes the streaming thread wait for the disk.
   *
   * Since: 1.0
   */
  props[PROP_SYNC_AFTER] = g_param_spec_enum (
      "sync-after", "Sync after", "What a buffer with the flag SYNC_AFTER does",
      gst_gaio_file_sink_sync_after_get_type (), GST_GAIO_FILE_SINK_SYNC_AFTER_BARRIER, ready);

  /**
   * GstGaioFileSink:sync-mode:
   *
   * When the file becomes durable, beside #GstGaioFileSink:sync-after. With `eos` its data, length
   * and name are so when EOS is posted; `periodic` does that too, and syncs the data every
   * #GstGaioFileSink:sync-interval without anybody waiting.
   *
   * Since: 1.0
   */
  props[PROP_SYNC_MODE] =
      g_param_spec_enum ("sync-mode", "Sync mode", "When to make the file durable",
                         gst_gaio_sync_mode_get_type (), GST_GAIO_SYNC_NONE, ready);

  /**
   * GstGaioFileSink:sync-interval:
   *
   * How many milliseconds lie between two syncs, with #GstGaioFileSink:sync-mode `periodic`.
   *
   * Since: 1.0
   */
  props[PROP_SYNC_INTERVAL] =
      g_param_spec_uint ("sync-interval", "Sync interval",
                         "How often sync-mode=periodic syncs (ms)", 1, G_MAXUINT, 1000, ready);

  /**
   * GstGaioFileSink:drop-cache:
   *
   * Write the data back soon and drop it from the page cache, so that a long recording does not
   * push everything else out of it. #GstGaioFileSink:direct does so too, and costs less on a fast
   * disk.
   *
   * Since: 1.0
   */
  props[PROP_DROP_CACHE] = g_param_spec_boolean (
      "drop-cache", "Drop cache", "Drop what is written from the page cache", FALSE, ready);

  /**
   * GstGaioFileSink:drain-timeout:
   *
   * How many nanoseconds the way to NULL waits for what is not written. What is left then is lost:
   * an error message says so, with the number of bytes in its details as `lost-bytes` (a guint64).
   * A pipeline throws away messages of that moment unless its #GstPipeline:auto-flush-bus is FALSE;
   * `bytes-lost` in #GstGaioFileSink:io-stats says it too. The file is closed when the disk lets go
   * of it. A sink that opens it before that waits as long, or #GstGaioFileSink:stall-warning if
   * that is longer, and then fails.
   *
   * Since: 1.0
   */
  props[PROP_DRAIN_TIMEOUT] = g_param_spec_uint64 (
      "drain-timeout", "Drain timeout",
      "How long the way to NULL waits for the disk (ns, -1 = as long as it takes)", 0, G_MAXUINT64,
      G_MAXUINT64, ready);

  /**
   * GstGaioFileSink:stall-warning:
   *
   * When a write takes longer than so many nanoseconds, an element message `gaiofilesink-stall` is
   * posted, and another when it is over; and an error of another write is told then, which waits
   * else until it is known what is missing first. 0 stands for never.
   *
   * Since: 1.0
   */
  props[PROP_STALL_WARNING] = g_param_spec_uint64 (
      "stall-warning", "Stall warning", "Post a message when a write takes longer (ns, 0 = never)",
      0, G_MAXUINT64, GST_SECOND, ready);

  /**
   * GstGaioFileSink:context:
   *
   * The name of the I/O thread. The elements on a disk share a thread with those that have the same
   * name, or with the others that have none. A disk that hangs concerns nobody on another: those
   * never share one. Pipes and other files that are on no disk do so when they have the same name.
   *
   * Since: 1.0
   */
  props[PROP_CONTEXT] = g_param_spec_string (
      "context", "Context", "Name of the I/O thread, which elements on one disk share", "", ready);

  /**
   * GstGaioFileSink:backend:
   *
   * How the file is written: by io_uring, or by threads that block. Elements of different backends
   * share no I/O thread. Where io_uring is not available threads are used, whatever is asked for;
   * #GstGaioFileSink:io-stats tells what is in use, and why. For a file system whose server answers
   * a write with `EAGAIN` for ever, which io_uring tries again without an end, use `threads`.
   *
   * Since: 1.0
   */
  props[PROP_BACKEND] = g_param_spec_enum (
      "backend", "Backend", "How the file is written", gst_gaio_file_sink_backend_get_type (),
      GST_GAIO_FILE_SINK_BACKEND_AUTO, ready);

  /**
   * GstGaioFileSink:level-bytes:
   *
   * How many bytes are accepted and not yet written. It changes all the time and does not notify.
   *
   * Since: 1.0
   */
  props[PROP_LEVEL_BYTES] =
      g_param_spec_uint64 ("level-bytes", "Level", "Number of bytes accepted and not yet written",
                           0, G_MAXUINT64, 0, read_only);

  /**
   * GstGaioFileSink:io-stats:
   *
   * What became of the bytes so far; of the last run, while no file is open. Numbers are of type
   * guint64 and times in nanoseconds, where nothing else is said:
   *
   * - `engine` (string): how the file is written: `auto` before the first write, then `io-uring` or
   *   `threads`; `engine-reason` (string): why;
   * - `direct` (boolean): whether past the page cache; `direct-reason` (string): why not, though it
   *   was asked for;
   * - `bytes-accepted`, `bytes-written`, and `bytes-lost`: taken back by a flush or dropped after
   * an error;
   * - `bytes-dropped`, `buffers-dropped`: not accepted, see #GstGaioFileSink:overflow;
   * - `level-bytes`, `level-peak`: bytes in the window now, and the most there were;
   * - `memory-bytes`, `memory-peak`: the memory they hold, which max-bytes bounds;
   * - `held-refs`: buffers that are held by reference now; `copies`, `copied-bytes`: buffers that
   *   were copied, and their bytes;
   * - `writes`: requests that ended well; `write-bytes-min`, `write-bytes-avg`, `write-bytes-max`:
   *   their sizes; `write-latency-p50`, `write-latency-p99`, `write-latency-max`: what they took,
   *   the first two to within a factor of two; `short-writes`: times that one moved less than it
   *   should, and was continued; `retries`: times that one was tried again;
   * - `in-flight` (uint): writes now;
   * - `syncs`, `sync-time`: syncs that ended well, and what they took together;
   * - `render-latency-max`: the longest that the streaming thread was in the sink, waits for room
   *   not counted;
   * - `blocked-count`, `blocked-time`: how often and how long it waited for room;
   * - `stalls`, `longest-stall`: writes that took longer than #GstGaioFileSink:stall-warning.
   *
   * Since: 1.0
   */
  props[PROP_IO_STATS] = g_param_spec_boxed ("io-stats", "I/O statistics",
                                             "Statistics of the window and of the writes",
                                             GST_TYPE_STRUCTURE, read_only);

  g_object_class_install_properties (object_class, N_PROPS, props);
  mark_enums ();
}
