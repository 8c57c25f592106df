/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The same bytes to a sink in buffers of another shape. See gst-shape.c. */

#pragma once

#include <gst/gst.h>

/* What went to the sink. */
typedef struct
{
  guint n_seeks;  /* segments in bytes that began elsewhere than where the sink was */
  guint n_syncs;  /* buffers with SYNC_AFTER */
  guint n_pushes; /* buffers and lists, as the sink got them */
} GstTestShape;

/* Before data flows. Counts what goes to `sink` in `shape`, which must live until the sink is in
 * NULL again, and reshapes it unless `seed` is 0. */
void gst_test_shape (GstElement *sink, guint32 seed, GstTestShape *shape);

/* One of the ways to hand over `buffer`, which it takes: whole, in parts, with memories that begin
 * in the middle of others, with nothing in between. Flags and times stay, and the flag that asks
 * for a sync is on the last part alone. */
void gst_test_split (GRand *rand, GstBuffer *buffer, GQueue *parts);

/* Takes the first `n` buffers of the queue as one of several memories. */
GstBuffer *gst_test_join (GQueue *parts, guint n);

/* Takes the first `n` buffers of the queue as a list. */
GstBufferList *gst_test_list (GQueue *parts, guint n);
