/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a window does to its file besides writing: system calls that may take long, in a thread of
 * a pool. */

#pragma once

#include <gaio/gaio.h>

G_BEGIN_DECLS

typedef enum
{
  GST_GAIO_JOB_ALLOCATE, /* blocks for `from` to `to` */
  GST_GAIO_JOB_DROP,     /* to the disk, and out of the page cache: the same */
  GST_GAIO_JOB_SYNC,     /* the data that was written so far */
  GST_GAIO_JOB_FINISH,
  GST_GAIO_JOB_CLOSE,
} GstGaioJobKind;

#define GST_GAIO_N_JOBS (GST_GAIO_JOB_CLOSE + 1)

typedef struct _GstGaioJob GstGaioJob;

typedef void (*GstGaioJobFunc) (GstGaioJob *job, gpointer user_data);

struct _GstGaioJob
{
  /* the owner's, and not changed while it runs */
  GstGaioJobKind kind;
  guint64 from;
  guint64 to;
  gboolean grow; /* of ALLOCATE: the file becomes so long */
  gboolean cut;  /* of FINISH: to the length `to`, and what was allocated behind is freed */
  gboolean sync; /* of FINISH: data, length and name become durable */
  gboolean drop; /* of FINISH: and leave the page cache */

  /* the owner's again, when it has ended */
  gboolean busy;
  gint64 started_ns;
  GError *error; /* why it failed, or NULL */

  /*< private >*/
  GaioFile *file;
  GstGaioJobFunc done;
  gpointer user_data;
};

/* Thread: home of the file's context, where `done` will be called. */
void gst_gaio_job_start (GstGaioJob *self,
                         GaioThreadPool *pool,
                         GaioFile *file,
                         GstGaioJobFunc done,
                         gpointer user_data);

G_END_DECLS
