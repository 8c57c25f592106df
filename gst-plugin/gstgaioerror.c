/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Error messages: GStreamer's own macros, and details that a program can read. */

#include "gstgaioerror.h"

void
gst_gaio_post_error_at (GstElement *element,
                        GstResourceError code,
                        char *text,
                        char *debug,
                        int errnum,
                        guint64 offset,
                        const char *file,
                        const char *function,
                        int line)
{
  GstStructure *details = gst_structure_new ("details", "errno", G_TYPE_INT, errnum, "offset",
                                             G_TYPE_UINT64, offset, NULL);

  gst_element_message_full_with_details (element, GST_MESSAGE_ERROR, GST_RESOURCE_ERROR, code, text,
                                         debug, file, function, line, details);
}
