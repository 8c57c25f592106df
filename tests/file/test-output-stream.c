/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* GaioFileOutputStream: writing, behind and not; what GIO builds on it; and the same as GIO's own.
 */

#include <sys/wait.h>

#include "stream-test.h"

#define SIZE ((gsize) 3 * 1024 * 1024 + 77)
#define PIECE 4096

/* Continues the pattern to `size`. */
static void
write_rest (GaioTestLoop *loop, gpointer stream, gsize piece, gsize size)
{
  goffset position = g_seekable_tell (stream);
  GError *error = NULL;

  while (position < (goffset) size)
    {
      gsize count = MIN (piece, size - position);
      g_autofree guint8 *data = file_test_pattern (position, count);

      g_assert_cmpint (stream_test_write (loop, stream, data, count, NULL, &error), ==, count);
      g_assert_no_error (error);
      position += count;
      g_assert_cmpint (g_seekable_tell (stream), ==, position);
    }
}

static void
test_write (GaioTestLoop *loop)
{
  static const gsize pieces[] = { 1000, 100000, 512 * 1024, 600000 };
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "a", NULL);
  GError *error = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (pieces) * 2; i++)
    {
      g_autoptr (GaioFile) file = file_test_open (loop->context, path, "w");
      g_autoptr (GOutputStream) stream =
          g_object_new (GAIO_TYPE_FILE_OUTPUT_STREAM, "file", file, "write-behind",
                        i % 2 == 0 ? 1 << 20 : 0, NULL);

      write_rest (loop, stream, pieces[i / 2], SIZE);
      if (i % 4 == 0)
        {
          g_assert_true (stream_test_flush (loop, stream, &error));
          stream_test_assert_file (path, SIZE);
        }
      g_assert_true (stream_test_close (loop, stream, NULL, &error));
      g_assert_no_error (error);
      g_assert_true (gaio_file_is_closed (file));
      stream_test_assert_file (path, SIZE);
      g_assert_cmpint (stream_test_write (loop, stream, dir, 1, NULL, &error), ==, -1);
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
      g_clear_error (&error);
    }
  file_test_remove_dir (dir);
}

/* With blocking calls in between, each of which finds what came before it in the file. */
static void
test_mixed (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "a", NULL);
  g_autoptr (GOutputStream) stream = stream_test_open_output (loop, path, "w");
  g_autoptr (GFileInfo) info = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  StreamCall call = { 0 };
  goffset position = 0;

  for (int i = 0; i < 200; i++)
    {
      gsize count = g_test_rand_int_range (1, i % 5 == 0 ? 700000 : 30000);
      g_autofree guint8 *data = file_test_pattern (position, count);

      if (g_test_rand_int_range (0, 4) == 0)
        {
          g_assert_cmpint (g_output_stream_write (stream, data, count, NULL, NULL), ==, count);
          stream_test_assert_file (path, position + count);
        }
      else
        g_assert_cmpint (stream_test_write (loop, stream, data, count, NULL, NULL), ==, count);
      position += count;
      if (i % 50 == 7)
        {
          g_assert_true (g_output_stream_flush (stream, NULL, NULL));
          stream_test_assert_file (path, position);
        }
    }

  /* The attributes are of all that was written, too. */
  write_rest (loop, stream, PIECE, position + 5 * PIECE);
  info =
      g_file_output_stream_query_info (G_FILE_OUTPUT_STREAM (stream), "standard::size", NULL, NULL);
  g_assert_cmpint (g_file_info_get_size (info), ==, position + 5 * PIECE);
  g_clear_object (&info);
  write_rest (loop, stream, PIECE, position + 9 * PIECE);
  g_file_output_stream_query_info_async (G_FILE_OUTPUT_STREAM (stream), "standard::size", 0, NULL,
                                         stream_test_on_end, &call);
  result = stream_test_spin (&call, loop);
  info = g_file_output_stream_query_info_finish (G_FILE_OUTPUT_STREAM (stream), result, NULL);
  g_assert_cmpint (g_file_info_get_size (info), ==, position + 9 * PIECE);
  write_rest (loop, stream, PIECE, position + 10 * PIECE);
  g_assert_true (g_output_stream_close (stream, NULL, NULL));
  stream_test_assert_file (path, position + 10 * PIECE);
  file_test_remove_dir (dir);
}

/* A stream that is dropped has written everything. */
static void
test_dropped (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "a", NULL);
  GOutputStream *stream = stream_test_open_output (loop, path, "w");

  write_rest (loop, stream, PIECE, 50 * PIECE);
  g_object_unref (stream);
  stream_test_assert_file (path, 50 * PIECE);
  gaio_test_settle (loop);
  file_test_remove_dir (dir);
}

static void
assert_no_space (GError **error)
{
  file_test_assert_error (g_steal_pointer (error), G_IO_ERROR_NO_SPACE, ENOSPC);
}

/* A disk that is full says so to the next call, whichever it is, and to the close. */
static void
test_errors (GaioTestLoop *loop)
{
  for (int i = 0; i < 7; i++)
    {
      g_autoptr (GOutputStream) stream = stream_test_open_output (loop, "/dev/full", "w");
      g_autofree guint8 *large = g_malloc0 (700000);
      GError *error = NULL;

      if (i == 6)
        {
          g_assert_cmpint (g_output_stream_write (stream, large, 100, NULL, &error), ==, -1);
          assert_no_space (&error);
          g_assert_true (stream_test_close (loop, stream, NULL, &error));
          break;
        }
      g_assert_cmpint (stream_test_write (loop, stream, large, 100, NULL, &error), ==, 100);
      gaio_test_settle (loop);
      if (i == 0)
        g_assert_false (stream_test_flush (loop, stream, &error));
      else if (i == 1)
        g_assert_false (g_output_stream_flush (stream, NULL, &error));
      else if (i == 2)
        {
          while (stream_test_write (loop, stream, large, 1, NULL, &error) == 1)
            gaio_test_settle (loop);
        }
      else if (i == 3)
        g_assert_cmpint (stream_test_write (loop, stream, large, 700000, NULL, &error), ==, -1);
      else if (i == 4)
        g_assert_cmpint (g_output_stream_write (stream, large, 1, NULL, &error), ==, -1);
      else
        g_assert_false (g_seekable_seek (G_SEEKABLE (stream), 0, G_SEEK_SET, NULL, &error));
      assert_no_space (&error);
      g_assert_false (g_output_stream_flush (stream, NULL, &error));
      assert_no_space (&error);
      if (i % 2 == 0)
        g_assert_false (stream_test_close (loop, stream, NULL, &error));
      else
        g_assert_false (g_output_stream_close (stream, NULL, &error));
      assert_no_space (&error);
      g_assert_true (g_output_stream_is_closed (stream));
      g_assert_true (gaio_file_is_closed (
          gaio_file_output_stream_get_file (GAIO_FILE_OUTPUT_STREAM (stream))));
    }
}

static void
test_seek (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "a", NULL);
  g_autoptr (GOutputStream) stream = stream_test_open_output (loop, path, "w");
  GSeekable *seekable = G_SEEKABLE (stream);
  GError *error = NULL;

  g_assert_true (g_seekable_can_seek (seekable));
  g_assert_true (g_seekable_can_truncate (seekable));
  g_assert_cmpint (stream_test_write (loop, stream, "xxxxxx", 6, NULL, NULL), ==, 6);
  g_assert_true (g_seekable_seek (seekable, 0, G_SEEK_SET, NULL, NULL));
  write_rest (loop, stream, 5, 20);
  g_assert_true (g_seekable_seek (seekable, -10, G_SEEK_END, NULL, NULL));
  g_assert_true (g_seekable_seek (seekable, 5, G_SEEK_CUR, NULL, NULL));
  write_rest (loop, stream, 5, 100);
  g_assert_true (stream_test_flush (loop, stream, NULL));
  stream_test_assert_file (path, 100);
  write_rest (loop, stream, 5, 100);
  g_assert_true (g_seekable_truncate (seekable, 50, NULL, NULL));
  stream_test_assert_file (path, 50);
  g_assert_cmpint (g_seekable_tell (seekable), ==, 100);

  g_assert_false (g_seekable_seek (seekable, -1, G_SEEK_SET, NULL, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  g_assert_false (g_seekable_truncate (seekable, -1, NULL, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  g_assert_true (g_seekable_seek (seekable, 50, G_SEEK_SET, NULL, NULL));
  write_rest (loop, stream, 5, 60);
  g_assert_true (stream_test_close (loop, stream, NULL, NULL));
  stream_test_assert_file (path, 60);
  file_test_remove_dir (dir);
}

static void
test_append (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 1000);
  g_autoptr (GOutputStream) stream = stream_test_open_output (loop, path, "a");

  g_assert_cmpint (g_seekable_tell (G_SEEKABLE (stream)), ==, 1000);
  write_rest (loop, stream, 100, 2000);
  g_assert_true (g_seekable_seek (G_SEEKABLE (stream), 0, G_SEEK_SET, NULL, NULL));
  g_assert_cmpint (stream_test_write (loop, stream, "x", 1, NULL, NULL), ==, 1);
  g_assert_cmpint (g_seekable_tell (G_SEEKABLE (stream)), ==, 2001);
  g_assert_true (g_seekable_truncate (G_SEEKABLE (stream), 1500, NULL, NULL));
  g_assert_cmpint (g_output_stream_write (stream, "", 0, NULL, NULL), ==, 0);
  g_assert_true (g_seekable_seek (G_SEEKABLE (stream), 0, G_SEEK_END, NULL, NULL));
  write_rest (loop, stream, 100, 3000);
  g_assert_true (stream_test_close (loop, stream, NULL, NULL));
  stream_test_assert_file (path, 3000);
  file_test_remove_dir (dir);
}

static void
test_vectors (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "a", NULL);
  g_autoptr (GOutputStream) stream = stream_test_open_output (loop, path, "w");
  g_autofree guint8 *data = file_test_pattern (0, SIZE);
  gsize position = 0;

  for (int i = 0; i < 20; i++)
    {
      gsize part = i == 0 ? 65000 : i % 3 == 0 ? 40000 : 300;
      GOutputVector vectors[10];
      gsize n_written;

      for (int j = 0; j < 10; j++)
        {
          vectors[j] = (GOutputVector){ data + position, j == 4 ? 0 : part };
          position += vectors[j].size;
        }
      if (i % 2 == 0)
        g_assert_true (g_output_stream_writev (stream, vectors, 10, &n_written, NULL, NULL));
      else
        {
          g_autoptr (GAsyncResult) result = NULL;
          StreamCall call = { 0 };

          g_output_stream_writev_async (stream, vectors, 10, 0, NULL, stream_test_on_end, &call);
          result = stream_test_spin (&call, loop);
          g_assert_true (g_output_stream_writev_finish (stream, result, &n_written, NULL));
        }
      g_assert_cmpuint (n_written, ==, 9 * part);
    }
  g_assert_true (stream_test_close (loop, stream, NULL, NULL));
  stream_test_assert_file (path, position);
  file_test_remove_dir (dir);
}

static void
test_pipe (GaioTestLoop *loop)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autofree guint8 *data = g_malloc0 (200000);
  g_autoptr (GaioFile) file = NULL;
  g_autoptr (GOutputStream) stream = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  StreamCall call = { 0 };
  GError *error = NULL;
  gssize n;
  int fds[2];

  file_test_make_pipe (fds);
  file = file_test_adopt (loop->context, fds[1]);
  stream = G_OUTPUT_STREAM (gaio_file_output_stream_new (file));
  g_assert_false (g_seekable_can_seek (G_SEEKABLE (stream)));
  g_assert_false (g_seekable_can_truncate (G_SEEKABLE (stream)));
  g_assert_false (g_seekable_truncate (G_SEEKABLE (stream), 0, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED);
  g_clear_error (&error);
  g_assert_false (g_seekable_seek (G_SEEKABLE (stream), 0, G_SEEK_SET, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED);
  g_clear_error (&error);

  /* In the pipe when it ends, without a flush. */
  g_assert_cmpint (stream_test_write (loop, stream, "abc", 3, NULL, NULL), ==, 3);
  g_assert_cmpint (read (fds[0], data, 10), ==, 3);

  /* More than there is room for. What went in before the cancel is told, or the cancel. */
  g_output_stream_write_async (stream, data, 200000, 0, cancellable, stream_test_on_end, &call);
  g_assert_false (g_output_stream_flush (stream, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PENDING);
  g_clear_error (&error);
  gaio_test_settle (loop);
  g_cancellable_cancel (cancellable);
  result = stream_test_spin (&call, loop);
  n = g_output_stream_write_finish (stream, result, &error);
  if (n < 0)
    {
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      g_clear_error (&error);
    }
  g_assert_cmpint (n, <, 200000);
  close (fds[0]);
  g_assert_cmpint (stream_test_write (loop, stream, "abc", 3, NULL, &error), ==, -1);
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_BROKEN_PIPE, EPIPE);
  g_assert_true (g_output_stream_close (stream, NULL, NULL));
}

static void
test_close (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "a", NULL);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  GError *error = NULL;

  g_cancellable_cancel (cancellable);
  for (int i = 0; i < 6; i++)
    {
      g_autoptr (GaioFile) file = file_test_open (loop->context, path, "w");
      g_autoptr (GFile) gfile = g_file_new_for_path (path);
      g_autoptr (GOutputStream) stream =
          g_object_new (GAIO_TYPE_FILE_OUTPUT_STREAM, "file", file, "close-file", i < 4, NULL);
      g_autoptr (GFileInfo) info = NULL;
      g_autofree char *etag = NULL;

      write_rest (loop, stream, PIECE, 40 * PIECE);
      if (i % 2 == 0)
        g_output_stream_close (stream, i == 2 ? cancellable : NULL, &error);
      else
        stream_test_close (loop, stream, i == 3 ? cancellable : NULL, &error);
      if (i == 2 || i == 3)
        g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      else
        g_assert_no_error (error);
      g_clear_error (&error);
      stream_test_assert_file (path, 40 * PIECE);
      g_assert_cmpint (gaio_file_get_fd (file) < 0, ==, i < 4);
      etag = g_file_output_stream_get_etag (G_FILE_OUTPUT_STREAM (stream));
      info = g_file_query_info (gfile, G_FILE_ATTRIBUTE_ETAG_VALUE, 0, NULL, NULL);
      g_assert_cmpstr (etag, ==, g_file_info_get_etag (info));
    }
  gaio_test_settle (loop);
  file_test_remove_dir (dir);
}

static void
test_no_file (GaioTestLoop *loop)
{
  g_autoptr (GOutputStream) stream = g_object_new (GAIO_TYPE_FILE_OUTPUT_STREAM, NULL);
  GError *error = NULL;

  g_assert_cmpint (stream_test_write (loop, stream, "a", 1, NULL, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_clear_error (&error);
  g_assert_true (g_output_stream_close (stream, NULL, NULL));
}

/* While the pool does nothing the window fills up, a write has to wait, and is cancelled: nothing
 * of it gets into the file, and all that was taken does, written by whoever closes the stream. */

static gpointer
close_blocking (gpointer data)
{
  g_assert_true (g_output_stream_close (data, NULL, NULL));
  return NULL;
}

static void
test_stalled (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "a", NULL);
  g_autofree guint8 *data = g_malloc0 (700000);
  const gsize full = 1024 * 1024;

  for (int i = 0; i < 4; i++)
    {
      g_autoptr (GOutputStream) stream = stream_test_open_output (loop, path, "w");
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      g_autoptr (GAsyncResult) result = NULL;
      StreamCall call = { 0 };
      StreamPoolHold hold;
      GError *error = NULL;

      stream_test_hold_pool (&hold, loop);
      write_rest (loop, stream, full / 2, full);
      if (i == 3)
        g_output_stream_flush_async (stream, 0, cancellable, stream_test_on_end, &call);
      else
        g_output_stream_write_async (stream, data, i == 2 ? 700000 : 1, 0, cancellable,
                                     stream_test_on_end, &call);
      gaio_test_settle (loop);
      g_assert_cmpint (call.ended, ==, 0);
      if (i == 1)
        {
          /* It goes on where there is room. */
          data[0] = file_test_byte (full);
          stream_test_release_pool (&hold, loop);
          if (call.ended == 0)
            g_object_unref (stream_test_spin (&call, loop));
          else
            g_clear_object (&call.result);
          write_rest (loop, stream, 1000, full + 5000);
          g_assert_true (stream_test_close (loop, stream, NULL, &error));
          stream_test_assert_file (path, full + 5000);
          continue;
        }
      g_cancellable_cancel (cancellable);
      g_assert_cmpint (call.ended, ==, 0);
      result = stream_test_spin (&call, loop);
      if (i == 3)
        g_assert_false (g_output_stream_flush_finish (stream, result, &error));
      else
        g_assert_cmpint (g_output_stream_write_finish (stream, result, &error), ==, -1);
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      g_clear_error (&error);
      g_assert_cmpint (g_seekable_tell (G_SEEKABLE (stream)), ==, full);
      /* In a thread that is not the home, which does not turn. */
      g_thread_join (g_thread_new ("closer", close_blocking, stream));
      stream_test_assert_file (path, full);
      stream_test_release_pool (&hold, loop);
      gaio_test_settle (loop);
    }
  file_test_remove_dir (dir);
}

/* The file in one context, who writes in another. */
static void
test_other_context (void)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "a", NULL);
  g_autoptr (GMainContext) main_context = g_main_context_new ();
  GaioIOThread *thread = gaio_io_thread_new ("files", NULL);
  g_autoptr (GaioFile) file = NULL;
  g_autoptr (GOutputStream) stream = NULL;

  g_main_context_push_thread_default (main_context);
  file = file_test_open (gaio_io_thread_get_context (thread), path, "w");
  stream = G_OUTPUT_STREAM (gaio_file_output_stream_new (file));
  for (goffset position = 0; position < (goffset) SIZE;)
    {
      gsize count = MIN (10000, SIZE - position);
      g_autofree guint8 *data = file_test_pattern (position, count);
      StreamCall call = { 0 };

      g_output_stream_write_async (stream, data, count, 0, NULL, stream_test_on_end, &call);
      while (call.ended == 0)
        g_main_context_iteration (main_context, TRUE);
      g_assert_true (call.thread == g_thread_self ());
      g_assert_cmpint (g_output_stream_write_finish (stream, call.result, NULL), ==, count);
      g_object_unref (call.result);
      position += count;
      if (position % 170000 == 0)
        g_assert_true (g_output_stream_flush (stream, NULL, NULL));
    }
  g_assert_true (g_output_stream_close (stream, NULL, NULL));
  stream_test_assert_file (path, SIZE);
  g_main_context_pop_thread_default (main_context);
  gaio_io_thread_stop (thread);
  g_object_unref (thread);
  file_test_remove_dir (dir);
}

#ifndef __SANITIZE_THREAD__
/* What GIO builds on it */

static void
test_converters (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "a.gz", NULL);
  g_autoptr (GConverter) deflate =
      G_CONVERTER (g_zlib_compressor_new (G_ZLIB_COMPRESSOR_FORMAT_GZIP, 1));
  g_autoptr (GConverter) inflate =
      G_CONVERTER (g_zlib_decompressor_new (G_ZLIB_COMPRESSOR_FORMAT_GZIP));
  g_autoptr (GOutputStream) output = stream_test_open_output (loop, path, "w");
  g_autoptr (GOutputStream) compressed = g_converter_output_stream_new (output, deflate);
  g_autofree guint8 *data = file_test_pattern (0, SIZE);
  g_autoptr (GInputStream) input = NULL;
  g_autoptr (GInputStream) inflated = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  StreamCall call = { 0 };
  GError *error = NULL;
  gsize n;

  g_output_stream_write_all_async (compressed, data, SIZE, 0, NULL, stream_test_on_end, &call);
  result = stream_test_spin (&call, loop);
  g_assert_true (g_output_stream_write_all_finish (compressed, result, &n, &error));
  g_assert_cmpuint (n, ==, SIZE);
  g_assert_true (stream_test_close (loop, compressed, NULL, &error));

  memset (data, 0, SIZE);
  input = stream_test_open_input (loop, path);
  inflated = g_converter_input_stream_new (input, inflate);
  g_clear_object (&result);
  g_input_stream_read_all_async (inflated, data, SIZE, 0, NULL, stream_test_on_end, &call);
  result = stream_test_spin (&call, loop);
  g_assert_true (g_input_stream_read_all_finish (inflated, result, &n, &error));
  g_assert_cmpuint (n, ==, SIZE);
  file_test_assert_pattern (data, 0, SIZE);
  g_clear_object (&inflated);
  g_clear_object (&input);
  file_test_remove_dir (dir);
}
#endif

/* To and from the streams of GIO, and from ours to ours. */
static void
test_splice (GaioTestLoop *loop)
{
  const GOutputStreamSpliceFlags both =
      G_OUTPUT_STREAM_SPLICE_CLOSE_SOURCE | G_OUTPUT_STREAM_SPLICE_CLOSE_TARGET;
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", SIZE);
  g_autofree char *copy = g_build_filename (dir, "b", NULL);
  g_autoptr (GFile) gfile = g_file_new_for_path (path);
  g_autoptr (GFile) gcopy = g_file_new_for_path (copy);
  GError *error = NULL;
  int first = 0;
  int step = 1;

#ifdef __SANITIZE_THREAD__
  /* Not with GIO's streams: how their threads hand a byte over it cannot see, and it thinks about
   * each for long. */
  first = 2;
  step = 3;
#endif
  for (int i = first; i < 12; i += step)
    {
      g_autoptr (GInputStream) source = i % 3 == 0
                                            ? G_INPUT_STREAM (g_file_read (gfile, NULL, NULL))
                                            : stream_test_open_input (loop, path);
      g_autoptr (GOutputStream) target =
          i % 3 == 1 ? G_OUTPUT_STREAM (g_file_replace (gcopy, NULL, FALSE, 0, NULL, NULL))
                     : stream_test_open_output (loop, copy, "w");
      GOutputStreamSpliceFlags flags = i < 6 ? both : G_OUTPUT_STREAM_SPLICE_NONE;
      gssize n = i % 2 == 0 ? stream_test_splice (loop, target, source, flags, &error)
                            : g_output_stream_splice (target, source, flags, NULL, &error);

      g_assert_no_error (error);
      g_assert_cmpint (n, ==, SIZE);
      g_assert_cmpint (g_input_stream_is_closed (source), ==, i < 6);
      g_assert_cmpint (g_output_stream_is_closed (target), ==, i < 6);
      g_assert_false (g_output_stream_has_pending (target));
      g_assert_cmpint (g_output_stream_write_all (target, "x", 1, NULL, NULL, NULL), ==, i >= 6);
      g_output_stream_close (target, NULL, NULL);
      if (i < 6)
        stream_test_assert_file (copy, SIZE);
    }

  /* Errors: of the write, of the read, and of the close, which is the only one that says so. */
  for (int i = 0; i < 6; i++)
    {
      g_autoptr (GaioFile) closed = file_test_open (loop->context, path, "r");
      g_autoptr (GInputStream) source = G_INPUT_STREAM (gaio_file_input_stream_new (closed));
      g_autoptr (GOutputStream) target =
          stream_test_open_output (loop, i < 4 ? "/dev/full" : copy, "w");
      int code = i < 4 ? G_IO_ERROR_NO_SPACE : G_IO_ERROR_CLOSED;
      gssize n;

      if (i == 2 || i == 3)
        g_seekable_seek (G_SEEKABLE (source), -10, G_SEEK_END, NULL, NULL);
      if (i >= 4)
        gaio_file_close (closed, NULL, NULL);
      n = i % 2 == 0 ? stream_test_splice (loop, target, source, both, &error)
                     : g_output_stream_splice (target, source, both, NULL, &error);
      g_assert_cmpint (n, ==, -1);
      g_assert_error (error, G_IO_ERROR, code);
      g_clear_error (&error);
      g_assert_true (g_input_stream_is_closed (source));
      g_assert_true (g_output_stream_is_closed (target));
    }
  gaio_test_settle (loop);
  file_test_remove_dir (dir);
}

/* In a child what was taken is the parent's, who writes it: nothing waits for that. */
static void
test_fork (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "a", NULL);
  g_autoptr (GOutputStream) stream = stream_test_open_output (loop, path, "w");
  StreamPoolHold hold;
  GError *error = NULL;
  int status;
  pid_t child;

  stream_test_hold_pool (&hold, loop);
  write_rest (loop, stream, 1000, 5000);
  child = fork ();
  if (child == 0)
    {
      gboolean good;

      alarm (20);
      good = stream_test_write (loop, stream, "x", 1, NULL, &error) == -1 &&
             g_error_matches (error, G_IO_ERROR, G_IO_ERROR_FAILED);
      g_clear_error (&error);
      good &= stream_test_flush (loop, stream, NULL);
      good &= !stream_test_close (loop, stream, NULL, &error) &&
              g_error_matches (error, G_IO_ERROR, G_IO_ERROR_FAILED);
      _exit (good ? 0 : 1);
    }
  g_assert_cmpint (child, >, 0);
  while (waitpid (child, &status, 0) < 0)
    g_assert_cmpint (errno, ==, EINTR);
  g_assert_cmpint (status, ==, 0);
  stream_test_release_pool (&hold, loop);
  g_assert_true (stream_test_close (loop, stream, NULL, &error));
  g_assert_no_error (error);
  stream_test_assert_file (path, 5000);
  file_test_remove_dir (dir);
}

/* A write of a direct file waits for a request to the same part of it. It must not have a thread
 * while it does, or the request would never get one. */
static void
test_direct (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 0);
  g_autoptr (GaioFile) file = NULL;
  g_autoptr (GOutputStream) stream = NULL;
  g_autoptr (GBytes) bytes = g_bytes_new_static ("12345", 5);
  g_autoptr (GAsyncResult) written = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GError) error = NULL;
  FileTestCall call = { 0 };
  StreamCall write = { 0 };
  StreamPoolHold hold;
  guint max_threads;
  int fd = open (path, O_RDWR | O_DIRECT | O_CLOEXEC);

  if (fd < 0)
    {
      g_test_skip ("the temporary directory has no O_DIRECT");
      file_test_remove_dir (dir);
      return;
    }
  file = file_test_adopt (loop->context, fd);
  stream = G_OUTPUT_STREAM (gaio_file_output_stream_new (file));
  stream_test_hold_pool (&hold, loop);
  max_threads = hold.max_threads;
  hold.max_threads = 1;
  g_output_stream_write_async (stream, "ab", 2, 0, NULL, stream_test_on_end, &write);
  gaio_file_write_bytes_async (file, 1, bytes, 0, NULL, file_test_on_end, &call);
  stream_test_release_pool (&hold, loop);
  while (call.ended == 0 || write.ended == 0)
    gaio_test_turn (loop, FALSE);
  written = write.result;
  result = call.result;
  g_assert_cmpint (g_output_stream_write_finish (stream, written, &error), ==, 2);
  g_assert_no_error (error);
  g_assert_true (gaio_file_write_bytes_finish (file, result, &error));
  g_assert_no_error (error);
  g_assert_true (stream_test_close (loop, stream, NULL, &error));
  g_assert_no_error (error);
  gaio_thread_pool_set_max_threads (gaio_thread_pool_get_default (), max_threads);
  file_test_remove_dir (dir);
}

/* The same operations on this stream and on GIO's, at random. */
static void
test_model (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 100);
  g_autofree char *model_path = file_test_make_file (dir, "b", 100);
  g_autofree guint8 *data = file_test_pattern (0, 1 << 21);

  for (int append = 0; append < 2; append++)
    {
      g_autoptr (GFile) gfile = g_file_new_for_path (model_path);
      g_autoptr (GOutputStream) stream = stream_test_open_output (loop, path, append ? "a" : "w");
      g_autoptr (GOutputStream) model =
          G_OUTPUT_STREAM (append ? g_file_append_to (gfile, 0, NULL, NULL)
                                  : g_file_replace (gfile, NULL, FALSE,
                                                    G_FILE_CREATE_REPLACE_DESTINATION, NULL, NULL));
      GSeekable *seekables[] = { G_SEEKABLE (stream), G_SEEKABLE (model) };

      /* Where GIO's begins depends on its version. */
      for (int j = 0; j < 2 && append; j++)
        g_assert_true (g_seekable_seek (seekables[j], 0, G_SEEK_END, NULL, NULL));
      for (int i = 0; i < 600; i++)
        {
          gsize count = g_test_rand_int_range (1, 1 << g_test_rand_int_range (1, 20));
          goffset offset = g_test_rand_int_range (-200, 1 << g_test_rand_int_range (1, 21));
          GSeekType type = (GSeekType[]){ G_SEEK_CUR, G_SEEK_SET, G_SEEK_END }[i % 3];
          guint8 *piece = data + g_test_rand_int_range (0, 1 << 20);
          int operation = g_test_rand_int_range (0, 24);
          gssize n[2];
          int codes[2];

          for (int j = 0; j < 2; j++)
            {
              GOutputStream *one = j == 0 ? stream : model;
              g_autoptr (GError) error = NULL;

              if (operation == 0)
                n[j] = g_seekable_truncate (seekables[j], offset, NULL, &error);
              else if (operation < 4)
                n[j] = g_seekable_seek (seekables[j], type == G_SEEK_SET ? offset : -offset / 4,
                                        type, NULL, &error);
              else if (operation == 4)
                n[j] = g_output_stream_flush (one, NULL, &error);
              else if (operation < 7 || j == 1)
                n[j] = g_output_stream_write (one, piece, count, NULL, &error);
              else
                n[j] = stream_test_write (loop, one, piece, count, NULL, &error);
              codes[j] = error != NULL ? error->code : -1;
            }
          g_assert_cmpint (n[0], ==, n[1]);
          g_assert_cmpint (codes[0], ==, codes[1]);
          g_assert_cmpint (g_seekable_tell (seekables[0]), ==, g_seekable_tell (seekables[1]));
        }
      g_assert_true (stream_test_close (loop, stream, NULL, NULL));
      g_assert_true (g_output_stream_close (model, NULL, NULL));
      stream_test_assert_same_files (path, model_path);
    }
  file_test_remove_dir (dir);
}

int
main (int argc, char *argv[])
{
  gaio_test_init (&argc, &argv);
  signal (SIGPIPE, SIG_IGN);
  gaio_test_add_engine_matrix ("/output-stream/write", test_write);
  gaio_test_add_engine_matrix ("/output-stream/mixed", test_mixed);
  gaio_test_add_engine_matrix ("/output-stream/dropped", test_dropped);
  gaio_test_add_engine_matrix ("/output-stream/errors", test_errors);
  gaio_test_add_engine_matrix ("/output-stream/seek", test_seek);
  gaio_test_add_engine_matrix ("/output-stream/append", test_append);
  gaio_test_add_engine_matrix ("/output-stream/vectors", test_vectors);
  gaio_test_add_engine_matrix ("/output-stream/pipe", test_pipe);
  gaio_test_add_engine_matrix ("/output-stream/close", test_close);
  gaio_test_add_engine_matrix ("/output-stream/no-file", test_no_file);
  gaio_test_add_engine_matrix ("/output-stream/stalled", test_stalled);
  gaio_test_add ("/output-stream/other-context", test_other_context);
#ifndef __SANITIZE_THREAD__
  /* GIO's threads again. */
  gaio_test_add_engine_matrix ("/output-stream/converters", test_converters);
#endif
  gaio_test_add_engine_matrix ("/output-stream/splice", test_splice);
  gaio_test_add_engine_matrix ("/output-stream/fork", test_fork);
  gaio_test_add_engine_matrix ("/output-stream/direct", test_direct);
  gaio_test_add_engine_matrix ("/output-stream/model", test_model);
  return g_test_run ();
}
