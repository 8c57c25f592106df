/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/base/gaio-types.h>

G_BEGIN_DECLS

GAIO_AVAILABLE_IN_1_0
GFileInfo *gaio_file_query_info (GaioFile *self,
                                 const char *attributes,
                                 GCancellable *cancellable,
                                 GError **error) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
void gaio_file_query_info_async (GaioFile *self,
                                 const char *attributes,
                                 int io_priority,
                                 GCancellable *cancellable,
                                 GAsyncReadyCallback callback,
                                 gpointer user_data);

GAIO_AVAILABLE_IN_1_0
GFileInfo *gaio_file_query_info_finish (GaioFile *self,
                                        GAsyncResult *result,
                                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
GFileInfo *gaio_query_info (const char *path,
                            const char *attributes,
                            GFileQueryInfoFlags flags,
                            GCancellable *cancellable,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
void gaio_query_info_async (const char *path,
                            const char *attributes,
                            GFileQueryInfoFlags flags,
                            int io_priority,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data);

GAIO_AVAILABLE_IN_1_0
GFileInfo *gaio_query_info_finish (GAsyncResult *result,
                                   GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
