/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/loop/gaio-poll-set.h>

GaioPollSet *gaio_poll_set_new (void);

/* Thread: the one that waits, all of these. `fds`, of GPollFD, is borrowed from begin to end. */
void gaio_poll_set_begin (GaioPollSet *self, GArray *fds, gint64 timeout_ns);
void gaio_poll_set_end_fill (GaioPollSet *self);
void gaio_poll_set_end (GaioPollSet *self);
