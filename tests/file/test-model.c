/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Random operations on a file, and the same ones on a plain array: whatever is read must be what
 * the array has, and at intervals the whole file is compared, through another descriptor too.
 *
 * 1 to 64 operations are in flight, submitted as requests, from this thread and from others, as
 * tasks and as blocking calls in other threads; some of them are cancelled, and now and then the
 * file is closed, or dropped, under them and opened again. A write that was stopped may have
 * written what it says that it has; of one that cannot say, each byte may be old or new.
 *
 * GAIO_TEST_SEED is the seed of an earlier run, though the order in which operations end is not the
 * seed's; GAIO_TEST_OPERATIONS is how many there are for each case. With `-m thorough` there are a
 * million in all. A failure prints the last operations and keeps the file. */

#include <linux/falloc.h>

#include <gaio/file/gaio-request-private.h>

#include "file-model.h"
#include "file-mount.h"
#include "file-test.h"

#define MAX_IN_FLIGHT 64
#define N_THREADS 3
#define N_RECORDS 256
#define N_SHOWN 50
#define VERIFY_INTERVAL 4096
#define PHASE_LENGTH 300
#define MAX_CHUNKS 1500
#define BLOCK_BYTES ((gsize) 4096)
#define FOR_EVER G_MAXINT64

typedef enum
{
  READ,
  WRITE,
  WRITEV,
  TRUNCATE,
  SYNC,
  QUERY,
  READV,
  APPEND,
  ALLOCATE,
  PUNCH,
  ZERO,
  COPY,
  ADVISE,
  N_KINDS,
} Kind;

typedef enum
{
  BY_REQUEST,
  BY_FOREIGN_REQUEST, /* submitted in another thread */
  BY_TASK,
  BY_BLOCKING_CALL, /* in another thread */
  N_WAYS,
} Way;

static const char *const kind_names[] = {
  "read",   "write",    "writev", "truncate", "sync", "query",  "readv",
  "append", "allocate", "punch",  "zero",     "copy", "advise",
};
static const char *const way_names[] = { "request", "foreign request", "task", "blocking call" };

/* How often, of 100; the rest are reads. */
static const int kind_shares[N_KINDS] = { 0, 20, 9, 5, 1, 5, 6, 3, 2, 3, 3, 5, 2 };
static const int way_shares[N_WAYS] = { 0, 12, 20, 8 };

typedef struct
{
  guint64 number;
  Kind kind;
  Way way;
  goffset offset;
  gsize length;
  const char *end; /* NULL: in flight */
  gsize n;
} Record;

typedef struct
{
  GaioTestLoop *loop;
  const char *dir;
  char *path;
  bool direct;
  bool aligned; /* the operation being chosen is of whole blocks */
  GRand *random;
  guint32 seed;
  FileModel model;
  GaioFile *file;
  int fd; /* another way to the same file */
  struct _Op *ops;
  struct _Op *latest;
  int in_flight;
  int closes_pending;
  guint64 n_submitted;
  int n_stopped;
  GBytes *kept; /* read some time ago; nobody may write to it */
  guint kept_hash;
  Record records[N_RECORDS];
  GAsyncQueue *errands;
  GThread *threads[N_THREADS];
} Run;

/* One place for an operation; its request is used again and again. */
typedef struct _Op
{
  Run *run;
  bool busy;
  guint64 number;
  Kind kind;
  Way way;
  goffset offset; /* of a truncation the new length */
  gsize length;
  goffset target; /* of a copy */
  GBytes *bytes;
  GBytes *chunks[MAX_CHUNKS];
  gsize n_chunks;
  FileModelPart part;
  FileModelPart source; /* of a copy */
  struct _Op *before;   /* what it comes after, if anything */
  guint8 *buffer;       /* of a readv */
  GaioFile *file;
  GaioRequest *request;
  GCancellable *cancellable;
  bool may_stop; /* somebody has cancelled it, or what it comes after */
  bool may_time_out;
  int foreign_cancels; /* atomic: on their way, for this operation or an earlier one */

  /* the end */
  GError *error;
  gssize n; /* -1: it does not say */
  GBytes *read;
  goffset size;
} Op;

typedef struct
{
  void (*func) (Op *op); /* NULL: the thread ends */
  Op *op;
  GaioRequest *request;
} Errand;

static void op_ended (Op *op);

/* ---- telling of a failure ---- */

static void
keep_file (Run *self)
{
  g_autofree char *kept = g_build_filename (g_get_tmp_dir (), "gaio-model-XXXXXX", NULL);
  g_autofree guint8 *data = g_malloc (FILE_MODEL_MAX_BYTES + 1);
  gssize n = pread (self->fd, data, FILE_MODEL_MAX_BYTES + 1, 0);
  int fd = g_mkstemp (kept);

  if (fd >= 0 && n >= 0 && write (fd, data, n) == n)
    g_printerr ("the file is kept as %s\n", kept);
}

/* Does not return. */
static void G_GNUC_PRINTF (2, 3) fail (Run *self, const char *format, ...)
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
                  record->number, kind_names[record->kind], record->offset, record->length,
                  way_names[record->way]);
      g_printerr ("%s, %" G_GSIZE_FORMAT "\n", record->end != NULL ? record->end : "in flight",
                  record->n);
    }
  keep_file (self);
  g_printerr ("GAIO_TEST_SEED=%u, %s: %s\n", self->seed, self->path, text);
  abort ();
}

static void
compare (Run *self, const guint8 *data, gsize offset, gsize length, const char *who)
{
  const guint8 *expected = self->model.data + offset;

  if (length == 0 || memcmp (data, expected, length) == 0)
    return;
  for (gsize i = 0; i < length; i++)
    if (data[i] != expected[i])
      fail (self, "%s: byte %" G_GSIZE_FORMAT " is %02x, and should be %02x", who, offset + i,
            data[i], expected[i]);
}

/* ---- choosing ---- */

static gsize
below (Run *self, gsize n)
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
  int left = (int) below (self, 100);

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
  gsize bound = bounds[below (self, G_N_ELEMENTS (bounds))];

  return below (self, 100) == 0 ? 0 : aligned (self, 1 + below (self, bound + BLOCK_BYTES));
}

/* Anywhere, at the end of the file, or at the border of a page. */
static gsize
choose_offset (Run *self)
{
  gsize offset = below (self, FILE_MODEL_MAX_BYTES);

  switch (below (self, 8))
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
  gsize most = below (self, 16) == 0 ? MAX_CHUNKS : 1 + below (self, 12);
  gsize left = op->length;

  while (left > 0)
    {
      gsize n = unit + aligned (self, below (self, 2 * op->length / most + 1));

      if (n > left || op->n_chunks == most - 1)
        n = left;
      op->chunks[op->n_chunks++] = g_bytes_new_from_bytes (op->bytes, op->length - left, n);
      left -= n;
    }
}

static bool
is_write (Kind kind)
{
  return kind == WRITE || kind == WRITEV || kind == APPEND || kind == COPY;
}

static bool
has_task (Kind kind)
{
  return kind <= QUERY && kind != WRITEV;
}

/* Which part of the file the operation needs. */
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
  return (FileModelPart){ op->length > 0 ? MIN (begin, size) : begin, end, true };
}

/* It may have to come after one that is in flight, and then they may be in each other's way: all
 * that either needs is reserved until the second has ended. */
static void
choose_before (Run *self, Op *op)
{
  Op *before = self->latest;

  op->before = NULL;
  if (before == NULL || before == op || !before->busy || below (self, 4) != 0)
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

/* What and where; false when it would be in the way of what is in flight. */
static bool
choose_operation (Run *self, Op *op)
{
  self->aligned = self->direct && below (self, 3) == 0;
  op->kind = choose (self, kind_shares, N_KINDS);
  op->way = choose (self, way_shares, N_WAYS);
  if (!has_task (op->kind))
    op->way &= 1;
  else if (op->kind == QUERY)
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
  choose_before (self, op);
  if (!file_model_reserve (&self->model, &op->part, op->before ? &op->before->part : NULL))
    return false;
  op->source = (FileModelPart){ op->offset, op->offset + op->length, false };
  if (op->kind != COPY || file_model_reserve (&self->model, &op->source, NULL))
    return true;
  file_model_release (&self->model, &op->part);
  return false;
}

/* ---- submitting, in each way ---- */

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

static void
submit_request (Op *op)
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

static void
on_request_end (GaioRequest *request, gpointer user_data)
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
  op_ended (op);
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
    default:
      gaio_file_sync_finish (file, result, &op->error);
      break;
    }
  op_ended (op);
}

static void
submit_task (Op *op)
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
    default:
      gaio_file_sync_async (op->file, op->number % 2, priority, cancellable, on_task_end, op);
      break;
    }
}

static void
on_call_end (gpointer data)
{
  op_ended (data);
}

static void
call_blocking (Op *op)
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
    default:
      gaio_file_sync (op->file, op->number % 2, cancellable, &op->error);
      break;
    }
  gaio_context_invoke (op->run->loop->context, on_call_end, op, NULL);
}

static void
send_errand (Run *self, Op *op, void (*func) (Op *op), GaioRequest *request)
{
  Errand *errand = g_new (Errand, 1);

  *errand = (Errand){ .func = func, .op = op, .request = request };
  g_async_queue_push (self->errands, errand);
}

static gpointer
run_errands (gpointer data)
{
  Run *self = data;

  for (;;)
    {
      g_autofree Errand *errand = g_async_queue_pop (self->errands);

      if (errand->request != NULL)
        {
          gaio_request_cancel (errand->request);
          gaio_request_unref (errand->request);
          g_atomic_int_dec_and_test (&errand->op->foreign_cancels);
        }
      else if (errand->func != NULL)
        errand->func (errand->op);
      else
        return NULL;
    }
}

static void
set_terms (Run *self, Op *op)
{
  static const int priorities[] = { G_PRIORITY_HIGH, G_PRIORITY_DEFAULT, G_PRIORITY_LOW };

  op->may_time_out = below (self, 16) == 0;
  gaio_request_set_timeout_ns (op->request, op->may_time_out ? 1 + below (self, 200000) : 0);
  gaio_request_set_priority (op->request, priorities[below (self, G_N_ELEMENTS (priorities))]);
  if (op->before != NULL)
    gaio_request_set_after (op->request, op->before->request);
}

static bool
submit (Run *self)
{
  Op *op = self->ops;

  while (op->busy)
    op++;
  if (!choose_operation (self, op))
    return false;

  self->latest = op;
  op->busy = true;
  op->number = self->n_submitted++;
  op->may_stop = g_atomic_int_get (&op->foreign_cancels) > 0;
  op->may_time_out = false;
  op->n = -1;
  op->size = -1;
  if (op->file != self->file)
    {
      g_clear_pointer (&op->request, gaio_request_unref);
      g_set_object (&op->file, self->file);
    }
  if (op->request == NULL)
    op->request = gaio_request_new (op->file, on_request_end, op, NULL);
  if (is_write (op->kind) && op->kind != COPY)
    op->bytes = make_bytes (op->length, op->number);
  if (op->kind == READV)
    g_assert_cmpint (posix_memalign ((void **) &op->buffer, BLOCK_BYTES, op->length + 1), ==, 0);
  if (op->way < BY_TASK)
    set_terms (self, op);
  if (op->kind == WRITEV)
    cut_into_chunks (self, op);
  if (op->way >= BY_TASK && below (self, 2) == 0)
    op->cancellable = g_cancellable_new ();
  self->records[op->number % N_RECORDS] = (Record){
    .number = op->number,
    .kind = op->kind,
    .way = op->way,
    .offset = op->offset,
    .length = op->length,
  };
  self->in_flight++;
  switch (op->way)
    {
    case BY_REQUEST:
      submit_request (op);
      break;
    case BY_FOREIGN_REQUEST:
      send_errand (self, op, submit_request, NULL);
      break;
    case BY_TASK:
      submit_task (op);
      break;
    default:
      send_errand (self, op, call_blocking, NULL);
      break;
    }
  return true;
}

/* Any, or the one that has just been submitted. */
static void
cancel_one (Run *self)
{
  Op *op = below (self, 2) == 0 ? self->latest : &self->ops[below (self, MAX_IN_FLIGHT)];

  if (!op->busy)
    return;
  op->may_stop = true;
  if (op->way >= BY_TASK)
    g_cancellable_cancel (op->cancellable);
  else if (below (self, 2) == 0)
    gaio_request_cancel (op->request);
  else
    {
      g_atomic_int_inc (&op->foreign_cancels);
      send_errand (self, op, NULL, gaio_request_ref (op->request));
    }
}

/* ---- the ends ---- */

/* What a write that was stopped has left: `n` bytes, or where it does not say, any. */
static void
settle_stopped_write (Run *self, Op *op)
{
  g_autofree guint8 *found = g_malloc0 (op->length);
  const guint8 *fresh = g_bytes_get_data (op->bytes, NULL);
  const guint8 *old = self->model.data + op->offset;
  gssize got = pread (self->fd, found, op->length, op->offset);
  gsize certain = MAX (op->n, 0);

  g_assert_cmpint (got, >=, 0);
  for (gsize i = 0; i < op->length; i++)
    {
      bool may_be_new = op->n < 0 || i < certain;
      bool may_be_old = i >= certain;

      if (!(may_be_new && found[i] == fresh[i]) && !(may_be_old && found[i] == old[i]))
        fail (self, "#%" G_GUINT64_FORMAT " was stopped, and byte %" G_GSIZE_FORMAT " is %02x",
              op->number, op->offset + i, found[i]);
    }
  if ((gsize) got < certain)
    fail (self, "#%" G_GUINT64_FORMAT " wrote less than it says", op->number);
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
    fail (self, "#%" G_GUINT64_FORMAT ": %s", op->number, op->error->message);
  self->n_stopped++;
  /* One that still waits for another has not begun, and the other may be writing there. */
  if (op->before != NULL && op->n > 0)
    fail (self, "#%" G_GUINT64_FORMAT " has not waited", op->number);
  if (op->bytes != NULL && op->before == NULL)
    settle_stopped_write (self, op);
}

/* What was handed out stays as it was, whatever is read after it. */
static void
check_kept (Run *self, GBytes *next)
{
  if (self->kept != NULL && g_bytes_hash (self->kept) != self->kept_hash)
    fail (self, "bytes of an earlier read have changed");
  g_clear_pointer (&self->kept, g_bytes_unref);
  if (next == NULL)
    return;
  self->kept = g_bytes_ref (next);
  self->kept_hash = g_bytes_hash (next);
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
          fail (self, "#%" G_GUINT64_FORMAT " read %" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT,
                op->number, n, readable);
        compare (self, data, op->offset, n, kind_names[op->kind]);
        if (op->kind == READ && op->way == BY_REQUEST && op->number % 16 == 0)
          check_kept (self, op->read);
        break;
      }
    case WRITE:
    case WRITEV:
    case APPEND:
    case COPY:
      if (op->n != (gssize) op->length)
        fail (self, "#%" G_GUINT64_FORMAT " wrote %" G_GSSIZE_FORMAT, op->number, op->n);
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
    case QUERY:
      if (op->size != (goffset) self->model.size)
        fail (self, "the size is %" G_GOFFSET_FORMAT, op->size);
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

static void
op_ended (Op *op)
{
  Run *self = op->run;
  Record *record = &self->records[op->number % N_RECORDS];

  if (!op->busy)
    fail (self, "#%" G_GUINT64_FORMAT " ends twice", op->number);
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
  for (; op->n_chunks > 0; op->n_chunks--)
    g_bytes_unref (op->chunks[op->n_chunks - 1]);
  op->busy = false;
  self->in_flight--;
}

/* ---- the run ---- */

static void
drain (Run *self)
{
  while (self->in_flight > 0 || self->closes_pending > 0)
    gaio_test_turn (self->loop, TRUE);
}

static void
open_file (Run *self)
{
  GError *error = NULL;
  int fd;

  if (!self->direct)
    self->file = gaio_file_new_for_path (self->loop->context, self->path, "r+", &error);
  else
    {
      fd = open (self->path, O_RDWR | O_DIRECT | O_CLOEXEC);
      g_assert_cmpint (fd, >=, 0);
      self->file = gaio_file_new_for_fd (self->loop->context, fd, self->path, &error);
    }
  g_assert_no_error (error);
}

static void
on_closed (GObject *source, GAsyncResult *result, gpointer user_data)
{
  Run *self = user_data;
  g_autoptr (GError) error = NULL;

  if (!gaio_file_close_finish (GAIO_FILE (source), result, &error))
    fail (self, "%s", error->message);
  self->closes_pending--;
}

/* Under what is in flight, which ends as it would have. */
static void
reopen (Run *self)
{
  g_autoptr (GaioFile) old = g_steal_pointer (&self->file);
  g_autoptr (GError) error = NULL;
  gsize way = below (self, 3);

  open_file (self);
  if (way == 0)
    return;
  if (way == 1)
    {
      self->closes_pending++;
      gaio_file_close_async (old, G_PRIORITY_DEFAULT, NULL, on_closed, self);
    }
  else if (!gaio_file_close (old, NULL, &error))
    fail (self, "%s", error->message);
  g_assert_null (gaio_file_read_bytes (old, 0, 10, NULL, &error));
  g_assert_error (error, G_IO_ERROR, G_IO_ERROR_CLOSED);
}

static void
verify (Run *self)
{
  g_autofree guint8 *data = g_malloc (FILE_MODEL_MAX_BYTES + 1);
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = NULL;
  struct stat info;

  drain (self);
  g_assert_cmpint (fstat (self->fd, &info), ==, 0);
  if ((gsize) info.st_size != self->model.size)
    fail (self, "the size is %" G_GOFFSET_FORMAT, (goffset) info.st_size);
  g_assert_cmpint (pread (self->fd, data, FILE_MODEL_MAX_BYTES + 1, 0), ==, self->model.size);
  compare (self, data, 0, self->model.size, "the other descriptor");
  bytes = gaio_file_read_bytes (self->file, 0, FILE_MODEL_MAX_BYTES, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_bytes_get_size (bytes), ==, self->model.size);
  compare (self, g_bytes_get_data (bytes, NULL), 0, self->model.size, "the whole file");
}

static guint64
number_from_environment (const char *name, guint64 otherwise)
{
  const char *text = g_getenv (name);

  return text != NULL ? g_ascii_strtoull (text, NULL, 0) : otherwise;
}

static void
run_operations (Run *self, guint64 n)
{
  int depth = 1;

  while (self->n_submitted < n)
    {
      if (self->n_submitted % PHASE_LENGTH == 0)
        depth = 1 << below (self, 7);
      if (self->n_submitted % VERIFY_INTERVAL == VERIFY_INTERVAL - 1)
        verify (self);
      if (self->in_flight < depth && submit (self))
        {
          if (below (self, 8) == 0)
            cancel_one (self);
          if (below (self, 1000) == 0)
            reopen (self);
        }
      else
        gaio_test_turn (self->loop, self->in_flight >= depth);
    }
}

static bool
has_direct (const char *path)
{
  int fd = open (path, O_RDWR | O_DIRECT | O_CLOEXEC);

  if (fd >= 0)
    close (fd);
  return fd >= 0;
}

static void
run (GaioTestLoop *loop, const char *dir, bool direct)
{
  Run self = { .loop = loop, .dir = dir, .direct = direct };
  guint64 n = number_from_environment ("GAIO_TEST_OPERATIONS", g_test_thorough () ? 20000 : 3000);

  self.seed = g_str_hash (g_test_get_path ()) ^ (guint32) g_test_rand_int ();
  self.seed = (guint32) number_from_environment ("GAIO_TEST_SEED", self.seed);
  g_test_message ("GAIO_TEST_SEED=%u%s", self.seed, direct ? ", O_DIRECT" : "");
  self.random = g_rand_new_with_seed (self.seed);
  self.path = g_build_filename (dir, "gaio-model-XXXXXX", NULL);
  self.fd = g_mkstemp_full (self.path, O_RDWR | O_CLOEXEC, 0600);
  g_assert_cmpint (self.fd, >=, 0);
  if (direct && !has_direct (self.path))
    {
      g_test_message ("%s has no O_DIRECT", dir);
      n = 0;
      self.direct = false;
    }
  file_model_init (&self.model);
  self.ops = g_new0 (Op, MAX_IN_FLIGHT);
  for (int i = 0; i < MAX_IN_FLIGHT; i++)
    self.ops[i].run = &self;
  self.errands = g_async_queue_new ();
  for (int i = 0; i < N_THREADS; i++)
    self.threads[i] = g_thread_new ("errands", run_errands, &self);
  open_file (&self);

  run_operations (&self, n);
  verify (&self);
  check_kept (&self, NULL);
  g_test_message ("%d of %" G_GUINT64_FORMAT " were stopped", self.n_stopped, self.n_submitted);

  for (int i = 0; i < N_THREADS; i++)
    send_errand (&self, NULL, NULL, NULL);
  for (int i = 0; i < N_THREADS; i++)
    g_thread_join (self.threads[i]);
  g_async_queue_unref (self.errands);
  for (int i = 0; i < MAX_IN_FLIGHT; i++)
    {
      g_clear_pointer (&self.ops[i].request, gaio_request_unref);
      g_clear_object (&self.ops[i].file);
    }
  g_free (self.ops);
  g_object_unref (self.file);
  file_model_clear (&self.model);
  close (self.fd);
  unlink (self.path);
  g_free (self.path);
  g_rand_free (self.random);
}

/* ---- the places ---- */

static void
run_in (GaioTestLoop *loop, const char *dir)
{
  run (loop, dir, false);
  run (loop, dir, true);
}

static void
test_temporary (GaioTestLoop *loop)
{
  run_in (loop, g_get_tmp_dir ());
}

static void
test_memory (GaioTestLoop *loop)
{
  if (access ("/dev/shm", W_OK) == 0)
    run_in (loop, "/dev/shm");
  else
    g_test_skip ("there is no /dev/shm");
}

static void
test_mounted (GaioTestLoop *loop, const char *type)
{
  g_autofree char *why = NULL;
  g_autoptr (FileMount) mount = file_mount_new (type, 0, &why);

  if (mount != NULL)
    run_in (loop, mount->dir);
  else
    g_test_skip (why);
}

static void
test_ext4 (GaioTestLoop *loop)
{
  test_mounted (loop, "ext4");
}

static void
test_xfs (GaioTestLoop *loop)
{
  test_mounted (loop, "xfs");
}

static void
test_btrfs (GaioTestLoop *loop)
{
  test_mounted (loop, "btrfs");
}

int
main (int argc, char **argv)
{
  file_mount_init ();
  gaio_test_init (&argc, &argv);
  gaio_test_add_engine_matrix ("/model/temporary", test_temporary);
  gaio_test_add_engine_matrix ("/model/memory", test_memory);
  gaio_test_add_engine_matrix ("/model/ext4", test_ext4);
  gaio_test_add_engine_matrix ("/model/xfs", test_xfs);
  gaio_test_add_engine_matrix ("/model/btrfs", test_btrfs);
  return g_test_run ();
}
