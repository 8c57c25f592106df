/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The fd monitor that works everywhere: ppoll(2), and in a GMainContext one GPollFD for each node.
 * A wait costs time for each descriptor, so the table changes to epoll when there are many.
 *
 * Nodes come and go from any thread under the table's lock; the home thread waits on arrays of its
 * own, which flush() makes anew only when something has changed. */

#include "config.h"

#include <gaio/base/gaio-poll.h>
#include <gaio/loop/gaio-fd-monitor-private.h>

typedef struct
{
  GaioFdMonitor parent;

  /* immutable */
  GSource *source;

  /* under the table's lock */
  GPtrArray *nodes;
  bool changed;

  /* home thread */
  GPtrArray *watched; /* the nodes of `pollfds`, in the same order */
  GArray *pollfds;
} PollMonitor;

static GaioFdMonitor *
poll_open (GaioRing *ring, GSource *source)
{
  PollMonitor *self = g_new0 (PollMonitor, 1);

  self->source = source;
  self->nodes = g_ptr_array_new ();
  self->watched = g_ptr_array_new ();
  self->pollfds = g_array_new (FALSE, FALSE, sizeof (GPollFD));
  return &self->parent;
}

static void
watch_by_source (PollMonitor *self, GaioFdNode *node)
{
  if (!node->unwatched && gaio_fd_source_is_usable (self->source))
    gaio_fd_source_add (self->source, &node->source_fd, node->fd, node->wanted);
}

static void
unwatch_by_source (PollMonitor *self, GaioFdNode *node)
{
  gaio_fd_source_remove (self->source, &node->source_fd);
}

static void
poll_close (GaioFdMonitor *monitor)
{
  PollMonitor *self = (PollMonitor *) monitor;

  for (guint i = 0; i < self->nodes->len; i++)
    unwatch_by_source (self, self->nodes->pdata[i]);
  g_ptr_array_unref (self->nodes);
  g_ptr_array_unref (self->watched);
  g_array_unref (self->pollfds);
  g_free (self);
}

static bool
poll_update (GaioFdMonitor *monitor, GaioFdNode *removed, GaioFdNode *added)
{
  PollMonitor *self = (PollMonitor *) monitor;

  if (removed != NULL)
    {
      g_ptr_array_remove_fast (self->nodes, removed);
      unwatch_by_source (self, removed);
    }
  if (added != NULL)
    {
      g_ptr_array_add (self->nodes, added);
      watch_by_source (self, added);
    }
  self->changed = true;
  return true;
}

static bool
poll_rewatch (GaioFdMonitor *monitor, GaioFdNode *node)
{
  PollMonitor *self = (PollMonitor *) monitor;

  unwatch_by_source (self, node);
  watch_by_source (self, node);
  self->changed = true;
  return true;
}

static void
poll_flush (GaioFdMonitor *monitor)
{
  PollMonitor *self = (PollMonitor *) monitor;

  if (!self->changed)
    return;
  g_ptr_array_set_size (self->watched, 0);
  g_array_set_size (self->pollfds, 0);
  for (guint i = 0; i < self->nodes->len; i++)
    {
      GaioFdNode *node = self->nodes->pdata[i];
      GPollFD pollfd = { .fd = node->fd, .events = node->wanted };

      if (node->unwatched)
        continue;
      g_ptr_array_add (self->watched, node);
      g_array_append_val (self->pollfds, pollfd);
    }
  self->changed = false;
}

static void
poll_wait (GaioFdMonitor *monitor, gint64 timeout_ns)
{
  PollMonitor *self = (PollMonitor *) monitor;
  GPollFD *pollfds = (GPollFD *) (void *) self->pollfds->data;
  int n_ready = gaio_poll_ns (pollfds, self->pollfds->len, timeout_ns);

  for (guint i = 0; i < self->pollfds->len && n_ready > 0; i++)
    if (pollfds[i].revents != 0)
      {
        gaio_fd_node_set_ready (self->watched->pdata[i], pollfds[i].revents);
        n_ready--;
      }
}

/* What the GMainContext found for the i-th watched node. The lock is held: another thread may be
 * removing the node, and what GLib knows of it. */
static GIOCondition
query_locked (PollMonitor *self, guint i)
{
  GaioFdNode *node = self->watched->pdata[i];

  return node->source_fd.is_added ? node->source_fd.pollfd.revents : 0;
}

static void
poll_collect (GaioFdMonitor *monitor)
{
  PollMonitor *self = (PollMonitor *) monitor;

  g_mutex_lock (monitor->lock);
  for (guint i = 0; i < self->watched->len; i++)
    {
      GIOCondition condition = query_locked (self, i);

      if (condition != 0)
        gaio_fd_node_set_ready (self->watched->pdata[i], condition);
    }
  g_mutex_unlock (monitor->lock);
}

static bool
poll_source_is_ready (GaioFdMonitor *monitor)
{
  PollMonitor *self = (PollMonitor *) monitor;
  bool found = false;

  g_mutex_lock (monitor->lock);
  for (guint i = 0; i < self->watched->len && !found; i++)
    found = query_locked (self, i) != 0;
  g_mutex_unlock (monitor->lock);
  return found;
}

static int
poll_get_fd (GaioFdMonitor *monitor)
{
  return -1;
}

const GaioFdMonitorOps gaio_fd_monitor_poll = {
  .type = GAIO_MONITOR_POLL,
  .open = poll_open,
  .close = poll_close,
  .update = poll_update,
  .rewatch = poll_rewatch,
  .flush = poll_flush,
  .wait = poll_wait,
  .collect = poll_collect,
  .source_is_ready = poll_source_is_ready,
  .get_fd = poll_get_fd,
};
