/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/base/gaio-types.h>

G_BEGIN_DECLS

/**
 * GaioRequestFunc: (skip)
 * @request: the request, which is idle again: the callback may submit it anew
 * @user_data: the data given with the function
 *
 * The end of one submission of a [struct@Gaio.Request]. It is called in the home thread of the
 * file's context.
 */
typedef void (*GaioRequestFunc) (GaioRequest *request, gpointer user_data);

GAIO_AVAILABLE_IN_1_0
GType gaio_request_get_type (void);
#define GAIO_TYPE_REQUEST (gaio_request_get_type ())

GAIO_AVAILABLE_IN_1_0
GaioRequest *gaio_request_new (GaioFile *file,
                               GaioRequestFunc func,
                               gpointer user_data,
                               GDestroyNotify notify) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
GaioRequest *gaio_request_ref (GaioRequest *self);

GAIO_AVAILABLE_IN_1_0
void gaio_request_unref (GaioRequest *self);

GAIO_AVAILABLE_IN_1_0
void gaio_request_read (GaioRequest *self, goffset offset, gsize length);

GAIO_AVAILABLE_IN_1_0
void gaio_request_write (GaioRequest *self, goffset offset, GBytes *bytes);

GAIO_AVAILABLE_IN_1_0
void gaio_request_writev (GaioRequest *self, goffset offset, GBytes *const *chunks, gsize n_chunks);

GAIO_AVAILABLE_IN_1_0
void gaio_request_sync (GaioRequest *self, gboolean data_only);

GAIO_AVAILABLE_IN_1_0
void gaio_request_truncate (GaioRequest *self, goffset length);

GAIO_AVAILABLE_IN_1_0
void gaio_request_rename (GaioRequest *self, const char *new_path);

GAIO_AVAILABLE_IN_1_0
void gaio_request_set_priority (GaioRequest *self, int io_priority);

GAIO_AVAILABLE_IN_1_0
void gaio_request_set_timeout_ns (GaioRequest *self, gint64 timeout_ns);

GAIO_AVAILABLE_IN_1_0
void gaio_request_set_after (GaioRequest *self, GaioRequest *before);

GAIO_AVAILABLE_IN_1_0
void gaio_request_cancel (GaioRequest *self);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_request_get_result (GaioRequest *self, gsize *n_bytes, GError **error);

GAIO_AVAILABLE_IN_1_0
gconstpointer gaio_request_get_data (GaioRequest *self, gsize *size);

GAIO_AVAILABLE_IN_1_0
GBytes *gaio_request_steal_bytes (GaioRequest *self) G_GNUC_WARN_UNUSED_RESULT;

G_DEFINE_AUTOPTR_CLEANUP_FUNC (GaioRequest, gaio_request_unref)

G_END_DECLS
