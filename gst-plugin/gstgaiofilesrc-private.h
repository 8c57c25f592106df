/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the two files of the element share. */

#pragma once

#include <stdatomic.h>

#include "gstgaiofilesrc.h"
#include "gstgaioreader.h"

G_BEGIN_DECLS

GST_DEBUG_CATEGORY_EXTERN (gst_gaio_file_src_debug);
#define GST_CAT_DEFAULT gst_gaio_file_src_debug

struct _GstGaioFileSrc
{
  GstBaseSrc parent_instance;

  /* under the object lock; those of the open file change in start and stop only, so that the
   * streaming thread may read them without it */
  char *location; /* in the file system's encoding */
  char *uri;      /* the same */
  guint64 read_ahead;
  guint read_size;
  GstGaioReader *reader; /* NULL while no file is open */
  GaioFile *file;
  GstStructure *last_stats;

  /* from start to stop */
  gboolean seekable;
  gboolean length_known; /* by the start, a moment ago */
  guint64 next;          /* where the next byte comes from, when nobody says; streaming thread */
  gboolean may_share;    /* downstream takes any memory that is aligned to */
  gsize align;           /* this, a mask; streaming thread */

  atomic_bool stats_due; /* something was read since the statistics were posted */
};

/* Thread: any. The value of io-stats. */
GstStructure *gst_gaio_file_src_get_stats (GstGaioFileSrc *self);

/* Sees to it that the statistics are posted at the end of a stream. For the instance's init. */
void gst_gaio_file_src_watch_end (GstGaioFileSrc *self);

/* Sets the methods of the classes below GObject. */
void gst_gaio_file_src_run_class_init (GstGaioFileSrcClass *klass);

G_END_DECLS
