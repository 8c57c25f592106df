/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Coroutines that read, write and close files, with each engine. */

#include "file-test.h"

static GaioCoroutine *
make (GaioContext *context, GaioFunc func, gpointer data)
{
  g_autoptr (GError) error = NULL;
  GaioCoroutine *self = gaio_coroutine_new (context, func, data, NULL, &error);

  g_assert_no_error (error);
  return self;
}

/* A coroutine that has to be turned to its end. */
typedef struct
{
  GaioFunc func;
  GaioTestLoop *loop;
  gpointer data;
  int n_ended;
} Body;

static void
run_body (gpointer data)
{
  Body *self = data;

  self->func (self);
  self->n_ended++;
}

static void
run_to_end (GaioTestLoop *loop, GaioFunc func, gpointer data)
{
  Body self = { .func = func, .loop = loop, .data = data };
  g_autoptr (GaioCoroutine) coroutine = make (loop->context, run_body, &self);

  gaio_coroutine_enter (coroutine);
  gaio_test_turn_until (loop, &self.n_ended, 1);
  gaio_test_settle (loop);
}

/* ---- reading and writing ---- */

#define SIZE 300000

static void
do_read_write (gpointer data)
{
  Body *self = data;
  const char *path = self->data;
  g_autoptr (GaioFile) file = file_test_open (self->loop->context, path, "w+");
  g_autofree guint8 *pattern = file_test_pattern (0, SIZE);
  g_autofree guint8 *buffer = g_malloc (SIZE);
  g_autoptr (GError) error = NULL;
  char on_stack[100];

  g_assert_cmpint (gaio_file_co_write (file, 0, pattern, SIZE, NULL, &error), ==, SIZE);
  g_assert_no_error (error);
  g_assert_cmpint (gaio_file_co_read (file, 0, buffer, SIZE, NULL, &error), ==, SIZE);
  g_assert_no_error (error);
  file_test_assert_pattern (buffer, 0, SIZE);
  g_assert_cmpint (gaio_file_co_read (file, 4321, on_stack, 100, NULL, &error), ==, 100);
  file_test_assert_pattern (on_stack, 4321, 100);
  /* The end of the file, and beyond. */
  g_assert_cmpint (gaio_file_co_read (file, SIZE - 10, on_stack, 100, NULL, &error), ==, 10);
  file_test_assert_pattern (on_stack, SIZE - 10, 10);
  g_assert_cmpint (gaio_file_co_read (file, SIZE, on_stack, 100, NULL, &error), ==, 0);
  /* Nothing. */
  g_assert_cmpint (gaio_file_co_read (file, 0, NULL, 0, NULL, &error), ==, 0);
  g_assert_cmpint (gaio_file_co_write (file, 0, NULL, 0, NULL, &error), ==, 0);
  g_assert_no_error (error);
  /* In the midst. */
  g_assert_cmpint (gaio_file_co_write (file, 1000, "gaio", 4, NULL, &error), ==, 4);
  g_assert_cmpint (gaio_file_co_read (file, 999, on_stack, 6, NULL, &error), ==, 6);
  g_assert_cmpmem (on_stack + 1, 4, "gaio", 4);
  file_test_assert_pattern (on_stack, 999, 1);
  file_test_assert_pattern (on_stack + 5, 1004, 1);
  g_assert_no_error (error);

  g_assert_true (gaio_file_close (file, NULL, &error));
  g_assert_no_error (error);
}

static void
read_write (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "file", NULL);

  run_to_end (loop, do_read_write, path);
  file_test_remove_dir (dir);
}

static void
do_fail (gpointer data)
{
  Body *self = data;
  g_autoptr (GaioFile) file = file_test_open (self->loop->context, self->data, "r");
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  GError *error = NULL;
  char byte = 'x';

  g_assert_cmpint (gaio_file_co_read (file, -1, &byte, 1, NULL, &error), ==, -1);
  file_test_assert_error (error, G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  error = NULL;
  g_assert_cmpint (gaio_file_co_write (file, 0, &byte, 1, NULL, &error), ==, -1);
  g_assert_nonnull (error);
  g_assert_cmpint (gaio_error_get_errno (error), ==, EBADF);
  g_clear_error (&error);
  g_assert_cmpint (gaio_file_co_read (file, G_MAXOFFSET, &byte, 1, NULL, &error), ==, -1);
  file_test_assert_error (error, G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  error = NULL;
  g_cancellable_cancel (cancellable);
  g_assert_cmpint (gaio_file_co_read (file, 0, &byte, 1, cancellable, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  g_clear_error (&error);
  g_assert_true (gaio_file_close (file, NULL, &error));
  g_assert_cmpint (gaio_file_co_read (file, 0, &byte, 1, NULL, &error), ==, -1);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
  g_clear_error (&error);
  g_assert_cmpint (byte, ==, 'x');
}

static void
failures (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "file", 100);

  run_to_end (loop, do_fail, path);
  file_test_remove_dir (dir);
}

/* ---- many at once ---- */

#define READERS 64

typedef struct
{
  GaioFile *file;
  goffset offset;
  int *n_ended;
  int *n_begun;
} Reader;

static void
read_blocks (gpointer data)
{
  Reader *self = data;
  guint8 block[4096];
  g_autoptr (GError) error = NULL;

  ++*self->n_begun;
  for (int i = 0; i < 4; i++, self->offset += READERS * sizeof block)
    {
      g_assert_cmpint (
          gaio_file_co_read (self->file, self->offset, block, sizeof block, NULL, &error), ==,
          sizeof block);
      g_assert_no_error (error);
      file_test_assert_pattern (block, self->offset, sizeof block);
    }
  ++*self->n_ended;
}

static void
many (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "file", READERS * 4096 * 4);
  g_autoptr (GaioFile) file = file_test_open (loop->context, path, "r");
  Reader readers[READERS];
  int n_begun = 0, n_ended = 0;

  for (int i = 0; i < READERS; i++)
    {
      g_autoptr (GaioCoroutine) coroutine = NULL;

      readers[i] = (Reader){ file, i * 4096, &n_ended, &n_begun };
      coroutine = make (loop->context, read_blocks, &readers[i]);
      gaio_coroutine_enter (coroutine);
    }
  /* None has ended before the last one began: a completion never comes within its submission. */
  g_assert_cmpint (n_begun, ==, READERS);
  g_assert_cmpint (n_ended, ==, 0);
  gaio_test_turn_until (loop, &n_ended, READERS);
  g_clear_object (&file);
  gaio_test_settle (loop);
  file_test_remove_dir (dir);
}

/* ---- cancelling, closing, ending ---- */

typedef struct
{
  GaioFile *file;
  GCancellable *cancellable;
  GError *error;
  gssize n_read;
  int n_ended;
} PipeRead;

static void
read_pipe (gpointer data)
{
  PipeRead *self = data;
  char block[100];

  self->n_read =
      gaio_file_co_read (self->file, 0, block, sizeof block, self->cancellable, &self->error);
  if (self->n_read > 0)
    g_assert_cmpmem (block, self->n_read, "data", 4);
  self->n_ended++;
}

static gpointer
cancel_in_thread (gpointer data)
{
  g_cancellable_cancel (data);
  return NULL;
}

static void
cancelled (GaioTestLoop *loop)
{
  for (int i = 0; i < 2; i++)
    {
      PipeRead self = { .cancellable = g_cancellable_new () };
      g_autoptr (GaioCoroutine) coroutine = make (loop->context, read_pipe, &self);
      int fds[2];

      file_test_make_pipe (fds);
      self.file = file_test_adopt (loop->context, fds[0]);
      gaio_coroutine_enter (coroutine);
      gaio_test_settle (loop);
      /* It is no cancel. */
      gaio_coroutine_wake (coroutine);
      gaio_test_settle (loop);
      g_assert_cmpint (self.n_ended, ==, 0);
      if (i == 0)
        g_cancellable_cancel (self.cancellable);
      else
        g_thread_join (g_thread_new ("cancel", cancel_in_thread, self.cancellable));
      gaio_test_turn_until (loop, &self.n_ended, 1);
      g_assert_cmpint (self.n_read, ==, -1);
      g_assert_error (self.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      g_clear_error (&self.error);
      g_clear_object (&self.file);
      g_clear_object (&self.cancellable);
      close (fds[1]);
      gaio_test_settle (loop);
    }
}

static void
close_file (gpointer data)
{
  PipeRead *self = data;
  g_autoptr (GError) error = NULL;

  g_assert_true (gaio_file_close (self->file, NULL, &error));
  g_assert_no_error (error);
  self->n_ended++;
}

/* It waits for the read that is in flight, and the loop goes on meanwhile. */
static void
close_waits (GaioTestLoop *loop)
{
  PipeRead self = { 0 }, closing = { 0 };
  g_autoptr (GaioCoroutine) reader = make (loop->context, read_pipe, &self);
  g_autoptr (GaioCoroutine) closer = make (loop->context, close_file, &closing);
  int fds[2];

  file_test_make_pipe (fds);
  closing.file = self.file = file_test_adopt (loop->context, fds[0]);
  gaio_coroutine_enter (reader);
  gaio_coroutine_enter (closer);
  gaio_test_settle (loop);
  g_assert_cmpint (closing.n_ended, ==, 0);
  g_assert_cmpint (write (fds[1], "data", 4), ==, 4);
  gaio_test_turn_until (loop, &closing.n_ended, 1);
  g_assert_cmpint (self.n_ended, ==, 1);
  g_assert_cmpint (self.n_read, ==, 4);
  g_object_unref (self.file);
  close (fds[1]);
  gaio_test_settle (loop);
}

/* The coroutine's context is not the file's, and is dropped with the read in flight: it lasts until
 * the kernel is done with the buffer on the stack. */
static void
other_context (GaioTestLoop *loop)
{
  g_autoptr (GError) error = NULL;
  GaioContext *own = gaio_context_new (&error);
  PipeRead self = { 0 };
  GaioCoroutine *coroutine = make (own, read_pipe, &self);
  GWeakRef weak;
  int fds[2];

  g_weak_ref_init (&weak, own);
  file_test_make_pipe (fds);
  self.file = file_test_adopt (loop->context, fds[0]);
  gaio_coroutine_enter (coroutine);
  gaio_test_settle (loop);
  g_object_unref (own);
  own = g_weak_ref_get (&weak);
  g_assert_nonnull (own);
  g_assert_cmpint (write (fds[1], "data", 4), ==, 4);
  while (self.n_ended == 0)
    {
      gaio_test_turn (loop, FALSE);
      gaio_context_poll (own, FALSE);
    }
  g_assert_cmpint (self.n_read, ==, 4);
  gaio_coroutine_unref (coroutine);
  g_clear_object (&own);
  g_assert_null (g_weak_ref_get (&weak));
  g_weak_ref_clear (&weak);
  g_object_unref (self.file);
  close (fds[1]);
  gaio_test_settle (loop);
}

/* ---- refused ---- */

static void
outside (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GaioContext) context = gaio_context_new (&error);
  g_autoptr (GaioFile) file = file_test_open (context, "/dev/null", "r+");
  char byte = 0;

  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*gaio_file_co_read*");
  g_assert_cmpint (gaio_file_co_read (file, 0, &byte, 1, NULL, &error), ==, -1);
  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*gaio_file_co_write*");
  g_assert_cmpint (gaio_file_co_write (file, 0, &byte, 1, NULL, &error), ==, -1);
  g_test_assert_expected_messages ();
  g_assert_no_error (error);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  gaio_test_add_engine_matrix ("/file-co/read-write", read_write);
  gaio_test_add_engine_matrix ("/file-co/failures", failures);
  gaio_test_add_engine_matrix ("/file-co/many", many);
  gaio_test_add_engine_matrix ("/file-co/cancelled", cancelled);
  gaio_test_add_engine_matrix ("/file-co/close-waits", close_waits);
  gaio_test_add_engine_matrix ("/file-co/other-context", other_context);
  gaio_test_add ("/file-co/outside", outside);
  return g_test_run ();
}
