/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Buffers that come from a pool and go back to it, and what a ring knows of them. */

#include <sys/resource.h>

#include "file-test.h"

static void
on_end (GaioRequest *request, gpointer user_data)
{
  g_autoptr (GError) error = NULL;

  gaio_request_get_result (request, NULL, &error);
  g_assert_no_error (error);
  ++*(int *) user_data;
}

static void
wait_for (GaioTestLoop *loop, int *ended, int n)
{
  gaio_test_turn_until (loop, ended, n);
  *ended = 0;
}

static void
test_buffers (void)
{
  g_autoptr (GaioBufferPool) pool = gaio_buffer_pool_new (5000, 2);
  gsize size = gaio_buffer_pool_get_buffer_bytes (pool);
  g_autoptr (GBytes) few = file_test_pattern_bytes (3, 5000);
  g_autoptr (GBytes) many = file_test_pattern_bytes (3, size + 1);
  g_autoptr (GBytes) none = g_bytes_new (NULL, 0);
  g_autoptr (GBytes) copy = NULL;
  g_autoptr (GBytes) large = NULL;
  g_autoptr (GBytes) empty = NULL;
  g_autoptr (GBytes) late = NULL;
  guint64 property;
  guint n_buffers;
  guint alignment;
  gpointer buffer;

  g_assert_cmpuint (size % 4096, ==, 0);
  g_assert_cmpuint (size, >=, 5000);
  g_object_get (pool, "buffer-bytes", &property, "n-buffers", &n_buffers, "alignment", &alignment,
                NULL);
  g_assert_cmpuint (property, ==, size);
  g_assert_cmpuint (n_buffers, ==, 2);
  g_assert_cmpuint (gaio_buffer_pool_get_n_buffers (pool), ==, 2);
  g_assert_cmpuint (gaio_buffer_pool_get_n_used (pool), ==, 0);
  g_assert_false (gaio_buffer_pool_is_registered (pool));

  buffer = gaio_buffer_pool_acquire (pool);
  g_assert_nonnull (buffer);
  g_assert_cmpuint ((guintptr) buffer % alignment, ==, 0);
  memset (buffer, 1, size);
  copy = gaio_buffer_pool_copy_bytes (pool, few);
  file_test_assert_bytes (copy, 3, 5000);
  g_assert_cmpuint ((guintptr) g_bytes_get_data (copy, NULL) % alignment, ==, 0);
  g_assert_cmpuint (gaio_buffer_pool_get_n_used (pool), ==, 2);

  /* There is no more, or not so much. */
  g_assert_null (gaio_buffer_pool_acquire (pool));
  gaio_buffer_pool_release (pool, buffer);
  g_assert_cmpuint (gaio_buffer_pool_get_n_used (pool), ==, 1);
  large = gaio_buffer_pool_copy_bytes (pool, many);
  file_test_assert_bytes (large, 3, size + 1);
  g_assert_cmpuint ((guintptr) g_bytes_get_data (large, NULL) % alignment, ==, 0);
  empty = gaio_buffer_pool_copy_bytes (pool, none);
  g_assert_cmpuint (g_bytes_get_size (empty), ==, 0);
  g_assert_cmpuint (gaio_buffer_pool_get_n_used (pool), ==, 1);
  g_clear_pointer (&copy, g_bytes_unref);
  g_assert_cmpuint (gaio_buffer_pool_get_n_used (pool), ==, 0);

  /* What is in use outlives the pool. */
  late = gaio_buffer_pool_copy_bytes (pool, few);
  g_clear_object (&pool);
  file_test_assert_bytes (late, 3, 5000);
}

/* More than there is memory for. */
static void
test_too_much (void)
{
  g_autoptr (GaioBufferPool) pool = gaio_buffer_pool_new (G_MAXSSIZE, G_MAXUINT);
  g_autoptr (GBytes) few = file_test_pattern_bytes (3, 5000);
  g_autoptr (GBytes) copy = gaio_buffer_pool_copy_bytes (pool, few);

  file_test_assert_bytes (copy, 3, 5000);
  g_assert_null (gaio_buffer_pool_acquire (pool));
  g_assert_cmpuint (gaio_buffer_pool_get_n_used (pool), ==, 0);
}

static gpointer
take_and_give_back (gpointer pool)
{
  g_autoptr (GBytes) bytes = file_test_pattern_bytes (0, 100);

  for (int i = 0; i < 20000; i++)
    {
      g_autoptr (GBytes) copy = gaio_buffer_pool_copy_bytes (pool, bytes);

      g_assert_cmpmem (g_bytes_get_data (copy, NULL), 100, g_bytes_get_data (bytes, NULL), 100);
    }
  return NULL;
}

static void
test_threads (void)
{
  g_autoptr (GaioBufferPool) pool = gaio_buffer_pool_new (4096, 3);
  GThread *threads[4];

  for (int i = 0; i < 4; i++)
    threads[i] = g_thread_new ("buffers", take_and_give_back, pool);
  for (int i = 0; i < 4; i++)
    g_thread_join (threads[i]);
  g_assert_cmpuint (gaio_buffer_pool_get_n_used (pool), ==, 0);
}

static gpointer
drop_bytes (gpointer bytes)
{
  g_bytes_unref (bytes);
  return NULL;
}

static void
test_reads (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 300000);
  GaioFile *file = file_test_open (loop->context, path, "r+");
  g_autoptr (GaioBufferPool) pool = gaio_buffer_pool_new (8192, 2);
  GaioRequest *requests[4];
  GBytes *bytes[4];
  int ended = 0;

  g_object_set (file, "buffer-pool", pool, NULL);
  g_assert_true (gaio_file_get_buffer_pool (file) == pool);
  if (loop->engine == GAIO_ENGINE_THREADS)
    g_assert_false (gaio_buffer_pool_is_registered (pool));
  else if (!gaio_buffer_pool_is_registered (pool))
    g_test_message ("the kernel does not register buffers");

  /* Two have buffers, one has none left, and one is too large. */
  for (int i = 0; i < 4; i++)
    {
      requests[i] = gaio_request_new (file, on_end, &ended, NULL);
      gaio_request_read (requests[i], 1000 * i, i < 3 ? 8192 : 100000);
    }
  wait_for (loop, &ended, 4);
  g_assert_cmpuint (gaio_buffer_pool_get_n_used (pool), ==, 2);
  for (int i = 0; i < 4; i++)
    {
      bytes[i] = gaio_request_steal_bytes (requests[i]);
      file_test_assert_bytes (bytes[i], 1000 * i, i < 3 ? 8192 : 100000);
    }
  g_assert_cmpuint (gaio_buffer_pool_get_n_used (pool), ==, 2);

  /* In whichever thread the last reference goes. */
  g_thread_join (g_thread_new ("drop", drop_bytes, bytes[0]));
  g_assert_cmpuint (gaio_buffer_pool_get_n_used (pool), ==, 1);

  /* A request has its buffer until it is dropped, and uses it again. */
  for (int i = 0; i < 3; i++)
    {
      gaio_request_read (requests[0], 500 + i, 4096);
      wait_for (loop, &ended, 1);
      file_test_assert_pattern (gaio_request_get_data (requests[0], NULL), 500 + i, 4096);
    }
  g_assert_cmpuint (gaio_buffer_pool_get_n_used (pool), ==, 2);

  /* From a buffer to the file. */
  g_bytes_unref (bytes[1]);
  {
    g_autoptr (GBytes) few = file_test_pattern_bytes (77, 5000);
    g_autoptr (GBytes) copy = gaio_buffer_pool_copy_bytes (pool, few);

    gaio_request_write (requests[1], 100000, copy);
    wait_for (loop, &ended, 1);
    gaio_request_read (requests[1], 100000, 5000);
    wait_for (loop, &ended, 1);
    file_test_assert_pattern (gaio_request_get_data (requests[1], NULL), 77, 5000);
  }

  /* The file goes, and what is read stays. */
  for (int i = 0; i < 4; i++)
    gaio_request_unref (requests[i]);
  g_object_unref (file);
  g_assert_cmpuint (gaio_buffer_pool_get_n_used (pool), ==, 0);
  file_test_assert_bytes (bytes[2], 2000, 8192);
  g_bytes_unref (bytes[2]);
  g_bytes_unref (bytes[3]);
  file_test_remove_dir (dir);
}

/* Another pool, and none, while reads into the first are in flight; and that goes meanwhile. */
static void
test_change (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 1000000);
  GaioFile *file = file_test_open (loop->context, path, "r");
  GaioRequest *requests[16];
  int ended = 0;

  for (int i = 0; i < 16; i++)
    requests[i] = gaio_request_new (file, on_end, &ended, NULL);
  for (int round = 0; round < 40; round++)
    {
      GaioBufferPool *pool = gaio_buffer_pool_new (65536, 1 + round % 16);

      gaio_file_set_buffer_pool (file, pool);
      g_object_unref (pool);
      for (int i = 0; i < 16; i++)
        gaio_request_read (requests[i], 1000 * i, 60000);
      if (round % 2 == 0)
        gaio_file_set_buffer_pool (file, NULL);
      wait_for (loop, &ended, 16);
      for (int i = 0; i < 16; i++)
        {
          g_autoptr (GBytes) bytes = gaio_request_steal_bytes (requests[i]);

          file_test_assert_bytes (bytes, 1000 * i, 60000);
        }
    }
  for (int i = 0; i < 16; i++)
    gaio_request_unref (requests[i]);
  g_object_unref (file);
  file_test_remove_dir (dir);
}

/* Of a direct file too, with offsets of any kind. */
static void
test_direct (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 300000);
  int fd = open (path, O_RDONLY | O_DIRECT | O_CLOEXEC);
  g_autoptr (GaioBufferPool) pool = gaio_buffer_pool_new (65536, 8);
  GaioFile *file;
  GaioRequest *requests[8];
  int ended = 0;

  if (fd < 0)
    {
      g_test_skip ("the temporary directory has no O_DIRECT");
      file_test_remove_dir (dir);
      return;
    }
  file = file_test_adopt (loop->context, fd);
  gaio_file_set_buffer_pool (file, pool);
  for (int i = 0; i < 8; i++)
    {
      requests[i] = gaio_request_new (file, on_end, &ended, NULL);
      gaio_request_read (requests[i], 30001 * i, 10000 + i);
    }
  wait_for (loop, &ended, 8);
  g_assert_cmpuint (gaio_buffer_pool_get_n_used (pool), ==, 8);
  for (int i = 0; i < 8; i++)
    {
      g_autoptr (GBytes) bytes = gaio_request_steal_bytes (requests[i]);

      file_test_assert_bytes (bytes, 30001 * i, 10000 + i);
      gaio_request_unref (requests[i]);
    }
  g_assert_cmpuint (gaio_buffer_pool_get_n_used (pool), ==, 0);
  g_object_unref (file);
  file_test_remove_dir (dir);
}

/* The ring goes before the pool, and the pool is used by another one then. */
static void
test_ring_goes (void)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 10000);
  g_autoptr (GaioBufferPool) pool = gaio_buffer_pool_new (8192, 4);

  for (int i = 0; i < 3; i++)
    {
      GaioContext *context = gaio_context_new (NULL);
      GaioFile *file = file_test_open (context, path, "r");
      GaioRequest *request;
      int ended = 0;

      gaio_file_set_buffer_pool (file, pool);
      request = gaio_request_new (file, on_end, &ended, NULL);
      gaio_request_read (request, 5, 8000);
      while (ended == 0)
        gaio_context_poll (context, TRUE);
      file_test_assert_pattern (gaio_request_get_data (request, NULL), 5, 8000);
      gaio_request_unref (request);
      g_object_unref (file);
      g_object_unref (context);
      g_assert_false (gaio_buffer_pool_is_registered (pool));
    }
  file_test_remove_dir (dir);
}

/* Who may not lock memory goes on without. */
static void
test_no_memlock (void)
{
  if (g_test_subprocess ())
    {
      char *dir;
      g_autofree char *path = NULL;
      GaioContext *context;
      GaioFile *file;
      g_autoptr (GaioBufferPool) pool = gaio_buffer_pool_new (1 << 20, 16);
      g_autoptr (GBytes) bytes = NULL;

      g_assert_cmpint (setrlimit (RLIMIT_MEMLOCK, &(struct rlimit){ 65536, 65536 }), ==, 0);
      file_test_become_nobody ();
      dir = file_test_make_dir ();
      path = file_test_make_file (dir, "a", 10000);
      context = gaio_context_new (NULL);
      file = file_test_open (context, path, "r");
      gaio_file_set_buffer_pool (file, pool);
      g_assert_false (gaio_buffer_pool_is_registered (pool));
      bytes = gaio_file_read_bytes (file, 0, 10000, NULL, NULL);
      file_test_assert_bytes (bytes, 0, 10000);
      g_assert_cmpuint (gaio_buffer_pool_get_n_used (pool), ==, 1);
      g_object_unref (file);
      g_object_unref (context);
      file_test_remove_dir (dir);
      return;
    }
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
  g_test_trap_assert_passed ();
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  gaio_test_add ("/buffer-pool/buffers", test_buffers);
  gaio_test_add ("/buffer-pool/too-much", test_too_much);
  gaio_test_add ("/buffer-pool/threads", test_threads);
  gaio_test_add_engine_matrix ("/buffer-pool/reads", test_reads);
  gaio_test_add_engine_matrix ("/buffer-pool/change", test_change);
  gaio_test_add_engine_matrix ("/buffer-pool/direct", test_direct);
  gaio_test_add ("/buffer-pool/ring-goes", test_ring_goes);
  gaio_test_add ("/buffer-pool/no-memlock", test_no_memlock);
  return g_test_run ();
}
