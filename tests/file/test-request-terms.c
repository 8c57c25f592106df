/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The terms on which a request runs: its turn, its time limit, its place in an order; and what is
 * counted of it. */

#include <limits.h>
#include <sys/wait.h>

#include "stream-test.h"

/* More than any engine takes at once. */
#define MANY 1500

/* How many an engine may have begun before a more urgent one came. */
#define TAKEN_AT_MOST 1024

typedef struct
{
  GaioRequest *request;
  int *counter; /* of ends so far */
  int place;    /* in the order of ends; 0: not yet */
  gboolean ok;
  GError *error;
} Probe;

static void
on_end (GaioRequest *request, gpointer user_data)
{
  Probe *probe = user_data;

  g_assert_cmpint (probe->place, ==, 0);
  probe->ok = gaio_request_get_result (request, NULL, &probe->error);
  probe->place = ++*probe->counter;
}

static void
probe_init (Probe *probe, GaioFile *file, int *counter)
{
  *probe = (Probe){ .request = gaio_request_new (file, on_end, probe, NULL), .counter = counter };
}

static void
probe_clear (Probe *probe)
{
  g_clear_error (&probe->error);
  gaio_request_unref (probe->request);
}

static void
probe_clear_expecting (Probe *probe, int code, int errnum)
{
  g_assert_false (probe->ok);
  file_test_assert_error (g_steal_pointer (&probe->error), code, errnum);
  probe_clear (probe);
}

static void
probe_clear_ok (Probe *probe)
{
  g_assert_no_error (probe->error);
  g_assert_true (probe->ok);
  probe_clear (probe);
}

/* An urgent one overtakes those that wait, and one that is not urgent is overtaken. */
static void
test_priority (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 4096);
  GaioFile *file = file_test_open (loop->context, path, "r");
  Probe *probes = g_new (Probe, MANY);
  Probe low, idle, urgent[3];
  int n = 0;

  for (int i = 0; i < MANY; i++)
    probe_init (&probes[i], file, &n);
  probe_init (&low, file, &n);
  probe_init (&idle, file, &n);
  gaio_request_set_priority (low.request, G_PRIORITY_DEFAULT_IDLE);
  gaio_request_set_priority (idle.request, G_PRIORITY_LOW);
  for (int i = 0; i < 3; i++)
    {
      probe_init (&urgent[i], file, &n);
      gaio_request_set_priority (urgent[i].request, G_PRIORITY_HIGH);
    }
  for (int i = 0; i < MANY / 2; i++)
    gaio_request_read (probes[i].request, 0, 100);
  gaio_request_read (idle.request, 0, 100);
  gaio_request_read (low.request, 0, 100);
  for (int i = MANY / 2; i < MANY; i++)
    gaio_request_read (probes[i].request, 0, 100);
  for (int i = 0; i < 3; i++)
    gaio_request_read (urgent[i].request, 0, 100);
  gaio_test_turn_until (loop, &n, MANY + 5);

  /* The system may have kept a worker with what it had, but not three. */
  g_assert_cmpint (MIN (MIN (urgent[0].place, urgent[1].place), urgent[2].place), <=,
                   TAKEN_AT_MOST);
  /* With threads the last few may end in any order. */
  g_assert_cmpint (low.place, >, MANY - 64);
  g_assert_cmpint (idle.place, >, MANY - 64);
  if (loop->engine == GAIO_ENGINE_IO_URING)
    g_assert_cmpint (low.place, <, idle.place);
  for (int i = 0; i < MANY; i++)
    probe_clear_ok (&probes[i]);
  g_free (probes);
  probe_clear_ok (&low);
  probe_clear_ok (&idle);
  for (int i = 0; i < 3; i++)
    probe_clear_ok (&urgent[i]);
  g_object_unref (file);
  file_test_remove_dir (dir);
}

/* A file with few requests does not wait for all of one with many; the order within a file stays.
 */
static void
test_fair (GaioTestLoop *loop)
{
  enum
  {
    FEW = 10
  };
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 4096);
  GaioFile *busy = file_test_open (loop->context, path, "r");
  GaioFile *other = file_test_open (loop->context, path, "r");
  Probe *probes = g_new (Probe, MANY);
  Probe few[FEW];
  int first = G_MAXINT;
  int n = 0;

  for (int i = 0; i < MANY; i++)
    {
      probe_init (&probes[i], busy, &n);
      gaio_request_read (probes[i].request, 0, 100);
    }
  for (int i = 0; i < FEW; i++)
    {
      probe_init (&few[i], other, &n);
      gaio_request_read (few[i].request, 0, 100);
    }
  gaio_test_turn_until (loop, &n, MANY + FEW);
  for (int i = 0; i < FEW; i++)
    {
      first = MIN (first, few[i].place);
      if (loop->engine == GAIO_ENGINE_IO_URING)
        g_assert_cmpint (few[i].place, <=, TAKEN_AT_MOST + 2 * FEW);
      if (i > 0 && loop->engine == GAIO_ENGINE_IO_URING)
        g_assert_cmpint (few[i].place, >, few[i - 1].place);
      probe_clear_ok (&few[i]);
    }
  /* The system may have kept a worker, with what it had, until all others had ended. */
  g_assert_cmpint (first, <=, TAKEN_AT_MOST + 2 * FEW);
  for (int i = 0; i < MANY; i++)
    {
      if (i > 0 && loop->engine == GAIO_ENGINE_IO_URING)
        g_assert_cmpint (probes[i].place, >, probes[i - 1].place);
      probe_clear_ok (&probes[i]);
    }
  g_free (probes);
  g_object_unref (busy);
  g_object_unref (other);
  file_test_remove_dir (dir);
}

/* One that waits for its turn can be cancelled there, and times out there. */
static void
test_leave_the_queue (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 4096);
  GaioFile *file = file_test_open (loop->context, path, "r");
  Probe *probes = g_new (Probe, MANY);
  int n = 0;

  for (int i = 0; i < MANY; i++)
    {
      probe_init (&probes[i], file, &n);
      gaio_request_read (probes[i].request, 0, 100);
    }
  for (int i = TAKEN_AT_MOST; i < MANY; i += 2)
    gaio_request_cancel (probes[i].request);
  gaio_test_turn_until (loop, &n, MANY);
  for (int i = 0; i < MANY; i++)
    if (i >= TAKEN_AT_MOST && i % 2 == 0)
      probe_clear_expecting (&probes[i], G_IO_ERROR_CANCELLED, ECANCELED);
    else
      probe_clear_ok (&probes[i]);
  g_free (probes);
  g_object_unref (file);
  file_test_remove_dir (dir);
}

static guint64
get (GVariant *stats, const char *name)
{
  guint64 value = G_MAXUINT64;

  g_assert_true (g_variant_lookup (stats, name, "t", &value));
  return value;
}

static void
test_timeout (GaioTestLoop *loop)
{
  g_autoptr (GVariant) stats = NULL;
  GaioFile *file;
  Probe probe;
  int fds[2];
  int n = 0;

  file_test_make_pipe (fds);
  file = file_test_adopt (loop->context, fds[0]);
  probe_init (&probe, file, &n);
  gaio_request_set_timeout_ns (probe.request, 5000000);
  gaio_request_read (probe.request, 0, 100);
  gaio_test_turn_until (loop, &n, 1);
  g_assert_false (probe.ok);
  file_test_assert_error (g_steal_pointer (&probe.error), G_IO_ERROR_TIMED_OUT, ETIMEDOUT);

  /* The next is in time, and its timer goes with it. */
  probe.place = 0;
  g_assert_cmpint (write (fds[1], "x", 1), ==, 1);
  gaio_request_set_timeout_ns (probe.request, G_GINT64_CONSTANT (3600000000000));
  gaio_request_read (probe.request, 0, 100);
  gaio_test_turn_until (loop, &n, 2);
  g_assert_no_error (probe.error);
  stats = gaio_context_get_stats (loop->context);
  g_assert_cmpuint (get (stats, "timers"), ==, 0);

  /* A negative one is for ever, as everywhere. */
  probe.place = 0;
  gaio_request_set_timeout_ns (probe.request, -5);
  gaio_request_read (probe.request, 0, 100);
  gaio_test_settle (loop);
  g_assert_cmpint (n, ==, 2);
  g_assert_cmpint (write (fds[1], "x", 1), ==, 1);
  gaio_test_turn_until (loop, &n, 3);
  g_assert_no_error (probe.error);

  /* A cancel is a cancel. */
  probe.place = 0;
  gaio_request_read (probe.request, 0, 100);
  gaio_test_settle (loop);
  gaio_request_cancel (probe.request);
  gaio_test_turn_until (loop, &n, 4);
  probe_clear_expecting (&probe, G_IO_ERROR_CANCELLED, ECANCELED);
  g_object_unref (file);
  close (fds[1]);
}

static void
on_read (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GError *error = NULL;

  g_assert_null (gaio_file_read_bytes_finish (GAIO_FILE (source), result, &error));
  file_test_assert_error (error, G_IO_ERROR_TIMED_OUT, ETIMEDOUT);
  ++*(int *) user_data;
}

/* The limit of a file is one of each of its tasks. */
static void
test_timeout_of_file (GaioTestLoop *loop)
{
  GaioFile *file;
  int fds[2];
  int n = 0;

  file_test_make_pipe (fds);
  file = file_test_adopt (loop->context, fds[0]);
  g_assert_cmpuint (gaio_file_get_timeout_ms (file), ==, 0);
  g_object_set (file, "timeout-ms", 5, NULL);
  g_assert_cmpuint (gaio_file_get_timeout_ms (file), ==, 5);
  for (int i = 0; i < 3; i++)
    gaio_file_read_bytes_async (file, 0, 10, G_PRIORITY_DEFAULT, NULL, on_read, &n);
  gaio_test_turn_until (loop, &n, 3);
  g_object_unref (file);
  close (fds[1]);
}

static char *
read_all (const char *path)
{
  char *contents = NULL;

  g_file_get_contents (path, &contents, NULL, NULL);
  return contents;
}

/* A new version of a file: written in two pieces, synced, and put in place of the old. */
static void
test_chain (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "a", NULL);
  g_autofree char *temporary = g_build_filename (dir, "a.new", NULL);
  g_autofree char *contents = NULL;
  g_autoptr (GBytes) first = g_bytes_new_static ("one ", 4);
  g_autoptr (GBytes) nothing = g_bytes_new (NULL, 0);
  g_autoptr (GBytes) second = g_bytes_new_static ("two", 3);
  GaioFile *file;
  Probe probes[5];
  int n = 0;

  g_assert_true (g_file_set_contents (path, "old", -1, NULL));
  file = file_test_open (loop->context, temporary, "w");
  for (int i = 0; i < 5; i++)
    probe_init (&probes[i], file, &n);
  for (int i = 1; i < 5; i++)
    gaio_request_set_after (probes[i].request, probes[i - 1].request);
  gaio_request_write (probes[0].request, 0, first);
  gaio_request_write (probes[1].request, 0, nothing); /* nothing to do, but not before its time */
  gaio_request_write (probes[2].request, 4, second);
  gaio_request_sync (probes[3].request, TRUE);
  gaio_request_rename (probes[4].request, path);
  gaio_test_turn_until (loop, &n, 5);
  for (int i = 0; i < 5; i++)
    {
      g_assert_cmpint (probes[i].place, ==, i + 1);
      probe_clear_ok (&probes[i]);
    }
  contents = read_all (path);
  g_assert_cmpstr (contents, ==, "one two");
  g_assert_false (g_file_test (temporary, G_FILE_TEST_EXISTS));
  g_object_unref (file);
  file_test_remove_dir (dir);
}

/* What comes after something that has not ended does not begin. */
static void
test_chain_waits (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "a", NULL);
  g_autoptr (GBytes) bytes = g_bytes_new_static ("text", 4);
  g_autofree char *before = NULL;
  g_autofree char *after = NULL;
  GaioFile *file = file_test_open (loop->context, path, "w");
  GaioFile *pipe;
  Probe held, next, also, cancelled;
  int fds[2];
  int n = 0;

  file_test_make_pipe (fds);
  pipe = file_test_adopt (loop->context, fds[0]);
  probe_init (&held, pipe, &n);
  probe_init (&next, file, &n);
  probe_init (&also, file, &n);
  probe_init (&cancelled, file, &n);
  gaio_request_read (held.request, 0, 10);
  gaio_request_set_after (next.request, held.request);
  gaio_request_set_after (cancelled.request, held.request);
  gaio_request_set_after (also.request, held.request);
  gaio_request_write (next.request, 0, bytes);
  gaio_request_truncate (cancelled.request, 1);
  gaio_request_write (also.request, 4, bytes);
  gaio_test_settle (loop);
  g_assert_cmpint (n, ==, 0);
  before = read_all (path);
  g_assert_cmpstr (before, ==, "");

  gaio_request_cancel (cancelled.request);
  gaio_test_turn_until (loop, &n, 1);
  g_assert_cmpint (cancelled.place, ==, 1);
  probe_clear_expecting (&cancelled, G_IO_ERROR_CANCELLED, ECANCELED);

  g_assert_cmpint (write (fds[1], "x", 1), ==, 1);
  gaio_test_turn_until (loop, &n, 4);
  g_assert_cmpint (held.place, ==, 2);
  after = read_all (path);
  g_assert_cmpstr (after, ==, "texttext");
  probe_clear_ok (&held);
  probe_clear_ok (&next);
  probe_clear_ok (&also);
  g_object_unref (pipe);
  g_object_unref (file);
  close (fds[1]);
  file_test_remove_dir (dir);
}

/* A failure ends all that comes after it, once each, and nothing of that is done. */
static void
test_chain_breaks (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 100);
  g_autofree char *other = g_build_filename (dir, "b", NULL);
  g_autoptr (GBytes) bytes = g_bytes_new_static ("text", 4);
  GaioFile *file = file_test_open (loop->context, path, "r");
  Probe probes[3];
  Probe late;
  int n = 0;

  for (int i = 0; i < 3; i++)
    probe_init (&probes[i], file, &n);
  probe_init (&late, file, &n);
  gaio_request_set_after (probes[1].request, probes[0].request);
  gaio_request_set_after (probes[2].request, probes[1].request);
  gaio_request_write (probes[0].request, 0, bytes); /* it is open for reading */
  gaio_request_sync (probes[1].request, FALSE);
  gaio_request_rename (probes[2].request, other);
  gaio_test_turn_until (loop, &n, 3);
  g_assert_cmpint (gaio_error_get_errno (probes[0].error), ==, EBADF);

  /* It also does when it has ended before. */
  gaio_request_set_after (late.request, probes[0].request);
  gaio_request_rename (late.request, other);
  gaio_test_turn_until (loop, &n, 4);
  probe_clear_expecting (&late, G_IO_ERROR_CANCELLED, ECANCELED);

  /* The order is for one submission only. */
  g_clear_error (&probes[1].error);
  probes[1].place = 0;
  gaio_request_read (probes[1].request, 0, 10);
  gaio_test_turn_until (loop, &n, 5);
  probe_clear_ok (&probes[1]);
  probe_clear (&probes[0]);
  probe_clear_expecting (&probes[2], G_IO_ERROR_CANCELLED, ECANCELED);
  g_assert_false (g_file_test (other, G_FILE_TEST_EXISTS));
  g_object_unref (file);
  file_test_remove_dir (dir);
}

static guint64
sum_latencies (GVariant *stats)
{
  g_autoptr (GVariant) latencies = g_variant_lookup_value (stats, "latencies", NULL);
  guint64 sum = 0;
  const guint64 *places;
  gsize n_places;

  places = g_variant_get_fixed_array (latencies, &n_places, sizeof (guint64));
  for (gsize i = 0; i < n_places; i++)
    sum += places[i];
  return sum;
}

static void
test_stats (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 1000);
  GaioFile *file = file_test_open (loop->context, path, "r+");
  g_autoptr (GBytes) bytes = file_test_pattern_bytes (0, 300);
  g_autoptr (GBytes) read = NULL;
  g_autoptr (GVariant) during = NULL;
  g_autoptr (GVariant) stats = NULL;
  g_autoptr (GVariant) of_context = NULL;
  g_autoptr (GVariant) io = NULL;
  GError *error = NULL;
  Probe probes[3];
  int n = 0;

  for (int i = 0; i < 3; i++)
    probe_init (&probes[i], file, &n);
  gaio_request_read (probes[0].request, 0, 600);
  gaio_request_write (probes[1].request, 100, bytes);
  gaio_request_read (probes[2].request, -1, 10); /* no system is asked */
  during = gaio_file_get_stats (file);
  g_assert_cmpuint (get (during, "in-flight"), ==, 2);
  gaio_test_turn_until (loop, &n, 3);
  probe_clear_ok (&probes[0]);
  probe_clear_ok (&probes[1]);
  probe_clear_expecting (&probes[2], G_IO_ERROR_INVALID_ARGUMENT, EINVAL);
  read = gaio_file_read_bytes (file, 0, 2000, NULL, &error);
  g_assert_no_error (error);

  stats = gaio_file_get_stats (file);
  of_context = gaio_context_get_stats (loop->context);
  io = g_variant_lookup_value (of_context, "io", G_VARIANT_TYPE_VARDICT);
  g_assert_cmpuint (get (stats, "submitted"), ==, 4); /* with the open */
  g_assert_cmpuint (get (stats, "in-flight"), ==, 0);
  g_assert_cmpuint (get (stats, "completed"), ==, 4);
  g_assert_cmpuint (get (stats, "failed"), ==, 0);
  g_assert_cmpuint (get (stats, "bytes-read"), ==, 1600);
  g_assert_cmpuint (get (stats, "bytes-written"), ==, 300);
  g_assert_cmpuint (get (stats, "short"), ==, 1); /* at the end of the file */
  g_assert_cmpuint (sum_latencies (stats), ==, 2);
  g_assert_cmpuint (get (stats, "latency-p99-ns"), >, 0);
  g_assert_cmpuint (get (io, "submitted"), ==, 2);
  g_assert_cmpuint (get (io, "bytes-read"), ==, 600);
  g_assert_cmpuint (get (of_context, "requests"), ==, 2);
  g_object_unref (file);
  file_test_remove_dir (dir);
}

/* What fails and what is cancelled is told apart; and a great many are timed by a sample. */
static void
test_stats_of_failures (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 1000);
  GaioFile *file = file_test_open (loop->context, path, "r");
  g_autoptr (GBytes) bytes = file_test_pattern_bytes (0, 300);
  g_autoptr (GVariant) stats = NULL;
  g_autoptr (GVariant) of_pipe = NULL;
  GaioFile *pipe;
  Probe probe;
  Probe held;
  int fds[2];
  int n = 0;

  file_test_make_pipe (fds);
  pipe = file_test_adopt (loop->context, fds[0]);
  probe_init (&probe, file, &n);
  probe_init (&held, pipe, &n);
  gaio_request_write (probe.request, 0, bytes);
  gaio_request_read (held.request, 0, 10);
  gaio_test_turn_until (loop, &n, 1);
  gaio_request_cancel (held.request);
  gaio_test_turn_until (loop, &n, 2);
  g_clear_error (&probe.error);
  for (int i = 0; i < 64 + 160; i++)
    {
      probe.place = 0;
      gaio_request_read (probe.request, i == 0 ? 995 : 0, 10);
      gaio_test_turn_until (loop, &n, 3 + i);
    }
  stats = gaio_file_get_stats (file);
  of_pipe = gaio_file_get_stats (pipe);
  g_assert_cmpuint (get (stats, "failed"), ==, 1);
  g_assert_cmpuint (get (stats, "cancelled"), ==, 0);
  g_assert_cmpuint (get (stats, "submitted"), ==, 226);
  g_assert_cmpuint (sum_latencies (stats), ==, 64 + 11);
  g_assert_cmpuint (get (stats, "short"), ==, 1); /* each time is counted once */
  g_assert_cmpuint (get (of_pipe, "cancelled"), ==, 1);
  g_assert_cmpuint (get (of_pipe, "failed"), ==, 0);
  probe_clear_ok (&probe);
  probe_clear_expecting (&held, G_IO_ERROR_CANCELLED, ECANCELED);
  g_object_unref (pipe);
  g_object_unref (file);
  close (fds[1]);
  file_test_remove_dir (dir);
}

/* What the parent has in flight, and what waits for that, keeps nobody in a child waiting, and the
 * child does not do it. */
static void
test_fork (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 10);
  g_autoptr (GaioFile) file = file_test_open (loop->context, path, "r+");
  StreamPoolHold hold;
  Probe probes[3];
  int status;
  int n = 0;
  pid_t child;

  stream_test_hold_pool (&hold, loop);
  for (int i = 0; i < 3; i++)
    probe_init (&probes[i], file, &n);
  /* Where there is a ring the truncation goes to the threads all the same. */
  gaio_request_truncate (probes[0].request, 20);
  gaio_request_truncate (probes[1].request, 30);
  child = fork ();
  if (child == 0)
    {
      GaioFile *other = file_test_open (loop->context, path, "r+");
      struct stat before, after;

      alarm (20);
      g_assert_cmpint (stat (path, &before), ==, 0);
      gaio_request_cancel (probes[1].request);
      probe_init (&probes[2], other, &n);
      n = 0;
      gaio_request_truncate (probes[2].request, 5);
      while (probes[2].place == 0)
        gaio_test_turn (loop, FALSE);
      for (int i = 0; i < 20; i++)
        gaio_test_turn (loop, FALSE);
      g_assert_cmpint (stat (path, &after), ==, 0);
      _exit (probes[2].ok && n == 1 && before.st_size == 10 && after.st_size == 5 ? 0 : 1);
    }
  g_assert_cmpint (child, >, 0);
  while (waitpid (child, &status, 0) < 0)
    g_assert_cmpint (errno, ==, EINTR);
  g_assert_cmpint (status, ==, 0);
  stream_test_release_pool (&hold, loop);
  gaio_request_truncate (probes[2].request, 40);
  gaio_test_turn_until (loop, &n, 3);
  for (int i = 0; i < 3; i++)
    probe_clear_ok (&probes[i]);
  file_test_remove_dir (dir);
}

static void
on_open (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GaioFile **file = user_data;
  GError *error = NULL;

  *file = gaio_open_finish (result, &error);
  g_assert_no_error (error);
}

/* The ends of a named pipe wait for each other, so they need a thread each. The pool had one when
 * the context came to know it. */
static void
test_more_threads (GaioTestLoop *loop)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = file_test_make_file (dir, "a", 10);
  g_autofree char *fifo = g_build_filename (dir, "b", NULL);
  GaioThreadPool *pool = gaio_thread_pool_get_default ();
  guint before = gaio_thread_pool_get_max_threads (pool);
  g_autoptr (GaioFile) file = NULL;
  g_autoptr (GaioFile) reader = NULL;
  g_autoptr (GaioFile) writer = NULL;
  Probe probe;
  int n = 0;

  gaio_thread_pool_set_max_threads (pool, 1);
  file = gaio_open (path, "r", NULL, NULL); /* in the context of the opens below */
  probe_init (&probe, file, &n);
  gaio_request_read (probe.request, 0, 10);
  while (n == 0)
    gaio_test_turn (loop, FALSE);
  probe_clear_ok (&probe);
  gaio_thread_pool_set_max_threads (pool, 4);
  g_assert_cmpint (mkfifo (fifo, 0600), ==, 0);
  gaio_open_async (fifo, "r", 0, NULL, on_open, &reader);
  gaio_open_async (fifo, "a", 0, NULL, on_open, &writer);
  while (reader == NULL || writer == NULL)
    gaio_test_turn (loop, FALSE);
  gaio_thread_pool_set_max_threads (pool, before);
  file_test_remove_dir (dir);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  gaio_test_add_engine_matrix ("/request-terms/priority", test_priority);
  gaio_test_add_engine_matrix ("/request-terms/fair", test_fair);
  gaio_test_add_engine_matrix ("/request-terms/leave-the-queue", test_leave_the_queue);
  gaio_test_add_engine_matrix ("/request-terms/timeout", test_timeout);
  gaio_test_add_engine_matrix ("/request-terms/timeout-of-file", test_timeout_of_file);
  gaio_test_add_engine_matrix ("/request-terms/chain", test_chain);
  gaio_test_add_engine_matrix ("/request-terms/chain-waits", test_chain_waits);
  gaio_test_add_engine_matrix ("/request-terms/chain-breaks", test_chain_breaks);
  gaio_test_add_engine_matrix ("/request-terms/stats", test_stats);
  gaio_test_add_engine_matrix ("/request-terms/fork", test_fork);
  gaio_test_add_engine_matrix ("/request-terms/more-threads", test_more_threads);
  gaio_test_add_engine_matrix ("/request-terms/stats-of-failures", test_stats_of_failures);
  return g_test_run ();
}
