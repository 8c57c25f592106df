/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Coroutines that are misused, whose context ends, or for which there is no memory. */

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "gaio-test.h"

static GaioCoroutine *
make (GaioContext *context, GaioFunc func, gpointer data, GDestroyNotify notify)
{
  g_autoptr (GError) error = NULL;
  GaioCoroutine *self = gaio_coroutine_new (context, func, data, notify, &error);

  g_assert_no_error (error);
  g_assert_nonnull (self);
  return self;
}

static GaioContext *
make_context (void)
{
  g_autoptr (GError) error = NULL;
  GaioContext *context = gaio_context_new (&error);

  g_assert_no_error (error);
  return context;
}

static void
expect (const char *pattern)
{
  g_test_expect_message ("gaio", G_LOG_LEVEL_CRITICAL, pattern);
}

static void
count_up (gpointer data)
{
  g_atomic_int_inc ((int *) data);
}

/* ---- misuse ---- */

static void
outside (void)
{
  GaioCoMutex mutex = { 0 };
  GaioCoQueue queue = { 0 };
  GaioCoRwLock rw_lock = { 0 };
  g_autoptr (GError) error = NULL;
  g_autoptr (GaioContext) context = make_context ();

  expect ("*gaio_coroutine_yield*");
  gaio_coroutine_yield ();
  expect ("*gaio_coroutine_sleep_ns*");
  g_assert_false (gaio_coroutine_sleep_ns (1));
  expect ("*gaio_coroutine_wait_fd*");
  g_assert_cmpint (gaio_coroutine_wait_fd (0, G_IO_IN, &error), ==, 0);
  expect ("*gaio_coroutine_move*");
  gaio_coroutine_move (context);
  expect ("*gaio_co_mutex_lock*");
  gaio_co_mutex_lock (&mutex);
  expect ("*gaio_co_mutex_trylock*");
  g_assert_false (gaio_co_mutex_trylock (&mutex));
  expect ("*gaio_co_mutex_unlock*");
  gaio_co_mutex_unlock (&mutex);
  expect ("*gaio_co_queue_wait*");
  gaio_co_queue_wait (&queue, NULL);
  expect ("*reader_lock*");
  gaio_co_rw_lock_reader_lock (&rw_lock);
  expect ("*writer_lock*");
  gaio_co_rw_lock_writer_lock (&rw_lock);
  expect ("*unlock*");
  gaio_co_rw_lock_unlock (&rw_lock);
  expect ("*upgrade*");
  gaio_co_rw_lock_upgrade (&rw_lock);
  expect ("*downgrade*");
  gaio_co_rw_lock_downgrade (&rw_lock);
  g_test_assert_expected_messages ();
  g_assert_false (gaio_co_queue_wake_one (&queue));
  g_assert_no_error (error);
}

static GaioCoroutine *outer;
static GaioContext *outer_context;

static void
enter_again (gpointer data)
{
  expect ("*entered*");
  gaio_coroutine_enter (gaio_coroutine_self ());
  if (outer != gaio_coroutine_self ())
    {
      expect ("*entered*");
      gaio_coroutine_enter (outer);
    }
  else
    {
      g_autoptr (GaioCoroutine) inner = make (outer_context, enter_again, data, NULL);

      gaio_coroutine_enter (inner);
    }
  count_up (data);
}

static gpointer
enter_elsewhere (gpointer data)
{
  expect ("*adopt*");
  gaio_coroutine_enter (data);
  return NULL;
}

static void
entered_wrongly (void)
{
  g_autoptr (GaioContext) context = make_context ();
  g_autoptr (GaioCoroutine) never_entered = NULL;
  int n = 0;

  outer_context = context;
  outer = make (context, enter_again, &n, NULL);
  gaio_coroutine_enter (outer);
  g_assert_cmpint (n, ==, 2);
  expect ("*is_ended*");
  gaio_coroutine_enter (outer);
  g_test_assert_expected_messages ();
  gaio_coroutine_unref (outer);

  never_entered = make (context, count_up, &n, NULL);
  g_thread_join (g_thread_new ("other", enter_elsewhere, never_entered));
  g_test_assert_expected_messages ();
  g_assert_cmpint (n, ==, 2);
  g_assert_false (gaio_coroutine_is_ended (never_entered));
}

static gboolean
is_never (gpointer data)
{
  return TRUE;
}

static void
poll_inside (gpointer data)
{
  expect ("*gaio_coroutine_self*");
  g_assert_false (gaio_context_poll (outer_context, TRUE));
  expect ("*gaio_coroutine_self*");
  g_assert_false (gaio_context_iterate (outer_context));
  expect ("*gaio_coroutine_self*");
  g_assert_false (gaio_context_wait_while (outer_context, NULL, -1, NULL, is_never, NULL, NULL));
  expect ("*gaio_coroutine_self*");
  g_assert_false (
      gaio_context_invoke_and_wait (outer_context, outer_context, count_up, data, NULL));
  count_up (data);
}

static void
polled_inside (void)
{
  g_autoptr (GaioContext) context = make_context ();
  int n = 0;
  g_autoptr (GaioCoroutine) coroutine = make (context, poll_inside, &n, NULL);

  outer_context = context;
  gaio_coroutine_enter (coroutine);
  g_test_assert_expected_messages ();
  g_assert_cmpint (n, ==, 1);
}

typedef struct
{
  GaioCoMutex mutex;
  GaioCoRwLock rw_lock;
} Locks;

static void
misuse_locks (gpointer data)
{
  Locks *self = data;

  expect ("*is_owner*");
  gaio_co_mutex_unlock (&self->mutex);
  gaio_co_mutex_lock (&self->mutex);
  expect ("*holds itself*");
  gaio_co_mutex_lock (&self->mutex);
  g_assert_false (gaio_co_mutex_trylock (&self->mutex));
  gaio_co_mutex_unlock (&self->mutex);

  expect ("*holders*");
  gaio_co_rw_lock_unlock (&self->rw_lock);
  expect ("*holders*");
  gaio_co_rw_lock_upgrade (&self->rw_lock);
  expect ("*holders*");
  gaio_co_rw_lock_downgrade (&self->rw_lock);
  gaio_co_rw_lock_reader_lock (&self->rw_lock);
  expect ("*holders*");
  gaio_co_rw_lock_downgrade (&self->rw_lock);
  gaio_co_rw_lock_unlock (&self->rw_lock);
  gaio_co_mutex_lock (&self->mutex);
  expect ("*holds 1 locks*");
}

static void
locks (void)
{
  g_autoptr (GaioContext) context = make_context ();
  Locks self = { 0 };
  g_autoptr (GaioCoroutine) coroutine = make (context, misuse_locks, &self, NULL);

  gaio_coroutine_enter (coroutine);
  g_test_assert_expected_messages ();
  g_assert_true (gaio_coroutine_is_ended (coroutine));
}

/* ---- the end of the context ---- */

static int pipe_fds[2];
static GaioCoMutex dead_mutex;
static GaioCoQueue dead_queue;
static GaioCoRwLock dead_rw_lock;
static GaioContext *elsewhere;
static int n_gone_on;

static void
wait_in_yield (gpointer data)
{
  gaio_coroutine_yield ();
  n_gone_on++;
}

static void
wait_in_sleep (gpointer data)
{
  gaio_coroutine_sleep_ns (0);
  gaio_coroutine_sleep_ns (G_MAXINT64);
  n_gone_on++;
}

static void
wait_in_fd (gpointer data)
{
  gaio_coroutine_wait_fd (pipe_fds[0], G_IO_IN, NULL);
  n_gone_on++;
}

static void
wait_in_mutex (gpointer data)
{
  gaio_co_mutex_lock (&dead_mutex);
  n_gone_on++;
}

static void
wait_in_queue (gpointer data)
{
  gaio_co_queue_wait (&dead_queue, NULL);
  n_gone_on++;
}

static void
wait_in_rw_lock (gpointer data)
{
  gaio_co_rw_lock_reader_lock (&dead_rw_lock);
  n_gone_on++;
}

static void
wait_in_move (gpointer data)
{
  gaio_coroutine_move (elsewhere);
  n_gone_on++;
}

static void
hold_locks (gpointer data)
{
  gaio_co_mutex_lock (&dead_mutex);
  gaio_co_rw_lock_writer_lock (&dead_rw_lock);
  gaio_coroutine_yield ();
  gaio_co_rw_lock_unlock (&dead_rw_lock);
  gaio_co_mutex_unlock (&dead_mutex);
}

static void
settle (GaioContext *context)
{
  for (int i = 0; i < 20; i++)
    gaio_context_poll (context, FALSE);
}

/* Ones that wait for all there is: none goes on, all end, and whoever still knows of them can do
 * nothing to them. */
static void
suspended (void)
{
  static const GaioFunc waits[] = {
    wait_in_yield, wait_in_sleep,   wait_in_fd,   wait_in_mutex,
    wait_in_queue, wait_in_rw_lock, wait_in_move,
  };
  g_autoptr (GaioContext) holders_context = make_context ();
  g_autoptr (GaioCoroutine) holder = make (holders_context, hold_locks, NULL, NULL);
  GaioCoroutine *coroutines[G_N_ELEMENTS (waits)];
  GaioContext *context = make_context ();
  int n_notified = 0;

  elsewhere = make_context ();
  n_gone_on = 0;
  g_assert_cmpint (pipe2 (pipe_fds, O_CLOEXEC), ==, 0);
  gaio_coroutine_enter (holder);
  for (guint i = 0; i < G_N_ELEMENTS (waits); i++)
    {
      coroutines[i] = make (context, waits[i], &n_notified, count_up);
      gaio_coroutine_enter (coroutines[i]);
    }
  settle (context);
  for (guint i = 0; i < G_N_ELEMENTS (waits); i++)
    {
      g_assert_false (gaio_coroutine_is_ended (coroutines[i]));
      gaio_coroutine_wake (coroutines[i]);
    }
  g_assert_cmpint (n_notified, ==, 0);
  g_object_unref (context);
  g_assert_cmpint (n_notified, ==, G_N_ELEMENTS (waits) - 1);
  g_clear_object (&elsewhere);
  g_assert_cmpint (n_notified, ==, G_N_ELEMENTS (waits));
  for (guint i = 0; i < G_N_ELEMENTS (waits); i++)
    {
      g_assert_true (gaio_coroutine_is_ended (coroutines[i]));
      gaio_coroutine_wake (coroutines[i]);
      gaio_coroutine_enter (coroutines[i]);
    }
  g_assert_cmpint (n_gone_on, ==, 0);

  /* The locks go on without them. */
  g_assert_false (gaio_co_queue_wake_one (&dead_queue));
  gaio_coroutine_enter (holder);
  g_assert_true (gaio_coroutine_is_ended (holder));
  gaio_co_mutex_clear (&dead_mutex);
  gaio_co_queue_clear (&dead_queue);
  gaio_co_rw_lock_clear (&dead_rw_lock);
  for (guint i = 0; i < G_N_ELEMENTS (waits); i++)
    gaio_coroutine_unref (coroutines[i]);
  close (pipe_fds[0]);
  close (pipe_fds[1]);
}

/* One that was woken and has not begun never does. */
static void
not_begun (void)
{
  GaioContext *context = make_context ();
  int n_run = 0;
  GaioCoroutine *coroutine = make (context, count_up, &n_run, NULL);
  GaioCoroutine *other = make (context, count_up, &n_run, NULL);

  gaio_coroutine_wake (coroutine);
  gaio_coroutine_unref (coroutine);
  g_object_unref (context);
  gaio_coroutine_wake (other);
  gaio_coroutine_enter (other);
  g_assert_cmpint (n_run, ==, 0);
  g_assert_false (gaio_coroutine_is_ended (other));
  gaio_coroutine_unref (other);
}

static void
drop_context (gpointer data)
{
  GaioContext **context = data;

  g_clear_object (context);
  gaio_coroutine_sleep_ns (0);
  n_gone_on++;
}

/* It runs on to its next wait. */
static void
from_inside (void)
{
  GaioContext *context = make_context ();
  g_autoptr (GaioCoroutine) coroutine = make (context, drop_context, &context, NULL);

  n_gone_on = 0;
  gaio_coroutine_enter (coroutine);
  g_assert_null (context);
  g_assert_true (gaio_coroutine_is_ended (coroutine));
  g_assert_cmpint (n_gone_on, ==, 0);
}

static gpointer
drop_elsewhere (gpointer data)
{
  g_object_unref (data);
  return NULL;
}

/* The last reference goes in another thread: the coroutine ends in its home. */
static void
from_elsewhere (void)
{
  g_autoptr (GMainContext) main_context = g_main_context_new ();
  GaioContext *context = make_context ();
  int n_notified = 0;
  g_autoptr (GaioCoroutine) coroutine = make (context, wait_in_yield, &n_notified, count_up);

  gaio_context_attach (context, main_context);
  gaio_coroutine_enter (coroutine);
  g_main_context_iteration (main_context, FALSE);
  g_thread_join (g_thread_new ("other", drop_elsewhere, context));
  g_assert_cmpint (n_notified, ==, 0);
  while (n_notified == 0)
    g_main_context_iteration (main_context, TRUE);
  g_assert_true (gaio_coroutine_is_ended (coroutine));
}

static void
of_io_thread (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GaioIOThread) thread = gaio_io_thread_new ("coroutines", &error);
  GaioContext *context = gaio_io_thread_get_context (thread);
  int n_notified = 0;
  GaioCoroutine *first = make (context, wait_in_yield, &n_notified, count_up);
  GaioCoroutine *second = make (context, wait_in_sleep, &n_notified, count_up);

  gaio_coroutine_wake (first);
  gaio_coroutine_wake (second);
  gaio_coroutine_unref (first);
  gaio_coroutine_unref (second);
  gaio_io_thread_stop (thread);
  g_clear_object (&thread);
  g_assert_cmpint (n_notified, ==, 2);
}

/* ---- no memory ---- */

static void
too_many (void)
{
  g_autoptr (GaioContext) context = make_context ();
  g_autoptr (GPtrArray) coroutines =
      g_ptr_array_new_with_free_func ((GDestroyNotify) gaio_coroutine_unref);
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;
  GaioCoroutine *coroutine;
  guint64 max_maps;
  int n = 0;

#ifdef __SANITIZE_THREAD__
  g_test_skip ("the thread sanitizer needs the maps itself, and ends the program without");
  return;
#endif
  g_file_get_contents ("/proc/sys/vm/max_map_count", &text, NULL, NULL);
  max_maps = text != NULL ? g_ascii_strtoull (text, NULL, 10) : 0;
  if (max_maps == 0 || max_maps > 100000)
    {
      g_test_skip ("this system allows too many maps to use them all");
      return;
    }
  while ((coroutine = gaio_coroutine_new (context, count_up, &n, NULL, &error)) != NULL)
    {
      g_ptr_array_add (coroutines, coroutine);
      g_assert_cmpuint (coroutines->len, <, max_maps);
    }
  g_assert_cmpuint (coroutines->len, >, 1000);
  /* There is something left for malloc() and threads. */
  g_assert_cmpuint (coroutines->len * 2 + 4000, <, max_maps);
  g_assert_nonnull (error);
  g_assert_cmpint (gaio_error_get_errno (error), ==, ENOMEM);
  /* Nothing was used up by that. */
  g_ptr_array_set_size (coroutines, (int) coroutines->len - 1);
  g_clear_error (&error);
  coroutine = gaio_coroutine_new (context, count_up, &n, NULL, &error);
  g_assert_no_error (error);
  gaio_coroutine_enter (coroutine);
  g_assert_cmpint (n, ==, 1);
  gaio_coroutine_unref (coroutine);
}

static void
touch_below (gpointer data)
{
  volatile char *frame = __builtin_frame_address (0);

  frame[-GPOINTER_TO_INT (data)] = 1;
}

/* The whole of the stack can be used but for its lowest page, which ends the program rather than
 * let what lies below be overwritten. */
static void
too_deep (void)
{
  const char *variable = "GAIO_TEST_DEPTH";

  if (g_test_subprocess ())
    {
      g_autoptr (GaioContext) context = make_context ();
      int depth = atoi (g_getenv (variable));
      g_autoptr (GaioCoroutine) coroutine =
          make (context, touch_below, GINT_TO_POINTER (depth), NULL);

      setrlimit (RLIMIT_CORE, &(struct rlimit){ 0, 0 });
      gaio_coroutine_enter (coroutine);
      return;
    }
  if (sysconf (_SC_PAGESIZE) == 4096)
    {
      g_setenv (variable, "250000", TRUE);
      g_test_trap_subprocess (NULL, 0, 0);
      g_test_trap_assert_passed ();
    }
  g_setenv (variable, "259500", TRUE);
  g_test_trap_subprocess (NULL, 0, 0);
  g_test_trap_assert_failed ();
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  gaio_test_add ("/coroutine-end/misuse/outside", outside);
  gaio_test_add ("/coroutine-end/misuse/entered", entered_wrongly);
  gaio_test_add ("/coroutine-end/misuse/polled", polled_inside);
  gaio_test_add ("/coroutine-end/misuse/locks", locks);
  gaio_test_add ("/coroutine-end/context/suspended", suspended);
  gaio_test_add ("/coroutine-end/context/not-begun", not_begun);
  gaio_test_add ("/coroutine-end/context/from-inside", from_inside);
  gaio_test_add ("/coroutine-end/context/from-elsewhere", from_elsewhere);
  gaio_test_add ("/coroutine-end/context/io-thread", of_io_thread);
  gaio_test_add ("/coroutine-end/too-many", too_many);
  gaio_test_add ("/coroutine-end/too-deep", too_deep);
  return g_test_run ();
}
