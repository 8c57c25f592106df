/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What comes in: buffers and buffer lists, what to do with them when there is no room, and what
 * upstream is told about memory.
 *
 * Everything here is in the streaming thread. It waits in two places, for room and for the end of
 * everything, and the base class gets it out of both by unlock(): then the wait goes on in
 * gst_base_sink_wait_preroll(), which ends with the pause or with the stream. */

#include <errno.h>
#include <stdbool.h>

#include <gst/video/video.h>

#include "gstgaiofilesink-private.h"

/* No driver of a camera has more buffers than that. */
#define MAX_PROPOSED_BUFFERS 32

#define PAGE_BYTES 4096

/* Of a push: it was not made, for want of room. */
#define FLOW_FULL GST_FLOW_CUSTOM_SUCCESS

GstFlowReturn
gst_gaio_file_sink_drain (GstGaioFileSink *self)
{
  while (!self->has_gap)
    {
      switch (gst_gaio_window_drain (self->window, TRUE, G_MAXINT64))
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

        default:
          return GST_FLOW_ERROR;
        }
    }
  return GST_FLOW_ERROR;
}

/* Overflow */

/* Whether a stream can do without what comes now: not without headers, or what was ordered to the
 * disk; and where a muxer goes back to complete something, the file would be wrong for ever. */
static gboolean
may_drop (GstGaioFileSink *self, guint flags)
{
  const guint needed = GST_BUFFER_FLAG_HEADER | GST_BUFFER_FLAG_SYNC_AFTER |
                       GST_BUFFER_FLAG_NON_DROPPABLE;

  return self->run.overflow == GST_GAIO_FILE_SINK_OVERFLOW_DROP && (flags & needed) == 0 &&
         !self->has_sought && atomic_load (&self->position) == self->end;
}

/* Whether to wait for room, for a buffer or a list with these flags. */
static gboolean
may_wait (GstGaioFileSink *self, guint flags)
{
  return self->run.overflow != GST_GAIO_FILE_SINK_OVERFLOW_ERROR && !may_drop (self, flags);
}

/* There is no room for `n` buffers, of which `buffer` is the first. */
static GstFlowReturn
drop (GstGaioFileSink *self, GstBuffer *buffer, guint n, gsize size)
{
  gboolean begins = !self->overflows;

  /* A window that has failed has no room either. */
  if (atomic_load (&self->has_failed))
    return GST_FLOW_ERROR;
  GST_LOG_OBJECT (self, "no room for %" G_GSIZE_FORMAT " bytes, %u buffers", size, n);
  if (begins)
    {
      self->overflows = TRUE;
      self->overflow_bytes = 0;
      self->overflow_buffers = 0;
    }
  self->overflow_bytes += size;
  self->overflow_buffers += n;
  atomic_fetch_add (&self->bytes_dropped, size);
  atomic_fetch_add (&self->buffers_dropped, n);
  atomic_store (&self->stats_due, true);
  if (begins)
    gst_gaio_file_sink_post_overflow (self, TRUE);
  gst_gaio_file_sink_post_qos (self, buffer);
  return GST_FLOW_OK;
}

void
gst_gaio_file_sink_end_overflow (GstGaioFileSink *self)
{
  if (!self->overflows)
    return;
  self->overflows = FALSE;
  gst_gaio_file_sink_post_overflow (self, FALSE);
}

static void
fail_for_room (GstGaioFileSink *self, gsize size)
{
  guint64 offset = self->base + atomic_load (&self->position);
  g_autofree char *shown = g_filename_display_name (self->location);
  guint64 max_bytes, max_time_ns;

  GST_OBJECT_LOCK (self);
  max_bytes = self->settings.max_bytes;
  max_time_ns = self->settings.max_time_ns;
  GST_OBJECT_UNLOCK (self);
  self->has_gap = TRUE;
  gst_gaio_file_sink_post_error (
      self,
      GST_RESOURCE_ERROR_WRITE,
      g_strdup_printf ("File \"%s\" cannot be written as fast as data comes.", shown),
      g_strdup_printf ("no room for %" G_GSIZE_FORMAT " bytes at byte %" G_GUINT64_FORMAT
                       ": overflow=error, %" G_GUINT64_FORMAT " bytes are waiting, max-bytes=%"
                       G_GUINT64_FORMAT ", max-time=%" G_GUINT64_FORMAT,
                       size,
                       offset,
                       gst_gaio_window_get_level (self->window),
                       max_bytes,
                       max_time_ns),
      ENOBUFS,
      offset);
}

/* Buffers */

static void
accepted (GstGaioFileSink *self, guint64 position, gsize size)
{
  GST_LOG_OBJECT (self, "%" G_GSIZE_FORMAT " bytes at %" G_GUINT64_FORMAT, size, position);
  self->n_rendered++;
  if (size == 0)
    return;
  position += size;
  atomic_store (&self->position, position);
  self->end = MAX (self->end, position);
  self->has_sought = FALSE;
  atomic_store_explicit (&self->stats_due, true, memory_order_relaxed);
  gst_gaio_file_sink_end_overflow (self);
}

static void
fail_to_read (GstGaioFileSink *self, guint64 offset, gsize size)
{
  self->has_gap = TRUE;
  gst_gaio_file_sink_post_error (self,
                                 GST_RESOURCE_ERROR_WRITE,
                                 NULL,
                                 g_strdup_printf ("cannot map the memory of a buffer of "
                                                  "%" G_GSIZE_FORMAT " bytes for reading",
                                                  size),
                                 EFAULT,
                                 offset);
}

static GstFlowReturn
push (GstGaioFileSink *self, GstBuffer *buffer, gboolean wait)
{
  guint64 position = atomic_load_explicit (&self->position, memory_order_relaxed);
  guint64 offset = self->base + position;
  gsize size = gst_buffer_get_size (buffer);

  while (!self->has_gap)
    {
      switch (gst_gaio_window_push (self->window, buffer, offset, wait))
        {
        case GST_GAIO_WINDOW_OK:
          accepted (self, position, size);
          return GST_FLOW_OK;

        case GST_GAIO_WINDOW_INTERRUPTED:
          {
            GstFlowReturn ret = gst_base_sink_wait_preroll (GST_BASE_SINK (self));

            if (ret != GST_FLOW_OK)
              return ret;
            break;
          }

        case GST_GAIO_WINDOW_FULL:
          if (self->run.overflow == GST_GAIO_FILE_SINK_OVERFLOW_DROP)
            return FLOW_FULL;
          fail_for_room (self, size);
          return GST_FLOW_ERROR;

        case GST_GAIO_WINDOW_UNREADABLE:
          fail_to_read (self, offset, size);
          return GST_FLOW_ERROR;

        default:
          return GST_FLOW_ERROR;
        }
    }
  return GST_FLOW_ERROR;
}

/* After a buffer or a list that was accepted. */
static GstFlowReturn
after (GstGaioFileSink *self, guint flags)
{
  int policy = self->run.sync_after;

  if ((flags & GST_BUFFER_FLAG_SYNC_AFTER) != 0 &&
      policy != GST_GAIO_FILE_SINK_SYNC_AFTER_IGNORE)
    {
      /* Only a file on a disk can be synced; from the others the flag takes that all is written. */
      if (self->is_regular)
        gst_gaio_window_sync (self->window);
      if (policy == GST_GAIO_FILE_SINK_SYNC_AFTER_WAIT)
        return gst_gaio_file_sink_drain (self);
    }
  if (self->run.buffer_mode == GST_GAIO_FILE_SINK_BUFFER_MODE_UNBUFFERED)
    gst_gaio_window_flush (self->window);
  return GST_FLOW_OK;
}

static GstFlowReturn
gst_gaio_file_sink_render (GstBaseSink *sink, GstBuffer *buffer)
{
  GstGaioFileSink *self = GST_GAIO_FILE_SINK (sink);
  guint flags = GST_BUFFER_FLAGS (buffer);
  GstFlowReturn ret = push (self, buffer, may_wait (self, flags));

  if (ret == FLOW_FULL)
    return drop (self, buffer, 1, gst_buffer_get_size (buffer));
  return ret == GST_FLOW_OK ? after (self, flags) : ret;
}

static gboolean
add_flags (GstBuffer **buffer, guint index, gpointer flags)
{
  *(guint *) flags |= GST_BUFFER_FLAGS (*buffer);
  return TRUE;
}

/* A list is dropped as a whole or not at all: when there is room for its first buffer and not for
 * the next one after all, that waits. */
static GstFlowReturn
gst_gaio_file_sink_render_list (GstBaseSink *sink, GstBufferList *list)
{
  GstGaioFileSink *self = GST_GAIO_FILE_SINK (sink);
  guint n = gst_buffer_list_length (list);
  GstFlowReturn ret = GST_FLOW_OK;
  guint flags = 0;
  gboolean can_drop;
  gsize size;

  if (n == 0)
    return GST_FLOW_OK;
  gst_buffer_list_foreach (list, add_flags, &flags);
  size = gst_buffer_list_calculate_size (list);
  can_drop = may_drop (self, flags);
  if (can_drop && !self->has_gap && !gst_gaio_window_has_room (self->window, size))
    return drop (self, gst_buffer_list_get (list, 0), n, size);

  for (guint i = 0; ret == GST_FLOW_OK && i < n; i++)
    ret = push (self,
                gst_buffer_list_get (list, i),
                (can_drop && i > 0) || may_wait (self, flags));
  if (ret == FLOW_FULL)
    return drop (self, gst_buffer_list_get (list, 0), n, size);
  return ret == GST_FLOW_OK ? after (self, flags) : ret;
}

/* Memory */

/* How many buffers of this size may be held at once; of those that belong to a pool of limited size
 * none is with hold=auto, but for the one that waits for PLAYING. */
static guint
count_held (GstGaioFileSink *self, guint64 size)
{
  if (self->run.hold != GST_GAIO_HOLD_REF)
    return 1;
  return (guint) CLAMP (self->run.max_bytes / size, 1, MAX_PROPOSED_BUFFERS);
}

/* What is raw video in this program's memory has buffers of a known size; sources of it ask how
 * many of them they cannot have back. Nobody else is told of a size: filesrc would read in blocks
 * of it. */
static gboolean
propose_count (GstGaioFileSink *self, GstQuery *query)
{
  GstVideoInfo info;
  GstCaps *caps;

  gst_query_parse_allocation (query, &caps, NULL);
  if (self->run.hold == GST_GAIO_HOLD_COPY || caps == NULL || !gst_caps_is_fixed (caps) ||
      !gst_structure_has_name (gst_caps_get_structure (caps, 0), "video/x-raw") ||
      !gst_video_info_from_caps (&info, caps) || info.size == 0)
    return FALSE;
  gst_query_add_allocation_pool (query, NULL, info.size, count_held (self, info.size), 0);
  return TRUE;
}

/* Aligned memory goes to the disk without a copy. */
static gboolean
propose_alignment (GstGaioFileSink *self, GstQuery *query)
{
  GstAllocationParams params;
  guint alignment = 1;

  if (!gaio_file_is_direct (self->file))
    return FALSE;
  g_object_get (self->file, "direct-memory-alignment", &alignment, NULL);
  gst_allocation_params_init (&params);
  params.align = MAX (alignment, PAGE_BYTES) - 1;
  gst_query_add_allocation_param (query, NULL, &params);
  return TRUE;
}

static gboolean
gst_gaio_file_sink_propose_allocation (GstBaseSink *sink, GstQuery *query)
{
  GstGaioFileSink *self = GST_GAIO_FILE_SINK (sink);
  gboolean has_count, has_alignment;

  if (self->file == NULL)
    return FALSE;
  has_count = propose_count (self, query);
  has_alignment = propose_alignment (self, query);
  return has_count || has_alignment;
}

void
gst_gaio_file_sink_data_class_init (GstGaioFileSinkClass *klass)
{
  GstBaseSinkClass *sink_class = GST_BASE_SINK_CLASS (klass);

  sink_class->render = gst_gaio_file_sink_render;
  sink_class->render_list = gst_gaio_file_sink_render_list;
  sink_class->propose_allocation = gst_gaio_file_sink_propose_allocation;
}
