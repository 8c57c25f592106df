/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the tests of the pool share: a gate at which jobs wait, and a job that counts what happens
 * to it. */

#pragma once

#include <pthread.h>

#include <gaio/pool/gaio-thread-pool-private.h>

#include "gaio-test.h"

/* Where jobs wait until the test lets them go. The lock is one that the thread sanitizer knows. */
typedef struct
{
  pthread_mutex_t lock;
  pthread_cond_t cond;
  gboolean open;
  int waiting;
} Gate;

#define GATE_INIT { PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, FALSE, 0 }

/* Returns when the gate is open. */
void gate_wait (Gate *gate);

/* Returns when so many jobs are at the gate. */
void gate_fill (Gate *gate, int n_jobs);

void gate_open (Gate *gate);

typedef struct
{
  /* set by the test */
  Gate *gate;   /* to wait at; may be NULL */
  int *n_begun; /* shared, atomic; may be NULL */

  /* set by the job */
  GThread *home;
  GThread *worker; /* the thread it ran in */
  int *n_ended;    /* shared, atomic */
  guint64 id;
  int begun; /* its number among those that began, from 1 */
  int n_run;
  int n_done;
  int n_cancelled;
  int n_freed;
} Probe;

/* The callbacks, for tests that submit by themselves. */
void probe_run (gpointer data);
void probe_done (gboolean cancelled, gpointer data);
void probe_free (gpointer data);

/* Submits it, from the home thread; `n_ended` counts the ends. */
void probe_submit (Probe *probe, GaioThreadPool *pool, GaioTestLoop *loop, int *n_ended);

void probe_assert_ended_once (const Probe *probe, gboolean cancelled);

/* Until the pool has so many. It never gives up. */
void wait_for_threads (GaioThreadPool *pool, guint n_threads);
