/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/**
 * GaioIOThread:
 *
 * A thread that runs a [class@Gaio.Context], and on request a [struct@GLib.MainContext] with it.
 *
 * The thread starts with the object. It is what asynchronous work needs that must not depend on
 * the main thread: a media pipeline, a server.
 *
 * This is QEMU's IOThread.
 */

/* The thread polls the context. Once somebody has asked for the GMainContext, the context drives
 * that and the thread iterates it instead: the same waits with the same adaptive polling and the
 * same deadlines, which see to GLib's sources too. The end is a one-shot bottom half, which either
 * of the two runs. */

#include "config.h"

#include <stdatomic.h>
#include <sys/prctl.h>

#include <gaio/base/gaio-debug-private.h>
#include <gaio/loop/gaio-context-private.h>
#include <gaio/loop/gaio-core-private.h>
#include <gaio/loop/gaio-drive.h>
#include <gaio/loop/gaio-io-thread.h>

/* For what the last bottom halves have brought about. It has an end, since a bottom half that
 * schedules itself, or a descriptor that nobody drains, would keep the thread for ever. */
#define LAST_TURNS 16

/* QEMU's figure for its I/O threads: NVMe requests take 16 to 32 us. */
#define POLL_MAX_NS 32768

/* What the thread holds, as it may end after the object: when the last reference is dropped in the
 * thread itself. */
typedef struct
{
  /* immutable */
  GaioContext *context;

  atomic_int refs;
  atomic_bool running;

  GMainContext *_Atomic main_context; /* set once; NULL: nobody has asked for it */

  GMutex lock; /* of the one that makes the main context, and: */
  GCond started_cond;
  bool started;

  /* the thread itself */
  GThread *thread;
  bool runs_main_context;
} Shared;

struct _GaioIOThread
{
  GObject parent_instance;

  /* immutable */
  char *name;
  GaioEngine engine;
  Shared *shared; /* NULL only when the construction failed */

  GThread *thread; /* NULL once it has been stopped */
};

enum
{
  PROP_NAME = 1,
  PROP_CONTEXT,
  PROP_ENGINE,
  N_PROPS,
};

static GParamSpec *properties[N_PROPS];

static void gaio_io_thread_initable_init (GInitableIface *iface);

G_DEFINE_FINAL_TYPE_WITH_CODE (GaioIOThread,
                               gaio_io_thread,
                               G_TYPE_OBJECT,
                               G_IMPLEMENT_INTERFACE (G_TYPE_INITABLE,
                                                      gaio_io_thread_initable_init))

static void
shared_unref (Shared *self)
{
  GMainContext *main_context;

  if (atomic_fetch_sub_explicit (&self->refs, 1, memory_order_acq_rel) != 1)
    return;
  g_clear_object (&self->context);
  main_context = atomic_load (&self->main_context);
  g_clear_pointer (&main_context, g_main_context_unref);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->started_cond);
  g_free (self);
}

/* Requests and jobs are the thread's to end, and so is what was scheduled before the stop. */
static void
end_by_hand (Shared *self)
{
  gaio_context_drain (self->context);
  for (int i = 0; i < LAST_TURNS && gaio_context_poll (self->context, FALSE); i++)
    ;
}

/* From here on the main context is the thread's own, or else g_main_context_invoke() would call its
 * function in another one; and tasks that begin in the thread end in it. */
static void
take_main_context (gpointer user_data)
{
  Shared *self = user_data;
  GMainContext *main_context = atomic_load (&self->main_context);
  g_autoptr (GError) error = NULL;

  /* Once the thread has ended, others may run the context. */
  if (self->runs_main_context || g_thread_self () != self->thread)
    return;
  g_main_context_push_thread_default (main_context);
  if (!gaio_context_drive (self->context, main_context, &error))
    {
      gaio_debug (LOOP, "an I/O thread waits as GLib does: %s", error->message);
      if (gaio_core_get_main_context (gaio_context_get_core (self->context)) == NULL)
        gaio_context_attach (self->context, main_context);
    }
  self->runs_main_context = true;
}

static void
run_main_context (Shared *self)
{
  GMainContext *main_context = atomic_load (&self->main_context);

  while (atomic_load (&self->running) || gaio_context_has_work (self->context))
    g_main_context_iteration (main_context, TRUE);
  /* Not until the first that finds nothing: GLib does nothing either in one whose descriptors have
   * changed, as they do when a context begins to drive. */
  for (int i = 0; i < LAST_TURNS; i++)
    g_main_context_iteration (main_context, FALSE);
  g_main_context_pop_thread_default (main_context);
}

static gpointer
thread_main (gpointer data)
{
  Shared *self = data;

  self->thread = g_thread_self ();
  /* The kernel lets the timeouts of poll(2) and epoll_wait(2) be late by 50 us unless it is told
   * not to; deadlines are in nanoseconds here. */
  prctl (PR_SET_TIMERSLACK, 1UL, 0UL, 0UL, 0UL);
  gaio_context_set_thread_default (self->context);
  g_mutex_lock (&self->lock);
  self->started = true;
  g_cond_signal (&self->started_cond);
  g_mutex_unlock (&self->lock);

  while (atomic_load (&self->running) && !self->runs_main_context)
    gaio_context_poll (self->context, TRUE);
  if (!self->runs_main_context)
    end_by_hand (self);
  if (self->runs_main_context)
    run_main_context (self);
  gaio_context_leave (self->context);
  gaio_context_set_thread_default (NULL);
  shared_unref (self);
  return NULL;
}

static void
quit (gpointer user_data)
{
  Shared *self = user_data;

  atomic_store (&self->running, false);
}

static void
gaio_io_thread_finalize (GObject *object)
{
  GaioIOThread *self = GAIO_IO_THREAD (object);

  if (self->thread == g_thread_self ())
    {
      /* It cannot join itself; it ends on its own when this callback has returned. */
      quit (self->shared);
      g_clear_pointer (&self->thread, g_thread_unref);
    }
  else if (self->thread != NULL)
    gaio_io_thread_stop (self);
  g_clear_pointer (&self->shared, shared_unref);
  g_free (self->name);
  G_OBJECT_CLASS (gaio_io_thread_parent_class)->finalize (object);
}

static void
gaio_io_thread_get_property (GObject *object, guint id, GValue *value, GParamSpec *pspec)
{
  GaioIOThread *self = GAIO_IO_THREAD (object);

  switch (id)
    {
    case PROP_NAME:
      g_value_set_string (value, self->name);
      break;
    case PROP_CONTEXT:
      g_value_set_object (value, gaio_io_thread_get_context (self));
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
gaio_io_thread_set_property (GObject *object, guint id, const GValue *value, GParamSpec *pspec)
{
  GaioIOThread *self = GAIO_IO_THREAD (object);

  switch (id)
    {
    case PROP_NAME:
      self->name = g_value_dup_string (value);
      break;
    case PROP_ENGINE:
      self->engine = g_value_get_enum (value);
      break;
    default:
      G_OBJECT_WARN_INVALID_PROPERTY_ID (object, id, pspec);
    }
}

static void
gaio_io_thread_class_init (GaioIOThreadClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);

  object_class->finalize = gaio_io_thread_finalize;
  object_class->get_property = gaio_io_thread_get_property;
  object_class->set_property = gaio_io_thread_set_property;

  /**
   * GaioIOThread:name: (getter get_name)
   *
   * A name for the thread, of which debuggers show 15 bytes.
   */
  properties[PROP_NAME] =
      g_param_spec_string ("name", NULL, NULL, NULL,
                           G_PARAM_READWRITE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS);

  /**
   * GaioIOThread:context: (getter get_context)
   *
   * The context that the thread runs.
   */
  properties[PROP_CONTEXT] = g_param_spec_object ("context", NULL, NULL, GAIO_TYPE_CONTEXT,
                                                  G_PARAM_READABLE | G_PARAM_STATIC_STRINGS);

  /**
   * GaioIOThread:engine:
   *
   * How file requests shall run in the context; what came of it is in
   * [property@Gaio.Context:engine].
   */
  properties[PROP_ENGINE] =
      g_param_spec_enum ("engine", NULL, NULL, GAIO_TYPE_ENGINE, GAIO_ENGINE_AUTO,
                         G_PARAM_WRITABLE | G_PARAM_CONSTRUCT_ONLY | G_PARAM_STATIC_STRINGS);
  g_object_class_install_properties (object_class, N_PROPS, properties);
}

static void
gaio_io_thread_init (GaioIOThread *self)
{
}

static gboolean
gaio_io_thread_initable_real_init (GInitable *initable, GCancellable *cancellable, GError **error)
{
  GaioIOThread *self = GAIO_IO_THREAD (initable);
  g_autoptr (GaioContext) context = NULL;
  Shared *shared;

  if (self->shared != NULL)
    return TRUE;
  context = g_initable_new (GAIO_TYPE_CONTEXT, NULL, error, "engine", self->engine, NULL);
  if (context == NULL)
    return FALSE;
  gaio_context_set_poll_max_ns (context, POLL_MAX_NS);
  shared = g_new0 (Shared, 1);
  atomic_init (&shared->refs, 2);
  atomic_init (&shared->running, true);
  g_mutex_init (&shared->lock);
  g_cond_init (&shared->started_cond);
  shared->context = g_steal_pointer (&context);

  self->thread =
      g_thread_try_new (self->name != NULL ? self->name : "gaio", thread_main, shared, error);
  if (self->thread == NULL)
    {
      atomic_store (&shared->refs, 1);
      shared_unref (shared);
      return FALSE;
    }
  self->shared = shared;
  g_mutex_lock (&shared->lock);
  while (!shared->started)
    g_cond_wait (&shared->started_cond, &shared->lock);
  g_mutex_unlock (&shared->lock);
  return TRUE;
}

static void
gaio_io_thread_initable_init (GInitableIface *iface)
{
  iface->init = gaio_io_thread_initable_real_init;
}

/**
 * gaio_io_thread_new:
 * @name: (nullable): a name for the thread, of which debuggers show 15 bytes
 * @error: return location for an error
 *
 * Starts a thread that runs a new context, and waits until it does. The context polls before it
 * sleeps, for 32 microseconds at most: see [property@Gaio.Context:poll-max-ns].
 *
 * Thread: any.
 *
 * Returns: (transfer full): the thread, or %NULL when the system gives no thread or no file
 *   descriptor
 */
GaioIOThread *
gaio_io_thread_new (const char *name, GError **error)
{
  return g_initable_new (GAIO_TYPE_IO_THREAD, NULL, error, "name", name, NULL);
}

/**
 * gaio_io_thread_get_name: (get-property name)
 * @self: an I/O thread
 *
 * Gets the name of the thread.
 *
 * Thread: any.
 *
 * Returns: (transfer none) (nullable): the name
 */
const char *
gaio_io_thread_get_name (GaioIOThread *self)
{
  g_return_val_if_fail (GAIO_IS_IO_THREAD (self), NULL);

  return self->name;
}

/**
 * gaio_io_thread_get_context: (get-property context)
 * @self: an I/O thread
 *
 * Gets the context that the thread runs.
 *
 * Thread: any.
 *
 * Returns: (transfer none): the context
 */
GaioContext *
gaio_io_thread_get_context (GaioIOThread *self)
{
  g_return_val_if_fail (GAIO_IS_IO_THREAD (self), NULL);

  return self->shared != NULL ? self->shared->context : NULL;
}

/**
 * gaio_io_thread_get_main_context:
 * @self: an I/O thread
 *
 * Gets a main context that the thread runs, for what needs one: GLib sources, and asynchronous
 * functions called in the thread, whose results come there. It is made by the first call; the
 * thread's context drives it ([method@Gaio.Context.drive]) and works on as before.
 *
 * Thread: any.
 *
 * Returns: (transfer none): the main context
 */
GMainContext *
gaio_io_thread_get_main_context (GaioIOThread *self)
{
  GMainContext *main_context;
  bool made = false;
  Shared *shared;

  g_return_val_if_fail (GAIO_IS_IO_THREAD (self), NULL);

  shared = self->shared;
  g_mutex_lock (&shared->lock);
  main_context = atomic_load (&shared->main_context);
  if (main_context == NULL)
    {
      main_context = g_main_context_new ();
      atomic_store (&shared->main_context, main_context);
      made = true;
    }
  g_mutex_unlock (&shared->lock);
  /* Before anything else that the caller has done there. */
  if (gaio_context_is_home (shared->context))
    take_main_context (shared);
  else if (made)
    gaio_context_invoke (shared->context, take_main_context, shared, NULL);
  return main_context;
}

/**
 * gaio_io_thread_stop:
 * @self: an I/O thread
 *
 * Ends the thread and waits for that. What was scheduled before still runs, and the requests and
 * jobs of the context end before the thread does: cancel first what may wait for ever, such as a
 * read from a pipe. Nothing happens when it has been stopped already.
 *
 * The context stays, and another thread may run it; until one does, what is scheduled there waits.
 *
 * Thread: the one that owns the object; not the I/O thread itself, which is refused with a critical
 * warning.
 */
void
gaio_io_thread_stop (GaioIOThread *self)
{
  g_return_if_fail (GAIO_IS_IO_THREAD (self));
  g_return_if_fail (self->thread != g_thread_self ());

  if (self->thread == NULL)
    return;
  gaio_context_invoke (self->shared->context, quit, self->shared, NULL);
  g_thread_join (g_steal_pointer (&self->thread));
}
