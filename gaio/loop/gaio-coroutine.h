/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/loop/gaio-context.h>

G_BEGIN_DECLS

typedef struct _GaioCoroutine GaioCoroutine;

GAIO_AVAILABLE_IN_1_0
GaioCoroutine *gaio_coroutine_new (GaioContext *context,
                                   GaioFunc func,
                                   gpointer user_data,
                                   GDestroyNotify notify,
                                   GError **error) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
GaioCoroutine *gaio_coroutine_ref (GaioCoroutine *self);

GAIO_AVAILABLE_IN_1_0
void gaio_coroutine_unref (GaioCoroutine *self);

GAIO_AVAILABLE_IN_1_0
void gaio_coroutine_enter (GaioCoroutine *self);

GAIO_AVAILABLE_IN_1_0
void gaio_coroutine_wake (GaioCoroutine *self);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_coroutine_is_entered (GaioCoroutine *self);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_coroutine_is_ended (GaioCoroutine *self);

GAIO_AVAILABLE_IN_1_0
GaioCoroutine *gaio_coroutine_self (void);

GAIO_AVAILABLE_IN_1_0
void gaio_coroutine_yield (void);

GAIO_AVAILABLE_IN_1_0
void gaio_coroutine_move (GaioContext *context);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_coroutine_sleep_ns (gint64 duration_ns);

GAIO_AVAILABLE_IN_1_0
GIOCondition gaio_coroutine_wait_fd (int fd, GIOCondition condition, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (GaioCoroutine, gaio_coroutine_unref)

G_END_DECLS
