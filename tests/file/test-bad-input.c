/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Bad input for files: what each function does with arguments, and with moments, that are wrong.
 * No row may abort the program. What is tested, and where:
 *
 *   a negative offset, offset + length      /request/invalid, /bad-input/ranges
 *     beyond the largest
 *   nothing to read or write                /request/zero-length, /bad-input/nothing
 *   more than one system call moves         /request/huge, /bad-input/huge-read
 *   more than there is memory for           /request/no-memory
 *   no GBytes, no pieces, 1500 pieces       /bad-input/no-bytes, /request/writev
 *   a closed file                           /file/closed
 *   a file about to be closed               /file/close-waits
 *   a file that was never opened            /file/misuse
 *   close twice                             /file/closed, /file/close-waits
 *   finish with another's result, or of     /file/misuse
 *     another function
 *   finish twice, finish before the end     /bad-input/finish
 *   submit what is in flight                /request/in-flight
 *   cancel before the submission arrives    /request/cancel-before, /file/cancelled-before
 *   cancel in flight                        /request/cancel, /request/cancel-half-way,
 *                                           /file/cancelled-during
 *   cancel twice, or after the end          /request/cancel, /request/cancel-too-late,
 *                                           /file/cancelled-during
 *   cancel siblings in a callback           /bad-input/cancel-siblings
 *   close with a cancelled cancellable      /file/cancelled-before
 *   submit in another thread                /request/foreign-thread,
 *                                           /file/result-in-callers-context
 *   turns in another thread                 /context/foreign-poll
 *   last reference in a callback: request   /request/last-reference-in-callback,
 *     and file; the context too             /bad-input/drop-all
 *   a callback that submits, closes, turns  /request/resubmit, /request/close-in-callback,
 *     the loop, turns it 64 deep            /request/nested, /bad-input/deep
 *   a callback that throws                  “an exception in a callback”, test-gjs.js
 *   after fork(): requests, tasks           /request/fork, /bad-input/fork
 *   open: no path, no mode                  /file/misuse, /bad-input/no-bytes
 *   open: "", a directory, missing, below   /file-open/open-errors
 *     a file, too long, a loop of links
 *   open: not permitted, a bad mode         /file-open/permission, /file-open/modes
 *   open: a pipe without a reader           /open-close/pipe
 *   write to a pipe that nobody reads       /bad-input/broken-pipe
 *   a descriptor that is none               /file/for-fd
 *   truncate and sync of a pipe             /bad-input/pipe, /file/socket
 *   write what is open for reading          /request/kernel-errors
 *   O_DIRECT that is refused, or unaligned  /direct/refused, /direct/read, /direct/write
 *   a bad range in a batch, too many, none  /batch/misuse, /batch/limit, /batch/nothing
 *   a stream: read, write and seek after    /input-stream/close, /output-stream/close,
 *     its close                             /io-stream/close
 *   a stream: a seek before the beginning,  /input-stream/seek, /output-stream/seek,
 *     of a pipe; truncate of a pipe         /input-stream/pipe, /output-stream/pipe
 *   a stream: two operations at once        /input-stream/pipe, /output-stream/pipe,
 *                                           /io-stream/close-pending */

#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <gaio/file/gaio-request-private.h>

#include "file-test.h"

#define WRAP_BYTES ((gsize) 2 * 1024 * 1024)

typedef struct
{
  int ended;
  GAsyncResult *result;
} Call;

static void
on_end (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Call *call = user_data;

  call->result = g_object_ref (result);
  call->ended++;
}

/* The result of what has just been called, which must not have ended yet. */
static GAsyncResult *
wait_for_end (Call *call, GaioTestLoop *loop)
{
  GAsyncResult *result;

  g_assert_cmpint (call->ended, ==, 0);
  gaio_test_turn_until (loop, &call->ended, 1);
  gaio_test_settle (loop);
  g_assert_cmpint (call->ended, ==, 1);
  result = call->result;
  *call = (Call){ 0 };
  return result;
}

/* By the *_async functions, and by their twins: the same errors. */

static void
assert_read_fails (GaioTestLoop *loop, GaioFile *file, goffset offset, gsize length)
{
  g_autoptr (GAsyncResult) result = NULL;
  GError *error = NULL;
  Call call = { 0 };

  gaio_file_read_bytes_async (file, offset, length, G_PRIORITY_DEFAULT, NULL, on_end, &call);
  result = wait_for_end (&call, loop);
  g_assert_null (gaio_file_read_bytes_finish (file, result, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  g_assert_null (gaio_file_read_bytes (file, offset, length, NULL, &error));
  file_test_assert_error (error, G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
}

static void
assert_write_fails (GaioTestLoop *loop, GaioFile *file, goffset offset, GBytes *bytes)
{
  g_autoptr (GAsyncResult) result = NULL;
  GError *error = NULL;
  Call call = { 0 };

  gaio_file_write_bytes_async (file, offset, bytes, G_PRIORITY_DEFAULT, NULL, on_end, &call);
  result = wait_for_end (&call, loop);
  g_assert_cmpint (gaio_file_write_bytes_finish (file, result, &error), ==, -1);
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  g_assert_cmpint (gaio_file_write_bytes (file, offset, bytes, NULL, &error), ==, -1);
  file_test_assert_error (error, G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
}

static void
assert_truncate_fails (GaioTestLoop *loop, GaioFile *file, goffset length)
{
  g_autoptr (GAsyncResult) result = NULL;
  GError *error = NULL;
  Call call = { 0 };

  gaio_file_truncate_async (file, length, G_PRIORITY_DEFAULT, NULL, on_end, &call);
  result = wait_for_end (&call, loop);
  g_assert_false (gaio_file_truncate_finish (file, result, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  g_assert_false (gaio_file_truncate (file, length, NULL, &error));
  file_test_assert_error (error, G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
}

static void
test_ranges (GaioTestLoop *loop)
{
  static const goffset negative[] = { -1, -2, G_MININT64 };
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 100);
  GaioFile *file = file_test_open (loop->context, path, "r+");
  g_autoptr (GBytes) bytes = file_test_pattern_bytes (500, 10);
  g_autofree char *data = NULL;
  gsize size;

  for (guint i = 0; i < G_N_ELEMENTS (negative); i++)
    {
      assert_read_fails (loop, file, negative[i], 10);
      assert_read_fails (loop, file, negative[i], 0);
      assert_write_fails (loop, file, negative[i], bytes);
      assert_truncate_fails (loop, file, negative[i]);
    }
  assert_read_fails (loop, file, G_MAXINT64 - 9, 10 + 1);
  assert_read_fails (loop, file, 1, G_MAXSIZE);
  assert_read_fails (loop, file, 0, (gsize) G_MAXINT64 + 1);
  assert_write_fails (loop, file, G_MAXINT64 - 4, bytes);

  /* Nothing has been written, least of all at the descriptor's own position. */
  g_assert_true (g_file_get_contents (path, &data, &size, NULL));
  g_assert_cmpuint (size, ==, 100);
  file_test_assert_pattern (data, 0, 100);
  g_object_unref (file);
  file_test_remove_dir (dir);
}

static void
on_count (GaioRequest *request, gpointer user_data)
{
  (*(int *) user_data)++;
}

static void
test_nothing (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 100);
  GaioFile *file = file_test_open (loop->context, path, "r+");
  g_autoptr (GBytes) nothing = g_bytes_new (NULL, 0);
  const goffset offsets[] = { 0, 50, 100, 1000, G_MAXINT64 };
  GError *error = NULL;
  struct stat info;
  Call call = { 0 };

  for (guint i = 0; i < G_N_ELEMENTS (offsets); i++)
    {
      g_autoptr (GBytes) by_task = NULL;
      g_autoptr (GBytes) by_twin = NULL;
      GAsyncResult *result;

      gaio_file_read_bytes_async (file, offsets[i], 0, G_PRIORITY_DEFAULT, NULL, on_end, &call);
      result = wait_for_end (&call, loop);
      by_task = gaio_file_read_bytes_finish (file, result, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (g_bytes_get_size (by_task), ==, 0);
      g_object_unref (result);
      by_twin = gaio_file_read_bytes (file, offsets[i], 0, NULL, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (g_bytes_get_size (by_twin), ==, 0);

      gaio_file_write_bytes_async (file, offsets[i], nothing, G_PRIORITY_DEFAULT, NULL, on_end,
                                   &call);
      result = wait_for_end (&call, loop);
      g_assert_cmpint (gaio_file_write_bytes_finish (file, result, &error), ==, 0);
      g_assert_no_error (error);
      g_object_unref (result);
      g_assert_cmpint (gaio_file_write_bytes (file, offsets[i], nothing, NULL, &error), ==, 0);
      g_assert_no_error (error);
    }
  /* Behind the end it has not made the file longer. */
  g_assert_cmpint (stat (path, &info), ==, 0);
  g_assert_cmpint (info.st_size, ==, 100);
  g_object_unref (file);
  file_test_remove_dir (dir);
}

/* A piece of address space with the same 2 MiB of memory all over. NULL when there is no room. */
static guint8 *
map_wrapped (gsize size)
{
  int fd = memfd_create ("buffer", MFD_CLOEXEC);
  guint8 *map = mmap (NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

  g_assert_cmpint (ftruncate (fd, WRAP_BYTES), ==, 0);
  for (gsize i = 0; map != MAP_FAILED && i < size; i += WRAP_BYTES)
    if (mmap (map + i, WRAP_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, fd, 0) ==
        MAP_FAILED)
      {
        munmap (map, size);
        map = MAP_FAILED;
      }
  close (fd);
  return map != MAP_FAILED ? map : NULL;
}

/* A file that is all hole but for its end, and more than one system call reads. */
static void
read_huge (GaioEngine engine)
{
  const gsize size = GAIO_REQUEST_MAX_TRANSFER + 100000;
  const gsize mapped = (size / WRAP_BYTES + 1) * WRAP_BYTES;
  guint8 *buffer = sizeof (gsize) < 8 ? NULL : map_wrapped (mapped);
  g_autofree guint8 *end = file_test_pattern (size - 50000, 50000);
  g_autoptr (GaioContext) context =
      g_initable_new (GAIO_TYPE_CONTEXT, NULL, NULL, "engine", engine, NULL);
  GaioRequest *request;
  GaioFile *file;
  int ended = 0;
  gsize n;
  int fd;

  if (buffer == NULL)
    {
      g_test_skip ("no address space for 2 GiB");
      return;
    }
  fd = memfd_create ("file", MFD_CLOEXEC);
  g_assert_cmpint (pwrite (fd, end, 50000, size - 50000), ==, 50000);
  file = file_test_adopt (context, fd);
  request = gaio_request_new (file, on_count, &ended, NULL);
  gaio_request_read_into (request, 0, mapped, buffer);
  while (ended == 0)
    gaio_context_poll (context, TRUE);
  g_assert_true (gaio_request_get_result (request, &n, NULL));
  g_assert_cmpuint (n, ==, size);
  file_test_assert_pattern (buffer + size - 50000, size - 50000, 50000);
  gaio_request_unref (request);
  g_object_unref (file);
  munmap (buffer, mapped);
}

static void
test_huge_read (void)
{
  read_huge (GAIO_ENGINE_AUTO);
  read_huge (GAIO_ENGINE_THREADS);
}

static void
test_no_bytes (GaioTestLoop *loop)
{
  GaioFile *file = file_test_open (loop->context, "/dev/null", "r+");
  GaioRequest *request = gaio_request_new (file, NULL, NULL, NULL);
  GError *error = NULL;
  Call call = { 0 };

  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*bytes != NULL*");
  gaio_request_write (request, 0, NULL);
  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*chunks != NULL*");
  gaio_request_writev (request, 0, NULL, 3);
  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*bytes != NULL*");
  gaio_file_write_bytes_async (file, 0, NULL, G_PRIORITY_DEFAULT, NULL, on_end, &call);
  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*bytes != NULL*");
  g_assert_cmpint (gaio_file_write_bytes (file, 0, NULL, NULL, &error), ==, -1);
  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*mode != NULL*");
  g_assert_null (gaio_open ("/dev/null", NULL, NULL, &error));
  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*GAIO_IS_FILE*");
  g_assert_null (gaio_file_read_bytes ((gpointer) loop->context, 0, 10, NULL, &error));
  g_test_assert_expected_messages ();
  g_assert_no_error (error);
  gaio_test_settle (loop);
  g_assert_cmpint (call.ended, ==, 0);
  gaio_request_unref (request);
  g_object_unref (file);
}

static void
test_finish (GaioTestLoop *loop)
{
  GaioFile *file = file_test_open (loop->context, "/dev/zero", "r");
  g_autoptr (GTask) early = g_task_new (file, NULL, NULL, NULL);
  g_autoptr (GAsyncResult) result = NULL;
  g_autoptr (GBytes) bytes = NULL;
  GError *error = NULL;
  Call call = { 0 };

  g_task_set_source_tag (early, gaio_file_read_bytes_async);
  g_test_expect_message ("GLib-GIO", G_LOG_LEVEL_CRITICAL, "*result_set*");
  g_assert_null (gaio_file_read_bytes_finish (file, G_ASYNC_RESULT (early), &error));
  g_test_assert_expected_messages ();
  g_assert_no_error (error);
  g_task_return_pointer (early, g_bytes_new (NULL, 0), (GDestroyNotify) g_bytes_unref);

  gaio_file_read_bytes_async (file, 0, 10, G_PRIORITY_DEFAULT, NULL, on_end, &call);
  result = wait_for_end (&call, loop);
  bytes = gaio_file_read_bytes_finish (file, result, &error);
  g_assert_no_error (error);
  g_test_expect_message ("GLib-GIO", G_LOG_LEVEL_CRITICAL, "*result_set*");
  g_assert_null (gaio_file_read_bytes_finish (file, result, &error));
  g_test_assert_expected_messages ();
  g_assert_no_error (error);
  g_assert_cmpuint (g_bytes_get_size (bytes), ==, 10);
  gaio_test_settle (loop);
  g_object_unref (file);
}

#define N_SIBLINGS 20

typedef struct
{
  GaioRequest *requests[N_SIBLINGS];
  int ended;
  int cancelled;
} Siblings;

static void
on_sibling_end (GaioRequest *request, gpointer user_data)
{
  Siblings *siblings = user_data;
  g_autoptr (GError) error = NULL;

  if (!gaio_request_get_result (request, NULL, &error))
    {
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      siblings->cancelled++;
    }
  siblings->ended++;
  for (int i = 0; i < N_SIBLINGS; i++)
    gaio_request_cancel (siblings->requests[i]);
}

/* One ends, and stops all the others, each of which tries the same. */
static void
test_cancel_siblings (GaioTestLoop *loop)
{
  Siblings siblings = { .ended = 0 };
  int fds[N_SIBLINGS][2];

  for (int i = 0; i < N_SIBLINGS; i++)
    {
      g_autoptr (GaioFile) file = NULL;

      file_test_make_pipe (fds[i]);
      file = file_test_adopt (loop->context, fds[i][0]);
      siblings.requests[i] = gaio_request_new (file, on_sibling_end, &siblings, NULL);
    }
  for (int i = 0; i < N_SIBLINGS; i++)
    gaio_request_read (siblings.requests[i], 0, 1);
  gaio_test_settle (loop);
  g_assert_cmpint (siblings.ended, ==, 0);
  g_assert_cmpint (write (fds[N_SIBLINGS / 2][1], "x", 1), ==, 1);
  gaio_test_turn_until (loop, &siblings.ended, N_SIBLINGS);
  gaio_test_settle (loop);
  g_assert_cmpint (siblings.ended, ==, N_SIBLINGS);
  g_assert_cmpint (siblings.cancelled, ==, N_SIBLINGS - 1);
  for (int i = 0; i < N_SIBLINGS; i++)
    {
      gaio_request_unref (siblings.requests[i]);
      close (fds[i][1]);
    }
}

typedef struct
{
  GaioTestLoop *loop;
  GaioFile *file;
  int ended;
} Everything;

static void
on_end_drop_all (GaioRequest *request, gpointer user_data)
{
  Everything *everything = user_data;

  g_clear_object (&everything->loop->context);
  g_clear_object (&everything->file);
  gaio_request_unref (request);
  everything->ended++;
}

/* The last references of request, file and context go in one callback. */
static void
test_drop_all (GaioTestLoop *loop)
{
  Everything everything = { .loop = loop };
  GaioRequest *request;
  int fd;

  everything.file = file_test_open (loop->context, "/dev/zero", "r");
  fd = gaio_file_get_fd (everything.file);
  request = gaio_request_new (everything.file, on_end_drop_all, &everything, NULL);
  gaio_request_read (request, 0, 100);
  while (everything.ended == 0)
    gaio_test_turn (loop, TRUE);
  g_assert_cmpint (fcntl (fd, F_GETFD), ==, -1);
}

#define DEPTH 100

typedef struct
{
  GaioTestLoop *loop;
  GaioFile *file;
  int depth;
  int ended;
} Deep;

static void
on_end_go_deeper (GaioRequest *request, gpointer user_data)
{
  Deep *deep = user_data;
  int ended = deep->ended;

  g_assert_true (gaio_request_get_result (request, NULL, NULL));
  if (++deep->depth < DEPTH)
    {
      gaio_request_read (request, 0, 10);
      while (deep->ended == ended)
        gaio_context_poll (deep->loop->context, TRUE);
    }
  deep->ended++;
}

static void
test_deep (GaioTestLoop *loop)
{
  Deep deep = { .loop = loop, .file = file_test_open (loop->context, "/dev/zero", "r") };
  GaioRequest *request = gaio_request_new (deep.file, on_end_go_deeper, &deep, NULL);

  gaio_request_read (request, 0, 10);
  while (deep.ended < DEPTH)
    gaio_test_turn (loop, TRUE);
  gaio_test_settle (loop);
  g_assert_cmpint (deep.ended, ==, DEPTH);
  g_assert_cmpint (deep.depth, ==, DEPTH);
  gaio_request_unref (request);
  g_object_unref (deep.file);
}

/* The child has the file, but neither the ring nor the threads. */
static void
test_fork (GaioTestLoop *loop)
{
  GaioFile *file = file_test_open (loop->context, "/dev/zero", "r");
  int status = -1;
  pid_t child = fork ();

  if (child == 0)
    {
      GError *error = NULL;
      Call call = { 0 };

      alarm (20);
      gaio_file_read_bytes_async (file, 0, 10, G_PRIORITY_DEFAULT, NULL, on_end, &call);
      while (call.ended == 0)
        gaio_test_turn (loop, FALSE);
      if (gaio_file_read_bytes_finish (file, call.result, &error) != NULL ||
          !g_error_matches (error, G_IO_ERROR, G_IO_ERROR_FAILED) ||
          strstr (error->message, "fork") == NULL)
        _exit (1);
      _exit (0);
    }
  g_assert_cmpint (child, >, 0);
  g_assert_cmpint (waitpid (child, &status, 0), ==, child);
  g_assert_cmpint (status, ==, 0);
  g_object_unref (file);
}

static void
test_pipe (GaioTestLoop *loop)
{
  GError *error = NULL;
  GaioFile *file;
  int fds[2];

  file_test_make_pipe (fds);
  file = file_test_adopt (loop->context, fds[1]);
  assert_truncate_fails (loop, file, 10);
  g_assert_false (gaio_file_sync (file, FALSE, NULL, &error));
  file_test_assert_error (error, G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  g_object_unref (file);
  close (fds[0]);
}

/* A pipe that nobody reads any more. The signal that goes with it would end the program. */
static void
test_broken_pipe (GaioTestLoop *loop)
{
  g_autoptr (GBytes) bytes = g_bytes_new_static ("text", 4);
  void (*before) (int) = signal (SIGPIPE, SIG_DFL);
  GError *error = NULL;
  g_autoptr (GAsyncResult) result = NULL;
  sigset_t pending;
  GaioFile *file;
  Call call = { 0 };
  int fds[2];

  file_test_make_pipe (fds);
  close (fds[0]);
  file = file_test_adopt (loop->context, fds[1]);
  gaio_file_write_bytes_async (file, 0, bytes, G_PRIORITY_DEFAULT, NULL, on_end, &call);
  result = wait_for_end (&call, loop);
  g_assert_cmpint (gaio_file_write_bytes_finish (file, result, &error), ==, -1);
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_BROKEN_PIPE, EPIPE);
  g_assert_cmpint (gaio_file_write_bytes (file, 0, bytes, NULL, &error), ==, -1);
  file_test_assert_error (error, G_IO_ERROR_BROKEN_PIPE, EPIPE);
  g_assert_cmpint (sigpending (&pending), ==, 0);
  g_assert_false (sigismember (&pending, SIGPIPE));
  g_object_unref (file);
  signal (SIGPIPE, before);
}

/* Flags that there are not: of a later version, or of another function. */
static void
test_unknown_flags (void)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 100);
  g_autofree char *other = g_build_filename (dir, "b", NULL);
  g_autoptr (GBytes) bytes = g_bytes_new_static ("new", 3);
  GError *error = NULL;
  struct stat after;

  /* What GIO calls so, too, means the same. */
  G_STATIC_ASSERT ((int) GAIO_COPY_OVERWRITE == G_FILE_COPY_OVERWRITE);
  G_STATIC_ASSERT ((int) GAIO_COPY_NOFOLLOW_SYMLINKS == G_FILE_COPY_NOFOLLOW_SYMLINKS);
  G_STATIC_ASSERT ((int) GAIO_COPY_ALL_METADATA == G_FILE_COPY_ALL_METADATA);
  G_STATIC_ASSERT ((int) GAIO_COPY_NO_FALLBACK == G_FILE_COPY_NO_FALLBACK_FOR_MOVE);

  g_assert_false (
      gaio_copy (path, other, (GaioCopyFlags) G_FILE_COPY_BACKUP, NULL, NULL, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  g_assert_false (gaio_move (path, other, (GaioCopyFlags) (1 << 20), NULL, NULL, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  g_assert_false (gaio_remove (path, (GaioRemoveFlags) (1 << 20), NULL, NULL, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  g_assert_false (gaio_save_bytes (path, bytes, (GaioDurability) 77, NULL, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  g_assert_null (gaio_scan_directory (dir, (GaioScanFlags) (1 << 20), NULL, &error));
  g_assert_nonnull (strstr (error->message, "flags 0x100000"));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_INVALID_ARGUMENT, EINVAL);

  g_assert_cmpint (stat (path, &after), ==, 0);
  g_assert_cmpint (after.st_size, ==, 100);
  g_assert_false (g_file_test (other, G_FILE_TEST_EXISTS));
  file_test_remove_dir (dir);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  gaio_test_add_engine_matrix ("/bad-input/ranges", test_ranges);
  gaio_test_add_engine_matrix ("/bad-input/nothing", test_nothing);
  gaio_test_add ("/bad-input/huge-read", test_huge_read);
  gaio_test_add_engine_matrix ("/bad-input/no-bytes", test_no_bytes);
  gaio_test_add_engine_matrix ("/bad-input/finish", test_finish);
  gaio_test_add_engine_matrix ("/bad-input/cancel-siblings", test_cancel_siblings);
  gaio_test_add_engine_matrix ("/bad-input/drop-all", test_drop_all);
  gaio_test_add_engine_matrix ("/bad-input/deep", test_deep);
  gaio_test_add_engine_matrix ("/bad-input/fork", test_fork);
  gaio_test_add_engine_matrix ("/bad-input/pipe", test_pipe);
  gaio_test_add_engine_matrix ("/bad-input/broken-pipe", test_broken_pipe);
  gaio_test_add ("/bad-input/unknown-flags", test_unknown_flags);
  return g_test_run ();
}
