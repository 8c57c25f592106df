/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the element does: states, events and queries. What comes in is in gstgaiofilesink-data.c,
 * and what happens to the bytes in gstgaiowindow.c.
 *
 * start() opens the file on the way to READY and stop() closes it on the way to NULL, in the thread
 * that changes the state, because the one must be able to fail there and the other to report.
 * Between them this file makes no system call on it: that is for the I/O thread, which the sinks
 * on a disk share.
 *
 * Lock order: the object lock, then the window's. Neither is held while a message is posted. */

#include <errno.h>
#include <stdbool.h>

#include "gstgaiofilesink-private.h"

static gpointer parent_class;

/* States */

/* The settings of this run, and the strings among them. */
static void
take_settings (GstGaioFileSink *self, char **location, char **context_name)
{
  gboolean fixed_size = FALSE;

  GST_OBJECT_LOCK (self);
  if (self->settings.buffer_size == 0)
    {
      self->settings.buffer_size = GST_GAIO_FILE_SINK_BUFFER_SIZE;
      fixed_size = TRUE;
    }
  self->run = self->settings;
  self->run.context = NULL;
  *location = g_strdup (self->location);
  *context_name = g_strdup (self->settings.context);
  GST_OBJECT_UNLOCK (self);
  if (fixed_size)
    g_object_notify (G_OBJECT (self), "buffer-size");
}

static gboolean
start (GstGaioFileSink *self)
{
  g_autofree char *location = NULL;
  g_autofree char *context_name = NULL;

  atomic_store (&self->has_failed, false);
  atomic_store (&self->stats_due, false);
  atomic_store (&self->position, 0);
  atomic_store (&self->bytes_dropped, 0);
  atomic_store (&self->buffers_dropped, 0);
  self->has_gap = FALSE;
  self->has_sought = FALSE;
  self->end = 0;
  self->n_rendered = 0;
  self->overflows = FALSE;

  take_settings (self, &location, &context_name);
  if (location == NULL || *location == '\0')
    {
      gst_gaio_file_sink_post_error (self,
                                     GST_RESOURCE_ERROR_NOT_FOUND,
                                     g_strdup ("No file name specified for writing."),
                                     g_strdup ("the location property is not set"),
                                     ENOENT,
                                     0);
      return FALSE;
    }
  return gst_gaio_file_sink_open (self, location, context_name);
}

gint64
gst_gaio_file_sink_get_deadline_us (guint64 timeout_ns)
{
  guint64 timeout_us = timeout_ns / 1000;
  gint64 now_us = g_get_monotonic_time ();

  /* The largest value is for ever, and so is what the clock will not come to. */
  if (timeout_ns == G_MAXUINT64 || timeout_us > (guint64) (G_MAXINT64 - now_us))
    return G_MAXINT64;
  return now_us + (gint64) timeout_us;
}

/* What was accepted gets written, also when the stream ends without an EOS; or it is said how much
 * does not. When all of it is in the file, the file may be closed later, and nobody minds. */
static void
stop (GstGaioFileSink *self)
{
  gboolean timed_out;
  GstGaioWindow *window;
  gint64 deadline_us;

  gst_gaio_file_sink_end_overflow (self);
  gst_gaio_window_close (self->window);
  deadline_us = gst_gaio_file_sink_get_deadline_us (self->run.drain_timeout_ns);
  timed_out =
      gst_gaio_window_drain (self->window, FALSE, deadline_us) == GST_GAIO_WINDOW_TIMED_OUT;
  if (timed_out)
    {
      GstGaioWindowStats stats;

      gst_gaio_window_get_stats (self->window, &stats);
      if (!stats.finished)
        gst_gaio_file_sink_post_timeout (self, &stats);
    }

  GST_OBJECT_LOCK (self);
  g_clear_pointer (&self->last_stats, gst_structure_free);
  self->last_stats = gst_gaio_file_sink_make_stats (self, timed_out);
  window = g_steal_pointer (&self->window);
  GST_OBJECT_UNLOCK (self);
  GST_INFO_OBJECT (self, "closed: %" GST_PTR_FORMAT, self->last_stats);
  gst_gaio_file_sink_post_stats (self);

  if (timed_out)
    gst_gaio_window_abandon (window);
  else
    gst_gaio_window_free (window);
  g_clear_object (&self->file);
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

  /* A flush may begin while the state goes down to NULL: it does not wait for anything. */
  GST_OBJECT_LOCK (self);
  if (self->window != NULL)
    gst_gaio_window_interrupt (self->window, GST_GAIO_INTERRUPT_UNLOCK);
  GST_OBJECT_UNLOCK (self);
  return TRUE;
}

static gboolean
gst_gaio_file_sink_unlock_stop (GstBaseSink *sink)
{
  GstGaioFileSink *self = GST_GAIO_FILE_SINK (sink);

  GST_OBJECT_LOCK (self);
  if (self->window != NULL)
    gst_gaio_window_resume (self->window, GST_GAIO_INTERRUPT_UNLOCK);
  GST_OBJECT_UNLOCK (self);
  return TRUE;
}

/* Events */

static gboolean
seek_to (GstGaioFileSink *self, guint64 position)
{
  g_autofree char *shown = NULL;

  if (position == atomic_load (&self->position))
    return TRUE;
  if (self->can_position && position <= (guint64) G_MAXINT64 - self->base)
    {
      GST_DEBUG_OBJECT (self, "continue at %" G_GUINT64_FORMAT, position);
      atomic_store (&self->position, position);
      self->has_sought = TRUE;
      return TRUE;
    }

  /* Upstream does not learn of it from the event, which is sticky; what it sends next must not land
   * in the wrong place. */
  self->has_gap = TRUE;
  shown = g_filename_display_name (self->location);
  gst_gaio_file_sink_post_error (
      self,
      GST_RESOURCE_ERROR_SEEK,
      g_strdup_printf ("Error while seeking in file \"%s\".", shown),
      g_strdup_printf ("cannot go to position %" G_GUINT64_FORMAT "%s",
                       position,
                       self->can_position ? "" : ": the file has no positions"),
      self->can_position ? EINVAL : ESPIPE,
      position);
  return FALSE;
}

/* A flush takes back what was written. A character device has positions but no length. */
static void
take_back (GstGaioFileSink *self)
{
  if (self->end != 0 && self->is_regular)
    {
      GST_DEBUG_OBJECT (self, "flush: back to %" G_GUINT64_FORMAT, self->base);
      gst_gaio_window_truncate (self->window, self->base);
    }
  if (self->can_position)
    {
      atomic_store (&self->position, 0);
      self->end = 0;
    }
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
      take_back (self);
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

/* The base class posts EOS when this returns GST_FLOW_OK: everything is in the file by then,
 * and write-back has had nothing to complain about. */
static GstFlowReturn
gst_gaio_file_sink_wait_event (GstBaseSink *sink, GstEvent *event)
{
  GstGaioFileSink *self = GST_GAIO_FILE_SINK (sink);
  GstFlowReturn ret;

  ret = GST_BASE_SINK_CLASS (parent_class)->wait_event (sink, event);
  if (ret != GST_FLOW_OK || GST_EVENT_TYPE (event) != GST_EVENT_EOS)
    return ret;
  gst_gaio_file_sink_end_overflow (self);
  gst_gaio_window_finish (self->window);
  ret = gst_gaio_file_sink_drain (self);
  if (ret == GST_FLOW_OK)
    gst_gaio_file_sink_post_stats (self);
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
  sink_class->event = gst_gaio_file_sink_event;
  sink_class->wait_event = gst_gaio_file_sink_wait_event;
  sink_class->query = gst_gaio_file_sink_query;
}
