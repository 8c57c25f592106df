/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The bridge from an operation that blocks to its two twins, with bodies that tell where they run.
 */

#include <signal.h>
#include <stdatomic.h>
#include <sys/resource.h>

#include "file-test.h"

#include <gaio/file/gaio-work-private.h>

/* What an operation saw. The data of the body is this; it lives in the test. */
typedef struct
{
  GThread *caller;
  int n_reports; /* at most */
  int max_told;  /* 0, or as soon as so many are told it reports no more */
  bool waits;    /* for `go` */
  bool fails;
  GCancellable *cancels; /* in the midst */

  atomic_int running;
  atomic_int go;
  GThread *ran_in;
  int reported; /* last */

  int freed;
  int result_freed;
  int closure_freed;
  int told;
  goffset last;
  int ended;
  GAsyncResult *result;
} Probe;

static void
init (Probe *probe)
{
  *probe = (Probe){ .caller = g_thread_self () };
}

static gpointer
run (GaioWork *work, gpointer data, GError **error)
{
  Probe *probe = data;

  probe->ran_in = g_thread_self ();
  atomic_store (&probe->running, 1);
  while (probe->waits && atomic_load (&probe->go) == 0)
    g_usleep (100);
  for (int i = 1; i <= probe->n_reports && (probe->max_told == 0 || !atomic_load (&probe->go)); i++)
    {
      gaio_work_report (work, i, probe->n_reports);
      probe->reported = i;
      if (probe->cancels != NULL && i == probe->n_reports / 2)
        g_cancellable_cancel (probe->cancels);
      if (!gaio_work_check (work, error))
        return NULL;
    }
  if (probe->fails)
    return gaio_work_fail (work, ENOSPC, NULL, error);
  return probe;
}

static void
data_free (gpointer data)
{
  Probe *probe = data;

  g_assert_true (probe->caller == g_thread_self ());
  probe->freed++;
}

static void
result_free (gpointer data)
{
  Probe *probe = data;

  g_assert_true (probe->caller == g_thread_self ());
  probe->result_freed++;
}

static const GaioWorkKind kind = {
  .name = "probe",
  .run = run,
  .data_free = data_free,
  .result_free = result_free,
};

static void
on_progress (goffset done, goffset total, gpointer data)
{
  Probe *probe = data;

  g_assert_true (probe->caller == g_thread_self ());
  g_assert_cmpint (probe->ended, ==, 0);
  g_assert_cmpint (total, ==, probe->n_reports);
  g_assert_cmpint (done, >, probe->last);
  probe->last = done;
  probe->told++;
  if (probe->told == probe->max_told)
    atomic_store (&probe->go, 1);
}

static void
closure_freed (gpointer data, GClosure *closure)
{
  Probe *probe = data;

  g_assert_true (probe->caller == g_thread_self ());
  probe->closure_freed++;
}

static GClosure *
progress_of (Probe *probe)
{
  return g_cclosure_new (G_CALLBACK (on_progress), probe, closure_freed);
}

static void
on_end (GObject *source, GAsyncResult *result, gpointer data)
{
  Probe *probe = data;

  g_assert_true (probe->caller == g_thread_self ());
  probe->result = g_object_ref (result);
  probe->ended++;
}

static void
start (Probe *probe, GCancellable *cancellable, GClosure *progress)
{
  gaio_work_start (g_task_new (NULL, cancellable, on_end, probe), &kind, probe, "a", progress);
  g_assert_cmpint (probe->ended, ==, 0);
}

static void
turn_until (const int *counter, int value)
{
  while (*counter < value)
    g_main_context_iteration (NULL, TRUE);
}

static void
settle (void)
{
  while (g_main_context_iteration (NULL, FALSE))
    ;
}

static gpointer
finish (Probe *probe, GError **error)
{
  gpointer result = g_task_propagate_pointer (G_TASK (probe->result), error);

  g_clear_object (&probe->result);
  return result;
}

static void
test_blocking (void)
{
  g_autoptr (GCancellable) cancellable = g_cancellable_new ();
  GError *error = NULL;
  Probe probe;

  init (&probe);
  probe.n_reports = 1000;
  g_assert_true (gaio_work_run (&kind, &probe, "a", progress_of (&probe), NULL, &error) == &probe);
  g_assert_no_error (error);
  g_assert_true (probe.ran_in == g_thread_self ());
  g_assert_cmpint (probe.last, ==, 1000);
  g_assert_cmpint (probe.told, <, 1000);
  g_assert_cmpint (probe.closure_freed, ==, 1);
  g_assert_cmpint (probe.freed + probe.result_freed, ==, 0);

  init (&probe);
  probe.fails = true;
  g_assert_null (gaio_work_run (&kind, &probe, "a", NULL, NULL, &error));
  g_assert_cmpstr (error->message, ==, "probe “a”: No space left on device (ENOSPC)");
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_NO_SPACE, ENOSPC);

  init (&probe);
  probe.n_reports = 10;
  probe.cancels = cancellable;
  g_assert_null (gaio_work_run (&kind, &probe, "a", progress_of (&probe), cancellable, &error));
  file_test_assert_error (g_steal_pointer (&error), G_IO_ERROR_CANCELLED, ECANCELED);
  g_assert_cmpint (probe.last, ==, 5);

  init (&probe);
  g_assert_null (gaio_work_run (&kind, &probe, "a", progress_of (&probe), cancellable, &error));
  file_test_assert_error (error, G_IO_ERROR_CANCELLED, ECANCELED);
  g_assert_null (probe.ran_in);
  g_assert_cmpint (probe.closure_freed, ==, 1);
}

static void
test_async (void)
{
  GError *error = NULL;
  Probe probe;

  init (&probe);
  probe.n_reports = 100000;
  start (&probe, NULL, progress_of (&probe));
  turn_until (&probe.ended, 1);
  g_assert_true (probe.ran_in != NULL && probe.ran_in != g_thread_self ());
  g_assert_cmpint (probe.last, ==, 100000);
  g_assert_cmpint (probe.told, <, 10000);
  g_assert_true (finish (&probe, &error) == &probe);
  g_assert_no_error (error);
  settle ();
  g_assert_cmpint (probe.ended, ==, 1);
  g_assert_cmpint (probe.freed, ==, 1);
  g_assert_cmpint (probe.closure_freed, ==, 1);
  g_assert_cmpint (probe.result_freed, ==, 0);

  /* A result that nobody wants. */
  init (&probe);
  start (&probe, NULL, NULL);
  turn_until (&probe.ended, 1);
  g_clear_object (&probe.result);
  settle ();
  g_assert_cmpint (probe.result_freed, ==, 1);
  g_assert_cmpint (probe.freed, ==, 1);

  init (&probe);
  probe.fails = true;
  probe.n_reports = 1;
  start (&probe, NULL, progress_of (&probe));
  turn_until (&probe.ended, 1);
  g_assert_cmpint (probe.last, ==, 1);
  g_assert_null (finish (&probe, &error));
  file_test_assert_error (error, G_IO_ERROR_NO_SPACE, ENOSPC);
  settle ();
  g_assert_cmpint (probe.freed, ==, 1);
  g_assert_cmpint (probe.closure_freed, ==, 1);
}

/* While the operation still runs: a report, and another when the first has been told. */
static void
test_progress (void)
{
  Probe probe;

  init (&probe);
  probe.n_reports = G_MAXINT;
  probe.max_told = 2;
  start (&probe, NULL, progress_of (&probe));
  turn_until (&probe.told, 2);
  g_assert_cmpint (probe.last, >, 0);
  turn_until (&probe.ended, 1);
  g_assert_cmpint (probe.reported, <, G_MAXINT);
  g_assert_cmpint (probe.last, ==, probe.reported);
  g_clear_object (&probe.result);
  settle ();
}

static void
test_many (void)
{
  enum
  {
    N = 200
  };
  Probe probes[N];

  for (int i = 0; i < N; i++)
    {
      init (&probes[i]);
      probes[i].n_reports = 100;
      start (&probes[i], NULL, progress_of (&probes[i]));
    }
  for (int i = 0; i < N; i++)
    {
      turn_until (&probes[i].ended, 1);
      g_assert_true (finish (&probes[i], NULL) == &probes[i]);
      g_assert_cmpint (probes[i].last, ==, 100);
    }
  settle ();
  for (int i = 0; i < N; i++)
    g_assert_cmpint (probes[i].freed + probes[i].closure_freed + probes[i].ended, ==, 3);
}

static gpointer
cancel (gpointer data)
{
  g_cancellable_cancel (data);
  return NULL;
}

static void
assert_cancelled (Probe *probe)
{
  GError *error = NULL;

  g_assert_null (finish (probe, &error));
  file_test_assert_error (error, G_IO_ERROR_CANCELLED, ECANCELED);
}

static void
test_cancel (void)
{
  GaioThreadPool *pool = gaio_thread_pool_get_default ();
  g_autoptr (GCancellable) before = g_cancellable_new ();
  g_autoptr (GCancellable) midst = g_cancellable_new ();
  g_autoptr (GCancellable) queued = g_cancellable_new ();
  g_autoptr (GCancellable) after = g_cancellable_new ();
  guint max = gaio_thread_pool_get_max_threads (pool);
  Probe probe;
  Probe next;

  /* Before: there is no job. */
  g_cancellable_cancel (before);
  init (&probe);
  start (&probe, before, progress_of (&probe));
  turn_until (&probe.ended, 1);
  assert_cancelled (&probe);
  g_assert_null (probe.ran_in);
  g_assert_cmpint (probe.freed + probe.closure_freed, ==, 2);

  /* In the midst, with what was reported until then. */
  init (&probe);
  probe.n_reports = 10;
  probe.cancels = midst;
  start (&probe, midst, progress_of (&probe));
  turn_until (&probe.ended, 1);
  assert_cancelled (&probe);
  g_assert_cmpint (probe.last, ==, 5);

  /* In the queue: it never begins, and does not wait for its turn. */
  gaio_thread_pool_set_max_threads (pool, 1);
  init (&probe);
  probe.waits = true;
  start (&probe, after, NULL);
  while (atomic_load (&probe.running) == 0)
    g_usleep (100);
  init (&next);
  start (&next, queued, progress_of (&next));
  g_cancellable_cancel (queued);
  turn_until (&next.ended, 1);
  assert_cancelled (&next);
  g_assert_null (next.ran_in);
  g_assert_cmpint (probe.ended, ==, 0);

  /* Too late: what was done is reported. */
  atomic_store (&probe.go, 1);
  while (gaio_thread_pool_get_n_idle (pool) != gaio_thread_pool_get_n_threads (pool))
    g_usleep (100);
  g_cancellable_cancel (after);
  turn_until (&probe.ended, 1);
  g_assert_true (finish (&probe, NULL) == &probe);
  gaio_thread_pool_set_max_threads (pool, max);
  settle ();
}

static void
test_cancel_race (void)
{
  for (int i = 0; i < 300; i++)
    {
      GCancellable *cancellable = g_cancellable_new ();
      GError *error = NULL;
      GThread *thread;
      Probe probe;

      init (&probe);
      probe.n_reports = i;
      thread = g_thread_new ("cancel", cancel, cancellable);
      start (&probe, cancellable, progress_of (&probe));
      turn_until (&probe.ended, 1);
      if (finish (&probe, &error) == NULL)
        file_test_assert_error (error, G_IO_ERROR_CANCELLED, ECANCELED);
      else
        g_assert_cmpint (probe.last, ==, i);
      g_thread_join (thread);
      settle ();
      g_assert_cmpint (probe.freed + probe.closure_freed, ==, 2);
      g_object_unref (cancellable);
    }
}

/* Without workers the body runs in the home thread. */
static void
test_no_threads (void)
{
  GaioThreadPool *pool = gaio_thread_pool_get_default ();
  guint max = gaio_thread_pool_get_max_threads (pool);
  Probe probe;

  gaio_thread_pool_set_max_threads (pool, 0);
  init (&probe);
  probe.n_reports = 100;
  start (&probe, NULL, progress_of (&probe));
  turn_until (&probe.ended, 1);
  g_assert_true (probe.ran_in == g_thread_self ());
  g_assert_cmpint (probe.last, ==, 100);
  g_assert_true (finish (&probe, NULL) == &probe);
  gaio_thread_pool_set_max_threads (pool, max);
  settle ();
}

static void
start_elsewhere (gpointer data)
{
  Probe *probe = data;

  gaio_work_start (g_task_new (NULL, NULL, on_end, probe), &kind, probe, "a", progress_of (probe));
}

/* Asked for in an I/O thread, whose default GMainContext is this thread's: the end is here, and the
 * home of the job is there. */
static void
test_other_home (void)
{
  g_autoptr (GaioIOThread) thread = gaio_io_thread_new ("work", NULL);
  GError *error = NULL;
  Probe probe;

  init (&probe);
  probe.n_reports = 100000;
  gaio_context_invoke (gaio_io_thread_get_context (thread), start_elsewhere, &probe, NULL);
  turn_until (&probe.ended, 1);
  g_assert_cmpint (probe.last, ==, 100000);
  g_assert_true (finish (&probe, &error) == &probe);
  turn_until (&probe.freed, 1);
  g_assert_cmpint (probe.closure_freed, ==, 1);
  gaio_io_thread_stop (thread);
}

static gpointer
write_too_much (GaioWork *work, gpointer data, GError **error)
{
  g_autofree char *buffer = g_malloc0 (8192);
  int fd = GPOINTER_TO_INT (data);

  if (pwrite (fd, buffer, 8192, 0) == 8192 || pwrite (fd, buffer, 8192, 4096) >= 0)
    return GAIO_WORK_DONE;
  return gaio_work_fail (work, errno, NULL, error);
}

/* A limit of the file size is an error, not the end of the process. */
static void
test_size_limit (void)
{
  static const GaioWorkKind writing = { .name = "write", .run = write_too_much };
  GaioThreadPool *pool = gaio_thread_pool_get_default ();
  GError *error = NULL;
  sigset_t pending;
  FILE *file;

  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
      g_test_trap_assert_passed ();
      return;
    }
  file = tmpfile ();
  signal (SIGXFSZ, SIG_DFL);
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &(struct rlimit){ 4096, 4096 }), ==, 0);
  g_assert_null (
      gaio_work_run (&writing, GINT_TO_POINTER (fileno (file)), "a", NULL, NULL, &error));
  g_assert_cmpint (gaio_error_get_errno (error), ==, EFBIG);
  g_clear_error (&error);
  sigpending (&pending);
  g_assert_false (sigismember (&pending, SIGXFSZ));
  /* In the home thread. */
  for (guint max = 0; max < 2; max++)
    {
      Probe probe;

      gaio_thread_pool_set_max_threads (pool, max);
      init (&probe);
      gaio_work_start (g_task_new (NULL, NULL, on_end, &probe), &writing,
                       GINT_TO_POINTER (fileno (file)), "a", NULL);
      turn_until (&probe.ended, 1);
      g_assert_null (finish (&probe, &error));
      g_assert_cmpint (gaio_error_get_errno (error), ==, EFBIG);
      g_clear_error (&error);
    }
  fclose (file);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  gaio_test_add ("/file-work/blocking", test_blocking);
  gaio_test_add ("/file-work/async", test_async);
  gaio_test_add ("/file-work/progress", test_progress);
  gaio_test_add ("/file-work/many", test_many);
  gaio_test_add ("/file-work/cancel", test_cancel);
  gaio_test_add ("/file-work/cancel-race", test_cancel_race);
  gaio_test_add ("/file-work/no-threads", test_no_threads);
  gaio_test_add ("/file-work/other-home", test_other_home);
  gaio_test_add ("/file-work/size-limit", test_size_limit);
  return g_test_run ();
}
