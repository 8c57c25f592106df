/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/base/gaio-types.h>

G_BEGIN_DECLS

/**
 * GaioRemoveFlags:
 * @GAIO_REMOVE_NONE: a file, a symbolic link, or an empty directory
 * @GAIO_REMOVE_RECURSIVE: also a directory with everything below it
 *
 * What [func@Gaio.remove] removes.
 */
typedef enum /*< flags >*/
{
  GAIO_REMOVE_NONE = 0,
  GAIO_REMOVE_RECURSIVE = 1 << 0,
} GaioRemoveFlags;

GAIO_AVAILABLE_IN_1_0
GType gaio_remove_flags_get_type (void);
#define GAIO_TYPE_REMOVE_FLAGS (gaio_remove_flags_get_type ())

GAIO_AVAILABLE_IN_1_0
gboolean gaio_remove (const char *path,
                      GaioRemoveFlags flags,
                      GClosure *progress,
                      GCancellable *cancellable,
                      GError **error);

GAIO_AVAILABLE_IN_1_0
void gaio_remove_async (const char *path,
                        GaioRemoveFlags flags,
                        GClosure *progress,
                        int io_priority,
                        GCancellable *cancellable,
                        GAsyncReadyCallback callback,
                        gpointer user_data);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_remove_finish (GAsyncResult *result, GError **error);

G_END_DECLS
