/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Memory for reads of 4 KiB, kept for the next one.
 *
 * The C library keeps small pieces for each thread, to be had again at once, but none as large as
 * a page: that costs as many instructions as a tenth of a whole read. So a thread keeps the last
 * few here. A block that is let go of in another thread is kept there; it does not matter where it
 * came from. What a thread keeps goes with the thread.
 *
 * With AddressSanitizer nothing is kept, so that it sees who uses what is gone. */

#include "config.h"

#include <stdlib.h>

#include <gaio/base/gaio-block-private.h>

#if defined(__SANITIZE_ADDRESS__)
#define KEEPS FALSE
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define KEEPS FALSE
#endif
#endif
#ifndef KEEPS
#define KEEPS TRUE
#endif

/* As many reads as are usually in flight, twice. */
#define MAX_KEPT 64

typedef struct
{
  guint n;
  gpointer blocks[MAX_KEPT];
} Kept;

static void forget (gpointer data);

/* Only for its end: to ask GLib each time costs as much as is saved. */
static GPrivate kept_key = G_PRIVATE_INIT (forget);
static _Thread_local Kept *kept;
static _Thread_local gboolean is_ending;

static void
forget (gpointer data)
{
  Kept *self = data;

  is_ending = TRUE;
  kept = NULL;
  while (self->n > 0)
    free (self->blocks[--self->n]);
  free (self);
}

gpointer
gaio_block_new (void)
{
  if (G_LIKELY (kept != NULL && kept->n > 0))
    return kept->blocks[--kept->n];
  return malloc (GAIO_BLOCK_BYTES);
}

void
gaio_block_free (gpointer block)
{
  if (KEEPS && G_UNLIKELY (kept == NULL) && !is_ending)
    {
      kept = calloc (1, sizeof (Kept));
      if (kept != NULL)
        g_private_set (&kept_key, kept);
    }
  if (G_LIKELY (kept != NULL && kept->n < MAX_KEPT))
    kept->blocks[kept->n++] = block;
  else
    free (block);
}
