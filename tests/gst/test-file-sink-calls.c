/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Which system calls the thread that pushes makes: none on a file, between the start and the end
 * of the stream. strace looks on, at this program again; where there is none, or it may not trace,
 * the test is skipped.
 *
 * The pushing thread marks the beginning and the end of what counts by a read of a descriptor that
 * there is not, and its name is in front of what strace writes for it. */

#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "file-mount.h"
#include "gst-test-stream.h"

#define BEGIN_FD 1000001
#define END_FD 1000002

static void
mark (int fd)
{
  char c;

  g_assert_cmpint (read (fd, &c, 1), ==, -1);
}

/* The program that is looked at. */
static int
push_all (const char *path)
{
  g_autoptr (GstTestStream) stream = gst_test_stream_new (
      1, 8 * 1000 * 1000, 200 * 1000, GST_TEST_STREAM_SEEKS | GST_TEST_STREAM_SYNCS);
  GstTestSink *t = gst_test_sink_new (path);

  gst_test_stream_start (t);
  mark (BEGIN_FD);
  g_assert_cmpint (gst_test_stream_push (stream, t), ==, GST_FLOW_OK);
  mark (END_FD);
  g_assert_true (gst_pad_push_event (t->src, gst_event_new_eos ()));
  gst_test_sink_free (t);
  return 0;
}

/* What is not about a file: memory, locks, time, and the waking of another thread. */
static gboolean
is_harmless (const char *line)
{
  static const char *const names[] = {
    "futex(",         "mmap(",         "munmap(",      "mprotect(", "madvise(", "brk(",
    "clock_gettime(", "gettimeofday(", "sched_yield(", "rt_sig",    "--- ",     "restart_syscall(",
    "mremap(",        "getpid(",
  };

  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (g_str_has_prefix (line, names[i]))
      return TRUE;
  /* An eventfd takes the number one in eight bytes, and no such bytes are in the stream. */
  return g_str_has_prefix (line, "write(") &&
         strstr (line, "\"\\1\\0\\0\\0\\0\\0\\0\\0\", 8") != NULL;
}

static gboolean
trace (const char *out, const char *path)
{
  g_autofree char *strace = g_find_program_in_path ("strace");
  g_autofree char *self = g_file_read_link ("/proc/self/exe", NULL);
  const char *argv[] = { strace, "-f", "-qq", "-o", out, self, "--push", path, NULL };
  g_autoptr (GError) error = NULL;
  int status = 0;

  if (strace == NULL)
    {
      g_test_skip ("there is no strace");
      return FALSE;
    }
  if (g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_DEFAULT, NULL, NULL, NULL, NULL, &status,
                    &error) &&
      g_spawn_check_wait_status (status, &error))
    return TRUE;
  g_test_message ("%s", error->message);
  g_test_skip ("strace may not trace here");
  return FALSE;
}

static void
test_calls (void)
{
  g_autofree char *dir = gst_test_make_dir ();
  g_autofree char *path = g_build_filename (dir, "out", NULL);
  g_autofree char *out = g_build_filename (dir, "calls", NULL);
  g_autofree char *text = NULL;
  g_autofree char *thread = NULL;
  g_auto (GStrv) lines = NULL;
  gboolean counts = FALSE;
  guint n_marks = 0;

  if (!trace (out, path))
    {
      gst_test_remove_dir (dir);
      return;
    }
  g_assert_true (g_file_get_contents (out, &text, NULL, NULL));
  lines = g_strsplit (text, "\n", -1);
  for (guint i = 0; lines[i] != NULL; i++)
    {
      const char *call = strchr (lines[i], ' ');

      if (call == NULL)
        continue;
      call += strspn (call, " ");
      if (g_str_has_prefix (call, "read(1000001"))
        {
          thread = g_strndup (lines[i], strcspn (lines[i], " ") + 1);
          counts = TRUE;
          n_marks++;
        }
      else if (g_str_has_prefix (call, "read(1000002"))
        {
          counts = FALSE;
          n_marks++;
        }
      else if (counts && g_str_has_prefix (lines[i], thread) && !is_harmless (call) &&
               !g_str_has_prefix (call, "<..."))
        {
          g_error ("the pushing thread calls %s", call);
        }
    }
  g_assert_cmpuint (n_marks, ==, 2);
  gst_test_remove_dir (dir);
}

int
main (int argc, char **argv)
{
  if (argc == 3 && strcmp (argv[1], "--push") == 0)
    {
      int one = 1;

      gst_test_init (&one, &argv);
      return push_all (argv[2]);
    }
  gst_test_init (&argc, &argv);
  gaio_test_add ("/file-sink/calls", test_calls);
  return g_test_run ();
}
