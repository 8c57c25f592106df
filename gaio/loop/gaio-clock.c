/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The clocks, in nanoseconds.
 *
 * The virtual clock is one for the process, as in QEMU. Its time is what it was when it was last
 * set, plus the monotonic time that has passed since, if it is enabled. Setting it wakes every
 * loop with a timer on it, since their waits were computed from the old time. */

#include "config.h"

#include <time.h>

#include <gaio/loop/gaio-clock-private.h>

G_DEFINE_ENUM_TYPE (GaioClock,
                    gaio_clock,
                    G_DEFINE_ENUM_VALUE (GAIO_CLOCK_MONOTONIC, "monotonic"),
                    G_DEFINE_ENUM_VALUE (GAIO_CLOCK_WALL, "wall"),
                    G_DEFINE_ENUM_VALUE (GAIO_CLOCK_VIRTUAL, "virtual"))

/* Under the lock. It is taken last: nothing is called with it held but a waker. */
static struct
{
  GMutex lock;
  bool enabled;
  gint64 value_ns;     /* when it was last set */
  gint64 set_at_ns;    /* the monotonic time of that */
  GPtrArray *wakers;
} virtual_clock;

static gint64
read_clock (clockid_t id)
{
  struct timespec now;

  clock_gettime (id, &now);
  return now.tv_sec * G_GINT64_CONSTANT (1000000000) + now.tv_nsec;
}

static gint64
virtual_now_locked (void)
{
  if (!virtual_clock.enabled)
    return virtual_clock.value_ns;
  return virtual_clock.value_ns + read_clock (CLOCK_MONOTONIC) - virtual_clock.set_at_ns;
}

static void
set_virtual_locked (gint64 value_ns)
{
  virtual_clock.value_ns = value_ns;
  virtual_clock.set_at_ns = read_clock (CLOCK_MONOTONIC);
  for (guint i = 0; virtual_clock.wakers != NULL && i < virtual_clock.wakers->len; i++)
    gaio_waker_notify (virtual_clock.wakers->pdata[i]);
}

/**
 * gaio_clock_get_ns:
 * @clock: a clock
 *
 * Reads a clock.
 *
 * Thread: any.
 *
 * Returns: its time in nanoseconds
 */
gint64
gaio_clock_get_ns (GaioClock clock)
{
  gint64 now;

  if (clock == GAIO_CLOCK_MONOTONIC)
    return read_clock (CLOCK_MONOTONIC);
  if (clock == GAIO_CLOCK_WALL)
    return read_clock (CLOCK_REALTIME);

  g_return_val_if_fail (clock == GAIO_CLOCK_VIRTUAL, 0);
  g_mutex_lock (&virtual_clock.lock);
  now = virtual_now_locked ();
  g_mutex_unlock (&virtual_clock.lock);
  return now;
}

/**
 * gaio_clock_set_enabled:
 * @clock: %GAIO_CLOCK_VIRTUAL
 * @enabled: whether its time passes
 *
 * Starts or stops the time of the virtual clock.
 *
 * Thread: any.
 */
void
gaio_clock_set_enabled (GaioClock clock, gboolean enabled)
{
  gint64 now;

  g_return_if_fail (clock == GAIO_CLOCK_VIRTUAL);

  g_mutex_lock (&virtual_clock.lock);
  now = virtual_now_locked ();
  virtual_clock.enabled = enabled;
  set_virtual_locked (now);
  g_mutex_unlock (&virtual_clock.lock);
}

/**
 * gaio_clock_advance:
 * @clock: %GAIO_CLOCK_VIRTUAL
 * @duration_ns: how far, in nanoseconds; not negative
 *
 * Sets the virtual clock forward, whether it is enabled or not. Timers that are due by then fire
 * when their loops next come by, which is soon, since they are woken.
 *
 * Thread: any.
 */
void
gaio_clock_advance (GaioClock clock, gint64 duration_ns)
{
  gint64 now;

  g_return_if_fail (clock == GAIO_CLOCK_VIRTUAL);
  g_return_if_fail (duration_ns >= 0);

  g_mutex_lock (&virtual_clock.lock);
  now = virtual_now_locked ();
  set_virtual_locked (duration_ns <= G_MAXINT64 - now ? now + duration_ns : G_MAXINT64);
  g_mutex_unlock (&virtual_clock.lock);
}

bool
gaio_clock_is_running (GaioClock clock)
{
  bool running;

  if (clock != GAIO_CLOCK_VIRTUAL)
    return true;
  g_mutex_lock (&virtual_clock.lock);
  running = virtual_clock.enabled;
  g_mutex_unlock (&virtual_clock.lock);
  return running;
}

void
gaio_clock_add_waker (GaioWaker *waker)
{
  g_mutex_lock (&virtual_clock.lock);
  if (virtual_clock.wakers == NULL)
    virtual_clock.wakers = g_ptr_array_new ();
  g_ptr_array_add (virtual_clock.wakers, waker);
  g_mutex_unlock (&virtual_clock.lock);
}

void
gaio_clock_remove_waker (GaioWaker *waker)
{
  g_mutex_lock (&virtual_clock.lock);
  g_ptr_array_remove_fast (virtual_clock.wakers, waker);
  if (virtual_clock.wakers->len == 0)
    g_clear_pointer (&virtual_clock.wakers, g_ptr_array_unref);
  g_mutex_unlock (&virtual_clock.lock);
}
