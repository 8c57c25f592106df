/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* gaiofilesink when a write fails: one error message with filesink's code, before an EOS message
 * could be posted and instead of it; the file holds what came before the failure. */

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <unistd.h>

#include "gst-test.h"

/* Pushes until the sink says no, which it does when the write has failed and not sooner. */
static GstFlowReturn
push_until_refused (GstTestSink *t, gsize size)
{
  GstFlowReturn ret;

  do
    ret = gst_test_sink_push (t, size);
  while (ret == GST_FLOW_OK);
  return ret;
}

static void
assert_no_eos (GstTestSink *t)
{
  g_autoptr (GstMessage) message = gst_bus_pop_filtered (t->bus, GST_MESSAGE_EOS);

  g_assert_null (message);
}

/* Who gets the refusal finds the message on the bus already: that is asserted without waiting. */
static void
assert_error_is_there (GstTestSink *t, GstResourceError code, int errnum, const char *name)
{
  g_assert_true (gst_bus_have_pending (t->bus));
  g_assert_cmpint (gst_test_sink_assert_error (t, code, name), ==, errnum);
}

static void
full_in_flow (gsize size)
{
  GstTestSink *t = gst_test_sink_new ("/dev/full");

  gst_test_sink_play (t, GST_FORMAT_BYTES);
  g_assert_cmpint (push_until_refused (t, size), ==, GST_FLOW_ERROR);
  assert_error_is_there (t, GST_RESOURCE_ERROR_NO_SPACE_LEFT, ENOSPC, "ENOSPC");

  /* It stays so, and is not said twice. */
  g_assert_cmpint (gst_test_sink_push (t, size), ==, GST_FLOW_ERROR);
  g_assert_false (gst_pad_push_event (t->src, gst_event_new_eos ()));
  assert_no_eos (t);
  g_assert_cmpuint (gst_test_sink_stat (t, "bytes-written"), ==, 0);
  g_assert_cmpuint (gst_test_sink_stat (t, "level-bytes"), ==, 0);
  g_assert_cmpuint (gst_test_sink_stat (t, "bytes-lost"),
                    ==,
                    gst_test_sink_stat (t, "bytes-accepted"));
  gst_test_sink_stop (t);
  gst_test_sink_assert_no_error (t);

  /* The next run begins anew. */
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  g_assert_cmpint (push_until_refused (t, size), ==, GST_FLOW_ERROR);
  assert_error_is_there (t, GST_RESOURCE_ERROR_NO_SPACE_LEFT, ENOSPC, "ENOSPC");
  gst_test_sink_free (t);
}

static void
test_full_in_flow (void)
{
  full_in_flow (100);
  full_in_flow (300 * 1000);
}

static void
test_full_at_eos (void)
{
  GstTestSink *t = gst_test_sink_new ("/dev/full");

  gst_test_sink_play (t, GST_FORMAT_BYTES);
  g_assert_cmpint (gst_test_sink_push (t, 10), ==, GST_FLOW_OK);
  g_assert_false (gst_pad_push_event (t->src, gst_event_new_eos ()));
  assert_error_is_there (t, GST_RESOURCE_ERROR_NO_SPACE_LEFT, ENOSPC, "ENOSPC");
  assert_no_eos (t);
  gst_test_sink_free (t);
}

static void
test_full_at_stop (void)
{
  GstTestSink *t = gst_test_sink_new ("/dev/full");

  gst_test_sink_play (t, GST_FORMAT_BYTES);
  g_assert_cmpint (gst_test_sink_push (t, 10), ==, GST_FLOW_OK);
  gst_test_sink_stop (t);
  assert_error_is_there (t, GST_RESOURCE_ERROR_NO_SPACE_LEFT, ENOSPC, "ENOSPC");
  gst_test_sink_free (t);
}

static void
test_full_with_sync_after (void)
{
  GstTestSink *t = gst_test_sink_new ("/dev/full");
  GstBuffer *buffer = gst_test_sink_buffer (t, 10, 1);

  GST_BUFFER_FLAG_SET (buffer, GST_BUFFER_FLAG_SYNC_AFTER);
  gst_util_set_object_arg (G_OBJECT (t->sink), "sync-after", "wait");
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  g_assert_cmpint (gst_pad_push (t->src, buffer), ==, GST_FLOW_ERROR);
  assert_error_is_there (t, GST_RESOURCE_ERROR_NO_SPACE_LEFT, ENOSPC, "ENOSPC");
  gst_test_sink_free (t);
}

/* A push that waits for room learns of the failure too. */
static void
test_full_while_waiting (void)
{
  GstTestSink *t = gst_test_sink_new ("/dev/full");

  g_object_set (t->sink, "max-bytes", (guint64) 1000, NULL);
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  g_assert_cmpint (gst_test_sink_push (t, 900), ==, GST_FLOW_OK);
  g_assert_cmpint (gst_test_sink_push (t, 900), ==, GST_FLOW_ERROR);
  assert_error_is_there (t, GST_RESOURCE_ERROR_NO_SPACE_LEFT, ENOSPC, "ENOSPC");
  gst_test_sink_free (t);
}

/* What was written is the beginning of what was pushed, and the message says how far. */
static void
assert_prefix (GstTestSink *t, guint64 written)
{
  g_autofree char *data = NULL;
  gsize length;

  g_assert_true (g_file_get_contents (t->path, &data, &length, NULL));
  g_assert_cmpuint (length, ==, written);
  for (gsize i = 0; i < length; i++)
    if ((guint8) data[i] != (guint8) i)
      g_error ("byte %" G_GSIZE_FORMAT " is %02x", i, (guint8) data[i]);
}

static guint64
take_error_offset (GstTestSink *t, GstResourceError code, int errnum)
{
  g_autoptr (GstMessage) message = gst_test_wait_message (t->bus, GST_MESSAGE_ERROR);
  const GstStructure *details = NULL;
  g_autoptr (GError) error = NULL;
  guint64 offset = 0;
  int found = 0;

  gst_message_parse_error (message, &error, NULL);
  g_assert_error (error, GST_RESOURCE_ERROR, (int) code);
  gst_message_parse_error_details (message, &details);
  g_assert_true (gst_structure_get (details,
                                    "offset", G_TYPE_UINT64, &offset,
                                    "errno", G_TYPE_INT, &found,
                                    NULL));
  g_assert_cmpint (found, ==, errnum);
  return offset;
}

static void
fill (GstTestSink *t, GstResourceError code, int errnum, guint64 at_least, guint64 at_most)
{
  guint64 offset;

  gst_test_sink_play (t, GST_FORMAT_BYTES);
  g_assert_cmpint (push_until_refused (t, 10000), ==, GST_FLOW_ERROR);
  offset = take_error_offset (t, code, errnum);
  g_assert_cmpuint (offset, >=, at_least);
  g_assert_cmpuint (offset, <=, at_most);
  g_assert_cmpuint (gst_test_sink_stat (t, "bytes-written"), ==, offset);
  gst_test_sink_stop (t);
  assert_prefix (t, offset);
}

/* Whether this process may mount something in a namespace of its own. */
static gboolean
can_mount (void)
{
  const char *argv[] = {
    "unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt", NULL,
  };
  int status = -1;

  return g_spawn_sync (NULL,
                       (char **) argv,
                       NULL,
                       G_SPAWN_SEARCH_PATH | G_SPAWN_STDOUT_TO_DEV_NULL |
                           G_SPAWN_STDERR_TO_DEV_NULL,
                       NULL,
                       NULL,
                       NULL,
                       NULL,
                       &status,
                       NULL) &&
         status == 0;
}

static void
test_tmpfs_full (void)
{
  g_autofree char *dir = NULL;
  g_autofree char *path = NULL;
  GstTestSink *t;

  if (!g_test_subprocess ())
    {
      if (!can_mount ())
        {
          g_test_skip ("a small tmpfs can be mounted by root only, and not in every container");
          return;
        }
      g_test_trap_subprocess (NULL, 0, 0);
      g_test_trap_assert_passed ();
      return;
    }

  /* In a mount namespace of this process, so that nothing is left behind whatever happens. */
  dir = gst_test_make_dir ();
  path = g_build_filename (dir, "out", NULL);
  g_assert_cmpint (unshare (CLONE_NEWNS), ==, 0);
  g_assert_cmpint (mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), ==, 0);
  g_assert_cmpint (mount ("tmpfs", dir, "tmpfs", 0, "size=1m"), ==, 0);
  t = gst_test_sink_new (path);
  fill (t, GST_RESOURCE_ERROR_NO_SPACE_LEFT, ENOSPC, 900 * 1024, 1024 * 1024);
  gst_test_sink_free (t);
  g_remove (path);
  g_assert_cmpint (umount (dir), ==, 0);
  g_rmdir (dir);
}

static void
test_file_size_limit (void)
{
  const struct rlimit limit = { 200 * 1000, 200 * 1000 };
  GstTestSink *t;

  if (!g_test_subprocess ())
    {
      g_test_trap_subprocess (NULL, 0, 0);
      g_test_trap_assert_passed ();
      return;
    }
  /* The signal that the kernel sends with it kills a program that does nothing against it. */
  t = gst_test_sink_new (NULL);
  g_assert_cmpint (setrlimit (RLIMIT_FSIZE, &limit), ==, 0);
  fill (t, GST_RESOURCE_ERROR_WRITE, EFBIG, limit.rlim_cur, limit.rlim_cur);
  gst_test_sink_free (t);
}

/* Memory that nobody can read. */

#define TEST_TYPE_ALLOCATOR (test_allocator_get_type ())
G_DECLARE_FINAL_TYPE (TestAllocator, test_allocator, TEST, ALLOCATOR, GstAllocator)

struct _TestAllocator
{
  GstAllocator parent_instance;
};

G_DEFINE_FINAL_TYPE (TestAllocator, test_allocator, GST_TYPE_ALLOCATOR)

static GstMemory *
test_allocator_alloc (GstAllocator *allocator, gsize size, GstAllocationParams *params)
{
  GstMemory *memory = g_new0 (GstMemory, 1);

  gst_memory_init (memory, 0, allocator, NULL, size, 0, 0, size);
  return memory;
}

static void
test_allocator_free (GstAllocator *allocator, GstMemory *memory)
{
  g_free (memory);
}

static gpointer
test_allocator_map (GstMemory *memory, gsize size, GstMapFlags flags)
{
  return NULL;
}

static void
test_allocator_unmap (GstMemory *memory)
{
  g_assert_not_reached ();
}

static void
test_allocator_class_init (TestAllocatorClass *klass)
{
  GST_ALLOCATOR_CLASS (klass)->alloc = test_allocator_alloc;
  GST_ALLOCATOR_CLASS (klass)->free = test_allocator_free;
}

static void
test_allocator_init (TestAllocator *self)
{
  GST_ALLOCATOR (self)->mem_type = "Unreadable";
  GST_ALLOCATOR (self)->mem_map = test_allocator_map;
  GST_ALLOCATOR (self)->mem_unmap = test_allocator_unmap;
}

static void
unmappable (const char *mem_type)
{
  GstTestSink *t = gst_test_sink_new (NULL);
  GstAllocator *allocator = gst_object_ref_sink (g_object_new (TEST_TYPE_ALLOCATOR, NULL));
  GstBuffer *buffer = gst_test_sink_buffer (t, 100000, 1);
  const guint8 image[] = { 0xa0, 0xa1, 0xa2 };

  allocator->mem_type = mem_type;
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  t->next = image[0];
  g_assert_cmpint (gst_test_sink_push (t, sizeof image), ==, GST_FLOW_OK);
  gst_buffer_append_memory (buffer, gst_allocator_alloc (allocator, 100000, NULL));
  g_assert_cmpint (gst_pad_push (t->src, gst_buffer_ref (buffer)), ==, GST_FLOW_ERROR);
  assert_error_is_there (t, GST_RESOURCE_ERROR_WRITE, EFAULT, "cannot map");

  /* Nothing more is accepted, since it would stand in the wrong place; one message is enough. */
  g_assert_cmpint (gst_pad_push (t->src, buffer), ==, GST_FLOW_ERROR);
  g_assert_cmpint (gst_test_sink_push (t, 10), ==, GST_FLOW_ERROR);
  g_assert_false (gst_pad_push_event (t->src, gst_event_new_eos ()));
  assert_no_eos (t);
  gst_test_sink_assert_no_error (t);
  g_assert_cmpint (gst_test_sink_position (t), ==, sizeof image);
  g_assert_cmpuint (gst_test_sink_stat (t, "bytes-accepted"), ==, sizeof image);
  gst_test_sink_stop (t);

  /* Nothing of the buffer is in the file: half of it would be a silent gap. */
  gst_test_assert_file (t->path, image, sizeof image);
  gst_test_sink_free (t);
  g_assert_cmpint (GST_OBJECT_REFCOUNT_VALUE (allocator), ==, 1);
  gst_object_unref (allocator);
}

/* Two different failures are one message too. */
static void
test_first_error_only (void)
{
  GstTestSink *t = gst_test_sink_new ("/dev/full");

  /* The write does not begin by itself, so it is known which one is the first. */
  gst_test_sink_set (t, "flush-interval", "4294967295");
  gst_test_sink_play (t, GST_FORMAT_BYTES);
  g_assert_cmpint (gst_test_sink_push (t, 10), ==, GST_FLOW_OK);
  gst_test_sink_segment (t, GST_FORMAT_BYTES, (guint64) G_MAXINT64 + 1);
  g_assert_cmpint (gst_test_sink_push (t, 10), ==, GST_FLOW_ERROR);
  gst_test_sink_stop (t);
  gst_test_sink_assert_error (t, GST_RESOURCE_ERROR_SEEK, NULL);
  gst_test_sink_free (t);
}

static void
test_unmappable (void)
{
  unmappable ("Unreadable");            /* on the way to a copy */
  unmappable (GST_ALLOCATOR_SYSMEM);    /* on the way to a reference */
}

/* A file takes one descriptor, and an I/O thread a few. */
static void
test_no_descriptors (void)
{
  for (guint n = 0; n < 6; n++)
    {
      GstTestSink *t = gst_test_sink_new (NULL);
      GstStateChangeReturn ret;

      gst_test_take_descriptors (n);
      ret = gst_element_set_state (t->sink, GST_STATE_READY);
      gst_test_give_descriptors ();
      g_assert_true (n > 1 || ret == GST_STATE_CHANGE_FAILURE);
      if (ret == GST_STATE_CHANGE_FAILURE)
        g_assert_cmpint (gst_test_sink_assert_error (t, GST_RESOURCE_ERROR_OPEN_WRITE,
                                                     "Too many open files"), ==, EMFILE);
      gst_test_sink_stop (t);
      gst_test_sink_free (t);
    }
}

int
main (int argc, char **argv)
{
  gst_test_init (&argc, &argv);
  gaio_test_add ("/file-sink/errors/full/in-flow", test_full_in_flow);
  gaio_test_add ("/file-sink/errors/full/at-eos", test_full_at_eos);
  gaio_test_add ("/file-sink/errors/full/at-stop", test_full_at_stop);
  gaio_test_add ("/file-sink/errors/full/sync-after", test_full_with_sync_after);
  gaio_test_add ("/file-sink/errors/full/while-waiting", test_full_while_waiting);
  gaio_test_add ("/file-sink/errors/tmpfs-full", test_tmpfs_full);
  gaio_test_add ("/file-sink/errors/file-size-limit", test_file_size_limit);
  gaio_test_add ("/file-sink/errors/unmappable", test_unmappable);
  gaio_test_add ("/file-sink/errors/first-only", test_first_error_only);
  gaio_test_add ("/file-sink/errors/no-descriptors", test_no_descriptors);
  return g_test_run ();
}
