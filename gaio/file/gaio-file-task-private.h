/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/file/gaio-request-private.h>

/* The bridge from a GTask to a request. See gaio-file-task.c. */

/* Called with the request idle, in the thread of the task's GMainContext, to return its result
 * with one of g_task_return_*(). */
typedef void (*GaioFileTaskFunc) (GTask *task, GaioRequest *request);

/* Thread: any. Makes a request for the task, which it takes over, and ties the task's cancellable
 * to it. NULL when that is cancelled already: the task has then got its result. */
GaioRequest *gaio_file_task_begin (GTask *task, GaioFile *file, GaioFileTaskFunc func);

/* The same for what must run even when cancelled. */
GaioRequest *gaio_file_task_begin_anyway (GTask *task, GaioFile *file, GaioFileTaskFunc func);

/* Thread: the same. To be called after the request has been submitted; takes the request. */
void gaio_file_task_submitted (GaioRequest *request);

/* Thread: any. What the above does with a cancellable, for a request without a task: ties it before
 * the submission, and lets go of it at the end. After the submission see whether it is cancelled
 * already. */
void gaio_file_task_tie (GaioRequest *request, GCancellable *cancellable);
void gaio_file_task_untie (GaioRequest *request);

/* Thread: any. Fails the task, which it takes over with the error, without a request. `context`
 * is what a foreign event loop may be waiting for on behalf of the caller; NULL for none. */
void gaio_file_task_fail (GTask *task, GaioContext *context, GError *error);

/* Thread: any. Calls func (data) in the thread of the task's GMainContext: here when the caller
 * runs that, else from a source of it; then notify (data). The latter alone when the context goes
 * first. */
void gaio_file_task_deliver (GTask *task, GSourceFunc func, gpointer data, GDestroyNotify notify);

/* The same, but never here. */
void gaio_file_task_deliver_later (GTask *task,
                                   GSourceFunc func,
                                   gpointer data,
                                   GDestroyNotify notify);
