/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The enumerations of gaiofilesink's properties. */

#pragma once

#include <gaio/gaio.h>
#include <gst/gst.h>

G_BEGIN_DECLS

/**
 * GstGaioFileSinkFileMode:
 * @GST_GAIO_FILE_SINK_FILE_MODE_TRUNCATE: empty the file that is there
 * @GST_GAIO_FILE_SINK_FILE_MODE_APPEND: add to its end
 * @GST_GAIO_FILE_SINK_FILE_MODE_OVERWRITE: write from its beginning; what lies behind the end of
 *     the stream stays
 *
 * What becomes of a file that is there already.
 *
 * Since: 1.0
 */
typedef enum
{
  GST_GAIO_FILE_SINK_FILE_MODE_TRUNCATE = 1,
  GST_GAIO_FILE_SINK_FILE_MODE_APPEND = 2,
  GST_GAIO_FILE_SINK_FILE_MODE_OVERWRITE = 3,
} GstGaioFileSinkFileMode;

/**
 * GstGaioFileSinkBufferMode:
 * @GST_GAIO_FILE_SINK_BUFFER_MODE_DEFAULT: gather small buffers
 * @GST_GAIO_FILE_SINK_BUFFER_MODE_FULL: the same
 * @GST_GAIO_FILE_SINK_BUFFER_MODE_LINE: the same
 * @GST_GAIO_FILE_SINK_BUFFER_MODE_UNBUFFERED: write each buffer or buffer list at once
 *
 * Whether small buffers wait for others to join them. The values are those of filesink, which tells
 * the first three apart.
 *
 * Since: 1.0
 */
typedef enum
{
  GST_GAIO_FILE_SINK_BUFFER_MODE_DEFAULT = -1,
  GST_GAIO_FILE_SINK_BUFFER_MODE_FULL = 0,
  GST_GAIO_FILE_SINK_BUFFER_MODE_LINE = 1,
  GST_GAIO_FILE_SINK_BUFFER_MODE_UNBUFFERED = 2,
} GstGaioFileSinkBufferMode;

/**
 * GstGaioFileSinkOverflow:
 * @GST_GAIO_FILE_SINK_OVERFLOW_BLOCK: the streaming thread waits for the disk
 * @GST_GAIO_FILE_SINK_OVERFLOW_ERROR: an error message, and the end of the stream
 * @GST_GAIO_FILE_SINK_OVERFLOW_DROP: the newest buffer or buffer list is not written
 *
 * What to do with data for which there is no room.
 *
 * Since: 1.0
 */
typedef enum
{
  GST_GAIO_FILE_SINK_OVERFLOW_BLOCK,
  GST_GAIO_FILE_SINK_OVERFLOW_ERROR,
  GST_GAIO_FILE_SINK_OVERFLOW_DROP,
} GstGaioFileSinkOverflow;

/**
 * GstGaioFileSinkDirect:
 * @GST_GAIO_FILE_SINK_DIRECT_NO: through the page cache
 * @GST_GAIO_FILE_SINK_DIRECT_AUTO: past it, where the file system can
 * @GST_GAIO_FILE_SINK_DIRECT_YES: past it, or not at all
 *
 * Whether the file is written with `O_DIRECT`.
 *
 * Since: 1.0
 */
typedef enum
{
  GST_GAIO_FILE_SINK_DIRECT_NO,
  GST_GAIO_FILE_SINK_DIRECT_AUTO,
  GST_GAIO_FILE_SINK_DIRECT_YES,
} GstGaioFileSinkDirect;

/**
 * GstGaioFileSinkSyncAfter:
 * @GST_GAIO_FILE_SINK_SYNC_AFTER_BARRIER: the data becomes durable before anything later is
 *     written, and nobody waits for it
 * @GST_GAIO_FILE_SINK_SYNC_AFTER_WAIT: the same, and the streaming thread waits for it, as with
 *     filesink
 * @GST_GAIO_FILE_SINK_SYNC_AFTER_IGNORE: nothing
 *
 * What %GST_BUFFER_FLAG_SYNC_AFTER does.
 *
 * Since: 1.0
 */
typedef enum
{
  GST_GAIO_FILE_SINK_SYNC_AFTER_BARRIER,
  GST_GAIO_FILE_SINK_SYNC_AFTER_WAIT,
  GST_GAIO_FILE_SINK_SYNC_AFTER_IGNORE,
} GstGaioFileSinkSyncAfter;

/**
 * GstGaioFileSinkBackend:
 * @GST_GAIO_FILE_SINK_BACKEND_AUTO: io_uring where the system allows it, else threads
 * @GST_GAIO_FILE_SINK_BACKEND_URING: io_uring, or threads where the system does not allow it
 * @GST_GAIO_FILE_SINK_BACKEND_THREADS: blocking calls in threads
 *
 * How the file is written.
 *
 * Since: 1.0
 */
typedef enum
{
  GST_GAIO_FILE_SINK_BACKEND_AUTO = GAIO_ENGINE_AUTO,
  GST_GAIO_FILE_SINK_BACKEND_URING = GAIO_ENGINE_IO_URING,
  GST_GAIO_FILE_SINK_BACKEND_THREADS = GAIO_ENGINE_THREADS,
} GstGaioFileSinkBackend;

/* Thread: any. Those of GstGaioHold and GstGaioSyncMode are here too. */
GType gst_gaio_file_sink_file_mode_get_type (void);
GType gst_gaio_file_sink_buffer_mode_get_type (void);
GType gst_gaio_file_sink_overflow_get_type (void);
GType gst_gaio_file_sink_direct_get_type (void);
GType gst_gaio_file_sink_sync_after_get_type (void);
GType gst_gaio_file_sink_backend_get_type (void);
GType gst_gaio_hold_get_type (void);
GType gst_gaio_sync_mode_get_type (void);

G_END_DECLS
