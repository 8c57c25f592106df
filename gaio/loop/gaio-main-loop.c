/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/**
 * GaioMainLoop:
 *
 * A main loop whose waiting is a [class@Gaio.Context]'s: QEMU's main loop.
 *
 * It runs a [struct@GLib.MainContext], the default one of a program or another, with the context
 * that drives it ([method@Gaio.Context.drive]): sources, fd handlers, bottom halves and timers in
 * one place, with deadlines in nanoseconds. Around each wait it can
 *
 *  - give locks away and take them again ([method@Gaio.MainLoop.add_lock_hook]), so that other
 *    threads get at what the main thread works on while it has nothing to do;
 *  - ask others what they wait for, and for how long ([method@Gaio.MainLoop.add_poll_notifier]).
 *
 * These belong to the waits of the main context, whoever runs it: this loop, a nested
 * [struct@GLib.MainLoop], or `g_application_run()`. So a GTK application makes a loop for its
 * hooks, keeps it, and does not run it.
 *
 * Handlers that must not be called by nested turns are in the context's I/O group
 * ([method@Gaio.Context.set_fd_group]); signals and ends of child processes come by
 * [method@Gaio.Context.add_signal] and [method@Gaio.Context.add_child_watch].
 *
 * ```c
 * static void
 * big_lock (gboolean lock, gpointer user_data)
 * {
 *   if (lock)
 *     g_mutex_lock (user_data);
 *   else
 *     g_mutex_unlock (user_data);
 * }
 *
 * g_autoptr (GaioMainLoop) loop = gaio_main_loop_new (NULL, &error);
 *
 * g_mutex_lock (&lock);
 * gaio_main_loop_add_lock_hook (loop, big_lock, &lock, NULL);
 * gaio_main_loop_run (loop);
 * ```
 */

/* The loop iterates the GMainContext; the wait is in gaio-drive.c, and what is around it in
 * gaio-wait-hooks.c, one for all loops of a context. */

#include "config.h"

#include <stdatomic.h>

#include <gaio/loop/gaio-core-private.h>
#include <gaio/loop/gaio-drive-private.h>
#include <gaio/loop/gaio-main-loop.h>
#include <gaio/loop/gaio-wait-hooks-private.h>

struct _GaioMainLoop
{
  GObject parent_instance;

  /* immutable */
  GaioContext *context;
  GMainContext *main_context;
  GaioWaitHooks *hooks; /* of the context; NULL only when the construction failed */

  atomic_bool running;
};

enum
{
  PROP_CONTEXT = 1,
  PROP_MAIN_CONTEXT,
  N_PROPS,
};

static GParamSpec *properties[N_PROPS];

static void gaio_main_loop_initable_init (GInitableIface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (GaioMainLoop,
                               gaio_main_loop,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_INITABLE,
                                                      gaio_main_loop_initable_init))

static void
gaio_main_loop_finalize (GObject *object)
{
  GaioMainLoop *self = GAIO_MAIN_LOOP (object);

  if (self->hooks != NULL)
    {
      gaio_wait_hooks_remove_lock (self->hooks, self, 0);
      gaio_wait_hooks_remove_poll (self->hooks, self, 0);
    }
  g_clear_object (&self->context);
  g_clear_pointer (&self->main_context, g_main_context_unref);
  G_OBJECT_CLASS (gaio_main_loop_parent_class)->finalize (object);
}

static void
gaio_main_loop_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GaioMainLoop *self = GAIO_MAIN_LOOP (object);

  switch (id)
    {
    case PROP_CONTEXT:
      g_value_set_object (value, self->context);
      break;
    case PROP_MAIN_CONTEXT:
      g_value_set_boxed (value, self->main_context);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
gaio_main_loop_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GaioMainLoop *self = GAIO_MAIN_LOOP (object);

  switch (id)
    {
    case PROP_CONTEXT:
      self->context = g_value_dup_object (value);
      break;
    case PROP_MAIN_CONTEXT:
      self->main_context = g_value_dup_boxed (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
gaio_main_loop_class_init (GaioMainLoopClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->finalize = gaio_main_loop_finalize;
  object_class->get_property = gaio_main_loop_get_property;
  object_class->set_property = gaio_main_loop_set_property;

  /**
   * GaioMainLoop:context: (getter get_context)
   *
   * The context that waits. When none is given it is the one that is attached to the main context,
   * made where there is none.
   */
  properties[PROP_CONTEXT] =
      g_param_spec_object ("context", NULL, NULL, GAIO_TYPE_CONTEXT,
                           G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS);

  /**
   * GaioMainLoop:main-context: (getter get_main_context)
   *
   * The main context that the loop runs. When none is given it is the default one.
   */
  properties[PROP_MAIN_CONTEXT] =
      g_param_spec_boxed ("main-context", NULL, NULL, G_TYPE_MAIN_CONTEXT,
                          G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
gaio_main_loop_init (GaioMainLoop *self)
{
}

static gboolean
gaio_main_loop_initable_real_init (GInitable *initable, GCancellable *cancellable, GError **error)
{
  GaioMainLoop *self = GAIO_MAIN_LOOP (initable);

  if (self->hooks != NULL)
    return TRUE;
  if (self->main_context == NULL)
    self->main_context = g_main_context_ref (g_main_context_default ());
  if (self->context == NULL)
    self->context = gaio_context_ref_for_main_context (self->main_context, error);
  if (self->context == NULL || !gaio_context_drive (self->context, self->main_context, error))
    return FALSE;
  self->hooks = gaio_wait_hooks_get (self->context);
  return TRUE;
}

static void
gaio_main_loop_initable_init (GInitableIface *iface)
{
  iface->init = gaio_main_loop_initable_real_init;
}

/**
 * gaio_main_loop_new:
 * @main_context: (nullable): a main context, %NULL for the default one
 * @error: return location for an error
 *
 * Makes a loop, and has the context that is attached to @main_context drive it, which lasts as long
 * as that context. Several loops of one main context are fine; each has hooks of its own.
 *
 * Thread: the one that runs @main_context, or any before one does.
 *
 * Returns: (transfer full): the loop, or %NULL when the process is out of file descriptors, or
 *   another context drives @main_context
 */
GaioMainLoop *
gaio_main_loop_new (GMainContext *main_context, GError **error)
{
  return g_initable_new (GAIO_TYPE_MAIN_LOOP, NULL, error, "main-context", main_context, NULL);
}

/**
 * gaio_main_loop_get_context: (get-property context)
 * @self: a main loop
 *
 * Gets the context that waits.
 *
 * Thread: any.
 *
 * Returns: (transfer none): the context
 */
GaioContext *
gaio_main_loop_get_context (GaioMainLoop *self)
{
  g_return_val_if_fail (GAIO_IS_MAIN_LOOP (self), NULL);

  return self->context;
}

/**
 * gaio_main_loop_get_main_context: (get-property main-context)
 * @self: a main loop
 *
 * Gets the main context that the loop runs.
 *
 * Thread: any.
 *
 * Returns: (transfer none): the main context
 */
GMainContext *
gaio_main_loop_get_main_context (GaioMainLoop *self)
{
  g_return_val_if_fail (GAIO_IS_MAIN_LOOP (self), NULL);

  return self->main_context;
}

/**
 * gaio_main_loop_run:
 * @self: a main loop
 *
 * Runs the main context until [method@Gaio.MainLoop.quit] is called. It can be called from a
 * callback of the main context; quit then ends all runs of this loop.
 *
 * Thread: one that may run the main context. A call while another thread runs it is refused with a
 * critical warning.
 */
void
gaio_main_loop_run (GaioMainLoop *self)
{
  g_return_if_fail (GAIO_IS_MAIN_LOOP (self));
  g_return_if_fail (g_main_context_acquire (self->main_context));

  g_object_ref (self);
  atomic_store (&self->running, true);
  while (atomic_load (&self->running))
    g_main_context_iteration (self->main_context, TRUE);
  g_main_context_release (self->main_context);
  g_object_unref (self);
}

/**
 * gaio_main_loop_quit:
 * @self: a main loop
 *
 * Has [method@Gaio.MainLoop.run] return, after the callbacks that are running; nothing happens
 * when it does not run.
 *
 * Thread: any.
 */
void
gaio_main_loop_quit (GaioMainLoop *self)
{
  g_return_if_fail (GAIO_IS_MAIN_LOOP (self));

  atomic_store (&self->running, false);
  g_main_context_wakeup (self->main_context);
}

/**
 * gaio_main_loop_is_running:
 * @self: a main loop
 *
 * Tells whether [method@Gaio.MainLoop.run] was called and is not to return yet.
 *
 * Thread: any.
 *
 * Returns: %TRUE while the loop runs
 */
gboolean
gaio_main_loop_is_running (GaioMainLoop *self)
{
  g_return_val_if_fail (GAIO_IS_MAIN_LOOP (self), FALSE);

  return atomic_load (&self->running);
}

/**
 * gaio_main_loop_iterate:
 * @self: a main loop
 * @may_block: whether to wait when there is nothing to do
 *
 * Does one iteration of the main context: waits, if it may, then calls what is ready. It can be
 * called from a callback of the main context.
 *
 * Thread: one that may run the main context.
 *
 * Returns: %TRUE when something was called
 */
gboolean
gaio_main_loop_iterate (GaioMainLoop *self, gboolean may_block)
{
  gboolean progress;

  g_return_val_if_fail (GAIO_IS_MAIN_LOOP (self), FALSE);

  g_object_ref (self);
  progress = g_main_context_iteration (self->main_context, may_block);
  g_object_unref (self);
  return progress;
}

/**
 * gaio_main_loop_notify:
 * @self: a main loop
 *
 * Has a wait of the loop end soon, or the next one not begin, so that poll notifiers and can-read
 * functions are asked again. It costs no system call while the loop is awake.
 *
 * Thread: any; safe in a signal handler.
 */
void
gaio_main_loop_notify (GaioMainLoop *self)
{
  gaio_context_notify (self->context);
}

/**
 * gaio_main_loop_add_lock_hook:
 * @self: a main loop
 * @func: (scope notified) (closure user_data) (destroy notify): what unlocks and locks
 * @user_data: data for @func
 * @notify: (nullable): frees @user_data, in the home thread, when the hook has been removed
 *
 * Has a lock given away whenever the main context waits, also when that wait is not to last. With
 * several hooks the locks are unlocked in the order in which they were added, and locked in the
 * reverse order. When the hook is added the caller holds the lock, and after its removal the
 * thread that runs the loop does.
 *
 * A loop that has something to do at once in a thousand iterations in a row makes one wait of a
 * millisecond with the locks given away, so that others who sleep on them get them at last.
 *
 * [method@Gaio.Context.poll] is no wait of the main context and keeps the locks. What adaptive
 * polling looks at ([callback@Gaio.FdPollFunc]) it does during the wait, without the locks.
 *
 * Thread: any.
 *
 * Returns: an identifier for [method@Gaio.MainLoop.remove_lock_hook]
 */
guint
gaio_main_loop_add_lock_hook (GaioMainLoop *self,
                              GaioLockFunc func,
                              gpointer user_data,
                              GDestroyNotify notify)
{
  GaioWaitHook hook = { .lock = func, .user_data = user_data, .notify = notify };

  g_return_val_if_fail (GAIO_IS_MAIN_LOOP (self), 0);
  g_return_val_if_fail (func != NULL, 0);

  return gaio_wait_hooks_add (self->hooks, self, &hook);
}

/**
 * gaio_main_loop_remove_lock_hook:
 * @self: a main loop
 * @id: what [method@Gaio.MainLoop.add_lock_hook] returned
 *
 * Removes a lock hook; nothing happens when it has been removed already. A wait that is under way
 * still takes the lock when it ends.
 *
 * Thread: any.
 */
void
gaio_main_loop_remove_lock_hook (GaioMainLoop *self, guint id)
{
  g_return_if_fail (GAIO_IS_MAIN_LOOP (self));
  g_return_if_fail (id != 0);

  gaio_wait_hooks_remove_lock (self->hooks, self, id);
}

/**
 * gaio_main_loop_add_poll_notifier:
 * @self: a main loop
 * @func: (scope notified) (closure user_data) (destroy notify): what to call around each wait
 * @user_data: data for @func
 * @notify: (nullable): frees @user_data, in the home thread, when the notifier has been removed
 *
 * Has a function take part in each wait of the main context: before it, it may add descriptors
 * and shorten the timeout; after it, it sees what they are ready for. It is called with all locks
 * held, also when the wait is not to last. One that is added by another thread ends the wait that
 * is under way and counts from the next one on.
 *
 * Thread: any.
 *
 * Returns: an identifier for [method@Gaio.MainLoop.remove_poll_notifier]
 */
guint
gaio_main_loop_add_poll_notifier (GaioMainLoop *self,
                                  GaioPollNotifierFunc func,
                                  gpointer user_data,
                                  GDestroyNotify notify)
{
  GaioWaitHook hook = { .poll = func, .user_data = user_data, .notify = notify };

  g_return_val_if_fail (GAIO_IS_MAIN_LOOP (self), 0);
  g_return_val_if_fail (func != NULL, 0);

  return gaio_wait_hooks_add (self->hooks, self, &hook);
}

/**
 * gaio_main_loop_remove_poll_notifier:
 * @self: a main loop
 * @id: what [method@Gaio.MainLoop.add_poll_notifier] returned
 *
 * Removes a poll notifier; nothing happens when it has been removed already. A wait that is under
 * way still tells it what has come.
 *
 * Thread: any.
 */
void
gaio_main_loop_remove_poll_notifier (GaioMainLoop *self, guint id)
{
  g_return_if_fail (GAIO_IS_MAIN_LOOP (self));
  g_return_if_fail (id != 0);

  gaio_wait_hooks_remove_poll (self->hooks, self, id);
}
