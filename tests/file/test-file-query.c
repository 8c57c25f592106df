/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Asking what is known about a file. */

#include "file-test.h"

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
  theirs = g_file_query_info (gfile, "standard::*,time::*,unix::*", 0, NULL, &error);
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
    g_assert_cmpuint (n_same, >=, 15);
  }
  g_object_unref (info);

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

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  gaio_test_add_engine_matrix ("/file-query/info", test_query_info);
  return g_test_run ();
}
