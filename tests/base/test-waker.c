/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The waker's states one by one, then a storm. waker.pml is the proof; this shows that the code is
 * the model. */

#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <time.h>

#include <gaio/base/gaio-waker-private.h>

#include "gaio-test.h"

/* Long enough that only a lost wake-up comes to it. */
#define NEVER_MS 10000

static GaioWaker *
make_waker (void)
{
  g_autoptr (GError) error = NULL;
  GaioWaker *waker = gaio_waker_new (&error);

  g_assert_no_error (error);
  return waker;
}

static gboolean
take_write (GaioWaker *waker)
{
  return gaio_event_notifier_test_and_clear (gaio_waker_get_notifier (waker));
}

/* A loop that is awake is notified without a write. */
static void
test_awake (void)
{
  g_autoptr (GaioWaker) waker = make_waker ();

  g_assert_false (gaio_waker_is_notified (waker));
  gaio_waker_notify (waker);
  gaio_waker_notify (waker);
  g_assert_true (gaio_waker_is_notified (waker));
  g_assert_false (take_write (waker));

  gaio_waker_accept (waker);
  g_assert_false (gaio_waker_is_notified (waker));
}

/* What was notified before the sleep forbids it. */
static void
test_before_sleep (void)
{
  g_autoptr (GaioWaker) waker = make_waker ();

  gaio_waker_notify (waker);
  g_assert_false (gaio_waker_begin_sleep (waker));
  gaio_waker_end_sleep (waker);
  g_assert_false (take_write (waker));
  /* It stays until somebody has looked. */
  g_assert_false (gaio_waker_begin_sleep (waker));
  gaio_waker_end_sleep (waker);
  gaio_waker_accept (waker);
  g_assert_true (gaio_waker_begin_sleep (waker));
  gaio_waker_end_sleep (waker);
}

/* One sleep costs one write, however many notify. */
static void
test_during_sleep (void)
{
  g_autoptr (GaioWaker) waker = make_waker ();

  g_assert_true (gaio_waker_begin_sleep (waker));
  gaio_waker_notify (waker);
  g_assert_true (take_write (waker));
  gaio_waker_notify (waker);
  gaio_waker_notify (waker);
  g_assert_false (take_write (waker));
  gaio_waker_end_sleep (waker);
  g_assert_true (gaio_waker_is_notified (waker));
  gaio_waker_accept (waker);

  gaio_waker_notify (waker);
  g_assert_false (take_write (waker));
}

/* An outer turn may be between the two when an inner one sleeps. */
static void
test_nested_sleep (void)
{
  g_autoptr (GaioWaker) waker = make_waker ();

  g_assert_true (gaio_waker_begin_sleep (waker));
  g_assert_true (gaio_waker_begin_sleep (waker));
  gaio_waker_end_sleep (waker);
  gaio_waker_notify (waker);
  g_assert_true (take_write (waker));
  gaio_waker_accept (waker);
  gaio_waker_notify (waker);
  g_assert_true (take_write (waker));
  gaio_waker_end_sleep (waker);
  gaio_waker_accept (waker);
  gaio_waker_notify (waker);
  g_assert_false (take_write (waker));
}

static GaioWaker *for_handler;

static void
on_signal (int number)
{
  gaio_waker_notify (for_handler);
}

static void
test_signal_handler (void)
{
  g_autoptr (GaioWaker) waker = make_waker ();
  struct sigaction action = { .sa_handler = on_signal };
  struct sigaction before;

  for_handler = waker;
  sigaction (SIGUSR1, &action, &before);
  g_assert_true (gaio_waker_begin_sleep (waker));
  raise (SIGUSR1);
  gaio_waker_end_sleep (waker);
  sigaction (SIGUSR1, &before, NULL);
  for_handler = NULL;
  g_assert_true (gaio_waker_is_notified (waker));
  g_assert_true (take_write (waker));
}

/* ---- the storm ---- */

typedef struct
{
  GaioWaker *waker;
  guint count;
  /* The work: published before each notify. */
  atomic_uint published;
} Storm;

static gpointer
notify_many (gpointer data)
{
  Storm *storm = data;
  guint state = GPOINTER_TO_UINT (g_thread_self ());

  for (guint i = 0; i < storm->count; i++)
    {
      atomic_fetch_add_explicit (&storm->published, 1, memory_order_relaxed);
      gaio_waker_notify (storm->waker);
      /* Let the loop fall asleep now and then, else it is awake all the time. */
      state = state * 1103515245 + 12345;
      if (state >> 24 == 0)
        g_usleep (20);
    }
  return NULL;
}

/* A loop that waits as the contexts do, and sees all that was published. When a wake-up gets lost
 * while there is work it sleeps through NEVER_MS, and poll(2) says so. */
static void
storm (guint n_threads, guint count)
{
  g_autoptr (GaioWaker) waker = make_waker ();
  Storm data = { .waker = waker, .count = count };
  GThread *threads[8];
  struct pollfd pfd = { .events = POLLIN };
  guint seen = 0;
  guint sleeps = 0;

  pfd.fd = gaio_event_notifier_get_fd (gaio_waker_get_notifier (waker));
  for (guint i = 0; i < n_threads; i++)
    threads[i] = g_thread_new ("notifier", notify_many, &data);
  while (seen < n_threads * count)
    {
      gboolean may_sleep = gaio_waker_begin_sleep (waker);

      if (may_sleep)
        {
          g_assert_cmpint (poll (&pfd, 1, NEVER_MS), ==, 1);
          take_write (waker);
          sleeps++;
        }
      gaio_waker_end_sleep (waker);
      gaio_waker_accept (waker);
      seen = atomic_load_explicit (&data.published, memory_order_relaxed);
    }
  for (guint i = 0; i < n_threads; i++)
    g_thread_join (threads[i]);
  g_test_message ("%u notifications, %u sleeps", seen, sleeps);
}

static void
test_storm (void)
{
  storm (1, 50000);
  storm (4, 50000);
  storm (8, g_test_thorough () ? 1250000 : 25000);
}

/* Two loops that wake each other: every single notification is waited for, so none can be covered
 * up by the next. */
typedef struct
{
  GaioWaker *own;
  GaioWaker *other;
  atomic_uint ball;
  atomic_uint *other_ball;
} Player;

#define ROUNDS 20000

static gpointer
play (gpointer data)
{
  Player *self = data;
  struct pollfd pfd = { .events = POLLIN };

  pfd.fd = gaio_event_notifier_get_fd (gaio_waker_get_notifier (self->own));
  for (guint round = 1; round <= ROUNDS; round++)
    {
      while (atomic_load_explicit (&self->ball, memory_order_relaxed) < round)
        {
          if (gaio_waker_begin_sleep (self->own))
            {
              g_assert_cmpint (poll (&pfd, 1, NEVER_MS), ==, 1);
              take_write (self->own);
            }
          gaio_waker_end_sleep (self->own);
          gaio_waker_accept (self->own);
        }
      atomic_store_explicit (self->other_ball, round + 1, memory_order_relaxed);
      gaio_waker_notify (self->other);
    }
  return NULL;
}

static void
test_ping_pong (void)
{
  g_autoptr (GaioWaker) a = make_waker ();
  g_autoptr (GaioWaker) b = make_waker ();
  Player left = { .own = a, .other = b };
  Player right = { .own = b, .other = a };
  GThread *thread;

  left.other_ball = &right.ball;
  right.other_ball = &left.ball;
  atomic_store (&left.ball, 1);
  thread = g_thread_new ("player", play, &right);
  play (&left);
  g_thread_join (thread);
  g_assert_cmpuint (atomic_load (&left.ball), ==, ROUNDS + 1);
}

static gpointer
try_to_claim (gpointer data)
{
  GaioWaker *waker = data;

  if (gaio_waker_is_home (waker))
    return NULL;
  return GINT_TO_POINTER (gaio_waker_claim_home (waker) ? 1 : 2);
}

static int
claim_elsewhere (GaioWaker *waker)
{
  return GPOINTER_TO_INT (g_thread_join (g_thread_new ("claimer", try_to_claim, waker)));
}

static void
test_home (void)
{
  g_autoptr (GaioWaker) waker = make_waker ();

  g_assert_false (gaio_waker_is_home (waker));
  g_assert_true (gaio_waker_claim_home (waker));
  g_assert_true (gaio_waker_claim_home (waker));
  g_assert_true (gaio_waker_is_home (waker));
  g_assert_cmpint (claim_elsewhere (waker), ==, 2);
  gaio_waker_release_home (waker);
  g_assert_false (gaio_waker_is_home (waker));
  g_assert_cmpint (claim_elsewhere (waker), ==, 1);
}

static void
test_refs (void)
{
  GaioWaker *waker = make_waker ();
  GaioEventNotifier *notifier = gaio_waker_get_notifier (waker);

  g_object_add_weak_pointer (G_OBJECT (notifier), (gpointer *) &notifier);
  g_assert_true (gaio_waker_ref (waker) == waker);
  gaio_waker_unref (waker);
  g_assert_nonnull (notifier);
  gaio_waker_unref (waker);
  g_assert_null (notifier);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);

  gaio_test_add ("/waker/awake", test_awake);
  gaio_test_add ("/waker/before-sleep", test_before_sleep);
  gaio_test_add ("/waker/during-sleep", test_during_sleep);
  gaio_test_add ("/waker/nested-sleep", test_nested_sleep);
  gaio_test_add ("/waker/signal-handler", test_signal_handler);
  gaio_test_add ("/waker/storm", test_storm);
  gaio_test_add ("/waker/ping-pong", test_ping_pong);
  gaio_test_add ("/waker/home", test_home);
  gaio_test_add ("/waker/refs", test_refs);

  return g_test_run ();
}
