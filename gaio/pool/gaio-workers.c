/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The threads of a pool and the queue they serve: a lock, a FIFO of jobs, and a stack of idle
 * workers.
 *
 * Waking a thread costs more than a small job, by far when it sleeps on another CPU. So at most
 * one worker is on its way at a time, woken or newly made, and when it has taken its job it gets
 * the next one on its way if there is more to do. A burst of small jobs is then done by the
 * workers that are awake, and a burst of long ones still gets a thread each, one after the other.
 * The worker that went idle last is woken first: its cache is warm, and the others get old enough
 * to leave.
 *
 * While a job is queued one of these holds: a worker is on its way; or there are as many threads
 * as allowed (by the limit, or by the system lately), and all are busy. Every change of the queue,
 * of the limits and of the number of idle workers ends in wake_next(), which keeps it so.
 *
 * When not even one thread can be had, because the limit is 0 or the system has no more, a job is
 * sent home: it runs in the thread of its context. A failure to make a thread is remembered for
 * RETRY_US, since each attempt costs two mappings and a failing clone(2).
 *
 * Workers are joined, never detached, and still nobody waits for one that leaves in idle times:
 * the one that leaves next joins it, or the end of the pool. When a pool ends in one of its own
 * workers, or in the end of a context that a worker may be waiting for, it cannot wait: then the
 * last worker to leave frees everything, and is joined by the end of the next pool, or of the
 * process.
 *
 * At exit() all workers leave and are joined, of all pools; but not those that are busy with a
 * job, since it may never return (the open(2) of a FIFO, a dead NFS server). They go down with the
 * process, as any thread does. Jobs that are queued by then do not run.
 *
 * In a forked child there are no workers, and the lock may be in any state. Pools made before the
 * fork send all jobs home there, and are not freed.
 *
 * Locks are pthread's, because they spin before they sleep (the sections are shorter than a system
 * call) and the thread sanitizer knows them. No function of another room is called with the lock
 * held. */

#include "config.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include <gaio/base/gaio-debug-private.h>
#include <gaio/pool/gaio-job-ids-private.h>
#include <gaio/pool/gaio-process-private.h>
#include <gaio/pool/gaio-workers-private.h>

#define DEFAULT_MAX 64
#define DEFAULT_IDLE_TIMEOUT_MS (10 * 1000)

/* Long enough to cost nothing, short enough for a limit that is hit in passing. */
#define RETRY_US (100 * 1000)

/* It stays allocated when its thread has left, so that a signal to it can be sent without the
 * lock. */
typedef struct
{
  pthread_cond_t cond;

  /* under the workers' lock */
  GList link; /* among the idle, or the spare */
  bool woken;

  /* its thread */
  GaioBhQueue *bh_queue; /* where its last job ended: the next one ends there too, mostly */
} Worker;

struct _GaioWorkers
{
  GaioProcessHook process_hook;

  pthread_mutex_t lock;
  pthread_cond_t left; /* n_threads or n_running is less, or `stopped` */

  /* Held while a thread is made; taken after `lock`. GLib sets up the lock inside a GThread, which
   * g_thread_join() takes, only after it has started the thread: one that leaves at once must not
   * be joined before that. Not one for all pools: in a forked child it could be locked for ever. */
  pthread_mutex_t birth;

  /* under the lock */
  GQueue queue;
  GQueue idle;
  GQueue spare;
  guint n_threads; /* with those being made */
  guint n_waking;  /* of them on their way, and not in `idle` */
  guint n_running; /* of them with a job */
  guint min;
  guint max;
  guint idle_timeout_ms;
  gint64 retry_us;  /* when to make threads again; 0: now */
  GThread *departed; /* the last one that left; it has joined the one before */
  bool stopped;
  bool abandoned; /* the last to leave frees it */
  GaioJobIds ids; /* of those that can be cancelled */
};

static _Thread_local GaioWorkers *current;

/* What wake_next() returns for a thread to be made. */
static Worker to_be_made;

static void spawn (GaioWorkers *self);

static bool
is_of_parent (GaioWorkers *self)
{
  return gaio_process_hook_is_of_parent (&self->process_hook);
}

static void
lock (GaioWorkers *self)
{
  pthread_mutex_lock (&self->lock);
}

static void
unlock (GaioWorkers *self)
{
  pthread_mutex_unlock (&self->lock);
}

static void
set_state (GaioJob *job, GaioJobState state)
{
  atomic_store_explicit (&job->state, state, memory_order_relaxed);
}

static GaioJobState
get_state (GaioJob *job)
{
  return atomic_load_explicit (&job->state, memory_order_relaxed);
}

/* Jobs that leave the queue */

/* No lock is held: the node of a context that has ended runs at once. */
static void
hand_over (GaioJob *job)
{
  /* The job may be over, and its context gone, before the scheduling has returned. */
  GaioBhQueue *bh_queue = gaio_bh_queue_ref (gaio_context_get_bh_queue (job->context));

  gaio_bh_node_schedule (&job->ended, bh_queue);
  gaio_bh_queue_unref (bh_queue);
}

static void
hand_over_list (GList *jobs)
{
  while (jobs != NULL)
    {
      GaioJob *job = jobs->data;

      jobs = jobs->next;
      hand_over (job);
    }
}

/* When nobody is there to run what is queued: all of it, to be handed over. */
static GList *
send_home_locked (GaioWorkers *self)
{
  GList *jobs;

  if (self->max > 0 && self->n_threads > 0)
    return NULL;
  jobs = self->queue.head;
  for (GList *l = jobs; l != NULL; l = l->next)
    set_state (l->data, GAIO_JOB_HOME);
  g_queue_init (&self->queue);
  return jobs;
}

/* Waking */

/* Whether to make one more thread; then it is counted already. */
static bool
may_make_locked (GaioWorkers *self)
{
  if (self->n_threads >= self->max)
    return false;
  if (self->retry_us != 0 && g_get_monotonic_time () < self->retry_us)
    return false;
  self->retry_us = 0;
  self->n_threads++;
  self->n_waking++;
  return true;
}

/* Returns whom to wake_up() without the lock, or NULL. */
static Worker *
wake_next_locked (GaioWorkers *self)
{
  if (self->queue.head == NULL || self->n_waking > 0 || self->stopped)
    return NULL;
  if (self->idle.head != NULL)
    {
      Worker *worker = g_queue_pop_head_link (&self->idle)->data;

      worker->woken = true;
      self->n_waking++;
      return worker;
    }
  return may_make_locked (self) ? &to_be_made : NULL;
}

static void
wake_up (GaioWorkers *self, Worker *worker)
{
  if (worker == &to_be_made)
    spawn (self);
  else if (worker != NULL)
    pthread_cond_signal (&worker->cond);
}

/* Has idle workers look at the limits anew. */
static void
stir_locked (GaioWorkers *self)
{
  for (GList *l = self->idle.head; l != NULL; l = l->next)
    pthread_cond_signal (&((Worker *) l->data)->cond);
}

/* The worker */

static Worker *
add_worker_locked (GaioWorkers *self)
{
  pthread_condattr_t attributes;
  Worker *worker;

  if (self->spare.head != NULL)
    return g_queue_pop_head_link (&self->spare)->data;

  worker = g_new0 (Worker, 1);
  worker->link.data = worker;
  pthread_condattr_init (&attributes);
  pthread_condattr_setclock (&attributes, CLOCK_MONOTONIC);
  pthread_cond_init (&worker->cond, &attributes);
  pthread_condattr_destroy (&attributes);
  return worker;
}

static bool
is_one_too_many (GaioWorkers *self)
{
  return self->stopped || self->n_threads > self->max;
}

/* Sleeps until woken; false when the worker is to leave instead. */
static bool
rest_locked (GaioWorkers *self, Worker *worker)
{
  gint64 since_us = g_get_monotonic_time ();
  bool late = false;

  worker->woken = false;
  g_queue_push_head_link (&self->idle, &worker->link);
  while (!worker->woken)
    {
      bool needed = self->n_threads <= MIN (self->min, self->max);
      gint64 until_us = since_us + (gint64) self->idle_timeout_ms * 1000;

      /* Late by the limit that was waited for, and still late by that of now. */
      if (is_one_too_many (self) || (late && !needed && g_get_monotonic_time () >= until_us))
        {
          g_queue_unlink (&self->idle, &worker->link);
          return false;
        }
      if (needed)
        {
          late = false;
          pthread_cond_wait (&worker->cond, &self->lock);
        }
      else
        {
          struct timespec until = { until_us / G_USEC_PER_SEC, until_us % G_USEC_PER_SEC * 1000 };

          late = pthread_cond_timedwait (&worker->cond, &self->lock, &until) == ETIMEDOUT;
        }
    }
  self->n_waking--;
  return true;
}

static GaioJob *
next_job_locked (GaioWorkers *self, Worker *worker)
{
  while (!is_one_too_many (self))
    {
      GList *link = g_queue_pop_head_link (&self->queue);

      if (link != NULL)
        {
          GaioJob *job = link->data;

          set_state (job, GAIO_JOB_RUNNING);
          gaio_job_ids_remove (&self->ids, job);
          return job;
        }
      if (worker->bh_queue != NULL)
        {
          /* Not while resting: it would keep what may be the last of a context. */
          unlock (self);
          g_clear_pointer (&worker->bh_queue, gaio_bh_queue_unref);
          lock (self);
        }
      else if (!rest_locked (self, worker))
        break;
    }
  return NULL;
}

static void
end_job (Worker *worker, GaioJob *job)
{
  GaioBhQueue *bh_queue = gaio_context_get_bh_queue (job->context);

  /* As in hand_over(), but the reference is kept for the next job. */
  if (worker->bh_queue != bh_queue)
    {
      g_clear_pointer (&worker->bh_queue, gaio_bh_queue_unref);
      worker->bh_queue = gaio_bh_queue_ref (bh_queue);
    }
  gaio_bh_node_schedule (&job->ended, bh_queue);
}

static void
destroy (GaioWorkers *self)
{
  for (GList *l = self->spare.head; l != NULL;)
    {
      Worker *worker = l->data;

      l = l->next;
      pthread_cond_destroy (&worker->cond);
      g_free (worker);
    }
  pthread_cond_destroy (&self->left);
  pthread_mutex_destroy (&self->birth);
  pthread_mutex_destroy (&self->lock);
  gaio_job_ids_clear (&self->ids);
  g_free (self);
}

static void
join (GThread *thread)
{
  if (thread != NULL)
    g_thread_join (thread);
}

/* Releases the lock. The decision to leave and n_threads change in one, so that no two workers
 * leave where one is to. */
static void
leave_locked (GaioWorkers *self, Worker *worker)
{
  g_autoptr (GThread) thread = g_thread_ref (g_thread_self ());
  GaioBhQueue *bh_queue = g_steal_pointer (&worker->bh_queue);
  guint n_left = --self->n_threads;
  Worker *next = wake_next_locked (self);
  GList *jobs = self->stopped ? NULL : send_home_locked (self);
  GThread *departed = g_steal_pointer (&self->departed);
  bool is_last = self->abandoned && n_left == 0;

  /* Whoever made this thread is done with it when it may be joined. */
  pthread_mutex_lock (&self->birth);
  pthread_mutex_unlock (&self->birth);
  if (!is_last)
    self->departed = g_steal_pointer (&thread);
  g_queue_push_head_link (&self->spare, &worker->link);
  /* With the lock, since without it only a thread that is to come keeps all this from going. */
  if (next != &to_be_made)
    wake_up (self, g_steal_pointer (&next));
  pthread_cond_broadcast (&self->left);
  unlock (self);

  wake_up (self, next);
  hand_over_list (jobs);
  g_clear_pointer (&bh_queue, gaio_bh_queue_unref);
  join (departed);
  gaio_debug (POOL, "worker leaves, %u left", n_left);
  if (!is_last)
    return;
  destroy (self);
  gaio_process_bury (g_steal_pointer (&thread));
}

static gpointer
worker_main (gpointer data)
{
  GaioWorkers *self = data;
  Worker *worker;
  GaioJob *job;

  current = self;
  lock (self);
  worker = add_worker_locked (self);
  self->n_waking--;
  while ((job = next_job_locked (self, worker)) != NULL)
    {
      Worker *next = wake_next_locked (self);

      self->n_running++;
      unlock (self);
      wake_up (self, next);
      job->work (job);
      end_job (worker, job);
      lock (self);
      self->n_running--;
    }
  leave_locked (self, worker);
  return NULL;
}

/* Workers take no signals: a handler of the program should not run in a thread that it does not
 * know of, and a write past RLIMIT_FSIZE should fail with EFBIG, which it does when SIGXFSZ is
 * blocked. Those that a thread brings on itself are not blocked, because then the kernel kills the
 * process without asking the handlers of debuggers and sanitizers. */
static void
block_signals (sigset_t *previous)
{
  static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGABRT, SIGSYS };
  sigset_t set;

  sigfillset (&set);
  for (guint i = 0; i < G_N_ELEMENTS (own); i++)
    sigdelset (&set, own[i]);
  pthread_sigmask (SIG_SETMASK, &set, previous);
}

/* Makes the thread that n_threads and n_waking count already. */
static void
spawn (GaioWorkers *self)
{
  g_autoptr (GError) error = NULL;
  sigset_t previous;
  GThread *thread;
  GList *jobs;

  block_signals (&previous);
  pthread_mutex_lock (&self->birth);
  thread = g_thread_try_new ("gaio-worker", worker_main, self, &error);
  pthread_mutex_unlock (&self->birth);
  pthread_sigmask (SIG_SETMASK, &previous, NULL);
  if (thread != NULL)
    {
      gaio_debug (POOL, "worker made");
      g_thread_unref (thread);
      return;
    }

  lock (self);
  self->n_threads--;
  self->n_waking--;
  self->retry_us = g_get_monotonic_time () + RETRY_US;
  jobs = self->stopped ? NULL : send_home_locked (self);
  pthread_cond_broadcast (&self->left);
  unlock (self);
  gaio_debug (POOL, "no worker made: %s", error->message);
  hand_over_list (jobs);
}

/* Makes threads up to the minimum. */
static void
fill_up (GaioWorkers *self)
{
  for (;;)
    {
      bool more;

      lock (self);
      more = !self->stopped && self->n_threads < self->min && may_make_locked (self);
      unlock (self);
      if (!more)
        return;
      spawn (self);
    }
}

/* The ends */

/* Waits for those without a job only; see the head of the file. */
static void
at_exit (GaioProcessHook *hook)
{
  GaioWorkers *self = (GaioWorkers *) hook;
  GThread *departed;

  lock (self);
  self->stopped = true;
  stir_locked (self);
  while (self->n_threads > self->n_running)
    pthread_cond_wait (&self->left, &self->lock);
  departed = g_steal_pointer (&self->departed);
  unlock (self);
  join (departed);
}

GaioWorkers *
gaio_workers_new (void)
{
  GaioWorkers *self = g_new0 (GaioWorkers, 1);
  pthread_mutexattr_t attributes;

  pthread_mutexattr_init (&attributes);
  pthread_mutexattr_settype (&attributes, PTHREAD_MUTEX_ADAPTIVE_NP);
  pthread_mutex_init (&self->lock, &attributes);
  pthread_mutexattr_destroy (&attributes);
  pthread_mutex_init (&self->birth, NULL);
  pthread_cond_init (&self->left, NULL);
  g_queue_init (&self->queue);
  g_queue_init (&self->idle);
  g_queue_init (&self->spare);
  self->max = DEFAULT_MAX;
  self->idle_timeout_ms = DEFAULT_IDLE_TIMEOUT_MS;

  self->process_hook.at_exit = at_exit;
  gaio_process_hook_add (&self->process_hook);
  return self;
}

void
gaio_workers_free (GaioWorkers *self, bool wait)
{
  GThread *departed;

  if (is_of_parent (self))
    return;

  gaio_process_hook_remove (&self->process_hook);
  lock (self);
  g_assert (self->queue.head == NULL);
  self->stopped = true;
  stir_locked (self);
  if (!wait && self->n_threads > 0)
    {
      self->abandoned = true;
      unlock (self);
      return;
    }
  while (self->n_threads > 0)
    pthread_cond_wait (&self->left, &self->lock);
  departed = g_steal_pointer (&self->departed);
  unlock (self);
  if (wait)
    join (departed);
  else if (departed != NULL)
    gaio_process_bury (departed); /* it may be the caller */
  destroy (self);
  if (wait)
    gaio_process_join_buried ();
}

bool
gaio_workers_is_worker (GaioWorkers *self)
{
  return current == self;
}

guint64
gaio_workers_push (GaioWorkers *self, GaioJob *job, bool with_id)
{
  Worker *next;
  GList *jobs;
  guint64 id;

  job->link.data = job;
  if (G_UNLIKELY (is_of_parent (self)))
    {
      job->id = 0;
      set_state (job, GAIO_JOB_HOME);
      hand_over (job);
      return with_id ? GAIO_JOB_IDS_NOBODY : 0;
    }

  lock (self);
  /* Kept here, since the job may be over when the lock is released. */
  job->id = 0;
  id = with_id ? gaio_job_ids_add (&self->ids, job) : 0;
  if (G_UNLIKELY (self->stopped || self->max == 0))
    {
      set_state (job, GAIO_JOB_HOME);
      unlock (self);
      hand_over (job);
      return id;
    }
  set_state (job, GAIO_JOB_QUEUED);
  g_queue_push_tail_link (&self->queue, &job->link);
  next = wake_next_locked (self);
  jobs = G_UNLIKELY (self->n_threads == 0) ? send_home_locked (self) : NULL;
  unlock (self);
  wake_up (self, next);
  hand_over_list (jobs);
  return id;
}

bool
gaio_workers_begin_home (GaioWorkers *self, GaioJob *job)
{
  bool begun;

  if (is_of_parent (self))
    {
      set_state (job, GAIO_JOB_RUNNING);
      return true;
    }
  lock (self);
  begun = get_state (job) == GAIO_JOB_HOME;
  if (begun)
    {
      set_state (job, GAIO_JOB_RUNNING);
      gaio_job_ids_remove (&self->ids, job);
    }
  unlock (self);
  return begun;
}

/* Returns the state that the job was in, when that was one to be cancelled from; else IDLE. */
static GaioJobState
cancel_locked (GaioWorkers *self, GaioJob *job)
{
  GaioJobState state = get_state (job);

  if (state != GAIO_JOB_QUEUED && state != GAIO_JOB_HOME)
    return GAIO_JOB_IDLE;
  if (state == GAIO_JOB_QUEUED)
    g_queue_unlink (&self->queue, &job->link);
  gaio_job_ids_remove (&self->ids, job);
  /* The last: one that was sent home may be over, and freed, as soon as it is seen there, where
   * nobody needs the lock for that. Pairs with the acquire in job_ended(). */
  atomic_store_explicit (&job->state, GAIO_JOB_CANCELLED, memory_order_release);
  return state;
}

bool
gaio_workers_cancel (GaioWorkers *self, GaioJob *job)
{
  GaioJobState state;

  if (is_of_parent (self))
    return false;
  lock (self);
  state = cancel_locked (self, job);
  unlock (self);
  /* One that is sent home has been handed over by whom sent it. */
  if (state == GAIO_JOB_QUEUED)
    hand_over (job);
  return state != GAIO_JOB_IDLE;
}

bool
gaio_workers_cancel_id (GaioWorkers *self, guint64 id)
{
  GaioJobState state = GAIO_JOB_IDLE;
  GaioJob *job;

  if (is_of_parent (self))
    return false;
  lock (self);
  job = gaio_job_ids_lookup (&self->ids, id);
  if (job != NULL)
    state = cancel_locked (self, job);
  unlock (self);
  if (state == GAIO_JOB_QUEUED)
    hand_over (job);
  return state != GAIO_JOB_IDLE;
}

void
gaio_workers_set_min (GaioWorkers *self, guint n_threads)
{
  if (is_of_parent (self))
    return;
  lock (self);
  self->min = MIN (n_threads, GAIO_WORKERS_MAX);
  stir_locked (self);
  unlock (self);
  fill_up (self);
}

void
gaio_workers_set_max (GaioWorkers *self, guint n_threads)
{
  Worker *next;
  GList *jobs;

  if (is_of_parent (self))
    return;
  lock (self);
  self->max = MIN (n_threads, GAIO_WORKERS_MAX);
  stir_locked (self);
  next = wake_next_locked (self);
  jobs = self->stopped ? NULL : send_home_locked (self);
  unlock (self);
  wake_up (self, next);
  hand_over_list (jobs);
  fill_up (self);
}

void
gaio_workers_set_idle_timeout_ms (GaioWorkers *self, guint timeout_ms)
{
  if (is_of_parent (self))
    return;
  lock (self);
  self->idle_timeout_ms = timeout_ms;
  stir_locked (self);
  unlock (self);
}

GaioWorkersInfo
gaio_workers_get_info (GaioWorkers *self)
{
  GaioWorkersInfo info = { 0 };

  if (is_of_parent (self))
    return info;
  lock (self);
  info.min = MIN (self->min, self->max);
  info.max = self->max;
  info.idle_timeout_ms = self->idle_timeout_ms;
  info.n_threads = self->n_threads;
  info.n_idle = self->idle.length;
  info.n_queued = self->queue.length;
  unlock (self);
  return info;
}
