/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Moving data in several pieces, from byte arrays, and to the end of a file. */

#include <sys/syscall.h>

#include "file-test.h"

static void
free_chunks (GBytes **chunks, gsize n)
{
  for (gsize i = 0; i < n; i++)
    g_bytes_unref (chunks[i]);
  g_free (chunks);
}

static GBytes **
readv_wait (GaioTestLoop *loop,
            GaioFile *file,
            goffset offset,
            const gsize *lengths,
            gsize n_lengths,
            gsize *n_chunks,
            GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;
  FileTestCall call = { 0 };

  gaio_file_readv_bytes_async (file, offset, lengths, n_lengths, G_PRIORITY_DEFAULT, NULL,
                               file_test_on_end, &call);
  result = file_test_spin (&call, loop);
  return gaio_file_readv_bytes_finish (file, result, n_chunks, error);
}

static void
assert_pieces (GBytes **chunks, gsize n_chunks, const gsize *lengths, gsize offset, gsize file_size)
{
  const guint8 *end = NULL;

  for (gsize i = 0; i < n_chunks; i++)
    {
      gsize left = offset < file_size ? file_size - offset : 0;
      gsize size;
      const guint8 *data = g_bytes_get_data (chunks[i], &size);

      file_test_assert_bytes (chunks[i], offset, MIN (lengths[i], left));
      /* One piece of memory behind all of them. */
      if (size > 0)
        {
          g_assert_true (end == NULL || data == end);
          end = data + size;
        }
      offset += size;
    }
}

static void
test_readv (GaioTestLoop *loop)
{
  static const gsize lengths[] = { 10, 0, 4096, 1, 70000, 50000, 3 };
  const gsize n = G_N_ELEMENTS (lengths);
  const gsize file_size = 100000;
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", file_size);
  g_autoptr (GaioFile) file = file_test_open (loop->context, path, "r");
  GError *error = NULL;
  GBytes **chunks;
  gsize n_chunks;

  for (gsize offset = 0; offset <= 2 * file_size; offset += 33333)
    {
      chunks = readv_wait (loop, file, offset, lengths, n, &n_chunks, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (n_chunks, ==, n);
      assert_pieces (chunks, n, lengths, offset, file_size);
      free_chunks (chunks, n);
      chunks = gaio_file_readv_bytes (file, offset, lengths, n, &n_chunks, NULL, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (n_chunks, ==, n);
      assert_pieces (chunks, n, lengths, offset, file_size);
      free_chunks (chunks, n);
    }

  /* One outlives the others, and the file. */
  chunks = readv_wait (loop, file, 7, lengths, n, &n_chunks, &error);
  g_assert_no_error (error);
  for (gsize i = 0; i < n; i++)
    if (i != 2)
      g_bytes_unref (chunks[i]);
  g_clear_object (&file);
  file_test_assert_bytes (chunks[2], 17, 4096);
  g_bytes_unref (chunks[2]);
  g_free (chunks);
  file_test_remove_dir (dir);
}

static void
test_readv_odd (GaioTestLoop *loop)
{
  static const gsize overflowing[] = { G_MAXSIZE, 2 };
  static const gsize lengths[] = { 4, 4 };
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 100);
  g_autoptr (GaioFile) file = file_test_open (loop->context, path, "r");
  g_autoptr (GaioFile) pipe = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  FileTestCall call = { 0 };
  GError *error = NULL;
  GBytes **chunks;
  gsize n_chunks = 99;
  int fds[2];

  chunks = readv_wait (loop, file, 0, NULL, 0, &n_chunks, &error);
  g_assert_no_error (error);
  g_assert_nonnull (chunks);
  g_assert_cmpuint (n_chunks, ==, 0);
  g_free (chunks);
  n_chunks = 99;
  g_assert_null (readv_wait (loop, file, 0, overflowing, 2, &n_chunks, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  g_assert_null (readv_wait (loop, file, -1, lengths, 2, &n_chunks, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  g_assert_null (gaio_file_readv_bytes (file, -1, lengths, 2, &n_chunks, NULL, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  g_assert_cmpuint (n_chunks, ==, 99);

  /* What is there, for a pipe. */
  file_test_make_pipe (fds);
  pipe = file_test_adopt (loop->context, fds[0]);
  g_assert_cmpint (write (fds[1], "abcdef", 6), ==, 6);
  chunks = readv_wait (loop, pipe, 0, lengths, 2, &n_chunks, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_bytes_get_size (chunks[0]), ==, 4);
  g_assert_cmpuint (g_bytes_get_size (chunks[1]), ==, 2);
  g_assert_cmpmem (g_bytes_get_data (chunks[1], NULL), 2, "ef", 2);
  free_chunks (chunks, 2);

  /* A result that nobody takes goes with its chunks. */
  gaio_file_readv_bytes_async (file, 0, lengths, 2, G_PRIORITY_DEFAULT, NULL, file_test_on_end,
                               &call);
  result = file_test_spin (&call, loop);
  close (fds[1]);
  file_test_remove_dir (dir);
}

#define N_CHUNKS 3000 /* more than IOV_MAX */
#define CHUNK 37

static void
test_writev (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "a", NULL);
  g_autofree char *data = NULL;
  g_autoptr (GaioFile) file = file_test_open (loop->context, path, "w+");
  GBytes **chunks = g_new (GBytes *, N_CHUNKS);
  FileTestCall call = { 0 };
  GAsyncResult *result;
  GError *error = NULL;
  gsize position = 0;
  gsize length;

  /* Some are empty. */
  for (guint i = 0; i < N_CHUNKS; i++)
    {
      gsize size = i % 5 == 0 ? 0 : CHUNK;

      chunks[i] = file_test_pattern_bytes (position, size);
      position += size;
    }
  gaio_file_writev_bytes_async (file, 0, chunks, N_CHUNKS, G_PRIORITY_DEFAULT, NULL,
                                file_test_on_end, &call);
  /* Neither the array nor the references are needed any more. */
  free_chunks (chunks, N_CHUNKS);
  result = file_test_spin (&call, loop);
  g_assert_cmpint (gaio_file_writev_bytes_finish (file, result, &error), ==, position);
  g_assert_no_error (error);
  g_object_unref (result);
  g_assert_true (g_file_get_contents (path, &data, &length, NULL));
  g_assert_cmpuint (length, ==, position);
  file_test_assert_pattern (data, 0, length);

  {
    g_autoptr (GBytes) one = file_test_pattern_bytes (500, 100);
    g_autoptr (GBytes) two = file_test_pattern_bytes (600, 1000);
    GBytes *both[] = { one, two };
    g_autoptr (GBytes) back = NULL;

    g_assert_cmpint (gaio_file_writev_bytes (file, 500, both, 2, NULL, &error), ==, 1100);
    back = gaio_file_read_bytes (file, 0, position, NULL, &error);
    file_test_assert_bytes (back, 0, position);
    g_assert_cmpint (gaio_file_writev_bytes (file, -1, both, 2, NULL, &error), ==, -1);
    file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  }
  g_assert_cmpint (gaio_file_writev_bytes (file, 5, NULL, 0, NULL, &error), ==, 0);
  g_assert_no_error (error);
  file_test_remove_dir (dir);
}

/* More than one system call moves, out of a little memory. */
static void
test_two_gib (GaioTestLoop *loop)
{
  const gsize piece = 64 * 1024 * 1024;
  const gsize n = 33;
  g_autofree guint8 *memory = g_malloc0 (piece);
  g_autoptr (GBytes) bytes = g_bytes_new_static (memory, piece);
  g_autofree GBytes **chunks = g_new (GBytes *, n);
  g_autoptr (GaioFile) file = file_test_open (loop->context, "/dev/null", "w");
  GError *error = NULL;

  for (gsize i = 0; i < n; i++)
    chunks[i] = bytes;
  g_assert_cmpint (file_test_do (loop, writev_bytes, file, &error, NULL, 0, chunks, n), ==,
                   n * piece);
  g_assert_no_error (error);
  g_assert_cmpint (gaio_file_writev_bytes (file, 0, chunks, n, NULL, &error), ==, n * piece);
  g_assert_no_error (error);
}

static void
test_write (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "a", NULL);
  g_autofree guint8 *data = file_test_pattern (0, 300000);
  g_autoptr (GaioFile) file = file_test_open (loop->context, path, "w+");
  g_autoptr (GBytes) back = NULL;
  FileTestCall call = { 0 };
  GAsyncResult *result;
  GError *error = NULL;

  gaio_file_write_async (file, 0, data, 300000, G_PRIORITY_DEFAULT, NULL, file_test_on_end, &call);
  memset (data, 0, 300000);
  result = file_test_spin (&call, loop);
  g_assert_cmpint (gaio_file_write_finish (file, result, &error), ==, 300000);
  g_assert_no_error (error);
  g_object_unref (result);
  back = gaio_file_read_bytes (file, 0, 400000, NULL, &error);
  file_test_assert_bytes (back, 0, 300000);

  g_assert_cmpint (gaio_file_write (file, 10, data, 20, NULL, &error), ==, 20);
  g_clear_pointer (&back, g_bytes_unref);
  back = gaio_file_read_bytes (file, 10, 20, NULL, &error);
  g_assert_cmpmem (g_bytes_get_data (back, NULL), 20, data, 20);
  g_assert_cmpint (gaio_file_write (file, 10, NULL, 0, NULL, &error), ==, 0);
  g_assert_cmpint (file_test_do (loop, write, file, &error, NULL, 10, NULL, 0), ==, 0);
  g_assert_no_error (error);
  g_assert_cmpint (file_test_do (loop, write, file, &error, NULL, G_MAXINT64, data, 1), ==, -1);
  file_test_assert_error (error, G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  file_test_remove_dir (dir);
}

/* Several append at once through several files: all of it is there, whole and once. */
static void
test_append (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 100);
  g_autofree char *data = NULL;
  GaioFile *files[3];
  FileTestCall calls[30] = { 0 };
  gboolean seen[30] = { FALSE };
  GError *error = NULL;
  gsize length;

  files[0] = file_test_open (loop->context, path, "r+");
  files[1] = file_test_open (loop->context, path, "r+");
  files[2] = file_test_open (loop->context, path, "a");
  for (guint i = 0; i < G_N_ELEMENTS (calls); i++)
    {
      g_autoptr (GBytes) bytes = NULL;
      char block[1000];

      memset (block, 'A' + i, sizeof block);
      bytes = g_bytes_new (block, sizeof block);
      gaio_file_append_bytes_async (files[i % 3], bytes, G_PRIORITY_DEFAULT, NULL, file_test_on_end,
                                    &calls[i]);
    }
  for (guint i = 0; i < G_N_ELEMENTS (calls); i++)
    {
      while (calls[i].ended == 0)
        gaio_test_turn (loop, FALSE);
      g_assert_cmpint (gaio_file_append_bytes_finish (files[i % 3], calls[i].result, &error), ==,
                       1000);
      g_assert_no_error (error);
      g_object_unref (calls[i].result);
    }
  g_assert_true (g_file_get_contents (path, &data, &length, NULL));
  g_assert_cmpuint (length, ==, 100 + 1000 * G_N_ELEMENTS (calls));
  file_test_assert_pattern (data, 0, 100);
  for (guint i = 0; i < G_N_ELEMENTS (calls); i++)
    {
      const char *block = data + 100 + i * 1000;

      g_assert_false (seen[block[0] - 'A']);
      seen[block[0] - 'A'] = TRUE;
      for (guint j = 1; j < 1000; j++)
        g_assert_cmpint (block[j], ==, block[0]);
    }

  {
    g_autoptr (GBytes) bytes = file_test_pattern_bytes (0, 10);

    g_assert_cmpint (gaio_file_append_bytes (files[0], bytes, NULL, &error), ==, 10);
    g_assert_no_error (error);
    g_assert_true (gaio_file_close (files[0], NULL, &error));
    g_assert_cmpint (gaio_file_append_bytes (files[0], bytes, NULL, &error), ==, -1);
    g_assert_true (g_str_has_prefix (error->message, "append “"));
    file_test_assert_error (error, G_IO_ERROR_CLOSED, EBADF);
  }
  for (guint i = 0; i < 3; i++)
    g_object_unref (files[i]);
  file_test_remove_dir (dir);
}

/* A pipe has no end to find: an append is a write. */
static void
test_append_pipe (GaioTestLoop *loop)
{
  g_autoptr (GaioFile) file = NULL;
  g_autoptr (GBytes) bytes = g_bytes_new_static ("abc", 3);
  GError *error = NULL;
  char buffer[10];
  int fds[2];

  file_test_make_pipe (fds);
  file = file_test_adopt (loop->context, fds[1]);
  g_assert_cmpint (file_test_do (loop, append_bytes, file, &error, NULL, bytes), ==, 3);
  g_assert_no_error (error);
  g_assert_cmpint (gaio_file_append_bytes (file, bytes, NULL, &error), ==, 3);
  g_assert_no_error (error);
  g_assert_cmpint (read (fds[0], buffer, 10), ==, 6);
  g_assert_cmpmem (buffer, 6, "abcabc", 6);
  close (fds[0]);
}

/* A sync of the data only is another call than one of all. */
static void
test_sync (void)
{
  char *dir;

  if (g_test_subprocess ())
    {
      g_autofree char *path = file_test_make_file (g_getenv ("GAIO_TEST_DIR"), "a", 10);
      g_autoptr (GaioContext) context = gaio_context_new (NULL);
      g_autoptr (GaioFile) file = file_test_open (context, path, "r+");
      GError *error = NULL;

      g_assert_true (file_test_break_syscall (SYS_fdatasync, -1, EIO));
      g_assert_true (gaio_file_sync (file, FALSE, NULL, &error));
      g_assert_no_error (error);
      g_assert_false (gaio_file_sync (file, TRUE, NULL, &error));
      g_assert_cmpint (gaio_error_get_errno (error), ==, EIO);
      g_error_free (error);
      return;
    }
  dir = file_test_make_dir ();
  g_setenv ("GAIO_TEST_DIR", dir, TRUE);
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
  g_unsetenv ("GAIO_TEST_DIR");
  g_test_trap_assert_passed ();
  file_test_remove_dir (dir);
}

/* What a programmer must not do: a warning, and nothing happens. */
static void
test_misuse (GaioTestLoop *loop)
{
  g_autoptr (GaioFile) file = file_test_open (loop->context, "/dev/null", "w");
  g_autoptr (GBytes) bytes = g_bytes_new_static ("abc", 3);
  GBytes *chunks[] = { bytes, NULL };

  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*are_chunks*");
  g_assert_cmpint (gaio_file_writev_bytes (file, 0, chunks, 2, NULL, NULL), ==, -1);
  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*are_chunks*");
  gaio_file_writev_bytes_async (file, 0, chunks, 2, 0, NULL, NULL, NULL);
  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*are_chunks*");
  g_assert_cmpint (gaio_file_writev_bytes (file, 0, NULL, 2, NULL, NULL), ==, -1);
  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*data != NULL*");
  g_assert_cmpint (gaio_file_write (file, 0, NULL, 2, NULL, NULL), ==, -1);
  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*lengths != NULL*");
  gaio_file_readv_bytes_async (file, 0, NULL, 2, 0, NULL, NULL, NULL);
  g_test_assert_expected_messages ();
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  gaio_test_add_engine_matrix ("/file-io/readv", test_readv);
  gaio_test_add_engine_matrix ("/file-io/readv-odd", test_readv_odd);
  gaio_test_add_engine_matrix ("/file-io/writev", test_writev);
  gaio_test_add_engine_matrix ("/file-io/two-gib", test_two_gib);
  gaio_test_add_engine_matrix ("/file-io/write", test_write);
  gaio_test_add_engine_matrix ("/file-io/append", test_append);
  gaio_test_add_engine_matrix ("/file-io/append-pipe", test_append_pipe);
  g_test_add_func ("/file-io/sync", test_sync);
  gaio_test_add_engine_matrix ("/file-io/misuse", test_misuse);
  return g_test_run ();
}
