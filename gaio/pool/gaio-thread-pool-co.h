/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/base/gaio-types.h>

G_BEGIN_DECLS

GAIO_AVAILABLE_IN_1_0
gpointer gaio_thread_pool_co_run (GaioThreadPool *self, GThreadFunc func, gpointer user_data);

G_END_DECLS
