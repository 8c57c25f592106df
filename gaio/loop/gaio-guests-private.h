/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/loop/gaio-fd-table-private.h>

/* Descriptors of others that a context waits for in their stead: arrays of GPollFD, as poll(2)
 * takes them, of which only the changes are told to the kernel. Thread: home, all of it. */
typedef struct _GaioGuests GaioGuests;

/* A set that is watched in `table`; NULL and errno when the system gives no descriptor. */
GaioGuests *gaio_guests_new (GaioFdTable *table);
void gaio_guests_free (GaioGuests *self);

/* What is to be watched from now on, in place of what was. `except` is left out: the context
 * watches that itself. `steadfast` belongs to its number for good, so there is nothing to verify
 * about it. Either may be -1. */
void gaio_guests_set (GaioGuests *self,
                      const GPollFD *pollfds,
                      guint n_pollfds,
                      int except,
                      int steadfast);

/* Before a wait that blocks: makes sure that the kernel watches the files that the descriptors are
 * now, since their owners may have closed one and opened another with the same number. Returns
 * whether any is ready without a wait. */
bool gaio_guests_verify (GaioGuests *self);

/* Whether the kernel watches all of them. When it has no memory or no descriptor left it does not,
 * and whoever waits has to look at those by other means, now and then. */
bool gaio_guests_is_complete (GaioGuests *self);

/* After the wait: fills in the revents, which are 0, of the array that was set; returns how many
 * are not any more. */
int gaio_guests_collect (GaioGuests *self, GPollFD *pollfds);

/* In a forked child: watches with descriptors of its own; false when the system gives none. */
bool gaio_guests_begin_child (GaioGuests *self);
