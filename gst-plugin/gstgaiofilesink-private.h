/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the files of the element share. gstgaiofilesink.c has its type and URIs, -properties.c what
 * can be set, -open.c the file, -run.c states, events and queries, -data.c what comes in, and
 * -report.c what it says. */

#pragma once

#include <stdatomic.h>

#include "gstgaioerror.h"
#include "gstgaiofilesink-enums.h"
#include "gstgaiofilesink.h"
#include "gstgaiowindow.h"

G_BEGIN_DECLS

#define GST_GAIO_FILE_SINK_BUFFER_SIZE (64 * 1024)

GST_DEBUG_CATEGORY_EXTERN (gst_gaio_file_sink_debug);
#define GST_CAT_DEFAULT gst_gaio_file_sink_debug

/* The properties of that name; enumerations as int, so that all are set in the same way. */
typedef struct
{
  int file_mode;
  gboolean append;
  gboolean o_sync;
  int max_transient_error_timeout_ms;
  int buffer_mode;
  guint buffer_size;
  guint64 max_bytes;
  guint64 max_time_ns;
  int overflow;
  int hold;
  guint chunk_size;
  guint flush_interval_ms;
  guint max_in_flight;
  int direct;
  guint64 preallocate;
  int sync_after;
  int sync_mode;
  guint sync_interval_ms;
  gboolean drop_cache;
  guint64 drain_timeout_ns;
  guint64 stall_warning_ns;
  char *context;
  int backend;
} GstGaioFileSinkSettings;

struct _GstGaioFileSink
{
  GstBaseSink parent_instance;

  /* under the object lock; the first three and the window change while no file is open only, so
   * that the streaming thread may read them without it */
  char *location; /* in the file system's encoding */
  char *uri;      /* the same */
  GstGaioWindow *window; /* NULL while no file is open */
  GstGaioFileSinkSettings settings;
  GstStructure *last_stats;

  /* from start to stop, and not changed between */
  GstGaioFileSinkSettings run; /* the settings of this run, without the strings */
  GaioFile *file;
  gboolean can_position; /* the file has positions */
  gboolean is_regular;
  guint64 base;          /* its length at the start, when we append; else 0 */

  /* streaming thread */
  gboolean has_gap;      /* something could not be accepted: nothing more is */
  gboolean has_sought;   /* and nothing was accepted since */
  guint64 end;           /* the highest position that was reached */
  guint64 n_rendered;    /* buffers that were accepted */
  gboolean overflows;    /* the last buffer was dropped, and since that began: */
  guint64 overflow_bytes;
  guint64 overflow_buffers;

  /* atomic */
  _Atomic guint64 position; /* where the next byte goes, in the stream's eyes; streaming thread */
  _Atomic guint64 bytes_dropped;
  _Atomic guint64 buffers_dropped;
  atomic_bool seekable;     /* whether muxers may go back */
  atomic_bool has_failed;   /* the one error message of this run is posted */
  atomic_bool stats_due;    /* something was accepted since the statistics were posted */
};

/* Thread: that of the class's or the instance's making. */
void gst_gaio_file_sink_properties_class_init (GstGaioFileSinkClass *klass);
void gst_gaio_file_sink_properties_init (GstGaioFileSink *self);

/* Thread: any. FALSE when a file is open: it keeps its name. */
gboolean gst_gaio_file_sink_set_location (GstGaioFileSink *self, const char *location);

/* Thread: that which changes the state. Opens the file with the settings in `run`, and makes the
 * window for it. FALSE: the error is posted. */
gboolean gst_gaio_file_sink_open (GstGaioFileSink *self,
                                  const char *location,
                                  const char *context_name);

/* When so much time has passed from now on, in that of g_get_monotonic_time(); G_MAXUINT64 and all
 * that the clock will not come to are G_MAXINT64. */
gint64 gst_gaio_file_sink_get_deadline_us (guint64 timeout_ns);

/* Set the methods of the classes below GObject. */
void gst_gaio_file_sink_run_class_init (GstGaioFileSinkClass *klass);
void gst_gaio_file_sink_data_class_init (GstGaioFileSinkClass *klass);

/* Thread: streaming. Waits until all is done; GST_FLOW_OK means it is. */
GstFlowReturn gst_gaio_file_sink_drain (GstGaioFileSink *self);

/* Thread: streaming, or when that is gone. Says what was dropped, when an overflow is over. */
void gst_gaio_file_sink_end_overflow (GstGaioFileSink *self);

/* Posts the error of this run, if it is the first; takes `text` and `debug`. Without a text the
 * application gets GStreamer's own, in its language. Thread: any, no lock held. */
#define gst_gaio_file_sink_post_error(self, code, text, debug, errnum, offset)  \
  G_STMT_START                                                                  \
  {                                                                             \
    char *text_ = (text);                                                       \
    char *debug_ = (debug);                                                     \
                                                                                \
    if (gst_gaio_file_sink_is_first_error ((self), debug_))                     \
      {                                                                         \
        gst_gaio_post_error ((self), (code), text_, debug_, (errnum), (offset)); \
      }                                                                         \
    else                                                                        \
      {                                                                         \
        g_free (text_);                                                         \
        g_free (debug_);                                                        \
      }                                                                         \
  }                                                                             \
  G_STMT_END

/* Thread: any. Whether there was no error in this run before; then this one has to be posted, else
 * it is logged. */
gboolean gst_gaio_file_sink_is_first_error (GstGaioFileSink *self, const char *debug);

/* Thread: that which changes the state. The file could not be finished in time; `stats` are the
 * last ones of the window. */
void gst_gaio_file_sink_post_timeout (GstGaioFileSink *self, const GstGaioWindowStats *stats);

/* Thread: streaming. A buffer, or a list that begins with it, was dropped. */
void gst_gaio_file_sink_post_qos (GstGaioFileSink *self, GstBuffer *buffer);

/* Thread: streaming, or when that is gone. An overflow has begun or is over. */
void gst_gaio_file_sink_post_overflow (GstGaioFileSink *self, gboolean active);

/* Thread: any, no lock held. Posts them, if anything was accepted since the last time. */
void gst_gaio_file_sink_post_stats (GstGaioFileSink *self);

/* Thread: any, no lock held. The value of io-stats. */
GstStructure *gst_gaio_file_sink_get_stats (GstGaioFileSink *self);

/* The same of an open file, with the object lock held or not; `abandon`: what is not written is
 * lost. */
GstStructure *gst_gaio_file_sink_make_stats (GstGaioFileSink *self, gboolean abandon);

/* What the window calls. */
extern const GstGaioWindowEvents gst_gaio_file_sink_window_events;

G_END_DECLS
