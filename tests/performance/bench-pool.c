/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Tiny jobs, 64 in flight: from the loop's thread to a worker and back, as fast as it goes.
 *
 *   bench-pool [JOBS [ROUNDS]]
 *
 * The limit is a pool that does nothing else: four threads, a lock, at most one of them being woken
 * at a time, and an eventfd for the way back. The peers are what a GLib program uses today, and
 * libuv where it is installed. All of them run in turn, ROUNDS times; the table gives the medians,
 * and the ratios to the limit. On one CPU (taskset -c 0) it shows what the code costs, on several
 * mostly how often it wakes. */

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#ifdef HAVE_LIBUV
#include <uv.h>
#endif

#include <gaio/gaio.h>
#include <gaio/pool/gaio-thread-pool-private.h>

#define DEPTH 64
#define MAX_ROUNDS 99

static int n_jobs = 200000;
static int n_submitted;
static int n_done;
static atomic_uint n_worked;

static void
work (void)
{
  atomic_fetch_add_explicit (&n_worked, 1, memory_order_relaxed);
}

static bool
may_submit (void)
{
  if (n_submitted == n_jobs)
    return false;
  n_submitted++;
  return true;
}

/* The limit */

typedef struct _RawJob RawJob;
struct _RawJob
{
  RawJob *next;
};

static struct
{
  pthread_mutex_t lock;
  pthread_cond_t cond;
  RawJob *first, **last;
  int n_idle;
  bool waking, stopped;
  RawJob *_Atomic done;
  int fd;
} raw = { .lock = PTHREAD_MUTEX_INITIALIZER, .cond = PTHREAD_COND_INITIALIZER };

static void
raw_wake_next (void)
{
  if (raw.first == NULL || raw.waking || raw.n_idle == 0)
    return;
  raw.waking = true;
  pthread_cond_signal (&raw.cond);
}

static gpointer
raw_worker (gpointer data)
{
  guint64 one = 1;

  pthread_mutex_lock (&raw.lock);
  for (;;)
    {
      RawJob *job = raw.first;
      RawJob *head;

      if (job == NULL && raw.stopped)
        break;
      if (job == NULL)
        {
          raw.n_idle++;
          pthread_cond_wait (&raw.cond, &raw.lock);
          raw.n_idle--;
          raw.waking = false;
          continue;
        }
      raw.first = job->next;
      if (raw.first == NULL)
        raw.last = &raw.first;
      raw_wake_next ();
      pthread_mutex_unlock (&raw.lock);
      work ();
      head = atomic_load (&raw.done);
      do
        job->next = head;
      while (!atomic_compare_exchange_weak (&raw.done, &head, job));
      if (head == NULL && write (raw.fd, &one, sizeof one) < 0)
        abort ();
      pthread_mutex_lock (&raw.lock);
    }
  pthread_mutex_unlock (&raw.lock);
  return NULL;
}

static void
raw_submit (RawJob *job)
{
  job->next = NULL;
  pthread_mutex_lock (&raw.lock);
  *raw.last = job;
  raw.last = &job->next;
  raw_wake_next ();
  pthread_mutex_unlock (&raw.lock);
}

static void
run_raw (void)
{
  RawJob jobs[DEPTH];
  GThread *threads[4];

  raw.first = NULL;
  raw.last = &raw.first;
  raw.stopped = false;
  raw.waking = false;
  raw.fd = eventfd (0, EFD_CLOEXEC);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("raw", raw_worker, NULL);
  for (int i = 0; i < DEPTH && may_submit (); i++)
    raw_submit (&jobs[i]);
  while (n_done < n_jobs)
    {
      RawJob *job = atomic_exchange (&raw.done, NULL);
      guint64 count;

      if (job == NULL && read (raw.fd, &count, sizeof count) < 0)
        abort ();
      while (job != NULL)
        {
          RawJob *next = job->next;

          n_done++;
          if (may_submit ())
            raw_submit (job);
          job = next;
        }
    }
  pthread_mutex_lock (&raw.lock);
  raw.stopped = true;
  pthread_cond_broadcast (&raw.cond);
  pthread_mutex_unlock (&raw.lock);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    g_thread_join (threads[i]);
  close (raw.fd);
}

/* gaio */

static GaioContext *context;
static GaioThreadPool *pool;

static void
begin_gaio (void)
{
  context = gaio_context_new (NULL);
  pool = gaio_thread_pool_new ();
}

static void
end_gaio (void)
{
  g_clear_object (&pool);
  g_clear_object (&context);
}

static void
job_work (GaioJob *job)
{
  work ();
}

static void
job_done (GaioJob *job, bool cancelled)
{
  n_done++;
  if (may_submit ())
    gaio_job_submit (job, pool, context);
}

static void
submit_jobs (GaioJob *jobs)
{
  for (int i = 0; i < DEPTH && may_submit (); i++)
    {
      jobs[i] = (GaioJob){ .work = job_work, .done = job_done };
      gaio_job_submit (&jobs[i], pool, context);
    }
}

static void
run_gaio_embedded (void)
{
  GaioJob jobs[DEPTH];

  begin_gaio ();
  submit_jobs (jobs);
  while (n_done < n_jobs)
    gaio_context_poll (context, TRUE);
  end_gaio ();
}

static void
run_gaio_in_main_context (void)
{
  g_autoptr (GMainContext) main_context = g_main_context_new ();
  GaioJob jobs[DEPTH];

  begin_gaio ();
  gaio_context_attach (context, main_context);
  submit_jobs (jobs);
  while (n_done < n_jobs)
    g_main_context_iteration (main_context, TRUE);
  end_gaio ();
}

static void
call_work (gpointer data)
{
  work ();
}

static void
call_done (gboolean cancelled, gpointer data)
{
  n_done++;
  if (may_submit ())
    gaio_thread_pool_submit (pool, context, call_work, call_done, NULL, NULL);
}

static void
run_gaio_public (void)
{
  begin_gaio ();
  for (int i = 0; i < DEPTH && may_submit (); i++)
    gaio_thread_pool_submit (pool, context, call_work, call_done, NULL, NULL);
  while (n_done < n_jobs)
    gaio_context_poll (context, TRUE);
  end_gaio ();
}

static void
async_done (GObject *source, GAsyncResult *result, gpointer data)
{
  gaio_thread_pool_run_finish (pool, result, NULL);
  n_done++;
  if (may_submit ())
    gaio_thread_pool_run_async (pool, g_cclosure_new (G_CALLBACK (call_work), NULL, NULL), 0, NULL,
                                async_done, NULL);
}

static void
run_gaio_async (void)
{
  g_autoptr (GMainContext) main_context = g_main_context_new ();

  g_main_context_push_thread_default (main_context);
  begin_gaio ();
  gaio_context_attach (context, main_context);
  for (int i = 0; i < DEPTH && may_submit (); i++)
    gaio_thread_pool_run_async (pool, g_cclosure_new (G_CALLBACK (call_work), NULL, NULL), 0, NULL,
                                async_done, NULL);
  while (n_done < n_jobs)
    g_main_context_iteration (main_context, TRUE);
  end_gaio ();
  g_main_context_pop_thread_default (main_context);
}

/* GLib */

static void
task_work (GTask *task, gpointer source, gpointer data, GCancellable *cancellable)
{
  work ();
  g_task_return_boolean (task, TRUE);
}

static void task_done (GObject *source, GAsyncResult *result, gpointer data);

static void
task_submit (void)
{
  g_autoptr (GTask) task = g_task_new (NULL, NULL, task_done, NULL);

  g_task_run_in_thread (task, task_work);
}

static void
task_done (GObject *source, GAsyncResult *result, gpointer data)
{
  g_task_propagate_boolean (G_TASK (result), NULL);
  n_done++;
  if (may_submit ())
    task_submit ();
}

static void
run_gtask (void)
{
  for (int i = 0; i < DEPTH && may_submit (); i++)
    task_submit ();
  while (n_done < n_jobs)
    g_main_context_iteration (NULL, TRUE);
}

static GThreadPool *glib_pool;

static gboolean
glib_done (gpointer data)
{
  n_done++;
  if (may_submit ())
    g_thread_pool_push (glib_pool, data, NULL);
  return G_SOURCE_REMOVE;
}

static void
glib_work (gpointer job, gpointer data)
{
  work ();
  g_idle_add_full (G_PRIORITY_DEFAULT, glib_done, job, NULL);
}

static void
run_gthreadpool (void)
{
  glib_pool = g_thread_pool_new (glib_work, NULL, 4, FALSE, NULL);
  for (int i = 0; i < DEPTH && may_submit (); i++)
    g_thread_pool_push (glib_pool, GINT_TO_POINTER (i + 1), NULL);
  while (n_done < n_jobs)
    g_main_context_iteration (NULL, TRUE);
  g_thread_pool_free (glib_pool, FALSE, TRUE);
}

/* libuv */

#ifdef HAVE_LIBUV

static uv_loop_t uv;

static void
uv_job_work (uv_work_t *job)
{
  work ();
}

static void
uv_job_done (uv_work_t *job, int status)
{
  n_done++;
  if (may_submit ())
    uv_queue_work (&uv, job, uv_job_work, uv_job_done);
}

static void
run_libuv (void)
{
  uv_work_t jobs[DEPTH];

  uv_loop_init (&uv);
  for (int i = 0; i < DEPTH && may_submit (); i++)
    uv_queue_work (&uv, &jobs[i], uv_job_work, uv_job_done);
  uv_run (&uv, UV_RUN_DEFAULT);
  uv_loop_close (&uv);
}

#endif

/* The table */

static const struct
{
  const char *name;
  void (*run) (void);
} peers[] = {
  { "raw, chained wakes", run_raw },
  { "gaio, embedded job", run_gaio_embedded },
  { "gaio, submit()", run_gaio_public },
  { "gaio, in a GMainContext", run_gaio_in_main_context },
  { "gaio, run_async()", run_gaio_async },
  { "GThreadPool of 4 and an idle source", run_gthreadpool },
  { "g_task_run_in_thread()", run_gtask },
#ifdef HAVE_LIBUV
  { "libuv, uv_queue_work()", run_libuv },
#endif
};

static double
cpu_ns (void)
{
  struct rusage usage;

  getrusage (RUSAGE_SELF, &usage);
  return (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1e9 +
         (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1e3;
}

static int
compare (const void *a, const void *b)
{
  double x = *(const double *) a, y = *(const double *) b;

  return (x > y) - (x < y);
}

static double
median (double *values, int n)
{
  qsort (values, n, sizeof *values, compare);
  return (values[(n - 1) / 2] + values[n / 2]) / 2;
}

int
main (int argc, char **argv)
{
  static double rates[G_N_ELEMENTS (peers)][MAX_ROUNDS];
  static double costs[G_N_ELEMENTS (peers)][MAX_ROUNDS];
  int n_rounds = argc > 2 ? atoi (argv[2]) : 5;
  double limit = 0, limit_cost = 0;

  if (argc > 1)
    n_jobs = atoi (argv[1]);
  if (n_jobs < 1 || n_rounds < 1 || n_rounds > MAX_ROUNDS)
    {
      fprintf (stderr, "usage: bench-pool [JOBS [ROUNDS]]\n");
      return 2;
    }

  for (int round = 0; round < n_rounds; round++)
    for (guint i = 0; i < G_N_ELEMENTS (peers); i++)
      {
        gint64 began_us;
        double cpu;

        n_submitted = n_done = 0;
        atomic_store (&n_worked, 0);
        cpu = cpu_ns ();
        began_us = g_get_monotonic_time ();
        peers[i].run ();
        rates[i][round] = n_jobs * 1e6 / (g_get_monotonic_time () - began_us);
        costs[i][round] = (cpu_ns () - cpu) / n_jobs;
        if (n_done != n_jobs || (int) atomic_load (&n_worked) != n_jobs)
          {
            fprintf (stderr, "bench-pool: %s lost jobs: %d of %d worked, %d done\n", peers[i].name,
                     (int) atomic_load (&n_worked), n_jobs, n_done);
            return 1;
          }
      }

  printf ("%-36s %12s %6s %12s %6s\n", "tiny jobs, 64 in flight", "jobs/s", "ratio", "CPU ns/job",
          "ratio");
  for (guint i = 0; i < G_N_ELEMENTS (peers); i++)
    {
      double rate = median (rates[i], n_rounds);
      double cost = median (costs[i], n_rounds);

      if (i == 0)
        {
          limit = rate;
          limit_cost = cost;
        }
      printf ("%-36s %12.0f %6.2f %12.0f %6.2f\n", peers[i].name, rate, rate / limit, cost,
              cost / limit_cost);
    }
  return 0;
}
