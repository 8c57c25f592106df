/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The ring where liburing was not there at build time: never made, so nothing else is called. */

#include "config.h"

#include <gaio/base/gaio-ring-private.h>

GaioRing *
gaio_ring_new (guint n_entries, char **reason)
{
  *reason = g_strdup ("built without liburing");
  return NULL;
}

void
gaio_ring_free (GaioRing *self)
{
  g_assert_not_reached ();
}

bool
gaio_ring_supports (GaioRing *self, int opcode)
{
  return false;
}

int
gaio_ring_get_fd (GaioRing *self)
{
  return -1;
}

void
gaio_ring_set_waker (GaioRing *self, GaioWaker *waker)
{
}

struct io_uring_sqe *
gaio_ring_get_sqe (GaioRing *self, GaioRingOp *op)
{
  return NULL;
}

void
gaio_ring_submit (GaioRing *self)
{
}

void
gaio_ring_submit_and_wait (GaioRing *self, gint64 timeout_ns)
{
}

bool
gaio_ring_is_ready (GaioRing *self)
{
  return false;
}

void
gaio_ring_set_max_batch (GaioRing *self, guint n_operations)
{
}

bool
gaio_ring_has_completed (GaioRing *self, GaioRingOp *op)
{
  return false;
}

int
gaio_ring_register_memory (
    GaioRing *self, gpointer memory, gsize size, GDestroyNotify gone, gpointer data)
{
  return -ENOSYS;
}

bool
gaio_ring_unregister_memory (GaioRing *self, int index)
{
  return false;
}

bool
gaio_ring_has_unsubmitted (GaioRing *self)
{
  return false;
}

guint
gaio_ring_reap (GaioRing *self, GaioSlice *slice)
{
  return 0;
}

bool
gaio_ring_is_usable (GaioRing *self)
{
  return false;
}

guint
gaio_ring_get_depth (GaioRing *self)
{
  return 0;
}
