/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/base/gaio-types.h>

G_BEGIN_DECLS

#define GAIO_TYPE_ENUMERATOR (gaio_enumerator_get_type ())
GAIO_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (GaioEnumerator, gaio_enumerator, GAIO, ENUMERATOR, GObject)

GAIO_AVAILABLE_IN_1_0
GaioEnumerator *gaio_enumerate (const char *path,
                                const char *attributes,
                                GFileQueryInfoFlags flags,
                                GCancellable *cancellable,
                                GError **error) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
void gaio_enumerate_async (const char *path,
                           const char *attributes,
                           GFileQueryInfoFlags flags,
                           int io_priority,
                           GCancellable *cancellable,
                           GAsyncReadyCallback callback,
                           gpointer user_data);

GAIO_AVAILABLE_IN_1_0
GaioEnumerator *gaio_enumerate_finish (GAsyncResult *result,
                                       GError **error) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
GList *gaio_enumerator_next_files (GaioEnumerator *self,
                                   guint n_files,
                                   GCancellable *cancellable,
                                   GError **error) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
void gaio_enumerator_next_files_async (GaioEnumerator *self,
                                       guint n_files,
                                       int io_priority,
                                       GCancellable *cancellable,
                                       GAsyncReadyCallback callback,
                                       gpointer user_data);

GAIO_AVAILABLE_IN_1_0
GList *gaio_enumerator_next_files_finish (GaioEnumerator *self,
                                          GAsyncResult *result,
                                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
gboolean gaio_enumerator_close (GaioEnumerator *self, GCancellable *cancellable, GError **error);

GAIO_AVAILABLE_IN_1_0
void gaio_enumerator_close_async (GaioEnumerator *self,
                                  int io_priority,
                                  GCancellable *cancellable,
                                  GAsyncReadyCallback callback,
                                  gpointer user_data);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_enumerator_close_finish (GaioEnumerator *self, GAsyncResult *result, GError **error);

GAIO_AVAILABLE_IN_1_0
const char *gaio_enumerator_get_path (GaioEnumerator *self);

G_END_DECLS
