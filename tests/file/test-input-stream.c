/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* GaioFileInputStream: reading, ahead and not; what GIO builds on it; and the same as GIO's own. */

#include <sys/mman.h>
#include <sys/wait.h>

#include "stream-test.h"

#define SIZE ((gsize) 1024 * 1024 + 77)
#define PIECE 4096
#define WINDOW (512 * 1024)

/* Reads from here to the end in pieces, and checks them. */
static void
read_rest (GaioTestLoop *loop, gpointer stream, gsize piece, gsize size)
{
  g_autofree guint8 *buffer = g_malloc (piece);
  goffset position = g_seekable_tell (stream);
  GError *error = NULL;
  gssize n;

  do
    {
      n = stream_test_read (loop, stream, buffer, piece, NULL, &error);
      g_assert_no_error (error);
      g_assert_cmpint (n, ==, MIN (piece, size - position));
      file_test_assert_pattern (buffer, position, n);
      position += n;
      g_assert_cmpint (g_seekable_tell (stream), ==, position);
    }
  while (n > 0);
  g_assert_cmpint (position, ==, size);
}

static guint64
count_requests (GaioTestLoop *loop)
{
  g_autoptr (GVariant) stats = gaio_context_get_stats (loop->context);
  guint64 n = 0;

  g_assert_true (g_variant_lookup (stats, "requests", "t", &n));
  return n;
}

static void
test_read (GaioTestLoop *loop)
{
  static const gsize pieces[] = { 1000, PIECE, 65536, 100000, 131071, 131072, 300000, 2 * SIZE };
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", SIZE);
  GError *error = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (pieces); i++)
    {
      g_autoptr (GInputStream) stream = stream_test_open_input (loop, path);

      read_rest (loop, stream, pieces[i], SIZE);
      g_assert_true (stream_test_close (loop, stream, NULL, &error));
      g_assert_no_error (error);
      g_assert_true (
          gaio_file_is_closed (gaio_file_input_stream_get_file (GAIO_FILE_INPUT_STREAM (stream))));
      g_assert_cmpint (stream_test_read (loop, stream, dir, 1, NULL, &error), ==, -1);
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
      g_clear_error (&error);
    }
  file_test_remove_dir (dir);
}

/* What is read ahead needs fewer requests; a small file does without. */
static void
test_window (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", SIZE);
  g_autofree char *small_path = file_test_make_file (dir, "b", 15 * PIECE);
  GInputStream *stream;
  guint64 before;
  guint size;

  stream = stream_test_open_input (loop, path);
  g_object_get (stream, "read-ahead", &size, NULL);
  g_assert_cmpuint (size, ==, WINDOW);
  before = count_requests (loop);
  read_rest (loop, stream, PIECE, SIZE);
  gaio_test_settle (loop);
  g_assert_cmpuint (count_requests (loop) - before, <, 16 + 8 + 8);
  g_object_unref (stream);

  stream = stream_test_open_input (loop, small_path);
  before = count_requests (loop);
  read_rest (loop, stream, PIECE, 15 * PIECE);
  g_assert_cmpuint (count_requests (loop) - before, ==, 15 + 1);
  g_object_unref (stream);

  stream = stream_test_open_input (loop, path);
  g_object_set (stream, "read-ahead", 0, NULL);
  before = count_requests (loop);
  read_rest (loop, stream, PIECE, SIZE);
  g_assert_cmpuint (count_requests (loop) - before, ==, SIZE / PIECE + 2);
  g_object_unref (stream);

  /* Windows of odd sizes. */
  for (guint i = 1; i < 3; i++)
    {
      stream = stream_test_open_input (loop, path);
      g_object_set (stream, "read-ahead", i == 1 ? 5000 : 3 * 128 * 1024 + 1, NULL);
      read_rest (loop, stream, 3000, SIZE);
      g_object_unref (stream);
    }
  file_test_remove_dir (dir);
}

static void
overwrite (const char *path, goffset offset, const char *text)
{
  int fd = open (path, O_WRONLY | O_CLOEXEC);

  g_assert_cmpint (pwrite (fd, text, strlen (text), offset), ==, strlen (text));
  close (fd);
}

static void
test_seek (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", SIZE);
  g_autoptr (GInputStream) stream = stream_test_open_input (loop, path);
  GSeekable *seekable = G_SEEKABLE (stream);
  guint8 buffer[PIECE];
  GError *error = NULL;

  g_assert_true (g_seekable_can_seek (seekable));
  g_assert_false (g_seekable_can_truncate (seekable));
  g_assert_true (g_seekable_seek (seekable, -77, G_SEEK_END, NULL, NULL));
  read_rest (loop, stream, PIECE, SIZE);
  g_assert_true (g_seekable_seek (seekable, 100, G_SEEK_SET, NULL, NULL));
  g_assert_true (g_seekable_seek (seekable, -50, G_SEEK_CUR, NULL, NULL));
  g_assert_cmpint (g_seekable_tell (seekable), ==, 50);
  read_rest (loop, stream, PIECE, SIZE);

  /* In the middle of what was read ahead, which is then read anew. */
  g_assert_true (g_seekable_seek (seekable, 0, G_SEEK_SET, NULL, NULL));
  for (int i = 0; i < 17; i++)
    g_assert_cmpint (stream_test_read (loop, stream, buffer, PIECE, NULL, NULL), ==, PIECE);
  gaio_test_settle (loop);
  overwrite (path, 17 * PIECE, "new");
  g_assert_true (g_seekable_seek (seekable, 0, G_SEEK_CUR, NULL, NULL));
  g_assert_cmpint (stream_test_read (loop, stream, buffer, 3, NULL, NULL), ==, 3);
  g_assert_cmpmem (buffer, 3, "new", 3);
  overwrite (path, 200000, "new");
  g_assert_true (g_seekable_seek (seekable, 200000, G_SEEK_SET, NULL, NULL));
  g_assert_cmpint (stream_test_read (loop, stream, buffer, 3, NULL, NULL), ==, 3);
  g_assert_cmpmem (buffer, 3, "new", 3);

  /* Errors leave the position. */
  g_assert_false (g_seekable_seek (seekable, -1, G_SEEK_SET, NULL, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  g_assert_false (g_seekable_seek (seekable, G_MAXOFFSET, G_SEEK_CUR, NULL, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  g_assert_false (g_seekable_seek (seekable, -(goffset) SIZE - 1, G_SEEK_END, NULL, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  g_assert_cmpint (g_seekable_tell (seekable), ==, 200003);
  g_assert_false (g_seekable_truncate (seekable, 0, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED);
  g_clear_error (&error);

  /* Past the end there is nothing. */
  g_assert_true (g_seekable_seek (seekable, 10, G_SEEK_END, NULL, NULL));
  g_assert_cmpint (stream_test_read (loop, stream, buffer, 10, NULL, NULL), ==, 0);
  g_assert_cmpint (g_input_stream_skip (stream, 10, NULL, NULL), ==, 0);
  g_assert_cmpint (stream_test_skip (loop, stream, 10, NULL), ==, 0);
  g_assert_true (g_input_stream_close (stream, NULL, NULL));
  g_assert_false (g_seekable_seek (seekable, 0, G_SEEK_SET, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_clear_error (&error);
  file_test_remove_dir (dir);
}

static void
test_skip (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", SIZE);
  g_autoptr (GInputStream) stream = stream_test_open_input (loop, path);
  guint8 buffer[PIECE];
  goffset position = 0;

  /* Within a window, across the border of its parts, and out of it. */
  for (int i = 0; i < 100; i++)
    {
      gsize n = i == 50 ? 200000 : 2 * (gsize) i * 10;

      g_assert_cmpint (stream_test_read (loop, stream, buffer, PIECE, NULL, NULL), ==, PIECE);
      file_test_assert_pattern (buffer, position, PIECE);
      if (i % 3 == 0)
        g_assert_cmpint (g_input_stream_skip (stream, n, NULL, NULL), ==, n);
      else
        g_assert_cmpint (stream_test_skip (loop, stream, n, NULL), ==, n);
      position += PIECE + n;
      g_assert_cmpint (g_seekable_tell (G_SEEKABLE (stream)), ==, position);
    }
  g_assert_cmpint (stream_test_skip (loop, stream, SIZE, NULL), ==, SIZE - position);
  g_assert_cmpint (stream_test_skip (loop, stream, 1, NULL), ==, 0);
  file_test_remove_dir (dir);
}

/* Blocking and not, in turn. */
static void
test_mixed (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", SIZE);
  g_autoptr (GInputStream) stream = stream_test_open_input (loop, path);
  g_autofree guint8 *buffer = g_malloc (200000);
  goffset position = 0;

  while (position < (goffset) SIZE)
    {
      gsize count = g_test_rand_int_range (1, g_test_rand_bit () ? 5000 : 200000);
      gssize n;

      if (g_test_rand_int_range (0, 4) == 0)
        n = g_input_stream_read (stream, buffer, count, NULL, NULL);
      else
        n = stream_test_read (loop, stream, buffer, count, NULL, NULL);
      g_assert_cmpint (n, ==, MIN (count, SIZE - position));
      file_test_assert_pattern (buffer, position, n);
      position += n;
    }
  g_clear_object (&stream);
  file_test_remove_dir (dir);
}

/* A file that grows is read on, as others read it. */
static void
test_growing (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 200000);
  g_autoptr (GInputStream) stream = stream_test_open_input (loop, path);
  guint8 buffer[10];

  for (int i = 0; i < 2; i++)
    {
      read_rest (loop, stream, PIECE, 200000 + i);
      overwrite (path, 200000 + i, "ab");
      g_assert_cmpint (stream_test_read (loop, stream, buffer, 10, NULL, NULL), ==, 2);
      g_assert_cmpmem (buffer, 2, "ab", 2);
      g_assert_cmpint (truncate (path, 200000), ==, 0);
      overwrite (path, 200000, (char[]){ file_test_byte (200000), 0 });
      g_assert_true (g_seekable_seek (G_SEEKABLE (stream), 0, G_SEEK_SET, NULL, NULL));
    }
  file_test_remove_dir (dir);
}

/* The memory of this process is a file in which one can read, as far as something is there. */
static void
test_unreadable (GaioTestLoop *loop)
{
  const gsize good = 300 * 1024 + PIECE;
  guint8 *memory =
      mmap (NULL, 2 * good, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  g_autoptr (GInputStream) stream = stream_test_open_input (loop, "/proc/self/mem");
  g_autofree guint8 *expected = file_test_pattern (0, good);
  guint8 buffer[3000];
  GError *error = NULL;
  gsize done = 0;

  memcpy (memory, expected, good);
  g_assert_cmpint (munmap (memory + good, good), ==, 0);
  g_assert_true (
      g_seekable_seek (G_SEEKABLE (stream), GPOINTER_TO_SIZE (memory), G_SEEK_SET, NULL, NULL));
  /* Whatever is read ahead of it, all that can be read is. */
  while (done < good)
    {
      gssize n = stream_test_read (loop, stream, buffer, sizeof buffer, NULL, &error);

      g_assert_no_error (error);
      g_assert_cmpint (n, ==, MIN (sizeof buffer, good - done));
      file_test_assert_pattern (buffer, done, n);
      done += n;
    }
  for (int i = 0; i < 2; i++)
    {
      g_assert_cmpint (stream_test_read (loop, stream, buffer, 100, NULL, &error), ==, -1);
      g_assert_cmpint (gaio_error_get_errno (error), ==, EIO);
      g_clear_error (&error);
      g_assert_cmpint (g_input_stream_read (stream, buffer, 100, NULL, &error), ==, -1);
      g_assert_cmpint (gaio_error_get_errno (error), ==, EIO);
      g_clear_error (&error);
    }
  g_assert_cmpint (g_seekable_tell (G_SEEKABLE (stream)), ==, GPOINTER_TO_SIZE (memory) + good);
  munmap (memory, good);
}

static void
test_pipe (GaioTestLoop *loop)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GaioFile) file = NULL;
  g_autoptr (GInputStream) stream = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  StreamCall call = { 0 };
  GError *error = NULL;
  char buffer[100];
  int fds[2];

  file_test_make_pipe (fds);
  file = file_test_adopt (loop->context, fds[0]);
  stream = G_INPUT_STREAM (gaio_file_input_stream_new (file));
  g_assert_false (g_seekable_can_seek (G_SEEKABLE (stream)));
  g_assert_false (g_seekable_seek (G_SEEKABLE (stream), 0, G_SEEK_SET, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED);
  g_clear_error (&error);

  /* A read that waits; a second one is refused; it is cancelled and has taken nothing. */
  g_input_stream_read_async (stream, buffer, 100, 0, cancellable, stream_test_on_end, &call);
  g_assert_cmpint (g_input_stream_read (stream, buffer, 1, NULL, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_PENDING);
  g_clear_error (&error);
  gaio_test_settle (loop);
  g_cancellable_cancel (cancellable);
  g_assert_cmpint (call.ended, ==, 0);
  result = stream_test_spin (&call, loop);
  g_assert_cmpint (g_input_stream_read_finish (stream, result, &error), ==, -1);
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_CANCELLED, ECANCELED);
  g_assert_cmpint (stream_test_read (loop, stream, buffer, 1, cancellable, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);

  /* What is there is enough. */
  g_assert_cmpint (write (fds[1], "abcdef", 6), ==, 6);
  g_assert_cmpint (stream_test_read (loop, stream, buffer, 4, NULL, NULL), ==, 4);
  g_assert_cmpmem (buffer, 4, "abcd", 4);
  g_assert_cmpint (stream_test_skip (loop, stream, 1, NULL), ==, 1);
  g_assert_cmpint (g_input_stream_read (stream, buffer, 100, NULL, NULL), ==, 1);
  g_assert_cmpint (buffer[0], ==, 'f');
  g_assert_cmpint (write (fds[1], "gh", 2), ==, 2);
  g_assert_cmpint (g_input_stream_skip (stream, 1, NULL, NULL), ==, 1);
  close (fds[1]);
  g_assert_cmpint (stream_test_read (loop, stream, buffer, 4, NULL, NULL), ==, 1);
  g_assert_cmpint (stream_test_read (loop, stream, buffer, 4, NULL, NULL), ==, 0);
  g_assert_cmpint (g_seekable_tell (G_SEEKABLE (stream)), ==, 0);
}

static void
test_close (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", SIZE);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  guint8 buffer[PIECE];
  GError *error = NULL;

  g_cancellable_cancel (cancellable);
  for (int i = 0; i < 6; i++)
    {
      g_autoptr (GaioFile) file = file_test_open (loop->context, path, "r");
      g_autoptr (GInputStream) stream =
          g_object_new (GAIO_TYPE_FILE_INPUT_STREAM, "file", file, "close-file", i < 4, NULL);

      /* In the middle of reading ahead. */
      for (int j = 0; j < 17; j++)
        g_assert_cmpint (stream_test_read (loop, stream, buffer, PIECE, NULL, NULL), ==, PIECE);
      if (i % 2 == 0)
        g_input_stream_close (stream, i == 2 ? cancellable : NULL, &error);
      else
        stream_test_close (loop, stream, i == 3 ? cancellable : NULL, &error);
      if (i == 2 || i == 3)
        g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      else
        g_assert_no_error (error);
      g_clear_error (&error);
      g_assert_true (g_input_stream_is_closed (stream));
      g_assert_cmpint (gaio_file_is_closed (file), ==, i < 4);
      /* A blocking close does not wait for what is in flight, but that ends soon. */
      while (i < 4 && gaio_file_get_fd (file) >= 0)
        gaio_test_turn (loop, FALSE);
    }
  gaio_test_settle (loop);
  file_test_remove_dir (dir);
}

static void
test_query_info (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", SIZE);
  g_autoptr (GFileInputStream) stream = stream_test_open_input (loop, path);
  g_autoptr (GAsyncResult) result = NULL;
  StreamCall call = { 0 };
  GFileInfo *info = g_file_input_stream_query_info (stream, "standard::size", NULL, NULL);

  g_assert_cmpint (g_file_info_get_size (info), ==, SIZE);
  g_object_unref (info);
  g_file_input_stream_query_info_async (stream, "standard::size", 0, NULL, stream_test_on_end,
                                        &call);
  result = stream_test_spin (&call, loop);
  info = g_file_input_stream_query_info_finish (stream, result, NULL);
  g_assert_cmpint (g_file_info_get_size (info), ==, SIZE);
  g_object_unref (info);
  file_test_remove_dir (dir);
}

/* A stream without a file, as a script can make one, is a stream of a closed file. */
static void
test_no_file (GaioTestLoop *loop)
{
  g_autoptr (GInputStream) stream = g_object_new (GAIO_TYPE_FILE_INPUT_STREAM, NULL);
  GError *error = NULL;
  char c;

  g_assert_cmpint (g_input_stream_read (stream, &c, 1, NULL, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_clear_error (&error);
  g_assert_true (g_input_stream_close (stream, NULL, NULL));
}

/* GIO's classes over it. */

static void
on_line (GObject *source, GAsyncResult *result, gpointer user_data)
{
  int *n = user_data;
  GError *error = NULL;
  g_autofree char *expected = g_strdup_printf ("line %d", *n);
  g_autofree char *line =
      g_data_input_stream_read_line_finish (G_DATA_INPUT_STREAM (source), result, NULL, &error);

  g_assert_no_error (error);
  if (line == NULL)
    {
      *n = -*n;
      return;
    }
  g_assert_cmpstr (line, ==, expected);
  (*n)++;
  g_data_input_stream_read_line_async (G_DATA_INPUT_STREAM (source), 0, NULL, on_line, n);
}

static void
test_lines (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "a", NULL);
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (GInputStream) stream = NULL;
  g_autoptr (GDataInputStream) data = NULL;
  int n = 0;

  for (int i = 0; i < 30000; i++)
    g_string_append_printf (text, "line %d\n", i);
  g_assert_true (g_file_set_contents (path, text->str, text->len, NULL));
  stream = stream_test_open_input (loop, path);
  data = g_data_input_stream_new (stream);
  g_data_input_stream_read_line_async (data, 0, NULL, on_line, &n);
  while (n >= 0)
    gaio_test_turn (loop, FALSE);
  g_assert_cmpint (n, ==, -30000);
  file_test_remove_dir (dir);
}

static void
test_buffered (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", SIZE);
  g_autoptr (GInputStream) stream = stream_test_open_input (loop, path);
  g_autoptr (GInputStream) buffered = g_buffered_input_stream_new_sized (stream, 10000);
  g_autofree guint8 *all = g_malloc (SIZE + 1);
  g_autoptr (GAsyncResult) result = NULL;
  StreamCall call = { 0 };
  gsize n;

  g_buffered_input_stream_fill_async (G_BUFFERED_INPUT_STREAM (buffered), 5000, 0, NULL,
                                      stream_test_on_end, &call);
  result = stream_test_spin (&call, loop);
  g_assert_cmpint (
      g_buffered_input_stream_fill_finish (G_BUFFERED_INPUT_STREAM (buffered), result, NULL), ==,
      5000);
  g_clear_object (&result);
  g_input_stream_read_all_async (buffered, all, SIZE + 1, 0, NULL, stream_test_on_end, &call);
  result = stream_test_spin (&call, loop);
  g_assert_true (g_input_stream_read_all_finish (buffered, result, &n, NULL));
  g_assert_cmpuint (n, ==, SIZE);
  file_test_assert_pattern (all, 0, SIZE);
  file_test_remove_dir (dir);
}

/* The file in one context, who reads in another, and neither waits for the other. */
static void
test_other_context (void)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", SIZE);
  g_autoptr (GMainContext) main_context = g_main_context_new ();
  GError *error = NULL;
  GaioIOThread *thread = gaio_io_thread_new ("files", &error);
  g_autoptr (GaioFile) file = NULL;
  g_autoptr (GInputStream) stream = NULL;
  guint8 buffer[PIECE];
  goffset position = 0;

  g_assert_no_error (error);
  g_main_context_push_thread_default (main_context);
  file = file_test_open (gaio_io_thread_get_context (thread), path, "r");
  stream = G_INPUT_STREAM (gaio_file_input_stream_new (file));
  while (position < (goffset) SIZE)
    {
      StreamCall call = { 0 };
      gssize n;

      g_input_stream_read_async (stream, buffer, PIECE, 0, NULL, stream_test_on_end, &call);
      while (call.ended == 0)
        g_main_context_iteration (main_context, TRUE);
      g_assert_true (call.thread == g_thread_self ());
      n = g_input_stream_read_finish (stream, call.result, NULL);
      g_object_unref (call.result);
      g_assert_cmpint (n, ==, MIN (PIECE, SIZE - position));
      file_test_assert_pattern (buffer, position, n);
      position += n;
      if (position % (10 * PIECE) == 0)
        {
          n = g_input_stream_read (stream, buffer, PIECE, NULL, NULL);
          file_test_assert_pattern (buffer, position, n);
          position += n;
        }
    }
  g_assert_true (g_input_stream_close (stream, NULL, NULL));
  g_main_context_pop_thread_default (main_context);
  gaio_io_thread_stop (thread);
  g_object_unref (thread);
  file_test_remove_dir (dir);
}

static gpointer
read_blocking (gpointer data)
{
  GInputStream *stream = data;
  guint8 buffer[PIECE];
  goffset position = g_seekable_tell (G_SEEKABLE (stream));

  g_assert_cmpint (g_input_stream_read (stream, buffer, PIECE, NULL, NULL), ==, PIECE);
  file_test_assert_pattern (buffer, position, PIECE);
  g_assert_cmpint (g_input_stream_skip (stream, PIECE, NULL, NULL), ==, PIECE);
  g_assert_true (g_input_stream_close (stream, NULL, NULL));
  return NULL;
}

/* Nothing that is read ahead comes, since the threads are held up; and the home thread does not
 * turn. Blocking calls get their data, and a cancelled read its end. */
static void
test_stalled (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", SIZE);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GaioFile) file = file_test_open (loop->context, path, "r");
  g_autoptr (GInputStream) stream = G_INPUT_STREAM (gaio_file_input_stream_new (file));
  g_autoptr (GAsyncResult) result = NULL;
  StreamCall call = { 0 };
  StreamPoolHold hold;
  GError *error = NULL;
  guint8 buffer[PIECE];

  for (int i = 0; i < 16; i++)
    g_assert_cmpint (stream_test_read (loop, stream, buffer, PIECE, NULL, NULL), ==, PIECE);
  stream_test_hold_pool (&hold, loop);
  g_input_stream_read_async (stream, buffer, PIECE, 0, cancellable, stream_test_on_end, &call);
  if (loop->engine == GAIO_ENGINE_THREADS)
    {
      gaio_test_settle (loop);
      g_assert_cmpint (call.ended, ==, 0);
      g_cancellable_cancel (cancellable);
      g_assert_cmpint (call.ended, ==, 0);
      result = stream_test_spin (&call, loop);
      g_assert_cmpint (g_input_stream_read_finish (stream, result, &error), ==, -1);
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      g_clear_error (&error);
      g_assert_cmpint (g_seekable_tell (G_SEEKABLE (stream)), ==, 16 * PIECE);
    }
  else
    result = stream_test_spin (&call, loop);
  g_thread_join (g_thread_new ("reader", read_blocking, stream));
  g_assert_true (gaio_file_is_closed (file));
  stream_test_release_pool (&hold, loop);
  while (gaio_file_get_fd (file) >= 0)
    gaio_test_turn (loop, FALSE);
  gaio_test_settle (loop);
  file_test_remove_dir (dir);
}

/* Reads until something is being read ahead; where the pool is held that does not come. */
static void
begin_reading_ahead (GaioTestLoop *loop, gpointer stream)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  StreamCall call = { 0 };
  guint8 buffer[PIECE];

  g_input_stream_read_async (stream, buffer, PIECE, 0, cancellable, stream_test_on_end, &call);
  if (loop->engine == GAIO_ENGINE_THREADS)
    g_cancellable_cancel (cancellable);
  g_object_unref (stream_test_spin (&call, loop));
}

/* In a child what is being read ahead is the parent's. */
static void
test_fork (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", SIZE);
  g_autoptr (GInputStream) stream = stream_test_open_input (loop, path);
  StreamPoolHold hold;
  GError *error = NULL;
  guint8 buffer[PIECE];
  goffset position;
  int status;

  for (int i = 0; i < 16; i++)
    g_assert_cmpint (stream_test_read (loop, stream, buffer, PIECE, NULL, NULL), ==, PIECE);
  stream_test_hold_pool (&hold, loop);
  begin_reading_ahead (loop, stream);
  position = g_seekable_tell (G_SEEKABLE (stream));
  for (int i = 0; i < 2; i++)
    {
      pid_t child = fork ();

      if (child == 0)
        {
          gboolean good;

          alarm (20);
          good = i == 0 ? stream_test_read (loop, stream, buffer, PIECE, NULL, &error) == -1 &&
                              g_error_matches (error, G_IO_ERROR, G_IO_ERROR_FAILED)
                        : g_input_stream_read (stream, buffer, PIECE, NULL, &error) == PIECE &&
                              buffer[0] == file_test_byte (position);
          _exit (good ? 0 : 1);
        }
      g_assert_cmpint (child, >, 0);
      while (waitpid (child, &status, 0) < 0)
        g_assert_cmpint (errno, ==, EINTR);
      g_assert_cmpint (status, ==, 0);
    }
  stream_test_release_pool (&hold, loop);
  read_rest (loop, stream, PIECE, SIZE);
  file_test_remove_dir (dir);
}

/* The time limit of the file is one of each read, also where that has been begun ahead of it. */
static void
test_timeout (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", SIZE);
  g_autoptr (GInputStream) stream = stream_test_open_input (loop, path);
  GaioFile *file = gaio_file_input_stream_get_file (GAIO_FILE_INPUT_STREAM (stream));
  StreamPoolHold hold;
  GError *error = NULL;
  guint8 buffer[PIECE];

  /* The ring does not care for the pool. */
  if (loop->engine == GAIO_ENGINE_THREADS)
    {
      for (int i = 0; i < 16; i++)
        g_assert_cmpint (stream_test_read (loop, stream, buffer, PIECE, NULL, NULL), ==, PIECE);
      stream_test_hold_pool (&hold, loop);
      gaio_file_set_timeout_ms (file, 5);
      g_assert_cmpint (stream_test_read (loop, stream, buffer, PIECE, NULL, &error), ==, -1);
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
      g_clear_error (&error);
      g_assert_cmpint (g_seekable_tell (G_SEEKABLE (stream)), ==, 16 * PIECE);
      gaio_file_set_timeout_ms (file, 0);
      stream_test_release_pool (&hold, loop);
      read_rest (loop, stream, PIECE, SIZE);
    }
  file_test_remove_dir (dir);
}

/* The same operations on this stream and on GIO's, at random. */
static void
test_model (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", SIZE);
  g_autoptr (GFile) gfile = g_file_new_for_path (path);
  g_autoptr (GInputStream) stream = stream_test_open_input (loop, path);
  g_autoptr (GInputStream) model = G_INPUT_STREAM (g_file_read (gfile, NULL, NULL));
  g_autofree guint8 *data = g_malloc (400000);
  g_autofree guint8 *expected = g_malloc (400000);

  for (int i = 0; i < 1500; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GError) model_error = NULL;
      gsize count = g_test_rand_int_range (1, 1 << g_test_rand_int_range (1, 19));
      goffset offset = g_test_rand_int_range (-200, 1 << g_test_rand_int_range (1, 21));
      GSeekType type = (GSeekType[]){ G_SEEK_CUR, G_SEEK_SET, G_SEEK_END }[i % 3];
      int operation = g_test_rand_int_range (0, 20);
      gssize n, model_n;

      if (operation < 2)
        {
          if (type == G_SEEK_END)
            offset = -offset;
          n = g_seekable_seek (G_SEEKABLE (stream), offset, type, NULL, &error);
          model_n = g_seekable_seek (G_SEEKABLE (model), offset, type, NULL, &model_error);
        }
      else if (operation < 4 && g_seekable_tell (G_SEEKABLE (model)) <= (goffset) SIZE)
        {
          n = operation == 2 ? g_input_stream_skip (stream, count, NULL, &error)
                             : stream_test_skip (loop, stream, count, &error);
          model_n = g_input_stream_skip (model, count, NULL, &model_error);
        }
      else
        {
          n = operation < 6 ? g_input_stream_read (stream, data, count, NULL, &error)
                            : stream_test_read (loop, stream, data, count, NULL, &error);
          model_n = g_input_stream_read (model, expected, count, NULL, &model_error);
          g_assert_cmpmem (data, MAX (n, 0), expected, MAX (model_n, 0));
        }
      g_assert_cmpint (n, ==, model_n);
      g_assert_cmpint (error != NULL ? error->code : -1, ==,
                       model_error != NULL ? model_error->code : -1);
      g_assert_cmpint (g_seekable_tell (G_SEEKABLE (stream)), ==,
                       g_seekable_tell (G_SEEKABLE (model)));
    }
  file_test_remove_dir (dir);
}

int
main (int argc, char *argv[])
{
  gaio_test_init (&argc, &argv);
  gaio_test_add_engine_matrix ("/input-stream/read", test_read);
  gaio_test_add_engine_matrix ("/input-stream/window", test_window);
  gaio_test_add_engine_matrix ("/input-stream/seek", test_seek);
  gaio_test_add_engine_matrix ("/input-stream/skip", test_skip);
  gaio_test_add_engine_matrix ("/input-stream/mixed", test_mixed);
  gaio_test_add_engine_matrix ("/input-stream/growing", test_growing);
  gaio_test_add_engine_matrix ("/input-stream/unreadable", test_unreadable);
  gaio_test_add_engine_matrix ("/input-stream/pipe", test_pipe);
  gaio_test_add_engine_matrix ("/input-stream/close", test_close);
  gaio_test_add_engine_matrix ("/input-stream/query-info", test_query_info);
  gaio_test_add_engine_matrix ("/input-stream/no-file", test_no_file);
  gaio_test_add_engine_matrix ("/input-stream/lines", test_lines);
  gaio_test_add_engine_matrix ("/input-stream/buffered", test_buffered);
  gaio_test_add ("/input-stream/other-context", test_other_context);
  gaio_test_add_engine_matrix ("/input-stream/stalled", test_stalled);
  gaio_test_add_engine_matrix ("/input-stream/fork", test_fork);
  gaio_test_add_engine_matrix ("/input-stream/timeout", test_timeout);
  gaio_test_add_engine_matrix ("/input-stream/model", test_model);
  return g_test_run ();
}
