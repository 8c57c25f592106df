/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Shows that the harness fails a test that leaves something behind, and names it: a harness that
 * passes everything would make all the other tests worthless. Each leak happens in a subprocess,
 * whose failure is what is wanted here. */

#include <fcntl.h>
#include <unistd.h>

#include "gaio-test.h"

static gpointer
sleep_for_ever (gpointer data)
{
  for (;;)
    pause ();
  return NULL;
}

static gpointer
end_soon (gpointer data)
{
  g_usleep (1000);
  return NULL;
}

static gboolean
go_on (gpointer data)
{
  return G_SOURCE_CONTINUE;
}

static void
leak_nothing (void)
{
  int fd = open ("/dev/null", O_RDONLY | O_CLOEXEC);
  GThread *thread = g_thread_new ("short", end_soon, NULL);
  guint source = g_idle_add (go_on, NULL);

  g_assert_cmpint (fd, >=, 0);
  close (fd);
  g_thread_join (thread);
  g_source_remove (source);
}

static void
leak_fd (void)
{
  g_assert_cmpint (open ("/dev/full", O_RDONLY | O_CLOEXEC), >=, 0);
}

static void
leak_thread (void)
{
  g_thread_unref (g_thread_new ("sleeper", sleep_for_ever, NULL));
}

static void
leak_source (void)
{
  g_idle_add (go_on, NULL);
}

static void
leak_context (GaioTestLoop *loop)
{
  g_object_ref (loop->context);
}

static void
leak_private_source (GaioTestLoop *loop)
{
  g_autoptr (GSource) source = g_timeout_source_new (G_MAXINT / 2);

  g_source_attach (source, loop->main_context);
}

static void
leak_private_watch (GaioTestLoop *loop)
{
  g_autoptr (GIOChannel) channel = g_io_channel_unix_new (0);
  g_autoptr (GSource) source = g_io_create_watch (channel, G_IO_ERR);

  g_source_attach (source, loop->main_context);
}

static void
keep_everything (GaioTestLoop *loop)
{
  gaio_test_settle (loop);
  g_assert_cmpint (gaio_test_turn (loop, FALSE), ==, FALSE);
}

/* `path` is a test that main() adds only in a subprocess. */
static void
assert_fails (const char *path, const char *pattern)
{
  g_test_trap_subprocess (path, 0, 0);
  g_test_trap_assert_failed ();
  g_test_trap_assert_stderr (pattern);
}

static void
test_clean (void)
{
  g_test_trap_subprocess ("/harness/nothing/subprocess", 0, 0);
  g_test_trap_assert_passed ();
  g_test_trap_subprocess ("/harness/everything/subprocess/by-source", 0, 0);
  g_test_trap_assert_passed ();
}

static void
test_fd (void)
{
  assert_fails ("/harness/fd/subprocess", "*leaked fd * (/dev/full)*");
}

static void
test_thread (void)
{
  assert_fails ("/harness/thread/subprocess", "*leaked thread * (sleeper)*");
}

static void
test_source (void)
{
  assert_fails ("/harness/source/subprocess", "*leaked source in the default GMainContext*");
}

static void
test_context (void)
{
  assert_fails ("/harness/context/subprocess/by-poll", "*leaked the context*");
}

static void
test_private_source (void)
{
  assert_fails ("/harness/private-source/subprocess/by-poll", "*leaked source in the private*");
  assert_fails ("/harness/private-watch/subprocess/by-source", "*leaked source in the private*");
}

int
main (int argc, char **argv)
{
  gaio_test_init (&argc, &argv);

  gaio_test_add ("/harness/clean", test_clean);
  gaio_test_add ("/harness/fd", test_fd);
  gaio_test_add ("/harness/thread", test_thread);
  gaio_test_add ("/harness/source", test_source);
  gaio_test_add ("/harness/context", test_context);
  gaio_test_add ("/harness/private-source", test_private_source);

  /* GTest runs a path with "/subprocess" in it only when asked for by name. */
  gaio_test_add ("/harness/nothing/subprocess", leak_nothing);
  gaio_test_add_driver_matrix ("/harness/everything/subprocess", keep_everything);
  gaio_test_add ("/harness/fd/subprocess", leak_fd);
  gaio_test_add ("/harness/thread/subprocess", leak_thread);
  gaio_test_add ("/harness/source/subprocess", leak_source);
  gaio_test_add_driver_matrix ("/harness/context/subprocess", leak_context);
  gaio_test_add_driver_matrix ("/harness/private-source/subprocess", leak_private_source);
  gaio_test_add_driver_matrix ("/harness/private-watch/subprocess", leak_private_watch);

  return g_test_run ();
}
