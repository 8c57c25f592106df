/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* A disk that stands still when it is told to. See gst-disk.c. */

#pragma once

#include "gst-test-freeze.h"

typedef struct
{
  char *dir;
  char *mount_point;     /* an empty ext4 of 128 MiB */
  GstTestFreeze *freeze; /* NULL while it moves */
} GstTestDisk;

/* NULL, and the test is skipped with a reason, where nobody may have one. */
GstTestDisk *gst_test_disk_new (void);

/* Nothing is written any more until it is thawed, or this process ends. */
void gst_test_disk_freeze (GstTestDisk *self);
void gst_test_disk_thaw (GstTestDisk *self);

/* All of its files must be closed. */
void gst_test_disk_free (GstTestDisk *self);
