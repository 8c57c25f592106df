/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <glib.h>

/* A page and what it takes to begin at a cache line: the memory for a read of the usual size. */
#define GAIO_BLOCK_BYTES ((gsize) 4096 + 63)

/* Thread: any. Memory of that size from malloc(), so free() is right for it, too. NULL when there
 * is none. */
gpointer gaio_block_new (void);

/* Thread: any. */
void gaio_block_free (gpointer block);
