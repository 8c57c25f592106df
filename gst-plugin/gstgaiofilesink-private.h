/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the two files of the element share. */

#pragma once

#include <stdatomic.h>

#include "gstgaiofilesink.h"
#include "gstgaiowindow.h"

G_BEGIN_DECLS

#define GST_GAIO_FILE_SINK_BUFFER_SIZE (64 * 1024)

GST_DEBUG_CATEGORY_EXTERN (gst_gaio_file_sink_debug);
#define GST_CAT_DEFAULT gst_gaio_file_sink_debug

struct _GstGaioFileSink
{
  GstBaseSink parent_instance;

  /* under the object lock; those of the open file change in start and stop only, so that the
   * streaming thread may read them without it */
  char *location; /* in the file system's encoding */
  char *uri;      /* the same */
  gboolean append;
  guint buffer_size;
  guint64 max_bytes;
  GstGaioWindow *window; /* NULL while no file is open */
  GstStructure *last_stats;

  /* from start to stop */
  GaioIOThread *thread;
  GaioFile *file;
  gboolean can_position; /* the file has positions */
  gboolean is_regular;
  guint64 base;          /* its length at the start, when we append; else 0 */
  gboolean has_gap;      /* something could not be accepted: nothing more is; streaming thread */

  /* atomic */
  _Atomic guint64 position; /* where the next byte goes, in the stream's eyes; streaming thread */
  atomic_bool seekable;     /* whether muxers may go back */
  atomic_bool has_failed;   /* the one error message of this run is posted */
  atomic_bool stats_due;    /* something was accepted since the statistics were posted */
};

/* Thread: any. The value of io-stats. */
GstStructure *gst_gaio_file_sink_get_stats (GstGaioFileSink *self);

/* Sets the methods of the classes below GObject. */
void gst_gaio_file_sink_run_class_init (GstGaioFileSinkClass *klass);

G_END_DECLS
