/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the tests of streams share: each asynchronous operation as a function that turns the loop
 * until it has ended, and a pool whose workers are held up. */

#pragma once

#include <signal.h>

#include "file-test.h"

/* The end of one asynchronous operation. */
typedef struct
{
  int ended;
  GAsyncResult *result;
  GThread *thread;
} StreamCall;

static inline void
stream_test_on_end (GObject *source, GAsyncResult *result, gpointer user_data)
{
  StreamCall *call = user_data;

  g_assert_null (call->result);
  call->result = g_object_ref (result);
  call->thread = g_thread_self ();
  g_atomic_int_inc (&call->ended);
}

/* A result may come without the loop's context having a part in it, so no turn must block. */
static inline GAsyncResult *
stream_test_spin (StreamCall *call, GaioTestLoop *loop)
{
  GAsyncResult *result;

  g_assert_cmpint (call->ended, ==, 0);
  while (g_atomic_int_get (&call->ended) == 0)
    gaio_test_turn (loop, FALSE);
  g_assert_true (call->thread == g_thread_self ());
  result = call->result;
  *call = (StreamCall){ 0 };
  return result;
}

static inline gssize
stream_test_read (GaioTestLoop *loop,
                  gpointer stream,
                  gpointer buffer,
                  gsize count,
                  GCancellable *cancellable,
                  GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;
  StreamCall call = { 0 };

  g_input_stream_read_async (stream, buffer, count, 0, cancellable, stream_test_on_end, &call);
  result = stream_test_spin (&call, loop);
  return g_input_stream_read_finish (stream, result, error);
}

static inline gssize
stream_test_skip (GaioTestLoop *loop, gpointer stream, gsize count, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;
  StreamCall call = { 0 };

  g_input_stream_skip_async (stream, count, 0, NULL, stream_test_on_end, &call);
  result = stream_test_spin (&call, loop);
  return g_input_stream_skip_finish (stream, result, error);
}

static inline gssize
stream_test_write (GaioTestLoop *loop,
                   gpointer stream,
                   gconstpointer data,
                   gsize count,
                   GCancellable *cancellable,
                   GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;
  StreamCall call = { 0 };

  g_output_stream_write_async (stream, data, count, 0, cancellable, stream_test_on_end, &call);
  result = stream_test_spin (&call, loop);
  return g_output_stream_write_finish (stream, result, error);
}

static inline gboolean
stream_test_flush (GaioTestLoop *loop, gpointer stream, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;
  StreamCall call = { 0 };

  g_output_stream_flush_async (stream, 0, NULL, stream_test_on_end, &call);
  result = stream_test_spin (&call, loop);
  return g_output_stream_flush_finish (stream, result, error);
}

static inline gboolean
stream_test_close (GaioTestLoop *loop, gpointer stream, GCancellable *cancellable, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;
  StreamCall call = { 0 };

  if (G_IS_INPUT_STREAM (stream))
    g_input_stream_close_async (stream, 0, cancellable, stream_test_on_end, &call);
  else if (G_IS_OUTPUT_STREAM (stream))
    g_output_stream_close_async (stream, 0, cancellable, stream_test_on_end, &call);
  else
    g_io_stream_close_async (stream, 0, cancellable, stream_test_on_end, &call);
  result = stream_test_spin (&call, loop);
  if (G_IS_INPUT_STREAM (stream))
    return g_input_stream_close_finish (stream, result, error);
  if (G_IS_OUTPUT_STREAM (stream))
    return g_output_stream_close_finish (stream, result, error);
  return g_io_stream_close_finish (stream, result, error);
}

static inline gssize
stream_test_splice (GaioTestLoop *loop,
                    gpointer target,
                    gpointer source,
                    GOutputStreamSpliceFlags flags,
                    GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;
  StreamCall call = { 0 };

  g_output_stream_splice_async (target, source, flags, 0, NULL, stream_test_on_end, &call);
  result = stream_test_spin (&call, loop);
  return g_output_stream_splice_finish (target, result, error);
}

/* Whether a file is the pattern from its start, and this long. */
static inline void
stream_test_assert_file (const char *path, gsize size)
{
  g_autofree char *data = NULL;
  GError *error = NULL;
  gsize length;

  g_file_get_contents (path, &data, &length, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (length, ==, size);
  file_test_assert_pattern (data, 0, size);
}

static inline void
stream_test_assert_same_files (const char *a, const char *b)
{
  g_autofree char *data_a = NULL;
  g_autofree char *data_b = NULL;
  gsize size_a, size_b;

  g_assert_true (g_file_get_contents (a, &data_a, &size_a, NULL));
  g_assert_true (g_file_get_contents (b, &data_b, &size_b, NULL));
  g_assert_cmpmem (data_a, size_a, data_b, size_b);
}

static inline gpointer
stream_test_open_input (GaioTestLoop *loop, const char *path)
{
  g_autoptr (GaioFile) file = file_test_open (loop->context, path, "r");

  return gaio_file_input_stream_new (file);
}

static inline gpointer
stream_test_open_output (GaioTestLoop *loop, const char *path, const char *mode)
{
  g_autoptr (GaioFile) file = file_test_open (loop->context, path, mode);

  return gaio_file_output_stream_new (file);
}

/* While it is held the default thread pool does nothing: neither jobs, nor the requests of the
 * threads engine. */
typedef struct
{
  GMutex lock;
  GCond cond;
  gboolean is_held;
  gboolean go_on;
  int ended;
  guint max_threads;
} StreamPoolHold;

static inline void
stream_test_hold_work (gpointer data)
{
  StreamPoolHold *self = data;

  g_mutex_lock (&self->lock);
  self->is_held = TRUE;
  g_cond_broadcast (&self->cond);
  while (!self->go_on)
    g_cond_wait (&self->cond, &self->lock);
  g_mutex_unlock (&self->lock);
}

static inline void
stream_test_hold_done (gboolean cancelled, gpointer data)
{
  StreamPoolHold *self = data;

  self->ended = 1;
}

static inline void
stream_test_hold_pool (StreamPoolHold *self, GaioTestLoop *loop)
{
  GaioThreadPool *pool = gaio_thread_pool_get_default ();

  *self = (StreamPoolHold){ .max_threads = gaio_thread_pool_get_max_threads (pool) };
  g_mutex_init (&self->lock);
  g_cond_init (&self->cond);
  gaio_thread_pool_set_max_threads (pool, 1);
  gaio_thread_pool_submit (pool, loop->context, stream_test_hold_work, stream_test_hold_done, self,
                           NULL);
  g_mutex_lock (&self->lock);
  while (!self->is_held)
    g_cond_wait (&self->cond, &self->lock);
  g_mutex_unlock (&self->lock);
}

static inline void
stream_test_release_pool (StreamPoolHold *self, GaioTestLoop *loop)
{
  g_mutex_lock (&self->lock);
  self->go_on = TRUE;
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
  gaio_test_turn_until (loop, &self->ended, 1);
  gaio_thread_pool_set_max_threads (gaio_thread_pool_get_default (), self->max_threads);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->cond);
}
