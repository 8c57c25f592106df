/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/loop/gaio-context.h>

G_BEGIN_DECLS

/**
 * GaioSignalInfo:
 * @signo: which signal
 * @code: why it was sent: an `SI_` or `CLD_` constant of sigaction(2), such as `SI_USER`
 * @pid: the process that sent it, or the child that a `SIGCHLD` is about
 * @uid: the user of that process
 * @status: for `SIGCHLD`: the exit status, or the signal that ended or stopped the child
 * @value_int: the number that was sent with it by sigqueue(3), or given to the timer
 * @value_pointer: the same as an address
 * @fd: for `SIGIO`: the file descriptor
 * @band: for `SIGIO`: what it is ready for, as poll(2) has it
 *
 * What the kernel tells about a signal; see sigaction(2). What has no meaning for a signal is 0.
 */
typedef struct
{
  int signo;
  int code;
  int pid;
  guint uid;
  int status;
  int value_int;
  gpointer value_pointer;
  int fd;
  guint band;

  /*< private >*/
  gpointer padding[4];
} GaioSignalInfo;

#define GAIO_TYPE_SIGNAL_INFO (gaio_signal_info_get_type ())
GAIO_AVAILABLE_IN_1_0
GType gaio_signal_info_get_type (void);

GAIO_AVAILABLE_IN_1_0
GaioSignalInfo *gaio_signal_info_copy (const GaioSignalInfo *self) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
void gaio_signal_info_free (GaioSignalInfo *self);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (GaioSignalInfo, gaio_signal_info_free)

/**
 * GaioSignalFunc:
 * @info: what is known of the signal, valid during the call
 * @user_data: the data given with the function
 *
 * A function that a [class@Gaio.Context] calls in its home thread when a signal has come. It is an
 * ordinary callback, not a signal handler: it may do anything.
 */
typedef void (*GaioSignalFunc) (const GaioSignalInfo *info, gpointer user_data);

GAIO_AVAILABLE_IN_1_0
guint gaio_context_add_signal (GaioContext *self,
                               int signo,
                               GaioSignalFunc func,
                               gpointer user_data,
                               GDestroyNotify notify,
                               GError **error);

GAIO_AVAILABLE_IN_1_0
void gaio_context_remove_signal (GaioContext *self, guint id);

G_END_DECLS
