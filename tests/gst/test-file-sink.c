/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* gaiofilesink as a filesink: the cases that GStreamer's own check of filesink has (location and
 * its errors, URIs, seeking, flush, buffers of several memories), in its semantics and to the
 * byte, and what that check leaves out: queries, holes, other segments, appending, odd files. */

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gst-test.h"

/* Location and URI */

static void
test_location (void)
{
  GstTestSink *t = gst_test_sink_new ("/i/do/not/exist");
  g_autofree char *location = NULL;
  int errnum;

  g_object_get (t->sink, "location", &location, NULL);
  g_assert_cmpstr (location, ==, "/i/do/not/exist");

  /* At once, and not by a message some time later. */
  g_assert_cmpint (gst_element_set_state (t->sink, GST_STATE_PLAYING),
                   ==,
                   GST_STATE_CHANGE_FAILURE);
  errnum = gst_test_sink_assert_error (t, GST_RESOURCE_ERROR_OPEN_WRITE, "system error");
  g_assert_cmpint (errnum, ==, ENOENT);
  gst_test_sink_stop (t);

  g_object_set (t->sink, "location", NULL, NULL);
  g_clear_pointer (&location, g_free);
  g_object_get (t->sink, "location", &location, NULL);
  g_assert_null (location);
  g_assert_cmpint (gst_element_set_state (t->sink, GST_STATE_PLAYING),
                   ==,
                   GST_STATE_CHANGE_FAILURE);
  gst_test_sink_assert_error (t, GST_RESOURCE_ERROR_NOT_FOUND, NULL);
  gst_test_sink_stop (t);

  g_object_set (t->sink, "location", "", NULL);
  g_assert_cmpint (gst_element_set_state (t->sink, GST_STATE_READY), ==, GST_STATE_CHANGE_FAILURE);
  gst_test_sink_assert_error (t, GST_RESOURCE_ERROR_NOT_FOUND, NULL);
  gst_test_sink_free (t);
}

static void
assert_open_fails (const char *path, int errnum)
{
  GstTestSink *t = gst_test_sink_new (path);

  g_assert_cmpint (gst_element_set_state (t->sink, GST_STATE_READY), ==, GST_STATE_CHANGE_FAILURE);
  g_assert_cmpint (gst_test_sink_assert_error (t, GST_RESOURCE_ERROR_OPEN_WRITE, "system error"),
                   ==,
                   errnum);
  gst_test_sink_free (t);
}

static void
test_open_errors (void)
{
  g_autofree char *dir = gst_test_make_dir ();
  g_autofree char *loop = g_build_filename (dir, "loop", NULL);
  g_autofree char *below = g_build_filename (dir, "missing", "out", NULL);
  g_autofree char *long_name = g_strnfill (300, 'x');
  g_autofree char *too_long = g_build_filename (dir, long_name, NULL);

  g_assert_cmpint (symlink ("loop", loop), ==, 0);
  assert_open_fails (dir, EISDIR);
  assert_open_fails (below, ENOENT);
  assert_open_fails (loop, ELOOP);
  assert_open_fails (too_long, ENAMETOOLONG);
  assert_open_fails ("/dev/null/x", ENOTDIR);
  gst_test_remove_dir (dir);
}

static void
test_open_without_permission (void)
{
  g_autofree char *dir = NULL;
  g_autofree char *path = NULL;

  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, 0, 0);
      g_test_trap_assert_passed ();
      return;
    }
  /* root may do everything; the subprocess gives that up. */
  if (geteuid () == 0)
    g_assert_cmpint (setresuid (65534, 65534, 65534), ==, 0);
  dir = gst_test_make_dir ();
  path = g_build_filename (dir, "out", NULL);
  g_assert_cmpint (g_chmod (dir, 0500), ==, 0);
  assert_open_fails (path, EACCES);
  g_assert_cmpint (g_chmod (dir, 0700), ==, 0);
  gst_test_remove_dir (dir);
}

static void
test_location_while_open (void)
{
  GstTestSink *t = gst_test_sink_new (NULL);
  g_autofree char *location = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (gst_element_set_state (t->sink, GST_STATE_READY), ==, GST_STATE_CHANGE_SUCCESS);
  g_test_expect_message ("GStreamer-gaio", G_LOG_LEVEL_WARNING,
                         "*location*while its file is open*");
  g_object_set (t->sink, "location", "/elsewhere", NULL);
  g_test_assert_expected_messages ();
  g_assert_false (gst_uri_handler_set_uri (GST_URI_HANDLER (t->sink), "file:///elsewhere", &error));
  g_assert_error (error, GST_URI_ERROR, GST_URI_ERROR_BAD_STATE);
  g_object_get (t->sink, "location", &location, NULL);
  g_assert_cmpstr (location, ==, t->path);
  gst_test_sink_stop (t);

  g_object_set (t->sink, "location", "/elsewhere", NULL);
  g_clear_pointer (&location, g_free);
  g_object_get (t->sink, "location", &location, NULL);
  g_assert_cmpstr (location, ==, "/elsewhere");
  gst_test_sink_free (t);
}

static void
assert_uri (GstElement *sink, const char *uri, const char *location)
{
  g_autofree char *found_uri = gst_uri_handler_get_uri (GST_URI_HANDLER (sink));
  g_autofree char *found_location = NULL;

  g_object_get (sink, "location", &found_location, NULL);
  g_assert_cmpstr (found_uri, ==, uri);
  g_assert_cmpstr (found_location, ==, location);
}

static void
assert_bad_uri (GstElement *sink, const char *uri)
{
  g_autoptr (GError) error = NULL;

  g_assert_false (gst_uri_handler_set_uri (GST_URI_HANDLER (sink), uri, &error));
  g_assert_error (error, GST_URI_ERROR, GST_URI_ERROR_BAD_URI);
}

static void
test_uri (void)
{
  GstTestSink *t = gst_test_sink_new ("/i/do/not/exist");
  GstURIHandler *handler = GST_URI_HANDLER (t->sink);
  g_autofree char *cwd = g_get_current_dir ();
  g_autofree char *relative = g_build_filename (cwd, "a/relative name", NULL);
  g_autofree char *relative_uri = g_filename_to_uri (relative, NULL, NULL);
  g_autoptr (GstQuery) query = gst_query_new_uri ();
  g_autofree char *answer = NULL;

  g_assert_cmpint (gst_uri_handler_get_uri_type (handler), ==, GST_URI_SINK);
  assert_uri (t->sink, "file:///i/do/not/exist", "/i/do/not/exist");

  g_assert_true (gst_uri_handler_set_uri (handler, "file:///foo/bar", NULL));
  assert_uri (t->sink, "file:///foo/bar", "/foo/bar");
  g_assert_true (gst_uri_handler_set_uri (handler, "file://localhost/foo/baz", NULL));
  assert_uri (t->sink, "file:///foo/baz", "/foo/baz");
  g_assert_true (gst_uri_handler_set_uri (handler, "file:/foo/bat", NULL));
  assert_uri (t->sink, "file:///foo/bat", "/foo/bat");

  /* What has a meaning in a URI has none in a file name; it need not be escaped. */
  g_assert_true (gst_uri_handler_set_uri (handler, "file:///foo/a%20b?c#d", NULL));
  assert_uri (t->sink, "file:///foo/a%20b%3Fc%23d", "/foo/a b?c#d");
  g_object_set (t->sink, "location", "/foo/bar?loc=a #1", NULL);
  assert_uri (t->sink, "file:///foo/bar%3Floc=a%20%231", "/foo/bar?loc=a #1");
  g_object_set (t->sink, "location", "a/relative name", NULL);
  assert_uri (t->sink, relative_uri, "a/relative name");

  assert_bad_uri (t->sink, "file://hostname/foo/foo");
  assert_bad_uri (t->sink, "file:relative");
  assert_bad_uri (t->sink, "file://localhost");
  assert_bad_uri (t->sink, "file:///foo%2Fbar");
  assert_bad_uri (t->sink, "file:///foo%00bar");
  assert_uri (t->sink, relative_uri, "a/relative name");

  g_assert_true (gst_pad_peer_query (t->src, query));
  gst_query_parse_uri (query, &answer);
  g_assert_cmpstr (answer, ==, relative_uri);

  g_assert_true (gst_uri_handler_set_uri (handler, "file://", NULL));
  assert_uri (t->sink, NULL, NULL);
  gst_test_sink_free (t);
}

/* Queries */

static void
assert_seekable (GstTestSink *t, GstFormat format, gboolean expected)
{
  g_autoptr (GstQuery) query = gst_query_new_seeking (format);
  gboolean seekable;
  gint64 start, stop;

  g_assert_true (gst_pad_peer_query (t->src, query));
  gst_query_parse_seeking (query, NULL, &seekable, &start, &stop);
  g_assert_cmpint (seekable, ==, expected);
  g_assert_cmpint (start, ==, 0);
  g_assert_cmpint (stop, ==, -1);
}

static void
test_queries (void)
{
  GstTestSink *t = gst_test_sink_new (NULL);
  g_autoptr (GstQuery) formats = gst_query_new_formats ();
  GstFormat format;
  gint64 position = -1;
  guint n;

  /* Right before the first byte: muxers ask once, at the start. */
  g_assert_cmpint (gst_element_set_state (t->sink, GST_STATE_READY), ==, GST_STATE_CHANGE_SUCCESS);
  assert_seekable (t, GST_FORMAT_BYTES, TRUE);
  assert_seekable (t, GST_FORMAT_DEFAULT, TRUE);
  assert_seekable (t, GST_FORMAT_TIME, FALSE);

  gst_test_sink_play (t, GST_FORMAT_BYTES);
  g_assert_cmpint (gst_test_sink_push (t, 1000), ==, GST_FLOW_OK);
  g_assert_cmpint (gst_test_sink_position (t), ==, 1000);
  g_assert_true (gst_pad_peer_query_position (t->src, GST_FORMAT_DEFAULT, &position));
  g_assert_cmpint (position, ==, 1000);
  g_assert_false (gst_pad_peer_query_position (t->src, GST_FORMAT_TIME, &position));

  g_assert_true (gst_pad_peer_query (t->src, formats));
  gst_query_parse_n_formats (formats, &n);
  g_assert_cmpuint (n, ==, 2);
  gst_query_parse_nth_format (formats, 0, &format);
  g_assert_cmpint (format, ==, GST_FORMAT_DEFAULT);
  gst_query_parse_nth_format (formats, 1, &format);
  g_assert_cmpint (format, ==, GST_FORMAT_BYTES);
  gst_test_sink_free (t);
}

/* Seeking */

/* A buffer whose bytes are to be in the file when its push returns. */
static GstBuffer *
synced (GstTestSink *t, guint8 *image, gsize *at, gsize size, guint n_memories)
{
  GstBuffer *buffer = gst_test_sink_buffer (t, size, n_memories);

  gst_buffer_extract (buffer, 0, image + *at, size);
  *at += size;
  GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_SYNC_AFTER);
  return buffer;
}

static void
push_synced (GstTestSink *t, guint8 *image, gsize *at, gsize size, guint n_memories)
{
  g_assert_cmpint (gst_pad_push (t->src, synced (t, image, at, size, n_memories)),
                   ==,
                   GST_FLOW_OK);
  g_assert_cmpint (gst_test_sink_position (t), ==, *at);
}

static void
push_synced_list (GstTestSink *t,
                  guint8 *image,
                  gsize *at,
                  guint n_buffers,
                  gsize size,
                  guint n_memories)
{
  GstBufferList *list = gst_buffer_list_new ();

  for (guint i = 0; i < n_buffers; i++)
    gst_buffer_list_add (list, synced (t, image, at, size, n_memories));
  g_assert_cmpint (gst_pad_push_list (t->src, list), ==, GST_FLOW_OK);
  g_assert_cmpint (gst_test_sink_position (t), ==, *at);
}

static void
test_seeking (void)
{
  GstTestSink *t = gst_test_sink_new (NULL);
  guint8 image[18057];
  gsize at = 0;

  gst_util_set_object_arg (G_OBJECT (t->sink), "sync-after", "wait");
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  g_assert_cmpint (gst_test_sink_position (t), ==, 0);
  push_synced (t, image, &at, 0, 1);
  push_synced (t, image, &at, 1, 1);
  push_synced (t, image, &at, 99, 1);
  push_synced (t, image, &at, 8800, 1);
  push_synced_list (t, image, &at, 2, 50, 1);
  push_synced_list (t, image, &at, 3, 10, 1);

  /* The sink is PLAYING, and the file complete. */
  g_assert_cmpuint (at, ==, 9030);
  gst_test_assert_file (t->path, image, at);
  push_synced (t, image, &at, 40, 2);
  push_synced_list (t, image, &at, 2, 40, 2);
  g_assert_cmpuint (at, ==, 9150);
  gst_test_assert_file (t->path, image, at);

  gst_test_sink_segment (t, GST_FORMAT_BYTES, 8800);
  at = 8800;
  g_assert_cmpint (gst_test_sink_position (t), ==, 8800);
  push_synced (t, image, &at, 1, 1);
  gst_test_assert_file (t->path, image, 9150);
  push_synced (t, image, &at, 9256, 1);
  g_assert_cmpuint (at, ==, sizeof image);
  g_assert_cmpuint (gst_test_sink_stat (t, "syncs"), >=, 8);

  g_assert_true (gst_pad_push_event (t->src, gst_event_new_eos ()));
  gst_test_sink_stop (t);
  gst_test_assert_file (t->path, image, sizeof image);
  gst_test_sink_assert_no_error (t);
  gst_test_sink_free (t);
}

/* Seeks and writes of all sizes, from a fixed seed, against an image in memory; nobody waits for
 * anything in between. */
static void
test_random_seeks (void)
{
  GstTestSink *t = gst_test_sink_new (NULL);
  const gsize limit = 1536 * 1024;
  g_autofree guint8 *image = g_malloc0 (limit);
  g_autoptr (GRand) rand = g_rand_new_with_seed (20);
  gsize length = 0;
  gsize at = 0;

  gst_test_sink_play (t, GST_FORMAT_BYTES);
  for (guint i = 0; i < 600; i++)
    {
      gsize max = g_rand_int_range (rand, 0, 8) == 0 ? 200 * 1024 : 6000;
      gsize size = g_rand_int_range (rand, 1, max) * 4;
      guint n_memories = 1 << g_rand_int_range (rand, 0, 3);
      GstBuffer *buffer;

      if (g_rand_boolean (rand) || at + size > limit)
        {
          at = g_rand_int_range (rand, 0, (gint32) MIN (length + 5000, limit - size));
          gst_test_sink_segment (t, GST_FORMAT_BYTES, at);
        }
      buffer = gst_test_sink_buffer (t, size, n_memories);
      gst_buffer_extract (buffer, 0, image + at, size);
      g_assert_cmpint (gst_pad_push (t->src, buffer), ==, GST_FLOW_OK);
      at += size;
      length = MAX (length, at);
      g_assert_cmpint (gst_test_sink_position (t), ==, at);
    }
  g_assert_true (gst_pad_push_event (t->src, gst_event_new_eos ()));
  gst_test_assert_file (t->path, image, length);
  gst_test_sink_free (t);
}

static void
test_hole (void)
{
  GstTestSink *t = gst_test_sink_new (NULL);
  guint8 image[5100] = { 0 };

  gst_test_sink_play (t, GST_FORMAT_BYTES);
  g_assert_cmpint (gst_test_sink_push (t, 100), ==, GST_FLOW_OK);
  gst_test_sink_segment (t, GST_FORMAT_BYTES, 5000);
  g_assert_cmpint (gst_test_sink_push (t, 100), ==, GST_FLOW_OK);
  gst_test_sink_stop (t);
  for (guint i = 0; i < 100; i++)
    {
      image[i] = i;
      image[5000 + i] = 100 + i;
    }
  gst_test_assert_file (t->path, image, sizeof image);
  gst_test_sink_free (t);
}

static void
test_seek_impossible (void)
{
  GstTestSink *t = gst_test_sink_new (NULL);

  gst_test_sink_play (t, GST_FORMAT_BYTES);
  gst_test_sink_segment (t, GST_FORMAT_BYTES, (guint64) G_MAXINT64 + 1);
  gst_test_sink_assert_error (t, GST_RESOURCE_ERROR_SEEK, NULL);
  gst_test_sink_free (t);
}

/* A segment of another format is no position; but what lies outside it is dropped. */
static void
test_time_segment (void)
{
  GstTestSink *t = gst_test_sink_new (NULL);
  const guint8 image[] = { 0, 1, 2, 6, 7, 8 };
  GstSegment segment;

  gst_test_sink_play (t, GST_FORMAT_TIME);
  g_assert_cmpint (gst_test_sink_push (t, 3), ==, GST_FLOW_OK);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = 10 * GST_SECOND;
  segment.time = 10 * GST_SECOND;
  g_assert_true (gst_pad_push_event (t->src, gst_event_new_segment (&segment)));
  g_assert_cmpint (gst_test_sink_position (t), ==, 3);
  for (guint i = 0; i < 2; i++)
    {
      GstBuffer *buffer = gst_test_sink_buffer (t, 3, 1);

      GST_BUFFER_PTS (buffer) = (5 + 6 * i) * GST_SECOND;
      GST_BUFFER_DURATION (buffer) = GST_SECOND;
      g_assert_cmpint (gst_pad_push (t->src, buffer), ==, GST_FLOW_OK);
    }
  gst_test_sink_stop (t);
  gst_test_assert_file (t->path, image, sizeof image);
  gst_test_sink_free (t);
}

/* Flush */

static void
flush (GstTestSink *t)
{
  g_assert_true (gst_pad_push_event (t->src, gst_event_new_flush_start ()));
  g_assert_true (gst_pad_push_event (t->src, gst_event_new_flush_stop (TRUE)));
}

static void
test_flush (void)
{
  GstTestSink *t = gst_test_sink_new (NULL);
  const guint8 image[] = { 8, 9, 10, 11 };

  gst_test_sink_play (t, GST_FORMAT_TIME);
  g_assert_cmpint (gst_test_sink_push (t, 8), ==, GST_FLOW_OK);
  g_assert_cmpint (gst_test_sink_position (t), ==, 8);
  flush (t);
  gst_test_sink_segment (t, GST_FORMAT_TIME, 0);
  g_assert_cmpint (gst_element_set_state (t->sink, GST_STATE_PLAYING), ==, GST_STATE_CHANGE_ASYNC);
  g_assert_cmpint (gst_test_sink_position (t), ==, 0);
  g_assert_cmpint (gst_test_sink_push (t, 4), ==, GST_FLOW_OK);
  gst_test_sink_stop (t);
  gst_test_assert_file (t->path, image, sizeof image);
  gst_test_sink_free (t);
}

/* The same when the bytes to take back are in the file already, and more than the new ones. */
static void
test_flush_written (void)
{
  GstTestSink *t = gst_test_sink_new (NULL);
  guint8 image[50000];
  gsize at = 0;

  gst_util_set_object_arg (G_OBJECT (t->sink), "sync-after", "wait");
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  push_synced (t, image, &at, 40000, 1);
  gst_test_assert_file (t->path, image, 40000);
  g_assert_cmpint (gst_test_sink_push (t, 300000), ==, GST_FLOW_OK);
  flush (t);
  gst_test_sink_segment (t, GST_FORMAT_BYTES, 0);
  g_assert_cmpint (gst_element_set_state (t->sink, GST_STATE_PLAYING), ==, GST_STATE_CHANGE_ASYNC);
  g_assert_cmpint (gst_test_sink_position (t), ==, 0);
  at = 0;
  push_synced (t, image, &at, 20000, 1);
  gst_test_sink_stop (t);
  gst_test_assert_file (t->path, image, 20000);
  gst_test_sink_free (t);
}

/* Buffers of several memories */

static void
several_memories (guint n_buffers, guint n_memories, gboolean as_list)
{
  GstTestSink *t = gst_test_sink_new (NULL);
  g_autofree guint8 *image = g_malloc (n_buffers * n_memories * 4);
  GstBufferList *list = gst_buffer_list_new ();

  for (guint i = 0; i < n_buffers * n_memories * 4; i++)
    image[i] = i;
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  for (guint i = 0; i < n_buffers; i++)
    {
      GstBuffer *buffer = gst_test_sink_buffer (t, n_memories * 4, n_memories);

      if (!as_list)
        g_assert_cmpint (gst_pad_push (t->src, buffer), ==, GST_FLOW_OK);
      else
        gst_buffer_list_add (list, buffer);
    }
  /* An empty one is allowed too. */
  g_assert_cmpint (gst_pad_push_list (t->src, list), ==, GST_FLOW_OK);
  g_assert_true (gst_pad_push_event (t->src, gst_event_new_eos ()));
  gst_test_sink_stop (t);
  gst_test_assert_file (t->path, image, n_buffers * n_memories * 4);
  gst_test_sink_free (t);
}

static void
test_several_memories (void)
{
  several_memories (17, 1, FALSE);
  several_memories (9, 2, FALSE);
  several_memories (6, 3, FALSE);
  several_memories (1000, 3, TRUE);
}

/* More big memories at once than one system call takes (1024). */
static void
test_many_memories (void)
{
  GstTestSink *t = gst_test_sink_new (NULL);
  const gsize size = 65536;
  const guint n_buffers = 100, n_memories = 16;
  GstBufferList *list = gst_buffer_list_new ();
  g_autofree guint8 *image = g_malloc (n_buffers * size);

  gst_test_sink_play (t, GST_FORMAT_BYTES);
  for (guint i = 0; i < n_buffers; i++)
    {
      t->next = i;
      gst_buffer_list_add (list, gst_test_sink_buffer (t, size, n_memories));
      for (gsize j = 0; j < size; j++)
        image[i * size + j] = i + j;
    }
  g_assert_cmpint (gst_pad_push_list (t->src, list), ==, GST_FLOW_OK);
  g_assert_true (gst_pad_push_event (t->src, gst_event_new_eos ()));
  gst_test_assert_file (t->path, image, n_buffers * size);
  gst_test_sink_free (t);
}

static void
test_odd_buffers (void)
{
  GstTestSink *t = gst_test_sink_new (NULL);
  GstBuffer *buffer;
  guint8 image[300];

  gst_test_sink_play (t, GST_FORMAT_BYTES);
  g_assert_cmpint (gst_pad_push (t->src, gst_buffer_new ()), ==, GST_FLOW_OK);
  g_assert_cmpint (gst_test_sink_push (t, 0), ==, GST_FLOW_OK);
  buffer = gst_test_sink_buffer (t, 100, 1);
  gst_buffer_append_memory (buffer, gst_allocator_alloc (NULL, 0, NULL));
  buffer = gst_buffer_append (buffer, gst_test_sink_buffer (t, 200, 2));
  g_assert_cmpint (gst_pad_push (t->src, buffer), ==, GST_FLOW_OK);
  g_assert_cmpint (gst_pad_push_list (t->src, gst_buffer_list_new ()), ==, GST_FLOW_OK);
  g_assert_cmpint (gst_test_sink_position (t), ==, sizeof image);
  gst_test_sink_stop (t);
  for (guint i = 0; i < sizeof image; i++)
    image[i] = i;
  gst_test_assert_file (t->path, image, sizeof image);
  gst_test_sink_free (t);
}

/* Appending */

static void
test_append (void)
{
  GstTestSink *t = gst_test_sink_new (NULL);
  const guint8 image[] = { 'o', 'l', 'd', 0, 1, 2, 3, 4 };

  g_assert_true (g_file_set_contents (t->path, "old", 3, NULL));
  g_object_set (t->sink, "append", TRUE, NULL);
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  assert_seekable (t, GST_FORMAT_BYTES, FALSE);
  g_assert_cmpint (gst_test_sink_position (t), ==, 0);
  g_assert_cmpint (gst_test_sink_push (t, 3), ==, GST_FLOW_OK);
  g_assert_cmpint (gst_test_sink_position (t), ==, 3);
  g_assert_cmpint (gst_test_sink_push (t, 2), ==, GST_FLOW_OK);
  gst_test_sink_stop (t);
  gst_test_assert_file (t->path, image, sizeof image);

  /* Without it the file begins anew, already in READY. */
  g_object_set (t->sink, "append", FALSE, NULL);
  g_assert_cmpint (gst_element_set_state (t->sink, GST_STATE_READY), ==, GST_STATE_CHANGE_SUCCESS);
  gst_test_assert_file (t->path, NULL, 0);
  gst_test_sink_free (t);
}

/* A flush takes back what the stream wrote, and not what was there before. */
static void
test_append_flush (void)
{
  GstTestSink *t = gst_test_sink_new (NULL);
  const guint8 image[] = { 'o', 'l', 'd', 100, 101 };

  g_assert_true (g_file_set_contents (t->path, "old", 3, NULL));
  g_object_set (t->sink, "append", TRUE, NULL);
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  g_assert_cmpint (gst_test_sink_push (t, 100), ==, GST_FLOW_OK);
  flush (t);
  gst_test_sink_segment (t, GST_FORMAT_BYTES, 0);
  gst_element_set_state (t->sink, GST_STATE_PLAYING);
  g_assert_cmpint (gst_test_sink_push (t, 2), ==, GST_FLOW_OK);
  gst_test_sink_stop (t);
  gst_test_assert_file (t->path, image, sizeof image);
  gst_test_sink_free (t);
}

/* Odd files */

static void
test_dev_null (void)
{
  GstTestSink *t = gst_test_sink_new ("/dev/null");

  gst_test_sink_play (t, GST_FORMAT_BYTES);
  for (guint i = 0; i < 50; i++)
    g_assert_cmpint (gst_test_sink_push (t, 100000), ==, GST_FLOW_OK);
  flush (t);
  gst_test_sink_segment (t, GST_FORMAT_BYTES, 0);
  gst_element_set_state (t->sink, GST_STATE_PLAYING);
  g_assert_cmpint (gst_test_sink_push (t, 100000), ==, GST_FLOW_OK);
  g_assert_true (gst_pad_push_event (t->src, gst_event_new_eos ()));
  gst_test_sink_assert_no_error (t);
  gst_test_sink_free (t);
}

/* The file's mode is what the umask leaves, and programs that are started do not inherit it. */
static void
test_mode_and_cloexec (void)
{
  GstTestSink *t = gst_test_sink_new (NULL);
  g_autoptr (GDir) fds = g_dir_open ("/proc/self/fd", 0, NULL);
  mode_t mask = umask (027);
  GStatBuf st;
  const char *name;
  guint found = 0;

  g_assert_cmpint (gst_element_set_state (t->sink, GST_STATE_READY), ==, GST_STATE_CHANGE_SUCCESS);
  umask (mask);
  g_assert_cmpint (g_stat (t->path, &st), ==, 0);
  g_assert_cmpuint (st.st_mode & 0777, ==, 0640);
  while ((name = g_dir_read_name (fds)) != NULL)
    {
      g_autofree char *entry = g_build_filename ("/proc/self/fd", name, NULL);
      g_autofree char *target = g_file_read_link (entry, NULL);

      if (g_strcmp0 (target, t->path) != 0)
        continue;
      found++;
      g_assert_cmpint (fcntl (atoi (name), F_GETFD) & FD_CLOEXEC, ==, FD_CLOEXEC);
    }
  g_assert_cmpuint (found, ==, 1);
  gst_test_sink_free (t);
}

int
main (int argc, char **argv)
{
  gst_test_init (&argc, &argv);
  gaio_test_add ("/file-sink/location", test_location);
  gaio_test_add ("/file-sink/location/while-open", test_location_while_open);
  gaio_test_add ("/file-sink/open-errors", test_open_errors);
  gaio_test_add ("/file-sink/open-without-permission", test_open_without_permission);
  gaio_test_add ("/file-sink/uri", test_uri);
  gaio_test_add ("/file-sink/queries", test_queries);
  gaio_test_add ("/file-sink/seeking", test_seeking);
  gaio_test_add ("/file-sink/seeking/random", test_random_seeks);
  gaio_test_add ("/file-sink/seeking/hole", test_hole);
  gaio_test_add ("/file-sink/seeking/impossible", test_seek_impossible);
  gaio_test_add ("/file-sink/time-segment", test_time_segment);
  gaio_test_add ("/file-sink/flush", test_flush);
  gaio_test_add ("/file-sink/flush/written", test_flush_written);
  gaio_test_add ("/file-sink/buffers/several-memories", test_several_memories);
  gaio_test_add ("/file-sink/buffers/many-memories", test_many_memories);
  gaio_test_add ("/file-sink/buffers/odd", test_odd_buffers);
  gaio_test_add ("/file-sink/append", test_append);
  gaio_test_add ("/file-sink/append/flush", test_append_flush);
  gaio_test_add ("/file-sink/dev-null", test_dev_null);
  gaio_test_add ("/file-sink/mode-and-cloexec", test_mode_and_cloexec);
  return g_test_run ();
}
