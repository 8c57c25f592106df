/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which engine a context has, and what its requests share. The choice is made once for each
 * context, at its first request: the ring, if there is one, else the threads. A single request may
 * still go to the threads (see gaio-request.c); the context never does as a whole, except when the
 * kernel stops taking operations, and then one by one.
 *
 * The state hangs on the context, so that this floor needs no field in the one below. Only the
 * home thread calls anything here. */

#include "config.h"

#include <gaio/base/gaio-debug-private.h>
#include <gaio/file/gaio-engine-private.h>

static G_DEFINE_QUARK (gaio-engine-state, gaio_engine_state)

guint
gaio_engine_get_threads_depth (GaioThreadPool *pool)
{
  return MAX (gaio_thread_pool_get_max_threads (pool), 1);
}

static void
begin_queues (GaioEngineState *self)
{
  self->fork_count = gaio_fork_get_count ();
  self->ring_queue =
      (GaioRequestQueue){ .depth = self->ring != NULL ? gaio_ring_get_depth (self->ring) : 0 };
  self->threads_queue =
      (GaioRequestQueue){ .number = 1, .depth = gaio_engine_get_threads_depth (self->pool) };
}

static void
state_free (gpointer data)
{
  GaioEngineState *self = data;

  g_object_unref (self->pool);
  g_free (self);
}

GaioEngineState *
gaio_engine_state_get (GaioContext *context)
{
  GaioEngineState *self = g_object_get_qdata (G_OBJECT (context), gaio_engine_state_quark ());

  if (self != NULL)
    {
      /* What is in flight and what waits is the parent's, as the files are that it is for; the
       * first request to a file of the child's own comes by here. */
      if (G_UNLIKELY (self->fork_count != gaio_fork_get_count ()))
        {
          self->ring = NULL;
          begin_queues (self);
        }
      return self;
    }

  self = g_new0 (GaioEngineState, 1);
  self->counters = gaio_context_get_counters (context);
  self->pool = gaio_thread_pool_ref_for (context);
  self->ring = gaio_context_get_ring (context);
  if (self->ring != NULL)
    self->ring_kinds = gaio_engine_uring_get_kinds (self->ring);
  begin_queues (self);
  gaio_debug (FILE,
              "context %p: %s engine, %u in flight at most",
              (void *) context,
              self->ring != NULL ? "io_uring" : "threads",
              self->ring != NULL ? self->ring_queue.depth : self->threads_queue.depth);
  /* No request is in flight when the context goes: each holds it. */
  g_object_set_qdata_full (G_OBJECT (context), gaio_engine_state_quark (), self, state_free);
  return self;
}

void
gaio_engine_refresh (GaioFile *file)
{
  if (G_UNLIKELY (file->engine == NULL))
    file->engine = gaio_engine_state_get (file->context);
  /* Of a new file, too: the state may be older than the ring. */
  if (file->engine->ring != NULL)
    file->engine->ring = gaio_context_get_ring (file->context);
}
