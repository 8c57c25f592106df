/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a file is to the requests that run on it: a descriptor, what is known about it, and the
 * count of its users, which decides when it may be closed. */

#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include <gaio/base/gaio-fork-private.h>
#include <gaio/file/gaio-buffer-pool-private.h>
#include <gaio/file/gaio-file.h>
#include <gaio/file/gaio-request-queue-private.h>
#include <gaio/loop/gaio-context-private.h>

/* See gaio-engine-private.h. */
typedef struct _GaioEngineState GaioEngineState;

/* See gaio-file-direct-private.h. */
typedef struct _GaioFileDirect GaioFileDirect;

/* In `uses`, above the count: no new user may touch the descriptor. */
#define GAIO_FILE_CLOSING (1u << 31)

struct _GaioFile
{
  GObject parent_instance;

  /* immutable */
  GaioContext *context;
  GaioBhQueue *queue; /* the context's, a reference */
  char *path;         /* NULL when it was made from a descriptor without one */
  guint fork_count;   /* forks before the file was made */

  /* written when the file is opened, before anybody else has it */
  char *label;       /* what errors call it */
  bool seekable;     /* it has positions; a pipe, a terminal or a socket has none */
  bool size_limited; /* RLIMIT_FSIZE is in force, so a write may raise SIGXFSZ */
  GaioFileDirect *direct; /* it was opened with O_DIRECT; else NULL */

  /* home thread */
  guint home_uses;         /* requests that the home has submitted; together one of `uses` */
  GaioEngineState *engine; /* the context's, found at the first request */
  GaioBufferUse *buffer_use; /* the ring knows the pool's memory; or NULL */
  GaioRequestLane *lanes[GAIO_REQUEST_QUEUES][GAIO_REQUEST_LEVELS]; /* NULL: nothing waits */
  GaioIoStats stats; /* any thread may read it */

  /* atomic */
  atomic_int fd;         /* -1: not open yet, or closed */
  atomic_uint uses;      /* requests and blocking calls begun and not ended, and the flag */
  atomic_int sync_errno; /* the first error of a sync, for ever */
  atomic_bool closed;    /* its descriptor is gone, or never was */
  atomic_uint timeout_ms; /* of each operation with a task; 0: none */
  atomic_bool has_buffer_pool;
  _Atomic (const char *) direct_reason; /* why direct I/O is not in effect; static, or NULL */

  /* under lock, which is never held while anything is called */
  GMutex lock;
  GaioBufferPool *buffer_pool;
  GQueue closers; /* requests that wait for the last user; the first closes, the rest learn of it */
  bool close_begun;
  GaioIoStats *blocking_stats; /* of blocking calls; made at the first */
  GCond close_ended; /* for those who wait in another thread */
};

/* Thread: any. Makes a file that is not open yet and has no users. */
GaioFile *gaio_file_new (GaioContext *context, const char *path);

/* Thread: any; nobody else has the file yet. Makes a descriptor the file's, and the file open.
 * -EISDIR when it is a directory, -EBADF when it is nothing; it then stays the caller's. None of
 * the system calls in it waits for a disk. */
int gaio_file_adopt_fd (GaioFile *self, int fd);

/* Thread: any. From here to the end of use the descriptor stays open. False: the file is closed or
 * about to be, so do not touch the descriptor, but still call the end. */
static inline bool
gaio_file_begin_use (GaioFile *self)
{
  guint before = atomic_fetch_add_explicit (&self->uses, 1, memory_order_acq_rel);

  return (before & GAIO_FILE_CLOSING) == 0;
}

/* The same for those that the home submits, which are most: while there is one in flight the next
 * costs no atomic operation. Thread: home. */
static inline bool
gaio_file_begin_home_use (GaioFile *self)
{
  if (self->home_uses++ == 0)
    return gaio_file_begin_use (self);
  return (atomic_load_explicit (&self->uses, memory_order_relaxed) & GAIO_FILE_CLOSING) == 0;
}

/* In gaio-request.c: runs the close that waits for the last user. */
void gaio_file_end_last_use (GaioFile *self);

static inline void
gaio_file_end_use (GaioFile *self)
{
  guint before = atomic_fetch_sub_explicit (&self->uses, 1, memory_order_acq_rel);

  if (G_UNLIKELY (before == (GAIO_FILE_CLOSING | 1)))
    gaio_file_end_last_use (self);
}

static inline void
gaio_file_end_home_use (GaioFile *self)
{
  if (--self->home_uses == 0)
    gaio_file_end_use (self);
}
