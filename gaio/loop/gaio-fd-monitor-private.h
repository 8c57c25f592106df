/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* How a context waits for its file descriptors: one table of operations for each way, and the node
 * that stands for one registration. */

#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include <gaio/base/gaio-ring-private.h>
#include <gaio/loop/gaio-fd-handler.h>

typedef struct _GaioFdMonitor GaioFdMonitor;
typedef struct _GaioFdMonitorOps GaioFdMonitorOps;
typedef struct _GaioFdNode GaioFdNode;

/* The group of the descriptors that a context waits for in the stead of a GMainContext: only turns
 * that this brings about look at them. */
#define GAIO_FD_GROUP_GUESTS ((GaioFdGroup) (GAIO_FD_GROUP_IO + 1))

/* How long the loop waits for something that happens again and again: see gaio-adaptive.c. */
typedef struct
{
  guint64 average_ns; /* 0: nothing is known */
  guint64 idle_ns;    /* waited since it last happened */
} GaioWaitEstimate;

/* The data of callbacks, shared by the nodes that take each other's place when a handler is
 * amended. Freed in the home thread. */
typedef struct
{
  atomic_int refs;
  gpointer user_data;
  GDestroyNotify notify;

  /* home thread: what adaptive polling knows about the handler */
  GaioWaitEstimate estimate;
  bool is_polled; /* poll_begin was called, and poll_end not yet */
  bool is_busy;   /* what its poll function found is being handled: do not poll */
} GaioFdData;

/* A source that can be told of descriptors; `source` may be NULL. */
static inline bool
gaio_fd_source_is_usable (GSource *source)
{
  return source != NULL && !g_source_is_destroyed (source);
}

/* A descriptor as GLib polls it for a source. Not g_source_add_unix_fd(), as then GLib takes the
 * source for ready when the descriptor is, whatever the source's check says. */
typedef struct
{
  GPollFD pollfd;
  bool is_added;
} GaioFdSourceFd;

static inline void
gaio_fd_source_add (GSource *source, GaioFdSourceFd *self, int fd, GIOCondition events)
{
  self->pollfd = (GPollFD){ .fd = fd, .events = (gushort) events };
  self->is_added = true;
  g_source_add_poll (source, &self->pollfd);
}

/* A destroyed source has dropped it itself. */
static inline void
gaio_fd_source_remove (GSource *source, GaioFdSourceFd *self)
{
  if (self->is_added && gaio_fd_source_is_usable (source))
    g_source_remove_poll (source, &self->pollfd);
  self->is_added = false;
}

/* One registration of one descriptor. It is never edited in place: to change a handler is to
 * retire its node and make another. */
struct _GaioFdNode
{
  /* immutable */
  int fd;
  GIOCondition events; /* what is asked of the kernel; 0 for nothing but errors */
  GaioFdHandlers handlers;
  GaioFdFunc func; /* in place of `handlers` */
  GaioFdData *data; /* of both */
  GaioCanReadFunc can_read;
  GaioFdData *can_read_data;
  GaioFdPollFunc poll;
  GaioFdData *poll_data;
  GaioFdGroup group;
  bool internal; /* the loop's own: not progress */

  atomic_bool retired; /* never called again; written under the table's lock */

  /* home thread; written under the table's lock too, and when the node is new */
  GIOCondition wanted; /* of `events`, what the kernel is to report at the moment */
  bool unwatched;      /* not even errors */
  bool cannot_read;    /* says its can-read function */
  bool held;           /* not to be called by the turns that run now; in the table's list */

  /* under the table's lock */
  GList link;     /* in the table's list of live nodes, or of retired ones */
  GList asker_link; /* in the table's list of nodes with a can-read function */
  bool is_change; /* io_uring: in the list of nodes that flush() looks at */

  /* home thread */
  guint walkers;      /* turns that are in one of its callbacks */
  GIOCondition ready; /* what it was found ready for */
  bool poll_hit;      /* its poll function has found something; either: it is in the ready list */
  GList ready_link;
  GList held_link;
  bool held_hit; /* its poll function had found something when it was held */

  GaioFdMonitor *monitor; /* the one that watches it; written under the table's lock */
  GaioRingOp poll_op;     /* io_uring: the POLL_ADD, */
  GIOCondition polled_for;
  bool polled;            /* that the kernel has: it may report the node, so that must stay */
  bool poll_cancelled;    /* and is to give back */
  bool is_renewed;        /* the next flush asks the kernel again */

  GaioFdSourceFd source_fd; /* poll: as the GSource has it; under the table's lock */
  guint32 epoll_number; /* epoll: of this registration; under the table's lock */
  bool is_regular;      /* epoll: which does not take it; as before */
};

/* Thread: home. Reports a node as ready: puts it on the list that the monitor was opened with. */
void gaio_fd_node_set_ready (GaioFdNode *node, GIOCondition condition);

/* Thread: home. The same for a node whose poll function has found something. */
void gaio_fd_node_set_poll_hit (GaioFdNode *node);

static inline bool
gaio_fd_node_is_live (GaioFdNode *node)
{
  return !atomic_load_explicit (&node->retired, memory_order_acquire);
}

struct _GaioFdMonitorOps
{
  GaioMonitor type;

  /* Makes a monitor that watches nothing. `ring` is the context's, NULL when there is none;
   * `source` the context's GSource, NULL when no GMainContext waits for the monitor. Returns NULL
   * when the system does not allow this one.
   * Thread: home; the table's lock is held. */
  GaioFdMonitor *(*open) (GaioRing *ring, GSource *source);

  /* Ends it; the nodes that it still watches are forgotten. Thread: home, lock held. */
  void (*close) (GaioFdMonitor *self);

  /* From now on watch `added` and not `removed`; either may be NULL. Both are of one descriptor.
   * False when this monitor cannot watch `added`: the table then takes another monitor.
   * Thread: any; the table's lock is held. */
  bool (*update) (GaioFdMonitor *self, GaioFdNode *removed, GaioFdNode *added);

  /* `wanted` or `unwatched` of a node that it watches has changed. False as above.
   * Thread: home, lock held. */
  bool (*rewatch) (GaioFdMonitor *self, GaioFdNode *node);

  /* Makes what the two above have noted known to the kernel, and forgets nodes that are removed.
   * Called before each wait, also a foreign one, and before retired nodes are freed. May be NULL.
   * Thread: home, lock held. */
  void (*flush) (GaioFdMonitor *self);

  /* Waits for at most `timeout_ns` (0: not at all, -1: for ever), then reports what is ready. It
   * may return early, and signals do not end the wait. Thread: home; no lock is held, and other
   * threads may call update() meanwhile. */
  void (*wait) (GaioFdMonitor *self, gint64 timeout_ns);

  /* Reports what is ready after the GMainContext of the GSource has waited; does not wait.
   * Thread: home, no lock. */
  void (*collect) (GaioFdMonitor *self);

  /* Whether the GMainContext of the GSource found something for collect(). Thread: home. */
  bool (*source_is_ready) (GaioFdMonitor *self);

  /* Whether the node is ready by what the kernel has told already and nobody has looked at, besides
   * what is in the list; if so it is put there, as far as that can be done without telling of
   * another one. May be NULL: no. Thread: home, no lock. */
  bool (*has_reported) (GaioFdMonitor *self, GaioFdNode *node);

  /* Makes sure that the kernel watches the files that the descriptors are now, but for the internal
   * ones, and reports those that are none any more as G_IO_NVAL. The epoll monitor has it, for
   * descriptors whose owners do not tell. Thread: home, lock held. */
  void (*verify) (GaioFdMonitor *self);

  /* Whether something is known to be ready without asking the kernel. May be NULL: never.
   * Thread: home. */
  bool (*is_ready) (GaioFdMonitor *self);

  /* The descriptor that is readable when any node is ready; -1 when there is no such thing.
   * Thread: home. */
  int (*get_fd) (GaioFdMonitor *self);
};

struct _GaioFdMonitor
{
  const GaioFdMonitorOps *ops;
  GQueue *ready; /* the table's list; home thread */
  GMutex *lock;  /* the table's lock */
  bool needs_flush; /* flush() has work that does not come from update(); home thread */
  bool is_other_file; /* the descriptor of get_fd() was opened anew; cleared by who cares */
};

extern const GaioFdMonitorOps gaio_fd_monitor_poll;
extern const GaioFdMonitorOps gaio_fd_monitor_epoll;
extern const GaioFdMonitorOps gaio_fd_monitor_uring; /* its open() fails where there is no ring */

/* A monitor that reports to `ready` and whose operations are called with `lock`; NULL as open(). */
static inline GaioFdMonitor *
gaio_fd_monitor_open (const GaioFdMonitorOps *ops,
                      GaioRing *ring,
                      GSource *source,
                      GQueue *ready,
                      GMutex *lock)
{
  GaioFdMonitor *self = ops->open (ring, source);

  if (self == NULL)
    return NULL;
  self->ops = ops;
  self->ready = ready;
  self->lock = lock;
  return self;
}
