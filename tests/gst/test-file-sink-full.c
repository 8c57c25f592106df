/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* gaiofilesink where there is no room, at every place of a small file: before, inside and after a
 * buffer, a list, a patch of what was written before, a block, a chunk.
 *
 * A limit on the size of files fails at any byte, and what must be then is known to the byte. A
 * file system that is full fails at a block. In each case there is one error message with the
 * place, no EOS message, the file has everything before that place, and the sink stops. */

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "file-mount.h"
#include "gst-test-stream.h"

/* Plays the stream with files limited to so many bytes. What the test itself writes meanwhile is
 * limited too, but nothing is. */
static GstTestOutcome *
run_limited (GstTestStream *stream, GstTestSink *t, guint64 n_bytes)
{
  struct rlimit limit;
  struct rlimit before;
  GstTestOutcome *outcome;

  g_assert_cmpint (getrlimit (RLIMIT_FSIZE, &before), ==, 0);
  limit = before;
  limit.rlim_cur = n_bytes;
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &limit), ==, 0);
  outcome = gst_test_stream_run (stream, t);
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &before), ==, 0);
  return outcome;
}

/* The number of bytes of the stream that come before the first that may not be written. */
static gsize
count_allowed (GstTestStream *stream, gsize size, guint64 limit)
{
  gsize n = 0;

  while (n < size && gst_test_stream_get_offset (stream, n) < limit)
    n++;
  return n;
}

static void
limit_everywhere (guint32 seed, gsize size, gsize max_buffer, GstTestStreamFlags flags, gsize step)
{
  g_autoptr (GstTestStream) stream = gst_test_stream_new (seed, size, max_buffer, flags);
  g_autoptr (GByteArray) whole = gst_test_stream_get_file (stream, size);
  GstTestSink *t = gst_test_sink_new (NULL);

  for (guint64 limit = 0; limit <= whole->len; limit += step)
    {
      g_autoptr (GstTestOutcome) outcome = run_limited (stream, t, limit);
      gsize allowed = count_allowed (stream, size, limit);

      if (allowed == size)
        {
          gst_test_stream_assert_honest (stream, outcome);
          g_assert_cmpuint (outcome->n_eos, ==, 1);
        }
      else
        {
          gst_test_stream_assert_failed (stream, outcome, GST_RESOURCE_ERROR_WRITE, EFBIG, t->path);
          g_assert_cmpuint (outcome->n_written, ==, allowed);
        }
    }
  gst_test_sink_free (t);
}

static void
test_limit (void)
{
  limit_everywhere (1, 600, 100, GST_TEST_STREAM_PLAIN, 1);
  limit_everywhere (2, 600, 60, GST_TEST_STREAM_SEEKS, 1);
  limit_everywhere (3, 400, 60, GST_TEST_STREAM_SEEKS | GST_TEST_STREAM_SYNCS, 1);
}

/* Of several blocks and chunks, with buffers that are held by reference. */
static void
test_limit_large (void)
{
  limit_everywhere (4, 3 * 1000 * 1000, 400 * 1000, GST_TEST_STREAM_PLAIN, 99991);
  limit_everywhere (5, 3 * 1000 * 1000, 400 * 1000, GST_TEST_STREAM_SEEKS, 99991);
}

/* A disk with room for so much. */

/* Takes so many bytes of it. */
static gboolean
occupy (const char *path, guint64 n_bytes)
{
  int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  gboolean ok;

  g_assert_cmpint (fd, >=, 0);
  ok = n_bytes == 0 || posix_fallocate (fd, 0, (off_t) n_bytes) == 0;
  close (fd);
  return ok;
}

static guint64
get_free (const char *dir)
{
  struct statvfs info;

  g_assert_cmpint (statvfs (dir, &info), ==, 0);
  return (guint64) info.f_bfree * info.f_frsize;
}

/* Leaves from nothing to more than is needed. `slack` is what a file system may need or find for
 * itself. */
static void
fill_everywhere (FileMount *mount, GstTestStreamFlags flags, gsize size, gsize step, gsize slack)
{
  g_autofree char *filler = g_build_filename (mount->dir, "filler", NULL);
  g_autofree char *path = g_build_filename (mount->dir, "out", NULL);
  GstTestSink *t = gst_test_sink_new (path);
  guint n_failed = 0;
  guint n_ended = 0;

  for (gsize room = 0; room <= size + slack + step; room += step)
    {
      g_autoptr (GstTestStream) stream =
          gst_test_stream_new ((guint32) room, size, size / 8, flags);
      g_autoptr (GstTestOutcome) outcome = NULL;
      guint64 all;

      /* It exists, or there might be no room for its name. */
      g_assert_true (occupy (filler, 0) && occupy (path, 0));
      all = get_free (mount->dir);
      while (!occupy (filler, all > room ? all - room : 0))
        all -= MIN (all, 4096);
      outcome = gst_test_stream_run (stream, t);
      if (outcome->n_eos == 1)
        {
          gst_test_stream_assert_honest (stream, outcome);
          n_ended++;
          continue;
        }
      gst_test_stream_assert_failed (stream, outcome, GST_RESOURCE_ERROR_NO_SPACE_LEFT, ENOSPC,
                                     path);
      n_failed++;
    }
  g_assert_cmpuint (n_failed, >, 3);
  g_assert_cmpuint (n_ended, >, 0);
  gst_test_sink_free (t);
}

static void
fill (const char *type, gsize size, gsize step, gsize slack)
{
  g_autofree char *why = NULL;
  g_autoptr (FileMount) mount = file_mount_new (type, 16 * 4096, &why);

  if (mount == NULL)
    {
      g_test_skip (why);
      return;
    }
  fill_everywhere (mount, GST_TEST_STREAM_PLAIN, size, step, slack);
  fill_everywhere (mount, GST_TEST_STREAM_SEEKS, size, step, slack);
  fill_everywhere (mount, GST_TEST_STREAM_SEEKS | GST_TEST_STREAM_SYNCS, size, step, slack);
}

static void
test_tmpfs (void)
{
  fill ("tmpfs", 40000, 4096, 0);
}

int
main (int argc, char **argv)
{
  file_mount_init ();
  gst_test_init (&argc, &argv);
  gaio_test_add ("/file-sink/full/limit", test_limit);
  gaio_test_add ("/file-sink/full/limit-large", test_limit_large);
  gaio_test_add ("/file-sink/full/tmpfs", test_tmpfs);
  return g_test_run ();
}
