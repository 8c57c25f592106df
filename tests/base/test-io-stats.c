/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The counters of I/O: the histogram's places, its quantiles, and sums. */

#include <gaio/base/gaio-io-stats-private.h>

#include "gaio-test.h"

static void
test_places (void)
{
  GaioIoStats stats = { 0 };

  gaio_io_stats_add_latency (&stats, -5); /* a clock that a virtual machine set back */
  gaio_io_stats_add_latency (&stats, 0);
  gaio_io_stats_add_latency (&stats, 1);
  gaio_io_stats_add_latency (&stats, 2);
  gaio_io_stats_add_latency (&stats, 3);
  gaio_io_stats_add_latency (&stats, 4);
  gaio_io_stats_add_latency (&stats, 1023);
  gaio_io_stats_add_latency (&stats, 1024);
  gaio_io_stats_add_latency (&stats, G_MAXINT64);
  g_assert_cmpuint (stats.latencies[0], ==, 3);
  g_assert_cmpuint (stats.latencies[1], ==, 2);
  g_assert_cmpuint (stats.latencies[2], ==, 1);
  g_assert_cmpuint (stats.latencies[9], ==, 1);
  g_assert_cmpuint (stats.latencies[10], ==, 1);
  g_assert_cmpuint (stats.latencies[GAIO_IO_STATS_BUCKETS - 1], ==, 1);
}

static void
test_quantiles (void)
{
  GaioIoStats stats = { 0 };

  g_assert_cmpuint (gaio_io_stats_get_quantile_ns (&stats, 990), ==, 0);
  for (int i = 0; i < 990; i++)
    gaio_io_stats_add_latency (&stats, 1500);
  for (int i = 0; i < 10; i++)
    gaio_io_stats_add_latency (&stats, 5000000);
  g_assert_cmpuint (gaio_io_stats_get_quantile_ns (&stats, 500), >=, 1024);
  g_assert_cmpuint (gaio_io_stats_get_quantile_ns (&stats, 500), <, 2048);
  g_assert_cmpuint (gaio_io_stats_get_quantile_ns (&stats, 990), ==, 2048);
  g_assert_cmpuint (gaio_io_stats_get_quantile_ns (&stats, 999), >=, 4194304);
  g_assert_cmpuint (gaio_io_stats_get_quantile_ns (&stats, 999), <=, 8388608);
  g_assert_cmpuint (gaio_io_stats_get_quantile_ns (&stats, 1000), ==, 8388608);
}

static guint64
get (GVariant *dictionary, const char *name)
{
  guint64 value = G_MAXUINT64;

  g_assert_true (g_variant_lookup (dictionary, name, "t", &value));
  return value;
}

static void
test_sum (void)
{
  GaioIoStats one = { .submitted = 10, .ended = 8, .failed = 1, .cancelled = 2, .merged = 3 };
  GaioIoStats other = { .submitted = 5, .ended = 5, .partial = 4, .retried = 6 };
  g_autoptr (GVariant) shown = NULL;
  g_autoptr (GVariant) latencies = NULL;
  const guint64 *places;
  gsize n;

  one.bytes_read = 100;
  other.bytes_read = 1;
  other.bytes_written = 7;
  gaio_io_stats_add_latency (&one, 1);
  gaio_io_stats_add_latency (&other, 1);
  gaio_io_stats_add (&one, &other);
  shown = g_variant_ref_sink (gaio_io_stats_to_variant (&one));
  g_assert_cmpuint (get (shown, "submitted"), ==, 15);
  g_assert_cmpuint (get (shown, "in-flight"), ==, 2);
  g_assert_cmpuint (get (shown, "completed"), ==, 10);
  g_assert_cmpuint (get (shown, "failed"), ==, 1);
  g_assert_cmpuint (get (shown, "cancelled"), ==, 2);
  g_assert_cmpuint (get (shown, "merged"), ==, 3);
  g_assert_cmpuint (get (shown, "short"), ==, 4);
  g_assert_cmpuint (get (shown, "retried"), ==, 6);
  g_assert_cmpuint (get (shown, "bytes-read"), ==, 101);
  g_assert_cmpuint (get (shown, "bytes-written"), ==, 7);
  g_assert_cmpuint (get (shown, "latency-p50-ns"), >, 0);
  latencies = g_variant_lookup_value (shown, "latencies", G_VARIANT_TYPE ("at"));
  g_assert_nonnull (latencies);
  places = g_variant_get_fixed_array (latencies, &n, sizeof (guint64));
  g_assert_cmpuint (n, ==, GAIO_IO_STATS_BUCKETS);
  g_assert_cmpuint (places[0], ==, 2);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  g_test_add_func ("/io-stats/places", test_places);
  g_test_add_func ("/io-stats/quantiles", test_quantiles);
  g_test_add_func ("/io-stats/sum", test_sum);
  return g_test_run ();
}
