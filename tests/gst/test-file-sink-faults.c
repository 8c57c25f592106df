/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* gaiofilesink on a file system that answers with any errno, with less than asked for, late, or
 * not any more: see ../file/fault-fs.c. Whatever it does, the end of the stream is told only of a
 * file that has all of it, and of every other file the first error is told, once.
 *
 * At random, but the same each time; `-m thorough` has ten times as many runs. */

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include "fault-server.h"
#include "file-mount.h"
#include "gst-test-stream.h"

#ifdef __SANITIZE_ADDRESS__
#define N_RANDOM_RUNS 300
#else
#define N_RANDOM_RUNS 2000
#endif
#define N_KILLS 20

/* Those of write(2) and fsync(2), and what network file systems add. */
static const int errnos[] = {
  EPERM, EIO,    EBADF, ENOMEM, EACCES, EBUSY,      EFBIG,     ENOSPC, EROFS,     EFAULT,
  EPIPE, ESTALE, ENXIO, EDQUOT, EINVAL, EOPNOTSUPP, ETIMEDOUT, EPROTO, EREMOTEIO, EDESTADDRREQ,
};

G_GNUC_PRINTF (2, 3)
static GstTestSink *
sink_on (FaultServer *server, const char *format, ...)
{
  g_autofree char *name = NULL;
  g_autofree char *path = NULL;
  va_list args;

  va_start (args, format);
  name = g_strdup_vprintf (format, args);
  va_end (args);
  path = g_build_filename (server->dir, name, NULL);
  return gst_test_sink_new (path);
}

static GstResourceError
code_for (int errnum)
{
  return errnum == ENOSPC || errnum == EDQUOT ? GST_RESOURCE_ERROR_NO_SPACE_LEFT
                                              : GST_RESOURCE_ERROR_WRITE;
}

/* What a ring says when it cannot do something: a worker tries again. */
static gboolean
is_tried_again (int errnum)
{
  return errnum == EINVAL || errnum == EOPNOTSUPP;
}

/* Each errno, of the first write, of a later one, once and for ever. */
static void
test_errnos (void)
{
  FaultServer *server = fault_server_new ();

  for (guint i = 0; server != NULL && i < G_N_ELEMENTS (errnos) * 4; i++)
    {
      int errnum = errnos[i / 4];
      gboolean later = i & 1;
      gboolean once = (i & 2) != 0;
      g_autoptr (GstTestStream) stream =
          gst_test_stream_new (i, 5000, 1000, later ? GST_TEST_STREAM_SYNCS : 0);
      GstTestSink *t = sink_on (server, "%sat-%d-write-%d", once ? "once-" : "", later, errnum);
      g_autoptr (GstTestOutcome) outcome = gst_test_stream_run (stream, t);

      /* Perhaps there was no later one. */
      if (outcome->n_eos == 1 && (later || (once && is_tried_again (errnum))))
        gst_test_stream_assert_honest (stream, outcome);
      else
        gst_test_stream_assert_failed (stream, outcome, code_for (errnum), errnum, t->path);
      gst_test_sink_free (t);
    }
  g_clear_pointer (&server, fault_server_free);
}

/* What passes is got over, what does not is an error, and nothing is tried for ever. */
static void
test_got_over (void)
{
  static const struct
  {
    const char *name;
    int errnum; /* 0: all goes well */
  } cases[] = {
    { "once-write-4", 0 },       { "once-write-11", 0 },      { "once-write--1", 0 },
    { "write--1", 0 },           { "write-4", EINTR },        { "write-11", EAGAIN },
    { "write--2", EIO },         { "once-at-1-write-11", 0 }, { "at-1-write--1", 0 },
    { "once-at-1-write--1", 0 }, { "once-write--3", 0 },
  };
  FaultServer *server = fault_server_new ();

  for (guint i = 0; server != NULL && i < G_N_ELEMENTS (cases); i++)
    {
      g_autoptr (GstTestStream) stream =
          gst_test_stream_new (i, 300 * 1000, 40 * 1000, GST_TEST_STREAM_SEEKS);
      GstTestSink *t = sink_on (server, "%s", cases[i].name);
      g_autoptr (GstTestOutcome) outcome = gst_test_stream_run (stream, t);

      gst_test_stream_assert_honest (stream, outcome);
      if (cases[i].errnum == 0)
        g_assert_cmpuint (outcome->n_eos, ==, 1);
      else
        gst_test_stream_assert_failed (stream, outcome, GST_RESOURCE_ERROR_WRITE, cases[i].errnum,
                                       t->path);
      gst_test_sink_free (t);
    }
  g_clear_pointer (&server, fault_server_free);
}

/* What cannot be made durable where it was asked for is an error, and stays one. */
static void
test_sync (void)
{
  FaultServer *server = fault_server_new ();

  for (guint i = 0; server != NULL && i < 100; i++)
    {
      g_autoptr (GstTestStream) stream = gst_test_stream_new (i, 5000, 200, GST_TEST_STREAM_SYNCS);
      GstTestSink *t = sink_on (server, "%sat-%d-fsync-%d", i & 1 ? "once-" : "", i & 2, EIO);
      g_autoptr (GstTestOutcome) outcome = gst_test_stream_run (stream, t);

      gst_test_stream_assert_honest (stream, outcome);
      if (outcome->n_eos == 0)
        {
          g_assert_cmpint (outcome->code, ==, GST_RESOURCE_ERROR_SYNC);
          g_assert_cmpint (outcome->errnum, ==, EIO);
          g_assert_nonnull (strstr (outcome->debug, t->path));
        }
      else
        {
          g_assert_cmpuint (gst_test_sink_stat (t, "syncs"), <=, i & 2);
        }
      gst_test_sink_free (t);
    }
  g_clear_pointer (&server, fault_server_free);
}

/* When the file cannot be opened or emptied nothing begins; when closing it fails that is told,
 * unless something else has failed before. */
static void
test_open_and_close (void)
{
  FaultServer *server = fault_server_new ();

  for (guint i = 0; server != NULL && i < G_N_ELEMENTS (errnos); i++)
    {
      g_autoptr (GstTestStream) stream = gst_test_stream_new (i, 100, 10, GST_TEST_STREAM_PLAIN);
      g_autoptr (GstTestOutcome) outcome = NULL;
      GstTestSink *t = sink_on (server, "%s-%d", i % 2 ? "open" : "truncate", errnos[i]);

      g_assert_cmpint (gst_element_set_state (t->sink, GST_STATE_READY), ==,
                       GST_STATE_CHANGE_FAILURE);
      g_assert_cmpint (gst_test_sink_assert_error (t, GST_RESOURCE_ERROR_OPEN_WRITE, "system"), ==,
                       errnos[i]);
      gst_test_sink_free (t);

      t = sink_on (server, "flush-%d", errnos[i]);
      outcome = gst_test_stream_run (stream, t);
      gst_test_stream_assert_honest (stream, outcome);
      g_assert_cmpuint (outcome->n_errors, ==, 1);
      g_assert_cmpint (outcome->code, ==, GST_RESOURCE_ERROR_CLOSE);
      g_assert_cmpint (outcome->errnum, ==, errnos[i]);
      gst_test_sink_free (t);
    }
  g_clear_pointer (&server, fault_server_free);
}

static const int random_faults[] = { EIO,   ENOSPC, ENOMEM,      EDQUOT,     EROFS,
                                     EINTR, EAGAIN, FAULT_SHORT, FAULT_ZERO, ETIMEDOUT };

/* Of the kernel the tests know (6.18) a ring begins a write that is to replace bytes past the page
 * cache anew whenever the file system answers EAGAIN: for ever, if that always does, and without a
 * word. Whether there is such a write depends on what comes together in one. */
static gboolean
is_for_ever (const char *operation, int fault, gboolean once)
{
  return *operation == 'w' && fault == EAGAIN && !once;
}

static void
random_run (FaultServer *server, GRand *rand)
{
  int fault = random_faults[g_rand_int_range (rand, 0, G_N_ELEMENTS (random_faults))];
  gboolean past_cache = g_rand_boolean (rand);
  gboolean once = g_rand_boolean (rand);
  const char *operation = g_rand_int_range (rand, 0, 4) == 0 ? "fsync" : "write";
  gboolean direct = past_cache && !is_for_ever (operation, fault, once);
  GstTestStreamFlags flags = g_rand_int_range (rand, 0, 4);
  gsize size = g_rand_int_range (rand, 1, g_rand_boolean (rand) ? 2000 : 200 * 1000);
  g_autoptr (GstTestStream) stream =
      gst_test_stream_new (g_rand_int (rand), size, size / 4 + 1, flags);
  GstTestSink *t = sink_on (server, "%s%sat-%d-%s-%d", direct ? "direct-" : "", once ? "once-" : "",
                            g_rand_int_range (rand, 0, 5), operation, fault);
  g_autoptr (GstTestOutcome) outcome = NULL;

  if (g_rand_boolean (rand))
    g_object_set (t->sink, "max-bytes", (guint64) g_rand_int_range (rand, 1, (gint32) size + 1),
                  NULL);
  outcome = gst_test_stream_run (stream, t);
  if (outcome->n_eos == 1 || *operation == 'f' || fault == FAULT_SHORT)
    gst_test_stream_assert_honest (stream, outcome);
  else
    gst_test_stream_assert_failed (stream, outcome, code_for (fault),
                                   fault == FAULT_ZERO ? EIO : fault, t->path);
  /* Without the page cache a ring makes an error of a short write. */
  if (fault == FAULT_SHORT && outcome->n_eos == 0)
    g_assert_cmpint (direct ? outcome->errnum : 0, ==, EIO);
  gst_test_sink_free (t);
}

static void
test_random (void)
{
  FaultServer *server = fault_server_new ();
  g_autoptr (GRand) rand = g_rand_new_with_seed (1);

  for (guint i = 0; server != NULL && i < N_RANDOM_RUNS * (g_test_thorough () ? 10 : 1); i++)
    random_run (server, rand);
  g_clear_pointer (&server, fault_server_free);
}

/* The server dies at some point of the stream: told as an error, unless the end was there first.
 * What it had is gone with it, so the sink's count has to be believed. */
static gpointer
kill_later (gpointer data)
{
  FaultServer *server = data;

  g_usleep (g_random_int_range (0, 3000));
  fault_server_kill (server);
  return NULL;
}

static void
test_killed (void)
{
  for (guint i = 0; i < N_KILLS; i++)
    {
      FaultServer *server = fault_server_new ();
      const gsize size = 900 * 1000;
      g_autoptr (GstTestStream) stream = gst_test_stream_new (i, size, 4000, GST_TEST_STREAM_SYNCS);
      g_autoptr (GstTestOutcome) outcome = NULL;
      GstTestSink *t;
      GThread *killer;

      if (server == NULL)
        return;
      t = sink_on (server, "out");
      gst_test_stream_start (t);
      killer = g_thread_new ("killer", kill_later, server);
      gst_test_stream_push (stream, t);
      gst_pad_push_event (t->src, gst_event_new_eos ());
      g_thread_join (killer);
      outcome = gst_test_stream_stop (t);
      g_assert_cmpuint (outcome->n_eos + outcome->n_errors, >, 0);
      g_assert_cmpuint (outcome->n_errors, <=, 1);
      if (outcome->n_eos == 1)
        g_assert_cmpuint (outcome->n_written, ==, size);
      else
        /* EIO is a write of several requests of which the first was answered still. */
        g_assert_true (outcome->errnum == ENOTCONN || outcome->errnum == ECONNABORTED ||
                       outcome->errnum == EIO);
      gst_test_sink_free (t);
      fault_server_free (server);
    }
}

/* The server stands still: pushes that find room come back, and when it goes on all is well. */
static void
test_halted (void)
{
  FaultServer *server = fault_server_new ();
  g_autoptr (GstTestStream) stream =
      gst_test_stream_new (1, 1000 * 1000, 100 * 1000, GST_TEST_STREAM_SEEKS);
  g_autoptr (GstTestOutcome) outcome = NULL;
  GstTestSink *t;

  if (server == NULL)
    return;
  t = sink_on (server, "out");
  gst_test_stream_start (t);
  fault_server_halt (server);
  g_assert_cmpint (gst_test_stream_push (stream, t), ==, GST_FLOW_OK);
  g_assert_cmpuint (gst_test_sink_stat (t, "blocked-count"), ==, 0);
  g_assert_cmpuint (gst_test_sink_stat (t, "bytes-written"), ==, 0);

  /* Another one does not mind. */
  {
    g_autoptr (GstTestStream) other =
        gst_test_stream_new (2, 300 * 1000, 1000, GST_TEST_STREAM_SEEKS | GST_TEST_STREAM_SYNCS);
    GstTestSink *bystander = gst_test_sink_new (NULL);
    g_autoptr (GstTestOutcome) its = gst_test_stream_run (other, bystander);

    gst_test_stream_assert_honest (other, its);
    g_assert_cmpuint (its->n_eos, ==, 1);
    gst_test_sink_free (bystander);
  }

  fault_server_go_on (server);
  g_assert_true (gst_pad_push_event (t->src, gst_event_new_eos ()));
  outcome = gst_test_stream_stop (t);
  gst_test_stream_assert_honest (stream, outcome);
  g_assert_cmpuint (outcome->n_eos, ==, 1);
  gst_test_sink_free (t);
  fault_server_free (server);
}

/* The error of a run that lost 5000 bytes: the errno that threads are told, or that the end did not
 * wait any longer. */
static void
assert_gave_up (GstTestSink *t)
{
  g_autoptr (GstMessage) message = gst_test_wait_message (t->bus, GST_MESSAGE_ERROR);
  g_autoptr (GError) error = NULL;
  const GstStructure *details = NULL;
  guint64 lost = 0;
  int errnum = 0;

  gst_message_parse_error (message, &error, NULL);
  gst_message_parse_error_details (message, &details);
  g_assert_true (gst_structure_get_int (details, "errno", &errnum));
  if (g_error_matches (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_CLOSE))
    {
      g_assert_cmpint (errnum, ==, ETIMEDOUT);
      g_assert_true (gst_structure_get_uint64 (details, "lost-bytes", &lost));
      g_assert_cmpuint (lost, ==, 5000);
    }
  else
    {
      g_assert_error (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_WRITE);
      g_assert_cmpint (errnum, ==, EAGAIN);
    }
  gst_test_sink_assert_no_error (t);
}

static gboolean
is_writing (GstTestSink *t)
{
  GstStructure *stats = NULL;
  guint n = 0;

  g_object_get (t->sink, "io-stats", &stats, NULL);
  g_assert_true (gst_structure_get_uint (stats, "in-flight", &n));
  gst_structure_free (stats);
  return n > 0;
}

/* A server that always answers that one may try again: a ring does, for ever and in silence. The
 * flush and the end of the stream come all the same, and what is left ends with the server. */
static void
test_for_ever (void)
{
  for (guint i = 0; i < 4; i++)
    {
      gboolean flushes = (i & 1) != 0;
      FaultServer *server = fault_server_new ();
      GstTestSink *t;

      if (server == NULL)
        return;
      t = sink_on (server, "direct-at-1-write-%d", EAGAIN);
      g_object_set (t->sink, "drain-timeout", (guint64) 100 * GST_MSECOND, NULL);
      gst_test_sink_set (t, "buffer-mode", "unbuffered");
      gst_test_sink_play (t, GST_FORMAT_BYTES);
      g_assert_cmpint (gst_test_sink_push (t, 10000), ==, GST_FLOW_OK);
      while (gst_test_sink_stat (t, "bytes-written") < 10000)
        g_usleep (1000);
      gst_test_sink_segment (t, GST_FORMAT_BYTES, 0);
      gst_test_sink_push (t, 5000);
      while (!is_writing (t) && gst_test_sink_stat (t, "bytes-lost") == 0)
        g_usleep (1000);
      if (flushes)
        {
          g_assert_true (gst_pad_push_event (t->src, gst_event_new_flush_start ()));
          g_assert_true (gst_pad_push_event (t->src, gst_event_new_flush_stop (TRUE)));
        }
      gst_test_sink_stop (t);
      assert_gave_up (t);
      /* A flush may have taken back the others. */
      g_assert_cmpuint (gst_test_sink_stat (t, "bytes-lost"), >=, 5000);
      if (!flushes)
        g_assert_cmpuint (gst_test_sink_stat (t, "bytes-lost"), ==, 5000);
      gst_test_sink_free (t);
      /* Some before the kernel may have let go of it, some after that. */
      g_usleep (i < 2 ? 0 : 50 * 1000);
      fault_server_free (server);
    }
}

int
main (int argc, char **argv)
{
  file_mount_init ();
  gst_test_init (&argc, &argv);
  gaio_test_add ("/file-sink/faults/errnos", test_errnos);
  gaio_test_add ("/file-sink/faults/got-over", test_got_over);
  gaio_test_add ("/file-sink/faults/sync", test_sync);
  gaio_test_add ("/file-sink/faults/open-and-close", test_open_and_close);
  gaio_test_add ("/file-sink/faults/random", test_random);
  gaio_test_add ("/file-sink/faults/killed", test_killed);
  gaio_test_add ("/file-sink/faults/halted", test_halted);
  gaio_test_add ("/file-sink/faults/for-ever", test_for_ever);
  return g_test_run ();
}
