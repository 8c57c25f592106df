/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/file/gaio-file.h>

G_BEGIN_DECLS

#define GAIO_TYPE_FILE_INPUT_STREAM (gaio_file_input_stream_get_type ())
GAIO_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (GaioFileInputStream, gaio_file_input_stream, GAIO, FILE_INPUT_STREAM,
                      GFileInputStream)

GAIO_AVAILABLE_IN_1_0
GaioFileInputStream *gaio_file_input_stream_new (GaioFile *file) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
GaioFile *gaio_file_input_stream_get_file (GaioFileInputStream *self);

G_END_DECLS
