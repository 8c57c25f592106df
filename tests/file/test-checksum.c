/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* gaio_checksum(): files large and small, sparse ones, pipes, and what is no file. */

#include "twin-test.h"

static char *
sum_by (Twin *twin, const char *path, GChecksumType type, GClosure *progress, GError **error)
{
  char *result;

  twin_begin (twin);
  if (!twin->async)
    return gaio_checksum (path, type, progress, twin->cancellable, error);
  gaio_checksum_async (path, type, progress, 0, twin->cancellable, twin_on_end, twin);
  result = gaio_checksum_finish (twin_wait (twin), error);
  twin_end (twin);
  return result;
}

static void
assert_sum (Twin *twin, const char *path, GChecksumType type, const char *expected)
{
  GError *error = NULL;
  g_autofree char *sum = sum_by (twin, path, type, NULL, &error);

  g_assert_no_error (error);
  g_assert_cmpstr (sum, ==, expected);
}

static void
assert_fails (Twin *twin, const char *path, GChecksumType type, int errnum)
{
  GError *error = NULL;

  g_assert_null (sum_by (twin, path, type, NULL, &error));
  g_assert_nonnull (error);
  g_assert_cmpint (gaio_error_get_errno (error), ==, errnum);
  g_error_free (error);
}

static void
test_sizes (gboolean async)
{
  static const gsize sizes[] = { 0, 1, 256 * 1024, 256 * 1024 + 1, 3000000 };
  Twin twin = { .async = async };
  char *dir = file_test_make_dir ();

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autofree char *path = file_test_make_file (dir, "file", sizes[i]);
      g_autofree guint8 *data = file_test_pattern (0, sizes[i]);

      for (int type = G_CHECKSUM_MD5; type <= G_CHECKSUM_SHA384; type++)
        {
          g_autofree char *expected = g_compute_checksum_for_data (type, data, sizes[i]);

          assert_sum (&twin, path, type, expected);
        }
      assert_fails (&twin, path, (GChecksumType) 99, EINVAL);
    }
  assert_fails (&twin, dir, G_CHECKSUM_MD5, EISDIR);
  assert_fails (&twin, "", G_CHECKSUM_MD5, ENOENT);
  file_test_remove_dir (dir);
}

static void
test_progress (gboolean async)
{
  Twin twin = { .async = async };
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "file", 3000000);
  GClosure *progress = twin_progress (&twin);
  g_autofree char *sum = sum_by (&twin, path, G_CHECKSUM_MD5, progress, NULL);

  g_assert_nonnull (sum);
  g_assert_cmpint (twin.done, ==, 3000000);
  g_assert_cmpint (twin.total, ==, 3000000);
  g_assert_cmpint (twin.n_told, >, 0);
  g_assert_cmpint (twin.n_freed, ==, 1);
  file_test_remove_dir (dir);
}

/* How much this process has read so far; 0 when the kernel does not count that. */
static guint64
count_read (void)
{
  g_autofree char *text = NULL;

  if (!g_file_get_contents ("/proc/self/io", &text, NULL, NULL) || strstr (text, "rchar: ") == NULL)
    return 0;
  return g_ascii_strtoull (strstr (text, "rchar: ") + 7, NULL, 10);
}

/* Holes are not read, unless the file system makes a secret of them. */
static void
assert_read_little (const char *path, guint64 n_before)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC);

  if (lseek (fd, 0, SEEK_HOLE) == 0)
    g_assert_cmpuint (count_read () - n_before, <, 2000000);
  close (fd);
}

static void
test_sparse (gboolean async)
{
  /* Data at these places, a hole before, between and after them. */
  static const gsize places[] = { 5000000, 5000001, 9000000 };
  const gsize size = 20000000;
  Twin twin = { .async = async };
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "sparse", NULL);
  g_autofree guint8 *data = g_malloc0 (size);
  g_autofree char *expected = NULL;
  int fd = open (path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  guint64 n_before;

  for (guint i = 0; i < G_N_ELEMENTS (places); i++)
    {
      data[places[i]] = 'x';
      g_assert_cmpint (pwrite (fd, "x", 1, places[i]), ==, 1);
    }
  g_assert_cmpint (ftruncate (fd, size), ==, 0);
  expected = g_compute_checksum_for_data (G_CHECKSUM_SHA1, data, size);
  n_before = count_read ();
  assert_sum (&twin, path, G_CHECKSUM_SHA1, expected);
  assert_read_little (path, n_before);

  /* One without any data. */
  g_assert_cmpint (ftruncate (fd, 0), ==, 0);
  g_assert_cmpint (ftruncate (fd, size), ==, 0);
  memset (data, 0, size);
  g_free (expected);
  expected = g_compute_checksum_for_data (G_CHECKSUM_SHA1, data, size);
  n_before = count_read ();
  assert_sum (&twin, path, G_CHECKSUM_SHA1, expected);
  assert_read_little (path, n_before);
  close (fd);
  file_test_remove_dir (dir);
}

typedef struct
{
  const char *path;
  gsize size;
} Writer;

static gpointer
write_slowly (gpointer data)
{
  Writer *self = data;
  g_autofree guint8 *bytes = file_test_pattern (0, self->size);
  int fd = open (self->path, O_WRONLY | O_CLOEXEC);
  gsize done = 0;

  while (done < self->size)
    {
      gssize n = write (fd, bytes + done, MIN (self->size - done, 50000));

      g_assert_cmpint (n, >, 0);
      done += n;
      g_usleep (100);
    }
  close (fd);
  return NULL;
}

static void
test_pipe (gboolean async)
{
  Twin twin = { .async = async };
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "fifo", NULL);
  Writer writer = { path, 1000000 };
  g_autofree guint8 *data = file_test_pattern (0, writer.size);
  g_autofree char *expected = g_compute_checksum_for_data (G_CHECKSUM_MD5, data, writer.size);
  GThread *thread;

  g_assert_cmpint (mkfifo (path, 0666), ==, 0);
  thread = g_thread_new ("writer", write_slowly, &writer);
  assert_sum (&twin, path, G_CHECKSUM_MD5, expected);
  g_thread_join (thread);
  file_test_remove_dir (dir);
}

static gpointer
cancel_soon (gpointer cancellable)
{
  g_usleep (20000);
  g_cancellable_cancel (cancellable);
  return NULL;
}

/* While nobody writes into a pipe, and while somebody has it open but writes nothing. */
static void
test_pipe_cancelled (gboolean async)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "fifo", NULL);

  g_assert_cmpint (mkfifo (path, 0666), ==, 0);
  for (int open_for_writing = 0; open_for_writing < 2; open_for_writing++)
    {
      Twin twin = { .async = async, .cancellable = g_cancellable_new () };
      int fd = open_for_writing ? open (path, O_RDWR | O_CLOEXEC) : -1;
      GThread *thread;

      if (fd >= 0)
        g_assert_cmpint (write (fd, "abc", 3), ==, 3);
      thread = g_thread_new ("cancel", cancel_soon, twin.cancellable);
      assert_fails (&twin, path, G_CHECKSUM_MD5, ECANCELED);
      g_thread_join (thread);
      g_object_unref (twin.cancellable);
      if (fd >= 0)
        close (fd);
    }
  file_test_remove_dir (dir);
}

static void
cancel_when_told (gint64 done, gint64 total, gpointer data)
{
  g_cancellable_cancel (data);
}

/* In the midst of a hole that would take minutes. */
static void
test_cancelled (gboolean async)
{
  Twin twin = { .async = async, .cancellable = g_cancellable_new () };
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "sparse", NULL);
  GError *error = NULL;

  twin_touch (dir, "sparse");
  if (truncate (path, G_GINT64_CONSTANT (100) << 30) < 0)
    g_test_skip ("the file system has no file of 100 GiB");
  else
    {
      g_assert_null (sum_by (&twin, path, G_CHECKSUM_SHA256,
                             g_cclosure_new (G_CALLBACK (cancel_when_told), twin.cancellable, NULL),
                             &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      g_clear_error (&error);
    }
  g_object_unref (twin.cancellable);
  file_test_remove_dir (dir);
}

TWIN_BOTH (test_sizes)
TWIN_BOTH (test_progress)
TWIN_BOTH (test_sparse)
TWIN_BOTH (test_pipe)
TWIN_BOTH (test_pipe_cancelled)
TWIN_BOTH (test_cancelled)

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);

  gaio_test_add ("/checksum/sizes", test_sizes_both);
  gaio_test_add ("/checksum/progress", test_progress_both);
  gaio_test_add ("/checksum/sparse", test_sparse_both);
  gaio_test_add ("/checksum/pipe", test_pipe_both);
  gaio_test_add ("/checksum/pipe-cancelled", test_pipe_cancelled_both);
  gaio_test_add ("/checksum/cancelled", test_cancelled_both);

  return g_test_run ();
}
