/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What gaiofilesink does when the disk cannot keep up, and what it says about it: the overflow
 * policies, stalls, an end that has to be given up, errors that may pass. */

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "gst-stall.h"

/* Takes the next element message of this name. */
static GstMessage *
wait_for_element_message (GstTestSink *t, const char *name)
{
  GstMessage *message = gst_test_wait_message (t->bus, GST_MESSAGE_ELEMENT);

  while (!gst_message_has_name (message, name))
    {
      gst_message_unref (message);
      message = gst_test_wait_message (t->bus, GST_MESSAGE_ELEMENT);
    }
  return message;
}

static guint64
get_number (GstMessage *message, const char *name)
{
  guint64 value = 0;

  g_assert_true (gst_structure_get_uint64 (gst_message_get_structure (message), name, &value));
  return value;
}

static gboolean
is_active (GstMessage *message)
{
  gboolean active = FALSE;

  g_assert_true (
      gst_structure_get_boolean (gst_message_get_structure (message), "active", &active));
  return active;
}

/* Fills the window of a FIFO with buffers of this size, until one is dropped; how many were not. */
static guint
fill (Fifo *fifo, gsize size)
{
  guint n = 0;

  while (gst_test_sink_stat (fifo->sink, "buffers-dropped") == 0)
    {
      guint8 next = fifo->sink->next;

      g_assert_cmpint (gst_test_sink_push (fifo->sink, size), ==, GST_FLOW_OK);
      if (gst_test_sink_stat (fifo->sink, "buffers-dropped") == 0)
        n++;
      else
        fifo->sink->next = next;
    }
  return n;
}

/* overflow=error */

static void
test_error (void)
{
  Fifo *fifo = fifo_new ();
  GstFlowReturn ret;
  guint64 accepted;

  g_object_set (fifo->sink->sink, "max-bytes", (guint64) 500 * 1000, NULL);
  gst_test_sink_set (fifo->sink, "overflow", "error");
  gst_test_sink_play (fifo->sink, GST_FORMAT_BYTES);
  do
    ret = gst_test_sink_push (fifo->sink, 10000);
  while (ret == GST_FLOW_OK);
  g_assert_cmpint (ret, ==, GST_FLOW_ERROR);
  g_assert_cmpint (gst_test_sink_assert_error (fifo->sink,
                                               GST_RESOURCE_ERROR_WRITE,
                                               "overflow=error"),
                   ==,
                   ENOBUFS);
  accepted = gst_test_sink_stat (fifo->sink, "bytes-accepted");
  g_assert_cmpuint (accepted, >=, 490 * 1000);
  g_assert_cmpint (gst_test_sink_position (fifo->sink), ==, accepted);
  g_assert_cmpuint (gst_test_sink_stat (fifo->sink, "blocked-count"), ==, 0);
  g_assert_cmpuint (gst_test_sink_stat (fifo->sink, "bytes-dropped"), ==, 0);

  /* Nothing more, also when there is room again: there would be a gap. */
  fifo_thaw (fifo);
  while (gst_test_sink_stat (fifo->sink, "level-bytes") > 0)
    g_usleep (1000);
  g_assert_cmpint (gst_test_sink_push (fifo->sink, 10), ==, GST_FLOW_ERROR);
  g_assert_false (gst_pad_push_event (fifo->sink->src, gst_event_new_eos ()));
  fifo_finish (fifo, accepted);
}

/* overflow=drop */

static void
assert_qos (GstTestSink *t, guint64 processed, guint64 dropped)
{
  g_autoptr (GstMessage) message = gst_test_wait_message (t->bus, GST_MESSAGE_QOS);
  GstFormat format;
  guint64 found_processed, found_dropped;

  gst_message_parse_qos_stats (message, &format, &found_processed, &found_dropped);
  g_assert_cmpint (format, ==, GST_FORMAT_BUFFERS);
  g_assert_cmpuint (found_processed, ==, processed);
  g_assert_cmpuint (found_dropped, ==, dropped);
}

static void
test_drop (void)
{
  Fifo *fifo = fifo_new ();
  GstTestSink *t = fifo->sink;
  GstMessage *message;
  guint8 next;
  guint n;

  g_object_set (t->sink, "max-bytes", (guint64) 500 * 1000, NULL);
  gst_test_sink_set (t, "overflow", "drop");
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  n = fill (fifo, 10000);
  g_assert_cmpuint (n, >=, 49);
  g_assert_cmpint (gst_test_sink_position (t), ==, n * 10000);

  /* It says so when it begins, and not again while it lasts. */
  message = wait_for_element_message (t, "gaiofilesink-overflow");
  g_assert_true (is_active (message));
  g_assert_cmpstr (gst_structure_get_string (gst_message_get_structure (message), "policy"),
                   ==,
                   "drop");
  g_assert_cmpuint (get_number (message, "dropped"), ==, 10000);
  g_assert_cmpuint (get_number (message, "buffers"), ==, 1);
  gst_message_unref (message);
  assert_qos (t, n, 1);
  next = t->next;
  g_assert_cmpint (gst_test_sink_push (t, 20000), ==, GST_FLOW_OK);
  t->next = next;
  assert_qos (t, n, 2);
  g_assert_null (gst_bus_peek (t->bus));
  g_assert_cmpuint (gst_test_sink_stat (t, "bytes-dropped"), ==, 30000);
  g_assert_cmpuint (gst_test_sink_stat (t, "buffers-dropped"), ==, 2);
  g_assert_cmpuint (gst_test_sink_stat (t, "bytes-accepted"), ==, n * 10000);
  g_assert_cmpuint (gst_test_sink_stat (t, "blocked-count"), ==, 0);

  /* With room it goes on, and says what is missing. */
  fifo_thaw (fifo);
  while (gst_test_sink_stat (t, "level-bytes") > 0)
    g_usleep (1000);
  g_assert_cmpint (gst_test_sink_push (t, 10000), ==, GST_FLOW_OK);
  message = wait_for_element_message (t, "gaiofilesink-overflow");
  g_assert_false (is_active (message));
  g_assert_cmpuint (get_number (message, "dropped"), ==, 30000);
  g_assert_cmpuint (get_number (message, "buffers"), ==, 2);
  gst_message_unref (message);
  fifo_finish (fifo, (n + 1) * 10000);
}

/* A list as a whole: half of it would be worse than nothing. */
static void
test_drop_list (void)
{
  Fifo *fifo = fifo_new ();
  GstTestSink *t = fifo->sink;
  GstBufferList *list = gst_buffer_list_new ();
  GstMessage *message;
  guint8 next;
  guint n;

  g_object_set (t->sink, "max-bytes", (guint64) 500 * 1000, NULL);
  gst_test_sink_set (t, "overflow", "drop");
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  n = fill (fifo, 10000);
  /* Room for two and not for three. */
  g_object_set (t->sink,
                "max-bytes", gst_test_sink_stat (t, "memory-bytes") + 25000,
                NULL);
  next = t->next;
  for (guint i = 0; i < 3; i++)
    gst_buffer_list_add (list, gst_test_sink_buffer (t, 10000, 1));
  t->next = next;
  g_assert_cmpint (gst_pad_push_list (t->src, list), ==, GST_FLOW_OK);
  g_assert_cmpuint (gst_test_sink_stat (t, "buffers-dropped"), ==, 4);
  g_assert_cmpuint (gst_test_sink_stat (t, "bytes-dropped"), ==, 40000);
  g_assert_cmpint (gst_test_sink_position (t), ==, n * 10000);

  list = gst_buffer_list_new ();
  for (guint i = 0; i < 2; i++)
    gst_buffer_list_add (list, gst_test_sink_buffer (t, 10000, 1));
  g_assert_cmpint (gst_pad_push_list (t->src, list), ==, GST_FLOW_OK);
  g_assert_cmpuint (gst_test_sink_stat (t, "buffers-dropped"), ==, 4);
  g_assert_cmpint (gst_test_sink_position (t), ==, (n + 2) * 10000);

  /* An end tells what is missing too. */
  g_assert_cmpint (gst_test_sink_push (t, 10000), ==, GST_FLOW_OK);
  fifo_thaw (fifo);
  g_assert_true (gst_pad_push_event (t->src, gst_event_new_eos ()));
  for (guint i = 0; i < 4; i++)
    {
      message = wait_for_element_message (t, "gaiofilesink-overflow");
      g_assert_cmpint (is_active (message), ==, i % 2 == 0);
      if (i % 2 != 0)
        g_assert_cmpuint (get_number (message, "buffers"), ==, i == 1 ? 4 : 1);
      gst_message_unref (message);
    }
  fifo_finish (fifo, (n + 2) * 10000);
}

/* What a stream cannot do without waits, as with overflow=block. */
static void
never_dropped (guint flags)
{
  Fifo *fifo = fifo_new ();
  Pusher pusher = { .sink = fifo->sink, .size = 10000, .n_buffers = 1, .flags = flags };
  guint n;

  g_object_set (fifo->sink->sink, "max-bytes", (guint64) 500 * 1000, NULL);
  gst_test_sink_set (fifo->sink, "overflow", "drop");
  gst_test_sink_play (fifo->sink, GST_FORMAT_BYTES);
  n = fill (fifo, 10000);
  pusher_start (&pusher);
  wait_until_blocked (fifo->sink, 1);
  fifo_thaw (fifo);
  g_thread_join (pusher.thread);
  g_assert_cmpint (pusher.ret, ==, GST_FLOW_OK);
  g_assert_cmpuint (gst_test_sink_stat (fifo->sink, "buffers-dropped"), ==, 1);
  fifo_finish (fifo, (n + 1) * 10000);
}

static void
test_never_dropped (void)
{
  never_dropped (GST_BUFFER_FLAG_HEADER);
  never_dropped (GST_BUFFER_FLAG_SYNC_AFTER);
  never_dropped (GST_BUFFER_FLAG_NON_DROPPABLE);
}

/* A regular file that stalls for as long as one likes, without a disk that does: the I/O thread,
 * which its sink shares with another on that disk, stands still in giving back a buffer of that
 * other one. */
typedef struct
{
  GstTestSink *sink;
  GMutex lock;
  GCond cond;
  gboolean stands; /* under lock */
  gboolean go_on;  /* under lock */
  guint8 data[100 * 1000];
} Holdup;

static void
hold_up (gpointer data)
{
  Holdup *self = data;

  g_mutex_lock (&self->lock);
  self->stands = TRUE;
  g_cond_broadcast (&self->cond);
  while (!self->go_on)
    g_cond_wait (&self->cond, &self->lock);
  g_mutex_unlock (&self->lock);
}

/* The buffer is not written before this thread has given it up, and then is. */
static Holdup *
hold_up_start (void)
{
  Holdup *self = g_new0 (Holdup, 1);
  const gsize size = sizeof self->data;
  GstBuffer *buffer = gst_buffer_new_wrapped_full (0, self->data, size, 0, size, self, hold_up);
  GstBuffer *last = gst_buffer_new_memdup ("", 1);

  self->sink = gst_test_sink_new (NULL);
  g_object_set (self->sink->sink, "buffer-size", 1000 * 1000, "flush-interval", G_MAXUINT, NULL);
  gst_test_sink_play (self->sink, GST_FORMAT_BYTES);
  g_assert_cmpint (gst_pad_push (self->sink->src, buffer), ==, GST_FLOW_OK);
  g_assert_cmpuint (gst_test_sink_stat (self->sink, "held-refs"), ==, 1);
  GST_BUFFER_FLAG_SET (last, GST_BUFFER_FLAG_SYNC_AFTER);
  g_assert_cmpint (gst_pad_push (self->sink->src, last), ==, GST_FLOW_OK);
  g_mutex_lock (&self->lock);
  while (!self->stands)
    g_cond_wait (&self->cond, &self->lock);
  g_mutex_unlock (&self->lock);
  return self;
}

static void
hold_up_end (Holdup *self)
{
  g_mutex_lock (&self->lock);
  self->go_on = TRUE;
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
}

static void
hold_up_free (Holdup *self)
{
  gst_test_sink_stop (self->sink);
  gst_test_sink_assert_no_error (self->sink);
  gst_test_sink_free (self->sink);
  g_free (self);
}

/* After a seek nothing is dropped before something was accepted; nor while old bytes are written
 * anew. */
static void
never_dropped_at (guint64 position, gsize size, int n_before)
{
  Holdup *holdup = hold_up_start ();
  GstTestSink *t = gst_test_sink_new (NULL);
  Pusher pusher = { .sink = t, .size = size, .n_buffers = 2 };
  guint64 accepted = 0;
  gsize end;

  g_object_set (t->sink, "max-bytes", (guint64) 200 * 1000, NULL);
  gst_test_sink_set (t, "overflow", "drop");
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  for (guint i = 0; i < 5; i++)
    g_assert_cmpint (gst_test_sink_push (t, 60000), ==, GST_FLOW_OK);
  g_assert_cmpuint (gst_test_sink_stat (t, "buffers-dropped"), ==, 2);
  accepted = gst_test_sink_stat (t, "bytes-accepted");
  g_assert_cmpuint (accepted, ==, 180000);

  gst_test_sink_segment (t, GST_FORMAT_BYTES, 10);
  gst_test_sink_segment (t, GST_FORMAT_BYTES, position);
  pusher_start (&pusher);
  wait_until_blocked (t, 1);
  g_assert_cmpint (g_atomic_int_get (&pusher.n_pushed), ==, n_before);
  g_assert_cmpuint (gst_test_sink_stat (t, "buffers-dropped"), ==, 2);
  hold_up_end (holdup);
  g_thread_join (pusher.thread);
  g_assert_cmpint (pusher.ret, ==, GST_FLOW_OK);
  g_assert_cmpuint (gst_test_sink_stat (t, "buffers-dropped"), ==, 2);
  end = MAX (180000, position + 2 * size);
  g_assert_true (gst_pad_push_event (t->src, gst_event_new_eos ()));
  gst_test_sink_stop (t);
  {
    g_autofree char *data = NULL;
    gsize length;

    g_assert_true (g_file_get_contents (t->path, &data, &length, NULL));
    g_assert_cmpuint (length, ==, end);
  }
  gst_test_sink_free (t);
  hold_up_free (holdup);
}

static void
test_never_dropped_after_seek (void)
{
  never_dropped_at (0, 60000, 0);
  /* There is room for the first one. */
  never_dropped_at (0, 15000, 1);
  /* Back at the end, where a buffer is dropped when it does not come after a seek. */
  never_dropped_at (180000, 60000, 0);
}

/* A window smaller than what is gathered for a write must not drop on a disk that is idle. */
static void
test_drop_small_window (void)
{
  GstTestSink *t = gst_test_sink_new (NULL);

  g_object_set (t->sink, "max-bytes", (guint64) 10000, NULL);
  gst_test_sink_set (t, "flush-interval", "4294967295");
  gst_test_sink_set (t, "overflow", "drop");
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  for (guint i = 1; i <= 20; i++)
    {
      g_assert_cmpint (gst_test_sink_push (t, 6000), ==, GST_FLOW_OK);
      while (gst_test_sink_stat (t, "bytes-written") < i * 6000)
        g_usleep (1000);
    }
  g_assert_cmpuint (gst_test_sink_stat (t, "buffers-dropped"), ==, 0);
  gst_test_sink_free (t);
}

/* max-time */

static void
test_max_time (void)
{
  Fifo *fifo = fifo_new ();
  Pusher pusher = { .sink = fifo->sink, .size = 1000, .n_buffers = 100 };

  gst_test_sink_play (fifo->sink, GST_FORMAT_BYTES);
  g_assert_cmpint (gst_test_sink_push (fifo->sink, 1024 * 1024), ==, GST_FLOW_OK);
  /* There are 63 MiB of room, but not any time. */
  g_object_set (fifo->sink->sink, "max-time", (guint64) 1, NULL);
  pusher_start (&pusher);
  wait_until_blocked (fifo->sink, 1);
  g_assert_cmpint (g_atomic_int_get (&pusher.n_pushed), ==, 0);
  g_object_set (fifo->sink->sink, "max-time", (guint64) 0, NULL);
  g_thread_join (pusher.thread);
  g_assert_cmpint (pusher.ret, ==, GST_FLOW_OK);
  fifo_thaw (fifo);
  fifo_finish (fifo, 1024 * 1024 + 100 * 1000);
}

/* Stalls */

static void
test_stall (void)
{
  Fifo *fifo = fifo_new ();
  GstMessage *message;
  guint64 age;

  gst_test_sink_set (fifo->sink, "stall-warning", "5000000");
  gst_test_sink_play (fifo->sink, GST_FORMAT_BYTES);
  g_assert_cmpint (gst_test_sink_push (fifo->sink, 1024 * 1024), ==, GST_FLOW_OK);
  message = wait_for_element_message (fifo->sink, "gaiofilesink-stall");
  g_assert_true (is_active (message));
  age = get_number (message, "age");
  g_assert_cmpuint (age, >=, 5000000);
  g_assert_cmpuint (get_number (message, "level-bytes"), ==, 1024 * 1024);
  gst_message_unref (message);
  g_assert_cmpuint (gst_test_sink_stat (fifo->sink, "stalls"), ==, 1);

  fifo_thaw (fifo);
  message = wait_for_element_message (fifo->sink, "gaiofilesink-stall");
  g_assert_false (is_active (message));
  g_assert_cmpuint (get_number (message, "age"), >=, age);
  g_assert_cmpuint (gst_test_sink_stat (fifo->sink, "longest-stall"),
                    >=,
                    get_number (message, "age"));
  gst_message_unref (message);
  fifo_finish (fifo, 1024 * 1024);
}

static void
test_stall_off (void)
{
  Fifo *fifo = fifo_new ();

  gst_test_sink_set (fifo->sink, "stall-warning", "0");
  gst_test_sink_play (fifo->sink, GST_FORMAT_BYTES);
  g_assert_cmpint (gst_test_sink_push (fifo->sink, 1024 * 1024), ==, GST_FLOW_OK);
  g_usleep (20000);
  fifo_thaw (fifo);
  g_assert_true (gst_pad_push_event (fifo->sink->src, gst_event_new_eos ()));
  g_assert_cmpuint (gst_test_sink_stat (fifo->sink, "stalls"), ==, 0);
  fifo_finish (fifo, 1024 * 1024);
}

/* Somebody who takes long over a message, in the thread that posts it. */
typedef struct
{
  GstMessageType type;
  GMutex lock;
  GCond cond;
  gboolean waits; /* under lock */
  gboolean go_on; /* under lock */
} Handler;

static GstBusSyncReply
wait_with_message (GstBus *bus, GstMessage *message, gpointer data)
{
  Handler *self = data;

  if (GST_MESSAGE_TYPE (message) != self->type)
    return GST_BUS_PASS;
  g_mutex_lock (&self->lock);
  self->waits = TRUE;
  g_cond_broadcast (&self->cond);
  while (!self->go_on)
    g_cond_wait (&self->cond, &self->lock);
  g_mutex_unlock (&self->lock);
  return GST_BUS_PASS;
}

static void
handler_wait (Handler *self)
{
  g_mutex_lock (&self->lock);
  while (!self->waits)
    g_cond_wait (&self->cond, &self->lock);
  g_mutex_unlock (&self->lock);
}

static void
handler_go_on (Handler *self)
{
  g_mutex_lock (&self->lock);
  self->go_on = TRUE;
  g_cond_broadcast (&self->cond);
  g_mutex_unlock (&self->lock);
}

static gpointer
go_on_later (gpointer data)
{
  g_usleep (20000);
  handler_go_on (data);
  return NULL;
}

/* Another one, which shares the I/O thread, gets to its end meanwhile. */
static void
run_beside (void)
{
  Fifo *fifo = fifo_new ();

  gst_test_sink_set (fifo->sink, "context", "shared");
  gst_test_sink_play (fifo->sink, GST_FORMAT_BYTES);
  g_assert_cmpint (gst_test_sink_push (fifo->sink, 1000 * 1000), ==, GST_FLOW_OK);
  fifo_thaw (fifo);
  gst_test_sink_push_eos (fifo->sink);
  gst_test_sink_assert_no_error (fifo->sink);
  fifo_finish (fifo, 1000 * 1000);
}

static void
test_slow_handler_of_stall (void)
{
  Handler handler = { .type = GST_MESSAGE_ELEMENT };
  Fifo *fifo = fifo_new ();
  GThread *thread;

  gst_test_sink_set (fifo->sink, "context", "shared");
  gst_test_sink_set (fifo->sink, "stall-warning", "1");
  gst_bus_set_sync_handler (fifo->sink->bus, wait_with_message, &handler, NULL);
  gst_test_sink_play (fifo->sink, GST_FORMAT_BYTES);
  g_assert_cmpint (gst_test_sink_push (fifo->sink, 1000 * 1000), ==, GST_FLOW_OK);
  handler_wait (&handler);
  run_beside ();

  /* Not even its own bytes wait for it. */
  fifo_thaw (fifo);
  while (gst_test_sink_stat (fifo->sink, "level-bytes") > 0)
    g_usleep (1000);

  /* But its end does, so that nothing is left untold. */
  thread = g_thread_new ("handler", go_on_later, &handler);
  gst_test_sink_stop (fifo->sink);
  g_thread_join (thread);
  for (int active = TRUE; active >= FALSE; active--)
    {
      g_autoptr (GstMessage) message = gst_bus_pop_filtered (fifo->sink->bus, GST_MESSAGE_ELEMENT);

      g_assert_nonnull (message);
      g_assert_true (gst_message_has_name (message, "gaiofilesink-stall"));
      g_assert_cmpint (is_active (message), ==, active);
    }
  fifo_finish (fifo, 1000 * 1000);
}

/* And who is told by a return value that something has failed learns of it later than the bus. */
static void
test_slow_handler_of_error (void)
{
  Handler handler = { .type = GST_MESSAGE_ERROR };
  GstTestSink *t = gst_test_sink_new ("/dev/full");
  GstFlowReturn ret;

  gst_test_sink_set (t, "context", "shared");
  gst_bus_set_sync_handler (t->bus, wait_with_message, &handler, NULL);
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  g_assert_cmpint (gst_test_sink_push (t, 100 * 1000), ==, GST_FLOW_OK);
  handler_wait (&handler);
  run_beside ();
  g_assert_cmpint (gst_test_sink_push (t, 10), ==, GST_FLOW_OK);

  handler_go_on (&handler);
  while ((ret = gst_test_sink_push (t, 10)) == GST_FLOW_OK)
    g_usleep (1000);
  g_assert_cmpint (ret, ==, GST_FLOW_ERROR);
  g_assert_false (gst_pad_push_event (t->src, gst_event_new_eos ()));
  g_assert_cmpint (gst_test_sink_assert_error (t, GST_RESOURCE_ERROR_NO_SPACE_LEFT, NULL), ==,
                   ENOSPC);
  gst_test_sink_free (t);
}

/* drain-timeout */

static void
count_free (gpointer data, GstMiniObject *object)
{
  g_atomic_int_dec_and_test ((int *) data);
}

/* The way to NULL ends though the write does not; it says how much is lost; and what the kernel has
 * is freed when it lets go of it, without the sink. */
static void
test_drain_timeout (void)
{
  Fifo *fifo = fifo_new ();
  GstTestSink *t = fifo->sink;
  g_autoptr (GstMessage) message = NULL;
  g_autoptr (GError) error = NULL;
  const GstStructure *details = NULL;
  guint64 lost = 0, offset = 0, written;
  int errnum = 0;
  int n_held = 4; /* (atomic) */
  guint64 stalled;

  gst_test_sink_set (t, "drain-timeout", "10000000");
  gst_test_sink_set (t, "stall-warning", "1000000");
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  for (guint i = 0; i < 4; i++)
    {
      GstBuffer *buffer = gst_test_sink_buffer (t, 1024 * 1024, 1);

      gst_mini_object_weak_ref (GST_MINI_OBJECT (buffer), count_free, &n_held);
      g_assert_cmpint (gst_pad_push (t->src, buffer), ==, GST_FLOW_OK);
    }
  message = wait_for_element_message (t, "gaiofilesink-stall");
  stalled = get_number (message, "age");
  gst_message_unref (message);
  gst_test_sink_stop (t);

  message = gst_test_wait_message (t->bus, GST_MESSAGE_ERROR);
  gst_message_parse_error (message, &error, NULL);
  g_assert_error (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_CLOSE);
  gst_message_parse_error_details (message, &details);
  g_assert_true (gst_structure_get (details,
                                    "errno", G_TYPE_INT, &errnum,
                                    "offset", G_TYPE_UINT64, &offset,
                                    "lost-bytes", G_TYPE_UINT64, &lost,
                                    NULL));
  g_assert_cmpint (errnum, ==, ETIMEDOUT);
  written = gst_test_sink_stat (t, "bytes-written");
  g_assert_cmpuint (lost, ==, 4 * 1024 * 1024 - written);
  g_assert_cmpuint (offset, ==, written);
  g_assert_cmpuint (gst_test_sink_stat (t, "bytes-lost"), ==, lost);
  g_assert_cmpuint (gst_test_sink_stat (t, "level-bytes"), ==, 0);
  /* The stall has not ended, and is longer than was said when it began. */
  g_assert_cmpuint (gst_test_sink_stat (t, "longest-stall"), >=, stalled + 10000000);
  g_clear_pointer (&message, gst_message_unref);
  gst_test_sink_assert_no_error (t);

  /* What was not begun is free at once, or nearly; the rest when nobody can read it any more. */
  signal (SIGPIPE, SIG_IGN);
  fifo_break (fifo);
  while (g_atomic_int_get (&n_held) > 0)
    g_usleep (1000);
  fifo_free (fifo);
}

/* In time there is nothing to say. */
static void
test_drain_in_time (void)
{
  GstTestSink *t = gst_test_sink_new (NULL);

  gst_test_sink_set (t, "drain-timeout", "60000000000");
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  g_assert_cmpint (gst_test_sink_push (t, 1024 * 1024), ==, GST_FLOW_OK);
  gst_test_sink_stop (t);
  gst_test_sink_assert_no_error (t);
  g_assert_cmpuint (gst_test_sink_stat (t, "bytes-written"), ==, 1024 * 1024);
  g_assert_cmpuint (gst_test_sink_stat (t, "bytes-lost"), ==, 0);
  gst_test_sink_free (t);
}

/* Nor when the stream had ended, and all is where it should be: the file may be closed later. */
static void
test_drain_finished (void)
{
  for (guint i = 0; i < 20; i++)
    {
      GstTestSink *t = gst_test_sink_new (NULL);

      gst_test_sink_set (t, "drain-timeout", "0");
      gst_test_sink_set (t, "preallocate", i % 2 == 0 ? "1000000" : "0");
      gst_test_sink_play (t, GST_FORMAT_BYTES);
      g_assert_cmpint (gst_test_sink_push (t, 1000), ==, GST_FLOW_OK);
      gst_test_sink_push_eos (t);
      gst_test_sink_stop (t);
      gst_test_sink_assert_no_error (t);
      gst_test_sink_assert_counting (t, 1000);
      g_assert_cmpuint (gst_test_sink_stat (t, "bytes-written"), ==, 1000);
      g_assert_cmpuint (gst_test_sink_stat (t, "bytes-lost"), ==, 0);
      gst_test_sink_free (t);
    }
}

/* max-transient-error-timeout */

static void
test_transient (void)
{
  GstTestSink *t = gst_test_sink_new ("/dev/full");

  gst_test_sink_set (t, "max-transient-error-timeout", "50");
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  g_assert_cmpint (gst_test_sink_push (t, 1000), ==, GST_FLOW_OK);
  g_assert_false (gst_pad_push_event (t->src, gst_event_new_eos ()));
  g_assert_cmpuint (gst_test_sink_stat (t, "retries"), >, 0);
  g_assert_cmpint (gst_test_sink_assert_error (t, GST_RESOURCE_ERROR_NO_SPACE_LEFT, "ENOSPC"),
                   ==,
                   ENOSPC);
  gst_test_sink_free (t);
}

int
main (int argc, char **argv)
{
  gst_test_init (&argc, &argv);
  gaio_test_add ("/file-sink/policies/error", test_error);
  gaio_test_add ("/file-sink/policies/drop", test_drop);
  gaio_test_add ("/file-sink/policies/drop/list", test_drop_list);
  gaio_test_add ("/file-sink/policies/drop/never", test_never_dropped);
  gaio_test_add ("/file-sink/policies/drop/never-after-seek", test_never_dropped_after_seek);
  gaio_test_add ("/file-sink/policies/drop/small-window", test_drop_small_window);
  gaio_test_add ("/file-sink/policies/max-time", test_max_time);
  gaio_test_add ("/file-sink/policies/stall", test_stall);
  gaio_test_add ("/file-sink/policies/stall/off", test_stall_off);
  gaio_test_add ("/file-sink/policies/slow-handler/stall", test_slow_handler_of_stall);
  gaio_test_add ("/file-sink/policies/slow-handler/error", test_slow_handler_of_error);
  gaio_test_add ("/file-sink/policies/drain-timeout", test_drain_timeout);
  gaio_test_add ("/file-sink/policies/drain-timeout/in-time", test_drain_in_time);
  gaio_test_add ("/file-sink/policies/drain-timeout/finished", test_drain_finished);
  gaio_test_add ("/file-sink/policies/transient", test_transient);
  return g_test_run ();
}
