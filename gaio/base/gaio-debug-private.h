/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What GAIO_DEBUG=loop,ring,... switches on. The topics stand in floor order. */

#pragma once

#include <glib.h>

typedef enum
{
  GAIO_DEBUG_RING = 1 << 0,
  GAIO_DEBUG_LOOP = 1 << 1,
  GAIO_DEBUG_POOL = 1 << 2,
  GAIO_DEBUG_FILE = 1 << 3,
} GaioDebugTopic;

/* Set once before main(), so a plain read is enough. */
extern guint gaio_debug_topics;

void gaio_debug_print (GaioDebugTopic topic, const char *format, ...) G_GNUC_PRINTF (2, 3);

/* gaio_debug (RING, "made with %u entries", n): costs one load and a branch when off. */
#define gaio_debug(topic, ...) \
  G_STMT_START \
  { \
    if (G_UNLIKELY (gaio_debug_topics & GAIO_DEBUG_##topic)) \
      gaio_debug_print (GAIO_DEBUG_##topic, __VA_ARGS__); \
  } \
  G_STMT_END
