/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/base/gaio-types.h>

G_BEGIN_DECLS

GAIO_AVAILABLE_IN_1_0
gssize gaio_file_co_read (GaioFile *self,
                          goffset offset,
                          gpointer buffer,
                          gsize length,
                          GCancellable *cancellable,
                          GError **error);

GAIO_AVAILABLE_IN_1_0
gssize gaio_file_co_write (GaioFile *self,
                           goffset offset,
                           gconstpointer buffer,
                           gsize length,
                           GCancellable *cancellable,
                           GError **error);

G_END_DECLS
