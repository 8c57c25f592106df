/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gst/base/gstbasesink.h>

G_BEGIN_DECLS

#define GST_TYPE_GAIO_FILE_SINK (gst_gaio_file_sink_get_type ())
G_DECLARE_FINAL_TYPE (GstGaioFileSink, gst_gaio_file_sink, GST, GAIO_FILE_SINK, GstBaseSink)

GST_ELEMENT_REGISTER_DECLARE (gaiofilesink);

G_END_DECLS
