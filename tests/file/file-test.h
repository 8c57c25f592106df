/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the tests of files share: files whose every byte tells where it belongs, in a directory
 * that goes with the test. */

#pragma once

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gaio-test.h"

/* The byte at an offset: of long period, so that a block in a wrong place is found out. */
static inline guint8
file_test_byte (guint64 offset)
{
  return (guint8) ((offset * 2654435761u) >> 24 ^ offset >> 12);
}

static inline guint8 *
file_test_pattern (guint64 offset, gsize size)
{
  guint8 *data = g_malloc (MAX (size, 1));

  for (gsize i = 0; i < size; i++)
    data[i] = file_test_byte (offset + i);
  return data;
}

static inline GBytes *
file_test_pattern_bytes (guint64 offset, gsize size)
{
  return g_bytes_new_take (file_test_pattern (offset, size), size);
}

static inline void
file_test_assert_pattern (gconstpointer data, guint64 offset, gsize size)
{
  const guint8 *bytes = data;

  for (gsize i = 0; i < size; i++)
    if (bytes[i] != file_test_byte (offset + i))
      g_error ("byte %" G_GSIZE_FORMAT " at offset %" G_GUINT64_FORMAT " is not what was written",
               i,
               offset);
}

static inline void
file_test_assert_bytes (GBytes *bytes, guint64 offset, gsize size)
{
  g_assert_nonnull (bytes);
  g_assert_cmpuint (g_bytes_get_size (bytes), ==, size);
  file_test_assert_pattern (g_bytes_get_data (bytes, NULL), offset, size);
}

/* A directory of the test's own, and a path in it. */
static inline char *
file_test_make_dir (void)
{
  GError *error = NULL;
  char *dir = g_dir_make_tmp ("gaio-test-XXXXXX", &error);

  g_assert_no_error (error);
  return dir;
}

static inline char *
file_test_make_file (const char *dir, const char *name, gsize size)
{
  char *path = g_build_filename (dir, name, NULL);
  g_autofree guint8 *data = file_test_pattern (0, size);
  GError *error = NULL;

  g_file_set_contents (path, (const char *) data, size, &error);
  g_assert_no_error (error);
  return path;
}

static inline void
file_test_remove_dir (char *dir)
{
  const char *name;
  GDir *entries = g_dir_open (dir, 0, NULL);

  while ((name = g_dir_read_name (entries)) != NULL)
    {
      g_autofree char *path = g_build_filename (dir, name, NULL);

      g_assert_cmpint (remove (path), ==, 0);
    }
  g_dir_close (entries);
  g_assert_cmpint (rmdir (dir), ==, 0);
  g_free (dir);
}

static inline void
file_test_make_pipe (int fds[2])
{
  g_assert_cmpint (pipe2 (fds, O_CLOEXEC), ==, 0);
}

static inline GaioFile *
file_test_adopt (GaioContext *context, int fd)
{
  GError *error = NULL;
  GaioFile *file = gaio_file_new_for_fd (context, fd, NULL, &error);

  g_assert_no_error (error);
  return file;
}

static inline GaioFile *
file_test_open (GaioContext *context, const char *path, const char *mode)
{
  GError *error = NULL;
  GaioFile *file = gaio_file_new_for_path (context, path, mode, &error);

  g_assert_no_error (error);
  return file;
}

/* Whether `error` is of this G_IO_ERROR code and names this errno; frees it. */
static inline void
file_test_assert_error (GError *error, int code, int errnum)
{
  g_assert_error (error, G_IO_ERROR, code);
  g_assert_cmpint (gaio_error_get_errno (error), ==, errnum);
  g_error_free (error);
}

/* For what root may do and others may not: becomes nobody, in a process of its own. */
static inline void
file_test_become_nobody (void)
{
  if (getuid () != 0)
    return;
  g_assert_cmpint (setresgid (65534, 65534, 65534), ==, 0);
  g_assert_cmpint (setresuid (65534, 65534, 65534), ==, 0);
}

/* The end of one *_async call. */
typedef struct
{
  int ended;
  GObject *source;
  GAsyncResult *result;
  GThread *thread;
} FileTestCall;

static inline void
file_test_on_end (GObject *source, GAsyncResult *result, gpointer user_data)
{
  FileTestCall *call = user_data;

  g_assert_null (call->result);
  call->source = source;
  call->result = g_object_ref (result);
  call->thread = g_thread_self ();
  g_atomic_int_inc (&call->ended);
}

/* Waits for what has just been called, which must not have ended yet, and takes its result. */
static inline GAsyncResult *
file_test_wait (FileTestCall *call, GaioTestLoop *loop)
{
  GAsyncResult *result;

  g_assert_cmpint (call->ended, ==, 0);
  gaio_test_turn_until (loop, &call->ended, 1);
  g_assert_true (call->thread == g_thread_self ());
  result = call->result;
  *call = (FileTestCall){ 0 };
  return result;
}

/* The same for what may end without the loop's context having a part in it, so that a turn of it
 * must not block. */
static inline GAsyncResult *
file_test_spin (FileTestCall *call, GaioTestLoop *loop)
{
  GAsyncResult *result;

  g_assert_cmpint (call->ended, ==, 0);
  while (call->ended == 0)
    gaio_test_turn (loop, FALSE);
  g_assert_true (call->thread == g_thread_self ());
  result = call->result;
  *call = (FileTestCall){ 0 };
  return result;
}

/* X_async (file, ..., cancellable) and X_finish () of a gaio_file_X, one after the other. */
#define file_test_do(loop, x, file, error, cancellable, ...) \
  ({ \
    g_autoptr (GAsyncResult) result_ = NULL; \
    FileTestCall call_ = { 0 }; \
\
    gaio_file_##x##_async (file, \
                           __VA_ARGS__, \
                           G_PRIORITY_DEFAULT, \
                           cancellable, \
                           file_test_on_end, \
                           &call_); \
    result_ = file_test_spin (&call_, loop); \
    gaio_file_##x##_finish (file, result_, error); \
  })

static inline gboolean
file_test_close_wait (GaioFile *file, GaioTestLoop *loop, GError **error)
{
  g_autoptr (GAsyncResult) result = NULL;
  FileTestCall call = { 0 };

  gaio_file_close_async (file, G_PRIORITY_DEFAULT, NULL, file_test_on_end, &call);
  result = file_test_spin (&call, loop);
  return gaio_file_close_finish (file, result, error);
}

/* From now on a system call fails in this thread and in those that it makes, as a sandbox or a
 * broken disk has it; only with `fd` as its first argument, or with any when that is -1. It stays
 * so, so in a process of its own. */
static inline gboolean
file_test_break_syscall (int number, int fd, int errnum)
{
  const guint low = G_BYTE_ORDER == G_LITTLE_ENDIAN ? 0 : 4;
  struct sock_filter code[] = {
    BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, nr)),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, (guint) number, 0, 3),
    BPF_STMT (BPF_LD | BPF_W | BPF_ABS, offsetof (struct seccomp_data, args[0]) + low),
    BPF_JUMP (BPF_JMP | BPF_JEQ | BPF_K, (guint) fd, 0, fd < 0 ? 0 : 1),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (guint) errnum),
    BPF_STMT (BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  struct sock_fprog program = { .len = G_N_ELEMENTS (code), .filter = code };

  return prctl (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}
