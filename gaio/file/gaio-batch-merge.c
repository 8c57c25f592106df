/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What a batch transfers, and in which pieces: arithmetic only, no system call, no object.
 *
 * The operations are sorted by their places in the file, those at the same place in the order of
 * their submission. Each becomes a part, and parts that leave no gap between them a run, which is
 * one request: the fewer system calls the better, up to a size from where on it is better to have
 * several at work at once.
 *
 * Reads may overlap within a run. What several want is read into the memory of the first, and
 * copied from there when the run has ended:
 *
 *      A  ==========            read
 *      B     ====               copied from A
 *      C        .......=====    the beginning from A, the rest read
 *
 * Of all parts before C the one that reaches farthest has all that C shares with any, since it
 * begins before C. So there is one to copy from, and it is complete when C's turn comes. What is
 * read twice, in two runs, is just read twice.
 *
 * Writes must not overlap, for requests that are in flight together end in any order. The last one
 * submitted wins, as if they had been done one after the other, so of each only what no later one
 * covers is written:
 *
 *      1  ==....====
 *      2    ======
 *      0        ..........==    (submitted first)
 *
 * A sweep along the file finds that: it holds those that cover the place where it is in a heap,
 * the last submitted on top, and stops where one begins or the top one ends.
 *
 * To plan n operations takes n log n steps, and none but the arrays that are returned, a copy to
 * sort, and the heap, if any overlap. */

#include "config.h"

#include <errno.h>
#include <string.h>

#include <gaio/file/gaio-batch-merge-private.h>

static goffset
end_of (const GaioBatchPart *part)
{
  return part->offset + part->length;
}

static int
compare (gconstpointer a, gconstpointer b, gpointer user_data)
{
  const GaioBatchPart *x = a;
  const GaioBatchPart *y = b;

  if (x->offset != y->offset)
    return x->offset < y->offset ? -1 : 1;
  return x->op < y->op ? -1 : 1;
}

void
gaio_batch_plan_stream (GaioBatchPlan *self, const GaioBatchOps *ops)
{
  *self = (GaioBatchPlan){ .parts = g_new (GaioBatchPart, ops->n) };
  for (gsize i = 0; i < ops->n; i++)
    if (gaio_batch_ops_get_length (ops, i) > 0 && gaio_batch_ops_is_valid (ops, i))
      self->parts[self->n++] = (GaioBatchPart){
        .offset = ops->offsets[i],
        .length = gaio_batch_ops_get_length (ops, i),
        .op = i,
      };
}

void
gaio_batch_plan_reads (GaioBatchPlan *self, const GaioBatchOps *ops)
{
  gaio_batch_plan_stream (self, ops);
  /* Most come in order. */
  for (gsize i = 1; i < self->n; i++)
    if (self->parts[i].offset < self->parts[i - 1].offset)
      {
        g_qsort_with_data (self->parts, self->n, sizeof (GaioBatchPart), compare, NULL);
        return;
      }
}

/* A heap of indices of sorted operations, the one that was submitted last on top. */

typedef struct
{
  const GaioBatchPart *sorted;
  gsize *items;
  gsize n;
} Heap;

static bool
heap_is_above (const Heap *self, gsize a, gsize b)
{
  return self->sorted[self->items[a]].op > self->sorted[self->items[b]].op;
}

static void
heap_swap (Heap *self, gsize a, gsize b)
{
  gsize item = self->items[a];

  self->items[a] = self->items[b];
  self->items[b] = item;
}

static void
heap_push (Heap *self, gsize item)
{
  gsize i = self->n++;

  self->items[i] = item;
  for (; i > 0 && heap_is_above (self, i, (i - 1) / 2); i = (i - 1) / 2)
    heap_swap (self, i, (i - 1) / 2);
}

static void
heap_pop (Heap *self)
{
  gsize i = 0;

  self->items[0] = self->items[--self->n];
  for (;;)
    {
      gsize child = 2 * i + 1;

      if (child + 1 < self->n && heap_is_above (self, child + 1, child))
        child++;
      if (child >= self->n || !heap_is_above (self, child, i))
        return;
      heap_swap (self, i, child);
      i = child;
    }
}

static bool
has_overlap (const GaioBatchPlan *self)
{
  for (gsize i = 1; i < self->n; i++)
    if (self->parts[i].offset < end_of (&self->parts[i - 1]))
      return true;
  return false;
}

void
gaio_batch_plan_writes (GaioBatchPlan *self, const GaioBatchOps *ops)
{
  GaioBatchPlan sorted;
  Heap heap = { 0 };
  goffset at = 0;
  gsize next = 0;

  gaio_batch_plan_reads (&sorted, ops);
  if (!has_overlap (&sorted))
    {
      *self = sorted;
      return;
    }

  /* Each step reaches a beginning or an end, and there are two of these for each operation. */
  *self = (GaioBatchPlan){
    .parts = g_new (GaioBatchPart, 2 * sorted.n),
    .has_covered = true,
  };
  heap.sorted = sorted.parts;
  heap.items = g_new (gsize, sorted.n);
  while (next < sorted.n || heap.n > 0)
    {
      const GaioBatchPart *top;
      GaioBatchPart *last;
      goffset stop;

      if (heap.n == 0)
        at = sorted.parts[next].offset;
      while (next < sorted.n && sorted.parts[next].offset == at)
        heap_push (&heap, next++);
      top = &sorted.parts[heap.items[0]];
      if (end_of (top) <= at)
        {
          heap_pop (&heap);
          continue;
        }
      stop = end_of (top);
      if (next < sorted.n)
        stop = MIN (stop, sorted.parts[next].offset);
      last = self->n > 0 ? &self->parts[self->n - 1] : NULL;
      if (last != NULL && last->op == top->op && end_of (last) == at)
        last->length += stop - at;
      else
        self->parts[self->n++] =
            (GaioBatchPart){ .offset = at, .length = stop - at, .op = top->op };
      at = stop;
    }
  g_free (heap.items);
  g_free (sorted.parts);
}

gsize
gaio_batch_plan_get_run (const GaioBatchPlan *self, gsize first, gsize max_bytes, gsize max_parts)
{
  goffset reached = end_of (&self->parts[first]);
  gsize bytes = self->parts[first].length;
  gsize i = first + 1;

  for (; i < self->n && i - first < max_parts; i++)
    {
      const GaioBatchPart *part = &self->parts[i];

      if (part->offset > reached || bytes >= max_bytes || part->length > max_bytes - bytes)
        break;
      bytes += part->length;
      reached = MAX (reached, end_of (part));
    }
  return i;
}

gsize
gaio_batch_plan_get_stream_run (const GaioBatchPlan *self,
                                gsize first,
                                gsize max_bytes,
                                gsize max_parts)
{
  gsize bytes = self->parts[first].length;
  gsize i = first + 1;

  for (; i < self->n && i - first < max_parts; i++)
    {
      if (bytes >= max_bytes || self->parts[i].length > max_bytes - bytes)
        break;
      bytes += self->parts[i].length;
    }
  return i;
}

/* Neighbours in the file are often neighbours in memory. */
static gsize
add_iov (struct iovec *iov, gsize n, guint8 *data, gsize length)
{
  if (n > 0 && (guint8 *) iov[n - 1].iov_base + iov[n - 1].iov_len == data)
    {
      iov[n - 1].iov_len += length;
      return n;
    }
  iov[n] = (struct iovec){ .iov_base = data, .iov_len = length };
  return n + 1;
}

gsize
gaio_batch_plan_scatter (const GaioBatchPlan *self,
                         const GaioBatchOps *ops,
                         gsize first,
                         gsize end,
                         guint8 *memory,
                         struct iovec *iov)
{
  goffset reached = self->parts[first].offset;
  gsize n = 0;

  for (gsize i = first; i < end; i++)
    {
      const GaioBatchPart *part = &self->parts[i];

      if (end_of (part) <= reached)
        continue;
      n = add_iov (iov, n, memory + ops->starts[part->op] + (reached - part->offset),
                   end_of (part) - reached);
      reached = end_of (part);
    }
  return n;
}

gsize
gaio_batch_plan_gather (const GaioBatchPlan *self,
                        const GaioBatchOps *ops,
                        gsize first,
                        gsize end,
                        GBytes *const *chunks,
                        struct iovec *iov)
{
  gsize n = 0;

  for (gsize i = first; i < end; i++)
    {
      const GaioBatchPart *part = &self->parts[i];
      const guint8 *data = g_bytes_get_data (chunks[part->op], NULL);

      n = add_iov (iov, n, (guint8 *) data + (part->offset - ops->offsets[part->op]), part->length);
    }
  return n;
}

void
gaio_batch_plan_take_read (GaioBatchPlan *self,
                           const GaioBatchOps *ops,
                           gsize first,
                           gsize end,
                           gsize moved,
                           guint8 *memory)
{
  goffset there = self->parts[first].offset + moved;
  const GaioBatchPart *farthest = &self->parts[first];

  for (gsize i = first; i < end; i++)
    {
      GaioBatchPart *part = &self->parts[i];
      goffset shared = MIN (MIN (end_of (part), end_of (farthest)), there);

      part->done = CLAMP (there - part->offset, 0, (goffset) part->length);
      if (part != farthest && shared > part->offset)
        memcpy (memory + ops->starts[part->op],
                memory + ops->starts[farthest->op] + (part->offset - farthest->offset),
                shared - part->offset);
      if (end_of (part) > end_of (farthest))
        farthest = part;
    }
}

void
gaio_batch_plan_take_write (GaioBatchPlan *self, gsize first, gsize end, gsize moved)
{
  for (gsize i = first; i < end; i++)
    {
      GaioBatchPart *part = &self->parts[i];

      part->done = MIN (part->length, moved);
      moved -= part->done;
    }
}

/* An operation that is covered begins in some part, its own or another's, and from there on parts
 * follow without a gap until it ends. So what counts is how far all is done from a part on, over
 * those that follow; and that is known from behind. That it may go on behind a gap does not matter,
 * since no operation does. */
static void
sum_up_covered (const GaioBatchPlan *self, const GaioBatchOps *ops, gsize *counts, int *results)
{
  typedef struct
  {
    goffset end; /* done as far as here */
    int result;  /* and no farther, because of this */
  } Reach;

  g_autofree Reach *reaches = g_new (Reach, self->n);

  for (gsize i = self->n; i-- > 0;)
    {
      const GaioBatchPart *part = &self->parts[i];

      if (part->done == part->length && i + 1 < self->n)
        reaches[i] = reaches[i + 1];
      else
        reaches[i] = (Reach){ .end = part->offset + part->done, .result = part->result };
    }
  for (gsize op = 0; op < ops->n; op++)
    {
      goffset begin = ops->offsets[op];
      gsize length = gaio_batch_ops_get_length (ops, op);
      gsize low = 0;
      gsize high = self->n;

      if (length == 0 || results[op] < 0)
        continue;
      /* The last part that begins at or before it. */
      while (high - low > 1)
        {
          gsize middle = low + (high - low) / 2;

          if (self->parts[middle].offset <= begin)
            low = middle;
          else
            high = middle;
        }
      counts[op] = CLAMP (reaches[low].end - begin, 0, (goffset) length);
      if (counts[op] < length)
        results[op] = reaches[low].result;
    }
}

void
gaio_batch_plan_sum_up (const GaioBatchPlan *self,
                        const GaioBatchOps *ops,
                        gsize *counts,
                        int *results)
{
  for (gsize i = 0; i < ops->n; i++)
    {
      counts[i] = 0;
      results[i] = gaio_batch_ops_is_valid (ops, i) ? 0 : -EINVAL;
    }
  if (self->has_covered)
    {
      sum_up_covered (self, ops, counts, results);
      return;
    }
  for (gsize i = 0; i < self->n; i++)
    {
      counts[self->parts[i].op] = self->parts[i].done;
      results[self->parts[i].op] = self->parts[i].result;
    }
}
