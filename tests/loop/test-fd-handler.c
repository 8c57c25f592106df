/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Handlers of file descriptors: level-triggered, removed for good at once, on any monitor. */

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "flag.h"

static void
test_add_remove (GaioTestLoop *loop)
{
  Flag a = { 0 };

  init (loop, &a);
  unwatch (&a); /* absent: nothing */
  watch (&a);
  gaio_test_settle (loop);
  gaio_event_notifier_set (a.notifier);
  unwatch (&a);
  unwatch (&a);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n, ==, 0);
  g_assert_cmpint (a.n_notified, ==, 1);
  finish (&a);
}

static void
test_wait (GaioTestLoop *loop)
{
  Flag a = { .active = 1 };

  init (loop, &a);
  watch (&a);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n, ==, 0);
  a.active = 0;
  gaio_event_notifier_set (a.notifier);
  gaio_test_turn_until (loop, &a.n, 1);
  g_assert_cmpint (a.condition, ==, G_IO_IN);
  assert_quiet (loop);
  g_assert_cmpint (a.n, ==, 1);
  unwatch (&a);
  gaio_event_notifier_set (a.notifier);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n, ==, 1);
  finish (&a);
}

/* It sets itself again until it has had enough. */
static void
test_flush (GaioTestLoop *loop)
{
  Flag a = { .active = 9 };

  init (loop, &a);
  watch (&a);
  gaio_event_notifier_set (a.notifier);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n, ==, 10);
  assert_quiet (loop);
  finish (&a);
}

/* What is not drained is reported again, in each turn and beside others. */
static void
test_level_triggered (GaioTestLoop *loop)
{
  Flag stubborn = { .keep = TRUE };
  Flag a = { 0 };

  init (loop, &stubborn);
  init (loop, &a);
  watch (&stubborn);
  watch (&a);
  gaio_event_notifier_set (stubborn.notifier);
  for (int i = 1; i <= 20; i++)
    {
      int before = stubborn.n;

      while (stubborn.n == before)
        gaio_test_turn (loop, TRUE);
      g_assert_cmpint (stubborn.n, ==, before + 1);
    }
  gaio_event_notifier_set (a.notifier);
  gaio_test_turn_until (loop, &a.n, 1);
  g_assert_cmpint (a.n, ==, 1);

  stubborn.keep = FALSE;
  gaio_test_settle (loop);
  finish (&stubborn);
  finish (&a);
}

static void
on_readable_byte (int fd, GIOCondition condition, gpointer data)
{
  GString *text = data;
  char byte;

  g_assert_true (condition & (G_IO_IN | G_IO_HUP));
  if (read (fd, &byte, 1) == 1)
    g_string_append_c (text, byte);
  else
    g_string_append_c (text, '.');
}

/* One byte at a time, to the end and past it. */
static void
test_pipe (GaioTestLoop *loop)
{
  g_autoptr (GString) text = g_string_new (NULL);
  g_autoptr (GError) error = NULL;
  int fds[2];

  g_assert_cmpint (pipe2 (fds, O_CLOEXEC | O_NONBLOCK), ==, 0);
  gaio_context_set_fd_handler (loop->context,
                               fds[0],
                               G_IO_IN,
                               on_readable_byte,
                               text,
                               NULL,
                               &error);
  g_assert_no_error (error);
  g_assert_cmpint (write (fds[1], "hello", 5), ==, 5);
  while (text->len < 5)
    gaio_test_turn (loop, TRUE);
  assert_quiet (loop);
  g_assert_cmpstr (text->str, ==, "hello");

  /* A hang-up is always reported, again and again. */
  close (fds[1]);
  while (text->len < 8)
    gaio_test_turn (loop, TRUE);
  g_assert_true (g_str_has_prefix (text->str, "hello..."));
  gaio_context_remove_fd_handler (loop->context, fds[0]);
  gaio_test_settle (loop);
  close (fds[0]);
}

/* ---- the two directions ---- */

typedef struct
{
  GaioTestLoop *loop;
  int fd;
  int n_read, n_write, n_notified;
  gboolean remove_in_read;
} Duplex;

static void
on_read (gpointer data)
{
  Duplex *duplex = data;
  char buffer[16];

  duplex->n_read++;
  g_assert_cmpint (read (duplex->fd, buffer, sizeof buffer), >, 0);
  if (duplex->remove_in_read)
    gaio_context_remove_fd_handler (duplex->loop->context, duplex->fd);
}

static void
on_write (gpointer data)
{
  ((Duplex *) data)->n_write++;
}

static void
on_duplex_notify (gpointer data)
{
  ((Duplex *) data)->n_notified++;
}

static void
set_handlers (Duplex *duplex, gboolean read, gboolean write)
{
  GaioFdHandlers handlers = { .read = read ? on_read : NULL, .write = write ? on_write : NULL };
  g_autoptr (GError) error = NULL;

  gaio_context_set_fd_handlers (duplex->loop->context,
                                duplex->fd,
                                &handlers,
                                duplex,
                                on_duplex_notify,
                                &error);
  g_assert_no_error (error);
}

/* `peer` gets the other end. */
static void
make_duplex (GaioTestLoop *loop, Duplex *duplex, int *peer)
{
  int fds[2];

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), ==, 0);
  duplex->loop = loop;
  duplex->fd = fds[0];
  *peer = fds[1];
}

static void
test_directions (GaioTestLoop *loop)
{
  Duplex duplex = { 0 };
  int peer;

  make_duplex (loop, &duplex, &peer);
  set_handlers (&duplex, TRUE, FALSE);
  gaio_test_settle (loop);
  g_assert_cmpint (duplex.n_read, ==, 0);
  g_assert_cmpint (duplex.n_write, ==, 0);

  set_handlers (&duplex, TRUE, TRUE);
  gaio_test_turn_until (loop, &duplex.n_write, 3);
  g_assert_cmpint (duplex.n_read, ==, 0);

  g_assert_cmpint (write (peer, "abc", 3), ==, 3);
  gaio_test_turn_until (loop, &duplex.n_read, 1);

  set_handlers (&duplex, FALSE, TRUE);
  g_assert_cmpint (write (peer, "abc", 3), ==, 3);
  gaio_test_turn_until (loop, &duplex.n_write, duplex.n_write + 3);
  g_assert_cmpint (duplex.n_read, ==, 1);

  set_handlers (&duplex, TRUE, FALSE);
  duplex.n_write = 0;
  gaio_test_turn_until (loop, &duplex.n_read, 2);
  assert_quiet (loop);
  g_assert_cmpint (duplex.n_write, ==, 0);

  /* No direction at all: that removes it, and what is given with it is freed too. */
  set_handlers (&duplex, FALSE, FALSE);
  duplex.n_read = 0;
  g_assert_cmpint (write (peer, "abc", 3), ==, 3);
  gaio_test_settle (loop);
  g_assert_cmpint (duplex.n_read, ==, 0);
  g_assert_cmpint (duplex.n_notified, ==, 5);
  close (duplex.fd);
  close (peer);
}

/* The read callback removes the handler, so the write callback must not run, though the descriptor
 * was found writable too. */
static void
test_read_removes (GaioTestLoop *loop)
{
  Duplex duplex = { .remove_in_read = TRUE };
  int peer;

  make_duplex (loop, &duplex, &peer);
  g_assert_cmpint (write (peer, "abc", 3), ==, 3);
  set_handlers (&duplex, TRUE, TRUE);
  gaio_test_turn_until (loop, &duplex.n_read, 1);
  gaio_test_settle (loop);
  g_assert_cmpint (duplex.n_read, ==, 1);
  g_assert_cmpint (duplex.n_write, ==, 0);
  g_assert_cmpint (duplex.n_notified, ==, 1);
  close (duplex.fd);
  close (peer);
}

static Duplex *rivals[2];

static void
on_read_remove_rival (gpointer data)
{
  Duplex *duplex = data;
  Duplex *rival = rivals[duplex == rivals[0]];

  on_read (duplex);
  gaio_context_remove_fd_handler (rival->loop->context, rival->fd);
}

/* Two are ready for both directions; the first to be called removes the other, none of whose
 * callbacks runs then. */
static void
test_read_removes_other (GaioTestLoop *loop)
{
  const GaioFdHandlers handlers = { .read = on_read_remove_rival, .write = on_write };
  Duplex a = { 0 };
  Duplex b = { 0 };
  int peers[2];

  make_duplex (loop, &a, &peers[0]);
  make_duplex (loop, &b, &peers[1]);
  rivals[0] = &a;
  rivals[1] = &b;
  for (int i = 0; i < 2; i++)
    {
      g_assert_cmpint (write (peers[i], "abc", 3), ==, 3);
      gaio_context_set_fd_handlers (loop->context,
                                    rivals[i]->fd,
                                    &handlers,
                                    rivals[i],
                                    on_duplex_notify,
                                    NULL);
    }
  while (a.n_read + b.n_read == 0)
    gaio_test_turn (loop, TRUE);
  gaio_context_remove_fd_handler (loop->context, a.fd);
  gaio_context_remove_fd_handler (loop->context, b.fd);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n_read + b.n_read, ==, 1);
  g_assert_cmpint (a.n_read ? b.n_write : a.n_write, ==, 0);
  g_assert_cmpint (a.n_notified, ==, 1);
  g_assert_cmpint (b.n_notified, ==, 1);
  for (int i = 0; i < 2; i++)
    {
      close (rivals[i]->fd);
      close (peers[i]);
    }
}

/* A pipe whose reader is gone is an error, which the writer hears of. */
static void
test_error_condition (GaioTestLoop *loop)
{
  Duplex duplex = { .loop = loop };
  char block[65536] = { 0 };
  int fds[2];

  g_assert_cmpint (pipe2 (fds, O_CLOEXEC | O_NONBLOCK), ==, 0);
  while (write (fds[1], block, sizeof block) > 0)
    ;
  duplex.fd = fds[1];
  set_handlers (&duplex, FALSE, TRUE);
  gaio_test_settle (loop);
  g_assert_cmpint (duplex.n_write, ==, 0);
  close (fds[0]);
  gaio_test_turn_until (loop, &duplex.n_write, 1);
  gaio_context_remove_fd_handler (loop->context, fds[1]);
  gaio_test_settle (loop);
  close (fds[1]);
}

/* ---- event notifiers ---- */

static void
on_notifier (gpointer data)
{
  Flag *flag = data;

  /* It is cleared already. */
  g_assert_false (gaio_event_notifier_test_and_clear (flag->notifier));
  flag->n++;
  if (flag->active > 0)
    {
      flag->active--;
      gaio_event_notifier_set (flag->notifier);
    }
}

static void
test_event_notifier (GaioTestLoop *loop)
{
  Flag a = { .active = 3 };
  g_autoptr (GError) error = NULL;

  init (loop, &a);
  gaio_context_set_event_notifier (loop->context, a.notifier, on_notifier, &a, on_notify, &error);
  g_assert_no_error (error);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n, ==, 0);
  gaio_event_notifier_set (a.notifier);
  gaio_event_notifier_set (a.notifier);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n, ==, 4);
  unwatch (&a);
  gaio_event_notifier_set (a.notifier);
  gaio_test_settle (loop);
  g_assert_cmpint (a.n, ==, 4);
  g_assert_cmpint (a.n_notified, ==, 1);
  finish (&a);
}

/* ---- errors and ends ---- */

static void
test_bad_fd (GaioTestLoop *loop)
{
  static const int wrong[] = { -1, -17, 1000000, G_MAXINT, G_MININT };
  GaioFdHandlers handlers = { .read = on_read };
  Flag a = { 0 };
  int closed;

  init (loop, &a);
  closed = fd_of (&a);
  g_clear_object (&a.notifier);
  for (guint i = 0; i <= G_N_ELEMENTS (wrong); i++)
    {
      int fd = i < G_N_ELEMENTS (wrong) ? wrong[i] : closed;
      g_autoptr (GError) error = NULL;
      g_autoptr (GError) error2 = NULL;

      g_assert_false (gaio_context_set_fd_handler (loop->context,
                                                   fd,
                                                   G_IO_IN,
                                                   on_ready,
                                                   &a,
                                                   on_notify,
                                                   &error));
      g_assert_error (error, GAIO_ERROR, GAIO_ERROR_BAD_FD);
      g_assert_cmpint (gaio_error_get_errno (error), ==, EBADF);
      g_assert_false (gaio_context_set_fd_handlers (loop->context,
                                                    fd,
                                                    &handlers,
                                                    &a,
                                                    on_notify,
                                                    &error2));
      g_assert_error (error2, GAIO_ERROR, GAIO_ERROR_BAD_FD);
      g_assert_false (gaio_context_set_fd_handler (loop->context,
                                                   fd,
                                                   G_IO_IN,
                                                   on_ready,
                                                   &a,
                                                   on_notify,
                                                   NULL));
      gaio_context_remove_fd_handler (loop->context, fd);
    }
  gaio_test_settle (loop);
  g_assert_cmpint (a.n, ==, 0);
}

static void
test_context_ends (GaioTestLoop *loop)
{
  Flag a = { 0 };
  Flag b = { 0 };
  Duplex duplex = { 0 };
  int peer;

  init (loop, &a);
  init (loop, &b);
  make_duplex (loop, &duplex, &peer);
  watch (&a);
  watch (&b);
  gaio_test_settle (loop);
  set_handlers (&duplex, TRUE, TRUE); /* not yet known to the kernel */
  gaio_event_notifier_set (a.notifier);
  unwatch (&b);
  g_clear_object (&loop->context);
  g_assert_cmpint (a.n, ==, 0);
  g_assert_cmpint (a.n_notified, ==, 1);
  g_assert_cmpint (b.n_notified, ==, 1);
  g_assert_cmpint (duplex.n_notified, ==, 1);
  g_assert_cmpint (duplex.n_write, ==, 0);
  g_object_unref (a.notifier);
  g_object_unref (b.notifier);
  close (duplex.fd);
  close (peer);
}

/* One keeps itself ready for a while, and does not keep another from its turn, which comes once. */
static void
test_beside_endless (GaioTestLoop *loop)
{
  Flag endless = { .active = 1 };
  Flag other = { 0 };

  init (loop, &endless);
  init (loop, &other);
  watch (&endless);
  watch (&other);
  gaio_test_settle (loop);
  gaio_event_notifier_set (endless.notifier);
  gaio_test_turn_until (loop, &endless.n, 1);
  g_assert_cmpint (endless.n, ==, 1);
  g_assert_cmpint (other.n, ==, 0);
  gaio_event_notifier_set (other.notifier);
  gaio_test_turn_until (loop, &other.n, 1);
  gaio_test_turn_until (loop, &endless.n, 2);
  assert_quiet (loop);
  g_assert_cmpint (endless.n, ==, 2);
  g_assert_cmpint (other.n, ==, 1);

  unwatch (&endless);
  unwatch (&other);
  gaio_event_notifier_set (endless.notifier);
  gaio_event_notifier_set (other.notifier);
  gaio_test_settle (loop);
  assert_quiet (loop);
  g_assert_cmpint (endless.n, ==, 2);
  g_assert_cmpint (other.n, ==, 1);
  finish (&endless);
  finish (&other);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);

  gaio_test_add_loop_matrix ("/fd-handler/add-remove", test_add_remove);
  gaio_test_add_loop_matrix ("/fd-handler/wait", test_wait);
  gaio_test_add_loop_matrix ("/fd-handler/flush", test_flush);
  gaio_test_add_loop_matrix ("/fd-handler/beside-endless", test_beside_endless);
  gaio_test_add_loop_matrix ("/fd-handler/level-triggered", test_level_triggered);
  gaio_test_add_loop_matrix ("/fd-handler/pipe", test_pipe);
  gaio_test_add_loop_matrix ("/fd-handler/directions", test_directions);
  gaio_test_add_loop_matrix ("/fd-handler/read-removes", test_read_removes);
  gaio_test_add_loop_matrix ("/fd-handler/read-removes-other", test_read_removes_other);
  gaio_test_add_loop_matrix ("/fd-handler/error-condition", test_error_condition);
  gaio_test_add_loop_matrix ("/fd-handler/event-notifier", test_event_notifier);
  gaio_test_add_loop_matrix ("/fd-handler/bad-fd", test_bad_fd);
  gaio_test_add_loop_matrix ("/fd-handler/context-ends", test_context_ends);

  return g_test_run ();
}
