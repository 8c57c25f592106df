/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Whether what came of an operation is what the model says, and what to tell when it is not. */

#include "model-run.h"

#define N_SHOWN 50

gssize
run_look (Run *self, guint8 *data, gsize offset, gsize length)
{
  gsize begin = offset & ~(BLOCK_BYTES - 1);
  gsize end = (offset + length + BLOCK_BYTES - 1) & ~(BLOCK_BYTES - 1);
  guint8 *blocks = NULL;
  gssize got;

  if (!self->direct)
    return pread (self->fd, data, length, offset);
  g_assert_cmpint (posix_memalign ((void **) &blocks, BLOCK_BYTES, end - begin + 1), ==, 0);
  got = pread (self->fd, blocks, end - begin, begin);
  got = got < 0 ? got : CLAMP (got - (gssize) (offset - begin), 0, (gssize) length);
  if (got > 0)
    memcpy (data, blocks + (offset - begin), got);
  free (blocks);
  return got;
}

static void
keep_file (Run *self)
{
  g_autofree char *kept = g_build_filename (g_get_tmp_dir (), "gaio-model-XXXXXX", NULL);
  g_autofree guint8 *data = g_malloc (FILE_MODEL_MAX_BYTES + 1);
  gssize n = run_look (self, data, 0, FILE_MODEL_MAX_BYTES + 1);
  int fd = g_mkstemp (kept);

  if (fd >= 0 && n >= 0 && write (fd, data, n) == n)
    g_printerr ("the file is kept as %s\n", kept);
}

void
run_fail (Run *self, const char *format, ...)
{
  guint64 first = self->n_submitted > N_RECORDS ? self->n_submitted - N_RECORDS : 0;
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  for (guint64 i = first; i < self->n_submitted; i++)
    {
      Record *record = &self->records[i % N_RECORDS];

      if (i + N_SHOWN < self->n_submitted && record->end != NULL)
        continue;
      g_printerr ("#%" G_GUINT64_FORMAT " %s %" G_GOFFSET_FORMAT "+%" G_GSIZE_FORMAT " (%s): ",
                  record->number, op_kind_names[record->kind], record->offset, record->length,
                  op_way_names[record->way]);
      g_printerr ("%s, %" G_GSIZE_FORMAT "\n", record->end != NULL ? record->end : "in flight",
                  record->n);
    }
  keep_file (self);
  g_printerr ("GAIO_TEST_SEED=%u, %s: %s\n", self->seed, self->path, text);
  abort ();
}

void
run_compare (Run *self, const guint8 *data, gsize offset, gsize length, const char *who)
{
  const guint8 *expected = self->model.data + offset;

  if (length == 0 || memcmp (data, expected, length) == 0)
    return;
  for (gsize i = 0; i < length; i++)
    if (data[i] != expected[i])
      run_fail (self, "%s: byte %" G_GSIZE_FORMAT " is %02x, and should be %02x", who, offset + i,
                data[i], expected[i]);
}

/* What a write that was stopped has left: `n` bytes, or where it does not say, any. */
static void
settle_stopped_write (Run *self, Op *op)
{
  g_autofree guint8 *found = g_malloc0 (op->length);
  const guint8 *fresh = g_bytes_get_data (op->bytes, NULL);
  const guint8 *old = self->model.data + op->offset;
  gssize got = run_look (self, found, op->offset, op->length);
  gsize certain = MAX (op->n, 0);

  g_assert_cmpint (got, >=, 0);
  for (gsize i = 0; i < op->length; i++)
    {
      bool may_be_new = op->n < 0 || i < certain;
      bool may_be_old = i >= certain;

      if (!(may_be_new && found[i] == fresh[i]) && !(may_be_old && found[i] == old[i]))
        run_fail (self, "#%" G_GUINT64_FORMAT " was stopped, and byte %" G_GSIZE_FORMAT " is %02x",
                  op->number, op->offset + i, found[i]);
    }
  if ((gsize) got < certain)
    run_fail (self, "#%" G_GUINT64_FORMAT " wrote less than it says", op->number);
  file_model_write (&self->model, op->offset, found, got);
}

static void
check_stopped (Run *self, Op *op)
{
  bool cancelled = g_error_matches (op->error, G_IO_ERROR, G_IO_ERROR_CANCELLED);
  bool timed_out = g_error_matches (op->error, G_IO_ERROR, G_IO_ERROR_TIMED_OUT);
  bool closed = g_error_matches (op->error, G_IO_ERROR, G_IO_ERROR_CLOSED);

  /* Not all file systems can. */
  if (op->kind >= ALLOCATE && op->kind <= ZERO && gaio_error_get_errno (op->error) == EOPNOTSUPP)
    return;

  /* What another thread was to submit may have come after the close. */
  if (!(cancelled && op->may_stop) && !(timed_out && op->may_time_out) &&
      !(closed && op->file != self->file && op->way % 2 != 0 && op->n <= 0))
    run_fail (self, "#%" G_GUINT64_FORMAT ": %s", op->number, op->error->message);
  self->n_stopped++;
  /* One that still waits for another has not begun, and the other may be writing there. */
  if (op->before != NULL && op->n > 0)
    run_fail (self, "#%" G_GUINT64_FORMAT " has not waited", op->number);
  if (op->bytes != NULL && op->before == NULL)
    settle_stopped_write (self, op);
}

void
run_check_kept (Run *self, GBytes *next)
{
  if (self->kept != NULL && g_bytes_hash (self->kept) != self->kept_hash)
    run_fail (self, "bytes of an earlier read have changed");
  g_clear_pointer (&self->kept, g_bytes_unref);
  if (next == NULL)
    return;
  self->kept = g_bytes_ref (next);
  self->kept_hash = g_bytes_hash (next);
}

static void
check_batch (Run *self, Op *op)
{
  g_assert_cmpuint (gaio_batch_get_n_operations (op->batch), ==, op->n_batch);
  for (gsize i = 0; i < op->n_batch; i++)
    {
      gsize readable = file_model_readable (&self->model, op->offsets[i], op->lengths[i]);
      gsize count = gaio_batch_get_count (op->batch, i);
      g_autoptr (GBytes) bytes = NULL;

      if (gaio_batch_get_errno (op->batch, i) != 0 ||
          count != (op->kind == READ_BATCH ? readable : op->lengths[i]))
        run_fail (self,
                  "#%" G_GUINT64_FORMAT ", %" G_GSIZE_FORMAT " of the batch: %" G_GSIZE_FORMAT
                  " bytes, errno %d",
                  op->number, i, count, gaio_batch_get_errno (op->batch, i));
      if (op->kind != READ_BATCH)
        continue;
      bytes = gaio_batch_get_bytes (op->batch, i);
      run_compare (self, g_bytes_get_data (bytes, NULL), op->offsets[i], count,
                   op_kind_names[READ_BATCH]);
    }
}

static void
check_done (Run *self, Op *op)
{
  gsize readable = file_model_readable (&self->model, op->offset, op->length);
  gsize n = 0;

  switch (op->kind)
    {
    case READ:
    case READV:
      {
        const guint8 *data = g_bytes_get_data (op->read, &n);

        if (n != readable)
          run_fail (self, "#%" G_GUINT64_FORMAT " read %" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT,
                    op->number, n, readable);
        run_compare (self, data, op->offset, n, op_kind_names[op->kind]);
        if (op->kind == READ && op->way == BY_REQUEST && op->number % 16 == 0)
          run_check_kept (self, op->read);
        break;
      }
    case WRITE:
    case WRITEV:
    case APPEND:
    case COPY:
      if (op->n != (gssize) op->length)
        run_fail (self, "#%" G_GUINT64_FORMAT " wrote %" G_GSSIZE_FORMAT, op->number, op->n);
      file_model_write (&self->model, op->offset, g_bytes_get_data (op->bytes, NULL), op->length);
      break;
    case TRUNCATE:
      file_model_truncate (&self->model, op->offset);
      break;
    case PUNCH:
      file_model_zero (&self->model, op->offset, op->length);
      break;
    case ZERO:
      file_model_zero (&self->model, op->offset, op->length);
      G_GNUC_FALLTHROUGH;
    case ALLOCATE:
      file_model_truncate (&self->model, MAX (self->model.size, op->offset + op->length));
      break;
    case READ_BATCH:
      check_batch (self, op);
      break;
    case WRITE_BATCH:
      check_batch (self, op);
      file_model_write (&self->model, op->offset, g_bytes_get_data (op->bytes, NULL), op->length);
      break;
    case QUERY:
      if (op->size != (goffset) self->model.size)
        run_fail (self, "the size is %" G_GOFFSET_FORMAT, op->size);
      break;
    default:
      break;
    }
}

/* A copy is a write of what is there. */
static void
become_write (Run *self, Op *op)
{
  op->length = file_model_readable (&self->model, op->offset, op->length);
  op->bytes = g_bytes_new (self->model.data + op->offset, op->length);
  op->offset = op->target;
}

void
run_take_end (Op *op)
{
  Run *self = op->run;
  Record *record = &self->records[op->number % N_RECORDS];

  if (!op->busy)
    run_fail (self, "#%" G_GUINT64_FORMAT " ends twice", op->number);
  if (record->number == op->number)
    {
      record->end = op->error == NULL ? "done" : "stopped";
      record->n = op->read != NULL ? g_bytes_get_size (op->read) : (gsize) MAX (op->n, 0);
    }
  /* What it depends on has not changed meanwhile, but by what it came after. */
  if (op->kind == APPEND)
    op->offset = (goffset) self->model.size;
  if (op->kind == COPY)
    become_write (self, op);
  if (op->error == NULL)
    check_done (self, op);
  else
    check_stopped (self, op);
  for (int i = 0; i < MAX_IN_FLIGHT && op->error != NULL; i++)
    if (self->ops[i].before == op)
      self->ops[i].may_stop = true;
  for (int i = 0; i < MAX_IN_FLIGHT; i++)
    if (self->ops[i].before == op)
      self->ops[i].before = NULL;
  op->before = NULL;
  file_model_release (&self->model, &op->part);
  if (op->kind == COPY)
    file_model_release (&self->model, &op->source);
  g_clear_pointer (&op->buffer, free);
  g_clear_error (&op->error);
  g_clear_pointer (&op->bytes, g_bytes_unref);
  g_clear_pointer (&op->read, g_bytes_unref);
  g_clear_object (&op->cancellable);
  g_clear_object (&op->batch);
  for (; op->n_chunks > 0; op->n_chunks--)
    g_bytes_unref (op->chunks[op->n_chunks - 1]);
  op->busy = false;
  self->in_flight--;
}
