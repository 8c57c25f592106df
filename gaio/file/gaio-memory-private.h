/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Memory for much data at once. */

#pragma once

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <glib.h>

#define GAIO_PAGE_BYTES ((gsize) 4096)

/* From here on the kernel is asked for large pages: to touch memory for the first time costs as
 * much as to copy into it. */
#define GAIO_HUGE_MIN_BYTES ((gsize) 4 * 1024 * 1024)
#define GAIO_HUGE_PAGE_BYTES ((gsize) 2 * 1024 * 1024)

/* From here on it is cheaper to give pages back than to fill them with zeros. */
#define GAIO_ZERO_MIN_BYTES ((gsize) 256 * 1024)

/* Begins at a page; NULL when there is none. free() it. */
static inline guint8 *
gaio_memory_allocate (gsize size)
{
  bool huge = size >= GAIO_HUGE_MIN_BYTES;
  void *memory = NULL;

  if (posix_memalign (&memory, huge ? GAIO_HUGE_PAGE_BYTES : GAIO_PAGE_BYTES, size) != 0)
    return NULL;
  if (huge)
    madvise (memory, size & ~(GAIO_HUGE_PAGE_BYTES - 1), MADV_HUGEPAGE); /* a wish */
  return memory;
}

/* Fills a part of such memory with zeros. */
static inline void
gaio_memory_clear (guint8 *data, gsize size)
{
  gsize before = -(guintptr) data & (GAIO_PAGE_BYTES - 1);
  gsize pages;

  if (size >= GAIO_ZERO_MIN_BYTES)
    {
      pages = (size - before) & ~(GAIO_PAGE_BYTES - 1);
      if (madvise (data + before, pages, MADV_DONTNEED) == 0)
        {
          memset (data, 0, before);
          data += before + pages;
          size -= before + pages;
        }
    }
  memset (data, 0, size);
}
