/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The reader between a file and a streaming thread.
 *
 *   streaming thread                       I/O thread (home of the file's context)
 *   ----------------                       ---------------------------------------
 *   wait: which run is it in?
 *         begin a read of what is missing >
 *         begin reads of what comes next  >
 *         wait until what is wanted        done: the block has its bytes,
 *         is there                       <       wake up who waits
 *   share or copy
 *
 * The streaming thread makes no system call on the file. It waits on a condition variable,
 * and gst_gaio_reader_interrupt() gets it out of that whatever the disk does.
 *
 * A demuxer may read in several places by turns, and goes back a little now and then; so there are
 * a few runs, each with a window of its own, and what was wanted lately stays for a while. The
 * windows of all together are as large as read_ahead says.
 *
 * What is read ahead can be wrong by the time it is wanted: the file grew, or the disk is well
 * again. So neither the end of the file nor an error is believed until a read says so that was
 * begun when the byte was wanted. Such a read asks for exactly what is wanted, in the end, so that
 * a bad sector behind it does no harm.
 *
 * A read that nobody wants any more is cancelled and left alone. It keeps the reader, its file and
 * the I/O thread until it ends, so a disk that hangs holds these and nobody else. The file is
 * closed by a worker of the thread pool, since close(2) may hang there just as well; so may
 * fstat(2).
 *
 * The reader does not know of GStreamer's states, events and messages; the source does. */

#include <string.h>
#include <sys/stat.h>

#include "gstgaioreader.h"
#include "gstgaiorun.h"

#define MAX_RUNS 4

/* Reads of what is wanted end at a multiple of this, which is the least that a disk does. */
#define PAGE_BYTES 4096

/* Of what was wanted lately this part of read_ahead stays. */
#define BEHIND_DIVISOR 4

/* What is given by reference keeps all that came with it alive, so it must be some part of it. */
#define MIN_SHARE_BYTES 4096
#define SHARE_DIVISOR 16

/* Buffers of read_size bytes that are used again: what the window takes, and what is being used. */
#define MAX_POOLED 16
#define MORE_POOLED 4

struct _GstGaioReader
{
  /* immutable */
  GaioFile *file;
  GstGaioReaderKind kind;
  GstGaioLoop *loop;

  gint refs; /* (atomic) the owner's, one for each read, one for each job */

  GMutex lock;
  GCond cond;

  /* under lock */
  guint64 read_ahead;
  gsize read_size;
  GstGaioRun *runs[MAX_RUNS]; /* NULL: unused; the streaming thread alone adds and removes them */
  GstGaioRun *run;            /* that of the last wait() */
  guint64 call;               /* the number of wait()s */
  guint64 unwanted;           /* bytes on their way that nobody wants any more */
  guint64 length;
  guint64 length_asked; /* how often it was asked for, and */
  guint64 length_told;  /* the last of these questions that was answered */
  bool length_coming;   /* a job is on its way to find it out */
  bool is_stale;        /* it became shorter: what was read may not be there any more */
  bool interrupted;
  bool waiting;
  guint n_busy;  /* reads and jobs on the file */
  bool has_pool; /* or will have */
  bool closing;
  bool closed;
  GstGaioReaderStats stats;
};

GstGaioReader *
gst_gaio_reader_ref (GstGaioReader *self)
{
  g_atomic_int_inc (&self->refs);
  return self;
}

void
gst_gaio_reader_unref (GstGaioReader *self)
{
  if (!g_atomic_int_dec_and_test (&self->refs))
    return;
  g_object_unref (self->file);
  gst_gaio_loop_unref (self->loop);
  g_mutex_clear (&self->lock);
  g_cond_clear (&self->cond);
  g_free (self);
}

/* What a worker does. */

static void
job_done (gboolean cancelled, gpointer user_data)
{
  gst_gaio_reader_unref (user_data);
}

static void
submit_job (GstGaioReader *self, GaioJobFunc func)
{
  g_atomic_int_inc (&self->refs);
  gaio_thread_pool_submit (gst_gaio_loop_get_pool (self->loop), gaio_file_get_context (self->file),
                           func, job_done, self, NULL);
}

static void
run_close (gpointer user_data)
{
  GstGaioReader *self = user_data;

  /* It was read only: there is nothing that could be lost. */
  gaio_file_close (self->file, NULL, NULL);
  g_mutex_lock (&self->lock);
  self->closed = true;
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
}

/* The last one closes the file. */
static void
end_busy_locked (GstGaioReader *self)
{
  self->n_busy--;
  if (self->n_busy == 0 && self->closing)
    submit_job (self, run_close);
}

static void
run_get_length (gpointer user_data)
{
  GstGaioReader *self = user_data;
  guint64 asked;
  struct stat st;
  int result;

  g_mutex_lock (&self->lock);
  asked = self->length_asked;
  g_mutex_unlock (&self->lock);

  result = fstat (gaio_file_get_fd (self->file), &st);

  g_mutex_lock (&self->lock);
  if (result == 0)
    {
      self->is_stale = self->is_stale || (guint64) st.st_size < self->length;
      self->length = st.st_size;
    }
  self->length_told = asked;
  self->length_coming = false;
  g_cond_broadcast (&self->cond);
  end_busy_locked (self);
  g_mutex_unlock (&self->lock);
}

/* Blocks. */

/* One that is in no run any more. */
static void
drop_block_locked (GstGaioReader *self, GstGaioBlock *block)
{
  if (block->memory == NULL)
    {
      self->unwanted += block->length;
      return;
    }
  self->stats.thrown += block->length - block->used;
  self->stats.level -= block->length;
  gst_gaio_block_free (block);
}

/* The same, and tells the system, which may have begun it or not. */
static void
cancel_block_locked (GstGaioReader *self, GstGaioBlock *block)
{
  if (block->memory == NULL)
    gaio_request_cancel (block->request);
  drop_block_locked (self, block);
}

/* A read has brought less than it was to, which is the end of its run for now: what comes behind is
 * not wanted there. */
static void
cut_locked (GstGaioReader *self, GstGaioBlock *block, guint64 intended_end, GError *error)
{
  GstGaioRun *run = block->run;
  guint64 end = block->offset + block->length;
  guint64 call = block->call;
  GstGaioBlock *last;

  /* The block itself is among them when nothing came. */
  while ((last = gst_gaio_run_pop_from (run, end)) != NULL)
    drop_block_locked (self, last);
  gst_gaio_run_cut (run, end, error != NULL ? intended_end : end, call, error);
}

/* The I/O thread. */
static void
read_done (GaioRequest *request, gpointer user_data)
{
  static char nothing[1];
  GstGaioBlock *block = user_data;
  GstGaioReader *self = block->reader;
  g_autoptr (GError) error = NULL;
  gsize asked = block->length;
  gsize n = 0;
  GstMemory *memory;
  gpointer data;
  GBytes *bytes;
  bool ok;

  ok = gaio_request_get_result (request, &n, &error);
  bytes = gaio_request_steal_bytes (request);
  n = ok ? g_bytes_get_size (bytes) : 0;
  data = n > 0 ? (gpointer) g_bytes_get_data (bytes, NULL) : nothing;
  memory = gst_memory_new_wrapped (GST_MEMORY_FLAG_READONLY, data, n, 0, n, bytes,
                                   (GDestroyNotify) g_bytes_unref);

  g_mutex_lock (&self->lock);
  g_clear_pointer (&block->request, gaio_request_unref);
  block->memory = memory;
  block->length = n;
  self->stats.read += n;
  self->stats.level -= asked - n;
  if (block->run == NULL)
    {
      self->unwanted -= asked;
      drop_block_locked (self, block);
    }
  else if (self->kind == GST_GAIO_READER_STREAM && n > 0)
    block->run->end = block->offset + n; /* that is what there was; more may come */
  else if (n < asked)
    cut_locked (self, block, block->offset + asked, g_steal_pointer (&error));
  if (self->waiting)
    g_cond_broadcast (&self->cond);
  end_busy_locked (self);
  g_mutex_unlock (&self->lock);
  gst_gaio_reader_unref (self);
}

/* The home thread. */
static void
set_buffer_pool (gpointer user_data)
{
  GstGaioReader *self = user_data;
  g_autoptr (GaioBufferPool) pool = NULL;
  guint64 read_ahead;
  gsize read_size;

  g_mutex_lock (&self->lock);
  read_ahead = self->read_ahead;
  read_size = self->read_size;
  g_mutex_unlock (&self->lock);
  pool = gaio_buffer_pool_new (read_size, MIN (read_ahead / read_size, MAX_POOLED) + MORE_POOLED);
  gaio_file_set_buffer_pool (self->file, pool);
}

/* Large pieces of memory that are used once cost more than what is read into them: the kernel has
 * to make and clear each page. A pool is worth its while when a run has come to its full window. */
static void
use_pool_locked (GstGaioReader *self)
{
  if (self->has_pool)
    return;
  self->has_pool = true;
  gaio_context_invoke (gaio_file_get_context (self->file), set_buffer_pool,
                       gst_gaio_reader_ref (self), (GDestroyNotify) gst_gaio_reader_unref);
}

static void
begin_read_locked (GstGaioReader *self, GstGaioRun *run, gsize length)
{
  GstGaioBlock *block = g_new0 (GstGaioBlock, 1);

  block->reader = self;
  block->offset = run->end;
  block->length = length;
  block->call = self->call;
  block->request = gaio_request_new (self->file, read_done, block, NULL);
  gst_gaio_run_append (run, block);
  gst_gaio_reader_ref (self);
  self->n_busy++;
  self->stats.reads++;
  self->stats.level += length;
  gaio_request_read (block->request, (goffset) block->offset, length);
}

/* Runs: all in the streaming thread. */

static void
end_run_locked (GstGaioReader *self, GstGaioRun **run)
{
  GstGaioBlock *block;

  while ((block = gst_gaio_run_pop_before (*run, G_MAXUINT64)) != NULL)
    cancel_block_locked (self, block);
  g_clear_pointer (run, gst_gaio_run_free);
}

/* The run that `offset` is in; else a new one, in the place of the one not used for longest. */
static GstGaioRun *
choose_run_locked (GstGaioReader *self, guint64 offset)
{
  GstGaioRun **oldest = &self->runs[0];

  for (guint i = 0; i < MAX_RUNS; i++)
    if (self->runs[i] != NULL && gst_gaio_run_has (self->runs[i], offset) &&
        offset < self->runs[i]->end)
      return self->runs[i];
  for (guint i = 0; i < MAX_RUNS; i++)
    if (self->runs[i] != NULL && gst_gaio_run_has (self->runs[i], offset))
      return self->runs[i];
  for (guint i = 0; i < MAX_RUNS && *oldest != NULL; i++)
    if (self->runs[i] == NULL || self->runs[i]->last_call < (*oldest)->last_call)
      oldest = &self->runs[i];
  if (*oldest != NULL)
    end_run_locked (self, oldest);
  *oldest = gst_gaio_run_new (offset);
  return *oldest;
}

static void
end_runs_locked (GstGaioReader *self)
{
  for (guint i = 0; i < MAX_RUNS; i++)
    if (self->runs[i] != NULL)
      end_run_locked (self, &self->runs[i]);
}

/* Drops what lies too far behind. */
static void
trim_locked (GstGaioReader *self, GstGaioRun *run, guint64 offset, bool in_order)
{
  guint64 keep = in_order ? 0 : self->read_ahead / BEHIND_DIVISOR;
  guint64 limit = run->head > keep ? MIN (run->head - keep, offset) : 0;
  GstGaioBlock *block;

  while ((block = gst_gaio_run_pop_before (run, limit)) != NULL)
    cancel_block_locked (self, block);
}

static guint64
get_limit_locked (GstGaioReader *self)
{
  guint n = 0;

  if (self->kind == GST_GAIO_READER_STREAM || self->unwanted >= self->read_ahead)
    return 0;
  for (guint i = 0; i < MAX_RUNS; i++)
    n += self->runs[i] != NULL && self->runs[i]->window > 0;
  return self->read_ahead / MAX (n, 1);
}

/* Begins to read what is likely to be wanted next. When that is `size` bytes each time, each of
 * them will be in one piece. */
static void
read_ahead_locked (GstGaioReader *self, GstGaioRun *run, gsize size)
{
  guint64 limit = get_limit_locked (self);
  gsize most = MAX (self->read_size, size);
  guint64 ahead;

  if (size > limit)
    return;
  ahead = gst_gaio_run_get_ahead (run, limit);
  if (run->window == self->read_ahead && run->window > self->read_size)
    use_pool_locked (self);
  ahead = (ahead + size - 1) / size * size;
  if (self->kind == GST_GAIO_READER_FILE)
    ahead = MIN (ahead, self->length > run->end ? self->length - run->end : 0);
  while (ahead > 0)
    {
      gsize n = MIN (ahead, most - most % size);

      begin_read_locked (self, run, n);
      ahead -= n;
    }
}

/* Begins to read what is wanted now; not exactly: and what is on the same page. What comes next is
 * read anyway when it goes on. */
static void
read_wanted_locked (GstGaioReader *self, GstGaioRun *run, gsize size, bool exactly)
{
  guint64 end = run->end + size;

  if (!exactly && self->kind != GST_GAIO_READER_STREAM && self->read_ahead > 0)
    {
      end = (end + PAGE_BYTES - 1) & ~(guint64) (PAGE_BYTES - 1);
      if (self->kind == GST_GAIO_READER_FILE)
        end = MAX (run->end + size, MIN (end, self->length));
    }
  begin_read_locked (self, run, end - run->end);
}

/* Waits for the condition variable; what is there then is to be looked at again. */
static void
wait_locked (GstGaioReader *self)
{
  gint64 since_us = g_get_monotonic_time ();

  self->waiting = true;
  g_cond_wait (&self->cond, &self->lock);
  self->waiting = false;
  self->stats.waited_ns += (guint64) (g_get_monotonic_time () - since_us) * 1000;
}

/* Brings what is wanted of `run`. `pos` is how far it came. */
static GstGaioReaderResult
fetch_locked (GstGaioReader *self,
              GstGaioRun *run,
              guint64 offset,
              gsize size,
              bool goes_on,
              guint64 *pos,
              GError **error)
{
  guint64 end = offset + size;
  bool has_waited = false;
  bool has_missed = false;
  bool has_gone_on = false;

  for (;;)
    {
      GstGaioBlock *coming;

      *pos = gst_gaio_run_find (run, offset, end, &coming);
      if (*pos < end && coming == NULL)
        {
          bool is_cut = run->cut_call == self->call && run->cut_at == *pos;

          if (is_cut && run->cut_error == NULL)
            return GST_GAIO_READER_OK;
          if (is_cut && run->hold_until <= end)
            {
              g_propagate_error (error, g_error_copy (run->cut_error));
              return GST_GAIO_READER_FAILED;
            }
          if (self->interrupted)
            return GST_GAIO_READER_INTERRUPTED;
          self->stats.misses += !has_missed;
          has_missed = true;
          read_wanted_locked (self, run, end - *pos, is_cut || goes_on);
        }
      if (goes_on && !has_gone_on)
        read_ahead_locked (self, run, size);
      has_gone_on = true;
      if (*pos == end)
        {
          self->stats.hits += !has_missed && !has_waited;
          return GST_GAIO_READER_OK;
        }
      if (self->interrupted)
        return GST_GAIO_READER_INTERRUPTED;
      self->stats.waits += !has_waited;
      has_waited = true;
      wait_locked (self);
    }
}

GstGaioReaderResult
gst_gaio_reader_wait (
    GstGaioReader *self, guint64 offset, gsize size, gboolean in_order, gsize *n, GError **error)
{
  GstGaioReaderResult result;
  GstGaioRun *run;
  bool goes_on;
  guint64 pos;

  *n = 0;
  if (size == 0)
    return GST_GAIO_READER_OK;

  g_mutex_lock (&self->lock);
  self->call++;
  if (self->is_stale)
    end_runs_locked (self);
  self->is_stale = false;
  run = choose_run_locked (self, offset);
  self->run = run;
  goes_on = in_order || offset == 0 || (run->last_call > 0 && offset + size > run->head);
  run->last_call = self->call;
  trim_locked (self, run, offset, in_order);
  run->head = MAX (run->head, offset + size);
  result = fetch_locked (self, run, offset, size, goes_on, &pos, error);
  g_mutex_unlock (&self->lock);
  *n = pos - offset;
  return result;
}

GstMemory *
gst_gaio_reader_share (GstGaioReader *self, guint64 offset, gsize size)
{
  GstMemory *shared = NULL;
  GstGaioBlock *block;

  if (size < MIN_SHARE_BYTES)
    return NULL;
  g_mutex_lock (&self->lock);
  block = gst_gaio_run_get (self->run, offset);
  if (offset + size <= block->offset + block->length && size >= block->length / SHARE_DIVISOR)
    {
      shared = gst_memory_share (block->memory, offset - block->offset, size);
      gst_gaio_block_use (block, offset, size);
      self->stats.used += size;
    }
  g_mutex_unlock (&self->lock);
  return shared;
}

void
gst_gaio_reader_copy (GstGaioReader *self, guint64 offset, gsize size, guint8 *data)
{
  while (size > 0)
    {
      g_autoptr (GstMemory) memory = NULL;
      GstGaioBlock *block;
      GstMapInfo map;
      gsize skip;
      gsize n;

      g_mutex_lock (&self->lock);
      block = gst_gaio_run_get (self->run, offset);
      skip = offset - block->offset;
      n = MIN (size, block->length - skip);
      memory = gst_memory_ref (block->memory);
      gst_gaio_block_use (block, offset, n);
      self->stats.used += n;
      g_mutex_unlock (&self->lock);

      /* It is plain memory that can be read. */
      gst_memory_map (memory, &map, GST_MAP_READ);
      memcpy (data, map.data + skip, n);
      gst_memory_unmap (memory, &map);
      data += n;
      offset += n;
      size -= n;
    }
}

guint64
gst_gaio_reader_get_length (GstGaioReader *self, gint64 timeout_us)
{
  gint64 until_us = timeout_us < 0 ? G_MAXINT64 : g_get_monotonic_time () + timeout_us;
  guint64 asked;
  guint64 length;

  g_mutex_lock (&self->lock);
  asked = ++self->length_asked;
  while (self->length_told < asked && !self->interrupted && !self->closing)
    {
      if (!self->length_coming)
        {
          self->length_coming = true;
          self->n_busy++;
          submit_job (self, run_get_length);
        }
      if (timeout_us < 0)
        g_cond_wait (&self->cond, &self->lock);
      else if (!g_cond_wait_until (&self->cond, &self->lock, until_us))
        break;
    }
  length = self->length;
  g_mutex_unlock (&self->lock);
  return length;
}

void
gst_gaio_reader_interrupt (GstGaioReader *self)
{
  g_mutex_lock (&self->lock);
  self->interrupted = true;
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
}

void
gst_gaio_reader_resume (GstGaioReader *self)
{
  g_mutex_lock (&self->lock);
  self->interrupted = false;
  g_mutex_unlock (&self->lock);
}

void
gst_gaio_reader_set_sizes (GstGaioReader *self, guint64 read_ahead, gsize read_size)
{
  g_mutex_lock (&self->lock);
  self->read_ahead = read_ahead;
  self->read_size = read_size;
  g_mutex_unlock (&self->lock);
}

void
gst_gaio_reader_get_stats (GstGaioReader *self, GstGaioReaderStats *stats)
{
  g_mutex_lock (&self->lock);
  *stats = self->stats;
  g_mutex_unlock (&self->lock);
}

GstGaioReader *
gst_gaio_reader_new (GaioFile *file, GstGaioReaderKind kind, guint64 length, GstGaioLoop *loop)
{
  GstGaioReader *self = g_new0 (GstGaioReader, 1);

  self->file = g_object_ref (file);
  self->kind = kind;
  self->length = length;
  self->loop = loop;
  self->refs = 1;
  g_mutex_init (&self->lock);
  g_cond_init (&self->cond);
  return self;
}

void
gst_gaio_reader_close (GstGaioReader *self, gint64 timeout_us)
{
  gint64 until_us = g_get_monotonic_time () + timeout_us;

  g_mutex_lock (&self->lock);
  end_runs_locked (self);
  self->closing = true;
  g_cond_broadcast (&self->cond); /* whoever asks for the length */
  if (self->n_busy == 0)
    submit_job (self, run_close);
  while (!self->closed && g_cond_wait_until (&self->cond, &self->lock, until_us))
    ;
  g_mutex_unlock (&self->lock);
}
