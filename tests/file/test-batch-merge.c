/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The plans of batches, against what one finds by going through the file byte by byte. No file is
 * touched. */

#include <errno.h>
#include <string.h>

#include <gaio/file/gaio-batch-merge-private.h>

#include "gaio-test.h"

/* A file so small that operations touch, overlap and cover each other. */
#define FILE_BYTES 96
#define MAX_OPS 40
#define MAX_LENGTH 24
#define NOBODY G_MAXUINT

typedef struct
{
  goffset offsets[MAX_OPS];
  gsize starts[MAX_OPS + 1];
  GaioBatchOps ops;
} Ops;

static void
ops_begin (Ops *self)
{
  self->starts[0] = 0;
  self->ops = (GaioBatchOps){ .offsets = self->offsets, .starts = self->starts };
}

static void
ops_add (Ops *self, goffset offset, gsize length)
{
  gsize i = self->ops.n++;

  g_assert_cmpuint (i, <, MAX_OPS);
  self->offsets[i] = offset;
  self->starts[i + 1] = self->starts[i] + length;
}

/* Some are empty, some not valid. */
static void
ops_make_random (Ops *self, GRand *rand)
{
  gsize n = g_rand_int_range (rand, 0, MAX_OPS + 1);

  ops_begin (self);
  for (gsize i = 0; i < n; i++)
    {
      gsize length = g_rand_int_range (rand, 0, MAX_LENGTH);

      switch (g_rand_int_range (rand, 0, 20))
        {
        case 0:
          ops_add (self, -g_rand_int_range (rand, 1, 10), length);
          break;
        case 1:
          ops_add (self, G_MAXOFFSET - length + 1, length + 1);
          break;
        default:
          ops_add (self, g_rand_int_range (rand, 0, FILE_BYTES - MAX_LENGTH), length);
        }
    }
}

static bool
is_planned (const Ops *self, gsize op)
{
  return self->starts[op + 1] > self->starts[op] && gaio_batch_ops_is_valid (&self->ops, op);
}

static gsize
length_of (const Ops *self, gsize op)
{
  return self->starts[op + 1] - self->starts[op];
}

/* The last operation that writes a byte of the file. */
static guint
owner_of (const Ops *self, goffset at)
{
  for (gsize i = self->ops.n; i-- > 0;)
    if (is_planned (self, i) && at >= self->offsets[i] &&
        at < self->offsets[i] + (goffset) length_of (self, i))
      return i;
  return NOBODY;
}

static void
test_reads_sorted (void)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (1);

  for (int round = 0; round < 2000; round++)
    {
      GaioBatchPlan plan;
      Ops ops;
      gsize n = 0;

      ops_make_random (&ops, rand);
      for (gsize i = 0; i < ops.ops.n; i++)
        n += is_planned (&ops, i);
      gaio_batch_plan_reads (&plan, &ops.ops);
      g_assert_cmpuint (plan.n, ==, n);
      for (gsize i = 0; i < plan.n; i++)
        {
          const GaioBatchPart *part = &plan.parts[i];

          g_assert_cmpint (part->offset, ==, ops.offsets[part->op]);
          g_assert_cmpuint (part->length, ==, length_of (&ops, part->op));
          g_assert_cmpuint (part->done, ==, 0);
          g_assert_cmpint (part->result, ==, 0);
          if (i > 0 && part->offset == part[-1].offset)
            g_assert_cmpuint (part->op, >, part[-1].op);
          else if (i > 0)
            g_assert_cmpint (part->offset, >, part[-1].offset);
        }
      g_free (plan.parts);
    }
}

static void
test_stream_in_order (void)
{
  GaioBatchPlan plan;
  Ops ops;

  ops_begin (&ops);
  ops_add (&ops, 50, 3);
  ops_add (&ops, 0, 0);
  ops_add (&ops, -1, 5);
  ops_add (&ops, 10, 4);
  ops_add (&ops, 60, 5);
  gaio_batch_plan_stream (&plan, &ops.ops);
  g_assert_cmpuint (plan.n, ==, 3);
  g_assert_cmpuint (plan.parts[0].op, ==, 0);
  g_assert_cmpuint (plan.parts[1].op, ==, 3);
  g_assert_cmpuint (plan.parts[2].op, ==, 4);
  g_assert_cmpuint (gaio_batch_plan_get_stream_run (&plan, 0, 100, 100), ==, 3);
  g_assert_cmpuint (gaio_batch_plan_get_stream_run (&plan, 0, 7, 100), ==, 2);
  g_assert_cmpuint (gaio_batch_plan_get_stream_run (&plan, 0, 6, 100), ==, 1);
  g_assert_cmpuint (gaio_batch_plan_get_stream_run (&plan, 0, 1, 100), ==, 1);
  g_assert_cmpuint (gaio_batch_plan_get_stream_run (&plan, 0, 100, 2), ==, 2);
  g_assert_cmpuint (gaio_batch_plan_get_stream_run (&plan, 2, 100, 2), ==, 3);
  g_free (plan.parts);
}

static void
test_runs (void)
{
  GaioBatchPlan plan;
  Ops ops;

  /* Touching, overlapping, within; then a gap. */
  ops_begin (&ops);
  ops_add (&ops, 0, 10);
  ops_add (&ops, 10, 10);
  ops_add (&ops, 15, 10);
  ops_add (&ops, 16, 2);
  ops_add (&ops, 25, 5);
  ops_add (&ops, 31, 5);
  gaio_batch_plan_reads (&plan, &ops.ops);
  g_assert_cmpuint (gaio_batch_plan_get_run (&plan, 0, 1000, 1000), ==, 5);
  g_assert_cmpuint (gaio_batch_plan_get_run (&plan, 5, 1000, 1000), ==, 6);
  g_assert_cmpuint (gaio_batch_plan_get_run (&plan, 3, 1000, 1000), ==, 4);
  /* What overlaps counts as often as it is read. */
  g_assert_cmpuint (gaio_batch_plan_get_run (&plan, 0, 37, 1000), ==, 5);
  g_assert_cmpuint (gaio_batch_plan_get_run (&plan, 0, 36, 1000), ==, 4);
  g_assert_cmpuint (gaio_batch_plan_get_run (&plan, 0, 29, 1000), ==, 2);
  g_assert_cmpuint (gaio_batch_plan_get_run (&plan, 0, 10, 1000), ==, 1);
  g_assert_cmpuint (gaio_batch_plan_get_run (&plan, 0, 1, 1000), ==, 1);
  g_assert_cmpuint (gaio_batch_plan_get_run (&plan, 0, 1000, 3), ==, 3);
  g_assert_cmpuint (gaio_batch_plan_get_run (&plan, 0, 1000, 1), ==, 1);
  g_free (plan.parts);
}

/* Neighbours in the file that are so in memory are one piece. */
static void
test_memory_joined (void)
{
  guint8 memory[64];
  struct iovec iov[8];
  GaioBatchPlan plan;
  Ops ops;

  ops_begin (&ops);
  ops_add (&ops, 0, 10);
  ops_add (&ops, 10, 10);
  ops_add (&ops, 20, 10);
  gaio_batch_plan_reads (&plan, &ops.ops);
  g_assert_cmpuint (gaio_batch_plan_scatter (&plan, &ops.ops, 0, 3, memory, iov), ==, 1);
  g_assert_true (iov[0].iov_base == memory);
  g_assert_cmpuint (iov[0].iov_len, ==, 30);
  g_free (plan.parts);

  ops_begin (&ops);
  ops_add (&ops, 10, 10);
  ops_add (&ops, 0, 10);
  gaio_batch_plan_reads (&plan, &ops.ops);
  g_assert_cmpuint (gaio_batch_plan_scatter (&plan, &ops.ops, 0, 2, memory, iov), ==, 2);
  g_assert_true (iov[0].iov_base == memory + 10);
  g_assert_true (iov[1].iov_base == memory);
  g_free (plan.parts);
}

/* Reads by runs of random sizes, from a file that ends somewhere. */
static void
test_reads_filled (void)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (2);

  for (int round = 0; round < 5000; round++)
    {
      gsize file_size = g_rand_int_range (rand, 0, FILE_BYTES + 1);
      gsize max_bytes = g_rand_int_range (rand, 1, 100);
      gsize max_parts = g_rand_int_range (rand, 1, MAX_OPS);
      gsize counts[MAX_OPS];
      int results[MAX_OPS];
      g_autofree guint8 *memory = NULL;
      GaioBatchPlan plan;
      gsize first = 0;
      Ops ops;

      ops_make_random (&ops, rand);
      memory = g_malloc0 (ops.starts[ops.ops.n] + 1);
      gaio_batch_plan_reads (&plan, &ops.ops);
      while (first < plan.n)
        {
          struct iovec iov[MAX_OPS];
          gsize end = gaio_batch_plan_get_run (&plan, first, max_bytes, max_parts);
          gsize n = gaio_batch_plan_scatter (&plan, &ops.ops, first, end, memory, iov);
          goffset at = plan.parts[first].offset;
          gsize moved = 0;

          g_assert_cmpuint (end, >, first);
          g_assert_cmpuint (n, >, 0);
          for (gsize i = 0; i < n; i++)
            for (gsize k = 0; k < iov[i].iov_len; k++, at++)
              if (at < (goffset) file_size)
                {
                  ((guint8 *) iov[i].iov_base)[k] = at + 1;
                  moved++;
                }
          gaio_batch_plan_take_read (&plan, &ops.ops, first, end, moved, memory);
          first = end;
        }
      gaio_batch_plan_sum_up (&plan, &ops.ops, counts, results);
      for (gsize i = 0; i < ops.ops.n; i++)
        {
          gsize expected = 0;

          if (!gaio_batch_ops_is_valid (&ops.ops, i))
            g_assert_cmpint (results[i], ==, -EINVAL);
          else
            {
              g_assert_cmpint (results[i], ==, 0);
              expected =
                  CLAMP ((goffset) file_size - ops.offsets[i], 0, (goffset) length_of (&ops, i));
            }
          g_assert_cmpuint (counts[i], ==, expected);
          for (gsize k = 0; k < expected; k++)
            g_assert_cmpint (memory[ops.starts[i] + k], ==, ops.offsets[i] + k + 1);
          for (gsize k = expected; k < length_of (&ops, i); k++)
            g_assert_cmpint (memory[ops.starts[i] + k], ==, 0);
        }
      g_free (plan.parts);
    }
}

/* Each byte is written once, with what the last operation has for it. */
static void
test_writes_painted (void)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (3);

  for (int round = 0; round < 5000; round++)
    {
      GBytes *chunks[MAX_OPS];
      guint8 file[FILE_BYTES] = { 0 };
      GaioBatchPlan plan;
      goffset reached = 0;
      gsize first = 0;
      Ops ops;

      ops_make_random (&ops, rand);
      for (gsize i = 0; i < ops.ops.n; i++)
        {
          gsize length = length_of (&ops, i);
          guint8 *data = g_malloc (length + 1);

          for (gsize k = 0; k < length; k++)
            data[k] = i * 31 + k;
          chunks[i] = g_bytes_new_take (data, length);
        }
      gaio_batch_plan_writes (&plan, &ops.ops);
      while (first < plan.n)
        {
          struct iovec iov[2 * MAX_OPS];
          gsize end = gaio_batch_plan_get_run (&plan, first, 50, 2 * MAX_OPS);
          gsize n = gaio_batch_plan_gather (&plan, &ops.ops, first, end, chunks, iov);
          goffset at = plan.parts[first].offset;

          g_assert_cmpint (at, >=, reached);
          for (gsize i = 0; i < n; i++)
            {
              memcpy (file + at, iov[i].iov_base, iov[i].iov_len);
              at += iov[i].iov_len;
            }
          reached = at;
          first = end;
        }
      for (goffset at = 0; at < FILE_BYTES; at++)
        {
          guint owner = owner_of (&ops, at);

          if (owner == NOBODY)
            g_assert_cmpint (file[at], ==, 0);
          else
            g_assert_cmpint (file[at], ==, (guint8) (owner * 31 + (at - ops.offsets[owner])));
        }
      for (gsize i = 0; i < ops.ops.n; i++)
        g_bytes_unref (chunks[i]);
      g_free (plan.parts);
    }
}

/* An operation is done as far as all bytes of it are, whoever wrote them. */
static void
test_writes_summed_up (void)
{
  g_autoptr (GRand) rand = g_rand_new_with_seed (4);

  for (int round = 0; round < 5000; round++)
    {
      bool done[FILE_BYTES] = { false };
      int failed[FILE_BYTES] = { 0 };
      gsize counts[MAX_OPS];
      int results[MAX_OPS];
      GaioBatchPlan plan;
      Ops ops;

      ops_make_random (&ops, rand);
      gaio_batch_plan_writes (&plan, &ops.ops);
      for (gsize i = 0; i < plan.n; i++)
        {
          GaioBatchPart *part = &plan.parts[i];

          part->done = g_rand_boolean (rand) ? part->length
                                             : (gsize) g_rand_int_range (rand, 0, part->length + 1);
          if (part->done < part->length)
            part->result = -g_rand_int_range (rand, 1, 100);
          for (gsize k = 0; k < part->length; k++)
            {
              done[part->offset + k] = k < part->done;
              failed[part->offset + k] = part->result;
            }
        }
      gaio_batch_plan_sum_up (&plan, &ops.ops, counts, results);
      for (gsize i = 0; i < ops.ops.n; i++)
        {
          gsize expected = 0;

          if (!gaio_batch_ops_is_valid (&ops.ops, i))
            {
              g_assert_cmpint (results[i], ==, -EINVAL);
              g_assert_cmpuint (counts[i], ==, 0);
              continue;
            }
          while (expected < length_of (&ops, i) && done[ops.offsets[i] + expected])
            expected++;
          g_assert_cmpuint (counts[i], ==, expected);
          g_assert_cmpint (results[i], ==,
                           expected < length_of (&ops, i) ? failed[ops.offsets[i] + expected] : 0);
        }
      g_free (plan.parts);
    }
}

/* A run that came so far and no farther. */
static void
test_write_taken (void)
{
  GaioBatchPlan plan;
  Ops ops;

  ops_begin (&ops);
  ops_add (&ops, 0, 10);
  ops_add (&ops, 10, 10);
  ops_add (&ops, 20, 10);
  gaio_batch_plan_writes (&plan, &ops.ops);
  gaio_batch_plan_take_write (&plan, 0, 3, 14);
  g_assert_cmpuint (plan.parts[0].done, ==, 10);
  g_assert_cmpuint (plan.parts[1].done, ==, 4);
  g_assert_cmpuint (plan.parts[2].done, ==, 0);
  g_free (plan.parts);
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);
  gaio_test_add ("/batch-merge/reads-sorted", test_reads_sorted);
  gaio_test_add ("/batch-merge/stream-in-order", test_stream_in_order);
  gaio_test_add ("/batch-merge/runs", test_runs);
  gaio_test_add ("/batch-merge/memory-joined", test_memory_joined);
  gaio_test_add ("/batch-merge/reads-filled", test_reads_filled);
  gaio_test_add ("/batch-merge/writes-painted", test_writes_painted);
  gaio_test_add ("/batch-merge/writes-summed-up", test_writes_summed_up);
  gaio_test_add ("/batch-merge/write-taken", test_write_taken);
  return g_test_run ();
}
