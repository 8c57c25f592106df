/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Memory that is kept: no piece is given out twice, whoever lets go of it, and what a thread keeps
 * goes with it, which LeakSanitizer and valgrind see. */

#include <string.h>

#include <gaio/base/gaio-block-private.h>

#include "gaio-test.h"

#define N 200

static void
test_distinct (void)
{
  gpointer blocks[N];

  for (int round = 0; round < 3; round++)
    {
      for (int i = 0; i < N; i++)
        {
          blocks[i] = gaio_block_new ();
          memset (blocks[i], i, GAIO_BLOCK_BYTES);
        }
      for (int i = 0; i < N; i++)
        {
          guint8 *bytes = blocks[i];

          g_assert_cmpuint (bytes[0], ==, (guint8) i);
          g_assert_cmpuint (bytes[GAIO_BLOCK_BYTES - 1], ==, (guint8) i);
        }
      for (int i = 0; i < N; i++)
        gaio_block_free (blocks[i]);
    }
}

static gpointer
free_all (gpointer data)
{
  gpointer *blocks = data;

  for (int i = 0; i < N; i++)
    gaio_block_free (blocks[i]);
  gaio_block_free (gaio_block_new ());
  return NULL;
}

static void
test_other_thread (void)
{
  gpointer blocks[N];

  for (int round = 0; round < 3; round++)
    {
      for (int i = 0; i < N; i++)
        blocks[i] = gaio_block_new ();
      g_thread_join (g_thread_new ("frees", free_all, blocks));
    }
}

static void
free_late (gpointer block)
{
  gaio_block_free (block);
}

static GPrivate late = G_PRIVATE_INIT (free_late);

static gpointer
keep_until_the_end (gpointer data)
{
  gaio_block_free (gaio_block_new ());
  g_private_set (&late, gaio_block_new ());
  return NULL;
}

/* What another destructor of the thread lets go of, before or after what is kept has gone. */
static void
test_end_of_thread (void)
{
  for (int round = 0; round < 3; round++)
    g_thread_join (g_thread_new ("ends", keep_until_the_end, NULL));
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  gaio_test_add ("/block/distinct", test_distinct);
  gaio_test_add ("/block/other-thread", test_other_thread);
  gaio_test_add ("/block/end-of-thread", test_end_of_thread);
  return g_test_run ();
}
