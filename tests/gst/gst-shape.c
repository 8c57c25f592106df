/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The same bytes to a sink in buffers of another shape.
 *
 * A muxer hands over buffers of a few kinds only, and always the same ones. So a probe on the
 * sink's pad takes what comes, cuts it into parts of all sizes, down to none at all, that share
 * memory and begin in the middle of it, and pushes them on one by one, as lists, or joined to
 * buffers of several memories, also across what were buffers before. What it holds back goes before
 * the next event that is in the stream's order, and at once when the buffer asked for a sync; so
 * the sink must come to the same file.
 *
 * The shape is the seed's, whatever thread pushes when. */

#include "gst-shape.h"

/* Held back until so many parts are there, or chance says so. */
#define MAX_PARTS 40

typedef struct
{
  GRand *rand; /* NULL: the shape stays */
  GstTestShape *counts;
  GQueue parts; /* of GstBuffer */
  guint64 position;
  gboolean inside; /* what is pushed comes by the probe again */
} Shaper;

static void
shaper_free (gpointer data)
{
  Shaper *self = data;

  g_queue_clear_full (&self->parts, (GDestroyNotify) gst_buffer_unref);
  g_clear_pointer (&self->rand, g_rand_free);
  g_free (self);
}

static GstBuffer *
part_of (GstBuffer *buffer, gsize offset, gsize size)
{
  GstBuffer *part = size > 0 ? gst_buffer_copy_region (buffer, GST_BUFFER_COPY_MEMORY, offset, size)
                             : gst_buffer_new ();

  g_assert_true (gst_buffer_copy_into (part, buffer,
                                       GST_BUFFER_COPY_FLAGS | GST_BUFFER_COPY_TIMESTAMPS, 0, -1));
  return part;
}

void
gst_test_split (GRand *rand, GstBuffer *buffer, GQueue *parts)
{
  gboolean sync = GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_SYNC_AFTER);
  gsize size = gst_buffer_get_size (buffer);
  gsize done = 0;

  if (g_rand_int_range (rand, 0, 3) == 0)
    {
      g_queue_push_tail (parts, buffer);
      return;
    }
  while (done < size)
    {
      /* A large buffer is not to become a hundred thousand of one byte. */
      gsize n = MAX ((gsize) 1 << g_rand_int_range (rand, 0, 18), size / 64);
      GstBuffer *part;

      n = MIN (n, size - done);
      part = part_of (buffer, done, n);
      GST_BUFFER_FLAG_UNSET (part, GST_BUFFER_FLAG_SYNC_AFTER);
      g_queue_push_tail (parts, part);
      if (g_rand_int_range (rand, 0, 8) == 0)
        {
          part = part_of (buffer, 0, 0);
          GST_BUFFER_FLAG_UNSET (part, GST_BUFFER_FLAG_SYNC_AFTER);
          g_queue_push_tail (parts, part);
        }
      done += n;
    }
  if (sync)
    {
      if (size == 0)
        g_queue_push_tail (parts, part_of (buffer, 0, 0));
      GST_BUFFER_FLAG_SET (GST_BUFFER (g_queue_peek_tail (parts)), GST_BUFFER_FLAG_SYNC_AFTER);
    }
  gst_buffer_unref (buffer);
}

GstBuffer *
gst_test_join (GQueue *parts, guint n)
{
  GstBuffer *whole = g_queue_pop_head (parts);

  for (guint i = 1; i < n; i++)
    {
      GstBuffer *next = g_queue_pop_head (parts);
      gboolean sync = GST_BUFFER_FLAG_IS_SET (next, GST_BUFFER_FLAG_SYNC_AFTER);

      whole = gst_buffer_append (whole, next);
      if (sync)
        GST_BUFFER_FLAG_SET (whole, GST_BUFFER_FLAG_SYNC_AFTER);
    }
  return whole;
}

GstBufferList *
gst_test_list (GQueue *parts, guint n)
{
  GstBufferList *list = gst_buffer_list_new ();

  for (guint i = 0; i < n; i++)
    gst_buffer_list_add (list, g_queue_pop_head (parts));
  return list;
}

static GstFlowReturn
emit (Shaper *self, GstPad *pad)
{
  GstFlowReturn ret = GST_FLOW_OK;

  self->inside = TRUE;
  while (self->parts.length > 0 && ret == GST_FLOW_OK)
    {
      guint n = g_rand_int_range (self->rand, 1, MIN (self->parts.length, MAX_PARTS) + 1);

      self->counts->n_pushes++;
      switch (g_rand_int_range (self->rand, 0, 3))
        {
        case 0:
          ret = gst_pad_chain (pad, g_queue_pop_head (&self->parts));
          break;

        case 1:
          ret = gst_pad_chain (pad, gst_test_join (&self->parts, n));
          break;

        default:
          ret = gst_pad_chain_list (pad, gst_test_list (&self->parts, n));
          break;
        }
    }
  self->inside = FALSE;
  return ret;
}

static void
count (Shaper *self, GstBuffer *buffer)
{
  self->position += gst_buffer_get_size (buffer);
  if (GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_SYNC_AFTER))
    self->counts->n_syncs++;
}

static GstPadProbeReturn
take_data (Shaper *self, GstPad *pad, GstPadProbeInfo *info)
{
  GstBufferList *list = NULL;
  GstFlowReturn ret = GST_FLOW_OK;
  gboolean now;
  guint syncs_before = self->counts->n_syncs;

  if ((info->type & GST_PAD_PROBE_TYPE_BUFFER_LIST) != 0)
    list = GST_PAD_PROBE_INFO_BUFFER_LIST (info);
  if (list == NULL)
    count (self, GST_PAD_PROBE_INFO_BUFFER (info));
  else
    for (guint i = 0; i < gst_buffer_list_length (list); i++)
      count (self, gst_buffer_list_get (list, i));
  if (self->rand == NULL)
    {
      self->counts->n_pushes++;
      return GST_PAD_PROBE_OK;
    }

  if (list == NULL)
    gst_test_split (self->rand, GST_PAD_PROBE_INFO_BUFFER (info), &self->parts);
  else
    {
      for (guint i = 0; i < gst_buffer_list_length (list); i++)
        gst_test_split (self->rand, gst_buffer_ref (gst_buffer_list_get (list, i)), &self->parts);
      gst_buffer_list_unref (list);
    }
  now = self->counts->n_syncs > syncs_before || self->parts.length >= MAX_PARTS;
  if (now || g_rand_boolean (self->rand))
    ret = emit (self, pad);
  GST_PAD_PROBE_INFO_DATA (info) = NULL;
  GST_PAD_PROBE_INFO_FLOW_RETURN (info) = ret;
  return GST_PAD_PROBE_HANDLED;
}

static GstPadProbeReturn
probe (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  Shaper *self = data;
  GstEvent *event;

  if (self->inside)
    return GST_PAD_PROBE_OK;
  if ((info->type & (GST_PAD_PROBE_TYPE_BUFFER | GST_PAD_PROBE_TYPE_BUFFER_LIST)) != 0)
    return take_data (self, pad, info);

  event = GST_PAD_PROBE_INFO_EVENT (info);
  if (GST_EVENT_TYPE (event) == GST_EVENT_FLUSH_STOP)
    g_queue_clear_full (&self->parts, (GDestroyNotify) gst_buffer_unref);
  else if (GST_EVENT_IS_SERIALIZED (event) && self->rand != NULL)
    emit (self, pad);
  if (GST_EVENT_TYPE (event) == GST_EVENT_SEGMENT)
    {
      const GstSegment *segment;

      gst_event_parse_segment (event, &segment);
      if (segment->format == GST_FORMAT_BYTES)
        {
          self->counts->n_seeks += segment->start != self->position;
          self->position = segment->start;
        }
    }
  return GST_PAD_PROBE_OK;
}

void
gst_test_shape (GstElement *sink, guint32 seed, GstTestShape *shape)
{
  g_autoptr (GstPad) pad = gst_element_get_static_pad (sink, "sink");
  Shaper *self = g_new0 (Shaper, 1);

  self->counts = shape;
  if (seed != 0)
    self->rand = g_rand_new_with_seed (seed);
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_DATA_DOWNSTREAM | GST_PAD_PROBE_TYPE_EVENT_FLUSH,
                     probe, self, shaper_free);
}
