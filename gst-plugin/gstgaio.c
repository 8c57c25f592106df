/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The plugin: registration only. Each element registers itself in its own file. */

#include <gst/gst.h>

#include "gstgaiofilesink.h"
#include "gstgaiofilesrc.h"

static gboolean
plugin_init (GstPlugin *plugin)
{
  gboolean ok = GST_ELEMENT_REGISTER (gaiofilesink, plugin);

  ok = GST_ELEMENT_REGISTER (gaiofilesrc, plugin) && ok;
  return ok;
}

GST_PLUGIN_DEFINE (GST_VERSION_MAJOR,
                   GST_VERSION_MINOR,
                   gaio,
                   "File elements whose I/O never runs on the streaming thread",
                   plugin_init,
                   VERSION,
                   "LGPL",
                   GST_PACKAGE_NAME,
                   GST_PACKAGE_ORIGIN)
