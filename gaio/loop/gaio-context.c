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

/* The object is a shell around the core (gaio-core.c), which does the work: properties, checks of
 * arguments and threads, and errors are made here. Which context is whose default is in
 * gaio-context-registry.c, how it waits in gaio-context-monitor.c and -polling.c, and the
 * counters in gaio-context-stats.c. */

#include "config.h"

#include <gaio/loop/gaio-core-private.h>

struct _GaioContext
{
  GObject parent_instance;

  GaioCore *core; /* a reference; NULL only when its construction failed, */
  GError *error;  /* for this reason */

  /* construction only */
  GaioCoreConfig config;
};

enum
{
  PROP_MONITOR = 1,
  PROP_MONITOR_REASON,
  PROP_EPOLL_THRESHOLD,
  PROP_IO_URING_ENTRIES,
  PROP_MAX_BATCH,
  PROP_DISPATCH_BUDGET_US,
  PROP_ENGINE,
  PROP_ENGINE_REASON,
  PROP_POLL_MAX_NS,
  PROP_POLL_GROW,
  PROP_POLL_SHRINK,
  PROP_POLL_WEIGHT,
  N_PROPS,
};

static GParamSpec *properties[N_PROPS];

static void gaio_context_initable_init (GInitableIface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (GaioContext,
                               gaio_context,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_INITABLE, gaio_context_initable_init))

static void
gaio_context_finalize (GObject *object)
{
  GaioContext *self = GAIO_CONTEXT (object);

  if (self->core != NULL)
    {
      GSource *source = gaio_core_get_source (self->core);
      GMainContext *registered_for = self->core->registered_for;
      GMainContext *main_context = gaio_core_get_main_context (self->core);
      GaioWaker *waker = self->core->waker;
      bool is_elsewhere = gaio_waker_has_home (waker) && !gaio_waker_is_home (waker);

      /* The data of callbacks is freed in the home thread: when that is another one, or is about to
       * be, and a GMainContext runs it, the source stays there for one more turn. That GMainContext
       * has a reference, so the source goes with it at the latest. */
      if (main_context != NULL && (is_elsewhere || !g_main_context_acquire (main_context)))
        {
          gaio_waker_ref (waker);
          atomic_store_explicit (&self->core->orphaned, true, memory_order_release);
          g_source_unref (source);
          gaio_waker_notify (waker);
          gaio_waker_unref (waker);
        }
      else
        {
          /* A GMainContext that goes on has to wait by itself again. */
          gaio_core_end_driver (self->core);
          g_source_destroy (source);
          if (main_context != NULL)
            g_main_context_release (main_context);
          g_source_unref (source);
        }
      if (registered_for != NULL)
        gaio_context_unregister (registered_for);
    }
  g_clear_error (&self->error);
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
    case PROP_MONITOR_REASON:
      g_value_take_string (value, gaio_context_get_monitor_reason (self));
      break;
    case PROP_IO_URING_ENTRIES:
      g_value_set_uint (value, self->config.n_ring_entries);
      break;
    case PROP_MAX_BATCH:
      g_value_set_uint (value, gaio_context_get_max_batch (self));
      break;
    case PROP_EPOLL_THRESHOLD:
      g_value_set_uint (value, gaio_context_get_epoll_threshold (self));
      break;
    case PROP_DISPATCH_BUDGET_US:
      g_value_set_uint (value, gaio_context_get_dispatch_budget_us (self));
      break;
    case PROP_ENGINE:
      g_value_set_enum (value, gaio_context_get_engine (self));
      break;
    case PROP_ENGINE_REASON:
      g_value_take_string (value, gaio_context_get_engine_reason (self));
      break;
    case PROP_POLL_MAX_NS:
      g_value_set_int64 (value, gaio_context_get_poll_max_ns (self));
      break;
    case PROP_POLL_GROW:
      g_value_set_uint (value, gaio_context_get_poll_grow (self));
      break;
    case PROP_POLL_SHRINK:
      g_value_set_uint (value, gaio_context_get_poll_shrink (self));
      break;
    case PROP_POLL_WEIGHT:
      g_value_set_uint (value, gaio_context_get_poll_weight (self));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
gaio_context_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GaioContext *self = GAIO_CONTEXT (object);

  /* What construction does not need comes after it; it may have failed. */
  if (self->core == NULL && !(pspec->flags & (G_PARAM_CONSTRUCT | G_PARAM_CONSTRUCT_ONLY)))
    return;
  switch (id)
    {
    case PROP_MONITOR:
      if (self->core == NULL)
        self->config.monitor = g_value_get_enum (value);
      else
        gaio_context_set_monitor (self, g_value_get_enum (value));
      break;
    case PROP_IO_URING_ENTRIES:
      self->config.n_ring_entries = g_value_get_uint (value);
      break;
    case PROP_MAX_BATCH:
      gaio_context_set_max_batch (self, g_value_get_uint (value));
      break;
    case PROP_EPOLL_THRESHOLD:
      gaio_context_set_epoll_threshold (self, g_value_get_uint (value));
      break;
    case PROP_DISPATCH_BUDGET_US:
      gaio_context_set_dispatch_budget_us (self, g_value_get_uint (value));
      break;
    case PROP_ENGINE:
      self->config.engine = g_value_get_enum (value);
      break;
    case PROP_POLL_MAX_NS:
      gaio_context_set_poll_max_ns (self, g_value_get_int64 (value));
      break;
    case PROP_POLL_GROW:
      gaio_context_set_poll_grow (self, g_value_get_uint (value));
      break;
    case PROP_POLL_SHRINK:
      gaio_context_set_poll_shrink (self, g_value_get_uint (value));
      break;
    case PROP_POLL_WEIGHT:
      gaio_context_set_poll_weight (self, g_value_get_uint (value));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
gaio_context_constructed (GObject *object)
{
  GaioContext *self = GAIO_CONTEXT (object);

  G_OBJECT_CLASS (gaio_context_parent_class)->constructed (object);
  self->core = gaio_core_new (self, &self->config, &self->error);
}

static void
gaio_context_class_init (GaioContextClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->constructed = gaio_context_constructed;
  object_class->finalize = gaio_context_finalize;
  object_class->get_property = gaio_context_get_property;
  object_class->set_property = gaio_context_set_property;

  /**
   * GaioContext:monitor: (getter get_monitor) (setter set_monitor)
   *
   * How the context waits for descriptors. Written: what is wanted. Read: what is in use, which is
   * decided in a turn and may change; notifications are emitted in the home thread.
   */
  properties[PROP_MONITOR] =
      g_param_spec_enum ("monitor",
                         NULL,
                         NULL,
                         GAIO_TYPE_MONITOR,
                         GAIO_MONITOR_AUTO,
                         G_PARAM_READWRITE | G_PARAM_CONSTRUCT | G_PARAM_EXPLICIT_NOTIFY |
                             G_PARAM_STATIC_STRINGS);

  /**
   * GaioContext:monitor-reason: (getter get_monitor_reason)
   *
   * Why the monitor is what it is, for people to read; %NULL before that is decided.
   */
  properties[PROP_MONITOR_REASON] = g_param_spec_string ("monitor-reason",
                                                         NULL,
                                                         NULL,
                                                         NULL,
                                                         G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  /**
   * GaioContext:io-uring-entries:
   *
   * How many operations the submission queue of the context's io_uring has room for, 1 to 4,096,
   * rounded up to a power of two; the completion queue has four times that. What does not find room
   * is handed to the kernel at once, so this is about memory and the size of batches.
   */
  properties[PROP_IO_URING_ENTRIES] =
      g_param_spec_uint ("io-uring-entries",
                         NULL,
                         NULL,
                         1,
                         4096,
                         GAIO_RING_ENTRIES,
                         G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS);

  /**
   * GaioContext:max-batch: (getter get_max_batch) (setter set_max_batch)
   *
   * How many operations the context gathers, at most, before it hands them to the io_uring in one
   * system call; 0 for as many as there is room for. A small number has the disk begin sooner and
   * costs more system calls. This is QEMU's aio-max-batch.
   */
  properties[PROP_MAX_BATCH] =
      g_param_spec_uint ("max-batch",
                         NULL,
                         NULL,
                         0,
                         G_MAXUINT,
                         0,
                         G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

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
   * GaioContext:dispatch-budget-us: (getter get_dispatch_budget_us) (setter set_dispatch_budget_us)
   *
   * For how long the context may keep a [struct@GLib.MainContext] busy without a break, in
   * microseconds; 0 for ever. A turn ends when the time is over, between two callbacks; a single
   * callback is not interrupted. In the break all other sources run that are ready, also those of
   * lower priority, such as the redraws of a window: until none is, or for as long again. So a
   * window is drawn 60 times a second while a million completions come in.
   */
  properties[PROP_DISPATCH_BUDGET_US] =
      g_param_spec_uint ("dispatch-budget-us",
                         NULL,
                         NULL,
                         0,
                         G_MAXINT,
                         GAIO_CORE_BUDGET_US,
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

  /**
   * GaioContext:poll-max-ns: (getter get_poll_max_ns) (setter set_poll_max_ns)
   *
   * For how long the context looks for work in a circle before it sleeps, at most, in nanoseconds;
   * 0 switches adaptive polling off. It spins that long only where that has paid of late, and only
   * in waits of its own: an attached context does not, unless it drives its main context
   * ([method@Gaio.Context.drive]). 32768 is QEMU's figure for an I/O thread.
   */
  properties[PROP_POLL_MAX_NS] =
      g_param_spec_int64 ("poll-max-ns",
                          NULL,
                          NULL,
                          0,
                          G_MAXINT64,
                          0,
                          G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

  /**
   * GaioContext:poll-grow: (getter get_poll_grow) (setter set_poll_grow)
   *
   * By what factor the time of adaptive polling grows when it was too short; 0 for the default, 2.
   */
  properties[PROP_POLL_GROW] =
      g_param_spec_uint ("poll-grow",
                         NULL,
                         NULL,
                         0,
                         G_MAXUINT,
                         GAIO_ADAPTIVE_GROW,
                         G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

  /**
   * GaioContext:poll-shrink: (getter get_poll_shrink) (setter set_poll_shrink)
   *
   * By what the time of adaptive polling is divided when it was much too long; 0 to end it at once.
   */
  properties[PROP_POLL_SHRINK] =
      g_param_spec_uint ("poll-shrink",
                         NULL,
                         NULL,
                         0,
                         G_MAXUINT,
                         GAIO_ADAPTIVE_SHRINK,
                         G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);

  /**
   * GaioContext:poll-weight: (getter get_poll_weight) (setter set_poll_weight)
   *
   * How little one wait counts in the average that adaptive polling goes by: 1 in 2 to the power of
   * this; 0 for the default, 3.
   */
  properties[PROP_POLL_WEIGHT] =
      g_param_spec_uint ("poll-weight",
                         NULL,
                         NULL,
                         0,
                         GAIO_ADAPTIVE_MAX_WEIGHT,
                         GAIO_ADAPTIVE_WEIGHT,
                         G_PARAM_READWRITE | G_PARAM_EXPLICIT_NOTIFY | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
gaio_context_init (GaioContext *self)
{
  /* A value that is out of range is not set, with a warning. */
  self->config.n_ring_entries = GAIO_RING_ENTRIES;
}

static gboolean
gaio_context_initable_real_init (GInitable *initable, GCancellable *cancellable, GError **error)
{
  GaioContext *self = GAIO_CONTEXT (initable);

  if (self->core == NULL && error != NULL)
    *error = g_error_copy (self->error);
  return self->core != NULL;
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

  return g_source_ref (gaio_core_get_source (self->core));
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
 * a critical warning, and so is one from a coroutine.
 *
 * Returns: %TRUE when a callback was called, %FALSE when the loop was only woken
 */
gboolean
gaio_context_poll (GaioContext *self, gboolean may_block)
{
  return gaio_context_poll_ns (self, may_block ? -1 : 0);
}

/**
 * gaio_context_poll_ns:
 * @self: a context
 * @timeout_ns: how long to wait at most when there is nothing to do, in nanoseconds; 0 not at all,
 *   negative for ever
 *
 * Does one turn as [method@Gaio.Context.poll], with an end to its wait.
 *
 * Thread: home; the first caller makes its thread that. A call from another thread is refused with
 * a critical warning, and so is one from a coroutine.
 *
 * Returns: %TRUE when a callback was called, %FALSE when the time passed or the loop was only woken
 */
gboolean
gaio_context_poll_ns (GaioContext *self, gint64 timeout_ns)
{
  gboolean progress;

  g_return_val_if_fail (GAIO_IS_CONTEXT (self), FALSE);
  g_return_val_if_fail (gaio_waker_claim_home (self->core->waker), FALSE);
  /* Callbacks of other languages would run on its stack. */
  g_return_val_if_fail (gaio_coroutine_self () == NULL, FALSE);

  /* A callback may drop the last reference. */
  g_object_ref (self);
  progress = gaio_core_poll (self->core, MAX (timeout_ns, -1));
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
 * A callback of the context that runs a loop of its own until something has happened asks for the
 * descriptor anew.
 *
 * Thread: home.
 *
 * Returns: a file descriptor, or -1 when the process is out of them
 */
int
gaio_context_get_fd (GaioContext *self)
{
  g_return_val_if_fail (GAIO_IS_CONTEXT (self), -1);
  g_return_val_if_fail (gaio_core_take_home (self->core), -1);

  return gaio_core_get_fd (self->core);
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
  gboolean progress;

  g_return_val_if_fail (GAIO_IS_CONTEXT (self), FALSE);
  g_return_val_if_fail (gaio_core_take_home (self->core), FALSE);
  g_return_val_if_fail (gaio_coroutine_self () == NULL, FALSE);

  g_object_ref (self);
  progress = gaio_core_iterate (self->core);
  g_object_unref (self);
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
 * gaio_context_is_run_elsewhere:
 * @self: a context
 *
 * Tells whether the home is another thread than the caller's, so that callbacks would be called
 * there. A context that nobody has run yet has no home.
 *
 * Thread: any.
 *
 * Returns: %TRUE when another thread runs the context
 */
gboolean
gaio_context_is_run_elsewhere (GaioContext *self)
{
  g_return_val_if_fail (GAIO_IS_CONTEXT (self), FALSE);

  return gaio_waker_has_home (self->core->waker) && !gaio_waker_is_home (self->core->waker);
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

/**
 * gaio_context_get_dispatch_budget_us: (get-property dispatch-budget-us)
 * @self: a context
 *
 * Gets for how long the context may keep a main context busy without a break.
 *
 * Thread: any.
 *
 * Returns: a duration in microseconds, 0 for ever
 */
guint
gaio_context_get_dispatch_budget_us (GaioContext *self)
{
  g_return_val_if_fail (GAIO_IS_CONTEXT (self), 0);

  return (guint) atomic_load (&self->core->budget_us);
}

/**
 * gaio_context_set_dispatch_budget_us: (set-property dispatch-budget-us)
 * @self: a context
 * @duration_us: a duration in microseconds, 0 for ever
 *
 * Sets for how long the context may keep a main context busy without a break.
 *
 * Thread: any.
 */
void
gaio_context_set_dispatch_budget_us (GaioContext *self, guint duration_us)
{
  int value = (int) MIN (duration_us, G_MAXINT);

  g_return_if_fail (GAIO_IS_CONTEXT (self));

  if (atomic_exchange (&self->core->budget_us, value) != value)
    g_object_notify_by_pspec (G_OBJECT (self), properties[PROP_DISPATCH_BUDGET_US]);
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

/* For those files that know the core */

GaioCore *
gaio_context_get_core (GaioContext *self)
{
  return self->core;
}
