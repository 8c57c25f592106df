/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Stacks: where they come from, and what must be told to the tools that watch them.
 *
 * A stack is a map of its own with its lowest page protected, so that one which grows too far ends
 * the program instead of another stack. That makes two maps of the process for each, of which the
 * kernel allows 65530 by default, and malloc() and new threads need some too: the program is ended
 * by its own libraries when they get none. So no more stacks are made than half of what is allowed,
 * less a reserve, and the one who wants a further one gets an error.
 *
 * Up to POOL_STACKS of those that are free are kept, since making one costs some microseconds. The
 * pool goes with the last one who holds it.
 *
 * The description of a stack lies at its upper end, so it costs no allocation. Where it ends is
 * different for one stack and the next: the same place in each would be the same lines of the cache
 * for all functions that wait. */

#include "config.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
/* gcc says it so */
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define __SANITIZE_ADDRESS__ 1
#elif __has_feature(thread_sanitizer)
#define __SANITIZE_THREAD__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#endif
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif
#if defined(__has_include)
#if __has_include(<valgrind/valgrind.h>)
#include <valgrind/valgrind.h>
#endif
#endif

#include <gaio/loop/gaio-stack-private.h>
#include <gaio/loop/gaio-switch-private.h>

/* With all of them used to the last page this is 16 MiB. */
#define POOL_STACKS 64

/* What is left of the kernel's limit for others. */
#define RESERVED_MAPS 5000

/* When the limit cannot be read: the kernel's default. */
#define DEFAULT_MAPS 65530

/* So many places for the upper end, so many bytes apart. */
#define COLORS 16
#define COLOR_BYTES 192

struct _GaioStack
{
  /* immutable */
  void *map;
  char *bottom; /* the first byte that can be used */
  gsize size;
  guint valgrind_id;

  /* of one use */
  void (*entry) (gpointer data);
  gpointer data;
  void *inside;  /* where the function goes on */
  void *outside; /* where its caller does */
  bool unused;   /* the function has not begun */
  bool gone;     /* it has left for good */

  /* what the sanitizers want to have back */
  void *fake_inside;
  void *fake_outside;
  const void *outside_bottom;
  gsize outside_size;
  void *fiber_inside;
  void *fiber_outside;
  bool unwind; /* leave for good at once */

  GaioStack *next; /* in the pool */
};

/* The pool. Under the lock, which is the last. */
static GMutex lock;
static GaioStack *pool;
static guint n_pooled;
static guint n_mapped;
static guint n_holders;

/* Sanitizers */

static void
tell_entering (GaioStack *self)
{
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_start_switch_fiber (&self->fake_outside, self->bottom, self->size);
#endif
#ifdef __SANITIZE_THREAD__
  if (self->fiber_inside == NULL)
    self->fiber_inside = __tsan_create_fiber (0);
  self->fiber_outside = __tsan_get_current_fiber ();
#endif
}

static void
tell_outside (GaioStack *self)
{
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_finish_switch_fiber (self->fake_outside, NULL, NULL);
#endif
}

static void
tell_leaving (GaioStack *self, bool for_good)
{
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_start_switch_fiber (for_good ? NULL : &self->fake_inside, self->outside_bottom,
                                  self->outside_size);
#endif
}

static void
tell_inside (GaioStack *self, void *fake)
{
#ifdef __SANITIZE_ADDRESS__
  __sanitizer_finish_switch_fiber (fake, &self->outside_bottom, &self->outside_size);
#endif
}

/* The frames of a function that ended in its midst are still marked in the shadow of their memory,
 * and what it has elsewhere goes when it leaves for good. */
static void
tell_free (GaioStack *self)
{
#ifdef __SANITIZE_ADDRESS__
  if (!self->unused && !self->gone)
    {
      self->unwind = true;
      gaio_stack_enter (self);
    }
  __asan_unpoison_memory_region (self->bottom, self->size);
#endif
#ifdef __SANITIZE_THREAD__
  if (self->fiber_inside != NULL)
    __tsan_destroy_fiber (self->fiber_inside);
  self->fiber_inside = NULL;
#endif
}

/* Nobody has anything to look for in a stack that is in the pool. */
static void
tell_pooled (GaioStack *self, bool pooled)
{
#ifdef __SANITIZE_ADDRESS__
  if (pooled)
    __asan_poison_memory_region (self->bottom, self->size);
  else
    __asan_unpoison_memory_region (self->bottom, self->size);
#endif
}

static void
tell_mapped (GaioStack *self, bool mapped)
{
#ifdef VALGRIND_STACK_REGISTER
  if (mapped)
    self->valgrind_id = VALGRIND_STACK_REGISTER (self->bottom, self->bottom + self->size);
  else
    VALGRIND_STACK_DEREGISTER (self->valgrind_id);
#endif
}

/* Maps */

static guint
get_max_stacks (void)
{
  static gsize known;

  if (g_once_init_enter (&known))
    {
      g_autofree char *text = NULL;
      guint64 maps = DEFAULT_MAPS;

      if (g_file_get_contents ("/proc/sys/vm/max_map_count", &text, NULL, NULL))
        maps = g_ascii_strtoull (text, NULL, 10);
      maps = CLAMP (maps, 2 * RESERVED_MAPS, G_MAXINT);
      g_once_init_leave (&known, (gsize) (maps - RESERVED_MAPS) / 2);
    }
  return known;
}

static GaioStack *
map_stack (guint color)
{
  const gsize guard = (gsize) sysconf (_SC_PAGESIZE);
  char *map = mmap (NULL, GAIO_STACK_BYTES, PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  GaioStack *self;
  int errnum;

  if (map == MAP_FAILED)
    return NULL;
  if (mprotect (map, guard, PROT_NONE) != 0)
    {
      errnum = errno;
      munmap (map, GAIO_STACK_BYTES);
      errno = errnum;
      return NULL;
    }
  self = (GaioStack *) (map + GAIO_STACK_BYTES - sizeof (GaioStack));
  self->map = map;
  self->bottom = map + guard;
  self->size = GAIO_STACK_BYTES - guard - sizeof (GaioStack) - color % COLORS * COLOR_BYTES;
  tell_mapped (self, true);
  return self;
}

static void
unmap_stacks (GaioStack *list)
{
  while (list != NULL)
    {
      GaioStack *self = list;

      list = self->next;
      tell_pooled (self, false);
      tell_mapped (self, false);
      munmap (self->map, GAIO_STACK_BYTES);
    }
}

static void
begin (void *data)
{
  GaioStack *self = data;

  tell_inside (self, NULL);
  self->entry (self->data);
  g_assert_not_reached ();
}

GaioStack *
gaio_stack_new (void (*entry) (gpointer data), gpointer data)
{
  GaioStack *self;
  bool allowed;
  guint color;

  g_mutex_lock (&lock);
  self = pool;
  allowed = self != NULL || n_mapped < get_max_stacks ();
  color = n_mapped;
  if (self != NULL)
    {
      pool = self->next;
      n_pooled--;
    }
  else if (allowed)
    n_mapped++;
  g_mutex_unlock (&lock);

  if (!allowed)
    errno = ENOMEM;
  if (self != NULL)
    tell_pooled (self, false);
  else if (allowed && (self = map_stack (color)) == NULL)
    {
      g_mutex_lock (&lock);
      n_mapped--;
      g_mutex_unlock (&lock);
    }
  if (self == NULL)
    return NULL;

  self->entry = entry;
  self->data = data;
  self->unused = true;
  self->gone = false;
  self->unwind = false;
  self->inside = gaio_switch_prepare (self->bottom, self->size, begin, self);
  return self;
}

void
gaio_stack_free (GaioStack *self)
{
  bool keep;

  tell_free (self);
  self->next = NULL;
  g_mutex_lock (&lock);
  keep = n_holders > 0 && n_pooled < POOL_STACKS;
  if (keep)
    {
      tell_pooled (self, true);
      self->next = pool;
      pool = self;
      n_pooled++;
    }
  else
    n_mapped--;
  g_mutex_unlock (&lock);
  if (!keep)
    unmap_stacks (self);
}

void
gaio_stack_pool_hold (void)
{
  g_mutex_lock (&lock);
  n_holders++;
  g_mutex_unlock (&lock);
}

void
gaio_stack_pool_release (void)
{
  GaioStack *list = NULL;

  g_mutex_lock (&lock);
  if (--n_holders == 0)
    {
      list = g_steal_pointer (&pool);
      n_mapped -= n_pooled;
      n_pooled = 0;
    }
  g_mutex_unlock (&lock);
  unmap_stacks (list);
}

/* The thread sanitizer takes what follows its switch for the other side's doing; so that comes
 * right before ours. */
static inline void
change (void **from, void *to, void *fiber)
{
#ifdef __SANITIZE_THREAD__
  __tsan_switch_to_fiber (fiber, 0);
#endif
  gaio_switch (from, to);
}

void
gaio_stack_enter (GaioStack *self)
{
  self->unused = false;
  tell_entering (self);
  change (&self->outside, self->inside, self->fiber_inside);
  tell_outside (self);
}

void
gaio_stack_leave (GaioStack *self, bool for_good)
{
  do
    {
      self->gone = for_good;
      tell_leaving (self, for_good);
      change (&self->inside, self->outside, self->fiber_outside);
      tell_inside (self, self->fake_inside);
      for_good = true;
    }
  while (self->unwind);
}
