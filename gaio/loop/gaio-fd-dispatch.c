/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Calling the handlers of what is ready, and freeing those that are removed. Home thread only.
 *
 * The list of what is ready belongs to the table and not to a turn, so a nested turn serves what
 * the outer one found. */

#include "config.h"

#include <gaio/loop/gaio-fd-table-parts-private.h>

static void
call (GaioFdNode *node, GIOCondition condition)
{
  const GIOCondition readable = G_IO_IN | G_IO_PRI | G_IO_HUP | G_IO_ERR | G_IO_NVAL;
  const GIOCondition writable = G_IO_OUT | G_IO_ERR;

  if (node->cannot_read)
    condition &= ~GAIO_FD_READING;
  if (node->func != NULL)
    {
      if (condition != 0 && gaio_fd_node_is_live (node))
        node->func (node->fd, condition, node->data->user_data);
      return;
    }
  if (condition & readable && node->handlers.read != NULL && !node->cannot_read &&
      gaio_fd_node_is_live (node))
    node->handlers.read (node->data->user_data);
  if (condition & writable && node->handlers.write != NULL && gaio_fd_node_is_live (node))
    node->handlers.write (node->data->user_data);
}

/* While it handles what it has found by polling, a nested turn does not poll it: that would find
 * the same thing again. */
static void
call_after_poll (GaioFdNode *node, GIOCondition condition)
{
  bool was_busy = node->data->is_busy;

  node->data->is_busy = true;
  if (node->handlers.poll_ready == NULL)
    condition |= G_IO_IN;
  else if (gaio_fd_node_is_live (node))
    node->handlers.poll_ready (node->data->user_data);
  if (condition != 0)
    call (node, condition);
  node->data->is_busy = was_busy;
}

bool
gaio_fd_table_take_reported (GaioFdTable *self, int fd)
{
  GaioFdNode *node;
  bool is_reported;

  g_mutex_lock (&self->lock);
  node = gaio_fd_table_find_locked (self, fd);
  g_mutex_unlock (&self->lock);
  if (node == NULL)
    return false;
  is_reported = node->ready != 0 || (node->monitor->ops->has_reported != NULL &&
                                     node->monitor->ops->has_reported (node->monitor, node));
  if (node->ready != 0)
    {
      g_queue_unlink (&self->ready, &node->ready_link);
      node->ready = 0;
    }
  return is_reported;
}

bool
gaio_fd_table_dispatch (GaioFdTable *self, guint groups, GaioSlice *slice)
{
  bool progress = false;
  GList *link;

  while ((link = g_queue_pop_head_link (&self->ready)) != NULL)
    {
      GaioFdNode *node = link->data;
      GIOCondition condition = node->ready;
      bool poll_hit = node->poll_hit;

      node->ready = 0;
      node->poll_hit = false;
      if (G_UNLIKELY (!(groups & GAIO_FD_GROUP_BIT (node->group))))
        {
          node->held_hit = poll_hit;
          gaio_fd_table_hold (self, node);
          continue;
        }
      node->walkers++;
      if (poll_hit)
        call_after_poll (node, condition);
      else
        call (node, condition);
      node->walkers--;
      if (!node->internal)
        {
          progress = true;
          self->n_called++;
        }
      if (gaio_slice_is_over (slice))
        break;
    }
  return progress;
}

void
gaio_fd_table_bury (GaioFdTable *self)
{
  GQueue dead = G_QUEUE_INIT;
  GList *link, *next;
  bool was_pollable = false;

  if (atomic_load (&self->n_retired) == 0)
    return;

  g_mutex_lock (&self->lock);
  /* A monitor that has arrays of its own takes the dead out of them. */
  if (self->monitor != NULL && self->monitor->ops->flush != NULL)
    self->monitor->ops->flush (self->monitor);
  for (link = self->retired.head; link != NULL; link = next)
    {
      GaioFdNode *node = link->data;

      next = link->next;
      if (node->walkers > 0 || node->polled || node->is_change || node->is_renewed)
        continue;
      g_queue_unlink (&self->retired, link);
      if (gaio_fd_node_is_in_ready_list (node))
        g_queue_unlink (&self->ready, &node->ready_link);
      if (node->held)
        g_queue_unlink (&self->held, &node->held_link);
      was_pollable |= node->poll != NULL;
      g_queue_push_tail_link (&dead, link);
    }
  atomic_store (&self->n_retired, self->retired.length);
  if (was_pollable)
    gaio_fd_table_list_pollable_locked (self);
  g_mutex_unlock (&self->lock);

  while ((link = g_queue_pop_head_link (&dead)) != NULL)
    gaio_fd_node_free (link->data);
}
