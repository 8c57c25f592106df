/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The window: bytes that a sink has accepted and the file does not yet have. */

#pragma once

#include <gaio/gaio.h>
#include <gst/gst.h>

#include "gstgaiooperation.h"

G_BEGIN_DECLS

typedef struct _GstGaioWindow GstGaioWindow;

/* How a call that may wait came back. */
typedef enum
{
  GST_GAIO_WINDOW_OK,
  GST_GAIO_WINDOW_INTERRUPTED, /* nothing was done; to be called again */
  GST_GAIO_WINDOW_FAILED,      /* a write has failed and was reported; nothing works any more */
  GST_GAIO_WINDOW_UNREADABLE,  /* the buffer's memory cannot be mapped; nothing was done */
} GstGaioWindowResult;

/* Called once at most, in the home thread of the file's context, before anybody can see that the
 * window has failed. `offset` is that of the first byte that is not in the file. */
typedef void (*GstGaioWindowFailedFunc) (GstGaioOperationKind kind,
                                         guint64 offset,
                                         const GError *error,
                                         gpointer user_data);

typedef struct
{
  guint64 accepted;        /* bytes taken */
  guint64 written;         /* of them in the file */
  guint64 lost;            /* of them dropped by a truncation or after a failure */
  guint64 level;           /* of them waiting: accepted - written - lost */
  guint64 level_peak;      /* the highest level there was */
  guint64 held;            /* bytes of memory the waiting ones hold */
  guint64 held_peak;
  guint64 copied;          /* bytes that were copied and not held by reference */
  guint64 writes;          /* write requests that ended well */
  guint64 syncs;           /* sync requests that ended well */
  guint64 waits;           /* times that somebody waited for room */
  guint64 waited_ns;       /* time spent so */
} GstGaioWindowStats;

/* Thread: any. Takes a reference on `file`. */
GstGaioWindow *gst_gaio_window_new (GaioFile *file,
                                    guint64 max_bytes,
                                    gsize threshold_bytes,
                                    GstGaioWindowFailedFunc failed,
                                    gpointer user_data);

/* Thread: any, after the thread that runs the file's context has ended. */
void gst_gaio_window_free (GstGaioWindow *self);

/* Thread: one at a time (the streaming thread). Takes a reference on `buffer` or copies it. Waits
 * for room; a buffer is taken as a whole or not at all. */
GstGaioWindowResult gst_gaio_window_push (GstGaioWindow *self, GstBuffer *buffer, guint64 offset);

/* Thread: that of push. Drops what is not being written, and sets the length of the file. */
void gst_gaio_window_truncate (GstGaioWindow *self, guint64 length);

/* Thread: that of push. The data of what was pushed before becomes durable before anything pushed
 * later is written. */
void gst_gaio_window_sync (GstGaioWindow *self);

/* Thread: any. Lets the writer take all there is, without waiting for more to join it. */
void gst_gaio_window_flush (GstGaioWindow *self);

/* Thread: any but the context's. Flushes, and waits until all is in the file. */
GstGaioWindowResult gst_gaio_window_drain (GstGaioWindow *self, gboolean interruptible);

/* Thread: any. While any reason is set, nobody waits. */
typedef enum
{
  GST_GAIO_INTERRUPT_UNLOCK = 1 << 0, /* the base class wants the streaming thread back */
  GST_GAIO_INTERRUPT_RESUME = 1 << 1, /* the sink is on its way to PLAYING */
} GstGaioInterrupt;

void gst_gaio_window_interrupt (GstGaioWindow *self, GstGaioInterrupt reason);
void gst_gaio_window_resume (GstGaioWindow *self, GstGaioInterrupt reason);

/* Thread: any. */
void gst_gaio_window_set_max_bytes (GstGaioWindow *self, guint64 max_bytes);
void gst_gaio_window_get_stats (GstGaioWindow *self, GstGaioWindowStats *stats);

G_END_DECLS
