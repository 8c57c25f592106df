/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gst/base/gstbasesrc.h>

G_BEGIN_DECLS

#define GST_TYPE_GAIO_FILE_SRC (gst_gaio_file_src_get_type ())
G_DECLARE_FINAL_TYPE (GstGaioFileSrc, gst_gaio_file_src, GST, GAIO_FILE_SRC, GstBaseSrc)

GST_ELEMENT_REGISTER_DECLARE (gaiofilesrc);

G_END_DECLS
