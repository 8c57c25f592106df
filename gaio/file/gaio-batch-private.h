/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The result of a batch, as what runs the batch fills it in. See gaio-batch.c. */

#pragma once

#include <gaio/file/gaio-batch-merge-private.h>
#include <gaio/file/gaio-batch.h>

struct _GaioBatch
{
  GObject parent_instance;

  /* immutable */
  bool writes;
  char *label;      /* what errors call the file */
  goffset *offsets; /* of n operations */
  gsize *starts;    /* of n + 1: where in the data, or would-be data, an operation's begin */
  GaioBatchOps ops; /* views of the two */

  /* filled in while it runs, immutable when anybody sees it */
  gsize *counts; /* bytes moved */
  int *results;  /* 0 or -errno */
  gsize n_failed;
  guint8 *memory; /* of reads, what all have read, in `block`; until gaio_batch_complete() */
  void *block;
  GBytes *data; /* the same from then on */
};

/* Thread: any. One for `n` operations without lengths; the caller sets the starts, and the memory
 * of reads. */
GaioBatch *gaio_batch_new (const char *label, bool writes, const goffset *offsets, gsize n);

/* Thread: any. Works out what came of each operation. */
void gaio_batch_complete (GaioBatch *self, const GaioBatchPlan *plan);

/* The operations of a batch on their way. See gaio-batch-run.c. */
typedef struct _GaioBatchWork GaioBatchWork;

/* Thread: any. The arrays are copied, and a reference to each chunk is held. NULL with an error
 * when it cannot be done at all. */
GaioBatchWork *gaio_batch_work_new_reads (GaioFile *file,
                                          const goffset *offsets,
                                          gsize n_offsets,
                                          const gsize *lengths,
                                          gsize n_lengths,
                                          GError **error);
GaioBatchWork *gaio_batch_work_new_writes (GaioFile *file,
                                           const goffset *offsets,
                                           gsize n_offsets,
                                           GBytes *const *chunks,
                                           gsize n_chunks,
                                           GError **error);

/* Thread: any. Has it done, and returns the batch by the task. Takes that, and the work or, when
 * that is NULL, the error. */
void gaio_batch_work_start (GTask *task, GaioFile *file, GaioBatchWork *self, GError *error);

/* Thread: any. Does it here. Takes the work. */
GaioBatch *gaio_batch_work_run (GaioBatchWork *self, GCancellable *cancellable, GError **error);
