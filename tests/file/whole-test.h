/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the tests of operations on whole files share: each is done by both twins, and leaves nothing
 * in the directory but what it should. */

#pragma once

#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <sys/xattr.h>

#include "file-test.h"

typedef struct
{
  int ended;
  GAsyncResult *result;
} Call;

static inline void
on_call_end (GObject *source, GAsyncResult *result, gpointer data)
{
  Call *call = data;

  g_assert_null (source);
  call->result = g_object_ref (result);
  call->ended++;
}

static inline void
call_wait (Call *call)
{
  g_assert_cmpint (call->ended, ==, 0);
  while (call->ended == 0)
    g_main_context_iteration (NULL, TRUE);
}

/* Whether the directory has these entries, a list that ends with NULL, and no other. */
static inline void
whole_test_assert_entries (const char *dir, ...)
{
  GDir *entries = g_dir_open (dir, 0, NULL);
  const char *name;
  guint expected = 0;
  guint found = 0;
  va_list args;

  va_start (args, dir);
  while ((name = va_arg (args, const char *)) != NULL)
    {
      g_autofree char *path = g_build_filename (dir, name, NULL);
      struct stat stat;

      if (lstat (path, &stat) != 0)
        g_error ("%s is not there", path);
      expected++;
    }
  va_end (args);
  while ((name = g_dir_read_name (entries)) != NULL)
    found++;
  g_dir_close (entries);
  g_assert_cmpuint (found, ==, expected);
}

static inline char *
whole_test_read (const char *path, gsize *length)
{
  char *contents;
  GError *error = NULL;

  g_file_get_contents (path, &contents, length, &error);
  g_assert_no_error (error);
  return contents;
}

static inline void
whole_test_assert_file (const char *path, const char *expected)
{
  gsize length;
  g_autofree char *contents = whole_test_read (path, &length);

  g_assert_cmpmem (contents, length, expected, strlen (expected));
}

static inline void
whole_test_assert_pattern (const char *path, gsize size)
{
  gsize length;
  g_autofree char *contents = whole_test_read (path, &length);

  g_assert_cmpuint (length, ==, size);
  file_test_assert_pattern (contents, 0, size);
}

static inline char *
whole_test_make_text (const char *dir, const char *name, const char *text)
{
  char *path = g_build_filename (dir, name, NULL);
  GError *error = NULL;

  g_file_set_contents (path, text, -1, &error);
  g_assert_no_error (error);
  return path;
}

static inline mode_t
whole_test_mode (const char *path)
{
  struct stat stat;

  g_assert_cmpint (lstat (path, &stat), ==, 0);
  return stat.st_mode & 07777;
}

/* Runs a test in a process of its own. */
static inline gboolean
whole_test_is_child (void)
{
  if (g_test_subprocess ())
    return TRUE;
  g_test_trap_subprocess (NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
  g_test_trap_assert_passed ();
  return FALSE;
}

/* A file system of `size` in a directory, for this process alone. */
static inline gboolean
whole_test_mount_tmpfs (const char *dir, const char *size)
{
  g_autofree char *options = g_strdup_printf ("size=%s,mode=0777", size);

  if (unshare (CLONE_NEWNS) != 0 || mount (NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) != 0 ||
      mount ("tmpfs", dir, "tmpfs", 0, options) != 0)
    {
      g_test_message ("skipped: a mount of its own: %s", g_strerror (errno));
      return FALSE;
    }
  return TRUE;
}
