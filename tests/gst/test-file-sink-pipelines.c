/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* gaiofilesink in whole pipelines: branches that come and go while it plays, sixty-four sinks at
 * once, and what a run reports. */

#include "gst-test.h"

/* Branches */

typedef struct
{
  GstElement *queue;
  GstElement *sink;
  GstPad *tee_pad;
  char *path;
} Branch;

static GstPadProbeReturn
count_block (GstPad *pad, GstPadProbeInfo *info, gpointer data)
{
  g_atomic_int_inc ((gint *) data);
  return GST_PAD_PROBE_OK;
}

static void
branch_add (Branch *self, GstElement *pipeline, GstElement *tee, const char *dir, guint number)
{
  g_autoptr (GstPad) pad = NULL;

  self->path = g_strdup_printf ("%s/branch-%u", dir, number);
  self->queue = gst_element_factory_make ("queue", NULL);
  self->sink = gst_element_factory_make ("gaiofilesink", NULL);
  g_object_set (self->sink, "location", self->path, "async", FALSE, NULL);
  gst_bin_add_many (GST_BIN (pipeline), self->queue, self->sink, NULL);
  g_assert_true (gst_element_link (self->queue, self->sink));
  g_assert_true (gst_element_sync_state_with_parent (self->sink));
  g_assert_true (gst_element_sync_state_with_parent (self->queue));
  self->tee_pad = gst_element_request_pad_simple (tee, "src_%u");
  pad = gst_element_get_static_pad (self->queue, "sink");
  g_assert_cmpint (gst_pad_link (self->tee_pad, pad), ==, GST_PAD_LINK_OK);
}

/* Takes it out of the playing pipeline; with EOS or without, what it accepted is in its file: the
 * part of the stream that flew by, without a gap. */
static void
branch_remove (Branch *self, GstElement *pipeline, GstElement *tee, gboolean with_eos)
{
  g_autofree char *data = NULL;
  gint blocked = 0;
  gulong probe;
  gsize length;

  probe = gst_pad_add_probe (self->tee_pad, GST_PAD_PROBE_TYPE_BLOCK_DOWNSTREAM, count_block,
                             &blocked, NULL);
  while (g_atomic_int_get (&blocked) == 0)
    g_usleep (100);
  {
    g_autoptr (GstPad) pad = gst_element_get_static_pad (self->queue, "sink");

    gst_pad_unlink (self->tee_pad, pad);
    gst_pad_remove_probe (self->tee_pad, probe);
    gst_element_release_request_pad (tee, self->tee_pad);
    gst_clear_object (&self->tee_pad);
    if (with_eos)
      gst_pad_send_event (pad, gst_event_new_eos ());
  }
  gst_object_ref (self->sink);
  g_assert_cmpint (gst_element_set_state (self->queue, GST_STATE_NULL), ==, 1);
  g_assert_cmpint (gst_element_set_state (self->sink, GST_STATE_NULL), ==, 1);
  gst_bin_remove_many (GST_BIN (pipeline), self->queue, self->sink, NULL);
  gst_object_unref (self->sink);

  g_assert_true (g_file_get_contents (self->path, &data, &length, NULL));
  for (gsize i = 1; i < length; i++)
    if ((guint8) data[i] != (guint8) (data[i - 1] + 1))
      g_error ("%s has a gap at %" G_GSIZE_FORMAT, self->path, i);
  g_free (self->path);
}

static void
test_branches (void)
{
  enum
  {
    N = 6
  };
  g_autofree char *dir = gst_test_make_dir ();
  g_autoptr (GstElement) pipeline = NULL;
  g_autoptr (GstElement) tee = NULL;
  g_autoptr (GstBus) bus = NULL;
  g_autoptr (GstMessage) error = NULL;
  Branch branches[N] = { 0 };

  pipeline = gst_test_parse ("fakesrc is-live=true sizetype=random sizemin=1 sizemax=4000 "
                             "filltype=pattern-span ! identity sleep-time=100 ! "
                             "tee name=t allow-not-linked=true");
  tee = gst_bin_get_by_name (GST_BIN (pipeline), "t");
  g_assert_cmpint (gst_element_set_state (pipeline, GST_STATE_PLAYING), !=,
                   GST_STATE_CHANGE_FAILURE);
  for (guint i = 0; i < 60; i++)
    {
      Branch *branch = &branches[g_random_int_range (0, N)];

      if (branch->tee_pad != NULL)
        branch_remove (branch, pipeline, tee, g_random_boolean ());
      else
        branch_add (branch, pipeline, tee, dir, i);
      g_usleep (g_random_int_range (0, 2000));
    }
  for (guint i = 0; i < N; i++)
    if (branches[i].tee_pad != NULL)
      branch_remove (&branches[i], pipeline, tee, TRUE);
  bus = gst_element_get_bus (pipeline);
  error = gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
  g_assert_null (error);
  g_assert_cmpint (gst_element_set_state (pipeline, GST_STATE_NULL), ==, GST_STATE_CHANGE_SUCCESS);
  gst_test_remove_dir (dir);
}

/* Many */

static guint
count_threads (void)
{
  g_autoptr (GDir) dir = g_dir_open ("/proc/self/task", 0, NULL);
  guint n = 0;

  while (g_dir_read_name (dir) != NULL)
    n++;
  return n;
}

/* The window of each is full most of the time; and together they need a few threads only. */
static void
test_many (void)
{
  enum
  {
    N = 64
  };
  g_autofree char *dir = gst_test_make_dir ();
  g_autofree char *first = g_build_filename (dir, "out-0", NULL);
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (GstElement) pipeline = NULL;
  guint n_before = count_threads ();
  guint n_threads;

  g_string_append (text, "fakesrc num-buffers=200 sizetype=random sizemin=1 sizemax=40000 "
                         "filltype=pattern-span ! tee name=t");
  for (guint i = 0; i < N; i++)
    g_string_append_printf (
        text, " t. ! gaiofilesink async=false max-bytes=100000 location=%s/out-%u", dir, i);
  pipeline = gst_test_parse ("%s", text->str);
  g_assert_cmpint (gst_element_set_state (pipeline, GST_STATE_READY), ==, GST_STATE_CHANGE_SUCCESS);
  n_threads = count_threads ();
  g_test_message ("%u threads, %u before", n_threads, n_before);
  g_assert_cmpuint (n_threads, <, n_before + N / 2);
  gst_test_run_to_eos (pipeline);
  for (guint i = 1; i < N; i++)
    {
      g_autofree char *other = g_strdup_printf ("%s/out-%u", dir, i);

      gst_test_assert_same_file (first, other);
    }
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
                             "! gaiofilesink stall-warning=0 location=%s",
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
  gaio_test_add ("/file-sink/pipelines/branches", test_branches);
  gaio_test_add ("/file-sink/pipelines/many", test_many);
  gaio_test_add ("/file-sink/pipelines/stats-message", test_stats_message);
  return g_test_run ();
}
