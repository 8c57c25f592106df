/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <stdbool.h>
#include <sys/stat.h>

#include <gio/gio.h>

/* Which attributes are asked for, worked out once for one file or for many. */
typedef struct
{
  GFileAttributeMatcher *matcher;
  guint mask;  /* what statx(2) is to be asked for; 0: nothing */
  guint texts; /* what else is to be made */
} GaioFileInfoWish;

/* `attributes` is a list as in g_file_query_info(), NULL for all. Thread: any. */
void gaio_file_info_wish_init (GaioFileInfoWish *self, const char *attributes);
void gaio_file_info_wish_clear (GaioFileInfoWish *self);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (GaioFileInfoWish, gaio_file_info_wish_clear)

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

/* What statx(2) says of a file, as GIO puts it. Of `statx` only what is in the mask of both is
 * used. `name` is the last part of the file's path, or NULL. Thread: any. */
GFileInfo *gaio_file_info_new (const GaioFileInfoWish *wish,
                               const struct statx *statx,
                               const char *name,
                               bool is_link);

/* Asks the system about a path below a directory, and makes the same of it; 0 or an errno. A
 * symbolic link is followed on request, unless it leads nowhere; that it is one is told in either
 * case, and where to. Thread: any. */
int gaio_file_info_look_up (const GaioFileInfoWish *wish,
                            int dir_fd,
                            const char *path,
                            const char *name,
                            bool follow,
                            GFileInfo **info);

/* The entity tag that GIO has for a file whose time of modification is known. Thread: any. */
char *gaio_file_info_make_etag (const struct statx *statx);
