/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Who is next when an engine has room again.
 *
 * Requests of a more urgent level always go first, as sources of a higher priority do in a
 * GMainContext. Within a level the files take turns, each with the request that has waited longest:
 * a program that copies a film with a thousand requests does not keep a small file waiting for all
 * of them. A lane is made when a file's first request has to wait and goes with the last, so those
 * who never wait pay for none of this. */

#include "config.h"

#include <gaio/file/gaio-request-private.h>

static GaioRequestLane **
lane_of (GaioRequestQueue *self, GaioRequest *request)
{
  return &request->file->lanes[self->number][request->level];
}

bool
gaio_request_queue_wait (GaioRequestQueue *self, GaioRequest *request)
{
  GaioRequestLane **place = lane_of (self, request);
  GaioRequestLane *lane = *place;

  if (lane == NULL)
    {
      lane = *place = g_new0 (GaioRequestLane, 1);
      lane->link.data = lane;
      g_queue_push_tail_link (&self->levels[request->level], &lane->link);
    }
  request->waits_for_slot = true;
  request->link.data = request;
  g_queue_push_tail_link (&lane->requests, &request->link);
  self->n_waiting++;
  return false;
}

void
gaio_request_queue_remove (GaioRequestQueue *self, GaioRequest *request)
{
  GaioRequestLane **place = lane_of (self, request);
  GaioRequestLane *lane = *place;

  g_queue_unlink (&lane->requests, &request->link);
  request->waits_for_slot = false;
  self->n_waiting--;
  if (lane->requests.length > 0)
    return;
  g_queue_unlink (&self->levels[request->level], &lane->link);
  g_free (lane);
  *place = NULL;
}

GaioRequest *
gaio_request_queue_next (GaioRequestQueue *self)
{
  if (G_LIKELY (self->n_waiting == 0) || self->in_flight >= self->depth)
    return NULL;
  for (guint i = 0; i < GAIO_REQUEST_LEVELS; i++)
    {
      GList *first = g_queue_pop_head_link (&self->levels[i]);
      GaioRequestLane *lane;
      GaioRequest *request;

      if (first == NULL)
        continue;
      lane = first->data;
      g_queue_push_tail_link (&self->levels[i], first);
      request = lane->requests.head->data;
      gaio_request_queue_remove (self, request);
      self->in_flight++;
      return request;
    }
  return NULL;
}
