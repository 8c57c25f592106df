/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* One operation of the model test, and the ways to have it done. See model-op.c. */

#pragma once

#include "file-model.h"
#include "file-test.h"

#define MAX_CHUNKS 1500
#define MAX_BATCH 40
#define BLOCK_BYTES ((gsize) 4096)

typedef enum
{
  READ,
  WRITE,
  WRITEV,
  TRUNCATE,
  SYNC,
  QUERY,
  READV,
  APPEND,
  ALLOCATE,
  PUNCH,
  ZERO,
  COPY,
  ADVISE,
  READ_BATCH,
  WRITE_BATCH,
  N_KINDS,
} Kind;

typedef enum
{
  BY_REQUEST,
  BY_FOREIGN_REQUEST, /* submitted in another thread */
  BY_TASK,
  BY_BLOCKING_CALL, /* in another thread */
  N_WAYS,
} Way;

typedef struct _Run Run;
typedef struct _Op Op;

/* One place for an operation; its request is used again and again. */
struct _Op
{
  Run *run;
  void (*ended) (Op *op);
  bool busy;
  guint64 number;
  Kind kind;
  Way way;
  goffset offset; /* of a truncation the new length */
  gsize length;
  goffset target; /* of a copy */
  GBytes *bytes;
  GBytes *chunks[MAX_CHUNKS];
  gsize n_chunks;
  goffset offsets[MAX_BATCH]; /* of a batch */
  gsize lengths[MAX_BATCH];
  gsize n_batch;
  GaioBatch *batch;
  FileModelPart part;
  FileModelPart source; /* of a copy */
  struct _Op *before;   /* what it comes after, if anything */
  guint8 *buffer;       /* of a readv */
  GaioFile *file;
  GaioRequest *request;
  GCancellable *cancellable;
  bool may_stop; /* somebody has cancelled it, or what it comes after */
  bool may_time_out;
  int foreign_cancels; /* atomic: on their way, for this operation or an earlier one */

  /* the end */
  GError *error;
  gssize n; /* -1: it does not say */
  GBytes *read;
  goffset size;
};

extern const char *const op_kind_names[N_KINDS];
extern const char *const op_way_names[N_WAYS];

/* Submit it, and call `ended` in the home thread of its file; the last is for another thread. */
void op_submit_request (Op *op);
void op_submit_task (Op *op);
void op_call_blocking (Op *op);

/* The function of `request`, whose data is the operation. */
void op_take_request_end (GaioRequest *request, gpointer user_data);
