/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The tunables of adaptive polling, as properties of the context. Any thread may change them at any
 * time; the loop reads them before and after each wait. What they do stands in gaio-adaptive.c. */

#include "config.h"

#include <gaio/loop/gaio-core-private.h>

static GaioAdaptive *
get_adaptive (GaioContext *self)
{
  return &gaio_context_get_core (self)->adaptive;
}

static void
set_uint (GaioContext *self, atomic_uint *tunable, guint value, const char *property)
{
  if (atomic_exchange (tunable, value) != value)
    g_object_notify (G_OBJECT (self), property);
}

/**
 * gaio_context_get_poll_max_ns: (get-property poll-max-ns)
 * @self: a context
 *
 * Gets for how long the context looks for work before it sleeps, at most.
 *
 * Thread: any.
 *
 * Returns: a duration in nanoseconds, 0 for not at all
 */
gint64
gaio_context_get_poll_max_ns (GaioContext *self)
{
  g_return_val_if_fail (GAIO_IS_CONTEXT (self), 0);

  return atomic_load (&get_adaptive (self)->max_ns);
}

/**
 * gaio_context_set_poll_max_ns: (set-property poll-max-ns)
 * @self: a context
 * @duration_ns: a duration in nanoseconds, 0 for not at all
 *
 * Sets for how long the context looks for work before it sleeps, at most.
 *
 * Thread: any.
 */
void
gaio_context_set_poll_max_ns (GaioContext *self, gint64 duration_ns)
{
  g_return_if_fail (GAIO_IS_CONTEXT (self));
  g_return_if_fail (duration_ns >= 0);

  if (atomic_exchange (&get_adaptive (self)->max_ns, duration_ns) != duration_ns)
    g_object_notify (G_OBJECT (self), "poll-max-ns");
}

/**
 * gaio_context_get_poll_grow: (get-property poll-grow)
 * @self: a context
 *
 * Gets by what factor the time of adaptive polling grows.
 *
 * Thread: any.
 *
 * Returns: a factor
 */
guint
gaio_context_get_poll_grow (GaioContext *self)
{
  g_return_val_if_fail (GAIO_IS_CONTEXT (self), 0);

  return atomic_load (&get_adaptive (self)->grow);
}

/**
 * gaio_context_set_poll_grow: (set-property poll-grow)
 * @self: a context
 * @factor: a factor, 0 for the default
 *
 * Sets by what factor the time of adaptive polling grows.
 *
 * Thread: any.
 */
void
gaio_context_set_poll_grow (GaioContext *self, guint factor)
{
  g_return_if_fail (GAIO_IS_CONTEXT (self));

  set_uint (self, &get_adaptive (self)->grow, factor != 0 ? factor : GAIO_ADAPTIVE_GROW,
            "poll-grow");
}

/**
 * gaio_context_get_poll_shrink: (get-property poll-shrink)
 * @self: a context
 *
 * Gets by what the time of adaptive polling is divided when it was much too long.
 *
 * Thread: any.
 *
 * Returns: a divisor; 0 to end it at once, 1 for never
 */
guint
gaio_context_get_poll_shrink (GaioContext *self)
{
  g_return_val_if_fail (GAIO_IS_CONTEXT (self), 0);

  return atomic_load (&get_adaptive (self)->shrink);
}

/**
 * gaio_context_set_poll_shrink: (set-property poll-shrink)
 * @self: a context
 * @divisor: a divisor; 0 to end it at once, 1 for never
 *
 * Sets by what the time of adaptive polling is divided when it was much too long.
 *
 * Thread: any.
 */
void
gaio_context_set_poll_shrink (GaioContext *self, guint divisor)
{
  g_return_if_fail (GAIO_IS_CONTEXT (self));

  set_uint (self, &get_adaptive (self)->shrink, divisor, "poll-shrink");
}

/**
 * gaio_context_get_poll_weight: (get-property poll-weight)
 * @self: a context
 *
 * Gets how little one wait counts in the average that adaptive polling goes by.
 *
 * Thread: any.
 *
 * Returns: a power of 2
 */
guint
gaio_context_get_poll_weight (GaioContext *self)
{
  g_return_val_if_fail (GAIO_IS_CONTEXT (self), 0);

  return atomic_load (&get_adaptive (self)->weight);
}

/**
 * gaio_context_set_poll_weight: (set-property poll-weight)
 * @self: a context
 * @weight: a power of 2 from 1 to 63, 0 for the default
 *
 * Sets how little one wait counts in the average that adaptive polling goes by.
 *
 * Thread: any.
 */
void
gaio_context_set_poll_weight (GaioContext *self, guint weight)
{
  g_return_if_fail (GAIO_IS_CONTEXT (self));
  g_return_if_fail (weight <= GAIO_ADAPTIVE_MAX_WEIGHT);

  set_uint (self, &get_adaptive (self)->weight, weight != 0 ? weight : GAIO_ADAPTIVE_WEIGHT,
            "poll-weight");
}
