/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* A camera that does not wait for anybody, and what it sees of the one who takes its frames. See
 * camera.c. */

#pragma once

#include <glib.h>

/* Who takes the frames. All are called in the camera's thread. */
typedef struct
{
  /* Memory for the next frame; NULL if all of it is in use. */
  guint8 *(*acquire) (gpointer self, guint number);
  /* Takes the frame that was acquired last; FALSE when there is no point in going on. */
  gboolean (*push) (gpointer self);
  /* Waits until all is where it belongs. */
  void (*finish) (gpointer self);
} CameraTarget;

typedef struct
{
  guint number; /* of the frame */
  gint64 at_ns; /* since the first frame was due */
  gint64 took_ns;
} CameraPush;

typedef struct
{
  /* set by the caller */
  gsize frame_bytes;
  gint64 period_ns;
  guint n_frames;
  const CameraTarget *target;
  gpointer target_data;

  gint stop; /* (atomic) */

  /* what has come of it; valid after camera_run() */
  GArray *pushes;     /* of CameraPush: the frames that were taken */
  guint n_made;       /* frames that were due until it stopped */
  guint dropped_busy; /* of them: the push before had not returned */
  guint dropped_pool; /* of them: no memory was free */
  guint missed;       /* of them: the camera itself was not on time */
  gboolean realtime;  /* it went before others */
  gint64 fill_cpu_ns; /* CPU time that the camera itself needed, in place of a lens */
} Camera;

/* Thread: one that does nothing else. Returns when all frames were due, or soon after `stop` was
 * set, or when the target has had enough; without finishing the target. */
void camera_run (Camera *self);

/* Whether the file has the frames that were taken and nothing else, `stride` bytes from one to the
 * next. FALSE with the reason in `why`. */
gboolean camera_check_file (const Camera *self, const char *path, gsize stride, char **why);

gint64 camera_now_ns (void);
