/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* GaioFile: closing, the asynchronous functions and their blocking twins. */

#include <sched.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "file-test.h"

/* A small file system that only this process sees. */
static gboolean
mount_small (const char *dir)
{
  return unshare (CLONE_NEWNS) == 0 && mount ("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
         mount ("none", dir, "tmpfs", 0, "size=256k") == 0;
}

static gboolean
can_mount (const char *dir)
{
  pid_t child = fork ();
  int status;

  if (child == 0)
    _exit (mount_small (dir) ? 0 : 1);
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  return status == 0;
}

static void
fill_disk (GaioEngine engine, const char *dir)
{
  g_autofree char *path = g_build_filename (dir, "a", NULL);
  g_autofree char *detail = NULL;
  g_autofree char *data = NULL;
  g_autoptr (GError) error = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GBytes) bytes = file_test_pattern_bytes (0, 1000000);
  g_autoptr (GaioContext) context =
      g_initable_new (GAIO_TYPE_CONTEXT, NULL, NULL, "engine", engine, NULL);
  g_autoptr (GaioFile) file = file_test_open (context, path, "w");
  GaioTestLoop loop = { .context = context,
                        .main_context = g_main_context_default (),
                        .driver = GAIO_TEST_BY_POLL };
  FileTestCall call = { 0 };
  gsize size;

  gaio_file_write_bytes_async (file, 0, bytes, G_PRIORITY_DEFAULT, NULL, file_test_on_end, &call);
  result = file_test_wait (&call, &loop);
  g_assert_cmpint (gaio_file_write_bytes_finish (file, result, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE);
  g_assert_cmpint (gaio_error_get_errno (error), ==, ENOSPC);

  /* As much as the message says is there. */
  g_assert_true (g_file_get_contents (path, &data, &size, NULL));
  g_assert_cmpuint (size, >, 100000);
  g_assert_cmpuint (size, <=, 256 * 1024);
  file_test_assert_pattern (data, 0, size);
  detail = g_strdup_printf (", %" G_GSIZE_FORMAT " of 1000000 bytes written: ", size);
  g_assert_nonnull (strstr (error->message, detail));
  unlink (path);
}

static void
test_full_disk (void)
{
  char *dir;

  if (g_test_subprocess ())
    {
      const char *name = g_getenv ("GAIO_TEST_DIR");

      g_assert_true (mount_small (name));
      fill_disk (GAIO_ENGINE_AUTO, name);
      fill_disk (GAIO_ENGINE_THREADS, name);
      return;
    }
  dir = file_test_make_dir ();
  if (!can_mount (dir))
    g_test_skip ("may not mount a small file system");
  else
    {
      g_setenv ("GAIO_TEST_DIR", dir, TRUE);
      g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
      g_test_trap_assert_passed ();
      g_unsetenv ("GAIO_TEST_DIR");
    }
  file_test_remove_dir (dir);
}

static void
test_round_trip (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "a", NULL);
  GaioFile *file = file_test_open (loop->context, path, "w+");
  g_autoptr (GBytes) bytes = file_test_pattern_bytes (0, 100000);
  g_autoptr (GBytes) read_back = NULL;
  GAsyncResult *result;
  GError *error = NULL;
  FileTestCall call = { 0 };

  gaio_file_write_bytes_async (file, 0, bytes, G_PRIORITY_DEFAULT, NULL, file_test_on_end, &call);
  result = file_test_wait (&call, loop);
  g_assert_cmpint (gaio_file_write_bytes_finish (file, result, &error), ==, 100000);
  g_assert_no_error (error);
  g_object_unref (result);

  gaio_file_sync_async (file, TRUE, G_PRIORITY_DEFAULT, NULL, file_test_on_end, &call);
  result = file_test_wait (&call, loop);
  g_assert_true (gaio_file_sync_finish (file, result, &error));
  g_assert_no_error (error);
  g_object_unref (result);

  gaio_file_truncate_async (file, 90000, G_PRIORITY_DEFAULT, NULL, file_test_on_end, &call);
  result = file_test_wait (&call, loop);
  g_assert_true (gaio_file_truncate_finish (file, result, &error));
  g_assert_no_error (error);
  g_object_unref (result);

  gaio_file_read_bytes_async (file, 10, 100000, G_PRIORITY_DEFAULT, NULL, file_test_on_end, &call);
  result = file_test_wait (&call, loop);
  read_back = gaio_file_read_bytes_finish (file, result, &error);
  g_assert_no_error (error);
  file_test_assert_bytes (read_back, 10, 89990);
  g_object_unref (result);

  /* The bytes are the caller's: later reads leave them alone, and they outlive the file. */
  g_clear_pointer (&bytes, g_bytes_unref);
  bytes = gaio_file_read_bytes (file, 0, 100000, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (file_test_close_wait (file, loop, &error));
  g_object_unref (file);
  file_test_assert_bytes (read_back, 10, 89990);
  file_test_assert_bytes (bytes, 0, 90000);
  file_test_remove_dir (dir);
}

static void
test_closed (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 100);
  GaioFile *file = file_test_open (loop->context, path, "r+");
  g_autoptr (GBytes) bytes = file_test_pattern_bytes (0, 10);
  GAsyncResult *result;
  GError *error = NULL;
  FileTestCall call = { 0 };
  int fd = gaio_file_get_fd (file);
  int other;

  g_assert_true (file_test_close_wait (file, loop, &error));
  g_assert_no_error (error);
  g_assert_cmpint (fcntl (fd, F_GETFD), ==, -1);

  gaio_file_read_bytes_async (file, 0, 10, G_PRIORITY_DEFAULT, NULL, file_test_on_end, &call);
  result = file_test_wait (&call, loop);
  g_assert_null (gaio_file_read_bytes_finish (file, result, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_CLOSED, EBADF);
  g_object_unref (result);
  gaio_file_write_bytes_async (file, 0, bytes, G_PRIORITY_DEFAULT, NULL, file_test_on_end, &call);
  result = file_test_wait (&call, loop);
  g_assert_cmpint (gaio_file_write_bytes_finish (file, result, &error), ==, -1);
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_CLOSED, EBADF);
  g_object_unref (result);

  /* Also with nothing to read. */
  gaio_file_read_bytes_async (file, 0, 0, G_PRIORITY_DEFAULT, NULL, file_test_on_end, &call);
  result = file_test_wait (&call, loop);
  g_assert_null (gaio_file_read_bytes_finish (file, result, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_CLOSED, EBADF);
  g_object_unref (result);
  g_assert_cmpint (gaio_file_write (file, 0, NULL, 0, NULL, &error), ==, -1);
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_CLOSED, EBADF);
  g_assert_false (gaio_file_allocate (file, 0, 0, FALSE, NULL, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_CLOSED, EBADF);
  g_assert_false (gaio_file_punch_hole (file, 0, 0, NULL, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_CLOSED, EBADF);

  /* Its number may be another's now. */
  other = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  g_assert_cmpint (other, ==, fd);
  g_assert_null (gaio_file_read_bytes (file, 0, 10, NULL, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_CLOSED, EBADF);
  g_assert_false (gaio_file_sync (file, FALSE, NULL, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_CLOSED, EBADF);
  g_assert_false (gaio_file_truncate (file, 0, NULL, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_CLOSED, EBADF);
  g_assert_null (gaio_file_query_info (file, NULL, NULL, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_CLOSED, EBADF);

  /* Twice is fine, and closes nothing. */
  g_assert_true (file_test_close_wait (file, loop, &error));
  g_assert_no_error (error);
  g_assert_true (gaio_file_close (file, NULL, &error));
  g_assert_no_error (error);
  g_object_unref (file);
  g_assert_cmpint (fcntl (other, F_GETFD), !=, -1);
  close (other);
  file_test_remove_dir (dir);
}

/* The close comes after what was begun before it, which is a read of a pipe here. */
static void
test_close_waits (GaioTestLoop *loop)
{
  FileTestCall reads[2] = { { 0 } };
  FileTestCall closes[2] = { { 0 } };
  FileTestCall late = { 0 };
  GError *error = NULL;
  GaioFile *file;
  int fds[2];

  file_test_make_pipe (fds);
  file = file_test_adopt (loop->context, fds[0]);
  for (int i = 0; i < 2; i++)
    gaio_file_read_bytes_async (file, 0, 1, G_PRIORITY_DEFAULT, NULL, file_test_on_end, &reads[i]);
  for (int i = 0; i < 2; i++)
    gaio_file_close_async (file, G_PRIORITY_DEFAULT, NULL, file_test_on_end, &closes[i]);
  g_assert_true (gaio_file_is_closed (file));
  gaio_file_read_bytes_async (file, 0, 1, G_PRIORITY_DEFAULT, NULL, file_test_on_end, &late);
  gaio_test_turn_until (loop, &late.ended, 1);
  g_assert_null (gaio_file_read_bytes_finish (file, late.result, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_CLOSED, EBADF);
  gaio_test_settle (loop);
  g_assert_cmpint (reads[0].ended + reads[1].ended + closes[0].ended + closes[1].ended, ==, 0);
  g_assert_cmpint (fcntl (fds[0], F_GETFD), !=, -1);

  for (int i = 0; i < 2; i++)
    {
      g_assert_cmpint (fcntl (fds[0], F_GETFD), !=, -1);
      g_assert_cmpint (closes[0].ended + closes[1].ended, ==, 0);
      g_assert_cmpint (write (fds[1], "x", 1), ==, 1);
      while (reads[0].ended + reads[1].ended <= i)
        gaio_test_turn (loop, TRUE);
    }
  for (int i = 0; i < 2; i++)
    {
      g_autoptr (GBytes) bytes = gaio_file_read_bytes_finish (file, reads[i].result, &error);

      g_assert_no_error (error);
      g_assert_cmpuint (g_bytes_get_size (bytes), ==, 1);
      gaio_test_turn_until (loop, &closes[i].ended, 1);
      g_assert_true (gaio_file_close_finish (file, closes[i].result, &error));
      g_assert_no_error (error);
      g_object_unref (reads[i].result);
      g_object_unref (closes[i].result);
    }
  g_object_unref (late.result);
  g_assert_cmpint (fcntl (fds[0], F_GETFD), ==, -1);
  g_object_unref (file);
  close (fds[1]);
}

static gpointer
write_one (gpointer data)
{
  g_usleep (10000);
  g_assert_cmpint (write (GPOINTER_TO_INT (data), "x", 1), ==, 1);
  return NULL;
}

static int n_closed; /* atomic */

static gpointer
close_blocking (gpointer data)
{
  GError *error = NULL;

  g_assert_true (gaio_file_close (data, NULL, &error));
  g_assert_no_error (error);
  g_atomic_int_inc (&n_closed);
  return NULL;
}

/* The blocking close, with a read in flight: in the home thread it runs the loop, in another it
 * waits for the one that does. */
static void
test_close_blocking (GaioTestLoop *loop)
{
  for (int foreign = 0; foreign < 2; foreign++)
    {
      GThread *writer, *closer = NULL;
      GError *error = NULL;
      GaioFile *file;
      FileTestCall call = { 0 };
      int fds[2];

      n_closed = 0;
      file_test_make_pipe (fds);
      file = file_test_adopt (loop->context, fds[0]);
      gaio_file_read_bytes_async (file, 0, 1, G_PRIORITY_DEFAULT, NULL, file_test_on_end, &call);
      gaio_test_settle (loop);
      writer = g_thread_new ("write", write_one, GINT_TO_POINTER (fds[1]));
      if (foreign)
        closer = g_thread_new ("close", close_blocking, file);
      else
        close_blocking (file);
      gaio_test_turn_until (loop, &call.ended, 1);
      g_bytes_unref (gaio_file_read_bytes_finish (file, call.result, &error));
      g_assert_no_error (error);
      /* The other thread relies on this one for as long as it closes. */
      while (g_atomic_int_get (&n_closed) == 0)
        gaio_test_turn (loop, FALSE);
      g_assert_cmpint (gaio_file_get_fd (file), <, 0);
      if (closer != NULL)
        g_thread_join (closer);
      g_thread_join (writer);
      g_object_unref (call.result);
      g_object_unref (file);
      close (fds[1]);
    }
}

static void
test_cancelled_before (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 100);
  g_autofree char *new_path = g_build_filename (dir, "new", NULL);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GBytes) bytes = file_test_pattern_bytes (50, 500);
  GaioFile *file = file_test_open (loop->context, path, "r+");
  g_autofree char *data = NULL;
  GAsyncResult *result;
  GError *error = NULL;
  gsize size;
  FileTestCall call = { 0 };

  g_cancellable_cancel (cancellable);
  gaio_file_write_bytes_async (file,
                               0,
                               bytes,
                               G_PRIORITY_DEFAULT,
                               cancellable,
                               file_test_on_end,
                               &call);
  result = file_test_spin (&call, loop);
  g_assert_cmpint (gaio_file_write_bytes_finish (file, result, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_object_unref (result);
  gaio_open_async (new_path, "w", G_PRIORITY_DEFAULT, cancellable, file_test_on_end, &call);
  result = file_test_spin (&call, loop);
  g_assert_null (gaio_open_finish (result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_object_unref (result);
  g_assert_cmpint (gaio_file_write_bytes (file, 0, bytes, cancellable, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);

  g_assert_false (g_file_test (new_path, G_FILE_TEST_EXISTS));
  g_assert_true (g_file_get_contents (path, &data, &size, NULL));
  g_assert_cmpuint (size, ==, 100);
  file_test_assert_pattern (data, 0, 100);

  /* A close is not stopped, but says so. */
  gaio_file_close_async (file, G_PRIORITY_DEFAULT, cancellable, file_test_on_end, &call);
  result = file_test_spin (&call, loop);
  g_assert_false (gaio_file_close_finish (file, result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_object_unref (result);
  g_assert_cmpint (gaio_file_get_fd (file), ==, -1);
  g_object_unref (file);
  file_test_remove_dir (dir);
}

static gpointer
cancel (gpointer data)
{
  g_cancellable_cancel (data);
  return NULL;
}

static gpointer
cancel_later (gpointer data)
{
  g_usleep (10000);
  return cancel (data);
}

static void
test_cancelled_during (GaioTestLoop *loop)
{
  GaioFile *file;
  int fds[2];

  file_test_make_pipe (fds);
  file = file_test_adopt (loop->context, fds[0]);
  for (int i = 0; i < 30; i++)
    {
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      g_autoptr (GAsyncResult) result = NULL;
      g_autoptr (GError) error = NULL;
      GThread *thread = NULL;
      FileTestCall call = { 0 };

      gaio_file_read_bytes_async (file,
                                  0,
                                  10,
                                  G_PRIORITY_DEFAULT,
                                  cancellable,
                                  file_test_on_end,
                                  &call);
      if (i % 3 == 0)
        gaio_test_settle (loop);
      if (i % 2 == 0)
        thread = g_thread_new ("cancel", cancel, cancellable);
      else
        g_cancellable_cancel (cancellable);
      result = file_test_wait (&call, loop);
      g_assert_null (gaio_file_read_bytes_finish (file, result, &error));
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      if (thread != NULL)
        g_thread_join (thread);
    }
  /* A cancellable that is dropped, or cancelled after the end, has no hold on anything. */
  {
    g_autoptr (GCancellable) cancellable = g_cancellable_new ();
    g_autoptr (GAsyncResult) result = NULL;
    g_autoptr (GBytes) bytes = NULL;
    g_autoptr (GError) error = NULL;
    FileTestCall call = { 0 };

    gaio_file_read_bytes_async (file,
                                0,
                                10,
                                G_PRIORITY_DEFAULT,
                                cancellable,
                                file_test_on_end,
                                &call);
    g_assert_cmpint (write (fds[1], "abc", 3), ==, 3);
    gaio_test_turn_until (loop, &call.ended, 1);
    g_cancellable_cancel (cancellable);
    result = call.result;
    bytes = gaio_file_read_bytes_finish (file, result, &error);
    g_assert_no_error (error);
    g_assert_cmpuint (g_bytes_get_size (bytes), ==, 3);
  }
  /* The blocking twin. */
  {
    g_autoptr (GCancellable) cancellable = g_cancellable_new ();
    g_autoptr (GError) error = NULL;
    GThread *thread = g_thread_new ("cancel", cancel_later, cancellable);

    g_assert_null (gaio_file_read_bytes (file, 0, 10, cancellable, &error));
    g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    g_thread_join (thread);
  }
  g_object_unref (file);
  close (fds[1]);
}

static void
test_for_fd (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 100);
  g_autoptr (GBytes) bytes = NULL;
  GError *error = NULL;
  GaioFile *file;
  int fd;

  g_assert_null (gaio_file_new_for_fd (loop->context, -1, "x", &error));
  g_assert_cmpint (gaio_error_get_errno (error), ==, EBADF);
  g_clear_error (&error);
  fd = open (path, O_PATH | O_CLOEXEC);
  g_assert_null (gaio_file_new_for_fd (loop->context, fd, NULL, &error));
  g_assert_cmpint (gaio_error_get_errno (error), ==, EBADF);
  g_clear_error (&error);
  close (fd);
  fd = open (dir, O_RDONLY | O_CLOEXEC);
  g_assert_null (gaio_file_new_for_fd (loop->context, fd, NULL, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_IS_DIRECTORY, EISDIR);
  /* What it did not take is the caller's. */
  g_assert_cmpint (close (fd), ==, 0);

  fd = open (path, O_RDONLY | O_CLOEXEC);
  file = gaio_file_new_for_fd (loop->context, fd, NULL, &error);
  g_assert_no_error (error);
  g_assert_null (gaio_file_get_path (file));
  g_assert_cmpint (gaio_file_get_fd (file), ==, fd);
  g_assert_true (gaio_file_get_context (file) == loop->context);
  bytes = gaio_file_read_bytes (file, 90, 100, NULL, &error);
  g_assert_no_error (error);
  file_test_assert_bytes (bytes, 90, 10);
  g_object_unref (file);
  g_assert_cmpint (fcntl (fd, F_GETFD), ==, -1);
  file_test_remove_dir (dir);
}

/* Buffers are aligned for who needs them so. */
static void
test_direct (GaioTestLoop *loop)
{
  g_autofree char *dir = g_get_current_dir ();
  g_autofree char *path = g_build_filename (dir, "gaio-direct-XXXXXX", NULL);
  g_autofree guint8 *data = file_test_pattern (0, 16384);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GBytes) bytes = NULL;
  GError *error = NULL;
  GaioFile *file;
  FileTestCall call = { 0 };
  int fd = g_mkstemp_full (path, O_RDWR | O_CLOEXEC, 0600);

  if (fd < 0)
    {
      g_test_skip ("no room for a file in the current directory");
      return;
    }
  g_assert_cmpint (write (fd, data, 16384), ==, 16384);
  close (fd);
  fd = open (path, O_RDONLY | O_DIRECT | O_CLOEXEC);
  unlink (path);
  if (fd < 0)
    {
      g_test_skip ("the file system has no O_DIRECT");
      return;
    }
  file = gaio_file_new_for_fd (loop->context, fd, "direct", &error);
  g_assert_no_error (error);
  /* Less than what is aligned in any case. */
  gaio_file_read_bytes_async (file, 4096, 512, G_PRIORITY_DEFAULT, NULL, file_test_on_end, &call);
  result = file_test_wait (&call, loop);
  bytes = gaio_file_read_bytes_finish (file, result, &error);
  g_assert_no_error (error);
  file_test_assert_bytes (bytes, 4096, 512);
  g_object_unref (file);
}

typedef struct
{
  GaioFile *file;
  int ended;
  int fd;
} Foreign;

static void
on_foreign_end (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GBytes) bytes = gaio_file_read_bytes_finish (GAIO_FILE (source), result, NULL);
  GThread **thread = user_data;

  file_test_assert_bytes (bytes, 7, 77);
  *thread = g_thread_self ();
}

static gpointer
read_in_thread (gpointer data)
{
  Foreign *foreign = data;
  g_autoptr (GMainContext) main_context = g_main_context_new ();
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) error = NULL;

  g_main_context_push_thread_default (main_context);
  for (int i = 0; i < 50; i++)
    {
      GThread *thread = NULL;

      gaio_file_read_bytes_async (foreign->file,
                                  7,
                                  77,
                                  G_PRIORITY_DEFAULT,
                                  NULL,
                                  on_foreign_end,
                                  &thread);
      while (thread == NULL)
        g_main_context_iteration (main_context, TRUE);
      g_assert_true (thread == g_thread_self ());
    }
  bytes = gaio_file_read_bytes (foreign->file, 7, 77, NULL, &error);
  g_assert_no_error (error);
  file_test_assert_bytes (bytes, 7, 77);
  g_main_context_pop_thread_default (main_context);
  g_atomic_int_inc (&foreign->ended);
  gaio_context_notify (gaio_file_get_context (foreign->file));
  return NULL;
}

/* The result comes to the thread that asked, wherever the file is at home. */
static void
test_result_in_callers_context (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 100);
  Foreign foreign = { .file = file_test_open (loop->context, path, "r") };
  GThread *thread = g_thread_new ("read", read_in_thread, &foreign);

  gaio_test_turn_until (loop, &foreign.ended, 1);
  g_thread_join (thread);
  g_object_unref (foreign.file);
  file_test_remove_dir (dir);
}

static void
test_misuse (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 100);
  GaioFile *file = file_test_open (loop->context, path, "r");
  GaioFile *other = file_test_open (loop->context, path, "r");
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GBytes) bytes = NULL;
  GError *error = NULL;
  GaioFile *unopened = g_object_new (GAIO_TYPE_FILE, "context", loop->context, NULL);
  FileTestCall call = { 0 };

  gaio_file_read_bytes_async (file, 0, 10, G_PRIORITY_DEFAULT, NULL, file_test_on_end, &call);
  result = file_test_wait (&call, loop);
  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*g_task_is_valid*");
  g_assert_null (gaio_file_read_bytes_finish (other, result, &error));
  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*tagged*");
  g_assert_cmpint (gaio_file_write_bytes_finish (file, result, &error), ==, -1);
  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*path != NULL*");
  g_assert_null (gaio_open (NULL, "r", NULL, &error));
  g_test_assert_expected_messages ();
  bytes = gaio_file_read_bytes_finish (file, result, &error);
  g_assert_no_error (error);
  file_test_assert_bytes (bytes, 0, 10);

  /* One that was never opened is a closed one. */
  g_assert_true (gaio_file_is_closed (unopened));
  g_assert_null (gaio_file_read_bytes (unopened, 0, 10, NULL, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_CLOSED, EBADF);
  g_assert_true (gaio_file_close (unopened, NULL, &error));
  g_assert_no_error (error);
  g_object_unref (unopened);
  g_object_unref (file);
  g_object_unref (other);
  file_test_remove_dir (dir);
}

/* A socket has no positions either; and fsync(2) of one fails without any data being lost, so the
 * close does not report it. */
static void
test_socket (GaioTestLoop *loop)
{
  g_autoptr (GBytes) hello = g_bytes_new_static ("hello", 5);
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  GError *error = NULL;
  GaioFile *file;
  FileTestCall call = { 0 };
  int fds[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
  file = file_test_adopt (loop->context, fds[0]);
  g_assert_false (gaio_file_is_seekable (file));
  gaio_file_read_bytes_async (file, 0, 100, G_PRIORITY_DEFAULT, NULL, file_test_on_end, &call);
  gaio_test_settle (loop);
  g_assert_cmpint (write (fds[1], "world", 5), ==, 5);
  result = file_test_wait (&call, loop);
  bytes = gaio_file_read_bytes_finish (file, result, &error);
  g_assert_no_error (error);
  g_assert_cmpmem (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), "world", 5);
  g_assert_cmpint (gaio_file_write_bytes (file, 0, hello, NULL, &error), ==, 5);
  g_assert_no_error (error);
  g_assert_false (gaio_file_sync (file, FALSE, NULL, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  g_assert_true (file_test_close_wait (file, loop, &error));
  g_assert_no_error (error);
  g_object_unref (file);
  close (fds[1]);
}

static gboolean
sync_wait (GaioFile *file, GaioTestLoop *loop, gboolean data_only, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;
  FileTestCall call = { 0 };

  gaio_file_sync_async (file, data_only, G_PRIORITY_DEFAULT, NULL, file_test_on_end, &call);
  result = file_test_wait (&call, loop);
  return gaio_file_sync_finish (file, result, error);
}

/* The system tells of lost data once, and then that all is well. */
static void
test_sync_error_stays (void)
{
  if (g_test_subprocess ())
    {
      char *dir = file_test_make_dir ();
      g_autofree char *path = file_test_make_file (dir, "a", 100);
      g_autoptr (GaioContext) context =
          g_initable_new (GAIO_TYPE_CONTEXT, NULL, NULL, "engine", GAIO_ENGINE_THREADS, NULL);
      g_autoptr (GaioFile) file = file_test_open (context, path, "r+");
      g_autoptr (GaioFile) other = file_test_open (context, path, "r+");
      GaioTestLoop loop = { .context = context,
                            .main_context = g_main_context_default (),
                            .driver = GAIO_TEST_BY_POLL };
      GError *error = NULL;

      /* Only fsync(2): fdatasync(2) goes on to say that all is well. */
      g_assert_true (file_test_break_syscall (SYS_fsync, -1, EIO));
      g_assert_true (sync_wait (file, &loop, TRUE, &error));
      g_assert_no_error (error);
      g_assert_false (sync_wait (file, &loop, FALSE, &error));
      g_assert_error (error, GAIO_ERROR, GAIO_ERROR_IO);
      g_clear_error (&error);
      g_assert_false (sync_wait (file, &loop, TRUE, &error));
      g_assert_error (error, GAIO_ERROR, GAIO_ERROR_IO);
      g_clear_error (&error);
      g_assert_false (gaio_file_sync (file, TRUE, NULL, &error));
      g_assert_error (error, GAIO_ERROR, GAIO_ERROR_IO);
      g_clear_error (&error);

      /* It is this file's alone, and the close is the last to tell. */
      g_assert_true (gaio_file_sync (other, TRUE, NULL, &error));
      g_assert_no_error (error);
      g_assert_true (file_test_close_wait (other, &loop, &error));
      g_assert_no_error (error);
      g_assert_false (file_test_close_wait (file, &loop, &error));
      g_assert_error (error, GAIO_ERROR, GAIO_ERROR_IO);
      g_assert_true (g_str_has_prefix (error->message, "close “"));
      g_clear_error (&error);
      g_assert_cmpint (gaio_file_get_fd (file), ==, -1);
      g_assert_true (file_test_close_wait (file, &loop, &error));
      g_assert_no_error (error);
      file_test_remove_dir (dir);
      return;
    }
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
  g_test_trap_assert_passed ();
}

/* The descriptor is gone also when close(2) reports an error, as some file systems do. */
static void
test_close_error (void)
{
  if (g_test_subprocess ())
    {
      g_autoptr (GaioContext) context =
          g_initable_new (GAIO_TYPE_CONTEXT, NULL, NULL, "engine", GAIO_ENGINE_THREADS, NULL);
      int low = open ("/dev/null", O_RDONLY | O_CLOEXEC);
      /* A number that nobody else gets, since it will not be closed. */
      int fd = fcntl (low, F_DUPFD_CLOEXEC, 200);
      g_autoptr (GaioFile) file = file_test_adopt (context, fd);
      GaioTestLoop loop = { .context = context,
                            .main_context = g_main_context_default (),
                            .driver = GAIO_TEST_BY_POLL };
      GError *error = NULL;

      close (low);
      g_assert_true (file_test_break_syscall (SYS_close, fd, ENOSPC));
      g_assert_false (file_test_close_wait (file, &loop, &error));
      file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_NO_SPACE, ENOSPC);
      g_assert_cmpint (gaio_file_get_fd (file), ==, -1);
      g_assert_true (gaio_file_close (file, NULL, &error));
      g_assert_no_error (error);
      /* This filter did not let it through, where a file system would have. */
      g_assert_cmpint (syscall (SYS_close_range, fd, fd, 0), ==, 0);
      return;
    }
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
  g_test_trap_assert_passed ();
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  gaio_test_add ("/file/full-disk", test_full_disk);
  gaio_test_add ("/file/sync-error-stays", test_sync_error_stays);
  gaio_test_add ("/file/close-error", test_close_error);
  gaio_test_add_engine_matrix ("/file/round-trip", test_round_trip);
  gaio_test_add_engine_matrix ("/file/closed", test_closed);
  gaio_test_add_engine_matrix ("/file/close-waits", test_close_waits);
  gaio_test_add_engine_matrix ("/file/close-blocking", test_close_blocking);
  gaio_test_add_engine_matrix ("/file/cancelled-before", test_cancelled_before);
  gaio_test_add_engine_matrix ("/file/cancelled-during", test_cancelled_during);
  gaio_test_add_engine_matrix ("/file/for-fd", test_for_fd);
  gaio_test_add_engine_matrix ("/file/direct", test_direct);
  gaio_test_add_engine_matrix ("/file/result-in-callers-context", test_result_in_callers_context);
  gaio_test_add_engine_matrix ("/file/misuse", test_misuse);
  gaio_test_add_engine_matrix ("/file/socket", test_socket);
  return g_test_run ();
}
