/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/file/gaio-copy.h>
#include <gaio/file/gaio-replace-private.h>

/* What the operations with two names are told. */
typedef struct
{
  char *source;
  char *destination;
  GaioCopyFlags flags;
} GaioCopy;

GaioCopy *gaio_copy_new (const char *source, const char *destination, GaioCopyFlags flags);
void gaio_copy_free (gpointer self);

/* The body of a copy, for a move too. `stat` is what the source was when it was opened. */
gpointer
gaio_copy_run (GaioWork *work, const GaioCopy *copy, struct stat *stat, GError **error);

/* Whether its flags are such as there are. */
bool gaio_copy_check_flags (const GaioCopy *self, GaioWork *work, GError **error);

/* Fails as gaio_work_fail() does, with another code of G_IO_ERROR: what GIO says there is not what
 * it says for the errno. */
gpointer
gaio_copy_fail (GaioWork *work, int errnum, GIOErrorEnum code, const char *path, GError **error);

/* The contents, in gaio-copy-data.c: from one open file to another, of which `done` bytes are there
 * already. `size` is how long the source says it is; that is not so for files as those in /proc.
 * Reports its progress. */
bool gaio_copy_data (GaioWork *work,
                     int from,
                     const char *from_path,
                     int to,
                     const char *to_path,
                     goffset done,
                     goffset size,
                     GError **error);
