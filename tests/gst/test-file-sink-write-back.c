/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* gaiofilesink on a disk that promises more than it has: the page cache takes every byte, and when
 * they are brought to the disk there is no room. filesink ends such a stream as if all were well,
 * and most of the file is gone. */

#include <errno.h>
#include <fcntl.h>
#include <glib/gstdio.h>
#include <unistd.h>

#include "file-mount.h"
#include "gst-test-stream.h"

#define ROOM_BYTES (80 * 1024 * 1024) /* XFS wants most of it for itself */
#define STREAM_BYTES (128 * 1024 * 1024)

typedef void (*SetUpFunc) (GstTestSink *t);

static void
push_too_much (GstTestSink *t, gboolean *refused)
{
  g_autofree guint32 *data = g_malloc (1024 * 1024);

  gst_test_sink_play (t, GST_FORMAT_BYTES);
  *refused = FALSE;
  for (guint i = 0; i < STREAM_BYTES / (1024 * 1024) && !*refused; i++)
    {
      GstBuffer *buffer = gst_buffer_new_allocate (NULL, 1024 * 1024, NULL);

      /* A loop device need not write zeros. */
      for (guint j = 0; j < 1024 * 1024 / sizeof *data; j++)
        data[j] = g_random_int ();
      gst_buffer_fill (buffer, 0, data, 1024 * 1024);
      *refused = gst_pad_push (t->src, buffer) != GST_FLOW_OK;
    }
}

/* One error, of no room or of what became of it, and no EOS. ext4 may have made itself read-only by
 * then. */
static void
assert_found (GstTestSink *t)
{
  GstTestOutcome *outcome = gst_test_stream_stop (t);

  g_test_message ("%s", outcome->debug);
  g_assert_cmpuint (outcome->n_eos, ==, 0);
  g_assert_cmpuint (outcome->n_errors, ==, 1);
  g_assert_true (outcome->errnum == ENOSPC || outcome->errnum == EIO || outcome->errnum == EROFS);
  g_assert_true (outcome->code == GST_RESOURCE_ERROR_NO_SPACE_LEFT ||
                 outcome->code == GST_RESOURCE_ERROR_SYNC || outcome->errnum == EROFS);
  gst_test_outcome_free (outcome);
}

static FileMount *
mount_thin (const char *type)
{
  g_autofree char *why = NULL;
  FileMount *mount = file_mount_new (type, ROOM_BYTES, &why);

  if (mount == NULL)
    g_test_skip (why);
  return mount;
}

static void
on_thin_disk (const char *type, SetUpFunc set_up, void (*before_eos) (GstTestSink *t))
{
  g_autoptr (FileMount) mount = mount_thin (type);
  g_autofree char *path = NULL;
  GstTestSink *t;
  gboolean refused;

  if (mount == NULL)
    return;
  path = g_build_filename (mount->dir, "out", NULL);
  t = gst_test_sink_new (path);
  set_up (t);
  push_too_much (t, &refused);
  if (before_eos != NULL && !refused)
    before_eos (t);
  g_assert_false (gst_pad_push_event (t->src, gst_event_new_eos ()));
  assert_found (t);
  gst_test_sink_free (t);
}

/* With sync-mode=eos always. */
static void
sync_at_eos (GstTestSink *t)
{
  gst_util_set_object_arg (G_OBJECT (t->sink), "sync-mode", "eos");
}

static void
test_eos (void)
{
  for (guint i = 0; i < (g_test_thorough () ? 20 : 2); i++)
    {
      on_thin_disk ("ext4", sync_at_eos, NULL);
      on_thin_disk ("xfs", sync_at_eos, NULL);
    }
}

/* While the stream is still running: the test pushes nothing more, and waits for the message. */
static void
sync_often (GstTestSink *t)
{
  gst_util_set_object_arg (G_OBJECT (t->sink), "sync-mode", "periodic");
  g_object_set (t->sink, "sync-interval", 20, NULL);
}

static void
wait_for_refusal (GstTestSink *t)
{
  while (gst_test_sink_push (t, 10) == GST_FLOW_OK)
    g_usleep (1000);
}

static void
test_periodic (void)
{
  on_thin_disk ("ext4", sync_often, wait_for_refusal);
  on_thin_disk ("xfs", sync_often, wait_for_refusal);
}

/* Without any sync, if it has happened already. Somebody else's sync of the file makes it happen;
 * the kernel tells each who has the file open. */
static void
sync_never (GstTestSink *t)
{
}

static void
write_back (GstTestSink *t)
{
  int fd = open (t->path, O_RDONLY | O_CLOEXEC);

  g_assert_cmpint (fd, >=, 0);
  while (gst_test_sink_stat (t, "level-bytes") > 0)
    g_usleep (1000);
  g_assert_cmpint (fdatasync (fd), ==, -1);
  close (fd);
}

static void
test_none (void)
{
  on_thin_disk ("ext4", sync_never, write_back);
  on_thin_disk ("xfs", sync_never, write_back);
}

int
main (int argc, char **argv)
{
  file_mount_init ();
  gst_test_init (&argc, &argv);
  gaio_test_add ("/file-sink/write-back/eos", test_eos);
  gaio_test_add ("/file-sink/write-back/periodic", test_periodic);
  gaio_test_add ("/file-sink/write-back/none", test_none);
  return g_test_run ();
}
