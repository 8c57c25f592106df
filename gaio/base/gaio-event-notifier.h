/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/base/gaio-types.h>

G_BEGIN_DECLS

#define GAIO_TYPE_EVENT_NOTIFIER (gaio_event_notifier_get_type ())
GAIO_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (GaioEventNotifier, gaio_event_notifier, GAIO, EVENT_NOTIFIER, GObject)

GAIO_AVAILABLE_IN_1_0
GaioEventNotifier *gaio_event_notifier_new (GError **error) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
GaioEventNotifier *gaio_event_notifier_new_for_fd (int fd) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
int gaio_event_notifier_get_fd (GaioEventNotifier *self);

GAIO_AVAILABLE_IN_1_0
void gaio_event_notifier_set (GaioEventNotifier *self);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_event_notifier_test_and_clear (GaioEventNotifier *self);

G_END_DECLS
