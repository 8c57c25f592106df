/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Every system call that a short script of file operations makes fails once, with each of some
 * thirty errors, or is short, or moves nothing; then it and all that follow. The same for the
 * operations of a ring. Each run must end, every operation once, with just the errors that were put
 * in and are not ours to get over, and with the file that the others make. */

#include <gaio/file/gaio-request-private.h>

#include "fault-inject.h"
#include "file-model.h"
#include "file-test.h"

#define WATCHDOG_S 60

typedef enum
{
  OPEN_NEW,
  OPEN_AGAIN,
  READ,
  READV,
  WRITE,
  WRITEV,
  APPEND,
  TRUNCATE,
  ALLOCATE,
  SYNC,
  DATA_SYNC,
  QUERY,
  CLOSE,
} Kind;

typedef struct
{
  Kind kind;
  goffset offset;
  gsize length;
} Step;

static const Step script[] = {
  { OPEN_NEW, 0, 0 },     { WRITE, 0, 5000 },     { WRITEV, 4000, 9000 }, { READ, 100, 12000 },
  { DATA_SYNC, 0, 0 },    { TRUNCATE, 7000, 0 },  { QUERY, 0, 0 },        { WRITE, 9000, 1000 },
  { ALLOCATE, 0, 20000 }, { APPEND, 0, 3000 },    { READV, 0, 23000 },    { SYNC, 0, 0 },
  { WRITE, 30000, 1 },    { READ, 29000, 50000 }, { CLOSE, 0, 0 },        { OPEN_AGAIN, 0, 0 },
  { READ, 0, 40000 },     { WRITE, 500, 300000 }, { READ, 0, 1000000 },   { SYNC, 0, 0 },
  { CLOSE, 0, 0 },
};

static const int faults[] = {
  EPERM,    ENOENT,       EINTR,     EIO,     ENXIO,      EBADF,       EAGAIN,     ENOMEM,
  EACCES,   EFAULT,       EBUSY,     ENODEV,  EINVAL,     ENFILE,      EMFILE,     ETXTBSY,
  EFBIG,    ENOSPC,       EROFS,     EPIPE,   ENOSYS,     ECANCELED,   ESTALE,     EDQUOT,
  ENOTCONN, ECONNABORTED, ETIMEDOUT, ENODATA, EOPNOTSUPP, FAULT_SHORT, FAULT_ZERO, FAULT_HALF_WAY,
};

typedef struct
{
  GaioContext *context;
  const char *path;
  int fault;
  bool persistent;
  FileModel model;
  GaioFile *file;
  bool is_open;
  int sticky; /* the first error of a sync of this file */
  int ended;
  const char *where;
  guint step;
} Run;

static const char *
name_of (int fault)
{
  switch (fault)
    {
    case FAULT_SHORT:
      return "short";
    case FAULT_ZERO:
      return "nothing";
    case FAULT_HALF_WAY:
      return "half";
    default:
      return strerrorname_np (fault);
    }
}

static void G_GNUC_PRINTF (2, 3) fail (Run *self, const char *format, ...)
{
  g_autofree char *text = NULL;
  va_list args;

  va_start (args, format);
  text = g_strdup_vprintf (format, args);
  va_end (args);
  g_error ("%s, step %u, %s %s: %s", self->where, self->step, name_of (self->fault),
           self->persistent ? "for ever" : "once", text);
}

static void
on_end (GaioRequest *request, gpointer user_data)
{
  Run *self = user_data;

  self->ended++;
}

/* What is not to be seen by the caller, when it comes once. */
static bool
is_got_over (Kind kind, int fault, bool in_ring)
{
  if (kind == CLOSE)
    return fault == EINTR || (fault == ECANCELED && in_ring);
  switch (fault)
    {
    case FAULT_SHORT:
    case EINTR:
    case EAGAIN:
      return true;
    case FAULT_ZERO:
      return kind == READ || kind == READV; /* the end of the file, who knows */
    case EINVAL:
    case ENOSYS:
    case EOPNOTSUPP:
    case ECANCELED:
      return in_ring;
    case ENXIO:
      return in_ring && (kind == OPEN_NEW || kind == OPEN_AGAIN);
    default:
      return false;
    }
}

/* The same when it never ends. */
static bool
is_got_over_for_ever (Kind kind, int fault)
{
  return fault == FAULT_SHORT || (fault == FAULT_ZERO && (kind == READ || kind == READV)) ||
         (fault == EINTR && kind == CLOSE);
}

static bool
is_harmless_for_sync (int errnum)
{
  return errnum == EINVAL || errnum == EROFS || errnum == EBADF || errnum == EINTR ||
         errnum == EOPNOTSUPP || errnum == ENOSYS;
}

/* The errno that the step must end with. `hits`: how many faults there had been before it. */
static int
expect (Run *self, Kind kind, int hits)
{
  bool hit = fault_get_hits () > hits;
  int fault = self->fault;
  bool got_over;

  if (fault == FAULT_HALF_WAY)
    {
      /* The first is short, and of no consequence. */
      hit = fault_get_hits () > MAX (hits, 1);
      fault = self->persistent ? ENOSPC : EAGAIN;
    }
  got_over = self->persistent ? is_got_over_for_ever (kind, fault)
                              : is_got_over (kind, fault, fault_was_in_ring ());

  if (kind != OPEN_NEW && kind != OPEN_AGAIN && kind != CLOSE && !self->is_open)
    return EBADF;
  if (hit && !got_over)
    /* It must not look like somebody's cancel. */
    return fault == ECANCELED || fault == FAULT_ZERO ? EIO : fault;
  if (kind == SYNC || kind == DATA_SYNC || (kind == CLOSE && self->is_open))
    return self->sticky;
  return 0;
}

static void
check_data (Run *self, const Step *step, const guint8 *data, gsize n, bool hit)
{
  gsize readable = file_model_readable (&self->model, step->offset, step->length);

  if (hit && self->fault == FAULT_ZERO ? n > readable : n != readable)
    fail (self, "read %" G_GSIZE_FORMAT " of %" G_GSIZE_FORMAT, n, readable);
  if (n > 0 && memcmp (data, self->model.data + step->offset, n) != 0)
    fail (self, "other data");
}

static void
run_step (Run *self, const Step *step)
{
  g_autofree guint8 *data = g_malloc (MAX (step->length, 1));
  g_autoptr (GaioRequest) request = NULL;
  g_autoptr (GBytes) bytes = NULL;
  g_autoptr (GError) error = NULL;
  struct iovec iov[2] = { { data, step->length / 3 },
                          { data + step->length / 3, step->length - step->length / 3 } };
  GBytes *chunks[3];
  int before = fault_get_hits ();
  goffset offset = step->kind == APPEND ? (goffset) self->model.size : step->offset;
  int expected;
  gsize n = 0;
  bool hit;
  bool ok;

  if (step->kind == OPEN_NEW || step->kind == OPEN_AGAIN)
    {
      g_clear_object (&self->file);
      self->file = gaio_file_new (self->context, self->path);
      self->sticky = 0;
    }
  request = gaio_request_new (self->file, on_end, self, NULL);
  if (step->kind == WRITE || step->kind == WRITEV || step->kind == APPEND)
    file_model_fill (data, step->length, step->offset + step->length);
  bytes = g_bytes_new_take (g_memdup2 (data, step->length), step->length);
  for (gsize i = 0; i < G_N_ELEMENTS (chunks); i++)
    chunks[i] = g_bytes_new_from_bytes (bytes, step->length / 3 * i, step->length / 3);
  self->ended = 0;
  switch (step->kind)
    {
    case OPEN_NEW:
      gaio_request_open (request, O_RDWR | O_CREAT | O_TRUNC, 0600);
      break;
    case OPEN_AGAIN:
      gaio_request_open (request, O_RDWR | O_CREAT, 0600);
      break;
    case READ:
      gaio_request_read (request, offset, step->length);
      break;
    case READV:
      gaio_request_readv_into (request, offset, iov, G_N_ELEMENTS (iov));
      break;
    case WRITE:
      gaio_request_write (request, offset, bytes);
      break;
    case WRITEV:
      gaio_request_writev (request, offset, chunks, G_N_ELEMENTS (chunks));
      break;
    case APPEND:
      gaio_request_append (request, chunks, G_N_ELEMENTS (chunks));
      break;
    case TRUNCATE:
      gaio_request_truncate (request, offset);
      break;
    case ALLOCATE:
      gaio_request_allocate (request, 0, offset, step->length);
      break;
    case SYNC:
    case DATA_SYNC:
      gaio_request_sync (request, step->kind == DATA_SYNC);
      break;
    case QUERY:
      gaio_request_statx (request, STATX_BASIC_STATS);
      break;
    case CLOSE:
      gaio_request_close (request);
      break;
    }
  g_assert_cmpint (self->ended, ==, 0);
  while (self->ended == 0)
    gaio_context_poll (self->context, TRUE);
  hit = fault_get_hits () > before;
  ok = gaio_request_get_result (request, &n, &error);

  expected = expect (self, step->kind, before);
  if (ok != (expected == 0) || (!ok && gaio_error_get_errno (error) != expected))
    fail (self, "expected errno %d, got %s", expected, ok ? "success" : error->message);
  if (error != NULL && g_error_matches (error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    fail (self, "it looks like a cancel");
  if ((step->kind == SYNC || step->kind == DATA_SYNC) && !ok && self->sticky == 0 &&
      !is_harmless_for_sync (expected))
    self->sticky = expected;
  switch (step->kind)
    {
    case OPEN_NEW:
    case OPEN_AGAIN:
      self->is_open = ok;
      fault_watch_fd (gaio_file_get_fd (self->file));
      if (ok && step->kind == OPEN_NEW)
        file_model_truncate (&self->model, 0);
      break;
    case READ:
      if (ok)
        check_data (self, step, gaio_request_get_data (request, NULL), n, hit);
      break;
    case READV:
      if (ok)
        check_data (self, step, data, n, hit);
      break;
    case WRITE:
    case WRITEV:
    case APPEND:
      if (ok != (n == (step->kind == WRITE ? step->length : step->length / 3 * 3)))
        fail (self, "%" G_GSIZE_FORMAT " bytes", n);
      file_model_write (&self->model, offset, data, n);
      break;
    case TRUNCATE:
      if (ok)
        file_model_truncate (&self->model, offset);
      break;
    case ALLOCATE:
      if (ok)
        self->model.size = MAX (self->model.size, offset + step->length);
      break;
    case QUERY:
      if (ok && request->statx->stx_size != self->model.size)
        fail (self, "the size is %" G_GUINT64_FORMAT, (guint64) request->statx->stx_size);
      break;
    case CLOSE:
      self->is_open = false;
      if (gaio_file_get_fd (self->file) != -1)
        fail (self, "the descriptor is still there");
      break;
    default:
      break;
    }
  for (gsize i = 0; i < G_N_ELEMENTS (chunks); i++)
    g_bytes_unref (chunks[i]);
}

/* Returns how many operations there were. */
static int
run_script (Run *self, int at)
{
  g_autofree char *data = NULL;
  gsize size = 0;
  int n;

  alarm (WATCHDOG_S);
  unlink (self->path);
  file_model_init (&self->model);
  fault_arm (self->path, at, self->persistent, self->fault);
  for (self->step = 0; self->step < G_N_ELEMENTS (script); self->step++)
    run_step (self, &script[self->step]);
  n = fault_disarm ();
  g_clear_object (&self->file);
  g_file_get_contents (self->path, &data, &size, NULL);
  if (size != self->model.size)
    fail (self, "the size at the end is %" G_GSIZE_FORMAT, size);
  if (size > 0 && memcmp (data, self->model.data, size) != 0)
    fail (self, "other data at the end");
  file_model_clear (&self->model);
  alarm (0);
  return n;
}

static void
run_all (GaioEngine engine, const char *where)
{
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "a", NULL);
  Run run = { .path = path, .where = where };
  int n_runs = 0;
  int n;

  for (guint i = 0; i < G_N_ELEMENTS (faults); i++)
    {
      run.context = g_initable_new (GAIO_TYPE_CONTEXT, NULL, NULL, "engine", engine, NULL);
      run.fault = faults[i];
      n = run_script (&run, -1);
      g_assert_cmpint (n, >=, G_N_ELEMENTS (script));
      for (int at = 0; at < 2 * n; at++)
        {
          run.persistent = at % 2;
          run_script (&run, at / 2);
          g_assert_cmpint (fault_get_hits (), >, run.fault > 0 ? 0 : -1);
          n_runs++;
        }
      g_clear_object (&run.context);
    }
  g_test_message ("%d runs", n_runs);
  file_test_remove_dir (dir);
}

static void
test_threads (void)
{
  run_all (GAIO_ENGINE_THREADS, "threads");
}

static bool
has_ring (void)
{
  g_autoptr (GaioContext) context = gaio_context_new (NULL);

  gaio_context_poll (context, FALSE);
  return gaio_context_get_engine (context) == GAIO_ENGINE_IO_URING;
}

static void
test_ring (void)
{
  if (!has_ring ())
    g_test_skip ("there is no ring");
  else if (!fault_ring_can ())
    g_test_skip ("this kernel's rings do not take results");
  else
    run_all (GAIO_ENGINE_AUTO, "ring");
}

static void
assert_ring_stays (GaioContext *context)
{
  g_autoptr (GVariant) stats = gaio_context_get_stats (context);
  guint64 moved = 0;

  g_assert_true (g_variant_lookup (stats, "moved-requests", "t", &moved));
  g_assert_cmpuint (moved, ==, 0);
}

/* The kernel does not let itself be entered for a ring: for a while, or never again, and then the
 * threads go on where it stopped. Nobody is told. */
static void
test_enter (void)
{
  static const int passing[] = { EINTR, EAGAIN, EBUSY };
  static const int lasting[] = { EPERM, ENOSYS, ENOMEM, EINVAL, EBADF, EFAULT, EOPNOTSUPP };
  char *dir = file_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "a", NULL);
  Run run = { .path = path, .where = "enter", .fault = EPERM };
  int n;

  if (!has_ring ())
    {
      g_test_skip ("there is no ring");
      file_test_remove_dir (dir);
      return;
    }
  for (guint i = 0; i < G_N_ELEMENTS (passing) + G_N_ELEMENTS (lasting); i++)
    {
      bool passes = i < G_N_ELEMENTS (passing);
      int errnum = passes ? passing[i] : lasting[i - G_N_ELEMENTS (passing)];
      bool done = false;

      for (int at = 0; !done; at++)
        {
          run.context = gaio_context_new (NULL);
          fault_arm_enter (at, passes ? 3 : 1 << 30, errnum);
          run_script (&run, -1);
          n = fault_disarm_enter ();
          if (passes)
            assert_ring_stays (run.context);
          done = at >= n;
          g_clear_object (&run.context);
        }
    }
  file_test_remove_dir (dir);
}

int
main (int argc, char **argv)
{
  /* Where a sync costs nothing. */
  if (access ("/dev/shm", W_OK) == 0)
    g_setenv ("TMPDIR", "/dev/shm", TRUE);
  gaio_test_init (&argc, &argv);
  gaio_test_add ("/nth-fault/threads", test_threads);
  gaio_test_add ("/nth-fault/ring", test_ring);
  gaio_test_add ("/nth-fault/enter", test_enter);
  return g_test_run ();
}
