/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The window of gaiofilesink without the element: everything that can be asked of it, at random,
 * against an image of the file in memory; on a file system that fails, against the beginning of the
 * stream; and let go of at any moment.
 *
 * GAIO_TEST_WINDOW_SEED=N replays the run that a failure names last. `-m thorough` has more. */

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "fault-server.h"
#include "file-mount.h"
#include "gst-test.h"
#include "gstgaiowindow-private.h"

#define MAX_LENGTH (512 * 1024)

typedef struct
{
  GRand *rand;
  char *path;
  GstGaioWindow *window;
  GstGaioWindowConfig config;
  GstObject *sink;
  guint8 *image; /* MAX_LENGTH */
  guint64 length;
  guint64 position;
  gint n_failures; /* (atomic) */
  guint64 failed_at;
} Run;

static Run *current;

static void
failed (GstObject *sink, const GstGaioFailure *failure)
{
  current->failed_at = failure->offset;
  g_assert_nonnull (failure->error);
  g_assert_cmpint (g_atomic_int_add (&current->n_failures, 1), ==, 0);
}

static void
stalled (GstObject *sink, gboolean active, guint64 age_ns, guint64 level)
{
}

static const GstGaioWindowEvents events = { failed, stalled };

#define PICK(rand, ...)                                                                            \
  ((const guint64[]){ __VA_ARGS__ }[g_rand_int_range (                                             \
      (rand), 0, G_N_ELEMENTS (((const guint64[]){ __VA_ARGS__ })))])

static GstGaioWindowConfig
random_config (GRand *rand)
{
  return (GstGaioWindowConfig){
    .max_bytes = PICK (rand, 1, 10000, 100000, 64 * 1024 * 1024, G_MAXUINT64),
    .max_time_ns = PICK (rand, 0, 0, 1, 1000000),
    .gather_bytes = PICK (rand, 1, 5000, 65536),
    .chunk_bytes = PICK (rand, 4096, 5000, 65536, 1024 * 1024),
    .flush_interval_ns = PICK (rand, 0, 1000000, 500000000),
    .max_in_flight = (guint) PICK (rand, 1, 1, 2, 4, 8),
    .hold = (GstGaioHold) PICK (rand, GST_GAIO_HOLD_AUTO, GST_GAIO_HOLD_REF, GST_GAIO_HOLD_COPY),
    .is_regular = TRUE,
    .can_position = TRUE,
    .direct = g_rand_boolean (rand),
    .preallocate_bytes = PICK (rand, 0, 0, 1, 10000, 1024 * 1024, G_MAXINT64 - 10000),
    .sync_mode = (GstGaioSyncMode) PICK (rand, GST_GAIO_SYNC_NONE, GST_GAIO_SYNC_NONE,
                                         GST_GAIO_SYNC_EOS, GST_GAIO_SYNC_PERIODIC),
    .sync_interval_ns = PICK (rand, 1000000, 50000000),
    .drop_cache = g_rand_int_range (rand, 0, 4) == 0,
    .stall_warning_ns = PICK (rand, 0, 1, 1000000000),
  };
}

/* Writes to `path`, behind what is there when that is to stay. */
static void
run_begin (Run *run, guint32 seed, const char *path)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GaioFile) file = NULL;
  GstGaioLoop *loop;
  int fd = -1;

  *run = (Run){ .rand = g_rand_new_with_seed (seed), .path = g_strdup (path) };
  current = run;
  g_test_message ("run %u", seed);
  run->config = random_config (run->rand);
  if (run->config.direct)
    fd = open (path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_DIRECT, 0600);
  if (fd < 0)
    fd = open (path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  g_assert_cmpint (fd, >=, 0);
  loop = gst_gaio_loop_acquire (NULL, GAIO_ENGINE_AUTO, fd, &error);
  g_assert_no_error (error);
  file = gaio_file_new_for_fd (gst_gaio_loop_get_context (loop), fd, path, &error);
  g_assert_no_error (error);
  run->config.direct = gaio_file_is_direct (file);
  run->image = g_malloc0 (MAX_LENGTH);
  run->sink = gst_object_ref_sink (gst_pad_new ("sink", GST_PAD_SINK));
  run->window = gst_gaio_window_new (loop, file, &run->config, &events, run->sink);
}

static void
run_end (Run *run)
{
  g_unlink (run->path);
  g_rand_free (run->rand);
  g_free (run->path);
  g_free (run->image);
  gst_object_unref (run->sink);
}

static void
assert_stats (Run *run, gboolean ended)
{
  GstGaioWindowStats stats;

  gst_gaio_window_get_stats (run->window, &stats);
  g_assert_cmpuint (stats.accepted, ==, stats.written + stats.lost + stats.level);
  g_assert_cmpuint (stats.level, <=, stats.level_peak);
  g_assert_cmpuint (stats.held, <=, stats.held_peak);
  if (stats.level == 0)
    g_assert_cmpuint (stats.pending_offset, ==, G_MAXUINT64);
  if (!ended)
    return;
  g_assert_cmpuint (stats.level, ==, 0);
  g_assert_cmpuint (stats.held, ==, 0);
  g_assert_cmpuint (stats.held_buffers, ==, 0);
  g_assert_cmpuint (stats.in_flight, ==, 0);
}

static gsize
random_size (Run *run)
{
  static const gsize sizes[] = { 1, 10, 500, 4096, 5000, 70000, 200000 };
  gsize max = sizes[g_rand_int_range (run->rand, 0, G_N_ELEMENTS (sizes))];
  gsize size = (gsize) g_rand_int_range (run->rand, 0, (gint32) max + 1);

  /* Some as direct I/O likes them. */
  if (max >= 4096 && g_rand_boolean (run->rand))
    size = (size + 4095) & ~(gsize) 4095;
  return (gsize) MIN (size, MAX_LENGTH - run->position);
}

/* Of one to three memories, which may be views of larger ones, or aligned. */
static GstBuffer *
random_buffer (Run *run, gsize size)
{
  GstAllocationParams params = { .align = g_rand_boolean (run->rand) ? 4095 : 0 };
  guint n = (guint) g_rand_int_range (run->rand, 1, 4);
  GstBuffer *buffer = gst_buffer_new ();

  for (guint i = 0; i < n; i++)
    {
      gsize part = i + 1 == n ? size : (gsize) g_rand_int_range (run->rand, 0, (gint32) size + 1);
      gsize extra = g_rand_int_range (run->rand, 0, 8) == 0 ? 9000 : 0;
      GstMemory *memory = gst_allocator_alloc (NULL, part + extra, &params);

      gst_memory_resize (memory, (gssize) extra / 2, part);
      gst_buffer_append_memory (buffer, memory);
      size -= part;
    }
  return buffer;
}

/* FALSE when the window has failed. */
static gboolean
push (Run *run)
{
  gsize size = random_size (run);
  g_autoptr (GstBuffer) buffer = random_buffer (run, size);
  g_autofree guint8 *data = g_malloc (size);
  gboolean may_wait = g_rand_int_range (run->rand, 0, 8) != 0;
  GstGaioWindowResult result;

  for (gsize i = 0; i < size; i++)
    data[i] = (guint8) g_rand_int (run->rand);
  gst_buffer_fill (buffer, 0, data, size);
  result = gst_gaio_window_push (run->window, buffer, run->position, may_wait);
  if (result == GST_GAIO_WINDOW_FULL)
    {
      g_assert_false (may_wait);
      return TRUE;
    }
  if (result == GST_GAIO_WINDOW_FAILED)
    return FALSE;
  g_assert_cmpint (result, ==, GST_GAIO_WINDOW_OK);
  if (size == 0)
    return TRUE;
  memcpy (run->image + run->position, data, size);
  run->position += size;
  run->length = MAX (run->length, run->position);
  return TRUE;
}

static void
truncate_window (Run *run)
{
  gst_gaio_window_truncate (run->window, 0);
  memset (run->image, 0, run->length);
  run->length = run->position = 0;
}

static void
assert_file (Run *run, guint64 length)
{
  g_autofree char *data = NULL;
  g_autoptr (GError) error = NULL;
  gsize size;

  g_file_get_contents (run->path, &data, &size, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (size, ==, length);
  for (gsize i = 0; i < size; i++)
    if ((guint8) data[i] != run->image[i])
      g_error ("%s differs at byte %" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT, run->path, i, size);
}

static void
drain (Run *run, gboolean interruptible)
{
  g_assert_cmpint (gst_gaio_window_drain (run->window, interruptible, G_MAXINT64), ==,
                   GST_GAIO_WINDOW_OK);
}

static void
step (Run *run)
{
  switch (g_rand_int_range (run->rand, 0, 40))
    {
    case 0:
    case 1:
    case 2:
    case 3:
      run->position = (guint64) g_rand_int_range (run->rand, 0, (gint32) run->length + 1);
      break;
    case 4:
      run->position = MIN (run->length + 5000, MAX_LENGTH);
      break;
    case 5:
      gst_gaio_window_sync (run->window);
      break;
    case 6:
      gst_gaio_window_flush (run->window);
      break;
    case 7:
      if (g_rand_int_range (run->rand, 0, 4) == 0)
        truncate_window (run);
      break;
    case 8:
      gst_gaio_window_finish (run->window);
      if (g_rand_boolean (run->rand))
        {
          drain (run, TRUE);
          assert_stats (run, TRUE);
          assert_file (run, run->length);
        }
      break;
    case 9:
      drain (run, g_rand_boolean (run->rand));
      assert_stats (run, TRUE);
      break;
    case 10:
      assert_stats (run, FALSE);
      break;
    case 11:
      gst_gaio_window_has_room (run->window, random_size (run));
      break;
    default:
      g_assert_true (push (run));
    }
}

static guint32
get_first_seed (void)
{
  const char *seed = g_getenv ("GAIO_TEST_WINDOW_SEED");

  return seed != NULL ? (guint32) g_ascii_strtoull (seed, NULL, 10) : 0;
}

static guint
count_runs (guint n)
{
  if (g_getenv ("GAIO_TEST_WINDOW_SEED") != NULL)
    return 1;
  return g_test_thorough () ? 20 * n : n;
}

static void
test_random (void)
{
  g_autofree char *dir = gst_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "file", NULL);
  guint32 seed = get_first_seed ();

  for (guint n = count_runs (100); n > 0; n--, seed++)
    {
      Run run;
      guint n_steps;

      run_begin (&run, seed, path);
      n_steps = (guint) g_rand_int_range (run.rand, 0, 200);
      for (guint i = 0; i < n_steps; i++)
        step (&run);
      gst_gaio_window_close (run.window);
      drain (&run, FALSE);
      assert_stats (&run, TRUE);
      assert_file (&run, run.length);
      gst_gaio_window_free (run.window);
      g_assert_cmpint (run.n_failures, ==, 0);
      run_end (&run);
    }
  gst_test_remove_dir (dir);
}

/* Nothing that is left touches what is gone; the harness sees that no thread stays, and no file. */
static void
test_abandoned (void)
{
  g_autofree char *dir = gst_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "file", NULL);

  for (guint32 seed = 0; seed < count_runs (150); seed++)
    {
      Run run;
      guint n_steps;

      run_begin (&run, seed, path);
      n_steps = (guint) g_rand_int_range (run.rand, 0, 60);
      for (guint i = 0; i < n_steps; i++)
        step (&run);
      if (g_rand_boolean (run.rand))
        gst_gaio_window_close (run.window);
      gst_gaio_window_abandon (run.window);
      run_end (&run);
    }
  gst_test_remove_dir (dir);
}

/* What is in the file is what came first, and no more than was said to be written. */
static void
test_failing (void)
{
  static const int errnos[] = { EIO, ENOSPC, EACCES };
  FaultServer *server = fault_server_new ();
  guint32 seed = get_first_seed ();

  for (guint n = server != NULL ? count_runs (100) : 0; n > 0; n--, seed++)
    {
      int errnum = errnos[seed % G_N_ELEMENTS (errnos)];
      g_autofree char *name =
          g_strdup_printf ("%sat-%u-write-%d", seed % 2 != 0 ? "once-" : "", seed % 7, errnum);
      g_autofree char *path = g_build_filename (server->dir, name, NULL);
      gboolean go_on = TRUE;
      GstGaioWindowStats stats;
      Run run;

      run_begin (&run, seed, path);
      for (guint i = 0; go_on && i < 200 && run.position < MAX_LENGTH; i++)
        go_on = push (&run);
      gst_gaio_window_close (run.window);
      if (gst_gaio_window_drain (run.window, FALSE, G_MAXINT64) == GST_GAIO_WINDOW_OK)
        {
          assert_file (&run, run.length);
          g_assert_cmpint (run.n_failures, ==, 0);
        }
      else
        {
          gst_gaio_window_get_stats (run.window, &stats);
          g_assert_cmpint (run.n_failures, ==, 1);
          /* What hung when that was told may have ended well. */
          if (run.config.stall_warning_ns == 0)
            g_assert_cmpuint (stats.written, <=, run.failed_at);
          assert_file (&run, stats.written);
        }
      assert_stats (&run, TRUE);
      gst_gaio_window_free (run.window);
      run_end (&run);
    }
  g_clear_pointer (&server, fault_server_free);
}

/* The room of a buffer is free when the last of its memories is. */
static void
test_cost_of_parts (void)
{
  g_autoptr (GstBuffer) buffer = gst_buffer_new_allocate (NULL, 4096, NULL);
  GQueue operations = G_QUEUE_INIT;
  GstGaioOperation *rest;

  gst_buffer_append_memory (buffer, gst_allocator_alloc (NULL, 200000, NULL));
  g_assert_true (gst_gaio_operations_hold (&operations, buffer, 0, 204096));
  g_assert_cmpuint (operations.length, ==, 2);
  g_assert_cmpuint (((GstGaioOperation *) operations.head->data)->cost, ==, 0);
  g_assert_cmpuint (((GstGaioOperation *) operations.tail->data)->cost, ==, 204096);

  rest = gst_gaio_operation_split (operations.tail->data, 100);
  g_assert_cmpuint (((GstGaioOperation *) operations.tail->data)->cost, ==, 0);
  g_assert_cmpuint (rest->cost, ==, 204096);
  gst_gaio_operation_free (rest);
  gst_gaio_operations_free (&operations);
}

/* A window in which nothing is written for now. */
static GstGaioWindow *
idle_window_new (const char *path, guint64 max_bytes, GstGaioHold hold, GstGaioLoop **loop)
{
  const GstGaioWindowConfig config = {
    .max_bytes = max_bytes,
    .gather_bytes = 1024 * 1024,
    .chunk_bytes = 1024 * 1024,
    .flush_interval_ns = G_MAXINT64,
    .max_in_flight = 1,
    .hold = hold,
    .is_regular = TRUE,
    .can_position = TRUE,
  };
  g_autoptr (GError) error = NULL;
  g_autoptr (GaioFile) file = NULL;
  int fd = open (path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

  g_assert_cmpint (fd, >=, 0);
  *loop = gst_gaio_loop_acquire (NULL, GAIO_ENGINE_AUTO, fd, &error);
  g_assert_no_error (error);
  file = gaio_file_new_for_fd (gst_gaio_loop_get_context (*loop), fd, path, &error);
  g_assert_no_error (error);
  return gst_gaio_window_new (*loop, file, &config, &events, NULL);
}

/* When all is written, nothing is held any more. */
static void
idle_window_free (GstGaioWindow *window)
{
  GstGaioWindowStats stats;

  g_assert_cmpint (gst_gaio_window_drain (window, FALSE, G_MAXINT64), ==, GST_GAIO_WINDOW_OK);
  gst_gaio_window_get_stats (window, &stats);
  g_assert_cmpuint (stats.held, ==, 0);
  gst_gaio_window_close (window);
  g_assert_cmpint (gst_gaio_window_drain (window, FALSE, G_MAXINT64), ==, GST_GAIO_WINDOW_OK);
  gst_gaio_window_free (window);
}

/* A byte that has an element of the queue to itself takes more memory than a byte, and the bound
 * is on memory. */
static void
test_cost_of_elements (void)
{
  static const GstGaioHold holds[] = { GST_GAIO_HOLD_REF, GST_GAIO_HOLD_COPY };
  const guint64 max_bytes = 1024 * 1024;
  g_autofree char *dir = gst_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "file", NULL);

  for (guint i = 0; i < G_N_ELEMENTS (holds); i++)
    {
      GstGaioLoop *loop;
      GstGaioWindow *window = idle_window_new (path, max_bytes, holds[i], &loop);
      GstGaioWindowResult result = GST_GAIO_WINDOW_OK;
      GstGaioWindowStats stats;
      guint64 n = 0;

      /* With gaps, so that nothing is joined. */
      while (result == GST_GAIO_WINDOW_OK && n < max_bytes)
        {
          g_autoptr (GstBuffer) buffer = gst_buffer_new_memdup ("x", 1);

          result = gst_gaio_window_push (window, buffer, 2 * n, FALSE);
          n += result == GST_GAIO_WINDOW_OK;
        }
      g_assert_cmpint (result, ==, GST_GAIO_WINDOW_FULL);
      g_assert_cmpuint (n, <=, max_bytes / sizeof (GstGaioOperation));
      g_assert_cmpuint (n, >=, max_bytes / 1024);
      gst_gaio_window_get_stats (window, &stats);
      g_assert_cmpuint (stats.held, <=, max_bytes);
      idle_window_free (window);
    }
  gst_test_remove_dir (dir);
}

/* What is joined to its neighbours costs its bytes and no more, however it came: here in two
 * memories each. */
static void
test_cost_of_joined (void)
{
  const gsize n = 1000;
  g_autofree char *dir = gst_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "file", NULL);
  GstGaioLoop *loop;
  GstGaioWindow *window = idle_window_new (path, G_MAXUINT64, GST_GAIO_HOLD_COPY, &loop);
  GstGaioWindowStats stats;

  for (gsize i = 0; i < n; i++)
    {
      g_autoptr (GstBuffer) buffer = gst_buffer_append (gst_buffer_new_memdup ("a", 1),
                                                        gst_buffer_new_memdup ("b", 1));

      g_assert_cmpint (gst_gaio_window_push (window, buffer, 2 * i, FALSE), ==, GST_GAIO_WINDOW_OK);
    }
  gst_gaio_window_get_stats (window, &stats);
  g_assert_cmpuint (stats.level, ==, 2 * n);
  g_assert_cmpuint (stats.held, >=, 2 * n);
  g_assert_cmpuint (stats.held, <=, 2 * n + GST_GAIO_OPERATION_MIN_COST);
  idle_window_free (window);
  gst_test_remove_dir (dir);
}

static void
lock_and_unlock (gpointer mutex)
{
  g_mutex_lock (mutex);
  g_mutex_unlock (mutex);
}

/* As long as a barrier waits, another behind it adds nothing; so a stream of them takes no memory,
 * whatever the disk does. */
static void
test_barriers (void)
{
  g_autofree char *dir = gst_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "file", NULL);
  GstGaioLoop *loop;
  GstGaioWindow *window = idle_window_new (path, G_MAXUINT64, GST_GAIO_HOLD_AUTO, &loop);
  GstGaioWindowStats stats;
  GMutex mutex;

  g_mutex_init (&mutex);
  g_mutex_lock (&mutex);
  gaio_context_invoke (gst_gaio_loop_get_context (loop), lock_and_unlock, &mutex, NULL);
  for (guint i = 0; i < 1000; i++)
    gst_gaio_window_sync (window);
  g_mutex_unlock (&mutex);
  g_assert_cmpint (gst_gaio_window_drain (window, FALSE, G_MAXINT64), ==, GST_GAIO_WINDOW_OK);
  gst_gaio_window_get_stats (window, &stats);
  g_assert_cmpuint (stats.syncs, ==, 1);

  /* One that has begun does not cover what comes later. */
  gst_gaio_window_sync (window);
  g_assert_cmpint (gst_gaio_window_drain (window, FALSE, G_MAXINT64), ==, GST_GAIO_WINDOW_OK);
  gst_gaio_window_get_stats (window, &stats);
  g_assert_cmpuint (stats.syncs, ==, 2);
  idle_window_free (window);
  g_mutex_clear (&mutex);
  gst_test_remove_dir (dir);
}

#define KEPT_MIB 40 /* more than stays in any case */
#define IDLE_MIB 16 /* which is so much */

/* Copies so much and has it written, so that the memory of the copies is idle. */
static void
burst (GstGaioWindow *window, GstGaioLoop *loop, guint64 offset)
{
  const gsize size = 32 * 1024;
  g_autoptr (GstBuffer) buffer = gst_buffer_new_allocate (NULL, size, NULL);
  GMutex mutex;

  gst_buffer_memset (buffer, 0, 'x', size);
  g_mutex_init (&mutex);
  g_mutex_lock (&mutex);
  gaio_context_invoke (gst_gaio_loop_get_context (loop), lock_and_unlock, &mutex, NULL);
  for (guint64 end = offset + KEPT_MIB * 1024 * 1024; offset < end; offset += size)
    g_assert_cmpint (gst_gaio_window_push (window, buffer, offset, FALSE), ==, GST_GAIO_WINDOW_OK);
  g_mutex_unlock (&mutex);
  gst_gaio_window_flush (window);
  while (gst_gaio_window_get_level (window) > 0)
    g_usleep (1000);
  g_mutex_clear (&mutex);
}

/* How much the window has kept: what is new is empty. */
static gsize
count_kept (GstGaioWindow *window)
{
  GstGaioChunk *chunks[KEPT_MIB + IDLE_MIB];
  gsize kept = 0;

  for (guint i = 0; i < G_N_ELEMENTS (chunks); i++)
    {
      chunks[i] = gst_gaio_chunk_new (window->tail.pool);
      kept += chunks[i]->data[0] != 0 ? chunks[i]->capacity : 0;
    }
  for (guint i = 0; i < G_N_ELEMENTS (chunks); i++)
    gst_gaio_chunk_unref (chunks[i]);
  return kept / (1024 * 1024);
}

/* What a burst took is kept for the next one, but never beside something else that has its place,
 * and not when the stream has ended or the window is made smaller. */
static void
test_kept (void)
{
  const guint64 max_mib = KEPT_MIB + 8, held_mib = 30;
  const guint64 held_bytes = held_mib * 1024 * 1024;
  g_autofree char *dir = gst_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "file", NULL);

  for (guint how = 0; how < 4; how++)
    {
      g_autoptr (GstBuffer) held = gst_buffer_new_allocate (NULL, held_bytes, NULL);
      GstGaioLoop *loop;
      GstGaioWindow *window =
          idle_window_new (path, max_mib * 1024 * 1024, GST_GAIO_HOLD_AUTO, &loop);

      burst (window, loop, 0);
      switch (how)
        {
        case 0:
          g_assert_cmpuint (count_kept (window), >, IDLE_MIB + 2);
          break;
        case 1:
          gst_buffer_memset (held, 0, 'y', held_bytes);
          g_assert_cmpint (gst_gaio_window_push (window, held, 0, FALSE), ==, GST_GAIO_WINDOW_OK);
          g_assert_cmpuint (count_kept (window), <=, max_mib - held_mib);
          break;
        case 2:
          gst_gaio_window_set_limits (window, 20 * 1024 * 1024, 0);
          g_assert_cmpuint (count_kept (window), <=, 20);
          break;
        default:
          gst_gaio_window_drain (window, TRUE, G_MAXINT64);
          g_assert_cmpuint (count_kept (window), <=, IDLE_MIB);
        }
      idle_window_free (window);
    }
  gst_test_remove_dir (dir);
}

int
main (int argc, char **argv)
{
  file_mount_init ();
  gst_test_init (&argc, &argv);
  gaio_test_add ("/gst/window/cost-of-parts", test_cost_of_parts);
  gaio_test_add ("/gst/window/cost-of-elements", test_cost_of_elements);
  gaio_test_add ("/gst/window/cost-of-joined", test_cost_of_joined);
  gaio_test_add ("/gst/window/barriers", test_barriers);
  gaio_test_add ("/gst/window/kept", test_kept);
  gaio_test_add ("/gst/window/random", test_random);
  gaio_test_add ("/gst/window/abandoned", test_abandoned);
  gaio_test_add ("/gst/window/failing", test_failing);
  return g_test_run ();
}
