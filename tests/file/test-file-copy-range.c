/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Copying a part of a file to another. */

#include <sys/syscall.h>

#include "file-test.h"

#define SIZE 300000

static void
assert_pattern (GaioFile *file, goffset where, goffset offset, gsize length)
{
  GError *error = NULL;
  g_autoptr (GBytes) bytes = gaio_file_read_bytes (file, where, length, NULL, &error);

  g_assert_no_error (error);
  file_test_assert_bytes (bytes, offset, length);
}

static void
check_copies (GaioTestLoop *loop, const char *dir, const char *target)
{
  g_autofree char *path = file_test_make_file (dir, "from", SIZE);
  g_autofree char *other = g_build_filename (target, "to", NULL);
  g_autoptr (GaioFile) from = file_test_open (loop->context, path, "r+");
  g_autoptr (GaioFile) to = file_test_open (loop->context, other, "w+");
  GError *error = NULL;

  g_assert_cmpint (file_test_do (loop, copy_range, from, &error, NULL, 0, to, 0, SIZE), ==, SIZE);
  g_assert_no_error (error);
  assert_pattern (to, 0, 0, SIZE);
  g_assert_cmpint (gaio_file_copy_range (from, 1234, to, SIZE + 99, 50000, NULL, &error), ==,
                   50000);
  g_assert_no_error (error);
  assert_pattern (to, SIZE + 99, 1234, 50000);

  /* Less only at the end, and nothing behind it. */
  g_assert_cmpint (
      file_test_do (loop, copy_range, from, &error, NULL, SIZE - 10, to, 7, G_MAXINT64 - SIZE), ==,
      10);
  g_assert_no_error (error);
  assert_pattern (to, 7, SIZE - 10, 10);
  assert_pattern (to, 17, 17, 1000);
  g_assert_cmpint (gaio_file_copy_range (from, SIZE + 5, to, 0, 10, NULL, &error), ==, 0);
  g_assert_cmpint (file_test_do (loop, copy_range, from, &error, NULL, 0, to, 0, 0), ==, 0);
  g_assert_no_error (error);

  /* Within one file, next to itself. */
  g_assert_cmpint (file_test_do (loop, copy_range, from, &error, NULL, 0, from, 1000, 1000), ==,
                   1000);
  g_assert_no_error (error);
  assert_pattern (from, 1000, 0, 1000);
}

static void
test_copies (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();

  check_copies (loop, dir, dir);
  file_test_remove_dir (dir);
}

/* Two file systems, between which the kernel may refuse; a file of which it does not know the
 * size; and no copy_file_range(2) at all. */
static void
test_by_hand (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  char target[] = "/dev/shm/gaio-test-XXXXXX";
  g_autofree char *path = g_build_filename (dir, "version", NULL);
  g_autofree char *version = NULL;
  g_autofree char *copied = NULL;
  g_autoptr (GaioFile) proc = file_test_open (loop->context, "/proc/version", "r");
  g_autoptr (GaioFile) to = file_test_open (loop->context, path, "w");
  GError *error = NULL;
  gsize length;

  if (mkdtemp (target) != NULL)
    {
      check_copies (loop, dir, target);
      file_test_remove_dir (g_strdup (target));
    }
  g_assert_true (g_file_get_contents ("/proc/version", &version, &length, NULL));
  g_assert_cmpint (file_test_do (loop, copy_range, proc, &error, NULL, 0, to, 0, 1 << 20), ==,
                   length);
  g_assert_no_error (error);
  g_assert_true (g_file_get_contents (path, &copied, NULL, NULL));
  g_assert_cmpstr (copied, ==, version);
  file_test_remove_dir (dir);
}

static void
test_without_call (void)
{
  static const int errnums[] = { ENOSYS, EXDEV, EOPNOTSUPP, EINVAL };
  char *dir;

  if (g_test_subprocess ())
    {
      const char *name = g_getenv ("GAIO_TEST_DIR");
      int errnum = atoi (g_getenv ("GAIO_TEST_ERRNO"));
      g_autoptr (GaioContext) context = NULL;
      GaioTestLoop loop = { .main_context = g_main_context_default (),
                            .driver = GAIO_TEST_BY_POLL };

      g_assert_true (file_test_break_syscall (SYS_copy_file_range, -1, errnum));
      context = gaio_context_new (NULL);
      loop.context = context;
      check_copies (&loop, name, name);
      return;
    }
  dir = file_test_make_dir ();
  g_setenv ("GAIO_TEST_DIR", dir, TRUE);
  for (guint i = 0; i < G_N_ELEMENTS (errnums); i++)
    {
      g_autofree char *number = g_strdup_printf ("%d", errnums[i]);

      g_setenv ("GAIO_TEST_ERRNO", number, TRUE);
      g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
      g_test_trap_assert_passed ();
    }
  g_unsetenv ("GAIO_TEST_ERRNO");
  g_unsetenv ("GAIO_TEST_DIR");
  file_test_remove_dir (dir);
}

/* More than the kernel is asked for at once; at the seam the data goes on. */
static void
test_pieces (void)
{
  const goffset seam = 64 << 20;
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "from", 0);
  g_autofree char *other = g_build_filename (dir, "to", NULL);
  g_autoptr (GaioContext) context = gaio_context_new (NULL);
  g_autoptr (GaioFile) from = file_test_open (context, path, "r+");
  g_autoptr (GaioFile) to = file_test_open (context, other, "w+");
  g_autoptr (GBytes) bytes = file_test_pattern_bytes (0, 2000);
  GError *error = NULL;

  g_assert_cmpint (gaio_file_write_bytes (from, seam - 1000, bytes, NULL, &error), ==, 2000);
  g_assert_cmpint (gaio_file_copy_range (from, 10, to, 20, seam + 5000, NULL, &error), ==,
                   seam + 990);
  g_assert_no_error (error);
  assert_pattern (to, seam - 990, 0, 2000);
  file_test_remove_dir (dir);
}

/* Ranges of one file that overlap, also when it is open twice, and however it is opened. */
static void
test_overlap (GaioTestLoop *loop)
{
  static const goffset rows[][3] = {
    { 0, 0, 1 }, { 0, 99, 100 }, { 99, 0, 100 }, { 5000, 0, SIZE }, { 0, SIZE, SIZE + 1 },
  };
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", SIZE);
  g_autofree char *link = g_build_filename (dir, "link", NULL);
  g_autoptr (GaioFile) file = file_test_open (loop->context, path, "r+");
  g_autoptr (GaioFile) twin = NULL;
  GError *error = NULL;

  g_assert_cmpint (symlink ("a", link), ==, 0);
  twin = file_test_open (loop->context, link, "r+");
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      GaioFile *to = i % 2 == 0 ? file : twin;

      g_assert_cmpint (file_test_do (loop, copy_range, file, &error, NULL, rows[i][0], to,
                                     rows[i][1], rows[i][2]),
                       ==, -1);
      g_assert_nonnull (strstr (error->message, "the ranges overlap"));
      file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
      to = i % 2 == 0 ? twin : file;
      g_assert_cmpint (
          gaio_file_copy_range (file, rows[i][0], to, rows[i][1], rows[i][2], NULL, &error), ==,
          -1);
      file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
    }
  assert_pattern (file, 0, 0, SIZE);
  file_test_remove_dir (dir);
}

static void
test_refused (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 100);
  g_autofree char *other = file_test_make_file (dir, "b", 0);
  g_autoptr (GaioFile) from = file_test_open (loop->context, path, "r");
  g_autoptr (GaioFile) to = file_test_open (loop->context, other, "r+");
  g_autoptr (GaioFile) appending = file_test_open (loop->context, other, "a");
  g_autoptr (GaioFile) pipe = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  GError *error = NULL;
  int fds[2];

  file_test_do (loop, copy_range, from, &error, NULL, -1, to, 0, 10);
  g_assert_nonnull (strstr (error->message, ", offset -1:"));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  file_test_do (loop, copy_range, from, &error, NULL, 0, to, -1, 10);
  g_assert_nonnull (strstr (error->message, "destination offset -1"));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  gaio_file_copy_range (from, 1, to, 0, G_MAXSIZE, NULL, &error);
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  gaio_file_copy_range (from, 0, to, G_MAXINT64, 1, NULL, &error);
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  file_test_do (loop, copy_range, to, &error, NULL, 0, from, 0, 10); /* nothing to copy, but */
  g_assert_error (error, GAIO_ERROR, GAIO_ERROR_BAD_FD);
  g_clear_error (&error);
  file_test_do (loop, copy_range, from, &error, NULL, 0, appending, 0, 10);
  g_assert_error (error, GAIO_ERROR, GAIO_ERROR_BAD_FD);
  g_clear_error (&error);
  file_test_make_pipe (fds);
  pipe = file_test_adopt (loop->context, fds[1]);
  g_assert_cmpint (file_test_do (loop, copy_range, from, &error, NULL, 0, pipe, 0, 10), ==, -1);
  g_assert_error (error, GAIO_ERROR, GAIO_ERROR_NOT_SEEKABLE);
  g_clear_error (&error);

  g_cancellable_cancel (cancellable);
  file_test_do (loop, copy_range, from, &error, cancellable, 0, to, 0, 10);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  gaio_file_copy_range (from, 0, to, 0, 10, cancellable, &error);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);

  g_assert_true (gaio_file_close (to, NULL, &error));
  file_test_do (loop, copy_range, from, &error, NULL, 0, to, 0, 10);
  g_assert_nonnull (strstr (error->message, "The destination is closed"));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_CLOSED, EBADF);
  g_assert_true (gaio_file_close (from, NULL, &error));
  gaio_file_copy_range (from, 0, appending, 0, 10, NULL, &error);
  g_assert_nonnull (strstr (error->message, "The file is closed"));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_CLOSED, EBADF);
  close (fds[0]);
  file_test_remove_dir (dir);
}

/* The destination stays open until the copy has ended, though its user closes it at once. */
static void
test_destination_closes (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", SIZE);
  g_autofree char *other = g_build_filename (dir, "b", NULL);
  g_autofree char *data = NULL;
  g_autoptr (GaioFile) from = file_test_open (loop->context, path, "r");
  g_autoptr (GAsyncResult) result = NULL;
  GaioFile *to = file_test_open (loop->context, other, "w");
  FileTestCall call = { 0 };
  FileTestCall closing = { 0 };
  GError *error = NULL;
  gsize length;

  gaio_file_copy_range_async (from, 0, to, 0, SIZE, G_PRIORITY_DEFAULT, NULL, file_test_on_end,
                              &call);
  gaio_file_close_async (to, G_PRIORITY_DEFAULT, NULL, file_test_on_end, &closing);
  g_object_unref (to);
  result = file_test_spin (&call, loop);
  g_assert_cmpint (gaio_file_copy_range_finish (from, result, &error), ==, SIZE);
  g_assert_no_error (error);
  g_assert_true (g_file_get_contents (other, &data, &length, NULL));
  g_assert_cmpuint (length, ==, SIZE);
  file_test_assert_pattern (data, 0, SIZE);
  while (closing.ended == 0)
    gaio_test_turn (loop, FALSE);
  g_object_unref (closing.result);
  file_test_remove_dir (dir);
}

static gssize
turn_until_done (GaioTestLoop *loop, FileTestCall *call, GaioFile *from, GError **error)
{
  g_autoptr (GAsyncResult) result = file_test_spin (call, loop);

  return gaio_file_copy_range_finish (from, result, error);
}

/* A copy of many pieces ends between two of them. */
static void
test_cancelled (GaioTestLoop *loop)
{
  const goffset size = G_GINT64_CONSTANT (1) << 40;
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 0);
  g_autofree char *other = g_build_filename (dir, "b", NULL);
  g_autoptr (GaioFile) from = file_test_open (loop->context, path, "r+");
  g_autoptr (GaioFile) to = file_test_open (loop->context, other, "w");
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  FileTestCall call = { 0 };
  GError *error = NULL;

  if (!gaio_file_truncate (from, size, NULL, &error))
    {
      g_clear_error (&error);
      g_test_skip ("no room for a file of a TiB, even without anything in it");
    }
  else
    {
      struct stat info;

      gaio_file_copy_range_async (from, 0, to, 0, size, G_PRIORITY_DEFAULT, cancellable,
                                  file_test_on_end, &call);
      do
        {
          gaio_test_turn (loop, FALSE);
          g_assert_cmpint (stat (other, &info), ==, 0);
        }
      while (info.st_size == 0 && call.ended == 0);
      g_cancellable_cancel (cancellable);
      if (call.ended > 0)
        g_test_skip ("a file system that shares what it copies");
      if (call.ended > 0)
        g_clear_object (&call.result);
      else if (turn_until_done (loop, &call, from, &error) < 0)
        {
          g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
          g_error_free (error);
          g_assert_cmpint (stat (other, &info), ==, 0);
          g_assert_cmpint (info.st_size, <, size);
        }
    }
  g_assert_cmpint (truncate (other, 0), ==, 0);
  file_test_remove_dir (dir);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  gaio_test_add_engine_matrix ("/file-copy-range/copies", test_copies);
  gaio_test_add_engine_matrix ("/file-copy-range/by-hand", test_by_hand);
  gaio_test_add ("/file-copy-range/without-call", test_without_call);
  g_test_add_func ("/file-copy-range/pieces", test_pieces);
  gaio_test_add_engine_matrix ("/file-copy-range/overlap", test_overlap);
  gaio_test_add_engine_matrix ("/file-copy-range/refused", test_refused);
  gaio_test_add_engine_matrix ("/file-copy-range/destination-closes", test_destination_closes);
  gaio_test_add_engine_matrix ("/file-copy-range/cancelled", test_cancelled);
  return g_test_run ();
}
