/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The fd monitor on the context's ring: one IORING_OP_POLL_ADD for each node. One system call
 * submits file requests, waits, and costs time for what is ready only. In a GMainContext it is one
 * descriptor, the ring's.
 *
 * The polls are one-shot and made anew when they have completed, because that is level-triggered:
 * a handler need not drain its descriptor. (Multishot polls are edge-triggered in effect.)
 *
 * Only the home thread touches the ring. What other threads change waits in `changes` for the next
 * flush(); they notify the waker, so that is soon. A node that the kernel still holds stays in
 * memory until its completion has come. The reaping is the context's: it calls
 * gaio_ring_reap() in each turn, which brings poll_done() here. */

#include "config.h"

#include <errno.h>
#include <liburing.h>

#include <gaio/base/gaio-debug-private.h>
#include <gaio/loop/gaio-fd-monitor-private.h>

typedef struct
{
  GaioFdMonitor parent;

  /* immutable */
  GSource *source;
  GaioRing *ring;
  GaioFdSourceFd source_fd;

  /* under the table's lock */
  GPtrArray *changes;

  /* home thread: nodes whose poll has completed, which say so too (is_renewed) */
  GPtrArray *to_renew;
  GPtrArray *side; /* what flush() looks at; else empty */
} UringMonitor;

static GaioFdMonitor *
uring_open (GaioRing *ring, GSource *source)
{
  UringMonitor *self;

  if (ring == NULL || !gaio_ring_is_usable (ring) || !gaio_ring_supports (ring, IORING_OP_POLL_ADD))
    return NULL;
  self = g_new0 (UringMonitor, 1);
  self->source = source;
  self->ring = ring;
  self->changes = g_ptr_array_new ();
  self->to_renew = g_ptr_array_new ();
  self->side = g_ptr_array_new ();
  if (gaio_fd_source_is_usable (source))
    gaio_fd_source_add (source, &self->source_fd, gaio_ring_get_fd (ring), G_IO_IN);
  return &self->parent;
}

static void
renew (UringMonitor *self, GaioFdNode *node)
{
  if (!node->is_renewed)
    g_ptr_array_add (self->to_renew, node);
  node->is_renewed = true;
  self->parent.needs_flush = true;
}

static void
poll_done (GaioRingOp *op, int res)
{
  GaioFdNode *node = (GaioFdNode *) (void *) ((char *) op - G_STRUCT_OFFSET (GaioFdNode, poll_op));
  UringMonitor *self = (UringMonitor *) node->monitor;
  bool was_cancelled = node->poll_cancelled;

  node->polled = false;
  node->poll_cancelled = false;
  /* The node was removed, or another monitor watches it now. */
  if (node->retired || self->parent.ops != &gaio_fd_monitor_uring)
    return;
  /* What is cancelled was asked for other conditions than are wanted now. */
  if (res > 0 && !was_cancelled)
    gaio_fd_node_set_ready (node, res);
  else if (res < 0 && res != -ECANCELED && !was_cancelled)
    {
      gaio_debug (LOOP, "poll of fd %d: %s", node->fd, g_strerror (-res));
      /* The descriptor was closed under its handler. Anything else passes. */
      if (res == -EBADF)
        return;
    }
  renew (self, node);
}

static bool
uring_update (GaioFdMonitor *monitor, GaioFdNode *removed, GaioFdNode *added)
{
  UringMonitor *self = (UringMonitor *) monitor;
  GaioFdNode *changed[] = { removed, added };

  for (guint i = 0; i < G_N_ELEMENTS (changed); i++)
    if (changed[i] != NULL && !changed[i]->is_change)
      {
        changed[i]->is_change = true;
        g_ptr_array_add (self->changes, changed[i]);
      }
  return true;
}

static bool
uring_rewatch (GaioFdMonitor *monitor, GaioFdNode *node)
{
  return uring_update (monitor, NULL, node);
}

static void
start_poll (UringMonitor *self, GaioFdNode *node)
{
  struct io_uring_sqe *sqe;

  if (node->polled || node->retired || node->unwatched)
    return;
  /* Its handler is still to be called, or it would be reported twice for one event. The loop's own
   * do not mind, and a foreign loop waits for them. */
  if (node->ready != 0 && !node->internal)
    {
      renew (self, node);
      return;
    }
  node->poll_op.complete = poll_done;
  sqe = gaio_ring_get_sqe (self->ring, &node->poll_op);
  if (sqe == NULL)
    {
      /* The kernel takes no more just now; the next flush tries again. */
      renew (self, node);
      return;
    }
  io_uring_prep_poll_add (sqe, node->fd, node->wanted);
  node->polled_for = node->wanted;
  node->polled = true;
}

/* False when the kernel takes no more just now. */
static bool
try_end_poll (UringMonitor *self, GaioFdNode *node)
{
  struct io_uring_sqe *sqe;

  if (!node->polled || node->poll_cancelled || !gaio_ring_is_usable (self->ring))
    return true;
  sqe = gaio_ring_get_sqe (self->ring, NULL);
  if (sqe == NULL)
    return false;
  io_uring_prep_poll_remove (sqe, (guint64) (uintptr_t) &node->poll_op);
  node->poll_cancelled = true;
  return true;
}

static void
end_poll (UringMonitor *self, GaioFdNode *node)
{
  if (try_end_poll (self, node))
    return;
  uring_update (&self->parent, node, NULL);
  self->parent.needs_flush = true;
}

/* What is still being polled for the nodes that are given up is called back; the context goes on to
 * reap. */
static void
uring_close (GaioFdMonitor *monitor)
{
  UringMonitor *self = (UringMonitor *) monitor;

  gaio_fd_source_remove (self->source, &self->source_fd);
  for (guint i = 0; i < self->changes->len; i++)
    {
      GaioFdNode *node = self->changes->pdata[i];

      node->is_change = false;
      /* One that cannot be called back stays in memory until its descriptor is ready. */
      try_end_poll (self, node);
    }
  g_ptr_array_unref (self->changes);
  for (guint i = 0; i < self->to_renew->len; i++)
    ((GaioFdNode *) self->to_renew->pdata[i])->is_renewed = false;
  g_ptr_array_unref (self->to_renew);
  g_ptr_array_unref (self->side);
  g_free (self);
}

/* The nodes of `list`, which is empty then. They are looked at on the side, since what the kernel
 * does not take just now goes back to the list, for the next flush. */
static GPtrArray *
take_all (UringMonitor *self, GPtrArray **list)
{
  GPtrArray *nodes = *list;

  *list = self->side;
  self->side = nodes;
  return nodes;
}

static void
uring_flush (GaioFdMonitor *monitor)
{
  UringMonitor *self = (UringMonitor *) monitor;
  GPtrArray *nodes = take_all (self, &self->changes);

  monitor->needs_flush = false;
  for (guint i = 0; i < nodes->len; i++)
    {
      GaioFdNode *node = nodes->pdata[i];

      node->is_change = false;
      if (node->retired || (node->polled && (node->unwatched || node->polled_for != node->wanted)))
        end_poll (self, node);
      else
        start_poll (self, node);
    }
  g_ptr_array_set_size (nodes, 0);
  nodes = take_all (self, &self->to_renew);
  for (guint i = 0; i < nodes->len; i++)
    {
      GaioFdNode *node = nodes->pdata[i];

      node->is_renewed = false;
      start_poll (self, node);
    }
  g_ptr_array_set_size (nodes, 0);
}

static void
uring_wait (GaioFdMonitor *monitor, gint64 timeout_ns)
{
  gaio_ring_submit_and_wait (((UringMonitor *) monitor)->ring, timeout_ns);
}

static void
uring_collect (GaioFdMonitor *monitor)
{
  /* The context reaps. */
}

static bool
uring_is_ready (GaioFdMonitor *monitor)
{
  return gaio_ring_is_ready (((UringMonitor *) monitor)->ring);
}

static bool
uring_has_reported (GaioFdMonitor *monitor, GaioFdNode *node)
{
  return node->polled && gaio_ring_has_completed (((UringMonitor *) monitor)->ring, &node->poll_op);
}

static int
uring_get_fd (GaioFdMonitor *monitor)
{
  return gaio_ring_get_fd (((UringMonitor *) monitor)->ring);
}

const GaioFdMonitorOps gaio_fd_monitor_uring = {
  .type = GAIO_MONITOR_IO_URING,
  .open = uring_open,
  .close = uring_close,
  .update = uring_update,
  .rewatch = uring_rewatch,
  .flush = uring_flush,
  .wait = uring_wait,
  .collect = uring_collect,
  .source_is_ready = uring_is_ready,
  .has_reported = uring_has_reported,
  .is_ready = uring_is_ready,
  .get_fd = uring_get_fd,
};
