/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The terms on which a request runs: how urgent it is, how long it may take, and what it comes
 * after.
 *
 * A time limit is a timer of the context that cancels the request. io_uring has linked timeouts for
 * that; but those limit one operation of the ring, cost a second operation each, and know nothing
 * of the time that a request waits for its turn, goes on after a short transfer, or runs in a
 * thread.
 *
 * Order is kept here, not by links of the ring, for the same reason: the ring takes a short
 * transfer for the end of an operation and breaks the chain, where the request would go on. A
 * request that comes after another is in a list of that one, until that one ends; then it begins,
 * or fails with ECANCELED, which in turn ends those behind it. */

#include "config.h"

#include <errno.h>
#include <linux/ioprio.h>

#include <gaio/file/gaio-request-private.h>
#include <gaio/loop/gaio-clock.h>
#include <gaio/loop/gaio-timer.h>

/* How urgent */

/**
 * gaio_request_set_priority:
 * @self: an idle request
 * @io_priority: for example %G_PRIORITY_DEFAULT, which it is at first
 *
 * Sets how urgent the request's next submissions are.
 *
 * There are four steps: less than %G_PRIORITY_DEFAULT is urgent; from there on the usual; from
 * %G_PRIORITY_HIGH_IDLE on not urgent; from %G_PRIORITY_LOW on only when the disk has nothing else
 * to do. When more requests are submitted than the engine takes at once, the more urgent are taken
 * first, and within a step the files take turns. And the disk's scheduler is told, see
 * ioprio_set(2); not all of them care.
 *
 * Thread: any, while nobody submits it.
 */
void
gaio_request_set_priority (GaioRequest *self, int io_priority)
{
  g_return_if_fail (self != NULL);
  g_return_if_fail (gaio_request_is_idle (self));

  if (io_priority < G_PRIORITY_DEFAULT)
    {
      self->level = 0;
      self->ioprio = IOPRIO_PRIO_VALUE (IOPRIO_CLASS_BE, 0);
    }
  else if (io_priority < G_PRIORITY_HIGH_IDLE)
    {
      self->level = GAIO_REQUEST_LEVEL_USUAL;
      self->ioprio = 0;
    }
  else if (io_priority < G_PRIORITY_LOW)
    {
      self->level = 2;
      self->ioprio = IOPRIO_PRIO_VALUE (IOPRIO_CLASS_BE, 7);
    }
  else
    {
      self->level = 3;
      self->ioprio = IOPRIO_PRIO_VALUE (IOPRIO_CLASS_IDLE, 0);
    }
}

/* How long */

static void
on_timeout (gpointer user_data)
{
  GaioRequest *self = user_data;

  self->timed_out = true;
  gaio_request_cancel (self);
}

void
gaio_request_start_timeout (GaioRequest *self)
{
  if (self->kind == GAIO_REQUEST_CLOSE || self->timer != NULL)
    return;
  self->timer = gaio_timer_new (self->file->context, GAIO_CLOCK_MONOTONIC, on_timeout, self, NULL);
  gaio_timer_arm_ns (self->timer, gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC) + self->timeout_ns);
}

void
gaio_request_stop_timeout (GaioRequest *self)
{
  gaio_timer_cancel (self->timer);
  g_clear_object (&self->timer);
  if (self->timed_out && self->result == -ECANCELED)
    self->result = -ETIMEDOUT;
}

/**
 * gaio_request_set_timeout_ns:
 * @self: an idle request
 * @timeout_ns: in nanoseconds; 0 or negative for none, which it is at first
 *
 * Sets how long each of the next submissions may take.
 *
 * It is then cancelled as by [method@Gaio.Request.cancel], but fails with %G_IO_ERROR_TIMED_OUT. So
 * the end may come later, when the kernel does not let go of an operation, and it may still be a
 * success. The time begins when the request arrives in the home thread, and when it comes after
 * another one, with the end of that; a wait for other requests counts.
 *
 * A close does not time out.
 *
 * Thread: any, while nobody submits it.
 */
void
gaio_request_set_timeout_ns (GaioRequest *self, gint64 timeout_ns)
{
  g_return_if_fail (self != NULL);
  g_return_if_fail (gaio_request_is_idle (self));

  self->timeout_ns = MAX (timeout_ns, 0);
}

/* After what */

bool
gaio_request_follow (GaioRequest *self)
{
  GaioRequest *after = g_steal_pointer (&self->after);
  GaioRequest **place = &after->followers;

  if (gaio_request_is_idle (after))
    {
      bool failed = after->result < 0;

      gaio_request_unref (after);
      if (!failed || self->settled)
        return false;
      gaio_request_finish_later (self, -ECANCELED);
      return true;
    }
  while (*place != NULL)
    place = &(*place)->next_follower;
  *place = self;
  self->next_follower = NULL;
  gaio_request_hold_work (self);
  self->after = after; /* while it is in the list it keeps it */
  atomic_store_explicit (&self->state, GAIO_REQUEST_CHAINED, memory_order_relaxed);
  return true;
}

void
gaio_request_unfollow (GaioRequest *self)
{
  GaioRequest **place = &self->after->followers;

  while (*place != self)
    place = &(*place)->next_follower;
  *place = self->next_follower;
  g_clear_pointer (&self->after, gaio_request_unref);
}

void
gaio_request_release_followers (GaioRequest *self)
{
  GaioRequest *next;

  for (GaioRequest *follower = g_steal_pointer (&self->followers); follower != NULL;
       follower = next)
    {
      next = follower->next_follower;
      /* It is not the last: this one is in flight still. */
      g_clear_pointer (&follower->after, gaio_request_unref);
      if (follower->settled)
        gaio_request_finish_later (follower, follower->result);
      else if (self->result < 0)
        gaio_request_finish_later (follower, -ECANCELED);
      else
        gaio_request_begin (follower);
    }
}

/**
 * gaio_request_set_after:
 * @self: an idle request
 * @before: (nullable): another one of the same [class@Gaio.Context]; %NULL for none
 *
 * Has the next submission wait until @before, if it is in flight by then, has ended well: so a
 * write, the sync of it, and the renaming of the file can be submitted at once, and happen in that
 * order. When @before fails or is cancelled, or has done so already, @self ends with
 * %G_IO_ERROR_CANCELLED, and nothing of it is done.
 *
 * It goes for one submission, which must be made in the home thread. Other requests are not kept
 * from overtaking, as always.
 *
 * Thread: home.
 */
void
gaio_request_set_after (GaioRequest *self, GaioRequest *before)
{
  g_return_if_fail (self != NULL);
  g_return_if_fail (before != self);
  g_return_if_fail (before == NULL || before->file->context == self->file->context);
  g_return_if_fail (gaio_request_is_home (self));
  g_return_if_fail (gaio_request_is_idle (self));

  g_clear_pointer (&self->after, gaio_request_unref);
  if (before != NULL)
    self->after = gaio_request_ref (before);
}
