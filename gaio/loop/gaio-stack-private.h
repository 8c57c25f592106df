/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>
#include <stdbool.h>

/* A stack of its own for a function, with a guard page below. See gaio-stack.c. */
typedef struct _GaioStack GaioStack;

/* What a stack takes of the address space, the guard page included. Only what is used of it is
 * memory, and of that a page or two for most functions. */
#define GAIO_STACK_BYTES (256 * 1024)

/* Thread: any. A stack on which entry (data) is to run; entry must not return, but leave for good.
 * NULL with errno set when the system gives no memory, or no more maps. */
GaioStack *gaio_stack_new (void (*entry) (gpointer data), gpointer data);

/* Thread: any, with nobody on the stack. It may be in the midst of its function: then what the
 * function holds is lost. */
void gaio_stack_free (GaioStack *self);

/* Runs the function, or goes on with it, until it leaves. */
void gaio_stack_enter (GaioStack *self);

/* On the stack: goes back to who entered. Returns with the next enter, maybe in another thread;
 * never, when it is for good. */
void gaio_stack_leave (GaioStack *self, bool for_good);

/* Thread: any. Stacks are kept for later as long as anyone holds the pool of them. */
void gaio_stack_pool_hold (void);
void gaio_stack_pool_release (void);
