/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Saving whole files: what is there afterwards, and what is there when it could not be done. */

#include <grp.h>

#include "whole-test.h"

static gboolean
save_full (gboolean blocking,
           const char *path,
           GBytes *bytes,
           GaioDurability durability,
           GCancellable *cancellable,
           GError **error)
{
  Call call = { 0 };
  gboolean ok;

  if (blocking)
    return gaio_save_bytes (path, bytes, durability, cancellable, error);
  gaio_save_bytes_async (path, bytes, durability, G_PRIORITY_DEFAULT, cancellable, on_call_end,
                         &call);
  call_wait (&call);
  ok = gaio_save_bytes_finish (call.result, error);
  g_object_unref (call.result);
  return ok;
}

static gboolean
save (gboolean blocking, const char *path, const char *text, GError **error)
{
  g_autoptr (GBytes) bytes = g_bytes_new_static (text, strlen (text));

  return save_full (blocking, path, bytes, GAIO_DURABILITY_NONE, NULL, error);
}

static void
assert_saves (const char *path, const char *text)
{
  for (int blocking = 0; blocking < 2; blocking++)
    {
      GError *error = NULL;

      g_assert_true (save (blocking, path, text, &error));
      g_assert_no_error (error);
    }
}

static void
assert_fails (const char *path, int code, int errnum)
{
  for (int blocking = 0; blocking < 2; blocking++)
    {
      GError *error = NULL;

      g_assert_false (save (blocking, path, "new", &error));
      g_assert_true (g_str_has_prefix (error->message, "save “"));
      g_assert_nonnull (strstr (error->message, path));
      file_test_assert_error (error, code, errnum);
    }
}

static void
test_sizes (void)
{
  static const gsize sizes[] = { 0, 1, 4096, 65537, 8388608, 8388609, 20000000, 3 };
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "a", NULL);

  for (guint i = 0; i < 2 * G_N_ELEMENTS (sizes); i++)
    {
      g_autoptr (GBytes) bytes = file_test_pattern_bytes (0, sizes[i / 2]);
      g_autoptr (GError) error = NULL;

      g_assert_true (save_full (i % 2, path, bytes, i % 3, NULL, &error));
      g_assert_no_error (error);
      whole_test_assert_pattern (path, sizes[i / 2]);
      whole_test_assert_entries (dir, "a", NULL);
    }
  file_test_remove_dir (dir);
}

static void
test_many (void)
{
  enum
  {
    N = 300
  };
  char *dir = file_test_make_dir ();
  Call calls[N] = { { 0 } };

  /* Ten to each file. */
  for (int i = 0; i < N; i++)
    {
      g_autofree char *name = g_strdup_printf ("%s/%d", dir, i % 30);
      g_autoptr (GBytes) bytes = file_test_pattern_bytes (0, i % 30 * 100);

      gaio_save_bytes_async (name, bytes, i % 3, G_PRIORITY_DEFAULT, NULL, on_call_end, &calls[i]);
    }
  for (int i = 0; i < N; i++)
    {
      g_autofree char *name = g_strdup_printf ("%s/%d", dir, i % 30);
      g_autoptr (GError) error = NULL;

      while (calls[i].ended == 0)
        g_main_context_iteration (NULL, TRUE);
      g_assert_true (gaio_save_bytes_finish (calls[i].result, &error));
      g_assert_no_error (error);
      g_clear_object (&calls[i].result);
      whole_test_assert_pattern (name, i % 30 * 100);
    }
  file_test_remove_dir (dir);
}

static void
test_permissions (void)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "a", NULL);
  struct stat before;
  struct stat after;
  mode_t mask = umask (027);
  char value[8];

  assert_saves (path, "one");
  g_assert_cmpint (whole_test_mode (path), ==, 0640);
  g_assert_cmpint (chmod (path, 0604), ==, 0);
  assert_saves (path, "two");
  g_assert_cmpint (whole_test_mode (path), ==, 0604);
  umask (mask);

  if (setxattr (path, "user.gaio", "value", 5, 0) == 0)
    {
      assert_saves (path, "three");
      g_assert_cmpint (getxattr (path, "user.gaio", value, sizeof value), ==, 5);
    }
  if (getuid () == 0)
    {
      g_assert_cmpint (chown (path, 65534, 65533), ==, 0);
      g_assert_cmpint (chmod (path, 06755), ==, 0);
    }
  g_assert_cmpint (stat (path, &before), ==, 0);
  assert_saves (path, "four");
  g_assert_cmpint (stat (path, &after), ==, 0);
  g_assert_cmpuint (before.st_uid, ==, after.st_uid);
  g_assert_cmpuint (before.st_gid, ==, after.st_gid);
  g_assert_cmpuint (before.st_mode, ==, after.st_mode);
  file_test_remove_dir (dir);
}

/* One who may not give the file its group gives nobody else what the group had. */
static void
test_foreign_group (void)
{
  char *dir;
  g_autofree char *path = NULL;
  GError *error = NULL;

  if (getuid () != 0)
    {
      g_test_skip ("not root");
      return;
    }
  if (!whole_test_is_child ())
    return;
  dir = file_test_make_dir ();
  path = whole_test_make_text (dir, "a", "old");
  g_assert_cmpint (chown (dir, 65534, 65533), ==, 0);
  g_assert_cmpint (chown (path, 65534, 65532), ==, 0);
  g_assert_cmpint (chmod (path, 0664), ==, 0);
  g_assert_cmpint (setgroups (0, NULL), ==, 0);
  g_assert_cmpint (setresgid (65533, 65533, 0), ==, 0);
  g_assert_cmpint (setresuid (65534, 65534, 0), ==, 0);
  g_assert_true (save (TRUE, path, "new", &error));
  g_assert_no_error (error);
  g_assert_cmpint (whole_test_mode (path), ==, 0644);
  g_assert_cmpint (chmod (path, 0640), ==, 0);
  /* Now it is the caller's group, and all is kept. */
  g_assert_true (save (FALSE, path, "newer", &error));
  g_assert_no_error (error);
  g_assert_cmpint (whole_test_mode (path), ==, 0640);
  g_assert_cmpint (setresuid (0, 0, 0), ==, 0);

  /* Nor are the rights of another owner given to what the caller writes. */
  g_assert_cmpint (chown (path, 65530, 65532), ==, 0);
  g_assert_cmpint (chmod (path, 06777), ==, 0);
  g_assert_cmpint (setresuid (65534, 65534, 0), ==, 0);
  g_assert_true (save (TRUE, path, "newest", &error));
  g_assert_no_error (error);
  g_assert_cmpint (whole_test_mode (path), ==, 0777);
  g_assert_cmpint (setresuid (0, 0, 0), ==, 0);
  file_test_remove_dir (dir);
}

/* The directory gives an ACL to each new file; the old one had none, and so has none then. */
static void
test_default_acl (void)
{
  static const struct
  {
    guint32 version;
    struct
    {
      guint16 tag;
      guint16 permissions;
      guint32 id;
    } entries[5];
  } acl = {
    2,
    {
        { 0x01, 7, G_MAXUINT32 }, /* the owner */
        { 0x02, 7, 65534 },       /* a user */
        { 0x04, 7, G_MAXUINT32 }, /* the group */
        { 0x10, 7, G_MAXUINT32 }, /* the mask */
        { 0x20, 0, G_MAXUINT32 }, /* others */
    },
  };
  char *dir = file_test_make_dir ();
  g_autofree char *path = whole_test_make_text (dir, "a", "old");

  g_assert_cmpint (chmod (path, 0640), ==, 0);
  if (setxattr (dir, "system.posix_acl_default", &acl, sizeof acl, 0) != 0)
    g_test_skip ("no ACLs here");
  else
    {
      assert_saves (path, "new");
      g_assert_cmpint (getxattr (path, "system.posix_acl_access", NULL, 0), ==, -1);
      g_assert_cmpint (errno, ==, ENODATA);
      g_assert_cmpint (whole_test_mode (path), ==, 0640);

      /* One that the file has is kept. */
      g_assert_cmpint (setxattr (path, "system.posix_acl_access", &acl, sizeof acl, 0), ==, 0);
      assert_saves (path, "newer");
      g_assert_cmpint (getxattr (path, "system.posix_acl_access", NULL, 0), ==, sizeof acl);
      g_assert_cmpint (whole_test_mode (path), ==, 0770);
    }
  file_test_remove_dir (dir);
}

static void
test_links (void)
{
  char *dir = file_test_make_dir ();
  g_autofree char *file = whole_test_make_text (dir, "file", "old");
  g_autofree char *first = g_build_filename (dir, "link", NULL);
  g_autofree char *second = g_build_filename (dir, "second", NULL);
  g_autofree char *hard = g_build_filename (dir, "hard", NULL);
  g_autofree char *dangling = g_build_filename (dir, "dangling", NULL);
  g_autofree char *made = g_build_filename (dir, "made", NULL);
  g_autofree char *loop = g_build_filename (dir, "loop", NULL);
  g_autofree char *nowhere = g_build_filename (dir, "nowhere", NULL);

  g_assert_cmpint (symlink ("file", first), ==, 0);
  g_assert_cmpint (symlink (first, second), ==, 0);
  g_assert_cmpint (link (file, hard), ==, 0);
  g_assert_cmpint (symlink ("made", dangling), ==, 0);
  g_assert_cmpint (symlink ("loop", loop), ==, 0);
  g_assert_cmpint (symlink ("missing/file", nowhere), ==, 0);

  assert_saves (second, "new");
  whole_test_assert_file (file, "new");
  whole_test_assert_file (hard, "old");
  g_assert_true (g_file_test (first, G_FILE_TEST_IS_SYMLINK));
  g_assert_true (g_file_test (second, G_FILE_TEST_IS_SYMLINK));

  assert_saves (dangling, "made");
  whole_test_assert_file (made, "made");
  g_assert_true (g_file_test (dangling, G_FILE_TEST_IS_SYMLINK));
  assert_fails (loop, G_IO_ERROR_TOO_MANY_LINKS, ELOOP);
  assert_fails (nowhere, G_IO_ERROR_NOT_FOUND, ENOENT);
  whole_test_assert_entries (dir, "file", "link", "second", "hard", "dangling", "made", "loop",
                             "nowhere", NULL);
  file_test_remove_dir (dir);
}

static void
test_errors (void)
{
  char *dir = file_test_make_dir ();
  g_autofree char *file = whole_test_make_text (dir, "file", "old");
  g_autofree char *below = g_build_filename (file, "a", NULL);
  g_autofree char *missing = g_build_filename (dir, "missing", "a", NULL);
  g_autofree char *slash = g_strconcat (dir, "/", NULL);
  g_autofree char *name = g_strnfill (256, 'x');
  g_autofree char *too_long = g_build_filename (dir, name, NULL);
  g_autofree char *longest = g_strndup (too_long, strlen (too_long) - 1);

  assert_fails (dir, G_IO_ERROR_IS_DIRECTORY, EISDIR);
  assert_fails (slash, G_IO_ERROR_IS_DIRECTORY, EISDIR);
  assert_fails ("", G_IO_ERROR_NOT_FOUND, ENOENT);
  assert_fails (missing, G_IO_ERROR_NOT_FOUND, ENOENT);
  assert_fails (below, G_IO_ERROR_NOT_DIRECTORY, ENOTDIR);
  assert_fails (too_long, G_IO_ERROR_FILENAME_TOO_LONG, ENAMETOOLONG);
  assert_saves (longest, "fits");
  whole_test_assert_file (file, "old");
  whole_test_assert_entries (dir, "file", name + 1, NULL);
  file_test_remove_dir (dir);
}

static void
test_forbidden (void)
{
  char *dir;
  g_autofree char *file = NULL;
  g_autofree char *new = NULL;
  g_autofree char *read_only = NULL;

  if (!whole_test_is_child ())
    return;
  file_test_become_nobody ();
  dir = file_test_make_dir ();
  file = whole_test_make_text (dir, "file", "old");
  new = g_build_filename (dir, "new", NULL);
  read_only = whole_test_make_text (dir, "read-only", "old");
  g_assert_cmpint (chmod (read_only, 0444), ==, 0);
  assert_fails (read_only, G_IO_ERROR_PERMISSION_DENIED, EACCES);
  whole_test_assert_file (read_only, "old");
  g_assert_cmpint (chmod (dir, 0500), ==, 0);
  assert_fails (file, G_IO_ERROR_PERMISSION_DENIED, EACCES);
  assert_fails (new, G_IO_ERROR_PERMISSION_DENIED, EACCES);
  g_assert_cmpint (chmod (dir, 0700), ==, 0);
  whole_test_assert_file (file, "old");
  whole_test_assert_entries (dir, "file", "read-only", NULL);
  file_test_remove_dir (dir);
}

static gpointer
read_all (gpointer data)
{
  GError *error = NULL;
  GBytes *bytes = gaio_load_bytes (data, NULL, &error);

  g_assert_no_error (error);
  return bytes;
}

static void
test_special (void)
{
  char *dir = file_test_make_dir ();
  g_autofree char *fifo = g_build_filename (dir, "fifo", NULL);
  struct stat stat;

  assert_fails ("/dev/full", G_IO_ERROR_NO_SPACE, ENOSPC);
  assert_saves ("/dev/null", "nothing");
  g_assert_cmpint (lstat ("/dev/null", &stat), ==, 0);
  g_assert_true (S_ISCHR (stat.st_mode));

  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  for (int i = 0; i < 4; i++)
    {
      g_autoptr (GCancellable) cancellable = i < 2 ? g_cancellable_new () : NULL;
      GThread *reader = g_thread_new ("read", read_all, fifo);
      g_autoptr (GBytes) bytes = file_test_pattern_bytes (0, 1000000);
      g_autoptr (GBytes) got = NULL;
      g_autoptr (GError) error = NULL;

      g_assert_true (save_full (i % 2, fifo, bytes, i % 3, cancellable, &error));
      g_assert_no_error (error);
      got = g_thread_join (reader);
      file_test_assert_bytes (got, 0, 1000000);
    }
  g_assert_cmpint (lstat (fifo, &stat), ==, 0);
  g_assert_true (S_ISFIFO (stat.st_mode));
  file_test_remove_dir (dir);
}

static gpointer
open_and_go (gpointer path)
{
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  char byte;

  g_assert_cmpint (read (fd, &byte, 1), ==, 1);
  close (fd);
  return NULL;
}

/* A reader that goes ends the saving, not the process. */
static void
test_reader_gone (void)
{
  char *dir;
  g_autofree char *fifo = NULL;

  if (!whole_test_is_child ())
    return;
  dir = file_test_make_dir ();
  fifo = g_build_filename (dir, "fifo", NULL);
  signal (SIGPIPE, SIG_DFL);
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  for (int i = 0; i < 4; i++)
    {
      g_autoptr (GCancellable) cancellable = i < 2 ? g_cancellable_new () : NULL;
      GThread *reader = g_thread_new ("read", open_and_go, fifo);
      g_autoptr (GBytes) bytes = file_test_pattern_bytes (0, 1000000);
      GError *error = NULL;
      sigset_t pending;

      g_assert_false (save_full (i % 2, fifo, bytes, 0, cancellable, &error));
      file_test_assert_error (error, G_IO_ERROR_BROKEN_PIPE, EPIPE);
      g_thread_join (reader);
      g_assert_cmpint (sigpending (&pending), ==, 0);
      g_assert_cmpint (sigismember (&pending, SIGPIPE), ==, 0);
    }
  file_test_remove_dir (dir);
}

static gpointer
cancel_soon (gpointer data)
{
  g_usleep (5000);
  g_cancellable_cancel (data);
  return NULL;
}

static void
test_cancel (void)
{
  char *dir = file_test_make_dir ();
  g_autofree char *file = whole_test_make_text (dir, "file", "old");
  g_autofree char *fifo = g_build_filename (dir, "fifo", NULL);
  g_autoptr (GBytes) large = file_test_pattern_bytes (0, 40000000);

  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  for (int i = 0; i < 4; i++)
    {
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      GError *error = NULL;
      GThread *thread;
      int fd = -1;

      /* Before. */
      g_cancellable_cancel (cancellable);
      g_assert_false (save_full (i % 2, file, large, 0, cancellable, &error));
      file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_CANCELLED, ECANCELED);
      whole_test_assert_file (file, "old");

      /* While it waits for a reader, and for one who does not read. */
      g_cancellable_reset (cancellable);
      if (i < 2)
        fd = open (fifo, O_RDWR | O_CLOEXEC);
      thread = g_thread_new ("cancel", cancel_soon, cancellable);
      g_assert_false (save_full (i % 2, fifo, large, 0, cancellable, &error));
      file_test_assert_error (error, G_IO_ERROR_CANCELLED, ECANCELED);
      g_thread_join (thread);
      if (fd >= 0)
        close (fd);
    }
  /* In the midst: cancelled, and all as before, or too late and whole. */
  for (int i = 0; i < 20; i++)
    {
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      GThread *thread = g_thread_new ("cancel", cancel_soon, cancellable);
      GError *error = NULL;

      if (save_full (i % 2, file, large, 0, cancellable, &error))
        {
          whole_test_assert_pattern (file, 40000000);
          g_assert_true (g_file_set_contents (file, "old", 3, NULL));
        }
      else
        {
          file_test_assert_error (error, G_IO_ERROR_CANCELLED, ECANCELED);
          whole_test_assert_file (file, "old");
        }
      g_thread_join (thread);
      whole_test_assert_entries (dir, "fifo", "file", NULL);
    }
  file_test_remove_dir (dir);
}

static void
test_size_limit (void)
{
  char *dir;
  g_autofree char *file = NULL;
  g_autoptr (GBytes) bytes = NULL;

  if (!whole_test_is_child ())
    return;
  dir = file_test_make_dir ();
  file = whole_test_make_text (dir, "file", "old");
  bytes = file_test_pattern_bytes (0, 20000);
  signal (SIGXFSZ, SIG_DFL);
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &(struct rlimit){ 8192, 8192 }), ==, 0);
  for (int blocking = 0; blocking < 2; blocking++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_false (save_full (blocking, file, bytes, 0, NULL, &error));
      g_assert_cmpint (gaio_error_get_errno (error), ==, EFBIG);
      whole_test_assert_file (file, "old");
      whole_test_assert_entries (dir, "file", NULL);
    }
  file_test_remove_dir (dir);
}

static void
test_no_space (void)
{
  char *dir;
  g_autofree char *file = NULL;
  g_autoptr (GBytes) bytes = NULL;

  if (!whole_test_is_child ())
    return;
  dir = file_test_make_dir ();
  if (whole_test_mount_tmpfs (dir, "1m"))
    {
      file = whole_test_make_text (dir, "file", "old");
      bytes = file_test_pattern_bytes (0, 2000000);
      for (int blocking = 0; blocking < 2; blocking++)
        {
          GError *error = NULL;

          g_assert_false (save_full (blocking, file, bytes, 0, NULL, &error));
          file_test_assert_error (error, G_IO_ERROR_NO_SPACE, ENOSPC);
          whole_test_assert_file (file, "old");
          whole_test_assert_entries (dir, "file", NULL);
        }
      g_assert_cmpint (umount (dir), ==, 0);
    }
  file_test_remove_dir (dir);
}

/* Each system call on the way fails, by what a sandbox does; all is as before. */
static void
check_broken (int number, int errnum, GaioDurability durability, int expected)
{
  for (int blocking = 0; blocking < 2; blocking++)
    {
      pid_t pid;
      int status;

      /* A process for each, since a filter stays. */
      pid = fork ();
      if (pid == 0)
        {
          char *dir = file_test_make_dir ();
          g_autofree char *file = whole_test_make_text (dir, "file", "old");
          g_autoptr (GBytes) bytes = g_bytes_new_static ("new", 3);
          GError *error = NULL;

          if (!file_test_break_syscall (number, -1, errnum))
            _exit (77);
          /* A child has no workers, so both run here. */
          g_assert_true (save_full (blocking, file, bytes, durability, NULL, &error) ==
                         (expected == 0));
          if (expected != 0)
            g_assert_cmpint (gaio_error_get_errno (error), ==, expected);
          whole_test_assert_file (file, expected != 0 ? "old" : "new");
          whole_test_assert_entries (dir, "file", NULL);
          g_clear_error (&error);
          file_test_remove_dir (dir);
          _exit (0);
        }
      g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
      if (WIFEXITED (status) && WEXITSTATUS (status) == 77)
        {
          g_test_skip ("no seccomp");
          return;
        }
      g_assert_cmpint (status, ==, 0);
    }
}

static void
test_broken (void)
{
  check_broken (SYS_fsync, EIO, GAIO_DURABILITY_FULL, EIO);
  check_broken (SYS_fsync, EIO, GAIO_DURABILITY_DATA, 0);
  check_broken (SYS_fdatasync, EIO, GAIO_DURABILITY_DATA, EIO);
  check_broken (SYS_fdatasync, EIO, GAIO_DURABILITY_NONE, 0);
  check_broken (SYS_pwrite64, 0, GAIO_DURABILITY_NONE, EIO);
  check_broken (SYS_pwrite64, EDQUOT, GAIO_DURABILITY_NONE, EDQUOT);
  check_broken (SYS_renameat, EIO, GAIO_DURABILITY_NONE, EIO);
  check_broken (SYS_fchmod, EIO, GAIO_DURABILITY_NONE, EIO);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  gaio_test_add ("/save/sizes", test_sizes);
  gaio_test_add ("/save/many", test_many);
  gaio_test_add ("/save/permissions", test_permissions);
  gaio_test_add ("/save/foreign-group", test_foreign_group);
  gaio_test_add ("/save/default-acl", test_default_acl);
  gaio_test_add ("/save/links", test_links);
  gaio_test_add ("/save/errors", test_errors);
  gaio_test_add ("/save/forbidden", test_forbidden);
  gaio_test_add ("/save/special", test_special);
  gaio_test_add ("/save/reader-gone", test_reader_gone);
  gaio_test_add ("/save/cancel", test_cancel);
  gaio_test_add ("/save/size-limit", test_size_limit);
  gaio_test_add ("/save/no-space", test_no_space);
  gaio_test_add ("/save/broken", test_broken);
  return g_test_run ();
}
