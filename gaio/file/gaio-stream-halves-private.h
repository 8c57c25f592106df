/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The two halves of an IO stream: streams without windows that leave the file open, at one place.
 */

#pragma once

#include <gaio/file/gaio-file-input-stream.h>
#include <gaio/file/gaio-file-output-stream.h>
#include <gaio/file/gaio-stream-private.h>

/* Thread: any. */
GaioFileInputStream *gaio_file_input_stream_new_half (GaioStreamCursor *cursor);
GaioFileOutputStream *gaio_file_output_stream_new_half (GaioStreamCursor *cursor);
