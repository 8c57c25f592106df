/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* GAIO_DEBUG: a comma-separated list of topics whose messages go to standard error, each with the
 * topic and the thread. `GAIO_DEBUG=all` takes every topic, `GAIO_DEBUG=help` lists them. Any
 * thread may print. */

#include "config.h"

#include <unistd.h>
#include <sys/syscall.h>

#include <gaio/base/gaio-debug-private.h>

static const GDebugKey topics[] = {
  { "ring", GAIO_DEBUG_RING },
  { "loop", GAIO_DEBUG_LOOP },
  { "pool", GAIO_DEBUG_POOL },
  { "file", GAIO_DEBUG_FILE },
};

guint gaio_debug_topics;

__attribute__ ((constructor)) static void
read_environment (void)
{
  gaio_debug_topics = g_parse_debug_string (g_getenv ("GAIO_DEBUG"), topics, G_N_ELEMENTS (topics));
}

void
gaio_debug_print (GaioDebugTopic topic, const char *format, ...)
{
  const char *name = "?";
  g_autofree char *text = NULL;
  va_list args;

  for (guint i = 0; i < G_N_ELEMENTS (topics); i++)
    if (topics[i].value == (guint) topic)
      name = topics[i].key;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  g_printerr ("gaio-%s [%ld] %s\n", name, syscall (SYS_gettid), text);
}
