/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

#pragma once

#include <stdbool.h>

#include <gaio/base/gaio-event-notifier.h>

/* The decision to wake a loop: write its eventfd only when it sleeps. See gaio-waker.c. */
typedef struct _GaioWaker GaioWaker;

GaioWaker *gaio_waker_new (GError **error);
GaioWaker *gaio_waker_ref (GaioWaker *self);
void gaio_waker_unref (GaioWaker *self);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (GaioWaker, gaio_waker_unref)

/* Thread: any, and signal handlers. Call it after the work has been published. */
void gaio_waker_notify (GaioWaker *self);

/* Thread: home. Around an outermost turn: no other thread becomes the home in between, and a notify
 * by this one is cheaper. Without these it is right as well. */
void gaio_waker_begin_turn (GaioWaker *self);
void gaio_waker_end_turn (GaioWaker *self);

/* Thread: home. Between begin and end of sleep a notify writes the eventfd. begin returns false
 * when there is a notification already: then do not sleep, but still call end. Sleeps nest. */
bool gaio_waker_begin_sleep (GaioWaker *self);
void gaio_waker_end_sleep (GaioWaker *self);

/* Thread: home. Whether it is between the two: a foreign loop waits in the context's stead. */
bool gaio_waker_is_asleep (GaioWaker *self);

/* Thread: home. After a sleep and before looking at any work: takes the notification. */
void gaio_waker_accept (GaioWaker *self);

/* Thread: any. Whether there is a notification that nobody has accepted. */
bool gaio_waker_is_notified (GaioWaker *self);

/* Thread: home. How many notifications wrote the eventfd, and how many were accepted without that;
 * those that found one there already are counted in neither. */
guint64 gaio_waker_get_n_sent (GaioWaker *self);
guint64 gaio_waker_get_n_saved (GaioWaker *self);

/* In a forked child: an eventfd of its own, since the parent reads the other; false when the system
 * gives none. Thread: home. */
bool gaio_waker_begin_child (GaioWaker *self);

/* The eventfd's notifier, for the loop to watch; its handler has only to clear it. */
GaioEventNotifier *gaio_waker_get_notifier (GaioWaker *self);

/* The home thread: the one that runs the loop. Claiming it twice by the same thread is fine;
 * false when another thread has it. */
bool gaio_waker_claim_home (GaioWaker *self);
void gaio_waker_release_home (GaioWaker *self);
bool gaio_waker_is_home (GaioWaker *self);

/* Thread: any. Whether any thread is the home. */
bool gaio_waker_has_home (GaioWaker *self);
