/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The I/O threads that elements share: who gets which, and that many who come and go at once never
 * get one that has ended. The harness sees that none is left. */

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "gst-test.h"
#include "gstgaioloop.h"

#define N_THREADS 6

#if defined __SANITIZE_THREAD__ || defined __SANITIZE_ADDRESS__
#define N_ROUNDS 60
#else
#define N_ROUNDS 300
#endif

static GstGaioLoop *
acquire_for (const char *name, GaioEngine engine, int fd)
{
  g_autoptr (GError) error = NULL;
  GstGaioLoop *loop = gst_gaio_loop_acquire (name, engine, fd, &error);

  g_assert_no_error (error);
  g_assert_nonnull (loop);
  return loop;
}

static GstGaioLoop *
acquire (const char *name, int fd)
{
  return acquire_for (name, GAIO_ENGINE_AUTO, fd);
}

/* Files of a file system share one, those with a name another. What is no regular file has its own,
 * or shares that of its name. But what is on different disks shares nothing, nor do those with
 * different engines. */
static void
test_keys (void)
{
  g_autofree char *dir = gst_test_make_dir ();
  g_autofree char *one_path = g_build_filename (dir, "one", NULL);
  g_autofree char *other_path = g_build_filename (dir, "other", NULL);
  int one = open (one_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  int other = open (other_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  int null = open ("/dev/null", O_WRONLY | O_CLOEXEC);
  int zero = open ("/dev/zero", O_WRONLY | O_CLOEXEC);
  GstGaioLoop *loops[] = {
    acquire (NULL, one),    acquire ("", other),    acquire (NULL, null),  acquire (NULL, zero),
    acquire ("name", null), acquire ("name", zero), acquire ("name", one),
    acquire ("name", other), acquire ("another", one),
  };
  GstGaioLoop *with_threads[] = {
    acquire_for (NULL, GAIO_ENGINE_THREADS, one),    acquire_for (NULL, GAIO_ENGINE_THREADS, null),
    acquire_for ("name", GAIO_ENGINE_THREADS, null), acquire_for ("name", GAIO_ENGINE_THREADS, one),
    acquire_for (NULL, GAIO_ENGINE_THREADS, other),
  };

  g_assert_true (loops[0] == loops[1]);
  g_assert_true (loops[2] != loops[3]);
  g_assert_true (loops[0] != loops[2]);
  g_assert_true (loops[0] != loops[3]);
  g_assert_true (loops[4] == loops[5]);
  g_assert_true (loops[4] != loops[2]);
  g_assert_true (loops[6] == loops[7]);
  g_assert_true (loops[6] != loops[4]);
  g_assert_true (loops[6] != loops[8]);
  g_assert_true (loops[6] != loops[0]);
  g_assert_true (with_threads[0] == with_threads[4]);
  for (guint i = 0; i < G_N_ELEMENTS (with_threads); i++)
    {
      GaioContext *context = gst_gaio_loop_get_context (with_threads[i]);

      g_assert_cmpint (gaio_context_get_engine (context), ==, GAIO_ENGINE_THREADS);
      for (guint j = 0; j < G_N_ELEMENTS (loops); j++)
        g_assert_true (with_threads[i] != loops[j]);
    }
  for (guint i = 0; i < G_N_ELEMENTS (with_threads); i++)
    gst_gaio_loop_unref (with_threads[i]);
  for (guint i = 0; i < G_N_ELEMENTS (loops); i++)
    gst_gaio_loop_unref (loops[i]);
  close (one);
  close (other);
  close (null);
  close (zero);
  gst_test_remove_dir (dir);
}

static void
run_in_loop (gpointer data)
{
  g_atomic_int_inc ((gint *) data);
}

static gpointer
come_and_go (gpointer data)
{
  static const char *const names[] = { NULL, "", "a", "b" };
  g_autoptr (GRand) rand = g_rand_new_with_seed (GPOINTER_TO_UINT (data));
  int fd = open ("/dev/null", O_WRONLY | O_CLOEXEC);

  for (guint i = 0; i < N_ROUNDS; i++)
    {
      const char *name = names[g_rand_int_range (rand, 0, G_N_ELEMENTS (names))];
      GstGaioLoop *loop = acquire (name, fd);
      gint n_ran = 0;

      /* It runs: what is given to it is done. */
      gaio_context_invoke (gst_gaio_loop_get_context (loop), run_in_loop, &n_ran, NULL);
      while (g_atomic_int_get (&n_ran) == 0)
        g_thread_yield ();
      /* As long as it is held it is the one that everybody gets. */
      if (g_rand_boolean (rand))
        {
          GstGaioLoop *again = acquire (name, fd);

          g_assert_true (again == loop);
          gst_gaio_loop_unref (again);
        }
      gst_gaio_loop_unref (loop);
    }
  close (fd);
  return NULL;
}

static void
test_come_and_go (void)
{
  GThread *threads[N_THREADS];

  for (guint i = 0; i < N_THREADS; i++)
    threads[i] = g_thread_new ("user", come_and_go, GUINT_TO_POINTER (i));
  for (guint i = 0; i < N_THREADS; i++)
    g_thread_join (threads[i]);
}

/* The same with elements: whole runs, each with its file. */
static gpointer
record (gpointer data)
{
  guint n_rounds = N_ROUNDS / 6;

  for (guint i = 0; i < n_rounds; i++)
    {
      GstTestSink *sink = gst_test_sink_new (NULL);
      g_autoptr (GstElement) source = gst_element_factory_make ("gaiofilesrc", NULL);

      gst_object_ref_sink (source);
      if (i % 3 == 0)
        gst_test_sink_set (sink, "context", "shared");
      gst_test_sink_play (sink, GST_FORMAT_BYTES);
      g_assert_cmpint (gst_test_sink_push (sink, 1000 + i), ==, GST_FLOW_OK);
      g_object_set (source, "location", sink->path, NULL);
      g_assert_cmpint (gst_element_set_state (source, GST_STATE_PAUSED), !=,
                       GST_STATE_CHANGE_FAILURE);
      if (i % 2 == 0)
        gst_test_sink_push_eos (sink);
      gst_test_sink_stop (sink);
      g_assert_cmpint (gst_element_set_state (source, GST_STATE_NULL), ==,
                       GST_STATE_CHANGE_SUCCESS);
      gst_test_sink_assert_no_error (sink);
      gst_test_sink_assert_counting (sink, 1000 + i);
      gst_test_sink_free (sink);
    }
  return NULL;
}

static void
test_elements (void)
{
  GThread *threads[N_THREADS];

  for (guint i = 0; i < N_THREADS; i++)
    threads[i] = g_thread_new ("recorder", record, NULL);
  for (guint i = 0; i < N_THREADS; i++)
    g_thread_join (threads[i]);
}

int
main (int argc, char **argv)
{
  gst_test_init (&argc, &argv);
  gaio_test_add ("/gst/loop/keys", test_keys);
  gaio_test_add ("/gst/loop/come-and-go", test_come_and_go);
  gaio_test_add ("/gst/loop/elements", test_elements);
  return g_test_run ();
}
