/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The window: bytes that a sink has accepted and the file does not yet have. */

#pragma once

#include <sys/types.h>

#include <gaio/gaio.h>
#include <gst/gst.h>

#include "gstgaioloop.h"
#include "gstgaiooperation.h"

G_BEGIN_DECLS

typedef struct _GstGaioWindow GstGaioWindow;

/* How a call that may wait came back. */
typedef enum
{
  GST_GAIO_WINDOW_OK,
  GST_GAIO_WINDOW_INTERRUPTED, /* nothing was done; to be called again */
  GST_GAIO_WINDOW_FULL,        /* nothing was done: there is no room, and one is not to wait */
  GST_GAIO_WINDOW_TIMED_OUT,   /* of a drain: its deadline has passed */
  GST_GAIO_WINDOW_FAILED,      /* something has failed and was reported; nothing works any more */
  GST_GAIO_WINDOW_UNREADABLE,  /* the buffer's memory cannot be mapped; nothing was done */
} GstGaioWindowResult;

/* What is done about durability, beside the syncs that are asked for. */
typedef enum
{
  GST_GAIO_SYNC_NONE,     /* nothing; but what write-back has failed is found at the end */
  GST_GAIO_SYNC_EOS,      /* at the end of the stream: data, length and name */
  GST_GAIO_SYNC_PERIODIC, /* the same, and the data every so often */
} GstGaioSyncMode;

/* What the sink wants; does not change while the file is open, but for the first two. */
typedef struct
{
  guint64 max_bytes;         /* memory that may be held */
  guint64 max_time_ns;       /* age of the oldest byte that is not written; 0: any */
  gsize gather_bytes;        /* an idle writer begins at so many */
  gsize chunk_bytes;         /* a write joins no more than that */
  guint64 flush_interval_ns; /* bytes wait no longer for more to join them */
  guint max_in_flight;       /* writes at once; 1 at least */
  GstGaioHold hold;
  gboolean is_regular; /* has a length, blocks and a page cache */
  gboolean can_position;
  gboolean direct;           /* the file is open for direct I/O */
  guint64 base;              /* where the stream begins in the file */
  guint64 length;            /* what the file has at the beginning */
  guint64 preallocate_bytes; /* blocks are allocated so far ahead; 0: not */
  GstGaioSyncMode sync_mode;
  guint64 sync_interval_ns; /* of GST_GAIO_SYNC_PERIODIC */
  gboolean drop_cache;      /* what is on the disk leaves the page cache */
  guint64 stall_warning_ns; /* a write that takes longer is reported; 0: none is */
  guint64 transient_ns;     /* EACCES, ENOSPC and EDQUOT are tried again for so long */
  dev_t device;             /* which file it is */
  ino_t inode;
} GstGaioWindowConfig;

/* What could not be done, and why. */
typedef struct
{
  GstGaioOperationKind kind;
  guint64 offset; /* of the first byte that is not, or may not be, in the file */
  const GError *error;
} GstGaioFailure;

/* Called in a worker, one after the other and with no lock held. They may take long, which holds up
 * the window's drain and its failure only. None is called after gst_gaio_window_free() or
 * gst_gaio_window_abandon(), but for one that has begun, which has a reference on `sink` of its
 * own. */
typedef struct
{
  /* Once at most, before anybody can see that the window has failed. */
  void (*failed) (GstObject *sink, const GstGaioFailure *failure);

  /* A write takes longer than it should, and then: it has ended. `age_ns` is what it has taken. */
  void (*stalled) (GstObject *sink, gboolean active, guint64 age_ns, guint64 level);
} GstGaioWindowEvents;

typedef struct
{
  guint64 accepted;   /* bytes taken */
  guint64 written;    /* of them in the file */
  guint64 lost;       /* of them dropped by a truncation, a failure, or an end too soon */
  guint64 level;      /* of them waiting: accepted - written - lost */
  guint64 level_peak; /* the highest level there was */
  guint64 held;       /* bytes of memory the waiting ones hold */
  guint64 held_peak;
  guint64 held_buffers;    /* operations that hold a buffer by reference now */
  guint64 copies;          /* buffers that were copied and not held by reference */
  guint64 copied;          /* bytes of them */
  guint64 writes;          /* write requests that ended well */
  guint64 write_bytes_min; /* of one of them */
  guint64 write_bytes_max;
  guint64 write_ns_p50; /* from submission to end; bounds of a histogram by powers of two */
  guint64 write_ns_p99;
  guint64 write_ns_max;
  guint64 render_ns_max; /* the longest push, waits for room not counted */
  guint64 syncs;         /* sync requests that ended well */
  guint64 sync_ns;       /* time they took */
  guint64 waits;         /* times that somebody waited for room */
  guint64 waited_ns;     /* time spent so */
  guint64 stalls;        /* writes that took longer than they should */
  guint64 longest_stall_ns;
  guint64 retries;        /* writes tried again after an error that may go away */
  guint in_flight;        /* writes now */
  guint64 pending_offset; /* of the first byte accepted and not written; G_MAXUINT64: none */
  gboolean finished;      /* nothing is left to do but to close the file */
} GstGaioWindowStats;

/* Thread: any. Takes a reference on `file`, and takes over the loop, which the file's context is
 * of. `sink` is not kept alive. */
GstGaioWindow *gst_gaio_window_new (GstGaioLoop *loop,
                                    GaioFile *file,
                                    const GstGaioWindowConfig *config,
                                    const GstGaioWindowEvents *events,
                                    GstObject *sink);

/* Thread: any but the loop's, when nobody else uses the window any more and all was drained or has
 * failed. Waits for the loop's thread to let go of it, with the file closed. */
void gst_gaio_window_free (GstGaioWindow *self);

/* Thread: any. Instead of gst_gaio_window_free(), when it could not be drained in time: drops what
 * is not being written, and leaves the rest, with the file, to the loop's thread, which frees it
 * when the kernel has let go of it. As long as the file may still change it is a stray. */
void gst_gaio_window_abandon (GstGaioWindow *self);

/* Thread: one at a time (the streaming thread). Takes a reference on `buffer` or copies it. A
 * buffer is taken as a whole or not at all. When there is no room for it it waits, or with
 * `may_wait` FALSE does not. */
GstGaioWindowResult
gst_gaio_window_push (GstGaioWindow *self, GstBuffer *buffer, guint64 offset, gboolean may_wait);

/* Thread: that of push. Whether so many more bytes, of one buffer or several, would be taken
 * without a wait. */
gboolean gst_gaio_window_has_room (GstGaioWindow *self, gsize size);

/* Thread: that of push. Drops what is not being written, and sets the length of the file. */
void gst_gaio_window_truncate (GstGaioWindow *self, guint64 length);

/* Thread: that of push. The data of what was pushed before becomes durable before anything pushed
 * later is written. */
void gst_gaio_window_sync (GstGaioWindow *self);

/* Thread: any. Lets the writer take all there is, without waiting for more to join it. */
void gst_gaio_window_flush (GstGaioWindow *self);

/* Thread: any but the loop's; not beside a push. The end of the stream: when it has been drained
 * the file has its true length, is as durable as the configuration asks for, and errors of
 * write-back that have happened were found. More may be pushed afterwards. */
void gst_gaio_window_finish (GstGaioWindow *self);

/* Thread: the same. Finishes, and closes the file as soon as that is done. Nothing may be pushed
 * afterwards. */
void gst_gaio_window_close (GstGaioWindow *self);

/* Thread: any but the loop's. Flushes, and waits until all is done; after a failure, when it is
 * not interruptible, until the file is closed. `deadline_us` is in the time of
 * g_get_monotonic_time(), or G_MAXINT64. */
GstGaioWindowResult
gst_gaio_window_drain (GstGaioWindow *self, gboolean interruptible, gint64 deadline_us);

/* Thread: any. While any reason is set, nobody waits. */
typedef enum
{
  GST_GAIO_INTERRUPT_UNLOCK = 1 << 0, /* the base class wants the streaming thread back */
  GST_GAIO_INTERRUPT_RESUME = 1 << 1, /* the sink is on its way to PLAYING */
} GstGaioInterrupt;

void gst_gaio_window_interrupt (GstGaioWindow *self, GstGaioInterrupt reason);
void gst_gaio_window_resume (GstGaioWindow *self, GstGaioInterrupt reason);

/* Thread: any. */
void gst_gaio_window_set_limits (GstGaioWindow *self, guint64 max_bytes, guint64 max_time_ns);
void gst_gaio_window_get_stats (GstGaioWindow *self, GstGaioWindowStats *stats);

/* Thread: any. Bytes accepted and not yet written. */
guint64 gst_gaio_window_get_level (GstGaioWindow *self);

G_END_DECLS
