/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Files where not even one thread can be had: the home thread does the work, and must not wait for
 * a pipe that it is about to fill itself. */

#include "file-test.h"

/* More than a pipe has room for. */
#define BIG_BYTES (300 * 1000)

typedef struct
{
  GaioTestLoop *loop;
  GaioThreadPool *pool;
  guint max_threads;
  GaioFile *reader;
  GaioFile *writer;
} Fixture;

typedef struct
{
  gboolean ended;
  GBytes *bytes;
  gssize written;
  GError *error;
} Outcome;

static void
begin (Fixture *self, GaioTestLoop *loop)
{
  int fds[2];

  self->loop = loop;
  self->pool = gaio_thread_pool_get_default ();
  self->max_threads = gaio_thread_pool_get_max_threads (self->pool);
  gaio_thread_pool_set_max_threads (self->pool, 0);
  file_test_make_pipe (fds);
  self->reader = file_test_adopt (loop->context, fds[0]);
  self->writer = file_test_adopt (loop->context, fds[1]);
}

static void
end (Fixture *self)
{
  g_object_unref (self->reader);
  g_object_unref (self->writer);
  gaio_thread_pool_set_max_threads (self->pool, self->max_threads);
}

static void
outcome_clear (Outcome *self)
{
  g_clear_pointer (&self->bytes, g_bytes_unref);
  g_clear_error (&self->error);
  *self = (Outcome){ 0 };
}

static void
on_read (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Outcome *outcome = user_data;

  outcome->bytes = gaio_file_read_bytes_finish (GAIO_FILE (source), result, &outcome->error);
  outcome->ended = TRUE;
}

static void
on_written (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Outcome *outcome = user_data;

  outcome->written = gaio_file_write_bytes_finish (GAIO_FILE (source), result, &outcome->error);
  outcome->ended = TRUE;
}

static void
turn_until (Fixture *self, const Outcome *outcome)
{
  while (!outcome->ended)
    gaio_test_turn (self->loop, TRUE);
}

/* The request has begun, and waits. */
static void
let_begin (Fixture *self, const Outcome *outcome)
{
  for (int i = 0; i < 20; i++)
    gaio_test_turn (self->loop, FALSE);
  g_assert_false (outcome->ended);
}

static void
test_read (GaioTestLoop *loop)
{
  g_autoptr (GBytes) bytes = file_test_pattern_bytes (0, 100);
  Fixture fixture;
  Outcome read = { 0 };
  Outcome write = { 0 };

  begin (&fixture, loop);
  for (int i = 0; i < 3; i++)
    {
      gaio_file_read_bytes_async (fixture.reader, 0, 1000, 0, NULL, on_read, &read);
      let_begin (&fixture, &read);
      gaio_file_write_bytes_async (fixture.writer, 0, bytes, 0, NULL, on_written, &write);
      turn_until (&fixture, &read);
      turn_until (&fixture, &write);
      g_assert_no_error (read.error);
      file_test_assert_bytes (read.bytes, 0, 100);
      g_assert_cmpint (write.written, ==, 100);
      outcome_clear (&read);
      outcome_clear (&write);
    }
  end (&fixture);
}

/* It waits time and again in its midst. */
static void
test_write (GaioTestLoop *loop)
{
  g_autoptr (GBytes) bytes = file_test_pattern_bytes (0, BIG_BYTES);
  Fixture fixture;
  Outcome read = { 0 };
  Outcome write = { 0 };
  gsize total = 0;

  begin (&fixture, loop);
  gaio_file_write_bytes_async (fixture.writer, 0, bytes, 0, NULL, on_written, &write);
  let_begin (&fixture, &write);
  while (total < BIG_BYTES)
    {
      gsize size;
      gconstpointer data;

      gaio_file_read_bytes_async (fixture.reader, 0, 10000, 0, NULL, on_read, &read);
      turn_until (&fixture, &read);
      g_assert_no_error (read.error);
      data = g_bytes_get_data (read.bytes, &size);
      file_test_assert_pattern (data, total, size);
      total += size;
      outcome_clear (&read);
    }
  turn_until (&fixture, &write);
  g_assert_cmpint (write.written, ==, BIG_BYTES);
  outcome_clear (&write);
  end (&fixture);
}

static void
test_end (GaioTestLoop *loop)
{
  Fixture fixture;
  Outcome read = { 0 };

  begin (&fixture, loop);
  gaio_file_read_bytes_async (fixture.reader, 0, 1000, 0, NULL, on_read, &read);
  let_begin (&fixture, &read);
  g_assert_true (gaio_file_close (fixture.writer, NULL, NULL));
  turn_until (&fixture, &read);
  g_assert_no_error (read.error);
  g_assert_cmpuint (g_bytes_get_size (read.bytes), ==, 0);
  outcome_clear (&read);
  end (&fixture);
}

/* What was cancelled while it waited took nothing; and the file can be closed after it. */
static void
test_cancel (GaioTestLoop *loop)
{
  g_autoptr (GBytes) bytes = file_test_pattern_bytes (0, 100);
  Fixture fixture;
  Outcome read = { 0 };

  begin (&fixture, loop);
  for (int i = 0; i < 3; i++)
    {
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();

      gaio_file_read_bytes_async (fixture.reader, 0, 1000, 0, cancellable, on_read, &read);
      if (i > 0)
        let_begin (&fixture, &read);
      g_cancellable_cancel (cancellable);
      g_assert_false (read.ended);
      turn_until (&fixture, &read);
      g_assert_error (read.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      outcome_clear (&read);
    }
  g_assert_cmpint (gaio_file_write_bytes (fixture.writer, 0, bytes, NULL, NULL), ==, 100);
  gaio_file_read_bytes_async (fixture.reader, 0, 1000, 0, NULL, on_read, &read);
  turn_until (&fixture, &read);
  file_test_assert_bytes (read.bytes, 0, 100);
  outcome_clear (&read);
  g_assert_true (gaio_file_close (fixture.reader, NULL, NULL));
  end (&fixture);
}

static void
on_readable (int fd, GIOCondition condition, gpointer user_data)
{
  gboolean *called = user_data;

  *called = TRUE;
}

/* The program may have a handler for the same descriptor, which stays. */
static void
test_handler (GaioTestLoop *loop)
{
  Fixture fixture;
  Outcome read = { 0 };
  gboolean called = FALSE;
  int fds[2];
  g_autoptr (GaioFile) reader = NULL;

  begin (&fixture, loop);
  file_test_make_pipe (fds);
  reader = file_test_adopt (loop->context, fds[0]);
  g_assert_true (gaio_context_set_fd_handler (loop->context, fds[0], G_IO_IN, on_readable, &called,
                                              NULL, NULL));
  gaio_file_read_bytes_async (reader, 0, 1, 0, NULL, on_read, &read);
  let_begin (&fixture, &read);
  g_assert_false (called);
  g_assert_cmpint (write (fds[1], "abc", 3), ==, 3);
  turn_until (&fixture, &read);
  while (!called)
    gaio_test_turn (loop, TRUE);
  gaio_context_remove_fd_handler (loop->context, fds[0]);
  g_assert_cmpuint (g_bytes_get_size (read.bytes), ==, 1);
  outcome_clear (&read);
  close (fds[1]);
  end (&fixture);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  gaio_test_add_engine_matrix ("/no-threads/read", test_read);
  gaio_test_add_engine_matrix ("/no-threads/write", test_write);
  gaio_test_add_engine_matrix ("/no-threads/end", test_end);
  gaio_test_add_engine_matrix ("/no-threads/cancel", test_cancel);
  gaio_test_add_engine_matrix ("/no-threads/handler", test_handler);
  return g_test_run ();
}
