/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The reference: what a program would do with epoll and nothing else, for one thread and with no
 * thought of removal, nesting or errors.
 *
 * Callbacks from other threads: a list that is pushed with one compare-and-swap and taken whole, an
 * allocation for each item, an eventfd that is written when the list was empty. Timers: a heap with
 * four children to a node, deadlines in the heap, timers that know their place. */

#include <stdatomic.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bench-peer.h"
#include "bench-table.h"

#define ARITY 4

typedef struct _Item Item;
struct _Item
{
  Item *next;
  GaioFunc func;
  gpointer data;
};

typedef struct
{
  int index;
  GaioFunc func;
  gpointer data;
} Timer;

typedef struct
{
  gint64 deadline_ns;
  Timer *timer;
} Entry;

typedef struct
{
  int fd;
  GPtrArray *watches;

  Item *_Atomic posted;
  int posted_fd;

  Item *repeated;
  Item **repeated_tail;
  Item *repeated_items;
  int *repeat_counter;

  Timer **timers; /* each allocated by itself, as those of programs are */
  int n_timers;
  Entry *heap;
  int heap_size;
} Loop;

static gpointer
raw_open (int arg)
{
  Loop *self = g_new0 (Loop, 1);

  self->fd = epoll_create1 (EPOLL_CLOEXEC);
  self->watches = g_ptr_array_new_with_free_func (g_free);
  self->posted_fd = -1;
  self->repeated_tail = &self->repeated;
  return self;
}

static void
raw_close (gpointer loop)
{
  Loop *self = loop;

  close (self->fd);
  if (self->posted_fd >= 0)
    close (self->posted_fd);
  g_ptr_array_unref (self->watches);
  g_free (self->repeated_items);
  for (int i = 0; i < self->n_timers; i++)
    g_free (self->timers[i]);
  g_free (self->timers);
  g_free (self->heap);
  g_free (self);
}

static void
raw_watch (gpointer loop, int fd, GaioFunc func, gpointer data)
{
  Loop *self = loop;
  Item *item = g_new0 (Item, 1);
  struct epoll_event event = { .events = EPOLLIN, .data.ptr = item };

  item->func = func;
  item->data = data;
  g_ptr_array_add (self->watches, item);
  epoll_ctl (self->fd, EPOLL_CTL_ADD, fd, &event);
}

/* Callbacks */

static void
on_posted (gpointer data)
{
  Loop *self = data;
  Item *items, *reversed = NULL;
  guint64 count;

  if (read (self->posted_fd, &count, sizeof count) < 0)
    return;
  items = atomic_exchange (&self->posted, NULL);
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

      reversed->func (reversed->data);
      g_free (reversed);
      reversed = next;
    }
}

static void
raw_post (gpointer loop, GaioFunc func, gpointer data)
{
  static const guint64 one = 1;
  Loop *self = loop;
  Item *item = g_new (Item, 1);

  item->func = func;
  item->data = data;
  item->next = atomic_load (&self->posted);
  while (!atomic_compare_exchange_weak (&self->posted, &item->next, item))
    ;
  if (item->next == NULL && write (self->posted_fd, &one, sizeof one) < 0)
    g_assert_not_reached ();
}

static void
on_repeated (Loop *self, Item *item)
{
  ++*self->repeat_counter;
  item->next = NULL;
  *self->repeated_tail = item;
  self->repeated_tail = &item->next;
}

static void
raw_repeat (gpointer loop, int n, int *counter)
{
  Loop *self = loop;

  self->repeat_counter = counter;
  self->repeated_items = g_new0 (Item, n);
  for (int i = 0; i < n; i++)
    on_repeated (self, &self->repeated_items[i]);
}

/* Timers */

static void
place (Loop *self, int index, Entry entry)
{
  self->heap[index] = entry;
  entry.timer->index = index;
}

static void
move_up (Loop *self, int index, Entry entry)
{
  for (int parent; index > 0; index = parent)
    {
      parent = (index - 1) / ARITY;
      if (self->heap[parent].deadline_ns <= entry.deadline_ns)
        break;
      place (self, index, self->heap[parent]);
    }
  place (self, index, entry);
}

static void
move_down (Loop *self, int index, Entry entry)
{
  for (int child; (child = ARITY * index + 1) < self->heap_size; index = child)
    {
      int end = MIN (child + ARITY, self->heap_size);

      for (int i = child + 1; i < end; i++)
        if (self->heap[i].deadline_ns < self->heap[child].deadline_ns)
          child = i;
      if (self->heap[child].deadline_ns >= entry.deadline_ns)
        break;
      place (self, index, self->heap[child]);
    }
  place (self, index, entry);
}

static void
take_out (Loop *self, int index)
{
  Entry last = self->heap[--self->heap_size];

  if (index == self->heap_size)
    return;
  if (index > 0 && self->heap[(index - 1) / ARITY].deadline_ns > last.deadline_ns)
    move_up (self, index, last);
  else
    move_down (self, index, last);
}

static void
count (gpointer data)
{
  ++*(int *) data;
}

static void
raw_make_timers (gpointer loop, int n, int *counter)
{
  Loop *self = loop;

  self->timers = g_new (Timer *, n);
  self->n_timers = n;
  self->heap = g_new (Entry, n);
  for (int i = 0; i < n; i++)
    {
      self->timers[i] = g_new0 (Timer, 1);
      self->timers[i]->func = count;
      self->timers[i]->data = counter;
    }
}

static void
raw_arm_timers (gpointer loop, const gint64 *deadlines_ns, int n)
{
  Loop *self = loop;

  for (int i = 0; i < n; i++)
    move_up (self, self->heap_size++,
             (Entry){ .deadline_ns = deadlines_ns[i], .timer = self->timers[i] });
}

static void
raw_cancel_timers (gpointer loop, int n)
{
  Loop *self = loop;

  for (int i = 0; i < n; i++)
    take_out (self, self->timers[i]->index);
}

/* The turn */

static int
wait_for_event (Loop *self, struct epoll_event *events, int n)
{
  gint64 left_ns;
  struct timespec timeout;

  if (self->repeated != NULL)
    return epoll_wait (self->fd, events, n, 0);
  if (self->heap_size == 0)
    return epoll_wait (self->fd, events, n, -1);
  left_ns = MAX (self->heap[0].deadline_ns - bench_now_ns (), 0);
  timeout.tv_sec = left_ns / 1000000000;
  timeout.tv_nsec = left_ns % 1000000000;
  return epoll_pwait2 (self->fd, events, n, &timeout, NULL);
}

static void
raw_turn (gpointer loop)
{
  Loop *self = loop;
  struct epoll_event events[16];
  int n_ready = wait_for_event (self, events, G_N_ELEMENTS (events));

  for (int i = 0; i < n_ready; i++)
    {
      Item *item = events[i].data.ptr;

      item->func (item->data);
    }
  if (self->repeated != NULL)
    {
      Item *item = self->repeated;

      self->repeated = NULL;
      self->repeated_tail = &self->repeated;
      while (item != NULL)
        {
          Item *next = item->next;

          on_repeated (self, item);
          item = next;
        }
    }
  if (self->heap_size > 0)
    {
      gint64 now_ns = bench_now_ns ();

      while (self->heap_size > 0 && self->heap[0].deadline_ns <= now_ns)
        {
          Timer *timer = self->heap[0].timer;

          take_out (self, 0);
          timer->func (timer->data);
        }
    }
}

static gpointer
raw_open_to_posts (int arg)
{
  Loop *self = raw_open (arg);

  self->posted_fd = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  raw_watch (self, self->posted_fd, on_posted, self);
  return self;
}

const BenchPeer bench_peer_raw = {
  .open = raw_open_to_posts,
  .close = raw_close,
  .turn = raw_turn,
  .watch = raw_watch,
  .post = raw_post,
  .repeat = raw_repeat,
  .make_timers = raw_make_timers,
  .arm_timers = raw_arm_timers,
  .cancel_timers = raw_cancel_timers,
};
