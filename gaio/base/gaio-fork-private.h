/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* How a forked child tells that what it holds is the parent's: descriptors that both share (a ring,
 * an eventfd, an epoll set) and threads that only the parent has. Thread: any. */

#pragma once

#include <stdatomic.h>

#include <glib.h>

extern atomic_uint gaio_fork_count;

/* How often this process, or one of its ancestors, was forked off. What is made is of this process
 * for as long as the number stays the same. */
static inline guint
gaio_fork_get_count (void)
{
  return atomic_load_explicit (&gaio_fork_count, memory_order_relaxed);
}
