/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Direct I/O: what a file opened with O_DIRECT has besides, and what its requests do about it. See
 * gaio-file-direct.c for the alignment, gaio-direct-transfer.c for what is not aligned, and
 * gaio-direct-claim.c for who may write when. */

#pragma once

#include <gaio/file/gaio-request-private.h>
#include <gaio/loop/gaio-coroutine.h>

/* No file system wants more. What is not known yet counts as this much. */
#define GAIO_DIRECT_MAX_ALIGNMENT 65536u

struct _GaioFileDirect
{
  /* immutable */
  bool appends;    /* O_APPEND */
  bool write_only; /* O_WRONLY */
  bool may_wait;   /* a submission may wait for the transfer */

  /* atomic */
  atomic_uint alignment;        /* of offsets and lengths; 0: not known yet; 1: any will do */
  atomic_uint memory_alignment; /* likewise, of memory */
  _Atomic goffset size;         /* the file's, as it was when somebody looked */

  /* under lock */
  GMutex lock;
  GQueue claims;       /* their `link`s, in the order in which they came */
  guint n_exclusive;   /* of them, those that are more than GAIO_CLAIM_WRITE */
  guint n_polling;     /* of them, those for which the home thread runs the context */
  GCond granted;       /* for those that wait in another thread */
  int second_fd;       /* for reading and writing anywhere, where the file's own cannot; or -1 */
};

/* How much of its part of the file a request wants to itself. */
typedef enum
{
  GAIO_CLAIM_READ,
  GAIO_CLAIM_WRITE,  /* others may write there too; who does so has no order */
  GAIO_CLAIM_MODIFY, /* it writes what it has read there, so nobody else may write */
  GAIO_CLAIM_SIZE,   /* the file's length is wrong meanwhile, so nobody may see it */
} GaioClaimLevel;

/* What a request that has to do with a direct file has besides. */
struct _GaioDirectClaim
{
  GaioFileDirect *direct; /* what is claimed a part of; NULL: nothing */

  /* a read into the request's own memory is made one of whole blocks */
  gsize shift;  /* so many bytes are before what is wanted */
  gsize wanted; /* so many are; G_MAXSIZE: it is as it was submitted */

  /* of a worker: the claim is too small for what has been found; take a larger one and go on */
  bool again;
  bool whole; /* the larger one is all the rest of the file */

  /* under the lock of `direct` while it is in its list */
  bool held;
  GaioClaimLevel level;
  guint alignment; /* that it was made for */
  goffset start;
  goffset end;
  guint n_blockers; /* earlier ones that have to end first */
  GList link;       /* its data is the request */
  GaioRequest *next_granted;
  GaioCoroutine *coroutine; /* a blocking one's, that waits; a reference */
};

/* Thread: that of the open. open(2) with O_DIRECT, or without where it is refused; -errno. */
int gaio_direct_open (GaioRequest *self);

/* Thread: any; nobody else has the file yet. Takes note that the descriptor has O_DIRECT, and finds
 * out what of its alignment can be had without waiting. */
void gaio_direct_adopt (GaioFile *file, int fd, int flags);
void gaio_direct_free (GaioFileDirect *self);

static inline guint
gaio_direct_get_memory_alignment (GaioFile *file)
{
  return atomic_load (&file->direct->memory_alignment);
}

/* Thread: any. Whether transfers have to care. */
static inline bool
gaio_direct_is_in_effect (GaioFile *file)
{
  return G_UNLIKELY (file->direct != NULL) && atomic_load (&file->direct->alignment) != 1;
}

/* Thread: any that may wait. The same, whatever it takes. */
guint gaio_direct_find_alignment (GaioFile *file);

/* Thread: any. The kernel has refused what is aligned to `refused`: demand more. */
void gaio_direct_raise_alignment (GaioFile *file, guint refused);

/* Thread: any. Goes on without direct I/O for good; `reason` is static. */
void gaio_direct_give_up (GaioFile *file, const char *reason);

/* Thread: any. Makes a read into the request's own memory one of whole blocks; and takes the
 * result of such a read back to what was wanted. */
void gaio_direct_widen_read (GaioRequest *self);
void gaio_direct_narrow_read (GaioRequest *self);

/* Thread: home. Whether the ring cannot do what is left of the request. */
bool gaio_direct_is_for_threads (GaioRequest *self);

/* Thread: that of the request. Whether a read that came short is at the end of the file, or has
 * all that was wanted. */
bool gaio_direct_is_read_out (GaioRequest *self, bool from_ring);

/* Thread: any that may wait. One piece of what is left of a read or a write: how much it was, or
 * -errno. When the claim's `again` is set afterwards, nothing has been done yet. */
gssize gaio_direct_transfer (GaioRequest *self);

/* Thread: any that may wait. One piece of a copy between two files, either of which may be direct;
 * likewise. */
gssize gaio_direct_pread (GaioFile *file, guint8 *buffer, gsize length, goffset offset);
gssize gaio_direct_pwrite (GaioRequest *self,
                           GaioFile *file,
                           const guint8 *data,
                           gsize length,
                           goffset offset);

/* Thread: any that may wait. Closes what there is besides the file's own descriptor. */
void gaio_direct_close (GaioFile *file);

/* Thread: the submitter's. Prepares a submission to do with a file that is direct. */
void gaio_direct_arm (GaioRequest *self, GaioFileDirect *direct);

/* Thread: home. Claims the part of the file that the request is about to touch. False: it waits
 * for others, and then arrives in the home thread. */
bool gaio_direct_enter (GaioRequest *self);

/* Thread: home. Claims more, see `again`, and gives the request to the threads once more. */
void gaio_direct_enter_again (GaioRequest *self);

/* Thread: that of a blocking request. Runs it, waiting for others before. */
void gaio_direct_run_blocking (GaioRequest *self, int cancel_fd);

/* Thread: where the request ends. Gives the claim back. */
void gaio_direct_leave (GaioRequest *self);
