/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <signal.h>
#include <stdbool.h>

/* A write past RLIMIT_FSIZE sends SIGXFSZ to its own thread, and one to a pipe without a reader
 * SIGPIPE, which kills the process unless it is blocked; then the write fails with EFBIG or EPIPE.
 * The pool's workers have them blocked; a thread of the program may not. Between begin and end it
 * is, and what came of it is gone. */
typedef struct
{
  sigset_t before;
  int signal; /* 0: none */
} GaioSignalGuard;

/* Thread: any; both in the same one. With no signal, 0, they do nothing. */
void gaio_signal_guard_begin (GaioSignalGuard *self, int signal);
void gaio_signal_guard_end (GaioSignalGuard *self);

/* Thread: any. Whether there is a limit, and so a need to keep SIGXFSZ away. */
bool gaio_signal_guard_is_needed (void);
