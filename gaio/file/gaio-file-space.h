/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/base/gaio-types.h>

G_BEGIN_DECLS

/**
 * GaioAdvice:
 * @GAIO_ADVICE_NORMAL: nothing special
 * @GAIO_ADVICE_SEQUENTIAL: it will be read from the beginning to the end
 * @GAIO_ADVICE_RANDOM: it will be read here and there
 * @GAIO_ADVICE_WILL_NEED: it will be read soon; the system begins to do so
 * @GAIO_ADVICE_DONT_NEED: it will not be read soon; the system drops it from memory
 * @GAIO_ADVICE_NO_REUSE: it will be read once
 *
 * What to expect of a file, for [method@Gaio.File.advise_async].
 */
typedef enum
{
  GAIO_ADVICE_NORMAL,
  GAIO_ADVICE_SEQUENTIAL,
  GAIO_ADVICE_RANDOM,
  GAIO_ADVICE_WILL_NEED,
  GAIO_ADVICE_DONT_NEED,
  GAIO_ADVICE_NO_REUSE,
} GaioAdvice;

GAIO_AVAILABLE_IN_1_0
GType gaio_advice_get_type (void);
#define GAIO_TYPE_ADVICE (gaio_advice_get_type ())

GAIO_AVAILABLE_IN_1_0
gboolean
gaio_file_truncate (GaioFile *self, goffset length, GCancellable *cancellable, GError **error);

GAIO_AVAILABLE_IN_1_0
void gaio_file_truncate_async (GaioFile *self,
                               goffset length,
                               int io_priority,
                               GCancellable *cancellable,
                               GAsyncReadyCallback callback,
                               gpointer user_data);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_file_truncate_finish (GaioFile *self, GAsyncResult *result, GError **error);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_file_allocate (GaioFile *self,
                             goffset offset,
                             goffset length,
                             gboolean keep_size,
                             GCancellable *cancellable,
                             GError **error);

GAIO_AVAILABLE_IN_1_0
void gaio_file_allocate_async (GaioFile *self,
                               goffset offset,
                               goffset length,
                               gboolean keep_size,
                               int io_priority,
                               GCancellable *cancellable,
                               GAsyncReadyCallback callback,
                               gpointer user_data);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_file_allocate_finish (GaioFile *self, GAsyncResult *result, GError **error);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_file_punch_hole (
    GaioFile *self, goffset offset, goffset length, GCancellable *cancellable, GError **error);

GAIO_AVAILABLE_IN_1_0
void gaio_file_punch_hole_async (GaioFile *self,
                                 goffset offset,
                                 goffset length,
                                 int io_priority,
                                 GCancellable *cancellable,
                                 GAsyncReadyCallback callback,
                                 gpointer user_data);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_file_punch_hole_finish (GaioFile *self, GAsyncResult *result, GError **error);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_file_zero_range (
    GaioFile *self, goffset offset, goffset length, GCancellable *cancellable, GError **error);

GAIO_AVAILABLE_IN_1_0
void gaio_file_zero_range_async (GaioFile *self,
                                 goffset offset,
                                 goffset length,
                                 int io_priority,
                                 GCancellable *cancellable,
                                 GAsyncReadyCallback callback,
                                 gpointer user_data);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_file_zero_range_finish (GaioFile *self, GAsyncResult *result, GError **error);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_file_advise (GaioFile *self,
                           GaioAdvice advice,
                           goffset offset,
                           goffset length,
                           GCancellable *cancellable,
                           GError **error);

GAIO_AVAILABLE_IN_1_0
void gaio_file_advise_async (GaioFile *self,
                             GaioAdvice advice,
                             goffset offset,
                             goffset length,
                             int io_priority,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_file_advise_finish (GaioFile *self, GAsyncResult *result, GError **error);

G_END_DECLS
