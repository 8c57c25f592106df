/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Numbers for jobs that may be cancelled, by which to find them, or to find that they are gone. */

#pragma once

#include <gaio/pool/gaio-thread-pool-private.h>

typedef struct _GaioJobSlot GaioJobSlot;

/* Zeroed memory is a table without jobs. The caller has a lock. */
typedef struct
{
  GaioJobSlot *slots;
  guint32 n_slots;
  guint32 free_slot; /* index + 1; 0 for none */
} GaioJobIds;

/* What no job ever has as its id; nor has one 0. */
#define GAIO_JOB_IDS_NOBODY G_MAXUINT64

/* Sets the id of `job` and returns it. */
guint64 gaio_job_ids_add (GaioJobIds *self, GaioJob *job);

/* Does nothing when the job has no id. */
void gaio_job_ids_remove (GaioJobIds *self, GaioJob *job);

/* NULL when there is none, also when its place has another job by now. */
GaioJob *gaio_job_ids_lookup (GaioJobIds *self, guint64 id);

void gaio_job_ids_clear (GaioJobIds *self);
