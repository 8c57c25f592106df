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

static inline gsize
gaio_memory_get_alignment (gsize size)
{
  return size >= GAIO_HUGE_MIN_BYTES ? GAIO_HUGE_PAGE_BYTES : GAIO_PAGE_BYTES;
}

static inline void
gaio_memory_wish_huge_pages (guint8 *data, gsize size)
{
  if (size >= GAIO_HUGE_MIN_BYTES)
    madvise (data, size & ~(GAIO_HUGE_PAGE_BYTES - 1), MADV_HUGEPAGE);
}

/* Begins at a page; NULL when there is none. free() it. */
static inline guint8 *
gaio_memory_allocate (gsize size)
{
  void *memory = NULL;

  if (posix_memalign (&memory, gaio_memory_get_alignment (size), size) != 0)
    return NULL;
  gaio_memory_wish_huge_pages (memory, size);
  return memory;
}

/* The same for what is soon gone, and then wanted again: free() `*block`. The C library maps what
 * posix_memalign() wants anew each time, and to touch each page of that for the first time costs
 * more than to read a page of a file; but of its malloc() it learns to keep the memory. */
static inline guint8 *
gaio_memory_allocate_again (gsize size, void **block)
{
  gsize alignment = gaio_memory_get_alignment (size);
  guint8 *data;

  if (size > G_MAXSSIZE - alignment || (*block = malloc (size + alignment - 1)) == NULL)
    return NULL;
  data = (guint8 *) (((guintptr) *block + alignment - 1) & ~(guintptr) (alignment - 1));
  gaio_memory_wish_huge_pages (data, size);
  return data;
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
