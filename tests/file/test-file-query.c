/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Asking what is known about a file, that is open or has a path. */

#include "twin-test.h"

/* Which attributes there are; but for the time of the last access, which asking may change. */
static const char *const all_attributes[] = {
  "standard::type",
  "standard::size",
  "standard::allocated-size",
  "standard::name",
  "standard::display-name",
  "standard::edit-name",
  "standard::copy-name",
  "standard::is-hidden",
  "standard::is-backup",
  "standard::is-symlink",
  "standard::symlink-target",
  "etag::value",
  "id::file",
  "id::filesystem",
  "time::modified",
  "time::modified-usec",
  "time::modified-nsec",
  "time::changed",
  "time::changed-usec",
  "time::changed-nsec",
  "time::created",
  "time::created-usec",
  "time::created-nsec",
  "unix::device",
  "unix::inode",
  "unix::mode",
  "unix::nlink",
  "unix::uid",
  "unix::gid",
  "unix::rdev",
  "unix::block-size",
  "unix::blocks",
  "unix::is-mountpoint",
};

static void
assert_info (GFileInfo *info, const struct stat *expected)
{
  g_assert_cmpint (g_file_info_get_size (info), ==, expected->st_size);
  g_assert_cmpint (g_file_info_get_file_type (info), ==, G_FILE_TYPE_REGULAR);
  g_assert_cmpuint (g_file_info_get_attribute_uint32 (info, "unix::mode"), ==, expected->st_mode);
  g_assert_cmpuint (g_file_info_get_attribute_uint64 (info, "unix::inode"), ==, expected->st_ino);
  g_assert_cmpuint (g_file_info_get_attribute_uint32 (info, "unix::uid"), ==, expected->st_uid);
  g_assert_cmpuint (g_file_info_get_attribute_uint32 (info, "unix::nlink"), ==, expected->st_nlink);
  g_assert_cmpuint (g_file_info_get_attribute_uint64 (info, "time::modified"),
                    ==,
                    expected->st_mtim.tv_sec);
  g_assert_cmpuint (g_file_info_get_attribute_uint32 (info, "time::modified-usec"),
                    ==,
                    expected->st_mtim.tv_nsec / 1000);
}

static void
test_query_info (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "näme", 12345);
  GaioFile *file = file_test_open (loop->context, path, "r");
  g_autoptr (GFile) gfile = g_file_new_for_path (path);
  g_autoptr (GFileInfo) theirs = NULL;
  GAsyncResult *result;
  GError *error = NULL;
  struct stat expected;
  GFileInfo *info;
  FileTestCall call = { 0 };

  g_assert_cmpint (stat (path, &expected), ==, 0);
  gaio_file_query_info_async (file, NULL, G_PRIORITY_DEFAULT, NULL, file_test_on_end, &call);
  result = file_test_wait (&call, loop);
  info = gaio_file_query_info_finish (file, result, &error);
  g_assert_no_error (error);
  assert_info (info, &expected);
  g_assert_cmpstr (g_file_info_get_name (info), ==, "näme");
  g_assert_cmpstr (g_file_info_get_display_name (info), ==, "näme");
  g_object_unref (result);

  /* All that both tell is the same as what GIO says. */
  theirs = g_file_query_info (gfile, "*", 0, NULL, &error);
  g_assert_no_error (error);
  {
    g_auto (GStrv) names = g_file_info_list_attributes (info, NULL);
    guint n_same = 0;

    for (guint i = 0; names[i] != NULL; i++)
      {
        g_autofree char *ours = g_file_info_get_attribute_as_string (info, names[i]);
        g_autofree char *other = g_file_info_get_attribute_as_string (theirs, names[i]);

        if (other == NULL || g_str_has_prefix (names[i], "time::access"))
          continue;
        g_assert_cmpstr (ours, ==, other);
        n_same++;
      }
    g_assert_cmpuint (n_same, >=, 24);
  }
  g_object_unref (info);

  /* Also one by one: what each needs is asked for. */
  for (guint i = 0; i < G_N_ELEMENTS (all_attributes); i++)
    {
      const char *attribute = all_attributes[i];
      g_autofree char *other = g_file_info_get_attribute_as_string (theirs, attribute);
      g_autofree char *ours = NULL;

      info = gaio_file_query_info (file, attribute, NULL, &error);
      g_assert_no_error (error);
      ours = g_file_info_get_attribute_as_string (info, attribute);
      if (other == NULL && strstr (attribute, "::is-") != NULL)
        other = g_strdup ("FALSE");
      g_assert_cmpstr (ours, ==, other);
      g_object_unref (info);
    }

  /* Only what was asked for. */
  gaio_file_query_info_async (file,
                              "standard::size,unix::mode",
                              G_PRIORITY_DEFAULT,
                              NULL,
                              file_test_on_end,
                              &call);
  result = file_test_wait (&call, loop);
  info = gaio_file_query_info_finish (file, result, &error);
  g_assert_no_error (error);
  g_assert_cmpint (g_file_info_get_size (info), ==, 12345);
  g_assert_true (g_file_info_has_attribute (info, "unix::mode"));
  g_assert_false (g_file_info_has_attribute (info, "unix::uid"));
  g_assert_false (g_file_info_has_attribute (info, "standard::name"));
  g_object_unref (result);
  g_object_unref (info);

  info = gaio_file_query_info (file, "unix::*,standard::*,time::*", NULL, &error);
  g_assert_no_error (error);
  assert_info (info, &expected);
  g_object_unref (info);
  g_object_unref (file);
  file_test_remove_dir (dir);
}

static GFileInfo *
query_by_gio (const char *path, const char *attributes, int flags)
{
  g_autoptr (GFile) file = g_file_new_for_path (path);

  return g_file_query_info (file, attributes, flags, NULL, NULL);
}

static GFileInfo *
query_by (Twin *twin, const char *path, const char *attributes, int flags, GError **error)
{
  GFileInfo *info;

  if (!twin->async)
    return gaio_query_info (path, attributes, flags, twin->cancellable, error);
  twin_begin (twin);
  gaio_query_info_async (path, attributes, flags, 0, twin->cancellable, twin_on_end, twin);
  info = gaio_query_info_finish (twin_wait (twin), error);
  twin_end (twin);
  return info;
}

/* What both have to be the same; GIO leaves out what is not so. */
static void
assert_same (GFileInfo *ours, GFileInfo *by_gio, const char *attribute)
{
  g_autofree char *value = g_file_info_get_attribute_as_string (ours, attribute);
  g_autofree char *other = g_file_info_get_attribute_as_string (by_gio, attribute);

  g_test_message ("%s: %s, %s", attribute, value, other);
  if (other == NULL && strstr (attribute, "::is-") != NULL)
    other = g_strdup ("FALSE");
  g_assert_cmpstr (value, ==, other);
}

/* All at once, and each alone: what it needs is asked for, and no other told. */
static void
assert_as_gio (Twin *twin, const char *path, int flags)
{
  g_autoptr (GFileInfo) ours = query_by (twin, path, NULL, flags, NULL);
  g_autoptr (GFileInfo) by_gio = query_by_gio (path, "*", flags);

  g_test_message ("%s", path);
  for (guint i = 0; i < G_N_ELEMENTS (all_attributes); i++)
    {
      const char *attribute = all_attributes[i];
      g_autoptr (GFileInfo) one = query_by (twin, path, attribute, flags, NULL);
      g_auto (GStrv) names = g_file_info_list_attributes (one, NULL);

      assert_same (ours, by_gio, attribute);
      assert_same (one, by_gio, attribute);
      g_assert_cmpuint (g_strv_length (names), <=, 1);
    }
}

static void
test_as_gio (gboolean async)
{
  static const struct
  {
    const char *name;
    const char *target;
  } links[] = {
    { "to-file", "file" },
    { "to-dir", "dir" },
    { "to-link", "to-file" },
    { "to-nothing", "nothing" },
    { "to-itself", "to-itself" },
  };
  static const char *const names[] = { "file",    ".hidden", "backup~",    "dir",       "fifo",
                                       "to-file", "to-dir",  "to-nothing", "to-itself", "to-link" };
  Twin twin = { .async = async };
  char *dir = file_test_make_dir ();
  g_autofree char *file G_GNUC_UNUSED = file_test_make_file (dir, "file", 5000);
  g_autofree char *subdir G_GNUC_UNUSED = twin_mkdir (dir, "dir");
  g_autofree char *fifo = g_build_filename (dir, "fifo", NULL);

  twin_touch (dir, ".hidden");
  twin_touch (dir, "backup~");
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (links); i++)
    {
      g_autofree char *path = g_build_filename (dir, links[i].name, NULL);

      g_assert_cmpint (symlink (links[i].target, path), ==, 0);
    }
  for (int flags = 0; flags <= G_FILE_QUERY_INFO_NOFOLLOW_SYMLINKS; flags++)
    {
      for (guint i = 0; i < G_N_ELEMENTS (names); i++)
        {
          g_autofree char *path = g_build_filename (dir, names[i], NULL);

          assert_as_gio (&twin, path, flags);
        }
      assert_as_gio (&twin, "/dev/null", flags);
    }
  file_test_remove_dir (dir);
}

/* A path that does not end in the file's name. */
static void
test_relative (gboolean async)
{
  Twin twin = { .async = async };
  g_autoptr (GFileInfo) ours = query_by (&twin, ".", NULL, 0, NULL);
  g_autoptr (GFileInfo) by_gio = query_by_gio (".", "*", 0);

  assert_same (ours, by_gio, "standard::name");
  assert_same (ours, by_gio, "standard::is-hidden");
  assert_same (ours, by_gio, "unix::inode");
}

/* A name that is no text. */
static void
test_odd_name (gboolean async)
{
  Twin twin = { .async = async };
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, TWIN_ODD_NAME, NULL);
  g_autoptr (GFileInfo) ours = NULL;
  g_autoptr (GFileInfo) by_gio = NULL;

  twin_touch (dir, TWIN_ODD_NAME);
  ours = query_by (&twin, path, NULL, 0, NULL);
  by_gio = query_by_gio (path, "*", 0);
  assert_same (ours, by_gio, "standard::name");
  assert_same (ours, by_gio, "standard::edit-name");
  assert_same (ours, by_gio, "standard::copy-name");
  g_assert_true (g_utf8_validate (g_file_info_get_display_name (ours), -1, NULL));
  file_test_remove_dir (dir);
}

static void
test_mount (gboolean async)
{
  Twin twin = { .async = async };
  g_autoptr (GFileInfo) ours = query_by (&twin, "/proc", "unix::is-mountpoint", 0, NULL);
  g_autoptr (GFileInfo) by_gio = query_by_gio ("/proc", "unix::is-mountpoint", 0);

  if (g_file_info_get_attribute_boolean (by_gio, "unix::is-mountpoint"))
    g_assert_true (g_file_info_get_attribute_boolean (ours, "unix::is-mountpoint"));
  else
    g_test_skip ("nothing is mounted at /proc");
}

/* What there is when nothing is asked of the file itself: that it exists. */
static void
test_missing (gboolean async)
{
  Twin twin = { .async = async };
  char *dir = file_test_make_dir ();
  g_autofree char *file = file_test_make_file (dir, "file", 1);
  g_autofree char *missing = g_build_filename (dir, "missing", NULL);
  g_autofree char *below = g_build_filename (file, "below", NULL);
  g_autoptr (GFileInfo) info = NULL;
  GError *error = NULL;

  g_assert_null (query_by (&twin, missing, "standard::name", 0, &error));
  g_assert_nonnull (strstr (error->message, "query"));
  g_assert_nonnull (strstr (error->message, missing));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_NOT_FOUND, ENOENT);
  g_assert_null (query_by (&twin, "", NULL, 0, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_NOT_FOUND, ENOENT);
  g_assert_null (query_by (&twin, below, NULL, 0, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_NOT_DIRECTORY, ENOTDIR);
  info = query_by (&twin, file, "standard::content-type", 0, &error);
  g_assert_no_error (error);
  g_assert_nonnull (info);
  file_test_remove_dir (dir);
}

static void
test_cancelled (gboolean async)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Twin twin = { .async = async, .cancellable = cancellable };
  GError *error = NULL;

  g_cancellable_cancel (cancellable);
  g_assert_null (query_by (&twin, "/", NULL, 0, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_error_free (error);
}

/* A link that may not be followed is an error, not another file. */
static void
query_forbidden (Twin *twin, const char *link)
{
  GError *error = NULL;
  GFileInfo *info;

  g_assert_null (query_by (twin, link, NULL, 0, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_PERMISSION_DENIED, EACCES);
  info = query_by (twin, link, NULL, G_FILE_QUERY_INFO_NOFOLLOW_SYMLINKS, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (g_file_info_get_symlink_target (info), ==, "inner/file");
  g_object_unref (info);
}

static void
test_forbidden (void)
{
  const char *const link = g_getenv ("GAIO_TEST_LINK");

  if (g_test_subprocess ())
    {
      Twin blocking = { 0 };
      Twin async = { .async = TRUE };

      file_test_become_nobody ();
      query_forbidden (&blocking, link);
      query_forbidden (&async, link);
    }
  else
    {
      char *dir = file_test_make_dir ();
      g_autofree char *inner = twin_mkdir (dir, "inner");
      g_autofree char *path = g_build_filename (dir, "link", NULL);

      twin_touch (inner, "file");
      g_assert_cmpint (symlink ("inner/file", path), ==, 0);
      g_assert_cmpint (chmod (dir, 0755), ==, 0);
      g_assert_cmpint (chmod (inner, 0), ==, 0);
      g_setenv ("GAIO_TEST_LINK", path, TRUE);
      g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
      g_unsetenv ("GAIO_TEST_LINK");
      g_assert_cmpint (chmod (inner, 0700), ==, 0);
      g_assert_true (gaio_remove (dir, GAIO_REMOVE_RECURSIVE, NULL, NULL, NULL));
      g_free (dir);
      g_test_trap_assert_passed ();
    }
}

TWIN_BOTH (test_as_gio)
TWIN_BOTH (test_relative)
TWIN_BOTH (test_odd_name)
TWIN_BOTH (test_mount)
TWIN_BOTH (test_missing)
TWIN_BOTH (test_cancelled)

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  gaio_test_add_engine_matrix ("/file-query/info", test_query_info);
  g_test_add_func ("/file-query/as-gio", test_as_gio_both);
  g_test_add_func ("/file-query/relative", test_relative_both);
  g_test_add_func ("/file-query/odd-name", test_odd_name_both);
  g_test_add_func ("/file-query/mount", test_mount_both);
  g_test_add_func ("/file-query/missing", test_missing_both);
  g_test_add_func ("/file-query/cancelled", test_cancelled_both);
  g_test_add_func ("/file-query/forbidden", test_forbidden);
  return g_test_run ();
}
