/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/file/gaio-file.h>

G_BEGIN_DECLS

#define GAIO_TYPE_BATCH (gaio_batch_get_type ())
GAIO_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (GaioBatch, gaio_batch, GAIO, BATCH, GObject)

GAIO_AVAILABLE_IN_1_0
gboolean gaio_batch_is_read (GaioBatch *self);

GAIO_AVAILABLE_IN_1_0
gsize gaio_batch_get_n_operations (GaioBatch *self);

GAIO_AVAILABLE_IN_1_0
gsize gaio_batch_get_n_failed (GaioBatch *self);

GAIO_AVAILABLE_IN_1_0
gsize gaio_batch_get_count (GaioBatch *self, gsize index);

GAIO_AVAILABLE_IN_1_0
int gaio_batch_get_errno (GaioBatch *self, gsize index);

GAIO_AVAILABLE_IN_1_0
GError *gaio_batch_get_error (GaioBatch *self, gsize index) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
gboolean gaio_batch_check (GaioBatch *self, GError **error);

GAIO_AVAILABLE_IN_1_0
GBytes *gaio_batch_get_bytes (GaioBatch *self, gsize index) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
GBytes *gaio_batch_get_data (GaioBatch *self) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
gsize gaio_batch_get_address (GaioBatch *self);

GAIO_AVAILABLE_IN_1_0
gsize *gaio_batch_get_starts (GaioBatch *self, gsize *n_starts) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
gint64 *gaio_batch_get_counts (GaioBatch *self, gsize *n_counts) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
GaioBatch *gaio_file_read_batch (GaioFile *self,
                                 const goffset *offsets,
                                 gsize n_offsets,
                                 const gsize *lengths,
                                 gsize n_lengths,
                                 GCancellable *cancellable,
                                 GError **error) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
void gaio_file_read_batch_async (GaioFile *self,
                                 const goffset *offsets,
                                 gsize n_offsets,
                                 const gsize *lengths,
                                 gsize n_lengths,
                                 int io_priority,
                                 GCancellable *cancellable,
                                 GAsyncReadyCallback callback,
                                 gpointer user_data);

GAIO_AVAILABLE_IN_1_0
GaioBatch *gaio_file_read_batch_finish (GaioFile *self,
                                        GAsyncResult *result,
                                        GError **error) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
GaioBatch *gaio_file_write_batch (GaioFile *self,
                                  const goffset *offsets,
                                  gsize n_offsets,
                                  GBytes *const *chunks,
                                  gsize n_chunks,
                                  GCancellable *cancellable,
                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
void gaio_file_write_batch_async (GaioFile *self,
                                  const goffset *offsets,
                                  gsize n_offsets,
                                  GBytes *const *chunks,
                                  gsize n_chunks,
                                  int io_priority,
                                  GCancellable *cancellable,
                                  GAsyncReadyCallback callback,
                                  gpointer user_data);

GAIO_AVAILABLE_IN_1_0
GaioBatch *gaio_file_write_batch_finish (GaioFile *self,
                                         GAsyncResult *result,
                                         GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
