/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <stdbool.h>

#include <gaio/base/gaio-slice-private.h>
#include <gaio/base/gaio-waker-private.h>

/* One io_uring. All of it is for one thread, the one that made it, except gaio_ring_free() when
 * nothing is in flight. See gaio-ring.c. */
typedef struct _GaioRing GaioRing;

struct io_uring_sqe;

/* Embedded in whatever waits for a completion. `complete` is called once for each entry of the
 * submission queue that was got for the operation, from gaio_ring_reap() and nowhere else; `res`
 * is the kernel's result. -ECANCELED may come without anybody having cancelled. */
typedef struct _GaioRingOp GaioRingOp;
struct _GaioRingOp
{
  void (*complete) (GaioRingOp *self, int res);
};

/* Makes a ring with room for so many submissions, a power of two or what is next to it; or tells in
 * `reason` (free it) why the system or the user does not want one. */
GaioRing *gaio_ring_new (guint n_entries, char **reason);
#define GAIO_RING_ENTRIES 128

/* How many operations are got before they are handed to the kernel without waiting for submit; 0
 * is as many as there is room for. */
void gaio_ring_set_max_batch (GaioRing *self, guint n_operations);

/* Cancels what is in flight and waits for it, without calling `complete`; then frees the ring. In
 * a forked child it leaves the ring alone. */
void gaio_ring_free (GaioRing *self);

/* Whether the kernel knows the IORING_OP_*. */
bool gaio_ring_supports (GaioRing *self, int opcode);

/* The descriptor that is readable when there is something to reap, for poll(2). */
int gaio_ring_get_fd (GaioRing *self);

/* From now on, until it is NULL, `waker` is notified of the first operation that is got after a
 * submit: for a loop that sleeps in somebody else's hands while its own thread goes on to get
 * operations. The waker is borrowed. */
void gaio_ring_set_waker (GaioRing *self, GaioWaker *waker);

/* Room for one more operation, zeroed by the caller's io_uring_prep_*(). `op` NULL: nobody wants
 * the completion. NULL when the kernel takes no more just now: reap, then try again; or the ring
 * is broken. */
struct io_uring_sqe *gaio_ring_get_sqe (GaioRing *self, GaioRingOp *op);

/* Hands what was got since to the kernel. */
void gaio_ring_submit (GaioRing *self);

/* The same, then sleeps until there is something to reap or the time has passed; -1 is for ever.
 * It may return early. */
void gaio_ring_submit_and_wait (GaioRing *self, gint64 timeout_ns);

/* Whether gaio_ring_reap() would find something. */
bool gaio_ring_is_ready (GaioRing *self);

/* Whether gaio_ring_reap() would complete this operation; if it would be the first, it is done. */
bool gaio_ring_has_completed (GaioRing *self, GaioRingOp *op);

/* Registers memory, for the operations that name it by the index that this returns; -errno when the
 * kernel does not want to. Once there is nothing left in flight when the ring goes, gone (data) is
 * called, but not after it was unregistered. Operations that are in flight by then do not mind, or
 * fail with EFAULT. False: it is for the ring's end to do, since this is not the ring's thread. */
int gaio_ring_register_memory (
    GaioRing *self, gpointer memory, gsize size, GDestroyNotify gone, gpointer data);
bool gaio_ring_unregister_memory (GaioRing *self, int index);

/* Whether something was got and not yet submitted. */
bool gaio_ring_has_unsubmitted (GaioRing *self);

/* Calls `complete` for what has completed by now, until the slice is over, and returns how many.
 * A `complete` may run a nested turn and so call this again. */
guint gaio_ring_reap (GaioRing *self, GaioSlice *slice);

/* Whether the ring can still be used: not after a fork, and not when the kernel refused
 * io_uring_enter(2). */
bool gaio_ring_is_usable (GaioRing *self);

/* How many operations a user of the ring should have in flight at most, so that their completions
 * always find room. */
guint gaio_ring_get_depth (GaioRing *self);
