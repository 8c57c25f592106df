/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the tests of the GStreamer elements share.
 *
 * The tests run without a plugin registry: the plugin under test is loaded from where it was
 * built, and GStreamer's own ones one by one as a test needs them. So nothing is scanned, nothing
 * is written to the user's cache, and a gaio plugin that is installed already cannot be taken for
 * the one under test.
 *
 * A test pushes from its own thread, so a push that must not block needs no clock to prove
 * it: if it does block, the test never ends. */

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "gst-test.h"

static GstPlugin *
load (const char *file)
{
  g_autoptr (GError) error = NULL;
  GstPlugin *plugin = gst_plugin_load_file (file, &error);

  if (plugin == NULL)
    g_test_message ("%s", error->message);
  return plugin;
}

void
gst_test_init (int *argc, char ***argv)
{
  g_autoptr (GstPlugin) gaio = NULL;
  g_autoptr (GstPlugin) core = NULL;

  g_setenv ("GST_REGISTRY_DISABLE", "yes", TRUE);
  g_setenv ("GST_PLUGIN_SYSTEM_PATH_1_0", "", TRUE);
  g_setenv ("GST_PLUGIN_PATH_1_0", "", TRUE);
  gaio_test_init (argc, argv);
  gst_init (NULL, NULL);
  /* GStreamer's streaming threads come from GLib's pool, which would keep them for a while. */
  g_thread_pool_set_max_unused_threads (0);

  core = load (GST_PLUGINS_DIR "/libgstcoreelements.so");
  g_assert_nonnull (core);
  gaio = load (GAIO_PLUGIN);
  g_assert_nonnull (gaio);
}

gboolean
gst_test_need_plugin (const char *name)
{
  g_autofree char *file = g_strdup_printf ("%s/libgst%s.so", GST_PLUGINS_DIR, name);
  g_autoptr (GstPlugin) plugin = load (file);
  g_autofree char *reason = NULL;

  if (plugin != NULL)
    return TRUE;
  reason = g_strdup_printf ("GStreamer's plugin %s is not installed", name);
  g_test_skip (reason);
  return FALSE;
}

char *
gst_test_make_dir (void)
{
  /* /tmp is often a tmpfs, whose writes never leave the memory. */
  g_autofree char *template = g_build_filename (g_access ("/var/tmp", W_OK) == 0 ? "/var/tmp"
                                                                                 : g_get_tmp_dir (),
                                                "gaio-gst-XXXXXX",
                                                NULL);

  g_assert_nonnull (g_mkdtemp (template));
  return g_steal_pointer (&template);
}

void
gst_test_remove_dir (const char *dir)
{
  g_autoptr (GDir) entries = g_dir_open (dir, 0, NULL);
  const char *name;

  g_assert_nonnull (entries);
  while ((name = g_dir_read_name (entries)) != NULL)
    {
      g_autofree char *path = g_build_filename (dir, name, NULL);

      g_assert_cmpint (g_remove (path), ==, 0);
    }
  g_assert_cmpint (g_rmdir (dir), ==, 0);
}

static GArray *taken; /* descriptors */
static struct rlimit old_limit;

void
gst_test_take_descriptors (guint n)
{
  const rlim_t most = 1000;
  struct rlimit limit;
  int fd;

  g_assert_null (taken);
  taken = g_array_new (FALSE, FALSE, sizeof fd);
  g_assert_cmpint (getrlimit (RLIMIT_NOFILE, &old_limit), ==, 0);
  limit = (struct rlimit){ MIN (most, old_limit.rlim_cur), old_limit.rlim_max };
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &limit), ==, 0);
  while ((fd = fcntl (STDIN_FILENO, F_DUPFD_CLOEXEC, 0)) >= 0)
    g_array_append_val (taken, fd);
  for (; n > 0; n--)
    {
      close (g_array_index (taken, int, taken->len - 1));
      g_array_set_size (taken, taken->len - 1);
    }
}

void
gst_test_give_descriptors (void)
{
  for (guint i = 0; i < taken->len; i++)
    close (g_array_index (taken, int, i));
  g_clear_pointer (&taken, g_array_unref);
  g_assert_cmpint (setrlimit (RLIMIT_NOFILE, &old_limit), ==, 0);
}

GstElement *
gst_test_parse (const char *format, ...)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  GstElement *pipeline;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  pipeline = gst_parse_launch (text, &error);
  g_assert_no_error (error);
  return gst_object_ref_sink (pipeline);
}

void
gst_test_run_to_eos (GstElement *pipeline)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GstMessage) message = NULL;
  g_autoptr (GError) error = NULL;

  g_assert_cmpint (gst_element_set_state (pipeline, GST_STATE_PLAYING),
                   !=,
                   GST_STATE_CHANGE_FAILURE);
  message = gst_test_wait_message (bus, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
    gst_message_parse_error (message, &error, NULL);
  g_assert_no_error (error);
  g_assert_cmpint (gst_element_set_state (pipeline, GST_STATE_NULL),
                   ==,
                   GST_STATE_CHANGE_SUCCESS);
}

GstTestSink *
gst_test_sink_new (const char *path)
{
  return gst_test_sink_new_of ("gaiofilesink", path);
}

GstTestSink *
gst_test_sink_new_of (const char *factory, const char *path)
{
  GstTestSink *self = g_new0 (GstTestSink, 1);
  g_autoptr (GstPad) pad = NULL;

  self->dir = gst_test_make_dir ();
  self->path = path != NULL ? g_strdup (path) : g_build_filename (self->dir, "out", NULL);
  self->sink = gst_element_factory_make (factory, NULL);
  g_assert_nonnull (self->sink);
  gst_object_ref_sink (self->sink);
  g_object_set (self->sink, "location", self->path, NULL);
  self->bus = gst_bus_new ();
  gst_element_set_bus (self->sink, self->bus);

  self->src = gst_pad_new ("src", GST_PAD_SRC);
  gst_object_ref_sink (self->src);
  gst_pad_set_active (self->src, TRUE);
  pad = gst_element_get_static_pad (self->sink, "sink");
  g_assert_cmpint (gst_pad_link (self->src, pad), ==, GST_PAD_LINK_OK);
  return self;
}

/* The I/O thread may be about to tell of a stall still, when the sink did not wait for it. */
static void
assert_last_reference (GstElement *element)
{
  for (guint tries = 0; tries < 10000 && GST_OBJECT_REFCOUNT_VALUE (element) > 1; tries++)
    g_usleep (1000);
  g_assert_cmpint (GST_OBJECT_REFCOUNT_VALUE (element), ==, 1);
}

void
gst_test_sink_free (GstTestSink *self)
{
  g_assert_cmpint (gst_element_set_state (self->sink, GST_STATE_NULL),
                   ==,
                   GST_STATE_CHANGE_SUCCESS);
  gst_pad_set_active (self->src, FALSE);
  gst_object_unref (self->src);
  gst_element_set_bus (self->sink, NULL);
  gst_bus_set_flushing (self->bus, TRUE);
  gst_object_unref (self->bus);
  assert_last_reference (self->sink);
  gst_object_unref (self->sink);
  gst_test_remove_dir (self->dir);
  g_free (self->dir);
  g_free (self->path);
  g_free (self);
}

void
gst_test_sink_segment (GstTestSink *self, GstFormat format, guint64 start)
{
  GstSegment segment;

  gst_segment_init (&segment, format);
  segment.start = start;
  gst_pad_push_event (self->src, gst_event_new_segment (&segment));
}

void
gst_test_sink_set (GstTestSink *self, const char *name, const char *value)
{
  gst_util_set_object_arg (G_OBJECT (self->sink), name, value);
}

void
gst_test_sink_play (GstTestSink *self, GstFormat format)
{
  g_assert_cmpint (gst_element_set_state (self->sink, GST_STATE_PLAYING),
                   ==,
                   GST_STATE_CHANGE_ASYNC);
  g_assert_true (gst_pad_push_event (self->src, gst_event_new_stream_start ("test")));
  if (format != GST_FORMAT_UNDEFINED)
    gst_test_sink_segment (self, format, 0);
}

void
gst_test_sink_stop (GstTestSink *self)
{
  g_assert_cmpint (gst_element_set_state (self->sink, GST_STATE_NULL),
                   ==,
                   GST_STATE_CHANGE_SUCCESS);
}

GstBuffer *
gst_test_sink_buffer (GstTestSink *self, gsize size, guint n_memories)
{
  GstBuffer *buffer = gst_buffer_new ();

  for (guint i = 0; i < n_memories && size > 0; i++)
    {
      gsize n = size / n_memories;
      guint8 *data = g_malloc (n);

      g_assert_cmpuint (n * n_memories, ==, size);
      for (gsize j = 0; j < n; j++)
        data[j] = self->next++;
      gst_buffer_append_memory (buffer, gst_memory_new_wrapped (0, data, n, 0, n, data, g_free));
    }
  return buffer;
}

GstFlowReturn
gst_test_sink_push (GstTestSink *self, gsize size)
{
  return gst_pad_push (self->src, gst_test_sink_buffer (self, size, 1));
}

void
gst_test_sink_push_eos (GstTestSink *self)
{
  g_assert_true (gst_pad_push_event (self->src, gst_event_new_eos ()));
}

gint64
gst_test_sink_position (GstTestSink *self)
{
  gint64 position = -1;

  g_assert_true (gst_pad_peer_query_position (self->src, GST_FORMAT_BYTES, &position));
  return position;
}

guint64
gst_test_sink_stat (GstTestSink *self, const char *name)
{
  g_autoptr (GstStructure) stats = NULL;
  guint64 value = 0;

  g_object_get (self->sink, "io-stats", &stats, NULL);
  g_assert_true (gst_structure_get_uint64 (stats, name, &value));
  return value;
}

static void
show_error (GstMessage *message)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;

  if (message == NULL)
    return;
  gst_message_parse_error (message, &error, &text);
  g_test_message ("%s [%s]", error->message, text);
}

int
gst_test_sink_assert_error (GstTestSink *self, GstResourceError code, const char *debug)
{
  g_autoptr (GstMessage) message = gst_test_wait_message (self->bus, GST_MESSAGE_ERROR);
  g_autoptr (GstMessage) second = NULL;
  g_autoptr (GError) error = NULL;
  g_autofree char *text = NULL;
  const GstStructure *details = NULL;
  guint64 offset = 0;
  int errnum = 0;

  show_error (message);
  gst_message_parse_error (message, &error, &text);
  g_assert_error (error, GST_RESOURCE_ERROR, (int) code);
  if (debug != NULL)
    g_assert_nonnull (strstr (text, debug));
  gst_message_parse_error_details (message, &details);
  g_assert_nonnull (details);
  g_assert_true (gst_structure_get_int (details, "errno", &errnum));
  g_assert_true (gst_structure_get_uint64 (details, "offset", &offset));

  second = gst_bus_pop_filtered (self->bus, GST_MESSAGE_ERROR);
  show_error (second);
  g_assert_null (second);
  return errnum;
}

void
gst_test_sink_assert_no_error (GstTestSink *self)
{
  g_autoptr (GstMessage) message = gst_bus_pop_filtered (self->bus, GST_MESSAGE_ERROR);

  show_error (message);
  g_assert_null (message);
}

GstMessage *
gst_test_wait_message (GstBus *bus, GstMessageType types)
{
  GstMessage *message = gst_bus_timed_pop_filtered (bus, GST_CLOCK_TIME_NONE, types);

  g_assert_nonnull (message);
  return message;
}

void
gst_test_assert_file (const char *path, const guint8 *data, gsize size)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *found = NULL;
  gsize length;

  g_file_get_contents (path, &found, &length, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (length, ==, size);
  for (gsize i = 0; i < size; i++)
    if ((guint8) found[i] != data[i])
      g_error ("%s differs at %" G_GSIZE_FORMAT ": %02x, not %02x", path, i,
               (guint8) found[i], data[i]);
}

void
gst_test_assert_same_file (const char *one, const char *other)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *data = NULL;
  gsize length;

  g_file_get_contents (one, &data, &length, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (length, >, 0);
  gst_test_assert_file (other, (const guint8 *) data, length);
}

void
gst_test_sink_assert_counting (GstTestSink *self, gsize size)
{
  g_autofree guint8 *image = g_malloc (size);

  for (gsize i = 0; i < size; i++)
    image[i] = (guint8) i;
  gst_test_assert_file (self->path, image, size);
}
