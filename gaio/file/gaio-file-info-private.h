/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <sys/stat.h>

#include <gio/gio.h>

/* What statx(2) is to be asked for all that there is a place for. */
#define GAIO_FILE_INFO_MASK_ALL (STATX_BASIC_STATS | STATX_BTIME)


/* What statx(2) says of a file, as GIO puts it. `path` may be NULL; `attributes` is a list as in
 * g_file_query_info(), NULL for all. Thread: any. */
GFileInfo *gaio_file_info_new (const struct statx *statx, const char *path, const char *attributes);
