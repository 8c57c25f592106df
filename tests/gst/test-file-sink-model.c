/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Random streams into gaiofilesink, the same bytes into filesink, and into a plain array: after
 * each wait for the disk, and at the end of each run, all three must be the same.
 *
 * A stream is pushes of 0 to 200 KiB, as buffers of any shape, as lists, and from a small pool;
 * seeks back over what is written and over what is not yet, and beyond the end, so that there are
 * holes; syncs, flushes, other events; windows of all sizes that grow and shrink; READY and back,
 * NULL and back, an end with EOS or without. In half of the runs another thread takes the sink to
 * PAUSED and PLAYING all the time.
 *
 * GAIO_TEST_SEED is the seed of an earlier run, for that run alone, though which push meets a full
 * window is not the seed's. GAIO_TEST_OPERATIONS is how long each run is. With `-m thorough` there
 * are more and longer ones. A failure prints the seed, and the last operations. */

#include <string.h>

#include "gst-shape.h"
#include "gst-test.h"

/* Positions stay below, but for the size of a push. */
#define MAX_LENGTH (2 * 1024 * 1024)
#define MAX_PUSH (200 * 1024)
#define POOL_SIZE (100 * 1000)

#if defined __SANITIZE_THREAD__ || defined __SANITIZE_ADDRESS__
#define N_RUNS 4
#define N_OPERATIONS 100
#else
#define N_RUNS 10
#define N_OPERATIONS 200
#endif

typedef struct
{
  guint32 seed;
  GRand *rand;
  GstTestSink *sink;
  GstTestSink *twin; /* filesink */
  GByteArray *image;
  guint64 position;
  GstBufferPool *pool;
  GString *log;
  guint n_done;
  gboolean is_longer; /* until it ends; direct I/O and preallocation together make the file so */

  /* the other thread */
  GThread *toggler;
  gint stop; /* atomic */
} Run;

static void say (Run *self, const char *format, ...) G_GNUC_PRINTF (2, 3);

static void
say (Run *self, const char *format, ...)
{
  va_list args;

  va_start (args, format);
  g_string_append_printf (self->log, "%u: ", self->n_done);
  g_string_append_vprintf (self->log, format, args);
  g_string_append_c (self->log, '\n');
  va_end (args);
}

static void fail (Run *self, const char *format, ...) G_GNUC_PRINTF (2, 3) G_GNUC_NORETURN;

static void
fail (Run *self, const char *format, ...)
{
  g_auto (GStrv) lines = g_strsplit (self->log->str, "\n", -1);
  guint n = g_strv_length (lines);
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  for (guint i = n > 40 ? n - 40 : 0; i < n; i++)
    g_printerr ("%s\n", lines[i]);
  g_error ("GAIO_TEST_SEED=%u, operation %u: %s", self->seed, self->n_done, text);
}

/* Below `n`, more often small than large. */
static guint
below (Run *self, guint n)
{
  guint max = n >> g_rand_int_range (self->rand, 0, 12);

  return g_rand_int_range (self->rand, 0, MAX (max, 1));
}

static gboolean
one_in (Run *self, guint n)
{
  return g_rand_int_range (self->rand, 0, n) == 0;
}

static void
check_file (Run *self, GstTestSink *sink)
{
  g_autofree char *data = NULL;
  gsize length;

  g_assert_true (g_file_get_contents (sink->path, &data, &length, NULL));
  if (length != self->image->len)
    fail (self, "the file of %s has %" G_GSIZE_FORMAT " bytes, not %u",
          GST_OBJECT_NAME (sink->sink), length, self->image->len);
  for (gsize i = 0; i < length; i++)
    if ((guint8) data[i] != self->image->data[i])
      fail (self, "the file of %s is wrong at %" G_GSIZE_FORMAT ": %02x, not %02x",
            GST_OBJECT_NAME (sink->sink), i, (guint8) data[i], self->image->data[i]);
}

static void
check_position (Run *self)
{
  gint64 position = gst_test_sink_position (self->sink);

  if (position != (gint64) self->position)
    fail (self, "position %" G_GINT64_FORMAT ", not %" G_GUINT64_FORMAT, position, self->position);
}

/* Pushing */

/* `size` bytes at the position, in the image and as a buffer of one memory. */
static GstBuffer *
make_bytes (Run *self, gsize size)
{
  guint8 *data = g_malloc (MAX (size, 1));
  guint32 x = g_rand_int (self->rand) | 1;

  for (gsize i = 0; i < size; i++)
    {
      x = x * 1664525 + 1013904223;
      data[i] = x >> 24;
    }
  if (size > 0 && self->position + size > self->image->len)
    {
      guint old = self->image->len;

      g_byte_array_set_size (self->image, self->position + size);
      if (self->position > old)
        memset (self->image->data + old, 0, self->position - old);
    }
  if (size > 0)
    memcpy (self->image->data + self->position, data, size);
  self->position += size;
  return gst_buffer_new_wrapped (data, size);
}

static GstBuffer *
from_pool (Run *self, GstBuffer *bytes)
{
  GstBuffer *buffer = NULL;
  GstMapInfo map;

  g_assert_cmpint (gst_buffer_pool_acquire_buffer (self->pool, &buffer, NULL), ==, GST_FLOW_OK);
  gst_buffer_map (bytes, &map, GST_MAP_READ);
  g_assert_cmpuint (gst_buffer_fill (buffer, 0, map.data, map.size), ==, map.size);
  gst_buffer_resize (buffer, 0, map.size);
  gst_buffer_unmap (bytes, &map);
  return buffer;
}

static void
check_flow (Run *self, GstFlowReturn ret)
{
  if (ret != GST_FLOW_OK)
    fail (self, "%s", gst_flow_get_name (ret));
}

static void
push (Run *self)
{
  GQueue parts = G_QUEUE_INIT;
  guint n = one_in (self, 3) ? 1 + below (self, 40) : 1;
  gboolean sync = one_in (self, 25);

  for (guint i = 0; i < n; i++)
    {
      gsize size = one_in (self, 20) ? 0 : below (self, n > 4 ? MAX_PUSH / 20 : MAX_PUSH + 1);
      GstBuffer *bytes = make_bytes (self, size);

      check_flow (self, gst_pad_push (self->twin->src, gst_buffer_ref (bytes)));
      if (size <= POOL_SIZE && n <= 2 && one_in (self, 3))
        {
          g_queue_push_tail (&parts, from_pool (self, bytes));
          gst_buffer_unref (bytes);
        }
      else
        gst_test_split (self->rand, gst_buffer_make_writable (bytes), &parts);
    }
  if (sync && parts.length > 0)
    {
      GList *link = g_queue_peek_nth_link (&parts, below (self, parts.length));

      link->data = gst_buffer_make_writable (link->data);
      GST_BUFFER_FLAG_SET (GST_BUFFER (link->data), GST_BUFFER_FLAG_SYNC_AFTER);
    }
  say (self, "pushes up to %" G_GUINT64_FORMAT " in %u parts%s", self->position, parts.length,
       sync ? ", synced" : "");
  while (parts.length > 0)
    {
      guint some = 1 + below (self, parts.length);

      switch (g_rand_int_range (self->rand, 0, 3))
        {
        case 0:
          check_flow (self, gst_pad_push (self->sink->src, g_queue_pop_head (&parts)));
          break;

        case 1:
          check_flow (self, gst_pad_push (self->sink->src, gst_test_join (&parts, some)));
          break;

        default:
          check_flow (self, gst_pad_push_list (self->sink->src, gst_test_list (&parts, some)));
          break;
        }
    }
}

/* What is in the file when a push that is to be synced returns. */
static void
push_and_check (Run *self)
{
  GstBuffer *bytes = make_bytes (self, below (self, MAX_PUSH));

  say (self, "pushes up to %" G_GUINT64_FORMAT " and waits", self->position);
  check_flow (self, gst_pad_push (self->twin->src, gst_buffer_copy (bytes)));
  GST_BUFFER_FLAG_SET (bytes, GST_BUFFER_FLAG_SYNC_AFTER);
  check_flow (self, gst_pad_push (self->sink->src, bytes));
  if (!self->is_longer)
    check_file (self, self->sink);
}

/* Events */

static void
seek (Run *self)
{
  guint64 length = self->image->len;
  guint64 to;

  switch (g_rand_int_range (self->rand, 0, 4))
    {
    case 0: /* what is likely not yet written */
      to = self->position - MIN (below (self, 2 * MAX_PUSH), self->position);
      break;

    case 1: /* with a hole */
      to = length + below (self, MAX_PUSH);
      break;

    case 2:
      to = length;
      break;

    default:
      to = below (self, length + 1);
      break;
    }
  self->position = MIN (to, MAX_LENGTH);
  say (self, "seeks to %" G_GUINT64_FORMAT, self->position);
  gst_test_sink_segment (self->sink, GST_FORMAT_BYTES, self->position);
  gst_test_sink_segment (self->twin, GST_FORMAT_BYTES, self->position);
}

static void
begin (Run *self)
{
  const guint64 start = self->position;

  for (guint i = 0; i < 2; i++)
    {
      GstTestSink *sink = i == 0 ? self->sink : self->twin;

      g_assert_cmpint (gst_element_set_state (sink->sink, GST_STATE_PLAYING), !=,
                       GST_STATE_CHANGE_FAILURE);
      g_assert_true (gst_pad_push_event (sink->src, gst_event_new_stream_start ("test")));
      gst_test_sink_segment (sink, GST_FORMAT_BYTES, start);
    }
}

static void
flush_sink (GstTestSink *sink)
{
  g_assert_true (gst_pad_push_event (sink->src, gst_event_new_flush_start ()));
  g_assert_true (gst_pad_push_event (sink->src, gst_event_new_flush_stop (TRUE)));
}

static void
flush (Run *self)
{
  say (self, "flushes");
  flush_sink (self->sink);
  /* filesink leaves what is in the file when it has gone back to 0 and not written since. */
  gst_test_sink_stop (self->twin);
  g_byte_array_set_size (self->image, 0);
  self->position = 0;
  check_position (self);
  begin (self);
}

static void
other_event (Run *self)
{
  GstEvent *event = one_in (self, 2) ? gst_event_new_gap (0, 1000)
                                     : gst_event_new_tag (gst_tag_list_new_empty ());

  g_assert_true (gst_pad_push_event (self->sink->src, event));
}

/* States */

static gpointer
toggle (gpointer data)
{
  Run *self = data;

  while (!g_atomic_int_get (&self->stop))
    {
      g_assert_cmpint (gst_element_set_state (self->sink->sink, GST_STATE_PAUSED), !=,
                       GST_STATE_CHANGE_FAILURE);
      g_usleep (g_random_int_range (0, 300));
      g_assert_cmpint (gst_element_set_state (self->sink->sink, GST_STATE_PLAYING), !=,
                       GST_STATE_CHANGE_FAILURE);
      g_usleep (g_random_int_range (0, 3000));
    }
  return NULL;
}

static void
start_toggling (Run *self)
{
  self->stop = FALSE;
  self->toggler = g_thread_new ("toggler", toggle, self);
}

static void
stop_toggling (Run *self)
{
  g_atomic_int_set (&self->stop, TRUE);
  g_clear_pointer (&self->toggler, g_thread_join);
}

/* Both go down and up again; with NULL the file begins anew. */
static void
restart (Run *self, GstState state)
{
  gboolean toggling = self->toggler != NULL;

  say (self, "to %s and back", gst_element_state_get_name (state));
  if (toggling)
    stop_toggling (self);
  for (guint i = 0; i < 2; i++)
    {
      GstTestSink *sink = i == 0 ? self->sink : self->twin;

      if (one_in (self, 3))
        gst_element_set_state (sink->sink, GST_STATE_PAUSED);
      g_assert_cmpint (gst_element_set_state (sink->sink, state), ==, GST_STATE_CHANGE_SUCCESS);
      if (state == GST_STATE_NULL)
        check_file (self, sink);
    }
  check_position (self);
  if (state == GST_STATE_NULL)
    {
      g_byte_array_set_size (self->image, 0);
      self->position = 0;
    }
  else
    self->position = below (self, self->image->len + 1);
  begin (self);
  if (toggling)
    start_toggling (self);
}

static void
set_max_bytes (Run *self)
{
  static const guint64 sizes[] = { 1, 1000, 65536, 100 * 1000, 500 * 1000, 64 * 1024 * 1024 };
  guint64 size = sizes[g_rand_int_range (self->rand, 0, G_N_ELEMENTS (sizes))];

  say (self, "max-bytes %" G_GUINT64_FORMAT, size);
  g_object_set (self->sink->sink, "max-bytes", size, NULL);
}

/* What must not change what is in the file. */
static void
choose_settings (Run *self)
{
  static const char *const settings[][5] = {
    { "max-in-flight", "0", "1", "4", "16" },
    { "chunk-size", "1048576", "65536", "5000", "4096" },
    { "buffer-size", "65536", "1", "1000", "300000" },
    { "buffer-mode", "default", "full", "line", "unbuffered" },
    { "hold", "auto", "ref", "copy", "auto" },
    { "preallocate", "0", "0", "100000", "5000000" },
    { "direct", "no", "no", "no", "auto" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (settings); i++)
    {
      const char *value = settings[i][g_rand_int_range (self->rand, 1, 5)];

      say (self, "%s=%s", settings[i][0], value);
      gst_util_set_object_arg (G_OBJECT (self->sink->sink), settings[i][0], value);
      if (g_str_equal (settings[i][0], "direct"))
        self->is_longer = g_str_equal (value, "auto");
    }
}

static void
step (Run *self)
{
  guint choice = g_rand_int_range (self->rand, 0, 1000);

  if (choice < 600)
    push (self);
  else if (choice < 850)
    seek (self);
  else if (choice < 880)
    other_event (self);
  else if (choice < 930)
    push_and_check (self);
  else if (choice < 960)
    set_max_bytes (self);
  else if (choice < 975)
    flush (self);
  else if (choice < 990)
    restart (self, GST_STATE_READY);
  else
    restart (self, GST_STATE_NULL);
  /* So that the next one begins there again. */
  if (self->position > MAX_LENGTH)
    seek (self);
  check_position (self);
}

static void
run (guint32 seed, guint n_operations)
{
  Run self = { .seed = seed };
  GstStructure *config;

  g_test_message ("GAIO_TEST_SEED=%u", seed);
  self.rand = g_rand_new_with_seed (seed);
  self.sink = gst_test_sink_new (NULL);
  self.twin = gst_test_sink_new_of ("filesink", NULL);
  self.image = g_byte_array_new ();
  self.log = g_string_new (NULL);
  if (g_object_class_find_property (G_OBJECT_GET_CLASS (self.sink->sink), "sync-after") != NULL)
    gst_util_set_object_arg (G_OBJECT (self.sink->sink), "sync-after", "wait");
  self.pool = gst_buffer_pool_new ();
  config = gst_buffer_pool_get_config (self.pool);
  gst_buffer_pool_config_set_params (config, NULL, POOL_SIZE, 2, 3);
  g_assert_true (gst_buffer_pool_set_config (self.pool, config));
  g_assert_true (gst_buffer_pool_set_active (self.pool, TRUE));

  choose_settings (&self);
  set_max_bytes (&self);
  begin (&self);
  if (one_in (&self, 2))
    start_toggling (&self);
  for (; self.n_done < n_operations; self.n_done++)
    step (&self);
  if (self.toggler != NULL)
    stop_toggling (&self);
  if (one_in (&self, 2))
    {
      g_assert_true (gst_pad_push_event (self.sink->src, gst_event_new_eos ()));
      check_file (&self, self.sink);
    }
  gst_test_sink_stop (self.sink);
  gst_test_sink_stop (self.twin);
  check_file (&self, self.sink);
  check_file (&self, self.twin);
  gst_test_sink_assert_no_error (self.sink);

  /* All of its buffers came back. */
  g_assert_true (gst_buffer_pool_set_active (self.pool, FALSE));
  g_assert_cmpint (GST_OBJECT_REFCOUNT_VALUE (self.pool), ==, 1);
  gst_object_unref (self.pool);
  gst_test_sink_free (self.sink);
  gst_test_sink_free (self.twin);
  g_byte_array_unref (self.image);
  g_string_free (self.log, TRUE);
  g_rand_free (self.rand);
}

static guint
number_from_environment (const char *name, guint otherwise)
{
  const char *text = g_getenv (name);

  return text != NULL ? (guint) g_ascii_strtoull (text, NULL, 10) : otherwise;
}

static void
test_model (void)
{
  guint n_operations =
      number_from_environment ("GAIO_TEST_OPERATIONS", g_test_thorough () ? 1000 : N_OPERATIONS);
  guint n_runs = g_test_thorough () ? 200 : N_RUNS;

  if (g_getenv ("GAIO_TEST_SEED") != NULL)
    {
      run (number_from_environment ("GAIO_TEST_SEED", 0), n_operations);
      return;
    }
  for (guint i = 0; i < n_runs; i++)
    run (g_random_int (), n_operations);
}

int
main (int argc, char **argv)
{
  gst_test_init (&argc, &argv);
  gaio_test_add ("/file-sink/model", test_model);
  return g_test_run ();
}
