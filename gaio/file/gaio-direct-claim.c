/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Who may touch which part of a direct file when.
 *
 * A write that is not of whole blocks reads the blocks at its edges, changes them in memory, and
 * writes them back. A write of a neighbour's bytes in between would be lost. So each request to a
 * direct file claims its part before it begins, and gives it back when it ends. Claims that may be
 * held together are most of them: only one that modifies keeps other writers out, and only one that
 * has the length of the file wrong for a moment keeps readers out too.
 *
 * Claims are in a list in the order in which they came. A new one counts the earlier ones that are
 * in its way, and each that ends takes itself off the counts of the later ones; who is at none
 * begins. So nobody is overtaken, and nobody waits for one that waits for it. Nobody looks through
 * the list while there is no claim in it that keeps others out.
 *
 * A request waits here before an engine has it, not in a worker, so that no number of waiters stops
 * the workers. When a worker finds that more must be claimed it has not done anything yet: the
 * request comes back here and waits at the end of the list, holding nothing.
 *
 * A blocking request takes part. It waits in its own thread for others that end in the home thread;
 * in the home thread it runs the context meanwhile, and in a coroutine it waits as those do. What a
 * callback does by a blocking call while the home thread waits so cannot wait for the same file
 * once more, since it may be waiting for what is below it on the stack: EDEADLK.
 *
 * A copy between two files claims a part of the one that it writes to; of the other only when that
 * one is not direct. So nobody holds two claims, and it may find the source longer than it is.
 *
 * In a forked child nothing is claimed: those who would give it back are the parent's. */

#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <gaio/file/gaio-engine-private.h>
#include <gaio/file/gaio-file-direct-private.h>
#include <gaio/loop/gaio-coroutine-private.h>

static const GaioEngineOps engine_waiting;

static bool
are_in_the_way (const GaioDirectClaim *a, const GaioDirectClaim *b)
{
  GaioClaimLevel most = MAX (a->level, b->level);
  GaioClaimLevel least = MIN (a->level, b->level);

  if (a->start >= b->end || b->start >= a->end)
    return false;
  return most == GAIO_CLAIM_SIZE || (most == GAIO_CLAIM_MODIFY && least >= GAIO_CLAIM_WRITE);
}

static goffset
round_up (goffset offset, guint alignment)
{
  return offset > G_MAXOFFSET - alignment ? G_MAXOFFSET
                                          : (offset + alignment - 1) & ~(goffset) (alignment - 1);
}

static void
plan_write (GaioRequest *self, GaioDirectClaim *claim)
{
  GaioFileDirect *direct = claim->direct;
  goffset end = self->offset + self->length;
  guint alignment = claim->alignment;

  if (direct->appends || (self->flags & RWF_APPEND) != 0)
    {
      /* Where it goes is known when nobody else can write. */
      claim->level = GAIO_CLAIM_SIZE;
      claim->start = 0;
      claim->end = G_MAXOFFSET;
      return;
    }
  claim->start = self->offset & ~(goffset) (alignment - 1);
  claim->end = round_up (end, alignment);
  if (claim->start == self->offset && claim->end == end)
    claim->level = GAIO_CLAIM_WRITE;
  else if (claim->whole || (claim->end != end && claim->end > atomic_load (&direct->size)))
    {
      /* Its last block goes past the end of the file, which then has to be cut. */
      claim->level = GAIO_CLAIM_SIZE;
      claim->end = G_MAXOFFSET;
    }
  else
    claim->level = GAIO_CLAIM_MODIFY;
}

/* What the request has to claim. False: nothing. */
static bool
plan (GaioRequest *self, GaioDirectClaim *claim)
{
  GaioFileDirect *direct = claim->direct;
  guint alignment = atomic_load (&direct->alignment);

  claim->alignment = alignment != 0 ? alignment : GAIO_DIRECT_MAX_ALIGNMENT;
  claim->start = self->offset;
  claim->end = self->offset + self->length;
  switch (self->kind)
    {
    case GAIO_REQUEST_READ:
    case GAIO_REQUEST_READV:
      claim->level = GAIO_CLAIM_READ;
      return true;
    case GAIO_REQUEST_WRITE:
      plan_write (self, claim);
      return true;
    case GAIO_REQUEST_TRUNCATE:
      claim->level = GAIO_CLAIM_SIZE;
      claim->end = G_MAXOFFSET;
      return true;
    case GAIO_REQUEST_ALLOCATE:
      claim->level = GAIO_CLAIM_WRITE;
      /* What moves the rest of the file. */
      if ((self->flags & (FALLOC_FL_COLLAPSE_RANGE | FALLOC_FL_INSERT_RANGE)) != 0)
        {
          claim->level = GAIO_CLAIM_SIZE;
          claim->end = G_MAXOFFSET;
        }
      return true;
    case GAIO_REQUEST_STATX:
      /* The length is behind everything. */
      claim->level = GAIO_CLAIM_READ;
      claim->start = G_MAXOFFSET - 1;
      claim->end = G_MAXOFFSET;
      return (self->statx_mask & STATX_SIZE) != 0;
    case GAIO_REQUEST_COPY_RANGE:
      claim->level = GAIO_CLAIM_READ;
      if (direct != self->other->direct)
        return true;
      claim->level = GAIO_CLAIM_SIZE;
      claim->start = self->other_offset & ~(goffset) (claim->alignment - 1);
      claim->end = G_MAXOFFSET;
      return true;
    default:
      return false;
    }
}

/* Under the lock. Whether the request may begin. */
static bool
push (GaioRequest *self, GaioDirectClaim *claim)
{
  GaioFileDirect *direct = claim->direct;

  claim->n_blockers = 0;
  if (claim->level > GAIO_CLAIM_WRITE || direct->n_exclusive > 0)
    for (GList *l = direct->claims.head; l != NULL; l = l->next)
      claim->n_blockers += are_in_the_way (((GaioRequest *) l->data)->claim, claim);
  claim->held = true;
  claim->link.data = self;
  g_queue_push_tail_link (&direct->claims, &claim->link);
  direct->n_exclusive += claim->level > GAIO_CLAIM_WRITE;
  return claim->n_blockers == 0;
}

/* Under the lock. Returns those that may begin now. */
static GaioRequest *
pop (GaioDirectClaim *claim)
{
  GaioFileDirect *direct = claim->direct;
  GaioRequest *granted = NULL;
  GaioRequest **last = &granted;

  if (direct->n_exclusive > 0)
    for (GList *l = claim->link.next; l != NULL; l = l->next)
      {
        GaioRequest *request = l->data;
        GaioDirectClaim *later = request->claim;

        if (!are_in_the_way (claim, later) || --later->n_blockers > 0)
          continue;
        later->next_granted = NULL;
        *last = request;
        last = &later->next_granted;
        /* From here on a cancel finds out when the request arrives. */
        if (!request->blocking)
          atomic_store_explicit (&request->state, GAIO_REQUEST_TRAVELLING, memory_order_relaxed);
        else if (later->coroutine != NULL)
          gaio_coroutine_kick (later->coroutine);
      }
  g_queue_unlink (&direct->claims, &claim->link);
  direct->n_exclusive -= claim->level > GAIO_CLAIM_WRITE;
  claim->held = false;
  return granted;
}

/* A blocking one may be gone as soon as the lock is. */
static void
release (GaioDirectClaim *claim)
{
  GaioFileDirect *direct = claim->direct;
  GaioRequest *granted;
  GaioRequest *travelling = NULL;

  g_mutex_lock (&direct->lock);
  granted = pop (claim);
  while (granted != NULL)
    {
      GaioRequest *request = granted;

      granted = request->claim->next_granted;
      if (!request->blocking)
        {
          request->claim->next_granted = travelling;
          travelling = request;
        }
      else
        {
          g_cond_broadcast (&direct->granted);
          if (direct->n_polling > 0)
            gaio_context_notify (request->file->context);
        }
    }
  g_mutex_unlock (&direct->lock);

  while (travelling != NULL)
    {
      GaioRequest *request = travelling;

      travelling = request->claim->next_granted;
      gaio_bh_node_schedule (&request->node, request->file->queue);
    }
}

void
gaio_direct_arm (GaioRequest *self, GaioFileDirect *direct)
{
  if (self->claim == NULL)
    self->claim = g_new0 (GaioDirectClaim, 1);
  self->claim->direct = self->file->fork_count == gaio_fork_get_count () ? direct : NULL;
  self->claim->wanted = G_MAXSIZE;
  self->claim->again = false;
  self->claim->whole = false;
}

bool
gaio_direct_enter (GaioRequest *self)
{
  GaioDirectClaim *claim = self->claim;
  bool begins;

  /* Held: it has waited, and now it arrives. */
  if (claim->direct == NULL || claim->held || !plan (self, claim))
    return true;
  g_mutex_lock (&claim->direct->lock);
  begins = push (self, claim);
  if (!begins)
    {
      self->engine = &engine_waiting;
      atomic_store_explicit (&self->state, GAIO_REQUEST_RUNNING, memory_order_relaxed);
    }
  g_mutex_unlock (&claim->direct->lock);
  return begins;
}

void
gaio_direct_enter_again (GaioRequest *self)
{
  self->claim->again = false;
  release (self->claim);
  if (!gaio_direct_enter (self))
    return;
  self->engine = &gaio_engine_threads;
  gaio_engine_threads.submit (self);
}

static void
waiting_cancel (GaioRequest *self)
{
  GaioDirectClaim *claim = self->claim;
  bool waits;

  g_mutex_lock (&claim->direct->lock);
  waits = claim->n_blockers > 0;
  /* What comes of it does not matter, so nobody's leave may begin it. */
  if (waits)
    claim->n_blockers = G_MAXUINT / 2;
  g_mutex_unlock (&claim->direct->lock);
  if (!waits)
    return;
  release (claim);
  gaio_request_finish_later (self, -ECANCELED);
}

/* Where requests are that wait here. Nobody submits to it. */
static const GaioEngineOps engine_waiting = {
  .type = GAIO_ENGINE_THREADS,
  .cancel = waiting_cancel,
};

static bool
has_begun (GaioDirectClaim *claim)
{
  bool begun;

  g_mutex_lock (&claim->direct->lock);
  begun = claim->n_blockers == 0;
  g_mutex_unlock (&claim->direct->lock);
  return begun;
}

/* The home thread runs the context meanwhile. -EDEADLK when it does so already, further down on the
 * stack. */
static int
wait_polling (GaioRequest *self)
{
  GaioFileDirect *direct = self->claim->direct;
  bool is_first;

  g_mutex_lock (&direct->lock);
  is_first = direct->n_polling++ == 0;
  g_mutex_unlock (&direct->lock);
  while (is_first && !has_begun (self->claim))
    gaio_context_poll (self->file->context, TRUE);
  g_mutex_lock (&direct->lock);
  direct->n_polling--;
  g_mutex_unlock (&direct->lock);
  return is_first ? 0 : -EDEADLK;
}

static void
wait_as_coroutine (GaioDirectClaim *claim)
{
  GaioContext *held = gaio_coroutine_ref_context (claim->coroutine);

  while (!has_begun (claim))
    gaio_coroutine_wait (claim->coroutine, GAIO_COROUTINE_KICKED);
  g_clear_object (&held);
  g_clear_pointer (&claim->coroutine, gaio_coroutine_unref);
}

/* 0 or -errno. */
static int
enter_blocking (GaioRequest *self)
{
  GaioDirectClaim *claim = self->claim;
  GaioFileDirect *direct = claim->direct;
  GaioCoroutine *coroutine = gaio_coroutine_self ();
  bool begins;

  if (direct == NULL || !plan (self, claim))
    return 0;
  g_mutex_lock (&direct->lock);
  begins = push (self, claim);
  if (!begins && coroutine != NULL)
    claim->coroutine = gaio_coroutine_ref (coroutine);
  g_mutex_unlock (&direct->lock);
  if (begins)
    return 0;

  if (coroutine != NULL)
    wait_as_coroutine (claim);
  else if (gaio_context_adopt (self->file->context))
    return wait_polling (self);
  g_mutex_lock (&direct->lock);
  while (claim->n_blockers > 0)
    g_cond_wait (&direct->granted, &direct->lock);
  g_mutex_unlock (&direct->lock);
  return 0;
}

void
gaio_direct_run_blocking (GaioRequest *self, int cancel_fd)
{
  GaioDirectClaim *claim = self->claim;

  for (;;)
    {
      self->result = enter_blocking (self);
      if (self->result < 0)
        return;
      gaio_engine_run_blocking (self, cancel_fd);
      if (!claim->again)
        return;
      claim->again = false;
      if (claim->held)
        release (claim);
    }
}

void
gaio_direct_leave (GaioRequest *self)
{
  GaioDirectClaim *claim = self->claim;
  GaioFileDirect *direct = claim->direct;

  if (claim->wanted != G_MAXSIZE)
    gaio_direct_narrow_read (self);
  if (!claim->held)
    return;
  if (self->kind == GAIO_REQUEST_TRUNCATE && self->result >= 0)
    atomic_store (&direct->size, self->offset);
  else if (self->kind == GAIO_REQUEST_WRITE &&
           self->offset + (goffset) self->moved > atomic_load (&direct->size))
    atomic_store (&direct->size, self->offset + (goffset) self->moved);
  release (claim);
}
