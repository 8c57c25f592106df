/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* A walk through a directory and all below it; see gaio-tree.c. */

#pragma once

#include <stdbool.h>

#include <glib.h>

typedef struct _GaioTree GaioTree;

/* Where the walk is. */
typedef enum
{
  GAIO_TREE_FAILED, /* gaio_tree_get_errno() says why, and the path where */
  GAIO_TREE_END,
  GAIO_TREE_ENTER, /* at a directory, before what is in it; the first is the one to walk through */
  GAIO_TREE_FILE,  /* at anything else; symbolic links are not followed */
  GAIO_TREE_LEAVE, /* at a directory, after what was in it; it is closed */
} GaioTreeStep;

/* Thread: any for all of these, one at a time. Walks through `name` in the directory `fd`, which
 * stays the caller's. `path` is what `name` is called in paths. */
GaioTree *gaio_tree_new (int fd, const char *name, const char *path);
void gaio_tree_free (GaioTree *self);

/* Goes on to the next place. Entries that vanish meanwhile are passed over. */
GaioTreeStep gaio_tree_next (GaioTree *self);

/* At LEAVE: goes through that directory again, beginning with ENTER. */
void gaio_tree_again (GaioTree *self);

int gaio_tree_get_errno (GaioTree *self);

/* At ENTER: whether something is mounted here. */
bool gaio_tree_is_mount (GaioTree *self);

/* The place: its directory, its name in that, and its path; good until the next step. The first
 * two not at ENTER. */
int gaio_tree_get_fd (GaioTree *self);
const char *gaio_tree_get_name (GaioTree *self);
const char *gaio_tree_get_path (GaioTree *self);
