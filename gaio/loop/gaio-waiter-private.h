/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/loop/gaio-waiter.h>

/* Thread: any. By which those wait who have to know when any context is left by its thread. It is
 * one for all contexts, since that happens seldom. Borrowed. */
GaioWaiter *gaio_waiter_get_for_left_contexts (void);
