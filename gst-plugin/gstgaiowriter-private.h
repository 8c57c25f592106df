/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the parts of a window's writer share. Thread: the loop's, for all of it. */

#pragma once

#include "gstgaiowindow-private.h"

G_BEGIN_DECLS

static inline gint64
gst_gaio_writer_get_now (void)
{
  return gaio_clock_get_ns (GAIO_CLOCK_MONOTONIC);
}

/* gstgaiowriter.c */

/* Whether the window has failed, or is about to; which another thread may have brought about. */
bool gst_gaio_writer_has_failed (GstGaioWindow *self);

/* The slot is free again. */
void gst_gaio_writer_succeed (GstGaioWindow *self, GstGaioSlot *slot);
void gst_gaio_writer_leave_slot (GstGaioWindow *self, GstGaioSlot *slot);

/* After something has ended, or hangs. The writer may be gone when this returns. */
void gst_gaio_writer_go_on (GstGaioWindow *self);

/* gstgaiowriter-take.c */

/* Whether the head of the queue may begin now, and whether there is enough to write. */
bool gst_gaio_writer_may_start_locked (GstGaioWindow *self);
bool gst_gaio_writer_wants_write_locked (GstGaioWindow *self);

/* Moves the head of the queue, and what continues it in the file, to the slot, which is busy then,
 * and to `batch`. */
void gst_gaio_writer_take_locked (GstGaioWindow *self, GstGaioSlot *slot, GQueue *batch);

/* gstgaiowriter-tell.c */

/* Something takes long, or has ended that did. */
void gst_gaio_writer_tell_stall (GstGaioWindow *self, bool active, gint64 age_ns);

/* The first time it is reported, and nothing begins any more; when that is done the window has
 * failed. `offset` is that of the first byte which is not, or may not be, in the file. */
void gst_gaio_writer_fail (GstGaioWindow *self,
                           GstGaioOperationKind kind,
                           guint64 offset,
                           gsize n_written,
                           const GError *error);

/* gstgaiowriter-side.c */

void gst_gaio_writer_allocate_ahead (GstGaioWindow *self, const GstGaioSlot *slot);
void gst_gaio_writer_drop_behind (GstGaioWindow *self);
void gst_gaio_writer_finish (GstGaioWindow *self);
void gst_gaio_writer_close (GstGaioWindow *self);

/* The functions of two timers. */
void gst_gaio_writer_sync_now (gpointer user_data);
void gst_gaio_writer_look_for_stall (gpointer user_data);

/* Something began, or has ended that began then. */
void gst_gaio_writer_watch_for_stall (GstGaioWindow *self, gint64 started_ns);
void gst_gaio_writer_see_end_of_stall (GstGaioWindow *self, gint64 started_ns);

G_END_DECLS
