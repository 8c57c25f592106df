/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <stdbool.h>

#include <gaio/base/gaio-waker-private.h>
#include <gaio/loop/gaio-clock.h>

/* Whether time passes: always, but for a virtual clock that is not enabled. Thread: any. */
bool gaio_clock_is_running (GaioClock clock);

/* A loop that waits for the virtual clock has to know when that is set. Thread: any. */
void gaio_clock_add_waker (GaioWaker *waker);
void gaio_clock_remove_waker (GaioWaker *waker);
