/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/base/gaio-slice-private.h>
#include <gaio/loop/gaio-bottom-half-private.h>
#include <gaio/loop/gaio-fd-monitor-private.h>

/* The descriptors that a context watches, and the monitor that waits for them. */
typedef struct _GaioFdTable GaioFdTable;

/* `source` is borrowed, and outlives the table. */
GaioFdTable *gaio_fd_table_new (GaioBhQueue *queue, GSource *source, GaioMonitor wanted);
void gaio_fd_table_free (GaioFdTable *self);

/* No wait follows. The ring goes after it, since the kernel holds polls that point to nodes, and
 * the handlers after the ring. Thread: home, or any when nobody is that any more. */
void gaio_fd_table_close_monitor (GaioFdTable *self);

/* The kernel has none of the polls any more that a ring was asked for. Thread: same. */
void gaio_fd_table_forget_polls (GaioFdTable *self);

/* Frees all handlers, with their data, after the monitor and the ring are gone. Thread: same. */
void gaio_fd_table_clear (GaioFdTable *self);

typedef struct
{
  int fd;
  GIOCondition events;
  GaioFdHandlers handlers;
  GaioFdFunc func;
  gpointer user_data;
  GDestroyNotify notify;
  GaioFdGroup group;
  bool internal;
  bool is_exclusive; /* not in place of another: then -EEXIST */
} GaioFdRegistration;

/* Thread: any. Registers a handler in place of the one that the descriptor may have; 0 or -errno,
 * and then user_data stays the caller's. */
int gaio_fd_table_set (GaioFdTable *self, const GaioFdRegistration *registration);

/* What is to change about the handler that a descriptor has: one of these. */
typedef struct
{
  GaioCanReadFunc can_read;
  GaioFdPollFunc poll;
  gpointer user_data; /* of either */
  GDestroyNotify notify;
  bool changes_group;
  GaioFdGroup group;
} GaioFdAmendment;

/* Thread: any. -ENOENT for a descriptor without handler, and then user_data stays the caller's. */
int gaio_fd_table_amend (GaioFdTable *self, int fd, const GaioFdAmendment *amendment);

/* Thread: any. Does nothing for a descriptor without handler. */
void gaio_fd_table_remove (GaioFdTable *self, int fd);

/* Thread: any. */
GaioMonitor gaio_fd_table_get_monitor (GaioFdTable *self);
const char *gaio_fd_table_get_monitor_reason (GaioFdTable *self);
guint gaio_fd_table_get_epoll_threshold (GaioFdTable *self);
void gaio_fd_table_set_epoll_threshold (GaioFdTable *self, guint n_fds);

/* Thread: any. Asks for another monitor, from the next flush on. */
void gaio_fd_table_set_monitor (GaioFdTable *self, GaioMonitor wanted);
GaioMonitor gaio_fd_table_get_wanted_monitor (GaioFdTable *self);

/* Thread: any. From the next flush on no GMainContext waits for the descriptors by itself. */
void gaio_fd_table_leave_source (GaioFdTable *self);

/* Thread: home, all that follow. Before each wait: asks the can-read functions, opens, or changes,
 * the monitor where that is due, and makes all changes known to the kernel. `ring` is the
 * context's, or NULL; `groups` those whose handlers this turn may call, as GAIO_FD_GROUP_BITs. */
void gaio_fd_table_flush (GaioFdTable *self, GaioRing *ring, guint groups);
#define GAIO_FD_GROUP_BIT(group) (1u << (group))

/* As the operations of the monitor; what is ready goes to the table's list. */
void gaio_fd_table_wait (GaioFdTable *self, gint64 timeout_ns);
void gaio_fd_table_collect (GaioFdTable *self);
bool gaio_fd_table_source_is_ready (GaioFdTable *self);

/* Whether anything is known to be ready: then a turn must not wait. */
bool gaio_fd_table_is_ready (GaioFdTable *self);

/* The nodes with a poll function, as of the last flush, and removed ones that are not freed yet. A
 * nested turn may change the array, so walk it by index. */
GPtrArray *gaio_fd_table_get_pollable (GaioFdTable *self);

/* How many handlers are set, and how many times one was called, the loop's own not counted. */
guint gaio_fd_table_get_n_handlers (GaioFdTable *self);
guint64 gaio_fd_table_get_n_called (GaioFdTable *self);

/* Calls the handlers of what is ready, until the slice is over; returns whether any was not
 * internal. A nested call takes over what the outer one has left. A handler of none of the `groups`
 * is held: neither called nor watched until a flush with its group. */
bool gaio_fd_table_dispatch (GaioFdTable *self, guint groups, GaioSlice *slice);

/* Whether the monitor has reported the descriptor; then dispatch does not look at it any more,
 * where that can be had. */
bool gaio_fd_table_take_reported (GaioFdTable *self, int fd);

/* Frees removed handlers, with their data. Not while an outer turn may still look at them. */
void gaio_fd_table_bury (GaioFdTable *self);

/* In a forked child: the next flush opens a monitor of its own. */
void gaio_fd_table_begin_child (GaioFdTable *self);

/* From now on use only a monitor that has a descriptor, and get that after the next flush; -1
 * when the system gives none. */
void gaio_fd_table_need_fd (GaioFdTable *self);
int gaio_fd_table_get_fd (GaioFdTable *self);

/* Another one each time that the number of that descriptor may stand for another file. */
guint gaio_fd_table_get_fd_generation (GaioFdTable *self);
