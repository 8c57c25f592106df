/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Operations on whole files: a function that blocks, for both twins. See gaio-work.c. */

#pragma once

#include <stdbool.h>

#include <gio/gio.h>

/* An operation that runs: what its body sees of it. */
typedef struct _GaioWork GaioWork;

/* What operations of a kind have in common. */
typedef struct
{
  const char *name; /* for the messages of errors: "save" */

  /* Does it all, in whatever thread, and blocks: returns a result that is not NULL, or NULL with an
   * error. It touches nothing that belongs to a language binding, but `data`. */
  gpointer (*run) (GaioWork *work, gpointer data, GError **error);

  /* Both in the caller's thread; either may be NULL. */
  void (*data_free) (gpointer data);     /* of gaio_work_start(), always called once */
  void (*result_free) (gpointer result); /* of a result that nobody fetched */
} GaioWorkKind;

/* For the `run` of an operation that returns no more than that it was done. */
#define GAIO_WORK_DONE GINT_TO_POINTER (1)

/* The blocking twin. Thread: any. Runs it here, with `progress` called here. `path` is what the
 * operation is about, for the messages of errors; it and `data` stay the caller's. */
gpointer gaio_work_run (const GaioWorkKind *kind,
                        gpointer data,
                        const char *path,
                        GClosure *progress,
                        GCancellable *cancellable,
                        GError **error);

/* The asynchronous twin. Thread: any; it is the caller's thread then, where the task ends and
 * where `progress` is called and freed. Takes over the task, which has its source tag and priority,
 * and `data`, in which `path` lies. The result is to be had by g_task_propagate_pointer(). */
void gaio_work_start (
    GTask *task, const GaioWorkKind *kind, gpointer data, const char *path, GClosure *progress);

/* What follows is for the body, in its thread. */

/* Whether it shall go on. When it is cancelled: false, with G_IO_ERROR_CANCELLED. It costs a load
 * from memory, so ask between any two system calls. */
bool gaio_work_check (GaioWork *self, GError **error);

/* Sets the error of an errno; `path` is what it is about, NULL for the path of the operation.
 * Returns NULL, for the body to return. */
gpointer gaio_work_fail (GaioWork *self, int errnum, const char *path, GError **error);

/* The same for an argument that is none of those that it may be. */
gpointer gaio_work_fail_argument (GaioWork *self, const char *name, guint value, GError **error);

/* How far it is: in bytes or whatever the operation counts, of `total`, 0 when that is not known.
 * To call it often costs little: the caller's thread is told about sixty times a second, and of the
 * last value in any case, before the end. */
void gaio_work_report (GaioWork *self, goffset done, goffset total);

/* For a function that wants it; NULL when there is none. */
GCancellable *gaio_work_get_cancellable (GaioWork *self);
