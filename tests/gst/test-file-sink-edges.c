/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* gaiofilesink where few go: at the end of what a file can be, with a buffer larger than the
 * window, beside another one on the same file, and in a process that forks. */

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gst-test.h"

#define GIB (G_GUINT64_CONSTANT (1024) * 1024 * 1024)

/* No file system has files that large, or has room for no more than a few bytes there. */
static void
test_far_positions (void)
{
  static const guint64 starts[] = {
    G_MAXINT64,        G_MAXINT64 - 1,    G_MAXINT64 - 99,      G_MAXINT64 - 100,
    G_MAXINT64 - 4096, G_MAXINT64 - 8192, G_MAXINT64 - 2 * GIB,
  };
  static const char *const directs[] = { "no", "auto" };

  for (guint i = 0; i < 2 * G_N_ELEMENTS (starts); i++)
    {
      GstTestSink *t = gst_test_sink_new (NULL);
      int errnum;

      gst_test_sink_set (t, "direct", directs[i % 2]);
      gst_test_sink_set (t, "preallocate", "1048576");
      gst_test_sink_play (t, GST_FORMAT_BYTES);
      g_assert_cmpint (gst_test_sink_push (t, 1000), ==, GST_FLOW_OK);
      gst_test_sink_segment (t, GST_FORMAT_BYTES, starts[i / 2]);
      gst_test_sink_push (t, 100);
      g_assert_false (gst_pad_push_event (t->src, gst_event_new_eos ()));
      errnum = gst_test_sink_assert_error (t, GST_RESOURCE_ERROR_WRITE, t->path);
      g_assert_true (errnum == EFBIG || errnum == EINVAL);
      gst_test_sink_stop (t);
      gst_test_sink_free (t);
    }
}

/* Which no position of a file is. */
static void
test_too_far (void)
{
  static const guint64 starts[] = { (guint64) G_MAXINT64 + 1, G_MAXUINT64 - 100, G_MAXUINT64 - 1 };

  for (guint i = 0; i < G_N_ELEMENTS (starts); i++)
    {
      GstTestSink *t = gst_test_sink_new (NULL);

      gst_test_sink_play (t, GST_FORMAT_BYTES);
      g_assert_cmpint (gst_test_sink_push (t, 1000), ==, GST_FLOW_OK);
      gst_test_sink_segment (t, GST_FORMAT_BYTES, starts[i]);
      g_assert_cmpint (gst_test_sink_assert_error (t, GST_RESOURCE_ERROR_SEEK, NULL), ==, EINVAL);
      g_assert_cmpint (gst_test_sink_push (t, 100), ==, GST_FLOW_ERROR);
      gst_test_sink_stop (t);
      gst_test_sink_assert_counting (t, 1000);
      gst_test_sink_free (t);
    }
}

typedef struct
{
  gpointer data;
  gsize size;
} Mapping;

static void
mapping_free (gpointer data)
{
  Mapping *self = data;

  munmap (self->data, self->size);
  g_free (self);
}

/* Memory that takes none as long as nobody writes to it. */
static GstBuffer *
sparse_buffer (gsize size)
{
  Mapping *mapping = g_new (Mapping, 1);

  mapping->size = size;
  mapping->data = mmap (NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  g_assert_true (mapping->data != MAP_FAILED);
  return gst_buffer_new_wrapped_full (GST_MEMORY_FLAG_READONLY, mapping->data, size, 0, size,
                                      mapping, mapping_free);
}

/* It is larger than the window, and goes through alone; and larger than any write. */
static void
huge (guint64 size, const char *chunk_size)
{
  GstTestSink *t = gst_test_sink_new ("/dev/null");

  gst_test_sink_set (t, "chunk-size", chunk_size);
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  for (guint i = 0; i < 2; i++)
    {
      g_assert_cmpint (gst_test_sink_push (t, 100), ==, GST_FLOW_OK);
      g_assert_cmpint (gst_pad_push (t->src, sparse_buffer (size)), ==, GST_FLOW_OK);
    }
  gst_test_sink_push_eos (t);
  g_assert_cmpint (gst_test_sink_position (t), ==, 2 * (size + 100));
  g_assert_cmpuint (gst_test_sink_stat (t, "bytes-written"), ==, 2 * (size + 100));
  g_assert_cmpuint (gst_test_sink_stat (t, "copied-bytes"), ==, 200);
  g_assert_cmpuint (gst_test_sink_stat (t, "memory-peak"), <=, size + 100);
  g_assert_cmpuint (gst_test_sink_stat (t, "write-bytes-max"), <=,
                    g_ascii_strtoull (chunk_size, NULL, 10));
  gst_test_sink_assert_no_error (t);
  gst_test_sink_stop (t);
  gst_test_sink_free (t);
}

static void
test_huge_buffer (void)
{
  huge (GIB, "1048576");
  /* More than one system call writes. */
  huge (3 * GIB, "1073741824");
}

/* Each does with the file what it does; neither knows of the other. What is in it is of one or the
 * other at each place. */
static void
test_two_on_one_file (void)
{
  static const char *const modes[] = { "truncate", "overwrite", "append" };
  const gsize size = 300 * 1000;

  for (guint i = 0; i < G_N_ELEMENTS (modes); i++)
    {
      GstTestSink *one = gst_test_sink_new (NULL);
      GstTestSink *other = gst_test_sink_new (one->path);
      gboolean append = strcmp (modes[i], "append") == 0;
      g_autofree char *data = NULL;
      gsize length;

      gst_test_sink_set (one, "file-mode", modes[i]);
      gst_test_sink_set (other, "file-mode", modes[i]);
      gst_test_sink_play (one, GST_FORMAT_BYTES);
      gst_test_sink_play (other, GST_FORMAT_BYTES);
      for (gsize done = 0; done < size; done += 1000)
        {
          g_assert_cmpint (gst_test_sink_push (one, 1000), ==, GST_FLOW_OK);
          g_assert_cmpint (gst_test_sink_push (other, 1000), ==, GST_FLOW_OK);
        }
      gst_test_sink_push_eos (one);
      gst_test_sink_stop (one);
      gst_test_sink_push_eos (other);
      gst_test_sink_stop (other);
      gst_test_sink_assert_no_error (one);
      gst_test_sink_assert_no_error (other);

      g_assert_true (g_file_get_contents (one->path, &data, &length, NULL));
      g_assert_cmpuint (length, ==, append ? 2 * size : size);
      for (gsize j = 0; !append && j < length; j++)
        g_assert_cmpint ((guint8) data[j], ==, (guint8) j);
      gst_test_sink_free (other);
      gst_test_sink_free (one);
    }
}

/* Children that end at once, and one that lives longer than the sink: what they have of it, they
 * have as memory only. */
static void
test_fork (void)
{
  GstTestSink *t = gst_test_sink_new (NULL);
  const guint n = 20;
  pid_t children[20];
  int status;

  gst_test_sink_set (t, "max-bytes", "300000");
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  for (guint i = 0; i < n; i++)
    {
      for (guint j = 0; j < 20; j++)
        g_assert_cmpint (gst_test_sink_push (t, j % 2 == 0 ? 70 * 1000 : 100), ==, GST_FLOW_OK);
      children[i] = fork ();
      g_assert_cmpint (children[i], >=, 0);
      if (children[i] == 0 && i == 0)
        pause ();
      if (children[i] == 0)
        _exit (0);
    }
  gst_test_sink_push_eos (t);
  gst_test_sink_stop (t);
  gst_test_sink_assert_no_error (t);
  gst_test_sink_assert_counting (t, n * 10 * (70 * 1000 + 100));

  kill (children[0], SIGKILL);
  for (guint i = 0; i < n; i++)
    {
      g_assert_cmpint (waitpid (children[i], &status, 0), ==, children[i]);
      if (i > 0)
        g_assert_true (WIFEXITED (status) && WEXITSTATUS (status) == 0);
    }
  gst_test_sink_free (t);
}

int
main (int argc, char **argv)
{
  gst_test_init (&argc, &argv);
  gaio_test_add ("/file-sink/edges/far-positions", test_far_positions);
  gaio_test_add ("/file-sink/edges/too-far", test_too_far);
  gaio_test_add ("/file-sink/edges/huge-buffer", test_huge_buffer);
  gaio_test_add ("/file-sink/edges/two-on-one-file", test_two_on_one_file);
  gaio_test_add ("/file-sink/edges/fork", test_fork);
  return g_test_run ();
}
