/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the table of fd handlers is inside, for its three files: gaio-fd-table.c sets and removes
 * handlers, gaio-fd-watch.c has a monitor wait for them, gaio-fd-dispatch.c calls them. */

#pragma once

#include <gaio/loop/gaio-fd-table-private.h>

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
  guint fd_generation; /* how often the monitor, or its descriptor, was opened */
  guint64 n_called;
};

/* What a handler that does not want to read is not told of. */
#define GAIO_FD_READING (G_IO_IN | G_IO_PRI | G_IO_HUP)

static inline bool
gaio_fd_node_is_in_ready_list (GaioFdNode *node)
{
  return node->ready != 0 || node->poll_hit;
}

/* A handler with a poll function alone is not called for what its descriptor does. */
static inline bool
gaio_fd_node_is_of_no_interest (GaioFdNode *node)
{
  return node->func == NULL && node->handlers.read == NULL && node->handlers.write == NULL;
}

/* With the data, whose notifies are called. No lock is held. */
void gaio_fd_node_free (GaioFdNode *node);

/* The live node of a descriptor, or NULL. The lock is held. */
GaioFdNode *gaio_fd_table_find_locked (GaioFdTable *self, int fd);

/* Takes a node that was found ready away from the turns that run, until a flush with its group. */
void gaio_fd_table_hold (GaioFdTable *self, GaioFdNode *node);

/* Makes the list of nodes with a poll function anew, without those that are retired. Lock held. */
void gaio_fd_table_list_pollable_locked (GaioFdTable *self);
