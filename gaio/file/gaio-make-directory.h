/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/base/gaio-types.h>

G_BEGIN_DECLS

GAIO_AVAILABLE_IN_1_0
gboolean gaio_make_directory (const char *path,
                              gboolean with_parents,
                              guint32 permissions,
                              GCancellable *cancellable,
                              GError **error);

GAIO_AVAILABLE_IN_1_0
void gaio_make_directory_async (const char *path,
                                gboolean with_parents,
                                guint32 permissions,
                                int io_priority,
                                GCancellable *cancellable,
                                GAsyncReadyCallback callback,
                                gpointer user_data);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_make_directory_finish (GAsyncResult *result, GError **error);

G_END_DECLS
