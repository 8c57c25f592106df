/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The table of fd handlers: which descriptor has which handler.
 *
 * Any thread sets and removes handlers under the lock. A handler that is removed is `retired`: it
 * is not called any more, which is looked at before each callback, but its node stays until the
 * outermost turn has ended (bury), because turns further out may have it in their hands; then its
 * data is freed, in the home thread.
 *
 * No callback runs with the lock held. Lock order: this lock is the last but for GLib's own. */

#include "config.h"

#include <errno.h>
#include <fcntl.h>

#include <gaio/loop/gaio-fd-table-parts-private.h>

/* Where poll(2) gets dearer than epoll: QEMU's figure too. */
#define DEFAULT_EPOLL_THRESHOLD 64

void
gaio_fd_node_set_ready (GaioFdNode *node, GIOCondition condition)
{
  condition &= node->wanted | G_IO_ERR | G_IO_HUP | G_IO_NVAL;
  if (condition == 0 || node->unwatched)
    return;
  if (!gaio_fd_node_is_in_ready_list (node))
    g_queue_push_tail_link (node->monitor->ready, &node->ready_link);
  node->ready |= condition;
}

void
gaio_fd_node_set_poll_hit (GaioFdNode *node)
{
  if (!gaio_fd_node_is_in_ready_list (node))
    g_queue_push_tail_link (node->monitor->ready, &node->ready_link);
  node->poll_hit = true;
}

GaioFdTable *
gaio_fd_table_new (GaioBhQueue *queue, GSource *source, GaioMonitor wanted)
{
  GaioFdTable *self = g_new0 (GaioFdTable, 1);

  self->queue = gaio_bh_queue_ref (queue);
  self->source = source;
  atomic_init (&self->wanted, (int) wanted);
  g_mutex_init (&self->lock);
  self->by_fd = g_ptr_array_new ();
  self->pollable = g_ptr_array_new ();
  self->epoll_threshold = DEFAULT_EPOLL_THRESHOLD;
  atomic_init (&self->recheck, true);
  return self;
}

static GaioFdData *
data_new (gpointer user_data, GDestroyNotify notify)
{
  GaioFdData *data = g_new0 (GaioFdData, 1);

  atomic_init (&data->refs, 1);
  data->user_data = user_data;
  data->notify = notify;
  return data;
}

static GaioFdData *
data_ref (GaioFdData *data)
{
  if (data != NULL)
    atomic_fetch_add_explicit (&data->refs, 1, memory_order_relaxed);
  return data;
}

static void
data_unref (GaioFdData *data)
{
  if (data == NULL || atomic_fetch_sub_explicit (&data->refs, 1, memory_order_acq_rel) != 1)
    return;
  if (data->notify != NULL)
    data->notify (data->user_data);
  g_free (data);
}

void
gaio_fd_node_free (GaioFdNode *node)
{
  data_unref (node->data);
  data_unref (node->can_read_data);
  data_unref (node->poll_data);
  g_free (node);
}

void
gaio_fd_table_close_monitor (GaioFdTable *self)
{
  g_mutex_lock (&self->lock);
  if (self->monitor != NULL)
    {
      for (GList *link = self->live.head; link != NULL; link = link->next)
        self->monitor->ops->update (self->monitor, link->data, NULL);
      self->monitor->ops->close (self->monitor);
      self->monitor = NULL;
    }
  g_mutex_unlock (&self->lock);
}

void
gaio_fd_table_forget_polls (GaioFdTable *self)
{
  GQueue *const lists[] = { &self->live, &self->retired };

  g_mutex_lock (&self->lock);
  for (guint i = 0; i < G_N_ELEMENTS (lists); i++)
    for (GList *link = lists[i]->head; link != NULL; link = link->next)
      {
        ((GaioFdNode *) link->data)->polled = false;
        ((GaioFdNode *) link->data)->poll_cancelled = false;
      }
  g_mutex_unlock (&self->lock);
}

/* The first of a list of nodes, taken out of it. */
static GaioFdNode *
steal_node (GaioFdTable *self, GQueue *list)
{
  GaioFdNode *node = NULL;
  GList *link;

  g_mutex_lock (&self->lock);
  link = g_queue_pop_head_link (list);
  if (link != NULL)
    {
      node = link->data;
      if (self->by_fd->pdata[node->fd] == node)
        self->by_fd->pdata[node->fd] = NULL;
    }
  g_mutex_unlock (&self->lock);
  return node;
}

void
gaio_fd_table_clear (GaioFdTable *self)
{
  GaioFdNode *node;

  g_queue_init (&self->ready);
  g_queue_init (&self->held);
  g_queue_init (&self->askers);
  g_ptr_array_set_size (self->pollable, 0);
  while ((node = steal_node (self, &self->live)) != NULL)
    gaio_fd_node_free (node);
  while ((node = steal_node (self, &self->retired)) != NULL)
    gaio_fd_node_free (node);
}

void
gaio_fd_table_free (GaioFdTable *self)
{
  gaio_fd_table_close_monitor (self);
  gaio_fd_table_clear (self);
  g_ptr_array_unref (self->by_fd);
  g_ptr_array_unref (self->pollable);
  g_mutex_clear (&self->lock);
  gaio_bh_queue_unref (self->queue);
  g_free (self);
}

/* Changing the set */

static void
retire_locked (GaioFdTable *self, GaioFdNode *node)
{
  atomic_store_explicit (&node->retired, true, memory_order_release);
  g_queue_unlink (&self->live, &node->link);
  if (node->can_read != NULL)
    g_queue_unlink (&self->askers, &node->asker_link);
  atomic_store (&self->n_askers, self->askers.length);
  g_queue_push_tail_link (&self->retired, &node->link);
  atomic_store (&self->n_retired, self->retired.length);
}

static void
replace_locked (GaioFdTable *self, int fd, GaioFdNode *added)
{
  GaioFdNode *removed = self->by_fd->pdata[fd];

  self->by_fd->pdata[fd] = added;
  if (removed != NULL)
    {
      retire_locked (self, removed);
      self->n_handlers -= !removed->internal;
    }
  if (added != NULL)
    {
      self->n_handlers += !added->internal;
      self->pollable_changed |= added->poll != NULL;
      added->link.data = added;
      added->ready_link.data = added;
      added->held_link.data = added;
      added->asker_link.data = added;
      added->monitor = self->monitor;
      added->wanted = added->events;
      added->unwatched = gaio_fd_node_is_of_no_interest (added);
      g_queue_push_tail_link (&self->live, &added->link);
      if (added->can_read != NULL)
        g_queue_push_tail_link (&self->askers, &added->asker_link);
      atomic_store (&self->n_askers, self->askers.length);
    }
  if (self->monitor != NULL && !self->monitor->ops->update (self->monitor, removed, added))
    self->monitor_failed = true;
  atomic_store (&self->recheck, true);
}

int
gaio_fd_table_set (GaioFdTable *self, const GaioFdRegistration *registration)
{
  int fd = registration->fd;
  GaioFdNode *node;

  if (fd < 0 || fcntl (fd, F_GETFD) < 0)
    return -EBADF;

  node = g_new0 (GaioFdNode, 1);
  node->fd = fd;
  node->events = registration->events;
  node->handlers = registration->handlers;
  node->func = registration->func;
  node->data = data_new (registration->user_data, registration->notify);
  node->can_read = node->handlers.can_read;
  node->can_read_data = node->can_read != NULL ? data_ref (node->data) : NULL;
  node->poll = node->handlers.poll;
  node->poll_data = node->poll != NULL ? data_ref (node->data) : NULL;
  node->group = registration->group;
  node->internal = registration->internal;

  g_mutex_lock (&self->lock);
  if (registration->is_exclusive && gaio_fd_table_find_locked (self, fd) != NULL)
    {
      g_mutex_unlock (&self->lock);
      node->data->notify = NULL;
      gaio_fd_node_free (node);
      return -EEXIST;
    }
  if (self->by_fd->len <= (guint) fd)
    g_ptr_array_set_size (self->by_fd, MAX (fd + 1, (int) self->by_fd->len * 2));
  replace_locked (self, fd, node);
  g_mutex_unlock (&self->lock);

  gaio_waker_notify (gaio_bh_queue_get_waker (self->queue));
  return 0;
}

GaioFdNode *
gaio_fd_table_find_locked (GaioFdTable *self, int fd)
{
  return fd >= 0 && (guint) fd < self->by_fd->len ? self->by_fd->pdata[fd] : NULL;
}

/* The amended handler is a node of its own, with the data of the one whose place it takes. */
static GaioFdNode *
copy_node (GaioFdNode *node)
{
  GaioFdNode *copy = g_new0 (GaioFdNode, 1);

  copy->fd = node->fd;
  copy->events = node->events;
  copy->handlers = node->handlers;
  copy->func = node->func;
  copy->data = data_ref (node->data);
  copy->can_read = node->can_read;
  copy->can_read_data = data_ref (node->can_read_data);
  copy->poll = node->poll;
  copy->poll_data = data_ref (node->poll_data);
  copy->group = node->group;
  copy->internal = node->internal;
  return copy;
}

static void
amend (GaioFdNode *node, const GaioFdAmendment *amendment, GaioFdData **replaced)
{
  if (amendment->can_read != NULL)
    {
      node->can_read = amendment->can_read;
      *replaced = node->can_read_data;
      node->can_read_data = data_new (amendment->user_data, amendment->notify);
    }
  if (amendment->poll != NULL)
    {
      node->poll = amendment->poll;
      *replaced = node->poll_data;
      node->poll_data = data_new (amendment->user_data, amendment->notify);
    }
  if (amendment->changes_group)
    node->group = amendment->group;
}

int
gaio_fd_table_amend (GaioFdTable *self, int fd, const GaioFdAmendment *amendment)
{
  GaioFdNode *node;
  bool found;

  g_mutex_lock (&self->lock);
  node = gaio_fd_table_find_locked (self, fd);
  found = node != NULL && !node->internal;
  if (found)
    {
      GaioFdData *replaced = NULL;
      GaioFdNode *amended = copy_node (node);

      amend (amended, amendment, &replaced);
      replace_locked (self, fd, amended);
      /* Not the last reference: the retired node has one, which goes in the home thread. */
      data_unref (replaced);
    }
  g_mutex_unlock (&self->lock);

  if (!found)
    return -ENOENT;
  gaio_waker_notify (gaio_bh_queue_get_waker (self->queue));
  return 0;
}

void
gaio_fd_table_remove (GaioFdTable *self, int fd)
{
  bool found;

  g_mutex_lock (&self->lock);
  found = gaio_fd_table_find_locked (self, fd) != NULL;
  if (found)
    replace_locked (self, fd, NULL);
  g_mutex_unlock (&self->lock);

  /* The turn that follows frees the data. */
  if (found)
    gaio_waker_notify (gaio_bh_queue_get_waker (self->queue));
}
