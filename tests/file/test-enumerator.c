/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* GaioEnumerator: every file once, with what GIO says of it, and one operation at a time. */

#include "twin-test.h"

static GaioEnumerator *
open_by (Twin *twin, const char *path, const char *attributes, int flags, GError **error)
{
  GaioEnumerator *result;

  twin_begin (twin);
  if (!twin->async)
    return gaio_enumerate (path, attributes, flags, twin->cancellable, error);
  gaio_enumerate_async (path, attributes, flags, 0, twin->cancellable, twin_on_end, twin);
  result = gaio_enumerate_finish (twin_wait (twin), error);
  twin_end (twin);
  return result;
}

static GList *
next_by (Twin *twin, GaioEnumerator *enumerator, guint n, GError **error)
{
  GList *result;

  twin_begin (twin);
  if (!twin->async)
    return gaio_enumerator_next_files (enumerator, n, twin->cancellable, error);
  gaio_enumerator_next_files_async (enumerator, n, 0, twin->cancellable, twin_on_end, twin);
  result = gaio_enumerator_next_files_finish (enumerator, twin_wait (twin), error);
  twin_end (twin);
  return result;
}

static gboolean
close_by (Twin *twin, GaioEnumerator *enumerator, GError **error)
{
  gboolean result;

  twin_begin (twin);
  if (!twin->async)
    return gaio_enumerator_close (enumerator, twin->cancellable, error);
  gaio_enumerator_close_async (enumerator, 0, twin->cancellable, twin_on_end, twin);
  result = gaio_enumerator_close_finish (enumerator, twin_wait (twin), error);
  twin_end (twin);
  return result;
}

static int
compare (gconstpointer a, gconstpointer b)
{
  return strcmp (g_file_info_get_name ((GFileInfo *) a), g_file_info_get_name ((GFileInfo *) b));
}

static void
free_list (GList *list)
{
  g_list_free_full (list, g_object_unref);
}

/* All files, in the order of their names, by batches of `n`. */
static GList *
list_all (Twin *twin, const char *path, const char *attributes, int flags, guint n)
{
  GError *error = NULL;
  g_autoptr (GaioEnumerator) enumerator = open_by (twin, path, attributes, flags, &error);
  GList *list = NULL;
  GList *batch;

  g_assert_no_error (error);
  while ((batch = next_by (twin, enumerator, n, &error)) != NULL)
    {
      g_assert_cmpuint (g_list_length (batch), <=, n);
      list = g_list_concat (batch, list);
    }
  g_assert_no_error (error);
  g_assert_null (next_by (twin, enumerator, n, &error));
  g_assert_no_error (error);
  g_assert_true (close_by (twin, enumerator, &error));
  g_assert_no_error (error);
  return g_list_sort (list, compare);
}

static GList *
list_by_gio (const char *path, const char *attributes, int flags)
{
  g_autoptr (GFile) file = g_file_new_for_path (path);
  g_autoptr (GFileEnumerator) enumerator =
      g_file_enumerate_children (file, attributes, flags, NULL, NULL);
  GList *list = NULL;
  GFileInfo *info;

  while ((info = g_file_enumerator_next_file (enumerator, NULL, NULL)) != NULL)
    list = g_list_prepend (list, info);
  return g_list_sort (list, compare);
}

/* Of what is asked for both say the same, and the first nothing else. */
static void
assert_same (GFileInfo *ours, GFileInfo *by_gio, const char *attributes)
{
  g_auto (GStrv) names = g_strsplit (attributes, ",", -1);
  g_auto (GStrv) others = g_file_info_list_attributes (ours, NULL);

  g_assert_cmpuint (g_strv_length (names), >=, g_strv_length (others));
  for (char **name = names; *name != NULL; name++)
    {
      g_autofree char *value = g_file_info_get_attribute_as_string (ours, *name);
      g_autofree char *other = g_file_info_get_attribute_as_string (by_gio, *name);

      /* GIO leaves out what is not so. */
      if (strstr (*name, "::is-") != NULL && other == NULL)
        other = g_strdup ("FALSE");
      g_assert_cmpstr (value, ==, other);
    }
}

/* A directory with one of each kind. */
static char *
make_dir (void)
{
  char *dir = file_test_make_dir ();
  g_autofree char *sub G_GNUC_UNUSED = twin_mkdir (dir, "sub");
  g_autofree char *file G_GNUC_UNUSED = file_test_make_file (dir, "file", 5000);
  static const char *const links[] = { "to-file", "to-sub", "to-nothing", "to-itself" };
  static const char *const targets[] = { "file", "sub", "nothing", "to-itself" };
  g_autofree char *fifo = g_build_filename (dir, "fifo", NULL);

  for (guint i = 0; i < G_N_ELEMENTS (links); i++)
    {
      g_autofree char *link = g_build_filename (dir, links[i], NULL);

      g_assert_cmpint (symlink (targets[i], link), ==, 0);
    }
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  twin_touch (dir, TWIN_ODD_NAME);
  return dir;
}

static void
remove_all (char *dir)
{
  g_assert_true (gaio_remove (dir, GAIO_REMOVE_RECURSIVE, NULL, NULL, NULL));
  g_free (dir);
}

static void
test_as_gio (gboolean async)
{
  static const char *const attributes[] = {
    "standard::name",
    "standard::name,standard::type",
    "standard::name,standard::is-symlink",
    "standard::name,standard::size",
    "standard::name,standard::size,standard::allocated-size,standard::type,time::modified",
    "standard::name,time::modified,time::modified-usec,time::changed",
    "standard::name,unix::inode,unix::mode,unix::uid,unix::gid,unix::nlink,unix::device",
    "standard::name,unix::rdev,unix::block-size,unix::blocks",
    "standard::name,unix::inode",
    "standard::name,standard::symlink-target",
    "standard::name,standard::is-symlink,standard::symlink-target,standard::type",
    "standard::name,standard::is-hidden,standard::is-backup",
    "standard::name,standard::edit-name",
    "standard::name,standard::copy-name",
    "standard::name,etag::value",
    "standard::name,id::file",
    "standard::name,id::filesystem",
    "standard::name,unix::is-mountpoint",
  };
  Twin twin = { .async = async };
  char *dir = make_dir ();
  const int n_fds = twin_count_fds ();

  for (int flags = 0; flags <= G_FILE_QUERY_INFO_NOFOLLOW_SYMLINKS; flags++)
    for (guint i = 0; i < G_N_ELEMENTS (attributes); i++)
      for (guint n = 1; n <= 100; n *= 10)
        {
          GList *list = list_all (&twin, dir, attributes[i], flags, n);
          GList *by_gio = list_by_gio (dir, attributes[i], flags);
          GList *l = list, *m = by_gio;

          for (; l != NULL && m != NULL; l = l->next, m = m->next)
            assert_same (l->data, m->data, attributes[i]);
          g_assert_true (l == NULL && m == NULL);
          free_list (list);
          free_list (by_gio);
        }
  g_assert_cmpint (twin_count_fds (), ==, n_fds);
  remove_all (dir);
}

static void
test_all_attributes (gboolean async)
{
  Twin twin = { .async = async };
  char *dir = make_dir ();
  GList *list = list_all (&twin, dir, NULL, 0, 100);

  for (GList *l = list; l != NULL; l = l->next)
    {
      g_assert_true (g_file_info_has_attribute (l->data, "standard::display-name"));
      g_assert_true (g_file_info_has_attribute (l->data, "standard::size"));
      g_assert_true (g_file_info_has_attribute (l->data, "time::modified"));
      g_assert_true (g_file_info_has_attribute (l->data, "unix::inode"));
      g_assert_true (g_utf8_validate (
          g_file_info_get_attribute_string (l->data, "standard::display-name"), -1, NULL));
    }
  free_list (list);
  remove_all (dir);
}

static void
assert_code (GError *error, int code)
{
  g_assert_error (error, G_IO_ERROR, code);
  g_error_free (error);
}

static void
test_closed (gboolean async)
{
  Twin twin = { .async = async };
  char *dir = make_dir ();
  GError *error = NULL;
  g_autoptr (GaioEnumerator) enumerator = open_by (&twin, dir, NULL, 0, &error);
  g_autoptr (GaioEnumerator) dropped = open_by (&twin, dir, NULL, 0, &error);

  g_assert_cmpstr (gaio_enumerator_get_path (enumerator), ==, dir);
  g_assert_true (close_by (&twin, enumerator, &error));
  g_assert_null (next_by (&twin, enumerator, 1, &error));
  assert_code (g_steal_pointer (&error), G_IO_ERROR_CLOSED);
  g_assert_true (close_by (&twin, enumerator, &error));
  g_assert_no_error (error);

  /* A cancel does not keep it open. */
  twin.cancellable = g_cancellable_new ();
  g_cancellable_cancel (twin.cancellable);
  g_assert_true (close_by (&twin, dropped, &error));
  g_clear_object (&twin.cancellable);
  g_assert_null (next_by (&twin, dropped, 1, &error));
  assert_code (g_steal_pointer (&error), G_IO_ERROR_CLOSED);
  remove_all (dir);
}

static void
test_bad (gboolean async)
{
  Twin twin = { .async = async };
  char *dir = make_dir ();
  g_autofree char *file = g_build_filename (dir, "file", NULL);
  g_autofree char *missing = g_build_filename (dir, "missing", NULL);
  GError *error = NULL;
  g_autoptr (GaioEnumerator) enumerator = open_by (&twin, dir, NULL, 0, &error);
  GList *list;

  g_assert_null (next_by (&twin, enumerator, 0, &error));
  assert_code (g_steal_pointer (&error), G_IO_ERROR_INVALID_ARGUMENT);
  g_assert_null (open_by (&twin, file, NULL, 0, &error));
  assert_code (g_steal_pointer (&error), G_IO_ERROR_NOT_DIRECTORY);
  g_assert_null (open_by (&twin, missing, NULL, 0, &error));
  assert_code (g_steal_pointer (&error), G_IO_ERROR_NOT_FOUND);
  g_assert_null (open_by (&twin, "", NULL, 0, &error));
  assert_code (g_steal_pointer (&error), G_IO_ERROR_NOT_FOUND);
  list = next_by (&twin, enumerator, 100, &error);
  g_assert_cmpuint (g_list_length (list), ==, 8);
  free_list (list);
  remove_all (dir);
}

static GAsyncResult *
result_of (Twin *twin)
{
  return twin->result != NULL ? twin->result : twin_wait (twin);
}

/* The second batch of two at once. */
static void
test_pending (void)
{
  char *dir = make_dir ();
  GError *error = NULL;
  g_autoptr (GaioEnumerator) enumerator = gaio_enumerate (dir, NULL, 0, NULL, NULL);
  Twin first = { 0 }, second = { 0 };
  GList *list;

  twin_begin (&first);
  twin_begin (&second);
  gaio_enumerator_next_files_async (enumerator, 3, 0, NULL, twin_on_end, &first);
  gaio_enumerator_next_files_async (enumerator, 3, 0, NULL, twin_on_end, &second);
  g_assert_null (gaio_enumerator_next_files (enumerator, 3, NULL, &error));
  assert_code (g_steal_pointer (&error), G_IO_ERROR_PENDING);
  g_assert_null (gaio_enumerator_next_files_finish (enumerator, result_of (&second), &error));
  assert_code (g_steal_pointer (&error), G_IO_ERROR_PENDING);
  list = gaio_enumerator_next_files_finish (enumerator, result_of (&first), &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_list_length (list), ==, 3);
  free_list (list);
  twin_end (&first);
  twin_end (&second);
  remove_all (dir);
}

/* Who has had enough closes it with a batch in flight, which has its files, or is told. */
static void
test_close_in_flight (gboolean async)
{
  char *dir = make_dir ();
  Twin reading = { 0 }, late = { 0 }, twin = { .async = async };

  for (int i = 0; i < 100; i++)
    {
      g_autoptr (GaioEnumerator) enumerator = gaio_enumerate (dir, NULL, 0, NULL, NULL);
      GError *error = NULL;
      GList *list;

      twin_begin (&reading);
      gaio_enumerator_next_files_async (enumerator, 3, 0, NULL, twin_on_end, &reading);
      g_assert_true (close_by (&twin, enumerator, &error));
      g_assert_no_error (error);
      twin_begin (&late);
      gaio_enumerator_next_files_async (enumerator, 3, 0, NULL, twin_on_end, &late);
      g_assert_null (gaio_enumerator_next_files_finish (enumerator, result_of (&late), &error));
      assert_code (g_steal_pointer (&error), G_IO_ERROR_CLOSED);
      list = gaio_enumerator_next_files_finish (enumerator, result_of (&reading), &error);
      if (error != NULL)
        assert_code (g_steal_pointer (&error), G_IO_ERROR_CLOSED);
      else
        g_assert_cmpuint (g_list_length (list), ==, 3);
      free_list (list);
      twin_end (&reading);
      twin_end (&late);
    }
  remove_all (dir);
}

/* In its callback one may start the next one. */
typedef struct
{
  guint n_files;
  gboolean ended;
} Chain;

static void
on_batch (GObject *source, GAsyncResult *result, gpointer data)
{
  Chain *chain = data;
  GError *error = NULL;
  GList *list = gaio_enumerator_next_files_finish (GAIO_ENUMERATOR (source), result, &error);

  g_assert_no_error (error);
  chain->n_files += g_list_length (list);
  chain->ended = list == NULL;
  if (list != NULL)
    gaio_enumerator_next_files_async (GAIO_ENUMERATOR (source), 1, 0, NULL, on_batch, chain);
  free_list (list);
}

static void
test_chained (void)
{
  char *dir = make_dir ();
  Chain chain = { 0 };
  GaioEnumerator *enumerator = gaio_enumerate (dir, NULL, 0, NULL, NULL);

  gaio_enumerator_next_files_async (enumerator, 1, 0, NULL, on_batch, &chain);
  /* The operation keeps it. */
  g_object_unref (enumerator);
  while (!chain.ended)
    g_main_context_iteration (NULL, TRUE);
  g_assert_cmpuint (chain.n_files, ==, 8);
  remove_all (dir);
}

static gpointer
cancel_soon (gpointer cancellable)
{
  g_usleep (500);
  g_cancellable_cancel (cancellable);
  return NULL;
}

/* A batch that is cancelled, before or in its midst, loses nothing. */
static void
test_cancelled (gboolean async)
{
  char *dir = file_test_make_dir ();
  g_autoptr (GHashTable) seen = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GaioEnumerator) enumerator = NULL;
  const int n = 2000;
  gboolean ended = FALSE;

  for (int i = 0; i < n; i++)
    {
      g_autofree char *name = g_strdup_printf ("%d", i);

      twin_touch (dir, name);
    }
  enumerator = gaio_enumerate (dir, NULL, 0, NULL, NULL);
  for (int round = 0; !ended; round++)
    {
      Twin twin = { .async = async, .cancellable = round < 5 ? g_cancellable_new () : NULL };
      GThread *thread = NULL;
      GError *error = NULL;
      GList *list;

      if (round == 0)
        g_cancellable_cancel (twin.cancellable);
      else if (round < 5)
        thread = g_thread_new ("cancel", cancel_soon, twin.cancellable);
      list = next_by (&twin, enumerator, 900, &error);
      if (error != NULL)
        {
          g_assert_null (list);
          assert_code (error, G_IO_ERROR_CANCELLED);
        }
      else
        ended = list == NULL;
      g_assert_true (round > 0 || error != NULL);
      for (GList *l = list; l != NULL; l = l->next)
        g_assert_true (g_hash_table_add (seen, g_strdup (g_file_info_get_name (l->data))));
      free_list (list);
      if (thread != NULL)
        g_thread_join (thread);
      g_clear_object (&twin.cancellable);
    }
  g_assert_cmpuint (g_hash_table_size (seen), ==, n);
  remove_all (dir);
}

/* What is removed between being listed and being asked for is left out. */
static void
test_vanished (gboolean async)
{
  Twin twin = { .async = async };
  char *dir = file_test_make_dir ();
  GError *error = NULL;
  g_autoptr (GaioEnumerator) enumerator = NULL;
  GList *list;

  for (int i = 0; i < 100; i++)
    {
      g_autofree char *name = g_strdup_printf ("%d", i);

      twin_touch (dir, name);
    }
  enumerator = open_by (&twin, dir, NULL, 0, &error);
  list = next_by (&twin, enumerator, 1, &error);
  g_assert_cmpuint (g_list_length (list), ==, 1);
  free_list (list);
  /* The rest is in the buffer of the stream by now. */
  remove_all (g_strdup (dir));
  g_assert_null (next_by (&twin, enumerator, 1000, &error));
  g_assert_no_error (error);
  g_free (dir);
}

/* One file of which nothing can be learned: those before it come, then the error, then the rest. */
static void
test_unknowable (void)
{
  if (g_test_subprocess ())
    {
      char *dir;
      g_autofree char *inside = NULL;
      g_autoptr (GaioEnumerator) enumerator = NULL;
      GError *error = NULL;
      GList *list;

      file_test_become_nobody ();
      dir = make_dir ();
      inside = g_strconcat (dir, "/", NULL);
      enumerator = gaio_enumerate (dir, "standard::name,standard::size", 0, NULL, NULL);
      g_assert_cmpint (chmod (dir, 0400), ==, 0);
      for (int i = 0; i < 8; i++)
        {
          g_assert_null (gaio_enumerator_next_files (enumerator, 100, NULL, &error));
          g_assert_nonnull (strstr (error->message, inside));
          assert_code (g_steal_pointer (&error), G_IO_ERROR_PERMISSION_DENIED);
        }
      list = gaio_enumerator_next_files (enumerator, 100, NULL, &error);
      g_assert_no_error (error);
      g_assert_null (list);

      /* Names can be had nevertheless. */
      g_clear_object (&enumerator);
      enumerator = gaio_enumerate (dir, "standard::name", 0, NULL, NULL);
      list = gaio_enumerator_next_files (enumerator, 100, NULL, &error);
      g_assert_cmpuint (g_list_length (list), ==, 8);
      free_list (list);
      g_assert_cmpint (chmod (dir, 0700), ==, 0);
      remove_all (dir);
      return;
    }
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_DEFAULT);
  g_test_trap_assert_passed ();
}

TWIN_BOTH (test_as_gio)
TWIN_BOTH (test_all_attributes)
TWIN_BOTH (test_closed)
TWIN_BOTH (test_bad)
TWIN_BOTH (test_close_in_flight)
TWIN_BOTH (test_cancelled)
TWIN_BOTH (test_vanished)

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);

  gaio_test_add ("/enumerator/as-gio", test_as_gio_both);
  gaio_test_add ("/enumerator/all-attributes", test_all_attributes_both);
  gaio_test_add ("/enumerator/closed", test_closed_both);
  gaio_test_add ("/enumerator/bad", test_bad_both);
  gaio_test_add ("/enumerator/pending", test_pending);
  gaio_test_add ("/enumerator/close-in-flight", test_close_in_flight_both);
  gaio_test_add ("/enumerator/chained", test_chained);
  gaio_test_add ("/enumerator/cancelled", test_cancelled_both);
  gaio_test_add ("/enumerator/vanished", test_vanished_both);
  gaio_test_add ("/enumerator/unknowable", test_unknowable);

  return g_test_run ();
}
