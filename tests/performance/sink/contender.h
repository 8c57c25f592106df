/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The two kinds of writers that a camera is put before. A contender is made in the main thread,
 * which also stops it; what is between is the camera's. */

#pragma once

#include "camera.h"

typedef struct
{
  const char *text; /* of the pipeline's end, as gst-launch-1.0 takes it */
  const char *path; /* of the file; with more than one sink, of the first, others have a number */
  gsize frame_bytes;
  gint64 period_ns;
  guint pool_buffers; /* 0: as many as it takes */
  guint n_sinks;
} ContenderSettings;

typedef struct
{
  const CameraTarget *target;
  gpointer data;
  gsize stride;   /* from frame to frame in the file */
  double eos_ms;  /* how long the end of the stream took; negative if there was none */
  double null_ms; /* how long it took to close */
  char *error;    /* the first one that was reported */
} Contender;

/* A pipeline's end; NULL, with the reason on standard error, when there is none of that kind. */
Contender *contender_gst_new (const ContenderSettings *settings);
/* Closes it, whatever it is doing, and fills in what is known then. */
void contender_gst_stop (Contender *self);
void contender_gst_free (Contender *self);
/* The statistics of the sink as text, or NULL. */
char *contender_gst_get_stats (Contender *self);
/* Whether gaiofilesink has a property of this name. */
gboolean contender_gst_has_property (const char *element, const char *property);

/* The least there can be: a copy into one of sixteen buffers, and a ring. */
Contender *contender_raw_new (const ContenderSettings *settings);
void contender_raw_stop (Contender *self);
void contender_raw_free (Contender *self);
