/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/loop/gaio-bottom-half.h>

G_BEGIN_DECLS

#define GAIO_TYPE_CONTEXT (gaio_context_get_type ())
GAIO_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (GaioContext, gaio_context, GAIO, CONTEXT, GObject)

GAIO_AVAILABLE_IN_1_0
GaioContext *gaio_context_new (GError **error) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
GaioContext *gaio_context_get_default (void);

GAIO_AVAILABLE_IN_1_0
GaioContext *gaio_context_ref_thread_default (void) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
GSource *gaio_context_get_source (GaioContext *self) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
void gaio_context_attach (GaioContext *self, GMainContext *main_context);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_context_poll (GaioContext *self, gboolean may_block);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_context_poll_ns (GaioContext *self, gint64 timeout_ns);

GAIO_AVAILABLE_IN_1_0
int gaio_context_get_fd (GaioContext *self);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_context_iterate (GaioContext *self);

GAIO_AVAILABLE_IN_1_0
void gaio_context_notify (GaioContext *self);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_context_is_run_elsewhere (GaioContext *self);

GAIO_AVAILABLE_IN_1_0
void gaio_context_invoke (GaioContext *self,
                          GaioFunc func,
                          gpointer user_data,
                          GDestroyNotify notify);

GAIO_AVAILABLE_IN_1_0
GaioMonitor gaio_context_get_monitor (GaioContext *self);

GAIO_AVAILABLE_IN_1_0
void gaio_context_set_monitor (GaioContext *self, GaioMonitor monitor);

GAIO_AVAILABLE_IN_1_0
char *gaio_context_get_monitor_reason (GaioContext *self) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
guint gaio_context_get_max_batch (GaioContext *self);

GAIO_AVAILABLE_IN_1_0
void gaio_context_set_max_batch (GaioContext *self, guint n_operations);

GAIO_AVAILABLE_IN_1_0
guint gaio_context_get_epoll_threshold (GaioContext *self);

GAIO_AVAILABLE_IN_1_0
void gaio_context_set_epoll_threshold (GaioContext *self, guint n_fds);

GAIO_AVAILABLE_IN_1_0
guint gaio_context_get_dispatch_budget_us (GaioContext *self);

GAIO_AVAILABLE_IN_1_0
void gaio_context_set_dispatch_budget_us (GaioContext *self, guint duration_us);

GAIO_AVAILABLE_IN_1_0
GaioEngine gaio_context_get_engine (GaioContext *self);

GAIO_AVAILABLE_IN_1_0
char *gaio_context_get_engine_reason (GaioContext *self) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
gint64 gaio_context_get_poll_max_ns (GaioContext *self);

GAIO_AVAILABLE_IN_1_0
void gaio_context_set_poll_max_ns (GaioContext *self, gint64 duration_ns);

GAIO_AVAILABLE_IN_1_0
guint gaio_context_get_poll_grow (GaioContext *self);

GAIO_AVAILABLE_IN_1_0
void gaio_context_set_poll_grow (GaioContext *self, guint factor);

GAIO_AVAILABLE_IN_1_0
guint gaio_context_get_poll_shrink (GaioContext *self);

GAIO_AVAILABLE_IN_1_0
void gaio_context_set_poll_shrink (GaioContext *self, guint divisor);

GAIO_AVAILABLE_IN_1_0
guint gaio_context_get_poll_weight (GaioContext *self);

GAIO_AVAILABLE_IN_1_0
void gaio_context_set_poll_weight (GaioContext *self, guint weight);

GAIO_AVAILABLE_IN_1_0
GVariant *gaio_context_get_stats (GaioContext *self) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
