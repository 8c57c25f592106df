/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Changing the stack that a thread runs on. There is one file for each processor that has one, in
 * assembler and without a system call, and one for all others. It knows nothing of threads, pools
 * and sanitizers; gaio-stack.c does. */

#pragma once

#include <stddef.h>

/* Makes a stack of the memory at `bottom`, on which entry (data) is to begin; it must not return.
 * Returns where to go on. Thread: any. */
void *gaio_switch_prepare (void *bottom, size_t size, void (*entry) (void *data), void *data);

/* Goes on at `to`, and notes in `from` where to come back to. Registers that a function call keeps
 * are kept, the modes of floating point among them. Thread: any; the caller may come back in
 * another one. */
void gaio_switch (void **from, void *to);
