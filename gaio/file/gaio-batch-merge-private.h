/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The planning of a batch: what is transferred, in which order, and what belongs together. See
 * gaio-batch-merge.c. */

#pragma once

#include <stdbool.h>
#include <sys/uio.h>

#include <glib.h>

/* The operations, as they were asked for. All arrays are the caller's. */
typedef struct
{
  const goffset *offsets;
  const gsize *starts; /* of n + 1: the bytes of all that come before; so it has the lengths, too */
  gsize n;
} GaioBatchOps;

/* A piece of the file, of one operation: all of it for a read, for a write what no later one
 * covers. */
typedef struct
{
  goffset offset;
  gsize length;
  gsize done;
  guint op;
  int result; /* 0 or -errno: why `done` is less; 0 in a read: the file ended */
} GaioBatchPart;

typedef struct
{
  GaioBatchPart *parts;
  gsize n;
  bool has_covered; /* writes: some are covered by others, so they are not their own parts only */
} GaioBatchPlan;

static inline gsize
gaio_batch_ops_get_length (const GaioBatchOps *self, gsize op)
{
  return self->starts[op + 1] - self->starts[op];
}

/* Whether the kernel would take the operation's offset and length. */
static inline bool
gaio_batch_ops_is_valid (const GaioBatchOps *self, gsize op)
{
  return self->offsets[op] >= 0 &&
         gaio_batch_ops_get_length (self, op) <= (guint64) (G_MAXOFFSET - self->offsets[op]);
}

/* Thread: any, as all here. In all plans there is no part of an operation that is empty or not
 * valid. g_free() the parts. */

/* One part for each, ordered by their places in the file. They may overlap. */
void gaio_batch_plan_reads (GaioBatchPlan *self, const GaioBatchOps *ops);

/* What is to be written, ordered likewise: where operations overlap, of the last. */
void gaio_batch_plan_writes (GaioBatchPlan *self, const GaioBatchOps *ops);

/* One part for each, in the order of their submission. */
void gaio_batch_plan_stream (GaioBatchPlan *self, const GaioBatchOps *ops);

/* What is transferred at once: the parts from `first` to before the one returned, which leave no
 * gap in the file between them. They have no more than `max_bytes` together, but for a single
 * one, and are no more than `max_parts`. */
gsize
gaio_batch_plan_get_run (const GaioBatchPlan *self, gsize first, gsize max_bytes, gsize max_parts);

/* The same for a plan of a stream, where places in the file are without meaning. */
gsize gaio_batch_plan_get_stream_run (const GaioBatchPlan *self,
                                      gsize first,
                                      gsize max_bytes,
                                      gsize max_parts);

/* The memory of a run of reads, `memory` having the operations' one after the other. What several
 * read is read for the first of them. Returns how many of `iov`, which has room for one a part. */
gsize gaio_batch_plan_scatter (const GaioBatchPlan *self,
                               const GaioBatchOps *ops,
                               gsize first,
                               gsize end,
                               guint8 *memory,
                               struct iovec *iov);

/* The same for a run of writes, whose data is in as many pieces as there are operations. */
gsize gaio_batch_plan_gather (const GaioBatchPlan *self,
                              const GaioBatchOps *ops,
                              gsize first,
                              gsize end,
                              GBytes *const *chunks,
                              struct iovec *iov);

/* Takes that the first `moved` bytes of a run of reads are there: copies what several read, and
 * counts for each part what it got. */
void gaio_batch_plan_take_read (GaioBatchPlan *self,
                                const GaioBatchOps *ops,
                                gsize first,
                                gsize end,
                                gsize moved,
                                guint8 *memory);

/* The same for a run of writes. */
void gaio_batch_plan_take_write (GaioBatchPlan *self, gsize first, gsize end, gsize moved);

/* What came of each operation: `counts` of n, how much of it is done from its beginning on without
 * a gap; `results` of n, 0 or the -errno of what is not done. Where a write is covered by another,
 * the other's bytes count. */
void gaio_batch_plan_sum_up (const GaioBatchPlan *self,
                             const GaioBatchOps *ops,
                             gsize *counts,
                             int *results);
