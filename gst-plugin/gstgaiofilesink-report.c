/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the element says: errors, statistics and the other messages on the bus.
 *
 * A run has one error message, and that is for the first thing that went wrong: what follows is
 * its consequence, or would hide it. GStreamer lets messages be posted from any thread, so a write
 * that fails is reported when it fails, by a worker of the window's. */

#include <errno.h>
#include <stdbool.h>

#include "gstgaiofilesink-private.h"

/* Errors */

gboolean
gst_gaio_file_sink_is_first_error (GstGaioFileSink *self, const char *debug)
{
  if (!atomic_exchange (&self->has_failed, true))
    return TRUE;
  GST_WARNING_OBJECT (self, "not the first error, not posted: %s", debug);
  return FALSE;
}

static GstResourceError
get_code (GstGaioOperationKind kind, int errnum)
{
  if (kind == GST_GAIO_OPERATION_CLOSE)
    return GST_RESOURCE_ERROR_CLOSE;
  /* Write-back of a thin device finds that out, too. */
  if (errnum == ENOSPC || errnum == EDQUOT)
    return GST_RESOURCE_ERROR_NO_SPACE_LEFT;
  if (kind == GST_GAIO_OPERATION_SYNC || kind == GST_GAIO_OPERATION_FINISH)
    return GST_RESOURCE_ERROR_SYNC;
  return GST_RESOURCE_ERROR_WRITE;
}

static char *
get_close_text (GstGaioFileSink *self)
{
  g_autofree char *shown = g_filename_display_name (self->location);

  return g_strdup_printf ("Error closing file \"%s\".", shown);
}

/* A worker: something that was accepted is not in the file. */
static void
window_failed (GstObject *sink, const GstGaioFailure *failure)
{
  GstGaioFileSink *self = GST_GAIO_FILE_SINK (sink);
  int errnum = gaio_error_get_errno (failure->error);
  GstResourceError code = get_code (failure->kind, errnum);

  gst_gaio_file_sink_post_error (self,
                                 code,
                                 code == GST_RESOURCE_ERROR_CLOSE ? get_close_text (self) : NULL,
                                 g_strdup_printf ("%s, at byte %" G_GUINT64_FORMAT,
                                                  failure->error->message,
                                                  failure->offset),
                                 errnum,
                                 failure->offset);
}

void
gst_gaio_file_sink_post_timeout (GstGaioFileSink *self, const GstGaioWindowStats *stats)
{
  char *debug = g_strdup_printf ("closing did not end within %" G_GUINT64_FORMAT
                                 " ns; %" G_GUINT64_FORMAT " bytes are lost",
                                 self->run.drain_timeout_ns,
                                 stats->level);

  if (!gst_gaio_file_sink_is_first_error (self, debug))
    {
      g_free (debug);
      return;
    }
  gst_element_message_full_with_details (GST_ELEMENT (self),
                                         GST_MESSAGE_ERROR,
                                         GST_RESOURCE_ERROR,
                                         GST_RESOURCE_ERROR_CLOSE,
                                         get_close_text (self),
                                         debug,
                                         __FILE__,
                                         GST_FUNCTION,
                                         __LINE__,
                                         gst_structure_new ("details",
                                                            "errno",
                                                            G_TYPE_INT,
                                                            ETIMEDOUT,
                                                            "offset",
                                                            G_TYPE_UINT64,
                                                            stats->pending_offset,
                                                            "lost-bytes",
                                                            G_TYPE_UINT64,
                                                            stats->level,
                                                            NULL));
}

/* Other messages */

static void
post_element_message (GstGaioFileSink *self, GstStructure *structure)
{
  gst_element_post_message (GST_ELEMENT (self),
                            gst_message_new_element (GST_OBJECT (self), structure));
}

/* A worker. */
static void
window_stalled (GstObject *sink, gboolean active, guint64 age_ns, guint64 level)
{
  GstGaioFileSink *self = GST_GAIO_FILE_SINK (sink);

  if (active)
    GST_WARNING_OBJECT (self,
                        "a write has taken %" GST_TIME_FORMAT " so far, %" G_GUINT64_FORMAT
                        " bytes are waiting",
                        GST_TIME_ARGS (age_ns),
                        level);
  else
    GST_INFO_OBJECT (self, "the write has ended after %" GST_TIME_FORMAT, GST_TIME_ARGS (age_ns));
  post_element_message (self,
                        gst_structure_new ("gaiofilesink-stall",
                                           "active", G_TYPE_BOOLEAN, active,
                                           "age", G_TYPE_UINT64, age_ns,
                                           "level-bytes", G_TYPE_UINT64, level,
                                           NULL));
}

const GstGaioWindowEvents gst_gaio_file_sink_window_events = {
  .failed = window_failed,
  .stalled = window_stalled,
};

void
gst_gaio_file_sink_post_overflow (GstGaioFileSink *self, gboolean active)
{
  if (active)
    GST_WARNING_OBJECT (self, "the window is full, dropping");
  else
    GST_INFO_OBJECT (self,
                     "dropped %" G_GUINT64_FORMAT " bytes in %" G_GUINT64_FORMAT " buffers",
                     self->overflow_bytes,
                     self->overflow_buffers);
  post_element_message (self,
                        gst_structure_new ("gaiofilesink-overflow",
                                           "active", G_TYPE_BOOLEAN, active,
                                           "policy", G_TYPE_STRING, "drop",
                                           "dropped", G_TYPE_UINT64, self->overflow_bytes,
                                           "buffers", G_TYPE_UINT64, self->overflow_buffers,
                                           NULL));
}

void
gst_gaio_file_sink_post_qos (GstGaioFileSink *self, GstBuffer *buffer)
{
  GstBaseSink *sink = GST_BASE_SINK (self);
  const GstSegment *segment = &sink->segment;
  GstClockTime pts = GST_BUFFER_PTS (buffer);
  gboolean has_time = segment->format == GST_FORMAT_TIME && GST_CLOCK_TIME_IS_VALID (pts);
  GstMessage *message;

  message = gst_message_new_qos (
      GST_OBJECT (self),
      gst_base_sink_get_sync (sink),
      has_time ? gst_segment_to_running_time (segment, GST_FORMAT_TIME, pts) : GST_CLOCK_TIME_NONE,
      has_time ? gst_segment_to_stream_time (segment, GST_FORMAT_TIME, pts) : GST_CLOCK_TIME_NONE,
      pts,
      GST_BUFFER_DURATION (buffer));
  gst_message_set_qos_stats (message,
                             GST_FORMAT_BUFFERS,
                             self->n_rendered,
                             atomic_load (&self->buffers_dropped));
  gst_element_post_message (GST_ELEMENT (self), message);
}

/* Statistics */

static guint64
get_short_writes (GaioFile *file)
{
  g_autoptr (GVariant) stats = gaio_file_get_stats (file);
  guint64 n = 0;

  g_variant_lookup (stats, "short", "t", &n);
  return n;
}

static GstStructure *
make_structure (GstGaioFileSink *self, const GstGaioWindowStats *stats)
{
  g_autofree char *direct_reason = NULL;
  gboolean direct = gaio_file_is_direct (self->file);
  guint64 average = stats->writes > 0 ? stats->written / stats->writes : 0;
  GstStructure *structure =
      gst_gaio_loop_make_stats (gaio_file_get_context (self->file), "gaiofilesink-stats");

  g_object_get (self->file, "direct-reason", &direct_reason, NULL);
  if (direct_reason == NULL && !direct && self->run.direct != GST_GAIO_FILE_SINK_DIRECT_NO)
    direct_reason = g_strdup ("it cannot be opened for direct I/O");
  gst_structure_set (
      structure,
      "direct", G_TYPE_BOOLEAN, direct,
      "direct-reason", G_TYPE_STRING, direct_reason,
      "bytes-accepted", G_TYPE_UINT64, stats->accepted,
      "bytes-written", G_TYPE_UINT64, stats->written,
      "bytes-lost", G_TYPE_UINT64, stats->lost,
      "bytes-dropped", G_TYPE_UINT64, atomic_load (&self->bytes_dropped),
      "buffers-dropped", G_TYPE_UINT64, atomic_load (&self->buffers_dropped),
      "level-bytes", G_TYPE_UINT64, stats->level,
      "level-peak", G_TYPE_UINT64, stats->level_peak,
      "memory-bytes", G_TYPE_UINT64, stats->held,
      "memory-peak", G_TYPE_UINT64, stats->held_peak,
      "held-refs", G_TYPE_UINT64, stats->held_buffers,
      "copies", G_TYPE_UINT64, stats->copies,
      "copied-bytes", G_TYPE_UINT64, stats->copied,
      "writes", G_TYPE_UINT64, stats->writes,
      "write-bytes-min", G_TYPE_UINT64, stats->write_bytes_min,
      "write-bytes-avg", G_TYPE_UINT64, average,
      "write-bytes-max", G_TYPE_UINT64, stats->write_bytes_max,
      "write-latency-p50", G_TYPE_UINT64, stats->write_ns_p50,
      "write-latency-p99", G_TYPE_UINT64, stats->write_ns_p99,
      "write-latency-max", G_TYPE_UINT64, stats->write_ns_max,
      "short-writes", G_TYPE_UINT64, get_short_writes (self->file),
      "retries", G_TYPE_UINT64, stats->retries,
      "in-flight", G_TYPE_UINT, stats->in_flight,
      "syncs", G_TYPE_UINT64, stats->syncs,
      "sync-time", G_TYPE_UINT64, stats->sync_ns,
      "render-latency-max", G_TYPE_UINT64, stats->render_ns_max,
      "blocked-count", G_TYPE_UINT64, stats->waits,
      "blocked-time", G_TYPE_UINT64, stats->waited_ns,
      "stalls", G_TYPE_UINT64, stats->stalls,
      "longest-stall", G_TYPE_UINT64, stats->longest_stall_ns,
      NULL);
  return structure;
}

GstStructure *
gst_gaio_file_sink_make_stats (GstGaioFileSink *self, gboolean abandon)
{
  GstGaioWindowStats stats;

  gst_gaio_window_get_stats (self->window, &stats);
  if (abandon)
    {
      stats.lost += stats.level;
      stats.level = 0;
    }
  return make_structure (self, &stats);
}

GstStructure *
gst_gaio_file_sink_get_stats (GstGaioFileSink *self)
{
  GstStructure *stats;

  GST_OBJECT_LOCK (self);
  if (self->window != NULL)
    stats = gst_gaio_file_sink_make_stats (self, FALSE);
  else if (self->last_stats != NULL)
    stats = gst_structure_copy (self->last_stats);
  else
    stats = gst_structure_new_empty ("gaiofilesink-stats");
  GST_OBJECT_UNLOCK (self);
  return stats;
}

void
gst_gaio_file_sink_post_stats (GstGaioFileSink *self)
{
  if (atomic_exchange (&self->stats_due, false))
    post_element_message (self, gst_gaio_file_sink_get_stats (self));
}
