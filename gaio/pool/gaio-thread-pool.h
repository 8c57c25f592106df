/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/base/gaio-types.h>

G_BEGIN_DECLS

/**
 * GaioJobFunc:
 * @user_data: the data given with the function
 *
 * The work of a job. It is called in a thread of a [class@Gaio.ThreadPool].
 */
typedef void (*GaioJobFunc) (gpointer user_data);

/**
 * GaioJobDoneFunc:
 * @cancelled: whether the job was cancelled before it began, so that its function never ran
 * @user_data: the data given with the function
 *
 * The end of a job. It is called in the home thread of the job's [class@Gaio.Context].
 */
typedef void (*GaioJobDoneFunc) (gboolean cancelled, gpointer user_data);

#define GAIO_TYPE_THREAD_POOL (gaio_thread_pool_get_type ())
GAIO_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (GaioThreadPool, gaio_thread_pool, GAIO, THREAD_POOL, GObject)

GAIO_AVAILABLE_IN_1_0
GaioThreadPool *gaio_thread_pool_new (void) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
GaioThreadPool *gaio_thread_pool_get_default (void);

GAIO_AVAILABLE_IN_1_0
void gaio_thread_pool_serve (GaioThreadPool *self, GaioContext *context);

GAIO_AVAILABLE_IN_1_0
guint64 gaio_thread_pool_submit (GaioThreadPool *self,
                                 GaioContext *context,
                                 GaioJobFunc func,
                                 GaioJobDoneFunc done,
                                 gpointer user_data,
                                 GDestroyNotify notify);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_thread_pool_cancel (GaioThreadPool *self, guint64 job_id);

GAIO_AVAILABLE_IN_1_0
void gaio_thread_pool_run_async (GaioThreadPool *self,
                                 GClosure *func,
                                 int io_priority,
                                 GCancellable *cancellable,
                                 GAsyncReadyCallback callback,
                                 gpointer user_data);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_thread_pool_run_finish (GaioThreadPool *self, GAsyncResult *result, GError **error);

GAIO_AVAILABLE_IN_1_0
guint gaio_thread_pool_get_min_threads (GaioThreadPool *self);

GAIO_AVAILABLE_IN_1_0
void gaio_thread_pool_set_min_threads (GaioThreadPool *self, guint n_threads);

GAIO_AVAILABLE_IN_1_0
guint gaio_thread_pool_get_max_threads (GaioThreadPool *self);

GAIO_AVAILABLE_IN_1_0
void gaio_thread_pool_set_max_threads (GaioThreadPool *self, guint n_threads);

GAIO_AVAILABLE_IN_1_0
guint gaio_thread_pool_get_idle_timeout_ms (GaioThreadPool *self);

GAIO_AVAILABLE_IN_1_0
void gaio_thread_pool_set_idle_timeout_ms (GaioThreadPool *self, guint timeout_ms);

GAIO_AVAILABLE_IN_1_0
guint gaio_thread_pool_get_n_threads (GaioThreadPool *self);

GAIO_AVAILABLE_IN_1_0
guint gaio_thread_pool_get_n_idle (GaioThreadPool *self);

GAIO_AVAILABLE_IN_1_0
guint gaio_thread_pool_get_n_queued (GaioThreadPool *self);

G_END_DECLS
