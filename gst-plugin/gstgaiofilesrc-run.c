/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the element does: states, data, queries and messages. How the bytes come from the file is in
 * gstgaioreader.c.
 *
 * start() opens the file, in the thread that changes the state, because it must be able to fail
 * there. From then on this file makes no system call on it: reads, the file's length and the close
 * are the reader's, which waits for none of them longer than somebody lets it.
 *
 * The base class asks for the file's length when something at its end is wanted, so a file that
 * grows is read as far as it goes then. Told that the size is dynamic it would ask before each
 * buffer, which is dear where somebody else has to be asked; what that is good for otherwise, a
 * fresh duration, the query has its own way to.
 *
 * Lock order: the object lock, then the reader's. Neither is held while a message is posted. */

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gstgaioerror.h"
#include "gstgaiofilesrc-private.h"

/* How long the end waits for what is under way, so that usually the file is closed when the state
 * is NULL; and how long a query waits for a length. */
#define CLOSE_TIMEOUT_US (200 * G_GINT64_CONSTANT (1000))
#define LENGTH_TIMEOUT_US (100 * G_GINT64_CONSTANT (1000))

static gpointer parent_class;

/* Statistics */

static GstStructure *
stats_new (GstGaioFileSrc *self)
{
  GstStructure *structure =
      gst_gaio_loop_make_stats (gaio_file_get_context (self->file), "gaiofilesrc-stats");
  GstGaioReaderStats stats;

  gst_gaio_reader_get_stats (self->reader, &stats);
  gst_structure_set (structure, "bytes-read", G_TYPE_UINT64, stats.read, "bytes-used",
                     G_TYPE_UINT64, stats.used, "bytes-thrown-away", G_TYPE_UINT64, stats.thrown,
                     "level-bytes", G_TYPE_UINT64, stats.level, "reads", G_TYPE_UINT64, stats.reads,
                     "hits", G_TYPE_UINT64, stats.hits, "misses", G_TYPE_UINT64, stats.misses,
                     "waits", G_TYPE_UINT64, stats.waits, "waited-ns", G_TYPE_UINT64,
                     stats.waited_ns, NULL);
  return structure;
}

GstStructure *
gst_gaio_file_src_get_stats (GstGaioFileSrc *self)
{
  GstStructure *stats;

  GST_OBJECT_LOCK (self);
  if (self->reader != NULL)
    stats = stats_new (self);
  else if (self->last_stats != NULL)
    stats = gst_structure_copy (self->last_stats);
  else
    stats = gst_structure_new_empty ("gaiofilesrc-stats");
  GST_OBJECT_UNLOCK (self);
  return stats;
}

static void
post_stats (GstGaioFileSrc *self)
{
  if (!atomic_exchange (&self->stats_due, false))
    return;
  gst_element_post_message (
      GST_ELEMENT (self),
      gst_message_new_element (GST_OBJECT (self), gst_gaio_file_src_get_stats (self)));
}

/* The base class ends the stream in many places. */
static GstPadProbeReturn
see_event (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  if (GST_EVENT_TYPE (GST_PAD_PROBE_INFO_EVENT (info)) == GST_EVENT_EOS)
    post_stats (user_data);
  return GST_PAD_PROBE_OK;
}

void
gst_gaio_file_src_watch_end (GstGaioFileSrc *self)
{
  gst_pad_add_probe (GST_BASE_SRC_PAD (self),
                     GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM,
                     see_event,
                     self,
                     NULL);
}

/* States */

static void
post_open_error (GstGaioFileSrc *self, const char *shown, int errnum, const char *reason)
{
  if (errnum == ENOENT)
    gst_gaio_post_error (self, GST_RESOURCE_ERROR_NOT_FOUND, NULL,
                         g_strdup_printf ("No such file \"%s\"", shown), errnum, 0);
  else
    gst_gaio_post_error (self, GST_RESOURCE_ERROR_OPEN_READ,
                         g_strdup_printf ("Could not open file \"%s\" for reading.", shown),
                         g_strdup_printf ("system error: %s", reason), errnum, 0);
}

/* -1: it cannot be opened. A FIFO is opened at once: whoever waits for its writer here cannot be
 * got out of that, but the first read, which does so then, can be. */
static int
open_retrying (const char *location)
{
  struct stat st;
  bool is_fifo = stat (location, &st) == 0 && S_ISFIFO (st.st_mode);
  int fd;

  do
    fd = open (location, O_RDONLY | O_CLOEXEC | (is_fifo ? O_NONBLOCK : 0));
  while (fd < 0 && errno == EINTR);
  /* One that does not block would tell at once of the end that there is before a writer. */
  if (fd >= 0 && is_fifo)
    fcntl (fd, F_SETFL, O_RDONLY);
  return fd;
}

/* Opens a file that can be read; -1: there is none, and it was posted why. */
static int
open_fd (GstGaioFileSrc *self, const char *location, struct stat *st)
{
  g_autofree char *shown = g_filename_display_name (location);
  int fd = open_retrying (location);

  if (fd < 0)
    {
      post_open_error (self, shown, errno, g_strerror (errno));
      return -1;
    }
  if (fstat (fd, st) < 0)
    gst_gaio_post_error (self, GST_RESOURCE_ERROR_OPEN_READ,
                         g_strdup_printf ("Could not get info on \"%s\".", shown),
                         g_strdup_printf ("system error: %s", g_strerror (errno)), errno, 0);
  else if (S_ISDIR (st->st_mode))
    gst_gaio_post_error (self, GST_RESOURCE_ERROR_OPEN_READ,
                         g_strdup_printf ("\"%s\" is a directory.", shown), NULL, EISDIR, 0);
  else
    return fd;
  close (fd);
  return -1;
}

/* What the kernel makes up as it is read, as in /proc, may be a regular file without an end that
 * one could go to. */
static gboolean
has_end (int fd, const struct stat *st)
{
  return st->st_size > 0 || (lseek (fd, 0, SEEK_END) >= 0 && lseek (fd, 0, SEEK_SET) == 0);
}

static void
make_reader (GstGaioFileSrc *self, const struct stat *st, GstGaioLoop *loop)
{
  GstGaioReaderKind kind = GST_GAIO_READER_STREAM;

  self->seekable = S_ISREG (st->st_mode) && gaio_file_is_seekable (self->file) &&
                   has_end (gaio_file_get_fd (self->file), st);
  if (self->seekable)
    kind = GST_GAIO_READER_FILE;
  else if (S_ISBLK (st->st_mode))
    kind = GST_GAIO_READER_DEVICE;

  GST_OBJECT_LOCK (self);
  self->reader = gst_gaio_reader_new (self->file, kind, st->st_size, loop);
  gst_gaio_reader_set_sizes (self->reader, self->read_ahead, self->read_size);
  GST_OBJECT_UNLOCK (self);
}

static gboolean
gst_gaio_file_src_start (GstBaseSrc *src)
{
  GstGaioFileSrc *self = GST_GAIO_FILE_SRC (src);
  g_autoptr (GError) error = NULL;
  g_autofree char *location = NULL;
  GstGaioLoop *loop;
  struct stat st;
  int fd;

  GST_OBJECT_LOCK (self);
  location = g_strdup (self->location);
  GST_OBJECT_UNLOCK (self);
  if (location == NULL || *location == '\0')
    {
      gst_gaio_post_error (self, GST_RESOURCE_ERROR_NOT_FOUND,
                           g_strdup ("No file name specified for reading."),
                           g_strdup ("the location property is not set"), ENOENT, 0);
      return FALSE;
    }

  fd = open_fd (self, location, &st);
  if (fd < 0)
    return FALSE;
  loop = gst_gaio_loop_acquire (NULL, GAIO_ENGINE_AUTO, fd, &error);
  if (loop != NULL)
    self->file = gaio_file_new_for_fd (gst_gaio_loop_get_context (loop), fd, location, &error);
  if (self->file == NULL)
    {
      g_autofree char *shown = g_filename_display_name (location);

      close (fd);
      g_clear_pointer (&loop, gst_gaio_loop_unref);
      post_open_error (self, shown, gaio_error_get_errno (error), error->message);
      return FALSE;
    }

  make_reader (self, &st, loop);
  self->length_known = TRUE;
  self->next = 0;
  self->may_share = TRUE;
  self->align = 0;
  atomic_store (&self->stats_due, false);
  GST_INFO_OBJECT (self, "opened %s, can seek: %d", location, self->seekable);
  return TRUE;
}

static gboolean
gst_gaio_file_src_stop (GstBaseSrc *src)
{
  GstGaioFileSrc *self = GST_GAIO_FILE_SRC (src);
  GstGaioReader *reader;

  post_stats (self);
  GST_OBJECT_LOCK (self);
  g_clear_pointer (&self->last_stats, gst_structure_free);
  self->last_stats = stats_new (self);
  reader = g_steal_pointer (&self->reader);
  g_clear_object (&self->file);
  GST_OBJECT_UNLOCK (self);
  GST_INFO_OBJECT (self, "closing: %" GST_PTR_FORMAT, self->last_stats);

  gst_gaio_reader_close (reader, CLOSE_TIMEOUT_US);
  gst_gaio_reader_unref (reader);
  return TRUE;
}

static gboolean
gst_gaio_file_src_unlock (GstBaseSrc *src)
{
  GstGaioFileSrc *self = GST_GAIO_FILE_SRC (src);

  GST_OBJECT_LOCK (self);
  if (self->reader != NULL)
    gst_gaio_reader_interrupt (self->reader);
  GST_OBJECT_UNLOCK (self);
  return TRUE;
}

static gboolean
gst_gaio_file_src_unlock_stop (GstBaseSrc *src)
{
  GstGaioFileSrc *self = GST_GAIO_FILE_SRC (src);

  GST_OBJECT_LOCK (self);
  if (self->reader != NULL)
    gst_gaio_reader_resume (self->reader);
  GST_OBJECT_UNLOCK (self);
  return TRUE;
}

/* Data */

/* Downstream may want memory of a kind of its own: then it gets copies in that. */
static gboolean
gst_gaio_file_src_decide_allocation (GstBaseSrc *src, GstQuery *query)
{
  GstGaioFileSrc *self = GST_GAIO_FILE_SRC (src);
  g_autoptr (GstAllocator) allocator = NULL;
  g_autoptr (GstBufferPool) pool = NULL;
  GstAllocationParams params;

  if (!GST_BASE_SRC_CLASS (parent_class)->decide_allocation (src, query))
    return FALSE;
  gst_allocation_params_init (&params);
  if (gst_query_get_n_allocation_params (query) > 0)
    gst_query_parse_nth_allocation_param (query, 0, &allocator, &params);
  if (gst_query_get_n_allocation_pools (query) > 0)
    gst_query_parse_nth_allocation_pool (query, 0, &pool, NULL, NULL, NULL);
  self->may_share = allocator == NULL && pool == NULL && params.prefix == 0 && params.padding == 0;
  self->align = params.align;
  return TRUE;
}

/* Waits for what is wanted. GST_FLOW_OK: there are `n` bytes of it, one at least unless none was
 * wanted. */
static GstFlowReturn
wait_for (GstGaioFileSrc *self, guint64 offset, guint size, gsize *n)
{
  gboolean in_order = GST_PAD_MODE (GST_BASE_SRC_PAD (self)) == GST_PAD_MODE_PUSH;
  g_autoptr (GError) error = NULL;

  switch (gst_gaio_reader_wait (self->reader, offset, size, in_order, n, &error))
    {
    case GST_GAIO_READER_OK:
      if (*n > 0 || size == 0)
        return GST_FLOW_OK;
      GST_DEBUG_OBJECT (self, "the file ends at %" G_GUINT64_FORMAT, offset);
      return GST_FLOW_EOS;

    case GST_GAIO_READER_INTERRUPTED:
      return GST_FLOW_FLUSHING;

    case GST_GAIO_READER_FAILED:
    default:
      gst_gaio_post_error (self, GST_RESOURCE_ERROR_READ, NULL, g_strdup (error->message),
                           gaio_error_get_errno (error), offset + *n);
      return GST_FLOW_ERROR;
    }
}

/* Fills `buffer`, which is large enough or not. */
static GstFlowReturn
fill (GstGaioFileSrc *self, guint64 offset, gsize *n, GstBuffer *buffer)
{
  GstMapInfo map;

  if (!gst_buffer_map (buffer, &map, GST_MAP_WRITE))
    {
      gst_gaio_post_error (self, GST_RESOURCE_ERROR_WRITE, NULL,
                           g_strdup ("cannot map the memory of a buffer for writing"), EFAULT,
                           offset);
      return GST_FLOW_ERROR;
    }
  *n = MIN (*n, map.size);
  gst_gaio_reader_copy (self->reader, offset, *n, map.data);
  gst_buffer_unmap (buffer, &map);
  gst_buffer_resize (buffer, 0, *n);
  return GST_FLOW_OK;
}

/* NULL: it has to be copied. */
static GstMemory *
share (GstGaioFileSrc *self, guint64 offset, gsize n)
{
  g_autoptr (GstMemory) memory = NULL;
  GstMapInfo map;
  gboolean fits;

  if (!self->may_share)
    return NULL;
  memory = gst_gaio_reader_share (self->reader, offset, n);
  if (memory == NULL || self->align == 0)
    return g_steal_pointer (&memory);
  if (!gst_memory_map (memory, &map, GST_MAP_READ))
    return NULL;
  fits = ((guintptr) map.data & self->align) == 0;
  gst_memory_unmap (memory, &map);
  return fits ? g_steal_pointer (&memory) : NULL;
}

/* A buffer with `n` bytes that are there. */
static GstFlowReturn
make_buffer (GstGaioFileSrc *self, guint64 offset, gsize *n, GstBuffer **buffer)
{
  GstBaseSrc *src = GST_BASE_SRC (self);
  GstMemory *memory = share (self, offset, *n);
  GstFlowReturn ret;

  if (memory != NULL)
    {
      *buffer = gst_buffer_new ();
      gst_buffer_append_memory (*buffer, memory);
      /* It was made so, and nobody has changed it. */
      GST_BUFFER_FLAG_UNSET (*buffer, GST_BUFFER_FLAG_TAG_MEMORY);
      return GST_FLOW_OK;
    }
  ret = GST_BASE_SRC_GET_CLASS (src)->alloc (src, offset, *n, buffer);
  if (ret != GST_FLOW_OK)
    return ret;
  ret = fill (self, offset, n, *buffer);
  if (ret != GST_FLOW_OK)
    gst_clear_buffer (buffer);
  return ret;
}

static GstFlowReturn
gst_gaio_file_src_create (GstBaseSrc *src, guint64 offset, guint size, GstBuffer **buffer)
{
  GstGaioFileSrc *self = GST_GAIO_FILE_SRC (src);
  GstFlowReturn ret;
  gsize n;

  if (offset == GST_BUFFER_OFFSET_NONE)
    offset = self->next;
  ret = wait_for (self, offset, size, &n);
  if (ret != GST_FLOW_OK)
    return ret;
  if (*buffer != NULL)
    ret = fill (self, offset, &n, *buffer);
  else
    ret = make_buffer (self, offset, &n, buffer);
  if (ret != GST_FLOW_OK)
    return ret;

  GST_BUFFER_OFFSET (*buffer) = offset;
  GST_BUFFER_OFFSET_END (*buffer) = offset + n;
  self->next = offset + n;
  atomic_store_explicit (&self->stats_due, true, memory_order_relaxed);
  return GST_FLOW_OK;
}

/* Queries */

static gboolean
gst_gaio_file_src_is_seekable (GstBaseSrc *src)
{
  return GST_GAIO_FILE_SRC (src)->seekable;
}

/* Called while the file is open: at the start, and by the streaming thread. */
static gboolean
gst_gaio_file_src_get_size (GstBaseSrc *src, guint64 *size)
{
  GstGaioFileSrc *self = GST_GAIO_FILE_SRC (src);

  if (!self->seekable)
    return FALSE;
  *size = gst_gaio_reader_get_length (self->reader, self->length_known ? 0 : -1);
  self->length_known = FALSE;
  return TRUE;
}

/* What the base class knows may be older than the file. */
static gboolean
query_length (GstGaioFileSrc *self, GstQuery *query)
{
  GstGaioReader *reader = NULL;
  guint64 length;

  GST_OBJECT_LOCK (self);
  if (self->reader != NULL && self->seekable)
    reader = gst_gaio_reader_ref (self->reader);
  GST_OBJECT_UNLOCK (self);
  if (reader == NULL)
    return FALSE;
  length = gst_gaio_reader_get_length (reader, LENGTH_TIMEOUT_US);
  gst_gaio_reader_unref (reader);
  gst_query_set_duration (query, GST_FORMAT_BYTES, (gint64) length);
  return TRUE;
}

static gboolean
gst_gaio_file_src_query (GstBaseSrc *src, GstQuery *query)
{
  GstFormat format = GST_FORMAT_UNDEFINED;

  if (GST_QUERY_TYPE (query) == GST_QUERY_DURATION)
    gst_query_parse_duration (query, &format, NULL);
  if (format == GST_FORMAT_BYTES && query_length (GST_GAIO_FILE_SRC (src), query))
    return TRUE;
  return GST_BASE_SRC_CLASS (parent_class)->query (src, query);
}

void
gst_gaio_file_src_run_class_init (GstGaioFileSrcClass *klass)
{
  GstBaseSrcClass *src_class = GST_BASE_SRC_CLASS (klass);

  parent_class = g_type_class_peek_parent (klass);

  src_class->start = gst_gaio_file_src_start;
  src_class->stop = gst_gaio_file_src_stop;
  src_class->unlock = gst_gaio_file_src_unlock;
  src_class->unlock_stop = gst_gaio_file_src_unlock_stop;
  src_class->decide_allocation = gst_gaio_file_src_decide_allocation;
  src_class->create = gst_gaio_file_src_create;
  src_class->is_seekable = gst_gaio_file_src_is_seekable;
  src_class->get_size = gst_gaio_file_src_get_size;
  src_class->query = gst_gaio_file_src_query;
}
