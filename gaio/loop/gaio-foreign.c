/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a foreign event loop waits for in a context's stead: an epoll set with one member, the
 * descriptor of the context's monitor. That one changes, when another monitor is asked for or the
 * one in use cannot go on, and a loop that has put it into a set of its own would wait for what is
 * not there any more. The set around it stays. */

#include "config.h"

#include <errno.h>

#include <gaio/loop/gaio-foreign-private.h>

struct _GaioForeign
{
  GaioFdMonitor *set;
  GMutex lock; /* the set wants one */
  GQueue ready;
  GaioFdNode node;
  guint generation;
};

GaioForeign *
gaio_foreign_new (void)
{
  GaioForeign *self = g_new0 (GaioForeign, 1);

  self->set = gaio_fd_monitor_open (&gaio_fd_monitor_epoll, NULL, NULL, &self->ready, &self->lock);
  if (self->set == NULL)
    {
      int err = errno;

      g_free (self);
      errno = err;
      return NULL;
    }
  g_mutex_init (&self->lock);
  self->node.fd = -1;
  self->node.events = self->node.wanted = G_IO_IN;
  self->node.monitor = self->set;
  return self;
}

void
gaio_foreign_free (GaioForeign *self)
{
  self->set->ops->close (self->set);
  g_mutex_clear (&self->lock);
  g_free (self);
}

int
gaio_foreign_get_fd (GaioForeign *self)
{
  return self->set->ops->get_fd (self->set);
}

void
gaio_foreign_set_monitor_fd (GaioForeign *self, int fd, guint generation)
{
  if (self->node.fd == fd && self->generation == generation)
    return;
  g_mutex_lock (&self->lock);
  if (self->node.fd >= 0)
    self->set->ops->update (self->set, &self->node, NULL);
  self->node.fd = fd;
  self->generation = generation;
  if (fd >= 0)
    self->set->ops->update (self->set, NULL, &self->node);
  g_mutex_unlock (&self->lock);
}
