/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Work in a worker with a GTask for its end; see gaio-thread-pool-run.c. */

#pragma once

#include <gaio/pool/gaio-thread-pool-private.h>

typedef struct
{
  /* Thread: a worker. The data is the task's, to be used here and not to be freed; so is the
   * cancellable, which may be NULL, and is here to be asked and for nothing else. */
  void (*work) (gpointer data, GCancellable *cancellable);

  /* Thread: the caller's. Called when the work has ended or will never begin, right before the
   * task returns. May be NULL. */
  void (*settle) (gpointer data);

  /* Thread: the caller's. Returns the result of the task, by one of g_task_return_*(). NULL: TRUE.
   * Not called when the job was cancelled before it began. */
  void (*end) (GTask *task);
} GaioRunOps;

/* Thread: any. Takes the task. `operation` names the whole in an error. */
void gaio_thread_pool_run_task (GaioThreadPool *self,
                                GTask *task,
                                const GaioRunOps *ops,
                                const char *operation);

/* Thread: the same. Fails the task, which it takes with the error, without a job. */
void gaio_thread_pool_fail_task (GTask *task, GError *error);
