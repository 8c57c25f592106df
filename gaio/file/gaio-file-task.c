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
 * A cancellable gets one handler, at its first use, and a list of the requests it would cancel:
 * to connect and disconnect a handler for each request costs more than the request does, and is
 * slower the more requests share the cancellable. The request is put on the list before the
 * submission and the cancellable looked at again after it. A cancel in between finds an idle
 * request, which is nothing; the second look makes up for it. The handler does no more than
 * gaio_request_cancel(), which never waits and never calls back. */

#include "config.h"

#include <gaio/file/gaio-file-call-private.h>

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
unref_request (gpointer request)
{
  gaio_request_unref (request);
}

/* The requests that a cancellable would cancel. It lives as long as the cancellable, which each of
 * them holds. */
typedef struct
{
  GMutex lock;
  GQueue requests; /* their `cancel_link`s; under the lock */
} Cancels;

static GMutex cancels_lock; /* of making one */

static void
cancels_free (gpointer data)
{
  Cancels *self = data;

  g_mutex_clear (&self->lock);
  g_free (self);
}

static void
on_cancelled (GCancellable *cancellable, gpointer data)
{
  g_autoptr (GPtrArray) requests = g_ptr_array_new_with_free_func (unref_request);
  Cancels *self = data;

  g_mutex_lock (&self->lock);
  for (GList *l = self->requests.head; l != NULL; l = l->next)
    g_ptr_array_add (requests, gaio_request_ref (l->data));
  g_mutex_unlock (&self->lock);
  for (guint i = 0; i < requests->len; i++)
    gaio_request_cancel (requests->pdata[i]);
}

static GQuark
cancels_quark (void)
{
  static gsize quark;

  if (g_once_init_enter (&quark))
    g_once_init_leave (&quark, g_quark_from_static_string ("gaio-cancels"));
  return quark;
}

static Cancels *
cancels_of (GCancellable *cancellable)
{
  Cancels *self = g_object_get_qdata (G_OBJECT (cancellable), cancels_quark ());

  if (G_LIKELY (self != NULL))
    return self;

  g_mutex_lock (&cancels_lock);
  self = g_object_get_qdata (G_OBJECT (cancellable), cancels_quark ());
  if (self == NULL)
    {
      self = g_new0 (Cancels, 1);
      g_mutex_init (&self->lock);
      g_signal_connect (cancellable, "cancelled", G_CALLBACK (on_cancelled), self);
      g_object_set_qdata_full (G_OBJECT (cancellable), cancels_quark (), self, cancels_free);
    }
  g_mutex_unlock (&cancels_lock);
  return self;
}

void
gaio_file_task_tie (GaioRequest *self, GCancellable *cancellable)
{
  Cancels *cancels = cancels_of (cancellable);

  self->cancellable = g_object_ref (cancellable);
  self->cancel_link.data = self;
  g_mutex_lock (&cancels->lock);
  g_queue_push_tail_link (&cancels->requests, &self->cancel_link);
  g_mutex_unlock (&cancels->lock);
}

void
gaio_file_task_untie (GaioRequest *self)
{
  Cancels *cancels;

  if (self->cancel_link.data == NULL)
    return;
  cancels = cancels_of (self->cancellable);
  g_mutex_lock (&cancels->lock);
  g_queue_unlink (&cancels->requests, &self->cancel_link);
  g_mutex_unlock (&cancels->lock);
  self->cancel_link.data = NULL;
}

static void
on_request_end (GaioRequest *self, gpointer user_data)
{
  gaio_file_task_untie (self);
  gaio_file_task_deliver (self->task, return_call, self, end_call);
}

GaioRequest *
gaio_file_task_begin_anyway (GTask *task, GaioFile *file, GaioFileTaskFunc func)
{
  GaioRequest *self = gaio_request_new (file, on_request_end, NULL, NULL);

  /* What was done is reported, also when a cancel came after it. */
  g_task_set_check_cancellable (task, FALSE);
  gaio_request_set_priority (self, g_task_get_priority (task));
  gaio_request_set_timeout_ns (self, gaio_file_get_timeout_ms (file) * G_GINT64_CONSTANT (1000000));
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
    gaio_file_task_tie (self, cancellable);
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
gaio_file_task_deliver_later (GTask *task,
                              GSourceFunc func,
                              gpointer data,
                              GDestroyNotify notify)
{
  GMainContext *main_context = g_task_get_context (task);
  GSource *source = g_idle_source_new ();

  g_source_set_priority (source, g_task_get_priority (task));
  g_source_set_static_name (source, "[gaio] result");
  g_source_set_callback (source, func, data, notify);
  g_source_attach (source, main_context);
  gaio_context_wake_main_context (main_context);
  g_source_unref (source);
}

void
gaio_file_task_deliver (GTask *task, GSourceFunc func, gpointer data, GDestroyNotify notify)
{
  if (!g_main_context_is_owner (g_task_get_context (task)))
    {
      gaio_file_task_deliver_later (task, func, data, notify);
      return;
    }
  func (data);
  notify (data);
}

void
gaio_file_return_boolean (GTask *task, GaioRequest *request)
{
  GError *error = NULL;

  if (gaio_request_get_result (request, NULL, &error))
    g_task_return_boolean (task, TRUE);
  else
    g_task_return_error (task, error);
}

void
gaio_file_return_count (GTask *task, GaioRequest *request)
{
  GError *error = NULL;
  gsize count;

  if (gaio_request_get_result (request, &count, &error))
    g_task_return_int (task, count);
  else
    g_task_return_error (task, error);
}
