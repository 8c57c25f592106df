/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* What the streams over a file share. See gaio-stream.c. */

#pragma once

#include <gaio/file/gaio-file-call-private.h>
#include <gaio/file/gaio-file-io.h>
#include <gaio/file/gaio-file-query.h>
#include <gaio/file/gaio-file-space.h>

/* A place in a file: one for each stream, and one for the two halves of an IO stream. */
typedef struct
{
  atomic_uint refs;
  GaioFile *file; /* immutable; a reference */
  bool append;    /* immutable: the system puts each write at the end */

  /* atomic: told to any thread, and moved by the operation that is running */
  _Atomic goffset position;
  _Atomic goffset end; /* of a file that is appended to, as far as we know */
} GaioStreamCursor;

/* Thread: any. It begins at the file's start; at its end when the file appends. */
GaioStreamCursor *gaio_stream_cursor_new (GaioFile *file);
GaioStreamCursor *gaio_stream_cursor_ref (GaioStreamCursor *self);
void gaio_stream_cursor_unref (GaioStreamCursor *self);

static inline goffset
gaio_stream_cursor_get (GaioStreamCursor *self)
{
  return atomic_load_explicit (&self->position, memory_order_relaxed);
}

/* Thread: any. After so many bytes were read or written. */
void gaio_stream_cursor_add_read (GaioStreamCursor *self, gsize n);
void gaio_stream_cursor_add_written (GaioStreamCursor *self, gsize n);

/* Thread: any; they block. As g_seekable_seek() and g_seekable_truncate(). */
bool gaio_stream_cursor_seek (GaioStreamCursor *self,
                              goffset offset,
                              GSeekType type,
                              GCancellable *cancellable,
                              GError **error);
bool gaio_stream_cursor_truncate (GaioStreamCursor *self,
                                  goffset size,
                                  GCancellable *cancellable,
                                  GError **error);

/* Thread: any. How many of the next `count` bytes there are, from the result of a statx of the
 * file; -1 with an error. */
gssize
gaio_stream_cursor_clip (GaioStreamCursor *self, GaioRequest *statx, gsize count, GError **error);

/* Thread: any. Closes the file without waiting: when operations of others, or of a window that has
 * been dropped, are in flight, the descriptor goes when they have ended. */
bool gaio_stream_close_file (GaioFile *file, GCancellable *cancellable, GError **error);

/* Thread: any. The entity tag that GIO has for a file; NULL when the statx failed. */
char *gaio_stream_make_etag (GaioRequest *statx);

/* Thread: any; it blocks. The same from the file, before it is closed. */
char *gaio_stream_query_etag (GaioFile *file);

/* Thread: the caller's, and of the task's GMainContext. `task` is taken over. */
void gaio_stream_query_info (GTask *task, GaioFile *file, const char *attributes);

/* Thread: any. Returns what is known at once, and gives the task up. */
void gaio_stream_return_int (GTask *task, gssize value);
void gaio_stream_return_true (GTask *task);
void gaio_stream_return_error (GTask *task, GError *error);

/* A task that waits for a window, and for its cancellable: whichever comes first resumes it. */
typedef struct _GaioStreamWaiter GaioStreamWaiter;

/* Called in the thread of the task's GMainContext; takes the task over. */
typedef void (*GaioStreamResume) (GTask *task);

/* Thread: any. Takes the task over. `cancellable` may be NULL. */
GaioStreamWaiter *
gaio_stream_waiter_new (GTask *task, GaioStreamResume resume, GCancellable *cancellable);
void gaio_stream_waiter_unref (GaioStreamWaiter *self);

/* Thread: any, without a lock. Takes the reference. */
void gaio_stream_waiter_wake (GaioStreamWaiter *self);

/* The task of an operation of a stream. What was done is reported, also when a cancel came after
 * it. */
#define gaio_stream_new_task(stream, tag) \
  ({ \
    GTask *stream_task_ = GAIO_FILE_NEW_TASK (stream, tag); \
    g_task_set_check_cancellable (stream_task_, FALSE); \
    stream_task_; \
  })
