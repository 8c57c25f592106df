/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which context belongs to which thread and to which GMainContext.
 *
 * A context that is attached to a GMainContext is remembered, weakly, so that all who ask in the
 * same place get the same one. An I/O thread sets its own. Any thread may call anything here. */

#include "config.h"

#include <gaio/base/gaio-debug-private.h>
#include <gaio/loop/gaio-core-private.h>

/* Which context is attached to which GMainContext. Under the lock, which is taken first, and is
 * recursive because a reference that is dropped with it held may be the last. */
static GRecMutex registry_lock;
static GHashTable *registry; /* GMainContext -> GWeakRef of GaioContext */
static GaioContext *default_context;

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
  if (context == NULL ||
      g_source_is_destroyed (gaio_core_get_source (gaio_context_get_core (context))))
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
  gaio_context_get_core (context)->registered_for = main_context;
  g_hash_table_replace (registry, main_context, entry);
}

void
gaio_context_unregister (GMainContext *main_context)
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

static GaioContext *
new_attached_locked (GMainContext *main_context, GError **error)
{
  GaioContext *context = gaio_context_new (error);

  if (context == NULL)
    return NULL;
  g_source_attach (gaio_core_get_source (gaio_context_get_core (context)), main_context);
  registry_add_locked (main_context, context);
  return context;
}

static GaioContext *
get_default (GError **error)
{
  GaioContext *context;

  g_rec_mutex_lock (&registry_lock);
  if (default_context == NULL)
    default_context = registry_lookup_locked (g_main_context_default ());
  if (default_context == NULL)
    default_context = new_attached_locked (g_main_context_default (), error);
  context = default_context;
  g_rec_mutex_unlock (&registry_lock);
  return context;
}

GaioContext *
gaio_context_ref_for_main_context (GMainContext *main_context, GError **error)
{
  GaioContext *context;

  if (main_context == g_main_context_default ())
    {
      context = get_default (error);
      return context != NULL ? g_object_ref (context) : NULL;
    }
  g_rec_mutex_lock (&registry_lock);
  context = registry_lookup_locked (main_context);
  if (context == NULL)
    context = new_attached_locked (main_context, error);
  g_rec_mutex_unlock (&registry_lock);
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
  g_autoptr (GError) error = NULL;
  GaioContext *context = get_default (&error);

  if (context == NULL)
    gaio_debug (LOOP, "no context: %s", error->message);
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
  g_autoptr (GError) error = NULL;

  if (context != NULL)
    return g_object_ref (context);
  if (main_context == NULL)
    main_context = g_main_context_default ();
  context = gaio_context_ref_for_main_context (main_context, &error);
  if (context == NULL)
    gaio_debug (LOOP, "no context: %s", error->message);
  return context;
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
  GSource *source;

  g_return_if_fail (GAIO_IS_CONTEXT (self));
  source = gaio_core_get_source (gaio_context_get_core (self));
  g_return_if_fail (!g_source_is_destroyed (source) && g_source_get_context (source) == NULL);

  if (main_context == NULL)
    main_context = g_main_context_default ();
  g_rec_mutex_lock (&registry_lock);
  g_source_attach (source, main_context);
  other = registry_lookup_locked (main_context);
  if (other == NULL)
    registry_add_locked (main_context, self);
  g_rec_mutex_unlock (&registry_lock);
}

void
gaio_context_set_thread_default (GaioContext *self)
{
  if (self != NULL)
    gaio_waker_claim_home (gaio_context_get_core (self)->waker);
  g_private_replace (&thread_default, self != NULL ? g_object_ref (self) : NULL);
}
