/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a file takes up: allocating, holes, zeros, and what is kept in memory. */

#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/vfs.h>

#include "file-test.h"

#define KIB 1024
#define SIZE (256 * KIB)

static void
assert_zeros (GaioFile *file, goffset offset, gsize length)
{
  GError *error = NULL;
  g_autoptr (GBytes) bytes = gaio_file_read_bytes (file, offset, length, NULL, &error);
  const guint8 *data;
  gsize size;

  g_assert_no_error (error);
  data = g_bytes_get_data (bytes, &size);
  g_assert_cmpuint (size, ==, length);
  for (gsize i = 0; i < size; i++)
    g_assert_cmpint (data[i], ==, 0);
}

static void
assert_pattern (GaioFile *file, goffset offset, gsize length)
{
  GError *error = NULL;
  g_autoptr (GBytes) bytes = gaio_file_read_bytes (file, offset, length, NULL, &error);

  g_assert_no_error (error);
  file_test_assert_bytes (bytes, offset, length);
}

static struct stat
info_of (GaioFile *file)
{
  struct stat info;

  g_assert_cmpint (fstat (gaio_file_get_fd (file), &info), ==, 0);
  return info;
}

/* Each in both its forms; what the file system cannot do ends the test. */
static void
test_allocate (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", KIB);
  g_autoptr (GaioFile) file = file_test_open (loop->context, path, "r+");
  GError *error = NULL;

  if (!file_test_do (loop, allocate, file, &error, NULL, 0, SIZE, TRUE))
    {
      file_test_assert_error (error, G_IO_ERROR_NOT_SUPPORTED, EOPNOTSUPP);
      g_test_skip ("a file system that cannot allocate");
    }
  else
    {
      g_assert_cmpint (info_of (file).st_size, ==, KIB);
      g_assert_cmpint (info_of (file).st_blocks * 512, >=, SIZE);
      g_assert_true (gaio_file_allocate (file, 0, 2 * SIZE, TRUE, NULL, &error));
      g_assert_cmpint (info_of (file).st_size, ==, KIB);
      g_assert_cmpint (info_of (file).st_blocks * 512, >=, 2 * SIZE);
      g_assert_true (file_test_do (loop, allocate, file, &error, NULL, KIB, SIZE, FALSE));
      g_assert_cmpint (info_of (file).st_size, ==, SIZE + KIB);
      g_assert_true (gaio_file_allocate (file, SIZE, 2 * SIZE, FALSE, NULL, &error));
      g_assert_no_error (error);
      g_assert_cmpint (info_of (file).st_size, ==, 3 * SIZE);
      assert_pattern (file, 0, KIB);
      assert_zeros (file, KIB, 3 * SIZE - KIB);
    }
  file_test_remove_dir (dir);
}

static void
test_punch_hole (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", SIZE);
  g_autoptr (GaioFile) file = file_test_open (loop->context, path, "r+");
  GError *error = NULL;

  g_assert_true (gaio_file_sync (file, FALSE, NULL, &error));
  if (!file_test_do (loop, punch_hole, file, &error, NULL, 64 * KIB, 64 * KIB))
    {
      file_test_assert_error (error, G_IO_ERROR_NOT_SUPPORTED, EOPNOTSUPP);
      g_test_skip ("a file system without holes");
    }
  else
    {
      g_assert_cmpint (info_of (file).st_size, ==, SIZE);
      g_assert_cmpint (info_of (file).st_blocks * 512, <=, SIZE - 64 * KIB);
      assert_pattern (file, 0, 64 * KIB);
      assert_zeros (file, 64 * KIB, 64 * KIB);
      assert_pattern (file, 128 * KIB, 128 * KIB);

      /* Over the end it does not make the file longer; parts of blocks become zeros too. */
      g_assert_true (gaio_file_punch_hole (file, SIZE - 10, SIZE, NULL, &error));
      g_assert_no_error (error);
      g_assert_cmpint (info_of (file).st_size, ==, SIZE);
      assert_pattern (file, 128 * KIB, 128 * KIB - 10);
      assert_zeros (file, SIZE - 10, 10);
    }
  file_test_remove_dir (dir);
}

static void
check_zero_range (GaioTestLoop *loop, const char *dir)
{
  g_autofree char *path = file_test_make_file (dir, "zeros", SIZE);
  g_autoptr (GaioFile) file = file_test_open (loop->context, path, "r+");
  GError *error = NULL;

  g_assert_true (file_test_do (loop, zero_range, file, &error, NULL, 1000, 100 * KIB));
  g_assert_no_error (error);
  g_assert_cmpint (info_of (file).st_size, ==, SIZE);
  assert_pattern (file, 0, 1000);
  assert_zeros (file, 1000, 100 * KIB);
  assert_pattern (file, 1000 + 100 * KIB, SIZE - 1000 - 100 * KIB);

  /* Over the end, and more than is written in one piece where it has to be. */
  g_assert_true (gaio_file_zero_range (file, SIZE - KIB, 3 * SIZE, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpint (info_of (file).st_size, ==, 4 * SIZE - KIB);
  assert_pattern (file, SIZE - 2 * KIB, KIB);
  assert_zeros (file, SIZE - KIB, 3 * SIZE);
  g_assert_true (file_test_do (loop, zero_range, file, &error, NULL, 5 * SIZE, 3 * SIZE));
  g_assert_no_error (error);
  g_assert_cmpint (info_of (file).st_size, ==, 8 * SIZE);
  assert_zeros (file, 5 * SIZE, 3 * SIZE);
}

static void
test_zero_range (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();

  check_zero_range (loop, dir);
  file_test_remove_dir (dir);
}

/* There the kernel has no such operation. */
static void
test_zero_range_tmpfs (GaioTestLoop *loop)
{
  char dir[] = "/dev/shm/gaio-test-XXXXXX";
  struct statfs info;

  if (statfs ("/dev/shm", &info) < 0 || info.f_type != 0x01021994 || mkdtemp (dir) == NULL)
    {
      g_test_skip ("no tmpfs at /dev/shm");
      return;
    }
  check_zero_range (loop, dir);
  file_test_remove_dir (g_strdup (dir));
}

/* Where there is not even fallocate(2) zeros are written, in both forms; to allocate fails. */
static void
test_without_fallocate (void)
{
  char *dir;

  if (g_test_subprocess ())
    {
      const char *name = g_getenv ("GAIO_TEST_DIR");
      g_autofree char *path = g_build_filename (name, "zeros", NULL);
      g_autoptr (GaioContext) context = NULL;
      g_autoptr (GaioFile) file = NULL;
      g_autoptr (GaioFile) appending = NULL;
      GError *error = NULL;
      GaioTestLoop loop = { .main_context = g_main_context_default (),
                            .driver = GAIO_TEST_BY_POLL };

      g_assert_true (file_test_break_syscall (SYS_fallocate, -1, EOPNOTSUPP));
      context = g_initable_new (GAIO_TYPE_CONTEXT, NULL, NULL, "engine", GAIO_ENGINE_THREADS, NULL);
      loop.context = context;
      check_zero_range (&loop, name);
      file = file_test_open (context, path, "r+");
      g_assert_false (file_test_do (&loop, allocate, file, &error, NULL, 0, 10, FALSE));
      g_assert_true (g_str_has_prefix (error->message, "allocate “"));
      file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_NOT_SUPPORTED, EOPNOTSUPP);
      g_assert_false (gaio_file_punch_hole (file, 0, 10, NULL, &error));
      g_assert_true (g_str_has_prefix (error->message, "punch hole “"));
      file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_NOT_SUPPORTED, EOPNOTSUPP);

      /* A write would go elsewhere. */
      appending = file_test_open (context, path, "a");
      g_assert_false (gaio_file_zero_range (appending, 0, 10, NULL, &error));
      g_assert_true (g_str_has_prefix (error->message, "zero range “"));
      file_test_assert_error (error, G_IO_ERROR_NOT_SUPPORTED, EOPNOTSUPP);
      g_assert_cmpint (info_of (file).st_size, ==, 8 * SIZE);
      return;
    }
  dir = file_test_make_dir ();
  g_setenv ("GAIO_TEST_DIR", dir, TRUE);
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
  g_test_trap_assert_passed ();
  g_unsetenv ("GAIO_TEST_DIR");
  file_test_remove_dir (dir);
}

static void
test_advise (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", SIZE);
  g_autoptr (GaioFile) file = file_test_open (loop->context, path, "r");
  GError *error = NULL;

  for (int advice = GAIO_ADVICE_NORMAL; advice <= GAIO_ADVICE_NO_REUSE; advice++)
    {
      g_assert_true (file_test_do (loop, advise, file, &error, NULL, advice, 0, 0));
      g_assert_no_error (error);
      g_assert_true (
          gaio_file_advise (file, advice, 4096, G_GINT64_CONSTANT (5) << 32, NULL, &error));
      g_assert_no_error (error);
      g_assert_true (
          file_test_do (loop, advise, file, &error, NULL, advice, 0, G_GINT64_CONSTANT (5) << 32));
      g_assert_no_error (error);
    }
  assert_pattern (file, 0, SIZE);
  for (int advice = -1; advice <= 99; advice += 100)
    {
      g_assert_false (file_test_do (loop, advise, file, &error, NULL, advice, 0, 0));
      g_assert_nonnull (strstr (error->message, "an unknown advice"));
      file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
      g_assert_false (gaio_file_advise (file, advice, 0, 0, NULL, &error));
      file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
    }
  file_test_remove_dir (dir);
}

/* How many pages of a file are in memory. */
static gsize
count_cached (const char *path)
{
  const gsize page_size = sysconf (_SC_PAGESIZE);
  const gsize n_pages = (SIZE + page_size - 1) / page_size;
  g_autofree guint8 *pages = g_new0 (guint8, n_pages);
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  void *memory = mmap (NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
  gsize n = 0;

  g_assert_true (memory != MAP_FAILED);
  g_assert_cmpint (mincore (memory, SIZE, pages), ==, 0);
  for (gsize i = 0; i < n_pages; i++)
    n += pages[i] & 1;
  munmap (memory, SIZE);
  close (fd);
  return n;
}

/* The system need not follow it at once, so it is told again. */
static void
advise_until (GaioTestLoop *loop,
              GaioFile *file,
              GaioAdvice advice,
              goffset length,
              gboolean cached)
{
  GError *error = NULL;

  for (int i = 0; i < 5000 && (count_cached (gaio_file_get_path (file)) > 0) != cached; i++)
    {
      g_assert_true (file_test_do (loop, advise, file, &error, NULL, advice, 0, length));
      g_assert_no_error (error);
      g_usleep (1000);
    }
  g_assert_cmpint (count_cached (gaio_file_get_path (file)) > 0, ==, cached);
}

/* What can be seen of it: which part of the file is in memory. */
static void
test_advice_taken (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", SIZE);
  g_autoptr (GaioFile) file = file_test_open (loop->context, path, "r+");
  GError *error = NULL;
  struct statfs info;

  g_assert_true (gaio_file_sync (file, FALSE, NULL, &error));
  g_assert_cmpint (statfs (path, &info), ==, 0);
  if (info.f_type == TMPFS_MAGIC || info.f_type == OVERLAYFS_SUPER_MAGIC)
    g_test_skip ("the file is always in memory");
  else
    {
      /* A length whose lower half is one page. */
      advise_until (loop, file, GAIO_ADVICE_DONT_NEED, (G_GINT64_CONSTANT (1) << 32) + 4096, FALSE);
      advise_until (loop, file, GAIO_ADVICE_WILL_NEED, 0, TRUE);
      advise_until (loop, file, GAIO_ADVICE_DONT_NEED, 0, FALSE);
    }
  file_test_remove_dir (dir);
}

static void
test_bad_ranges (GaioTestLoop *loop)
{
  static const goffset rows[][2] = {
    { -1, 10 }, { G_MININT64, 10 }, { 0, -1 }, { 10, G_MININT64 }, { G_MAXINT64, 1 },
  };
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 10);
  g_autoptr (GaioFile) file = file_test_open (loop->context, path, "r+");
  GError *errors[8] = { NULL };

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      const goffset offset = rows[i][0];
      const goffset length = rows[i][1];

      file_test_do (loop, allocate, file, &errors[0], NULL, offset, length, FALSE);
      file_test_do (loop, punch_hole, file, &errors[1], NULL, offset, length);
      file_test_do (loop, zero_range, file, &errors[2], NULL, offset, length);
      file_test_do (loop, advise, file, &errors[3], NULL, GAIO_ADVICE_NORMAL, offset, length);
      gaio_file_allocate (file, offset, length, FALSE, NULL, &errors[4]);
      gaio_file_punch_hole (file, offset, length, NULL, &errors[5]);
      gaio_file_zero_range (file, offset, length, NULL, &errors[6]);
      gaio_file_advise (file, GAIO_ADVICE_NORMAL, offset, length, NULL, &errors[7]);
      for (guint j = 0; j < G_N_ELEMENTS (errors); j++)
        {
          g_autofree char *detail =
              offset < 0 ? g_strdup_printf (", offset %" G_GOFFSET_FORMAT ":", offset)
                         : g_strdup_printf (", offset %" G_GOFFSET_FORMAT
                                            ", length %" G_GOFFSET_FORMAT ":",
                                            offset, length);

          g_assert_error (errors[j], G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
          g_assert_nonnull (strstr (errors[j]->message, detail));
          file_test_assert_error (g_steal_pointer (&errors[j]), G_IO_ERROR_INVALID_ARGUMENT,
                                  EINVAL);
        }
    }
  g_assert_cmpint (info_of (file).st_size, ==, 10);

  /* Nothing of it is nothing. */
  g_assert_true (file_test_do (loop, allocate, file, &errors[0], NULL, 100, 0, FALSE));
  g_assert_true (file_test_do (loop, punch_hole, file, &errors[0], NULL, 0, 0));
  g_assert_true (gaio_file_zero_range (file, 100, 0, NULL, &errors[0]));
  g_assert_no_error (errors[0]);
  g_assert_cmpint (info_of (file).st_size, ==, 10);
  assert_pattern (file, 0, 10);
  file_test_remove_dir (dir);
}

/* Not open for writing, closed, cancelled before, and what has no room: a pipe. */
static void
test_refused (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 10);
  g_autoptr (GaioFile) file = file_test_open (loop->context, path, "r");
  g_autoptr (GaioFile) pipe = NULL;
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  GError *error = NULL;
  int fds[2];

  g_assert_false (file_test_do (loop, allocate, file, &error, NULL, 0, 10, FALSE));
  g_assert_error (error, GAIO_ERROR, GAIO_ERROR_BAD_FD);
  g_clear_error (&error);
  g_assert_false (gaio_file_zero_range (file, 0, 10, NULL, &error));
  g_assert_error (error, GAIO_ERROR, GAIO_ERROR_BAD_FD);
  g_clear_error (&error);

  g_cancellable_cancel (cancellable);
  g_assert_false (file_test_do (loop, punch_hole, file, &error, cancellable, 0, 10));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_false (gaio_file_advise (file, GAIO_ADVICE_NORMAL, 0, 10, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);

  g_assert_true (gaio_file_close (file, NULL, &error));
  g_assert_false (file_test_do (loop, allocate, file, &error, NULL, 0, 10, FALSE));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_CLOSED, EBADF);
  g_assert_false (gaio_file_advise (file, GAIO_ADVICE_NORMAL, 0, 0, NULL, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_CLOSED, EBADF);

  file_test_make_pipe (fds);
  pipe = file_test_adopt (loop->context, fds[1]);
  g_assert_false (file_test_do (loop, zero_range, pipe, &error, NULL, 0, 10));
  g_assert_error (error, GAIO_ERROR, GAIO_ERROR_NOT_SEEKABLE);
  g_clear_error (&error);
  g_assert_false (file_test_do (loop, advise, pipe, &error, NULL, GAIO_ADVICE_NORMAL, 0, 0));
  g_assert_error (error, GAIO_ERROR, GAIO_ERROR_NOT_SEEKABLE);
  g_clear_error (&error);
  close (fds[0]);
  file_test_remove_dir (dir);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  gaio_test_add_engine_matrix ("/file-space/allocate", test_allocate);
  gaio_test_add_engine_matrix ("/file-space/punch-hole", test_punch_hole);
  gaio_test_add_engine_matrix ("/file-space/zero-range", test_zero_range);
  gaio_test_add_engine_matrix ("/file-space/zero-range-tmpfs", test_zero_range_tmpfs);
  gaio_test_add ("/file-space/without-fallocate", test_without_fallocate);
  gaio_test_add_engine_matrix ("/file-space/advise", test_advise);
  gaio_test_add_engine_matrix ("/file-space/advice-taken", test_advice_taken);
  gaio_test_add_engine_matrix ("/file-space/bad-ranges", test_bad_ranges);
  gaio_test_add_engine_matrix ("/file-space/refused", test_refused);
  return g_test_run ();
}
