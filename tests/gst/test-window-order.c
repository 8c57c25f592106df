/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Several writes of a window at once, of which one is held up while the others may pass: what was
 * pushed last is what is in the file, and where something is missing first is what is reported.
 *
 * No file system lets one write overtake another when it is told to; so the workers' system call
 * comes by here on its way to the kernel, and the first of them waits until the test has seen what
 * the window does meanwhile. A ring's do not come by, so this is about the pool's. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "gst-test.h"
#include "gstgaiostray.h"
#include "gstgaiowindow.h"

#define BLOCK 4096
#define N_BLOCKS 4

/* What is given to a write that could begin and did not, before that is believed. */
#define GRACE_US 20000

static struct
{
  GMutex lock;
  GCond cond;
  gboolean armed;
  gboolean open;
  guint n_begun; /* since it was armed */
  guint n_ended;
  int first_errnum; /* what the first ends with, and what the others do; 0: they are made */
  int other_errnum;
} gate;

/* What the window told. */
static struct
{
  gint n; /* (atomic) */
  guint64 offset;
  int errnum;
} failure;

/* In place of the C library's, for all that is linked with this program. */
ssize_t
pwritev2 (int fd, const struct iovec *iov, int n_iov, off_t offset, int flags)
{
  gboolean armed, is_first;
  ssize_t res = -1;
  int errnum;

  g_mutex_lock (&gate.lock);
  armed = gate.armed;
  is_first = armed && gate.n_begun == 0;
  gate.n_begun += armed;
  g_cond_broadcast (&gate.cond);
  while (is_first && !gate.open)
    g_cond_wait (&gate.cond, &gate.lock);
  errnum = is_first ? gate.first_errnum : armed ? gate.other_errnum : 0;
  g_mutex_unlock (&gate.lock);

  if (errnum == 0)
    res = syscall (SYS_pwritev2, fd, iov, n_iov, offset, 0UL, flags);

  g_mutex_lock (&gate.lock);
  gate.n_ended += armed;
  g_cond_broadcast (&gate.cond);
  g_mutex_unlock (&gate.lock);
  if (errnum != 0)
    errno = errnum;
  return res;
}

static void
gate_shut (int first_errnum, int other_errnum)
{
  g_mutex_lock (&gate.lock);
  gate.first_errnum = first_errnum;
  gate.other_errnum = other_errnum;
  gate.armed = TRUE;
  gate.open = FALSE;
  gate.n_begun = gate.n_ended = 0;
  g_mutex_unlock (&gate.lock);
}

static void
gate_open (void)
{
  g_mutex_lock (&gate.lock);
  gate.open = TRUE;
  g_cond_broadcast (&gate.cond);
  g_mutex_unlock (&gate.lock);
}

static void
wait_until_begun (guint n)
{
  g_mutex_lock (&gate.lock);
  while (gate.n_begun < n)
    g_cond_wait (&gate.cond, &gate.lock);
  g_mutex_unlock (&gate.lock);
}

/* So many get past the first, and no more. */
static void
assert_passed (guint n)
{
  g_mutex_lock (&gate.lock);
  while (gate.n_ended < n)
    g_cond_wait (&gate.cond, &gate.lock);
  g_mutex_unlock (&gate.lock);
  g_usleep (GRACE_US);
  g_mutex_lock (&gate.lock);
  g_assert_cmpuint (gate.n_ended, ==, n);
  g_assert_cmpuint (gate.n_begun, ==, n + 1);
  g_mutex_unlock (&gate.lock);
}

static void
failed (GstObject *sink, const GstGaioFailure *what)
{
  failure.offset = what->offset;
  failure.errnum = gaio_error_get_errno (what->error);
  g_atomic_int_inc (&failure.n);
}

static gint n_stalls; /* (atomic) that have begun */

static void
stalled (GstObject *sink, gboolean active, guint64 age_ns, guint64 level)
{
  g_atomic_int_add (&n_stalls, active);
}

typedef struct
{
  char *dir;
  char *path;
  GstObject *sink;
  GstGaioWindow *window;
  char image[N_BLOCKS * BLOCK];
} Run;

static void
run_begin_with (Run *run, int first_errnum, int other_errnum, GstGaioWindowConfig with)
{
  static const GstGaioWindowEvents events = { failed, stalled };
  GstGaioWindowConfig config = {
    .max_bytes = 1024 * 1024,
    .gather_bytes = 1,
    .chunk_bytes = N_BLOCKS * BLOCK,
    .max_in_flight = 4,
    .hold = GST_GAIO_HOLD_REF,
    .is_regular = TRUE,
    .can_position = TRUE,
  };
  g_autoptr (GError) error = NULL;
  g_autoptr (GaioFile) file = NULL;
  GstGaioLoop *loop;
  struct stat st;
  int fd;

  run->dir = gst_test_make_dir ();
  run->path = g_build_filename (run->dir, "file", NULL);
  fd = open (run->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (fstat (fd, &st), ==, 0);
  config.device = st.st_dev;
  config.inode = st.st_ino;
  config.preallocate_bytes = with.preallocate_bytes;
  config.stall_warning_ns = with.stall_warning_ns;
  loop = gst_gaio_loop_acquire (NULL, GAIO_ENGINE_AUTO, fd, &error);
  g_assert_no_error (error);
  file = gaio_file_new_for_fd (gst_gaio_loop_get_context (loop), fd, run->path, &error);
  g_assert_no_error (error);
  run->sink = gst_object_ref_sink (gst_pad_new ("sink", GST_PAD_SINK));
  run->window = gst_gaio_window_new (loop, file, &config, &events, run->sink);
  memset (run->image, 0, sizeof run->image);
  g_atomic_int_set (&failure.n, 0);
  g_atomic_int_set (&n_stalls, 0);
  gate_shut (first_errnum, other_errnum);
}

static void
run_begin_failing (Run *run, int first_errnum, int other_errnum)
{
  run_begin_with (run, first_errnum, other_errnum, (GstGaioWindowConfig){ 0 });
}

static void
run_begin (Run *run)
{
  run_begin_failing (run, 0, 0);
}

static GstGaioWindowResult
push_or_not (Run *run, guint block)
{
  g_autoptr (GstBuffer) buffer = gst_buffer_new_allocate (NULL, BLOCK, NULL);

  gst_buffer_memset (buffer, 0, 0, BLOCK);
  return gst_gaio_window_push (run->window, buffer, block * BLOCK, TRUE);
}

/* A buffer with one memory for each `step` blocks. */
static void
push_parts (Run *run, guint first, guint n, guint step, char c)
{
  g_autoptr (GstBuffer) buffer = gst_buffer_new ();

  for (guint i = 0; i < n; i += step)
    gst_buffer_append_memory (buffer, gst_allocator_alloc (NULL, step * BLOCK, NULL));
  gst_buffer_memset (buffer, 0, (guint8) c, n * BLOCK);
  g_assert_cmpint (gst_gaio_window_push (run->window, buffer, first * BLOCK, TRUE), ==,
                   GST_GAIO_WINDOW_OK);
  memset (run->image + first * BLOCK, c, n * BLOCK);
}

static void
push (Run *run, guint first, guint n, char c)
{
  push_parts (run, first, n, n, c);
}

static void
run_forget (Run *run)
{
  gst_object_unref (run->sink);
  gst_test_remove_dir (run->dir);
  g_free (run->path);
  g_free (run->dir);
}

static void
run_end (Run *run, guint n_blocks)
{
  gate_open ();
  gst_gaio_window_close (run->window);
  g_assert_cmpint (gst_gaio_window_drain (run->window, FALSE, G_MAXINT64), ==,
                   g_atomic_int_get (&failure.n) > 0 ? GST_GAIO_WINDOW_FAILED
                                                     : GST_GAIO_WINDOW_OK);
  gst_gaio_window_free (run->window);
  gst_test_assert_file (run->path, (const guint8 *) run->image, n_blocks * BLOCK);
  run_forget (run);
}

/* What does not touch the one that is held up passes it. */
static void
test_disjoint (void)
{
  Run run;

  run_begin (&run);
  push (&run, 0, 1, 'a');
  wait_until_begun (1);
  push (&run, 2, 1, 'b');
  push (&run, 1, 1, 'c');
  assert_passed (2);
  run_end (&run, 3);
}

/* What does waits, whatever part of it. */
static void
test_overlapping (void)
{
  static const struct
  {
    guint first, n;
  } rewrites[] = { { 1, 2 }, { 1, 1 }, { 2, 1 }, { 0, 2 }, { 2, 2 }, { 0, 4 } };

  for (guint i = 0; i < G_N_ELEMENTS (rewrites); i++)
    {
      Run run;

      run_begin (&run);
      push (&run, 1, 2, 'a');
      wait_until_begun (1);
      push (&run, rewrites[i].first, rewrites[i].n, 'b');
      assert_passed (0);
      /* And nothing overtakes what waits. */
      push (&run, 3, 1, 'c');
      assert_passed (0);
      run_end (&run, 4);
    }
}

/* What may begin does not take along what may not, though that continues it. */
static void
test_overlapping_next (void)
{
  Run run;

  run_begin (&run);
  push (&run, 1, 1, 'a');
  wait_until_begun (1);
  /* Memories that are held are queued in one step, so the writer sees both at once. */
  push_parts (&run, 0, 2, 1, 'b');
  assert_passed (1);
  run_end (&run, 2);
}

/* The second write fails while the first is held up: what is missing first is known only when that
 * has ended too. Meanwhile nothing begins, and nobody is told that all is well. */
static void
test_failing (void)
{
  static const int firsts[] = { 0, EIO };

  for (guint i = 0; i < G_N_ELEMENTS (firsts); i++)
    {
      guint n_good = firsts[i] == 0 ? 1 : 0;
      gint64 deadline_us;
      Run run;

      run_begin_failing (&run, firsts[i], ENOSPC);
      push (&run, 0, 1, 'a');
      wait_until_begun (1);
      push (&run, 1, 1, 'b');
      assert_passed (1);
      push (&run, 2, 1, 'c');
      assert_passed (1);
      deadline_us = g_get_monotonic_time () + GRACE_US;
      g_assert_cmpint (gst_gaio_window_drain (run.window, TRUE, deadline_us), ==,
                       GST_GAIO_WINDOW_TIMED_OUT);
      g_assert_cmpint (g_atomic_int_get (&failure.n), ==, 0);

      gate_open ();
      g_assert_cmpint (gst_gaio_window_drain (run.window, TRUE, G_MAXINT64), ==,
                       GST_GAIO_WINDOW_FAILED);
      g_assert_cmpint (g_atomic_int_get (&failure.n), ==, 1);
      g_assert_cmpuint (failure.offset, ==, n_good * BLOCK);
      g_assert_cmpint (failure.errnum, ==, firsts[i] == 0 ? ENOSPC : EIO);
      g_assert_cmpint (push_or_not (&run, 3), ==, GST_GAIO_WINDOW_FAILED);
      run_end (&run, n_good);
      g_assert_cmpint (g_atomic_int_get (&failure.n), ==, 1);
    }
}

/* But when the first hangs that may be never, so then it is told at once, whether it hangs before
 * the other fails or after that. Of what hangs it is not said that it is in the file. */
static void
test_failing_stalled (void)
{
  for (guint i = 0; i < 4; i++)
    {
      gboolean stalls_first = (i & 1) != 0;
      int first = (i & 2) != 0 ? EIO : 0;
      guint n_good = first == 0 ? 1 : 0;
      gint64 warning_ns = stalls_first ? 1 : 1000 * 1000 * (gint64) 50;
      GstGaioWindowStats stats;
      Run run;

      run_begin_with (&run, first, ENOSPC, (GstGaioWindowConfig){ .stall_warning_ns = warning_ns });
      push (&run, 0, 1, 'a');
      wait_until_begun (1);
      while (stalls_first && g_atomic_int_get (&n_stalls) == 0)
        g_usleep (1000);
      push (&run, 1, 1, 'b');
      g_assert_cmpint (gst_gaio_window_drain (run.window, TRUE, G_MAXINT64), ==,
                       GST_GAIO_WINDOW_FAILED);
      g_assert_cmpint (g_atomic_int_get (&n_stalls), ==, 1);
      g_assert_cmpint (g_atomic_int_get (&failure.n), ==, 1);
      g_assert_cmpuint (failure.offset, ==, 0);
      g_assert_cmpint (failure.errnum, ==, ENOSPC);
      g_assert_cmpint (push_or_not (&run, 2), ==, GST_GAIO_WINDOW_FAILED);

      gate_open ();
      gst_gaio_window_close (run.window);
      g_assert_cmpint (gst_gaio_window_drain (run.window, FALSE, G_MAXINT64), ==,
                       GST_GAIO_WINDOW_FAILED);
      gst_gaio_window_get_stats (run.window, &stats);
      g_assert_cmpuint (stats.written, ==, n_good * BLOCK);
      g_assert_cmpuint (stats.lost, ==, (2 - n_good) * BLOCK);
      g_assert_cmpuint (stats.level, ==, 0);
      run_end (&run, n_good);
      g_assert_cmpint (g_atomic_int_get (&failure.n), ==, 1);
    }
}

/* What is still in flight comes later in the file: there is nothing to wait for. */
static void
test_failing_first (void)
{
  Run run;

  run_begin_failing (&run, 0, ENOSPC);
  push (&run, 2, 1, 'a');
  wait_until_begun (1);
  push (&run, 0, 1, 'b');
  while (g_atomic_int_get (&failure.n) == 0)
    g_usleep (1000);
  g_assert_cmpuint (failure.offset, ==, 0);
  g_assert_cmpint (failure.errnum, ==, ENOSPC);
  memset (run.image, 0, BLOCK);
  run_end (&run, 3);
  g_assert_cmpint (g_atomic_int_get (&failure.n), ==, 1);
}

/* The window is given up between the one failure and the end of the other write. */
static void
test_failing_abandoned (void)
{
  GstGaioWindowStats stats;
  Run run;

  run_begin_failing (&run, EIO, ENOSPC);
  push (&run, 0, 1, 'a');
  wait_until_begun (1);
  push (&run, 1, 1, 'b');
  assert_passed (1);
  gst_gaio_window_get_stats (run.window, &stats);
  g_assert_false (stats.finished);
  g_assert_cmpuint (stats.pending_offset, ==, 0);
  gst_gaio_window_abandon (run.window);
  gate_open ();
  g_assert_cmpint (g_atomic_int_get (&failure.n), ==, 0);
  run_forget (&run);
}

/* What a window that was given up had begun may still change the file, and so may what follows
 * that: who waits for strays sees the file when the last of it is over. */
static void
test_abandoned (void)
{
  for (guint i = 0; i < 2; i++)
    {
      struct stat st;
      guint64 n_bytes = 0;
      Run run;

      /* What was allocated ahead is freed at the end. */
      run_begin_with (&run, 0, 0, (GstGaioWindowConfig){ .preallocate_bytes = i * 1024 * 1024 });
      push (&run, 0, 1, 'a');
      wait_until_begun (1);
      push (&run, 1, 2, 'b');
      assert_passed (1);
      g_assert_true (gst_gaio_stray_wait (run.path, 0, &n_bytes));
      gst_gaio_window_abandon (run.window);
      g_assert_false (gst_gaio_stray_wait (run.path, 0, &n_bytes));
      g_assert_cmpuint (n_bytes, >=, BLOCK);
      g_assert_cmpuint (n_bytes, <=, 3 * BLOCK);
      gate_open ();
      g_assert_true (gst_gaio_stray_wait (run.path, G_MAXINT64, &n_bytes));
      gst_test_assert_file (run.path, (const guint8 *) run.image, 3 * BLOCK);
      g_assert_cmpint (stat (run.path, &st), ==, 0);
      g_assert_cmpint (st.st_blocks, <, 1024);
      run_forget (&run);
    }
}

/* And of one that has nothing more to do, or has done all, nothing is left. */
static void
test_abandoned_late (void)
{
  guint64 n_bytes = 0;
  Run run;

  run_begin (&run);
  gate_open ();
  push (&run, 0, 1, 'a');
  gst_gaio_window_close (run.window);
  g_assert_cmpint (gst_gaio_window_drain (run.window, FALSE, G_MAXINT64), ==, GST_GAIO_WINDOW_OK);
  gst_gaio_window_abandon (run.window);
  g_assert_true (gst_gaio_stray_wait (run.path, 0, &n_bytes));
  run_forget (&run);
}

int
main (int argc, char **argv)
{
  g_setenv ("GAIO_ENGINE", "threads", TRUE);
  gst_test_init (&argc, &argv);
  gaio_test_add ("/gst/window/order/disjoint", test_disjoint);
  gaio_test_add ("/gst/window/order/overlapping", test_overlapping);
  gaio_test_add ("/gst/window/order/overlapping-next", test_overlapping_next);
  gaio_test_add ("/gst/window/order/failing", test_failing);
  gaio_test_add ("/gst/window/order/failing-stalled", test_failing_stalled);
  gaio_test_add ("/gst/window/order/failing-first", test_failing_first);
  gaio_test_add ("/gst/window/order/failing-abandoned", test_failing_abandoned);
  gaio_test_add ("/gst/window/order/abandoned", test_abandoned);
  gaio_test_add ("/gst/window/order/abandoned-late", test_abandoned_late);
  return g_test_run ();
}
