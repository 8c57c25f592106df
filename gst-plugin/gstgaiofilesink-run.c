/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the element does: states, data, events, queries and messages. What happens to the bytes is
 * in gstgaiowindow.c.
 *
 * start() opens the file on the way to READY and stop() closes it on the way to NULL, in the thread
 * that changes the state, because the one must be able to fail there and the other to report.
 * Between them this file makes no system call on it.
 *
 * Each sink has an I/O thread of its own from start to stop. Sinks could share one, and a thread
 * and a ring for each of a hundred sinks are not free; but a ring has a few kernel workers only,
 * and a handful of sinks on a disk that hangs would take them all, and with them the sinks
 * on a disk that does not. To keep the one from stalling the other is what this element is for.
 *
 * Lock order: the object lock, then the window's. Neither is held while a message is posted. */

#include <errno.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "gstgaiofilesink-private.h"

static gpointer parent_class;

/* Errors */

/* Posts the error of this run, if it is the first; takes `text` and `debug`. Without a text the
 * application gets GStreamer's own, in its language. Thread: any. */
#define post_error(self, code, text, debug, errnum, offset) \
  post_error_at (self, code, text, debug, errnum, offset, GST_FUNCTION, __LINE__)

static void
post_error_at (GstGaioFileSink *self,
               GstResourceError code,
               char *text,
               char *debug,
               int errnum,
               guint64 offset,
               const char *function,
               int line)
{
  if (atomic_exchange (&self->has_failed, true))
    {
      GST_WARNING_OBJECT (self, "not the first error, not posted: %s", debug);
      g_free (text);
      g_free (debug);
      return;
    }
  gst_element_message_full_with_details (GST_ELEMENT (self),
                                         GST_MESSAGE_ERROR,
                                         GST_RESOURCE_ERROR,
                                         code,
                                         text,
                                         debug,
                                         __FILE__,
                                         function,
                                         line,
                                         gst_structure_new ("details",
                                                            "errno",
                                                            G_TYPE_INT,
                                                            errnum,
                                                            "offset",
                                                            G_TYPE_UINT64,
                                                            offset,
                                                            NULL));
}

/* The I/O thread: something that was accepted is not in the file. */
static void
window_failed (GstGaioOperationKind kind,
               guint64 offset,
               const GError *error,
               gpointer user_data)
{
  GstGaioFileSink *self = user_data;
  int errnum = gaio_error_get_errno (error);
  GstResourceError code = GST_RESOURCE_ERROR_WRITE;

  if (errnum == ENOSPC)
    code = GST_RESOURCE_ERROR_NO_SPACE_LEFT;
  else if (kind == GST_GAIO_OPERATION_SYNC)
    code = GST_RESOURCE_ERROR_SYNC;

  post_error (self, code, NULL, g_strdup (error->message), errnum, offset);
}

/* Statistics */

static GstStructure *
stats_new (GstGaioFileSink *self, GstGaioWindow *window)
{
  GaioContext *context = gaio_file_get_context (self->file);
  g_autofree char *reason = gaio_context_get_engine_reason (context);
  GEnumClass *engines = g_type_class_ref (GAIO_TYPE_ENGINE);
  GEnumValue *engine = g_enum_get_value (engines, gaio_context_get_engine (context));
  GstGaioWindowStats stats;
  GstStructure *structure;

  gst_gaio_window_get_stats (window, &stats);
  structure = gst_structure_new ("gaiofilesink-stats",
                                 "engine", G_TYPE_STRING, engine->value_nick,
                                 "engine-reason", G_TYPE_STRING, reason,
                                 "bytes-accepted", G_TYPE_UINT64, stats.accepted,
                                 "bytes-written", G_TYPE_UINT64, stats.written,
                                 "bytes-lost", G_TYPE_UINT64, stats.lost,
                                 "bytes-copied", G_TYPE_UINT64, stats.copied,
                                 "level-bytes", G_TYPE_UINT64, stats.level,
                                 "level-peak", G_TYPE_UINT64, stats.level_peak,
                                 "memory-bytes", G_TYPE_UINT64, stats.held,
                                 "memory-peak", G_TYPE_UINT64, stats.held_peak,
                                 "writes", G_TYPE_UINT64, stats.writes,
                                 "syncs", G_TYPE_UINT64, stats.syncs,
                                 "blocked-count", G_TYPE_UINT64, stats.waits,
                                 "blocked-ns", G_TYPE_UINT64, stats.waited_ns,
                                 NULL);
  g_type_class_unref (engines);
  return structure;
}

GstStructure *
gst_gaio_file_sink_get_stats (GstGaioFileSink *self)
{
  GstStructure *stats;

  GST_OBJECT_LOCK (self);
  if (self->window != NULL)
    stats = stats_new (self, self->window);
  else if (self->last_stats != NULL)
    stats = gst_structure_copy (self->last_stats);
  else
    stats = gst_structure_new_empty ("gaiofilesink-stats");
  GST_OBJECT_UNLOCK (self);
  return stats;
}

static void
post_stats (GstGaioFileSink *self)
{
  if (!atomic_exchange (&self->stats_due, false))
    return;
  gst_element_post_message (GST_ELEMENT (self),
                            gst_message_new_element (GST_OBJECT (self),
                                                     gst_gaio_file_sink_get_stats (self)));
}

/* States */

static gboolean
open_file (GstGaioFileSink *self, const char *location, gboolean append)
{
  GaioContext *context = gaio_io_thread_get_context (self->thread);
  g_autoptr (GError) error = NULL;
  struct stat st;

  self->file = gaio_file_new_for_path (context, location, append ? "a" : "w", &error);
  if (self->file == NULL)
    {
      g_autofree char *shown = g_filename_display_name (location);

      post_error (self,
                  GST_RESOURCE_ERROR_OPEN_WRITE,
                  g_strdup_printf ("Could not open file \"%s\" for writing.", shown),
                  g_strdup_printf ("system error: %s", error->message),
                  gaio_error_get_errno (error),
                  0);
      return FALSE;
    }

  self->is_regular = FALSE;
  self->base = 0;
  if (fstat (gaio_file_get_fd (self->file), &st) == 0 && S_ISREG (st.st_mode))
    {
      self->is_regular = TRUE;
      self->base = append ? (guint64) st.st_size : 0;
    }
  self->can_position = gaio_file_is_seekable (self->file);
  atomic_store (&self->seekable, self->can_position && !append);
  return TRUE;
}

static gboolean
start (GstGaioFileSink *self)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *location = NULL;
  gboolean append;
  gboolean fixed_size = FALSE;

  atomic_store (&self->has_failed, false);
  atomic_store (&self->stats_due, false);
  atomic_store (&self->position, 0);
  self->has_gap = FALSE;

  GST_OBJECT_LOCK (self);
  location = g_strdup (self->location);
  append = self->append;
  if (self->buffer_size == 0)
    {
      self->buffer_size = GST_GAIO_FILE_SINK_BUFFER_SIZE;
      fixed_size = TRUE;
    }
  GST_OBJECT_UNLOCK (self);
  if (fixed_size)
    g_object_notify (G_OBJECT (self), "buffer-size");

  if (location == NULL || *location == '\0')
    {
      post_error (self,
                  GST_RESOURCE_ERROR_NOT_FOUND,
                  g_strdup ("No file name specified for writing."),
                  g_strdup ("the location property is not set"),
                  ENOENT,
                  0);
      return FALSE;
    }

  self->thread = gaio_io_thread_new (GST_OBJECT_NAME (self), &error);
  if (self->thread == NULL)
    {
      post_error (self,
                  GST_RESOURCE_ERROR_FAILED,
                  NULL,
                  g_strdup (error->message),
                  gaio_error_get_errno (error),
                  0);
      return FALSE;
    }
  if (!open_file (self, location, append))
    {
      gaio_io_thread_stop (self->thread);
      g_clear_object (&self->thread);
      return FALSE;
    }

  GST_OBJECT_LOCK (self);
  self->window = gst_gaio_window_new (self->file,
                                      self->max_bytes,
                                      self->buffer_size,
                                      window_failed,
                                      self);
  GST_OBJECT_UNLOCK (self);
  GST_INFO_OBJECT (self, "opened %s, can seek: %d", location, atomic_load (&self->seekable));
  return TRUE;
}

static void
stop (GstGaioFileSink *self)
{
  g_autoptr (GError) error = NULL;
  GstGaioWindow *window;

  /* What was accepted gets written, also when the stream ends without an EOS. */
  gst_gaio_window_drain (self->window, FALSE);
  if (!gaio_file_close (self->file, NULL, &error))
    {
      const char *path = gaio_file_get_path (self->file);
      g_autofree char *shown = g_filename_display_name (path != NULL ? path : "");

      post_error (self,
                  GST_RESOURCE_ERROR_CLOSE,
                  g_strdup_printf ("Error closing file \"%s\".", shown),
                  g_strdup_printf ("system error: %s", error->message),
                  gaio_error_get_errno (error),
                  0);
    }
  post_stats (self);

  GST_OBJECT_LOCK (self);
  window = g_steal_pointer (&self->window);
  g_clear_pointer (&self->last_stats, gst_structure_free);
  self->last_stats = stats_new (self, window);
  GST_OBJECT_UNLOCK (self);
  GST_INFO_OBJECT (self, "closed: %" GST_PTR_FORMAT, self->last_stats);

  gaio_io_thread_stop (self->thread);
  gst_gaio_window_free (window);
  g_clear_object (&self->file);
  g_clear_object (&self->thread);
  atomic_store (&self->seekable, false);
}

/* On its way to PLAYING the base class takes the preroll lock without an unlock() before, since it
 * believes that a sink in PAUSED waits in preroll. But after NULL to PLAYING in one step, then
 * PAUSED, it takes the sink for prerolled and lets data through; the streaming thread may then wait
 * for the disk, in PAUSED and with the lock. So it has to get out of that; nor may it wait again
 * before the change is made, or nobody would wake it afterwards. */
static GstStateChangeReturn
resume (GstGaioFileSink *self, GstStateChange transition)
{
  GstBaseSink *sink = GST_BASE_SINK (self);
  GstStateChangeReturn ret;

  gst_gaio_window_interrupt (self->window, GST_GAIO_INTERRUPT_RESUME);
  ret = GST_ELEMENT_CLASS (parent_class)->change_state (GST_ELEMENT (self), transition);
  GST_BASE_SINK_PREROLL_LOCK (sink);
  gst_gaio_window_resume (self->window, GST_GAIO_INTERRUPT_RESUME);
  GST_BASE_SINK_PREROLL_SIGNAL (sink);
  GST_BASE_SINK_PREROLL_UNLOCK (sink);
  return ret;
}

/* The base class has start() and stop() for the file; but when its start() fails it posts an error
 * of its own beside ours. */
static GstStateChangeReturn
gst_gaio_file_sink_change_state (GstElement *element, GstStateChange transition)
{
  GstGaioFileSink *self = GST_GAIO_FILE_SINK (element);
  GstStateChangeReturn ret;

  if (transition == GST_STATE_CHANGE_PAUSED_TO_PLAYING)
    return resume (self, transition);
  if (transition == GST_STATE_CHANGE_NULL_TO_READY && !start (self))
    return GST_STATE_CHANGE_FAILURE;

  ret = GST_ELEMENT_CLASS (parent_class)->change_state (element, transition);

  if ((transition == GST_STATE_CHANGE_NULL_TO_READY && ret == GST_STATE_CHANGE_FAILURE) ||
      (transition == GST_STATE_CHANGE_READY_TO_NULL && self->window != NULL))
    stop (self);
  return ret;
}

static gboolean
gst_gaio_file_sink_unlock (GstBaseSink *sink)
{
  GstGaioFileSink *self = GST_GAIO_FILE_SINK (sink);

  if (self->window != NULL)
    gst_gaio_window_interrupt (self->window, GST_GAIO_INTERRUPT_UNLOCK);
  return TRUE;
}

static gboolean
gst_gaio_file_sink_unlock_stop (GstBaseSink *sink)
{
  GstGaioFileSink *self = GST_GAIO_FILE_SINK (sink);

  if (self->window != NULL)
    gst_gaio_window_resume (self->window, GST_GAIO_INTERRUPT_UNLOCK);
  return TRUE;
}

/* Data */

/* Waits until all is written; GST_FLOW_OK means it is. A pause in between is waited out, because
 * the base class, which asks for the interruption, then wants the lock we hold. */
static GstFlowReturn
drain (GstGaioFileSink *self)
{
  while (!self->has_gap)
    {
      switch (gst_gaio_window_drain (self->window, TRUE))
        {
        case GST_GAIO_WINDOW_OK:
          return GST_FLOW_OK;

        case GST_GAIO_WINDOW_INTERRUPTED:
          {
            GstFlowReturn ret = gst_base_sink_wait_preroll (GST_BASE_SINK (self));

            if (ret != GST_FLOW_OK)
              return ret;
            break;
          }

        case GST_GAIO_WINDOW_FAILED:
        case GST_GAIO_WINDOW_UNREADABLE:
        default:
          return GST_FLOW_ERROR;
        }
    }
  return GST_FLOW_ERROR;
}

static GstFlowReturn
push (GstGaioFileSink *self, GstBuffer *buffer)
{
  guint64 position = atomic_load_explicit (&self->position, memory_order_relaxed);
  gsize size = gst_buffer_get_size (buffer);

  while (!self->has_gap)
    {
      switch (gst_gaio_window_push (self->window, buffer, position))
        {
        case GST_GAIO_WINDOW_OK:
          GST_LOG_OBJECT (self, "%" G_GSIZE_FORMAT " bytes at %" G_GUINT64_FORMAT, size, position);
          atomic_store (&self->position, position + size);
          if (size > 0)
            atomic_store_explicit (&self->stats_due, true, memory_order_relaxed);
          return GST_FLOW_OK;

        case GST_GAIO_WINDOW_INTERRUPTED:
          {
            GstFlowReturn ret = gst_base_sink_wait_preroll (GST_BASE_SINK (self));

            if (ret != GST_FLOW_OK)
              return ret;
            break;
          }

        case GST_GAIO_WINDOW_UNREADABLE:
          self->has_gap = TRUE;
          post_error (self,
                      GST_RESOURCE_ERROR_WRITE,
                      NULL,
                      g_strdup_printf ("cannot map the memory of a buffer of %" G_GSIZE_FORMAT
                                       " bytes for reading",
                                       size),
                      EFAULT,
                      position);
          return GST_FLOW_ERROR;

        case GST_GAIO_WINDOW_FAILED:
        default:
          return GST_FLOW_ERROR;
        }
    }
  return GST_FLOW_ERROR;
}

static GstFlowReturn
sync_after (GstGaioFileSink *self)
{
  /* Only a file on a disk can be synced; from the others the flag takes that all is written. */
  if (self->is_regular)
    gst_gaio_window_sync (self->window);
  return drain (self);
}

static GstFlowReturn
gst_gaio_file_sink_render (GstBaseSink *sink, GstBuffer *buffer)
{
  GstGaioFileSink *self = GST_GAIO_FILE_SINK (sink);
  GstFlowReturn ret = push (self, buffer);

  if (ret == GST_FLOW_OK && GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_SYNC_AFTER))
    ret = sync_after (self);
  return ret;
}

static GstFlowReturn
gst_gaio_file_sink_render_list (GstBaseSink *sink, GstBufferList *list)
{
  GstGaioFileSink *self = GST_GAIO_FILE_SINK (sink);
  guint n = gst_buffer_list_length (list);
  GstFlowReturn ret = GST_FLOW_OK;
  gboolean sync = FALSE;

  for (guint i = 0; ret == GST_FLOW_OK && i < n; i++)
    {
      GstBuffer *buffer = gst_buffer_list_get (list, i);

      sync = sync || GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_SYNC_AFTER);
      ret = push (self, buffer);
    }
  if (ret == GST_FLOW_OK && sync)
    ret = sync_after (self);
  return ret;
}

/* Events */

static gboolean
seek_to (GstGaioFileSink *self, guint64 position)
{
  g_autofree char *shown = NULL;

  if (position == atomic_load (&self->position))
    return TRUE;
  if (self->can_position && position <= G_MAXINT64)
    {
      GST_DEBUG_OBJECT (self, "continue at %" G_GUINT64_FORMAT, position);
      atomic_store (&self->position, position);
      return TRUE;
    }

  /* Upstream does not learn of it from the event, which is sticky; what it sends next must not land
   * in the wrong place. */
  self->has_gap = TRUE;
  shown = g_filename_display_name (self->location);
  post_error (self,
              GST_RESOURCE_ERROR_SEEK,
              g_strdup_printf ("Error while seeking in file \"%s\".", shown),
              g_strdup_printf ("cannot go to position %" G_GUINT64_FORMAT "%s",
                               position,
                               self->can_position ? "" : ": the file has no positions"),
              self->can_position ? EINVAL : ESPIPE,
              position);
  return FALSE;
}

static gboolean
gst_gaio_file_sink_event (GstBaseSink *sink, GstEvent *event)
{
  GstGaioFileSink *self = GST_GAIO_FILE_SINK (sink);

  switch (GST_EVENT_TYPE (event))
    {
    case GST_EVENT_SEGMENT:
      {
        const GstSegment *segment;

        gst_event_parse_segment (event, &segment);
        if (segment->format == GST_FORMAT_BYTES && !seek_to (self, segment->start))
          {
            gst_event_unref (event);
            return FALSE;
          }
        break;
      }

    case GST_EVENT_FLUSH_STOP:
      /* A character device has positions but no length. */
      if (atomic_load (&self->position) != 0 && self->is_regular)
        {
          GST_DEBUG_OBJECT (self, "flush: back to %" G_GUINT64_FORMAT, self->base);
          gst_gaio_window_truncate (self->window, self->base);
        }
      if (self->can_position)
        atomic_store (&self->position, 0);
      break;

    case GST_EVENT_EOS:
      /* The event may have to wait for PLAYING; the bytes need not. */
      gst_gaio_window_flush (self->window);
      break;

    default:
      break;
    }
  return GST_BASE_SINK_CLASS (parent_class)->event (sink, event);
}

/* The base class posts EOS when this returns GST_FLOW_OK: everything is in the file by then. */
static GstFlowReturn
gst_gaio_file_sink_wait_event (GstBaseSink *sink, GstEvent *event)
{
  GstGaioFileSink *self = GST_GAIO_FILE_SINK (sink);
  GstFlowReturn ret;

  ret = GST_BASE_SINK_CLASS (parent_class)->wait_event (sink, event);
  if (ret != GST_FLOW_OK || GST_EVENT_TYPE (event) != GST_EVENT_EOS)
    return ret;
  ret = drain (self);
  if (ret == GST_FLOW_OK)
    post_stats (self);
  return ret;
}

/* Queries */

static gboolean
gst_gaio_file_sink_query (GstBaseSink *sink, GstQuery *query)
{
  GstGaioFileSink *self = GST_GAIO_FILE_SINK (sink);
  GstFormat format;

  switch (GST_QUERY_TYPE (query))
    {
    case GST_QUERY_POSITION:
      gst_query_parse_position (query, &format, NULL);
      if (format != GST_FORMAT_BYTES && format != GST_FORMAT_DEFAULT)
        return FALSE;
      gst_query_set_position (query, format, (gint64) atomic_load (&self->position));
      return TRUE;

    case GST_QUERY_FORMATS:
      gst_query_set_formats (query, 2, GST_FORMAT_DEFAULT, GST_FORMAT_BYTES);
      return TRUE;

    case GST_QUERY_URI:
      GST_OBJECT_LOCK (self);
      gst_query_set_uri (query, self->uri);
      GST_OBJECT_UNLOCK (self);
      return TRUE;

    case GST_QUERY_SEEKING:
      gst_query_parse_seeking (query, &format, NULL, NULL, NULL);
      if (format == GST_FORMAT_BYTES || format == GST_FORMAT_DEFAULT)
        gst_query_set_seeking (query, GST_FORMAT_BYTES, atomic_load (&self->seekable), 0, -1);
      else
        gst_query_set_seeking (query, format, FALSE, 0, -1);
      return TRUE;

    default:
      return GST_BASE_SINK_CLASS (parent_class)->query (sink, query);
    }
}

void
gst_gaio_file_sink_run_class_init (GstGaioFileSinkClass *klass)
{
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstBaseSinkClass *sink_class = GST_BASE_SINK_CLASS (klass);

  parent_class = g_type_class_peek_parent (klass);

  element_class->change_state = gst_gaio_file_sink_change_state;
  sink_class->unlock = gst_gaio_file_sink_unlock;
  sink_class->unlock_stop = gst_gaio_file_sink_unlock_stop;
  sink_class->render = gst_gaio_file_sink_render;
  sink_class->render_list = gst_gaio_file_sink_render_list;
  sink_class->event = gst_gaio_file_sink_event;
  sink_class->wait_event = gst_gaio_file_sink_wait_event;
  sink_class->query = gst_gaio_file_sink_query;
}
