/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/base/gaio-types.h>

G_BEGIN_DECLS

/**
 * GaioScanFlags:
 * @GAIO_SCAN_NONE: what is in the directory itself
 * @GAIO_SCAN_RECURSIVE: also what is in the directories below it
 *
 * What [func@Gaio.scan_directory] lists.
 */
typedef enum /*< flags >*/
{
  GAIO_SCAN_NONE = 0,
  GAIO_SCAN_RECURSIVE = 1 << 0,
} GaioScanFlags;

GAIO_AVAILABLE_IN_1_0
GType gaio_scan_flags_get_type (void);
#define GAIO_TYPE_SCAN_FLAGS (gaio_scan_flags_get_type ())

GAIO_AVAILABLE_IN_1_0
char **gaio_scan_directory (const char *path,
                            GaioScanFlags flags,
                            GCancellable *cancellable,
                            GError **error) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
void gaio_scan_directory_async (const char *path,
                                GaioScanFlags flags,
                                int io_priority,
                                GCancellable *cancellable,
                                GAsyncReadyCallback callback,
                                gpointer user_data);

GAIO_AVAILABLE_IN_1_0
char **gaio_scan_directory_finish (GAsyncResult *result, GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
