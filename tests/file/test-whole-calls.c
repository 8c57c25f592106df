/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Operations on whole files, with the library's system calls coming by the test (--wrap): in which
 * order they are done, and what becomes of an operation when somebody else does something right
 * before or after one of them. Both twins do the same calls, so the blocking one will do; then they
 * are all in this thread. */

#include <stdarg.h>
#include <stdbool.h>

#include "whole-test.h"

/* What has been called, each followed by a space. */
static GString *calls;

/* Told of each before it is done: 0, or the errno that it fails with. */
static int (*on_call) (const char *call);

/* For the functions of the tests. */
static char *there;
static int n_seen;
static GCancellable *to_cancel;

static bool
comes_by (const char *call)
{
  int errnum = 0;

  if (calls == NULL)
    return true;
  g_string_append_printf (calls, "%s ", call);
  if (on_call != NULL)
    errnum = on_call (call);
  errno = errnum;
  return errnum == 0;
}

static void
watch (int (*func) (const char *call))
{
  calls = g_string_new (NULL);
  on_call = func;
  n_seen = 0;
}

static void
unwatch (const char *expected)
{
  if (expected != NULL)
    g_assert_cmpstr (calls->str, ==, expected);
  on_call = NULL;
  g_string_free (g_steal_pointer (&calls), TRUE);
}

#define WRAP(type, name, args, values, call)                                                       \
  type __real_##name args;                                                                         \
  type __wrap_##name args;                                                                         \
  type __wrap_##name args                                                                          \
  {                                                                                                \
    return comes_by (call) ? __real_##name values : -1;                                            \
  }

static const char *
fsync_name (int fd)
{
  struct stat stat;

  return fstat (fd, &stat) == 0 && S_ISDIR (stat.st_mode) ? "fsync-directory" : "fsync-file";
}

WRAP (int, fsync, (int fd), (fd), fsync_name (fd))
WRAP (int, fdatasync, (int fd), (fd), "fdatasync")
WRAP (int,
      renameat,
      (int dir, const char *name, int to_dir, const char *to),
      (dir, name, to_dir, to),
      "rename")
WRAP (int,
      renameat2,
      (int dir, const char *name, int to_dir, const char *to, guint flags),
      (dir, name, to_dir, to, flags),
      "rename-new")
WRAP (int, rename, (const char *name, const char *to), (name, to), "rename")
WRAP (int, unlink, (const char *path), (path), "unlink")
WRAP (int,
      unlinkat,
      (int dir, const char *name, int flags),
      (dir, name, flags),
      (flags & AT_REMOVEDIR) != 0 ? "rmdir" : "unlink")

int __real_open64 (const char *path, int flags, ...);
int __wrap_open64 (const char *path, int flags, ...);

int
__wrap_open64 (const char *path, int flags, ...)
{
  mode_t mode;
  va_list args;

  va_start (args, flags);
  mode = (flags & O_CREAT) != 0 ? va_arg (args, mode_t) : 0;
  va_end (args);
  if ((flags & O_CREAT) != 0 && !comes_by ("create"))
    return -1;
  return __real_open64 (path, flags, mode);
}

off64_t __real_lseek64 (int fd, off64_t offset, int whence);
off64_t __wrap_lseek64 (int fd, off64_t offset, int whence);

off64_t
__wrap_lseek64 (int fd, off64_t offset, int whence)
{
  off64_t result = __real_lseek64 (fd, offset, whence);
  int errnum = errno;

  /* After it. */
  if (whence == SEEK_DATA && result < 0)
    comes_by ("no-more-data");
  errno = errnum;
  return result;
}

/* What a crash may find. */
static void
test_order (void)
{
  static const struct
  {
    GaioDurability durability;
    const char *calls;
  } saves[] = {
    { GAIO_DURABILITY_NONE, "rename " },
    { GAIO_DURABILITY_DATA, "fdatasync rename " },
    { GAIO_DURABILITY_FULL, "fsync-file rename fsync-directory " },
  };
  char *dir = file_test_make_dir ();
  g_autofree char *a = g_build_filename (dir, "a", NULL);
  g_autofree char *b = g_build_filename (dir, "b", NULL);
  g_autoptr (GBytes) bytes = g_bytes_new_static ("text", 4);
  GError *error = NULL;

  for (guint i = 0; i < 2 * G_N_ELEMENTS (saves); i++)
    {
      watch (NULL);
      gaio_save_bytes (a, bytes, saves[i / 2].durability, NULL, &error);
      g_assert_no_error (error);
      unwatch (saves[i / 2].calls);
    }
  watch (NULL);
  gaio_copy (a, b, GAIO_COPY_DURABLE, NULL, NULL, &error);
  g_assert_no_error (error);
  unwatch ("fsync-file rename-new fsync-directory ");
  watch (NULL);
  gaio_copy (a, b, GAIO_COPY_DURABLE | GAIO_COPY_OVERWRITE, NULL, NULL, &error);
  g_assert_no_error (error);
  unwatch ("fsync-file rename fsync-directory ");
  watch (NULL);
  gaio_copy (a, b, GAIO_COPY_OVERWRITE, NULL, NULL, &error);
  g_assert_no_error (error);
  unwatch ("rename ");

  /* Both directories. */
  watch (NULL);
  gaio_move (a, b, GAIO_COPY_DURABLE | GAIO_COPY_OVERWRITE, NULL, NULL, &error);
  g_assert_no_error (error);
  unwatch ("fsync-file rename fsync-directory fsync-directory ");
  watch (NULL);
  gaio_move (b, a, GAIO_COPY_NONE, NULL, NULL, &error);
  g_assert_no_error (error);
  unwatch ("rename-new ");
  file_test_remove_dir (dir);
}

/* Another file system. */
static int
refuse_rename (const char *call)
{
  return g_str_equal (call, "rename-new") && n_seen++ == 0 ? EXDEV : 0;
}

static int
append_at_end (const char *call)
{
  int errnum = refuse_rename (call);

  if (errnum == 0 && g_str_equal (call, "rename-new"))
    {
      int fd = __real_open64 (there, O_WRONLY | O_APPEND | O_CLOEXEC);

      g_assert_cmpint (write (fd, " and more", 9), ==, 9);
      close (fd);
    }
  return errnum;
}

static int
replace_at_end (const char *call)
{
  int errnum = refuse_rename (call);

  if (errnum == 0 && g_str_equal (call, "rename-new"))
    {
      GError *error = NULL;

      g_file_set_contents (there, "text and more", -1, &error);
      g_assert_no_error (error);
    }
  return errnum;
}

/* What was written to the source after it had been copied is not removed with it. */
static void
test_move_changed (void)
{
  static int (*const changes[]) (const char *) = { append_at_end, replace_at_end };
  char *dir = file_test_make_dir ();
  g_autofree char *source = whole_test_make_text (dir, "source", "text");
  g_autofree char *copy = g_build_filename (dir, "copy", NULL);
  GError *error = NULL;

  watch (refuse_rename);
  gaio_move (source, copy, GAIO_COPY_DURABLE, NULL, NULL, &error);
  g_assert_no_error (error);
  unwatch ("fsync-file rename-new fsync-file rename-new fsync-directory unlink "
           "fsync-directory fsync-directory ");
  whole_test_assert_entries (dir, "copy", NULL);
  whole_test_assert_file (copy, "text");

  for (guint i = 0; i < G_N_ELEMENTS (changes); i++)
    {
      unlink (copy);
      g_free (whole_test_make_text (dir, "source", "text"));
      there = source;
      watch (changes[i]);
      g_assert_false (gaio_move (source, copy, GAIO_COPY_NONE, NULL, NULL, &error));
      unwatch ("rename-new rename-new ");
      file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_BUSY, EBUSY);
      whole_test_assert_file (source, "text and more");
      whole_test_assert_file (copy, "text");
      whole_test_assert_entries (dir, "source", "copy", NULL);
    }
  file_test_remove_dir (dir);
}

static int
refill (const char *call)
{
  if (g_str_equal (call, "rmdir"))
    {
      g_autofree char *name = g_strdup_printf ("%s/%d", there, n_seen++);
      int fd = __real_open64 (name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

      g_assert_cmpint (fd, >=, 0);
      close (fd);
      g_assert_cmpint (n_seen, <, 10000);
    }
  return 0;
}

/* Somebody puts a file in each time that there is none. */
static void
test_remove_refilled (void)
{
  char *dir = file_test_make_dir ();
  GError *error = NULL;

  there = g_build_filename (dir, "sub", NULL);
  g_assert_cmpint (mkdir (there, 0700), ==, 0);
  watch (refill);
  g_assert_false (gaio_remove (there, GAIO_REMOVE_RECURSIVE, NULL, NULL, &error));
  unwatch (NULL);
  g_assert_nonnull (strstr (error->message, there));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_NOT_EMPTY, ENOTEMPTY);

  gaio_remove (there, GAIO_REMOVE_RECURSIVE, NULL, NULL, &error);
  g_assert_no_error (error);
  g_clear_pointer (&there, g_free);
  file_test_remove_dir (dir);
}

static int
append_after_hole (const char *call)
{
  if (g_str_equal (call, "no-more-data") && n_seen++ == 0)
    {
      int fd = __real_open64 (there, O_WRONLY | O_APPEND | O_CLOEXEC);

      g_assert_cmpint (write (fd, "appended", 8), ==, 8);
      close (fd);
    }
  return 0;
}

/* A file that ends with a hole, and grows: no checksum of it has zeros where there is data. */
static void
test_checksum_grown (void)
{
  char *dir = file_test_make_dir ();
  g_autofree char *after = NULL;
  g_autofree char *sum = NULL;
  g_autofree char *contents = NULL;
  gsize length;
  GError *error = NULL;

  there = whole_test_make_text (dir, "file", "data");
  g_assert_cmpint (truncate (there, 100000), ==, 0);
  watch (append_after_hole);
  sum = gaio_checksum (there, G_CHECKSUM_SHA256, NULL, NULL, &error);
  g_assert_no_error (error);
  unwatch (NULL);
  if (n_seen == 0)
    g_test_skip ("the file system tells of no holes");
  contents = whole_test_read (there, &length);
  after = g_compute_checksum_for_data (G_CHECKSUM_SHA256, (const guint8 *) contents, length);
  g_assert_cmpstr (sum, ==, after);
  g_clear_pointer (&there, g_free);
  file_test_remove_dir (dir);
}

static int
make_first (const char *call)
{
  if (g_str_equal (call, "create"))
    {
      int fd = __real_open64 (there, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);

      g_assert_cmpint (write (fd, "theirs", 6), ==, 6);
      close (fd);
      g_cancellable_cancel (to_cancel);
    }
  return 0;
}

/* A link that leads nowhere, until somebody else makes what it leads to. */
static void
test_save_made (void)
{
  char *dir = file_test_make_dir ();
  g_autofree char *link = g_build_filename (dir, "link", NULL);
  g_autoptr (GBytes) bytes = g_bytes_new_static ("ours", 4);
  GError *error = NULL;

  there = g_build_filename (dir, "made", NULL);
  to_cancel = g_cancellable_new ();
  g_assert_cmpint (symlink ("made", link), ==, 0);
  watch (make_first);
  g_assert_false (gaio_save_bytes (link, bytes, GAIO_DURABILITY_NONE, to_cancel, &error));
  unwatch (NULL);
  file_test_assert_error (error, G_IO_ERROR_CANCELLED, ECANCELED);
  whole_test_assert_file (there, "theirs");
  whole_test_assert_entries (dir, "link", "made", NULL);
  g_clear_object (&to_cancel);
  g_clear_pointer (&there, g_free);
  file_test_remove_dir (dir);
}

static int
cancel_at_sync (const char *call)
{
  if (g_str_equal (call, "fdatasync") || g_str_equal (call, "create"))
    g_cancellable_cancel (to_cancel);
  return 0;
}

/* Right before the rename; and after an empty file was made for a link. */
static void
test_save_cancel (void)
{
  static const char *const names[] = { "file", "link" };
  char *dir = file_test_make_dir ();
  g_autofree char *file = whole_test_make_text (dir, "file", "old");
  g_autofree char *link = g_build_filename (dir, "link", NULL);
  g_autoptr (GBytes) bytes = g_bytes_new_static ("new", 3);

  g_assert_cmpint (symlink ("made", link), ==, 0);
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *path = g_build_filename (dir, names[i], NULL);
      GError *error = NULL;

      to_cancel = g_cancellable_new ();
      watch (cancel_at_sync);
      g_assert_false (gaio_save_bytes (path, bytes, GAIO_DURABILITY_DATA, to_cancel, &error));
      unwatch (NULL);
      file_test_assert_error (error, G_IO_ERROR_CANCELLED, ECANCELED);
      whole_test_assert_file (file, "old");
      whole_test_assert_entries (dir, "file", "link", NULL);
      g_clear_object (&to_cancel);
    }
  file_test_remove_dir (dir);
}

/* Somebody has the name that would be next, and it leads elsewhere. */
static void
test_name_taken (void)
{
  char *dir = file_test_make_dir ();
  g_autofree char *victim = whole_test_make_text (dir, "victim", "victim");
  g_autofree char *file = g_build_filename (dir, "file", NULL);
  g_autofree char *taken = NULL;
  g_autofree char *other = NULL;
  g_autoptr (GBytes) bytes = g_bytes_new_static ("new", 3);
  guint32 first;
  guint32 second;
  GError *error = NULL;

  g_random_set_seed (1);
  first = g_random_int ();
  second = g_random_int ();
  /* C does not say which of the two is asked for first. */
  taken = g_strdup_printf ("%s/.gaio-%08x%08x", dir, first, second);
  other = g_strdup_printf ("%s/.gaio-%08x%08x", dir, second, first);
  g_assert_cmpint (link (victim, taken), ==, 0);
  g_assert_cmpint (link (victim, other), ==, 0);
  g_random_set_seed (1);
  gaio_save_bytes (file, bytes, GAIO_DURABILITY_NONE, NULL, &error);
  g_assert_no_error (error);
  whole_test_assert_file (file, "new");
  whole_test_assert_file (victim, "victim");
  g_assert_cmpint (unlink (taken), ==, 0);
  g_assert_cmpint (unlink (other), ==, 0);
  whole_test_assert_entries (dir, "victim", "file", NULL);
  file_test_remove_dir (dir);
}

/* The hidden file that a copy is made in. */
static char *
find_hidden (const char *dir)
{
  GDir *entries = g_dir_open (dir, 0, NULL);
  char *path = NULL;
  const char *name;

  while ((name = g_dir_read_name (entries)) != NULL)
    if (g_str_has_prefix (name, ".gaio-"))
      path = g_build_filename (dir, name, NULL);
  g_dir_close (entries);
  return path;
}

static void
on_progress_cancel (goffset done, goffset total, gpointer data)
{
  g_autofree char *hidden = find_hidden (data);

  g_assert_nonnull (hidden);
  g_assert_cmpint (whole_test_mode (hidden), ==, 0600);
  /* So that the next report is told too. */
  g_usleep (20000);
  if (done > 0)
    g_cancellable_cancel (to_cancel);
}

static void
copy_and_cancel (const char *dir, const char *source, const char *copy, GaioCopyFlags flags)
{
  GClosure *progress = g_cclosure_new (G_CALLBACK (on_progress_cancel), (gpointer) dir, NULL);
  GError *error = NULL;

  to_cancel = g_cancellable_new ();
  g_assert_false (gaio_copy (source, copy, flags, progress, to_cancel, &error));
  file_test_assert_error (error, G_IO_ERROR_CANCELLED, ECANCELED);
  g_clear_object (&to_cancel);
}

/* A copy that is cancelled when all is there; and what a resumed one finds in its place. */
static void
test_copy_hidden (void)
{
  char *dir = file_test_make_dir ();
  g_autofree char *source = whole_test_make_text (dir, "source", "text");
  g_autofree char *copy = g_build_filename (dir, "copy", NULL);
  g_autofree char *victim = whole_test_make_text (dir, "victim", "victim, and long");
  g_autofree char *hidden = NULL;
  mode_t mask = umask (0);

  g_assert_cmpint (chmod (source, 0644), ==, 0);
  copy_and_cancel (dir, source, copy, GAIO_COPY_NONE);
  whole_test_assert_entries (dir, "source", "victim", NULL);
  copy_and_cancel (dir, source, copy, GAIO_COPY_RESUMABLE);
  hidden = find_hidden (dir);
  g_assert_nonnull (hidden);

  /* The last of them is another's file. */
  for (int i = 0; i < (getuid () == 0 ? 3 : 2); i++)
    {
      GError *error = NULL;

      g_assert_cmpint (unlink (hidden), ==, 0);
      g_assert_cmpint (truncate (victim, 0), ==, 0);
      g_assert_cmpint (chmod (victim, 0600), ==, 0);
      if (i == 0)
        g_assert_cmpint (symlink ("victim", hidden), ==, 0);
      else
        g_assert_cmpint (link (victim, hidden), ==, 0);
      if (i == 2)
        {
          g_assert_cmpint (unlink (victim), ==, 0);
          g_assert_cmpint (chown (hidden, 65534, 65534), ==, 0);
        }
      g_assert_false (gaio_copy (source, copy, GAIO_COPY_RESUMABLE, NULL, NULL, &error));
      g_assert_cmpint (gaio_error_get_errno (error), ==, i == 0 ? ELOOP : EEXIST);
      g_clear_error (&error);
      whole_test_assert_file (i == 2 ? hidden : victim, "");
    }
  umask (mask);
  file_test_remove_dir (dir);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  gaio_test_add ("/whole-calls/order", test_order);
  gaio_test_add ("/whole-calls/move-changed", test_move_changed);
  gaio_test_add ("/whole-calls/remove-refilled", test_remove_refilled);
  gaio_test_add ("/whole-calls/checksum-grown", test_checksum_grown);
  gaio_test_add ("/whole-calls/save-made", test_save_made);
  gaio_test_add ("/whole-calls/save-cancel", test_save_cancel);
  gaio_test_add ("/whole-calls/name-taken", test_name_taken);
  gaio_test_add ("/whole-calls/copy-hidden", test_copy_hidden);
  return g_test_run ();
}
