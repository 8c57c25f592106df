/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/base/gaio-types.h>

G_BEGIN_DECLS

/**
 * GaioDurability:
 * @GAIO_DURABILITY_NONE: the system brings it to the disk when it sees fit
 * @GAIO_DURABILITY_DATA: the contents are on the disk before the file gets its name, so after a
 *   crash there is all of the old file or all of the new one
 * @GAIO_DURABILITY_FULL: the name is on the disk too, so it is the new one
 *
 * What a crash of the system may undo once [func@Gaio.save_bytes] has returned.
 */
typedef enum
{
  GAIO_DURABILITY_NONE,
  GAIO_DURABILITY_DATA,
  GAIO_DURABILITY_FULL,
} GaioDurability;

GAIO_AVAILABLE_IN_1_0
GType gaio_durability_get_type (void);
#define GAIO_TYPE_DURABILITY (gaio_durability_get_type ())

GAIO_AVAILABLE_IN_1_0
gboolean gaio_save_bytes (const char *path,
                          GBytes *bytes,
                          GaioDurability durability,
                          GCancellable *cancellable,
                          GError **error);

GAIO_AVAILABLE_IN_1_0
void gaio_save_bytes_async (const char *path,
                            GBytes *bytes,
                            GaioDurability durability,
                            int io_priority,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_save_bytes_finish (GAsyncResult *result, GError **error);

G_END_DECLS
