/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <stdbool.h>

#include <gio/gio.h>

/* The requests that wait until an engine has room for them. See gaio-request-queue.c.
 * Thread: home, for all of it. */

typedef struct _GaioFile GaioFile;
typedef struct _GaioRequest GaioRequest;

/* How urgent a request is; the lower goes first. */
#define GAIO_REQUEST_LEVELS 4
#define GAIO_REQUEST_LEVEL_USUAL 1

/* Which queue: a file's requests wait apart in each. */
#define GAIO_REQUEST_QUEUES 2

/* The requests of one file and one level that wait, in the order they came. */
typedef struct
{
  GQueue requests; /* their `link`s */
  GList link;      /* in the level */
} GaioRequestLane;

typedef struct
{
  guint number; /* of the queue, less than GAIO_REQUEST_QUEUES */
  guint depth;  /* as many may be in flight */
  guint in_flight;
  guint n_waiting;
  GQueue levels[GAIO_REQUEST_LEVELS]; /* of lanes that are not empty, the next one first */
} GaioRequestQueue;

/* Takes the request's turn, or has it wait and returns false. */
bool gaio_request_queue_wait (GaioRequestQueue *self, GaioRequest *request);

static inline bool
gaio_request_queue_enter (GaioRequestQueue *self, GaioRequest *request)
{
  if (G_UNLIKELY (self->in_flight >= self->depth || self->n_waiting > 0))
    return gaio_request_queue_wait (self, request);
  self->in_flight++;
  return true;
}

/* One that has entered leaves. The next may be there then, see below. */
static inline void
gaio_request_queue_leave (GaioRequestQueue *self)
{
  self->in_flight--;
}

/* The request whose turn it is, which has now entered; NULL when none waits or there is no room. */
GaioRequest *gaio_request_queue_next (GaioRequestQueue *self);

/* Takes one that waits out. */
void gaio_request_queue_remove (GaioRequestQueue *self, GaioRequest *request);
