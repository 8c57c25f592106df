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

static void
end_call (gpointer data)
{
  GaioRequest *self = data;

  g_clear_object (&self->task);
  gaio_request_unref (self);
}

static gboolean
return_call (gpointer data)
{
  GaioRequest *self = data;

  self->task_func (self->task, self);
  return G_SOURCE_REMOVE;
}

static void
on_request_end (GaioRequest *self, gpointer user_data)
{
  if (self->cancel_handler != 0)
    g_signal_handler_disconnect (self->cancellable, self->cancel_handler);
  gaio_file_task_deliver (self->task, return_call, self, end_call);
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
  GaioRequest *self = gaio_request_new (file, on_request_end, NULL, NULL);

  /* What was done is reported, also when a cancel came after it. */
  g_task_set_check_cancellable (task, FALSE);
  self->task = task;
  self->task_func = func;
  /* One reference is the call's, until end_call(). */
  return gaio_request_ref (self);
}

GaioRequest *
gaio_file_task_begin (GTask *task, GaioFile *file, GaioFileTaskFunc func)
{
  GCancellable *cancellable = g_task_get_cancellable (task);
  GError *error = NULL;
  GaioRequest *self;

  if (g_cancellable_set_error_if_cancelled (cancellable, &error))
    {
      gaio_file_task_fail (task, file->context, error);
      return NULL;
    }
  self = gaio_file_task_begin_anyway (task, file, func);
  if (cancellable != NULL)
    {
      self->cancellable = g_object_ref (cancellable);
      self->cancel_handler = g_cancellable_connect (cancellable,
                                                    G_CALLBACK (on_cancelled),
                                                    gaio_request_ref (self),
                                                    unref_request);
    }
  return self;
}

/* The request has ended by now, or not; the task may be gone, but not the cancellable. */
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
