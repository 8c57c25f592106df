/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* A disk that does not move. See gst-stall.c. */

#pragma once

#include "gst-test.h"

/* A sink whose file is a FIFO. */
typedef struct
{
  GstTestSink *sink;
  char *path;
  int fd; /* the other end */
  GThread *reader;
  GByteArray *read; /* by the reader; valid after fifo_finish() has joined it */
} Fifo;

Fifo *fifo_new (void);

/* From here on the disk moves. */
void fifo_thaw (Fifo *self);

/* Stops the sink, and checks that what was read is what was pushed, which is what
 * gst_test_sink_buffer() makes. */
void fifo_finish (Fifo *self, gsize expected);

/* Closes the other end, if it was not thawed: who writes learns of that. */
void fifo_break (Fifo *self);

/* Frees what is left; the sink is stopped. */
void fifo_free (Fifo *self);

/* Pushes from a thread of its own. */
typedef struct
{
  GstTestSink *sink;
  gsize size;
  guint n_buffers;
  GstEvent *event; /* instead of buffers */
  guint flags;     /* of the buffers */
  GThread *thread;
  gint n_pushed; /* (atomic) */
  GstFlowReturn ret;
  gboolean event_ret;
} Pusher;

void pusher_start (Pusher *self);
void wait_until_blocked (GstTestSink *sink, guint64 times);
