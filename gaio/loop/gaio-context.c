/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/**
 * GaioContext:
 *
 * An event loop: QEMU's AioContext.
 *
 * A context runs [class@Gaio.BottomHalf]s, [class@Gaio.Timer]s, handlers of file descriptors, and
 * the completions of [class@Gaio.File] requests and [class@Gaio.ThreadPool] jobs, all in one
 * thread: its home. What it does in one pass, a turn, is the same whoever drives it:
 *
 *  - attached to a [struct@GLib.MainContext] it is a source in there
 *    ([method@Gaio.Context.attach]), which is how programs with GTK or a GLib main loop use it;
 *  - [method@Gaio.Context.poll] does one turn by hand, also from within a callback of the context;
 *  - a [class@Gaio.IOThread] is a thread that does nothing else;
 *  - any other event loop waits for one descriptor ([method@Gaio.Context.get_fd]) and calls
 *    [method@Gaio.Context.iterate] when it is readable. asyncio does it so.
 *
 * The home is the thread that runs the context first. From any other thread one may notify,
 * schedule bottom halves, arm and cancel timers, set and remove fd handlers, submit requests and
 * jobs, and nothing else. Callbacks, their data, and the functions that free it run in the home
 * thread.
 *
 * A turn runs, in this order: completions, bottom halves, fd handlers, timers. Turns nest: a
 * callback may poll the context again, and the inner turn serves what the outer one has found and
 * not yet come to.
 *
 * ```c
 * g_autoptr (GaioContext) context = gaio_context_new (&error);
 *
 * gaio_context_invoke (context, say_hello, NULL, NULL);
 * while (gaio_context_poll (context, FALSE))
 *   ;
 * ```
 */

/* The context owns the waker, the queue of bottom halves, the timers, the table of descriptors and
 * the ring, and is the only file that knows them all. They live in the GSource, as the AioContext
 * is one in QEMU: GLib keeps a source alive while it is in its hands, so a last reference to the
 * object may be dropped in another thread in the middle of a dispatch.
 *
 * The turn is core_flush(), core_get_timeout_ns(), a wait, and core_dispatch(). The drivers below
 * only call these; what differs is who waits. */

#include "config.h"

#include <errno.h>

#include <gaio/base/gaio-debug-private.h>
#include <gaio/base/gaio-error-private.h>
#include <gaio/loop/gaio-context-private.h>
#include <gaio/loop/gaio-foreign-private.h>
#include <gaio/loop/gaio-timer-private.h>

/* How many rounds of a GMainContext one gaio_context_iterate() does at most, so that the foreign
 * loop gets its turn. */
#define MAX_ITERATIONS 16

typedef struct
{
  GSource parent;

  /* immutable */
  GaioWaker *waker;
  GaioBhQueue *bottom_halves;
  GaioTimerHeap *timers;
  GaioFdTable *fds;
  GaioMonitor wanted_monitor;
  GaioEngine wanted_engine;

  /* atomic */
  atomic_uint depth;       /* turns that are running, one in another; written by home */
  atomic_uint work;        /* begun and not ended */
  atomic_uint work_ended;  /* wraps */
  atomic_int engine;       /* GaioEngine in use, AUTO before it is known */
  char *_Atomic reason;    /* of it; written once */

  /* home thread */
  GaioRing *ring;
  bool ring_tried;
  bool ring_watched;   /* by the fd table, for monitors that are not on the ring */
  bool source_sleeps;  /* between prepare and check of the GSource */
  bool foreign_sleeps; /* between two gaio_context_iterate() */
  bool iterating;      /* in gaio_context_iterate() */
  GaioForeign *foreign;
  guint64 n_turns;
  GaioContextCounters counters;
} Core;

struct _GaioContext
{
  GObject parent_instance;

  Core *core; /* a reference; NULL only when its construction failed */
  GMainContext *registered_for; /* a name, not a reference; under registry_lock */

  /* construction only */
  GaioMonitor wanted_monitor;
  GaioEngine wanted_engine;
};

enum
{
  PROP_MONITOR = 1,
  PROP_EPOLL_THRESHOLD,
  PROP_ENGINE,
  PROP_ENGINE_REASON,
  N_PROPS,
};

static GParamSpec *properties[N_PROPS];

static void gaio_context_initable_init (GInitableIface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (GaioContext,
                               gaio_context,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_INITABLE, gaio_context_initable_init))

/* The parts of a turn */

static void
use_engine (Core *core, GaioEngine engine, char *reason)
{
  char *none = NULL;

  if (!atomic_compare_exchange_strong (&core->reason, &none, reason))
    g_free (reason);
  atomic_store (&core->engine, engine);
}

/* Made on the first need, in the home thread, since the kernel ties a ring to the thread. */
static GaioRing *
core_ensure_ring (Core *core)
{
  g_autofree char *reason = NULL;

  if (core->ring_tried)
    return core->ring;
  core->ring_tried = true;
  core->ring = gaio_ring_new (&reason);
  if (core->ring == NULL)
    use_engine (core, GAIO_ENGINE_THREADS, g_steal_pointer (&reason));
  else if (core->wanted_engine != GAIO_ENGINE_THREADS)
    use_engine (core, GAIO_ENGINE_IO_URING, g_strdup ("io_uring is available"));
  if (core->ring != NULL && core->foreign_sleeps)
    gaio_ring_set_waker (core->ring, core->waker);
  return core->ring;
}

static void
on_ring_readable (gpointer user_data)
{
  /* Nothing: the turn that this has brought about reaps in any case. */
}

static void
watch_ring (Core *core)
{
  core->ring_watched = true;
  gaio_fd_table_set (core->fds,
                     &(GaioFdRegistration){
                         .fd = gaio_ring_get_fd (core->ring),
                         .events = G_IO_IN,
                         .handlers = { .read = on_ring_readable },
                         .internal = true,
                     });
  gaio_fd_table_flush (core->fds, core->ring);
}

/* Before a wait: everything that was asked for is made known to the kernel. */
static void
core_flush (Core *core)
{
  if (G_UNLIKELY (!core->ring_tried) &&
      (core->wanted_monitor == GAIO_MONITOR_IO_URING ||
       (core->wanted_monitor == GAIO_MONITOR_AUTO && core->wanted_engine != GAIO_ENGINE_THREADS)))
    core_ensure_ring (core);

  gaio_fd_table_flush (core->fds, core->ring);
  if (G_UNLIKELY (core->ring != NULL && !core->ring_watched &&
                  gaio_fd_table_get_monitor (core->fds) != GAIO_MONITOR_IO_URING))
    watch_ring (core);
}

/* How long the wait may be for all that is known here; a notification is not. */
static gint64
core_get_timeout_ns (Core *core)
{
  if (gaio_fd_table_is_ready (core->fds) ||
      (core->ring != NULL && gaio_ring_is_ready (core->ring)))
    return 0;
  return gaio_timeout_soonest (gaio_bh_queue_get_timeout_ns (core->bottom_halves),
                               gaio_timer_heap_get_timeout_ns (core->timers));
}

/* After a wait. Returns whether anything happened that is not the loop's own affair. */
static bool
core_dispatch (Core *core)
{
  guint work_ended = atomic_load (&core->work_ended);
  bool progress = false;

  core->n_turns++;
  gaio_waker_accept (core->waker);
  if (core->ring != NULL)
    gaio_ring_reap (core->ring);
  progress |= gaio_bh_queue_run (core->bottom_halves);
  progress |= gaio_fd_table_dispatch (core->fds);
  if (atomic_load_explicit (&core->depth, memory_order_relaxed) == 1)
    gaio_fd_table_bury (core->fds);
  progress |= gaio_timer_heap_run (core->timers);
  return progress || work_ended != atomic_load (&core->work_ended);
}

/* While a foreign loop waits, notifiers write the eventfd, and deadlines are in the timerfd. */
static void
foreign_begin_sleep (Core *core)
{
  gint64 timeout_ns;

  core_flush (core);
  if (core->ring != NULL)
    gaio_ring_submit (core->ring);
  if (!core->foreign_sleeps)
    {
      core->foreign_sleeps = true;
      gaio_waker_begin_sleep (core->waker);
    }
  /* The home thread is awake in that loop, and may ask for operations; nobody else submits them. */
  if (core->ring != NULL)
    gaio_ring_set_waker (core->ring, core->waker);
  timeout_ns = core_get_timeout_ns (core);
  gaio_foreign_set_timeout_ns (core->foreign, timeout_ns);
  /* What was notified before the sleep began made the descriptor readable for nobody. */
  if (timeout_ns == 0 || gaio_waker_is_notified (core->waker))
    gaio_event_notifier_set (gaio_waker_get_notifier (core->waker));
}

static void
foreign_end_sleep (Core *core)
{
  if (!core->foreign_sleeps)
    return;
  core->foreign_sleeps = false;
  gaio_waker_end_sleep (core->waker);
  if (core->ring != NULL)
    gaio_ring_set_waker (core->ring, NULL);
}

static void
enter_turn (Core *core)
{
  atomic_fetch_add_explicit (&core->depth, 1, memory_order_relaxed);
  foreign_end_sleep (core);
}

static void
leave_turn (Core *core)
{
  if (atomic_fetch_sub_explicit (&core->depth, 1, memory_order_relaxed) == 1 &&
      core->foreign != NULL && !core->iterating)
    foreign_begin_sleep (core);
}

/* The driver by hand */

static bool
core_poll (Core *core, bool may_block)
{
  bool progress;
  bool sleeps = false;
  gint64 timeout_ns = 0;

  enter_turn (core);
  core_flush (core);
  /* The io_uring monitor submits in the same system call that waits. */
  if (core->ring != NULL && gaio_fd_table_get_monitor (core->fds) != GAIO_MONITOR_IO_URING)
    gaio_ring_submit (core->ring);
  if (may_block)
    timeout_ns = core_get_timeout_ns (core);
  if (timeout_ns != 0)
    {
      sleeps = true;
      if (!gaio_waker_begin_sleep (core->waker))
        timeout_ns = 0;
    }
  gaio_fd_table_wait (core->fds, timeout_ns);
  if (sleeps)
    gaio_waker_end_sleep (core->waker);
  progress = core_dispatch (core);
  leave_turn (core);
  return progress;
}

/* The driver by a GMainContext */

static void
source_end_sleep (Core *core)
{
  if (core->source_sleeps)
    gaio_waker_end_sleep (core->waker);
  core->source_sleeps = false;
}

/* A GMainContext may be run by one thread after another, and the context goes along. */
static bool
source_claim_home (Core *core)
{
  if (gaio_waker_claim_home (core->waker))
    return true;
  if (atomic_load (&core->depth) > 0)
    return false;
  gaio_waker_release_home (core->waker);
  return gaio_waker_claim_home (core->waker);
}

static gboolean
source_prepare (GSource *source, int *timeout_ms)
{
  Core *core = (Core *) source;
  gint64 timeout_ns;
  bool may_sleep;

  *timeout_ms = -1;
  if (!source_claim_home (core))
    return FALSE;

  core_flush (core);
  if (core->ring != NULL)
    gaio_ring_submit (core->ring);
  if (!core->source_sleeps)
    {
      core->source_sleeps = true;
      may_sleep = gaio_waker_begin_sleep (core->waker);
    }
  else
    may_sleep = !gaio_waker_is_notified (core->waker);
  timeout_ns = may_sleep ? core_get_timeout_ns (core) : 0;
  if (timeout_ns == 0)
    {
      source_end_sleep (core);
      *timeout_ms = 0;
      return TRUE;
    }
  /* Rounded up: a timer is never early. */
  if (timeout_ns > 0)
    *timeout_ms = (int) MIN (timeout_ns / 1000000 + (timeout_ns % 1000000 != 0), G_MAXINT);
  return FALSE;
}

static gboolean
source_check (GSource *source)
{
  Core *core = (Core *) source;

  if (!gaio_waker_is_home (core->waker))
    return FALSE;
  source_end_sleep (core);
  return gaio_waker_is_notified (core->waker) || gaio_fd_table_source_is_ready (core->fds) ||
         gaio_bh_queue_get_timeout_ns (core->bottom_halves) >= 0 ||
         core_get_timeout_ns (core) == 0;
}

static gboolean
source_dispatch (GSource *source, GSourceFunc callback, gpointer user_data)
{
  Core *core = (Core *) source;

  source_end_sleep (core);
  enter_turn (core);
  gaio_fd_table_collect (core->fds);
  core_dispatch (core);
  leave_turn (core);
  return G_SOURCE_CONTINUE;
}

static void foreign_forget (Core *core);

static void
source_finalize (GSource *source)
{
  Core *core = (Core *) source;

  if (core->waker == NULL)
    return;
  if (core->foreign != NULL)
    foreign_forget (core);
  /* What is pending ends as cancelled. The ring goes before the descriptors, since the kernel holds
   * polls that point to their nodes. */
  gaio_timer_heap_close (core->timers);
  gaio_bh_queue_close (core->bottom_halves);
  g_clear_pointer (&core->foreign, gaio_foreign_free);
  g_clear_pointer (&core->ring, gaio_ring_free);
  gaio_fd_table_free (core->fds);
  gaio_timer_heap_unref (core->timers);
  gaio_bh_queue_unref (core->bottom_halves);
  gaio_waker_unref (core->waker);
  g_free (core->reason);
}

static GSourceFuncs source_funcs = {
  .prepare = source_prepare,
  .check = source_check,
  .dispatch = source_dispatch,
  .finalize = source_finalize,
};

/* The contexts of GMainContexts and threads */

/* Which context is attached to which GMainContext. Under the lock, which is taken first, and is
 * recursive because a reference that is dropped with it held may be the last. */
static GRecMutex registry_lock;
static GHashTable *registry; /* GMainContext -> GWeakRef of GaioContext */
static GaioContext *default_context;
static GSList *foreign_cores; /* the Cores that foreign loops drive; borrowed */
static atomic_uint n_foreign_cores;

static void
foreign_remember (Core *core)
{
  g_rec_mutex_lock (&registry_lock);
  foreign_cores = g_slist_prepend (foreign_cores, core);
  atomic_fetch_add (&n_foreign_cores, 1);
  g_rec_mutex_unlock (&registry_lock);
}

static void
foreign_forget (Core *core)
{
  g_rec_mutex_lock (&registry_lock);
  foreign_cores = g_slist_remove (foreign_cores, core);
  atomic_fetch_sub (&n_foreign_cores, 1);
  g_rec_mutex_unlock (&registry_lock);
}

void
gaio_context_wake_main_context (GMainContext *main_context)
{
  if (atomic_load (&n_foreign_cores) == 0)
    return;
  g_rec_mutex_lock (&registry_lock);
  for (GSList *l = foreign_cores; l != NULL; l = l->next)
    {
      Core *core = l->data;
      GMainContext *own = g_source_get_context (&core->parent);

      /* One that is not attached iterates whatever is its thread's default. */
      if (own == NULL || own == main_context)
        gaio_waker_notify (core->waker);
    }
  g_rec_mutex_unlock (&registry_lock);
}

static GPrivate thread_default = G_PRIVATE_INIT (g_object_unref);

static void
free_weak_ref (gpointer data)
{
  g_weak_ref_clear (data);
  g_free (data);
}

static GaioContext *
registry_lookup_locked (GMainContext *main_context)
{
  GWeakRef *found = registry != NULL ? g_hash_table_lookup (registry, main_context) : NULL;
  g_autoptr (GaioContext) context = found != NULL ? g_weak_ref_get (found) : NULL;

  /* A GMainContext that has ended destroyed the source; another may stand at its address. */
  if (context == NULL || g_source_is_destroyed (&context->core->parent))
    return NULL;
  return g_steal_pointer (&context);
}

static void
registry_add_locked (GMainContext *main_context, GaioContext *context)
{
  GWeakRef *entry = g_new0 (GWeakRef, 1);

  if (registry == NULL)
    registry = g_hash_table_new_full (NULL, NULL, NULL, free_weak_ref);
  g_weak_ref_init (entry, context);
  context->registered_for = main_context;
  g_hash_table_replace (registry, main_context, entry);
}

static void
registry_remove (GMainContext *main_context)
{
  g_autoptr (GaioContext) other = NULL;

  g_rec_mutex_lock (&registry_lock);
  other = registry_lookup_locked (main_context);
  if (other == NULL && registry != NULL)
    g_hash_table_remove (registry, main_context);
  if (registry != NULL && g_hash_table_size (registry) == 0)
    g_clear_pointer (&registry, g_hash_table_unref);
  g_rec_mutex_unlock (&registry_lock);
}

/* The object */

static void
gaio_context_finalize (GObject *object)
{
  GaioContext *self = GAIO_CONTEXT (object);

  if (self->core != NULL)
    {
      GSource *source = &self->core->parent;

      g_source_destroy (source);
      g_source_unref (source);
      if (self->registered_for != NULL)
        registry_remove (self->registered_for);
    }
  G_OBJECT_CLASS (gaio_context_parent_class)->finalize (object);
}

static void
gaio_context_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GaioContext *self = GAIO_CONTEXT (object);

  switch (id)
    {
    case PROP_MONITOR:
      g_value_set_enum (value, gaio_context_get_monitor (self));
      break;
    case PROP_EPOLL_THRESHOLD:
      g_value_set_uint (value, gaio_context_get_epoll_threshold (self));
      break;
    case PROP_ENGINE:
      g_value_set_enum (value, gaio_context_get_engine (self));
      break;
    case PROP_ENGINE_REASON:
      g_value_take_string (value, gaio_context_get_engine_reason (self));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
gaio_context_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GaioContext *self = GAIO_CONTEXT (object);

  switch (id)
    {
    case PROP_MONITOR:
      self->wanted_monitor = g_value_get_enum (value);
      break;
    case PROP_EPOLL_THRESHOLD:
      gaio_context_set_epoll_threshold (self, g_value_get_uint (value));
      break;
    case PROP_ENGINE:
      self->wanted_engine = g_value_get_enum (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
gaio_context_class_init (GaioContextClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->finalize = gaio_context_finalize;
  object_class->get_property = gaio_context_get_property;
  object_class->set_property = gaio_context_set_property;

  /**
   * GaioContext:monitor: (getter get_monitor)
   *
   * How the context waits for descriptors. At construction: what is wanted. Later: what is in use,
   * which is decided in the first turn and may change; no notifications are emitted for that.
   */
  properties[PROP_MONITOR] =
      g_param_spec_enum ("monitor",
                         NULL,
                         NULL,
                         GAIO_TYPE_MONITOR,
                         GAIO_MONITOR_AUTO,
                         G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS);

  /**
   * GaioContext:epoll-threshold: (getter get_epoll_threshold) (setter set_epoll_threshold)
   *
   * From how many descriptors on the poll monitor gives way to the epoll monitor, unless poll was
   * asked for.
   */
  properties[PROP_EPOLL_THRESHOLD] =
      g_param_spec_uint ("epoll-threshold",
                         NULL,
                         NULL,
                         0,
                         G_MAXUINT,
                         64,
                         G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

  /**
   * GaioContext:engine: (getter get_engine)
   *
   * How file requests run. At construction: what is wanted. Later: what is in use, or
   * %GAIO_ENGINE_AUTO before the first turn or request has decided it.
   */
  properties[PROP_ENGINE] =
      g_param_spec_enum ("engine",
                         NULL,
                         NULL,
                         GAIO_TYPE_ENGINE,
                         GAIO_ENGINE_AUTO,
                         G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS);

  /**
   * GaioContext:engine-reason: (getter get_engine_reason)
   *
   * Why the engine is what it is, for people to read; %NULL before that is decided.
   */
  properties[PROP_ENGINE_REASON] = g_param_spec_string ("engine-reason",
                                                        NULL,
                                                        NULL,
                                                        NULL,
                                                        G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
gaio_context_init (GaioContext *self)
{
}

static void
on_notified (gpointer user_data)
{
  gaio_event_notifier_test_and_clear (user_data);
}

static gboolean
gaio_context_initable_real_init (GInitable *initable, GCancellable *cancellable, GError **error)
{
  GaioContext *self = GAIO_CONTEXT (initable);
  GaioEventNotifier *notifier;
  GaioWaker *waker;
  Core *core;

  if (self->core != NULL)
    return TRUE;
  waker = gaio_waker_new (error);
  if (waker == NULL)
    return FALSE;

  core = (Core *) g_source_new (&source_funcs, sizeof (Core));
  g_source_set_static_name (&core->parent, "GaioContext");
  /* Callbacks may run nested main loops, which serve the context too. Without this GLib also takes
   * the descriptor out of its poll around each dispatch, which costs two system calls. */
  g_source_set_can_recurse (&core->parent, TRUE);

  core->waker = waker;
  core->bottom_halves = gaio_bh_queue_new (waker);
  core->timers = gaio_timer_heap_new (core->bottom_halves);
  core->wanted_monitor = self->wanted_monitor;
  core->wanted_engine = self->wanted_engine;
  core->fds = gaio_fd_table_new (core->bottom_halves, &core->parent, core->wanted_monitor);
  if (core->wanted_engine == GAIO_ENGINE_THREADS)
    use_engine (core, GAIO_ENGINE_THREADS, g_strdup ("threads were asked for"));
  self->core = core;

  notifier = gaio_waker_get_notifier (waker);
  gaio_fd_table_set (core->fds,
                     &(GaioFdRegistration){
                         .fd = gaio_event_notifier_get_fd (notifier),
                         .events = G_IO_IN,
                         .handlers = { .read = on_notified },
                         .user_data = notifier,
                         .internal = true,
                     });
  return TRUE;
}

static void
gaio_context_initable_init (GInitableIface *iface)
{
  iface->init = gaio_context_initable_real_init;
}

/**
 * gaio_context_new:
 * @error: return location for an error
 *
 * Makes a context that nothing drives yet. The thread that first does becomes its home.
 *
 * Properties that can be given at construction only need `g_initable_new()`.
 *
 * Thread: any.
 *
 * Returns: (transfer full): the context, or %NULL when the process is out of file descriptors
 */
GaioContext *
gaio_context_new (GError **error)
{
  return g_initable_new (GAIO_TYPE_CONTEXT, NULL, error, NULL);
}

static GaioContext *
new_attached_locked (GMainContext *main_context)
{
  g_autoptr (GError) error = NULL;
  GaioContext *context = gaio_context_new (&error);

  if (context == NULL)
    {
      gaio_debug (LOOP, "no context: %s", error->message);
      return NULL;
    }
  g_source_attach (&context->core->parent, main_context);
  registry_add_locked (main_context, context);
  return context;
}

/**
 * gaio_context_get_default:
 *
 * Gets the context that is attached to the default [struct@GLib.MainContext]. It is made by the
 * first call and lives as long as the process.
 *
 * Thread: any.
 *
 * Returns: (transfer none) (nullable): the context, or %NULL when the process is out of file
 *   descriptors
 */
GaioContext *
gaio_context_get_default (void)
{
  GaioContext *context;

  g_rec_mutex_lock (&registry_lock);
  if (default_context == NULL)
    default_context = registry_lookup_locked (g_main_context_default ());
  if (default_context == NULL)
    default_context = new_attached_locked (g_main_context_default ());
  context = default_context;
  g_rec_mutex_unlock (&registry_lock);
  return context;
}

/**
 * gaio_context_ref_thread_default:
 *
 * Gets the context that the calling thread's requests run in: in a [class@Gaio.IOThread] that
 * thread's; elsewhere the one attached to the thread-default [struct@GLib.MainContext], made and
 * attached when there is none yet.
 *
 * Thread: any.
 *
 * Returns: (transfer full) (nullable): the context, or %NULL when the process is out of file
 *   descriptors
 */
GaioContext *
gaio_context_ref_thread_default (void)
{
  GMainContext *main_context = g_main_context_get_thread_default ();
  GaioContext *context = g_private_get (&thread_default);

  if (context != NULL)
    return g_object_ref (context);
  if (main_context == NULL || main_context == g_main_context_default ())
    {
      context = gaio_context_get_default ();
      return context != NULL ? g_object_ref (context) : NULL;
    }

  g_rec_mutex_lock (&registry_lock);
  context = registry_lookup_locked (main_context);
  if (context == NULL)
    context = new_attached_locked (main_context);
  g_rec_mutex_unlock (&registry_lock);
  return context;
}

/**
 * gaio_context_get_source:
 * @self: a context
 *
 * Gets the source that drives the context when it is attached to a [struct@GLib.MainContext], for
 * programs that set its priority or attach it themselves.
 *
 * Thread: any.
 *
 * Returns: (transfer full): the source
 */
GSource *
gaio_context_get_source (GaioContext *self)
{
  g_return_val_if_fail (GAIO_IS_CONTEXT (self), NULL);

  return g_source_ref (&self->core->parent);
}

/**
 * gaio_context_attach:
 * @self: a context that is not attached
 * @main_context: (nullable): a main context, %NULL for the default one
 *
 * Has a main context drive this context, for as long as both live. The thread that runs
 * @main_context is the home.
 *
 * Thread: any.
 */
void
gaio_context_attach (GaioContext *self, GMainContext *main_context)
{
  g_autoptr (GaioContext) other = NULL;

  g_return_if_fail (GAIO_IS_CONTEXT (self));
  g_return_if_fail (g_source_get_context (&self->core->parent) == NULL);

  if (main_context == NULL)
    main_context = g_main_context_default ();
  g_rec_mutex_lock (&registry_lock);
  g_source_attach (&self->core->parent, main_context);
  other = registry_lookup_locked (main_context);
  if (other == NULL)
    registry_add_locked (main_context, self);
  g_rec_mutex_unlock (&registry_lock);
}

/**
 * gaio_context_poll:
 * @self: a context
 * @may_block: whether to wait when there is nothing to do
 *
 * Does one turn: waits, if it may, until something is ready, then runs callbacks. It can be called
 * from a callback of the context.
 *
 * Thread: home; the first caller makes its thread that. A call from another thread is refused with
 * a critical warning.
 *
 * Returns: %TRUE when a callback was called, %FALSE when the loop was only woken
 */
gboolean
gaio_context_poll (GaioContext *self, gboolean may_block)
{
  gboolean progress;

  g_return_val_if_fail (GAIO_IS_CONTEXT (self), FALSE);
  g_return_val_if_fail (gaio_waker_claim_home (self->core->waker), FALSE);

  /* A callback may drop the last reference. */
  g_object_ref (self);
  progress = core_poll (self->core, may_block);
  g_object_unref (self);
  return progress;
}

/**
 * gaio_context_get_fd:
 * @self: a context
 *
 * Gets one file descriptor for other event loops to wait on: it is readable when the context has
 * something to do, be it a descriptor, a bottom half, a timer or a completion. Then call
 * [method@Gaio.Context.iterate]. The descriptor stays the context's.
 *
 * Thread: home.
 *
 * Returns: a file descriptor, or -1 when the process is out of them
 */
int
gaio_context_get_fd (GaioContext *self)
{
  Core *core;

  g_return_val_if_fail (GAIO_IS_CONTEXT (self), -1);
  g_return_val_if_fail (source_claim_home (self->core), -1);

  core = self->core;
  if (core->foreign == NULL)
    {
      gaio_fd_table_need_fd (core->fds);
      core_flush (core);
      if (gaio_fd_table_get_fd (core->fds) < 0)
        return -1;
      core->foreign = gaio_foreign_new (core->fds);
      if (core->foreign == NULL)
        return -1;
      foreign_remember (core);
    }
  if (atomic_load_explicit (&core->depth, memory_order_relaxed) == 0)
    foreign_begin_sleep (core);
  return gaio_fd_table_get_fd (core->fds);
}

/**
 * gaio_context_iterate:
 * @self: a context
 *
 * Does what there is to do without waiting: the counterpart of [method@Gaio.Context.get_fd].
 *
 * It also runs the [struct@GLib.MainContext] that the context is attached to, or else the
 * thread-default one, since the results of asynchronous functions are delivered there and no one
 * else may be running it.
 *
 * Thread: home.
 *
 * Returns: %TRUE when a callback was called
 */
gboolean
gaio_context_iterate (GaioContext *self)
{
  g_autoptr (GaioContext) kept = NULL;
  g_autoptr (GMainContext) main_context = NULL;
  gboolean progress = FALSE;
  gboolean more = FALSE;
  bool iterating;

  g_return_val_if_fail (GAIO_IS_CONTEXT (self), FALSE);
  g_return_val_if_fail (source_claim_home (self->core), FALSE);

  kept = g_object_ref (self);
  /* Awake for all the turns below, and for what other sources ask for between them. */
  iterating = self->core->iterating;
  self->core->iterating = true;
  foreign_end_sleep (self->core);
  if (g_source_get_context (&self->core->parent) != NULL)
    main_context = g_main_context_ref (g_source_get_context (&self->core->parent));
  else
    {
      progress = core_poll (self->core, false);
      main_context = g_main_context_ref_thread_default ();
    }

  for (int i = 0; i < MAX_ITERATIONS; i++)
    {
      more = g_main_context_iteration (main_context, FALSE);
      progress |= more;
      if (!more)
        break;
    }
  self->core->iterating = iterating;
  if (self->core->foreign != NULL && !iterating && gaio_waker_is_home (self->core->waker))
    {
      foreign_begin_sleep (self->core);
      if (more)
        gaio_event_notifier_set (gaio_waker_get_notifier (self->core->waker));
    }
  return progress;
}

/**
 * gaio_context_notify:
 * @self: a context
 *
 * Has a wait of the context end soon, or the next one not begin. It costs no system call while the
 * context is awake.
 *
 * Thread: any; safe in a signal handler.
 */
void
gaio_context_notify (GaioContext *self)
{
  gaio_waker_notify (self->core->waker);
}

/**
 * gaio_context_invoke:
 * @self: a context
 * @func: (scope notified) (closure user_data) (destroy notify): what to run
 * @user_data: data for @func
 * @notify: (nullable): frees @user_data, in the home thread after @func has run
 *
 * Runs a function once, soon, in the home thread; never before this call has returned to its
 * caller's loop. When the context ends first only @notify is called.
 *
 * Thread: any.
 */
void
gaio_context_invoke (GaioContext *self,
                     GaioFunc func,
                     gpointer user_data,
                     GDestroyNotify notify)
{
  g_return_if_fail (GAIO_IS_CONTEXT (self));
  g_return_if_fail (func != NULL);

  gaio_bh_queue_invoke (self->core->bottom_halves, func, user_data, notify);
}

static gboolean
set_handler (GaioContext *self, const GaioFdRegistration *registration, GError **error)
{
  g_autofree char *object = NULL;
  int err = gaio_fd_table_set (self->core->fds, registration);

  if (err == 0)
    return TRUE;
  object = g_strdup_printf ("fd %d", registration->fd);
  gaio_set_error_errno (error, -err, "set handler", object);
  return FALSE;
}

/**
 * gaio_context_set_fd_handler:
 * @self: a context
 * @fd: a file descriptor, which must stay open until its handler is removed
 * @condition: what to wait for
 * @func: (scope notified) (closure user_data) (destroy notify): what to call when it is ready
 * @user_data: data for @func
 * @notify: (nullable): frees @user_data, in the home thread, when the handler has been removed
 * @error: return location for an error
 *
 * Calls a function whenever a descriptor is ready, in place of the handler that the descriptor may
 * have. A regular file is always ready, as for poll(2).
 *
 * Thread: any.
 *
 * Returns: %TRUE, or %FALSE when @fd is not open; @user_data is then not freed
 */
gboolean
gaio_context_set_fd_handler (GaioContext *self,
                             int fd,
                             GIOCondition condition,
                             GaioFdFunc func,
                             gpointer user_data,
                             GDestroyNotify notify,
                             GError **error)
{
  GaioFdRegistration registration = {
    .fd = fd,
    .events = condition,
    .func = func,
    .user_data = user_data,
    .notify = notify,
  };

  g_return_val_if_fail (GAIO_IS_CONTEXT (self), FALSE);
  g_return_val_if_fail (func != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  return set_handler (self, &registration, error);
}

/**
 * gaio_context_set_fd_handlers: (skip)
 * @self: a context
 * @fd: a file descriptor, which must stay open until its handler is removed
 * @handlers: the callbacks, copied; with all of them %NULL the handler is removed
 * @user_data: data for the callbacks
 * @notify: (nullable): frees @user_data, in the home thread, when the handler has been removed
 * @error: return location for an error
 *
 * As [method@Gaio.Context.set_fd_handler] with one callback for each direction.
 *
 * Thread: any.
 *
 * Returns: %TRUE, or %FALSE when @fd is not open; @user_data is then not freed
 */
gboolean
gaio_context_set_fd_handlers (GaioContext *self,
                              int fd,
                              const GaioFdHandlers *handlers,
                              gpointer user_data,
                              GDestroyNotify notify,
                              GError **error)
{
  GaioFdRegistration registration = {
    .fd = fd,
    .user_data = user_data,
    .notify = notify,
  };

  g_return_val_if_fail (GAIO_IS_CONTEXT (self), FALSE);
  g_return_val_if_fail (handlers != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  registration.handlers = *handlers;
  if (handlers->read != NULL)
    registration.events |= G_IO_IN | G_IO_HUP | G_IO_ERR;
  if (handlers->write != NULL)
    registration.events |= G_IO_OUT | G_IO_ERR;
  if (registration.events == 0)
    {
      gaio_context_remove_fd_handler (self, fd);
      if (notify != NULL)
        gaio_bh_queue_release (self->core->bottom_halves, notify, user_data);
      return TRUE;
    }
  return set_handler (self, &registration, error);
}

typedef struct
{
  GaioEventNotifier *notifier;
  GaioFunc func;
  gpointer user_data;
  GDestroyNotify notify;
} NotifierHandler;

static void
on_notifier (gpointer user_data)
{
  NotifierHandler *self = user_data;

  if (gaio_event_notifier_test_and_clear (self->notifier))
    self->func (self->user_data);
}

static void
free_notifier_handler (gpointer data)
{
  NotifierHandler *self = data;

  if (self->notify != NULL)
    self->notify (self->user_data);
  g_object_unref (self->notifier);
  g_free (self);
}

/**
 * gaio_context_set_event_notifier:
 * @self: a context
 * @notifier: an event notifier, kept alive by its handler
 * @func: (scope notified) (closure user_data) (destroy notify): what to call
 * @user_data: data for @func
 * @notify: (nullable): frees @user_data, in the home thread, when the handler has been removed
 * @error: return location for an error
 *
 * Calls a function whenever a notifier was set, and clears it before. The handler is removed by
 * [method@Gaio.Context.remove_fd_handler] with the notifier's descriptor.
 *
 * Thread: any.
 *
 * Returns: %TRUE, or %FALSE when the descriptor of @notifier is not open; @user_data is then not
 *   freed
 */
gboolean
gaio_context_set_event_notifier (GaioContext *self,
                                 GaioEventNotifier *notifier,
                                 GaioFunc func,
                                 gpointer user_data,
                                 GDestroyNotify notify,
                                 GError **error)
{
  NotifierHandler *handler;
  GaioFdRegistration registration;

  g_return_val_if_fail (GAIO_IS_CONTEXT (self), FALSE);
  g_return_val_if_fail (GAIO_IS_EVENT_NOTIFIER (notifier), FALSE);
  g_return_val_if_fail (func != NULL, FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  handler = g_new0 (NotifierHandler, 1);
  handler->notifier = g_object_ref (notifier);
  handler->func = func;
  handler->user_data = user_data;
  handler->notify = notify;
  registration = (GaioFdRegistration){
    .fd = gaio_event_notifier_get_fd (notifier),
    .events = G_IO_IN,
    .handlers = { .read = on_notifier },
    .user_data = handler,
    .notify = free_notifier_handler,
  };
  if (set_handler (self, &registration, error))
    return TRUE;
  handler->notify = NULL;
  free_notifier_handler (handler);
  return FALSE;
}

/**
 * gaio_context_remove_fd_handler:
 * @self: a context
 * @fd: a file descriptor
 *
 * Removes the handler of a descriptor; nothing happens when there is none. From the home thread it
 * is certain that the handler is not called any more, also when its descriptor was found ready
 * already; from another thread it may be running at the moment.
 *
 * Thread: any.
 */
void
gaio_context_remove_fd_handler (GaioContext *self, int fd)
{
  g_return_if_fail (GAIO_IS_CONTEXT (self));

  gaio_fd_table_remove (self->core->fds, fd);
}

/**
 * gaio_context_get_monitor: (get-property monitor)
 * @self: a context
 *
 * Gets how the context waits for descriptors.
 *
 * Thread: any.
 *
 * Returns: the monitor in use, or what is wanted before the first turn
 */
GaioMonitor
gaio_context_get_monitor (GaioContext *self)
{
  g_return_val_if_fail (GAIO_IS_CONTEXT (self), GAIO_MONITOR_AUTO);

  return gaio_fd_table_get_monitor (self->core->fds);
}

/**
 * gaio_context_get_epoll_threshold: (get-property epoll-threshold)
 * @self: a context
 *
 * Gets from how many descriptors on epoll takes the place of poll.
 *
 * Thread: any.
 *
 * Returns: a number of descriptors; those of the context itself, one or two, count
 */
guint
gaio_context_get_epoll_threshold (GaioContext *self)
{
  g_return_val_if_fail (GAIO_IS_CONTEXT (self), 0);

  return gaio_fd_table_get_epoll_threshold (self->core->fds);
}

/**
 * gaio_context_set_epoll_threshold: (set-property epoll-threshold)
 * @self: a context
 * @n_fds: a number of descriptors
 *
 * Sets from how many descriptors on epoll takes the place of poll.
 *
 * Thread: any.
 */
void
gaio_context_set_epoll_threshold (GaioContext *self, guint n_fds)
{
  g_return_if_fail (GAIO_IS_CONTEXT (self));

  if (gaio_fd_table_get_epoll_threshold (self->core->fds) == n_fds)
    return;
  gaio_fd_table_set_epoll_threshold (self->core->fds, n_fds);
  g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_EPOLL_THRESHOLD]);
}

/**
 * gaio_context_get_engine: (get-property engine)
 * @self: a context
 *
 * Gets how file requests run.
 *
 * Thread: any.
 *
 * Returns: the engine in use, or %GAIO_ENGINE_AUTO before that is decided
 */
GaioEngine
gaio_context_get_engine (GaioContext *self)
{
  g_return_val_if_fail (GAIO_IS_CONTEXT (self), GAIO_ENGINE_AUTO);

  return atomic_load (&self->core->engine);
}

/**
 * gaio_context_get_engine_reason: (get-property engine-reason)
 * @self: a context
 *
 * Gets why the engine is what it is, for people to read.
 *
 * Thread: any.
 *
 * Returns: (transfer full) (nullable): a text, or %NULL before it is decided
 */
char *
gaio_context_get_engine_reason (GaioContext *self)
{
  g_return_val_if_fail (GAIO_IS_CONTEXT (self), NULL);

  return g_strdup (atomic_load (&self->core->reason));
}

/**
 * gaio_context_get_stats:
 * @self: a context
 *
 * Gets counters of what the context has done, as a dictionary: `turns`, `requests` (file
 * requests), `ring-requests` (of them by io_uring) and `moved-requests` (of those, given on to
 * threads) as `t`; `monitor` and `engine` as `s`. More may come.
 *
 * Thread: home.
 *
 * Returns: (transfer full): a variant of type `a{sv}`, not floating
 */
GVariant *
gaio_context_get_stats (GaioContext *self)
{
  GVariantBuilder builder = G_VARIANT_BUILDER_INIT (G_VARIANT_TYPE_VARDICT);
  g_autoptr (GEnumClass) monitors = g_type_class_ref (GAIO_TYPE_MONITOR);
  g_autoptr (GEnumClass) engines = g_type_class_ref (GAIO_TYPE_ENGINE);
  Core *core;

  g_return_val_if_fail (GAIO_IS_CONTEXT (self), NULL);

  core = self->core;
  g_variant_builder_add (&builder, "{sv}", "turns", g_variant_new_uint64 (core->n_turns));
  g_variant_builder_add (&builder,
                         "{sv}",
                         "requests",
                         g_variant_new_uint64 (core->counters.requests));
  g_variant_builder_add (&builder,
                         "{sv}",
                         "ring-requests",
                         g_variant_new_uint64 (core->counters.ring_requests));
  g_variant_builder_add (&builder,
                         "{sv}",
                         "moved-requests",
                         g_variant_new_uint64 (core->counters.moved));
  g_variant_builder_add (&builder,
                         "{sv}",
                         "monitor",
                         g_variant_new_string (
                             g_enum_get_value (monitors, gaio_context_get_monitor (self))
                                 ->value_nick));
  g_variant_builder_add (&builder,
                         "{sv}",
                         "engine",
                         g_variant_new_string (
                             g_enum_get_value (engines, gaio_context_get_engine (self))
                                 ->value_nick));
  return g_variant_ref_sink (g_variant_builder_end (&builder));
}

/* For the other rooms */

GaioBhQueue *
gaio_context_get_bh_queue (GaioContext *self)
{
  return self->core->bottom_halves;
}

GaioTimerHeap *
gaio_context_get_timer_heap (GaioContext *self)
{
  return self->core->timers;
}

bool
gaio_context_is_home (GaioContext *self)
{
  return gaio_waker_is_home (self->core->waker);
}

GaioRing *
gaio_context_get_ring (GaioContext *self)
{
  Core *core = self->core;

  if (core->wanted_engine == GAIO_ENGINE_THREADS || core_ensure_ring (core) == NULL)
    return NULL;
  if (G_UNLIKELY (!gaio_ring_is_usable (core->ring)))
    {
      atomic_store (&core->engine, GAIO_ENGINE_THREADS);
      return NULL;
    }
  return core->ring;
}

void
gaio_context_begin_work (GaioContext *self)
{
  atomic_fetch_add_explicit (&self->core->work, 1, memory_order_relaxed);
}

void
gaio_context_end_work (GaioContext *self)
{
  atomic_fetch_add_explicit (&self->core->work_ended, 1, memory_order_relaxed);
  atomic_fetch_sub_explicit (&self->core->work, 1, memory_order_relaxed);
}

void
gaio_context_drain (GaioContext *self)
{
  while (atomic_load (&self->core->work) > 0)
    gaio_context_poll (self, TRUE);
}

void
gaio_context_set_thread_default (GaioContext *self)
{
  if (self != NULL)
    gaio_waker_claim_home (self->core->waker);
  g_private_replace (&thread_default, self != NULL ? g_object_ref (self) : NULL);
}

GaioContextCounters *
gaio_context_get_counters (GaioContext *self)
{
  return &self->core->counters;
}
