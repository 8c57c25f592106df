/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* One file operation, as the engines and the calls built on it see it. See gaio-request.c. */

#pragma once

#include <sys/uio.h>

#include <gaio/file/gaio-file-private.h>
#include <gaio/file/gaio-request.h>
#include <gaio/pool/gaio-thread-pool-private.h>

struct statx;
typedef struct _GaioEngineOps GaioEngineOps;
typedef struct _GaioDirectClaim GaioDirectClaim;

typedef enum
{
  GAIO_REQUEST_READ,
  GAIO_REQUEST_READV,
  GAIO_REQUEST_WRITE,
  GAIO_REQUEST_SYNC,
  GAIO_REQUEST_TRUNCATE,
  GAIO_REQUEST_ALLOCATE,
  GAIO_REQUEST_ADVISE,
  GAIO_REQUEST_COPY_RANGE,
  GAIO_REQUEST_LOCK,
  GAIO_REQUEST_RENAME,
  GAIO_REQUEST_STATX,
  GAIO_REQUEST_OPEN,
  GAIO_REQUEST_CLOSE,
} GaioRequestKind;

typedef enum
{
  GAIO_REQUEST_IDLE,
  GAIO_REQUEST_ENDED,      /* the same, and its callback is running */
  GAIO_REQUEST_TRAVELLING, /* its node is on the way to the home thread */
  GAIO_REQUEST_WAITING,    /* a close, for the last user of its file */
  GAIO_REQUEST_CHAINED,    /* for another request to end well */
  GAIO_REQUEST_RUNNING,    /* an engine has it */
} GaioRequestState;

/* Why a request ended without the kernel's having a say. */
typedef enum
{
  GAIO_REQUEST_FAILED_BY_ERRNO,
  GAIO_REQUEST_FAILED_CLOSED,
  GAIO_REQUEST_FAILED_OTHER_CLOSED,
  GAIO_REQUEST_FAILED_OVERLAP,
  GAIO_REQUEST_FAILED_FORKED,
} GaioRequestFailure;

/* No more than this in one system call: the kernel moves 2 GiB less a page at most. */
#define GAIO_REQUEST_MAX_TRANSFER ((gsize) 0x7ffff000)

struct _GaioRequest
{
  GaioRingOp ring_op; /* first: the engine casts back */

  /* immutable */
  GaioFile *file; /* a reference */
  GaioRequestFunc func;
  gpointer user_data;
  GDestroyNotify notify;
  gint64 timeout_ns;         /* 0: none; like the next two it is set while idle */
  guint8 level;              /* how urgent it is, see gaio-request-queue.c */
  guint16 ioprio;            /* the same for the kernel; 0: as the process */
  bool blocking;             /* it runs in the thread that submits it, inside the submit */
  bool within_use;           /* its maker has a use of the file while it may be submitted */
  GCancellable *cancellable; /* of a blocking one or of a task, or NULL */

  /* atomic */
  atomic_uint refs;
  atomic_uint state;         /* GaioRequestState */
  _Atomic guint64 serial;    /* of this submission */
  _Atomic guint64 cancelled; /* the serial of the submission that shall end */

  /* of one submission: the submitter's until it travels, then of the engine that has it */
  GaioRequestKind kind;
  GaioRequestFailure failure;
  int result;    /* 0 or -errno */
  guint retries; /* in a row without progress */
  guint n_retried;
  guint n_merged;  /* other operations that go with it; whose it is sets it before it submits */
  guint n_partial; /* transfers that were short, and went on */
  bool *taken_over; /* while ENDED: to be told that the in-flight reference has a new use */
  goffset offset;
  gsize length;
  gsize moved;
  bool settled;        /* `result` stands without the request having run */
  bool data_only;      /* of a sync */
  bool counted;        /* an engine has had it */
  bool by_home;        /* it is one of the file's home uses */
  bool holds_work;     /* of the context */
  bool timed_out;      /* it is cancelled for that */
  bool uses_slot;      /* it counts as in flight */
  bool waits_for_slot; /* its engine has not begun with it */
  bool must_watch;     /* threads: it would have waited in the home thread */
  bool is_watched;     /* threads: the loop waits for `watched_fd` */
  int watched_fd;
  bool cancel_sent;    /* io_uring: the kernel has been told */
  bool is_fixed;       /* io_uring: the kernel knew its memory */
  const GaioEngineOps *engine;
  GaioDirectClaim *claim; /* of one that has to do with a direct file; else NULL */

  /* what only some have; home thread */
  GaioTimer *timer;           /* while it is in flight and may time out */
  GaioRequest *after;         /* that must end well before this one begins; a reference */
  GaioRequest *followers;     /* that wait for this one, in order, by `next_follower` */
  GaioRequest *next_follower;
  gint64 begun_ns;            /* 0: its latency is not taken */

  /* read: the request's own buffer, in what malloc() gave, or the caller's */
  void *memory;
  bool is_block; /* it is of gaio_block_new() */
  guint8 *buffer;
  GaioBuffer *pooled; /* that is of a pool, which `memory` then is not; or NULL */
  gsize capacity;
  guint8 *target;

  /* write, readv: what is left begins at iov[first_iov]. The chunks are of a write */
  GBytes **chunks;
  gsize n_chunks;
  struct iovec *iov;
  gsize n_iov;
  gsize first_iov;
  GBytes *one_chunk;
  struct iovec one_iov;

  /* the others' arguments */
  struct statx *statx;
  guint statx_mask;
  int flags;            /* of open(2); RWF_* of a write; mode of fallocate(2); advice; F_RDLCK... */
  guint permissions;    /* of a file that an open makes */
  char *new_path;       /* rename */
  GaioFile *other;      /* copy range: what is written to; a reference and a use of it */
  goffset other_offset; /* where in it */

  /* of a task, see gaio-file-task.c; here, since an allocation more would cost as much as a read */
  GTask *task; /* a reference */
  void (*task_func) (GTask *task, GaioRequest *self);
  GList cancel_link; /* in the list of its cancellable; its data is NULL when it is in none */

  /* how it gets about */
  GaioBhNode node;        /* to the home thread */
  GaioBhNode cancel_node; /* the same for a cancel from elsewhere; holds a reference */
  GList link;             /* waiting for a slot of the ring, or for the end of a file's use */
  GaioJob job;
  GaioEventNotifier *interrupt; /* threads: ends a wait for a pipe; made when first needed */
};

/* Thread: any. A request that runs inside its submission, in whichever thread; it has no callback.
 * `cancellable` may be NULL. */
GaioRequest *gaio_request_new_blocking (GaioFile *file, GCancellable *cancellable);

/* Thread: any. Submissions that the public header does not have. `buffer` stays the caller's and
 * must outlive the request's run. */
void gaio_request_read_into (GaioRequest *self, goffset offset, gsize length, guint8 *buffer);
void gaio_request_statx (GaioRequest *self, guint mask);
void gaio_request_open (GaioRequest *self, int flags, guint permissions);

/* Thread: any. Reads into several pieces of memory, all the caller's. The array is copied. */
void gaio_request_readv_into (GaioRequest *self,
                              goffset offset,
                              const struct iovec *iov,
                              gsize n_iov);

/* Thread: any. Writes from several pieces of memory, likewise. */
void gaio_request_writev_from (GaioRequest *self,
                               goffset offset,
                               const struct iovec *iov,
                               gsize n_iov);

/* Thread: any. A write behind the file's end, wherever that is by then. */
void gaio_request_append (GaioRequest *self, GBytes *const *chunks, gsize n_chunks);

/* Thread: any. fallocate(2) with a mode, and posix_fadvise(2); a length of 0 is the rest of the
 * file to the latter. FALLOC_FL_ZERO_RANGE alone is also done where the file system cannot. */
void gaio_request_allocate (GaioRequest *self, int mode, goffset offset, goffset length);
void gaio_request_advise (GaioRequest *self, int advice, goffset offset, goffset length);

/* Thread: any. Copies inside the kernel where it can. What is moved is fewer than `length` only at
 * the end of the file. Ranges of one file that overlap are an error, also when it is open twice. */
void gaio_request_copy_range (GaioRequest *self,
                              goffset offset,
                              GaioFile *destination,
                              goffset destination_offset,
                              gsize length);

/* Thread: any. `type` is F_RDLCK, F_WRLCK or F_UNLCK, of the open file description; it does not
 * wait, so -EAGAIN says that somebody else has the lock. A length of 0 is all that follows. */
void gaio_request_lock (GaioRequest *self, int type, goffset offset, goffset length);

/* Thread: any. Closes the file as soon as nobody uses it any more; a cancel does not stop it. It
 * succeeds when the file is closed already. */
void gaio_request_close (GaioRequest *self);

/* The context whose completion this thread is in, and so knows itself to be the home of, without
 * asking. Initial-exec: one instruction instead of a call. */
extern _Thread_local GaioContext *gaio_request_completing
    __attribute__ ((tls_model ("initial-exec")));

/* Whether the caller is in the home thread of the request's context. */
static inline bool
gaio_request_is_home (GaioRequest *self)
{
  GaioContext *context = self->file->context;

  return gaio_request_completing == context || gaio_context_is_home (context);
}

/* Thread: home. Gives a request that has travelled, or has waited for another, to an engine. */
void gaio_request_begin (GaioRequest *self);

/* The terms on which it runs, see gaio-request-terms.c. Thread: home, for all of these. */

/* Has it wait for the request that it comes after; true when it waits, or has been ended for how
 * that one ended. */
bool gaio_request_follow (GaioRequest *self);

/* Goes on with those that wait for this one, which has just ended. */
void gaio_request_release_followers (GaioRequest *self);

/* Takes one that waits for another out. */
void gaio_request_unfollow (GaioRequest *self);

void gaio_request_start_timeout (GaioRequest *self);

/* To be called at the end: from here on it cannot time out. */
void gaio_request_stop_timeout (GaioRequest *self);

/* Thread: that which has the idle request. Lets go of the request's own memory. */
void gaio_request_free_buffer (GaioRequest *self);

/* For the engines. */

typedef enum
{
  GAIO_STEP_DONE, /* `result` stands */
  GAIO_STEP_MORE, /* do what is left */
  GAIO_STEP_MOVE, /* this engine cannot; let the threads do what is left */
} GaioStep;

/* Thread: the one that runs the request. Takes one result of the kernel, as the ring gives it:
 * a count, a descriptor, or -errno. `from_ring`: it may be the ring that could not. */
GaioStep gaio_request_take_result (GaioRequest *self, int res, bool from_ring);

/* Thread: home; any for a blocking one. Ends the request with `result` and calls its function. */
void gaio_request_finish (GaioRequest *self);

/* Thread: any, when the context has ended. To be called before the end of a request in a thread
 * that may not be the home. */
void gaio_request_leave_home (GaioRequest *self);

/* Thread: home. The same from the loop, for when a callback must not run now. */
void gaio_request_finish_later (GaioRequest *self, int result);

/* Thread: home. Hands a request that an engine gave up to the threads. */
void gaio_request_move_to_threads (GaioRequest *self);

/* Thread: home. Has the engine's cancel called once more, in the next turn. */
void gaio_request_cancel_later (GaioRequest *self);

/* Has the context wait for it, before an engine has it and it is counted. */
static inline void
gaio_request_hold_work (GaioRequest *self)
{
  if (self->holds_work)
    return;
  self->holds_work = true;
  gaio_context_begin_work (self->file->context);
}

static inline bool
gaio_request_is_idle (GaioRequest *self)
{
  return atomic_load_explicit (&self->state, memory_order_acquire) <= GAIO_REQUEST_ENDED;
}

static inline bool
gaio_request_is_cancelled (GaioRequest *self)
{
  return atomic_load_explicit (&self->cancelled, memory_order_relaxed) ==
         atomic_load_explicit (&self->serial, memory_order_relaxed);
}
