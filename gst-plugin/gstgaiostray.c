/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The strays of the process.
 *
 * A sink that goes to NULL while its disk hangs gives up after a while, but what the kernel has
 * begun cannot be called back: it is carried out when the disk goes on. A recording that has begun
 * under the same name by then is in the same file, since emptying a file makes no new one; bytes
 * of the old recording would land in it, or it would be cut to the length of the old one, and
 * nobody would ever say so. So the file stays listed here until the last of that has ended, and who
 * wants to open it waits, or is told.
 *
 * A file is known by device and inode, which no other can have while it is open. So a file that was
 * renamed or removed stands in nobody's way, and other names of one that was not do not help. Other
 * processes do not see the list. */

#include <sys/stat.h>

#include "gstgaiostray.h"

static GMutex lock;
static GCond cond;
static GQueue strays = G_QUEUE_INIT; /* of GstGaioStray; under `lock`, also what is in them */

void
gst_gaio_stray_add (GstGaioStray *self)
{
  g_mutex_lock (&lock);
  self->link.data = self;
  self->is_listed = true;
  g_queue_push_tail_link (&strays, &self->link);
  g_mutex_unlock (&lock);
}

void
gst_gaio_stray_remove (GstGaioStray *self)
{
  g_mutex_lock (&lock);
  if (self->is_listed)
    g_queue_unlink (&strays, &self->link);
  self->is_listed = false;
  g_cond_broadcast (&cond);
  g_mutex_unlock (&lock);
}

static bool
find_locked (const struct stat *st, guint64 *n_bytes)
{
  bool found = false;
  guint64 sum = 0;

  for (GList *link = strays.head; link != NULL; link = link->next)
    {
      GstGaioStray *stray = link->data;

      if (stray->device != st->st_dev || stray->inode != st->st_ino)
        continue;
      found = true;
      sum += stray->n_bytes;
    }
  if (found)
    *n_bytes = sum;
  return found;
}

/* Nearly always: then nobody asks the file system anything. */
static bool
is_empty (void)
{
  bool empty;

  g_mutex_lock (&lock);
  empty = strays.length == 0;
  g_mutex_unlock (&lock);
  return empty;
}

bool
gst_gaio_stray_wait (const char *path, gint64 deadline_us, guint64 *n_bytes)
{
  struct stat st;
  bool in_time = true;
  bool found;

  if (is_empty () || stat (path, &st) < 0)
    return true;

  g_mutex_lock (&lock);
  while ((found = find_locked (&st, n_bytes)) && in_time)
    {
      if (deadline_us == G_MAXINT64)
        g_cond_wait (&cond, &lock);
      else
        in_time = g_cond_wait_until (&cond, &lock, deadline_us);
    }
  g_mutex_unlock (&lock);
  return !found;
}
