/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The harness of the C tests: GTest, a matrix of loops, and a count of what each test leaves
 * behind. See gaio-test.c. */

#pragma once

#include <gaio/gaio.h>

/* Who runs the turns. */
typedef enum
{
  GAIO_TEST_BY_POLL,   /* gaio_context_poll() */
  GAIO_TEST_BY_SOURCE, /* the context's GSource in a GMainContext */
  GAIO_TEST_BY_DRIVE,  /* a GMainContext whose waiting the context does */
} GaioTestDriver;

typedef struct
{
  GaioContext *context;
  GMainContext *main_context; /* private, the thread's default for the time of the test */
  GaioTestDriver driver;
  GaioMonitor monitor; /* as asked for, and in use */
  GaioEngine engine;   /* as asked for; AUTO in the matrix of monitors */
} GaioTestLoop;

typedef void (*GaioTestFunc) (void);
typedef void (*GaioTestBody) (GaioTestLoop *loop);

/* Instead of g_test_init(). End main() with `return g_test_run ();`. */
void gaio_test_init (int *argc, char ***argv);

/* One test. As every test here it fails when it leaves a file descriptor, a thread or a source. */
void gaio_test_add (const char *path, GaioTestFunc func);

/* A body for {poll, epoll, io_uring} x {poll(), GSource, drive}; what the system lacks is
 * skipped. */
void gaio_test_add_loop_matrix (const char *path, GaioTestBody body);

/* The same with one driver: poll(), or a GMainContext that the context drives. */
void gaio_test_add_monitor_matrix (const char *path, GaioTestBody body);
void gaio_test_add_drive_matrix (const char *path, GaioTestBody body);

/* A body for {io_uring, threads} x {poll(), GSource, drive}, likewise. */
void gaio_test_add_engine_matrix (const char *path, GaioTestBody body);

/* A body for {poll(), GSource, drive} with the context as it is by default. */
void gaio_test_add_driver_matrix (const char *path, GaioTestBody body);

/* One turn of the loop, and whether it made progress. Whichever driver: results of *_async that
 * were due in the private GMainContext are delivered too. */
gboolean gaio_test_turn (GaioTestLoop *loop, gboolean may_block);

/* Blocking turns until `*counter` has reached `value`. It never gives up; the test's own time
 * limit does. */
void gaio_test_turn_until (GaioTestLoop *loop, const int *counter, int value);

/* Turns that do not block, until a few of them in a row made no progress. */
void gaio_test_settle (GaioTestLoop *loop);

/* What is open now: file descriptors, threads, sources of the default GMainContext. */
typedef struct _GaioTestLeaks GaioTestLeaks;

GaioTestLeaks *gaio_test_leaks_begin (void);

/* Waits for threads that are on their way out, then returns what is there and was not at the
 * beginning, one item a line; NULL when there is nothing. Frees `self`. */
char *gaio_test_leaks_end (GaioTestLeaks *self);

/* Whether `main_context` has no source that waits for anything. */
gboolean gaio_test_main_context_is_empty (GMainContext *main_context);
