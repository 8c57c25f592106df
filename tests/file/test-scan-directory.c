/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* gaio_scan_directory(): the names of all that there is, and only those. */

#include "twin-test.h"

static char **
scan_by (Twin *twin, const char *path, GaioScanFlags flags, GError **error)
{
  char **result;

  twin_begin (twin);
  if (!twin->async)
    return gaio_scan_directory (path, flags, twin->cancellable, error);
  gaio_scan_directory_async (path, flags, 0, twin->cancellable, twin_on_end, twin);
  result = gaio_scan_directory_finish (twin_wait (twin), error);
  twin_end (twin);
  return result;
}

static int
compare (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static void
assert_names (Twin *twin, const char *path, GaioScanFlags flags, const char *expected)
{
  GError *error = NULL;
  g_auto (GStrv) names = scan_by (twin, path, flags, &error);
  g_autofree char *joined = NULL;

  g_assert_no_error (error);
  qsort (names, g_strv_length (names), sizeof *names, compare);
  joined = g_strjoinv (" ", names);
  g_assert_cmpstr (joined, ==, expected);
}

static void
assert_fails (Twin *twin, const char *path, GaioScanFlags flags, int errnum)
{
  GError *error = NULL;

  g_assert_null (scan_by (twin, path, flags, &error));
  g_assert_nonnull (error);
  g_assert_cmpint (gaio_error_get_errno (error), ==, errnum);
  g_error_free (error);
}

static void
test_scan (gboolean async)
{
  Twin twin = { .async = async };
  g_autofree char *dir = file_test_make_dir ();
  g_autofree char *slashes = g_strconcat (dir, "//", NULL);
  g_autofree char *a = twin_mkdir (dir, "a");
  g_autofree char *b = twin_mkdir (a, "b");
  g_autofree char *empty = twin_mkdir (dir, "empty");
  g_autofree char *link = g_build_filename (dir, "link", NULL);
  g_autofree char *file = g_build_filename (b, "file", NULL);
  const char *all = "a a/b a/b/file empty link " TWIN_ODD_NAME;
  const int n_fds = twin_count_fds ();

  twin_touch (b, "file");
  twin_touch (dir, TWIN_ODD_NAME);
  g_assert_cmpint (symlink ("a", link), ==, 0);
  assert_names (&twin, dir, GAIO_SCAN_NONE, "a empty link " TWIN_ODD_NAME);
  assert_names (&twin, dir, GAIO_SCAN_RECURSIVE, all);
  assert_names (&twin, slashes, GAIO_SCAN_RECURSIVE, all);
  assert_names (&twin, empty, GAIO_SCAN_NONE, "");
  assert_names (&twin, empty, GAIO_SCAN_RECURSIVE, "");
  /* A link to begin with is followed. */
  assert_names (&twin, link, GAIO_SCAN_NONE, "b");
  assert_names (&twin, link, GAIO_SCAN_RECURSIVE, "b b/file");

  for (int flags = 0; flags <= GAIO_SCAN_RECURSIVE; flags++)
    {
      assert_fails (&twin, file, flags, ENOTDIR);
      assert_fails (&twin, "", flags, ENOENT);
      assert_fails (&twin, "/proc/nonexistent", flags, ENOENT);
      twin.cancellable = g_cancellable_new ();
      g_cancellable_cancel (twin.cancellable);
      assert_fails (&twin, dir, flags, ECANCELED);
      g_clear_object (&twin.cancellable);
    }
  g_assert_cmpint (twin_count_fds (), ==, n_fds);
  g_assert_true (gaio_remove (dir, GAIO_REMOVE_RECURSIVE, NULL, NULL, NULL));
}

/* More levels than are kept open, with something left in each for the way back. */
static void
test_deep (gboolean async)
{
  Twin twin = { .async = async };
  g_autofree char *dir = file_test_make_dir ();
  g_autoptr (GString) path = g_string_new (dir);
  GError *error = NULL;
  const int depth = 100;
  g_auto (GStrv) names = NULL;

  for (int i = 0; i < depth; i++)
    {
      for (int j = 0; j < 20; j++)
        {
          g_autofree char *name = g_strdup_printf ("%d", j);
          g_autofree char *sub G_GNUC_UNUSED = twin_mkdir (path->str, name);
        }
      g_string_append (path, "/10");
    }
  names = scan_by (&twin, dir, GAIO_SCAN_RECURSIVE, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_strv_length (names), ==, depth * 20);
  qsort (names, depth * 20, sizeof *names, compare);
  for (int i = 1; i < depth * 20; i++)
    g_assert_cmpstr (names[i - 1], !=, names[i]);
  g_assert_true (gaio_remove (dir, GAIO_REMOVE_RECURSIVE, NULL, NULL, NULL));
}

TWIN_BOTH (test_scan)
TWIN_BOTH (test_deep)

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);

  gaio_test_add ("/scan-directory/scan", test_scan_both);
  gaio_test_add ("/scan-directory/deep", test_deep_both);

  return g_test_run ();
}
