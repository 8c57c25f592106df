/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The descriptors that the other sources of a GMainContext wait for, when a context does the
 * waiting for all of them.
 *
 * GLib asks with a new array in each iteration, which is mostly the one of the last. So they are in
 * a set of their own, an epoll monitor, to which only the differences go; the set's own descriptor
 * is watched in the context's table like any other, whatever monitor that has. A set apart, since
 * the same descriptor may have a handler of the context too, and since a turn that is not GLib's
 * must not be woken for what it cannot serve: the set belongs to a group of its own.
 *
 * What poll(2) has and epoll has not is that it looks up the number each time. When a source closes
 * its descriptor and another opens one that gets the same number, the array does not show it; the
 * kernel would go on to watch nothing. Hence verify(), a system call for each guest and each wait
 * that blocks; a GMainContext has few. */

#include "config.h"

#include <errno.h>

#include <gaio/loop/gaio-guests-private.h>

typedef struct
{
  GaioFdNode node;
  guint index; /* in the array that was set */
  bool failed; /* the kernel does not take it just now */
} Guest;

struct _GaioGuests
{
  GaioFdTable *table;
  GaioFdMonitor *monitor; /* NULL only in a child of a fork that got no descriptor */
  guint n_failed;
  GMutex lock; /* the monitor wants one */
  GQueue ready;
  GPtrArray *guests; /* NULL for an entry that is not watched */
  GArray *fds;       /* gint, of the same entries */
};

static void
on_readable (gpointer user_data)
{
  /* Nothing: who waits for the guests collects them. */
}

static void
watch_set (GaioGuests *self)
{
  gaio_fd_table_set (self->table,
                     &(GaioFdRegistration){
                         .fd = gaio_fd_monitor_epoll.get_fd (self->monitor),
                         .events = G_IO_IN,
                         .handlers = { .read = on_readable },
                         .group = GAIO_FD_GROUP_GUESTS,
                         .internal = true,
                     });
}

static bool
open_set (GaioGuests *self)
{
  self->monitor =
      gaio_fd_monitor_open (&gaio_fd_monitor_epoll, NULL, NULL, &self->ready, &self->lock);
  if (self->monitor == NULL)
    return false;
  watch_set (self);
  return true;
}

static void
close_set (GaioGuests *self)
{
  if (self->monitor == NULL)
    return;
  gaio_fd_table_remove (self->table, gaio_fd_monitor_epoll.get_fd (self->monitor));
  gaio_fd_monitor_epoll.close (self->monitor);
  self->monitor = NULL;
  g_queue_init (&self->ready);
}

GaioGuests *
gaio_guests_new (GaioFdTable *table)
{
  GaioGuests *self = g_new0 (GaioGuests, 1);

  self->table = table;
  g_mutex_init (&self->lock);
  self->guests = g_ptr_array_new_with_free_func (g_free);
  self->fds = g_array_new (FALSE, FALSE, sizeof (int));
  if (open_set (self))
    return self;
  gaio_guests_free (self);
  return NULL;
}

void
gaio_guests_free (GaioGuests *self)
{
  int err = errno;

  close_set (self);
  g_ptr_array_unref (self->guests);
  g_array_unref (self->fds);
  g_mutex_clear (&self->lock);
  g_free (self);
  errno = err;
}

bool
gaio_guests_begin_child (GaioGuests *self)
{
  close_set (self);
  g_ptr_array_set_size (self->guests, 0);
  g_array_set_size (self->fds, 0);
  self->n_failed = 0;
  return open_set (self);
}

static bool
is_same (GaioGuests *self, guint index, const GPollFD *pollfd)
{
  Guest *guest = self->guests->pdata[index];

  return g_array_index (self->fds, int, index) == pollfd->fd &&
         (guest == NULL || guest->node.events == pollfd->events);
}

static void
watch_guest (GaioGuests *self, Guest *guest)
{
  g_mutex_lock (&self->lock);
  guest->failed = !gaio_fd_monitor_epoll.update (self->monitor, NULL, &guest->node);
  g_mutex_unlock (&self->lock);
  self->n_failed += guest->failed;
}

static void
unwatch_guest (GaioGuests *self, Guest *guest)
{
  g_mutex_lock (&self->lock);
  gaio_fd_monitor_epoll.update (self->monitor, &guest->node, NULL);
  g_mutex_unlock (&self->lock);
  self->n_failed -= guest->failed;
}

static Guest *
add (GaioGuests *self, const GPollFD *pollfd, bool steadfast)
{
  Guest *guest = g_new0 (Guest, 1);

  guest->node.fd = pollfd->fd;
  guest->node.events = pollfd->events;
  guest->node.wanted = pollfd->events;
  guest->node.internal = steadfast;
  guest->node.monitor = self->monitor;
  guest->node.ready_link.data = guest;
  watch_guest (self, guest);
  return guest;
}

static void
remove_guest (GaioGuests *self, Guest *guest)
{
  unwatch_guest (self, guest);
  g_free (guest);
}

/* Puts `pollfds` in the place of `n_old` entries from `first` on. Both are in the order of their
 * numbers, as far as they come from GLib; where they are not, more is told to the kernel. */
static void
replace (GaioGuests *self,
         guint first,
         guint n_old,
         const GPollFD *pollfds,
         guint n_new,
         int except,
         int steadfast)
{
  g_autofree Guest **fresh = g_new0 (Guest *, n_new);
  Guest **old = (Guest **) self->guests->pdata + first;
  g_autoptr (GArray) fds = g_array_new (FALSE, FALSE, sizeof (int));
  guint i = 0;

  for (guint j = 0; j < n_new; j++)
    {
      g_array_append_val (fds, pollfds[j].fd);
      while (i < n_old && (old[i] == NULL || old[i]->node.fd < pollfds[j].fd))
        i++;
      if (i < n_old && is_same (self, first + i, &pollfds[j]))
        fresh[j] = g_steal_pointer (&old[i++]);
    }
  /* First those that go, for a number that comes again with other events. */
  for (i = 0; i < n_old; i++)
    if (old[i] != NULL)
      remove_guest (self, g_steal_pointer (&old[i]));
  for (guint j = 0; j < n_new; j++)
    if (fresh[j] == NULL && pollfds[j].fd >= 0 && pollfds[j].fd != except)
      fresh[j] = add (self, &pollfds[j], pollfds[j].fd == steadfast);

  if (n_old > 0)
    {
      g_ptr_array_remove_range (self->guests, first, n_old);
      g_array_remove_range (self->fds, first, n_old);
    }
  for (guint j = 0; j < n_new; j++)
    g_ptr_array_insert (self->guests, (int) (first + j), fresh[j]);
  if (n_new > 0)
    g_array_insert_vals (self->fds, first, fds->data, n_new);
}

void
gaio_guests_set (GaioGuests *self,
                 const GPollFD *pollfds,
                 guint n_pollfds,
                 int except,
                 int steadfast)
{
  guint n_old = self->guests->len;
  guint n_common = MIN (n_old, n_pollfds);
  guint head = 0;
  guint tail = 0;

  if (self->monitor == NULL)
    return;
  while (head < n_common && is_same (self, head, &pollfds[head]))
    head++;
  if (head == n_old && head == n_pollfds)
    return;
  while (head + tail < n_common &&
         is_same (self, n_old - 1 - tail, &pollfds[n_pollfds - 1 - tail]))
    tail++;

  replace (self,
           head,
           n_old - head - tail,
           pollfds + head,
           n_pollfds - head - tail,
           except,
           steadfast);
  for (guint i = head; i < n_pollfds; i++)
    if (self->guests->pdata[i] != NULL)
      ((Guest *) self->guests->pdata[i])->index = i;
}

bool
gaio_guests_verify (GaioGuests *self)
{
  if (self->monitor == NULL)
    return false;
  for (guint i = 0; i < self->guests->len && self->n_failed > 0; i++)
    {
      Guest *guest = self->guests->pdata[i];

      if (guest == NULL || !guest->failed)
        continue;
      unwatch_guest (self, guest);
      watch_guest (self, guest);
    }
  g_mutex_lock (&self->lock);
  gaio_fd_monitor_epoll.verify (self->monitor);
  g_mutex_unlock (&self->lock);
  return self->ready.head != NULL || gaio_fd_monitor_epoll.is_ready (self->monitor);
}

bool
gaio_guests_is_complete (GaioGuests *self)
{
  return self->monitor != NULL && self->n_failed == 0;
}

int
gaio_guests_collect (GaioGuests *self, GPollFD *pollfds)
{
  const GIOCondition always = G_IO_ERR | G_IO_HUP | G_IO_NVAL;
  int n_ready = 0;
  GList *link;

  if (self->monitor == NULL)
    return 0;
  if (gaio_fd_table_take_reported (self->table, gaio_fd_monitor_epoll.get_fd (self->monitor)) ||
      gaio_fd_monitor_epoll.is_ready (self->monitor))
    gaio_fd_monitor_epoll.wait (self->monitor, 0);
  while ((link = g_queue_pop_head_link (&self->ready)) != NULL)
    {
      Guest *guest = link->data;
      GPollFD *pollfd = &pollfds[guest->index];

      pollfd->revents = guest->node.ready & (pollfd->events | always);
      guest->node.ready = 0;
      n_ready += pollfd->revents != 0;
    }
  if (G_UNLIKELY (self->monitor->is_other_file))
    {
      self->monitor->is_other_file = false;
      watch_set (self);
    }
  return n_ready;
}
