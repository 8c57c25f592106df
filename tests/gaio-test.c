/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The harness of the C tests.
 *
 * A test body is written once, as a function of a loop, and registered for every way a loop can
 * run: each fd monitor, each engine, turned by gaio_context_poll() or by a GMainContext. A leg that
 * this system does not have is skipped, and the log says why.
 *
 * Around each test the harness looks at /proc/self/fd and /proc/self/task and asks the default
 * GMainContext for its sources; what is there afterwards and was not before fails the test, by
 * name. What a process makes only once (the default context, the default pool) is made by
 * gaio_test_init(), so that it does not look like a leak of the first test that uses it.
 *
 * The loops of the matrix have no dispatch budget: with one, how much a turn of a GSource does
 * would depend on how fast the machine is at that moment. What is about the budget sets its own.
 *
 * It does not isolate tests from each other: they run one after another in one process, so a test
 * that needs a process of its own uses g_test_trap_subprocess(). tests/base/test-harness.c shows
 * that the harness fails when it should. */

#include <dirent.h>
#include <glib-unix.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gaio-test.h"

/* What a test leaves may need a moment to go: a thread that was joined or told to leave, a worker
 * after its idle time, a request that nobody waits for, a reference that a thread of GIO's drops
 * after its callback. So often it is looked for, a millisecond or more apart. Tries and not a time:
 * a machine that stood still for seconds has used up one. Only a test that fails needs them all;
 * those of the harness itself fail on purpose, in subprocesses. */
#define LEAK_TRIES 10000
#define SUBPROCESS_LEAK_TRIES 250

/* Workers of the default pool leave at once, so that they are not there at the next look. */
#define POOL_IDLE_TIMEOUT_MS 1

/* Turns in a row without progress that mean that nothing is left to do. */
#define SETTLED_TURNS 3

/* Turns after which a loop that always finds something to do is a failure. */
#define MAX_TURNS 100000

typedef enum
{
  VARY_NOTHING,
  VARY_MONITOR,
  VARY_ENGINE,
} Variation;

typedef struct
{
  GaioTestFunc func; /* or */
  GaioTestBody body;
  Variation variation;
  int value; /* of the monitor or the engine */
  GaioTestDriver driver;
} Case;

struct _GaioTestLeaks
{
  GHashTable *fds;     /* number -> what it is open on */
  GHashTable *threads; /* number -> name */
  gboolean idle;       /* nothing in the default GMainContext */
};

/* Threads that are not gaio's and stay for the life of the process: GLib's own, and the kernel's
 * workers of an io_uring, which belong to the process and not to the ring. */
static gboolean
is_foreign_thread (const char *name)
{
  static const char *const prefixes[] = { "gmain", "gdbus", "pool-", "iou-wrk", "iou-sqp" };

  for (guint i = 0; i < G_N_ELEMENTS (prefixes); i++)
    if (g_str_has_prefix (name, prefixes[i]))
      return TRUE;
  return FALSE;
}

static char *
describe_fd (int number)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/fd/%d", number);

  return g_file_read_link (path, NULL);
}

static char *
describe_thread (int number)
{
  g_autofree char *path = g_strdup_printf ("/proc/self/task/%d/comm", number);
  g_autofree char *name = NULL;

  if (!g_file_get_contents (path, &name, NULL, NULL))
    return NULL;
  g_strchomp (name);
  return is_foreign_thread (name) ? NULL : g_steal_pointer (&name);
}

/* The entries of a directory whose names are numbers. `describe` returns NULL for what does not
 * count, or is gone again. */
static GHashTable *
list_numbers (const char *path, char *(*describe) (int number))
{
  GHashTable *found = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  DIR *dir = opendir (path);
  struct dirent *entry;

  g_assert_nonnull (dir);
  while ((entry = readdir (dir)) != NULL)
    {
      int number = atoi (entry->d_name);
      char *what;

      if (!g_ascii_isdigit (entry->d_name[0]) || number == dirfd (dir))
        continue;
      what = describe (number);
      if (what != NULL)
        g_hash_table_insert (found, GINT_TO_POINTER (number), what);
    }
  closedir (dir);
  return found;
}

/* There is no way to list the sources of a GMainContext. But one that waits for nothing asks for
 * its own wake-up descriptor alone and for no timeout. */
gboolean
gaio_test_main_context_is_empty (GMainContext *main_context)
{
  GPollFD fds[2];
  int priority = 0;
  int timeout = 0;
  int n_fds;

  if (!g_main_context_acquire (main_context))
    return FALSE;
  g_main_context_prepare (main_context, &priority);
  n_fds = g_main_context_query (main_context, G_MAXINT, &timeout, fds, G_N_ELEMENTS (fds));
  g_main_context_release (main_context);
  return n_fds <= 1 && timeout < 0;
}

/* The default context is always there and has descriptors; so the question here is only whether
 * something is always ready. */
static gboolean
default_main_context_is_idle (void)
{
  GMainContext *main_context = g_main_context_default ();
  GPollFD fds[64];
  int priority = 0;
  int timeout = 0;

  if (!g_main_context_acquire (main_context))
    return TRUE;
  /* What was ready and is not wanted any more goes. */
  for (int i = 0; i < 100 && g_main_context_pending (main_context); i++)
    g_main_context_iteration (main_context, FALSE);
  g_main_context_prepare (main_context, &priority);
  g_main_context_query (main_context, G_MAXINT, &timeout, fds, G_N_ELEMENTS (fds));
  g_main_context_release (main_context);
  return timeout < 0;
}

GaioTestLeaks *
gaio_test_leaks_begin (void)
{
  GaioTestLeaks *self = g_new0 (GaioTestLeaks, 1);

  self->idle = default_main_context_is_idle ();
  self->fds = list_numbers ("/proc/self/fd", describe_fd);
  self->threads = list_numbers ("/proc/self/task", describe_thread);
  return self;
}

static void
append_new (GString *text, const char *kind, GHashTable *before, GHashTable *after)
{
  GHashTableIter iter;
  gpointer number, what;

  g_hash_table_iter_init (&iter, after);
  while (g_hash_table_iter_next (&iter, &number, &what))
    if (!g_hash_table_contains (before, number))
      g_string_append_printf (text,
                              "leaked %s %d (%s)\n",
                              kind,
                              GPOINTER_TO_INT (number),
                              (const char *) what);
  g_hash_table_unref (after);
}

static char *
compare (GaioTestLeaks *self)
{
  GString *text = g_string_new (NULL);

  append_new (text, "fd", self->fds, list_numbers ("/proc/self/fd", describe_fd));
  append_new (text, "thread", self->threads, list_numbers ("/proc/self/task", describe_thread));
  if (self->idle && !default_main_context_is_idle ())
    g_string_append (text, "leaked source in the default GMainContext\n");
  return g_string_free (text, text->len == 0);
}

static guint
get_leak_tries (void)
{
  return g_test_subprocess () ? SUBPROCESS_LEAK_TRIES : LEAK_TRIES;
}

char *
gaio_test_leaks_end (GaioTestLeaks *self)
{
  guint tries = get_leak_tries ();
  char *text;

  while ((text = compare (self)) != NULL && tries-- > 0)
    {
      g_free (text);
      g_usleep (1000);
    }
  g_hash_table_unref (self->fds);
  g_hash_table_unref (self->threads);
  g_free (self);
  return text;
}

gboolean
gaio_test_turn (GaioTestLoop *loop, gboolean may_block)
{
  gboolean progress;

  if (loop->driver != GAIO_TEST_BY_POLL)
    return g_main_context_iteration (loop->main_context, may_block);
  progress = gaio_context_poll (loop->context, may_block);
  return g_main_context_iteration (loop->main_context, FALSE) || progress;
}

void
gaio_test_turn_until (GaioTestLoop *loop, const int *counter, int value)
{
  while (g_atomic_int_get (counter) < value)
    gaio_test_turn (loop, TRUE);
}

void
gaio_test_settle (GaioTestLoop *loop)
{
  int turns = 0;

  for (int quiet = 0; quiet < SETTLED_TURNS; turns++)
    {
      g_assert_cmpint (turns, <, MAX_TURNS);
      quiet = gaio_test_turn (loop, FALSE) ? 0 : quiet + 1;
    }
}

static const char *
enum_nick (GType type, int value)
{
  g_autoptr (GEnumClass) klass = g_type_class_ref (type);

  return g_enum_get_value (klass, value)->value_nick;
}

/* The loop of a case; NULL when this system does not have it. */
static GaioContext *
make_context (const Case *test)
{
  g_autoptr (GError) error = NULL;
  GaioContext *context;

  if (test->variation == VARY_NOTHING)
    context = gaio_context_new (&error);
  else
    context = g_initable_new (GAIO_TYPE_CONTEXT,
                              NULL,
                              &error,
                              test->variation == VARY_MONITOR ? "monitor" : "engine",
                              test->value,
                              NULL);
  if (context == NULL && test->variation == VARY_MONITOR && test->value == GAIO_MONITOR_IO_URING)
    g_test_skip (error->message);
  else
    g_assert_no_error (error);
  return context;
}

/* The monitor and the engine are decided by the home thread when they are first needed. */
static gboolean
is_as_asked_for (const Case *test, GaioTestLoop *loop)
{
  g_autofree char *reason = NULL;
  g_autofree char *text = NULL;
  GaioMonitor monitor;
  GaioEngine engine;

  gaio_test_settle (loop);
  reason = gaio_context_get_engine_reason (loop->context);
  monitor = gaio_context_get_monitor (loop->context);
  engine = gaio_context_get_engine (loop->context);
  if (test->variation == VARY_MONITOR && monitor != (GaioMonitor) test->value)
    text = g_strdup_printf ("the %s monitor is not available, %s is used: %s",
                            enum_nick (GAIO_TYPE_MONITOR, test->value),
                            enum_nick (GAIO_TYPE_MONITOR, monitor),
                            reason != NULL ? reason : "no reason given");
  else if (test->variation == VARY_ENGINE && engine != (GaioEngine) test->value &&
           engine != GAIO_ENGINE_AUTO)
    text = g_strdup_printf ("the %s engine is not available, %s is used: %s",
                            enum_nick (GAIO_TYPE_ENGINE, test->value),
                            enum_nick (GAIO_TYPE_ENGINE, engine),
                            reason != NULL ? reason : "no reason given");
  if (text == NULL)
    return TRUE;
  g_test_skip (text);
  return FALSE;
}

/* The context of a loop, and all that is in its GMainContext, when the body has ended. A body may
 * have dropped the context itself. */
static void
drop_context (GaioTestLoop *loop, GWeakRef *weak)
{
  const char *leaked = NULL;

  for (guint tries = get_leak_tries (); tries > 0; tries--)
    {
      g_clear_object (&loop->context);
      while (g_main_context_iteration (loop->main_context, FALSE))
        ;
      loop->context = g_weak_ref_get (weak);
      if (loop->context != NULL)
        leaked = "the context";
      else if (!gaio_test_main_context_is_empty (loop->main_context))
        leaked = "source in the private GMainContext";
      else
        return;
      g_usleep (1000);
      if (loop->context != NULL)
        gaio_test_turn (loop, FALSE);
    }
  g_clear_object (&loop->context);
  g_printerr ("leaked %s\n", leaked);
  g_test_fail ();
}

static void
run_loop (const Case *test)
{
  GaioTestLoop loop = { .driver = test->driver };
  GWeakRef weak;

  loop.main_context = g_main_context_new ();
  g_main_context_push_thread_default (loop.main_context);
  loop.context = make_context (test);
  g_weak_ref_init (&weak, loop.context);
  if (loop.context != NULL)
    {
      gaio_context_set_dispatch_budget_us (loop.context, 0);
      if (loop.driver == GAIO_TEST_BY_SOURCE)
        gaio_context_attach (loop.context, loop.main_context);
      if (loop.driver == GAIO_TEST_BY_DRIVE)
        g_assert_true (gaio_context_drive (loop.context, loop.main_context, NULL));
      if (is_as_asked_for (test, &loop))
        {
          loop.monitor = gaio_context_get_monitor (loop.context);
          loop.engine = test->variation == VARY_ENGINE ? test->value : GAIO_ENGINE_AUTO;
          test->body (&loop);
        }
    }

  drop_context (&loop, &weak);
  g_weak_ref_clear (&weak);
  g_main_context_pop_thread_default (loop.main_context);
  g_main_context_unref (loop.main_context);
}

static void
run_case (gconstpointer data)
{
  const Case *test = data;
  GaioTestLeaks *leaks = gaio_test_leaks_begin ();
  g_autofree char *text = NULL;

  if (test->func != NULL)
    test->func ();
  else
    run_loop (test);

  text = gaio_test_leaks_end (leaks);
  if (text != NULL)
    {
      g_printerr ("%s", text);
      g_test_fail ();
    }
}

static void
add (const char *path, const Case *test)
{
  /* Kept to the end: GTest frees the data of a test that it runs, and loses that of others. */
  static GSList *cases;

  cases = g_slist_prepend (cases, g_memdup2 (test, sizeof *test));
  g_test_add_data_func (path, cases->data, run_case);
}

void
gaio_test_add (const char *path, GaioTestFunc func)
{
  add (path, &(Case){ .func = func });
}

static void
add_driver (const char *path, const Case *test, GType type)
{
  static const char *const names[] = { "/by-poll", "/by-source", "/by-drive" };
  g_autofree char *full = g_strconcat (path,
                                       type != G_TYPE_NONE ? "/" : "",
                                       type != G_TYPE_NONE ? enum_nick (type, test->value) : "",
                                       names[test->driver],
                                       NULL);

  add (full, test);
}

static void
add_all_drivers (const char *path, GaioTestBody body, Variation variation, GType type, int value)
{
  for (int driver = GAIO_TEST_BY_POLL; driver <= GAIO_TEST_BY_DRIVE; driver++)
    add_driver (path,
                &(Case){ .body = body, .variation = variation, .value = value, .driver = driver },
                type);
}

static void
add_all_monitors (const char *path, GaioTestBody body, GaioTestDriver driver)
{
  for (int monitor = GAIO_MONITOR_POLL; monitor <= GAIO_MONITOR_IO_URING; monitor++)
    add_driver (path,
                &(Case){ .body = body,
                         .variation = VARY_MONITOR,
                         .value = monitor,
                         .driver = driver },
                GAIO_TYPE_MONITOR);
}

void
gaio_test_add_monitor_matrix (const char *path, GaioTestBody body)
{
  add_all_monitors (path, body, GAIO_TEST_BY_POLL);
}

void
gaio_test_add_drive_matrix (const char *path, GaioTestBody body)
{
  add_all_monitors (path, body, GAIO_TEST_BY_DRIVE);
}

void
gaio_test_add_loop_matrix (const char *path, GaioTestBody body)
{
  add_all_drivers (path, body, VARY_MONITOR, GAIO_TYPE_MONITOR, GAIO_MONITOR_POLL);
  add_all_drivers (path, body, VARY_MONITOR, GAIO_TYPE_MONITOR, GAIO_MONITOR_EPOLL);
  add_all_drivers (path, body, VARY_MONITOR, GAIO_TYPE_MONITOR, GAIO_MONITOR_IO_URING);
}

void
gaio_test_add_engine_matrix (const char *path, GaioTestBody body)
{
  add_all_drivers (path, body, VARY_ENGINE, GAIO_TYPE_ENGINE, GAIO_ENGINE_IO_URING);
  add_all_drivers (path, body, VARY_ENGINE, GAIO_TYPE_ENGINE, GAIO_ENGINE_THREADS);
}

void
gaio_test_add_driver_matrix (const char *path, GaioTestBody body)
{
  add_all_drivers (path, body, VARY_NOTHING, G_TYPE_NONE, 0);
}

void
gaio_test_init (int *argc, char ***argv)
{
  g_test_init (argc, argv, NULL);
  /* So that --seed, with the number that is printed at the start, repeats these too. */
  g_random_set_seed ((guint32) g_test_rand_int ());
  /* GLib's worker thread, which waits for child processes. */
  g_source_unref (g_unix_signal_source_new (SIGUSR2));
  gaio_thread_pool_set_idle_timeout_ms (gaio_thread_pool_get_default (), POOL_IDLE_TIMEOUT_MS);
  g_assert_nonnull (gaio_context_get_default ());
  default_main_context_is_idle ();
}
