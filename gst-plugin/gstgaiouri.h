/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* URIs of files, as filesrc and filesink take them. */

#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

/* Thread: any. The name of the file that a URI is for, or NULL for `file://`, which takes the name
 * away; FALSE with an error of GST_URI_ERROR if it is for none. */
gboolean gst_gaio_uri_get_location (const char *uri, char **location, GError **error);

G_END_DECLS
