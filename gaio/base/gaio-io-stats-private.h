/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include <gio/gio.h>

/* What is counted of I/O, for one file or one context. One thread at a time writes it; any may read
 * it meanwhile, and gets numbers that need not be of one instant. See gaio-io-stats.c. */

/* Latencies of 2^i to 2^(i+1) ns are in number i; the last holds all that are longer: 18 minutes.
 */
#define GAIO_IO_STATS_BUCKETS 40

typedef struct
{
  _Atomic guint64 submitted; /* requests that an engine was given */
  _Atomic guint64 ended;     /* of them */
  _Atomic guint64 failed;    /* of the ended */
  _Atomic guint64 cancelled; /* of the ended */
  _Atomic guint64 merged;    /* operations of batches that had no request of their own */
  _Atomic guint64 partial;   /* transfers that moved less than was asked for and went on */
  _Atomic guint64 retried;   /* interrupted, or to be tried again */
  _Atomic guint64 bytes_read;
  _Atomic guint64 bytes_written;
  _Atomic guint32 latencies[GAIO_IO_STATS_BUCKETS]; /* of a sample */
} GaioIoStats;

/* Not read-modify-write: there is one writer. */
static inline void
gaio_io_stats_count (_Atomic guint64 *counter, guint64 n)
{
  atomic_store_explicit (counter, atomic_load_explicit (counter, memory_order_relaxed) + n,
                         memory_order_relaxed);
}

/* Two looks at the clock cost as much as a tenth of a cached read, so of many requests only some
 * are timed: the first ones, and then one of sixteen. */
static inline bool
gaio_io_stats_is_sampled (guint64 nth)
{
  return nth < 64 || (nth & 15) == 0;
}

/* Thread: the writer's. */
void gaio_io_stats_add_latency (GaioIoStats *self, gint64 latency_ns);

/* Thread: the one that writes the sum. Adds the numbers of another. */
void gaio_io_stats_add (GaioIoStats *sum, GaioIoStats *other);

/* Thread: any. How long `of_thousand` of a thousand of the timed requests took at most; 0 when none
 * was timed. */
guint64 gaio_io_stats_get_quantile_ns (GaioIoStats *self, guint of_thousand);

/* Thread: any. A dictionary a{sv}, floating. */
GVariant *gaio_io_stats_to_variant (GaioIoStats *self);
