/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/base/gaio-types.h>

G_BEGIN_DECLS

#define GAIO_TYPE_IO_THREAD (gaio_io_thread_get_type ())
GAIO_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (GaioIOThread, gaio_io_thread, GAIO, IO_THREAD, GObject)

GAIO_AVAILABLE_IN_1_0
GaioIOThread *gaio_io_thread_new (const char *name, GError **error) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
const char *gaio_io_thread_get_name (GaioIOThread *self);

GAIO_AVAILABLE_IN_1_0
GaioContext *gaio_io_thread_get_context (GaioIOThread *self);

GAIO_AVAILABLE_IN_1_0
GMainContext *gaio_io_thread_get_main_context (GaioIOThread *self);

GAIO_AVAILABLE_IN_1_0
void gaio_io_thread_stop (GaioIOThread *self);

G_END_DECLS
