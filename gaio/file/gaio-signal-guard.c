/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Keeps a signal from the thread that makes a blocking write, whoever's thread that is. */

#include "config.h"

#include <errno.h>
#include <sys/resource.h>
#include <time.h>

#include <gaio/file/gaio-signal-guard-private.h>

void
gaio_signal_guard_begin (GaioSignalGuard *self, int signal)
{
  sigset_t set;

  self->signal = signal;
  if (signal == 0)
    return;
  sigemptyset (&set);
  sigaddset (&set, signal);
  pthread_sigmask (SIG_BLOCK, &set, &self->before);
}

void
gaio_signal_guard_end (GaioSignalGuard *self)
{
  sigset_t set;

  if (self->signal == 0 || sigismember (&self->before, self->signal))
    return;
  /* Takes the signal of our own write, so that it is not delivered below. */
  sigemptyset (&set);
  sigaddset (&set, self->signal);
  while (sigtimedwait (&set, NULL, &(struct timespec){ 0 }) < 0 && errno == EINTR)
    ;
  pthread_sigmask (SIG_SETMASK, &self->before, NULL);
}

bool
gaio_signal_guard_is_needed (void)
{
  struct rlimit limit;

  return getrlimit (RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY;
}
