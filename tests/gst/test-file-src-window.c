/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The window of gaiofilesrc: what is read before somebody wants it, what is not, and what becomes
 * of the memory. */

#include "src-test.h"

/* Large ones share what was read: in push, and with a size that the reads are no multiple of. */
static void
test_shares (void)
{
  Source *source = source_new (SIZE);
  g_autoptr (GstElement) src = make ("gaiofilesrc", source->path);
  GstPad *pad = start_pull (src);
  guint n_shared = 0;

  for (guint64 offset = 0; offset < 40 * 70000; offset += 70000)
    {
      g_autoptr (GstBuffer) buffer = NULL;

      g_assert_cmpint (gst_pad_get_range (pad, offset, 70000, &buffer), ==, GST_FLOW_OK);
      g_assert_cmpuint (gst_buffer_n_memory (buffer), ==, 1);
      n_shared += GST_MEMORY_IS_READONLY (gst_buffer_peek_memory (buffer, 0));
    }
  g_assert_cmpuint (n_shared, ==, 40);
  stop_pull (src, pad);
  source_free (source);
}

/* Few bytes do not keep the many alive that were read with them; and who goes back a little finds
 * what was there. */
static void
test_small_ones (void)
{
  Source *source = source_new (SIZE);
  g_autoptr (GstElement) src = make ("gaiofilesrc", source->path);
  GstPad *pad = start_pull (src);
  guint64 reads;

  for (guint64 offset = 0; offset < 2000000; offset += 5000)
    {
      g_autoptr (GstBuffer) buffer = NULL;
      gsize max;

      g_assert_cmpint (gst_pad_get_range (pad, offset, 5000, &buffer), ==, GST_FLOW_OK);
      gst_buffer_get_sizes (buffer, NULL, &max);
      g_assert_cmpuint (max, <=, 16 * 5000 + 15);
    }
  reads = stat_of (src, "reads");
  for (guint64 offset = 1000000; offset < 2000000; offset += 5000)
    assert_range (pad, source->data, offset, 5000, 5000);
  g_assert_cmpuint (stat_of (src, "reads"), ==, reads);
  stop_pull (src, pad);
  source_free (source);
}

/* Memory that is shared outlives the element, and its file. */
static void
test_buffer_outlives (void)
{
  Source *source = source_new (SIZE);
  g_autoptr (GstElement) src = make ("gaiofilesrc", source->path);
  GstPad *pad = start_pull (src);
  GstBuffer *buffers[40] = { NULL };

  for (guint i = 0; i < G_N_ELEMENTS (buffers); i++)
    g_assert_cmpint (gst_pad_get_range (pad, i * 70000, 70000, &buffers[i]), ==, GST_FLOW_OK);
  stop_pull (src, pad);
  g_clear_object (&src);
  for (guint i = 0; i < G_N_ELEMENTS (buffers); i++)
    {
      g_assert_cmpint (gst_buffer_memcmp (buffers[i], 0, source->data + i * 70000, 70000), ==, 0);
      buffers[i] = gst_buffer_make_writable (buffers[i]);
      gst_buffer_memset (buffers[i], 0, 1, 70000);
      gst_buffer_unref (buffers[i]);
    }
  source_free (source);
}

/* Pull */

static void
test_random_ranges (void)
{
  static const guint64 windows[] = { 0, 10000, 500000, 8 * 1024 * 1024 };
  Source *source = source_new (SIZE);

  for (guint i = 0; i < G_N_ELEMENTS (windows); i++)
    {
      g_autoptr (GstElement) src = make ("gaiofilesrc", source->path);
      guint64 next = 0;
      GstPad *pad;

      g_object_set (src, "read-ahead", windows[i], "read-size", 65536, NULL);
      pad = start_pull (src);
      for (guint j = 0; j < 2000; j++)
        {
          guint most = g_test_rand_int_range (0, 20) == 0 ? 400000 : 3000;
          guint64 offset = next;
          guint size = g_test_rand_int_range (1, most);

          switch (g_test_rand_int_range (0, 6))
            {
            case 0:
              offset = g_test_rand_int_range (0, SIZE);
              break;
            case 1:
              offset -= MIN (offset, (guint64) g_test_rand_int_range (0, 100000));
              break;
            case 2:
              offset += g_test_rand_int_range (0, 100000);
              break;
            default:
              break;
            }
          if (offset >= SIZE)
            offset = 0;
          assert_range (pad, source->data, offset, size, MIN (size, SIZE - offset));
          next = offset + size;
        }
      g_assert_cmpuint (stat_of (src, "bytes-thrown-away"), <=, stat_of (src, "bytes-read"));
      stop_pull (src, pad);
      g_assert_cmpuint (stat_of (src, "bytes-used"), >, 0);
    }
  source_free (source);
}

/* Who jumps about gets no more than the pages that are wanted. */
static void
test_random_wastes_little (void)
{
  Source *source = source_new (SIZE);
  g_autoptr (GstElement) src = make ("gaiofilesrc", source->path);
  GstPad *pad = start_pull (src);

  for (guint i = 1; i <= 300; i++)
    {
      /* No two of them neighbours. */
      guint64 offset = (i * 7919 % 380) * 8192 + 100;

      assert_range (pad, source->data, offset, 1000, 1000);
    }
  g_assert_cmpuint (stat_of (src, "bytes-used"), ==, 300 * 1000);
  g_assert_cmpuint (stat_of (src, "bytes-read"), <=, 300 * 4096);
  g_assert_cmpuint (stat_of (src, "misses"), ==, 300);
  stop_pull (src, pad);
  source_free (source);
}

/* Who reads in order waits for few reads, and each byte is read once. */
static void
test_order_is_read_once (void)
{
  Source *source = source_new (SIZE);
  g_autoptr (GstElement) src = make ("gaiofilesrc", source->path);
  GstPad *pad = start_pull (src);

  for (guint64 offset = 0; offset < SIZE; offset += 1000)
    assert_range (pad, source->data, offset, 1000, MIN (1000, SIZE - offset));
  g_assert_cmpuint (stat_of (src, "bytes-used"), ==, SIZE);
  g_assert_cmpuint (stat_of (src, "bytes-read"), ==, SIZE);
  g_assert_cmpuint (stat_of (src, "misses"), ==, 1);
  g_assert_cmpuint (stat_of (src, "reads"), <=, 12);
  stop_pull (src, pad);
  g_assert_cmpuint (stat_of (src, "bytes-thrown-away"), ==, 0);
  source_free (source);
}

/* As a demuxer reads a file whose streams lie apart. */
static void
test_two_places (void)
{
  Source *source = source_new (SIZE);
  g_autoptr (GstElement) src = make ("gaiofilesrc", source->path);
  GstPad *pad = start_pull (src);
  guint64 half = SIZE / 2 / 1000 * 1000;

  g_object_set (src, "read-ahead", (guint64) 400000, NULL);
  for (guint64 offset = 0; offset < half; offset += 1000)
    {
      assert_range (pad, source->data, offset, 1000, 1000);
      assert_range (pad, source->data, half + offset, 1000, 1000);
    }
  g_assert_cmpuint (stat_of (src, "misses"), <=, 4);
  g_assert_cmpuint (stat_of (src, "level-bytes"), <=, 800000);
  /* The first runs into what the second has had. */
  g_assert_cmpuint (stat_of (src, "bytes-read"), <=, 2 * half + 1000000);
  stop_pull (src, pad);
  source_free (source);
}

/* Without a window nothing is read that is not wanted. */
static void
test_no_read_ahead (void)
{
  Source *source = source_new (SIZE);
  g_autoptr (GstElement) src = make ("gaiofilesrc", source->path);
  GstPad *pad;

  g_object_set (src, "read-ahead", (guint64) 0, NULL);
  pad = start_pull (src);
  for (guint64 offset = 0; offset < 100000; offset += 1000)
    assert_range (pad, source->data, offset, 1000, 1000);
  g_assert_cmpuint (stat_of (src, "bytes-read"), ==, 100000);
  g_assert_cmpuint (stat_of (src, "reads"), ==, 100);
  g_assert_cmpuint (stat_of (src, "hits"), ==, 0);
  /* And it can be changed any time. */
  g_object_set (src, "read-ahead", (guint64) 1000000, NULL);
  for (guint64 offset = 100000; offset < 500000; offset += 1000)
    assert_range (pad, source->data, offset, 1000, 1000);
  g_assert_cmpuint (stat_of (src, "reads"), <=, 110);
  stop_pull (src, pad);
  source_free (source);
}

int
main (int argc, char **argv)
{
  gst_test_init (&argc, &argv);
  gaio_test_add ("/file-src-window/shares", test_shares);
  gaio_test_add ("/file-src-window/small-ones", test_small_ones);
  gaio_test_add ("/file-src-window/buffer-outlives", test_buffer_outlives);
  gaio_test_add ("/file-src-window/random-ranges", test_random_ranges);
  gaio_test_add ("/file-src-window/random-wastes-little", test_random_wastes_little);
  gaio_test_add ("/file-src-window/order-is-read-once", test_order_is_read_once);
  gaio_test_add ("/file-src-window/two-places", test_two_places);
  gaio_test_add ("/file-src-window/no-read-ahead", test_no_read_ahead);
  return g_test_run ();
}
