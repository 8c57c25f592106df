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

#include <gaio/file/gaio-request-private.h>

#include "file-mount.h"
#include "model-run.h"

#define VERIFY_INTERVAL 4096
#define PHASE_LENGTH 300

/* For each case, when nobody says how many. */
#if defined __SANITIZE_THREAD__ || defined __SANITIZE_ADDRESS__
#define N_OPERATIONS 300
#else
#define N_OPERATIONS 3000
#endif

typedef struct
{
  void (*func) (Op *op); /* NULL: the thread ends */
  Op *op;
  GaioRequest *request;
} Errand;

/* ---- submitting ---- */

static void
send_errand (Run *self, Op *op, void (*func) (Op *op), GaioRequest *request)
{
  Errand *errand = g_new (Errand, 1);

  *errand = (Errand){ .func = func, .op = op, .request = request };
  g_mutex_lock (&self->lock);
  g_queue_push_tail (&self->errands, errand);
  g_cond_signal (&self->has_errand);
  g_mutex_unlock (&self->lock);
}

static Errand *
take_errand (Run *self)
{
  Errand *errand;

  g_mutex_lock (&self->lock);
  while ((errand = g_queue_pop_head (&self->errands)) == NULL)
    g_cond_wait (&self->has_errand, &self->lock);
  g_mutex_unlock (&self->lock);
  return errand;
}

static gpointer
run_errands (gpointer data)
{
  Run *self = data;

  for (;;)
    {
      g_autofree Errand *errand = take_errand (self);

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

  op->may_time_out = run_below (self, 16) == 0;
  gaio_request_set_timeout_ns (op->request, op->may_time_out ? 1 + run_below (self, 200000) : 0);
  gaio_request_set_priority (op->request, priorities[run_below (self, G_N_ELEMENTS (priorities))]);
  if (op->before != NULL)
    gaio_request_set_after (op->request, op->before->request);
}

static bool
submit (Run *self)
{
  Op *op = self->ops;

  while (op->busy)
    op++;
  if (!run_choose_operation (self, op))
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
    op->request = gaio_request_new (op->file, op_take_request_end, op, NULL);
  run_make_content (self, op);
  if (op->way < BY_TASK)
    set_terms (self, op);
  if (op->way >= BY_TASK && run_below (self, 2) == 0)
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
      op_submit_request (op);
      break;
    case BY_FOREIGN_REQUEST:
      send_errand (self, op, op_submit_request, NULL);
      break;
    case BY_TASK:
      op_submit_task (op);
      break;
    default:
      send_errand (self, op, op_call_blocking, NULL);
      break;
    }
  return true;
}

/* Any, or the one that has just been submitted. */
static void
cancel_one (Run *self)
{
  Op *op = run_below (self, 2) == 0 ? self->latest : &self->ops[run_below (self, MAX_IN_FLIGHT)];

  if (!op->busy)
    return;
  op->may_stop = true;
  if (op->way >= BY_TASK)
    g_cancellable_cancel (op->cancellable);
  else if (run_below (self, 2) == 0)
    gaio_request_cancel (op->request);
  else
    {
      g_atomic_int_inc (&op->foreign_cancels);
      send_errand (self, op, NULL, gaio_request_ref (op->request));
    }
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
    run_fail (self, "%s", error->message);
  self->closes_pending--;
}

/* Under what is in flight, which ends as it would have. */
static void
reopen (Run *self)
{
  g_autoptr (GaioFile) old = g_steal_pointer (&self->file);
  g_autoptr (GError) error = NULL;
  gsize way = run_below (self, 3);

  open_file (self);
  if (way == 0)
    return;
  if (way == 1)
    {
      self->closes_pending++;
      gaio_file_close_async (old, G_PRIORITY_DEFAULT, NULL, on_closed, self);
    }
  else if (!gaio_file_close (old, NULL, &error))
    run_fail (self, "%s", error->message);
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
    run_fail (self, "the size is %" G_GOFFSET_FORMAT, (goffset) info.st_size);
  g_assert_cmpint (run_look (self, data, 0, FILE_MODEL_MAX_BYTES + 1), ==, self->model.size);
  run_compare (self, data, 0, self->model.size, "the other descriptor");
  bytes = gaio_file_read_bytes (self->file, 0, FILE_MODEL_MAX_BYTES, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (g_bytes_get_size (bytes), ==, self->model.size);
  run_compare (self, g_bytes_get_data (bytes, NULL), 0, self->model.size, "the whole file");
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
        depth = 1 << run_below (self, 7);
      if (self->n_submitted % VERIFY_INTERVAL == VERIFY_INTERVAL - 1)
        verify (self);
      if (self->in_flight < depth && submit (self))
        {
          if (run_below (self, 8) == 0)
            cancel_one (self);
          if (run_below (self, 1000) == 0)
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
  guint64 n =
      number_from_environment ("GAIO_TEST_OPERATIONS", g_test_thorough () ? 20000 : N_OPERATIONS);

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
  else if (direct)
    {
      close (self.fd);
      self.fd = open (self.path, O_RDONLY | O_DIRECT | O_CLOEXEC);
    }
  file_model_init (&self.model);
  self.ops = g_new0 (Op, MAX_IN_FLIGHT);
  for (int i = 0; i < MAX_IN_FLIGHT; i++)
    {
      self.ops[i].run = &self;
      self.ops[i].ended = run_take_end;
    }
  g_mutex_init (&self.lock);
  g_cond_init (&self.has_errand);
  for (int i = 0; i < N_THREADS; i++)
    self.threads[i] = g_thread_new ("errands", run_errands, &self);
  open_file (&self);

  run_operations (&self, n);
  verify (&self);
  run_check_kept (&self, NULL);
  g_test_message ("%d of %" G_GUINT64_FORMAT " were stopped", self.n_stopped, self.n_submitted);

  for (int i = 0; i < N_THREADS; i++)
    send_errand (&self, NULL, NULL, NULL);
  for (int i = 0; i < N_THREADS; i++)
    g_thread_join (self.threads[i]);
  g_mutex_clear (&self.lock);
  g_cond_clear (&self.has_errand);
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
