/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The fd monitor for many descriptors where there is no io_uring: epoll(7), level-triggered. A
 * wait costs time for what is ready only. In a GMainContext it is one descriptor.
 *
 * Any thread changes the set under the table's lock, at once: a descriptor must be out of the set
 * before its owner closes it, or a duplicate of it would be reported for ever.
 *
 * Where the owner closed it first all the same, the kernel may go on to report it for a duplicate
 * that is still open. So an event does not carry a pointer but the descriptor and a number that no
 * two nodes share, and one that belongs to no node has the set made anew.
 *
 * epoll refuses regular files, which poll(2) calls always ready; so does this monitor.
 *
 * A forked child shares the set with its parent and so leaves it alone; the table opens another.
 *
 * The only file that includes <sys/epoll.h>. */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <gaio/base/gaio-debug-private.h>
#include <gaio/base/gaio-fork-private.h>
#include <gaio/loop/gaio-clock.h>
#include <gaio/loop/gaio-fd-monitor-private.h>

/* What one wait reports at most; the rest is ready in the next one. */
#define MAX_EVENTS 128

typedef struct
{
  GaioFdMonitor parent;

  /* immutable */
  GSource *source;
  int fd;
  GaioFdSourceFd source_fd;
  guint fork_count;

  /* under the table's lock */
  GPtrArray *nodes;   /* by descriptor, NULL where there is none */
  GPtrArray *regular; /* nodes of regular files */
  guint32 last_number;

  atomic_uint n_regular; /* the length of `regular`, to be read without the lock */
} EpollMonitor;

static GaioFdMonitor *
epoll_open (GaioRing *ring, GSource *source)
{
  int fd = epoll_create1 (EPOLL_CLOEXEC);
  EpollMonitor *self;

  if (fd < 0)
    {
      gaio_debug (LOOP, "epoll_create1: %s", g_strerror (errno));
      return NULL;
    }
  self = g_new0 (EpollMonitor, 1);
  self->source = source;
  self->fd = fd;
  self->fork_count = gaio_fork_get_count ();
  self->nodes = g_ptr_array_new ();
  self->regular = g_ptr_array_new ();
  if (gaio_fd_source_is_usable (source))
    gaio_fd_source_add (source, &self->source_fd, fd, G_IO_IN);
  return &self->parent;
}

static void
epoll_close (GaioFdMonitor *monitor)
{
  EpollMonitor *self = (EpollMonitor *) monitor;

  gaio_fd_source_remove (self->source, &self->source_fd);
  close (self->fd);
  g_ptr_array_unref (self->nodes);
  g_ptr_array_unref (self->regular);
  g_free (self);
}

/* 0, or an errno. */
static int
change (EpollMonitor *self, int operation, GaioFdNode *node)
{
  /* The GIOConditions are the values of poll(2), and so are epoll's. */
  struct epoll_event event = {
    .events = node->wanted,
    .data.u64 = (guint64) node->epoll_number << 32 | (guint32) node->fd,
  };

  return epoll_ctl (self->fd, operation, node->fd, &event) == 0 ? 0 : errno;
}

static bool
watch (EpollMonitor *self, GaioFdNode *node)
{
  int err;

  if (node->unwatched)
    return true;
  err = change (self, EPOLL_CTL_ADD, node);
  if (err == EEXIST)
    err = change (self, EPOLL_CTL_MOD, node);
  node->is_regular = err == EPERM;
  if (node->is_regular)
    {
      g_ptr_array_add (self->regular, node);
      atomic_store (&self->n_regular, self->regular->len);
      return true;
    }
  if (err != 0)
    gaio_debug (LOOP, "epoll_ctl for fd %d: %s", node->fd, g_strerror (err));
  /* Closed under its handler: nothing to watch, with any monitor. */
  return err == 0 || err == EBADF;
}

static void
unwatch (EpollMonitor *self, GaioFdNode *node)
{
  if (g_ptr_array_remove_fast (self->regular, node))
    atomic_store (&self->n_regular, self->regular->len);
  else
    /* Fails when the owner has closed the descriptor, which took it out of the set. */
    epoll_ctl (self->fd, EPOLL_CTL_DEL, node->fd, NULL);
}

static bool
add (EpollMonitor *self, GaioFdNode *node)
{
  node->epoll_number = ++self->last_number;
  if (self->nodes->len <= (guint) node->fd)
    g_ptr_array_set_size (self->nodes, MAX (node->fd + 1, (int) self->nodes->len * 2));
  self->nodes->pdata[node->fd] = node;
  return watch (self, node);
}

static bool
epoll_update (GaioFdMonitor *monitor, GaioFdNode *removed, GaioFdNode *added)
{
  EpollMonitor *self = (EpollMonitor *) monitor;

  if (self->fork_count != gaio_fork_get_count ())
    return true;
  if (removed != NULL)
    {
      self->nodes->pdata[removed->fd] = NULL;
      unwatch (self, removed);
    }
  return added == NULL || add (self, added);
}

static bool
epoll_rewatch (GaioFdMonitor *monitor, GaioFdNode *node)
{
  EpollMonitor *self = (EpollMonitor *) monitor;

  if (self->fork_count != gaio_fork_get_count ())
    return true;
  unwatch (self, node);
  return watch (self, node);
}

/* epoll_wait with nanoseconds: epoll_pwait2, or where that is not to be had (before Linux 5.11)
 * milliseconds, rounded up. */
static int
wait_ns (int fd, struct epoll_event *events, gint64 timeout_ns)
{
  static atomic_bool no_pwait2;
  struct timespec timeout = {
    .tv_sec = timeout_ns / G_GINT64_CONSTANT (1000000000),
    .tv_nsec = timeout_ns % G_GINT64_CONSTANT (1000000000),
  };
  gint64 timeout_ms;

  if (timeout_ns <= 0)
    return epoll_wait (fd, events, MAX_EVENTS, timeout_ns < 0 ? -1 : 0);
  if (!atomic_load_explicit (&no_pwait2, memory_order_relaxed))
    {
      int n_ready = epoll_pwait2 (fd, events, MAX_EVENTS, &timeout, NULL);

      /* EPERM: a sandbox that is older than the call. */
      if (n_ready >= 0 || (errno != ENOSYS && errno != EPERM))
        return n_ready;
      atomic_store_explicit (&no_pwait2, true, memory_order_relaxed);
    }
  timeout_ms = timeout_ns / 1000000 + (timeout_ns % 1000000 != 0);
  return epoll_wait (fd, events, MAX_EVENTS, (int) MIN (timeout_ms, G_MAXINT));
}

/* The set keeps its number: the GSource knows it by that. */
static void
make_anew_locked (EpollMonitor *self)
{
  int fd = epoll_create1 (EPOLL_CLOEXEC);

  if (fd < 0)
    return; /* the next wait comes by here again */
  gaio_debug (LOOP, "a descriptor was closed before its handler was removed");
  dup3 (fd, self->fd, O_CLOEXEC);
  close (fd);
  self->parent.is_other_file = true;
  g_ptr_array_set_size (self->regular, 0);
  for (guint i = 0; i < self->nodes->len; i++)
    if (self->nodes->pdata[i] != NULL)
      add (self, self->nodes->pdata[i]);
  atomic_store (&self->n_regular, self->regular->len);
}

static void
epoll_verify (GaioFdMonitor *monitor)
{
  EpollMonitor *self = (EpollMonitor *) monitor;

  if (self->fork_count != gaio_fork_get_count ())
    return;
  for (guint i = 0; i < self->nodes->len; i++)
    {
      GaioFdNode *node = self->nodes->pdata[i];
      int err;

      if (node == NULL || node->internal)
        continue;
      err = change (self, EPOLL_CTL_MOD, node);
      if (err == EBADF)
        gaio_fd_node_set_ready (node, G_IO_NVAL);
      else if (err != (node->is_regular ? EPERM : 0))
        {
          unwatch (self, node);
          add (self, node);
        }
    }
}

static void
report (EpollMonitor *self, gint64 timeout_ns)
{
  struct epoll_event events[MAX_EVENTS];
  bool is_stale = false;
  gint64 end_ns = timeout_ns > 0 ? gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC) + timeout_ns : 0;
  int n_ready;

  if (atomic_load (&self->n_regular) > 0)
    {
      g_mutex_lock (self->parent.lock);
      for (guint i = 0; i < self->regular->len; i++)
        {
          GaioFdNode *node = self->regular->pdata[i];

          gaio_fd_node_set_ready (node, node->wanted & (G_IO_IN | G_IO_OUT));
        }
      g_mutex_unlock (self->parent.lock);
      timeout_ns = 0;
    }

  while ((n_ready = wait_ns (self->fd, events, timeout_ns)) < 0 && errno == EINTR)
    if (timeout_ns > 0)
      timeout_ns = MAX (end_ns - gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC), 0);
  if (n_ready <= 0)
    return;

  g_mutex_lock (self->parent.lock);
  for (int i = 0; i < n_ready && !is_stale; i++)
    {
      guint32 fd = (guint32) events[i].data.u64;
      GaioFdNode *node = fd < self->nodes->len ? self->nodes->pdata[fd] : NULL;

      if (node != NULL && node->epoll_number == events[i].data.u64 >> 32)
        gaio_fd_node_set_ready (node, events[i].events);
      else
        is_stale = true;
    }
  /* Either the node was removed since epoll_wait, or its descriptor was closed too early. */
  if (is_stale)
    make_anew_locked (self);
  g_mutex_unlock (self->parent.lock);
}

static void
epoll_monitor_wait (GaioFdMonitor *monitor, gint64 timeout_ns)
{
  report ((EpollMonitor *) monitor, timeout_ns);
}

static void
epoll_collect (GaioFdMonitor *monitor)
{
  report ((EpollMonitor *) monitor, 0);
}

static bool
epoll_is_ready (GaioFdMonitor *monitor)
{
  EpollMonitor *self = (EpollMonitor *) monitor;

  return atomic_load (&self->n_regular) > 0;
}

static bool
epoll_source_is_ready (GaioFdMonitor *monitor)
{
  EpollMonitor *self = (EpollMonitor *) monitor;

  return self->source_fd.is_added && self->source_fd.pollfd.revents != 0;
}

static int
epoll_get_fd (GaioFdMonitor *monitor)
{
  return ((EpollMonitor *) monitor)->fd;
}

const GaioFdMonitorOps gaio_fd_monitor_epoll = {
  .type = GAIO_MONITOR_EPOLL,
  .open = epoll_open,
  .close = epoll_close,
  .update = epoll_update,
  .rewatch = epoll_rewatch,
  .verify = epoll_verify,
  .wait = epoll_monitor_wait,
  .collect = epoll_collect,
  .source_is_ready = epoll_source_is_ready,
  .is_ready = epoll_is_ready,
  .get_fd = epoll_get_fd,
};
