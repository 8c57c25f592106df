/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#include <gio/gio.h>

/* What statx(2) is to be asked for all that there is a place for. */
#define GAIO_FILE_INFO_MASK_ALL (STATX_BASIC_STATS | STATX_BTIME)


/* What statx(2) says of a file, as GIO puts it. `path` may be NULL; `attributes` is a list as in
 * g_file_query_info(), NULL for all. Thread: any. */
GFileInfo *gaio_file_info_new (const struct statx *statx, const char *path, const char *attributes);

/* Which attributes are asked for, worked out once for many files. */
typedef struct
{
  GFileAttributeMatcher *matcher;
  guint mask; /* what statx(2) is to be asked for; 0: nothing */
  bool display_name;
} GaioFileInfoWish;

void gaio_file_info_wish_init (GaioFileInfoWish *self, const char *attributes);
void gaio_file_info_wish_clear (GaioFileInfoWish *self);

/* Whether no more is asked for than what is in a directory: names, or also types. */
static inline bool
gaio_file_info_wish_is_of_name (const GaioFileInfoWish *self)
{
  return self->mask == 0;
}

static inline bool
gaio_file_info_wish_is_of_type (const GaioFileInfoWish *self)
{
  return (self->mask & ~(guint) STATX_TYPE) == 0;
}

/* The same as above for a file of a directory, by its name there. Of `statx` only what is in the
 * mask of both is used. */
GFileInfo *gaio_file_info_new_entry (const GaioFileInfoWish *wish,
                                     const struct statx *statx,
                                     const char *name,
                                     bool is_link);
