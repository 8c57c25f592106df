/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The end of a pipeline: what comes after a camera's source pad. There is no element for the camera
 * but a pad, so what is measured is the push and nothing else.
 *
 * The buffers come from a pool in both cases. One with a limit is a camera's; one without gives out
 * memory that was in use before, as any source in its stride does. */

#include <gst/gst.h>
#include <string.h>

#include "contender.h"

typedef struct
{
  Contender contender;
  ContenderSettings settings;
  GstElement *pipeline;
  GstBus *bus;
  GPtrArray *pads; /* of GstPad */
  GPtrArray *ends; /* of GstElement: the sinks */
  GstBufferPool *pool;
  GstBuffer *buffer;
} Pipeline;

static guint8 *
acquire (gpointer data, guint number)
{
  Pipeline *self = data;
  GstBufferPoolAcquireParams params = { .flags = GST_BUFFER_POOL_ACQUIRE_FLAG_DONTWAIT };
  GstMapInfo map;

  if (gst_buffer_pool_acquire_buffer (self->pool, &self->buffer, &params) != GST_FLOW_OK)
    return NULL;
  GST_BUFFER_PTS (self->buffer) = number * (GstClockTime) self->settings.period_ns;
  GST_BUFFER_DURATION (self->buffer) = (GstClockTime) self->settings.period_ns;
  if (!gst_buffer_map (self->buffer, &map, GST_MAP_WRITE))
    return NULL;
  gst_buffer_unmap (self->buffer, &map);
  /* System memory stays where it is. */
  return map.data;
}

static gboolean
push (gpointer data)
{
  Pipeline *self = data;
  GstBuffer *buffer = g_steal_pointer (&self->buffer);
  GstFlowReturn ret = GST_FLOW_OK;

  for (guint i = 0; i < self->pads->len && ret == GST_FLOW_OK; i++)
    ret = gst_pad_push (self->pads->pdata[i],
                        i + 1 < self->pads->len ? gst_buffer_ref (buffer) : buffer);
  return ret == GST_FLOW_OK;
}

static void
finish (gpointer data)
{
  Pipeline *self = data;
  gint64 begin_ns = camera_now_ns ();
  g_autoptr (GstMessage) message = NULL;

  for (guint i = 0; i < self->pads->len; i++)
    gst_pad_push_event (self->pads->pdata[i], gst_event_new_eos ());
  message = gst_bus_timed_pop_filtered (self->bus, GST_CLOCK_TIME_NONE,
                                        GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS)
    {
      self->contender.eos_ms = (camera_now_ns () - begin_ns) / 1e6;
    }
  else
    {
      g_autoptr (GError) error = NULL;

      gst_message_parse_error (message, &error, NULL);
      self->contender.error = g_strdup (error->message);
    }
}

static const CameraTarget gst_target = { acquire, push, finish };

static GstElement *
find_sink (GstElement *end)
{
  GstIterator *sinks;
  GValue value = G_VALUE_INIT;
  GstElement *sink = NULL;

  if (!GST_IS_BIN (end))
    return end;
  sinks = gst_bin_iterate_sinks (GST_BIN (end));
  if (gst_iterator_next (sinks, &value) == GST_ITERATOR_OK)
    sink = g_value_get_object (&value);
  g_value_unset (&value);
  gst_iterator_free (sinks);
  return sink;
}

static gboolean
add_end (Pipeline *self, guint number)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = number == 0 ? g_strdup (self->settings.path)
                                      : g_strdup_printf ("%s.%u", self->settings.path, number);
  GstElement *end = gst_parse_bin_from_description (self->settings.text, TRUE, &error);
  g_autoptr (GstPad) sink_pad = NULL;
  GstElement *sink;
  GstPad *pad;

  if (end == NULL)
    {
      g_printerr ("%s: %s\n", self->settings.text, error->message);
      return FALSE;
    }
  sink = find_sink (end);
  /* One thread feeds them all, so none may wait until all others have something. */
  g_object_set (sink, "location", path, "async", FALSE, NULL);
  gst_bin_add (GST_BIN (self->pipeline), end);
  sink_pad = gst_element_get_static_pad (end, "sink");
  pad = gst_pad_new ("camera", GST_PAD_SRC);
  gst_pad_set_active (pad, TRUE);
  gst_pad_link (pad, sink_pad);
  g_ptr_array_add (self->pads, pad);
  g_ptr_array_add (self->ends, gst_object_ref (sink));
  return TRUE;
}

static void
begin_stream (GstPad *pad)
{
  g_autofree char *id = g_strdup_printf ("camera-%p", pad);
  GstSegment segment;

  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_pad_push_event (pad, gst_event_new_stream_start (id));
  gst_pad_push_event (pad, gst_event_new_segment (&segment));
}

static GstBufferPool *
make_pool (const ContenderSettings *settings)
{
  GstBufferPool *pool = gst_buffer_pool_new ();
  GstStructure *config = gst_buffer_pool_get_config (pool);

  gst_buffer_pool_config_set_params (config, NULL, (guint) settings->frame_bytes,
                                     settings->pool_buffers, settings->pool_buffers);
  gst_buffer_pool_set_config (pool, config);
  gst_buffer_pool_set_active (pool, TRUE);
  return pool;
}

Contender *
contender_gst_new (const ContenderSettings *settings)
{
  Pipeline *self = g_new0 (Pipeline, 1);
  gboolean ok = TRUE;

  self->settings = *settings;
  self->contender.target = &gst_target;
  self->contender.data = self;
  self->contender.eos_ms = -1;
  self->contender.stride = settings->frame_bytes;
  self->pads = g_ptr_array_new_with_free_func (gst_object_unref);
  self->ends = g_ptr_array_new_with_free_func (gst_object_unref);
  self->pipeline = gst_object_ref_sink (gst_pipeline_new ("recorder"));
  self->bus = gst_element_get_bus (self->pipeline);
  self->pool = make_pool (settings);
  for (guint i = 0; i < settings->n_sinks && ok; i++)
    ok = add_end (self, i);
  ok = ok && gst_element_set_state (self->pipeline, GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE;
  if (!ok)
    {
      contender_gst_stop (&self->contender);
      contender_gst_free (&self->contender);
      return NULL;
    }
  for (guint i = 0; i < self->pads->len; i++)
    begin_stream (self->pads->pdata[i]);
  return &self->contender;
}

void
contender_gst_stop (Contender *contender)
{
  Pipeline *self = contender->data;
  gint64 begin_ns = camera_now_ns ();
  GstMessage *message;

  gst_element_set_state (self->pipeline, GST_STATE_NULL);
  contender->null_ms = (camera_now_ns () - begin_ns) / 1e6;
  while ((message = gst_bus_pop_filtered (self->bus, GST_MESSAGE_ERROR)) != NULL)
    {
      g_autoptr (GError) error = NULL;

      gst_message_parse_error (message, &error, NULL);
      if (contender->error == NULL)
        contender->error = g_strdup (error->message);
      gst_message_unref (message);
    }
}

void
contender_gst_free (Contender *contender)
{
  Pipeline *self = contender->data;

  gst_clear_buffer (&self->buffer);
  gst_buffer_pool_set_active (self->pool, FALSE);
  gst_object_unref (self->pool);
  g_ptr_array_unref (self->pads);
  g_ptr_array_unref (self->ends);
  gst_object_unref (self->bus);
  gst_object_unref (self->pipeline);
  g_free (contender->error);
  g_free (self);
}

char *
contender_gst_get_stats (Contender *contender)
{
  Pipeline *self = contender->data;
  g_autoptr (GstStructure) stats = NULL;

  if (g_object_class_find_property (G_OBJECT_GET_CLASS (self->ends->pdata[0]), "io-stats") == NULL)
    return NULL;
  g_object_get (self->ends->pdata[0], "io-stats", &stats, NULL);
  return stats != NULL ? gst_structure_to_string (stats) : NULL;
}

gboolean
contender_gst_has_property (const char *element, const char *property)
{
  g_autoptr (GstElement) made = gst_element_factory_make (element, NULL);

  return made != NULL && (*property == '\0' || g_object_class_find_property (
                                                   G_OBJECT_GET_CLASS (made), property) != NULL);
}
