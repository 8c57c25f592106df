/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The ring alone, without a loop. Where the system has no io_uring every test is skipped but the
 * one that says that the reason is given. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <gaio/base/gaio-ring-private.h>

#include "gaio-test.h"

#ifdef HAVE_LIBURING
#include <liburing.h>

#define FOR_EVER G_GINT64_CONSTANT (-1)
#define MAX_OPS 2000

typedef struct
{
  GaioRingOp op;
  int id;
  int count; /* of completions */
  int res;
} Op;

static Op ops[MAX_OPS];
static int order[MAX_OPS];
static int n_done;
static GaioRing *ring;

static void
on_complete (GaioRingOp *ring_op, int res)
{
  Op *op = (Op *) ring_op;

  op->count++;
  op->res = res;
  order[n_done++] = op->id;
}

static gboolean
set_up (void)
{
  g_autofree char *reason = NULL;

  n_done = 0;
  for (int i = 0; i < MAX_OPS; i++)
    ops[i] = (Op){ .op.complete = on_complete, .id = i, .res = G_MININT };
  ring = gaio_ring_new (GAIO_RING_ENTRIES, &reason);
  if (ring == NULL)
    g_test_skip (reason);
  else
    g_assert_null (reason);
  return ring != NULL;
}

static void
tear_down (void)
{
  g_clear_pointer (&ring, gaio_ring_free);
}

/* Room for an operation, reaping when there is none. */
static struct io_uring_sqe *
get_sqe (Op *op)
{
  struct io_uring_sqe *sqe = gaio_ring_get_sqe (ring, &op->op);

  while (sqe == NULL)
    {
      gaio_ring_submit_and_wait (ring, FOR_EVER);
      gaio_ring_reap (ring, NULL);
      sqe = gaio_ring_get_sqe (ring, &op->op);
    }
  return sqe;
}

/* Bounded, so that a lost completion fails instead of hanging. */
static void
reap_until (int n)
{
  for (int i = 0; n_done < n && i < 100; i++)
    {
      gaio_ring_submit_and_wait (ring, 100 * 1000 * 1000);
      gaio_ring_reap (ring, NULL);
    }
  g_assert_cmpint (n_done, ==, n);
}

static void
test_nop (void)
{
  if (!set_up ())
    return;
  g_assert_true (gaio_ring_is_usable (ring));
  g_assert_true (gaio_ring_supports (ring, IORING_OP_NOP));
  g_assert_true (gaio_ring_supports (ring, IORING_OP_POLL_ADD));
  g_assert_false (gaio_ring_supports (ring, 255));
  g_assert_cmpuint (gaio_ring_get_depth (ring), >, 0);
  g_assert_false (gaio_ring_is_ready (ring));
  g_assert_false (gaio_ring_has_unsubmitted (ring));

  io_uring_prep_nop (get_sqe (&ops[0]));
  g_assert_true (gaio_ring_has_unsubmitted (ring));
  g_assert_cmpint (ops[0].count, ==, 0);
  gaio_ring_submit (ring);
  g_assert_false (gaio_ring_has_unsubmitted (ring));
  g_assert_true (gaio_ring_is_ready (ring));
  g_assert_cmpint (ops[0].count, ==, 0); /* from reap() and nowhere else */
  g_assert_cmpuint (gaio_ring_reap (ring, NULL), ==, 1);
  g_assert_cmpint (ops[0].count, ==, 1);
  g_assert_cmpint (ops[0].res, ==, 0);
  g_assert_false (gaio_ring_is_ready (ring));
  g_assert_cmpuint (gaio_ring_reap (ring, NULL), ==, 0);
  tear_down ();
}

/* The first that does not fit into the batch has those before it submitted. */
static void
test_max_batch (void)
{
  if (!set_up ())
    return;
  gaio_ring_set_max_batch (ring, 2);
  io_uring_prep_nop (get_sqe (&ops[0]));
  io_uring_prep_nop (get_sqe (&ops[1]));
  g_assert_false (gaio_ring_is_ready (ring));
  io_uring_prep_nop (get_sqe (&ops[2]));
  g_assert_true (gaio_ring_is_ready (ring));
  g_assert_cmpuint (gaio_ring_reap (ring, NULL), ==, 2);
  g_assert_true (gaio_ring_has_unsubmitted (ring));
  reap_until (3);
  tear_down ();
}

/* Only the first of what has completed can be taken alone. */
static void
test_has_completed (void)
{
  if (!set_up ())
    return;
  g_assert_false (gaio_ring_has_completed (ring, &ops[0].op));
  io_uring_prep_nop (get_sqe (&ops[0]));
  io_uring_prep_nop (get_sqe (&ops[1]));
  g_assert_false (gaio_ring_has_completed (ring, &ops[0].op));
  gaio_ring_submit (ring);
  g_assert_true (gaio_ring_has_completed (ring, &ops[1].op));
  g_assert_cmpint (n_done, ==, 0);
  g_assert_true (gaio_ring_has_completed (ring, &ops[0].op));
  g_assert_cmpint (ops[0].count, ==, 1);
  g_assert_cmpint (ops[1].count, ==, 0);
  g_assert_false (gaio_ring_has_completed (ring, &ops[0].op));
  g_assert_false (gaio_ring_has_completed (ring, &ops[2].op));
  g_assert_cmpuint (gaio_ring_reap (ring, NULL), ==, 1);
  tear_down ();
}

/* With room for two, twenty go through. */
static void
test_small (void)
{
  g_autofree char *reason = NULL;

  if (!set_up ())
    return;
  tear_down ();
  ring = gaio_ring_new (2, &reason);
  g_assert_nonnull (ring);
  g_assert_cmpuint (gaio_ring_get_depth (ring), ==, 6);
  for (int i = 0; i < 20; i++)
    {
      io_uring_prep_nop (get_sqe (&ops[i]));
      gaio_ring_reap (ring, NULL);
    }
  reap_until (20);
  tear_down ();
}

static void
test_order (void)
{
  if (!set_up ())
    return;
  for (int i = 0; i < 20; i++)
    io_uring_prep_nop (get_sqe (&ops[i]));
  gaio_ring_submit (ring);
  g_assert_cmpuint (gaio_ring_reap (ring, NULL), ==, 20);
  for (int i = 0; i < 20; i++)
    g_assert_cmpint (order[i], ==, i);
  tear_down ();
}

/* Nobody wants to know how it ended. */
static void
test_no_owner (void)
{
  if (!set_up ())
    return;
  io_uring_prep_nop (gaio_ring_get_sqe (ring, NULL));
  io_uring_prep_nop (get_sqe (&ops[0]));
  reap_until (1);
  tear_down ();
}

/* More than the queues hold: none is lost, each ends once. */
static void
test_many (void)
{
  if (!set_up ())
    return;
  for (int i = 0; i < MAX_OPS; i++)
    io_uring_prep_nop (get_sqe (&ops[i]));
  reap_until (MAX_OPS);
  for (int i = 0; i < MAX_OPS; i++)
    g_assert_cmpint (ops[i].count, ==, 1);
  tear_down ();
}

/* The same without reaping in between, as far as the kernel plays along. */
static void
test_many_unreaped (void)
{
  int n = 0;

  if (!set_up ())
    return;
  while (n < MAX_OPS)
    {
      struct io_uring_sqe *sqe = gaio_ring_get_sqe (ring, &ops[n].op);

      if (sqe == NULL)
        break;
      io_uring_prep_nop (sqe);
      n++;
    }
  g_assert_cmpint (n, >=, (int) gaio_ring_get_depth (ring));
  g_assert_cmpint (n_done, ==, 0);
  reap_until (n);
  tear_down ();
}

static void
on_complete_nested (GaioRingOp *op, int res)
{
  on_complete (op, res);
  if (n_done == 1)
    gaio_ring_reap (ring, NULL);
}

/* A callback may reap: what is left is handed out then, and not again. */
static void
test_nested (void)
{
  if (!set_up ())
    return;
  for (int i = 0; i < 10; i++)
    {
      ops[i].op.complete = on_complete_nested;
      io_uring_prep_nop (get_sqe (&ops[i]));
    }
  gaio_ring_submit (ring);
  gaio_ring_reap (ring, NULL);
  g_assert_cmpint (n_done, ==, 10);
  for (int i = 0; i < 10; i++)
    {
      g_assert_cmpint (ops[i].count, ==, 1);
      g_assert_cmpint (order[i], ==, i);
    }
  tear_down ();
}

static void
on_complete_again (GaioRingOp *op, int res)
{
  on_complete (op, res);
  if (n_done < MAX_OPS)
    {
      io_uring_prep_nop (gaio_ring_get_sqe (ring, op));
      gaio_ring_submit (ring);
    }
}

/* A callback that submits more does not keep the reaping from ending. */
static void
test_endless (void)
{
  if (!set_up ())
    return;
  ops[0].op.complete = on_complete_again;
  io_uring_prep_nop (get_sqe (&ops[0]));
  gaio_ring_submit (ring);
  for (int i = 1; i <= 100; i++)
    {
      g_assert_cmpuint (gaio_ring_reap (ring, NULL), ==, 1);
      g_assert_cmpint (ops[0].count, ==, i);
    }
  tear_down ();
}

static void
test_poll_and_wait (void)
{
  g_autoptr (GaioEventNotifier) notifier = gaio_event_notifier_new (NULL);
  struct pollfd pfd = { .events = POLLIN };

  if (!set_up ())
    return;
  pfd.fd = gaio_ring_get_fd (ring);
  io_uring_prep_poll_add (get_sqe (&ops[0]), gaio_event_notifier_get_fd (notifier), POLLIN);
  gaio_ring_submit (ring);
  g_assert_cmpint (poll (&pfd, 1, 0), ==, 0);
  g_assert_false (gaio_ring_is_ready (ring));
  gaio_ring_submit_and_wait (ring, 1000000); /* comes back */
  g_assert_cmpuint (gaio_ring_reap (ring, NULL), ==, 0);
  gaio_event_notifier_set (notifier);
  g_assert_cmpint (poll (&pfd, 1, 10000), ==, 1);
  g_assert_true (gaio_ring_is_ready (ring));
  g_assert_cmpuint (gaio_ring_reap (ring, NULL), ==, 1);
  g_assert_cmpint (ops[0].res & POLLIN, !=, 0);
  tear_down ();
}

/* The end of a ring takes back what the kernel still has, and calls nobody: polls, a read that
 * waits for its pipe, and one that has a worker of the kernel to itself. At once: a read that the
 * kernel has not given up would take what comes after, and write it to memory that is not its own
 * any more. */
static void
test_free_in_flight (void)
{
  g_autoptr (GaioEventNotifier) notifier = gaio_event_notifier_new (NULL);
  struct io_uring_sqe *sqe;
  int pipes[2][2];
  char buffer[16];

  g_assert_cmpint (pipe2 (pipes[0], O_CLOEXEC), ==, 0);
  g_assert_cmpint (pipe2 (pipes[1], O_CLOEXEC), ==, 0);
  for (int i = 0; i < 50; i++)
    {
      if (!set_up ())
        break;
      io_uring_prep_poll_add (get_sqe (&ops[0]), gaio_event_notifier_get_fd (notifier), POLLIN);
      io_uring_prep_read (get_sqe (&ops[1]), pipes[0][0], buffer, sizeof buffer, 0);
      sqe = get_sqe (&ops[2]);
      io_uring_prep_read (sqe, pipes[1][0], buffer, sizeof buffer, 0);
      sqe->flags |= IOSQE_ASYNC;
      gaio_ring_submit (ring);
      io_uring_prep_nop (get_sqe (&ops[3])); /* not submitted */
      g_usleep (i * 10);                     /* the worker begins, or has not begun */
      tear_down ();
      g_assert_cmpint (n_done, ==, 0);

      for (int j = 0; j < 2; j++)
        {
          struct pollfd pfd = { .fd = pipes[j][0], .events = POLLIN };

          g_assert_cmpint (write (pipes[j][1], "x", 1), ==, 1);
          g_usleep (100);
          g_assert_cmpint (poll (&pfd, 1, 0), ==, 1);
          g_assert_cmpint (read (pipes[j][0], buffer, 1), ==, 1);
        }
    }
  for (int j = 0; j < 2; j++)
    {
      close (pipes[j][0]);
      close (pipes[j][1]);
    }
}

/* A forked child must not touch the ring, since it would act on its parent's. */
static void
test_fork (void)
{
  pid_t pid;
  int status;

  if (!set_up ())
    return;
  io_uring_prep_nop (get_sqe (&ops[0]));
  gaio_ring_submit (ring);
  pid = fork ();
  g_assert_cmpint (pid, >=, 0);
  if (pid == 0)
    {
      int failed = 0;

      failed |= gaio_ring_is_usable (ring) << 0;
      failed |= (gaio_ring_reap (ring, NULL) != 0) << 1;
      failed |= (gaio_ring_get_sqe (ring, &ops[1].op) != NULL) << 2;
      failed |= gaio_ring_is_ready (ring) << 3;
      gaio_ring_submit (ring);
      gaio_ring_submit_and_wait (ring, FOR_EVER);
      gaio_ring_free (ring);
      failed |= (n_done != 0) << 4;
      _exit (failed);
    }
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_true (WIFEXITED (status));
  g_assert_cmpint (WEXITSTATUS (status), ==, 0);

  g_assert_true (gaio_ring_is_usable (ring));
  reap_until (1);
  io_uring_prep_nop (get_sqe (&ops[2]));
  reap_until (2);
  tear_down ();
}

/* A loop that sleeps elsewhere hears of the first operation that nobody has submitted. */
static void
test_waker (void)
{
  g_autoptr (GaioWaker) waker = gaio_waker_new (NULL);

  if (!set_up ())
    return;
  gaio_ring_set_waker (ring, waker);
  for (int i = 0; i < 2; i++)
    {
      io_uring_prep_nop (get_sqe (&ops[3 * i]));
      g_assert_true (gaio_waker_is_notified (waker));
      gaio_waker_accept (waker);
      io_uring_prep_nop (get_sqe (&ops[3 * i + 1]));
      g_assert_false (gaio_waker_is_notified (waker));
      gaio_ring_submit (ring);
    }
  gaio_ring_set_waker (ring, NULL);
  io_uring_prep_nop (get_sqe (&ops[6]));
  g_assert_false (gaio_waker_is_notified (waker));
  reap_until (5);
  tear_down ();
}

static void
test_many_rings (void)
{
  if (!set_up ())
    return;
  tear_down ();
  for (int i = 0; i < 100; i++)
    {
      if (!set_up ())
        return;
      io_uring_prep_nop (get_sqe (&ops[0]));
      reap_until (1);
      tear_down ();
    }
}

#endif /* HAVE_LIBURING */

/* The user's word goes first, also where io_uring works. */
static void
test_threads_asked_for (void)
{
  g_autofree char *before = g_strdup (g_getenv ("GAIO_ENGINE"));
  g_autofree char *reason = NULL;

  g_setenv ("GAIO_ENGINE", "threads", TRUE);
  g_assert_null (gaio_ring_new (GAIO_RING_ENTRIES, &reason));
  g_assert_nonnull (reason);
  if (before != NULL)
    g_setenv ("GAIO_ENGINE", before, TRUE);
  else
    g_unsetenv ("GAIO_ENGINE");
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);

  gaio_test_add ("/ring/threads-asked-for", test_threads_asked_for);
#ifdef HAVE_LIBURING
  gaio_test_add ("/ring/nop", test_nop);
  gaio_test_add ("/ring/max-batch", test_max_batch);
  gaio_test_add ("/ring/has-completed", test_has_completed);
  gaio_test_add ("/ring/small", test_small);
  gaio_test_add ("/ring/order", test_order);
  gaio_test_add ("/ring/no-owner", test_no_owner);
  gaio_test_add ("/ring/many", test_many);
  gaio_test_add ("/ring/many-unreaped", test_many_unreaped);
  gaio_test_add ("/ring/nested", test_nested);
  gaio_test_add ("/ring/endless", test_endless);
  gaio_test_add ("/ring/poll-and-wait", test_poll_and_wait);
  gaio_test_add ("/ring/free-in-flight", test_free_in_flight);
  gaio_test_add ("/ring/fork", test_fork);
  gaio_test_add ("/ring/waker", test_waker);
  gaio_test_add ("/ring/many-rings", test_many_rings);
#endif

  return g_test_run ();
}
