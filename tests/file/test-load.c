/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Loading whole files, in the thread's default context: one that is attached to the thread's
 * GMainContext and has the engine that is being tested. */

#include "file-test.h"

typedef struct
{
  int ended;
  GAsyncResult *result;
} Call;

static void
on_end (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Call *call = user_data;

  g_assert_null (source);
  call->result = g_object_ref (result);
  call->ended++;
}

static GBytes *
load_wait (Call *call, GError **error)
{
  GBytes *bytes;

  while (call->ended == 0)
    g_main_context_iteration (g_main_context_get_thread_default (), TRUE);
  g_assert_cmpint (call->ended, ==, 1);
  bytes = gaio_load_bytes_finish (call->result, error);
  g_clear_object (&call->result);
  call->ended = 0;
  return bytes;
}

static GBytes *
load (const char *path, GError **error)
{
  Call call = { 0 };

  gaio_load_bytes_async (path, G_PRIORITY_DEFAULT, NULL, on_end, &call);
  g_assert_cmpint (call.ended, ==, 0);
  return load_wait (&call, error);
}

/* Each size is on one side of a border: none, one, the first buffer, the chunks, more than all
 * chunks in flight. */
static void
test_sizes (void)
{
  static const gsize sizes[] = { 0,       1,       65535,           65536,
                                 65537,   131072,  1000000,         2 * 1024 * 1024 + 61440,
                                 8388608, 8388609, 9000000 };
  char *dir = file_test_make_dir ();

  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
    {
      g_autofree char *path = file_test_make_file (dir, "a", sizes[i]);
      g_autoptr (GError) error = NULL;
      g_autoptr (GBytes) bytes = load (path, &error);
      g_autoptr (GBytes) blocking = NULL;

      g_assert_no_error (error);
      file_test_assert_bytes (bytes, 0, sizes[i]);
      blocking = gaio_load_bytes (path, NULL, &error);
      g_assert_no_error (error);
      file_test_assert_bytes (blocking, 0, sizes[i]);
    }
  file_test_remove_dir (dir);
}

static void
test_many (void)
{
  enum { N = 500 };
  char *dir = file_test_make_dir ();
  Call calls[N] = { { 0 } };

  for (int i = 0; i < N; i++)
    {
      g_autofree char *name = g_strdup_printf ("%d", i);
      g_autofree char *path = file_test_make_file (dir, name, i * 37);

      gaio_load_bytes_async (path, G_PRIORITY_DEFAULT, NULL, on_end, &calls[i]);
    }
  for (int i = 0; i < N; i++)
    {
      g_autoptr (GError) error = NULL;
      g_autoptr (GBytes) bytes = load_wait (&calls[i], &error);

      g_assert_no_error (error);
      file_test_assert_bytes (bytes, 0, i * 37);
    }
  file_test_remove_dir (dir);
}

/* A file that says it is empty and is not. */
static void
test_proc (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = load ("/proc/self/stat", &error);
  g_autoptr (GBytes) blocking = NULL;
  g_autofree char *start = g_strdup_printf ("%d (", getpid ());

  g_assert_no_error (error);
  g_assert_cmpuint (g_bytes_get_size (bytes), >, 50);
  g_assert_cmpmem (g_bytes_get_data (bytes, NULL), strlen (start), start, strlen (start));
  blocking = gaio_load_bytes ("/proc/self/stat", NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpmem (g_bytes_get_data (blocking, NULL), strlen (start), start, strlen (start));
}

typedef struct
{
  char *path;
  gsize size;
  int blocking;
} Writer;

static gpointer
write_pattern (gpointer data)
{
  Writer *writer = data;
  int fd = open (writer->path, O_WRONLY | O_CLOEXEC);
  g_autofree guint8 *pattern = file_test_pattern (0, writer->size);

  for (gsize n = 0; n < writer->size;)
    {
      gssize written = write (fd, pattern + n, MIN (writer->size - n, 10007));

      g_assert_cmpint (written, >, 0);
      n += written;
    }
  close (fd);
  return NULL;
}

/* Of unknown size, and it comes bit by bit. */
static void
test_fifo (void)
{
  static const gsize sizes[] = { 0, 5, 65536, 1000000 };
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "fifo", NULL);

  g_assert_cmpint (mkfifo (path, 0600), ==, 0);
  for (guint i = 0; i < 2 * G_N_ELEMENTS (sizes); i++)
    {
      Writer writer = { .path = path, .size = sizes[i / 2] };
      GThread *thread = g_thread_new ("write", write_pattern, &writer);
      g_autoptr (GError) error = NULL;
      g_autoptr (GBytes) bytes =
          i % 2 == 0 ? load (path, &error) : gaio_load_bytes (path, NULL, &error);

      g_assert_no_error (error);
      file_test_assert_bytes (bytes, 0, sizes[i / 2]);
      g_thread_join (thread);
    }
  file_test_remove_dir (dir);
}

#define LARGE_BYTES ((gsize) 12 * 1024 * 1024)

static gpointer
append_pattern (gpointer data)
{
  Writer *writer = data;
  int fd = open (writer->path, O_WRONLY | O_APPEND | O_CLOEXEC);
  g_autofree guint8 *pattern = file_test_pattern (LARGE_BYTES, LARGE_BYTES);

  for (gsize n = 0; n < LARGE_BYTES; n += 65536)
    g_assert_cmpint (write (fd, pattern + n, 65536), ==, 65536);
  close (fd);
  return NULL;
}

/* What is loaded is the beginning of the file at some moment, and not less than was there. */
static void
test_growing (void)
{
  char *dir = file_test_make_dir ();

  for (int i = 0; i < 4; i++)
    {
      g_autofree char *path = file_test_make_file (dir, "a", LARGE_BYTES);
      Writer writer = { .path = path };
      GThread *thread = g_thread_new ("append", append_pattern, &writer);
      g_autoptr (GError) error = NULL;
      g_autoptr (GBytes) bytes =
          i % 2 == 0 ? load (path, &error) : gaio_load_bytes (path, NULL, &error);

      g_assert_no_error (error);
      g_assert_cmpuint (g_bytes_get_size (bytes), >=, LARGE_BYTES);
      g_assert_cmpuint (g_bytes_get_size (bytes), <=, 2 * LARGE_BYTES);
      file_test_assert_bytes (bytes, 0, g_bytes_get_size (bytes));
      g_thread_join (thread);
    }
  file_test_remove_dir (dir);
}

static gpointer
shorten (gpointer data)
{
  Writer *writer = data;

  for (gsize size = LARGE_BYTES; size > LARGE_BYTES / 2; size -= 65536)
    g_assert_cmpint (truncate (writer->path, size), ==, 0);
  return NULL;
}

static void
test_shrinking (void)
{
  char *dir = file_test_make_dir ();

  for (int i = 0; i < 4; i++)
    {
      g_autofree char *path = file_test_make_file (dir, "a", LARGE_BYTES);
      Writer writer = { .path = path };
      GThread *thread = g_thread_new ("shorten", shorten, &writer);
      g_autoptr (GError) error = NULL;
      g_autoptr (GBytes) bytes =
          i % 2 == 0 ? load (path, &error) : gaio_load_bytes (path, NULL, &error);

      g_thread_join (thread);
      g_assert_no_error (error);
      g_assert_cmpuint (g_bytes_get_size (bytes), >=, LARGE_BYTES / 2);
      g_assert_cmpuint (g_bytes_get_size (bytes), <=, LARGE_BYTES);
      /* What is cut off while it is being read may be read as zeros: that is the kernel's doing. */
      file_test_assert_pattern (g_bytes_get_data (bytes, NULL), 0, LARGE_BYTES / 2);
    }
  file_test_remove_dir (dir);
}

static void
assert_fails (const char *path, int code, int errnum)
{
  GError *error = NULL;

  g_assert_null (load (path, &error));
  g_assert_nonnull (strstr (error->message, path));
  file_test_assert_error (g_steal_pointer (&error), code, errnum);
  g_assert_null (gaio_load_bytes (path, NULL, &error));
  file_test_assert_error (error, code, errnum);
}

static void
test_errors (void)
{
  char *dir = file_test_make_dir ();
  g_autofree char *missing = g_build_filename (dir, "missing", NULL);

  assert_fails (missing, G_IO_ERROR_NOT_FOUND, ENOENT);
  assert_fails (dir, G_IO_ERROR_IS_DIRECTORY, EISDIR);
  /* It opens, and then cannot be read at offset 0. */
  if (access ("/proc/self/mem", R_OK) == 0)
    {
      GError *error = NULL;

      g_assert_null (load ("/proc/self/mem", &error));
      g_assert_cmpint (gaio_error_get_errno (error), ==, EIO);
      g_error_free (error);
    }
  file_test_remove_dir (dir);
}

static gpointer
cancel (gpointer data)
{
  g_cancellable_cancel (data);
  return NULL;
}

static void
assert_cancelled (Call *call)
{
  GError *error = NULL;

  g_assert_null (load_wait (call, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_error_free (error);
}

static void
test_cancel (void)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "fifo", NULL);
  g_autofree char *file = file_test_make_file (dir, "a", LARGE_BYTES);
  Call call = { 0 };
  int fd;

  /* This end keeps an open of the other from waiting, and a read from ending. */
  g_assert_cmpint (mkfifo (path, 0600), ==, 0);
  fd = open (path, O_RDWR | O_CLOEXEC);
  g_assert_cmpint (fd, >=, 0);
  for (int i = 0; i < 12; i++)
    {
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      GThread *thread = NULL;

      /* Before. */
      if (i % 4 == 0)
        g_cancellable_cancel (cancellable);
      gaio_load_bytes_async (path, G_PRIORITY_DEFAULT, cancellable, on_end, &call);
      g_assert_cmpint (call.ended, ==, 0);
      /* At once, from another thread, and when it waits. */
      if (i % 4 == 1)
        g_cancellable_cancel (cancellable);
      if (i % 4 == 2)
        thread = g_thread_new ("cancel", cancel, cancellable);
      if (i % 4 == 3)
        {
          for (int turn = 0; turn < 20; turn++)
            {
              g_main_context_iteration (g_main_context_get_thread_default (), FALSE);
              g_usleep (100);
            }
          g_cancellable_cancel (cancellable);
        }
      assert_cancelled (&call);
      if (thread != NULL)
        g_thread_join (thread);
    }
  close (fd);

  /* Amidst the chunks: cancelled, or too late and whole. */
  for (int i = 0; i < 20; i++)
    {
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      g_autoptr (GError) error = NULL;
      g_autoptr (GBytes) bytes = NULL;

      gaio_load_bytes_async (file, G_PRIORITY_DEFAULT, cancellable, on_end, &call);
      for (int turn = 0; turn < i && call.ended == 0; turn++)
        g_main_context_iteration (g_main_context_get_thread_default (), TRUE);
      g_cancellable_cancel (cancellable);
      bytes = load_wait (&call, &error);
      if (bytes != NULL)
        file_test_assert_bytes (bytes, 0, LARGE_BYTES);
      else
        g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
    }
  file_test_remove_dir (dir);
}

typedef struct
{
  void (*func) (void);
  GaioEngine engine;
} Case;

static void
run_case (const Case *test)
{
  g_autoptr (GMainContext) main_context = g_main_context_new ();

  g_main_context_push_thread_default (main_context);
  {
    g_autoptr (GaioContext) found = NULL;
    g_autoptr (GaioContext) context =
        g_initable_new (GAIO_TYPE_CONTEXT, NULL, NULL, "engine", test->engine, NULL);
    g_autofree char *reason = NULL;

    gaio_context_attach (context, main_context);
    found = gaio_context_ref_thread_default ();
    g_assert_true (found == context);
    /* The ring is made in the first turn. */
    while (g_main_context_iteration (main_context, FALSE))
      ;
    reason = gaio_context_get_engine_reason (context);
    if (gaio_context_get_engine (context) != test->engine)
      g_test_skip (reason);
    else
      test->func ();
  }
  while (g_main_context_iteration (main_context, FALSE))
    ;
  g_main_context_pop_thread_default (main_context);
}

#define CASES(func) \
  static void func##_io_uring (void) \
  { \
    run_case (&(Case){ func, GAIO_ENGINE_IO_URING }); \
  } \
  static void func##_threads (void) \
  { \
    run_case (&(Case){ func, GAIO_ENGINE_THREADS }); \
  }

CASES (test_sizes)
CASES (test_many)
CASES (test_proc)
CASES (test_fifo)
CASES (test_growing)
CASES (test_shrinking)
CASES (test_errors)
CASES (test_cancel)

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  gaio_test_add ("/load/sizes/io-uring", test_sizes_io_uring);
  gaio_test_add ("/load/sizes/threads", test_sizes_threads);
  gaio_test_add ("/load/many/io-uring", test_many_io_uring);
  gaio_test_add ("/load/many/threads", test_many_threads);
  gaio_test_add ("/load/proc/io-uring", test_proc_io_uring);
  gaio_test_add ("/load/proc/threads", test_proc_threads);
  gaio_test_add ("/load/fifo/io-uring", test_fifo_io_uring);
  gaio_test_add ("/load/fifo/threads", test_fifo_threads);
  gaio_test_add ("/load/growing/io-uring", test_growing_io_uring);
  gaio_test_add ("/load/growing/threads", test_growing_threads);
  gaio_test_add ("/load/shrinking/io-uring", test_shrinking_io_uring);
  gaio_test_add ("/load/shrinking/threads", test_shrinking_threads);
  gaio_test_add ("/load/errors/io-uring", test_errors_io_uring);
  gaio_test_add ("/load/errors/threads", test_errors_threads);
  gaio_test_add ("/load/cancel/io-uring", test_cancel_io_uring);
  gaio_test_add ("/load/cancel/threads", test_cancel_threads);
  return g_test_run ();
}
