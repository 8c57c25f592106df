/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* A directory whose files fail as their names say. See fault-server.c and, for the names,
 * fault-fs.c. */

#pragma once

#include <glib.h>
#include <sys/types.h>

/* Faults beside the errnos, as fault-fs.c has them. */
#define FAULT_SHORT (-1) /* half of what is asked for */
#define FAULT_ZERO (-2)  /* nothing of it */
#define FAULT_SLOW (-3)  /* all of it, later */

typedef struct
{
  char *dir;
  pid_t pid;
  dev_t device; /* beneath it */
} FaultServer;

/* Mounts it. NULL when that cannot be done here: then the test is marked as skipped. To be called
 * after file_mount_init(), and with the program fault-fs in the build tree. */
FaultServer *fault_server_new (void);

/* Every call that waits for the server, and all later ones, fail. */
void fault_server_kill (FaultServer *self);

/* No call on a file comes back, until it goes on. */
void fault_server_halt (FaultServer *self);
void fault_server_go_on (FaultServer *self);

/* Also after fault_server_kill(). */
void fault_server_free (FaultServer *self);
