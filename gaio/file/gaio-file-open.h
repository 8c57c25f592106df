/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/base/gaio-types.h>

G_BEGIN_DECLS

/**
 * GaioOpenFlags:
 * @GAIO_OPEN_NONE: nothing, with which no file can be opened
 * @GAIO_OPEN_READ: the file can be read
 * @GAIO_OPEN_WRITE: the file can be written
 * @GAIO_OPEN_CREATE: a file that does not exist is made
 * @GAIO_OPEN_EXCLUSIVE: and one that exists is an error; with %GAIO_OPEN_CREATE only. A symbolic
 *   link counts as existing, wherever it leads
 * @GAIO_OPEN_APPEND: every write goes behind the file's end; with %GAIO_OPEN_WRITE only
 * @GAIO_OPEN_TRUNCATE: the file is emptied; with %GAIO_OPEN_WRITE only
 * @GAIO_OPEN_NOFOLLOW: a path that ends in a symbolic link is an error
 * @GAIO_OPEN_DIRECT: reads and writes pass by the page cache, where the file system can do that
 * @GAIO_OPEN_SYNC: a write ends when it is on the disk, as if a sync followed it
 * @GAIO_OPEN_DSYNC: the same with a sync of the data only
 *
 * How to open a file; see open(2).
 */
typedef enum
{
  GAIO_OPEN_NONE = 0,
  GAIO_OPEN_READ = 1 << 0,
  GAIO_OPEN_WRITE = 1 << 1,
  GAIO_OPEN_CREATE = 1 << 2,
  GAIO_OPEN_EXCLUSIVE = 1 << 3,
  GAIO_OPEN_APPEND = 1 << 4,
  GAIO_OPEN_TRUNCATE = 1 << 5,
  GAIO_OPEN_NOFOLLOW = 1 << 6,
  GAIO_OPEN_DIRECT = 1 << 7,
  GAIO_OPEN_SYNC = 1 << 8,
  GAIO_OPEN_DSYNC = 1 << 9,
} GaioOpenFlags;

GAIO_AVAILABLE_IN_1_0
GType gaio_open_flags_get_type (void);
#define GAIO_TYPE_OPEN_FLAGS (gaio_open_flags_get_type ())

GAIO_AVAILABLE_IN_1_0
GaioFile *gaio_open (const char *path, const char *mode, GCancellable *cancellable, GError **error)
    G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
void gaio_open_async (const char *path,
                      const char *mode,
                      int io_priority,
                      GCancellable *cancellable,
                      GAsyncReadyCallback callback,
                      gpointer user_data);

GAIO_AVAILABLE_IN_1_0
GaioFile *gaio_open_finish (GAsyncResult *result, GError **error) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
GaioFile *gaio_open_full (const char *path,
                          GaioOpenFlags flags,
                          guint32 permissions,
                          GCancellable *cancellable,
                          GError **error) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
void gaio_open_full_async (const char *path,
                           GaioOpenFlags flags,
                           guint32 permissions,
                           int io_priority,
                           GCancellable *cancellable,
                           GAsyncReadyCallback callback,
                           gpointer user_data);

GAIO_AVAILABLE_IN_1_0
GaioFile *gaio_open_full_finish (GAsyncResult *result, GError **error) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
GaioFile *gaio_open_gfile (GFile *file,
                           GaioOpenFlags flags,
                           guint32 permissions,
                           GCancellable *cancellable,
                           GError **error) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
void gaio_open_gfile_async (GFile *file,
                            GaioOpenFlags flags,
                            guint32 permissions,
                            int io_priority,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data);

GAIO_AVAILABLE_IN_1_0
GaioFile *gaio_open_gfile_finish (GAsyncResult *result, GError **error) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
GaioFile *gaio_file_new_for_path (GaioContext *context,
                                  const char *path,
                                  const char *mode,
                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

G_END_DECLS
