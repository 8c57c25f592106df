/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Counters of I/O and the histogram of its latencies, in powers of two: forty numbers tell whether
 * a disk answers in microseconds or in seconds, at the cost of an addition, as QEMU's and fio's
 * histograms do.
 *
 * A quantile is read off by walking the histogram, and between the ends of the power of two that
 * it falls in it goes by proportion; so it is right to within the width of that. */

#include "config.h"

#include <gaio/base/gaio-io-stats-private.h>

void
gaio_io_stats_add_latency (GaioIoStats *self, gint64 latency_ns)
{
  guint bucket = latency_ns > 1 ? 63 - (guint) __builtin_clzll ((guint64) latency_ns) : 0;
  _Atomic guint32 *counter = &self->latencies[MIN (bucket, GAIO_IO_STATS_BUCKETS - 1)];

  atomic_store_explicit (counter, atomic_load_explicit (counter, memory_order_relaxed) + 1,
                         memory_order_relaxed);
}

static void
add_counter (_Atomic guint64 *sum, _Atomic guint64 *other)
{
  gaio_io_stats_count (sum, atomic_load_explicit (other, memory_order_relaxed));
}

void
gaio_io_stats_add (GaioIoStats *sum, GaioIoStats *other)
{
  /* Before `submitted`, so that a reader in another thread never sees more ended than begun. */
  add_counter (&sum->ended, &other->ended);
  add_counter (&sum->submitted, &other->submitted);
  add_counter (&sum->failed, &other->failed);
  add_counter (&sum->cancelled, &other->cancelled);
  add_counter (&sum->merged, &other->merged);
  add_counter (&sum->partial, &other->partial);
  add_counter (&sum->retried, &other->retried);
  add_counter (&sum->bytes_read, &other->bytes_read);
  add_counter (&sum->bytes_written, &other->bytes_written);
  for (guint i = 0; i < GAIO_IO_STATS_BUCKETS; i++)
    atomic_store_explicit (&sum->latencies[i],
                           atomic_load_explicit (&sum->latencies[i], memory_order_relaxed) +
                               atomic_load_explicit (&other->latencies[i], memory_order_relaxed),
                           memory_order_relaxed);
}

guint64
gaio_io_stats_get_quantile_ns (GaioIoStats *self, guint of_thousand)
{
  guint64 counts[GAIO_IO_STATS_BUCKETS];
  guint64 total = 0;
  guint64 wanted;
  guint64 below = 0;

  for (guint i = 0; i < GAIO_IO_STATS_BUCKETS; i++)
    total += counts[i] = atomic_load_explicit (&self->latencies[i], memory_order_relaxed);
  if (total == 0)
    return 0;
  wanted = (total * of_thousand + 999) / 1000;
  for (guint i = 0; i < GAIO_IO_STATS_BUCKETS; i++)
    {
      guint64 start = i > 0 ? G_GUINT64_CONSTANT (1) << i : 0;
      guint64 end = G_GUINT64_CONSTANT (2) << i;

      if (counts[i] > 0 && below + counts[i] >= wanted)
        return start + (guint64) ((double) (end - start) * (wanted - below) / counts[i]);
      below += counts[i];
    }
  return G_GUINT64_CONSTANT (1) << GAIO_IO_STATS_BUCKETS;
}

static void
add_number (GVariantBuilder *builder, const char *name, guint64 value)
{
  g_variant_builder_add (builder, "{sv}", name, g_variant_new_uint64 (value));
}

GVariant *
gaio_io_stats_to_variant (GaioIoStats *self)
{
  GVariantBuilder builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);
  guint64 latencies[GAIO_IO_STATS_BUCKETS];
  guint64 failed = atomic_load_explicit (&self->failed, memory_order_relaxed);
  guint64 cancelled = atomic_load_explicit (&self->cancelled, memory_order_relaxed);
  guint64 ended = atomic_load_explicit (&self->ended, memory_order_relaxed);
  guint64 submitted = atomic_load_explicit (&self->submitted, memory_order_relaxed);

  for (guint i = 0; i < GAIO_IO_STATS_BUCKETS; i++)
    latencies[i] = atomic_load_explicit (&self->latencies[i], memory_order_relaxed);
  add_number (&builder, "submitted", submitted);
  add_number (&builder, "in-flight", submitted > ended ? submitted - ended : 0);
  add_number (&builder, "completed", ended > failed + cancelled ? ended - failed - cancelled : 0);
  add_number (&builder, "failed", failed);
  add_number (&builder, "cancelled", cancelled);
  add_number (&builder, "merged", self->merged);
  add_number (&builder, "short", self->partial);
  add_number (&builder, "retried", self->retried);
  add_number (&builder, "bytes-read", self->bytes_read);
  add_number (&builder, "bytes-written", self->bytes_written);
  g_variant_builder_add (&builder, "{sv}", "latencies",
                         g_variant_new_fixed_array (G_VARIANT_TYPE_UINT64, latencies,
                                                    G_N_ELEMENTS (latencies), sizeof latencies[0]));
  add_number (&builder, "latency-p50-ns", gaio_io_stats_get_quantile_ns (self, 500));
  add_number (&builder, "latency-p99-ns", gaio_io_stats_get_quantile_ns (self, 990));
  add_number (&builder, "latency-p99.9-ns", gaio_io_stats_get_quantile_ns (self, 999));
  return g_variant_builder_end (&builder);
}
