/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* A camera has a clock of its own: a frame is there when it is there. If the push of the one before
 * has not returned by then, or if all buffers are with somebody else, the frame is lost, and the
 * next one comes a period later.
 *
 * A frame costs no more than a word in each of its pages: its number, so that the file can be
 * checked frame by frame. That is what a lens does for nothing, so the time it takes is told apart.
 */

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "camera.h"

#define MARK_BYTES 4096

static gint64
clock_ns (clockid_t clock)
{
  struct timespec now;

  clock_gettime (clock, &now);
  return now.tv_sec * G_GINT64_CONSTANT (1000000000) + now.tv_nsec;
}

gint64
camera_now_ns (void)
{
  return clock_ns (CLOCK_MONOTONIC);
}

static void
wait_until (gint64 ns)
{
  struct timespec until = { ns / 1000000000, ns % 1000000000 };

  while (clock_nanosleep (CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
    ;
}

static void
mark (guint8 *frame, gsize frame_bytes, guint64 number)
{
  for (gsize i = 0; i + sizeof number <= frame_bytes; i += MARK_BYTES)
    memcpy (frame + i, &number, sizeof number);
}

void
camera_run (Camera *self)
{
  const struct sched_param priority = { .sched_priority = 1 };
  gint64 first_ns = camera_now_ns () + self->period_ns;
  gint64 returned_ns = 0, took_ns = 0;
  gboolean taken = TRUE;

  self->realtime = sched_setscheduler (0, SCHED_FIFO | SCHED_RESET_ON_FORK, &priority) == 0;
  self->pushes = g_array_sized_new (FALSE, FALSE, sizeof (CameraPush), self->n_frames);
  for (guint i = 0; i < self->n_frames && taken && !g_atomic_int_get (&self->stop); i++)
    {
      gint64 due_ns = first_ns + i * self->period_ns;
      CameraPush push = { .number = i };
      gint64 cpu_ns;
      guint8 *frame;

      self->n_made++;
      if (returned_ns > due_ns)
        {
          /* A short push that ends late has begun late: the machine was not there for us. */
          if (took_ns < self->period_ns)
            self->missed++;
          else
            self->dropped_busy++;
          continue;
        }
      wait_until (due_ns);
      cpu_ns = clock_ns (CLOCK_THREAD_CPUTIME_ID);
      frame = self->target->acquire (self->target_data, i);
      if (frame == NULL)
        {
          self->dropped_pool++;
          continue;
        }
      mark (frame, self->frame_bytes, i);
      self->fill_cpu_ns += clock_ns (CLOCK_THREAD_CPUTIME_ID) - cpu_ns;

      push.at_ns = camera_now_ns ();
      taken = self->target->push (self->target_data);
      returned_ns = camera_now_ns ();
      took_ns = push.took_ns = returned_ns - push.at_ns;
      push.at_ns -= first_ns;
      if (taken)
        g_array_append_val (self->pushes, push);
    }
}

gboolean
camera_check_file (const Camera *self, const char *path, gsize stride, char **why)
{
  g_autofree guint8 *frame = g_malloc (stride);
  FILE *file = fopen (path, "rbe");
  guint n_found = 0;

  *why = NULL;
  if (file == NULL)
    {
      *why = g_strdup_printf ("%s: %s", path, g_strerror (errno));
      return FALSE;
    }
  for (; n_found < self->pushes->len && *why == NULL; n_found++)
    {
      guint64 number = g_array_index (self->pushes, CameraPush, n_found).number;

      if (fread (frame, 1, stride, file) != stride)
        {
          *why = g_strdup_printf ("%u frames of %u are there", n_found, self->pushes->len);
          break;
        }
      for (gsize i = 0; i + sizeof number <= self->frame_bytes && *why == NULL; i += MARK_BYTES)
        if (memcmp (frame + i, &number, sizeof number) != 0)
          *why = g_strdup_printf (
              "frame %" G_GUINT64_FORMAT " is not itself at byte %" G_GSIZE_FORMAT, number, i);
    }
  if (*why == NULL && fgetc (file) != EOF)
    *why = g_strdup ("there is more in the file than was taken");
  fclose (file);
  return *why == NULL;
}
