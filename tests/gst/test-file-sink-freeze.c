/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* gaiofilesink on a real disk that stands still: ext4, XFS and btrfs, frozen.
 *
 * No test here looks at a clock. What must not wait for the disk is done by the test's own thread
 * while the disk is frozen, and only afterwards is it thawed: if that waited, the test would never
 * end. What must wait is done by a thread of its own. */

#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include "file-mount.h"
#include "gst-test-freeze.h"
#include "gst-test-stream.h"

#define BUFFER_BYTES 10000

/* More than there are workers anywhere. */
#define N_CROWD 80

/* A frozen disk, and a sink on it. */
typedef struct
{
  FileMount *mount;
  GstTestFreeze *freeze;
  GstTestSink *sink;
} Disk;

typedef void (*DiskFunc) (Disk *disk);

static void
disk_freeze (Disk *self)
{
  self->freeze = gst_test_freeze (self->mount->dir);
  g_assert_nonnull (self->freeze);
}

static void
disk_thaw (Disk *self)
{
  g_clear_pointer (&self->freeze, gst_test_thaw);
}

static GstTestSink *
disk_sink (Disk *self, const char *name)
{
  g_autofree char *path = g_build_filename (self->mount->dir, name, NULL);

  return gst_test_sink_new (path);
}

/* Runs the function with each kind of disk, whose sink is open and in NULL. */
static void
on_each_disk (DiskFunc func)
{
  static const char *const types[] = { "ext4", "xfs", "btrfs" };

  for (guint i = 0; i < G_N_ELEMENTS (types); i++)
    {
      g_autofree char *why = NULL;
      Disk disk = { .mount = file_mount_new (types[i], 0, &why) };

      if (disk.mount == NULL)
        {
          g_test_skip (why);
          return;
        }
      g_test_message ("%s", types[i]);
      disk.sink = disk_sink (&disk, "out");
      func (&disk);
      disk_thaw (&disk);
      g_clear_pointer (&disk.sink, gst_test_sink_free);
      file_mount_free (disk.mount);
    }
}

/* Pushes equal buffers, of which each has the number of it at its beginning. */
static GstFlowReturn
push_number (GstTestSink *t, guint32 number)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, BUFFER_BYTES, NULL);

  gst_buffer_memset (buffer, 0, 0x55, BUFFER_BYTES);
  gst_buffer_fill (buffer, 0, &number, sizeof number);
  return gst_pad_push (t->src, buffer);
}

/* Asserts that the file has whole buffers, each once and in their order; returns how many. */
static guint
count_numbers (const char *path)
{
  g_autofree char *data = NULL;
  g_autoptr (GError) error = NULL;
  gint64 last = -1;
  gsize length;

  g_file_get_contents (path, &data, &length, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (length % BUFFER_BYTES, ==, 0);
  for (gsize i = 0; i < length; i += BUFFER_BYTES)
    {
      guint32 number;

      memcpy (&number, data + i, sizeof number);
      g_assert_cmpint (number, >, last);
      last = number;
      for (gsize j = sizeof number; j < BUFFER_BYTES; j++)
        g_assert_cmpint (data[i + j], ==, 0x55);
    }
  return (guint) (length / BUFFER_BYTES);
}

/* Pushes from a thread of its own until it is refused. */
typedef struct
{
  GstTestSink *sink;
  GThread *thread;
  gint n_pushed; /* (atomic) */
  GstFlowReturn ret;
} Pusher;

static gpointer
push_numbers (gpointer data)
{
  Pusher *self = data;

  while ((self->ret = push_number (self->sink, self->n_pushed)) == GST_FLOW_OK)
    g_atomic_int_inc (&self->n_pushed);
  return NULL;
}

/* Until it waits for room. */
static void
pusher_start (Pusher *self, GstTestSink *sink)
{
  self->sink = sink;
  self->thread = g_thread_new ("pusher", push_numbers, self);
  while (gst_test_sink_stat (sink, "blocked-count") == 0)
    g_usleep (1000);
}

/* With room in the window nothing waits: not buffers of any shape and size, not going back, not
 * what is to be synced. */
static void
room (Disk *disk)
{
  g_autoptr (GstTestStream) stream = gst_test_stream_new (
      1, 20 * 1000 * 1000, 500 * 1000, GST_TEST_STREAM_SEEKS | GST_TEST_STREAM_SYNCS);
  g_autoptr (GstTestOutcome) outcome = NULL;
  GstTestSink *t = disk->sink;

  gst_test_stream_start (t);
  disk_freeze (disk);
  g_assert_cmpint (gst_test_stream_push (stream, t), ==, GST_FLOW_OK);
  g_assert_cmpuint (gst_test_sink_stat (t, "blocked-count"), ==, 0);
  g_assert_cmpuint (gst_test_sink_stat (t, "bytes-written"), ==, 0);

  disk_thaw (disk);
  g_assert_true (gst_pad_push_event (t->src, gst_event_new_eos ()));
  outcome = gst_test_stream_stop (t);
  gst_test_stream_assert_honest (stream, outcome);
  g_assert_cmpuint (outcome->n_eos, ==, 1);
}

static void
test_room (void)
{
  on_each_disk (room);
}

/* A camera of eight buffers has them all back, again and again. */
static void
camera (Disk *disk)
{
  g_autoptr (GstBufferPool) pool = gst_buffer_pool_new ();
  GstStructure *config = gst_buffer_pool_get_config (pool);
  const gsize size = 256 * 1024;
  GstTestSink *t = disk->sink;
  GstBuffer *all[8];
  struct stat info;

  gst_buffer_pool_config_set_params (config, NULL, size, 8, 8);
  g_assert_true (gst_buffer_pool_set_config (pool, config));
  g_assert_true (gst_buffer_pool_set_active (pool, TRUE));
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  for (guint i = 0; i < 100; i++)
    {
      GstBuffer *buffer;

      if (i == 10)
        disk_freeze (disk);
      g_assert_cmpint (gst_buffer_pool_acquire_buffer (pool, &buffer, NULL), ==, GST_FLOW_OK);
      gst_buffer_memset (buffer, 0, (guint8) i, size);
      g_assert_cmpint (gst_pad_push (t->src, buffer), ==, GST_FLOW_OK);
    }
  for (guint i = 0; i < G_N_ELEMENTS (all); i++)
    g_assert_cmpint (gst_buffer_pool_acquire_buffer (pool, &all[i], NULL), ==, GST_FLOW_OK);
  for (guint i = 0; i < G_N_ELEMENTS (all); i++)
    gst_buffer_unref (all[i]);
  g_assert_true (gst_buffer_pool_set_active (pool, FALSE));
  g_assert_cmpuint (gst_test_sink_stat (t, "blocked-count"), ==, 0);

  disk_thaw (disk);
  g_assert_true (gst_pad_push_event (t->src, gst_event_new_eos ()));
  gst_test_sink_assert_no_error (t);
  g_assert_cmpint (g_stat (t->path, &info), ==, 0);
  g_assert_cmpint (info.st_size, ==, 100 * size);
  gst_test_sink_stop (t);
}

static void
test_camera (void)
{
  on_each_disk (camera);
}

/* A push that waits for room comes out of it for a flush, and the sink can be used on. */
static void
flush (Disk *disk)
{
  GstTestSink *t = disk->sink;
  Pusher pusher = { 0 };

  g_object_set (t->sink, "max-bytes", (guint64) 500 * 1000, NULL);
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  disk_freeze (disk);
  pusher_start (&pusher, t);
  g_assert_true (gst_pad_push_event (t->src, gst_event_new_flush_start ()));
  g_thread_join (pusher.thread);
  g_assert_cmpint (pusher.ret, ==, GST_FLOW_FLUSHING);
  g_assert_true (gst_pad_push_event (t->src, gst_event_new_flush_stop (TRUE)));

  /* Of what was there before nothing is left, and what comes now has its place; but what is being
   * written has all the room there was. */
  g_object_set (t->sink, "max-bytes", (guint64) 5000 * 1000, NULL);
  gst_test_sink_segment (t, GST_FORMAT_BYTES, 0);
  g_assert_cmpint (gst_test_sink_position (t), ==, 0);
  gst_element_set_state (t->sink, GST_STATE_PLAYING);
  g_assert_cmpint (push_number (t, 1234), ==, GST_FLOW_OK);
  disk_thaw (disk);
  g_assert_true (gst_pad_push_event (t->src, gst_event_new_eos ()));
  gst_test_sink_assert_no_error (t);
  g_assert_cmpuint (count_numbers (t->path), ==, 1);
  gst_test_sink_stop (t);
}

static void
test_flush (void)
{
  on_each_disk (flush);
}

/* Nor does it stand in the way of PAUSED, PLAYING and READY. */
static void
states (Disk *disk)
{
  GstTestSink *t = disk->sink;
  Pusher pusher = { 0 };

  g_object_set (t->sink, "max-bytes", (guint64) 500 * 1000, NULL);
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  disk_freeze (disk);
  pusher_start (&pusher, t);
  for (guint i = 0; i < 5; i++)
    {
      g_assert_cmpint (gst_element_set_state (t->sink, GST_STATE_PAUSED), !=,
                       GST_STATE_CHANGE_FAILURE);
      g_assert_cmpint (gst_element_set_state (t->sink, GST_STATE_PLAYING), !=,
                       GST_STATE_CHANGE_FAILURE);
    }
  g_assert_cmpint (gst_element_set_state (t->sink, GST_STATE_READY), ==, GST_STATE_CHANGE_SUCCESS);
  g_thread_join (pusher.thread);
  g_assert_cmpint (pusher.ret, ==, GST_FLOW_FLUSHING);

  /* What was accepted is written all the same. */
  disk_thaw (disk);
  gst_test_sink_stop (t);
  gst_test_sink_assert_no_error (t);
  g_assert_cmpuint (count_numbers (t->path), ==, (guint) pusher.n_pushed);
}

static void
test_states (void)
{
  on_each_disk (states);
}

/* Without waiting: what does not fit is dropped, in whole buffers, and that is told. */
static void
drop (Disk *disk)
{
  GstTestSink *t = disk->sink;
  const guint n_buffers = 200;
  guint n_messages = 0;
  guint64 dropped = 0;
  GstMessage *message;
  guint n_found;

  g_object_set (t->sink, "max-bytes", (guint64) 500 * 1000, NULL);
  gst_util_set_object_arg (G_OBJECT (t->sink), "overflow", "drop");
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  disk_freeze (disk);
  for (guint i = 0; i < n_buffers; i++)
    g_assert_cmpint (push_number (t, i), ==, GST_FLOW_OK);
  g_assert_cmpuint (gst_test_sink_stat (t, "bytes-dropped"), >=, 1400 * 1000);
  g_assert_cmpuint (gst_test_sink_stat (t, "memory-peak"), <=, 500 * 1000);

  disk_thaw (disk);
  while (gst_test_sink_stat (t, "level-bytes") > 400 * 1000)
    g_usleep (1000);
  g_assert_cmpint (push_number (t, n_buffers), ==, GST_FLOW_OK);
  g_assert_true (gst_pad_push_event (t->src, gst_event_new_eos ()));
  gst_test_sink_stop (t);
  n_found = count_numbers (t->path);
  g_assert_cmpuint (n_found + gst_test_sink_stat (t, "buffers-dropped"), ==, n_buffers + 1);
  while ((message = gst_bus_pop_filtered (t->bus, GST_MESSAGE_ELEMENT | GST_MESSAGE_ERROR)) != NULL)
    {
      const GstStructure *what = gst_message_get_structure (message);
      const char *policy = gst_structure_get_string (what, "policy");

      g_assert_cmpint (GST_MESSAGE_TYPE (message), ==, GST_MESSAGE_ELEMENT);
      if (gst_structure_has_name (what, "gaiofilesink-overflow"))
        {
          g_assert_cmpstr (policy, ==, "drop");
          g_assert_true (gst_structure_get_uint64 (what, "dropped", &dropped));
          n_messages++;
        }
      gst_message_unref (message);
    }
  g_assert_cmpuint (n_messages, >, 0);
  g_assert_cmpuint (dropped, ==, gst_test_sink_stat (t, "bytes-dropped"));
}

static void
test_drop (void)
{
  on_each_disk (drop);
}

/* Or it is an error, which comes while nothing moves. */
static void
error (Disk *disk)
{
  GstTestSink *t = disk->sink;
  guint n_pushed = 0;
  GstFlowReturn ret;

  g_object_set (t->sink, "max-bytes", (guint64) 500 * 1000, NULL);
  gst_util_set_object_arg (G_OBJECT (t->sink), "overflow", "error");
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  disk_freeze (disk);
  while ((ret = push_number (t, n_pushed)) == GST_FLOW_OK)
    n_pushed++;
  g_assert_cmpint (ret, ==, GST_FLOW_ERROR);
  g_assert_cmpuint (n_pushed, <=, 500 * 1000 / BUFFER_BYTES);
  gst_test_sink_assert_error (t, GST_RESOURCE_ERROR_WRITE, NULL);
  g_assert_cmpint (push_number (t, n_pushed), ==, GST_FLOW_ERROR);
  g_assert_false (gst_pad_push_event (t->src, gst_event_new_eos ()));

  disk_thaw (disk);
  gst_test_sink_stop (t);
  gst_test_sink_assert_no_error (t);
  g_assert_cmpuint (count_numbers (t->path), ==, n_pushed);
}

static void
test_error (void)
{
  on_each_disk (error);
}

/* A sink on another disk has nothing to do with it, however many stand still on this one. */
static void
crowd_with (Disk *disk, const char *context)
{
  g_autoptr (GstTestStream) stream = gst_test_stream_new (
      1, 1000 * 1000, 50 * 1000, GST_TEST_STREAM_SEEKS | GST_TEST_STREAM_SYNCS);
  g_autoptr (GstTestOutcome) outcome = NULL;
  GstTestSink *others[N_CROWD];
  GstTestSink *free_one = NULL;

  for (guint i = 0; i < N_CROWD; i++)
    {
      g_autofree char *name = g_strdup_printf ("crowd-%u", i);

      others[i] = disk_sink (disk, name);
      gst_test_sink_set (others[i], "context", context);
      gst_test_sink_play (others[i], GST_FORMAT_BYTES);
    }
  disk_freeze (disk);
  for (guint i = 0; i < N_CROWD; i++)
    for (guint j = 0; j < 10; j++)
      g_assert_cmpint (push_number (others[i], j), ==, GST_FLOW_OK);

  free_one = gst_test_sink_new (NULL);
  gst_test_sink_set (free_one, "context", context);
  outcome = gst_test_stream_run (stream, free_one);
  gst_test_stream_assert_honest (stream, outcome);
  g_assert_cmpuint (outcome->n_eos, ==, 1);
  gst_test_sink_free (free_one);

  disk_thaw (disk);
  for (guint i = 0; i < N_CROWD; i++)
    {
      g_assert_true (gst_pad_push_event (others[i]->src, gst_event_new_eos ()));
      gst_test_sink_assert_no_error (others[i]);
      gst_test_sink_stop (others[i]);
      g_assert_cmpuint (count_numbers (others[i]->path), ==, 10);
      gst_test_sink_free (others[i]);
    }
}

static void
crowd (Disk *disk)
{
  crowd_with (disk, "");
}

static void
test_crowd (void)
{
  on_each_disk (crowd);
}

/* Nor if they have an I/O thread of the same name. */
static void
crowd_of_name (Disk *disk)
{
  crowd_with (disk, "shared");
}

static void
test_crowd_of_name (void)
{
  on_each_disk (crowd_of_name);
}

/* The end while nothing moves: it comes all the same, and is told with what was lost; what is left
 * behind goes when the disk lets go of it, and touches nothing of the sink. */
static void
assert_lost (GstTestSink *t, gsize pushed)
{
  g_autoptr (GstMessage) message = gst_test_wait_message (t->bus, GST_MESSAGE_ERROR);
  g_autoptr (GError) error = NULL;
  const GstStructure *details = NULL;
  guint64 lost = 0;

  gst_message_parse_error (message, &error, NULL);
  g_assert_error (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_CLOSE);
  gst_message_parse_error_details (message, &details);
  g_assert_true (gst_structure_get_uint64 (details, "lost-bytes", &lost));
  g_assert_cmpuint (lost, ==, pushed);
  gst_test_sink_assert_no_error (t);
}

static void
stop (Disk *disk)
{
  GstTestSink *t = disk->sink;
  GstTestSink *other;

  g_object_set (t->sink, "drain-timeout", (guint64) 200 * GST_MSECOND, NULL);
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  disk_freeze (disk);
  /* Some of it held by reference. */
  for (guint i = 0; i < 20; i++)
    g_assert_cmpint (gst_test_sink_push (t, i % 2 == 0 ? 300 * 1000 : 1000), ==, GST_FLOW_OK);
  gst_test_sink_stop (t);
  assert_lost (t, 10 * (300 * 1000 + 1000));
  gst_test_sink_free (g_steal_pointer (&disk->sink));

  other = gst_test_sink_new (NULL);
  gst_test_sink_play (other, GST_FORMAT_BYTES);
  g_assert_cmpint (push_number (other, 1), ==, GST_FLOW_OK);
  g_assert_true (gst_pad_push_event (other->src, gst_event_new_eos ()));
  gst_test_sink_free (other);
  disk_thaw (disk);
}

static void
test_stop (void)
{
  on_each_disk (stop);
}

static gpointer
record_again (gpointer data)
{
  GstTestSink *t = data;

  gst_test_sink_play (t, GST_FORMAT_BYTES);
  g_assert_cmpint (push_number (t, 1234), ==, GST_FLOW_OK);
  g_assert_true (gst_pad_push_event (t->src, gst_event_new_eos ()));
  gst_test_sink_stop (t);
  gst_test_sink_assert_no_error (t);
  return NULL;
}

/* The file is written anew as soon as the sink is back in NULL, whether by itself or by another.
 * What is left behind may still get to it, so one that is told not to wait long says so, and one
 * that waits has the file to itself. */
static void
again (Disk *disk)
{
  GstTestSink *t = disk->sink;
  GstTestSink *other;
  GThread *thread;

  g_object_set (t->sink, "drain-timeout", (guint64) 200 * GST_MSECOND, "preallocate",
                (guint64) 1000 * 1000, "buffer-size", 1000, "stall-warning",
                (guint64) GST_MSECOND, NULL);
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  disk_freeze (disk);
  for (guint i = 0; i < 20; i++)
    g_assert_cmpint (push_number (t, i), ==, GST_FLOW_OK);
  gst_test_sink_stop (t);
  assert_lost (t, 20 * BUFFER_BYTES);

  for (guint i = 0; i < 2; i++)
    {
      g_assert_cmpint (gst_element_set_state (t->sink, GST_STATE_PLAYING), ==,
                       GST_STATE_CHANGE_FAILURE);
      g_assert_cmpint (gst_test_sink_assert_error (t, GST_RESOURCE_ERROR_BUSY, "bytes"), ==, EBUSY);
      gst_test_sink_stop (t);
    }

  other = gst_test_sink_new (t->path);
  thread = g_thread_new ("recorder", record_again, other);
  disk_thaw (disk);
  g_thread_join (thread);
  g_assert_cmpuint (count_numbers (t->path), ==, 1);
  gst_test_sink_free (other);

  /* And it has forgotten nothing: it can be used again. */
  g_object_set (t->sink, "drain-timeout", G_MAXUINT64, NULL);
  record_again (t);
  g_assert_cmpuint (count_numbers (t->path), ==, 1);
}

static void
test_again (void)
{
  on_each_disk (again);
}

/* The same with a push that waits, a drain that waits, and many at once. */
static void
stop_crowd (Disk *disk)
{
  GstTestSink *others[N_CROWD];
  Pusher pusher = { 0 };

  g_object_set (disk->sink->sink, "drain-timeout", (guint64) 200 * GST_MSECOND, "max-bytes",
                (guint64) 500 * 1000, NULL);
  gst_test_sink_play (disk->sink, GST_FORMAT_BYTES);
  for (guint i = 0; i < N_CROWD; i++)
    {
      g_autofree char *name = g_strdup_printf ("crowd-%u", i);

      others[i] = disk_sink (disk, name);
      g_object_set (others[i]->sink, "drain-timeout", (guint64) 1, NULL);
      gst_test_sink_play (others[i], GST_FORMAT_BYTES);
    }
  disk_freeze (disk);
  pusher_start (&pusher, disk->sink);
  for (guint i = 0; i < N_CROWD; i++)
    g_assert_cmpint (push_number (others[i], i), ==, GST_FLOW_OK);
  for (guint i = 0; i < N_CROWD; i++)
    {
      gst_test_sink_stop (others[i]);
      assert_lost (others[i], BUFFER_BYTES);
      gst_test_sink_free (others[i]);
    }
  gst_test_sink_stop (disk->sink);
  g_thread_join (pusher.thread);
  g_assert_cmpint (pusher.ret, ==, GST_FLOW_FLUSHING);
  assert_lost (disk->sink, (gsize) pusher.n_pushed * BUFFER_BYTES);
  gst_test_sink_free (g_steal_pointer (&disk->sink));
  disk_thaw (disk);
}

static void
test_stop_crowd (void)
{
  on_each_disk (stop_crowd);
}

static const GstStructure *
wait_for_stall (GstTestSink *t, GstMessage **message)
{
  for (;;)
    {
      const GstStructure *what;

      *message = gst_test_wait_message (t->bus, GST_MESSAGE_ELEMENT);
      what = gst_message_get_structure (*message);
      if (gst_structure_has_name (what, "gaiofilesink-stall"))
        return what;
      gst_message_unref (*message);
    }
}

/* Asserts that each stall that was told has ended, and returns how many more there were. */
static guint
count_stalls (GstTestSink *t)
{
  GstMessage *message;
  gboolean active = FALSE;
  guint n = 0;

  while ((message = gst_bus_pop_filtered (t->bus, GST_MESSAGE_ELEMENT)) != NULL)
    {
      const GstStructure *what = gst_message_get_structure (message);

      if (gst_structure_has_name (what, "gaiofilesink-stall"))
        {
          gboolean was_active = active;

          g_assert_true (gst_structure_get_boolean (what, "active", &active));
          g_assert_cmpint (active, !=, was_active);
          n += active;
        }
      gst_message_unref (message);
    }
  g_assert_false (active);
  return n;
}

/* Once when it begins to stand still, once when it moves again. A disk that has other things to do
 * as well may be slow once more afterwards. */

static void
stall_message (Disk *disk)
{
  GstTestSink *t = disk->sink;

  g_object_set (t->sink, "stall-warning", (guint64) 50 * GST_MSECOND, NULL);
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  disk_freeze (disk);
  for (guint i = 0; i < 20; i++)
    g_assert_cmpint (push_number (t, i), ==, GST_FLOW_OK);
  for (int active = TRUE; active >= FALSE; active--)
    {
      g_autoptr (GstMessage) message = NULL;
      const GstStructure *what = wait_for_stall (t, &message);
      gboolean is_active = -1;
      guint64 age = 0;
      guint64 level = 0;

      g_assert_true (gst_structure_get (what, "active", G_TYPE_BOOLEAN, &is_active, "age",
                                        G_TYPE_UINT64, &age, "level-bytes", G_TYPE_UINT64, &level,
                                        NULL));
      g_assert_cmpint (is_active, ==, active);
      g_assert_cmpuint (age, >=, 50 * GST_MSECOND);
      if (active)
        {
          g_assert_cmpuint (level, >, 0);
          disk_thaw (disk);
          g_assert_true (gst_pad_push_event (t->src, gst_event_new_eos ()));
        }
    }
  gst_test_sink_stop (t);
  gst_test_sink_assert_no_error (t);
  g_assert_cmpuint (gst_test_sink_stat (t, "stalls"), ==, 1 + count_stalls (t));
}

static void
test_stall_message (void)
{
  on_each_disk (stall_message);
}

int
main (int argc, char **argv)
{
  file_mount_init ();
  gst_test_init (&argc, &argv);
  gaio_test_add ("/file-sink/freeze/room", test_room);
  gaio_test_add ("/file-sink/freeze/camera", test_camera);
  gaio_test_add ("/file-sink/freeze/flush", test_flush);
  gaio_test_add ("/file-sink/freeze/states", test_states);
  gaio_test_add ("/file-sink/freeze/drop", test_drop);
  gaio_test_add ("/file-sink/freeze/error", test_error);
  gaio_test_add ("/file-sink/freeze/crowd", test_crowd);
  gaio_test_add ("/file-sink/freeze/crowd-of-name", test_crowd_of_name);
  gaio_test_add ("/file-sink/freeze/stop", test_stop);
  gaio_test_add ("/file-sink/freeze/again", test_again);
  gaio_test_add ("/file-sink/freeze/stop-crowd", test_stop_crowd);
  gaio_test_add ("/file-sink/freeze/stall-message", test_stall_message);
  return g_test_run ();
}
