/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <gaio/loop/gaio-context.h>
#include <gaio/loop/gaio-poll-set.h>

G_BEGIN_DECLS

/**
 * GaioLockFunc:
 * @lock: %FALSE to unlock, before a wait; %TRUE to lock, after it
 * @user_data: the data given with the function
 *
 * A function that gives a lock away while a loop waits. It must not run the loop.
 */
typedef void (*GaioLockFunc) (gboolean lock, gpointer user_data);

/**
 * GaioPollNotifierFunc:
 * @phase: before or after the wait
 * @set: what is waited for
 * @user_data: the data given with the function
 *
 * A function that takes part in the waits of a loop, for what has descriptors and deadlines that
 * change all the time: another event loop, a library with a poll interface. It is called before
 * each wait to say what to wait for, and after it to see what has come. It must not run the loop.
 */
typedef void (*GaioPollNotifierFunc) (GaioPollPhase phase, GaioPollSet *set, gpointer user_data);

#define GAIO_TYPE_MAIN_LOOP (gaio_main_loop_get_type ())
GAIO_AVAILABLE_IN_1_0
G_DECLARE_FINAL_TYPE (GaioMainLoop, gaio_main_loop, GAIO, MAIN_LOOP, GObject)

GAIO_AVAILABLE_IN_1_0
GaioMainLoop *gaio_main_loop_new (GMainContext *main_context,
                                  GError **error) G_GNUC_WARN_UNUSED_RESULT;

GAIO_AVAILABLE_IN_1_0
GaioContext *gaio_main_loop_get_context (GaioMainLoop *self);

GAIO_AVAILABLE_IN_1_0
GMainContext *gaio_main_loop_get_main_context (GaioMainLoop *self);

GAIO_AVAILABLE_IN_1_0
void gaio_main_loop_run (GaioMainLoop *self);

GAIO_AVAILABLE_IN_1_0
void gaio_main_loop_quit (GaioMainLoop *self);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_main_loop_is_running (GaioMainLoop *self);

GAIO_AVAILABLE_IN_1_0
gboolean gaio_main_loop_iterate (GaioMainLoop *self, gboolean may_block);

GAIO_AVAILABLE_IN_1_0
void gaio_main_loop_notify (GaioMainLoop *self);

GAIO_AVAILABLE_IN_1_0
guint gaio_main_loop_add_lock_hook (GaioMainLoop *self,
                                    GaioLockFunc func,
                                    gpointer user_data,
                                    GDestroyNotify notify);

GAIO_AVAILABLE_IN_1_0
void gaio_main_loop_remove_lock_hook (GaioMainLoop *self, guint id);

GAIO_AVAILABLE_IN_1_0
guint gaio_main_loop_add_poll_notifier (GaioMainLoop *self,
                                        GaioPollNotifierFunc func,
                                        gpointer user_data,
                                        GDestroyNotify notify);

GAIO_AVAILABLE_IN_1_0
void gaio_main_loop_remove_poll_notifier (GaioMainLoop *self, guint id);

G_END_DECLS
