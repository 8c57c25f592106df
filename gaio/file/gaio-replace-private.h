/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* A new file that takes a name at one moment, whole, in the place of another file or of none. See
 * gaio-replace.c. All of it is for the body of a GaioWork, in one thread. */

#pragma once

#include <sys/stat.h>

#include <gaio/file/gaio-work-private.h>

typedef struct
{
  GaioWork *work;
  const char *path; /* the caller's: for the messages of errors */
  int dir_fd;       /* the directory of both names */
  int sync_fd;      /* the same, for fsync(); -1: it is not asked for */
  int fd;           /* the new file; -1: there is none */
  char *name;       /* to take */
  char *temp;       /* of the new file; NULL: it has none */
} GaioReplace;

#define GAIO_REPLACE_INIT                                                                          \
  {                                                                                                \
    .dir_fd = -1, .sync_fd = -1, .fd = -1                                                          \
  }

/* `target` is the name to take, and `path` when that is NULL; `sync` whether commit shall make it
 * durable. */
bool gaio_replace_begin (
    GaioReplace *self, GaioWork *work, const char *target, bool sync, GError **error);

/* Makes the new file, empty, with a name that nobody has. */
bool gaio_replace_create (GaioReplace *self, mode_t mode, GError **error);

/* Makes it, or takes the one of this name that an earlier one kept. */
bool gaio_replace_create_or_resume (GaioReplace *self, const char *temp, GError **error);

/* Makes a symbolic link instead. */
bool gaio_replace_create_link (GaioReplace *self, const char *contents, GError **error);

/* Gives the new file the owner and the group, as far as that is allowed, and the permissions of
 * another. */
bool gaio_replace_set_owner_and_mode (GaioReplace *self, const struct stat *stat, GError **error);

/* The extended attributes of an open file, and so its ACL, as far as the file system takes them. */
void gaio_replace_copy_xattrs (GaioReplace *self, int from_fd);

/* Closes the new file and gives it the name. Not to `overwrite` fails with EEXIST when somebody has
 * the name. */
bool gaio_replace_commit (GaioReplace *self, bool overwrite, GError **error);

/* Closes the new file and leaves it for gaio_replace_create_or_resume(). */
void gaio_replace_keep (GaioReplace *self);

/* Undoes what has not been committed or kept. */
void gaio_replace_clear (GaioReplace *self);

/* For the body of any GaioWork. */

/* Writes all, or fails. */
bool gaio_work_pwrite (GaioWork *self,
                       int fd,
                       const char *path,
                       gconstpointer data,
                       gsize length,
                       goffset offset,
                       GError **error);

/* renameat2() with RENAME_NOREPLACE, also where the file system does not know it: 0 or -errno. */
int gaio_rename_noreplace (int from_dir, const char *from, int to_dir, const char *to);

/* fsync() for a directory; a file system that has none for those is fine: 0 or -errno. */
int gaio_sync_directory (int fd);
