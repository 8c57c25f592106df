/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/base/gaio-types.h>

G_BEGIN_DECLS

#define GAIO_TYPE_BUFFER_POOL (gaio_buffer_pool_get_type ())

GAIO_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (GaioBufferPool, gaio_buffer_pool, GAIO, BUFFER_POOL, GObject)

GAIO_AVAILABLE_IN_1_0
GaioBufferPool *gaio_buffer_pool_new (gsize buffer_bytes,
                                      guint n_buffers) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
gsize gaio_buffer_pool_get_buffer_bytes (GaioBufferPool *self);

GAIO_AVAILABLE_IN_1_0
guint gaio_buffer_pool_get_n_buffers (GaioBufferPool *self);

GAIO_AVAILABLE_IN_1_0
guint gaio_buffer_pool_get_n_used (GaioBufferPool *self);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_buffer_pool_is_registered (GaioBufferPool *self);

GAIO_AVAILABLE_IN_1_0
GBytes *gaio_buffer_pool_copy_bytes (GaioBufferPool *self,
                                     GBytes *bytes) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
gpointer gaio_buffer_pool_acquire (GaioBufferPool *self) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
void gaio_buffer_pool_release (GaioBufferPool *self, gpointer buffer);

G_END_DECLS
