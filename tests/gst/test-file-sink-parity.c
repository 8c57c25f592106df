/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* filesink and gaiofilesink in the same situations. Each body does something with a sink and writes
 * down all that can be seen of it: what calls return, what messages say, what queries answer, what
 * is in the file. It is run with the one and with the other, and the two records must be equal; so
 * what is right is what the filesink of this GStreamer does, and not what this file thinks of it.
 *
 * Where they are meant to differ the bodies do not look:
 *
 * - positions in GST_FORMAT_DEFAULT, which filesink answers with a critical warning, and in a
 * device that has none, like /dev/null;
 * - whether a file that is appended to, or is closed again, can be seeked in;
 * - the first error is the only one of a run; filesink adds one for the write at the end of the
 *   stream, one for closing, and the base class one for the state; debug texts and details;
 * - after an error filesink takes data again, and writes on in the wrong place if it was a seek;
 * - file:/name and file://LOCALHOST/name, which filesink takes for errors;
 * - the element messages that gaiofilesink adds;
 * - when bytes get to the file before the stream ends, or asks for it. */

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gst-test.h"

/* One of the two in a situation, and its record. */
typedef struct
{
  const char *factory;
  GstTestSink *t;
  GString *record;
  gboolean has_failed; /* an error message is in the record */
} Actor;

typedef void (*Body) (Actor *self);

static void note (Actor *self, const char *format, ...) G_GNUC_PRINTF (2, 3);

static void
note (Actor *self, const char *format, ...)
{
  g_autofree char *line = NULL;
  g_autofree char *valid = NULL;
  g_autoptr (GString) text = NULL;
  va_list args;

  va_start (args, format);
  line = g_strdup_vprintf (format, args);
  va_end (args);
  text = g_string_new (line);
  /* Each has a directory and a name of its own. */
  g_string_replace (text, self->t->dir, "DIR", 0);
  g_string_replace (text, GST_OBJECT_NAME (self->t->sink), "SINK", 0);
  /* A name is bytes, and what a test says is text. */
  valid = g_utf8_make_valid (text->str, -1);
  g_string_append_printf (self->record, "%s\n", valid);
}

static void
note_state (Actor *self, GstState state)
{
  note (self, "to %s: %s", gst_element_state_get_name (state),
        gst_element_state_change_return_get_name (gst_element_set_state (self->t->sink, state)));
}

static void
note_push (Actor *self, gsize size)
{
  note (self, "push %" G_GSIZE_FORMAT ": %s", size,
        gst_flow_get_name (gst_test_sink_push (self->t, size)));
}

static void
note_event (Actor *self, GstEvent *event)
{
  const char *name = GST_EVENT_TYPE_NAME (event);

  note (self, "event %s: %d", name, gst_pad_push_event (self->t->src, event));
}

static void
note_position (Actor *self)
{
  note (self, "position %" G_GINT64_FORMAT, gst_test_sink_position (self->t));
}

/* All that is on the bus, and who said so. */
static void
note_messages (Actor *self)
{
  GstMessage *message;

  while ((message = gst_bus_pop (self->t->bus)) != NULL)
    {
      g_autoptr (GError) error = NULL;
      GstState old, new, pending;

      switch (GST_MESSAGE_TYPE (message))
        {
        case GST_MESSAGE_ELEMENT:
          break;

        case GST_MESSAGE_ERROR:
          gst_message_parse_error (message, &error, NULL);
          if (self->has_failed || error->domain == GST_CORE_ERROR)
            break;
          self->has_failed = TRUE;
          note (self, "error %s %d: %s", g_quark_to_string (error->domain), error->code,
                error->message);
          break;

        case GST_MESSAGE_STATE_CHANGED:
          gst_message_parse_state_changed (message, &old, &new, &pending);
          note (self, "state %s -> %s (%s)", gst_element_state_get_name (old),
                gst_element_state_get_name (new), gst_element_state_get_name (pending));
          break;

        default:
          note (self, "message %s", GST_MESSAGE_TYPE_NAME (message));
          break;
        }
      g_assert_true (GST_MESSAGE_SRC (message) == GST_OBJECT (self->t->sink));
      gst_message_unref (message);
    }
}

static void
note_file (Actor *self)
{
  g_autofree char *data = NULL;
  g_autofree char *sum = NULL;
  gsize length;

  if (!g_file_test (self->t->path, G_FILE_TEST_IS_REGULAR) ||
      !g_file_get_contents (self->t->path, &data, &length, NULL))
    {
      note (self, "no file");
      return;
    }
  sum = g_compute_checksum_for_data (G_CHECKSUM_SHA256, (guint8 *) data, length);
  note (self, "file of %" G_GSIZE_FORMAT " bytes, %s", length, sum);
}

/* As filesink does it with a SYNC_AFTER buffer. */
static void
wait_on_sync (Actor *self)
{
  if (g_object_class_find_property (G_OBJECT_GET_CLASS (self->t->sink), "sync-after") != NULL)
    gst_util_set_object_arg (G_OBJECT (self->t->sink), "sync-after", "wait");
}

static char *
record_of (const char *factory, const char *path, Body body)
{
  Actor self = { .factory = factory, .record = g_string_new (NULL) };

  self.t = gst_test_sink_new_of (factory, path);
  body (&self);
  gst_test_sink_stop (self.t);
  note_messages (&self);
  note_file (&self);
  gst_test_sink_free (self.t);
  return g_string_free (self.record, FALSE);
}

static void
compare_at (const char *path, Body body)
{
  g_autofree char *one = record_of ("filesink", path, body);
  g_autofree char *other = record_of ("gaiofilesink", path, body);

  g_test_message ("%s", one);
  if (!g_str_equal (one, other))
    {
      g_auto (GStrv) lines = g_strsplit (other, "\n", -1);

      for (guint i = 0; lines[i] != NULL; i++)
        g_printerr ("gaiofilesink: %s\n", lines[i]);
      g_clear_pointer (&lines, g_strfreev);
      lines = g_strsplit (one, "\n", -1);
      for (guint i = 0; lines[i] != NULL; i++)
        g_printerr ("filesink: %s\n", lines[i]);
      g_test_fail ();
    }
}

/* The element */

static void
note_element (Actor *self)
{
  GstElementFactory *factory = gst_element_get_factory (self->t->sink);
  g_auto (GStrv) protocols =
      g_strdupv ((char **) gst_uri_handler_get_protocols (GST_URI_HANDLER (self->t->sink)));
  g_autofree char *joined = g_strjoinv (",", protocols);
  GType *interfaces = g_type_interfaces (G_OBJECT_TYPE (self->t->sink), NULL);

  note (self, "class %s", gst_element_factory_get_metadata (factory, "klass"));
  note (self, "parent %s", g_type_name (g_type_parent (G_OBJECT_TYPE (self->t->sink))));
  for (guint i = 0; interfaces[i] != 0; i++)
    note (self, "interface %s", g_type_name (interfaces[i]));
  g_free (interfaces);
  note (self, "URIs %s, %d", joined,
        gst_uri_handler_get_uri_type (GST_URI_HANDLER (self->t->sink)));
  for (const GList *l = gst_element_factory_get_static_pad_templates (factory); l; l = l->next)
    {
      GstStaticPadTemplate *template = l->data;

      note (self, "pad %s %d %d %s", template->name_template, template->direction,
            template->presence, template->static_caps.string);
    }
  note (self, "flags %x", GST_OBJECT_FLAGS (self->t->sink));
}

static void
test_element (void)
{
  compare_at (NULL, note_element);
}

/* Every property of filesink is one of gaiofilesink, of the same type, range and default, and a new
 * element has the same value in it. */
static void
assert_same_property (GObject *one, GObject *other, GParamSpec *pspec)
{
  GParamSpec *found = g_object_class_find_property (G_OBJECT_GET_CLASS (other), pspec->name);
  const GParamFlags flags = G_PARAM_READWRITE | G_PARAM_CONSTRUCT | G_PARAM_CONSTRUCT_ONLY;
  g_auto (GValue) value = G_VALUE_INIT;
  g_auto (GValue) found_value = G_VALUE_INIT;

  g_test_message ("%s", pspec->name);
  if (found == NULL)
    {
      g_printerr ("there is no property %s\n", pspec->name);
      g_test_fail ();
      return;
    }
  g_assert_cmphex (found->flags & flags, ==, pspec->flags & flags);
  if (g_type_is_a (pspec->value_type, G_TYPE_ENUM))
    {
      g_autoptr (GEnumClass) values = g_type_class_ref (pspec->value_type);
      g_autoptr (GEnumClass) found_values = g_type_class_ref (found->value_type);

      for (guint i = 0; i < values->n_values; i++)
        {
          GEnumValue *same = g_enum_get_value (found_values, values->values[i].value);

          g_assert_nonnull (same);
          g_assert_cmpstr (same->value_nick, ==, values->values[i].value_nick);
        }
      g_assert_cmpint (G_PARAM_SPEC_ENUM (found)->default_value, ==,
                       G_PARAM_SPEC_ENUM (pspec)->default_value);
      return;
    }
  g_assert_cmpuint (found->value_type, ==, pspec->value_type);
  g_assert_cmpint (g_param_values_cmp (pspec, g_param_spec_get_default_value (found),
                                       g_param_spec_get_default_value (pspec)),
                   ==, 0);
  if (G_IS_PARAM_SPEC_UINT (pspec))
    {
      g_assert_cmpuint (G_PARAM_SPEC_UINT (found)->maximum, ==, G_PARAM_SPEC_UINT (pspec)->maximum);
      g_assert_cmpuint (G_PARAM_SPEC_UINT (found)->minimum, ==, G_PARAM_SPEC_UINT (pspec)->minimum);
    }
  if (g_str_equal (pspec->name, "name") || g_str_equal (pspec->name, "stats") ||
      g_str_equal (pspec->name, "enable-last-sample") || (pspec->flags & G_PARAM_READABLE) == 0)
    return;
  g_value_init (&value, pspec->value_type);
  g_object_get_property (one, pspec->name, &value);
  g_value_init (&found_value, pspec->value_type);
  g_object_get_property (other, pspec->name, &found_value);
  g_assert_cmpint (g_param_values_cmp (pspec, &value, &found_value), ==, 0);
}

static void
test_properties (void)
{
  GstElement *one = gst_object_ref_sink (gst_element_factory_make ("filesink", NULL));
  GstElement *other = gst_object_ref_sink (gst_element_factory_make ("gaiofilesink", NULL));
  guint n;
  g_autofree GParamSpec **pspecs = g_object_class_list_properties (G_OBJECT_GET_CLASS (one), &n);

  for (guint i = 0; i < n; i++)
    assert_same_property (G_OBJECT (one), G_OBJECT (other), pspecs[i]);
  gst_object_unref (one);
  gst_object_unref (other);
}

/* Location and URI */

static void
note_uri (Actor *self, const char *uri)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *location = NULL;
  g_autofree char *found = NULL;
  gboolean ok = gst_uri_handler_set_uri (GST_URI_HANDLER (self->t->sink), uri, &error);

  g_object_get (self->t->sink, "location", &location, NULL);
  found = gst_uri_handler_get_uri (GST_URI_HANDLER (self->t->sink));
  note (self, "URI %s: %d %s %d, %s, %s", uri, ok,
        error != NULL ? g_quark_to_string (error->domain) : "-", error != NULL ? error->code : 0,
        location != NULL ? location : "(no location)", found != NULL ? found : "(no URI)");
}

static void
note_uri_query (Actor *self)
{
  g_autoptr (GstQuery) query = gst_query_new_uri ();
  gboolean ok = gst_pad_peer_query (self->t->src, query);
  g_autofree char *uri = NULL;

  gst_query_parse_uri (query, &uri);
  note (self, "URI query: %d %s", ok, uri);
}

static void
note_uris (Actor *self)
{
  const char *const uris[] = {
    "file:///foo/bar", "file://localhost/foo", "file://host/foo", "file:///a%20b%3fc%23d",
    "file:///a%2Fb",   "file:relative",        "file://",         "file:///",
    "file:///x?query", "file:///x#part",       "file:///%",       "file:///a/../b//c/./d",
    "file:///%c3%a4",  "file:///%ff",          "http://host/foo", "file:////two",
    "file:///a%00b",   "FILE:///upper",
  };
  const char *const locations[] = {
    "/foo/bar?a=b#c d%20", "relative", "./a/../b", "/a//b/./c/../d", "/\xc3\xa4", "", "/", "~/x",
  };

  note_uri_query (self);
  for (guint i = 0; i < G_N_ELEMENTS (uris); i++)
    {
      note_uri (self, uris[i]);
      note_uri_query (self);
    }
  for (guint i = 0; i < G_N_ELEMENTS (locations); i++)
    {
      g_autofree char *uri = NULL;

      g_object_set (self->t->sink, "location", locations[i], NULL);
      uri = gst_uri_handler_get_uri (GST_URI_HANDLER (self->t->sink));
      note (self, "location %s: %s", locations[i], uri != NULL ? uri : "(no URI)");
      note_uri_query (self);
    }
}

static void
test_uris (void)
{
  compare_at (NULL, note_uris);
}

static void
note_location_while_open (Actor *self)
{
  gboolean is_filesink = g_str_equal (self->factory, "filesink");
  const char *domain = is_filesink ? NULL : "GStreamer-gaio";
  g_autofree char *location = NULL;

  note_state (self, GST_STATE_READY);
  /* Who gets a GError needs no warning, but filesink gives both. */
  if (is_filesink)
    g_test_expect_message (domain, G_LOG_LEVEL_WARNING, "*location*");
  note_uri (self, "file:///elsewhere");
  g_test_expect_message (domain, G_LOG_LEVEL_WARNING, "*location*");
  g_object_set (self->t->sink, "location", "/elsewhere", NULL);
  g_test_assert_expected_messages ();
  g_object_get (self->t->sink, "location", &location, NULL);
  note (self, "location %s", location);
  note_state (self, GST_STATE_NULL);
  note_uri (self, "file:///elsewhere");
}

static void
test_location_while_open (void)
{
  compare_at (NULL, note_location_while_open);
}

static void
note_open (Actor *self)
{
  self->has_failed = FALSE;
  note_state (self, GST_STATE_READY);
  note_messages (self);
  note_state (self, GST_STATE_NULL);
  self->has_failed = FALSE;
  note_state (self, GST_STATE_PLAYING);
  note_messages (self);
}

static void
note_unset (Actor *self)
{
  g_object_set (self->t->sink, "location", NULL, NULL);
  note_open (self);
  g_object_set (self->t->sink, "location", "", NULL);
  note_open (self);
}

static void
test_open_errors (void)
{
  compare_at (NULL, note_unset);
  compare_at ("/i/do/not/exist", note_open);
  compare_at ("/var/tmp", note_open);
  compare_at ("/dev/null/x", note_open);
}

/* What is there is emptied in READY, and stays the file that it was. */
static void
note_existing (Actor *self)
{
  g_autofree char *target = g_build_filename (self->t->dir, "target", NULL);
  g_autofree char *linked = g_build_filename (self->t->dir, "linked", NULL);
  GStatBuf before, after, of_link;

  g_assert_true (g_file_set_contents (target, "something old", -1, NULL));
  g_assert_cmpint (g_chmod (target, 0640), ==, 0);
  g_assert_cmpint (link (target, linked), ==, 0);
  g_assert_cmpint (symlink (target, self->t->path), ==, 0);
  g_assert_cmpint (g_stat (target, &before), ==, 0);
  note_state (self, GST_STATE_READY);
  note_file (self);
  gst_test_sink_play (self->t, GST_FORMAT_BYTES);
  note_push (self, 5);
  note_event (self, gst_event_new_eos ());
  note_state (self, GST_STATE_NULL);
  g_assert_cmpint (g_stat (target, &after), ==, 0);
  g_assert_cmpint (g_lstat (self->t->path, &of_link), ==, 0);
  note (self, "same inode: %d, mode %o, links %d, symbolic: %d", before.st_ino == after.st_ino,
        after.st_mode, (int) after.st_nlink, S_ISLNK (of_link.st_mode));
}

static void
note_new (Actor *self)
{
  mode_t mask = umask (026);
  GStatBuf st;

  note_state (self, GST_STATE_READY);
  umask (mask);
  g_assert_cmpint (g_stat (self->t->path, &st), ==, 0);
  note (self, "mode %o", st.st_mode);
}

static void
test_file (void)
{
  compare_at (NULL, note_existing);
  compare_at (NULL, note_new);
}

/* States */

static gpointer
push_one (gpointer data)
{
  Actor *self = data;

  return GINT_TO_POINTER (gst_test_sink_push (self->t, 1000));
}

static void
note_preroll (Actor *self)
{
  GThread *thread;
  GstState state, pending;
  GstStateChangeReturn ret;

  note_state (self, GST_STATE_PAUSED);
  gst_pad_push_event (self->t->src, gst_event_new_stream_start ("test"));
  gst_test_sink_segment (self->t, GST_FORMAT_BYTES, 0);
  thread = g_thread_new ("pusher", push_one, self);
  ret = gst_element_get_state (self->t->sink, &state, &pending, GST_CLOCK_TIME_NONE);
  note (self, "prerolled: %d %d %d", ret, state, pending);
  note_position (self);
  note_file (self);
  note_state (self, GST_STATE_READY);
  note (self, "pushed: %s", gst_flow_get_name (GPOINTER_TO_INT (g_thread_join (thread))));
  note_position (self);
  note_messages (self);

  /* Again, and on to PLAYING. */
  note_state (self, GST_STATE_PAUSED);
  thread = g_thread_new ("pusher", push_one, self);
  ret = gst_element_get_state (self->t->sink, &state, &pending, GST_CLOCK_TIME_NONE);
  note (self, "prerolled: %d %d %d", ret, state, pending);
  note_state (self, GST_STATE_PLAYING);
  note (self, "pushed: %s", gst_flow_get_name (GPOINTER_TO_INT (g_thread_join (thread))));
  note_messages (self);
  note_push (self, 10);

  /* What was pushed stays when it goes to READY, and the next run is behind it. */
  note_state (self, GST_STATE_READY);
  note_position (self);
  note_messages (self);
  note_state (self, GST_STATE_PLAYING);
  gst_pad_push_event (self->t->src, gst_event_new_stream_start ("test"));
  gst_test_sink_segment (self->t, GST_FORMAT_TIME, 0);
  note_push (self, 20);
  note_position (self);
}

static void
test_preroll (void)
{
  compare_at (NULL, note_preroll);
}

static void
note_without_data (Actor *self)
{
  note_state (self, GST_STATE_PLAYING);
  note_push (self, 10);
  note_event (self, gst_event_new_eos ());
  note_messages (self);
  note_state (self, GST_STATE_NULL);
  note_push (self, 10);
  gst_test_sink_play (self->t, GST_FORMAT_BYTES);
  note_event (self, gst_event_new_eos ());
  note_messages (self);
  note_state (self, GST_STATE_PAUSED);
  note_state (self, GST_STATE_PLAYING);
  note_messages (self);
}

static void
test_without_data (void)
{
  /* A push without a segment is a warning of the core. */
  g_log_set_always_fatal (G_LOG_FATAL_MASK | G_LOG_LEVEL_CRITICAL);
  g_test_expect_message ("GStreamer", G_LOG_LEVEL_WARNING, "*data flow before*");
  g_test_expect_message ("GStreamer", G_LOG_LEVEL_WARNING, "*data flow before*");
  compare_at (NULL, note_without_data);
  g_test_assert_expected_messages ();
}

static void
note_eos (Actor *self)
{
  GstEvent *eos = gst_event_new_eos ();
  guint32 seqnum = gst_event_get_seqnum (eos);
  g_autoptr (GstMessage) message = NULL;

  gst_test_sink_play (self->t, GST_FORMAT_BYTES);
  note_push (self, 1000);
  note_messages (self);
  note_event (self, eos);
  note_file (self);
  message = gst_bus_pop_filtered (self->t->bus, GST_MESSAGE_EOS);
  note (self, "same seqnum: %d", gst_message_get_seqnum (message) == seqnum);
  g_clear_pointer (&message, gst_message_unref);
  note_push (self, 10);
  note_event (self, gst_event_new_eos ());
  note_position (self);
  note_messages (self);

  /* It begins anew. */
  note_state (self, GST_STATE_NULL);
  note_file (self);
  note_state (self, GST_STATE_READY);
  note_file (self);
  gst_test_sink_play (self->t, GST_FORMAT_BYTES);
  note_position (self);
  note_push (self, 20);
}

/* After a flush data flows again. */
static void
note_flush_after_eos (Actor *self)
{
  GstState state, pending;

  gst_test_sink_play (self->t, GST_FORMAT_BYTES);
  note_push (self, 1000);
  note_event (self, gst_event_new_eos ());
  note_event (self, gst_event_new_flush_start ());
  note_push (self, 10);
  note_position (self);
  note_event (self, gst_event_new_flush_stop (TRUE));
  note_position (self);
  note_messages (self);
  note (self, "%d", gst_element_get_state (self->t->sink, &state, &pending, 0));
  note (self, "%d %d", state, pending);
  note_state (self, GST_STATE_PLAYING);
  gst_test_sink_segment (self->t, GST_FORMAT_BYTES, 0);
  note_push (self, 10);
  note_event (self, gst_event_new_flush_start ());
  note_event (self, gst_event_new_flush_stop (FALSE));
  note_position (self);
  note_state (self, GST_STATE_PLAYING);
  gst_test_sink_segment (self->t, GST_FORMAT_TIME, 0);
  note_push (self, 10);
  note_position (self);
  note_messages (self);
  note_event (self, gst_event_new_eos ());
}

static void
test_eos (void)
{
  compare_at (NULL, note_eos);
  compare_at (NULL, note_flush_after_eos);
}

/* Events */

static void
note_segment (Actor *self, GstFormat format, guint64 start, guint64 position, guint64 stop)
{
  GstSegment segment;

  gst_segment_init (&segment, format);
  segment.start = start;
  segment.position = position;
  segment.stop = stop;
  segment.time = 77;
  note_event (self, gst_event_new_segment (&segment));
  note_position (self);
}

static void
note_segments (Actor *self)
{
  gst_test_sink_play (self->t, GST_FORMAT_BYTES);
  note_push (self, 1000);
  note_segment (self, GST_FORMAT_BYTES, 500, 700, -1);
  note_push (self, 10);
  note_position (self);
  note_segment (self, GST_FORMAT_BYTES, 1500, 1500, 1600);
  note_push (self, 500); /* beyond its end */
  note_position (self);
  note_segment (self, GST_FORMAT_TIME, 3, 3, -1);
  note_push (self, 10);
  note_segment (self, GST_FORMAT_DEFAULT, 3, 3, -1);
  note_push (self, 10);
  note_segment (self, GST_FORMAT_PERCENT, 3, 3, -1);
  note_push (self, 10);
  note_segment (self, GST_FORMAT_BYTES, 100, 100, -1);
  note_segment (self, GST_FORMAT_BYTES, 100, 100, -1);
  note_segment (self, GST_FORMAT_BYTES, 3000, 3000, -1);
  note_segment (self, GST_FORMAT_BYTES, 0, 0, -1);
  note_push (self, 1);
  /* A hole that nothing is written behind is none. */
  note_segment (self, GST_FORMAT_BYTES, 5000, 5000, -1);
}

/* What does not lie in a TIME segment is dropped by the base class. */
static void
note_clipping (Actor *self)
{
  static const struct
  {
    GstClockTime start, duration;
  } times[] = {
    { 0, 1 }, { 9, 1 }, { 9, 2 }, { 10, 1 }, { 19, 5 }, { 20, 1 }, { 21, 1 }, { 10, 0 }, { 15, 1 },
  };
  GstSegment segment;
  g_autoptr (GstStructure) stats = NULL;
  guint64 dropped, rendered;

  gst_test_sink_play (self->t, GST_FORMAT_UNDEFINED);
  gst_segment_init (&segment, GST_FORMAT_TIME);
  segment.start = 10 * GST_SECOND;
  segment.stop = 20 * GST_SECOND;
  note_event (self, gst_event_new_segment (&segment));
  for (guint i = 0; i < 2 * G_N_ELEMENTS (times); i++)
    {
      GstBuffer *buffer = gst_test_sink_buffer (self->t, 1 << (i % G_N_ELEMENTS (times)), 1);
      GstBufferList *list;
      GstFlowReturn ret;

      GST_BUFFER_PTS (buffer) = times[i % G_N_ELEMENTS (times)].start * GST_SECOND;
      GST_BUFFER_DURATION (buffer) = times[i % G_N_ELEMENTS (times)].duration * GST_SECOND;
      if (i < G_N_ELEMENTS (times))
        ret = gst_pad_push (self->t->src, buffer);
      else
        {
          list = gst_buffer_list_new ();
          gst_buffer_list_add (list, buffer);
          ret = gst_pad_push_list (self->t->src, list);
        }
      note (self, "%u: %s", i, gst_flow_get_name (ret));
      note_position (self);
    }
  g_object_get (self->t->sink, "stats", &stats, NULL);
  g_assert_true (gst_structure_get (stats, "dropped", G_TYPE_UINT64, &dropped, "rendered",
                                    G_TYPE_UINT64, &rendered, NULL));
  note (self, "dropped %" G_GUINT64_FORMAT ", rendered %" G_GUINT64_FORMAT, dropped, rendered);
}

static void
note_other_events (Actor *self)
{
  GstTagList *tags = gst_tag_list_new (GST_TAG_TITLE, "title", NULL);
  g_autoptr (GstCaps) caps = gst_caps_new_empty_simple ("application/x-test");
  g_autoptr (GstToc) toc = gst_toc_new (GST_TOC_SCOPE_GLOBAL);
  g_autoptr (GstMessage) message =
      gst_message_new_application (GST_OBJECT (self->t->sink), gst_structure_new_empty ("mine"));

  gst_test_sink_play (self->t, GST_FORMAT_UNDEFINED);
  note_event (self, gst_event_new_caps (caps));
  gst_test_sink_segment (self->t, GST_FORMAT_BYTES, 0);
  note_event (self, gst_event_new_tag (tags));
  note_push (self, 10);
  note_event (self, gst_event_new_toc (toc, FALSE));
  note_event (self, gst_event_new_gap (0, 1000));
  note_event (self, gst_event_new_stream_group_done (1));
  note_event (self, gst_event_new_segment_done (GST_FORMAT_BYTES, 10));
  note_event (self,
              gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM, gst_structure_new_empty ("mine")));
  note_event (self, gst_event_new_custom (GST_EVENT_CUSTOM_DOWNSTREAM_OOB,
                                          gst_structure_new_empty ("mine")));
  note_event (self, gst_event_new_sink_message ("message", message));
  note_push (self, 10);
  note_position (self);
  note_messages (self);
  g_clear_pointer (&message, gst_message_unref);
}

static void
test_events (void)
{
  compare_at (NULL, note_segments);
  compare_at (NULL, note_clipping);
  compare_at (NULL, note_other_events);
}

static void
note_impossible_seek (Actor *self)
{
  gst_test_sink_play (self->t, GST_FORMAT_BYTES);
  note_push (self, 10);
  gst_test_sink_segment (self->t, GST_FORMAT_BYTES, (guint64) G_MAXINT64 + 1);
  note_messages (self);
}

static void
test_impossible_seek (void)
{
  compare_at (NULL, note_impossible_seek);
}

/* Queries */

/* Takes the query. */
static void
note_query (Actor *self, GstQuery *query)
{
  gboolean ok = gst_pad_peer_query (self->t->src, query);
  g_autofree char *text = NULL;
  const GstStructure *structure = gst_query_get_structure (query);

  text = structure != NULL ? gst_structure_to_string (structure) : g_strdup ("-");
  note (self, "query %s: %d %s", GST_QUERY_TYPE_NAME (query), ok, text);
  gst_query_unref (query);
}

static void
note_pad_queries (Actor *self)
{
  static const GstFormat formats[] = {
    GST_FORMAT_BYTES, GST_FORMAT_DEFAULT, GST_FORMAT_TIME, GST_FORMAT_BUFFERS, GST_FORMAT_PERCENT,
  };
  g_autoptr (GstCaps) caps = gst_caps_new_empty_simple ("video/x-raw");

  for (guint i = 0; i < G_N_ELEMENTS (formats); i++)
    {
      if (formats[i] != GST_FORMAT_DEFAULT)
        note_query (self, gst_query_new_position (formats[i]));
      note_query (self, gst_query_new_duration (formats[i]));
      note_query (self, gst_query_new_seeking (formats[i]));
      note_query (self, gst_query_new_segment (formats[i]));
      note_query (self, gst_query_new_convert (formats[i], 100, GST_FORMAT_BYTES));
      note_query (self, gst_query_new_buffering (formats[i]));
    }
  note_query (self, gst_query_new_formats ());
  note_query (self, gst_query_new_uri ());
  note_query (self, gst_query_new_allocation (NULL, FALSE));
  note_query (self, gst_query_new_allocation (caps, TRUE));
  note_query (self, gst_query_new_caps (NULL));
  note_query (self, gst_query_new_accept_caps (caps));
  note_query (self, gst_query_new_latency ());
  note_query (self, gst_query_new_drain ());
  note_query (self, gst_query_new_context ("test"));
  note_query (self, gst_query_new_custom (GST_QUERY_CUSTOM, gst_structure_new_empty ("mine")));
}

static void
note_element_queries (Actor *self)
{
  static const GstFormat formats[] = { GST_FORMAT_BYTES, GST_FORMAT_TIME };

  for (guint i = 0; i < G_N_ELEMENTS (formats); i++)
    {
      gint64 value = -1;
      gboolean ok = gst_element_query_position (self->t->sink, formats[i], &value);

      note (self, "element's position: %d %" G_GINT64_FORMAT, ok, value);
      value = -1;
      ok = gst_element_query_duration (self->t->sink, formats[i], &value);
      note (self, "element's duration: %d %" G_GINT64_FORMAT, ok, value);
    }
}

static void
note_queries (Actor *self)
{
  note_pad_queries (self);
  note_element_queries (self);
  note_state (self, GST_STATE_READY);
  note_pad_queries (self);
  gst_test_sink_play (self->t, GST_FORMAT_BYTES);
  note_pad_queries (self);
  note_push (self, 1000);
  note_pad_queries (self);
  note_element_queries (self);
  note_segment (self, GST_FORMAT_BYTES, 10, 10, -1);
  note_push (self, 1);
  note_pad_queries (self);
  note_event (self, gst_event_new_eos ());
  note_pad_queries (self);
  note_element_queries (self);
}

static void
test_queries (void)
{
  compare_at (NULL, note_queries);
}

/* Buffers */

static void
note_synced (Actor *self)
{
  GstBufferList *list = gst_buffer_list_new ();
  GstBuffer *buffer;

  wait_on_sync (self);
  gst_test_sink_play (self->t, GST_FORMAT_BYTES);
  for (guint i = 0; i < 4; i++)
    {
      buffer = gst_test_sink_buffer (self->t, i * 1000, 1);
      GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_SYNC_AFTER);
      note (self, "%s", gst_flow_get_name (gst_pad_push (self->t->src, buffer)));
      note_file (self);
    }
  /* In the middle of a list it is for all of it. */
  for (guint i = 0; i < 5; i++)
    {
      buffer = gst_test_sink_buffer (self->t, 100, 1);
      if (i == 2)
        GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_SYNC_AFTER);
      gst_buffer_list_add (list, buffer);
    }
  note (self, "%s", gst_flow_get_name (gst_pad_push_list (self->t->src, list)));
  note_file (self);
  note_segment (self, GST_FORMAT_BYTES, 500, 500, -1);
  buffer = gst_test_sink_buffer (self->t, 4, 2);
  GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_SYNC_AFTER);
  note (self, "%s", gst_flow_get_name (gst_pad_push (self->t->src, buffer)));
  note_file (self);
}

static void
note_many_memories (Actor *self)
{
  GstBufferList *list = gst_buffer_list_new ();

  gst_test_sink_play (self->t, GST_FORMAT_BYTES);
  /* More than one system call takes. */
  for (guint i = 0; i < 3000; i++)
    gst_buffer_list_add (list, gst_test_sink_buffer (self->t, 30, 1));
  note (self, "%s", gst_flow_get_name (gst_pad_push_list (self->t->src, list)));
  list = gst_buffer_list_new ();
  for (guint i = 0; i < 100; i++)
    gst_buffer_list_add (list, gst_test_sink_buffer (self->t, 160000, 16));
  note (self, "%s", gst_flow_get_name (gst_pad_push_list (self->t->src, list)));
  note_position (self);
  note (self, "%s", gst_flow_get_name (gst_pad_push (self->t->src, gst_buffer_new ())));
  note (self, "%s", gst_flow_get_name (gst_pad_push_list (self->t->src, gst_buffer_list_new ())));
  note_push (self, 0);
  note_position (self);
  note_event (self, gst_event_new_eos ());
  note_messages (self);
}

static void
test_buffers (void)
{
  compare_at (NULL, note_synced);
  compare_at (NULL, note_many_memories);
}

/* Appending: what muxers may do is another matter, what is in the file is not. */
static void
note_append (Actor *self)
{
  g_assert_true (g_file_set_contents (self->t->path, "old", 3, NULL));
  g_object_set (self->t->sink, "append", TRUE, NULL);
  gst_test_sink_play (self->t, GST_FORMAT_BYTES);
  note_position (self);
  note_push (self, 100);
  note_position (self);
  note_state (self, GST_STATE_NULL);
  note_file (self);
  gst_test_sink_play (self->t, GST_FORMAT_TIME);
  note_push (self, 100);
  note_event (self, gst_event_new_eos ());
  note_file (self);
}

/* Those who set modes by number and by name. */
static void
note_modes (Actor *self)
{
  static const char *const modes[] = { "default", "full", "line", "unbuffered" };

  for (guint i = 0; i < G_N_ELEMENTS (modes); i++)
    {
      gst_util_set_object_arg (G_OBJECT (self->t->sink), "buffer-mode", modes[i]);
      g_object_set (self->t->sink, "buffer-size", 100 * i, "o-sync", i % 2, NULL);
      gst_test_sink_play (self->t, GST_FORMAT_BYTES);
      for (guint j = 0; j < 50; j++)
        note_push (self, 1 + 10 * j);
      note_segment (self, GST_FORMAT_BYTES, 30, 30, -1);
      note_push (self, 100);
      note_state (self, GST_STATE_NULL);
      note_file (self);
    }
}

static void
test_modes (void)
{
  compare_at (NULL, note_append);
  compare_at (NULL, note_modes);
}

/* Errors */

static void
note_full_in_flow (Actor *self)
{
  GstFlowReturn ret;

  gst_test_sink_play (self->t, GST_FORMAT_BYTES);
  do
    ret = gst_test_sink_push (self->t, 10000);
  while (ret == GST_FLOW_OK);
  note (self, "%s", gst_flow_get_name (ret));
  note_messages (self);
}

static void
note_full_at_eos (Actor *self)
{
  gst_test_sink_play (self->t, GST_FORMAT_BYTES);
  note_push (self, 10);
  note_event (self, gst_event_new_eos ());
  note_messages (self);
}

static void
note_full_at_stop (Actor *self)
{
  gst_test_sink_play (self->t, GST_FORMAT_BYTES);
  note_push (self, 10);
  note_state (self, GST_STATE_NULL);
  note_messages (self);
}

/* Of /dev/full nobody reads the content. */
static void
compare_full (Body body)
{
  g_autofree char *dir = gst_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "full", NULL);

  g_assert_cmpint (symlink ("/dev/full", path), ==, 0);
  compare_at (path, body);
  gst_test_remove_dir (dir);
}

static void
test_full (void)
{
  compare_full (note_full_in_flow);
  compare_full (note_full_at_eos);
  compare_full (note_full_at_stop);
}

/* A FIFO */

static gpointer
to_ready (gpointer data)
{
  Actor *self = data;

  return GINT_TO_POINTER (gst_element_set_state (self->t->sink, GST_STATE_READY));
}

/* The change of state waits for a reader, and the sink says that it cannot seek. */
static void
note_fifo (Actor *self)
{
  GThread *thread;
  guint8 data[1000];
  GstState state;
  int fd;

  g_assert_cmpint (mkfifo (self->t->path, 0600), ==, 0);
  thread = g_thread_new ("opener", to_ready, self);
  fd = open (self->t->path, O_RDONLY | O_CLOEXEC);
  g_assert_cmpint (fd, >=, 0);
  note (self, "opened: %d", GPOINTER_TO_INT (g_thread_join (thread)));
  gst_element_get_state (self->t->sink, &state, NULL, 0);
  note (self, "state %d", state);
  gst_test_sink_play (self->t, GST_FORMAT_BYTES);
  note_pad_queries (self);
  note_push (self, 600);
  note_position (self);
  gst_test_sink_segment (self->t, GST_FORMAT_TIME, 0);
  note_push (self, 400);
  note_event (self, gst_event_new_eos ());
  note_messages (self);
  g_assert_cmpint (read (fd, data, sizeof data), ==, sizeof data);
  for (guint i = 0; i < sizeof data; i++)
    g_assert_cmpuint (data[i], ==, (guint8) i);
  note_state (self, GST_STATE_NULL);
  g_assert_cmpint (read (fd, data, sizeof data), ==, 0);
  close (fd);
  g_assert_cmpint (g_remove (self->t->path), ==, 0);
}

/* Programs that write to pipes ignore the signal. */
static void
note_broken_fifo (Actor *self)
{
  int fd;

  g_assert_cmpint (mkfifo (self->t->path, 0600), ==, 0);
  fd = open (self->t->path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
  gst_test_sink_play (self->t, GST_FORMAT_BYTES);
  note_push (self, 10);
  close (fd);
  note_event (self, gst_event_new_eos ());
  note_messages (self);
  g_assert_cmpint (g_remove (self->t->path), ==, 0);
}

static void
test_fifo (void)
{
  signal (SIGPIPE, SIG_IGN);
  compare_at (NULL, note_fifo);
  compare_at (NULL, note_broken_fifo);
}

int
main (int argc, char **argv)
{
  gst_test_init (&argc, &argv);
  gaio_test_add ("/file-sink/parity/element", test_element);
  gaio_test_add ("/file-sink/parity/properties", test_properties);
  gaio_test_add ("/file-sink/parity/uris", test_uris);
  gaio_test_add ("/file-sink/parity/location-while-open", test_location_while_open);
  gaio_test_add ("/file-sink/parity/open-errors", test_open_errors);
  gaio_test_add ("/file-sink/parity/file", test_file);
  gaio_test_add ("/file-sink/parity/preroll", test_preroll);
  gaio_test_add ("/file-sink/parity/without-data", test_without_data);
  gaio_test_add ("/file-sink/parity/eos", test_eos);
  gaio_test_add ("/file-sink/parity/events", test_events);
  gaio_test_add ("/file-sink/parity/impossible-seek", test_impossible_seek);
  gaio_test_add ("/file-sink/parity/queries", test_queries);
  gaio_test_add ("/file-sink/parity/buffers", test_buffers);
  gaio_test_add ("/file-sink/parity/modes", test_modes);
  gaio_test_add ("/file-sink/parity/full", test_full);
  gaio_test_add ("/file-sink/parity/fifo", test_fifo);
  return g_test_run ();
}
