/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The deadline of a wait that others do, who know no nanoseconds: a timerfd among the context's own
 * descriptors. A foreign loop waits for the one descriptor of the monitor (gaio_context_get_fd()),
 * which this makes readable for timers as well. A GMainContext can wait for whole milliseconds
 * only, and the kernel adds a slack to such waits that a timerfd does not have.
 *
 * A timerfd that fires too early costs a turn; one that is set anew for nothing costs a system call
 * in each turn. So it is set only for what comes before that which it is set to, or after that has
 * passed.
 *
 * Home thread only. The only file that includes <sys/timerfd.h>. */

#include "config.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <gaio/loop/gaio-deadline-private.h>

struct _GaioDeadline
{
  GaioFdTable *table;
  int fd;
  gint64 deadline_ns; /* that the timerfd is set to, monotonic; 0 for none */
};

static void
on_timer (gpointer user_data)
{
  GaioDeadline *self = user_data;
  guint64 count;

  /* The timers themselves run in the turn that this has brought about. */
  if (read (self->fd, &count, sizeof count) == sizeof count)
    self->deadline_ns = 0;
}

GaioDeadline *
gaio_deadline_new (GaioFdTable *table)
{
  GaioDeadline *self;
  int fd = timerfd_create (CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

  if (fd < 0)
    return NULL;
  self = g_new0 (GaioDeadline, 1);
  self->table = table;
  self->fd = fd;
  gaio_fd_table_set (table,
                     &(GaioFdRegistration){
                         .fd = fd,
                         .events = G_IO_IN,
                         .handlers = { .read = on_timer },
                         .user_data = self,
                         .internal = true,
                     });
  return self;
}

void
gaio_deadline_free (GaioDeadline *self)
{
  gaio_fd_table_remove (self->table, self->fd);
  close (self->fd);
  g_free (self);
}

void
gaio_deadline_set_ns (GaioDeadline *self, gint64 deadline_ns, gint64 now_ns)
{
  struct itimerspec spec = {
    .it_value = {
      .tv_sec = deadline_ns / G_GINT64_CONSTANT (1000000000),
      .tv_nsec = deadline_ns % G_GINT64_CONSTANT (1000000000),
    },
  };

  if (self->deadline_ns == 0 && deadline_ns == 0)
    return;
  /* One that has passed and was not read, since its turn came for another reason, is readable. */
  if (self->deadline_ns > now_ns && (deadline_ns == 0 || self->deadline_ns <= deadline_ns))
    return;
  self->deadline_ns = deadline_ns;
  timerfd_settime (self->fd, TFD_TIMER_ABSTIME, &spec, NULL);
}
