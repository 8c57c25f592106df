/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the model test does to a file: each operation as a request, as a task, or as a call that
 * blocks, with what came of it in the same fields. What it means is for model-check.c. */

#include <linux/falloc.h>

#include <gaio/file/gaio-request-private.h>

#include "model-op.h"

const char *const op_kind_names[N_KINDS] = {
  "read",     "write", "writev", "truncate", "sync",   "query",      "readv",       "append",
  "allocate", "punch", "zero",   "copy",     "advise", "read batch", "write batch",
};

const char *const op_way_names[N_WAYS] = { "request", "foreign request", "task", "blocking call" };

/* Into three pieces, of which one may be empty. */
static void
submit_readv (Op *op)
{
  gsize first = op->length / 3 & ~(BLOCK_BYTES - 1);
  const struct iovec iov[] = {
    { op->buffer, first },
    { op->buffer + first, first },
    { op->buffer + 2 * first, op->length - 2 * first },
  };

  gaio_request_readv_into (op->request, op->offset, iov, G_N_ELEMENTS (iov));
}

void
op_submit_request (Op *op)
{
  switch (op->kind)
    {
    case READ:
      gaio_request_read (op->request, op->offset, op->length);
      break;
    case WRITE:
      gaio_request_write (op->request, op->offset, op->bytes);
      break;
    case WRITEV:
      gaio_request_writev (op->request, op->offset, op->chunks, op->n_chunks);
      break;
    case TRUNCATE:
      gaio_request_truncate (op->request, op->offset);
      break;
    case READV:
      submit_readv (op);
      break;
    case APPEND:
      gaio_request_append (op->request, &op->bytes, 1);
      break;
    case ALLOCATE:
      gaio_request_allocate (op->request, 0, op->offset, op->length);
      break;
    case PUNCH:
      gaio_request_allocate (op->request, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, op->offset,
                             op->length);
      break;
    case ZERO:
      gaio_request_allocate (op->request, FALLOC_FL_ZERO_RANGE, op->offset, op->length);
      break;
    case COPY:
      gaio_request_copy_range (op->request, op->offset, op->file, op->target, op->length);
      break;
    case ADVISE:
      gaio_request_advise (op->request, op->number % 2 ? POSIX_FADV_DONTNEED : POSIX_FADV_WILLNEED,
                           op->offset, op->length);
      break;
    default:
      gaio_request_sync (op->request, op->number % 2);
      break;
    }
}

void
op_take_request_end (GaioRequest *request, gpointer user_data)
{
  Op *op = user_data;
  gsize n = 0;

  if (gaio_request_get_result (request, &n, &op->error) && op->kind == READ)
    {
      if (op->number % 4 == 0)
        op->read = gaio_request_steal_bytes (request);
      else
        op->read = g_bytes_new_static (gaio_request_get_data (request, NULL), n);
    }
  if (op->kind == READV)
    op->read = g_bytes_new_static (op->buffer, n);
  op->n = (gssize) n;
  op->ended (op);
}

static void
take_info (Op *op, GFileInfo *info)
{
  if (info != NULL)
    op->size = g_file_info_get_size (info);
  g_clear_object (&info);
}

static void
on_task_end (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Op *op = user_data;
  GaioFile *file = GAIO_FILE (source);

  switch (op->kind)
    {
    case READ:
      op->read = gaio_file_read_bytes_finish (file, result, &op->error);
      break;
    case WRITE:
      op->n = gaio_file_write_bytes_finish (file, result, &op->error);
      break;
    case TRUNCATE:
      gaio_file_truncate_finish (file, result, &op->error);
      break;
    case QUERY:
      take_info (op, gaio_file_query_info_finish (file, result, &op->error));
      break;
    case READ_BATCH:
      op->batch = gaio_file_read_batch_finish (file, result, &op->error);
      break;
    case WRITE_BATCH:
      op->batch = gaio_file_write_batch_finish (file, result, &op->error);
      break;
    default:
      gaio_file_sync_finish (file, result, &op->error);
      break;
    }
  op->ended (op);
}

void
op_submit_task (Op *op)
{
  GCancellable *cancellable = op->cancellable;
  int priority = G_PRIORITY_DEFAULT;

  switch (op->kind)
    {
    case READ:
      gaio_file_read_bytes_async (op->file, op->offset, op->length, priority, cancellable,
                                  on_task_end, op);
      break;
    case WRITE:
      gaio_file_write_bytes_async (op->file, op->offset, op->bytes, priority, cancellable,
                                   on_task_end, op);
      break;
    case TRUNCATE:
      gaio_file_truncate_async (op->file, op->offset, priority, cancellable, on_task_end, op);
      break;
    case QUERY:
      gaio_file_query_info_async (op->file, NULL, priority, cancellable, on_task_end, op);
      break;
    case READ_BATCH:
      gaio_file_read_batch_async (op->file, op->offsets, op->n_batch, op->lengths, op->n_batch,
                                  priority, cancellable, on_task_end, op);
      break;
    case WRITE_BATCH:
      gaio_file_write_batch_async (op->file, op->offsets, op->n_batch, op->chunks, op->n_batch,
                                   priority, cancellable, on_task_end, op);
      break;
    default:
      gaio_file_sync_async (op->file, op->number % 2, priority, cancellable, on_task_end, op);
      break;
    }
}

static void
on_call_end (gpointer data)
{
  Op *op = data;

  op->ended (op);
}

void
op_call_blocking (Op *op)
{
  GCancellable *cancellable = op->cancellable;

  switch (op->kind)
    {
    case READ:
      op->read = gaio_file_read_bytes (op->file, op->offset, op->length, cancellable, &op->error);
      break;
    case WRITE:
      op->n = gaio_file_write_bytes (op->file, op->offset, op->bytes, cancellable, &op->error);
      break;
    case TRUNCATE:
      gaio_file_truncate (op->file, op->offset, cancellable, &op->error);
      break;
    case QUERY:
      take_info (op, gaio_file_query_info (op->file, NULL, cancellable, &op->error));
      break;
    case READ_BATCH:
      op->batch = gaio_file_read_batch (op->file, op->offsets, op->n_batch, op->lengths,
                                        op->n_batch, cancellable, &op->error);
      break;
    case WRITE_BATCH:
      op->batch = gaio_file_write_batch (op->file, op->offsets, op->n_batch, op->chunks,
                                         op->n_batch, cancellable, &op->error);
      break;
    default:
      gaio_file_sync (op->file, op->number % 2, cancellable, &op->error);
      break;
    }
  gaio_context_invoke (gaio_file_get_context (op->file), on_call_end, op, NULL);
}
