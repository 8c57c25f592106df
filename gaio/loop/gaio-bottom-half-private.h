/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include <gaio/base/gaio-slice-private.h>
#include <gaio/base/gaio-waker-private.h>
#include <gaio/loop/gaio-bottom-half.h>

/* A callback to run soon in the home thread, to be embedded in what it is about: a request, a
 * job. It costs no allocation. Zeroed memory with `run` set is a node that is not scheduled.
 *
 * `run` is called once for each schedule that found the node not scheduled, in the order of
 * scheduling, and returns whether it did something that counts as progress of the loop. The node
 * belongs to nobody while it runs, so `run` may schedule it again or free it. `closing` is true
 * when the context has ended and takes no more work: then end what the node stands for, as
 * cancelled. */
typedef struct _GaioBhNode GaioBhNode;
struct _GaioBhNode
{
  bool (*run) (GaioBhNode *self, bool closing);

  /*< private >*/
  GaioBhNode *_Atomic next;
  atomic_uint state;
};

/* What a context has one of: the nodes that are scheduled. Reference-counted, since those who
 * schedule may outlive the context. */
typedef struct _GaioBhQueue GaioBhQueue;

GaioBhQueue *gaio_bh_queue_new (GaioWaker *waker);
GaioBhQueue *gaio_bh_queue_ref (GaioBhQueue *self);
void gaio_bh_queue_unref (GaioBhQueue *self);

/* Thread: any, and signal handlers. Wait-free. A node that is scheduled already stays as it is;
 * returns whether it was not. After gaio_bh_queue_close() it returns true and runs the node at
 * once, as closing. */
bool gaio_bh_node_schedule (GaioBhNode *self, GaioBhQueue *queue);

/* The same for work that has time: it neither wakes the loop nor counts as progress, and runs
 * after GAIO_BH_IDLE_NS at the latest. */
bool gaio_bh_node_schedule_idle (GaioBhNode *self, GaioBhQueue *queue);
#define GAIO_BH_IDLE_NS (10 * 1000 * 1000)

/* Thread: home. Runs what was scheduled before the call; what is scheduled meanwhile waits for the
 * next one, and so does what is left when the slice is over. A nested call first runs what the
 * outer one has left. Returns whether any of it was progress; idle nodes never are. */
bool gaio_bh_queue_run (GaioBhQueue *self, GaioSlice *slice);

/* Thread: home. How long a turn may wait: 0, GAIO_BH_IDLE_NS, or -1 for ever. What was scheduled
 * and not yet seen is in the waker's notification, not here. */
gint64 gaio_bh_queue_get_timeout_ns (GaioBhQueue *self);

/* Thread: home, or any when the loop has ended. Runs all nodes as closing, also later ones. */
void gaio_bh_queue_close (GaioBhQueue *self);

/* Thread: home. How many nodes have run. */
guint64 gaio_bh_queue_get_n_run (GaioBhQueue *self);

GaioWaker *gaio_bh_queue_get_waker (GaioBhQueue *self);

/* Thread: any. Runs func (data) soon in the home thread, then notify (data) there; only the
 * latter when the context ends first. Any of the two may be NULL. */
void gaio_bh_queue_invoke (GaioBhQueue *self,
                           GaioFunc func,
                           gpointer user_data,
                           GDestroyNotify notify);

/* Thread: any. Calls notify (data) in the home thread: at once when the caller is there. */
void gaio_bh_queue_release (GaioBhQueue *self, GDestroyNotify notify, gpointer user_data);
