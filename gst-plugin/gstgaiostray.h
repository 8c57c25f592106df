/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Files that something may still be written to, though nobody waits for it any more. */

#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include <glib.h>

G_BEGIN_DECLS

/* One of them; its owner's memory. */
typedef struct
{
  dev_t device;
  ino_t inode;
  guint64 n_bytes; /* that the kernel had when they were given up */

  /*< private >*/
  GList link;
  bool is_listed;
} GstGaioStray;

/* Thread: any. */
void gst_gaio_stray_add (GstGaioStray *self);

/* Thread: any. Nothing that was begun will change the file any more. May be called for one that
 * was not added. */
void gst_gaio_stray_remove (GstGaioStray *self);

/* Thread: any that may wait. Until there is none for the file of this name, or until
 * `deadline_us`, in the time of g_get_monotonic_time(), or for ever with G_MAXINT64. FALSE: there
 * still is one, of `n_bytes`. */
bool gst_gaio_stray_wait (const char *path, gint64 deadline_us, guint64 *n_bytes);

G_END_DECLS
