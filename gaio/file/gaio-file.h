/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/file/gaio-buffer-pool.h>
#include <gaio/base/gaio-types.h>

G_BEGIN_DECLS

#define GAIO_TYPE_FILE (gaio_file_get_type ())
GAIO_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (GaioFile, gaio_file, GAIO, FILE, GObject)

GAIO_AVAILABLE_IN_1_0
GaioFile *gaio_file_new_for_fd (GaioContext *context,
                                int fd,
                                const char *path,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
GaioContext *gaio_file_get_context (GaioFile *self);

GAIO_AVAILABLE_IN_1_0
const char *gaio_file_get_path (GaioFile *self);

GAIO_AVAILABLE_IN_1_0
int gaio_file_get_fd (GaioFile *self);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_file_is_seekable (GaioFile *self);

GAIO_AVAILABLE_IN_1_0
GaioBufferPool *gaio_file_get_buffer_pool (GaioFile *self);

GAIO_AVAILABLE_IN_1_0
void gaio_file_set_buffer_pool (GaioFile *self, GaioBufferPool *buffer_pool);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_file_is_direct (GaioFile *self);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_file_is_closed (GaioFile *self);

GAIO_AVAILABLE_IN_1_0
guint gaio_file_get_timeout_ms (GaioFile *self);

GAIO_AVAILABLE_IN_1_0
void gaio_file_set_timeout_ms (GaioFile *self, guint timeout_ms);

GAIO_AVAILABLE_IN_1_0
GVariant *gaio_file_get_stats (GaioFile *self) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
gboolean gaio_file_close (GaioFile *self, GCancellable *cancellable, GError **error);

GAIO_AVAILABLE_IN_1_0
void gaio_file_close_async (GaioFile *self,
                            int io_priority,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_file_close_finish (GaioFile *self, GAsyncResult *result, GError **error);

G_END_DECLS
