/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/base/gaio-types.h>

G_BEGIN_DECLS

GAIO_AVAILABLE_IN_1_0
GBytes *gaio_file_read_bytes (GaioFile *self,
                              goffset offset,
                              gsize length,
                              GCancellable *cancellable,
                              GError **error) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
void gaio_file_read_bytes_async (GaioFile *self,
                                 goffset offset,
                                 gsize length,
                                 int io_priority,
                                 GCancellable *cancellable,
                                 GAsyncReadyCallback callback,
                                 gpointer user_data);

GAIO_AVAILABLE_IN_1_0
GBytes *gaio_file_read_bytes_finish (GaioFile *self,
                                     GAsyncResult *result,
                                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
GBytes **gaio_file_readv_bytes (GaioFile *self,
                                goffset offset,
                                const gsize *lengths,
                                gsize n_lengths,
                                gsize *n_chunks,
                                GCancellable *cancellable,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
void gaio_file_readv_bytes_async (GaioFile *self,
                                  goffset offset,
                                  const gsize *lengths,
                                  gsize n_lengths,
                                  int io_priority,
                                  GCancellable *cancellable,
                                  GAsyncReadyCallback callback,
                                  gpointer user_data);

GAIO_AVAILABLE_IN_1_0
GBytes **gaio_file_readv_bytes_finish (GaioFile *self,
                                       GAsyncResult *result,
                                       gsize *n_chunks,
                                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
gssize gaio_file_write_bytes (
    GaioFile *self, goffset offset, GBytes *bytes, GCancellable *cancellable, GError **error);

GAIO_AVAILABLE_IN_1_0
void gaio_file_write_bytes_async (GaioFile *self,
                                  goffset offset,
                                  GBytes *bytes,
                                  int io_priority,
                                  GCancellable *cancellable,
                                  GAsyncReadyCallback callback,
                                  gpointer user_data);

GAIO_AVAILABLE_IN_1_0
gssize gaio_file_write_bytes_finish (GaioFile *self, GAsyncResult *result, GError **error);

GAIO_AVAILABLE_IN_1_0
gssize gaio_file_write (GaioFile *self,
                        goffset offset,
                        const guint8 *data,
                        gsize length,
                        GCancellable *cancellable,
                        GError **error);

GAIO_AVAILABLE_IN_1_0
void gaio_file_write_async (GaioFile *self,
                            goffset offset,
                            const guint8 *data,
                            gsize length,
                            int io_priority,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data);

GAIO_AVAILABLE_IN_1_0
gssize gaio_file_write_finish (GaioFile *self, GAsyncResult *result, GError **error);

GAIO_AVAILABLE_IN_1_0
gssize gaio_file_writev_bytes (GaioFile *self,
                               goffset offset,
                               GBytes *const *chunks,
                               gsize n_chunks,
                               GCancellable *cancellable,
                               GError **error);

GAIO_AVAILABLE_IN_1_0
void gaio_file_writev_bytes_async (GaioFile *self,
                                   goffset offset,
                                   GBytes *const *chunks,
                                   gsize n_chunks,
                                   int io_priority,
                                   GCancellable *cancellable,
                                   GAsyncReadyCallback callback,
                                   gpointer user_data);

GAIO_AVAILABLE_IN_1_0
gssize gaio_file_writev_bytes_finish (GaioFile *self, GAsyncResult *result, GError **error);

GAIO_AVAILABLE_IN_1_0
gssize
gaio_file_append_bytes (GaioFile *self, GBytes *bytes, GCancellable *cancellable, GError **error);

GAIO_AVAILABLE_IN_1_0
void gaio_file_append_bytes_async (GaioFile *self,
                                   GBytes *bytes,
                                   int io_priority,
                                   GCancellable *cancellable,
                                   GAsyncReadyCallback callback,
                                   gpointer user_data);

GAIO_AVAILABLE_IN_1_0
gssize gaio_file_append_bytes_finish (GaioFile *self, GAsyncResult *result, GError **error);

GAIO_AVAILABLE_IN_1_0
gboolean
gaio_file_sync (GaioFile *self, gboolean data_only, GCancellable *cancellable, GError **error);

GAIO_AVAILABLE_IN_1_0
void gaio_file_sync_async (GaioFile *self,
                           gboolean data_only,
                           int io_priority,
                           GCancellable *cancellable,
                           GAsyncReadyCallback callback,
                           gpointer user_data);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_file_sync_finish (GaioFile *self, GAsyncResult *result, GError **error);

G_END_DECLS
