/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a window says about itself: the numbers that its two sides count, and what follows from them
 * and from what is queued and in flight. Any thread may ask, at any time until the window is freed
 * or abandoned. */

#include "gstgaiowindow-private.h"

static guint64
get_pending_offset_locked (GstGaioWindow *self)
{
  guint64 offset = G_MAXUINT64;

  if (self->slots != NULL)
    for (guint i = 0; i < self->config.max_in_flight; i++)
      if (self->slots[i].busy && self->slots[i].kind == GST_GAIO_OPERATION_WRITE)
        offset = MIN (offset, self->slots[i].offset);
  for (GList *link = self->queue.head; link != NULL; link = link->next)
    {
      const GstGaioOperation *operation = link->data;

      if (operation->kind == GST_GAIO_OPERATION_WRITE)
        offset = MIN (offset, operation->offset);
    }
  return offset;
}

/* One that has not ended counts with what it has taken so far. */
static guint64
get_longest_stall_locked (GstGaioWindow *self)
{
  gint64 now_ns = gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC);
  guint64 longest_ns = self->stats.longest_stall_ns;

  if (self->slots == NULL || self->stats.stalls == 0)
    return longest_ns;
  for (guint i = 0; i < self->config.max_in_flight; i++)
    if (self->slots[i].busy)
      {
        guint64 age_ns = (guint64) (now_ns - self->slots[i].started_ns);

        if (age_ns >= self->config.stall_warning_ns)
          longest_ns = MAX (longest_ns, age_ns);
      }
  return longest_ns;
}

/* Whether all is in the file, and as durable as it was to be. */
static bool
is_finished_locked (GstGaioWindow *self)
{
  if (self->slots != NULL)
    for (guint i = 0; i < self->config.max_in_flight; i++)
      if (self->slots[i].busy && self->slots[i].kind != GST_GAIO_OPERATION_CLOSE)
        return false;
  for (GList *link = self->queue.head; link != NULL; link = link->next)
    if (((const GstGaioOperation *) link->data)->kind != GST_GAIO_OPERATION_CLOSE)
      return false;
  return !self->failed && !self->failing;
}

/* The bound that this part of the writes, in thousandths, stays below. */
static guint64
get_latency_locked (GstGaioWindow *self, guint64 part)
{
  guint64 n = 0;
  guint64 wanted = (self->stats.writes * part + 999) / 1000;

  for (guint i = 0; i < GST_GAIO_N_LATENCIES; i++)
    {
      n += self->latencies[i];
      if (n >= wanted)
        return wanted == 0 ? 0 : MIN ((G_GUINT64_CONSTANT (1) << i) - 1, self->stats.write_ns_max);
    }
  return self->stats.write_ns_max;
}

void
gst_gaio_window_get_stats (GstGaioWindow *self, GstGaioWindowStats *stats)
{
  g_mutex_lock (&self->lock);
  *stats = self->stats;
  stats->write_ns_p50 = get_latency_locked (self, 500);
  stats->write_ns_p99 = get_latency_locked (self, 990);
  if (stats->writes == 0)
    stats->write_bytes_min = 0;
  stats->longest_stall_ns = get_longest_stall_locked (self);
  stats->pending_offset = get_pending_offset_locked (self);
  stats->finished = is_finished_locked (self);
  g_mutex_unlock (&self->lock);
}

guint64
gst_gaio_window_get_level (GstGaioWindow *self)
{
  guint64 level;

  g_mutex_lock (&self->lock);
  level = self->stats.level;
  g_mutex_unlock (&self->lock);
  return level;
}
