/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* GaioFileIOStream: two streams at one place; and the same as GIO's own. */

#include "stream-test.h"

static gpointer
open_both (GaioTestLoop *loop, const char *path, const char *mode)
{
  g_autoptr (GaioFile) file = file_test_open (loop->context, path, mode);

  return gaio_file_io_stream_new (file);
}

static void
test_position (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "a", NULL);
  g_autoptr (GIOStream) stream = open_both (loop, path, "w+");
  GInputStream *input = g_io_stream_get_input_stream (stream);
  GOutputStream *output = g_io_stream_get_output_stream (stream);
  g_autoptr (GFileInfo) info = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  StreamCall call = { 0 };
  guint8 buffer[10];

  g_assert_true (GAIO_IS_FILE_INPUT_STREAM (input));
  g_assert_true (GAIO_IS_FILE_OUTPUT_STREAM (output));
  g_assert_true (g_seekable_can_seek (G_SEEKABLE (stream)));
  g_assert_true (g_seekable_can_truncate (G_SEEKABLE (stream)));
  g_assert_cmpint (stream_test_write (loop, output, "abcdef", 6, NULL, NULL), ==, 6);
  g_assert_cmpint (g_seekable_tell (G_SEEKABLE (stream)), ==, 6);
  g_assert_cmpint (g_seekable_tell (G_SEEKABLE (input)), ==, 6);
  g_assert_true (g_seekable_seek (G_SEEKABLE (stream), 2, G_SEEK_SET, NULL, NULL));
  g_assert_cmpint (stream_test_read (loop, input, buffer, 2, NULL, NULL), ==, 2);
  g_assert_cmpmem (buffer, 2, "cd", 2);
  g_assert_cmpint (g_output_stream_write (output, "xy", 2, NULL, NULL), ==, 2);
  g_assert_true (g_seekable_seek (G_SEEKABLE (input), -4, G_SEEK_CUR, NULL, NULL));
  g_assert_cmpint (g_seekable_tell (G_SEEKABLE (output)), ==, 2);
  g_assert_cmpint (stream_test_read (loop, input, buffer, 10, NULL, NULL), ==, 4);
  g_assert_cmpmem (buffer, 4, "cdxy", 4);
  g_assert_true (g_seekable_truncate (G_SEEKABLE (stream), 3, NULL, NULL));
  info = g_file_io_stream_query_info (G_FILE_IO_STREAM (stream), "standard::size", NULL, NULL);
  g_assert_cmpint (g_file_info_get_size (info), ==, 3);
  g_clear_object (&info);
  g_file_io_stream_query_info_async (G_FILE_IO_STREAM (stream), "standard::size", 0, NULL,
                                     stream_test_on_end, &call);
  result = stream_test_spin (&call, loop);
  info = g_file_io_stream_query_info_finish (G_FILE_IO_STREAM (stream), result, NULL);
  g_assert_cmpint (g_file_info_get_size (info), ==, 3);
  file_test_remove_dir (dir);
}

static void
test_close (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 100);
  g_autoptr (GFile) gfile = g_file_new_for_path (path);
  g_autoptr (GFileInfo) info =
      g_file_query_info (gfile, G_FILE_ATTRIBUTE_ETAG_VALUE, 0, NULL, NULL);
  GError *error = NULL;
  char c;

  for (int i = 0; i < 6; i++)
    {
      g_autoptr (GaioFile) file = file_test_open (loop->context, path, "r+");
      g_autoptr (GIOStream) stream =
          g_object_new (GAIO_TYPE_FILE_IO_STREAM, "file", file, "close-file", i < 4, NULL);
      GInputStream *input = g_io_stream_get_input_stream (stream);
      GOutputStream *output = g_io_stream_get_output_stream (stream);
      g_autofree char *etag = NULL;

      /* To close a half leaves the other. */
      g_assert_true (stream_test_close (loop, i < 2 ? (gpointer) output : input, NULL, &error));
      g_assert_false (gaio_file_is_closed (file));
      if (i < 2)
        g_assert_cmpint (stream_test_read (loop, input, &c, 1, NULL, NULL), ==, 1);
      if (i % 2 == 0)
        g_assert_true (stream_test_close (loop, stream, NULL, &error));
      else
        g_assert_true (g_io_stream_close (stream, NULL, &error));
      g_assert_no_error (error);
      g_assert_cmpint (gaio_file_get_fd (file) < 0, ==, i < 4);
      g_assert_cmpint (stream_test_write (loop, output, "x", 1, NULL, &error), ==, -1);
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
      g_clear_error (&error);
      etag = g_file_io_stream_get_etag (G_FILE_IO_STREAM (stream));
      g_assert_cmpstr (etag, ==, g_file_info_get_etag (info));
    }
  file_test_remove_dir (dir);
}

/* The close of the whole while a half waits: it says so, the operation ends as it would, and so
 * does the file. */
static void
test_close_pending (GaioTestLoop *loop)
{
  for (int i = 0; i < 2; i++)
    {
      g_autoptr (GaioFile) file = NULL;
      g_autoptr (GIOStream) stream = NULL;
      g_autoptr (GAsyncResult) result = NULL;
      StreamCall call = { 0 };
      StreamCall close_call = { 0 };
      GError *error = NULL;
      char buffer[10];
      int fds[2];

      file_test_make_pipe (fds);
      file = file_test_adopt (loop->context, fds[0]);
      stream = G_IO_STREAM (gaio_file_io_stream_new (file));
      g_input_stream_read_async (g_io_stream_get_input_stream (stream), buffer, 10, 0, NULL,
                                 stream_test_on_end, &call);
      gaio_test_settle (loop);
      if (i == 0)
        {
          g_assert_false (g_io_stream_close (stream, NULL, &error));
          g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PENDING);
          g_clear_error (&error);
        }
      else
        g_io_stream_close_async (stream, 0, NULL, stream_test_on_end, &close_call);
      g_assert_cmpint (write (fds[1], "abc", 3), ==, 3);
      result = stream_test_spin (&call, loop);
      g_assert_cmpint (
          g_input_stream_read_finish (g_io_stream_get_input_stream (stream), result, NULL), ==, 3);
      while (gaio_file_get_fd (file) >= 0)
        gaio_test_turn (loop, FALSE);
      if (i == 1)
        {
          while (close_call.ended == 0)
            gaio_test_turn (loop, FALSE);
          g_assert_false (g_io_stream_close_finish (stream, close_call.result, &error));
          g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PENDING);
          g_clear_error (&error);
          g_clear_object (&close_call.result);
        }
      close (fds[1]);
    }
}

static void
test_no_file (GaioTestLoop *loop)
{
  g_autoptr (GIOStream) stream = g_object_new (GAIO_TYPE_FILE_IO_STREAM, NULL);

  g_assert_false (g_seekable_can_seek (G_SEEKABLE (stream)));
  g_assert_true (g_io_stream_close (stream, NULL, NULL));
}

/* The same operations on this stream and on GIO's, at random. */
static void
test_model (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 100000);
  g_autofree char *model_path = file_test_make_file (dir, "b", 100000);
  g_autofree guint8 *data = file_test_pattern (0, 1 << 18);
  g_autofree guint8 *buffer = g_malloc (1 << 17);
  g_autofree guint8 *model_buffer = g_malloc (1 << 17);
  guint8 *buffers[2] = { buffer, model_buffer };
  g_autoptr (GFile) gfile = g_file_new_for_path (model_path);
  g_autoptr (GIOStream) stream = open_both (loop, path, "r+");
  g_autoptr (GIOStream) model = G_IO_STREAM (g_file_open_readwrite (gfile, NULL, NULL));

  for (int i = 0; i < 1000; i++)
    {
      gsize count = g_test_rand_int_range (1, 1 << g_test_rand_int_range (1, 18));
      goffset offset = g_test_rand_int_range (-200, 1 << g_test_rand_int_range (1, 19));
      GSeekType type = (GSeekType[]){ G_SEEK_CUR, G_SEEK_SET, G_SEEK_END }[i % 3];
      guint8 *piece = data + g_test_rand_int_range (0, 1 << 17);
      int operation = g_test_rand_int_range (0, 20);
      gssize n[2];
      int codes[2];

      for (int j = 0; j < 2; j++)
        {
          GIOStream *one = j == 0 ? stream : model;
          GInputStream *input = g_io_stream_get_input_stream (one);
          GOutputStream *output = g_io_stream_get_output_stream (one);
          g_autoptr (GError) error = NULL;

          memset (buffers[j], 0, 1 << 17);
          count = MIN (count, 1 << 17);
          if (operation == 0)
            n[j] = g_seekable_truncate (G_SEEKABLE (one), offset, NULL, &error);
          else if (operation < 5)
            n[j] = g_seekable_seek (operation < 3 ? G_SEEKABLE (one) : G_SEEKABLE (input),
                                    type == G_SEEK_SET ? offset : -offset / 4, type, NULL, &error);
          else if (operation < 7 || (operation < 12 && j == 1))
            n[j] = g_output_stream_write (output, piece, count, NULL, &error);
          else if (operation < 12)
            n[j] = stream_test_write (loop, output, piece, count, NULL, &error);
          else if (operation < 14 || j == 1)
            n[j] = g_input_stream_read (input, buffers[j], count, NULL, &error);
          else
            n[j] = stream_test_read (loop, input, buffers[j], count, NULL, &error);
          codes[j] = error != NULL ? error->code : -1;
        }
      g_assert_cmpint (n[0], ==, n[1]);
      g_assert_cmpint (codes[0], ==, codes[1]);
      g_assert_cmpmem (buffers[0], 1 << 17, buffers[1], 1 << 17);
      g_assert_cmpint (g_seekable_tell (G_SEEKABLE (stream)), ==,
                       g_seekable_tell (G_SEEKABLE (model)));
    }
  g_assert_true (stream_test_close (loop, stream, NULL, NULL));
  g_assert_true (g_io_stream_close (model, NULL, NULL));
  stream_test_assert_same_files (path, model_path);
  file_test_remove_dir (dir);
}

int
main (int argc, char *argv[])
{
  gaio_test_init (&argc, &argv);
  gaio_test_add_engine_matrix ("/io-stream/position", test_position);
  gaio_test_add_engine_matrix ("/io-stream/close", test_close);
  gaio_test_add_engine_matrix ("/io-stream/close-pending", test_close_pending);
  gaio_test_add_engine_matrix ("/io-stream/no-file", test_no_file);
  gaio_test_add_engine_matrix ("/io-stream/model", test_model);
  return g_test_run ();
}
