/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What who has threads owes the process.
 *
 * exit(3) runs the hooks of all that is alive then, so that no idle thread of the library is left
 * when the memory it looks at goes. An atexit(3) function does that and not a destructor, since
 * destructors run after the last look of the leak and thread sanitizers.
 *
 * After a fork(2) the child has none of the threads, and there is no telling who held a lock. So
 * the child begins anew: hooks of the parent are forgotten, and recognized by their count of forks.
 *
 * The lock here is taken before all locks of those who have hooks. */

#include "config.h"

#include <pthread.h>
#include <stdlib.h>

#include <gaio/pool/gaio-process-private.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* under the lock */
static GQueue hooks = G_QUEUE_INIT;
static GSList *buried; /* of GThread */

static void
at_exit (void)
{
  pthread_mutex_lock (&lock);
  for (GList *l = hooks.head; l != NULL; l = l->next)
    {
      GaioProcessHook *hook = l->data;

      hook->at_exit (hook);
    }
  pthread_mutex_unlock (&lock);
  gaio_process_join_buried ();
}

static void
in_forked_child (void)
{
  lock = (pthread_mutex_t) PTHREAD_MUTEX_INITIALIZER;
  g_queue_init (&hooks);
  buried = NULL;
}

static void
watch_process (void)
{
  pthread_atfork (NULL, NULL, in_forked_child);
  atexit (at_exit);
}

void
gaio_process_hook_add (GaioProcessHook *self)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;

  pthread_once (&once, watch_process);
  self->fork_count = gaio_fork_get_count ();
  self->link.data = self;
  pthread_mutex_lock (&lock);
  g_queue_push_tail_link (&hooks, &self->link);
  pthread_mutex_unlock (&lock);
}

void
gaio_process_hook_remove (GaioProcessHook *self)
{
  pthread_mutex_lock (&lock);
  g_queue_unlink (&hooks, &self->link);
  pthread_mutex_unlock (&lock);
}

void
gaio_process_bury (GThread *thread)
{
  pthread_mutex_lock (&lock);
  buried = g_slist_prepend (buried, thread);
  pthread_mutex_unlock (&lock);
}

void
gaio_process_join_buried (void)
{
  GSList *threads;

  pthread_mutex_lock (&lock);
  threads = g_steal_pointer (&buried);
  pthread_mutex_unlock (&lock);
  for (GSList *l = threads; l != NULL; l = l->next)
    g_thread_join (l->data);
  g_slist_free (threads);
}
