/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which idle chunks a pool keeps, and for how long. One that was kept still has what was written to
 * it, and a new one has nothing but zeros; so no time has to pass here, and nobody has to look into
 * the pool. */

#include <fcntl.h>
#include <unistd.h>

#include "gst-test.h"
#include "gstgaiochunk.h"

#define CAPACITY (1024 * 1024)
#define ALL G_MAXUINT64

static GstGaioLoop *
acquire_loop (void)
{
  g_autoptr (GError) error = NULL;
  int fd = open ("/dev/null", O_WRONLY | O_CLOEXEC);
  GstGaioLoop *loop = gst_gaio_loop_acquire (NULL, GAIO_ENGINE_AUTO, fd, &error);

  g_assert_no_error (error);
  close (fd);
  return loop;
}

/* Takes so many, which are numbered from 1 on. */
static void
take (GstGaioChunkPool *pool, GstGaioChunk **chunks, guint n)
{
  for (guint i = 0; i < n; i++)
    {
      chunks[i] = gst_gaio_chunk_new (pool);
      g_assert_cmpuint (chunks[i]->capacity, >=, CAPACITY);
      g_assert_cmpuint ((guintptr) chunks[i]->data % GST_GAIO_CHUNK_ALIGNMENT, ==, 0);
      chunks[i]->data[0] = (guint8) (i + 1);
      chunks[i]->data[CAPACITY - 1] = (guint8) (i + 1);
    }
}

static void
give_back (GstGaioChunk **chunks, guint n)
{
  for (guint i = 0; i < n; i++)
    gst_gaio_chunk_unref (chunks[i]);
}

/* The numbers of those that come from the pool now, the newest of them first. */
static char *
get_kept (GstGaioChunkPool *pool)
{
  GString *kept = g_string_new (NULL);
  GstGaioChunk *chunks[16];

  for (guint i = 0; i < G_N_ELEMENTS (chunks); i++)
    {
      chunks[i] = gst_gaio_chunk_new (pool);
      if (chunks[i]->data[0] != 0)
        g_string_append_printf (kept, "%u ", chunks[i]->data[0]);
      g_assert_cmpuint (chunks[i]->data[0], ==, chunks[i]->data[CAPACITY - 1]);
    }
  give_back (chunks, G_N_ELEMENTS (chunks));
  return g_string_free (kept, FALSE);
}

static void
assert_kept (gsize min_idle_bytes, guint64 max_idle_bytes, const char *expected)
{
  GstGaioLoop *loop = acquire_loop ();
  GstGaioChunkPool *pool = gst_gaio_chunk_pool_new (CAPACITY, min_idle_bytes, G_MAXINT64, loop);
  g_autofree char *kept = NULL;
  GstGaioChunk *chunks[8];

  take (pool, chunks, 8);
  give_back (chunks, 8);
  gst_gaio_chunk_pool_trim (pool, max_idle_bytes);
  kept = get_kept (pool);
  g_assert_cmpstr (kept, ==, expected);
  gst_gaio_chunk_pool_unref (pool);
  gst_gaio_loop_unref (loop);
}

/* What a burst took is there for the next one, and the oldest goes first when there is no room. */
static void
test_kept (void)
{
  assert_kept (0, ALL, "8 7 6 5 4 3 2 1 ");
  assert_kept (0, 3 * CAPACITY, "8 7 6 ");
  assert_kept (0, 3 * CAPACITY - 1, "8 7 ");
  assert_kept (0, 0, "");
  assert_kept (CAPACITY, 0, "8 ");
  assert_kept (CAPACITY, 3 * CAPACITY, "8 7 6 ");
}

/* With every chunk that comes back a period ends here. */
static void
test_not_needed (void)
{
  GstGaioLoop *loop = acquire_loop ();
  GstGaioChunkPool *pool = gst_gaio_chunk_pool_new (CAPACITY, 0, 0, loop);
  GstGaioChunk *chunks[4];
  GstGaioChunk *one, *other;
  g_autofree char *kept = NULL;

  take (pool, chunks, 4);
  gst_gaio_chunk_unref (chunks[0]);
  one = gst_gaio_chunk_new (pool);
  g_assert_cmpuint (one->data[0], ==, 1);

  /* There was a moment without any, so this one is needed. */
  gst_gaio_chunk_unref (chunks[1]);
  other = gst_gaio_chunk_new (pool);
  g_assert_cmpuint (other->data[0], ==, 2);

  /* From here on there is always one too many. */
  gst_gaio_chunk_unref (one);
  gst_gaio_chunk_unref (other);
  gst_gaio_chunk_unref (chunks[2]);
  gst_gaio_chunk_unref (chunks[3]);
  kept = get_kept (pool);
  g_assert_cmpstr (kept, ==, "4 ");
  gst_gaio_chunk_pool_unref (pool);
  gst_gaio_loop_unref (loop);
}

int
main (int argc, char **argv)
{
  gst_test_init (&argc, &argv);
  gaio_test_add ("/gst/chunk/kept", test_kept);
  gaio_test_add ("/gst/chunk/not-needed", test_not_needed);
  return g_test_run ();
}
