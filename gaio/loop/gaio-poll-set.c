/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/**
 * GaioPollSet:
 *
 * What a wait of a [class@Gaio.MainLoop] is for, beside what the loop itself waits for: file
 * descriptors, and for how long.
 *
 * It is for the calls of a [callback@Gaio.PollNotifierFunc], in which it comes, and for the thread
 * that runs the loop.
 */

/* One for all waits of a loop; between them it is empty. The descriptors are those of the wait, so
 * one that two notifiers add is there once. */

#include "config.h"

#include <stdatomic.h>
#include <stdbool.h>

#include <gaio/base/gaio-poll.h>
#include <gaio/loop/gaio-poll-set-private.h>

struct _GaioPollSet
{
  atomic_int refs;

  /* the thread that waits */
  GArray *fds; /* of GPollFD; NULL between waits */
  bool filling;
  gint64 timeout_ns;
};

G_DEFINE_BOXED_TYPE (GaioPollSet, gaio_poll_set, gaio_poll_set_ref, gaio_poll_set_unref)

G_DEFINE_ENUM_TYPE (GaioPollPhase,
                    gaio_poll_phase,
                    G_DEFINE_ENUM_VALUE (GAIO_POLL_PHASE_FILL, "fill"),
                    G_DEFINE_ENUM_VALUE (GAIO_POLL_PHASE_OK, "ok"),
                    G_DEFINE_ENUM_VALUE (GAIO_POLL_PHASE_ERROR, "error"))

GaioPollSet *
gaio_poll_set_new (void)
{
  GaioPollSet *self = g_new0 (GaioPollSet, 1);

  atomic_init (&self->refs, 1);
  return self;
}

void
gaio_poll_set_begin (GaioPollSet *self, GArray *fds, gint64 timeout_ns)
{
  self->fds = fds;
  self->filling = true;
  self->timeout_ns = timeout_ns;
}

void
gaio_poll_set_end_fill (GaioPollSet *self)
{
  self->filling = false;
}

void
gaio_poll_set_end (GaioPollSet *self)
{
  self->fds = NULL;
}

static GPollFD *
find (GaioPollSet *self, int fd)
{
  for (guint i = 0; i < self->fds->len; i++)
    {
      GPollFD *found = &g_array_index (self->fds, GPollFD, i);

      if (found->fd == fd)
        return found;
    }
  return NULL;
}

/**
 * gaio_poll_set_ref:
 * @self: a poll set
 *
 * Takes a reference.
 *
 * Thread: any.
 *
 * Returns: (transfer full): @self
 */
GaioPollSet *
gaio_poll_set_ref (GaioPollSet *self)
{
  g_return_val_if_fail (self != NULL, NULL);

  atomic_fetch_add_explicit (&self->refs, 1, memory_order_relaxed);
  return self;
}

/**
 * gaio_poll_set_unref:
 * @self: a poll set
 *
 * Gives a reference back.
 *
 * Thread: any.
 */
void
gaio_poll_set_unref (GaioPollSet *self)
{
  g_return_if_fail (self != NULL);

  if (atomic_fetch_sub_explicit (&self->refs, 1, memory_order_acq_rel) == 1)
    g_free (self);
}

/**
 * gaio_poll_set_add:
 * @self: a poll set, in the fill phase
 * @fd: a file descriptor, which must stay open until the wait is over
 * @condition: what to wait for
 *
 * Has the wait end when a descriptor is ready. Where several notifiers add the same descriptor it
 * is waited for all they want.
 *
 * Thread: the one that runs the loop.
 */
void
gaio_poll_set_add (GaioPollSet *self, int fd, GIOCondition condition)
{
  GPollFD added = { .fd = fd, .events = (gushort) condition };
  GPollFD *found;

  g_return_if_fail (self != NULL && self->fds != NULL && self->filling);
  g_return_if_fail (fd >= 0);

  found = find (self, fd);
  if (found != NULL)
    found->events |= (gushort) condition;
  else
    g_array_append_val (self->fds, added);
}

/**
 * gaio_poll_set_limit_timeout_ns:
 * @self: a poll set, in the fill phase
 * @timeout_ns: a duration in nanoseconds; negative is for ever, and changes nothing
 *
 * Has the wait end after some time at the latest. The shortest that anybody asks for counts.
 *
 * Thread: the one that runs the loop.
 */
void
gaio_poll_set_limit_timeout_ns (GaioPollSet *self, gint64 timeout_ns)
{
  g_return_if_fail (self != NULL && self->fds != NULL && self->filling);

  self->timeout_ns = gaio_timeout_soonest_ns (self->timeout_ns, MAX (timeout_ns, -1));
}

/**
 * gaio_poll_set_get_timeout_ns:
 * @self: a poll set
 *
 * Gets for how long the wait may be, as far as is known: the timers of the loop's own context are
 * not in it.
 *
 * Thread: the one that runs the loop.
 *
 * Returns: a duration in nanoseconds, -1 for ever
 */
gint64
gaio_poll_set_get_timeout_ns (GaioPollSet *self)
{
  g_return_val_if_fail (self != NULL, -1);

  return self->timeout_ns;
}

/**
 * gaio_poll_set_get_ready:
 * @self: a poll set, after the wait
 * @fd: a file descriptor
 *
 * Gets what a descriptor was found ready for; nothing for one that was not added.
 *
 * Thread: the one that runs the loop.
 *
 * Returns: conditions; %G_IO_HUP and %G_IO_ERR are always reported
 */
GIOCondition
gaio_poll_set_get_ready (GaioPollSet *self, int fd)
{
  GPollFD *found;

  g_return_val_if_fail (self != NULL && self->fds != NULL, 0);

  found = self->filling ? NULL : find (self, fd);
  return found != NULL ? found->revents : 0;
}
