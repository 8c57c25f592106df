/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/**
 * GaioThreadPool:
 *
 * Threads for what would block: work runs in one of them, and its end comes back as a callback in
 * the thread of a [class@Gaio.Context].
 *
 * Threads are made when there is work for them and leave when they have been idle for a while, so
 * a pool that is not used costs nothing. Jobs begin in the order of submission; each ends exactly
 * once, and never inside its own submission. A job that has not begun can be cancelled.
 *
 * The threads take no signals (except those that a thread brings on itself, such as SIGSEGV), and
 * a write beyond the process's file size limit fails there with `EFBIG` and does not kill the
 * process. When the system has no thread to give, work is done in the thread of its context: later
 * and one after the other, but it is done.
 *
 * A pool lives as long as it has jobs, also without any other reference to it. Its end waits for
 * its threads. At the end of the process idle threads are joined; one that is still busy is not
 * waited for, since it may be blocked for ever.
 *
 * This is QEMU's ThreadPool.
 */

/* The object and the life of a job; the threads and their queue are in gaio-workers.c, the function
 * for scripts in gaio-thread-pool-run.c.
 *
 * A job is the pool's from its submission until its bottom-half node runs in the home thread of
 * its context, which calls `done`. What the public functions submit are such jobs, with the
 * callbacks of the caller in them.
 *
 * The jobs of a pool keep it alive by one reference together, taken for the first and dropped
 * after the last, since a GObject reference costs as much as a small job. */

#include "config.h"

#include <gaio/pool/gaio-workers-private.h>

struct _GaioThreadPool
{
  GObject parent_instance;

  GaioWorkers *workers; /* immutable */

  atomic_uint n_jobs; /* submitted; one reference while it is not 0 */
};

enum
{
  PROP_MIN_THREADS = 1,
  PROP_MAX_THREADS,
  PROP_IDLE_TIMEOUT_MS,
  PROP_N_THREADS,
  PROP_N_IDLE,
  PROP_N_QUEUED,
  N_PROPERTIES
};

static GParamSpec *properties[N_PROPERTIES];

/* In the end of a job of a context that has ended: other threads may be in the midst of the same,
 * and they take turns, so nobody must wait for one of them. */
static _Thread_local guint n_closing;

G_DEFINE_FINAL_TYPE (GaioThreadPool, gaio_thread_pool, G_TYPE_OBJECT)

/* Jobs */

static bool
job_ended (GaioBhNode *node, bool closing)
{
  GaioJob *self = (GaioJob *) ((char *) node - G_STRUCT_OFFSET (GaioJob, ended));
  GaioThreadPool *pool = self->pool;
  GaioContext *context = self->context;
  bool cancelled;

  n_closing += closing;
  if (G_UNLIKELY (atomic_load_explicit (&self->state, memory_order_relaxed) == GAIO_JOB_HOME))
    {
      if (closing)
        gaio_workers_cancel (pool->workers, self);
      else if (gaio_workers_begin_home (pool->workers, self))
        self->work (self);
    }
  /* Pairs with the release in cancel_locked(): who cancelled it is done with it. */
  cancelled = atomic_load_explicit (&self->state, memory_order_acquire) == GAIO_JOB_CANCELLED;
  atomic_store_explicit (&self->state, GAIO_JOB_IDLE, memory_order_relaxed);
  self->done (self, cancelled);

  gaio_context_end_work (context);
  g_object_unref (context);
  if (atomic_fetch_sub (&pool->n_jobs, 1) == 1)
    g_object_unref (pool);
  n_closing -= closing;
  return true;
}

static guint64
submit (GaioJob *self, GaioThreadPool *pool, GaioContext *context, bool with_id)
{
  self->ended.run = job_ended;
  self->pool = pool;
  self->context = g_object_ref (context);
  /* From 0 to 1 only where the caller has a reference. */
  if (atomic_fetch_add (&pool->n_jobs, 1) == 0)
    g_object_ref (pool);
  gaio_context_begin_work (context);
  return gaio_workers_push (pool->workers, self, with_id);
}

void
gaio_job_submit (GaioJob *self, GaioThreadPool *pool, GaioContext *context)
{
  submit (self, pool, context, false);
}

bool
gaio_job_cancel (GaioJob *self)
{
  return gaio_workers_cancel (self->pool->workers, self);
}

GaioWorkers *
gaio_thread_pool_get_workers (GaioThreadPool *self)
{
  return self->workers;
}

/* The job of gaio_thread_pool_submit() */

typedef struct
{
  GaioJob job;
  GaioJobFunc func;
  GaioJobDoneFunc done;
  gpointer user_data;
  GDestroyNotify notify;
} Call;

static void
call_work (GaioJob *job)
{
  Call *self = (Call *) job;

  self->func (self->user_data);
}

static void
call_done (GaioJob *job, bool cancelled)
{
  Call *self = (Call *) job;

  if (self->done != NULL)
    self->done (cancelled, self->user_data);
  if (self->notify != NULL)
    self->notify (self->user_data);
  g_free (self);
}

/* The object */

static void
gaio_thread_pool_get_property (GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  GaioThreadPool *self = GAIO_THREAD_POOL (object);
  GaioWorkersInfo info = gaio_workers_get_info (self->workers);

  switch (id)
    {
    case PROP_MIN_THREADS:
      g_value_set_uint (value, info.min);
      break;
    case PROP_MAX_THREADS:
      g_value_set_uint (value, info.max);
      break;
    case PROP_IDLE_TIMEOUT_MS:
      g_value_set_uint (value, info.idle_timeout_ms);
      break;
    case PROP_N_THREADS:
      g_value_set_uint (value, info.n_threads);
      break;
    case PROP_N_IDLE:
      g_value_set_uint (value, info.n_idle);
      break;
    case PROP_N_QUEUED:
      g_value_set_uint (value, info.n_queued);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
    }
}

static void
gaio_thread_pool_set_property (GObject *object, guint id, const GValue *value, GParamSpec *spec)
{
  GaioThreadPool *self = GAIO_THREAD_POOL (object);

  switch (id)
    {
    case PROP_MIN_THREADS:
      gaio_thread_pool_set_min_threads (self, g_value_get_uint (value));
      break;
    case PROP_MAX_THREADS:
      gaio_thread_pool_set_max_threads (self, g_value_get_uint (value));
      break;
    case PROP_IDLE_TIMEOUT_MS:
      gaio_thread_pool_set_idle_timeout_ms (self, g_value_get_uint (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, spec);
    }
}

static void
gaio_thread_pool_finalize (GObject *object)
{
  GaioThreadPool *self = GAIO_THREAD_POOL (object);

  gaio_workers_free (self->workers, n_closing == 0 && !gaio_workers_is_worker (self->workers));
  G_OBJECT_CLASS (gaio_thread_pool_parent_class)->finalize (object);
}

static void
gaio_thread_pool_class_init (GaioThreadPoolClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  const GParamFlags writable =
      G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS;
  const GParamFlags readable = G_PARAM_READABLE | G_PARAM_STATIC_STRINGS;

  object_class->get_property = gaio_thread_pool_get_property;
  object_class->set_property = gaio_thread_pool_set_property;
  object_class->finalize = gaio_thread_pool_finalize;

  /**
   * GaioThreadPool:min-threads:
   *
   * How many threads are there also when there is no work for them. A minimum above
   * [property@Gaio.ThreadPool:max-threads] counts as that.
   */
  properties[PROP_MIN_THREADS] =
      g_param_spec_uint ("min-threads", NULL, NULL, 0, GAIO_WORKERS_MAX, 0, writable);

  /**
   * GaioThreadPool:max-threads:
   *
   * How many threads there are at most. With 0 all work is done in the threads of the contexts.
   */
  properties[PROP_MAX_THREADS] =
      g_param_spec_uint ("max-threads", NULL, NULL, 0, GAIO_WORKERS_MAX, 64, writable);

  /**
   * GaioThreadPool:idle-timeout-ms:
   *
   * How long a thread beyond [property@Gaio.ThreadPool:min-threads] stays without work, in
   * milliseconds.
   */
  properties[PROP_IDLE_TIMEOUT_MS] =
      g_param_spec_uint ("idle-timeout-ms", NULL, NULL, 0, G_MAXUINT, 10000, writable);

  /**
   * GaioThreadPool:n-threads:
   *
   * How many threads there are at the moment. Changes are not notified, since they happen in other
   * threads.
   */
  properties[PROP_N_THREADS] =
      g_param_spec_uint ("n-threads", NULL, NULL, 0, G_MAXUINT, 0, readable);

  /**
   * GaioThreadPool:n-idle:
   *
   * How many of the threads have no work at the moment. Changes are not notified.
   */
  properties[PROP_N_IDLE] = g_param_spec_uint ("n-idle", NULL, NULL, 0, G_MAXUINT, 0, readable);

  /**
   * GaioThreadPool:n-queued:
   *
   * How many jobs wait for a thread at the moment. Changes are not notified.
   */
  properties[PROP_N_QUEUED] = g_param_spec_uint ("n-queued", NULL, NULL, 0, G_MAXUINT, 0, readable);

  g_object_class_install_properties (object_class, N_PROPERTIES, properties);
}

static void
gaio_thread_pool_init (GaioThreadPool *self)
{
  self->workers = gaio_workers_new ();
}

/**
 * gaio_thread_pool_new:
 *
 * Makes a pool. It has no threads until there is work for them.
 *
 * Thread: any.
 *
 * Returns: (transfer full): the pool
 */
GaioThreadPool *
gaio_thread_pool_new (void)
{
  return g_object_new (GAIO_TYPE_THREAD_POOL, NULL);
}

/**
 * gaio_thread_pool_get_default:
 *
 * Gets the pool that the library itself uses, for file requests among others. It lives as long as
 * the process. Its limits may be changed; they hold for everybody who uses it.
 *
 * Thread: any.
 *
 * Returns: (transfer none): the default pool
 */
GaioThreadPool *
gaio_thread_pool_get_default (void)
{
  static gsize pool;

  if (g_once_init_enter (&pool))
    g_once_init_leave (&pool, (gsize) gaio_thread_pool_new ());
  return (GaioThreadPool *) pool;
}

static G_DEFINE_QUARK (gaio-thread-pool-of-context, pool_of_context)

/**
 * gaio_thread_pool_serve:
 * @self: a pool
 * @context: whose file requests it is for
 *
 * Has the file requests of @context that need a thread run in this pool, and not in the default
 * one. So files on a disk that hangs, which take one thread each for as long as it does, cannot
 * take the threads of others. To be called before the first request to a file of @context. The
 * context keeps the pool alive.
 *
 * Thread: any.
 */
void
gaio_thread_pool_serve (GaioThreadPool *self, GaioContext *context)
{
  g_return_if_fail (GAIO_IS_THREAD_POOL (self));
  g_return_if_fail (GAIO_IS_CONTEXT (context));

  g_object_set_qdata_full (G_OBJECT (context), pool_of_context_quark (), g_object_ref (self),
                           g_object_unref);
}

static gpointer
ref_pool (gpointer pool, gpointer user_data)
{
  return pool != NULL ? g_object_ref (pool) : NULL;
}

GaioThreadPool *
gaio_thread_pool_ref_for (GaioContext *context)
{
  GaioThreadPool *pool =
      g_object_dup_qdata (G_OBJECT (context), pool_of_context_quark (), ref_pool, NULL);

  return pool != NULL ? pool : g_object_ref (gaio_thread_pool_get_default ());
}

/**
 * gaio_thread_pool_submit: (skip)
 * @self: a pool
 * @context: where the job ends
 * @func: what to run, in a thread of the pool
 * @done: (nullable): called when @func has returned, or was cancelled
 * @user_data: data for @func and @done
 * @notify: (nullable): frees @user_data after @done
 *
 * Submits a job. @func is called in a thread of the pool, after the jobs submitted before have
 * begun; then @done and @notify are called in the home thread of @context. None of them is called
 * before this function has returned to the home thread's loop. The job keeps the pool and the
 * context alive.
 *
 * When @context ends before the job does, @done and @notify are still called, in another thread.
 *
 * Thread: any.
 *
 * Returns: an id for [method@Gaio.ThreadPool.cancel], never 0
 */
guint64
gaio_thread_pool_submit (GaioThreadPool *self,
                         GaioContext *context,
                         GaioJobFunc func,
                         GaioJobDoneFunc done,
                         gpointer user_data,
                         GDestroyNotify notify)
{
  Call *call;

  g_return_val_if_fail (GAIO_IS_THREAD_POOL (self), 0);
  g_return_val_if_fail (GAIO_IS_CONTEXT (context), 0);
  g_return_val_if_fail (func != NULL, 0);

  /* Not g_new0(): glibc's calloc() goes past the thread's cache. */
  call = g_new (Call, 1);
  *call = (Call){
    .job = { .work = call_work, .done = call_done },
    .func = func,
    .done = done,
    .user_data = user_data,
    .notify = notify,
  };
  return submit (&call->job, self, context, true);
}

/**
 * gaio_thread_pool_cancel: (skip)
 * @self: a pool
 * @job_id: what [method@Gaio.ThreadPool.submit] of this pool returned
 *
 * Cancels a job that has not begun: its function is never called, and its end is told so soon. A
 * job that has begun goes on, and one that has ended is no longer known.
 *
 * Thread: any.
 *
 * Returns: whether the job was cancelled
 */
gboolean
gaio_thread_pool_cancel (GaioThreadPool *self, guint64 job_id)
{
  g_return_val_if_fail (GAIO_IS_THREAD_POOL (self), FALSE);

  return gaio_workers_cancel_id (self->workers, job_id);
}

/**
 * gaio_thread_pool_get_min_threads:
 * @self: a pool
 *
 * Gets how many threads stay without work.
 *
 * Thread: any.
 *
 * Returns: the minimum in effect, which is never above the maximum
 */
guint
gaio_thread_pool_get_min_threads (GaioThreadPool *self)
{
  g_return_val_if_fail (GAIO_IS_THREAD_POOL (self), 0);

  return gaio_workers_get_info (self->workers).min;
}

/**
 * gaio_thread_pool_set_min_threads:
 * @self: a pool
 * @n_threads: the minimum, 0 to 256; what is above counts as 256
 *
 * Sets how many threads stay without work, and makes those that are missing.
 *
 * A minimum above the maximum counts as the maximum; it comes into effect when the maximum is
 * raised.
 *
 * Thread: any.
 */
void
gaio_thread_pool_set_min_threads (GaioThreadPool *self, guint n_threads)
{
  g_return_if_fail (GAIO_IS_THREAD_POOL (self));

  gaio_workers_set_min (self->workers, n_threads);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_MIN_THREADS]);
}

/**
 * gaio_thread_pool_get_max_threads:
 * @self: a pool
 *
 * Gets how many threads there are at most.
 *
 * Thread: any.
 *
 * Returns: the maximum
 */
guint
gaio_thread_pool_get_max_threads (GaioThreadPool *self)
{
  g_return_val_if_fail (GAIO_IS_THREAD_POOL (self), 0);

  return gaio_workers_get_info (self->workers).max;
}

/**
 * gaio_thread_pool_set_max_threads:
 * @self: a pool
 * @n_threads: the maximum, 0 to 256; what is above counts as 256
 *
 * Sets how many threads there are at most. Threads beyond it leave, busy ones when their job is
 * done. With 0 all work is done in the threads of the contexts, queued work too.
 *
 * Thread: any.
 */
void
gaio_thread_pool_set_max_threads (GaioThreadPool *self, guint n_threads)
{
  g_return_if_fail (GAIO_IS_THREAD_POOL (self));

  gaio_workers_set_max (self->workers, n_threads);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_MAX_THREADS]);
}

/**
 * gaio_thread_pool_get_idle_timeout_ms:
 * @self: a pool
 *
 * Gets how long a thread stays without work.
 *
 * Thread: any.
 *
 * Returns: the time in milliseconds
 */
guint
gaio_thread_pool_get_idle_timeout_ms (GaioThreadPool *self)
{
  g_return_val_if_fail (GAIO_IS_THREAD_POOL (self), 0);

  return gaio_workers_get_info (self->workers).idle_timeout_ms;
}

/**
 * gaio_thread_pool_set_idle_timeout_ms:
 * @self: a pool
 * @timeout_ms: the time in milliseconds; with 0 a thread leaves as soon as there is no work
 *
 * Sets how long a thread stays without work. It holds for threads that are idle already, too.
 *
 * Thread: any.
 */
void
gaio_thread_pool_set_idle_timeout_ms (GaioThreadPool *self, guint timeout_ms)
{
  g_return_if_fail (GAIO_IS_THREAD_POOL (self));

  gaio_workers_set_idle_timeout_ms (self->workers, timeout_ms);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_IDLE_TIMEOUT_MS]);
}

/**
 * gaio_thread_pool_get_n_threads:
 * @self: a pool
 *
 * Gets how many threads there are at the moment.
 *
 * Thread: any.
 *
 * Returns: the number of threads, with those that are being made
 */
guint
gaio_thread_pool_get_n_threads (GaioThreadPool *self)
{
  g_return_val_if_fail (GAIO_IS_THREAD_POOL (self), 0);

  return gaio_workers_get_info (self->workers).n_threads;
}

/**
 * gaio_thread_pool_get_n_idle:
 * @self: a pool
 *
 * Gets how many threads have no work at the moment.
 *
 * Thread: any.
 *
 * Returns: the number of idle threads
 */
guint
gaio_thread_pool_get_n_idle (GaioThreadPool *self)
{
  g_return_val_if_fail (GAIO_IS_THREAD_POOL (self), 0);

  return gaio_workers_get_info (self->workers).n_idle;
}

/**
 * gaio_thread_pool_get_n_queued:
 * @self: a pool
 *
 * Gets how many jobs wait for a thread at the moment.
 *
 * Thread: any.
 *
 * Returns: the number of queued jobs
 */
guint
gaio_thread_pool_get_n_queued (GaioThreadPool *self)
{
  g_return_val_if_fail (GAIO_IS_THREAD_POOL (self), 0);

  return gaio_workers_get_info (self->workers).n_queued;
}
