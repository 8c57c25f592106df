/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The bodies of an operation on an open file, which are the same for all of them but for the
 * submission of the request and the form of the result.
 *
 * Each macro is the whole of a function after its own checks. It takes what every such function
 * has by the names that they have: self, cancellable, error; io_priority, callback, user_data;
 * result. A `submission` is an expression that submits the idle `request`. */

#pragma once

#include <gaio/file/gaio-file-task-private.h>

/* Thread: the task's. What a GaioFileTaskFunc is for results without a form of their own: done or
 * not, and how many bytes. */
void gaio_file_return_boolean (GTask *task, GaioRequest *request);
void gaio_file_return_count (GTask *task, GaioRequest *request);

/* The task of an *_async function. The parentheses keep g_task_set_source_tag() from being the
 * macro that gives the task a name too: a copy of it, which costs 220 instructions. */
#define GAIO_FILE_NEW_TASK(source, x_async) \
  ({ \
    GTask *task_ = g_task_new (source, cancellable, callback, user_data); \
    (g_task_set_source_tag) (task_, x_async); \
    g_task_set_priority (task_, io_priority); \
    task_; \
  })

/* The body of X_async(). */
#define GAIO_FILE_START(x_async, return_func, submission) \
  G_STMT_START \
  { \
    GaioRequest *request; \
\
    g_return_if_fail (GAIO_IS_FILE (self)); \
    g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable)); \
    request = gaio_file_task_begin (GAIO_FILE_NEW_TASK (self, x_async), self, return_func); \
    if (request == NULL) \
      return; \
    submission; \
    gaio_file_task_submitted (request); \
  } \
  G_STMT_END

/* The body of X_finish(): `form` is that of g_task_propagate_*(). The second is for a function that
 * is not a method. */
#define GAIO_FILE_FINISH(x_async, form, failed) \
  GAIO_FILE_FINISH_FOR (self, x_async, form, failed)
#define GAIO_FILE_FINISH_FUNCTION(x_async, form, failed) \
  GAIO_FILE_FINISH_FOR (NULL, x_async, form, failed)
#define GAIO_FILE_FINISH_FOR(source, x_async, form, failed) \
  G_STMT_START \
  { \
    g_return_val_if_fail (g_task_is_valid (result, source), failed); \
    g_return_val_if_fail (g_async_result_is_tagged (result, x_async), failed); \
    return g_task_propagate_##form (G_TASK (result), error); \
  } \
  G_STMT_END

/* The body of X(), which blocks. */
#define GAIO_FILE_BLOCK(submission, succeeded, failed) \
  G_STMT_START \
  { \
    g_autoptr (GaioRequest) request = NULL; \
\
    g_return_val_if_fail (GAIO_IS_FILE (self), failed); \
    g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), failed); \
    g_return_val_if_fail (error == NULL || *error == NULL, failed); \
    request = gaio_request_new_blocking (self, cancellable); \
    submission; \
    return gaio_request_get_result (request, NULL, error) ? (succeeded) : (failed); \
  } \
  G_STMT_END
