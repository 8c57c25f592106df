/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the model test does next: which operation, in which way, on which part of the file. */

#include "model-run.h"

#define FOR_EVER G_MAXINT64

/* How often, of 100; the rest are reads. */
static const int kind_shares[N_KINDS] = { 0, 20, 9, 5, 1, 5, 6, 3, 2, 3, 3, 5, 2, 3, 3 };
static const int way_shares[N_WAYS] = { 0, 12, 20, 8 };

gsize
run_below (Run *self, gsize n)
{
  return (gsize) (g_rand_double (self->random) * n);
}

static gsize
aligned (Run *self, gsize n)
{
  return self->aligned ? n & ~(BLOCK_BYTES - 1) : n;
}

static int
choose (Run *self, const int *shares, int n)
{
  int left = (int) run_below (self, 100);

  for (int i = 1; i < n; i++)
    if ((left -= shares[i]) < 0)
      return i;
  return 0;
}

/* Mostly small; some that the ring gives to the kernel's workers, and some that are nothing. */
static gsize
choose_length (Run *self)
{
  static const gsize bounds[] = { 4096, 4096, 4096, 16384, 16384, 65536, 131072, 500000 };
  gsize bound = bounds[run_below (self, G_N_ELEMENTS (bounds))];

  return run_below (self, 100) == 0 ? 0 : aligned (self, 1 + run_below (self, bound + BLOCK_BYTES));
}

/* Anywhere, at the end of the file, or at the border of a page. */
static gsize
choose_offset (Run *self)
{
  gsize offset = run_below (self, FILE_MODEL_MAX_BYTES);

  switch (run_below (self, 8))
    {
    case 0:
      offset = self->model.size;
      break;
    case 1:
      offset &= ~(BLOCK_BYTES - 1);
      break;
    default:
      break;
    }
  return aligned (self, offset);
}

/* Bytes of the operation's own, in memory as O_DIRECT wants it. */
static GBytes *
make_bytes (gsize length, guint64 number)
{
  void *data = NULL;

  g_assert_cmpint (posix_memalign (&data, BLOCK_BYTES, MAX (length, 1)), ==, 0);
  file_model_fill (data, length, number);
  return g_bytes_new_with_free_func (data, length, free, data);
}

static void
cut_into_chunks (Run *self, Op *op)
{
  gsize unit = self->aligned ? BLOCK_BYTES : 1;
  gsize most = run_below (self, 16) == 0 ? MAX_CHUNKS : 1 + run_below (self, 12);
  gsize left = op->length;

  while (left > 0)
    {
      gsize n = unit + aligned (self, run_below (self, 2 * op->length / most + 1));

      if (n > left || op->n_chunks == most - 1)
        n = left;
      op->chunks[op->n_chunks++] = g_bytes_new_from_bytes (op->bytes, op->length - left, n);
      left -= n;
    }
}

/* Pieces of the operation's part of the file, anywhere in it, and over each other; the last one
 * goes to its end. Of writes the later counts, and that is what `bytes` is then. */
static void
make_batch (Run *self, Op *op)
{
  g_autofree guint8 *whole = g_memdup2 (self->model.data + op->offset, op->length);

  op->n_batch = 1 + run_below (self, MAX_BATCH);
  for (gsize i = 0; i < op->n_batch; i++)
    {
      gsize start = run_below (self, op->length);
      gsize length = run_below (self, (op->length - start) / (i % 4 + 1) + 1);

      if (i + 1 == op->n_batch)
        length = op->length - start;
      op->offsets[i] = op->offset + (goffset) start;
      op->lengths[i] = length;
      if (op->kind != WRITE_BATCH)
        continue;
      op->chunks[op->n_chunks++] = make_bytes (length, op->number * MAX_BATCH + i);
      if (length > 0)
        memcpy (whole + start, g_bytes_get_data (op->chunks[i], NULL), length);
    }
  if (op->kind == WRITE_BATCH)
    op->bytes = g_bytes_new_take (g_steal_pointer (&whole), op->length);
}

static bool
has_task (Kind kind)
{
  return (kind <= QUERY && kind != WRITEV) || kind >= READ_BATCH;
}

static bool
has_request (Kind kind)
{
  return kind != QUERY && kind < READ_BATCH;
}

/* Which part of the file the operation means. */
static FileModelPart
part_of (Run *self, Op *op)
{
  gint64 size = (gint64) self->model.size;
  gint64 begin = op->offset;
  gint64 end = begin + (gint64) op->length;

  switch (op->kind)
    {
    case READ:
    case READV:
    case READ_BATCH:
      return (FileModelPart){ begin, end, false };
    case TRUNCATE:
    case APPEND:
      return (FileModelPart){ MIN (begin, size), FOR_EVER, true };
    case QUERY:
      return (FileModelPart){ size, size + 1, false };
    case SYNC:
    case ADVISE:
      return (FileModelPart){ 0, 0, false };
    case COPY:
      begin = op->target;
      end = begin + (gint64) op->length;
      break;
    default:
      break;
    }
  /* What is written into the last block of a direct file is seen with a whole block for a moment,
   * so nobody asks for the size or moves the end meanwhile. */
  if (self->direct && op->length > 0 && end > (size & ~(gint64) (BLOCK_BYTES - 1)))
    end = MAX (end, size + 1);
  return (FileModelPart){ op->length > 0 ? MIN (begin, size) : begin, end, true };
}

static bool
has_older_file (Run *self)
{
  for (int i = 0; i < MAX_IN_FLIGHT; i++)
    if (self->ops[i].busy && self->ops[i].file != self->file)
      return true;
  return false;
}

/* Two direct files know nothing of each other: what one writes is lost when the other has just read
 * the rest of that block to write it back. So while the file that was open before still has
 * something to do, what changes the file has whole blocks to itself. */
static void
widen_part (FileModelPart *part)
{
  const gint64 block = BLOCK_BYTES;

  part->begin &= ~(block - 1);
  if (part->end < FOR_EVER)
    part->end = (part->end + block - 1) & ~(block - 1);
}

/* It may have to come after one that is in flight, and then they may be in each other's way: all
 * that either needs is reserved until the second has ended. */
static void
choose_before (Run *self, Op *op)
{
  Op *before = self->latest;

  op->before = NULL;
  if (before == NULL || before == op || !before->busy || run_below (self, 4) != 0)
    return;
  if (op->way != BY_REQUEST || before->way != BY_REQUEST || op->kind == COPY ||
      before->kind == COPY)
    return;
  /* There may be no room behind the end by then. */
  if (op->kind == APPEND && before->part.end > (gint64) self->model.size)
    return;
  op->before = before;
  op->part.begin = MIN (op->part.begin, before->part.begin);
  op->part.end = MAX (op->part.end, before->part.end);
  op->part.exclusive = op->part.exclusive || before->part.exclusive;
}

bool
run_choose_operation (Run *self, Op *op)
{
  self->aligned = self->direct && run_below (self, 3) == 0;
  op->kind = choose (self, kind_shares, N_KINDS);
  op->way = choose (self, way_shares, N_WAYS);
  if (!has_task (op->kind))
    op->way &= 1;
  else if (!has_request (op->kind))
    op->way |= 2;
  op->offset = op->kind == APPEND ? (goffset) self->model.size : (goffset) choose_offset (self);
  op->target = (goffset) choose_offset (self);
  op->length = choose_length (self);
  if (op->kind == TRUNCATE || op->kind == SYNC || op->kind == QUERY)
    op->length = 0;
  else if (op->length == 0 && op->kind >= APPEND)
    return false;
  if (op->offset + op->length > FILE_MODEL_MAX_BYTES ||
      op->target + op->length > FILE_MODEL_MAX_BYTES)
    return false;
  op->part = part_of (self, op);
  if (self->direct && op->part.exclusive && has_older_file (self))
    widen_part (&op->part);
  choose_before (self, op);
  if (!file_model_reserve (&self->model, &op->part, op->before ? &op->before->part : NULL))
    return false;
  op->source = (FileModelPart){ op->offset, op->offset + op->length, false };
  if (op->kind != COPY || file_model_reserve (&self->model, &op->source, NULL))
    return true;
  file_model_release (&self->model, &op->part);
  return false;
}

void
run_make_content (Run *self, Op *op)
{
  switch (op->kind)
    {
    case READ_BATCH:
    case WRITE_BATCH:
      make_batch (self, op);
      break;
    case WRITE:
    case APPEND:
      op->bytes = make_bytes (op->length, op->number);
      break;
    case WRITEV:
      op->bytes = make_bytes (op->length, op->number);
      cut_into_chunks (self, op);
      break;
    case READV:
      g_assert_cmpint (posix_memalign ((void **) &op->buffer, BLOCK_BYTES, op->length + 1), ==, 0);
      break;
    default:
      break;
    }
}
