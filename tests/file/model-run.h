/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* One run of the model test: a file, what it should be, and what is in flight on it. */

#pragma once

#include "model-op.h"

#define MAX_IN_FLIGHT 64
#define N_THREADS 3
#define N_RECORDS 256

typedef struct
{
  guint64 number;
  Kind kind;
  Way way;
  goffset offset;
  gsize length;
  const char *end; /* NULL: in flight */
  gsize n;
} Record;

struct _Run
{
  GaioTestLoop *loop;
  const char *dir;
  char *path;
  bool direct;
  bool aligned; /* the operation being chosen is of whole blocks */
  GRand *random;
  guint32 seed;
  FileModel model;
  GaioFile *file;
  int fd; /* another way to the same file */
  Op *ops;
  Op *latest;
  int in_flight;
  int closes_pending;
  guint64 n_submitted;
  int n_stopped;
  GBytes *kept; /* read some time ago; nobody may write to it */
  guint kept_hash;
  Record records[N_RECORDS];
  GMutex lock; /* not a GAsyncQueue: ThreadSanitizer does not see into that */
  GCond has_errand;
  GQueue errands; /* under the lock */
  GThread *threads[N_THREADS];
};

/* In model-choose.c. */

/* At random: less than `n`. */
gsize run_below (Run *self, gsize n);

/* What the operation is, where, and what it writes; false when it would be in the way of what is in
 * flight. */
bool run_choose_operation (Run *self, Op *op);
void run_make_content (Run *self, Op *op);

/* In model-check.c. */

/* Tells what happened last, keeps the file, and does not return. */
void run_fail (Run *self, const char *format, ...) G_GNUC_PRINTF (2, 3) G_GNUC_NORETURN;

/* Reads by the other descriptor, which is direct when the file is: the page cache does not know
 * what direct writes do that are in flight. */
gssize run_look (Run *self, guint8 *data, gsize offset, gsize length);

/* Fails unless the model has this. */
void run_compare (Run *self, const guint8 *data, gsize offset, gsize length, const char *who);

/* Bytes that were handed out stay as they were; from now on `next`, or NULL. */
void run_check_kept (Run *self, GBytes *next);

/* The operation's `ended`: its result must be right, and the model takes it. */
void run_take_end (Op *op);
