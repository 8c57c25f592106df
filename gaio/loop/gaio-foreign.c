/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The foreign driver's timers: a timerfd among the context's own descriptors, so that the one
 * descriptor of the monitor (gaio_context_get_fd()) becomes readable for a deadline as well.
 * Home thread only. The only file that includes <sys/timerfd.h>. */

#include "config.h"

#include <errno.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include <gaio/loop/gaio-clock.h>
#include <gaio/loop/gaio-foreign-private.h>

struct _GaioForeign
{
  GaioFdTable *table;
  int fd;
  gint64 deadline_ns; /* that the timerfd is set to, monotonic; 0 for none */
};

static void
on_timer (gpointer user_data)
{
  GaioForeign *self = user_data;
  guint64 count;

  /* The timers themselves run in the turn that this has brought about. */
  if (read (self->fd, &count, sizeof count) == sizeof count)
    self->deadline_ns = 0;
}

GaioForeign *
gaio_foreign_new (GaioFdTable *table)
{
  GaioForeign *self;
  int fd = timerfd_create (CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);

  if (fd < 0)
    return NULL;
  self = g_new0 (GaioForeign, 1);
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
gaio_foreign_free (GaioForeign *self)
{
  gaio_fd_table_remove (self->table, self->fd);
  close (self->fd);
  g_free (self);
}

void
gaio_foreign_set_timeout_ns (GaioForeign *self, gint64 timeout_ns)
{
  gint64 deadline_ns =
      timeout_ns < 0 ? 0 : gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC) + MAX (timeout_ns, 1);
  struct itimerspec spec = {
    .it_value = {
      .tv_sec = deadline_ns / G_GINT64_CONSTANT (1000000000),
      .tv_nsec = deadline_ns % G_GINT64_CONSTANT (1000000000),
    },
  };

  /* A timer that fires early costs a turn; one that is set anew for nothing costs a system call in
   * each turn. */
  if (deadline_ns == self->deadline_ns ||
      (self->deadline_ns != 0 && deadline_ns != 0 && self->deadline_ns <= deadline_ns))
    return;
  self->deadline_ns = deadline_ns;
  timerfd_settime (self->fd, TFD_TIMER_ABSTIME, &spec, NULL);
}
