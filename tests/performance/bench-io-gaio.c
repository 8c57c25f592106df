/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Reads and writes by gaio: requests in each way that a context can be run, and the functions that
 * end in _async. */

#include "bench-io.h"

/* What is written: the memory of each operation. */
static GBytes *chunks[BENCH_MAX_DEPTH];

static void
make_chunks (void)
{
  for (int i = 0; i < bench_io.depth; i++)
    chunks[i] = g_bytes_new_static (bench_io_buffer (i), bench_io.block_bytes);
}

static void
free_chunks (void)
{
  for (int i = 0; i < bench_io.depth; i++)
    g_clear_pointer (&chunks[i], g_bytes_unref);
}

static GaioFile *
open_file (GaioContext *context)
{
  int fd = bench_io_open ();

  return fd < 0 ? NULL : gaio_file_new_for_fd (context, fd, bench_io.path, NULL);
}

static void
begin_request (GaioRequest *request, int slot)
{
  if (bench_io.writes)
    gaio_request_write (request, bench_io_next (), chunks[slot]);
  else
    gaio_request_read (request, bench_io_next (), bench_io.block_bytes);
}

static void
on_request_end (GaioRequest *request, gpointer user_data)
{
  gsize n = 0;

  bench_io_ended (gaio_request_get_result (request, &n, NULL) ? (gssize) n : -1);
  if (bench_to_begin > 0)
    begin_request (request, GPOINTER_TO_INT (user_data));
}

static gboolean
run_requests (GaioContext *context, GMainContext *main_context)
{
  g_autoptr (GaioFile) file = open_file (context);
  GaioRequest *requests[BENCH_MAX_DEPTH];

  if (file == NULL)
    return FALSE;
  make_chunks ();
  for (int i = 0; i < bench_io.depth; i++)
    {
      requests[i] = gaio_request_new (file, on_request_end, GINT_TO_POINTER (i), NULL);
      begin_request (requests[i], i);
    }
  while (bench_to_end > 0)
    if (main_context != NULL)
      g_main_context_iteration (main_context, TRUE);
    else
      gaio_context_poll (context, TRUE);
  for (int i = 0; i < bench_io.depth; i++)
    gaio_request_unref (requests[i]);
  free_chunks ();
  return TRUE;
}

gboolean
bench_run_gaio_poll (BenchIoSample *sample)
{
  g_autoptr (GaioContext) context = gaio_context_new (NULL);

  return run_requests (context, NULL);
}

gboolean
bench_run_gaio_source (BenchIoSample *sample)
{
  g_autoptr (GaioContext) context = gaio_context_new (NULL);
  g_autoptr (GMainContext) main_context = g_main_context_new ();

  gaio_context_attach (context, main_context);
  return run_requests (context, main_context);
}

gboolean
bench_run_gaio_driven (BenchIoSample *sample)
{
  g_autoptr (GMainContext) main_context = g_main_context_new ();
  g_autoptr (GaioContext) context = gaio_context_new (NULL);

  return gaio_context_drive (context, main_context, NULL) && run_requests (context, main_context);
}

gboolean
bench_run_gaio_threads (BenchIoSample *sample)
{
  g_autoptr (GaioContext) context =
      g_initable_new (GAIO_TYPE_CONTEXT, NULL, NULL, "engine", GAIO_ENGINE_THREADS, NULL);

  return run_requests (context, NULL);
}

static void begin_task (GaioFile *file, gpointer slot);

static void
on_read_end (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GBytes *bytes = gaio_file_read_bytes_finish (GAIO_FILE (source), result, NULL);

  bench_io_ended (bytes != NULL ? (gssize) g_bytes_get_size (bytes) : -1);
  g_clear_pointer (&bytes, g_bytes_unref);
  if (bench_to_begin > 0)
    begin_task (GAIO_FILE (source), user_data);
}

static void
on_write_end (GObject *source, GAsyncResult *result, gpointer user_data)
{
  bench_io_ended (gaio_file_write_bytes_finish (GAIO_FILE (source), result, NULL));
  if (bench_to_begin > 0)
    begin_task (GAIO_FILE (source), user_data);
}

static void
begin_task (GaioFile *file, gpointer slot)
{
  if (bench_io.writes)
    gaio_file_write_bytes_async (file, bench_io_next (), chunks[GPOINTER_TO_INT (slot)],
                                 G_PRIORITY_DEFAULT, NULL, on_write_end, slot);
  else
    gaio_file_read_bytes_async (file, bench_io_next (), bench_io.block_bytes, G_PRIORITY_DEFAULT,
                                NULL, on_read_end, slot);
}

gboolean
bench_run_gaio_task (BenchIoSample *sample)
{
  g_autoptr (GMainContext) main_context = g_main_context_new ();
  g_autoptr (GaioContext) context = gaio_context_new (NULL);
  GaioFile *file;

  gaio_context_attach (context, main_context);
  file = open_file (context);
  if (file == NULL)
    return FALSE;
  g_main_context_push_thread_default (main_context);
  make_chunks ();
  for (int i = 0; i < bench_io.depth; i++)
    begin_task (file, GINT_TO_POINTER (i));
  while (bench_to_end > 0)
    g_main_context_iteration (main_context, TRUE);
  free_chunks ();
  g_object_unref (file);
  while (g_main_context_iteration (main_context, FALSE))
    ;
  g_main_context_pop_thread_default (main_context);
  return TRUE;
}
