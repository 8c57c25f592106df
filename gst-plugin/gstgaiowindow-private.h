/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the two sides of a window share: gstgaiowindow.c is the streaming thread's, and
 * gstgaiowriter.c that of the loop's thread. */

#pragma once

#include <stdbool.h>

#include "gstgaiojob.h"
#include "gstgaiostray.h"
#include "gstgaiowindow.h"

G_BEGIN_DECLS

/* "gaiofilesink-io": what is done to files, one line for each beginning and each end. */
GST_DEBUG_CATEGORY_EXTERN (gst_gaio_window_debug);
#define GST_CAT_DEFAULT gst_gaio_window_debug

/* One request, which is in flight or idle. */
typedef struct
{
  GstGaioWindow *window;
  GaioRequest *request;
  GPtrArray *batch; /* (element-type GBytes) the memory it writes */
  bool busy;
  bool to_retry; /* it waits for the retry timer */
  GstGaioOperationKind kind;
  guint64 offset;
  gsize size;
  gsize cost;
  guint n_held;    /* buffers held by reference in it */
  gint64 since_ns; /* when its oldest byte was accepted */
  gint64 started_ns;
  gint64 retry_since_ns; /* of the first error that it is tried again after; 0: none */
} GstGaioSlot;

#define GST_GAIO_N_LATENCIES 48

struct _GstGaioWindow
{
  gint refs; /* (atomic) the sink's, and that of a function on its way to the loop's thread */

  /* immutable */
  GstGaioWindowConfig config;
  GstGaioWindowEvents events;
  GstGaioLoop *loop;
  GaioFile *file;
  GaioContext *context; /* of the loop */
  gsize alignment;      /* of writes; 1 without direct I/O */

  GstGaioStray stray; /* listed when the window is left to itself and the file may change */

  /* streaming thread */
  GstGaioTail tail; /* where small buffers go */

  /* the loop's thread; `busy` and the times in a slot are changed under the lock too */
  GaioBottomHalf *pump_bh;
  GaioTimer *age_timer;   /* bytes have waited long enough for more */
  GaioTimer *stall_timer; /* a write may have taken too long */
  GaioTimer *retry_timer;
  GaioTimer *sync_timer;
  GstGaioSlot *slots; /* config.max_in_flight */
  GstGaioJob jobs[GST_GAIO_N_JOBS];
  guint64 top;       /* the end of what was written */
  guint64 valid;     /* after a failure: so far the file is as it should be */
  GError *pending_error; /* of the first write, by its place, that has failed; while `failing` */
  guint64 pending_offset; /* that place, and */
  gsize pending_written;  /* how much those that failed have written */
  guint64 durable;   /* what comes before was synced */
  guint64 syncing;   /* and will be, when the sync that runs has ended */
  guint64 allocated; /* blocks are allocated up to here */
  guint64 length;    /* the file's at the beginning, or of the last truncation */
  guint64 begin;     /* where the stream began, or begins anew after that, and */
  guint64 begun;     /* what had been written by then */
  guint64 dropped;   /* up to here the page cache was told to forget */
  bool may_allocate;
  bool has_allocated;
  bool stalled;  /* and that was reported */
  bool unsynced; /* something was written since the last sync */
  bool leaving;  /* the last to end tears the writer down */
  GQueue tales;  /* what the sink is still to be told, behind what it is being told */
  bool telling_failure; /* a failure is among them, or was told */

  GMutex lock;
  GCond cond;

  /* under lock */
  GstObject *sink; /* NULL: nobody wants to hear of it any more */
  guint64 max_bytes;
  guint64 max_time_ns;
  GQueue queue;     /* of GstGaioOperation */
  gsize queued;     /* bytes in it */
  guint64 end;      /* where the last byte that was accepted ends */
  bool sequential;  /* each began where the one before ended */
  bool unfinished;  /* something was accepted since the last GST_GAIO_OPERATION_FINISH */
  gsize gather;     /* an idle writer begins at so many bytes */
  gint64 taken_ns;  /* the last time that something was taken from the queue, and */
  guint64 taken_at; /* what had been accepted by then */
  guint n_busy;     /* slots in flight */
  guint n_jobs;     /* jobs that run */
  guint n_tales;    /* what the sink is being told, and still to be told */
  bool alone;       /* what is in flight has to end before anything else begins */
  bool kicked;      /* the bottom half is scheduled: it pumps */
  bool timed;       /* the age timer is armed: it pumps */
  bool hurry;       /* write even little, until the queue is empty */
  guint interrupts; /* of GstGaioInterrupt */
  bool failing;     /* something has failed; it is not known yet what comes first, or being told */
  bool failed;
  bool closed;    /* the file: nothing comes after that */
  bool torn_down; /* the loop's thread will not touch it any more */
  guint n_draining;
  bool waiting;       /* somebody waits for room, and */
  guint64 wake_level; /* is to be woken when no more than this is held */
  guint64 paced_at;   /* what had been accepted when the source was last looked at for its speed */
  gint64 paced_ns;    /* and when that was */
  GstGaioWindowStats stats;
  guint64 latencies[GST_GAIO_N_LATENCIES]; /* of writes, by powers of two of ns */
};

void gst_gaio_window_unref (GstGaioWindow *self);

/* The writer. Thread: any, with the lock held: sees to it that what is queued will be written. */
void gst_gaio_writer_arrange_locked (GstGaioWindow *self);
void gst_gaio_writer_kick_locked (GstGaioWindow *self);

/* Thread: any, with the lock held. When the oldest byte was accepted that is not written;
 * G_MAXINT64 when there is none. */
gint64 gst_gaio_writer_get_oldest_locked (GstGaioWindow *self);

/* Thread: that of gst_gaio_window_new(), before anything is pushed. */
void gst_gaio_writer_init (GstGaioWindow *self);

/* Thread: the loop's, once. When nothing is in flight any more, or with `cancel` is to be, gives up
 * what only that thread may touch, sets `torn_down` and drops the caller's reference. */
void gst_gaio_writer_leave (GstGaioWindow *self, gboolean cancel);

G_END_DECLS
