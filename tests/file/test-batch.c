/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Batches of reads and writes: that each operation has its own result, whatever it was merged
 * with. What is merged with what is in test-batch-merge.c. */

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "../loop/stats.h"
#include "file-test.h"

#define MAX_OPS 100000

/* Operations under way, and then their results. */
typedef struct
{
  GaioTestLoop *loop;
  GaioFile *file;
  goffset offsets[64];
  gsize lengths[64];
  GBytes *chunks[64];
  gsize n;

  int ended;
  GThread *thread;
  GaioBatch *batch;
  GError *error;
} Call;

static void
on_read (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Call *call = user_data;

  g_assert_true (source == G_OBJECT (call->file));
  call->thread = g_thread_self ();
  call->batch = gaio_file_read_batch_finish (call->file, result, &call->error);
  g_assert_true ((call->batch == NULL) == (call->error != NULL));
  call->ended++;
}

static void
on_write (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Call *call = user_data;

  call->thread = g_thread_self ();
  call->batch = gaio_file_write_batch_finish (call->file, result, &call->error);
  g_assert_true ((call->batch == NULL) == (call->error != NULL));
  call->ended++;
}

static void
call_begin (Call *self, GaioTestLoop *loop, GaioFile *file)
{
  memset (self, 0, sizeof (Call));
  self->loop = loop;
  self->file = file;
}

static void
call_add_read (Call *self, goffset offset, gsize length)
{
  self->offsets[self->n] = offset;
  self->lengths[self->n++] = length;
}

static void
call_add_write (Call *self, goffset offset, const char *text)
{
  self->offsets[self->n] = offset;
  self->chunks[self->n++] = g_bytes_new (text, strlen (text));
}

static void
call_start_reads (Call *self, GCancellable *cancellable)
{
  gaio_file_read_batch_async (self->file, self->offsets, self->n, self->lengths, self->n,
                              G_PRIORITY_DEFAULT, cancellable, on_read, self);
  g_assert_cmpint (self->ended, ==, 0);
  /* They were copied. */
  memset (self->offsets, 0x55, sizeof (self->offsets));
  memset (self->lengths, 0x55, sizeof (self->lengths));
}

static void
call_start_writes (Call *self, GCancellable *cancellable)
{
  gaio_file_write_batch_async (self->file, self->offsets, self->n, self->chunks, self->n,
                               G_PRIORITY_DEFAULT, cancellable, on_write, self);
  g_assert_cmpint (self->ended, ==, 0);
  memset (self->offsets, 0x55, sizeof (self->offsets));
  for (gsize i = 0; i < self->n; i++)
    g_clear_pointer (&self->chunks[i], g_bytes_unref);
}

static void
call_wait (Call *self)
{
  while (self->ended == 0)
    gaio_test_turn (self->loop, FALSE);
  g_assert_cmpint (self->ended, ==, 1);
  g_assert_true (self->thread == g_thread_self ());
}

static void
call_read (Call *self)
{
  call_start_reads (self, NULL);
  call_wait (self);
  g_assert_no_error (self->error);
  g_assert_cmpuint (gaio_batch_get_n_operations (self->batch), ==, self->n);
}

static void
call_write (Call *self)
{
  call_start_writes (self, NULL);
  call_wait (self);
  g_assert_no_error (self->error);
  g_assert_cmpuint (gaio_batch_get_n_operations (self->batch), ==, self->n);
}

static void
call_end (Call *self)
{
  g_clear_object (&self->batch);
  g_clear_error (&self->error);
  for (gsize i = 0; i < self->n; i++)
    g_clear_pointer (&self->chunks[i], g_bytes_unref);
}

/* That an operation is done, or failed after `count` bytes. */
static void
assert_result (GaioBatch *batch, gsize index, gsize count, int errnum)
{
  g_autoptr (GError) error = gaio_batch_get_error (batch, index);

  g_assert_cmpuint (gaio_batch_get_count (batch, index), ==, count);
  g_assert_cmpint (gaio_batch_get_errno (batch, index), ==, errnum);
  g_assert_cmpint (error != NULL ? gaio_error_get_errno (error) : 0, ==, errnum);
}

static void
assert_read (GaioBatch *batch, gsize index, goffset offset, gsize count)
{
  g_autoptr (GBytes) bytes = gaio_batch_get_bytes (batch, index);

  assert_result (batch, index, count, 0);
  file_test_assert_bytes (bytes, offset, count);
}

static void
assert_contents (const char *path, const char *expected)
{
  g_autofree char *contents = NULL;
  GError *error = NULL;
  gsize length;

  g_file_get_contents (path, &contents, &length, &error);
  g_assert_no_error (error);
  g_assert_cmpmem (contents, length, expected, strlen (expected));
}

/* Touching, overlapping, the same twice, across the end, behind it, empty, not valid. */
static void
test_read (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 20000);
  g_autoptr (GaioFile) file = file_test_open (loop->context, path, "r");
  g_autoptr (GBytes) data = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree gint64 *counts = NULL;
  g_autofree gsize *starts = NULL;
  gsize n_counts, n_starts;
  const guint8 *memory;
  Call call;

  call_begin (&call, loop, file);
  call_add_read (&call, 4096, 4096);
  call_add_read (&call, 0, 4096);
  call_add_read (&call, 4000, 200);
  call_add_read (&call, 4000, 200);
  call_add_read (&call, -1, 50);
  call_add_read (&call, 19000, 2000);
  call_add_read (&call, 20000, 10);
  call_add_read (&call, 50000, 10);
  call_add_read (&call, 100, 0);
  call_add_read (&call, G_MAXOFFSET - 9, 10);
  call_add_read (&call, 12000, 8000);
  call_read (&call);
  assert_read (call.batch, 0, 4096, 4096);
  assert_read (call.batch, 1, 0, 4096);
  assert_read (call.batch, 2, 4000, 200);
  assert_read (call.batch, 3, 4000, 200);
  assert_result (call.batch, 4, 0, EINVAL);
  assert_read (call.batch, 5, 19000, 1000);
  assert_read (call.batch, 6, 0, 0);
  assert_read (call.batch, 7, 0, 0);
  assert_read (call.batch, 8, 0, 0);
  assert_result (call.batch, 9, 0, EINVAL);
  assert_read (call.batch, 10, 12000, 8000);
  g_assert_cmpuint (gaio_batch_get_n_failed (call.batch), ==, 2);

  error = gaio_batch_get_error (call.batch, 4);
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);
  g_assert_nonnull (strstr (error->message, path));
  g_assert_nonnull (strstr (error->message, "0 of 50 bytes at offset -1"));
  g_clear_error (&error);
  g_assert_false (gaio_batch_check (call.batch, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT);

  /* All at once. What is not read is zeros. */
  data = gaio_batch_get_data (call.batch);
  memory = g_bytes_get_data (data, NULL);
  g_assert_cmpuint (gaio_batch_get_address (call.batch), ==, (gsize) memory);
  counts = gaio_batch_get_counts (call.batch, &n_counts);
  starts = gaio_batch_get_starts (call.batch, &n_starts);
  g_assert_cmpuint (n_counts, ==, 11);
  g_assert_cmpuint (n_starts, ==, 12);
  g_assert_cmpint (counts[0], ==, 4096);
  g_assert_cmpint (counts[4], ==, -EINVAL);
  g_assert_cmpint (counts[5], ==, 1000);
  g_assert_cmpint (counts[7], ==, 0);
  g_assert_cmpuint (starts[0], ==, 0);
  g_assert_cmpuint (starts[5], ==, 4096 + 4096 + 200 + 200 + 50);
  g_assert_cmpuint (starts[11], ==, g_bytes_get_size (data));
  file_test_assert_pattern (memory + starts[5], 19000, 1000);
  for (gsize i = starts[5] + 1000; i < starts[10]; i++)
    g_assert_cmpint (memory[i], ==, 0);
  for (gsize i = starts[4]; i < starts[5]; i++)
    g_assert_cmpint (memory[i], ==, 0);

  call_end (&call);
  /* They outlive the batch. */
  file_test_assert_pattern (memory, 4096, 4096);
  g_clear_object (&file);
  file_test_remove_dir (dir);
}

/* The blocking twin, and one length for all. */
static void
test_read_blocking (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 100000);
  g_autoptr (GaioFile) file = file_test_open (loop->context, path, "r");
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  goffset offsets[] = { 70000, 0, 1000, 2000, 500, 99500 };
  gsize length = 1000;
  GaioBatch *batch;
  GError *error = NULL;

  batch = gaio_file_read_batch (file, offsets, 6, &length, 1, cancellable, &error);
  g_assert_no_error (error);
  for (gsize i = 0; i < 5; i++)
    assert_read (batch, i, offsets[i], 1000);
  assert_read (batch, 5, 99500, 500);
  g_assert_true (gaio_batch_check (batch, &error));
  g_object_unref (batch);

  g_cancellable_cancel (cancellable);
  g_assert_null (gaio_file_read_batch (file, offsets, 6, &length, 1, cancellable, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_CANCELLED, ECANCELED);
  g_clear_object (&file);
  file_test_remove_dir (dir);
}

/* No operations, none that does anything, and numbers that do not match. */
static void
test_nothing (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 100);
  g_autoptr (GaioFile) file = file_test_open (loop->context, path, "r+");
  g_autoptr (GBytes) data = NULL;
  g_autofree gint64 *counts = NULL;
  gsize n_counts = 1;
  goffset offsets[3] = { 0, 1, 2 };
  gsize lengths[2] = { 1, 2 };
  GBytes *chunk = g_bytes_new_static ("x", 1);
  GError *error = NULL;
  Call call;

  call_begin (&call, loop, file);
  call_read (&call);
  data = gaio_batch_get_data (call.batch);
  g_assert_cmpuint (g_bytes_get_size (data), ==, 0);
  g_assert_cmpuint (gaio_batch_get_address (call.batch), ==, 0);
  counts = gaio_batch_get_counts (call.batch, &n_counts);
  g_assert_cmpuint (n_counts, ==, 0);
  call_end (&call);

  call_begin (&call, loop, file);
  call_write (&call);
  call_end (&call);

  call_begin (&call, loop, file);
  call_add_write (&call, 5, "");
  call_add_write (&call, -5, "abc");
  call_write (&call);
  assert_result (call.batch, 0, 0, 0);
  assert_result (call.batch, 1, 0, EINVAL);
  call_end (&call);

  call_begin (&call, loop, file);
  gaio_file_read_batch_async (file, offsets, 3, lengths, 2, 0, NULL, on_read, &call);
  call_wait (&call);
  file_test_assert_error (g_steal_pointer (&call.error), G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  call_end (&call);
  call_begin (&call, loop, file);
  gaio_file_write_batch_async (file, offsets, 3, &chunk, 1, 0, NULL, on_write, &call);
  call_wait (&call);
  file_test_assert_error (g_steal_pointer (&call.error), G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  call_end (&call);

  /* More than there is. */
  lengths[0] = lengths[1] = G_MAXSIZE / 2 + 1;
  g_assert_null (gaio_file_read_batch (file, offsets, 2, lengths, 2, NULL, &error));
  g_assert_cmpint (gaio_error_get_errno (error), ==, ENOMEM);
  g_clear_error (&error);
  g_assert_null (gaio_file_read_batch (file, offsets, 1, lengths, 1, NULL, &error));
  g_assert_cmpint (gaio_error_get_errno (error), ==, ENOMEM);
  g_clear_error (&error);
  g_bytes_unref (chunk);
  g_clear_object (&file);
  file_test_remove_dir (dir);
}

static void
test_write (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "a", NULL);
  g_autoptr (GaioFile) file = file_test_open (loop->context, path, "w");
  GaioBatch *batch;
  goffset offsets[] = { 2, 0 };
  GBytes *chunks[] = { g_bytes_new_static ("yy", 2), g_bytes_new_static ("xxx", 3) };
  GError *error = NULL;
  Call call;

  call_begin (&call, loop, file);
  call_add_write (&call, 0, "aaaaaaaaaa");
  call_add_write (&call, 10, "bbbbb");
  call_add_write (&call, 5, "cccccc");
  call_add_write (&call, 7, "dd");
  call_add_write (&call, 20, "eeee");
  call_add_write (&call, 20, "ff");
  call_add_write (&call, 15, "ggggg");
  call_write (&call);
  g_assert_cmpuint (gaio_batch_get_n_failed (call.batch), ==, 0);
  assert_result (call.batch, 0, 10, 0);
  assert_result (call.batch, 3, 2, 0);
  assert_result (call.batch, 4, 4, 0);
  call_end (&call);
  assert_contents (path, "aaaaaccddccbbbbgggggffee");

  batch = gaio_file_write_batch (file, offsets, 2, chunks, 2, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (gaio_batch_check (batch, &error));
  g_object_unref (batch);
  g_bytes_unref (chunks[0]);
  g_bytes_unref (chunks[1]);
  assert_contents (path, "xxxyaccddccbbbbgggggffee");
  g_clear_object (&file);
  file_test_remove_dir (dir);
}

/* Many at once, in disorder, with the memory of a call: in the file is what is right, and a few
 * requests have done it. */
static void
test_many (GaioTestLoop *loop)
{
  const gsize n = 5000;
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "a", NULL);
  g_autoptr (GaioFile) file = file_test_open (loop->context, path, "w+");
  g_autofree goffset *offsets = g_new (goffset, n);
  g_autofree GBytes **chunks = g_new (GBytes *, n);
  gsize length = 700;
  guint64 before;
  Call call;

  for (gsize i = 0; i < n; i++)
    {
      offsets[i] = (i * 1777 % n) * 700;
      chunks[i] = file_test_pattern_bytes (offsets[i], 700);
    }
  call_begin (&call, loop, file);
  before = get_stat (loop->context, "requests");
  gaio_file_write_batch_async (file, offsets, n, chunks, n, 0, NULL, on_write, &call);
  for (gsize i = 0; i < n; i++)
    g_bytes_unref (chunks[i]);
  call_wait (&call);
  g_assert_no_error (call.error);
  g_assert_cmpuint (gaio_batch_get_n_failed (call.batch), ==, 0);
  g_assert_cmpuint (get_stat (loop->context, "requests") - before, <=, 6);
  call_end (&call);

  /* Every other one: nothing touches. */
  call_begin (&call, loop, file);
  for (gsize i = 0; i < n; i++)
    offsets[i] = (i * 1777 % n) / 2 * 1400;
  before = get_stat (loop->context, "requests");
  gaio_file_read_batch_async (file, offsets, n, &length, 1, 0, NULL, on_read, &call);
  call_wait (&call);
  g_assert_no_error (call.error);
  for (gsize i = 0; i < n; i++)
    assert_read (call.batch, i, offsets[i], 700);
  g_assert_cmpuint (get_stat (loop->context, "requests") - before, ==, n / 2);
  call_end (&call);
  g_clear_object (&file);
  file_test_remove_dir (dir);
}

/* As many as the documentation says are no problem, of which most read nothing. */
static void
test_end_of_file (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 1000000);
  g_autoptr (GaioFile) file = file_test_open (loop->context, path, "r");
  g_autofree goffset *offsets = g_new (goffset, MAX_OPS);
  g_autoptr (GBytes) data = NULL;
  const guint8 *memory;
  gsize length = 64;
  Call call;

  for (gsize i = 0; i < MAX_OPS; i++)
    offsets[i] = i * 32;
  call_begin (&call, loop, file);
  gaio_file_read_batch_async (file, offsets, MAX_OPS, &length, 1, 0, NULL, on_read, &call);
  call_wait (&call);
  g_assert_no_error (call.error);
  data = gaio_batch_get_data (call.batch);
  memory = g_bytes_get_data (data, NULL);
  for (gsize i = 0; i < MAX_OPS; i++)
    {
      gsize count = CLAMP (1000000 - offsets[i], 0, 64);

      g_assert_cmpuint (gaio_batch_get_count (call.batch, i), ==, count);
      file_test_assert_pattern (memory + i * 64, offsets[i], count);
      for (gsize k = count; k < 64; k++)
        g_assert_cmpint (memory[i * 64 + k], ==, 0);
    }
  call_end (&call);
  g_clear_object (&file);
  file_test_remove_dir (dir);
}

static void
test_append (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "a", NULL);
  g_autoptr (GaioFile) file = file_test_open (loop->context, path, "a");
  Call call;

  call_begin (&call, loop, file);
  call_add_write (&call, 100, "first ");
  call_add_write (&call, 0, "second ");
  call_add_write (&call, -1, "never ");
  call_add_write (&call, 0, "third");
  call_write (&call);
  assert_result (call.batch, 0, 6, 0);
  assert_result (call.batch, 1, 7, 0);
  assert_result (call.batch, 2, 0, EINVAL);
  assert_result (call.batch, 3, 5, 0);
  call_end (&call);
  assert_contents (path, "first second third");
  g_clear_object (&file);
  file_test_remove_dir (dir);
}

/* One after the other, each with what is there; and what cannot be written any more. */
static void
test_pipe (GaioTestLoop *loop)
{
  g_autoptr (GaioFile) reader = NULL;
  g_autoptr (GaioFile) writer = NULL;
  g_autoptr (GString) text = g_string_new (NULL);
  GError *error = NULL;
  int fds[2];
  Call call, reads;

  file_test_make_pipe (fds);
  reader = file_test_adopt (loop->context, fds[0]);
  writer = file_test_adopt (loop->context, fds[1]);

  call_begin (&reads, loop, reader);
  call_add_read (&reads, 7, 4);
  call_add_read (&reads, 7, 100);
  call_add_read (&reads, 7, 100);
  call_add_read (&reads, 7, 100);
  call_start_reads (&reads, NULL);
  call_begin (&call, loop, writer);
  call_add_write (&call, 9, "abc");
  call_add_write (&call, 5, "defg");
  call_write (&call);
  g_assert_cmpuint (gaio_batch_get_n_failed (call.batch), ==, 0);
  call_end (&call);
  gaio_test_settle (loop);
  g_assert_cmpint (reads.ended, ==, 0);
  g_assert_true (gaio_file_close (writer, NULL, &error));
  g_assert_no_error (error);
  call_wait (&reads);
  g_assert_no_error (reads.error);
  /* How the two came through the pipe is its own business, but not their order. */
  for (int i = 0; i < 4; i++)
    {
      g_autoptr (GBytes) bytes = gaio_batch_get_bytes (reads.batch, i);

      assert_result (reads.batch, i, g_bytes_get_size (bytes), 0);
      g_string_append_len (text, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes));
    }
  g_assert_cmpstr (text->str, ==, "abcdefg");
  assert_result (reads.batch, 3, 0, 0);
  call_end (&reads);
  g_clear_object (&reader);

  /* What breaks the order breaks it for all. */
  file_test_make_pipe (fds);
  close (fds[0]);
  g_clear_object (&writer);
  writer = file_test_adopt (loop->context, fds[1]);
  call_begin (&call, loop, writer);
  call_add_write (&call, 0, "abc");
  call_add_write (&call, 0, "");
  call_add_write (&call, 0, "defg");
  call_write (&call);
  assert_result (call.batch, 0, 0, EPIPE);
  assert_result (call.batch, 1, 0, 0);
  assert_result (call.batch, 2, 0, EPIPE);
  call_end (&call);
}

static void
test_closed (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 1000);
  g_autoptr (GaioFile) file = file_test_open (loop->context, path, "r+");
  goffset offset = 0;
  gsize length = 10;
  GError *error = NULL;
  Call call;

  g_assert_true (gaio_file_close (file, NULL, &error));
  call_begin (&call, loop, file);
  for (int i = 0; i < 10; i++)
    call_add_read (&call, i * 100, 10);
  call_start_reads (&call, NULL);
  call_wait (&call);
  file_test_assert_error (g_steal_pointer (&call.error), G_IO_ERROR_CLOSED, EBADF);
  call_end (&call);
  call_begin (&call, loop, file);
  call_add_write (&call, 0, "abc");
  call_start_writes (&call, NULL);
  call_wait (&call);
  file_test_assert_error (g_steal_pointer (&call.error), G_IO_ERROR_CLOSED, EBADF);
  call_end (&call);
  g_assert_null (gaio_file_read_batch (file, &offset, 1, &length, 1, NULL, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_CLOSED, EBADF);
  g_clear_object (&file);
  file_test_remove_dir (dir);
}

static void
on_closed (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Call *call = user_data;
  GError *error = NULL;

  g_assert_true (gaio_file_close_finish (GAIO_FILE (source), result, &error));
  g_assert_no_error (error);
  /* Not before the batch. */
  g_assert_cmpint (call->ended, ==, 1);
  call->ended++;
}

/* A close that comes after a batch waits for all of it, also for what is not submitted yet. */
static void
test_close_waits (GaioTestLoop *loop)
{
  const gsize n = 2000;
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 64 * n);
  g_autoptr (GaioFile) file = file_test_open (loop->context, path, "r");
  g_autofree goffset *offsets = g_new (goffset, n);
  gsize length = 10;
  Call call;

  for (gsize i = 0; i < n; i++)
    offsets[i] = i * 64;
  call_begin (&call, loop, file);
  gaio_file_read_batch_async (file, offsets, n, &length, 1, 0, NULL, on_read, &call);
  gaio_file_close_async (file, 0, NULL, on_closed, &call);
  while (call.ended < 2)
    gaio_test_turn (loop, FALSE);
  g_assert_no_error (call.error);
  for (gsize i = 0; i < n; i++)
    assert_read (call.batch, i, i * 64, 10);
  call_end (&call);
  g_assert_true (gaio_file_is_closed (file));
  g_clear_object (&file);
  file_test_remove_dir (dir);
}

/* Before, in flight, and afterwards. */
static void
test_cancelled (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 1000);
  g_autoptr (GaioFile) file = file_test_open (loop->context, path, "r+");
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  g_autoptr (GaioFile) reader = NULL;
  int n_left = 0;
  int fds[2];
  Call call;

  g_cancellable_cancel (cancellable);
  call_begin (&call, loop, file);
  call_add_write (&call, 0, "abc");
  call_start_writes (&call, cancellable);
  call_wait (&call);
  file_test_assert_error (g_steal_pointer (&call.error), G_IO_ERROR_CANCELLED, ECANCELED);
  call_end (&call);

  /* The first read is there, the second would wait for ever. */
  file_test_make_pipe (fds);
  reader = file_test_adopt (loop->context, fds[0]);
  g_assert_cmpint (write (fds[1], "abc", 3), ==, 3);
  g_cancellable_reset (cancellable);
  call_begin (&call, loop, reader);
  call_add_read (&call, 0, 3);
  call_add_read (&call, 0, 3);
  call_add_read (&call, 0, 3);
  call_start_reads (&call, cancellable);
  gaio_test_settle (loop);
  while (ioctl (fds[0], FIONREAD, &n_left) == 0 && n_left > 0)
    gaio_test_turn (loop, FALSE); /* a worker takes it when it comes to that */
  g_assert_cmpint (call.ended, ==, 0);
  g_cancellable_cancel (cancellable);
  call_wait (&call);
  file_test_assert_error (g_steal_pointer (&call.error), G_IO_ERROR_CANCELLED, ECANCELED);
  call_end (&call);

  /* So would the only one. */
  g_cancellable_reset (cancellable);
  call_begin (&call, loop, reader);
  call_add_read (&call, 0, 3);
  call_start_reads (&call, cancellable);
  gaio_test_settle (loop);
  g_cancellable_cancel (cancellable);
  call_wait (&call);
  file_test_assert_error (g_steal_pointer (&call.error), G_IO_ERROR_CANCELLED, ECANCELED);
  call_end (&call);
  close (fds[1]);

  /* Nothing was stopped. */
  g_cancellable_reset (cancellable);
  call_begin (&call, loop, file);
  call_add_read (&call, 0, 3);
  call_start_reads (&call, cancellable);
  call_wait (&call);
  g_cancellable_cancel (cancellable);
  g_assert_no_error (call.error);
  assert_read (call.batch, 0, 0, 3);
  call_end (&call);
  g_clear_object (&file);
  file_test_remove_dir (dir);
}

/* At any moment: it ends once, and says either that all is done or that it was stopped. */
static void
test_cancelled_any_time (GaioTestLoop *loop)
{
  const gsize n = 3000;
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 64 * n);
  g_autoptr (GaioFile) file = file_test_open (loop->context, path, "r");
  g_autofree goffset *offsets = g_new (goffset, n);
  gsize length = 10;

  for (gsize i = 0; i < n; i++)
    offsets[i] = i * 64;
  for (int turns = 0; turns < 60; turns++)
    {
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();
      Call call;

      call_begin (&call, loop, file);
      gaio_file_read_batch_async (file, offsets, n, &length, 1, 0, cancellable, on_read, &call);
      for (int i = 0; i < turns; i++)
        gaio_test_turn (loop, FALSE);
      g_cancellable_cancel (cancellable);
      call_wait (&call);
      if (call.error != NULL)
        g_assert_error (call.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      else
        for (gsize i = 0; i < n; i++)
          assert_read (call.batch, i, i * 64, 10);
      call_end (&call);
    }
  g_clear_object (&file);
  file_test_remove_dir (dir);
}

/* A file that may be no longer than this: what is below is written, of what crosses it a part, and
 * what is merged with it tells no other error than it would alone. */
static void
test_limit (void)
{
  if (g_test_subprocess ())
    {
      static const GaioEngine engines[] = { GAIO_ENGINE_AUTO, GAIO_ENGINE_THREADS };
      const struct rlimit limit = { .rlim_cur = 4096, .rlim_max = 4096 };

      g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &limit), ==, 0);
      for (guint i = 0; i < G_N_ELEMENTS (engines); i++)
        {
          g_autoptr (GaioContext) context =
              g_initable_new (GAIO_TYPE_CONTEXT, NULL, NULL, "engine", engines[i], NULL);
          GaioTestLoop loop = { .context = context,
                                .main_context = g_main_context_default (),
                                .driver = GAIO_TEST_BY_POLL };
          char *dir = file_test_make_dir ();
          g_autofree char *path = g_build_filename (dir, "a", NULL);
          g_autoptr (GaioFile) file = file_test_open (context, path, "w");
          g_autofree char *long_text = g_strnfill (3000, 'x');
          Call call;

          call_begin (&call, &loop, file);
          call_add_write (&call, 6000, long_text);
          call_add_write (&call, 3000, long_text);
          call_add_write (&call, 0, long_text);
          call_add_write (&call, 5000, "y");
          call_add_write (&call, 100, "z");
          call_write (&call);
          g_assert_cmpuint (gaio_batch_get_n_failed (call.batch), ==, 3);
          assert_result (call.batch, 0, 0, EFBIG);
          assert_result (call.batch, 1, 1096, EFBIG);
          assert_result (call.batch, 2, 3000, 0);
          assert_result (call.batch, 3, 0, EFBIG);
          assert_result (call.batch, 4, 1, 0);
          call_end (&call);
          g_clear_object (&file);

          /* Behind what is missing nothing is appended. */
          file = file_test_open (context, path, "a");
          g_assert_cmpint (truncate (path, 4094), ==, 0);
          call_begin (&call, &loop, file);
          call_add_write (&call, 0, "a");
          call_add_write (&call, 0, "bcd");
          call_add_write (&call, 0, "");
          call_add_write (&call, 0, "e");
          call_write (&call);
          assert_result (call.batch, 0, 1, 0);
          assert_result (call.batch, 1, 1, EFBIG);
          assert_result (call.batch, 2, 0, 0);
          assert_result (call.batch, 3, 0, EFBIG);
          call_end (&call);
          g_clear_object (&file);
          file_test_remove_dir (dir);
        }
      return;
    }
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
  g_test_trap_assert_passed ();
}

/* Where many cannot be read at once, each is read alone. */
static void
test_merged_fails (void)
{
  if (g_test_subprocess ())
    {
      g_autoptr (GaioContext) context =
          g_initable_new (GAIO_TYPE_CONTEXT, NULL, NULL, "engine", GAIO_ENGINE_THREADS, NULL);
      GaioTestLoop loop = { .context = context,
                            .main_context = g_main_context_default (),
                            .driver = GAIO_TEST_BY_POLL };
      char *dir = file_test_make_dir ();
      g_autofree char *path = file_test_make_file (dir, "a", 10000);
      g_autoptr (GaioFile) file = file_test_open (context, path, "r");
      goffset offsets[] = { 2000, 0, 1500 };
      gsize lengths[] = { 2000, 2000, 1000 };
      GaioBatch *batch;
      GError *error = NULL;
      Call call;

      g_assert_true (file_test_break_syscall (SYS_preadv, -1, EIO));
      call_begin (&call, &loop, file);
      for (int i = 0; i < 3; i++)
        call_add_read (&call, offsets[i], lengths[i]);
      call_add_read (&call, 9900, 200);
      call_read (&call);
      for (int i = 0; i < 3; i++)
        assert_read (call.batch, i, offsets[i], lengths[i]);
      assert_read (call.batch, 3, 9900, 100);
      call_end (&call);
      batch = gaio_file_read_batch (file, offsets, 3, lengths, 3, NULL, &error);
      g_assert_no_error (error);
      for (int i = 0; i < 3; i++)
        assert_read (batch, i, offsets[i], lengths[i]);
      g_object_unref (batch);

      /* And where not even that can be, each has the error. */
      g_assert_true (file_test_break_syscall (SYS_pread64, -1, EIO));
      batch = gaio_file_read_batch (file, offsets, 3, lengths, 3, NULL, &error);
      g_assert_no_error (error);
      for (int i = 0; i < 3; i++)
        assert_result (batch, i, 0, EIO);
      g_object_unref (batch);
      g_clear_object (&file);
      file_test_remove_dir (dir);
      return;
    }
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
  g_test_trap_assert_passed ();
}

typedef struct
{
  GaioFile *file;
  GThread *thread;
  int freed;
} Elsewhere;

static void
free_chunk (gpointer data)
{
  Elsewhere *elsewhere = data;

  g_assert_true (g_thread_self () == elsewhere->thread);
  elsewhere->freed++;
}

static void
run_elsewhere (GaioTestLoop *loop, Elsewhere *elsewhere)
{
  goffset offsets[100];
  GBytes *chunks[100];
  Call call;

  elsewhere->thread = g_thread_self ();
  for (int round = 0; round < 20; round++)
    {
      g_autoptr (GCancellable) cancellable = g_cancellable_new ();

      for (int i = 0; i < 100; i++)
        {
          offsets[i] = i * 10;
          chunks[i] = g_bytes_new_with_free_func ("abcd", 4, free_chunk, elsewhere);
        }
      call_begin (&call, loop, elsewhere->file);
      gaio_file_write_batch_async (elsewhere->file, offsets, 100, chunks, 100, 0, cancellable,
                                   on_write, &call);
      for (int i = 0; i < 100; i++)
        g_bytes_unref (chunks[i]);
      if (round % 2 != 0)
        g_cancellable_cancel (cancellable);
      while (call.ended == 0)
        g_main_context_iteration (loop->main_context, TRUE);
      g_assert_true (call.thread == elsewhere->thread);
      if (round % 2 == 0)
        g_assert_no_error (call.error);
      call_end (&call);
      g_assert_cmpint (elsewhere->freed, ==, 100 * (round + 1));
    }
}

/* The caller's is not the file's home: callback, chunks and task stay with the caller. */
static void
test_elsewhere (void)
{
  g_autoptr (GaioIOThread) thread = gaio_io_thread_new ("elsewhere", NULL);
  g_autoptr (GMainContext) main_context = g_main_context_new ();
  GaioTestLoop loop = { .main_context = main_context };
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "a", NULL);
  Elsewhere elsewhere = {
    .file = file_test_open (gaio_io_thread_get_context (thread), path, "w"),
  };

  g_main_context_push_thread_default (main_context);
  run_elsewhere (&loop, &elsewhere);
  g_main_context_pop_thread_default (main_context);
  g_object_unref (elsewhere.file);
  gaio_io_thread_stop (thread);
  file_test_remove_dir (dir);
}

/* The thread is stopped with a batch in it: that ends, one way or the other. */
static void
test_thread_stops (void)
{
  const gsize n = 3000;
  g_autoptr (GMainContext) main_context = g_main_context_new ();
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 64 * n);
  g_autofree goffset *offsets = g_new (goffset, n);
  gsize length = 10;

  g_main_context_push_thread_default (main_context);
  for (gsize i = 0; i < n; i++)
    offsets[i] = i * 64;
  for (int round = 0; round < 20; round++)
    {
      g_autoptr (GaioIOThread) thread = gaio_io_thread_new ("stops", NULL);
      g_autoptr (GaioFile) file = file_test_open (gaio_io_thread_get_context (thread), path, "r");
      Call call;

      call_begin (&call, NULL, file);
      gaio_file_read_batch_async (file, offsets, n, &length, 1, 0, NULL, on_read, &call);
      g_usleep (round * 100);
      gaio_io_thread_stop (thread);
      while (call.ended == 0)
        g_main_context_iteration (main_context, TRUE);
      if (call.error != NULL)
        g_assert_error (call.error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
      else
        for (gsize i = 0; i < n; i++)
          assert_read (call.batch, i, i * 64, 10);
      call_end (&call);
    }
  g_main_context_pop_thread_default (main_context);
  file_test_remove_dir (dir);
}

/* O_DIRECT: places and lengths that it takes, and that it does not. */
static void
test_direct (GaioTestLoop *loop)
{
  char path[] = "gaio-test-batch-XXXXXX";
  int fd = mkstemp (path);
  g_autofree guint8 *data = file_test_pattern (0, 65536);
  g_autoptr (GaioFile) file = NULL;
  GError *error = NULL;
  Call call;

  if (fd < 0)
    {
      g_test_skip ("no room for a file in the current directory");
      return;
    }
  g_assert_cmpint (write (fd, data, 65536), ==, 65536);
  close (fd);
  fd = open (path, O_RDONLY | O_DIRECT | O_CLOEXEC);
  unlink (path);
  if (fd < 0)
    {
      g_test_skip ("the file system has no O_DIRECT");
      return;
    }
  file = gaio_file_new_for_fd (loop->context, fd, "direct", &error);
  g_assert_no_error (error);
  call_begin (&call, loop, file);
  call_add_read (&call, 4096, 4096);
  call_add_read (&call, 0, 4096);
  call_add_read (&call, 8192, 8192);
  call_add_read (&call, 32768, 4096);
  call_add_read (&call, 32768, 8192);
  call_read (&call);
  assert_read (call.batch, 0, 4096, 4096);
  assert_read (call.batch, 1, 0, 4096);
  assert_read (call.batch, 2, 8192, 8192);
  assert_read (call.batch, 3, 32768, 4096);
  assert_read (call.batch, 4, 32768, 8192);
  call_end (&call);
  g_object_unref (g_steal_pointer (&file));
}

/* What goes with another's request is counted, in this form and the blocking one. */
static void
test_counted (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 10000);
  GaioFile *file = file_test_open (loop->context, path, "r");
  goffset offsets[] = { 0, 100, 200, 5000 };
  gsize length = 100;
  g_autoptr (GVariant) stats = NULL;
  g_autoptr (GaioBatch) batch = NULL;
  GError *error = NULL;
  guint64 merged = 0;
  Call call;

  call_begin (&call, loop, file);
  for (int i = 0; i < 4; i++)
    call_add_read (&call, offsets[i], length);
  call_read (&call);
  call_end (&call);
  batch = gaio_file_read_batch (file, offsets, 4, &length, 1, NULL, &error);
  g_assert_no_error (error);
  stats = gaio_file_get_stats (file);
  g_assert_true (g_variant_lookup (stats, "merged", "t", &merged));
  g_assert_cmpuint (merged, ==, 2 + 2);
  g_object_unref (file);
  file_test_remove_dir (dir);
}

static void
test_misuse (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 100);
  g_autoptr (GaioFile) file = file_test_open (loop->context, path, "r");
  Call call;

  call_begin (&call, loop, file);
  call_add_read (&call, 0, 10);
  call_read (&call);
  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*index < self->ops.n*");
  g_assert_cmpuint (gaio_batch_get_count (call.batch, 1), ==, 0);
  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*index < self->ops.n*");
  g_assert_null (gaio_batch_get_bytes (call.batch, G_MAXSIZE));
  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, "*index < self->ops.n*");
  g_assert_null (gaio_batch_get_error (call.batch, 1));
  g_test_assert_expected_messages ();
  call_end (&call);
  g_clear_object (&file);
  file_test_remove_dir (dir);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  signal (SIGPIPE, SIG_IGN);
  gaio_test_add_engine_matrix ("/batch/read", test_read);
  gaio_test_add_engine_matrix ("/batch/read-blocking", test_read_blocking);
  gaio_test_add_engine_matrix ("/batch/nothing", test_nothing);
  gaio_test_add_engine_matrix ("/batch/write", test_write);
  gaio_test_add_engine_matrix ("/batch/many", test_many);
  gaio_test_add_engine_matrix ("/batch/end-of-file", test_end_of_file);
  gaio_test_add_engine_matrix ("/batch/append", test_append);
  gaio_test_add_engine_matrix ("/batch/pipe", test_pipe);
  gaio_test_add_engine_matrix ("/batch/closed", test_closed);
  gaio_test_add_engine_matrix ("/batch/close-waits", test_close_waits);
  gaio_test_add_engine_matrix ("/batch/cancelled", test_cancelled);
  gaio_test_add_engine_matrix ("/batch/cancelled-any-time", test_cancelled_any_time);
  gaio_test_add_engine_matrix ("/batch/direct", test_direct);
  gaio_test_add_engine_matrix ("/batch/counted", test_counted);
  gaio_test_add_engine_matrix ("/batch/misuse", test_misuse);
  gaio_test_add ("/batch/limit", test_limit);
  gaio_test_add ("/batch/merged-fails", test_merged_fails);
  gaio_test_add ("/batch/elsewhere", test_elsewhere);
  gaio_test_add ("/batch/thread-stops", test_thread_stops);
  return g_test_run ();
}
