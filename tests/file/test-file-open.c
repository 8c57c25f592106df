/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Opening files: by a mode, by flags, by a GFile. */

#include "file-test.h"

/* A file opened so belongs to the thread's default context, which is not the loop's own when that
 * is not attached. */
static GaioFile *
open_wait (GaioTestLoop *loop, const char *path, const char *mode, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;
  FileTestCall call = { 0 };

  gaio_open_async (path, mode, G_PRIORITY_DEFAULT, NULL, file_test_on_end, &call);
  result = file_test_spin (&call, loop);
  return gaio_open_finish (result, error);
}

static void
test_open (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 1000);
  g_autofree char *new_path = g_build_filename (dir, "new", NULL);
  GError *error = NULL;
  GaioFile *file;
  struct stat info;
  mode_t mask;
  g_autofree char *file_path = NULL;
  gboolean seekable, closed;

  file = open_wait (loop, path, "r", &error);
  g_assert_no_error (error);
  g_assert_cmpstr (gaio_file_get_path (file), ==, path);
  g_assert_true (gaio_file_is_seekable (file));
  g_assert_false (gaio_file_is_closed (file));
  g_assert_cmpint (fcntl (gaio_file_get_fd (file), F_GETFD), ==, FD_CLOEXEC);
  g_object_get (file, "path", &file_path, "seekable", &seekable, "closed", &closed, NULL);
  g_assert_cmpstr (file_path, ==, path);
  g_assert_true (seekable);
  g_assert_false (closed);
  g_assert_true (file_test_close_wait (file, loop, &error));
  g_assert_no_error (error);
  g_assert_true (gaio_file_is_closed (file));
  g_assert_cmpint (gaio_file_get_fd (file), ==, -1);
  g_object_unref (file);

  /* Exclusive, twice; then the same file emptied. */
  mask = umask (0);
  file = open_wait (loop, new_path, "wx", &error);
  umask (mask);
  g_assert_no_error (error);
  g_object_unref (file);
  g_assert_cmpint (stat (new_path, &info), ==, 0);
  g_assert_cmpint (info.st_mode & 07777, ==, 0666);
  g_assert_null (open_wait (loop, new_path, "w+bx", &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_EXISTS, EEXIST);
  file = open_wait (loop, path, "w", &error);
  g_assert_no_error (error);
  g_object_unref (file);
  g_assert_cmpint (stat (path, &info), ==, 0);
  g_assert_cmpint (info.st_size, ==, 0);
  file_test_remove_dir (dir);
}

/* What a mode lets one do. */
static void
test_modes (GaioTestLoop *loop)
{
  static const struct
  {
    const char *mode;
    int flags; /* of fcntl(2); -1: it is no mode */
  } modes[] = {
    { "r", O_RDONLY },
    { "rb", O_RDONLY },
    { "r+", O_RDWR },
    { "rb+", O_RDWR },
    { "r+b", O_RDWR },
    { "w", O_WRONLY },
    { "w+", O_RDWR },
    { "a", O_WRONLY | O_APPEND },
    { "a+b", O_RDWR | O_APPEND },
    { "", -1 },
    { "q", -1 },
    { "rw", -1 },
    { "rx", -1 },
    { "r++", -1 },
    { "+r", -1 },
    { "w ", -1 },
    { "wxx", -1 },
  };
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 10);

  for (guint i = 0; i < G_N_ELEMENTS (modes); i++)
    {
      GError *error = NULL;
      GError *async_error = NULL;
      GaioFile *file = gaio_file_new_for_path (loop->context, path, modes[i].mode, &error);
      GaioFile *async_file = open_wait (loop, path, modes[i].mode, &async_error);

      if (modes[i].flags < 0)
        {
          g_assert_null (file);
          g_assert_null (async_file);
          file_test_assert_error (error, G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
          file_test_assert_error (async_error, G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
          continue;
        }
      g_assert_no_error (error);
      g_assert_no_error (async_error);
      g_assert_cmpint (fcntl (gaio_file_get_fd (file), F_GETFL) & (O_ACCMODE | O_APPEND),
                       ==,
                       modes[i].flags);
      g_assert_cmpint (fcntl (gaio_file_get_fd (async_file), F_GETFL) & (O_ACCMODE | O_APPEND),
                       ==,
                       modes[i].flags);
      g_object_unref (file);
      g_object_unref (async_file);
    }
  file_test_remove_dir (dir);
}

static void
assert_open_fails (GaioTestLoop *loop, const char *path, const char *mode, int code, int errnum)
{
  GError *error = NULL;
  g_autofree char *start = g_strdup_printf ("open “%s”: ", path);

  g_assert_null (open_wait (loop, path, mode, &error));
  g_assert_true (g_str_has_prefix (error->message, start));
  file_test_assert_error (g_steal_pointer (&error), code, errnum);
  g_assert_null (gaio_file_new_for_path (loop->context, path, mode, &error));
  g_assert_true (g_str_has_prefix (error->message, start));
  file_test_assert_error (error, code, errnum);
}

static void
test_open_errors (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *missing = g_build_filename (dir, "no", "such", NULL);
  g_autofree char *path = file_test_make_file (dir, "a", 10);
  g_autofree char *below = g_build_filename (path, "below", NULL);
  g_autofree char *link = g_build_filename (dir, "loop", NULL);
  g_autofree char *long_name = g_strnfill (300, 'x');

  assert_open_fails (loop, missing, "r", G_IO_ERROR_NOT_FOUND, ENOENT);
  assert_open_fails (loop, missing, "w", G_IO_ERROR_NOT_FOUND, ENOENT);
  assert_open_fails (loop, "", "r", G_IO_ERROR_NOT_FOUND, ENOENT);
  assert_open_fails (loop, dir, "r", G_IO_ERROR_IS_DIRECTORY, EISDIR);
  assert_open_fails (loop, dir, "r+", G_IO_ERROR_IS_DIRECTORY, EISDIR);
  assert_open_fails (loop, dir, "w", G_IO_ERROR_IS_DIRECTORY, EISDIR);
  assert_open_fails (loop, below, "r", G_IO_ERROR_NOT_DIRECTORY, ENOTDIR);
  assert_open_fails (loop, long_name, "r", G_IO_ERROR_FILENAME_TOO_LONG, ENAMETOOLONG);
  g_assert_cmpint (symlink ("loop", link), ==, 0);
  assert_open_fails (loop, link, "r", G_IO_ERROR_TOO_MANY_LINKS, ELOOP);
  file_test_remove_dir (dir);
}

/* Who may do all cannot be refused, so root becomes nobody, in a process of its own. */
static void
test_permission (void)
{
  char *dir;

  if (g_test_subprocess ())
    {
      g_autofree char *path = g_build_filename (g_getenv ("GAIO_TEST_DIR"), "a", NULL);
      g_autoptr (GaioContext) context = gaio_context_new (NULL);
      GaioTestLoop loop = { .context = context,
                            .main_context = g_main_context_default (),
                            .driver = GAIO_TEST_BY_POLL };

      file_test_become_nobody ();
      assert_open_fails (&loop, path, "r", G_IO_ERROR_PERMISSION_DENIED, EACCES);
      assert_open_fails (&loop, path, "w", G_IO_ERROR_PERMISSION_DENIED, EACCES);
      return;
    }
  dir = file_test_make_dir ();
  {
    g_autofree char *path = file_test_make_file (dir, "a", 10);

    g_assert_cmpint (chmod (path, 0), ==, 0);
    g_assert_cmpint (chmod (dir, 0755), ==, 0);
    g_setenv ("GAIO_TEST_DIR", dir, TRUE);
    g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
    g_test_trap_assert_passed ();
    g_unsetenv ("GAIO_TEST_DIR");
  }
  file_test_remove_dir (dir);
}

static GaioFile *
open_full_wait (GaioTestLoop *loop,
                const char *path,
                GaioOpenFlags flags,
                guint32 permissions,
                GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;
  FileTestCall call = { 0 };

  gaio_open_full_async (path,
                        flags,
                        permissions,
                        G_PRIORITY_DEFAULT,
                        NULL,
                        file_test_on_end,
                        &call);
  result = file_test_spin (&call, loop);
  return gaio_open_full_finish (result, error);
}

/* What each flag makes of the descriptor. O_DIRECT is the file system's to take or not. */
static void
test_flags (GaioTestLoop *loop)
{
  static const struct
  {
    GaioOpenFlags flags;
    int expected; /* -1: they contradict each other */
  } rows[] = {
    { GAIO_OPEN_READ, O_RDONLY },
    { GAIO_OPEN_WRITE, O_WRONLY },
    { GAIO_OPEN_READ | GAIO_OPEN_WRITE, O_RDWR },
    { GAIO_OPEN_READ | GAIO_OPEN_CREATE, O_RDONLY },
    { GAIO_OPEN_WRITE | GAIO_OPEN_APPEND, O_WRONLY | O_APPEND },
    { GAIO_OPEN_WRITE | GAIO_OPEN_TRUNCATE, O_WRONLY },
    { GAIO_OPEN_READ | GAIO_OPEN_NOFOLLOW, O_RDONLY | O_NOFOLLOW },
    { GAIO_OPEN_WRITE | GAIO_OPEN_SYNC, O_WRONLY | O_SYNC },
    { GAIO_OPEN_WRITE | GAIO_OPEN_DSYNC, O_WRONLY | O_DSYNC },
    { GAIO_OPEN_NONE, -1 },
    { GAIO_OPEN_CREATE, -1 },
    { GAIO_OPEN_READ | GAIO_OPEN_EXCLUSIVE, -1 },
    { GAIO_OPEN_READ | GAIO_OPEN_APPEND, -1 },
    { GAIO_OPEN_READ | GAIO_OPEN_TRUNCATE, -1 },
    { GAIO_OPEN_READ | (1 << 20), -1 },
    { (GaioOpenFlags) -1, -1 },
  };
  const int shown = O_ACCMODE | O_APPEND | O_NOFOLLOW | O_SYNC | O_DSYNC;
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 10);

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      g_autoptr (GaioFile) file = NULL;
      g_autoptr (GaioFile) blocking = NULL;
      GError *error = NULL;
      GError *blocking_error = NULL;

      file = open_full_wait (loop, path, rows[i].flags, 0666, &error);
      blocking = gaio_open_full (path, rows[i].flags, 0666, NULL, &blocking_error);
      if (rows[i].expected < 0)
        {
          g_assert_null (file);
          g_assert_null (blocking);
          g_assert_cmpstr (error->message, ==, blocking_error->message);
          file_test_assert_error (error, G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
          file_test_assert_error (blocking_error, G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
          continue;
        }
      g_assert_no_error (error);
      g_assert_no_error (blocking_error);
      g_assert_cmpint (fcntl (gaio_file_get_fd (file), F_GETFL) & shown, ==, rows[i].expected);
      g_assert_cmpint (fcntl (gaio_file_get_fd (blocking), F_GETFL) & shown, ==, rows[i].expected);
      g_assert_cmpint (fcntl (gaio_file_get_fd (file), F_GETFD), ==, FD_CLOEXEC);
    }
  file_test_remove_dir (dir);
}

/* What they do to a file. */
static void
test_creating (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "new", NULL);
  g_autoptr (GBytes) bytes = file_test_pattern_bytes (0, 10);
  g_autoptr (GaioFile) file = NULL;
  GError *error = NULL;
  struct stat info;
  mode_t mask = umask (027);

  g_assert_null (open_full_wait (loop, path, GAIO_OPEN_WRITE, 0666, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_NOT_FOUND, ENOENT);
  file = open_full_wait (loop,
                         path,
                         GAIO_OPEN_WRITE | GAIO_OPEN_CREATE | GAIO_OPEN_EXCLUSIVE,
                         01764,
                         &error);
  g_assert_no_error (error);
  umask (mask);
  g_assert_cmpint (stat (path, &info), ==, 0);
  g_assert_cmpint (info.st_mode & 07777, ==, 01740);
  g_assert_cmpint (gaio_file_write_bytes (file, 0, bytes, NULL, &error), ==, 10);
  g_clear_object (&file);
  g_assert_null (open_full_wait (loop,
                                 path,
                                 GAIO_OPEN_WRITE | GAIO_OPEN_CREATE | GAIO_OPEN_EXCLUSIVE,
                                 0666,
                                 &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_EXISTS, EEXIST);

  /* Opened again it is as it was, unless it is emptied. */
  file = open_full_wait (loop, path, GAIO_OPEN_WRITE | GAIO_OPEN_CREATE, 0666, &error);
  g_assert_no_error (error);
  g_assert_cmpint (stat (path, &info), ==, 0);
  g_assert_cmpint (info.st_size, ==, 10);
  g_assert_cmpint (info.st_mode & 07777, ==, 01740);
  g_clear_object (&file);
  file = open_full_wait (loop, path, GAIO_OPEN_WRITE | GAIO_OPEN_TRUNCATE, 0666, &error);
  g_assert_no_error (error);
  g_assert_cmpint (stat (path, &info), ==, 0);
  g_assert_cmpint (info.st_size, ==, 0);

  /* Permissions that are none. */
  g_assert_null (open_full_wait (loop, path, GAIO_OPEN_READ, 010000, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  g_assert_null (gaio_open_full (path, GAIO_OPEN_READ, G_MAXUINT32, NULL, &error));
  file_test_assert_error (error, G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  file_test_remove_dir (dir);
}

static void
test_nofollow (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path G_GNUC_UNUSED = file_test_make_file (dir, "a", 10);
  g_autofree char *link = g_build_filename (dir, "link", NULL);
  g_autofree char *below = g_build_filename (dir, "here", "a", NULL);
  g_autofree char *here = g_build_filename (dir, "here", NULL);
  g_autoptr (GaioFile) file = NULL;
  g_autoptr (GaioFile) plain = NULL;
  GError *error = NULL;

  g_assert_cmpint (symlink ("a", link), ==, 0);
  g_assert_cmpint (symlink (".", here), ==, 0);
  g_assert_null (open_full_wait (loop, link, GAIO_OPEN_READ | GAIO_OPEN_NOFOLLOW, 0, &error));
  g_assert_nonnull (strstr (error->message, "a symbolic link is not followed"));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_TOO_MANY_LINKS, ELOOP);
  g_assert_null (gaio_open_full (link, GAIO_OPEN_READ | GAIO_OPEN_NOFOLLOW, 0, NULL, &error));
  g_assert_nonnull (strstr (error->message, "a symbolic link is not followed"));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_TOO_MANY_LINKS, ELOOP);

  /* Only at the end of the path, and only when asked for. */
  file = open_full_wait (loop, below, GAIO_OPEN_READ | GAIO_OPEN_NOFOLLOW, 0, &error);
  g_assert_no_error (error);
  plain = open_full_wait (loop, link, GAIO_OPEN_READ, 0, &error);
  g_assert_no_error (error);
  file_test_remove_dir (dir);
}

static GaioFile *
open_gfile_wait (GaioTestLoop *loop, GFile *gfile, GaioOpenFlags flags, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;
  FileTestCall call = { 0 };

  gaio_open_gfile_async (gfile, flags, 0666, G_PRIORITY_DEFAULT, NULL, file_test_on_end, &call);
  result = file_test_spin (&call, loop);
  return gaio_open_gfile_finish (result, error);
}

static void
test_gfile (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a b", 10);
  g_autoptr (GFile) gfile = g_file_new_for_path (path);
  g_autoptr (GFile) remote = g_file_new_for_uri ("http://example.org/a%20b");
  g_autoptr (GaioFile) file = NULL;
  g_autoptr (GaioFile) blocking = NULL;
  GError *error = NULL;

  file = open_gfile_wait (loop, gfile, GAIO_OPEN_READ, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (gaio_file_get_path (file), ==, path);
  blocking = gaio_open_gfile (gfile, GAIO_OPEN_READ, 0666, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (gaio_file_get_path (blocking), ==, path);

  g_assert_null (open_gfile_wait (loop, remote, GAIO_OPEN_READ, &error));
  g_assert_nonnull (strstr (error->message, "“http://example.org/a%20b”, not a local file"));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_NOT_SUPPORTED, ENOTSUP);
  g_assert_null (gaio_open_gfile (remote, GAIO_OPEN_READ, 0666, NULL, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_NOT_SUPPORTED, ENOTSUP);
  g_assert_null (open_gfile_wait (loop, gfile, GAIO_OPEN_CREATE, &error));
  file_test_assert_error (error, G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  file_test_remove_dir (dir);
}

/* Nothing is opened, or made, for whom cancelled before. */
static void
test_cancelled (GaioTestLoop *loop)
{
  const GaioOpenFlags flags = GAIO_OPEN_WRITE | GAIO_OPEN_CREATE;
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "new", NULL);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GAsyncResult) result = NULL;
  FileTestCall call = { 0 };
  GError *error = NULL;

  g_cancellable_cancel (cancellable);
  gaio_open_full_async (path,
                        flags,
                        0666,
                        G_PRIORITY_DEFAULT,
                        cancellable,
                        file_test_on_end,
                        &call);
  result = file_test_spin (&call, loop);
  g_assert_null (gaio_open_full_finish (result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_null (gaio_open_full (path, flags, 0666, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_error_free (error);
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
  file_test_remove_dir (dir);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  gaio_test_add_engine_matrix ("/file-open/open", test_open);
  gaio_test_add_engine_matrix ("/file-open/modes", test_modes);
  gaio_test_add_engine_matrix ("/file-open/open-errors", test_open_errors);
  gaio_test_add ("/file-open/permission", test_permission);
  gaio_test_add_engine_matrix ("/file-open/flags", test_flags);
  gaio_test_add_engine_matrix ("/file-open/creating", test_creating);
  gaio_test_add_engine_matrix ("/file-open/nofollow", test_nofollow);
  gaio_test_add_engine_matrix ("/file-open/gfile", test_gfile);
  gaio_test_add_engine_matrix ("/file-open/cancelled", test_cancelled);
  return g_test_run ();
}
