/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The enumerations as types: their nicks are what a launch line says, and the names beside them
 * what gst-inspect-1.0 shows. */

#include "gstgaiofilesink-enums.h"
#include "gstgaiowindow.h"

#define DEFINE_ENUM(TypeName, type_name, ...)                                                      \
  GType type_name##_get_type (void)                                                                \
  {                                                                                                \
    static const GEnumValue values[] = { __VA_ARGS__, { 0 } };                                     \
    static gsize type;                                                                             \
                                                                                                   \
    if (g_once_init_enter (&type))                                                                 \
      g_once_init_leave (&type, g_enum_register_static (#TypeName, values));                       \
    return type;                                                                                   \
  }

DEFINE_ENUM (GstGaioFileSinkFileMode,
             gst_gaio_file_sink_file_mode,
             { GST_GAIO_FILE_SINK_FILE_MODE_TRUNCATE, "Empty an existing file", "truncate" },
             { GST_GAIO_FILE_SINK_FILE_MODE_APPEND, "Add to its end", "append" },
             { GST_GAIO_FILE_SINK_FILE_MODE_OVERWRITE, "Write from its beginning", "overwrite" })

DEFINE_ENUM (GstGaioFileSinkBufferMode,
             gst_gaio_file_sink_buffer_mode,
             { GST_GAIO_FILE_SINK_BUFFER_MODE_DEFAULT, "Gather small buffers", "default" },
             { GST_GAIO_FILE_SINK_BUFFER_MODE_FULL, "Same as default", "full" },
             { GST_GAIO_FILE_SINK_BUFFER_MODE_LINE, "Same as default", "line" },
             { GST_GAIO_FILE_SINK_BUFFER_MODE_UNBUFFERED,
               "Write each buffer or buffer list at once", "unbuffered" })

DEFINE_ENUM (GstGaioFileSinkOverflow,
             gst_gaio_file_sink_overflow,
             { GST_GAIO_FILE_SINK_OVERFLOW_BLOCK, "Wait for the disk", "block" },
             { GST_GAIO_FILE_SINK_OVERFLOW_ERROR, "Fail", "error" },
             { GST_GAIO_FILE_SINK_OVERFLOW_DROP, "Drop the newest data", "drop" })

DEFINE_ENUM (GstGaioFileSinkDirect,
             gst_gaio_file_sink_direct,
             { GST_GAIO_FILE_SINK_DIRECT_NO, "Through the page cache", "no" },
             { GST_GAIO_FILE_SINK_DIRECT_AUTO, "Past it where possible", "auto" },
             { GST_GAIO_FILE_SINK_DIRECT_YES, "Past it, or fail", "yes" })

DEFINE_ENUM (GstGaioFileSinkSyncAfter,
             gst_gaio_file_sink_sync_after,
             { GST_GAIO_FILE_SINK_SYNC_AFTER_BARRIER, "Durable before anything later is written",
               "barrier" },
             { GST_GAIO_FILE_SINK_SYNC_AFTER_WAIT, "Wait until it is durable", "wait" },
             { GST_GAIO_FILE_SINK_SYNC_AFTER_IGNORE, "Do nothing", "ignore" })

DEFINE_ENUM (GstGaioFileSinkBackend,
             gst_gaio_file_sink_backend,
             { GST_GAIO_FILE_SINK_BACKEND_AUTO, "io_uring where it is available, else threads",
               "auto" },
             { GST_GAIO_FILE_SINK_BACKEND_URING, "io_uring, else threads", "uring" },
             { GST_GAIO_FILE_SINK_BACKEND_THREADS, "Threads that block", "threads" })

DEFINE_ENUM (GstGaioHold,
             gst_gaio_hold,
             { GST_GAIO_HOLD_AUTO, "As is cheaper for the sink and upstream", "auto" },
             { GST_GAIO_HOLD_REF, "Keep a reference until it is written", "ref" },
             { GST_GAIO_HOLD_COPY, "Copy, and give it back at once", "copy" })

DEFINE_ENUM (GstGaioSyncMode,
             gst_gaio_sync_mode,
             { GST_GAIO_SYNC_NONE, "Never", "none" },
             { GST_GAIO_SYNC_EOS, "Before EOS is posted", "eos" },
             { GST_GAIO_SYNC_PERIODIC, "Also every sync-interval", "periodic" })
