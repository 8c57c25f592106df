/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* I/O threads that elements share. */

#pragma once

#include <gaio/gaio.h>
#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct _GstGaioLoop GstGaioLoop;

/* Thread: any. The I/O thread of the disk which the open file `fd` is on; of those that this disk
 * has, the one of this name, which may be NULL or "", and for which this engine was asked. What is
 * on no disk shares that of the name. It is started for the first that asks, and ends with the last
 * reference. NULL, with an error, when there is no thread to be had. */
GstGaioLoop *
gst_gaio_loop_acquire (const char *name, GaioEngine engine, int fd, GError **error);

/* Thread: any. After the last one, in any thread but the loop's own, the thread has ended. */
void gst_gaio_loop_unref (GstGaioLoop *self);

/* Thread: any. Belong to the loop. The pool is for what may wait for the disk, and the tellers are
 * for what may wait for the program. */
GaioContext *gst_gaio_loop_get_context (GstGaioLoop *self);
GaioThreadPool *gst_gaio_loop_get_pool (GstGaioLoop *self);
GaioThreadPool *gst_gaio_loop_get_tellers (GstGaioLoop *self);

/* Thread: any. The beginning of an element's statistics: which engine a loop's context has, and
 * why. */
GstStructure *gst_gaio_loop_make_stats (GaioContext *context, const char *name);

G_END_DECLS
