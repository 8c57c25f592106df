/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Moving files: by another name, and from one file system to another. */

#include "whole-test.h"

static gboolean
move (gboolean blocking,
      const char *source,
      const char *destination,
      GaioCopyFlags flags,
      GCancellable *cancellable,
      GClosure *progress,
      GError **error)
{
  Call call = { 0 };
  gboolean ok;

  if (blocking)
    return gaio_move (source, destination, flags, progress, cancellable, error);
  gaio_move_async (source, destination, flags, progress, G_PRIORITY_DEFAULT, cancellable,
                   on_call_end, &call);
  call_wait (&call);
  ok = gaio_move_finish (call.result, error);
  g_object_unref (call.result);
  return ok;
}

static void
assert_moves (gboolean blocking, const char *source, const char *destination, GaioCopyFlags flags)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (move (blocking, source, destination, flags, NULL, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpint (access (source, F_OK), !=, 0);
}

static void
assert_fails (
    const char *source, const char *destination, GaioCopyFlags flags, int code, int errnum)
{
  for (int blocking = 0; blocking < 2; blocking++)
    {
      GError *error = NULL;

      g_assert_false (move (blocking, source, destination, flags, NULL, NULL, &error));
      g_assert_true (g_str_has_prefix (error->message, "move “"));
      file_test_assert_error (error, code, errnum);
    }
}

static void
test_rename (void)
{
  char *dir = file_test_make_dir ();
  g_autofree char *a = whole_test_make_text (dir, "a", "text");
  g_autofree char *b = g_build_filename (dir, "b", NULL);
  g_autofree char *other = whole_test_make_text (dir, "other", "other");
  g_autofree char *sub = g_build_filename (dir, "sub", NULL);
  g_autofree char *sub_b = g_build_filename (dir, "sub-b", NULL);
  g_autofree char *hard = g_build_filename (dir, "hard", NULL);
  g_autofree char *missing = g_build_filename (dir, "missing", NULL);

  for (int blocking = 0; blocking < 2; blocking++)
    {
      assert_moves (blocking, a, b, GAIO_COPY_NONE);
      assert_moves (blocking, b, a, GAIO_COPY_NO_FALLBACK | GAIO_COPY_DURABLE);
    }
  g_assert_cmpint (mkdir (sub, 0700), ==, 0);
  assert_moves (FALSE, sub, sub_b, GAIO_COPY_NONE);
  assert_moves (TRUE, sub_b, sub, GAIO_COPY_OVERWRITE);

  assert_fails (missing, b, GAIO_COPY_OVERWRITE, G_IO_ERROR_NOT_FOUND, ENOENT);
  assert_fails (a, other, GAIO_COPY_NONE, G_IO_ERROR_EXISTS, EEXIST);
  assert_fails (a, sub, GAIO_COPY_OVERWRITE, G_IO_ERROR_IS_DIRECTORY, EISDIR);
  whole_test_assert_file (other, "other");
  g_assert_cmpint (link (a, hard), ==, 0);
  assert_fails (a, hard, GAIO_COPY_OVERWRITE, G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  whole_test_assert_file (a, "text");
  assert_moves (TRUE, a, other, GAIO_COPY_OVERWRITE);
  whole_test_assert_file (other, "text");
  whole_test_assert_entries (dir, "other", "sub", "hard", NULL);
  file_test_remove_dir (dir);
}

/* A file system that knows no rename that does not replace. */
static void
test_old_file_system (void)
{
  char *dir;
  g_autofree char *a = NULL;
  g_autofree char *b = NULL;
  g_autofree char *sub = NULL;

  if (!whole_test_is_child ())
    return;
  dir = file_test_make_dir ();
  a = whole_test_make_text (dir, "a", "text");
  b = g_build_filename (dir, "b", NULL);
  sub = g_build_filename (dir, "sub", NULL);
  if (file_test_break_syscall (SYS_renameat2, -1, EINVAL))
    {
      GError *error = NULL;

      assert_moves (TRUE, a, b, GAIO_COPY_NONE);
      g_assert_cmpint (mkdir (a, 0700), ==, 0);
      g_assert_false (gaio_move (b, a, GAIO_COPY_NONE, NULL, NULL, &error));
      file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_EXISTS, EEXIST);
      g_assert_false (gaio_move (a, b, GAIO_COPY_NONE, NULL, NULL, &error));
      file_test_assert_error (error, G_IO_ERROR_EXISTS, EEXIST);
      assert_moves (TRUE, a, sub, GAIO_COPY_NONE);
      whole_test_assert_entries (dir, "b", "sub", NULL);
    }
  file_test_remove_dir (dir);
}

static void
on_progress (goffset done, goffset total, gpointer data)
{
  goffset *last = data;

  g_assert_cmpint (done, >=, *last);
  *last = done;
}

static void
on_progress_cancel (goffset done, goffset total, gpointer data)
{
  g_cancellable_cancel (data);
}

static void
test_other_file_system (void)
{
  enum
  {
    SIZE = 40000000
  };
  g_autofree char *memory = g_strdup ("/dev/shm/gaio-test-XXXXXX");
  char *dir = file_test_make_dir ();
  g_autofree char *a = NULL;
  g_autofree char *b = NULL;
  g_autofree char *link = NULL;
  g_autofree char *link_b = NULL;
  struct stat here;
  struct stat there;

  if (g_mkdtemp (memory) == NULL || stat (memory, &there) != 0 || stat (dir, &here) != 0 ||
      here.st_dev == there.st_dev)
    {
      rmdir (memory);
      file_test_remove_dir (dir);
      g_test_skip ("no second file system");
      return;
    }
  a = file_test_make_file (dir, "a", SIZE);
  b = g_build_filename (memory, "b", NULL);
  link = g_build_filename (dir, "link", NULL);
  link_b = g_build_filename (memory, "link", NULL);

  assert_fails (a, b, GAIO_COPY_NO_FALLBACK, G_IO_ERROR_NOT_SUPPORTED, EXDEV);
  assert_fails (dir, b, GAIO_COPY_NONE, G_IO_ERROR_WOULD_RECURSE, EISDIR);
  for (int i = 0; i < 4; i++)
    {
      GClosure *progress;
      goffset last = 0;
      GError *error = NULL;

      g_assert_cmpint (chmod (a, 0604), ==, 0);
      progress = g_cclosure_new (G_CALLBACK (on_progress), &last, NULL);
      g_assert_true (move (i % 2, a, b, i / 2 * GAIO_COPY_DURABLE, NULL, progress, &error));
      g_assert_no_error (error);
      g_assert_cmpint (last, ==, SIZE);
      g_assert_cmpint (access (a, F_OK), !=, 0);
      whole_test_assert_pattern (b, SIZE);
      g_assert_cmpint (whole_test_mode (b), ==, 0604);
      assert_moves (i % 2, b, a, GAIO_COPY_NONE);

      g_assert_cmpint (symlink ("nowhere", link), ==, 0);
      assert_moves (i % 2, link, link_b, GAIO_COPY_NONE);
      g_assert_true (g_file_test (link_b, G_FILE_TEST_IS_SYMLINK));
      g_assert_cmpint (unlink (link_b), ==, 0);
    }
  for (int i = 0; i < 4; i++)
    {
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      GClosure *progress = g_cclosure_new (G_CALLBACK (on_progress_cancel), cancellable, NULL);
      GError *error = NULL;

      if (move (i % 2, a, b, GAIO_COPY_NONE, cancellable, progress, &error))
        {
          g_assert_cmpint (i % 2, ==, 0);
          assert_moves (FALSE, b, a, GAIO_COPY_NONE);
        }
      else
        file_test_assert_error (error, G_IO_ERROR_CANCELLED, ECANCELED);
      whole_test_assert_pattern (a, SIZE);
      whole_test_assert_entries (memory, NULL);
    }
  g_assert_cmpint (rmdir (memory), ==, 0);
  whole_test_assert_entries (dir, "a", NULL);
  file_test_remove_dir (dir);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  gaio_test_add ("/move/rename", test_rename);
  gaio_test_add ("/move/old-file-system", test_old_file_system);
  gaio_test_add ("/move/other-file-system", test_other_file_system);
  return g_test_run ();
}
