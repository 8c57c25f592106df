/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The table of fd handlers: which descriptor has which handler, which monitor waits for them, and
 * what is ready.
 *
 * Any thread sets and removes handlers under the lock. A handler that is removed is `retired`: it
 * is not called any more, which is looked at before each callback, but its node stays until the
 * outermost turn has ended (bury), because turns further out may have it in their hands; then its
 * data is freed, in the home thread.
 *
 * The list of what is ready belongs to the table and not to a turn, so a nested turn serves what
 * the outer one found. What a turn must not call, because of its group, is held: the kernel is not
 * asked for it, or the turn would find it ready again and again, until a turn comes that may.
 *
 * The monitor is chosen here: what was asked for, or io_uring when there is a ring, else poll, and
 * epoll from the threshold on. A monitor that cannot go on (epoll out of memory, a ring that the
 * kernel refuses) is replaced in the next flush, and nothing is lost, since all of them report
 * levels. No callback runs with the lock held. Lock order: this lock is the last but for GLib's
 * own. */

#include "config.h"

#include <errno.h>
#include <fcntl.h>

#include <gaio/base/gaio-debug-private.h>
#include <gaio/loop/gaio-fd-table-private.h>

/* Where poll(2) gets dearer than epoll: QEMU's figure too. */
#define DEFAULT_EPOLL_THRESHOLD 64

struct _GaioFdTable
{
  /* immutable */
  GaioBhQueue *queue;
  GSource *source;

  GMutex lock;

  /* under the lock */
  GPtrArray *by_fd; /* the live node of each descriptor, or NULL */
  GQueue live;
  GQueue retired;
  GQueue askers; /* those of the live that have a can-read function */
  guint epoll_threshold;
  GaioFdMonitor *monitor; /* made by the home thread; NULL before the first flush */
  const char *reason;     /* why that one, or the one that will be */
  bool monitor_failed;    /* it could not take a node */
  bool epoll_failed;
  bool needs_fd;
  bool is_stale; /* the monitor is of the parent of this process, or for a source: open another */
  bool has_left_source;
  guint n_handlers; /* live ones that are not the loop's own */
  bool pollable_changed;

  atomic_int wanted;     /* GaioMonitor; written under the lock, to be read without it */
  atomic_uint n_askers;  /* the length of `askers`; as before */
  atomic_uint n_retired; /* the length of `retired`; as before */
  atomic_int type;       /* GaioMonitor of `monitor`, or GAIO_MONITOR_AUTO; as before */
  atomic_bool recheck;   /* flush() has something to decide; as before */

  /* home thread */
  GQueue ready;
  GQueue held;
  GPtrArray *pollable; /* nodes with a poll function */
  guint64 n_called;
};

/* What a handler that does not want to read is not told of. */
#define READING (G_IO_IN | G_IO_PRI | G_IO_HUP)

static bool
is_in_ready_list (GaioFdNode *node)
{
  return node->ready != 0 || node->poll_hit;
}

void
gaio_fd_node_set_ready (GaioFdNode *node, GIOCondition condition)
{
  condition &= node->wanted | G_IO_ERR | G_IO_HUP | G_IO_NVAL;
  if (condition == 0 || node->unwatched)
    return;
  if (!is_in_ready_list (node))
    g_queue_push_tail_link (node->monitor->ready, &node->ready_link);
  node->ready |= condition;
}

void
gaio_fd_node_set_poll_hit (GaioFdNode *node)
{
  if (!is_in_ready_list (node))
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

static void
free_node (GaioFdNode *node)
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
      self->monitor->ops->close (self->monitor);
      self->monitor = NULL;
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
    free_node (node);
  while ((node = steal_node (self, &self->retired)) != NULL)
    free_node (node);
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

/* A handler with a poll function alone is not called for what its descriptor does. */
static bool
is_of_no_interest (GaioFdNode *node)
{
  return node->func == NULL && node->handlers.read == NULL && node->handlers.write == NULL;
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
      added->unwatched = is_of_no_interest (added);
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
  if (self->by_fd->len <= (guint) fd)
    g_ptr_array_set_size (self->by_fd, MAX (fd + 1, (int) self->by_fd->len * 2));
  replace_locked (self, fd, node);
  g_mutex_unlock (&self->lock);

  gaio_waker_notify (gaio_bh_queue_get_waker (self->queue));
  return 0;
}

static GaioFdNode *
find_locked (GaioFdTable *self, int fd)
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
  node = find_locked (self, fd);
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
  found = find_locked (self, fd) != NULL;
  if (found)
    replace_locked (self, fd, NULL);
  g_mutex_unlock (&self->lock);

  /* The turn that follows frees the data. */
  if (found)
    gaio_waker_notify (gaio_bh_queue_get_waker (self->queue));
}

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

/* The monitor */

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
  GaioFdMonitor *monitor = ops->open (ring, source);

  if (monitor == NULL)
    {
      if (ops == &gaio_fd_monitor_epoll)
        self->epoll_failed = true;
      ops = &gaio_fd_monitor_poll;
      monitor = ops->open (ring, source);
      self->reason = "the system allows no other";
    }
  monitor->ops = ops;
  monitor->ready = &self->ready;
  monitor->lock = &self->lock;
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
  GIOCondition wanted = node->cannot_read ? node->events & ~READING : node->events;
  bool unwatched = node->held || is_of_no_interest (node) ||
                   (node->cannot_read && (wanted & ~(G_IO_ERR | G_IO_NVAL)) == 0);

  if (node->retired || (wanted == node->wanted && unwatched == node->unwatched))
    return;
  node->wanted = wanted;
  node->unwatched = unwatched;
  if (self->monitor != NULL && !self->monitor->ops->rewatch (self->monitor, node))
    self->monitor_failed = true;
  atomic_store (&self->recheck, true);
}

static void
hold (GaioFdTable *self, GaioFdNode *node)
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
static void
list_pollable_locked (GaioFdTable *self)
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
    list_pollable_locked (self);
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

/* Calling handlers */

static void
call (GaioFdNode *node, GIOCondition condition)
{
  const GIOCondition readable = G_IO_IN | G_IO_PRI | G_IO_HUP | G_IO_ERR | G_IO_NVAL;
  const GIOCondition writable = G_IO_OUT | G_IO_ERR;

  if (node->cannot_read)
    condition &= ~READING;
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
  node = find_locked (self, fd);
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
          hold (self, node);
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
      if (node->walkers > 0 || node->polled || node->is_change)
        continue;
      g_queue_unlink (&self->retired, link);
      if (is_in_ready_list (node))
        g_queue_unlink (&self->ready, &node->ready_link);
      if (node->held)
        g_queue_unlink (&self->held, &node->held_link);
      was_pollable |= node->poll != NULL;
      g_queue_push_tail_link (&dead, link);
    }
  atomic_store (&self->n_retired, self->retired.length);
  if (was_pollable)
    list_pollable_locked (self);
  g_mutex_unlock (&self->lock);

  while ((link = g_queue_pop_head_link (&dead)) != NULL)
    free_node (link->data);
}
