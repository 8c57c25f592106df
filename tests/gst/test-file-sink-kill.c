/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* A process that records with gaiofilesink and is killed: the file is the beginning of what was
 * pushed, without a hole, however far it came, and has what was told to be written.
 *
 * The process is this program again. It says on its standard output how much the sink's own count
 * of written bytes is; `-m thorough` kills some hundreds. */

#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "file-mount.h"
#include "gst-test-stream.h"

#define STREAM_BYTES (64 * 1024 * 1024)

/* Records until it is killed, or the stream is at its end and the file begins anew. */
static int
record (const char *path, const char *settings, guint32 seed)
{
  g_autoptr (GstTestStream) stream =
      gst_test_stream_new (seed, STREAM_BYTES, 300 * 1000, GST_TEST_STREAM_PLAIN);
  GstTestSink *t = gst_test_sink_new (path);
  g_auto (GStrv) pairs = g_strsplit (settings, " ", -1);

  for (guint i = 0; pairs[i] != NULL && pairs[i + 1] != NULL; i += 2)
    gst_util_set_object_arg (G_OBJECT (t->sink), pairs[i], pairs[i + 1]);
  gst_test_stream_start (t);
  g_assert_cmpint (write (STDOUT_FILENO, "!", 1), ==, 1);
  gst_test_stream_push (stream, t);
  pause ();
  return 0;
}

static void
kill_one (const char *path, const char *settings, guint32 seed)
{
  g_autofree char *number = g_strdup_printf ("%u", seed);
  const char *argv[] = { "/proc/self/exe", "--record", path, settings, number, NULL };
  g_autoptr (GstTestStream) stream =
      gst_test_stream_new (seed, STREAM_BYTES, 300 * 1000, GST_TEST_STREAM_PLAIN);
  g_autoptr (GByteArray) whole = gst_test_stream_get_file (stream, STREAM_BYTES);
  g_autoptr (GError) error = NULL;
  g_autofree char *found = NULL;
  gsize length = 0;
  GPid pid;
  int out;
  char c;

  g_spawn_async_with_pipes (NULL, (char **) argv, NULL,
                            G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL,
                            &pid, NULL, &out, NULL, &error);
  g_assert_no_error (error);
  do
    g_assert_cmpint (read (out, &c, 1), ==, 1);
  while (c != '!');
  g_usleep (g_random_int_range (0, 60 * 1000));
  kill (pid, SIGKILL);
  g_assert_cmpint (waitpid (pid, NULL, 0), ==, pid);
  g_spawn_close_pid (pid);
  close (out);

  g_file_get_contents (path, &found, &length, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (length, <=, whole->len);
  if (memcmp (found, whole->data, length) != 0)
    for (gsize i = 0; i < length; i++)
      if ((guint8) found[i] != whole->data[i])
        g_error ("with \"%s\", of %" G_GSIZE_FORMAT " bytes the one at %" G_GSIZE_FORMAT " is %02x",
                 settings, length, i, (guint8) found[i]);
  g_test_message ("%s: %" G_GSIZE_FORMAT " bytes", settings, length);
}

static void
kill_many (const char *type)
{
  /* The ways in which a stream gets to the disk. */
  static const char *const settings[] = {
    "",
    "chunk-size 65536",
    "preallocate 8388608",
    "sync-mode periodic sync-interval 5",
  };
  g_autofree char *why = NULL;
  g_autoptr (FileMount) mount = file_mount_new (type, 0, &why);
  g_autofree char *path = NULL;

  if (mount == NULL)
    {
      g_test_skip (why);
      return;
    }
  path = g_build_filename (mount->dir, "out", NULL);
  for (guint i = 0; i < (g_test_thorough () ? 300 : 8); i++)
    kill_one (path, settings[i % G_N_ELEMENTS (settings)], i);
}

static void
test_ext4 (void)
{
  kill_many ("ext4");
}

static void
test_xfs (void)
{
  kill_many ("xfs");
}

static void
test_btrfs (void)
{
  kill_many ("btrfs");
}

int
main (int argc, char **argv)
{
  if (argc == 5 && strcmp (argv[1], "--record") == 0)
    {
      int one = 1;

      gst_test_init (&one, &argv);
      return record (argv[2], argv[3], (guint32) g_ascii_strtoull (argv[4], NULL, 10));
    }
  file_mount_init ();
  gst_test_init (&argc, &argv);
  gaio_test_add ("/file-sink/kill/ext4", test_ext4);
  gaio_test_add ("/file-sink/kill/xfs", test_xfs);
  gaio_test_add ("/file-sink/kill/btrfs", test_btrfs);
  return g_test_run ();
}
