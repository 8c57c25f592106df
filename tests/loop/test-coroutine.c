/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Coroutines in one thread: what they are, how they begin, wait and end. */

#include <errno.h>
#include <fcntl.h>
#include <fenv.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "flag.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

static GaioCoroutine *
make (GaioContext *context, GaioFunc func, gpointer data)
{
  g_autoptr (GError) error = NULL;
  GaioCoroutine *self = gaio_coroutine_new (context, func, data, NULL, &error);

  g_assert_no_error (error);
  g_assert_nonnull (self);
  return self;
}

static void
set_true (gpointer data)
{
  *(gboolean *) data = TRUE;
}

static void
count_up (gpointer data)
{
  g_atomic_int_inc ((int *) data);
}

/* ---- beginning, waiting, ending ---- */

static void
lifecycle (GaioTestLoop *loop)
{
  /* Twice: the second one has the stack of the first. */
  for (int i = 0; i < 2; i++)
    {
      gboolean done = FALSE;
      g_autoptr (GaioCoroutine) coroutine = make (loop->context, set_true, &done);

      g_assert_false (gaio_coroutine_is_ended (coroutine));
      g_assert_false (done);
      gaio_coroutine_enter (coroutine);
      g_assert_true (done);
      g_assert_true (gaio_coroutine_is_ended (coroutine));
    }
}

static void
notified_once (GaioTestLoop *loop)
{
  g_autoptr (GError) error = NULL;
  int n_run = 0, n_notified = 0;
  GaioCoroutine *coroutine;

  /* That returns. */
  coroutine = gaio_coroutine_new (loop->context, count_up, &n_run, NULL, &error);
  gaio_coroutine_enter (coroutine);
  gaio_coroutine_unref (coroutine);
  g_assert_cmpint (n_run, ==, 1);

  /* That never begins. */
  coroutine = gaio_coroutine_new (loop->context, count_up, &n_notified, count_up, &error);
  gaio_coroutine_unref (coroutine);
  gaio_test_settle (loop);
  g_assert_cmpint (n_notified, ==, 1);

  /* The data goes at the end, not with the last reference. */
  n_notified = 0;
  coroutine = gaio_coroutine_new (loop->context, count_up, &n_notified, count_up, &error);
  gaio_coroutine_enter (coroutine);
  g_assert_cmpint (n_notified, ==, 2);
  gaio_coroutine_unref (coroutine);
  g_assert_cmpint (n_notified, ==, 2);
}

static guintptr inside;

static void
remember_address (gpointer data)
{
  char here[64];

  memset (here, 1, sizeof here);
  __asm__ volatile("" : : "r"(here) : "memory");
  inside = (guintptr) here;
}

/* Nobody looks at the stack of one that has ended: it is another's by then. */
static void
no_dangling_access (GaioTestLoop *loop)
{
  g_autoptr (GaioCoroutine) first = make (loop->context, remember_address, NULL);
  g_autoptr (GaioCoroutine) second = NULL;
  guintptr first_inside;

  gaio_coroutine_enter (first);
  first_inside = inside;
  second = make (loop->context, remember_address, NULL);
  gaio_coroutine_enter (second);
#if !SANITIZED
  g_assert_true (inside == first_inside);
  /* What is left of the frame and below is junk now. */
  memset ((char *) first_inside - 4096, 0xff, 4096 + 64);
#else
  g_assert_cmpuint (first_inside, !=, 0);
#endif
  g_assert_true (gaio_coroutine_is_ended (first));
  gaio_coroutine_wake (first);
  gaio_test_settle (loop);
}

static void
generate (gpointer data)
{
  int *value = data;

  for (int i = 1; i <= 5; i++)
    {
      *value = i;
      gaio_coroutine_yield ();
    }
}

static void
yield (GaioTestLoop *loop)
{
  int value = 0, n_entered = 0;
  g_autoptr (GaioCoroutine) coroutine = make (loop->context, generate, &value);

  while (!gaio_coroutine_is_ended (coroutine))
    {
      gaio_coroutine_enter (coroutine);
      n_entered++;
      g_assert_cmpint (value, ==, MIN (n_entered, 5));
    }
  g_assert_cmpint (n_entered, ==, 6);
}

/* A generator is one for a coroutine too. */
static void
sum_up (gpointer data)
{
  GaioTestLoop *loop = g_object_get_data (data, "loop");
  int value = 0, sum = 0;
  g_autoptr (GaioCoroutine) generator = make (loop->context, generate, &value);

  for (;;)
    {
      gaio_coroutine_enter (generator);
      if (gaio_coroutine_is_ended (generator))
        break;
      sum += value;
    }
  g_object_set_data (data, "sum", GINT_TO_POINTER (sum));
}

static void
generator_in_coroutine (GaioTestLoop *loop)
{
  g_autoptr (GObject) data = g_object_new (G_TYPE_OBJECT, NULL);
  g_autoptr (GaioCoroutine) coroutine = NULL;

  g_object_set_data (data, "loop", loop);
  coroutine = make (loop->context, sum_up, data);
  gaio_coroutine_enter (coroutine);
  g_assert_cmpint (GPOINTER_TO_INT (g_object_get_data (data, "sum")), ==, 15);
}

typedef struct
{
  GaioContext *context;
  int n_enter;
  int n_return;
  int max;
} Nest;

static void
nest (gpointer data)
{
  Nest *self = data;
  int depth = ++self->n_enter;

  if (depth < self->max)
    {
      g_autoptr (GaioCoroutine) child = make (self->context, nest, self);

      gaio_coroutine_enter (child);
      g_assert_true (gaio_coroutine_is_ended (child));
    }
  /* The innermost first. */
  g_assert_cmpint (self->n_return, ==, self->max - depth);
  self->n_return++;
}

static void
nesting (GaioTestLoop *loop)
{
  Nest self = { .context = loop->context, .max = 128 };
  g_autoptr (GaioCoroutine) root = make (loop->context, nest, &self);

  gaio_coroutine_enter (root);
  g_assert_cmpint (self.n_enter, ==, 128);
  g_assert_cmpint (self.n_return, ==, 128);
}

typedef struct
{
  GaioCoroutine *coroutine;
  GaioCoroutine *other;
  int n;
} Identity;

static void
look_around (gpointer data)
{
  Identity *self = data;

  g_assert_true (gaio_coroutine_self () == self->coroutine);
  g_assert_true (gaio_coroutine_is_entered (self->coroutine));
  g_assert_false (gaio_coroutine_is_ended (self->coroutine));
  self->n++;
  gaio_coroutine_yield ();
  g_assert_true (gaio_coroutine_self () == self->coroutine);
  if (self->other != NULL)
    {
      /* The one that has entered another is still entered. */
      gaio_coroutine_enter (self->other);
      g_assert_true (gaio_coroutine_self () == self->coroutine);
      g_assert_false (gaio_coroutine_is_entered (self->other));
    }
  self->n++;
}

static void
identity (GaioTestLoop *loop)
{
  Identity inner = { 0 };
  Identity self = { 0 };

  inner.coroutine = make (loop->context, look_around, &inner);
  self.coroutine = make (loop->context, look_around, &self);
  self.other = inner.coroutine;
  g_assert_null (gaio_coroutine_self ());
  g_assert_false (gaio_coroutine_is_entered (self.coroutine));
  gaio_coroutine_enter (self.coroutine);
  g_assert_null (gaio_coroutine_self ());
  g_assert_false (gaio_coroutine_is_entered (self.coroutine));
  gaio_coroutine_enter (self.coroutine);
  g_assert_cmpint (self.n, ==, 2);
  g_assert_cmpint (inner.n, ==, 1);
  g_assert_null (gaio_coroutine_self ());
  gaio_coroutine_enter (inner.coroutine);
  g_assert_cmpint (inner.n, ==, 2);
  gaio_coroutine_unref (inner.coroutine);
  gaio_coroutine_unref (self.coroutine);
}

static GString *record;

static void
record_steps (gpointer data)
{
  int id = GPOINTER_TO_INT (data);

  for (int step = 1; step <= 4 - id; step++)
    {
      g_string_append_printf (record, "%d-%d ", id, step);
      if (step < 4 - id)
        gaio_coroutine_yield ();
    }
}

static void
order (GaioTestLoop *loop)
{
  g_autoptr (GaioCoroutine) first = make (loop->context, record_steps, GINT_TO_POINTER (1));
  g_autoptr (GaioCoroutine) second = make (loop->context, record_steps, GINT_TO_POINTER (2));

  record = g_string_new (NULL);
  while (!gaio_coroutine_is_ended (first))
    {
      gaio_coroutine_enter (first);
      if (!gaio_coroutine_is_ended (second))
        gaio_coroutine_enter (second);
    }
  g_assert_cmpstr (record->str, ==, "1-1 2-1 1-2 2-2 1-3 ");
  g_string_free (record, TRUE);
}

/* What a function call keeps, a wait keeps. */
static void
round_upwards (gpointer data)
{
  volatile double third = 1.0;

  g_assert_cmpint (fesetround (FE_UPWARD), ==, 0);
  third /= 3;
  *(double *) data = third;
  gaio_coroutine_yield ();
  g_assert_cmpint (fegetround (), ==, FE_UPWARD);
}

static double
get_third (void)
{
  volatile double third = 1.0;

  third /= 3;
  return third;
}

static void
floating_point (GaioTestLoop *loop)
{
  double value = 0, nearest = get_third ();
  g_autoptr (GaioCoroutine) coroutine = make (loop->context, round_upwards, &value);

  gaio_coroutine_enter (coroutine);
  g_assert_cmpint (fegetround (), ==, FE_TONEAREST);
  g_assert_true (get_third () == nearest);
  gaio_coroutine_enter (coroutine);
  g_assert_cmpint (fegetround (), ==, FE_TONEAREST);
  g_assert_true (value > nearest);
}

/* ---- waking ---- */

static void
count_yields (gpointer data)
{
  int *n = data;

  for (;;)
    {
      ++*n;
      if (*n == 3)
        return;
      gaio_coroutine_yield ();
    }
}

static void
wake (GaioTestLoop *loop)
{
  int n = 0;
  g_autoptr (GaioCoroutine) coroutine = make (loop->context, count_yields, &n);

  gaio_coroutine_wake (coroutine);
  g_assert_cmpint (n, ==, 0);
  gaio_test_turn_until (loop, &n, 1);
  gaio_test_settle (loop);
  g_assert_cmpint (n, ==, 1);
  /* Several are one. */
  gaio_coroutine_wake (coroutine);
  gaio_coroutine_wake (coroutine);
  gaio_test_settle (loop);
  g_assert_cmpint (n, ==, 2);
  /* An enter uses up the wake that came before. */
  gaio_coroutine_wake (coroutine);
  gaio_coroutine_enter (coroutine);
  g_assert_cmpint (n, ==, 3);
  gaio_test_settle (loop);
  /* It has ended: nothing. */
  gaio_coroutine_wake (coroutine);
  gaio_test_settle (loop);
  g_assert_cmpint (n, ==, 3);
}

static void
wake_itself (gpointer data)
{
  gaio_coroutine_wake (gaio_coroutine_self ());
  gaio_coroutine_wake (gaio_coroutine_self ());
  gaio_coroutine_yield ();
  *(int *) data = 1;
  gaio_coroutine_yield ();
  *(int *) data = 2;
}

/* A wake before the yield is not lost; two are one. */
static void
early_wake (GaioTestLoop *loop)
{
  int n = 0;
  g_autoptr (GaioCoroutine) coroutine = make (loop->context, wake_itself, &n);

  gaio_coroutine_enter (coroutine);
  g_assert_cmpint (n, ==, 1);
  gaio_test_settle (loop);
  g_assert_cmpint (n, ==, 1);
  gaio_coroutine_enter (coroutine);
  g_assert_cmpint (n, ==, 2);
}

static GaioCoroutine *to_wake;

static void
on_signal (int number)
{
  gaio_coroutine_wake (to_wake);
}

static void
raise_and_yield (gpointer data)
{
  /* From a handler that interrupts a coroutine, this one. */
  raise (SIGUSR1);
  gaio_coroutine_yield ();
  ++*(int *) data;
  gaio_coroutine_yield ();
  ++*(int *) data;
}

static void
wake_by_signal (GaioTestLoop *loop)
{
  struct sigaction action = { .sa_handler = on_signal };
  struct sigaction before;
  int n = 0;
  g_autoptr (GaioCoroutine) coroutine = make (loop->context, raise_and_yield, &n);

  to_wake = coroutine;
  sigaction (SIGUSR1, &action, &before);
  gaio_coroutine_enter (coroutine);
  g_assert_cmpint (n, ==, 1);
  gaio_test_settle (loop);
  g_assert_cmpint (n, ==, 1);
  raise (SIGUSR1);
  gaio_test_turn_until (loop, &n, 2);
  sigaction (SIGUSR1, &before, NULL);
}

#define CHAIN 25000

typedef struct
{
  GaioCoroutine *coroutine;
  GaioCoroutine *other;
  int n;
  char *lowest;
  char *highest;
} Chained;

static void
wake_the_other (gpointer data)
{
  Chained *self = data;

  while (self->n < CHAIN)
    {
      char here;

      self->n++;
      if (self->lowest == NULL || &here < self->lowest)
        self->lowest = &here;
      if (&here > self->highest)
        self->highest = &here;
      gaio_coroutine_wake (self->other);
      if (self->n < CHAIN)
        gaio_coroutine_yield ();
    }
}

static void
queue_chaining (GaioTestLoop *loop)
{
  Chained a = { 0 }, b = { 0 };

  b.other = a.coroutine = make (loop->context, wake_the_other, &a);
  a.other = b.coroutine = make (loop->context, wake_the_other, &b);
  gaio_coroutine_enter (a.coroutine);
  /* That took no turn, but not without end. */
  g_assert_cmpint (a.n, >, 100);
  g_assert_cmpint (a.n, <, CHAIN);
  gaio_test_turn_until (loop, &b.n, CHAIN);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n, ==, CHAIN);
  g_assert_cmpint (b.n, ==, CHAIN);
  g_assert_true (gaio_coroutine_is_ended (a.coroutine));
  g_assert_true (gaio_coroutine_is_ended (b.coroutine));
  g_assert_true (a.highest == a.lowest && b.highest == b.lowest);
  gaio_coroutine_unref (a.coroutine);
  gaio_coroutine_unref (b.coroutine);
}

/* To the thread sanitizer a coroutine is as dear as a thread. */
#ifdef __SANITIZE_THREAD__
#define LONG_CHAIN 1000
#else
#define LONG_CHAIN CHAIN
#endif

/* The same with as many coroutines, each of which begins the next one as it ends: all have the two
 * or three stacks that the first ones had. */
static void
begin_the_next (gpointer data)
{
  Nest *self = data;

  if (++self->n_enter < self->max)
    {
      g_autoptr (GaioCoroutine) next = make (self->context, begin_the_next, self);

      gaio_coroutine_wake (next);
    }
}

static void
long_chain (GaioTestLoop *loop)
{
  Nest self = { .context = loop->context, .max = LONG_CHAIN };
  g_autoptr (GaioCoroutine) first = make (loop->context, begin_the_next, &self);

  gaio_coroutine_wake (first);
  gaio_test_turn_until (loop, &self.n_enter, LONG_CHAIN);
}

static void
wake_order_one (gpointer data)
{
  g_string_append_printf (record, "%d ", GPOINTER_TO_INT (data));
}

static void
wake_three (gpointer data)
{
  GaioCoroutine **three = data;

  for (int i = 0; i < 3; i++)
    gaio_coroutine_wake (three[i]);
  g_string_append (record, "first ");
}

/* FIFO, and none before the one that wakes them has left. */
static void
wake_order (GaioTestLoop *loop)
{
  GaioCoroutine *three[3];
  g_autoptr (GaioCoroutine) coroutine = make (loop->context, wake_three, three);

  record = g_string_new (NULL);
  for (int i = 0; i < 3; i++)
    three[i] = make (loop->context, wake_order_one, GINT_TO_POINTER (i + 1));
  gaio_coroutine_enter (coroutine);
  g_assert_cmpstr (record->str, ==, "first 1 2 3 ");
  g_string_truncate (record, 0);
  for (int i = 0; i < 3; i++)
    {
      gaio_coroutine_unref (three[i]);
      three[i] = make (loop->context, wake_order_one, GINT_TO_POINTER (i + 1));
      gaio_coroutine_wake (three[i]);
    }
  gaio_test_settle (loop);
  g_assert_cmpstr (record->str, ==, "1 2 3 ");
  for (int i = 0; i < 3; i++)
    gaio_coroutine_unref (three[i]);
  g_string_free (record, TRUE);
}

/* ---- waiting for the loop ---- */

typedef struct
{
  gint64 begin_ns;
  gint64 end_ns;
  gint64 duration_ns;
  gboolean passed;
  int n;
} Sleep;

static void
sleep_once (gpointer data)
{
  Sleep *self = data;

  self->begin_ns = gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC);
  self->passed = gaio_coroutine_sleep_ns (self->duration_ns);
  self->end_ns = gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC);
  self->n++;
}

static void
sleeping (GaioTestLoop *loop)
{
  Sleep self = { .duration_ns = 3000000 };
  Sleep none = { .duration_ns = 0 };
  Sleep long_one = { .duration_ns = G_MAXINT64 };
  g_autoptr (GaioCoroutine) coroutine = make (loop->context, sleep_once, &self);
  g_autoptr (GaioCoroutine) second = make (loop->context, sleep_once, &none);
  g_autoptr (GaioCoroutine) third = make (loop->context, sleep_once, &long_one);

  gaio_coroutine_enter (coroutine);
  gaio_coroutine_enter (second);
  gaio_coroutine_enter (third);
  g_assert_cmpint (self.n, ==, 0);
  g_assert_cmpint (none.n, ==, 0);
  gaio_test_turn_until (loop, &self.n, 1);
  g_assert_true (self.passed);
  g_assert_cmpint (self.end_ns - self.begin_ns, >=, self.duration_ns);
  g_assert_cmpint (none.n, ==, 1);
  g_assert_true (none.passed);
  /* Woken early, and its timer is gone. */
  g_assert_cmpint (long_one.n, ==, 0);
  gaio_coroutine_wake (third);
  gaio_test_turn_until (loop, &long_one.n, 1);
  g_assert_false (long_one.passed);
}

static GaioCoQueue quiet_queue;

static void
sleep_and_queue (gpointer data)
{
  g_assert_false (gaio_coroutine_sleep_ns (2000000));
  ++*(int *) data;
  gaio_co_queue_wait (&quiet_queue, NULL);
  ++*(int *) data;
}

/* What it was woken from does not end its next wait. */
static void
woken_from_sleep (GaioTestLoop *loop)
{
  int n = 0;
  g_autoptr (GaioCoroutine) coroutine = make (loop->context, sleep_and_queue, &n);

  gaio_coroutine_enter (coroutine);
  gaio_coroutine_enter (coroutine);
  g_assert_cmpint (n, ==, 1);
  g_usleep (3000);
  gaio_test_settle (loop);
  g_assert_cmpint (n, ==, 1);
  g_assert_true (gaio_co_queue_wake_one (&quiet_queue));
  gaio_test_turn_until (loop, &n, 2);
}

typedef struct
{
  int fd;
  GIOCondition wanted;
  GIOCondition got;
  GError *error;
  int n;
} FdWait;

static void
wait_for_fd (gpointer data)
{
  FdWait *self = data;

  self->got = gaio_coroutine_wait_fd (self->fd, self->wanted, &self->error);
  self->n++;
}

static void
waiting_for_fd (GaioTestLoop *loop)
{
  int fds[2];
  char byte;
  FdWait reader = { .wanted = G_IO_IN }, writer = { .wanted = G_IO_OUT };
  FdWait woken = { .wanted = G_IO_IN }, bad = { .wanted = G_IO_IN, .fd = 12345 };
  g_autoptr (GaioCoroutine) a = make (loop->context, wait_for_fd, &reader);
  g_autoptr (GaioCoroutine) b = make (loop->context, wait_for_fd, &writer);
  g_autoptr (GaioCoroutine) c = make (loop->context, wait_for_fd, &woken);
  g_autoptr (GaioCoroutine) d = make (loop->context, wait_for_fd, &bad);

  g_assert_cmpint (pipe2 (fds, O_CLOEXEC | O_NONBLOCK), ==, 0);
  reader.fd = woken.fd = fds[0];
  writer.fd = fds[1];
  gaio_coroutine_enter (a);
  gaio_coroutine_enter (b);
  gaio_test_turn_until (loop, &writer.n, 1);
  g_assert_cmpint (writer.got, ==, G_IO_OUT);
  gaio_test_settle (loop);
  g_assert_cmpint (reader.n, ==, 0);
  g_assert_cmpint (write (fds[1], "x", 1), ==, 1);
  gaio_test_turn_until (loop, &reader.n, 1);
  g_assert_cmpint (reader.got, ==, G_IO_IN);
  g_assert_no_error (reader.error);
  /* The handler is gone: what is still there to read calls nobody. */
  assert_quiet (loop);

  g_assert_cmpint (read (fds[0], &byte, 1), ==, 1);
  gaio_coroutine_enter (c);
  gaio_coroutine_wake (c);
  gaio_test_turn_until (loop, &woken.n, 1);
  g_assert_cmpint (woken.got, ==, 0);
  g_assert_no_error (woken.error);

  gaio_coroutine_enter (d);
  g_assert_cmpint (bad.n, ==, 1);
  g_assert_cmpint (bad.got, ==, 0);
  g_assert_cmpint (gaio_error_get_errno (bad.error), ==, EBADF);
  g_clear_error (&bad.error);
  close (fds[0]);
  close (fds[1]);
  gaio_test_settle (loop);
}

typedef struct
{
  GaioCoroutine *coroutine;
  GThread *thread; /* that the coroutine ran in */
  int n;
} Entered;

static void
note_thread (gpointer data)
{
  Entered *self = data;

  self->thread = g_thread_self ();
  self->n++;
}

static gpointer
wake_in_thread (gpointer data)
{
  gaio_coroutine_wake (((Entered *) data)->coroutine);
  return NULL;
}

static void
worker_thread_wake (GaioTestLoop *loop)
{
  Entered self = { 0 };
  GThread *thread;

  self.coroutine = make (loop->context, note_thread, &self);
  thread = g_thread_new ("worker", wake_in_thread, &self);
  g_assert_true (gaio_test_turn (loop, TRUE));
  g_thread_join (thread);
  gaio_test_turn_until (loop, &self.n, 1);
  g_assert_true (self.thread == g_thread_self ());
  assert_quiet (loop);
  g_assert_cmpint (self.n, ==, 1);
  gaio_coroutine_unref (self.coroutine);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  gaio_test_add_driver_matrix ("/coroutine/lifecycle", lifecycle);
  gaio_test_add_driver_matrix ("/coroutine/notified-once", notified_once);
  gaio_test_add_driver_matrix ("/coroutine/no-dangling-access", no_dangling_access);
  gaio_test_add_driver_matrix ("/coroutine/yield", yield);
  gaio_test_add_driver_matrix ("/coroutine/generator-in-coroutine", generator_in_coroutine);
  gaio_test_add_driver_matrix ("/coroutine/nesting", nesting);
  gaio_test_add_driver_matrix ("/coroutine/identity", identity);
  gaio_test_add_driver_matrix ("/coroutine/order", order);
  gaio_test_add_driver_matrix ("/coroutine/floating-point", floating_point);
  gaio_test_add_loop_matrix ("/coroutine/wake", wake);
  gaio_test_add_loop_matrix ("/coroutine/early-wake", early_wake);
  gaio_test_add_loop_matrix ("/coroutine/wake-by-signal", wake_by_signal);
  gaio_test_add_loop_matrix ("/coroutine/queue-chaining", queue_chaining);
  gaio_test_add_loop_matrix ("/coroutine/long-chain", long_chain);
  gaio_test_add_loop_matrix ("/coroutine/wake-order", wake_order);
  gaio_test_add_loop_matrix ("/coroutine/sleep", sleeping);
  gaio_test_add_loop_matrix ("/coroutine/sleep/woken", woken_from_sleep);
  gaio_test_add_loop_matrix ("/coroutine/wait-fd", waiting_for_fd);
  gaio_test_add_loop_matrix ("/coroutine/worker-thread-wake", worker_thread_wake);
  return g_test_run ();
}
