/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/base/gaio-types.h>

G_BEGIN_DECLS

/**
 * GaioFunc:
 * @user_data: the data given with the function
 *
 * A function that a [class@Gaio.Context] calls in its home thread.
 */
typedef void (*GaioFunc) (gpointer user_data);

#define GAIO_TYPE_BOTTOM_HALF (gaio_bottom_half_get_type ())
GAIO_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (GaioBottomHalf, gaio_bottom_half, GAIO, BOTTOM_HALF, GObject)

GAIO_AVAILABLE_IN_1_0
GaioBottomHalf *gaio_bottom_half_new (GaioContext *context,
                                      GaioFunc func,
                                      gpointer user_data,
                                      GDestroyNotify notify) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
void gaio_bottom_half_schedule (GaioBottomHalf *self);

GAIO_AVAILABLE_IN_1_0
void gaio_bottom_half_schedule_idle (GaioBottomHalf *self);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_bottom_half_is_scheduled (GaioBottomHalf *self);

GAIO_AVAILABLE_IN_1_0
void gaio_bottom_half_cancel (GaioBottomHalf *self);

GAIO_AVAILABLE_IN_1_0
void gaio_bottom_half_destroy (GaioBottomHalf *self);

G_END_DECLS
