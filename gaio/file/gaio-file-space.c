/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a file takes up: its length, its room on the disk, and what of it the system keeps in
 * memory. Where the file system cannot do what is asked for, gaio-engine-threads.c knows another
 * way, or there is none. Any thread may call anything. */

#include "config.h"

#include <fcntl.h>

#include <gaio/file/gaio-file-call-private.h>
#include <gaio/file/gaio-file-space.h>

G_DEFINE_ENUM_TYPE (GaioAdvice,
                    gaio_advice,
                    G_DEFINE_ENUM_VALUE (GAIO_ADVICE_NORMAL, "normal"),
                    G_DEFINE_ENUM_VALUE (GAIO_ADVICE_SEQUENTIAL, "sequential"),
                    G_DEFINE_ENUM_VALUE (GAIO_ADVICE_RANDOM, "random"),
                    G_DEFINE_ENUM_VALUE (GAIO_ADVICE_WILL_NEED, "will-need"),
                    G_DEFINE_ENUM_VALUE (GAIO_ADVICE_DONT_NEED, "dont-need"),
                    G_DEFINE_ENUM_VALUE (GAIO_ADVICE_NO_REUSE, "no-reuse"))

/* The length. */

/**
 * gaio_file_truncate:
 * @self: a file
 * @length: the new length in bytes
 * @cancellable: (nullable): a cancellable; it does not end a wait for a disk
 * @error: return location for an error
 *
 * Changes the file's length, and blocks until that is done. See
 * [method@Gaio.File.truncate_async].
 *
 * Thread: any.
 *
 * Returns: %TRUE when the file has the length
 */
gboolean
gaio_file_truncate (GaioFile *self, goffset length, GCancellable *cancellable, GError **error)
{
  GAIO_FILE_BLOCK (gaio_request_truncate (request, length), TRUE, FALSE);
}

/**
 * gaio_file_truncate_async:
 * @self: a file
 * @length: the new length in bytes
 * @io_priority: the priority of the callback
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async): called when the file has the length
 * @user_data: data for @callback
 *
 * Changes the file's length. What is cut is gone; what is added reads as zeros.
 *
 * Thread: any.
 */
void
gaio_file_truncate_async (GaioFile *self,
                          goffset length,
                          int io_priority,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer user_data)
{
  GAIO_FILE_START (gaio_file_truncate_async, gaio_file_return_boolean,
                   gaio_request_truncate (request, length));
}

/**
 * gaio_file_truncate_finish:
 * @self: a file
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Gaio.File.truncate_async].
 *
 * Thread: the callback's.
 *
 * Returns: %TRUE when the file has the length
 */
gboolean
gaio_file_truncate_finish (GaioFile *self, GAsyncResult *result, GError **error)
{
  GAIO_FILE_FINISH (gaio_file_truncate_async, boolean, FALSE);
}

/* Making room, and giving it back. */

/**
 * gaio_file_allocate:
 * @self: a file
 * @offset: where to begin, in bytes
 * @length: how many bytes
 * @keep_size: whether the file stays as long as it is
 * @cancellable: (nullable): a cancellable; it does not end a wait for a disk
 * @error: return location for an error
 *
 * Reserves room on the disk, and blocks until that is done. See [method@Gaio.File.allocate_async].
 *
 * Thread: any.
 *
 * Returns: %TRUE when the room is there
 */
gboolean
gaio_file_allocate (GaioFile *self,
                    goffset offset,
                    goffset length,
                    gboolean keep_size,
                    GCancellable *cancellable,
                    GError **error)
{
  GAIO_FILE_BLOCK (
      gaio_request_allocate (request, keep_size ? FALLOC_FL_KEEP_SIZE : 0, offset, length), TRUE,
      FALSE);
}

/**
 * gaio_file_allocate_async:
 * @self: a file
 * @offset: where to begin, in bytes
 * @length: how many bytes
 * @keep_size: whether the file stays as long as it is
 * @io_priority: the priority of the callback
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async): called when the room is there
 * @user_data: data for @callback
 *
 * Reserves room on the disk, so that a write to it later does not fail for want of that. What was
 * in the file stays; what is added reads as zeros. The file becomes longer when the range ends
 * behind its end, unless @keep_size is set.
 *
 * A file system that cannot do it fails with %G_IO_ERROR_NOT_SUPPORTED: to write zeros instead
 * would take as long as what it is meant to prevent. When there is no room it fails with
 * %G_IO_ERROR_NO_SPACE, and some of it may be reserved. A @length of 0 does nothing.
 *
 * Thread: any.
 */
void
gaio_file_allocate_async (GaioFile *self,
                          goffset offset,
                          goffset length,
                          gboolean keep_size,
                          int io_priority,
                          GCancellable *cancellable,
                          GAsyncReadyCallback callback,
                          gpointer user_data)
{
  GAIO_FILE_START (
      gaio_file_allocate_async, gaio_file_return_boolean,
      gaio_request_allocate (request, keep_size ? FALLOC_FL_KEEP_SIZE : 0, offset, length));
}

/**
 * gaio_file_allocate_finish:
 * @self: a file
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Gaio.File.allocate_async].
 *
 * Thread: the callback's.
 *
 * Returns: %TRUE when the room is there
 */
gboolean
gaio_file_allocate_finish (GaioFile *self, GAsyncResult *result, GError **error)
{
  GAIO_FILE_FINISH (gaio_file_allocate_async, boolean, FALSE);
}

/**
 * gaio_file_punch_hole:
 * @self: a file
 * @offset: where to begin, in bytes
 * @length: how many bytes
 * @cancellable: (nullable): a cancellable; it does not end a wait for a disk
 * @error: return location for an error
 *
 * Gives room back, and blocks until that is done. See [method@Gaio.File.punch_hole_async].
 *
 * Thread: any.
 *
 * Returns: %TRUE when the hole is there
 */
gboolean
gaio_file_punch_hole (
    GaioFile *self, goffset offset, goffset length, GCancellable *cancellable, GError **error)
{
  GAIO_FILE_BLOCK (
      gaio_request_allocate (request, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length),
      TRUE, FALSE);
}

/**
 * gaio_file_punch_hole_async:
 * @self: a file
 * @offset: where to begin, in bytes
 * @length: how many bytes
 * @io_priority: the priority of the callback
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async): called when the hole is there
 * @user_data: data for @callback
 *
 * Gives a range back to the disk. It reads as zeros from then on, and the file stays as long as it
 * is.
 *
 * A file system that has no holes fails with %G_IO_ERROR_NOT_SUPPORTED. A @length of 0 does
 * nothing.
 *
 * Thread: any.
 */
void
gaio_file_punch_hole_async (GaioFile *self,
                            goffset offset,
                            goffset length,
                            int io_priority,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
  GAIO_FILE_START (
      gaio_file_punch_hole_async, gaio_file_return_boolean,
      gaio_request_allocate (request, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, length));
}

/**
 * gaio_file_punch_hole_finish:
 * @self: a file
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Gaio.File.punch_hole_async].
 *
 * Thread: the callback's.
 *
 * Returns: %TRUE when the hole is there
 */
gboolean
gaio_file_punch_hole_finish (GaioFile *self, GAsyncResult *result, GError **error)
{
  GAIO_FILE_FINISH (gaio_file_punch_hole_async, boolean, FALSE);
}

/**
 * gaio_file_zero_range:
 * @self: a file
 * @offset: where to begin, in bytes
 * @length: how many bytes
 * @cancellable: (nullable): a cancellable; it does not end a wait for a disk
 * @error: return location for an error
 *
 * Makes a range read as zeros, and blocks until that is done. See
 * [method@Gaio.File.zero_range_async].
 *
 * Thread: any.
 *
 * Returns: %TRUE when the zeros are there
 */
gboolean
gaio_file_zero_range (
    GaioFile *self, goffset offset, goffset length, GCancellable *cancellable, GError **error)
{
  GAIO_FILE_BLOCK (gaio_request_allocate (request, FALLOC_FL_ZERO_RANGE, offset, length), TRUE,
                   FALSE);
}

/**
 * gaio_file_zero_range_async:
 * @self: a file
 * @offset: where to begin, in bytes
 * @length: how many bytes
 * @io_priority: the priority of the callback
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async): called when the zeros are there
 * @user_data: data for @callback
 *
 * Makes a range read as zeros, and the file longer when the range ends behind its end. The room for
 * it is reserved.
 *
 * The file system does that without writing, where it can: as one operation, or else by a hole that
 * is then filled. Where it can neither, zeros are written, in pieces, between which @cancellable
 * ends it; for a file that was opened for appending that fails with %G_IO_ERROR_NOT_SUPPORTED. A
 * @length of 0 does nothing.
 *
 * Thread: any.
 */
void
gaio_file_zero_range_async (GaioFile *self,
                            goffset offset,
                            goffset length,
                            int io_priority,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
  GAIO_FILE_START (gaio_file_zero_range_async, gaio_file_return_boolean,
                   gaio_request_allocate (request, FALLOC_FL_ZERO_RANGE, offset, length));
}

/**
 * gaio_file_zero_range_finish:
 * @self: a file
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Gaio.File.zero_range_async].
 *
 * Thread: the callback's.
 *
 * Returns: %TRUE when the zeros are there
 */
gboolean
gaio_file_zero_range_finish (GaioFile *self, GAsyncResult *result, GError **error)
{
  GAIO_FILE_FINISH (gaio_file_zero_range_async, boolean, FALSE);
}

/* What of it is in memory. */

/* -1 is none, and is refused. */
static int
to_posix_advice (GaioAdvice advice)
{
  static const int known[] = {
    [GAIO_ADVICE_NORMAL] = POSIX_FADV_NORMAL,      [GAIO_ADVICE_SEQUENTIAL] = POSIX_FADV_SEQUENTIAL,
    [GAIO_ADVICE_RANDOM] = POSIX_FADV_RANDOM,      [GAIO_ADVICE_WILL_NEED] = POSIX_FADV_WILLNEED,
    [GAIO_ADVICE_DONT_NEED] = POSIX_FADV_DONTNEED, [GAIO_ADVICE_NO_REUSE] = POSIX_FADV_NOREUSE,
  };

  return (guint) advice < G_N_ELEMENTS (known) ? known[advice] : -1;
}

/**
 * gaio_file_advise:
 * @self: a file
 * @advice: what is going to happen
 * @offset: where to begin, in bytes
 * @length: how many bytes; 0 for all that follow
 * @cancellable: (nullable): a cancellable; it does not end a wait for a disk
 * @error: return location for an error
 *
 * Tells the system how the file is going to be used, and blocks until that is done. See
 * [method@Gaio.File.advise_async].
 *
 * Thread: any.
 *
 * Returns: %TRUE when the system has been told
 */
gboolean
gaio_file_advise (GaioFile *self,
                  GaioAdvice advice,
                  goffset offset,
                  goffset length,
                  GCancellable *cancellable,
                  GError **error)
{
  GAIO_FILE_BLOCK (gaio_request_advise (request, to_posix_advice (advice), offset, length), TRUE,
                   FALSE);
}

/**
 * gaio_file_advise_async:
 * @self: a file
 * @advice: what is going to happen
 * @offset: where to begin, in bytes
 * @length: how many bytes; 0 for all that follow
 * @io_priority: the priority of the callback
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async): called when the system knows
 * @user_data: data for @callback
 *
 * Tells the system how the file is going to be used, see posix_fadvise(2). It changes nothing but
 * how fast things are; a system that does not care succeeds.
 *
 * To have read ahead what will be needed does not wait for the disk. What is not needed any more is
 * dropped from memory only when it is on the disk, so sync first.
 *
 * Thread: any.
 */
void
gaio_file_advise_async (GaioFile *self,
                        GaioAdvice advice,
                        goffset offset,
                        goffset length,
                        int io_priority,
                        GCancellable *cancellable,
                        GAsyncReadyCallback callback,
                        gpointer user_data)
{
  GAIO_FILE_START (gaio_file_advise_async, gaio_file_return_boolean,
                   gaio_request_advise (request, to_posix_advice (advice), offset, length));
}

/**
 * gaio_file_advise_finish:
 * @self: a file
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Gaio.File.advise_async].
 *
 * Thread: the callback's.
 *
 * Returns: %TRUE when the system has been told
 */
gboolean
gaio_file_advise_finish (GaioFile *self, GAsyncResult *result, GError **error)
{
  GAIO_FILE_FINISH (gaio_file_advise_async, boolean, FALSE);
}
