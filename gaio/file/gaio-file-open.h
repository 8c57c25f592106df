/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/base/gaio-types.h>

G_BEGIN_DECLS

GAIO_AVAILABLE_IN_1_0
GaioFile *gaio_open (const char *path,
                     const char *mode,
                     GCancellable *cancellable,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
void gaio_open_async (const char *path,
                      const char *mode,
                      int io_priority,
                      GCancellable *cancellable,
                      GAsyncReadyCallback callback,
                      gpointer user_data);

GAIO_AVAILABLE_IN_1_0
GaioFile *gaio_open_finish (GAsyncResult *result, GError **error) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
GaioFile *gaio_file_new_for_path (GaioContext *context,
                                  const char *path,
                                  const char *mode,
                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
