/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* gaiofilesrc beside filesrc: whatever one says, the other says; and what filesrc does not do: the
 * window, its statistics, errors with their errno. */

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "src-test.h"

static const char *const both[] = { "filesrc", "gaiofilesrc" };

/* Upstream's */

static void
test_seeking_query (void)
{
  Source *source = source_new (SIZE);

  for (guint i = 0; i < G_N_ELEMENTS (both); i++)
    {
      g_autoptr (GstElement) src = make (both[i], source->path);
      g_autoptr (GstQuery) query = gst_query_new_seeking (GST_FORMAT_BYTES);
      g_autoptr (GstQuery) scheduling = gst_query_new_scheduling ();
      GstSchedulingFlags flags;
      gboolean seekable = FALSE;
      gint64 start = -1;
      gint64 stop = -1;
      gint64 duration = -1;
      int min, max, align;

      assert_state (src, GST_STATE_PAUSED, GST_STATE_CHANGE_SUCCESS);
      g_assert_true (gst_element_query (src, query));
      gst_query_parse_seeking (query, NULL, &seekable, &start, &stop);
      g_assert_true (seekable);
      g_assert_cmpint (start, ==, 0);
      g_assert_cmpint (stop, ==, SIZE);
      g_assert_true (gst_element_query_duration (src, GST_FORMAT_BYTES, &duration));
      g_assert_cmpint (duration, ==, SIZE);
      g_assert_true (gst_element_query (src, scheduling));
      gst_query_parse_scheduling (scheduling, &flags, &min, &max, &align);
      g_assert_cmpint (flags, ==, GST_SCHEDULING_FLAG_SEEKABLE);
      g_assert_cmpint (min, ==, 1);
      g_assert_cmpint (max, ==, -1);
      g_assert_cmpint (align, ==, 0);
      g_assert_true (gst_query_has_scheduling_mode (scheduling, GST_PAD_MODE_PULL));
      g_assert_true (gst_query_has_scheduling_mode (scheduling, GST_PAD_MODE_PUSH));
      assert_state (src, GST_STATE_NULL, GST_STATE_CHANGE_SUCCESS);
    }
  source_free (source);
}

static void
test_reverse_seek (void)
{
  Source *source = source_new (SIZE);

  for (guint i = 0; i < G_N_ELEMENTS (both); i++)
    {
      g_autoptr (GstElement) src = make (both[i], source->path);

      assert_state (src, GST_STATE_READY, GST_STATE_CHANGE_SUCCESS);
      g_assert_true (gst_element_seek (src, -1.0, GST_FORMAT_BYTES, GST_SEEK_FLAG_FLUSH,
                                       GST_SEEK_TYPE_SET, 100, GST_SEEK_TYPE_SET, 0));
      assert_state (src, GST_STATE_NULL, GST_STATE_CHANGE_SUCCESS);
    }
  source_free (source);
}

static void
test_pull (void)
{
  Source *source = source_new (SIZE);

  for (guint i = 0; i < G_N_ELEMENTS (both); i++)
    {
      g_autoptr (GstElement) src = make (both[i], source->path);
      g_autoptr (GstBuffer) buffer = NULL;
      GstPad *pad = start_pull (src);

      assert_range (pad, source->data, 0, 100, 100);
      assert_range (pad, source->data, 0, 50, 50);
      assert_range (pad, source->data, 50, 50, 50);
      assert_range (pad, source->data, 1024 * 1024 - 5, 10, 10);
      assert_range (pad, source->data, 7, 2000000, 2000000);
      assert_range (pad, source->data, 0, SIZE, SIZE);
      assert_range (pad, source->data, SIZE - 10, 10, 10);
      assert_range (pad, source->data, SIZE - 10, 20, 10);
      assert_range (pad, source->data, SIZE - 100000, 200000, 100000);
      assert_range (pad, source->data, SIZE - 10, 0, 0);
      g_assert_cmpint (gst_pad_get_range (pad, SIZE, 10, &buffer), ==, GST_FLOW_EOS);
      g_assert_cmpint (gst_pad_get_range (pad, SIZE, 0, &buffer), ==, GST_FLOW_EOS);
      g_assert_cmpint (gst_pad_get_range (pad, SIZE * 2, 10, &buffer), ==, GST_FLOW_EOS);
      g_assert_null (buffer);
      stop_pull (src, pad);
    }
  source_free (source);
}

static void
test_coverage (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (both); i++)
    {
      g_autoptr (GstElement) src = make (both[i], "/i/do/not/exist");
      g_autoptr (GstBus) bus = gst_bus_new ();
      g_autoptr (GstMessage) message = NULL;
      g_autoptr (GError) error = NULL;
      g_autofree char *location = NULL;

      gst_element_set_bus (src, bus);
      g_object_get (src, "location", &location, NULL);
      g_assert_cmpstr (location, ==, "/i/do/not/exist");
      assert_state (src, GST_STATE_PAUSED, GST_STATE_CHANGE_FAILURE);
      message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
      g_assert_nonnull (message);
      gst_message_parse_error (message, &error, NULL);
      g_assert_error (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND);
      assert_state (src, GST_STATE_NULL, GST_STATE_CHANGE_SUCCESS);

      g_clear_pointer (&location, g_free);
      g_object_set (src, "location", NULL, NULL);
      g_object_get (src, "location", &location, NULL);
      g_assert_null (location);
      gst_element_set_bus (src, NULL);
      gst_bus_set_flushing (bus, TRUE);
    }
}

static void
expect_uri (GstElement *src, const char *uri, const char *expected)
{
  g_autofree char *found = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_true (gst_uri_handler_set_uri (GST_URI_HANDLER (src), uri, &error));
  g_assert_no_error (error);
  g_object_get (src, "location", &found, NULL);
  g_assert_cmpstr (found, ==, expected);
}

static void
test_uri (void)
{
  static const char *const bad[] = { "file://elsewhere/foo", "file:/%00", "file:foo",
                                     "http://foo/bar",       "foo" };
  Source *source = source_new (100);

  for (guint i = 0; i < G_N_ELEMENTS (both); i++)
    {
      g_autoptr (GstElement) src = make (both[i], "/i/do/not/exist");
      g_autofree char *uri = gst_uri_handler_get_uri (GST_URI_HANDLER (src));
      g_autofree char *escaped = NULL;
      g_autofree char *location = NULL;
      const char *const *protocols = gst_uri_handler_get_protocols (GST_URI_HANDLER (src));

      g_assert_cmpint (gst_uri_handler_get_uri_type (GST_URI_HANDLER (src)), ==, GST_URI_SRC);
      g_assert_cmpstr (protocols[0], ==, "file");
      g_assert_null (protocols[1]);
      g_assert_cmpstr (uri, ==, "file:///i/do/not/exist");
      expect_uri (src, "file:///i/do%20not%20exist", "/i/do not exist");
      expect_uri (src, "file://localhost/foo/bar", "/foo/bar");
      expect_uri (src, "file:/foo/b%20r", "/foo/b r");
      expect_uri (src, "file:///foo/b%3Far", "/foo/b?ar");
      escaped = gst_uri_handler_get_uri (GST_URI_HANDLER (src));
      g_assert_cmpstr (escaped, ==, "file:///foo/b%3Far");
      for (guint j = 0; j < G_N_ELEMENTS (bad); j++)
        {
          g_autoptr (GError) error = NULL;

          g_assert_false (gst_uri_handler_set_uri (GST_URI_HANDLER (src), bad[j], &error));
          g_assert_true (i == 0 || error != NULL); /* filesrc forgets it for another host */
        }
      g_object_get (src, "location", &location, NULL);
      g_assert_cmpstr (location, ==, "/foo/b?ar");
      expect_uri (src, "file://", NULL);
    }
  source_free (source);
}

static void
test_location_while_open (void)
{
  Source *source = source_new (100);
  g_autoptr (GstElement) src = make ("gaiofilesrc", source->path);
  g_autoptr (GError) error = NULL;
  g_autofree char *location = NULL;

  assert_state (src, GST_STATE_PAUSED, GST_STATE_CHANGE_SUCCESS);
  g_test_expect_message ("GStreamer-gaio", G_LOG_LEVEL_WARNING, "*while its file is open*");
  g_object_set (src, "location", "/elsewhere", NULL);
  g_test_assert_expected_messages ();
  g_assert_false (gst_uri_handler_set_uri (GST_URI_HANDLER (src), "file:///elsewhere", &error));
  g_assert_error (error, GST_URI_ERROR, GST_URI_ERROR_BAD_STATE);
  g_object_get (src, "location", &location, NULL);
  g_assert_cmpstr (location, ==, source->path);
  assert_state (src, GST_STATE_NULL, GST_STATE_CHANGE_SUCCESS);
  g_object_set (src, "location", "/elsewhere", NULL);
  source_free (source);
}

/* What an URI query says of odd paths. */
static void
test_uri_query (void)
{
  static const char *const paths[] = {
    "/media/music/foo.ogg",
    "/media/../foo.ogg",
    "/media/./music/foo.ogg",
    "/../foo.ogg",
    "/./foo",
    "//media//foo.ogg",
    "foo.ogg",
    "./foo.ogg",
    "../foo.ogg",
    "a/../b",
    "/foo/bar?x",
    "/foo/b#r",
    "/foo/b r",
    "/f\xc3\xb6",
    "/a/b/../../../c",
  };

  for (guint i = 0; i < G_N_ELEMENTS (paths); i++)
    {
      char *uris[G_N_ELEMENTS (both)] = { NULL };

      for (guint j = 0; j < G_N_ELEMENTS (both); j++)
        {
          g_autoptr (GstElement) src = make (both[j], paths[i]);
          g_autoptr (GstQuery) query = gst_query_new_uri ();

          g_assert_true (gst_element_query (src, query));
          gst_query_parse_uri (query, &uris[j]);
        }
      g_assert_cmpstr (uris[0], ==, uris[1]);
      g_free (uris[0]);
      g_free (uris[1]);
    }
}

/* Push */

static void
same_push (Source *source, const char *sets, const char *ours)
{
  Seen seen[G_N_ELEMENTS (both)];

  for (guint i = 0; i < G_N_ELEMENTS (both); i++)
    {
      g_autofree char *all = g_strconcat (sets, i == 1 ? ours : "", NULL);
      g_autoptr (GstElement) pipeline = watch (both[i], source->path, all, &seen[i]);

      g_assert_cmpint (gst_element_set_state (pipeline, GST_STATE_PLAYING), !=,
                       GST_STATE_CHANGE_FAILURE);
      wait_for_eos (pipeline);
      assert_state (pipeline, GST_STATE_NULL, GST_STATE_CHANGE_SUCCESS);
    }
  g_assert_cmpstr (seen[0].log->str, ==, seen[1].log->str);
  g_assert_cmpmem (seen[0].bytes->data, seen[0].bytes->len, seen[1].bytes->data,
                   seen[1].bytes->len);
  seen_clear (&seen[0]);
  seen_clear (&seen[1]);
}

static void
test_push (void)
{
  static const guint sizes[] = { 0, 1, 4095, 4096, 4097, 300000, SIZE };
  static const guint blocks[] = { 1000, 4096, 65536, 1000003, 16 * 1024 * 1024 };
  static const char *const ours[] = {
    "",
    " read-ahead=0",
    " read-ahead=70000 read-size=5000",
    " read-ahead=1000000 read-size=1000000000",
  };

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      Source *source = source_new (sizes[i]);

      for (guint j = 0; j < G_N_ELEMENTS (blocks); j++)
        for (guint k = 0; k < G_N_ELEMENTS (ours); k++)
          {
            g_autofree char *sets = g_strdup_printf ("blocksize=%u", blocks[j]);

            same_push (source, sets, ours[k]);
          }
      source_free (source);
    }
}

/* What the kernel makes up as it is read has no length, or one that is not true. */
static void
test_made_up (void)
{
  static const char *const paths[] = { "/proc/version", "/proc/self/cmdline",
                                       "/sys/kernel/mm/transparent_hugepage/enabled" };

  for (guint i = 0; i < G_N_ELEMENTS (paths); i++)
    if (g_file_test (paths[i], G_FILE_TEST_EXISTS))
      {
        Source source = { .path = (char *) paths[i] };

        same_push (&source, "blocksize=4096", "");
        same_push (&source, "blocksize=7", "");
      }
}

static void
test_num_buffers (void)
{
  Source *source = source_new (SIZE);

  same_push (source, "num-buffers=7 blocksize=5000", "");
  source_free (source);
}

/* A buffer of the one who pulls is filled. */
static void
test_given_buffer (void)
{
  Source *source = source_new (SIZE);

  for (guint i = 0; i < G_N_ELEMENTS (both); i++)
    {
      g_autoptr (GstElement) src = make (both[i], source->path);
      g_autoptr (GstBuffer) buffer = gst_buffer_new_allocate (NULL, 100000, NULL);
      GstBuffer *given = buffer;
      GstPad *pad = start_pull (src);

      g_assert_cmpint (gst_pad_get_range (pad, 12345, 100000, &given), ==, GST_FLOW_OK);
      g_assert_true (given == buffer);
      g_assert_cmpuint (gst_buffer_get_size (buffer), ==, 100000);
      g_assert_cmpint (gst_buffer_memcmp (buffer, 0, source->data + 12345, 100000), ==, 0);
      g_assert_cmpint (gst_pad_get_range (pad, SIZE - 1000, 100000, &given), ==, GST_FLOW_OK);
      g_assert_true (given == buffer);
      /* filesrc does not say how many they are. */
      g_assert_cmpuint (gst_buffer_get_size (buffer), ==, i == 0 ? 100000 : 1000);
      g_assert_cmpint (gst_buffer_memcmp (buffer, 0, source->data + SIZE - 1000, 1000), ==, 0);
      stop_pull (src, pad);
    }
  source_free (source);
}

/* Files that are not usual */

static void
test_growing (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (both); i++)
    {
      Source *source = source_new (100000);
      g_autoptr (GstElement) src = make (both[i], source->path);
      g_autoptr (GstBuffer) buffer = NULL;
      GstPad *pad = start_pull (src);
      gint64 duration;

      assert_range (pad, source->data, 0, 100, 100);
      assert_range (pad, source->data, 99990, 20, 10);
      g_assert_cmpint (gst_pad_get_range (pad, 100000, 20, &buffer), ==, GST_FLOW_EOS);
      append_bytes (source, 100000, 100005);
      g_assert_true (gst_element_query_duration (src, GST_FORMAT_BYTES, &duration));
      g_assert_cmpint (duration, ==, 100005);
      assert_range (pad, source->data, 99990, 20, 15);
      append_bytes (source, 100005, 200000);
      assert_range (pad, source->data, 99990, 20, 20);
      assert_range (pad, source->data, 100010, 50000, 50000);
      assert_range (pad, source->data, 150010, 50000, 49990);
      append_bytes (source, 200000, 300000);
      assert_range (pad, source->data, 150010, 150000, 149990);
      g_assert_true (gst_element_query_duration (src, GST_FORMAT_BYTES, &duration));
      g_assert_cmpint (duration, ==, 300000);

      g_assert_cmpint (truncate (source->path, 1000), ==, 0);
      g_assert_cmpint (gst_pad_get_range (pad, 300000, 10, &buffer), ==, GST_FLOW_EOS);
      assert_range (pad, source->data, 900, 1000, 100);
      stop_pull (src, pad);
      source_free (source);
    }
}

/* It comes to the end while the file grows, in push. */
static void
test_growing_push (void)
{
  Source *source = source_new (SIZE / 2);
  Seen seen;
  g_autoptr (GstElement) pipeline = watch ("gaiofilesrc", source->path, "blocksize=1000", &seen);

  assert_state (pipeline, GST_STATE_PAUSED, GST_STATE_CHANGE_ASYNC);
  g_assert_cmpint (gst_element_get_state (pipeline, NULL, NULL, GST_CLOCK_TIME_NONE), ==,
                   GST_STATE_CHANGE_SUCCESS);
  append_bytes (source, SIZE / 2, SIZE);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  wait_for_eos (pipeline);
  assert_state (pipeline, GST_STATE_NULL, GST_STATE_CHANGE_SUCCESS);
  g_assert_cmpmem (seen.bytes->data, seen.bytes->len, source->data, SIZE);
  seen_clear (&seen);
  source_free (source);
}

typedef struct
{
  const char *path;
  const guint8 *data;
  gsize size;
} Writer;

/* In pieces of all sizes. */
static gpointer
write_fifo (gpointer user_data)
{
  Writer *writer = user_data;
  int fd = open (writer->path, O_WRONLY | O_CLOEXEC);
  gsize done = 0;

  for (guint i = 1; done < writer->size; i++)
    {
      gsize n = MIN ((gsize) (i * 7919 % 10007), writer->size - done);

      g_assert_cmpint (write (fd, writer->data + done, n), ==, n);
      done += n;
    }
  close (fd);
  return NULL;
}

static void
test_fifo (void)
{
  Source *source = source_new (0);
  g_autofree char *path = g_build_filename (source->dir, "fifo", NULL);
  GString *logs[G_N_ELEMENTS (both)];

  g_assert_cmpint (mkfifo (path, 0600), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (both); i++)
    {
      Writer writer = { path, source->data, 1000001 };
      GThread *thread = g_thread_new ("writer", write_fifo, &writer);
      Seen seen;
      g_autoptr (GstElement) pipeline = watch (both[i], path, "blocksize=3000", &seen);
      g_autoptr (GstElement) src = gst_bin_get_by_name (GST_BIN (pipeline), "src");
      g_autoptr (GstQuery) query = gst_query_new_seeking (GST_FORMAT_BYTES);
      g_autoptr (GstQuery) scheduling = gst_query_new_scheduling ();
      gboolean seekable = TRUE;
      gint64 duration;

      gst_element_set_state (pipeline, GST_STATE_PLAYING);
      g_assert_true (gst_element_query (src, query));
      gst_query_parse_seeking (query, NULL, &seekable, NULL, NULL);
      g_assert_false (seekable);
      g_assert_true (gst_element_query (src, scheduling));
      g_assert_false (gst_query_has_scheduling_mode (scheduling, GST_PAD_MODE_PULL));
      g_assert_true (!gst_element_query_duration (src, GST_FORMAT_BYTES, &duration) ||
                     duration == -1);
      wait_for_eos (pipeline);
      g_thread_join (thread);
      assert_state (pipeline, GST_STATE_NULL, GST_STATE_CHANGE_SUCCESS);
      g_assert_cmpmem (seen.bytes->data, seen.bytes->len, source->data, 1000001);
      logs[i] = g_string_new (seen.log->str);
      seen_clear (&seen);
    }
  g_assert_cmpstr (logs[0]->str, ==, logs[1]->str);
  g_string_free (logs[0], TRUE);
  g_string_free (logs[1], TRUE);
  source_free (source);
}

/* Nothing comes from it, and nobody is held up. */
static void
test_silent_fifo (void)
{
  Source *source = source_new (0);
  g_autofree char *path = g_build_filename (source->dir, "fifo", NULL);
  Seen seen;
  GstElement *pipeline;
  GstElement *src;
  int fd;

  g_assert_cmpint (mkfifo (path, 0600), ==, 0);
  fd = open (path, O_RDWR | O_CLOEXEC);
  g_assert_cmpint (write (fd, source->data, 5000), ==, 5000);
  pipeline = watch ("gaiofilesrc", path, "blocksize=3000", &seen);
  src = gst_bin_get_by_name (GST_BIN (pipeline), "src");
  assert_state (pipeline, GST_STATE_PLAYING, GST_STATE_CHANGE_ASYNC);
  while (stat_of (src, "misses") < 2)
    g_usleep (1000);
  /* What has come is not lost over a pause. */
  gst_element_set_state (pipeline, GST_STATE_PAUSED);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  g_assert_cmpint (write (fd, source->data + 5000, 1000), ==, 1000);
  while (stat_of (src, "bytes-used") < 6000 || stat_of (src, "misses") < 3)
    g_usleep (1000);
  assert_state (pipeline, GST_STATE_NULL, GST_STATE_CHANGE_SUCCESS);
  /* A buffer is full before it goes, however the bytes came. */
  g_assert_cmpstr (seen.log->str, ==, "0-3000:3000/40 3000-6000:3000/0 ");
  g_assert_cmpmem (seen.bytes->data, seen.bytes->len, source->data, 6000);
  g_clear_object (&src);
  gst_object_unref (pipeline);
  close (fd);
  seen_clear (&seen);
  source_free (source);
}

/* A pipe to which nobody writes yet: to open it does not wait for that, which nobody could get the
 * element out of. The first read does. */
static void
test_fifo_without_writer (void)
{
  Source *source = source_new (0);
  g_autofree char *path = g_build_filename (source->dir, "fifo", NULL);
  Writer writer = { path, source->data, 100001 };
  GThread *thread;
  Seen seen;
  g_autoptr (GstElement) pipeline = NULL;
  g_autoptr (GstBus) bus = NULL;

  g_assert_cmpint (mkfifo (path, 0600), ==, 0);
  pipeline = watch ("gaiofilesrc", path, "blocksize=3000", &seen);
  bus = gst_element_get_bus (pipeline);
  for (guint i = 0; i < 3; i++)
    {
      assert_state (pipeline, GST_STATE_PLAYING, GST_STATE_CHANGE_ASYNC);
      g_usleep (20000);
      assert_state (pipeline, GST_STATE_NULL, GST_STATE_CHANGE_SUCCESS);
    }

  assert_state (pipeline, GST_STATE_PLAYING, GST_STATE_CHANGE_ASYNC);
  g_assert_null (gst_bus_timed_pop_filtered (bus, 50 * GST_MSECOND,
                                             GST_MESSAGE_EOS | GST_MESSAGE_ERROR));
  thread = g_thread_new ("writer", write_fifo, &writer);
  wait_for_eos (pipeline);
  g_thread_join (thread);
  assert_state (pipeline, GST_STATE_NULL, GST_STATE_CHANGE_SUCCESS);
  g_assert_cmpmem (seen.bytes->data, seen.bytes->len, source->data, writer.size);
  seen_clear (&seen);
  source_free (source);
}

/* Errors */

/* The first error of each: the same code and text; ours has an errno. */
static void
same_open_error (const char *path, GstResourceError code, int errnum)
{
  char *texts[G_N_ELEMENTS (both)] = { NULL };

  for (guint i = 0; i < G_N_ELEMENTS (both); i++)
    {
      g_autoptr (GstElement) src = make (both[i], path);
      g_autoptr (GstBus) bus = gst_bus_new ();
      g_autoptr (GstMessage) message = NULL;
      g_autoptr (GError) error = NULL;
      const GstStructure *details = NULL;
      guint64 offset = 1;
      int found = 0;

      gst_element_set_bus (src, bus);
      assert_state (src, GST_STATE_PAUSED, GST_STATE_CHANGE_FAILURE);
      message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
      g_assert_nonnull (message);
      gst_message_parse_error (message, &error, NULL);
      g_assert_error (error, GST_RESOURCE_ERROR, (int) code);
      texts[i] = g_strdup (error->message);
      if (i == 1)
        {
          gst_message_parse_error_details (message, &details);
          g_assert_true (gst_structure_get_int (details, "errno", &found));
          g_assert_cmpint (found, ==, errnum);
          g_assert_true (gst_structure_get_uint64 (details, "offset", &offset));
          g_assert_cmpuint (offset, ==, 0);
        }
      assert_state (src, GST_STATE_NULL, GST_STATE_CHANGE_SUCCESS);
      gst_element_set_bus (src, NULL);
      gst_bus_set_flushing (bus, TRUE);
    }
  g_assert_cmpstr (texts[0], ==, texts[1]);
  g_free (texts[0]);
  g_free (texts[1]);
}

static void
test_open_errors (void)
{
  Source *source = source_new (100);
  g_autofree char *beneath = g_build_filename (source->path, "x", NULL);
  g_autofree char *absent = g_build_filename (source->dir, "absent", NULL);
  g_autofree char *path = g_build_filename (source->dir, "socket", NULL);
  struct sockaddr_un address = { .sun_family = AF_UNIX };
  int fd = socket (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

  same_open_error ("", GST_RESOURCE_ERROR_NOT_FOUND, ENOENT);
  same_open_error (absent, GST_RESOURCE_ERROR_NOT_FOUND, ENOENT);
  same_open_error (beneath, GST_RESOURCE_ERROR_OPEN_READ, ENOTDIR);
  same_open_error (source->dir, GST_RESOURCE_ERROR_OPEN_READ, EISDIR);
  g_strlcpy (address.sun_path, path, sizeof address.sun_path);
  g_assert_cmpint (bind (fd, (struct sockaddr *) &address, sizeof address), ==, 0);
  same_open_error (path, GST_RESOURCE_ERROR_OPEN_READ, ENXIO);
  close (fd);
  if (geteuid () != 0)
    {
      g_assert_cmpint (chmod (source->path, 0), ==, 0);
      same_open_error (source->path, GST_RESOURCE_ERROR_OPEN_READ, EACCES);
    }
  source_free (source);
}

/* The statistics come once for a run, with the end of the stream or, without one, with the stop. */
static void
test_stats_message (void)
{
  Source *source = source_new (SIZE);

  for (guint i = 0; i < 2; i++)
    {
      Seen seen;
      GstElement *pipeline =
          watch ("gaiofilesrc", source->path, i == 0 ? "" : "num-buffers=3", &seen);
      g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
      g_autoptr (GstMessage) message = NULL;
      g_autoptr (GstMessage) second = NULL;
      const GstStructure *stats;
      guint64 used = 0;

      gst_element_set_state (pipeline, GST_STATE_PLAYING);
      message = gst_test_wait_message (bus, GST_MESSAGE_ELEMENT);
      stats = gst_message_get_structure (message);
      g_assert_true (gst_structure_has_name (stats, "gaiofilesrc-stats"));
      g_assert_true (gst_structure_get_uint64 (stats, "bytes-used", &used));
      g_assert_cmpuint (used, ==, i == 0 ? SIZE : 3 * 4096);
      if (g_strcmp0 (g_getenv ("GAIO_ENGINE"), "threads") == 0)
        g_assert_cmpstr (gst_structure_get_string (stats, "engine"), ==, "threads");
      g_assert_nonnull (gst_structure_get_string (stats, "engine-reason"));
      wait_for_eos (pipeline);
      gst_element_set_state (pipeline, GST_STATE_READY);
      second = gst_bus_pop_filtered (bus, GST_MESSAGE_ELEMENT);
      g_assert_null (second);
      assert_state (pipeline, GST_STATE_NULL, GST_STATE_CHANGE_SUCCESS);
      gst_object_unref (pipeline);
      seen_clear (&seen);
    }
  source_free (source);
}

/* A file takes one descriptor, and an I/O thread a few. */
static void
test_no_descriptors (void)
{
  Source *source = source_new (100);

  for (guint n = 0; n < 6; n++)
    {
      g_autoptr (GstElement) src = make ("gaiofilesrc", source->path);
      g_autoptr (GstBus) bus = gst_bus_new ();
      g_autoptr (GstMessage) message = NULL;
      g_autoptr (GError) error = NULL;
      GstStateChangeReturn ret;

      gst_element_set_bus (src, bus);
      gst_test_take_descriptors (n);
      ret = gst_element_set_state (src, GST_STATE_PAUSED);
      gst_test_give_descriptors ();
      g_assert_true (n > 1 || ret == GST_STATE_CHANGE_FAILURE);
      if (ret == GST_STATE_CHANGE_FAILURE)
        {
          message = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
          g_assert_nonnull (message);
          gst_message_parse_error (message, &error, NULL);
          g_assert_error (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_OPEN_READ);
        }
      assert_state (src, GST_STATE_NULL, GST_STATE_CHANGE_SUCCESS);
      gst_element_set_bus (src, NULL);
      gst_bus_set_flushing (bus, TRUE);
    }
  source_free (source);
}

int
main (int argc, char **argv)
{
  gst_test_init (&argc, &argv);
  gaio_test_add ("/file-src/seeking-query", test_seeking_query);
  gaio_test_add ("/file-src/reverse-seek", test_reverse_seek);
  gaio_test_add ("/file-src/pull", test_pull);
  gaio_test_add ("/file-src/coverage", test_coverage);
  gaio_test_add ("/file-src/uri", test_uri);
  gaio_test_add ("/file-src/uri-query", test_uri_query);
  gaio_test_add ("/file-src/location-while-open", test_location_while_open);
  gaio_test_add ("/file-src/push", test_push);
  gaio_test_add ("/file-src/made-up", test_made_up);
  gaio_test_add ("/file-src/num-buffers", test_num_buffers);
  gaio_test_add ("/file-src/given-buffer", test_given_buffer);
  gaio_test_add ("/file-src/growing", test_growing);
  gaio_test_add ("/file-src/growing-push", test_growing_push);
  gaio_test_add ("/file-src/fifo", test_fifo);
  gaio_test_add ("/file-src/silent-fifo", test_silent_fifo);
  gaio_test_add ("/file-src/fifo-without-writer", test_fifo_without_writer);
  gaio_test_add ("/file-src/open-errors", test_open_errors);
  gaio_test_add ("/file-src/stats-message", test_stats_message);
  gaio_test_add ("/file-src/no-descriptors", test_no_descriptors);
  return g_test_run ();
}
