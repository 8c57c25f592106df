/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The splice of an output stream, as its class has it. See gaio-stream-splice.c. */

#pragma once

#include <gio/gio.h>

gssize gaio_stream_splice (GOutputStream *stream,
                           GInputStream *source,
                           GOutputStreamSpliceFlags flags,
                           GCancellable *cancellable,
                           GError **error);

void gaio_stream_splice_async (GOutputStream *stream,
                               GInputStream *source,
                               GOutputStreamSpliceFlags flags,
                               int io_priority,
                               GCancellable *cancellable,
                               GAsyncReadyCallback callback,
                               gpointer user_data);

gssize gaio_stream_splice_finish (GOutputStream *stream, GAsyncResult *result, GError **error);
