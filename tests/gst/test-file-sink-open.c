/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* How gaiofilesink opens its file, by its properties: what becomes of one that is there, the page
 * cache or not, and the memory that upstream is asked for accordingly. */

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gst-stall.h"

/* The flags of the descriptor of this process that is open for writing this file, or -1. */
static int
get_open_flags (const char *path)
{
  g_autoptr (GDir) fds = g_dir_open ("/proc/self/fd", 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (fds)) != NULL)
    {
      g_autofree char *entry = g_build_filename ("/proc/self/fd", name, NULL);
      g_autofree char *target = g_file_read_link (entry, NULL);

      int flags = fcntl (atoi (name), F_GETFL);

      if (g_strcmp0 (target, path) == 0 && (flags & O_ACCMODE) != O_RDONLY)
        return flags;
    }
  return -1;
}

static void
test_o_sync (void)
{
  for (guint on = 0; on < 2; on++)
    {
      GstTestSink *t = gst_test_sink_new (NULL);

      g_object_set (t->sink, "o-sync", (gboolean) on, NULL);
      gst_test_sink_play (t, GST_FORMAT_BYTES);
      g_assert_cmpint (get_open_flags (t->path) & O_SYNC, ==, on ? O_SYNC : 0);
      g_assert_cmpint (gst_test_sink_push (t, 1000), ==, GST_FLOW_OK);
      gst_test_sink_stop (t);
      gst_test_sink_assert_counting (t, 1000);
      gst_test_sink_free (t);
    }
}

static gboolean
is_seekable (GstTestSink *t)
{
  g_autoptr (GstQuery) query = gst_query_new_seeking (GST_FORMAT_BYTES);
  gboolean seekable = FALSE;

  g_assert_true (gst_pad_peer_query (t->src, query));
  gst_query_parse_seeking (query, NULL, &seekable, NULL, NULL);
  return seekable;
}

static void
test_overwrite (void)
{
  GstTestSink *t = gst_test_sink_new (NULL);
  const guint8 image[] = { 0, 1, 2, 'd', 'e', 'f', 200, 201 };

  g_assert_true (g_file_set_contents (t->path, "abcdef", 6, NULL));
  gst_test_sink_set (t, "file-mode", "overwrite");
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  g_assert_true (is_seekable (t));
  g_assert_cmpint (gst_test_sink_position (t), ==, 0);
  g_assert_cmpint (gst_test_sink_push (t, 3), ==, GST_FLOW_OK);
  gst_test_sink_push_eos (t);
  gst_test_assert_file (t->path, (const guint8 *) "\0\1\2def", 6);
  gst_test_sink_stop (t);
  gst_test_assert_file (t->path, (const guint8 *) "\0\1\2def", 6);

  /* It also makes a file, and one longer. */
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  gst_test_sink_segment (t, GST_FORMAT_BYTES, 6);
  t->next = 200;
  g_assert_cmpint (gst_test_sink_push (t, 2), ==, GST_FLOW_OK);
  gst_test_sink_stop (t);
  gst_test_assert_file (t->path, image, sizeof image);
  g_assert_cmpint (g_remove (t->path), ==, 0);
  t->next = 0;
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  g_assert_cmpint (gst_test_sink_push (t, 2), ==, GST_FLOW_OK);
  gst_test_sink_stop (t);
  gst_test_assert_file (t->path, image, 2);
  gst_test_sink_free (t);
}

/* With blocks allocated ahead too, which are cut off again: not the file. */
static void
test_overwrite_preallocated (void)
{
  GstTestSink *t = gst_test_sink_new (NULL);
  g_autofree guint8 *image = g_malloc (300000);

  for (guint i = 0; i < 300000; i++)
    image[i] = i < 100000 ? i : 7;
  {
    g_autofree guint8 *old = g_malloc (300000);

    memset (old, 7, 300000);
    g_assert_true (g_file_set_contents (t->path, (const char *) old, 300000, NULL));
  }
  gst_test_sink_set (t, "file-mode", "overwrite");
  gst_test_sink_set (t, "preallocate", "1000000");
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  g_assert_cmpint (gst_test_sink_push (t, 100000), ==, GST_FLOW_OK);
  gst_test_sink_stop (t);
  gst_test_assert_file (t->path, image, 300000);
  gst_test_sink_free (t);
}

/* All ways to say it, with and without what makes the end of the file move meanwhile. */
static void
append_with (const char *name, const char *value, const char *direct, const char *preallocate)
{
  GstTestSink *t = gst_test_sink_new (NULL);
  g_autofree guint8 *image = g_malloc (3 + 150000);

  memcpy (image, "old", 3);
  for (guint i = 0; i < 150000; i++)
    image[3 + i] = (guint8) i;
  g_assert_true (g_file_set_contents (t->path, "old", 3, NULL));
  gst_test_sink_set (t, name, value);
  gst_test_sink_set (t, "direct", direct);
  gst_test_sink_set (t, "preallocate", preallocate);
  gst_test_sink_set (t, "max-in-flight", "4");
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  g_assert_false (is_seekable (t));
  g_assert_cmpint (gst_test_sink_push (t, 50000), ==, GST_FLOW_OK);
  g_assert_cmpint (gst_test_sink_push (t, 100000), ==, GST_FLOW_OK);
  g_assert_cmpint (gst_test_sink_position (t), ==, 150000);
  gst_test_sink_stop (t);
  gst_test_assert_file (t->path, image, 150003);
  gst_test_sink_assert_no_error (t);
  gst_test_sink_free (t);
}

static void
test_append (void)
{
  append_with ("append", "true", "no", "0");
  append_with ("file-mode", "append", "no", "0");
  append_with ("file-mode", "append", "auto", "0");
  append_with ("file-mode", "append", "no", "10000000");
  append_with ("file-mode", "append", "auto", "10000000");
}

/* Direct I/O */

static gboolean
can_be_direct (const char *dir)
{
  g_autofree char *path = g_build_filename (dir, "direct", NULL);
  int fd = open (path, O_RDWR | O_CREAT | O_DIRECT, 0600);

  if (fd < 0)
    return FALSE;
  close (fd);
  g_remove (path);
  return TRUE;
}

static void
test_direct (void)
{
  GstTestSink *t = gst_test_sink_new (NULL);
  g_autoptr (GstStructure) stats = NULL;
  gboolean direct = FALSE;

  if (!can_be_direct (t->dir))
    {
      g_test_skip ("the file system of /var/tmp has no direct I/O");
      gst_test_sink_free (t);
      return;
    }
  gst_test_sink_set (t, "direct", "yes");
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  g_assert_cmpint (get_open_flags (t->path) & O_DIRECT, ==, O_DIRECT);
  g_object_get (t->sink, "io-stats", &stats, NULL);
  g_assert_true (gst_structure_get_boolean (stats, "direct", &direct));
  g_assert_true (direct);
  /* Of no size that a disk would like. */
  for (guint i = 0; i < 30; i++)
    g_assert_cmpint (gst_test_sink_push (t, 100001), ==, GST_FLOW_OK);
  for (guint i = 0; i < 30; i++)
    g_assert_cmpint (gst_test_sink_push (t, 77), ==, GST_FLOW_OK);
  gst_test_sink_push_eos (t);
  gst_test_sink_assert_counting (t, 30 * (100001 + 77));
  gst_test_sink_stop (t);
  gst_test_sink_assert_counting (t, 30 * (100001 + 77));
  gst_test_sink_free (t);
}

static void
test_direct_impossible (void)
{
  GstTestSink *t = gst_test_sink_new ("/dev/null");
  g_autoptr (GstStructure) stats = NULL;

  gst_test_sink_set (t, "direct", "yes");
  g_assert_cmpint (gst_element_set_state (t->sink, GST_STATE_READY), ==, GST_STATE_CHANGE_FAILURE);
  g_assert_cmpint (gst_test_sink_assert_error (t, GST_RESOURCE_ERROR_OPEN_WRITE, "no direct I/O"),
                   ==, EINVAL);
  gst_test_sink_set (t, "direct", "auto");
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  g_object_get (t->sink, "io-stats", &stats, NULL);
  g_assert_cmpstr (gst_structure_get_string (stats, "direct-reason"), ==,
                   "it cannot be opened for direct I/O");
  g_assert_cmpint (gst_test_sink_push (t, 100), ==, GST_FLOW_OK);
  gst_test_sink_push_eos (t);
  gst_test_sink_free (t);
}

/* A pipe is opened as ever: with O_RDWR it would have its reader. */
static void
test_direct_pipe (void)
{
  Fifo *fifo = fifo_new ();

  gst_test_sink_set (fifo->sink, "direct", "auto");
  gst_test_sink_play (fifo->sink, GST_FORMAT_BYTES);
  g_assert_cmpint (get_open_flags (fifo->path) & (O_ACCMODE | O_DIRECT), ==, O_WRONLY);
  fifo_thaw (fifo);
  g_assert_cmpint (gst_test_sink_push (fifo->sink, 100000), ==, GST_FLOW_OK);
  fifo_finish (fifo, 100000);
}

/* Allocation */

static GstQuery *
propose (GstTestSink *t, const char *caps_text)
{
  g_autoptr (GstCaps) caps = caps_text != NULL ? gst_caps_from_string (caps_text) : NULL;
  GstQuery *query = gst_query_new_allocation (caps, TRUE);

  gst_pad_peer_query (t->src, query);
  return query;
}

#define RAW_VIDEO "video/x-raw,format=I420,width=1920,height=1080,framerate=30/1"
#define RAW_SIZE (1920 * 1080 * 3 / 2)

static void
assert_proposed (const char *hold, const char *caps, guint expected)
{
  GstTestSink *t = gst_test_sink_new (NULL);
  g_autoptr (GstQuery) query = NULL;
  GstBufferPool *pool;
  guint size, min, max;

  gst_test_sink_set (t, "hold", hold);
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  query = propose (t, caps);
  g_assert_cmpuint (gst_query_get_n_allocation_params (query), ==, 0);
  g_assert_cmpuint (gst_query_get_n_allocation_pools (query), ==, expected != 0);
  if (expected != 0)
    {
      gst_query_parse_nth_allocation_pool (query, 0, &pool, &size, &min, &max);
      g_assert_null (pool);
      g_assert_cmpuint (size, ==, RAW_SIZE);
      g_assert_cmpuint (min, ==, expected);
      g_assert_cmpuint (max, ==, 0);
    }
  gst_test_sink_free (t);
}

static void
test_allocation (void)
{
  assert_proposed ("auto", NULL, 0);
  assert_proposed ("auto", "image/jpeg", 0);
  assert_proposed ("auto", RAW_VIDEO, 1);
  assert_proposed ("ref", RAW_VIDEO, 64 * 1024 * 1024 / RAW_SIZE);
  assert_proposed ("ref", "image/jpeg", 0);
  assert_proposed ("copy", RAW_VIDEO, 0);
}

static void
test_allocation_direct (void)
{
  GstTestSink *t = gst_test_sink_new (NULL);
  g_autoptr (GstQuery) query = NULL;
  GstAllocator *allocator;
  GstAllocationParams params;

  if (!can_be_direct (t->dir))
    {
      g_test_skip ("the file system of /var/tmp has no direct I/O");
      gst_test_sink_free (t);
      return;
    }
  gst_test_sink_set (t, "direct", "yes");
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  query = propose (t, "image/jpeg");
  g_assert_cmpuint (gst_query_get_n_allocation_pools (query), ==, 0);
  g_assert_cmpuint (gst_query_get_n_allocation_params (query), ==, 1);
  gst_query_parse_nth_allocation_param (query, 0, &allocator, &params);
  g_assert_null (allocator);
  g_assert_cmpuint (params.align, >=, 4095);
  g_assert_cmpuint (params.align & (params.align + 1), ==, 0);
  gst_test_sink_free (t);
}

int
main (int argc, char **argv)
{
  gst_test_init (&argc, &argv);
  gaio_test_add ("/file-sink/open/o-sync", test_o_sync);
  gaio_test_add ("/file-sink/open/overwrite", test_overwrite);
  gaio_test_add ("/file-sink/open/overwrite/preallocated", test_overwrite_preallocated);
  gaio_test_add ("/file-sink/open/append", test_append);
  gaio_test_add ("/file-sink/open/direct", test_direct);
  gaio_test_add ("/file-sink/open/direct/impossible", test_direct_impossible);
  gaio_test_add ("/file-sink/open/direct/pipe", test_direct_pipe);
  gaio_test_add ("/file-sink/open/allocation", test_allocation);
  gaio_test_add ("/file-sink/open/allocation/direct", test_allocation_direct);
  return g_test_run ();
}
