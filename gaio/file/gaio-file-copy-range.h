/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/base/gaio-types.h>

G_BEGIN_DECLS

GAIO_AVAILABLE_IN_1_0
gssize gaio_file_copy_range (GaioFile *self,
                             goffset offset,
                             GaioFile *target,
                             goffset target_offset,
                             gsize length,
                             GCancellable *cancellable,
                             GError **error);

GAIO_AVAILABLE_IN_1_0
void gaio_file_copy_range_async (GaioFile *self,
                                 goffset offset,
                                 GaioFile *target,
                                 goffset target_offset,
                                 gsize length,
                                 int io_priority,
                                 GCancellable *cancellable,
                                 GAsyncReadyCallback callback,
                                 gpointer user_data);

GAIO_AVAILABLE_IN_1_0
gssize gaio_file_copy_range_finish (GaioFile *self, GAsyncResult *result, GError **error);

G_END_DECLS
