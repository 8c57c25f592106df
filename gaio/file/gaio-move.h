/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/file/gaio-copy.h>

G_BEGIN_DECLS

GAIO_AVAILABLE_IN_1_0
gboolean gaio_move (const char *source,
                    const char *destination,
                    GaioCopyFlags flags,
                    GClosure *progress,
                    GCancellable *cancellable,
                    GError **error);

GAIO_AVAILABLE_IN_1_0
void gaio_move_async (const char *source,
                      const char *destination,
                      GaioCopyFlags flags,
                      GClosure *progress,
                      int io_priority,
                      GCancellable *cancellable,
                      GAsyncReadyCallback callback,
                      gpointer user_data);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_move_finish (GAsyncResult *result, GError **error);

G_END_DECLS
