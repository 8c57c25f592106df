/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* How the handlers of a context are waited for: which monitor does it, and what of them it asks the
 * kernel for.
 *
 * The monitor is what was asked for, or io_uring when there is a ring, else poll, and epoll from
 * the threshold on. A monitor that cannot go on (epoll out of memory, a ring that the kernel
 * refuses) is replaced in the next flush, and nothing is lost, since all of them report levels.
 *
 * What a turn must not call, because of its group, is held: the kernel is not asked for it, or the
 * turn would find it ready again and again, until a turn comes that may. Nor is the kernel asked
 * for what a can-read function does not want. */

#include "config.h"

#include <gaio/base/gaio-debug-private.h>
#include <gaio/loop/gaio-fd-table-parts-private.h>

GaioMonitor
gaio_fd_table_get_monitor (GaioFdTable *self)
{
  GaioMonitor type = atomic_load (&self->type);

  return type != GAIO_MONITOR_AUTO ? type : (GaioMonitor) atomic_load (&self->wanted);
}

const char *
gaio_fd_table_get_monitor_reason (GaioFdTable *self)
{
  const char *reason;

  g_mutex_lock (&self->lock);
  reason = self->monitor != NULL ? self->reason : NULL;
  g_mutex_unlock (&self->lock);
  return reason;
}

GaioMonitor
gaio_fd_table_get_wanted_monitor (GaioFdTable *self)
{
  return atomic_load_explicit (&self->wanted, memory_order_relaxed);
}

void
gaio_fd_table_set_monitor (GaioFdTable *self, GaioMonitor wanted)
{
  g_mutex_lock (&self->lock);
  atomic_store (&self->wanted, (int) wanted);
  if (wanted == GAIO_MONITOR_EPOLL)
    self->epoll_failed = false;
  atomic_store (&self->recheck, true);
  g_mutex_unlock (&self->lock);
  gaio_waker_notify (gaio_bh_queue_get_waker (self->queue));
}

void
gaio_fd_table_leave_source (GaioFdTable *self)
{
  g_mutex_lock (&self->lock);
  self->has_left_source = true;
  self->is_stale = true;
  atomic_store (&self->recheck, true);
  g_mutex_unlock (&self->lock);
  gaio_waker_notify (gaio_bh_queue_get_waker (self->queue));
}

guint
gaio_fd_table_get_epoll_threshold (GaioFdTable *self)
{
  guint n_fds;

  g_mutex_lock (&self->lock);
  n_fds = self->epoll_threshold;
  g_mutex_unlock (&self->lock);
  return n_fds;
}

void
gaio_fd_table_set_epoll_threshold (GaioFdTable *self, guint n_fds)
{
  g_mutex_lock (&self->lock);
  self->epoll_threshold = n_fds;
  atomic_store (&self->recheck, true);
  g_mutex_unlock (&self->lock);
}

static const GaioFdMonitorOps *
choose_locked (GaioFdTable *self, GaioRing *ring)
{
  GaioMonitor wanted = atomic_load (&self->wanted);
  bool epoll_is_fit = !self->epoll_failed;

  self->reason = "the context has an io_uring";
  if ((wanted == GAIO_MONITOR_AUTO || wanted == GAIO_MONITOR_IO_URING) && ring != NULL &&
      gaio_ring_is_usable (ring))
    return &gaio_fd_monitor_uring;
  self->reason = wanted == GAIO_MONITOR_EPOLL ? "epoll was asked for"
                                              : "a foreign loop waits for one descriptor";
  if (epoll_is_fit && (wanted == GAIO_MONITOR_EPOLL || self->needs_fd))
    return &gaio_fd_monitor_epoll;
  self->reason = "poll was asked for";
  if (wanted == GAIO_MONITOR_POLL)
    return &gaio_fd_monitor_poll;
  self->reason = "there are many descriptors";
  if (epoll_is_fit && self->live.length >= self->epoll_threshold)
    return &gaio_fd_monitor_epoll;
  /* An epoll set that is there stays: descriptors that come and go at the threshold would have it
   * made and closed again and again. */
  self->reason = "epoll was in use before";
  if (epoll_is_fit && self->monitor != NULL && self->monitor->ops == &gaio_fd_monitor_epoll)
    return &gaio_fd_monitor_epoll;
  self->reason = epoll_is_fit ? "there are few descriptors" : "epoll has failed";
  return &gaio_fd_monitor_poll;
}

static void
open_locked (GaioFdTable *self, const GaioFdMonitorOps *ops, GaioRing *ring)
{
  GSource *source = self->has_left_source ? NULL : self->source;
  GaioFdMonitor *old = self->monitor;
  GaioFdMonitor *monitor = gaio_fd_monitor_open (ops, ring, source, &self->ready, &self->lock);

  if (monitor == NULL)
    {
      if (ops == &gaio_fd_monitor_epoll)
        self->epoll_failed = true;
      ops = &gaio_fd_monitor_poll;
      monitor = gaio_fd_monitor_open (ops, ring, source, &self->ready, &self->lock);
      self->reason = "the system allows no other";
    }
  gaio_debug (LOOP, "%u descriptors: monitor %s", self->live.length,
              ops->type == GAIO_MONITOR_POLL    ? "poll"
              : ops->type == GAIO_MONITOR_EPOLL ? "epoll"
                                                : "io_uring");

  self->monitor_failed = false;
  self->is_stale = false;
  if (old != NULL)
    {
      for (GList *link = self->live.head; link != NULL; link = link->next)
        old->ops->update (old, link->data, NULL);
      old->ops->close (old);
    }
  for (GList *link = self->live.head; link != NULL; link = link->next)
    {
      GaioFdNode *node = link->data;

      node->monitor = monitor;
      if (!ops->update (monitor, NULL, node))
        self->monitor_failed = true;
    }
  for (GList *link = self->retired.head; link != NULL; link = link->next)
    ((GaioFdNode *) link->data)->monitor = monitor;
  self->monitor = monitor;
  self->fd_generation++;
  atomic_store (&self->type, (int) ops->type);

  if (self->monitor_failed && ops == &gaio_fd_monitor_epoll)
    {
      self->epoll_failed = true;
      self->reason = "epoll has failed";
      open_locked (self, &gaio_fd_monitor_poll, ring);
    }
}

/* What the kernel is asked for, after a handler was held or released, or wants to read or not. */
static void
rewatch_locked (GaioFdTable *self, GaioFdNode *node)
{
  GIOCondition wanted = node->cannot_read ? node->events & ~GAIO_FD_READING : node->events;
  bool unwatched = node->held || gaio_fd_node_is_of_no_interest (node) ||
                   (node->cannot_read && (wanted & ~(G_IO_ERR | G_IO_NVAL)) == 0);

  if (node->retired || (wanted == node->wanted && unwatched == node->unwatched))
    return;
  node->wanted = wanted;
  node->unwatched = unwatched;
  if (self->monitor != NULL && !self->monitor->ops->rewatch (self->monitor, node))
    self->monitor_failed = true;
  atomic_store (&self->recheck, true);
}

void
gaio_fd_table_hold (GaioFdTable *self, GaioFdNode *node)
{
  g_mutex_lock (&self->lock);
  node->held = true;
  g_queue_push_tail_link (&self->held, &node->held_link);
  rewatch_locked (self, node);
  g_mutex_unlock (&self->lock);
}

static void
release_held (GaioFdTable *self, guint groups)
{
  GList *link, *next;

  if (G_LIKELY (self->held.head == NULL))
    return;
  g_mutex_lock (&self->lock);
  for (link = self->held.head; link != NULL; link = next)
    {
      GaioFdNode *node = link->data;

      next = link->next;
      if (!(groups & GAIO_FD_GROUP_BIT (node->group)))
        continue;
      g_queue_unlink (&self->held, link);
      node->held = false;
      rewatch_locked (self, node);
      if (node->held_hit)
        gaio_fd_node_set_poll_hit (node);
      node->held_hit = false;
    }
  g_mutex_unlock (&self->lock);
}

/* The can-read functions are the user's and may do anything, so they are called without the lock,
 * on a list of what there was. */
static void
ask_handlers (GaioFdTable *self)
{
  g_autoptr (GPtrArray) askers = NULL;

  if (G_LIKELY (atomic_load_explicit (&self->n_askers, memory_order_relaxed) == 0))
    return;
  askers = g_ptr_array_new ();
  g_mutex_lock (&self->lock);
  for (GList *link = self->askers.head; link != NULL; link = link->next)
    {
      GaioFdNode *node = link->data;

      node->walkers++;
      g_ptr_array_add (askers, node);
    }
  g_mutex_unlock (&self->lock);

  for (guint i = 0; i < askers->len; i++)
    {
      GaioFdNode *node = askers->pdata[i];

      if (gaio_fd_node_is_live (node))
        {
          bool cannot_read = node->can_read (node->can_read_data->user_data) <= 0;

          g_mutex_lock (&self->lock);
          node->cannot_read = cannot_read;
          rewatch_locked (self, node);
          g_mutex_unlock (&self->lock);
        }
      node->walkers--;
    }
}

/* Those that are removed leave the list when they are freed. */
void
gaio_fd_table_list_pollable_locked (GaioFdTable *self)
{
  self->pollable_changed = false;
  g_ptr_array_set_size (self->pollable, 0);
  for (GList *link = self->live.head; link != NULL; link = link->next)
    if (((GaioFdNode *) link->data)->poll != NULL)
      g_ptr_array_add (self->pollable, link->data);
}

GPtrArray *
gaio_fd_table_get_pollable (GaioFdTable *self)
{
  return self->pollable;
}

guint
gaio_fd_table_get_n_handlers (GaioFdTable *self)
{
  guint n_handlers;

  g_mutex_lock (&self->lock);
  n_handlers = self->n_handlers;
  g_mutex_unlock (&self->lock);
  return n_handlers;
}

guint64
gaio_fd_table_get_n_called (GaioFdTable *self)
{
  return self->n_called;
}

static void
flush_monitor (GaioFdTable *self, GaioRing *ring)
{
  GaioFdMonitor *monitor = self->monitor;
  bool ring_is_lost = monitor != NULL && monitor->ops == &gaio_fd_monitor_uring &&
                      (ring == NULL || !gaio_ring_is_usable (ring));

  if (!atomic_exchange (&self->recheck, false) && !ring_is_lost && monitor != NULL &&
      !monitor->needs_flush)
    return;

  g_mutex_lock (&self->lock);
  if (self->monitor_failed && monitor->ops == &gaio_fd_monitor_epoll)
    self->epoll_failed = true;
  if (monitor == NULL || self->is_stale || choose_locked (self, ring) != monitor->ops)
    open_locked (self, choose_locked (self, ring), ring);
  if (self->monitor->ops->flush != NULL)
    self->monitor->ops->flush (self->monitor);
  if (self->pollable_changed)
    gaio_fd_table_list_pollable_locked (self);
  g_mutex_unlock (&self->lock);
}

void
gaio_fd_table_flush (GaioFdTable *self, GaioRing *ring, guint groups)
{
  release_held (self, groups);
  ask_handlers (self);
  flush_monitor (self, ring);
}

void
gaio_fd_table_wait (GaioFdTable *self, gint64 timeout_ns)
{
  self->monitor->ops->wait (self->monitor, timeout_ns);
}

void
gaio_fd_table_collect (GaioFdTable *self)
{
  if (self->monitor != NULL)
    self->monitor->ops->collect (self->monitor);
}

bool
gaio_fd_table_source_is_ready (GaioFdTable *self)
{
  return self->monitor != NULL && self->monitor->ops->source_is_ready (self->monitor);
}

bool
gaio_fd_table_is_ready (GaioFdTable *self)
{
  return self->ready.head != NULL ||
         (self->monitor != NULL && self->monitor->ops->is_ready != NULL &&
          self->monitor->ops->is_ready (self->monitor));
}

void
gaio_fd_table_begin_child (GaioFdTable *self)
{
  g_mutex_lock (&self->lock);
  self->is_stale = true;
  atomic_store (&self->recheck, true);
  g_mutex_unlock (&self->lock);
}

void
gaio_fd_table_need_fd (GaioFdTable *self)
{
  g_mutex_lock (&self->lock);
  self->needs_fd = true;
  self->epoll_failed = false; /* it may have been for want of a descriptor */
  atomic_store (&self->recheck, true);
  g_mutex_unlock (&self->lock);
}

int
gaio_fd_table_get_fd (GaioFdTable *self)
{
  return self->monitor != NULL ? self->monitor->ops->get_fd (self->monitor) : -1;
}

guint
gaio_fd_table_get_fd_generation (GaioFdTable *self)
{
  if (self->monitor != NULL && self->monitor->is_other_file)
    {
      self->monitor->is_other_file = false;
      self->fd_generation++;
    }
  return self->fd_generation;
}
