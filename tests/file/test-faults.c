/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Disks that fail for real, in a mount namespace of the test's own; it takes root. What is tested,
 * and where, of what goes wrong with files:
 *
 *   no ring: setup, enter, register refused   --setup denied, /request/ring-breaks,
 *                                             /nth-fault/enter
 *   no threads, of the kernel and of ours     /faults/no-threads, /thread-pool-process/no-threads
 *   no descriptors                            /context/no-fds
 *   no space, at the write                    /faults/full, /file/full-disk
 *   no space, when it is brought to the disk  /faults/thin
 *   any errno, short, nothing, of each call   /nth-fault, /fault-fs/faults
 *   an error of fsync(2) and close(2)         /nth-fault, /file/sync-error-stays, /file/close-error
 *   an operation that does not end            /faults/frozen, /fault-fs/faults
 *   a server that goes away                   /fault-fs/gone
 *   a file larger than is allowed             /request/size-limit
 *   a file system that is read-only           /faults/read-only */

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "file-mount.h"
#include "file-test.h"

typedef struct
{
  GaioRequest *request;
  int ended;
  int freed;
  gboolean ok;
  gsize n;
  GError *error;
} Probe;

static void
on_end (GaioRequest *request, gpointer user_data)
{
  Probe *probe = user_data;

  g_clear_error (&probe->error);
  probe->ok = gaio_request_get_result (request, &probe->n, &probe->error);
  g_atomic_int_inc (&probe->ended);
}

static void
on_free (gpointer user_data)
{
  Probe *probe = user_data;

  g_atomic_int_inc (&probe->freed);
}

static void
probe_init (Probe *probe, GaioFile *file)
{
  *probe = (Probe){ .ended = 0 };
  probe->request = gaio_request_new (file, on_end, probe, on_free);
}

static void
probe_wait (Probe *probe, GaioTestLoop *loop)
{
  gaio_test_turn_until (loop, &probe->ended, 1);
  g_assert_cmpint (probe->ended, ==, 1);
  probe->ended = 0;
}

static void
probe_clear (Probe *probe)
{
  g_clear_error (&probe->error);
  gaio_request_unref (probe->request);
}

/* NULL: the test is skipped. */
static FileMount *
mount_or_skip (const char *type, guint64 room)
{
  g_autofree char *why = NULL;
  FileMount *mount = file_mount_new (type, room, &why);

  if (mount == NULL)
    g_test_skip (why);
  return mount;
}

/* ---- full ---- */

static void
assert_content (const char *path, gsize size)
{
  g_autofree char *data = NULL;
  gsize n;

  g_assert_true (g_file_get_contents (path, &data, &n, NULL));
  g_assert_cmpuint (n, ==, size);
  file_test_assert_pattern (data, 0, n);
}

/* What fits is written, the count is just that, and when there is room again it goes on. */
static void
test_full (GaioTestLoop *loop)
{
  g_autoptr (FileMount) mount = mount_or_skip ("tmpfs", 512 * 1024);
  g_autofree char *path = NULL;
  g_autofree char *ballast = NULL;
  g_autoptr (GBytes) bytes = file_test_pattern_bytes (0, 400000);
  g_autoptr (GError) error = NULL;
  GBytes *chunks[4];
  GaioFile *file;
  struct stat info;
  Probe probe;

  if (mount == NULL)
    return;
  ballast = file_test_make_file (mount->dir, "ballast", 256 * 1024);
  path = g_build_filename (mount->dir, "a", NULL);
  file = file_test_open (loop->context, path, "w+");
  probe_init (&probe, file);
  for (gsize i = 0; i < G_N_ELEMENTS (chunks); i++)
    chunks[i] = g_bytes_new_from_bytes (bytes, i * 100000, 100000);

  for (int vectored = 0; vectored < 2; vectored++)
    {
      if (vectored)
        gaio_request_writev (probe.request, 0, chunks, G_N_ELEMENTS (chunks));
      else
        gaio_request_write (probe.request, 0, bytes);
      probe_wait (&probe, loop);
      g_assert_false (probe.ok);
      file_test_assert_error (g_steal_pointer (&probe.error), G_IO_ERROR_NO_SPACE, ENOSPC);
      g_assert_cmpint (stat (path, &info), ==, 0);
      g_assert_cmpuint (probe.n, ==, info.st_size);
      g_assert_cmpuint (probe.n, >=, 128 * 1024);
      g_assert_cmpuint (probe.n, <, 256 * 1024 + 1);
      assert_content (path, probe.n);
    }
  g_assert_cmpint (gaio_file_write_bytes (file, 0, bytes, NULL, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_NO_SPACE);

  unlink (ballast);
  gaio_request_write (probe.request, 0, bytes);
  probe_wait (&probe, loop);
  g_assert_no_error (probe.error);
  assert_content (path, 400000);
  for (gsize i = 0; i < G_N_ELEMENTS (chunks); i++)
    g_bytes_unref (chunks[i]);
  probe_clear (&probe);
  g_object_unref (file);
}

/* ---- thin: the page cache takes what the disk has no room for ---- */

#define THIN_ROOM ((guint64) 96 * 1024 * 1024)
#define PIECE ((gsize) 1024 * 1024)

/* The first error of a sync is the file's for ever: of each later sync, of whichever kind, and of
 * the close. */
static void
test_thin (GaioTestLoop *loop, const char *type)
{
  g_autoptr (FileMount) mount = mount_or_skip (type, THIN_ROOM);
  g_autofree char *path = NULL;
  g_autoptr (GBytes) bytes = file_test_pattern_bytes (0, PIECE);
  GError *error = NULL;
  GaioFile *file;
  Probe probe;
  int errnum;

  if (mount == NULL)
    return;
  path = g_build_filename (mount->dir, "a", NULL);
  file = file_test_open (loop->context, path, "w+");
  probe_init (&probe, file);
  for (goffset offset = 0; offset < (goffset) THIN_ROOM; offset += PIECE)
    {
      gaio_request_write (probe.request, offset, bytes);
      probe_wait (&probe, loop);
      g_assert_no_error (probe.error);
    }
  gaio_request_sync (probe.request, TRUE);
  probe_wait (&probe, loop);
  g_assert_false (probe.ok);
  errnum = gaio_error_get_errno (probe.error);
  g_assert_true (errnum == EIO || errnum == ENOSPC);
  for (int i = 0; i < 4; i++)
    {
      gaio_request_sync (probe.request, i % 2);
      probe_wait (&probe, loop);
      g_assert_false (probe.ok);
      g_assert_false (gaio_file_sync (file, i % 2, NULL, &error));
      g_clear_error (&error);
    }
  g_assert_false (gaio_file_close (file, NULL, &error));
  g_assert_cmpint (gaio_error_get_errno (error), ==, errnum);
  g_clear_error (&error);
  g_assert_cmpint (gaio_file_get_fd (file), ==, -1);
  probe_clear (&probe);
  g_object_unref (file);
}

static void
test_thin_ext4 (GaioTestLoop *loop)
{
  test_thin (loop, "ext4");
}

static void
test_thin_xfs (GaioTestLoop *loop)
{
  test_thin (loop, "xfs");
}

/* ---- frozen: a write does not end until the file system is thawed ---- */

#define THAW_TIMEOUT_MS 60000

typedef struct
{
  pid_t pid;
  int fd; /* when this is closed, also because this process dies, it is thawed */
} Frost;

static gboolean
freeze (Frost *frost, const char *dir)
{
  int fds[2];
  int fd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  GPollFD end = { .events = G_IO_IN };
  gboolean frozen;

  file_test_make_pipe (fds);
  end.fd = fds[0];
  frost->pid = fork ();
  if (frost->pid == 0)
    {
      /* A process that dies does not close it while the kernel has a write of its: not for ever. */
      close (fds[1]);
      g_poll (&end, 1, THAW_TIMEOUT_MS);
      ioctl (fd, FITHAW, 0);
      _exit (0);
    }
  g_assert_cmpint (frost->pid, >, 0);
  close (fds[0]);
  frost->fd = fds[1];
  frozen = ioctl (fd, FIFREEZE, 0) == 0;
  close (fd);
  return frozen;
}

static gpointer
thaw (gpointer data)
{
  Frost *frost = data;

  close (frost->fd);
  g_assert_cmpint (waitpid (frost->pid, NULL, 0), ==, frost->pid);
  return NULL;
}

static gpointer
thaw_later (gpointer data)
{
  g_usleep (100 * 1000);
  return thaw (data);
}

static void
on_closed (GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (gaio_file_close_finish (GAIO_FILE (source), result, &error));
  g_assert_no_error (error);
  (*(int *) user_data)++;
}

#define FROZEN_BYTES 20000

/* Of a write that was held what it says is in the file, at its place, and nothing else. */
static void
assert_written (const char *path, const Probe *probe)
{
  g_autofree char *data = NULL;
  gsize size;

  if (probe->ok)
    g_assert_cmpuint (probe->n, ==, FROZEN_BYTES);
  else
    g_assert_error (probe->error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_assert_true (g_file_get_contents (path, &data, &size, NULL));
  g_assert_cmpuint (size, ==, FROZEN_BYTES);
  file_test_assert_pattern (data, 50000, probe->n);
  file_test_assert_pattern (data + probe->n, probe->n, FROZEN_BYTES - probe->n);
}

/* It is cancelled, the file closed, all of it dropped: it ends once, and says what it did. */
static void
test_frozen (GaioTestLoop *loop, const char *type)
{
  g_autoptr (FileMount) mount = mount_or_skip (type, 0);

  for (int way = 0; mount != NULL && way < 3; way++)
    {
      g_autofree char *path = file_test_make_file (mount->dir, "a", FROZEN_BYTES);
      GaioFile *file = file_test_open (loop->context, path, "r+");
      GBytes *bytes = file_test_pattern_bytes (50000, FROZEN_BYTES);
      int closed = way == 0 ? 1 : 0;
      Frost frost;
      Probe read;
      Probe write;

      g_assert_true (freeze (&frost, mount->dir));
      probe_init (&read, file);
      probe_init (&write, file);
      gaio_request_write (write.request, 0, bytes);
      g_bytes_unref (bytes);
      gaio_request_read (read.request, 100, 100);
      probe_wait (&read, loop);
      g_assert_no_error (read.error);
      g_usleep (2000); /* as often as not it has begun by now */
      gaio_test_settle (loop);
      g_assert_cmpint (write.ended, ==, 0);
      if (way > 0)
        {
          gaio_request_cancel (write.request);
          gaio_file_close_async (file, G_PRIORITY_DEFAULT, NULL, on_closed, &closed);
        }
      gaio_test_settle (loop);
      if (way == 2)
        gaio_request_cancel (write.request);
      g_object_unref (file);
      gaio_request_unref (write.request);
      gaio_request_unref (read.request);
      gaio_test_settle (loop);
      thaw (&frost);
      gaio_test_turn_until (loop, &write.freed, 1);
      gaio_test_turn_until (loop, &read.freed, 1);
      gaio_test_turn_until (loop, &closed, 1);
      gaio_test_settle (loop);
      g_assert_cmpint (write.ended, ==, 1);
      g_assert_cmpint (write.freed, ==, 1);
      g_assert_cmpint (closed, ==, 1);
      assert_written (path, &write);
      g_clear_error (&write.error);
    }
}

static void
test_frozen_ext4 (GaioTestLoop *loop)
{
  test_frozen (loop, "ext4");
}

static void
test_frozen_xfs (GaioTestLoop *loop)
{
  test_frozen (loop, "xfs");
}

/* The thread that runs the context is stopped, and everything dropped, meanwhile. */
static void
test_frozen_io_thread (void)
{
  g_autoptr (FileMount) mount = mount_or_skip ("ext4", 0);
  g_autofree char *path = NULL;
  g_autoptr (GBytes) bytes = file_test_pattern_bytes (50000, FROZEN_BYTES);
  g_autoptr (GError) error = NULL;
  GaioIOThread *io_thread;
  GThread *thread;
  GaioFile *file;
  Frost frost;
  Probe probe;

  if (mount == NULL)
    return;
  path = file_test_make_file (mount->dir, "a", FROZEN_BYTES);
  io_thread = gaio_io_thread_new ("frozen", &error);
  g_assert_no_error (error);
  file = file_test_open (gaio_io_thread_get_context (io_thread), path, "r+");
  g_assert_true (freeze (&frost, mount->dir));
  probe_init (&probe, file);
  gaio_request_write (probe.request, 0, bytes);
  g_usleep (20 * 1000);
  gaio_request_unref (probe.request);
  g_object_unref (file);
  thread = g_thread_new ("thaw", thaw_later, &frost);
  gaio_io_thread_stop (io_thread);
  g_object_unref (io_thread);
  g_thread_join (thread);
  while (g_atomic_int_get (&probe.freed) == 0)
    g_usleep (1000);
  g_assert_cmpint (probe.ended, ==, 1);
  g_assert_cmpint (probe.freed, ==, 1);
  assert_written (path, &probe);
  g_clear_error (&probe.error);
}

/* ---- read-only ---- */

/* As a disk becomes that has had an error. */
static void
test_read_only (GaioTestLoop *loop)
{
  g_autoptr (FileMount) mounted = mount_or_skip ("tmpfs", 1024 * 1024);
  g_autofree char *path = NULL;
  g_autofree char *other = NULL;
  GError *error = NULL;

  if (mounted == NULL)
    return;
  path = file_test_make_file (mounted->dir, "a", 10);
  other = g_build_filename (mounted->dir, "b", NULL);
  g_assert_cmpint (mount (NULL, mounted->dir, NULL, MS_REMOUNT | MS_RDONLY, NULL), ==, 0);
  for (int i = 0; i < 2; i++)
    {
      g_assert_null (gaio_file_new_for_path (loop->context, i ? path : other, "a", &error));
      file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_READ_ONLY, EROFS);
    }
}

/* ---- no threads ---- */

#define N_REQUESTS 40

/* The kernel has no worker for what it cannot do at once, and the pool has no thread for what the
 * kernel then gives back: it is done all the same. */
static void
write_without_threads (GaioEngine engine, const char *dir)
{
  g_autofree char *path = g_build_filename (dir, "a", NULL);
  g_autoptr (GaioContext) context =
      g_initable_new (GAIO_TYPE_CONTEXT, NULL, NULL, "engine", engine, NULL);
  GaioTestLoop loop = { .context = context,
                        .main_context = g_main_context_default (),
                        .driver = GAIO_TEST_BY_POLL };
  GaioFile *file = file_test_open (context, path, "w+");
  Probe probes[N_REQUESTS];
  g_autoptr (GError) error = NULL;

  for (int i = 0; i < N_REQUESTS; i++)
    {
      g_autoptr (GBytes) bytes = file_test_pattern_bytes (i * 10000, 10000);

      probe_init (&probes[i], file);
      gaio_request_write (probes[i].request, i * 10000, bytes);
    }
  for (int i = 0; i < N_REQUESTS; i++)
    {
      probe_wait (&probes[i], &loop);
      g_assert_no_error (probes[i].error);
      gaio_request_sync (probes[i].request, i % 2);
    }
  for (int i = 0; i < N_REQUESTS; i++)
    {
      probe_wait (&probes[i], &loop);
      g_assert_no_error (probes[i].error);
    }
  for (int i = 0; i < N_REQUESTS; i++)
    probe_clear (&probes[i]);
  g_assert_true (gaio_file_close (file, NULL, &error));
  g_object_unref (file);
  assert_content (path, N_REQUESTS * 10000);
  g_assert_cmpint (unlink (path), ==, 0);
}

static gpointer
do_nothing (gpointer data)
{
  return data;
}

static void
test_no_threads (void)
{
  char *dir;

  if (g_test_subprocess ())
    {
      const struct rlimit limit = { .rlim_cur = 1, .rlim_max = 1 };
      const char *name = g_getenv ("GAIO_TEST_DIR");
      GThread *thread;

      g_assert_cmpint (setrlimit (RLIMIT_NPROC, &limit), ==, 0);
      file_test_become_nobody ();
      thread = g_thread_try_new ("test", do_nothing, NULL, NULL);
      if (thread != NULL)
        {
          g_thread_join (thread);
          g_printerr ("threads can be made all the same\n");
        }
      write_without_threads (GAIO_ENGINE_AUTO, name);
      write_without_threads (GAIO_ENGINE_THREADS, name);
      /* LeakSanitizer, which would come now, needs a thread. */
      _exit (0);
    }
  dir = file_test_make_dir ();
  g_assert_cmpint (chmod (dir, 0777), ==, 0);
  g_setenv ("GAIO_TEST_DIR", dir, TRUE);
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
  g_test_trap_assert_passed ();
  g_unsetenv ("GAIO_TEST_DIR");
  file_test_remove_dir (dir);
}

int
main (int argc, char **argv)
{
  file_mount_init ();
  gaio_test_init (&argc, &argv);
  gaio_test_add_engine_matrix ("/faults/full", test_full);
  gaio_test_add_engine_matrix ("/faults/thin/ext4", test_thin_ext4);
  gaio_test_add_engine_matrix ("/faults/thin/xfs", test_thin_xfs);
  gaio_test_add_engine_matrix ("/faults/frozen/ext4", test_frozen_ext4);
  gaio_test_add_engine_matrix ("/faults/frozen/xfs", test_frozen_xfs);
  gaio_test_add ("/faults/frozen/io-thread", test_frozen_io_thread);
  gaio_test_add_engine_matrix ("/faults/read-only", test_read_only);
  gaio_test_add ("/faults/no-threads", test_no_threads);
  return g_test_run ();
}
