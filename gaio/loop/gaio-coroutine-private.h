/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* A coroutine as those see it who have it wait for something. */

#pragma once

#include <gaio/loop/gaio-context-parts-private.h>
#include <gaio/loop/gaio-coroutine.h>
#include <gaio/loop/gaio-stack-private.h>
#include <gaio/loop/gaio-timer.h>

/* What a coroutine can wait for. */
enum
{
  GAIO_COROUTINE_WOKEN = 1 << 0,  /* by gaio_coroutine_wake() or _enter(), which may come early */
  GAIO_COROUTINE_KICKED = 1 << 1, /* by the one thing that it waits for */
};

struct _GaioCoroutine
{
  GaioBhNode node;    /* to its home; holds a reference */
  GaioBhNode arrival; /* to its next home */

  /* immutable */
  GaioFunc func;
  gpointer user_data;
  GDestroyNotify notify;

  /* atomic */
  atomic_uint refs;
  atomic_uint state; /* what it can wait for and has got, and flags of gaio-coroutine.c */
  GaioCoroutineGroup *_Atomic group;

  /* home thread */
  GaioStack *stack;
  guint waits_for;
  bool begun;
  bool entered; /* it runs, or has entered one that does; or is between two homes */
  bool returned;
  guint n_locks; /* that it holds */
  GaioCoroutineGroup *destination;
  GPtrArray *past_groups; /* references; NULL for one that never moved */
  GList link;             /* in its group */
  GaioTimer *timer;       /* kept for the next sleep */
  GIOCondition fd_condition;

  GaioCoroutine *next_woken; /* of its home's list, while in it */

  /* under the lock of what it waits in */
  GaioCoroutine *next_waiter;
  int wish; /* of that lock */
};

/* The coroutines of a context. Thread: any. `context` is only noted, weakly. */
GaioCoroutineGroup *gaio_coroutine_group_new (GaioContext *context);
void gaio_coroutine_group_unref (GaioCoroutineGroup *self);

/* Thread: home, or any when the loop has ended. Ends those that have begun, and begins no more. */
void gaio_coroutine_group_close (GaioCoroutineGroup *self);

/* On the coroutine's stack. Waits for any of the two, and returns what it has got and used up. */
guint gaio_coroutine_wait (GaioCoroutine *self, guint mask);

/* Thread: any, with a reference. The thing that it waits for has come. Resumed soon. */
void gaio_coroutine_kick (GaioCoroutine *self);

/* The same from a callback of the loop that has nothing left to do: resumed at once, if it can. The
 * coroutine's own reference will do, since it waits. */
void gaio_coroutine_kick_now (GaioCoroutine *self);

/* On the coroutine's stack. The context that it is in, as a reference; NULL when that is about to
 * end: then no wait will return, so just wait. */
GaioContext *gaio_coroutine_ref_context (GaioCoroutine *self);
