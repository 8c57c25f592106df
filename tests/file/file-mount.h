/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* File systems of a test's own, which nobody else sees and which go with the process. See
 * file-mount.c. */

#pragma once

#include <glib.h>

/* To be called before the process has threads: from now on what it mounts is its own. Does nothing
 * where that is not allowed; file_mount_new() then says why. */
void file_mount_init (void);

typedef struct
{
  char *dir;   /* where it is mounted */
  char *store; /* where its image is kept, when that is in a tmpfs of its own */
} FileMount;

/* Mounts an empty file system: "tmpfs", or "ext4", "xfs" or "btrfs" in an image. It has room for
 * `room` bytes; an image may promise more than that, so it is full later than it says. 0: as much
 * as there is. NULL, with the reason in `why`, when that cannot be done here. */
FileMount *file_mount_new (const char *type, guint64 room, char **why);

/* The same in an image with sectors of this size, and room for what it promises. */
FileMount *file_mount_new_on_sectors (const char *type, guint sector_bytes, char **why);

void file_mount_free (FileMount *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (FileMount, file_mount_free)
