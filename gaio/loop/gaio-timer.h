/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/loop/gaio-bottom-half.h>
#include <gaio/loop/gaio-clock.h>

G_BEGIN_DECLS

#define GAIO_TYPE_TIMER (gaio_timer_get_type ())
GAIO_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (GaioTimer, gaio_timer, GAIO, TIMER, GObject)

GAIO_AVAILABLE_IN_1_0
GaioTimer *gaio_timer_new (GaioContext *context,
                           GaioClock clock,
                           GaioFunc func,
                           gpointer user_data,
                           GDestroyNotify notify) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
void gaio_timer_arm_ns (GaioTimer *self, gint64 deadline_ns);

GAIO_AVAILABLE_IN_1_0
void gaio_timer_arm_earlier_ns (GaioTimer *self, gint64 deadline_ns);

GAIO_AVAILABLE_IN_1_0
void gaio_timer_cancel (GaioTimer *self);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_timer_is_pending (GaioTimer *self);

GAIO_AVAILABLE_IN_1_0
gint64 gaio_timer_get_deadline_ns (GaioTimer *self);

G_END_DECLS
