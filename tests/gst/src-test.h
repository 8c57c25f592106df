/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the tests of gaiofilesrc share: a file to read, and ways to read it. */

#pragma once

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "gst-test.h"

/* The most that a source has. */
#define SIZE ((gsize) 3 * 1024 * 1024 + 1234)

/* A file whose bytes tell where they belong. */
typedef struct
{
  char *dir;
  char *path;
  guint8 *data;
} Source;

static inline guint8
byte_at (guint64 offset)
{
  return (guint8) ((offset * 2654435761u) >> 24 ^ offset >> 12);
}

static inline void
append_bytes (Source *self, gsize from, gsize to)
{
  int fd = open (self->path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (write (fd, self->data + from, to - from), ==, to - from);
  close (fd);
}

static inline Source *
source_new (gsize size)
{
  Source *self = g_new0 (Source, 1);

  self->dir = gst_test_make_dir ();
  self->path = g_build_filename (self->dir, "in", NULL);
  self->data = g_malloc (SIZE);
  for (gsize i = 0; i < SIZE; i++)
    self->data[i] = byte_at (i);
  append_bytes (self, 0, size);
  return self;
}

static inline void
source_free (Source *self)
{
  gst_test_remove_dir (self->dir);
  g_free (self->dir);
  g_free (self->path);
  g_free (self->data);
  g_free (self);
}

static inline GstElement *
make (const char *factory, const char *location)
{
  GstElement *element = gst_element_factory_make (factory, "src");

  g_assert_nonnull (element);
  gst_object_ref_sink (element);
  if (location != NULL)
    g_object_set (element, "location", location, NULL);
  return element;
}

static inline void
assert_state (GstElement *element, GstState state, GstStateChangeReturn expected)
{
  g_assert_cmpint (gst_element_set_state (element, state), ==, expected);
}

static inline guint64
stat_of (GstElement *element, const char *name)
{
  g_autoptr (GstStructure) stats = NULL;
  guint64 value = 0;

  g_object_get (element, "io-stats", &stats, NULL);
  g_assert_true (gst_structure_get_uint64 (stats, name, &value));
  return value;
}

/* In PLAYING, to be pulled from. */
static inline GstPad *
start_pull (GstElement *element)
{
  GstPad *pad = gst_element_get_static_pad (element, "src");

  assert_state (element, GST_STATE_READY, GST_STATE_CHANGE_SUCCESS);
  g_assert_true (gst_pad_activate_mode (pad, GST_PAD_MODE_PULL, TRUE));
  assert_state (element, GST_STATE_PLAYING, GST_STATE_CHANGE_SUCCESS);
  return pad;
}

static inline void
stop_pull (GstElement *element, GstPad *pad)
{
  assert_state (element, GST_STATE_NULL, GST_STATE_CHANGE_SUCCESS);
  gst_object_unref (pad);
}

static inline void
assert_range (GstPad *pad, const guint8 *data, guint64 offset, guint size, gsize expected)
{
  g_autoptr (GstBuffer) buffer = NULL;
  GstFlowReturn ret = gst_pad_get_range (pad, offset, size, &buffer);

  g_assert_cmpint (ret, ==, GST_FLOW_OK);
  g_assert_cmpuint (gst_buffer_get_size (buffer), ==, expected);
  g_assert_cmpint (gst_buffer_memcmp (buffer, 0, data + offset, expected), ==, 0);
  if (expected == 0)
    return; /* the base class makes it, without an offset */
  g_assert_cmpuint (GST_BUFFER_OFFSET (buffer), ==, offset);
  g_assert_cmpuint (GST_BUFFER_OFFSET_END (buffer), ==, offset + expected);
}

/* What a fakesink was given. */
typedef struct
{
  GString *log;
  GByteArray *bytes;
} Seen;

static inline void
on_handoff (GstElement *sink, GstBuffer *buffer, GstPad *pad, gpointer user_data)
{
  Seen *seen = user_data;
  GstMapInfo map;

  g_string_append_printf (
      seen->log, "%" G_GUINT64_FORMAT "-%" G_GUINT64_FORMAT ":%" G_GSIZE_FORMAT "/%x ",
      GST_BUFFER_OFFSET (buffer), GST_BUFFER_OFFSET_END (buffer), gst_buffer_get_size (buffer),
      GST_BUFFER_FLAGS (buffer));
  g_assert_true (gst_buffer_map (buffer, &map, GST_MAP_READ));
  g_byte_array_append (seen->bytes, map.data, map.size);
  gst_buffer_unmap (buffer, &map);
}

static inline void
seen_clear (Seen *seen)
{
  g_string_free (seen->log, TRUE);
  g_byte_array_unref (seen->bytes);
}

/* A pipeline with a fakesink that notes what comes; `sets` are more properties of the source. */
static inline GstElement *
watch (const char *factory, const char *path, const char *sets, Seen *seen)
{
  g_autofree char *text = g_strdup_printf (
      "%s name=src location=%s %s ! fakesink name=sink signal-handoffs=true", factory, path, sets);
  g_autoptr (GError) error = NULL;
  g_autoptr (GstElement) sink = NULL;
  GstElement *pipeline = gst_parse_launch (text, &error);

  g_assert_no_error (error);
  gst_object_ref_sink (pipeline);
  seen->log = g_string_new (NULL);
  seen->bytes = g_byte_array_new ();
  sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  g_signal_connect (sink, "handoff", G_CALLBACK (on_handoff), seen);
  return pipeline;
}

static inline void
wait_for_eos (GstElement *pipeline)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GstMessage) message = gst_test_wait_message (bus, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  g_autoptr (GError) error = NULL;

  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
    gst_message_parse_error (message, &error, NULL);
  g_assert_no_error (error);
}
