/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/base/gaio-types.h>

G_BEGIN_DECLS

/**
 * GaioClock:
 * @GAIO_CLOCK_MONOTONIC: time since some moment in the past; never jumps (`CLOCK_MONOTONIC`)
 * @GAIO_CLOCK_WALL: the time of day, since 1970 in UTC; jumps when it is set (`CLOCK_REALTIME`)
 * @GAIO_CLOCK_VIRTUAL: a clock of the program: stands still until it is enabled, and can be
 *   advanced, for tests and simulations
 *
 * What a [class@Gaio.Timer] measures time with.
 */
typedef enum
{
  GAIO_CLOCK_MONOTONIC,
  GAIO_CLOCK_WALL,
  GAIO_CLOCK_VIRTUAL,
} GaioClock;

GAIO_AVAILABLE_IN_1_0
gint64 gaio_clock_get_ns (GaioClock clock);

GAIO_AVAILABLE_IN_1_0
void gaio_clock_set_enabled (GaioClock clock, gboolean enabled);

GAIO_AVAILABLE_IN_1_0
void gaio_clock_advance (GaioClock clock, gint64 duration_ns);

GAIO_AVAILABLE_IN_1_0
GType gaio_clock_get_type (void);
#define GAIO_TYPE_CLOCK (gaio_clock_get_type ())

G_END_DECLS
