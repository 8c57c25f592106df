/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Copying files, within a file system and from one to another: the same bytes, the same holes, and
 * nothing left of a copy that did not come to its end. */

#include <sys/file.h>

#include "whole-test.h"

#define LARGE_BYTES ((gsize) 40 * 1000 * 1000)

typedef struct
{
  GCancellable *cancellable;
  goffset cancel_at;
  int n_calls;
  goffset done;
  goffset total;
} Progress;

static void
on_progress (goffset done, goffset total, gpointer data)
{
  Progress *self = data;

  g_assert_cmpint (done, >=, self->done);
  g_assert_cmpint (done, <=, total);
  self->done = done;
  self->total = total;
  self->n_calls++;
  if (self->cancellable == NULL)
    return;
  /* So that the blocking twin tells of each piece, however fast it is. */
  g_usleep (20000);
  if (done >= self->cancel_at)
    g_cancellable_cancel (self->cancellable);
}

static gboolean
copy_full (gboolean blocking,
           const char *source,
           const char *destination,
           GaioCopyFlags flags,
           GCancellable *cancellable,
           Progress *progress,
           GError **error)
{
  GClosure *closure =
      progress != NULL ? g_cclosure_new (G_CALLBACK (on_progress), progress, NULL) : NULL;
  Call call = { 0 };
  gboolean ok;

  if (blocking)
    return gaio_copy (source, destination, flags, closure, cancellable, error);
  gaio_copy_async (source, destination, flags, closure, G_PRIORITY_DEFAULT, cancellable,
                   on_call_end, &call);
  call_wait (&call);
  ok = gaio_copy_finish (call.result, error);
  g_object_unref (call.result);
  return ok;
}

static void
assert_copies (gboolean blocking, const char *source, const char *destination, GaioCopyFlags flags)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (copy_full (blocking, source, destination, flags, NULL, NULL, &error));
  g_assert_no_error (error);
}

static void
assert_fails (
    const char *source, const char *destination, GaioCopyFlags flags, int code, int errnum)
{
  for (int blocking = 0; blocking < 2; blocking++)
    {
      GError *error = NULL;

      g_assert_false (copy_full (blocking, source, destination, flags, NULL, NULL, &error));
      g_assert_true (g_str_has_prefix (error->message, "copy “"));
      file_test_assert_error (error, code, errnum);
    }
}

/* A directory on another file system than the one for temporary files; NULL when there is none. */
static char *
make_dir_in_memory (void)
{
  char *dir = g_strdup ("/dev/shm/gaio-test-XXXXXX");
  struct stat here;
  struct stat there;

  if (g_mkdtemp (dir) != NULL && stat (dir, &there) == 0 && stat (g_get_tmp_dir (), &here) == 0 &&
      here.st_dev != there.st_dev)
    return dir;
  rmdir (dir);
  g_free (dir);
  g_test_message ("skipped: no second file system");
  return NULL;
}

static void
check_sizes (const char *from, const char *to)
{
  static const gsize sizes[] = { 0, 1, 4095, 4096, 262145, 16777216, 16777217, LARGE_BYTES };

  for (guint i = 0; i < 2 * G_N_ELEMENTS (sizes); i++)
    {
      gsize size = sizes[i / 2];
      g_autofree char *source = file_test_make_file (from, "source", size);
      g_autofree char *copy = g_build_filename (to, "copy", NULL);
      g_autoptr (GError) error = NULL;
      Progress progress = { 0 };

      g_assert_true (copy_full (i % 2, source, copy,
                                i % 3 == 0 ? GAIO_COPY_DURABLE : GAIO_COPY_NONE, NULL, &progress,
                                &error));
      g_assert_no_error (error);
      whole_test_assert_pattern (copy, size);
      g_assert_cmpint (progress.n_calls, >, 0);
      g_assert_cmpint (progress.done, ==, size);
      g_assert_cmpint (progress.total, ==, size);
      g_assert_cmpint (unlink (copy), ==, 0);
      g_assert_cmpint (unlink (source), ==, 0);
      whole_test_assert_entries (to, NULL);
    }
}

static void
test_sizes (void)
{
  char *dir = file_test_make_dir ();
  char *other = file_test_make_dir ();
  char *memory = make_dir_in_memory ();

  check_sizes (dir, other);
  if (memory != NULL)
    {
      check_sizes (dir, memory);
      check_sizes (memory, dir);
      file_test_remove_dir (memory);
    }
  file_test_remove_dir (dir);
  file_test_remove_dir (other);
}

static void
check_sparse (const char *from, const char *to)
{
  static const goffset data_at[] = { 0, 1 << 20, (goffset) 50 << 30, ((goffset) 100 << 30) - 5000 };
  g_autofree char *source = g_build_filename (from, "source", NULL);

  /* With a hole at the end, and without. */
  for (int i = 0; i < 4; i++)
    {
      g_autofree char *copy = g_build_filename (to, "copy", NULL);
      g_autofree guint8 *pattern = file_test_pattern (0, 5000);
      g_autofree char *read_back = g_malloc (5000);
      int fd = open (source, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
      struct stat before;
      struct stat after;
      int n = i < 2 ? 3 : 4;

      for (int k = 0; k < n; k++)
        g_assert_cmpint (pwrite (fd, pattern, 5000, data_at[k]), ==, 5000);
      if (ftruncate (fd, (goffset) 100 << 30) != 0)
        {
          g_test_skip ("no file of 100 GiB");
          close (fd);
          return;
        }
      g_assert_cmpint (fstat (fd, &before), ==, 0);
      close (fd);
      assert_copies (i % 2, source, copy, GAIO_COPY_NONE);
      fd = open (copy, O_RDONLY | O_CLOEXEC);
      g_assert_cmpint (fstat (fd, &after), ==, 0);
      g_assert_cmpint (after.st_size, ==, before.st_size);
      g_assert_cmpint (after.st_blocks, <=, before.st_blocks);
      for (int k = 0; k < n; k++)
        {
          g_assert_cmpint (pread (fd, read_back, 5000, data_at[k]), ==, 5000);
          g_assert_cmpmem (read_back, 5000, pattern, 5000);
        }
      g_assert_cmpint (pread (fd, read_back, 1, 1 << 19), ==, 1);
      g_assert_cmpint (read_back[0], ==, 0);
      close (fd);
      g_assert_cmpint (unlink (copy), ==, 0);
    }
  g_assert_cmpint (unlink (source), ==, 0);
}

static void
test_sparse (void)
{
  char *dir = file_test_make_dir ();
  char *memory = make_dir_in_memory ();

  check_sparse (dir, dir);
  if (memory != NULL)
    {
      check_sparse (dir, memory);
      check_sparse (memory, dir);
      file_test_remove_dir (memory);
    }
  file_test_remove_dir (dir);
}

/* Files that lie about their size. */
static void
test_proc (void)
{
  static const char *const sources[] = { "/proc/version", "/proc/self/maps", "/sys/kernel/notes" };
  char *dir = file_test_make_dir ();
  g_autofree char *copy = g_build_filename (dir, "copy", NULL);

  for (guint i = 0; i < 2 * G_N_ELEMENTS (sources); i++)
    {
      gsize length;
      g_autofree char *contents = NULL;

      if (access (sources[i / 2], R_OK) != 0)
        continue;
      assert_copies (i % 2, sources[i / 2], copy, GAIO_COPY_OVERWRITE);
      contents = whole_test_read (copy, &length);
      g_assert_cmpuint (length, >, 20);
    }
  whole_test_assert_entries (dir, "copy", NULL);
  file_test_remove_dir (dir);
}

static void
test_metadata (void)
{
  char *dir = file_test_make_dir ();
  g_autofree char *source = whole_test_make_text (dir, "source", "text");
  g_autofree char *copy = g_build_filename (dir, "copy", NULL);
  struct timespec times[2] = { { .tv_sec = 1000, .tv_nsec = 7 }, { .tv_sec = 2000, .tv_nsec = 9 } };
  gboolean has_xattrs = setxattr (source, "user.gaio", "value", 5, 0) == 0;
  char value[8];
  struct stat before;
  struct stat after;

  if (getuid () == 0)
    g_assert_cmpint (chown (source, 65534, 65533), ==, 0);
  g_assert_cmpint (chmod (source, 06741), ==, 0);
  g_assert_cmpint (utimensat (AT_FDCWD, source, times, 0), ==, 0);
  g_assert_cmpint (stat (source, &before), ==, 0);
  for (int blocking = 0; blocking < 2; blocking++)
    {
      assert_copies (blocking, source, copy, GAIO_COPY_OVERWRITE);
      g_assert_cmpint (whole_test_mode (copy), ==, 0741);
      g_assert_cmpint (stat (copy, &after), ==, 0);
      g_assert_cmpint (after.st_uid, ==, getuid ());
      g_assert_cmpint (after.st_mtim.tv_sec, !=, 2000);
      if (has_xattrs)
        g_assert_cmpint (getxattr (copy, "user.gaio", value, sizeof value), <, 0);

      assert_copies (blocking, source, copy, GAIO_COPY_OVERWRITE | GAIO_COPY_ALL_METADATA);
      g_assert_cmpint (stat (copy, &after), ==, 0);
      g_assert_cmpint (after.st_mode, ==, before.st_mode);
      g_assert_cmpint (after.st_uid, ==, before.st_uid);
      g_assert_cmpint (after.st_gid, ==, before.st_gid);
      g_assert_cmpint (after.st_mtim.tv_sec, ==, 2000);
      g_assert_cmpint (after.st_mtim.tv_nsec, ==, 9);
      if (has_xattrs)
        g_assert_cmpint (getxattr (copy, "user.gaio", value, sizeof value), ==, 5);
    }
  file_test_remove_dir (dir);
}

static void
test_links (void)
{
  char *dir = file_test_make_dir ();
  g_autofree char *file = whole_test_make_text (dir, "file", "text");
  g_autofree char *target = whole_test_make_text (dir, "target", "untouched");
  g_autofree char *to_file = g_build_filename (dir, "to-file", NULL);
  g_autofree char *to_target = g_build_filename (dir, "to-target", NULL);
  g_autofree char *copy = g_build_filename (dir, "copy", NULL);
  g_autofree char *hard = g_build_filename (dir, "hard", NULL);

  g_assert_cmpint (symlink ("file", to_file), ==, 0);
  g_assert_cmpint (link (file, hard), ==, 0);
  for (int blocking = 0; blocking < 2; blocking++)
    {
      g_autofree char *contents = NULL;

      unlink (to_target);
      g_assert_cmpint (symlink ("target", to_target), ==, 0);
      assert_copies (blocking, to_file, copy, GAIO_COPY_OVERWRITE);
      g_assert_false (g_file_test (copy, G_FILE_TEST_IS_SYMLINK));
      whole_test_assert_file (copy, "text");
      assert_copies (blocking, to_file, copy,
                     GAIO_COPY_OVERWRITE | GAIO_COPY_NOFOLLOW_SYMLINKS | GAIO_COPY_ALL_METADATA);
      contents = g_file_read_link (copy, NULL);
      g_assert_cmpstr (contents, ==, "file");
      /* Over a link: that goes, not what it leads to. */
      assert_copies (blocking, file, to_target, GAIO_COPY_OVERWRITE);
      g_assert_false (g_file_test (to_target, G_FILE_TEST_IS_SYMLINK));
      whole_test_assert_file (target, "untouched");
    }
  assert_fails (file, file, GAIO_COPY_NONE, G_IO_ERROR_EXISTS, EEXIST);
  assert_fails (file, file, GAIO_COPY_OVERWRITE, G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  assert_fails (to_file, file, GAIO_COPY_OVERWRITE, G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  assert_fails (file, hard, GAIO_COPY_OVERWRITE, G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  whole_test_assert_file (file, "text");
  whole_test_assert_entries (dir, "file", "target", "to-file", "to-target", "copy", "hard", NULL);
  file_test_remove_dir (dir);
}

static void
test_errors (void)
{
  char *dir = file_test_make_dir ();
  g_autofree char *file = whole_test_make_text (dir, "file", "text");
  g_autofree char *other = whole_test_make_text (dir, "other", "other");
  g_autofree char *fifo = g_build_filename (dir, "fifo", NULL);
  g_autofree char *sub = g_build_filename (dir, "sub", NULL);
  g_autofree char *missing = g_build_filename (dir, "missing", NULL);
  g_autofree char *below = g_build_filename (dir, "missing", "a", NULL);

  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  g_assert_cmpint (mkdir (sub, 0700), ==, 0);
  assert_fails (missing, other, GAIO_COPY_OVERWRITE, G_IO_ERROR_NOT_FOUND, ENOENT);
  assert_fails (file, other, GAIO_COPY_NONE, G_IO_ERROR_EXISTS, EEXIST);
  assert_fails (file, below, GAIO_COPY_NONE, G_IO_ERROR_NOT_FOUND, ENOENT);
  assert_fails (sub, missing, GAIO_COPY_NONE, G_IO_ERROR_WOULD_RECURSE, EISDIR);
  assert_fails (file, sub, GAIO_COPY_NONE, G_IO_ERROR_EXISTS, EEXIST);
  assert_fails (file, sub, GAIO_COPY_OVERWRITE, G_IO_ERROR_IS_DIRECTORY, EISDIR);
  assert_fails (fifo, missing, GAIO_COPY_NONE, G_IO_ERROR_NOT_SUPPORTED, EOPNOTSUPP);
  assert_fails ("/dev/zero", missing, GAIO_COPY_NONE, G_IO_ERROR_NOT_SUPPORTED, EOPNOTSUPP);
  assert_fails (file, fifo, GAIO_COPY_OVERWRITE, G_IO_ERROR_NOT_REGULAR_FILE, EOPNOTSUPP);
  whole_test_assert_file (other, "other");
  whole_test_assert_entries (dir, "file", "other", "fifo", "sub", NULL);
  file_test_remove_dir (dir);
}

static void
test_cancel (void)
{
  char *dir = file_test_make_dir ();
  char *memory = make_dir_in_memory ();
  const char *to = memory != NULL ? memory : dir;
  g_autofree char *source = file_test_make_file (dir, "source", LARGE_BYTES);
  g_autofree char *copy = g_build_filename (to, "copy", NULL);

  for (int i = 0; i < 8; i++)
    {
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      Progress progress = { .cancellable = cancellable, .cancel_at = i / 2 * 10000000 };
      GError *error = NULL;

      if (copy_full (i % 2, source, copy, GAIO_COPY_NONE, cancellable, &progress, &error))
        {
          /* The progress came too late for the worker. */
          g_assert_cmpint (i % 2, ==, 0);
          whole_test_assert_pattern (copy, LARGE_BYTES);
          g_assert_cmpint (unlink (copy), ==, 0);
        }
      else
        file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_CANCELLED, ECANCELED);
      if (memory != NULL)
        whole_test_assert_entries (to, NULL);
      else
        whole_test_assert_entries (to, "source", NULL);

      g_assert_true (g_cancellable_is_cancelled (cancellable));
      g_assert_false (copy_full (i % 2, source, copy, 0, cancellable, NULL, &error));
      file_test_assert_error (error, G_IO_ERROR_CANCELLED, ECANCELED);
    }
  if (memory != NULL)
    file_test_remove_dir (memory);
  file_test_remove_dir (dir);
}

static char *
find_partial (const char *dir)
{
  g_autoptr (GDir) entries = g_dir_open (dir, 0, NULL);
  const char *name;

  while ((name = g_dir_read_name (entries)) != NULL)
    if (g_str_has_prefix (name, ".gaio-copy-"))
      return g_build_filename (dir, name, NULL);
  return NULL;
}

static void
test_resume (void)
{
  char *dir = file_test_make_dir ();
  char *memory = make_dir_in_memory ();
  const char *to = memory != NULL ? memory : dir;
  g_autofree char *source = file_test_make_file (dir, "source", LARGE_BYTES);
  g_autofree char *copy = g_build_filename (to, "copy", NULL);

  for (int changed = 0; changed < 2; changed++)
    {
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      Progress progress = { .cancellable = cancellable, .cancel_at = 1 };
      g_autofree char *partial = NULL;
      GError *error = NULL;
      struct stat stat;
      int fd;

      g_assert_false (
          copy_full (TRUE, source, copy, GAIO_COPY_RESUMABLE, cancellable, &progress, &error));
      file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_CANCELLED, ECANCELED);
      g_assert_cmpint (access (copy, F_OK), !=, 0);
      partial = find_partial (to);
      g_assert_nonnull (partial);
      g_assert_cmpint (lstat (partial, &stat), ==, 0);
      g_assert_cmpint (stat.st_size, >, 0);
      g_assert_cmpint (stat.st_size, <, LARGE_BYTES);
      g_assert_cmpint (stat.st_mode & 0777, ==, 0600);

      /* It goes on there: what is done is not done again. */
      fd = open (partial, O_WRONLY | O_CLOEXEC);
      g_assert_cmpint (pwrite (fd, "mark", 4, 0), ==, 4);
      close (fd);
      if (changed)
        {
          fd = open (source, O_WRONLY | O_CLOEXEC);
          g_assert_cmpint (futimens (fd, NULL), ==, 0);
          close (fd);
        }
      assert_copies (changed, source, copy, GAIO_COPY_RESUMABLE);
      fd = open (copy, O_RDWR | O_CLOEXEC);
      if (!changed)
        {
          char mark[4];
          g_autofree guint8 *pattern = file_test_pattern (0, 4);

          g_assert_cmpint (pread (fd, mark, 4, 0), ==, 4);
          g_assert_cmpmem (mark, 4, "mark", 4);
          g_assert_cmpint (pwrite (fd, pattern, 4, 0), ==, 4);
          g_assert_cmpint (access (partial, F_OK), !=, 0);
        }
      close (fd);
      whole_test_assert_pattern (copy, LARGE_BYTES);
      g_assert_cmpint (unlink (copy), ==, 0);
      if (changed)
        g_assert_cmpint (unlink (partial), ==, 0);
    }

  /* Not one that others could write, and not while somebody else is at it. */
  {
    g_autoptr (GCancellable) cancellable = g_cancellable_new ();
    Progress progress = { .cancellable = cancellable, .cancel_at = 1 };
    g_autofree char *partial = NULL;
    GError *error = NULL;
    int fd;

    g_assert_false (
        copy_full (TRUE, source, copy, GAIO_COPY_RESUMABLE, cancellable, &progress, &error));
    g_clear_error (&error);
    partial = find_partial (to);
    g_assert_cmpint (chmod (partial, 0622), ==, 0);
    assert_fails (source, copy, GAIO_COPY_RESUMABLE, G_IO_ERROR_EXISTS, EEXIST);
    g_assert_cmpint (chmod (partial, 0600), ==, 0);
    fd = open (partial, O_RDONLY | O_CLOEXEC);
    g_assert_cmpint (flock (fd, LOCK_EX), ==, 0);
    assert_fails (source, copy, GAIO_COPY_RESUMABLE, G_IO_ERROR_BUSY, EBUSY);
    close (fd);
    g_assert_cmpint (unlink (partial), ==, 0);
  }
  if (memory != NULL)
    {
      whole_test_assert_entries (memory, NULL);
      file_test_remove_dir (memory);
    }
  file_test_remove_dir (dir);
}

static void
test_no_space (void)
{
  char *dir;
  char *small;

  if (!whole_test_is_child ())
    return;
  dir = file_test_make_dir ();
  small = file_test_make_dir ();
  if (whole_test_mount_tmpfs (small, "1m"))
    {
      g_autofree char *source = file_test_make_file (dir, "source", 3000000);
      g_autofree char *copy = g_build_filename (small, "copy", NULL);

      assert_fails (source, copy, GAIO_COPY_NONE, G_IO_ERROR_NO_SPACE, ENOSPC);
      whole_test_assert_entries (small, NULL);
      g_assert_cmpint (umount (small), ==, 0);
    }
  file_test_remove_dir (small);
  file_test_remove_dir (dir);
}

static void
test_size_limit (void)
{
  char *dir;
  g_autofree char *source = NULL;
  g_autofree char *copy = NULL;

  if (!whole_test_is_child ())
    return;
  dir = file_test_make_dir ();
  source = file_test_make_file (dir, "source", 20000);
  copy = g_build_filename (dir, "copy", NULL);
  signal (SIGXFSZ, SIG_DFL);
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &(struct rlimit){ 8192, 8192 }), ==, 0);
  for (int blocking = 0; blocking < 2; blocking++)
    {
      g_autoptr (GError) error = NULL;

      g_assert_false (copy_full (blocking, source, copy, 0, NULL, NULL, &error));
      g_assert_cmpint (gaio_error_get_errno (error), ==, EFBIG);
      whole_test_assert_entries (dir, "source", NULL);
    }
  file_test_remove_dir (dir);
}

/* Each level fails and the next one does it; then each last step, and nothing is left. */
static void
check_broken (int number, int errnum, GaioCopyFlags flags, int expected)
{
  pid_t pid = fork ();
  int status;

  if (pid == 0)
    {
      char *dir = file_test_make_dir ();
      g_autofree char *source = file_test_make_file (dir, "source", 1000000);
      g_autofree char *copy = g_build_filename (dir, "copy", NULL);
      GError *error = NULL;

      if (!file_test_break_syscall (number, -1, errnum))
        _exit (77);
      g_assert_true (copy_full (TRUE, source, copy, flags, NULL, NULL, &error) == (expected == 0));
      if (expected == 0)
        whole_test_assert_pattern (copy, 1000000);
      else
        {
          g_assert_cmpint (gaio_error_get_errno (error), ==, expected);
          whole_test_assert_entries (dir, "source", NULL);
        }
      g_clear_error (&error);
      file_test_remove_dir (dir);
      _exit (0);
    }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  if (WIFEXITED (status) && WEXITSTATUS (status) == 77)
    g_test_skip ("no seccomp");
  else
    g_assert_cmpint (status, ==, 0);
}

static void
test_broken (void)
{
  static const int refusals[] = { EXDEV, EINVAL, EOPNOTSUPP, ENOSYS, EPERM, 0 };

  for (guint i = 0; i < G_N_ELEMENTS (refusals); i++)
    check_broken (SYS_copy_file_range, refusals[i], GAIO_COPY_NONE, 0);
  check_broken (SYS_copy_file_range, ENOSPC, GAIO_COPY_NONE, ENOSPC);
  check_broken (SYS_lseek, EINVAL, GAIO_COPY_NONE, 0);
  check_broken (SYS_renameat2, EINVAL, GAIO_COPY_NONE, 0);
  check_broken (SYS_renameat2, ENOSYS, GAIO_COPY_NONE, 0);
  check_broken (SYS_renameat2, EIO, GAIO_COPY_NONE, EIO);
  check_broken (SYS_renameat, EIO, GAIO_COPY_OVERWRITE, EIO);
  check_broken (SYS_ftruncate, EIO, GAIO_COPY_NONE, EIO);
  check_broken (SYS_fchmod, EIO, GAIO_COPY_NONE, EIO);
  check_broken (SYS_utimensat, EIO, GAIO_COPY_ALL_METADATA, EIO);
  /* Where the system keeps no permissions or times, or lets nobody change them. */
  for (int i = 0; i < 2; i++)
    {
      int errnum = i == 0 ? EPERM : EOPNOTSUPP;

      check_broken (SYS_fchmod, errnum, GAIO_COPY_NONE, 0);
      check_broken (SYS_fchmod, errnum, GAIO_COPY_ALL_METADATA, 0);
      check_broken (SYS_utimensat, errnum, GAIO_COPY_ALL_METADATA, 0);
    }
  check_broken (SYS_fsync, EIO, GAIO_COPY_DURABLE, EIO);
  check_broken (SYS_fsync, EIO, GAIO_COPY_NONE, 0);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  gaio_test_add ("/copy/sizes", test_sizes);
  gaio_test_add ("/copy/sparse", test_sparse);
  gaio_test_add ("/copy/proc", test_proc);
  gaio_test_add ("/copy/metadata", test_metadata);
  gaio_test_add ("/copy/links", test_links);
  gaio_test_add ("/copy/errors", test_errors);
  gaio_test_add ("/copy/cancel", test_cancel);
  gaio_test_add ("/copy/resume", test_resume);
  gaio_test_add ("/copy/no-space", test_no_space);
  gaio_test_add ("/copy/size-limit", test_size_limit);
  gaio_test_add ("/copy/broken", test_broken);
  return g_test_run ();
}
