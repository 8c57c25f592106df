/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What it costs to have a context call a function: from another thread, and from its own. */

#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bench-table.h"

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
  gint64 begin_ns = bench_now_ns ();

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
  return (double) (bench_now_ns () - begin_ns) / POSTED;
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
  g_autoptr (GaioContext) context = bench_make_context (arg);
  g_autoptr (GMainContext) main_context = g_main_context_new ();
  GThread *thread;
  gint64 begin_ns;

  if (context == NULL)
    return -1;
  if (arg & BY_SOURCE)
    gaio_context_attach (context, main_context);
  n_posted = 0;
  begin_ns = bench_now_ns ();
  thread = g_thread_new ("poster", post_gaio, context);
  while (n_posted < POSTED)
    if (arg & BY_SOURCE)
      g_main_context_iteration (main_context, TRUE);
    else
      gaio_context_poll (context, TRUE);
  g_thread_join (thread);
  return (double) (bench_now_ns () - begin_ns) / POSTED;
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
  gint64 begin_ns = bench_now_ns ();

  n_posted = 0;
  thread = g_thread_new ("poster", post_glib, main_context);
  while (n_posted < POSTED_GLIB)
    g_main_context_iteration (main_context, TRUE);
  g_thread_join (thread);
  return (double) (bench_now_ns () - begin_ns) / POSTED_GLIB;
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
  gint64 begin_ns = bench_cpu_ns ();

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
  return (double) (bench_cpu_ns () - begin_ns) / n_runs;
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
  g_autoptr (GaioContext) context = bench_make_context (arg);
  g_autoptr (GMainContext) main_context = g_main_context_new ();
  GaioBottomHalf *bhs[OUTSTANDING];
  gint64 begin_ns;

  if (context == NULL)
    return -1;
  if (arg & BY_SOURCE)
    gaio_context_attach (context, main_context);
  n_runs = 0;
  begin_ns = bench_cpu_ns ();
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
  begin_ns = bench_cpu_ns () - begin_ns;
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
  gint64 begin_ns = bench_cpu_ns ();

  n_runs = 0;
  for (int i = 0; i < OUTSTANDING; i++)
    {
      sources[i] = g_idle_source_new ();
      g_source_set_callback (sources[i], on_idle_again, NULL, NULL);
      g_source_attach (sources[i], main_context);
    }
  while (n_runs < RUNS / 8)
    g_main_context_iteration (main_context, TRUE);
  begin_ns = bench_cpu_ns () - begin_ns;
  for (int i = 0; i < OUTSTANDING; i++)
    {
      g_source_destroy (sources[i]);
      g_source_unref (sources[i]);
    }
  return (double) begin_ns / n_runs;
}

int
main (int argc, char **argv)
{
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

  bench_init (argc, argv);
  BENCH_TABLE ("a callback from another thread", posted, 0);
  BENCH_TABLE ("a callback from the same thread", same_thread, 0);
  return 0;
}
