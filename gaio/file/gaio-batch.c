/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/**
 * GaioBatch:
 *
 * What came of the operations of a batch, see [method@Gaio.File.read_batch_async] and
 * [method@Gaio.File.write_batch_async]: for each a count of bytes and, where it failed, an error.
 *
 * The operations are numbered from 0 in the order in which they were given.
 *
 * What was read is one piece of memory, in which the operations have their places one after the
 * other, each as long as the operation's length: get it all at once with
 * [method@Gaio.Batch.get_data] and [method@Gaio.Batch.get_counts], or one by one with
 * [method@Gaio.Batch.get_bytes]. Nothing is copied. Where less was read the rest is zeros.
 *
 * A batch does not change. It keeps its memory, but not the file.
 */

/* The object with the results, and the functions of a file that lead to one. How they are come by
 * is in gaio-batch-merge.c, what is transferred, and gaio-batch-run.c, how it is done. By the time
 * that anybody has the object it is complete and immutable. */

#include "config.h"

#include <gaio/base/gaio-error-private.h>
#include <gaio/file/gaio-batch-private.h>
#include <gaio/file/gaio-file-call-private.h>
#include <gaio/file/gaio-memory-private.h>

G_DEFINE_FINAL_TYPE (GaioBatch, gaio_batch, G_TYPE_OBJECT)

GaioBatch *
gaio_batch_new (const char *label, bool writes, const goffset *offsets, gsize n)
{
  GaioBatch *self = g_object_new (GAIO_TYPE_BATCH, NULL);

  self->writes = writes;
  self->label = g_strdup (label);
  self->offsets = g_new (goffset, n);
  if (n > 0)
    memcpy (self->offsets, offsets, n * sizeof (goffset));
  self->starts = g_new (gsize, n + 1);
  self->starts[0] = 0;
  self->counts = g_new (gsize, n);
  self->results = g_new (int, n);
  self->ops = (GaioBatchOps){ .offsets = self->offsets, .starts = self->starts, .n = n };
  return self;
}

/* What nobody has read must not be what was in the memory before. */
static void
clear_unread (GaioBatch *self)
{
  gsize end = self->starts[self->ops.n];

  for (gsize i = self->ops.n; i-- > 0;)
    if (self->counts[i] > 0 || i == 0)
      {
        gsize begin = self->starts[i] + self->counts[i];

        gaio_memory_clear (self->memory + begin, end - begin);
        end = self->starts[i];
      }
}

void
gaio_batch_complete (GaioBatch *self, const GaioBatchPlan *plan)
{
  gaio_batch_plan_sum_up (plan, &self->ops, self->counts, self->results);
  for (gsize i = 0; i < self->ops.n; i++)
    self->n_failed += self->results[i] < 0;
  if (self->memory != NULL)
    clear_unread (self);
  self->data = g_bytes_new_with_free_func (self->memory,
                                           self->memory != NULL ? self->starts[self->ops.n] : 0,
                                           free, g_steal_pointer (&self->block));
  self->memory = NULL;
}

/**
 * gaio_batch_is_read:
 * @self: a batch
 *
 * Whether the operations were reads, so that there is data.
 *
 * Thread: any.
 *
 * Returns: %TRUE for reads, %FALSE for writes
 */
gboolean
gaio_batch_is_read (GaioBatch *self)
{
  g_return_val_if_fail (GAIO_IS_BATCH (self), FALSE);

  return !self->writes;
}

/**
 * gaio_batch_get_n_operations:
 * @self: a batch
 *
 * Gets how many operations there were.
 *
 * Thread: any.
 *
 * Returns: how many
 */
gsize
gaio_batch_get_n_operations (GaioBatch *self)
{
  g_return_val_if_fail (GAIO_IS_BATCH (self), 0);

  return self->ops.n;
}

/**
 * gaio_batch_get_n_failed:
 * @self: a batch
 *
 * Gets how many operations have failed. A read that the end of the file made shorter has not.
 *
 * Thread: any.
 *
 * Returns: how many
 */
gsize
gaio_batch_get_n_failed (GaioBatch *self)
{
  g_return_val_if_fail (GAIO_IS_BATCH (self), 0);

  return self->n_failed;
}

/**
 * gaio_batch_get_count:
 * @self: a batch
 * @index: which operation
 *
 * Gets how many bytes an operation has moved, from its beginning on. Also one that failed may have
 * moved some.
 *
 * Thread: any.
 *
 * Returns: how many bytes
 */
gsize
gaio_batch_get_count (GaioBatch *self, gsize index)
{
  g_return_val_if_fail (GAIO_IS_BATCH (self), 0);
  g_return_val_if_fail (index < self->ops.n, 0);

  return self->counts[index];
}

/**
 * gaio_batch_get_errno:
 * @self: a batch
 * @index: which operation
 *
 * Gets why an operation failed.
 *
 * Thread: any.
 *
 * Returns: an errno value, 0 when it did not fail
 */
int
gaio_batch_get_errno (GaioBatch *self, gsize index)
{
  g_return_val_if_fail (GAIO_IS_BATCH (self), 0);
  g_return_val_if_fail (index < self->ops.n, 0);

  return -self->results[index];
}

/**
 * gaio_batch_get_error:
 * @self: a batch
 * @index: which operation
 *
 * Gets why an operation failed, with a text to show.
 *
 * Thread: any.
 *
 * Returns: (transfer full) (nullable): an error of `G_IO_ERROR` or %GAIO_ERROR, %NULL when it did
 *   not fail
 */
GError *
gaio_batch_get_error (GaioBatch *self, gsize index)
{
  g_autofree char *detail = NULL;

  g_return_val_if_fail (GAIO_IS_BATCH (self), NULL);
  g_return_val_if_fail (index < self->ops.n, NULL);

  if (self->results[index] == 0)
    return NULL;
  detail = g_strdup_printf (
      "%" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT " bytes at offset %" G_GOFFSET_FORMAT,
      self->counts[index], gaio_batch_ops_get_length (&self->ops, index), self->offsets[index]);
  return gaio_error_new_errno_with_detail (-self->results[index], self->writes ? "write" : "read",
                                           self->label, detail);
}

/**
 * gaio_batch_check:
 * @self: a batch
 * @error: return location for an error
 *
 * Fails with the error of the first operation that failed.
 *
 * Thread: any.
 *
 * Returns: %TRUE when all have succeeded, %FALSE with an error of `G_IO_ERROR` or %GAIO_ERROR
 */
gboolean
gaio_batch_check (GaioBatch *self, GError **error)
{
  gsize i = 0;

  g_return_val_if_fail (GAIO_IS_BATCH (self), FALSE);
  g_return_val_if_fail (error == NULL || *error == NULL, FALSE);

  if (self->n_failed == 0)
    return TRUE;
  while (self->results[i] == 0)
    i++;
  g_propagate_error (error, gaio_batch_get_error (self, i));
  return FALSE;
}

/**
 * gaio_batch_get_bytes:
 * @self: a batch of reads
 * @index: which operation
 *
 * Gets what an operation has read: as many bytes as its count says. Of a write it is empty.
 *
 * It is a part of what [method@Gaio.Batch.get_data] returns, and keeps all of that in memory.
 *
 * Thread: any.
 *
 * Returns: (transfer full): the data
 */
GBytes *
gaio_batch_get_bytes (GaioBatch *self, gsize index)
{
  g_return_val_if_fail (GAIO_IS_BATCH (self), NULL);
  g_return_val_if_fail (index < self->ops.n, NULL);

  if (self->writes)
    return g_bytes_new (NULL, 0);
  return g_bytes_new_from_bytes (self->data, self->starts[index], self->counts[index]);
}

/**
 * gaio_batch_get_data:
 * @self: a batch of reads
 *
 * Gets what all operations have read. The first operation's place is at the beginning, each next
 * one's behind it: [method@Gaio.Batch.get_starts] tells where. What was not read, at the end of a
 * file or after an error, is zeros.
 *
 * Of writes it is empty.
 *
 * Thread: any.
 *
 * Returns: (transfer full): the data
 */
GBytes *
gaio_batch_get_data (GaioBatch *self)
{
  g_return_val_if_fail (GAIO_IS_BATCH (self), NULL);

  return g_bytes_ref (self->data);
}

/**
 * gaio_batch_get_address:
 * @self: a batch of reads
 *
 * Gets where in memory that is what [method@Gaio.Batch.get_data] returns, as a number: for
 * languages that can look at memory, but would copy a [struct@GLib.Bytes]. It is valid for as long
 * as the batch lives, and must not be written to.
 *
 * Thread: any.
 *
 * Returns: the address, 0 when there is no data
 */
gsize
gaio_batch_get_address (GaioBatch *self)
{
  g_return_val_if_fail (GAIO_IS_BATCH (self), 0);

  return (gsize) g_bytes_get_data (self->data, NULL);
}

/**
 * gaio_batch_get_starts:
 * @self: a batch
 * @n_starts: (out): how many there are: one more than operations
 *
 * Gets where in the data of all each operation's begins, and behind these where the last one's
 * ends. The difference of two is the length that was asked for.
 *
 * Thread: any.
 *
 * Returns: (array length=n_starts) (transfer full): the places, in bytes
 */
gsize *
gaio_batch_get_starts (GaioBatch *self, gsize *n_starts)
{
  g_return_val_if_fail (GAIO_IS_BATCH (self), NULL);
  g_return_val_if_fail (n_starts != NULL, NULL);

  *n_starts = self->ops.n + 1;
  return g_memdup2 (self->starts, *n_starts * sizeof (gsize));
}

/**
 * gaio_batch_get_counts:
 * @self: a batch
 * @n_counts: (out): how many there are: one for each operation
 *
 * Gets what came of all operations, at once: of each how many bytes it has moved, or, when it has
 * failed, its errno value with a minus sign.
 *
 * Thread: any.
 *
 * Returns: (array length=n_counts) (transfer full): the counts
 */
gint64 *
gaio_batch_get_counts (GaioBatch *self, gsize *n_counts)
{
  gint64 *counts;

  g_return_val_if_fail (GAIO_IS_BATCH (self), NULL);
  g_return_val_if_fail (n_counts != NULL, NULL);

  counts = g_new (gint64, self->ops.n);
  for (gsize i = 0; i < self->ops.n; i++)
    counts[i] = self->results[i] < 0 ? self->results[i] : (gint64) self->counts[i];
  *n_counts = self->ops.n;
  return counts;
}

/* What one does with a file. */

/**
 * gaio_file_read_batch:
 * @self: a file
 * @offsets: (array length=n_offsets): where each read begins, in bytes
 * @n_offsets: how many reads
 * @lengths: (array length=n_lengths): how many bytes each reads
 * @n_lengths: @n_offsets, or 1: all read the same
 * @cancellable: (nullable): a cancellable; it is looked at between system calls
 * @error: return location for an error
 *
 * Does many reads, and blocks until that is done. See [method@Gaio.File.read_batch_async].
 *
 * Thread: any.
 *
 * Returns: (transfer full): what came of them, or %NULL with an error of `G_IO_ERROR` or
 *   %GAIO_ERROR
 */
GaioBatch *
gaio_file_read_batch (GaioFile *self,
                      const goffset *offsets,
                      gsize n_offsets,
                      const gsize *lengths,
                      gsize n_lengths,
                      GCancellable *cancellable,
                      GError **error)
{
  GaioBatchWork *work;

  g_return_val_if_fail (GAIO_IS_FILE (self), NULL);
  g_return_val_if_fail (offsets != NULL || n_offsets == 0, NULL);
  g_return_val_if_fail (lengths != NULL || n_lengths == 0, NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  work = gaio_batch_work_new_reads (self, offsets, n_offsets, lengths, n_lengths, error);
  return work != NULL ? gaio_batch_work_run (work, cancellable, error) : NULL;
}

/**
 * gaio_file_read_batch_async:
 * @self: a file
 * @offsets: (array length=n_offsets): where each read begins, in bytes
 * @n_offsets: how many reads; a million is no problem
 * @lengths: (array length=n_lengths): how many bytes each reads
 * @n_lengths: @n_offsets, or 1: all read the same
 * @io_priority: the priority of the callback
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async): called when all have ended
 * @user_data: data for @callback
 *
 * Does many reads with one call and one callback. They may be in any order, and overlap.
 *
 * Those that touch in the file are read with one system call, and only so many are in flight at
 * once. There is one piece of memory for all, see [class@Gaio.Batch]; it is made right away, so the
 * sum of the lengths is limited by the memory there is.
 *
 * Each ends as [method@Gaio.File.read_bytes_async] would: with fewer bytes only at the end of the
 * file, or with an error of its own, %G_IO_ERROR_INVALID_ARGUMENT for a negative offset among them.
 * The batch as a whole fails only when the file is closed, when there is no memory, when the number
 * of lengths is wrong; and with %G_IO_ERROR_CANCELLED when @cancellable has kept any of the reads
 * from being done.
 *
 * From a file that is not seekable they read one after the other, in the order given, each what is
 * there. The first that fails is then the last that reads.
 *
 * Thread: any.
 */
void
gaio_file_read_batch_async (GaioFile *self,
                            const goffset *offsets,
                            gsize n_offsets,
                            const gsize *lengths,
                            gsize n_lengths,
                            int io_priority,
                            GCancellable *cancellable,
                            GAsyncReadyCallback callback,
                            gpointer user_data)
{
  GError *error = NULL;
  GaioBatchWork *work;

  g_return_if_fail (GAIO_IS_FILE (self));
  g_return_if_fail (offsets != NULL || n_offsets == 0);
  g_return_if_fail (lengths != NULL || n_lengths == 0);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  work = gaio_batch_work_new_reads (self, offsets, n_offsets, lengths, n_lengths, &error);
  gaio_batch_work_start (GAIO_FILE_NEW_TASK (self, gaio_file_read_batch_async), self, work, error);
}

/**
 * gaio_file_read_batch_finish:
 * @self: a file
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Gaio.File.read_batch_async].
 *
 * Thread: the callback's.
 *
 * Returns: (transfer full): what came of the reads, or %NULL with an error of `G_IO_ERROR` or
 *   %GAIO_ERROR
 */
GaioBatch *
gaio_file_read_batch_finish (GaioFile *self, GAsyncResult *result, GError **error)
{
  GAIO_FILE_FINISH (gaio_file_read_batch_async, pointer, NULL);
}

/**
 * gaio_file_write_batch:
 * @self: a file
 * @offsets: (array length=n_offsets): where each write begins, in bytes
 * @n_offsets: how many writes
 * @chunks: (array length=n_chunks): what each writes
 * @n_chunks: @n_offsets
 * @cancellable: (nullable): a cancellable; it is looked at between system calls
 * @error: return location for an error
 *
 * Does many writes, and blocks until that is done. See [method@Gaio.File.write_batch_async].
 *
 * Thread: any.
 *
 * Returns: (transfer full): what came of them, or %NULL with an error of `G_IO_ERROR` or
 *   %GAIO_ERROR
 */
GaioBatch *
gaio_file_write_batch (GaioFile *self,
                       const goffset *offsets,
                       gsize n_offsets,
                       GBytes *const *chunks,
                       gsize n_chunks,
                       GCancellable *cancellable,
                       GError **error)
{
  GaioBatchWork *work;

  g_return_val_if_fail (GAIO_IS_FILE (self), NULL);
  g_return_val_if_fail (offsets != NULL || n_offsets == 0, NULL);
  g_return_val_if_fail (chunks != NULL || n_chunks == 0, NULL);
  g_return_val_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable), NULL);
  g_return_val_if_fail (error == NULL || *error == NULL, NULL);

  work = gaio_batch_work_new_writes (self, offsets, n_offsets, chunks, n_chunks, error);
  return work != NULL ? gaio_batch_work_run (work, cancellable, error) : NULL;
}

/**
 * gaio_file_write_batch_async:
 * @self: a file
 * @offsets: (array length=n_offsets): where each write begins, in bytes
 * @n_offsets: how many writes; a million is no problem
 * @chunks: (array length=n_chunks): what each writes
 * @n_chunks: @n_offsets
 * @io_priority: the priority of the callback
 * @cancellable: (nullable): a cancellable
 * @callback: (scope async): called when all have ended
 * @user_data: data for @callback
 *
 * Does many writes with one call and one callback.
 *
 * What is in the file in the end is as if they had been done one after the other in the order
 * given: where they overlap, the last counts, and what it covers of others is not written at all.
 * Apart from that they are done in any order. Those that touch in the file are written with one
 * system call, and only so many are in flight at once.
 *
 * Each ends for itself: done, or with an error and the count of bytes that are done from its
 * beginning on. Bytes that another operation covers are done when the other's are. A negative
 * offset is %G_IO_ERROR_INVALID_ARGUMENT. The batch as a whole fails only when the file is closed,
 * when the number of chunks is wrong; and with %G_IO_ERROR_CANCELLED when @cancellable has kept any
 * of the writes from being done: which ones is then not known.
 *
 * To a file that is not seekable, or was opened for appending, they write one after the other in
 * the order given. When one fails, those behind it fail with the same error, and write nothing.
 *
 * Thread: any.
 */
void
gaio_file_write_batch_async (GaioFile *self,
                             const goffset *offsets,
                             gsize n_offsets,
                             GBytes *const *chunks,
                             gsize n_chunks,
                             int io_priority,
                             GCancellable *cancellable,
                             GAsyncReadyCallback callback,
                             gpointer user_data)
{
  GError *error = NULL;
  GaioBatchWork *work;

  g_return_if_fail (GAIO_IS_FILE (self));
  g_return_if_fail (offsets != NULL || n_offsets == 0);
  g_return_if_fail (chunks != NULL || n_chunks == 0);
  g_return_if_fail (cancellable == NULL || G_IS_CANCELLABLE (cancellable));

  work = gaio_batch_work_new_writes (self, offsets, n_offsets, chunks, n_chunks, &error);
  gaio_batch_work_start (GAIO_FILE_NEW_TASK (self, gaio_file_write_batch_async), self, work, error);
}

/**
 * gaio_file_write_batch_finish:
 * @self: a file
 * @result: what the callback was given
 * @error: return location for an error
 *
 * Ends [method@Gaio.File.write_batch_async].
 *
 * Thread: the callback's.
 *
 * Returns: (transfer full): what came of the writes, or %NULL with an error of `G_IO_ERROR` or
 *   %GAIO_ERROR
 */
GaioBatch *
gaio_file_write_batch_finish (GaioFile *self, GAsyncResult *result, GError **error)
{
  GAIO_FILE_FINISH (gaio_file_write_batch_async, pointer, NULL);
}

static void
gaio_batch_finalize (GObject *object)
{
  GaioBatch *self = GAIO_BATCH (object);

  g_free (self->label);
  g_free (self->offsets);
  g_free (self->starts);
  g_free (self->counts);
  g_free (self->results);
  free (self->block);
  g_clear_pointer (&self->data, g_bytes_unref);

  G_OBJECT_CLASS (gaio_batch_parent_class)->finalize (object);
}

static void
gaio_batch_init (GaioBatch *self)
{
}

static void
gaio_batch_class_init (GaioBatchClass *klass)
{
  G_OBJECT_CLASS (klass)->finalize = gaio_batch_finalize;
}
