/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The request: its contract, with each engine and each driver of the loop. */

#include <limits.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "file-test.h"

/* One submission and its end, as the tests look at it. */
typedef struct
{
  GaioRequest *request;
  int ended; /* how often */
  gboolean ok;
  gsize n_bytes;
  GError *error;
  GThread *thread;
} Probe;

static void
on_end (GaioRequest *request, gpointer user_data)
{
  Probe *probe = user_data;

  g_clear_error (&probe->error);
  probe->ok = gaio_request_get_result (request, &probe->n_bytes, &probe->error);
  g_assert_true (probe->ok == (probe->error == NULL));
  probe->thread = g_thread_self ();
  g_atomic_int_inc (&probe->ended);
}

static void
probe_init (Probe *probe, GaioFile *file)
{
  *probe = (Probe){ .request = gaio_request_new (file, on_end, probe, NULL) };
}

static void
probe_clear (Probe *probe)
{
  g_clear_error (&probe->error);
  gaio_request_unref (probe->request);
}

/* Waits for the end of what has just been submitted, which must not have come yet. */
static void
probe_wait (Probe *probe, GaioTestLoop *loop)
{
  g_assert_cmpint (probe->ended, ==, 0);
  gaio_test_turn_until (loop, &probe->ended, 1);
  g_assert_cmpint (probe->ended, ==, 1);
  g_assert_true (probe->thread == g_thread_self ());
  probe->ended = 0;
}

static void
probe_wait_ok (Probe *probe, GaioTestLoop *loop, gsize n_bytes)
{
  probe_wait (probe, loop);
  g_assert_no_error (probe->error);
  g_assert_cmpuint (probe->n_bytes, ==, n_bytes);
}

static void
probe_wait_error (Probe *probe, GaioTestLoop *loop, int code, int errnum)
{
  probe_wait (probe, loop);
  file_test_assert_error (g_steal_pointer (&probe->error), code, errnum);
}

/* Which engine really ran is in the context's counters. */
static guint64
count_of (GaioTestLoop *loop, const char *name)
{
  g_autoptr (GVariant) stats = gaio_context_get_stats (loop->context);
  guint64 value = 0;

  g_assert_true (g_variant_lookup (stats, name, "t", &value));
  return value;
}

static void
test_read (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 100000);
  GaioFile *file = file_test_open (loop->context, path, "r");
  g_autoptr (GBytes) bytes = NULL;
  gconstpointer data;
  gsize size;
  Probe probe;

  probe_init (&probe, file);
  gaio_request_read (probe.request, 0, 4096);
  probe_wait_ok (&probe, loop, 4096);
  data = gaio_request_get_data (probe.request, &size);
  g_assert_cmpuint (size, ==, 4096);
  file_test_assert_pattern (data, 0, 4096);

  /* The end of the file is the only reason for less. */
  gaio_request_read (probe.request, 99990, 4096);
  probe_wait_ok (&probe, loop, 10);
  file_test_assert_pattern (gaio_request_get_data (probe.request, NULL), 99990, 10);
  gaio_request_read (probe.request, 100000, 1);
  probe_wait_ok (&probe, loop, 0);
  gaio_request_read (probe.request, G_MAXINT64 - 4096, 4096);
  probe_wait (&probe, loop);
  g_assert_cmpuint (probe.n_bytes, ==, 0);

  /* More than there is room for, and handed out. */
  gaio_request_read (probe.request, 1, 300000);
  probe_wait_ok (&probe, loop, 99999);
  bytes = gaio_request_steal_bytes (probe.request);
  file_test_assert_bytes (bytes, 1, 99999);
  g_assert_null (gaio_request_get_data (probe.request, &size));
  g_assert_cmpuint (size, ==, 0);
  gaio_request_read (probe.request, 5, 7);
  probe_wait_ok (&probe, loop, 7);
  file_test_assert_pattern (gaio_request_get_data (probe.request, NULL), 5, 7);
  file_test_assert_bytes (bytes, 1, 99999);

  if (loop->engine == GAIO_ENGINE_IO_URING)
    g_assert_cmpuint (count_of (loop, "ring-requests"), >, 0);
  else
    g_assert_cmpuint (count_of (loop, "ring-requests"), ==, 0);
  probe_clear (&probe);
  g_object_unref (file);
  file_test_remove_dir (dir);
}

/* The kernel gives a file of /proc page by page; a read of more goes on until it has all. */
static void
test_short_reads (GaioTestLoop *loop)
{
  enum { N = 60000 };
  g_autofree char *expected = g_malloc (N);
  GaioFile *file;
  Probe probe;
  int fd = open ("/proc/kallsyms", O_RDONLY | O_CLOEXEC);
  gssize first = fd < 0 ? -1 : pread (fd, expected, N, 0);
  gsize n = MAX (first, 0);
  gssize got;

  while (first > 0 && n < N && (got = pread (fd, expected + n, N - n, n)) > 0)
    n += got;
  if (fd >= 0)
    close (fd);
  if (first == N || n < N)
    {
      g_test_skip ("/proc/kallsyms is not there, or not what it is elsewhere");
      return;
    }
  file = file_test_open (loop->context, "/proc/kallsyms", "r");
  probe_init (&probe, file);
  gaio_request_read (probe.request, 0, N);
  probe_wait_ok (&probe, loop, N);
  g_assert_cmpmem (gaio_request_get_data (probe.request, NULL), N, expected, N);
  probe_clear (&probe);
  g_object_unref (file);
}

static void
test_write (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "a", NULL);
  GaioFile *file = file_test_open (loop->context, path, "w+");
  g_autoptr (GBytes) bytes = file_test_pattern_bytes (100, 5000);
  g_autoptr (GBytes) large = file_test_pattern_bytes (0, 3 * 1024 * 1024 + 1);
  g_autofree char *data = NULL;
  gsize size;
  Probe probe;

  probe_init (&probe, file);
  gaio_request_write (probe.request, 100, bytes);
  probe_wait_ok (&probe, loop, 5000);
  g_assert_true (g_file_get_contents (path, &data, &size, NULL));
  g_assert_cmpuint (size, ==, 5100);
  file_test_assert_pattern (data + 100, 100, 5000);

  gaio_request_write (probe.request, 0, large);
  probe_wait_ok (&probe, loop, 3 * 1024 * 1024 + 1);
  gaio_request_read (probe.request, 0, 4 * 1024 * 1024);
  probe_wait_ok (&probe, loop, 3 * 1024 * 1024 + 1);
  file_test_assert_pattern (gaio_request_get_data (probe.request, NULL), 0, 3 * 1024 * 1024 + 1);

  gaio_request_sync (probe.request, FALSE);
  probe_wait_ok (&probe, loop, 0);
  gaio_request_sync (probe.request, TRUE);
  probe_wait_ok (&probe, loop, 0);
  gaio_request_truncate (probe.request, 77);
  probe_wait_ok (&probe, loop, 0);
  gaio_request_read (probe.request, 0, 100);
  probe_wait_ok (&probe, loop, 77);
  g_clear_pointer (&data, g_free);
  g_assert_true (g_file_get_contents (path, &data, &size, NULL));
  g_assert_cmpuint (size, ==, 77);

  probe_clear (&probe);
  g_object_unref (file);
  file_test_remove_dir (dir);
}

/* More pieces than one system call takes, of all sizes, empty ones among them. */
static void
test_writev (GaioTestLoop *loop)
{
  enum { N = 3 * IOV_MAX + 5 };
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "a", NULL);
  GaioFile *file = file_test_open (loop->context, path, "w+");
  g_autofree GBytes **chunks = g_new (GBytes *, N);
  gsize total = 0;
  Probe probe;

  for (int i = 0; i < N; i++)
    {
      gsize size = i % 7 * 13;

      chunks[i] = file_test_pattern_bytes (total, size);
      total += size;
    }
  probe_init (&probe, file);
  gaio_request_writev (probe.request, 0, chunks, N);
  /* The request has references of its own. */
  for (int i = 0; i < N; i++)
    g_bytes_unref (chunks[i]);
  probe_wait_ok (&probe, loop, total);
  g_assert_cmpuint (count_of (loop, "moved-requests"), ==, 0);
  gaio_request_read (probe.request, 0, total + 1);
  probe_wait_ok (&probe, loop, total);
  file_test_assert_pattern (gaio_request_get_data (probe.request, NULL), 0, total);

  gaio_request_writev (probe.request, 0, NULL, 0);
  probe_wait_ok (&probe, loop, 0);
  probe_clear (&probe);
  g_object_unref (file);
  file_test_remove_dir (dir);
}

/* More than one system call moves. What is written is never touched, so it takes no memory. */
static void
test_huge (GaioTestLoop *loop)
{
#ifdef __SANITIZE_THREAD__
  g_test_skip ("ThreadSanitizer looks at each byte of what is written, and remembers it");
#elif GLIB_SIZEOF_SIZE_T > 4
  const gsize size = (gsize) 3 << 30;
  GaioFile *file = file_test_open (loop->context, "/dev/null", "w");
  void *memory = mmap (NULL, size, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  GBytes *bytes;
  GBytes *chunks[3];
  Probe probe;

  if (memory == MAP_FAILED)
    {
      g_object_unref (file);
      g_test_skip ("no address space for 3 GiB");
      return;
    }
  bytes = chunks[0] = g_bytes_new_static (memory, size);
  chunks[1] = chunks[2] = bytes;
  probe_init (&probe, file);
  gaio_request_write (probe.request, 0, bytes);
  probe_wait_ok (&probe, loop, size);
  gaio_request_writev (probe.request, 0, chunks, 3);
  probe_wait_ok (&probe, loop, 3 * size);
  probe_clear (&probe);
  g_bytes_unref (bytes);
  g_object_unref (file);
  munmap (memory, size);
#else
  g_test_skip ("has no address space for it");
#endif
}

static void
test_invalid (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 100);
  GaioFile *file = file_test_open (loop->context, path, "r+");
  g_autoptr (GBytes) bytes = file_test_pattern_bytes (0, 10);
  static const goffset offsets[] = { -1, -2, G_MININT64 };
  g_autofree char *data = NULL;
  gsize size;
  Probe probe;

  probe_init (&probe, file);
  for (guint i = 0; i < G_N_ELEMENTS (offsets); i++)
    {
      gaio_request_read (probe.request, offsets[i], 10);
      probe_wait_error (&probe, loop, G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
      gaio_request_write (probe.request, offsets[i], bytes);
      probe_wait_error (&probe, loop, G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
      gaio_request_truncate (probe.request, offsets[i]);
      probe_wait_error (&probe, loop, G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
    }
  gaio_request_read (probe.request, G_MAXINT64 - 4, 10);
  probe_wait_error (&probe, loop, G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  gaio_request_write (probe.request, G_MAXINT64 - 4, bytes);
  probe_wait_error (&probe, loop, G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  gaio_request_read (probe.request, 0, G_MAXSIZE);
  probe_wait_error (&probe, loop, G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  g_assert_null (gaio_request_get_data (probe.request, &size));

  /* Nothing was written, at the file's own position least of all. */
  g_assert_true (g_file_get_contents (path, &data, &size, NULL));
  g_assert_cmpuint (size, ==, 100);
  file_test_assert_pattern (data, 0, 100);
  probe_clear (&probe);
  g_object_unref (file);
  file_test_remove_dir (dir);
}

static void
test_no_memory (GaioTestLoop *loop)
{
  GaioFile *file = file_test_open (loop->context, "/dev/zero", "r");
  Probe probe;

  probe_init (&probe, file);
  gaio_request_read (probe.request, 0, G_MAXSSIZE - 100);
  probe_wait (&probe, loop);
  g_assert_error (probe.error, GAIO_ERROR, GAIO_ERROR_NO_MEMORY);
  probe_clear (&probe);
  g_object_unref (file);
}

static void
test_zero_length (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 100);
  GaioFile *file = file_test_open (loop->context, path, "r+");
  g_autoptr (GBytes) nothing = g_bytes_new (NULL, 0);
  g_autoptr (GBytes) bytes = NULL;
  Probe probe;

  probe_init (&probe, file);
  gaio_request_read (probe.request, 50, 0);
  probe_wait_ok (&probe, loop, 0);
  bytes = gaio_request_steal_bytes (probe.request);
  g_assert_cmpuint (g_bytes_get_size (bytes), ==, 0);
  gaio_request_write (probe.request, 50, nothing);
  probe_wait_ok (&probe, loop, 0);
  probe_clear (&probe);
  g_object_unref (file);
  file_test_remove_dir (dir);
}

/* The kernel's own refusals come through with operation, file and count. */
static void
test_kernel_errors (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 100);
  GaioFile *full = file_test_open (loop->context, "/dev/full", "w");
  GaioFile *reader = file_test_open (loop->context, path, "r");
  g_autoptr (GBytes) bytes = file_test_pattern_bytes (0, 1000);
  Probe probe;

  probe_init (&probe, full);
  gaio_request_write (probe.request, 0, bytes);
  probe_wait (&probe, loop);
  g_assert_cmpuint (probe.n_bytes, ==, 0);
  g_assert_true (g_str_has_prefix (probe.error->message,
                                   "write “/dev/full”, 0 of 1000 bytes written: "));
  file_test_assert_error (g_steal_pointer (&probe.error), G_IO_ERROR_NO_SPACE, ENOSPC);
  probe_clear (&probe);

  probe_init (&probe, reader);
  gaio_request_write (probe.request, 0, bytes);
  probe_wait (&probe, loop);
  g_assert_cmpint (gaio_error_get_errno (probe.error), ==, EBADF);
  g_assert_nonnull (strstr (probe.error->message, path));
  gaio_request_truncate (probe.request, 0);
  probe_wait_error (&probe, loop, G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  probe_clear (&probe);
  g_object_unref (full);
  g_object_unref (reader);
  file_test_remove_dir (dir);
}

typedef struct
{
  Probe probe;
  int left;
} Repeater;

static void
on_end_again (GaioRequest *request, gpointer user_data)
{
  Repeater *repeater = user_data;

  on_end (request, &repeater->probe);
  g_assert_no_error (repeater->probe.error);
  file_test_assert_pattern (gaio_request_get_data (request, NULL), repeater->left * 8, 64);
  if (--repeater->left >= 0)
    {
      int ended = repeater->probe.ended;

      gaio_request_read (request, repeater->left * 8, 64);
      g_assert_cmpint (repeater->probe.ended, ==, ended);
    }
}

static void
test_resubmit (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 10000);
  GaioFile *file = file_test_open (loop->context, path, "r");
  Repeater repeater = { .left = 999 };

  repeater.probe.request = gaio_request_new (file, on_end_again, &repeater, NULL);
  g_object_unref (file);
  gaio_request_read (repeater.probe.request, repeater.left * 8, 64);
  gaio_test_turn_until (loop, &repeater.probe.ended, 1000);
  gaio_test_settle (loop);
  g_assert_cmpint (repeater.probe.ended, ==, 1000);
  probe_clear (&repeater.probe);
  file_test_remove_dir (dir);
}

static void
test_in_flight (GaioTestLoop *loop)
{
  GaioFile *file;
  Probe probe;
  int fds[2];

  file_test_make_pipe (fds);
  file = file_test_adopt (loop->context, fds[0]);
  probe_init (&probe, file);
  gaio_request_read (probe.request, 0, 100);
  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*gaio_request_read*in flight*");
  gaio_request_read (probe.request, 0, 50);
  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*gaio_request_sync*in flight*");
  gaio_request_sync (probe.request, FALSE);
  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*is_idle*");
  g_assert_null (gaio_request_get_data (probe.request, NULL));
  g_test_assert_expected_messages ();
  gaio_test_settle (loop);
  g_assert_cmpint (probe.ended, ==, 0);

  g_assert_cmpint (write (fds[1], "abc", 3), ==, 3);
  probe_wait_ok (&probe, loop, 3);
  gaio_test_settle (loop);
  g_assert_cmpint (probe.ended, ==, 0);
  probe_clear (&probe);
  g_object_unref (file);
  close (fds[1]);
}

typedef struct
{
  GaioRequest *request;
  GaioFile *file;
  int ended;
  int freed;
} Owner;

static void
on_end_drop_all (GaioRequest *request, gpointer user_data)
{
  Owner *owner = user_data;

  owner->ended++;
  g_clear_pointer (&owner->request, gaio_request_unref);
  g_clear_object (&owner->file);
}

static void
on_free (gpointer user_data)
{
  g_atomic_int_inc (&((Owner *) user_data)->freed);
}

static void
test_last_reference_in_callback (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 100);
  Owner owner = { .file = file_test_open (loop->context, path, "r") };
  int fd = gaio_file_get_fd (owner.file);

  owner.request = gaio_request_new (owner.file, on_end_drop_all, &owner, on_free);
  gaio_request_read (owner.request, 0, 100);
  gaio_test_turn_until (loop, &owner.ended, 1);
  gaio_test_turn_until (loop, &owner.freed, 1);
  g_assert_cmpint (owner.ended, ==, 1);
  g_assert_cmpint (owner.freed, ==, 1);
  g_assert_cmpint (fcntl (fd, F_GETFD), ==, -1);
  file_test_remove_dir (dir);
}

/* Nobody but the request itself holds it and its file while it is in flight. */
static void
test_reference_in_flight (GaioTestLoop *loop)
{
  Owner owner = { 0 };
  int fds[2];

  file_test_make_pipe (fds);
  owner.file = file_test_adopt (loop->context, fds[0]);
  owner.request = gaio_request_new (owner.file, on_end_drop_all, &owner, on_free);
  gaio_request_read (owner.request, 0, 100);
  g_clear_pointer (&owner.request, gaio_request_unref);
  g_clear_object (&owner.file);
  gaio_test_settle (loop);
  g_assert_cmpint (owner.ended, ==, 0);
  g_assert_cmpint (owner.freed, ==, 0);
  g_assert_cmpint (write (fds[1], "abc", 3), ==, 3);
  gaio_test_turn_until (loop, &owner.freed, 1);
  g_assert_cmpint (owner.ended, ==, 1);
  close (fds[1]);
}

static gpointer
drop_request (gpointer data)
{
  gaio_request_unref (data);
  return NULL;
}

static void
on_free_at_home (gpointer user_data)
{
  Probe *probe = user_data;

  probe->thread = g_thread_self ();
  g_atomic_int_inc (&probe->ended);
}

/* User data belongs to the home thread, wherever the last reference is dropped. */
static void
test_data_is_freed_at_home (GaioTestLoop *loop)
{
  GaioFile *file = file_test_open (loop->context, "/dev/null", "r");
  Probe probe = { 0 };
  GaioRequest *request = gaio_request_new (file, NULL, &probe, on_free_at_home);

  g_object_unref (file);
  g_thread_join (g_thread_new ("drop", drop_request, request));
  g_assert_cmpint (probe.ended, ==, 0);
  gaio_test_turn_until (loop, &probe.ended, 1);
  g_assert_true (probe.thread == g_thread_self ());
}

static void
test_cancel (GaioTestLoop *loop)
{
  GaioFile *file;
  Probe probe;
  int fds[2];

  file_test_make_pipe (fds);
  file = file_test_adopt (loop->context, fds[0]);
  probe_init (&probe, file);

  /* Idle: nothing. */
  gaio_request_cancel (probe.request);
  gaio_test_settle (loop);
  g_assert_cmpint (probe.ended, ==, 0);

  for (int i = 0; i < 3; i++)
    {
      gaio_request_read (probe.request, 0, 100);
      gaio_test_settle (loop);
      g_assert_cmpint (probe.ended, ==, 0);
      gaio_request_cancel (probe.request);
      gaio_request_cancel (probe.request);
      probe_wait_error (&probe, loop, G_IO_ERROR_CANCELLED, ECANCELED);
      gaio_request_cancel (probe.request);
    }

  /* At once, before the loop has turned. */
  gaio_request_read (probe.request, 0, 100);
  gaio_request_cancel (probe.request);
  probe_wait_error (&probe, loop, G_IO_ERROR_CANCELLED, ECANCELED);

  /* A cancel is of one submission; and the pipe has lost nothing. */
  g_assert_cmpint (write (fds[1], "abc", 3), ==, 3);
  gaio_request_read (probe.request, 0, 100);
  probe_wait_ok (&probe, loop, 3);
  g_assert_cmpmem (gaio_request_get_data (probe.request, NULL), 3, "abc", 3);
  probe_clear (&probe);
  g_object_unref (file);
  close (fds[1]);
}

static gpointer
cancel_request (gpointer data)
{
  gaio_request_cancel (data);
  gaio_request_unref (data);
  return NULL;
}

static void
test_cancel_from_thread (GaioTestLoop *loop)
{
  GaioFile *file;
  Probe probe;
  int fds[2];

  file_test_make_pipe (fds);
  file = file_test_adopt (loop->context, fds[0]);
  probe_init (&probe, file);
  for (int i = 0; i < 20; i++)
    {
      GThread *thread;

      gaio_request_read (probe.request, 0, 100);
      if (i % 2 == 0)
        gaio_test_turn (loop, FALSE);
      thread = g_thread_new ("cancel", cancel_request, gaio_request_ref (probe.request));
      probe_wait_error (&probe, loop, G_IO_ERROR_CANCELLED, ECANCELED);
      g_thread_join (thread);
    }

  probe_clear (&probe);
  g_object_unref (file);
  close (fds[1]);
}

typedef struct
{
  Probe probe;
  int ended; /* of the first submission */
} Successor;

static void
on_end_submit_next (GaioRequest *request, gpointer user_data)
{
  Successor *successor = user_data;

  if (successor->ended++ == 0)
    gaio_request_read (request, 0, 100);
  else
    on_end (request, &successor->probe);
}

/* A cancel that arrives when the next submission is in flight is not for that. */
static void
test_cancel_too_late (GaioTestLoop *loop)
{
  for (int i = 0; i < 10; i++)
    {
      Successor successor = { 0 };
      GaioFile *file;
      int fds[2];

      file_test_make_pipe (fds);
      file = file_test_adopt (loop->context, fds[0]);
      successor.probe.request = gaio_request_new (file, on_end_submit_next, &successor, NULL);
      gaio_request_read (successor.probe.request, 0, 100);
      gaio_test_settle (loop);
      g_assert_cmpint (write (fds[1], "abc", 3), ==, 3);
      g_thread_join (g_thread_new ("cancel",
                                   cancel_request,
                                   gaio_request_ref (successor.probe.request)));
      gaio_test_turn_until (loop, &successor.ended, 1);
      gaio_test_settle (loop);
      /* Now it waits, unless the cancel was in time, which left it the data. */
      if (successor.probe.ended == 0)
        g_assert_cmpint (write (fds[1], "def", 3), ==, 3);
      gaio_test_turn_until (loop, &successor.probe.ended, 1);
      g_assert_no_error (successor.probe.error);
      g_assert_cmpuint (successor.probe.n_bytes, >, 0);
      probe_clear (&successor.probe);
      g_object_unref (file);
      close (fds[1]);
    }
}

/* What did get written before the cancel is known. */
static void
test_cancel_half_way (GaioTestLoop *loop)
{
  g_autoptr (GBytes) bytes = file_test_pattern_bytes (0, 1024 * 1024);
  g_autofree guint8 *received = g_malloc (1024 * 1024);
  GaioFile *file;
  Probe probe;
  gsize n = 0;
  gssize got;
  int fds[2];

  file_test_make_pipe (fds);
  g_assert_cmpint (fcntl (fds[0], F_SETFL, O_NONBLOCK), ==, 0);
  file = file_test_adopt (loop->context, fds[1]);
  probe_init (&probe, file);
  gaio_request_write (probe.request, 0, bytes);
  /* Until the pipe has something, and the writer waits for room. */
  while ((got = read (fds[0], received, 4096)) < 0)
    gaio_test_turn (loop, FALSE);
  n += got;
  gaio_request_cancel (probe.request);
  probe_wait (&probe, loop);
  file_test_assert_error (g_steal_pointer (&probe.error), G_IO_ERROR_CANCELLED, ECANCELED);
  while ((got = read (fds[0], received + n, 1024 * 1024 - n)) > 0)
    n += got;
  g_assert_cmpuint (probe.n_bytes, ==, n);
  file_test_assert_pattern (received, 0, n);
  probe_clear (&probe);
  g_object_unref (file);
  close (fds[0]);
}

typedef struct
{
  Probe *probes;
  guint n;
  GBytes *bytes;  /* write these at 0; NULL: read */
  gboolean cancel;
} Submitter;

static gpointer
submit_all (gpointer data)
{
  Submitter *submitter = data;

  for (guint i = 0; i < submitter->n; i++)
    {
      if (submitter->bytes != NULL)
        gaio_request_write (submitter->probes[i].request, 0, submitter->bytes);
      else
        gaio_request_read (submitter->probes[i].request, i * 10, 100);
      if (submitter->cancel)
        gaio_request_cancel (submitter->probes[i].request);
    }
  return NULL;
}

static void
test_foreign_thread (GaioTestLoop *loop)
{
  enum { N = 500 };
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 10000);
  GaioFile *file = file_test_open (loop->context, path, "r");
  g_autofree Probe *probes = g_new (Probe, N);
  Submitter submitter = { .probes = probes, .n = N };
  GThread *thread;

  for (guint i = 0; i < N; i++)
    probe_init (&probes[i], file);
  thread = g_thread_new ("submit", submit_all, &submitter);
  for (guint i = 0; i < N; i++)
    {
      gaio_test_turn_until (loop, &probes[i].ended, 1);
      g_assert_no_error (probes[i].error);
      g_assert_true (probes[i].thread == g_thread_self ());
      g_assert_cmpuint (probes[i].n_bytes, ==, 100);
      file_test_assert_pattern (gaio_request_get_data (probes[i].request, NULL), i * 10, 100);
    }
  g_thread_join (thread);
  gaio_test_settle (loop);
  for (guint i = 0; i < N; i++)
    {
      g_assert_cmpint (probes[i].ended, ==, 1);
      probe_clear (&probes[i]);
    }
  g_object_unref (file);
  file_test_remove_dir (dir);
}

/* Submitted and cancelled before the home thread knows of either: nothing happens to the file. */
static void
test_cancel_before (GaioTestLoop *loop)
{
  enum { N = 20 };
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 0);
  GaioFile *file = file_test_open (loop->context, path, "w");
  Submitter submitter = { .n = N, .bytes = file_test_pattern_bytes (0, 10), .cancel = TRUE };
  Probe probes[N];
  struct stat info;

  submitter.probes = probes;
  for (guint i = 0; i < N; i++)
    probe_init (&probes[i], file);
  g_thread_join (g_thread_new ("submit", submit_all, &submitter));
  for (guint i = 0; i < N; i++)
    {
      gaio_test_turn_until (loop, &probes[i].ended, 1);
      file_test_assert_error (g_steal_pointer (&probes[i].error),
                              G_IO_ERROR_CANCELLED,
                              ECANCELED);
      probe_clear (&probes[i]);
    }
  g_assert_cmpint (stat (path, &info), ==, 0);
  g_assert_cmpint (info.st_size, ==, 0);
  g_bytes_unref (submitter.bytes);
  g_object_unref (file);
  file_test_remove_dir (dir);
}

typedef struct
{
  GaioRequest *request;
  goffset offset;
  int *ended;
  int *cancelled;
} Block;

static void
on_block_end (GaioRequest *request, gpointer user_data)
{
  Block *block = user_data;
  g_autoptr (GError) error = NULL;
  gsize n;

  if (gaio_request_get_result (request, &n, &error))
    {
      g_assert_cmpuint (n, ==, 64);
      file_test_assert_pattern (gaio_request_get_data (request, NULL), block->offset, 64);
    }
  else
    {
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      (*block->cancelled)++;
    }
  (*block->ended)++;
}

/* Far more than a ring has room for. Every seventh is cancelled: some of them wait for the ring,
 * some are in it, and each ends once. */
static void
test_many (GaioTestLoop *loop)
{
  enum { N = 10000 };
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", N * 16 + 64);
  GaioFile *file = file_test_open (loop->context, path, "r");
  g_autofree Block *blocks = g_new (Block, N);
  int ended = 0;
  int cancelled = 0;
  int asked = 0;

  for (int round = 0; round < 2; round++)
    {
      ended = cancelled = asked = 0;
      for (int i = 0; i < N; i++)
        {
          blocks[i] = (Block){ .offset = i * 16, .ended = &ended, .cancelled = &cancelled };
          blocks[i].request = gaio_request_new (file, on_block_end, &blocks[i], NULL);
          gaio_request_read (blocks[i].request, i * 16, 64);
        }
      g_assert_cmpint (ended, ==, 0);
      for (int i = 3; round == 1 && i < N; i += 7, asked++)
        gaio_request_cancel (blocks[i].request);
      gaio_test_turn_until (loop, &ended, N);
      gaio_test_settle (loop);
      g_assert_cmpint (ended, ==, N);
      g_assert_cmpint (cancelled, <=, asked);
      /* Those that waited for the ring had not begun; threads may have done all by then. */
      if (round == 1 && loop->engine == GAIO_ENGINE_IO_URING)
        g_assert_cmpint (cancelled, >, 0);
      for (int i = 0; i < N; i++)
        gaio_request_unref (blocks[i].request);
    }
  g_object_unref (file);
  file_test_remove_dir (dir);
}

static void
test_pipe (GaioTestLoop *loop)
{
  GaioFile *reader, *writer;
  Probe read_probe, write_probe;
  g_autoptr (GBytes) large = file_test_pattern_bytes (0, 500000);
  gsize received = 0;
  int fds[2];

  file_test_make_pipe (fds);
  reader = file_test_adopt (loop->context, fds[0]);
  writer = file_test_adopt (loop->context, fds[1]);
  g_assert_false (gaio_file_is_seekable (reader));
  probe_init (&read_probe, reader);
  probe_init (&write_probe, writer);

  /* What is there is enough, wherever one asks for it. */
  g_assert_cmpint (write (fds[1], "hello", 5), ==, 5);
  gaio_request_read (read_probe.request, 1000, 100);
  probe_wait_ok (&read_probe, loop, 5);
  g_assert_cmpmem (gaio_request_get_data (read_probe.request, NULL), 5, "hello", 5);

  /* A write is not over before all of it is. */
  gaio_request_write (write_probe.request, 1000, large);
  while (received < 500000)
    {
      gaio_request_read (read_probe.request, 0, 70000);
      probe_wait (&read_probe, loop);
      g_assert_no_error (read_probe.error);
      file_test_assert_pattern (gaio_request_get_data (read_probe.request, NULL),
                                received,
                                read_probe.n_bytes);
      received += read_probe.n_bytes;
    }
  gaio_test_turn_until (loop, &write_probe.ended, 1);
  g_assert_no_error (write_probe.error);
  g_assert_cmpuint (write_probe.n_bytes, ==, 500000);

  probe_clear (&write_probe);
  g_object_unref (writer);
  gaio_request_read (read_probe.request, 0, 100);
  probe_wait_ok (&read_probe, loop, 0);
  probe_clear (&read_probe);
  g_object_unref (reader);
}

static gpointer
write_later (gpointer data)
{
  /* Longer than a read is tried again that is told to come back later. */
  g_usleep (100000);
  g_assert_cmpint (write (GPOINTER_TO_INT (data), "later", 5), ==, 5);
  return NULL;
}

/* A descriptor in non-blocking mode is waited for like any other. */
static void
test_nonblocking_pipe (GaioTestLoop *loop)
{
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) error = NULL;
  GThread *thread;
  GaioFile *file;
  Probe probe;
  int fds[2];

  file_test_make_pipe (fds);
  g_assert_cmpint (fcntl (fds[0], F_SETFL, O_NONBLOCK), ==, 0);
  file = file_test_adopt (loop->context, fds[0]);
  probe_init (&probe, file);
  gaio_request_read (probe.request, 0, 100);
  for (int i = 0; i < 50; i++)
    {
      gaio_test_turn (loop, FALSE);
      g_usleep (100);
    }
  g_assert_cmpint (probe.ended, ==, 0);
  g_assert_cmpint (write (fds[1], "abc", 3), ==, 3);
  probe_wait_ok (&probe, loop, 3);
  gaio_request_read (probe.request, 0, 100);
  gaio_test_settle (loop);
  gaio_request_cancel (probe.request);
  probe_wait_error (&probe, loop, G_IO_ERROR_CANCELLED, ECANCELED);

  thread = g_thread_new ("write", write_later, GINT_TO_POINTER (fds[1]));
  bytes = gaio_file_read_bytes (file, 0, 100, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpmem (g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), "later", 5);
  g_thread_join (thread);
  probe_clear (&probe);
  g_object_unref (file);
  close (fds[1]);
}

/* Reads that wait for a pipe do not keep others from the disk, however many. */
static void
test_pipes_do_not_block_files (GaioTestLoop *loop)
{
  enum { N = 600 };
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 100);
  GaioFile *file = file_test_open (loop->context, path, "r");
  g_autofree Probe *waiting = g_new (Probe, N);
  GaioFile *pipe_file;
  Probe probe;
  int fds[2];

  if (loop->engine == GAIO_ENGINE_THREADS)
    {
      g_test_skip ("each waits in a thread of the pool, which has fewer");
      g_object_unref (file);
      file_test_remove_dir (dir);
      return;
    }
  file_test_make_pipe (fds);
  pipe_file = file_test_adopt (loop->context, fds[0]);
  for (int i = 0; i < N; i++)
    {
      probe_init (&waiting[i], pipe_file);
      gaio_request_read (waiting[i].request, 0, 1);
    }
  probe_init (&probe, file);
  gaio_request_read (probe.request, 0, 100);
  probe_wait_ok (&probe, loop, 100);
  probe_clear (&probe);

  for (int i = 0; i < N; i++)
    gaio_request_cancel (waiting[i].request);
  for (int i = 0; i < N; i++)
    {
      gaio_test_turn_until (loop, &waiting[i].ended, 1);
      file_test_assert_error (g_steal_pointer (&waiting[i].error),
                              G_IO_ERROR_CANCELLED,
                              ECANCELED);
      probe_clear (&waiting[i]);
    }
  g_object_unref (pipe_file);
  g_object_unref (file);
  close (fds[1]);
  file_test_remove_dir (dir);
}

static void
test_append (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 10);
  GaioFile *file = file_test_open (loop->context, path, "a");
  g_autoptr (GBytes) first = file_test_pattern_bytes (10, 20);
  g_autoptr (GBytes) second = file_test_pattern_bytes (30, 5);
  g_autofree char *data = NULL;
  gsize size;
  Probe probe;

  probe_init (&probe, file);
  gaio_request_write (probe.request, 0, first);
  probe_wait_ok (&probe, loop, 20);
  gaio_request_write (probe.request, 3, second);
  probe_wait_ok (&probe, loop, 5);
  g_assert_true (g_file_get_contents (path, &data, &size, NULL));
  g_assert_cmpuint (size, ==, 35);
  file_test_assert_pattern (data, 0, 35);
  probe_clear (&probe);
  g_object_unref (file);
  file_test_remove_dir (dir);
}

typedef struct
{
  Probe *probe;
  GaioTestLoop *loop;
  Probe inner;
  int ended;
} Nest;

static void
on_end_nested (GaioRequest *request, gpointer user_data)
{
  Nest *nest = user_data;

  /* The inner turns end another request, and this one again. */
  if (nest->ended++ == 0)
    {
      gaio_request_read (nest->inner.request, 10, 50);
      gaio_request_read (request, 20, 30);
      while (nest->inner.ended == 0 || nest->ended < 2)
        gaio_context_poll (nest->loop->context, TRUE);
      g_assert_no_error (nest->inner.error);
      file_test_assert_pattern (gaio_request_get_data (nest->inner.request, NULL), 10, 50);
      file_test_assert_pattern (gaio_request_get_data (request, NULL), 20, 30);
    }
}

static void
test_nested (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 100);
  GaioFile *file = file_test_open (loop->context, path, "r");
  Nest nest = { .loop = loop };
  GaioRequest *request = gaio_request_new (file, on_end_nested, &nest, NULL);

  probe_init (&nest.inner, file);
  gaio_request_read (request, 0, 100);
  gaio_test_turn_until (loop, &nest.ended, 2);
  gaio_test_settle (loop);
  g_assert_cmpint (nest.ended, ==, 2);
  g_assert_cmpint (nest.inner.ended, ==, 1);
  gaio_request_unref (request);
  probe_clear (&nest.inner);
  g_object_unref (file);
  file_test_remove_dir (dir);
}

static void
on_end_close (GaioRequest *request, gpointer user_data)
{
  Owner *owner = user_data;
  g_autoptr (GError) error = NULL;

  g_assert_true (gaio_request_get_result (request, NULL, &error));
  g_assert_true (gaio_file_close (owner->file, NULL, &error));
  g_assert_no_error (error);
  g_assert_cmpint (gaio_file_get_fd (owner->file), ==, -1);
  owner->ended++;
}

/* What closes its file in its callback does not wait for itself. */
static void
test_close_in_callback (GaioTestLoop *loop)
{
  Owner owner = { .file = file_test_open (loop->context, "/dev/zero", "r") };
  GaioRequest *request = gaio_request_new (owner.file, on_end_close, &owner, NULL);

  gaio_request_read (request, 0, 10);
  gaio_test_turn_until (loop, &owner.ended, 1);
  gaio_request_unref (request);
  g_object_unref (owner.file);
}

#define STRESS_SLOTS 16
#define STRESS_SUBMISSIONS 500
#define STRESS_THREADS 3

typedef struct
{
  GaioRequest *request;
  int busy;
  goffset offset;
  int *ended;
  int *cancelled;
} Slot;

typedef struct
{
  Slot slots[STRESS_SLOTS];
  guint32 seed;
  GaioContext *context;
  int *threads_done;
} Worker;

static void
on_slot_end (GaioRequest *request, gpointer user_data)
{
  Slot *slot = user_data;
  g_autoptr (GError) error = NULL;
  gsize n;

  if (gaio_request_get_result (request, &n, &error))
    {
      g_assert_cmpuint (n, ==, 50);
      file_test_assert_pattern (gaio_request_get_data (request, NULL), slot->offset, 50);
    }
  else
    {
      g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      g_atomic_int_inc (slot->cancelled);
    }
  g_atomic_int_inc (slot->ended);
  g_atomic_int_set (&slot->busy, 0);
}

static gpointer
stress (gpointer data)
{
  Worker *worker = data;
  GRand *random = g_rand_new_with_seed (worker->seed);

  for (int n = 0; n < STRESS_SUBMISSIONS;)
    {
      Slot *slot = &worker->slots[g_rand_int_range (random, 0, STRESS_SLOTS)];

      if (g_atomic_int_get (&slot->busy))
        {
          if (g_rand_int_range (random, 0, 4) == 0)
            gaio_request_cancel (slot->request);
          else
            g_thread_yield ();
          continue;
        }
      g_atomic_int_set (&slot->busy, 1);
      slot->offset = g_rand_int_range (random, 0, 9000);
      gaio_request_read (slot->request, slot->offset, 50);
      n++;
    }
  g_rand_free (random);
  g_atomic_int_inc (worker->threads_done);
  gaio_context_notify (worker->context);
  return NULL;
}

/* Submissions and cancels from several threads at once, of requests that are used again and again:
 * as many ends as submissions, and each with what was asked for. */
static void
test_stress (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 10000);
  GaioFile *file = file_test_open (loop->context, path, "r");
  Worker workers[STRESS_THREADS];
  GThread *threads[STRESS_THREADS];
  int threads_done = 0;
  int ended = 0;
  int cancelled = 0;

  for (int i = 0; i < STRESS_THREADS; i++)
    {
      workers[i] = (Worker){ .seed = g_test_rand_int (),
                             .context = loop->context,
                             .threads_done = &threads_done };
      for (int j = 0; j < STRESS_SLOTS; j++)
        {
          Slot *slot = &workers[i].slots[j];

          slot->ended = &ended;
          slot->cancelled = &cancelled;
          slot->request = gaio_request_new (file, on_slot_end, slot, NULL);
        }
      threads[i] = g_thread_new ("stress", stress, &workers[i]);
    }
  gaio_test_turn_until (loop, &ended, STRESS_THREADS * STRESS_SUBMISSIONS);
  for (int i = 0; i < STRESS_THREADS; i++)
    g_thread_join (threads[i]);
  gaio_test_settle (loop);
  g_assert_cmpint (ended, ==, STRESS_THREADS * STRESS_SUBMISSIONS);
  g_assert_cmpint (cancelled, <, ended);
  for (int i = 0; i < STRESS_THREADS; i++)
    for (int j = 0; j < STRESS_SLOTS; j++)
      gaio_request_unref (workers[i].slots[j].request);
  g_object_unref (file);
  file_test_remove_dir (dir);
}

/* The child has a copy of the loop, but the ring and the threads are the parent's. */
static void
test_fork (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 100);
  GaioFile *file = file_test_open (loop->context, path, "r");
  Probe probe;
  int status;
  pid_t child;

  probe_init (&probe, file);
  gaio_request_read (probe.request, 0, 100);
  probe_wait_ok (&probe, loop, 100);
  child = fork ();
  if (child == 0)
    {
      alarm (20);
      gaio_request_read (probe.request, 0, 100);
      while (probe.ended == 0)
        gaio_test_turn (loop, FALSE);
      _exit (g_error_matches (probe.error, G_IO_ERROR, G_IO_ERROR_FAILED) &&
                     strstr (probe.error->message, "fork") != NULL
                 ? 0
                 : 1);
    }
  g_assert_cmpint (child, >, 0);
  while (waitpid (child, &status, 0) < 0)
    g_assert_cmpint (errno, ==, EINTR);
  g_assert_cmpint (status, ==, 0);

  gaio_request_read (probe.request, 50, 50);
  probe_wait_ok (&probe, loop, 50);
  file_test_assert_pattern (gaio_request_get_data (probe.request, NULL), 50, 50);
  probe_clear (&probe);
  g_object_unref (file);
  file_test_remove_dir (dir);
}

static void
on_end_read_again (GaioRequest *request, gpointer user_data)
{
  Probe *probe = user_data;

  on_end (request, probe);
  if (probe->ended == 1)
    gaio_request_read (request, 30, 100);
}

/* The context of an I/O thread that has ended can be attached elsewhere. Its ring is gone. */
static void
check_after_io_thread (gboolean new_file)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 1000);
  GError *error = NULL;
  GMainContext *main_context = g_main_context_new ();
  GaioIOThread *thread = gaio_io_thread_new ("file", &error);
  GaioContext *context;
  GaioFile *file;
  Probe probe;

  g_assert_no_error (error);
  context = g_object_ref (gaio_io_thread_get_context (thread));
  file = file_test_open (context, path, "r");
  probe_init (&probe, file);
  gaio_request_read (probe.request, 10, 100);
  while (g_atomic_int_get (&probe.ended) == 0)
    g_usleep (1000);
  g_assert_no_error (probe.error);
  g_assert_true (probe.thread != g_thread_self ());
  gaio_io_thread_stop (thread);
  g_object_unref (thread);
  probe_clear (&probe);

  gaio_context_attach (context, main_context);
  if (new_file)
    {
      g_object_unref (file);
      file = file_test_open (context, path, "r");
      /* This is the home, so that the request goes into its engine at once. */
      g_main_context_iteration (main_context, FALSE);
    }
  /* At first one that never reaches an engine. */
  probe = (Probe){ .request = gaio_request_new (file, on_end_read_again, &probe, NULL) };
  gaio_request_read (probe.request, 20, new_file ? 10 : 0);
  while (probe.ended < 2)
    g_main_context_iteration (main_context, TRUE);
  g_assert_no_error (probe.error);
  g_assert_cmpuint (probe.n_bytes, ==, 100);
  g_assert_true (probe.thread == g_thread_self ());
  file_test_assert_pattern (gaio_request_get_data (probe.request, NULL), 30, 100);
  probe_clear (&probe);
  g_object_unref (file);
  g_object_unref (context);
  g_main_context_unref (main_context);
  file_test_remove_dir (dir);
}

static void
test_after_io_thread (void)
{
  check_after_io_thread (FALSE);
  check_after_io_thread (TRUE);
}

/* Across RLIMIT_FSIZE: what fits is written, then EFBIG, and the process lives. Of the process, so
 * it runs in one of its own. */
static void
test_size_limit (void)
{
  if (g_test_subprocess ())
    {
      static const GaioEngine engines[] = { GAIO_ENGINE_AUTO, GAIO_ENGINE_THREADS };
      const struct rlimit limit = { .rlim_cur = 8192, .rlim_max = 8192 };
      g_autoptr (GBytes) bytes = file_test_pattern_bytes (6000, 6000);
      char *dir = file_test_make_dir ();

      signal (SIGXFSZ, SIG_DFL);
      g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &limit), ==, 0);
      for (guint i = 0; i < G_N_ELEMENTS (engines); i++)
        {
          g_autofree char *path = g_strdup_printf ("%s/%u", dir, i);
          g_autofree char *message = NULL;
          g_autoptr (GError) error = NULL;
          g_autoptr (GaioContext) context = g_initable_new (GAIO_TYPE_CONTEXT,
                                                            NULL,
                                                            NULL,
                                                            "engine",
                                                            engines[i],
                                                            NULL);
          g_autoptr (GaioFile) file = file_test_open (context, path, "w+");
          GaioTestLoop loop = { .context = context,
                                .main_context = g_main_context_default (),
                                .driver = GAIO_TEST_BY_POLL };
          Probe probe;

          probe_init (&probe, file);
          gaio_request_write (probe.request, 6000, bytes);
          probe_wait (&probe, &loop);
          g_assert_cmpint (gaio_error_get_errno (probe.error), ==, EFBIG);
          g_assert_error (probe.error, GAIO_ERROR, GAIO_ERROR_FILE_TOO_LARGE);
          g_assert_cmpuint (probe.n_bytes, ==, 2192);
          /* Some file systems would have the ring raise the signal. */
          g_assert_cmpuint (count_of (&loop, "ring-requests"), ==, 0);
          message = g_strdup_printf ("write “%s”, 2192 of 6000 bytes written: ", path);
          g_assert_true (g_str_has_prefix (probe.error->message, message));
          gaio_request_read (probe.request, 6000, 6000);
          probe_wait_ok (&probe, &loop, 2192);
          file_test_assert_pattern (gaio_request_get_data (probe.request, NULL), 6000, 2192);
          gaio_request_truncate (probe.request, 100000);
          probe_wait (&probe, &loop);
          g_assert_cmpint (gaio_error_get_errno (probe.error), ==, EFBIG);

          /* The same in this thread, which does not have the signal blocked. */
          g_assert_cmpint (gaio_file_write_bytes (file, 6000, bytes, NULL, &error), ==, -1);
          g_assert_cmpint (gaio_error_get_errno (error), ==, EFBIG);
          probe_clear (&probe);
        }
      file_test_remove_dir (dir);
      return;
    }
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_passed ();
}

/* A ring that works at first, and which the kernel then refuses to be entered for: what is in it,
 * and what comes later, is done by the threads, and nobody is told. */
static void
test_ring_breaks (void)
{
  if (g_test_subprocess ())
    {
      enum { N = 300 };
      char *dir = file_test_make_dir ();
      g_autofree char *path = file_test_make_file (dir, "a", 10000);
      g_autofree Probe *probes = g_new (Probe, N);
      g_autoptr (GaioContext) context = gaio_context_new (NULL);
      GaioFile *file = file_test_open (context, path, "r");
      GaioTestLoop loop = { .context = context,
                            .main_context = g_main_context_default (),
                            .driver = GAIO_TEST_BY_POLL };

      for (int i = 0; i < N; i++)
        probe_init (&probes[i], file);
      gaio_request_read (probes[0].request, 0, 100);
      probe_wait_ok (&probes[0], &loop, 100);
      if (gaio_context_get_engine (context) == GAIO_ENGINE_IO_URING)
        {
          g_assert_true (file_test_break_syscall (SYS_io_uring_enter, -1, EPERM));
          for (int round = 0; round < 2; round++)
            {
              for (int i = 0; i < N; i++)
                gaio_request_read (probes[i].request, i * 10, 100);
              for (int i = 0; i < N; i++)
                {
                  gaio_test_turn_until (&loop, &probes[i].ended, 1);
                  g_assert_no_error (probes[i].error);
                  g_assert_cmpuint (probes[i].n_bytes, ==, 100);
                  file_test_assert_pattern (gaio_request_get_data (probes[i].request, NULL),
                                            i * 10,
                                            100);
                }
              gaio_test_settle (&loop);
              for (int i = 0; i < N; i++)
                {
                  g_assert_cmpint (probes[i].ended, ==, 1);
                  probes[i].ended = 0;
                }
            }
          g_assert_cmpuint (count_of (&loop, "moved-requests"), >, 0);
        }
      for (int i = 0; i < N; i++)
        probe_clear (&probes[i]);
      g_object_unref (file);
      file_test_remove_dir (dir);
      return;
    }
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
  g_test_trap_assert_passed ();
}

/* A pool of the context's own takes the requests that need a thread, and the default one is left
 * alone: its threads leave at once, those of the other stay. */
static void
test_own_pool (GaioTestLoop *loop)
{
  g_autoptr (GaioThreadPool) pool = gaio_thread_pool_new ();
  g_autofree char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "file", NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (GaioFile) file = NULL;
  Probe probe;

  gaio_thread_pool_set_idle_timeout_ms (pool, G_MAXINT);
  gaio_thread_pool_serve (pool, loop->context);
  file = gaio_file_new_for_path (loop->context, path, "w+", &error);
  g_assert_no_error (error);
  probe_init (&probe, file);
  for (int i = 0; i < 3; i++)
    {
      g_autoptr (GBytes) bytes = file_test_pattern_bytes (0, 1000);

      gaio_request_write (probe.request, 0, bytes);
      probe_wait_ok (&probe, loop, 1000);
      g_assert_cmpint (gaio_thread_pool_get_n_threads (pool) > 0, ==,
                       loop->engine == GAIO_ENGINE_THREADS);
    }
  probe_clear (&probe);
  g_assert_cmpint (unlink (path), ==, 0);
  g_assert_cmpint (rmdir (dir), ==, 0);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  gaio_test_add_engine_matrix ("/request/read", test_read);
  gaio_test_add_engine_matrix ("/request/short-reads", test_short_reads);
  gaio_test_add_engine_matrix ("/request/write", test_write);
  gaio_test_add_engine_matrix ("/request/writev", test_writev);
  gaio_test_add_engine_matrix ("/request/huge", test_huge);
  gaio_test_add_engine_matrix ("/request/invalid", test_invalid);
  gaio_test_add_engine_matrix ("/request/no-memory", test_no_memory);
  gaio_test_add_engine_matrix ("/request/zero-length", test_zero_length);
  gaio_test_add_engine_matrix ("/request/kernel-errors", test_kernel_errors);
  gaio_test_add_engine_matrix ("/request/resubmit", test_resubmit);
  gaio_test_add_engine_matrix ("/request/in-flight", test_in_flight);
  gaio_test_add_engine_matrix ("/request/last-reference-in-callback",
                               test_last_reference_in_callback);
  gaio_test_add_engine_matrix ("/request/reference-in-flight", test_reference_in_flight);
  gaio_test_add_engine_matrix ("/request/data-is-freed-at-home", test_data_is_freed_at_home);
  gaio_test_add_engine_matrix ("/request/cancel", test_cancel);
  gaio_test_add_engine_matrix ("/request/cancel-from-thread", test_cancel_from_thread);
  gaio_test_add_engine_matrix ("/request/cancel-too-late", test_cancel_too_late);
  gaio_test_add_engine_matrix ("/request/cancel-half-way", test_cancel_half_way);
  gaio_test_add_engine_matrix ("/request/cancel-before", test_cancel_before);
  gaio_test_add_engine_matrix ("/request/foreign-thread", test_foreign_thread);
  gaio_test_add_engine_matrix ("/request/many", test_many);
  gaio_test_add_engine_matrix ("/request/pipe", test_pipe);
  gaio_test_add_engine_matrix ("/request/nonblocking-pipe", test_nonblocking_pipe);
  gaio_test_add_engine_matrix ("/request/pipes-do-not-block-files",
                               test_pipes_do_not_block_files);
  gaio_test_add_engine_matrix ("/request/append", test_append);
  gaio_test_add_engine_matrix ("/request/nested", test_nested);
  gaio_test_add_engine_matrix ("/request/close-in-callback", test_close_in_callback);
  gaio_test_add_engine_matrix ("/request/stress", test_stress);
  gaio_test_add_engine_matrix ("/request/fork", test_fork);
  gaio_test_add_engine_matrix ("/request/own-pool", test_own_pool);
  gaio_test_add ("/request/after-io-thread", test_after_io_thread);
  gaio_test_add ("/request/size-limit", test_size_limit);
  gaio_test_add ("/request/ring-breaks", test_ring_breaks);
  return g_test_run ();
}
