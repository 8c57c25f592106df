/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the tests of operations on whole files share: each is tested as both of its twins, the one
 * that blocks and the asynchronous one. */

#pragma once

#include "file-test.h"

#include <string.h>

typedef struct
{
  gboolean async;
  GCancellable *cancellable;

  GThread *home;
  GAsyncResult *result; /* when it has come */

  /* Of twin_progress(). */
  gint64 done;
  gint64 total;
  int n_told;
  int n_freed;
} Twin;

/* A test of both twins from a body for one. */
#define TWIN_BOTH(body)                                                                            \
  static void body##_both (void)                                                                   \
  {                                                                                                \
    body (FALSE);                                                                                  \
    body (TRUE);                                                                                   \
  }

/* The callback of X_async(). */
static inline void
twin_on_end (GObject *source, GAsyncResult *result, gpointer data)
{
  Twin *twin = data;

  g_assert_true (g_thread_self () == twin->home);
  g_assert_null (twin->result);
  twin->result = g_object_ref (result);
}

static inline void
twin_begin (Twin *twin)
{
  twin->home = g_thread_self ();
}

/* The result of X_async(), until twin_end(). */
static inline GAsyncResult *
twin_wait (Twin *twin)
{
  g_assert_null (twin->result);
  while (twin->result == NULL)
    g_main_context_iteration (NULL, TRUE);
  return twin->result;
}

static inline void
twin_end (Twin *twin)
{
  g_clear_object (&twin->result);
}

static inline void
twin_told (gint64 done, gint64 total, gpointer data)
{
  Twin *twin = data;

  g_assert_true (g_thread_self () == twin->home);
  g_assert_cmpint (done, >=, twin->done);
  twin->done = done;
  twin->total = total;
  twin->n_told++;
}

static inline void
twin_progress_freed (gpointer data, GClosure *closure)
{
  Twin *twin = data;

  g_assert_true (g_thread_self () == twin->home);
  twin->n_freed++;
}

/* A progress closure that checks where it is called. */
static inline GClosure *
twin_progress (Twin *twin)
{
  twin->done = twin->total = 0;
  twin->n_told = twin->n_freed = 0;
  return g_cclosure_new (G_CALLBACK (twin_told), twin, twin_progress_freed);
}

static inline int
twin_count_fds (void)
{
  GDir *dir = g_dir_open ("/proc/self/fd", 0, NULL);
  int n = 0;

  while (g_dir_read_name (dir) != NULL)
    n++;
  g_dir_close (dir);
  return n;
}

/* A name that is not UTF-8, and no text in any encoding that comes to mind. */
#define TWIN_ODD_NAME "odd-\xff\xfe\n"

static inline void
twin_touch (const char *dir, const char *name)
{
  g_autofree char *path = g_build_filename (dir, name, NULL);
  int fd = open (path, O_WRONLY | O_CREAT | O_CLOEXEC, 0666);

  g_assert_cmpint (fd, >=, 0);
  close (fd);
}

static inline char *
twin_mkdir (const char *dir, const char *name)
{
  char *path = g_build_filename (dir, name, NULL);

  g_assert_cmpint (mkdir (path, 0777), ==, 0);
  return path;
}

static inline gboolean
twin_exists (const char *dir, const char *name)
{
  g_autofree char *path = g_build_filename (dir, name, NULL);
  struct stat stat_;

  return lstat (path, &stat_) == 0;
}
