/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Opens and closes that have to wait for somebody. */

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "file-test.h"

typedef struct
{
  const char *path;
  atomic_bool opened; /* what is tested has ended */
  gboolean was_early;
} OtherEnd;

static gpointer
come_later (gpointer data)
{
  OtherEnd *self = data;
  char byte;
  int fd;

  g_usleep (100 * 1000);
  self->was_early = atomic_load (&self->opened);
  fd = open (self->path, O_RDONLY | O_CLOEXEC);
  g_assert_cmpint (fd, >=, 0);
  while (read (fd, &byte, 1) > 0)
    ;
  close (fd);
  return NULL;
}

typedef struct
{
  GAsyncResult *result;
  OtherEnd *other;
} Opening;

static void
on_opened (GObject *source, GAsyncResult *result, gpointer data)
{
  Opening *opening = data;

  opening->result = g_object_ref (result);
  atomic_store (&opening->other->opened, TRUE);
}

/* The opening of a named pipe for writing waits for a reader, also where the kernel could answer
 * at once, as it can for a name that it knows. */
static void
test_open_pipe (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "pipe", NULL);
  OtherEnd other = { .path = path };
  Opening opening = { .other = &other };
  g_autoptr (GError) error = NULL;
  struct stat st;
  GThread *thread;
  GaioFile *file;

  g_assert_cmpint (mkfifo (path, 0600), ==, 0);
  g_assert_cmpint (stat (path, &st), ==, 0);
  thread = g_thread_new ("other-end", come_later, &other);
  gaio_open_async (path, "a", G_PRIORITY_DEFAULT, NULL, on_opened, &opening);
  while (opening.result == NULL)
    g_main_context_iteration (loop->main_context, TRUE);
  file = gaio_open_finish (opening.result, &error);
  g_assert_no_error (error);
  g_object_unref (file);
  g_object_unref (opening.result);
  g_thread_join (thread);
  g_assert_false (other.was_early);
  file_test_remove_dir (dir);
}

static void
on_read (GObject *source, GAsyncResult *result, gpointer data)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = gaio_file_read_bytes_finish (GAIO_FILE (source), result, &error);

  g_assert_no_error (error);
  file_test_assert_bytes (bytes, 0, 100);
  (*(int *) data)++;
}

/* A blocking close waits for what was begun before, also where no loop has run yet. */
static void
test_close_before_any_turn (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 100);
  g_autoptr (GaioFile) file = file_test_open (loop->context, path, "r");
  g_autoptr (GError) error = NULL;
  int n = 0;

  gaio_file_read_bytes_async (file, 0, 100, G_PRIORITY_DEFAULT, NULL, on_read, &n);
  g_assert_true (gaio_file_close (file, NULL, &error));
  g_assert_no_error (error);
  while (n == 0)
    g_main_context_iteration (loop->main_context, TRUE);
  file_test_remove_dir (dir);
}

typedef struct
{
  GaioFile *file;
  atomic_int ended;
} Closer;

static gpointer
close_blocking (gpointer data)
{
  Closer *self = data;
  GError *error = NULL;

  gaio_file_close (self->file, NULL, &error);
  g_assert_no_error (error);
  atomic_store (&self->ended, 1);
  return NULL;
}

static guint64
get (GVariant *stats, const char *name)
{
  guint64 value = G_MAXUINT64;

  g_assert_true (g_variant_lookup (stats, name, "t", &value));
  return value;
}

/* A blocking close that the home thread begins, when the last operation has ended. What is counted
 * as begun has to be counted as ended, or the context would for ever have something to do. */
static void
test_close_after_the_last (GaioTestLoop *loop)
{
  GaioIOThread *io_thread = gaio_io_thread_new ("closes", NULL);
  int fds[2];

  for (int i = 0; i < 2; i++)
    {
      g_autoptr (GAsyncResult) result = NULL;
      g_autoptr (GVariant) stats = NULL;
      g_autoptr (GBytes) bytes = NULL;
      g_autoptr (GaioFile) file = NULL;
      FileTestCall call = { 0 };
      Closer closer = { 0 };
      GThread *thread;

      file_test_make_pipe (fds);
      file = file_test_adopt (i == 0 ? loop->context : gaio_io_thread_get_context (io_thread),
                              fds[0]);
      gaio_file_read_bytes_async (file, 0, 10, G_PRIORITY_DEFAULT, NULL, file_test_on_end, &call);
      closer.file = file;
      thread = g_thread_new ("closer", close_blocking, &closer);
      while (!gaio_file_is_closed (file))
        gaio_test_turn (loop, FALSE);
      g_assert_cmpint (write (fds[1], "x", 1), ==, 1);
      result = file_test_spin (&call, loop);
      bytes = gaio_file_read_bytes_finish (file, result, NULL);
      g_assert_nonnull (bytes);
      while (atomic_load (&closer.ended) == 0)
        gaio_test_turn (loop, FALSE);
      g_thread_join (thread);
      stats = gaio_file_get_stats (file);
      g_assert_cmpuint (get (stats, "submitted"), ==, 2);
      g_assert_cmpuint (get (stats, "in-flight"), ==, 0);
      close (fds[1]);
    }
  gaio_io_thread_stop (io_thread);
  g_object_unref (io_thread);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  gaio_test_add_engine_matrix ("/open-close/pipe", test_open_pipe);
  gaio_test_add_engine_matrix ("/open-close/before-any-turn", test_close_before_any_turn);
  gaio_test_add_engine_matrix ("/open-close/after-the-last", test_close_after_the_last);
  return g_test_run ();
}
