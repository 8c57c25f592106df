/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Several writes of a window at once, of which one is held up while the others may pass: what was
 * pushed last is what is in the file.
 *
 * No file system lets one write overtake another when it is told to; so the workers' system call
 * comes by here on its way to the kernel, and the first of them waits until the test has seen what
 * the window does meanwhile. A ring's do not come by, so this is about the pool's. */

#include <fcntl.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "gst-test.h"
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
} gate;

/* In place of the C library's, for all that is linked with this program. */
ssize_t
pwritev2 (int fd, const struct iovec *iov, int n_iov, off_t offset, int flags)
{
  gboolean armed, is_first;
  ssize_t res;

  g_mutex_lock (&gate.lock);
  armed = gate.armed;
  is_first = armed && gate.n_begun == 0;
  gate.n_begun += armed;
  g_cond_broadcast (&gate.cond);
  while (is_first && !gate.open)
    g_cond_wait (&gate.cond, &gate.lock);
  g_mutex_unlock (&gate.lock);

  res = syscall (SYS_pwritev2, fd, iov, n_iov, offset, 0UL, flags);

  g_mutex_lock (&gate.lock);
  gate.n_ended += armed;
  g_cond_broadcast (&gate.cond);
  g_mutex_unlock (&gate.lock);
  return res;
}

static void
gate_shut (void)
{
  g_mutex_lock (&gate.lock);
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
failed (GstObject *sink, const GstGaioFailure *failure)
{
  g_error ("%s", failure->error->message);
}

static void
stalled (GstObject *sink, gboolean active, guint64 age_ns, guint64 level)
{
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
run_begin (Run *run)
{
  static const GstGaioWindowEvents events = { failed, stalled };
  const GstGaioWindowConfig config = {
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
  int fd;

  run->dir = gst_test_make_dir ();
  run->path = g_build_filename (run->dir, "file", NULL);
  fd = open (run->path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  g_assert_cmpint (fd, >=, 0);
  loop = gst_gaio_loop_acquire (NULL, fd, &error);
  g_assert_no_error (error);
  file = gaio_file_new_for_fd (gst_gaio_loop_get_context (loop), fd, run->path, &error);
  g_assert_no_error (error);
  run->sink = gst_object_ref_sink (gst_pad_new ("sink", GST_PAD_SINK));
  run->window = gst_gaio_window_new (loop, file, &config, &events, run->sink);
  memset (run->image, 0, sizeof run->image);
  gate_shut ();
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
run_end (Run *run, guint n_blocks)
{
  gate_open ();
  gst_gaio_window_close (run->window);
  g_assert_cmpint (gst_gaio_window_drain (run->window, FALSE, G_MAXINT64), ==, GST_GAIO_WINDOW_OK);
  gst_gaio_window_free (run->window);
  gst_test_assert_file (run->path, (const guint8 *) run->image, n_blocks * BLOCK);
  gst_object_unref (run->sink);
  gst_test_remove_dir (run->dir);
  g_free (run->path);
  g_free (run->dir);
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

int
main (int argc, char **argv)
{
  g_setenv ("GAIO_ENGINE", "threads", TRUE);
  gst_test_init (&argc, &argv);
  gaio_test_add ("/gst/window/order/disjoint", test_disjoint);
  gaio_test_add ("/gst/window/order/overlapping", test_overlapping);
  gaio_test_add ("/gst/window/order/overlapping-next", test_overlapping_next);
  return g_test_run ();
}
