/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/pool/gaio-thread-pool.h>

G_BEGIN_DECLS

GAIO_AVAILABLE_IN_1_0
char *gaio_thread_pool_checksum (GaioThreadPool *self,
                                 GChecksumType type,
                                 GBytes *bytes,
                                 GCancellable *cancellable,
                                 GError **error) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
void gaio_thread_pool_checksum_async (GaioThreadPool *self,
                                      GChecksumType type,
                                      GBytes *bytes,
                                      int io_priority,
                                      GCancellable *cancellable,
                                      GAsyncReadyCallback callback,
                                      gpointer user_data);

GAIO_AVAILABLE_IN_1_0
char *gaio_thread_pool_checksum_finish (GaioThreadPool *self,
                                        GAsyncResult *result,
                                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
GBytes *gaio_thread_pool_convert (GaioThreadPool *self,
                                  GConverter *converter,
                                  GBytes *bytes,
                                  GCancellable *cancellable,
                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
void gaio_thread_pool_convert_async (GaioThreadPool *self,
                                     GConverter *converter,
                                     GBytes *bytes,
                                     int io_priority,
                                     GCancellable *cancellable,
                                     GAsyncReadyCallback callback,
                                     gpointer user_data);

GAIO_AVAILABLE_IN_1_0
GBytes *gaio_thread_pool_convert_finish (GaioThreadPool *self,
                                         GAsyncResult *result,
                                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
