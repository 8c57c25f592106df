/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* Faults put into the system calls and the ring of a test that is linked with --wrap. See
 * fault-inject.c. */

#pragma once

#include <stdbool.h>

#include <glib.h>

/* Beside the errnos: half of it, and nothing, of a transfer; or half of it, and then, once EAGAIN,
 * or when it is persistent ENOSPC for ever. */
#define FAULT_SHORT (-1)
#define FAULT_ZERO (-2)
#define FAULT_HALF_WAY (-3)

typedef enum
{
  FAULT_AT_READ,
  FAULT_AT_WRITE,
  FAULT_AT_CLOSE,
  FAULT_AT_OTHER,
} FaultPlace;

/* From now on the operations on `path` are counted from 0, and number `at` gets the fault; all
 * that follow too when it is persistent. -1: none does. */
void fault_arm (const char *path, int at, bool persistent, int fault);

/* What an open of the path has given. */
void fault_watch_fd (int fd);

/* Ends that. Returns how many operations there were. */
int fault_disarm (void);

/* How many faults there were, and whether the last one was in the ring. */
int fault_get_hits (void);
bool fault_was_in_ring (void);

/* Entering the kernel for the ring fails, from the `at`th time on and so often. */
void fault_arm_enter (int at, int times, int errnum);
int fault_disarm_enter (void);

/* Whether the kernel lets the results of the ring be chosen. */
bool fault_ring_can (void);

/* For fault-uring.c: one operation comes by; 0, or the fault that it gets. */
int fault_decide (int fd, const char *path, FaultPlace place, bool in_ring);
