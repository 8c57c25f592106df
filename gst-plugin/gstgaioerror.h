/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Error messages that tell what the system said, and where in the file. */

#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* Posts an error of the domain GST_RESOURCE_ERROR. Takes `text` and `debug`; both may be NULL, and
 * without a text the application gets GStreamer's own, in its language. The details of the message
 * are `errno`, an int, and `offset`, a guint64: where in the file it happened.
 *
 * Thread: any; no lock of the element may be held. */
#define gst_gaio_post_error(element, code, text, debug, errnum, offset)                            \
  gst_gaio_post_error_at (GST_ELEMENT (element), code, text, debug, errnum, offset, __FILE__,      \
                          GST_FUNCTION, __LINE__)

void gst_gaio_post_error_at (GstElement *element,
                             GstResourceError code,
                             char *text,
                             char *debug,
                             int errnum,
                             guint64 offset,
                             const char *file,
                             const char *function,
                             int line);

G_END_DECLS
