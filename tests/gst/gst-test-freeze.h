/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* A file system that stands still. See gst-test-freeze.c. */

#pragma once

#include <glib.h>

typedef struct _GstTestFreeze GstTestFreeze;

/* Nothing is written to the file system of this directory any more, and who tries waits. NULL when
 * that cannot be done here: then the test is marked as skipped. */
GstTestFreeze *gst_test_freeze (const char *dir);

/* Until this, or until the process has died, whichever way. Returns when it moves again. */
void gst_test_thaw (GstTestFreeze *self);
