/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/base/gaio-types.h>

G_BEGIN_DECLS

/**
 * GaioLockType:
 * @GAIO_LOCK_SHARED: others may have it too; what readers take
 * @GAIO_LOCK_EXCLUSIVE: nobody else may have it; what writers take
 *
 * How a range of a file is locked, see [method@Gaio.File.lock_async].
 */
typedef enum
{
  GAIO_LOCK_SHARED,
  GAIO_LOCK_EXCLUSIVE,
} GaioLockType;

GAIO_AVAILABLE_IN_1_0
GType gaio_lock_type_get_type (void);
#define GAIO_TYPE_LOCK_TYPE (gaio_lock_type_get_type ())

GAIO_AVAILABLE_IN_1_0
gboolean gaio_file_lock (GaioFile *self,
                         GaioLockType type,
                         goffset offset,
                         goffset length,
                         GCancellable *cancellable,
                         GError **error);

GAIO_AVAILABLE_IN_1_0
void gaio_file_lock_async (GaioFile *self,
                           GaioLockType type,
                           goffset offset,
                           goffset length,
                           int io_priority,
                           GCancellable *cancellable,
                           GAsyncReadyCallback callback,
                           gpointer user_data);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_file_lock_finish (GaioFile *self, GAsyncResult *result, GError **error);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_file_try_lock (GaioFile *self,
                             GaioLockType type,
                             goffset offset,
                             goffset length,
                             GCancellable *cancellable,
                             GError **error);

GAIO_AVAILABLE_IN_1_0
void gaio_file_try_lock_async (GaioFile *self,
                               GaioLockType type,
                               goffset offset,
                               goffset length,
                               int io_priority,
                               GCancellable *cancellable,
                               GAsyncReadyCallback callback,
                               gpointer user_data);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_file_try_lock_finish (GaioFile *self, GAsyncResult *result, GError **error);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_file_unlock (
    GaioFile *self, goffset offset, goffset length, GCancellable *cancellable, GError **error);

GAIO_AVAILABLE_IN_1_0
void gaio_file_unlock_async (GaioFile *self,
                             goffset offset,
                             goffset length,
                             int io_priority,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_file_unlock_finish (GaioFile *self, GAsyncResult *result, GError **error);

G_END_DECLS
