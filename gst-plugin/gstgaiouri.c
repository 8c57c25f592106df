/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What GStreamer calls a file's URI is not quite what GLib does: a `?` or a `#` belongs to the
 * name, so that pipelines that leave them as they are work. That of a name without a host, as
 * file:/name, is one too. */

#include <string.h>

#include "gstgaiouri.h"

#define SCHEME "file:"
#define AUTHORITY "//"
#define HOST "localhost"

gboolean
gst_gaio_uri_get_location (const char *uri, char **location, GError **error)
{
  const char *rest = uri + strlen (SCHEME);
  g_autofree char *plain = NULL;
  g_autofree char *found = NULL;

  if (g_ascii_strncasecmp (uri, SCHEME, strlen (SCHEME)) != 0 || *rest != '/')
    {
      g_set_error (error, GST_URI_ERROR, GST_URI_ERROR_BAD_URI, "'%s' is no file:// URI", uri);
      return FALSE;
    }
  if (g_str_has_prefix (rest, AUTHORITY))
    {
      rest += strlen (AUTHORITY);
      if (*rest == '\0')
        {
          *location = NULL;
          return TRUE;
        }
      if (g_ascii_strncasecmp (rest, HOST "/", strlen (HOST "/")) == 0)
        rest += strlen (HOST);
    }
  plain = g_strconcat (SCHEME AUTHORITY, rest, NULL);
  /* NULL for an escaped slash or NUL. */
  found = gst_uri_get_location (plain);
  if (found == NULL || !g_path_is_absolute (found))
    {
      g_set_error (error, GST_URI_ERROR, GST_URI_ERROR_BAD_URI,
                   "'%s' is no URI of a file on this host", uri);
      return FALSE;
    }
  *location = g_steal_pointer (&found);
  return TRUE;
}
