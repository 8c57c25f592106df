/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* gaiofilesink in whole pipelines: many sinks, state changes in any order, and what a run
 * reports. */

#include <glib/gstdio.h>
#include <string.h>

#include "gst-test.h"

static guint64
stat_of (GstElement *sink, const char *name)
{
  g_autoptr (GstStructure) stats = NULL;
  guint64 value = 0;

  g_object_get (sink, "io-stats", &stats, NULL);
  g_assert_true (gst_structure_get_uint64 (stats, name, &value));
  return value;
}

/* Sinks that work side by side, each with its thread. */
static void
test_many_sinks (void)
{
  enum { N = 20 };
  g_autofree char *dir = gst_test_make_dir ();
  g_autofree char *first = g_build_filename (dir, "out-0", NULL);
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (GstElement) pipeline = NULL;

  g_string_append (text,
                   "fakesrc num-buffers=300 sizetype=random sizemin=1 sizemax=40000 "
                   "filltype=pattern-span ! tee name=t");
  for (guint i = 0; i < N; i++)
    g_string_append_printf (text, " t. ! queue ! gaiofilesink location=%s/out-%u", dir, i);
  pipeline = gst_test_parse ("%s", text->str);
  gst_test_run_to_eos (pipeline);
  for (guint i = 1; i < N; i++)
    {
      g_autofree char *other = g_strdup_printf ("%s/out-%u", dir, i);

      gst_test_assert_same_file (first, other);
    }
  gst_test_remove_dir (dir);
}

/* From any state to any other, at any time. What was accepted in the last run is in the file. */
static void
test_random_states (void)
{
  const GstState states[] = { GST_STATE_NULL, GST_STATE_READY, GST_STATE_PAUSED,
                              GST_STATE_PLAYING };
  g_autofree char *dir = gst_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "out", NULL);
  g_autoptr (GstElement) pipeline = NULL;
  g_autoptr (GstElement) sink = NULL;
  g_autoptr (GRand) rand = g_rand_new_with_seed (22);

  pipeline = gst_test_parse ("fakesrc sizetype=random sizemin=1 sizemax=100000 "
                             "filltype=pattern-span "
                             "! gaiofilesink name=sink max-bytes=300000 location=%s",
                             path);
  sink = gst_bin_get_by_name (GST_BIN (pipeline), "sink");
  for (guint i = 0; i < 50; i++)
    {
      GstState state = states[g_rand_int_range (rand, 0, G_N_ELEMENTS (states))];
      GStatBuf st;

      g_assert_cmpint (gst_element_set_state (pipeline, state), !=, GST_STATE_CHANGE_FAILURE);
      /* Half of the changes are overtaken by the next one. */
      if (g_rand_boolean (rand))
        g_assert_cmpint (gst_element_get_state (pipeline, NULL, NULL, GST_CLOCK_TIME_NONE),
                         !=,
                         GST_STATE_CHANGE_FAILURE);
      if (state == GST_STATE_PLAYING && g_rand_boolean (rand))
        while (stat_of (sink, "bytes-written") < 1000 * 1000)
          g_usleep (100);
      if (state == GST_STATE_NULL && i > 0 && g_stat (path, &st) == 0)
        {
          g_autoptr (GstStructure) stats = NULL;
          guint64 accepted;

          g_object_get (sink, "io-stats", &stats, NULL);
          if (gst_structure_get_uint64 (stats, "bytes-accepted", &accepted))
            {
              g_assert_cmpuint (stat_of (sink, "bytes-written"), ==, accepted);
              /* After READY the source begins again at 0, in the same file. */
              g_assert_cmpuint (st.st_size, <=, accepted);
            }
        }
    }
  g_assert_cmpint (gst_element_set_state (pipeline, GST_STATE_NULL),
                   ==,
                   GST_STATE_CHANGE_SUCCESS);
  gst_test_remove_dir (dir);
}

/* The report of a run, for programs that look at messages. */
static void
test_stats_message (void)
{
  g_autofree char *dir = gst_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "out", NULL);
  g_autoptr (GstElement) pipeline = NULL;
  g_autoptr (GstBus) bus = NULL;
  g_autoptr (GstMessage) message = NULL;
  const GstStructure *stats;
  const char *engine;
  guint64 written = 0, peak = 0;

  pipeline = gst_test_parse ("fakesrc num-buffers=100 sizetype=fixed sizemax=10000 "
                             "! gaiofilesink location=%s",
                             path);
  bus = gst_element_get_bus (pipeline);
  g_assert_cmpint (gst_element_set_state (pipeline, GST_STATE_PLAYING),
                   !=,
                   GST_STATE_CHANGE_FAILURE);
  /* It comes before EOS. */
  message = gst_test_wait_message (bus, GST_MESSAGE_EOS | GST_MESSAGE_ELEMENT | GST_MESSAGE_ERROR);
  stats = gst_message_get_structure (message);
  g_assert_nonnull (stats);
  g_assert_true (gst_structure_has_name (stats, "gaiofilesink-stats"));
  engine = gst_structure_get_string (stats, "engine");
  g_assert_true (g_str_equal (engine, "io-uring") || g_str_equal (engine, "threads"));
  if (g_strcmp0 (g_getenv ("GAIO_ENGINE"), "threads") == 0)
    g_assert_cmpstr (engine, ==, "threads");
  g_assert_nonnull (gst_structure_get_string (stats, "engine-reason"));
  g_assert_true (gst_structure_get (stats,
                                    "bytes-written", G_TYPE_UINT64, &written,
                                    "level-peak", G_TYPE_UINT64, &peak,
                                    NULL));
  g_assert_cmpuint (written, ==, 1000 * 1000);
  g_assert_cmpuint (peak, >, 0);
  g_assert_cmpuint (peak, <=, 1000 * 1000);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_test_remove_dir (dir);
}

int
main (int argc, char **argv)
{
  gst_test_init (&argc, &argv);
  gaio_test_add ("/file-sink/pipelines/many-sinks", test_many_sinks);
  gaio_test_add ("/file-sink/pipelines/random-states", test_random_states);
  gaio_test_add ("/file-sink/pipelines/stats-message", test_stats_message);
  return g_test_run ();
}
