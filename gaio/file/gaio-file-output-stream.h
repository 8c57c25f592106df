/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/file/gaio-file.h>

G_BEGIN_DECLS

#define GAIO_TYPE_FILE_OUTPUT_STREAM (gaio_file_output_stream_get_type ())
GAIO_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (GaioFileOutputStream, gaio_file_output_stream, GAIO, FILE_OUTPUT_STREAM,
                      GFileOutputStream)

GAIO_AVAILABLE_IN_1_0
GaioFileOutputStream *gaio_file_output_stream_new (GaioFile *file) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
GaioFile *gaio_file_output_stream_get_file (GaioFileOutputStream *self);

G_END_DECLS
