/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* A counter of a context, by its name. */

#pragma once

#include "gaio-test.h"

static inline guint64
get_stat (GaioContext *context, const char *name)
{
  g_autoptr (GVariant) stats = gaio_context_get_stats (context);
  guint64 value = 0;

  g_assert_true (g_variant_lookup (stats, name, "t", &value));
  return value;
}
