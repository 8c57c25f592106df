/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the loop costs: an event of one descriptor beside many that are idle, and a trip from one
 * context to another and back. */

#include <fcntl.h>
#include <glib-unix.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <unistd.h>

#include "bench-table.h"

/* ---- one event beside idle descriptors ---- */

static int *idle_fds;
static int pipe_fds[2];

static void
open_idle (int n)
{
  idle_fds = g_new (int, n);
  for (int i = 0; i < n; i++)
    {
      idle_fds[i] = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
      g_assert_cmpint (idle_fds[i], >=, 0);
    }
  g_assert_cmpint (pipe2 (pipe_fds, O_CLOEXEC | O_NONBLOCK), ==, 0);
}

static void
close_idle (int n)
{
  for (int i = 0; i < n; i++)
    close (idle_fds[i]);
  g_clear_pointer (&idle_fds, g_free);
  close (pipe_fds[0]);
  close (pipe_fds[1]);
}

static void
send_byte (void)
{
  g_assert_cmpint (write (pipe_fds[1], "x", 1), ==, 1);
}

static int n_received;

static void
receive_byte (gpointer data)
{
  char byte;

  if (read (pipe_fds[0], &byte, 1) == 1)
    n_received++;
}

static gboolean
on_unix_fd (int fd, GIOCondition condition, gpointer data)
{
  receive_byte (NULL);
  return G_SOURCE_CONTINUE;
}

static gboolean
on_idle_fd (int fd, GIOCondition condition, gpointer data)
{
  return G_SOURCE_CONTINUE;
}

static double
idle_epoll (int arg, int n)
{
  const int events = 50000;
  int fd = epoll_create1 (EPOLL_CLOEXEC);
  struct epoll_event event = { .events = EPOLLIN };
  gint64 begin_ns;

  open_idle (n);
  for (int i = 0; i < n; i++)
    epoll_ctl (fd, EPOLL_CTL_ADD, idle_fds[i], &event);
  epoll_ctl (fd, EPOLL_CTL_ADD, pipe_fds[0], &event);
  begin_ns = bench_cpu_ns ();
  for (int i = 0; i < events; i++)
    {
      send_byte ();
      if (epoll_wait (fd, &event, 1, -1) == 1)
        receive_byte (NULL);
    }
  begin_ns = bench_cpu_ns () - begin_ns;
  close_idle (n);
  close (fd);
  return (double) begin_ns / events;
}

static void
do_nothing (gpointer data)
{
}

static double
idle_gaio (int arg, int n)
{
  const int events = 50000;
  const GaioFdHandlers idle = { .read = do_nothing };
  const GaioFdHandlers active = { .read = receive_byte };
  g_autoptr (GaioContext) context = bench_make_context (arg);
  g_autoptr (GMainContext) main_context = g_main_context_new ();
  gint64 begin_ns = 0;

  if (context == NULL)
    return -1;
  if (arg & BY_SOURCE)
    gaio_context_attach (context, main_context);
  open_idle (n);
  for (int i = 0; i < n; i++)
    gaio_context_set_fd_handlers (context, idle_fds[i], &idle, NULL, NULL, NULL);
  gaio_context_set_fd_handlers (context, pipe_fds[0], &active, NULL, NULL, NULL);
  for (int i = -1000; i < events; i++)
    {
      int before = n_received;

      if (i == 0)
        begin_ns = bench_cpu_ns ();
      send_byte ();
      while (n_received == before)
        if (arg & BY_SOURCE)
          g_main_context_iteration (main_context, TRUE);
        else
          gaio_context_poll (context, TRUE);
    }
  begin_ns = bench_cpu_ns () - begin_ns;
  for (int i = 0; i < n; i++)
    gaio_context_remove_fd_handler (context, idle_fds[i]);
  gaio_context_remove_fd_handler (context, pipe_fds[0]);
  g_clear_object (&context);
  close_idle (n);
  return (double) begin_ns / events;
}

static GSource *
attach_unix_fd (GMainContext *main_context, int fd, GUnixFDSourceFunc func)
{
  GSource *source = g_unix_fd_source_new (fd, G_IO_IN);

  g_source_set_callback (source, G_SOURCE_FUNC (func), NULL, NULL);
  g_source_attach (source, main_context);
  return source;
}

static double
idle_glib (int arg, int n)
{
  const int events = MAX (20, 1000000 / (n + 50)); /* it is slow with many */
  g_autoptr (GMainContext) main_context = g_main_context_new ();
  g_autoptr (GPtrArray) sources = g_ptr_array_new ();
  gint64 begin_ns;

  open_idle (n);
  for (int i = 0; i < n; i++)
    g_ptr_array_add (sources, attach_unix_fd (main_context, idle_fds[i], on_idle_fd));
  g_ptr_array_add (sources, attach_unix_fd (main_context, pipe_fds[0], on_unix_fd));
  begin_ns = bench_cpu_ns ();
  for (int i = 0; i < events; i++)
    {
      int before = n_received;

      send_byte ();
      while (n_received == before)
        g_main_context_iteration (main_context, TRUE);
    }
  begin_ns = bench_cpu_ns () - begin_ns;
  for (guint i = 0; i < sources->len; i++)
    {
      g_source_destroy (sources->pdata[i]);
      g_source_unref (sources->pdata[i]);
    }
  close_idle (n);
  return (double) begin_ns / events;
}

/* ---- from one context to another and back ---- */

/* Two threads, an eventfd each; pinned to one processor, or left to the scheduler. */
#define TRIPS 20000

typedef struct
{
  int own_fd, other_fd;
  int n;
  gboolean serves; /* begins */
  int kind;
  GMainLoop *main_loop;
} Player;

static void
pin (gboolean pinned)
{
  static cpu_set_t all;
  cpu_set_t set;

  if (CPU_COUNT (&all) == 0)
    sched_getaffinity (0, sizeof all, &all);
  set = all;
  if (pinned)
    {
      int cpu = 0;

      while (!CPU_ISSET (cpu, &all))
        cpu++;
      CPU_ZERO (&set);
      CPU_SET (cpu, &set);
    }
  sched_setaffinity (0, sizeof set, &set);
}

static void
hit (Player *self)
{
  static const guint64 one = 1;

  g_assert_cmpint (write (self->other_fd, &one, sizeof one), ==, sizeof one);
}

static void
on_ball (gpointer data)
{
  Player *self = data;
  guint64 count;

  if (read (self->own_fd, &count, sizeof count) != sizeof count)
    return;
  self->n++;
  if (self->n < TRIPS || !self->serves)
    hit (self);
  if (self->n >= TRIPS && self->main_loop != NULL)
    g_main_loop_quit (self->main_loop);
}

static gboolean
on_ball_source (int fd, GIOCondition condition, gpointer data)
{
  on_ball (data);
  return G_SOURCE_CONTINUE;
}

enum
{
  PLAY_EPOLL = 100,
  PLAY_GLIB,
  PINNED = 1000, /* added */
};

static gpointer
play (gpointer data)
{
  Player *self = data;
  int kind = self->kind % PINNED;

  pin (self->kind >= PINNED);
  if (self->serves)
    hit (self);
  if (kind == PLAY_EPOLL)
    {
      int fd = epoll_create1 (EPOLL_CLOEXEC);
      struct epoll_event event = { .events = EPOLLIN };

      epoll_ctl (fd, EPOLL_CTL_ADD, self->own_fd, &event);
      while (self->n < TRIPS)
        if (epoll_wait (fd, &event, 1, -1) == 1)
          on_ball (self);
      close (fd);
    }
  else if (kind == PLAY_GLIB)
    {
      g_autoptr (GMainContext) main_context = g_main_context_new ();
      g_autoptr (GSource) source = g_unix_fd_source_new (self->own_fd, G_IO_IN);

      self->main_loop = g_main_loop_new (main_context, FALSE);
      g_source_set_callback (source, G_SOURCE_FUNC (on_ball_source), self, NULL);
      g_source_attach (source, main_context);
      g_main_loop_run (self->main_loop);
      g_source_destroy (source);
      g_main_loop_unref (self->main_loop);
    }
  else
    {
      const GaioFdHandlers handlers = { .read = on_ball };
      g_autoptr (GaioContext) context = bench_make_context (kind);
      g_autoptr (GMainContext) main_context = g_main_context_new ();

      if (kind & BY_SOURCE)
        gaio_context_attach (context, main_context);
      gaio_context_set_fd_handlers (context, self->own_fd, &handlers, self, NULL, NULL);
      while (self->n < TRIPS)
        if (kind & BY_SOURCE)
          g_main_context_iteration (main_context, TRUE);
        else
          gaio_context_poll (context, TRUE);
      gaio_context_remove_fd_handler (context, self->own_fd);
    }
  return NULL;
}

static double
ping_pong (int kind, int pinned)
{
  int fds[2] = { eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK), eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK) };
  Player left = { .own_fd = fds[0], .other_fd = fds[1], .serves = TRUE };
  Player right = { .own_fd = fds[1], .other_fd = fds[0] };
  GThread *threads[2];
  gint64 begin_ns;
  double result_ns;

  if (kind < PLAY_EPOLL)
    {
      g_autoptr (GaioContext) context = bench_make_context (kind);

      if (context == NULL)
        return -1;
    }
  left.kind = right.kind = kind + (pinned ? PINNED : 0);
  begin_ns = bench_now_ns ();
  threads[0] = g_thread_new ("left", play, &left);
  threads[1] = g_thread_new ("right", play, &right);
  g_thread_join (threads[0]);
  g_thread_join (threads[1]);
  result_ns = (double) (bench_now_ns () - begin_ns) / TRIPS;
  close (fds[0]);
  close (fds[1]);
  return result_ns;
}

int
main (int argc, char **argv)
{
  static const Contestant idle[] = {
    { "epoll", idle_epoll, 0 },
    { "gaio epoll", idle_gaio, GAIO_MONITOR_EPOLL },
    { "gaio io_uring", idle_gaio, GAIO_MONITOR_IO_URING },
    { "gaio epoll, GMainContext", idle_gaio, GAIO_MONITOR_EPOLL | BY_SOURCE },
    { "gaio io_uring, GMainContext", idle_gaio, GAIO_MONITOR_IO_URING | BY_SOURCE },
    { "GLib", idle_glib, 0 },
  };
  static const Contestant trips[] = {
    { "epoll", ping_pong, PLAY_EPOLL },
    { "gaio epoll", ping_pong, GAIO_MONITOR_EPOLL },
    { "gaio io_uring", ping_pong, GAIO_MONITOR_IO_URING },
    { "gaio io_uring, GMainContext", ping_pong, GAIO_MONITOR_IO_URING | BY_SOURCE },
    { "GLib", ping_pong, PLAY_GLIB },
  };
  struct rlimit limit;

  bench_init (argc, argv);
  getrlimit (RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit (RLIMIT_NOFILE, &limit);
  BENCH_TABLE ("an event beside 10 idle descriptors", idle, 10);
  BENCH_TABLE ("an event beside 1000 idle descriptors", idle, 1000);
  if (limit.rlim_cur > 10100)
    BENCH_TABLE ("an event beside 10000 idle descriptors", idle, 10000);
  BENCH_TABLE ("a trip to another context and back", trips, FALSE);
  BENCH_TABLE ("a trip to another context and back, one processor", trips, TRUE);
  return 0;
}
