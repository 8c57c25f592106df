/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Changing stacks on any processor, see gaio-switch-private.h: with ucontext(3), which makes a
 * system call for the signal mask each time. The mask is the thread's when there is no change of
 * threads; a stack that goes on in another thread brings its own along. */

#include "config.h"

#include <glib.h>
#include <stdint.h>
#include <ucontext.h>

#include <gaio/loop/gaio-switch-private.h>

typedef struct
{
  ucontext_t context; /* first: the point to go on at is this */
  void (*entry) (void *data);
  void *data;
} First;

/* makecontext() hands over numbers of the size of an int only. */
static void
begin (unsigned high, unsigned low)
{
  First *first = (First *) (uintptr_t) ((uint64_t) high << 32 | low);

  first->entry (first->data);
  g_assert_not_reached ();
}

void *
gaio_switch_prepare (void *bottom, size_t size, void (*entry) (void *data), void *data)
{
  uintptr_t top = ((uintptr_t) bottom + size - sizeof (First)) & ~(uintptr_t) 63;
  First *first = (First *) top;

  getcontext (&first->context);
  first->context.uc_stack.ss_sp = bottom;
  first->context.uc_stack.ss_size = top - (uintptr_t) bottom;
  first->context.uc_link = NULL;
  first->entry = entry;
  first->data = data;
  makecontext (&first->context, (void (*) (void)) begin, 2, (unsigned) ((uint64_t) top >> 32),
               (unsigned) top);
  return first;
}

void
gaio_switch (void **from, void *to)
{
  ucontext_t here;

  *from = &here;
  swapcontext (&here, to);
}
