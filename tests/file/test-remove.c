/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* gaio_remove(): files and trees, deep ones and wide ones, ones that resist, and ones that change
 * meanwhile. */

#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>

#include "twin-test.h"

static gboolean
remove_by (Twin *twin, const char *path, GaioRemoveFlags flags, GClosure *progress, GError **error)
{
  gboolean result;

  twin_begin (twin);
  if (!twin->async)
    return gaio_remove (path, flags, progress, twin->cancellable, error);
  gaio_remove_async (path, flags, progress, 0, twin->cancellable, twin_on_end, twin);
  result = gaio_remove_finish (twin_wait (twin), error);
  twin_end (twin);
  return result;
}

static void
assert_removed (Twin *twin, const char *dir, const char *name, GaioRemoveFlags flags)
{
  g_autofree char *path = g_build_filename (dir, name, NULL);
  GError *error = NULL;
  gboolean result = remove_by (twin, path, flags, NULL, &error);

  g_assert_no_error (error);
  g_assert_true (result);
  g_assert_false (twin_exists (dir, name));
}

static void
assert_fails (Twin *twin, const char *path, GaioRemoveFlags flags, int errnum, const char *named)
{
  GError *error = NULL;

  g_assert_false (remove_by (twin, path, flags, NULL, &error));
  g_assert_nonnull (error);
  g_assert_cmpint (gaio_error_get_errno (error), ==, errnum);
  if (named != NULL)
    {
      g_autofree char *shown = g_filename_display_name (named);

      g_assert_nonnull (strstr (error->message, shown));
    }
  g_error_free (error);
}

static void
test_single (gboolean async)
{
  Twin twin = { .async = async };
  g_autofree char *dir = file_test_make_dir ();
  g_autofree char *target = twin_mkdir (dir, "target");
  const int n_fds = twin_count_fds ();

  for (int flags = 0; flags <= GAIO_REMOVE_RECURSIVE; flags++)
    {
      g_autofree char *link = g_build_filename (dir, "link", NULL);
      g_autofree char *empty G_GNUC_UNUSED = twin_mkdir (dir, "empty");

      twin_touch (dir, "file");
      twin_touch (dir, TWIN_ODD_NAME);
      twin_touch (target, "kept");
      g_assert_cmpint (symlink ("target", link), ==, 0);
      assert_removed (&twin, dir, "file", flags);
      assert_removed (&twin, dir, TWIN_ODD_NAME, flags);
      assert_removed (&twin, dir, "link", flags);
      assert_removed (&twin, dir, "empty///", flags);
      g_assert_true (twin_exists (target, "kept"));
    }
  assert_fails (&twin, target, GAIO_REMOVE_NONE, ENOTEMPTY, target);
  g_assert_true (twin_exists (target, "kept"));
  assert_removed (&twin, dir, "target", GAIO_REMOVE_RECURSIVE);
  assert_removed (&twin, dir, "", GAIO_REMOVE_NONE);
  g_assert_cmpint (twin_count_fds (), ==, n_fds);
}

static void
test_bad (gboolean async)
{
  Twin twin = { .async = async };
  g_autofree char *dir = file_test_make_dir ();
  g_autofree char *missing = g_build_filename (dir, "missing", NULL);
  g_autofree char *below = g_build_filename (dir, "missing", "below", NULL);
  g_autofree char *under_file = g_build_filename (dir, "file", "below", NULL);
  g_autofree char *dot = g_build_filename (dir, ".", NULL);
  g_autofree char *dots = g_build_filename (dir, "..", NULL);
  g_autofree char *slash = g_strconcat (dots, "///", NULL);
  const int n_fds = twin_count_fds ();

  twin_touch (dir, "file");
  for (int flags = 0; flags <= GAIO_REMOVE_RECURSIVE; flags++)
    {
      assert_fails (&twin, missing, flags, ENOENT, missing);
      assert_fails (&twin, below, flags, ENOENT, below);
      assert_fails (&twin, under_file, flags, ENOTDIR, under_file);
      assert_fails (&twin, "", flags, ENOENT, NULL);
      assert_fails (&twin, dot, flags, EINVAL, dot);
      assert_fails (&twin, dots, flags, EINVAL, dots);
      assert_fails (&twin, slash, flags, EINVAL, dots);
      assert_fails (&twin, "///", flags, EBUSY, "/");
      g_assert_true (twin_exists (dir, "file"));
    }
  assert_removed (&twin, dir, "", GAIO_REMOVE_RECURSIVE);
  g_assert_cmpint (twin_count_fds (), ==, n_fds);
}

static void
test_tree (gboolean async)
{
  Twin twin = { .async = async };
  g_autofree char *dir = file_test_make_dir ();
  g_autofree char *kept = twin_mkdir (dir, "kept");
  g_autofree char *tree = twin_mkdir (dir, "tree");
  const int n_fds = twin_count_fds ();
  GError *error = NULL;
  GClosure *progress;
  int n = 1;

  twin_touch (kept, "file");
  for (int i = 0; i < 20; i++)
    {
      g_autofree char *name = g_strdup_printf ("%d", i);
      g_autofree char *sub = twin_mkdir (tree, name);
      g_autofree char *link = g_build_filename (sub, "link", NULL);

      n += 2;
      g_assert_cmpint (symlink ("../../kept", link), ==, 0);
      for (int j = 0; j < i * 10; j++, n++)
        {
          g_autofree char *file = g_strdup_printf ("file %d", j);

          twin_touch (sub, file);
        }
    }
  progress = twin_progress (&twin);
  g_assert_true (remove_by (&twin, tree, GAIO_REMOVE_RECURSIVE, progress, &error));
  g_assert_no_error (error);
  g_assert_cmpint (twin.done, ==, n);
  g_assert_cmpint (twin.total, ==, n);
  g_assert_cmpint (twin.n_freed, ==, 1);
  g_assert_false (twin_exists (dir, "tree"));
  g_assert_true (twin_exists (kept, "file"));
  assert_removed (&twin, dir, "", GAIO_REMOVE_RECURSIVE);
  g_assert_cmpint (twin_count_fds (), ==, n_fds);
}

#define LONG_NAME "a name of thirty-two characters."

/* Makes `depth` directories in one another, some with siblings before and after the way down. */
static void
make_deep (const char *dir, int depth)
{
  int fd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

  for (int i = 0; i < depth; i++)
    {
      int below;

      g_assert_cmpint (mkdirat (fd, LONG_NAME, 0777), ==, 0);
      if (i % 10 == 0)
        for (int j = 0; j < 20; j++)
          {
            g_autofree char *name = g_strdup_printf ("%d", j);

            g_assert_cmpint (mkdirat (fd, name, 0777), ==, 0);
          }
      below = openat (fd, LONG_NAME, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
      g_assert_cmpint (below, >=, 0);
      close (fd);
      fd = below;
    }
  close (fd);
}

/* Deeper than there are descriptors, and than a path can be long. */
static void
test_deep (gboolean async)
{
  Twin twin = { .async = async };
  g_autofree char *dir = file_test_make_dir ();
  struct rlimit limit, low = { 80, 80 };
  GError *error = NULL;

  make_deep (dir, 300);
  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  low.rlim_max = limit.rlim_max;
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &low), ==, 0);
  g_assert_true (remove_by (&twin, dir, GAIO_REMOVE_RECURSIVE, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
}

static void
test_cancelled (gboolean async)
{
  Twin twin = { .async = async, .cancellable = g_cancellable_new () };
  g_autofree char *dir = file_test_make_dir ();

  twin_touch (dir, "file");
  g_cancellable_cancel (twin.cancellable);
  assert_fails (&twin, dir, GAIO_REMOVE_RECURSIVE, ECANCELED, dir);
  g_assert_true (twin_exists (dir, "file"));
  g_clear_object (&twin.cancellable);
  assert_removed (&twin, dir, "", GAIO_REMOVE_RECURSIVE);
}

static void
cancel_when_told (gint64 done, gint64 total, gpointer data)
{
  g_cancellable_cancel (data);
}

/* After the first entry the rest stays. */
static void
test_cancelled_midway (void)
{
  Twin twin = { .cancellable = g_cancellable_new () };
  g_autofree char *dir = file_test_make_dir ();
  GError *error = NULL;
  GClosure *progress;
  GDir *entries;
  int n = 0;

  for (int i = 0; i < 10; i++)
    {
      g_autofree char *name = g_strdup_printf ("%d", i);

      twin_touch (dir, name);
    }
  progress = g_cclosure_new (G_CALLBACK (cancel_when_told), twin.cancellable, NULL);
  g_assert_false (remove_by (&twin, dir, GAIO_REMOVE_RECURSIVE, progress, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_clear_object (&twin.cancellable);
  entries = g_dir_open (dir, 0, NULL);
  while (g_dir_read_name (entries) != NULL)
    n++;
  g_dir_close (entries);
  g_assert_cmpint (n, ==, 9);
  assert_removed (&twin, dir, "", GAIO_REMOVE_RECURSIVE);
}

/* The error names what could not be removed. */
static void
in_protected (void)
{
  g_autofree char *dir = NULL;
  g_autofree char *sub = NULL;
  g_autofree char *file = NULL;

  file_test_become_nobody ();
  dir = file_test_make_dir ();
  sub = twin_mkdir (dir, "sub");
  file = g_build_filename (sub, "file", NULL);
  twin_touch (sub, "file");
  for (int async = 0; async < 2; async++)
    {
      Twin twin = { .async = async };

      /* Not to be changed, then not to be read. */
      g_assert_cmpint (chmod (sub, 0500), ==, 0);
      assert_fails (&twin, dir, GAIO_REMOVE_RECURSIVE, EACCES, file);
      g_assert_cmpint (chmod (sub, 0), ==, 0);
      assert_fails (&twin, dir, GAIO_REMOVE_RECURSIVE, EACCES, sub);
    }
  {
    Twin twin = { 0 };

    g_assert_cmpint (chmod (sub, 0700), ==, 0);
    assert_removed (&twin, dir, "", GAIO_REMOVE_RECURSIVE);
  }
}

static void
test_protected (void)
{
  if (g_test_subprocess ())
    {
      in_protected ();
      return;
    }
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
  g_test_trap_assert_passed ();
}

static gboolean
become_root_of_own_mounts (void)
{
  return unshare (CLONE_NEWNS) == 0 && mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0;
}

/* What is mounted in the tree is left alone. */
static void
test_mount (void)
{
  if (g_test_subprocess ())
    {
      g_autofree char *dir = file_test_make_dir ();
      g_autofree char *outside = twin_mkdir (dir, "outside");
      g_autofree char *tree = twin_mkdir (dir, "tree");
      g_autofree char *mounted = twin_mkdir (tree, "mounted");
      Twin twin = { 0 };

      twin_touch (outside, "kept");
      if (!become_root_of_own_mounts () || mount (outside, mounted, NULL, MS_BIND, NULL) < 0)
        {
          g_print ("may not mount\n");
          assert_removed (&twin, dir, "", GAIO_REMOVE_RECURSIVE);
          return;
        }
      assert_fails (&twin, tree, GAIO_REMOVE_RECURSIVE, EBUSY, mounted);
      assert_fails (&twin, mounted, GAIO_REMOVE_RECURSIVE, EBUSY, mounted);
      g_assert_true (twin_exists (outside, "kept"));
      g_assert_cmpint (umount (mounted), ==, 0);
      assert_removed (&twin, dir, "", GAIO_REMOVE_RECURSIVE);
      return;
    }
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
  g_test_trap_assert_passed ();
}

/* Puts links to what must be kept in the place of the directories, when the first is gone. */
static void
swap_when_told (gint64 done, gint64 total, gpointer data)
{
  const char *dir = data;

  for (int i = 0; done == 1 && i < 10; i++)
    {
      g_autofree char *place = g_strdup_printf ("%s/tree/%d", dir, i);

      if (rmdir (place) == 0)
        g_assert_cmpint (symlink ("../kept", place), ==, 0);
    }
}

/* What was a directory when it was listed is a link now, and not followed. */
static void
test_swapped (void)
{
  g_autofree char *dir = file_test_make_dir ();
  g_autofree char *kept = twin_mkdir (dir, "kept");
  g_autofree char *tree = twin_mkdir (dir, "tree");
  Twin twin = { 0 };
  GError *error = NULL;

  twin_touch (kept, "file");
  for (int i = 0; i < 10; i++)
    {
      g_autofree char *name = g_strdup_printf ("%d", i);
      g_autofree char *sub G_GNUC_UNUSED = twin_mkdir (tree, name);
    }
  g_assert_false (remove_by (&twin, tree, GAIO_REMOVE_RECURSIVE,
                             g_cclosure_new (G_CALLBACK (swap_when_told), dir, NULL), &error));
  file_test_assert_error (error, G_IO_ERROR_NOT_DIRECTORY, ENOTDIR);
  g_assert_true (twin_exists (kept, "file"));
  assert_removed (&twin, dir, "", GAIO_REMOVE_RECURSIVE);
}

TWIN_BOTH (test_single)
TWIN_BOTH (test_bad)
TWIN_BOTH (test_tree)
TWIN_BOTH (test_deep)
TWIN_BOTH (test_cancelled)

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);

  gaio_test_add ("/remove/single", test_single_both);
  gaio_test_add ("/remove/bad", test_bad_both);
  gaio_test_add ("/remove/tree", test_tree_both);
  gaio_test_add ("/remove/deep", test_deep_both);
  gaio_test_add ("/remove/cancelled", test_cancelled_both);
  gaio_test_add ("/remove/cancelled-midway", test_cancelled_midway);
  gaio_test_add ("/remove/protected", test_protected);
  gaio_test_add ("/remove/mount", test_mount);
  gaio_test_add ("/remove/swapped", test_swapped);

  return g_test_run ();
}
