/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the tests of the GStreamer elements share. See gst-test.c. */

#pragma once

#include <gst/gst.h>

#include "gaio-test.h"

/* A sink, a pad that pushes to it, a bus, and a directory of its own. */
typedef struct
{
  char *dir;
  char *path;       /* of the sink's file: `dir`/out, or where it was asked to write */
  GstElement *sink;
  GstPad *src;
  GstBus *bus;
  guint8 next;      /* the value of the next byte to push */
} GstTestSink;

/* Instead of gaio_test_init(). */
void gst_test_init (int *argc, char ***argv);

/* Loads one of GStreamer's own plugins by its file's name without "libgst" and ".so"; when it is
 * not installed the test is skipped and the answer is FALSE. */
gboolean gst_test_need_plugin (const char *name);

/* A directory that does not exist before; on a disk, so that what is tested is the usual thing. */
char *gst_test_make_dir (void);
void gst_test_remove_dir (const char *dir);

/* Between the two no more than `n` descriptors can be opened. */
void gst_test_take_descriptors (guint n);
void gst_test_give_descriptors (void);

/* A pipeline as gst-launch-1.0 makes it from a line of text. */
GstElement *gst_test_parse (const char *format, ...) G_GNUC_PRINTF (1, 2);

/* Runs it to its end and to NULL; its error fails the test. */
void gst_test_run_to_eos (GstElement *pipeline);

/* In NULL, with its location set: `path`, or NULL for a new file in `dir`. */
GstTestSink *gst_test_sink_new (const char *path);

/* The same with another element; of filesink all works but gst_test_sink_stat() and
 * gst_test_sink_assert_error(). */
GstTestSink *gst_test_sink_new_of (const char *factory, const char *path);
void gst_test_sink_free (GstTestSink *self);

/* A property by its text, as a launch line has it. */
void gst_test_sink_set (GstTestSink *self, const char *name, const char *value);

/* To PLAYING, with stream-start, and a segment of `format` unless that is GST_FORMAT_UNDEFINED. */
void gst_test_sink_play (GstTestSink *self, GstFormat format);

/* To NULL, which must work. */
void gst_test_sink_stop (GstTestSink *self);

void gst_test_sink_segment (GstTestSink *self, GstFormat format, guint64 start);

/* A buffer with the next `size` bytes of the test's sequence, in memories of `size / n` each. */
GstBuffer *gst_test_sink_buffer (GstTestSink *self, gsize size, guint n_memories);
GstFlowReturn gst_test_sink_push (GstTestSink *self, gsize size);

/* Which must be taken. */
void gst_test_sink_push_eos (GstTestSink *self);

gint64 gst_test_sink_position (GstTestSink *self);

/* A number of io-stats. */
guint64 gst_test_sink_stat (GstTestSink *self, const char *name);

/* Takes the first error message; it must be there, of this code, and the only one. `debug` must be
 * a part of its debug text, or NULL. Returns the errno of its details. */
int gst_test_sink_assert_error (GstTestSink *self, GstResourceError code, const char *debug);
void gst_test_sink_assert_no_error (GstTestSink *self);

/* Waits for the next message of this type and drops all before it. */
GstMessage *gst_test_wait_message (GstBus *bus, GstMessageType types);

/* The file has exactly these bytes. */
void gst_test_assert_file (const char *path, const guint8 *data, gsize size);
void gst_test_assert_same_file (const char *one, const char *other);

/* Its file has the first `size` bytes of the test's sequence and no more. */
void gst_test_sink_assert_counting (GstTestSink *self, gsize size);
