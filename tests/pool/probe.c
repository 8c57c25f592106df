/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* See probe.h. Nothing here sleeps to be right: what is to be found running waits at a gate. */

#include "probe.h"

void
gate_wait (Gate *gate)
{
  pthread_mutex_lock (&gate->lock);
  gate->waiting++;
  pthread_cond_broadcast (&gate->cond);
  while (!gate->open)
    pthread_cond_wait (&gate->cond, &gate->lock);
  gate->waiting--;
  pthread_mutex_unlock (&gate->lock);
}

void
gate_fill (Gate *gate, int n_jobs)
{
  pthread_mutex_lock (&gate->lock);
  while (gate->waiting < n_jobs)
    pthread_cond_wait (&gate->cond, &gate->lock);
  pthread_mutex_unlock (&gate->lock);
}

void
gate_open (Gate *gate)
{
  pthread_mutex_lock (&gate->lock);
  gate->open = TRUE;
  pthread_cond_broadcast (&gate->cond);
  pthread_mutex_unlock (&gate->lock);
}

void
probe_run (gpointer data)
{
  Probe *probe = data;

  probe->worker = g_thread_self ();
  probe->n_run++;
  if (probe->n_begun != NULL)
    probe->begun = g_atomic_int_add (probe->n_begun, 1) + 1;
  if (probe->gate != NULL)
    gate_wait (probe->gate);
}

void
probe_done (gboolean cancelled, gpointer data)
{
  Probe *probe = data;

  g_assert_true (probe->home == g_thread_self ());
  g_assert_cmpint (probe->n_run, ==, cancelled ? 0 : 1);
  g_assert_cmpint (probe->n_freed, ==, 0);
  probe->n_done++;
  probe->n_cancelled += cancelled;
}

void
probe_free (gpointer data)
{
  Probe *probe = data;

  g_assert_true (probe->home == g_thread_self ());
  probe->n_freed++;
  g_atomic_int_inc (probe->n_ended);
}

void
probe_submit (Probe *probe, GaioThreadPool *pool, GaioTestLoop *loop, int *n_ended)
{
  probe->home = g_thread_self ();
  probe->n_ended = n_ended;
  probe->id =
      gaio_thread_pool_submit (pool, loop->context, probe_run, probe_done, probe, probe_free);
  g_assert_cmpuint (probe->id, !=, 0);
  g_assert_cmpint (probe->n_done, ==, 0);
}

void
probe_assert_ended_once (const Probe *probe, gboolean cancelled)
{
  g_assert_cmpint (probe->n_done, ==, 1);
  g_assert_cmpint (probe->n_freed, ==, 1);
  g_assert_cmpint (probe->n_cancelled, ==, cancelled ? 1 : 0);
  g_assert_cmpint (probe->n_run, ==, cancelled ? 0 : 1);
}

void
wait_for_threads (GaioThreadPool *pool, guint n_threads)
{
  while (gaio_thread_pool_get_n_threads (pool) != n_threads)
    g_usleep (100);
}
