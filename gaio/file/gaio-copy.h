/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/base/gaio-types.h>

G_BEGIN_DECLS

/**
 * GaioCopyFlags:
 * @GAIO_COPY_NONE: nothing special
 * @GAIO_COPY_OVERWRITE: replace what has the name of the destination
 * @GAIO_COPY_NOFOLLOW_SYMLINKS: copy a symbolic link, not what it leads to
 * @GAIO_COPY_ALL_METADATA: copy times, extended attributes, and as far as allowed owner and group;
 *   without it the permissions alone
 * @GAIO_COPY_RESUMABLE: a copy that is cancelled or fails goes on where it was when it is asked for
 *   again, as long as the source has not changed
 * @GAIO_COPY_DURABLE: have the contents on the disk before the file gets its name, and the name
 *   when the function returns
 * @GAIO_COPY_NO_FALLBACK: do not copy what cannot be renamed; for [func@Gaio.move] alone
 *
 * How [func@Gaio.copy] and [func@Gaio.move] do it. Those that [flags@Gio.FileCopyFlags] has, too,
 * have the same values; its others are refused.
 */
typedef enum
{
  GAIO_COPY_NONE = 0,
  GAIO_COPY_OVERWRITE = 1 << 0,
  GAIO_COPY_NOFOLLOW_SYMLINKS = 1 << 2,
  GAIO_COPY_ALL_METADATA = 1 << 3,
  GAIO_COPY_NO_FALLBACK = 1 << 4,
  GAIO_COPY_RESUMABLE = 1 << 8,
  GAIO_COPY_DURABLE = 1 << 9,
} GaioCopyFlags;

GAIO_AVAILABLE_IN_1_0
GType gaio_copy_flags_get_type (void);
#define GAIO_TYPE_COPY_FLAGS (gaio_copy_flags_get_type ())

GAIO_AVAILABLE_IN_1_0
gboolean gaio_copy (const char *source,
                    const char *destination,
                    GaioCopyFlags flags,
                    GClosure *progress,
                    GCancellable *cancellable,
                    GError **error);

GAIO_AVAILABLE_IN_1_0
void gaio_copy_async (const char *source,
                      const char *destination,
                      GaioCopyFlags flags,
                      GClosure *progress,
                      int io_priority,
                      GCancellable *cancellable,
                      GAsyncReadyCallback callback,
                      gpointer user_data);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_copy_finish (GAsyncResult *result, GError **error);

G_END_DECLS
