/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* gaiofilesink's properties, one by one: their names, defaults and flags, and what each does to
 * the way the file is written. How it is opened is in test-file-sink-open.c, and what happens when
 * the disk cannot keep up in test-file-sink-policies.c. */

#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include "gst-stall.h"

/* Names, defaults, flags */

static void
assert_default (GObject *sink, const char *name, const char *expected, GParamFlags mutability)
{
  GParamSpec *pspec = g_object_class_find_property (G_OBJECT_GET_CLASS (sink), name);
  g_auto (GValue) value = G_VALUE_INIT;
  g_autofree char *text = NULL;

  g_test_message ("%s", name);
  g_assert_nonnull (pspec);
  g_value_init (&value, pspec->value_type);
  g_object_get_property (sink, name, &value);
  /* What is said to be the default is the value. */
  g_assert_true (g_param_value_defaults (pspec, &value));
  text = gst_value_serialize (&value);
  g_assert_cmpstr (text, ==, expected);
  g_assert_cmpuint (pspec->flags & (GST_PARAM_MUTABLE_READY | GST_PARAM_MUTABLE_PAUSED |
                                    GST_PARAM_MUTABLE_PLAYING),
                    ==,
                    mutability);
  g_assert_cmpuint (pspec->flags & G_PARAM_STATIC_STRINGS, ==, G_PARAM_STATIC_STRINGS);
  g_assert_cmpint ((pspec->flags & G_PARAM_WRITABLE) != 0, ==, mutability != 0);
}

static void
test_defaults (void)
{
  g_autoptr (GstElement) sink = gst_element_factory_make ("gaiofilesink", NULL);
  GObject *object = G_OBJECT (gst_object_ref_sink (sink));
  const GParamFlags ready = GST_PARAM_MUTABLE_READY;
  gboolean sync, async, last_sample;

  assert_default (object, "append", "false", ready);
  assert_default (object, "file-mode", "truncate", ready);
  assert_default (object, "o-sync", "false", ready);
  assert_default (object, "max-transient-error-timeout", "0", ready);
  assert_default (object, "buffer-mode", "default", ready);
  assert_default (object, "buffer-size", "65536", ready);
  assert_default (object, "max-bytes", "67108864", GST_PARAM_MUTABLE_PLAYING);
  assert_default (object, "max-time", "0", GST_PARAM_MUTABLE_PLAYING);
  assert_default (object, "overflow", "block", ready);
  assert_default (object, "hold", "auto", ready);
  assert_default (object, "chunk-size", "1048576", ready);
  assert_default (object, "flush-interval", "500", ready);
  assert_default (object, "max-in-flight", "0", ready);
  assert_default (object, "direct", "no", ready);
  assert_default (object, "preallocate", "0", ready);
  assert_default (object, "sync-after", "barrier", ready);
  assert_default (object, "sync-mode", "none", ready);
  assert_default (object, "sync-interval", "1000", ready);
  assert_default (object, "drop-cache", "false", ready);
  assert_default (object, "drain-timeout", "18446744073709551615", ready);
  assert_default (object, "stall-warning", "1000000000", ready);
  assert_default (object, "context", "\"\"", ready);
  assert_default (object, "backend", "auto", ready);
  assert_default (object, "level-bytes", "0", 0);

  g_object_get (sink, "sync", &sync, "async", &async, "enable-last-sample", &last_sample, NULL);
  g_assert_false (sync);
  g_assert_true (async);
  g_assert_false (last_sample);
}

/* Each keeps what it is given, and the others theirs. */
static void
test_set_and_get (void)
{
  g_autoptr (GstElement) sink = gst_element_factory_make ("gaiofilesink", NULL);
  GObject *object = G_OBJECT (gst_object_ref_sink (sink));
  static const char *const pairs[][2] = {
    { "append", "true" },        { "file-mode", "overwrite" },
    { "o-sync", "true" },        { "max-transient-error-timeout", "11" },
    { "buffer-mode", "full" },   { "buffer-size", "12" },
    { "max-bytes", "13" },       { "max-time", "14" },
    { "overflow", "drop" },      { "hold", "ref" },
    { "chunk-size", "5000" },    { "flush-interval", "15" },
    { "max-in-flight", "16" },   { "direct", "auto" },
    { "preallocate", "17" },     { "sync-after", "ignore" },
    { "sync-mode", "periodic" }, { "sync-interval", "18" },
    { "drop-cache", "true" },    { "drain-timeout", "19" },
    { "stall-warning", "20" },   { "context", "studio" },
    { "backend", "threads" },
  };

  for (guint i = 0; i < G_N_ELEMENTS (pairs); i++)
    gst_util_set_object_arg (object, pairs[i][0], pairs[i][1]);
  for (guint i = 0; i < G_N_ELEMENTS (pairs); i++)
    {
      GParamSpec *pspec = g_object_class_find_property (G_OBJECT_GET_CLASS (sink), pairs[i][0]);
      g_auto (GValue) value = G_VALUE_INIT;
      g_autofree char *text = NULL;

      g_value_init (&value, pspec->value_type);
      g_object_get_property (object, pairs[i][0], &value);
      text = gst_value_serialize (&value);
      g_assert_cmpstr (text, ==, pairs[i][1]);
    }

  /* As filesink has them. */
  g_object_set (sink, "file-mode", 2, "buffer-mode", -1, NULL);
  g_object_set (sink, "file-mode", 1, "buffer-mode", 2, NULL);
}

static void
test_buffer_size_zero (void)
{
  GstTestSink *t = gst_test_sink_new (NULL);
  guint buffer_size;

  g_object_set (t->sink, "buffer-size", 0, NULL);
  g_assert_cmpint (gst_element_set_state (t->sink, GST_STATE_READY), ==, GST_STATE_CHANGE_SUCCESS);
  g_object_get (t->sink, "buffer-size", &buffer_size, NULL);
  g_assert_cmpuint (buffer_size, ==, 65536);
  gst_test_sink_free (t);
}

static void
test_stats_are_complete (void)
{
  GstTestSink *t = gst_test_sink_new (NULL);
  static const char *const names[] = {
    "bytes-accepted",    "bytes-written",     "bytes-lost",        "bytes-dropped",
    "buffers-dropped",   "level-bytes",       "level-peak",        "memory-bytes",
    "memory-peak",       "held-refs",         "copies",            "copied-bytes",
    "writes",            "write-bytes-min",   "write-bytes-avg",   "write-bytes-max",
    "write-latency-p50", "write-latency-p99", "write-latency-max", "short-writes",
    "retries",           "syncs",             "sync-time",         "render-latency-max",
    "blocked-count",     "blocked-time",      "stalls",            "longest-stall",
  };
  g_autoptr (GstStructure) stats = NULL;
  g_autoptr (GstStructure) last = NULL;
  g_autoptr (GstMessage) message = NULL;

  /* No other message, however slow the disk. */
  gst_test_sink_set (t, "stall-warning", "0");
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  g_assert_cmpint (gst_test_sink_push (t, 1000), ==, GST_FLOW_OK);
  gst_test_sink_push_eos (t);
  g_object_get (t->sink, "io-stats", &stats, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    g_assert_true (gst_structure_has_field_typed (stats, names[i], G_TYPE_UINT64));
  g_assert_true (gst_structure_has_field_typed (stats, "in-flight", G_TYPE_UINT));
  g_assert_true (gst_structure_has_field_typed (stats, "direct", G_TYPE_BOOLEAN));
  g_assert_nonnull (gst_structure_get_string (stats, "engine"));
  g_assert_true (gst_structure_has_field (stats, "engine-reason"));
  g_assert_true (gst_structure_has_field (stats, "direct-reason"));
  g_assert_cmpuint (gst_test_sink_stat (t, "bytes-accepted"), ==, 1000);
  g_assert_cmpuint (gst_test_sink_stat (t, "bytes-written"), ==, 1000);
  g_assert_cmpuint (gst_test_sink_stat (t, "writes"), ==, 1);
  g_assert_cmpuint (gst_test_sink_stat (t, "write-bytes-min"), ==, 1000);
  g_assert_cmpuint (gst_test_sink_stat (t, "write-bytes-avg"), ==, 1000);
  g_assert_cmpuint (gst_test_sink_stat (t, "write-bytes-max"), ==, 1000);
  g_assert_cmpuint (gst_test_sink_stat (t, "write-latency-max"), >, 0);
  g_assert_cmpuint (gst_test_sink_stat (t, "render-latency-max"), >, 0);

  /* What the message has, and what there is afterwards, is the same. */
  message = gst_test_wait_message (t->bus, GST_MESSAGE_ELEMENT);
  g_assert_true (gst_message_has_name (message, "gaiofilesink-stats"));
  g_assert_true (gst_structure_is_equal (gst_message_get_structure (message), stats));
  g_clear_pointer (&message, gst_message_unref);
  gst_test_sink_stop (t);
  g_object_get (t->sink, "io-stats", &last, NULL);
  g_assert_cmpint (gst_structure_n_fields (last), ==, gst_structure_n_fields (stats));
  g_assert_cmpuint (gst_test_sink_stat (t, "bytes-written"), ==, 1000);
  /* And it was posted once. */
  message = gst_bus_pop_filtered (t->bus, GST_MESSAGE_ELEMENT);
  g_assert_null (message);
  gst_test_sink_free (t);
}

static void
count_notify (GObject *object, GParamSpec *pspec, gpointer count)
{
  ++*(guint *) count;
}

static void
test_level (void)
{
  Fifo *fifo = fifo_new ();
  guint64 level = 0;
  guint n_notify = 0;

  g_signal_connect (fifo->sink->sink, "notify", G_CALLBACK (count_notify), &n_notify);
  gst_test_sink_play (fifo->sink, GST_FORMAT_BYTES);
  for (guint i = 0; i < 4; i++)
    g_assert_cmpint (gst_test_sink_push (fifo->sink, 256 * 1024), ==, GST_FLOW_OK);
  g_object_get (fifo->sink->sink, "level-bytes", &level, NULL);
  g_assert_cmpuint (level, >, 0);
  g_assert_cmpuint (level, <=, 1024 * 1024);
  g_assert_cmpuint (n_notify, ==, 0);
  fifo_thaw (fifo);
  gst_test_sink_push_eos (fifo->sink);
  g_object_get (fifo->sink->sink, "level-bytes", &level, NULL);
  g_assert_cmpuint (level, ==, 0);
  fifo_finish (fifo, 1024 * 1024);
}

/* How it is written */

static GstBufferPool *
make_pool (gsize size, guint max)
{
  GstBufferPool *pool = gst_buffer_pool_new ();
  GstStructure *config = gst_buffer_pool_get_config (pool);

  gst_buffer_pool_config_set_params (config, NULL, size, 0, max);
  g_assert_true (gst_buffer_pool_set_config (pool, config));
  g_assert_true (gst_buffer_pool_set_active (pool, TRUE));
  return pool;
}

static void
hold_with (const char *hold, guint64 expected_copies)
{
  Fifo *fifo = fifo_new ();
  g_autoptr (GstBufferPool) pool = make_pool (100000, 8);

  gst_test_sink_set (fifo->sink, "hold", hold);
  gst_test_sink_play (fifo->sink, GST_FORMAT_BYTES);
  for (guint i = 0; i < 8; i++)
    {
      GstBuffer *buffer;
      GstMapInfo map;

      g_assert_cmpint (gst_buffer_pool_acquire_buffer (pool, &buffer, NULL), ==, GST_FLOW_OK);
      g_assert_true (gst_buffer_map (buffer, &map, GST_MAP_WRITE));
      for (gsize j = 0; j < map.size; j++)
        map.data[j] = (guint8) (i * 100000 + j);
      gst_buffer_unmap (buffer, &map);
      g_assert_cmpint (gst_pad_push (fifo->sink->src, buffer), ==, GST_FLOW_OK);
    }
  g_assert_cmpuint (gst_test_sink_stat (fifo->sink, "copies"), ==, expected_copies);
  if (expected_copies == 0)
    g_assert_cmpuint (gst_test_sink_stat (fifo->sink, "held-refs"), >, 0);
  else
    g_assert_cmpuint (gst_test_sink_stat (fifo->sink, "held-refs"), ==, 0);
  fifo_thaw (fifo);
  gst_test_sink_push_eos (fifo->sink);
  g_assert_cmpuint (gst_test_sink_stat (fifo->sink, "held-refs"), ==, 0);
  g_assert_cmpuint (gst_test_sink_stat (fifo->sink, "copied-bytes"), ==, expected_copies * 100000);
  fifo_finish (fifo, 800000);
  g_assert_true (gst_buffer_pool_set_active (pool, FALSE));
}

static void
test_hold (void)
{
  hold_with ("ref", 0);
  hold_with ("auto", 8);
  hold_with ("copy", 8);
}

static void
test_chunk_size (void)
{
  GstTestSink *t = gst_test_sink_new (NULL);

  gst_test_sink_set (t, "chunk-size", "8192");
  gst_test_sink_set (t, "buffer-size", "100000");
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  for (guint i = 0; i < 1000; i++)
    g_assert_cmpint (gst_test_sink_push (t, 500), ==, GST_FLOW_OK);
  gst_test_sink_push_eos (t);
  g_assert_cmpuint (gst_test_sink_stat (t, "write-bytes-max"), <=, 8192);
  g_assert_cmpuint (gst_test_sink_stat (t, "write-bytes-max"), >=, 4096);
  gst_test_sink_assert_counting (t, 500000);
  gst_test_sink_free (t);
}

static void
wait_for_stat (GstTestSink *t, const char *name, guint64 at_least)
{
  while (gst_test_sink_stat (t, name) < at_least)
    g_usleep (1000);
}

/* Nothing but this makes the writer begin: with the default it would wait for ever. */
static void
test_unbuffered (void)
{
  GstTestSink *t = gst_test_sink_new (NULL);
  GstBufferList *list = gst_buffer_list_new ();

  gst_test_sink_set (t, "flush-interval", "4294967295");
  gst_test_sink_set (t, "buffer-mode", "unbuffered");
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  g_assert_cmpint (gst_test_sink_push (t, 10), ==, GST_FLOW_OK);
  wait_for_stat (t, "bytes-written", 10);
  g_assert_cmpint (gst_test_sink_push (t, 10), ==, GST_FLOW_OK);
  wait_for_stat (t, "bytes-written", 20);
  for (guint i = 0; i < 5; i++)
    gst_buffer_list_add (list, gst_test_sink_buffer (t, 4, 1));
  g_assert_cmpint (gst_pad_push_list (t->src, list), ==, GST_FLOW_OK);
  wait_for_stat (t, "bytes-written", 40);
  gst_test_sink_assert_counting (t, 40);
  gst_test_sink_free (t);
}

static void
test_flush_interval (void)
{
  GstTestSink *t = gst_test_sink_new (NULL);

  gst_test_sink_set (t, "flush-interval", "1");
  gst_test_sink_set (t, "buffer-size", "4294967295");
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  g_assert_cmpint (gst_test_sink_push (t, 10), ==, GST_FLOW_OK);
  wait_for_stat (t, "bytes-written", 10);
  gst_test_sink_assert_counting (t, 10);
  gst_test_sink_free (t);
}

/* What has no positions has its order from there being one only. */
static void
test_max_in_flight_pipe (void)
{
  Fifo *fifo = fifo_new ();
  g_autoptr (GstStructure) stats = NULL;
  guint in_flight = 0;

  gst_test_sink_set (fifo->sink, "max-in-flight", "8");
  gst_test_sink_set (fifo->sink, "stall-warning", "1000000");
  gst_test_sink_play (fifo->sink, GST_FORMAT_BYTES);
  for (guint i = 0; i < 8; i++)
    g_assert_cmpint (gst_test_sink_push (fifo->sink, 1024 * 1024), ==, GST_FLOW_OK);
  while (gst_test_sink_stat (fifo->sink, "stalls") == 0)
    g_usleep (1000);
  g_object_get (fifo->sink->sink, "io-stats", &stats, NULL);
  g_assert_true (gst_structure_get_uint (stats, "in-flight", &in_flight));
  g_assert_cmpuint (in_flight, ==, 1);
  fifo_thaw (fifo);
  fifo_finish (fifo, 8 * 1024 * 1024);
}

static void
test_max_in_flight (void)
{
  GstTestSink *t = gst_test_sink_new (NULL);
  const gsize size = 300 * 1000, n = 20;
  g_autofree guint8 *image = g_malloc (n * size);

  gst_test_sink_set (t, "max-in-flight", "8");
  gst_test_sink_set (t, "chunk-size", "65536");
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  for (guint pass = 0; pass < 3; pass++)
    {
      gst_test_sink_segment (t, GST_FORMAT_BYTES, 0);
      for (guint i = 0; i < n; i++)
        {
          GstBuffer *buffer = gst_test_sink_buffer (t, size, 1);

          gst_buffer_extract (buffer, 0, image + i * size, size);
          g_assert_cmpint (gst_pad_push (t->src, buffer), ==, GST_FLOW_OK);
        }
    }
  gst_test_sink_push_eos (t);
  gst_test_assert_file (t->path, image, n * size);
  gst_test_sink_free (t);
}

/* Durability and the disk */

static void
sync_after_with (const char *policy, guint64 expected)
{
  GstTestSink *t = gst_test_sink_new (NULL);

  gst_test_sink_set (t, "sync-after", policy);
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  for (guint i = 0; i < 3; i++)
    {
      GstBuffer *buffer = gst_test_sink_buffer (t, 1000, 1);

      GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_SYNC_AFTER);
      g_assert_cmpint (gst_pad_push (t->src, buffer), ==, GST_FLOW_OK);
      if (g_str_equal (policy, "wait"))
        g_assert_cmpuint (gst_test_sink_stat (t, "syncs"), ==, i + 1);
    }
  gst_test_sink_push_eos (t);
  g_assert_cmpuint (gst_test_sink_stat (t, "syncs"), ==, expected);
  gst_test_sink_assert_counting (t, 3000);
  gst_test_sink_free (t);
}

/* With a barrier the push returns while nothing can move; what cannot be synced is not, and not
 * waited for but with `wait`. */
static void
test_sync_after_stalled (void)
{
  Fifo *fifo = fifo_new ();

  gst_test_sink_play (fifo->sink, GST_FORMAT_BYTES);
  for (guint i = 0; i < 5; i++)
    {
      GstBuffer *buffer = gst_test_sink_buffer (fifo->sink, 256 * 1024, 1);

      GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_SYNC_AFTER);
      g_assert_cmpint (gst_pad_push (fifo->sink->src, buffer), ==, GST_FLOW_OK);
    }
  fifo_thaw (fifo);
  fifo_finish (fifo, 5 * 256 * 1024);
}

static void
test_sync_after (void)
{
  sync_after_with ("wait", 3);
  sync_after_with ("barrier", 3);
  sync_after_with ("ignore", 0);
}

static void
sync_mode_with (const char *mode, guint64 at_least, guint64 at_most)
{
  GstTestSink *t = gst_test_sink_new (NULL);

  gst_test_sink_set (t, "sync-mode", mode);
  gst_test_sink_set (t, "sync-interval", "4294967295");
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  g_assert_cmpint (gst_test_sink_push (t, 1000), ==, GST_FLOW_OK);
  gst_test_sink_push_eos (t);
  g_assert_cmpuint (gst_test_sink_stat (t, "syncs"), >=, at_least);
  g_assert_cmpuint (gst_test_sink_stat (t, "syncs"), <=, at_most);
  gst_test_sink_free (t);
}

static void
test_sync_mode (void)
{
  GstTestSink *t = gst_test_sink_new (NULL);

  sync_mode_with ("none", 0, 0);
  sync_mode_with ("eos", 1, 1);
  sync_mode_with ("periodic", 1, 1);

  /* A file that is empty has a name to lose. */
  gst_test_sink_set (t, "sync-mode", "eos");
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  g_assert_true (gst_pad_push_event (t->src, gst_event_new_eos ()));
  g_assert_cmpuint (gst_test_sink_stat (t, "syncs"), ==, 1);
  gst_test_sink_stop (t);

  /* Without an end. */
  gst_test_sink_set (t, "sync-mode", "periodic");
  gst_test_sink_set (t, "sync-interval", "1");
  gst_test_sink_set (t, "flush-interval", "1");
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  g_assert_cmpint (gst_test_sink_push (t, 1000), ==, GST_FLOW_OK);
  wait_for_stat (t, "syncs", 1);
  g_assert_cmpint (gst_test_sink_push (t, 1000), ==, GST_FLOW_OK);
  wait_for_stat (t, "syncs", 2);
  gst_test_sink_free (t);
}

static gboolean
can_allocate (const char *dir)
{
  g_autofree char *path = g_build_filename (dir, "allocated", NULL);
  int fd = open (path, O_RDWR | O_CREAT, 0600);
  gboolean can = fallocate (fd, FALLOC_FL_KEEP_SIZE, 0, 1024 * 1024) == 0;

  close (fd);
  g_remove (path);
  return can;
}

static void
preallocate_with (const char *direct)
{
  GstTestSink *t = gst_test_sink_new (NULL);
  const gint64 step = 8 * 1024 * 1024;
  struct stat st;

  if (!can_allocate (t->dir))
    {
      g_test_skip ("the file system of /var/tmp does not allocate");
      gst_test_sink_free (t);
      return;
    }
  g_object_set (t->sink, "preallocate", (guint64) step, NULL);
  gst_test_sink_set (t, "direct", direct);
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  g_assert_cmpint (gst_test_sink_push (t, 300001), ==, GST_FLOW_OK);
  do
    {
      g_usleep (1000);
      g_assert_cmpint (stat (t->path, &st), ==, 0);
    }
  while (st.st_blocks * 512 < step);
  gst_test_sink_push_eos (t);
  g_assert_cmpint (stat (t->path, &st), ==, 0);
  g_assert_cmpint (st.st_size, ==, 300001);
  g_assert_cmpint (st.st_blocks * 512, <, step / 2);

  /* And once more after it. */
  gst_test_sink_stop (t);
  g_assert_cmpint (stat (t->path, &st), ==, 0);
  g_assert_cmpint (st.st_size, ==, 300001);
  gst_test_sink_assert_counting (t, 300001);
  gst_test_sink_free (t);
}

static void
test_preallocate (void)
{
  preallocate_with ("no");
  preallocate_with ("auto");
}

/* How much of a file is in the page cache. */
static gsize
count_cached (const char *path, gsize size)
{
  const gsize page = (gsize) sysconf (_SC_PAGESIZE);
  gsize n_pages = (size + page - 1) / page;
  g_autofree guint8 *resident = g_malloc0 (n_pages);
  int fd = open (path, O_RDWR | O_CLOEXEC);
  void *map = mmap (NULL, size, PROT_READ, MAP_SHARED, fd, 0);
  gsize n = 0;

  g_assert_true (map != MAP_FAILED);
  g_assert_cmpint (mincore (map, size, resident), ==, 0);
  for (gsize i = 0; i < n_pages; i++)
    n += resident[i] & 1;
  munmap (map, size);
  close (fd);
  return n;
}

static void
test_drop_cache (void)
{
  const gsize size = 100 * 200000;
  struct statfs fs;

  for (guint on = 0; on < 2; on++)
    {
      GstTestSink *t = gst_test_sink_new (NULL);

      g_assert_cmpint (statfs (t->dir, &fs), ==, 0);
      g_object_set (t->sink, "drop-cache", (gboolean) on, NULL);
      gst_test_sink_play (t, GST_FORMAT_BYTES);
      for (guint i = 0; i < 100; i++)
        g_assert_cmpint (gst_test_sink_push (t, 200000), ==, GST_FLOW_OK);
      gst_test_sink_push_eos (t);
      /* Those of ext4 and XFS. */
      if (fs.f_type == 0xef53 || fs.f_type == 0x58465342)
        {
          if (on)
            g_assert_cmpuint (count_cached (t->path, size), <, size / 4096 / 10);
          else
            g_assert_cmpuint (count_cached (t->path, size), >, size / 4096 / 2);
        }
      gst_test_sink_assert_counting (t, size);
      gst_test_sink_free (t);
    }
}

/* The I/O thread */

static guint
count_threads (const char *name)
{
  g_autoptr (GDir) tasks = g_dir_open ("/proc/self/task", 0, NULL);
  const char *task;
  guint n = 0;

  while ((task = g_dir_read_name (tasks)) != NULL)
    {
      g_autofree char *path = g_build_filename ("/proc/self/task", task, "comm", NULL);
      g_autofree char *comm = NULL;

      if (g_file_get_contents (path, &comm, NULL, NULL))
        n += g_str_equal (g_strchomp (comm), name);
    }
  return n;
}

/* A thread that was joined is there for a moment still. */
static void
wait_for_no_thread (const char *name)
{
  while (count_threads (name) > 0)
    g_usleep (1000);
}

static void
test_context (void)
{
  GstTestSink *t[3];

  for (guint i = 0; i < 3; i++)
    {
      t[i] = gst_test_sink_new (NULL);
      gst_test_sink_set (t[i], "context", i < 2 ? "one" : "other");
      g_assert_cmpint (gst_element_set_state (t[i]->sink, GST_STATE_READY),
                       ==,
                       GST_STATE_CHANGE_SUCCESS);
    }
  g_assert_cmpuint (count_threads ("gaio-one"), ==, 1);
  g_assert_cmpuint (count_threads ("gaio-other"), ==, 1);
  gst_test_sink_free (t[0]);
  g_assert_cmpuint (count_threads ("gaio-one"), ==, 1);
  gst_test_sink_free (t[1]);
  wait_for_no_thread ("gaio-one");
  gst_test_sink_free (t[2]);
  wait_for_no_thread ("gaio-other");
}

static void
record (const char *backend, char **engine, char **reason)
{
  GstTestSink *t = gst_test_sink_new (NULL);
  g_autoptr (GstStructure) stats = NULL;

  gst_test_sink_set (t, "backend", backend);
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  g_assert_cmpint (gst_test_sink_push (t, 1000), ==, GST_FLOW_OK);
  gst_test_sink_push_eos (t);
  g_object_get (t->sink, "io-stats", &stats, NULL);
  *engine = g_strdup (gst_structure_get_string (stats, "engine"));
  *reason = g_strdup (gst_structure_get_string (stats, "engine-reason"));
  gst_test_sink_stop (t);
  gst_test_sink_assert_no_error (t);
  gst_test_sink_assert_counting (t, 1000);
  gst_test_sink_free (t);
}

static void
test_backend (void)
{
  static const char *const names[] = { "auto", "uring", "threads" };
  char *engines[3], *reasons[3];

  for (guint i = 0; i < 3; i++)
    record (names[i], &engines[i], &reasons[i]);
  g_assert_cmpstr (engines[2], ==, "threads");
  g_assert_cmpstr (reasons[2], ==, "threads were asked for");
  /* What the system has. */
  g_assert_cmpstr (engines[1], ==, engines[0]);
  g_assert_cmpstr (reasons[1], ==, reasons[0]);
  g_assert_cmpstr (reasons[1], !=, reasons[2]);
  for (guint i = 0; i < 3; i++)
    {
      g_free (engines[i]);
      g_free (reasons[i]);
    }
}

int
main (int argc, char **argv)
{
  gst_test_init (&argc, &argv);
  gaio_test_add ("/file-sink/properties/defaults", test_defaults);
  gaio_test_add ("/file-sink/properties/set-and-get", test_set_and_get);
  gaio_test_add ("/file-sink/properties/buffer-size-zero", test_buffer_size_zero);
  gaio_test_add ("/file-sink/properties/io-stats", test_stats_are_complete);
  gaio_test_add ("/file-sink/properties/level-bytes", test_level);
  gaio_test_add ("/file-sink/properties/hold", test_hold);
  gaio_test_add ("/file-sink/properties/chunk-size", test_chunk_size);
  gaio_test_add ("/file-sink/properties/unbuffered", test_unbuffered);
  gaio_test_add ("/file-sink/properties/flush-interval", test_flush_interval);
  gaio_test_add ("/file-sink/properties/max-in-flight", test_max_in_flight);
  gaio_test_add ("/file-sink/properties/max-in-flight/pipe", test_max_in_flight_pipe);
  gaio_test_add ("/file-sink/properties/sync-after", test_sync_after);
  gaio_test_add ("/file-sink/properties/sync-after/stalled", test_sync_after_stalled);
  gaio_test_add ("/file-sink/properties/sync-mode", test_sync_mode);
  gaio_test_add ("/file-sink/properties/preallocate", test_preallocate);
  gaio_test_add ("/file-sink/properties/drop-cache", test_drop_cache);
  gaio_test_add ("/file-sink/properties/context", test_context);
  gaio_test_add ("/file-sink/properties/backend", test_backend);
  return g_test_run ();
}
