/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* GAIO_DEBUG is read before main(), so each setting needs a process of its own. */

#include <gaio/base/gaio-debug-private.h>

#include "gaio-test.h"

/* Runs this program as a child that prints one message of two topics, and returns what it wrote
 * to standard error. */
static char *
run_child (const char *setting)
{
  const char *const command[] = { "/proc/self/exe", "--child", NULL };
  g_auto (GStrv) environment = g_get_environ ();
  g_autofree char *output = NULL;
  g_autoptr (GError) error = NULL;
  char *text = NULL;
  int wait_status = -1;

  if (setting != NULL)
    environment = g_environ_setenv (environment, "GAIO_DEBUG", setting, TRUE);
  else
    environment = g_environ_unsetenv (environment, "GAIO_DEBUG");
  g_spawn_sync (NULL, (char **) command, environment, G_SPAWN_DEFAULT, NULL, NULL, &output, &text,
                &wait_status, &error);
  g_assert_no_error (error);
  g_assert_true (g_spawn_check_wait_status (wait_status, &error));
  return text;
}

static int
child (void)
{
  int evaluated = 0;

  gaio_debug (RING, "depth %d", 128);
  gaio_debug (FILE, "opened %s %d", "a", ++evaluated);
  /* An argument costs nothing while its topic is off. */
  return evaluated == ((gaio_debug_topics & GAIO_DEBUG_FILE) != 0) ? 0 : 1;
}

static void
assert_output (const char *setting, const char *expected)
{
  g_autofree char *text = run_child (setting);

  g_assert_true (g_regex_match_simple (expected, text, G_REGEX_DOLLAR_ENDONLY, 0));
}

static void
test_topics (void)
{
  assert_output (NULL, "^$");
  assert_output ("", "^$");
  assert_output ("ring", "^gaio-ring \\[\\d+\\] depth 128\n$");
  assert_output ("pool,file", "^gaio-file \\[\\d+\\] opened a 1\n$");
  assert_output ("all",
                 "^gaio-ring \\[\\d+\\] depth 128\ngaio-file \\[\\d+\\] opened a 1\n$");
  assert_output ("nonsense", "^$");
}

static void
test_help (void)
{
  g_autofree char *text = run_child ("help");

  for (const char *const *topic = (const char *const[]){ "ring", "loop", "pool", "file", NULL };
       *topic != NULL;
       topic++)
    g_assert_nonnull (strstr (text, *topic));
}

int
main (int argc, char **argv)
{
  if (argc > 1 && g_strcmp0 (argv[1], "--child") == 0)
    return child ();

  gaio_test_init (&argc, &argv);

  gaio_test_add ("/debug/topics", test_topics);
  gaio_test_add ("/debug/help", test_help);

  return g_test_run ();
}
