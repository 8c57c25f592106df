/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* gaiofilesrc on a file system that fails, answers with less than asked for, or does not answer at
 * all: a FUSE server that is stopped with a signal, as a mount whose server is gone. No test looks
 * at a clock: what must not wait for the server is done while it cannot answer, so if it does wait
 * the test never ends. */

#include <errno.h>

#include "fault-server.h"
#include "file-mount.h"
#include "src-test.h"

#define LENGTH ((gsize) 1000 * 1000)

typedef struct
{
  FaultServer *server;
  Source *source; /* the pattern, and a file on a disk that is well */
} Server;

/* NULL: the test is skipped. */
static Server *
server_new (void)
{
  FaultServer *server = fault_server_new ();
  Server *self;

  if (server == NULL)
    return NULL;
  self = g_new (Server, 1);
  self->server = server;
  self->source = source_new (LENGTH);
  return self;
}

static void
server_free (Server *self)
{
  fault_server_free (self->server);
  source_free (self->source);
  g_free (self);
}

/* A file of that name with LENGTH bytes. */
static char *
server_add (Server *server, const char *name)
{
  char *path = g_build_filename (server->server->dir, name, NULL);
  int fd = open (path, O_WRONLY | O_CLOEXEC);

  g_assert_cmpint (fd, >=, 0);
  for (gsize done = 0; done < LENGTH;)
    {
      gssize n = write (fd, server->source->data + done, LENGTH - done);

      g_assert_cmpint (n, >, 0);
      done += n;
    }
  close (fd);
  return path;
}

typedef struct
{
  GstPad *pad;
  guint64 offset;
  GstFlowReturn ret;
} Pull;

static gpointer
pull_one (gpointer user_data)
{
  Pull *pull = user_data;
  g_autoptr (GstBuffer) buffer = NULL;

  pull->ret = gst_pad_get_range (pull->pad, pull->offset, 4096, &buffer);
  return NULL;
}

static void
wait_until_waiting (GstElement *src, guint64 times)
{
  while (stat_of (src, "waits") < times)
    g_usleep (1000);
}

/* To NULL in the middle of a read; what the server does then does not matter any more. */
static void
stop_while_hung (gboolean dies)
{
  Server *server = server_new ();
  g_autofree char *path = NULL;
  GstElement *src;
  GThread *thread;
  Pull pull = { 0 };

  if (server == NULL)
    return;
  path = server_add (server, "direct-in");
  src = make ("gaiofilesrc", path);
  pull.pad = start_pull (src);
  fault_server_halt (server->server);
  thread = g_thread_new ("pull", pull_one, &pull);
  wait_until_waiting (src, 1);
  assert_state (src, GST_STATE_NULL, GST_STATE_CHANGE_SUCCESS);
  g_thread_join (thread);
  g_assert_cmpint (pull.ret, ==, GST_FLOW_FLUSHING);
  gst_object_unref (pull.pad);
  /* Nothing of the element is left, though its read is. */
  g_assert_cmpint (GST_OBJECT_REFCOUNT_VALUE (src), ==, 1);
  gst_object_unref (src);
  if (dies)
    fault_server_kill (server->server);
  else
    fault_server_go_on (server->server);
  server_free (server);
}

static void
test_stop (void)
{
  stop_while_hung (FALSE);
}

static void
test_stop_dead (void)
{
  stop_while_hung (TRUE);
}

/* The same when it wants to know whether the file has grown, which is another question. The kernel
 * answers it itself for the first second; either way nothing waits. */
static void
test_stop_at_end (void)
{
  Server *server = server_new ();
  g_autofree char *path = NULL;
  GstElement *src;
  GThread *thread;
  Pull pull = { .offset = LENGTH - 10 };

  if (server == NULL)
    return;
  path = server_add (server, "direct-in");
  src = make ("gaiofilesrc", path);
  pull.pad = start_pull (src);
  g_usleep (1200 * 1000);
  fault_server_halt (server->server);
  thread = g_thread_new ("pull", pull_one, &pull);
  g_usleep (100 * 1000);
  assert_state (src, GST_STATE_NULL, GST_STATE_CHANGE_SUCCESS);
  g_thread_join (thread);
  g_assert_cmpint (pull.ret, ==, GST_FLOW_FLUSHING);
  gst_object_unref (pull.pad);
  gst_object_unref (src);
  fault_server_go_on (server->server);
  server_free (server);
}

/* A seek gets the streaming thread out of its wait; when the server is back all goes on. */
static void
test_seek (void)
{
  Server *server = server_new ();
  g_autofree char *path = NULL;
  Seen seen;
  GstElement *pipeline;
  GstElement *src;
  gint64 duration;
  guint64 waits;

  if (server == NULL)
    return;
  path = server_add (server, "direct-in");
  pipeline = watch ("gaiofilesrc", path, "blocksize=10000", &seen);
  src = gst_bin_get_by_name (GST_BIN (pipeline), "src");
  assert_state (pipeline, GST_STATE_READY, GST_STATE_CHANGE_SUCCESS);
  assert_state (pipeline, GST_STATE_PAUSED, GST_STATE_CHANGE_ASYNC);
  gst_element_get_state (pipeline, NULL, NULL, GST_CLOCK_TIME_NONE);
  waits = stat_of (src, "waits");
  fault_server_halt (server->server);
  g_assert_true (gst_element_seek_simple (src, GST_FORMAT_BYTES, GST_SEEK_FLAG_FLUSH, 900000));
  wait_until_waiting (src, waits + 1);
  for (guint i = 0; i < 20; i++)
    g_assert_true (
        gst_element_seek_simple (src, GST_FORMAT_BYTES, GST_SEEK_FLAG_FLUSH, i * 20000 + 500000));
  /* Who asks for the length has the last one known. */
  g_assert_true (gst_element_query_duration (src, GST_FORMAT_BYTES, &duration));
  g_assert_cmpint (duration, ==, LENGTH);
  g_byte_array_set_size (seen.bytes, 0);
  fault_server_go_on (server->server);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  wait_for_eos (pipeline);
  assert_state (pipeline, GST_STATE_NULL, GST_STATE_CHANGE_SUCCESS);
  g_assert_cmpmem (seen.bytes->data, seen.bytes->len, server->source->data + 880000, 120000);
  gst_object_unref (src);
  gst_object_unref (pipeline);
  seen_clear (&seen);
  server_free (server);
}

/* What hangs on one disk holds up nobody on another. */
static void
test_others (void)
{
  Server *server = server_new ();
  g_autofree char *path = NULL;
  GstElement *hung[8];
  Pull pulls[8];
  GThread *threads[8];
  Seen seen;
  GstElement *pipeline;

  if (server == NULL)
    return;
  path = server_add (server, "direct-in");
  for (guint i = 0; i < G_N_ELEMENTS (hung); i++)
    {
      hung[i] = make ("gaiofilesrc", path);
      pulls[i].pad = start_pull (hung[i]);
      pulls[i].offset = 0;
    }
  fault_server_halt (server->server);
  for (guint i = 0; i < G_N_ELEMENTS (hung); i++)
    threads[i] = g_thread_new ("pull", pull_one, &pulls[i]);
  for (guint i = 0; i < G_N_ELEMENTS (hung); i++)
    wait_until_waiting (hung[i], 1);

  pipeline = watch ("gaiofilesrc", server->source->path, "", &seen);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  wait_for_eos (pipeline);
  assert_state (pipeline, GST_STATE_NULL, GST_STATE_CHANGE_SUCCESS);
  g_assert_cmpmem (seen.bytes->data, seen.bytes->len, server->source->data, LENGTH);
  gst_object_unref (pipeline);
  seen_clear (&seen);

  for (guint i = 0; i < G_N_ELEMENTS (hung); i++)
    {
      assert_state (hung[i], GST_STATE_NULL, GST_STATE_CHANGE_SUCCESS);
      g_thread_join (threads[i]);
      gst_object_unref (pulls[i].pad);
      gst_object_unref (hung[i]);
    }
  fault_server_go_on (server->server);
  server_free (server);
}

/* Sources and sinks on a disk that hangs, which share an I/O thread: those on another disk do not
 * mind, one may go and leave behind what hangs, and in the end the others get all of theirs. */
static void
copy_beside (Server *server)
{
  g_autofree char *dir = gst_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "copy", NULL);
  g_autoptr (GstElement) pipeline = gst_test_parse ("gaiofilesrc location=%s "
                                                    "! gaiofilesink location=%s",
                                                    server->source->path, path);

  gst_test_run_to_eos (pipeline);
  gst_test_assert_same_file (server->source->path, path);
  gst_test_remove_dir (dir);
}

static void
test_sources_and_sinks (void)
{
  enum
  {
    N = 6
  };
  Server *server = server_new ();
  g_autofree char *path = NULL;
  GstElement *srcs[N];
  GstTestSink *sinks[N];
  Pull pulls[N];
  GThread *threads[N];

  if (server == NULL)
    return;
  path = server_add (server, "direct-in");
  for (guint i = 0; i < N; i++)
    {
      g_autofree char *out = g_strdup_printf ("%s/out-%u", server->server->dir, i);

      srcs[i] = make ("gaiofilesrc", path);
      pulls[i] = (Pull){ .pad = start_pull (srcs[i]), .offset = i * 100000 };
      sinks[i] = gst_test_sink_new (out);
      if (i == 0)
        gst_test_sink_set (sinks[i], "drain-timeout", "0");
      gst_test_sink_set (sinks[i], "stall-warning", "5000000");
      gst_test_sink_play (sinks[i], GST_FORMAT_BYTES);
    }
  fault_server_halt (server->server);
  for (guint i = 0; i < N; i++)
    {
      threads[i] = g_thread_new ("pull", pull_one, &pulls[i]);
      for (guint j = 0; j < 2; j++)
        g_assert_cmpint (gst_test_sink_push (sinks[i], 100 * 1000), ==, GST_FLOW_OK);
    }
  for (guint i = 0; i < N; i++)
    wait_until_waiting (srcs[i], 1);

  /* Their thread does not wait itself: it can tell. */
  for (guint i = 0; i < N; i++)
    {
      g_autoptr (GstMessage) message = gst_test_wait_message (sinks[i]->bus, GST_MESSAGE_ELEMENT);

      g_assert_true (gst_message_has_name (message, "gaiofilesink-stall"));
    }
  copy_beside (server);
  gst_test_sink_stop (sinks[0]);
  gst_test_sink_assert_error (sinks[0], GST_RESOURCE_ERROR_CLOSE, "200000 bytes are lost");
  copy_beside (server);

  fault_server_go_on (server->server);
  for (guint i = 0; i < N; i++)
    {
      g_thread_join (threads[i]);
      g_assert_cmpint (pulls[i].ret, ==, GST_FLOW_OK);
      stop_pull (srcs[i], pulls[i].pad);
      gst_object_unref (srcs[i]);
      if (i > 0)
        {
          gst_test_sink_push_eos (sinks[i]);
          gst_test_sink_stop (sinks[i]);
          gst_test_sink_assert_no_error (sinks[i]);
          gst_test_sink_assert_counting (sinks[i], 2 * 100 * 1000);
        }
      gst_test_sink_free (sinks[i]);
    }
  server_free (server);
}

/* Runs a pipeline to its end, and gives the errno of its error, or 0. */
static int
run_to_end (const char *factory, const char *path, const char *sets, Seen *seen, guint64 *offset)
{
  g_autoptr (GstElement) pipeline = watch (factory, path, sets, seen);
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  g_autoptr (GstMessage) message = NULL;
  g_autoptr (GError) error = NULL;
  const GstStructure *details = NULL;
  int errnum = 0;

  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  message = gst_test_wait_message (bus, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR)
    {
      errnum = -1;
      gst_message_parse_error (message, &error, NULL);
      g_assert_error (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_READ);
      gst_message_parse_error_details (message, &details);
      if (details != NULL)
        {
          g_assert_true (gst_structure_get_int (details, "errno", &errnum));
          g_assert_true (gst_structure_get_uint64 (details, "offset", offset));
        }
    }
  assert_state (pipeline, GST_STATE_NULL, GST_STATE_CHANGE_SUCCESS);
  return errnum;
}

/* A bad place comes to light when somebody wants it and not when it is read ahead, as with
 * filesrc, and everything before it is there. */
static void
test_error (void)
{
  static const int errnos[] = { EIO, ESTALE, ENXIO, ETIMEDOUT, EBADMSG };
  Server *server = server_new ();

  if (server == NULL)
    return;
  for (guint i = 0; i < G_N_ELEMENTS (errnos); i++)
    {
      g_autofree char *name = g_strdup_printf ("direct-read-%d@700001", errnos[i]);
      g_autofree char *path = server_add (server, name);
      guint64 offset = 0;
      Seen theirs;
      Seen ours;

      g_assert_cmpint (run_to_end ("filesrc", path, "blocksize=7000", &theirs, &offset), ==, -1);
      g_assert_cmpint (run_to_end ("gaiofilesrc", path, "blocksize=7000", &ours, &offset), ==,
                       errnos[i]);
      g_assert_cmpuint (offset, ==, 700000);
      g_assert_cmpstr (ours.log->str, ==, theirs.log->str);
      g_assert_cmpmem (ours.bytes->data, ours.bytes->len, server->source->data, 700000);
      seen_clear (&theirs);
      seen_clear (&ours);
    }
  server_free (server);
}

/* By pull one goes on behind it. */
static void
test_error_pull (void)
{
  Server *server = server_new ();
  g_autofree char *path = NULL;
  g_autoptr (GstElement) src = NULL;
  g_autoptr (GstBuffer) buffer = NULL;
  GstPad *pad;

  if (server == NULL)
    return;
  path = server_add (server, "direct-read-5@700001");
  src = make ("gaiofilesrc", path);
  pad = start_pull (src);
  assert_range (pad, server->source->data, 0, 700000, 700000);
  g_assert_cmpint (gst_pad_get_range (pad, 700000, 5, &buffer), ==, GST_FLOW_ERROR);
  assert_range (pad, server->source->data, 700002, 1000, 1000);
  assert_range (pad, server->source->data, 699000, 1001, 1001);
  g_assert_cmpint (gst_pad_get_range (pad, 699000, 1002, &buffer), ==, GST_FLOW_ERROR);
  assert_range (pad, server->source->data, 800000, 300000, 200000);
  stop_pull (src, pad);
  server_free (server);
}

/* Who comes near to a bad place in small steps does not read it at each of them. */
static void
test_error_near (void)
{
  Server *server = server_new ();
  g_autofree char *path = NULL;
  g_autoptr (GstElement) src = NULL;
  GstPad *pad;

  if (server == NULL)
    return;
  path = server_add (server, "direct-read-5@700001");
  src = make ("gaiofilesrc", path);
  pad = start_pull (src);
  for (guint64 offset = 0; offset < 700000; offset += 1000)
    assert_range (pad, server->source->data, offset, 1000, 1000);
  /* One for each step from where the failed one began, at the most, and few before. */
  g_assert_cmpuint (stat_of (src, "reads"), <=, 90);
  stop_pull (src, pad);
  server_free (server);
}

/* What failed when it was read ahead is read again when it is wanted. */
static void
test_error_once (void)
{
  Server *server = server_new ();
  g_autofree char *path = NULL;
  guint64 offset;
  Seen seen;

  if (server == NULL)
    return;
  path = server_add (server, "direct-once-read-5@700001");
  g_assert_cmpint (run_to_end ("gaiofilesrc", path, "blocksize=7000", &seen, &offset), ==, 0);
  g_assert_cmpmem (seen.bytes->data, seen.bytes->len, server->source->data, LENGTH);
  seen_clear (&seen);
  server_free (server);
}

/* Reads that bring half of what was asked for each time; and one that brings nothing, which is the
 * end for filesrc. */
static void
test_short (void)
{
  static const char *const names[] = { "direct-read--1", "direct-read--2@500000" };
  Server *server = server_new ();

  if (server == NULL)
    return;
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    {
      g_autofree char *path = server_add (server, names[i]);
      guint64 offset;
      Seen theirs;
      Seen ours;

      g_assert_cmpint (run_to_end ("filesrc", path, "blocksize=65536", &theirs, &offset), ==, 0);
      g_assert_cmpint (run_to_end ("gaiofilesrc", path, "blocksize=65536", &ours, &offset), ==, 0);
      g_assert_cmpstr (ours.log->str, ==, theirs.log->str);
      g_assert_cmpmem (ours.bytes->data, ours.bytes->len, theirs.bytes->data, theirs.bytes->len);
      g_assert_cmpuint (ours.bytes->len, ==, i == 0 ? LENGTH : 458752);
      seen_clear (&theirs);
      seen_clear (&ours);
    }
  server_free (server);
}

/* Several reads are under way at once: each takes 200 ms, and one after the other they would take
 * ever so long. */
static void
test_slow (void)
{
  Server *server = server_new ();
  g_autofree char *path = NULL;
  guint64 offset;
  Seen seen;

  if (server == NULL)
    return;
  path = server_add (server, "direct-read--3");
  g_assert_cmpint (
      run_to_end ("gaiofilesrc", path, "blocksize=65536 read-size=65536", &seen, &offset), ==, 0);
  g_assert_cmpmem (seen.bytes->data, seen.bytes->len, server->source->data, LENGTH);
  seen_clear (&seen);
  server_free (server);
}

int
main (int argc, char **argv)
{
  file_mount_init ();
  gst_test_init (&argc, &argv);
  gaio_test_add ("/file-src-stall/stop", test_stop);
  gaio_test_add ("/file-src-stall/stop-dead", test_stop_dead);
  gaio_test_add ("/file-src-stall/stop-at-end", test_stop_at_end);
  gaio_test_add ("/file-src-stall/seek", test_seek);
  gaio_test_add ("/file-src-stall/others", test_others);
  gaio_test_add ("/file-src-stall/sources-and-sinks", test_sources_and_sinks);
  gaio_test_add ("/file-src-stall/error", test_error);
  gaio_test_add ("/file-src-stall/error-pull", test_error_pull);
  gaio_test_add ("/file-src-stall/error-near", test_error_near);
  gaio_test_add ("/file-src-stall/error-once", test_error_once);
  gaio_test_add ("/file-src-stall/short", test_short);
  gaio_test_add ("/file-src-stall/slow", test_slow);
  return g_test_run ();
}
