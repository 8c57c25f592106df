/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Changing stacks, by what this processor has for it and by the C library. It is the ground under
 * coroutines, whose own tests know only one of the two. */

#include <glib.h>

#include <gaio/loop/gaio-switch-private.h>

#define STACK_BYTES (64 * 1024)

typedef struct
{
  void *inside;
  void *outside;
  int steps;
  int sum;
} Side;

static void
count (void *data)
{
  Side *self = data;
  /* More than there are registers that are kept. */
  int a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, h = 8;

  g_assert_cmpuint ((guintptr) __builtin_frame_address (0) % 16, ==, 0);
  for (;;)
    {
      a++, b++, c++, d++, e++, f++, g++, h++;
      self->sum = a + b + c + d + e + f + g + h;
      self->steps++;
      gaio_switch (&self->inside, self->outside);
    }
}

static void
back_and_forth (void)
{
  g_autofree char *first_stack = g_malloc (STACK_BYTES);
  g_autofree char *second_stack = g_malloc (STACK_BYTES + 1);
  Side first = { 0 }, second = { 0 };
  int a = 1, b = 2, c = 3, d = 4, e = 5, f = 6, g = 7, h = 8;

  first.inside = gaio_switch_prepare (first_stack, STACK_BYTES, count, &first);
  /* Not aligned. */
  second.inside = gaio_switch_prepare (second_stack + 1, STACK_BYTES, count, &second);
  for (int i = 1; i <= 1000; i++)
    {
      gaio_switch (&first.outside, first.inside);
      g_assert_cmpint (first.steps, ==, i);
      g_assert_cmpint (first.sum, ==, 36 + 8 * i);
      if (i % 3 == 0)
        gaio_switch (&second.outside, second.inside);
      g_assert_cmpint (second.steps, ==, i / 3);
      a++, b++, c++, d++, e++, f++, g++, h++;
      g_assert_cmpint (a + b + c + d + e + f + g + h, ==, 36 + 8 * i);
    }
  g_assert_cmpint (second.sum, ==, 36 + 8 * 333);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/switch/back-and-forth", back_and_forth);
  return g_test_run ();
}
