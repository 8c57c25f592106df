/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Streams at random of which is known what a file must be, after any number of their bytes.
 *
 * A stream is its bytes in the order in which they are pushed, and steps, each of which says how
 * many of them go where, as what. Its bytes are such that a hole, or a byte in a wrong place, is
 * seen: they are never zero, and do not repeat with the size of a block. The same seed makes the
 * same stream, so that one place of failure after the other can be tried. */

#include <string.h>

#include "gst-test-stream.h"

/* What one step pushes: a buffer, or a list. */
typedef struct
{
  guint64 offset;
  gsize begin; /* in the stream's data */
  gsize size;
  guint n_buffers;  /* in a list, unless there is one */
  guint n_memories; /* of each buffer */
  gboolean sync;
} Step;

struct _GstTestStream
{
  GByteArray *data;
  GArray *steps;
};

GstTestStream *
gst_test_stream_new (guint32 seed, gsize size, gsize max_buffer, GstTestStreamFlags flags)
{
  GstTestStream *self = g_new0 (GstTestStream, 1);
  g_autoptr (GRand) rand = g_rand_new_with_seed (seed);
  guint64 offset = 0;
  guint64 end = 0;

  self->data = g_byte_array_set_size (g_byte_array_new (), size);
  self->steps = g_array_new (FALSE, FALSE, sizeof (Step));
  for (gsize i = 0; i < size; i++)
    self->data->data[i] = 1 + (seed + i + i / 251) % 255;

  for (gsize begin = 0; begin < size;)
    {
      Step step = { .begin = begin, .n_buffers = 1, .n_memories = 1 };
      gsize most = g_rand_boolean (rand) ? max_buffer : max_buffer / 8 + 1;

      step.size = g_rand_int_range (rand, 1, (gint32) most + 1);
      step.size = MIN (step.size, size - begin);
      if (g_rand_int_range (rand, 0, 4) == 0)
        step.n_buffers = g_rand_int_range (rand, 1, 6);
      if (g_rand_int_range (rand, 0, 4) == 0)
        step.n_memories = g_rand_int_range (rand, 1, 4);
      step.sync = (flags & GST_TEST_STREAM_SYNCS) != 0 && g_rand_int_range (rand, 0, 8) == 0;
      if ((flags & GST_TEST_STREAM_SEEKS) != 0 && g_rand_int_range (rand, 0, 5) == 0 && end > 0)
        offset = g_rand_boolean (rand) ? end : (guint64) g_rand_int_range (rand, 0, (gint32) end);
      step.offset = offset;
      g_array_append_val (self->steps, step);

      begin += step.size;
      offset += step.size;
      end = MAX (end, offset);
    }
  return self;
}

void
gst_test_stream_free (GstTestStream *self)
{
  g_byte_array_unref (self->data);
  g_array_unref (self->steps);
  g_free (self);
}

GByteArray *
gst_test_stream_get_file (GstTestStream *self, gsize n)
{
  GByteArray *file = g_byte_array_new ();

  for (guint i = 0; i < self->steps->len; i++)
    {
      const Step *step = &g_array_index (self->steps, Step, i);
      gsize size = n > step->begin ? MIN (n - step->begin, step->size) : 0;

      if (size == 0)
        break;
      if (step->offset + size > file->len)
        g_byte_array_set_size (file, step->offset + size);
      memcpy (file->data + step->offset, self->data->data + step->begin, size);
    }
  return file;
}

guint64
gst_test_stream_get_offset (GstTestStream *self, gsize n)
{
  guint64 offset = 0;

  for (guint i = 0; i < self->steps->len; i++)
    {
      const Step *step = &g_array_index (self->steps, Step, i);

      if (n < step->begin)
        break;
      offset = step->offset + MIN (n - step->begin, step->size);
      if (n < step->begin + step->size)
        break;
    }
  return offset;
}

/* Pushing */

static GstBuffer *
make_buffer (GstTestStream *self, gsize begin, gsize size, guint n_memories)
{
  GstBuffer *buffer = gst_buffer_new ();

  for (guint i = 0; i < n_memories; i++)
    {
      gsize n = i + 1 < n_memories ? size / (n_memories - i) : size;
      guint8 *data = g_malloc (n + 1); /* an empty memory among the others is allowed too */

      memcpy (data, self->data->data + begin, n);
      gst_buffer_append_memory (buffer, gst_memory_new_wrapped (0, data, n, 0, n, data, g_free));
      begin += n;
      size -= n;
    }
  return buffer;
}

static GstFlowReturn
push_step (GstTestStream *self, const Step *step, GstPad *pad)
{
  GstBufferList *list;
  gsize done = 0;

  if (step->n_buffers == 1)
    {
      GstBuffer *buffer = make_buffer (self, step->begin, step->size, step->n_memories);

      if (step->sync)
        GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_SYNC_AFTER);
      return gst_pad_push (pad, buffer);
    }
  list = gst_buffer_list_new ();
  for (guint i = 0; i < step->n_buffers; i++)
    {
      gsize n = (step->size - done) / (step->n_buffers - i);
      GstBuffer *buffer = make_buffer (self, step->begin + done, n, step->n_memories);

      if (step->sync && i == 0)
        GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_SYNC_AFTER);
      gst_buffer_list_add (list, buffer);
      done += n;
    }
  return gst_pad_push_list (pad, list);
}

GstFlowReturn
gst_test_stream_push (GstTestStream *self, GstTestSink *sink)
{
  GstFlowReturn ret = GST_FLOW_OK;
  guint64 offset = 0;

  for (guint i = 0; ret == GST_FLOW_OK && i < self->steps->len; i++)
    {
      const Step *step = &g_array_index (self->steps, Step, i);

      if (step->offset != offset)
        gst_test_sink_segment (sink, GST_FORMAT_BYTES, step->offset);
      ret = push_step (self, step, sink->src);
      offset = step->offset + step->size;
    }
  return ret;
}

/* Running */

static void
take_error (GstTestOutcome *self, GstMessage *message)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *debug = NULL;
  const GstStructure *details = NULL;

  gst_message_parse_error (message, &error, &debug);
  gst_message_parse_error_details (message, &details);
  if (self->n_errors++ > 0)
    {
      g_test_message ("error no. %u: %s [%s]", self->n_errors, error->message, debug);
      return;
    }
  g_assert_true (error->domain == GST_RESOURCE_ERROR);
  self->code = (GstResourceError) error->code;
  self->debug = g_steal_pointer (&debug);
  g_assert_nonnull (details);
  g_assert_true (gst_structure_get_int (details, "errno", &self->errnum));
  g_assert_true (gst_structure_get_uint64 (details, "offset", &self->offset));
}

void
gst_test_stream_start (GstTestSink *sink)
{
  g_assert_cmpint (gst_element_set_state (sink->sink, GST_STATE_PLAYING), !=,
                   GST_STATE_CHANGE_FAILURE);
  g_assert_true (gst_pad_push_event (sink->src, gst_event_new_stream_start ("test")));
  gst_test_sink_segment (sink, GST_FORMAT_BYTES, 0);
}

GstTestOutcome *
gst_test_stream_stop (GstTestSink *sink)
{
  GstTestOutcome *self = g_new0 (GstTestOutcome, 1);
  GstMessage *message;
  char *data = NULL;
  gsize length;

  gst_test_sink_stop (sink);
  self->n_written = gst_test_sink_stat (sink, "bytes-written");
  while ((message = gst_bus_pop (sink->bus)) != NULL)
    {
      if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
        take_error (self, message);
      self->n_eos += GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS;
      gst_message_unref (message);
    }
  if (g_file_get_contents (sink->path, &data, &length, NULL))
    self->file = g_byte_array_new_take ((guint8 *) data, length);
  return self;
}

GstTestOutcome *
gst_test_stream_run (GstTestStream *self, GstTestSink *sink)
{
  GstFlowReturn ret;
  gboolean ended;
  GstTestOutcome *outcome;

  gst_test_stream_start (sink);
  ret = gst_test_stream_push (self, sink);
  ended = gst_pad_push_event (sink->src, gst_event_new_eos ());
  outcome = gst_test_stream_stop (sink);

  g_assert_true (ret == GST_FLOW_OK || ret == GST_FLOW_ERROR);
  g_assert_cmpuint (outcome->n_eos, ==, ended);
  if (ret == GST_FLOW_ERROR)
    g_assert_cmpuint (outcome->n_errors, >, 0);
  return outcome;
}

void
gst_test_outcome_free (GstTestOutcome *self)
{
  g_clear_pointer (&self->file, g_byte_array_unref);
  g_free (self->debug);
  g_free (self);
}

static void
assert_file (GByteArray *found, GByteArray *expected)
{
  g_assert_nonnull (found);
  for (gsize i = 0; i < MIN (found->len, expected->len); i++)
    if (found->data[i] != expected->data[i])
      g_error ("the file differs at %" G_GSIZE_FORMAT ": %02x, not %02x", i, found->data[i],
               expected->data[i]);
  g_assert_cmpuint (found->len, ==, expected->len);
}

void
gst_test_stream_assert_honest (GstTestStream *self, GstTestOutcome *outcome)
{
  g_autoptr (GByteArray) whole = gst_test_stream_get_file (self, self->data->len);

  g_assert_cmpuint (outcome->n_errors, <=, 1);
  g_assert_cmpuint (outcome->n_eos, <=, 1);
  if (outcome->n_eos == 1)
    assert_file (outcome->file, whole);
  else
    g_assert_cmpuint (outcome->n_errors, ==, 1);
}

void
gst_test_stream_assert_failed (GstTestStream *self,
                               GstTestOutcome *outcome,
                               GstResourceError code,
                               int errnum,
                               const char *path)
{
  g_autoptr (GByteArray) expected = NULL;

  gst_test_stream_assert_honest (self, outcome);
  g_assert_cmpuint (outcome->n_eos, ==, 0);
  g_assert_cmpint (outcome->errnum, ==, errnum);
  g_assert_cmpint (outcome->code, ==, code);
  if (strstr (outcome->debug, path) == NULL)
    g_error ("the path is not in \"%s\"", outcome->debug);

  g_assert_cmpuint (outcome->n_written, <, self->data->len);
  g_assert_cmpuint (outcome->offset, ==, gst_test_stream_get_offset (self, outcome->n_written));
  expected = gst_test_stream_get_file (self, outcome->n_written);
  assert_file (outcome->file, expected);
}
