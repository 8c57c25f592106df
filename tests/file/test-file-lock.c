/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Locks: who gets them, who waits, and how a wait ends. */

#include <stdatomic.h>

#include "file-test.h"

typedef struct
{
  char *dir;
  char *path;
  GaioFile *one;
  GaioFile *other; /* the same, opened again */
} Two;

static Two
two_begin (GaioTestLoop *loop)
{
  Two two;

  two.dir = file_test_make_dir ();
  two.path = file_test_make_file (two.dir, "a", 100);
  two.one = file_test_open (loop->context, two.path, "r+");
  two.other = file_test_open (loop->context, two.path, "r+");
  return two;
}

static void
two_end (Two *two)
{
  g_clear_object (&two->one);
  g_clear_object (&two->other);
  g_free (two->path);
  file_test_remove_dir (two->dir);
}

/* Both forms of a try, of `file` for a range that it has not locked. */
static gboolean
can_lock (GaioTestLoop *loop, GaioFile *file, GaioLockType type, goffset offset, goffset length)
{
  GError *error = NULL;
  GError *blocking_error = NULL;
  gboolean can = file_test_do (loop, try_lock, file, &error, NULL, type, offset, length);

  if (can)
    {
      g_assert_no_error (error);
      g_assert_true (file_test_do (loop, unlock, file, &error, NULL, offset, length));
    }
  else
    file_test_assert_error (error, G_IO_ERROR_WOULD_BLOCK, EAGAIN);
  g_assert_cmpint (gaio_file_try_lock (file, type, offset, length, NULL, &blocking_error), ==, can);
  if (can)
    g_assert_true (gaio_file_unlock (file, offset, length, NULL, &blocking_error));
  else
    file_test_assert_error (blocking_error, G_IO_ERROR_WOULD_BLOCK, EAGAIN);
  return can;
}

static void
test_ranges (GaioTestLoop *loop)
{
  Two two = two_begin (loop);
  GError *error = NULL;

  g_assert_true (file_test_do (loop, lock, two.one, &error, NULL, GAIO_LOCK_EXCLUSIVE, 10, 20));
  g_assert_no_error (error);
  g_assert_false (can_lock (loop, two.other, GAIO_LOCK_EXCLUSIVE, 10, 20));
  g_assert_false (can_lock (loop, two.other, GAIO_LOCK_SHARED, 29, 1));
  g_assert_false (can_lock (loop, two.other, GAIO_LOCK_SHARED, 0, 0));
  g_assert_true (can_lock (loop, two.other, GAIO_LOCK_EXCLUSIVE, 0, 10));
  g_assert_true (can_lock (loop, two.other, GAIO_LOCK_EXCLUSIVE, 30, 0));

  /* A part of it is given up, the rest becomes shared. */
  g_assert_true (gaio_file_unlock (two.one, 10, 5, NULL, &error));
  g_assert_true (gaio_file_lock (two.one, GAIO_LOCK_SHARED, 15, 15, NULL, &error));
  g_assert_no_error (error);
  g_assert_true (can_lock (loop, two.other, GAIO_LOCK_EXCLUSIVE, 10, 5));
  g_assert_true (can_lock (loop, two.other, GAIO_LOCK_SHARED, 15, 15));
  g_assert_false (can_lock (loop, two.other, GAIO_LOCK_EXCLUSIVE, 15, 15));

  /* They go with the file. */
  g_assert_true (file_test_close_wait (two.one, loop, &error));
  g_assert_true (can_lock (loop, two.other, GAIO_LOCK_EXCLUSIVE, 0, 0));
  g_assert_false (file_test_do (loop, lock, two.one, &error, NULL, GAIO_LOCK_SHARED, 0, 0));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_CLOSED, EBADF);
  g_assert_false (gaio_file_unlock (two.one, 0, 0, NULL, &error));
  g_assert_true (g_str_has_prefix (error->message, "unlock “"));
  file_test_assert_error (error, G_IO_ERROR_CLOSED, EBADF);
  two_end (&two);
}

/* Turns that take longer than the longest pause between two tries. */
static void
turn_for_ms (GaioTestLoop *loop, int ms)
{
  gint64 end = g_get_monotonic_time () + ms * 1000;

  while (g_get_monotonic_time () < end)
    {
      gaio_test_turn (loop, FALSE);
      g_usleep (1000);
    }
}

static void
test_wait (GaioTestLoop *loop)
{
  Two two = two_begin (loop);
  g_autoptr (GAsyncResult) result = NULL;
  GError *error = NULL;
  FileTestCall call = { 0 };

  g_assert_true (gaio_file_lock (two.one, GAIO_LOCK_EXCLUSIVE, 0, 0, NULL, &error));
  gaio_file_lock_async (two.other, GAIO_LOCK_SHARED, 0, 0, G_PRIORITY_DEFAULT, NULL,
                        file_test_on_end, &call);
  turn_for_ms (loop, 120);
  g_assert_cmpint (call.ended, ==, 0);
  g_assert_true (gaio_file_unlock (two.one, 0, 0, NULL, &error));
  result = file_test_spin (&call, loop);
  g_assert_true (gaio_file_lock_finish (two.other, result, &error));
  g_assert_no_error (error);
  g_assert_false (can_lock (loop, two.one, GAIO_LOCK_EXCLUSIVE, 0, 0));
  two_end (&two);
}

/* Many wait, no thread does, and each gets it in the end. */
static void
test_many_wait (GaioTestLoop *loop)
{
  Two two = two_begin (loop);
  GaioFile *files[20];
  FileTestCall calls[20] = { 0 };
  GError *error = NULL;

  g_assert_true (gaio_file_lock (two.one, GAIO_LOCK_EXCLUSIVE, 0, 0, NULL, &error));
  for (guint i = 0; i < G_N_ELEMENTS (files); i++)
    {
      files[i] = file_test_open (loop->context, two.path, "r+");
      gaio_file_lock_async (files[i], GAIO_LOCK_EXCLUSIVE, 0, 0, G_PRIORITY_DEFAULT, NULL,
                            file_test_on_end, &calls[i]);
    }
  turn_for_ms (loop, 20);
  /* What is not a lock does not wait for one. */
  g_assert_true (file_test_do (loop, sync, two.other, &error, NULL, TRUE));
  g_clear_object (&two.one);
  for (guint n = 0; n < G_N_ELEMENTS (files); n++)
    {
      guint found = G_MAXUINT;

      while (found == G_MAXUINT)
        {
          gaio_test_turn (loop, FALSE);
          for (guint i = 0; i < G_N_ELEMENTS (files); i++)
            if (calls[i].result != NULL)
              {
                g_assert_cmpuint (found, ==, G_MAXUINT); /* one at a time */
                found = i;
              }
        }
      g_assert_true (gaio_file_lock_finish (files[found], calls[found].result, &error));
      g_assert_no_error (error);
      g_clear_object (&calls[found].result);
      g_clear_object (&files[found]);
    }
  two_end (&two);
}

static void
test_cancelled (GaioTestLoop *loop)
{
  Two two = two_begin (loop);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GAsyncResult) result = NULL;
  GError *error = NULL;
  FileTestCall call = { 0 };

  g_assert_true (gaio_file_lock (two.one, GAIO_LOCK_EXCLUSIVE, 0, 0, NULL, &error));
  gaio_file_lock_async (two.other, GAIO_LOCK_SHARED, 0, 0, G_PRIORITY_DEFAULT, cancellable,
                        file_test_on_end, &call);
  turn_for_ms (loop, 20);
  g_assert_cmpint (call.ended, ==, 0);
  g_cancellable_cancel (cancellable);
  result = file_test_spin (&call, loop);
  g_assert_false (gaio_file_lock_finish (two.other, result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);

  /* Cancelled before: not even what is free. */
  g_assert_true (gaio_file_unlock (two.one, 0, 0, NULL, &error));
  g_assert_false (
      file_test_do (loop, lock, two.other, &error, cancellable, GAIO_LOCK_SHARED, 0, 0));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_false (gaio_file_lock (two.other, GAIO_LOCK_SHARED, 0, 0, cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_true (can_lock (loop, two.one, GAIO_LOCK_EXCLUSIVE, 0, 0));
  two_end (&two);
}

/* The file is closed while it waits: the wait ends. */
static void
test_closed (GaioTestLoop *loop)
{
  Two two = two_begin (loop);
  g_autoptr (GAsyncResult) result = NULL;
  GError *error = NULL;
  FileTestCall call = { 0 };

  g_assert_true (gaio_file_lock (two.one, GAIO_LOCK_EXCLUSIVE, 0, 0, NULL, &error));
  gaio_file_lock_async (two.other, GAIO_LOCK_SHARED, 0, 0, G_PRIORITY_DEFAULT, NULL,
                        file_test_on_end, &call);
  turn_for_ms (loop, 10);
  g_assert_true (gaio_file_close (two.other, NULL, &error));
  result = file_test_spin (&call, loop);
  g_assert_false (gaio_file_lock_finish (two.other, result, &error));
  file_test_assert_error (error, G_IO_ERROR_CLOSED, EBADF);
  two_end (&two);
}

typedef struct
{
  GaioFile *file;
  GCancellable *cancellable;
  atomic_bool was_cancelled; /* before that the lock must not be free */
} Locker;

static gpointer
lock_in_thread (gpointer data)
{
  Locker *self = data;
  GError *error = NULL;

  g_assert_false (gaio_file_lock (self->file, GAIO_LOCK_SHARED, 0, 0, self->cancellable, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  atomic_store (&self->was_cancelled, TRUE);
  g_assert_true (gaio_file_lock (self->file, GAIO_LOCK_SHARED, 0, 0, NULL, &error));
  g_assert_no_error (error);
  return NULL;
}

/* The blocking form waits, too, and its wait can be cancelled. */
static void
test_blocking (GaioTestLoop *loop)
{
  Two two = two_begin (loop);
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  Locker locker = { .file = two.other, .cancellable = cancellable };
  GError *error = NULL;
  GThread *thread;

  g_assert_true (gaio_file_lock (two.one, GAIO_LOCK_EXCLUSIVE, 0, 0, NULL, &error));
  thread = g_thread_new ("lock", lock_in_thread, &locker);
  g_usleep (20 * 1000); /* it waits by now, most likely; and again */
  g_cancellable_cancel (cancellable);
  while (!atomic_load (&locker.was_cancelled))
    g_usleep (100);
  g_usleep (20 * 1000);
  g_assert_true (gaio_file_unlock (two.one, 0, 0, NULL, &error));
  g_thread_join (thread);
  g_assert_false (can_lock (loop, two.one, GAIO_LOCK_EXCLUSIVE, 0, 0));
  two_end (&two);
}

/* The thread of the file's context is stopped while it waits: it ends the wait before. */
static void
test_thread_stops (void)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 10);
  g_autoptr (GaioContext) own = gaio_context_new (NULL);
  g_autoptr (GaioFile) one = file_test_open (own, path, "r+");
  g_autoptr (GaioIOThread) io_thread = gaio_io_thread_new ("lock", NULL);
  g_autoptr (GaioFile) other =
      file_test_open (gaio_io_thread_get_context (io_thread), path, "r+");
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GAsyncResult) result = NULL;
  GError *error = NULL;
  FileTestCall call = { 0 };
  GaioTestLoop loop = { .context = own,
                        .main_context = g_main_context_default (),
                        .driver = GAIO_TEST_BY_SOURCE };

  g_assert_true (gaio_file_lock (one, GAIO_LOCK_EXCLUSIVE, 0, 0, NULL, &error));
  gaio_file_lock_async (other,
                        GAIO_LOCK_SHARED,
                        0,
                        0,
                        G_PRIORITY_DEFAULT,
                        cancellable,
                        file_test_on_end,
                        &call);
  g_usleep (20 * 1000);
  g_cancellable_cancel (cancellable);
  gaio_io_thread_stop (io_thread);
  result = file_test_spin (&call, &loop);
  g_assert_false (gaio_file_lock_finish (other, result, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_error_free (error);
  file_test_remove_dir (dir);
}

static void
test_bad_input (GaioTestLoop *loop)
{
  static const goffset rows[][2] = { { -1, 1 }, { 0, -1 }, { G_MAXINT64, 1 } };
  Two two = two_begin (loop);
  g_autoptr (GaioFile) reader = file_test_open (loop->context, two.path, "r");
  GError *errors[5] = { NULL };
  GError *error = NULL;

  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    {
      goffset offset = rows[i][0];
      goffset length = rows[i][1];

      file_test_do (loop, lock, two.one, &errors[0], NULL, GAIO_LOCK_SHARED, offset, length);
      file_test_do (loop, try_lock, two.one, &errors[1], NULL, GAIO_LOCK_SHARED, offset, length);
      file_test_do (loop, unlock, two.one, &errors[2], NULL, offset, length);
      gaio_file_lock (two.one, GAIO_LOCK_SHARED, offset, length, NULL, &errors[3]);
      gaio_file_unlock (two.one, offset, length, NULL, &errors[4]);
      for (guint j = 0; j < G_N_ELEMENTS (errors); j++)
        file_test_assert_error (g_steal_pointer (&errors[j]), G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
    }
  for (int type = -1; type <= 99; type += 100)
    {
      g_assert_false (file_test_do (loop, lock, two.one, &error, NULL, (GaioLockType) type, 0, 0));
      g_assert_nonnull (strstr (error->message, "an unknown type"));
      file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
    }
  /* For writing only who may write. */
  g_assert_true (gaio_file_lock (reader, GAIO_LOCK_SHARED, 0, 0, NULL, &error));
  g_assert_false (gaio_file_lock (reader, GAIO_LOCK_EXCLUSIVE, 0, 0, NULL, &error));
  g_assert_error (error, GAIO_ERROR, GAIO_ERROR_BAD_FD);
  g_error_free (error);
  two_end (&two);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  gaio_test_add_engine_matrix ("/file-lock/ranges", test_ranges);
  gaio_test_add_engine_matrix ("/file-lock/wait", test_wait);
  gaio_test_add_engine_matrix ("/file-lock/many-wait", test_many_wait);
  gaio_test_add_engine_matrix ("/file-lock/cancelled", test_cancelled);
  gaio_test_add_engine_matrix ("/file-lock/closed", test_closed);
  gaio_test_add_engine_matrix ("/file-lock/blocking", test_blocking);
  gaio_test_add ("/file-lock/thread-stops", test_thread_stops);
  gaio_test_add_engine_matrix ("/file-lock/bad-input", test_bad_input);
  return g_test_run ();
}
