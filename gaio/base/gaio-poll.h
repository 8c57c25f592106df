/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/base/gaio-types.h>

G_BEGIN_DECLS

GAIO_AVAILABLE_IN_1_0
int gaio_poll_ns (GPollFD *fds, guint n_fds, gint64 timeout_ns);

GAIO_AVAILABLE_IN_1_0
gint64 gaio_timeout_soonest_ns (gint64 a_ns, gint64 b_ns);

G_END_DECLS
