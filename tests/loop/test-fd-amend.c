/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What is said about a handler after it was set: a function that is asked whether it can read, and
 * the group that nested turns leave alone. In either case data may be there that nobody takes, and
 * that must not keep the loop from sleeping. */

#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "flag.h"

#define MS G_GINT64_CONSTANT (1000000)

static gint64
now_ns (void)
{
  return gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC);
}

/* A turn by hand that finds nothing to do and sleeps to its end. An earlier notification may be due
 * first. */
static void
assert_sleeps (GaioTestLoop *loop)
{
  gint64 begin_ns;

  gaio_context_poll (loop->context, FALSE);
  gaio_context_poll (loop->context, FALSE);
  begin_ns = now_ns ();
  g_assert_false (gaio_context_poll_ns (loop->context, 5 * MS));
  g_assert_cmpint (now_ns () - begin_ns, >=, 5 * MS);
}

/* ---- can-read ---- */

typedef struct
{
  Flag flag;
  atomic_int room; /* what the function answers */
  int n_asked;
  int n_data_freed;
} Reader;

static gssize
on_can_read (gpointer data)
{
  Reader *reader = data;

  reader->n_asked++;
  return atomic_load (&reader->room);
}

static void
on_can_read_notify (gpointer data)
{
  ((Reader *) data)->n_data_freed++;
}

static void
watch_reader (GaioTestLoop *loop, Reader *reader)
{
  g_autoptr (GError) error = NULL;

  init (loop, &reader->flag);
  watch (&reader->flag);
  g_assert_true (gaio_context_set_fd_can_read (loop->context, fd_of (&reader->flag), on_can_read,
                                               reader, on_can_read_notify, &error));
  g_assert_no_error (error);
  gaio_test_settle (loop);
}

static void
finish_reader (Reader *reader)
{
  finish (&reader->flag);
  g_assert_cmpint (reader->n_data_freed, ==, 1);
  g_assert_cmpint (reader->flag.n_notified, ==, 1);
}

/* While it cannot read, what is there is not reported, and the loop sleeps. It is asked again in
 * each turn, and a change from elsewhere needs a notification. */
static void
test_no_room (GaioTestLoop *loop)
{
  Reader reader = { 0 };
  int n_asked;

  watch_reader (loop, &reader);
  gaio_event_notifier_set (reader.flag.notifier);
  gaio_test_settle (loop);
  g_assert_cmpint (reader.flag.n, ==, 0);
  n_asked = reader.n_asked;
  assert_sleeps (loop);
  g_assert_cmpint (reader.n_asked, >=, n_asked + 3);
  g_assert_cmpint (reader.flag.n, ==, 0);

  for (int i = 1; i <= 3; i++)
    {
      atomic_store (&reader.room, i);
      gaio_context_notify (loop->context);
      gaio_test_turn_until (loop, &reader.flag.n, i);
      atomic_store (&reader.room, 1 - i);
      gaio_event_notifier_set (reader.flag.notifier);
      gaio_test_settle (loop);
      g_assert_cmpint (reader.flag.n, ==, i);
      assert_sleeps (loop);
    }
  finish_reader (&reader);
}

static gpointer
make_room (gpointer data)
{
  Reader *reader = data;

  g_usleep (2000);
  atomic_store (&reader->room, 100);
  gaio_context_notify (reader->flag.loop->context);
  return NULL;
}

/* A kick by another thread, while the loop sleeps. */
static void
test_room_elsewhere (GaioTestLoop *loop)
{
  Reader reader = { 0 };

  watch_reader (loop, &reader);
  for (int i = 1; i <= 5; i++)
    {
      GThread *thread;

      gaio_event_notifier_set (reader.flag.notifier);
      thread = g_thread_new ("reader", make_room, &reader);
      gaio_test_turn_until (loop, &reader.flag.n, i);
      g_thread_join (thread);
      atomic_store (&reader.room, 0);
    }
  finish_reader (&reader);
}

static void
make_room_here (gpointer data)
{
  atomic_store (&((Reader *) data)->room, 1);
}

/* A callback of the loop needs no kick: the next turn asks. */
static void
test_room_here (GaioTestLoop *loop)
{
  Reader reader = { 0 };

  watch_reader (loop, &reader);
  gaio_event_notifier_set (reader.flag.notifier);
  gaio_test_settle (loop);
  gaio_context_invoke (loop->context, make_room_here, &reader, NULL);
  gaio_test_turn_until (loop, &reader.flag.n, 1);
  g_assert_cmpint (reader.flag.n, ==, 1);
  finish_reader (&reader);
}

typedef struct
{
  int fd;
  int n_read;
  int n_written;
  int n_room;
} Stream;

static gssize
stream_can_read (gpointer data)
{
  return ((Stream *) data)->n_room;
}

static void
stream_read (gpointer data)
{
  Stream *stream = data;
  char byte;

  g_assert_cmpint (stream->n_room, >, 0);
  g_assert_cmpint (read (stream->fd, &byte, 1), ==, 1);
  stream->n_room--;
  stream->n_read++;
}

static void
stream_write (gpointer data)
{
  ((Stream *) data)->n_written++;
}

/* Only the reading stops. Given with the handlers; the room is used up byte by byte. */
static void
test_directions (GaioTestLoop *loop)
{
  GaioFdHandlers handlers = { .read = stream_read,
                              .write = stream_write,
                              .can_read = stream_can_read };
  g_autoptr (GError) error = NULL;
  Stream stream = { 0 };
  int pair[2];
  int n_written;

  g_assert_cmpint (socketpair (AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), ==, 0);
  stream.fd = pair[0];
  gaio_context_set_fd_handlers (loop->context, pair[0], &handlers, &stream, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpint (write (pair[1], "0123456789", 10), ==, 10);
  gaio_test_turn_until (loop, &stream.n_written, 5);
  g_assert_cmpint (stream.n_read, ==, 0);
  stream.n_room = 3;
  gaio_context_notify (loop->context);
  gaio_test_turn_until (loop, &stream.n_read, 3);
  n_written = stream.n_written;
  gaio_test_turn_until (loop, &stream.n_written, n_written + 5);
  g_assert_cmpint (stream.n_read, ==, 3);
  stream.n_room = 100;
  gaio_context_notify (loop->context);
  gaio_test_turn_until (loop, &stream.n_read, 10);
  gaio_context_remove_fd_handler (loop->context, pair[0]);
  gaio_test_settle (loop);
  close (pair[0]);
  close (pair[1]);
}

/* The function goes with the handler: the next one has none; and one function takes the place of
 * another, whose data is freed. */
static void
test_replace (GaioTestLoop *loop)
{
  Reader first = { 0 };
  Reader second = { .room = 1 };
  g_autoptr (GError) error = NULL;

  watch_reader (loop, &first);
  gaio_event_notifier_set (first.flag.notifier);
  gaio_test_settle (loop);
  g_assert_cmpint (first.flag.n, ==, 0);
  g_assert_true (gaio_context_set_fd_can_read (loop->context, fd_of (&first.flag), on_can_read,
                                               &second, on_can_read_notify, &error));
  gaio_test_turn_until (loop, &first.flag.n, 1);
  gaio_test_turn_until (loop, &first.n_data_freed, 1);
  g_assert_cmpint (second.n_asked, >, 0);
  g_assert_cmpint (second.n_data_freed, ==, 0);
  g_assert_cmpint (first.flag.n_notified, ==, 0);

  atomic_store (&second.room, 0);
  watch (&first.flag);
  gaio_event_notifier_set (first.flag.notifier);
  gaio_test_turn_until (loop, &first.flag.n, 2);
  gaio_test_turn_until (loop, &second.n_data_freed, 1);
  gaio_test_turn_until (loop, &first.flag.n_notified, 1);
  finish (&first.flag);
  g_assert_cmpint (first.flag.n_notified, ==, 2);

  /* There is none to ask. */
  g_assert_false (gaio_context_set_fd_can_read (loop->context, STDIN_FILENO, on_can_read, &second,
                                                on_can_read_notify, &error));
  g_assert_cmpint (gaio_error_get_errno (error), ==, ENOENT);
  gaio_test_settle (loop);
  g_assert_cmpint (second.n_data_freed, ==, 1);
}

/* ---- the I/O group ---- */

static void
to_io_group (GaioTestLoop *loop, Flag *flag)
{
  g_autoptr (GError) error = NULL;

  g_assert_true (gaio_context_set_fd_group (loop->context, fd_of (flag), GAIO_FD_GROUP_IO, &error));
  g_assert_no_error (error);
}

typedef struct
{
  GaioTestLoop *loop;
  Flag io;
  Flag ordinary;
  int depth;
  int n_called; /* of the I/O handler, seen by the innermost turn */
  gboolean regroup;
  int n;
} Nest;

static void
on_nest (gpointer data)
{
  Nest *self = data;

  if (--self->depth > 0)
    {
      gaio_context_invoke (self->loop->context, on_nest, self, NULL);
      for (int n = self->n; self->n == n;)
        gaio_context_poll (self->loop->context, TRUE);
      return;
    }
  gaio_event_notifier_set (self->io.notifier);
  for (int i = 0; i < 10; i++)
    gaio_context_poll (self->loop->context, FALSE);
  assert_sleeps (self->loop);
  /* Others are served meanwhile. */
  gaio_event_notifier_set (self->ordinary.notifier);
  while (self->ordinary.n == 0)
    gaio_context_poll (self->loop->context, TRUE);
  if (self->regroup)
    {
      g_assert_true (gaio_context_set_fd_group (self->loop->context, fd_of (&self->io),
                                                GAIO_FD_GROUP_DEFAULT, NULL));
      while (self->io.n == 0)
        gaio_context_poll (self->loop->context, TRUE);
    }
  self->n_called = self->io.n;
  self->n++;
}

/* However deep the turns are nested. Afterwards it is called, without a further event. */
static void
test_nested (GaioTestLoop *loop)
{
  for (int depth = 1; depth <= 3; depth++)
    for (int regroup = 0; regroup < 2; regroup++)
      {
        Nest nest = { .loop = loop, .depth = depth, .regroup = regroup };

        init (loop, &nest.io);
        init (loop, &nest.ordinary);
        watch (&nest.io);
        watch (&nest.ordinary);
        to_io_group (loop, &nest.io);
        gaio_test_settle (loop);
        gaio_context_invoke (loop->context, on_nest, &nest, NULL);
        gaio_test_turn_until (loop, &nest.n, 1);
        g_assert_cmpint (nest.n_called, ==, regroup);
        gaio_test_turn_until (loop, &nest.io.n, 1);
        gaio_test_settle (loop);
        g_assert_cmpint (nest.io.n, ==, 1);
        g_assert_cmpint (nest.ordinary.n, ==, 1);

        /* And again in a turn that is not nested. */
        gaio_event_notifier_set (nest.io.notifier);
        gaio_test_turn_until (loop, &nest.io.n, 2);
        finish (&nest.io);
        finish (&nest.ordinary);
      }
}

static void
on_ordinary (int fd, GIOCondition condition, gpointer data)
{
  Flag *flag = data;
  int before = flag->other->n;

  on_ready (fd, condition, flag);
  for (int i = 0; i < 5; i++)
    gaio_context_poll (flag->loop->context, FALSE);
  g_assert_cmpint (flag->other->n, ==, before);
}

/* Both are found ready in one turn: the nested turns leave to the outer one what is in the group,
 * whichever of the two comes first. */
static void
test_found_together (GaioTestLoop *loop)
{
  for (int i = 0; i < 4; i++)
    {
      Flag ordinary[2] = { 0 };
      Flag io = { 0 };

      init (loop, &ordinary[0]);
      init (loop, &io);
      init (loop, &ordinary[1]);
      ordinary[0].other = ordinary[1].other = &io;
      watch_by (&ordinary[0], on_ordinary, G_IO_IN);
      watch (&io);
      watch_by (&ordinary[1], on_ordinary, G_IO_IN);
      to_io_group (loop, &io);
      gaio_test_settle (loop);
      if (i != 1)
        gaio_event_notifier_set (ordinary[0].notifier);
      gaio_event_notifier_set (io.notifier);
      if (i != 2)
        gaio_event_notifier_set (ordinary[1].notifier);
      gaio_test_settle (loop);
      g_assert_cmpint (ordinary[0].n, ==, i != 1);
      g_assert_cmpint (ordinary[1].n, ==, i != 2);
      g_assert_cmpint (io.n, ==, 1);
      finish (&ordinary[0]);
      finish (&ordinary[1]);
      finish (&io);
    }
}

typedef struct
{
  GaioTestLoop *loop;
  Flag io;
  GaioWaiter *waiter;
  atomic_int n;
} Outside;

static gboolean
is_none (gpointer data)
{
  return atomic_load (&((Outside *) data)->n) == 0;
}

static gpointer
end_wait_later (gpointer data)
{
  Outside *self = data;

  gaio_event_notifier_set (self->io.notifier);
  g_usleep (2000);
  atomic_store (&self->n, 1);
  gaio_waiter_kick (self->waiter);
  return NULL;
}

static void
on_wait (gpointer data)
{
  Outside *self = data;
  GThread *thread = g_thread_new ("outside", end_wait_later, self);

  g_assert_true (
      gaio_context_wait_while (self->loop->context, self->waiter, -1, NULL, is_none, self, NULL));
  g_assert_cmpint (self->io.n, ==, 0);
  g_thread_join (thread);
}

/* A command from outside comes while a callback waits for something: it is done after that. */
static void
test_wait_while (GaioTestLoop *loop)
{
  Outside self = { .loop = loop, .waiter = gaio_waiter_new () };

  init (loop, &self.io);
  watch (&self.io);
  to_io_group (loop, &self.io);
  gaio_context_invoke (loop->context, on_wait, &self, NULL);
  gaio_test_turn_until (loop, &self.io.n, 1);
  g_assert_cmpint (atomic_load (&self.n), ==, 1);
  finish (&self.io);
  g_object_unref (self.waiter);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);

  gaio_test_add_loop_matrix ("/fd-amend/can-read/no-room", test_no_room);
  gaio_test_add_loop_matrix ("/fd-amend/can-read/room-elsewhere", test_room_elsewhere);
  gaio_test_add_loop_matrix ("/fd-amend/can-read/room-here", test_room_here);
  gaio_test_add_loop_matrix ("/fd-amend/can-read/directions", test_directions);
  gaio_test_add_loop_matrix ("/fd-amend/can-read/replace", test_replace);
  gaio_test_add_loop_matrix ("/fd-amend/group/nested", test_nested);
  gaio_test_add_loop_matrix ("/fd-amend/group/found-together", test_found_together);
  gaio_test_add_loop_matrix ("/fd-amend/group/wait-while", test_wait_while);

  return g_test_run ();
}
