/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/loop/gaio-bottom-half.h>

G_BEGIN_DECLS

/**
 * GaioConditionFunc:
 * @user_data: the data given with the function
 *
 * Tells whether there is still something to wait for. It only looks: it is called often, and does
 * not run the loop itself.
 *
 * Returns: %TRUE to go on waiting
 */
typedef gboolean (*GaioConditionFunc) (gpointer user_data);

#define GAIO_TYPE_WAITER (gaio_waiter_get_type ())
GAIO_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (GaioWaiter, gaio_waiter, GAIO, WAITER, GObject)

GAIO_AVAILABLE_IN_1_0
GaioWaiter *gaio_waiter_new (void) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
void gaio_waiter_kick (GaioWaiter *self);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_context_wait_while (GaioContext *self,
                                  GaioWaiter *waiter,
                                  gint64 timeout_ns,
                                  GCancellable *cancellable,
                                  GaioConditionFunc condition,
                                  gpointer user_data,
                                  GError **error);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_context_invoke_and_wait (
    GaioContext *self, GaioContext *own, GaioFunc func, gpointer user_data, GError **error);

G_END_DECLS
