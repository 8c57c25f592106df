/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/loop/gaio-main-loop.h>

/* What is to be done around the waits of a context that drives a GMainContext: see
 * gaio-wait-hooks.c. */
typedef struct _GaioWaitHooks GaioWaitHooks;

/* Thread: home, or any when nobody is that. Those of a context, made by the first call; the context
 * has to drive already. They live as long as the context. */
GaioWaitHooks *gaio_wait_hooks_get (GaioContext *context);

/* Thread: any, all that follow. `owner` is a name for who adds. Exactly one of the functions is
 * given. The notify is called in the home thread. */
typedef struct
{
  GaioLockFunc lock;
  GaioPollNotifierFunc poll;
  gpointer user_data;
  GDestroyNotify notify;
} GaioWaitHook;

guint gaio_wait_hooks_add (GaioWaitHooks *self, gconstpointer owner, const GaioWaitHook *hook);

/* Of these kinds; `id` 0 for all of the owner. */
void gaio_wait_hooks_remove_lock (GaioWaitHooks *self, gconstpointer owner, guint id);
void gaio_wait_hooks_remove_poll (GaioWaitHooks *self, gconstpointer owner, guint id);
