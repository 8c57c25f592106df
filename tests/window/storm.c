/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What keeps the default context busy while a window is drawn: about a million completions a
 * second, which no script could make. A library for ctypes. */

#include <stdlib.h>
#include <string.h>

#include <gaio/gaio.h>

#define N_BOTTOM_HALVES 8
#define N_MANY 200000
#define N_REQUESTS 128
#define BLOCK 4096

typedef struct
{
  GaioBottomHalf *bottom_halves[N_BOTTOM_HALVES];
  GaioFile *file;
  GaioRequest *requests[N_REQUESTS];
  goffset size;
  goffset offset;
  guint in_flight;
  gboolean ends;
  guint64 n;
} Storm;

static Storm storm;

int storm_begin (const char *kind, const char *path);
guint64 storm_end (void);

static void
on_bottom_half (gpointer data)
{
  GaioBottomHalf **self = data;

  storm.n++;
  if (!storm.ends)
    gaio_bottom_half_schedule (*self);
}

/* Many in one turn, so that one turn takes longer than a frame. */
static void
on_one_of_many (gpointer data)
{
  storm.n++;
  for (volatile int i = 0; i < 100; i++)
    ;
  if (!storm.ends)
    gaio_context_invoke (gaio_context_get_default (), on_one_of_many, NULL, NULL);
  else
    storm.in_flight--;
}

static void
read_next (GaioRequest *request)
{
  gaio_request_read (request, storm.offset, BLOCK);
  storm.offset += BLOCK;
  if (storm.offset + BLOCK > storm.size)
    storm.offset = 0;
}

static void
on_read (GaioRequest *request, gpointer data)
{
  gsize n_bytes = 0;

  if (!gaio_request_get_result (request, &n_bytes, NULL) || n_bytes != BLOCK)
    abort ();
  storm.n++;
  if (!storm.ends)
    read_next (request);
  else
    storm.in_flight--;
}

/* Bottom halves that schedule themselves, or so many that one turn is long, or reads of what is in
 * the page cache. Returns 0 when it cannot. */
int
storm_begin (const char *kind, const char *path)
{
  GaioContext *context = gaio_context_get_default ();

  memset (&storm, 0, sizeof storm);
  if (strcmp (kind, "bottom halves") == 0)
    for (int i = 0; i < N_BOTTOM_HALVES; i++)
      {
        storm.bottom_halves[i] =
            gaio_bottom_half_new (context, on_bottom_half, &storm.bottom_halves[i], NULL);
        gaio_bottom_half_schedule (storm.bottom_halves[i]);
      }
  else if (strcmp (kind, "long turns") == 0)
    for (storm.in_flight = 0; storm.in_flight < N_MANY; storm.in_flight++)
      gaio_context_invoke (context, on_one_of_many, NULL, NULL);
  else if (strcmp (kind, "reads") == 0)
    {
      g_autofree char *contents = NULL;
      gsize size;

      if (!g_file_get_contents (path, &contents, &size, NULL))
        return 0;
      storm.size = size;
      storm.file = gaio_file_new_for_path (context, path, "r", NULL);
      if (storm.file == NULL)
        return 0;
      for (; storm.in_flight < N_REQUESTS; storm.in_flight++)
        {
          storm.requests[storm.in_flight] = gaio_request_new (storm.file, on_read, NULL, NULL);
          read_next (storm.requests[storm.in_flight]);
        }
    }
  else
    return 0;
  return 1;
}

/* Returns how many completions there were. */
guint64
storm_end (void)
{
  storm.ends = TRUE;
  while (storm.in_flight > 0)
    gaio_context_poll (gaio_context_get_default (), TRUE);
  for (int i = 0; i < N_BOTTOM_HALVES; i++)
    g_clear_object (&storm.bottom_halves[i]);
  for (int i = 0; i < N_REQUESTS; i++)
    g_clear_pointer (&storm.requests[i], gaio_request_unref);
  g_clear_object (&storm.file);
  return storm.n;
}
