/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/loop/gaio-context.h>

G_BEGIN_DECLS

GAIO_AVAILABLE_IN_1_0
gboolean gaio_context_drive (GaioContext *self, GMainContext *main_context, GError **error);

G_END_DECLS
