/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Streams at random of which is known what a file must be. See gst-test-stream.c. */

#pragma once

#include "gst-test.h"

typedef struct _GstTestStream GstTestStream;

typedef enum
{
  GST_TEST_STREAM_PLAIN = 0,
  GST_TEST_STREAM_SEEKS = 1 << 0, /* goes back now and then, as muxers do, and not beyond the end */
  GST_TEST_STREAM_SYNCS = 1 << 1, /* buffers with GST_BUFFER_FLAG_SYNC_AFTER now and then */
} GstTestStreamFlags;

/* `size` bytes, in buffers of up to `max_buffer`: alone or in lists, of one memory or several. */
GstTestStream *
gst_test_stream_new (guint32 seed, gsize size, gsize max_buffer, GstTestStreamFlags flags);
void gst_test_stream_free (GstTestStream *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (GstTestStream, gst_test_stream_free)

/* The file when the first `n` bytes of the stream are written and no others, and where the byte
 * after them goes. */
GByteArray *gst_test_stream_get_file (GstTestStream *self, gsize n);
guint64 gst_test_stream_get_offset (GstTestStream *self, gsize n);

/* From stream-start to the end, or until a push is refused. */
GstFlowReturn gst_test_stream_push (GstTestStream *self, GstTestSink *sink);

/* What became of one run of a sink, which is in NULL afterwards. */
typedef struct
{
  guint n_eos;    /* messages */
  guint n_errors; /* messages; of the first: */
  GstResourceError code;
  int errnum;
  guint64 offset;
  char *debug;
  guint64 n_written; /* bytes, by the sink's count */
  GByteArray *file;  /* NULL when it cannot be read */
} GstTestOutcome;

/* Plays the stream, with an EOS event at its end also when a push was refused, and stops. */
GstTestOutcome *gst_test_stream_run (GstTestStream *self, GstTestSink *sink);

/* The two halves of that: gst_test_stream_push() and the EOS event come between them. */
void gst_test_stream_start (GstTestSink *sink);
GstTestOutcome *gst_test_stream_stop (GstTestSink *sink);

void gst_test_outcome_free (GstTestOutcome *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (GstTestOutcome, gst_test_outcome_free)

/* What is true of every run: an end of the stream is told only of a file that has all of it, and
 * of any other file an error is told, one. */
void gst_test_stream_assert_honest (GstTestStream *self, GstTestOutcome *outcome);

/* And of one that failed in writing: the error is this one, its text has the path and its details
 * the place, and the file has what was pushed before that place and nothing of what came after. */
void gst_test_stream_assert_failed (GstTestStream *self,
                                    GstTestOutcome *outcome,
                                    GstResourceError code,
                                    int errnum,
                                    const char *path);
