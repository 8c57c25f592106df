/* SPDX-FileCopyrightText: the gaio authors
 * SPDX-License-Identifier: LGPL-2.1-or-later */

/* The list of files that something may still be written to: whom it keeps waiting, and whom not. */

#include <glib/gstdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gst-test.h"
#include "gstgaiostray.h"

/* Enough for one that should be told at once; who waits for ever is told by the harness. */
#define SOON_US (20 * 1000)

typedef struct
{
  char *dir;
  char *path;
  GstGaioStray stray; /* of `path` */
} Place;

static GstGaioStray
stray_for (const char *path, guint64 n_bytes)
{
  struct stat st;

  g_assert_cmpint (stat (path, &st), ==, 0);
  return (GstGaioStray){ .device = st.st_dev, .inode = st.st_ino, .n_bytes = n_bytes };
}

static char *
make_file (const char *dir, const char *name)
{
  char *path = g_build_filename (dir, name, NULL);

  g_assert_true (g_file_set_contents (path, "", 0, NULL));
  return path;
}

static Place
place_new (void)
{
  Place place = { .dir = gst_test_make_dir () };

  place.path = make_file (place.dir, "file");
  place.stray = stray_for (place.path, 100);
  return place;
}

static void
place_clear (Place *self)
{
  gst_test_remove_dir (self->dir);
  g_free (self->dir);
  g_free (self->path);
}

static void
assert_free (const char *path)
{
  guint64 n_bytes = 1234;

  g_assert_true (gst_gaio_stray_wait (path, G_MAXINT64, &n_bytes));
  g_assert_cmpuint (n_bytes, ==, 1234);
}

static void
assert_busy (const char *path, guint64 expected)
{
  guint64 n_bytes = 0;

  g_assert_false (gst_gaio_stray_wait (path, 0, &n_bytes));
  g_assert_cmpuint (n_bytes, ==, expected);
  g_assert_false (gst_gaio_stray_wait (path, g_get_monotonic_time () + SOON_US, &n_bytes));
}

/* From when it is added until it is removed, which may happen to one that was not added. */
static void
test_one (void)
{
  Place place = place_new ();

  assert_free (place.path);
  gst_gaio_stray_remove (&place.stray);
  gst_gaio_stray_add (&place.stray);
  assert_busy (place.path, 100);
  gst_gaio_stray_remove (&place.stray);
  gst_gaio_stray_remove (&place.stray);
  assert_free (place.path);
  place_clear (&place);
}

/* Several of one file count together, and are waited for together. */
static void
test_several (void)
{
  Place place = place_new ();
  GstGaioStray more = stray_for (place.path, 11);
  GstGaioStray none = stray_for (place.path, 0);

  gst_gaio_stray_add (&place.stray);
  gst_gaio_stray_add (&more);
  gst_gaio_stray_add (&none);
  assert_busy (place.path, 111);
  gst_gaio_stray_remove (&place.stray);
  assert_busy (place.path, 11);
  gst_gaio_stray_remove (&more);
  assert_busy (place.path, 0);
  gst_gaio_stray_remove (&none);
  assert_free (place.path);
  place_clear (&place);
}

/* It is about the file and not about its name. */
static void
test_names (void)
{
  Place place = place_new ();
  g_autofree char *other = make_file (place.dir, "other");
  g_autofree char *missing = g_build_filename (place.dir, "missing", NULL);
  g_autofree char *link_path = g_build_filename (place.dir, "link", NULL);
  g_autofree char *symlink_path = g_build_filename (place.dir, "symlink", NULL);
  g_autofree char *renamed = g_build_filename (place.dir, "renamed", NULL);
  g_autofree char *again = NULL;

  gst_gaio_stray_add (&place.stray);
  assert_free (other);
  assert_free (missing);
  g_assert_cmpint (link (place.path, link_path), ==, 0);
  assert_busy (link_path, 100);
  g_assert_cmpint (symlink ("file", symlink_path), ==, 0);
  assert_busy (symlink_path, 100);

  g_assert_cmpint (g_rename (place.path, renamed), ==, 0);
  assert_busy (renamed, 100);
  assert_free (place.path);
  again = make_file (place.dir, "file");
  assert_free (place.path);
  gst_gaio_stray_remove (&place.stray);
  assert_free (renamed);
  place_clear (&place);
}

typedef struct
{
  const char *path;
  gint64 deadline_us;
} Wait;

static gpointer
wait_for (gpointer data)
{
  const Wait *wait = data;
  guint64 n_bytes;

  return GINT_TO_POINTER (gst_gaio_stray_wait (wait->path, wait->deadline_us, &n_bytes));
}

/* Who waits goes on when it is over, and not when that of another file is. */
static void
test_waiting (void)
{
  Place place = place_new ();
  g_autofree char *other = make_file (place.dir, "other");
  GstGaioStray stray_of_other = stray_for (other, 5);
  const gint64 later_us = g_get_monotonic_time () + 3600 * (gint64) G_USEC_PER_SEC;
  const Wait waits[] = { { place.path, G_MAXINT64 },
                         { place.path, later_us },
                         { other, G_MAXINT64 } };
  GThread *threads[G_N_ELEMENTS (waits)];

  gst_gaio_stray_add (&place.stray);
  gst_gaio_stray_add (&stray_of_other);
  for (guint i = 0; i < G_N_ELEMENTS (waits); i++)
    threads[i] = g_thread_new ("waiter", wait_for, (gpointer) &waits[i]);
  g_usleep (SOON_US);
  gst_gaio_stray_remove (&stray_of_other);
  g_assert_true (g_thread_join (threads[2]));
  g_usleep (SOON_US);
  gst_gaio_stray_remove (&place.stray);
  g_assert_true (g_thread_join (threads[0]));
  g_assert_true (g_thread_join (threads[1]));
  place_clear (&place);
}

int
main (int argc, char **argv)
{
  gst_test_init (&argc, &argv);
  gaio_test_add ("/gst/stray/one", test_one);
  gaio_test_add ("/gst/stray/several", test_several);
  gaio_test_add ("/gst/stray/names", test_names);
  gaio_test_add ("/gst/stray/waiting", test_waiting);
  return g_test_run ();
}
