/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* gaio_make_directory(): with and without the directories above, and many at once. */

#include "twin-test.h"

static gboolean
make_by (Twin *twin, const char *path, gboolean with_parents, guint permissions, GError **error)
{
  gboolean result;

  twin_begin (twin);
  if (!twin->async)
    return gaio_make_directory (path, with_parents, permissions, twin->cancellable, error);
  gaio_make_directory_async (path, with_parents, permissions, 0, twin->cancellable, twin_on_end,
                             twin);
  result = gaio_make_directory_finish (twin_wait (twin), error);
  twin_end (twin);
  return result;
}

static void
assert_made (Twin *twin, const char *dir, const char *name, gboolean with_parents)
{
  g_autofree char *path = g_build_filename (dir, name, NULL);
  GError *error = NULL;

  g_assert_true (make_by (twin, path, with_parents, 0777, &error));
  g_assert_no_error (error);
  g_assert_true (g_file_test (path, G_FILE_TEST_IS_DIR));
}

static void
assert_fails (Twin *twin, const char *dir, const char *name, gboolean with_parents, int errnum)
{
  g_autofree char *path = g_build_filename (dir, name, NULL);
  GError *error = NULL;

  g_assert_false (make_by (twin, path, with_parents, 0777, &error));
  g_assert_nonnull (error);
  g_assert_cmpint (gaio_error_get_errno (error), ==, errnum);
  g_assert_nonnull (strstr (error->message, dir));
  g_error_free (error);
}

static void
test_make (gboolean async)
{
  Twin twin = { .async = async };
  g_autofree char *dir = file_test_make_dir ();
  g_autofree char *dangling = g_build_filename (dir, "dangling", NULL);
  g_autofree char *linked = g_build_filename (dir, "linked", NULL);

  twin_touch (dir, "file");
  g_assert_cmpint (symlink ("nowhere", dangling), ==, 0);
  assert_made (&twin, dir, "one", FALSE);
  assert_made (&twin, dir, "one/" TWIN_ODD_NAME "/", FALSE);
  assert_fails (&twin, dir, "one", FALSE, EEXIST);
  assert_fails (&twin, dir, "file", FALSE, EEXIST);
  assert_fails (&twin, dir, "a/b", FALSE, ENOENT);
  g_assert_false (twin_exists (dir, "a"));

  assert_made (&twin, dir, "one", TRUE);
  assert_made (&twin, dir, "a/b//c/../c/./d///", TRUE);
  assert_made (&twin, dir, "a/b/c/d/e", TRUE);
  assert_made (&twin, dir, "x/../y/z", TRUE);
  g_assert_true (twin_exists (dir, "x"));
  g_assert_cmpint (symlink ("a/b", linked), ==, 0);
  assert_made (&twin, dir, "linked", TRUE);
  assert_made (&twin, dir, "linked/f/g", TRUE);
  g_assert_true (twin_exists (dir, "a/b/f/g"));

  assert_fails (&twin, dir, "file", TRUE, EEXIST);
  assert_fails (&twin, dir, "file/a", TRUE, ENOTDIR);
  assert_fails (&twin, dir, "file/a/b/c", TRUE, ENOTDIR);
  assert_fails (&twin, dir, "dangling", TRUE, EEXIST);
  assert_fails (&twin, dir, "dangling/a", TRUE, ENOENT);
  g_assert_true (gaio_remove (dir, GAIO_REMOVE_RECURSIVE, NULL, NULL, NULL));
}

static void
test_relative (gboolean async)
{
  Twin twin = { .async = async };
  g_autofree char *dir = file_test_make_dir ();
  g_autofree char *before = g_get_current_dir ();
  GError *error = NULL;

  g_assert_cmpint (chdir (dir), ==, 0);
  g_assert_true (make_by (&twin, "a/b", TRUE, 0777, &error));
  g_assert_no_error (error);
  g_assert_true (make_by (&twin, "c", TRUE, 0777, &error));
  g_assert_true (make_by (&twin, ".", TRUE, 0777, &error));
  g_assert_true (make_by (&twin, "/", TRUE, 0777, &error));
  g_assert_no_error (error);
  g_assert_false (make_by (&twin, "", TRUE, 0777, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_NOT_FOUND, ENOENT);
  g_assert_cmpint (chdir (before), ==, 0);
  g_assert_true (twin_exists (dir, "a/b"));
  g_assert_true (twin_exists (dir, "c"));
  g_assert_true (gaio_remove (dir, GAIO_REMOVE_RECURSIVE, NULL, NULL, NULL));
}

/* Below a directory that is gone. */
static void
test_nowhere (gboolean async)
{
  Twin twin = { .async = async };
  g_autofree char *dir = file_test_make_dir ();
  g_autofree char *before = g_get_current_dir ();
  GError *error = NULL;

  g_assert_cmpint (chdir (dir), ==, 0);
  g_assert_cmpint (rmdir (dir), ==, 0);
  g_assert_false (make_by (&twin, "a/b", TRUE, 0777, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_NOT_FOUND, ENOENT);
  g_assert_false (make_by (&twin, "a", TRUE, 0777, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_NOT_FOUND, ENOENT);
  g_assert_cmpint (chdir (before), ==, 0);
}

static guint
permissions_of (const char *dir, const char *name)
{
  g_autofree char *path = g_build_filename (dir, name, NULL);
  struct stat stat_;

  g_assert_cmpint (stat (path, &stat_), ==, 0);
  return stat_.st_mode & 07777;
}

static void
test_permissions (gboolean async)
{
  Twin twin = { .async = async };
  g_autofree char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "a", "b", NULL);
  g_autofree char *other = g_build_filename (dir, "c", NULL);
  g_autoptr (GError) error = NULL;
  mode_t before = umask (022);

  g_assert_true (make_by (&twin, path, TRUE, 0750, NULL));
  g_assert_cmphex (permissions_of (dir, "a"), ==, 0755);
  g_assert_cmphex (permissions_of (dir, "a/b"), ==, 0750);
  /* One that is there stays as it is. */
  g_assert_true (make_by (&twin, path, TRUE, 0700, NULL));
  g_assert_cmphex (permissions_of (dir, "a/b"), ==, 0750);
  /* What mkdir(2) would take for others without a word. */
  g_assert_false (make_by (&twin, other, FALSE, 010700, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_assert_false (g_file_test (other, G_FILE_TEST_EXISTS));
  umask (before);
  g_assert_true (gaio_remove (dir, GAIO_REMOVE_RECURSIVE, NULL, NULL, NULL));
}

/* The error is of the directory that could not be made. */
static void
test_protected (void)
{
  if (g_test_subprocess ())
    {
      g_autofree char *dir = NULL;
      g_autofree char *sub = NULL;
      g_autofree char *below = NULL;
      g_autofree char *deep = NULL;

      file_test_become_nobody ();
      dir = file_test_make_dir ();
      sub = twin_mkdir (dir, "sub");
      below = g_build_filename (sub, "below", NULL);
      deep = g_build_filename (below, "deep", "deeper", NULL);
      g_assert_cmpint (chmod (sub, 0500), ==, 0);
      for (int async = 0; async < 2; async++)
        {
          g_autofree char *quoted = g_strconcat ("“", below, "”", NULL);
          Twin twin = { .async = async };
          GError *error = NULL;

          g_assert_false (make_by (&twin, deep, TRUE, 0777, &error));
          g_assert_nonnull (strstr (error->message, quoted));
          file_test_assert_error (error, G_IO_ERROR_PERMISSION_DENIED, EACCES);
        }
      g_assert_cmpint (chmod (sub, 0700), ==, 0);
      g_assert_true (gaio_remove (dir, GAIO_REMOVE_RECURSIVE, NULL, NULL, NULL));
      return;
    }
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
  g_test_trap_assert_passed ();
}

static void
test_cancelled (gboolean async)
{
  Twin twin = { .async = async, .cancellable = g_cancellable_new () };
  g_autofree char *dir = file_test_make_dir ();

  g_cancellable_cancel (twin.cancellable);
  assert_fails (&twin, dir, "a", TRUE, ECANCELED);
  g_assert_false (twin_exists (dir, "a"));
  g_object_unref (twin.cancellable);
  g_assert_cmpint (rmdir (dir), ==, 0);
}

typedef struct
{
  const char *path;
  int n_made; /* atomic */
} Crowd;

static gpointer
make_one (gpointer data)
{
  Crowd *crowd = data;
  GError *error = NULL;

  if (gaio_make_directory (crowd->path, TRUE, 0777, NULL, &error))
    g_atomic_int_inc (&crowd->n_made);
  g_assert_no_error (error);
  return NULL;
}

/* All at the same time, all succeed. */
static void
test_crowd (void)
{
  for (int round = 0; round < 50; round++)
    {
      g_autofree char *dir = file_test_make_dir ();
      g_autofree char *path = g_build_filename (dir, "a/b/c/d/e/f/g/h", NULL);
      Crowd crowd = { .path = path };
      GThread *threads[4];

      for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
        threads[i] = g_thread_new ("crowd", make_one, &crowd);
      for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
        g_thread_join (threads[i]);
      g_assert_cmpint (crowd.n_made, ==, G_N_ELEMENTS (threads));
      g_assert_true (gaio_remove (dir, GAIO_REMOVE_RECURSIVE, NULL, NULL, NULL));
    }
}

TWIN_BOTH (test_make)
TWIN_BOTH (test_relative)
TWIN_BOTH (test_nowhere)
TWIN_BOTH (test_permissions)
TWIN_BOTH (test_cancelled)

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);

  gaio_test_add ("/make-directory/make", test_make_both);
  gaio_test_add ("/make-directory/relative", test_relative_both);
  gaio_test_add ("/make-directory/nowhere", test_nowhere_both);
  gaio_test_add ("/make-directory/permissions", test_permissions_both);
  gaio_test_add ("/make-directory/protected", test_protected);
  gaio_test_add ("/make-directory/cancelled", test_cancelled_both);
  gaio_test_add ("/make-directory/crowd", test_crowd);

  return g_test_run ();
}
