/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* 4 KiB reads at random places of a file that is in the page cache, many in flight: what a request
 * costs beside the limit, which is a loop over a bare io_uring, and beside GIO.
 *
 * The contestants take turns, several rounds of each, and the medians are compared; so a machine
 * that is busy for a while slows them all. The reference is the bare ring with the same flags.
 *
 *   bench-read [--ops N] [--rounds N] [--only NAME] [--depth N] */

#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>
#include <liburing.h>

#include <gaio/gaio.h>

#define FILE_BYTES (64 * 1024 * 1024)
#define BLOCK_BYTES 4096
#define MAX_DEPTH 128

static char *path;
static guint64 seed = 88172645463325252u;

/* Of the run. */
static int depth;
static int to_begin;
static int to_end;
static gboolean failed;

static guint64
random_offset (void)
{
  seed ^= seed << 13;
  seed ^= seed >> 7;
  seed ^= seed << 17;
  return seed % (FILE_BYTES / BLOCK_BYTES) * BLOCK_BYTES;
}

/* The limit. */

static void
run_raw (unsigned flags)
{
  struct io_uring_params params = { .flags = flags | IORING_SETUP_CQSIZE, .cq_entries = 512 };
  static guint8 buffers[MAX_DEPTH][BLOCK_BYTES] __attribute__ ((aligned (BLOCK_BYTES)));
  struct io_uring ring;
  int fd = open (path, O_RDONLY | O_CLOEXEC);
  guint slots[MAX_DEPTH];
  int n_free = depth;

  if (io_uring_queue_init_params (128, &ring, &params) < 0)
    {
      failed = TRUE;
      close (fd);
      return;
    }
  for (int i = 0; i < depth; i++)
    slots[i] = i;
  while (to_end > 0)
    {
      struct io_uring_cqe *cqe;
      unsigned head;
      unsigned n = 0;

      while (n_free > 0 && to_begin > 0)
        {
          struct io_uring_sqe *sqe = io_uring_get_sqe (&ring);
          guint slot = slots[--n_free];

          io_uring_prep_read (sqe, fd, buffers[slot], BLOCK_BYTES, random_offset ());
          io_uring_sqe_set_data64 (sqe, slot);
          to_begin--;
        }
      io_uring_submit_and_wait (&ring, 1);
      io_uring_for_each_cqe (&ring, head, cqe)
        {
          failed |= cqe->res != BLOCK_BYTES;
          slots[n_free++] = cqe->user_data;
          n++;
        }
      io_uring_cq_advance (&ring, n);
      to_end -= n;
    }
  io_uring_queue_exit (&ring);
  close (fd);
}

static void
run_raw_plain (void)
{
  run_raw (0);
}

static void
run_raw_same (void)
{
  run_raw (IORING_SETUP_CLAMP | IORING_SETUP_COOP_TASKRUN | IORING_SETUP_TASKRUN_FLAG);
}

/* The smallest GSource over a ring. */

typedef struct
{
  GSource parent;
  struct io_uring ring;
  char (*buffers)[BLOCK_BYTES];
  int fd;
} RingSource;

static void
begin_source_read (RingSource *self, guint slot)
{
  struct io_uring_sqe *sqe = io_uring_get_sqe (&self->ring);

  io_uring_prep_read (sqe, self->fd, self->buffers[slot], BLOCK_BYTES, random_offset ());
  io_uring_sqe_set_data64 (sqe, slot);
  to_begin--;
}

static gboolean
ring_source_prepare (GSource *source, int *timeout_ms)
{
  RingSource *self = (RingSource *) source;

  *timeout_ms = -1;
  if (io_uring_sq_ready (&self->ring) > 0)
    io_uring_submit (&self->ring);
  return io_uring_cq_ready (&self->ring) > 0;
}

static gboolean
ring_source_check (GSource *source)
{
  return io_uring_cq_ready (&((RingSource *) source)->ring) > 0;
}

static gboolean
ring_source_dispatch (GSource *source, GSourceFunc func, gpointer data)
{
  RingSource *self = (RingSource *) source;
  struct io_uring_cqe *cqe;
  unsigned head;
  unsigned n = 0;

  io_uring_for_each_cqe (&self->ring, head, cqe)
    {
      failed |= cqe->res != BLOCK_BYTES;
      to_end--;
      n++;
      if (to_begin > 0)
        begin_source_read (self, (guint) cqe->user_data);
    }
  io_uring_cq_advance (&self->ring, n);
  return G_SOURCE_CONTINUE;
}

static void
run_ring_source (void)
{
  static GSourceFuncs funcs = {
    .prepare = ring_source_prepare,
    .check = ring_source_check,
    .dispatch = ring_source_dispatch,
  };
  g_autoptr (GMainContext) main_context = g_main_context_new ();
  RingSource *self = (RingSource *) g_source_new (&funcs, sizeof (RingSource));
  struct io_uring_params params = { .flags = IORING_SETUP_CLAMP | IORING_SETUP_COOP_TASKRUN |
                                             IORING_SETUP_TASKRUN_FLAG };

  self->buffers = g_malloc (MAX_DEPTH * BLOCK_BYTES);
  self->fd = open (path, O_RDONLY | O_CLOEXEC);
  if (self->fd < 0 || io_uring_queue_init_params (MAX_DEPTH, &self->ring, &params) < 0)
    g_error ("no ring");
  g_source_set_can_recurse (&self->parent, TRUE);
  g_source_add_unix_fd (&self->parent, self->ring.ring_fd, G_IO_IN);
  g_source_attach (&self->parent, main_context);
  for (int i = 0; i < depth; i++)
    begin_source_read (self, i);
  while (to_end > 0)
    g_main_context_iteration (main_context, TRUE);
  io_uring_queue_exit (&self->ring);
  close (self->fd);
  g_free (self->buffers);
  g_source_destroy (&self->parent);
  g_source_unref (&self->parent);
}

/* GaioRequest. */

static void
on_request_end (GaioRequest *request, gpointer user_data)
{
  gsize n = 0;

  failed |= !gaio_request_get_result (request, &n, NULL) || n != BLOCK_BYTES;
  to_end--;
  if (to_begin > 0)
    {
      to_begin--;
      gaio_request_read (request, random_offset (), BLOCK_BYTES);
    }
}

static void
run_requests (GaioContext *context, GMainContext *main_context)
{
  GaioFile *file = gaio_file_new_for_path (context, path, "r", NULL);
  GaioRequest *requests[MAX_DEPTH];

  for (int i = 0; i < depth; i++)
    {
      requests[i] = gaio_request_new (file, on_request_end, NULL, NULL);
      to_begin--;
      gaio_request_read (requests[i], random_offset (), BLOCK_BYTES);
    }
  while (to_end > 0)
    if (main_context != NULL)
      g_main_context_iteration (main_context, TRUE);
    else
      gaio_context_poll (context, TRUE);
  for (int i = 0; i < depth; i++)
    gaio_request_unref (requests[i]);
  g_object_unref (file);
}

static void
run_request_poll (void)
{
  g_autoptr (GaioContext) context = gaio_context_new (NULL);

  run_requests (context, NULL);
}

static void
run_request_source (void)
{
  g_autoptr (GaioContext) context = gaio_context_new (NULL);
  g_autoptr (GMainContext) main_context = g_main_context_new ();

  gaio_context_attach (context, main_context);
  run_requests (context, main_context);
}

static void
run_request_drive (void)
{
  g_autoptr (GMainContext) main_context = g_main_context_new ();
  g_autoptr (GaioContext) context = gaio_context_new (NULL);

  gaio_context_drive (context, main_context, NULL);
  run_requests (context, main_context);
}

/* gaio_file_read_bytes_async(). */

static void
on_task_end (GObject *source, GAsyncResult *result, gpointer user_data)
{
  GaioFile *file = GAIO_FILE (source);
  GBytes *bytes = gaio_file_read_bytes_finish (file, result, NULL);

  failed |= bytes == NULL || g_bytes_get_size (bytes) != BLOCK_BYTES;
  g_clear_pointer (&bytes, g_bytes_unref);
  to_end--;
  if (to_begin > 0)
    {
      to_begin--;
      gaio_file_read_bytes_async (file,
                                  random_offset (),
                                  BLOCK_BYTES,
                                  G_PRIORITY_DEFAULT,
                                  NULL,
                                  on_task_end,
                                  NULL);
    }
}

static void
run_task (void)
{
  g_autoptr (GMainContext) main_context = g_main_context_new ();
  g_autoptr (GaioContext) context = gaio_context_new (NULL);
  GaioFile *file;

  gaio_context_attach (context, main_context);
  g_main_context_push_thread_default (main_context);
  file = gaio_file_new_for_path (context, path, "r", NULL);
  for (int i = 0; i < depth; i++)
    {
      to_begin--;
      gaio_file_read_bytes_async (file,
                                  random_offset (),
                                  BLOCK_BYTES,
                                  G_PRIORITY_DEFAULT,
                                  NULL,
                                  on_task_end,
                                  NULL);
    }
  while (to_end > 0)
    g_main_context_iteration (main_context, TRUE);
  g_object_unref (file);
  while (g_main_context_iteration (main_context, FALSE))
    ;
  g_main_context_pop_thread_default (main_context);
}

/* GIO: one stream for each read in flight. */

typedef struct
{
  GFileInputStream *stream;
  guint8 buffer[BLOCK_BYTES];
} Stream;

static void begin_stream_read (Stream *stream);

static void
on_stream_end (GObject *source, GAsyncResult *result, gpointer user_data)
{
  failed |=
      g_input_stream_read_finish (G_INPUT_STREAM (source), result, NULL) != BLOCK_BYTES;
  to_end--;
  if (to_begin > 0)
    begin_stream_read (user_data);
}

static void
begin_stream_read (Stream *stream)
{
  to_begin--;
  g_seekable_seek (G_SEEKABLE (stream->stream), random_offset (), G_SEEK_SET, NULL, NULL);
  g_input_stream_read_async (G_INPUT_STREAM (stream->stream),
                             stream->buffer,
                             BLOCK_BYTES,
                             G_PRIORITY_DEFAULT,
                             NULL,
                             on_stream_end,
                             stream);
}

static void
run_gio (void)
{
  g_autoptr (GFile) file = g_file_new_for_path (path);
  g_autofree Stream *streams = g_new0 (Stream, depth);

  for (int i = 0; i < depth; i++)
    {
      streams[i].stream = g_file_read (file, NULL, NULL);
      begin_stream_read (&streams[i]);
    }
  while (to_end > 0)
    g_main_context_iteration (NULL, TRUE);
  for (int i = 0; i < depth; i++)
    g_object_unref (streams[i].stream);
}

static const struct
{
  const char *name;
  void (*run) (void);
  int divisor; /* fewer operations for who is slower */
} contestants[] = {
  { "raw io_uring, same flags", run_raw_same, 1 },
  { "raw io_uring, no flags", run_raw_plain, 1 },
  { "the smallest GSource", run_ring_source, 1 },
  { "gaio request, poll", run_request_poll, 1 },
  { "gaio request, GMainContext", run_request_source, 1 },
  { "gaio request, driven", run_request_drive, 1 },
  { "gaio task, GMainContext", run_task, 1 },
  { "gio", run_gio, 10 },
};

static int
compare_doubles (const void *a, const void *b)
{
  double x = *(const double *) a;
  double y = *(const double *) b;

  return (x > y) - (x < y);
}

static void
make_file (void)
{
  g_autofree char *block = g_malloc0 (1024 * 1024);
  int fd = g_file_open_tmp ("gaio-bench-XXXXXX", &path, NULL);

  for (int i = 0; i < FILE_BYTES / (1024 * 1024); i++)
    if (write (fd, block, 1024 * 1024) != 1024 * 1024)
      g_error ("no room for %s", path);
  close (fd);
}

int
main (int argc, char **argv)
{
  static const int depths[] = { 1, 32, 128 };
  int n_ops = 100000;
  int n_rounds = 5;
  int only_depth = 0;
  g_autofree char *only = NULL;
  const GOptionEntry options[] = {
    { "ops", 0, 0, G_OPTION_ARG_INT, &n_ops, "Reads in each round", "N" },
    { "rounds", 0, 0, G_OPTION_ARG_INT, &n_rounds, "Rounds", "N" },
    { "depth", 0, 0, G_OPTION_ARG_INT, &only_depth, "Only this many in flight", "N" },
    { "only", 0, 0, G_OPTION_ARG_STRING, &only, "Only contestants with this in the name", "NAME" },
    { NULL }
  };
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_autoptr (GError) error = NULL;

  g_option_context_add_main_entries (context, options, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error))
    g_error ("%s", error->message);
  make_file ();

  for (guint d = 0; d < G_N_ELEMENTS (depths); d++)
    {
      double rates[G_N_ELEMENTS (contestants)][64];
      double reference = 0;

      depth = depths[d];
      if (only_depth != 0)
        {
          depth = CLAMP (only_depth, 1, MAX_DEPTH);
          d = G_N_ELEMENTS (depths);
        }
      for (int round = 0; round < MIN (n_rounds, 64); round++)
        for (guint i = 0; i < G_N_ELEMENTS (contestants); i++)
          {
            int ops = MAX (n_ops / contestants[i].divisor, depth);
            gint64 begin = g_get_monotonic_time ();

            if (only != NULL && strstr (contestants[i].name, only) == NULL)
              continue;
            to_begin = to_end = ops;
            failed = FALSE;
            contestants[i].run ();
            rates[i][round] =
                failed ? 0 : ops * 1e6 / (double) (g_get_monotonic_time () - begin);
          }
      g_print ("%d in flight:\n", depth);
      for (guint i = 0; i < G_N_ELEMENTS (contestants); i++)
        {
          double median;

          if (only != NULL && strstr (contestants[i].name, only) == NULL)
            continue;
          qsort (rates[i], MIN (n_rounds, 64), sizeof (double), compare_doubles);
          median = rates[i][MIN (n_rounds, 64) / 2];
          if (reference == 0)
            reference = median;
          g_print ("  %-28s %8.0f reads/s  %.3f\n",
                   contestants[i].name,
                   median,
                   reference > 0 ? median / reference : 0);
        }
    }
  unlink (path);
  g_free (path);
  return 0;
}
