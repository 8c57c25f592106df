/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* How an *_async function becomes a request and its end a result.
 *
 * Two threads take part: the caller's, whose GMainContext gets the result, and the home thread of
 * the file's context, where the request ends. They are often one, and then the task returns from
 * within the request's callback. When they are two, the whole call is shipped to the caller's
 * GMainContext and ends there; returning the task in the home thread would be less code, but might
 * leave the last reference to it, and to what a language binding hangs on it, to the wrong thread.
 *
 * The cancellable is tied before the submission and looked at again after it. A cancel in between
 * finds an idle request, which is nothing; the second look makes up for it. The handler does no
 * more than gaio_request_cancel(), which never waits and never calls back, so it is taken off with
 * a plain disconnect and cannot deadlock as g_cancellable_disconnect() can. */

#include "config.h"

#include <gaio/file/gaio-file-task-private.h>

typedef struct
{
  GTask *task;          /* a reference */
  GaioRequest *request; /* a reference */
  GaioFileTaskFunc func;
  gulong cancel_handler;
} Call;

static void
call_free (gpointer data)
{
  Call *self = data;

  gaio_request_unref (self->request);
  g_object_unref (self->task);
  g_free (self);
}

static gboolean
call_return (gpointer data)
{
  Call *self = data;

  self->func (self->task, self->request);
  return G_SOURCE_REMOVE;
}

static void
on_request_end (GaioRequest *request, gpointer user_data)
{
  Call *self = user_data;

  if (self->cancel_handler != 0)
    g_signal_handler_disconnect (g_task_get_cancellable (self->task), self->cancel_handler);
  gaio_file_task_deliver (self->task, call_return, self, call_free);
}

static void
on_cancelled (GCancellable *cancellable, gpointer request)
{
  gaio_request_cancel (request);
}

static void
unref_request (gpointer request)
{
  gaio_request_unref (request);
}

GaioRequest *
gaio_file_task_begin_anyway (GTask *task, GaioFile *file, GaioFileTaskFunc func)
{
  Call *self = g_new0 (Call, 1);

  /* What was done is reported, also when a cancel came after it. */
  g_task_set_check_cancellable (task, FALSE);
  self->task = task;
  self->func = func;
  self->request = gaio_request_new (file, on_request_end, self, NULL);
  return gaio_request_ref (self->request);
}

GaioRequest *
gaio_file_task_begin (GTask *task, GaioFile *file, GaioFileTaskFunc func)
{
  GCancellable *cancellable = g_task_get_cancellable (task);
  GaioRequest *request;

  if (g_task_return_error_if_cancelled (task))
    {
      gaio_context_wake_main_context (g_task_get_context (task));
      g_object_unref (task);
      return NULL;
    }
  request = gaio_file_task_begin_anyway (task, file, func);
  if (cancellable != NULL)
    {
      Call *self = request->user_data;

      request->cancellable = g_object_ref (cancellable);
      self->cancel_handler = g_cancellable_connect (cancellable,
                                                    G_CALLBACK (on_cancelled),
                                                    gaio_request_ref (request),
                                                    unref_request);
    }
  return request;
}

/* The request has ended by now, or not; so the task may be gone, and the request knows the
 * cancellable. */
void
gaio_file_task_submitted (GaioRequest *request)
{
  g_autoptr (GaioRequest) owned = request;

  if (owned->cancellable != NULL && g_cancellable_is_cancelled (owned->cancellable))
    gaio_request_cancel (owned);
}

void
gaio_file_task_fail (GTask *task, GaioContext *context, GError *error)
{
  g_task_return_error (task, error);
  g_object_unref (task);
  /* The result is now in a source of the GMainContext. A foreign loop knows of it only when it
   * calls gaio_context_iterate(), and for that the context must have something to do. */
  if (context != NULL)
    gaio_context_notify (context);
}

void
gaio_file_task_deliver (GTask *task, GSourceFunc func, gpointer data, GDestroyNotify notify)
{
  GMainContext *main_context = g_task_get_context (task);
  GSource *source;

  if (g_main_context_is_owner (main_context))
    {
      func (data);
      notify (data);
      return;
    }
  source = g_idle_source_new ();
  g_source_set_priority (source, g_task_get_priority (task));
  g_source_set_static_name (source, "[gaio] result");
  g_source_set_callback (source, func, data, notify);
  g_source_attach (source, main_context);
  gaio_context_wake_main_context (main_context);
  g_source_unref (source);
}
