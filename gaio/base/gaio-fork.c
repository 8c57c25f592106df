/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The count of forks; see the header. It is kept by fork(2)'s own handlers and costs a load to
 * read, where getpid(2) is a system call. */

#include "config.h"

#include <pthread.h>

#include <gaio/base/gaio-fork-private.h>

atomic_uint gaio_fork_count;

static void
count_fork (void)
{
  atomic_fetch_add_explicit (&gaio_fork_count, 1, memory_order_relaxed);
}

__attribute__ ((constructor)) static void
watch_forks (void)
{
  pthread_atfork (NULL, NULL, count_fork);
}
