/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the loop costs: an event beside many idle descriptors or timers, a trip from one context to
 * another and back, a callback sent to a context, a timer armed and cancelled.
 *
 * Each table has a reference, which does the same with nothing but the kernel's interface, or a
 * list or heap written for the purpose, and GLib. The contestants take turns, several rounds of
 * each, and the medians are compared; so a machine that is busy for a while slows them all.
 *
 *   bench-loop [--rounds N] [--only WORD]      WORD is in the name of a table or a contestant */

#include <errno.h>
#include <fcntl.h>
#include <glib-unix.h>
#include <poll.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <gaio/gaio.h>

typedef struct
{
  const char *name;
  /* Nanoseconds for each unit of work; negative when it cannot run here. */
  double (*run) (int arg, int size);
  int arg;
} Contestant;

static int n_rounds = 5;
static const char *only;

static gint64
now_ns (void)
{
  return gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC);
}

/* What runs in one thread and never sleeps is measured in processor time, which other processes do
 * not add to. */
static gint64
cpu_ns (void)
{
  struct timespec now;

  clock_gettime (CLOCK_THREAD_CPUTIME_ID, &now);
  return now.tv_sec * G_GINT64_CONSTANT (1000000000) + now.tv_nsec;
}

static int
compare_doubles (const void *a, const void *b)
{
  double x = *(const double *) a;
  double y = *(const double *) b;

  return (x > y) - (x < y);
}

static void
run_table (const char *title, const Contestant *contestants, guint n, int size)
{
  g_autofree double *results = g_new (double, n * n_rounds);
  double reference = 0;

  printf ("\n%s\n", title);
  for (int round = 0; round < n_rounds; round++)
    for (guint i = 0; i < n; i++)
      results[i * n_rounds + round] = contestants[i].run (contestants[i].arg, size);

  for (guint i = 0; i < n; i++)
    {
      double *own = results + i * n_rounds;
      double median;

      qsort (own, n_rounds, sizeof *own, compare_doubles);
      median = own[n_rounds / 2];
      if (i == 0)
        reference = median;
      if (median < 0)
        printf ("  %-34s not available here\n", contestants[i].name);
      else
        printf ("  %-34s %12.1f ns  %10.3f M/s  %7.2f\n",
                contestants[i].name,
                median,
                1000 / median,
                median / reference);
      fflush (stdout);
    }
}

#define RUN_TABLE(title, contestants, size) \
  G_STMT_START \
  { \
    if (only == NULL || strstr (title, only) != NULL) \
      run_table (title, contestants, G_N_ELEMENTS (contestants), size); \
  } \
  G_STMT_END

/* A context with that monitor, or NULL. */
static GaioContext *
make_context (GaioMonitor monitor)
{
  GaioContext *context = g_initable_new (GAIO_TYPE_CONTEXT, NULL, NULL, "monitor", monitor, NULL);

  if (context == NULL)
    return NULL;
  gaio_context_poll (context, FALSE);
  if (gaio_context_get_monitor (context) != monitor)
    g_clear_object (&context);
  return context;
}

/* ---- one event beside idle descriptors ---- */

enum
{
  BY_POLL = 0,
  BY_SOURCE = 16, /* or'ed to the monitor */
};

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
  begin_ns = cpu_ns ();
  for (int i = 0; i < events; i++)
    {
      send_byte ();
      if (epoll_wait (fd, &event, 1, -1) == 1)
        receive_byte (NULL);
    }
  begin_ns = cpu_ns () - begin_ns;
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
  g_autoptr (GaioContext) context = make_context (arg % BY_SOURCE);
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
        begin_ns = cpu_ns ();
      send_byte ();
      while (n_received == before)
        if (arg & BY_SOURCE)
          g_main_context_iteration (main_context, TRUE);
        else
          gaio_context_poll (context, TRUE);
    }
  begin_ns = cpu_ns () - begin_ns;
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
  begin_ns = cpu_ns ();
  for (int i = 0; i < events; i++)
    {
      int before = n_received;

      send_byte ();
      while (n_received == before)
        g_main_context_iteration (main_context, TRUE);
    }
  begin_ns = cpu_ns () - begin_ns;
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

static double result_ns;

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
      g_autoptr (GaioContext) context = make_context (kind % BY_SOURCE);
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

  if (kind < PLAY_EPOLL)
    {
      g_autoptr (GaioContext) context = make_context (kind % BY_SOURCE);

      if (context == NULL)
        return -1;
    }
  left.kind = right.kind = kind + (pinned ? PINNED : 0);
  begin_ns = now_ns ();
  threads[0] = g_thread_new ("left", play, &left);
  threads[1] = g_thread_new ("right", play, &right);
  g_thread_join (threads[0]);
  g_thread_join (threads[1]);
  result_ns = (double) (now_ns () - begin_ns) / TRIPS;
  close (fds[0]);
  close (fds[1]);
  return result_ns;
}

/* ---- callbacks from another thread ---- */

#define POSTED 500000

static int n_posted;

static void
on_posted (gpointer data)
{
  n_posted++;
}

/* The reference: a list that is pushed with one compare-and-swap and taken whole, an allocation
 * for each item, an eventfd that is written when the list was empty. */
typedef struct _Item Item;
struct _Item
{
  Item *next;
  void (*func) (gpointer data);
};

static Item *_Atomic raw_list;
static int raw_fd;

static gpointer
post_raw (gpointer data)
{
  static const guint64 one = 1;

  for (int i = 0; i < POSTED; i++)
    {
      Item *item = g_new (Item, 1);

      item->func = on_posted;
      item->next = atomic_load (&raw_list);
      while (!atomic_compare_exchange_weak (&raw_list, &item->next, item))
        ;
      if (item->next == NULL && write (raw_fd, &one, sizeof one) < 0)
        g_assert_not_reached ();
    }
  return NULL;
}

static double
posted_raw (int arg, int size)
{
  int fd = epoll_create1 (EPOLL_CLOEXEC);
  struct epoll_event event = { .events = EPOLLIN };
  GThread *thread;
  gint64 begin_ns = now_ns ();

  raw_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  epoll_ctl (fd, EPOLL_CTL_ADD, raw_fd, &event);
  n_posted = 0;
  thread = g_thread_new ("poster", post_raw, NULL);
  while (n_posted < POSTED)
    {
      Item *items, *reversed = NULL;
      guint64 count;

      epoll_wait (fd, &event, 1, -1);
      if (read (raw_fd, &count, sizeof count) < 0)
        continue;
      items = atomic_exchange (&raw_list, NULL);
      while (items != NULL)
        {
          Item *next = items->next;

          items->next = reversed;
          reversed = items;
          items = next;
        }
      while (reversed != NULL)
        {
          Item *next = reversed->next;

          reversed->func (NULL);
          g_free (reversed);
          reversed = next;
        }
    }
  g_thread_join (thread);
  close (raw_fd);
  close (fd);
  return (double) (now_ns () - begin_ns) / POSTED;
}

static gpointer
post_gaio (gpointer data)
{
  for (int i = 0; i < POSTED; i++)
    gaio_context_invoke (data, on_posted, NULL, NULL);
  return NULL;
}

static double
posted_gaio (int arg, int size)
{
  g_autoptr (GaioContext) context = make_context (arg % BY_SOURCE);
  g_autoptr (GMainContext) main_context = g_main_context_new ();
  GThread *thread;
  gint64 begin_ns;

  if (context == NULL)
    return -1;
  if (arg & BY_SOURCE)
    gaio_context_attach (context, main_context);
  n_posted = 0;
  begin_ns = now_ns ();
  thread = g_thread_new ("poster", post_gaio, context);
  while (n_posted < POSTED)
    if (arg & BY_SOURCE)
      g_main_context_iteration (main_context, TRUE);
    else
      gaio_context_poll (context, TRUE);
  g_thread_join (thread);
  return (double) (now_ns () - begin_ns) / POSTED;
}

static gboolean
on_posted_idle (gpointer data)
{
  n_posted++;
  return G_SOURCE_REMOVE;
}

#define POSTED_GLIB (POSTED / 4)

static gpointer
post_glib (gpointer data)
{
  for (int i = 0; i < POSTED_GLIB; i++)
    {
      g_autoptr (GSource) source = g_idle_source_new ();

      g_source_set_callback (source, on_posted_idle, NULL, NULL);
      g_source_attach (source, data);
    }
  return NULL;
}

static double
posted_glib (int arg, int size)
{
  g_autoptr (GMainContext) main_context = g_main_context_new ();
  GThread *thread;
  gint64 begin_ns = now_ns ();

  n_posted = 0;
  thread = g_thread_new ("poster", post_glib, main_context);
  while (n_posted < POSTED_GLIB)
    g_main_context_iteration (main_context, TRUE);
  g_thread_join (thread);
  return (double) (now_ns () - begin_ns) / POSTED_GLIB;
}

/* ---- bottom halves that schedule themselves, in one thread ---- */

#define OUTSTANDING 64
#define RUNS 2000000

static Item *again_head;
static Item **again_tail;
static int n_runs;

static void
on_raw_again (gpointer data)
{
  Item *item = data;

  n_runs++;
  item->next = NULL;
  *again_tail = item;
  again_tail = &item->next;
}

static double
same_thread_raw (int arg, int size)
{
  Item items[OUTSTANDING];
  int fd = epoll_create1 (EPOLL_CLOEXEC);
  gint64 begin_ns = cpu_ns ();

  n_runs = 0;
  again_tail = &again_head;
  for (int i = 0; i < OUTSTANDING; i++)
    {
      items[i].func = on_raw_again;
      on_raw_again (&items[i]);
    }
  while (n_runs < RUNS)
    {
      struct epoll_event event;
      Item *item = again_head;

      epoll_wait (fd, &event, 1, 0);
      again_head = NULL;
      again_tail = &again_head;
      while (item != NULL)
        {
          Item *next = item->next;

          item->func (item);
          item = next;
        }
    }
  close (fd);
  return (double) (cpu_ns () - begin_ns) / n_runs;
}

static void
on_bh_again (gpointer data)
{
  n_runs++;
  gaio_bottom_half_schedule (*(GaioBottomHalf **) data);
}

static double
same_thread_gaio (int arg, int size)
{
  g_autoptr (GaioContext) context = make_context (arg % BY_SOURCE);
  g_autoptr (GMainContext) main_context = g_main_context_new ();
  GaioBottomHalf *bhs[OUTSTANDING];
  gint64 begin_ns;

  if (context == NULL)
    return -1;
  if (arg & BY_SOURCE)
    gaio_context_attach (context, main_context);
  n_runs = 0;
  begin_ns = cpu_ns ();
  for (int i = 0; i < OUTSTANDING; i++)
    {
      bhs[i] = gaio_bottom_half_new (context, on_bh_again, &bhs[i], NULL);
      gaio_bottom_half_schedule (bhs[i]);
    }
  while (n_runs < RUNS)
    if (arg & BY_SOURCE)
      g_main_context_iteration (main_context, TRUE);
    else
      gaio_context_poll (context, TRUE);
  begin_ns = cpu_ns () - begin_ns;
  for (int i = 0; i < OUTSTANDING; i++)
    g_object_unref (bhs[i]);
  return (double) begin_ns / n_runs;
}

static gboolean
on_idle_again (gpointer data)
{
  n_runs++;
  return G_SOURCE_CONTINUE;
}

static double
same_thread_glib (int arg, int size)
{
  g_autoptr (GMainContext) main_context = g_main_context_new ();
  GSource *sources[OUTSTANDING];
  gint64 begin_ns = cpu_ns ();

  n_runs = 0;
  for (int i = 0; i < OUTSTANDING; i++)
    {
      sources[i] = g_idle_source_new ();
      g_source_set_callback (sources[i], on_idle_again, NULL, NULL);
      g_source_attach (sources[i], main_context);
    }
  while (n_runs < RUNS / 8)
    g_main_context_iteration (main_context, TRUE);
  begin_ns = cpu_ns () - begin_ns;
  for (int i = 0; i < OUTSTANDING; i++)
    {
      g_source_destroy (sources[i]);
      g_source_unref (sources[i]);
    }
  return (double) begin_ns / n_runs;
}

/* ---- timers ---- */

/* The reference: a binary heap of pointers to timers that know their place. */
typedef struct
{
  gint64 deadline_ns;
  int index;
} RawTimer;

static RawTimer **heap;
static int heap_size;

static void
heap_place (int index, RawTimer *timer)
{
  heap[index] = timer;
  timer->index = index;
}

static void
heap_up (int index, RawTimer *timer)
{
  while (index > 0 && heap[(index - 1) / 2]->deadline_ns > timer->deadline_ns)
    {
      heap_place (index, heap[(index - 1) / 2]);
      index = (index - 1) / 2;
    }
  heap_place (index, timer);
}

static void
heap_down (int index, RawTimer *timer)
{
  for (int child; (child = 2 * index + 1) < heap_size; index = child)
    {
      if (child + 1 < heap_size && heap[child + 1]->deadline_ns < heap[child]->deadline_ns)
        child++;
      if (heap[child]->deadline_ns >= timer->deadline_ns)
        break;
      heap_place (index, heap[child]);
    }
  heap_place (index, timer);
}

enum
{
  ARM,
  CANCEL,
};

static gint64
random_deadline (guint64 *state)
{
  *state ^= *state << 13;
  *state ^= *state >> 7;
  *state ^= *state << 17;
  return G_GINT64_CONSTANT (1) << 60 | (gint64) (*state % 200000000);
}

static double
timers_raw (int phase, int n)
{
  g_autofree RawTimer *timers = g_new0 (RawTimer, n);
  guint64 state = 88172645463325252u;
  gint64 times_ns[3];

  heap = g_new (RawTimer *, n);
  heap_size = 0;
  times_ns[0] = cpu_ns ();
  for (int i = 0; i < n; i++)
    {
      timers[i].deadline_ns = random_deadline (&state);
      heap_size++;
      heap_up (heap_size - 1, &timers[i]);
    }
  times_ns[1] = cpu_ns ();
  for (int i = 0; i < n; i++)
    {
      RawTimer *last = heap[--heap_size];
      int index = timers[i].index;

      if (last == &timers[i])
        continue;
      if (index > 0 && heap[(index - 1) / 2]->deadline_ns > last->deadline_ns)
        heap_up (index, last);
      else
        heap_down (index, last);
    }
  times_ns[2] = cpu_ns ();
  g_clear_pointer (&heap, g_free);
  return (double) (times_ns[phase + 1] - times_ns[phase]) / n;
}

static double
timers_gaio (int phase, int n)
{
  g_autoptr (GaioContext) context = gaio_context_new (NULL);
  g_autofree GaioTimer **timers = g_new (GaioTimer *, n);
  guint64 state = 88172645463325252u;
  gint64 times_ns[3];

  for (int i = 0; i < n; i++)
    timers[i] = gaio_timer_new (context, GAIO_CLOCK_MONOTONIC, do_nothing, NULL, NULL);
  times_ns[0] = cpu_ns ();
  for (int i = 0; i < n; i++)
    gaio_timer_arm_ns (timers[i], random_deadline (&state));
  times_ns[1] = cpu_ns ();
  for (int i = 0; i < n; i++)
    gaio_timer_cancel (timers[i]);
  times_ns[2] = cpu_ns ();
  for (int i = 0; i < n; i++)
    g_object_unref (timers[i]);
  return (double) (times_ns[phase + 1] - times_ns[phase]) / n;
}

static double
timers_glib (int phase, int n)
{
  g_autoptr (GMainContext) main_context = g_main_context_new ();
  g_autofree GSource **timers = g_new (GSource *, n);
  guint64 state = 88172645463325252u;
  gint64 times_ns[3];

  times_ns[0] = cpu_ns ();
  for (int i = 0; i < n; i++)
    {
      timers[i] = g_timeout_source_new ((guint) (random_deadline (&state) % G_MAXINT));
      g_source_attach (timers[i], main_context);
    }
  times_ns[1] = cpu_ns ();
  for (int i = 0; i < n; i++)
    {
      g_source_destroy (timers[i]);
      g_source_unref (timers[i]);
    }
  times_ns[2] = cpu_ns ();
  return (double) (times_ns[phase + 1] - times_ns[phase]) / n;
}

/* An event with so many timers pending. */
static double
event_beside_timers (int kind, int n)
{
  const int events = 50000;
  const GaioFdHandlers active = { .read = receive_byte };
  g_autoptr (GaioContext) context = gaio_context_new (NULL);
  g_autoptr (GMainContext) main_context = g_main_context_new ();
  g_autofree GaioTimer **timers = NULL;
  guint64 state = 88172645463325252u;
  gint64 begin_ns;

  n = kind % BY_SOURCE ? n : 100;
  timers = g_new (GaioTimer *, n);
  if (kind & BY_SOURCE)
    gaio_context_attach (context, main_context);
  open_idle (0);
  gaio_context_set_fd_handlers (context, pipe_fds[0], &active, NULL, NULL, NULL);
  for (int i = 0; i < n; i++)
    {
      timers[i] = gaio_timer_new (context, GAIO_CLOCK_MONOTONIC, do_nothing, NULL, NULL);
      gaio_timer_arm_ns (timers[i], random_deadline (&state));
    }
  begin_ns = cpu_ns ();
  for (int i = 0; i < events; i++)
    {
      int before = n_received;

      send_byte ();
      while (n_received == before)
        if (kind & BY_SOURCE)
          g_main_context_iteration (main_context, TRUE);
        else
          gaio_context_poll (context, TRUE);
    }
  begin_ns = cpu_ns () - begin_ns;
  for (int i = 0; i < n; i++)
    {
      gaio_timer_cancel (timers[i]);
      g_object_unref (timers[i]);
    }
  gaio_context_remove_fd_handler (context, pipe_fds[0]);
  g_clear_object (&context);
  close_idle (0);
  return (double) begin_ns / events;
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
  static const Contestant posted[] = {
    { "a list and an eventfd", posted_raw, 0 },
    { "gaio epoll", posted_gaio, GAIO_MONITOR_EPOLL },
    { "gaio io_uring", posted_gaio, GAIO_MONITOR_IO_URING },
    { "gaio io_uring, GMainContext", posted_gaio, GAIO_MONITOR_IO_URING | BY_SOURCE },
    { "GLib", posted_glib, 0 },
  };
  static const Contestant same_thread[] = {
    { "a list", same_thread_raw, 0 },
    { "gaio epoll", same_thread_gaio, GAIO_MONITOR_EPOLL },
    { "gaio io_uring", same_thread_gaio, GAIO_MONITOR_IO_URING },
    { "gaio io_uring, GMainContext", same_thread_gaio, GAIO_MONITOR_IO_URING | BY_SOURCE },
    { "GLib", same_thread_glib, 0 },
  };
  static const Contestant arm[] = {
    { "a binary heap", timers_raw, ARM },
    { "gaio", timers_gaio, ARM },
    { "GLib", timers_glib, ARM },
  };
  static const Contestant cancel[] = {
    { "a binary heap", timers_raw, CANCEL },
    { "gaio", timers_gaio, CANCEL },
    { "GLib", timers_glib, CANCEL },
  };
  static const Contestant beside_timers[] = {
    { "gaio, 100", event_beside_timers, 0 },
    { "gaio, 100,000", event_beside_timers, 1 },
    { "gaio, GMainContext, 100", event_beside_timers, BY_SOURCE },
    { "gaio, GMainContext, 100,000", event_beside_timers, BY_SOURCE | 1 },
  };
  struct rlimit limit;

  for (int i = 1; i + 1 < argc; i += 2)
    {
      if (strcmp (argv[i], "--rounds") == 0)
        n_rounds = MAX (atoi (argv[i + 1]), 1);
      else if (strcmp (argv[i], "--only") == 0)
        only = argv[i + 1];
    }
  getrlimit (RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  setrlimit (RLIMIT_NOFILE, &limit);

  printf ("median of %d rounds; the last column is against the first row\n", n_rounds);
  RUN_TABLE ("an event beside 10 idle descriptors", idle, 10);
  RUN_TABLE ("an event beside 1000 idle descriptors", idle, 1000);
  if (limit.rlim_cur > 10100)
    RUN_TABLE ("an event beside 10000 idle descriptors", idle, 10000);
  RUN_TABLE ("a trip to another context and back", trips, FALSE);
  RUN_TABLE ("a trip to another context and back, one processor", trips, TRUE);
  RUN_TABLE ("a callback from another thread", posted, 0);
  RUN_TABLE ("a callback from the same thread", same_thread, 0);
  RUN_TABLE ("arming one of 100000 timers", arm, 100000);
  RUN_TABLE ("cancelling one of 100000 timers", cancel, 100000);
  RUN_TABLE ("arming one of 1000000 timers", arm, 1000000);
  RUN_TABLE ("cancelling one of 1000000 timers", cancel, 1000000);
  RUN_TABLE ("an event beside pending timers", beside_timers, 100000);
  return 0;
}
