/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Runs: pieces of a file that follow each other, and how far to read ahead of one. */

#pragma once

#include <stdbool.h>

#include <gaio/gaio.h>
#include <gst/gst.h>

G_BEGIN_DECLS

typedef struct _GstGaioRun GstGaioRun;

/* What one read brings. */
typedef struct
{
  GList link;           /* in the run; its data is the block */
  GstGaioRun *run;      /* NULL: nobody wants it any more */
  gpointer reader;      /* the reader's */
  GaioRequest *request; /* NULL: it has ended */
  guint64 offset;
  gsize length;      /* what was asked for; when it has ended, what came */
  guint64 call;      /* the reader's: which of its calls began it */
  GstMemory *memory; /* NULL: it has not ended */
  gsize used;        /* bytes that somebody was given, and */
  guint64 used_end;  /* where in the file the last of them ended */
} GstGaioBlock;

struct _GstGaioRun
{
  GQueue blocks;     /* of GstGaioBlock; each begins where the one before ends */
  guint64 end;       /* where the next one begins */
  guint64 head;      /* the end of what was wanted so far */
  guint64 last_call; /* the last of the reader's calls that wanted something of it */
  gsize window;      /* how far to read ahead now; 0: nobody has gone on reading here yet */

  /* The last time that a read brought less than it was meant to: */
  guint64 cut_at;     /* where, */
  guint64 cut_call;   /* in which call that read was begun, */
  GError *cut_error;  /* why; NULL: the file ends there, */
  guint64 hold_until; /* and how far it is not worthwhile to read ahead again */
};

GstGaioRun *gst_gaio_run_new (guint64 offset);

/* It must be empty. */
void gst_gaio_run_free (GstGaioRun *self);

/* Whether to go on at `offset` is to go on in this run. */
bool gst_gaio_run_has (GstGaioRun *self, guint64 offset);

/* The first position from `offset` to `end` whose byte is not there, or `end`. `coming` is the
 * block that will bring it, or NULL. */
guint64 gst_gaio_run_find (GstGaioRun *self, guint64 offset, guint64 end, GstGaioBlock **coming);

/* The block that `offset` is in, which must be there. */
GstGaioBlock *gst_gaio_run_get (GstGaioRun *self, guint64 offset);

void gst_gaio_run_append (GstGaioRun *self, GstGaioBlock *block);

/* Takes the first block out that ends before `limit`; NULL when there is none. */
GstGaioBlock *gst_gaio_run_pop_before (GstGaioRun *self, guint64 limit);

/* Takes the last block out when it begins at `offset` or later. */
GstGaioBlock *gst_gaio_run_pop_from (GstGaioRun *self, guint64 offset);

/* Notes that the run ends at `offset`, which a read that was begun in `call` has found out; takes
 * `error`. */
void gst_gaio_run_cut (
    GstGaioRun *self, guint64 offset, guint64 hold_until, guint64 call, GError *error);

/* How many bytes to read from the run's end on, when its window may grow to `limit`. The answer is
 * 0 until a good part of the window has been used up, so that reads are not begun one by one. */
gsize gst_gaio_run_get_ahead (GstGaioRun *self, guint64 limit);

/* `n` bytes from `offset` on are somebody's; all in this block. */
void gst_gaio_block_use (GstGaioBlock *self, guint64 offset, gsize n);

void gst_gaio_block_free (GstGaioBlock *self);

G_END_DECLS
