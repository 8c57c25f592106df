/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/**
 * GaioIOThread:
 *
 * A thread that runs a [class@Gaio.Context], and on request a [struct@GLib.MainContext] beside it.
 *
 * The thread starts with the object. It is what asynchronous work needs that must not depend on
 * the main thread: a media pipeline, a server.
 *
 * This is QEMU's IOThread.
 */

/* The thread polls the context. Once somebody has asked for the GMainContext, the context is
 * attached to that and the thread runs its main loop instead. The end is a one-shot bottom half,
 * which stops whichever of the two is running. */

#include "config.h"

#include <stdatomic.h>

#include <gaio/loop/gaio-context-private.h>
#include <gaio/loop/gaio-io-thread.h>

/* For what the last bottom halves have brought about. It has an end, since a bottom half that
 * schedules itself, or a descriptor that nobody drains, would keep the thread for ever. */
#define LAST_TURNS 16

/* What the thread holds, as it may end after the object: when the last reference is dropped in the
 * thread itself. */
typedef struct
{
  /* immutable */
  GaioContext *context;

  atomic_int refs;
  atomic_bool running;

  GMutex lock;
  GCond started_cond;

  /* under the lock; the two pointers are set once */
  bool started;
  GMainContext *main_context;
  GMainLoop *main_loop;
} Shared;

struct _GaioIOThread
{
  GObject parent_instance;

  Shared *shared;  /* immutable */
  GThread *thread; /* NULL once it has been stopped */
};

G_DEFINE_FINAL_TYPE (GaioIOThread, gaio_io_thread, G_TYPE_OBJECT)

static void
shared_unref (Shared *self)
{
  if (atomic_fetch_sub_explicit (&self->refs, 1, memory_order_acq_rel) != 1)
    return;
  g_clear_pointer (&self->main_loop, g_main_loop_unref);
  g_clear_object (&self->context);
  g_clear_pointer (&self->main_context, g_main_context_unref);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->started_cond);
  g_free (self);
}

static GMainLoop *
get_main_loop (Shared *self)
{
  GMainLoop *main_loop;

  g_mutex_lock (&self->lock);
  main_loop = self->main_loop;
  g_mutex_unlock (&self->lock);
  return main_loop;
}

static gpointer
thread_main (gpointer data)
{
  Shared *self = data;

  gaio_context_set_thread_default (self->context);
  g_mutex_lock (&self->lock);
  self->started = true;
  g_cond_signal (&self->started_cond);
  g_mutex_unlock (&self->lock);

  while (atomic_load (&self->running))
    {
      GMainLoop *main_loop = get_main_loop (self);

      if (main_loop == NULL)
        gaio_context_poll (self->context, TRUE);
      else
        {
          GMainContext *main_context = g_main_loop_get_context (main_loop);

          g_main_context_push_thread_default (main_context);
          g_main_loop_run (main_loop);
          g_main_context_pop_thread_default (main_context);
        }
    }

  /* Requests and jobs are the thread's to end, and so is what was scheduled before the stop. */
  gaio_context_drain (self->context);
  for (int i = 0; i < LAST_TURNS && gaio_context_poll (self->context, FALSE); i++)
    ;
  gaio_context_leave (self->context);
  gaio_context_set_thread_default (NULL);
  shared_unref (self);
  return NULL;
}

static void
quit (gpointer user_data)
{
  Shared *self = user_data;
  GMainLoop *main_loop = get_main_loop (self);

  atomic_store (&self->running, false);
  if (main_loop != NULL)
    g_main_loop_quit (main_loop);
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
  G_OBJECT_CLASS (gaio_io_thread_parent_class)->finalize (object);
}

static void
gaio_io_thread_class_init (GaioIOThreadClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = gaio_io_thread_finalize;
}

static void
gaio_io_thread_init (GaioIOThread *self)
{
}

/**
 * gaio_io_thread_new:
 * @name: (nullable): a name for the thread, of which debuggers show 15 bytes
 * @error: return location for an error
 *
 * Starts a thread that runs a new context, and waits until it does.
 *
 * Thread: any.
 *
 * Returns: (transfer full): the thread, or %NULL when the system gives no thread or no file
 *   descriptor
 */
GaioIOThread *
gaio_io_thread_new (const char *name, GError **error)
{
  g_autoptr (GaioIOThread) self = g_object_new (GAIO_TYPE_IO_THREAD, NULL);
  g_autoptr (GaioContext) context = gaio_context_new (error);
  Shared *shared;

  if (context == NULL)
    return NULL;
  shared = g_new0 (Shared, 1);
  atomic_init (&shared->refs, 2);
  atomic_init (&shared->running, true);
  g_mutex_init (&shared->lock);
  g_cond_init (&shared->started_cond);
  shared->context = g_steal_pointer (&context);
  self->shared = shared;

  self->thread = g_thread_try_new (name != NULL ? name : "gaio", thread_main, shared, error);
  if (self->thread == NULL)
    {
      shared_unref (shared);
      return NULL;
    }
  g_mutex_lock (&shared->lock);
  while (!shared->started)
    g_cond_wait (&shared->started_cond, &shared->lock);
  g_mutex_unlock (&shared->lock);
  return g_steal_pointer (&self);
}

/**
 * gaio_io_thread_get_context:
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

  return self->shared->context;
}

/**
 * gaio_io_thread_get_main_context:
 * @self: an I/O thread
 *
 * Gets a main context that the thread runs, for what needs one: GLib sources, and asynchronous
 * functions called in the thread, whose results come there. It is made by the first call.
 *
 * Thread: any.
 *
 * Returns: (transfer none): the main context
 */
GMainContext *
gaio_io_thread_get_main_context (GaioIOThread *self)
{
  Shared *shared;

  g_return_val_if_fail (GAIO_IS_IO_THREAD (self), NULL);

  shared = self->shared;
  g_mutex_lock (&shared->lock);
  if (shared->main_loop == NULL)
    {
      shared->main_context = g_main_context_new ();
      gaio_context_attach (shared->context, shared->main_context);
      shared->main_loop = g_main_loop_new (shared->main_context, FALSE);
      gaio_context_notify (shared->context);
    }
  g_mutex_unlock (&shared->lock);
  return shared->main_context;
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
