/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/base/gaio-types.h>

G_BEGIN_DECLS

GAIO_AVAILABLE_IN_1_0
char *gaio_checksum (const char *path,
                     GChecksumType type,
                     GClosure *progress,
                     GCancellable *cancellable,
                     GError **error) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
void gaio_checksum_async (const char *path,
                          GChecksumType type,
                          GClosure *progress,
                          int io_priority,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer user_data);

GAIO_AVAILABLE_IN_1_0
char *gaio_checksum_finish (GAsyncResult *result, GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
