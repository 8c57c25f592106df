/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* How long a loop may go on before others get their turn. Who calls callbacks asks after each of
 * them whether the slice is over, which mostly costs a decrement: the clock is read after 2, 4, 8
 * of them and so on, up to every 16th while they are quick, and after each when they are slow. A
 * turn with one callback does not read it at all. */

#pragma once

#include <stdbool.h>

#include <glib.h>

#define GAIO_SLICE_MAX_STEP 16

typedef struct
{
  gint64 duration_us;
  gint64 end_us;
  gint64 seen_us; /* when the clock was last read */
  guint step;
  guint left; /* callbacks until it is read again */
  bool is_over;
} GaioSlice;

static inline void
gaio_slice_begin (GaioSlice *self, gint64 now_us, gint64 duration_us)
{
  self->duration_us = duration_us;
  self->end_us = now_us + duration_us;
  self->seen_us = now_us;
  self->step = 2;
  self->left = 2;
  self->is_over = false;
}

/* Between one kind of callbacks and the next: when the first has used the slice up, so that it is
 * over, the next has a part of it all the same, or it might never have its turn. */
static inline void
gaio_slice_go_on (GaioSlice *self)
{
  if (self == NULL || !self->is_over)
    return;
  self->end_us = self->seen_us + self->duration_us / 4;
  self->is_over = false;
}

/* NULL is a slice without end. */
static inline bool
gaio_slice_is_over (GaioSlice *self)
{
  gint64 now_us;

  if (self == NULL || --self->left > 0)
    return false;
  now_us = g_get_monotonic_time ();
  self->is_over = now_us >= self->end_us;
  if ((now_us - self->seen_us) * GAIO_SLICE_MAX_STEP < self->duration_us)
    self->step = MIN (self->step * 2, GAIO_SLICE_MAX_STEP);
  else
    self->step = 1;
  self->seen_us = now_us;
  self->left = self->step;
  return self->is_over;
}
