/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/loop/gaio-coroutine.h>

G_BEGIN_DECLS

/**
 * GaioCoMutex: (skip)
 *
 * A lock that only one coroutine holds at a time; the others wait for it, while their threads do
 * other things. They may be in different contexts and threads. Those who wait get it in the order
 * in which they came.
 *
 * Memory of zeros is a lock that nobody holds, so a static one needs no more. End one that is to be
 * freed with [method@Gaio.CoMutex.clear].
 */
typedef struct _GaioCoMutex GaioCoMutex;
struct _GaioCoMutex
{
  /*< private >*/
  GMutex lock;
  gpointer first;
  gpointer last;
  gpointer owner;
};

/**
 * GaioCoQueue: (skip)
 *
 * Coroutines that wait to be told to go on, in the order in which they came: for them what a
 * [struct@GLib.Cond] is for threads. They may be in different contexts and threads.
 *
 * Memory of zeros is a queue that is empty, so a static one needs no more. End one that is to be
 * freed with [method@Gaio.CoQueue.clear].
 */
typedef struct _GaioCoQueue GaioCoQueue;
struct _GaioCoQueue
{
  /*< private >*/
  GMutex lock;
  gpointer first;
  gpointer last;
};

/**
 * GaioCoRwLock: (skip)
 *
 * A lock that one coroutine holds for writing, or any number for reading. They may be in different
 * contexts and threads. Those who wait get it in the order in which they came, so a reader also
 * waits for a writer that came before it, and neither side starves.
 *
 * Memory of zeros is a lock that nobody holds, so a static one needs no more. End one that is to be
 * freed with [method@Gaio.CoRwLock.clear].
 */
typedef struct _GaioCoRwLock GaioCoRwLock;
struct _GaioCoRwLock
{
  /*< private >*/
  GMutex lock;
  gpointer first;
  gpointer last;
  gssize holders;
};

GAIO_AVAILABLE_IN_1_0
void gaio_co_mutex_clear (GaioCoMutex *self);

GAIO_AVAILABLE_IN_1_0
void gaio_co_mutex_lock (GaioCoMutex *self);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_co_mutex_trylock (GaioCoMutex *self);

GAIO_AVAILABLE_IN_1_0
void gaio_co_mutex_unlock (GaioCoMutex *self);

GAIO_AVAILABLE_IN_1_0
void gaio_co_queue_clear (GaioCoQueue *self);

GAIO_AVAILABLE_IN_1_0
void gaio_co_queue_wait (GaioCoQueue *self, GaioCoMutex *mutex);

GAIO_AVAILABLE_IN_1_0
void gaio_co_queue_wait_full (GaioCoQueue *self,
                              gpointer lock,
                              GaioFunc lock_func,
                              GaioFunc unlock_func);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_co_queue_wake_one (GaioCoQueue *self);

GAIO_AVAILABLE_IN_1_0
void gaio_co_queue_wake_all (GaioCoQueue *self);

GAIO_AVAILABLE_IN_1_0
void gaio_co_rw_lock_clear (GaioCoRwLock *self);

GAIO_AVAILABLE_IN_1_0
void gaio_co_rw_lock_reader_lock (GaioCoRwLock *self);

GAIO_AVAILABLE_IN_1_0
void gaio_co_rw_lock_writer_lock (GaioCoRwLock *self);

GAIO_AVAILABLE_IN_1_0
void gaio_co_rw_lock_unlock (GaioCoRwLock *self);

GAIO_AVAILABLE_IN_1_0
void gaio_co_rw_lock_upgrade (GaioCoRwLock *self);

GAIO_AVAILABLE_IN_1_0
void gaio_co_rw_lock_downgrade (GaioCoRwLock *self);

G_END_DECLS
